"""Owns the administrative divisions, and the retired codes that lead to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class Region:
    """`tier` is province, city or county; `parent` the region it belongs to."""

    region: str
    name: str
    parent: str | None
    tier: str


@dataclass(frozen=True, slots=True)
class Alias:
    """A code and name that ended on `retired_on`, and the region that took its place."""

    alias: str
    region: str
    name: str
    retired_on: date


async def list_regions(connection: Connection) -> list[Region]:
    rows = await connection.fetch(
        """
        SELECT region, name, parent, tier
          FROM regions
         ORDER BY region
        """
    )
    return [Region(**row) for row in rows]


async def list_known_cities(connection: Connection, cities: Sequence[str]) -> set[str]:
    """Return those of `cities` that are prefecture-level cities, or cities of registered units."""
    rows = await connection.fetch(
        """
        SELECT city
          FROM unnest($1::text[]) AS asked (city)
         WHERE EXISTS (SELECT FROM regions WHERE region = asked.city AND tier = 'city')
            OR EXISTS (SELECT FROM units WHERE units.city = asked.city)
         ORDER BY city
        """,
        cities,
    )
    return {row["city"] for row in rows}


async def list_aliases(connection: Connection) -> list[Alias]:
    rows = await connection.fetch(
        """
        SELECT alias, region, name, retired_on
          FROM region_aliases
         ORDER BY alias
        """
    )
    return [Alias(**row) for row in rows]
