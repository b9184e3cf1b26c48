"""Owns the letters: written with their alert, claimed with a lease, marked when they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class Recipient:
    contact_id: int
    region: str
    name: str
    email: str
    language: str
    channel: str = "email"


@dataclass(frozen=True, slots=True)
class NewLetter:
    """A letter to one recipient, frozen: the contact may change or go, the letter does not.

    `message_id` never changes however often it is tried; `thread_id` is that of the alert.
    `body` is plain text; `html` says the same, and refers to `chart`, a PNG, where there is one.
    `reminds`: it is for nobody once the alert is acknowledged. `alert_id` None: it tells of many;
    `event_id` is what it tells, `city` what it is gathered by (None: it tells of several). `part`:
    the region that it tells no more of than lies there; None: it tells all.
    """

    alert_id: int | None
    message_id: str
    thread_id: str
    recipient_name: str
    recipient_email: str
    subject: str
    body: str
    reminds: bool = False
    html: str = ""
    chart: bytes | None = None
    event_id: int | None = None
    city: str | None = None
    channel: str = "email"
    language: str = "zh"
    part: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimedLetter:
    """A letter to be sent now. `attempts` counts this one and tells the claim apart from others."""

    letter_id: int
    attempts: int
    created_at: datetime
    letter: NewLetter


async def list_recipients(
    connection: Connection, regions: Sequence[str], level: int
) -> list[Recipient]:
    """Return who is written to about an alert of `level` in one of `regions`, once per address.

    The nearest region comes first in `regions`; a contact there stands for the same address above.
    """
    rows = await connection.fetch(
        """
        SELECT contact_id, region, name, email, language, channel
          FROM (SELECT DISTINCT ON (lower(email))
                       contact_id, region, name, email, language, channel
                  FROM contacts
                 WHERE region = ANY ($1)
                   AND minimum_level >= $2
                 ORDER BY lower(email), array_position($1, region)) AS chosen
         ORDER BY contact_id
        """,
        regions,
        level,
    )
    return [Recipient(**row) for row in rows]


async def insert_letters(
    connection: Connection, letters: Sequence[tuple[NewLetter, datetime | None]], at: datetime
) -> None:
    """Write letters to be sent now, or held until the instant beside them."""
    await connection.executemany(
        """
        INSERT INTO outbox (alert_id, message_id, thread_id, recipient_name, recipient_email,
                            subject, body, created_at, reminds, html, chart, event_id, city,
                            channel, language, part, state, due_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $17,
                CASE WHEN $16::timestamptz IS NULL THEN 'waiting' ELSE 'held' END,
                coalesce($16, $8))
        """,
        [
            (
                letter.alert_id,
                letter.message_id,
                letter.thread_id,
                letter.recipient_name,
                letter.recipient_email,
                letter.subject,
                letter.body,
                at,
                letter.reminds,
                letter.html,
                letter.chart,
                letter.event_id,
                letter.city,
                letter.channel,
                letter.language,
                held_until,
                letter.part,
            )
            for letter, held_until in letters
        ],
    )


async def fetch_letter_id(connection: Connection, message_id: str) -> int:
    letter_id: int = await connection.fetchval(
        "SELECT letter_id FROM outbox WHERE message_id = $1", message_id
    )
    return letter_id


async def claim(
    connection: Connection, now: datetime, leased_until: datetime, channels: Sequence[str]
) -> ClaimedLetter | None:
    """Lease the letter of some channels that is due longest; None: none is due.

    A letter waits for earlier ones of its thread, and for the digests they went into: nobody reads
    of an end before the beginning. A digest waits for nobody.
    """
    row = await connection.fetchrow(
        """
        UPDATE outbox
           SET attempts = attempts + 1, leased_until = $2
         WHERE letter_id = (SELECT letter_id
                              FROM outbox AS due
                             WHERE state = 'waiting'
                               AND due_at <= $1
                               AND channel = ANY ($3)
                               AND (leased_until IS NULL OR leased_until <= $1)
                               AND NOT EXISTS (SELECT
                                                 FROM outbox AS earlier
                                                WHERE earlier.alert_id = due.alert_id
                                                  AND earlier.letter_id < due.letter_id
                                                  AND earlier.recipient_email = due.recipient_email
                                                  AND (earlier.state = 'waiting'
                                                       OR EXISTS (SELECT
                                                                    FROM outbox AS digest
                                                                   WHERE digest.letter_id
                                                                         = earlier.digest_id
                                                                     AND digest.state
                                                                         = 'waiting')))
                             ORDER BY due_at, letter_id
                             LIMIT 1
                               FOR UPDATE SKIP LOCKED)
        RETURNING letter_id, attempts, created_at, alert_id, message_id, thread_id,
                  recipient_name, recipient_email, subject, body, reminds, html, chart, event_id,
                  city, channel, language, part
        """,
        now,
        leased_until,
        channels,
    )
    if row is None:
        return None
    values = dict(row)
    letter_id, attempts = values.pop("letter_id"), values.pop("attempts")
    created_at = values.pop("created_at")
    return ClaimedLetter(letter_id, attempts, created_at, NewLetter(**values))


async def mark_sent(connection: Connection, letter_id: int, at: datetime) -> None:
    """Note that a letter went out, whoever has claimed it in the meantime."""
    await connection.execute(
        """
        UPDATE outbox
           SET state = 'sent', sent_at = $2, leased_until = NULL, last_error = NULL
         WHERE letter_id = $1
           AND state <> 'sent'
        """,
        letter_id,
        at,
    )


async def mark_due(
    connection: Connection, claimed: ClaimedLetter, due_at: datetime, error: str
) -> None:
    """Let a letter be tried again from `due_at`, unless it was claimed anew since."""
    await connection.execute(
        """
        UPDATE outbox
           SET due_at = $3, last_error = $4, leased_until = NULL
         WHERE letter_id = $1
           AND attempts = $2
           AND state = 'waiting'
        """,
        claimed.letter_id,
        claimed.attempts,
        due_at,
        error,
    )


async def put_off(connection: Connection, channel: str, address: str, due_at: datetime) -> None:
    """Let all letters to an address wait until `due_at`, those excepted that are under way."""
    await connection.execute(
        """
        UPDATE outbox
           SET due_at = $3
         WHERE channel = $1
           AND recipient_email = $2
           AND state = 'waiting'
           AND due_at < $3
           AND leased_until IS NULL
        """,
        channel,
        address,
        due_at,
    )


async def pull_back(connection: Connection, now: datetime, latest: datetime) -> None:
    """Let be due now what would be due after `latest`: a clock that was ahead dated it."""
    await connection.execute(
        """
        UPDATE outbox
           SET due_at = $1
         WHERE state IN ('waiting', 'held')
           AND due_at > $2
        """,
        now,
        latest,
    )


async def mark_failed(connection: Connection, claimed: ClaimedLetter, error: str) -> None:
    """Give a letter up, unless it was claimed anew since."""
    await connection.execute(
        """
        UPDATE outbox
           SET state = 'failed', last_error = $3, leased_until = NULL
         WHERE letter_id = $1
           AND attempts = $2
           AND state = 'waiting'
        """,
        claimed.letter_id,
        claimed.attempts,
        error,
    )


async def drop_reminders(connection: Connection, alert_id: int) -> None:
    """Let no reminder of an alert go out any more; one that is under way may arrive."""
    await connection.execute(
        """
        UPDATE outbox
           SET state = 'dropped', leased_until = NULL
         WHERE alert_id = $1
           AND reminds
           AND state IN ('waiting', 'held')
        """,
        alert_id,
    )


async def count_waiting(connection: Connection) -> int:
    """Return how many letters wait for the mail server."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM outbox WHERE state = 'waiting' AND channel = 'email'"
    )
    return count
