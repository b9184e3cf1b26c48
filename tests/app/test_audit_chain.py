"""The audit log is append-only, chained, and kept: whoever touches it is found [30, 59]."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

import db.audit
import db.heads
import db.logins
import db.nightly
from app import nightly
from db.heads import AUDIT
from db.pool import Connection, Pool
from ingest import audit_chain, heads
from tests.app import audits
from tests.app.audits import ENTRIES, OF_AUDIT
from tests.app.books import verified
from tests.ingest.conftest import NOW

TAMPERINGS = 50
SEED = 20261125
OLD = datetime(2023, 1, 2, 4, tzinfo=UTC)


@pytest.fixture
async def logged(pool: Pool) -> Pool:
    async with pool.acquire() as connection:
        await audits.filled(connection)
    return pool


async def test_fifty_of_fifty_tamperings_of_the_audit_log_are_found(logged: Pool) -> None:
    chance = random.Random(SEED)
    kinds = OF_AUDIT + chance.choices(OF_AUDIT, k=TAMPERINGS - len(OF_AUDIT))
    missed = []
    async with logged.acquire() as connection:
        witnessed = await db.heads.list_kept(connection)
        await audits.unlock(connection)
        for number, tamper in enumerate(kinds):
            transaction = connection.transaction()
            await transaction.start()
            chain, link = await tamper(connection, chance)
            first = (await verified(connection, witnessed)).first(chain)
            await transaction.rollback()
            if first is None or (first.number or 0) != link:
                missed.append((number, tamper.__name__, link, first))
        untouched = await verified(connection, witnessed)
    assert missed == []
    assert (untouched.findings, untouched.links[AUDIT]) == ([], ENTRIES)


STATEMENTS = (
    "UPDATE audit SET identity = ''",
    "DELETE FROM audit",
    "TRUNCATE audit",
    "UPDATE audit_links SET number = number + 100",
    "DELETE FROM audit_links",
    "TRUNCATE audit_links",
    "INSERT INTO audit_removals VALUES ('2020-01-01', 1, sha256('x'), now())",
    "INSERT INTO audit_removals SELECT day, links, sha256, now() FROM heads",
)


@pytest.mark.parametrize("statement", STATEMENTS)
async def test_nobody_edits_the_log_not_even_its_owner(
    connection: Connection, statement: str
) -> None:
    await audits.filled(connection)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connection.execute(statement)


async def test_the_login_of_the_interface_adds_by_one_function_and_sees_nothing(
    database_url: str, logged: Pool
) -> None:
    login = await asyncpg.connect(db.logins.derived(database_url))
    try:
        await db.audit.note(login, [audits.entry()])
        for statement in (
            *STATEMENTS,
            "SELECT FROM audit",
            "INSERT INTO audit DEFAULT VALUES",
            "DELETE FROM audit_waiting",
            "DELETE FROM api.audit",
        ):
            with pytest.raises(
                (asyncpg.InsufficientPrivilegeError, asyncpg.ObjectNotInPrerequisiteStateError)
            ):
                await login.execute(statement)
        assert await login.fetchval("SELECT count(*) FROM api.audit") == 0
    finally:
        await login.close()
    assert await logged.fetchval("SELECT count(*) FROM audit") == ENTRIES + 1


async def test_of_many_who_make_links_each_entry_gets_one(pool: Pool) -> None:
    async def note(number: int) -> None:
        async with pool.acquire() as connection:
            await db.audit.note(connection, [audits.entry(number), audits.entry(number)])

    async def link() -> None:
        async with pool.acquire() as connection:
            await audit_chain.link_some(connection)

    await asyncio.gather(*(work for number in range(40) for work in (note(number), link())))
    await link()
    async with pool.acquire() as connection:
        report = await verified(connection)
    assert (report.findings, report.notes, report.links[AUDIT]) == ([], [], 80)


async def test_what_waits_for_its_link_is_told_and_missed_when_it_goes(
    connection: Connection,
) -> None:
    await db.audit.note(connection, [audits.entry(1), audits.entry(2)])
    report = await verified(connection)
    assert report.findings == []
    assert "2 entries wait for their links" in report.notes[0]
    await audits.unlock(connection)
    await connection.execute("DELETE FROM audit WHERE row_count = 1")
    (found,) = (await verified(connection)).findings
    assert "waits for its link and is gone" in found.fault


async def grow(connection: Connection, days: int, each: int = 3) -> None:
    """Note entries on some days long ago, link them and keep the head of each day."""
    for day in range(days):
        at = OLD + timedelta(days=day)
        for number in range(each):
            await connection.execute(
                """
                WITH noted AS (
                    INSERT INTO audit (noted_at, request_id, identity, label, source, method,
                                       route, parameters, result)
                    VALUES ($1, 'r', 'key 1', 'l', 's', 'GET', '/v1/units', '{}', 'done')
                    RETURNING entry_id
                )
                INSERT INTO audit_waiting SELECT entry_id FROM noted
                """,
                at + timedelta(hours=number),
            )
        await audit_chain.link_some(connection)
        await heads.note_once(connection, at + timedelta(days=1))


async def test_old_entries_go_in_whole_days_behind_a_head_and_the_chain_still_holds(
    pool: Pool,
) -> None:
    async with pool.acquire() as connection:
        await grow(connection, days=5)
        witnessed = await db.heads.list_kept(connection)
        kept = timedelta(days=1_096)
        assert await audit_chain.remove_some(connection, kept, OLD + kept) == 0
        assert await audit_chain.remove_some(connection, kept, OLD + kept + timedelta(2)) == 3
        assert await connection.fetchval("SELECT min(noted_at) FROM audit") == OLD + timedelta(1)
        assert await audit_chain.remove_some(connection, kept, OLD + kept + timedelta(4)) == 6
        await db.audit.note(connection, [audits.entry()])
        await audit_chain.link_some(connection)
        report = await verified(connection, witnessed)
        removal = await db.audit.fetch_removal(connection)
    assert (report.findings, report.links[AUDIT]) == ([], 16)
    assert removal is not None
    assert (removal.day, removal.head.number) == (date(2023, 1, 4), 9)
    assert "the 9 links until 2023-01-04 were removed by age" in report.notes[0]


async def test_of_the_log_a_night_follows_what_came_since_a_head_of_eight_days_ago(
    pool: Pool,
) -> None:
    async with pool.acquire() as connection:
        await grow(connection, days=12)
        await audits.unlock(connection)
        await connection.execute("UPDATE audit SET identity = 'x' WHERE entry_id IN (2, 35)")
        (made,) = await connection.fetch("SELECT min(reconciled_at) AS at FROM reconciliations")
        night = OLD + timedelta(days=12)
        await connection.execute("UPDATE reconciliations SET reconciled_at = $1", OLD)
        assert await nightly.check_one(connection, night)
        (checked,) = await db.nightly.list_newest(connection, date.max)
        whole = await verified(connection)
        await connection.execute("UPDATE reconciliations SET reconciled_at = $1", made["at"])
    assert (checked.findings, checked.first_fault) == (
        1,
        "audit: link 35 does not follow from the one before",
    )
    assert [each.number for each in whole.findings] == [2]


async def test_when_all_was_removed_the_chain_goes_on_after_it(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await grow(connection, days=2)
        while await audit_chain.remove_some(connection, timedelta(days=1_096), NOW):
            pass
        assert await connection.fetchval("SELECT count(*) FROM audit") == 0
        await db.audit.note(connection, [audits.entry()])
        await audit_chain.link_some(connection)
        report = await verified(connection)
    assert (report.findings, report.links[AUDIT]) == ([], 7)


async def test_the_law_holds_whatever_the_setting_says(connection: Connection) -> None:
    """Six months at least: Cybersecurity Law, article 21 (3)."""
    await audits.filled(connection)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="six months"):
        await audit_chain.remove_some(connection, timedelta(days=1), NOW + timedelta(days=3_000))
