"""Workloads of Kubernetes from a file of what kubectl tells, and from a kubectl of the test's own."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from loadtest.errors import ConfigError
from loadtest.readiness.assessment import ComponentRow
from loadtest.readiness.evidence import Evidence
from loadtest.readiness.probe import KubernetesProbe
from loadtest.readiness.probes.kubernetes import probe_kubernetes
from loadtest.readiness.probes.probe_context import NotProbedError, ProbeContext
from loadtest.readiness.verdict import assess
from tests.readiness.made import NOW, policy

LABELS = {"app": "web"}


def workload(kind: str = "Deployment", wanted: int = 3, **status: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {"name": "web", "generation": 2},
        "spec": {
            "replicas": wanted, "selector": {"matchLabels": LABELS},
            "template": {"spec": {"containers": [{"image": "registry.example/web:1.4.2"}]}},
        },
        "status": {"observedGeneration": 2, "readyReplicas": wanted, "updatedReplicas": wanted, **status},
    }  # fmt: skip


DEAD, SHORT, NONE_UPDATED = workload(readyReplicas=0), workload(readyReplicas=2), workload()
del NONE_UPDATED["status"]["updatedReplicas"]


def pod(name: str = "web-1", ready: str = "True", **container: Any) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {"name": name, "labels": {**LABELS, "hash": "x"}},
        "spec": {"containers": [{"image": "registry.example/web:1.4.2"}, {"image": "envoy:1.30"}]},
        "status": {
            "conditions": [{"type": "Ready", "status": ready}],
            "containerStatuses": [{"restartCount": 0, **container}],
        },
    }


def waits(reason: str, message: str = "") -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason, "message": message}}}


def crashed(ago_s: float, count: int = 4) -> dict[str, Any]:
    at = datetime.fromtimestamp(NOW - ago_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"restartCount": count, "lastState": {"terminated": {"finishedAt": at, "exitCode": 137}}}


def asked(
    folder: Path, *items: object, names: tuple[str, ...] = ("deployment/web",), **more: Any
) -> Evidence:
    path = folder / "pods.json"
    path.write_text(json.dumps({"kind": "List", "items": items}))
    os.utime(path, (NOW, NOW))
    return probe_kubernetes(
        KubernetesProbe(names, "pods.json", **more), ProbeContext(folder, {}, folder, 1e18)
    )


def judged(folder: Path, found: Evidence, text: str = "", now: float = NOW) -> ComponentRow:
    read = policy(
        folder,
        f'[components.k]\nprobe = "kubernetes"\nfile = "pods.json"\nworkloads = ["deployment/web"]\n{text}',
    )
    return assess(read, {"k": found}, id="", at=now).components[0]


def test_all_ready_is_healthy_with_its_numbers(tmp_path: Path) -> None:
    found = asked(tmp_path, workload(), pod(restartCount=2), pod("web-2"), pod("web-3"))
    assert judged(tmp_path, found).status == "healthy"
    assert {name: each.value for name, each in found.measures.items()} == {
        "wanted": 1, "running": 1, "missing": 0, "restarts": 2, "ready.ratio": 1.0,
    }  # fmt: skip
    assert found.lines[1] == "deployment/web: 3 of 3 ready, restarts 2"


@pytest.mark.parametrize(
    ("items", "status", "error", "said"),
    [
        ((), "down", "container", "the cluster does not have this workload"),
        ((DEAD, pod()), "down", "container", "0 of 3 ready"),
        ((DEAD, pod(**waits("ImagePullBackOff", "rate limit"))), "down", "image", "rate limit"),
        ((DEAD, pod(**waits("CrashLoopBackOff"))), "down", "container", "CrashLoopBackOff"),
        ((SHORT, pod()), "degraded", "container", "2 of 3 ready"),
        ((SHORT, pod(**waits("ContainerCreating"))), "degraded", "container", "2 of 3 ready"),
        ((workload(updatedReplicas=1),), "degraded", "container", "the rollout is not finished: 1 of 3"),
        ((NONE_UPDATED,), "degraded", "container", "the rollout is not finished: 0 of 3"),
        ((workload(observedGeneration=1),), "degraded", "container", "has not processed the last change"),
        ((workload(), pod(**crashed(60))), "degraded", "container", "restarted 4 times, the last time 1 min"),
        ((workload(), pod(**crashed(3600))), "healthy", "", ""),
        ((workload("StatefulSet"),), "down", "container", "the cluster does not have this workload"),
        ((workload(wanted=0),), "healthy", "", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_workload(
    tmp_path: Path, items: tuple[object, ...], status: str, error: str, said: str
) -> None:
    row = judged(tmp_path, asked(tmp_path, *items))
    assert (row.status, row.error) == (status, error)
    assert said in row.why


def test_every_kind_of_workload_is_counted_by_its_own_numbers(tmp_path: Path) -> None:
    daemons = workload("DaemonSet", desiredNumberScheduled=5, numberReady=4)
    job = {"kind": "Job", "metadata": {"name": "web"}, "spec": {"completions": 2}, "status": {"succeeded": 2}}
    names = ("daemonset/web", "job/web", "pod/web-1", "statefulset/web")
    pods = (pod(), *(pod(f"web-{number}") for number in range(2, 5)))
    found = asked(tmp_path, daemons, job, *pods, workload("StatefulSet"), names=names)
    assert found.lines[1:] == (
        "daemonset/web: 4 of 5 ready, restarts 0", "job/web: 2 of 2 ready, restarts not known",
        "pod/web-1: 1 of 1 ready, restarts 0", "statefulset/web: 3 of 3 ready, restarts 0",
    )  # fmt: skip
    assert asked(tmp_path, pod(ready="False"), names=("pod/web-1",)).outcome == "failed"


def test_an_old_file_is_no_evidence_and_a_strange_one_no_failure_of_the_cluster(tmp_path: Path) -> None:
    found = asked(tmp_path, workload())
    assert judged(tmp_path, found, now=NOW + 3600).status == "unknown"
    for text in ("[1]", "no JSON", '{"items": 5}', '{"items": [' + "{}," * 20_001 + "{}]}"):
        (tmp_path / "pods.json").write_text(text)
        with pytest.raises(NotProbedError):
            probe_kubernetes(
                KubernetesProbe(("pod/a",), "pods.json"), ProbeContext(tmp_path, {}, tmp_path, 1e18)
            )


def test_kubectl_is_asked_where_there_is_no_file(tmp_path: Path) -> None:
    fake = tmp_path / "kubectl"
    fake.write_text(f"#!/bin/sh\necho \"$@\" > {tmp_path}/asked\ncat <<'E'\n{json.dumps(workload())}\nE\n")
    fake.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    context = ProbeContext(tmp_path, environ, tmp_path, 1e18)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", environ["PATH"])
        found = probe_kubernetes(
            KubernetesProbe(("deployment/web",), namespace="prod", context="eu"), context
        )
        fake.write_text("#!/bin/sh\necho 'no cluster' >&2\nexit 1\n")
        with pytest.raises(NotProbedError, match="kubectl get ended with 1: no cluster"):
            probe_kubernetes(KubernetesProbe(("deployment/web",)), context)
    assert found.outcome == "answered"
    asked_for = (tmp_path / "asked").read_text().split()
    assert asked_for[:5] == ["--context", "eu", "--namespace", "prod", "get"]


def test_the_tags_of_its_images_say_which_release_is_running(tmp_path: Path) -> None:
    found = asked(tmp_path, workload(), pod(), release="web")
    assert found.release == ("registry.example/web:1.4.2",), "a side car is not part of the release"


def test_a_key_that_a_file_makes_useless_is_a_mistake(tmp_path: Path) -> None:
    text = '[components.k]\nprobe = "kubernetes"\nworkloads = ["pod/a"]\nfile = "p.json"\ncontext = "eu"\n'
    with pytest.raises(ConfigError, match="works only where loadtest calls kubectl"):
        policy(tmp_path, text)


def test_mistakes_in_a_policy_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as told:
        policy(tmp_path, '[components.k]\nprobe = "kubernetes"\nworkloads = ["web", "deploy/web"]\n')
    assert str(told.value).count("is not KIND/NAME") == 2


def of(item: dict[str, Any], namespace: str | None = None, **spec: Any) -> dict[str, Any]:
    """The object in a namespace, with a part of its spec changed."""
    metadata = item["metadata"] | ({"namespace": namespace} if namespace else {})
    return item | {"metadata": metadata, "spec": item["spec"] | spec}


def test_only_the_namespace_of_the_policy_is_judged(tmp_path: Path) -> None:
    items = (
        of(workload(wanted=1), "staging"), of(pod(restartCount=7, **waits("CrashLoopBackOff")), "staging"),
        of(workload(wanted=1, readyReplicas=0), "prod"), of(pod(restartCount=1), "prod"),
    )  # fmt: skip
    dead = asked(tmp_path, *items, namespace="prod")
    assert (dead.outcome, dead.said) == ("failed", "deployment/web: 0 of 1 ready")
    assert dead.measures["restarts"].value == 1, "pods of another namespace with the same labels are others"
    assert asked(tmp_path, *items, namespace="staging").outcome == "answered"
    for nowhere in (items, (workload(),)):
        assert "does not have this workload" in asked(tmp_path, *nowhere, namespace="else").said


def test_one_name_in_two_namespaces_is_unknown_without_a_namespace(tmp_path: Path) -> None:
    items = [of(workload(), "staging"), of(DEAD, "prod"), of(workload("Job"), "prod")]
    for two in (items, items[::-1], [workload(), items[1]]):
        with pytest.raises(NotProbedError, match=r"more than one namespace \(.*: name one by `namesp"):
            asked(tmp_path, *two)
    alone = asked(tmp_path, of(workload(wanted=1), "prod"), of(pod(), "prod"), of(pod(), "staging"))
    assert alone.measures["restarts"].value == 0


def selected(*expressions: dict[str, Any], **labels: str) -> dict[str, Any]:
    selector = {"matchLabels": labels, "matchExpressions": list(expressions)}
    return of(workload(wanted=1), selector={name: each for name, each in selector.items() if each})


def expression(operator: str, key: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, **({"values": list(values)} if values else {})}


@pytest.mark.parametrize(
    ("item", "restarts"),
    [
        (selected(expression("In", "app", "api", "web")), 5),
        (selected(expression("In", "app", "api")), None),
        (selected(expression("In", "tier", "api")), None),
        (selected(expression("NotIn", "app", "api")), 5),
        (selected(expression("NotIn", "tier", "api")), 5),
        (selected(expression("NotIn", "app", "web")), None),
        (selected(expression("Exists", "app")), 5),
        (selected(expression("Exists", "tier")), None),
        (selected(expression("DoesNotExist", "tier")), 5),
        (selected(expression("DoesNotExist", "app")), None),
        (selected(expression("Near", "app", "web")), None),
        (selected(expression("Exists", "tier"), app="web"), None),
        (selected(expression("Exists", "app"), app="web"), 5),
        (selected(app="api"), None),
        (selected(), None),
    ],
)
def test_restarts_are_those_of_the_pods_that_a_workload_selects(
    tmp_path: Path, item: dict[str, Any], restarts: int | None
) -> None:
    found = asked(tmp_path, item, pod(restartCount=5)).measures["restarts"]
    assert (found.value, found.bound) == (restarts, None)
    assert ("the listing contains no pod of deployment/web" in found.reason) is (restarts is None)


def test_restarts_of_pods_that_are_not_in_the_listing_are_not_known(tmp_path: Path) -> None:
    rule = '[[rules]]\ntitle = "stable"\ncomponent = "k"\nmeasure = "restarts"\nexpect = "== 0"\n'
    text = f'[components.k]\nprobe = "kubernetes"\nfile = "pods.json"\nworkloads = ["deployment/web"]\n{rule}'
    for pods, verdict, value, bound in (
        ((), "INCONCLUSIVE", None, None),
        ((pod(), pod("b")), "INCONCLUSIVE", None, None),
        ((pod(restartCount=2), pod("b")), "NO-GO", None, (2.0, None)),
        ((pod(), pod("b"), pod("c")), "GO", 0, None),
    ):
        found = asked(tmp_path, workload(), *pods)
        restarts = found.measures["restarts"]
        assert (restarts.value, restarts.bound) == (value, bound)
        assert assess(policy(tmp_path, text), {"k": found}, id="", at=NOW).verdict == verdict
    assert asked(tmp_path, workload(), pod(restartCount=2)).lines[1].endswith("restarts at least 2")


def test_a_workload_that_wants_no_pod_has_no_restarts(tmp_path: Path) -> None:
    found = asked(tmp_path, workload(wanted=0))
    assert (found.measures["restarts"].value, found.lines[1]) == (
        0,
        "deployment/web: 0 of 0 ready, restarts 0",
    )
    assert asked(tmp_path).measures["restarts"].value is None


@pytest.mark.parametrize("label", ["job-name", "batch.kubernetes.io/job-name"])
def test_the_pods_of_a_job_have_its_name_in_a_label(tmp_path: Path, label: str) -> None:
    job = {"kind": "Job", "metadata": {"name": "web"}, "spec": {}, "status": {"succeeded": 1}}
    done = pod(restartCount=3)
    done["metadata"]["labels"] = {label: "web"}
    found = asked(tmp_path, job, done, pod("other"), names=("job/web",))
    assert found.measures["restarts"].value == 3
    by_selector = job | {"spec": {"selector": {"matchLabels": LABELS}}}
    assert asked(tmp_path, by_selector, done, pod("x"), names=("job/web",)).measures["restarts"].value == 0


def test_a_daemonset_that_does_not_say_how_many_it_wants_is_unknown(tmp_path: Path) -> None:
    with pytest.raises(NotProbedError, match="does not say how many pods daemonset/web wants"):
        asked(tmp_path, workload("DaemonSet"), names=("daemonset/web",))
