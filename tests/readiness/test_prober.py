"""Whose secrets are taken out of what probes bring home, and whose time-out it is."""

from __future__ import annotations

import threading
import time
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from types import SimpleNamespace

import pytest

from loadtest.keep.redact import Redactor
from loadtest.readiness import prober
from loadtest.readiness.evidence import Evidence, Measure
from loadtest.readiness.policy import MEASURES
from loadtest.readiness.probe_file import _READERS
from loadtest.readiness.prober import PROBES, probe_all, redacted
from loadtest.readiness.probes.probe_context import ProbeContext, ProbeError
from tests.end_to_end.running import wait_until
from tests.readiness.made import policy

SECRET = "k9-very-secret-4711"

TOLD = f"it said {SECRET}"

KINDS = {
    "http": 'url = "http://127.0.0.1:1/"',
    "tcp": 'host = "127.0.0.1"\nport = 1',
    "redis": 'url = "redis://127.0.0.1:1"',
    "resources": "",
    "websocket": 'scenario = "agent-burst"',
    "containers": 'services = ["api"]',
}


def loud() -> Evidence:
    """Evidence with the secret in every text that a probe may fill."""
    texts: dict[str, object] = {
        "said": TOLD,
        "lines": (TOLD, TOLD),
        "issues": (TOLD,),
        "release": (TOLD,),
        "cause": TOLD,
        "measures": {"took.p95": Measure(None, "ms", 1, TOLD)},
    }
    others = {"outcome": "answered", "at": 1.0, "error": "refused", "samples": (1.0,), "took_s": 1.0}
    others |= {
        "late": (0.1,),
        "simulated": True,
        "missed": ("turn.completion.p95",),
        "report": "a/report.html",
    }
    known = {each.name for each in fields(Evidence)}
    assert known == {*texts, *others}, "a new field of Evidence: may it hold a secret?"
    return Evidence(**{**others, **texts})  # type: ignore[arg-type] # by name, so that none is forgotten


@pytest.mark.parametrize("part", ["said", "lines", "issues", "measures", "release", "cause"])
def test_no_secret_is_left_in_any_text(part: str) -> None:
    clean = redacted(loud(), Redactor([SECRET]))
    assert SECRET in str(asdict(loud())[part])
    assert SECRET not in str(asdict(clean)[part])
    assert "it said" in str(asdict(clean)[part])


def test_only_reasons_of_a_measure_change() -> None:
    exact = Measure(3.5, "ms", 9, "as seen", (3.0, 4.0))
    assert all(each.default is MISSING or each.name in {"reason", "bound"} for each in fields(Measure))
    clean = redacted(Evidence("answered", "", 1.0, measures={"took.p95": exact}), Redactor([SECRET]))
    assert clean.measures["took.p95"] == exact


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("http", "failed"),
        ("tcp", "failed"),
        ("redis", "failed"),
        ("resources", "unasked"),
        ("websocket", "unasked"),
        ("containers", "unasked"),
    ],
)
def test_a_probe_that_ends_by_itself_and_does_not_is_our_fault(
    kind: str, outcome: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prober, "GRACE_S", 0.0)
    release = threading.Event()

    def hang(_: object, __: ProbeContext) -> Evidence:
        release.wait(20)
        return Evidence("answered", "late", 0.0)

    text = f'[components.part]\nprobe = "{kind}"\ntimeout = "20ms"\n{KINDS[kind]}\n'
    found = probe_all(policy(tmp_path, text), tmp_path, environ={}, probes={kind: hang})["part"]
    release.set()
    assert (found.outcome, found.said) == (outcome, "the probe got no answer within 0.02 s")


def test_the_cut_of_a_late_probe_is_not_taken_for_the_part_breaking_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prober, "GRACE_S", 0.0)
    cut = threading.Event()

    def waits(_: object, context: ProbeContext) -> Evidence:
        thread = threading.current_thread()

        def end() -> None:
            cut.set()
            thread.join(20)

        context.held.append(end)
        cut.wait(20)
        raise ProbeError("closed", "broke off")

    text = '[components.part]\nprobe = "tcp"\ntimeout = "20ms"\n' + KINDS["tcp"] + "\n"
    found = probe_all(policy(tmp_path, text), tmp_path, environ={}, probes={"tcp": waits})["part"]
    assert (found.outcome, found.error) == ("failed", "timeout")


def test_every_kind_of_probe_can_be_written_and_asked() -> None:
    assert set(_READERS) == set(PROBES) == set(MEASURES)


SYSTEM = """
[components.host]
probe = "resources"
[components.load]
probe = "websocket"
scenario = "agent-burst"
[components.load2]
probe = "websocket"
scenario = "agent-burst"
[components.smoke]
probe = "command"
command = ["x"]
[components.api]
probe = "http"
url = "http://127.0.0.1:1/"
[components.cache]
probe = "redis"
url = "redis://127.0.0.1:1"
"""


def test_response_times_are_taken_apart_from_our_own_load_and_one_load_run_from_the_other(
    tmp_path: Path,
) -> None:
    lock, going, beside = threading.Lock(), set[str](), set[frozenset[str]]()

    def ask(_: object, context: ProbeContext) -> Evidence:
        with lock:
            going.add(context.asking[1])
            beside.add(frozenset(going))
        if context.asking[1] in {"api", "cache"}:
            both.wait(20)
        with lock:
            going.discard(context.asking[1])
        return Evidence("answered", "seen", 0.0)

    both = threading.Barrier(2)
    found = probe_all(policy(tmp_path, SYSTEM), tmp_path, environ={}, probes=dict.fromkeys(PROBES, ask))
    assert list(found) == ["host", "load", "load2", "smoke", "api", "cache"]
    alone = {"host", "load", "load2", "smoke"}
    assert [each for each in beside if len(each) > 1] == [frozenset({"api", "cache"})], beside
    assert all(len(each) == 1 for each in beside if each & alone)


def test_what_waits_for_its_turn_has_its_whole_time_left_and_is_busy(tmp_path: Path) -> None:
    release, left = threading.Event(), list[float]()

    def ask(_: object, context: ProbeContext) -> Evidence:
        left.append(context.left_s(1e9))
        release.wait(20)
        return Evidence("answered", "seen", 0.0)

    asking = prober.Prober(policy(tmp_path, SYSTEM), tmp_path, {}, dict.fromkeys(PROBES, ask))
    asking.begin(["load", "load2"])
    assert asking.busy == {"load", "load2"}
    assert asking.take() == {}
    release.set()
    assert set(asking.wait()) == {"load", "load2"}
    assert all(each > 9 for each in left)


def test_one_sample_is_taken_at_a_time_but_one_that_waits_for_long_holds_up_no_other(tmp_path: Path) -> None:
    lock = threading.Lock()
    one, other = (ProbeContext(tmp_path, {}, tmp_path, 1e18, one_sample=lock) for _ in range(2))
    with one.undisturbed():
        assert lock.locked()
        with other.undisturbed():
            assert lock.locked()
        assert lock.locked(), "who came in late does not open the door for the next"
    assert not lock.locked()


def test_what_has_waited_too_long_is_probed_whatever_goes_on_but_for_the_host_and_load_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def ask(_: object, context: ProbeContext) -> Evidence:
        if context.asking[1] == "load":
            release.wait(20)
        return Evidence("answered", "seen", 0.0)

    asking = prober.Prober(policy(tmp_path, SYSTEM), tmp_path, {}, dict.fromkeys(PROBES, ask))
    asking.begin(["load"])
    asking.begin(["host", "load2", "api", "smoke"])
    assert asking.take() == {}
    monkeypatch.setattr(prober, "PATIENCE_S", 0.0)
    found = set[str]()

    def both() -> bool:
        found.update(asking.take())
        return found == {"api", "smoke"}

    wait_until(both)
    assert asking.busy == {"load", "host", "load2"}
    release.set()
    assert set(asking.wait()) == {"load", "host", "load2"}


class Canary:
    """A load run that rests once, until it is told to go on, and an API that answers when it is told to."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, text: str = SYSTEM) -> None:
        self.rested, self.answers, self.order = threading.Event(), threading.Event(), list[str]()
        clock = SimpleNamespace(
            monotonic=time.monotonic, time=time.time, sleep=lambda _: self.rested.wait(20)
        )
        monkeypatch.setattr(prober, "time", clock)
        self.asking = prober.Prober(policy(folder, text), folder, {}, dict.fromkeys(PROBES, self.ask))
        self.asking.begin(["load"])
        self.load = self.asking._asked[0]
        wait_until(lambda: self.load.resting)

    def ask(self, _: object, context: ProbeContext) -> Evidence:
        name = context.asking[1]
        if name == "load":
            context.rest(60.0)
        else:
            self.order.append(f"{name} begins")
            self.answers.wait(20)
        self.order.append(f"{name} ends")
        return Evidence("answered", "out of time" if context.over else "in time", 0.0)


def test_between_two_looks_at_a_canary_others_are_probed_and_it_waits_for_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = Canary(tmp_path, monkeypatch)
    canary.asking.begin(["api"])
    wait_until(lambda: canary.order == ["api begins"])
    canary.rested.set()
    wait_until(lambda: canary.load.back)
    canary.asking.begin(["smoke"])
    assert canary.asking.take() == {}
    assert not canary.load.goes_on.is_set(), "the API is being timed"
    canary.answers.set()
    assert set(canary.asking.wait()) == {"load", "api", "smoke"}
    assert canary.order == ["api begins", "api ends", "load ends", "smoke begins", "smoke ends"]


def test_a_canary_whose_turn_does_not_come_back_ends_at_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = SYSTEM.replace('scenario = "agent-burst"\n', 'scenario = "agent-burst"\ntimeout = "200ms"\n', 1)
    canary = Canary(tmp_path, monkeypatch, text)
    canary.asking.begin(["api"])
    canary.rested.set()
    wait_until(lambda: canary.order[-1] == "load ends")
    assert canary.asking.take()["load"].said == "out of time"
    canary.answers.set()
    assert set(canary.asking.wait()) == {"api"}
