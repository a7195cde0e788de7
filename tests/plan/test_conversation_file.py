"""Conversations in a scenario: read whole, every mistake with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtest.plan.conversation import Think
from loadtest.plan.explain import explain
from loadtest.plan.scenario_file import scenario_from_settings, worker_settings
from loadtest.speak.codec.sent_size import sent_size

if TYPE_CHECKING:
    from loadtest.plan.scenario import Scenario
    from tests.plan.conftest import Folder

PROTOCOL = """[turn]
message = '{"id":"{turn.id}"}'
[events]
type = ["type"]
turn = ["id"]
end = ["done"]
[turns.ask]
[turns.stop]
[turns.watch]
end = []
"""
HEAD = "protocol = 'p.toml'\n[target]\nurl = 'simulator'\n[load]\nmodel = 'closed'\n"
WHOLE = """[[conversation]]
name = "support"
weight = 3
steps = [
  { turn = "ask" },
  { think = "2s" },
  { think = { uniform = ["1s", "3s"] } },
  { repeat = 2, steps = [ { turn = "ask" }, { think = { lognormal = "2s", sigma = 0.5 } } ] },
  { branch = [ { weight = 7, steps = [ { turn = "stop" } ] }, { steps = [] } ] },
  { think = { lognormal = "2s", sigma = 1, most = "4s" } },
]
[[conversation]]
name = "quick"
steps = [ { turn = "ask" } ]
"""


def scenario(folder: Folder, text: str = WHOLE) -> Scenario:
    folder.write("p.toml", PROTOCOL)
    return folder.load(HEAD + text)


def test_conversations_are_read_and_reach_workers(folder: Folder) -> None:
    found = scenario(folder)
    support, quick = found.conversations
    assert (support.weight, quick.weight, len(support.steps)) == (3, 1, 6)
    assert support.steps[3].steps[1].think == Think(
        way="lognormal", low_ns=2_000_000_000, high_ns=40_000_000_000, sigma=0.5
    )
    assert list(found.kinds) == ["ask", "stop"]
    assert found.traffic is not None
    assert scenario_from_settings(worker_settings(found)) == found


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ("3", "`steps` must be a list of steps such as"),
        ("[3]", 'a step must be a table such as { turn = "ask" }, not 3'),
        (
            "[{ turn = 'ask', think = '1s' }]",
            "a step must have exactly one of turn, think, branch, repeat, not 2",
        ),
        ("[{}]", "a step must have exactly one of turn, think, branch, repeat, not 0"),
        ("[{ tunr = 'ask' }]", "unknown key `tunr`; did you mean `turn`?"),
        ("[{ turn = 3 }]", "`turn` must be text, not 3"),
        ("[{ turn = 'aks' }]", "the protocol `p` has no kind of turn `aks`; did you mean `ask`?"),
        ("[{ turn = 'ask', steps = [] }]", "`steps` needs `repeat`"),
        ("[{ turn = 'ask' }, { think = 3 }]", "`think` must be a duration such as"),
        ("[{ turn = 'ask' }, { think = 'soon' }]", "`think`: "),
        ("[{ turn = 'ask' }, { think = { unifrom = 1 } }]", "unknown key `unifrom`; did you mean `uniform`?"),
        ("[{ turn = 'ask' }, { think = { uniform = 1 } }]", "`uniform` must be two durations"),
        ("[{ turn = 'ask' }, { think = { uniform = ['1s', 1] } }]", "`uniform` must be a duration such as"),
        (
            "[{ turn = 'ask' }, { think = { uniform = ['3s', '1s'] } }]",
            "the first time of `uniform`, ",
        ),
        ("[{ turn = 'ask' }, { think = { uniform = ['1s', '3s'], sigma = 1 } }]", "unknown key `sigma`"),
        ("[{ turn = 'ask' }, { think = { lognormal = '1s' } }]", "`lognormal` needs `sigma`, such as 0.5"),
        ("[{ turn = 'ask' }, { think = { lognormal = '1s', sigma = 9 } }]", "`sigma` must be a number above"),
        ("[{ turn = 'ask' }, { think = { lognormal = 'x', sigma = 1 } }]", "`lognormal`: "),
        (
            "[{ turn = 'ask' }, { think = { lognormal = '2s', sigma = 1, most = '1s' } }]",
            "`most` is shorter than `lognormal`",
        ),
        ("[{ branch = [] }]", "`branch` is empty"),
        ("[{ branch = 3 }]", "`branch` must be a list of tables"),
        ("[{ branch = [{ weight = 0, steps = [] }] }]", "`weight` must be a whole number from 1"),
        ("[{ branch = [{ weight = 1 }] }]", "`steps` must be a list of steps"),
        ("[{ repeat = 0, steps = [] }]", "`repeat` must be a whole number from 1 to 1000, not 0"),
        ("[{ think = '1s' }]", "one path through these steps has no turn"),
        (
            "[{ branch = [{ steps = [{ turn = 'ask' }] }, { steps = [] }] }]",
            "one path through these steps has",
        ),
        (
            "[{ repeat = 501, steps = [{ turn = 'ask' }, { turn = 'ask' }] }]",
            "a conversation may have at most 1,000 turns, not 1,002",
        ),
        (
            "[{ repeat = 1, steps = " * 9 + "[{ turn = 'ask' }]" + "}]" * 9,
            "`steps` are nested more than 8 levels deep",
        ),
    ],
)
def test_mistakes_in_steps_are_told_with_their_line(folder: Folder, steps: str, sentence: str) -> None:
    folder.write("p.toml", PROTOCOL)
    told = folder.mistakes(HEAD + f"[[conversation]]\nname = 'a'\nsteps = {steps}")
    assert [line for line in told if line.startswith(f"mine.toml:8: {sentence}")], told


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (WHOLE.replace('"quick"', '"support"'), '18: two conversations have the name "support"'),
        (WHOLE.replace('"quick"', '"a b"'), '18: "a b" cannot be the name of a conversation'),
        (WHOLE.replace('name = "quick"\n', ""), "17: a conversation needs a `name`"),
        ("[[conversation]]\nname = 'a'\n", "6: a conversation needs `steps`"),
        (WHOLE + "[traffic]\nmix = { ask = 1 }", "21: remove `mix`: [[conversation]] sets"),
        (WHOLE + "[traffic]\nburst = 2", "21: remove `burst`: [[conversation]] sets"),
        (WHOLE + "[traffic]\nmessage = '{turn.id}'", "21: `message` and [[conversation]] both set"),
        (
            WHOLE + "[thresholds]\n'conversations.complete[suport].ratio' = '> 9%'",
            "21: `conversations.complete[suport].ratio`: no conversation has the name `suport`; did you mean",
        ),
        (
            "[traffic]\n[thresholds]\n'conversation.time[a].p50' = '< 1s'",
            (
                "8: `conversation.time[a].p50`: no conversation has the name `a`; the scenario has no"
                " [[conversation]]"
            ),
        ),
        (
            "".join(f"[[conversation]]\nname = 'c{n}'\nsteps = [{{ turn = 'ask' }}]\n" for n in range(17)),
            "6: at most 16 conversations are allowed, not 17",
        ),
    ],
)
def test_what_does_not_go_with_conversations_is_told(folder: Folder, text: str, sentence: str) -> None:
    folder.write("p.toml", PROTOCOL)
    told = folder.mistakes(HEAD + text)
    assert [line for line in told if line.startswith(f"mine.toml:{sentence}")], told


def test_conversations_set_their_own_pace(folder: Folder) -> None:
    folder.write("p.toml", PROTOCOL)
    told = folder.mistakes((HEAD + WHOLE).replace("closed", "open"))
    assert 'needs model = "closed"' in told[0]


def test_a_conversation_with_a_turn_that_never_ends_is_not_judged_complete(folder: Folder) -> None:
    endless = "[[conversation]]\nname = 'a'\nsteps = [{ turn = 'ask' }, { turn = 'watch' }]\n"
    assert not scenario(folder, endless).turns_end


def test_conversations_are_explained(folder: Folder) -> None:
    told = {section.title: section.lines for section in explain(scenario(folder), sent_size)}["Turns"]
    assert told[1] == (
        "conversation support (75.0 %): ask, think 2 s, think 1 s to 3 s, 2 times (ask, think about 2 s "
        "(log-normal, sigma 0.5, 40 s at most)), either (stop; 87.5 %) or (nothing; 12.5 %), "
        "think about 2 s (log-normal, sigma 1, 4 s at most)"
    )
    assert told[2] == "conversation quick (25.0 %): ask"
