from __future__ import annotations

import json

from compared import release

from loadtest.judge.noise_floor import Floor, floor
from loadtest.judge.samples import side
from loadtest.show.noise_floor import document
from loadtest.show.render.json import as_json
from loadtest.show.render.terminal import render


def found(n: int = 5) -> Floor:
    return floor(side("v1", [run.manifest for run in release("v1", 5)[:n]]))


def test_what_decides_stands_first() -> None:
    text = render([document(found())], width=120)
    assert text.index("What decides") < text.index("turn.first_event.p95") < text.index("Exploratory")
    assert "5 against 5 runs detect" in text


def test_few_runs_are_said_to_be_few() -> None:
    assert "too_few_runs" in render([document(found(3))])


def test_as_data_and_in_ascii() -> None:
    assert json.loads(as_json(found().as_dict()))["schema"] == "loadtest.noise/1"
    assert render([document(found())], ascii_only=True).isascii()
