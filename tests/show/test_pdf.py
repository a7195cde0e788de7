"""The report on paper: whole, with its plots, and saying what the other views say."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable

import pytest
from PIL import Image

from loadtest.show.build_report import build_report
from loadtest.show.document import Document, Plot
from loadtest.show.render.pdf import pdf
from loadtest.show.report_formats import render_any
from loadtest.show.run import document
from tests.show.sample import SampleRun

Sample = Callable[[str], SampleRun]


def texts(of: Document) -> str:
    return "\n".join(
        " ".join((section.title, *map(row.whole, range(len(row.cells))), *row.notes, *section.remarks))
        for section in of.sections
        for table in section.tables
        for row in table.rows
    )


@pytest.mark.parametrize("name", ["passed", "failed", "invalid", "unreachable"])
def test_every_row_of_the_report_is_in_the_document(name: str, sample: Sample) -> None:
    report = build_report(sample(name).manifest)
    made, text = document(report), texts(document(report))
    assert made.word == report.judgement.word
    assert made.exit_code == report.judgement.exit_code
    assert all(row.name in text for row in report.thresholds)
    assert all(row.label in text for row in report.rates)
    for ledger in report.ledgers:
        for count in ledger.counts:
            assert count.label in text
    for group in report.groups:
        for metric in group.metrics:
            assert all(metric.cells[key] in text for key in metric.cells)
    assert [(each.code, each.message, each.remedy) for each in made.callouts] == [
        (notice.code, notice.message, notice.remedy) for notice in report.notices
    ]
    assert all(note in text for note in report.footnotes)
    assert all(fact.value in text for fact in report.unmeasured)


def test_a_simulated_run_says_so(sample: Sample) -> None:
    report = dataclasses.replace(build_report(sample("passed").manifest), simulated=True)
    assert document(report).simulated


def test_the_document_has_its_letters_and_four_pictures(sample: Sample) -> None:
    made = render_any(sample("passed"), "pdf")
    assert isinstance(made, bytes)
    assert made.startswith(b"%PDF-")
    assert b"DejaVuSans" in made
    assert made.count(b"/Subtype /Image") >= 4
    assert made.count(b"/Type /Page\n") in range(3, 9)


def png(width: int, height: int) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (width, height)).save(target, format="PNG")
    return target.getvalue()


def test_a_tall_picture_stays_on_its_page(sample: Sample) -> None:
    tall = Plot("as read", lambda _: "", lambda _: png(50, 400))
    only = dataclasses.replace(
        document(build_report(sample("passed").manifest)), sections=(), callouts=(), plots=(tall,)
    )
    assert pdf(only).count(b"/Type /Page\n") == 2
