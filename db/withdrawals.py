"""Owns taking a stated fact out of the table of its kind: what it said stands in the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import LiteralString

from asyncpg import ForeignKeyViolationError

from db.pool import Connection


class StillNeededError(Exception):
    """Other facts stand on this one; withdraw those first."""


DELETIONS: Mapping[str, LiteralString] = {
    "epochs": """
        DELETE FROM meter_epochs
         USING meters
          JOIN units USING (unit_id)
         WHERE meter_epochs.meter_id = meters.meter_id
           AND unit = $1
           AND meter = $2
           AND starts_at = $3
           AND (reason <> 'installed' OR starts_at <> installed_at)
        """,
    "contacts": "DELETE FROM contacts WHERE region = $1 AND email = $2",
    "limits": "DELETE FROM limits WHERE product = $1 AND edition = $2 AND valid_from = $3",
    "figures": """
        DELETE FROM region_figures
         WHERE region = $1
           AND year = $2
           AND through_month = $3
        """,
    "targets": """
        DELETE FROM region_targets
         WHERE region = $1
           AND year = $2
           AND year + years - 1 = $3
           AND indicator = $4
           AND kind = $5
        """,
    "factors": """
        DELETE FROM factors
         WHERE carrier = $1
           AND basis = $2
           AND unit_id IS NOT DISTINCT FROM (SELECT unit_id FROM units WHERE unit = $3)
           AND valid_from = $4
        """,
    "calorific_values": """
        DELETE FROM calorific_values
         WHERE unit_id = (SELECT unit_id FROM units WHERE unit = $1)
           AND carrier = $2
           AND batch = $3
        """,
    "production": """
        DELETE FROM production
         WHERE unit_id = (SELECT unit_id FROM units WHERE unit = $1)
           AND product = $2
           AND starts_at = $3
        """,
    "capacities": """
        DELETE FROM capacities
         WHERE unit_id = (SELECT unit_id FROM units WHERE unit = $1)
           AND product = $2
           AND valid_from = $3
        """,
    "verifications": """
        DELETE FROM verifications
         USING meters
          JOIN units USING (unit_id)
         WHERE verifications.meter_id = meters.meter_id
           AND unit = $1
           AND meter = $2
           AND verified_on = $3
        """,
    "value_limits": """
        DELETE FROM value_limits
         USING meters
          JOIN units USING (unit_id)
         WHERE value_limits.meter_id = meters.meter_id
           AND unit = $1
           AND meter = $2
        """,
    "monthly_filings": """
        DELETE FROM monthly_filings
         WHERE unit_id = (SELECT unit_id FROM units WHERE unit = $1)
           AND carrier = $2
           AND to_char(month, 'YYYY-MM') = $3
        """,
    "parks": """
        WITH emptied AS (
            DELETE FROM park_units WHERE park = $1
        )
        DELETE FROM parks
         WHERE park = $1
        """,
    "budgets": """
        DELETE FROM energy_budgets
         WHERE owner_kind = $1
           AND owner = $2
           AND starts_on = $3
           AND ends_on = $4
        """,
    "schemes": "DELETE FROM scheme_choices WHERE region = $1 AND indicator = $2",
    "carbon_factors": """
        DELETE FROM carbon_factors
         WHERE carrier = $1
           AND grid IS NOT DISTINCT FROM $2
           AND valid_from = $3
        """,
    "grids": "DELETE FROM grid_choices WHERE region = $1 AND valid_from = $2",
    "stocks": """
        DELETE FROM stocks
         WHERE unit_id = (SELECT unit_id FROM units WHERE unit = $1)
           AND carrier = $2
           AND counted_on = $3
        """,
    "trades": """
        DELETE FROM trades
         WHERE unit_id = (SELECT unit_id FROM units WHERE unit = $1)
           AND carrier = $2
           AND starts_on = $3
        """,
    "projects": "DELETE FROM projects WHERE project = $1",
    "certificates": "DELETE FROM certificates WHERE certificate = $1",
    "non_fossil": "DELETE FROM non_fossil WHERE region = $1 AND year = $2 AND energy_type = $3",
    "two_high": "DELETE FROM two_high_projects WHERE project = $1",
}
"""One statement for each kind of fact; its parameters are what tells the fact from others."""


async def delete(connection: Connection, noun: str, key: Sequence[object]) -> None:
    """Delete the one row of a kind with this key. Raises StillNeededError if others refer to it."""
    try:
        status = await connection.execute(DELETIONS[noun], *key)
    except ForeignKeyViolationError as error:
        raise StillNeededError(f"is referred to by {error.table_name}") from error
    assert status == "DELETE 1", f"{status} of {noun} {key}"


async def list_holding(connection: Connection, noun: str) -> list[str]:
    """Return the subjects of which something was stated and not withdrawn."""
    rows = await connection.fetch(
        """
        SELECT subject
          FROM (SELECT DISTINCT ON (subject) subject, content IS NOT NULL AS holds
                  FROM changes
                 WHERE noun = $1
                 ORDER BY subject, change_id DESC) AS newest
         WHERE holds
         ORDER BY subject
        """,
        noun,
    )
    return [row["subject"] for row in rows]
