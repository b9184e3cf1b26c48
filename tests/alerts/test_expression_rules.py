"""An expression rule says of its facts what it says, and nothing where one of them is missing."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from alerts.kinds.expression import facts, verdict, watch
from alerts.kinds.expression.facts import ExpressionFacts
from alerts.kinds.expression.parameters import NAMES, ExpressionRule, Whose
from alerts.kinds.expression.words import LABEL_EN, LABEL_ZH
from alerts.kinds.kind import Judged, Rule, Surroundings
from alerts.verdicts import State, Verdict
from db.pool import Connection
from db.unit_windows import UnitWindow
from energy.factors import Basis
from energy.periods import Span
from tests import factories
from tests.alerts.conftest import FLOOR, HOUR, LAST_HOUR, NOW, Works

WINDOW = Span(LAST_HOUR, LAST_HOUR + HOUR)
NOBODY: Set[str] = frozenset()
ROW = UnitWindow(
    unit_id=1, unit=factories.unit_code(), unit_name="水泥厂", region="450202", annual_tce=9000.0,
    energy_tce=12.0, quantity=1000.0, estimated_tce=3.0, absolute_tce=12.0, due=4, present=4,
    held=False, silent=[], left_out=[],
)  # fmt: skip


def unit(row: UnitWindow, text: str, before: UnitWindow | None = None) -> ExpressionFacts:
    then = {} if before is None else {before.unit_id: before}
    (found,) = facts.of_units([row], then, {row.unit: 0.8}, WINDOW, text, Basis.CALORIFIC)
    return found


def said(text: str, row: UnitWindow = ROW, before: UnitWindow | None = None) -> Verdict:
    carrier = "electricity" if "quantity" in text else None
    rule = ExpressionRule(of=Whose.UNIT, expression=text, carrier=carrier)
    return verdict.judge(unit(row, text, before), rule, FLOOR)


def test_it_fires_while_it_holds_and_shows_both_sides_of_its_comparison() -> None:
    found = said("energy_tce > 10")
    assert (found.state, found.measured, found.threshold, found.level) == (
        State.FIRING, 12.0, 10.0, 3,
    )  # fmt: skip
    assert (found.coverage, found.estimated_share) == (1.0, 0.25)
    assert said("energy_tce > 12").state is State.OK
    assert said("annual_tce / 8760 < energy_tce and quantity == 1000 and index < 0.9").state is (
        State.FIRING
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (replace(ROW, silent=["E02"]), "not known: energy_tce (no data from E02)"),
        (replace(ROW, held=True), "not known: energy_tce (a register step waits for review)"),
        (
            replace(ROW, left_out=["raw_coal"]),
            "not known: energy_tce (no coal equivalent factor for raw_coal)",
        ),
        (replace(ROW, energy_tce=None), "not known: energy_tce"),
        (replace(ROW, present=2), "coverage 50.0% is below 75.0%"),
        (replace(ROW, energy_tce=9.0, present=3), "it depends on readings that are missing"),
    ],
)
def test_what_is_missing_makes_it_unknown_and_is_named(row: UnitWindow, reason: str) -> None:
    found = said("energy_tce > 10", row)
    assert (found.state, found.reason) == (State.UNKNOWN, reason)


def test_missing_readings_that_could_not_turn_it_over_leave_it_as_it_is() -> None:
    assert said("energy_tce > 10", replace(ROW, present=3)).state is State.FIRING
    assert said("energy_tce > 10", replace(ROW, energy_tce=7.0, present=3)).state is State.OK


def test_who_watches_the_coverage_is_told_of_it_below_the_floor() -> None:
    assert said("coverage < 0.6", replace(ROW, present=2)).state is State.FIRING


def test_growth_is_against_the_same_window_a_year_before_if_all_of_that_is_there() -> None:
    before = replace(ROW, energy_tce=10.0)
    assert said("growth > 0.19", before=before).measured == pytest.approx(0.2)
    assert said("growth > 0.19").state is State.UNKNOWN
    assert said("growth > 0.19", before=replace(before, present=3)).state is State.UNKNOWN


@pytest.mark.parametrize(
    ("of", "text", "says"),
    [
        ("region", "intensity > 1", "intensity is no fact here; there are energy_growth"),
        ("unit", "energy_tce + 1", "is a number, and a rule asks whether something holds"),
        ("unit", "quantity > 1", "quantity is that of one carrier: say which (carrier)"),
        ("unit", "energy_tce > 9**9**9", "** is not part of it"),
    ],
)
def test_what_it_cannot_say_is_refused_when_it_is_stated(of: str, text: str, says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        ExpressionRule.model_validate({"of": of, "expression": text})
    assert says in str(refused.value)


def test_every_fact_that_may_be_named_has_its_words() -> None:
    named = frozenset().union(*NAMES.values())
    assert LABEL_ZH.keys() == named
    assert LABEL_EN.keys() == named


async def judge(works: Works, now: datetime = NOW, **parameters: Any) -> list[Judged]:
    rule = Rule(7, "rule", ExpressionRule.model_validate(parameters), "450000")
    async with works.pool.acquire() as connection:
        return await watch.judge(connection, rule, Surroundings(now, FLOOR, "", {}), NOBODY)


async def test_a_product_is_judged_by_its_meters_and_its_limit(works: Works) -> None:
    await works.made(120)
    asked: dict[str, Any] = {"of": "product", "window_h": 1}
    (over,) = await judge(works, expression="intensity > baseline and output >= 100", **asked)
    assert (over.verdict.state, over.verdict.measured) == (State.FIRING, 120.0)
    assert over.watched.subject == f"{factories.unit_code()}/clinker"
    (unknown,) = await judge(works, expression="intensity > limit", **asked)
    assert unknown.verdict.reason == "not known: limit"
    await works.settled(works.output_id, LAST_HOUR, 0)
    (silent,) = await judge(works, expression="intensity > baseline", **asked)
    assert silent.verdict.state is State.UNKNOWN


async def put_unit_hour(works: Works, starts_at: datetime, tce: float, present: int) -> None:
    await works.pool.execute(
        """
        INSERT INTO unit_consumption (unit_id, carrier, step, starts_at, quantity,
                                      estimated_quantity, readings_present, held, calorific_tce,
                                      equivalent_tce)
        VALUES ($1, 'electricity', 'hour', $2, 1000, 0, $3, false, $4, $4)
        """,
        works.unit_id,
        starts_at,
        present,
        tce,
    )


@pytest.mark.tampers("sums of units without their meters")
async def test_a_unit_is_judged_by_its_newest_window_that_can_be_told(works: Works) -> None:
    for starts_at, tce, present in ((LAST_HOUR - HOUR, 12.0, 4), (LAST_HOUR, 3.0, 1)):
        await put_unit_hour(works, starts_at, tce, present)
        await works.settled(works.energy_id, starts_at, present, tce=tce)
    asked: dict[str, Any] = {"of": "unit", "window_h": 1, "carrier": "electricity"}
    (found,) = await judge(works, expression="energy_tce > 10 and quantity > 1", **asked)
    assert (found.verdict.state, found.verdict.period.ends_at) == (State.FIRING, LAST_HOUR)
    (silent,) = await judge(works, now=NOW + 5 * HOUR, expression="quantity > 1", **asked)
    assert "no data from E01" in silent.verdict.reason


async def test_a_region_is_judged_by_its_published_figures(connection: Connection) -> None:
    await connection.execute(
        "INSERT INTO region_figures VALUES ('450200', 2026, 10, 0.07, 0.06, 'test'), "
        "('450100', 2026, 10, NULL, 0.06, 'test')"
    )
    rule = ExpressionRule.model_validate({"of": "region", "expression": "rate > 0 and 1 > 0"})
    asked = Rule(7, "rule", rule, "450000")
    found = await watch.judge(connection, asked, Surroundings(NOW, FLOOR, "", {}), NOBODY)
    assert {each.watched.subject: each.verdict.state for each in found} == {
        "450200/2026": State.FIRING,
        "450100/2026": State.UNKNOWN,
    }
