"""``loadtest scenarios`` and ``loadtest protocols``: what ships, and the check of one's own."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

import pytest

from loadtest.cli import main
from loadtest.plan.shipped import shipped_names, shipped_text

KINDS: list[Literal["scenario", "protocol"]] = ["scenario", "protocol"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_has_one_line(kind: Literal["scenario", "protocol"], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"{kind}s"]) == 0
    shown = capsys.readouterr().out.partition("\n\n")[0].splitlines()
    lines = [line for line in shown if not line.startswith(" ")]
    policies = shipped_names("policy") if kind == "scenario" else []
    assert [line.split()[0] for line in lines] == [*shipped_names(kind), *policies]
    assert all(("policy for `ready`" in line) == (line.split()[0] in policies) for line in lines)
    assert all(len(line.split()) > 3 for line in lines)


def test_what_a_protocol_was_run_against_stands_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["protocols"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (mqtt,) = (number for number, line in enumerate(lines) if line.startswith("mqtt "))
    assert lines[mqtt + 1].strip() == "tested against mosquitto 2"
    (gemini,) = (number for number, line in enumerate(lines) if line.startswith("gemini-live "))
    assert lines[gemini + 1].strip().startswith("tested against a stub of the service; follows Google's")
    assert lines[-1].startswith("Protocols without such a line were tested against the simulator")


@pytest.mark.parametrize("kind", KINDS)
def test_show_prints_the_file_byte_for_byte(
    kind: Literal["scenario", "protocol"], capsys: pytest.CaptureFixture[str]
) -> None:
    name = shipped_names(kind)[0]
    assert main([f"{kind}s", "--show", name]) == 0
    shown = capsys.readouterr().out
    assert shown == shipped_text(kind, name)
    tomllib.loads(shown)


def test_a_policy_is_shown_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios", "--show", "ready"]) == 0
    assert capsys.readouterr().out == shipped_text("policy", "ready")


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_name_tells_the_nearest(
    kind: Literal["scenario", "protocol"], capsys: pytest.CaptureFixture[str]
) -> None:
    name = shipped_names(kind)[0]
    assert main([f"{kind}s", "--show", name[:-1]]) == 2
    assert f"`{name}`" in capsys.readouterr().err


def test_check_says_what_was_understood(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        '[connect]\npath = "/desk"\n[turn]\nmessage = \'{"id":"{turn.id}"}\'\n'
        '[events]\ntype = ["type"]\nturn = ["id"]\nend = ["closed"]\nrequired = ["note"]\n',
        "utf-8",
    )
    assert main(["protocols", "check", str(file)]) == 0
    told = {line[:30].strip(): line[31:] for line in capsys.readouterr().out.splitlines()}
    assert told["path"] == "/desk"
    assert told["ready"] == "with the 101 of the upgrade"
    assert told["events"] == "json, matched by id"
    assert told["end"] == "closed"
    assert told["fail"] == "no event fails a turn"
    assert told["required"] == "note"
    assert told["lost, duplicate, out of order"] == "not measured: no path"
    assert told["foreign"] == "not measured: no path"


def test_check_of_what_is_matched_in_order_and_ends_by_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    ready = 'ready = [ { pause = "1ms" } ]'
    file.write_text(
        f'[connect]\n{ready}\n[turn]\nmessage = "{{user.desk}} {{data.topic}}"\n'
        '[events]\nformat = "opaque"\ncount = 1\n',
        "utf-8",
    )
    assert main(["protocols", "check", str(file)]) == 0
    told = capsys.readouterr().out
    assert "after 1 ready steps\n" in told
    assert "opaque, matched in order\n" in told
    assert "after 1 event\n" in told
    assert "{data.topic}, {user.desk} must be columns of its target.identities or traffic.data\n" in told


def test_check_tells_every_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[conect]\npath = "/desk"\n[turn]\nmesage = "x"\n', "utf-8")
    assert main(["protocols", "check", str(file)]) == 2
    said = capsys.readouterr().err
    assert "mine.toml:1" in said
    assert "`connect`" in said
    assert "mine.toml:4" in said
    assert "`message`" in said


def test_check_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert main(["protocols", "check", str(tmp_path / "none.toml")]) == 2


def test_check_tells_rules_that_never_decide_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        '[turn]\nmessage = \'{"id":"{turn.id}"}\'\n[events]\ntype = ["type"]\nturn = ["id"]\n'
        'end = ["closed"]\n'
        'fail = [{ prefix = "clo" }, { has = "a", lacks = "a" }]\n',
        "utf-8",
    )
    (tmp_path / "frames.jsonl").write_text(
        '{"at": 0, "dir": "out", "text": "{\\"id\\":\\"7\\"}"}\n'
        '{"at": 1, "dir": "in", "text": "{\\"id\\":\\"7\\",\\"type\\":\\"closed\\"}"}\n',
        "utf-8",
    )
    for more in ([], ["--capture", str(tmp_path / "frames.jsonl")]):
        assert main(["protocols", "check", str(file), *more]) == 1
        said = " ".join(capsys.readouterr().out.split())
        assert "`fail: has a, lacks a` never matches an event" in said
        assert "`end: closed` has no effect" in said


def test_check_names_a_path_at_which_no_frame_has_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        '[connect]\nready = [{ wait = { has = "hi", keep = { a = "x.y" } }, keep = { b = "hi" } }]\n'
        "heartbeat = [{ on = { ping = 1 }, send = 'x', keep = { c = \"ping.c\" } }]\n"
        '[turn]\nmessage = \'{"id":"{turn.id}"}\'\n'
        '[events]\nturn = ["id"]\ncount = { path = "n" }\nadopt = { on = { has = "made" }, id = "made.id" }\n'
        'sent_at = { path = "at", unit = "ms" }\n',
        "utf-8",
    )
    (tmp_path / "frames.jsonl").write_text(
        '{"at": 0, "dir": "in", "text": "{\\"hi\\":1}"}\n'
        '{"at": 1, "dir": "out", "text": "{\\"id\\":\\"7\\"}"}\n'
        '{"at": 2, "dir": "in", "text": "{\\"id\\":\\"7\\",\\"n\\":1}"}\n',
        "utf-8",
    )
    assert main(["protocols", "check", str(file), "--capture", str(tmp_path / "frames.jsonl")]) == 0
    said = capsys.readouterr().out.partition("Paths that no frame has")[2]
    assert [word for word in ("keep a", "keep b", "keep c", "count", "adopt", "sent_at") if word in said] == [
        "keep a",
        "keep c",
        "adopt",
        "sent_at",
    ]
