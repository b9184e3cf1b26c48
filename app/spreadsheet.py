"""Owns writing a sheet: cells that are what they are, times that a spreadsheet can reckon with.

A spreadsheet has no zones: times are those of Asia/Shanghai, and show its offset.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import BinaryIO

import xlsxwriter

from app.cells import Kind
from energy.periods import LOCAL

SERIAL_BEGINS = datetime(1899, 12, 30)  # noqa: DTZ001  # a spreadsheet has no zones
ZONE = '"+08:00"'
NUMBER_FORMATS = {
    "day": "yyyy-mm-dd",
    "second": f"yyyy-mm-dd hh:mm:ss {ZONE}",
    "millisecond": f"yyyy-mm-dd hh:mm:ss.000 {ZONE}",
}
"""How a spreadsheet shows the number of a time; the offset of Asia/Shanghai is written out."""

TIME_WIDTH = 27
DAY_S = 86_400
SERIAL_ERROR_S = 1e-5
"""A double with five digits before the point has its time to a microsecond."""


def serial(instant: datetime) -> float:
    """Return what a spreadsheet has for an instant: days since it began, in Asia/Shanghai.

    >>> serial(datetime.fromisoformat("2026-11-01T00:00:00+08:00"))
    46327.0
    """
    return (instant.astimezone(LOCAL).replace(tzinfo=None) - SERIAL_BEGINS) / timedelta(days=1)


def number_format(days: float, kind: Kind) -> str:
    """Return which of NUMBER_FORMATS shows all of a time.

    >>> [number_format(days, Kind.DAY) for days in (46327.0, 46327.5)]
    ['day', 'second']
    """
    if kind is Kind.DAY and days.is_integer():
        return "day"
    seconds = days * DAY_S
    return "second" if abs(seconds - round(seconds)) < SERIAL_ERROR_S else "millisecond"


class XlsxTable:
    """One sheet. Its texts are texts: nothing is taken for a formula, a number or an address.

    Its times are times, those of Asia/Shanghai.
    """

    def __init__(self, file: BinaryIO, columns: Mapping[str, str]) -> None:
        self._book = xlsxwriter.Workbook(file, {"constant_memory": True})
        self._sheet = self._book.add_worksheet()
        self._formats = {
            name: self._book.add_format({"num_format": code})
            for name, code in NUMBER_FORMATS.items()
        }
        self._times: dict[int, Kind] = {}
        for number, kind in enumerate(map(Kind, columns.values())):
            if kind in (Kind.INSTANT, Kind.DAY):
                self._times[number] = kind
                self._sheet.set_column(number, number, TIME_WIDTH)
        self._sheet.write_row(0, 0, columns)
        self._rows = 0

    def close(self) -> None:
        self._book.close()

    def add(self, rows: Iterable[Sequence[str | float | None]]) -> None:
        for row in rows:
            self._rows += 1
            for column, cell in enumerate(row):
                self._put(column, cell)

    def _put(self, column: int, cell: str | float | None) -> None:
        match cell:
            case None:
                return
            case bool():
                self._sheet.write_boolean(self._rows, column, cell)
            case str():
                self._sheet.write_string(self._rows, column, cell)
            case float() if (kind := self._times.get(column)) is not None:
                shown = self._formats[number_format(cell, kind)]
                self._sheet.write_number(self._rows, column, cell, shown)
            case _:
                self._sheet.write_number(self._rows, column, cell)
