"""A suite with a run of every kind."""

from __future__ import annotations

from typing import Any

from loadtest.errors import Exit
from loadtest.judge.suite import Made, Planned, Suite


def manifest(name: str, outcome: str, code: int, p95: float = 20.0) -> dict[str, Any]:
    held = "held" if outcome == "pass" else "missed"
    threshold = {"name": "turn.first_event.p95", "expression": "< 25ms", "outcome": held, "unit": "ms"}
    return {
        "schema": "loadtest.run/1",
        "id": f"2026-{name}",
        "status": "complete",
        "started": "2026-11-22T12:00:00Z",
        "ended": "2026-11-22T12:00:10Z",
        "duration_s": 10.0,
        "scenario": {"name": name},
        "target": {"url": "ws://host/ws", "simulated": name == "burst"},
        "metrics": {"turn.first_event": {"unit": "ms", "n": 1000, "p50": p95 / 2, "p95": p95}},
        "rates": {"turns_per_s": {"value": 100.0, "n": 1000, "over_s": 10.0, "bound": "plan"}},
        "counts": {"measured": {"turns": {"due": 1000, "complete": 990}}},
        "notices": [{"code": "worker_lost", "message": "A worker was lost.", "spoils": True}]
        if outcome == "invalid"
        else [],
        "verdict": {
            "outcome": outcome,
            "exit_code": code,
            "reason": f"It is a {outcome} | of <course>.",
            "thresholds": [{**threshold, "measured": p95, "n": 1000, "reason": None}],
        },
    }


def made(
    name: str, outcome: str = "", code: Exit | None = None, *, number: int = 1, p95: float = 20.0
) -> Made:
    kept = manifest(name, outcome, int(code or 0), p95) if outcome else {}
    why = (
        str(kept["verdict"]["reason"])
        if kept
        else "the run takes about 50 s, but only 3 s of the budget were left"
    )
    return Made(
        Planned(name, f"{name}.toml", number, 10.0), code, why, kept, "", 12.0 if code is not None else None
    )


SUITE = Suite(
    "v1.4.0",
    "2026-11-22T12:00:00Z",
    (
        made("burst", "pass", Exit.PASS),
        made("burst", "pass", Exit.PASS, number=2, p95=22.0),
        made("steady", "fail", Exit.FAIL, p95=30.0),
        made("storm", "invalid", Exit.INVALID),
        made("crashed", code=Exit.INTERNAL),
        made("soak"),
    ),
    63.0,
    65.0,
    {"scenarios/ready.toml": "a readiness policy"},
)
