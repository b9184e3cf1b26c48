"""[56] Closed days, shifts and months judged again; what comes back; other versions of a rule."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

import db.fresh
from energy import periods
from energy.periods import Span, Step
from tests.alerts.conftest import HOUR, LAST_HOUR, NOW, Works

TODAY = periods.floor(NOW, Step.DAY)
DAY = timedelta(days=1)
AGO = LAST_HOUR - 30 * HOUR


async def watches(works: Works, parameters: str) -> None:
    await works.pool.execute(
        "UPDATE rule_versions SET parameters = $1 WHERE rule_id = 1", parameters
    )


async def next_version(works: Works) -> None:
    """Let the rule have another version that says something else."""
    await works.pool.execute(
        """
        INSERT INTO rule_versions
        SELECT (jsonb_populate_record(held, '{"version": 2}')).*
          FROM rule_versions AS held
         WHERE rule_id = 1
        """
    )


async def used(works: Works, intensity: float, starts_at: datetime) -> None:
    """Settle a day and one shift of it at so many kgce/t, with the mark of one of its hours."""
    await works.settled(works.energy_id, starts_at, 96, tce=intensity * 0.1, step="day")
    await works.settled(works.output_id, starts_at, 96, quantity=100.0, step="day")
    for hour in range(8):
        await works.made(intensity, starts_at=starts_at + hour * HOUR)
    async with works.pool.acquire() as connection:
        late = starts_at + 3 * HOUR
        await db.fresh.mark(connection, works.unit_id, [Span(late, late + HOUR)])


async def month_until(works: Works, window: str, until: datetime) -> None:
    """Settle the days of the month before one of its days, where the window holds them."""
    at = periods.floor(until, Step.MONTH)
    while window == "month_to_date" and at < until:
        await used(works, 117.0, at)
        at += DAY


def looks_at(window: str, starts_at: datetime) -> datetime:
    """Return the instant at which the period of a window that `used` settles is the newest."""
    return starts_at + (8 * HOUR if window == "shift" else DAY) + HOUR / 12


@pytest.mark.parametrize("window", ["day", "shift", "month_to_date"])
async def test_a_closed_period_is_judged_again_when_its_hours_change(
    works: Works, window: str
) -> None:
    await watches(works, f'{{"window": "{window}"}}')
    ago = TODAY - 3 * DAY
    await month_until(works, window, ago)
    await used(works, 140.0, ago)
    await works.evaluate(now=looks_at(window, ago))
    assert await works.events() == ["first"]
    await used(works, 110.0, ago)
    await works.evaluate()
    assert await works.events() == ["first", "retracted"]
    assert await works.pool.fetchval("SELECT count(*) FROM fresh_hours") == 0


async def test_a_day_of_which_nothing_was_known_is_told_late(works: Works) -> None:
    await watches(works, '{"window": "day"}')
    for back in (5, 4, 2, 1):
        await used(works, 110.0, TODAY - back * DAY)
    for back in (4, 3, 0):
        await works.evaluate(now=TODAY - back * DAY + HOUR)
    await used(works, 140.0, TODAY - 3 * DAY)
    await works.evaluate()
    assert await works.events() == ["late", "resolved"]


@pytest.mark.parametrize("window", ["day", "shift", "month_to_date"])
async def test_the_newest_period_is_a_warning_and_no_late_one(works: Works, window: str) -> None:
    """It ends before the full hour, which is none of its own."""
    await watches(works, f'{{"window": "{window}"}}')
    await month_until(works, window, TODAY - 2 * DAY)
    await used(works, 110.0, TODAY - 2 * DAY)
    await works.evaluate(now=looks_at(window, TODAY - 2 * DAY))
    await used(works, 160.0, TODAY - DAY)
    await works.evaluate(now=looks_at(window, TODAY - DAY) + HOUR)
    assert await works.events() == ["first"]
    assert [subject[:4] for _, subject in await works.letters()] == ["【预警】"]


async def test_what_another_version_found_is_not_said_to_have_changed(works: Works) -> None:
    await works.made(140.0, starts_at=AGO)
    await works.evaluate(now=AGO + HOUR)
    await works.made(110.0)
    await works.evaluate()
    await next_version(works)
    await works.came_late(150.0, starts_at=AGO)
    await works.evaluate()
    assert await works.events() == ["first", "resolved"]
    kept = await works.pool.fetchrow("SELECT measured, rule_version FROM judgements WHERE"
                                     " alert_id IS NOT NULL ORDER BY ends_at LIMIT 1")  # fmt: skip
    assert kept is not None
    assert tuple(kept) == (140.0, 1)
    assert await works.pool.fetchval("SELECT count(*) FROM fresh_hours") == 0


async def test_what_another_version_found_in_order_is_not_told_late(works: Works) -> None:
    for starts_at in (AGO - HOUR, AGO):
        await works.made(110.0, starts_at=starts_at)
        await works.evaluate(now=starts_at + HOUR)
    await next_version(works)
    await works.made(110.0)
    await works.evaluate()
    await works.came_late(140.0, starts_at=AGO)
    await works.evaluate()
    assert await works.events() == []


async def test_an_alert_that_was_withdrawn_comes_back_when_its_data_do(works: Works) -> None:
    await works.made(110.0, starts_at=AGO - HOUR)
    await works.evaluate(now=AGO)
    await works.made(140.0, starts_at=AGO)
    await works.evaluate(now=AGO + HOUR)
    await works.made(110.0)
    await works.evaluate()
    for intensity in (110.0, 141.0, 109.0, 142.0):
        await works.came_late(intensity, starts_at=AGO)
        await works.evaluate()
        assert await works.evaluate() == 0
    assert await works.events() == [
        "first", "resolved", "retracted", "late", "resolved", "retracted", "late", "resolved",
    ]  # fmt: skip
    subjects = [subject[:4] for _, subject in await works.letters()]
    assert subjects == ["【预警】", "【预警解", "【预警撤", "【补发预", "【预警撤", "【补发预"]
