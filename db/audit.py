"""Owns the audit log: entries as they are noted, the chain over them, and how old ones go.

An entry is never changed. It goes when it is old, behind a head that was kept: the chain then
begins after that head.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

import msgspec
from asyncpg import Record

from db.heads import AUDIT, KeptHead
from db.pool import Connection
from db.scope import Scope
from energy import ledger
from energy.ledger import Head, Link
from energy.periods import Span

LOCK = 0x61756474
"""Key of the advisory lock ("audt") that gives the links their order."""


class Result(StrEnum):
    """What became of it. `begun`: it is allowed to begin, its result is an entry of its own."""

    BEGUN = "begun"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Entry:
    """Who did what, from where, with what result. Which is in each field: migration 0028."""

    request_id: str
    identity: str
    label: str
    role: str | None
    scope: str | None
    source: str
    method: str
    route: str
    parameters: str
    unit: str | None
    result: Result
    status: int | None = None
    code: str | None = None
    row_count: int | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """An entry as it stands in the log."""

    entry_id: int
    noted_at: datetime
    entry: Entry


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries of a span are looked for. None: any."""

    span: Span
    identity: str | None = None
    unit: str | None = None
    result: Result | None = None


async def note(connection: Connection, entries: Sequence[Entry]) -> None:
    """Append entries; they wait for their links."""
    await connection.execute(
        "SELECT note_entries($1::text::jsonb)", msgspec.json.encode(entries).decode()
    )


async def open_to(connection: Connection) -> None:
    """Let the view of the log show what is in scope until this transaction ends."""
    await connection.execute("SELECT set_config('nenghao.audits', 'yes', true)")


async def list_entries(
    connection: Connection,
    scope: Scope,
    wanted: Wanted,
    *,
    limit: int,
    before: tuple[datetime, int] | None,
) -> list[Noted]:
    """Return what those in scope did, the newest first, going on `before` a time and entry_id."""
    at, entry_id = before or (None, None)
    rows = await connection.fetch(
        """
        SELECT entry_id, noted_at, request_id, identity, label, role, scope, source, method, route,
               parameters, unit, result, status, code, row_count
          FROM visible_audit($1, $2)
         WHERE noted_at >= $3
           AND noted_at < $4
           AND ($5::text IS NULL OR identity = $5)
           AND ($6::text IS NULL OR unit = $6)
           AND ($7::text IS NULL OR result = $7)
           AND ($8::timestamptz IS NULL OR (noted_at, entry_id) < ($8, $9::bigint))
         ORDER BY noted_at DESC, entry_id DESC
         LIMIT $10
        """,
        scope.region_prefix,
        scope.unit,
        wanted.span.starts_at,
        wanted.span.ends_at,
        wanted.identity,
        wanted.unit,
        wanted.result,
        at,
        entry_id,
        limit,
    )
    return [_noted(row) for row in rows]


async def list_all(connection: Connection, wanted: Wanted, limit: int) -> list[Noted]:
    """Return what anybody did, the newest first: for whoever has the database anyway."""
    rows = await connection.fetch(
        """
        SELECT entry_id, noted_at, request_id, identity, label, role, scope, source, method, route,
               parameters, unit, result, status, code, row_count
          FROM audit
         WHERE noted_at >= $1
           AND noted_at < $2
           AND ($3::text IS NULL OR identity = $3)
           AND ($4::text IS NULL OR unit = $4)
           AND ($5::text IS NULL OR result = $5)
         ORDER BY noted_at DESC, entry_id DESC
         LIMIT $6
        """,
        wanted.span.starts_at,
        wanted.span.ends_at,
        wanted.identity,
        wanted.unit,
        wanted.result,
        limit,
    )
    return [_noted(row) for row in rows]


# -- the chain -----------------------------------------------------------------------------------


async def try_lock(connection: Connection) -> bool:
    """Become the one who makes links, until this transaction ends; False: another is."""
    locked: bool = await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK)
    return locked


async def fetch_head(connection: Connection) -> Head:
    """Return the newest link; where all were removed, the one that was the last of them."""
    row = await connection.fetchrow(
        """
        SELECT number, sha256 FROM audit_links
         UNION ALL
        SELECT links, sha256 FROM audit_removals
         ORDER BY number DESC
         LIMIT 1
        """
    )
    return Head() if row is None else Head(row["number"], row["sha256"])


async def list_waiting(connection: Connection, limit: int) -> list[Noted]:
    """Return entries that have no link yet, those noted first first."""
    rows = await connection.fetch(
        """
        SELECT entry_id, noted_at, request_id, identity, label, role, scope, source, method, route,
               parameters, unit, result, status, code, row_count
          FROM audit_waiting
          JOIN audit USING (entry_id)
         ORDER BY entry_id
         LIMIT $1
        """,
        limit,
    )
    return [_noted(row) for row in rows]


async def append(connection: Connection, noted: Sequence[Noted], head: Head) -> None:
    """Append a link for each entry, in order, after `head`."""
    number, previous = head.number, head.digest
    rows = []
    for number, each in enumerate(noted, start=number + 1):  # noqa: B020  # counts on
        previous = ledger.digest(previous, _content(number, each))
        rows.append((number, each.entry_id, previous))
    await connection.copy_records_to_table("audit_links", records=rows)


async def forget_waiting(connection: Connection, entry_ids: Collection[int]) -> None:
    """Take entries that have their links off the list of those that wait."""
    await connection.execute("DELETE FROM audit_waiting WHERE entry_id = ANY ($1)", list(entry_ids))


async def list_links(connection: Connection, *, after: int, limit: int) -> list[Link]:
    """Return the links of the chain in order, each with the text it vouches for as it stands."""
    rows = await connection.fetch(
        """
        SELECT number, sha256, audit_links.entry_id AS linked_id, audit.entry_id, noted_at,
               request_id, identity, label, role, scope, source, method, route, parameters, unit,
               result, status, code, row_count
          FROM audit_links
          LEFT JOIN audit USING (entry_id)
         WHERE number > $1
         ORDER BY number
         LIMIT $2
        """,
        after,
        limit,
    )
    return [
        Link(
            row["number"],
            f"entry {row['linked_id']} is gone"
            if row["entry_id"] is None
            else _content(row["number"], _noted(row)),
            row["sha256"],
        )
        for row in rows
    ]


async def fetch_link(connection: Connection, number: int) -> Head | None:
    """Return a link, also the last of those that were removed; None: there is none."""
    row = await connection.fetchrow(
        """
        SELECT number, sha256 FROM audit_links WHERE number = $1
         UNION ALL
        SELECT links, sha256 FROM audit_removals WHERE links = $1
         LIMIT 1
        """,
        number,
    )
    return None if row is None else Head(row["number"], row["sha256"])


async def list_unlinked(
    connection: Connection, since: datetime | None, limit: int
) -> list[tuple[int, bool]]:
    """Return entries without a link that do not wait for one, and (True) that wait and are gone.

    With `since`, only what was noted from then on, and all that waits.
    """
    rows = await connection.fetch(
        """
        SELECT entry_id, false AS is_gone
          FROM audit
         WHERE ($1::timestamptz IS NULL OR noted_at >= $1)
           AND NOT EXISTS (SELECT FROM audit_links WHERE audit_links.entry_id = audit.entry_id)
           AND NOT EXISTS (SELECT FROM audit_waiting WHERE audit_waiting.entry_id = audit.entry_id)
         UNION ALL
        SELECT entry_id, true
          FROM audit_waiting
         WHERE NOT EXISTS (SELECT FROM audit WHERE audit.entry_id = audit_waiting.entry_id)
         ORDER BY entry_id
         LIMIT $2
        """,
        since,
        limit,
    )
    return [(row["entry_id"], row["is_gone"]) for row in rows]


async def fetch_waiting(connection: Connection) -> tuple[int, datetime | None]:
    """Return how many entries wait for their links, and since when."""
    row = await connection.fetchrow(
        """
        SELECT count(*) AS entries, min(noted_at) AS since
          FROM audit_waiting
          JOIN audit USING (entry_id)
        """
    )
    assert row is not None
    return row["entries"], row["since"]


# -- how old entries go --------------------------------------------------------------------------


async def fetch_removal(connection: Connection) -> KeptHead | None:
    """Return the head up to which entries were removed; None: none ever was."""
    row = await connection.fetchrow(
        "SELECT day, links, sha256, removed_at FROM audit_removals ORDER BY links DESC LIMIT 1"
    )
    if row is None:
        return None
    return KeptHead(row["day"], AUDIT, Head(row["links"], row["sha256"]), row["removed_at"])


async def note_removal(connection: Connection, before: date, now: datetime) -> None:
    """Let go what lies behind the newest head of a day before `before`, if there is one."""
    await connection.execute(
        """
        INSERT INTO audit_removals (day, links, sha256, removed_at)
        SELECT day, links, sha256, $2
          FROM heads
         WHERE chain = 'audit'
           AND day < $1
           AND links > (SELECT coalesce(max(links), 0) FROM audit_removals)
         ORDER BY day DESC
         LIMIT 1
        """,
        before,
        now,
    )


async def remove_entries(connection: Connection, limit: int) -> None:
    """Delete some entries behind the last removal, the oldest first; `remove_links` follows."""
    await connection.execute(
        """
        DELETE FROM audit
         WHERE entry_id IN (SELECT entry_id
                              FROM audit_links
                             WHERE number <= (SELECT max(links) FROM audit_removals)
                             ORDER BY number
                             LIMIT $1)
        """,
        limit,
    )


async def remove_links(connection: Connection, limit: int) -> int:
    """Delete the links of those entries; return how many."""
    answer = await connection.execute(
        """
        DELETE FROM audit_links
         WHERE number IN (SELECT number
                            FROM audit_links
                           WHERE number <= (SELECT max(links) FROM audit_removals)
                           ORDER BY number
                           LIMIT $1)
        """,
        limit,
    )
    return int(answer.rpartition(" ")[2])


def _noted(row: Record) -> Noted:
    entry = Entry(
        row["request_id"], row["identity"], row["label"], row["role"], row["scope"],
        row["source"], row["method"], row["route"], row["parameters"], row["unit"],
        Result(row["result"]), row["status"], row["code"], row["row_count"],
    )  # fmt: skip
    return Noted(row["entry_id"], row["noted_at"], entry)


def _content(number: int, noted: Noted) -> str:
    """Return what a link vouches for."""
    at = noted.noted_at.astimezone(UTC).isoformat(timespec="microseconds")
    return ledger.canonical([number, noted.entry_id, at, *astuple(noted.entry)])
