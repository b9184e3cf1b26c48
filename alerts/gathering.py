"""Owns making digests of letters that are held: one transaction for each recipient.

A letter is gathered into a digest that is written, or it goes on being held. One that a silence
held longer tells figures of then: it leaves as a digest, which tells how its alert stands now.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import structlog

import db.contacts
import db.digests
import db.heads
import db.outbox
import db.products
import db.regions
from alerts import digest, digest_page, dues, outbox
from alerts.digest import Bundle, Held, Told
from alerts.digest_page import DigestItem, compose_digest
from alerts.kinds import subjects
from alerts.kinds.words import Language
from alerts.lifecycle import Reason
from alerts.notices import HANDED_OVER
from alerts.page import Letter
from alerts.reach import full_name, upward
from db.digests import HeldLetter, Reader, ToldOf
from db.outbox import NewLetter
from db.pool import Connection, Pool
from db.products import Product
from energy.periods import LOCAL

LETTERS_MAX = 5_000
"""Held letters that are gathered at a time; more leave in the next digest."""

MOVED_AWAY = frozenset({HANDED_OVER, Reason.RULE_ENDED})
"""Events of alerts whose readers see them no more: the unit is not theirs now."""

log = structlog.get_logger("alert")


async def gather_once(pool: Pool, *, public_url: str, now: datetime) -> bool:
    """Let leave what has been held long enough. True: something left."""
    async with pool.acquire() as connection:
        await db.outbox.pull_back(connection, now, now + digest.HELD_MAX)
        readers = await db.digests.list_due(connection, now)
        if not readers:
            return False
        names = {row.region: row.name for row in await db.regions.list_regions(connection)}
        left = 0
        for reader in readers:
            async with connection.transaction():
                left += await _gather(connection, reader, names, public_url, now)
    return left > 0


async def _gather(
    connection: Connection,
    reader: Reader,
    names: Mapping[str, str],
    public_url: str,
    now: datetime,
) -> int:
    """Write the digests of one reader; return how many letters leave."""
    rows = await db.digests.lock_held(connection, reader, LETTERS_MAX)
    told = await db.digests.list_told(connection, [reader.address], now - digest.HOUR)
    bundles = digest.gather(
        [Held(row.letter_id, row.city) for row in rows],
        [Told(each.city, each.at) for each in told],
        now,
    )
    by_id = {row.letter_id: row for row in rows}
    for bundle in bundles:
        first = by_id[bundle.letter_ids[0]]
        if len(bundle.letter_ids) == 1 and first.held_since > now - digest.HELD_MAX:
            await db.digests.release(connection, first.letter_id, now)
            continue
        written = await _compose(connection, bundle, first, reader, names, public_url, now)
        made = _digest(bundle, first, reader, written, public_url, now)
        await db.outbox.insert_letters(connection, [(made, None)], now)
        digest_id = await db.outbox.fetch_letter_id(connection, made.message_id)
        await db.digests.mark_gathered(connection, bundle.letter_ids, digest_id)
        log.info("digest_written", letter_id=digest_id, city=bundle.city,
                 letters=len(bundle.letter_ids))  # fmt: skip
    return len(bundles)


async def _compose(
    connection: Connection,
    bundle: Bundle,
    first: HeldLetter,
    reader: Reader,
    names: Mapping[str, str],
    public_url: str,
    now: datetime,
) -> Letter:
    """Return the words of a digest, with the newest heads of the books at their foot."""
    language = Language(reader.language)
    about = await db.digests.list_told_of(connection, bundle.letter_ids)
    named = await db.products.list_products(connection)
    place = "" if bundle.city is None else f"?region={bundle.city}"
    return compose_digest(
        digest_page.place(bundle.city, names, language),
        digest_page.window(first.held_since, now),
        [_item(each, names, named, language, public_url) for each in about],
        language,
        desk=await _desk(connection, reader, bundle.city, names),
        heads=await db.heads.list_newest(connection, now),
        link=f"{public_url.rstrip('/')}/v1/alerts{place}",
    )


async def _desk(
    connection: Connection, reader: Reader, city: str | None, names: Mapping[str, str]
) -> str:
    """Return the region whose desk a digest goes to, by name; "": it is no contact any more."""
    regions = await db.contacts.list_regions(connection, reader.address)
    near = [
        each for each in regions if city is None or city in upward(each) or each in upward(city)
    ]
    return full_name((near or regions)[0], names) if regions else ""


def _item(
    told: ToldOf,
    names: Mapping[str, str],
    named: Mapping[str, Product],
    language: Language,
    public_url: str,
) -> DigestItem:
    return DigestItem(
        alert_id=told.alert_id,
        reason=told.kind,
        level=told.level,
        rule_name=told.rule_name,
        region_name=names.get(told.region, told.region),
        unit_name=told.unit_name,
        about=subjects.said(told.subject, language, named.get(subjects.tail(told.subject))),
        measured=told.measured,
        threshold=told.threshold,
        uom=told.uom,
        window=told.period,
        link="" if told.kind in MOVED_AWAY else outbox.link_to(public_url, told.alert_id),
        is_open=told.is_open,
        due_on=dues.last_day(told.acknowledge_by),
        remedy_on=dues.last_day(told.remedy_by),
        has_task=told.has_task,
        task_due_on=dues.last_day(told.task_due_at),
    )


def _digest(
    bundle: Bundle,
    first: HeldLetter,
    reader: Reader,
    written: Letter,
    public_url: str,
    now: datetime,
) -> NewLetter:
    host = outbox.host_of(public_url)
    day = f"{now.astimezone(LOCAL):%Y%m%d}"
    return NewLetter(
        alert_id=None,
        message_id=f"<digest-{first.letter_id}@{host}>",
        thread_id=f"<digests-{bundle.city or 'all'}.{day}@{host}>",
        recipient_name=first.recipient_name,
        recipient_email=reader.address,
        subject=written.subject,
        body=written.body,
        html=written.html,
        chart=written.chart,
        city=bundle.city,
        channel=reader.channel,
        language=reader.language,
    )
