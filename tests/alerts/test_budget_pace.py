"""Energy budgets: a band that lies before the end, and a pace ahead of time; unknown is not OK."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

import db.rules
from alerts import backtest, letter, rules
from alerts.kinds.budget_pace import charges, facts, verdict
from alerts.kinds.budget_pace.facts import BudgetFacts
from alerts.kinds.budget_pace.parameters import BudgetPace, Edge, Watches
from alerts.kinds.kind import Surroundings
from alerts.kinds.words import Language
from alerts.lifecycle import Reason
from alerts.verdicts import State, Verdict
from db.budgets import AlikeMeters, BudgetRow, DaySum, RunningBudget
from db.scope import Scope
from energy.budgets import Obstacle, OwnerKind
from energy.factors import Basis
from energy.periods import LOCAL, Span
from energy.registers import Kind
from tests.alerts import occasions
from tests.alerts.conftest import FLOOR, NOW, Works
from tests.alerts.test_value_intensity import rule

STARTS_ON, ENDS_ON = date(2026, 1, 1), date(2027, 1, 1)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
METERS = [AlikeMeters(1, Kind.INTERVAL, 900, LONG_AGO, None, 1)]


def day(on: date, tce: float = 5.0, **changes: object) -> DaySum:
    made = DaySum(1, charges.instant(on), tce, 0.0, tce, 96, False, [])
    return replace(made, **changes)  # type: ignore[arg-type]  # what a test changes


DAYS = [day(STARTS_ON + timedelta(days=n), 5.0 + n % 3 / 2) for n in range(326)]
"""Until 22 November, 5.5 tce a day: 2,007 in the year, with a band."""


def found(amount_tce: float, days: list[DaySum] = DAYS, *, pace: bool = False) -> BudgetFacts:
    row = BudgetRow(
        OwnerKind.UNIT, "91450200MA0000001X", STARTS_ON, ENDS_ON, amount_tce, Basis.CALORIFIC, "s"
    )
    standing = charges.standings({1: row}, days, METERS, NOW, coverage_floor=FLOOR)[1]
    running = RunningBudget(1, row, "水泥厂", 1, ["450202"], 7)
    return facts.budget(running, standing, Watches.PACE if pace else Watches.RUN_OUT)


def judge(amount_tce: float, days: list[DaySum] = DAYS, **parameters: object) -> Verdict:
    stated = BudgetPace.model_validate(parameters)
    made = verdict.budget(found(amount_tce, days, pace=stated.watches is Watches.PACE), stated)
    assert made is not None
    return made


def test_a_budget_fires_where_all_of_its_band_lies_before_the_end() -> None:
    over, straddling, fine = judge(1950.0), judge(2007.0), judge(2100.0)
    assert (over.state, over.level) == (State.FIRING, 1)
    assert (straddling.state, fine.state) == (State.OK, State.OK)
    assert over.reason.startswith("it runs out on 2026-12-2")


@pytest.mark.parametrize(
    ("edge", "state"), [(Edge.LATEST, State.OK), (Edge.EARLIEST, State.FIRING)]
)
def test_the_earliest_day_of_the_band_may_be_what_counts(edge: Edge, state: State) -> None:
    assert judge(2007.0, edge=edge).state is state


@pytest.mark.parametrize(("days_before", "state"), [(5, State.FIRING), (15, State.OK)])
def test_so_many_days_before_the_end_are_asked_for(days_before: int, state: State) -> None:
    assert judge(1950.0, days_before=days_before).state is state


def test_a_budget_that_is_used_up_is_so_even_if_much_is_missing() -> None:
    thin = [replace(each, readings_present=10) for each in DAYS]
    assert judge(1500.0, thin).state is State.FIRING
    assert judge(1950.0, thin).state is State.UNKNOWN


@pytest.mark.parametrize(
    "change", [{"held": True}, {"left_out": ["natural_gas"]}, {"readings_present": 10}]
)
def test_there_is_no_verdict_on_figures_that_lack_something(change: dict[str, object]) -> None:
    days = [replace(each, **change) for each in DAYS]  # type: ignore[arg-type]  # one of its fields
    unknown = judge(1950.0, days)
    assert (unknown.state, unknown.measured, unknown.level) == (State.UNKNOWN, None, None)
    assert judge(1950.0, days, watches=Watches.PACE, pace_tolerance=0.1).state is State.UNKNOWN


@pytest.mark.parametrize(
    ("tolerance", "state", "level"), [(0.01, State.FIRING, 2), (0.05, State.OK, None)]
)
def test_a_pace_may_be_ahead_of_time_by_its_tolerance(
    tolerance: float, state: State, level: int | None
) -> None:
    """326 of 365 days are 89.3 %; 1,792.5 of 1,950 tce are 91.9 %."""
    made = judge(1950.0, watches=Watches.PACE, pace_tolerance=tolerance)
    assert (made.state, made.level) == (state, level)
    assert made.measured == pytest.approx(91.9, abs=0.05)


def subject(reason: Reason, amount_tce: float, stated: BudgetPace) -> str:
    """Return what a Chinese letter is about."""
    made = found(amount_tce, pace=stated.watches is Watches.PACE)
    judged = verdict.budget(made, stated)
    assert judged is not None
    occasion = replace(occasions.budget(reason, made), verdict=judged)
    return letter.compose(occasion, Language.ZH).subject


def test_a_budget_that_only_the_edge_of_its_band_runs_out_names_the_day_of_that_edge() -> None:
    said = subject(Reason.FIRST, 2008.5, BudgetPace(edge=Edge.EARLIEST))
    assert said.endswith("预计最早2026年12月31日用完，早于期末")


def test_a_pace_that_is_in_order_again_says_what_is_allowed() -> None:
    said = subject(Reason.RESOLVED, 1950.0, BudgetPace(watches=Watches.PACE))
    assert said.endswith("已用 91.9%，在允许进度 94.3% 以内")


def test_a_budget_of_which_no_day_is_over_has_no_verdict() -> None:
    standing = replace(found(1950.0).standing, through_on=None, obstacle=Obstacle.NOT_STARTED)
    assert verdict.budget(replace(found(1950.0), standing=standing), BudgetPace()) is None


async def budget(works: Works, kind: str, owner: str, amount_tce: float) -> None:
    await works.pool.execute(
        """
        INSERT INTO energy_budgets (owner_kind, owner, starts_on, ends_on, amount_tce, basis,
                                    source)
        VALUES ($1, $2, $3, $4, $5, 'calorific', 'test')
        """,
        kind,
        owner,
        STARTS_ON,
        ENDS_ON,
        amount_tce,
    )


async def use(works: Works) -> None:
    """Use 7 tce a day since New Year."""
    await works.pool.execute(
        """
        INSERT INTO unit_consumption
        SELECT $1, 'electricity', 'day', day, 50000, 0, 96, false, 7, 99
          FROM generate_series('2026-01-01 00:00+08'::timestamptz, '2026-11-22 00:00+08',
                               '1 day') AS day
        """,
        works.unit_id,
    )


async def test_budgets_of_units_and_cities_are_written_about_to_their_regions(
    works: Works,
) -> None:
    await rule(works, "{}", kind="budget_pace")
    await use(works)
    unit = await works.pool.fetchval("SELECT unit FROM units")
    await budget(works, "unit", unit, 2400)
    await budget(works, "city", "450200", 2500)
    await budget(works, "park", "nobody", 1)
    assert await works.evaluate() == 2
    rows = await works.pool.fetch("SELECT region, unit_id FROM alerts ORDER BY region")
    assert [tuple(row) for row in rows] == [("450200", None), ("450202", works.unit_id)]
    await works.evaluate(now=NOW + timedelta(days=40))
    kept = "SELECT count(*) FROM judgements WHERE unit_id IS NULL AND ends_at < $1"
    assert await works.pool.fetchval(kept, NOW) == 0, "what nobody amends is not kept"
    told = [subject for _, subject in await works.letters()]
    assert told[0] == "【预警】水泥厂：2,400 tce 用能预算预计2026年12月9日用完，早于期末"


async def test_a_backtest_names_the_day_on_which_it_was_known(works: Works) -> None:
    number = await rule(works, '{"remind_h": 0}', kind="budget_pace")
    await use(works)
    await budget(works, "city", "450200", 2400)
    span = Span(datetime(2026, 1, 10, tzinfo=LOCAL), datetime(2026, 2, 10, tzinfo=LOCAL))
    async with works.pool.acquire() as connection, connection.transaction(readonly=True):
        row = await db.rules.fetch_newest(connection, number)
        assert row is not None
        around = Surroundings(NOW, FLOOR, "", {})
        made = await backtest.run(connection, rules.parse(row), Scope("45"), span, around)
    (move,) = made.moves
    assert move.transition.at == datetime(2026, 1, 15, tzinfo=LOCAL)
    assert made.subjects["city/450200/2026-01-01"][1].unknown == 4
