"""Books to verify: two collectors have stored readings, people have stated facts."""

from __future__ import annotations

from datetime import timedelta

import db.alert_cases
import db.alert_events
import db.epochs
from alerts import care
from alerts.keepers import Keepers
from alerts.kinds.kind import Surroundings
from alerts.lifecycle import Reason
from app import standing, verification
from app.findings import Finding, Report
from app.imports import sheet
from app.imports.kinds import Kind
from db import changes, figures
from db.alert_events import ACKNOWLEDGED, ASSIGNED
from db.changes import Author, Fact
from db.epochs import EpochRow
from db.figures import TargetRow
from db.heads import KeptHead
from db.pool import Connection, Pool
from db.scope import Scope
from ingest import writer
from ingest.collect import Collector
from tests import factories
from tests.ingest.conftest import NOW, Plant, reading

FLUSHES, READINGS = 12, 8
TARGETS = 6
CHANGES_MADE = 7 + TARGETS
"""A unit, two meters and a rule are sealed, for nobody stated them; one of the meters has an epoch;
two things are said of an alert."""

EPOCH_AT = NOW - timedelta(days=20)

WEEK_MINUTES = 7 * 24 * 60
ZHAO = Author("zhao", "filed anew", "桂发改〔2026〕1号")


ASKS = '{"due_workdays": {"acknowledge": 2, "remedy": 5}}'
ALERT = """
INSERT INTO alerts (rule_id, region, unit_id, subject, level, state, period_starts_at,
                    period_ends_at, measured, threshold, uom, coverage, estimated_share, reason,
                    pending_at, fired_at, told_at, updated_at)
VALUES ($1, '450202', $2, 'x', 1, 'firing', $3::timestamptz - interval '1 h', $3, 2, 1, 'kgce/t', 1,
        0, 'over', $3, $3, $3, $3)
RETURNING alert_id
"""


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


async def _alert(connection: Connection, rule_id: int, unit_id: int) -> None:
    """Let an alert fire, get its due dates, be acknowledged by Qian and given to Li."""
    alert_id: int = await connection.fetchval(ALERT, rule_id, unit_id, NOW)
    await db.alert_events.insert(connection, alert_id, at=NOW, kind=Reason.FIRST, reason="over")
    await care.look_after(connection, Surroundings(NOW, 0.75, "", {}), Keepers.of([], [], []))
    await db.alert_events.acknowledge(connection, Scope("45"), alert_id, "qian", NOW)
    await db.alert_cases.assign(connection, alert_id, assignee="li", shown="li")
    for kind, assignee in ((ACKNOWLEDGED, None), (ASSIGNED, "li")):
        event_id = await db.alert_events.insert(
            connection, alert_id, at=NOW, kind=kind, reason="r", actor="qian", assignee=assignee
        )
        content: dict[str, object] = {"kind": kind, "at": NOW.isoformat(), "text": "r"}
        content |= {"assignee": assignee} if assignee else {}
        fact = Fact(db.alert_events.NOUN, f"{alert_id}/{event_id}", content)
        await changes.record(connection, Author("qian", "r", ""), [fact], NOW)


async def filled(pool: Pool) -> Plant:
    """Two collectors have stored three weeks of readings, people have stated facts."""
    async with pool.acquire() as connection:
        unit_id = await factories.unit(connection)
        await factories.gateway(connection, unit_id)
        register_id = await factories.meter(connection, unit_id, rollover=1_000_000.0)
        interval_id = await factories.meter(
            connection, unit_id, "C01", carrier="raw_coal", kind="interval", uom="kg"
        )
        rule_id = await factories.rule(connection, parameters=ASKS)
        await changes.record(connection, ZHAO, await standing.list_seals(connection), NOW)
        await _alert(connection, rule_id, unit_id)
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
