"""A conversation: the second question follows from the first answer, and both answers are looked at.

Run: locust -f conversation.py --headless -H ws://host/ws
"""

import json

from locust import constant, task

from loadtest import AgentUser, Outcome


class Asker(AgentUser):
    """Asks, reads the answer, and asks again."""

    scenario = "agent-burst"
    wait_time = constant(1)

    @task
    def converse(self) -> None:
        """Two turns that depend on each other."""
        first = self.turn(question="What did we spend last week, and on what?")
        if first.outcome is not Outcome.COMPLETE:
            return
        kinds = [json.loads(event)["type"] for event in first.events]
        if "partial_result" not in kinds:
            first.fail(f"an answer without content: {kinds}")
        second = self.turn(question=f"You sent {first.received} events. Why?")
        if second.outcome is Outcome.COMPLETE and second.id == first.id:
            second.fail("two turns with one id")
