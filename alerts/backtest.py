"""Owns what a rule would have done over a past period: verdicts, transitions and letters.

It writes nothing. Facts, verdicts, transitions and letters are made by the same functions as those
of the evaluator, hour by hour or day by day as the kind of the rule goes, from what is known now;
nothing is open at the beginning, nobody acknowledges anything, and nobody silences anything. Alerts
of other rules that really fired then keep letters back as ever.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import db.judgements
from alerts import (
    changes,
    digest,
    letter,
    lifecycle,
    outbox,
    owed,
    parts,
    past_keepers,
    past_notes,
)
from alerts.kinds.kind import Judged, Rule, Surroundings
from alerts.kinds.registry import KINDS
from alerts.kinds.words import Language, Note, Occasion
from alerts.lifecycle import ABOUT, Reason, Transition
from alerts.past_keepers import PastKeepers
from alerts.past_notes import PastNote
from alerts.preview import Preview
from alerts.reach import full_name, of_incident
from alerts.verdicts import State, Verdict
from db.alerts import About, AlertState, OpenAlert
from db.kept import NOTHING, Owed
from db.outbox import Recipient
from db.pool import Connection
from db.scope import Scope
from energy.periods import Span

MOVES_MAX = 1_000
"""Changes of alerts that are told one by one; more are counted."""


@dataclass(frozen=True, slots=True)
class Letters:
    """A letter, and how many contacts of which region it would have gone to."""

    language: Language
    subject: str
    recipients: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Move:
    """What would have happened to an alert, and the letters about it.

    `is_late`: the evaluator could know of it only later, when its data came.
    """

    judged: Judged
    transition: Transition
    letters: Sequence[Letters]
    is_late: bool = False


@dataclass(slots=True)
class Tally:
    """How often a subject, or all those of a city, were found in which state, and what followed."""

    ok: int = 0
    warn: int = 0
    firing: int = 0
    unknown: int = 0
    alerts: int = 0
    letters: int = 0
    kept_back: int = 0
    worst: Verdict | None = None

    def count(self, verdict: Verdict) -> None:
        match verdict.state:
            case State.OK:
                self.ok += 1
            case State.WARN:
                self.warn += 1
            case State.UNKNOWN:
                self.unknown += 1
            case State.FIRING:
                self.firing += 1
                if self.worst is None or (verdict.measured or 0) > (self.worst.measured or 0):
                    self.worst = verdict

    def add(self, other: Tally) -> None:
        self.ok += other.ok
        self.warn += other.warn
        self.firing += other.firing
        self.unknown += other.unknown
        self.alerts += other.alerts
        self.letters += other.letters
        self.kept_back += other.kept_back


@dataclass(frozen=True, slots=True)
class Backtest:
    """What was found, by subject with its newest facts; moves in order, `left_out` not told.

    `notes`: what cannot be known of the past.
    """

    subjects: Mapping[str, tuple[Judged, Tally]]
    moves: Sequence[Move]
    left_out: int
    preview: Preview
    """The mails that its letters would have become."""
    notes: Sequence[PastNote] = ()

    def cities(self) -> dict[str, tuple[int, Tally]]:
        """Return by city how many subjects there are, and the sum of their tallies."""
        found: dict[str, tuple[int, Tally]] = {}
        for judged, tally in self.subjects.values():
            number, total = found.get(city := digest.city_of(judged.watched.region), (0, Tally()))
            total.add(tally)
            found[city] = (number + 1, total)
        return dict(sorted(found.items()))


@dataclass(slots=True)
class Course:
    """What became of the alerts of a rule so far. Pure: nothing is stored."""

    rule: Rule
    keepers: PastKeepers = field(default_factory=PastKeepers)
    opened: dict[str, OpenAlert] = field(default_factory=dict)
    resolved_by: dict[str, datetime] = field(default_factory=dict)
    owed: dict[str, Owed] = field(default_factory=dict)
    over: dict[str, list[datetime]] = field(default_factory=dict)
    """By subject the ends of windows that were over, since one was in order."""

    def follow(self, judged: Judged, at: datetime) -> tuple[OpenAlert | None, Transition] | None:
        """Let a verdict have its effect; return the alert before it and what happens to it."""
        subject, parameters = judged.watched.subject, self.rule.parameters
        alert = self.opened.get(subject)
        transition = lifecycle.next_transition(
            alert,
            judged.verdict,
            parameters,
            at,
            self.resolved_by.get(subject),
            self.rule.version,
            held=self._held(judged),
        )
        owes = self.owed.get(subject, NOTHING)
        if transition is not None or owes.letter is not None:
            kept = self.keepers.over(judged, alert, at)
            transition = owed.settled(transition, owes, kept, alert, judged, at)
        if transition is None:
            return None
        self.owed[subject] = Owed(transition.owed)
        if transition.state is AlertState.RESOLVED:
            del self.opened[subject]
            self.resolved_by[subject] = judged.verdict.period.ends_at
        else:
            self.opened[subject] = _opened(alert, judged, transition)
        return alert, transition

    def _held(self, judged: Judged) -> timedelta | None:
        """Note a window; return how long it is known that its subject is over, as judging does."""
        if not self.rule.parameters.follows_hours:
            return None
        over = self.over.setdefault(judged.watched.subject, [])
        ends_at = judged.verdict.period.ends_at
        if judged.verdict.state in (State.OK, State.WARN):
            over.clear()
        elif judged.verdict.state is State.FIRING and (not over or over[-1] < ends_at):
            over.append(ends_at)
        return lifecycle.held_for(over, self.rule.parameters.stride)


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
    course = Course(rule, await past_keepers.load(connection, rule, scope, span))
    told = Letterbox(connection, rule, around)
    preview = told.preview
    subjects: dict[str, tuple[Judged, Tally]] = {}
    moves: list[Move] = []
    left_out = 0
    ticks = KINDS[rule.kind].ticks
    async for at, found in ticks(connection, rule, scope, span, around, course.opened.keys()):
        await asyncio.sleep(0)  # others are answered in between
        for judged in found:
            _, tally = subjects.get(judged.watched.subject, (judged, Tally()))
            subjects[judged.watched.subject] = (judged, tally)
            tally.count(judged.verdict)
            if (moved := course.follow(judged, at)) is None:
                continue
            alert, transition = moved
            preview.follow(judged, transition, is_new=alert is None)
            letters = await told.about(judged, alert, transition)
            tally.alerts += transition.reason is Reason.FIRST
            tally.kept_back += transition.kept is not None
            tally.letters += sum(sum(each.recipients.values()) for each in letters)
            if len(moves) < MOVES_MAX:
                moves.append(Move(judged, transition, letters))
            else:
                left_out += 1
    told_late = await _with_late(connection, rule, moves)
    unknown = list(past_notes.notes(rule, scope, course.keepers))
    return Backtest(subjects, told_late, left_out, preview, unknown)


async def _with_late(connection: Connection, rule: Rule, moves: Sequence[Move]) -> list[Move]:
    """Return `moves`, those marked that the evaluator could know of only later."""
    keys = [
        (move.judged.watched.subject, move.judged.verdict.period)
        for move in moves
        if move.transition.reason is Reason.FIRST
    ]
    known = await db.judgements.list_of(connection, rule.rule_id, keys) if keys else {}
    late = {
        key
        for key, found in known.items()
        if found.led_to in (Reason.LATE, Reason.NOTED) and found.rule_version == rule.version
    }
    return [
        replace(
            move,
            is_late=move.transition.reason is Reason.FIRST
            and (move.judged.watched.subject, move.judged.verdict.period) in late,
        )
        for move in moves
    ]


@dataclass(slots=True)
class Letterbox:
    """Who would have been written to, and under which subject; contacts are looked up once."""

    connection: Connection
    rule: Rule
    around: Surroundings
    preview: Preview = field(default_factory=Preview)
    known: dict[tuple[str, int, tuple[str, ...] | None], Sequence[Recipient]] = field(
        default_factory=dict
    )
    told: dict[str, set[str]] = field(default_factory=dict)
    """Regions that an incident takes in and that were told of it, by its subject."""

    async def about(
        self, judged: Judged, alert: OpenAlert | None, transition: Transition
    ) -> list[Letters]:
        if not transition.is_told:
            return []
        level = changes.level_of(judged.verdict, alert, transition)
        recipients = await self._recipients(judged, transition, level)
        names = self.around.region_names
        regions = list(dict.fromkeys(each.region for each in recipients))
        occasion = self._occasion(judged, transition, [names.get(each, each) for each in regions])
        found: dict[tuple[Language, str], Counter[str]] = {}
        posted: list[tuple[Occasion, list[Recipient]]] = []
        for region in regions:
            told = parts.told(occasion, region, regions, names)
            if told is None:
                continue
            there = [each for each in recipients if each.region == region]
            if told is occasion and posted and posted[0][0] is occasion:
                posted[0][1].extend(there)
            else:
                posted.insert(0 if told is occasion else len(posted), (told, there))
            for each in there:
                language = Language(each.language)
                key = language, letter.subject(told, language)
                found.setdefault(key, Counter())[region] += 1
        for told, whom in posted:
            self.preview.post(whom, judged, transition, told, level)
        ordered = sorted(found.items(), key=lambda each: [*Language].index(each[0][0]))
        return [Letters(language, subject, counted) for (language, subject), counted in ordered]

    async def _recipients(
        self, judged: Judged, transition: Transition, level: int
    ) -> Sequence[Recipient]:
        """Return whom it is written to: of an incident also the regions that it takes in."""
        region, among = judged.watched.region, self._among(judged, transition)
        key = region, level, among
        if key not in self.known:
            self.known[key] = await outbox.list_recipients(
                self.connection, region, self.rule.region, level, among
            )
        return self.known[key]

    def _among(self, judged: Judged, transition: Transition) -> tuple[str, ...] | None:
        """Return whose contacts are to know; None: those of the region and above it."""
        if not judged.facts.tells_regions or transition.reason is Reason.REMINDER:
            return None
        if transition.reason is Reason.FIRST:
            self.told.pop(judged.watched.subject, None)
        told, takes_in = self.told.setdefault(judged.watched.subject, set()), judged.facts.regions
        has_widened = transition.reason is Reason.WIDENED
        among = of_incident(judged.watched.region, takes_in, told, has_widened=has_widened)
        told |= set(takes_in)
        return tuple(among)

    def _occasion(self, judged: Judged, transition: Transition, told: Sequence[str]) -> Occasion:
        asks = changes.asked(self.rule, judged.verdict, transition)
        region = judged.watched.region
        return Occasion(
            kind=self.rule.kind,
            reason=transition.reason,
            verdict=judged.verdict,
            facts=judged.facts,
            region_name=full_name(region, self.around.region_names),
            link="",
            note=Note(judged.watched.subject),
            rule_name=self.rule.name,
            rule_version=self.rule.version,
            due_on=asks.due_on,
            remedy_on=asks.remedy_on,
            told=told,
            task=asks.task,
            task_due_on=asks.task_due_on,
        )


def _opened(alert: OpenAlert | None, judged: Judged, transition: Transition) -> OpenAlert:
    verdict, is_told = judged.verdict, transition.is_told
    about = ABOUT.get(transition.reason, About.OVER)
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
        opened_by=verdict.period.ends_at
        if alert is None or alert.about != about
        else alert.opened_by,
        about=about,
        rule_version=judged.watched.version,
    )
