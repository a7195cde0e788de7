"""What of a policy is kept: secrets are known by the program's one list of names; right answers are none."""

from __future__ import annotations

from loadtest.readiness.secrets import redactor_of, without_secrets


def test_a_key_that_names_a_secret_anywhere_else_names_one_in_a_policy() -> None:
    policy = {"alerts": {"routes": {"chat": {"api_key": "zq81kx0", "passwd": "kx0zq81"}}}}
    shown = str(without_secrets(policy))
    assert "zq81kx0" not in shown
    assert "kx0zq81" not in shown


def test_what_an_answer_must_hold_is_shown() -> None:
    policy = {
        "components": {
            "api": {"fields": {"vault.credentials": ["healthy"]}, "headers": {"X-Request-ID": "night"}}
        }
    }
    assert redactor_of(policy, (), {}).text("api healthy, asked by night") == "api healthy, asked by night"


def test_a_variable_that_no_policy_names_is_taken_out_by_its_name() -> None:
    environ = {
        "UNNAMED_PASSWORD": "hush-hush-1",
        "GITHUB_TOKEN": "ghp_0123456789",
        "DATABASE_URL": "postgres://app:s3cr3tpw@db/x",
        "PWD": "/home/me/project",
        "SSH_KEY": "/home/me/.ssh/id",
        "MONKEY_ISLAND": "guybrush",
        "KEY": "short",
    }
    redactor = redactor_of({}, (), environ)
    text = "hush-hush-1 ghp_0123456789 s3cr3tpw /home/me/project /home/me/.ssh/id guybrush short"
    shown = "[redacted] [redacted] [redacted] /home/me/project /home/me/.ssh/id guybrush short"
    assert redactor.text(text) == shown
