"""Owns warning levels: schemes of levels as data, and which level a measured change has.

What is worse is told by a scheme's severities, never by the code of a level: nationally level 1 is
the worst (发改办环资〔2021〕629号), in municipal schemes it is a colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from energy import targets

ROSE = 1
FELL_SHORT = 2
ON_TRACK = 3

TOLERANCE = 1e-9
"""Rates this near to each other are the same: published growth has four digits, floats sixteen."""

annual_rate = targets.annual_rate


class Reason(StrEnum):
    """Why a region has its level, or none."""

    ROSE = "rose"
    FELL_SHORT = "fell_short"
    ON_TRACK = "on_track"
    OVER_CAP = "over_cap"
    WITHIN_CAP = "within_cap"
    ENERGY_GROWTH_MISSING = "energy_growth_missing"
    GDP_GROWTH_MISSING = "gdp_growth_missing"
    INDUSTRIAL_ENERGY_GROWTH_MISSING = "industrial_energy_growth_missing"
    VALUE_ADDED_GROWTH_MISSING = "value_added_growth_missing"
    CARBON_GROWTH_MISSING = "carbon_growth_missing"
    BASE_YEAR_TOTAL_MISSING = "base_year_total_missing"
    TARGET_MISSING = "target_missing"
    SCHEME_MISSING = "scheme_missing"


class Measure(StrEnum):
    """What the bounds of a scheme are shares of."""

    REDUCTION_SHARE = "reduction_share"
    """Of the required reduction: 0 is no change, 1 what is required. More is better."""

    CAP_SHARE = "cap_share"
    """Of the cap on the total: 1 is all of it. Less is better."""


@dataclass(frozen=True, slots=True)
class Band:
    """One level of a scheme; it begins at `bound` (of the scheme's measure) and gets better.

    `severity` gives the order: 1 is the most severe. `bound` None: the most severe level, which
    has no beginning. `holds_at_bound`: what lies exactly on the bound has this level, else the
    next more severe one.
    """

    level: str
    severity: int
    bound: float | None
    holds_at_bound: bool
    name_zh: str
    name_en: str
    colour: str | None


class SchemeError(ValueError):
    """Bands are no scheme: their order has ties, a gap, or contradicts their bounds."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """A set of levels, the most severe first. `verified` False: a suggestion, not an official rule.

    Raises SchemeError if severities are not 1, 2, 3 … or bounds do not get better with them.
    """

    scheme: str
    name_zh: str
    name_en: str
    measure: Measure
    source: str
    verified: bool
    bands: tuple[Band, ...]

    def __post_init__(self) -> None:
        if [band.severity for band in self.bands] != list(range(1, len(self.bands) + 1)):
            raise SchemeError(f"{self.scheme}: severities must be 1, 2, 3 … in order")
        if len({band.level for band in self.bands}) < len(self.bands):
            raise SchemeError(f"{self.scheme}: a level is there twice")
        if [band.bound is None for band in self.bands] != [
            band.severity == 1 for band in self.bands
        ]:
            raise SchemeError(f"{self.scheme}: all levels but the most severe need a bound")
        sign = 1 if self.measure is Measure.REDUCTION_SHARE else -1
        bounds = [sign * band.bound for band in self.bands if band.bound is not None]
        if any(worse >= better for worse, better in pairwise(bounds)):
            raise SchemeError(f"{self.scheme}: bounds must get better with each level")

    def find(self, level: str) -> Band:
        """Return the level with a code. Raises KeyError."""
        for band in self.bands:
            if band.level == level:
                return band
        raise KeyError(level)

    def level_of_rate(self, rate: float, required_rate: float) -> Band:
        """Return the level of a change against the one required. [shares, -0.0283 of -0.02747]

        For schemes of reduction shares. Bounds are compared as rates, so that a requirement of
        zero needs no division; nothing above zero is a requirement. A higher rate never has a
        milder level.

        >>> NATIONAL.level_of_rate(0.0, -0.02747).level
        '2'
        """
        return self._level(rate, min(required_rate, 0.0))

    def level_of_use(self, cap_share: float) -> Band:
        """Return the level of a total as a share of its cap. [share]

        For schemes of cap shares. A higher share never has a milder level.
        """
        return self._level(cap_share, 1.0)

    def _level(self, measured: float, scale: float) -> Band:
        """Return the mildest level that `measured` still reaches; lower is always better."""
        for band in reversed(self.bands[1:]):
            assert band.bound is not None
            slack = TOLERANCE if band.holds_at_bound else -TOLERANCE
            if measured <= band.bound * scale + slack:
                return band
        return self.bands[0]


NATIONAL = Scheme(
    "national",
    "国家能耗强度预警等级",
    "national barometer of energy intensity",
    Measure.REDUCTION_SHARE,
    "发改办环资〔2021〕629号; exactly zero change has not risen: it fell short",
    verified=True,
    bands=(
        Band("1", 1, None, True, "一级（十分严峻）", "level 1 (very grim)", "red"),
        Band("2", 2, 0.0, True, "二级（比较严峻）", "level 2 (fairly grim)", "orange"),
        Band("3", 3, 1.0, True, "三级（基本顺利）", "level 3 (basically smooth)", "green"),
    ),
)
"""The scheme of alerts; `migrations/reference/level_bands.csv` has the same beside the others."""


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


def output_rate(rate: float) -> float:
    """Return the change of output per energy (能源产出率), the inverse view of `rate`. [share]

    >>> round(output_rate(-0.0283), 5)
    0.02912
    """
    return 1 / (1 + rate) - 1


def cap_share(energy_growth: float, base_year_tce: float, cap_tce: float) -> float:
    """Return what the year comes to at the growth so far, as a share of its cap. [share]

    >>> cap_share(0.05, 100.0, 105.0)
    1.0
    """
    return base_year_tce * (1 + energy_growth) / cap_tce


def movement(rate: float, required_rate: float) -> Reason:
    """Return whether a change rose, fell short of what is required, or is on track.

    发改办环资〔2021〕629号. Zero has not risen: it fell short.
    """
    if rate > TOLERANCE:
        return Reason.ROSE
    return Reason.FELL_SHORT if rate > required_rate + TOLERANCE else Reason.ON_TRACK


def assess(
    energy_growth: float | None, gdp_growth: float | None, required_rate: float | None
) -> Assessment:
    """Return the national level of a region from its cumulative growth since January.

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
    band = NATIONAL.level_of_rate(rate, required_rate)
    return Assessment(int(band.level), rate, movement(rate, required_rate))
