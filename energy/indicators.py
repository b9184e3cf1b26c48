"""Owns which indicators of dual control have targets: what each one is, and what it is made of.

A closed set: 能耗双控 (energy per output and in total) and 碳排放双控 (国办发〔2024〕39号).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Indicator(StrEnum):
    """What a target is set for."""

    ENERGY_PER_GDP = "energy_per_gdp"
    ENERGY_PER_INDUSTRIAL_VALUE_ADDED = "energy_per_industrial_value_added"
    TOTAL_ENERGY = "total_energy"
    CARBON_PER_GDP = "carbon_per_gdp"


class Growth(StrEnum):
    """A published growth that indicators are computed from: January to a month, year on year."""

    ENERGY = "energy_growth"
    GDP = "gdp_growth"
    INDUSTRIAL_ENERGY = "industrial_energy_growth"
    VALUE_ADDED = "value_added_growth"
    CARBON = "carbon_growth"


class Direction(StrEnum):
    """Which way an indicator is meant to go."""

    LOWER = "lower"
    AT_MOST = "at_most"


@dataclass(frozen=True, slots=True)
class Description:
    """`uom` is that of the indicator itself; `numerator` grows over `denominator`.

    An indicator without a denominator is held against a cap, not against a rate of change.
    """

    name_zh: str
    name_en: str
    uom: str
    direction: Direction
    numerator: Growth
    denominator: Growth | None


DESCRIPTIONS: dict[Indicator, Description] = {
    Indicator.ENERGY_PER_GDP: Description(
        "单位地区生产总值能耗",
        "energy per GDP",
        "tce/1e4CNY",
        Direction.LOWER,
        Growth.ENERGY,
        Growth.GDP,
    ),
    Indicator.ENERGY_PER_INDUSTRIAL_VALUE_ADDED: Description(
        "单位工业增加值能耗",
        "energy per industrial value added",
        "tce/1e4CNY",
        Direction.LOWER,
        Growth.INDUSTRIAL_ENERGY,
        Growth.VALUE_ADDED,
    ),
    Indicator.TOTAL_ENERGY: Description(
        "能源消费总量",
        "total energy consumption",
        "tce",
        Direction.AT_MOST,
        Growth.ENERGY,
        None,
    ),
    Indicator.CARBON_PER_GDP: Description(
        "单位地区生产总值二氧化碳排放",
        "carbon dioxide per GDP",
        "tCO2/1e4CNY",
        Direction.LOWER,
        Growth.CARBON,
        Growth.GDP,
    ),
}
