"""Owns handing over alerts whose unit moved: a word to the desk it leaves, an alert at the new one.

An alert belongs to the region its unit lay in when it began. So it is closed there, and another
one is opened where the unit lies now, which is owed there as one that was kept back: its letter has
the figures of now, and goes as soon as nothing keeps it back. Neither desk is told what is of the
other. Where its rule does not act in the new place, it ends, and whoever was told of it hears so.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import structlog

import db.alert_events
import db.heads
import db.matters
import db.moves
import db.outbox
import db.products
from alerts import digest, notices, outbox
from alerts.kinds import subjects
from alerts.kinds.kind import Surroundings
from alerts.kinds.words import Language
from alerts.lifecycle import Reason
from alerts.notices import HANDED_OVER, LEFT, Notice
from alerts.reach import full_name
from db.alerts import About
from db.matters import Matter
from db.moves import Moved
from db.pool import Connection

OWED = {About.OVER: Reason.FIRST, About.WARN: Reason.EARLY}
"""What is owed where the unit lies now. That nothing is known is looked at again, and told so."""

log = structlog.get_logger("alert")


async def hand_over(
    connection: Connection, rules: Collection[int], around: Surroundings
) -> set[int]:
    """Hand over the alerts of rules that hold; return those of which some were."""
    moved = await db.moves.list_moved(connection, rules)
    for each in moved:
        async with connection.transaction():
            await _hand_over(connection, each, around)
    return {each.rule_id for each in moved}


async def _hand_over(connection: Connection, moved: Moved, around: Surroundings) -> None:
    name = full_name(moved.to, around.region_names)
    said = f"the unit is now looked after by {name} ({moved.to})"
    if not moved.acts:
        await _end(connection, moved, around, f"{said}, where this rule does not act", name)
        return
    if not moved.is_told:
        await db.moves.rehome(connection, moved.alert_id, moved.to)
        await _note(connection, moved.alert_id, around, said)
        return
    matter = await db.matters.fetch_told(connection, moved.alert_id)
    if not await db.moves.close(connection, moved.alert_id, around.now):
        return
    owed, opened = OWED.get(About(moved.about)), None
    if owed is None:
        await db.moves.untell(connection, moved.alert_id)
    else:
        opened = await db.moves.open_anew(connection, moved.alert_id, moved.to, owed, around.now)
        said = f"{said}: alert {opened}"
    event_id = await _note(connection, moved.alert_id, around, said, matter.measured)
    if opened is not None:
        origin = f"taken over with the unit from {matter.region_name}: alert {moved.alert_id}"
        await _note(connection, opened, around, origin, matter.measured)
    await db.outbox.drop_reminders(connection, moved.alert_id)
    letters = await _write(connection, moved, HANDED_OVER, matter, around, event_id, name)
    log.info("alert_handed_over", alert_id=moved.alert_id, to=opened, letters=letters)


async def _end(
    connection: Connection, moved: Moved, around: Surroundings, said: str, name: str
) -> None:
    """End an alert that nobody goes on with."""
    if not await db.moves.close(connection, moved.alert_id, around.now):
        return
    event_id = await db.alert_events.insert(
        connection, moved.alert_id, at=around.now, kind=Reason.RULE_ENDED, reason=said
    )
    await db.outbox.drop_reminders(connection, moved.alert_id)
    letters = 0
    if moved.is_told:
        matter = await db.matters.fetch_told(connection, moved.alert_id)
        letters = await _write(connection, moved, LEFT, matter, around, event_id, name)
    log.info("alert_changed", alert_id=moved.alert_id, reason=Reason.RULE_ENDED, letters=letters)


async def _write(
    connection: Connection,
    moved: Moved,
    turn: str,
    matter: Matter,
    around: Surroundings,
    event_id: int,
    name: str,
) -> int:
    """Write to the desks that an alert leaves; return how many letters there are."""
    heads = await db.heads.list_newest(connection, around.now)
    product = await db.products.fetch_product(connection, subjects.tail(matter.subject))
    notice = Notice(turn, matter, "", None, "", heads=heads, to_name=name, product=product)
    names = around.region_names
    letters = [
        outbox.addressed(
            recipient,
            notices.compose(
                replace(notice, desk=full_name(recipient.region, names)),
                Language(recipient.language),
            ),
            alert_id=moved.alert_id,
            opened_at=matter.pending_at,
            event_id=event_id,
            link=around.public_url,
            city=digest.city_of(moved.region),
            reminds=False,
        )
        for recipient in await outbox.list_recipients(
            connection, moved.region, moved.rule_region, moved.level
        )
    ]
    await outbox.put(connection, letters, digest.city_of(moved.region), around.now)
    return len(letters)


async def _note(
    connection: Connection,
    alert_id: int,
    around: Surroundings,
    reason: str,
    measured: float | None = None,
) -> int:
    return await db.alert_events.insert(
        connection, alert_id, at=around.now, kind=HANDED_OVER, reason=reason, measured=measured
    )
