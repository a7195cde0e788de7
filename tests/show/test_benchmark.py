from __future__ import annotations

import json
from collections.abc import Callable

from sample import SampleRun

from loadtest.show.benchmark import benchmark, benchmark_rates

Sample = Callable[[str], SampleRun]


def test_every_entry_has_the_four_keys_and_a_number(run: SampleRun) -> None:
    for text in (benchmark(run.manifest), benchmark_rates(run.manifest)):
        for entry in json.loads(text):
            assert list(entry) == ["name", "unit", "value", "range"]
            assert entry["value"] > 0
            assert entry["range"]


def test_durations_with_interval_and_n(sample: Sample) -> None:
    run = sample("passed")
    found = {entry["name"]: entry for entry in json.loads(benchmark(run.manifest))}
    entry = found["agent-burst: turn.first_event p95 (SIMULATED)"]
    assert entry["unit"] == "ms"
    assert entry["value"] == run.manifest["metrics"]["turn.first_event"]["p95"]
    assert entry["range"].startswith("95 % CI ")
    assert entry["range"].endswith(" ms, n=7,500")
    assert not [name for name in found if "lateness" in name or "lag" in name]


def test_rates_say_what_they_were_counted_from(sample: Sample) -> None:
    run = sample("passed")
    found = {entry["name"]: entry for entry in json.loads(benchmark_rates(run.manifest))}
    entry = found["agent-burst: turns_per_s (SIMULATED)"]
    assert (entry["unit"], entry["range"]) == ("1/s", "n=7,500 over 30 s")
    assert entry["value"] == run.manifest["rates"]["turns_per_s"]["value"]


def test_nothing_measured_is_an_empty_list(sample: Sample) -> None:
    assert json.loads(benchmark(sample("unreachable").manifest)) == []
    assert json.loads(benchmark_rates(sample("unreachable").manifest)) == []
