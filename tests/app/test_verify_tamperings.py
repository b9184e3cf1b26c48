"""Whoever touches what is stored, a verification names the first link or row that does not hold."""

from __future__ import annotations

import random
from datetime import timedelta

import db.heads
from ingest import heads
from tests.app.books import verified_with_facts
from tests.app.tamperings import OF_READINGS
from tests.app.tamperings_of_cases import OF_CASES
from tests.app.tamperings_of_facts import OF_FACTS
from tests.ingest.conftest import NOW, Plant

TAMPERINGS = 50
SEED = 20261123
EVERY_KIND = OF_READINGS + OF_FACTS + OF_CASES


async def test_fifty_of_fifty_tamperings_are_found_and_the_first_broken_link_is_named(
    books: Plant,
) -> None:
    chance = random.Random(SEED)
    kinds = EVERY_KIND + chance.choices(EVERY_KIND, k=TAMPERINGS - len(EVERY_KIND))
    missed = []
    async with books.pool.acquire() as connection:
        await heads.note_once(connection, NOW + timedelta(days=1))
        witnessed = await db.heads.list_kept(connection)
        for table in ("links", "changes", "heads"):
            await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {table}_append_only")
        for number, tamper in enumerate(kinds):
            transaction = connection.transaction()
            await transaction.start()
            chain, link = await tamper(connection, chance)
            first = (await verified_with_facts(connection, witnessed)).first(chain)
            await transaction.rollback()
            if first is None or (first.number or 0) != link:
                missed.append((number, tamper.__name__, chain, link, first))
        assert (await verified_with_facts(connection, witnessed)).findings == []
    assert missed == []
