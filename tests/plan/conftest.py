"""Scenarios and protocols written by a test, read as a user's files are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from loadtest.errors import ConfigError
from loadtest.plan.overrides import Overrides
from loadtest.plan.protocol import Protocol
from loadtest.plan.protocol_file import load_protocol, read_protocol
from loadtest.plan.scenario import Scenario
from loadtest.plan.scenario_file import load_scenario
from loadtest.plan.toml_reader import Source, TomlTable


def protocol_from_settings(settings: Mapping[str, object]) -> Protocol:
    """The protocol that ``protocol_settings`` made plain."""
    source = Source("settings")
    protocol = read_protocol(TomlTable(settings, source), "")
    source.finish()
    return protocol


class Folder:
    """A folder with a user's files."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def load(self, text: str, **overrides: object) -> Scenario:
        path = self.write("mine.toml", text)
        return load_scenario(path, Overrides(**overrides))  # type: ignore[arg-type]  # a test says which

    def mistakes(self, text: str, **overrides: object) -> list[str]:
        """What is told of a scenario with mistakes, without the folder's name."""
        with pytest.raises(ConfigError) as caught:
            self.load(text, **overrides)
        return [line.removeprefix(f"{self.path}/") for line in str(caught.value).splitlines()]

    def protocol(self, text: str) -> Protocol:
        return load_protocol(self.write("mine.protocol.toml", text))

    def protocol_mistakes(self, text: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            self.protocol(text)
        return [
            line.removeprefix(f"{self.path}/mine.protocol.toml:") for line in str(caught.value).splitlines()
        ]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)
