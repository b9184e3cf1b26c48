"""Qian's works in four days of November, in which everything happens that an explanation names.

Register E01 (×10, wraps at 1,000) wraps, is silent for six hours, is replaced (×20), has a reading
that is corrected and a dip; X01 exports; coal meter C01 has a declared factor that ends in the
middle and is followed by one that nobody verified.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app import correcting, importing
from app.imports.kinds import Kind
from db import corrections
from db.changes import Author
from db.corrections import CorrectionRow
from energy.factors import Unverified
from ingest import settle, writer
from ingest.acks import Delivery
from ingest.collect import Collector
from tests import cast, factories
from tests.app.conftest import NOW, Stage

START = datetime(2026, 11, 1, 16, tzinfo=UTC)
"""00:00 of 2 November in Shanghai."""

END = START + timedelta(days=4)
SPAN = {"from_": "2026-11-02T00:00:00+08:00", "to": "2026-11-06T00:00:00+08:00"}
FIRST_KNOWN = START + timedelta(days=3, hours=12)
CORRECTED_AT = START + timedelta(days=8)
ZHAO = Author("zhao", "filed anew", "桂发改〔2026〕1号")
HOUR = timedelta(hours=1)

REPLACED_AT = 48.5
MISREAD, DIPPED = 60, 70
SILENT = range(31, 37)


def e01() -> list[tuple[int, float]]:
    """Return what E01 showed hour by hour, from two hours before START to two after END."""
    shown = [(hour, (900.0 + 5 * (hour + 2)) % 1000) for hour in range(-2, 49)]
    shown += [(hour, 40.0 + 3 * (hour - REPLACED_AT)) for hour in range(49, 99)]
    told = {hour: value for hour, value in shown if hour not in SILENT}
    told[MISREAD] += 300.0
    told[DIPPED] /= 2
    return sorted(told.items())


def x01() -> list[tuple[int, float]]:
    return [(hour, 10.0 + hour * 0.5) for hour in range(97)]


def c01() -> list[tuple[int, float]]:
    return [(hour, 100.0 + hour % 7) for hour in range(96)]


EPOCHS = [
    {
        "unit": cast.QIANS_UNIT,
        "meter": "E01",
        "starts_at": (START + HOUR * REPLACED_AT).isoformat(),
        "reason": "replaced",
        "multiplier": "20",
        "rollover": "1000",
        "rate_max": "500",
        "first_value": "40",
        "previous_last_value": "152.5",
    }
]
FACTORS = [
    {
        "carrier": "raw_coal",
        "basis": basis,
        "unit": cast.QIANS_UNIT,
        "kgce_per_uom": kgce,
        "valid_from": since,
        "valid_to": until,
        "edition": edition,
        "source": "煤质检验报告 2026-117",
        "verified": verified,
    }
    for basis in ("calorific", "equivalent")
    for kgce, since, until, edition, verified in (
        ("0.71", "2026-01-01", "2026-11-04", "2026", "true"),
        ("0.68", "2026-11-04", "", "2026-11", "false"),
    )
]


async def play(stage: Stage, folder: Path, *, unverified: Unverified = Unverified.NOTE) -> None:
    """Let it all happen, and settle it."""
    async with stage.pool.acquire() as connection:
        unit_id = await connection.fetchval(
            "SELECT unit_id FROM units WHERE unit = $1", cast.QIANS_UNIT
        )
        await factories.gateway(connection, unit_id)
        await factories.meter(connection, unit_id, "X01", role="export", interval_s=3600)
        await factories.meter(
            connection, unit_id, "C01", carrier="raw_coal", kind="interval", uom="kg",
            interval_s=3600,
        )  # fmt: skip
        await connection.execute(
            "UPDATE meters SET interval_s = 3600, name = '总进线' WHERE meter = 'E01'"
        )
        await connection.execute(
            """
            UPDATE meter_epochs
               SET multiplier = 10, rollover = 1000
              FROM meters
             WHERE meters.meter_id = meter_epochs.meter_id
               AND meter = 'E01'
            """
        )
    await take(stage, folder, Kind.EPOCHS, EPOCHS, START + HOUR * 50)
    await take(stage, folder, Kind.FACTORS, FACTORS, START - HOUR * 24)
    series = [("E01", *told) for told in e01()]
    series += [("X01", *told) for told in x01()] + [("C01", *told) for told in c01()]
    cut = (FIRST_KNOWN - START) / HOUR
    late = [told for told in series if told[0] == "E01" and told[1] in (MISREAD, DIPPED)]
    series = [told for told in series if told not in late]  # in time they would be refused
    await send(stage, [told for told in series if told[1] < cut], FIRST_KNOWN, "b1")
    await send(stage, [told for told in series if told[1] >= cut], NOW - HOUR * 48, "b2")
    late += [("E01", 10, 1.0), ("E01", 24 * 400, 1.0)]
    await send(stage, late, FIRST_KNOWN, "b3", collector="beside")
    await correct(stage)
    await settle_all(stage, unverified)


async def take(
    stage: Stage, folder: Path, kind: Kind, rows: Sequence[Mapping[str, str]], at: datetime
) -> None:
    path = folder / f"{kind}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        sheet = csv.DictWriter(file, list(rows[0]))
        sheet.writeheader()
        sheet.writerows(rows)
    async with stage.pool.acquire() as connection, connection.transaction():
        plan = await importing.plan(connection, kind, path, lambda done, total: None)
        assert not plan.problems, plan.problems
        await importing.apply(connection, plan, ZHAO, at)


async def send(
    stage: Stage,
    series: Iterable[tuple[str, int, float]],
    at: datetime,
    batch: str,
    *,
    collector: str = "main",
) -> None:
    """Deliver readings, given as meter, hour and value, as a gateway would `at` an instant.

    A collector's links are never older than the one before: what comes in between has another.
    """
    readings = [
        {"meter": meter, "time": (START + HOUR * hour).isoformat(), "value": value}
        for meter, hour, value in series
    ]
    holder = await writer.begin(stage.pool, collector, lambda: at)
    storing = Collector(stage.pool, holder, oldest=timedelta(days=400), clock=lambda: at)
    topic = f"nenghao/v1/450200/{cast.QIANS_UNIT}/gw1/readings"
    payload = json.dumps({"batch": batch, "readings": readings}).encode()
    await storing.store([Delivery(1, 0, topic, payload, at)])


async def correct(stage: Stage) -> None:
    time = START + HOUR * MISREAD
    right = 40.0 + 3 * (MISREAD - REPLACED_AT)
    row = CorrectionRow(cast.QIANS_UNIT, "E01", time, right)
    async with stage.pool.acquire() as connection, connection.transaction():
        targets = await corrections.list_targets(connection, [row])
        pairs = [(row, targets[row.subject])]
        author = Author("qian", "网关误抄", "现场照片 2026-11-10")
        assert await correcting.state(connection, author, pairs, CORRECTED_AT) == 1


async def settle_all(stage: Stage, unverified: Unverified = Unverified.NOTE) -> None:
    async with stage.pool.acquire() as connection:
        while await settle.settle_one(
            connection, unverified=unverified
        ) or await settle.settle_region(connection):
            pass
