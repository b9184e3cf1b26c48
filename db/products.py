"""Owns the products that have a name, and what units of energy other than coal are worth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class Product:
    """`required_share` of the capacity must be at the benchmark; None: nobody asks for that."""

    product: str
    name_zh: str
    name_en: str
    output_uom: str
    required_share: float | None
    source: str | None


@dataclass(frozen=True, slots=True)
class Equivalent:
    """What one `energy_uom` is worth in kgce from `valid_from` until the next row."""

    energy_uom: str
    kgce_per_uom: float
    valid_from: date
    source: str
    verified: bool


async def list_products(connection: Connection) -> dict[str, Product]:
    """Return the named products by code."""
    rows = await connection.fetch(
        """
        SELECT product, name_zh, name_en, output_uom, required_share, source
          FROM products
         ORDER BY product
        """
    )
    return {row["product"]: Product(**row) for row in rows}


async def fetch_product(connection: Connection, product: str) -> Product | None:
    """Return a product by its code; None: it has no name."""
    row = await connection.fetchrow(
        """
        SELECT product, name_zh, name_en, output_uom, required_share, source
          FROM products
         WHERE product = $1
        """,
        product,
    )
    return None if row is None else Product(**row)


async def list_equivalents(connection: Connection) -> list[Equivalent]:
    rows = await connection.fetch(
        """
        SELECT energy_uom, kgce_per_uom, valid_from, source, verified
          FROM equivalents
         ORDER BY energy_uom, valid_from
        """
    )
    return [Equivalent(**row) for row in rows]
