"""Owns how budgets stand: what their units used, day by day, put together from rows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta

from db.budgets import AlikeMeters, BudgetRow, DaySum
from energy import budgets, forecast, periods, workdays
from energy.budgets import DayUse, Standing
from energy.coverage import Calendar, Due
from energy.periods import LOCAL, Span, Step

DAY = timedelta(days=1)


def through_on(at: datetime) -> date:
    """Return the last whole day (Asia/Shanghai) before `at`."""
    return periods.floor(at, Step.DAY).astimezone(LOCAL).date() - DAY


def instant(on: date) -> datetime:
    return datetime.combine(on, time(), LOCAL)


def is_workday(on: date) -> bool:
    """Return whether a day is worked in China; in years not published yet: Monday to Friday."""
    known = workdays.is_workday(on)
    return forecast.monday_to_friday(on) if known is None else known


def standings(
    rows: Mapping[int, BudgetRow],
    sums: Iterable[DaySum],
    meters: Iterable[AlikeMeters],
    at: datetime,
    *,
    coverage_floor: float,
    is_workday: Callable[[date], bool] = is_workday,
) -> dict[int, Standing]:
    """Return how budgets stand after the last whole day before `at`.

    `sums` may go beyond it: what came later is left alone.
    """
    last = through_on(at)
    by_budget: dict[int, dict[date, DaySum]] = {}
    for one in sums:
        by_budget.setdefault(one.budget_id, {})[one.starts_at.astimezone(LOCAL).date()] = one
    owing: dict[int, list[AlikeMeters]] = {}
    for alike in meters:
        owing.setdefault(alike.budget_id, []).append(alike)
    return {
        number: budgets.standing(
            row.amount_tce,
            row.starts_on,
            row.ends_on,
            _days(
                budgets.history_starts_on(row.starts_on, last),
                last,
                by_budget.get(number, {}),
                owing.get(number, []),
                at,
            ),
            coverage_floor=coverage_floor,
            is_workday=is_workday,
        )
        for number, row in rows.items()
    }


def _days(
    starts_on: date,
    last: date,
    used: Mapping[date, DaySum],
    meters: Sequence[AlikeMeters],
    now: datetime,
) -> list[DayUse]:
    """Return each day from `starts_on` through `last`, also those without data."""
    on = [starts_on + timedelta(days=n) for n in range((last - starts_on).days + 1)]
    due = Due(Calendar([Span(instant(day), instant(day + DAY)) for day in on], now))
    for alike in meters:
        due.add(alike.kind, alike.interval_s, alike.due_from, alike.meters, ends_at=alike.due_to)
    counts = due.counts()
    return [_day(day, used.get(day), owed) for day, owed in zip(on, counts, strict=True)]


def _day(on: date, used: DaySum | None, due: int) -> DayUse:
    if used is None:
        return DayUse(on, None, 0.0, 0.0, 0, due)
    return DayUse(
        on,
        used.tce,
        used.estimated_tce,
        used.absolute_tce,
        used.readings_present,
        due,
        used.held,
        tuple(used.left_out),
    )
