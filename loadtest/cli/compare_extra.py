"""The extra ``compare``: two libraries that only comparisons need, and that a worker goes without."""

from __future__ import annotations

from importlib.util import find_spec

from loadtest.errors import ConfigError, Problem, install_line

LIBRARIES = ("scipy", "ruptures")
"""What the extra installs; ``judge`` imports them where it computes."""


def need_compare(command: str) -> None:
    """Return if the extra ``compare`` is installed.

    Raises:
        ConfigError: it is not; the sentence says what to install.
    """
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        run = install_line(" ".join(missing), "compare")
        sentence = f"this command needs {' and '.join(missing)}, not installed here; run: {run}"
        raise ConfigError([Problem(f"loadtest {command}", sentence)])
