from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sample import SampleRun, cut_short, failed, passed, store, unreachable

from loadtest.errors import ConfigError
from loadtest.keep.read import read_run
from loadtest.show.benchmark import benchmark, benchmark_rates
from loadtest.show.plot.pictures import NAMES, Pictures
from loadtest.show.report_formats import FORMATS, judged, part_of, render, write_views

Sample = Callable[[str], SampleRun]
PageOf = Callable[[SampleRun], str]
View = Callable[[str, str], str]
VIEWS = {"report.html", "report.md", "junit.xml", "benchmark.json", "benchmark-rates.json"}
ZERO = re.compile(r"(?<![\d.,:])0(?:\.0+)?\s*(?:/s|ms|µs|us|ns|s|min|per_s)\b")


@pytest.fixture
def view(sample: Sample, undrawn_page_of: PageOf) -> View:
    """A sample run in a format; the plots of the page are empty."""
    return lambda name, form: undrawn_page_of(sample(name)) if form == "html" else render(sample(name), form)


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {"html"}))
def test_every_format_of_every_sample_ends_with_a_line(run: SampleRun, form: str) -> None:
    text = render(run, form)
    text.encode("utf-8")
    assert text.endswith("\n")


def test_the_page_is_a_format_too(sample: Sample, page_of: PageOf) -> None:
    assert render(sample("unreachable"), "html") == page_of(sample("unreachable"))


@pytest.mark.parametrize("form", FORMATS)
def test_every_view_says_simulated_where_it_was_and_only_there(form: str, view: View) -> None:
    assert re.search("simulated", view("passed", form), re.IGNORECASE)
    assert not re.search(r"\bSIMULATED\b", re.sub("<dt>SIMULATED</dt>", "", view("unreachable", form)))


def test_benchmarks_and_plots_say_simulated(sample: Sample) -> None:
    run = sample("passed")
    assert all("SIMULATED" in text for text in (benchmark(run.manifest), benchmark_rates(run.manifest)))
    assert all("SIMULATED" in Pictures(run).about(name) for name in NAMES)


def test_the_search_for_zeros_finds_zeros() -> None:
    for zero in ("0/s", "0.00/s", "0 ms", "0.0 s", "n=3, 0 µs"):
        assert ZERO.search(zero), zero
    for other in ("10/s", "0.8 s", "100 ms", "12:15:30 s", "0 %", "1.0 ms", "0 B"):
        assert not ZERO.search(other), other


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {"json"}))
def test_no_rate_and_no_latency_of_zero_where_nothing_was_measured(form: str, view: View) -> None:
    text = re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", view("unreachable", form), flags=re.DOTALL)
    assert not ZERO.findall(text)
    assert not re.findall(r"(?:duration|rate)[a-z_]*\{[^}]*\} 0", text)
    assert not re.findall(r"^.*,(?:metrics|rates),.*,0(?:\.0)?,(?:ms|1/s),.*$", text, re.MULTILINE)


def test_no_plot_writes_a_rate_or_a_latency_of_zero(sample: Sample) -> None:
    for name in NAMES:
        texts = [each.get_text() for each in Pictures(sample("unreachable")).figure(name).findobj(_is_text)]
        assert not [text for text in texts if ZERO.search(text)]


def _is_text(artist: object) -> bool:
    return hasattr(artist, "get_text") and hasattr(artist, "get_fontsize")


def test_the_files_of_a_folder(tmp_path: Path) -> None:
    run = read_run(store(failed(), tmp_path))
    written = write_views(run)
    assert written[0] == run.path / "report.html"
    names = {str(path.relative_to(run.path)) for path in written}
    assert names == VIEWS | {f"plots/{name}.svg" for name in NAMES}
    assert not list(run.path.rglob("*.new"))
    assert 'class="word">FAIL' in (run.path / "report.html").read_text("utf-8")
    assert isinstance(json.loads((run.path / "benchmark.json").read_text("utf-8")), list)


def test_a_stored_run_looks_like_the_run_it_was(tmp_path: Path) -> None:
    run = passed()
    stored = read_run(store(run, tmp_path))
    for form in sorted(set(FORMATS) - {"html"}):
        assert _without_status(render(stored, form)) == _without_status(render(run, form))
    pictures, others = Pictures(stored), Pictures(run)
    for name in NAMES:
        assert [*pictures.plot(name).charts()] == [*others.plot(name).charts()]
    assert pictures.svg("timeline") == others.svg("timeline")
    assert pictures.svg("ledger") == others.svg("ledger")


def _without_status(text: str) -> str:
    return re.sub(r'\s+"status": "[^"]+",?', "", text)


def test_views_can_be_written_again(tmp_path: Path) -> None:
    run = read_run(store(unreachable(), tmp_path))
    first = {path: path.read_bytes() for path in write_views(run)}
    assert {path: path.read_bytes() for path in write_views(run)} == first


def test_a_run_that_was_killed_is_judged_by_what_is_there(tmp_path: Path) -> None:
    run = read_run(store(cut_short(), tmp_path))
    text = render(run, "terminal")
    assert "Cut short" in text
    assert "turn.first_event.p95" in text
    assert "verdict" not in run.manifest


def test_a_judged_run_is_left_as_it_is(sample: Sample) -> None:
    run = sample("passed")
    assert judged(run) is run


def test_a_part_of_a_run(sample: Sample) -> None:
    run = part_of(sample("failed"), 10.0, 14.0)
    text = render(run, "terminal")
    assert "A part of the run: 10 s to 14 s." in text
    assert "n=1,000" in text
    assert run.turns()["intended_ns"].min() >= 10e9
    assert {interval.second for interval in run.intervals()} == {10, 11, 12, 13}
    assert run.totals().histograms["turn.first_event"].n == 1000
    assert "SIMULATED" in Pictures(run).svg("timeline")
    assert run.path == sample("failed").path


def test_a_format_that_does_not_exist_is_named_with_those_that_do(sample: Sample) -> None:
    with pytest.raises(ConfigError, match='there is no format "pdx"; there are terminal, html'):
        render(sample("passed"), "pdx")
