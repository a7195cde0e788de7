"""What is known of a run while it goes on, kept for a page that shows it."""

from __future__ import annotations

from loadtest.drive.coordinator import Coordinator, LocalCoordinator
from loadtest.run.run_recorder import RunRecorder
from loadtest.show.live_run import LiveRun


def watched(recording: RunRecorder, coordinator: Coordinator) -> LiveRun:
    """A run from now on. Only a process that leads itself knows reasons of refusals so far."""
    reasons = (lambda: coordinator.shard.observed) if isinstance(coordinator, LocalCoordinator) else dict
    live = LiveRun(
        recording.manifest,
        recording.totals,
        recording.thresholds_so_far,
        reasons,
        recording.redactor.data,
    )
    recording.watchers.append(live.add)
    return live
