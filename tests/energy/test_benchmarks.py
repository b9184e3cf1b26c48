"""Every published benchmark and baseline grades what is at, just below and just above it."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest

from energy import intensity, intensity_uoms
from energy.intensity import Grade, Levels, Ungraded

REFERENCE = Path(__file__).parent.parent.parent / "migrations" / "reference"
ROWS = list(csv.DictReader((REFERENCE / "limits.csv").read_text(encoding="utf-8").splitlines()))
PRODUCTS = {
    row["product"]: row
    for row in csv.DictReader((REFERENCE / "products.csv").read_text(encoding="utf-8").splitlines())
}
GRADED = [row for row in ROWS if row["benchmark"] and row["baseline"]]


def levels(row: dict[str, str]) -> Levels:
    return Levels(
        limit=float(row["limit"]) if row["limit"] else None,
        baseline=float(row["baseline"]) if row["baseline"] else None,
        benchmark=float(row["benchmark"]) if row["benchmark"] else None,
        is_exclusive=row["exclusive"] == "true",
    )


def row_of(product: str, edition: str = "2023") -> dict[str, str]:
    (found,) = [row for row in ROWS if row["product"] == product and edition in row["edition"]]
    return found


@pytest.mark.parametrize("row", GRADED, ids=lambda row: row["product"])
def test_a_published_row_grades_at_and_around_its_lines(row: dict[str, str]) -> None:
    benchmark, baseline = float(row["benchmark"]), float(row["baseline"])
    expected = {
        math.nextafter(benchmark, -math.inf): Grade.BENCHMARK,
        benchmark: Grade.BENCHMARK,
        math.nextafter(benchmark, math.inf): Grade.BETWEEN,
        math.nextafter(baseline, -math.inf): Grade.BETWEEN,
        baseline: Grade.BETWEEN,
        math.nextafter(baseline, math.inf): Grade.BELOW_BASELINE,
    }
    assert {value: intensity.grade(value, levels(row)) for value in expected} == expected


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['product']}-{row['valid_from']}")
def test_a_published_row_is_in_a_known_unit_of_a_named_product(row: dict[str, str]) -> None:
    uom = intensity_uoms.parse(row["uom"])
    product = PRODUCTS[row["product"]]
    assert str(uom) == row["uom"]
    assert intensity_uoms.output_conversion(product["output_uom"], uom.per) == 1.0


def test_45_products_of_the_2023_edition_are_there_and_none_is_verified_by_its_source() -> None:
    edition = [row for row in ROWS if "2023" in row["edition"]]
    verified = [row["product"] for row in edition if row["verified"] == "true"]
    assert (len(edition), verified) == (45, [])


@pytest.mark.parametrize(
    ("value", "grade"),
    [
        (-30.1, Grade.BENCHMARK),
        (-30.0, Grade.BENCHMARK),
        (-29.9, Grade.BETWEEN),
        (-10.0, Grade.BETWEEN),
        (-9.9, Grade.BELOW_BASELINE),
        (0.0, Grade.BELOW_BASELINE),
        (30.0, Grade.BELOW_BASELINE),
    ],
)
def test_a_converter_is_graded_by_what_it_recovers(value: float, grade: Grade) -> None:
    assert intensity.grade(value, levels(row_of("converter_steel"))) is grade


@pytest.mark.parametrize(("pue", "is_within"), [(1.2999, True), (1.3, False), (1.3001, False)])
def test_a_data_centre_must_stay_below_its_ratio(pue: float, is_within: bool) -> None:
    found = intensity.judgement(pue, levels(row_of("data_centre_large", "三(一)")))
    assert found.is_within_limit is is_within
    assert found.grade is (Grade.BENCHMARK if is_within else None)


@pytest.mark.parametrize(
    ("kwh_per_ton", "grade"),
    [(13_000.0, Grade.BENCHMARK), (13_350.0, Grade.BETWEEN), (13_351.0, Grade.BELOW_BASELINE)],
)
def test_aluminium_is_graded_by_electricity(kwh_per_ton: float, grade: Grade) -> None:
    row = row_of("electrolytic_aluminium")
    assert (row["uom"], intensity.grade(kwh_per_ton, levels(row))) == ("kWh/t", grade)


def test_an_older_edition_keeps_its_own_value() -> None:
    newer, older = levels(row_of("ferrosilicon")), levels(row_of("ferrosilicon", "2021"))
    assert intensity.grade(1_900.0, newer) is Grade.BELOW_BASELINE
    assert intensity.judgement(1_900.0, older).ungraded is Ungraded.BENCHMARK_MISSING
    assert intensity.grade(1_901.0, older) is Grade.BELOW_BASELINE


def test_alumina_has_a_share_to_reach_and_no_benchmark() -> None:
    assert PRODUCTS["alumina"]["required_share"] == "0.3"
    assert not [row for row in ROWS if row["product"] == "alumina"]
    assert intensity.judgement(400.0, Levels()).ungraded is Ungraded.NO_LEVELS


@pytest.mark.parametrize(
    ("product", "share"),
    [
        ("coal_to_olefins", 0.5), ("soda_ash_joint_heavy", 0.5), ("paraxylene", 0.5),
        ("copper_cathode", 0.5), ("crude_lead", 0.5), ("zinc_wet", 0.5),
        ("caustic_soda_45", 0.4), ("blast_furnace_iron", 0.3), ("silicomanganese", 0.3),
        ("cement_clinker", 0.3), ("alumina", 0.3), ("electrolytic_aluminium", 0.3),
        ("oil_refining", 0.3), ("ethylene", 0.3), ("sanitary_ware", 0.3),
        ("flat_glass_above_800", 0.2), ("ammonia_gas", 0.15),
    ],
)  # fmt: skip
def test_the_plan_asks_for_this_share_of_capacity(product: str, share: float) -> None:
    assert float(PRODUCTS[product]["required_share"]) == share
