"""One colour a meaning: what is drawn in two plots looks the same in both, whatever else is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from compared import of, release
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from sample import SampleRun

from loadtest.measure.interval import Interval
from loadtest.show.comparison_data import boards
from loadtest.show.counter_table import OUTCOMES
from loadtest.show.plot import style
from loadtest.show.plot.ledger import turn_bars
from loadtest.show.plot.pictures import Pictures
from loadtest.show.plot.release_pictures import ComparisonPictures

Looks = dict[str, tuple[str, str | None]]


def bars(figure: Figure) -> Looks:
    """Colour and hatch of each kind of bar, by its name in the legend."""
    found: Looks = {}
    for container in (container for axes in figure.axes for container in axes.containers):
        (first, *_) = (patch for patch in container if isinstance(patch, Rectangle))
        found[str(container.get_label()).split(" (")[0]] = (to_hex(first.get_facecolor()), first.get_hatch())
    return found


def drawn(picture: str, counters: Mapping[str, int]) -> Looks:
    return bars(
        Pictures(SampleRun({}, [Interval(second=0, counters={"measured": counters})])).figure(picture)
    )


def test_an_outcome_has_its_colour_whatever_else_went_wrong() -> None:
    alone = drawn("timeline", {"turns.due": 9, "turns.timed_out": 2})
    beside = drawn("timeline", {"turns.due": 9, "turns.failed": 3, "turns.timed_out": 2})
    assert alone["timed out"] == beside["timed out"] != beside["failed"]


def test_timeline_and_ledger_paint_an_outcome_alike() -> None:
    every = {f"turns.{key}": 1 for key in OUTCOMES}
    in_timeline = drawn("timeline", every)
    in_ledger, _ = turn_bars({"counts": {"turns": {"due": 7, **dict.fromkeys(OUTCOMES, 1)}}})
    assert len(in_timeline) == len(OUTCOMES) - 1
    for bar in in_ledger:
        assert bar.label == "complete" or in_timeline[bar.label][0] == bar.colour


def test_how_a_connection_ended_has_its_colour_whatever_is_most_frequent() -> None:
    many = {"connections.attempted": 9, "connections.refused.tcp": 5, "connections.closed.1011": 1}
    few = {"connections.attempted": 9, "connections.refused.tcp": 1, "connections.closed.1011": 5}
    alone = drawn("connections", {"connections.attempted": 9, "connections.closed.1011": 1})
    assert drawn("connections", many) == drawn("connections", few)
    assert alone["closed: 1011"] == drawn("connections", many)["closed: 1011"]


@pytest.mark.parametrize("order", [("v2", "v3"), ("v3", "v2")])
def test_a_release_has_its_colour_in_every_picture_of_a_call(order: tuple[str, ...]) -> None:
    before = ("v1", release("v1", 2))
    found = of(before, *((name, release(name, 2)) for name in order))
    (board,) = boards(found)
    numbers = {side.name: side.number for side in board.sides}
    assert numbers == {"v1": 0, order[0]: 1, order[1]: 2}
    for picture in ("spectra", "ecdf", "timelines", "shift"):
        figure = ComparisonPictures(board).figure(picture)
        for line in (line for axes in figure.axes for line in axes.lines):
            name = str(line.get_label()).split(" (")[0]
            if name in numbers:
                assert to_hex(line.get_color()) == style.release(numbers[name]).colour
    dots = ComparisonPictures(board).figure("runs").axes[0].lines
    assert [to_hex(line.get_color()) for line in dots[:3]] == [style.release(at).colour for at in range(3)]


def test_a_scenario_without_one_candidate_does_not_move_the_colours_of_the_others() -> None:
    before = ("v1", release("v1", 2))
    found = of(before, ("v2", release("v2", 2)), ("v3", release("v3", 2)))
    (other,) = of(before, ("v3", release("v3", 2)))
    other = replace(other, comparison=replace(other.comparison, scenario="another"))
    first, second = boards([*found, other])
    assert [side.number for side in first.sides] == [0, 1, 2]
    assert [(side.name, side.number) for side in second.sides] == [("v1", 0), ("v3", 2)]


@pytest.mark.parametrize("table", [style.OUTCOMES, style.REFUSED, style.GIVEN_UP, style.RATES, style.PROBES])
def test_nothing_is_told_apart_by_colour_alone(table: Mapping[str, style.Style]) -> None:
    """The palette is apart for every kind of colour vision; hatch, dash or marker differ besides."""
    looks = list(table.values())
    assert len({(look.hatch, look.dash, look.marker) for look in looks}) == len(looks)
    assert len({(look.colour, look.hatch, look.marker, look.dash) for look in looks}) == len(looks)


@pytest.mark.parametrize("colour", [look.colour for look in style.OUTCOMES.values()])
def test_outcomes_have_colours_of_their_own(colour: str) -> None:
    assert [look.colour for look in style.OUTCOMES.values()].count(colour) == 1


def test_close_codes_that_servers_send_look_different() -> None:
    registered = [*range(1000, 1015), 3000, 4000, 4001]
    looks = [(style.closed(str(code)).colour, style.closed(str(code)).hatch) for code in range(1000, 1015)]
    assert len(set(looks)) == 15
    assert {style.closed(str(code)).colour for code in registered} <= set(style.CLOSED_COLOURS)
    assert style.closed("no code") == style.closed("0")
    assert style.refused("elsewhere") == style.given_up("elsewhere") == style.OTHER_KINDS
