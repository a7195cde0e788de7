"""A description as plain data: JSON or YAML, bounded in size, depth and number; ``$ref`` inside it only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from loadtest.errors import ConfigError, Problem, install_line
from loadtest.plan.plain_json import is_cut
from loadtest.plan.yaml_bounds import YamlBounds

MAX_BYTES = 4 << 20
MAX_DEPTH = 64
"""How deep values of a description may be nested."""

MAX_VALUES = 200_000
"""Values that a description may hold, with those that YAML's aliases repeat."""

LONGEST_REF = 200


class NoDescriptionError(ValueError):
    """A description cannot be used; the message is a sentence that says why."""


def read_document(path: Path) -> ApiDocument:
    """The description in a file.

    Raises:
        ConfigError: it cannot be read, or is no description; one sentence says why.
    """
    where = str(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError([Problem(where, f"the file is larger than {MAX_BYTES >> 20} MiB")])
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError([Problem(where, "the file is not UTF-8 text")])
    except OSError as error:
        raise ConfigError([Problem(where, f"the file cannot be read: {error.strerror or error}")])
    try:
        return ApiDocument(parse(text))
    except NoDescriptionError as error:
        raise ConfigError([Problem(where, str(error))])


def parse(text: str) -> object:
    """The value that a text of JSON or YAML holds.

    Raises:
        NoDescriptionError: it holds none, or too much.
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise NoDescriptionError(_TOO_DEEP) from None
    except ValueError as error:
        if text.lstrip()[:1] in {"{", "["} and is_cut(error, text):
            raise NoDescriptionError("the file ends in the middle of its JSON; save it again") from None
        found = _yaml(text)
    return _Copy().of(found)


_TOO_DEEP = f"the description is nested more than {MAX_DEPTH} levels deep"
_TOO_MANY = f"the description has more than {MAX_VALUES:,} values"


def _yaml(text: str) -> object:
    try:
        import yaml
    except ImportError:
        run = install_line('"pyyaml>=6"', "asyncapi")
        raise NoDescriptionError(
            f"the file is not JSON, and loadtest needs PyYAML to read YAML; run: {run}, or convert the file"
            " to JSON"
        ) from None
    # That of C is twenty times as fast; where PyYAML was built without it, there is the other.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # A key is no value: each may have one.
        exceeded = YamlBounds(yaml.parse(text, Loader=loader)).exceeded(2 * MAX_VALUES, MAX_DEPTH + 1)
        if not exceeded:
            return yaml.load(text, Loader=loader)  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        # The end of a text is told as the line after its last.
        line = f"line {min(mark.line + 1, len(text.splitlines()))}: " if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        if "nesting depth" in problem:
            raise NoDescriptionError(_TOO_DEEP) from None
        raise NoDescriptionError(f"the file is neither JSON nor YAML: {line}{problem}") from None
    raise NoDescriptionError(_TOO_DEEP if exceeded == "depth" else _TOO_MANY)


class _Copy:
    """Copies plain data, with text in the place of what JSON has no form for, while there is not too much."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def of(self, value: object, deep: int = 0) -> object:
        """The copy of a value.

        Raises:
            NoDescriptionError: it is too large, or too deep.
        """
        self._left -= 1
        if self._left < 0:
            raise NoDescriptionError(_TOO_MANY)
        if deep > MAX_DEPTH:
            raise NoDescriptionError(_TOO_DEEP)
        if isinstance(value, Mapping):
            return {_key(key): self.of(each, deep + 1) for key, each in value.items()}
        if isinstance(value, list):
            return [self.of(each, deep + 1) for each in value]
        if isinstance(value, float) and not abs(value) < float("inf"):
            return str(value)
        return value if value is None or isinstance(value, str | int | float) else str(value)


def _key(key: object) -> str:
    """A key as text: YAML reads some words as booleans."""
    return str(key).lower() if isinstance(key, bool) else str(key)


class ApiDocument:
    """A description, in which references are followed."""

    def __init__(self, root: object) -> None:
        self.root: dict[str, Any] = root if isinstance(root, dict) else {}

    def at(self, node: object, *keys: str) -> Any:
        """What stands below a node under keys, one after the other; None where nothing does.

        Raises:
            NoDescriptionError: a reference on the way leads nowhere, elsewhere, or in a circle.
        """
        found = self.followed(node)
        for key in keys:
            found = self.followed(found.get(key)) if isinstance(found, dict) else None
        return found

    def table(self, node: object, *keys: str) -> dict[str, Any]:
        """As ``at``, where a table is wanted; an empty one for anything else."""
        found = self.at(node, *keys)
        return found if isinstance(found, dict) else {}

    def followed(self, node: object) -> Any:
        """A node, or what its ``$ref`` leads to, after however many steps."""
        seen: list[str] = []
        while (ref := ref_of(node)) is not None:
            if ref in seen:
                raise NoDescriptionError(f"a `$ref` of the description leads back to itself: {_shown(ref)}")
            seen.append(ref)
            node = self.step(ref)
        return node

    def step(self, ref: str) -> Any:
        """What one reference names."""
        if not ref.startswith("#"):
            raise NoDescriptionError(
                f"a `$ref` of the description is in another file, {_shown(ref)}; bundle the files into one"
            )
        node: Any = self.root
        for part in ref.split("/")[1:]:
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(node, list) and key.isdecimal() and int(key[:9]) < len(node):
                node = node[int(key[:9])]
            elif isinstance(node, dict) and key in node:
                node = node[key]
            else:
                raise NoDescriptionError(
                    f"the target of a `$ref` in the description does not exist: {_shown(ref)}",
                )
        return node


def ref_of(node: object) -> str | None:
    """The reference that a node is; None where it is none."""
    ref = node.get("$ref") if isinstance(node, dict) else None
    return ref if isinstance(ref, str) else None


def _shown(ref: str) -> str:
    return ref if len(ref) <= LONGEST_REF else f"{ref[:LONGEST_REF]}…"
