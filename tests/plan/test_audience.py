"""Of what audience and of what population each user of a run is."""

from __future__ import annotations

from loadtest.plan.audience import audiences, has_audience, population_names
from tests.plan.conftest import Folder

ROOM = """[protocol.turn]
message = '{"id":"{turn.id}"}'
[protocol.events]
turn = ["id"]
count = 1
audience = "{user.room}"
[target]
url = "ws://host"
identities = [{ room = "a" }, { room = "b" }]
[load]
connections = 2
[traffic]
every = "1s"
"""


def test_audiences_of_a_run_and_of_its_populations(folder: Folder) -> None:
    whole = folder.load(ROOM)
    assert has_audience(whole)
    assert [audiences(whole, "run")(user) for user in (0, 1)] == ["a", "b"]
    assert population_names(whole)(1) == ""
    talkers = "[[population]]\nname = 'talkers'\n[[population]]\nname = 'silent'\nprotocol = 'echo'\n"
    parted = folder.load(ROOM + talkers)
    assert has_audience(parted)
    of = audiences(parted, "run")
    assert [of(user) for user in range(4)] == ["a", "b", "", ""]
    assert [population_names(parted)(user) for user in range(4)] == ["talkers"] * 2 + ["silent"] * 2
    assert not has_audience(folder.load('protocol = "echo"\n[target]\nurl = "ws://host"\n'))
