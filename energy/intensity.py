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


class Ungraded(StrEnum):
    """Why a product has no grade."""

    INTENSITY_MISSING = "intensity_missing"
    NO_LEVELS = "no_levels"
    """No edition in force has a benchmark or a baseline for it: alumina, sugar."""
    BENCHMARK_MISSING = "benchmark_missing"
    """Within the baseline, and no benchmark says whether it is better than that."""
    BASELINE_MISSING = "baseline_missing"
    """Above the benchmark, and no baseline says whether it is worse than that."""


@dataclass(frozen=True, slots=True)
class Intensity:
    """`value` in units of energy per unit of output; None: `missing` says why."""

    value: float | None
    missing: Missing | None = None


def intensity(energy: float | None, output: float | None) -> Intensity:
    """Return the energy per unit of output. [unit of energy per unit of output]

    GB/T 2589-2020: E ÷ P of a product, E ÷ G of output value. None where one of the two is
    unknown, or nothing was made: that is no good figure, but none.

    >>> intensity(1040.0, 10.0).value
    104.0
    >>> intensity(1040.0, 0.0).missing
    <Missing.OUTPUT_NOT_POSITIVE: 'output_not_positive'>
    """
    if energy is None:
        return Intensity(None, Missing.ENERGY)
    if output is None:
        return Intensity(None, Missing.OUTPUT)
    if output <= 0:
        return Intensity(None, Missing.OUTPUT_NOT_POSITIVE)
    return Intensity(energy / output)


def bounds(energy_kgce: tuple[float, float], output: tuple[float, float]) -> tuple[float, float]:
    """Return the least and the greatest intensity of such energy and (positive) output.

    >>> bounds((1000.0, 1200.0), (10.0, 12.5))
    (80.0, 120.0)
    """
    ratios = [energy / made for energy in energy_kgce for made in output]
    return min(ratios), max(ratios)


@dataclass(frozen=True, slots=True)
class Levels:
    """What an edition asks of a product, in one unit of measure; lower is better.

    `is_exclusive`: a value that only equals a level does not meet it yet (PUE < 1.3).
    """

    limit: float | None = None
    baseline: float | None = None
    benchmark: float | None = None
    advanced: float | None = None
    is_exclusive: bool = False

    def meets(self, value: float, level: float | None) -> bool | None:
        """Return whether `value` meets `level`; None where there is no such level."""
        if level is None:
            return None
        return value < level if self.is_exclusive else value <= level


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a value compares with the levels of an edition; None: it does not say."""

    grade: Grade | None
    ungraded: Ungraded | None
    is_within_limit: bool | None
    is_advanced: bool | None


def judgement(value: float | None, levels: Levels) -> Judgement:
    """Return how `value` compares with each of `levels`.

    >>> judgement(1.3, Levels(limit=1.3, benchmark=1.3, is_exclusive=True)).is_within_limit
    False
    >>> judgement(None, Levels(baseline=117.0, benchmark=100.0)).ungraded
    <Ungraded.INTENSITY_MISSING: 'intensity_missing'>
    """
    if value is None:
        return Judgement(None, Ungraded.INTENSITY_MISSING, None, None)
    found = grade(value, levels)
    return Judgement(
        found,
        None if found is not None else _ungraded(levels),
        levels.meets(value, levels.limit),
        levels.meets(value, levels.advanced),
    )


def grade(value: float, levels: Levels) -> Grade | None:
    """Return the grade of `value`; None where the two levels do not tell.

    工业重点领域能效标杆水平和基准水平: at or below the benchmark, at or below the baseline, or
    worse than the baseline (基准以下: retrofit or retire).

    >>> grade(-5.0, Levels(baseline=-10.0, benchmark=-30.0))
    <Grade.BELOW_BASELINE: 'below_baseline'>
    """
    if levels.meets(value, levels.benchmark):
        return Grade.BENCHMARK
    if levels.meets(value, levels.baseline) is False:
        return Grade.BELOW_BASELINE
    return None if levels.benchmark is None or levels.baseline is None else Grade.BETWEEN


def _ungraded(levels: Levels) -> Ungraded:
    if levels.benchmark is None and levels.baseline is None:
        return Ungraded.NO_LEVELS
    return Ungraded.BENCHMARK_MISSING if levels.benchmark is None else Ungraded.BASELINE_MISSING


def clear_value(threshold: float, clear_ratio: float) -> float:
    """Return the value at which an overrun of `threshold` counts as over, a little below it.

    >>> clear_value(100.0, 0.98), clear_value(-10.0, 0.98)
    (98.0, -10.2)
    """
    return threshold - abs(threshold) * (1 - clear_ratio)
