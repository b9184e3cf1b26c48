"""Owns a change of an alert rule as it is written down: what it would do now, and doing it.

Who may change which rule is the business of `app/rules.py`; this is the same whether it holds at
once or waited for a second person. All belongs in the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

import db.changes
import db.rules
from app import approval, rule_facts
from app.approval import Deed, OtherKind
from app.resolve import Refusal
from db.changes import Author, Content, Fact
from db.pool import Connection
from db.rules import NOUN, StoredVersion, VersionRow


@dataclass(frozen=True, slots=True)
class RuleChange:
    """What a rule is to say in place of version `seen`. `parameters` is JSON; None: it is ended.

    `holds_from` None: from when on it is done.
    """

    rule_id: int
    seen: int
    name: str
    parameters: str | None
    holds_from: datetime | None = None

    @property
    def deed(self) -> Deed:
        return Deed.END if self.parameters is None else Deed.CHANGE

    @property
    def version(self) -> int:
        return self.seen + 1


CHANGE = TypeAdapter(RuleChange)


def written(change: RuleChange) -> bytes:
    """Return a change as the JSON that is kept of it."""
    return CHANGE.dump_json(change)


def read(payload: bytes) -> RuleChange:
    """Return what was `written`. Raises Refusal."""
    try:
        return CHANGE.validate_json(payload)
    except ValidationError as error:
        raise Refusal(f"no change of a rule: {error.errors()[0]['msg']}") from None


async def facts(connection: Connection, change: RuleChange) -> tuple[Fact, Fact]:
    """Return what the rule says, and would say: both under the key of the new version.

    Raises Refusal if it no longer is what whoever asked for it saw.
    """
    await db.changes.lock(connection)
    found = await _newest(connection, change)
    after = replace(found, version=change.version, name=change.name, parameters=change.parameters)
    told = _content(after, change.holds_from)
    return Fact(NOUN, after.subject, rule_facts.content(found)), Fact(NOUN, after.subject, told)


async def state(connection: Connection, change: RuleChange, author: Author, now: datetime) -> None:
    """Let a rule say something else. Raises Refusal if the time for it has passed."""
    holds_from = change.holds_from or now
    if holds_from < now:
        raise Refusal(f"it was to hold from {holds_from.isoformat()}, which is past")
    found = await _newest(connection, change)
    row = VersionRow(
        change.version, change.name, change.parameters, holds_from, now, author.actor, author.reason
    )
    await db.rules.insert_version(connection, change.rule_id, row)
    stored = StoredVersion(
        found.rule_id, found.kind, found.region, row.version, row.name, row.parameters, holds_from
    )
    fact = Fact(NOUN, stored.subject, rule_facts.content(stored))
    told = approval.told(author, change.deed, OtherKind.RULES)
    await db.changes.record(connection, told, [fact], now)


async def _newest(connection: Connection, change: RuleChange) -> StoredVersion:
    """Return what the rule says by its newest version, which must be the one that was seen."""
    found = await db.rules.fetch_stored(connection, change.rule_id)
    if found is None or found.version != change.seen:
        raise Refusal(f"rule {change.rule_id} has another version than {change.seen} by now")
    names = await db.rules.list_names(connection, found.region)
    if names.get(change.name, change.rule_id) != change.rule_id:
        raise Refusal(f"rule {names[change.name]} is called {change.name} by now")
    return found


def _content(version: StoredVersion, holds_from: datetime | None) -> Content:
    """Return what the ledger will be told; from when on, only if that was said."""
    at = None if holds_from is None else holds_from.isoformat()
    return rule_facts.content(version) | {"holds_from": at}
