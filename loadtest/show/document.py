"""A view before it is laid out: what every format shows of a subject, in its order, as printable text.

A subject (a comparison, a trend, a search ...) is made into a ``Document`` once; each module of
``show.render`` lays any document out for one format. So no two formats can disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from loadtest.errors import WORST_FIRST, Exit

Tone = Literal["good", "bad", "doubt", "plain"]
"""How a line is coloured, always beside a word or a mark that says the same."""

TONES_WORST_FIRST: tuple[Tone, ...] = ("bad", "doubt", "plain", "good")

NOTHING = "–"
"""Stands where there is nothing to say."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column of a table; ``right`` of numbers, ``code`` of identifiers, ``strong`` of what matters.

    ``names``: it names the row, where no identifier does. On a screen it is a column, or a line below the
    row ("below"), or left out ("never"). Where that is narrow, the cells of one that ``wraps`` take several
    lines, and those that give way are left out, the lowest ``gives_way`` first; 0 stays.
    """

    head: str
    right: bool = False
    code: bool = False
    names: bool = False
    strong: bool = False
    screen: Literal["column", "below", "never"] = "column"
    wraps: bool = False
    gives_way: int = 0


@dataclass(frozen=True, slots=True)
class TableCell:
    """A cell with small print, which a screen leaves out of its columns.

    ``detail`` is small print that only a page has room for, ``link`` an address relative to the page.
    """

    text: str
    small: str = ""
    detail: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row of a table. The first cell carries the tone.

    ``notes`` say why, below the row or in a column of their own; ``remark`` is what a screen says instead,
    below the table. A row that is not ``notable`` is only counted on the screen of a folded section. ``mark``
    is its sign, where that of its tone would not tell it from others.
    """

    cells: tuple[str | TableCell, ...]
    tone: Tone = "plain"
    notes: tuple[str, ...] = ()
    remark: str = ""
    notable: bool = True
    mark: str = ""

    def text(self, at: int) -> str:
        """A cell without its small print."""
        cell = self.cells[at]
        return cell if isinstance(cell, str) else cell.text

    def small(self, at: int) -> str:
        """The small print of a cell."""
        cell = self.cells[at]
        return "" if isinstance(cell, str) else cell.small

    def detail(self, at: int) -> str:
        """All small print of a cell."""
        cell = self.cells[at]
        return "" if isinstance(cell, str) else ", ".join(filter(None, (cell.small, cell.detail)))

    def link(self, at: int) -> str:
        """Where a cell leads to."""
        cell = self.cells[at]
        return "" if isinstance(cell, str) else cell.link

    def whole(self, at: int) -> str:
        """A cell with its small print in brackets."""
        small = self.small(at)
        return f"{self.text(at)} ({small})" if small else self.text(at)


@dataclass(frozen=True, slots=True)
class DataTable:
    """Rows of one kind. ``rest`` names those that are not notable; without it they are counted by word.

    ``even``: its columns of numbers are equally wide, so that tables of the same columns align on a page; on
    a screen they stand below one head. ``notes_below``: a screen shows the notes of its rows, too.
    """

    columns: tuple[TableColumn, ...]
    rows: tuple[TableRow, ...]
    rest: str = ""
    even: bool = False
    notes_below: bool = False

    @property
    def heads(self) -> tuple[str, ...]:
        """What stands above the columns."""
        return tuple(column.head for column in self.columns)

    @property
    def naming(self) -> int:
        """The column that names a row."""
        return next((at for at, column in enumerate(self.columns) if column.names), self.noted)

    @property
    def noted(self) -> int:
        """The column below whose cells notes stand where they have none of their own: of identifiers."""
        return next((at for at, column in enumerate(self.columns) if column.code), 0)


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a turn; ``at`` is after the turn was due, or empty where unknown."""

    at: str
    payload: str


@dataclass(frozen=True, slots=True)
class BarSegment:
    """A part of a turn's time: ``share`` of the longest turn shown, in percent."""

    name: str
    text: str
    share: float


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One turn: who, how it ended, how long each part of it took, what was said.

    ``left_out`` frames are not shown, and ``forgotten`` ones of a long turn's middle were not even kept.
    """

    title: str
    outcome: str
    took: str
    segments: tuple[BarSegment, ...]
    frames: tuple[Frame, ...]
    left_out: int
    forgotten: int


@dataclass(frozen=True, slots=True)
class DocumentSection:
    """Tables below one title; without rows it is left out.

    ``meaning`` is a sentence for files, ``brief`` a few words beside the title on a screen. A ``folded``
    section decides nothing: it is closed at first, and ``folded`` says what is in it. One that ``stays`` is
    shown even where nothing could be decided. ``remarks`` are sentences below the tables. On a page it stands
    under its ``tab``, without one in sight from the beginning; only a page shows ``exemplars``. Without
    ``screen`` it is left to files, unless a screen is to show everything.
    """

    title: str
    tables: tuple[DataTable, ...]
    meaning: str = ""
    brief: str = ""
    folded: str = ""
    stays: bool = False
    remarks: tuple[str, ...] = ()
    tab: str = ""
    exemplars: tuple[Exemplar, ...] = ()
    screen: bool = True

    @property
    def filled(self) -> tuple[DataTable, ...]:
        """Its tables that have rows."""
        return tuple(table for table in self.tables if table.rows)


@dataclass(frozen=True, slots=True)
class Callout:
    """A warning: a reason to doubt or qualify the numbers, with what to do; ``spoils``: they are invalid.

    ``quiet``: nobody would do anything differently for it; a page folds it.
    """

    code: str
    message: str
    remedy: str
    numbers: str = ""
    spoils: bool = False
    quiet: bool = False


Chart = Mapping[str, object]
"""What an interactive chart of a page is drawn from, as plain data; ``show.charts`` says how."""


Link = Callable[[str], str]
"""The address, relative to a page, of the report of the run with an id; empty where it has none."""


def no_link(_run: str) -> str:
    """Of a page that stands nowhere in particular."""
    return ""


def no_charts() -> Sequence[Chart]:
    """Of a plot that no chart replaces."""
    return ()


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot and how to read it; drawn, ``width`` inches wide, when a format asks for it.

    A page shows its ``charts`` instead where it can be interactive. It stands under its ``tab``, or without
    one below the verdict.
    """

    caption: str
    svg: Callable[[float], str]
    png: Callable[[float], bytes]
    charts: Callable[[], Sequence[Chart]] = no_charts
    tab: str = ""


@dataclass(frozen=True, slots=True)
class KeyNumber:
    """One of the few numbers that matter, with what it was measured from; not measured: with the reason."""

    label: str
    value: str
    basis: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Document:
    """Everything that is shown of one subject. Without a ``word`` there is no verdict, only numbers.

    ``kind`` names the subject ("comparison"), ``subject`` and ``about`` what it is of, ``aside`` what matters
    less. ``brief`` is said instead of a long ``why``. ``context`` are sentences below the verdict. Plots
    stand after the first ``plots_after`` sections, where there are pages. ``decided``: there was enough for a
    verdict on something; else only a few sentences are shown unless everything is asked for. ``facts`` are
    name and value beside the verdict, ``footer`` says which document this is. ``title`` and ``badges`` are
    the head line of a page, where the kind does not say enough; ``numbers`` stand on it, ``tabs`` are in this
    order.
    """

    kind: str
    subject: str
    about: str
    sections: tuple[DocumentSection, ...]
    word: str = ""
    tone: Tone = "plain"
    exit_code: int | None = None
    why: str = ""
    brief: str = ""
    simulated: bool = False
    aside: str = ""
    context: tuple[str, ...] = ()
    callouts: tuple[Callout, ...] = ()
    plots: tuple[Plot, ...] = ()
    plots_after: int = 1
    decided: bool = True
    facts: tuple[tuple[str, str], ...] = ()
    footer: str = ""
    title: str = ""
    badges: tuple[str, ...] = ()
    numbers: tuple[KeyNumber, ...] = ()
    tabs: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """What it is about, in one line."""
        return f"{self.subject}: {self.about}" if self.about else self.subject

    def shown_sections(self, *, whole: bool) -> tuple[DocumentSection, ...]:
        """Those with rows that a short view shows; with ``whole`` all of them."""
        filled = (section for section in self.sections if section.filled)
        return tuple(each for each in filled if whole or self.decided or each.stays)


def worst_first(documents: Iterable[Document]) -> list[Document]:
    """Sorted so that the first has the exit code of all; equals stay in their order."""
    return sorted(
        documents,
        key=lambda each: (WORST_FIRST.index(Exit(each.exit_code or 0)), TONES_WORST_FIRST.index(each.tone)),
    )


def verdict_of_all(documents: Sequence[Document], exit_code: int) -> dict[str, Any]:
    """The verdict of the whole for machines; it names the worst by its kind ("comparison", "trend")."""
    first = worst_first(documents)[0]
    reason = first.why if len(documents) == 1 else f"{first.heading}: {first.why}"
    return {
        "outcome": first.word.lower(),
        "exit_code": exit_code,
        "reason": reason,
        first.kind: first.heading,
    }
