"""``loadtest watch``: assess repeatedly, alert, remedy, and keep the state."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from loadtest.errors import ConfigError
from loadtest.live import alerts, watch_state
from loadtest.live.alerts import Message
from loadtest.live.background import Background
from loadtest.live.monitoring import monitoring
from loadtest.live.notifiers import WITHIN_S, DeliveryError, deliver, heartbeat
from loadtest.live.remedies import RemedyEvent, treat
from loadtest.live.silences import Silence, read_silences, silenced, windows
from loadtest.live.watch_state import WatchState
from loadtest.readiness.assessment import Assessment, Monitoring
from loadtest.readiness.evidence import Evidence
from loadtest.readiness.history import LAST, History
from loadtest.readiness.outages import Outages
from loadtest.readiness.policy import Policy, Remedy
from loadtest.readiness.prober import Prober
from loadtest.readiness.probes.command import run_program
from loadtest.readiness.probes.probe_context import ProbeError
from loadtest.readiness.ready import changed_policy, judged, named_release, shown_command
from loadtest.readiness.secrets import MissingVariableError, filled, redactor_of
from loadtest.readiness.status import component_rows, outer_first

WHOLE_EVERY_S = 600.0
"""A whole assessment is kept when something changed, and this often; its summary always."""

FIRST_S = 30.0
"""So long a watch that begins waits for components that are slow before it judges without them."""

GATHER_S = 1.0
"""Parts that answer within this of each other are assessed together; nobody waits longer for a slow one."""

HEARTBEAT = "heartbeat"

LOOK_S = 0.05
"""How often a running probe is checked for its answer."""


class Probing(Protocol):
    """How components are probed: ``Prober``, or what stands in its place in a test."""

    @property
    def busy(self) -> frozenset[str]:
        """Components whose probe was begun and whose evidence was not taken yet."""

    def begin(self, names: Iterable[str]) -> None:
        """Begin to probe components."""

    def take(self) -> dict[str, Evidence]:
        """The evidence of probes that are done."""


@dataclass(slots=True)
class Watch:
    """One watch of one policy. ``said`` takes sentences for the screen, without secrets."""

    policy: Policy
    results: Path
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    act: bool = False
    first_s: float = FIRST_S
    prober: Probing | None = None
    clock: Callable[[], float] = time.time
    send: Callable[[Policy, Message], None] = deliver
    beat: Callable[[Policy], None] = heartbeat
    said: Callable[[str], None] = lambda _: None
    latest: Assessment | None = None
    history: History = field(init=False)
    state: WatchState = field(init=False)
    kept_at: float = 0.0
    _outages: Outages = field(default_factory=Outages)
    _prober: Probing = field(init=False)
    _begun: dict[str, float] = field(default_factory=dict)
    _answers: dict[str, Evidence] = field(default_factory=dict)
    _held: dict[str, Evidence] = field(default_factory=dict)
    _first: float | None = None
    _awaited: set[str] = field(init=False)
    silences: list[Silence] = field(default_factory=list)
    _beaten: float = float("-inf")
    _background: Background = field(default_factory=Background)
    _trouble: str = ""
    _saved: str = ""
    _unread: str = ""

    def __post_init__(self) -> None:
        self.policy = named_release(self.policy, self.environ)
        self.history = History.of(self.results, self.policy.name, self.policy.keep_s, self.policy.keep_runs_s)
        self.state = watch_state.load(self.history.folder)
        self._prober = self.prober or Prober(self.policy, self.results, self.environ)
        self._begin_anew()

    def _is_due(self, name: str, now: float) -> bool:
        """Also true where it is due later than its interval allows: then the clock was set back."""
        due = self.state.due.get(name, 0.0)
        return name not in self.state.evidence or not now < due <= now + self.policy.component(name).every_s

    def monitoring(self) -> Monitoring:
        """The watch as it is now, for its page."""
        return monitoring(
            self.policy, self.state.alerts, self.silences, self.clock(),
            next_at=min((self.state.due.get(each.name, 0.0) for each in self.policy.components), default=0.0),
        )  # fmt: skip

    def shown(self) -> Assessment | None:
        """The last assessment with the watch as it is now; None before the first."""
        return self.latest and replace(self.latest, monitoring=self.monitoring())

    def reload(self, policy: Policy) -> None:
        """Go on by another policy of the same name. What is known of components that stay is kept.

        Raises:
            ConfigError: it has another name, and so another history.
        """
        policy = named_release(policy, self.environ)
        if policy.name != self.policy.name:
            where = "to watch it with a new history, start the watch again"
            raise ConfigError(f"the policy has the new name {policy.name}; {where}")
        changed = {each.name for each in policy.components if each not in self.policy.components}
        self.policy, self._begun = policy, {}
        self.history.keep_s, self.history.keep_runs_s = policy.keep_s, policy.keep_runs_s
        self._prober = self.prober or Prober(policy, self.results, self.environ)
        self._answers, self._held, self._first = {}, {}, None
        self._begin_anew(changed)
        self.said(f"the policy was read again: {len(policy.components)} components")

    def _begin_anew(self, changed: Container[str] = ()) -> None:
        """Know nothing of components that are not in the policy, or are ``changed``."""
        names, now = {each.name for each in self.policy.components}, self.clock()
        kept = {name for name in names if name not in changed}
        self.state.due = {name: at for name, at in self.state.due.items() if name in kept}
        self.state.evidence = {name: at for name, at in self.state.evidence.items() if name in kept}
        # What is due, or was never probed, is probed before anything is judged again.
        self._awaited = {name for name in names if self._is_due(name, now)}
        known = {f"component {name}" for name in names}
        known |= {f"trigger {each.title}" for each in self.policy.triggers}
        alerts.forget(self.state.alerts, known, now)

    def pause_s(self) -> float:
        """Seconds until something is due: a probe, an answer to take, or a message to send."""
        if self._prober.busy or self._answers or self._held or self._background.busy:
            return LOOK_S
        asked = [self.state.due.get(each.name, 0.0) for each in self.policy.components]
        tried = [each.not_before for each in self.state.alerts.outbox if each.not_before]
        return max(0.0, min([*asked, *tried]) - self.clock())

    def round(self) -> Assessment | None:
        """Do what is due: probe, assess, alert, remedy, keep. None where there is nothing new to assess."""
        now = self.clock()
        self._background.settle()
        self._begin(now)
        answers = self._gathered(now)
        found = self._assessed(answers, now) if answers else None
        seen = alerts.observations(found, answers) if found else ()
        self._silences(now)
        alerts.advance(self.state.alerts, seen, now, self.policy.alerts, self.silences)
        # On disk before anything is sent: what is in the outbox is sent by the next process if this one dies.
        self._save()
        self._send()
        if found:
            self._remedy(found)
            self._save()
        self._beat(now)
        return found

    def finish(self) -> None:
        """Wait for messages and remedies that are on their way; for a watch that ends by itself."""
        longest_s = max((each.timeout_s for each in self.policy.remedies), default=0.0)
        self._background.finish(max(WITHIN_S, longest_s) + GATHER_S)
        self._save()

    def _silences(self, now: float) -> None:
        """Read what was silenced; a file that cannot be read silences nothing."""
        read, trouble = list[Silence](), ""
        try:
            read = read_silences(self.history.folder)
        except ConfigError as error:
            trouble = str(error)
        if trouble and trouble != self._unread:
            self.said(self._clean(trouble))
        self._unread = trouble
        self.silences = [*read, *windows(self.policy.maintenance, now)]

    def _beat(self, now: float) -> None:
        """Tell the dead man's switch that the watch goes on; one that does not answer holds up nothing."""
        every_s = self.policy.alerts.heartbeat_s
        early = 0 <= now - self._beaten < every_s
        if not self.policy.alerts.heartbeat or early or HEARTBEAT in self._background.busy:
            return
        self._beaten = now
        policy = self.policy

        def beat() -> str:
            self.beat(policy)
            return ""

        def done(_: str, error: Exception | None) -> None:
            if error is not None:
                self.said(f"the heartbeat was not sent: {self._told(error)}")

        self._background.begin(HEARTBEAT, beat, done, wait_s=0.0)

    def _begin(self, now: float) -> None:
        going = self._prober.busy | set(self._answers) | set(self._held)
        names = [
            each.name
            for each in self.policy.components
            if each.name not in going and self._is_due(each.name, now)
        ]
        self._ask(names, now)

    def _ask(self, names: Iterable[str], now: float) -> None:
        names = list(names)
        self._begun |= dict.fromkeys(names, now)
        self._prober.begin(names)

    def _gathered(self, now: float) -> dict[str, Evidence]:
        """The answers that are to be assessed now; empty while others are about to come."""
        self._answers |= self._prober.take()
        if not self._answers:
            return {}
        self._first = now if self._first is None else min(self._first, now)
        self._awaited -= set(self._answers)
        late_s = now - self._first
        slow = bool(self._awaited) and late_s < self.first_s
        if self._prober.busy and (slow or late_s < GATHER_S):
            return {}
        self._awaited = set()
        answers, self._answers, self._first = self._answers, {}, None
        told = self._told_apart(answers, now)
        if not self._held.keys() <= self.state.evidence.keys():
            # A component that was never told of is told with the others, and not as unknown before.
            self._answers = told
            return {}
        return told

    def _told_apart(self, answers: dict[str, Evidence], now: float) -> dict[str, Evidence]:
        """The answers without new failures of components behind others that were not asked since.

        Those wait until the others have answered: whether it is the component or what is before it that broke
        is not known sooner.
        """
        answers = {**self._held, **answers}
        self._held = {}
        again = set[str]()
        for name in [each.name for each in outer_first(self.policy) if each.name in answers]:
            if missing := self._not_asked_since(name, answers[name], answers):
                self._held[name] = answers.pop(name)
                again |= missing
        self._ask(again - self._prober.busy - set(self._held), now)
        return answers

    def _not_asked_since(self, name: str, evidence: Evidence, answers: Container[str]) -> set[str]:
        """The components before one that has just failed that were last asked before it failed."""
        before = self.state.evidence.get(name)
        if evidence.outcome != "failed" or evidence.at is None or (before and before.outcome == "failed"):
            return set()
        return {
            outer
            for outer in self.policy.component(name).through
            if not (outer in answers and self._begun[outer] >= evidence.at) and self._answered(outer)
        }

    def _answered(self, name: str) -> bool:
        """Whether a component answered when it was last asked; what is behind one that did not is hidden."""
        last = self.state.evidence.get(name)
        return last is None or last.outcome == "answered"

    def _behind(self, found: Assessment, before: Assessment | None, now: float) -> None:
        """Forget failures seen through a component that was down; ask again once that is back."""
        was = {row.name: row.status for row in before.components} if before else {}
        back = {
            row.name
            for row in found.components
            if row.status in {"healthy", "degraded"} and was.get(row.name, "unknown") in {"down", "unknown"}
        }
        for row in found.components:
            known = self.state.evidence.get(row.name)
            if known and row.error == "through" and known.error != "through":
                known = self.state.evidence[row.name] = Evidence("unasked", row.said, None, "through")
            if known and known.error == "through" and not back.isdisjoint(row.through):
                self.state.due[row.name] = now

    def _assessed(self, answers: dict[str, Evidence], now: float) -> Assessment:
        self.state.evidence |= answers
        for name in answers:
            self.state.due[name] = self._begun[name] + self.policy.component(name).every_s
        begun = min(self._begun[name] for name in answers)
        found = judged(
            self.policy, self.state.evidence, self.history.summaries(), "",
            begun=begun, now=now, counts=self._counts(answers, now), outages=self._outages,
        )  # fmt: skip
        if self.latest is None:
            found = replace(found, changes=self._policy_changes(found))
        changed = self.latest is None or _outcome(self.latest) != _outcome(found)
        if changed or found.at - self.kept_at >= WHOLE_EVERY_S:
            self.kept_at = found.at
            found = self._kept(found, begun)
        else:
            self._on_disk(lambda: self.history.note(found))
        self._behind(found, self.latest, now)
        self.latest = found
        return found

    def _counts(self, answers: Container[str], now: float) -> bool:
        """Whether this is another failure in a row: a component that was counted is down again."""
        rows = component_rows(self.policy, self.state.evidence, now)
        critical = [row for row in rows if row.priority == "critical" and row.status == "down"]
        down = [row.name for row in critical if row.name in answers]
        before = self.state.counted if critical else []
        counts = bool(down) and (not before or not set(before).isdisjoint(down))
        self.state.counted = down if counts else [*before, *down]
        return counts

    def _policy_changes(self, found: Assessment) -> tuple[str, ...] | None:
        with suppress(ConfigError):
            earlier = self.history.find(LAST)
            return changed_policy(earlier, found) if earlier else None
        return None

    def _kept(self, found: Assessment, begun: float) -> Assessment:
        def write() -> None:
            nonlocal found
            found = replace(found, id=self.history.new_folder(begun).name)
            self.history.keep(found, ("json", "html"))

        self._on_disk(write)
        return found

    def _save(self) -> None:
        text = watch_state.written(self.state)
        if text != self._saved:
            self._saved = text if self._on_disk(partial(watch_state.save, self.history.folder, text)) else ""

    def _on_disk(self, write: Callable[[], None]) -> bool:
        """Write, and whether that went well; a full disk must not end the watch."""
        try:
            write()
        except (OSError, ConfigError) as error:
            trouble = f"the watch cannot store its state, but still sends alerts: {error}"
            if trouble != self._trouble:
                self.said(self._clean(trouble))
            self._trouble = trouble
            return False
        self._trouble = ""
        return True

    def _send(self) -> None:
        """Send every message that is due, one at a time on each route: what hangs delays its own only."""
        for message in alerts.due(self.state.alerts, self.clock(), self.policy.alerts):
            late = message.not_before > self.clock()  # its route has just failed
            if not late and f"route {message.route}" not in self._background.busy:
                self._deliver(message)

    def _deliver(self, message: Message) -> None:
        # On disk before it is sent: one that may have arrived stays as it is, also when this process dies.
        message.begun = True
        self._save()
        policy, state = self.policy, self.state.alerts

        def send() -> str:
            self.send(policy, message)
            return ""

        def done(_: str, error: Exception | None) -> None:
            if error is None:
                alerts.delivered(state, message, self.clock())
                self.said(f"sent to {message.route}: {message.subject}")
            else:
                alerts.failed(state, message, self.clock(), self._told(error))
                self.said(f"a message was not delivered; the watch will try again: {self._told(error)}")
            self._save()

        self._background.begin(f"route {message.route}", send, done)

    def _remedy(self, found: Assessment) -> None:
        mine = tuple(
            each
            for each in self.policy.remedies
            if f"remedy {each.component}" not in self._background.busy
            and not silenced(
                f"component {each.component}", windows(self.policy.maintenance, found.at), found.at
            )
        )
        for remedy, step in treat(self.state.treatments, mine, found, self.clock(), self._dry):
            if step != "act":
                self._audit(remedy, step, "")
            elif self._dry(remedy):
                self._verify(remedy)
                would = shown_command(self.policy, remedy.command, self.environ)
                self._audit(remedy, step, f"dry run, would run: {would}")
            else:
                self._act(remedy)

    def _audit(self, remedy: Remedy, step: RemedyEvent, said: str) -> None:
        entry = {
            "at": self.clock(), "component": remedy.component, "step": step, "said": said,
            "command": shown_command(self.policy, remedy.command, self.environ),
            "dry_run": self._dry(remedy),
        }  # fmt: skip
        self._on_disk(partial(watch_state.audit, self.history.folder, entry))
        self.said(f"remedy for {remedy.component}: {step}{f': {said}' if said else ''}")

    def _dry(self, remedy: Remedy) -> bool:
        return remedy.dry_run or not self.act

    def _verify(self, remedy: Remedy) -> None:
        """Have a component probed again once its remedy has had its time to help."""
        verify_at = self.clock() + remedy.verify_after_s
        self.state.treatments[remedy.component].verify_at = verify_at
        self.state.due[remedy.component] = min(verify_at, self.state.due.get(remedy.component, verify_at))

    def _act(self, remedy: Remedy) -> None:
        """Begin a remedy; what it says is told when it ends, and whether it helped is judged only then."""
        # The try is on disk before it is made, so that a crash cannot make it again and again.
        self._save()
        folder = self.policy.path.parent.absolute()

        def run() -> str:
            words = [filled(word, self.environ) for word in remedy.command]
            ended = run_program(words, folder, remedy.timeout_s, self.environ, leaves=True)
            last = f": {ended.last_words[-1]}" if ended.last_words else ""
            return f"{words[0]} ended with {ended.code}{last}"

        def done(said: str, error: Exception | None) -> None:
            self._verify(remedy)
            self._audit(remedy, "act", self._told(error) if error else self._clean(said))

        self._background.begin(f"remedy {remedy.component}", run, done)

    def _clean(self, text: str) -> str:
        return redactor_of(self.policy.raw, self.policy.variables, self.environ).text(text)

    def _told(self, error: Exception) -> str:
        """What went wrong in a sentence; an error that nobody foresaw is told with its kind."""
        foreseen = isinstance(error, DeliveryError | ProbeError | MissingVariableError)
        return self._clean(str(error) if foreseen else f"{type(error).__name__}: {error}")


def _outcome(found: Assessment) -> tuple[str, ...]:
    return (found.verdict, *(row.status for row in found.components))
