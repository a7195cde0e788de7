"""What goes wrong on purpose in one process; what and for whom was decided by the plan (``plan.chaos``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loadtest.drive.slow_readers import Aside
from loadtest.drive.unruly import SlowConnection, UnrulyConnection
from loadtest.plan.chaos import Broken, broken_message, cut_users

if TYPE_CHECKING:
    from loadtest.drive.shard import Share


class Mischief:
    """The mischief of one share of a run: it makes the connections, and cuts them when it is time.

    ``aside`` records the users who read slowly, ``bytes_per_s`` is how fast they do; ``broken`` are the
    broken messages.
    """

    def __init__(self, share: Share) -> None:
        chaos = share.chaos
        self.share = share
        self.aside = Aside(share.recorder)
        self.bytes_per_s = chaos.slow_readers.bytes_per_s if chaos.slow_readers else 0
        message = share.compiled_protocol.template.text
        self.broken = {kind: broken_message(kind, message) for kind in Broken}
        self._cuts = 0
        if chaos.cut is not None:
            share.poller.agenda.add(share.start_ns + chaos.cut.at_ns, self._cut)

    def new_connection(self, user: int, values: dict[str, Any]) -> UnrulyConnection:
        """A connection of a user, not opened yet."""
        kind = SlowConnection if user in self.share.slow else UnrulyConnection
        return kind(self, user, values)

    def _cut(self, due_ns: int) -> None:
        """Drop the connections whose turn it is; those that are not ready cannot be dropped."""
        share, cut = self.share, self.share.chaos.cut
        if cut is None or share.finishing:
            return
        users = cut_users(share.chaos, share.seed, share.planned_users, self._cuts)
        self._cuts += 1
        for stay in share.stays:
            if stay.user in users and isinstance(stay.connection, UnrulyConnection):
                stay.connection.drop()
        if cut.every_ns is not None:
            share.poller.agenda.add(due_ns + cut.every_ns, self._cut)
