"""What people state is kept for good: in order, chained, and as it was known on any day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

import db.changes
from db.changes import Author, Fact
from db.pool import Connection
from energy import ledger

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
ZHAO = Author("zhao", "filed anew", "桂发改〔2026〕1号")


async def state(connection: Connection, day: int, subject: str, content: float | None) -> None:
    fact = Fact("targets", subject, None if content is None else {"required_rate": content})
    await db.changes.record(connection, ZHAO, [fact], NOW + timedelta(days=day))


@pytest.mark.tampers("facts: the ledger alone is written")
async def test_what_was_known_on_a_day_is_what_was_stated_until_then(
    connection: Connection,
) -> None:
    await state(connection, 0, "450200/2026", -0.02)
    await state(connection, 0, "450300/2026", -0.01)
    await state(connection, 2, "450200/2026", -0.03)
    await state(connection, 4, "450200/2026", None)

    async def known(day: int) -> dict[str, object]:
        at = NOW + timedelta(days=day)
        found = await db.changes.list_known(connection, "targets", at)
        return {subject: content["required_rate"] for subject, content in found.items()}

    assert await known(-1) == {}
    assert await known(1) == {"450200/2026": -0.02, "450300/2026": -0.01}
    assert await known(3) == {"450200/2026": -0.03, "450300/2026": -0.01}
    assert await known(5) == {"450300/2026": -0.01}


@pytest.mark.tampers("facts: the ledger alone is written")
async def test_a_history_names_who_and_why(connection: Connection) -> None:
    await state(connection, 0, "450200/2026", -0.02)
    await state(connection, 1, "450200/2026", -0.03)
    first, second = await db.changes.list_history(connection, "targets", "450200/2026")
    assert (first.author, second.author) == (ZHAO, ZHAO)
    assert second.fact.content == {"required_rate": -0.03}


@pytest.mark.tampers("facts: the ledger alone is written")
async def test_the_chain_holds_until_somebody_touches_it(connection: Connection) -> None:
    for day in range(5):
        await state(connection, day, "450200/2026", -0.01 * day)
    assert ledger.first_break(await db.changes.list_links(connection)) is None
    await connection.execute("ALTER TABLE changes DISABLE TRIGGER changes_append_only")
    await connection.execute("UPDATE changes SET actor = 'sun' WHERE change_id = 3")
    found = ledger.first_break(await db.changes.list_links(connection))
    assert found is not None
    assert found.number == 3


@pytest.mark.parametrize(
    "statement", ["UPDATE changes SET actor = 'sun'", "DELETE FROM changes", "TRUNCATE changes"]
)
async def test_a_login_cannot_rewrite_the_ledger(connection: Connection, statement: str) -> None:
    await state(connection, 0, "450200/2026", -0.02)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await connection.execute(statement)
