"""An example of what a JSON schema describes: the plainest value that names everything in it."""

from __future__ import annotations

from typing import Any, Final

from loadtest.plan.asyncapi_document import MAX_DEPTH, ApiDocument, NoDescriptionError, ref_of

MAX_SAMPLE = 10_000
"""Values that an example may hold: references that double at each step would else fill the memory."""

MAX_ITEMS = 8
LONGEST_TEXT = 1_000

FORMATS: Final = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "duration": "PT1S",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "email": "user@example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "byte": "AAAA",
    "binary": "AAAA",
}


class _CircularError(NoDescriptionError):
    """A schema asks for itself."""


class SchemaSample:
    """Makes one example."""

    def __init__(self, document: ApiDocument) -> None:
        self._document = document
        self._left = MAX_SAMPLE
        self._deep = 0

    def of(self, schema: object, within: tuple[str, ...] = ()) -> Any:
        """The example of a schema; ``within`` are the references that led to it.

        Raises:
            NoDescriptionError: it asks for itself without end, or for too much.
        """
        self._left -= 1
        if self._left < 0:
            raise NoDescriptionError(f"a schema of the description needs more than {MAX_SAMPLE:,} values")
        self._deep += 1
        try:
            if self._deep > MAX_DEPTH:
                raise NoDescriptionError(
                    f"a schema of the description is nested more than {MAX_DEPTH} levels deep",
                )
            return self._of(schema, within)
        finally:
            self._deep -= 1

    def _of(self, schema: object, within: tuple[str, ...]) -> Any:
        ref = ref_of(schema)
        if ref is not None:
            if ref in within:
                raise _CircularError(f"a schema of the description contains itself without end: {ref}")
            return self.of(self._document.step(ref), (*within, ref))
        if not isinstance(schema, dict):
            return None
        given, found = _given(schema)
        if given:
            return found
        if isinstance(schema.get("allOf"), list):
            return self._all(schema, within)
        for key in ("oneOf", "anyOf"):
            if isinstance(schema.get(key), list) and schema[key]:
                return self._first(schema[key], within)
        return self._by_type(schema, within)

    def _all(self, schema: dict[str, Any], within: tuple[str, ...]) -> Any:
        """What all parts ask for together, and the schema beside them."""
        rest = {key: value for key, value in schema.items() if key != "allOf"}
        samples = [self.of(part, within) for part in (*schema["allOf"], *([rest] if rest else []))]
        tables = [each for each in samples if isinstance(each, dict)]
        if tables:
            return {key: value for table in tables for key, value in table.items()}
        return next((each for each in samples if each is not None), None)

    def _first(self, choices: list[Any], within: tuple[str, ...]) -> Any:
        """The first of several that does not ask for itself."""
        for choice in choices[:-1]:
            try:
                return self.of(choice, within)
            except _CircularError:
                continue
        return self.of(choices[-1], within)

    def _by_type(self, schema: dict[str, Any], within: tuple[str, ...]) -> Any:
        kind = _type_of(schema)
        if kind == "object":
            return self._object(schema, within)
        if kind == "array":
            return self._array(schema, within)
        if kind == "string":
            return _text(schema)
        if kind in {"integer", "number"}:
            return _number(schema)
        return {"boolean": True}.get(kind)

    def _object(self, schema: dict[str, Any], within: tuple[str, ...]) -> dict[str, Any]:
        """Every property; one that asks for its own object again only where it is required."""
        found = {}
        required = schema.get("required")
        for name, each in self._document.table(schema, "properties").items():
            try:
                found[name] = self.of(each, within)
            except _CircularError:
                if isinstance(required, list) and name in required:
                    raise
        return found

    def _array(self, schema: dict[str, Any], within: tuple[str, ...]) -> list[Any]:
        least = schema.get("minItems")
        n = min(max(least, 1), MAX_ITEMS) if isinstance(least, int) else 1
        try:
            return [self.of(schema.get("items"), within) for _ in range(n)] if "items" in schema else []
        except _CircularError:
            if isinstance(least, int) and least > 0:
                raise
            return []


def _given(schema: dict[str, Any]) -> tuple[bool, Any]:
    """The value that the schema itself gives, if it gives one."""
    for key in ("const", "default", "example"):
        if key in schema:
            return True, schema[key]
    for key in ("examples", "enum"):
        if isinstance(schema.get(key), list) and schema[key]:
            return True, schema[key][0]
    return False, None


def _type_of(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((each for each in kind if each != "null"), "null")
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in schema else "array" if "items" in schema else "null"


def _text(schema: dict[str, Any]) -> str:
    text = FORMATS.get(str(schema.get("format")), "text")
    least = schema.get("minLength")
    return text.ljust(min(least, LONGEST_TEXT), "x") if isinstance(least, int) else text


def _number(schema: dict[str, Any]) -> int | float:
    """No less than the schema asks, where it says so; else 1. What is too much is not looked at."""
    for key, more in (("minimum", 0), ("exclusiveMinimum", 1)):
        least = schema.get(key)
        if isinstance(least, int | float) and not isinstance(least, bool):
            return least + more
    return 1
