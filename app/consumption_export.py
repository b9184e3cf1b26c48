"""Owns consumption as a file: the rows of the answer, one column a name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import BinaryIO

from app import exports
from app.exports import Cell, Columns, Format, Kind, Row
from db.consumption import Group

COLUMNS: Columns = {
    "starts_at": Kind.INSTANT,
    "ends_at": Kind.INSTANT,
    "region": Kind.TEXT,
    "region_name": Kind.TEXT,
    "industry": Kind.TEXT,
    "industry_name": Kind.TEXT,
    "unit": Kind.TEXT,
    "unit_name": Kind.TEXT,
    "meter": Kind.TEXT,
    "role": Kind.TEXT,
    "energy": Kind.TEXT,
    "energy_tce": Kind.NUMBER,
    "quantity": Kind.NUMBER,
    "uom": Kind.TEXT,
    "coverage": Kind.NUMBER,
    "estimated_share": Kind.NUMBER,
    "held": Kind.FLAG,
    "left_out": Kind.TEXT,
    "left_out_reasons": Kind.TEXT,
}

NAMES = {
    Group.REGION: {"region", "region_name"},
    Group.INDUSTRY: {"industry", "industry_name"},
    Group.UNIT: {"unit", "unit_name"},
    Group.METER: {"meter", "role"},
    Group.ENERGY: {"energy"},
}
"""Those of what a question does not group by are left out of its file."""

BATCH_ROWS = 1_000


async def written(
    items: Sequence[Mapping[str, object]], groups: Collection[Group], form: Format
) -> BinaryIO:
    """Return a file of `items` with the names they are grouped by."""
    hidden = {name for group, names in NAMES.items() if group not in groups for name in names}
    columns = {name: kind for name, kind in COLUMNS.items() if name not in hidden}

    async def batches() -> AsyncIterator[list[Row]]:
        for first in range(0, len(items), BATCH_ROWS):
            yield [
                [cell(item[name]) for name in columns] for item in items[first : first + BATCH_ROWS]
            ]

    return await exports.written(form, columns, batches())


def cell(said: object) -> Cell:
    """Return what stands in a cell: of several things a list.

    >>> cell(["coke", "heat"]), cell({"natural_gas": ["range_only", "expired"]})
    ('coke;heat', 'natural_gas:range_only,expired')
    """
    match said:
        case list():
            return ";".join(said)
        case dict():
            return ";".join(f"{name}:{','.join(of)}" for name, of in said.items())
        case _:
            assert said is None or isinstance(said, Cell)
            return said
