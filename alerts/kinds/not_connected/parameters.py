"""Owns what a rule on units that should be connected by now may say."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from alerts.kinds.kind import REMIND_H_MAX, Kind, Parameters
from db.news import Source
from energy.periods import Span


class Until(StrEnum):
    """What makes a unit connected."""

    ANY = "any"  # one of its boundary meters was heard
    BOUNDARY = "boundary"  # each of them was
    FILED = "filed"  # and each carrier that it files has one


class NotConnected(Parameters):
    """Units that are commissioned and not connected (同步投产)."""

    kind: ClassVar[Kind] = Kind.NOT_CONNECTED

    days: int = Field(
        default=30,
        ge=0,
        le=730,
        description="how long after it was commissioned, and after a meter was installed, a unit "
        "may still connect it [d]",
        examples=[30],
    )
    until: Until = Field(
        default=Until.BOUNDARY,
        strict=False,
        description="connected is a unit once any of its boundary meters was heard; boundary: each "
        "of them; filed: and each carrier that it files monthly figures of has one",
        examples=["boundary"],
    )
    level: int = Field(
        default=2, ge=1, le=3, description="of its alerts; 1 is the worst", examples=[2]
    )
    remind_h: int = Field(
        default=168,
        ge=0,
        le=REMIND_H_MAX,
        description="how long after a letter another one goes out while it is not connected and "
        "nobody has acknowledged it; 0: never [h]",
        examples=[168],
    )

    @property
    def reads(self) -> frozenset[Source]:
        """What the assessment found."""
        return frozenset({Source.ASSESSED})

    def look_back(self, newest: Span) -> list[Span]:
        """Return no windows: days since a day are no chart."""
        return []
