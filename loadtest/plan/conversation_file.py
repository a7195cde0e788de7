"""The steps of conversations from TOML, and back."""

from __future__ import annotations

from collections.abc import Mapping

from loadtest.plan.conversation import Branch, ConversationStep, Think
from loadtest.plan.mix import MAX_WEIGHT
from loadtest.plan.toml_lines import KeyPath
from loadtest.plan.toml_reader import Source, TomlTable, nearest, quoted
from loadtest.units import exact_duration, parse_duration

STEPS = ("turn", "think", "branch", "repeat")
"""What a step may be."""

DEEPEST = 8
"""Maximum nesting of steps."""

MAX_REPEATS = 1_000
MAX_SIGMA = 5.0

WAYS = ("uniform", "lognormal")

LONGEST_OF_MEDIAN = 20
"""No log-normal time is longer than so many medians, unless ``most`` says otherwise."""

_THINK = 'a duration such as "2s", { uniform = ["1s", "3s"] } or { lognormal = "2s", sigma = 0.5 }'


def read_steps(table: TomlTable, key: str, deep: int = 1) -> tuple[ConversationStep, ...]:
    """The steps at a key; every mistake is reported."""
    value = table.take(key)
    if not isinstance(value, list):
        form = '[{ turn = "ask" }, { think = "2s" }]'
        table.report(key, f"`{key}` must be a list of steps such as {form}, not {quoted(value)}")
        return ()
    if deep > DEEPEST:
        table.report(key, f"`{key}` are nested more than {DEEPEST} levels deep")
        return ()
    found = []
    for index, each in enumerate(value):
        path = (*table.path, key, index)
        if isinstance(each, Mapping):
            found.append(_read_step(TomlTable(each, table.source, path), deep))
        else:
            table.source.report(
                path, f'a step must be a table such as {{ turn = "ask" }}, not {quoted(each)}'
            )
    return tuple(step for step in found if step is not None)


def _read_step(table: TomlTable, deep: int) -> ConversationStep | None:
    kinds = [key for key in STEPS if table.has(key)]
    step = None
    if len(kinds) == 1:
        step = _READ[kinds[0]](table, deep)
    elif kinds or not (table.data.keys() - {"steps"}):
        table.source.report(
            table.path,
            f"a step must have exactly one of {', '.join(STEPS)}, not {len(kinds)}",
        )
    for key in STEPS:
        table.take(key)
    if table.has("steps") and kinds != ["repeat"]:
        table.report("steps", "`steps` needs `repeat`")
        table.take("steps")
    table.close()
    return step


def _read_turn(table: TomlTable, _: int) -> ConversationStep | None:
    turn = table.text("turn", "")
    return ConversationStep(turn=turn) if turn else None


def _read_think(table: TomlTable, _: int) -> ConversationStep | None:
    written = table.take("think")
    path = (*table.path, "think")
    if isinstance(written, Mapping):
        think = _read_drawn(TomlTable(written, table.source, path))
    else:
        low_ns = _duration(table.source, path, "think", written, _THINK)
        think = None if low_ns is None else Think(low_ns=low_ns)
    return None if think is None else ConversationStep(think=think)


def _read_drawn(table: TomlTable) -> Think | None:
    """Time to think that is drawn at random."""
    ways = [key for key in WAYS if table.has(key)]
    if len(ways) != 1:
        for key in table.data.keys() - {*WAYS, "sigma", "most"}:
            table.report(key, f"unknown key `{key}`; {nearest(key, (*WAYS, 'sigma', 'most'))}")
        table.source.report(table.path, f"`think` must be {_THINK}")
        return None
    think = _read_uniform(table) if ways[0] == "uniform" else _read_lognormal(table)
    table.close()
    return think


def _read_uniform(table: TomlTable) -> Think | None:
    value = table.take("uniform")
    path = (*table.path, "uniform")
    if not isinstance(value, list) or len(value) != 2:
        table.report("uniform", f'`uniform` must be two durations such as ["1s", "3s"], not {quoted(value)}')
        return None
    low, high = (_duration(table.source, path, "uniform", each, 'a duration such as "1s"') for each in value)
    if low is None or high is None:
        return None
    if low > high:
        table.report("uniform", f"the first time of `uniform`, {quoted(value[0])}, is longer than the second")
        return None
    return Think(way="uniform", low_ns=low, high_ns=high)


def _read_lognormal(table: TomlTable) -> Think | None:
    median_ns = table.duration("lognormal", None, positive=True)
    sigma = table.take("sigma")
    most_ns = table.duration("most", (median_ns or 0) * LONGEST_OF_MEDIAN, positive=True)
    if isinstance(sigma, bool) or not isinstance(sigma, (int, float)) or not 0 < sigma <= MAX_SIGMA:
        sentence = f"`sigma` must be a number above 0 and at most {MAX_SIGMA:g}, not {quoted(sigma)}"
        table.report("sigma", sentence if table.has("sigma") else "`lognormal` needs `sigma`, such as 0.5")
        return None
    if median_ns is None:
        return None
    if most_ns < median_ns:
        table.report("most", "`most` is shorter than `lognormal`, the median")
    return Think(way="lognormal", low_ns=median_ns, high_ns=most_ns, sigma=float(sigma))


def _duration(source: Source, path: KeyPath, key: str, value: object, form: str) -> int | None:
    if not isinstance(value, str):
        source.report(path, f"`{key}` must be {form}, not {quoted(value)}")
        return None
    try:
        return parse_duration(value)
    except ValueError as error:
        source.report(path, f"`{key}`: {error}")
        return None


def _read_branch(table: TomlTable, deep: int) -> ConversationStep | None:
    branches = []
    for each in table.tables("branch"):
        weight = each.integer("weight", 1, least=1, most=MAX_WEIGHT)
        branches.append(Branch(weight=weight, steps=read_steps(each, "steps", deep + 1)))
        each.close()
    if not branches and isinstance(table.data["branch"], list):
        table.report("branch", "`branch` is empty; write branch = [{ weight = 7, steps = [...] }, ...]")
    return ConversationStep(branches=tuple(branches)) if branches else None


def _read_repeat(table: TomlTable, deep: int) -> ConversationStep | None:
    repeat = table.integer("repeat", 0, least=1, most=MAX_REPEATS)
    steps = read_steps(table, "steps", deep + 1)
    return ConversationStep(repeat=repeat, steps=steps) if repeat else None


_READ = {"turn": _read_turn, "think": _read_think, "branch": _read_branch, "repeat": _read_repeat}


def write_steps(steps: tuple[ConversationStep, ...]) -> list[dict[str, object]]:
    """The steps as they are written."""
    return [_written(step) for step in steps]


def _written(step: ConversationStep) -> dict[str, object]:
    if step.turn:
        return {"turn": step.turn}
    if step.think is not None:
        return {"think": _written_think(step.think)}
    if step.branches:
        rows = [{"weight": branch.weight, "steps": write_steps(branch.steps)} for branch in step.branches]
        return {"branch": rows}
    return {"repeat": step.repeat, "steps": write_steps(step.steps)}


def _written_think(think: Think) -> object:
    low, high = exact_duration(think.low_ns), exact_duration(think.high_ns)
    if think.way == "constant":
        return low
    if think.way == "uniform":
        return {"uniform": [low, high]}
    return {"lognormal": low, "sigma": think.sigma, "most": high}
