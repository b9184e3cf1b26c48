"""Readings out of a file go the way of what gateways send, and each row of it is counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import xlsxwriter

from app import readings_export, readings_import, tables
from app.imports import readings
from app.readings_import import FLUSH_ROWS, Outcome, Terms
from app.resolve import Refusal
from app.tables import Row
from db.changes import Author
from db.pool import Pool
from ingest import files, payload, writer
from ingest.files import Line
from ingest.payload import Reason
from ingest.receipts import Tally
from ingest.replay import Replayed, Replayer
from tests import factories
from tests.ingest.conftest import NOW

UNIT = factories.unit_code()
AUTHOR = Author("zhao", "the gateway was replaced")
HEADER = "unit,meter,time,value,quality"


def terms(offset: str = "") -> Terms:
    return Terms(offset, timedelta(days=400), lambda: NOW)


def row(minute: int, value: object, meter: str = "C01", unit: str = UNIT, rest: str = "") -> str:
    return f"{unit},{meter},2026-11-22T08:{minute:02}:00+08:00,{value},{rest}"


def csv_file(tmp_path: Path, rows: Sequence[str], encoding: str = "utf-8") -> Path:
    path = tmp_path / "readings.csv"
    path.write_text("\n".join([HEADER, *rows]), encoding=encoding)
    return path


async def taken(pool: Pool, path: Path, *, offset: str = "", apply: bool = True) -> Outcome:
    with tables.streamed(path, required=readings.REQUIRED, optional=readings.OPTIONAL) as stream:
        if not apply:
            return await readings_import.rehearse(
                pool, stream, path.name, terms(offset), lambda done, of: None
            )
        return await readings_import.store(
            pool, stream, path.name, terms(offset), AUTHOR, lambda done, of: None
        )


ROWS = [
    row(0, 1),
    row(0, 5, unit=factories.unit_code(2)),
    row(15, 2, rest="uncertain"),
    row(0, 1.0),
    row(15, 3),
    row(30, 1, meter="X9"),
    row(30, "1，5"),
    row(45, "nan"),
    f"{UNIT},C01,2026/11/22 9:00,4,",
    f"{UNIT},C01,2026-11-24T08:00:00+08:00,4,",
    f"{UNIT},C01,2025-01-24T08:00:00+08:00,4,",
    row(0, -1, meter="E01"),
    row(0, "3.4e38"),
    row(0, 7, unit=factories.unit_code(3)),
]
"""Two units in turn, and one that is not registered."""

REASONS = {
    Reason.UNKNOWN_METER: 1,
    Reason.INVALID_FIELD: 1,
    Reason.VALUE_NOT_FINITE: 1,
    Reason.TIME_WITHOUT_OFFSET: 1,
    Reason.TIME_IN_FUTURE: 1,
    Reason.TIME_TOO_OLD: 1,
    Reason.VALUE_OUT_OF_RANGE: 2,
    Reason.UNKNOWN_UNIT: 1,
}


COUNTED = ("stored", "duplicate", "conflicting", "rejected")


async def counted(pool: Pool) -> dict[str, int]:
    names = ("readings", "conflicts", "quarantine", "stale_ranges", "changes", "links")
    return {name: await pool.fetchval(f"SELECT count(*) FROM {name}") for name in names}


@pytest.fixture
async def works(pool: Pool) -> Pool:
    """Two units without a gateway, of which one asks for signatures."""
    async with pool.acquire() as connection:
        unit_id = await factories.unit(connection)
        await factories.meter(connection, unit_id)
        await factories.meter(connection, unit_id, "C01", carrier="raw_coal", kind="interval")
        other = await factories.unit(connection, factories.unit_code(2))
        await factories.meter(connection, other, "C01", carrier="raw_coal", kind="interval")
        await connection.execute(
            "UPDATE units SET signature_required = true WHERE unit_id = $1", other
        )
    return pool


async def test_every_row_is_stored_or_counted_by_its_reason(works: Pool, tmp_path: Path) -> None:
    path = csv_file(tmp_path, ROWS, "gb18030")
    planned = await taken(works, path, apply=False)
    assert set((await counted(works)).values()) == {0}

    done = await taken(works, path)
    assert done.tally == Tally(14, 3, 1, 1, 9)
    assert done.reasons == REASONS
    assert (planned.tally, planned.listed) == (done.tally, done.listed)
    assert done.listed[0].startswith("readings.csv:7 meter: unknown_meter: unit ")
    assert "readings.csv:8 value: invalid_field: value '1，5' is no number: digits and a " in (
        "\n".join(done.listed)
    )
    assert [line for line in done.listed if "conflicting" in line] == [
        "readings.csv:6 value: conflicting: meter C01 2026-11-22T08:15:00+08:00: another value "
        "than 3.0 stands"
    ]
    assert done.listed[-1] == (
        f"readings.csv:15 unit: unknown_unit: unit {factories.unit_code(3)} is not registered"
    )
    assert await counted(works) == {
        "readings": 3, "conflicts": 1, "quarantine": 9, "stale_ranges": 2, "changes": 1, "links": 1
    }  # fmt: skip

    again = await taken(works, path)
    assert again.tally == Tally(14, 0, 4, 1, 9)
    assert (await counted(works))["readings"] == 3
    totals = await works.fetchrow("SELECT * FROM ingest_totals WHERE collector LIKE 'import-%'")
    assert totals is not None
    assert (totals["received"], totals["stored"], totals["rejected"]) == (28, 3, 18)
    assert totals["received"] == sum(totals[each] for each in COUNTED)


async def test_a_conflict_names_the_file_that_contradicts(works: Pool, tmp_path: Path) -> None:
    await taken(works, csv_file(tmp_path, [row(0, 1), row(0, 2)]))
    (found,) = await works.fetch("SELECT raw_value, topic, batch FROM conflicts")
    sha256 = await works.fetchval("SELECT subject FROM changes WHERE noun = 'readings'")
    assert tuple(found) == (2, f"file/{UNIT}/{sha256}/readings.csv", "lines 2 to 3")
    arrived = await works.fetchrow("SELECT gateway_ids, received_at, batches FROM arrivals")
    assert tuple(arrived or ()) == ([None], [NOW], ["lines 2 to 3"])  # by its time it is let go


async def test_what_was_rejected_is_replayed_as_a_file_still(works: Pool, tmp_path: Path) -> None:
    await taken(works, csv_file(tmp_path, [row(0, 1, meter="C02"), row(15, 1)]))
    async with works.acquire() as connection:
        unit_id = await connection.fetchval("SELECT unit_id FROM units WHERE unit = $1", UNIT)
        await factories.meter(connection, unit_id, "C02", carrier="raw_coal", kind="interval")
    holder = await writer.begin(works, "replay", lambda: NOW)
    replayer = Replayer(works, holder, oldest=timedelta(days=400), clock=lambda: NOW)
    sha256 = await works.fetchval("SELECT sha256 FROM quarantine")
    assert await replayer.replay(sha256) == Replayed("stored", 1, 0, stored=1, duplicate=1)


async def test_an_import_that_was_cut_off_is_run_again(works: Pool, tmp_path: Path) -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [f"{UNIT},C01,{first + timedelta(minutes=n):%FT%TZ},{n}," for n in range(FLUSH_ROWS)]
    with pytest.raises(Refusal, match=r"line 5002 is not CSV.* import the file again"):
        await taken(works, csv_file(tmp_path, [*rows, row(0, '"1"2')]))
    assert (await counted(works))["readings"] == FLUSH_ROWS
    again = await taken(works, csv_file(tmp_path, [*rows, row(0, 1)]))
    assert again.tally == Tally(FLUSH_ROWS + 1, 1, FLUSH_ROWS, 0, 0)


async def test_a_second_import_on_a_machine_waits_for_the_first(
    works: Pool, tmp_path: Path
) -> None:
    path = csv_file(tmp_path, [row(0, 1)])
    async with readings_import._holding(works, lambda: NOW):
        with pytest.raises(Refusal, match="another file"):
            await taken(works, path)
    assert (await taken(works, path)).tally.stored == 1


def lines_of(path: Path, offset: str = "") -> list[Line]:
    with tables.streamed(path, required=readings.REQUIRED, optional=readings.OPTIONAL) as stream:
        return [readings.line(each, offset) for each in stream.rows]


def test_dates_of_a_spreadsheet_have_the_offset_that_is_stated(tmp_path: Path) -> None:
    path = tmp_path / "readings.xlsx"
    book = xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd hh:mm"})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, readings.REQUIRED)
    for place, minute in enumerate((0, 5), start=1):
        sheet.write_row(place, 0, [UNIT, 1])
        sheet.write_datetime(place, 2, datetime(2026, 11, 22, 0, minute))  # noqa: DTZ001  # as a cell
        sheet.write_number(place, 3, 0.1)
    book.close()
    said = [json.loads(each.reading) for each in lines_of(path, "+08:00")]
    assert said[0] == {"meter": "1", "time": "2026-11-22T00:00:00+08:00", "value": 0.1}
    assert said[1]["time"] == "2026-11-22T00:05:00+08:00"
    (naive, *_) = lines_of(path)
    fault = payload.decode(b'{"batch":"b","readings":[%s]}' % naive.reading).rejections[0]
    assert fault.reason is Reason.TIME_WITHOUT_OFFSET


def test_what_a_spreadsheet_spoilt_is_rejected_and_the_report_says_what(tmp_path: Path) -> None:
    spoilt = Row(2, {**dict.fromkeys(readings.REQUIRED, "1")}, {"value": "is a number of more"})
    (batch,) = files.batches([readings.line(spoilt, "")], "0", "f", NOW)
    assert payload.decode(batch.delivery.payload).rejections[0].reason is Reason.INVALID_FIELD
    assert readings.fault(spoilt) == "value is a number of more"


def test_what_was_exported_can_be_imported() -> None:
    assert tuple(readings_export.COLUMNS) == readings.KNOWN
