"""Owns what the cells of an exported file are, column by column, whatever its format."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

Cell = str | float | bool | datetime | None
Row = Sequence[Cell]


class Kind(StrEnum):
    """What the cells of a column are; any may be missing."""

    TEXT = "text"
    NUMBER = "number"
    """It arrived, or was stated: it leaves exactly."""

    FIGURE = "figure"
    """It was reckoned: it leaves rounded, as in JSON."""

    FLAG = "flag"
    INSTANT = "instant"
    DAY = "day"
    """An instant at which a day of Asia/Shanghai begins."""


Columns = dict[str, Kind]
"""Names in order, and what each holds."""


def by_days(columns: Columns) -> Columns:
    """Return the columns of a file whose rows are whole days, or longer."""
    return {name: Kind.DAY if kind is Kind.INSTANT else kind for name, kind in columns.items()}
