"""Products against each value of a limit, in each of its units, over each kind of window."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

import db.rules
from alerts import backtest, rules
from alerts.kinds import windows
from alerts.kinds.kind import Surroundings
from alerts.kinds.product_intensity import facts, verdict
from alerts.kinds.product_intensity.facts import Reference
from alerts.kinds.product_intensity.parameters import Against, ProductIntensity, Window
from alerts.verdicts import State, Verdict
from db.limits import LimitRow
from db.products import Equivalent
from db.scope import Scope
from energy.factors import Unverified
from energy.periods import LOCAL, Span
from tests.alerts.conftest import FLOOR, HOUR, NOW, Works
from tests.alerts.test_verdicts import ENERGY, LIMIT, OUTPUT

OIL = Equivalent("kgoe", 1.4286, date(2015, 1, 1), "test", False)
ALL = LimitRow("clinker", "kgce/t", "2023", 117.0, 112.0, 100.0, 95.0, date(2024, 1, 1), "test")
EXPORT = replace(ENERGY, meter="X01", role="export", quantity=100.0, tce=1.0)
MIDNIGHT = datetime(2026, 11, 23, tzinfo=LOCAL).astimezone(UTC)


def judge(limit: LimitRow, uom: str = "t", against: Against = Against.LIMIT) -> Verdict:
    reference = Reference([limit], [OIL])
    output = replace(OUTPUT, uom=uom)
    rule = ProductIntensity(against=against)
    candidates = next(facts.products([ENERGY, EXPORT, output], reference, rule, NOW))
    found = verdict.newest(candidates, FLOOR)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("against", "threshold", "level"),
    [
        (Against.LIMIT, 117.0, None),
        (Against.BASELINE, 112.0, None),
        (Against.BENCHMARK, 100.0, 2),
        (Against.ADVANCED, 95.0, 3),
    ],
)
def test_whoever_misses_a_milder_value_has_a_milder_level(
    against: Against, threshold: float, level: int | None
) -> None:
    found = judge(ALL, against=against)  # 110 kgce/t
    assert (found.threshold, found.level) == (threshold, level)


@pytest.mark.parametrize(
    ("uom", "output_uom", "measured"),
    [
        ("kgce/t", "kg", 110_000.0),
        ("kgce/m2", "m2", 110.0),
        ("tce/1e4m2", "m2", 1100.0),
        ("kgce/weight_case", "1e4weight_case", 0.011),
        ("kWh/t", "t", 9.0),
        ("kgoe/t", "t", 110 / 1.4286),
        ("PUE", "kWh", 9.0),
    ],
)
def test_a_limit_is_judged_in_its_own_units(uom: str, output_uom: str, measured: float) -> None:
    found = judge(replace(LIMIT, uom=uom), output_uom)
    assert found.measured == pytest.approx(measured)
    assert found.uom == uom


@pytest.mark.parametrize(
    ("uom", "output_uom"), [("kgce/m2", "t"), ("tce/1e4CNY output value", "t")]
)
def test_a_limit_that_the_output_does_not_lead_to_is_not_judged(uom: str, output_uom: str) -> None:
    assert judge(replace(LIMIT, uom=uom), output_uom).state is State.UNKNOWN


def test_what_a_kgoe_is_worth_is_not_taken_unverified_where_that_is_refused() -> None:
    assert Reference([], [OIL]).oil(date(2026, 1, 1)) == OIL
    assert Reference([], [OIL], Unverified.REFUSE).oil(date(2026, 1, 1)) is None


@pytest.mark.parametrize(
    ("total", "exclusive", "state"),
    [(129.9, True, State.OK), (130.0, True, State.FIRING), (130.0, False, State.OK)],
)
def test_a_pue_must_be_below_a_limit_that_is_exclusive(
    total: float, exclusive: bool, state: State
) -> None:
    limit = replace(LIMIT, uom="PUE", limit=1.3, baseline=None, benchmark=1.3, exclusive=exclusive)
    energy, computers = replace(ENERGY, quantity=total, tce=None), replace(OUTPUT, uom="kWh")
    candidates = facts.products([energy, computers], Reference([limit]), ProductIntensity(), NOW)
    found = verdict.newest(next(candidates), FLOOR)
    assert found is not None
    assert found[1].state is state


def local(*spans: Span) -> list[str]:
    return [
        f"{each.starts_at.astimezone(LOCAL):%d %H}–{each.ends_at.astimezone(LOCAL):%d %H}"
        for each in spans
    ]


@pytest.mark.parametrize(
    ("parameters", "hours"),
    [
        ("{}", 1),
        ('{"window": "month_to_date"}', 24),
        ('{"window": "shift"}', 8),
        ('{"window": "shift", "shifts": [{"valid_from": "2026-01-01", "starts_h": [6, 20]}]}', 14),
    ],
)
def test_the_next_window_ends_so_much_later_at_most(parameters: str, hours: int) -> None:
    assert ProductIntensity.model_validate_json(parameters).stride == hours * HOUR


def test_shifts_of_new_times_begin_on_their_first_day() -> None:
    times = {date(2026, 1, 1): [0, 8, 16], date(2026, 11, 23): [7, 19]}
    assert local(*windows.shifts(MIDNIGHT, times)) == ["22 08–22 16", "22 00–22 08"]
    assert local(*windows.shifts(MIDNIGHT + timedelta(hours=7), times))[0] == "22 16–23 07"
    assert local(*windows.shifts(MIDNIGHT + timedelta(hours=31), times))[0] == "23 19–24 07"


def test_days_and_months_to_date_end_at_midnight_in_shanghai() -> None:
    assert local(*windows.days(MIDNIGHT)) == ["22 00–23 00", "21 00–22 00"]
    assert local(*windows.months_to_date(MIDNIGHT)) == ["01 00–23 00", "01 00–22 00"]
    first = datetime(2026, 12, 1, tzinfo=LOCAL)
    assert local(windows.months_to_date(first)[0]) == ["01 00–01 00"]


def test_a_letter_shows_the_windows_before_of_the_same_kind() -> None:
    day, shift = ProductIntensity(window=Window.DAY), ProductIntensity(window=Window.SHIFT)
    to_date = ProductIntensity(window=Window.MONTH_TO_DATE)
    assert local(*day.look_back(day.windows(MIDNIGHT)[0]))[-2:] == ["20 00–21 00", "21 00–22 00"]
    assert local(*shift.look_back(shift.windows(MIDNIGHT)[0]))[-1] == "22 08–22 16"
    back = to_date.look_back(to_date.windows(MIDNIGHT)[0])
    assert (len(back), local(back[0], back[-1])) == (23, ["01 00–31 00", "01 00–22 00"])


async def days(works: Works, *intensities: float) -> None:
    """Settle the days until yesterday at so many kgce/t."""
    for back, value in enumerate(reversed(intensities), start=1):
        at = MIDNIGHT - timedelta(days=back)
        await works.settled(works.energy_id, at, 96, tce=value * 0.1, step="day")
        await works.settled(works.output_id, at, 96, quantity=100.0, step="day")


async def test_a_letter_calls_a_product_by_its_name(works: Works) -> None:
    await works.pool.execute(
        "INSERT INTO products VALUES ('clinker', '水泥熟料', 'cement clinker', 't')"
    )
    await works.made(140.0)
    await works.evaluate()
    subjects = {row[0] for row in await works.pool.fetch("SELECT subject FROM outbox")}
    assert subjects
    assert all(("水泥熟料" in each) or ("cement clinker" in each) for each in subjects)
    assert any("水泥熟料" in each for each in subjects)


async def restate(works: Works, parameters: str) -> None:
    await works.pool.execute(
        "UPDATE rule_versions SET parameters = $1 WHERE rule_id = 1", parameters
    )


@pytest.mark.parametrize(
    ("window", "measured"), [("day", 140.0), ("month_to_date", 118.0), ("shift", 130.0)]
)
async def test_a_window_is_added_up_from_what_was_settled(
    works: Works, window: str, measured: float
) -> None:
    await days(works, *[117.0] * 21, 140.0)
    for hour in range(8):  # 08–16 in Shanghai: NOW is 16:05
        at = MIDNIGHT + timedelta(hours=8 + hour)
        await works.made(130.0, starts_at=at)
    await restate(works, f'{{"window": "{window}"}}')
    assert await works.evaluate() == 1
    found = await works.pool.fetchval("SELECT measured FROM alerts")
    assert found == pytest.approx(measured, abs=0.1)


async def test_a_backtest_of_days_goes_day_by_day(works: Works) -> None:
    await days(works, 100.0, 140.0, 141.0, 100.0)
    await restate(works, '{"window": "day"}')
    async with works.pool.acquire() as connection, connection.transaction(readonly=True):
        row = await db.rules.fetch_newest(connection, 1)
        assert row is not None
        rule, span = rules.parse(row), Span(MIDNIGHT - timedelta(days=4), MIDNIGHT)
        around = Surroundings(NOW, FLOOR, "", {})
        scope = backtest.reach(rule, Scope("45"))
        assert scope is not None
        found = await backtest.run(connection, rule, scope, span, around)
    moves = [(str(move.transition.reason), move.judged.verdict.measured) for move in found.moves]
    assert [(what, round(value or 0)) for what, value in moves] == [
        ("first", 140),
        ("reminder", 141),
        ("resolved", 100),
    ]
