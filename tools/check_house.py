"""The house rules that no linter knows, counted over the whole tree.

    python tools/check_house.py [ROOT]

Prints one line per finding and ends with 1 if there is any. A module that must be longer than the rule
allows stands in docs/decisions/exceptions.md with its reason; an exception nobody needs is a finding too.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

BODY_LINES = 60
NESTING = 4
MODULE_LINES = 900
EXCEPTIONS = Path("docs/decisions/exceptions.md")
SEARCHED = ("loadtest", "locustfiles", "scenarios", "tools", "benchmarks", "tests", "docs")
SHIPPED = ("loadtest", "locustfiles", "scenarios")
TEXTS = (".py", ".toml", ".md", ".html", ".j2", ".css", ".js")

PURE_ROOMS = tuple(f"loadtest/{room}/" for room in ("plan", "speak", "measure", "judge"))
MAY_PRINT = ("loadtest/cli/", "loadtest/show/")
IMPURE_MODULES = {"socket", "ssl", "select", "selectors", "asyncio", "threading", "subprocess", "signal"}
CLOCK_CALLS = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}

DOORS = {
    "locust": ("loadtest/drive/", "loadtest/run/", "loadtest/live/"),
    "gevent": ("loadtest/drive/", "loadtest/run/", "loadtest/live/"),
    "websockets": ("loadtest/speak/", "loadtest/simulator/"),
    "matplotlib": ("loadtest/show/plot",),
    "click": ("loadtest/cli/",),
    "rich": (
        "loadtest/cli/",
        "loadtest/show/terminal",
        "loadtest/show/render/terminal",
        "loadtest/show/live",
    ),
    "scipy": ("loadtest/judge/",),
    "ruptures": ("loadtest/judge/",),
}

FORBIDDEN = re.compile(r"utils?|helpers?|process_data")
ANY_ADDRESS = ".".join("0000")

MACHINE_PATH = re.compile(r"(?<![\w.}:/*-])/(?:home|root|work|tmp|Users|mnt)/\w")
TRACKER = re.compile(r"(?<![\w/-])(?:TODO|FIXME|XXX)\b|\b(?:[Ii]ssue|[Tt]icket|[Pp]ull request) #?\d+")
MARKER = re.compile(
    r"type:\s*ignore(\[[\w, -]+\])?"
    r"|pragma:\s*no (?:cover|branch)"
    r"|noqa(:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)?"
)
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.TryStar, ast.Match, ast.AsyncFor, ast.AsyncWith)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One place where a rule is not kept."""

    path: str
    line: int
    rule: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.sentence}"


@dataclass(slots=True)
class Module:
    """One file of the tree: its path from the root, its text, and for Python its syntax, node by node."""

    path: str
    text: str
    tree: ast.Module = field(init=False)
    nodes: list[ast.AST] = field(init=False)

    def __post_init__(self) -> None:
        self.tree = ast.parse(self.text if self.python else "")
        # Every rule looks at all of them: the tree is walked once.
        self.nodes = list(ast.walk(self.tree))

    @property
    def python(self) -> bool:
        """Whether this is Python source."""
        return self.path.endswith(".py")

    def found(self, line: int, rule: str, sentence: str) -> Finding:
        """Return the finding that ``rule`` is not kept on ``line`` of this file."""
        return Finding(self.path, line, rule, sentence)

    def comments(self) -> Iterator[tuple[int, str]]:
        """Yield line and text of every comment."""
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


Rule = Callable[[Module], Iterator[Finding]]


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of the body from its first statement after the docstring to its last."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def nesting(node: ast.AST, depth: int = 0) -> int:
    """Return the deepest nesting of blocks below ``node``; an ``elif`` stands beside its ``if``."""
    deepest = depth
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            continue
        elif_branch = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        step = isinstance(child, BLOCKS) and not elif_branch
        deepest = max(deepest, nesting(child, depth + step))
    return deepest


def function_size(module: Module) -> Iterator[Finding]:
    """A function is at most 60 body lines and nests at most 4 deep."""
    for node in module.nodes:
        if not isinstance(node, FUNCTIONS):
            continue
        lines, depth = body_lines(node), nesting(node)
        if lines > BODY_LINES:
            sentence = f"{node.name} has {lines} body lines, {BODY_LINES} at most"
            yield module.found(node.lineno, "function-length", sentence)
        if depth > NESTING:
            yield module.found(node.lineno, "nesting", f"{node.name} nests {depth} deep, {NESTING} at most")


def module_size(module: Module) -> Iterator[Finding]:
    """A module of the package or of the tools is one thing; over 900 lines it hardly is."""
    lines = module.text.count("\n")
    if lines > MODULE_LINES and module.python and not module.path.startswith("tests/"):
        yield module.found(1, "module-length", f"{lines} lines, {MODULE_LINES} at most")


def reasons(module: Module) -> Iterator[Finding]:
    """Every ``type: ignore``, ``no cover`` and ``noqa`` names its code and carries its reason."""
    # Few files have one, and to find the comments of a file takes longer than all else.
    if not module.python or not MARKER.search(module.text):
        return
    for line, comment in module.comments():
        markers = list(MARKER.finditer(comment))
        if not markers:
            continue
        if any(not any(marker.groups()) and "pragma" not in marker[0] for marker in markers):
            yield module.found(line, "reason", f"say which error is silenced: {comment}")
        if not re.search(r"[^\W\d_]{3,}", MARKER.sub("", comment)):
            yield module.found(line, "reason", f"say why, on the same line: {comment}")


def defined_names(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Yield line and name of everything that these nodes give a name to."""
    for node in nodes:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.lineno, node.name
            case ast.arg():
                yield node.lineno, node.arg
            case ast.Name(ctx=ast.Store()):
                yield node.lineno, node.id
            case ast.Attribute(ctx=ast.Store()):
                yield node.lineno, node.attr
            case ast.alias(asname=str(name)):
                yield node.lineno, name


@cache
def says_nothing(name: str) -> bool:
    """Whether the name or a word of it is forbidden."""
    return any(FORBIDDEN.fullmatch(word.lower()) for word in (name, *WORD.findall(name)))


def names(module: Module) -> Iterator[Finding]:
    """Names come from the glossary; some words say nothing, or are its forbidden synonyms."""
    own = ((1, part) for part in Path(module.path).with_suffix("").parts)
    for line, name in (*own, *defined_names(module.nodes)):
        if says_nothing(name):
            yield module.found(line, "name", f"{name} says nothing, or has another word in the glossary")


def imported(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Yield line and top-level package of every absolute import, also of those inside functions."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module.partition(".")[0]


def doors(module: Module) -> Iterator[Finding]:
    """A foreign library is imported in its own rooms only; pure rooms import no door to the machine."""
    if not module.path.startswith("loadtest/"):
        return
    for line, package in imported(module.nodes):
        if package in DOORS and not module.path.startswith(DOORS[package]):
            yield module.found(line, "door", f"{package} is imported only by {', '.join(DOORS[package])}")
        if package in IMPURE_MODULES and module.path.startswith(PURE_ROOMS):
            yield module.found(line, "pure", f"a pure room does not import {package}")


def clock(module: Module) -> Iterator[Finding]:
    """A pure room asks no clock and does not sleep: time is an argument."""
    if not module.path.startswith(PURE_ROOMS):
        return
    for node in module.nodes:
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            yield module.found(node.lineno, "pure", "time is an argument here, not an import")
        if not isinstance(node, ast.Attribute):
            continue
        owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
        if node.attr in CLOCK_CALLS.get(owner, ()):
            yield module.found(node.lineno, "pure", f"{owner}.{node.attr}: time is an argument here")


def printing(module: Module) -> Iterator[Finding]:
    """Only the rooms that speak to a person print."""
    if not module.path.startswith("loadtest/") or module.path.startswith(MAY_PRINT):
        return
    for node in module.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield module.found(node.lineno, "print", "only cli/ and show/ speak to a person")


def loopback(module: Module) -> Iterator[Finding]:
    """Nothing of ours listens on every address unless a user typed it."""
    for node in module.nodes:
        if isinstance(node, ast.Constant) and node.value == ANY_ADDRESS:
            yield module.found(node.lineno, "loopback", f"{ANY_ADDRESS} listens to the whole network")


def speech(module: Module) -> Iterator[Finding]:
    """The project speaks of itself alone: no tracker numbers, no unfinished marks, no path of one machine."""
    if module.path.endswith(("check_house.py", "test_house.py")):
        return
    for number, line in enumerate(module.text.splitlines(), 1):
        if found := TRACKER.search(line):
            yield module.found(number, "speech", f"{found[0]!r} belongs into a tracker, not into the project")
        if module.path.startswith(SHIPPED) and (found := MACHINE_PATH.search(line)):
            yield module.found(number, "speech", f"{found[0]!r} is a path of one machine")


SIZES: tuple[Rule, ...] = (function_size, module_size)
WORDS: tuple[Rule, ...] = (reasons, names, speech)
ROOMS: tuple[Rule, ...] = (doors, clock, printing, loopback)


def check(module: Module) -> list[Finding]:
    """Return every finding of every rule in one file, by line."""
    return sorted(finding for rule in (*SIZES, *WORDS, *ROOMS) for finding in rule(module))


def read_exceptions(root: Path) -> set[tuple[str, str]]:
    """Return ``(path, rule)`` of each row of the exceptions table: | `path` | rule | reason |."""
    path = root / EXCEPTIONS
    text = path.read_text("utf-8") if path.exists() else ""
    return set(re.findall(r"^\| `(.+?)` \| ([\w-]+) \| \S.*\|$", text, re.MULTILINE))


def modules(root: Path) -> Iterator[Module]:
    """Yield every text file of the project."""
    tops = [path for name in SEARCHED for path in sorted((root / name).rglob("*"))]
    for path in [*tops, *sorted(root.glob("*.md")), *sorted(root.glob("*.toml"))]:
        if path.suffix in TEXTS and path.is_file() and "__pycache__" not in path.parts:
            yield Module(path.relative_to(root).as_posix(), path.read_text("utf-8"))


def check_tree(root: Path) -> list[Finding]:
    """Return every finding of the tree that no exception excuses, and every exception nobody needs."""
    excused = read_exceptions(root)
    findings = [finding for module in modules(root) for finding in check(module)]
    unneeded = excused - {(finding.path, finding.rule) for finding in findings}
    kept = [finding for finding in findings if (finding.path, finding.rule) not in excused]
    return kept + [
        Finding(str(EXCEPTIONS), 1, "exception", f"{path} no longer needs its exception from {rule}")
        for path, rule in sorted(unneeded)
    ]


def main() -> int:
    """Print every finding; return 1 if there is one."""
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    findings = check_tree(root)
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    sys.stdout.write(f"house rules: {len(findings)} findings\n")
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
