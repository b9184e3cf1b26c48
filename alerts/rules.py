"""Owns what a rule may say: the parameters of each kind, as stored with the rule.

A border: unknown names and values out of range are refused, not guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from db.rules import RuleRow
from energy.factors import Basis

WINDOW_H_MAX = 744


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

    window_h: Annotated[int, Field(ge=1, le=WINDOW_H_MAX)] = 1
    for_h: Annotated[int, Field(ge=0, le=WINDOW_H_MAX)] = 0
    """How much later a window must still be over before a letter goes out. [h]"""

    clear_ratio: Annotated[float, Field(gt=0, le=1)] = 0.98
    """Over is over until the value is at this share of its threshold."""

    basis: Basis = Basis.CALORIFIC
    against: Against = Against.LIMIT

    @property
    def window(self) -> timedelta:
        return timedelta(hours=self.window_h)

    @property
    def hold(self) -> timedelta:
        return timedelta(hours=self.for_h)


class RegionLevel(_Parameters):
    """The warning level of a region, from its cumulative figures."""

    letters_from_level: Annotated[int, Field(ge=1, le=2)] = 1
    """The mildest level that is an alert. 1 is the worst."""

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
    rule_id: int
    name: str
    parameters: Parameters


def parse(row: RuleRow) -> Rule:
    """Return the rule in `row`. Raises pydantic.ValidationError."""
    return Rule(row.rule_id, row.name, MODELS[Kind(row.kind)].model_validate_json(row.parameters))
