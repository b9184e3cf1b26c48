"""A replacement, a reset, other transformers: recorded as events, and what was counted follows."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import db.changes
import db.doubts
from app import importing, withdrawing
from app.doubts import ADVICE
from app.imports.kinds import Kind
from app.imports.plans import Plan
from db.changes import Author
from db.pool import Pool
from energy.registers import DoubtReason
from tests import factories
from tests.ingest.test_settlement import QUARTER, SINCE, settle_all, store, unit_with_register

REPLACED = {
    "unit": factories.unit_code(),
    "meter": "E01",
    "starts_at": (SINCE + QUARTER * 1.5).isoformat(),
    "reason": "replaced",
    "multiplier": "1",
    "first_value": "40",
    "previous_last_value": "99991.5",
}


INTERVAL = {
    "unit": REPLACED["unit"],
    "meter": "E01",
    "starts_at": SINCE.isoformat(),
    "reason": "interval",
    "interval_s": "5400",
}


async def take(pool: Pool, folder: Path, row: Mapping[str, str]) -> Plan:
    path = folder / "epochs.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)
    async with pool.acquire() as connection, connection.transaction():
        plan = await importing.plan(connection, Kind.EPOCHS, path, lambda done, total: None)
        if not plan.problems:
            now = datetime(2026, 5, 2, tzinfo=UTC)
            await importing.apply(connection, plan, Author("zhao", "test"), now)
    return plan


async def take_meter(pool: Pool, folder: Path, **said: str) -> Plan:
    """Import the meter again, with what is said of it."""
    row = {
        "unit": REPLACED["unit"], "meter": "E01", "name": "E01", "carrier": "electricity",
        "kind": "register", "uom": "kWh", "role": "boundary",
        "installed_at": "2020-01-01T00:00:00Z", **said,
    }  # fmt: skip
    path = folder / "meters.csv"
    path.write_text(f"{','.join(row)}\n{','.join(row.values())}\n", encoding="utf-8")
    async with pool.acquire() as connection, connection.transaction():
        plan = await importing.plan(connection, Kind.METERS, path, lambda done, total: None)
        if not plan.problems:
            await importing.apply(connection, plan, Author("zhao", "test"), SINCE)
    return plan


async def used(pool: Pool) -> float | None:
    found: float | None = await pool.fetchval(
        "SELECT sum(quantity) FROM area_consumption WHERE step = 'year'"
    )
    return found


async def test_a_recorded_replacement_ends_the_doubt_and_counts_both_meters(
    pool: Pool, tmp_path: Path
) -> None:
    unit_id, meter_id = await unit_with_register(pool)
    shown = [99_950.0, 99_980.0, 52.0, 60.0, 70.0]
    await store(pool, unit_id, [(meter_id, SINCE + QUARTER * n, v) for n, v in enumerate(shown)])
    await settle_all(pool)
    assert await pool.fetchval("SELECT count(*) FROM doubts") == 1
    await take(pool, tmp_path, REPLACED)
    await settle_all(pool)
    assert await used(pool) == pytest.approx(41.5 + 30)
    assert await pool.fetchval("SELECT count(*) FROM doubts") == 0


async def test_an_epoch_is_a_fact_with_an_author_and_may_be_mended(
    pool: Pool, tmp_path: Path
) -> None:
    unit_id, meter_id = await unit_with_register(pool)
    await store(pool, unit_id, [(meter_id, SINCE, 99_950.0), (meter_id, SINCE + QUARTER * 2, 52.0)])
    await take(pool, tmp_path, REPLACED)
    await take(pool, tmp_path, {**REPLACED, "first_value": "42"})
    await settle_all(pool)
    assert await used(pool) == pytest.approx(41.5 + 10)
    subject = f"{REPLACED['unit']}/E01/{SINCE + QUARTER * 1.5}"
    async with pool.acquire() as connection:
        first, second = await db.changes.list_history(connection, "epochs", subject)
    assert first.fact.content is not None
    assert second.fact.content is not None
    assert (first.fact.content["first_value"], second.fact.content["first_value"]) == (40, 42)


async def test_other_transformers_count_from_their_instant_on(pool: Pool, tmp_path: Path) -> None:
    unit_id, meter_id = await unit_with_register(pool)
    told = [(meter_id, SINCE + QUARTER * n, 10.0 + n) for n in range(9)]
    await store(pool, unit_id, told)
    await settle_all(pool)
    exchanged = {
        "unit": REPLACED["unit"], "meter": "E01", "reason": "multiplier", "multiplier": "100",
        "starts_at": (SINCE + QUARTER * 4).isoformat(), "first_value": "14",
    }  # fmt: skip
    await take(pool, tmp_path, exchanged)
    await settle_all(pool)
    assert await used(pool) == pytest.approx(4 + 400)


async def test_a_step_across_an_unknown_change_is_announced_as_held(
    pool: Pool, tmp_path: Path
) -> None:
    await unit_with_register(pool)
    plan = await take(pool, tmp_path, {**REPLACED, "first_value": ""})
    assert "held" in plan.notes[0].text


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"meter": "E99"}, "meter"),
        ({"starts_at": "2019-12-31"}, "starts_at"),
        ({"reason": "installed"}, "reason"),
        ({"multiplier": "0"}, "multiplier"),
        ({"rollover": "50", "first_value": "60"}, "first_value"),
        ({"multiplier": ""}, "multiplier"),
        ({"reason": "interval", "interval_s": "3600"}, "multiplier"),
        ({"reason": "interval", "multiplier": ""}, "interval_s"),
        ({"interval_s": "0"}, "interval_s"),
    ],
)
async def test_what_cannot_be_an_epoch_is_refused(
    pool: Pool, tmp_path: Path, change: Mapping[str, str], column: str
) -> None:
    await unit_with_register(pool)
    plan = await take(pool, tmp_path, {**REPLACED, **change})
    assert column in {problem.column for problem in plan.problems}


async def test_a_rated_power_given_later_puts_old_spikes_in_doubt(
    pool: Pool, tmp_path: Path
) -> None:
    unit_id, meter_id = await unit_with_register(pool)
    shown = [100.0, 150.0, 99_999.0, 250.0, 300.0]
    await store(pool, unit_id, [(meter_id, SINCE + QUARTER * n, v) for n, v in enumerate(shown)])
    await settle_all(pool)
    assert await used(pool) == 50
    assert (await take_meter(pool, tmp_path, rate_max="400")).problems == []
    await settle_all(pool)
    assert await used(pool) == 200


async def test_a_file_of_meters_says_what_holds_now_and_leaves_what_each_epoch_says(
    pool: Pool, tmp_path: Path
) -> None:
    await unit_with_register(pool)
    assert (await take_meter(pool, tmp_path, rate_max="400")).problems == []
    await take(pool, tmp_path, {**REPLACED, "multiplier": "2", "rate_max": "500"})
    now = {"name": "进线", "multiplier": "2", "rate_max": "500"}
    (problem,) = (await take_meter(pool, tmp_path, **{**now, "rate_max": "600"})).problems
    assert "import the epoch again" in problem.reason
    assert (await take_meter(pool, tmp_path, **now)).problems == []
    await take(pool, tmp_path, {**REPLACED, "multiplier": "2", "rate_max": "600"})
    told = await pool.fetch("SELECT multiplier, rate_max FROM meter_epochs ORDER BY starts_at")
    assert [tuple(row) for row in told] == [(1, 400), (2, 600)]
    async with pool.acquire() as connection:
        *_, stated = await db.changes.list_history(connection, "meters", f"{REPLACED['unit']}/E01")
    content = stated.fact.content or {}
    assert [content[name] for name in ("name", "multiplier", "rate_max")] == ["进线", 1, 400]


async def test_a_withdrawn_epoch_gives_back_the_limit_of_the_one_before(
    pool: Pool, tmp_path: Path
) -> None:
    unit_id, meter_id = await unit_with_register(pool)
    shown = [100.0, 150.0, 99_999.0, 250.0, 300.0]
    await store(pool, unit_id, [(meter_id, SINCE + QUARTER * n, v) for n, v in enumerate(shown)])
    await take_meter(pool, tmp_path, rate_max="400")
    row = {**REPLACED, "reason": "multiplier", "first_value": "170", "rate_max": "1000000"}
    await take(pool, tmp_path, {**row, "previous_last_value": ""})
    await settle_all(pool)
    assert await used(pool) != 200
    async with pool.acquire() as connection, connection.transaction():
        subject = f"{row['unit']}/E01/{row['starts_at']}"
        epoch = await withdrawing.find(connection, Kind.EPOCHS, subject)
        await withdrawing.withdraw(connection, epoch, Author("zhao", "test"), SINCE)
    await settle_all(pool)
    assert await used(pool) == 200


async def test_what_is_held_is_on_the_work_list(pool: Pool) -> None:
    unit_id, meter_id = await unit_with_register(pool)
    shown = [100.0, 7.0, 8.0]
    await store(pool, unit_id, [(meter_id, SINCE + QUARTER * n, v) for n, v in enumerate(shown)])
    await settle_all(pool)
    async with pool.acquire() as connection:
        (found,) = await db.doubts.list_doubts(connection, unit=None, limit=10)
        other = factories.unit_code(2)
        hidden = await db.doubts.list_doubts(connection, unit=other, limit=10)
    assert (found.meter, found.reason, found.readings, found.held) == ("E01", "fell", 2, True)
    assert hidden == []
    assert found.reason in ADVICE


def test_there_is_advice_for_every_reason() -> None:
    assert set(ADVICE) == set(DoubtReason)


async def test_another_interval_says_anew_what_is_an_estimate_from_its_day_on(
    pool: Pool, tmp_path: Path
) -> None:
    unit_id, meter_id = await unit_with_register(pool)
    hour = timedelta(hours=1, minutes=30)
    await store(pool, unit_id, [(meter_id, SINCE + hour * n, n) for n in range(9)])
    await settle_all(pool)
    estimated = "SELECT sum(estimated_quantity) FROM area_consumption WHERE step = 'day'"
    assert await pool.fetchval(estimated) == pytest.approx(8)
    await take(pool, tmp_path, {**INTERVAL, "starts_at": (SINCE + hour * 2).isoformat()})
    await settle_all(pool)
    assert await pool.fetchval(estimated) == pytest.approx(2)
    assert await used(pool) == pytest.approx(8)


async def test_the_file_of_meters_may_say_the_interval_of_now_and_no_other(
    pool: Pool, tmp_path: Path
) -> None:
    unit_id, meter_id = await unit_with_register(pool)
    await store(pool, unit_id, [(meter_id, SINCE, 1.0)])
    await take(pool, tmp_path, INTERVAL)
    now = await take_meter(pool, tmp_path, name="进线", interval_s="5400")
    assert now.problems == []
    (problem,) = (await take_meter(pool, tmp_path, interval_s="900")).problems
    assert problem.column == "interval_s"
    assert "`nenghao import epochs`, with the reason interval" in problem.reason
    assert await pool.fetchval("SELECT interval_s FROM meters") == 900


async def test_a_unit_that_moves_takes_its_consumption_along(pool: Pool, tmp_path: Path) -> None:
    unit_id, meter_id = await unit_with_register(pool)
    await store(pool, unit_id, [(meter_id, SINCE + QUARTER * n, n) for n in range(9)])
    await settle_all(pool)
    path = tmp_path / "units.csv"
    path.write_text(
        f"unit,name,region,industry\n{REPLACED['unit']},测试厂,450302,C3011\n", encoding="utf-8"
    )
    async with pool.acquire() as connection, connection.transaction():
        plan = await importing.plan(connection, Kind.UNITS, path, lambda done, total: None)
        await importing.apply(connection, plan, Author("zhao", "test"), SINCE)
    await settle_all(pool)
    rows = await pool.fetch(
        "SELECT region, division, quantity FROM area_consumption WHERE step = 'year'"
    )
    assert [tuple(row) for row in rows] == [("450302", "C30", 8.0)]
