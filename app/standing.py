"""Owns whether the facts that hold are those that were stated: tables against the ledger.

Who changes, removes or adds a factor, a target or a meter past the platform leaves the ledger as it
was. What the release ships needs no statement, and what was sealed was stated by who sealed it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import db.changes
import db.filled
import db.registry
import db.rules
import db.silences
from app import approval, importing, reference, rule_facts, silence_facts
from app.approval import Deed
from app.imports import sheet as sheets
from app.imports.kinds import Kind
from app.verification import SEAL
from db.changes import Content, Fact
from db.pool import Connection

ELSEWHERE = {Kind.CORRECTIONS}
"""Kinds with a check of their own."""

SHOWN = 3
UNITS_A_TIME = 500

Progress = sheets.Progress
BySubject = dict[str, Content]


@dataclass(frozen=True, slots=True)
class Unlike:
    """A fact that does not hold as it was stated; `fault` says in what."""

    kind: str
    subject: str
    fault: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What was found of one kind of fact, or one reference table.

    `unlike` are facts that differ from what was stated, or shipped; `unstated` those that hold and
    that nobody stated.
    """

    kind: str
    unlike: list[Unlike] = field(default_factory=list)
    unstated: BySubject = field(default_factory=dict)

    @property
    def findings(self) -> list[Unlike]:
        """Return all that does not hold: what nobody stated may hold for nobody."""
        fault = "holds, and nobody stated it: `nenghao verify seal` vouches for it, or it must go"
        return [*self.unlike, *(Unlike(self.kind, each, fault) for each in sorted(self.unstated))]


def unseen(done: int, total: int) -> None:
    """Show nobody how far it is."""


async def of_all(connection: Connection, progress: Progress = unseen) -> list[Standing]:
    """Return how the facts of every kind stand, and the rows that the release ships."""
    sealed = await _sealed(connection)
    filled = await db.filled.list_kinds(connection)
    heard = {kind: await db.changes.list_subjects(connection, kind) for kind in reference_kinds()}
    compared = await reference.compare(connection, heard)
    kinds = [kind for kind in Kind if kind in filled | compared.exceeded and kind not in ELSEWHERE]
    found = list(_of_reference(compared, sealed))
    for done, kind in enumerate(kinds, start=1):
        shipped = compared.shipped.get(kind, set()) - heard.get(kind, set())
        vouched = await _not_withdrawn(connection, kind, sealed.get(kind, {}))
        found.append(await _of_kind(connection, kind, vouched, shipped))
        progress(done, len(kinds))
    found.append(await _of_rules(connection, sealed.get(db.rules.NOUN, {})))
    found += await _of_silences(connection, sealed)
    return found


def reference_kinds() -> list[Kind]:
    """Return the kinds of import that may restate a reference row."""
    return [table.kind for table in reference.TABLES if table.kind is not None]


async def list_seals(connection: Connection) -> list[Fact]:
    """Return facts that vouch for all that nobody stated, as it is now."""
    return [
        Fact(SEAL, f"{one.kind}/{subject}", content)
        for one in await of_all(connection)
        for subject, content in sorted(one.unstated.items())
    ]


def called_for(seals: Sequence[Fact]) -> list[Fact]:
    """Return the seals of rows whose statement calls for a second person."""
    return [
        each
        for each in seals
        if (kind := each.subject.partition("/")[0]) in [*Kind]
        and approval.calls_for_one(Deed.IMPORT, Kind(kind))
    ]


async def _sealed(connection: Connection) -> dict[str, BySubject]:
    """Return what was sealed, by kind; seals of readings name a week and no kind."""
    sealed: dict[str, BySubject] = {}
    known = await db.changes.list_known(connection, SEAL, db.changes.EVER)
    for subject, content in known.items():
        kind, slash, rest = subject.partition("/")
        if slash:
            sealed.setdefault(kind, {})[rest] = content
    return sealed


async def _not_withdrawn(connection: Connection, kind: Kind, sealed: BySubject) -> BySubject:
    """Return what is sealed of a kind, without what was withdrawn since."""
    subjects = [f"{kind}/{subject}" for subject in sealed]
    seals = await db.changes.list_newest(connection, SEAL, subjects)
    sealed_as = {each.fact.subject.partition("/")[2]: each.change_id for each in seals}
    withdrawn = {
        each.fact.subject
        for each in await db.changes.list_newest(connection, kind, list(sealed))
        if each.fact.content is None and each.change_id > sealed_as[each.fact.subject]
    }
    return {subject: told for subject, told in sealed.items() if subject not in withdrawn}


def _of_reference(
    compared: reference.Compared, sealed: Mapping[str, BySubject]
) -> Iterator[Standing]:
    for table in reference.TABLES:
        is_importable = table.kind is not None  # then _of_kind knows what was stated of it
        vouched = {} if is_importable else sealed.get(table.name, {})
        extra = {} if is_importable else compared.unstated[table.name]
        unlike = [
            Unlike(table.name, subject, fault)
            for (name, subject), fault in compared.faults.items()
            if name == table.name
        ]
        unlike += _unlike(table.name, vouched, extra)
        yield Standing(
            table.name,
            unlike,
            {subject: extra[subject] for subject in extra.keys() - vouched.keys()},
        )


async def _of_kind(
    connection: Connection, kind: Kind, sealed: BySubject, shipped: set[str]
) -> Standing:
    sheet = await importing.SHEETS[kind](connection)
    found = Standing(kind)
    async for units in _pages(connection, kind, sealed if sheet.is_by_unit() else None):
        stated = await db.changes.list_known(connection, kind, db.changes.EVER, units=units)
        vouched = _of_units(sealed, units) | stated
        holds = {}
        for record in await sheet.standing(connection, units or []):
            kept = sheets.fact(kind, sheet.key_of(record), record)
            holds[kept.subject] = kept.content or {}
        found.unlike.extend(_unlike(kind, vouched, holds))
        unstated = holds.keys() - vouched.keys() - shipped
        found.unstated.update({subject: holds[subject] for subject in unstated})
    return found


async def _of_rules(connection: Connection, sealed: BySubject) -> Standing:
    """Return how the versions of alert rules stand, those of which no file tells."""
    noun = db.rules.NOUN
    stated = await db.changes.list_known(connection, noun, db.changes.EVER)
    vouched = sealed | stated
    holds = {
        each.subject: rule_facts.content(each) for each in await db.rules.list_stored(connection)
    }
    found = Standing(noun, list(_unlike(noun, vouched, holds)))
    for subject in holds.keys() - vouched.keys():
        if holds[subject] != rule_facts.SHIPPED.get(subject):
            found.unstated[subject] = holds[subject]
    gone = rule_facts.SHIPPED.keys() - holds.keys()
    found.unlike.extend(Unlike(noun, each, "was shipped and is gone") for each in sorted(gone))
    return found


async def _of_silences(connection: Connection, sealed: Mapping[str, BySubject]) -> list[Standing]:
    """Return how silences stand, and what became of them."""
    silences = await db.silences.list_stored(connection)
    events = await db.silences.list_stored_events(connection)
    facts = {
        db.silences.NOUN: [silence_facts.stated(each) for each in silences],
        db.silences.EVENTS_NOUN: [silence_facts.became(each) for each in events],
    }
    found = []
    for noun, stored in facts.items():
        stated = await db.changes.list_known(connection, noun, db.changes.EVER)
        vouched = sealed.get(noun, {}) | stated
        holds = {fact.subject: fact.content or {} for fact in stored}
        unstated = {each: holds[each] for each in holds.keys() - vouched.keys()}
        found.append(Standing(noun, list(_unlike(noun, vouched, holds)), unstated))
    return found


async def _pages(
    connection: Connection, kind: Kind, sealed: BySubject | None
) -> AsyncIterator[list[str] | None]:
    """Yield units some at a time, those that are gone too. Without `sealed`, None: all at once."""
    if sealed is None:
        yield None
        return
    registered = await db.registry.list_unit_codes(connection)
    stated = await db.changes.list_units(connection, kind)
    units = sorted({*registered, *stated, *(subject.split("/")[0] for subject in sealed)})
    for first in range(0, len(units), UNITS_A_TIME):
        yield units[first : first + UNITS_A_TIME]


def _of_units(sealed: BySubject, units: Sequence[str] | None) -> BySubject:
    if units is None:
        return sealed
    codes = set(units)
    return {subject: told for subject, told in sealed.items() if subject.split("/")[0] in codes}


def _unlike(
    kind: str, stated: Mapping[str, Content], holds: Mapping[str, Content]
) -> Iterator[Unlike]:
    for subject, content in stated.items():
        now = holds.get(subject)
        if now is None:
            yield Unlike(kind, subject, "was stated and is gone")
            continue
        columns = [
            f"{column} is {now.get(column)!r}, stated was {told!r}"
            for column, told in content.items()
            if now.get(column) != told
        ]
        if columns:
            yield Unlike(kind, subject, "; ".join(columns[:SHOWN]))
