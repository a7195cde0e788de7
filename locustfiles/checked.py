"""A conversation whose answers are checked; what a task fails, or raises, fails the run.

Run: locust -f checked.py --headless -H ws://host/echo
"""

from locust import constant, task

from loadtest import WebSocketUser


class Asker(WebSocketUser):
    """Sends a message, waits for its echo, and looks at it."""

    scenario = "echo-steady"
    wait_time = constant(1)

    @task
    def ask(self) -> None:
        """One turn."""
        turn = self.turn()
        if turn.received != 1:
            self.fail(f"{turn.received} answers to one message")
