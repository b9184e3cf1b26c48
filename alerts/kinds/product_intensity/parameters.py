"""Owns what a rule on the energy per unit of product may say."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from alerts.kinds.kind import Kind, Parameters
from energy.factors import Basis

WINDOW_H_MAX = 744


class Against(StrEnum):
    """Which value of a limit a product is judged against.

    LIMIT is the mandatory limit value (限额), or the baseline where the product has none.
    """

    LIMIT = "limit"
    BASELINE = "baseline"


class ProductIntensity(Parameters):
    """Energy of a unit per unit of its product, over a sliding window of whole hours."""

    kind: ClassVar[Kind] = Kind.PRODUCT_INTENSITY

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

    @property
    def window(self) -> timedelta:
        return timedelta(hours=self.window_h)

    @property
    def hold(self) -> timedelta:
        return timedelta(hours=self.for_h)

    @property
    def clear_at(self) -> float:
        return self.clear_ratio
