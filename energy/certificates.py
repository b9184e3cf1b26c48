"""Owns green certificates (绿证) as evidence: what they stand for, and that none counts twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from math import fsum

MWH_PER_CERTIFICATE = 1.0
"""One certificate stands for 1 MWh: general knowledge, not verified against a stored text."""


class EnergyType(StrEnum):
    """What non-fossil electricity is made from.

    发改运行〔2022〕1258号 names the renewable ones; 发改环资〔2024〕113号 adds nuclear.
    """

    WIND = "wind"
    SOLAR = "solar"
    HYDRO = "hydro"
    BIOMASS = "biomass"
    GEOTHERMAL = "geothermal"
    NUCLEAR = "nuclear"


@dataclass(frozen=True, slots=True)
class Certificate:
    """`mwh` of electricity made in the month `generated_in` in `province`, held since a day.

    Retired for a region and a year: used up as evidence of its consumption there and then.
    """

    number: str
    energy_type: EnergyType
    mwh: float
    generated_in: date
    province: str
    acquired_on: date
    retired_for_year: int | None = None
    retired_for_region: str | None = None

    @property
    def is_retired(self) -> bool:
        return self.retired_for_year is not None


@dataclass(frozen=True, slots=True)
class Source:
    """Electricity of one kind: `is_across` where it comes from another province."""

    energy_type: EnergyType
    is_across: bool


def refusal(stored: Certificate | None, stated: Certificate) -> str | None:
    """Return why `stated` may not take the place of `stored`, as a sentence; None: it may.

    A certificate is retired once and for all: its year, its region, its amount, and what it was
    made from then stand.

    >>> may = Certificate("1", EnergyType.WIND, 1.0, date(2024, 5, 1), "450000", date(2024, 6, 1))
    >>> refusal(None, may) is None
    True
    """
    if stated.acquired_on < stated.generated_in:
        return f"was acquired on {stated.acquired_on}, before its electricity was generated"
    if (stated.retired_for_year is None) != (stated.retired_for_region is None):
        return "is retired for a year and a region, or not at all: give both or neither"
    if stated.retired_for_year is not None and stated.retired_for_year < stated.generated_in.year:
        return (
            f"was generated in {stated.generated_in:%Y-%m}: it proves no consumption of "
            f"{stated.retired_for_year}"
        )
    if stored is None or not stored.is_retired or stored == stated:
        return None
    return (
        f"is retired for {stored.retired_for_region} in {stored.retired_for_year} already: "
        f"a certificate counts once"
    )


def counted(
    certificates: Iterable[Certificate], region_prefix: str, year: int
) -> list[Certificate]:
    """Return those that prove consumption of `year` within the region, each number once."""
    found = {
        each.number: each
        for each in certificates
        if each.retired_for_year == year
        and each.retired_for_region is not None
        and each.retired_for_region.startswith(region_prefix)
    }
    return list(found.values())


def sums(certificates: Iterable[Certificate], region: str) -> dict[Source, float]:
    """Return the electricity of `certificates` by kind, seen from `region`. [MWh]"""
    parts: dict[Source, list[float]] = {}
    for each in certificates:
        source = Source(each.energy_type, each.province[:2] != region[:2])
        parts.setdefault(source, []).append(each.mwh)
    return {source: fsum(amounts) for source, amounts in parts.items()}
