"""Matches from TOML: a type, or a table of conditions."""

from __future__ import annotations

from collections.abc import Mapping

from loadtest.plan.identifiers import is_column
from loadtest.plan.match import PRESENCE, TESTS, Match, is_keep
from loadtest.plan.regex import problem_of
from loadtest.plan.toml_lines import KeyPath
from loadtest.plan.toml_reader import Source, TomlTable, nearest, quoted

DEEPEST_PATH = 8
"""Maximum keys of a path."""

_FORMS = '"completed" or { type = "completed", "data.ok" = true }'


def read_match(table: TomlTable, key: str) -> Match | None:
    """The one match at a key; None where nothing usable was written."""
    value = table.take(key)
    return None if value is None else _match(table, (*table.path, key), key, value)


def checked_match(match: object) -> Match:
    """A match that was written in Python.

    Raises:
        ValueError: it is none; says why.
    """
    source = Source("match")
    found = read_match(TomlTable({"match": match}, source), "match")
    if found is None or source.problems:
        why = "; ".join(problem.sentence for problem in source.problems) or "there is none"
        raise ValueError(f"a match must be an event type or a table of conditions: {why}")
    return found


def read_matches(table: TomlTable, key: str) -> tuple[Match, ...]:
    """A list of matches, or one; none where not written."""
    value = table.take(key)
    if value is None:
        return ()
    if not isinstance(value, list):
        found = _match(table, (*table.path, key), key, value)
        return () if found is None else (found,)
    each = (_match(table, (*table.path, key, index), key, one) for index, one in enumerate(value))
    return tuple(match for match in each if match is not None)


def read_pairs(table: TomlTable, key: str) -> tuple[tuple[Match, Match], ...]:
    """A list of pairs of matches; none where not written."""
    value = table.take(key)
    if value is None:
        return ()
    found = []
    for index, pair in enumerate(value if isinstance(value, list) else [value]):
        path = (*table.path, key, index)
        if not isinstance(pair, list) or len(pair) != 2:
            table.source.report(
                path, f'`{key}` must be a list of pairs such as ["begun", "done"], not {quoted(pair)}'
            )
            continue
        first, second = (_match(table, (*path, place), key, one) for place, one in enumerate(pair))
        if first is not None and second is not None:
            found.append((first, second))
    return tuple(found)


def check_path(table: TomlTable, at: KeyPath, path: object) -> None:
    """A path is keys and indices with dots between, as in "data.run_id" or "4.status"."""
    if not isinstance(path, str):
        table.source.report(at, f'{quoted(path)} is not a path; write keys and dots, such as "data.run_id"')
        return
    parts = path.split(".")
    if not all(parts) or any(c.isspace() for c in path):
        table.source.report(at, f'{quoted(path)} is not a path; write keys and dots, such as "data.run_id"')
    elif len(parts) > DEEPEST_PATH:
        table.source.report(at, f"the path {quoted(path)} has more than {DEEPEST_PATH} keys")


def _match(table: TomlTable, at: KeyPath, key: str, value: object) -> Match | None:
    """A match as it was written; None where it cannot be one, which is reported."""
    if isinstance(value, str) and value:
        return value
    if value == {}:
        table.source.report(at, f'`{key}` is empty; write what to look for, such as {{ type = "ready" }}')
        return None
    if not isinstance(value, Mapping):
        table.source.report(
            at,
            f"`{key}` must be an event type or a table, such as {_FORMS}, not {quoted(value)}",
        )
        return None
    problems = len(table.source.problems)
    if all(is_keep(name, wanted) for name, wanted in value.items()):
        table.source.report(
            at,
            f"`{key}` names what to keep, but no event to keep it from; add a condition, such as {_FORMS}",
        )
    for name, wanted in value.items():
        _check_condition(table, (*at, name), name, wanted)
    return value if len(table.source.problems) == problems else None


def check_keep(table: TomlTable, at: KeyPath, keep: Mapping[str, object]) -> None:
    """A table of names, and the paths of the values that are kept under them."""
    for name, path in keep.items():
        if not is_column(name):
            sentence = f"{quoted(name)} cannot be the name of a kept value: use letters, digits and `_`"
            table.source.report((*at, name), sentence)
        check_path(table, (*at, name), path)


def _check_condition(table: TomlTable, at: KeyPath, name: str, wanted: object) -> None:
    if is_keep(name, wanted) and isinstance(wanted, Mapping):
        check_keep(table, at, wanted)
        return
    if name in PRESENCE:
        paths = wanted if isinstance(wanted, list) else [wanted]
        for path in paths:
            check_path(table, at, path)
        if not paths:
            table.source.report(at, f'`{name}` must be a path, such as "error"')
        return
    if name in TESTS:
        _check_test(table, at, name, wanted)
        return
    check_path(table, at, name)
    if isinstance(wanted, Mapping):
        if not wanted:
            table.source.report(at, f"`{name}` must be a value, or a table with one of {', '.join(TESTS)}")
        for how, value in wanted.items():
            _check_test(table, (*at, how), how, value)
    elif isinstance(wanted, list):
        table.source.report(at, f"`{name}` cannot be a list; to allow several values, write {{ in = [...] }}")
    elif not _is_value(wanted):
        sentence = f"`{name}` must be text, a number, true or false, not {quoted(wanted)}"
        table.source.report(at, sentence)


def _check_test(table: TomlTable, at: KeyPath, how: str, wanted: object) -> None:
    """One of ``in``, ``prefix`` and ``regex``, with what it is held against."""
    if how not in TESTS:
        table.source.report(at, f"there is no condition `{how}`; {nearest(how, TESTS)}")
    elif how == "in":
        if not isinstance(wanted, list) or not wanted or not all(map(_is_value, wanted)):
            sentence = f'`in` must be a list of values such as ["failed", 3, true], not {quoted(wanted)}'
            table.source.report(at, sentence)
    elif not isinstance(wanted, str) or not wanted:
        table.source.report(at, f"`{how}` must be text, not {quoted(wanted)}")
    elif how == "regex":
        _check_regex(table, at, wanted)


def _check_regex(table: TomlTable, at: KeyPath, pattern: str) -> None:
    problem = problem_of(pattern)
    if problem is not None:
        table.source.report(at, f"`regex`: {quoted(pattern)} {problem}")


def _is_value(value: object) -> bool:
    return isinstance(value, (str, int, float))
