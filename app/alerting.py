"""Owns what people say of an alert: that they take care of it, comments; each in the ledger.

All belongs in the caller's transaction. What is foreign is missing.
"""

from __future__ import annotations

import hashlib

import db.alert_events
import db.alert_rows
import db.changes
import db.outbox
from app.depends import Caller
from app.errors import Conflict, NotFound
from db.alert_events import ACKNOWLEDGED, COMMENT, NOUN
from db.alert_rows import AlertRow
from db.alerts import AlertState
from db.changes import Author, Fact

COMMENTS_MAX = 1_000
"""Comments on one alert."""


async def visible(caller: Caller, alert_id: int) -> AlertRow:
    """Return an alert of the caller's. Raises NotFound."""
    found = await db.alert_rows.fetch_alert(caller.connection, caller.scope, alert_id, caller.now)
    if found is None:
        raise NotFound("alert")
    return found


async def acknowledge(caller: Caller, alert_id: int, note: str) -> None:
    """Let the caller take care of an alert, so that nobody is reminded of it; the first one counts.

    Raises NotFound, and Conflict if it is closed.
    """
    found = await visible(caller, alert_id)
    taken = await db.alert_events.acknowledge(
        caller.connection, caller.scope, alert_id, caller.actor, caller.now
    )
    if taken:
        await say(caller, alert_id, ACKNOWLEDGED, note)
        await db.outbox.drop_reminders(caller.connection, alert_id)
        return
    found = await visible(caller, alert_id)
    if found.state is AlertState.RESOLVED:
        raise Conflict(
            "alert_closed",
            "This alert is closed, there is nothing to take care of. What is to be said of it can "
            f"be a comment: POST /v1/alerts/{alert_id}/comments.",
        )


async def comment(caller: Caller, alert_id: int, text: str) -> int:
    """Append a comment; return its event_id. Raises NotFound, and Conflict if there are too many.

    Comments come one after the other, as their links in the ledger do.
    """
    await visible(caller, alert_id)
    await db.changes.lock(caller.connection)
    if await db.alert_events.count(caller.connection, alert_id, COMMENT) >= COMMENTS_MAX:
        raise Conflict(
            "too_many_comments",
            f"This alert has {COMMENTS_MAX:,} comments, and takes no more. Write what is new "
            "elsewhere and name its place in what you already said.",
        )
    return await say(caller, alert_id, COMMENT, text)


async def say(
    caller: Caller,
    alert_id: int,
    kind: str,
    text: str,
    *,
    evidence: str | None = None,
    assignee: str | None = None,
    holder: str | None = None,
) -> int:
    """Append what the caller did to the history of an alert and to the ledger; return event_id.

    `holder` is the address or label behind `assignee`: the ledger vouches for it by its hash, for
    not everybody who may read there sees the addresses of contacts.
    """
    event_id = await db.alert_events.insert(
        caller.connection, alert_id, at=caller.now, kind=kind, reason=text, actor=caller.actor,
        evidence=evidence, assignee=assignee,
    )  # fmt: skip
    content: dict[str, object] = {"kind": kind, "at": caller.now.isoformat(), "text": text}
    held = None if holder is None else hashlib.sha256(holder.encode()).hexdigest()
    named = {"evidence": evidence, "assignee": assignee, "holder_sha256": held}
    content |= {name: each for name, each in named.items() if each is not None}
    fact = Fact(NOUN, f"{alert_id}/{event_id}", content)
    author = Author(caller.actor, text or kind, evidence or "")
    await db.changes.record(caller.connection, author, [fact], caller.now)
    return event_id
