"""loadtest: WebSocket load tests whose numbers can be believed.

``from loadtest import WebSocketUser, AgentUser`` gives Locust users to subclass. They are found lazily:
``import loadtest`` loads no Locust and patches nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing itself takes 10 ms, in which Ctrl-C would print a traceback
if TYPE_CHECKING:
    from typing import Any

    from loadtest.drive.user import AgentUser, WebSocketUser

__version__ = "0.1.0"

__all__ = ["AgentUser", "WebSocketUser", "__version__"]


def __getattr__(name: str) -> Any:
    if name in {"AgentUser", "WebSocketUser"}:
        # The run room attaches itself to Locust's events: a plain `locust -f` run is kept and judged too.
        from loadtest.run import under_locust

        return getattr(under_locust, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
