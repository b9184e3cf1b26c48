"""Owns what all kinds of rules have in common: a rule, its surroundings, and what it finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from alerts.grace import Grace
from alerts.verdicts import Verdict
from db.alerts import Watched
from db.news import Source
from db.products import Product
from energy import periods
from energy.factors import Basis, Unverified
from energy.periods import HOUR, Span, Step

REMIND_H_MAX = 8_760
UNKNOWN_H_MAX = 8_760
AMENDED_WITHIN = timedelta(days=35)
DUE_WORKDAYS_MAX = 250
"""A year of them."""

HOURS_SHOWN = 24


class Kind(StrEnum):
    """What a rule watches."""

    PRODUCT_INTENSITY = "product_intensity"
    REGION_LEVEL = "region_level"
    DATA_QUALITY = "data_quality"
    NOT_CONNECTED = "not_connected"
    EXPRESSION = "expression"
    VALUE_INTENSITY = "value_intensity"
    OUTAGE = "outage"
    BUDGET_PACE = "budget_pace"
    TWO_HIGH = "two_high"


class DueWorkdays(BaseModel):
    """Within how many working days of China an alert is to be taken care of."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    acknowledge: int | None = Field(
        default=None,
        ge=1,
        le=DUE_WORKDAYS_MAX,
        description="to acknowledge it; then the next region up is written to, if the rule "
        "reaches it, and has as long; null: no such date [working days]",
        examples=[3],
    )
    remedy: int | None = Field(
        default=None,
        ge=1,
        le=DUE_WORKDAYS_MAX,
        description="until its figures are in order; null: no such date [working days]",
        examples=[20],
    )


class Same(StrEnum):
    """What an alert has in common with one whose letters it keeps back."""

    SUBJECT = "subject"
    PLACE = "place"  # the unit; of alerts about regions: the region
    WITHIN = "within"  # its unit is part of the incident


class Keeps(BaseModel):
    """Letters that are kept back while an alert of the rule fires: of one rule, or of a kind."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    rule_id: int | None = Field(
        default=None, ge=1, le=2**31 - 1, description="of this rule", examples=[None]
    )
    kind: str | None = Field(
        default=None,
        pattern="^[a-z][a-z0-9_]{0,39}$",
        description="of all rules of this kind",
        examples=["data_quality"],
    )
    check: str | None = Field(
        default=None,
        pattern="^[a-z][a-z0-9_]{0,39}$",
        description="of those only that have this `check`",
        examples=["offline"],
    )
    same: Same = Field(
        default=Same.SUBJECT,
        strict=False,
        description="about the same subject; the same place (unit, or region where they are about "
        "regions); or within what an outage takes in",
        examples=["within"],
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.rule_id is None) == (self.kind is None):
            raise ValueError("name rule_id or kind, one of the two")
        if self.check is not None and self.kind is None:
            raise ValueError("check goes with kind")
        return self

    def is_of(self, rule: Rule) -> bool:
        """Return whether it is about the letters of a rule."""
        if self.rule_id is not None:
            return self.rule_id == rule.rule_id
        return self.kind == rule.kind and self.check in (None, check_of(rule.parameters))


@dataclass(frozen=True, slots=True)
class Fault:
    """What a rule must not say, by the name of its parameter."""

    parameter: str
    detail: str


KEEPS_MAX = 20
CHECKS_OF_SILENCE = ("offline", "gap")
"""What a rule that has a `check` finds only because nothing came."""


class Parameters(BaseModel):
    """What a rule of some kind may say: unknown names and values out of range are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    kind: ClassVar[Kind]

    follows_hours: ClassVar[bool] = False
    """What it finds changes with the hour, with what people state and with hours that are settled;
    whose meters say nothing is unknown."""

    judges_again: ClassVar[bool] = False
    """What was found of a period is kept, judged again when its data change, and told anew."""

    judged_every: ClassVar[timedelta] = HOUR
    """How often everybody is judged though nobody stated what rules heed; 0: at each evaluation."""

    remind_h: int = Field(
        default=24,
        ge=0,
        le=REMIND_H_MAX,
        description="how long after a letter another one goes out while it is over and nobody "
        "has acknowledged it; 0: never [h]",
        examples=[24],
    )
    due_workdays: DueWorkdays = Field(
        default=DueWorkdays(),
        description="by when an alert is to be acknowledged and remedied, in working days after "
        "the day on which it fired, or became worse",
        examples=[{"acknowledge": 3, "remedy": 20}],
    )
    keeps_back: tuple[Keeps, ...] = Field(
        default=(),
        max_length=KEEPS_MAX,
        strict=False,
        description="letters of which rules are kept back while an alert of this one fires, as far "
        "as this one writes to all whom those write to",
        examples=[[]],
    )
    keeps_narrower_back: bool = Field(
        default=True,
        description="also those of rules of the same kind of regions within, about the same "
        "subject: who is told is told once",
        examples=[True],
    )

    @property
    def rests_on_silence(self) -> bool:
        """Whether it says of somebody that they say nothing: not while we ourselves were away."""
        return check_of(self) in CHECKS_OF_SILENCE

    @property
    def reads(self) -> frozenset[Source]:
        """What it reads that changes otherwise than by the hour, or by what all rules heed: who it
        changed of is judged soon after, not when everybody is."""
        return frozenset()

    def reads_before(self, now: datetime) -> datetime:
        """Return the end of the time of which it reads what was settled: days that are over."""
        return periods.floor(now, Step.DAY)

    def end_of(self, hour_end: datetime) -> datetime:
        """Return the end of the first period that an hour, known by its own end, is part of."""
        return hour_end

    @property
    def ends_silence(self) -> bool:
        """Whether a notice that nothing is known ends as soon as anything is: its figures come
        months later. Of who is silent, what ended before that began is no end of it."""
        return not self.follows_hours

    unknown_h: int = Field(
        default=0,
        ge=0,
        le=UNKNOWN_H_MAX,
        description="how long nothing could be said of a subject before a notice tells so, once; "
        "0: none does [h]",
        examples=[24],
    )

    @property
    def is_restated(self) -> bool:
        """Whether people state what it reads, months later and again: kept and amended by year."""
        return False

    @property
    def drifts(self) -> bool:
        """Whether what it finds of a period becomes another though nothing of it was corrected."""
        return False

    @property
    def looks_back(self) -> bool:
        """Whether closed periods are judged again: what is found of one is true of that period."""
        return self.judges_again and not self.drifts

    @property
    def warn_at(self) -> float | None:
        """From which share of its threshold a value is near it: WARN; None: never."""
        return None

    @property
    def tells_early(self) -> bool:
        """Whether an early notice is written when a value is near its threshold."""
        return False

    @property
    def step(self) -> Step:
        """At the end of which buckets its periods end, and are judged again: hours or days."""
        return Step.HOUR

    @property
    def hold(self) -> timedelta:
        """How much later a period must still be over before a letter goes out."""
        return timedelta(0)

    @property
    def stride(self) -> timedelta:
        """How much later than a window the next one ends, at most."""
        return timedelta(days=1) if self.step is Step.DAY else HOUR

    @property
    def clear_at(self) -> float:
        """At which share of its threshold a value that was over is no longer over."""
        return 1.0

    def contradictions(self) -> Iterator[Fault]:
        """Yield what it says that has no effect beside what else it says: whoever says so errs."""
        yield from ()

    def look_back(self, newest: Span) -> list[Span]:
        """Return the windows before the newest one that a letter shows, oldest first: 23 hours."""
        ends = [newest.ends_at - back * HOUR for back in range(HOURS_SHOWN - 1, 0, -1)]
        length = newest.ends_at - newest.starts_at
        return [Span(ends_at - length, ends_at) for ends_at in ends]


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


def check_of(parameters: Parameters) -> str | None:
    """Return what a rule checks, of kinds that check several things."""
    check = getattr(parameters, "check", None)
    return None if check is None else str(check)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is the same for all subjects of an evaluation. `grace`: we ourselves were away.

    Periods that ended within `amended_within` are judged again when their data change.
    """

    now: datetime
    coverage_floor: float
    public_url: str
    region_names: dict[str, str]
    unverified: Unverified = Unverified.NOTE
    amended_within: timedelta = AMENDED_WITHIN
    grace: Grace | None = None


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
    def about_product(self) -> Product | None:
        """The product it is about; None: it is about none, or that one has no name."""
        return None

    @property
    def takes_in(self) -> frozenset[int]:
        """The units that are part of it, where it is an incident of several."""
        return frozenset()

    @property
    def regions(self) -> frozenset[str]:
        """The regions it takes in, where it is an incident of several: their contacts are told."""
        return frozenset()

    @property
    def tells_regions(self) -> bool:
        """Whether it may be such an incident."""
        return False

    def part(self, prefix: str) -> Part | None:
        """Return what of it lies in regions whose codes begin so, where others do not know the
        rest; None: it is told whole.
        """
        return None

    @property
    def is_our_own(self) -> bool:
        """Whether it is about ourselves: that we were away excuses nothing."""
        return False

    @property
    def energy_basis(self) -> Basis | None:
        """The basis of the energy that its letters tell; None: they tell none in coal."""
        return None


@dataclass(frozen=True, slots=True)
class Part:
    """What of an incident lies in one of the regions that it takes in: nobody there is told more.

    `measured` and `threshold` in the uom of the verdict; `is_empty`: nothing of it lies there now.
    """

    facts: Facts
    measured: float
    threshold: float
    reason: str
    period: Span
    is_empty: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """A subject of a rule with what was found."""

    watched: Watched
    facts: Facts
    verdict: Verdict


Tick = tuple[datetime, list[Judged]]
"""What a rule found at an instant."""
