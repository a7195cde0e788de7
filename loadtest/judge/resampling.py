"""Users whose times are not the target's: those whom the plan makes read slowly."""

from __future__ import annotations

import numpy as np

from loadtest.judge.measurement_window import Turns
from loadtest.judge.sections import Manifest, section, settings, whole
from loadtest.plan.chaos import SLOW
from loadtest.plan.random_draw import chosen
from loadtest.units import parse_ratio


def apart_users(manifest: Manifest) -> frozenset[int]:
    """The users who are counted with all others, but whose times are kept apart; by the plan of the run."""
    share = section(settings(manifest, "chaos"), "slow_readers").get("share")
    if share is None:
        return frozenset()
    load = settings(manifest, "load")
    stages = load.get("stages") or (load,)
    users = max(whole(stage.get("connections")) for stage in stages)
    return chosen(whole(load.get("seed")), SLOW, parse_ratio(str(share)), users)


def times_of(turns: Turns, apart: frozenset[int]) -> Turns:
    """The rows of a turn table whose times speak of the target."""
    rows: Turns = turns[~np.isin(turns["user"], list(apart))] if apart else turns
    return rows
