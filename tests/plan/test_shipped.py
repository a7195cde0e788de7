from __future__ import annotations

from pathlib import Path

import pytest

from loadtest.errors import ConfigError
from loadtest.plan.shipped import find, folder, list_shipped, shipped_names, shipped_text


def test_what_the_contract_promises_ships() -> None:
    assert {"agent-events", "echo", "json-id"} <= set(shipped_names("protocol"))
    assert {
        "agent-burst", "connect-ramp", "connect-storm", "echo-steady", "soak", "spike", "example-full",
    } <= set(shipped_names("scenario"))  # fmt: skip


@pytest.mark.parametrize("kind", ["scenario", "protocol"])
def test_each_says_in_one_line_what_it_is_for(kind: str) -> None:
    for shipped in list_shipped(kind):  # type: ignore[arg-type]  # parametrized
        assert shipped.path.stem == shipped.name
        assert 20 < len(shipped.about) < 140
        assert shipped.about.endswith("?" if kind == "scenario" else ".")
        assert shipped_text(kind, shipped.name).startswith(f"# {shipped.about}\n")  # type: ignore[arg-type]  # parametrized


def test_in_an_installed_package_scenarios_are_inside(tmp_path: Path) -> None:
    package = tmp_path / "site-packages" / "loadtest"
    (package / "scenarios").mkdir(parents=True)
    (package / "scenarios" / "a.toml").write_text("# Why?\n")
    assert folder("scenario", package) == package / "scenarios"
    assert [each.name for each in list_shipped("scenario", package)] == ["a"]
    assert shipped_names("protocol", package) == []


def test_in_a_checkout_scenarios_are_beside_the_package(tmp_path: Path) -> None:
    assert folder("scenario", tmp_path / "loadtest") == tmp_path / "scenarios"


def test_a_shipped_name_goes_before_a_file_and_any_path_is_relative_to_its_base(tmp_path: Path) -> None:
    (tmp_path / "echo").write_text("")
    (tmp_path / "mine.toml").write_text("")
    assert find("protocol", "echo", tmp_path)[1] == "echo.toml"
    assert find("protocol", "./echo", tmp_path)[0] == tmp_path / "echo"
    assert find("protocol", "mine.toml", tmp_path)[0] == tmp_path / "mine.toml"


@pytest.mark.parametrize(
    ("ref", "sentence"),
    [
        ("ech", "there is neither a file nor a shipped protocol named `ech`; did you mean `echo`?"),
        ("zzz", "`loadtest protocols` lists the shipped protocols"),
        ("mine", "there is no protocol `mine`; did you mean the file `mine.toml`?"),
        ("a\0b", "there is neither a file"),
        ("x" * 5000, "there is neither a file nor a shipped protocol named `xxx"),
    ],
)
def test_what_is_neither_a_file_nor_a_name_is_told_with_the_nearest(
    tmp_path: Path, ref: str, sentence: str
) -> None:
    (tmp_path / "mine.toml").write_text("")
    with pytest.raises(ConfigError) as caught:
        find("protocol", ref, tmp_path)
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 150 + len(", ".join(shipped_names("protocol")))


def test_an_empty_name_is_the_folder_itself(tmp_path: Path) -> None:
    assert find("protocol", "", tmp_path)[0] == tmp_path


def test_the_text_of_what_does_not_ship() -> None:
    with pytest.raises(
        ConfigError, match="no scenario `agent-brust` ships with loadtest; did you mean `agent-burst`"
    ):
        shipped_text("scenario", "agent-brust")


def test_policies_lie_beside_the_scenarios_and_are_none(tmp_path: Path) -> None:
    package = tmp_path / "loadtest"
    (tmp_path / "scenarios").mkdir()
    for name in ("ready", "ready-strict", "readying"):
        (tmp_path / "scenarios" / f"{name}.toml").write_text("# Why?\n")
    assert shipped_names("policy", package) == ["ready", "ready-strict"]
    assert shipped_names("scenario", package) == ["readying"]
    assert find("policy", "ready", tmp_path, package)[1] == "ready.toml"
    with pytest.raises(ConfigError, match="known here: ready, ready-strict"):
        find("policy", "zzz", tmp_path, package)
