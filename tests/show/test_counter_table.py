from __future__ import annotations

from loadtest.show.counter_table import ledgers


def counts(**sections: dict[str, object]) -> dict[str, object]:
    return {"counts": sections}


def rows(manifest: dict[str, object]) -> dict[str, tuple[str, str, str, str]]:
    return {
        row.label: (row.value, row.share, row.reason, row.tone)
        for ledger in ledgers(manifest)
        for row in ledger.counts
    }


def test_turns_are_shares_of_those_that_fell_due() -> None:
    found = rows(
        counts(turns={"due": 200, "begun": 199, "complete": 150, "timed_out": 49, "not_attempted": 1})
    )
    assert found["complete"] == ("150", "75.0 %", "", "good")
    assert found["timed out"] == ("49", "24.5 %", "", "bad")


def test_an_outcome_that_never_happened_is_plain_and_has_no_share() -> None:
    found = rows(counts(turns={"due": 10, "complete": 0, "failed": 0}))
    assert found["complete"] == ("0", "", "", "plain")
    assert found["failed"] == ("0", "", "", "plain")


def test_what_the_protocol_cannot_know_says_so_and_is_no_zero() -> None:
    found = rows(counts(events={"received": 5, "lost": None, "unmeasured": {"lost": "no sequence number"}}))
    assert found["lost"] == ("not measured", "", "no sequence number", "doubt")


def test_what_came_before_ready_is_told_where_there_was_any() -> None:
    assert rows(counts(events={"before_ready": 3}))["before ready and awaited by no step"] == (
        "3",
        "",
        "",
        "plain",
    )
    assert rows(counts(events={"received": 3})).keys() == {"received"}


def test_refusals_and_closes_are_told_by_kind() -> None:
    connections = {"attempted": 10, "refused": {"tls": 2}, "closed": {"1006": 1}}
    found = rows(counts(connections=connections))
    assert found["refused at tls"] == ("2", "20.0 %", "", "bad")
    assert found["closed by the target, code 1006"][0] == "1"


def test_connections_that_we_gave_up_are_not_the_targets_closes() -> None:
    connections = {
        "attempted": 10,
        "closed": {"1001": 1, "1006": 3},
        "ended_by_us": {"silent": 2, "broken": 1},
    }
    found = rows(counts(connections=connections))
    assert found["closed by the target, code 1001"][0] == "1"
    assert "closed by the target, code 1006" not in found
    assert found["given up by us: a ping or a heartbeat was not answered"] == ("2", "20.0 %", "", "bad")
    assert found["given up by us: it broke the WebSocket protocol"][0] == "1"


def test_last_words_without_an_answer_are_told_of_those_left() -> None:
    found = rows(counts(connections={"attempted": 10, "left": 8, "left_unanswered": 2}))
    unanswered = found["left by us without the answer to our last word"]
    assert unanswered == ("2", "25.0 % of those left", "", "doubt")
    assert "left by us without the answer to our last word" not in rows(counts(connections={"left": 8}))


def test_connections_that_this_machine_could_not_open_are_told_by_its_limit() -> None:
    found = rows(counts(connections={"attempted": 10, "not_opened": {"EMFILE": 4}}))
    assert found["not opened by this machine (EMFILE)"] == ("4", "40.0 %", "", "doubt")


def test_ignored_events_are_told() -> None:
    found = rows(counts(events={"received": 10, "ignored": 4}))
    assert found["ignored as the protocol says"] == ("4", "", "", "plain")


def test_counters_that_a_run_does_not_have_are_left_out() -> None:
    assert ledgers({}) == ()
    assert rows(counts(bytes={"sent": 2048})) == {"sent": ("2.0 KiB", "", "", "plain")}


def test_what_was_done_on_purpose_is_told_in_words() -> None:
    counts = {
        "connections": {"attempted": 30, "ready": 30, "cut": 10, "reconnected": 9, "away": 1},
        "turns": {"due": 5, "lost": 2, "resumed": 1},
        "events": {"received": 9, "resumed": 4},
        "chaos": {"malformed.sent": 7, "malformed.sent.empty": 2, "leavers.left": 3},
    }
    told = {
        ledger.title: [f"{row.value} {row.label}" for row in ledger.counts]
        for ledger in ledgers({"counts": counts})
    }
    assert "10 cut by us, as planned" in told["Connections"]
    assert {"9 ready again after a loss", "1 lost and not back at the end"} <= set(told["Connections"])
    assert "1 of those lost, ended on the next connection" in told["Turns"]
    assert "4 resumed (on the next connection)" in told["Events"]
    assert told["On purpose"] == ["7 broken messages sent", "3 left in mid-turn"]


def test_without_chaos_it_is_not_spoken_of() -> None:
    assert "On purpose" not in {ledger.title for ledger in ledgers({"counts": {"turns": {"due": 1}}})}


def test_of_turns_that_broke_off_loss_is_at_least_what_was_seen() -> None:
    events = {"expected": 10, "lost": 1}
    found = {
        row.label: row
        for ledger in ledgers({"counts": {"events": events, "turns": {"lost": 2, "timed_out": 3}}})
        for row in ledger.counts
    }
    assert found["lost, at least: 5 turns broke off"].value == "1"
    assert found["expected"].value == "10"


def test_closes_are_a_share_of_those_that_were_ready() -> None:
    connections = {"attempted": 124, "ready": 40, "closed": {"1006": 20}}
    (ledger,) = ledgers({"counts": {"connections": connections}})
    assert [row.share for row in ledger.counts if "closed" in row.label] == ["50.0 % of those ready"]


def test_kinds_of_turn_are_told_with_what_became_of_them() -> None:
    turns = {
        "due": 10, "complete": 9, "lost": 1,
        "due[ask]": 8, "complete[ask]": 8, "lost[ask]": 0,
        "due[stop]": 2, "complete[stop]": 1, "lost[stop]": 1,
    }  # fmt: skip
    mix = {"scenario": {"settings": {"traffic": {"mix": {"ask": 4, "stop": 1}}}}}
    (ledger,) = (each for each in ledgers({**counts(turns=turns), **mix}) if each.title == "Kinds of turn")
    assert [(row.label, row.value, row.share) for row in ledger.counts] == [
        ("of kind ask", "8", "80.0 % of all"),
        ("ask complete", "8", "100 %"),
        ("of kind stop", "2", "20.0 % of all"),
        ("stop complete", "1", "50.0 %"),
        ("stop lost with their connection", "1", "50.0 %"),
    ]


def test_how_conversations_went_is_told() -> None:
    said = {
        "begun": 5,
        "ended": 4,
        "complete": 3,
        "broken_off": 1,
        "begun[a]": 5,
        "ended[a]": 4,
        "complete[a]": 3,
    }
    (ledger,) = (each for each in ledgers(counts(conversations=said)) if each.title == "Conversations")
    assert [(row.label, row.value, row.share) for row in ledger.counts] == [
        ("begun", "5", ""),
        ("complete", "3", "75.0 %"),
        ("broken off", "1", "25.0 %"),
        ("a begun", "5", ""),
        ("a complete", "3", "75.0 %"),
    ]


def test_what_a_codec_did_has_a_ledger_where_it_did_anything() -> None:
    (ledger,) = (
        each
        for each in ledgers({"counts": {"codec": {"replies": 1200, "unsendable": 2}}})
        if each.title == "Codec"
    )
    assert [(row.label, row.value, row.tone) for row in ledger.counts] == [
        ("answered by the codec itself", "1,200", "plain"),
        ("not sent: the codec could make no frame", "2", "bad"),
    ]
    assert "Codec" not in [each.title for each in ledgers({"counts": {}})]


def test_compression_is_told_by_bytes_and_ratio() -> None:
    counts = {
        "negotiated": 3,
        "not_negotiated": 1,
        "sent_payload": 2048,
        "sent_wire": 512,
        "received_wire": 9,
    }
    found = {
        each.title: each for each in ledgers({"counts": {"compression": counts, "http": {"refused": 2}}})
    }
    assert [(row.label, row.value, row.share, row.tone) for row in found["Compression"].counts] == [
        ("connections with compression", "3", "", "plain"),
        ("connections without: not negotiated", "1", "", "doubt"),
        ("messages sent", "2.0 KiB", "4.00 times the 512 B of their frames", "plain"),
    ]
    assert [(row.label, row.value, row.tone) for row in found["Turns by HTTP"].counts] == [
        ("not answered well", "2", "bad")
    ]
    assert not {"Compression", "Turns by HTTP"} & {each.title for each in ledgers({"counts": {}})}
