"""What nobody takes care of in time is raised, in virtual time; level 1 opens its task."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import db.alert_cases
import db.alert_events
import db.alerts
import db.outbox
import db.tasks
from db.alerts import Finding
from db.pool import Pool
from db.scope import Scope
from energy.workdays import NoDeadline
from tests.alerts.conftest import HOUR, LAST_HOUR, NOW, Works, contact
from tests.alerts.test_silences import silence

DAY = timedelta(days=1)
PARAMETERS = '{"remind_h": 0, "due_workdays": {"acknowledge": 2, "remedy": 5}}'
"""NOW is a Monday: to be acknowledged by Wednesday, raised on Thursday and Saturday."""


@pytest.fixture
async def owed(works: Works) -> Works:
    """The works, over their limit; contacts of their county, its city and the province."""
    await works.pool.execute(
        "UPDATE rule_versions SET parameters = $1::text::jsonb WHERE rule_id = 1", PARAMETERS
    )
    await works.pool.execute("DELETE FROM contacts")
    for region in ("450202", "450200", "450000"):
        await contact(works.pool, region, f"{region}@desk.example")
    await works.made(140.0)
    assert await works.evaluate() == 1
    await works.pool.execute("DELETE FROM outbox")
    return works


async def letters(works: Works) -> list[tuple[str, str]]:
    return [(address[:6], subject.partition("】")[0]) for address, subject in await works.letters()]


async def events(pool: Pool) -> list[str]:
    rows = await pool.fetch("SELECT kind FROM alert_events ORDER BY event_id")
    return [row["kind"] for row in rows]


async def test_nobody_acknowledges_and_it_is_raised_once_to_each_region_up(owed: Works) -> None:
    for days in (0, 2, 3, 4, 5, 6, 7, 12):
        await owed.evaluate(now=NOW + days * DAY)
    assert await letters(owed) == [("450200", "【逾期上报"), ("450000", "【逾期上报")]
    assert await events(owed.pool) == ["first", "raised_to", "raised_to"]
    row = await owed.pool.fetchrow("SELECT DISTINCT thread_id, reminds FROM outbox")
    assert row is not None
    assert (row["thread_id"].split(".")[0], row["reminds"]) == ("<alert-1", True)
    body = await owed.pool.fetchval("SELECT body FROM outbox ORDER BY letter_id LIMIT 1")
    assert "柳州市节能主管部门：" in body
    assert "应于 2026-11-25 前确认" in body


async def test_it_is_raised_past_a_city_without_contacts(owed: Works) -> None:
    await owed.pool.execute("DELETE FROM contacts WHERE region = '450200'")
    await owed.evaluate(now=NOW + 3 * DAY)
    assert await letters(owed) == [("450000", "【逾期上报")]
    newest = "SELECT reason FROM alert_events ORDER BY event_id DESC"
    assert str(await owed.pool.fetchval(newest)).endswith("raised to 广西壮族自治区 (450000)")


async def test_where_no_contact_is_above_the_history_says_so(owed: Works) -> None:
    await owed.pool.execute("DELETE FROM contacts WHERE region <> '450202'")
    await owed.evaluate(now=NOW + 3 * DAY)
    newest = await owed.pool.fetchval("SELECT reason FROM alert_events ORDER BY event_id DESC")
    assert "no contact is there to write to: raised to 柳州市 (450200)" in newest


async def test_it_is_raised_at_the_end_of_its_last_day_and_not_before(owed: Works) -> None:
    midnight = datetime(2026, 11, 25, 16, tzinfo=UTC)
    assert await owed.evaluate(now=midnight - timedelta(seconds=1)) == 0
    assert await owed.evaluate(now=midnight) == 1
    assert await owed.evaluate(now=midnight) == 0


async def test_what_is_acknowledged_is_not_raised_and_its_letter_does_not_go(owed: Works) -> None:
    await owed.evaluate(now=NOW + 3 * DAY)
    async with owed.pool.acquire() as connection, connection.transaction():
        await db.alert_events.acknowledge(connection, Scope("4502"), 1, "qian", NOW)
        await db.outbox.drop_reminders(connection, 1)
    await owed.evaluate(now=NOW + 9 * DAY)
    rows = await owed.pool.fetch("SELECT state FROM outbox WHERE reminds")
    assert [row["state"] for row in rows] == ["dropped"]


async def test_a_step_that_somebody_else_took_is_not_taken_again(owed: Works) -> None:
    async with owed.pool.acquire() as connection:
        (case,) = await db.alert_cases.list_due(connection, NOW + 3 * DAY, NOW)
        for is_first in (True, False):
            taken = await db.alert_cases.change(
                connection, case, case.dates, stopped_at=None, raised_to="450200"
            )
            assert taken is is_first


async def test_a_contested_alert_is_not_raised_until_its_clock_goes_on(owed: Works) -> None:
    async with owed.pool.acquire() as connection:
        await db.alert_cases.contest(connection, 1, NOW)
    assert await owed.evaluate(now=NOW + 14 * DAY) == 0
    await owed.evaluate(now=NOW + 16 * DAY)
    assert await owed.evaluate(now=NOW + 21 * DAY) == 1
    assert await events(owed.pool) == ["first", "clock_resumed", "raised_to"]


async def test_a_contest_is_told_once_to_the_nearest_desk_and_reminders_say_it(owed: Works) -> None:
    await owed.pool.execute("DELETE FROM contacts WHERE region = '450202'")
    await owed.pool.execute("""UPDATE rule_versions SET parameters = '{"remind_h": 24}'""")
    async with owed.pool.acquire() as connection:
        await db.alert_cases.contest(connection, 1, NOW)
        await db.alert_events.insert(
            connection, 1, at=NOW, kind="contested", reason="检修", actor="li", evidence="e"
        )
    assert [await owed.evaluate(now=NOW + minutes * HOUR) for minutes in (0, 1)] == [1, 0]
    assert await letters(owed) == [("450200", "【预警申辩")]
    await owed.made(140.0, starts_at=LAST_HOUR + DAY)
    await owed.evaluate(now=NOW + DAY)
    bodies = [row["body"] for row in await owed.pool.fetch("SELECT body FROM outbox")]
    assert "申辩理由" in bodies[0] and "检修" in bodies[0]  # noqa: PT018
    assert all("尚未裁定" in body for body in bodies[1:])


async def test_what_was_upheld_is_not_raised_unless_it_becomes_worse(owed: Works) -> None:
    await owed.pool.execute("UPDATE alerts SET level = 2")
    await owed.evaluate(now=NOW + DAY)  # it eased: its dates stand
    row = await owed.pool.fetchrow("SELECT dated_level, dated_at FROM alert_cases")
    assert row is not None
    assert tuple(row) == (2, NOW)
    async with owed.pool.acquire() as connection:
        await db.alert_cases.contest(connection, 1, NOW)
        await db.alert_cases.decide(connection, 1, db.alert_cases.Contest.UPHELD, None)
    assert await owed.evaluate(now=NOW + 9 * DAY) == 0
    await owed.made(140.0, starts_at=LAST_HOUR + 9 * DAY)
    assert await owed.evaluate(now=NOW + 9 * DAY) == 1
    assert await owed.pool.fetchval("SELECT contest FROM alert_cases") is None
    assert await owed.evaluate(now=NOW + 14 * DAY) == 1
    assert await events(owed.pool) == ["first", "escalated", "raised_to"]


@pytest.fixture
async def region(pool: Pool) -> Works:
    """Qian's city, at level 1 in September."""
    await pool.execute("INSERT INTO region_targets VALUES ('450200', 2026, -0.02747, 'test')")
    for code in ("450200", "450000"):
        await contact(pool, code, f"{code}@desk.example", language="zh")
    await pool.execute("INSERT INTO region_figures VALUES ('450200', 2026, 9, 0.07, 0.06, 's')")
    await pool.execute(
        """UPDATE rule_versions SET parameters = '{"remind_h": 0}' WHERE rule_id = 2"""
    )
    made = Works(pool, 0, 0, 0)
    assert await made.evaluate() == 1
    return made


async def test_level_one_opens_one_task_and_its_letter_says_by_when(region: Works) -> None:
    await region.evaluate(now=NOW + HOUR)
    row = await region.pool.fetchrow("SELECT * FROM tasks")
    assert row is not None
    assert (row["cities"], row["due_at"]) == (["450200"], datetime(2026, 12, 21, 16, tzinfo=UTC))
    assert await region.pool.fetchval("SELECT count(*) FROM tasks") == 1
    bodies = [each["body"] for each in await region.pool.fetch("SELECT body FROM outbox")]
    assert bodies
    assert all("任务：于2026年12月21日前（20个工作日内）报送" in body for body in bodies)


async def test_its_region_is_reminded_of_a_task_and_the_next_one_up_told_if_it_is_late(
    region: Works,
) -> None:
    await region.pool.execute("DELETE FROM outbox")
    for days in (0, 20, 21, 22, 28, 29, 36, 40):
        await region.evaluate(now=NOW + days * DAY)
    assert await letters(region) == [("450200", "【任务提醒"), ("450000", "【任务逾期")]
    assert await events(region.pool) == ["first", "task_reminder", "task_overdue"]


async def test_a_task_that_is_done_is_not_spoken_of_any_more(region: Works) -> None:
    await region.pool.execute("DELETE FROM outbox")
    async with region.pool.acquire() as connection:
        assert await db.tasks.settle(connection, 1, at=NOW, by="q", text="t", evidence="e")
        assert not await db.tasks.settle(connection, 1, at=NOW, by="q", text="t", evidence="e")
    for days in (20, 40):
        await region.evaluate(now=NOW + days * DAY)
    assert await letters(region) == []


async def test_a_task_of_an_alert_that_had_no_reason_is_withdrawn(region: Works) -> None:
    await region.pool.execute("UPDATE region_figures SET energy_growth = 0.03")
    for days in (1, 20, 40):
        await region.evaluate(now=NOW + days * DAY)
    assert await events(region.pool) == ["first", "retracted", "task_withdrawn"]
    assert {what for _, what in await letters(region)} == {"【预警", "【预警撤回"}
    assert await region.pool.fetchval("SELECT withdrawn_at FROM tasks") == NOW + DAY
    async with region.pool.acquire() as connection:
        assert not await db.tasks.has_open(connection, 1)
        assert not await db.tasks.settle(connection, 1, at=NOW, by="q", text="t", evidence="e")


async def test_what_was_done_for_an_alert_without_reason_stays_done(region: Works) -> None:
    async with region.pool.acquire() as connection:
        await db.tasks.settle(connection, 1, at=NOW, by="q", text="t", evidence="e")
    await region.pool.execute("UPDATE region_figures SET energy_growth = 0.03")
    await region.evaluate(now=NOW + DAY)
    assert await events(region.pool) == ["first", "retracted"]


async def test_letters_of_a_task_wait_for_the_end_of_a_silence(region: Works) -> None:
    """Of an alert that is over as well: only those that are open show what keeps them back."""
    await region.pool.execute("UPDATE alerts SET state = 'resolved'")
    await region.pool.execute("DELETE FROM region_figures")
    await region.pool.execute("DELETE FROM outbox")
    await silence(region, until=NOW + 24 * DAY, rule_id=2)
    for days in (22, 23):
        assert await region.evaluate(now=NOW + days * DAY) == 0
    assert await region.evaluate(now=NOW + 24 * DAY) == 1
    assert await letters(region) == [("450200", "【任务提醒")]


async def test_what_is_silenced_is_raised_when_the_silence_is_over(owed: Works) -> None:
    """Also where another date of it is not known."""
    await silence(owed, until=NOW + 8 * DAY)
    await owed.pool.execute(
        "UPDATE alert_cases SET remedy_workdays = 99, remedy_by = NULL, undated = $1",
        NoDeadline.CALENDAR_UNKNOWN,
    )
    for days in (3, 7):
        assert await owed.evaluate(now=NOW + days * DAY) == 0
    assert await owed.evaluate(now=NOW + 8 * DAY) == 1
    assert await letters(owed) == [("450200", "【逾期上报")]


async def test_due_dates_count_from_the_day_on_which_people_were_told(works: Works) -> None:
    """A silence of three days: to be acknowledged two working days after its end."""
    await works.pool.execute(
        "UPDATE rule_versions SET parameters = $1::text::jsonb WHERE rule_id = 1", PARAMETERS
    )
    await silence(works, until=NOW + 3 * DAY)
    await works.made(140.0)
    for days in (0, 1):
        await works.evaluate(now=NOW + days * DAY)
    assert await works.pool.fetchval("SELECT count(*) FROM alert_cases") == 0
    await works.made(140.0, starts_at=LAST_HOUR + 3 * DAY)
    await works.evaluate(now=NOW + 3 * DAY)
    row = await works.pool.fetchrow("SELECT dated_at, acknowledge_by FROM alert_cases")
    assert row is not None
    assert tuple(row) == (NOW + 3 * DAY, datetime(2026, 11, 30, 16, tzinfo=UTC))
    assert "2026-11-30" in await works.pool.fetchval("SELECT body FROM outbox")


async def test_what_became_worse_is_dated_when_people_are_told_of_that(owed: Works) -> None:
    await owed.pool.execute("UPDATE alerts SET level = 2")
    await owed.pool.execute("UPDATE alert_cases SET dated_level = 2")
    await silence(owed, until=NOW + 3 * DAY)
    for days in (1, 3):
        await owed.made(140.0, starts_at=LAST_HOUR + days * DAY)
        await owed.evaluate(now=NOW + days * DAY)
        dated_at = await owed.pool.fetchval("SELECT dated_at FROM alert_cases")
        assert dated_at == (NOW if days == 1 else NOW + 3 * DAY)
    assert await events(owed.pool) == ["first", "escalated", "released"]


async def test_a_task_counts_from_the_day_on_which_its_region_was_told(region: Works) -> None:
    await region.pool.execute("TRUNCATE tasks, alert_cases, outbox, alert_events, alerts CASCADE")
    await silence(region, until=NOW + 3 * DAY, rule_id=2)
    for days in (0, 1):
        await region.evaluate(now=NOW + days * DAY)
    assert await region.pool.fetchval("SELECT count(*) FROM tasks") == 0
    await region.evaluate(now=NOW + 3 * DAY)
    due_at = datetime(2026, 12, 24, 16, tzinfo=UTC)
    assert await region.pool.fetchval("SELECT due_at FROM tasks") == due_at
    assert "任务：于2026年12月24日前" in await region.pool.fetchval("SELECT body FROM outbox")


async def test_a_notice_has_no_due_dates_and_is_not_raised(owed: Works) -> None:
    await owed.pool.execute("UPDATE alerts SET about = 'unknown'")
    await owed.evaluate(now=NOW + 3 * DAY)
    await owed.pool.execute("DELETE FROM alert_cases")
    await owed.evaluate(now=NOW + 12 * DAY)
    assert await letters(owed) == []
    assert await owed.pool.fetchval("SELECT count(*) FROM alert_cases") == 0


async def test_whoever_acknowledged_a_notice_did_not_acknowledge_the_alert(owed: Works) -> None:
    await owed.pool.execute(
        "UPDATE alerts SET about = 'warn', level = 3, acknowledged_at = $1, acknowledged_by = 'q'",
        NOW,
    )
    async with owed.pool.acquire() as connection:
        (notice,) = await db.alerts.list_open(connection, 1)
        finding = Finding(3, notice.period, 2, 1, "kgce/t", 1, 0, "over")
        assert await db.alerts.change(connection, notice, finding, notice.state, NOW + DAY)
        (alert,) = await db.alerts.list_open(connection, 1)
    assert not alert.is_acknowledged
    assert await owed.pool.fetchval("SELECT fired_at FROM alerts") == NOW + DAY


async def test_whom_it_was_raised_to_hears_that_it_is_over(owed: Works) -> None:
    await owed.pool.execute("UPDATE contacts SET minimum_level = 1")
    await owed.evaluate(now=NOW + 3 * DAY)  # raised to the city
    await owed.pool.execute("UPDATE alerts SET level = 3")
    await owed.made(100.0, starts_at=LAST_HOUR + 4 * DAY)
    assert await owed.evaluate(now=NOW + 4 * DAY) == 1
    assert await letters(owed) == [("450200", "【逾期上报"), ("450200", "【预警解除")]
