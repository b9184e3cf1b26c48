"""An import shows what it would do, names every bad row, and writes all or nothing."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
import xlsxwriter
from rich.console import Console
from typer.testing import CliRunner

import db.changes
import db.contacts
import db.corrections
import db.pool
import db.registry
from app import cli, import_report, importing
from app.imports.kinds import Kind
from app.imports.plans import Plan
from app.resolve import Refusal
from db.changes import Author
from db.pool import Connection
from tests import factories

EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"
UNIT = {
    "unit": factories.unit_code(),
    "name": "横州水泥厂",
    "region": "450181",
    "industry": "C3011",
}
METER = {
    "unit": factories.unit_code(),
    "meter": "E01",
    "name": "总表",
    "carrier": "electricity",
    "kind": "register",
    "uom": "kWh",
    "multiplier": "100",
    "rollover": "1000000",
    "role": "boundary",
    "product": "",
    "installed_at": "2020-01-01",
}
OUTPUT = {**METER, "role": "output", "carrier": "", "product": "cement_clinker", "uom": "t"}
CONTACT = {"region": "450200", "name": "柳州", "email": "a@b.example", "language": "zh"}
LIMIT = {
    "product": "cement_clinker",
    "uom": "kgce/t",
    "edition": "2023",
    "baseline": "117",
    "benchmark": "100",
    "valid_from": "2023-01-01",
    "source": "test",
}
FIGURE = {
    "region": "450200",
    "year": "2026",
    "through_month": "9",
    "energy_growth": "0.07",
    "gdp_growth": "0.06",
    "source": "test",
}
TARGET = {"region": "450200", "year": "2026", "required_rate": "-0.02747", "source": "test"}
AUTHOR = Author("zhao", "test")
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
READ_AT = datetime(2026, 1, 1, tzinfo=UTC)
CORRECTION = {
    "unit": METER["unit"],
    "meter": METER["meter"],
    "time": "2026-01-01T08:00:00+08:00",
    "value": "5.5",
}


class Desk:
    """Where a test puts rows into a file and imports it."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self.connection = connection
        self.folder = folder

    async def plan(self, kind: Kind, *rows: Mapping[str, str]) -> Plan:
        path = self.folder / f"{kind}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return await importing.plan(self.connection, kind, path, lambda done, total: None)

    async def take(self, kind: Kind, *rows: Mapping[str, str]) -> Plan:
        plan = await self.plan(kind, *rows)
        await importing.apply(self.connection, plan, AUTHOR, NOW)
        return plan

    async def problem(self, kind: Kind, row: Mapping[str, str]) -> tuple[str, str]:
        """Return column and reason of the one problem that `row` is."""
        (found,) = (await self.plan(kind, row)).problems
        return found.column, found.reason


@pytest.fixture
async def desk(connection: Connection, tmp_path: Path) -> Desk:
    return Desk(connection, tmp_path)


@pytest.fixture
async def meter_desk(desk: Desk) -> Desk:
    """A desk where the unit of METER is registered."""
    await factories.unit(desk.connection)
    return desk


async def stored_meter(desk: Desk) -> db.registry.MeterRow:
    (meter,) = await db.registry.list_meters_by_unit(desk.connection, [METER["unit"]])
    return meter.row


async def insert_reading(desk: Desk, read_at: datetime = READ_AT) -> None:
    await desk.connection.execute(
        """
        INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at)
        SELECT meter_id, $1, 1, 'good', $1 FROM meters
        """,
        read_at,
    )


async def test_the_examples_are_imported_and_then_nothing_is_left_to_do(desk: Desk) -> None:
    for kind in Kind:
        path = EXAMPLES / f"{kind}.csv"
        if kind is Kind.CORRECTIONS:  # of readings that must be there
            for minutes in (0, 15):
                await insert_reading(desk, datetime(2026, 11, 1, 0, minutes, tzinfo=UTC))
        first = await importing.plan(desk.connection, kind, path, lambda done, total: None)
        await importing.apply(desk.connection, first, AUTHOR, NOW)
        second = await importing.plan(desk.connection, kind, path, lambda done, total: None)
        known = first.rows if kind is Kind.LIMITS else 0  # reference data has them already
        assert (first.problems, first.unchanged, len(first.new)) == ([], known, first.rows - known)
        assert (second.unchanged, second.new, second.changed) == (second.rows, [], [])


async def test_a_plan_writes_nothing(desk: Desk) -> None:
    plan = await desk.plan(Kind.UNITS, UNIT)
    assert len(plan.new) == 1
    assert await db.registry.list_unit_codes(desk.connection) == []


async def test_a_file_with_one_bad_row_is_refused_as_a_whole(desk: Desk) -> None:
    with pytest.raises(Refusal, match="nothing was imported"):
        await desk.take(Kind.UNITS, UNIT, {**UNIT, "unit": "91"})
    assert await db.registry.list_unit_codes(desk.connection) == []


async def test_a_change_names_the_field_with_its_old_and_new_value(desk: Desk) -> None:
    await desk.take(Kind.UNITS, UNIT)
    (changed,) = (await desk.plan(Kind.UNITS, {**UNIT, "name": "横州水泥"})).changed
    assert changed.fields == {"name": ("横州水泥厂", "横州水泥")}


async def test_a_column_the_file_lacks_keeps_what_is_stored(desk: Desk) -> None:
    await desk.take(Kind.UNITS, {**UNIT, "annual_tce": "92000"})
    await desk.take(Kind.UNITS, {**UNIT, "name": "横州水泥"})
    assert (await desk.plan(Kind.UNITS, {**UNIT, "annual_tce": ""})).changed[0].fields == {
        "annual_tce": ("92000", ""),
        "name": ("横州水泥", "横州水泥厂"),
    }


async def test_an_empty_cell_leaves_whether_a_unit_must_sign(desk: Desk) -> None:
    await desk.take(Kind.UNITS, {**UNIT, "signature_required": "yes"})
    plan = await desk.plan(Kind.UNITS, {**UNIT, "signature_required": ""})
    assert (plan.changed, plan.unchanged) == ([], 1)
    (changed,) = (await desk.plan(Kind.UNITS, {**UNIT, "signature_required": "no"})).changed
    assert changed.fields == {"signature_required": ("True", "False")}
    assert await desk.problem(Kind.UNITS, {**UNIT, "signature_required": "maybe"}) == (
        "signature_required",
        "is neither true nor false; write yes or no",
    )


async def test_a_row_that_occurs_twice_is_a_problem(desk: Desk) -> None:
    (problem,) = (await desk.plan(Kind.UNITS, UNIT, UNIT)).problems
    assert (problem.line, problem.column) == (3, "unit")
    assert problem.reason == "is on line 2 already"


async def test_a_retired_region_code_is_translated_with_a_note(desk: Desk) -> None:
    plan = await desk.take(Kind.UNITS, {**UNIT, "region": "450127"})
    (unit,) = await db.registry.list_units_by_code(desk.connection, [UNIT["unit"]])
    assert unit.region == "450181"
    assert plan.notes[0].text == "横县 ended in 2021; taken as 450181 横州市"


async def test_a_move_to_another_city_tells_what_follows(desk: Desk) -> None:
    await desk.take(Kind.UNITS, UNIT)
    (note,) = (await desk.plan(Kind.UNITS, {**UNIT, "region": "450202"})).notes
    assert "enrol them again" in note.text


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("unit", UNIT["unit"][:-1] + "X", "the first 17 ask for"),
        ("region", "450199", "not the code of a known region"),
        ("region", "450000", "is a province; give a city or county"),
        ("region", "4501", "6 digits"),
        ("industry", "C4411", "division 44 is not of section C"),
        ("name", "", "is required"),
        ("name", "横州\n水泥厂", "control character"),
        ("annual_tce", "-1", "should be greater than or equal to 0"),
        ("annual_tce", "nan", "should be a finite number"),
        ("commissioned_on", "2020-02-30", "not a day of the calendar"),
        ("commissioned_on", "43831", "is not a date, as in 2020-01-31"),
        ("contact_email", "a@b.example,c@d.example", "not one plain e-mail address"),
    ],
)
async def test_a_bad_unit_is_explained(desk: Desk, column: str, value: str, reason: str) -> None:
    found_column, found_reason = await desk.problem(Kind.UNITS, {**UNIT, column: value})
    assert found_column == column
    assert reason in found_reason


@pytest.mark.parametrize(
    "email",
    [
        "nobody",
        "a@b",
        "a b@c.example",
        "A <a@b.example>",
        "a@b.example;c@d.example",
        "a..b@c.example",
        ".a@c.example",
        "a@-c.example",
        "a@b.example\r\nBcc: c@d.example",
        "甲@b.example",
        f"{'a' * 65}@b.example",
    ],
)
async def test_a_contact_has_exactly_one_plain_address(desk: Desk, email: str) -> None:
    column, _ = await desk.problem(Kind.CONTACTS, {**CONTACT, "email": email})
    assert column == "email"


async def test_a_contact_is_written_to_at_the_worst_level_only_unless_it_says_more(
    desk: Desk,
) -> None:
    await desk.take(Kind.CONTACTS, CONTACT, {**CONTACT, "region": "450000"})
    contacts = await db.contacts.list_contacts(desk.connection)
    assert [(row.region, row.minimum_level) for row in contacts] == [("450000", 1), ("450200", 1)]


@pytest.mark.parametrize(
    ("kind", "row", "column", "reason"),
    [
        (Kind.CONTACTS, {**CONTACT, "language": "de"}, "language", "'zh' or 'en'"),
        (Kind.CONTACTS, {**CONTACT, "minimum_level": "4"}, "minimum_level", "equal to 3"),
        (Kind.LIMITS, {**LIMIT, "baseline": "", "benchmark": ""}, "baseline", "at least one"),
        (Kind.LIMITS, {**LIMIT, "benchmark": "118"}, "benchmark", "lower is better"),
        (Kind.FIGURES, {**FIGURE, "energy_growth": "7"}, "energy_growth", "equal to 1"),
        (Kind.FIGURES, {**FIGURE, "energy_growth": "7%"}, "energy_growth", "is a percentage"),
        (Kind.FIGURES, {**FIGURE, "through_month": "13"}, "through_month", "equal to 12"),
        (
            Kind.FIGURES,
            {**FIGURE, "energy_growth": "", "gdp_growth": ""},
            "energy_growth",
            "at least one of energy_growth, gdp_growth",
        ),
        (Kind.TARGETS, {**TARGET, "required_rate": "0.02747"}, "required_rate", "is negative"),
        (Kind.TARGETS, {**TARGET, "region": "440100"}, "region", "not the code of a known region"),
    ],
)
async def test_other_bad_rows_are_explained(
    desk: Desk, kind: Kind, row: Mapping[str, str], column: str, reason: str
) -> None:
    found_column, found_reason = await desk.problem(kind, row)
    assert found_column == column
    assert reason in found_reason


async def test_the_limits_of_a_converter_may_be_negative(desk: Desk) -> None:
    converter = {**LIMIT, "product": "converter_steel", "baseline": "-10", "benchmark": "-30"}
    assert (await desk.plan(Kind.LIMITS, converter)).problems == []


async def test_a_spreadsheet_is_imported_like_a_csv_file(desk: Desk) -> None:
    path = desk.folder / "units.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, [*UNIT, "annual_tce"])
    sheet.write_row(1, 0, [UNIT["unit"], UNIT["name"], 450181, UNIT["industry"], 92000.5])
    book.close()
    plan = await importing.plan(desk.connection, Kind.UNITS, path, lambda done, total: None)
    assert plan.new[0].fields["region"] == ("", "450181")
    assert plan.new[0].fields["annual_tce"] == ("", "92000.5")


async def test_progress_ends_with_every_row(desk: Desk) -> None:
    seen: list[tuple[int, int]] = []
    path = EXAMPLES / "limits.csv"
    await importing.plan(
        desk.connection, Kind.LIMITS, path, lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (11, 11)


async def test_the_report_names_file_line_column_reason_and_value(desk: Desk) -> None:
    console = Console(file=StringIO(), width=80)
    import_report.render(
        await desk.plan(Kind.UNITS, UNIT, {**UNIT, "region": "[red]4501"}), console
    )
    assert isinstance(console.file, StringIO)
    lines = console.file.getvalue().splitlines()
    assert "units.csv:3 region: a region code has 6 digits, as in 450202 ([red]4501)" in lines
    assert lines[-1].endswith("1 problem on 1 line, nothing can be imported")


async def test_an_import_is_in_the_ledger_with_its_author_and_its_file(desk: Desk) -> None:
    await desk.take(Kind.UNITS, UNIT)
    await desk.take(Kind.UNITS, {**UNIT, "name": "新名"})
    first, second = await db.changes.list_history(desk.connection, "units", UNIT["unit"])
    assert first.author == AUTHOR
    assert second.fact.content is not None
    assert second.fact.content["name"] == "新名"


def test_the_evidence_of_an_import_is_what_its_file_holds() -> None:
    evidence = importing.author("zhao", None, "units.csv", b"unit").evidence
    assert evidence == f"units.csv sha256:{hashlib.sha256(b'unit').hexdigest()}"
    other = importing.author("zhao", None, "units.csv", b"unit", "No. 17").evidence
    assert other == f"No. 17; {evidence}"


def test_a_pipe_is_imported_and_its_evidence_is_what_came_through_it(database_url: str) -> None:
    """It can be read only once: a second reading gives nothing."""
    content = (EXAMPLES / "units.csv").read_bytes()
    out, into = os.pipe()
    os.write(into, content)
    os.close(into)
    environment = {"NENGHAO_DATABASE_URL": database_url}
    command = ["import", "units", f"/dev/fd/{out}", "--apply"]
    told = CliRunner().invoke(cli.app, command, env=environment)
    os.close(out)
    assert told.exit_code == 0, told.output
    proofs = asyncio.run(_proofs(database_url))
    assert proofs == {f"{out} sha256:{hashlib.sha256(content).hexdigest()}"}


async def _proofs(database_url: str) -> set[str]:
    pool = await db.pool.create_pool(database_url)
    try:
        return {row["evidence"] for row in await pool.fetch("SELECT evidence FROM changes")}
    finally:
        await pool.close()


# -- corrections -----------------------------------------------------------------------------------


async def test_an_imported_correction_holds_and_its_file_is_the_evidence(meter_desk: Desk) -> None:
    await meter_desk.take(Kind.METERS, METER)
    await insert_reading(meter_desk)
    await meter_desk.take(Kind.CORRECTIONS, CORRECTION)
    await meter_desk.take(Kind.CORRECTIONS, {**CORRECTION, "value": "aside"})
    assert await db.corrections.list_applied(meter_desk.connection) == {
        f"{METER['unit']}/E01/2026-01-01T00:00:00+00:00": None
    }
    stated = await db.corrections.list_known(meter_desk.connection)
    assert stated == await db.corrections.list_applied(meter_desk.connection)
    assert await meter_desk.connection.fetchval("SELECT count(*) FROM stale_ranges") == 2


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("time", "2026-01-01T08:15:00+08:00", "has no reading at this time"),
        ("meter", "E02", "has no reading at this time"),
        ("value", "", "is required"),
        ("value", "nan", "finite number"),
        ("value", "none", "valid number"),
    ],
)
async def test_a_bad_correction_is_explained(
    meter_desk: Desk, column: str, value: str, reason: str
) -> None:
    await meter_desk.take(Kind.METERS, METER)
    await insert_reading(meter_desk)
    _, found = await meter_desk.problem(Kind.CORRECTIONS, {**CORRECTION, column: value})
    assert reason in found
