"""[56] Late or corrected data: periods that are closed are judged again, and told anew."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

import db.changes
import db.fresh
from alerts import judging
from alerts.judging import Progress
from alerts.kinds.kind import Kind
from alerts.kinds.registry import KINDS
from app.imports.kinds import Kind as ImportKind
from db.changes import Author, Fact
from db.pool import Pool
from energy.periods import Span
from tests import factories
from tests.alerts.conftest import HOUR, LAST_HOUR, NOW, Works, contact, limit

AGO = LAST_HOUR - 30 * HOUR
"""An hour that is long over."""

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("rule_region", "told"), [("450000", ["moved", "liuzhou"]), ("450200", ["liuzhou"])]
)
async def test_a_letter_that_should_not_have_gone_is_withdrawn_in_its_thread(
    works: Works, rule_region: str, told: list[str]
) -> None:
    """[54] From those who were told and still are contacts, wherever the rule writes to."""
    await works.pool.execute("UPDATE rules SET region = $1 WHERE rule_id = 1", rule_region)
    for name in ("left", "moved"):
        await contact(works.pool, "450200", f"{name}@desk.example")
    await works.made(140.0, starts_at=AGO)
    await works.evaluate(now=AGO + HOUR)
    await works.made(110.0)
    await works.evaluate()
    before = len(await works.letters())
    await works.pool.execute("DELETE FROM contacts WHERE email LIKE 'left%'")
    await works.pool.execute("UPDATE contacts SET region = '450300' WHERE email LIKE 'moved%'")
    await contact(works.pool, "450200", "new@desk.example")
    await works.came_late(110.0, starts_at=AGO)
    assert await works.evaluate() == 1
    assert await works.events() == ["first", "resolved", "retracted"]
    letters = [(address, subject[:6]) for address, subject in (await works.letters())[before:]]
    assert sorted(letters) == [(f"{each}@desk.example", "【预警撤回】") for each in sorted(told)]
    assert await works.pool.fetchval("SELECT count(DISTINCT thread_id) FROM outbox") == 1
    assert await works.evaluate() == 0


async def test_an_open_alert_without_reason_is_closed(works: Works) -> None:
    await works.made(140.0, starts_at=AGO)
    await works.evaluate(now=AGO + HOUR)
    await works.came_late(110.0, starts_at=AGO)
    await works.evaluate()
    assert await works.states() == ["resolved"]
    assert await works.pool.fetchval("SELECT retracted_at FROM alerts") == NOW


@pytest.mark.parametrize(
    ("now", "newest", "reason"),
    [
        (AGO + 2.5 * HOUR, "141 kgce/t，超过阈值 117", "141 kgce/t, over the baseline of 117"),
        (NOW, "数据不足，无法判定", "over; an earlier period was not"),
    ],
)
async def test_an_alert_that_later_periods_bear_out_is_amended_and_stays(
    works: Works, now: datetime, newest: str, reason: str
) -> None:
    """It shows a period that is over, and its letter lets nobody stand down."""
    await works.made(140.0, starts_at=AGO)
    await works.evaluate(now=AGO + HOUR)
    await works.made(141.0, starts_at=AGO + HOUR)
    await works.evaluate(now=AGO + 2 * HOUR)
    await works.came_late(110.0, starts_at=AGO)
    await works.evaluate(now=now)
    assert await works.events() == ["first", "amended"]
    (shown,) = await works.pool.fetch("SELECT state, measured, period_ends_at, reason FROM alerts")
    assert tuple(shown)[:3] == ("firing", 141.0, AGO + 2 * HOUR)
    assert shown["reason"].startswith(reason)
    letters = await works.pool.fetch("SELECT subject, body FROM outbox ORDER BY letter_id")
    subject, body = letters[-1]
    assert subject.endswith("110 kgce/t，未超过基准水平 117；预警未解除")
    assert f"北京时间）：{newest}" in body
    assert "1. 确认" in body
    await works.came_late(150.0, starts_at=AGO + HOUR)
    await works.evaluate(now=now + MINUTE)
    assert await works.events() == ["first", "amended", "amended"]
    assert await works.pool.fetchval("SELECT measured FROM alerts") == 150.0


@pytest.mark.parametrize("is_over", [True, False])
async def test_a_warning_is_withdrawn_whichever_of_its_periods_is_corrected_last(
    works: Works, is_over: bool
) -> None:
    """[56] Oldest first, as a gateway sends it; the warning is over by then, or is not."""
    hours = [AGO + n * HOUR for n in range(3)]
    for starts_at in hours:
        await works.made(140.0, starts_at=starts_at)
        await works.evaluate(now=starts_at + HOUR)
    if is_over:
        await works.made(100.0, starts_at=AGO + 3 * HOUR)
        await works.evaluate(now=AGO + 4 * HOUR)
    for minutes, starts_at in enumerate(hours):
        await works.came_late(100.0, starts_at=starts_at)
        await works.evaluate(now=AGO + (4 if is_over else 3) * HOUR + minutes * MINUTE)
    assert await works.events() == ["first", *["resolved"] * is_over, "amended", "retracted"]
    assert (await works.letters())[-1][1].startswith("【预警撤回】")


async def test_what_a_released_letter_said_is_told_anew(works: Works) -> None:
    """A silence kept back the letter of the first hour; that of the fifth left when it ended."""
    await works.pool.execute(
        """
        INSERT INTO silences (region, rule_id, starts_at, ends_at, is_grave, waits, stated_at,
                              actor, reason)
        VALUES ('450200', 1, $1, $2, false, false, $1, 'qian', 'maintenance')
        """,
        AGO - HOUR,
        AGO + 3 * HOUR,
    )
    await works.made(140.0, starts_at=AGO)
    await works.evaluate(now=AGO + HOUR)
    await works.made(200.0, starts_at=AGO + 4 * HOUR)
    await works.evaluate(now=AGO + 5 * HOUR)
    await works.came_late(130.0, starts_at=AGO + 4 * HOUR)
    await works.evaluate()
    assert await works.events() == ["first", "released", "amended"]
    body = await works.pool.fetchval("SELECT body FROM outbox ORDER BY letter_id DESC LIMIT 1")
    assert "通知）：200 kgce/t" in body


@pytest.mark.parametrize(
    ("late", "kind", "word"),
    [(115.5, "amended", "更正"), (90.0, "retracted", "撤回"), (140.0, "amended", "更正")],
)
async def test_an_early_notice_is_told_anew_and_withdrawn_when_nothing_was_near(
    works: Works, late: float, kind: str, word: str
) -> None:
    await works.pool.execute(
        """UPDATE rule_versions SET parameters = '{"warn_ratio": 0.95, "early_notice": true}'
            WHERE rule_id = 1"""
    )
    await contact(works.pool, "450202", "all@desk.example", level=3)
    await works.made(113.0, starts_at=AGO)
    await works.evaluate(now=AGO + HOUR)
    await works.came_late(late, starts_at=AGO)
    await works.evaluate()
    assert await works.events() == ["early", kind]
    address, subject = (await works.letters())[-1]
    assert (address, word in subject[:7]) == ("all@desk.example", True)


async def test_another_value_is_told_anew_and_one_within_the_tolerance_is_not(
    works: Works,
) -> None:
    await works.made(140.0, starts_at=AGO)
    await works.evaluate(now=AGO + HOUR)
    for little in (140.5, 141.0):
        await works.came_late(little, starts_at=AGO)
        assert await works.evaluate() == 0
    await works.came_late(142.0, starts_at=AGO)
    assert await works.evaluate() == 1  # little by little it is more than the tolerance
    await works.came_late(160.0, starts_at=AGO)
    assert await works.evaluate() == 1
    _, subject = (await works.letters())[-1]
    assert subject == "【预警更正】水泥厂：clinker 单耗 160 kgce/t，超过基准水平 117"
    body = await works.pool.fetchval("SELECT body FROM outbox ORDER BY letter_id DESC LIMIT 1")
    assert "更正前（2026-11-23 16:05 通知）：142 kgce/t" in body
    assert await works.pool.fetchval("SELECT measured FROM alerts") == 160.0


async def test_data_that_become_unknown_withdraw_nothing(works: Works) -> None:
    """UNKNOWN never resolves, nor does it take anything back."""
    await works.made(140.0, starts_at=AGO)
    await works.evaluate(now=AGO + HOUR)
    await works.came_late(None, starts_at=AGO)
    await works.evaluate()
    assert await works.states() == ["firing"]
    assert "retracted" not in await works.events()


async def test_an_overrun_whose_data_came_late_is_told_late_and_once(works: Works) -> None:
    await works.made(110.0, starts_at=AGO - HOUR)
    await works.evaluate(now=AGO)
    await works.made(110.0)
    await works.evaluate()
    for hours in range(5):
        await works.came_late(140.0 + hours, starts_at=AGO + hours * HOUR)
    assert await works.evaluate() == 1
    assert await works.states() == ["resolved"]
    assert await works.events() == ["late", "resolved"]
    ((_, subject),) = await works.letters()
    assert subject == "【补发预警】水泥厂：clinker 单耗 144 kgce/t，超过基准水平 117"
    body = await works.pool.fetchval("SELECT body FROM outbox")
    assert "共涉及 5 个时段" in body
    assert "最新时段已不再超过" in body
    assert await works.pool.fetchval("SELECT is_late FROM alerts")
    await works.came_late(150.0, starts_at=AGO + 7 * HOUR)
    await works.evaluate(now=NOW + HOUR)
    assert (await works.events())[2:] == ["noted"]
    assert len(await works.letters()) == 1


async def test_what_was_over_before_the_rule_watched_is_not_told_late(works: Works) -> None:
    await works.made(110.0)
    await works.evaluate()
    await works.came_late(140.0, starts_at=AGO)
    assert await works.evaluate() == 0


async def test_what_ended_too_long_ago_is_not_judged_again(works: Works) -> None:
    old = LAST_HOUR - timedelta(days=36)
    await works.made(140.0, starts_at=old)
    await works.evaluate(now=old + HOUR)
    await works.came_late(110.0, starts_at=old)
    assert await works.evaluate() == 0
    assert await works.pool.fetchval("SELECT count(*) FROM judgements WHERE ends_at < $1", AGO) == 0


async def test_a_condition_that_must_hold_must_have_held_late_too(works: Works) -> None:
    await works.pool.execute(
        """UPDATE rule_versions SET parameters = '{"for_h": 2}' WHERE rule_id = 1"""
    )
    await works.made(110.0, starts_at=AGO - HOUR)
    await works.evaluate(now=AGO)
    await works.made(110.0)
    await works.evaluate()
    await works.came_late(140.0, starts_at=AGO)
    await works.came_late(140.0, starts_at=AGO + 3 * HOUR)  # of the hours between nothing is known
    assert await works.evaluate() == 0
    await works.came_late(140.0, starts_at=AGO + HOUR)
    assert await works.evaluate() == 1


async def test_a_flood_of_late_data_is_no_flood_of_letters(pool: Pool) -> None:
    """[56] 64 units come back with data in which each was over: one mail, all others in digests."""
    works = Works(pool, 0, 0, 0)
    await limit(pool, "clinker", baseline=117.0)
    await contact(pool, "450200", "liuzhou@desk.example")
    units = []
    for number in range(64):
        async with pool.acquire() as connection:
            works.unit_id = await factories.unit(connection, factories.unit_code(number))
            works.energy_id = await factories.meter(connection, works.unit_id)
            works.output_id = await factories.meter(
                connection, works.unit_id, "P01", uom="t", role="output", product="clinker"
            )
        units.append((works.unit_id, works.energy_id, works.output_id))
        await works.made(110.0, starts_at=AGO - HOUR)
        await works.made(110.0)
    await works.evaluate(now=AGO)
    await works.evaluate()
    for works.unit_id, works.energy_id, works.output_id in units:
        await works.came_late(140.0, starts_at=AGO)
    await works.evaluate()
    assert await works.events() == ["late", "resolved"] * 64
    for works.unit_id, works.energy_id, works.output_id in units:
        await works.came_late(110.0, starts_at=AGO)
    await works.evaluate()
    assert (await works.events())[128:] == ["retracted"] * 64
    rows = await pool.fetch("SELECT state, count(*) FROM outbox GROUP BY state ORDER BY state")
    assert [tuple(row) for row in rows] == [("held", 127), ("waiting", 1)]


async def test_a_mark_goes_when_it_was_looked_at_unless_there_is_a_newer_one(works: Works) -> None:
    await works.came_late(110.0, starts_at=LAST_HOUR)
    await works.evaluate()
    assert await works.pool.fetchval("SELECT count(*) FROM fresh_hours") == 0
    async with works.pool.acquire() as connection:
        await db.fresh.mark(connection, works.unit_id, [Span(AGO, LAST_HOUR)])
        (_, second) = seen = await db.fresh.list_oldest(connection, AGO - 48 * HOUR, 10)
        await db.fresh.mark(connection, works.unit_id, [Span(LAST_HOUR - HOUR, LAST_HOUR)])
        await db.fresh.delete(connection, seen)
        (left,) = await db.fresh.list_oldest(connection, AGO - 48 * HOUR, 10)
    assert left.span.ends_at == second.span.ends_at
    assert left.mark > second.mark


@pytest.mark.new_database
async def test_an_evaluation_costs_what_changed_and_not_what_there_is(pool: Pool) -> None:
    """[56] Rows read when nothing changed: as many with 4 units as with 24; and when one did."""
    works = Works(pool, 0, 0, 0)
    name = await pool.fetchval("SELECT current_database()")
    await pool.execute(f'ALTER DATABASE "{name}" SET enable_seqscan = off')  # tables are tiny
    await pool.expire_connections()
    await limit(pool, "clinker", baseline=117.0)
    touched = []
    for units in (range(4), range(4, 24)):
        for number in units:
            async with pool.acquire() as connection:
                works.unit_id = await factories.unit(connection, factories.unit_code(number))
                works.energy_id = await factories.meter(connection, works.unit_id)
                works.output_id = await factories.meter(
                    connection, works.unit_id, "P01", uom="t", role="output", product="clinker"
                )
            await works.made(110.0)
        progress = Progress()
        await works.evaluate(progress=progress)
        touched.append([await _touched(works, progress)])
        await works.came_late(115.0, starts_at=LAST_HOUR)
        touched[-1].append(await _touched(works, progress))
    few, many = touched
    assert many[0] == few[0]
    assert few[0] < few[1]
    assert many[1] <= few[1] + 4


async def _touched(works: Works, progress: Progress) -> int:
    """Return how many rows an evaluation reads."""
    before = await _rows_read(works)
    await works.evaluate(progress=progress)
    return await _rows_read(works) - before


async def _rows_read(works: Works) -> int:
    await works.pool.execute("SELECT pg_stat_force_next_flush()")
    read: int = await works.pool.fetchval(
        """
        SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint
          FROM pg_stat_user_tables
         WHERE relname NOT IN ('regions')
           AND schemaname IN ('public', '_timescaledb_internal')
        """
    )
    return read


@pytest.mark.tampers("facts: the ledger alone is written")
async def test_small_statements_judge_nobody_and_those_that_rules_heed_everybody(
    works: Works,
) -> None:
    """[56] Contacts, contests and the like are stated all day; a limit changes what is found."""
    await works.made(110.0)
    progress = Progress()
    await works.evaluate(progress=progress)
    await works.made(140.0)  # without the mark of settlement: only who is judged finds it
    await _state(works, "contacts")
    assert await works.evaluate(progress=progress) == 0
    await _state(works, "limits")
    assert await works.evaluate(progress=progress) == 1


async def _state(works: Works, noun: str) -> None:
    async with works.pool.acquire() as connection, connection.transaction():
        await db.changes.record(connection, Author("desk", "test"), [Fact(noun, "x", {})], NOW)


def test_of_each_kind_of_fact_it_is_said_whether_rules_heed_it() -> None:
    carbon = {"carbon_factors", "grids", "stocks", "trades", "certificates", "non_fossil"}
    unread = {"contacts", "projects", "value_limits", "capacities"}
    by_settlement = {"corrections", "production"}
    assert set(ImportKind) - judging.HEEDED == carbon | unread | by_settlement


@pytest.mark.parametrize("kind", [each for each in Kind if each is not Kind.OUTAGE])
def test_no_kind_but_outages_judges_everybody_each_time(kind: Kind) -> None:
    """[56] Outages are of minutes; what the others find changes with the assessment, or hours."""
    assert KINDS[kind].parameters.judged_every >= 5 * timedelta(minutes=1)


async def test_who_is_not_connected_is_judged_by_the_hour(works: Works) -> None:
    """[56] Nobody is read anew at each evaluation where nothing changed."""
    async with works.pool.acquire() as connection:
        await factories.rule(connection, kind="not_connected", parameters='{"days": 0}')
    progress = Progress()
    standing = "SELECT count(*) FROM standings WHERE rule_id = (SELECT max(rule_id) FROM rules)"
    await works.evaluate(progress=progress)
    assert await works.pool.fetchval(standing) == 0
    await works.pool.execute("UPDATE units SET commissioned_on = '2026-01-01'")
    await works.evaluate(now=NOW + HOUR / 2, progress=progress)
    assert await works.pool.fetchval(standing) == 0
    await works.evaluate(now=NOW + HOUR, progress=progress)
    assert await works.pool.fetchval(standing) == 1
