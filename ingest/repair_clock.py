"""Owns the repair clock of a unit: which faults stand now, opened and closed with their clocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import db.assessment
import db.repairs
import db.schemes
import db.suspicions
from db.assessment import Claimed, MeterFacts
from db.pool import Connection
from db.repairs import Heard, Latest
from db.suspicions import Ahead, Arrived, SuspicionRow
from energy import clocks, intervals, ledger, periods, repairs, verification, workdays
from energy.clocks import Arrival, Clock, ClockError
from energy.periods import LOCAL, Span, Step
from energy.repairs import Fault, Found, Steps, Subject
from energy.suspicion import Sureness, Suspicion

DAY = timedelta(days=1)
GAP_DAYS = timedelta(days=40)
MESSAGES_SINCE = timedelta(hours=6)
"""The clocks of gateways are judged by the messages of so long."""

BEHIND_MAX = timedelta(hours=9)
"""How old a reading may be when it comes and still tell of a clock: a zone error is 8 h."""

AHEAD_OVER = timedelta(hours=1)
"""A gateway heard so long without readings from the future has its clock right again."""


@dataclass(slots=True)
class Measured:
    """The clocks that could be judged, by subject; those in order have no error."""

    clocks: dict[str, Clock] = field(default_factory=dict)
    in_order: set[str] = field(default_factory=set)


async def advance(
    connection: Connection, claimed: Claimed, meters: Sequence[MeterFacts], now: datetime
) -> Steps:
    """Open the clocks of new faults of a unit, and close those of repaired ones."""
    latest = {
        one.meter_id: one for one in await db.repairs.list_latest(connection, claimed.unit_id)
    }
    measured = await _measure_clocks(connection, claimed, now)
    found = [
        *_silences(meters, latest, now),
        *await _expired(connection, claimed, meters, now),
        *(
            Found(Subject(name, Fault.CLOCK_OFFSET), clock.since)
            for name, clock in measured.clocks.items()
        ),
    ]
    found += await _gaps(connection, claimed, meters, found, now)
    standing = await db.repairs.list_standing(connection, claimed.unit_id)
    unknown = [
        one
        for one in standing
        if one.fault is Fault.CLOCK_OFFSET and one.name not in measured.in_order
    ]
    steps = repairs.reconcile(standing, found, unknown)
    await db.repairs.open_all(
        connection,
        claimed.unit_id,
        [(one, workdays.deadline(one.opened_at)) for one in steps.opened],
    )
    codes = {one.meter: latest[one.meter_id] for one in meters}
    await db.repairs.close_all(
        connection,
        claimed.unit_id,
        [(one, _repaired_at(one, codes, now)) for one in steps.repaired],
    )
    await _set_deadlines(connection, claimed)
    await db.suspicions.store(
        connection, [_suspicion(claimed, *item) for item in measured.clocks.items()], now
    )
    return steps


def _silences(
    meters: Sequence[MeterFacts], latest: dict[int, Latest], now: datetime
) -> list[Found]:
    found = []
    for meter in meters:
        heard_at = latest[meter.meter_id].read_at
        if heard_at is None:  # never yet: it owes readings since the platform knows of it
            heard_at = max(meter.installed_at, meter.registered_at)
        since = repairs.silent_since(heard_at, intervals.at(meter.intervals, heard_at), now)
        if since is not None:
            found.append(Found(Subject(meter.meter, Fault.SILENCE), since))
    return found


async def _expired(
    connection: Connection, claimed: Claimed, meters: Sequence[MeterFacts], now: datetime
) -> list[Found]:
    certificates = await db.assessment.list_certificates(connection, claimed.unit_id)
    today = now.astimezone(LOCAL).date()
    found = []
    for meter in meters:
        last = verification.expired_on(certificates.get(meter.meter_id, []), today)
        if last is not None:
            begins = datetime(last.year, last.month, last.day, tzinfo=LOCAL) + DAY
            found.append(Found(Subject(meter.meter, Fault.VERIFICATION_EXPIRED), begins))
    return found


async def _gaps(
    connection: Connection,
    claimed: Claimed,
    meters: Sequence[MeterFacts],
    silent: Sequence[Found],
    now: datetime,
) -> list[Found]:
    """Return the meters whose newest whole day lacks readings, but for those that are silent."""
    today = periods.floor(now, Step.DAY)
    span = Span(today - GAP_DAYS, today)
    scheme = db.schemes.in_force(
        await db.schemes.list_schemes(connection), now.astimezone(LOCAL).date()
    )
    days = await db.repairs.list_days(connection, claimed.unit_id, span)
    silences = await db.repairs.list_silences(connection, claimed.unit_id, span.starts_at, now)
    are_silent = {one.subject.name for one in silent if one.subject.fault is Fault.SILENCE}
    found = []
    for meter in meters:
        if meter.meter in are_silent:
            continue
        since = repairs.gap_since(
            days.get(meter.meter_id, []),
            scheme.completeness_pass,
            silences.get(meter.meter, []),
        )
        if since is not None:
            found.append(Found(Subject(meter.meter, Fault.GAP), since))
    return found


def _repaired_at(subject: Subject, latest: dict[str, Latest], now: datetime) -> datetime:
    """Return when a fault was over: of a silence, at the latest when its newest reading came."""
    received_at = latest[subject.name].received_at if subject.name in latest else None
    if subject.fault is Fault.SILENCE and received_at is not None:
        return min(received_at, now)
    return now


async def _set_deadlines(connection: Connection, claimed: Claimed) -> None:
    """Give a deadline to faults from before the days off of their year were known."""
    for repair_id, opened_at in await db.repairs.list_without_deadline(connection, claimed.unit_id):
        due_at = workdays.deadline(opened_at).due_at
        if due_at is not None:
            await db.repairs.set_deadline(connection, repair_id, due_at)


async def _measure_clocks(connection: Connection, claimed: Claimed, now: datetime) -> Measured:
    since = now - MESSAGES_SINCE
    gateways = await db.repairs.list_gateways(connection, claimed.unit_id)
    arrived = await db.suspicions.list_arrived(
        connection, claimed.unit_id, since, behind=BEHIND_MAX
    )
    ahead = await db.suspicions.list_ahead(connection, claimed.unit, since)
    measured = Measured()
    for name, arrivals in _by_sender(arrived, gateways).items():
        clock = clocks.measure(arrivals)
        if clock is not None and clock.error is not None:
            measured.clocks[name] = clock
        elif clock is not None:
            measured.in_order.add(name)
    for gateway in gateways:
        theirs = [one for one in ahead if one.gateway == gateway.gateway]
        _judge_ahead(gateway, theirs, since, measured)
    return measured


def _judge_ahead(
    gateway: Heard, ahead: Sequence[Ahead], since: datetime, measured: Measured
) -> None:
    """Readings from the future were rejected: the messages in quarantine tell of the clock."""
    heard_at = gateway.last_seen_at
    if heard_at is None or heard_at < since:
        return
    if not ahead or heard_at > ahead[-1].received_at + AHEAD_OVER:
        if gateway.gateway not in measured.clocks:
            measured.in_order.add(gateway.gateway)
        return
    measured.in_order.discard(gateway.gateway)
    clock = clocks.measure([Arrival(one.received_at, one.newest_at) for one in ahead])
    if clock is not None and clock.error is not None:
        measured.clocks[gateway.gateway] = clock


def _by_sender(arrived: Sequence[Arrived], gateways: Sequence[Heard]) -> dict[str, list[Arrival]]:
    """Return the messages of each sender, in order.

    Readings do not tell their gateway, but those of one message came at one instant: meters that
    share a message share a sender. The only gateway of a unit is the sender of them all; of
    several, the sender goes by its first meter.
    """
    first: dict[str, str] = {}
    messages: dict[datetime, list[Arrived]] = {}
    for one in arrived:
        messages.setdefault(one.received_at, []).append(one)
    for group in messages.values():
        names = {_root(first, one.meter) for one in group}
        for name in names:
            first[name] = min(names)
    senders: dict[str, list[Arrival]] = {}
    for received_at, group in sorted(messages.items()):
        name = _root(first, group[0].meter)
        if len(gateways) == 1:
            name = gateways[0].gateway
        newest_at = max(one.newest_at for one in group)
        senders.setdefault(name, []).append(Arrival(received_at, newest_at))
    return senders


def _root(first: dict[str, str], meter: str) -> str:
    first.setdefault(meter, meter)
    while first[meter] != meter:
        meter = first[meter]
    return meter


def _suspicion(claimed: Claimed, subject: str, clock: Clock) -> SuspicionRow:
    """Return the suspicion, one a day: a clock that is slow looks like messages that wait."""
    is_zone = clock.error in (ClockError.ZONE_AHEAD, ClockError.ZONE_BEHIND)
    starts_at = periods.floor(clock.since, Step.DAY)
    evidence = {
        "offset_s": round(clock.offset_s, 1),
        "spread_s": round(clock.spread_s, 1),
        "messages": clock.messages,
        "error": clock.error,
    }
    return SuspicionRow(
        Suspicion.CLOCK_ZONE if is_zone else Suspicion.CLOCK_OFFSET,
        claimed.unit_id,
        subject,
        starts_at,
        starts_at + DAY,
        Sureness.LIKELY if is_zone or clock.offset_s > 0 else Sureness.POSSIBLE,
        ledger.canonical(evidence),
    )
