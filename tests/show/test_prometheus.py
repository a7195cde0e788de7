from __future__ import annotations

import re
from collections.abc import Callable

from sample import SampleRun

from loadtest.show.render.prometheus import prometheus

Sample = Callable[[str], SampleRun]
LABEL = r'[a-z_]+="(?:[^"\\\n]|\\["\\n])*"'
LINE = re.compile(rf"([a-z_]+)\{{({LABEL}(?:,{LABEL})*)\}} (-?\d+(?:\.\d+)?(?:e[-+]\d+)?)")


def samples(text: str) -> list[tuple[str, str, float]]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found), [line for line, match in zip(lines, found, strict=True) if not match]
    return [(match[1], match[2], float(match[3])) for match in found if match]


def test_every_line_is_a_sample_and_each_name_is_announced_once(run: SampleRun) -> None:
    text = prometheus(run.manifest)
    names = [name for name, _, _ in samples(text)]
    assert [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")] == list(
        dict.fromkeys(names)
    )


def test_no_sample_stands_twice(run: SampleRun) -> None:
    found = [(name, labels) for name, labels, _ in samples(prometheus(run.manifest))]
    assert len(found) == len(set(found))


def test_the_numbers_and_their_unit(sample: Sample) -> None:
    run = sample("passed")
    line = next(
        line
        for line in prometheus(run.manifest).splitlines()
        if 'metric="turn.first_event",statistic="p95"' in line
    )
    assert line.startswith(
        'loadtest_duration_milliseconds{scenario="agent-burst",label="v1.4.0",simulated="true",'
    )
    assert line.endswith(f" {run.manifest['metrics']['turn.first_event']['p95']!r}")


def test_what_was_not_measured_is_absent(sample: Sample) -> None:
    names = {name for name, _, _ in samples(prometheus(sample("unreachable").manifest))}
    assert names == {"loadtest_count", "loadtest_threshold_held", "loadtest_exit_code"}


def test_thresholds_are_one_or_nought_or_absent(sample: Sample) -> None:
    found = [
        value
        for name, _, value in samples(prometheus(sample("failed").manifest))
        if name == "loadtest_threshold_held"
    ]
    assert found == [1, 1, 0, 0, 1]
