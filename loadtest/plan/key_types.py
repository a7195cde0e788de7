"""How a key of a scenario is declared: its name, type and help, used to read, write and describe it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from loadtest.errors import ConfigError, Problem
from loadtest.plan.identifiers import is_column, is_variable
from loadtest.plan.mix import MAX_KINDS, MAX_WEIGHT
from loadtest.plan.scenario import DataRows
from loadtest.plan.template import plain
from loadtest.plan.threshold import STATED_BY, TURNED_OFF, Threshold, parse_threshold, resolve
from loadtest.plan.toml_reader import MAX_INTEGER, TomlTable, decode, quoted, read_bytes
from loadtest.units import SIZES, cut, exact_duration, exact_rate, exact_ratio, parse_bytes, parse_ratio

T = TypeVar("T")

OF_ITS_FIELDS = object()
"""The default of a key that has those of its fields."""

Plain = dict[str, object]


def _unchanged(value: object) -> object:
    return value


@dataclass(frozen=True, slots=True)
class KeyType:
    """How a value is read from a table and written as plain data.

    ``read(table, key, default)`` reports a mistake and returns the default in its place. ``write`` returns
    what ``read`` turns into an equal value; ``show`` does so for people. ``choices`` are offered by shell
    completion. ``keys`` declares the keys of a value that is a table; ``listed``: it is a list of them.
    """

    read: Callable[[TomlTable, str, Any], Any]
    write: Callable[[Any], object] = _unchanged
    show: Callable[[Any], object] | None = None
    choices: tuple[str, ...] = ()
    keys: KeyTable[Any] | None = None
    listed: bool = False

    def shown(self, value: object) -> str:
        """The value as documentation writes it."""
        text = (self.show or self.write)(value)
        return text if isinstance(text, str) else quoted(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a table.

    ``fields`` are the fields of the dataclass that hold its value (by default the one of the key's name).
    ``default`` stands where the key is not written: by default what the fields have.
    ``missing`` is the mistake of not writing the key. ``alias`` is another name that is read the same.
    ``stored_as`` is the name by which runs have always kept it: with another, their scenarios would differ.
    ``default_shown`` is the default in words, where its value says too little.

    What is empty is not written, unless ``empty_matters``; nor is the default if ``unless_default``, nor
    anything where ``applies`` is false of the dataclass. ``implied``: what is not written is read as an empty
    table. ``rest``: it stands for every key that no other key names.
    """

    name: str
    type: KeyType
    help: str
    fields: tuple[str, ...] = ()
    default: object = OF_ITS_FIELDS
    default_shown: str = ""
    missing: str = ""
    alias: str = ""
    stored_as: str = ""
    empty_matters: bool = False
    unless_default: bool = False
    applies: Callable[[Any], bool] | None = None
    implied: bool = False
    rest: bool = False

    @property
    def field_names(self) -> tuple[str, ...]:
        """The fields that hold the value."""
        return self.fields or (self.name,)

    def read(self, table: TomlTable, default: object) -> object:
        """The value in ``table``; the default where it is not written or wrong."""
        written = self._written_as(table)
        if not table.has(written):
            table.take(written)
            if self.missing:
                table.report(written, self.missing)
            if not self.implied:
                return default
        return self.type.read(table, written, default)

    def _written_as(self, table: TomlTable) -> str:
        """The name under which the key was written; its own where it was not."""
        names = [name for name in (self.name, self.alias) if name and table.has(name)]
        if len(names) > 1:
            table.take(self.name)
            table.take(self.alias)
            # What an option says holds, under either name.
            given = [name for name in names if (*table.path, name) in table.source.overridden]
            if not given:
                table.report(
                    self.alias,
                    f"`{self.alias}` means the same as `{self.name}`; remove one of them",
                )
            names = given or names
        return names[0] if names else self.name

    def write(self, value: object, default: object) -> Plain:
        """The key with its value as plain data; empty where it is left out."""
        if (self.applies is not None and not self.applies(value)) or self._held(value) is None:
            return {}
        held = self._held(value)
        written = self.type.write(held)
        if self.rest and isinstance(written, dict):
            return written
        if self.unless_default and held == default:
            return {}
        if not self.empty_matters and written in ("", {}, []):
            return {}
        return {self.stored_as or self.name: written}

    def _held(self, value: object) -> object:
        held = tuple(getattr(value, name) for name in self.field_names)
        return held if len(held) > 1 else held[0]


def _as_it_is(_: TomlTable, value: T) -> T:
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTable(Generic[T]):
    """The keys of one table, and the frozen dataclass that is made of them.

    ``title`` is what the documentation calls it. ``given`` are fields of the dataclass that no key holds.
    ``finish`` checks what the keys ask of each other, and fills in what follows from several.
    ``hints`` tell of a key that does not belong here where it belongs.
    """

    title: str
    makes: Callable[..., T]
    keys: tuple[Key, ...]
    given: Mapping[str, object] = field(default_factory=dict)
    finish: Callable[[TomlTable, T], T] = _as_it_is
    hints: Mapping[str, str] = field(default_factory=dict)

    def read(self, table: TomlTable) -> T:
        """What the table says; every mistake in it is reported."""
        values: dict[str, Any] = dict(self.given)
        for key in self.keys:
            default = self.default(key)
            found = self._read_rest(key, table) if key.rest else key.read(table, default)
            names = key.field_names
            values |= zip(
                names, cast("tuple[object, ...]", found) if len(names) > 1 else (found,), strict=True
            )
        table.close(self.hints)
        return self.finish(table, self.makes(**values))

    def _read_rest(self, rest: Key, table: TomlTable) -> object:
        named = {name for key in self.keys if not key.rest for name in (key.name, key.alias)}
        others = {name: value for name, value in table.data.items() if name not in named}
        for name in others:
            table.take(name)
        return rest.type.read(TomlTable(others, table.source, table.path), "", None)

    def write(self, value: T) -> Plain:
        """What ``read`` reads back as an equal value."""
        written: Plain = {}
        for key in self.keys:
            written |= key.write(value, self.default(key))
        return written

    def default(self, key: Key) -> object:
        """What stands for a key that is not written."""
        if key.default is not OF_ITS_FIELDS:
            return key.default
        of = {each.name: each for each in fields(cast("Any", self.makes))}
        found = tuple(_default(of[name]) for name in key.field_names)
        return found if len(found) > 1 else found[0]

    def default_shown(self, key: Key) -> str:
        """The default as the documentation tells it."""
        default = self.default(key)
        if key.default_shown or key.missing:
            return key.default_shown or "required"
        if default == "":
            return "–"
        return "none" if default in (None, (), {}) else f"`{key.type.shown(default)}`"


def _default(of: Any) -> object:
    if of.default_factory is not MISSING:
        return of.default_factory()
    return None if of.default is MISSING else of.default


# ---------------------------------------------------------------- the types of single values


def integer(least: int = 0, most: int = MAX_INTEGER) -> KeyType:
    """A whole number from ``least`` to ``most``."""
    return KeyType(lambda table, key, default: table.integer(key, default, least=least, most=most))


def number(least: float, most: float) -> KeyType:
    """A number from ``least`` to ``most``, also one with a fraction."""

    def read(table: TomlTable, key: str, default: float) -> float:
        value = table.take(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            table.report(key, f"`{key}` must be a number from {least:g} to {most:g}, not {quoted(value)}")
            return default
        return float(value)

    return KeyType(read, show=lambda value: f"{value:g}")


def choice(*words: str) -> KeyType:
    """One of the words."""
    options = {word: word for word in words}
    return KeyType(lambda table, key, default: table.choice(key, options, default), choices=words)


def _exact_size(size: int) -> str:
    """What people write: "16MiB"."""
    binary = {unit: of for unit, of in SIZES.items() if unit == "B" or "i" in unit}
    unit = max((unit for unit, of in binary.items() if size % of == 0), key=SIZES.__getitem__)
    return f"{size // SIZES[unit]}{unit}"


def _percent(ratio: float) -> str:
    return f"{100 * ratio:g}%"


TEXT = KeyType(TomlTable.text)
FLAG = KeyType(lambda table, key, _: table.flag(key), choices=("true", "false"))


def _read_flag_on(table: TomlTable, key: str, _: bool) -> bool:  # noqa: FBT001 - the default, as of every type
    return table.flag(key) if table.has(key) else True


FLAG_ON = KeyType(_read_flag_on, choices=("true", "false"))
"""True where it is not written."""

DURATION = KeyType(TomlTable.duration, exact_duration)
POSITIVE_DURATION = KeyType(
    lambda table, key, default: table.duration(key, default, positive=True), exact_duration
)
RATE = KeyType(TomlTable.rate, exact_rate)
RATIO = KeyType(TomlTable.ratio, exact_ratio, show=_percent)
SIZE = KeyType(TomlTable.size, lambda size: f"{size}B", show=_exact_size)
TEXTS = KeyType(lambda table, key, _: table.texts(key), list)
PAIRS = KeyType(lambda table, key, _: table.pairs(key), dict)


def _read_share(table: TomlTable, key: str, default: float) -> float:
    share = table.ratio(key, default)
    if not share:
        table.report(key, f"`{key}` must be more than 0; to turn it off, remove the table")
    return share


SHARE = KeyType(_read_share, exact_ratio, show=_percent)


def _read_effect(table: TomlTable, key: str, default: T) -> float | T:
    value = table.take(key)
    try:
        effect = round(parse_ratio(value), 12) if isinstance(value, str) else None
    except ValueError as error:
        table.report(key, f"`{key}`: {error}")
        return default
    if effect is None or not 0 < effect < 1:
        table.report(key, f'`{key}` must be above 0 and below 100 %, such as "5%", not {quoted(value)}')
        return default
    return effect


EFFECT = KeyType(_read_effect, exact_ratio, show=RATIO.show)
"""A difference that matters: more than nothing, less than the whole."""


def _read_byte_rate(table: TomlTable, key: str, default: int) -> int:
    value = table.take(key)
    size, slash, second = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not slash or second.strip() != "s":
        table.report(key, f'`{key}` must be a size per second, such as "4KiB/s", not {quoted(value)}')
        return default
    try:
        pace = parse_bytes(size)
    except ValueError as error:
        table.report(key, f"`{key}`: {error}")
        return default
    if not pace:
        table.report(key, f"`{key}` must be more than 0: a user who reads nothing never finishes")
    return pace or default


BYTE_RATE = KeyType(_read_byte_rate, lambda pace: f"{pace}B/s")


def _read_path(table: TomlTable, key: str, default: T) -> Path | T:
    ref = table.text(key, None)
    return default if ref is None else table.source.base / ref


def _read_file(table: TomlTable, key: str, default: T) -> Path | T:
    path = _read_path(table, key, None)
    if path is None:
        return default
    try:
        found = path.is_file()
    except (OSError, ValueError):
        found = False
    if not found:
        table.report(key, f"`{key}`: there is no file {quoted(table.data[key])}")
    return path


PATH = KeyType(_read_path, str)
FILE = KeyType(_read_file, str)
"""A path of a file that is there when the scenario is read."""


def _read_variable(table: TomlTable, key: str, default: T) -> str | T:
    """A wrong name is not repeated, for it may be the secret itself."""
    name = table.text(key, default)
    if isinstance(name, str) and not is_variable(name):
        table.report(key, f"`{key}` must be the name of an environment variable, not a secret itself")
    return name


ENVIRONMENT_VARIABLE = KeyType(_read_variable)


def _read_mix(table: TomlTable, key: str, default: Mapping[str, int]) -> Mapping[str, int]:
    """Names with their weights; which names there are is checked where the protocol is known."""
    inner = table.table(key)
    weights = {name: inner.integer(name, 1, least=1, most=MAX_WEIGHT) for name in inner.data}
    if not weights and isinstance(table.data.get(key), Mapping):
        table.report(key, f"`{key}` must name at least one kind of turn, such as {{ ask = 8, cancel = 1 }}")
    if len(weights) > MAX_KINDS:
        table.report(key, f"`{key}` may name at most {MAX_KINDS} kinds of turn, not {len(weights)}")
        return default
    return weights


MIX = KeyType(_read_mix, dict)
"""Kinds of turn by weight."""


def table_of(keys: KeyTable[Any]) -> KeyType:
    """A table with keys of its own."""
    return KeyType(lambda table, key, _: keys.read(table.table(key)), keys.write, keys=keys)


def tables_of(keys: KeyTable[Any]) -> KeyType:
    """A list of tables with keys of their own."""

    def read(table: TomlTable, key: str, _: object) -> tuple[object, ...]:
        return tuple(keys.read(row) for row in table.tables(key))

    return KeyType(read, lambda rows: [keys.write(row) for row in rows], keys=keys, listed=True)


# ---------------------------------------------------------------- rows of data

MAX_DATA_BYTES = 64 * 1024 * 1024
"""A larger CSV file is refused: every process keeps its rows in memory."""


def read_rows(table: TomlTable, key: str, default: DataRows = ()) -> DataRows:
    """The rows of a key: of the CSV file it names, or as written; the default if neither can be read."""
    if isinstance(table.data.get(key), list):
        return _inline_rows(table, key)
    ref = table.text(key, None)
    if ref is None:
        return default
    try:
        return read_csv(table.source.base / ref, ref)
    except ConfigError as error:
        for problem in error.problems:
            table.report(key, f"`{key}`: {problem}")
        return default


ROWS = KeyType(read_rows, lambda rows: [dict(row) for row in rows])


def read_csv(path: Path, name: str) -> DataRows:
    """The rows of a CSV file; the first line names the columns.

    Raises:
        ConfigError: missing, not UTF-8, empty, or a row that has more or fewer values than there are columns.
    """
    text = decode(read_bytes(path, name, MAX_DATA_BYTES), name)
    csv.field_size_limit(MAX_DATA_BYTES)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        _check_header(header, name)
        rows = tuple(dict(zip(header, row, strict=True)) for row in _whole_rows(reader, len(header), name))
    except csv.Error as error:
        raise ConfigError([Problem(f"{name}:{reader.line_num}", f"this is not CSV: {error}")])
    if not rows:
        raise ConfigError([Problem(name, "the file has no rows below its header")])
    return rows


def _check_header(header: list[str], name: str) -> None:
    if not header:
        raise ConfigError([Problem(name, "the file is empty; its first line must name the columns")])
    for column in header:
        if not is_column(column):
            wrong = f'"{cut(column)}" cannot be the name of a column: use letters, digits and `_`'
            raise ConfigError([Problem(f"{name}:1", wrong)])
        if header.count(column) > 1:
            raise ConfigError([Problem(f"{name}:1", f"two columns have the name `{column}`")])


def _whole_rows(reader: Any, width: int, name: str) -> Iterator[list[str]]:
    """Rows that are not blank, each with a value for every column."""
    problems: list[Problem] = []
    for row in reader:
        if not row:
            continue
        if len(row) == width:
            yield row
        elif len(problems) < 10:
            wrong = f"this row has {len(row)} values, but the header has {width} columns"
            problems.append(Problem(f"{name}:{reader.line_num}", wrong))
    if problems:
        raise ConfigError(problems)


def _inline_rows(table: TomlTable, key: str) -> DataRows:
    rows: list[dict[str, str]] = []
    for row in table.tables(key):
        values: dict[str, str] = {}
        for column, value in row.data.items():
            if not is_column(column):
                row.report(
                    column,
                    f"`{cut(column)}` cannot be the name of a column: use letters, digits and `_`",
                )
            elif isinstance(value, (str, int, float)):
                values[column] = plain(value)
            else:
                row.report(column, f"`{column}` must be text or a number, not {quoted(value)}")
        if rows and values.keys() != rows[0].keys():
            row.source.report(row.path, f"every row of `{key}` must have the same columns as the first row")
        rows.append(values)
    if not rows:
        table.report(key, f"`{key}` has no rows")
    return tuple(rows)


# ---------------------------------------------------------------- thresholds


def read_thresholds(table: TomlTable, stage: int | None = None) -> tuple[Threshold, ...]:
    """Every threshold of a table of ``NAME = "OP VALUE"``, or a list of such."""
    written_as: dict[str, str] = {}
    found: list[Threshold] = []
    for written in table.data:
        thresholds = _thresholds_of(table, written, stage)
        for name in dict.fromkeys(each.name for each in thresholds):
            if written_as.setdefault(name, written) != written:
                table.report(
                    written,
                    f"`{written}` means the same as `{written_as[name]}`; write one key with a list of both"
                    " limits",
                )
        found += thresholds
    return tuple(found)


def _thresholds_of(table: TomlTable, name: str, stage: int | None) -> list[Threshold]:
    written = table.data[name]
    found = []
    for expression in written if isinstance(written, list) else [written]:
        if not isinstance(expression, str):
            hint = "; put quotes around the whole name" if isinstance(expression, dict) else ""
            table.report(name, f'`{name}` must be text such as "< 100ms", not {quoted(expression)}{hint}')
            continue
        try:
            found.append(parse_threshold(name, expression, stage))
        except ValueError as error:
            table.report(name, str(error))
    return found


def write_thresholds(thresholds: Iterable[Threshold]) -> Plain:
    """By name; a list where a name has several."""
    found: dict[str, list[str]] = {}
    for each in thresholds:
        found.setdefault(each.name, []).append(each.expression)
    return {name: written[0] if len(written) == 1 else written for name, written in found.items()}


def _read_and_turned_off(
    table: TomlTable, key: str, _: object
) -> tuple[tuple[Threshold, ...], tuple[str, ...]]:
    """The thresholds, and what would be judged by default and is not (``NAME = "none"``)."""
    inner = table.table(key)
    names = [name for name, written in inner.data.items() if written == TURNED_OFF]
    for name in names:
        if name not in STATED_BY:
            known = ", ".join(f"`{each}`" for each in STATED_BY)
            inner.report(
                name,
                f'"{TURNED_OFF}" can turn off only the default thresholds ({known}), not `{name}`',
            )
    rest = {name: written for name, written in inner.data.items() if written != TURNED_OFF}
    thresholds = read_thresholds(TomlTable(rest, inner.source, inner.path))
    return thresholds, tuple(name for name in names if name in STATED_BY)


def _write_and_turned_off(value: tuple[tuple[Threshold, ...], tuple[str, ...]]) -> Plain:
    thresholds, turned_off = value
    whole = (each for each in thresholds if each.stage is None)
    return {**write_thresholds(whole), **dict.fromkeys(turned_off, TURNED_OFF)}


THRESHOLDS_AND_TURNED_OFF = KeyType(_read_and_turned_off, _write_and_turned_off)
"""The thresholds of the whole run, and what is turned off."""


def _read_of_stage(table: TomlTable, key: str, _: object) -> tuple[Threshold, ...]:
    """Of a table in the list ``stages``: the end of its path is its place in the list."""
    return read_thresholds(table.table(key), cast("int", table.path[-1]))


STAGE_THRESHOLDS = KeyType(_read_of_stage, write_thresholds)
"""The thresholds in a table of ``stages``, which speak of that stage."""

OTHER_THRESHOLDS = KeyType(lambda table, _, __: read_thresholds(table), write_thresholds)
"""Thresholds beside the other keys of a table."""


# ---------------------------------------------------------------- names of what is measured

MAX_PRIMARY = 6
"""No more metrics than this decide: each costs the others some statistical power."""


def _read_primary(table: TomlTable, key: str, _: object) -> tuple[str, ...]:
    named = [name for each in table.texts(key) if (name := _resolved(table, key, each)) is not None]
    if len(set(named)) > MAX_PRIMARY:
        table.report(key, f"`{key}` may name at most {MAX_PRIMARY} metrics, not {len(set(named))}")
    return tuple(dict.fromkeys(named))


def _resolved(table: TomlTable, key: str, written: str) -> str | None:
    try:
        return resolve(written)[0]
    except ValueError as error:
        table.report(key, str(error))
        return None


def _read_effects(table: TomlTable, _: str, __: object) -> dict[str, float]:
    effects = {}
    for written in table.data:
        name, effect = _resolved(table, written, written), _read_effect(table, written, None)
        if name is not None and effect is not None:
            effects[name] = effect
    return effects


PRIMARY = KeyType(_read_primary, list)
"""The names of the metrics that decide."""

OTHER_EFFECTS = KeyType(
    _read_effects, lambda effects: {name: exact_ratio(each) for name, each in effects.items()}
)
"""By the name of a metric the difference that matters, beside the other keys of a table."""
