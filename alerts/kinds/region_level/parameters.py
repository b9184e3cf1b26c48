"""Owns what a rule on the warning level of regions may say."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from alerts.kinds.kind import REMIND_H_MAX, Kind, Parameters
from energy.indicators import Indicator


class RegionLevel(Parameters):
    """The warning level of a region, from its cumulative figures."""

    kind: ClassVar[Kind] = Kind.REGION_LEVEL
    judges_again: ClassVar[bool] = True

    indicator: Indicator = Field(
        default=Indicator.ENERGY_PER_GDP,
        strict=False,
        description="whose level: of energy_per_gdp, energy_per_industrial_value_added, "
        "total_energy (against its cap), carbon_per_gdp",
        examples=["energy_per_gdp"],
    )
    scheme: str | None = Field(
        default=None,
        max_length=40,
        pattern=r"^[a-z0-9_]+$",
        description="by which scheme of levels; null: the one that holds in the region, as "
        "/v1/warnings shows it",
        examples=[None],
    )
    letters_from_level: int = Field(
        default=1,
        ge=1,
        le=3,
        description="the mildest level that is an alert, by its severity; 1 is the worst, and the "
        "best one of a scheme never is one",
        examples=[1],
    )
    remind_h: int = Field(
        default=168,
        ge=0,
        le=REMIND_H_MAX,
        description="how long after a letter another one goes out while the level holds and "
        "nobody has acknowledged it; 0: never [h]",
        examples=[168],
    )

    @property
    def is_restated(self) -> bool:
        return True
