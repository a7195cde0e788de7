"""What `deploy/` holds is held against the real command line, and against schemas where they are installed.

No container is started here: nothing says that an image builds, or that a cluster takes the manifests.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from loadtest import __version__
from loadtest.cli.commands import loadtest as root_command

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
JOBS: list[dict[str, Any]] = list(
    yaml.safe_load_all((DEPLOY / "kubernetes" / "jobs.yaml").read_text("utf-8"))
)
OPERATOR: dict[str, Any] = yaml.safe_load((DEPLOY / "kubernetes" / "locust-operator.yaml").read_text("utf-8"))

SUBSTITUTED = re.compile(r"\$\{\w+:-([^}]*)\}")


def words_of(command: list[str]) -> list[str]:
    """The words of a command as compose hands them over, where no variable is set."""
    return [SUBSTITUTED.sub(r"\1", word) for word in command]


def pods() -> dict[str, dict[str, Any]]:
    """The pod of each job, by the job's name."""
    return {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in JOBS if one["kind"] == "Job"}


COMMANDS = {
    **{f"compose {name}": words_of(service["command"]) for name, service in SERVICES.items()},
    **{f"kubernetes {name}": pod["containers"][0]["args"] for name, pod in pods().items()},
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_understood(name: str) -> None:
    words = COMMANDS[name]
    with root_command.make_context("loadtest", list(words)) as context:
        command_name, command, rest = root_command.resolve_command(context, list(words))
        assert command is not None
        command.make_context(command_name, rest, parent=context)


def option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


def test_as_many_workers_come_as_are_waited_for() -> None:
    assert option(COMMANDS["compose master"], "--workers") == str(SERVICES["worker"]["deploy"]["replicas"])
    (worker,) = [one["spec"] for one in JOBS if one["metadata"]["name"] == "loadtest-worker"]
    waited = option(COMMANDS["kubernetes loadtest-master"], "--workers")
    assert waited == str(worker["parallelism"]) == str(worker["completions"])
    assert option(OPERATOR["spec"]["args"].split(), "--expect-workers") == str(OPERATOR["spec"]["workers"])


def test_workers_find_their_master() -> None:
    _, port = option(COMMANDS["compose master"], "--bind").split(":")
    assert option(COMMANDS["compose worker"], "--master") == f"master:{port}"
    (service,) = [one for one in JOBS if one["kind"] == "Service"]
    # Of other machines, so that they share a key.
    for name in set(COMMANDS) - {"compose simulator"}:
        assert option(COMMANDS[name], "--key-env") == "WORKERS_KEY"
    bound = option(COMMANDS["kubernetes loadtest-master"], "--bind").split(":")[1]
    found = option(COMMANDS["kubernetes loadtest-worker"], "--master")
    assert found == f"{service['metadata']['name']}:{bound}"
    assert service["spec"]["ports"][0]["port"] == int(bound)
    (master,) = [one for one in JOBS if one["metadata"]["name"] == "loadtest-master" and one["kind"] == "Job"]
    labels = master["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()


def test_compose_publishes_on_loopback_only() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []
    assert "network_mode" not in str(SERVICES)


def test_results_are_kept_in_a_volume() -> None:
    (mounted,) = SERVICES["master"]["volumes"]
    name, _, place = mounted.partition(":")
    assert name in COMPOSE["volumes"]
    assert f"LOADTEST_RESULTS={place}" in DOCKERFILE
    (claim,) = [one["metadata"]["name"] for one in JOBS if one["kind"] == "PersistentVolumeClaim"]
    master = pods()["loadtest-master"]
    volumes = {volume["name"]: volume for volume in master["volumes"]}
    places = {mount["mountPath"]: volumes[mount["name"]] for mount in master["containers"][0]["volumeMounts"]}
    assert places[place]["persistentVolumeClaim"]["claimName"] == claim


@pytest.mark.parametrize("name", pods())
def test_no_pod_has_rights_it_does_not_need(name: str) -> None:
    pod = pods()[name]
    (container,) = pod["containers"]
    uid = re.search(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    assert uid is not None
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == int(uid[1]) > 0
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_has_rights_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "privileged" not in service


def test_images_are_of_this_version() -> None:
    images = {f"compose {name}": service["image"] for name, service in SERVICES.items()}
    images |= {f"kubernetes {name}": pod["containers"][0]["image"] for name, pod in pods().items()}
    for name, image in images.items():
        suffix = "-worker" if name.endswith("worker") else ""
        assert image == f"loadtest-ws:{__version__}{suffix}", name
    assert OPERATOR["spec"]["image"] == f"loadtest-ws:{__version__}-locust"
    assert f"-t loadtest-ws:{__version__} ." in DOCKERFILE
    for target in ("worker", "locust"):
        assert f"-t loadtest-ws:{__version__}-{target} --target {target} ." in DOCKERFILE
    builds = {name: service["build"]["target"] for name, service in SERVICES.items()}
    assert builds == {"simulator": "loadtest", "master": "loadtest", "worker": "worker"}


def test_the_image_is_built_from_what_the_wheel_is_made_of() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], project["project"]["readme"], "pyproject.toml"}
    allowed = re.findall(r"^!(\S+)$", (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8"), re.MULTILINE)
    copied = [
        word
        for line in re.findall(r"^COPY (?!--)(.+)$", DOCKERFILE, re.MULTILINE)
        for word in line.split()[:-1]
    ]
    assert needed <= set(allowed)
    assert needed <= set(copied) <= set(allowed)
    assert [name for name in allowed if not (ROOT / name).exists()] == []


def test_the_image_is_pinned_and_runs_as_nobody() -> None:
    (python,) = re.findall(r"^ARG PYTHON=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"3\.\d+\.\d+-slim-\w+", python)
    stages = re.findall(r"^FROM (\S+) AS (\w+)$", DOCKERFILE, re.MULTILINE)
    assert stages == [
        ("python:${PYTHON}", "build"),
        ("build", "compare"),
        ("python:${PYTHON}", "runtime"),
        ("runtime", "worker"),
        ("runtime", "locust"),
        ("runtime", "loadtest"),
    ]
    last = DOCKERFILE[DOCKERFILE.index(" AS runtime") :]
    assert re.findall(r"^USER (.+)$", last, re.MULTILINE) == ["10001:10001"]


def test_only_the_image_for_people_has_what_comparisons_need() -> None:
    stages = {
        text.partition("\n")[0].split()[-1]: text
        for text in re.split(r"^(?=FROM )", DOCKERFILE, flags=re.MULTILINE)[1:]
    }
    copied = {
        name: re.findall(r"^COPY --from=(\w+) /opt/loadtest /opt/loadtest$", text, re.MULTILINE)
        for name, text in stages.items()
    }
    assert {name: found for name, found in copied.items() if found} == {
        "worker": ["build"],
        "locust": ["build"],
        "loadtest": ["compare"],
    }
    assert [name for name, text in stages.items() if "[compare]" in text] == ["compare"]


def test_the_operator_gives_locust_what_it_understands() -> None:
    """The operator puts ``--master``, or ``--worker --master-host NAME``, before the arguments."""
    code = "import sys; from locust.argument_parser import parse_options as p; p(sys.argv[1:])"
    words = OPERATOR["spec"]["args"].replace("/locustfiles/", f"{ROOT}/locustfiles/").split()
    assert Path(option(words, "-f")).is_file()
    assert f"COPY locustfiles {Path(option(OPERATOR['spec']['args'].split(), '-f')).parent}" in DOCKERFILE
    for head in (["--master"], ["--worker", "--master-host", "loadtest-master"]):
        done = subprocess.run([sys.executable, "-c", code, *head, *words], check=False, timeout=60)
        assert done.returncode == 0


def test_the_operators_resource_has_only_keys_it_knows() -> None:
    """As its documentation lists them; a cluster drops the others without a word."""
    assert (OPERATOR["apiVersion"], OPERATOR["kind"]) == ("locust.io/v1", "LocustTest")
    known = {"image", "workers", "args", "env", "locustfile", "labels", "annotations", "master", "worker"}
    assert set(OPERATOR["spec"]) <= known | {"imagePullPolicy", "imagePullSecrets"}
    for role in ("master", "worker"):
        assert set(OPERATOR["spec"][role]) <= {"labels", "annotations", "resources"}
    assert all(set(variable) == {"name", "value"} for variable in OPERATOR["spec"]["env"])


def test_grafana_and_prometheus_find_each_other_and_the_run() -> None:
    folder = DEPLOY / "grafana"
    overlay = yaml.safe_load((folder / "compose.yaml").read_text("utf-8"))["services"]
    words = words_of(overlay["master"]["command"])
    with root_command.make_context("loadtest", list(words)) as context:
        name, command, rest = root_command.resolve_command(context, list(words))
        assert command is not None
        command.make_context(name, rest, parent=context)
    # The same as without it, and served to the one that scrapes.
    assert words[: len(COMMANDS["compose master"])] == COMMANDS["compose master"]
    scraped = yaml.safe_load((folder / "prometheus.yml").read_text("utf-8"))["scrape_configs"][0]
    assert scraped["static_configs"] == [{"targets": [option(words, "--prometheus")]}]
    for service in ("prometheus", "grafana"):
        for volume in overlay[service]["volumes"]:
            assert (DEPLOY / volume.split(":")[0]).exists()
            assert volume.endswith(":ro")
    (published,) = overlay["grafana"]["ports"]
    assert published.startswith("127.0.0.1:")
    sources = yaml.safe_load((folder / "provisioning/datasources/prometheus.yaml").read_text("utf-8"))
    (source,) = sources["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((folder / "provisioning/dashboards/loadtest.yaml").read_text("utf-8"))[
        "providers"
    ]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in overlay["grafana"]["volumes"]
    dashboard = json.loads((folder / "dashboards/loadtest.json").read_text("utf-8"))
    panels = dashboard["panels"]
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all('{run=~"$run"}' in target["expr"] for panel in panels for target in panel["targets"])


# ------------------------------------------------------------------ with tools that are not always there


def test_kubernetes_own_schemas_are_kept() -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="pip install --group deploy")
    for resource in JOBS:
        validate.validate(resource, validate.latest_version(), strict=True)


def test_the_compose_specification_is_kept() -> None:
    specification = pytest.importorskip("compose_spec", reason="pip install --group deploy")
    plain = {key: value for key, value in COMPOSE.items() if not key.startswith("x-")}
    specification.PyCompose.from_yaml(yaml.safe_dump(plain)).validate()


def test_the_dockerfile_has_no_known_mistakes() -> None:
    linter = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("pip install --group deploy")
    done = subprocess.run(
        [linter, DEPLOY / "Dockerfile"], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout


# ------------------------------------------------------------------ the same processes, without containers


@pytest.mark.long
def test_the_processes_of_compose_make_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All names are this machine, and the ports are free ones."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = {"8765": str(one.getsockname()[1]), "5557": str(other.getsockname()[1])}

    def here(name: str) -> list[str]:
        text = shlex.join(words_of(SERVICES[name]["command"]))
        for shown, free in ports.items():
            text = text.replace(shown, free)
        text = re.sub(r"\b(simulator|master):", "127.0.0.1:", text)
        return [
            str(Path(sys.executable).with_name("loadtest")),
            *shlex.split(text.replace("--host simulator", "--host 127.0.0.1")),
        ]

    monkeypatch.setenv("WORKERS_KEY", "a-key-for-the-tests")
    short = ["--duration", "1s", "--set", "load.warmup=0s", "--results", str(tmp_path)]
    count = SERVICES["worker"]["deploy"]["replicas"]
    started = [subprocess.Popen(here("simulator"), stdout=subprocess.PIPE)]
    try:
        assert started[0].stdout is not None
        assert started[0].stdout.readline()
        started += [subprocess.Popen(here("worker")) for _ in range(count)]
        master = subprocess.run(
            [*here("master"), *short, "--quiet"], timeout=60, capture_output=True, check=False
        )
        assert master.returncode in {0, 4}, master.stderr.decode()
        assert [worker.wait(20) for worker in started[1:]] == [0] * count
    finally:
        for process in started:
            process.terminate()
            process.communicate(timeout=10)
    (run,) = tmp_path.glob("*/run.json")
    assert '"worker 1"' in run.read_text("utf-8")
