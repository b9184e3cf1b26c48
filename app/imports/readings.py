"""Owns the `readings` file: the reading that a row is, as a gateway would say it.

Whether it may be stored is the business of ingestion: nothing is judged here.
"""

from __future__ import annotations

import json
import re

from app import quoting
from app.tables import Row
from energy import codes
from ingest.files import Line

REQUIRED = ("unit", "meter", "time", "value")
OPTIONAL = ("quality", "received_at", "is_corrected", "corrected_value", "conflicts")
"""Behind the quality, what `nenghao export readings` says beside: it is passed over."""

KNOWN = (*REQUIRED, *OPTIONAL)

WANTED = "digits and a point, no thousands separators"
SHOWN = 40
"""Characters of a value that is none, in what is said of it."""

OFFSET = re.compile(r"Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9]")

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_LOCAL = re.compile(
    r"(?P<year>[0-9]{4})[-/](?P<month>[0-9]{1,2})[-/](?P<day>[0-9]{1,2})"
    r"(?:[T ]+(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}(?:\.[0-9]+)?))?)?"
)


def line(row: Row, offset: str) -> Line:
    """Return what a row says. Times without an offset are of `offset`; "": of none, as they are.

    What cannot be said as a reading is said as it is, so that it is rejected and kept.
    """
    cells = row.cells
    said: dict[str, object] = {
        "meter": quoting.original(cells["meter"]),
        "time": time(cells["time"], offset),
        "value": value(cells["value"]),
    }
    if quality := cells.get("quality"):
        said["quality"] = quality
    if row.faults:
        said["fault"] = fault(row)
    unit = codes.normalised(cells["unit"])
    return Line(row.line, unit, json.dumps(said, ensure_ascii=False).encode(errors="replace"))


def fault(row: Row) -> str:
    """Return what a spreadsheet has spoilt of a row, or that its value is no number; "": neither.

    >>> fault(Row(2, {"value": "1,234.5"}, {}))
    "value '1,234.5' is no number: digits and a point, no thousands separators"
    """
    if row.faults:
        return "; ".join(f"{column} {fault}" for column, fault in row.faults.items())
    text = row.cells["value"]
    if isinstance(value(text), float):
        return ""
    return f"value {text[:SHOWN]!r} is no number: {WANTED}"


def time(text: str, offset: str) -> str:
    """Return a time as RFC 3339 has it, as far as the file says it.

    A spreadsheet writes dates in its own ways, and never an offset.

    >>> time("2026/11/3 8:00", ""), time("2026-11-03", "+08:00")
    ('2026-11-03T08:00:00', '2026-11-03T00:00:00+08:00')
    >>> time("2026-11-03T08:00:00Z", "+08:00"), time("noon", "+08:00")
    ('2026-11-03T08:00:00Z', 'noon')
    """
    found = _LOCAL.fullmatch(text)
    if found is None:
        return text
    day = "-".join((found["year"], found["month"].zfill(2), found["day"].zfill(2)))
    second = (found["second"] or "00").zfill(2)
    return f"{day}T{(found['hour'] or '0').zfill(2)}:{found['minute'] or '00'}:{second}{offset}"


def value(text: str) -> float | str:
    """Return the number in `text`, or the text if it is none.

    >>> value("120345.67"), value("1e3"), value("1,234"), value("NaN")
    (120345.67, 1000.0, '1,234', nan)
    """
    return float(text) if _NUMBER.fullmatch(text) or _NOT_FINITE.fullmatch(text) else text
