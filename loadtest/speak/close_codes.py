"""What close codes mean (RFC 6455 section 7.4): whose doing they are, and which stand in no frame.

Every code by which a target ends a connection that was ready counts as ``connections.closed.CODE``; none is
expected. A code that is to be accepted is to be named here, and left out where ``drive.connection`` counts.
"""

from __future__ import annotations

from typing import Final

NORMAL: Final = 1000

GOING_AWAY: Final = 1001
"""The code of a browser that navigates away, and of a server that is shut down."""

NO_CODE: Final = 1005
"""Stands for a close frame that has no code."""

NO_CLOSE_FRAME: Final = 1006
"""The connection ended without a close frame."""

IN_NO_FRAME: Final = frozenset({NO_CODE, NO_CLOSE_FRAME, 1015})
"""Codes that may not stand in a frame; 1015 is a failed TLS handshake."""

WITHOUT_ERROR: Final = frozenset({NORMAL, GOING_AWAY, NO_CODE})
"""Codes that name no error. Going away is here and below: no error, and the server's own doing."""

CREDENTIAL_REFUSED: Final = frozenset({1008, 4001, 4002, 4003, 4401, 4403})
"""Codes by which servers refuse a credential after the upgrade (4000 and above by custom)."""

SERVER_AT_FAULT: Final = frozenset({GOING_AWAY, 1011, 1012, 1013, 1014})
"""Codes by which a server says that it, not the client's credential, is why the connection ends, whatever
error it sent before: going away, internal error, restart, try again later, bad gateway."""
