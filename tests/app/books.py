"""Books to verify: two collectors have stored readings, people have stated facts."""

from __future__ import annotations

from datetime import timedelta

import db.epochs
from app import standing, verification
from app.findings import Finding, Report
from app.imports import sheet
from app.imports.kinds import Kind
from db import changes, figures
from db.changes import Author
from db.epochs import EpochRow
from db.figures import TargetRow
from db.heads import KeptHead
from db.pool import Connection, Pool
from ingest import writer
from ingest.collect import Collector
from tests import factories
from tests.ingest.conftest import NOW, Plant, reading

FLUSHES, READINGS = 12, 8
TARGETS = 6
CHANGES_MADE = 4 + TARGETS
"""A unit and two meters are sealed, for no file states them; one of the meters has an epoch."""

EPOCH_AT = NOW - timedelta(days=20)

WEEK_MINUTES = 7 * 24 * 60
ZHAO = Author("zhao", "filed anew", "桂发改〔2026〕1号")


def quiet(check: str, done: int, total: int) -> None:
    """Show no progress."""


async def verified(connection: Connection, witnessed: list[KeptHead] | None = None) -> Report:
    return await verification.verify(connection, witnessed or [], quiet)


async def verified_with_facts(connection: Connection, witnessed: list[KeptHead]) -> Report:
    """Return what `nenghao verify` finds beside sums: facts stand as chains of their own."""
    report = await verified(connection, witnessed)
    report.findings += [
        Finding(f"facts/{each.kind}/{each.subject}", None, each.fault)
        for one in await standing.of_all(connection)
        for each in one.findings
    ]
    return report


async def filled(pool: Pool) -> Plant:
    """Two collectors have stored three weeks of readings, people have stated facts."""
    async with pool.acquire() as connection:
        unit_id = await factories.unit(connection)
        await factories.gateway(connection, unit_id)
        register_id = await factories.meter(connection, unit_id, rollover=1_000_000.0)
        interval_id = await factories.meter(
            connection, unit_id, "C01", carrier="raw_coal", kind="interval", uom="kg"
        )
        await changes.record(connection, ZHAO, await standing.list_seals(connection), NOW)
        epoch = EpochRow(
            factories.unit_code(), "E01", EPOCH_AT, "multiplier", 1.0, "secondary", 1_000_000.0,
            500.0, None, None, None,
        )  # fmt: skip
        await db.epochs.upsert(connection, [epoch])
        key = (factories.unit_code(), "E01", str(EPOCH_AT))
        await changes.record(connection, ZHAO, [sheet.fact(Kind.EPOCHS, key, epoch)], NOW)
        for year in range(2021, 2021 + TARGETS):
            target = TargetRow("450200", year, -0.01, "test", year)
            await figures.upsert_targets(connection, [target])
            fact = sheet.fact(Kind.TARGETS, ("450200", str(year)), target)
            await changes.record(connection, ZHAO, [fact], NOW)
    holder = await writer.begin(pool, "one", lambda: NOW)
    one = Collector(pool, holder, oldest=timedelta(days=400), clock=lambda: NOW)
    plant = Plant(pool, unit_id, register_id, interval_id, holder, one)
    for number in range(FLUSHES):
        await plant.send(
            *(reading(-number * WEEK_MINUTES // 4 - 15 * n, 1, "C01") for n in range(READINGS)),
            batch=f"c{number}",
        )
    plant.holder = await writer.begin(pool, "two", lambda: NOW)
    plant.collector = plant.new_collector()
    for number in range(FLUSHES):
        await plant.send(
            *(
                reading(15 * (n - FLUSHES * READINGS), 100.0 + n)
                for n in range(number * READINGS, (number + 1) * READINGS)
            ),
            batch=f"e{number}",
        )
    return plant
