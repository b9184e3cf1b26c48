"""Owns letters between alert and mail server: written with the alert, sent after the commit.

A letter is claimed with a lease and the claim committed, then sent, then marked. Who dies between
leaves a lease that expires: the same letter goes out again under the same Message-ID.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit

import structlog

import db.outbox
from alerts import letter, smtp
from alerts.kinds.words import Language, Occasion
from alerts.lifecycle import Reason
from alerts.page import Letter
from alerts.smtp import MailError, MailServerError, Server
from db.outbox import ClaimedLetter, NewLetter, Recipient
from db.pool import Connection, Pool
from db.scope import Scope

LEASE = timedelta(seconds=120)
RETRY_FIRST = timedelta(seconds=5)
RETRY_LONGEST = timedelta(minutes=5)
GIVE_UP_AFTER = timedelta(days=5)
"""As mail servers do: what could not be handed over by then has failed."""

log = structlog.get_logger("alert")


class Outcome(StrEnum):
    """What became of one attempt."""

    NOTHING_DUE = "nothing_due"
    SENT = "sent"
    REFUSED = "refused"
    """This letter was refused, for now or for good; others may go out."""

    SERVER_AWAY = "server_away"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to send; `claimed` None: no letter was due."""

    outcome: Outcome
    claimed: ClaimedLetter | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Posting:
    """Which event of which alert is written about, and who is to know. `level`: 1 is the worst.

    `rule_region` is that of the rule, which writes to nobody outside of it. `region_names`: of
    those whose contacts are told, so that each letter says who else knows. `regions`: those
    whose contacts are to know, the nearest first; None: `region` and what is above it.
    """

    alert_id: int
    event_id: int
    opened_at: datetime
    region: str
    level: int
    rule_region: str
    region_names: Mapping[str, str] = field(default_factory=dict)
    regions: Sequence[str] | None = None


async def write(connection: Connection, posting: Posting, occasion: Occasion, at: datetime) -> int:
    """Put a letter to each of its recipients into the outbox; return how many.

    It belongs into the transaction of the alert.
    """
    recipients = await list_recipients(
        connection, posting.region, posting.rule_region, posting.level, posting.regions
    )
    regions = dict.fromkeys(recipient.region for recipient in recipients)
    told = replace(occasion, told=[posting.region_names.get(each, each) for each in regions])
    # Once in each language: a letter is the same to all, and its chart takes time to draw.
    languages = {Language(recipient.language) for recipient in recipients}
    written = {each: letter.compose(told, each) for each in languages}
    letters = [
        _letter(posting, recipient, occasion, written[Language(recipient.language)])
        for recipient in recipients
    ]
    await db.outbox.insert_letters(connection, letters, at)
    if not letters:
        log.warning("nobody_to_write_to", alert_id=posting.alert_id, region=posting.region)
    return len(letters)


async def list_recipients(
    connection: Connection,
    region: str,
    rule_region: str,
    level: int,
    among: Sequence[str] | None = None,
) -> list[Recipient]:
    """Return the contacts of a region and of those above it, as far as the rule reaches.

    With `among` those of these regions.
    """
    within = Scope.of_region(rule_region).region_prefix
    regions = [each for each in (among or upward(region)) if each.startswith(within)]
    return await db.outbox.list_recipients(connection, regions, level)


async def send_next(pool: Pool, server: Server, mail_from: str, now: datetime) -> Attempt:
    """Try the letter that is due longest."""
    async with pool.acquire() as connection:
        claimed = await db.outbox.claim(connection, now, now + LEASE)
    if claimed is None:
        return Attempt(Outcome.NOTHING_DUE)
    try:
        await smtp.send(server, claimed, mail_from)
    except MailError as error:
        async with pool.acquire() as connection:
            await _put_back(connection, claimed, error, now)
        away = isinstance(error, MailServerError)
        outcome = Outcome.SERVER_AWAY if away else Outcome.REFUSED
        return Attempt(outcome, claimed, str(error))
    async with pool.acquire() as connection:
        await db.outbox.mark_sent(connection, claimed.letter_id, now)
    return Attempt(Outcome.SENT, claimed)


def upward(region: str) -> list[str]:
    """Return a GB/T 2260 code and those above it, the nearest first.

    >>> upward("450202"), upward("450200"), upward("450000")
    (['450202', '450200', '450000'], ['450200', '450000'], ['450000'])
    """
    return list(dict.fromkeys([region, f"{region[:4]}00", f"{region[:2]}0000"]))


def retry_after(attempts: int) -> timedelta:
    """Return how long to wait after so many attempts.

    >>> [retry_after(attempts).total_seconds() for attempts in (1, 2, 7, 60)]
    [5.0, 10.0, 300.0, 300.0]
    """
    doublings: int = min(attempts - 1, 16)
    return min(RETRY_FIRST * (1 << doublings), RETRY_LONGEST)


async def _put_back(
    connection: Connection, claimed: ClaimedLetter, error: MailError, now: datetime
) -> None:
    if error.permanent or now - claimed.created_at > GIVE_UP_AFTER:
        await db.outbox.mark_failed(connection, claimed, str(error))
    else:
        due_at = now + retry_after(claimed.attempts)
        await db.outbox.mark_due(connection, claimed, due_at, str(error))


def _letter(
    posting: Posting, recipient: Recipient, occasion: Occasion, written: Letter
) -> NewLetter:
    thread = f"alert-{posting.alert_id}.{posting.opened_at:%Y%m%d%H%M%S}"
    host = _host(occasion.link)
    return NewLetter(
        alert_id=posting.alert_id,
        message_id=f"<{thread}.{posting.event_id}.{recipient.contact_id}@{host}>",
        thread_id=f"<{thread}@{host}>",
        recipient_name=recipient.name,
        recipient_email=recipient.email,
        subject=written.subject,
        body=written.body,
        reminds=occasion.reason is Reason.REMINDER,
        html=written.html,
        chart=written.chart,
    )


def _host(link: str) -> str:
    """Return the host of `link` as it may stand in a Message-ID."""
    host = urlsplit(link).hostname or "localhost"
    return re.sub(r"[^A-Za-z0-9.-]+", "-", host)
