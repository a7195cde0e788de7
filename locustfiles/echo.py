"""A steady stream of messages to an echo server.

Run: locust -f echo.py --headless -H ws://host/echo
"""

from loadtest import WebSocketUser


class Echo(WebSocketUser):
    """Follows the schedule of the shipped scenario."""

    scenario = "echo-steady"
