"""Checks of a scenario that concern more than one of its tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from loadtest.plan.addresses import SIMULATOR
from loadtest.plan.conversation import MAX_TURNS, Conversation, fewest_turns, kinds_in, most_turns
from loadtest.plan.health import OF_SIMULATOR
from loadtest.plan.kept_values import kept_names
from loadtest.plan.mix import MAX_KINDS
from loadtest.plan.placeholder_names import (
    ANYWHERE,
    IN_MESSAGES,
    SECRETS,
    TURN,
    USER,
    asks_for,
    columns,
    unknown_names,
)
from loadtest.plan.population_file import part_table
from loadtest.plan.prepare import MAX_STEPS, PREPARED, prepared_names, wrong_order
from loadtest.plan.protocol import Protocol
from loadtest.plan.protocol_file import KIND_NAME, is_message, templates
from loadtest.plan.scenario import Scenario, Traffic
from loadtest.plan.schedule import Schedule, planned_users, schedules
from loadtest.plan.template import Template
from loadtest.plan.threshold import (
    BY_KIND,
    OF_ALL,
    Threshold,
    kind_in,
    split_kind,
    split_population,
    split_target,
)
from loadtest.plan.toml_lines import KeyPath
from loadtest.plan.toml_reader import TomlTable, nearest, quoted
from loadtest.units import format_count, format_duration, format_rate


def check_scenario(table: TomlTable, scenario: Scenario) -> None:
    """Reports tables that contradict each other; ``table`` is the whole document."""
    if not scenario.populations:
        _check_plan(table, scenario)
    for index, each in enumerate(scenario.populations):
        _check_plan(part_table(table, index), each.scenario)
    _check_sums(table, scenario)
    _check_measured(table, scenario)
    _check_health(table, scenario)
    _check_kinds(table, scenario)


def _check_plan(table: TomlTable, scenario: Scenario) -> None:
    """What a scenario, or one of its populations, says it does."""
    if scenario.protocol.name:
        _check_names(table, scenario)
        if scenario.traffic is not None and scenario.traffic.turns != 0:
            _check_message(table, scenario, scenario.traffic)
    _check_model(table, scenario)
    _check_identities(table, scenario)
    _check_claims(table, scenario)
    _check_prepare(table, scenario)
    _check_limits(table, scenario)
    _check_chaos(table, scenario)
    _check_conversations(table, scenario)


def _check_model(table: TomlTable, scenario: Scenario) -> None:
    """Which keys of [traffic] go with which model; conversations need the closed one."""
    if scenario.traffic is None or (scenario.conversations and scenario.load.model == "open"):
        return
    traffic = table.table("traffic")
    if scenario.load.model == "closed":
        for key in ("rate", "arrivals", "phase"):
            if traffic.has(key):
                traffic.report(
                    key,
                    f'`{key}` works only with model = "open"; in the closed model the replies set the pace',
                )
        return
    if scenario.traffic.every_ns == 0:
        traffic.report("every", "`every` must be more than 0")
    if traffic.has("every") and traffic.has("rate"):
        traffic.report("rate", "`rate` and `every` both set how often turns are sent; remove one of them")
    elif not traffic.has("every") and not traffic.has("rate") and scenario.traffic.turns != 0:
        sentence = 'the open model needs `every` or `rate`; add one, or set model = "closed"'
        traffic.source.report(traffic.path, sentence)
    if scenario.traffic.arrivals == "poisson" and traffic.has("phase"):
        traffic.report("phase", 'remove `phase`: with arrivals = "poisson" turns are sent at random times')


def _check_message(table: TomlTable, scenario: Scenario, traffic: Traffic) -> None:
    """There is a message, and its answers can be matched to it."""
    name = scenario.protocol.name
    if traffic.mix or scenario.conversations:
        _check_mix(table, scenario, traffic)
        return
    texts = (traffic.message,) if traffic.message else scenario.protocol.turn.texts
    if not traffic.message and not scenario.protocol.turn.sends:
        kinds = ", ".join(scenario.protocol.turns)
        which = f"; choose the kinds of turn to send ({kinds}) in `mix` of [traffic]" if kinds else ""
        neither = f"neither [traffic] nor [turn] of the protocol `{name}` has a `message`"
        table.source.report(("traffic",), f"there is nothing to send: {neither}{which}")
    elif _names_turns(scenario.protocol) and not any(asks_for(each, "turn.id") for each in texts):
        place = ("traffic", "message") if traffic.message else ("protocol",)
        table.source.report(
            place,
            f"the message must contain {{turn.id}}: the protocol `{name}` matches answers by this id",
        )
    if traffic.message and scenario.protocol.turn.send is not None:
        sentence = f"remove `message`: the protocol `{name}` sends its turns by HTTP, not over the WebSocket"
        table.source.report(("traffic", "message"), sentence)
    if traffic.message:
        known = [*_user_names(scenario), *columns("data", traffic.data), *IN_MESSAGES, *TURN]
        for sentence in unknown_names(traffic.message, [*known, *kept_names(scenario.protocol)], SECRETS):
            table.source.report(("traffic", "message"), sentence)


def _check_mix(table: TomlTable, scenario: Scenario, traffic: Traffic) -> None:
    """Every kind of turn that is sent is one of the protocol, and has a message that fits its answers."""
    protocol = scenario.protocol
    instead = "`mix`" if traffic.mix else "[[conversation]]"
    if traffic.message:
        sentence = f"`message` and {instead} both set what is sent; remove one of them"
        table.source.report(("traffic", "message"), sentence)
    places: list[tuple[KeyPath, str]] = [(("traffic", "mix", name), name) for name in traffic.mix]
    for index, conversation in enumerate(scenario.conversations):
        at = ("conversation", index, "steps")
        places += [(at, name) for name in dict.fromkeys(kinds_in(conversation.steps))]
    for place, name in places:
        for sentence in _wrong_kind(protocol, name):
            table.source.report(place, sentence)
    if scenario.chaos.slow_readers is not None:
        why = "loadtest does not separate the times of slow readers by kind of turn"
        sentence = f"`slow_readers` cannot be used with {instead}: {why}"
        table.source.report(("chaos", "slow_readers"), sentence)


def _wrong_kind(protocol: Protocol, name: str) -> Iterator[str]:
    """What is wrong with sending turns of a kind."""
    if name not in protocol.turns:
        known = nearest(name, protocol.turns) if protocol.turns else "the protocol has no [turns]"
        yield f"the protocol `{protocol.name}` has no kind of turn `{name}`; {known}"
        return
    turn = protocol.turns[name].turn
    if not turn.sends:
        yield f"the kind of turn `{name}` has no `message`, and [turn] has none either"
    elif _names_turns(protocol) and not any(asks_for(each, "turn.id") for each in turn.texts):
        yield (
            f"the message of the kind of turn `{name}` must contain {{turn.id}}: answers are matched by this"
            " id"
        )


def _check_conversations(table: TomlTable, scenario: Scenario) -> None:
    """Conversations can be told apart, have turns on every way, and set the pace."""
    said = scenario.conversations
    for index, each in enumerate(said):
        for key, sentence in _wrong_conversation(each, [other.name for other in said[:index]]):
            table.source.report(("conversation", index, key), sentence)
    if not said or scenario.traffic is None:
        return
    for n, what in ((len(said), "conversations"), (len(scenario.kinds), "kinds of turn in conversations")):
        if n > MAX_KINDS:
            table.source.report(("conversation",), f"at most {MAX_KINDS} {what} are allowed, not {n}")
    if scenario.load.model != "closed":
        sentence = (
            '[[conversation]] needs model = "closed": each turn of a conversation waits for the previous turn'
        )
        table.source.report(("load", "model"), sentence)
    for key, wrong in (("mix", bool(scenario.traffic.mix)), ("burst", scenario.traffic.burst > 1)):
        if wrong:
            sentence = f"remove `{key}`: [[conversation]] sets what is sent"
            table.source.report(("traffic", key), sentence)


def _wrong_conversation(each: Conversation, before: list[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with one conversation: the key, and a sentence."""
    if each.name and not KIND_NAME.fullmatch(each.name):
        what = "cannot be the name of a conversation: use letters, digits, `_` and `-`, at most 32"
        yield "name", f"{quoted(each.name)} {what}"
    if each.name in before:
        yield "name", f"two conversations have the name {quoted(each.name)}"
    if each.steps and not fewest_turns(each.steps):
        yield "steps", "one path through these steps has no turn; add a turn to every branch"
    if (n := most_turns(each.steps)) > MAX_TURNS:
        yield "steps", f"a conversation may have at most {MAX_TURNS:,} turns, not {n:,}"


def _check_kinds(table: TomlTable, scenario: Scenario) -> None:
    """Every threshold of one kind of turn, or of one population, names one that there is."""
    rules = [(("thresholds",), each) for each in scenario.thresholds]
    rules += [(("abort",), each) for each in scenario.abort.rules]
    for place, rule in rules:
        kind = kind_in(rule.name)
        if kind is not None and (sentence := _wrong_tag(rule.name, kind, scenario)):
            table.source.report(_written_at(place, rule, scenario), f"`{rule.name}`: {sentence}")
    if not scenario.populations:
        return
    for index, stage in enumerate(scenario.load.stages):
        for rule in stage.thresholds:
            sentence = (
                "with [[population]], write the thresholds of stages into `load.stages` of a population"
            )
            table.source.report(
                ("load", "stages", index, "thresholds", rule.name), f"`{rule.name}`: {sentence}"
            )


def _written_at(place: KeyPath, rule: Threshold, scenario: Scenario) -> KeyPath:
    """Where a rule stands: that of a stage in its table, that of a population's stage in the population."""
    if rule.stage is None:
        return (*place, rule.name)
    below = ("load", "stages", rule.stage, "thresholds")
    for index, each in enumerate(scenario.populations):
        plain, population = split_population(rule.name, [each.name])
        if population is not None:
            return ("population", index, *below, plain)
    return (*below, rule.name)


def _wrong_tag(name: str, tag: str, scenario: Scenario) -> str:
    """What is wrong with the population, the kind of turn or the conversation that a name speaks of."""
    parts = {each.name: each.scenario for each in scenario.populations}
    plain, population = split_population(name, parts)
    kind = kind_in(plain)
    if population is not None and kind is None:
        return "this metric exists only for all populations together" if plain in OF_ALL else ""
    of = (parts[population],) if population is not None else scenario.parts
    if "/" in (kind or ""):
        known = nearest(tag.partition("/")[0], parts) if parts else "the scenario has no [[population]]"
        return f"no population has the name `{tag.partition('/')[0]}`; {known}"
    whole = split_kind(plain)[0]
    if not any(whole == each or whole.startswith(f"{each}.") for each in BY_KIND):
        known = (
            nearest(tag, parts)
            if parts
            else "the scenario has no [[population]], and this metric is not measured by kind of turn"
        )
        return f"no population has the name `{tag}`; {known}"
    if plain.startswith("prepare"):
        names = [*(one.name for one in scenario.prepare), *_tags(parts, population)]
        known = nearest(str(kind), names) if names else "the scenario has no [[prepare]]"
        return "" if kind in names else f"no step of [[prepare]] has the name `{kind}`; {known}"
    if plain.startswith("conversation"):
        names = [*(one.name for each in of for one in each.conversations), *_tags(parts, population)]
        known = nearest(str(kind), names) if names else "the scenario has no [[conversation]]"
        return "" if kind in names else f"no conversation has the name `{kind}`; {known}"
    names = [*(one for each in of for one in each.kinds), *_tags(parts, population)]
    known = nearest(str(kind), names) if names else "[traffic] has no `mix`"
    return "" if kind in names else f"the scenario sends no turn of the kind `{kind}`; {known}"


def _tags(parts: Mapping[str, Scenario], population: str | None) -> list[str]:
    """The populations that a name without one may mean."""
    return list(parts) if population is None else []


def _names_turns(protocol: Protocol) -> bool:
    """Whether answers are matched by the id that the message carries."""
    return protocol.events.match == "id" and not protocol.events.adopt


def _check_names(table: TomlTable, scenario: Scenario) -> None:
    """The columns that the protocol's own templates use exist."""
    users = _user_names(scenario)
    rows = scenario.traffic.data if scenario.traffic is not None else ()
    sends = scenario.traffic is not None and scenario.traffic.message is None and scenario.traffic.turns != 0
    for path, text, known in templates(scenario.protocol):
        if is_message(path) and not (sends and _is_sent(path, scenario)):
            continue
        for sentence in unknown_names(text, [*users, *columns("data", rows), *known], SECRETS):
            place = f"`{'.'.join(str(each) for each in path)}` of the protocol"
            table.source.report(("protocol",), f"{place}: {sentence}")


def _is_sent(path: tuple[str | int, ...], scenario: Scenario) -> bool:
    """Whether the message at a place of the protocol is one of those that the scenario sends."""
    kinds = scenario.kinds
    if path[0] == "turns":
        return path[1] in kinds
    return not kinds or any(kind.turn == scenario.protocol.turn for kind in kinds.values())


def _user_names(scenario: Scenario) -> list[str]:
    return [*USER, *scenario.target.user_columns, *prepared_names(scenario.prepare)]


def _check_identities(table: TomlTable, scenario: Scenario) -> None:
    rows, users = len(scenario.target.identities), Schedule(scenario.load, None).users
    if 0 < rows < users:
        sentence = (
            f"{users} connections need {users} identities, one per virtual user, but there are only {rows}"
        )
        sentence += "; a value that all users share belongs in the protocol, or in {secret.NAME}"
        table.source.report(("target", "identities"), sentence)


def _check_claims(table: TomlTable, scenario: Scenario) -> None:
    """The columns that the claims of a token use exist."""
    auth = scenario.target.auth
    for claim, text in auth.claims.items() if auth is not None else ():
        for sentence in unknown_names(text, [*_user_names(scenario), *ANYWHERE]):
            table.source.report(("target", "auth", "claims", claim), sentence)


def _check_prepare(table: TomlTable, scenario: Scenario) -> None:
    """Steps before the connection can be done in their order, and give every value that is asked for."""
    steps, target = scenario.prepare, scenario.target
    if len(steps) > MAX_STEPS:
        table.source.report(("prepare",), f"[[prepare]] may have at most {MAX_STEPS} steps, not {len(steps)}")
    if steps and target.url == SIMULATOR and any(step.url.startswith("/") for step in steps):
        sentence = (
            "the simulator does not serve HTTP; give the step a whole URL (http://...), or set `url` of"
            " [target] to another server"
        )
        table.source.report(("prepare",), sentence)
    for index, sentence in wrong_order(steps):
        table.source.report(("prepare", index), sentence)
    known = [*_user_names(scenario), *ANYWHERE]
    for index, step in enumerate(steps):
        for sentence in dict.fromkeys(
            each
            for text in (*step.texts, *(step.undo.texts if step.undo else ()))
            for each in unknown_names(text, known, (*SECRETS, PREPARED))
        ):
            table.source.report(("prepare", index), sentence)
        for name in sorted(_prepared_in(step.undo.texts if step.undo else ())):
            if name not in prepared_names(steps[: index + 1]):
                table.source.report(
                    ("prepare", index, "undo"),
                    f"neither this step nor an earlier step has {{{name}}} in its `keep`",
                )
    asked = [("path", target.path or "")]
    asked += [
        (key, text) for key in ("headers", "cookies", "query") for text in getattr(target, key).values()
    ]
    for key, text in asked:
        for sentence in unknown_names(text, known, SECRETS):
            if key == "path" or f"{{{PREPARED}." in sentence:
                table.source.report(("target", key), sentence)


def _prepared_in(texts: Iterable[str]) -> set[str]:
    names = {name for text in texts for name in Template.parse(text).names}
    return {name for name in names if name.startswith(f"{PREPARED}.")}


def _check_limits(table: TomlTable, scenario: Scenario) -> None:
    """Nothing exceeds [limits]; the rate is checked where it is known."""
    load, traffic, limits = scenario.load, scenario.traffic, scenario.limits
    schedule = Schedule(load, traffic)
    raise_it = "if this is intended, raise the limit in [limits]"
    if schedule.users > limits.connections:
        key = "stages" if load.stages else "connections"
        most = format_count(limits.connections)
        table.source.report(
            ("load", key),
            f"the scenario plans more connections than the limit of {most}; {raise_it}",
        )
    if schedule.end_ns > limits.duration_ns:
        key = "stages" if load.stages else "duration"
        most = format_duration(limits.duration_ns)
        table.source.report(("load", key), f"the run would last longer than the limit of {most}; {raise_it}")
    if traffic is None or (traffic.rate is None and not traffic.every_ns):
        return
    rate = schedule.turns_per_s
    if rate is not None and rate > limits.rate:
        key = "every" if traffic.rate is None else "rate"
        most = f"a rate of {format_rate(rate)} turns is above the limit of {format_rate(limits.rate)}"
        table.source.report(("traffic", key), f"{most}; {raise_it}")


def _check_sums(table: TomlTable, scenario: Scenario) -> None:
    """Populations that keep the limits alone keep them together."""
    if len(scenario.populations) < 2:
        return
    limits, every = scenario.limits, schedules(scenario)
    rate, users = sum(each.turns_per_s or 0 for each in every), planned_users(scenario)
    raise_it = "if this is intended, raise the limit in [limits]"
    if users > limits.connections:
        most = format_count(limits.connections)
        table.report(
            "population",
            f"the populations together plan more connections than the limit of {most}; {raise_it}",
        )
    if rate > limits.rate:
        most = f"a rate of {format_rate(rate)} turns is above the limit of {format_rate(limits.rate)}"
        table.report("population", f"the populations together send too much: {most}; {raise_it}")


def _check_measured(table: TomlTable, scenario: Scenario) -> None:
    """No threshold speaks of turns where none is sent."""
    sending = {each.name for each in scenario.populations if each.scenario.sends}
    for threshold in scenario.thresholds:
        _, population = split_population(threshold.name, [each.name for each in scenario.populations])
        if scenario.sends if population is None else population in sending:
            continue
        if threshold.name.startswith(("turn.", "turns.")):
            sentence = f"`{threshold.name}` cannot be measured: without [traffic] no turn is sent"
            table.source.report(_written_at(("thresholds",), threshold, scenario), sentence)


def _check_health(table: TomlTable, scenario: Scenario) -> None:
    """The simulator's process is ours only where we start it, and thresholds speak of what is sampled."""
    health = scenario.target.health
    if health is not None and health.pid == OF_SIMULATOR and scenario.target.url != SIMULATOR:
        sentence = '`pid = "simulator"` works only with url = "simulator", but `url` is another target'
        table.source.report(("target", "health", "pid"), sentence)
    sampled = () if health is None else health.names
    rules = [(("thresholds",), each) for each in scenario.thresholds]
    rules += [(("abort",), each) for each in scenario.abort.rules]
    for place, rule in rules:
        split = split_target(rule.name)
        if split is not None and split[0] not in sampled:
            known = (
                f"[target.health] samples {', '.join(sampled)}"
                if sampled
                else "the scenario has no [target.health]"
            )
            at = _written_at(place, rule, scenario)
            table.source.report(at, f"the metric `{split[0]}` of the target is not sampled: {known}")


def _check_chaos(table: TomlTable, scenario: Scenario) -> None:
    """The faults of [chaos] can happen in this run."""
    chaos = scenario.chaos
    end_ns = Schedule(scenario.load, scenario.traffic).end_ns
    if chaos.cut is not None and chaos.cut.at_ns >= end_ns:
        over = format_duration(end_ns)
        table.source.report(
            ("chaos", "cut", "at"), f"the cut would come after the end of the run, which lasts {over}"
        )
    sends = scenario.traffic is not None and scenario.traffic.turns != 0
    for key, share in (("leavers", chaos.leavers), ("malformed", chaos.malformed)):
        if share and not sends:
            table.source.report(
                ("chaos", key),
                f"`{key}` is a share of turns, but the scenario sends no turns",
            )
    if chaos.malformed and any(turn.send is not None for turn in scenario.sent_turns.values()):
        sentence = "remove `malformed`: it breaks messages of the WebSocket, but the turns are sent by HTTP"
        table.source.report(("chaos", "malformed"), sentence)
    elif chaos.malformed and scenario.protocol.name and scenario.protocol.events.match != "id":
        sentence = "the answer to a broken message would be taken for the answer to a turn"
        table.source.report(
            ("chaos", "malformed"),
            f"remove `malformed`: answers are matched by order, so {sentence}",
        )
