"""By when an alert is to be remedied stands in its letters; what is not is written about."""

from __future__ import annotations

from datetime import timedelta

import pytest

import db.alert_cases
from tests.alerts.conftest import LAST_HOUR, NOW, Works, contact
from tests.alerts.test_standings import reads

DAY = timedelta(days=1)


@pytest.fixture
async def dated(works: Works) -> Works:
    """The works, over their limit; to be acknowledged by Wednesday, remedied by next Monday."""
    await works.pool.execute(
        """UPDATE rule_versions SET parameters = '{"remind_h": 24, "due_workdays":
           {"acknowledge": 2, "remedy": 5}}' WHERE rule_id = 1"""
    )
    await contact(works.pool, "450000", "450000@desk.example")
    await contact(works.pool, "450202", "450202@desk.example")
    await works.made(140.0)
    await works.evaluate()
    return works


async def test_a_letter_and_its_reminder_say_by_when(dated: Works) -> None:
    await dated.made(140.0, starts_at=LAST_HOUR + DAY)
    await dated.evaluate(now=NOW + DAY)
    rows = await dated.pool.fetch("SELECT body, reminds FROM outbox ORDER BY letter_id")
    assert [row["reminds"] for row in rows] == [False] * 3 + [True] * 3
    for row in rows:
        assert "反馈期限：2026-11-25" in row["body"]
        assert "整改期限：2026-11-30" in row["body"]


@pytest.mark.tampers("hours beside their readings")
async def test_what_is_acknowledged_and_not_remedied_is_written_about_further_and_further_up(
    dated: Works,
) -> None:
    await dated.pool.execute("UPDATE alerts SET acknowledged_at = $1, acknowledged_by = 'q'", NOW)
    await dated.pool.execute("DELETE FROM outbox")
    for days in (7, 8, 9, 14, 15, 16, 30):
        await dated.made(140.0 + days, starts_at=LAST_HOUR + days * DAY)
        await reads(dated, NOW + days * DAY)
        await dated.evaluate(now=NOW + days * DAY)
    assert [(to[:6], subject.partition("】")[0]) for to, subject in await dated.letters()] == [
        ("450202", "【整改逾期"), ("liuzho", "【整改逾期"), ("450000", "【整改逾期"),
    ]  # fmt: skip
    assert await dated.events() == ["first", "remedy_overdue", "remedy_overdue"]
    row = await dated.pool.fetchrow("SELECT reminds, body FROM outbox LIMIT 1")
    assert row is not None
    assert row["reminds"] is False  # acknowledging does not stop it
    assert "应于 2026-11-30 前整改到位" in row["body"]
    assert "实测值：148 kgce/t" in row["body"]  # the newest, not that of the letter before
    assert "统计时段：2026-12-01 15:00 — 16:00" in row["body"]


@pytest.mark.tampers("hours beside their readings")
async def test_of_what_is_unknown_nobody_says_that_it_is_not_remedied(dated: Works) -> None:
    await dated.pool.execute("UPDATE alerts SET acknowledged_at = $1, acknowledged_by = 'q'", NOW)
    await dated.evaluate(now=NOW + 7 * DAY)  # it is silent
    await dated.made(140.0, tons=0.0, starts_at=LAST_HOUR + 8 * DAY)  # its kiln stands
    await reads(dated, NOW + 8 * DAY)
    await dated.evaluate(now=NOW + 8 * DAY)
    await dated.pool.execute("UPDATE standings SET state = 'ok'")  # not far enough within
    async with dated.pool.acquire() as connection:
        assert await db.alert_cases.list_due(connection, NOW + 8 * DAY, NOW) == []
    assert await dated.events() == ["first"]
    await dated.made(140.0, starts_at=LAST_HOUR + 9 * DAY)
    await reads(dated, NOW + 9 * DAY)
    await dated.evaluate(now=NOW + 9 * DAY)
    assert await dated.events() == ["first", "remedy_overdue"]


async def test_what_is_remedied_or_contested_is_not_overdue(dated: Works) -> None:
    await dated.pool.execute("UPDATE alerts SET acknowledged_at = $1, acknowledged_by = 'q'", NOW)
    await dated.pool.execute(
        "UPDATE alert_cases SET contest = 'open', stopped_at = $1", NOW + 7 * DAY
    )
    await dated.evaluate(now=NOW + 9 * DAY)
    await dated.made(100.0, starts_at=LAST_HOUR + 10 * DAY)
    await dated.evaluate(now=NOW + 10 * DAY)
    assert await dated.events() == ["first", "resolved"]
