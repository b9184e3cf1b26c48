"""Owns answers as files: rows written to CSV, XLSX or Parquet in constant memory, then sent.

A file is whole before its first byte is sent: what breaks on the way is an error with a status, not
a file that ends too soon, and a slow reader holds a file and no connection. Nor does a sheet, which
takes long to write: its rows are put by, and written when the connection went back.
"""

from __future__ import annotations

import csv
import io
import marshal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, BinaryIO, Self, TypeVar

import pyarrow
import pyarrow.parquet
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app import downloads, quoting
from app.api.answers import local_text, rounded
from app.cells import Cell, Columns, Kind, Row
from app.errors import ApiError, InvalidParameter
from app.spreadsheet import XlsxTable, serial

CHUNK_BYTES = 256 * 1024
XLSX_ROWS_MAX = 1_048_575
"""Of a sheet, less its header: the format has no more."""

SHEET_CELLS_MAX = 4_000_000
"""Written in some 20 s, two at once: more may take longer than a request is given."""

XLSX_TEXT_MAX = 32_767
XLSX_TEXT_TOO_LONG = "A text is over the 32,767 characters of a cell. Ask for csv or parquet."

SHEETS_AT_ONCE = 2
"""Each takes a core while it is written."""

BATCH_ROWS = 1_000

T = TypeVar("T")


class Format(StrEnum):
    """What an answer comes as."""

    JSON = "json"
    CSV = "csv"
    XLSX = "xlsx"
    PARQUET = "parquet"


MEDIA_TYPES = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv; charset=utf-8",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.PARQUET: "application/vnd.apache.parquet",
}


class CsvTable:
    """UTF-8 with a byte-order mark, by which spreadsheets know it; times as in JSON."""

    def __init__(self, file: BinaryIO, columns: Columns) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=True)
        self._writer = csv.writer(self._text, lineterminator="\r\n")
        self._writer.writerow(columns)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._text.detach()

    def add(self, rows: Iterable[Row]) -> None:
        self._writer.writerows([_text(cell) for cell in row] for row in rows)


def _text(cell: Cell) -> str | float | None:
    match cell:
        case str():
            return quoting.harmless(cell)
        case bool():
            return "true" if cell else "false"
        case datetime():
            return local_text(cell)
        case _:
            return cell


class Spool:
    """The rows of a sheet, put by in a file; what a sheet has no room for is refused here."""

    def __init__(self, file: BinaryIO, columns: Columns) -> None:
        self._file = file
        self._rows = 0
        self._rows_max = sheet_rows_max(columns)
        marshal.dump({name: kind.value for name, kind in columns.items()}, file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.seek(0)

    def add(self, rows: Iterable[Row]) -> None:
        some = list(rows)
        self._rows += len(some)
        if self._rows > self._rows_max:
            raise too_long_a_sheet(self._rows_max)
        told = [[_spooled(cell) for cell in row] for row in some]
        if told:
            marshal.dump(told, self._file)


def sheet_rows_max(columns: Columns) -> int:
    """Return how many rows of so many columns a sheet may have."""
    return min(XLSX_ROWS_MAX, SHEET_CELLS_MAX // len(columns))


def too_long_a_sheet(rows_max: int) -> ApiError:
    return ApiError(
        "too_many_rows",
        f"A sheet of this may have {rows_max:,} rows, for it takes long to write. Ask for csv or "
        "parquet, which may have any number, or for a shorter span.",
    )


def _spooled(cell: Cell) -> str | float | None:
    match cell:
        case datetime():
            return serial(cell)
        case str() if len(cell) > XLSX_TEXT_MAX:
            raise ApiError("text_too_long", XLSX_TEXT_TOO_LONG)
        case str():
            return str(cell)
        case _:
            return cell


async def sheet(spool: BinaryIO) -> BinaryIO:
    """Return the XLSX file of rows put by, which are gone then."""
    file = opened()
    try:
        with spool:
            table = XlsxTable(file, _put_by(spool))
            try:
                while rows := await run_in_threadpool(_put_by, spool):
                    await run_in_threadpool(table.add, rows)
            finally:
                await run_in_threadpool(table.close)
    except BaseException:
        file.close()
        raise
    return file


def _put_by(spool: BinaryIO) -> Any:
    """Return what was put by next, the columns first; nothing: there is no more."""
    try:
        return marshal.load(spool)  # ours: the file has no name
    except EOFError:
        return []


ARROW = {
    Kind.TEXT: pyarrow.string(),
    Kind.NUMBER: pyarrow.float64(),
    Kind.FIGURE: pyarrow.float64(),
    Kind.FLAG: pyarrow.bool_(),
    Kind.INSTANT: pyarrow.timestamp("us", tz="UTC"),
    Kind.DAY: pyarrow.timestamp("us", tz="UTC"),
}


class ParquetTable:
    """Typed columns; each batch of rows is a row group."""

    def __init__(self, file: BinaryIO, columns: Columns) -> None:
        self._schema = pyarrow.schema([(name, ARROW[kind]) for name, kind in columns.items()])
        self._writer = pyarrow.parquet.ParquetWriter(file, self._schema, compression="zstd")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def add(self, rows: Iterable[Row]) -> None:
        columns = list(zip(*rows, strict=True)) or [()] * len(self._schema)
        arrays = [
            pyarrow.array(cells, type=field.type)
            for cells, field in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_table(pyarrow.Table.from_arrays(arrays, schema=self._schema))


TABLES: dict[Format, type[CsvTable | Spool | ParquetTable]] = {
    Format.CSV: CsvTable,
    Format.XLSX: Spool,
    Format.PARQUET: ParquetTable,
}


def opened() -> BinaryIO:
    """Return a file that has no name and is gone when it is closed."""
    return tempfile.TemporaryFile()


async def written(
    form: Format, columns: Columns, batches: AsyncIterator[Sequence[Row]]
) -> BinaryIO:
    """Return a file of all rows, of a sheet those put by: `answer` writes it.

    Writing takes a thread, so that others are answered meanwhile.
    """
    file = opened()
    try:
        with TABLES[form](file, columns) as table:
            async for rows in batches:
                await run_in_threadpool(table.add, rows)
    except BaseException:
        file.close()
        raise
    return file


async def of_items(
    form: Format, columns: Columns, batches: AsyncIterator[Sequence[Mapping[str, object]]]
) -> BinaryIO:
    """Return a file of items by the names of their columns, as `written`."""

    async def rows() -> AsyncIterator[list[Row]]:
        async for items in batches:
            yield [[cell(item[name], kind) for name, kind in columns.items()] for item in items]

    return await written(form, columns, rows())


async def in_batches(
    items: Sequence[T], cells: Callable[[T], Mapping[str, object]]
) -> AsyncIterator[list[Mapping[str, object]]]:
    """Yield the items of an answer some at a time, so that a file needs no second copy of all."""
    for first in range(0, len(items), BATCH_ROWS):
        yield [cells(item) for item in items[first : first + BATCH_ROWS]]


def cell(said: object, kind: Kind = Kind.NUMBER) -> Cell:
    """Return what stands in a cell: of several things a list; figures are rounded as in JSON.

    >>> cell(["coke", "heat"]), cell({"natural_gas": ["range_only", "expired"]})
    ('coke;heat', 'natural_gas:range_only,expired')
    >>> cell(0.1 + 0.2, Kind.FIGURE), cell(0.1 + 0.2)
    (0.3, 0.30000000000000004)
    """
    match said:
        case float() if kind is Kind.FIGURE:
            return rounded(said)
        case list():
            return ";".join(said)
        case dict():
            return ";".join(f"{name}:{','.join(of)}" for name, of in said.items())
        case _:
            assert said is None or isinstance(said, str | int | float | datetime)
            return said


def answer(file: BinaryIO, form: Format, name: str) -> Sheet | Download:
    """Return what was `written` as a download called `name`; it is closed when it was sent."""
    return Sheet(file, name) if form is Format.XLSX else Download(file, form, name)


class Sheet(Response):
    """A sheet that is written when the connection went back: it takes a minute for a million rows.

    An idle transaction would be ended meanwhile, and nobody else get its connection.
    """

    def __init__(self, spool: BinaryIO, name: str) -> None:
        super().__init__()
        self._spool = spool
        self._name = name

    async def whole(self) -> BinaryIO:
        """Return the file, once."""
        return await sheet(self._spool)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with scope["state"]["sheets"]:
            file = await self.whole()
        await Download(file, Format.XLSX, self._name)(scope, receive, send)


class Download(StreamingResponse):
    """A whole file on its way to its reader, if there is room for it to wait."""

    def __init__(self, file: BinaryIO, form: Format, name: str) -> None:
        self._file = file
        self._size = file.seek(0, io.SEEK_END)
        file.seek(0)
        headers = {
            "Content-Disposition": f'attachment; filename="{name}.{form}"',
            "Content-Length": str(self._size),
            "X-Content-Type-Options": "nosniff",
        }
        super().__init__(_chunks(file), media_type=MEDIA_TYPES[form], headers=headers)

    async def whole(self) -> BinaryIO:
        """Return the file."""
        return self._file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._file:
            downloads.keep(scope, self._size)
            await super().__call__(scope, receive, send)


async def _chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    while chunk := await run_in_threadpool(file.read, CHUNK_BYTES):
        yield chunk


def refuse_beside_a_file(query: BaseModel, *names: str) -> None:
    """Raise InvalidParameter where `query` says what a file does not heed."""
    for name in names:
        if name in query.model_fields_set:
            raise InvalidParameter(name, "is for format=json; a file holds all that is asked for")


def responses() -> dict[int | str, dict[str, Any]]:  # the type FastAPI asks for
    """Return what OpenAPI is told of the files beside JSON."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    kinds = {MEDIA_TYPES[form].split(";")[0]: binary for form in Format if form is not Format.JSON}
    return {200: {"description": "The answer, in the format asked for", "content": kinds}}
