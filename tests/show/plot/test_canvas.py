from __future__ import annotations

import matplotlib as mpl
from hypothesis import example, given, settings
from hypothesis import strategies as st
from overlap import faults

from loadtest.show.plot import canvas as layout
from loadtest.show.plot import style

TEXT = st.text(max_size=120)


@settings(max_examples=max(7, settings().max_examples // 10))
@given(
    TEXT, TEXT, TEXT, st.lists(TEXT.filter(str.strip), min_size=1, max_size=7), st.sampled_from([3.75, 10.4])
)
@example("W" * 200, "W" * 200, "W" * 200, ["W" * 200, "i" * 200], 3.75)
def test_texts_of_any_kind_neither_overlap_nor_are_cut(
    scenario: str, label: str, target: str, names: list[str], width: float
) -> None:
    with mpl.rc_context(style.SETTINGS):
        sheet = layout.sheet(layout.Heading("A title", scenario, label, target, simulated=True), width)
        for caption in (scenario, target):
            panel = layout.panel(sheet, caption, 1.0)
            for index, name in enumerate(names):
                panel.axes.plot([0, 1e9], [0, 10.0**index], label=style.drawable(name).replace("_", "-"))
            style.thousands(panel.axes.yaxis)
            layout.legend(panel, width)
            layout.footer(sheet, panel, target)
        layout.explain(sheet, layout.panel(sheet, label, 1.0), scenario)
        layout.arrange(sheet)
        assert faults(sheet.figure) == []


def test_a_long_name_does_not_take_the_room_of_short_ones() -> None:
    with mpl.rc_context(style.SETTINGS):
        columns = []
        for width in (10.4, 3.75):
            sheet = layout.sheet(layout.Heading("t", "s", "", "u", simulated=False), width)
            panel = layout.panel(sheet, "c", 1.0)
            for name in ("within the smallest effect of five per cent", "a", "b", "c"):
                panel.axes.plot([0, 1], [0, 1], label=name)
            layout.legend(panel, width)
            assert panel.legend is not None
            columns.append(panel.legend._ncols)
    assert columns == [4, 1]


def test_the_height_follows_from_what_is_on_it() -> None:
    with mpl.rc_context(style.SETTINGS):
        heights = []
        for panels in (1, 2):
            sheet = layout.sheet(layout.Heading("t", "s", "", "u", simulated=False), 10.4)
            for _ in range(panels):
                layout.panel(sheet, "c", 1.0)
            layout.arrange(sheet)
            heights.append(sheet.figure.get_size_inches()[1])
    assert 1.2 < heights[1] - heights[0] < 1.8
