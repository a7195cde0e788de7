from __future__ import annotations

import json

from sample import SampleRun

from loadtest.show.render.json import as_json


def refuse(constant: str) -> None:
    raise AssertionError(constant)


def test_the_manifest_as_it_is(run: SampleRun) -> None:
    text = as_json(run.manifest)
    text.encode("utf-8")
    assert json.loads(text, parse_constant=refuse).keys() == run.manifest.keys()


def test_numbers_that_json_does_not_have_are_null() -> None:
    assert json.loads(as_json({"rate": float("inf"), "share": float("nan")})) == {"rate": None, "share": None}
