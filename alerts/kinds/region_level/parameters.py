"""Owns what a rule on the warning level of regions may say."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from alerts.kinds.kind import REMIND_H_MAX, Kind, Parameters


class RegionLevel(Parameters):
    """The warning level of a region, from its cumulative figures."""

    kind: ClassVar[Kind] = Kind.REGION_LEVEL

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
