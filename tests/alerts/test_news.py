"""[56] Rules on days, months and data quality look in the next round at what changed, and no more.

Late data that come all day do not make a budget be added up all day: once in five minutes.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

import db.fresh
import db.news
from alerts import judging
from alerts.judging import Progress
from db.news import Source
from energy import periods
from energy.periods import Span, Step
from tests import factories
from tests.alerts.conftest import HOUR, NOW, Works
from tests.alerts.test_budget_pace import budget, use
from tests.alerts.test_value_intensity import month, rule, start
from tests.history import assess_all

SOON = timedelta(seconds=5)
TODAY = periods.floor(NOW, Step.DAY)
DAY = timedelta(days=1)


async def standings(works: Works, kind: str) -> dict[str, tuple[str, float]]:
    """Return state and measured value (rounded) of each subject of a rule; unknown: -1."""
    rows = await works.pool.fetch(
        """
        SELECT subject, state, round(coalesce(measured, -1)::numeric, 3)::double precision
               AS measured
          FROM standings
         WHERE rule_id = (SELECT rule_id FROM rules WHERE kind = $1)
        """,
        kind,
    )
    return {row["subject"]: (row["state"], row["measured"]) for row in rows}


async def settled(works: Works, starts_at: datetime) -> None:
    """Leave the mark of settlement of an hour."""
    async with works.pool.acquire() as connection:
        await db.fresh.mark(connection, works.unit_id, [Span(starts_at, starts_at + HOUR)])


async def used(works: Works, tce: float, unit_id: int | None = None) -> None:
    """Let a unit have used so much on each day of this year."""
    await works.pool.execute(
        "UPDATE unit_consumption SET calorific_tce = $2 WHERE unit_id = $1",
        unit_id or works.unit_id,
        tce,
    )


async def test_a_budget_is_judged_again_when_days_of_it_were_settled_but_not_all_the_time(
    works: Works,
) -> None:
    await rule(works, '{"watches": "pace"}', kind="budget_pace")
    await use(works)
    unit = await works.pool.fetchval("SELECT unit FROM units")
    await budget(works, "unit", unit, 3_000)
    progress, now = Progress(), NOW
    await works.evaluate(now=now, progress=progress)
    await used(works, 8.0)
    await settled(works, TODAY + HOUR)  # of today nothing counts yet
    await works.evaluate(now=(now := now + SOON), progress=progress)
    ((_, first),) = (await standings(works, "budget_pace")).values()
    assert first == round(100 * 326 * 7 / 3_000, 3)
    for tce in (8.0, 8.5):
        await used(works, tce)
        await settled(works, TODAY - 2 * DAY)
        await works.evaluate(now=(now := now + SOON), progress=progress)
        ((_, soon),) = (await standings(works, "budget_pace")).values()
        assert soon == round(100 * 326 * 8 / 3_000, 3)
    await works.evaluate(now=now + judging.NEWS_EVERY, progress=progress)
    ((state, later),) = (await standings(works, "budget_pace")).values()
    assert (state, later) == ("ok", round(100 * 326 * 8.5 / 3_000, 3))
    assert await works.pool.fetchval("SELECT count(*) FROM unit_news") == 0


async def test_only_budgets_are_judged_that_are_charged_with_what_was_settled(
    works: Works,
) -> None:
    await rule(works, '{"watches": "pace"}', kind="budget_pace")
    await use(works)
    async with works.pool.acquire() as connection:
        other = await factories.unit(connection, factories.unit_code(2), region="450302")
    await use(Works(works.pool, other, 0, 0))
    for row in await works.pool.fetch("SELECT unit FROM units"):
        await budget(works, "unit", row["unit"], 3_000)
    await budget(works, "city", "450200", 3_000)
    progress = Progress()
    await works.evaluate(progress=progress)
    before = await standings(works, "budget_pace")
    for unit_id in (works.unit_id, other):
        await used(works, 8.0, unit_id)
    await settled(works, TODAY - 2 * DAY)
    await works.evaluate(now=NOW + SOON, progress=progress)
    after = await standings(works, "budget_pace")
    unit = factories.unit_code()
    assert {each for each in after if after[each] != before[each]} == {
        "city/450200/2026-01-01", f"unit/{unit}/2026-01-01",
    }  # fmt: skip


async def test_a_value_is_judged_as_soon_as_it_is_stated(works: Works) -> None:
    await rule(works, '{"period": "month", "limit_tce": 0.5}')
    await month(works, 10, 600.0, None)
    progress = Progress()
    await works.evaluate(progress=progress)
    assert await standings(works, "value_intensity") == {}
    await works.pool.execute(
        "INSERT INTO production (unit_id, product, starts_at, ends_at, output_value_cny)"
        " VALUES ($1, 'all', $2, $3, 10000000)",
        works.unit_id,
        start(10),
        start(11),
    )
    assert await works.evaluate(now=NOW + SOON, progress=progress) == 1
    ((state, measured),) = (await standings(works, "value_intensity")).values()
    assert (state, measured) == ("firing", 0.6)


async def _silent_since_new_year(works: Works) -> None:
    await works.pool.execute(
        "UPDATE units SET commissioned_on = '2026-01-01', created_at = $1", NOW - 20 * DAY
    )
    async with works.pool.acquire() as connection:
        await factories.gateway(connection, works.unit_id)


@pytest.mark.tampers("hours beside their readings")
async def test_what_the_assessment_found_is_judged_in_the_next_round(works: Works) -> None:
    """Who is not connected was judged once an hour; data quality once in five minutes."""
    await rule(works, '{"days": 0}', kind="not_connected")
    await rule(works, '{"check": "offline"}', kind="data_quality")
    await _silent_since_new_year(works)
    progress = Progress()
    await works.evaluate(progress=progress)
    unit = factories.unit_code()
    assert await standings(works, "not_connected") == {unit: ("unknown", 326.0)}
    async with works.pool.acquire() as connection:
        await assess_all(connection, NOW)
    assert await works.evaluate(now=NOW + SOON, progress=progress) >= 2
    assert (await standings(works, "not_connected"))[unit][0] == "firing"
    assert (await standings(works, "data_quality"))[f"{unit}/E01"][0] == "firing"
    assert await works.pool.fetchval("SELECT count(*) FROM unit_news") == 0


@pytest.mark.tampers("hours beside their readings")
async def test_who_is_in_order_after_an_assessment_stands_no_more(works: Works) -> None:
    """Of units that were asked for, what was found is all there is."""
    await rule(works, '{"check": "offline", "bound": 30000}', kind="data_quality")
    await _silent_since_new_year(works)
    async with works.pool.acquire() as connection:
        await assess_all(connection, NOW)
    await works.pool.execute("DELETE FROM unit_news")
    progress = Progress()
    await works.evaluate(progress=progress)
    assert len(await standings(works, "data_quality")) == 2
    await works.pool.execute("UPDATE repairs SET repaired_at = $1 WHERE subject = 'E01'", NOW)
    async with works.pool.acquire() as connection:
        span = Span(NOW - HOUR, NOW)
        await db.news.note(connection, Source.ASSESSED, [(factories.unit_code(), span)])
    await works.evaluate(now=NOW + judging.NEWS_EVERY / 2, progress=progress)
    found = await standings(works, "data_quality")
    assert [*found] == [f"{factories.unit_code()}/P01"]


async def test_nobody_waits_for_an_import_that_is_under_way(works: Works) -> None:
    """What it changes stays to be looked at; what nobody is changing goes."""
    span = Span(start(10), start(11))
    async with works.pool.acquire() as connection:
        await db.news.note(connection, Source.STATED, [(factories.unit_code(), span)])
        await db.news.note(connection, Source.ASSESSED, [(factories.unit_code(), span)])
        async with works.pool.acquire() as importing, importing.transaction():
            await db.news.note(importing, Source.STATED, [(factories.unit_code(), span)])
            seen = await db.news.list_oldest(connection, [*Source], 10)
            await db.news.delete(connection, seen)
        (left,) = await db.news.list_oldest(connection, [*Source], 10)
    assert left.source is Source.STATED
    assert left.fresh.mark > max(each.fresh.mark for each in seen)
