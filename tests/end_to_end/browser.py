"""A headless Chromium, driven over its debugging port: what a page shows, asks for, and complains of."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.end_to_end.running import wait_until

CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)

WORDS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
)


class Tab:
    """One tab. ``requests`` are the addresses that it asked for, ``complaints`` what its console said.

    ``listener`` is told every event, by its method and parameters.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.listener: Callable[[str, dict[str, Any]], None] | None = None
        self._connection = connection
        self._numbers = itertools.count(1)
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command; events that come before it are noted."""
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message: dict[str, Any] = json.loads(self._connection.recv(timeout=120))
            if message.get("id") == number:
                assert "error" not in message, message
                found: dict[str, Any] = message["result"]
                return found
            self._note(message)

    def _note(self, event: dict[str, Any]) -> None:
        method, parameters = event.get("method", ""), event.get("params", {})
        if self.listener is not None:
            self.listener(method, parameters)
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Runtime.exceptionThrown" or (
            method == "Log.entryAdded" and parameters["entry"]["level"] == "error"
        ):
            self.complaints.append(json.dumps(parameters)[:500])

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript is in the page; what it promises, once that is there."""
        asked = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        return self.call("Runtime.evaluate", **asked)["result"].get("value")

    def until(self, expression: str, within_s: float = 60.0) -> None:
        """Wait until an expression is true in the page."""
        wait_until(lambda: bool(self.value(expression)), within_s, every_s=0.05)

    def shape(self, width: int, scheme: str) -> None:
        """Give the page a width, and the colours of a light or dark screen."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=media)
        self.value("new Promise((done) => setTimeout(done, 400))")

    def look(self, width: int, scheme: str, into: Path) -> None:
        """A picture of the whole page at a width, light or dark."""
        self.shape(width, scheme)
        taken = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        into.write_bytes(base64.b64decode(taken["data"]))


@contextmanager
def tab(folder: Path, address: str) -> Iterator[Tab]:
    """A tab of a browser of its own, which is ended afterwards."""
    assert CHROMIUM is not None
    profile = folder / "profile"
    with subprocess.Popen(
        [CHROMIUM, *WORDS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            port = profile / "DevToolsActivePort"
            wait_until(lambda: port.exists() and "\n" in port.read_text(), 60.0)
            at = f"http://127.0.0.1:{port.read_text().splitlines()[0]}/json/new"
            asked = urllib.request.Request(at, method="PUT")
            with urllib.request.urlopen(asked, timeout=30) as answer:
                found = json.load(answer)["webSocketDebuggerUrl"]
            # A busy browser answers late: ``call`` says how long is too long, no ping does.
            with connect(found, max_size=None, compression=None, ping_interval=None) as connection:
                opened = Tab(connection)
                opened.call("Page.navigate", url=address)
                yield opened
        finally:
            process.terminate()
            process.wait(60)
