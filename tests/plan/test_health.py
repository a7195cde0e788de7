from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtest.plan.health import OF_SIMULATOR, Health, HealthMetric
from loadtest.plan.threshold import parse_threshold, resolve, split_target

if TYPE_CHECKING:
    from tests.plan.conftest import Folder

HEAD = (
    'protocol = "agent-events"\n[target]\nurl = "{url}"\n[target.health]\n{health}\n[traffic]\nevery = "1s"\n'
)
METRIC = '[[target.health.metrics]]\nname = "{name}"\nurl = "http://h:1/metrics"\n{more}\n'


def text(health: str, url: str = "ws://h/ws", thresholds: str = "") -> str:
    return HEAD.format(url=url, health=health) + f"[thresholds]\n{thresholds}"


def test_every_source_and_metric_is_read_and_names_what_it_samples(folder: Folder) -> None:
    queue = METRIC.format(name="queue", more='series = "depth"\nlabels = { of = "ask" }\nrate = true')
    asked = METRIC.format(name="asked", more='query = "sum(depth)"')
    usual = ("cpu", "memory", "open_files")
    for source, names in (
        ("pid = 77", usual),
        ('node = "https://h:9100/metrics"', usual),
        ('endpoint = "http://h/metrics"', usual),
        ('container = "chat"', ("cpu", "memory")),
        ("", ()),
    ):
        health = folder.load(text(f"{source}\n{queue}{asked}")).target.health
        assert health is not None
        assert health.names == (*names, "queue", "asked")
        assert health.metrics[0] == HealthMetric(
            name="queue", url="http://h:1/metrics", series="depth", labels={"of": "ask"}, rate=True
        )


def test_the_simulator_is_a_pid_where_it_is_the_target(folder: Folder) -> None:
    scenario = folder.load(text('pid = "simulator"', "simulator"))
    assert scenario.target.health == Health(pid=OF_SIMULATOR)
    assert scenario.settings["target"]["health"] == {"pid": "simulator"}  # type: ignore[index]  # plain data
    told = folder.mistakes(text('pid = "simulator"'))
    assert told == [
        'mine.toml:5: `pid = "simulator"` works only with url = "simulator", but `url` is another target'
    ]


@pytest.mark.parametrize(
    ("health", "sentence"),
    [
        (
            "",
            (
                "[target.health] samples nothing; add `pid`, `container`, `node`, `endpoint` or"
                " `[[target.health.metrics]]`"
            ),
        ),
        ("pid = 0", '`pid` must be the number of a process or "simulator", not 0'),
        ("pid = true", '`pid` must be the number of a process or "simulator", not true'),
        (
            'pid = 7\ncontainer = "c"',
            "`container` and `pid` both set whose CPU is sampled; remove one of them",
        ),
        ('node = "node:9100"', "`node` must be an address that begins with http:// or https://"),
        ('node = "http://h:x/"', "`node` must be an address that begins with http:// or https://"),
        ('node = "http://h/ m"', "`node` must be an address that begins with http:// or https://"),
    ],
)
def test_what_is_wrong_with_a_source_is_told(folder: Folder, health: str, sentence: str) -> None:
    assert [line.partition(": ")[2] for line in folder.mistakes(text(health))] == [sentence]


@pytest.mark.parametrize(
    ("name", "more", "sentence"),
    [
        (
            "cpu",
            'series = "a"',
            "`name` may contain a to z, 0 to 9 and `_`, and must differ from cpu, memory, open_files",
        ),
        (
            "A b",
            'series = "a"',
            "`name` may contain a to z, 0 to 9 and `_`, and must differ from cpu, memory, open_files",
        ),
        ("a", "", "a metric needs either `series` (of an endpoint) or `query` (of a Prometheus server)"),
        ("a", 'series = "a"\nquery = "b"', "a metric needs either `series` (of an endpoint) or `query`"),
        (
            "a",
            'query = "b"\nrate = true',
            "`rate` works only with `series`; with `query`, write it in PromQL",
        ),
        (
            "a",
            'query = "b"\nlabels = { c = "d" }',
            "`labels` works only with `series`; with `query`, write it",
        ),
    ],
)
def test_what_is_wrong_with_a_metric_is_told(folder: Folder, name: str, more: str, sentence: str) -> None:
    (told,) = folder.mistakes(text(METRIC.format(name=name, more=more)))
    assert sentence in told


def test_metrics_have_names_of_their_own_and_are_few(folder: Folder) -> None:
    (told,) = folder.mistakes(text(METRIC.format(name="a", more='series = "a"') * 2))
    assert "two metrics have the name `a`" in told
    many = "".join(METRIC.format(name=f"a{n}", more='series = "a"') for n in range(21))
    (told,) = folder.mistakes(text(many))
    assert "[target.health] may have at most 20 metrics, not 21" in told
    told_of_both = folder.mistakes(text("[[target.health.metrics]]\nseries = 'a'"))
    assert any("`name` is missing" in line for line in told_of_both)


def test_thresholds_speak_of_what_is_sampled(folder: Folder) -> None:
    held = folder.load(text("pid = 7", thresholds='"target.cpu.max" = "< 80%"'))
    assert held.thresholds[0].name == "target.cpu.max"
    (told,) = folder.mistakes(text("pid = 7", thresholds='"target.queue.max" = "< 8"'))
    assert (
        "the metric `queue` of the target is not sampled: [target.health] samples cpu, memory, open_files"
        in told
    )
    bare = 'protocol = "agent-events"\n[target]\nurl = "ws://h/"\n[traffic]\nevery = "1s"\n'
    (told,) = folder.mistakes(f'{bare}[abort]\n"target.cpu.max" = "> 8"\nafter = "1s"')
    assert "the metric `cpu` of the target is not sampled: the scenario has no [target.health]" in told
    stages = '[load]\nstages = [{ for = "1s", connections = 1, thresholds = { "target.cpu.max" = "< 8" } }]\n'
    (told,) = folder.mistakes(bare + stages)
    assert "`cpu` of the target is not sampled" in told


@pytest.mark.parametrize(
    ("name", "expression", "limit", "unit"),
    [
        ("target.cpu.max", "< 80%", 0.8, "cores"),
        ("target.cpu.mean", "< 150%", 1.5, "cores"),
        ("target.cpu.p95", "< 2.5", 2.5, "cores"),
        ("target.memory.max", "< 512MiB", 512.0 * 1024 * 1024, "bytes"),
        ("target.memory.max", "< 1000", 1000.0, "bytes"),
        ("target.open_files.max", "< 900", 900.0, "number"),
        ("target.queue.p99_9", "< 0.5", 0.5, "number"),
        ("target.queue.n", "> 8", 8.0, "count"),
    ],
)
def test_limits_have_the_unit_of_what_is_sampled(name: str, expression: str, limit: float, unit: str) -> None:
    rule = parse_threshold(name, expression)
    assert (rule.name, rule.limit, rule.unit) == (name, limit, unit)


def test_what_names_nothing_of_the_target_is_told() -> None:
    assert split_target("target.cpu.p99.9") == ("cpu", "p99_9")
    assert split_target("target.cpu.most") is None
    assert split_target("target.cpu") is None
    with pytest.raises(ValueError, match="is not a metric"):
        resolve("target.cpu.most")
    with pytest.raises(ValueError, match="is not a size"):
        parse_threshold("target.memory.max", "< many")
    with pytest.raises(ValueError, match='is not a number; write for example "< 80%"'):
        parse_threshold("target.cpu.max", "< x%")
    with pytest.raises(ValueError, match=r'write for example "< 512MiB"'):
        parse_threshold("target.memory.max", "512MiB")
