"""Owns finding the meters that rows of a file name by unit and code."""

from __future__ import annotations

from collections.abc import Collection

from app.imports.sheet import Findings
from app.tables import Row


class MeterKeys:
    """The meters of the registry, by unit and meter code."""

    def __init__(self, known: Collection[tuple[str, str]]) -> None:
        self._known = frozenset(known)

    def check(self, unit: str, meter: str, row: Row, findings: Findings) -> None:
        if (unit, meter) not in self._known:
            findings.problem(row, "meter", "is not a meter of this unit; import the meters first")
