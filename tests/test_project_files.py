"""What helps people to work on the project: workflows, hooks, templates, and the pages that name files."""

from __future__ import annotations

import ast
import configparser
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.end_to_end.documents import ROOT, blocks

NOT_OURS = {".git", ".venv", "results", "build", "dist", "node_modules"}
YAML_FILES = sorted(
    path
    for path in ROOT.rglob("*.y*ml")
    if path.suffix in {".yml", ".yaml"} and not NOT_OURS & set(path.relative_to(ROOT).parts)
)
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted(
    path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"
)
PAGES = [ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md")]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def loaded(path: Path) -> Any:
    (document,) = yaml.safe_load_all(path.read_text("utf-8"))
    return document


def runs(workflow: Any) -> Iterator[str]:
    """Yield the lines of shell of a workflow."""
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            yield from str(step.get("run", "")).splitlines()


# ------------------------------------------------------------------ YAML


@pytest.mark.parametrize("path", YAML_FILES, ids=name_of)
def test_every_yaml_file_can_be_read(path: Path) -> None:
    assert all(document is not None for document in yaml.safe_load_all(path.read_text("utf-8")))


@pytest.mark.parametrize(
    "block",
    [
        block
        for page in sorted((ROOT / "docs").glob("*.md"))
        for block in blocks(page)
        if block.language == "yaml"
    ],
    ids=lambda block: block.name,
)
def test_every_yaml_block_shown_can_be_read(block: Any) -> None:
    assert yaml.safe_load(block.text)


def test_there_are_yaml_files() -> None:
    names = {name_of(path) for path in YAML_FILES}
    assert {".pre-commit-config.yaml", ".github/workflows/ci.yml", "deploy/compose.yaml"} <= names


# ------------------------------------------------------------------ workflows


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_a_workflow_calls_what_is_there(path: Path) -> None:
    lines = list(runs(loaded(path)))
    assert lines
    for line in lines:
        words = line.split()
        if words[0] == "make":
            assert {word for word in words[1:] if "=" not in word} <= TARGETS, line
        if words[0].startswith((".", "tools/")):
            assert os.access(ROOT / words[0], os.X_OK), line
        for word in words:
            if word.startswith("tests/"):
                assert (ROOT / word).exists(), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_a_workflow_may_only_read_and_ends(path: Path) -> None:
    workflow = loaded(path)
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 60
        assert all(
            re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"]) for step in job["steps"] if "uses" in step
        )


def test_the_workflow_makes_a_full_test_and_a_run_on_each_system() -> None:
    jobs = loaded(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]
    assert [step["run"] for step in jobs["linux"]["steps"] if "run" in step] == [".ci/run"]
    assert {system.partition("-")[0] for system in jobs["others"]["strategy"]["matrix"]["os"]} == {
        "macos",
        "windows",
    }
    shell = "\n".join(str(step.get("run", "")) for step in jobs["others"]["steps"])
    assert "loadtest run agent-burst" in shell
    lowest = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    for job in jobs.values():
        assert f">={job['strategy']['matrix']['python'][0]}" == lowest


def test_what_the_full_test_makes_is_there() -> None:
    made = re.findall(r"^step make (\S+)$", (ROOT / ".ci" / "run").read_text("utf-8"), re.MULTILINE)
    assert {"test", "check", "test-long"} <= set(made) <= TARGETS


# ------------------------------------------------------------------ hooks, forms, editors


def test_hooks_run_what_the_checks_run() -> None:
    (repository,) = loaded(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    checked = re.search(r"^check:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert checked is not None
    asked = {line.split(" --")[0] for line in re.findall(r"\$\(BIN\)/(.+)", checked[1])}
    hooked = {hook["entry"].removeprefix(".venv/bin/").split(" --")[0] for hook in repository["hooks"]}
    assert hooked == asked
    assert len({hook["id"] for hook in repository["hooks"]}) == len(hooked)


@pytest.mark.parametrize("path", FORMS, ids=name_of)
def test_a_form_has_what_github_asks_for(path: Path) -> None:
    form = loaded(path)
    assert {"name", "description", "body"} <= set(form)
    asked = [field for field in form["body"] if field["type"] != "markdown"]
    assert asked
    assert all(field["type"] in {"input", "textarea", "dropdown", "checkboxes"} for field in asked)
    assert all(field["attributes"]["label"] for field in asked)
    names = [field["id"] for field in asked]
    assert len(names) == len(set(names))


def test_editors_are_told_what_the_formatter_does() -> None:
    rules = configparser.ConfigParser()
    rules.read_string("[top]\n" + (ROOT / ".editorconfig").read_text("utf-8"))
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]
    assert rules["top"]["root"] == "true"
    assert int(rules["*.py"]["max_line_length"]) == ruff["line-length"]
    assert rules["Makefile"]["indent_style"] == "tab"


# ------------------------------------------------------------------ pages


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_path_and_link_of_a_page_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    named = re.findall(r"`((?:loadtest|tests|docs|tools|deploy)/[\w./-]*)`", text)
    linked = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    missing = [path for path in named if not (ROOT / path).exists()]
    assert missing + [path for path in linked if not (page.parent / path).exists()] == []


def test_every_target_of_make_that_a_page_shows_is_there() -> None:
    for page in PAGES:
        shown = re.findall(
            r"\bmake ([a-z-]+)",
            "\n".join(re.findall(r"`[^`]+`|^make .*", page.read_text("utf-8"), re.MULTILINE)),
        )
        assert set(shown) <= TARGETS


def test_every_name_of_the_examples_is_in_its_file() -> None:
    """``METRICS` in `loadtest/plan/threshold.py``: the examples are true of the code as it is."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    found = re.findall(r"`(\w+)`(?: and `(\w+)`)? in `([\w/]+\.py)`", text)
    assert len(found) >= 8
    for *names, path in found:
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        targets = [
            node.targets if isinstance(node, ast.Assign) else [node.target]
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign)
        ]
        defined |= {target.id for group in targets for target in group if isinstance(target, ast.Name)}
        assert {name for name in names if name} <= defined, path


def test_no_page_invents_an_address_of_the_project() -> None:
    """There is none yet: what is installed, reported or cloned is where the reader has it from."""
    told = [*PAGES, ROOT / "README.md", *sorted((ROOT / ".github").rglob("*.*"))]
    for path in told:
        assert not re.search(r"git(?:hub|lab)\.com/[\w.-]+/loadtest", path.read_text("utf-8")), path


# ------------------------------------------------------------------ the glossary


def test_every_name_of_the_glossary_is_in_use() -> None:
    rows = re.findall(
        r"^\| ([^|]+) \| [^|]+ \| ([^|]*)\|$",
        (ROOT / "docs" / "glossary.md").read_text("utf-8"),
        re.MULTILINE,
    )
    used = "\n".join(
        path.read_text("utf-8")
        for folder, kind in (
            ("loadtest", "*.py"),
            ("loadtest", "*.toml"),
            ("scenarios", "*.toml"),
            ("docs", "*.md"),
        )
        for path in (ROOT / folder).rglob(kind)
        if path.name != "glossary.md"
    )
    missing = [
        f"{term.strip()}: {word}"
        for term, shown in rows
        for name in re.findall(r"`([^`]+)`", shown)
        for word in re.findall(r"--?[\w-]+|\w[\w-]*(?:\.\w+)*", name.split(" = ")[0])
        if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", used)
    ]
    assert len(rows) > 40
    assert missing == []


def test_no_term_of_the_glossary_stands_twice() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text("utf-8")
    terms = [
        term.strip() for row in re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE) for term in row.split(",")
    ]
    terms = [term for term in terms if term not in {"term", "---"}]
    assert len(terms) == len(set(terms))
