"""Owns what is looked at in an evaluation: everybody when the hour is new, else what changed.

Nobody is judged because time passes, but by the hour: what a rule that follows hours finds changes
with the hour, with what people state and with hours that are settled, of which settlement leaves
marks; of what other rules read there is news (`db/news.py`). Periods of before that hold what
changed are judged again, as a backtest would, those of several units at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

import db.judgements
import db.standings
from alerts import amending
from alerts.amending import Again
from alerts.kinds.kind import Judged, Rule, Surroundings
from alerts.kinds.past import OutOfBoundsError
from alerts.kinds.registry import KINDS
from db.fresh import Fresh
from db.judgements import Judgement
from db.pool import Connection
from db.scope import Scope
from energy import periods
from energy.periods import HOUR, Span, Step

MARKS_MAX = 200
"""Marks of settlement (a unit and a day) that are looked at in one evaluation."""

JUDGEMENTS_MAX = 1_000
"""Judgements of one rule that are made again in one evaluation; the others wait for the next."""

UNITS_AT_ONCE = 50
"""Units whose periods are gone through together."""

SPAN_MAX = timedelta(days=7)
"""Longest span that is gone through at once."""

NEAR = timedelta(hours=3)
"""Periods so near to each other are gone through in one span."""

log = structlog.get_logger("alert")


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom an evaluation of a rule looks at: everybody, or whose hours were settled (`fresh`) or of
    whom something else is new that the rule reads (`news`), all within its region.
    """

    everybody: bool
    fresh: Sequence[Fresh] = ()
    news: Sequence[Fresh] = ()

    @property
    def changed(self) -> list[Fresh]:
        return [*self.fresh, *self.news]


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found of the newest periods, and of those that were judged again.

    `all_of`: the units of which `newest` is all that the rule watches; None: of each there is.
    `missed`: judgements whose period cannot be told apart any more, or that another version of the
    rule made; they stand. `is_whole`: nothing of what was settled is left to look at.
    """

    newest: Sequence[Judged] = ()
    all_of: Sequence[int] | None = ()
    again: Sequence[Again] = ()
    missed: Sequence[Judgement] = ()
    is_whole: bool = True


async def look(
    connection: Connection, rule: Rule, around: Surroundings, asked: Asked, open_subjects: Set[str]
) -> Looked:
    """Return what the rule finds of everybody, or of whom something changed of; and again."""
    kind = KINDS[rule.kind]
    newest, all_of = list[Judged](), list[int]()
    if asked.everybody:
        newest = await kind.judge(connection, rule, around, open_subjects)
    elif asked.news and kind.judge_of is not None:
        units = {each.unit for each in asked.news}
        newest = await kind.judge_of(connection, rule, around, open_subjects, units)
        all_of = sorted({each.unit_id for each in asked.news})
    looked = Looked(newest, None if asked.everybody else all_of)
    if not rule.parameters.looks_back:
        return looked
    if not (asked.everybody or asked.changed):
        return looked
    gone_through = asked.fresh if kind.judge_of is not None else asked.changed
    if rule.parameters.follows_hours and gone_through:
        unit_ids = [each.unit_id for each in gone_through]
        watched = await db.standings.list_watched(connection, rule.rule_id, unit_ids)
        gone_through = [each for each in gone_through if each.unit_id in watched]
    walk = _Walk(connection, rule, around, open_subjects, everybody=asked.everybody)
    walk.newest = {each.watched.subject: each for each in newest}
    affected = await _go_through(walk, gone_through)
    if asked.everybody:
        await _look_at_restated(walk)
    return await _paired(walk, looked, affected)


async def keep(
    connection: Connection, rule: Rule, newest: Sequence[Judged], around: Surroundings
) -> None:
    """Keep what was found of the newest periods, where they may be judged again."""
    if rule.parameters.judges_again:
        found = [amending.judgement(judged) for judged in newest]
        await db.judgements.upsert(connection, rule.rule_id, found, around.now)


def amended_since(rule: Rule, around: Surroundings) -> datetime:
    """Return since when periods are judged again, by their ends: what people state anew since the
    year before."""
    if rule.parameters.is_restated:
        return since_last_year(around.now)
    return around.now - around.amended_within


def since_last_year(now: datetime) -> datetime:
    """Return when the year before began, in China.

    >>> since_last_year(datetime.fromisoformat("2026-12-31T16:00+00:00")).isoformat()
    '2025-12-31T16:00:00+00:00'
    """
    this_year = periods.floor(now, Step.YEAR)
    return periods.floor(this_year - HOUR, Step.YEAR)


def spans(
    ends: Iterable[datetime], newest_at: datetime, hold: timedelta, step: Step = Step.HOUR
) -> list[Span]:
    """Return the spans in which periods end that are to be judged again, the newest one included.

    They hold whole buckets of `step`. Where a condition must hold, its neighbours are looked at,
    too.
    """
    wanted = [
        Span(
            periods.floor(end - hold - HOUR, step),
            min(periods.ceiling(end + hold, step), newest_at),
        )
        for end in ends
        if end < newest_at
    ]
    newest = Span(periods.floor(newest_at - HOUR, step), newest_at)
    merged = periods.merged([*wanted, newest], NEAR)
    result = []
    for span in merged:
        starts_at = span.starts_at
        while starts_at < span.ends_at:
            ends_at = min(starts_at + SPAN_MAX, span.ends_at)
            result.append(Span(starts_at, ends_at))
            starts_at = ends_at
    return result


@dataclass(slots=True)
class _Walk:
    """What spans held so far. `newest` by subject: where `everybody` was judged, no others."""

    connection: Connection
    rule: Rule
    around: Surroundings
    open_subjects: Set[str]
    everybody: bool
    newest: dict[str, Judged] = field(default_factory=dict)
    by_key: dict[tuple[str, Span], Judged] = field(default_factory=dict)

    @property
    def newest_at(self) -> datetime:
        return periods.floor(self.around.now, self.rule.parameters.step)

    async def through(self, units: Sequence[str], span: Span) -> None:
        """Go through a span of several units; where that is too much at once, of half of them."""
        scope = Scope.of_region(self.rule.region).among(units)
        ticks = KINDS[self.rule.kind].ticks
        try:
            async for at, judged in ticks(
                self.connection, self.rule, scope, span, self.around, self.open_subjects
            ):
                self._note(at, judged)
        except OutOfBoundsError as error:
            if len(units) == 1:
                log.warning(
                    "not_judged_again", rule=self.rule.name, unit=units[0], error=str(error)
                )
                return
            half = len(units) // 2
            await self.through(units[:half], span)
            await self.through(units[half:], span)

    def _note(self, at: datetime, judged: Iterable[Judged]) -> None:
        for each in judged:
            if at == self.newest_at and not self.everybody:
                self.newest[each.watched.subject] = each
            self.by_key[each.watched.subject, each.verdict.period] = each


async def _go_through(walk: _Walk, changed: Sequence[Fresh]) -> list[Judgement]:
    """Go through all periods that hold what changed; return those of them that were judged."""
    if not changed:
        return []
    rule = walk.rule
    since = walk.around.now - walk.around.amended_within
    affected = await db.judgements.list_affected(
        walk.connection, rule.rule_id, changed, since, JUDGEMENTS_MAX
    )
    for some, units in _alike(rule, changed, affected, since, walk.newest_at).items():
        for first in range(0, len(units), UNITS_AT_ONCE):
            for span in some:
                await walk.through(units[first : first + UNITS_AT_ONCE], span)
    return affected


def _alike(
    rule: Rule,
    changed: Sequence[Fresh],
    affected: Sequence[Judgement],
    since: datetime,
    newest_at: datetime,
) -> Mapping[tuple[Span, ...], list[str]]:
    """Return the spans to go through, each with the units whose they are."""
    ends: dict[int, set[datetime]] = {}
    for each in affected:
        if each.unit_id is not None:
            ends.setdefault(each.unit_id, set()).add(each.period.ends_at)
    for one in changed:
        ends.setdefault(one.unit_id, set()).update(_ends(rule, one, since, newest_at))
    names = {each.unit_id: each.unit for each in changed}
    alike: dict[tuple[Span, ...], list[str]] = {}
    for unit_id in sorted(ends):
        some = spans(ends[unit_id], newest_at, rule.parameters.hold, rule.parameters.step)
        alike.setdefault(tuple(some), []).append(names[unit_id])
    return alike


async def _look_at_restated(walk: _Walk) -> None:
    """Judge again the months of regions that were judged: nobody marks which figure is another."""
    rule, judge_closed = walk.rule, KINDS[walk.rule.kind].judge_closed
    if judge_closed is None or not rule.parameters.is_restated:
        return
    kept = await db.judgements.list_of_regions(
        walk.connection, rule.rule_id, amended_since(rule, walk.around)
    )
    for judged in await judge_closed(walk.connection, rule, walk.around, kept):
        walk.by_key[judged.watched.subject, judged.verdict.period] = judged


async def _paired(walk: _Walk, looked: Looked, affected: Sequence[Judgement]) -> Looked:
    """Return what was found beside what had been found before."""
    for judged in walk.newest.values():
        walk.by_key.setdefault((judged.watched.subject, judged.verdict.period), judged)
    rule = walk.rule
    before = await db.judgements.list_of(walk.connection, rule.rule_id, list(walk.by_key))
    again = [
        Again(judged, was)
        for key, judged in walk.by_key.items()
        if (was := before.get(key)) is None or was.rule_version == rule.version
    ]
    alike = {(each.judged.watched.subject, each.verdict.period) for each in again}
    missed = [each for each in affected if (each.subject, each.period) not in alike]
    return replace(
        looked,
        newest=[*walk.newest.values()],
        again=again,
        missed=missed,
        is_whole=len(affected) < JUDGEMENTS_MAX,
    )


def _ends(rule: Rule, changed: Fresh, since: datetime, newest_at: datetime) -> set[datetime]:
    """Return the ends of periods that begin to hold what changed, as far back as is looked."""
    found = {
        rule.parameters.end_of(start + HOUR)
        for start in periods.buckets(changed.span, Step.HOUR)
        if start + HOUR > since
    }
    return {each for each in found if each < newest_at}
