"""The demonstration: a GO, then the NO-GO of the same system with its backend stopped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.system import LIGHT

ROOT = Path(__file__).parents[2]


@pytest.mark.long
def test_a_go_and_a_no_go_are_left_as_html_and_pdf(tmp_path: Path) -> None:
    light = tmp_path / "light.toml"
    light.write_text(LIGHT)
    command = [sys.executable, str(ROOT / "tools" / "demo_ready.py"), str(tmp_path)]
    # A machine that runs tests may be too busy for the load and the levels of the shipped policy.
    command += [f"components.websocket.scenario={light}", "components.websocket.levels={}"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stdout[-3000:]
    for name, verdict in (("go", "GO:"), ("no-go", "NO-GO:")):
        assert f"<title>{verdict}" in (tmp_path / name / "ready.html").read_text("utf-8")
        assert (tmp_path / name / "ready.pdf").read_bytes().startswith(b"%PDF-")
    shown = (tmp_path / "no-go" / "ready.txt").read_text("utf-8")
    assert "verdict: GO → NO-GO" in shown
    assert "reached only through Agent backend, which is down" in shown
