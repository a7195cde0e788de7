"""Locust without its patches, for tests that import it in their own process; import this before it.

Locust patches the standard library when it is imported, and would slow or break whoever shares this process,
such as pytest's workers. Our connections need none of it: their sockets lie under gevent's feet.
"""

from __future__ import annotations

import importlib

import pytest

UNPATCHED = "LOCUST_SKIP_MONKEY_PATCH"

with pytest.MonkeyPatch.context() as _environment:
    # Only for this import: a process that a test starts must not inherit it.
    _environment.setenv(UNPATCHED, "1")
    importlib.import_module("locust")
