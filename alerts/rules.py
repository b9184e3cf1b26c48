"""Owns what a rule may say: the parameters of each kind, as stored with its version.

A border: unknown names and values out of range are refused, not guessed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from db.rules import RuleRow
from energy.factors import Basis

WINDOW_H_MAX = 744
REMIND_H_MAX = 8_760


class Kind(StrEnum):
    """What a rule watches."""

    PRODUCT_INTENSITY = "product_intensity"
    REGION_LEVEL = "region_level"


class Against(StrEnum):
    """Which value of a limit a product is judged against.

    LIMIT is the mandatory limit value (限额), or the baseline where the product has none.
    """

    LIMIT = "limit"
    BASELINE = "baseline"


class _Parameters(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ProductIntensity(_Parameters):
    """Energy of a unit per unit of its product, over a sliding window of whole hours."""

    window_h: int = Field(
        default=1,
        ge=1,
        le=WINDOW_H_MAX,
        description="length of the window [h]",
        examples=[1],
    )
    for_h: int = Field(
        default=0,
        ge=0,
        le=WINDOW_H_MAX,
        description="how much later a window must still be over before a letter goes out [h]",
        examples=[0],
    )
    clear_ratio: float = Field(
        default=0.98,
        gt=0,
        le=1,
        description="over is over until the value is at this share of its threshold",
        examples=[0.98],
    )
    basis: Basis = Field(
        default=Basis.CALORIFIC,
        strict=False,
        description="of the energy: calorific (当量值) or equivalent (等价值)",
        examples=["calorific"],
    )
    against: Against = Field(
        default=Against.LIMIT,
        strict=False,
        description="limit: the mandatory limit, or the baseline where there is none; baseline",
        examples=["limit"],
    )
    remind_h: int = Field(
        default=24,
        ge=0,
        le=REMIND_H_MAX,
        description="how long after a letter another one goes out while it is over and nobody "
        "has acknowledged it; 0: never [h]",
        examples=[24],
    )

    @property
    def window(self) -> timedelta:
        return timedelta(hours=self.window_h)

    @property
    def hold(self) -> timedelta:
        return timedelta(hours=self.for_h)


class RegionLevel(_Parameters):
    """The warning level of a region, from its cumulative figures."""

    letters_from_level: int = Field(
        default=1,
        ge=1,
        le=2,
        description="the mildest level that is an alert; 1 is the worst",
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
    def hold(self) -> timedelta:
        return timedelta(0)

    @property
    def clear_ratio(self) -> float:
        return 1.0


Parameters: TypeAlias = ProductIntensity | RegionLevel

MODELS: dict[Kind, type[ProductIntensity] | type[RegionLevel]] = {
    Kind.PRODUCT_INTENSITY: ProductIntensity,
    Kind.REGION_LEVEL: RegionLevel,
}


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as one of its versions says. It acts within `region` and nowhere else."""

    rule_id: int
    name: str
    parameters: Parameters
    region: str
    version: int = 1

    @property
    def kind(self) -> Kind:
        return next(kind for kind, model in MODELS.items() if isinstance(self.parameters, model))


def parse(row: RuleRow) -> Rule:
    """Return the rule in `row`. Raises pydantic.ValidationError."""
    parameters = MODELS[Kind(row.kind)].model_validate_json(row.parameters)
    return Rule(row.rule_id, row.name, parameters, row.region, row.version)


def proposed(row: RuleRow, parameters: str | None) -> RuleRow:
    """Return the rule with what somebody proposes in place of its `parameters`; None: as it is."""
    return row if parameters is None else replace(row, parameters=parameters)
