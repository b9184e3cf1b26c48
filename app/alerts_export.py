"""Owns alerts as a file: what stands in each column, and all of them page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from typing import BinaryIO

import db.alert_rows
from app import exports
from app.cells import Columns, Kind
from app.depends import Caller
from app.exports import Format
from db.alert_rows import AlertRow, Which
from energy import workdays

COLUMNS: Columns = {
    "alert_id": Kind.NUMBER,
    "kind": Kind.TEXT,
    "rule_id": Kind.NUMBER,
    "rule_version": Kind.NUMBER,
    "rule": Kind.TEXT,
    "region": Kind.TEXT,
    "region_name": Kind.TEXT,
    "unit": Kind.TEXT,
    "unit_name": Kind.TEXT,
    "subject": Kind.TEXT,
    "level": Kind.NUMBER,
    "state": Kind.TEXT,
    "period_starts_at": Kind.INSTANT,
    "period_ends_at": Kind.INSTANT,
    "measured": Kind.NUMBER,
    "threshold": Kind.NUMBER,
    "uom": Kind.TEXT,
    "coverage": Kind.NUMBER,
    "estimated_share": Kind.NUMBER,
    "reason": Kind.TEXT,
    "pending_at": Kind.INSTANT,
    "fired_at": Kind.INSTANT,
    "resolved_at": Kind.INSTANT,
    "acknowledged_at": Kind.INSTANT,
    "acknowledged_by": Kind.TEXT,
    "updated_at": Kind.INSTANT,
    "about": Kind.TEXT,
    "is_late": Kind.FLAG,
    "amended_at": Kind.INSTANT,
    "retracted_at": Kind.INSTANT,
    "assigned_to": Kind.TEXT,
    "contest": Kind.TEXT,
    "due_on": Kind.TEXT,
    "due_for": Kind.TEXT,
    "due_reason": Kind.TEXT,
    "overdue": Kind.FLAG,
    "raised_to": Kind.TEXT,
    "closed_at": Kind.INSTANT,
    "silenced_by": Kind.NUMBER,
    "inhibited_by": Kind.NUMBER,
    "owed": Kind.TEXT,
    "newest_state": Kind.TEXT,
    "newest_period_ends_at": Kind.INSTANT,
    "newest_measured": Kind.NUMBER,
    "newest_threshold": Kind.NUMBER,
    "nobody_to_tell": Kind.FLAG,
}


async def written(caller: Caller, form: Format, which: Which) -> BinaryIO:
    """Return a file of all visible alerts that are asked for, newest first."""

    async def pages() -> AsyncIterator[list[Mapping[str, object]]]:
        before: int | None = None
        while rows := await db.alert_rows.list_alerts(
            caller.connection,
            caller.scope,
            which,
            now=caller.now,
            limit=exports.BATCH_ROWS,
            before_alert_id=before,
        ):
            yield [fields(row) for row in rows]
            before = rows[-1].alert_id

    return await exports.of_items(form, COLUMNS, pages())


def fields(row: AlertRow) -> dict[str, object]:
    """Return an alert as callers see it: its period as two instants, what is due as a day."""
    named = asdict(row)
    for name in ("period", "contests", "due_at", "undated", "is_overdue"):
        del named[name]
    return named | {
        "period_starts_at": row.period.starts_at,
        "period_ends_at": row.period.ends_at,
        "due_on": None if row.due_at is None else f"{workdays.last_day(row.due_at)}",
        "due_reason": row.undated,
        "overdue": row.is_overdue,
    }
