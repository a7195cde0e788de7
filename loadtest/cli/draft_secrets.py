"""What drafts say of the secrets in a URL: how a scenario is given them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from loadtest.plan.printable_text import visible

if TYPE_CHECKING:
    from loadtest.plan.har_login import HarLogin


def query_from_environment(names: Iterable[str]) -> dict[str, str]:
    """Templates of parameters, each given by an environment variable."""
    from loadtest.plan.scaffold import variable_for

    return {name: f"{{env.{variable_for(name)}}}" for name in names}


def left_out_hints(names: Sequence[str], query: Mapping[str, str]) -> Iterator[str]:
    """What was left out of a URL, and what gives it; ``query`` are the templates by parameter."""
    given = ", ".join(f'{name} = "{query[name]}"' for name in names)
    yield visible(
        f"secrets left out of the URL: {', '.join(names)}; [target] has to give them: query = {{ {given} }}"
    )
    if any("{env." in query[name] for name in names):
        yield (
            "  (if a client gets such a value by HTTP, keep it in a step of [[prepare]] and write"
            " {prepared.NAME})"
        )


def prepared_query(found: Iterable[HarLogin]) -> dict[str, str]:
    """Templates of the parameters that the steps keep."""
    return {name: f"{{prepared.{_column(name)}}}" for each in found for name in each.keep}


def prepare_text(found: Sequence[HarLogin]) -> str:
    """The requests as TOML, with placeholders of the environment where a body had values."""
    from loadtest.speak.draft_toml import toml_key, toml_text

    lines: list[str] = []
    for number, each in enumerate(found, 1):
        lines += [
            "# Drafted from the requests in the file: this answer contained a value of the WebSocket's URL."
        ]
        lines += ["[[prepare]]", f'name = "login{"" if number == 1 else f"-{number}"}"']
        lines += [f"{each.method.lower()} = {toml_text(each.url)}"]
        if each.fields:
            given = query_from_environment(each.fields)
            pairs = (f"{toml_key(name)} = {toml_text(text)}" for name, text in given.items())
            lines += [f"{each.body} = {{ {', '.join(pairs)} }}    # fill in each value"]
        elif each.body:
            lines += ["# json = { ... }    # the request had a body: write it here"]
        keep = ", ".join(f"{_column(name)} = {toml_text(path)}" for name, path in each.keep.items())
        lines += [f"keep = {{ {keep} }}", ""]
    return "\n".join(lines)


def _column(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "value"
