"""What a worker is told: all of the plan, and of identities those of its own users."""

from __future__ import annotations

import json

from loadtest.plan.scenario_file import scenario_from_settings, worker_settings
from loadtest.plan.worker_settings import identities_of, shared_settings, with_identities
from tests.plan.conftest import Folder

SCENARIO = """[protocol.turn]
message = '{"id":"{turn.id}","room":"{user.room}"}'
[protocol.events]
turn = ["id"]
count = 1
audience = "{user.room}"
[target]
url = "ws://host"
identities = [{ room = "a", password = "s3cr3t-0" }, { room = "b", password = "s3cr3t-1" }]
[traffic]
every = "1s"
"""


def test_a_worker_gets_the_passwords_of_its_own_users_alone(folder: Folder) -> None:
    scenario = folder.load(SCENARIO)
    shared = json.loads(json.dumps(shared_settings(scenario)))
    assert "s3cr3t" not in json.dumps(shared)
    assert [row["room"] for row in shared["target"]["identities"]] == ["a", "b"], "events are for rooms"
    rows = identities_of(scenario, [1, 3, 5])
    assert rows == [(0, 1, {"room": "b", "password": "s3cr3t-1"})], "user 3 has the second identity again"
    given = with_identities(shared, rows)
    assert "s3cr3t-0" not in json.dumps(given)
    assert scenario_from_settings(with_identities(given, identities_of(scenario, [0]))) == scenario


def test_without_identities_all_workers_get_the_same(folder: Folder) -> None:
    lines = [line for line in SCENARIO.splitlines() if not line.startswith(("identities", "audience"))]
    scenario = folder.load("\n".join(lines).replace(',"room":"{user.room}"', ""))
    assert identities_of(scenario, range(5)) == []
    shared = shared_settings(scenario)
    assert shared == worker_settings(scenario)
    assert with_identities(shared, []) == shared
