"""What is stored otherwise than the readings say is found, named and repaired."""

from __future__ import annotations

from datetime import timedelta

import pytest

import db.reconciliation
from db.pool import Pool
from db.reconciliation import Tally
from energy.factors import Unverified
from energy.periods import LOCAL, Span
from ingest import reconcile
from ingest.reconcile import ALL_TIME
from tests import factories
from tests.ingest.test_settlement import (
    QUARTER,
    SINCE,
    settle_all,
    store,
    stored,
    unit_with_register,
)


@pytest.fixture
async def settled(pool: Pool) -> tuple[int, int]:
    unit_id, meter_id = await unit_with_register(pool, rollover=1_000_000.0)
    shown = [20.0 * n for n in range(400)] + [5.0, 6.0, 7.0, 8.0, 9.0]  # held at the end
    await store(pool, unit_id, [(meter_id, SINCE + QUARTER * n, v) for n, v in enumerate(shown)])
    await settle_all(pool)
    return unit_id, meter_id


async def differences(pool: Pool, *, repair: bool = False) -> list[tuple[str, str]]:
    found = []
    async for _, some in reconcile.of_all(pool, ALL_TIME, repair=repair):
        found += [(each.owner, each.step) for each in some or []]
    return found


async def test_what_was_settled_does_not_differ(pool: Pool, settled: tuple[int, int]) -> None:
    before = await stored(pool)
    assert await differences(pool) == []
    assert await stored(pool) == before


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE meter_consumption SET quantity = quantity + 1 WHERE step = 'hour' AND starts_at = "
        "(SELECT max(starts_at) FROM meter_consumption WHERE step = 'hour' AND NOT held)",
        "UPDATE meter_consumption SET calorific_tce = 0 WHERE step = 'day'",
        "UPDATE meter_consumption SET held = false WHERE held",
        "DELETE FROM meter_consumption WHERE step = 'month'",
        "DELETE FROM meter_consumption WHERE step = 'hour' AND starts_at = "
        "(SELECT min(starts_at) FROM meter_consumption WHERE step = 'hour')",
        "INSERT INTO meter_consumption SELECT meter_id, step, starts_at - INTERVAL '40 days', 5, 0,"
        " 4, false, 1, 1 FROM meter_consumption WHERE step = 'hour' LIMIT 1",
        "UPDATE unit_consumption SET quantity = NULL WHERE step = 'year'",
        "UPDATE meter_consumption SET estimated_quantity = 5 WHERE step = 'hour'",
        "UPDATE unit_consumption SET estimated_quantity = 5 WHERE step = 'day'",
        "INSERT INTO meter_consumption SELECT meter_id, step, starts_at - INTERVAL '400 days', 5,"
        " 0, 4, false, 1, 1 FROM meter_consumption WHERE step = 'day' LIMIT 1",
        "INSERT INTO unit_consumption SELECT unit_id, 'raw_coal', step, starts_at, 5, 0, 4, "
        "false, 1, 1 FROM unit_consumption",
        "INSERT INTO unit_consumption SELECT unit_id, carrier, step, starts_at - INTERVAL '9 days',"
        " 5, 0, 4, false, 1, 1 FROM unit_consumption WHERE step = 'hour'"
        " ON CONFLICT DO NOTHING",
        "DELETE FROM doubts",
        "UPDATE doubts SET held = false, reason = 'lasted'",
        "INSERT INTO doubts SELECT meter_id, first_at - INTERVAL '1 day', last_at - INTERVAL "
        "'1 day', reason, readings, held FROM doubts",
        "UPDATE area_consumption SET quantity = quantity * 1.0001 WHERE step = 'month'",
        "UPDATE area_consumption SET estimated_quantity = 5 WHERE step = 'day'",
        "UPDATE area_consumption SET absolute_quantity = NULL WHERE step = 'day'",
        "UPDATE area_consumption SET calorific_absolute = 5, equivalent_estimated = 5",
        "UPDATE area_consumption SET held = NOT held WHERE step = 'month'",
        "UPDATE area_consumption SET readings_present = 0 WHERE step = 'year'",
        "DELETE FROM area_consumption WHERE step = 'day'",
        "UPDATE readings SET raw_value = raw_value + 3 WHERE read_at = "
        "(SELECT max(read_at) FROM readings WHERE raw_value > 100)",
    ],
)
async def test_what_was_touched_is_named_and_repaired(
    pool: Pool, settled: tuple[int, int], tampering: str
) -> None:
    right = await stored(pool)
    await pool.execute(tampering)
    assert await differences(pool)
    assert await differences(pool, repair=True)
    await settle_all(pool)
    assert await differences(pool) == []
    assert await stored(pool) == right or "UPDATE readings" in tampering


async def test_a_unit_without_meters_has_nothing_to_differ(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await factories.unit(connection)
    assert await differences(pool) == []


async def test_what_waits_to_be_settled_is_no_difference(
    pool: Pool, settled: tuple[int, int]
) -> None:
    unit_id, meter_id = settled
    await store(pool, unit_id, [(meter_id, SINCE - QUARTER * n, 1.0) for n in range(1, 9)])
    assert await differences(pool) == []


@pytest.mark.tampers("a stored sum")
@pytest.mark.parametrize(
    ("division", "carrier", "shift", "is_told"),
    [("C31", "electricity", "0", False), ("C31", "raw_coal", "0", True),
     ("C25", "electricity", "0", True), ("C31", "electricity", "2 months", True)],
)  # fmt: skip
async def test_a_sum_that_waits_hides_itself_alone(
    pool: Pool, settled: tuple[int, int], division: str, carrier: str, shift: str, is_told: bool
) -> None:
    await pool.execute("UPDATE area_consumption SET quantity = 5000 WHERE step = 'month'")
    await pool.execute(
        "INSERT INTO stale_areas (region, division, carrier, starts_at, ends_at) "
        "SELECT region, $1, $2, starts_at - $3::text::interval, "
        "       starts_at - $3::text::interval + INTERVAL '1 hour' "
        "  FROM area_consumption WHERE step = 'month'",
        division, carrier, shift,
    )  # fmt: skip
    assert bool(await differences(pool)) is is_told


@pytest.mark.tampers("a stored sum")
async def test_an_old_month_has_its_turn(pool: Pool, settled: tuple[int, int]) -> None:
    await pool.execute("UPDATE meter_consumption SET quantity = 7 WHERE step = 'day'")
    found = 0
    for night in range(6):
        now = SINCE + timedelta(days=130 + night)
        span = Span(now - reconcile.NIGHTLY_SPAN, now)
        tally = await reconcile.reconcile(pool, span, lambda now=now: now, Unverified.NOTE)  # type: ignore[misc]
        assert tally is not None
        found += tally.differences
    assert found > 0


async def test_a_night_is_reconciled_once_and_what_differed_is_counted(
    pool: Pool, settled: tuple[int, int]
) -> None:
    await pool.execute("UPDATE meter_consumption SET quantity = 7 WHERE step = 'day'")
    now = SINCE + timedelta(days=10)
    span = Span(SINCE - timedelta(days=1), now)
    tally = await reconcile.reconcile(pool, span, lambda: now, Unverified.NOTE)
    assert tally is not None
    assert tally.differences > 0
    noted = await pool.fetchrow(
        "SELECT reconciled_at, units, differences > 0 FROM reconciliations WHERE units = 1"
    )
    assert noted is not None
    assert tuple(noted) == (now, 1, True)
    assert not reconcile.is_due(now + timedelta(minutes=1), now)


async def test_a_night_that_was_broken_off_goes_on_after_the_last_unit(
    pool: Pool, settled: tuple[int, int]
) -> None:
    now = SINCE + timedelta(days=10)
    span = Span(SINCE - timedelta(days=1), now)
    night = (now.astimezone(LOCAL) - reconcile.NIGHT_HOUR).date()
    async with pool.acquire() as connection:
        await factories.unit(connection, factories.unit_code(2))
        begun = await db.reconciliation.claim(connection, night, now, now + reconcile.LEASE)
        assert begun == Tally()
        done = Tally(last_unit=settled[0], units=1, differences=5)
        assert await db.reconciliation.renew(connection, night, done, now + reconcile.LEASE)
    assert await reconcile.reconcile(pool, span, lambda: now, Unverified.NOTE) is None  # not ours
    later = now + 2 * reconcile.LEASE
    tally = await reconcile.reconcile(pool, span, lambda: later, Unverified.NOTE)
    assert tally is not None
    assert (tally.units, tally.differences, tally.failed) == (2, 5, 0)


async def test_whoever_lost_the_lease_leaves_the_night_to_who_is_further(pool: Pool) -> None:
    night = SINCE.date()
    async with pool.acquire() as connection:
        await db.reconciliation.claim(connection, night, SINCE, SINCE)
        assert await db.reconciliation.renew(connection, night, Tally(last_unit=9), SINCE)
        assert not await db.reconciliation.renew(connection, night, Tally(last_unit=5), SINCE)


@pytest.mark.tampers("a meter")
async def test_a_unit_that_cannot_be_settled_is_not_said_to_agree(
    pool: Pool, settled: tuple[int, int]
) -> None:
    await pool.execute("UPDATE meters SET uom = 'bushel'")
    found = [some async for _, some in reconcile.of_all(pool, ALL_TIME, repair=False)]
    assert found == [None, []]
    span = Span(SINCE - timedelta(days=1), SINCE + timedelta(days=10))
    tally = await reconcile.reconcile(pool, span, lambda: span.ends_at, Unverified.NOTE)
    assert tally is not None
    assert (tally.units, tally.failed) == (1, 1)
