"""Owns reading a table from a file: CSV (UTF-8 or GB 18030) or XLSX, one header row, into text.

What a spreadsheet has spoilt (a long code kept as a number) is a fault of its cell, never a guess.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook

from app.resolve import Refusal

ROWS_MAX = 200_000
FILE_BYTES_MAX = 64 * 2**20
UNPACKED_BYTES_MAX = 1024 * 2**20
"""An XLSX file is a ZIP archive: what it unpacks to is bounded too."""

SPREADSHEET_DIGITS = 15
"""A spreadsheet keeps no more digits of a number; the others become zeros."""

_ZIP_MAGIC = b"PK\x03\x04"
_ERROR_CELL = re.compile(rb"<c (?>[^<>]*?t=\"e\")[^<>]*+>")
_CELL_NAME = re.compile(rb"r=\"([A-Z]+[0-9]+)\"")
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_UTF8_BOM = b"\xef\xbb\xbf"


class TableError(Refusal):
    """A file cannot be read as a table. The message says why and, where known, where."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its line in the file, the text of its cells by column, stripped, "" where empty.

    `faults` says of a column why its cell cannot be used.
    """

    line: int
    cells: Mapping[str, str]
    faults: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Table:
    """The columns that the header names, and the rows that are not empty."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


Cell = str | int | float | bool | date | datetime | time | object
Lines = Iterator[tuple[int, Sequence[Cell]]]


def read(path: Path, *, required: Collection[str], optional: Collection[str]) -> Table:
    """Read the table at `path`; its header must name all `required` columns and no unknown one."""
    return parse(path.name, load(path), required=required, optional=optional)


def parse(
    name: str, content: bytes, *, required: Collection[str], optional: Collection[str]
) -> Table:
    """Return the table that the file `name` holds, as `read` does."""
    lines = _xlsx_lines(content) if content.startswith(_ZIP_MAGIC) else _csv_lines(content)
    try:
        return _table(lines, required, optional)
    except TableError as error:
        raise TableError(f"{name}: {error}") from error.__cause__


def load(path: Path) -> bytes:
    """Return what the file at `path` holds, if it is not too large for a table.

    A pipe can be read only once, and does not tell its size: it is read as far as it may be.
    """
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise TableError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > FILE_BYTES_MAX:
        raise TableError(f"{path.name} is larger than {FILE_BYTES_MAX // 2**20} MiB; split it")
    return content


def _table(lines: Lines, required: Collection[str], optional: Collection[str]) -> Table:
    header = next(lines, None)
    if header is None:
        raise TableError("the file is empty; the first row names the columns")
    columns = _columns(header[1], required, optional)
    rows: list[Row] = []
    for line, cells in lines:
        row = _row(line, columns, cells)
        if any(row.cells.values()) or row.faults:
            rows.append(row)
        if len(rows) > ROWS_MAX:
            raise TableError(f"more than {ROWS_MAX:,} rows; split the file")
    return Table(columns, tuple(rows))


def _columns(
    header: Sequence[Cell], required: Collection[str], optional: Collection[str]
) -> tuple[str, ...]:
    names = [str(cell).strip().lower() for cell in header]
    while names and not names[-1]:
        names.pop()
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        raise TableError("the cells are not separated by commas; save the file as CSV with commas")
    known = [*required, *optional]
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"; is it {close[0]!r}?" if close else f"; known are {', '.join(known)}"
            raise TableError(f"the header has an unknown column {name!r}{hint}")
        if names.count(name) > 1:
            raise TableError(f"the header has the column {name!r} twice")
    if missing := [name for name in required if name not in names]:
        raise TableError(f"the header lacks the column {', '.join(missing)}")
    return tuple(names)


def _row(line: int, columns: tuple[str, ...], cells: Sequence[Cell]) -> Row:
    texts: dict[str, str] = dict.fromkeys(columns, "")
    faults: dict[str, str] = {}
    for column, cell in zip(columns, cells, strict=False):
        texts[column] = _text(cell)
        if isinstance(cell, float | int) and abs(cell) >= 10**SPREADSHEET_DIGITS:
            faults[column] = (
                f"is a number of more than {SPREADSHEET_DIGITS} digits, of which a spreadsheet "
                f"loses the last; format the column as text and enter it again"
            )
    if surplus := [text for cell in cells[len(columns) :] if (text := _text(cell))]:
        faults[columns[-1]] = f"is followed by cells without a column: {', '.join(surplus)}"
    return Row(line, texts, faults)


def _text(cell: Cell) -> str:
    match cell:
        case str():
            return cell.strip()
        case bool():
            return str(cell).lower()
        case float() if cell.is_integer() and abs(cell) < 10**SPREADSHEET_DIGITS:
            return str(int(cell))
        case datetime() if cell.time() == time():
            return cell.date().isoformat()
        case date() | time():
            return cell.isoformat()
        case _:
            return str(cell)


def _csv_lines(content: bytes) -> Lines:
    """Yield each record with the line on which it starts: a quoted cell may hold line breaks."""
    reader = csv.reader(io.StringIO(_decoded(content), newline=""), strict=True)
    starts_on = 1
    while True:
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise TableError(f"line {starts_on} is not CSV: {error}") from error
        if record is None:
            return
        yield starts_on, record
        starts_on = reader.line_num + 1


def _decoded(content: bytes) -> str:
    if content.startswith(_OLD_EXCEL):
        raise TableError("an old .xls file: save it as .xlsx or as CSV")
    for encoding in ("utf-8-sig",) if content.startswith(_UTF8_BOM) else ("utf-8", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise TableError("neither CSV in UTF-8 or GB 18030 nor XLSX")


def _refuse_errors(archive: zipfile.ZipFile) -> None:
    """Refuse a cell such as #N/A: it would read as an empty one, and empty what is stored."""
    for name in archive.namelist():
        if name.startswith("xl/worksheets/"):
            cell = _ERROR_CELL.search(archive.read(name))
            if cell is not None:
                where = _CELL_NAME.search(cell.group())
                at = where.group(1).decode() if where else "a cell"
                raise TableError(f"{at} holds an error such as #N/A; mend its formula")


def _xlsx_lines(content: bytes) -> Lines:
    """Yield the rows of the first worksheet."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
            if unpacked > UNPACKED_BYTES_MAX:
                mib = UNPACKED_BYTES_MAX // 2**20
                raise TableError(f"unpacks to more than {mib} MiB; split it")
            _refuse_errors(archive)
        sheet = CalamineWorkbook.from_object(io.BytesIO(content)).get_sheet_by_index(0)
        rows: Iterable[Sequence[Cell]] = sheet.to_python(skip_empty_area=False)
    except (CalamineError, zipfile.BadZipFile) as error:
        raise TableError(f"not a readable XLSX file: {error}") from error
    yield from enumerate(rows, start=1)
