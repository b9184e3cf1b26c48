"""Owns the ledger of changes: facts that people state, with actor, reason and evidence.

What is known now stands in the tables of the facts themselves; what was known on any day is read
from here. Nothing is ever changed or taken out.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias

from asyncpg import Record

from db.pool import Connection
from energy import ledger
from energy.ledger import GENESIS, Link

Content: TypeAlias = dict[str, object]

EVER = datetime(9999, 1, 1, tzinfo=UTC)
"""What is known at this instant is what is known now."""

NOBODY = ""
"""Actor of what stood before the ledger heard of it: it was known on every day before, too."""

UNAPPROVED = ""
"""Approver of what calls for a second person where the platform is set not to ask for one."""

STOOD = "stood before the ledger heard of it"
UNSTATED = "stood, and nobody had stated it"

LOCK = 0x6C656467
"""Key of the advisory lock ("ledg") that gives the links their order."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who states a fact, why, and what proves it: a document number, a file with its hash.

    `approver` is the second person who approved; UNAPPROVED: nobody did though the kind of change
    calls for one; None: it calls for none.
    """

    actor: str
    reason: str
    evidence: str = ""
    approver: str | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact of a kind, under the key of its `subject`; `content` None: withdrawn."""

    noun: str
    subject: str
    content: Content | None


@dataclass(frozen=True, slots=True)
class Change:
    """A fact as it was stated."""

    change_id: int
    changed_at: datetime
    author: Author
    fact: Fact


@dataclass(frozen=True, slots=True)
class Backdated:
    """A link that says it is older than what was there before it; `past_head`: than a head."""

    number: int
    changed_at: datetime
    latest: datetime
    past_head: bool


async def lock(connection: Connection) -> None:
    """Keep others from appending until this transaction ends, and wait for those who do."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)


async def record(
    connection: Connection, author: Author, facts: Sequence[Fact], now: datetime
) -> None:
    """Append `facts` to the chain, in this transaction; others wait for its end.

    Their time is chosen while the lock is held: `now`, unless the link before or a kept head is
    later, as when another writer was faster. So time never runs backwards along the chain.
    """
    await lock(connection)
    number, previous = await fetch_head(connection)
    changed_at = max(now, await fetch_latest(connection) or now)
    rows = []
    for number, fact in enumerate(facts, start=number + 1):  # noqa: B020  # counts on
        text = None if fact.content is None else ledger.canonical(fact.content)
        previous = ledger.digest(previous, _content(number, changed_at, author, fact, text))
        rows.append(
            (number, changed_at, author.actor, author.reason, author.evidence, fact.noun,
             fact.subject, text, previous, author.approver)
        )  # fmt: skip
    await connection.copy_records_to_table("changes", records=rows)


async def record_over(
    connection: Connection,
    author: Author,
    standing: Sequence[Fact],
    facts: Sequence[Fact],
    vouched: Collection[str],
    changed_at: datetime,
) -> None:
    """Record `facts` that take the place of what is `standing`, which is all of one kind.

    Of what is standing the ledger may never have heard. It is recorded first, or nobody could tell
    afterwards what was known before: the subjects that are `vouched` for were, on every day. What
    somebody slipped in was known on no day.
    """
    if standing:
        subjects = [fact.subject for fact in standing]
        newest = await list_newest(connection, standing[0].noun, subjects)
        heard = {change.fact.subject for change in newest}
        unheard = [fact for fact in standing if fact.subject not in heard]
        before = [fact for fact in unheard if fact.subject in vouched]
        slipped_in = [fact for fact in unheard if fact.subject not in vouched]
        await record(connection, Author(NOBODY, STOOD), before, changed_at)
        await record(connection, replace(author, reason=UNSTATED), slipped_in, changed_at)
    await record(connection, author, facts, changed_at)


async def fetch_head(connection: Connection) -> tuple[int, bytes]:
    """Return number and hash of the newest link."""
    row = await connection.fetchrow(
        "SELECT change_id, sha256 FROM changes ORDER BY change_id DESC LIMIT 1"
    )
    return (0, GENESIS) if row is None else (row["change_id"], row["sha256"])


async def fetch_news(connection: Connection, after: int) -> tuple[int, set[str]]:
    """Return the number of the newest link, and the nouns of those after a number."""
    row = await connection.fetchrow(
        """
        SELECT coalesce(max(change_id), $1) AS head,
               coalesce(array_agg(DISTINCT noun), '{}') AS nouns
          FROM changes
         WHERE change_id > $1
        """,
        after,
    )
    assert row is not None
    return row["head"], set(row["nouns"])


async def fetch_latest(connection: Connection) -> datetime | None:
    """Return the time of the newest link or of the newest kept head, whichever is later."""
    latest: datetime | None = await connection.fetchval(
        """
        SELECT greatest((SELECT changed_at FROM changes ORDER BY change_id DESC LIMIT 1),
                        (SELECT max(noted_at) FROM heads WHERE chain = 'changes'))
        """
    )
    return latest


async def list_backdated(
    connection: Connection, kept: Sequence[tuple[int, datetime]], limit: int
) -> list[Backdated]:
    """Return links whose time is before that of an earlier link, or of a head without them.

    `kept` are heads: how many links the chain had, and when.
    """
    rows = await connection.fetch(
        """
        WITH marks AS (
            SELECT change_id AS number, changed_at AS at, false AS is_head
              FROM changes
             UNION ALL
            SELECT links, noted_at, true
              FROM unnest($1::bigint[], $2::timestamptz[]) AS kept (links, noted_at)
        ), followed AS (
            SELECT number, at, is_head, max(at) OVER before AS latest,
                   max(at) FILTER (WHERE is_head) OVER before AS head_at
              FROM marks
            WINDOW before AS (ORDER BY number, is_head
                              ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        )
        SELECT number, at AS changed_at, latest,
               coalesce(at < head_at, false) AS past_head
          FROM followed
         WHERE NOT is_head
           AND at < latest
         ORDER BY number
         LIMIT $3
        """,
        [links for links, _ in kept],
        [noted_at for _, noted_at in kept],
        limit,
    )
    return [Backdated(**row) for row in rows]


async def list_units(connection: Connection, noun: str) -> list[str]:
    """Return the units of which something was ever stated: their codes begin the subjects."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT split_part(subject, '/', 1) AS unit
          FROM changes
         WHERE noun = $1
         ORDER BY unit
        """,
        noun,
    )
    return [row["unit"] for row in rows]


async def list_subjects(connection: Connection, noun: str) -> set[str]:
    """Return the subjects of which anything was ever stated, also those that were withdrawn."""
    rows = await connection.fetch(
        "SELECT DISTINCT subject FROM changes WHERE noun = $1 ORDER BY subject", noun
    )
    return {row["subject"] for row in rows}


async def list_links(connection: Connection, *, after: int = 0, limit: int = 10_000) -> list[Link]:
    """Return the links of the chain in order, each with the text it vouches for as it stands."""
    rows = await connection.fetch(
        """
        SELECT change_id, changed_at, actor, reason, evidence, approver, noun, subject, content,
               sha256
          FROM changes
         WHERE change_id > $1
         ORDER BY change_id
         LIMIT $2
        """,
        after,
        limit,
    )
    return [
        Link(
            row["change_id"],
            _content(
                row["change_id"],
                row["changed_at"],
                _author(row),
                Fact(row["noun"], row["subject"], None),
                row["content"],
            ),
            row["sha256"],
        )
        for row in rows
    ]


async def list_history(connection: Connection, noun: str, subject: str) -> list[Change]:
    """Return what was stated of one subject, the first first."""
    rows = await connection.fetch(
        """
        SELECT change_id, changed_at, actor, reason, evidence, approver, subject, content
          FROM changes
         WHERE noun = $1
           AND subject = $2
         ORDER BY change_id
        """,
        noun,
        subject,
    )
    return [_change(noun, row) for row in rows]


async def list_stated(connection: Connection, noun: str, subject_prefix: str) -> list[Change]:
    """Return what was stated of the subjects that begin so, the first first."""
    rows = await connection.fetch(
        """
        SELECT change_id, changed_at, actor, reason, evidence, approver, subject, content
          FROM changes
         WHERE noun = $1
           AND starts_with(subject, $2)
         ORDER BY change_id
        """,
        noun,
        subject_prefix,
    )
    return [_change(noun, row) for row in rows]


async def list_changed(connection: Connection, noun: str) -> list[Change]:
    """Return what was stated of subjects of which more than one thing was, the first first."""
    rows = await connection.fetch(
        """
        SELECT change_id, changed_at, actor, reason, evidence, approver, subject, content
          FROM changes
         WHERE noun = $1
           AND subject IN (SELECT subject
                             FROM changes
                            WHERE noun = $1
                            GROUP BY subject
                           HAVING count(*) > 1)
         ORDER BY change_id
        """,
        noun,
    )
    return [_change(noun, row) for row in rows]


async def list_newest(
    connection: Connection, noun: str, subjects: Sequence[str], at: datetime | None = None
) -> list[Change]:
    """Return what was stated last of each of `subjects`, or last until `at`; also withdrawals."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (subject)
               subject, change_id, changed_at, actor, reason, evidence, approver, content
          FROM changes
         WHERE noun = $1
           AND subject = ANY ($2)
           AND ($3::timestamptz IS NULL OR changed_at <= $3 OR actor = '')
         ORDER BY subject, change_id DESC
        """,
        noun,
        subjects,
        at,
    )
    return [_change(noun, row) for row in rows]


async def list_known(
    connection: Connection,
    noun: str,
    at: datetime,
    *,
    subject_prefix: str = "",
    units: Sequence[str] | None = None,
) -> dict[str, Content]:
    """Return what was known at an instant of a kind of fact, by subject; not what was withdrawn.

    With `units`, only of subjects that begin with their codes.
    """
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (subject) subject, content
          FROM changes
         WHERE noun = $1
           AND (changed_at <= $2 OR actor = '')
           AND starts_with(subject, $3)
           AND ($4::text[] IS NULL OR split_part(subject, '/', 1) = ANY ($4))
         ORDER BY subject, change_id DESC
        """,
        noun,
        at,
        subject_prefix,
        units,
    )
    known = {row["subject"]: _parsed(row["content"]) for row in rows}
    return {subject: content for subject, content in known.items() if content is not None}


def _change(noun: str, row: Record) -> Change:
    return Change(
        row["change_id"],
        row["changed_at"],
        _author(row),
        Fact(noun, row["subject"], _parsed(row["content"])),
    )


def _author(row: Record) -> Author:
    return Author(row["actor"], row["reason"], row["evidence"], row["approver"])


def _parsed(text: str | None) -> Content | None:
    return None if text is None else json.loads(text)


def _content(
    number: int, changed_at: datetime, author: Author, fact: Fact, text: str | None
) -> str:
    """Return what a link vouches for; of an approver, where one was called for."""
    at = changed_at.astimezone(UTC).isoformat(timespec="microseconds")
    said = [number, at, author.actor, author.reason, author.evidence, fact.noun, fact.subject, text]
    approved = [] if author.approver is None else [author.approver]
    return ledger.canonical([*said, *approved])
