"""What stands in for ``loadtest.show.plot.pictures`` where nobody looks at pictures."""

from __future__ import annotations

from loadtest.show.document import Plot

NAMES = ("timeline", "spectrum", "connections", "ledger")


class Pictures:
    """The plots of one run, all of them empty."""

    def __init__(self, _run: object) -> None: ...

    def svg(self, name: str, _width_in: float = 0) -> str:
        return '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"></svg>'

    def plot(self, name: str) -> Plot:
        return Plot(name, lambda width_in: self.svg(name, width_in), lambda _width_in: b"")

    def summary_svg(self) -> str:
        return self.svg("timeline")

    def summary_png(self) -> bytes:
        return b""

    def about(self, name: str) -> str:
        return name
