from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from importlib import metadata

before = metadata.entry_points
from loadtest.drive.locust_import import Environment, Events
import socket

assert metadata.entry_points is before
assert socket.socket.__module__.startswith("gevent"), "the standard library is patched"
assert "flask" not in sys.modules, "no page was asked for"
import locust.env, locust.web
assert locust.web.DEFAULT_CACHE_TIME > 0, "who asks for more gets Locust's own module"
assert isinstance(locust.web.WebUI, type)
environment = Environment(events=Events())
page = environment.create_web_ui("127.0.0.1", 0)
assert type(page) is sys.modules["locust.web"].WebUI
"""


def test_the_web_page_is_imported_when_it_is_asked_for() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
