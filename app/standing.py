"""Owns whether the facts that hold are those that were stated: tables against the ledger.

Who changes a factor, a target or a meter past the platform leaves the ledger as it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import db.changes
from app import importing
from app.imports import sheet as sheets
from app.imports.kinds import Kind
from db.changes import Content
from db.pool import Connection

ELSEWHERE = {Kind.PRODUCTION, Kind.CORRECTIONS}
"""Kinds that are stated over HTTP as well, with checks of their own."""

OF_EPOCHS = {"multiplier", "rollover", "side", "rate_max", "interval_s", "installed_at"}
"""Columns of a meter that are those of its newest epoch once one was recorded."""

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Unlike:
    """A fact that does not hold as it was stated; `fault` says in what."""

    kind: Kind
    subject: str
    fault: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What was found of one kind: facts that differ, and subjects that nobody stated."""

    kind: Kind
    unlike: list[Unlike]
    unstated: list[str]


async def of_all(connection: Connection) -> list[Standing]:
    """Return how the facts of every kind stand of which something was ever stated."""
    moved = await db.changes.list_known(connection, Kind.EPOCHS, db.changes.EVER)
    meters = {subject.rsplit("/", 1)[0] for subject in moved}
    found = []
    for kind in Kind:
        if kind in ELSEWHERE:
            continue
        stated = await db.changes.list_known(connection, kind, db.changes.EVER)
        if stated:
            holds = await _holding(connection, kind, stated)
            unlike = list(_unlike(kind, stated, holds, meters))
            found.append(Standing(kind, unlike, sorted(holds.keys() - stated.keys())))
    return found


async def _holding(
    connection: Connection, kind: Kind, stated: Mapping[str, Content]
) -> dict[str, Content]:
    """Return what holds now, by subject."""
    sheet = await importing.SHEETS[kind](connection)
    asked: list[Any] = [SimpleNamespace(**content) for content in stated.values()]
    holds = {}
    for record in await sheet.standing(connection, asked):
        kept = sheets.fact(kind, sheet.key_of(record), record)
        holds[kept.subject] = kept.content or {}
    return holds


def _unlike(
    kind: Kind, stated: Mapping[str, Content], holds: Mapping[str, Content], meters: set[str]
) -> Iterator[Unlike]:
    for subject, content in stated.items():
        now = holds.get(subject)
        if now is None:
            yield Unlike(kind, subject, "was stated and is gone")
            continue
        own = OF_EPOCHS if kind is Kind.METERS and subject in meters else set()
        columns = [
            f"{column} is {now.get(column)!r}, stated was {told!r}"
            for column, told in content.items()
            if column not in own and now.get(column) != told
        ]
        if columns:
            yield Unlike(kind, subject, "; ".join(columns[:SHOWN]))
