from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click import BadParameter, Context
from click import Path as PathType

from loadtest.cli.commands import COMMANDS, Commands
from loadtest.cli.output_files import put, write, write_new
from loadtest.cli.shared_options import Output
from loadtest.errors import ConfigError

FILES = {"terminal": "a.txt", "json": "a.json", "png": "a.png"}


def made(form: str) -> str | bytes:
    return b"\x89PNG" if form == "png" else f"{form}µ\n"


def putting(formats: str, output: Path | None = None, shown: list[str] | None = None) -> None:
    options: dict[str, Any] = {"format": tuple(formats.split(",")), "output": output}
    put(made, FILES, options, lambda: (shown if shown is not None else []).append("shown"))


def test_one_view_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    shown: list[str] = []
    putting("terminal", shown=shown)
    putting("json")
    assert shown == ["shown"]
    assert capsys.readouterr().out == "jsonµ\n"


def test_a_file_or_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    putting("json", tmp_path / "new" / "one.json")
    putting("json", tmp_path)
    putting("terminal,png", tmp_path / "out")
    assert (tmp_path / "new" / "one.json").read_text("utf-8") == "jsonµ\n"
    assert (tmp_path / "a.json").exists()
    assert (tmp_path / "out" / "a.png").read_bytes() == b"\x89PNG"
    assert capsys.readouterr().out.count("wrote ") == 4


def test_pixels_go_down_a_pipe(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    putting("png")
    assert capfdbinary.readouterr().out == b"\x89PNG"


@pytest.mark.parametrize(
    ("formats", "sentence"),
    [
        ("json,png", "several formats need --output FOLDER"),
        ("png", "png is binary and cannot be printed; give --output FILE"),
    ],
)
def test_what_cannot_be_printed(formats: str, sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with pytest.raises(ConfigError, match=sentence):
        putting(formats)


def test_what_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written"):
        write(tmp_path / "file" / "x.json", "x")


def test_no_view_is_made_that_cannot_be_printed_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page takes seconds: who waits for it in vain has waited too long."""

    def never(form: str) -> str:
        raise AssertionError(f"{form} was made")

    (tmp_path / "file").touch()
    (tmp_path / "important.toml").touch()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for form, output in (
        ("png", None),
        ("json", tmp_path / "file" / "x.json"),
        ("json", tmp_path / "important.toml"),
    ):
        with pytest.raises(ConfigError):
            put(never, FILES, {"format": (form,), "output": output}, lambda: None)


@pytest.mark.parametrize("name", ["run.json", "turns.npy", "slowest.jsonl", "timeline.csv", "run.log"])
def test_the_record_of_a_run_is_not_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / name).write_text("measured")
    with pytest.raises(ConfigError, match="belongs to a stored run"):
        write(tmp_path / name, "a view")
    assert (tmp_path / name).read_text() == "measured"


def test_a_file_that_is_no_view_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "important.toml"
    write(path, "new")
    with pytest.raises(ConfigError, match="its name is not that of a report"):
        write(path, "newer")
    assert path.read_text() == "new"


def test_a_view_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deeper" / "report.html"
    write(path, "old")
    write(path, b"new")
    assert path.read_bytes() == b"new"

    def full(_self: Path, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ConfigError, match="No space left"):
        write(path, "half")
    assert path.read_bytes() == b"new"
    assert [each.name for each in path.parent.iterdir()] == ["report.html"]


def test_half_of_a_character_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="half of a character"):
        write_new(tmp_path / "a.toml", "a\ud800b")
    assert not (tmp_path / "a.toml").exists()


def test_a_slash_at_its_end_means_a_folder(tmp_path: Path) -> None:
    wanted = Output().convert(f"{tmp_path}/cmp/", None, None)
    putting("json", wanted)
    assert (tmp_path / "cmp" / "a.json").read_text("utf-8") == "jsonµ\n"
    assert not Output().convert(f"{tmp_path}/one.json", None, None).exists()
    with pytest.raises(BadParameter, match=r"the folder .* cannot be made"):
        Output().convert(f"{tmp_path}/cmp/a.json/", None, None)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_no_command_takes_a_file_or_folder_that_forgets_the_slash(name: str) -> None:
    group = Commands()
    command = group.get_command(Context(group), name)
    assert command is not None
    for each in command.params:
        if "--output" in each.opts:
            assert isinstance(each.type, Output) or (
                isinstance(each.type, PathType) and not each.type.file_okay
            )
