"""Every house rule can fail on a made-up snippet, and the real tree keeps them all."""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import indent

import pytest

from tools.house import EXCEPTIONS, TREE, Module, body_lines, check, check_tree, draw, nesting

ROOT = Path(__file__).resolve().parent.parent


def rules(path: str, text: str) -> set[str]:
    return {finding.rule for finding in check(Module(path, text))}


def a_function(lines: int, docstring: int = 0) -> str:
    doc = '    """' + "\n    words" * docstring + '"""\n' if docstring else ""
    return "def speak():\n" + doc + "    a = 1\n" * lines


def nested(depth: int) -> str:
    text = "a = 1\n"
    for _ in range(depth):
        text = "if a:\n" + indent(text, "    ")
    return "def speak(a):\n" + indent(text, "    ")


BROKEN = [
    ("function-length", "loadtest/keep/write.py", a_function(61)),
    ("nesting", "loadtest/keep/write.py", nested(5)),
    (
        "nesting",
        "tools/bench.py",
        (
            "def f():\n with a:\n  for b in c:\n   match d:\n    case 1:\n"
            "     try:\n      while e: f\n     finally:\n      g\n"
        ),
    ),
    ("module-length", "loadtest/keep/write.py", "\n" * 901),
    ("reason", "loadtest/keep/write.py", "a = 1  # type: ignore[misc]\n"),
    ("reason", "loadtest/keep/write.py", "a = 1  # type: ignore  # the library has no types\n"),
    ("reason", "loadtest/keep/write.py", "a = 1  # noqa: S101\n"),
    ("reason", "loadtest/keep/write.py", "a = 1  # noqa  # the reader needs it here\n"),
    ("reason", "loadtest/keep/write.py", "if a:  # pragma: no cover\n    b = 1\n"),
    ("name", "loadtest/keep/utils.py", ""),
    ("name", "loadtest/keep/write.py", "class FrameUtils: ...\n"),
    ("name", "loadtest/keep/write.py", "def process_data(): ...\n"),
    ("name", "loadtest/keep/write.py", "import gevent.pool as helper\n"),
    ("door", "loadtest/keep/write.py", "import locust\n"),
    ("door", "loadtest/keep/write.py", "from gevent.queue import Queue\n"),
    ("door", "loadtest/drive/transport.py", "from websockets.protocol import State\n"),
    ("door", "loadtest/show/html.py", "import matplotlib.pyplot\n"),
    ("door", "loadtest/run/__init__.py", "def f():\n    import click\n"),
    ("door", "loadtest/show/html.py", "import rich.table\n"),
    ("door", "loadtest/measure/histogram.py", "import scipy.stats\n"),
    ("pure", "loadtest/speak/session.py", "import socket\n"),
    ("pure", "loadtest/measure/recorder.py", "import time\nstarted = time.monotonic_ns()\n"),
    ("pure", "loadtest/plan/schedule.py", "from time import sleep\n"),
    ("pure", "loadtest/judge/verdict.py", "import datetime\nnow = datetime.datetime.now()\n"),
    ("print", "loadtest/keep/write.py", "print('written')\n"),
    ("loopback", "loadtest/simulator/serve.py", "host = '0.0.0.0'\n"),
    ("speech", "loadtest/keep/write.py", "# TODO: write\n"),
    ("speech", "docs/measuring.md", "As issue 7 says.\n"),
    ("speech", "loadtest/keep/write.py", "folder = '/home/someone/results'\n"),
    ("speech", "scenarios/soak.toml", 'data = "/tmp/users.csv"\n'),
]

RIGHT = [
    ("loadtest/keep/write.py", a_function(60, docstring=30)),
    ("loadtest/keep/write.py", nested(4)),
    ("loadtest/keep/write.py", "\n" * 900),
    ("loadtest/keep/write.py", "a = 1  # type: ignore[misc]  # the library has no types\n"),
    ("loadtest/keep/write.py", "a = 1  # noqa: S101, S102 - checked by the caller\n"),
    ("loadtest/keep/write.py", "if a:  # pragma: no cover - only Windows comes here\n    b = 1\n"),
    ("loadtest/keep/write.py", "text = '# type: ignore'\n"),
    ("loadtest/keep/write.py", "from contextlib import contextmanager\n"),
    ("loadtest/drive/locust_user.py", "import locust\nimport gevent\n"),
    ("loadtest/show/plot/timeline.py", "import matplotlib\n"),
    ("loadtest/drive/transport.py", "import socket, time\nnow = time.time_ns()\n"),
    ("loadtest/speak/session.py", "def receive(at): ...\nsession.time(1)\n"),
    ("loadtest/cli/run.py", "print('hello')\n"),
    ("loadtest/keep/write.py", "stat = '/proc/self/stat'\nurl = 'ws://host/work/x'\n"),
    ("docs/measuring.md", "Known upstream as locust#1426.\n"),
]


@pytest.mark.parametrize(("rule", "path", "text"), BROKEN)
def test_a_broken_rule_is_found(rule: str, path: str, text: str) -> None:
    assert rule in rules(path, text)


@pytest.mark.parametrize(("path", "text"), RIGHT)
def test_what_keeps_the_rules_is_left_alone(path: str, text: str) -> None:
    assert rules(path, text) == set()


def test_an_elif_stands_beside_its_if() -> None:
    chain = Module("a.py", "def f(a):\n if a: b\n elif c: d\n elif e: g\n elif h: i\n else: j\n")
    assert nesting(chain.tree.body[0]) == 1


def test_the_docstring_is_not_counted() -> None:
    function = Module("a.py", a_function(7, docstring=50)).tree.body[0]
    assert isinstance(function, ast.FunctionDef)
    assert body_lines(function) == 7


def test_a_finding_names_the_line() -> None:
    finding = check(Module("loadtest/keep/write.py", "a = 1\nprint(a)\n"))[0]
    assert str(finding).startswith("loadtest/keep/write.py:2: print: ")


def test_an_exception_excuses_one_rule_of_one_file_and_must_be_needed(tmp_path: Path) -> None:
    long = tmp_path / "loadtest/keep/write.py"
    long.parent.mkdir(parents=True)
    long.write_text("\n" * 901)
    table = tmp_path / EXCEPTIONS
    table.parent.mkdir(parents=True)
    assert [finding.rule for finding in check_tree(tmp_path)] == ["module-length"]
    table.write_text("| `loadtest/keep/write.py` | module-length | |\n")
    assert [finding.rule for finding in check_tree(tmp_path)] == ["module-length"]
    table.write_text("| `loadtest/keep/write.py` | module-length | one table of codes |\n")
    assert check_tree(tmp_path) == []
    long.write_text("\n" * 900)
    assert [finding.rule for finding in check_tree(tmp_path)] == ["exception"]


BASE = "class Base:\n    a = 1\n"

BROKEN_TREES = [
    ("twice", {"loadtest/a.py": "class Row: ...\n", "loadtest/b.py": "class Row: ...\n"}),
    (
        "chain",
        {"loadtest/a.py": BASE, "loadtest/b.py": "from loadtest.a import Base\nclass Row(Base): ...\n"},
    ),
    (
        "chain",
        {"loadtest/a.py": BASE + "def f(base: Base) -> Base: return base\nclass Row(Base): ...\n"},
    ),
    (
        "circle",
        {
            "loadtest/a.py": "from loadtest.b import c\n",
            "loadtest/b.py": "import loadtest.d\n",
            "loadtest/d.py": "from loadtest import a\n",
        },
    ),
]

RIGHT_TREES = [
    {"loadtest/a.py": "class _Row: ...\n", "loadtest/b.py": "class _Row: ...\n"},
    {"loadtest/a.py": BASE + "class Row(Base): ...\nclass Column(Base): ...\n"},
    {"loadtest/a.py": BASE + "class Row(Base): ...\nbase = Base()\n"},
    {"loadtest/a.py": BASE + "class Row(Base): ...\n", "loadtest/__init__.py": "__all__ = ['Base']\n"},
    {"loadtest/a.py": "class OurError(Exception): ...\nclass TheirError(OurError): ...\n"},
    {"loadtest/a.py": "class Owner(Protocol): ...\nclass Connection(Owner): ...\n"},
    {"loadtest/a.py": "def f():\n    import loadtest.b\n", "loadtest/b.py": "import loadtest.a\n"},
]


def of_tree(files: dict[str, str]) -> list[str]:
    package = [Module(path, text) for path, text in files.items()]
    return [finding.rule for rule in TREE for finding in rule(package)]


@pytest.mark.parametrize(("rule", "files"), BROKEN_TREES)
def test_a_rule_of_the_tree_finds_its_snippets(rule: str, files: dict[str, str]) -> None:
    assert of_tree(files) == [rule]


@pytest.mark.parametrize("files", RIGHT_TREES)
def test_a_rule_of_the_tree_leaves_right_ones(files: dict[str, str]) -> None:
    assert of_tree(files) == []


def test_the_drawing_counts_modules_and_lines_and_tells_the_imports() -> None:
    files = {
        "loadtest/plan/a.py": "a = 1\n",
        "loadtest/speak/b.py": "from loadtest.plan import a\nb = a\n",
    }
    drawn = [line.split() for line in draw([Module(*file) for file in files.items()]).splitlines()]
    assert drawn[1:] == [["plan", "1", "1"], ["speak", "1", "2", "plan"], ["all", "2", "3"]]
