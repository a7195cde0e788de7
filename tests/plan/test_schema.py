"""Every key is declared once; what is made of the declarations holds for all of them."""

from __future__ import annotations

import inspect
import json
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from loadtest.errors import ConfigError
from loadtest.plan import scenario as dataclasses_of
from loadtest.plan.conversation import Conversation
from loadtest.plan.key_types import KeyTable
from loadtest.plan.population_file import WrittenPopulation
from loadtest.plan.prepare import PrepareStep, Undo
from loadtest.plan.scenario import Reconnect, Stage
from loadtest.plan.scenario_file import scenario_from_settings, worker_settings
from loadtest.plan.schema import (
    AUTH_TABLE,
    LOAD_TABLE,
    RECONNECT_TABLE,
    STAGE_TABLE,
    TARGET_TABLE,
    all_tables,
    complete_setting,
    settings_by_name,
)
from loadtest.units import exact_duration

if TYPE_CHECKING:
    from tests.plan.conftest import Folder

HEAD = 'protocol = "agent-events"\n[target]\nurl = "simulator"\n'

NOT_FROM_KEYS = {
    "Scenario.path",
    "Scenario.sha256",
    "Scenario.settings",
    "Population.name",
    "Population.scenario",
}
"""Of the file, or computed from the rest; a population is what its table makes with the file's."""


def test_every_field_of_a_scenario_has_a_key() -> None:
    """Else it could be neither written in a file nor sent to a worker."""
    declared = {
        f"{table.makes.__name__}.{field}"
        for table in all_tables()
        for key in table.keys
        for field in key.field_names
    }
    kinds = [
        each
        for each in vars(dataclasses_of).values()
        if inspect.isclass(each) and is_dataclass(each) and each.__module__ == dataclasses_of.__name__
    ]
    held = {f"{kind.__name__}.{field.name}" for kind in kinds for field in fields(kind)}
    declared = {each for each in declared if not each.startswith(("Health.", "HealthMetric."))}
    assert held - declared == NOT_FROM_KEYS
    population = {f"WrittenPopulation.{field.name}" for field in fields(WrittenPopulation)}
    elsewhere = {each for each in declared if each.startswith(("Conversation.", "PrepareStep.", "Undo."))}
    assert declared - held == {"TurnShare.share", *elsewhere, *population}
    for made in (Conversation, PrepareStep, Undo):
        assert {f"{made.__name__}.{field.name}" for field in fields(made)} <= declared


def test_every_key_has_a_help_and_a_name_of_its_own() -> None:
    for table in all_tables():
        names = [name for key in table.keys for name in (key.name, key.alias) if name]
        assert len(set(names)) == len(names)
        assert all(key.help and table.default_shown(key) for key in table.keys)


@pytest.mark.parametrize(
    ("table", "key", "shown"),
    [
        (TARGET_TABLE, "max_message", "`16MiB`"),
        (TARGET_TABLE, "insecure", "`false`"),
        (TARGET_TABLE, "url", "required"),
        (TARGET_TABLE, "headers", "none"),
        (RECONNECT_TABLE, "jitter", "`50%`"),
        (RECONNECT_TABLE, "factor", "`2`"),
        (LOAD_TABLE, "duration", "`30s`"),
        (LOAD_TABLE, "model", "`open`"),
        (AUTH_TABLE, "lifetime", "`15m`"),
    ],
)
def test_a_default_is_shown_as_people_write_it(table: KeyTable[Any], key: str, shown: str) -> None:
    (found,) = (table.default_shown(each) for each in table.keys if each.name == key)
    assert found == shown


# ---------------------------------------------------------------- two names for a key


def test_the_usual_name_and_the_old_one_are_read_the_same(folder: Folder) -> None:
    old = folder.load(HEAD + "[load]\nreconnect = { first = '1s', most = '3s' }")
    usual = folder.load(HEAD + "[load]\nreconnect = { initial_delay = '1s', max_delay = '3s' }")
    assert old == usual
    assert old.load.reconnect == Reconnect(initial_delay_ns=10**9, max_delay_ns=3 * 10**9)
    stages = folder.load(HEAD + "[load]\nstages = [{ duration = '2s', connections = 3 }]").load.stages
    assert stages == (Stage(for_ns=2 * 10**9, connections=3),)


def test_a_run_keeps_the_name_it_has_always_kept(folder: Folder) -> None:
    """Else the same scenario would be another one to whoever compares runs."""
    load = folder.load(HEAD + "[load]\nreconnect = { max_delay = '3s' }").settings["load"]
    assert isinstance(load, dict)
    assert load["reconnect"] == {
        "first": "100ms",
        "factor": 2.0,
        "most": "3s",
        "jitter": "0.5",
        "tries": 10,
    }


def test_both_names_at_once_are_a_mistake_unless_an_option_gives_one(folder: Folder) -> None:
    both = "[load]\nreconnect = { most = '3s', max_delay = '4s' }"
    assert folder.mistakes(HEAD + both) == [
        "mine.toml:5: `most` means the same as `max_delay`; remove one of them",
    ]
    old = HEAD + "[load]\nreconnect = { most = '3s' }"
    found = folder.load(old, sets=("load.reconnect.max_delay=7s",)).load.reconnect
    assert found == Reconnect(max_delay_ns=7 * 10**9)
    usual = HEAD + "[load]\nreconnect = { max_delay = '3s' }"
    found = folder.load(usual, sets=("load.reconnect.most=7s",)).load.reconnect
    assert found == Reconnect(max_delay_ns=7 * 10**9)


# ---------------------------------------------------------------- completion


def test_keys_are_completed_with_their_help() -> None:
    assert complete_setting("load.conn") == [
        ("load.connect_rate=", "how fast connections open, evenly spaced"),
        ("load.connections=", "how many connections; with `stages`, each stage has its own number"),
    ]
    names = [name for name, _ in complete_setting("")]
    assert len(set(names)) == len(names)
    assert {"name=", "target.auth.kind=", "load.reconnect=", "load.reconnect.max_delay="} <= set(names)
    assert {"thresholds.turn.first_event.p95=", "abort.turns.timed_out.ratio=", "abort.after="} <= set(names)
    assert not {"load=", "thresholds=", "load.stages.for="} & set(names)


def test_the_values_of_a_key_with_a_few_are_completed() -> None:
    assert [text for text, _ in complete_setting("traffic.arrivals=p")] == ["traffic.arrivals=poisson"]
    assert [text for text, _ in complete_setting("target.insecure=")] == [
        "target.insecure=true",
        "target.insecure=false",
    ]
    assert complete_setting("load.seed=1") == []
    assert complete_setting("nothing=1") == []


# ---------------------------------------------------------------- any scenario, written and read again

LETTERS = st.text("abcXYZ09-é ", min_size=1, max_size=8).filter(lambda text: text.strip() == text)
WORDS = st.text("abcXYZ09", min_size=1, max_size=8)
DURATIONS = st.integers(1, 10**14).map(exact_duration)
BELOW_A_SECOND = st.integers(0, 10**9 - 1).map(exact_duration)
FROM_A_SECOND = st.integers(10**9, 10**14).map(exact_duration)
RATES = st.floats(1e-6, 1e5, allow_nan=False).map(lambda rate: f"{rate:.12f}/s")
SHARES = st.floats(0.001, 1.0).map(lambda share: f"{share:.12f}")
EFFECTS = st.floats(0.001, 0.999).map(lambda share: f"{share:.12f}")
PAIRS = st.dictionaries(WORDS, WORDS, max_size=2)
ROWS = st.lists(st.fixed_dictionaries({"question": LETTERS}), min_size=1, max_size=3)
THRESHOLDS = st.dictionaries(
    st.sampled_from(["connect.total.p95", "connect.total.p99.9"]),
    st.sampled_from(["< 1s", ["> 1us", "<= 20ms"]]),
    max_size=2,
)
EXPRESSION = st.sampled_from(["> 5", "== 0"])

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "name": WORDS,
    "question": LETTERS,
    "protocol": st.sampled_from(["agent-events", "json-id", "echo"]),
    "target.url": st.sampled_from(["simulator", "ws://127.0.0.1:1/ws?a=b", "wss://host"]),
    "target.headers": PAIRS,
    "target.cookies": PAIRS,
    "target.query": PAIRS,
    "target.auth.kind": st.sampled_from(["jwt", "token"]),
    "target.auth.algorithm": st.sampled_from(["HS256", "RS256", "ES256", "EdDSA"]),
    "target.auth.key_id": WORDS,
    "target.auth.key_file": st.just("k.pem"),
    "target.auth.token_command": st.just(["print", "a token"]),
    "target.auth.refresh": st.just("9s"),
    "target.auth.token_url": st.just("https://a/token"),
    "target.auth.client_id": WORDS,
    "target.auth.scope": WORDS,
    "target.auth.region": st.just("eu-central-1"),
    "target.auth.service": st.just("transcribe"),
    "target.auth.profile": WORDS,
    "target.path": st.sampled_from(["/a/{user.id}", "{user.id}"]),
    "target.proxy": st.sampled_from(["environment", "none", "http://user:word@proxy:3128"]),
    "target.follow_redirects": st.integers(0, 10),
    "target.auth.send_as": st.sampled_from(["header", "query", "cookie", "subprotocol"]),
    "target.auth.name": WORDS,
    "target.auth.format": st.sampled_from(["{token}", "x {token_base64url}"]),
    "target.auth.secret_env": st.just("SECRET"),
    "target.auth.token_env": st.just("TOKEN"),
    "target.auth.token_file": st.just("token.txt"),
    "target.auth.claims": st.dictionaries(
        st.sampled_from(["a", "b"]), WORDS | st.integers() | st.booleans() | st.lists(WORDS), max_size=2
    ),
    "target.auth.lifetime": DURATIONS,
    "target.identities": ROWS,
    "target.insecure": st.booleans(),
    "target.ca_file": st.just(__file__),
    "target.client_cert": st.just(__file__),
    "target.client_key": st.just(__file__),
    "target.compression": st.booleans() | st.just({"send": True}) | st.just({"send": False}),
    "target.connect_timeout": DURATIONS,
    "target.max_message": st.integers(1, 10**9).map(lambda size: f"{size}B"),
    "target.faults": st.lists(WORDS, max_size=2),
    "target.source_addresses": st.just(["10.0.0.16/30"]),
    "target.before_connect": st.just(["ticket"]),
    "target.addresses": st.sampled_from(["first", "rotate", "all"]),
    "target.connect_to": st.sampled_from(["10.0.0.5:443", "[::1]:80", "balancer.example:1"]),
    "target.health.pid": st.integers(1, 2**31 - 1),
    "target.health.container": LETTERS,
    "target.health.node": st.just("http://node:9100/metrics"),
    "target.health.endpoint": st.just("https://user:word@chat:9000/metrics"),
    "target.subprotocols": st.lists(WORDS, max_size=2),
    "load.model": st.sampled_from(["open", "closed"]),
    "load.warmup": DURATIONS,
    "load.seed": st.integers(0, 2**63 - 1),
    "load.connect_rate": RATES,
    "load.reconnect": st.booleans(),
    "load.reconnect.initial_delay": st.integers(1, 10**9).map(exact_duration),
    "load.reconnect.factor": st.floats(1, 100),
    "load.reconnect.max_delay": FROM_A_SECOND,
    "load.reconnect.jitter": SHARES,
    "load.reconnect.tries": st.integers(1, 10_000),
    "load.connections": st.integers(1, 5),
    "load.duration": FROM_A_SECOND,
    "load.stages": st.lists(
        st.fixed_dictionaries(
            {"for": FROM_A_SECOND, "connections": st.integers(1, 5)},
            optional={"ramp": st.booleans(), "thresholds": THRESHOLDS},
        ),
        min_size=1,
        max_size=3,
    ),
    "traffic.burst": st.integers(1, 100_000),
    "traffic.timeout": DURATIONS,
    "traffic.every": DURATIONS,
    "traffic.rate": RATES,
    "traffic.arrivals": st.sampled_from(["constant", "poisson"]),
    "traffic.phase": st.sampled_from(["spread", "together"]),
    "traffic.ping": DURATIONS,
    "traffic.ping_timeout": DURATIONS,
    "traffic.turns": st.integers(0, 10**9),
    "traffic.message": LETTERS.map(lambda text: f"{text} {{turn.id}} {{data.question}}"),
    "traffic.mix": st.just({"ask": 8, "cancel": 1}),
    "traffic.data": ROWS,
    "chaos.cut.share": SHARES,
    "chaos.cut.at": BELOW_A_SECOND,
    "chaos.cut.every": DURATIONS,
    "chaos.slow_readers.share": SHARES,
    "chaos.slow_readers.rate": st.integers(1, 10**9).map(lambda size: f"{size}B/s"),
    "chaos.leavers.share": SHARES,
    "chaos.malformed.share": SHARES,
    "thresholds": THRESHOLDS
    | st.just(
        {"turns.complete.ratio": "none", "connections.ready.ratio": "none", "connections.ready": "> 1"}
    ),
    "abort.after": DURATIONS,
    "compare.primary": st.lists(st.sampled_from(["turn.first_event.p99.9", "turns.lost"]), max_size=2),
    "compare.smallest_effect": EFFECTS,
    "limits.connections": st.integers(10, 10**9),
    "limits.rate": st.just("1000000000000/s"),
    "limits.duration": st.just("100000d"),
}
"""By the whole name of a key what may be written for it; a new key fails below until it stands here."""

KINDS = {
    "turn": {"message": "{turn.id}"},
    "events": {"turn": ["id"], "count": 1},
    "turns": {"ask": {}, "cancel": {"messages": ["{turn.id}", {"pause": "1s"}, "x"], "end": [{"ok": True}]}},
}

RULED_OUT = {
    "target.health.pid": ("target.health.container", "target.health.node", "target.health.endpoint"),
    "target.health.container": ("target.health.node", "target.health.endpoint"),
    "target.health.node": ("target.health.endpoint",),
    "load.stages": ("load.connections", "load.duration"),
    "load.reconnect.": ("load.reconnect",),
    "traffic.rate": ("traffic.every",),
    "traffic.phase": ("traffic.arrivals",),
    "target.insecure": ("target.ca_file",),
}
"""By the beginning of a name the keys that go with none of that name."""

NEEDED = {
    "traffic.ping_timeout": ("traffic.ping",),
    "chaos.cut.": ("chaos.cut.share", "chaos.cut.at"),
    "chaos.slow_readers.": ("chaos.slow_readers.share", "chaos.slow_readers.rate"),
    "chaos.leavers": ("traffic.burst",),
    "chaos.malformed": ("traffic.burst",),
    "target.client_key": ("target.client_cert",),
}
"""By the beginning of a name the keys without which it is a mistake."""

ALWAYS = ("name", "protocol", "target.url", "limits.rate", "limits.duration")

CREDENTIALS = {
    "secret_env": ("claims", "lifetime", "send_as", "format", "algorithm", "key_id"),
    "token_command": ("refresh", "send_as"),
    "token_env": ("send_as", "format"),
    "token_file": ("name", "format"),
    "region": ("service", "profile", "lifetime"),
}
"""By what a credential is made of the keys that go with it."""


def nested(values: dict[str, Any]) -> dict[str, Any]:
    """Tables in tables, of values by whole names."""
    data: dict[str, Any] = {}
    for name, value in values.items():
        *tables, key = name.split(".")
        inner = data
        for table in tables:
            inner = inner.setdefault(table, {})
        inner[key] = value
    return data


@st.composite
def written(draw: st.DrawFn) -> dict[str, Any]:
    """A scenario as plain data: some of the keys, with those they need and without those they exclude."""
    names = {
        name for name in draw(st.sets(st.sampled_from(sorted(VALUES)), max_size=30)) if "auth." not in name
    }
    names |= set(ALWAYS)
    for name, others in NEEDED.items():
        names |= set(others) if any(each.startswith(name) for each in names) else set()
    if any(name.startswith("traffic.") for name in names):
        names |= {"traffic.every"}
    for name, others in RULED_OUT.items():
        names -= set(others) if any(each.startswith(name) for each in names) else set()
    made_of = draw(st.sampled_from(["", *CREDENTIALS]))
    if made_of:
        others = draw(st.sets(st.sampled_from(CREDENTIALS[made_of])))
        names |= {"target.auth.kind", *(f"target.auth.{each}" for each in (made_of, *others))}
    values = {name: draw(VALUES[name]) for name in sorted(names)}
    if made_of:
        values["target.auth.kind"] = "jwt" if made_of == "secret_env" else "token"
    data = nested(values)
    if "traffic.mix" in values:
        # Only a protocol that is written here has kinds of turn.
        data["traffic"].pop("message", None)
        data.get("chaos", {}).pop("slow_readers", None)
        data["protocol"] = KINDS
    if values.get("load.model") == "closed":
        for key in ("rate", "arrivals", "phase"):
            data.get("traffic", {}).pop(key, None)
    if "compare" in data and draw(st.booleans()):
        data["compare"]["turn.first_event.p99.9"] = draw(EFFECTS)
    if "abort" in data:
        data["abort"]["connections.refused"] = draw(EXPRESSION)
    return data


def test_every_key_is_among_those_that_are_tried() -> None:
    tried = settings_by_name()
    assert {name for name, key in tried.items() if key.type.keys is None or key.type.choices} | {
        "load.stages"
    } == set(VALUES)


def test_every_key_of_a_stage_is_among_those_that_are_tried() -> None:
    assert {key.name for key in STAGE_TABLE.keys} == {"for", "connections", "ramp", "thresholds"}


@given(written())
def test_a_worker_reads_the_scenario_that_was_sent(data: dict[str, Any]) -> None:
    try:
        scenario = scenario_from_settings(data)
    except ConfigError:
        reject()
    sent = json.loads(json.dumps(worker_settings(scenario), allow_nan=False))
    assert scenario_from_settings(sent) == scenario
