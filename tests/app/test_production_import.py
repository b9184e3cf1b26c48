"""Production and capacities from files: whole days that are over, nothing twice, both kept."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

import db.changes
from app.imports import production
from app.imports.kinds import Kind
from tests import factories
from tests.app.test_importing import LIMIT, Desk, desk

__all__ = ["desk"]

UNIT = factories.unit_code()
MONTH = {
    "unit": UNIT,
    "product": "cement_clinker",
    "from": "2026-10-01",
    "to": "2026-11-01",
    "quantity": "51000",
    "uom": "吨",
    "output_value_cny": "36500000",
    "value_added_cny": "",
}
CAPACITY = {
    "unit": UNIT,
    "product": "cement_clinker",
    "capacity": "155",
    "uom": "万t",
    "valid_from": "2020-01-01",
    "source": "test",
}


@pytest.fixture
async def works(desk: Desk) -> Desk:
    await factories.unit(desk.connection)
    return desk


async def test_a_changed_figure_is_noted_and_both_are_in_the_ledger(works: Desk) -> None:
    await works.take(Kind.PRODUCTION, MONTH)
    plan = await works.take(Kind.PRODUCTION, {**MONTH, "quantity": "52000"})
    assert [note.text for note in plan.notes] == [
        "restates a figure that was stated before; the ledger keeps both"
    ]
    first, second = await db.changes.list_history(
        works.connection, "production", f"{UNIT}/cement_clinker/2026-10-01T00:00:00+08:00"
    )
    assert first.fact.content is not None
    assert second.fact.content is not None
    assert (first.fact.content["quantity"], second.fact.content["quantity"]) == (51_000, 52_000)
    assert first.fact.content["uom"] == "t"


async def test_a_product_that_is_mistyped_is_refused_with_what_it_may_be(works: Desk) -> None:
    assert await works.problem(Kind.PRODUCTION, {**MONTH, "product": "crude_steal"}) == (
        "product",
        "is no known product; is it 'crude_steel'?",
    )


@pytest.mark.parametrize("product", ["gizmo", "crude_steel_2"])
async def test_a_product_without_a_name_is_taken_and_noted(works: Desk, product: str) -> None:
    plan = await works.take(Kind.PRODUCTION, {**MONTH, "product": product})
    assert [(note.column, note.text) for note in plan.notes] == [("product", production.NAMELESS)]


async def test_the_same_file_again_changes_nothing(works: Desk) -> None:
    await works.take(Kind.PRODUCTION, MONTH)
    plan = await works.plan(Kind.PRODUCTION, MONTH)
    assert (plan.unchanged, plan.new, plan.changed) == (1, [], [])


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ({"unit": factories.unit_code(9)}, "unit", "is not registered"),
        ({"from": "2026-10-01T08:00:00+08:00"}, "from", "00:00 in Asia/Shanghai"),
        ({"to": "2027-11-01"}, "from", "a year at most"),
        ({"from": "2099-10-01", "to": "2099-11-01"}, "to", "is in the future"),
        ({"to": "2026-10-01"}, "to", "must be after from"),
        ({"uom": ""}, "uom", "required beside a quantity"),
        ({"uom": "m2"}, "uom", "does not lead to t"),
        ({"quantity": "-1"}, "quantity", "greater than or equal to 0"),
        ({"quantity": "", "output_value_cny": ""}, "quantity", "at least one of"),
        ({"product": "all"}, "quantity", "the unit as a whole"),
    ],
)
async def test_a_row_that_cannot_be_is_named(
    works: Desk, row: Mapping[str, str], column: str, reason: str
) -> None:
    problems = (await works.plan(Kind.PRODUCTION, {**MONTH, **row})).problems
    assert (column, True) in {(each.column, reason in each.reason) for each in problems}


async def test_two_rows_or_a_row_and_what_is_stored_never_share_a_day(works: Desk) -> None:
    week = {**MONTH, "from": "2026-10-20", "to": "2026-10-27"}
    within = await works.plan(Kind.PRODUCTION, MONTH, week)
    assert "would count twice" in within.problems[0].reason
    await works.take(Kind.PRODUCTION, MONTH)
    assert (await works.problem(Kind.PRODUCTION, week))[0] == "from"


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ({"uom": "m2"}, "uom", "is counted in t"),
        ({"product": "unobtainium"}, "product", "is not a named product"),
        ({"capacity": "-1"}, "capacity", "greater than or equal to 0"),
        ({"unit": factories.unit_code(9)}, "unit", "is not registered"),
    ],
)
async def test_a_capacity_that_cannot_be_is_named(
    works: Desk, row: Mapping[str, str], column: str, reason: str
) -> None:
    found_column, found_reason = await works.problem(Kind.CAPACITIES, {**CAPACITY, **row})
    assert (found_column, reason in found_reason) == (column, True)


async def test_a_limit_in_an_unknown_unit_is_refused_with_the_known_ones(desk: Desk) -> None:
    column, reason = await desk.problem(Kind.LIMITS, {**LIMIT, "uom": "kgce/dozen"})
    assert column == "uom"
    assert "known are PUE and kgce, tce, kgoe, kWh per" in reason


async def test_a_limit_is_kept_in_the_one_spelling_of_its_unit(desk: Desk) -> None:
    row = {**LIMIT, "uom": "千克标准煤/重量箱", "verified": "false", "exclusive": "true"}
    plan = await desk.plan(Kind.LIMITS, row)
    assert plan.new[0].fields["uom"] == ("", "kgce/weight_case")
    assert plan.new[0].fields["verified"] == ("", "False")


async def test_the_limits_of_the_simulator_are_taken_beside_the_reference(desk: Desk) -> None:
    row = {**LIMIT, "edition": "2023", "valid_from": "2024-01-01"}
    plan = await desk.plan(Kind.LIMITS, row)
    assert (plan.problems, len(plan.new)) == ([], 1)
