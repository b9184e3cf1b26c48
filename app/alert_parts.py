"""Owns an incident as a region reads it that was told only what of it lies there."""

from __future__ import annotations

from dataclasses import asdict

import db.alert_parts
from app.alerts_export import COLUMNS
from app.depends import Caller
from app.errors import NotFound
from db.alert_events import EventRow


async def fields(caller: Caller, alert_id: int) -> dict[str, object]:
    """Return the newest that the caller's region was told, with what it was told before.

    What people do about it is not of that. Raises NotFound.
    """
    parts = await db.alert_parts.list_told(caller.connection, caller.scope, alert_id)
    if not parts:
        raise NotFound("alert")
    newest = parts[-1]
    named = {name: each for name, each in asdict(newest).items() if name in COLUMNS}
    events = [
        EventRow(
            each.event_id, each.happened_at, each.event, each.measured, each.reason, None,
            each.event_version,
        )
        for each in parts
    ]  # fmt: skip
    told = {
        "period_starts_at": newest.period.starts_at,
        "period_ends_at": newest.period.ends_at,
        "events": events,
        "is_part": True,
    }
    nothing = dict.fromkeys(COLUMNS) | dict.fromkeys(
        ("is_late", "overdue", "nobody_to_tell"), False
    )
    return nothing | named | told
