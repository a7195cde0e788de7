"""A command that is none is answered with the one that was meant, in every group."""

from __future__ import annotations

import pytest

from loadtest.cli import main


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        (["exlpain"], 'Did you mean "explain"?'),
        (["help"], 'Did you mean "--help"?'),
        (["zzz"], "There are: run, worker, explain"),
        (["protocols", "chekc"], 'Did you mean "check"?'),
        (["protocols", "list"], 'To list them, run "loadtest protocols".'),
        (["protocols", "zzz"], "There are: check."),
        (["runs", "shwo"], 'Did you mean "show"?'),
        (["import", "hra"], 'Did you mean "har"?'),
    ],
)
def test_a_command_that_is_none(typed: list[str], hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(typed) == 2
    said = capsys.readouterr().err
    assert f'there is no command "{typed[-1]}". {hint}' in said
