"""What people do about an alert stands as its history says, or a verification names it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

import db.alert_events
from alerts import care
from alerts.keepers import Keepers
from alerts.kinds.kind import Surroundings
from alerts.lifecycle import Reason
from app import verification
from db.pool import Connection
from energy.periods import LOCAL
from tests import cast, factories
from tests.app import test_access
from tests.app.conftest import Stage
from tests.app.test_cases_call import ALERT, CONTEST, Desk

pytestmark = pytest.mark.puts_in("rules", "contacts")

FIRED_AT = datetime(2026, 11, 2, tzinfo=LOCAL)
"""A Monday: to be acknowledged by Wednesday, in order by next Monday."""

DAY = timedelta(days=1)
ASKS = '{"due_workdays": {"acknowledge": 2, "remedy": 5}}'


@pytest.fixture
async def desk(stage: Stage) -> Desk:
    """An alert of Qian's unit that fired on a Monday, and the keys of all."""
    async with stage.pool.acquire() as connection:
        rule_id = await factories.rule(connection, parameters=ASKS)
        alert_id: int = await connection.fetchval(ALERT, rule_id, cast.QIANS_UNIT, "firing")
        await connection.execute(
            "UPDATE alerts SET pending_at = $1, fired_at = $1, told_at = $1", FIRED_AT
        )
        await db.alert_events.insert(
            connection, alert_id, at=FIRED_AT, kind=Reason.FIRST, reason="over"
        )
    return Desk(stage, await test_access.hand_out(stage), alert_id)


async def looked_after(connection: Connection, at: datetime) -> None:
    names = {"450200": "柳州市", "450000": "广西"}
    await care.look_after(connection, Surroundings(at, 0.75, "", names), Keepers.of([], [], []))


async def became_worse(desk: Desk, level: int, at: datetime) -> None:
    """As the evaluator does it: a level is worse the lower it is."""
    async with desk.stage.pool.acquire() as connection:
        await connection.execute(
            "UPDATE alerts SET level = $1, told_at = $2, acknowledged_at = NULL, "
            "acknowledged_by = NULL",
            level,
            at,
        )
        await db.alert_events.insert(
            connection, desk.alert_id, at=at, kind=Reason.ESCALATED, reason="worse"
        )
        await looked_after(connection, at)


async def found(connection: Connection) -> list[str]:
    report = await verification.verify(connection, [], lambda check, done, total: None)
    return [each.fault.partition(": ")[2] for each in report.findings]


async def lived(desk: Desk) -> None:
    """Let it be raised to the city, assigned, contested in vain, and acknowledged in the end."""
    async with desk.stage.pool.acquire() as connection:
        for days in (0, 3):
            await looked_after(connection, FIRED_AT + days * DAY)
    await desk.done("the city", "assign", to="the county", reason="on the spot")
    await desk.done("the enterprise", "contest", **CONTEST)
    await desk.done("the city", "contest/decide", decision="rejected", reason="no")
    await desk.done("the city", "acknowledge", note="")


async def test_what_was_done_honestly_holds(desk: Desk) -> None:
    await lived(desk)
    await desk.done("the enterprise", "contest", **CONTEST)
    async with desk.stage.pool.acquire() as connection:
        assert await found(connection) == []
    await desk.done("the city", "contest/decide", decision="upheld", reason="so it is")
    await desk.done("the city", "close", reason="done")
    async with desk.stage.pool.acquire() as connection:
        assert await found(connection) == []


async def test_what_became_worse_while_it_was_contested_holds(desk: Desk) -> None:
    """Its dates count anew, nobody decides in time, and it is raised to the province."""
    await desk.stage.pool.execute("UPDATE alerts SET level = 2")
    await lived(desk)
    await desk.done("the enterprise", "contest", **CONTEST)
    worse_at = datetime(2026, 11, 24, 9, tzinfo=LOCAL)
    await became_worse(desk, 1, worse_at)
    async with desk.stage.pool.acquire() as connection:
        assert await found(connection) == []
        for days in (15, 18, 19, 25):
            await looked_after(connection, worse_at + days * DAY)
            assert await found(connection) == []
        rows = await connection.fetch("SELECT kind FROM alert_events ORDER BY event_id DESC")
    assert [row["kind"] for row in rows[:3]] == ["raised_to", "raised_to", "clock_resumed"]


TAMPERINGS = {
    "acknowledge_by is": "UPDATE alert_cases SET acknowledge_by = acknowledge_by + interval '7 d'",
    "remedy_by is": "UPDATE alert_cases SET remedy_by = NULL",
    "remedy_by is ": "UPDATE alert_cases SET remedy_by = NULL, undated = 'calendar_unknown'",
    "raise_at is": "UPDATE alert_cases SET raise_at = '2027-01-01Z'",
    "count from": "UPDATE alert_cases SET dated_at = dated_at + interval '1 h'",
    "its clock goes from": "UPDATE alert_cases SET clock_from = dated_at",
    "working days": "UPDATE alert_cases SET remedy_workdays = 50",
    "as not remedied at": "UPDATE alert_cases SET remedy_raise_at = '2027-01-01Z'",
    "its history knows nothing": "UPDATE alert_cases SET remedy_raised_to = '450000'",
    "was raised to None": "UPDATE alert_cases SET raised_to = NULL",
    "is assigned to": "UPDATE alert_cases SET assigned_to = 'sun', assignee = 'sun'",
    "is in the hands of sun": "UPDATE alert_cases SET assignee = 'sun'",
    "said was rejected": "UPDATE alert_cases SET contest = 'upheld'",
    "was contested 0 times": "UPDATE alert_cases SET contests = 0",
    "stands still since": "UPDATE alert_cases SET contest = 'open', stopped_at = '2026-11-01Z'",
    "was closed at": "UPDATE alert_cases SET closed_at = '2026-11-23Z'",
    "nothing is kept": "DELETE FROM alert_cases",
    "is acknowledged by sun": "UPDATE alerts SET acknowledged_by = 'sun'",
    "is acknowledged by the city": "UPDATE alerts SET acknowledged_at = '2026-11-02Z'",
    "does not say so": "UPDATE alerts SET acknowledged_at = NULL, acknowledged_by = NULL",
}


@pytest.mark.tampers("cases of alerts")
async def test_whatever_is_changed_past_the_platform_is_named(desk: Desk) -> None:
    await lived(desk)
    missed = []
    async with desk.stage.pool.acquire() as connection:
        for fault, statement in TAMPERINGS.items():
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(statement)
            if not any(fault.strip() in each for each in await found(connection)):
                missed.append((fault, await found(connection)))
            await transaction.rollback()
        assert await found(connection) == []
    assert missed == []


@pytest.mark.tampers("the due dates of an alert")
async def test_due_dates_that_are_gone_are_named_unless_there_were_none_then(desk: Desk) -> None:
    async with desk.stage.pool.acquire() as connection:
        await looked_after(connection, FIRED_AT)
        gone = """
            UPDATE alert_cases
               SET dated_at = NULL, clock_from = NULL, acknowledge_by = NULL, remedy_by = NULL,
                   raise_at = NULL, acknowledge_workdays = NULL, remedy_workdays = NULL
             WHERE alert_id = $1
            """
        rule_id = await connection.fetchval("SELECT max(rule_id) FROM rules")
        other = ALERT.replace("'x'", "'y'")
        other_id = await connection.fetchval(other, rule_id, cast.QIANS_UNIT, "firing")
        await connection.execute("UPDATE alerts SET told_at = $1", FIRED_AT)
        await looked_after(connection, FIRED_AT)
        await connection.execute(gone, other_id)
        assert await found(connection) == ["its due dates are gone"]
        await connection.execute("UPDATE alerts SET fired_at = '2020-01-01Z' WHERE alert_id = $1",
                                 other_id)  # fmt: skip
        assert await found(connection) == []
