"""Owns stating alert rules: making one, giving it a new version, ending it; each in the ledger.

A version is never changed, and a rule never erased. Whoever changes one names the version that they
saw, so that nobody undoes what they have not read. A change is stated by `app/rule_changes.py`, at
once or when a second person approved it. All belongs in the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import db.changes
import db.rules
from alerts.kinds.kind import Kind, Parameters
from app import rule_facts, rule_references
from app.depends import Caller
from app.errors import Conflict, Forbidden, InvalidParameter, NotFound, PreconditionFailed
from app.rule_changes import RuleChange
from db.changes import Author, Fact
from db.rules import NOUN, RuleEntry, StoredVersion, VersionRow

RULES_MAX = 100
"""Rules of one region that are not ended: each is judged for everybody in it, all the time."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a rule is to say, and why. `holds_from` None: from now on."""

    kind: Kind
    name: str
    parameters: Parameters
    holds_from: datetime | None
    reason: str


async def visible(caller: Caller, rule_id: int) -> RuleEntry:
    """Return a rule that acts on something of the caller's. Raises NotFound."""
    found = await db.rules.fetch_entry(caller.connection, caller.scope, rule_id)
    if found is None:
        raise NotFound("rule")
    return found


async def make(caller: Caller, region: str, statement: Statement) -> int:
    """Make a rule of a region within the caller's scope; return its rule_id.

    Raises NotFound for a region beyond it, Conflict if the region has one of that name.
    """
    if not region.startswith(caller.scope.region_prefix):
        raise NotFound("region")
    await db.changes.lock(caller.connection)
    names = await db.rules.list_names(caller.connection, region)
    _refuse_twin(names, statement.name, None)
    await refuse_faults(caller, statement.parameters)
    if len(names) >= RULES_MAX:
        raise Conflict(
            "too_many_rules",
            f"{region} has {RULES_MAX} rules that are not ended. End those that nobody needs: "
            "DELETE /v1/rules/{rule_id}.",
        )
    version = _version(caller, 1, statement)
    rule_id = await db.rules.insert_rule(caller.connection, statement.kind, region)
    await _state(caller, rule_id, statement.kind, region, version)
    return rule_id


async def changed(caller: Caller, rule_id: int, seen: int, statement: Statement) -> RuleChange:
    """Return a new version of a rule, to be stated or proposed, if `seen` is its newest one."""
    found = await _changeable(caller, rule_id, seen)
    if statement.kind != found.kind:
        raise InvalidParameter(
            "kind",
            f"is {found.kind} and does not change: what it found would mean something else. End "
            "this rule and make another one",
        )
    _refuse_twin(
        await db.rules.list_names(caller.connection, found.region), statement.name, rule_id
    )
    await refuse_faults(caller, statement.parameters)
    version = _version(caller, seen + 1, statement)
    return RuleChange(rule_id, seen, version.name, version.parameters, statement.holds_from)


async def ended(caller: Caller, rule_id: int, seen: int) -> RuleChange:
    """Return what lets a rule watch nobody from then on, if `seen` is its newest version."""
    found = await _changeable(caller, rule_id, seen)
    return RuleChange(rule_id, seen, found.name, None)


async def refuse_faults(caller: Caller, parameters: Parameters) -> None:
    """Raise InvalidParameter for what a rule must not say when it is stated, or proposed."""
    for fault in await rule_references.faults(caller.connection, caller.scope, parameters):
        raise InvalidParameter(fault.parameter, fault.detail)


async def _changeable(caller: Caller, rule_id: int, seen: int) -> RuleEntry:
    """Return a rule that the caller may change as they saw it; it stays so in this transaction."""
    await db.changes.lock(caller.connection)
    found = await visible(caller, rule_id)
    if not found.region.startswith(caller.scope.region_prefix):
        raise Forbidden(
            "rule_of_another_desk",
            f"This rule was written for {found.region} and is changed by whoever answers for all "
            "of it. Make a rule of your own region beside it: POST /v1/rules.",
        )
    if found.parameters is None:
        raise Conflict(
            "rule_ended",
            "This rule is ended and stays as it was. Make another one: POST /v1/rules.",
        )
    if found.version != seen:
        raise PreconditionFailed(
            f"The newest version of this rule is {found.version}, not {seen}: somebody changed it. "
            f"Read GET /v1/rules/{rule_id}, and send what still holds with its version."
        )
    return found


def _refuse_twin(names: dict[str, int], name: str, rule_id: int | None) -> None:
    twin = names.get(name)
    if twin is not None and twin != rule_id:
        raise Conflict(
            "rule_exists",
            f"Rule {twin} of this region has that name. Change it (PUT /v1/rules/{twin}), or "
            "choose another name.",
        )


def _version(caller: Caller, number: int, statement: Statement) -> VersionRow:
    holds_from = statement.holds_from or caller.now
    if holds_from < caller.now:
        raise InvalidParameter(
            "holds_from",
            f"is in the past: it is {caller.now:%Y-%m-%dT%H:%M:%SZ} here, and what was judged is "
            "judged. Leave it out to let it hold from now on; POST /v1/rules/{rule_id}/backtest "
            "says what it would have done",
        )
    return VersionRow(
        version=number,
        name=statement.name,
        parameters=statement.parameters.model_dump_json(),
        holds_from=holds_from,
        stated_at=caller.now,
        actor=caller.actor,
        reason=statement.reason,
    )


async def _state(
    caller: Caller, rule_id: int, kind: Kind, region: str, version: VersionRow
) -> None:
    await db.rules.insert_version(caller.connection, rule_id, version)
    stored = StoredVersion(
        rule_id, kind, region, version.version, version.name, version.parameters, version.holds_from
    )
    author = Author(caller.actor, version.reason)
    fact = Fact(NOUN, stored.subject, rule_facts.content(stored))
    await db.changes.record(caller.connection, author, [fact], caller.now)
