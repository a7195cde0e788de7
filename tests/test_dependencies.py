"""What pyproject.toml asks for, what the code imports, and what docs/decisions/dependencies.md says of it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
PAGE = (ROOT / "docs" / "decisions" / "dependencies.md").read_text("utf-8")
IMPORTED_AS = {
    "pyjwt": "jwt",
    "pyzmq": "zmq",
    "fpdf2": "fpdf",
    "typing-extensions": "typing_extensions",
    "prometheus-client": "prometheus_client",
    "opentelemetry-sdk": "opentelemetry",
    "opentelemetry-exporter-otlp-proto-http": "opentelemetry",
    "grpcio": "grpc",
    "pyyaml": "yaml",
    "grpcio-health-checking": "grpc_health",
    "protobuf": "google",
}


def module(requirement: str) -> str:
    """The module that a requirement brings: ``psycopg[binary]>=3.2`` is psycopg."""
    name = re.split(r"[^\w.-]", requirement)[0].lower()
    return IMPORTED_AS.get(name, name)


def statements(of: ast.AST) -> Iterator[ast.AST]:
    """Every statement of a module, inside of others too; expressions, most of a tree, hold no import."""
    for name in ("body", "handlers", "orelse", "finalbody", "cases"):
        for node in getattr(of, name, ()):
            yield node
            yield from statements(node)


@cache
def imports() -> dict[str, set[str]]:
    """The rooms that import a library, by its module."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in (ROOT / "loadtest").rglob("*.py"):
        room = path.relative_to(ROOT / "loadtest").parts[0]
        for node in statements(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            for name in names:
                found[name.partition(".")[0]].add(room)
    return {
        name: rooms for name, rooms in found.items() if name not in {*sys.stdlib_module_names, "loadtest"}
    }


REQUIRED = {module(one) for one in PROJECT["dependencies"]}
EXTRAS = {name: {module(one) for one in asked} for name, asked in PROJECT["optional-dependencies"].items()}
ROWS = re.findall(r"^\| ([\w-]+)(?: \(extra `(\w+)`\))? \| ([^|]+) \|", PAGE, re.MULTILINE)


def test_every_library_asked_for_is_imported_and_no_other_is() -> None:
    assert set(imports()) == REQUIRED.union(*EXTRAS.values())


def test_the_page_names_every_library_and_the_rooms_that_import_it() -> None:
    told = {module(name): set(rooms.split(", ")) for name, _, rooms in ROWS if name != "library"}
    assert told == imports()


def test_the_page_names_the_extra_of_each_library() -> None:
    told = {module(name): extra or None for name, extra, _ in ROWS if name != "library"}
    assert told == dict.fromkeys(REQUIRED) | {
        name: extra for extra, names in EXTRAS.items() for name in names
    }


def test_the_extra_compare_is_what_its_commands_ask_for() -> None:
    from loadtest.cli.compare_extra import LIBRARIES

    assert set(LIBRARIES) == EXTRAS["compare"]
