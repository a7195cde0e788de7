"""Messages brought to real receivers (HTTP, mail, a command); no secret in what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from loadtest.live.alerts import Message
from loadtest.live.notifiers import DeliveryError, deliver, unusable_routes
from loadtest.readiness.policy import Policy
from tests.end_to_end.parts import Health, free_port, garbage, health
from tests.readiness.made import SMALL, policy

ENVIRON = {"HOOK_URL": "", "SMTP_PASSWORD": "mail-pass-31"}


class Inbox:
    """Keeps what arrives."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append(envelope)
        return "250 OK"

    def login(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: LoginPassword
    ) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"mail-pass-31")


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, int]]:
    box, port = Inbox(), free_port()
    server = Controller(box, "127.0.0.1", port, authenticator=box.login, auth_require_tls=False)
    server.start()
    try:
        yield box, port
    finally:
        server.stop()


@pytest.fixture
def hook() -> Iterator[Health]:
    with health() as service:
        yield service


APPRISE = """
[alerts]
[alerts.routes.duty]
kind = "apprise"
url = "{env.DUTY_URL}"
"""


def test_a_message_goes_by_apprise_and_what_goes_wrong_is_told_without_the_address(
    tmp_path: Path, hook: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    duty = policy(tmp_path, SMALL + APPRISE)
    assert [str(each) for each in unusable_routes(duty, {"DUTY_URL": "json://x"})] == []
    message = Message("abc1", "duty", "critical", "ALERT critical: api down", ["it is down"], 1000.0)
    deliver(duty, message, {"DUTY_URL": f"json://127.0.0.1:{hook.port}/hush-hush-31"})
    ((_, body),) = hook.seen
    told = json.loads(body)
    assert (told["title"], told["type"]) == ("[policy] ALERT critical: api down", "failure")
    assert told["message"] == "it is down\n(alert abc1)"
    hook.status = 500
    for url in (f"json://127.0.0.1:{hook.port}/hush-hush-31", "no-such://hush-hush-31"):
        with pytest.raises(DeliveryError) as error:
            deliver(duty, message, {"DUTY_URL": url})
        assert "the route duty (apprise) failed" in str(error.value)
        assert "hush-hush-31" not in str(error.value)
    monkeypatch.setattr("loadtest.live.notifiers.find_spec", lambda _: None)
    assert "pip install apprise" in str(unusable_routes(duty, {"DUTY_URL": "json://x"})[0])


def routes(folder: Path, hook: int = 1, smtp: int = 1) -> Policy:
    done = folder / "done.txt"
    text = f"""
[alerts.routes.hook]
kind = "webhook"
url = "{{env.HOOK_URL}}"
[alerts.routes.slack]
kind = "slack"
url = "http://127.0.0.1:{hook}/services/T000/B000/slack-secret-77"
[alerts.routes.mail]
kind = "email"
host = "127.0.0.1"
port = {smtp}
user = "loadtest"
password = "{{env.SMTP_PASSWORD}}"
from = "loadtest@example.org"
to = ["ops@example.org", "boss@example.org"]
[alerts.routes.command]
kind = "command"
command = ["sh", "-c", "echo \\"$ALERT_SEVERITY $ALERT_SUBJECT\\" > {done}"]
"""
    return policy(folder, SMALL + text)


def message(route: str) -> Message:
    return Message(
        "0123456789abcdef", route, "critical", "ALERT critical: api", ["ALERT critical: api: a <b> & c"], 7.0
    )


def test_a_webhook_gets_json_with_an_id(tmp_path: Path, hook: Health) -> None:
    environ = {**ENVIRON, "HOOK_URL": f"http://127.0.0.1:{hook.port}/hook"}
    deliver(routes(tmp_path), message("hook"), environ)
    headers, body = hook.seen[0]
    assert headers["X-Loadtest-Alert"] == "0123456789abcdef"
    assert json.loads(body)["subject"] == "ALERT critical: api"


def test_slack_gets_a_text_with_its_signs_escaped(tmp_path: Path, hook: Health) -> None:
    deliver(routes(tmp_path, hook.port), message("slack"), ENVIRON)
    text = json.loads(hook.seen[0][1])["text"]
    assert ":rotating_light:" in text
    assert "a &lt;b&gt; &amp; c" in text


def test_mail_arrives_with_a_login(tmp_path: Path, inbox: tuple[Inbox, int]) -> None:
    box, port = inbox
    deliver(routes(tmp_path, smtp=port), message("mail"), ENVIRON)
    assert box.logins == [(b"loadtest", b"mail-pass-31")]
    assert box.mails[0].rcpt_tos == ["ops@example.org", "boss@example.org"]
    content = box.mails[0].content
    mail = message_from_bytes(content if isinstance(content, bytes) else content.encode())
    assert mail["Subject"] == "[policy] ALERT critical: api"
    assert "a <b> & c" in mail.get_payload()


def test_a_command_gets_the_message_in_its_environment(tmp_path: Path) -> None:
    deliver(routes(tmp_path), message("command"), ENVIRON)
    assert (tmp_path / "done.txt").read_text() == "critical ALERT critical: api\n"


@pytest.mark.parametrize("route", ["hook", "slack", "mail"])
def test_what_does_not_arrive_is_told_without_secrets(tmp_path: Path, route: str) -> None:
    environ = {"HOOK_URL": "http://127.0.0.1:1/secret-path-5", "SMTP_PASSWORD": "mail-pass-31"}
    with pytest.raises(DeliveryError) as caught:
        deliver(routes(tmp_path), message(route), environ)
    assert f"the route {route}" in str(caught.value)
    for secret in ("slack-secret-77", "secret-path-5", "mail-pass-31"):
        assert secret not in str(caught.value)


def test_a_refusal_of_the_receiver_is_a_failure(tmp_path: Path, hook: Health) -> None:
    hook.status = 500
    with pytest.raises(DeliveryError, match="HTTP status 500"):
        deliver(routes(tmp_path, hook.port), message("slack"), ENVIRON)


def test_a_variable_that_is_not_set_is_told(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError, match="HOOK_URL is not set"):
        deliver(routes(tmp_path), message("hook"), {})


def test_a_page_that_a_message_is_led_to_has_not_taken_it(tmp_path: Path, hook: Health) -> None:
    with health() as login:
        hook.status, hook.location = 302, login.url
        with pytest.raises(DeliveryError, match="HTTP status 302"):
            deliver(routes(tmp_path, hook.port), message("slack"), ENVIRON)


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}/secret path-5", "http://127.0.0.1:1{port}/x"])
def test_an_address_that_is_none_and_an_answer_that_is_none_end_no_watch(
    tmp_path: Path, address: str
) -> None:
    environ = {**ENVIRON, "HOOK_URL": address.format(port=99999)}
    with pytest.raises(DeliveryError) as caught:
        deliver(routes(tmp_path), message("hook"), environ)
    assert "path-5" not in str(caught.value)


def test_garbage_instead_of_http_is_a_failure(tmp_path: Path) -> None:
    with garbage() as port, pytest.raises(DeliveryError, match="the answer or the address was wrong"):
        deliver(routes(tmp_path, port), message("slack"), ENVIRON)


def test_variables_that_routes_need_are_told_before_they_are_needed(tmp_path: Path) -> None:
    read = routes(tmp_path)
    told = [str(each) for each in unusable_routes(read, {"SMTP_PASSWORD": "x"})]
    assert len(told) == 1
    assert "alerts.routes.hook" in told[0]
    assert "HOOK_URL is not set" in told[0]
    assert unusable_routes(read, {"HOOK_URL": "x", "SMTP_PASSWORD": "x"}) == []
