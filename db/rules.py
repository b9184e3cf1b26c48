"""Owns the alert rules as they are stored."""

from __future__ import annotations

from dataclasses import dataclass

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class RuleRow:
    """`parameters` is a JSON object whose names depend on `kind`."""

    rule_id: int
    kind: str
    name: str
    parameters: str


async def list_enabled(connection: Connection) -> list[RuleRow]:
    rows = await connection.fetch(
        """
        SELECT rule_id, kind, name, parameters::text AS parameters
          FROM rules
         WHERE enabled
         ORDER BY rule_id
        """
    )
    return [RuleRow(**row) for row in rows]
