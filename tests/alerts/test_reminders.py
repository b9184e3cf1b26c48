"""Who is reminded: nobody of what was acknowledged, everybody else once in a while."""

from __future__ import annotations

from datetime import timedelta

import db.alert_events
import db.alerts
import db.outbox
from db.alerts import Finding
from db.pool import Pool
from db.scope import Scope
from tests import factories
from tests.alerts.conftest import HOUR, LAST_HOUR, NOW, Works, contact

DAY = timedelta(days=1)


async def over(works: Works, after: timedelta) -> int:
    """Let the works be over its limit in the hour before NOW and `after`; return the changes."""
    await works.made(140.0, starts_at=LAST_HOUR + after)
    return await works.evaluate(now=NOW + after)


async def acknowledge(works: Works) -> bool:
    async with works.pool.acquire() as connection, connection.transaction():
        taken = await db.alert_events.acknowledge(connection, Scope("4502"), 1, "qian", NOW)
        await db.outbox.drop_reminders(connection, 1)
    return taken


async def kinds(pool: Pool) -> list[str]:
    rows = await pool.fetch("SELECT kind FROM alert_events ORDER BY event_id")
    return [row["kind"] for row in rows]


async def test_an_alert_nobody_takes_care_of_is_reminded_of_once_a_day(works: Works) -> None:
    await over(works, 0 * DAY)
    assert await over(works, 23 * HOUR) == 0
    assert await over(works, 1 * DAY) == 1
    assert await over(works, 25 * HOUR) == 0
    assert await over(works, 2 * DAY) == 1
    assert await kinds(works.pool) == ["first", "reminder", "reminder"]
    assert [subject[:6] for _, subject in await works.letters()] == [
        "【预警】水泥",
        *["【预警提醒】"] * 2,
    ]
    assert await works.states() == ["firing"]


async def test_an_acknowledged_alert_sends_no_reminder(works: Works) -> None:
    await over(works, 0 * DAY)
    assert await works.evaluate(now=NOW + 2 * DAY) == 0  # it cannot be told: nobody is reminded
    assert await acknowledge(works)
    assert not await acknowledge(works)
    assert await over(works, 1 * DAY) == 0
    assert await over(works, 9 * DAY) == 0
    assert len(await works.letters()) == 1


async def test_a_reminder_that_waits_is_dropped_when_somebody_takes_care(works: Works) -> None:
    await over(works, 0 * DAY)
    await over(works, 1 * DAY)
    await acknowledge(works)
    rows = await works.pool.fetch("SELECT state FROM outbox ORDER BY letter_id")
    assert [row["state"] for row in rows] == ["waiting", "dropped"]
    await works.made(100.0, starts_at=LAST_HOUR + DAY + HOUR)
    assert await works.evaluate(now=NOW + DAY + HOUR) == 1


async def test_a_rule_can_leave_reminders_out(works: Works) -> None:
    await works.pool.execute(
        """UPDATE rule_versions SET parameters = '{"remind_h": 0}' WHERE rule_id = 1"""
    )
    await over(works, 0 * DAY)
    assert await over(works, 30 * DAY) == 0


async def test_who_acknowledged_a_milder_level_did_not_acknowledge_a_worse_one(
    works: Works,
) -> None:
    await over(works, 0 * DAY)
    await works.pool.execute("UPDATE alerts SET level = 2")
    await acknowledge(works)
    async with works.pool.acquire() as connection:
        for level, is_left in ((2, True), (1, False)):
            (alert,) = await db.alerts.list_open(connection, 1)
            finding = Finding(level, alert.period, 2, 1, "kgce/t", 1, 0, "over")
            assert await db.alerts.change(connection, alert, finding, alert.state, NOW)
            (alert,) = await db.alerts.list_open(connection, 1)
            assert alert.is_acknowledged is is_left


async def test_a_rule_of_a_city_watches_and_writes_in_that_city_only(works: Works) -> None:
    await contact(works.pool, "450000", "province@desk.example")
    async with works.pool.acquire() as connection:
        await factories.rule(connection, name="of another city", region="450300")
    await works.pool.execute(VERSION, 2, '{"keeps_narrower_back": false}', NOW - HOUR)
    await works.made(140.0)
    assert await works.evaluate() == 1
    async with works.pool.acquire() as connection:
        await factories.rule(connection, name="of the city", region="450200")
    assert await works.evaluate() == 1
    assert [address for address, _ in await works.letters()] == [
        "liuzhou@desk.example",
        "province@desk.example",
        "liuzhou@desk.example",
    ]


VERSION = """
INSERT INTO rule_versions (rule_id, version, name, parameters, holds_from, stated_at, actor, reason)
VALUES (1, $1, 'r', $2, $3, $3, 'a', 'r')
"""


async def test_the_version_whose_time_has_come_judges_and_is_named(works: Works) -> None:
    await works.pool.execute(VERSION, 2, '{"for_h": 1}', NOW + HOUR)
    await works.made(140.0)
    await works.evaluate()
    assert await works.states() == ["firing"]
    await works.pool.execute(
        "DELETE FROM outbox; DELETE FROM alert_events; DELETE FROM alert_cases; DELETE FROM alerts"
    )
    assert await over(works, 1 * HOUR) == 1
    row = await works.pool.fetchrow(
        "SELECT state, alerts.rule_version, alert_events.rule_version AS judged "
        "FROM alerts JOIN alert_events USING (alert_id)"
    )
    assert row is not None
    assert tuple(row) == ("pending", 2, 2)


async def test_a_later_version_takes_the_place_of_one_whose_time_has_not_come(
    works: Works,
) -> None:
    await works.pool.execute(VERSION, 2, '{"for_h": 9}', NOW + HOUR)
    await works.pool.execute(VERSION, 3, "{}", NOW)
    assert await over(works, 2 * HOUR) == 1
    assert await works.states() == ["firing"]


async def test_the_alerts_of_a_rule_that_is_ended_are_closed_and_nobody_is_told_all_is_well(
    works: Works,
) -> None:
    await over(works, 0 * DAY)
    await over(works, 1 * DAY)
    await works.pool.execute(VERSION, 2, None, NOW + DAY)
    assert await works.evaluate(now=NOW + DAY) == 1
    assert await works.evaluate(now=NOW + DAY) == 0
    assert (await works.states(), (await kinds(works.pool))[-1]) == (["resolved"], "rule_ended")
    rows = await works.pool.fetch("SELECT state FROM outbox ORDER BY letter_id")
    assert [row["state"] for row in rows] == ["waiting", "dropped"]
