"""What the tests of views share: sample runs, and text held against a file."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from matplotlib.figure import Figure

# Test modules are imported without a package, so the samples beside them are put where they are found.
sys.path.insert(0, str(Path(__file__).parent))

from sample import SAMPLES, SampleRun

from loadtest.show.plot import style
from loadtest.show.plot.pictures import Pictures
from loadtest.show.report_formats import report_page

GOLDEN = Path(__file__).parent.parent / "golden"


@functools.cache
def _made(name: str) -> SampleRun:
    return SAMPLES[name]()


@pytest.fixture(params=sorted(SAMPLES))
def run(request: pytest.FixtureRequest) -> SampleRun:
    """Every sample run in turn; tests leave it as it is."""
    return _made(request.param)


@pytest.fixture
def sample() -> Callable[[str], SampleRun]:
    """A sample run by name; tests leave it as it is."""
    return _made


@functools.cache
def _pictures(name: str) -> Pictures:
    return Pictures(_made(name))


@functools.cache
def _drawn(name: str, picture: str, width: float) -> Figure:
    return _pictures(name).figure(picture, width)


@functools.cache
def _page(name: str) -> str:
    return report_page(_made(name), _pictures(name))


def _name_of(run: SampleRun) -> str:
    return next(name for name in SAMPLES if _made(name) is run)


@pytest.fixture
def pictures() -> Callable[[SampleRun], Pictures]:
    """The plots of a sample run; each is drawn once for all tests."""
    return lambda run: _pictures(_name_of(run))


@pytest.fixture
def drawn() -> Callable[..., Figure]:
    """A plot by the names of its sample run and its own, and its width: drawn once; no test changes it."""
    return lambda name, picture, width=style.WIDE_IN: _drawn(name, picture, width)


@pytest.fixture
def page_of() -> Callable[[SampleRun], str]:
    """The HTML page of a sample run, made once for all tests."""
    return lambda run: _page(_name_of(run))


class Undrawn(Pictures):
    """Plots that are empty sheets, for what a page says beside them."""

    def svg(self, name: str, _width_in: float = 0.0) -> str:
        """No line and no letter; its title is as that of the plot."""
        title = f'<title id="about">{escape(self.about(name))}</title>'
        return f'<svg xmlns="http://www.w3.org/2000/svg">{title}</svg>'


@functools.cache
def _undrawn_page(name: str) -> str:
    return report_page(_made(name), Undrawn(_made(name)))


@pytest.fixture
def undrawn_page_of() -> Callable[[SampleRun], str]:
    """As ``page_of``, with an empty sheet for each plot: they take nine tenths of the time."""
    return lambda run: _undrawn_page(_name_of(run))


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Holds a text against a file of tests/golden; on a mismatch it is left beside as ``.got``."""

    def hold(name: str, text: str) -> None:
        wanted, got = GOLDEN / name, GOLDEN / f"{name}.got"
        if wanted.exists() and wanted.read_text("utf-8") == text:
            got.unlink(missing_ok=True)
            return
        got.write_text(text, encoding="utf-8", newline="\n")
        pytest.fail(f"{name} differs; if the new text is right: mv {got} {wanted}")

    return hold


@pytest.fixture(params=["passed", "failed", "unreachable", "invalid"])
def stored(request: pytest.FixtureRequest) -> tuple[str, SampleRun]:
    """A manifest as it was stored once, so that golden texts change with views and with nothing else."""
    name = request.param
    return name, SampleRun(json.loads((GOLDEN / f"{name}.run.json").read_text("utf-8")))
