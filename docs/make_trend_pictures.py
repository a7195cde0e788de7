"""Make docs/pictures/trend*: the picture of a trend, its page on a wide screen and on a phone.

    python docs/make_trend_pictures.py results [SCENARIO]

The picture is made as SVG, as PNG, and with --grey once more without colour, as it comes out of a printer.
Without a folder the history is a made-up one: a year of nights with two changes, the last night slower.
Screenshots need chromium, and are left out with a word where there is none.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from make_pictures import PICTURES, drawn, screenshots

from loadtest.judge.history import history
from loadtest.judge.trend import Trend, trend
from loadtest.keep.find import list_runs
from loadtest.keep.read import read_manifest
from loadtest.show.plot import style
from loadtest.show.plot.trend import TrendPicture
from loadtest.show.trend import written

NIGHTS = 365


def main() -> None:
    """Read the runs, make every picture, print its path."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", type=Path, nargs="?", help="the folder of the runs")
    parser.add_argument("scenario", nargs="?", help="which scenario; by default that of the newest run")
    parser.add_argument("--into", type=Path, default=PICTURES, help="where the pictures go")
    parser.add_argument("--grey", action="store_true", help="once more without colour")
    asked = parser.parse_args()
    asked.into.mkdir(parents=True, exist_ok=True)
    runs = stored(asked.results, asked.scenario) if asked.results else [night(at) for at in range(NIGHTS)]
    shown = trend(history(runs))
    for path in (*plots(shown, asked.into, grey=asked.grey), *pages(shown, asked.into)):
        print(path)


def stored(results: Path, scenario: str | None) -> list[dict[str, Any]]:
    """The manifests of one scenario."""
    runs = list_runs(results)
    name = scenario or runs[-1].scenario
    return [read_manifest(run.path) for run in runs if run.scenario == name]


def night(at: int) -> dict[str, Any]:
    """A made-up run: slower by 18 % after the 200th night, mended by half after the 290th."""
    rng = random.Random(at)
    factor = 1.0 if at < 200 else 1.18 if at < 290 else 1.08
    slow = factor * math.exp(rng.gauss(0, 0.025)) * (1.2 if at == NIGHTS - 1 else 1.25 if at == 120 else 1.0)
    started = datetime(2026, 11, 22, 1, tzinfo=UTC) - timedelta(days=NIGHTS - 1 - at)
    due = 6000
    lost = round(rng.uniform(0, 0.004) * due)
    metric = {"unit": "ms", "n": due - lost, "reasons": {}, "p50": 18 * slow}
    promised = {"turn.first_event.p95": "< 100ms", "turn.completion.p95": "< 250ms"}
    return {
        "id": f"{started:%Y%m%dT%H%M%SZ}-agent-burst-v1.{at // 14}.{at % 14}",
        "label": f"v1.{at // 14}.{at % 14}",
        "started": f"{started:%Y-%m-%dT%H:%M:%SZ}",
        "status": "complete",
        "scenario": {"name": "agent-burst", "settings": {"thresholds": promised}},
        "target": {"simulated": False, "server": "agents/1"},
        "load": {"planned": {"connections": 50}, "achieved": {"begun_ratio": 1.0}},
        "metrics": {
            "turn.first_event": {**metric, "p95": 82 * slow * math.exp(rng.gauss(0, 0.02))},
            "turn.completion": {**metric, "p95": 190 * slow**0.5 * math.exp(rng.gauss(0, 0.02))},
        },
        "counts": {"measured": {"turns": {"due": due, "complete": due - lost}}},
        "rates": {},
        "notices": [],
        "verdict": {"outcome": "pass", "thresholds": []},
        "fingerprint": {
            "machine": "5d41402abc4b",
            "kernel": "6.8.0" if at < 150 else "6.9.0",
            "git": {"commit": f"{rng.getrandbits(160):040x}"},
        },
    }


def plots(shown: Trend, into: Path, *, grey: bool) -> Iterator[Path]:
    """The picture on a page and on a phone, as SVG and as PNG."""
    picture = TrendPicture(shown)
    for name, width in (("trend", style.WIDE_IN), ("trend-narrow", style.NARROW_IN)):
        yield from drawn(name, picture.svg(width), picture.png(width), into, grey=grey)


def pages(shown: Trend, into: Path) -> Iterator[Path]:
    """trend.html as PNG, wide and narrow, light and dark."""
    return screenshots("trend", str(written([shown], "html", int(shown.ruling.exit_code))), into)


if __name__ == "__main__":
    main()
