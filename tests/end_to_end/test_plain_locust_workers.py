"""``locust --master`` and ``locust --worker``, typed as for any locustfile, are a run of ours."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Launch
from tests.end_to_end.running import LOCUST

SCENARIO = """
name = "shared-out"
protocol = "agent-events"

[target]
url = "simulator"

[load]
model = "closed"
connections = 6
duration = "60s"

[traffic]
burst = 2
every = "10ms"
turns = 8
timeout = "30s"

[thresholds]
"turns.complete.ratio" = ">= 100%"
"""

LOCUSTFILE = """
from loadtest import AgentUser


class Chat(AgentUser):
    scenario = "{scenario}"
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.long
def test_workers_of_plain_locust_share_the_turns_of_one_run(launch: Launch, tmp_path: Path) -> None:
    scenario, locustfile, port = tmp_path / "shared.toml", tmp_path / "chat.py", str(free_port())
    scenario.write_text(SCENARIO)
    locustfile.write_text(LOCUSTFILE.format(scenario=scenario))
    words = ["-f", locustfile, "--headless"]
    bind = ["--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "2"]
    master = launch(*words, "--master", *bind, command=LOCUST)
    join = ["--worker", "--master-host", "127.0.0.1", "--master-port", port]
    workers = [launch(*words, *join, command=LOCUST) for _ in range(2)]
    ended = master.end()
    assert ended.code == 0, ended.screen
    assert "Unknown message type" not in ended.screen
    assert "WARNING" not in ended.screen
    for worker in workers:
        left = worker.end()
        assert left.code == 0, left.screen
        assert left.folders == []
    assert ended.manifest["generator"]["processes"] == 2
    turns = ended.manifest["counts"]["turns"]
    assert turns["due"] == turns["complete"] == len(ended.turns) == 48
    assert sorted(set(ended.turns["user"].tolist())) == list(range(6))
