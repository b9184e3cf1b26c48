"""Energy per 10,000 yuan of the newest months whose value is stated, against limit or last year."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

import db.rules
from alerts import backtest, rules
from alerts.kinds.kind import Surroundings, UnitName
from alerts.kinds.value_intensity import facts, verdict
from alerts.kinds.value_intensity.facts import Used, ValueFacts
from alerts.kinds.value_intensity.parameters import Per, Period, ValueIntensity
from alerts.verdicts import State, Verdict
from db.production import ProductionRow
from db.scope import Scope
from energy.factors import Basis
from energy.periods import LOCAL, Span
from tests.alerts.conftest import FLOOR, NOW, Works
from tests.alerts.test_verdicts import ENERGY, OUTPUT

MONTH = ValueIntensity(period=Period.MONTH, limit_tce=0.5)


def start(month: int, year: int = 2026) -> datetime:
    return datetime(year + month // 13, (month - 1) % 12 + 1, 1, tzinfo=LOCAL).astimezone(UTC)


OCTOBER = Span(start(10), start(11))
USED = Used(OCTOBER, 600.0, (600.0, 600.0), 10_000_000.0, 1.0, 0.0)
FOUND = ValueFacts(
    UnitName(1, ENERGY.unit, "水泥厂"), "450202", Per.OUTPUT_VALUE, Basis.CALORIFIC, USED, None
)


def judge(used: Used, before: Used | None = None, rule: ValueIntensity = MONTH) -> Verdict:
    return verdict.unit(replace(FOUND, used=used, before=before), rule, FLOOR)


def test_more_per_10_000_yuan_than_the_limit_is_over_and_at_it_is_not() -> None:
    found = judge(USED)
    assert (found.state, found.measured, found.threshold) == (State.FIRING, 0.6, 0.5)
    assert judge(replace(USED, energy_tce=500.0, energy_bounds=(500.0, 500.0))).state is State.OK


@pytest.mark.parametrize(
    ("change", "state"), [(0.0, State.OK), (-0.03, State.FIRING), (0.03, State.OK)]
)
def test_the_year_before_is_what_it_is_held_against_where_no_limit_is_stated(
    change: float, state: State
) -> None:
    rule = ValueIntensity(required_change=change)
    found = judge(USED, replace(USED, energy_tce=605.0), rule)
    assert found.state is state
    assert found.threshold == pytest.approx(0.605 * (1 + change))


@pytest.mark.parametrize(
    ("used", "reason"),
    [
        (replace(USED, value_cny=None), "the output value is not stated for all of it"),
        (replace(USED, value_cny=0.0), "not above zero"),
        (replace(USED, energy_tce=None), "there is no energy"),
        (replace(USED, silent=["E01"]), "no data from E01"),
        (replace(USED, held=["E01"]), "waits for review: E01"),
        (replace(USED, without_factor=["natural_gas"]), "factor for natural_gas"),
        (replace(USED, coverage=0.5), "coverage 50.0% is below"),
        (replace(USED, energy_tce=480.0, energy_bounds=(480.0, 520.0)), "between 0.48 and 0.52"),
    ],
)
def test_what_is_missing_makes_it_unknown(used: Used, reason: str) -> None:
    found = judge(used)
    assert (found.state, found.level) == (State.UNKNOWN, None)
    assert reason in found.reason


def test_a_year_before_that_is_not_known_is_nothing_to_hold_it_against() -> None:
    found = judge(USED, replace(USED, value_cny=None), ValueIntensity())
    assert (found.state, found.threshold) == (State.UNKNOWN, None)
    assert found.reason.startswith("of the year before: the output value is not stated")


def stated(product: str, month: int, value: float | None) -> ProductionRow:
    return ProductionRow(
        ENERGY.unit, product, start(month), start(month + 1), 1.0, "t", value, None
    )


def test_the_energy_of_all_is_not_divided_by_the_value_of_some() -> None:
    uses = [replace(ENERGY, window=OCTOBER), replace(OUTPUT, window=OCTOBER)]
    for rows, value in (
        ([stated("clinker", 10, 5.0)], 5.0),
        ([stated("clinker", 10, 5.0), stated("lime", 3, 1.0)], None),
        ([stated("lime", 10, 1.0)], None),
        ([stated("all", 10, 9.0)], 9.0),
        ([stated("clinker", 10, None)], None),
    ):
        (found,) = next(facts.units(uses, rows, MONTH, NOW))
        assert found.used.value_cny == value


async def month(works: Works, number: int, tce: float, value_cny: float | None) -> None:
    at = start(number)
    await works.settled(works.energy_id, at, 4 * 24 * 31, tce=tce, step="month")
    if value_cny is not None:
        await works.pool.execute(
            """
            INSERT INTO production (unit_id, product, starts_at, ends_at, output_value_cny)
            VALUES ($1, 'all', $2, $3, $4)
            """,
            works.unit_id,
            at,
            start(number + 1),
            value_cny,
        )


async def rule(works: Works, parameters: str, kind: str = "value_intensity") -> int:
    """Make a rule beside those that ship, as if it had been stated long ago; return its number."""
    number: int = await works.pool.fetchval(
        "INSERT INTO rules (kind, region) VALUES ($1, '450000') RETURNING rule_id", kind
    )
    await works.pool.execute(
        """
        INSERT INTO rule_versions
        VALUES ($1, 1, $2, $3, '2000-01-01', '2000-01-01', '', 'test')
        """,
        number,
        kind,
        parameters,
    )
    return number


async def test_the_newest_month_whose_value_is_stated_is_judged(works: Works) -> None:
    await rule(works, '{"period": "month", "limit_tce": 0.5}')
    await month(works, 9, 600.0, 10_000_000.0)
    await month(works, 10, 400.0, None)
    assert await works.evaluate() == 1
    assert await works.states() == ["firing"]
    subjects = [subject for _, subject in await works.letters()]
    assert subjects == ["【预警】水泥厂：2026年9月万元产值能耗 0.6 tce，超过限值 0.5 tce"]
    await works.pool.execute(
        "INSERT INTO production (unit_id, product, starts_at, ends_at, output_value_cny)"
        " VALUES ($1, 'all', $2, $3, 10000000)",
        works.unit_id,
        start(10),
        start(11),
    )
    assert await works.evaluate() == 1
    assert await works.states() == ["resolved"]


async def test_a_backtest_finds_a_month_once_it_is_over(works: Works) -> None:
    number = await rule(works, '{"limit_tce": 0.5, "remind_h": 0}')
    await month(works, 8, 400.0, 10_000_000.0)
    for each in range(1, 8):
        await month(works, each, 400.0, 10_000_000.0)
    await month(works, 9, 3_000.0, 10_000_000.0)
    async with works.pool.acquire() as connection, connection.transaction(readonly=True):
        row = await db.rules.fetch_newest(connection, number)
        assert row is not None
        around, span = Surroundings(NOW, FLOOR, "", {}), Span(start(9), start(11))
        found = await backtest.run(connection, rules.parse(row), Scope("45"), span, around)
    (move,) = found.moves
    assert move.transition.at == start(10)
    assert move.judged.verdict.measured == pytest.approx(6_200 / 9_000)
