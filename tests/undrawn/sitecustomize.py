"""Processes that tests start draw no plots: they take most of a short run, and few tests look at them.

Python imports this file by itself where its folder stands on ``PYTHONPATH``; see ``tests/conftest.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

PICTURES = "loadtest.show.plot.pictures"
VIEWS = "loadtest.show.report_formats"
INDEX = "loadtest.show.runs_index"


class WithoutPage(SourceFileLoader):
    """Loads the views of a run; the page that is written into its folder has nothing on it."""

    def exec_module(self, module: ModuleType) -> None:
        """As it is, but for the page; ``report --format html`` makes the real one."""
        super().exec_module(module)
        own = vars(module)
        drawn, pictures = own["report_page"], own["_pictures"]
        own["FORMATS"]["html"] = lambda run: drawn(run, pictures(run))
        own["report_page"] = lambda _run, _pictures: "<!doctype html><title>not drawn</title>\n"


class WithoutIndex(SourceFileLoader):
    """Loads the index of runs; none is written after a run, and ``runs html`` writes none either."""

    def exec_module(self, module: ModuleType) -> None:
        """As it is, but for the page."""
        super().exec_module(module)
        vars(module)["write_index"] = lambda results: results


class Undrawn:
    """Finds our own ``pictures`` in the place of the real ones, so that matplotlib is not even imported."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As every finder of modules; None for all others."""
        if name == PICTURES:
            return spec_from_file_location(name, Path(__file__).with_name("pictures.py"))
        loader = {VIEWS: WithoutPage, INDEX: WithoutIndex}.get(name)
        if loader is not None and (found := PathFinder.find_spec(name, path)) is not None:
            found.loader = loader(name, found.origin or "")
            return found
        return None


sys.meta_path.insert(0, Undrawn)
