"""Every key of a scenario, each declared once: type, default, bounds, help and name.

These tables are used to read and check a file, to write the copy for a worker and what ``run.json`` keeps, to
make the tables "Every key" of the documentation, and to complete ``--set`` in a shell. The defaults are those
of the dataclasses in ``plan.scenario``, which hold what was read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from loadtest.catalog import STATISTICS
from loadtest.errors import ConfigError
from loadtest.plan.addresses import SIMULATOR
from loadtest.plan.conversation import Conversation
from loadtest.plan.conversation_file import read_steps, write_steps
from loadtest.plan.health import (
    Health,
    HealthMetric,
    check_health,
    check_metric,
    read_http_url,
    read_pid,
    write_pid,
)
from loadtest.plan.key_types import (
    BYTE_RATE,
    DURATION,
    EFFECT,
    ENVIRONMENT_VARIABLE,
    FILE,
    FLAG,
    FLAG_ON,
    MIX,
    OTHER_EFFECTS,
    OTHER_THRESHOLDS,
    PAIRS,
    PATH,
    POSITIVE_DURATION,
    PRIMARY,
    RATE,
    RATIO,
    ROWS,
    SHARE,
    SIZE,
    STAGE_THRESHOLDS,
    TEXT,
    TEXTS,
    THRESHOLDS_AND_TURNED_OFF,
    Key,
    KeyTable,
    KeyType,
    choice,
    integer,
    number,
    table_of,
    tables_of,
)
from loadtest.plan.mix import MAX_WEIGHT
from loadtest.plan.population_file import MAX_POPULATIONS, WrittenPopulation, part_table, with_populations
from loadtest.plan.prepare import (
    METHODS,
    PrepareStep,
    Undo,
    finish_request,
    finish_step,
    read_expect,
    read_json,
    write_expect,
)
from loadtest.plan.protocol import Protocol
from loadtest.plan.protocol_file import load_protocol, read_protocol
from loadtest.plan.scenario import (
    Abort,
    Auth,
    Chaos,
    Compare,
    Cut,
    Limits,
    Load,
    Population,
    Reconnect,
    Scenario,
    SlowReaders,
    Stage,
    Target,
    Traffic,
)
from loadtest.plan.settings import protocol_settings
from loadtest.plan.source_addresses import read_sources
from loadtest.plan.target import (
    ENVIRONMENT,
    NO_PROXY,
    check_target,
    finish_auth,
    read_claims,
    read_compression,
    read_connect_to,
    read_cookies,
    read_proxy,
    read_target_path,
    read_url,
    shown_connect_to,
    write_compression,
)
from loadtest.plan.threshold import METRICS, plain_names
from loadtest.plan.toml_reader import TomlTable, quoted

MAX_CONNECTIONS = 1_000_000
"""More than one machine can open; a larger number is a typing mistake."""

MAX_BURST = 100_000
MAX_TURNS = 1_000_000_000
MAX_TRIES = 10_000
MAX_FACTOR = 100.0
MAX_REDIRECTS = 10


# ---------------------------------------------------------------- where the load goes

AUTH_TABLE = KeyTable(
    title="target.auth",
    makes=Auth,
    keys=(
        Key(
            name="kind",
            type=choice("jwt", "token", "oauth2", "sigv4"),
            default="",
            missing='`kind` is missing; write kind = "jwt", "token", "oauth2" or "sigv4"',
            help="`jwt`: loadtest makes a token for each user. `token`: one token for all users. `oauth2`: "
            "one token for all users, by the client credentials grant. loadtest renews it before it expires. "
            "`sigv4`: loadtest signs the URL of each connection for AWS; needs `loadtest-ws[aws]`",
        ),
        Key(
            name="send_as",
            type=choice("header", "query", "subprotocol", "cookie"),
            help="how the token is sent: `header`, `query`, `subprotocol` or `cookie`",
        ),
        Key(
            name="name",
            type=TEXT,
            default=None,
            default_shown="`Authorization` for a header, else `token`",
            help="the name of the header, the query key or the cookie",
        ),
        Key(
            name="format",
            type=TEXT,
            default=None,
            default_shown="`Bearer {token}` in `Authorization`, `jwt.{token_base64url}` as a subprotocol, "
            "else `{token}`",
            help="a template of `{token}` or `{token_base64url}`",
        ),
        Key(
            name="secret_env",
            type=ENVIRONMENT_VARIABLE,
            default_shown="required for oauth2; this or `key_file` for jwt",
            help="jwt: the environment variable that holds the secret, or the private key as PEM. oauth2: "
            "the variable that holds the client's secret",
        ),
        Key(
            name="key_file",
            type=PATH,
            default_shown="this or `secret_env` is required for jwt",
            help="jwt: the PEM file of the private key",
        ),
        Key(
            name="algorithm",
            type=choice("HS256", "RS256", "ES256", "EdDSA"),
            unless_default=True,
            help="jwt: how tokens are signed; all but HS256 need `loadtest-ws[jwt]`",
        ),
        Key(name="key_id", type=TEXT, help="jwt: the `kid` in the token's header"),
        Key(
            name="token_env",
            type=ENVIRONMENT_VARIABLE,
            default_shown="this, `token_file` or `token_command` is required for token",
            help="token: the environment variable that holds the token",
        ),
        Key(
            name="token_file",
            type=PATH,
            default_shown="this, `token_env` or `token_command` is required for token",
            help="token: the file that holds the token, read for each connection",
        ),
        Key(
            name="token_command",
            type=TEXTS,
            default_shown="this, `token_env` or `token_file` is required for token",
            help="token: a program that prints the token, and its arguments, such as "
            '`["vault", "read", "-field=token", "ws"]`; loadtest runs it without a shell',
        ),
        Key(
            name="refresh",
            type=POSITIVE_DURATION,
            fields=("refresh_ns",),
            default_shown="never",
            help="token: loadtest runs `token_command` again after this time, for new connections",
        ),
        Key(
            name="token_url",
            type=TEXT,
            default_shown="required for oauth2",
            help="oauth2: the URL that issues tokens",
        ),
        Key(name="client_id", type=TEXT, default_shown="required for oauth2", help="oauth2: the client's id"),
        Key(name="scope", type=TEXT, help="oauth2: the requested scope"),
        Key(
            name="region",
            type=TEXT,
            default_shown="required for sigv4",
            help="sigv4: the region of the service, such as `eu-central-1`",
        ),
        Key(
            name="service",
            type=TEXT,
            applies=lambda auth: auth.kind == "sigv4",
            help="sigv4: the service's name in signatures: `execute-api` for API Gateway, `transcribe`, "
            "`iotdevicegateway`",
        ),
        Key(
            name="profile",
            type=TEXT,
            default_shown="`AWS_PROFILE`, or the variables `AWS_ACCESS_KEY_ID` and so on",
            help="sigv4: the profile that has the credentials, in the configuration files of AWS",
        ),
        Key(
            name="claims",
            type=KeyType(read_claims, lambda claims: {**claims[0], **claims[1]}),
            fields=("claims", "fixed_claims"),
            default=({"sub": "{user.id}"}, {}),
            default_shown='`{ sub = "{user.id}" }`',
            empty_matters=True,
            applies=lambda auth: auth.kind == "jwt",
            help="jwt: the claims of the token; text may contain placeholders",
        ),
        Key(
            name="lifetime",
            type=POSITIVE_DURATION,
            fields=("lifetime_ns",),
            applies=lambda auth: auth.kind in {"jwt", "sigv4"},
            help="jwt, sigv4: how long a token, or a signed URL, is valid",
        ),
    ),
    finish=finish_auth,
    hints={"secret": "a secret does not belong in a file; name its environment variable: `secret_env`"},
)

HEALTH_METRIC_TABLE = KeyTable(
    title="target.health.metrics",
    makes=HealthMetric,
    keys=(
        Key(
            name="name",
            type=TEXT,
            default="",
            missing='`name` is missing; thresholds use it: "target.NAME.max"',
            help="the metric's name in thresholds and reports",
        ),
        Key(
            name="url",
            type=KeyType(read_http_url),
            default="",
            missing="`url` is missing; write the address at which loadtest reads the metric",
            help="an endpoint in Prometheus' text format; with `query`, the address of a Prometheus server",
        ),
        Key(name="series", type=TEXT, default_shown="none", help="the name of a series of the endpoint"),
        Key(
            name="labels",
            type=PAIRS,
            help="labels that the series must have; loadtest adds up all series that have them",
        ),
        Key(name="rate", type=FLAG, help="the series is a counter: loadtest takes its increase per second"),
        Key(name="query", type=TEXT, default_shown="none", help="a PromQL expression with one value"),
    ),
    finish=check_metric,
    hints={"metric": "the name of a series is `series`"},
)

HEALTH_TABLE = KeyTable(
    title="target.health",
    makes=Health,
    keys=(
        Key(
            name="pid",
            type=KeyType(read_pid, write_pid, choices=("simulator",)),
            help="a process on the machine that leads the run, with its children; "
            '`"simulator"`: our own simulator',
        ),
        Key(
            name="container",
            type=TEXT,
            default_shown="none",
            help="name or id of a container; loadtest asks the engine at `DOCKER_HOST` or "
            "`/var/run/docker.sock`",
        ),
        Key(
            name="node",
            type=KeyType(read_http_url),
            default_shown="none",
            help="`/metrics` of a node_exporter: CPU, memory and open files of a whole machine",
        ),
        Key(
            name="endpoint",
            type=KeyType(read_http_url),
            default_shown="none",
            help="`/metrics` of the target itself, with the usual `process_cpu_seconds_total`, "
            "`process_resident_memory_bytes` and `process_open_fds`",
        ),
        Key(
            name="metrics",
            type=tables_of(HEALTH_METRIC_TABLE),
            help="further metrics, `[[target.health.metrics]]`, [below](#targethealth)",
        ),
    ),
    finish=check_health,
    hints={"prometheus": "a query belongs to [[target.health.metrics]], with `url` and `query`"},
)

TARGET_TABLE = KeyTable(
    title="target",
    makes=Target,
    keys=(
        Key(
            name="url",
            type=KeyType(read_url, choices=(SIMULATOR, "ws://", "wss://")),
            default=SIMULATOR,
            missing='`url` is missing; write url = "simulator" or url = "wss://..."',
            help="`ws://…`, `wss://…`, or `simulator`. A URL with a path other than `/` is used as it is, "
            "with its query. To any other URL, loadtest adds the protocol's path",
        ),
        Key(
            name="headers",
            type=PAIRS,
            help="a table of text. Values may contain placeholders of the user. `{env.NAME}` and "
            "`{secret.NAME}` are an environment variable",
        ),
        Key(
            name="cookies",
            type=KeyType(read_cookies, lambda found: {**found[0], **({"keep": True} if found[1] else {})}),
            fields=("cookies", "keep_cookies"),
            default_shown="none",
            help="like `headers`. With `keep = true`, the later connections of a user also send the cookies "
            "that the target set",
        ),
        Key(name="query", type=PAIRS, help="like `headers`; added to the URL"),
        Key(
            name="auth",
            type=table_of(AUTH_TABLE),
            help="the source of a virtual user's credential, [below](#targetauth)",
        ),
        Key(
            name="identities",
            type=ROWS,
            help="a CSV file, or rows written here, with one row for every virtual user: `{user.COLUMN}`. No "
            "row is used twice. If all users share a value, such as one account, write it in the protocol "
            "itself or as `{secret.NAME}`",
        ),
        Key(
            name="before_connect",
            type=TEXTS,
            help="names of values that [your Python code](python.md#before-a-connection) sets before each "
            "connection. Placeholders are `{user.NAME}`. If no code sets a value, it is empty",
        ),
        Key(
            name="insecure",
            type=FLAG,
            help="loadtest does not verify the certificate; every report says this",
        ),
        Key(
            name="ca_file",
            type=FILE,
            default_shown="the system's",
            help="certificates to trust instead of the system's",
        ),
        Key(name="client_cert", type=FILE, help="a client certificate"),
        Key(name="client_key", type=FILE, help="the key of `client_cert`, if that file does not contain it"),
        Key(
            name="compression",
            type=KeyType(read_compression, write_compression, choices=("true", "false")),
            fields=("compression", "compress_sent"),
            default_shown="`false`",
            help="`true`: loadtest offers permessage-deflate. The target may then compress what it sends; "
            "loadtest does not. `{ send = true }`: loadtest compresses too, [below](#compression)",
        ),
        Key(
            name="connect_timeout",
            type=POSITIVE_DURATION,
            fields=("connect_timeout_ns",),
            help="the time limit for TCP, TLS and upgrade together. The lookup of the name, before the load, "
            "has the same limit of its own",
        ),
        Key(
            name="max_message",
            type=SIZE,
            fields=("max_message_bytes",),
            help="the largest message; a larger message closes the connection with code 1009",
        ),
        Key(
            name="faults",
            type=TEXTS,
            help="a list of faults of our own simulator (`loadtest simulator --help`), such as "
            '`["gap=20ms"]`; no other target has them',
        ),
        Key(
            name="source_addresses",
            type=KeyType(read_sources, list),
            default_shown="the system chooses",
            help="addresses, or networks of addresses, of the generator's machine. Each user connects from "
            "one of them; every address serves equally many users, [below](#more-connections-than-ports)",
        ),
        Key(
            name="addresses",
            type=choice("first", "rotate", "all"),
            unless_default=True,
            help="which addresses connections use if the name has several. `first`: connections try them in "
            "the system's order, the next after 250 ms or a failure (RFC 8305). `rotate`: each user "
            "begins with another address. `all`: like `rotate`, but a connection tries only one address, so "
            "every address must answer",
        ),
        Key(
            name="health",
            type=table_of(HEALTH_TABLE),
            help="CPU, memory and other metrics of the target itself, sampled each second, "
            "[below](#targethealth)",
        ),
        Key(
            name="connect_to",
            type=KeyType(read_connect_to, shown_connect_to),
            default_shown="that of `url`",
            help='host and port to connect to, such as `"10.0.0.5:443"`; the `Host` header and the name in '
            "TLS stay those of `url`",
        ),
        Key(
            name="path",
            type=KeyType(read_target_path),
            default_shown="that of `url`, or the protocol's",
            help="the path of each user's connection, such as `/rooms/{prepared.room}`. loadtest "
            "percent-encodes the values of placeholders. If the path is only one placeholder, its value is "
            "used unchanged, as a path or as a whole URL",
        ),
        Key(
            name="proxy",
            type=KeyType(read_proxy, choices=(ENVIRONMENT, NO_PROXY)),
            unless_default=True,
            help="`environment`: loadtest uses `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, "
            "unless the target is on this machine. `none`: no proxy. Or the proxy's URL, such as "
            "`http://proxy.example:3128`",
        ),
        Key(
            name="follow_redirects",
            type=integer(0, MAX_REDIRECTS),
            unless_default=True,
            help="how many redirects (301, 302, 307, 308) an upgrade may follow; loadtest sends no "
            "credential to another host",
        ),
        Key(
            name="subprotocols",
            type=TEXTS,
            default_shown="the protocol's",
            empty_matters=True,
            help="subprotocols to offer instead of the protocol's",
        ),
    ),
    finish=check_target,
    hints={
        "host": "the whole address is `url`",
        "timeout": "[traffic] has `timeout`, for turns; here it is `connect_timeout`",
        "tls": "a `url` that begins with wss:// has TLS",
    },
)


# ---------------------------------------------------------------- connections


_OLD_NAMES = {"first": "initial_delay", "most": "max_delay"}


def _check_reconnect(table: TomlTable, reconnect: Reconnect) -> Reconnect:
    if reconnect.max_delay_ns < reconnect.initial_delay_ns:
        first, most = (key if table.has(key) else usual for key, usual in _OLD_NAMES.items())
        table.report(most, f"`{most}` must be at least `{first}`")
    return reconnect


RECONNECT_TABLE = KeyTable(
    title="load.reconnect",
    makes=Reconnect,
    keys=(
        Key(
            name="initial_delay",
            alias="first",
            stored_as="first",
            type=POSITIVE_DURATION,
            fields=("initial_delay_ns",),
            help="the wait before the first try",
        ),
        Key(name="factor", type=number(1, MAX_FACTOR), help="each further wait is this many times as long"),
        Key(
            name="max_delay",
            alias="most",
            stored_as="most",
            type=POSITIVE_DURATION,
            fields=("max_delay_ns",),
            help="the longest wait",
        ),
        Key(
            name="jitter",
            type=RATIO,
            help="each wait is shortened by a random fraction, at most this one; `seed` decides it",
        ),
        Key(
            name="tries",
            type=integer(1, MAX_TRIES),
            help="the user gives up after this many failed tries in a row",
        ),
    ),
    finish=_check_reconnect,
)


def _read_reconnect(table: TomlTable, key: str, default: Reconnect | None) -> Reconnect | None:
    """True, or a table; None where it is false."""
    value = table.take(key)
    if isinstance(value, Mapping):
        return RECONNECT_TABLE.read(table.table(key))
    if not isinstance(value, bool):
        table.report(key, f"`{key}` must be true or a table, not {quoted(value)}")
    return Reconnect() if value is True else default


STAGE_TABLE = KeyTable(
    title="load.stages",
    makes=Stage,
    keys=(
        Key(
            name="for",
            alias="duration",
            stored_as="for",
            type=POSITIVE_DURATION,
            fields=("for_ns",),
            default=1_000_000_000,
            missing="a stage needs `for`",
            help="how long the stage lasts; `duration` means the same",
        ),
        Key(
            name="connections",
            type=integer(0, MAX_CONNECTIONS),
            default=1,
            missing="a stage needs `connections`",
            help="how many connections are open at the end of the stage",
        ),
        Key(
            name="ramp",
            type=FLAG,
            help="`true`: reach this number evenly over the stage. `false`: reach it at the start of the "
            "stage, as fast as `connect_rate` allows",
        ),
        Key(
            name="thresholds",
            type=STAGE_THRESHOLDS,
            help="[thresholds](#thresholds) for this stage alone",
        ),
    ),
)


def _finish_load(table: TomlTable, load: Load) -> Load:
    """With stages, their greatest number of connections and the sum of their durations."""
    stages = load.stages
    if not stages:
        return load
    for key, whose in (("duration", "is the sum of the stages"), ("connections", "is set in each stage")):
        if table.has(key):
            table.report(key, f"`{key}` {whose}; leave it out, or leave out `stages`")
    connections = max(stage.connections for stage in stages)
    if connections == 0:
        table.report("stages", "no stage has a connection")
    if load.warmup_ns and stages[0].ramp:
        table.report("warmup", "`warmup` would have no connections: the first stage ramps up from none")
    return replace(load, connections=connections, duration_ns=sum(stage.for_ns for stage in stages))


def _without_stages(load: Load) -> bool:
    return not load.stages


LOAD_KEYS = (
    Key(
        name="model",
        type=choice("open", "closed"),
        help="`open`: turns fall due by the clock. `closed`: the next burst waits for the previous one. See "
        "[measuring](measuring.md#open-and-closed)",
    ),
    Key(
        name="warmup",
        type=DURATION,
        fields=("warmup_ns",),
        help="how long the load runs before `duration`; its results are separate",
    ),
    Key(
        name="seed",
        type=integer(),
        help="seed of everything that is random; the same seed gives the same plan",
    ),
    Key(
        name="connect_rate",
        type=RATE,
        default_shown="unlimited",
        help="how fast connections open, evenly spaced",
    ),
    Key(
        name="reconnect",
        type=KeyType(_read_reconnect, RECONNECT_TABLE.write, choices=("true", "false"), keys=RECONNECT_TABLE),
        default_shown="`false`: nothing",
        help="what a user does after its connection was lost or refused, [below](#coming-back)",
    ),
    Key(
        name="connections",
        type=integer(1, MAX_CONNECTIONS),
        applies=_without_stages,
        help="how many connections; with `stages`, each stage has its own number",
    ),
    Key(
        name="duration",
        type=POSITIVE_DURATION,
        fields=("duration_ns",),
        applies=_without_stages,
        help="how long the measurement lasts; with `stages`, the sum of the stages",
    ),
    Key(
        name="stages",
        type=tables_of(STAGE_TABLE),
        help='`[{ for = "10s", connections = 10 }, { for = "20s", connections = 200, ramp = true }]`, '
        "[below](#loadstages)",
    ),
)


# ---------------------------------------------------------------- what they send

TRAFFIC_KEYS = (
    Key(name="burst", type=integer(1, MAX_BURST), help="turns sent back to back"),
    Key(
        name="timeout",
        type=POSITIVE_DURATION,
        fields=("timeout_ns",),
        help="the time limit of a turn. A due turn also waits this long for its connection. At its end the "
        "run waits this long for the last answers (drain)",
    ),
    Key(
        name="every",
        type=DURATION,
        fields=("every_ns",),
        default_shown="open: this or `rate` is required; closed: none",
        help="open: how often a burst falls due on each connection. closed: think time after a burst",
    ),
    Key(name="rate", type=RATE, help="open: turns per second over all connections, instead of `every`"),
    Key(
        name="arrivals",
        type=choice("constant", "poisson"),
        unless_default=True,
        help="open model. `constant`: turns fall due at equal intervals. `poisson`: at random intervals",
    ),
    Key(
        name="phase",
        type=choice("spread", "together"),
        unless_default=True,
        help="open model, constant arrivals. `spread`: connections send one after the other. `together`: all "
        "connections send at the same instant",
    ),
    Key(
        name="ping",
        type=POSITIVE_DURATION,
        fields=("ping_ns",),
        help="how often each connection sends a WebSocket ping; `ping.rtt` is the time to its answer",
    ),
    Key(
        name="ping_timeout",
        type=POSITIVE_DURATION,
        fields=("ping_timeout_ns",),
        default_shown="`timeout`",
        help="loadtest gives up a connection if a ping stays unanswered for this long and no byte arrives",
    ),
    Key(
        name="turns",
        type=integer(0, MAX_TURNS),
        default_shown="no limit",
        help="turns per connection; the run ends when all are done, or at `duration`. With 0, connections "
        "stay open and send nothing",
    ),
    Key(
        name="mix",
        type=MIX,
        default_shown="every turn is that of the protocol's `[turn]`",
        help="[kinds of turn](protocols.md#kinds-of-turn) by weight, such as `{ ask = 8, cancel = 1 }`, "
        "16 at most. The seed decides the kind of each turn",
    ),
    Key(
        name="message",
        type=TEXT,
        default_shown="the protocol's",
        help="the message to send instead of the protocol's",
    ),
    Key(
        name="data",
        type=ROWS,
        default_shown="a built-in list of questions",
        help="rows for `{data.COLUMN}`: a CSV file, or rows written here",
    ),
)


CONVERSATION_TABLE = KeyTable(
    title="conversation",
    makes=Conversation,
    keys=(
        Key(
            name="name",
            type=TEXT,
            default="",
            missing='a conversation needs a `name`, such as name = "support"',
            help="the conversation's name in metrics: letters, digits, `_`, `-`",
        ),
        Key(
            name="weight",
            type=integer(1, MAX_WEIGHT),
            help="how often users choose it, relative to the other conversations",
        ),
        Key(
            name="steps",
            type=KeyType(lambda table, key, _: read_steps(table, key), write_steps),
            default=(),
            missing='a conversation needs `steps`, such as [{ turn = "ask" }, { think = "2s" }]',
            empty_matters=True,
            help="the steps, in order, [below](#conversation)",
        ),
    ),
)


# ---------------------------------------------------------------- by HTTP, before a connection

_REQUEST_KEYS = (
    *(
        Key(
            name=method,
            type=TEXT,
            default_shown="one of these is required" if method == "get" else "",
            help=f"the URL of a {method.upper()}",
        )
        for method in METHODS
    ),
    Key(name="headers", type=PAIRS, help="headers of the request; loadtest adds nothing of [target]"),
    Key(
        name="json",
        type=KeyType(read_json),
        default_shown="none",
        help="the body as JSON: a table, or any other value; text in it may contain placeholders",
    ),
    Key(name="form", type=PAIRS, help="the body as a form"),
)

_WITHIN = Key(
    name="within",
    type=POSITIVE_DURATION,
    fields=("within_ns",),
    help="the time limit for the request, its redirects and its answer together",
)

UNDO_TABLE = KeyTable(title="prepare.undo", makes=Undo, keys=(*_REQUEST_KEYS, _WITHIN), finish=finish_request)

PREPARE_TABLE = KeyTable(
    title="prepare",
    makes=PrepareStep,
    keys=(
        Key(
            name="name",
            type=TEXT,
            default="",
            missing='a step needs a `name`, such as name = "login"',
            help="the step's name in times and refusals: letters, digits, `_`, `-`",
        ),
        *_REQUEST_KEYS,
        Key(
            name="expect",
            type=KeyType(read_expect, write_expect),
            default_shown="200 to 299",
            help="the status, or a list of statuses, that means success; any other status refuses the "
            "connection",
        ),
        Key(
            name="keep",
            type=PAIRS,
            help='values of the answer to store: `{ room = "data.id" }` becomes the placeholder '
            "`{prepared.room}`. A place is a path into JSON, `header:NAME` or `cookie:NAME`",
        ),
        _WITHIN,
        Key(
            name="once",
            type=choice("connection", "user", "process"),
            unless_default=True,
            help="`connection`: before each connection, also after a loss. `user`: before the first "
            "connection of a user. `process`: once in each process, by the first user that needs it",
        ),
        Key(
            name="undo",
            type=table_of(UNDO_TABLE),
            default=None,
            default_shown="nothing",
            help="a request that reverses the step when its user or the run has ended, or before the step "
            "is repeated",
        ),
    ),
    finish=finish_step,
)


# ---------------------------------------------------------------- injected faults

_SHARE_MISSING = '`%s` needs `share`; write for example { share = "10%%" }'

CUT_TABLE = KeyTable(
    title="chaos.cut",
    makes=Cut,
    keys=(
        Key(
            name="share",
            type=SHARE,
            default=1.0,
            missing=_SHARE_MISSING % "cut",
            help="the share of the users, rounded, who lose their connection by a TCP reset",
        ),
        Key(
            name="at",
            type=DURATION,
            fields=("at_ns",),
            default=0,
            missing='`cut` needs `at`, the time after the start of the run, such as at = "5s"',
            help="the time after the start of the run, warm-up included",
        ),
        Key(
            name="every",
            type=POSITIVE_DURATION,
            fields=("every_ns",),
            default_shown="once",
            help="how often the cut is repeated after `at`; loadtest chooses the users anew each time",
        ),
    ),
)

SLOW_READERS_TABLE = KeyTable(
    title="chaos.slow_readers",
    makes=SlowReaders,
    keys=(
        Key(
            name="share",
            type=SHARE,
            default=1.0,
            missing=_SHARE_MISSING % "slow_readers",
            help="the share of the users who read slowly once they are ready",
        ),
        Key(
            name="rate",
            type=BYTE_RATE,
            fields=("bytes_per_s",),
            default=1,
            missing='`slow_readers` needs `rate`, such as rate = "4KiB/s"',
            help='how fast they read, such as `"4KiB/s"`; their receive buffer is 4 KiB, so that the '
            "target notices",
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class TurnShare:
    """A share of the turns."""

    share: float


def _turn_share(name: str, what: str) -> Key:
    """A key with a table of nothing but ``share``, in whose place the scenario has the share itself."""
    missing = _SHARE_MISSING % name
    keys = KeyTable(
        title=f"chaos.{name}",
        makes=TurnShare,
        keys=(
            Key(
                name="share", type=SHARE, default=1.0, missing=missing, help=f"the share of the turns {what}"
            ),
        ),
    )
    kind = KeyType(
        lambda table, key, _: keys.read(table.table(key)).share,
        lambda share: keys.write(TurnShare(share)),
        keys=keys,
    )
    return Key(name=name, type=kind, unless_default=True, default_shown="none", help=f"turns {what}")


CHAOS_KEYS = (
    Key(name="cut", type=table_of(CUT_TABLE), help="users whose connection is dropped"),
    Key(name="slow_readers", type=table_of(SLOW_READERS_TABLE), help="users who read slowly"),
    _turn_share(
        "leavers",
        "in which the user leaves after the first event. The close code is 1001, as from a closed browser "
        "tab; the user waits for no answer",
    ),
    _turn_share(
        "malformed",
        "before which loadtest sends a broken message on the same connection. This is half of the "
        "protocol's message, a list instead of an object, an empty message, or an object of "
        "10,000 characters",
    ),
)


def _belongs(table: str, keys: tuple[Key, ...]) -> dict[str, str]:
    return {key.name: f"it belongs to [{table}]" for key in keys}


LOAD_TABLE = KeyTable(
    title="load",
    makes=Load,
    keys=LOAD_KEYS,
    finish=_finish_load,
    hints={**_belongs("traffic", TRAFFIC_KEYS), **_belongs("chaos", CHAOS_KEYS)},
)


def _check_pings(table: TomlTable, traffic: Traffic) -> Traffic:
    if traffic.ping_timeout_ns is not None and traffic.ping_ns is None:
        table.report("ping_timeout", "`ping_timeout` needs `ping`, which is missing")
    return traffic


TRAFFIC_TABLE = KeyTable(
    title="traffic",
    makes=Traffic,
    keys=TRAFFIC_KEYS,
    finish=_check_pings,
    hints={**_belongs("load", LOAD_KEYS), **_belongs("chaos", CHAOS_KEYS)},
)

CHAOS_TABLE = KeyTable(title="chaos", makes=Chaos, keys=CHAOS_KEYS)


# ---------------------------------------------------------------- early end, comparison, limits


def _check_abort(table: TomlTable, abort: Abort) -> Abort:
    if table.has("after") and not table.data.keys() - {"after"}:
        table.report("after", "`after` says from when the rules of [abort] count, but there is no rule")
    return abort


ABORT_TABLE = KeyTable(
    title="abort",
    makes=Abort,
    keys=(
        Key(
            name='"NAME"',
            type=OTHER_THRESHOLDS,
            fields=("rules",),
            rest=True,
            help="names and expressions as in [thresholds](#thresholds); the run ends early when any of them "
            "is true",
        ),
        Key(
            name="after",
            type=DURATION,
            fields=("after_ns",),
            applies=lambda abort: bool(abort.rules),
            help="no rule ends the run before this time of the run",
        ),
    ),
    finish=_check_abort,
)

COMPARE_TABLE = KeyTable(
    title="compare",
    makes=Compare,
    keys=(
        Key(
            name="primary",
            type=PRIMARY,
            default_shown="those of the thresholds, and `turns.complete.ratio`",
            help="the metrics that decide, with names as in [thresholds](#thresholds), 6 at most",
        ),
        Key(
            name="smallest_effect",
            type=EFFECT,
            unless_default=True,
            help="differences below it do not matter; for a ratio, in points",
        ),
        Key(
            name='"NAME"',
            type=OTHER_EFFECTS,
            fields=("effects",),
            rest=True,
            default_shown="`smallest_effect`",
            help="the smallest effect of this one metric",
        ),
    ),
)

LIMITS_TABLE = KeyTable(
    title="limits",
    makes=Limits,
    keys=(
        Key(name="connections", type=integer(1), help="loadtest refuses a plan with more connections"),
        Key(name="rate", type=RATE, help="loadtest refuses a plan with more turns per second"),
        Key(
            name="duration",
            type=POSITIVE_DURATION,
            fields=("duration_ns",),
            help="loadtest refuses a plan that is longer",
        ),
    ),
)


# ---------------------------------------------------------------- the whole file


def _read_protocol(table: TomlTable, key: str, default: Protocol) -> Protocol:
    """The protocol; the default where it cannot be read, which has been reported then."""
    written = table.take(key)
    if isinstance(written, Mapping):
        before = len(table.source.problems)
        protocol = read_protocol(table.table(key), "inline")
        return protocol if len(table.source.problems) == before else default
    if not isinstance(written, str):
        table.report(key, f"`{key}` must be a name or a path, not {quoted(written)}")
        return default
    try:
        return load_protocol(written, table.source.base)
    except ConfigError as error:
        for problem in error.problems:
            if problem.where:
                table.source.problems.append(problem)
            else:
                table.report(key, f"`{key}`: {problem.sentence}")
        return default


def _with_those_of_stages(table: TomlTable, scenario: Scenario) -> Scenario:
    """The thresholds of stages with all others; traffic also where only conversations say what is sent."""
    of_stages = (each for stage in scenario.load.stages for each in stage.thresholds)
    scenario = replace(scenario, thresholds=(*scenario.thresholds, *of_stages))
    return with_populations(table, _with_traffic(table, scenario))


def _with_traffic(_: TomlTable, scenario: Scenario) -> Scenario:
    traffic = scenario.traffic or (Traffic() if scenario.conversations else None)
    return replace(scenario, traffic=traffic)


PROTOCOL_KEY = Key(
    name="protocol",
    type=KeyType(_read_protocol, protocol_settings),
    default=Protocol(name=""),
    missing='`protocol` is missing; write for example protocol = "agent-events"',
    help="the name of a shipped protocol (`loadtest protocols`), the path of a [protocol](protocols.md) "
    "file, or its tables written here",
)

TARGET_KEY = Key(
    name="target",
    type=table_of(TARGET_TABLE),
    implied=True,
    default_shown="required",
    help="where the load goes, [below](#target)",
)

LOAD_KEY = Key(
    name="load",
    type=table_of(LOAD_TABLE),
    implied=True,
    default_shown="[below](#load)",
    help="how many connections, for how long, [below](#load)",
)

CHAOS_KEY = Key(
    name="chaos",
    type=table_of(CHAOS_TABLE),
    default_shown="none",
    help="what goes wrong on purpose, [below](#chaos)",
)

CONVERSATION_KEY = Key(
    name="conversation",
    type=tables_of(CONVERSATION_TABLE),
    fields=("conversations",),
    default_shown="none: single turns",
    help="what users say instead of single turns, `[[conversation]]`, [below](#conversation)",
)

TRAFFIC_KEY = Key(
    name="traffic",
    type=table_of(TRAFFIC_TABLE),
    help="what a connection sends, and when, [below](#traffic)",
)

PART_TABLE = KeyTable(
    title="",
    makes=Scenario,
    given={"name": "", "question": "", "path": "", "sha256": ""},
    keys=(PROTOCOL_KEY, TARGET_KEY, LOAD_KEY, CHAOS_KEY, CONVERSATION_KEY, TRAFFIC_KEY),
    finish=_with_traffic,
)
"""What the users of a population are and do: a scenario without what the whole run is judged by."""


def _own(name: str, help: str) -> Key:  # noqa: A002 - as the field is called
    written = KeyType(lambda table, key, _: table.take(key))
    return Key(name=name, type=written, default=None, default_shown="the file's", help=help)


POPULATION_TABLE = KeyTable(
    title="population",
    makes=WrittenPopulation,
    keys=(
        Key(
            name="name",
            type=TEXT,
            default="",
            missing='a population needs a `name`, such as name = "listeners"',
            help="the population's name in metrics: letters, digits, `_`, `-`",
        ),
        Key(
            name="inherits",
            type=FLAG_ON,
            default=True,
            help="`true`: keys that the population leaves out come from the file's own tables. `false`: it "
            "inherits nothing",
        ),
        _own("protocol", "instead of the file's protocol"),
        _own("target", "like [target], key by key, but not `url`, `connect_to`, `health` and `faults`"),
        _own("load", "like [load], key by key, but not `duration` and `warmup`"),
        _own("traffic", "like [traffic], key by key"),
        _own("conversation", "`[[population.conversation]]`, instead of the file's conversations"),
        _own("chaos", "like [chaos], key by key, but not `slow_readers`"),
    ),
    hints={
        "connections": "write `load.connections`",
        "every": "write `traffic.every`",
        "rate": "write `traffic.rate`",
        "identities": "write `target.identities`",
        "thresholds": 'write "NAME[POPULATION].p95" in [thresholds] of the file',
    },
)


def _read_populations(table: TomlTable, key: str, _: object) -> tuple[Population, ...]:
    rows = table.tables(key)
    if len(rows) > MAX_POPULATIONS:
        table.report(key, f"there may be {MAX_POPULATIONS} populations, not {len(rows)}")
        return ()
    found = []
    for row in rows:
        said = POPULATION_TABLE.read(row)
        part = PART_TABLE.read(part_table(table, int(row.path[-1])))
        found.append(Population(said.name, replace(part, name=said.name)))
    return tuple(found)


def _write_population(population: Population) -> dict[str, object]:
    """All that it is, so that it need not inherit anything."""
    return {"name": population.name, "inherits": False, **PART_TABLE.write(population.scenario)}


SCENARIO_TABLE = KeyTable(
    title="",
    makes=Scenario,
    given={"path": "", "sha256": ""},
    keys=(
        Key(
            name="name",
            type=TEXT,
            default="",
            default_shown="the file's name",
            help="the scenario's name in reports and folders: letters, digits, `.`, `_`, `-`",
        ),
        Key(
            name="question",
            type=TEXT,
            default="",
            default_shown="the first comment",
            help="the question that the run answers",
        ),
        PROTOCOL_KEY,
        TARGET_KEY,
        LOAD_KEY,
        CHAOS_KEY,
        Key(
            name="thresholds",
            type=THRESHOLDS_AND_TURNED_OFF,
            fields=("thresholds", "turned_off"),
            default_shown="[by default](#thresholds)",
            help="what the run is judged by, [below](#thresholds)",
        ),
        Key(
            name="abort",
            type=table_of(ABORT_TABLE),
            default_shown="none",
            help="what ends the run early, [below](#abort)",
        ),
        Key(
            name="compare",
            type=table_of(COMPARE_TABLE),
            default_shown="[below](#compare)",
            help="how runs of the scenario are compared, [below](#compare)",
        ),
        Key(
            name="limits",
            type=table_of(LIMITS_TABLE),
            default_shown="[below](#limits)",
            help="limits that keep a typing mistake from becoming an attack, [below](#limits)",
        ),
        CONVERSATION_KEY,
        TRAFFIC_KEY,
        Key(
            name="prepare",
            type=tables_of(PREPARE_TABLE),
            default_shown="none",
            help="HTTP requests before a connection, `[[prepare]]`, [below](#prepare)",
        ),
        Key(
            name="population",
            type=KeyType(
                _read_populations,
                lambda found: [_write_population(each) for each in found],
                keys=POPULATION_TABLE,
                listed=True,
            ),
            fields=("populations",),
            default_shown="none: all users are alike",
            help="groups of users with load, traffic, protocol or identities of their own, "
            "`[[population]]`, [below](#population)",
        ),
    ),
    finish=_with_those_of_stages,
    hints={
        **_belongs("load", LOAD_KEYS),
        **_belongs("traffic", TRAFFIC_KEYS),
        **_belongs("chaos", CHAOS_KEYS),
        "url": "it belongs to [target]",
        "auth": "it belongs to [target]",
        "conversations": "each is written as [[conversation]]",
        "populations": "each is written as [[population]]",
        "stage": "stages are a list in [load]",
        "stages": "stages are a list in [load]",
    },
)


# ---------------------------------------------------------------- what is made of the tables


def all_tables() -> Iterator[KeyTable[Any]]:
    """The table of the whole file, then each table in it, in the order of declaration."""
    found: list[KeyTable[Any]] = [SCENARIO_TABLE]
    while found:
        table = found.pop(0)
        yield table
        found = [*(key.type.keys for key in table.keys if key.type.keys is not None), *found]


def settings_by_name() -> dict[str, Key]:
    """Every key that has a whole name, such as ``load.connections``; those of a listed table have none."""
    listed = {
        key.type.keys.title
        for table in all_tables()
        for key in table.keys
        if key.type.listed and key.type.keys
    }
    return {
        f"{table.title}.{key.name}".lstrip("."): key
        for table in all_tables()
        if not any(table.title == each or table.title.startswith(f"{each}.") for each in listed)
        for key in table.keys
        if not key.rest
    }


def complete_setting(beginning: str) -> list[tuple[str, str]]:
    """What a ``KEY=VALUE`` that begins so may be, and the help of its key."""
    name, equals, value = beginning.partition("=")
    known = settings_by_name()
    if equals:
        if name not in known:
            return []
        key = known[name]
        return [(f"{name}={each}", key.help) for each in key.type.choices if each.startswith(value)]
    names = {each: key.help for each, key in known.items() if key.type.keys is None or key.type.choices}
    measured = [*plain_names(), *(f"{metric}.{statistic}" for metric in METRICS for statistic in STATISTICS)]
    for table in ("thresholds", "abort"):
        names |= {f"{table}.{each}": known[table].help for each in measured}
    del names["thresholds"]
    return [(f"{each}=", text) for each, text in names.items() if each.startswith(beginning)]
