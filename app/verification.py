"""Owns what `nenghao verify` checks: one function for each check, which returns what it found.

A check reads and judges nothing but stored rows, in the caller's one snapshot.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import db.audit
import db.changes
import db.heads
import db.links
import db.reconciliation
from app import told_twice
from app.findings import Finding, Progress, Report
from db.changes import Content, Fact
from db.heads import AUDIT, CHANGES, READINGS, KeptHead
from db.links import Unlinked
from db.pool import Connection, Pool
from db.reconciliation import Difference
from energy import ledger
from energy.factors import Unverified
from energy.ledger import Head, Link
from energy.periods import LOCAL, Span
from ingest import reconcile

LINKS_A_TIME = 10_000
MISMATCHES_MAX = 1_000
"""Broken links of a week that are told; the first is among them."""

DIFFERENCES_MAX = 1_000
"""Sums that differ and are kept to be told; more are counted."""

SEAL = "seals"
"""Noun of the facts that vouch for what is there and was never stated.

Readings from before the ledger, under their week; rows of tables, under their kind and subject.
"""

WITNESS_ALLOWANCE = timedelta(hours=1)
"""A witness' head was read at a time that no lock held: a change under way may say it is older."""

HEAD_ALLOWANCE = timedelta(hours=1)
"""Collectors have clocks of their own, and a flush under way is no part of a head."""

Page = Callable[[int], Awaitable[list[Link]]]


async def verify(
    connection: Connection, witnessed: Sequence[KeptHead], progress: Progress
) -> Report:
    """Run every check. `witnessed` are heads that were kept outside of this database."""
    report = Report()
    for check in (
        check_changes,
        check_links,
        check_readings,
        told_twice.corrections,
        told_twice.alert_events,
        told_twice.alert_cases,
        told_twice.tasks,
        told_twice.proposals,
        check_audit,
    ):
        await check(connection, report, progress)
    kept = await db.heads.list_kept(connection)
    await check_times(connection, report, kept, witnessed)
    await check_heads(connection, report, kept, "here")
    report.agreeing = await check_heads(connection, report, witnessed, "elsewhere")
    return report


async def check_changes(connection: Connection, report: Report, progress: Progress) -> None:
    """Follow the chain over what people state."""
    head = Head(*await db.changes.fetch_head(connection))

    async def page(after: int) -> list[Link]:
        return await db.changes.list_links(connection, after=after, limit=LINKS_A_TIME)

    await _follow(CHANGES, page, head, report, progress)


async def check_times(
    connection: Connection,
    report: Report,
    kept: Iterable[KeptHead],
    witnessed: Iterable[KeptHead],
) -> None:
    """Find links that say they were made before a link or a head that does not know them."""
    kept, witnessed = list(kept), list(witnessed)
    heads = [(each.head.number, each.noted_at) for each in kept if each.chain == CHANGES]
    heads += [
        (each.head.number, each.noted_at - WITNESS_ALLOWANCE)
        for each in witnessed
        if each.chain == CHANGES
    ]
    for each in await db.changes.list_backdated(connection, heads, MISMATCHES_MAX):
        then = "the head kept then does not contain it" if each.past_head else "the one before it"
        fault = (
            f"link {each.number} says {_told(each.changed_at)}, which is before "
            f"{_told(each.latest)}, {then}: it was backdated"
        )
        report.findings.append(Finding(CHANGES, each.number, fault))
    stored = [
        (each.chain.removeprefix(READINGS), each.head.number, each.noted_at - HEAD_ALLOWANCE)
        for each in (*kept, *witnessed)
        if each.chain.startswith(READINGS)
    ]
    for link in await db.links.list_backdated(connection, stored, MISMATCHES_MAX):
        then = "a head kept then does not contain it" if link.past_head else "a link before it"
        fault = (
            f"link {link.number} says {_told(link.stored_at)}, which is before "
            f"{_told(link.latest)}, {then}: it was backdated"
        )
        report.findings.append(Finding(READINGS + link.chain, link.number, fault))


def _told(at: datetime) -> str:
    return at.astimezone(LOCAL).isoformat(timespec="seconds")


async def check_links(connection: Connection, report: Report, progress: Progress) -> None:
    """Follow the chain of each collector to the head that it left."""
    for name, head in await db.links.list_chains(connection):

        async def page(after: int, name: str = name) -> list[Link]:
            return await db.links.list_links(connection, name, after=after, limit=LINKS_A_TIME)

        last = await _follow(READINGS + name, page, head, report, progress)
        if last.number < head.number:
            fault = f"the chain ends at link {last.number}; {head.number} links were made"
            report.findings.append(Finding(READINGS + name, last.number + 1, fault))
        elif last != head:
            fault = f"the chain does not end with the link {head.number} that was made last"
            report.findings.append(Finding(READINGS + name, head.number, fault))


async def check_readings(
    connection: Connection,
    report: Report,
    progress: Progress,
    weeks: Sequence[Span] | None = None,
) -> None:
    """Hold the readings of `weeks`, or of every week, against the links that vouch for them."""
    sealed = await list_sealed_weeks(connection)
    if weeks is None:
        weeks = await db.links.list_weeks(connection)
    else:
        named = {name_of(week) for week in weeks}
        sealed = {week: content for week, content in sealed.items() if week in named}
    unlinked: dict[str, Unlinked] = {}
    for done, week in enumerate(weeks, start=1):
        for each in await db.links.list_mismatches(connection, week, MISMATCHES_MAX):
            if each.chain is None:
                chain, fault = "readings", f"{each.found} readings name a link that is not there"
            else:
                chain, fault = READINGS + each.chain, _mismatch(each.kept, each.found)
            report.findings.append(
                Finding(chain, each.number, f"{fault} (week of {name_of(week)})")
            )
        found = await db.links.fetch_unlinked(connection, week)
        if found is not None:
            unlinked[name_of(week)] = found
        progress("readings by week", done, len(weeks))
    _judge_unlinked(report, unlinked, sealed)


async def list_sealed_weeks(connection: Connection) -> dict[str, Content]:
    """Return what was sealed of readings, by week; rows are sealed under a kind and a slash."""
    sealed = await db.changes.list_known(connection, SEAL, db.changes.EVER)
    return {subject: content for subject, content in sealed.items() if "/" not in subject}


def _judge_unlinked(
    report: Report, unlinked: Mapping[str, Unlinked], sealed: Mapping[str, Content]
) -> None:
    """Readings without a link are from before the ledger; once sealed they stay as they are."""
    since_begun = sum(each.since_begun for each in unlinked.values())
    if since_begun:
        fault = f"{since_begun:,} readings came after the ledger had begun and have no link"
        report.findings.append(Finding("readings", None, fault))
    before = sum(each.readings for each in unlinked.values()) - since_begun
    if before and sealed:
        told = f"{before:,} readings were stored before the ledger began: they are sealed"
        report.notes.append(told)
    elif before:
        fault = (
            f"{before:,} readings have no link, and nothing vouches for them: were they stored "
            f"before the ledger began, then `nenghao verify seal`; else somebody put them in"
        )
        report.findings.append(Finding("readings", None, fault))
    for week in sorted(sealed.keys() | unlinked.keys()) if sealed else ():
        is_known = week in sealed and week in unlinked
        if not is_known or sealed[week] != seal_of(unlinked[week]):
            fault = f"the readings without a link of the week of {week} are not those sealed"
            report.findings.append(Finding("readings", None, fault))


async def list_seals(connection: Connection, progress: Progress) -> list[Fact]:
    """Return facts that seal the readings from before the ledger, a week each."""
    weeks = await db.links.list_weeks(connection)
    facts = []
    for done, week in enumerate(weeks, start=1):
        found = await db.links.fetch_unlinked(connection, week)
        if found is not None:
            facts.append(Fact(SEAL, name_of(week), seal_of(found)))
        progress("readings by week", done, len(weeks))
    return facts


def seal_of(found: Unlinked) -> Content:
    return {"readings": found.readings, "sha256": found.content.hex()}


def name_of(week: Span) -> str:
    return f"{week.starts_at:%Y-%m-%d}Z"


async def check_audit(
    connection: Connection,
    report: Report,
    progress: Progress,
    since: KeptHead | None = None,
) -> None:
    """Follow the chain over the audit log, from where it begins or from a head that was kept."""
    removal = await db.audit.fetch_removal(connection)
    start = since or removal
    head = await db.audit.fetch_head(connection)

    async def page(after: int) -> list[Link]:
        return await db.audit.list_links(connection, after=after, limit=LINKS_A_TIME)

    if head.number:
        await _follow(AUDIT, page, head, report, progress, start.head if start else None)
    noted_since = None if since is None else since.noted_at
    for entry_id, is_gone in await db.audit.list_unlinked(connection, noted_since, MISMATCHES_MAX):
        why = "waits for its link and is gone" if is_gone else "was put in: nothing links it"
        report.findings.append(Finding(AUDIT, None, f"entry {entry_id} {why}"))
    waiting, oldest = await db.audit.fetch_waiting(connection)
    if oldest is not None:
        told = (
            f"{AUDIT}: {waiting:,} entries wait for their links, the oldest since {_told(oldest)}"
        )
        report.notes.append(f"{told}: nothing vouches for them yet")
    if removal is not None:
        told = f"{AUDIT}: the {removal.head.number:,} links until {removal.day} were removed by age"
        report.notes.append(told)


def _after_removal(
    report: Report, heads: Sequence[KeptHead], removal: KeptHead, where: str
) -> list[KeptHead]:
    """Return the heads that entries are left of; find those whose entries were removed early."""
    for each in heads:
        if each.head.number <= removal.head.number and each.day > removal.day:
            fault = (
                f"the head kept {where} on {each.day} was link {each.head.number}, and all until "
                f"{removal.head.number} is removed, as if it had been of {removal.day}"
            )
            report.findings.append(Finding(AUDIT, each.head.number, fault))
    return [each for each in heads if each.head.number >= removal.head.number]


async def check_heads(
    connection: Connection, report: Report, kept: Iterable[KeptHead], where: str
) -> int:
    """Hold the chains against heads that were kept, `where` says by whom; return how many agree.

    Of each chain those before the first that does not; none of entries that were removed.
    """
    agreeing = 0
    by_chain: dict[str, list[KeptHead]] = {}
    for each in kept:
        by_chain.setdefault(each.chain, []).append(each)
    removal = await db.audit.fetch_removal(connection)
    for chain, heads in sorted(by_chain.items()):
        heads.sort(key=lambda each: each.head.number)
        if chain == AUDIT and removal is not None:
            heads = _after_removal(report, heads, removal, where)
        digests = await db.heads.fetch_digests(
            connection, chain, [each.head.number for each in heads]
        )
        held = 0
        for each in heads:
            if digests.get(each.head.number) != each.head.digest:
                _miss(report, each, held, where)
                break
            held = each.head.number
            agreeing += 1
    return agreeing


def _miss(report: Report, kept: KeptHead, held: int, where: str) -> None:
    """Report that a head is not in its chain any more; up to link `held` an older one is.

    A link that is known to be broken before it explains that already.
    """
    chain, number, end = kept.chain, kept.head.number, report.links.get(kept.chain, 0)
    told = f"the head kept {where} on {kept.day} was link {number}"
    known = [each.number for each in report.findings if each.chain == chain and each.number]
    if any(held < each <= min(number, end) for each in known):
        return
    if number > end:
        fault = f"{told}, the chain has {end}: its tail was cut off"
        report.findings.append(Finding(chain, end + 1, fault))
    else:
        fault = f"{told} with another hash: the chain was made anew after link {held}"
        report.findings.append(Finding(chain, held + 1, fault))


def _mismatch(kept: int, found: int) -> str:
    if found == kept:
        return f"of its {kept} readings some were changed"
    if found == 0:
        return f"all its {kept} readings are gone"
    return f"{found} readings instead of {kept}"


async def _follow(
    chain: str,
    page: Page,
    head: Head,
    report: Report,
    progress: Progress,
    start: Head | None = None,
) -> Head:
    """Follow a chain page by page; return its last link, whether or not it holds.

    Up to `start` it is not looked at.
    """
    last = start or Head()
    held: Head | None = last
    links = last.number
    while some := await page(last.number):
        if held is not None:
            broken = ledger.first_break(some, held.digest, held.number)
            if broken is not None:
                report.findings.append(Finding(chain, broken.number, broken.fault))
            held = None if broken else Head(some[-1].number, some[-1].digest)
        last = Head(some[-1].number, some[-1].digest)
        links += len(some)
        progress(chain, links, max(head.number, links))
    report.links[chain] = links
    return last


@dataclass(slots=True)
class Sums:
    """How many units were settled anew, which stored sums differed, and how many more.

    `failed` are units that could not be settled: nothing is known of their sums.
    """

    units: int = 0
    failed: list[int] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    more: int = 0

    @property
    def hold(self) -> bool:
        return not (self.failed or self.differences)


async def sums(pool: Pool, progress: Progress, *, repair: bool, unverified: Unverified) -> Sums:
    """Compare every sum with the readings below it, unit by unit."""
    async with pool.acquire() as connection:
        total = await db.reconciliation.count_units(connection)
    sums = Sums()
    async for unit_id, found in reconcile.of_all(
        pool, reconcile.ALL_TIME, repair=repair, unverified=unverified
    ):
        sums.units += unit_id > 0
        if found is None:
            sums.failed.append(unit_id)
        else:
            room = DIFFERENCES_MAX - len(sums.differences)
            sums.differences += found[:room]
            sums.more += len(found[room:])
        progress("sums", sums.units, total)
    return sums
