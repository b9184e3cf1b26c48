"""Parameters of rules are checked at the border."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from alerts import rules
from alerts.kinds.kind import Kind
from alerts.kinds.product_intensity.parameters import Against, ProductIntensity
from alerts.kinds.region_level.parameters import RegionLevel
from alerts.kinds.registry import KINDS
from db.pool import Connection
from db.rules import RuleRow, list_holding
from energy.factors import Basis
from tests.alerts.conftest import NOW


def row(parameters: str, kind: str = "product_intensity") -> RuleRow:
    return RuleRow(1, kind, "450000", 1, "rule", parameters)


def test_what_a_rule_does_not_say_has_a_default() -> None:
    found = rules.parse(row("{}")).parameters
    assert found == ProductIntensity(
        window_h=1, for_h=0, clear_ratio=0.98, basis=Basis.CALORIFIC, against=Against.LIMIT
    )


@pytest.mark.parametrize(
    "parameters",
    [
        '{"window_h": 0}',
        '{"window_h": 745}',
        '{"window_h": "1"}',
        '{"window_h": 1.5}',
        '{"for_h": -1}',
        '{"clear_ratio": 0}',
        '{"clear_ratio": 1.01}',
        '{"basis": "gross"}',
        '{"against": "best"}',
        '{"window": "week"}',
        '{"shifts": []}',
        '{"shifts": [{"valid_from": "2026-01-01", "starts_h": [8, 0]}]}',
        '{"shifts": [{"valid_from": "2026-01-01", "starts_h": [24]}]}',
        '{"window": 1}',
        "[]",
    ],
)
def test_what_a_rule_must_not_say_is_refused(parameters: str) -> None:
    with pytest.raises(ValidationError):
        rules.parse(row(parameters))


async def test_every_platform_begins_with_two_rules(connection: Connection) -> None:
    found = [rules.parse(stored).parameters for stored in await list_holding(connection, NOW)]
    assert found == [ProductIntensity(), RegionLevel()]


def test_every_kind_has_its_definition() -> None:
    assert {kind: definition.parameters.kind for kind, definition in KINDS.items()} == {
        kind: kind for kind in Kind
    }


async def test_a_kind_of_a_newer_program_watches_nobody_here(connection: Connection) -> None:
    with pytest.raises(ValueError, match="of_tomorrow"):
        rules.parse(row("{}", kind="of_tomorrow"))
    await connection.execute("INSERT INTO rules (kind, region) VALUES ('of_tomorrow', '450000')")
