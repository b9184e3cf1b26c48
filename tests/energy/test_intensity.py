"""Energy per unit of product: lower is better, negative is legal, unknown is not good."""

from __future__ import annotations

import pytest

from energy import intensity
from energy.intensity import Grade, Levels, Missing


def test_energy_is_divided_by_output() -> None:
    assert intensity.intensity(11_700.0, 100.0).value == 117.0


def test_a_plant_that_recovers_energy_has_a_negative_intensity() -> None:
    assert intensity.intensity(-300.0, 10.0).value == -30.0


@pytest.mark.parametrize(
    ("energy", "output", "missing"),
    [
        (None, 10.0, Missing.ENERGY),
        (100.0, None, Missing.OUTPUT),
        (100.0, 0.0, Missing.OUTPUT_NOT_POSITIVE),
        (100.0, -1.0, Missing.OUTPUT_NOT_POSITIVE),
    ],
)
def test_there_is_no_intensity_without_energy_and_output(
    energy: float | None, output: float | None, missing: Missing
) -> None:
    found = intensity.intensity(energy, output)
    assert (found.value, found.missing) == (None, missing)


@pytest.mark.parametrize(
    ("value", "baseline", "benchmark", "grade"),
    [
        (99.0, 117.0, 100.0, Grade.BENCHMARK),
        (100.0, 117.0, 100.0, Grade.BENCHMARK),
        (117.0, 117.0, 100.0, Grade.BETWEEN),
        (117.1, 117.0, 100.0, Grade.BELOW_BASELINE),
        (-31.0, -10.0, -30.0, Grade.BENCHMARK),
        (-20.0, -10.0, -30.0, Grade.BETWEEN),
        (-9.0, -10.0, -30.0, Grade.BELOW_BASELINE),
        (120.0, None, 100.0, None),
        (90.0, None, 100.0, Grade.BENCHMARK),
        (90.0, None, None, None),
    ],
)
def test_a_value_is_graded_by_benchmark_and_baseline(
    value: float, baseline: float | None, benchmark: float | None, grade: Grade | None
) -> None:
    assert intensity.grade(value, Levels(baseline=baseline, benchmark=benchmark)) is grade


def test_bounds_hold_for_recovered_energy_too() -> None:
    assert intensity.bounds((-300.0, -200.0), (10.0, 20.0)) == (-30.0, -10.0)
