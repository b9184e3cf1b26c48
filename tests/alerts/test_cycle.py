"""From settled hours to letters in the outbox, on a real database."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from structlog.testing import capture_logs

import db.alert_events
import db.alerts
import db.evaluators
from alerts import cycle
from alerts.judging import Progress
from db.pool import Pool
from energy.factors import Unverified
from tests import factories
from tests.alerts.conftest import HOUR, LAST_HOUR, NOW, PUBLIC_URL, Works, contact, limit


async def test_an_overrun_fires_once_and_is_written_about_once(works: Works) -> None:
    await works.made(140.0)
    assert await works.evaluate() == 1
    assert await works.evaluate() == 0
    assert await works.states() == ["firing"]
    assert await works.letters() == [
        ("liuzhou@desk.example", "【预警】水泥厂：clinker 单耗 140 kgce/t，超过基准水平 117")
    ]


async def test_an_alert_that_is_over_is_written_about_again_in_the_same_thread(
    works: Works,
) -> None:
    await works.made(140.0)
    await works.evaluate()
    await works.made(110.0, starts_at=LAST_HOUR + HOUR)
    assert await works.evaluate(now=NOW + HOUR) == 1
    assert await works.states() == ["resolved"]
    rows = await works.pool.fetch("SELECT DISTINCT thread_id FROM outbox")
    assert len(rows) == 1
    assert [subject[:6] for _, subject in await works.letters()] == ["【预警】水泥", "【预警解除】"]


async def test_silence_does_not_resolve_an_alert(works: Works) -> None:
    await works.made(140.0)
    await works.evaluate()
    for hours in range(1, 10):
        assert await works.evaluate(now=NOW + hours * HOUR) == 0
    assert await works.states() == ["firing"]


async def test_a_little_below_the_limit_is_not_over_yet(works: Works) -> None:
    await works.made(140.0)
    await works.evaluate()
    await works.made(116.0, starts_at=LAST_HOUR + HOUR)
    assert await works.evaluate(now=NOW + HOUR) == 0


async def test_a_carrier_without_a_factor_never_makes_a_plant_look_good(works: Works) -> None:
    await works.made(140.0)
    await works.evaluate()
    await works.made(None, starts_at=LAST_HOUR + HOUR)
    assert await works.evaluate(now=NOW + HOUR) == 0
    assert await works.states() == ["firing"]


async def test_a_condition_that_must_hold_is_pending_first(works: Works) -> None:
    await works.pool.execute(
        """UPDATE rule_versions SET parameters = '{"for_h": 1}' WHERE rule_id = 1"""
    )
    await works.made(140.0)
    assert await works.evaluate() == 1
    assert (await works.states(), await works.letters()) == (["pending"], [])
    await works.made(141.0, starts_at=LAST_HOUR + HOUR)
    assert await works.evaluate(now=NOW + HOUR) == 1
    assert len(await works.letters()) == 1
    async with works.pool.acquire() as connection:
        assert await db.alerts.count_fired(connection) == 1


async def test_time_of_which_nothing_is_known_does_not_count_as_held(works: Works) -> None:
    await works.pool.execute(
        """UPDATE rule_versions SET parameters = '{"for_h": 2}' WHERE rule_id = 1"""
    )
    found = []
    for hours in (0, 20, 48, 49):
        await works.made(140.0, starts_at=LAST_HOUR + hours * HOUR)
        found.append(await works.evaluate(now=NOW + hours * HOUR))
    assert found == [1, 0, 1, 0]  # pending, an hour known, two of them
    assert await works.events() == ["pending", "first"]


@pytest.mark.parametrize("late", [0, 1])
async def test_what_was_in_order_by_late_data_begins_anew_to_hold(works: Works, late: int) -> None:
    await works.pool.execute(
        """UPDATE rule_versions SET parameters = '{"for_h": 2}' WHERE rule_id = 1"""
    )
    progress, found = Progress(), []
    for hours in (0, 2):
        await works.made(140.0, starts_at=LAST_HOUR + hours * HOUR)
        await works.evaluate(now=NOW + hours * HOUR, progress=progress)
    await works.came_late(90.0, starts_at=LAST_HOUR + late * HOUR)
    for hours in (3, 4):
        await works.made(140.0, starts_at=LAST_HOUR + hours * HOUR)
        found.append(await works.evaluate(now=NOW + hours * HOUR, progress=progress))
    assert found == [0, 1]  # over for an hour, for two of them


async def test_a_window_of_many_hours_is_judged_as_a_whole(works: Works) -> None:
    await works.pool.execute(
        """UPDATE rule_versions SET parameters = '{"window_h": 4}' WHERE rule_id = 1"""
    )
    for back, value in enumerate((140.0, 100.0, 100.0, 100.0)):
        await works.made(value, starts_at=LAST_HOUR - back * HOUR)
    assert await works.evaluate() == 0
    await works.made(200.0)
    assert await works.evaluate() == 1
    measured = await works.pool.fetchval("SELECT measured FROM alerts")
    assert round(measured, 6) == 125.0


async def test_the_other_basis_is_another_figure(works: Works) -> None:
    await works.pool.execute(
        """UPDATE rule_versions SET parameters = '{"basis": "equivalent"}' WHERE rule_id = 1"""
    )
    await works.made(70.0)
    assert await works.evaluate() == 1


async def test_a_unit_without_a_limit_is_not_watched(works: Works) -> None:
    await works.pool.execute("DELETE FROM limits")
    await works.made(1000.0)
    assert await works.evaluate() == 0


async def test_a_rule_nobody_can_read_does_not_stop_the_others(works: Works) -> None:
    async with works.pool.acquire() as connection:
        await factories.rule(connection, parameters='{"x": 1}')
    await works.made(140.0)
    assert await works.evaluate() == 1


async def test_a_rule_that_cannot_be_judged_does_not_stop_the_others(works: Works) -> None:
    """What is not retryable, here a table that is not there, is told once and tried again."""
    async with works.pool.acquire() as connection:
        await factories.rule(connection, kind="two_high")
    await works.came_late(140.0, starts_at=LAST_HOUR)
    await works.pool.execute("ALTER TABLE two_high_projects RENAME TO projects_away")
    progress, marks = Progress(), "SELECT count(*) FROM fresh_hours"
    with capture_logs() as logs:
        assert await works.evaluate(progress=progress) == 1
        assert await works.pool.fetchval(marks) == 1  # the rule has not looked at it
        await works.pool.execute("ALTER TABLE projects_away RENAME TO two_high_projects")
        await works.evaluate(progress=progress)
    assert await works.pool.fetchval(marks) == 0
    assert [each["event"] for each in logs if "rule_id" in each] == ["rule_not_judged"]


async def test_letters_go_to_the_desks_of_the_county_its_city_and_province_only(
    works: Works,
) -> None:
    for region in ("450000", "450202", "450203", "450300", "450100"):
        await contact(works.pool, region, f"{region}@desk.example")
    await contact(works.pool, "450000", "liuzhou@desk.example")
    await works.made(140.0)
    await works.evaluate()
    assert sorted(address for address, _ in await works.letters()) == [
        "450000@desk.example",
        "450202@desk.example",
        "liuzhou@desk.example",
    ]


async def test_a_hundred_units_of_all_cities_write_to_their_own_city_only(pool: Pool) -> None:
    works = Works(pool, 0, 0, 0)
    await limit(pool, "clinker", baseline=117.0)
    cities = [f"45{number:02}00" for number in range(1, 15)]
    for city in cities:
        await contact(pool, city, f"{city}@desk.example")
    for number in range(100):
        region = cities[number % len(cities)]
        async with pool.acquire() as connection:
            works.unit_id = await factories.unit(
                connection, factories.unit_code(number), region=region
            )
            works.energy_id = await factories.meter(connection, works.unit_id)
            works.output_id = await factories.meter(
                connection, works.unit_id, "P01", uom="t", role="output", product="clinker"
            )
        await works.made(140.0)
    assert await works.evaluate() == 100
    wrong = await pool.fetchval(
        "SELECT count(*) FROM outbox JOIN alerts USING (alert_id) "
        "WHERE recipient_email <> region || '@desk.example'"
    )
    assert (wrong, len(await works.letters())) == (0, 100)


async def test_each_desk_is_greeted_by_its_own_name_and_language_and_reads_where_it_is(
    works: Works,
) -> None:
    await contact(works.pool, "450202", "english@desk.example", language="en")
    await contact(works.pool, "450000", "zhao@desk.example")
    await works.made(140.0)
    await works.evaluate()
    subjects = dict(await works.letters())
    assert subjects["english@desk.example"].startswith("[Warning] 水泥厂: clinker 140 kgce/t, over")
    rows = await works.pool.fetch("SELECT split_part(recipient_email, '@', 1) AS who, body "
                                  "FROM outbox ORDER BY who")  # fmt: skip
    assert [(row["who"], row["body"].split("\n")[2]) for row in rows] == [
        ("english", "To the energy conservation authority, 柳州市城中区"),
        ("liuzhou", "柳州市节能主管部门："),
        ("zhao", "广西壮族自治区节能主管部门："),
    ]
    assert ["柳州市城中区\n" in row["body"][100:] for row in rows] == [True] * 3


async def test_letters_are_there_with_the_alert_or_not_at_all(works: Works) -> None:
    await works.pool.execute("ALTER TABLE outbox ADD CHECK (subject = '')")
    await works.made(140.0)
    with capture_logs() as logs:
        assert await works.evaluate() == 0
    (fault,) = [each for each in logs if each["event"] == "rule_not_judged"]
    assert isinstance(fault["exc_info"], asyncpg.CheckViolationError)
    assert (await works.states(), await works.letters()) == ([], [])


async def test_only_one_evaluator_works_at_a_time(works: Works) -> None:
    await works.made(140.0)
    async with works.pool.acquire() as other:
        assert await db.evaluators.try_lock(other)
        assert await works.evaluate() == 0
        await db.evaluators.unlock(other)
    changed = await asyncio.gather(*(works.evaluate() for _ in range(3)))
    assert sum(changed) == 1
    assert len(await works.letters()) == 1


async def test_a_change_from_a_state_that_is_gone_is_refused(works: Works) -> None:
    await works.made(140.0)
    await works.evaluate()
    async with works.pool.acquire() as connection:
        (alert,) = await db.alerts.list_open(connection, 1)
        assert await db.alerts.resolve(connection, alert, NOW, by=NOW)
        assert not await db.alerts.resolve(connection, alert, NOW, by=NOW)


async def test_the_history_of_an_alert_is_kept(works: Works) -> None:
    await works.made(140.0)
    await works.evaluate()
    await works.made(110.0, starts_at=LAST_HOUR + HOUR)
    await works.evaluate(now=NOW + HOUR)
    async with works.pool.acquire() as connection:
        events = await db.alert_events.list_of(connection, 1)
    assert [(event.kind, round(event.measured or 0)) for event in events] == [
        ("first", 140),
        ("resolved", 110),
    ]


async def test_the_link_leads_to_the_alert(works: Works) -> None:
    await works.made(140.0)
    await works.evaluate()
    body = await works.pool.fetchval("SELECT body FROM outbox")
    alert_id = await works.pool.fetchval("SELECT alert_id FROM alerts")
    assert f"详情（须密钥）：{PUBLIC_URL}/v1/alerts/{alert_id}\n" in body


@pytest.mark.parametrize(
    ("unverified", "named"), [(Unverified.NOTE, True), (Unverified.REFUSE, False)]
)
async def test_a_letter_names_the_factors_in_use_that_nobody_verified(
    works: Works, unverified: Unverified, named: bool
) -> None:
    await works.pool.execute(
        """
        UPDATE rule_versions SET parameters = parameters || '{"basis": "equivalent"}'
         WHERE rule_id = 1
        """
    )
    await works.made(140.0)
    await cycle.evaluate_once(
        works.pool, now=NOW, coverage_floor=0.75, public_url=PUBLIC_URL, unverified=unverified
    )
    body = await works.pool.fetchval("SELECT body FROM outbox")
    assert ("所用系数未经核实：电力 0.302 kgce/kWh（2026）。" in body) == named


async def test_a_letter_on_verified_factors_names_none(works: Works) -> None:
    await works.made(140.0)
    await works.evaluate()
    assert "未经核实" not in await works.pool.fetchval("SELECT body FROM outbox")


async def test_a_limit_that_nobody_checked_warns_nobody_and_leaves_it_unknown(
    works: Works,
) -> None:
    await works.pool.execute("UPDATE limits SET verified = false")
    await works.made(140.0)
    assert await works.evaluate() == 0
    assert (await works.states(), await works.letters()) == ([], [])
    standing = await works.pool.fetchrow("SELECT state, reason FROM standings")
    assert standing is not None
    assert standing["state"] == "unknown"
    assert standing["reason"].startswith("the limit is not verified (edition 2023年版)")
