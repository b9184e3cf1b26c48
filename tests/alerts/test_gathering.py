"""What is held leaves as a digest, whole, under one Message-ID, and each event says by which."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

import db.alert_events
import db.outbox
from alerts import cycle, digest, gathering, outbox
from app import verify
from db.outbox import NewLetter
from db.pool import Connection, Pool
from tests.alerts.conftest import HOUR, LAST_HOUR, NOW, PUBLIC_URL, Post, Works, contact, plain
from tests.alerts.test_silences import silence

SECOND = timedelta(seconds=1)


async def write(
    pool: Pool,
    number: int,
    *,
    at: datetime = NOW,
    region: str = "450202",
    to: str = "liuzhou@desk.example",
    reminds: bool = False,
    language: str = "zh",
) -> int:
    """Write a letter about a new alert; return the event it tells."""
    async with pool.acquire() as connection, connection.transaction():
        alert_id = await an_alert(connection, number, region, at)
        event_id = await db.alert_events.insert(
            connection, alert_id, at=at, kind="first", reason="r"
        )
        city = digest.city_of(region)
        made = NewLetter(
            alert_id=alert_id,
            message_id=f"<{alert_id}.{event_id}@nenghao.example>",
            thread_id=f"<{alert_id}@nenghao.example>",
            recipient_name="柳州",
            recipient_email=to,
            subject=f"【预警】{number} 号厂",
            body="正文\n",
            reminds=reminds,
            event_id=event_id,
            city=city,
            language=language,
        )
        await outbox.put(connection, [made], city, at)
    return event_id


async def an_alert(connection: Connection, number: int, region: str, at: datetime) -> int:
    alert_id: int = await connection.fetchval(
        """
        INSERT INTO alerts (rule_id, region, subject, level, state, period_starts_at,
                            period_ends_at, measured, threshold, uom, coverage, estimated_share,
                            reason, pending_at, fired_at, updated_at)
        VALUES (1, $1, $2, 1, 'resolved', $3::timestamptz - INTERVAL '1 hour', $3, 2, 1, 'kgce/t',
                1, 0, 'r', $3, $3, $3)
        RETURNING alert_id
        """,
        region,
        f"u/{number} 号厂",
        at,
    )
    return alert_id


async def gather(pool: Pool, now: datetime) -> bool:
    return await gathering.gather_once(pool, public_url=PUBLIC_URL, now=now)


async def states(pool: Pool) -> list[str]:
    return [row["state"] for row in await pool.fetch("SELECT state FROM outbox ORDER BY letter_id")]


async def test_a_storm_is_a_letter_and_a_digest_that_names_every_alert(
    works: Works, post: Post
) -> None:
    for number in range(30):
        await write(works.pool, number, at=NOW + number * SECOND)
    await works.send_all(post.url, now=NOW + 30 * SECOND)
    assert await gather(works.pool, NOW + digest.WINDOW)
    assert not await gather(works.pool, NOW + digest.WINDOW)
    await works.send_all(post.url, now=NOW + digest.WINDOW)
    first, gathered = post.received()
    assert first["Subject"] == "【预警】0 号厂"
    assert gathered["Subject"].startswith("【预警汇总】柳州市 2026-11-23 16:05")
    said = plain(gathered)
    assert all(f"区：{number} 号厂" in said for number in range(1, 30))
    assert f"{PUBLIC_URL}/v1/alerts/30" in said
    assert f"{PUBLIC_URL}/v1/alerts?region=450200" in said


async def test_a_clock_that_was_ahead_and_steps_back_silences_nobody(
    works: Works, post: Post
) -> None:
    """Letters of 8 hours ahead, at once and held, leave now; the sign of life goes on, too."""
    pulse = cycle.Pulse(works.pool, "test")
    for number in range(3):
        await write(works.pool, number, at=NOW + 8 * HOUR)
    await pulse.beat(NOW + 8 * HOUR)
    await write(works.pool, 3)
    await gather(works.pool, NOW)
    await works.send_all(post.url)
    await pulse.beat(NOW)
    assert len(post.received()) == 2  # what was to leave at once, and a digest of the rest
    assert await works.pool.fetchval("SELECT beat_at FROM heartbeats") == NOW


async def test_a_silence_stops_what_is_held_and_a_retraction_waits_for_nothing(
    works: Works,
) -> None:
    for number in range(3):
        await write(works.pool, number)
    await works.pool.execute("UPDATE alerts SET silenced_by = $1", await silence(works))
    assert not await gather(works.pool, NOW + digest.WINDOW)
    await works.pool.execute("UPDATE alerts SET retracted_at = $1 WHERE alert_id = 3", NOW)
    assert await gather(works.pool, NOW + digest.WINDOW)
    assert await states(works.pool) == ["waiting", "held", "waiting"]
    await works.pool.execute("UPDATE alerts SET silenced_by = NULL")
    assert await gather(works.pool, NOW + 3 * HOUR)
    assert await states(works.pool) == ["waiting", "gathered", "waiting", "waiting"]


async def test_each_event_says_which_letter_told_of_it(works: Works) -> None:
    events = [await write(works.pool, number) for number in range(4)]
    await gather(works.pool, NOW + digest.WINDOW)
    rows = await works.pool.fetch(
        """
        SELECT coalesce(digest_id, letter_id) AS told_by
          FROM outbox
         WHERE event_id = ANY ($1)
         ORDER BY event_id
        """,
        events,
    )
    assert [row["told_by"] for row in rows] == [1, 5, 5, 5]
    assert await states(works.pool) == ["waiting", "gathered", "gathered", "gathered", "waiting"]


async def test_a_letter_that_nothing_came_to_leaves_as_it_is(works: Works, post: Post) -> None:
    await write(works.pool, 1)
    await write(works.pool, 2)
    await gather(works.pool, NOW + digest.WINDOW)
    await works.send_all(post.url, now=NOW + digest.WINDOW)
    assert [letter["Subject"] for letter in post.received()] == ["【预警】1 号厂", "【预警】2 号厂"]


async def test_each_letter_by_itself_is_a_witness_of_the_books(
    works: Works, tmp_path: Path
) -> None:
    """[30] Where nothing else happened there is no digest, and the newest heads leave as well."""
    old, new = ("2026-11-21", b"1" * 32), ("2026-11-22", b"2" * 32)
    await works.pool.executemany(
        "INSERT INTO heads (day, chain, links, sha256, noted_at) "
        "VALUES ($1::text::date, 'changes', 7, $2, '2026-11-23 00:10+08')",
        [old, new],
    )
    await works.made(140.0)
    await works.evaluate()
    body = await works.pool.fetchval("SELECT body FROM outbox")
    path = tmp_path / "heads.json"
    path.write_text(body[body.index('[{"day"') : body.index("}]") + 2], encoding="utf-8")
    (head,) = verify.read(path)
    assert (f"{head.day}", head.head.digest) == new


async def test_a_digest_is_written_whole_or_not_at_all(works: Works) -> None:
    for number in range(3):
        await write(works.pool, number)
    await works.pool.execute(
        "ALTER TABLE outbox ADD CHECK (digest_id IS NULL OR letter_id < 3)"
    )  # the second letter cannot be marked
    with pytest.raises(asyncpg.CheckViolationError):
        await gather(works.pool, NOW + digest.WINDOW)
    assert await states(works.pool) == ["waiting", "held", "held"]


async def test_two_who_gather_at_once_make_one_digest(works: Works) -> None:
    for number in range(20):
        await write(works.pool, number)
    at = NOW + digest.WINDOW
    await asyncio.gather(*(gather(works.pool, at) for _ in range(4)))
    assert (await states(works.pool)).count("waiting") == 2


async def test_a_reminder_of_what_somebody_takes_care_of_is_in_no_digest(works: Works) -> None:
    await write(works.pool, 1)
    await write(works.pool, 2, reminds=True)
    async with works.pool.acquire() as connection:
        await db.outbox.drop_reminders(connection, 2)
    assert not await gather(works.pool, NOW + digest.WINDOW)
    assert await states(works.pool) == ["waiting", "dropped"]


async def test_the_end_waits_for_the_digest_with_the_beginning(works: Works, post: Post) -> None:
    await works.pool.execute("DELETE FROM contacts WHERE region = '450000'")
    await write(works.pool, 0)
    await works.send_all(post.url)
    await works.made(140.0)
    await works.evaluate(now=NOW)  # held: something was told just now
    await write(works.pool, 2)
    await gather(works.pool, NOW + digest.WINDOW)
    post.replies.append("451 not now")
    await works.send(post.url, now=NOW + digest.WINDOW)
    await works.pool.execute(
        "UPDATE outbox SET due_at = $1 WHERE state = 'waiting'", NOW + 3 * HOUR
    )
    await works.made(100.0, starts_at=LAST_HOUR + HOUR)
    await works.evaluate(now=NOW + HOUR)
    assert not await works.send(post.url, now=NOW + 2 * HOUR)
    await works.send_all(post.url, now=NOW + 3 * HOUR)
    assert [letter["Subject"][:6] for letter in post.received()] == [
        "【预警】0 ",
        "【预警汇总】",
        "【预警解除】",
    ]


async def test_whom_a_digest_goes_to_is_frozen_when_its_letters_are_written(works: Works) -> None:
    await write(works.pool, 1)
    await write(works.pool, 2)
    await write(works.pool, 3)
    await works.pool.execute("DELETE FROM contacts")
    await gather(works.pool, NOW + digest.WINDOW)
    rows = await works.pool.fetch("SELECT DISTINCT recipient_email FROM outbox")
    assert [row["recipient_email"] for row in rows] == ["liuzhou@desk.example"]


async def test_a_digest_greets_the_desk_that_reads_it(works: Works) -> None:
    await contact(works.pool, "450000", "zhao@desk.example")
    for number in range(3):
        await write(works.pool, number, to="zhao@desk.example")
    await gather(works.pool, NOW + digest.WINDOW)
    body = await works.pool.fetchval("SELECT body FROM outbox WHERE alert_id IS NULL")
    assert "广西壮族自治区节能主管部门：" in body


async def test_the_posting_of_an_alert_says_its_event_and_city(works: Works) -> None:
    await works.made(140.0)
    await works.evaluate()
    row = await works.pool.fetchrow("SELECT event_id, city, language FROM outbox")
    assert row is not None
    assert tuple(row) == (1, "450200", "zh")


async def test_a_digest_says_what_is_open_what_is_due_and_what_is_asked(works: Works) -> None:
    for number in range(4):
        await write(works.pool, number)
    await works.pool.execute("UPDATE alerts SET state = 'firing' WHERE alert_id IN (2, 3)")
    await works.pool.execute("UPDATE alert_events SET kind = 'retracted' WHERE alert_id = 4")
    await write(works.pool, 4)
    await works.pool.execute("UPDATE alert_events SET kind = 'handed_over' WHERE alert_id = 5")
    await works.pool.execute("UPDATE alerts SET subject = 'u/cement_clinker' WHERE alert_id = 3")
    await works.pool.execute(
        "INSERT INTO alert_cases (alert_id, dated_level, dated_at, clock_from, acknowledge_by,"
        " remedy_by) SELECT alert_id, 1, $1, $1, $2, $3 FROM alerts",
        NOW,
        datetime(2026, 11, 25, 16, tzinfo=UTC),
        datetime(2026, 11, 30, 16, tzinfo=UTC),
    )
    await works.pool.execute(
        "UPDATE alerts SET acknowledged_at = $1, acknowledged_by = 'q' WHERE alert_id = 3", NOW
    )
    await works.pool.execute(
        "INSERT INTO tasks (alert_id, kind, opened_at, cities, untold, due_at)"
        " VALUES (2, 'level_1_cities', $1, '{}', '{}', $2)",
        NOW,
        datetime(2026, 12, 21, 16, tzinfo=UTC),
    )
    await gather(works.pool, NOW + digest.WINDOW)
    said = await works.pool.fetchval("SELECT body FROM outbox WHERE letter_id = 6")
    assert "仍在预警的按等级：一级 2。" in said
    assert "[撤回]" in said
    assert "：水泥熟料" in said
    assert said.count("请于 2026-11-25 前反馈") == 1
    assert said.count("请于 2026-11-30 前整改到位") == 2  # acknowledging does not stop it
    assert "任务：于2026年12月21日前" in said
    assert ("[移交]" in said, f"{PUBLIC_URL}/v1/alerts/4\n" in said) == (True, True)
    assert f"{PUBLIC_URL}/v1/alerts/5\n" not in said, "its reader would find nothing there"


async def test_who_reads_two_languages_gets_a_digest_of_each(works: Works) -> None:
    for number in range(5):
        await write(works.pool, number, language="en" if number % 2 else "zh")
    await gather(works.pool, NOW + digest.WINDOW)
    await gather(works.pool, NOW + 2 * digest.WINDOW)
    rows = await works.pool.fetch("SELECT language, subject FROM outbox WHERE alert_id IS NULL")
    assert {row["language"]: row["subject"][:5] for row in rows} == {
        "zh": "【预警汇总",
        "en": "[Dige",
    }
