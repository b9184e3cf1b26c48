"""Owns reading reference rows beside what a release ships of them, both as the database types them.

A release's rows come to it as text; PostgreSQL turns them into rows of the very tables they are in,
so that `0.1229` is held against the number and not against how somebody wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from db.changes import Content
from db.pool import Connection

Cells = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """A row of a reference table: as it is stored, or as it was shipped."""

    table: str
    is_stored: bool
    content: Content


async def list_rows(
    connection: Connection, shipped: Mapping[str, Sequence[Cells]]
) -> list[ReferenceRow]:
    """Return what is stored in the reference tables, and `shipped`, their rows by table.

    Of `factors` only those for everyone: what a unit declares is no reference row.
    """
    rows = await connection.fetch(
        """
        WITH ours AS (SELECT $1::jsonb AS tables)
        SELECT 'regions' AS name, true AS is_stored, to_jsonb(r) AS content FROM regions AS r
         UNION ALL SELECT 'regions', false, to_jsonb(r)
          FROM ours, jsonb_populate_recordset(NULL::regions, tables->'regions') AS r
         UNION ALL SELECT 'region_aliases', true, to_jsonb(r) FROM region_aliases AS r
         UNION ALL SELECT 'region_aliases', false, to_jsonb(r)
          FROM ours, jsonb_populate_recordset(NULL::region_aliases, tables->'region_aliases') AS r
         UNION ALL SELECT 'industries', true, to_jsonb(r) FROM industries AS r
         UNION ALL SELECT 'industries', false, to_jsonb(r)
          FROM ours, jsonb_populate_recordset(NULL::industries, tables->'industries') AS r
         UNION ALL SELECT 'carriers', true, to_jsonb(r) FROM carriers AS r
         UNION ALL SELECT 'carriers', false, to_jsonb(r)
          FROM ours, jsonb_populate_recordset(NULL::carriers, tables->'carriers') AS r
         UNION ALL SELECT 'factor_ranges', true, to_jsonb(r) FROM factor_ranges AS r
         UNION ALL SELECT 'factor_ranges', false, to_jsonb(r)
          FROM ours, jsonb_populate_recordset(NULL::factor_ranges, tables->'factor_ranges') AS r
         UNION ALL SELECT 'factors', true, to_jsonb(r) FROM factors AS r WHERE unit_id IS NULL
         UNION ALL SELECT 'factors', false, to_jsonb(r)
          FROM ours, jsonb_populate_recordset(NULL::factors, tables->'factors') AS r
         UNION ALL SELECT 'products', true, to_jsonb(r) FROM products AS r
         UNION ALL SELECT 'products', false, to_jsonb(r)
          FROM ours, jsonb_populate_recordset(NULL::products, tables->'products') AS r
         UNION ALL SELECT 'equivalents', true, to_jsonb(r) FROM equivalents AS r
         UNION ALL SELECT 'equivalents', false, to_jsonb(r)
          FROM ours, jsonb_populate_recordset(NULL::equivalents, tables->'equivalents') AS r
         UNION ALL SELECT 'limits', true, to_jsonb(r) FROM limits AS r
         UNION ALL SELECT 'limits', false, to_jsonb(r)
          FROM ours, jsonb_populate_recordset(NULL::limits, tables->'limits') AS r
         UNION ALL SELECT 'level_bands', true, to_jsonb(r) FROM level_bands AS r
         UNION ALL SELECT 'level_bands', false, to_jsonb(r)
          FROM ours, jsonb_populate_recordset(NULL::level_bands, tables->'level_bands') AS r
         UNION ALL SELECT 'scheme_choices', true, to_jsonb(r) FROM scheme_choices AS r
         UNION ALL SELECT 'scheme_choices', false, to_jsonb(r)
          FROM ours, jsonb_populate_recordset(NULL::scheme_choices, tables->'scheme_choices') AS r
         UNION ALL SELECT 'grids', true, to_jsonb(r) FROM grids AS r
         UNION ALL SELECT 'grids', false, to_jsonb(r)
          FROM ours, jsonb_populate_recordset(NULL::grids, tables->'grids') AS r
         UNION ALL SELECT 'grid_choices', true, to_jsonb(r) FROM grid_choices AS r
         UNION ALL SELECT 'grid_choices', false, to_jsonb(r)
          FROM ours, jsonb_populate_recordset(NULL::grid_choices, tables->'grid_choices') AS r
         UNION ALL SELECT 'carbon_factors', true, to_jsonb(r) FROM carbon_factors AS r
         UNION ALL SELECT 'carbon_factors', false, to_jsonb(r)
          FROM ours, jsonb_populate_recordset(NULL::carbon_factors, tables->'carbon_factors') AS r
         UNION ALL SELECT 'rule_sets', true, to_jsonb(r) FROM rule_sets AS r
         UNION ALL SELECT 'rule_sets', false, to_jsonb(r)
          FROM ours, jsonb_populate_recordset(NULL::rule_sets, tables->'rule_sets') AS r
         UNION ALL SELECT 'quality_schemes', true, to_jsonb(r) FROM quality_schemes AS r
         UNION ALL SELECT 'quality_schemes', false, to_jsonb(r)
          FROM ours, jsonb_populate_recordset(NULL::quality_schemes, tables->'quality_schemes') AS r
        """,
        json.dumps(shipped),
    )
    return [ReferenceRow(row["name"], row["is_stored"], json.loads(row["content"])) for row in rows]
