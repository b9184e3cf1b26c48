"""WARN and UNKNOWN: how each subject stands, since when, and the notices that a rule asks for."""

from __future__ import annotations

from datetime import datetime

import pytest

import db.fresh
from alerts.judging import Progress
from db.pool import Pool
from energy.periods import Span
from tests import factories
from tests.alerts.conftest import HOUR, LAST_HOUR, NOW, Works, contact, limit

QUARTER = HOUR / 4


async def rule(works: Works, parameters: str) -> None:
    await works.pool.execute(
        "UPDATE rule_versions SET parameters = $1 WHERE rule_id = 1", parameters
    )


async def reads(works: Works, *instants: datetime) -> None:
    """Let both meters have said something at instants."""
    await works.pool.executemany(
        """
        INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at)
        VALUES ($1, $2, 1, 'good', $2)
        """,
        [(meter_id, at) for meter_id in (works.energy_id, works.output_id) for at in instants],
    )


async def states(works: Works) -> list[str]:
    rows = await works.pool.fetch("SELECT state FROM standings WHERE rule_id = 1 ORDER BY subject")
    return [row["state"] for row in rows]


@pytest.mark.tampers("hours beside their readings")
async def test_what_is_near_its_threshold_is_shown_and_not_written_about(works: Works) -> None:
    await rule(works, '{"warn_ratio": 0.95}')
    await works.made(114.0)
    await reads(works, NOW - QUARTER)
    assert await works.evaluate() == 0
    assert await states(works) == ["warn"]
    assert (await works.states(), await works.letters()) == ([], [])


async def test_an_early_notice_goes_to_whom_asks_for_all_levels_and_becomes_the_warning(
    works: Works,
) -> None:
    await rule(works, '{"warn_ratio": 0.95, "early_notice": true}')
    await contact(works.pool, "450202", "all@desk.example", level=3)
    await works.made(114.0)
    assert (await works.evaluate(), await works.evaluate()) == (1, 0)
    assert [address for address, _ in await works.letters()] == ["all@desk.example"]
    await works.made(140.0, starts_at=LAST_HOUR + HOUR)
    await works.evaluate(now=NOW + HOUR)
    assert await works.events() == ["early", "first"]
    subjects = [subject[:6] for _, subject in await works.letters()]
    assert subjects == ["【提前提示】", "【预警】水泥", "【预警】水泥"]
    assert await works.pool.fetchval("SELECT count(DISTINCT thread_id) FROM outbox") == 1
    assert await works.pool.fetchval("SELECT about FROM alerts") == "over"


async def test_an_early_notice_ends_quietly_and_does_not_flicker(works: Works) -> None:
    await rule(works, '{"warn_ratio": 0.95, "early_notice": true}')
    await contact(works.pool, "450202", "all@desk.example", level=3)
    for hours, value in enumerate((114.0, 110.5, 114.0, 100.0)):
        await works.made(value, starts_at=LAST_HOUR + hours * HOUR)
        await works.evaluate(now=NOW + hours * HOUR)
    assert await works.events() == ["early", "passed"]
    assert len(await works.letters()) == 1


@pytest.mark.tampers("hours beside their readings")
async def test_gateways_that_stop_are_unknown_within_two_intervals_and_nothing_resolves(
    pool: Pool,
) -> None:
    """[56] 30 % of the gateways stop: their subjects are unknown half an hour later, not OK."""
    works = Works(pool, 0, 0, 0)
    await limit(pool, "clinker", baseline=117.0)
    stopped_at = NOW.replace(minute=0)
    for number in range(10):
        async with pool.acquire() as connection:
            works.unit_id = await factories.unit(connection, factories.unit_code(number))
            works.energy_id = await factories.meter(connection, works.unit_id)
            works.output_id = await factories.meter(
                connection, works.unit_id, "P01", uom="t", role="output", product="clinker"
            )
        await works.made(140.0 if number == 0 else 110.0)
        await reads(works, stopped_at)
        if number >= 3:
            await reads(works, stopped_at + QUARTER, stopped_at + 2 * QUARTER)
    progress = Progress()
    await works.evaluate(progress=progress)
    assert await states(works) == ["firing"] + ["ok"] * 9
    await works.evaluate(now=stopped_at + 2 * QUARTER, progress=progress)
    assert await states(works) == ["unknown"] * 3 + ["ok"] * 7
    assert await works.states() == ["firing"]
    reason = await pool.fetchval("SELECT reason FROM standings ORDER BY subject LIMIT 1")
    assert reason == "no data from E01, P01"


@pytest.mark.tampers("hours beside their readings")
async def test_what_is_unknown_stays_so_since_it_was_and_known_when_data_come(
    works: Works,
) -> None:
    progress = Progress()
    await works.made(110.0)
    await works.evaluate(progress=progress)
    since = "SELECT since_at FROM standings WHERE rule_id = 1"
    assert await works.pool.fetchval(since) == NOW
    await works.evaluate(now=NOW + HOUR, progress=progress)
    assert await works.pool.fetchval(since) == NOW
    await works.made(110.0, starts_at=LAST_HOUR + HOUR)
    await reads(works, NOW + HOUR - QUARTER)
    async with works.pool.acquire() as connection:
        await db.fresh.mark(connection, works.unit_id, [Span(LAST_HOUR + HOUR, NOW + HOUR)])
    await works.evaluate(now=NOW + HOUR, progress=progress)
    assert await states(works) == ["ok"]


@pytest.mark.parametrize("is_open", [False, True])
async def test_a_notice_of_what_is_unknown_goes_out_once_where_the_rule_asks(
    works: Works, is_open: bool
) -> None:
    await rule(works, '{"unknown_h": 6}')
    await contact(works.pool, "450202", "all@desk.example", level=3)
    await works.made(140.0 if is_open else 110.0)
    for hours in (0, 5, 6, 7, 30):
        await works.evaluate(now=NOW + hours * HOUR)
    assert await works.events() == (["first"] if is_open else []) + ["unknown"]
    address, subject = (await works.letters())[-1]
    assert address == "all@desk.example"
    assert subject.startswith("【数据不足提示】水泥厂")
    body = await works.pool.fetchval("SELECT body FROM outbox ORDER BY letter_id DESC LIMIT 1")
    assert "这不表示正常" in body
    foot = body[body.index("本通知发送至") :]
    assert "城中区" in foot
    assert "4502" not in foot.splitlines()[0]
    assert await works.pool.fetchval("SELECT count(*) FROM alerts") == 1


async def test_what_is_known_again_ends_the_notice(works: Works) -> None:
    await rule(works, '{"unknown_h": 6}')
    await works.made(110.0)
    for hours in (0, 7):
        await works.evaluate(now=NOW + hours * HOUR)
    assert await works.states() == ["firing"]
    await works.made(110.0, starts_at=LAST_HOUR + 8 * HOUR)
    await works.evaluate(now=NOW + 8 * HOUR)
    assert await works.events() == ["unknown", "passed"]


async def test_what_a_rule_watches_no_more_does_not_stand(works: Works) -> None:
    await works.made(110.0)
    await works.evaluate()
    await works.pool.execute("DELETE FROM limits")
    await works.evaluate()
    assert await states(works) == []
