from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.errors import ConfigError
from loadtest.simulator.options import Options, parse_options, to_arguments

times = st.integers(1, 10**13)
given_options = st.builds(
    Options,
    host=st.sampled_from(["127.0.0.1", "::1", "backend"]),
    port=st.integers(0, 65_535),
    faults=st.lists(st.sampled_from(["drop=0.05", "no-seq", "delay=uniform:1ms,9ms"]), unique=True).map(
        tuple
    ),
    seed=st.integers(-(10**9), 10**9),
    jwt_secret_env=st.none() | st.just("SECRET"),
    compression=st.booleans(),
    partials=st.integers(0, 100),
    heartbeat_ns=st.none() | times,
    slow_reader_ns=times,
    max_ns=st.none() | times,
    max_connections=st.integers(1, 10**6),
    while_stdin=st.booleans(),
)


@given(given_options)
def test_a_command_line_is_read_back_to_the_same_options(options: Options) -> None:
    assert parse_options(to_arguments(options)) == options


def test_defaults_need_no_command_line() -> None:
    assert to_arguments(Options()) == []
    assert parse_options([]) == Options()


def test_values_stand_after_a_space_or_an_equals_sign() -> None:
    options = parse_options(["--port", "8765", "--fault", "drop=0.05", "--fault=no-seq", "--compression"])
    assert options == Options(port=8765, faults=("drop=0.05", "no-seq"), compression=True)


def test_a_certificate_and_its_key_come_together() -> None:
    assert parse_options(["--cert", "c.pem", "--key", "k.pem"]).cert == Path("c.pem")
    with pytest.raises(ConfigError, match="both a certificate and its key"):
        parse_options(["--cert", "c.pem"])


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_options(["--prot", "x", "--port", "70000", "--fault", "dorp=1", "--heartbeat=5", "--seed"])
    told = str(caught.value)
    assert 'did you mean "--port"?' in told
    assert "from 0 to 65535" in told
    assert 'did you mean "drop=P' in told
    assert "it has no unit" in told
    assert "--seed: needs a value" in told


@given(st.lists(st.text() | st.sampled_from(["--port", "--fault", "--cert", "--compression", "1", "drop=1"])))
def test_any_command_line_is_read_or_a_mistake_of_the_user(arguments: list[str]) -> None:
    with suppress(ConfigError):
        assert isinstance(parse_options(arguments), Options)
