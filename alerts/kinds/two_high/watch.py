"""Owns asking a rule on two-high projects: figures of regions and the list are read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence, Set

import db.figures
import db.two_high
from alerts.kinds import past
from alerts.kinds.kind import Judged, Rule, Surroundings, Tick
from alerts.kinds.region_level import facts as region_facts
from alerts.kinds.region_level.facts import Ladder
from alerts.kinds.two_high import facts, verdict
from alerts.kinds.two_high.parameters import TwoHigh
from db.alerts import Watched
from db.figures import FigureRow, TargetRow
from db.pool import Connection
from db.scope import Scope
from db.two_high import TwoHighRow
from energy.periods import Span


async def judge(
    connection: Connection, rule: Rule, around: Surroundings, open_subjects: Set[str]
) -> list[Judged]:
    """Return what the rule makes of the newest figures and of the list as it is."""
    figures = await db.figures.list_figures(connection)
    return _regions(
        rule,
        region_facts.within(figures, Scope.of_region(rule.region)),
        await db.figures.list_targets(connection),
        await db.two_high.list_all(connection),
        around,
    )


async def ticks(
    connection: Connection,
    rule: Rule,
    scope: Scope,
    span: Span,
    around: Surroundings,
    open_subjects: Set[str],
) -> AsyncIterator[Tick]:
    """Yield what the rule would have made of them, day by day; the list is that of now."""
    ends = past.days(span)
    figures = region_facts.within(await db.figures.list_figures(connection), scope)
    targets = await db.figures.list_targets(connection)
    projects = await db.two_high.list_all(connection)
    for at in ends:
        known = region_facts.over(figures, at)
        yield at, _regions(rule, known, targets, projects, around)


def _regions(
    rule: Rule,
    figures: Iterable[FigureRow],
    targets: Iterable[TargetRow],
    projects: Sequence[TwoHighRow],
    around: Surroundings,
) -> list[Judged]:
    assert isinstance(rule.parameters, TwoHigh)
    found = region_facts.regions(figures, targets, around.region_names, Ladder())
    return [
        Judged(
            Watched(rule.rule_id, each.region.region, None, each.region.subject, rule.version),
            each,
            verdict.region(each),
        )
        for each in facts.regions(found, projects, rule.parameters)
    ]
