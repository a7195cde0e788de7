"""The dashboard of a watch on terminals of any size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.readiness.views.dashboard import dashboard
from tests.readiness.made import assessed, down, policy, up
from tests.readiness.original import original


def test_a_small_terminal_shows_the_verdict_and_every_component(tmp_path: Path) -> None:
    found = original(tmp_path)
    lines = dashboard(found, ["sent to hook: ALERT"], width=80, height=23).splitlines()
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 80
    assert "NO-GO" in lines[0]
    shown = "\n".join(lines)
    for row in found.components:
        assert row.title[:24] in shown
    assert "sent to hook: ALERT" in shown
    titles = {
        line.index(row.title[:8])
        for row in found.components
        for line in lines[2:]
        if row.title[:8] in line[:30]
    }
    assert len(titles) == 1, "in columns"


def test_a_title_can_not_break_out_of_its_line(tmp_path: Path) -> None:
    text = '[components.a]\ntitle = "x\\n\\u001b[2Jy"\nprobe = "tcp"\nhost = "h"\nport = 1\n'
    shown = dashboard(assessed(policy(tmp_path, text), a=down()), width=80, height=24)
    assert "\x1b" not in shown
    assert "x \\x1b[2Jy" in shown


@pytest.mark.parametrize("height", range(1, 12))
def test_where_not_all_fit_the_worst_stay_and_the_others_are_counted(tmp_path: Path, height: int) -> None:
    names = [f"part{number}" for number in range(9)]
    text = "".join(f'[components.{name}]\nprobe = "tcp"\nhost = "h"\nport = 1\n' for name in names)
    evidence = {name: up("connect") for name in names} | {"part7": down()}
    lines = dashboard(assessed(policy(tmp_path, text), **evidence), width=60, height=height).splitlines()
    assert len(lines) <= height
    if height >= 4:
        assert "part7" in lines[2]
    if 4 <= height < 11:
        assert lines[-1] == f"and {9 - (height - 3)} more"


def test_notes_go_first_where_there_is_no_room(tmp_path: Path) -> None:
    found = assessed(policy(tmp_path), api=up(), store=up("ping"), extra=up("connect"))
    assert "note" not in dashboard(found, ["note"] * 5, width=60, height=5)
    assert dashboard(found, ["old", "new"], width=60, height=6).endswith("new")


def test_each_state_has_a_sign_of_its_own(tmp_path: Path) -> None:
    names = ("healthy", "degraded", "unknown", "down")
    text = "".join(f'[components.{name}]\nprobe = "tcp"\nhost = "h"\nport = 1\n' for name in names)
    failing = up("connect")
    evidence = {
        "healthy": up("connect"),
        "degraded": replace(failing, issues=("a try failed",)),
        "down": down(),
    }
    lines = dashboard(assessed(policy(tmp_path, text), **evidence), width=60, height=12).splitlines()
    assert {line.split()[1]: line[0] for line in lines[2:]} == {
        "down": "✗", "unknown": "?", "degraded": "▲", "healthy": "✓",
    }  # fmt: skip
