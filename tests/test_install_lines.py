"""Every line that tells somebody to install something must be able to work.

No package index has loadtest, and whoever took the name there would run in our users' pipelines. So it is
installed from a path, from a wheel of this version, or from a repository that the reader names.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from loadtest import __version__

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
GROUPS = PROJECT["dependency-groups"]

SEARCHED = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "Makefile",
    *("docs/**/*.md", "deploy/**/*", ".github/**/*", ".pre-commit-config.yaml", ".gitlab-ci.yml", ".ci/*"),
    *(
        "loadtest/**/*.py",
        "loadtest/**/*.j2",
        "loadtest/**/*.html",
        "tools/*.py",
        "tests/*.py",
        "benchmarks/*.py",
    ),
    *("scenarios/**/*.toml", "locustfiles/*.py"),
)
NOT_OURS = {"pip", "atheris", "pre-commit", "psycopg[binary]", "apache-otava"}
"""What an index has, and what we tell people to take from there."""

COMMAND = re.compile(
    r"(?P<uvx>\buvx\b)(?P<of_uvx>[^\n`;&|]*)"
    r"|(?:\bpip[x3]?|\$\(PIP\)|\buv(?: pip| tool)?)(?:\s+--?[\w-]+(?:[ =][\w./${}-]+)?)*?"
    r"\s+(?:install|run)\b(?P<of_pip>[^\n`;&|]*)"
)
WORD = re.compile(r""" "[^"]*" | '[^']*' | [^\s"'`]+ """, re.VERBOSE)
SENTENCE_GOES_ON = re.compile(r"[(#]|then$|and$")
VALUED = {"--group", "--wheel-dir", "--python", "--retries", "--from", "--target"}
OURS = re.compile(r"loadtest(?:[-_.]ws)?(?:\[[\w,]+\])?(?:[=<>~!]=?.*)?", re.IGNORECASE)
REPOSITORY = re.compile(
    r"loadtest-ws(?:\[(?P<extras>[\w,]+)\])? @ git\+\$(?:\w+|\{\w+:\?[^}]+\})@v(?P<version>[\w.]+)"
)
FILE = re.compile(
    r"(?:\./|[\w./*-]*/)?(?:\.|[A-Z-]+|\*\.whl|loadtest_ws-(?P<version>[\d.]+)-py3-none-any\.whl|\$\{?\w+\}?)"
    r"(?:\[(?P<extras>[\w,]+)\])?"
)


@cache
def lines(path: Path) -> tuple[str, ...]:
    """``texts``, read once."""
    return tuple(texts(path))


def texts(path: Path) -> Iterator[str]:
    """What a file says: its lines, continued ones joined; of Python its strings and comments."""
    text = path.read_text("utf-8", errors="replace")
    if path.suffix != ".py":
        yield from text.replace("\\\n", " ").splitlines()
        return
    yield from re.findall(r"#.*", text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from node.value.splitlines()


def what_is_wrong(line: str) -> Iterator[str]:
    """Yield a sentence for each thing in a line of text that cannot be installed."""
    for found in COMMAND.finditer(line):
        words = list(_words(found["of_uvx"] or found["of_pip"] or ""))
        if found["uvx"]:
            for word in words[words.index("--from") + 1 if "--from" in words else 0 :][:1]:
                yield from _wrong(word)
            continue
        before = ["", *words]
        for option, word in zip(before, words, strict=False):
            if option == "--group" and word not in GROUPS:
                yield f"there is no group {word}"
            if not word.startswith("-") and option not in VALUED:
                yield from _wrong(word)


def _words(text: str) -> Iterator[str]:
    """Yield the words of a command that a sentence may go on after."""
    for word in WORD.findall(text):
        if SENTENCE_GOES_ON.match(word):
            return
        yield word.strip("\"'") if word[0] in "\"'" else word.rstrip(",.:)")
        if word.endswith((",", ".)", ":")):
            return


def _wrong(word: str) -> Iterator[str]:
    name = re.split(r"[<>=~!]", word)[0]
    if name in NOT_OURS or name in _required():
        return
    if OURS.fullmatch(word):
        yield f"no index has {word}"
        return
    found = REPOSITORY.fullmatch(word) or FILE.fullmatch(word)
    if found is None:
        yield f"{word} is neither a path, nor a repository that the reader names, nor known to be on an index"
        return
    parts = found.groupdict()
    if parts["version"] not in {None, __version__}:
        yield f"{word} is of another version than {__version__}"
    for extra in filter(None, (parts["extras"] or "").split(",")):
        if extra not in EXTRAS:
            yield f"there is no extra {extra}"


def _required() -> set[str]:
    listed = [*PROJECT["project"]["dependencies"], *(one for names in EXTRAS.values() for one in names)]
    return {re.split(r"[<>=~!]", one)[0] for one in listed}


def files() -> list[Path]:
    return sorted(
        {path for one in SEARCHED for path in ROOT.glob(one) if path.is_file() and path != Path(__file__)}
    )


def test_every_install_line_can_work() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {sentence}: {line.strip()}"
        for path in files()
        for line in lines(path)
        for sentence in what_is_wrong(line)
    ]
    assert found == []


def test_there_are_lines_to_look_at() -> None:
    """In the README, the nightly jobs, the image and the workflow."""
    seen = {
        str(path.relative_to(ROOT))
        for path in files()
        if any(found["of_pip"] for line in lines(path) for found in COMMAND.finditer(line))
    }
    assert {
        "README.md",
        "docs/nightly.md",
        "deploy/Dockerfile",
        ".github/workflows/ci.yml",
        "Makefile",
    } <= seen


@pytest.mark.parametrize(
    "line",
    [
        "      - run: pip install loadtest-ws",
        "    - pip install loadtest-ws==0.1.0",
        "`python -m pip install --upgrade 'loadtest-ws[compare]'`",
        "pipx install loadtest",
        "pipx run loadtest-ws run agent-burst",
        "uv tool install loadtest-ws",
        "uvx loadtest-ws run agent-burst",
        "uvx --from loadtest-ws loadtest run agent-burst",
        'pip install "loadtest-ws[compare] @ git+https://github.com/somebody/loadtest@v0.1.0"',
        "pip install git+https://github.com/somebody/loadtest",
        'pip install "loadtest-ws @ git+$LOADTEST_REPOSITORY@v9.9.9"',
        'pip install "loadtest-ws @ git+$LOADTEST_REPOSITORY"',
        "pip install dist/loadtest_ws-9.9.9-py3-none-any.whl",
        'pip install "PATH-OF-THE-CHECKOUT[comparison]"',
        "pip install --group nothing",
        "run pip install loadtest-ws, then loadtest run agent-burst",
    ],
)
def test_a_line_that_cannot_work_is_found(line: str) -> None:
    assert list(what_is_wrong(line)) != []


@pytest.mark.parametrize(
    "line",
    [
        f'pip install "loadtest-ws[compare] @ git+$LOADTEST_REPOSITORY@v{__version__}"',
        f'pip install "loadtest-ws @ git+${{LOADTEST_REPOSITORY:?set it to its URL}}@v{__version__}"',
        f'pip install "./dist/loadtest_ws-{__version__}-py3-none-any.whl[compare]"',
        'pip install "PATH-OF-THE-CHECKOUT[compare]"',
        "python -m pip install --prefer-binary --editable '.[compare]' --group test",
        "pip install scipy ruptures  # what comparisons need",
        'the driver is not installed; run: pip install "psycopg[binary]"',
        "which an installation, `pip install`, brings",
    ],
)
def test_a_line_that_works_is_not(line: str) -> None:
    assert list(what_is_wrong(line)) == []
