"""A table is read as it is written in the file; what a spreadsheet spoilt is never guessed."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from app import tables
from app.tables import Table, TableError


def read(path: Path) -> Table:
    return tables.read(path, required=["unit", "name"], optional=["region", "started_on"])


def csv_file(tmp_path: Path, content: bytes | str) -> Path:
    path = tmp_path / "units.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def xlsx_file(tmp_path: Path, fill: Callable[[Worksheet], None]) -> Path:
    path = tmp_path / "units.xlsx"
    book = xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd"})
    fill(book.add_worksheet())
    book.close()
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_chinese_text_is_read_in_every_usual_encoding(tmp_path: Path, encoding: str) -> None:
    path = csv_file(tmp_path, "unit,name\r\n91,横州水泥厂\r\n".encode(encoding))
    assert read(path).rows[0].cells == {"unit": "91", "name": "横州水泥厂"}


def test_a_row_knows_its_line_although_cells_hold_line_breaks(tmp_path: Path) -> None:
    path = csv_file(tmp_path, 'unit,name\n1,"a\nb"\n\n , \n2,c\n')
    assert [(row.line, row.cells["unit"]) for row in read(path).rows] == [(2, "1"), (6, "2")]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty"),
        ("unit,nmae\n", "unknown column 'nmae'; is it 'name'"),
        ("unit,name,colour\n", "unknown column 'colour'; known are unit, name"),
        ("unit,region\n", "lacks the column name"),
        ("unit,name,Unit\n", "column 'unit' twice"),
        ("unit;name\n1;a\n", "not separated by commas"),
        ('unit,name\n1,a\n2,"b\n', "line 3 is not CSV"),
        (b"unit,name\n\xff\xff,a\n", "neither CSV in UTF-8 or GB 18030 nor XLSX"),
        (b"PK\x03\x04rubbish", "not a readable XLSX"),
    ],
)
def test_what_is_no_table_is_explained(tmp_path: Path, content: bytes | str, sentence: str) -> None:
    with pytest.raises(TableError, match=rf"^units\.csv: .*{sentence}"):
        read(csv_file(tmp_path, content))


def test_a_missing_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="No such file"):
        read(tmp_path / "units.csv")


def test_too_many_rows_are_refused(tmp_path: Path) -> None:
    rows = "1,a\n" * (tables.ROWS_MAX + 1)
    with pytest.raises(TableError, match="200,000 rows"):
        read(csv_file(tmp_path, "unit,name\n" + rows))


def test_a_surplus_cell_is_a_fault_of_its_row(tmp_path: Path) -> None:
    (row,) = read(csv_file(tmp_path, "unit,name\n1,a,b\n")).rows
    assert row.faults == {"name": "is followed by cells without a column: b"}


def test_numbers_and_dates_of_a_spreadsheet_become_plain_text(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        sheet.write_row(0, 0, ["unit", "name", "region", "started_on"])
        sheet.write_row(2, 0, [12.5, " 厂 ", 450202.0])
        sheet.write_datetime(2, 3, datetime(2020, 1, 31))  # noqa: DTZ001  # as spreadsheets do

    (row,) = read(xlsx_file(tmp_path, fill)).rows
    assert row.line == 3
    assert list(row.cells.values()) == ["12.5", "厂", "450202", "2020-01-31"]


def test_a_long_code_kept_as_a_number_is_a_fault(tmp_path: Path) -> None:
    def fill(sheet: Worksheet) -> None:
        sheet.write_row(0, 0, ["unit", "name"])
        sheet.write_row(1, 0, [914502000000000123, "厂"])

    (row,) = read(xlsx_file(tmp_path, fill)).rows
    assert "more than 15 digits" in row.faults["unit"]


def test_a_trailing_separator_in_the_header_does_no_harm(tmp_path: Path) -> None:
    path = csv_file(tmp_path, codecs.BOM_UTF8 + b" Unit ,NAME,\n1,a,\n")
    assert read(path).columns == ("unit", "name")


def test_a_cell_with_an_error_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "units.xlsx"
    book = xlsxwriter.Workbook(path)
    sheet = book.add_worksheet()
    sheet.write_row("A1", ["unit", "name"])
    sheet.write_formula("B2", "=1/0", None, "#DIV/0!")
    book.close()
    with pytest.raises(TableError, match="B2 holds an error"):
        tables.read(path, required=["unit", "name"], optional=[])


def test_an_old_excel_file_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "units.xls"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100))
    with pytest.raises(TableError, match=r"\.xlsx"):
        tables.read(path, required=["unit"], optional=[])
