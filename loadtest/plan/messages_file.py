"""The messages of a turn that has several, from TOML: texts, files, pauses, waits, an interruption."""

from __future__ import annotations

from collections.abc import Mapping

from loadtest.plan.chunks import read_chunks
from loadtest.plan.match_file import read_match
from loadtest.plan.protocol import Interrupt, MessageStep
from loadtest.plan.toml_reader import TomlTable, quoted

MAX_STEPS = 256
"""Maximum entries of `messages`."""

KINDS = ("wait", "pause", "chunks", "interrupt")
"""What an entry may be that is no text."""

KNOWN = ", ".join(f"`{kind}`" for kind in KINDS[:-1]) + f" or `{KINDS[-1]}`"


def read_messages(table: TomlTable) -> tuple[MessageStep, ...]:
    """The steps of a turn of several messages; none where not written, or wrong, which is reported."""
    value, key = table.take("messages"), "messages"
    if value is None:
        return ()
    if table.has("message"):
        table.report(key, "`message` and `messages` both set what is sent; remove one of them")
    if not isinstance(value, list) or not value:
        forms = '["...", { pause = "20ms" }, { wait = MATCH }, "..."]'
        table.report(key, f"`{key}` must be a list such as {forms}, not {quoted(value)}")
        return ()
    if len(value) > MAX_STEPS:
        table.report(key, f"`{key}` may have at most {MAX_STEPS} entries, not {len(value)}")
        return ()
    steps = [_read_message(table, index, each) for index, each in enumerate(value)]
    _check_order(table, steps)
    return () if None in steps else tuple(step for step in steps if step is not None)


def _check_order(table: TomlTable, steps: list[MessageStep | None]) -> None:
    """The first and the last entry send something; an interruption comes after the last."""

    def report(index: int, sentence: str) -> None:
        table.source.report((*table.path, "messages", index), sentence)

    last = len(steps) - 1
    for index, step in enumerate(steps[:-1]):
        if step is not None and step.interrupt is not None:
            report(index, "move `interrupt` to the end of `messages`: it interrupts the answer to them")
    if last and (step := steps[-1]) is not None and step.interrupt is not None:
        last -= 1
    for index, which in ((0, "first"), (last, "last")):
        step = steps[index]
        if step is not None and step.send is None and step.chunks is None:
            report(index, f"the {which} entry of `messages` must send something: a text or `chunks`")


def _read_message(table: TomlTable, index: int, value: object) -> MessageStep | None:
    """One entry of ``messages``; None where it is none, which is reported."""
    at = (*table.path, "messages", index)
    if isinstance(value, str) and value:
        return MessageStep(send=value)
    if not isinstance(value, Mapping):
        wrong = f"must be a text to send or a table with {KNOWN}, not {quoted(value)}"
        table.source.report(at, f"an entry of `messages` {wrong}")
        return None
    inner = TomlTable(value, table.source, at)
    kinds = [key for key in KINDS if inner.has(key)]
    chunks = read_chunks(inner) if inner.has("chunks") else None
    step = MessageStep(
        wait=read_match(inner, "wait"),
        pause_ns=inner.duration("pause", None),
        within_ns=inner.duration("within", None, positive=True),
        chunks=chunks,
        interrupt=_read_interrupt(inner.table("interrupt")) if inner.has("interrupt") else None,
    )
    if len(kinds) != 1:
        table.source.report(at, f"an entry of `messages` must have exactly one of {KNOWN}, not {len(kinds)}")
    if inner.has("within") and not inner.has("wait"):
        inner.report("within", "`within` needs `wait`")
    inner.close({"send": "write a message as a text, without a table"})
    read = (step.wait, step.pause_ns, step.chunks, step.interrupt)
    return step if len(kinds) == 1 and any(each is not None for each in read) else None


def _read_interrupt(table: TomlTable) -> Interrupt | None:
    """When the user interrupts an answer, and by what; None where it is wrong, which is reported."""
    after_ns, send = table.duration("after", None), table.text("send", None)
    for key, example in (("after", 'after = "800ms"'), ("send", "send = TEXT")):
        if not table.has(key):
            table.source.report(table.path, f"`interrupt` needs `{key}`, such as {example}")
    table.close()
    return None if after_ns is None or send is None else Interrupt(after_ns=after_ns, send=send)
