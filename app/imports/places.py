"""Owns finding the region a code means: one that exists, or the successor of one that ended."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import db.regions
from app.imports.sheet import Findings
from app.tables import Row
from db.pool import Connection
from db.regions import Alias, Region

ANYWHERE = ("province", "city", "county")
PLANTS = ("city", "county")


class Places:
    """The regions and retired codes of the registry."""

    def __init__(self, regions: Iterable[Region], aliases: Iterable[Alias]) -> None:
        self._regions = {region.region: region for region in regions}
        self._aliases = {alias.alias: alias for alias in aliases}

    def resolve(self, code: str, row: Row, findings: Findings, tiers: Collection[str]) -> str:
        """Return the code of the region that `code` means, in the row's column `region`."""
        alias = self._aliases.get(code)
        if alias is not None and code not in self._regions:
            findings.note(
                row,
                "region",
                f"{alias.name} ended in {alias.retired_on.year}; taken as {alias.region} "
                f"{self._regions[alias.region].name}",
            )
            code = alias.region
        region = self._regions.get(code)
        if region is None:
            findings.problem(row, "region", "is not the code of a known region")
        elif region.tier not in tiers:
            findings.problem(row, "region", f"is a {region.tier}; give a {' or '.join(tiers)}")
        return code


async def fetch(connection: Connection) -> Places:
    return Places(
        await db.regions.list_regions(connection), await db.regions.list_aliases(connection)
    )
