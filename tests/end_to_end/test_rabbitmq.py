"""The codec ``stomp`` against RabbitMQ's web-stomp, whose own counters must agree with ours to the unit."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.end_to_end.conftest import RunIt
from tests.end_to_end.parts import free_port
from tests.end_to_end.running import wait_until

pytestmark = pytest.mark.long

PROGRAMS = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))

USERS, EACH = 10, 30

SCENARIO = """
name = "broker"
protocol = "stomp"
[target]
url = "ws://127.0.0.1:{port}/ws"
[load]
connections = {users}
duration = "2s"
[traffic]
rate = "150/s"
turns = {each}
timeout = "20s"
"""

CONFIG = """
listeners.tcp.1 = 127.0.0.1:{amqp}
stomp.listeners.tcp.1 = 127.0.0.1:{stomp}
web_stomp.tcp.ip = 127.0.0.1
web_stomp.tcp.port = {web}
prometheus.tcp.ip = 127.0.0.1
prometheus.tcp.port = {metrics}
"""


class Broker(NamedTuple):
    """A broker that runs: where it takes STOMP, and where it tells what it counted."""

    web: int
    metrics: int

    def counted(self, name: str) -> int:
        """The sum of one of its counters."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return sum(int(float(n)) for n in re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE))


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """RabbitMQ with its own names' daemon, each on free ports of loopback."""
    epmd = shutil.which("epmd")
    if not PROGRAMS or epmd is None:
        pytest.skip("RabbitMQ is not installed (Debian: rabbitmq-server)")
    folder = tmp_path_factory.mktemp("rabbitmq")
    names, dist, amqp, stomp, web, metrics = (free_port() for _ in range(6))
    (folder / "rabbitmq.conf").write_text(CONFIG.format(amqp=amqp, stomp=stomp, web=web, metrics=metrics))
    (folder / "plugins").write_text("[rabbitmq_web_stomp,rabbitmq_prometheus].")
    own = {
        "HOME": folder,
        "ERL_EPMD_PORT": names,
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"loadtest-{web}@localhost",
        "RABBITMQ_DIST_PORT": dist,
        "RABBITMQ_MNESIA_BASE": folder / "mnesia",
        "RABBITMQ_LOG_BASE": folder / "log",
        "RABBITMQ_PID_FILE": folder / "pid",
        "RABBITMQ_CONFIG_FILE": folder / "rabbitmq.conf",
        "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "plugins",
    }
    env = {**os.environ, **{name: str(value) for name, value in own.items()}}
    with (folder / "out").open("w") as out:
        daemon = subprocess.Popen(
            [epmd, "-port", str(names), "-address", "127.0.0.1"], stdout=out, stderr=out
        )
        broker = subprocess.Popen([PROGRAMS[-1]], env=env, stdout=out, stderr=out)
        try:
            wait_until(lambda: broker.poll() is not None or (answers(web) and answers(metrics)), 90)
            assert broker.poll() is None, (folder / "out").read_text()
            yield Broker(web, metrics)
        finally:
            for process in (broker, daemon):
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait(5)


def test_the_broker_counts_what_we_count(rabbit: Broker, run: RunIt, tmp_path: Path) -> None:
    file = tmp_path / "broker.toml"
    file.write_text(SCENARIO.format(port=rabbit.web, users=USERS, each=EACH))
    ended = run("run", file)
    assert ended.ended_with(0), ended.screen
    counts = ended.manifest["counts"]
    turns, events = counts["turns"], counts["events"]
    assert counts["connections"]["ready"] == USERS
    assert turns["begun"] == turns["complete"] == USERS * EACH
    # A receipt and the message itself end each turn.
    assert events["matched"] == events["received"] == 2 * USERS * EACH
    for name in ("received", "routed", "delivered", "confirmed"):
        wait_until(
            lambda name=name: rabbit.counted(f"rabbitmq_global_messages_{name}_total") >= USERS * EACH, 15
        )
        assert rabbit.counted(f"rabbitmq_global_messages_{name}_total") == USERS * EACH, name
    # The whole run stands in what the broker counted of it: nothing is dropped, nothing unroutable.
    assert rabbit.counted("rabbitmq_global_messages_unroutable_dropped_total") == 0
