"""Owns stating silences: making one, approving it, ending it before its time; each in the ledger.

A silence is never changed. Alerts that it is about are judged, stored and shown as ever; only their
letters wait for its end. All belongs in the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import db.catalogue
import db.changes
import db.parks
import db.rules
import db.silences
from alerts.kinds import subjects
from alerts.kinds.subjects import About
from app import approval, silence_facts
from app.depends import Caller
from app.errors import Conflict, Forbidden, InvalidParameter, NotFound
from db.changes import UNAPPROVED, Author, Fact
from db.rules import RuleEntry
from db.scope import Scope
from db.silences import APPROVED, ENDED, NewSilence, SilenceRow, StoredEvent, StoredSilence

LASTS_MAX = timedelta(days=31)
"""How long a silence lasts at most: who needs it longer says so again, and why."""

BEGINS_WITHIN = timedelta(days=92)
"""How far ahead a silence may begin."""

SILENCES_MAX = 100
"""Silences of one region that are not over."""

KINDS_OF_UNITS = frozenset({"product_intensity", "value_intensity"})
"""Kinds of rules that are about units alone: to silence one hides the level of no region."""


class State(StrEnum):
    """What a silence does at an instant."""

    WAITING = "waiting"  # for a second person
    COMING = "coming"
    HOLDING = "holding"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Statement:
    """Which letters are to be kept back, until when, and why. `starts_at` None: from now on."""

    region: str
    rule_id: int | None
    unit: str | None
    subject: str | None
    starts_at: datetime | None
    ends_at: datetime
    reason: str


def state(row: SilenceRow, now: datetime) -> State:
    """Return what a silence does now."""
    if row.ended_at is not None or row.ends_at <= now:
        return State.OVER
    if row.waits and row.approved_at is None:
        return State.WAITING
    return State.COMING if row.starts_at > now else State.HOLDING


async def visible(caller: Caller, silence_id: int) -> SilenceRow:
    """Return a silence that acts on something of the caller's. Raises NotFound."""
    found = await db.silences.list_visible(
        caller.connection,
        caller.scope,
        region_prefix="",
        is_over=None,
        now=caller.now,
        limit=1,
        before_silence_id=None,
        silence_id=silence_id,
    )
    if not found:
        raise NotFound("silence")
    return found[0]


async def make(caller: Caller, statement: Statement) -> int:
    """Keep letters back within the caller's scope; return the silence_id.

    One that could keep back that a region is at level 1 acts once a second person approved it,
    where the platform is set to ask for one.
    """
    if not statement.region.startswith(caller.scope.region_prefix):
        raise NotFound("region")
    rule = await _rule(caller, statement)
    place = await _place(caller, statement, rule)
    starts_at = statement.starts_at or caller.now
    _check_span(starts_at, statement.ends_at, caller.now)
    await db.changes.lock(caller.connection)
    await _refuse_many(caller, statement.region)
    is_grave = place.unit is None and (rule is None or rule.kind not in KINDS_OF_UNITS)
    new = NewSilence(
        region=statement.region,
        rule_id=statement.rule_id,
        unit_id=place.unit_id,
        subject=statement.subject,
        starts_at=starts_at,
        ends_at=statement.ends_at,
        is_grave=is_grave,
        waits=is_grave and caller.rule.is_required,
        stated_at=caller.now,
        actor=caller.actor,
        reason=statement.reason,
        acts_in=place.acts_in,
    )
    silence_id = await db.silences.insert(caller.connection, new)
    fact = silence_facts.stated(
        StoredSilence(
            silence_id, new.region, new.rule_id, place.unit, new.subject, starts_at, new.ends_at,
            new.waits,
        )
    )  # fmt: skip
    await _record(caller, fact, Author(caller.actor, statement.reason,
                                       approver=UNAPPROVED if is_grave else None))  # fmt: skip
    return silence_id


async def approve(caller: Caller, silence_id: int, reason: str) -> None:
    """Let a silence act that waits for a second person. Raises Conflict if there is nothing to."""
    found = await _own(caller, silence_id)
    match state(found, caller.now):
        case State.OVER:
            raise Conflict("silence_over", _OVER)
        case State.COMING | State.HOLDING:
            raise Conflict("silence_acts", "This silence acts already, nobody has to approve it.")
        case State.WAITING:
            pass
    if approval.is_same_person(caller.actor, found.actor):
        raise Conflict(
            "own_silence",
            "Who stated this silence does not approve it: another person does, or it is ended.",
        )
    event = StoredEvent(silence_id, APPROVED, caller.now)
    await db.silences.insert_event(
        caller.connection, silence_id, APPROVED, caller.now, caller.actor, reason
    )
    author = Author(found.actor, reason, approver=caller.actor)
    await _record(caller, silence_facts.became(event), author)


async def end(caller: Caller, silence_id: int, reason: str) -> None:
    """Let a silence keep nothing back from now on. Raises Conflict if it is over already."""
    found = await _own(caller, silence_id)
    if state(found, caller.now) is State.OVER:
        raise Conflict("silence_over", _OVER)
    event = StoredEvent(silence_id, ENDED, caller.now)
    await db.silences.insert_event(
        caller.connection, silence_id, ENDED, caller.now, caller.actor, reason
    )
    await _record(caller, silence_facts.became(event), Author(caller.actor, reason))


_OVER = "This silence is over and stays as it was. State another one: POST /v1/silences."


async def _record(caller: Caller, fact: Fact, author: Author) -> None:
    await db.changes.record(caller.connection, author, [fact], caller.now)


async def _own(caller: Caller, silence_id: int) -> SilenceRow:
    """Return a silence that the caller may decide on; it stays so in this transaction."""
    await db.changes.lock(caller.connection)
    found = await visible(caller, silence_id)
    if not found.region.startswith(caller.scope.region_prefix):
        raise Forbidden(
            "silence_of_another_desk",
            f"This silence was stated for {found.region}, and is decided on by whoever answers for "
            "all of it.",
        )
    return found


async def _rule(caller: Caller, statement: Statement) -> RuleEntry | None:
    if statement.rule_id is None:
        return None
    rule = await db.rules.fetch_entry(caller.connection, caller.scope, statement.rule_id)
    if rule is None:
        raise NotFound("rule")
    prefix = Scope.of_region(statement.region).region_prefix
    if not (prefix.startswith(rule.within) or rule.within.startswith(prefix)):
        raise InvalidParameter(
            "rule_id", f"is a rule of {rule.region} and finds nothing in {statement.region}"
        )
    return rule


@dataclass(frozen=True, slots=True)
class _Place:
    """What a silence is about: a unit, or the part of its region with this prefix; None: all."""

    unit: str | None = None
    unit_id: int | None = None
    acts_in: str | None = None


async def _place(caller: Caller, statement: Statement, rule: RuleEntry | None) -> _Place:
    """Return what a silence is about: the unit that it or its subject names, or a region."""
    told = _about(statement)
    code = statement.unit or told.unit
    if code is not None:
        return await _unit(caller, statement, code)
    within = Scope.of_region(statement.region).region_prefix
    wide = [within] if rule is None else [within, rule.within]
    if (region := await _region(caller, told)) is not None:
        if not region.startswith(within):
            raise InvalidParameter("subject", f"lies in {region}, outside of {statement.region}")
        wide.append(Scope.of_region(region).region_prefix)
    narrowest = max(wide, key=len)
    return _Place(acts_in=None if narrowest == within else narrowest)


def _about(statement: Statement) -> About:
    """Return what the subject is about. Raises InvalidParameter if no alert has such a one."""
    if statement.subject is None:
        return About()
    told = subjects.about(statement.subject)
    if told is None:
        raise InvalidParameter(
            "subject", "is none of an alert: take it from GET /v1/alerts as it stands there"
        )
    if statement.unit is not None and told.unit != statement.unit:
        raise InvalidParameter("subject", "is about another unit than unit: leave one of them out")
    return told


async def _region(caller: Caller, told: About) -> str | None:
    """Return the region that a subject is about, of a park the smallest that holds it."""
    region = told.region
    if told.park is not None:
        region = approval.smallest(await db.parks.list_regions(caller.connection, told.park))
    is_named = told.park is not None or told.region is not None
    if is_named and (region is None or not region.startswith(caller.scope.region_prefix)):
        raise NotFound("subject")
    return region


async def _unit(caller: Caller, statement: Statement, code: str) -> _Place:
    unit = await db.catalogue.fetch_unit(caller.connection, caller.scope, code)
    if unit is None:
        raise NotFound("unit")
    if not unit.region.startswith(Scope.of_region(statement.region).region_prefix):
        raise InvalidParameter(
            "unit", f"lies in {unit.region}, outside of {statement.region}: state it for there"
        )
    return _Place(code, unit.unit_id)


def _check_span(starts_at: datetime, ends_at: datetime, now: datetime) -> None:
    if starts_at < now:
        raise InvalidParameter(
            "starts_at",
            f"is in the past: it is {now:%Y-%m-%dT%H:%M:%SZ} here, and letters went out. Leave it "
            "out to keep them back from now on",
        )
    if starts_at > now + BEGINS_WITHIN:
        raise InvalidParameter(
            "starts_at", f"is more than {BEGINS_WITHIN.days} days ahead: state it nearer the time"
        )
    if ends_at <= starts_at:
        raise InvalidParameter("ends_at", "must be after its beginning")
    if ends_at - starts_at > LASTS_MAX:
        raise InvalidParameter(
            "ends_at",
            f"is more than {LASTS_MAX.days} days after its beginning: nothing is kept back for "
            "longer. State another silence when this one ends, if it is still called for",
        )


async def _refuse_many(caller: Caller, region: str) -> None:
    if await db.silences.count_standing(caller.connection, region, caller.now) >= SILENCES_MAX:
        raise Conflict(
            "too_many_silences",
            f"{region} has {SILENCES_MAX} silences that are not over. End those that nobody needs: "
            "DELETE /v1/silences/{silence_id}.",
        )
