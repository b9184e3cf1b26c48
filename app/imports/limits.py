"""Owns the `limits` file: what a product may need, by edition. Lower is better."""

from __future__ import annotations

from collections.abc import Sequence

import db.limits
from app.imports.fields import Code, Day, Finite, Flag, Line, Source, Uom
from app.imports.kinds import Kind
from app.imports.sheet import Change, Findings, Sheet
from app.tables import Row
from db.limits import LimitRow
from db.pool import Connection
from energy import intensity_uoms
from energy.intensity_uoms import IntensityUomError

VALUES = ("limit", "baseline", "benchmark", "advanced")
STRICTER = (("benchmark", "baseline"), ("advanced", "limit"))
"""Pairs of which the first may not be higher than the second."""


class LimitLine(Line):
    product: Code
    uom: Uom
    edition: Code
    limit: Finite | None = None
    baseline: Finite | None = None
    benchmark: Finite | None = None
    advanced: Finite | None = None
    valid_from: Day
    source: Source
    verified: Flag = True
    exclusive: Flag = False


class LimitSheet(Sheet[LimitLine, LimitRow]):
    """Limits by product, edition and the day from which they hold."""

    kind = Kind.LIMITS
    key = ("product", "edition", "valid_from")
    line = LimitLine

    def record(self, line: LimitLine, row: Row, findings: Findings) -> LimitRow:
        values = {name: getattr(line, name) for name in VALUES}
        if not any(value is not None for value in values.values()):
            findings.problem(row, "baseline", f"give at least one of {', '.join(VALUES)}")
        for strict, lenient in STRICTER:
            low, high = values[strict], values[lenient]
            if low is not None and high is not None and low > high:
                reason = f"is higher than the {lenient} {high:g}; lower is better"
                findings.problem(row, strict, reason)
        return LimitRow(
            product=line.product,
            uom=_uom(line.uom, row, findings),
            edition=line.edition,
            limit=line.limit,
            baseline=line.baseline,
            benchmark=line.benchmark,
            advanced=line.advanced,
            valid_from=line.valid_from,
            source=line.source,
            verified=line.verified,
            exclusive=line.exclusive,
        )

    async def stored(self, connection: Connection, records: Sequence[LimitRow]) -> list[LimitRow]:
        return await db.limits.list_limits(connection)

    async def store(
        self, connection: Connection, new: Sequence[LimitRow], changes: Sequence[Change[LimitRow]]
    ) -> None:
        await db.limits.upsert_limits(connection, [*new, *(change.new for change in changes)])


def _uom(text: str, row: Row, findings: Findings) -> str:
    """Return the unit of measure as `energy.intensity_uoms` writes it."""
    try:
        return str(intensity_uoms.parse(text))
    except IntensityUomError as error:
        findings.problem(row, "uom", str(error))
        return text
