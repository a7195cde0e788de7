"""The way of one event that docs/architecture.md lists is the one that events go."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from textwrap import dedent

from tests.end_to_end.conftest import Launch
from tests.end_to_end.running import quick

PAGE = Path(__file__).resolve().parents[2] / "docs" / "architecture.md"

TRACED = """
    import json, sys
    from pathlib import Path
    import loadtest
    import loadtest.run.run_scenario
    from loadtest.drive.connection import Connection
    from loadtest.measure.recorder import Recorder

    root = Path(loadtest.__file__).parent.parent
    passed = {}
    SENDS = str(root / "loadtest/drive/traffic.py")

    def is_sending(frame):
        # A connection that becomes ready late sends what was due meanwhile: that is the way of no event.
        while frame is not None and frame.f_code.co_filename != SENDS:
            frame = frame.f_back
        return frame is not None

    def traced(of, name):
        real, seen = getattr(of, name), passed.setdefault(name, {})

        def note(frame, event, _):
            path = Path(frame.f_code.co_filename)
            if event == "call" and path.is_relative_to(root / "loadtest") and not is_sending(frame.f_back):
                file = path.relative_to(root).as_posix()
                seen[file] = seen.get(file, 0) + 1

        def calls(*args, **options):
            sys.setprofile(note)
            try:
                return real(*args, **options)
            finally:
                sys.setprofile(None)

        setattr(of, name, calls)

    traced(Connection, "_on_ready")
    traced(Recorder, "take")
    from loadtest.cli import main
    code = main(sys.argv[1:])
    sys.stderr.write("PASSED " + json.dumps(passed) + "\\n")
    sys.exit(code)
"""


def listed(title: str) -> list[str]:
    """The files of the numbered list below a title of the page."""
    _, _, below = PAGE.read_text("utf-8").partition(f"## {title}\n")
    return re.findall(r"^\d+\. `(loadtest/[\w/]+\.py)`", below.partition("\n## ")[0], re.MULTILINE)


def test_an_event_passes_the_files_that_the_page_lists(launch: Launch) -> None:
    command = (sys.executable, "-c", dedent(TRACED))
    ended = launch("run", "agent-burst", *quick(), command=command).end()
    # What the verdict is does not matter: on a busy machine it may be that nothing can be concluded.
    (line,) = (line for line in ended.err.splitlines() if line.startswith("PASSED "))
    passed = json.loads(line.removeprefix("PASSED "))
    received = ended.manifest["counts"]["events"]["received"]
    assert received, ended.screen
    often = {name for name, calls in passed["_on_ready"].items() if calls >= received / 2}
    way = listed("The way of one event")
    assert len(way) <= 8
    assert often
    assert often <= set(way)
    # The poller calls what is traced here.
    assert set(way) <= {way[0]} | set(passed["_on_ready"]) | set(passed["take"])


def test_a_setting_passes_at_most_twelve_files() -> None:
    way = listed("The way of one setting")
    assert 0 < len(way) <= 12
    assert all((PAGE.parents[1] / name).exists() for name in way)
