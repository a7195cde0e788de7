"""How each kind of probe is written in a policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from loadtest.plan.toml_reader import TomlTable, quoted
from loadtest.readiness.probe import (
    CommandProbe,
    ContainersProbe,
    DatabaseProbe,
    DnsProbe,
    GrpcProbe,
    HttpProbe,
    JunitProbe,
    KubernetesProbe,
    Probe,
    PrometheusProbe,
    RedisProbe,
    ResourcesProbe,
    TcpProbe,
    TlsProbe,
    WebsocketProbe,
)
from loadtest.readiness.secrets import secrets_in

MAX_SAMPLES = 1000
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MAX_REDIRECTS = 10
WORKLOAD_KINDS = ("deployment", "statefulset", "daemonset", "job", "pod")


def read_probe(kind: str, table: TomlTable) -> Probe:
    """The probe of a component's table; mistakes are reported and answered with something harmless."""
    return _READERS[kind](table)


def _needed(table: TomlTable, key: str, example: str) -> str:
    if not table.has(key):
        table.take(key)
        table.source.report(table.path, f"`{key}` is missing; write for example {key} = {example}")
        return ""
    return table.text(key, "")


def _url(table: TomlTable, schemes: Mapping[str, str]) -> str:
    example = next(iter(schemes.values()))
    url = _needed(table, "url", f'"{example}"')
    if url and "{env." not in url and urlsplit(url).scheme not in schemes:
        table.report("url", f"`url` must begin with {' or '.join(f'{each}://' for each in schemes)}")
    return url


def _samples(table: TomlTable, default: int = 20) -> int:
    return table.integer("samples", default, least=1, most=MAX_SAMPLES)


def _http(table: TomlTable) -> HttpProbe:
    schemes = {"http": "http://127.0.0.1:8000/health", "https": "https://api.example/health"}
    return HttpProbe(
        url=_url(table, schemes),
        method=table.choice("method", {each: each for each in METHODS}, "GET"),
        body=table.text("body", None),
        redirects=table.integer("redirects", 0, least=0, most=MAX_REDIRECTS),
        release=table.text("release", None),
        headers=table.pairs("headers"),
        statuses=_integers(table, "statuses", (200,)),
        fields=_fields(table),
        shown=table.texts("shown"),
        contains=table.text("contains", None),
        samples=_samples(table),
        insecure=table.flag("insecure"),
        ca_file=table.text("ca_file", None),
    )


def _integers(table: TomlTable, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
    value = table.take(key)
    if value is None:
        return default
    if isinstance(value, list) and value and all(type(each) is int for each in value):
        return tuple(value)
    table.report(key, f"`{key}` must be a list of whole numbers such as [200, 204], not {quoted(value)}")
    return default


def _fields(table: TomlTable) -> dict[str, tuple[object, ...]]:
    fields = table.table("fields")
    found: dict[str, tuple[object, ...]] = {}
    for path in fields.data:
        value = fields.take(path)
        values = tuple(value) if isinstance(value, list) else (value,)
        if not all(isinstance(each, str | int | float | bool) for each in values):
            fields.report(path, f"`{path}` must be the expected value or a list of expected values")
        found[path] = values
    return found


def _tcp(table: TomlTable) -> TcpProbe:
    port = table.integer("port", 0, least=1, most=65535)
    if not table.has("port"):
        table.source.report(table.path, "`port` is missing; write for example port = 8000")
    return TcpProbe(host=_needed(table, "host", '"127.0.0.1"'), port=port, samples=_samples(table))


def _tls(table: TomlTable) -> TlsProbe:
    return TlsProbe(
        host=_needed(table, "host", '"api.example"'),
        port=table.integer("port", 443, least=1, most=65535),
        name=table.text("name", None),
        samples=_samples(table, 3),
        insecure=table.flag("insecure"),
        ca_file=table.text("ca_file", None),
    )


def _dns(table: TomlTable) -> DnsProbe:
    return DnsProbe(
        host=_needed(table, "host", '"api.example"'),
        addresses=table.texts("addresses"),
        samples=_samples(table),
    )


def _prometheus(table: TomlTable) -> PrometheusProbe:
    schemes = {"http": "http://127.0.0.1:9090", "https": "https://prometheus.example"}
    return PrometheusProbe(
        url=_url(table, schemes),
        query=_needed(table, "query", "'sum(rate(http_requests_total{code=~\"5..\"}[5m]))'"),
        headers=table.pairs("headers"),
        ca_file=table.text("ca_file", None),
    )


def _grpc(table: TomlTable) -> GrpcProbe:
    schemes = {"grpc": "grpc://127.0.0.1:50051", "grpcs": "grpcs://api.example:443"}
    return GrpcProbe(
        url=_url(table, schemes),
        service=table.text("service", ""),
        headers=table.pairs("headers"),
        samples=_samples(table),
        insecure=table.flag("insecure"),
        ca_file=table.text("ca_file", None),
    )


def _kubernetes(table: TomlTable) -> KubernetesProbe:
    workloads = table.texts("workloads")
    example = 'workloads = ["deployment/backend"]'
    if not workloads:
        table.source.report(
            table.path,
            f"`workloads` must name the workloads that should run, such as {example}",
        )
    for each in workloads:
        kind, slash, name = each.partition("/")
        if kind not in WORKLOAD_KINDS or not slash or not name:
            kinds = ", ".join(WORKLOAD_KINDS)
            table.report(
                "workloads", f"{quoted(each)} is not KIND/NAME with one of {kinds}, such as {example}"
            )
    if table.has("file") and table.has("context"):
        table.report("context", "works only where loadtest calls kubectl, and here it reads a file")
    return KubernetesProbe(
        workloads=workloads,
        file=table.text("file", None),
        namespace=table.text("namespace", None),
        context=table.text("context", None),
        release=table.text("release", None),
    )


def _command(table: TomlTable) -> CommandProbe:
    return CommandProbe(
        command=read_command(table, "command"),
        exit_codes=_integers(table, "exit_codes", (0,)),
        contains=table.text("contains", None),
    )


def read_command(table: TomlTable, key: str, *, needed: bool = True) -> tuple[str, ...]:
    """A command as a list of words; none may show a secret to all who see the processes of the machine."""
    words = table.texts(key)
    for name in dict.fromkeys(name for word in words for name in secrets_in(word)):
        table.report(
            key,
            f"{{env.{name}}} would appear on the command line, which every user of the machine can read"
            f" (`ps`); let the program read ${name} from its environment",
        )
    if needed and not words and not table.has(key):
        table.source.report(table.path, f'`{key}` is missing; write for example {key} = ["make", "smoke"]')
    return words


def _tests(table: TomlTable) -> JunitProbe:
    files = table.texts("files")
    if not table.has("files"):
        table.source.report(table.path, '`files` is missing; write for example files = ["junit.xml"]')
    return JunitProbe(
        files=files,
        expected=table.integer("expected", None, least=1),
        release=table.text("release", None),
    )


def _database(table: TomlTable) -> DatabaseProbe:
    schemes = {
        "postgresql": "postgresql://app@127.0.0.1/app",
        "postgres": "postgres://app@127.0.0.1/app",
        "sqlite": "sqlite:///app.db",
    }
    return DatabaseProbe(
        url=_url(table, schemes), query=table.text("query", "SELECT 1"), samples=_samples(table)
    )


def _redis(table: TomlTable) -> RedisProbe:
    schemes = {"redis": "redis://127.0.0.1:6379", "rediss": "rediss://cache.example:6379"}
    return RedisProbe(
        url=_url(table, schemes),
        samples=_samples(table),
        insecure=table.flag("insecure"),
        ca_file=table.text("ca_file", None),
    )


def _containers(table: TomlTable) -> ContainersProbe:
    services = table.texts("services")
    if not services:
        sentence = '`services` must name the services that should run, such as services = ["backend"]'
        table.source.report(table.path, sentence)
    return ContainersProbe(
        file=table.text("file", None),
        project=table.text("project", None),
        services=services,
        apart_s=table.duration("apart", 2_000_000_000, positive=True) / 1e9,
        release=table.text("release", None),
    )


def _resources(table: TomlTable) -> ResourcesProbe:
    return ResourcesProbe(
        pid=table.integer("pid", None, least=1),
        pid_file=table.text("pid_file", None),
        disk=table.text("disk", "/"),
        over_s=table.duration("over", 500_000_000, positive=True) / 1e9,
    )


ONLY_FOR_A_RUN = ("duration", "connections", "set", "count", "look_every", "failure_limit")


def _websocket(table: TomlTable) -> WebsocketProbe:
    by_label = table.choice("release", {"label": True}, default=False)
    for key in filter(table.has, ONLY_FOR_A_RUN if by_label else ()):
        table.report(
            key,
            'works only for a run that the probe makes; for a stored run, write release = "label"',
        )
    return WebsocketProbe(
        scenario=_needed(table, "scenario", '"agent-burst"'),
        target=table.text("target", None),
        duration=table.text("duration", None),
        connections=table.integer("connections", None, least=1),
        sets=table.texts("set"),
        count=table.integer("count", 1, least=1, most=MAX_SAMPLES),
        every_s=table.duration("look_every", 0) / 1e9,
        failure_limit=table.integer("failure_limit", 0, least=0),
        by_label=by_label,
    )


_READERS: Mapping[str, Callable[[TomlTable], Probe]] = {
    "http": _http,
    "tcp": _tcp,
    "tls": _tls,
    "dns": _dns,
    "prometheus": _prometheus,
    "grpc": _grpc,
    "kubernetes": _kubernetes,
    "command": _command,
    "tests": _tests,
    "database": _database,
    "redis": _redis,
    "containers": _containers,
    "resources": _resources,
    "websocket": _websocket,
}
