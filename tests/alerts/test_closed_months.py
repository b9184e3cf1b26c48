"""[56] Months and budgets that are over: late or corrected data are told in the thread."""

from __future__ import annotations

from datetime import date, datetime

import db.fresh
from alerts import cycle
from energy.periods import Span
from tests.alerts.conftest import FLOOR, HOUR, NOW, PUBLIC_URL, Works
from tests.alerts.test_budget_pace import use
from tests.alerts.test_news import DAY, SOON, settled, used
from tests.alerts.test_value_intensity import month, rule, start

JUST_OVER = start(11) + HOUR
"""October is over since an hour."""


async def test_a_closed_month_is_amended_when_its_energy_turns_out_to_be_another(
    works: Works,
) -> None:
    """September was over its limit, as a letter said; October is the newest month by now."""
    await rule(works, '{"period": "month", "limit_tce": 0.5}')
    await month(works, 9, 600.0, 10_000_000.0)
    await works.evaluate(now=start(10) + HOUR)
    await month(works, 10, 400.0, 10_000_000.0)
    await works.evaluate(now=JUST_OVER)
    assert await works.events() == ["first", "resolved"]
    for tce in (700.0, 450.0):
        await month(works, 9, tce, None)
        await settled(works, start(10) - 3 * DAY)
        await works.evaluate(now=JUST_OVER + SOON)
    assert (await works.events())[2:] == ["amended", "retracted"]
    told = [subject for _, subject in await works.letters()]
    assert told[2:] == [
        "【预警更正】水泥厂：2026年9月万元产值能耗 0.7 tce，超过限值 0.5 tce",
        "【预警撤回】水泥厂：2026年9月万元产值能耗 0.45 tce，未超过限值 0.5 tce",
    ]


async def test_a_value_that_is_stated_late_is_told_late(works: Works) -> None:
    """Nobody could know of September while only the months around it were stated."""
    await rule(works, '{"period": "month", "limit_tce": 0.5}')
    await month(works, 8, 400.0, 10_000_000.0)
    await month(works, 9, 600.0, None)
    await evaluate_for_90_days(works, start(9) + HOUR)
    await month(works, 10, 400.0, 10_000_000.0)
    await evaluate_for_90_days(works, JUST_OVER)
    assert await works.events() == []
    await month(works, 9, 600.0, 10_000_000.0)
    await evaluate_for_90_days(works, JUST_OVER + SOON)
    assert await works.events() == ["late", "resolved"]


async def evaluate_for_90_days(works: Works, now: datetime) -> None:
    """Judge again what ended within 90 days: values are stated weeks after their month."""
    await cycle.evaluate_once(
        works.pool, now=now, coverage_floor=FLOOR, public_url=PUBLIC_URL, amended_within=90 * DAY
    )


async def october(works: Works, amount_tce: float) -> None:
    """Let the unit have a budget for October alone."""
    await works.pool.execute(
        """
        INSERT INTO energy_budgets (owner_kind, owner, starts_on, ends_on, amount_tce, basis,
                                    source)
        SELECT 'unit', unit, $1, $2, $3, 'calorific', 'test'
          FROM units
        """,
        date(2026, 10, 1),
        date(2026, 11, 1),
        amount_tce,
    )


async def test_a_budget_that_has_ended_is_judged_again_while_its_data_may_come_late(
    works: Works,
) -> None:
    """217 tce of 200 were used in October; then 232.5 turn out to have been, and 186."""
    await rule(works, '{"remind_h": 0}', kind="budget_pace")
    await use(works)
    await october(works, 200.0)
    await works.evaluate(now=JUST_OVER)
    assert await works.events() == ["first"]
    for tce in (7.01, 7.5, 6.0):
        await used(works, tce)
        await settled(works, start(11) - 3 * DAY)
        await works.evaluate(now=NOW)
    assert await works.events() == ["first", "amended", "retracted"]
    assert (
        await works.pool.fetchval("SELECT state FROM standings WHERE subject LIKE 'unit%'") == "ok"
    )


async def test_a_rule_does_not_tell_of_budgets_that_ended_before_it_watched(works: Works) -> None:
    await rule(works, "{}", kind="budget_pace")
    await use(works)
    await october(works, 200.0)
    assert await works.evaluate(now=NOW) == 0
    async with works.pool.acquire() as connection:
        await db.fresh.mark(connection, works.unit_id, [Span(start(11) - DAY, start(11))])
    assert await works.evaluate(now=NOW) == 0
