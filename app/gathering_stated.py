"""Owns gathering the stated facts behind an intensity or a level, now or as known on a day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import db.changes
import db.figures
import db.levels
import db.production
from app import explain_level, known_then, stated
from app.depends import Caller
from app.explain_intensity import RecordedStatement
from app.explain_level import LevelLineage
from app.imports import levels, regional
from app.imports.kinds import Kind
from app.imports.sheet import L, R, Sheet
from app.lineage import Recorded
from db.changes import Content
from db.production import ProductionRow
from energy.indicators import Indicator
from energy.periods import Span

REACH = timedelta(days=366)
"""A statement covers a year at most."""


async def statements(
    caller: Caller, unit: str, product: str, bucket: Span, at: datetime | None
) -> list[RecordedStatement]:
    """Return what was stated of the product of a unit in `bucket`."""
    rows = await db.production.list_statements(
        caller.connection,
        caller.scope,
        span=Span(bucket.starts_at - REACH, bucket.ends_at + REACH),
        unit=unit,
    )
    changes = await db.changes.list_stated(
        caller.connection, db.production.NOUN, f"{unit}/{product}/"
    )
    current = {"/".join(row.key): row for row in rows if row.product == product}
    found: list[tuple[ProductionRow, Recorded | None]] = known_then.known(
        current, changes, at, stated.row_of
    )
    return [
        RecordedStatement(row, recorded)
        for row, recorded in sorted(found, key=lambda pair: pair[0].starts_at)
        if stated.touches(row, bucket)
    ]


async def level(
    caller: Caller,
    region: str,
    year: int,
    through_month: int | None,
    indicator: Indicator,
    at: datetime | None,
) -> LevelLineage:
    """Return the facts behind the level of a region: figures, targets, schemes of levels.

    Those of today, too, are read from the ledger of changes, so that a row that was touched shows.
    """
    connection = caller.connection

    async def facts(
        sheet: Sheet[L, R], rows: Sequence[R], parse: Callable[[Content], R], prefix: str = ""
    ) -> list[tuple[R, Recorded | None]]:
        return await _known(caller, sheet, rows, prefix, at or db.changes.EVER, parse)

    own = f"{region}/"
    figures = [row for row in await db.figures.list_figures(connection) if row.region == region]
    targets = [row for row in await db.figures.list_targets(connection) if row.region == region]
    bands = await db.levels.list_bands(connection)
    choices = await db.levels.list_choices(connection)
    figure_sheet = await regional.figure_sheet(connection)
    target_sheet = await regional.target_sheet(connection)
    choice_sheet = await levels.choice_sheet(connection)
    return LevelLineage(
        region,
        year,
        through_month,
        indicator,
        await facts(figure_sheet, figures, explain_level.figure_row, own),
        await facts(target_sheet, targets, explain_level.target_row, own),
        await facts(levels.BandSheet(), bands, explain_level.band_row),
        await facts(choice_sheet, choices, explain_level.choice_row),
        at,
    )


async def _known(
    caller: Caller,
    sheet: Sheet[L, R],
    rows: Sequence[R],
    prefix: str,
    at: datetime,
    parse: Callable[[Content], R],
) -> list[tuple[R, Recorded | None]]:
    kind: Kind = sheet.kind
    changes = await db.changes.list_stated(caller.connection, kind, prefix)
    current = {"/".join(sheet.key_of(row)): row for row in rows}
    return known_then.known(current, changes, at, parse)
