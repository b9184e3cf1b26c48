"""Owns making digests of letters that are held: one transaction for each recipient.

A letter is gathered into a digest that is written, or it goes on being held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog

import db.digests
import db.outbox
import db.regions
from alerts import digest, digest_letter, outbox
from alerts.digest import Bundle, Held, Told
from alerts.digest_letter import Item
from alerts.letter import Language
from db.digests import HeldLetter
from db.outbox import NewLetter
from db.pool import Connection, Pool
from energy.periods import LOCAL

LETTERS_MAX = 5_000
"""Held letters that are gathered at a time; more leave in the next digest."""

ALL_REGIONS = {Language.ZH: "多地", Language.EN: "several regions"}

log = structlog.get_logger("alert")


async def gather_once(pool: Pool, *, public_url: str, now: datetime) -> bool:
    """Let leave what has been held long enough. True: something left."""
    async with pool.acquire() as connection:
        addresses = await db.digests.list_due(connection, now)
        if not addresses:
            return False
        names = {row.region: row.name for row in await db.regions.list_regions(connection)}
        left = 0
        for address in addresses:
            async with connection.transaction():
                left += await _gather(connection, address, names, public_url, now)
    return left > 0


async def _gather(
    connection: Connection, address: str, names: Mapping[str, str], public_url: str, now: datetime
) -> int:
    """Write the digests of one recipient; return how many letters leave."""
    rows = await db.digests.lock_held(connection, address, LETTERS_MAX)
    told = await db.digests.list_told(connection, [address], now - digest.HOUR)
    bundles = digest.gather(
        [Held(row.letter_id, row.city) for row in rows],
        [Told(each.city, each.at) for each in told],
        now,
    )
    by_id = {row.letter_id: row for row in rows}
    for bundle in bundles:
        held = [by_id[letter_id] for letter_id in bundle.letter_ids]
        if len(held) == 1:
            await db.digests.release(connection, held[0].letter_id, now)
            continue
        made = _digest(bundle, held, address, names, public_url, now)
        await db.outbox.insert_letters(connection, [(made, None)], now)
        digest_id = await db.outbox.fetch_letter_id(connection, made.message_id)
        await db.digests.mark_gathered(connection, bundle.letter_ids, digest_id)
        log.info("digest_written", letter_id=digest_id, letters=len(held), city=bundle.city)
    return len(bundles)


def _digest(
    bundle: Bundle,
    held: Sequence[HeldLetter],
    address: str,
    names: Mapping[str, str],
    public_url: str,
    now: datetime,
) -> NewLetter:
    first = held[0]
    language = Language(first.language)
    name = ALL_REGIONS[language] if bundle.city is None else names.get(bundle.city, bundle.city)
    items = [
        Item(row.subject, outbox.link_to(public_url, row.alert_id), row.held_since) for row in held
    ]
    written = digest_letter.compose(name, items, language)
    host = outbox.host_of(public_url)
    day = f"{now.astimezone(LOCAL):%Y%m%d}"
    return NewLetter(
        alert_id=None,
        message_id=f"<digest-{first.letter_id}@{host}>",
        thread_id=f"<digests-{bundle.city or 'all'}.{day}@{host}>",
        recipient_name=first.recipient_name,
        recipient_email=address,
        subject=written.subject,
        body=written.body,
        city=bundle.city,
        channel=first.channel,
        language=first.language,
    )
