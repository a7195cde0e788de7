"""Who refused a connection, by layer, and who ended one, by code and side."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.conftest import Look
from tests.faults.plans import NOISE, ONCE
from tests.faults.running import Found, Job

N = ONCE.connections

LAYERS: list[tuple[str, Job, dict[str, int], str]] = [
    (
        "resolve",
        Job(ONCE, target="ws://nowhere.invalid/ws"),
        {"refused.resolve": 1, "attempted": 1},
        "resolve: the name 'nowhere.invalid' cannot be resolved",
    ),
    (
        "tcp",
        Job(ONCE, target="ws://127.0.0.1:1/ws"),
        {"refused.tcp": N, "attempted": N},
        "tcp: Connection refused",
    ),
    (
        "tls",
        Job(ONCE, target="wss://127.0.0.1:{port}/ws"),
        {"refused.tls": N, "attempted": N},
        "tls: ",
    ),
    (
        "upgrade",
        Job(ONCE, target="ws://127.0.0.1:{port}/nowhere"),
        {"refused.upgrade": N, "upgrade_status.404": N, "attempted": N},
        "upgrade: the target answered HTTP 404 Not Found",
    ),
    (
        "auth",
        Job(ONCE, options={"jwt_secret_env": "FAULTS_SECRET"}),
        {"refused.auth": N, "upgrade_status.401": N, "attempted": N},
        "auth: the target answered HTTP 401 Unauthorized",
    ),
    (
        "ready",
        Job(ONCE, ("slow-ready=5s",), sets=("protocol=hasty.toml",)),
        {"refused.ready": N, "established": N, "attempted": N},
        "ready: no message with type = connection_established within 0.2 s",
    ),
]


def connections(found: Found) -> dict[str, int]:
    told = found.counts.items()
    counts = {name.removeprefix("connections."): n for name, n in told if name.startswith("connections.")}
    # A name that leads nowhere ends the run before anybody is due.
    assert counts.pop("due", N) == N
    return counts


@pytest.mark.parametrize(
    ("job", "counts", "reason"),
    [
        pytest.param(job, counts, reason, id=layer, marks=pytest.mark.jobs(job))
        for layer, job, counts, reason in LAYERS
    ],
)
def test_a_refusal_is_told_by_its_layer(job: Job, counts: dict[str, int], reason: str, look: Look) -> None:
    found = look(job)
    assert connections(found) == counts
    assert found.code == 3
    assert found.manifest["verdict"]["outcome"] == "unreachable"
    assert set(found.notices) - set(NOISE) <= {"refused_connections", "simulated_target"}
    layer = reason.partition(":")[0]
    assert found.notices["refused_connections"]["numbers"]["layers"] == {layer: counts[f"refused.{layer}"]}
    (told,) = found.manifest["refusals"]
    assert told.startswith(reason)
    assert found.manifest["refusals"][told] == counts[f"refused.{layer}"]
    unmeasured = [rate["value"] for rate in found.manifest["rates"].values()]
    assert unmeasured == [None] * len(unmeasured)


ACCEPTED_THEN_CLOSED = [
    ("close-after-accept=1008", 1008),
    ("close-after-accept=4001", 4001),
    ("close-after-accept=4002", 4002),
    ("invalid-close-code=401", 1006),
]


@pytest.mark.parametrize(
    ("fault", "code"),
    [pytest.param(*case, marks=pytest.mark.jobs(Job(ONCE, (case[0],)))) for case in ACCEPTED_THEN_CLOSED],
)
def test_a_101_that_is_taken_back_is_a_refusal_and_no_connection(fault: str, code: int, look: Look) -> None:
    found = look(Job(ONCE, (fault,)))
    assert connections(found) == {"attempted": N, "established": N, "refused.auth": N}
    assert found.manifest["refusals"] == {
        f"auth: closed with code {code} after error_message before it was ready": N
    }
    assert set(found.notices) - set(NOISE) == {"refused_connections", "simulated_target"}
    assert found.stats["connections"]["ready"] == 0
    assert found.code == 3


CLOSES = [
    ("1011", ("cut=1",), {"closed.1011": N}),
    ("4000", ("cut=1,4000",), {"closed.4000": N}),
    ("1000", ("cut=1,1000",), {"closed.1000": N}),
    ("without a frame", ("cut=1,1006",), {"closed.1006": N}),
    ("by us", (), {"left": N}),
]


@pytest.mark.parametrize(
    ("faults", "ends"),
    [
        pytest.param(faults, ends, id=name, marks=pytest.mark.jobs(Job(ONCE, faults)))
        for name, faults, ends in CLOSES
    ],
)
def test_an_end_is_told_by_code_and_side(faults: tuple[str, ...], ends: dict[str, int], look: Look) -> None:
    found = look(Job(ONCE, faults))
    told = {name: n for name, n in connections(found).items() if name.startswith(("closed", "left", "ended"))}
    assert told == ends
    by_server = sum(found.stats["connections"]["closed_by_server"].values())
    by_server += found.stats["connections"]["closed_without_frame"]
    assert sum(n for name, n in told.items() if name.startswith("closed")) == by_server
    assert found.stats["connections"]["closed_by_client"] == ({"1000": N} if "left" in told else {})


def test_no_refusal_is_a_traceback(look: Look, request: pytest.FixtureRequest) -> None:
    for mark in (mark for item in request.session.items for mark in item.iter_markers("jobs")):
        for job in mark.args:
            log = Path(look(job).folder) / "run.log"
            assert "Traceback" not in log.read_text("utf-8")
            assert "Traceback" not in look(job).screen
