"""Owns how energy budgets stand at an instant, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import db.budgets
from alerts.kinds.budget_pace import charges
from app.depends import Caller
from db.budgets import BudgetEntry, BudgetRow
from energy import budgets, periods, roles
from energy.budgets import Obstacle, Standing
from energy.factors import Unverified
from energy.forecast import IsWorkday, Outlook, Projection
from energy.periods import Span, Step

NO_FORECAST_ZH = {
    Obstacle.NOT_STARTED: "预算期尚未开始",
    Obstacle.NO_DATA: "预算期内没有数据",
    Obstacle.FACTOR_MISSING: "有能源品种缺少折标准煤系数",
    Obstacle.HELD: "有表底数待核",
    Obstacle.COVERAGE_TOO_LOW: "数据完整率过低",
    Obstacle.TOO_FEW_DAYS: "有数据的天数不足",
}
NO_FORECAST_EN = {
    Obstacle.NOT_STARTED: "its period has not begun",
    Obstacle.NO_DATA: "there are no data in its period",
    Obstacle.FACTOR_MISSING: "a carrier has no coal equivalent factor",
    Obstacle.HELD: "a register step waits for review",
    Obstacle.COVERAGE_TOO_LOW: "too many readings are missing",
    Obstacle.TOO_FEW_DAYS: "too few days are known",
}


@dataclass(frozen=True, slots=True)
class Charged:
    """A budget with how it stands; `unverified` are carriers by factors that nobody verified."""

    entry: BudgetEntry
    standing: Standing
    unverified: list[str]


async def charged(
    caller: Caller,
    entries: Sequence[BudgetEntry],
    at: datetime,
    *,
    coverage_floor: float,
    is_workday: IsWorkday,
) -> list[Charged]:
    """Return how `entries` stand after the last whole day (Asia/Shanghai) before `at`."""
    if not entries:
        return []
    ends_at = periods.floor(at, Step.DAY)
    rows = {entry.budget_id: entry.row for entry in entries}
    last = charges.through_on(at)
    first = min(budgets.history_starts_on(row.starts_on, last) for row in rows.values())
    first_at, ids = charges.instant(first), list(rows)
    standings = charges.standings(
        rows,
        await db.budgets.list_days(caller.connection, caller.scope, ids, first_at, ends_at),
        await db.budgets.list_meters(caller.connection, caller.scope, ids, roles=roles.COUNTING),
        at,
        coverage_floor=coverage_floor,
        is_workday=is_workday,
    )
    doubtful = await _unverified(caller, ids, ends_at)
    return [
        Charged(
            entry,
            standings[entry.budget_id],
            [carrier for budget, carrier in doubtful if budget == entry.budget_id],
        )
        for entry in entries
    ]


def span(rows: Sequence[BudgetRow], at: datetime) -> Span:
    """Return the days of which `charged` wants to know, up to the day that holds `at`."""
    ends_at = periods.following(periods.floor(at, Step.DAY), Step.DAY)
    last = charges.through_on(at)
    starts_on = min(budgets.history_starts_on(row.starts_on, last) for row in rows)
    return Span(charges.instant(starts_on).astimezone(UTC), ends_at)


async def _unverified(
    caller: Caller, budgets: Sequence[int], at: datetime
) -> list[tuple[int, str]]:
    """Return (budget, carrier) of unverified factors that are used; refused, none is."""
    if caller.unverified is Unverified.REFUSE:
        return []
    return await db.budgets.list_unverified(
        caller.connection, caller.scope, budgets, at, roles=roles.COUNTING
    )


def sentence_zh(amount_tce: float, standing: Standing) -> str:
    """Return how a budget stands, for people."""
    found = standing.projection
    if found is None:
        assert standing.obstacle is not None
        return f"{tce(amount_tce)} tce 预算暂不能预测：{NO_FORECAST_ZH[standing.obstacle]}"
    subject = f"按目前用能水平，{tce(amount_tce)} tce 预算"
    match found.outlook:
        case Outlook.EXHAUSTED:
            return f"{tce(amount_tce)} tce 预算已于{_day_zh(found.runs_out_on)}用完"
        case Outlook.RUNS_OUT:
            band = f"{_day_zh(found.earliest_on)}—{_day_zh(found.latest_on)}"
            return f"{subject}将于{_day_zh(found.runs_out_on)}用完（{band}）"
        case Outlook.MAY_RUN_OUT:
            return f"{subject}够用；用能偏高时可能于{_day_zh(found.earliest_on)}用完"
        case Outlook.LASTS:
            return f"{subject}够用：期末预计 {_band(found)}"


def sentence_en(amount_tce: float, standing: Standing) -> str:
    """Return how a budget stands, for people."""
    found = standing.projection
    if found is None:
        assert standing.obstacle is not None
        return (
            f"there is no forecast for the {tce(amount_tce)} tce budget: "
            f"{NO_FORECAST_EN[standing.obstacle]}"
        )
    subject = f"at today's rate the {tce(amount_tce)} tce budget"
    match found.outlook:
        case Outlook.EXHAUSTED:
            return f"the {tce(amount_tce)} tce budget was used up on {_day_en(found.runs_out_on)}"
        case Outlook.RUNS_OUT:
            band = f"{_day_en(found.earliest_on)} – {_day_en(found.latest_on)}"
            return f"{subject} ends on {_day_en(found.runs_out_on)} ({band})"
        case Outlook.MAY_RUN_OUT:
            return f"{subject} lasts; if use is high it may end on {_day_en(found.earliest_on)}"
        case Outlook.LASTS:
            return f"{subject} lasts: {_band(found)} expected at the end of its period"


def tce(value: float) -> str:
    """Return an amount of standard coal as people read it. [tce]

    >>> tce(21_500_000.0), tce(2400.0), tce(12.345)
    ('21,500,000', '2,400', '12.35')
    """
    text = f"{value:,.2f}"
    return text.rstrip("0").rstrip(".")


def _band(found: Projection) -> str:
    expected, low, high = map(tce, (found.expected_tce, found.low_tce, found.high_tce))
    return f"{expected} tce ({low} – {high})"


def _day_zh(on: date | None) -> str:
    return "期末以后" if on is None else f"{on.month}月{on.day}日"


def _day_en(on: date | None) -> str:
    return "after its period" if on is None else f"{on.day} {on:%b}"
