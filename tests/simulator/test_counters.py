from __future__ import annotations

from loadtest.simulator.counters import LISTED, Counters


def test_the_peak_is_the_most_that_were_open_at_once() -> None:
    counters = Counters()
    counters.opened()
    counters.opened()
    counters.open -= 1
    counters.opened()
    assert (counters.established, counters.open, counters.peak) == (3, 2, 2)


def test_deeds_are_counted_beyond_the_list() -> None:
    counters = Counters()
    for n in range(LISTED + 5):
        counters.count_fault("drop", "run", n)
    done = counters.faults_done()["drop"]
    assert (done["n"], len(done["struck"]), done["unlisted"]) == (LISTED + 5, LISTED, 5)
    assert done["struck"][3] == ["run", 3]


def test_codes_are_keys_in_order() -> None:
    counters = Counters()
    counters.closed_by_server.update([1011, 1008, 1011])
    assert counters.as_dict()["connections"]["closed_by_server"] == {"1008": 1, "1011": 2}
