from __future__ import annotations

from loadtest.simulator.counters import LISTED, Tally


def test_the_peak_is_the_most_that_were_open_at_once() -> None:
    tally = Tally()
    tally.opened()
    tally.opened()
    tally.open -= 1
    tally.opened()
    assert (tally.established, tally.open, tally.peak) == (3, 2, 2)


def test_deeds_are_counted_beyond_the_list() -> None:
    tally = Tally()
    for n in range(LISTED + 5):
        tally.did("drop", "run", n)
    done = tally.faults_done()["drop"]
    assert (done["n"], len(done["struck"]), done["unlisted"]) == (LISTED + 5, LISTED, 5)
    assert done["struck"][3] == ["run", 3]


def test_codes_are_keys_in_order() -> None:
    tally = Tally()
    tally.closed_by_server.update([1011, 1008, 1011])
    assert tally.counters()["connections"]["closed_by_server"] == {"1008": 1, "1011": 2}
