"""An audit log with links, and what the owner of the database could do to it."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import db.audit
from db.audit import Entry, Result
from db.heads import AUDIT
from db.pool import Connection
from ingest import audit_chain, heads
from tests.app.tamperings import Tampering

ENTRIES = 20
TABLES = ("audit", "audit_links", "audit_removals", "heads")


def entry(number: int = 1, **fields: object) -> Entry:
    """Return an entry like any other."""
    told: dict[str, object] = {
        "request_id": f"{number:016x}", "identity": f"key {number % 3}", "label": "desk",
        "role": "city", "scope": "4502", "source": "10.0.0.1", "method": "GET",
        "route": "/v1/units", "parameters": "{}", "unit": None, "result": Result.DONE,
        "status": 200, "code": None, "row_count": number,
    }  # fmt: skip
    return Entry(**(told | fields))  # type: ignore[arg-type]  # by name, as the table has them


async def filled(connection: Connection) -> None:
    """Note entries one by one, make their links in two turns, keep their head."""
    for number in range(1, ENTRIES + 1):
        await db.audit.note(connection, [entry(number)])
        if number in (7, ENTRIES):
            await audit_chain.link_some(connection)
    await heads.note_once(connection, datetime.now(UTC))


async def unlock(connection: Connection) -> None:
    """Become an owner who has switched the triggers off."""
    for table in TABLES:
        await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")


async def update_entry(connection: Connection, chance: random.Random) -> tuple[str, int]:
    number = chance.randint(1, ENTRIES)
    column = chance.choice(
        ["identity = 'key 9'", "noted_at = noted_at - interval '1 microsecond'", "status = 404",
         "parameters = '{\"unit\":\"x\"}'", "source = ''", "row_count = NULL", "role = NULL",
         "label = 'Sun'", "scope = '45'", "result = 'failed'", "route = '/v1/meters'",
         "method = 'POST'", "code = ''", "request_id = ''", "unit = ''"]
    )  # fmt: skip
    await connection.execute(f"UPDATE audit SET {column} WHERE entry_id = $1", number)
    return AUDIT, number


async def delete_entry(connection: Connection, chance: random.Random) -> tuple[str, int]:
    number = chance.randint(1, ENTRIES)
    await connection.execute("DELETE FROM audit WHERE entry_id = $1", number)
    return AUDIT, number


async def delete_with_link(connection: Connection, chance: random.Random) -> tuple[str, int]:
    """The last one, too: then it is a tail that was cut."""
    number = chance.randint(1, ENTRIES)
    await connection.execute("DELETE FROM audit WHERE entry_id = $1", number)
    await connection.execute("DELETE FROM audit_links WHERE number = $1", number)
    return AUDIT, number


async def insert_without_link(connection: Connection, chance: random.Random) -> tuple[str, int]:
    await _insert(connection, chance)
    return AUDIT, 0


async def insert_with_link(connection: Connection, chance: random.Random) -> tuple[str, int]:
    """Among the others, which move on by one."""
    number = chance.randint(1, ENTRIES)
    added = await _insert(connection, chance)
    for each in range(ENTRIES, number - 1, -1):
        await connection.execute(
            "UPDATE audit_links SET number = number + 1 WHERE number = $1", each
        )
    await connection.execute(
        "INSERT INTO audit_links VALUES ($1, $2, sha256($3))", number, added, b"any"
    )
    return AUDIT, number


async def _insert(connection: Connection, chance: random.Random) -> int:
    added: int = await connection.fetchval(
        """
        INSERT INTO audit (noted_at, request_id, identity, label, source, method, route,
                           parameters, result)
        SELECT noted_at, 'r', 'key 1', 'l', 's', 'GET', '/v1/units', '{}', 'done'
          FROM audit
         WHERE entry_id = $1
        RETURNING entry_id
        """,
        chance.randint(1, ENTRIES),
    )
    return added


async def reorder_links(connection: Connection, chance: random.Random) -> tuple[str, int]:
    number = chance.randint(1, ENTRIES - 1)
    for old, new in ((number, 1_000), (number + 1, number), (1_000, number + 1)):
        await connection.execute("UPDATE audit_links SET number = $2 WHERE number = $1", old, new)
    return AUDIT, number


async def swap_entries(connection: Connection, chance: random.Random) -> tuple[str, int]:
    one, other = sorted(chance.sample(range(1, ENTRIES + 1), 2))
    for number, entry_id in ((one, 1_000), (other, one), (one, other)):
        await connection.execute(
            "UPDATE audit_links SET entry_id = $2 WHERE number = $1", number, entry_id
        )
    return AUDIT, one


async def update_link(connection: Connection, chance: random.Random) -> tuple[str, int]:
    number = chance.randint(1, ENTRIES)
    await connection.execute(
        "UPDATE audit_links SET sha256 = sha256(sha256) WHERE number = $1", number
    )
    return AUDIT, number


async def cut_tail(connection: Connection, chance: random.Random) -> tuple[str, int]:
    number = chance.randint(1, ENTRIES)
    await connection.execute("DELETE FROM audit WHERE entry_id >= $1", number)
    await connection.execute("DELETE FROM audit_links WHERE number >= $1", number)
    return AUDIT, number


async def forge_chain(connection: Connection, chance: random.Random) -> tuple[str, int]:
    """Change an entry and make all links anew; no head is left in here."""
    changed = chance.randint(1, ENTRIES)
    await connection.execute("UPDATE audit SET unit = 'x' WHERE entry_id = $1", changed)
    await connection.execute("DELETE FROM audit_links")
    await connection.execute("DELETE FROM heads")
    await connection.execute("INSERT INTO audit_waiting SELECT entry_id FROM audit")
    await audit_chain.link_some(connection)
    return AUDIT, 1


async def pretend_removal(connection: Connection, chance: random.Random) -> tuple[str, int]:
    """Remove all entries, young as they are, as if they had been older than they were."""
    await connection.execute(
        """
        WITH gone AS (DELETE FROM audit_links RETURNING number, sha256)
        INSERT INTO audit_removals
        SELECT '2022-01-01', number, sha256, now() FROM gone WHERE number = $1
        """,
        ENTRIES,
    )
    await connection.execute("DELETE FROM audit")
    return AUDIT, ENTRIES


OF_AUDIT: list[Tampering] = [
    update_entry, delete_entry, delete_with_link, insert_without_link, insert_with_link,
    reorder_links, swap_entries, update_link, cut_tail, forge_chain,
    pretend_removal,
]  # fmt: skip
