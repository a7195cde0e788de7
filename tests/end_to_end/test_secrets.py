"""A secret that a run is given, and the tokens made of it, stand in no file of its folder, on no screen."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import jwt
import pytest

from loadtest.simulator.process import Simulator
from tests.end_to_end.conftest import Awaited, Begin, Launch, Runs
from tests.end_to_end.running import DRAWN, LOCUST, Ended
from tests.end_to_end.servers import fastapi

SECRET = "a-secret-of-thirty-two-characters-or-more"
TOKEN = "opaque+token/with=signs-0123456789"
PASSWORD = "correct-horse-battery"

SCENARIO = """
name = "secret"
protocol = "agent-events"

[target]
url = "URL"
headers = { X-Api-Key = "{env.API_KEY}" }
auth = AUTH

[load]
connections = 3
duration = "1s"

[traffic]
every = "200ms"
timeout = "5s"
"""
JWT = '{ kind = "jwt", secret_env = "AGENT_JWT_SECRET", claims = { sub = "{user.id}" }'
PLAIN = '{ kind = "token", token_env = "AGENT_TOKEN"'
WAYS = {
    "header": f'{JWT}, send_as = "header" }}',
    "query": f'{JWT}, send_as = "query", name = "token", format = "{{token}}" }}',
    "subprotocol": f'{JWT}, send_as = "subprotocol", format = "jwt.{{token}}" }}',
    "cookie": f'{JWT}, send_as = "cookie", name = "token", format = "{{token}}" }}',
    "token in query": f'{PLAIN}, send_as = "query", name = "ticket", format = "{{token}}" }}',
    "token in header": f'{PLAIN}, send_as = "header" }}',
}
ENVIRONMENT = {"AGENT_JWT_SECRET": SECRET, "AGENT_TOKEN": TOKEN, "API_KEY": PASSWORD}
# What every token of these runs begins with: its header.
HEAD = jwt.encode({}, SECRET, algorithm="HS256").partition(".")[0]


@pytest.fixture(scope="module")
def runs(
    begin: Begin, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Runs]:
    folder = tmp_path_factory.mktemp("scenarios")

    def start(way: str, url: str, *words: str, **environment: str) -> Awaited:
        scenario = folder / f"{way.replace(' ', '-')}-{len(list(folder.iterdir()))}.toml"
        scenario.write_text(SCENARIO.replace("URL", url).replace("AUTH", WAYS[way]))
        return begin("run", scenario, *words, environment={**ENVIRONMENT, **environment})

    locustfile = folder / "chat.py"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENT_JWT_SECRET", SECRET)
        strict = Simulator.start(jwt_secret_env="AGENT_JWT_SECRET")
    scenario = folder / "locust.toml"
    scenario.write_text(SCENARIO.replace("URL", strict.url).replace("AUTH", WAYS["header"]))
    locustfile.write_text(
        f"from loadtest import AgentUser\nclass Chat(AgentUser):\n    scenario = {str(scenario)!r}\n"
    )
    with strict, fastapi() as lax, Simulator.start(faults=["refuse=401"]) as closed:
        urls = {way: lax.url("/ws") if "token" in way else strict.url for way in WAYS}
        # The page of one is looked at as well, of that whose target's address alone has two secrets.
        crowded = strict.url.replace("ws://", f"ws://somebody:{PASSWORD}@") + f"/ws?access_token={TOKEN}"
        ways: dict[str, Callable[[], Awaited]] = {way: partial(start, way, url) for way, url in urls.items()}
        ways |= {
            "refused": partial(start, "query", closed.url),
            "processes": partial(start, "header", strict.url, "--processes", "2"),
            "user and password": partial(start, "query", crowded, **DRAWN),
            "locust": partial(begin, "-f", locustfile, "--headless", command=LOCUST, environment=ENVIRONMENT),
        }
        yield Runs(ways, request)


def forms(secret: str) -> set[bytes]:
    """The secret as it is, and as it may look to somebody who searches for it."""
    raw = secret.encode()
    coded = [base64.b64encode(raw), base64.urlsafe_b64encode(raw)]
    return {raw, json.dumps(secret)[1:-1].encode(), *(text.rstrip(b"=") for text in coded)}


def leaks(ended: Ended) -> list[str]:
    """Where a secret, or a token, stands."""
    basic = base64.b64encode(f"somebody:{PASSWORD}".encode())
    wanted = set().union(*map(forms, (SECRET, TOKEN, PASSWORD))) | {HEAD.encode(), basic}
    places = {"terminal": ended.screen.encode()}
    places |= {str(path): path.read_bytes() for path in ended.folder.rglob("*") if path.is_file()}
    assert len(places) > 12
    return [name for name, data in places.items() if any(text in data for text in wanted)]


# Quick is one of each kind of place: a header, a subprotocol, and, with "user and password", a query.
ALIKE = {"query", "cookie", "token in query"}


@pytest.mark.parametrize(
    "name",
    [
        *(pytest.param(way, marks=pytest.mark.long) if way in ALIKE else way for way in WAYS),
        *("processes", "user and password", "locust"),
    ],
)
def test_a_run_with_a_secret_keeps_it_to_itself(runs: Runs, name: str) -> None:
    ended = runs[name].end()
    assert ended.code == 0, ended.screen
    turns = ended.manifest["counts"]["turns"]
    assert turns["complete"] == turns["due"] == 15
    assert leaks(ended) == []


def test_a_refused_run_keeps_it_to_itself(runs: Runs) -> None:
    ended = runs["refused"].end()
    assert ended.code == 3, ended.screen
    assert ended.manifest["counts"]["connections"]["refused"] == {"auth": 3}
    assert leaks(ended) == []


def test_a_leak_would_be_found(runs: Runs) -> None:
    ended = runs["header"].end()
    coded = base64.b64encode(PASSWORD.encode()).decode()
    for text in (SECRET, TOKEN, coded, jwt.encode({"sub": "x"}, SECRET)):
        leak = ended.folder / "leak.txt"
        leak.write_text(f"Authorization: {text}")
        try:
            assert leaks(ended) == [str(leak)]
        finally:
            leak.unlink()


def test_the_tokens_were_made_with_the_secret(runs: Runs, launch: Launch, tmp_path: Path) -> None:
    """With a wrong one the same server answers 403."""
    scenario = tmp_path / "wrong.toml"
    target = runs["header"].end().manifest["target"]["url"]
    scenario.write_text(SCENARIO.replace("URL", target).replace("AUTH", WAYS["header"]))
    ended = launch("run", scenario, environment={**ENVIRONMENT, "AGENT_JWT_SECRET": SECRET[::-1]}).end()
    assert ended.code == 3, ended.screen
    assert ended.manifest["counts"]["connections"]["refused"] == {"upgrade": 3}
    assert leaks(ended) == []
