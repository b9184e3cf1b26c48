"""Certificates, limits, filings and schemes by file: checked, stored, in the ledger."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

import db.changes
import db.filings
import db.metrology
import db.schemes
from app import importing
from app.imports.kinds import Kind
from app.imports.plans import Plan
from db.changes import Author
from db.pool import Connection
from tests import factories

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
UNIT = factories.unit_code()
VERIFICATION = {
    "unit": UNIT, "meter": "E01", "verified_on": "2025-01-01", "valid_until": "2026-12-31",
    "body": "院", "certificate": "c1",
}  # fmt: skip
LIMIT = {"unit": UNIT, "meter": "E01", "value_min": "0", "value_max": "10", "source": "t"}
FILING = {
    "unit": UNIT, "carrier": "electricity", "month": "2026-10", "quantity": "3", "uom": "1e4kWh",
    "starts_on": "", "ends_on": "", "source": "t",
}  # fmt: skip
SCHEME = {
    "valid_from": "2026-01-01", "completeness": "0.5", "accuracy": "0.5", "timeliness": "0",
    "verifiability": "0", "validity": "0", "normativity": "0", "completeness_pass": "0.9",
    "agreement_max": "0.05", "lateness_allowance_s": "300", "monthly_deadline_day": "10",
    "official": "true", "source": "t",
}  # fmt: skip


class Desk:
    """Where a test puts a row into a file and plans or takes it."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self.connection = connection
        self.folder = folder

    async def plan(self, kind: Kind, row: Mapping[str, str]) -> Plan:
        path = self.folder / f"{kind}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            writer.writeheader()
            writer.writerow(row)
        return await importing.plan(self.connection, kind, path, lambda done, total: None)

    async def take(self, kind: Kind, row: Mapping[str, str]) -> Plan:
        plan = await self.plan(kind, row)
        await importing.apply(self.connection, plan, Author("zhao", "test"), NOW)
        return plan


@pytest.fixture
async def desk(connection: Connection, tmp_path: Path) -> Desk:
    unit_id = await factories.unit(connection)
    await factories.meter(connection, unit_id)
    return Desk(connection, tmp_path)


@pytest.mark.parametrize(
    ("kind", "row", "column"),
    [
        (Kind.VERIFICATIONS, {**VERIFICATION, "valid_until": "2024-12-31"}, "valid_until"),
        (Kind.VERIFICATIONS, {**VERIFICATION, "meter": "E99"}, "meter"),
        (Kind.VALUE_LIMITS, {**LIMIT, "value_min": "11"}, "value_min"),
        (Kind.VALUE_LIMITS, {**LIMIT, "value_min": "", "value_max": ""}, "value_min"),
        (Kind.VALUE_LIMITS, {**LIMIT, "value_max": "inf"}, "value_max"),
        (Kind.MONTHLY_FILINGS, {**FILING, "month": "2026-13"}, "month"),
        (Kind.MONTHLY_FILINGS, {**FILING, "uom": "t"}, "uom"),
        (Kind.MONTHLY_FILINGS, {**FILING, "uom": "kW"}, "uom"),
        (Kind.MONTHLY_FILINGS, {**FILING, "quantity": "-1"}, "quantity"),
        (Kind.QUALITY_SCHEMES, {**SCHEME, "completeness": "0", "accuracy": "0"}, "completeness"),
        (Kind.QUALITY_SCHEMES, {**SCHEME, "completeness_pass": "90"}, "completeness_pass"),
    ],
)
async def test_a_row_that_cannot_be_true_is_named(
    desk: Desk, kind: Kind, row: dict[str, str], column: str
) -> None:
    (problem,) = (await desk.plan(kind, row)).problems
    assert problem.column == column


@pytest.mark.parametrize(
    ("kind", "row", "subject"),
    [
        (Kind.VERIFICATIONS, VERIFICATION, f"{UNIT}/E01/2025-01-01"),
        (Kind.VALUE_LIMITS, LIMIT, f"{UNIT}/E01"),
        (Kind.MONTHLY_FILINGS, FILING, f"{UNIT}/electricity/2026-10"),
        (Kind.QUALITY_SCHEMES, SCHEME, "2026-01-01"),
    ],
)
async def test_what_is_imported_is_in_the_ledger(
    desk: Desk, kind: Kind, row: dict[str, str], subject: str
) -> None:
    await desk.take(kind, row)
    assert list(await db.changes.list_known(desk.connection, kind, NOW)) == [subject]
    assert (await desk.plan(kind, row)).unchanged == 1


async def test_a_filing_is_of_its_month_unless_it_says_otherwise(desk: Desk) -> None:
    plan = await desk.take(Kind.MONTHLY_FILINGS, FILING)
    (filing,) = await db.filings.list_filings(desk.connection, [UNIT])
    assert plan.notes == []
    assert (filing.starts_on.isoformat(), filing.ends_on.isoformat()) == (
        "2026-10-01",
        "2026-11-01",
    )
    assert await desk.connection.fetchval("SELECT in_reference_uom FROM monthly_filings") == 30_000


async def test_a_month_that_begins_two_days_early_is_noted_and_kept(desk: Desk) -> None:
    plan = await desk.take(Kind.MONTHLY_FILINGS, {**FILING, "starts_on": "2026-09-29"})
    assert [note.column for note in plan.notes] == ["starts_on"]
    assert len(await db.filings.list_filings(desk.connection, [UNIT])) == 1


async def test_a_scheme_holds_from_its_day(desk: Desk) -> None:
    await desk.take(Kind.QUALITY_SCHEMES, SCHEME)
    schemes = await db.schemes.list_schemes(desk.connection)
    before = db.schemes.in_force(schemes, datetime(2025, 12, 31, tzinfo=UTC).date()).scheme()
    after = db.schemes.in_force(schemes, datetime(2026, 1, 1, tzinfo=UTC).date()).scheme()
    assert (before.is_official, after.is_official) == (False, True)
    assert sum(after.weights.values()) == 1
