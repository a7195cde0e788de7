"""Rows of data: identities and the data of messages, from CSV files or written in the scenario."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from loadtest.errors import ConfigError, Problem
from loadtest.plan.document import decode, read_bytes
from loadtest.plan.identifiers import is_column
from loadtest.plan.reading import Table, told
from loadtest.plan.scenario import Rows
from loadtest.plan.template import plain
from loadtest.units import cut

LARGEST_DATA = 64 * 1024 * 1024
"""Bytes of the largest CSV file that is read; every process keeps its rows in memory."""


def read_rows(table: Table, key: str, base: Path) -> Rows:
    """The rows of a key: of the CSV file it names, relative to ``base``, or as written; none if absent."""
    if isinstance(table.data.get(key), list):
        return _inline_rows(table, key)
    ref = table.text(key, None)
    if ref is None:
        return ()
    try:
        return read_csv(base / ref, ref)
    except ConfigError as error:
        for problem in error.problems:
            table.report(key, f"`{key}`: {problem}")
        return ()


def read_csv(path: Path, name: str) -> Rows:
    """The rows of a CSV file; the first line names the columns.

    Raises:
        ConfigError: missing, not UTF-8, empty, or a row that has more or fewer values than there are columns.
    """
    text = decode(read_bytes(path, name, LARGEST_DATA), name)
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
            wrong = f'"{cut(column)}" cannot name a column: letters, digits and `_` only'
            raise ConfigError([Problem(f"{name}:1", wrong)])
        if header.count(column) > 1:
            raise ConfigError([Problem(f"{name}:1", f"the column `{column}` is there twice")])


def _whole_rows(reader: Any, width: int, name: str) -> Iterator[list[str]]:
    """Rows that are not blank, each with a value for every column."""
    problems: list[Problem] = []
    for row in reader:
        if not row:
            continue
        if len(row) == width:
            yield row
        elif len(problems) < 10:
            wrong = f"this row has {len(row)} values for {width} columns"
            problems.append(Problem(f"{name}:{reader.line_num}", wrong))
    if problems:
        raise ConfigError(problems)


def _inline_rows(table: Table, key: str) -> Rows:
    rows: list[dict[str, str]] = []
    for row in table.tables(key):
        values: dict[str, str] = {}
        for column, value in row.data.items():
            if not is_column(column):
                row.report(column, f"`{cut(column)}` cannot name a column: letters, digits and `_` only")
            elif isinstance(value, (str, int, float)):
                values[column] = plain(value)
            else:
                row.report(column, f"`{column}` must be text or a number, not {told(value)}")
        if rows and values.keys() != rows[0].keys():
            row.source.report(row.path, f"every row of `{key}` must have the columns of the first")
        rows.append(values)
    if not rows:
        table.report(key, f"`{key}` has no rows")
    return tuple(rows)
