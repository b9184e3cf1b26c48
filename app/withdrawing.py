"""Owns withdrawing a stated fact of any kind: it holds no longer, and what follows is recomputed.

What was stated stays in the ledger of changes, and what was known before the withdrawal is still
answered as known then. Finding and withdrawing belong in one transaction of the caller.
"""

from __future__ import annotations

import difflib
import heapq
import shlex
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import takewhile

import db.changes
import db.registry
import db.withdrawals
from app import approval, importing, vouching
from app.approval import Deed
from app.imports import sheet as sheets
from app.imports.kinds import Kind
from app.resolve import Refusal
from db.changes import Author, Change, Fact
from db.pool import Connection
from db.withdrawals import StillNeededError

NOT_ALONE = {
    Kind.UNITS: "a unit carries meters and readings; import it again as it should be",
    Kind.METERS: "a meter carries readings; import it again as it should be, correct its readings, "
    "or withdraw its epochs",
    Kind.LEVELS: "a level is one of a scheme; choose another scheme, or import all its levels",
    Kind.QUALITY_SCHEMES: "each day is scored by some scheme; import another that holds from then",
}
"""Kinds of which a single fact is never withdrawn, and what to do instead."""

WITHDRAWABLE = tuple(kind for kind in Kind if kind not in NOT_ALONE)
NAMED_MAX = 5
COMPARED_MAX = 500
"""Keys that begin most alike: only they are compared letter by letter."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A fact that holds, what was stated of it so far, and how it is taken back."""

    kind: Kind
    fact: Fact
    history: Sequence[Change]
    delete: Callable[[Connection], Awaitable[None]]


async def find(connection: Connection, kind: Kind, subject: str) -> Standing:
    """Return the fact of a kind under its key, its instants in any form of RFC 3339.

    Raises Refusal with what to do if there is none.
    """
    if kind in NOT_ALONE:
        raise Refusal(f"{kind} are not withdrawn: {NOT_ALONE[kind]}")
    await db.registry.lock_imports(connection)
    sheet = await importing.SHEETS[kind](connection)
    key = pasted(subject)
    units = [subject.split("/", maxsplit=1)[0]] if sheet.is_by_unit() else []
    for record in await sheet.standing(connection, units):
        fact = sheets.fact(kind, sheet.key_of(record), record)
        if pasted(fact.subject) == key:
            history = await db.changes.list_history(connection, kind, fact.subject)
            return Standing(kind, fact, history, partial(sheet.withdraw, record=record))
    raise Refusal(await _none(connection, kind, key))


def pasted(key: str) -> str:
    """Return a key with each of its instants in one form, which has no space. [UTC]

    >>> pasted("91/E01/2026-06-01 09:00:00+08:00")
    '91/E01/2026-06-01T01:00:00+00:00'
    >>> pasted("natural_gas/calorific/91/2026-01-01")
    'natural_gas/calorific/91/2026-01-01'
    """
    return "/".join(map(_one_form, key.split("/")))


def _one_form(part: str) -> str:
    try:
        instant = datetime.fromisoformat(part.upper())
    except ValueError:
        return part
    return part if instant.tzinfo is None else instant.astimezone(UTC).isoformat()


async def withdraw(
    connection: Connection, standing: Standing, author: Author, now: datetime
) -> None:
    """Let a fact hold no longer, from now on. Raises Refusal if another one stands on it."""
    vouched = await vouching.list_vouched(connection, [standing.fact])
    try:
        await standing.delete(connection)
    except StillNeededError as error:
        raise Refusal(f"{standing.fact.subject} {error}: withdraw that first") from error
    gone = Fact(standing.kind, standing.fact.subject, None)
    author = approval.told(author, Deed.WITHDRAWAL, standing.kind)
    await db.changes.record_over(connection, author, [standing.fact], [gone], vouched, now)


async def _none(connection: Connection, kind: Kind, key: str) -> str:
    stated = await db.changes.list_stated(connection, kind, key.split("/", maxsplit=1)[0])
    newest = {pasted(change.fact.subject): change for change in stated}
    if gone := newest.get(key):
        return (
            f"{kind} {key} was withdrawn already, on {gone.changed_at:%Y-%m-%d} by "
            f"{gone.author.actor}: {gone.author.reason}"
        )
    known = [one for one, change in newest.items() if change.fact.content is not None]
    if not known:
        known = list(map(pasted, await db.withdrawals.list_holding(connection, kind)))
    near = nearest(key, known)
    hint = f"; there are {', '.join(map(shlex.quote, near))}" if near else ", nor under any other"
    return f"no fact of {kind} holds under {key}{hint}"


def nearest(key: str, known: Iterable[str]) -> list[str]:
    """Return the few keys that are most like one that was mistyped, in order.

    >>> nearest("450300/2026", ["450200/2026", "450200/2027", "110000/2021"])[0]
    '450200/2026'
    """

    def alike_until(one: str) -> int:
        pairs = zip(one, key, strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    alike = heapq.nlargest(COMPARED_MAX, known, key=alike_until)
    return difflib.get_close_matches(key, alike, NAMED_MAX, 0)
