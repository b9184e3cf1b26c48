"""Owns alerts as a file: what stands in each column, and all of them page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from typing import BinaryIO

import db.alerts
from app import exports
from app.depends import Caller
from app.exports import Columns, Format, Kind
from db.alerts import AlertRow, AlertState

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
    "silenced_by": Kind.NUMBER,
    "inhibited_by": Kind.NUMBER,
    "owed": Kind.TEXT,
}


async def written(
    caller: Caller,
    form: Format,
    *,
    state: AlertState | None,
    region: str | None,
    unit: str | None,
    is_acknowledged: bool | None,
) -> BinaryIO:
    """Return a file of all visible alerts that are asked for, newest first."""

    async def pages() -> AsyncIterator[list[Mapping[str, object]]]:
        before: int | None = None
        while rows := await db.alerts.list_alerts(
            caller.connection,
            caller.scope,
            state=state,
            region=region,
            unit=unit,
            limit=exports.BATCH_ROWS,
            before_alert_id=before,
            is_acknowledged=is_acknowledged,
        ):
            yield [fields(row) for row in rows]
            before = rows[-1].alert_id

    return await exports.of_items(form, COLUMNS, pages())


def fields(row: AlertRow) -> dict[str, object]:
    """Return an alert as callers see it: its period as two instants."""
    named = asdict(row)
    del named["period"]
    return named | {
        "period_starts_at": row.period.starts_at,
        "period_ends_at": row.period.ends_at,
    }
