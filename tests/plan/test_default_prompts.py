from __future__ import annotations

from loadtest.plan.default_prompts import QUESTIONS


def test_questions_are_many_different_and_not_easy_to_carry() -> None:
    texts = [row["question"] for row in QUESTIONS]
    assert len(set(texts)) == len(texts) >= 20
    assert any('"' in text for text in texts)
    assert any(not text.isascii() for text in texts)
