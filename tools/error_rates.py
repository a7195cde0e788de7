"""How often `loadtest compare` is wrong: false alarms, and differences that it misses.

    python -m tools.error_rates                             the table of docs/comparing.md, into that page
    python -m tools.error_rates --pairs 200 --dry           a quick look, nothing written
    python -m tools.error_rates --learn results/            keep what runs of the labels below measured

Every row has at least 2,000 comparisons of 5 against 5 runs or of 8 against 8, made by the code that judges
stored runs. A comparison is "slower" if `loadtest compare` would end with 1. Spreads are lognormal; the rows
"measured" draw their runs from real ones, of one build on one machine, that were kept by --learn (labels aa,
base, same, d10, d50).
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from loadtest.judge import permutation
from loadtest.judge.effect_size import EffectMeasure
from loadtest.judge.failure_share import is_share, points_measure
from loadtest.judge.hypothesis_tests import HypothesisResults, Method, Sample, Scales, Words, judge_samples
from loadtest.judge.permutation import Array, splits
from loadtest.plan.scenario import Compare

ROOT = Path(__file__).parent.parent
MEASURED = ROOT / "docs/measured-runs.json"
PAGE = ROOT / "docs/comparing.md"
BEGIN, END = "<!-- error rates: begin -->", "<!-- error rates: end -->"

NAMES = (
    "turn.first_event.p50",
    "turn.first_event.p95",
    "turn.first_event.p99",
    "turn.completion.p50",
    "turn.completion.p95",
    "turn.completion.p99",
)
COMPLETE = "turns.complete.ratio"
TAIL = NAMES.index("turn.first_event.p99")
SIZE = 5
MORE = 8
"""Runs a side of the columns that say so."""

TURNS = 1000
"""Turns of a run, where some of them fail."""

FAR = 5.0
"""An outlier took so many times as long as the other runs."""

SPREADS = (0.01, 0.03, 0.05, 0.10)
ALIKE = (0.0, 0.5)
AS_ONE = 0.9
"""How much of the spread all metrics of a run share: their correlation."""

FOUND = 0.95
SPLITS = 2_000
"""Random exchanges of runs that are made here where there are more of them; enough for rates."""

AT_ONCE = 60_000
"""Splits of runs that are looked at together: as many as a processor's cache holds."""

SEED = 7


@dataclass(frozen=True, slots=True)
class Source:
    """Where runs come from: their spread and correlation, or those that were measured."""

    name: str
    spread: float = 0.0
    alike: float = 0.0
    pool: Array | None = None

    def draw(self, rng: np.random.Generator, pairs: int, size: int) -> tuple[Array, Array]:
        """Logarithms of both sides without any difference: (pairs, runs, metrics)."""
        if self.pool is not None:
            order = np.argsort(rng.random((pairs, len(self.pool))), axis=1)[:, : 2 * size]
            runs = self.pool[order]
            return runs[:, :size], runs[:, size:]
        sigma = np.sqrt(np.log1p(self.spread**2))
        shared = rng.normal(size=(pairs, 2 * size, 1))
        own = rng.normal(size=(pairs, 2 * size, len(NAMES)))
        runs = sigma * (np.sqrt(self.alike) * shared + np.sqrt(1 - self.alike) * own)
        return runs[:, :size], runs[:, size:]


def rules(names: Sequence[str] = NAMES) -> list[EffectMeasure]:
    """The measures of the metrics, as a comparison makes them."""
    return [points_measure(name, [1.0], Compare(), None) for name in names]


def judged(before: Array, after: Array, measures: Sequence[EffectMeasure]) -> Words:
    """What the code for stored runs says of every pair and metric, so many pairs at a time.

    Of a share the values are those of its failures, each of ``TURNS`` turns.
    """
    step = max(1, AT_ONCE // len(splits(before.shape[-2], 2 * before.shape[-2])))
    parts = [
        judge("permutation", before[at : at + step], after[at : at + step], measures).words
        for at in range(0, len(before), step)
    ]
    return Words(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def judge(
    method: Method, before: Array, after: Array, measures: Sequence[EffectMeasure]
) -> HypothesisResults:
    """The judgement on some pairs."""
    shares = np.array([is_share(rule.name) for rule in measures])
    scales = Scales(np.array([rule.bound for rule in measures]), shares, shares)
    one, other = (Sample(side, np.full(side.shape, float(TURNS))) for side in (before, after))
    return judge_samples(method, one, other, scales)


def slower(source: Source, pairs: int, change: float, size: int = SIZE, *, far: float = 1.0) -> float:
    """The share of pairs that end with 1, where everything is slower by ``change``.

    ``far``: one run of the baseline took so many times as long, in every metric.
    """
    before, after = source.draw(np.random.default_rng(SEED), pairs, size)
    before[:, 0] += np.log(far)
    return float(judged(before, after + np.log1p(change), rules()).slower.any(axis=-1).mean())


def same(source: Source, pairs: int, size: int) -> float:
    """The share of pairs of one build that are called the same in every metric, complete ratio included."""
    rng = np.random.default_rng(SEED)
    before, after = source.draw(rng, pairs, size)
    measures = rules((*NAMES[:5], COMPLETE))
    before[..., 5] = after[..., 5] = 0.0
    return float(judged(before, after, measures).same.all(axis=-1).mean())


def tail_alone(source: Source, pairs: int, change: float) -> float:
    """The share in which p99 is slower and nothing else is, where only p99 is worse."""
    before, after = source.draw(np.random.default_rng(SEED), pairs, SIZE)
    after[..., TAIL] += np.log1p(change)
    found = judged(before, after, rules()).slower
    return float((found[..., TAIL] & (found.sum(axis=-1) == 1)).mean())


def failing(source: Source, pairs: int, share: float) -> float:
    """The share in which turns.complete.ratio is worse, where so many turns fail and none did before."""
    rng = np.random.default_rng(SEED)
    before, after = source.draw(rng, pairs, SIZE)
    before[..., 5] = 0.0
    after[..., 5] = rng.binomial(TURNS, share, after.shape[:-1]) / TURNS
    return float(judged(before, after, rules((*NAMES[:5], COMPLETE))).slower[..., 5].mean())


def needed(source: Source, pairs: int) -> int | None:
    """Runs a side, more than 5, at which +10 % is found in 95 of 100 pairs, looked for upwards."""
    for size in (6, 7, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64):
        if source.pool is not None and 2 * size > len(source.pool):
            return None
        if slower(source, pairs, 0.10, size) >= FOUND:
            return size
    return None


def sources() -> Iterator[Source]:
    """Every row: spreads, each with metrics that move by themselves and together, then what was measured."""
    for spread in SPREADS:
        for alike in ALIKE:
            yield Source(f"{spread:.0%}, correlation {alike:g}", spread, alike)
    kept = measured()
    if kept:
        pool = np.log(np.array(kept["aa"]))
        centred = pool - pool.mean(axis=0)
        widths = np.expm1(pool.std(axis=0, ddof=1))
        name = f"measured, {len(pool)} runs of one build ({widths.min():.1%} to {widths.max():.1%})"
        yield Source(name, float(np.median(widths)), pool=centred)


def measured() -> dict[str, Any]:
    """Values of real runs by label, as --learn kept them; nothing where it never did."""
    return json.loads(MEASURED.read_text("utf-8")) if MEASURED.exists() else {}


HEADS = (
    "spread of runs",
    "slower at +0 %",
    "slower at +3 %",
    "slower at +10 %",
    "runs per side that find +10 %",
    "only p99 +20 %",
    "same, 5 runs per side",
    "same, 8 runs per side",
    "failures 0 % to 2 %",
    "slower despite an outlier",
)


def table(rows: Iterable[Source], pairs: int, searched: int) -> Iterator[str]:
    """The rows as Markdown."""
    yield from (f"| {' | '.join(HEADS)} |", "|---|" + "---:|" * (len(HEADS) - 1))
    for source in rows:
        sys.stderr.write(f"{source.name}\n")
        # What must stay at or below 5 of 100 is told from 5 pairs for each of the others.
        found = [slower(source, pairs * more, change) for change, more in ((0.0, 1), (0.03, 5), (0.10, 1))]
        rates = [f"{rate:.1%}" for rate in found]
        enough = SIZE if found[-1] >= FOUND else needed(source, searched)
        more = "over 64" if source.pool is None else f"over {len(source.pool) // 2}"
        rates.append(more if enough is None else str(enough))
        rates += [
            f"{share:.1%}"
            for share in (
                tail_alone(source, pairs, 0.20),
                same(source, pairs, SIZE),
                same(source, pairs, MORE),
                failing(source, pairs, 0.02),
                slower(source, pairs, 0.20, MORE, far=FAR),
            )
        ]
        yield f"| {source.name} | {' | '.join(rates)} |"


def real_pairs() -> Iterator[str]:
    """Pairs of real runs against the simulator, whose delays were raised by so much."""
    kept = measured()
    if not kept:
        return
    runs = np.log(np.array(kept["aa"]))
    starts = range(len(runs) - 2 * SIZE + 1)
    before, after = (np.stack([runs[at + of : at + of + SIZE] for at in starts]) for of in (0, SIZE))
    alarms = int(judged(before, after, rules()).slower.any(axis=-1).sum())
    in_order = "The measured runs of one build, in the order in which they were made, each 5 runs against"
    yield from ("", f"{in_order} the next 5: {alarms} of", f"{len(starts)} comparisons say slower.")
    yield from ("", "Real runs against the simulator, 5 per side, made alternately:", "")
    named = " | ".join(f"`{name}`" for name in NAMES)
    yield f"| delays changed by | verdict (exit code) | {named} |"
    yield "|---|---|" + "---:|" * len(NAMES)
    before = np.log(np.array(kept["base"]))
    for label, change in (("same", "+0 %"), ("d10", "+10 %"), ("d50", "+50 %")):
        verdict = judge("permutation", before, np.log(np.array(kept[label])), rules())
        found, told = verdict.found, verdict.words
        cells = [
            f"{np.expm1(estimate):+.1%}, {word_of(told, at)}" for at, estimate in enumerate(found.estimate)
        ]
        yield f"| {change} | {overall(told)} | {' | '.join(cells)} |"


def word_of(told: Words, at: int) -> str:
    """The verdict on one metric."""
    known = {"slower": told.slower, "faster": told.faster, "same": told.same}
    return next((word for word, flags in known.items() if flags[at]), "cannot tell")


def overall(told: Words) -> str:
    """The verdict on all, with its exit code."""
    found = [word_of(told, at) for at in range(len(NAMES))]
    for word, code in (("slower", 1), ("cannot tell", 4), ("faster", 0)):
        if word in found:
            return f"{word} ({code})"
    return "same (0)"


def page_part(pairs: int, searched: int) -> Iterator[str]:
    """The part of the page that this command makes."""
    yield (
        f"Each row has {pairs:,} comparisons, and {5 * pairs:,} at +3 %. The smallest effect is 5 %."
        f" For failures, a run has {TURNS:,} turns, and"
    )
    drawn = next(size for size in itertools.count(SIZE) if math.comb(2 * size, size) > SPLITS)
    yield (
        f"the smallest effect is 0.5 points or a doubling. From {drawn} runs per side on,"
        f" the tool makes {SPLITS:,} random exchanges."
    )
    yield from ("", *table(sources(), pairs, searched))
    yield from ("", "Metrics that change nearly together:", "")
    as_one = [Source(f"{spread:.0%}, correlation {AS_ONE:g}", spread, AS_ONE) for spread in SPREADS]
    yield from (*table(as_one, pairs, searched), *real_pairs())


def learn(results: Path) -> None:
    """Keep what the runs of the labels measured; nothing but numbers."""
    from loadtest.judge.samples import side
    from loadtest.judge.threshold_measurement import lookup
    from loadtest.keep.find import find_runs
    from loadtest.keep.read import read_run

    kept: dict[str, Any] = {"metrics": list(NAMES), "unit": "ms"}
    for label in ("aa", "base", "same", "d10", "d50"):
        runs = side(label, [read_run(path).manifest for path in find_runs(results, label)]).runs
        kept[label] = [[lookup(name, run).value for name in NAMES] for run in runs]
        sys.stderr.write(f"{label}: {len(runs)} runs\n")
    MEASURED.write_text(json.dumps(kept).replace("]], ", "]],\n").replace("], [", "],\n ["), "utf-8")


def main() -> None:
    """Make the table, or learn."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=2_000, help="comparisons per row")
    parser.add_argument("--searched", type=int, default=200, help="comparisons per step of a search")
    parser.add_argument("--dry", action="store_true", help="print, write nothing")
    parser.add_argument("--learn", type=Path, metavar="RESULTS", help="store what runs measured")
    asked = parser.parse_args()
    if asked.learn:
        learn(asked.learn)
        return
    permutation.MAX_SPLITS = SPLITS
    made = "\n".join(page_part(asked.pairs, asked.searched))
    sys.stdout.write(made + "\n")
    if not asked.dry:
        page = PAGE.read_text("utf-8")
        before, after = page.split(BEGIN)[0], page.split(END)[1]
        PAGE.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
