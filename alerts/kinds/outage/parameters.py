"""Owns what a rule on outages may say: how much must be silent at once to be one incident."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from pydantic import Field

from alerts.kinds.kind import Keeps, Kind, Parameters, Same

SILENT_MIN_MAX = 10_080


class Outage(Parameters):
    """Many that are silent at once, told of as one incident: all meters of a unit, many gateways
    of a city, or all that come by the broker.
    """

    kind: ClassVar[Kind] = Kind.OUTAGE

    judged_every: ClassVar[timedelta] = timedelta(0)

    silent_min: int = Field(
        default=60,
        ge=1,
        le=SILENT_MIN_MAX,
        description="a gateway that was not heard for so long is silent [min]",
        examples=[60],
    )
    meters_min: int = Field(
        default=3,
        ge=2,
        le=10_000,
        description="meters of a unit that must be silent for an incident of the unit",
        examples=[3],
    )
    meters_share: float = Field(
        default=0.8,
        gt=0,
        le=1,
        description="share of the meters of the unit that must be",
        examples=[0.8],
    )
    gateways_min: int = Field(
        default=3,
        ge=2,
        le=10_000,
        description="gateways that must be silent for an incident of a city, or of the broker",
        examples=[3],
    )
    city_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="share of the gateways of the city that must be",
        examples=[0.5],
    )
    broker_share: float = Field(
        default=0.8,
        gt=0,
        le=1,
        description="share of all gateways that must be, in more than one city, for an incident "
        "of the broker",
        examples=[0.8],
    )
    level: int = Field(
        default=1,
        ge=1,
        le=3,
        description="of its alerts; 1 is the worst",
        examples=[1],
    )
    keeps_back: tuple[Keeps, ...] = Field(
        default=(
            Keeps(kind="data_quality", check="offline", same=Same.WITHIN),
            Keeps(kind="data_quality", check="gap", same=Same.WITHIN),
            Keeps(kind="outage", same=Same.WITHIN),
        ),
        max_length=20,
        strict=False,
        description="letters of which rules are kept back while an incident lasts that takes in "
        "what they are about",
        examples=[[{"kind": "data_quality", "check": "offline", "same": "within"}]],
    )

    @property
    def rests_on_silence(self) -> bool:
        return True

    @property
    def silence(self) -> timedelta:
        return timedelta(minutes=self.silent_min)
