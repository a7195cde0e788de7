"""Bursts of questions to an AI-agent backend.

Run: locust -f agent_burst.py --headless [-u CONNECTIONS] [-r PER_SECOND] [-t 30s] [-H ws://host/ws]
"""

from loadtest import AgentUser


class Chat(AgentUser):
    """Follows the schedule of the shipped scenario."""

    scenario = "agent-burst"
