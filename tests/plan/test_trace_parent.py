from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan.trace_parent import of_user, trace_ids, trace_parent

if TYPE_CHECKING:
    from tests.plan.conftest import Folder


@given(st.text(), st.text())
def test_it_is_a_valid_traceparent_of_the_ids(run: str, turn: str) -> None:
    found = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01", trace_parent(run, turn))
    assert found
    assert tuple(int(part, 16) for part in found.groups()) == trace_ids(run, turn)
    assert all(trace_ids(run, turn))


def test_turns_users_and_runs_have_ids_of_their_own() -> None:
    traces = {trace_ids(run, what).trace for run in ("r", "s") for what in ("1", "2", of_user(1), of_user(2))}
    assert len(traces) == 8


def test_it_stands_in_messages_and_headers_and_not_in_ids(folder: Folder) -> None:
    head = 'protocol = "json-id"\n[target]\nurl = "ws://h/"\nheaders = { traceparent = "{trace.parent}" }\n'
    message = """message = '{"id":"{turn.id}","trace":"{trace.parent}"}'"""
    scenario = folder.load(f'{head}[traffic]\nevery = "1s"\n{message}')
    assert scenario.target.headers == {"traceparent": "{trace.parent}"}
    told = folder.mistakes(
        '[target]\nurl = "ws://h/"\n[protocol]\nname = "p"\n[protocol.turn]\nid = "{trace.parent}"\n'
        """message = "{turn.id}"\n[protocol.events]\nturn = ["id"]\nend = ["x"]\n[traffic]\nevery = "1s" """
    )
    assert any("there is no placeholder {trace.parent}" in line for line in told)
