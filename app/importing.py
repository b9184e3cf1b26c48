"""Owns importing the registry from files: a plan that shows every change, then all or nothing.

Plan and apply belong in one transaction of the caller: then no other import comes between them.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import db.changes
import db.registry
from app import approval, tables, vouching
from app.approval import Deed
from app.imports import (
    budgets,
    calorific_values,
    capacities,
    carbon,
    certificates,
    contacts,
    corrections,
    epochs,
    factors,
    filings,
    levels,
    limits,
    meters,
    metrology,
    parks,
    production,
    projects,
    regional,
    schemes,
    statements,
    two_high,
    units,
)
from app.imports.columns import OF_READINGS, Column, list_columns
from app.imports.kinds import READINGS, Kind, Readings
from app.imports.plans import Plan
from app.imports.sheet import L, Progress, R, Sheet, draft
from app.resolve import Refusal
from db.changes import Author
from db.pool import Connection

READINGS_ARE = "Readings, judged as those that a gateway sends."

Sheets = Callable[[Connection], Awaitable[Sheet[Any, Any]]]
"""Makes the sheet of one kind of file, which may have to know what is stored."""


def sheet_class(kind: Kind) -> type[Sheet[Any, Any]]:
    """Return what files of a kind are, without looking at what is stored."""
    return next(sheet for sheet in Sheet.__subclasses__() if sheet.kind is kind)


def columns(kind: Kind | Readings) -> list[Column]:
    """Return the columns that files of a kind may have."""
    if kind == READINGS:
        return list(OF_READINGS)
    return list_columns(Kind(kind), sheet_class(Kind(kind)).line)


def what(kind: Kind | Readings) -> str:
    """Return in a sentence what the rows of a kind are."""
    told = READINGS_ARE if kind == READINGS else sheet_class(Kind(kind)).__doc__
    return (told or "").splitlines()[0]


async def plan(connection: Connection, kind: Kind, path: Path, progress: Progress) -> Plan:
    """Return what importing the file at `path` would do. Raises TableError if it is no table."""
    content = await asyncio.to_thread(tables.load, path)
    return await plan_of(connection, kind, path.name, content, progress)


async def plan_of(
    connection: Connection, kind: Kind, name: str, content: bytes, progress: Progress
) -> Plan:
    """Return what importing the `content` of a file of that name would do, as `plan` does."""
    await db.registry.lock_imports(connection)
    return await _draft(connection, await SHEETS[kind](connection), name, content, progress)


def _plain(sheet: Callable[[], Sheet[L, R]]) -> Sheets:
    """Return the maker of a sheet that knows all by itself."""

    async def made(connection: Connection) -> Sheet[L, R]:
        return sheet()

    return made


async def _draft(
    connection: Connection, sheet: Sheet[L, R], name: str, content: bytes, progress: Progress
) -> Plan:
    required, optional = sheet.columns()
    table = await asyncio.to_thread(
        tables.parse, name, content, required=required, optional=optional
    )
    return await draft(connection, sheet, table, name, progress)


async def apply(connection: Connection, planned: Plan, author: Author, now: datetime) -> None:
    """Write what was planned, and who stated it. A plan with problems is refused as a whole."""
    refuse_problems(planned)
    vouched = await vouching.list_vouched(connection, planned.standing)
    await planned.store(connection)
    author = approval.told(author, Deed.IMPORT, planned.kind)
    await db.changes.record_over(connection, author, planned.standing, planned.facts, vouched, now)


def refuse_problems(planned: Plan) -> None:
    """Raise Refusal if a row cannot be taken: then none is."""
    if planned.problems:
        first = planned.problems[0]
        raise Refusal(
            f"{planned.file} has problems, nothing was imported; the first: "
            f"line {first.line} {first.column}: {first.reason}"
        )


def author(actor: str, reason: str | None, name: str, content: bytes, evidence: str = "") -> Author:
    """Return who states the rows of the file `name`; what it holds is evidence, beside other."""
    return author_of(actor, reason, name, hashlib.sha256(content).hexdigest(), evidence)


def author_of(actor: str, reason: str | None, name: str, sha256: str, evidence: str = "") -> Author:
    """Return who states the rows of the file `name` with that hash. [hex]"""
    proof = [evidence.strip(), f"{name} sha256:{sha256}"]
    return Author(actor, reason or f"import of {name}", "; ".join(filter(None, proof)))


SHEETS: Mapping[Kind, Sheets] = {
    Kind.UNITS: units.sheet,
    Kind.METERS: meters.sheet,
    Kind.EPOCHS: epochs.sheet,
    Kind.CONTACTS: contacts.sheet,
    Kind.LIMITS: _plain(limits.LimitSheet),
    Kind.FIGURES: regional.figure_sheet,
    Kind.TARGETS: regional.target_sheet,
    Kind.FACTORS: factors.sheet,
    Kind.CALORIFIC_VALUES: calorific_values.sheet,
    Kind.PRODUCTION: production.sheet,
    Kind.CORRECTIONS: _plain(corrections.CorrectionSheet),
    Kind.CAPACITIES: capacities.sheet,
    Kind.VERIFICATIONS: metrology.verification_sheet,
    Kind.VALUE_LIMITS: metrology.value_limit_sheet,
    Kind.MONTHLY_FILINGS: filings.sheet,
    Kind.QUALITY_SCHEMES: _plain(schemes.SchemeSheet),
    Kind.PARKS: parks.sheet,
    Kind.BUDGETS: budgets.sheet,
    Kind.LEVELS: _plain(levels.BandSheet),
    Kind.SCHEMES: levels.choice_sheet,
    Kind.CARBON_FACTORS: carbon.factor_sheet,
    Kind.GRIDS: carbon.choice_sheet,
    Kind.STOCKS: statements.stock_sheet,
    Kind.TRADES: statements.trade_sheet,
    Kind.PROJECTS: projects.sheet,
    Kind.CERTIFICATES: certificates.sheet,
    Kind.NON_FOSSIL: certificates.non_fossil_sheet,
    Kind.TWO_HIGH: two_high.sheet,
}
