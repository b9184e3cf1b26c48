"""Owns importing the registry from files: a plan that shows every change, then all or nothing.

Plan and apply belong in one transaction of the caller: then no other import comes between them.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path

import db.changes
import db.registry
from app import tables
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
    units,
)
from app.imports.kinds import Kind
from app.imports.plans import Plan
from app.imports.sheet import L, Progress, R, Sheet, draft
from app.resolve import Refusal
from db.changes import Author
from db.pool import Connection

Drafter = Callable[[Connection, Path, Progress], Awaitable[Plan]]
"""Reads a file of one kind and says what importing it would do."""


async def plan(connection: Connection, kind: Kind, path: Path, progress: Progress) -> Plan:
    """Return what importing the file at `path` would do. Raises TableError if it is no table."""
    await db.registry.lock_imports(connection)
    return await DRAFTERS[kind](connection, path, progress)


def _knowing(sheet: Callable[[Connection], Awaitable[Sheet[L, R]]]) -> Drafter:
    """Return the drafter of a sheet that has to know what is stored."""

    async def drafted(connection: Connection, path: Path, progress: Progress) -> Plan:
        return await _draft(connection, await sheet(connection), path, progress)

    return drafted


def _plain(sheet: Callable[[], Sheet[L, R]]) -> Drafter:
    """Return the drafter of a sheet that knows all by itself."""

    async def drafted(connection: Connection, path: Path, progress: Progress) -> Plan:
        return await _draft(connection, sheet(), path, progress)

    return drafted


async def _draft(
    connection: Connection, sheet: Sheet[L, R], path: Path, progress: Progress
) -> Plan:
    required, optional = sheet.columns()
    table = await asyncio.to_thread(tables.read, path, required=required, optional=optional)
    return await draft(connection, sheet, table, path.name, progress)


async def apply(connection: Connection, planned: Plan, author: Author, now: datetime) -> None:
    """Write what was planned, and who stated it. A plan with problems is refused as a whole."""
    if planned.problems:
        first = planned.problems[0]
        raise Refusal(
            f"{planned.file} has problems, nothing was imported; the first: "
            f"line {first.line} {first.column}: {first.reason}"
        )
    await planned.store(connection)
    await db.changes.record(connection, author, planned.facts, now)


def author(actor: str, reason: str | None, path: Path) -> Author:
    """Return who states the rows of a file; the file itself is the evidence."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Author(actor, reason or f"import of {path.name}", f"{path.name} sha256:{digest}")


DRAFTERS: Mapping[Kind, Drafter] = {
    Kind.UNITS: _knowing(units.sheet),
    Kind.METERS: _knowing(meters.sheet),
    Kind.EPOCHS: _knowing(epochs.sheet),
    Kind.CONTACTS: _knowing(contacts.sheet),
    Kind.LIMITS: _plain(limits.LimitSheet),
    Kind.FIGURES: _knowing(regional.figure_sheet),
    Kind.TARGETS: _knowing(regional.target_sheet),
    Kind.FACTORS: _knowing(factors.sheet),
    Kind.CALORIFIC_VALUES: _knowing(calorific_values.sheet),
    Kind.PRODUCTION: _knowing(production.sheet),
    Kind.CORRECTIONS: _plain(corrections.CorrectionSheet),
    Kind.CAPACITIES: _knowing(capacities.sheet),
    Kind.VERIFICATIONS: _knowing(metrology.verification_sheet),
    Kind.VALUE_LIMITS: _knowing(metrology.value_limit_sheet),
    Kind.MONTHLY_FILINGS: _knowing(filings.sheet),
    Kind.QUALITY_SCHEMES: _plain(schemes.SchemeSheet),
    Kind.PARKS: _knowing(parks.sheet),
    Kind.BUDGETS: _knowing(budgets.sheet),
    Kind.LEVELS: _plain(levels.BandSheet),
    Kind.SCHEMES: _knowing(levels.choice_sheet),
    Kind.CARBON_FACTORS: _knowing(carbon.factor_sheet),
    Kind.GRIDS: _knowing(carbon.choice_sheet),
    Kind.STOCKS: _knowing(statements.stock_sheet),
    Kind.TRADES: _knowing(statements.trade_sheet),
    Kind.PROJECTS: _knowing(projects.sheet),
    Kind.CERTIFICATES: _knowing(certificates.sheet),
    Kind.NON_FOSSIL: _knowing(certificates.non_fossil_sheet),
}
