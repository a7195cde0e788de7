"""Checks of a scenario that concern more than one of its tables."""

from __future__ import annotations

from loadtest.plan.kept_values import kept_names
from loadtest.plan.names import ANYWHERE, IN_MESSAGES, SECRETS, TURN, USER, asks_for, columns, unknown_names
from loadtest.plan.protocol import Protocol
from loadtest.plan.protocol_file import templates
from loadtest.plan.scenario import Scenario, Traffic
from loadtest.plan.schedule import Schedule
from loadtest.plan.toml_reader import Table
from loadtest.units import format_count, format_duration, format_rate


def check_plan(table: Table, scenario: Scenario) -> None:
    """Reports tables that contradict each other; ``table`` is the whole document."""
    if scenario.protocol.name:
        _check_names(table, scenario)
        if scenario.traffic is not None and scenario.traffic.turns != 0:
            _check_message(table, scenario, scenario.traffic)
    _check_model(table, scenario)
    _check_identities(table, scenario)
    _check_claims(table, scenario)
    _check_limits(table, scenario)
    _check_measured(table, scenario)
    _check_chaos(table, scenario)


def _check_model(table: Table, scenario: Scenario) -> None:
    """Which keys of [traffic] go with which model."""
    if scenario.traffic is None:
        return
    traffic = table.table("traffic")
    if scenario.load.model == "closed":
        for key in ("rate", "arrivals", "phase"):
            if traffic.has(key):
                traffic.report(key, f"`{key}` belongs to the open model; here replies set the pace")
        return
    if scenario.traffic.every_ns == 0:
        traffic.report("every", "`every` must be more than 0")
    if traffic.has("every") and traffic.has("rate"):
        traffic.report("rate", "`rate` and `every` both say how often; leave one out")
    elif not traffic.has("every") and not traffic.has("rate") and scenario.traffic.turns != 0:
        sentence = 'the open model needs `every` (or `rate`); or set model = "closed"'
        traffic.source.report(traffic.path, sentence)
    if scenario.traffic.arrivals == "poisson" and traffic.has("phase"):
        traffic.report("phase", '`phase` has no meaning with arrivals = "poisson", which come at random')


def _check_message(table: Table, scenario: Scenario, traffic: Traffic) -> None:
    """There is a message, and its answers can be matched to it."""
    message = traffic.message or scenario.protocol.turn.message
    name = scenario.protocol.name
    if not message:
        sentence = f"nothing to send: neither [traffic] nor [turn] of the protocol `{name}` has a `message`"
        table.source.report(("traffic",), sentence)
    elif _names_turns(scenario.protocol) and not asks_for(message, "turn.id"):
        place = ("traffic", "message") if traffic.message else ("protocol",)
        table.source.report(place, f"the message must hold {{turn.id}}: `{name}` matches answers by it")
    if traffic.message:
        known = [*_user_names(scenario), *columns("data", traffic.data), *IN_MESSAGES, *TURN]
        for sentence in unknown_names(traffic.message, [*known, *kept_names(scenario.protocol)], SECRETS):
            table.source.report(("traffic", "message"), sentence)


def _names_turns(protocol: Protocol) -> bool:
    """Whether answers are matched by the id that the message carries."""
    return protocol.events.match == "id" and not protocol.events.adopt


def _check_names(table: Table, scenario: Scenario) -> None:
    """The columns that the protocol's own templates use exist."""
    users = _user_names(scenario)
    rows = scenario.traffic.data if scenario.traffic is not None else ()
    sends = scenario.traffic is not None and scenario.traffic.message is None and scenario.traffic.turns != 0
    for path, text, known in templates(scenario.protocol):
        if path == ("turn", "message") and not sends:
            continue
        for sentence in unknown_names(text, [*users, *columns("data", rows), *known], SECRETS):
            place = f"the protocol's {'.'.join(str(each) for each in path)}"
            table.source.report(("protocol",), f"{place}: {sentence}")


def _user_names(scenario: Scenario) -> list[str]:
    return [*USER, *columns("user", scenario.target.identities)]


def _check_identities(table: Table, scenario: Scenario) -> None:
    rows, users = len(scenario.target.identities), Schedule(scenario.load, None).users
    if 0 < rows < users:
        sentence = f"there are {rows} identities for {users} connections; every virtual user needs its own"
        table.source.report(("target", "identities"), sentence)


def _check_claims(table: Table, scenario: Scenario) -> None:
    """The columns that the claims of a token use exist."""
    auth = scenario.target.auth
    for claim, text in auth.claims.items() if auth is not None else ():
        for sentence in unknown_names(text, [*_user_names(scenario), *ANYWHERE]):
            table.source.report(("target", "auth", "claims", claim), sentence)


def _check_limits(table: Table, scenario: Scenario) -> None:
    """Nothing exceeds [limits]; the rate is checked where it is known."""
    load, traffic, limits = scenario.load, scenario.traffic, scenario.limits
    schedule = Schedule(load, traffic)
    raise_it = "if you mean it, raise it in [limits]"
    if schedule.users > limits.connections:
        key = "stages" if load.stages else "connections"
        most = format_count(limits.connections)
        table.source.report(("load", key), f"more connections than the limit of {most}; {raise_it}")
    if schedule.end_ns > limits.duration_ns:
        key = "stages" if load.stages else "duration"
        most = format_duration(limits.duration_ns)
        table.source.report(("load", key), f"longer than the limit of {most}; {raise_it}")
    if traffic is None or (traffic.rate is None and not traffic.every_ns):
        return
    rate = schedule.turns_per_s
    if rate is not None and rate > limits.rate:
        key = "every" if traffic.rate is None else "rate"
        most = f"{format_rate(rate)} of turns is more than the limit of {format_rate(limits.rate)}"
        table.source.report(("traffic", key), f"{most}; {raise_it}")


def _check_measured(table: Table, scenario: Scenario) -> None:
    """No threshold speaks of turns where none is sent."""
    if scenario.traffic is not None and scenario.traffic.turns != 0:
        return
    for threshold in scenario.thresholds:
        if threshold.name.startswith(("turn.", "turns.")):
            stage = () if threshold.stage is None else ("load", "stages", threshold.stage)
            sentence = f"`{threshold.name}` can never be measured: no turn is sent without [traffic]"
            table.source.report((*stage, "thresholds", threshold.name), sentence)


def _check_chaos(table: Table, scenario: Scenario) -> None:
    """The faults of [chaos] can happen in this run."""
    chaos = scenario.chaos
    end_ns = Schedule(scenario.load, scenario.traffic).end_ns
    if chaos.cut is not None and chaos.cut.at_ns >= end_ns:
        over = format_duration(end_ns)
        table.source.report(
            ("chaos", "cut", "at"), f"the cut would come after the end of the run, which takes {over}"
        )
    sends = scenario.traffic is not None and scenario.traffic.turns != 0
    for key, share in (("leavers", chaos.leavers), ("malformed", chaos.malformed)):
        if share and not sends:
            table.source.report(("chaos", key), f"`{key}` is a share of turns, but none is sent")
    if chaos.malformed and scenario.protocol.name and scenario.protocol.events.match != "id":
        sentence = "answers are matched by order here: one to a broken message would be counted as a turn's"
        table.source.report(("chaos", "malformed"), f"`malformed` cannot be measured, since {sentence}")
