"""[chaos], and the `reconnect` of [load]: read from a file, and written as plain data."""

from __future__ import annotations

from collections.abc import Mapping

from loadtest.plan.reading import Table, told
from loadtest.plan.scenario import Chaos, Cut, Reconnect, SlowReaders
from loadtest.units import exact_duration, exact_ratio, parse_bytes

MOST_TRIES = 10_000

LARGEST_FACTOR = 100.0

CHAOS_KEYS = ("cut", "slow_readers", "leavers", "malformed")

_SHARE = 'write for example { share = "10%" }'


def read_reconnect(table: Table) -> Reconnect | None:
    """The `reconnect` of [load]: true, or a table; None where it is false or not written."""
    value = table.take("reconnect")
    if not isinstance(value, Mapping):
        if value is not None and not isinstance(value, bool):
            table.report("reconnect", f"`reconnect` must be true or a table, not {told(value)}")
        return Reconnect() if value is True else None
    inner = table.table("reconnect")
    default = Reconnect()
    found = Reconnect(
        first_ns=inner.duration("first", default.first_ns, positive=True),
        factor=_read_factor(inner, default.factor),
        most_ns=inner.duration("most", default.most_ns, positive=True),
        jitter=inner.ratio("jitter", default.jitter),
        tries=inner.integer("tries", default.tries, least=1, most=MOST_TRIES),
    )
    inner.close()
    if found.most_ns < found.first_ns:
        inner.report("most", "`most` is less than `first`, so that no wait would be as long as either says")
    return found


def _read_factor(table: Table, default: float) -> float:
    value = table.take("factor")
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value <= LARGEST_FACTOR:
        table.report("factor", f"`factor` must be a number from 1 to {LARGEST_FACTOR:g}, not {told(value)}")
        return default
    return float(value)


def read_chaos(table: Table) -> Chaos:
    """The chaos; none where nothing is written."""
    chaos = Chaos(
        cut=_read_cut(table.table("cut")) if table.has("cut") else None,
        slow_readers=_read_slow_readers(table.table("slow_readers")) if table.has("slow_readers") else None,
        leavers=_read_share_of_turns(table, "leavers"),
        malformed=_read_share_of_turns(table, "malformed"),
    )
    for key in CHAOS_KEYS:
        table.take(key)
    table.close()
    return chaos


def _read_share(table: Table) -> float:
    share = table.ratio("share", 1.0)
    if not table.has("share"):
        table.source.report(table.path, f"`{table.path[-1]}` needs `share`; {_SHARE}")
    elif not share:
        table.report("share", "`share` must be more than 0; leave the table out for none")
    return share


def _read_share_of_turns(table: Table, key: str) -> float:
    if not table.has(key):
        return 0.0
    inner = table.table(key)
    share = _read_share(inner)
    inner.close()
    return share


def _read_cut(table: Table) -> Cut:
    cut = Cut(
        share=_read_share(table),
        at_ns=table.duration("at", 0),
        every_ns=table.duration("every", None, positive=True),
    )
    table.close()
    if not table.has("at"):
        table.source.report(table.path, '`cut` needs `at`, after the start of the run, such as at = "5s"')
    return cut


def _read_slow_readers(table: Table) -> SlowReaders:
    slow = SlowReaders(share=_read_share(table), bytes_per_s=_read_pace(table))
    table.close()
    if not table.has("rate"):
        table.source.report(table.path, '`slow_readers` needs `rate`, such as rate = "4KiB/s"')
    return slow


def _read_pace(table: Table) -> int:
    """Bytes a second, at least 1."""
    value = table.take("rate")
    if value is None:
        return 1
    size, slash, second = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not slash or second.strip() != "s":
        table.report("rate", f'`rate` must be a size a second, such as "4KiB/s", not {told(value)}')
        return 1
    try:
        pace = parse_bytes(size)
    except ValueError as error:
        table.report("rate", f"`rate`: {error}")
        return 1
    if not pace:
        table.report("rate", "`rate` must be more than 0: a user who reads nothing at all is never done")
    return max(1, pace)


def reconnect_settings(reconnect: Reconnect) -> dict[str, object]:
    """What ``read_reconnect`` reads back."""
    return {
        "first": exact_duration(reconnect.first_ns),
        "factor": reconnect.factor,
        "most": exact_duration(reconnect.most_ns),
        "jitter": exact_ratio(reconnect.jitter),
        "tries": reconnect.tries,
    }


def chaos_settings(chaos: Chaos) -> dict[str, object]:
    """What ``read_chaos`` reads back; nothing of what does not happen."""
    settings: dict[str, object] = {}
    if cut := chaos.cut:
        every = {} if cut.every_ns is None else {"every": exact_duration(cut.every_ns)}
        settings["cut"] = {"share": exact_ratio(cut.share), "at": exact_duration(cut.at_ns), **every}
    if slow := chaos.slow_readers:
        settings["slow_readers"] = {"share": exact_ratio(slow.share), "rate": f"{slow.bytes_per_s}B/s"}
    for name, share in (("leavers", chaos.leavers), ("malformed", chaos.malformed)):
        if share:
            settings[name] = {"share": exact_ratio(share)}
    return settings
