"""The manifest as JSON, as in ``run.json``."""

from __future__ import annotations

from loadtest.judge.sections import Manifest
from loadtest.keep.json import json_text


def as_json(manifest: Manifest) -> str:
    """Indented JSON without NaN or infinity, ending with a newline."""
    return json_text(manifest, indent=2) + "\n"
