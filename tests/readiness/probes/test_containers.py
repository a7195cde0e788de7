"""Listings as documentation shows them: an array, one object per line, ``docker inspect``."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.readiness.evidence import Evidence
from loadtest.readiness.probe import ContainersProbe
from loadtest.readiness.probes.containers import probe_containers
from loadtest.readiness.probes.probe_context import NotProbedError, ProbeContext
from tests.readiness.made import NOW, assessed, policy

COMPOSE = {
    "Command": '"/docker-entrypoint.…"', "CreatedAt": "2025-09-06 10:00:00 +0000 UTC", "ExitCode": 0,
    "Health": "", "ID": "2d1c4f", "Image": "nginx:alpine", "Name": "app-web-1", "Project": "app",
    "Publishers": None, "RunningFor": "2 minutes ago", "Service": "web", "State": "running",
    "Status": "Up 2 minutes",
}  # fmt: skip


def asked(folder: Path, listing: object, *services: str) -> Evidence:
    text = listing if isinstance(listing, str) else json.dumps(listing)
    (folder / "ps.json").write_text(text)
    context = ProbeContext(folder, {}, folder, 1e18)
    return probe_containers(ContainersProbe("ps.json", None, services or ("web",)), context)


def test_an_array_and_lines_mean_the_same(tmp_path: Path) -> None:
    lines = "\n".join(map(json.dumps, [COMPOSE, {**COMPOSE, "Service": "db"}]))
    for listing in ([COMPOSE, {**COMPOSE, "Service": "db"}], lines):
        found = asked(tmp_path, listing, "web", "db")
        assert (found.outcome, found.measures["running.ratio"].value) == ("answered", 1)


BAD = [
    ({"State": "created", "Status": "Created"}, "created", "created but not running"),
    ({"State": "exited", "ExitCode": 137, "Status": "Exited (137)"}, "container", "exited (exit code 137)"),
    ({"State": "restarting", "Status": "Restarting (1) 5 seconds ago"}, "container", "restarting"),
    ({"Health": "unhealthy", "Status": "Up (unhealthy)"}, "container", "running but unhealthy"),
    ({"State": "created", "Error": "toomanyrequests: pull rate limit"}, "image", "cannot be pulled"),
    ({"State": "waiting", "Reason": "ImagePullBackOff"}, "image", "cannot be pulled"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "error", "said"), BAD)
def test_what_does_not_run_is_down(tmp_path: Path, change: dict[str, object], error: str, said: str) -> None:
    found = asked(tmp_path, [{**COMPOSE, **change}])
    assert (found.outcome, found.error) == ("failed", error)
    assert said in found.said


def test_one_that_is_missing_is_down_and_others_are_nobodys_business(tmp_path: Path) -> None:
    found = asked(tmp_path, [COMPOSE, {**COMPOSE, "Service": "other", "State": "exited"}], "web", "db")
    assert (found.outcome, found.said) == ("failed", "db: no container")
    assert found.measures["missing"].value == 1
    assert (
        asked(tmp_path, [COMPOSE, {**COMPOSE, "Service": "other", "State": "exited"}]).outcome == "answered"
    )


def test_an_empty_listing_means_that_nothing_runs(tmp_path: Path) -> None:
    assert asked(tmp_path, "").said == "web: no container"


def test_inspect_tells_restarts(tmp_path: Path) -> None:
    inspected = {
        "Name": "/app-web-1", "RestartCount": 3, "State": {"Status": "running", "ExitCode": 0, "Error": ""},
        "Config": {"Labels": {"com.docker.compose.service": "web"}},
    }  # fmt: skip
    found = asked(tmp_path, [inspected])
    assert (found.outcome, found.issues) == ("answered", ("web: restarted 3 times",))
    assert found.measures["restarts"].value == 3


def test_one_that_is_still_starting_is_not_yet_healthy(tmp_path: Path) -> None:
    found = asked(tmp_path, [{**COMPOSE, "Health": "starting", "Status": "Up 2 seconds (health: starting)"}])
    assert (found.outcome, found.issues) == ("answered", ("web: running, but not yet healthy",))


@pytest.mark.parametrize("listing", ["{", "[1, 2]", "nonsense"])
def test_what_is_no_listing_is_our_trouble_and_not_the_parts(tmp_path: Path, listing: str) -> None:
    with pytest.raises(NotProbedError, match="cannot be read"):
        asked(tmp_path, listing)


def docker(folder: Path, script: str) -> ProbeContext:
    (folder / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "docker").chmod(0o755)
    return ProbeContext(folder, {"PATH": f"{folder}:{os.environ['PATH']}"}, folder, 1e18)


def test_docker_compose_is_asked_where_no_file_is_given(tmp_path: Path) -> None:
    (tmp_path / "out").write_text(json.dumps(COMPOSE))
    context = docker(
        tmp_path, f'test "$*" = "compose --project-name app ps --all --format json" && cat {tmp_path}/out'
    )
    assert probe_containers(ContainersProbe(None, "app", ("web",)), context).outcome == "answered"


def test_an_engine_that_does_not_answer_is_unknown(tmp_path: Path) -> None:
    context = docker(tmp_path, "echo Cannot connect to the Docker daemon >&2; exit 1")
    with pytest.raises(NotProbedError, match="Cannot connect to the Docker daemon"):
        probe_containers(ContainersProbe(None, None, ("web",)), context)
    nowhere = ProbeContext(tmp_path, {"PATH": str(tmp_path / "nowhere")}, tmp_path, 1e18)
    with pytest.raises(NotProbedError, match="cannot be started"):
        probe_containers(ContainersProbe(None, None, ("web",)), nowhere)


def test_docker_compose_ps_tells_no_restarts(tmp_path: Path) -> None:
    found = asked(tmp_path, [COMPOSE])
    assert found.measures["restarts"].value is None
    assert "docker inspect" in found.measures["restarts"].reason
    known = asked(tmp_path, [{**COMPOSE, "RestartCount": 2}]).measures["restarts"]
    assert known.value == 2
    text = """[components.web]
probe = "containers"
file = "ps.json"
services = ["web"]
[[criteria]]
title = "containers stable"
component = "web"
measure = "restarts"
expect = "== 0"
"""
    found = replace(asked(tmp_path, [COMPOSE]), at=NOW)
    assert assessed(policy(tmp_path, text), web=found).verdict == "INCONCLUSIVE"


def inspected(restarts: int) -> dict[str, object]:
    return {
        "Id": "2d1c4f", "Name": "/app-web-1", "RestartCount": restarts, "State": {"Status": "running"},
        "Config": {"Labels": {"com.docker.compose.service": "web"}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second", "issues"),
    [
        (0, 0, ()),
        (3, 3, ("web: restarted 3 times",)),
        (3, 4, ("web: restarted 1 times within 0.01 s", "web: restarted 4 times")),
    ],
)
def test_restarts_are_counted_by_two_looks_of_docker_inspect(
    tmp_path: Path, first: int, second: int, issues: tuple[str, ...]
) -> None:
    (tmp_path / "ps").write_text(json.dumps(COMPOSE))
    for number, restarts in enumerate((first, second), 1):
        (tmp_path / f"look{number}").write_text(json.dumps([inspected(restarts)]))
    context = docker(
        tmp_path,
        f'if [ "$1" = inspect ]; then test "$*" = "inspect 2d1c4f" || exit 1; echo x >> {tmp_path}/looks; '
        f"cat {tmp_path}/look$(wc -l < {tmp_path}/looks); else cat {tmp_path}/ps; fi",
    )
    found = probe_containers(ContainersProbe(None, None, ("web",), 0.01), context)
    assert (found.outcome, found.issues) == ("answered", issues)
    assert found.measures["restarts"].value == second


def test_restarts_are_not_measured_where_docker_inspect_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "ps").write_text(json.dumps(COMPOSE))
    context = docker(tmp_path, f'if [ "$1" = inspect ]; then exit 1; else cat {tmp_path}/ps; fi')
    found = probe_containers(ContainersProbe(None, None, ("web",), 0.01), context)
    assert (found.outcome, found.measures["restarts"].value) == ("answered", None)


def replica(number: int) -> dict[str, object]:
    return {**COMPOSE, "ID": f"id{number}", "Name": f"app-web-{number}"}


def looked(number: int, restarts: int | None, state: str = "running", code: int = 0) -> dict[str, object]:
    return {
        "Id": f"id{number}f00", "Name": f"/app-web-{number}",
        "State": {"Status": state, "ExitCode": code},
        **({} if restarts is None else {"RestartCount": restarts}),
    }  # fmt: skip


def watched(
    folder: Path, listings: list[list[dict[str, object]]], looks: list[list[dict[str, object]]]
) -> Evidence:
    """What the probe says where docker answers so, the last answer for ever."""
    for name, answers in (("ps", listings), ("inspect", looks)):
        for number in range(1, 4):
            answer = answers[min(number, len(answers)) - 1]
            (folder / f"{name}{number}").write_text(json.dumps(answer))
            (folder / f"{name}{number}.code").write_text(str(int(len(answer) < len(listings[0]))))
    script = (
        f'name=inspect; [ "$1" = inspect ] || name=ps; cd {folder}; echo x >> $name.asked; '
        "n=$(wc -l < $name.asked); cat $name$n; [ $name = ps ] || exit $(cat $name$n.code)"
    )
    return probe_containers(ContainersProbe(None, None, ("web",), 0.01), docker(folder, script))


BOTH = [[replica(1), replica(2)]]


@pytest.mark.parametrize(
    ("first", "second", "outcome", "issues", "restarts"),
    [
        ((40, 0), (41, 0), "answered",
         ("web (app-web-1): restarted 1 times within 0.01 s", "web (app-web-1): restarted 41 times"), 41),
        ((0, 3), (0, 3), "answered", ("web (app-web-2): restarted 3 times",), 3),
        ((1, 2), (1, 3), "answered",
         ("web (app-web-2): restarted 1 times within 0.01 s", "web (app-web-1): restarted 1 times",
          "web (app-web-2): restarted 3 times"), 4),
        ((0, 0), (0, 0), "answered", (), 0),
    ],
)  # fmt: skip
def test_each_replica_of_a_service_is_held_against_itself(
    tmp_path: Path,
    first: tuple[int, int],
    second: tuple[int, int],
    outcome: str,
    issues: tuple[str, ...],
    restarts: int,
) -> None:
    # The engine names its containers in any order.
    looks = [[looked(1, first[0]), looked(2, first[1])], [looked(2, second[1]), looked(1, second[0])]]
    found = watched(tmp_path, BOTH, looks)
    assert (found.outcome, found.issues) == (outcome, issues)
    assert found.measures["restarts"].value == restarts


def test_a_replica_that_exits_between_the_looks_takes_its_service_down(tmp_path: Path) -> None:
    looks = [[looked(1, 0), looked(2, 0)], [looked(1, 0, "exited", 137), looked(2, 0)]]
    found = watched(tmp_path, BOTH, looks)
    assert (found.outcome, found.said) == ("failed", "web (app-web-1): exited (exit code 137)")
    assert (found.measures["running"].value, found.measures["restarts"].value) == (0, 0)


@pytest.mark.parametrize(
    ("then", "outcome", "said"),
    [
        ([replica(1)], "answered", "1 of 1 services run, by docker compose ps"),
        ([replica(1), replica(3)], "answered", "1 of 1 services run, by docker compose ps"),
        ([replica(1), {**replica(3), "State": "exited"}], "failed", "web (app-web-3): exited (exit code 0)"),
        ([replica(1), {**replica(2), "State": "dead"}], "failed", "web (app-web-2): dead (exit code 0)"),
        ([{**replica(3), "ID": "", "State": "exited"}, {**replica(4), "ID": ""}], "failed",
         "web (app-web-3): exited (exit code 0)"),
        ([], "failed", "web: no container"),
    ],
)  # fmt: skip
def test_the_engine_is_asked_again_where_a_container_is_gone(
    tmp_path: Path, then: list[dict[str, object]], outcome: str, said: str
) -> None:
    found = watched(tmp_path, [*BOTH, then], [[looked(1, 2), looked(2, 0)], [looked(1, 2)]])
    assert (found.outcome, found.said) == (outcome, said)
    assert "web: a container was removed or replaced meanwhile" in found.issues
    restarts = found.measures["restarts"]
    if replica(1) in then and len(then) == 2:
        assert (restarts.value, restarts.bound) == (None, (2, None))
        assert "removed or replaced" in restarts.reason


def test_restarts_that_docker_inspect_does_not_tell_are_not_measured(tmp_path: Path) -> None:
    found = watched(tmp_path, BOTH, [[looked(1, None), looked(2, 1)]])
    restarts = found.measures["restarts"]
    assert (restarts.value, restarts.bound, bool(restarts.reason)) == (None, (1, None), True)


def test_a_replica_in_a_file_is_told_apart_too(tmp_path: Path) -> None:
    found = asked(tmp_path, [replica(1), {**replica(2), "State": "exited", "ExitCode": 1}])
    assert (found.outcome, found.said) == ("failed", "web (app-web-2): exited (exit code 1)")
    assert found.measures["running"].value == 0


@pytest.mark.parametrize("inspected", [False, True])
def test_only_the_project_of_the_policy_is_judged_in_a_file(tmp_path: Path, *, inspected: bool) -> None:
    def one(project: str, state: str) -> dict[str, object]:
        if not inspected:
            return {**COMPOSE, "Project": project, "State": state}
        labels = {"com.docker.compose.service": "web", "com.docker.compose.project": project}
        return {"Id": project, "State": {"Status": state}, "Config": {"Labels": labels}}

    (tmp_path / "ps.json").write_text(json.dumps([one("staging", "running"), one("prod", "exited")]))
    context = ProbeContext(tmp_path, {}, tmp_path, 1e18)
    for project, outcome in (("staging", "answered"), ("prod", "failed"), ("else", "failed")):
        assert probe_containers(ContainersProbe("ps.json", project, ("web",)), context).outcome == outcome
    with pytest.raises(NotProbedError, match=r"in more than one project \(prod, staging\)"):
        probe_containers(ContainersProbe("ps.json", None, ("web",)), context)
