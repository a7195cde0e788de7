from __future__ import annotations

import os
from pathlib import Path

import pytest

from loadtest.keep.atomic import replacing, write_whole


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    for text in ("old", "new"):
        with replacing(path) as beside:
            beside.write_text(text)
    with pytest.raises(OSError, match="full"), replacing(path) as beside:  # noqa: PT012 - as a full disk would
        beside.write_text("ne")
        raise OSError("full")
    assert path.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["run.json"]


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, synced = tmp_path / "watch.json", list[tuple[bytes, bool]]()
    monkeypatch.setattr(os, "fsync", lambda number: synced.append((os.pread(number, 99, 0), path.exists())))
    write_whole(path, "state\n")
    assert synced == [(b"state\n", False)]
    assert path.read_bytes() == b"state\n"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.html").symlink_to(tmp_path / "real" / "report.html")
    write_whole(tmp_path / "link.html", b"page")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "real" / "report.html").read_bytes() == b"page"
