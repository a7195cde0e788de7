"""axe-core in a tab: where a page breaks WCAG 2.1 A and AA, as far as a tool can find it."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.end_to_end.browser import Tab

PACKAGE = "axe-core@4.10"

NPM = shutil.which("npm") is not None

RUN = """axe.run({ exclude: [".static svg g"] }, {
  runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], resultTypes: ["violations"],
}).then((found) => found.violations.flatMap((rule) => rule.nodes.map(
  (node) => `${rule.id} at ${node.target.join(" ")}: ${node.failureSummary.replace(/\\s+/g, " ")}`)))"""


@functools.cache
def _script() -> str:
    if not NPM:
        pytest.skip("npm is not installed, which would fetch axe-core")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "package.json").write_text("{}")
        install = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", PACKAGE]
        try:
            subprocess.run(install, check=True, cwd=folder, capture_output=True, text=True, timeout=300)
        except subprocess.SubprocessError as problem:
            pytest.skip(f"{PACKAGE} could not be installed: {problem}")
        return (Path(folder) / "node_modules/axe-core/axe.min.js").read_text("utf-8")


def violations(page: Tab) -> list[str]:
    """Every element that breaks a rule, with the rule and what is wrong; not what pictures are drawn of."""
    if page.value("typeof axe") == "undefined":
        page.value(f"{_script()}; 0")
    found = page.value(RUN)
    assert isinstance(found, list), "axe-core did not run"
    return found
