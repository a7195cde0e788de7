"""The house: its rules that no linter knows, counted over the whole tree, and its drawing.

    python tools/house.py            one line per finding, then the totals; ends with 1 if there is a finding
    python tools/house.py --draw     rooms with their modules, lines and the rooms they import

A module that must be longer than the rule allows stands in docs/decisions/exceptions.md with its reason; an
exception nobody needs is a finding too.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
import tokenize
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from graphlib import CycleError, TopologicalSorter
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
    "websockets": ("loadtest/speak/", "loadtest/simulator/", "loadtest/run/recording_proxy"),
    "matplotlib": ("loadtest/show/plot",),
    "click": ("loadtest/cli/",),
    "rich": (
        "loadtest/cli/",
        "loadtest/show/terminal",
        "loadtest/show/render/terminal",
        "loadtest/show/progress",
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
    if module.path.endswith(("tools/house.py", "test_house.py")):
        return
    for number, line in enumerate(module.text.splitlines(), 1):
        if found := TRACKER.search(line):
            yield module.found(number, "speech", f"{found[0]!r} belongs into a tracker, not into the project")
        if module.path.startswith(SHIPPED) and (found := MACHINE_PATH.search(line)):
            yield module.found(number, "speech", f"{found[0]!r} is a path of one machine")


def dotted(path: str) -> str:
    """The name that a file is imported by: ``loadtest/run/__init__.py`` is ``loadtest.run``."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def classes(package: Sequence[Module]) -> Iterator[tuple[Module, ast.ClassDef]]:
    """Yield every class that stands at the top of a module."""
    for module in package:
        yield from ((module, node) for node in module.tree.body if isinstance(node, ast.ClassDef))


def twice(package: Sequence[Module]) -> Iterator[Finding]:
    """No public class name stands in two modules: it would have two meanings."""
    seen: dict[str, str] = {}
    for module, node in classes(package):
        if node.name.startswith("_"):
            continue
        if node.name in seen:
            yield module.found(node.lineno, "twice", f"class {node.name} stands in {seen[node.name]} as well")
        seen.setdefault(node.name, module.path)


def chains(package: Sequence[Module]) -> Iterator[Finding]:
    """A base class that is nothing by itself has at least two subclasses; else one class was cut in two."""
    below = defaultdict[str, list[str]](list)
    for _, node in classes(package):
        for base in node.bases:
            if isinstance(base, ast.Name):
                below[base.id].append(node.name)
    used = {name for module in package for name in used_by_itself(module.tree)}
    for module, node in classes(package):
        # An error stands for a kind of mistake, a protocol for whoever keeps it.
        stands_for_others = any("Protocol" in ast.unparse(base) for base in node.bases)
        if node.name in used or node.name.startswith("_"):
            continue
        if node.name.endswith("Error") or stands_for_others:
            continue
        if len(below[node.name]) == 1:
            sentence = f"{node.name} has one subclass, {below[node.name][0]}: make them one"
            yield module.found(node.lineno, "chain", sentence)


def used_by_itself(node: ast.AST) -> Iterator[str]:
    """Names that are called, passed on, or exported; not those in annotations and lists of base classes."""
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "bases"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Load):
                yield child.id
            elif isinstance(child, ast.Constant) and isinstance(child.value, str) and name == "elts":
                yield child.value
            elif isinstance(child, ast.AST):
                yield from used_by_itself(child)


def imports_of(module: Module, names: set[str]) -> set[str]:
    """The modules among ``names`` that it imports when it is imported; not those inside functions."""
    found = set()
    for node in module.tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= whole & names or {node.module}
    return (found & names) - {dotted(module.path)}


def circles(package: Sequence[Module]) -> Iterator[Finding]:
    """No module imports itself by way of others."""
    names = {dotted(module.path) for module in package}
    graph = {dotted(module.path): imports_of(module, names) for module in package}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield Finding("loadtest", 1, "circle", " imports ".join(reversed(error.args[1])))


def draw(package: Sequence[Module]) -> str:
    """Rooms with their modules, lines and the rooms they import; the longest functions last."""
    names = {dotted(module.path) for module in package}
    rooms = defaultdict[str, list[Module]](list)
    for module in package:
        rooms[_room(dotted(module.path))].append(module)
    lines = [f"{'room':<12}{'modules':>8}{'lines':>8}  imports"]
    for room, members in sorted(rooms.items()):
        others = {_room(name) for module in members for name in imports_of(module, names)} - {room}
        lines.append(f"{room:<12}{len(members):>8}{_lines(members):>8}  {', '.join(sorted(others))}")
    lines.append(f"{'all':<12}{len(package):>8}{_lines(package):>8}")
    return "\n".join(lines) + "\n"


def _room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def _lines(package: Iterable[Module]) -> int:
    return sum(module.text.count("\n") for module in package)


SIZES: tuple[Rule, ...] = (function_size, module_size)
WORDS: tuple[Rule, ...] = (reasons, names, speech)
ROOMS: tuple[Rule, ...] = (doors, clock, printing, loopback)
TREE: tuple[Callable[[Sequence[Module]], Iterator[Finding]], ...] = (twice, chains, circles)


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


def package_of(every: Iterable[Module]) -> list[Module]:
    """The modules of the package itself."""
    return [module for module in every if module.python and module.path.startswith("loadtest/")]


def check_tree(root: Path) -> list[Finding]:
    """Return every finding of the tree that no exception excuses, and every exception nobody needs."""
    excused = read_exceptions(root)
    every = list(modules(root))
    package = package_of(every)
    findings = [finding for module in every for finding in check(module)]
    findings += [finding for rule in TREE for finding in rule(package)]
    unneeded = excused - {(finding.path, finding.rule) for finding in findings}
    kept = [finding for finding in findings if (finding.path, finding.rule) not in excused]
    return kept + [
        Finding(str(EXCEPTIONS), 1, "exception", f"{path} no longer needs its exception from {rule}")
        for path, rule in sorted(unneeded)
    ]


def main() -> int:
    """Print every finding, or draw the house; return 1 if there is a finding."""
    parser = argparse.ArgumentParser(description="The rules of the house, and its drawing.")
    parser.add_argument("--draw", action="store_true", help="rooms, modules, lines and imports")
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parent.parent)
    asked = parser.parse_args()
    if asked.draw:
        sys.stdout.write(draw(package_of(modules(asked.root))))
        return 0
    findings = check_tree(asked.root)
    for finding in findings:
        sys.stdout.write(f"{finding}\n")
    sys.stdout.write(f"house rules: {len(findings)} findings\n")
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
