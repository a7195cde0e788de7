"""``loadtest watch`` as users run it: killed and started again, with a real webhook and mail server."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import subprocess
import termios
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from aiosmtpd.controller import Controller

from tests.end_to_end.conftest import Launch
from tests.end_to_end.parts import Health, free_port, health
from tests.end_to_end.running import LOADTEST, WITHIN_S, wait_until

POLICY = """# Is it up?
name = "watched"
[components.api]
probe = "http"
url = "{url}"
samples = 2
every = "200ms"
[alerts.routes.hook]
kind = "webhook"
url = "{hook}"
[alerts.routes.mail]
kind = "email"
host = "127.0.0.1"
port = {smtp}
from = "loadtest@example.org"
to = ["ops@example.org"]
[alerts]
cooldown = {{ info = "0s", warning = "0s", critical = "0s" }}
"""


class Inbox:
    def __init__(self) -> None:
        self.subjects: list[str] = []

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # noqa: N802 - aiosmtpd's name
        lines = envelope.content.decode().splitlines()  # type: ignore[attr-defined]  # aiosmtpd's envelope
        self.subjects += [line for line in lines if line.startswith("Subject:")]
        return "250 OK"


@pytest.fixture
def api() -> Iterator[Health]:
    with health() as service:
        yield service


@pytest.fixture
def hook() -> Iterator[Health]:
    with health() as service:
        yield service


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, int]]:
    box, port = Inbox(), free_port()
    server = Controller(box, "127.0.0.1", port)
    server.start()
    try:
        yield box, port
    finally:
        server.stop()


def subjects(hook: Health) -> list[str]:
    return [json.loads(body)["subject"].split(":")[0] for _, body in hook.seen]


def test_a_watch_that_is_killed_loses_and_repeats_none(
    launch: Launch, tmp_path: Path, api: Health, hook: Health, inbox: tuple[Inbox, int]
) -> None:
    box, smtp = inbox
    path = tmp_path / "policy.toml"
    path.write_text(POLICY.format(url=api.url, hook=f"http://127.0.0.1:{hook.port}/", smtp=smtp))
    results = str(tmp_path / "results")
    watch = launch("watch", path, "--results", results)
    summaries = tmp_path / "results/readiness/watched/summaries.jsonl"
    watch.until(summaries.exists)
    api.status = 503
    watch.until(lambda: len(hook.seen) == 1 and len(box.subjects) == 1)
    watch.kill()

    watch = launch("watch", path, "--results", results)
    before = len(summaries.read_text().splitlines())
    watch.until(lambda: len(summaries.read_text().splitlines()) > before + 2)
    assert subjects(hook) == ["ALERT critical"]
    watch.kill()
    api.status = 200

    watch = launch("watch", path, "--results", results)
    watch.until(lambda: len(hook.seen) == 2 and len(box.subjects) == 2)
    watch.signal(signal.SIGTERM)
    assert watch.end().code == 130
    assert subjects(hook) == ["ALERT critical", "RECOVERED critical"]
    assert len({headers["X-Loadtest-Alert"] for headers, _ in hook.seen}) == 2


def test_the_page_shows_the_last_assessment_and_refreshes_itself(
    launch: Launch, tmp_path: Path, api: Health
) -> None:
    path, port = tmp_path / "policy.toml", free_port()
    path.write_text(POLICY.format(url=api.url, hook="http://127.0.0.1:1/", smtp=1))
    watch = launch("watch", path, "--serve", str(port), "--results", str(tmp_path / "results"))

    def get(name: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except OSError:
            return 0, ""

    watch.until(lambda: get("ready.json")[0] == 200)
    assert json.loads(get("ready.json")[1])["verdict"] == "GO"
    status, page = get("")
    assert (status, '<meta http-equiv="refresh" content="5">' in page) == (200, True)
    head = urllib.request.Request(f"http://127.0.0.1:{port}/", method="HEAD")
    with urllib.request.urlopen(head, timeout=5) as answer:
        assert (answer.status, int(answer.headers["Content-Length"]) > 0, answer.read()) == (200, True, b"")
    api.status = 500
    wait_until(lambda: "NO-GO" in get("")[1])


def test_rounds_end_with_the_last_verdict_and_a_second_watch_is_refused(
    launch: Launch, tmp_path: Path, api: Health
) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY.format(url=api.url, hook="http://127.0.0.1:1/", smtp=1))
    results = str(tmp_path / "results")
    ended = launch("watch", path, "--rounds", "2", "--results", results).end()
    assert (ended.code, ended.out.count("GO: api healthy")) == (0, 1)
    first = launch("watch", path, "--results", results)
    lock = tmp_path / "results/readiness/watched/summaries.jsonl"
    rows = len(lock.read_text().splitlines())
    first.until(lambda: len(lock.read_text().splitlines()) > rows)
    second = launch("watch", path, "--results", results).end()
    assert (second.code, "another `loadtest watch`" in second.err) == (2, True)


def test_a_terminal_shows_the_verdict_and_what_was_sent_however_low_it_is(
    tmp_path: Path, api: Health, hook: Health
) -> None:
    api.status = 503
    path = tmp_path / "policy.toml"
    path.write_text(POLICY.format(url=api.url, hook=f"http://127.0.0.1:{hook.port}/", smtp=1))
    command = [*LOADTEST, "watch", str(path), "--rounds", "3", "--results", str(tmp_path / "results")]
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 16, 80, 0, 0))
    # A runner of tests may have set a size of its own, which counts before the terminal's.
    kept = {name: value for name, value in os.environ.items() if name not in {"LINES", "COLUMNS"}}
    environment = {**kept, "TERM": "xterm-256color"}
    child = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
    )
    os.close(slave)
    shown = b""
    with suppress(OSError):
        while part := os.read(master, 65536):
            shown += part
    os.close(master)
    assert child.wait(WITHIN_S) == 1
    frames = shown.decode("utf-8", "replace").split("\x1b[H")
    assert "NO-GO" in frames[-1]
    assert "sent to hook: ALERT critical" in frames[-1]
    assert max(frame.count("\n") for frame in frames) <= 16


def test_a_part_that_hangs_holds_up_neither_the_others_nor_their_alerts(
    launch: Launch, tmp_path: Path, api: Health, hook: Health
) -> None:
    with health() as slow:
        text = POLICY.format(url=api.url, hook=f"http://127.0.0.1:{hook.port}/", smtp=1)
        extra = f'[components.slow]\nprobe = "http"\nurl = "{slow.url}"\nsamples = 1\n'
        extra += 'every = "200ms"\ntimeout = "40s"\n'
        path = tmp_path / "policy.toml"
        path.write_text(text.replace("[alerts.routes.hook]", f"{extra}[alerts.routes.hook]"))
        watch = launch("watch", path, "--results", str(tmp_path / "results"))
        watch.until((tmp_path / "results/readiness/watched/summaries.jsonl").exists)
        slow.delay_s = 30
        api.status = 503
        watch.until(lambda: len(hook.seen) == 1, within_s=20)
        watch.kill()
        slow.delay_s = 0


def test_what_is_asked_ends_with_the_one_who_asks(launch: Launch, tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    path = tmp_path / "policy.toml"
    path.write_text(
        '[components.a]\nprobe = "command"\ntimeout = "60s"\n'
        f'command = ["sh", "-c", "echo $$ > {mark}; exec sleep 60"]\n'
    )
    asking = launch("ready", path, "--results", str(tmp_path / "results"))
    asking.until(lambda: mark.exists() and mark.read_text().strip() != "")
    asking.signal(signal.SIGTERM)
    assert asking.end().code == 130
    pid = int(mark.read_text())
    wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie")


def test_an_alert_that_could_never_be_sent_is_told_at_the_start(launch: Launch, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(POLICY.format(url="http://127.0.0.1:1/", hook="{env.NOT_SET_ANYWHERE}", smtp=1))
    ended = launch("watch", path, "--results", str(tmp_path / "results")).end()
    assert ended.code == 2
    assert "alerts.routes.hook: the environment variable NOT_SET_ANYWHERE is not set" in ended.err


SECRETS = {
    "HEALTH_TOKEN": "tok/en+73", "DB_PASSWORD": "p@ss/w:rd#8", "HOOK": "http://127.0.0.1:1/hooks/T0/secret-path-5",
    "MAIL_PASSWORD": "mail-pass-31",
}  # fmt: skip

LEAKY = """# Does it keep its secrets?
name = "leaky"
[components.api]
probe = "http"
url = "{url}?token=query-secret-8"
headers = {{ Authorization = "Bearer {{env.HEALTH_TOKEN}}", X-Key = "written-key-55" }}
shown = ["status", "echo"]
samples = 2
every = "200ms"
[components.db]
probe = "database"
url = "postgresql://app:{{env.DB_PASSWORD}}@127.0.0.1:1/app"
samples = 1
[components.cache]
probe = "redis"
url = "redis://:redis-pass-9@127.0.0.1:1"
samples = 1
[components.script]
probe = "command"
command = ["sh", "-c", "echo $DB_PASSWORD written-key-55; exit 1"]
[rollback]
command = ["deploy", "--token", "roll-token-4"]
[alerts.routes.hook]
kind = "webhook"
url = "{{env.HOOK}}"
[alerts.routes.real]
kind = "webhook"
url = "{hook}"
[alerts.routes.mail]
kind = "email"
host = "127.0.0.1"
port = 1
user = "loadtest"
password = "{{env.MAIL_PASSWORD}}"
from = "a@example.org"
to = ["b@example.org"]
[remedies.db]
command = ["sh", "-c", "echo $DB_PASSWORD $HEALTH_TOKEN"]
after = 1
dry_run = false
"""


def test_secrets_are_in_no_file_no_page_no_alert_and_not_on_the_screen(
    launch: Launch, tmp_path: Path, api: Health, hook: Health
) -> None:
    api.body = {"status": "healthy", "echo": "written-key-55 tok/en+73"}
    path, port, results = tmp_path / "policy.toml", free_port(), tmp_path / "results"
    path.write_text(LEAKY.format(url=api.url, hook=f"http://127.0.0.1:{hook.port}/real/path-secret-6"))
    watch = launch("watch", path, "--remedy", "--serve", str(port), "--results", results, environment=SECRETS)
    folder = results / "readiness" / "leaky"
    watch.until(lambda: len(hook.seen) > 0 and (folder / "audit.jsonl").exists())
    pages = []
    for name in ("", "ready.json"):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=5) as answer:
            pages.append(answer.read().decode())
    watch.signal(signal.SIGTERM)
    ended = watch.end()
    once = launch("ready", path, "--since", "LAST", "--results", results, environment=SECRETS).end()
    assert (ended.code, once.code) == (130, 1)
    told = [*pages, ended.screen, once.screen, *(body.decode() for _, body in hook.seen)]
    told += [each.read_text("utf-8", "replace") for each in folder.rglob("*") if each.is_file()]
    assert len(told) > 10
    words = [*SECRETS.values(), "written-key-55", "query-secret-8", "redis-pass-9", "roll-token-4"]
    words += ["path-secret-6", "secret-path-5", "p%40ss%2Fw%3Ard%238"]
    for word in words:
        assert [each[max(0, each.find(word) - 60) :][:120] for each in told if word in each] == [], word
