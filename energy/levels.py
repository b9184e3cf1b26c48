"""Owns the warning level of a region: how its energy per GDP moves against what the year requires.

Levels as in 发改办环资〔2021〕629号: 1 rose, 2 fell short, 3 on track. 1 is the worst.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import copysign

ROSE = 1
FELL_SHORT = 2
ON_TRACK = 3

TOLERANCE = 1e-9
"""Rates this near to each other are the same: published growth has four digits, floats sixteen."""


class Reason(StrEnum):
    """Why a region has its level, or none."""

    ROSE = "rose"
    FELL_SHORT = "fell_short"
    ON_TRACK = "on_track"
    ENERGY_GROWTH_MISSING = "energy_growth_missing"
    GDP_GROWTH_MISSING = "gdp_growth_missing"
    TARGET_MISSING = "target_missing"


@dataclass(frozen=True, slots=True)
class Assessment:
    """`rate` is the change of energy per GDP as a share; `level` None: an input is missing."""

    level: int | None
    rate: float | None
    reason: Reason


def intensity_rate(energy_growth: float, gdp_growth: float) -> float:
    """Return the change of energy per GDP, from growth at constant prices. [share]

    >>> round(intensity_rate(0.03, 0.06), 5)
    -0.0283
    """
    return (1 + energy_growth) / (1 + gdp_growth) - 1


def assess(
    energy_growth: float | None, gdp_growth: float | None, required_rate: float | None
) -> Assessment:
    """Return the level of a region from its cumulative growth since January.

    `required_rate` is the change the whole year requires, as in -0.02747; cumulative figures
    compare with it as they are, being growth against the same months. A rate of zero has not
    risen: it fell short. There is no level without all three inputs.

    >>> assess(0.07, 0.06, -0.02747).level
    1
    """
    if energy_growth is None:
        return Assessment(None, None, Reason.ENERGY_GROWTH_MISSING)
    if gdp_growth is None:
        return Assessment(None, None, Reason.GDP_GROWTH_MISSING)
    rate = intensity_rate(energy_growth, gdp_growth)
    if required_rate is None:
        return Assessment(None, rate, Reason.TARGET_MISSING)
    if rate > TOLERANCE:
        return Assessment(ROSE, rate, Reason.ROSE)
    if rate > required_rate + TOLERANCE:
        return Assessment(FELL_SHORT, rate, Reason.FELL_SHORT)
    return Assessment(ON_TRACK, rate, Reason.ON_TRACK)


def annual_rate(reduction: float, years: int = 5) -> float:
    """Return the yearly step of a reduction over `years`, on the geometric path. [share]

    A reduction may be written 0.13 or, as a change, -0.13: the step keeps the sign. The path is
    a default only; a city files its own.

    >>> round(annual_rate(0.13), 5), round(annual_rate(-0.13), 5)
    (0.02747, -0.02747)
    """
    return copysign(1 - (1 - abs(reduction)) ** (1 / years), reduction)
