"""Owns looking whether programs of ours were away, and remembering it."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

import db.downtimes
import db.metrics
from alerts import grace
from alerts.grace import Grace
from db.pool import Connection

log = structlog.get_logger("alert")


async def look(connection: Connection, now: datetime, lasts: timedelta) -> Grace | None:
    """Return the absence of ours that excuses silence now; note those that are new."""
    since = now - lasts
    known = await db.downtimes.list_since(connection, since)
    beats = await db.metrics.list_heartbeats(connection)
    for each in grace.noticed(beats, known, now):
        await db.downtimes.open_or_close(connection, each)
        log.warning("we_were_away" if each.back_at else "we_are_away", program=each.program,
                    since=each.went_at)  # fmt: skip
    return grace.over(await db.downtimes.list_since(connection, since), now, lasts)
