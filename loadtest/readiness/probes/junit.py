"""JUnit files: what ran, what did not, and what only seems to have.

The pass rate is over all tests that should have run: those that were skipped, or never collected, count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree

from loadtest.readiness.evidence import Evidence, Measure
from loadtest.readiness.probe import JunitProbe
from loadtest.readiness.probes.probe_context import ProbeContext, ProbeError
from loadtest.units import format_ratio

MAX_FILE_BYTES = 64 * 1024 * 1024
INSTANT_S = 0.005
"""A test that took less than this is printed as 0.00 s: it may not have tested anything."""
SHOWN_NAMES = 10
SUITES = frozenset({"testsuites", "testsuite"})
FAILED = frozenset({"failed", "failure", "fail", "error", "errored", "broken"})
NOT_RUN = frozenset({"notrun", "skipped", "disabled", "suppressed", "ignored", "pending"})
"""What tools write as the status or the result of a test that did not pass."""


@dataclass(slots=True)
class Tally:
    """Tests by what became of them; names are ``class.name``."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    not_collected: list[str] = field(default_factory=list)
    instant: list[str] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    unlisted: Counter[str] = field(default_factory=Counter)
    """By the name of a measure, tests that a suite counts but does not list, or lists as passed."""

    @property
    def known(self) -> int:
        """Entries of the files, and those that a suite counts but does not list."""
        parts = (self.failed, self.errors, self.skipped, self.not_collected)
        return self.passed + sum(map(len, parts)) + self.unlisted.total()

    def add(self, other: Tally) -> None:
        """Add what another tally holds."""
        self.passed += other.passed
        self.failed += other.failed
        self.errors += other.errors
        self.skipped += other.skipped
        self.not_collected += other.not_collected
        self.instant += other.instant
        self.again += other.again
        self.unlisted += other.unlisted

    def doubt_passed(self, most: int) -> int:
        """Take up to so many from those that passed; how many these are."""
        n = min(most, self.passed)
        self.passed -= n
        return n


@dataclass(frozen=True, slots=True)
class _Counts:
    """What a suite and its inner ones count, or list where that is more; ``bad`` are errors and failures."""

    tests: int = 0
    bad: int = 0
    errors: int = 0
    skipped: int = 0

    def __add__(self, other: _Counts) -> _Counts:
        return _Counts(
            self.tests + other.tests,
            self.bad + other.bad,
            self.errors + other.errors,
            self.skipped + other.skipped,
        )


def read_junit(text: bytes, tally: Tally) -> float | None:
    """Add the tests of one JUnit file to the tally; when they ran, where the file says so.

    Raises:
        ValueError: it is no JUnit XML.
    """
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - expat refuses entities that grow; the file is the user's
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise ValueError(f"it is not XML: {error}") from None
    if root.tag not in SUITES:
        raise ValueError(f"the file is not a JUnit file: its root is <{root.tag}>")
    _add_suite(root, tally)
    return written_at(root)


def _add_suite(suite: ElementTree.Element, tally: Tally) -> _Counts:
    """Add the tests of a suite and of its inner ones, and those that it counts but none of them lists."""
    own = Tally()
    listed = _add_listed(suite, own)
    for inner in _inner(suite):
        listed += _add_suite(inner, own)
    said = _said(suite, "tests")
    counts = _Counts(
        max(listed.tests, said or 0),
        max(listed.bad, (_said(suite, "errors") or 0) + (_said(suite, "failures") or 0)),
        max(listed.errors, _said(suite, "errors") or 0),
        # Both may be written of the same tests.
        max(listed.skipped, _said(suite, "skipped") or 0, _said(suite, "disabled") or 0),
    )
    room = counts.tests - listed.tests
    # Some tools count an error as a failure, so that both are compared as one.
    errors = min(counts.bad - listed.bad, counts.errors - listed.errors)
    failed = counts.bad - listed.bad - errors
    skipped = counts.skipped - listed.skipped
    # What failed is a test. So it is one of those that a suite counts; what could not be loaded need not be.
    doubted = own.doubt_passed(max(0, failed - room)) if said is not None else 0
    more = failed - doubted + errors + skipped
    own.unlisted += Counter(failed=failed, errors=errors, skipped=skipped, not_collected=max(0, room - more))
    tally.add(own)
    return replace(counts, tests=listed.tests + max(room, more))


def _inner(of: ElementTree.Element) -> Iterable[ElementTree.Element]:
    """The suites in a suite, without those in them."""
    for each in of:
        if each.tag in SUITES:
            yield each
        elif each.tag != "testcase":
            yield from _inner(each)


def _add_listed(suite: ElementTree.Element, tally: Tally) -> _Counts:
    """Add the tests that a suite itself lists; earlier attempts are counted among what went wrong alone."""
    cases = suite.findall("testcase")
    ended = _ended(suite)
    for case in ended:
        _add(case, tally)
    if len(ended) < len(cases):
        times = Counter(map(_name, cases))
        tally.again += [_name(case) for case in ended if times[_name(case)] > 1]
    errors = sum(len(case.findall("error")) for case in cases)
    # Some tools count every failure of a test, others the test.
    bad = errors + sum(len(case.findall("failure")) for case in cases)
    return _Counts(len(ended), max(bad, len(tally.failed)), errors, len(tally.skipped))


def _ended(suite: ElementTree.Element) -> list[ElementTree.Element]:
    """The tests of a suite, of each the last attempt.

    A suite that lists more tests than it counts lists attempts: pytest-rerunfailures leaves every failed one
    but the last without a word of its failure, as if it had passed.
    """
    cases = suite.findall("testcase")
    said = _said(suite, "tests")
    if said is None or said >= len(cases):
        return cases
    return list({_name(case): case for case in cases}.values())


def _said(suite: ElementTree.Element, what: str) -> int | None:
    """How many of its tests, errors, ... a suite says it has; None where it does not say so."""
    said = suite.get(what, "").strip()
    return int(said) if said.isdecimal() and len(said) < 10 else None


def written_at(root: ElementTree.Element) -> float | None:
    """The Unix time of the oldest suite that says when it ran; None where none does."""
    found = []
    for suite in root.iter("testsuite"):
        with suppress(ValueError, OverflowError, OSError):
            found.append(datetime.fromisoformat(suite.get("timestamp", "")).timestamp())
    return min(found, default=None)


def _add(case: ElementTree.Element, tally: Tally) -> None:
    name = _name(case)
    error, failure = case.find("error"), case.find("failure")
    words = {(case.get(each) or "").lower() for each in ("status", "result")}
    if error is not None:
        collecting = "collection" in (error.get("message") or "").lower()
        (tally.not_collected if collecting else tally.errors).append(name)
    elif failure is not None or words & FAILED:
        tally.failed.append(name)
    elif case.find("skipped") is not None or words & NOT_RUN:
        tally.skipped.append(name)
    else:
        tally.passed += 1
        if _seconds(case) < INSTANT_S:
            tally.instant.append(name)


def _name(case: ElementTree.Element) -> str:
    parts = (case.get("classname"), case.get("name"))
    return ".".join(part for part in parts if part) or "a test without name"


def _seconds(case: ElementTree.Element) -> float:
    try:
        return float(case.get("time") or "inf")
    except ValueError:
        return float("inf")


def probe_tests(probe: JunitProbe, context: ProbeContext) -> Evidence:
    """The files read and added up; their time is that of the oldest, by what it says or by its date."""
    paths = list(dict.fromkeys(_paths(probe.files, context)))
    tally, oldest = Tally(), context.wall()
    releases = list[str]()
    for path in paths:
        try:
            text = _content(path)
            ran = read_junit(text, tally)
            releases += releases_in(text, probe.release) if probe.release else ()
            oldest = min(oldest, path.stat().st_mtime, ran or oldest)
        except (OSError, ValueError) as error:
            raise ProbeError("answer", f"{path.name} cannot be read: {error}") from None
    found = _evidence(tally, probe.expected, oldest, [path.name for path in paths])
    return replace(found, release=tuple(dict.fromkeys(releases)))


def releases_in(text: bytes, name: str) -> list[str]:
    """What a JUnit file says of the release that was tested, in the property of that name; "" if nothing."""
    root = ElementTree.fromstring(text)  # noqa: S314 - it was read before
    found = [each for each in root.iter("property") if each.get("name") == name]
    return [(each.get("value") or each.text or "").strip()[:80] for each in found] or [""]


def _content(path: Path) -> bytes:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ValueError("it is larger than 64 MiB")
    return path.read_bytes()


def _paths(patterns: Iterable[str], context: ProbeContext) -> Iterable[Path]:
    for pattern in patterns:
        place = context.path(pattern)
        found = sorted(place.parent.glob(place.name)) if place.parent.is_dir() else []
        if not found:
            raise ProbeError(
                "missing file", f"there is no file {pattern}: the tests did not run or left no report"
            )
        yield from found


def _evidence(tally: Tally, expected: int | None, at: float, names: list[str]) -> Evidence:
    should_run = max(expected or 0, tally.known)
    unlisted = tally.unlisted
    # A module that could not be collected is one entry, however many tests it holds.
    not_collected = len(tally.not_collected) + unlisted["not_collected"] + should_run - tally.known
    counts = {
        "should_run": should_run,
        "passed": tally.passed,
        "failed": len(tally.failed) + unlisted["failed"],
        "errors": len(tally.errors) + unlisted["errors"],
        "skipped": len(tally.skipped) + unlisted["skipped"],
        "not_collected": not_collected,
        "instant": len(tally.instant),
        "repeated": len(tally.again),
    }
    measures = {name: Measure(n, "count", should_run) for name, n in counts.items()}
    parts = ", ".join(
        f"{n} {name.replace('_', ' ')}" for name, n in counts.items() if n and name != "should_run"
    )
    source = f"from {', '.join(names[:5])}" + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    if not should_run:
        return Evidence("failed", f"no test ran at all ({source})", at, "tests", measures)
    rate = tally.passed / should_run
    measures["passed.ratio"] = Measure(rate, "ratio", should_run)
    lines = (f"{tally.passed} ÷ {should_run} = {rate:.3f}: {parts}, {source}", *_named(tally))
    said = f"{tally.passed} of {should_run} tests passed ({format_ratio(rate)})"
    bad = should_run - tally.passed
    issues = (f"{bad} of {should_run} tests did not pass: {parts}",) if bad else ()
    if not tally.passed:
        return Evidence("failed", said, at, "tests", measures, lines, issues)
    return Evidence("answered", said, at, "tests" if bad else "", measures, lines, issues)


def _named(tally: Tally) -> Iterable[str]:
    kinds = (
        ("failed", tally.failed),
        ("errors", tally.errors),
        ("not collected", tally.not_collected),
        ("skipped", tally.skipped),
        ("took more than one attempt", tally.again),
        ("took 0.00 s, so perhaps nothing was tested", tally.instant),
    )
    for word, names in kinds:
        if names:
            more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
            yield f"{word}: {', '.join(names[:SHOWN_NAMES])}{more}"
    if told := ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in tally.unlisted.items() if n):
        yield f"counted in the file, but not listed there as such: {told}"
