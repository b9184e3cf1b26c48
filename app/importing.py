"""Owns importing the registry from files: a plan that shows every change, then all or nothing.

Plan and apply belong in one transaction of the caller: then no other import comes between them.
"""

from __future__ import annotations

import asyncio
import hashlib
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
    regional,
    schemes,
    units,
)
from app.imports.kinds import Kind
from app.imports.plans import Plan
from app.imports.sheet import L, Progress, R, Sheet, draft
from app.resolve import Refusal
from db.changes import Author
from db.pool import Connection


async def plan(connection: Connection, kind: Kind, path: Path, progress: Progress) -> Plan:
    """Return what importing the file at `path` would do. Raises TableError if it is no table."""
    await db.registry.lock_imports(connection)
    match kind:
        case Kind.UNITS:
            return await _draft(connection, await units.sheet(connection), path, progress)
        case Kind.METERS:
            return await _draft(connection, await meters.sheet(connection), path, progress)
        case Kind.EPOCHS:
            return await _draft(connection, await epochs.sheet(connection), path, progress)
        case Kind.CONTACTS:
            return await _draft(connection, await contacts.sheet(connection), path, progress)
        case Kind.LIMITS:
            return await _draft(connection, limits.LimitSheet(), path, progress)
        case Kind.FIGURES:
            return await _draft(connection, await regional.figure_sheet(connection), path, progress)
        case Kind.TARGETS:
            return await _draft(connection, await regional.target_sheet(connection), path, progress)
        case Kind.FACTORS:
            return await _draft(connection, await factors.sheet(connection), path, progress)
        case Kind.CALORIFIC_VALUES:
            sheet = await calorific_values.sheet(connection)
            return await _draft(connection, sheet, path, progress)
        case Kind.PRODUCTION:
            return await _draft(connection, await production.sheet(connection), path, progress)
        case Kind.CAPACITIES:
            return await _draft(connection, await capacities.sheet(connection), path, progress)
        case Kind.VERIFICATIONS:
            verified = await metrology.verification_sheet(connection)
            return await _draft(connection, verified, path, progress)
        case Kind.VALUE_LIMITS:
            limited = await metrology.value_limit_sheet(connection)
            return await _draft(connection, limited, path, progress)
        case Kind.MONTHLY_FILINGS:
            return await _draft(connection, await filings.sheet(connection), path, progress)
        case Kind.QUALITY_SCHEMES:
            return await _draft(connection, schemes.SchemeSheet(), path, progress)
        case Kind.PARKS:
            return await _draft(connection, await parks.sheet(connection), path, progress)
        case Kind.BUDGETS:
            return await _draft(connection, await budgets.sheet(connection), path, progress)
        case Kind.LEVELS:
            return await _draft(connection, levels.BandSheet(), path, progress)
        case Kind.SCHEMES:
            return await _draft(connection, await levels.choice_sheet(connection), path, progress)
        case Kind.CARBON_FACTORS:
            return await _draft(connection, await carbon.factor_sheet(connection), path, progress)
        case Kind.GRIDS:
            return await _draft(connection, await carbon.choice_sheet(connection), path, progress)
        case Kind.CORRECTIONS:
            return await _draft(connection, corrections.CorrectionSheet(), path, progress)


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
