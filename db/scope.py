"""Owns who may see what: a region prefix and, for an enterprise, its one unit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from db.pool import Connection

SEVERAL = "-"
"""Stands for the one unit where there are several: a statement that knows of one sees nobody."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a caller may see. `region_prefix` is "45", "4502" or "450202"; `unit` a credit code.

    It is an explicit argument of every query whose rows belong to a unit, and SQL applies it in
    one place, `visible_units`. There is no scope for "everything": workers do not use scoped
    queries. `several` units are those of a worker that asks for them at once (`among`).
    """

    region_prefix: str
    unit: str | None = None
    several: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (self.region_prefix.isdigit() and len(self.region_prefix) in (2, 4, 6)):
            raise ValueError(f"not a region prefix: {self.region_prefix!r}")

    def among(self, units: Iterable[str]) -> Scope:
        """Return what of it several units are; only `visible_units_of` knows of such a scope."""
        assert self.unit is None
        return Scope(self.region_prefix, SEVERAL, tuple(sorted(units)))

    @property
    def units(self) -> list[str] | None:
        """Return the units that are in it, as `visible_units_of` takes them; None: all."""
        if self.unit is None:
            return None
        return list(self.several) if self.unit == SEVERAL else [self.unit]

    @property
    def text(self) -> str:
        """Return it as `nenghao.scope` holds it: "4502", or "4502/" and the credit code."""
        return self.region_prefix if self.unit is None else f"{self.region_prefix}/{self.unit}"

    @classmethod
    def of_region(cls, region: str, unit: str | None = None) -> Scope:
        """Return the scope of a GB/T 2260 code: 450000 → "45", 450200 → "4502", 450202 as is."""
        if region.endswith("0000"):
            return cls(region[:2], unit)
        return cls(region[:4] if region.endswith("00") else region, unit)


async def enter(connection: Connection, scope: Scope) -> UUID:
    """Let the views of schema api show what is in `scope` until this transaction ends.

    That is scope.region_prefix and, for an enterprise, its unit. They show nothing before.
    Statements carry their scope besides, in `visible_units`. Returns the stamp of the registry as
    the transaction sees it: while it is the same, so is all that is registered.
    """
    stamp: UUID = await connection.fetchval("SELECT enter_scope($1)", scope.text)
    return stamp
