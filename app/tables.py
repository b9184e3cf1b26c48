"""Owns reading a table from a file: CSV (UTF-8 or GB 18030) or XLSX, one header row, into text.

What a spreadsheet has spoilt (a long code kept as a number) is a fault of its cell, never a guess.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import hashlib
import io
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import BinaryIO

from python_calamine import CalamineError, CalamineWorkbook

from app.resolve import Refusal

ROWS_MAX = 200_000
FILE_BYTES_MAX = 64 * 2**20
UNPACKED_BYTES_MAX = 1024 * 2**20
"""An XLSX file is a ZIP archive: what it unpacks to is bounded too."""

CHUNK_BYTES = 2**20

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


@dataclass(frozen=True, slots=True)
class Stream:
    """A table that is read row by row. `sha256` (hex) is of the whole file.

    `read` is how much of its `size` was read. [bytes]
    """

    rows: Iterator[Row]
    sha256: str
    size: int
    read: Callable[[], int]


Cell = str | int | float | bool | date | datetime | time | object
Lines = Iterator[tuple[int, Sequence[Cell]]]


def read(path: Path, *, required: Collection[str], optional: Collection[str]) -> Table:
    """Read the table at `path`; its header must name all `required` columns and no unknown one."""
    return parse(path.name, load(path), required=required, optional=optional)


def parse(
    name: str, content: bytes, *, required: Collection[str], optional: Collection[str]
) -> Table:
    """Return the table that the file `name` holds, as `read` does."""
    try:
        return _table(_lines(io.BytesIO(content)), required, optional)
    except TableError as error:
        raise _of_file(name, error) from error.__cause__


@contextmanager
def streamed(
    path: Path, *, required: Collection[str], optional: Collection[str]
) -> Iterator[Stream]:
    """Open the table at `path` as `read` does, with any number of rows, in bounded memory.

    A sheet is bounded as ever. A row that cannot be read is a TableError when its turn comes.
    """
    try:
        with path.open("rb") as source, _seekable(source) as file:
            sha256, size = _digest(file)
            rows = _named_rows(path.name, file, required, optional)
            with closing(rows):  # and the file, as the last row does
                yield Stream(rows, sha256, size, lambda: size if file.closed else file.tell())
    except OSError as error:
        raise TableError(f"cannot read {path}: {error.strerror}") from error


def _digest(file: BinaryIO) -> tuple[str, int]:
    """Return hash (hex) and size of a file. [bytes]"""
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


@contextmanager
def _seekable(source: BinaryIO) -> Iterator[BinaryIO]:
    """Lend a file that can be read more than once: of a pipe, a copy that is gone afterwards."""
    if source.seekable():
        yield source
        return
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(source, copy, CHUNK_BYTES)
        copy.seek(0)
        yield copy


def _named_rows(
    name: str, file: BinaryIO, required: Collection[str], optional: Collection[str]
) -> Generator[Row]:
    """Return the rows of the file `name`; its header is read at once."""

    def rows() -> Generator[Row]:
        try:
            yield from _rows(columns, lines)
        except TableError as error:
            raise _of_file(name, error) from error.__cause__

    try:
        lines = _lines(file)
        columns = _header(lines, required, optional)
    except TableError as error:
        raise _of_file(name, error) from error.__cause__
    return rows()


def _of_file(name: str, error: TableError) -> TableError:
    return TableError(f"{name}: {error}")


def load(path: Path) -> bytes:
    """Return what the file at `path` holds, if it is not too large for a table.

    A pipe can be read only once, and does not tell its size: it is read as far as it may be.
    """
    try:
        with path.open("rb") as file:
            return _bounded(file)
    except OSError as error:
        raise TableError(f"cannot read {path}: {error.strerror}") from error
    except TableError as error:
        raise _of_file(path.name, error) from None


def _bounded(file: BinaryIO) -> bytes:
    content = file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise TableError(f"larger than {FILE_BYTES_MAX // 2**20} MiB; split it")
    return content


def _table(lines: Lines, required: Collection[str], optional: Collection[str]) -> Table:
    columns = _header(lines, required, optional)
    rows: list[Row] = []
    for row in _rows(columns, lines):
        rows.append(row)
        if len(rows) > ROWS_MAX:
            raise TableError(f"more than {ROWS_MAX:,} rows; split the file")
    return Table(columns, tuple(rows))


def _header(lines: Lines, required: Collection[str], optional: Collection[str]) -> tuple[str, ...]:
    header = next(lines, None)
    if header is None:
        raise TableError("the file is empty; the first row names the columns")
    return _columns(header[1], required, optional)


def _rows(columns: tuple[str, ...], lines: Lines) -> Iterator[Row]:
    """Yield the rows that are not empty."""
    for line, cells in lines:
        row = _row(line, columns, cells)
        if any(row.cells.values()) or row.faults:
            yield row


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


def _lines(file: BinaryIO) -> Lines:
    file.seek(0)
    magic = file.read(len(_ZIP_MAGIC))
    file.seek(0)
    return _xlsx_lines(_bounded(file)) if magic == _ZIP_MAGIC else _csv_lines(file)


def _csv_lines(file: BinaryIO) -> Lines:
    """Yield each record with the line on which it starts: a quoted cell may hold line breaks."""
    encoding = _encoding(file)
    file.seek(0)
    with io.TextIOWrapper(file, encoding, newline="") as text:
        reader = csv.reader(text, strict=True)
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


def _encoding(file: BinaryIO) -> str:
    """Return in what `file` is written. Raises TableError if it is no text."""
    file.seek(0)
    magic = file.read(len(_OLD_EXCEL))
    if magic == _OLD_EXCEL:
        raise TableError("an old .xls file: save it as .xlsx or as CSV")
    for encoding in ("utf-8-sig",) if magic.startswith(_UTF8_BOM) else ("utf-8", "gb18030"):
        if _is_written_in(file, encoding):
            return encoding
    raise TableError("neither CSV in UTF-8 or GB 18030 nor XLSX")


def _is_written_in(file: BinaryIO, encoding: str) -> bool:
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        while chunk := file.read(CHUNK_BYTES):
            if "\0" in decoder.decode(chunk):
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


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
    except (CalamineError, zipfile.BadZipFile) as error:
        raise TableError(f"not a readable XLSX file: {error}") from error
    rows_above, columns_before = sheet.start or (0, 0)
    rows: Iterable[Sequence[Cell]] = sheet.iter_rows()  # of a million, not all at once
    yield from ((line, []) for line in range(1, rows_above + 1))
    for line, cells in enumerate(rows, start=rows_above + 1):
        yield line, [*[""] * columns_before, *cells]
