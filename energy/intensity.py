"""Owns energy per unit of product: the figure, its bounds where data lack, and how it is graded.

Lower is better, and negative values are legal: a converter gives more energy than it takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Missing(StrEnum):
    """Why there is no intensity."""

    ENERGY = "energy_missing"
    OUTPUT = "output_missing"
    OUTPUT_NOT_POSITIVE = "output_not_positive"


class Grade(StrEnum):
    """Where a value stands between the benchmark (标杆水平) and the baseline (基准水平)."""

    BENCHMARK = "benchmark"
    BETWEEN = "between"
    BELOW_BASELINE = "below_baseline"


@dataclass(frozen=True, slots=True)
class Intensity:
    """`value` in kgce per unit of output; None: `missing` says why."""

    value: float | None
    missing: Missing | None = None


def intensity(energy_kgce: float | None, output: float | None) -> Intensity:
    """Return the energy per unit of output. [kgce per unit of output]

    None where one of the two is unknown, or nothing was made: that is no good figure, but none.

    >>> intensity(1040.0, 10.0).value
    104.0
    >>> intensity(1040.0, 0.0).missing
    <Missing.OUTPUT_NOT_POSITIVE: 'output_not_positive'>
    """
    if energy_kgce is None:
        return Intensity(None, Missing.ENERGY)
    if output is None:
        return Intensity(None, Missing.OUTPUT)
    if output <= 0:
        return Intensity(None, Missing.OUTPUT_NOT_POSITIVE)
    return Intensity(energy_kgce / output)


def bounds(energy_kgce: tuple[float, float], output: tuple[float, float]) -> tuple[float, float]:
    """Return the least and the greatest intensity of such energy and (positive) output.

    >>> bounds((1000.0, 1200.0), (10.0, 12.5))
    (80.0, 120.0)
    """
    ratios = [energy / made for energy in energy_kgce for made in output]
    return min(ratios), max(ratios)


def grade(value: float, *, baseline: float | None, benchmark: float | None) -> Grade | None:
    """Return the grade of `value`; None where the two levels do not tell.

    工业重点领域能效标杆水平和基准水平: at or below the benchmark, at or below the baseline, or
    worse than the baseline (基准以下: retrofit or retire).

    >>> grade(-5.0, baseline=-10.0, benchmark=-30.0)
    <Grade.BELOW_BASELINE: 'below_baseline'>
    """
    if benchmark is not None and value <= benchmark:
        return Grade.BENCHMARK
    if baseline is None:
        return None
    return Grade.BETWEEN if value <= baseline else Grade.BELOW_BASELINE


def clear_value(threshold: float, clear_ratio: float) -> float:
    """Return the value at which an overrun of `threshold` counts as over, a little below it.

    >>> clear_value(100.0, 0.98), clear_value(-10.0, 0.98)
    (98.0, -10.2)
    """
    return threshold - abs(threshold) * (1 - clear_ratio)
