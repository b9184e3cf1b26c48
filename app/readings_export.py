"""Owns the readings of a meter as a file: what stands in each column, in which format."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import BinaryIO

import db.exports
from app import exports, quoting
from app.cells import Columns, Kind, Row
from app.depends import Caller
from app.exports import Format
from db.catalogue import MeterEntry
from energy.periods import Span

COLUMNS: Columns = {
    "unit": Kind.TEXT,
    "meter": Kind.TEXT,
    "time": Kind.INSTANT,
    "value": Kind.NUMBER,
    "quality": Kind.TEXT,
    "received_at": Kind.INSTANT,
    "is_corrected": Kind.FLAG,
    "corrected_value": Kind.NUMBER,
    "conflicts": Kind.NUMBER,
}
"""The first five are what `nenghao import readings` takes."""


async def written(caller: Caller, meter: MeterEntry, span: Span, form: Format) -> BinaryIO:
    """Return a file of all readings of a visible meter in `span`. Raises ApiError for a sheet that
    would be too long, before it reads them.
    """
    if form is Format.XLSX:
        await _refuse_a_long_sheet(caller, meter, span)
    if form is not Format.CSV:
        return await exports.written(form, COLUMNS, _rows(caller, meter, span))
    file = exports.opened()
    try:
        with exports.CsvTable(file, COLUMNS):
            await db.exports.copy_readings(
                caller.connection,
                caller.scope,
                meter.meter_id,
                span=span,
                named=(quoting.harmless(meter.unit), quoting.harmless(meter.meter)),
                file=file,
            )
    except BaseException:
        file.close()
        raise
    return file


async def _refuse_a_long_sheet(caller: Caller, meter: MeterEntry, span: Span) -> None:
    rows_max = exports.sheet_rows_max(COLUMNS)
    if await db.exports.has_more_than(
        caller.connection, caller.scope, meter.meter_id, span=span, rows=rows_max
    ):
        raise exports.too_long_a_sheet(rows_max)


async def _rows(caller: Caller, meter: MeterEntry, span: Span) -> AsyncIterator[list[Row]]:
    async for batch in db.exports.list_readings(
        caller.connection, caller.scope, meter.meter_id, span=span
    ):
        yield [
            (
                meter.unit,
                meter.meter,
                row.read_at,
                row.raw_value,
                row.quality,
                row.received_at,
                row.is_corrected,
                row.corrected_value,
                row.conflicts,
            )
            for row in batch
        ]
