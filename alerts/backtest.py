"""Owns what a rule would have done over a past period: verdicts, transitions and letters.

It writes nothing. Facts, verdicts, transitions and letters are made by the same functions as those
of the evaluator, hour by hour (figures of regions: day by day), from what is known now; nothing is
open at the beginning, and nobody acknowledges anything.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import db.facts
import db.figures
import db.limits
from alerts import changes, evaluation, facts, letter, lifecycle, outbox
from alerts.evaluation import Judged, Surroundings
from alerts.letter import Language, Occasion
from alerts.lifecycle import LETTERS, Reason, Transition
from alerts.rules import ProductIntensity, RegionLevel, Rule
from alerts.verdicts import State, Verdict
from db.alerts import AlertState, OpenAlert
from db.outbox import Recipient
from db.pool import Connection
from db.scope import Scope
from energy import periods
from energy.periods import HOUR, Span, Step

PRODUCT_DAYS_MAX = 92
REGION_DAYS_MAX = 400
METER_HOURS_MAX = 200_000
"""Meters times hours of one backtest."""

HOURS_READ_MAX = 5_000_000
"""Meters times hours times the length of the window: hours of consumption that are added up."""

HOURS_READ_AT_ONCE = 200_000
HOURS_AT_ONCE = 24
MOVES_MAX = 1_000
"""Changes of alerts that are told one by one; more are counted."""

Tick = tuple[datetime, list[Judged]]


class OutOfBoundsError(ValueError):
    """More would have to be gone through than one backtest may. The message says how to narrow."""


@dataclass(frozen=True, slots=True)
class Letters:
    """A letter, and how many contacts of which region it would have gone to."""

    language: Language
    subject: str
    recipients: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Move:
    """What would have happened to an alert, and the letters about it."""

    judged: Judged
    transition: Transition
    letters: Sequence[Letters]


@dataclass(slots=True)
class Tally:
    """How often a subject, or all those of a city, were found in which state, and what followed."""

    ok: int = 0
    firing: int = 0
    unknown: int = 0
    alerts: int = 0
    letters: int = 0
    worst: Verdict | None = None

    def count(self, verdict: Verdict) -> None:
        match verdict.state:
            case State.OK:
                self.ok += 1
            case State.UNKNOWN:
                self.unknown += 1
            case State.FIRING:
                self.firing += 1
                if self.worst is None or (verdict.measured or 0) > (self.worst.measured or 0):
                    self.worst = verdict

    def add(self, other: Tally) -> None:
        self.ok += other.ok
        self.firing += other.firing
        self.unknown += other.unknown
        self.alerts += other.alerts
        self.letters += other.letters


@dataclass(frozen=True, slots=True)
class Backtest:
    """What was found, by subject with its newest facts; moves in order, `left_out` not told."""

    subjects: Mapping[str, tuple[Judged, Tally]]
    moves: Sequence[Move]
    left_out: int

    def cities(self) -> dict[str, tuple[int, Tally]]:
        """Return by city how many subjects there are, and the sum of their tallies."""
        found: dict[str, tuple[int, Tally]] = {}
        for judged, tally in self.subjects.values():
            number, total = found.get(city := city_of(judged.watched.region), (0, Tally()))
            total.add(tally)
            found[city] = (number + 1, total)
        return dict(sorted(found.items()))


@dataclass(slots=True)
class Course:
    """What became of the alerts of a rule so far. Pure: nothing is stored."""

    rule: Rule
    opened: dict[str, OpenAlert] = field(default_factory=dict)
    resolved_by: dict[str, datetime] = field(default_factory=dict)

    def follow(self, judged: Judged, at: datetime) -> tuple[OpenAlert | None, Transition] | None:
        """Let a verdict have its effect; return the alert before it and what happens to it."""
        subject, parameters = judged.watched.subject, self.rule.parameters
        alert = self.opened.get(subject)
        transition = lifecycle.next_transition(
            alert, judged.verdict, parameters, at, self.resolved_by.get(subject)
        )
        if transition is None:
            return None
        if transition.state is AlertState.RESOLVED:
            del self.opened[subject]
            self.resolved_by[subject] = judged.verdict.period.ends_at
        else:
            self.opened[subject] = _opened(alert, judged, transition)
        return alert, transition


def city_of(region: str) -> str:
    """Return the city of a county; a city and a province are their own.

    >>> city_of("450202"), city_of("450200"), city_of("450000")
    ('450200', '450200', '450000')
    """
    return f"{region[:4]}00"


def reach(rule: Rule, scope: Scope, region_prefix: str = "") -> Scope | None:
    """Return what of a rule's region lies in a scope and under a prefix; None: nothing does."""
    prefixes = [Scope.of_region(rule.region).region_prefix, scope.region_prefix, region_prefix]
    narrowest = max(prefixes, key=len)
    if not all(narrowest.startswith(prefix) for prefix in prefixes):
        return None
    return Scope(narrowest, scope.unit)


async def run(
    connection: Connection, rule: Rule, scope: Scope, span: Span, around: Surroundings
) -> Backtest:
    """Return what the rule would have done in `span`. Raises OutOfBoundsError."""
    course, told = Course(rule), Letterbox(connection, rule, around)
    subjects: dict[str, tuple[Judged, Tally]] = {}
    moves: list[Move] = []
    left_out = 0
    async for at, found in _ticks(connection, rule, scope, span, around, course):
        await asyncio.sleep(0)  # others are answered in between
        for judged in found:
            _, tally = subjects.get(judged.watched.subject, (judged, Tally()))
            subjects[judged.watched.subject] = (judged, tally)
            tally.count(judged.verdict)
            if (moved := course.follow(judged, at)) is None:
                continue
            alert, transition = moved
            letters = await told.about(judged, alert, transition)
            tally.alerts += transition.reason is Reason.FIRST
            tally.letters += sum(sum(each.recipients.values()) for each in letters)
            if len(moves) < MOVES_MAX:
                moves.append(Move(judged, transition, letters))
            else:
                left_out += 1
    return Backtest(subjects, moves, left_out)


@dataclass(slots=True)
class Letterbox:
    """Who would have been written to, and under which subject; contacts are looked up once."""

    connection: Connection
    rule: Rule
    around: Surroundings
    known: dict[tuple[str, int], Sequence[Recipient]] = field(default_factory=dict)

    async def about(
        self, judged: Judged, alert: OpenAlert | None, transition: Transition
    ) -> list[Letters]:
        if transition.reason not in LETTERS:
            return []
        region = judged.watched.region
        level = changes.level_of(judged.verdict, alert, transition)
        if (region, level) not in self.known:
            self.known[region, level] = await outbox.list_recipients(
                self.connection, region, self.rule.region, level
            )
        recipients = self.known[region, level]
        occasion = Occasion(
            reason=transition.reason,
            verdict=judged.verdict,
            facts=judged.facts,
            region_name=self.around.region_names.get(region, region),
            link="",
            basis=changes.basis_of(self.rule),
        )
        return [
            Letters(
                language,
                letter.compose(occasion, language).subject,
                Counter(each.region for each in recipients if each.language == language),
            )
            for language in Language
            if any(each.language == language for each in recipients)
        ]


async def _ticks(
    connection: Connection,
    rule: Rule,
    scope: Scope,
    span: Span,
    around: Surroundings,
    course: Course,
) -> AsyncIterator[Tick]:
    match rule.parameters:
        case ProductIntensity() as parameters:
            async for tick in _hours(connection, rule, parameters, scope, span, around):
                yield tick
        case RegionLevel() as parameters:
            _refuse_days(span, REGION_DAYS_MAX)
            figures = evaluation.within(await db.figures.list_figures(connection), scope)
            targets = await db.figures.list_targets(connection)
            for at in _ends(span, Step.DAY):
                known, then = facts.over(figures, at), replace(around, now=at)
                yield (
                    at,
                    evaluation.regions(rule, parameters, known, targets, then, {*course.opened}),
                )


async def _hours(
    connection: Connection,
    rule: Rule,
    parameters: ProductIntensity,
    scope: Scope,
    span: Span,
    around: Surroundings,
) -> AsyncIterator[Tick]:
    _refuse_days(span, PRODUCT_DAYS_MAX)
    ends = _ends(span, Step.HOUR)
    meters = await db.facts.count_meters(connection, scope)
    _refuse_meters(meters, len(ends), parameters.window_h)
    limits = await db.limits.list_limits(connection)
    most = HOURS_READ_AT_ONCE // max(1, meters * parameters.window_h)
    size = max(1, min(HOURS_AT_ONCE, most))
    for first in range(0, len(ends), size):
        some = ends[first : first + size]
        back = [some[0] - hours * HOUR for hours in range(facts.WINDOWS_BACK, 0, -1)]
        windows = [Span(end - parameters.window, end) for end in (*back, *some)]
        uses = await db.facts.list_uses(connection, scope, windows, parameters.basis)
        for at in some:
            near = {each.ends_at for each in facts.windows(at, parameters.window)}
            then = [use for use in uses if use.window.ends_at in near]
            now = replace(around, now=at)
            yield at, evaluation.products(rule, parameters, then, limits, now)


def _opened(alert: OpenAlert | None, judged: Judged, transition: Transition) -> OpenAlert:
    verdict, is_told = judged.verdict, transition.reason in LETTERS
    assert verdict.level is not None
    return OpenAlert(
        alert_id=0,
        subject=judged.watched.subject,
        region=judged.watched.region,
        state=transition.state,
        level=verdict.level,
        period=verdict.period,
        pending_at=transition.at if alert is None else alert.pending_at,
        told_at=transition.at if is_told else None if alert is None else alert.told_at,
    )


def _ends(span: Span, step: Step) -> list[datetime]:
    """Return the ends of whole buckets in `span`."""
    first = periods.ceiling(span.starts_at, step)
    return [
        ends_at
        for starts_at in periods.buckets(Span(first, max(span.ends_at, first + HOUR)), step)
        if (ends_at := periods.following(starts_at, step)) <= span.ends_at
    ]


def _refuse_days(span: Span, most: int) -> None:
    if span.ends_at - span.starts_at > timedelta(days=most):
        raise OutOfBoundsError(f"the period is longer than {most} days: ask for a shorter one")


def _refuse_meters(meters: int, hours: int, window_h: int) -> None:
    allowed = min(METER_HOURS_MAX, HOURS_READ_MAX // window_h)
    if meters * hours > allowed:
        raise OutOfBoundsError(
            f"{meters:,} meters over {hours:,} hours in windows of {window_h} h are more than a "
            f"backtest goes through at once: ask for at most {allowed // meters:,} hours, or for "
            "a smaller region"
        )
