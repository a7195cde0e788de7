"""What ``try`` and ``protocols check --capture`` say of messages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from loadtest.errors import Exit
from loadtest.show.document import Tone
from loadtest.show.terminal_frames import FrameLine, Note, tone_of

if TYPE_CHECKING:
    from loadtest.plan.framing import Framing
    from loadtest.plan.protocol import Events
    from loadtest.run.try_turn import FinishedTrial
    from loadtest.speak.capture_draft import Draft
    from loadtest.speak.observed_session import ObservedFrame
    from loadtest.speak.replay import Replay

LISTED = 20
"""Lines of one kind that are listed."""

LONGEST_EXAMPLE = 400

MAX_BODY = 2_000
"""Characters of the body of a refusal that are shown."""

MAX_SHOWN = 8_192
"""Characters of a message that are looked at for a line of the table."""


def frame_line(frame: ObservedFrame, began_ns: int, clean: Callable[[str], str] = str) -> FrameLine:
    """A message as a line of the table; ``clean`` takes secrets out of it."""
    from loadtest.units import format_duration

    text = frame.payload[:MAX_SHOWN].decode("utf-8", "replace")
    # The ellipsis tells the redactor that a secret may have been cut.
    text = clean(text if len(frame.payload) <= MAX_SHOWN else f"{text}…")
    return FrameLine(
        at=format_duration(max(frame.at_ns - began_ns, 0)),
        way="←" if frame.inward else "→",
        taken=", ".join(frame.taken) if frame.is_message else clean(", ".join(frame.taken)),
        rule="; ".join(frame.rules),
        text=text,
        tone=tone_of(frame.taken),
    )


def trial_lines(tried: FinishedTrial) -> Iterator[FrameLine]:
    """What was prepared, the upgrade if one was sent, then every frame."""
    from loadtest.units import format_duration

    trial, clean = tried.trial, tried.redactor.text
    yield from _prepared_lines(tried)
    if not trial.request:
        return
    yield FrameLine("", "→", "upgrade", "", clean(trial.request), "plain")
    answer = clean(trial.answer.partition(b"\r\n")[0].decode("utf-8", "replace"))
    if answer:
        at = "" if trial.answered_ns is None else format_duration(trial.answered_ns - trial.started_ns)
        tone: Tone = "plain" if trial.answered_ns is not None else "bad"
        yield FrameLine(at, "←", "upgrade", "", answer, tone)
    framing = tried.scenario.protocol.framing
    for frame in trial.frames:
        yield frame_line(_as_sent(frame, framing), trial.started_ns, clean)


def _as_sent(frame: ObservedFrame, framing: Framing | None) -> ObservedFrame:
    """A message of ours as [framing] has it sent, so that what separates records is seen."""
    if framing is None or frame.inward or frame.as_it_is or not frame.is_message:
        return frame
    from loadtest.plan.printable_text import visible

    prefix, split = (visible(each).encode() for each in (framing.prefix, framing.split))
    return frame._replace(payload=prefix + frame.payload + split)


def _prepared_lines(tried: FinishedTrial) -> Iterator[FrameLine]:
    """The steps of [[prepare]] that were done."""
    from loadtest.plan.settings import public_url
    from loadtest.plan.written_secrets import shown_template
    from loadtest.units import format_duration

    clean, began_ns = tried.redactor.text, tried.trial.started_ns
    steps = {step.name: step for step in tried.scenario.prepare}
    for done in tried.trial.prepared:
        step = steps[done.name]
        request = f"{step.method} {clean(shown_template(public_url(step.url)))}"
        kept = ", ".join(f"{{{name}}}" for name in step.kept_names)
        at, asked_at = (
            format_duration(max(each - began_ns, 0)) for each in (done.at_ns, done.at_ns - done.took_ns)
        )
        yield FrameLine(asked_at, "→", f"prepare {done.name}", "", request, "plain")
        told = f"done in {format_duration(done.took_ns)}{f', gives {kept}' if kept else ''}"
        yield FrameLine(at, "←", f"prepare {done.name}", "", told, "plain")


def trial_notes(tried: FinishedTrial) -> Iterator[list[Note]]:
    """How the turn ended; of a refusal its whole answer; and what the file could say that it does not."""
    trial = tried.trial
    if trial.refusal is not None:
        yield [Note("No connection", tried.redactor.text(str(trial.refusal)), "bad")]
        if trial.answer and trial.answered_ns is None:
            yield [Note("The whole answer", _answer(tried))]
        if likely := _likely(tried):
            yield [Note("What it most likely means", likely)]
        return
    yield [_ending(tried)]
    proposal = _proposal(tried)
    if proposal:
        yield [Note("A proposal for [events]", proposal)]


def _likely(tried: FinishedTrial) -> str:
    """As a run's verdict tells it; "" where nobody can say."""
    from loadtest.judge.refusal_diagnosis import likely
    from loadtest.plan.scenario_file import public_settings

    refusal = tried.trial.refusal
    if refusal is None:
        return ""
    manifest = {
        "counts": {"connections": {"refused": {str(refusal.layer): 1}}},
        "refusals": {str(refusal): 1},
        "scenario": {"settings": public_settings(tried.scenario)},
        "target": {"address": tried.address},
    }
    return tried.redactor.text(likely(manifest))


def _answer(tried: FinishedTrial) -> str:
    """Status, headers and the first part of the body, without secrets."""
    head, _, body = tried.trial.answer.partition(b"\r\n\r\n")
    text = body[:MAX_BODY].decode("utf-8", "replace") + ("…" if len(body) > MAX_BODY else "")
    shown = f"{head.decode('latin-1')}\n\n{text}".replace("\r\n", "\n").rstrip()
    return tried.redactor.text(shown)


def _ending(tried: FinishedTrial) -> Note:
    from loadtest.speak.turn import NEVER
    from loadtest.units import format_duration

    trial = tried.trial
    turn = trial.turn
    if turn is None:
        return Note("No turn", trial.stopped or "the connection ended before the message was sent", "bad")
    outcome = "not ended" if turn.outcome is None else turn.outcome.name.lower().replace("_", " ")
    told = [f"{turn.received} events"]
    if NEVER not in {turn.first_ns, turn.sent_ns}:
        told.insert(0, f"first event after {format_duration(max(turn.first_ns - turn.sent_ns, 0))}")
    if NEVER not in {turn.done_ns, turn.sent_ns}:
        told.insert(1, f"ended after {format_duration(max(turn.done_ns - turn.sent_ns, 0))}")
    if turn.reason and turn.reason != "event":
        told.append(f"by {turn.reason}")
    if trial.stopped:
        told.append(trial.stopped)
    if not tried.scenario.protocol.events.ends:
        told.append("the protocol does not say which event ends a turn: set `end` or `count`")
    if trial.close:
        told.append(f"the target ended the connection: {trial.close}")
    tone: Tone = "bad" if not trial.complete or trial.broken_off else "doubt" if trial.close else "good"
    if trial.complete and trial.broken_off:
        # No more than this: with its answer the target ended the connection, as after a refused login.
        outcome = "answered, then the connection broke off"
    elif error := _sounds_wrong(tried):
        tone = "doubt"
        told.append(
            f"but the type of the answer is `{error}`: if this is an error, add it to `fail` of [events]",
        )
    return Note(f"Turn {outcome}", ", ".join(tried.redactor.text(each) for each in told), tone)


def _sounds_wrong(tried: FinishedTrial) -> str:
    """The type of the answer that completed the turn, where it sounds like an error; else ""."""
    from loadtest.speak.capture_draft import sounds_wrong

    if not tried.trial.complete:
        return ""
    ends = [frame for frame in tried.trial.frames if frame.inward and "end" in frame.taken]
    return tried.redactor.text(sounds_wrong(ends[-1].payload)) if ends else ""


def _proposal(tried: FinishedTrial) -> str:
    """Lines for [events] where the protocol says nothing, or what it says fits nothing."""
    from loadtest.speak.capture_draft import draft

    if tried.trial.turn is None:
        return ""
    found = draft(tried.captured())
    return "\n".join(proposed_lines(found, tried.scenario.protocol.events, tried.trial.frames))


def proposed_lines(found: Draft, events: Events, frames: Iterable[ObservedFrame]) -> list[str]:
    """What a draft says where a protocol says nothing, or says what fits no message."""
    from loadtest.speak.draft_toml import event_lines

    lines = event_lines(found)
    seen = {word for frame in frames for word in frame.taken}
    nothing = "unmatched" in seen and not seen & {"event", "first", "end", "failed"}
    wanted = []
    if not events.type and events.format == "json" and not events.ends:
        wanted.append("type")
    if nothing:
        wanted += ["type", "match"]
    if nothing or not (events.turn or events.ordered):
        wanted.append("turn")
    if not events.ends or not seen & {"end", "failed", "refused"}:
        wanted += ["type", "end", "count"]
    if not events.sequence and events.format == "json":
        wanted += ["sequence", "sequence_start"]
    return [f"{key} = {lines[key]}" for key in lines if key in wanted]


def replay_exit_code(played: Replay) -> Exit:
    """1 where a turn does not end, 4 where the capture has none to judge."""
    if played.not_ready or played.unending:
        return Exit.FAIL
    return Exit.PASS if played.turns else Exit.INVALID


def replay_notes(played: Replay, clean: Callable[[str], str]) -> Iterator[list[Note]]:
    """Whether the turns end; then what a protocol's author would want to know."""
    yield [_turns_note(played, clean)]
    if unmatched := _grouped(played.unmatched(), clean):
        yield [Note("Matched by no rule", "\n".join(unmatched), "doubt")]
    if contested := _grouped(played.contested(), clean, with_rules=True):
        yield [Note("Matched by rules that contradict each other", "\n".join(contested), "doubt")]
    if played.unused:
        yield [Note("Rules that match no frame", "\n".join(map(str, played.unused)))]
    if played.empty:
        yield [Note("Paths that no frame has", "\n".join(played.empty))]


def conflict_notes(sentences: Sequence[str]) -> Iterator[list[Note]]:
    """What is wrong with the rules of a protocol, whatever comes."""
    if sentences:
        yield [Note("Rules without effect", "\n".join(sentences), "bad")]


def _turns_note(played: Replay, clean: Callable[[str], str]) -> Note:
    if played.not_ready:
        return Note("Never ready", clean(played.not_ready), "bad")
    if not played.turns:
        sentence = "no sent frame looks like the protocol's message, so loadtest cannot check the turns"
        return Note("No turn", sentence, "doubt")
    lines = [
        f"line {each.line}: {each.turn.received} events came, but no event ended the turn"
        for each in played.unending
    ]
    n = len(played.turns)
    if lines:
        of = f"{len(lines)} of {n} turn{'s' if n > 1 else ''} do{'es' if len(lines) == 1 else ''} not end"
        return Note(of, "\n".join(lines[:LISTED]), "bad")
    outcomes = Counter(
        each.turn.outcome.name.lower() for each in played.turns if each.turn.outcome is not None
    )
    told = ", ".join(f"{count} {name}" for name, count in outcomes.items())
    return Note(f"{n} turn{'s' if n > 1 else ''} end{'' if n > 1 else 's'}", told, "good")


def _grouped(
    frames: Iterable[ObservedFrame], clean: Callable[[str], str], *, with_rules: bool = False
) -> list[str]:
    """Frames as lines, those that look alike as one with their number."""
    found: dict[str, list[ObservedFrame]] = {}
    for frame in frames:
        found.setdefault(f"{frame.taken} {frame.rules if with_rules else ''} {_looks(frame)}", []).append(
            frame
        )
    lines = []
    for same in list(found.values())[:LISTED]:
        text = same[0].payload[:LONGEST_EXAMPLE].decode("utf-8", "replace")
        # As above.
        text = clean(text if len(same[0].payload) <= LONGEST_EXAMPLE else f"{text}…")
        rules = f" ({'; '.join(same[0].rules)})" if with_rules else ""
        lines.append(f"{len(same)} {', '.join(same[0].taken)}{rules}: {text}")
    return lines


def _looks(frame: ObservedFrame) -> str:
    """What frames of one kind have in common: keys and words, no numbers."""
    text = frame.payload[:LONGEST_EXAMPLE].decode("utf-8", "replace")
    return re.sub(r"[0-9a-f]*[0-9][0-9a-f-]*", "", text)
