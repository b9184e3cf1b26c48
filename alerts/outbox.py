"""Owns letters between alert and mail server: written with the alert, sent after the commit.

A letter is claimed with a lease and the claim committed, then sent, then marked. Who dies between
leaves a lease that expires: the same letter goes out again under the same Message-ID.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from urllib.parse import urlsplit

import structlog

import db.amendments
import db.digests
import db.heads
import db.outbox
from alerts import digest, letter, parts
from alerts.digest import Told
from alerts.kinds.words import Language, Occasion
from alerts.lifecycle import Reason
from alerts.page import Letter
from alerts.reach import full_name, upward
from alerts.smtp import MailError, MailServerError, RecipientAwayError
from db.outbox import ClaimedLetter, NewLetter, Recipient
from db.pool import Connection, Pool
from db.scope import Scope
from energy import levels

LEASE = timedelta(seconds=120)
RETRY_FIRST = timedelta(seconds=5)
RETRY_LONGEST = timedelta(minutes=5)
GIVE_UP_AFTER = timedelta(days=5)
"""As mail servers do: what its recipient's server put off so long has failed. While ours is away,
letters wait however long it takes."""

EVERY_LEVEL = levels.ROSE
"""Whoever has to know in any case is written to, whatever levels they asked for."""

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


class Courier(Protocol):
    """Hands over the letters of its channels."""

    @property
    def channels(self) -> Sequence[str]: ...

    async def send(self, claimed: ClaimedLetter) -> None:
        """Return when the letter is taken. Raises MailError."""

    async def rest(self) -> None:
        """Give back what is kept from letter to letter: none is due."""


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
    region_names: Mapping[str, str]
    regions: Sequence[str] | None = None


async def write(
    connection: Connection,
    posting: Posting,
    occasion: Occasion,
    at: datetime,
    *,
    anew: bool = False,
    ends: bool = False,
) -> int:
    """Put a letter to each of its recipients into the outbox; return how many.

    It belongs into the transaction of the alert. `anew`: it is about what was told before, and goes
    to those who were told, wherever contacts are by now. `ends`: contacts there who were told need
    to know, too: also whom it was raised to, and who was told when it was worse.
    """
    recipients = await _recipients(connection, posting, anew=anew, ends=ends)
    occasion = replace(occasion, heads=await db.heads.list_newest(connection, at))
    written = _written(posting, occasion, recipients)
    city = digest.city_of(posting.region)
    letters = [
        replace(
            addressed(
                recipient,
                written[recipient.region, recipient.language].letter,
                alert_id=posting.alert_id,
                opened_at=posting.opened_at,
                event_id=posting.event_id,
                link=occasion.link,
                city=city,
                reminds=occasion.reason is Reason.REMINDER,
            ),
            part=written[recipient.region, recipient.language].part,
        )
        for recipient in recipients
        if (recipient.region, recipient.language) in written
    ]
    await put(connection, letters, city, at)
    if not letters:
        log.warning("nobody_to_write_to", alert_id=posting.alert_id, region=posting.region)
    return len(letters)


@dataclass(frozen=True, slots=True)
class _Written:
    """A letter. `part`: the region whose part alone it tells; None: it tells all."""

    letter: Letter
    part: str | None = None


def _written(
    posting: Posting, occasion: Occasion, recipients: Sequence[Recipient]
) -> dict[tuple[str, str], _Written]:
    """Return the letters by region and language, of the regions that are told something.

    Each greets the desk of its region. What all who are told all read is made once in each
    language, for its chart takes time.
    """
    names = posting.region_names
    regions = list(dict.fromkeys(recipient.region for recipient in recipients))
    occasion = replace(occasion, told=[names.get(each, each) for each in regions])
    whole: dict[Language, dict[str, str]] = {}
    written = {}
    for region, language in dict.fromkeys((each.region, each.language) for each in recipients):
        told = parts.told(occasion, region, regions, names)
        if told is occasion:
            whole.setdefault(Language(language), {})[region] = full_name(region, names)
        elif told is not None:
            written[region, language] = _Written(letter.compose(told, Language(language)), region)
    for read, desks in whole.items():
        made = letter.compose_each(occasion, read, desks)
        written |= {(region, str(read)): _Written(each) for region, each in made.items()}
    return written


async def _recipients(
    connection: Connection, posting: Posting, *, anew: bool, ends: bool
) -> list[Recipient]:
    """Return who is written to."""
    within = Scope.of_region(posting.rule_region).region_prefix
    recipients = []
    if not anew:
        recipients = await list_recipients(
            connection, posting.region, posting.rule_region, posting.level, posting.regions
        )
    if anew or ends:
        known = {each.email.lower() for each in recipients}
        told_before = await db.amendments.list_told(connection, posting.alert_id, within)
        if ends:
            everybody = await list_recipients(
                connection, posting.region, posting.rule_region, EVERY_LEVEL, posting.regions
            )
            there = {each.email.lower() for each in everybody}
            told_before = [each for each in told_before if each.email.lower() in there]
        recipients += [each for each in told_before if each.email.lower() not in known]
    return recipients


async def put(
    connection: Connection, letters: Sequence[NewLetter], city: str, at: datetime
) -> None:
    """Put letters about one city into the outbox, to leave at once or in a digest.

    Each tells an event: a digest tells it in its stead.
    """
    assert all(each.event_id is not None for each in letters)
    addresses = [each.recipient_email for each in letters]
    holding = await db.digests.list_holding(connection, addresses, city)
    told: dict[str, list[Told]] = {address: [] for address in addresses}
    for each in await db.digests.list_told(connection, addresses, at - digest.HOUR):
        told[each.address].append(Told(each.city, each.at))
    placed: list[tuple[NewLetter, datetime | None]] = []
    for new in letters:
        from_when = digest.earliest(city, told[new.recipient_email], at)
        is_held = from_when > at or new.recipient_email in holding
        placed.append((new, from_when if is_held else None))
    await db.outbox.insert_letters(connection, placed, at)


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


async def send_next(pool: Pool, courier: Courier, now: datetime) -> Attempt:
    """Try the letter of the courier's channels that is due longest."""
    async with pool.acquire() as connection:
        claimed = await db.outbox.claim(connection, now, now + LEASE, courier.channels)
    if claimed is None:
        await courier.rest()
        return Attempt(Outcome.NOTHING_DUE)
    try:
        await courier.send(claimed)
    except MailError as error:
        async with pool.acquire() as connection:
            await _put_back(connection, claimed, error, now)
        away = isinstance(error, MailServerError)
        outcome = Outcome.SERVER_AWAY if away else Outcome.REFUSED
        return Attempt(outcome, claimed, str(error))
    async with pool.acquire() as connection:
        await db.outbox.mark_sent(connection, claimed.letter_id, now)
    return Attempt(Outcome.SENT, claimed)


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
    is_old = now - claimed.created_at > GIVE_UP_AFTER and not isinstance(error, MailServerError)
    if error.permanent or is_old:
        await db.outbox.mark_failed(connection, claimed, str(error))
    else:
        due_at = now + retry_after(claimed.attempts)
        await db.outbox.mark_due(connection, claimed, due_at, str(error))
        if isinstance(error, RecipientAwayError):
            to = claimed.letter
            await db.outbox.put_off(connection, to.channel, to.recipient_email, due_at)


def addressed(
    recipient: Recipient,
    written: Letter,
    *,
    alert_id: int,
    opened_at: datetime,
    event_id: int,
    link: str,
    city: str,
    reminds: bool,
) -> NewLetter:
    """Return the letter about an event of an alert to one recipient, in the alert's thread."""
    thread, host = f"alert-{alert_id}.{opened_at:%Y%m%d%H%M%S}", host_of(link)
    return NewLetter(
        alert_id=alert_id,
        message_id=f"<{thread}.{event_id}.{recipient.contact_id}@{host}>",
        thread_id=f"<{thread}@{host}>",
        recipient_name=recipient.name,
        recipient_email=recipient.email,
        subject=written.subject,
        body=written.body,
        reminds=reminds,
        html=written.html,
        chart=written.chart,
        event_id=event_id,
        city=city,
        channel=recipient.channel,
        language=recipient.language,
    )


def link_to(public_url: str, alert_id: int) -> str:
    """Return where an alert stands."""
    return f"{public_url.rstrip('/')}/v1/alerts/{alert_id}"


def host_of(link: str) -> str:
    """Return the host of `link` as it may stand in a Message-ID."""
    host = urlsplit(link).hostname or "localhost"
    return re.sub(r"[^A-Za-z0-9.-]+", "-", host)
