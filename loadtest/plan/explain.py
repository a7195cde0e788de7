"""What a scenario would do, in words, without sending a byte."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from loadtest.plan.addresses import SIMULATOR
from loadtest.plan.chunks import Chunks
from loadtest.plan.conversation import ConversationStep, Think
from loadtest.plan.explained_settings import NOT_SHOWN, explained_settings
from loadtest.plan.generated import generated, is_generated
from loadtest.plan.kept_values import auto_reply_keeps, step_keeps
from loadtest.plan.key_types import KeyTable
from loadtest.plan.match import Match, kept_by, match_words
from loadtest.plan.placeholder_names import NOW, data_values, now_values, user_values
from loadtest.plan.printable_text import visible
from loadtest.plan.protocol import (
    AutoReply,
    CountAt,
    Events,
    MessageStep,
    Protocol,
    ReadyStep,
    TimedBeat,
    TurnShape,
)
from loadtest.plan.scenario import Scenario, Traffic
from loadtest.plan.scenario_file import public_settings
from loadtest.plan.schedule import Schedule, schedules
from loadtest.plan.schema import CHAOS_TABLE, LOAD_TABLE, SCENARIO_TABLE, TARGET_TABLE, TRAFFIC_TABLE
from loadtest.plan.secrets import secret_columns, written_secrets
from loadtest.plan.sequence import turn_sequence
from loadtest.plan.settings import HIDDEN, public_url
from loadtest.plan.stages import Visit
from loadtest.plan.target import userinfo
from loadtest.plan.template import Template
from loadtest.plan.threshold import DELIVERY_RATIOS, Threshold, split_population
from loadtest.plan.trace_parent import TRACE_PARENT, trace_parent
from loadtest.plan.unmeasured import unmeasured_counters
from loadtest.plan.written_secrets import data_secret_columns, hide_of_scenario, shown_template
from loadtest.units import format_bytes, format_count, format_duration, format_rate, format_ratio

MARKS = 8
"""The number of connections is shown at so many instants."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and the lines below it."""

    title: str
    lines: tuple[str, ...]


SentSize = Callable[[Protocol, Sequence[str]], str]
"""How large the frames of messages are, in words: what a codec makes of them, no plan knows."""


def explain(scenario: Scenario, sent_size: SentSize) -> list[Section]:
    """The plan in sections: target, connections, turns, message, answer, a turn drawn, verdict, gaps."""
    title = f"{scenario.name}: {scenario.question}" if scenario.question else scenario.name
    parts = {title: _plan(scenario), "Before a connection": _prepared(scenario)}
    for each, schedule in zip(scenario.parts, schedules(scenario), strict=True):
        before = f"{each.name}: " if scenario.populations else ""
        parts |= {f"{before}{what}": lines for what, lines in _users(each, schedule, sent_size).items()}
    parts |= {"Judged by": _judged(scenario), "The whole run": _whole_run(scenario)}
    for each in scenario.parts:
        before = f"{each.name}: " if scenario.populations else ""
        parts[f"{before}Not measurable"] = _unknown(each)
    hide = hide_of_scenario(scenario)
    found = [Section(hide(title), tuple(map(hide, lines))) for title, lines in parts.items()]
    return [section for section in found if section.lines]


def _users(scenario: Scenario, schedule: Schedule, sent_size: SentSize) -> dict[str, Iterator[str]]:
    """What users do: all of a scenario, or those of one population."""
    return {
        "Target": _target(scenario),
        "Connections": _connections(scenario, schedule),
        "Until ready": _ready(scenario),
        "Turns": _turns(scenario, schedule),
        "Message": _message(scenario, schedule.first, sent_size),
        "Answer": _answer(scenario),
        "One turn": _sequence(scenario, sent_size),
        "Injected faults": _settings(CHAOS_TABLE, scenario),
    }


def _plan(scenario: Scenario) -> Iterator[str]:
    load = scenario.load
    if scenario.populations:
        told = (
            f"{format_count(schedule.users)} {each.name}"
            for each, schedule in zip(scenario.populations, schedules(scenario), strict=True)
        )
        yield f"{format_count(len(scenario.populations))} populations: {', '.join(told)}"
    for protocol in {part.protocol.name: part.protocol for part in scenario.parts}.values():
        yield f"protocol {protocol.name}" + (f": {protocol.about}" if protocol.about else "")
    warmup = f"{format_duration(load.warmup_ns)} warm-up, then " if load.warmup_ns else ""
    timeout = max(part.traffic.timeout_ns if part.traffic else 0 for part in scenario.parts)
    longest = timeout + (scenario.streams_ns if timeout else 0)
    drain = f", then at most {format_duration(longest)} to drain" if timeout else ""
    yield f"{warmup}{format_duration(load.duration_ns)} measured{drain}"


def _target(scenario: Scenario) -> Iterator[str]:
    target = scenario.target
    if target.url == SIMULATOR:
        yield "loadtest starts its own simulator for the run; every report will say SIMULATED"
        if target.faults:
            yield f"with the faults {', '.join(target.faults)}"
    else:
        yield public_url(target.url)
    if userinfo(target.url) is not None:
        yield "Basic authorization with the user and password of the URL (not shown here)"
    public = _written(scenario, "target")
    # What a run removes from its files and its screen is not shown here either.
    hidden = {HIDDEN, *written_secrets(target)}
    for part in ("headers", "cookies", "query"):
        values = public.get(part)
        for name, text in values.items() if isinstance(values, Mapping) else ():
            if not isinstance(text, str):
                continue
            yield f"{part}: {name} = {NOT_SHOWN if text in hidden else text}"
    if target.keep_cookies:
        yield "on later connections, each user sends the cookies that the target set"
    if target.identities:
        columns = ", ".join(target.identities[0])
        yield f"{format_count(len(target.identities))} identities, one per virtual user ({columns})"
    if target.insecure:
        yield "INSECURE: the target's certificate is not verified"
    yield from _settings(TARGET_TABLE, scenario)


def _written(scenario: Scenario, title: str) -> Mapping[str, object]:
    """A table of the effective plan as plain data, without secrets; empty where there is none."""
    table = public_settings(scenario).get(title)
    return table if isinstance(table, Mapping) else {}


def _settings(table: KeyTable[Any], scenario: Scenario) -> Iterator[str]:
    """The keys of a table one by one."""
    return explained_settings(table, _written(scenario, table.title), written_secrets(scenario.target))


_OFTEN = {
    "connection": "before each connection",
    "user": "once for each user",
    "process": "once in each process",
}


def _prepared(scenario: Scenario) -> Iterator[str]:
    """The steps by HTTP, each in a line."""
    for step in scenario.prepare:
        wanted = " or ".join(map(str, step.expect)) or "200 to 299"
        kept = ", ".join(f"{{{name}}}" for name in step.kept_names)
        keeps = f", gives {kept}" if kept else ""
        undo = f"; undone by {step.undo.method} {public_url(step.undo.url)}" if step.undo else ""
        told = f"{step.method} {public_url(step.url)}, {wanted} within {format_duration(step.within_ns)}"
        yield f"{step.name}: {told}{keeps}, {_OFTEN[step.once]}{undo}"


def _connections(scenario: Scenario, schedule: Schedule) -> Iterator[str]:
    load = scenario.load
    visits = schedule.visits()
    pace = f"at {format_rate(load.connect_rate)}" if load.connect_rate else "as fast as possible"
    yield f"up to {format_count(schedule.users)} concurrent, opened {pace}"
    first, last = visits[0].connect_ns, visits[-1].connect_ns
    yield f"the first connection opens at {format_duration(first)}, the last at {format_duration(last)}"
    if never := schedule.never_due:
        yield (
            f"{format_count(never)} connections never open, because the run ends first; they count as not"
            " ready"
        )
    if len(visits) > schedule.users:
        yield f"users connect {format_count(len(visits))} times in total, because some leave and come back"
    if load.stages:
        marks = (i * schedule.end_ns // MARKS for i in range(1, MARKS + 1))
        told = ", ".join(f"{_open_at(visits, at - 1)} at {format_duration(at)}" for at in marks)
        yield f"planned concurrent connections: {told}"
    yield from _settings(LOAD_TABLE, scenario)


def _open_at(visits: list[Visit], at_ns: int) -> int:
    return sum(visit.connect_ns <= at_ns < (visit.leave_ns or at_ns + 1) for visit in visits)


def _ready(scenario: Scenario) -> Iterator[str]:
    steps = scenario.protocol.connect.ready
    if not steps:
        yield "a connection is ready as soon as it is upgraded"
    for step in steps:
        yield _told_step(step)
    for beat in scenario.protocol.connect.answered:
        yield f"at any time: {_told_auto_reply(beat)}"
    for timed in scenario.protocol.connect.timed:
        yield f"from ready on: {_told_timed(timed)}"
    if (leave := scenario.protocol.connect.leave) is not None:
        wait = "" if leave.wait is None else f", wait for {match_words(leave.wait)}"
        yield f"before the close: send {visible(shown_template(leave.send))}{wait}"


def _told_step(step: ReadyStep) -> str:
    if step.wait is not None:
        within = format_duration(step.within_ns)
        return f"wait for {match_words(step.wait)} (within {within}){_told_keep(step_keeps(step))}"
    if step.pause_ns is not None:
        return f"pause {format_duration(step.pause_ns)}"
    return f"send {visible(shown_template(step.send or ''))}"


def _told_auto_reply(reply: AutoReply) -> str:
    sent = visible(shown_template(reply.send))
    return f"answer {match_words(reply.on)} with {sent}{_told_keep(auto_reply_keeps(reply))}"


def _told_timed(beat: TimedBeat) -> str:
    sends = f"send {visible(shown_template(beat.send))} every {beat.every}"
    if beat.answer is None:
        return f"{sends}; loadtest expects no answer"
    within = f"within {format_duration(beat.within_ns)}, or the interval if that is shorter"
    return f"{sends}; loadtest gives up the connection without {match_words(beat.answer)} {within}"


def _told_keep(keep: Mapping[str, str]) -> str:
    return f", and keep {', '.join(keep)}" if keep else ""


def _turns(scenario: Scenario, schedule: Schedule) -> Iterator[str]:
    traffic = scenario.traffic
    if traffic is None or traffic.turns == 0:
        yield "none: connections stay open, and nothing is sent"
        yield from _settings(TRAFFIC_TABLE, scenario)
        return
    if scenario.load.model == "closed":
        yield from _closed(traffic)
    else:
        yield from _open(schedule, traffic)
    for conversation in scenario.conversations:
        share = conversation.weight / sum(each.weight for each in scenario.conversations)
        yield f"conversation {conversation.name} ({format_ratio(share)}): {_told_steps(conversation.steps)}"
    if scenario.conversations:
        yield "a turn that is not complete ends its conversation; the seed decides branches and think times"
    if traffic.mix:
        total = sum(traffic.mix.values())
        shares = (f"{name} {format_ratio(weight / total)}" for name, weight in traffic.mix.items())
        yield f"kinds of turn, chosen by the seed: {', '.join(shares)}"
    if traffic.turns is not None:
        yield f"at most {format_count(traffic.turns)} per connection; the run ends when all are done"
    yield from _settings(TRAFFIC_TABLE, scenario)


def _told_steps(steps: Iterable[ConversationStep]) -> str:
    """Steps in words: "ask, think 2 s, 3 times (ask, cancel)"."""
    return ", ".join(map(_told_conversation_step, steps)) or "nothing"


def _told_conversation_step(step: ConversationStep) -> str:
    if step.turn:
        return step.turn
    if step.think is not None:
        return f"think {_told_think(step.think)}"
    if step.branches:
        weights = sum(branch.weight for branch in step.branches)
        return "either " + " or ".join(
            f"({_told_steps(branch.steps)}; {format_ratio(branch.weight / weights)})"
            for branch in step.branches
        )
    return f"{step.repeat} times ({_told_steps(step.steps)})"


def _told_think(think: Think) -> str:
    low, high = format_duration(think.low_ns), format_duration(think.high_ns)
    if think.way == "constant":
        return low
    if think.way == "uniform":
        return f"{low} to {high}"
    return f"about {low} (log-normal, sigma {think.sigma:g}, {high} at most)"


def _closed(traffic: Traffic) -> Iterator[str]:
    size = f"{traffic.burst} turns at once" if traffic.burst > 1 else "one turn at a time"
    pause = f"; then it thinks {format_duration(traffic.every_ns)}" if traffic.every_ns else ""
    yield (
        f"closed model: each connection sends {size} and waits for the replies{pause}; the target decides the"
        " number of turns"
    )


def _open(schedule: Schedule, traffic: Traffic) -> Iterator[str]:
    visits = schedule.visits()
    burst = f"bursts of {traffic.burst}" if traffic.burst > 1 else "single turns"
    often = f"every {format_duration(traffic.every_ns)} on each connection, " if traffic.every_ns else ""
    yield f"open model: {burst}, {often}{_WAYS[traffic.arrivals, traffic.phase]}"
    yield (
        f"{format_rate(schedule.turns_per_s or 0)} of turns once all {format_count(schedule.users)} users are"
        " connected"
    )
    due = schedule.due(visits)
    yield (
        f"{format_count(due)} turns fall due in the run"
        if due is not None
        else "too many turns to count in advance"
    )
    yield from _first_arrivals(schedule, visits)


def _first_arrivals(schedule: Schedule, visits: list[Visit]) -> Iterator[str]:
    """The first turns of the run; only the first users are looked at."""
    burst = schedule.traffic.burst if schedule.traffic else 1
    arrivals = (islice(schedule.arrivals(visit), 0, 3 * burst, burst) for visit in visits[:100])
    firsts = sorted((each.offset_ns, each.seq % schedule.stride) for some in arrivals for each in some)
    if firsts:
        told = (f"user {user} at {format_duration(offset_ns)}" for offset_ns, user in firsts[:5])
        what = "bursts" if burst > 1 else "turns"
        yield f"the first {what}: {', '.join(told)} (turns due before their user connects are left out)"


_WAYS = {
    ("constant", "spread"): "at equal intervals, connections spread over the interval",
    ("constant", "together"): "at equal intervals, all connections together",
    ("poisson", "spread"): "at random (Poisson)",
}


def _message(scenario: Scenario, user: int, sent_size: SentSize) -> Iterator[str]:
    traffic = scenario.traffic
    if traffic is None or traffic.turns == 0:
        return
    for name, kind in scenario.kinds.items():
        yield f"{name}:"
        yield from _messages_of(scenario, traffic, kind.turn, user, sent_size)
    if not scenario.kinds:
        turn = scenario.protocol.turn
        yield from _messages_of(
            scenario,
            traffic,
            replace(turn, message=traffic.message, messages=(), send=None) if traffic.message else turn,
            user,
            sent_size,
        )
    if traffic.data:
        yield f"{format_count(len(traffic.data))} rows of data, used one after the other"


def _messages_of(
    scenario: Scenario, traffic: Traffic, turn: TurnShape, user: int, sent_size: SentSize
) -> Iterator[str]:
    """What one kind of turn sends, of a user who has the first identity."""
    steps = turn.messages
    texts = [Template.parse(each) for each in turn.texts]
    values = _example_values(scenario, traffic, user)
    seed = scenario.load.seed
    drawn = {
        name: generated(name, seed, "", "turn", 0)
        for each in texts
        for name in each.names
        if is_generated(name)
    }
    examples = [each.render({**dict.fromkeys(each.names, "..."), **drawn, **values}) for each in texts]
    values |= dict.fromkeys(_secret_names(scenario, traffic), "...")
    shown = [
        _on_the_wire(
            scenario.protocol,
            turn,
            Template.parse(shown_template(each.text)).render(
                {**dict.fromkeys(each.names, "..."), **drawn, **values}
            ),
        )
        for each in texts
    ]
    yield from _steps_of(steps, shown) if steps else shown
    streamed = [step.chunks for step in steps if step.chunks is not None]
    if streamed:
        yield f"the message of user {user}, with example ids; {_told_streams(streamed)}"
        return
    if turn.send is None:
        size = sent_size(scenario.protocol, examples)
    else:
        written = format_bytes(sum(len(each.encode()) for each in examples))
        size = f"{written} in an HTTP request, not over the WebSocket"
    yield f"{size}: the message of user {user}, with example ids"
    if steps:
        yield (
            "a turn counts as sent with its last message; turn.upload is the time from the first message to"
            " the last"
        )
    if any(each.embedded for each in texts):
        yield "the message is not JSON, but contains JSON: loadtest JSON-escapes the values inside its quotes"


def _on_the_wire(protocol: Protocol, turn: TurnShape, text: str) -> str:
    """A message as [framing] has it sent, with escapes for what nobody would see."""
    if protocol.framing is not None and turn.send is None:
        text = f"{protocol.framing.prefix}{text}{protocol.framing.split}"
    return visible(text)


def _told_streams(streamed: Sequence[Chunks]) -> str:
    """What files of a turn mean for its times."""
    size = format_bytes(sum(len(each.data) for each in streamed))
    clock = "response times begin when the last chunk is due, service times when the last message is sent"
    return f"{size} of files; {clock}; late chunks are measured as chunk.lateness"


def _steps_of(steps: Iterable[MessageStep], examples: Iterable[str]) -> Iterator[str]:
    """The steps of a turn of several messages, with the messages as they would be sent."""
    messages = iter(examples)
    for step in steps:
        if step.wait is not None:
            within = "" if step.within_ns is None else f" (within {format_duration(step.within_ns)})"
            yield f"wait for {match_words(step.wait)}{within}"
        elif step.pause_ns is not None:
            yield f"pause {format_duration(step.pause_ns)}"
        elif step.chunks is not None:
            carried = f", each in {next(messages)}" if step.chunks.message else ", each in a binary frame"
            yield f"{step.chunks.summary}{carried}"
        elif step.interrupt is not None:
            after = format_duration(step.interrupt.after_ns)
            yield f"interrupt {after} after the first audio of the answer: {next(messages)}"
        else:
            yield next(messages)


def _secret_names(scenario: Scenario, traffic: Traffic) -> list[str]:
    """The placeholders of columns whose values are not shown."""
    of_data = [f"data.{column}" for column in data_secret_columns(traffic.data)]
    return [*of_data, *(f"user.{column}" for column in secret_columns(scenario.target))]


def _example_values(scenario: Scenario, traffic: Traffic, user: int = 0) -> dict[str, str]:
    run = "RUN"
    uuid = "00000000-0000-4000-8000-000000000000"
    users = user_values(user, run, scenario.target.identities, user)
    values = {**users, **data_values(0, traffic.data), "run.id": run, "uuid": uuid, "turn.number": "0"}
    values |= now_values(0, NOW)
    turn_id = Template.parse(scenario.protocol.turn.id).render(values)
    return {**values, "turn.id": turn_id, TRACE_PARENT: trace_parent(run, turn_id)}


def _answer(scenario: Scenario) -> Iterator[str]:
    if scenario.traffic is None or scenario.traffic.turns == 0:
        return
    events = scenario.protocol.events
    if events.match == "id":
        yield f"an event belongs to the turn whose id is at {' or '.join(events.turn)}"
        for adopt in events.adopt:
            yield f"the target's own id of a turn is `{adopt.id}` of {match_words(adopt.on)}"
    else:
        yield "an event belongs to the oldest turn in flight: one lost answer shifts all later answers"
        if not events.ordered:
            yield (
                "times are not measured while several turns are in flight on a connection, unless `ordered`"
                " is true"
            )
    for name, kind in scenario.kinds.items():
        yield from (f"{name}: {line}" for line in _meaning(kind.events))
    if not scenario.kinds:
        yield from _meaning(events)
    if events.sent_at is not None:
        at = events.sent_at
        yield (
            f"the age of an event is the time from its `{at.path}` ({at.unit}) to its arrival, by two clocks"
        )
    for beat in events.answer:
        yield f"requests of the target: {_told_auto_reply(beat)}"
    if scenario.turns_end:
        yield f"a turn times out after {format_duration(scenario.traffic.timeout_ns)}"


def _meaning(events: Events) -> Iterator[str]:
    """What the events of a turn mean for it."""
    ends = [f"with {_or(events.end)}"] if events.end else []
    ends += (
        [f"when all of {' and '.join(map(match_words, events.end_all))} have come"] if events.end_all else []
    )
    ends += [_told_count(events.count)] if events.count else []
    yield (
        f"a turn is complete {' or '.join(ends)}"
        if ends
        else (
            "a turn never ends by itself (a subscription), so it counts as abandoned;"
            " to end turns, add `end` or `count`"
        )
    )
    if events.fail:
        yield f"a turn fails with {_or(events.fail)}"
    if events.required:
        yield f"a complete turn must have received {' and '.join(map(match_words, events.required))}"
    if events.first:
        yield f"the first content of a turn is {_or(events.first)}"
    if events.audio:
        yield f"the audio of a turn is {_or(events.audio)}"
    for match in (*events.matches, *events.ignore):
        for name, path in kept_by(match).items():
            yield f"`{path}` of {match_words(match)} is kept as {{kept.{name}}}"


def _sequence(scenario: Scenario, sent_size: SentSize) -> Iterator[str]:
    """One connection and one turn, drawn."""
    example, protocol = next(_message(scenario, 0, sent_size), ""), scenario.protocol
    if scenario.traffic is not None and scenario.traffic.message:
        protocol = replace(protocol, turn=replace(protocol.turn, messages=()))
    if example:
        target = scenario.target
        of_url = "" if target.url == SIMULATOR else urlsplit(target.url).path
        path = target.path or ("" if of_url == "/" else of_url)
        yield from turn_sequence(protocol, example, path, scenario.prepare)
    audience = scenario.protocol.events.audience
    if audience:
        yield f"users with the same `{audience}` get copies of each other's events"


def _told_count(count: int | CountAt) -> str:
    """When a turn ends by the number of its events."""
    if isinstance(count, CountAt):
        of = "its events" if count.of is None else f"those with {match_words(count.of)}"
        return f"when {of} have reached the number at `{count.path}`"
    return f"after {count} event{'s' if count > 1 else ''}"


def _or(matches: Iterable[Match]) -> str:
    return " or ".join(map(match_words, matches))


def _judged(scenario: Scenario) -> Iterator[str]:
    names = [each.name for each in scenario.populations]
    for threshold in scenario.judged:
        stage = "" if threshold.stage is None else f" (in stage {threshold.stage + 1})"
        default = " (default)" if threshold.default else ""
        if threshold.default and split_population(threshold.name, names)[0] in DELIVERY_RATIOS:
            default = " (default, if the run counts any)"
        yield f"{_told(threshold)}{stage}{default}"
    for name in scenario.turned_off:
        yield f"{name}: turned off"
    for rule in scenario.abort.rules:
        yield f"from {format_duration(scenario.abort.after_ns)} on, the run ends early if {_told(rule)}"


def _whole_run(scenario: Scenario) -> Iterator[str]:
    """The keys of what no section above is of."""
    told = ("target", "load", "traffic", "chaos", "abort")
    return explained_settings(
        SCENARIO_TABLE, public_settings(scenario), written_secrets(scenario.target), left_out=told
    )


def _told(threshold: Threshold) -> str:
    return f"{threshold.name} {threshold.expression}"


def _unknown(scenario: Scenario) -> Iterator[str]:
    if scenario.traffic is None:
        return
    for name, reason in unmeasured_counters(scenario.protocol).items():
        yield f"events.{name}: {reason}"
