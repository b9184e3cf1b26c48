"""Owns the `quality_schemes` file: how data quality is scored from a day on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

import db.schemes
from app.imports.fields import Day, Line, NotNegative, Source
from app.imports.kinds import Kind
from app.imports.sheet import Change, Findings, Sheet
from app.tables import Row
from db.pool import Connection
from db.schemes import SchemeRow
from energy.quality import Index

Part = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class SchemeLine(Line):
    valid_from: Day
    completeness: NotNegative
    accuracy: NotNegative
    timeliness: NotNegative
    verifiability: NotNegative
    validity: NotNegative
    normativity: NotNegative
    completeness_pass: Part
    agreement_max: Part
    lateness_allowance_s: Annotated[int, Field(ge=0, le=86_400)]
    monthly_deadline_day: Annotated[int, Field(ge=1, le=28)]
    official: bool
    source: Source


class SchemeSheet(Sheet[SchemeLine, SchemeRow]):
    """Schemes by the day from which they hold; weights are relative to their sum."""

    kind = Kind.QUALITY_SCHEMES
    key = ("valid_from",)
    line = SchemeLine

    def record(self, line: SchemeLine, row: Row, findings: Findings) -> SchemeRow:
        if not any(getattr(line, index.value) for index in Index):
            findings.problem(row, "completeness", "give at least one index a weight")
        return SchemeRow(**line.model_dump())

    async def stored(self, connection: Connection, records: Sequence[SchemeRow]) -> list[SchemeRow]:
        return await db.schemes.list_schemes(connection)

    async def store(
        self,
        connection: Connection,
        new: Sequence[SchemeRow],
        changes: Sequence[Change[SchemeRow]],
    ) -> None:
        await db.schemes.upsert_schemes(connection, [*new, *(change.new for change in changes)])
