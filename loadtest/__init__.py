"""loadtest: WebSocket load tests whose numbers can be believed.

``from loadtest import WebSocketUser, AgentUser, Outcome`` gives Locust users to subclass, and how turns of
theirs end. They are found lazily:
``import loadtest`` loads no Locust and patches nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing itself takes 10 ms, in which Ctrl-C would print a traceback
if TYPE_CHECKING:
    from typing import Any

    from loadtest.drive.locust_user import AgentUser, WebSocketUser
    from loadtest.speak.turn import Outcome

__version__ = "0.1.0"

__all__ = ["AgentUser", "Outcome", "WebSocketUser", "__version__"]


def __getattr__(name: str) -> Any:
    if name in {"AgentUser", "WebSocketUser"}:
        # The run room attaches itself to Locust's events: a plain `locust -f` run is kept and judged too.
        from loadtest.run import under_locust

        return getattr(under_locust, name)
    if name == "Outcome":
        from loadtest.speak.turn import Outcome

        return Outcome
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
