"""Owns the rule sets of assessments as they are stored."""

from __future__ import annotations

from db.pool import Connection
from energy.certificates import EnergyType
from energy.rulesets import Extent, Measure, RuleSet

LIST_SEPARATOR = ";"


async def list_rule_sets(connection: Connection) -> list[RuleSet]:
    rows = await connection.fetch(
        """
        SELECT rule_set, name_zh, name_en, documents, in_force_from, in_force_to, first_year,
               last_year, feedstock_from, electricity_from, extent, energy_types,
               increment_base_year, across_share_max, period_first_year, period_years, source
          FROM rule_sets
         ORDER BY in_force_from, rule_set
        """
    )
    return [
        RuleSet(
            **{
                **row,
                "documents": tuple(row["documents"].split(LIST_SEPARATOR)),
                "feedstock_from": frozenset(map(Measure, _listed(row["feedstock_from"]))),
                "electricity_from": frozenset(map(Measure, _listed(row["electricity_from"]))),
                "extent": Extent(row["extent"]),
                "energy_types": frozenset(map(EnergyType, _listed(row["energy_types"]))),
            }
        )
        for row in rows
    ]


def _listed(text: str) -> list[str]:
    return [part for part in text.split(LIST_SEPARATOR) if part]
