"""Owns what a submitted change would do now, whatever its kind: the same rows it takes to do it.

Drafting and applying belong in one transaction of the caller: then no other change comes between.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from pydantic import TypeAdapter, ValidationError

import db.changes
import db.corrections
import db.registry
from app import approval, correcting, importing, rule_changes, withdrawing
from app.approval import AnyKind, Deed
from app.imports.kinds import Kind
from app.imports.plans import Plan
from app.resolve import Refusal
from app.withdrawing import Standing
from db.changes import Author, Content, Fact
from db.corrections import CorrectionRow
from db.pool import Connection
from db.proposals import Place
from energy import ledger

SHOWN_MAX = 200
"""Facts of which a proposal shows what becomes of them; its hash is that of all of them."""

CORRECTIONS = TypeAdapter(list[CorrectionRow])


@dataclass(frozen=True, slots=True)
class Submission:
    """What somebody wants done: the file, the JSON or the key as it was handed in."""

    deed: Deed
    kind: AnyKind
    name: str
    payload: bytes
    author: Author


@dataclass(frozen=True, slots=True)
class Draft:
    """The facts `before` and `after`, and what makes it so; what is new has nothing before."""

    before: Sequence[Fact]
    after: Sequence[Fact]
    apply: Callable[[Author, datetime], Awaitable[object]]

    def sha256(self) -> bytes:
        """Return the hash of all that it changes. [32 bytes]"""
        told = [[_told(fact) for fact in facts] for facts in (self.before, self.after)]
        return hashlib.sha256(ledger.canonical(told).encode()).digest()

    def effect(self, received: Mapping[str, Content]) -> str:
        """Return what it changes, fact by fact, of a long one the beginning. JSON

        Where no fact holds, before or after, `received` does: a reading as it arrived.
        """
        before = {fact.subject: fact.content for fact in self.before}
        shown = [
            {
                "subject": fact.subject,
                "columns": _columns(
                    before.get(fact.subject) or received.get(fact.subject),
                    fact.content or received.get(fact.subject),
                ),
            }
            for fact in self.after[:SHOWN_MAX]
        ]
        return json.dumps({"facts": len(self.after), "shown": shown}, ensure_ascii=False)


def _told(fact: Fact) -> list[object]:
    return [fact.noun, fact.subject, fact.content]


def _columns(before: Content | None, after: Content | None) -> dict[str, list[str | None]]:
    """Return column → (text before, text after) of those that differ."""
    old, new = before or {}, after or {}
    return {
        column: [_text(old.get(column)), _text(new.get(column))]
        for column in {**old, **new}
        if old.get(column) != new.get(column)
    }


def _text(value: object) -> str | None:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return None if value is None else str(value)


async def draft(connection: Connection, submission: Submission) -> Draft:
    """Return what a submission would do now. Raises Refusal with what is wrong with it."""
    match submission.deed:
        case Deed.IMPORT:
            return of_plan(
                connection,
                await importing.plan_of(
                    connection,
                    Kind(submission.kind),
                    submission.name,
                    submission.payload,
                    lambda done, total: None,
                ),
            )
        case Deed.WITHDRAWAL:
            key, kind = submission.payload.decode(), Kind(submission.kind)
            return of_standing(connection, await withdrawing.find(connection, kind, key))
        case Deed.CORRECTION:
            return await _of_corrections(connection, submission.payload)
        case Deed.CHANGE | Deed.END:
            return await _of_rule(connection, submission.payload)


def of_plan(connection: Connection, plan: Plan) -> Draft:
    importing.refuse_problems(plan)
    if not plan.facts:
        raise Refusal(f"{plan.file} changes nothing: all of it holds already")
    return Draft(plan.standing, plan.facts, partial(importing.apply, connection, plan))


def of_standing(connection: Connection, standing: Standing) -> Draft:
    gone = Fact(standing.kind, standing.fact.subject, None)
    return Draft([standing.fact], [gone], partial(withdrawing.withdraw, connection, standing))


def written(rows: Sequence[CorrectionRow]) -> bytes:
    """Return corrections as the JSON that a draft reads."""
    return CORRECTIONS.dump_json(list(rows))


async def _of_rule(connection: Connection, payload: bytes) -> Draft:
    change = rule_changes.read(payload)
    before, after = await rule_changes.facts(connection, change)

    async def apply(author: Author, now: datetime) -> None:
        await rule_changes.state(connection, change, author, now)

    return Draft([before], [after], apply)


async def _of_corrections(connection: Connection, payload: bytes) -> Draft:
    try:
        rows = CORRECTIONS.validate_json(payload)
    except ValidationError as error:
        raise Refusal(f"no list of corrections: {error.errors()[0]['msg']}") from None
    await db.registry.lock_imports(connection)
    targets = await db.corrections.list_targets(connection, rows)
    if missing := [row for row in rows if row.subject not in targets]:
        first = missing[0]
        raise Refusal(
            f"meter {first.meter} of unit {first.unit} has no reading at {first.time.isoformat()}"
        )
    newest = await db.changes.list_newest(
        connection, db.corrections.NOUN, [row.subject for row in rows]
    )
    aimed = [(row, targets[row.subject]) for row in rows]

    async def apply(author: Author, now: datetime) -> int:
        return await correcting.state(connection, author, aimed, now)

    return Draft([change.fact for change in newest], [row.fact() for row in rows], apply)


async def received(connection: Connection, drafted: Draft) -> dict[str, Content]:
    """Return the readings that a draft corrects, or no longer does, as corrections would say it."""
    told = {
        fact.subject: fact.content
        for fact in (*drafted.after[:SHOWN_MAX], *drafted.before[:SHOWN_MAX])
        if fact.noun == db.corrections.NOUN and fact.content is not None
    }
    rows = CORRECTIONS.validate_python(list(told.values()))
    targets = await db.corrections.list_targets(connection, rows)
    return {
        subject: {**content, "value": targets[row.subject].raw_value}
        for (subject, content), row in zip(told.items(), rows, strict=True)
        if row.subject in targets
    }


async def place(connection: Connection, drafted: Draft) -> Place:
    """Return the smallest place that holds all that a draft touches."""
    units: set[str] = set()
    regions: set[str] = set()
    for content in (fact.content for fact in (*drafted.before, *drafted.after) if fact.content):
        unit, region = _owner(content)
        if unit is not None:
            units.add(unit)
        elif region is not None:
            regions.add(region)
        else:
            return Place()
    rows = await db.registry.list_units_by_code(connection, sorted(units))
    only = units.pop() if len(units) == 1 and not regions else None
    return Place(approval.smallest({*regions, *(row.region for row in rows)}), only)


def _owner(content: Content) -> tuple[str | None, str | None]:
    """Return the unit that a fact is of, or its region; of neither: it is everyone's."""
    match content.get("owner_kind"):
        case "unit":
            return str(content["owner"]), None
        case "city":
            return None, str(content["owner"])
        case _:
            unit, region = content.get("unit"), content.get("region")
            return None if unit is None else str(unit), None if region is None else str(region)
