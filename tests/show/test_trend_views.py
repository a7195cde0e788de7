from __future__ import annotations

import pytest
from trends import TRENDS

from loadtest.show.trend import written


@pytest.mark.parametrize(
    ("form", "begin"),
    [
        ("terminal", "made  33 runs"),
        ("markdown", "# SLOWER: made"),
        ("json", "{"),
        ("otava", "time,run,label"),
        ("html", "<!doctype html>"),
        ("svg", "<?xml"),
    ],
)
def test_every_format(form: str, begin: str) -> None:
    text = written([TRENDS["stepped"]()], form, 1)
    assert isinstance(text, str)
    assert text.startswith(begin)
    assert text.endswith("\n")


def test_pixels() -> None:
    picture = written([TRENDS["one"]()], "png", 0)
    assert isinstance(picture, bytes)
    assert picture.startswith(b"\x89PNG")
