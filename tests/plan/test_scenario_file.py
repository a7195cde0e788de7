from __future__ import annotations

import random
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loadtest.errors import ConfigError
from loadtest.plan.explain import explain
from loadtest.plan.overrides import Overrides
from loadtest.plan.scenario import Scenario
from loadtest.plan.scenario_file import (
    load_scenario,
    public_settings,
    scenario_from_settings,
    worker_settings,
)
from loadtest.plan.schedule import Schedule
from loadtest.plan.schema import all_tables
from loadtest.plan.secrets import missing_secrets
from loadtest.plan.shipped import list_shipped, shipped_names, shipped_text
from loadtest.plan.threshold import parse_threshold
from loadtest.speak.codec.sent_size import sent_size

if TYPE_CHECKING:
    from tests.plan.conftest import Folder

HEAD = 'protocol = "agent-events"\n[target]\nurl = "simulator"\n'


def test_agent_burst_judges_the_three_criteria_against_a_bare_simulator() -> None:
    scenario = load_scenario("agent-burst")
    assert scenario.target.url == "simulator"
    assert scenario.target.auth is None
    assert missing_secrets(scenario, {}) == []
    assert scenario.thresholds == (
        parse_threshold("connections.ready.peak", "> 10"),
        parse_threshold("rates.events_received_per_s", "> 20"),
        parse_threshold("turn.first_event.p95", "< 100ms"),
    )
    assert Schedule(scenario.load, scenario.traffic).users > 10


@pytest.mark.parametrize("name", shipped_names("scenario"))
def test_every_shipped_scenario_is_valid_and_asks_a_question(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.question.endswith("?")
    assert scenario.target.url == "simulator"


def test_the_full_example_has_every_key() -> None:
    """As written or commented out, every key that a reader knows stands in it."""
    text = shipped_text("scenario", "example-full")
    keys = {key.name for table in all_tables() for key in table.keys if not key.rest}
    assert {key for key in keys if not re.search(rf"(?m)(^|[\s#{{,\[.]){key}( =|\])", text)} == set()


def test_a_path_and_what_a_file_leaves_out(folder: Folder) -> None:
    scenario = folder.load("# Is it up?\n" + HEAD)
    assert (scenario.name, scenario.question, scenario.path) == (
        "mine",
        "Is it up?",
        str(folder.path / "mine.toml"),
    )
    assert folder.load('question = "Why?"\n' + HEAD).question == "Why?"


def test_paths_are_relative_to_the_scenario(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write("deep/p.toml", "[events]\nturn = ['id']\n")
    folder.write("deep/users.csv", "id\na\n")
    folder.write(
        "deep/s.toml", "protocol = 'p.toml'\n[target]\nurl = 'simulator'\nidentities = 'users.csv'\n"
    )
    monkeypatch.chdir(folder.path)
    assert load_scenario("deep/s.toml").target.identities == ({"id": "a"},)


def test_a_protocol_may_stand_in_the_scenario(folder: Folder) -> None:
    scenario = folder.load(
        "[target]\nurl = 'simulator'\n[protocol]\nname = 'p'\n[protocol.events]\nturn = ['id']\n"
    )
    assert scenario.protocol.name == "p"
    told = folder.mistakes("[target]\nurl = 'simulator'\n[protocol.events]\ntrun = ['id']\n")
    assert told == ["mine.toml:4: unknown key `trun`; did you mean `turn`?"]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("[target]\nurl = 'simulator'", ["mine.toml: `protocol` is missing"]),
        (
            "protocol = 5\n[target]\nurl = 'simulator'",
            ["mine.toml:1: `protocol` must be a name or a path, not 5"],
        ),
        (
            "protocol = 'agent-event'\n[target]\nurl = 'simulator'",
            [
                (
                    "mine.toml:1: `protocol`: there is neither a file nor a shipped protocol named"
                    " `agent-event`; did"
                )
            ],
        ),
        ("protocol = 'agent-events'", ["mine.toml: `url` is missing"]),
        ("name = 'a/b'\n" + HEAD, ["mine.toml:1: `name` must consist of letters"]),
        ("burst = 5\n" + HEAD, ["mine.toml:1: unknown key `burst`; it belongs to [traffic]"]),
        ("trafic = 5\n" + HEAD, ["mine.toml:1: unknown key `trafic`; did you mean `traffic`?"]),
        (HEAD + "[[stage]]", ["mine.toml:4: unknown key `stage`; stages are a list in [load]"]),
        (
            "traffic = 5\n" + HEAD,
            ["mine.toml:1: `traffic` must be a table", "mine.toml:1: the open model needs `every`"],
        ),
        ("a = ", ["mine.toml:1: this is not valid TOML: invalid value"]),
    ],
)
def test_mistakes_are_told_with_their_line(folder: Folder, text: str, sentences: list[str]) -> None:
    told = folder.mistakes(text)
    assert [line[: len(sentence)] for line, sentence in zip(told, sentences, strict=True)] == sentences


def test_every_mistake_of_scenario_protocol_and_data_is_told_at_once(folder: Folder) -> None:
    folder.write("p.toml", "[events]\nturn = ['id']\nfrist = ['x']\n")
    folder.write("users.csv", "id\na,b\n")
    told = folder.mistakes(
        """protocol = "p.toml"
[target]
url = "localhost"
identities = "users.csv"
[load]
duration = "10"
conections = 5
[traffic]
every = "1s"
brust = 5
[thresholds]
"turn.first_event.p95" = "< 100"
"turns.complete" = ">= 99%"
[abort]
"turns.timed_out.ratio" = "50%"
[limits]
rate = "fast"
"""
    )
    places = [line.partition(": ")[0] for line in told]
    assert places == [*(f"mine.toml:{line}" for line in (3, 4, 6, 7, 10, 12, 13, 15, 17)), "p.toml:3"]


def test_a_missing_scenario_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean `agent-burst`"):
        load_scenario("agent-brust")


# ---------------------------------------------------------------- settings and back


@pytest.mark.parametrize("name", shipped_names("scenario"))
def test_a_worker_rebuilds_the_same_scenario(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario_from_settings(worker_settings(scenario)) == scenario


def test_a_worker_needs_no_file(folder: Folder) -> None:
    folder.write("p.toml", "[events]\nturn = ['id']\n")
    for name in ("users.csv", "ca.pem"):
        folder.write(name, "id\na\n")
    scenario = folder.load(
        "protocol = 'p.toml'\n[target]\nurl = 'simulator'\nidentities = 'users.csv'\nca_file = 'ca.pem'\n"
    )
    settings = worker_settings(scenario)
    for path in ("p.toml", "users.csv", "mine.toml"):
        (folder.path / path).unlink()
    assert scenario_from_settings(settings) == scenario


def test_settings_with_something_hidden_make_no_run(folder: Folder) -> None:
    scenario = folder.load(HEAD + 'headers = { Authorization = "abc" }')
    with pytest.raises(ConfigError, match="these stored settings are redacted"):
        scenario_from_settings(scenario.settings)
    rows = folder.load(HEAD + "[traffic]\nevery = '1s'")
    with pytest.raises(ConfigError, match="`data` must be text, not a table"):
        scenario_from_settings(rows.settings)


# ---------------------------------------------------------------- any bytes: a Scenario or a ConfigError

TEXTS = [shipped_text("scenario", name) for name in shipped_names("scenario")]
PROTOCOLS = [shipped_text("protocol", name) for name in shipped_names("protocol")]
WORDS = [
    *(
        "= ",
        "\n",
        '"',
        "'",
        "[",
        "]",
        "{",
        "}",
        ",",
        "#",
        "=",
        ".",
        "[[",
        "]]",
        "{}",
        "[]",
        '""',
        "\r",
        "\x00",
    ),
    *(
        "0",
        "-1",
        "1e9",
        "nan",
        "inf",
        "true",
        "1979-05-27",
        "99999999999999999999",
        "\\u0000",
        "é",
        "a" * 300,
    ),
    *('"0s"', '"1ns"', '"9999h"', '"1e9/s"', '"closed"', '"poisson"', "{turn.id}", "{x}", "load", "stages"),
]


def mutated(text: str, seed: int) -> str:
    """The text with a few pieces cut, doubled, replaced by other words, or lines exchanged."""
    chance = random.Random(seed)
    for _ in range(chance.randint(1, 4)):
        tokens = re.findall(r"\w+|\s+|.", text)
        i, j = chance.randrange(len(tokens)), chance.randrange(len(tokens))
        kind = chance.randrange(5)
        if kind == 0:
            tokens[i] = chance.choice(WORDS)
        elif kind == 1:
            tokens[i], tokens[j] = tokens[j], tokens[i]
        elif kind == 2:
            del tokens[i : i + chance.randint(1, 6)]
        elif kind == 3:
            tokens.insert(i, chance.choice(WORDS))
        else:
            lines = text.split("\n")
            lines.insert(chance.randrange(len(lines)), chance.choice(lines))
            text = "\n".join(lines)
            continue
        text = "".join(tokens) or "#"
    return text


def loaded(path: Path, overrides: Overrides | None = None) -> Scenario | ConfigError:
    try:
        return load_scenario(path, overrides)
    except ConfigError as error:
        return error


def lawful(found: Scenario | ConfigError) -> bool:
    """Whether a scenario was found; either way it keeps what is promised of it."""
    if isinstance(found, ConfigError):
        assert found.problems
        assert all(problem.sentence and "\n" not in problem.sentence for problem in found.problems)
        return False
    assert scenario_from_settings(worker_settings(found)) == found
    assert public_settings(found) == found.settings
    schedule = Schedule(found.load, found.traffic)
    assert schedule.users >= 1
    if schedule.users < 1000:
        assert explain(found, sent_size)
        assert schedule.due() is None or schedule.sends or schedule.due() == 0
    return True


def lawful_bytes(content: bytes, overrides: Overrides | None = None) -> bool:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "fuzz.toml"
        path.write_bytes(content)
        return lawful(loaded(path, overrides))


@given(
    st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))
)
def test_any_bytes_are_a_scenario_or_a_config_error(content: bytes) -> None:
    lawful_bytes(content)


@given(st.sampled_from(TEXTS), st.integers(0, 10**9))
@example(TEXTS[0], 0)
def test_any_mutated_scenario_is_a_scenario_or_a_config_error(text: str, seed: int) -> None:
    lawful_bytes(mutated(text.replace("data/", f"{SCENARIOS}/data/"), seed).encode())


SCENARIOS = list_shipped("scenario")[0].path.parent


@given(st.sampled_from(PROTOCOLS), st.integers(0, 10**9))
def test_any_mutated_protocol_is_a_protocol_or_a_config_error(text: str, seed: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "p.toml").write_text(mutated(text, seed), encoding="utf-8")
        (Path(name) / "s.toml").write_text(
            "protocol = 'p.toml'\n[target]\nurl = 'simulator'\n[traffic]\nevery = '1s'\n"
        )
        lawful(loaded(Path(name) / "s.toml"))


@given(st.sampled_from(TEXTS), st.text(max_size=40))
def test_any_setting_gives_a_scenario_or_a_config_error(text: str, setting: str) -> None:
    content = text.replace("data/", f"{SCENARIOS}/data/").encode()
    lawful_bytes(content, Overrides(sets=(setting, f"load.seed={setting}", f"name={setting}")))


def test_mutations_often_leave_a_valid_scenario_and_often_do_not() -> None:
    """Else the law above would be empty."""
    found = [lawful_bytes(mutated(TEXTS[seed % 4], seed).encode()) for seed in range(60)]
    assert 5 < sum(found) < 55
