"""Owns reading a rule as it is stored. What it may say is for its kind (`alerts/kinds/`)."""

from __future__ import annotations

from dataclasses import replace

from alerts.kinds.kind import Kind, Rule
from alerts.kinds.registry import KINDS
from db.rules import RuleRow


def parse(row: RuleRow) -> Rule:
    """Return the rule in `row`. Raises ValueError, also for a kind that is not known here."""
    parameters = KINDS[Kind(row.kind)].parameters.model_validate_json(row.parameters)
    return Rule(row.rule_id, row.name, parameters, row.region, row.version)


def proposed(row: RuleRow, parameters: str | None) -> RuleRow:
    """Return the rule with what somebody proposes in place of its `parameters`; None: as it is."""
    return row if parameters is None else replace(row, parameters=parameters)
