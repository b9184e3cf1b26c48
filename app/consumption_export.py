"""Owns the columns of consumption as a file: one for each name in a row of the answer."""

from __future__ import annotations

from collections.abc import Collection

from app.cells import Columns, Kind
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
    "energy_tce": Kind.FIGURE,
    "quantity": Kind.FIGURE,
    "uom": Kind.TEXT,
    "coverage": Kind.FIGURE,
    "estimated_share": Kind.FIGURE,
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

RANKED: Columns = {"rank": Kind.NUMBER, "share": Kind.FIGURE}
"""Where an order was asked for."""

COMPARED: Columns = {
    "compared_rule": Kind.TEXT,
    "compared_starts_at": Kind.INSTANT,
    "compared_ends_at": Kind.INSTANT,
    "compared_energy_tce": Kind.FIGURE,
    "compared_quantity": Kind.FIGURE,
    "compared_coverage": Kind.FIGURE,
    "compared_estimated_share": Kind.FIGURE,
    "compared_change_tce": Kind.FIGURE,
    "compared_change_percent": Kind.FIGURE,
    "compared_reason": Kind.TEXT,
}
"""Where a comparison was asked for."""

ADJUSTED: Columns = {
    "compared_workdays": Kind.NUMBER,
    "compared_workdays_then": Kind.NUMBER,
    "compared_change_percent_per_workday": Kind.FIGURE,
    "compared_reason_per_workday": Kind.TEXT,
}
"""Where it is by working days."""


def columns(groups: Collection[Group], *others: Columns) -> Columns:
    """Return the columns of what is grouped so, and of what else was asked for."""
    hidden = {name for group, names in NAMES.items() if group not in groups for name in names}
    found = {name: kind for name, kind in COLUMNS.items() if name not in hidden}
    for more in others:
        found |= more
    return found
