"""Owns what all kinds of rules have in common: a rule, its surroundings, and what it finds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field

from alerts.verdicts import Verdict
from db.alerts import Watched
from db.pool import Connection
from db.scope import Scope
from energy.factors import Basis, Unverified
from energy.periods import Span

REMIND_H_MAX = 8_760


class Kind(StrEnum):
    """What a rule watches."""

    PRODUCT_INTENSITY = "product_intensity"
    REGION_LEVEL = "region_level"


class Parameters(BaseModel):
    """What a rule of some kind may say: unknown names and values out of range are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    kind: ClassVar[Kind]

    remind_h: int = Field(
        default=24,
        ge=0,
        le=REMIND_H_MAX,
        description="how long after a letter another one goes out while it is over and nobody "
        "has acknowledged it; 0: never [h]",
        examples=[24],
    )

    @property
    def hold(self) -> timedelta:
        """How much later a period must still be over before a letter goes out."""
        return timedelta(0)

    @property
    def clear_at(self) -> float:
        """At which share of its threshold a value that was over is no longer over."""
        return 1.0


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
        return self.parameters.kind


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is the same for all subjects of an evaluation."""

    now: datetime
    coverage_floor: float
    public_url: str
    region_names: dict[str, str]
    unverified: Unverified = Unverified.NOTE


@dataclass(frozen=True, slots=True)
class UnitName:
    """A unit: its number here, its credit code, its name."""

    unit_id: int
    unit: str
    name: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a verdict was given of one subject. Each kind has its own."""

    @property
    def about_unit(self) -> UnitName | None:
        """The unit it is about; None: it is about a region."""
        return None

    @property
    def energy_basis(self) -> Basis | None:
        """The basis of the energy that its letters tell; None: they tell none in coal."""
        return None


@dataclass(frozen=True, slots=True)
class Judged:
    """A subject of a rule with what was found."""

    watched: Watched
    facts: Facts
    verdict: Verdict


Tick = tuple[datetime, list[Judged]]
"""What a rule found at an instant."""


class Judge(Protocol):
    """Return what a rule finds now, for each subject it watches."""

    async def __call__(
        self, connection: Connection, rule: Rule, around: Surroundings, open_subjects: Set[str]
    ) -> list[Judged]: ...


class Ticks(Protocol):
    """Yield what a rule would have found in a past period, each time it would have looked.

    `open_subjects` are kept up to date by the caller: those whose alerts are open by then. Raises
    OutOfBoundsError where the period is more than one backtest may go through.
    """

    def __call__(
        self,
        connection: Connection,
        rule: Rule,
        scope: Scope,
        span: Span,
        around: Surroundings,
        open_subjects: Set[str],
    ) -> AsyncIterator[Tick]: ...
