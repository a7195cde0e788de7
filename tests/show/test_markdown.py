from __future__ import annotations

from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from sample import SampleRun

from loadtest.show.build_report import build_report
from loadtest.show.render.markdown import code, escaped, markdown
from loadtest.show.run import document
from loadtest.show.sanitize import printable

Golden = Callable[[str, str], None]
Sample = Callable[[str], SampleRun]
READER = MarkdownIt("commonmark").enable("table")
TEXT = st.text(min_size=1).map(printable).filter(bool)


def kinds(text: str) -> set[str]:
    return {child.type for token in READER.parse(text) for child in token.children or ()}


def test_golden(stored: tuple[str, SampleRun], golden: Golden) -> None:
    name, run = stored
    golden(f"{name}.report.md", markdown([document(build_report(run.manifest))], whole=True))


@given(TEXT)
@example("`a`")
@example("\\*a*")
@example("*a* _b_ <i> &amp; [c](d) ![e](f) ~~g~~ $h$")
def test_escaped_text_is_nothing_but_text(text: str) -> None:
    assert kinds(f"- x {escaped(text)}") <= {"text", "text_special"}


@given(TEXT)
def test_a_text_of_any_kind_stays_in_its_cell(text: str) -> None:
    parsed = READER.parse(f"| a | b |\n| --- | --- |\n| {escaped(text)} | {code(text)} |")
    assert sum(token.type == "td_open" for token in parsed) == 2
    assert sum(token.type == "tr_open" for token in parsed) == 2


def test_hostile_texts_make_no_link_and_no_tag(sample: Sample) -> None:
    text = markdown([document(build_report(sample("hostile").manifest))], whole=True)
    tokens = [child for token in READER.parse(text) for child in token.children or ()]
    assert not {token.type for token in tokens} & {"link_open", "image"}
    assert {token.content for token in tokens if token.type == "html_inline"} <= {"<sub>", "</sub>"}


def test_the_verdict_is_the_heading(run: SampleRun) -> None:
    first = markdown([document(build_report(run.manifest))], whole=True).splitlines()[0]
    assert first.startswith(f"# {build_report(run.manifest).judgement.word}: ")
    assert first.endswith("(SIMULATED)") is build_report(run.manifest).simulated


def test_a_spoiling_notice_is_marked(sample: Sample) -> None:
    assert "`generator_saturated` **spoils the run**" in markdown(
        [document(build_report(sample("invalid").manifest))]
    )


def test_tables_are_rectangular(run: SampleRun) -> None:
    for block in markdown([document(build_report(run.manifest))], whole=True).split("\n\n"):
        lines = [line.replace("\\|", "") for line in block.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) <= 1
