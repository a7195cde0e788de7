"""What docs/readiness.md shows is read by the reader of policies."""

from __future__ import annotations

import re
from pathlib import Path

from loadtest.readiness.policy import FACTS, MEASURES
from tests.readiness.breakages import PLACE
from tests.readiness.made import policy

PAGE = (Path(__file__).parents[2] / "docs" / "readiness.md").read_text("utf-8")


def test_the_policy_on_the_page_can_be_read(tmp_path: Path) -> None:
    text = "\n".join(re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL))
    read = policy(tmp_path, text)
    assert (read.question[:10], len(read.alerts.routes), read.remedies[0].dry_run) == ("May it go?", 3, False)
    assert (read.alerts.most, read.alerts.per_s, read.alerts.group_s) == (5, 60, 10)


def test_every_probe_measure_and_fact_is_on_the_page() -> None:
    rest = PLACE.sub("", PAGE)
    for kind, measures in MEASURES.items():
        (row,) = (line for line in rest.splitlines() if line.startswith(f"| `{kind}` |"))
        for name in measures:
            assert name in row or f"{name.split('.')[0]}.*" in row, (kind, name)
    for fact in FACTS:
        assert f"`{fact}`" in PAGE, fact
