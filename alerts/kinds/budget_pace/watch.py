"""Owns asking a rule on energy budgets: what was used day by day is read, now and back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence, Set
from datetime import date, datetime

import db.budgets
import db.standings
from alerts.kinds import past
from alerts.kinds.budget_pace import charges, facts, verdict
from alerts.kinds.budget_pace.parameters import BudgetPace
from alerts.kinds.gone import Gone
from alerts.kinds.kind import Judged, Rule, Surroundings, Tick
from alerts.kinds.past import OutOfBoundsError
from db.alerts import Watched
from db.budgets import AlikeMeters, DaySum, RunningBudget
from db.pool import Connection
from db.scope import Scope
from energy import budgets, periods, roles
from energy.periods import Span, Step

BUDGET_DAYS_MAX = 5_000
"""Budgets times days of one backtest: each is forecast anew."""


async def judge(
    connection: Connection, rule: Rule, around: Surroundings, open_subjects: Set[str]
) -> list[Judged]:
    """Return how the rule finds the budgets that run, after the last whole day.

    Also those that it watched and that ended lately: their last day is the newest one, and its data
    may come late.
    """
    return await _judge(connection, rule, around, await _watched(connection, rule, around))


async def judge_of(
    connection: Connection,
    rule: Rule,
    around: Surroundings,
    open_subjects: Set[str],
    units: Collection[str],
) -> list[Judged]:
    """Return how it finds those that are charged with what units use."""
    watched = await _watched(connection, rule, around)
    charged = await db.budgets.list_charged(connection, list(units))
    return await _judge(
        connection, rule, around, [each for each in watched if each.budget_id in charged]
    )


async def why_gone(
    connection: Connection, rule: Rule, subjects: Collection[str], around: Surroundings
) -> Mapping[str, Gone]:
    """Return whether the periods of budgets are over, or they are there no more."""
    last = charges.through_on(around.now)
    ends_on: dict[str, date] = {}
    for row in await db.budgets.list_all(connection):  # of one subject the last one in order
        ends_on[facts.subject(row)] = row.ends_on
    return {subject: _why_gone(ends_on.get(subject), last) for subject in subjects}


def _why_gone(ends_on: date | None, last: date) -> Gone:
    if ends_on is None:
        return Gone.WITHDRAWN
    return Gone.PERIOD_OVER if ends_on <= last else Gone.LEFT


async def _watched(connection: Connection, rule: Rule, around: Surroundings) -> list[RunningBudget]:
    last = charges.through_on(around.now)
    scope = Scope.of_region(rule.region)
    found = await _running(connection, rule, scope, last - around.amended_within, last)
    if all(last < each.row.ends_on for each in found):
        return found
    known = await db.standings.list_subjects(connection, rule.rule_id)
    return [each for each in found if last < each.row.ends_on or facts.subject(each.row) in known]


async def _judge(
    connection: Connection, rule: Rule, around: Surroundings, watched: Sequence[RunningBudget]
) -> list[Judged]:
    scope, last = Scope.of_region(rule.region), charges.through_on(around.now)
    days, meters = await _charged(connection, scope, watched, last, around.now)
    return _budgets(rule, watched, days, meters, around, around.now)


async def ticks(
    connection: Connection,
    rule: Rule,
    scope: Scope,
    span: Span,
    around: Surroundings,
    open_subjects: Set[str],
) -> AsyncIterator[Tick]:
    """Yield how it would have found them, day by day."""
    ends = past.days(span)
    if not ends:
        return
    first, last = charges.through_on(ends[0]), charges.through_on(ends[-1])
    running = await _running(connection, rule, scope, first, last)
    if len(running) * len(ends) > BUDGET_DAYS_MAX:
        raise OutOfBoundsError(
            f"{len(running):,} budgets over {len(ends):,} days are more than a backtest goes "
            f"through at once: ask for at most {BUDGET_DAYS_MAX // len(running):,} days, or for a "
            "smaller region"
        )
    days, meters = await _charged(connection, scope, running, first, ends[-1])
    for at in ends:
        on = charges.through_on(at)
        then = [each for each in running if each.row.starts_on <= on < each.row.ends_on]
        yield at, _budgets(rule, then, days, meters, around, at)


async def _running(
    connection: Connection, rule: Rule, scope: Scope, first_on: date, last_on: date
) -> list[RunningBudget]:
    found = await db.budgets.list_running(connection, scope, first_on=first_on, last_on=last_on)
    owners = _parameters(rule).owners
    return [each for each in found if each.row.owner_kind in owners]


async def _charged(
    connection: Connection,
    scope: Scope,
    running: Sequence[RunningBudget],
    first_on: date,
    until: datetime,
) -> tuple[list[DaySum], list[AlikeMeters]]:
    """Return the days of budgets, as far back as a forecast looks, and who owes readings."""
    if not running:
        return [], []
    ids = [each.budget_id for each in running]
    since = min(budgets.history_starts_on(each.row.starts_on, first_on) for each in running)
    days = await db.budgets.list_days(
        connection, scope, ids, charges.instant(since), periods.floor(until, Step.DAY)
    )
    meters = await db.budgets.list_meters(connection, scope, ids, roles=roles.COUNTING)
    return days, meters


def _parameters(rule: Rule) -> BudgetPace:
    assert isinstance(rule.parameters, BudgetPace)
    return rule.parameters


def _budgets(
    rule: Rule,
    running: Sequence[RunningBudget],
    days: Sequence[DaySum],
    meters: Sequence[AlikeMeters],
    around: Surroundings,
    at: datetime,
) -> list[Judged]:
    standings = charges.standings(
        {each.budget_id: each.row for each in running},
        days,
        meters,
        at,
        coverage_floor=around.coverage_floor,
    )
    parameters, judged = _parameters(rule), []
    for each in running:
        found = facts.budget(each, standings[each.budget_id], parameters.watches)
        said = verdict.budget(found, parameters)
        if said is not None:
            watched = Watched(rule.rule_id, found.region, each.unit_id, found.subject, rule.version)
            judged.append(Judged(watched, found, said))
    return judged
