"""Answers as files: all rows, typed, nothing in them a spreadsheet would reckon with."""

from __future__ import annotations

import asyncio
import csv
import io
import zipfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import httpx
import pyarrow.parquet
import pytest
import python_calamine

from app import exports, readings_export
from app.cells import Columns, Kind, Row
from app.errors import ApiError
from app.exports import Format
from energy.periods import LOCAL
from tests import cast, factories
from tests.app.conftest import Stage

DAY = {"from_": "2026-11-01T00:00:00+08:00", "to": "2026-11-02T00:00:00+08:00"}
ASKED = {**DAY, "unit": cast.QIANS_UNIT, "meter": "E01"}
FIRST_AT = datetime(2026, 10, 31, 16, tzinfo=UTC)
ROWS = 96
QUARTER = timedelta(minutes=15)
FILES = [form for form in Format if form is not Format.JSON]


@pytest.fixture
async def read(stage: Stage) -> Stage:
    """Qian's E01 has a day of readings: one corrected, one set aside, one contradicted twice."""
    await stage.pool.execute(
        """
        WITH mine AS (
            SELECT meter_id FROM meters JOIN units USING (unit_id) WHERE unit = $1
        ), shown AS (
            INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at)
            SELECT meter_id, $2::timestamptz + number * INTERVAL '15 minutes', number + 0.5,
                   'good', $2::timestamptz + number * INTERVAL '15 minutes 2.25 seconds'
              FROM mine CROSS JOIN generate_series(0, $3 - 1) AS number
        ), stated AS (
            INSERT INTO corrections
            SELECT meter_id, $2::timestamptz, 7 FROM mine
             UNION ALL
            SELECT meter_id, $2::timestamptz + INTERVAL '15 minutes', NULL FROM mine
        )
        INSERT INTO conflicts (meter_id, read_at, raw_value, quality, received_at, topic, batch)
        SELECT meter_id, $2::timestamptz, value, 'good', $2::timestamptz, 't', 'b'
          FROM mine CROSS JOIN generate_series(1, 2) AS value
        """,
        cast.QIANS_UNIT, FIRST_AT, ROWS,
    )  # fmt: skip
    return stage


def table(form: Format, body: bytes) -> list[list[object]]:
    """Return the rows of a file, the names of the columns first."""
    match form:
        case Format.CSV:
            return [list(row) for row in csv.reader(io.StringIO(body.decode("utf-8-sig")))]
        case Format.XLSX:
            book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(body))
            return [list(row) for row in book.get_sheet_by_index(0).to_python()]
        case _:
            read = pyarrow.parquet.read_table(io.BytesIO(body))
            columns = [column.to_pylist() for column in read.columns]
            return [read.column_names, *(list(row) for row in zip(*columns, strict=True))]


@pytest.mark.parametrize("form", FILES)
async def test_a_file_holds_every_reading_with_what_stands_beside_it(
    read: Stage, form: Format
) -> None:
    answer = await read.get("li", "/v1/readings", **ASKED, format=form)
    assert answer.headers["content-type"] == exports.MEDIA_TYPES[form]
    assert answer.headers["content-disposition"] == f'attachment; filename="readings.{form}"'
    names, first, second, third, *_ = rows = table(form, answer.content)
    assert (len(rows), names[:5]) == (1 + ROWS, ["unit", "meter", "time", "value", "quality"])
    assert [instant(row[2]) for row in (first, second)] == [FIRST_AT, FIRST_AT + QUARTER]
    said = [[plain(cell) for cell in row[6:]] for row in (first, second, third)]
    assert said == [["true", 7, 2], ["true", None, 0], ["false", None, 0]]


def plain(cell: object) -> object:
    """Return what a cell says, whichever way a format writes flags, numbers and nothing."""
    text = str(cell).lower()
    if text in ("true", "false"):
        return text
    return None if cell in (None, "") else float(text)


def instant(cell: object) -> datetime:
    """Return the instant in a cell; that of a sheet has no zone, at midnight no time either."""
    read = cell if isinstance(cell, datetime) else datetime.fromisoformat(str(cell))
    return read if read.tzinfo else read.replace(tzinfo=LOCAL)


async def test_a_csv_says_what_the_json_says(read: Stage) -> None:
    items = await read.items("li", "/v1/readings", **ASKED)
    answer = await read.get("li", "/v1/readings", **ASKED, format="csv")
    _, *rows = table(Format.CSV, answer.content)
    said = [(instant(row[2]), float(str(row[3])), row[4], instant(row[5])) for row in rows]
    assert said == [
        (instant(item["time"]), item["value"], item["quality"], instant(item["received_at"]))
        for item in items
    ]


@pytest.mark.parametrize("form", FILES)
async def test_a_file_of_somebody_else_is_missing(read: Stage, form: Format) -> None:
    assert await read.code("sun", "/v1/readings", **ASKED, format=form) == (404, "not_found")


@pytest.mark.parametrize("name", ["limit", "cursor", "as_known_on"])
async def test_what_a_file_cannot_heed_is_refused(read: Stage, name: str) -> None:
    value = {"limit": "5", "cursor": "WyI0NTAyMDAiXQ", "as_known_on": "2026-11-20T00:00:00Z"}[name]
    asked = {**ASKED, "format": "csv", name: value}
    assert await read.code("li", "/v1/readings", **asked) == (422, "invalid_parameter")


STORED = [
    '=HYPERLINK("http://x")', "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "\n=1",
    "＝1", "＋1", "－1", "＠SUM(A1)", "'=1", "''+1",
]  # fmt: skip
"""What a spreadsheet might reckon with, and what looks like that made harmless."""

DANGEROUS = [*STORED, "\0=1"]  # the database takes no NUL, a file would
HARMLESS = ["柳州某厂", "'s", "1=1", " =1", "007"]


def told(form: Format, cell: object) -> str:
    """Return what was there, as docs/api.md says: of CSV one apostrophe is taken off."""
    text = str(cell)
    return text[1:] if form is Format.CSV and text.lstrip("'")[:1] in FORMULA_MARKS else text


FORMULA_MARKS = set("=+-@\t\r\n\0＝＋－＠")


async def written(form: Format, columns: Columns, rows: Sequence[Row]) -> bytes:
    async def batches() -> AsyncIterator[Sequence[Row]]:
        yield rows

    put_by = await exports.written(form, columns, batches())
    with await exports.sheet(put_by) if form is Format.XLSX else put_by as file:
        file.seek(0)
        return file.read()


async def test_no_cell_of_a_csv_begins_a_formula() -> None:
    """RELIABILITY 51."""
    rows = [(text, -1.5, None) for text in [*DANGEROUS, *HARMLESS]]
    columns = {"name": Kind.TEXT, "value": Kind.NUMBER, "none": Kind.NUMBER}
    _, *read = table(Format.CSV, await written(Format.CSV, columns, rows))
    assert [row[0] for row in read] == [*(f"'{text}" for text in DANGEROUS), *HARMLESS]
    assert {tuple(row[1:]) for row in read} == {("-1.5", "")}


@pytest.mark.parametrize("form", FILES)
async def test_what_is_in_a_file_is_what_was_put_into_it(form: Format) -> None:
    """RELIABILITY 51."""
    texts = [*DANGEROUS, *HARMLESS, "_x0041_", 'a,"b"\r\nc']
    _, *read = table(form, await written(form, {"name": Kind.TEXT}, [(text,) for text in texts]))
    assert [told(form, row[0]) for row in read] == texts


async def test_texts_of_a_sheet_are_texts() -> None:
    rows = [(text,) for text in [*DANGEROUS, "http://x", "007"]]
    body = await written(Format.XLSX, {"name": Kind.TEXT}, rows)
    with zipfile.ZipFile(io.BytesIO(body)) as book:
        sheet = book.read("xl/worksheets/sheet1.xml")
    assert b"<f>" not in sheet
    assert b"hyperlink" not in sheet
    assert sheet.count(b't="inlineStr"') == 1 + len(rows)


async def test_a_sheet_is_written_when_the_connection_went_back(read: Stage) -> None:
    """However long it takes, no transaction is idle meanwhile, and others find a connection."""
    sheets = read.state["sheets"]
    async with AsyncExitStack() as others:
        for _ in range(exports.SHEETS_AT_ONCE):
            await others.enter_async_context(sheets)
        asking = asyncio.create_task(read.get("li", "/v1/readings", **ASKED, format="xlsx"))
        while not (sheets.locked() and waiting(sheets)):
            assert not asking.done(), (await asking).text
            await asyncio.sleep(0.01)
        assert read.views.get_idle_size() == read.views.get_size()
    assert len(table(Format.XLSX, (await asking).content)) == 1 + ROWS


def waiting(turns: asyncio.Semaphore) -> bool:
    """Whether somebody waits for a turn: `locked` tells of them too, but not of nobody."""
    return "waiters:" in repr(turns)


async def test_a_text_that_a_sheet_has_no_room_for_is_refused_and_not_lost() -> None:
    with pytest.raises(ApiError, match="32,767 characters"):
        await written(Format.XLSX, {"name": Kind.TEXT}, [("x" * 32_768,)])


def test_a_sheet_that_would_take_too_long_is_refused_before_it_is_written() -> None:
    assert exports.sheet_rows_max({"a": Kind.TEXT}) == exports.XLSX_ROWS_MAX
    columns = {f"c{number}": Kind.NUMBER for number in range(40_000)}
    spool = exports.Spool(io.BytesIO(), columns)
    spool.add([(1.0,)] * 100)
    with pytest.raises(ApiError, match="A sheet of this may have 100 rows"):
        spool.add([(1.0,)])


async def test_readings_that_no_sheet_takes_are_refused_before_they_are_read(
    stage: Stage,
) -> None:
    await stage.pool.execute(
        """
        INSERT INTO readings
        SELECT meter_id, $2::timestamptz + number * INTERVAL '0.1 s', 1, 'good', $2
          FROM meters
          JOIN units USING (unit_id)
         CROSS JOIN generate_series(1, $3) AS number
         WHERE unit = $1
           AND meter = 'E01'
        """,
        cast.QIANS_UNIT,
        FIRST_AT,
        exports.sheet_rows_max(readings_export.COLUMNS) + 1,
    )
    refused = await stage.get("li", "/v1/readings", **ASKED, format="xlsx")
    assert (refused.status_code, refused.json()["code"]) == (422, "too_many_rows")
    assert "csv or parquet" in refused.json()["detail"]
    assert await stage.code("sun", "/v1/readings", **ASKED, format="xlsx") == (404, "not_found")


@pytest.fixture
async def hostile(stage: Stage) -> Stage:
    """Qian's unit has meters, products and alerts named after each of STORED."""
    async with stage.pool.acquire() as connection:
        rule_id = await factories.rule(connection, name="=r")
    await stage.pool.execute(
        """
        WITH unit AS (
            SELECT unit_id FROM units WHERE unit = $1
        ), metered AS (
            INSERT INTO meters (unit_id, meter, name, carrier, kind, uom, interval_s, role,
                                product, installed_at)
            SELECT unit_id, text, text, NULL, 'interval', 't', 900, 'output', text, '2020-01-01Z'
              FROM unit CROSS JOIN unnest($2::text[]) AS text
            RETURNING meter_id
        ), told AS (
            INSERT INTO readings
            SELECT meter_id, $3, 1, 'good', $3 FROM metered
        )
        INSERT INTO alerts (rule_id, region, unit_id, subject, level, state, period_starts_at,
                            period_ends_at, measured, threshold, uom, coverage, estimated_share,
                            reason, pending_at, updated_at)
        SELECT $4, '450202', unit_id, text, 1, 'resolved', $3, $3 + INTERVAL '1 hour', 2, 1,
               'kgce/t', 1, 0, text, $3, $3
          FROM unit CROSS JOIN unnest($2::text[]) AS text
        """,
        cast.QIANS_UNIT, STORED, FIRST_AT, rule_id,
    )  # fmt: skip
    return stage


@pytest.mark.parametrize("form", FILES)
async def test_no_export_carries_a_formula_or_changes_a_name(hostile: Stage, form: Format) -> None:
    """RELIABILITY 51: over all four, what begins a formula is a text, and is what was there."""

    async def texts(path: str, column: str, **query: str) -> list[str]:
        answer = await hostile.get("qian", path, **query, format=form)
        assert answer.status_code == 200, answer.text
        names, *rows = table(form, answer.content)
        cells = [str(row[names.index(column)]) for row in rows]
        assert form is not Format.CSV or not any(text[0] in FORMULA_MARKS for text in cells)
        return [told(form, cell) for cell in cells]

    unit = {**DAY, "unit": cast.QIANS_UNIT}
    used = await texts("/v1/consumption", "meter", **unit, bucket="day", group_by="meter")
    assert sorted(used) == sorted([*STORED, "E01"])
    for column in ("subject", "reason"):
        assert await texts("/v1/alerts", column, unit=cast.QIANS_UNIT) == STORED[::-1]
    assert {*await texts("/v1/alerts", "rule")} == {"=r"}
    for text in STORED:
        assert await texts("/v1/readings", "meter", **unit, meter=text) == [text]
        made = await texts("/v1/intensity", "product", **unit, bucket="day", product=text)
        assert made == [text]


@pytest.mark.parametrize("form", FILES)
async def test_no_rows_make_a_file_with_names_alone(stage: Stage, form: Format) -> None:
    answer: httpx.Response = await stage.get("li", "/v1/readings", **ASKED, format=form)
    assert len(table(form, answer.content)) == 1


async def test_a_file_that_cannot_be_finished_is_an_error_and_no_file(read: Stage) -> None:
    async def broken() -> AsyncIterator[Sequence[Row]]:
        yield [("a",)]
        raise RuntimeError("the database is away")

    with pytest.raises(RuntimeError):
        await exports.written(Format.PARQUET, {"name": Kind.TEXT}, broken())


async def test_consumption_is_a_file_of_the_names_it_is_grouped_by(stage: Stage) -> None:
    asked = {**DAY, "bucket": "day", "group_by": "region,energy"}
    items = await stage.items("qian", "/v1/consumption", **asked)
    for form in FILES:
        answer = await stage.get("qian", "/v1/consumption", **asked, format=form)
        names, *rows = table(form, answer.content)
        assert names[:5] == ["starts_at", "ends_at", "region", "region_name", "energy"]
        assert not {"unit", "meter", "industry", "left_out_days"} & {*map(str, names)}
        (row,) = rows
        assert [instant(row[0]), *row[2:5]] == [
            instant(items[0]["starts_at"]), "450200", "柳州市", "electricity",
        ]  # fmt: skip
        assert [plain(row[names.index(name)]) for name in ("energy_tce", "coverage")] == [None, 0]


ALERTS = """
INSERT INTO alerts (rule_id, region, unit_id, subject, level, state, period_starts_at,
                    period_ends_at, measured, threshold, uom, coverage, estimated_share, reason,
                    pending_at, updated_at)
SELECT rule_id, region, unit_id, number::text, 1, 'resolved', '2026-11-01Z', '2026-11-02Z', 2, 1,
       'kgce/t', 1, 0, 'over', '2026-11-02Z', '2026-11-02Z'
  FROM units
 CROSS JOIN generate_series(1, 1100) AS number
 CROSS JOIN (VALUES ($1::integer)) AS rule (rule_id)
"""


async def test_a_file_holds_all_alerts_in_scope_whatever_the_pages(stage: Stage) -> None:
    async with stage.pool.acquire() as connection:
        rule_id = await factories.rule(connection)
        await connection.execute(ALERTS, rule_id)
    answer = await stage.get("li", "/v1/alerts", format="csv", state="resolved")
    names, *rows = table(Format.CSV, answer.content)
    said = [float(str(row[0])) for row in rows]
    assert len(said) == 1100
    assert said == sorted(said, reverse=True)
    assert {str(row[names.index("unit")]) for row in rows} == {cast.QIANS_UNIT}


async def test_a_file_of_alerts_heeds_filters_and_says_what_it_does_not_heed(
    shown_stage: Stage,
) -> None:
    answer = await shown_stage.get("li", "/v1/alerts", format="csv", state="firing")
    assert len(table(Format.CSV, answer.content)) == 1
    for name, value in (("limit", "5"), ("cursor", "WyI0NTAyMDAiXQ")):
        asked = {"format": "csv", name: value}
        assert await shown_stage.code("li", "/v1/alerts", **asked) == (422, "invalid_parameter")
    theirs = {"format": "csv", "unit": cast.QIANS_UNIT}
    assert await shown_stage.code("sun", "/v1/alerts", **theirs) == (404, "not_found")


async def test_a_file_of_what_is_compared_and_ranked_has_it_beside(shown_stage: Stage) -> None:
    asked = {**DAY, "bucket": "day", "group_by": "unit", "top": "5", "order": "energy_tce"}
    asked |= {"compare": "yoy", "calendar": "adjusted"}
    for form in FILES:
        answer = await shown_stage.get("zhao", "/v1/consumption", **asked, format=form)
        names, *_ = table(form, answer.content)
        assert {"rank", "share", "compared_energy_tce", "compared_reason_per_workday"} <= {*names}


async def test_times_of_a_sheet_are_times_of_shanghai() -> None:
    columns = {"time": Kind.INSTANT, "day": Kind.DAY}
    half = timedelta(hours=12, milliseconds=250)
    rows: list[Row] = [(FIRST_AT, FIRST_AT), (FIRST_AT + half, None), (None, FIRST_AT + QUARTER)]
    body = await written(Format.XLSX, columns, rows)
    _, *read = table(Format.XLSX, body)
    assert [[cell and instant(cell) for cell in row] for row in read] == [
        [FIRST_AT, FIRST_AT], [FIRST_AT + half, ""], ["", FIRST_AT + QUARTER],
    ]  # fmt: skip
    assert not any(isinstance(cell, str) for row in read for cell in row if cell)
    with zipfile.ZipFile(io.BytesIO(body)) as book:
        styles = book.read("xl/styles.xml").decode()
    assert "yyyy-mm-dd hh:mm:ss &quot;+08:00&quot;" in styles
