"""Missing data never reads as good, and never accuses: in doubt a verdict is UNKNOWN."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from alerts.kinds import windows
from alerts.kinds.product_intensity import facts, verdict
from alerts.kinds.product_intensity.facts import Reference
from alerts.kinds.product_intensity.parameters import Against, ProductIntensity
from alerts.kinds.region_level import facts as region_facts
from alerts.kinds.region_level import verdict as region_verdict
from alerts.kinds.region_level.facts import Ladder, RegionFacts
from alerts.kinds.region_level.parameters import RegionLevel
from alerts.verdicts import State, Verdict
from db.facts import MeterUse
from db.figures import FigureRow
from db.limits import LimitRow
from energy import intervals
from energy.periods import Span
from energy.registers import Kind

NOW = datetime(2026, 11, 23, 8, 5, tzinfo=UTC)
WINDOW = Span(NOW.replace(minute=0) - timedelta(hours=1), NOW.replace(minute=0))
LIMIT = LimitRow("clinker", "kgce/t", "2023", None, 117.0, 100.0, None, date(2024, 1, 1), "test")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
ENERGY = MeterUse(
    unit_id=1,
    unit="91450200MA0000001X",
    unit_name="水泥厂",
    region="450202",
    meter="E01",
    role="boundary",
    product=None,
    carrier="electricity",
    uom="kWh",
    kind=Kind.INTERVAL,
    intervals=intervals.plain(900),
    installed_at=LONG_AGO,
    window=WINDOW,
    quantity=1000.0,
    estimated_quantity=250.0,
    readings_present=4,
    held=False,
    tce=12.0,
    lacks_factor=False,
)
OUTPUT = replace(
    ENERGY,
    meter="P01",
    role="output",
    product="clinker",
    carrier=None,
    uom="t",
    quantity=100.0,
    estimated_quantity=0.0,
    tce=None,
    lacks_factor=True,
)


def judge(
    *uses: MeterUse, limits: tuple[LimitRow, ...] = (LIMIT,), against: Against = Against.LIMIT
) -> Verdict:
    rule = ProductIntensity(against=against)
    found = verdict.newest(next(facts.products(uses, Reference(limits), rule, NOW)), 0.75)
    assert found is not None
    return found[1]


def test_energy_over_output_is_compared_with_the_baseline_where_there_is_no_limit() -> None:
    found = judge(ENERGY, OUTPUT)
    assert (found.state, found.measured, found.threshold) == (State.FIRING, 120.0, 117.0)
    assert (found.level, found.coverage, found.estimated_share) == (1, 1.0, 0.25)
    assert found.reason == "120 kgce/t, over the baseline of 117 (edition 2023)"


def test_a_mandatory_limit_comes_before_a_baseline() -> None:
    mandatory = replace(LIMIT, edition="GB 1", limit=125.0, baseline=None)
    found = judge(ENERGY, OUTPUT, limits=(LIMIT, mandatory))
    assert (found.state, found.threshold) == (State.OK, 125.0)
    assert judge(
        ENERGY, OUTPUT, limits=(LIMIT, mandatory), against=Against.BASELINE
    ).threshold == pytest.approx(117.0)


def test_a_limit_of_the_future_does_not_hold_and_a_newer_row_replaces_an_older() -> None:
    older = replace(LIMIT, baseline=130.0, valid_from=date(2021, 1, 1))
    later = replace(LIMIT, baseline=90.0, valid_from=date(2027, 1, 1))
    assert judge(ENERGY, OUTPUT, limits=(later, older, LIMIT)).threshold == 117.0
    candidates = next(facts.products([ENERGY, OUTPUT], Reference([later]), ProductIntensity(), NOW))
    assert verdict.newest(candidates, 0.75) is None


def test_a_limit_that_nobody_verified_is_no_silence_and_no_verdict() -> None:
    unchecked = replace(LIMIT, edition="GB 2", verified=False)
    found = judge(ENERGY, OUTPUT, limits=(unchecked,))
    assert (found.state, found.threshold) == (State.UNKNOWN, None)
    assert found.reason == (
        "the limit is not verified (edition GB 2): have it checked against its source and "
        "imported as verified"
    )
    newer = replace(LIMIT, baseline=90.0, verified=False, valid_from=date(2025, 1, 1))
    assert judge(ENERGY, OUTPUT, limits=(newer, LIMIT)).threshold == 117.0


@pytest.mark.parametrize(
    ("tce", "reason"),
    [
        (11.704, "117.04 kgce/t, over the baseline of 117 (edition 2023)"),
        (11.7000001, "117.000001 kgce/t, over the baseline of 117 (edition 2023)"),
        (11.696, "116.96 kgce/t, within the baseline of 117 (edition 2023)"),
        (1341.23, "13,412.3 kgce/t, over the baseline of 117 (edition 2023)"),
    ],
)
def test_a_reason_tells_what_is_over_from_its_threshold(tce: float, reason: str) -> None:
    assert judge(replace(ENERGY, tce=tce), OUTPUT).reason == reason


def test_at_the_limit_is_within_it() -> None:
    assert judge(replace(ENERGY, tce=11.7), OUTPUT).state is State.OK


def test_a_negative_limit_is_judged_like_any_other() -> None:
    converter = replace(LIMIT, baseline=-10.0, benchmark=-30.0)
    export = replace(ENERGY, meter="X01", role="export", tce=2.0)
    bought = replace(ENERGY, tce=0.5)
    assert judge(bought, OUTPUT, export, limits=(converter,)).measured == pytest.approx(-15.0)
    assert judge(bought, OUTPUT, export, limits=(converter,)).state is State.OK
    assert judge(ENERGY, OUTPUT, limits=(converter,)).state is State.FIRING


def test_output_is_converted_to_the_unit_of_the_limit() -> None:
    found = judge(ENERGY, replace(OUTPUT, uom="kg", quantity=100_000.0))
    assert found.measured == pytest.approx(120.0)


@pytest.mark.parametrize(
    ("uses", "reason"),
    [
        ((replace(ENERGY, tce=None, lacks_factor=True), OUTPUT), "no coal equivalent factor for"),
        ((replace(ENERGY, quantity=None, tce=None), OUTPUT), "no data from E01"),
        ((ENERGY, replace(OUTPUT, quantity=None)), "no data from P01"),
        ((ENERGY, replace(ENERGY, meter="C01", readings_present=0), OUTPUT), "no data from C01"),
        ((replace(ENERGY, held=True), OUTPUT), "waits for review: E01"),
        ((replace(ENERGY, readings_present=1), OUTPUT), "coverage 62.5% is below 75.0%"),
        ((ENERGY, replace(OUTPUT, quantity=0.0)), "output_not_positive"),
        ((OUTPUT,), "energy_missing"),
        ((ENERGY, replace(OUTPUT, uom="m2")), "do not lead to those of the limit"),
        ((ENERGY, OUTPUT, replace(OUTPUT, meter="P02", product="cement")), "also makes cement"),
    ],
)
def test_what_is_missing_makes_it_unknown_and_is_named(
    uses: tuple[MeterUse, ...], reason: str
) -> None:
    found = judge(*uses)
    assert found.state is State.UNKNOWN
    assert reason in found.reason


def test_the_carrier_without_a_factor_is_named() -> None:
    gas = replace(ENERGY, meter="G01", carrier="natural_gas", tce=None, lacks_factor=True)
    assert judge(ENERGY, gas, OUTPUT).reason == "no coal equivalent factor for natural_gas"


def test_a_limit_in_kilowatt_hours_is_not_judged_in_coal() -> None:
    coal = replace(ENERGY, meter="C01", carrier="raw_coal", tce=None, lacks_factor=True)
    found = judge(ENERGY, coal, OUTPUT, limits=(replace(LIMIT, uom="kWh/t", baseline=9.0),))
    assert (found.state, found.measured, found.uom) == (State.FIRING, 10.0, "kWh/t")


def test_output_that_is_not_all_there_accuses_nobody() -> None:
    late = replace(OUTPUT, quantity=75.0, readings_present=3)
    found = judge(replace(ENERGY, tce=11.0), late)
    assert (found.state, found.reason) == (
        State.UNKNOWN,
        "missing readings leave it between 110 and 146.67",
    )
    assert judge(replace(ENERGY, tce=16.0), late).state is State.FIRING


def test_energy_that_is_not_all_there_acquits_nobody() -> None:
    late = replace(ENERGY, tce=9.0, readings_present=3)
    assert judge(late, OUTPUT).state is State.UNKNOWN
    assert judge(replace(late, tce=8.0), OUTPUT).state is State.OK


def test_the_hour_before_stands_while_the_newest_is_not_all_there() -> None:
    before = Span(WINDOW.starts_at - timedelta(hours=1), WINDOW.starts_at)
    uses = [
        replace(ENERGY, quantity=None, tce=None, readings_present=0),
        OUTPUT,
        replace(ENERGY, window=before),
        replace(OUTPUT, window=before),
    ]
    found = judge(*uses)
    assert (found.state, found.period) == (State.FIRING, before)


def test_windows_end_with_full_hours() -> None:
    found = windows.hours(NOW, timedelta(hours=24))
    assert [window.ends_at.hour for window in found] == [8, 7, 6, 5]
    assert found[0].starts_at == found[0].ends_at - timedelta(hours=24)


REGION = RegionFacts("450200", "柳州市", 2026, 10, 0.07, 0.06, -0.02747)


@pytest.mark.parametrize(
    ("growth", "from_level", "state", "level"),
    [
        (0.03, 1, State.OK, 3),
        (0.04, 1, State.OK, 2),
        (0.06, 1, State.OK, 2),
        (0.07, 1, State.FIRING, 1),
        (0.04, 2, State.FIRING, 2),
        (None, 1, State.UNKNOWN, None),
    ],
)
def test_a_region_is_judged_by_its_level(
    growth: float | None, from_level: int, state: State, level: int | None
) -> None:
    rule = RegionLevel(letters_from_level=from_level)
    found = region_verdict.region(replace(REGION, energy_growth=growth), rule)
    assert (found.state, found.level) == (state, level)


def test_the_period_of_a_region_is_cumulative_in_local_time() -> None:
    assert REGION.period.starts_at == datetime(2025, 12, 31, 16, tzinfo=UTC)
    assert REGION.period.ends_at == datetime(2026, 10, 31, 16, tzinfo=UTC)


def test_only_the_newest_month_of_the_newest_year_counts() -> None:
    rows = [
        FigureRow("450200", year, month, 0.07, 0.06, "test")
        for year, month in ((2025, 12), (2026, 3), (2026, 10))
    ]
    current = region_facts.regions(rows, [], {}, Ladder())
    assert [(found.year, found.through_month) for found in current] == [(2026, 10)]
