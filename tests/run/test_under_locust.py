"""What a locustfile must say before a run of it can be made."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from locust import task

from loadtest.drive.locust_user import AgentUser
from loadtest.errors import ConfigError
from loadtest.run.under_locust import _scenario_of


def environment(*classes: type[AgentUser]) -> Any:
    return SimpleNamespace(user_classes=list(classes))


class Ticketed(AgentUser):
    abstract = True

    def before_connect(self) -> dict[str, object]:
        return {"ticket": "t"}


class Idle(Ticketed):
    abstract = True


class Asking(Ticketed):
    abstract = True

    @task
    def ask(self) -> None:
        self.turn()


class Plain(AgentUser):
    abstract = True


def test_a_login_that_would_never_be_called_is_a_mistake() -> None:
    with pytest.raises(ConfigError) as raised:
        _scenario_of(environment(Asking, Idle, Ticketed))
    assert "`before_connect` of Idle, Ticketed would never be called, because the user has no @task" in str(
        raised.value
    )


def test_a_login_with_a_task_and_a_user_without_either_are_none() -> None:
    assert _scenario_of(environment(Asking, Plain)) == "agent-burst"
