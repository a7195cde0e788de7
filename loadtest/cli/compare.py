"""``loadtest compare``: runs compared with runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loadtest.cli.compare_extra import need_compare
from loadtest.cli.output_files import links_from, put, write
from loadtest.cli.shared_options import Stored, option, results_option, view_options
from loadtest.errors import ConfigError, Exit, Problem

if TYPE_CHECKING:
    from loadtest.judge.manifest_access import Manifest
    from loadtest.plan.scenario import Compare
    from loadtest.show.comparison import Compared
    from loadtest.show.manifest import ReadableRun

FILES = {
    "terminal": "compare.txt",
    "html": "compare.html",
    "markdown": "compare.md",
    "json": "compare.json",
    "junit": "compare.junit.xml",
    "svg": "compare.svg",
    "png": "compare.png",
    "pdf": "compare.pdf",
}
"""What a view is called in a folder."""

WRITTEN = ("terminal", "html", "markdown", "json", "junit")
"""The views that are written by a command that makes its own runs."""

EXAMPLES = """\b
Examples:
  loadtest compare v1.4.0 v1.5.0
  loadtest compare v1.4.0 v1.5.0-rc1 v1.5.0-rc2 --format html --output compare.html
  loadtest compare baseline latest --lenient
  loadtest compare --noise v1.4.0
"""


@click.command(epilog=EXAMPLES)
@click.argument("runs", metavar="BASELINE CANDIDATE...", nargs=-1, type=Stored())
@view_options(FILES)
@option(
    "--primary",
    metavar="METRIC",
    multiple=True,
    help="A metric that decides the verdict; repeatable, at most 6 times.",
)
@option("--smallest-effect", metavar="PART", help="The smallest difference that matters, such as 5%.")
@option("--noise", metavar="LABEL", type=Stored(), help="Measure how much the runs with this label differ.")
@option("--exploratory", is_flag=True, help="Also list the metrics that do not decide the verdict.")
@option("--force", is_flag=True, help="Compare runs even if their loads differ.")
@option("--lenient", is_flag=True, help="Exit with 0 instead of 4 if the verdict is cannot tell.")
@results_option("COMPARE")
def command(runs: tuple[str, ...], **options: Any) -> int:
    """Compare the runs of one or more CANDIDATEs with those of BASELINE.

    An argument is a label (all its runs are repeats), a run, or baseline. Each metric is faster, slower, same
    or cannot tell; ratios and rates are better or worse. A verdict needs 4 runs per side, or a baseline of 8
    runs for a candidate of 1 to 3.

    Exit codes: 0 same, faster or better; 1 worse, slower or a threshold newly missed; 4 cannot tell.
    """
    need_compare("compare")
    if options["noise"]:
        if runs:
            raise ConfigError([Problem("--noise", "--noise takes one label; remove the other runs")])
        return _learn(options)
    if len(runs) < 2:
        raise ConfigError([Problem("compare", "name a BASELINE and at least one CANDIDATE")])
    return _compare(runs, options)


def _compare(runs: Sequence[str], options: dict[str, Any]) -> int:
    from loadtest.judge.compare import worst
    from loadtest.show.comparison import written

    results = Path(options["results"])
    found = {ref: _stored(results, ref) for ref in dict.fromkeys(runs)}
    items = [_one(runs[0], *pair, options) for pair in _pairs(runs[0], runs[1:], found)]
    code = worst([each.comparison for each in items])
    listed = options["exploratory"]
    paths = {str(run.manifest.get("id")): run.path for runs in found.values() for run in runs}
    link = links_from(options["output"], paths)
    put(
        lambda form: written(items, form, int(code), exploratory=listed, link=link),
        FILES,
        options,
        lambda: _show(items, exploratory=listed),
    )
    return int(code)


def _one(
    baseline: str,
    ref: str,
    before: Sequence[ReadableRun],
    after: Sequence[ReadableRun],
    options: dict[str, Any],
) -> Compared:
    from loadtest.judge.compare import compare
    from loadtest.judge.samples import side
    from loadtest.show.comparison import compared

    one, other = (
        side(_name(name, runs), [run.manifest for run in runs])
        for name, runs in ((baseline, before), (ref, after))
    )
    newest = other.newest or one.newest
    comparison = compare(
        one,
        other,
        _rules(newest, options),
        noise=_known_noise(Path(options["results"]), newest),
        force=options["force"],
        lenient=options["lenient"],
    )
    return compared(comparison, before, after)


def _name(ref: str, runs: Sequence[ReadableRun]) -> str:
    """The label of the runs; the id of a single run that was named in another way."""
    labels = {run.manifest.get("label") for run in runs}
    if len(runs) > 1:
        return str(labels.pop())
    return ref if ref in labels else str(runs[0].manifest.get("id"))


def _show(items: Sequence[Compared], *, exploratory: bool) -> None:
    from loadtest.show.comparison import document
    from loadtest.show.render.terminal import show

    show([document(each.comparison) for each in items], sys.stdout, whole=exploratory)


def _learn(options: dict[str, Any]) -> int:
    """The noise of one build, shown and kept for later comparisons."""
    from loadtest.judge.noise_floor import floor
    from loadtest.judge.samples import side
    from loadtest.show.noise_floor import document
    from loadtest.show.render.json import as_json
    from loadtest.show.render.terminal import render, show

    if unknown := [name for name in options["format"] if name not in {"terminal", "json"}]:
        raise ConfigError([Problem("--format", f"--noise can write terminal and json, not {unknown[0]}")])
    results = Path(options["results"])
    runs = side(options["noise"], [run.manifest for run in _stored(results, options["noise"])])
    found = floor(runs, _rules(runs.newest, options))
    of = document(found)
    forms = {"terminal": lambda: render([of], width=120, cut=False), "json": lambda: as_json(found.as_dict())}
    put(lambda form: forms[form](), FILES, options, lambda: show([of], sys.stdout))
    if not found.rows:
        return Exit.INVALID
    kept = _noise_file(results, runs.newest)
    write(kept, as_json(found.as_dict()))
    click.echo(f"stored the noise in {kept}; later comparisons use it", err=True)
    return Exit.PASS


def _noise_file(results: Path, newest: Manifest) -> Path:
    from loadtest.keep.folder import checked_name

    # The name comes from a stored file, and must not lead out of the folder.
    name = checked_name(str(newest["scenario"]["name"]), "the scenario's name in run.json")
    return results / f"noise-{name}.json"


def _known_noise(results: Path, newest: Manifest) -> dict[str, float]:
    """Spreads by metric that were learned from runs of the same plan on the same machine."""
    from loadtest.judge.noise_floor import learned
    from loadtest.keep.bounded import read_whole
    from loadtest.keep.json import parsed
    from loadtest.units import MIB

    if not newest:
        return {}
    try:
        kept = parsed(read_whole(_noise_file(results, newest), MIB))
    except (OSError, ValueError):
        return {}
    return learned(kept, newest)


def _stored(results: Path, ref: str) -> list[ReadableRun]:
    """The runs that ``ref`` means, each judged: all of a label, or one."""
    from loadtest.cli.skipped_runs import skipped
    from loadtest.keep.baseline import MARK, repeats
    from loadtest.keep.find import find_run, find_runs
    from loadtest.keep.read import read_run
    from loadtest.show.report_formats import judged

    unreadable: list[str] = []
    paths = find_runs(results, ref, unreadable.append)
    if not paths:
        paths = repeats(results) if ref == MARK else [find_run(results, ref)]
    for sentence in unreadable:
        skipped(sentence)
    return [judged(read_run(path)) for path in paths]


def _pairs(
    baseline: str, candidates: Sequence[str], found: dict[str, list[ReadableRun]]
) -> list[tuple[str, list[ReadableRun], list[ReadableRun]]]:
    """Candidate, the baseline's runs and its own, by scenario where both have several.

    Raises:
        ConfigError: a run stands on both sides.
    """
    pairs = []
    for ref in candidates:
        _apart(baseline, ref, found)
        before, after = _by_scenario(found[baseline]), _by_scenario(found[ref])
        shared = [name for name in before if name in after]
        if len(before) == len(after) == 1 or not shared:
            pairs.append((ref, found[baseline], found[ref]))
        else:
            pairs += [(ref, before[name], after[name]) for name in shared]
    return pairs


def _apart(baseline: str, ref: str, found: dict[str, list[ReadableRun]]) -> None:
    same = {run.path.resolve() for run in found[baseline]} & {run.path.resolve() for run in found[ref]}
    if same:
        sentence = f'"{baseline}" and "{ref}" are the same run, {min(same).name}; name two different runs'
        raise ConfigError([Problem("compare", sentence)])


def _by_scenario(runs: Sequence[ReadableRun]) -> dict[str, list[ReadableRun]]:
    groups: dict[str, list[ReadableRun]] = {}
    for run in runs:
        groups.setdefault(str(run.manifest["scenario"]["name"]), []).append(run)
    return groups


def _rules(newest: Manifest, options: dict[str, Any]) -> Compare | None:
    """[compare] of a run's scenario, with what the options replace; None: nothing replaced."""
    from loadtest.judge.compare import rules_of
    from loadtest.plan.schema import COMPARE_TABLE
    from loadtest.plan.toml_reader import Source, TomlTable

    asked = {"primary": list(options["primary"]), "smallest_effect": options["smallest_effect"]}
    written = {name: value for name, value in asked.items() if value}
    if not written:
        return None
    source = Source("--primary, --smallest-effect")
    read = COMPARE_TABLE.read(TomlTable(written, source))
    source.finish()
    rules = rules_of(newest)
    if read.primary:
        rules = replace(rules, primary=read.primary)
    if options["smallest_effect"]:
        rules = replace(rules, smallest_effect=read.smallest_effect, effects={})
    return rules
