"""The report on paper: whole, with its plots, and saying what the other views say."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable

import pytest
from PIL import Image

from loadtest.show.page import Page, Picture
from loadtest.show.pdf import page, pdf
from loadtest.show.pdf_page import pdf as on_paper
from loadtest.show.report_model import tell
from tests.show.sample import SampleRun

Sample = Callable[[str], SampleRun]


def texts(told: Page) -> str:
    return "\n".join(
        " ".join((section.title, *line.cells, *line.notes))
        for section in told.sections
        for line in section.lines
    )


@pytest.mark.parametrize("name", ["passed", "failed", "invalid", "unreachable"])
def test_every_row_of_the_report_is_on_the_page(name: str, sample: Sample) -> None:
    report = tell(sample(name).manifest)
    made, text = page(report), texts(page(report))
    assert made.verdict.startswith(report.judgement.word)
    assert made.exit_code == report.judgement.exit_code
    assert all(row.name in text for row in report.thresholds)
    assert all(row.label in text for row in report.rates)
    for ledger in report.ledgers:
        for count in ledger.counts:
            assert count.label in text
    for group in report.groups:
        for metric in group.metrics:
            assert all(metric.cells[key] in text for key in metric.cells)
    for notice in report.notices:
        assert notice.message in text
        assert notice.remedy in text
    assert all(note in text for note in report.footnotes)
    assert all(fact.value in text for fact in report.unmeasured)


def test_a_simulated_run_says_so_on_every_page(sample: Sample) -> None:
    report = dataclasses.replace(tell(sample("passed").manifest), simulated=True)
    assert "(SIMULATED)" in page(report).footer
    assert "(SIMULATED)" in page(report).verdict


def test_the_document_has_its_letters_and_four_pictures(sample: Sample) -> None:
    made = pdf(sample("passed"))
    assert made.startswith(b"%PDF-")
    assert b"DejaVuSans" in made
    assert made.count(b"/Subtype /Image") >= 4
    assert made.count(b"/Type /Page\n") in range(3, 9)


def png(width: int, height: int) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (width, height)).save(target, format="PNG")
    return target.getvalue()


def test_a_tall_picture_stays_on_its_page(sample: Sample) -> None:
    tall = Picture(png(50, 400), "as read")
    report = dataclasses.replace(page(tell(sample("passed").manifest)), sections=(), pictures=(tall,))
    assert on_paper(report).count(b"/Type /Page\n") == 2
