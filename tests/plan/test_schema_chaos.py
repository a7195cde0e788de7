from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadtest.plan.scenario import Chaos, Cut, Reconnect, SlowReaders
from loadtest.plan.scenario_file import scenario_from_settings, worker_settings

if TYPE_CHECKING:
    from tests.plan.conftest import Folder

HEAD = 'protocol = "agent-events"\n[target]\nurl = "simulator"\n'
TRAFFIC = "[traffic]\nevery = '1s'\n"

MS = 1_000_000
S = 1_000_000_000

FULL = """
[load]
reconnect = { first = "250ms", factor = 1.5, most = "8s", jitter = "25%", tries = 7 }
[traffic]
every = "1s"
[chaos]
cut = { share = "33.3%", at = "5s", every = "2s" }
slow_readers = { share = "20%", rate = "4KiB/s" }
leavers = { share = "0.1" }
malformed = { share = "5%" }
"""


def test_every_key(folder: Folder) -> None:
    scenario = folder.load(HEAD + FULL)
    assert scenario.load.reconnect == Reconnect(
        initial_delay_ns=250 * MS, factor=1.5, max_delay_ns=8 * S, jitter=0.25, tries=7
    )
    assert scenario.chaos == Chaos(
        cut=Cut(share=0.333, at_ns=5 * S, every_ns=2 * S),
        slow_readers=SlowReaders(share=0.2, bytes_per_s=4096),
        leavers=0.1,
        malformed=0.05,
    )


def test_nothing_goes_wrong_and_nobody_comes_back_unless_it_is_written(folder: Folder) -> None:
    scenario = folder.load(HEAD + "[load]\nreconnect = false\n[chaos]\n")
    assert scenario.chaos == Chaos()
    assert scenario.load.reconnect is None
    assert "chaos" not in scenario.settings
    assert folder.load(HEAD).sha256 == scenario.sha256


def test_reconnect_true_has_the_manners_of_a_browser_client(folder: Folder) -> None:
    """First wait 0.1 s, doubled each time up to 10 s, ten tries; jitter."""
    scenario = folder.load(HEAD + "[load]\nreconnect = true\n")
    assert scenario.load.reconnect == Reconnect(
        initial_delay_ns=100 * MS, factor=2.0, max_delay_ns=10 * S, jitter=0.5, tries=10
    )


@pytest.mark.parametrize(
    "text",
    [
        FULL,
        "[load]\nreconnect = true\n",
        "[load]\nreconnect = { jitter = '0%', factor = 1 }\n",
        "[chaos]\ncut = { share = '100%', at = '0s' }\n",
        "[chaos]\ncut = { share = '0.0000001%', at = '1ns' }\n",
        TRAFFIC + "[chaos]\nleavers = { share = '12.3456789012%' }\n",
    ],
)
def test_a_worker_gets_the_same_chaos(folder: Folder, text: str) -> None:
    scenario = folder.load(HEAD + text)
    assert scenario_from_settings(worker_settings(scenario)) == scenario


def test_faults_of_the_simulator_are_kept_with_the_target(folder: Folder) -> None:
    scenario = folder.load(HEAD + 'faults = ["gap=20ms", "no-seq"]\n')
    assert scenario.target.faults == ("gap=20ms", "no-seq")
    assert scenario_from_settings(worker_settings(scenario)) == scenario
    assert scenario.sha256 == folder.load(HEAD).sha256


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("[load]\nreconnect = 5", ["5: `reconnect` must be true or a table, not 5"]),
        (
            "[load]\nreconnect = { frist = '1s', first = '0s', factor = 0.5, jitter = '200%', tries = 0 }",
            [
                "5: `first` must be more than 0",
                "5: `factor` must be a number from 1 to 100, not 0.5",
                '5: `jitter`: "200%" is more than 100%',
                "5: `tries` must be a whole number from 1 to 10000, not 0",
                "5: unknown key `frist`; did you mean `first`?",
            ],
        ),
        ("[load]\nreconnect = { factor = true }", ["5: `factor` must be a number from 1 to 100, not true"]),
        (
            "[load]\nreconnect = { factor = inf }",
            ["5: `factor` must be a number from 1 to 100, not so large"],
        ),
        ("[load]\nreconnect = { factor = nan }", ["5: `factor` must be a number from 1 to 100"]),
        ("[load]\nreconnect = { first = '1m' }", ["5: `max_delay` must be at least `first`"]),
        ("[chaos]\ncuts = 1", ["5: unknown key `cuts`; did you mean `cut`?"]),
        (
            "[chaos]\ncut = true",
            ["5: `cut` must be a table, not true", "5: `cut` needs `share`", "5: `cut` needs `at`"],
        ),
        ("[chaos]\ncut = {}", ["5: `cut` needs `share`; write for example", "5: `cut` needs `at`, the time"]),
        (
            "[chaos]\ncut = { share = '0%', at = '1s', evry = '1s' }",
            ["5: `share` must be more than 0", "5: unknown key `evry`; did you mean `every`?"],
        ),
        (
            "[chaos]\ncut = { share = 5, at = '1s' }",
            ['5: `share` must be a ratio such as "5%" in quotes, not 5'],
        ),
        (
            "[chaos]\ncut = { share = '5%', at = '30s' }",
            ["5: the cut would come after the end of the run, which lasts 30 s"],
        ),
        (
            "[chaos]\nslow_readers = { share = '5%', rte = '1B/s' }",
            ["5: `slow_readers` needs `rate`, such as", "5: unknown key `rte`; did you mean `rate`?"],
        ),
        *(
            (
                f"[chaos]\nslow_readers = {{ share = '5%', rate = {rate} }}",
                [f'5: `rate` must be a size per second, such as "4KiB/s", not {rate}'],
            )
            for rate in ('"4KiB"', '"4KiB/m"', "4096")
        ),
        ("[chaos]\nslow_readers = { share = '5%', rate = '4k/s' }", ['5: `rate`: "4k" is not a size']),
        ("[chaos]\nslow_readers = { share = '5%', rate = '0B/s' }", ["5: `rate` must be more than 0"]),
        (
            "[chaos]\nleavers = { share = '5%' }\nmalformed = { share = '5%' }",
            [
                "5: `leavers` is a share of turns, but the scenario sends no turns",
                "6: `malformed` is a share of turns",
            ],
        ),
        (TRAFFIC + "[chaos]\nleavers = {}", ["7: `leavers` needs `share`"]),
        (TRAFFIC + "[chaos]\nleavers = { share = '5%', at = '1s' }", ["7: unknown key `at`"]),
        (TRAFFIC + "cut = { share = '5%', at = '1s' }", ["6: unknown key `cut`; it belongs to [chaos]"]),
        ("[load]\nleavers = { share = '5%' }", ["5: unknown key `leavers`; it belongs to [chaos]"]),
        (TRAFFIC + "reconnect = true", ["6: unknown key `reconnect`; it belongs to [load]"]),
    ],
)
def test_mistakes_are_told_with_their_line(folder: Folder, text: str, sentences: list[str]) -> None:
    told = [line.removeprefix("mine.toml:") for line in folder.mistakes(HEAD + text)]
    assert [line[: len(sentence)] for line, sentence in zip(told, sentences, strict=True)] == sentences


ORDER = """
[target]
url = "simulator"
[protocol]
name = "p"
[protocol.turn]
message = "x"
[protocol.events]
match = "order"
count = 1
"""


def test_answers_to_broken_messages_must_be_told_from_those_to_turns(folder: Folder) -> None:
    (told,) = folder.mistakes(ORDER + TRAFFIC + "[chaos]\nmalformed = { share = '5%' }\n")
    assert told.startswith("mine.toml:14: remove `malformed`: answers are matched by order")
