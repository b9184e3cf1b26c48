"""Owns what is looked at in an evaluation: everybody when the hour is new, else what changed.

Nobody is judged because time passes, but by the hour: what a rule that follows hours finds changes
with the hour, with what people state and with hours that are settled, of which settlement leaves
marks. Periods of before that hold such hours are judged again, as a backtest would.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

import db.judgements
import db.standings
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

SPAN_MAX = timedelta(days=7)
"""Longest span that is gone through at once."""

NEAR = timedelta(hours=3)
"""Periods so near to each other are gone through in one span."""

log = structlog.get_logger("alert")


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found of the newest periods, and of those that were judged again.

    `missed`: judgements whose period cannot be told apart any more, or that another version of the
    rule made; they stand. `is_whole`: nothing of what was settled is left to look at.
    """

    newest: Sequence[Judged] = ()
    again: Sequence[Again] = ()
    missed: Sequence[Judgement] = ()
    is_whole: bool = True


async def look(
    connection: Connection,
    rule: Rule,
    around: Surroundings,
    fresh: Sequence[Fresh],
    *,
    everybody: bool,
    open_subjects: Set[str],
) -> Looked:
    """Return what the rule finds of everybody, or of units whose hours were settled; and again."""
    newest: list[Judged] = []
    if everybody:
        newest += await KINDS[rule.kind].judge(connection, rule, around, open_subjects)
    prefix = Scope.of_region(rule.region).region_prefix
    mine = [each for each in fresh if each.region.startswith(prefix)]
    if not mine or not rule.parameters.follows_hours:
        return Looked(newest)
    watched = await db.standings.list_watched(
        connection, rule.rule_id, [each.unit_id for each in mine]
    )
    mine = [each for each in mine if each.unit_id in watched]
    since = around.now - around.amended_within
    affected = await db.judgements.list_affected(
        connection, rule.rule_id, mine, since, JUDGEMENTS_MAX
    )
    step = rule.parameters.step
    found = _Found(periods.floor(around.now, step), judged=newest if everybody else None)
    for unit_id in sorted(watched):
        own = [each for each in mine if each.unit_id == unit_id]
        ends = {each.period.ends_at for each in affected if each.unit_id == unit_id}
        ends |= _ends(own, since, found.newest_at)
        scope = Scope(prefix, own[0].unit)
        for span in spans(ends, found.newest_at, rule.parameters.hold, step):
            await _go_through(connection, rule, scope, span, around, found, open_subjects)
    return await _paired(connection, rule, found, affected)


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
class _Found:
    """What spans held so far. `judged`: the newest, where everybody was judged already."""

    newest_at: datetime
    judged: list[Judged] | None
    newest: list[Judged] = field(default_factory=list)
    by_key: dict[tuple[str, Span], Judged] = field(default_factory=dict)

    def note(self, at: datetime, judged: Iterable[Judged]) -> None:
        for each in judged:
            if at == self.newest_at and self.judged is None:
                self.newest.append(each)
            self.by_key[each.watched.subject, each.verdict.period] = each


async def _go_through(
    connection: Connection,
    rule: Rule,
    scope: Scope,
    span: Span,
    around: Surroundings,
    found: _Found,
    open_subjects: Set[str],
) -> None:
    ticks = KINDS[rule.kind].ticks
    try:
        async for at, judged in ticks(connection, rule, scope, span, around, open_subjects):
            found.note(at, judged)
    except OutOfBoundsError as error:
        log.warning("not_judged_again", rule=rule.name, unit=scope.unit, error=str(error))


async def _paired(
    connection: Connection, rule: Rule, found: _Found, affected: Sequence[Judgement]
) -> Looked:
    """Return what was found beside what had been found before."""
    for judged in found.judged or ():
        found.by_key.setdefault((judged.watched.subject, judged.verdict.period), judged)
    before = await db.judgements.list_of(connection, rule.rule_id, list(found.by_key))
    again = [
        Again(judged, was)
        for key, judged in found.by_key.items()
        if (was := before.get(key)) is None or was.rule_version == rule.version
    ]
    alike = {(each.judged.watched.subject, each.verdict.period) for each in again}
    missed = [each for each in affected if (each.subject, each.period) not in alike]
    newest = found.newest if found.judged is None else found.judged
    return Looked(newest, again, missed, is_whole=len(affected) < JUDGEMENTS_MAX)


def _ends(fresh: Iterable[Fresh], since: datetime, newest_at: datetime) -> set[datetime]:
    """Return the ends of the hours that were settled and are over, as far back as is looked."""
    return {
        end
        for each in fresh
        for start in periods.buckets(each.span, Step.HOUR)
        if since < (end := start + HOUR) < newest_at
    }
