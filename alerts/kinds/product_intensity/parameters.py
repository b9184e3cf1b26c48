"""Owns what a rule on the energy per unit of product may say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from alerts.kinds import windows
from alerts.kinds.kind import Fault, Kind, Parameters
from energy.factors import Basis
from energy.periods import Span, Step

WINDOW_H_MAX = 744
SHIFT_TIMES_MAX = 20

T = TypeVar("T", int, date)


class Against(StrEnum):
    """Which value of a limit a product is judged against.

    LIMIT is the mandatory limit value (限额), or the baseline where the product has none.
    """

    LIMIT = "limit"
    BASELINE = "baseline"
    BENCHMARK = "benchmark"
    ADVANCED = "advanced"


class Window(StrEnum):
    """Which period a product is judged over."""

    HOURS = "hours"
    SHIFT = "shift"
    DAY = "day"
    MONTH_TO_DATE = "month_to_date"


SHOWN = {Window.SHIFT: 12, Window.DAY: 24, Window.MONTH_TO_DATE: 24}
"""How many windows a letter shows."""


def _day(said: object) -> object:
    if isinstance(said, int | float):
        raise ValueError("is a day, as in 2026-01-01")
    return said


class ShiftTimes(BaseModel):
    """When shifts start, from a day on."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    valid_from: Annotated[date, BeforeValidator(_day)] = Field(
        strict=False, description="first day (Asia/Shanghai)", examples=["2026-01-01"]
    )
    starts_h: tuple[Annotated[int, Field(ge=0, le=23)], ...] = Field(
        strict=False,
        min_length=1,
        max_length=24,
        description="local hours at which a shift starts, in order: 0, 8, 16 is 00–08–16; the "
        "last one lasts until the first of the next day",
        examples=[[0, 8, 16]],
    )

    @field_validator("starts_h")
    @classmethod
    def in_order(cls, hours: tuple[int, ...]) -> tuple[int, ...]:
        return _ascending(hours)


def _ascending(values: tuple[T, ...]) -> tuple[T, ...]:
    if any(not one < other for one, other in pairwise(values)):
        raise ValueError("must be in order, none of them twice")
    return values


class ProductIntensity(Parameters):
    """Energy of a unit per unit of its product, over a period that is over."""

    kind: ClassVar[Kind] = Kind.PRODUCT_INTENSITY
    follows_hours: ClassVar[bool] = True
    judges_again: ClassVar[bool] = True

    window: Window = Field(
        default=Window.HOURS,
        strict=False,
        description="hours: the last `window_h`; shift: the last shift; day: yesterday; "
        "month_to_date: the month until the end of yesterday",
        examples=["hours"],
    )
    window_h: int = Field(
        default=1,
        ge=1,
        le=WINDOW_H_MAX,
        description="length of a window of hours [h]",
        examples=[1],
    )
    shifts: tuple[ShiftTimes, ...] = Field(
        default=(ShiftTimes(valid_from=date(2000, 1, 1), starts_h=(0, 8, 16)),),
        strict=False,
        min_length=1,
        max_length=SHIFT_TIMES_MAX,
        description="when shifts start, in order of their first days",
        examples=[[{"valid_from": "2000-01-01", "starts_h": [0, 8, 16]}]],
    )
    for_h: int = Field(
        default=0,
        ge=0,
        le=WINDOW_H_MAX,
        description="how much later a window must still be over before a letter goes out; time of "
        "which nothing is known does not count [h]",
        examples=[0],
    )
    clear_ratio: float = Field(
        default=0.98,
        gt=0,
        le=1,
        description="over is over until the value is at this share of its threshold",
        examples=[0.98],
    )
    warn_ratio: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="over this share of its threshold a value is near it (warn); null: never",
        examples=[0.95],
    )
    early_notice: bool = Field(
        default=False,
        description="true: what is near its threshold is written about, to contacts of all levels",
        examples=[False],
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
        description="limit: the mandatory limit, or the baseline where there is none; baseline; "
        "benchmark (an alert of level 2); advanced (of level 3)",
        examples=["limit"],
    )

    @field_validator("shifts")
    @classmethod
    def in_order(cls, shifts: tuple[ShiftTimes, ...]) -> tuple[ShiftTimes, ...]:
        _ascending(tuple(each.valid_from for each in shifts))
        return shifts

    @property
    def step(self) -> Step:
        """The buckets of consumption that a window is added up from."""
        return Step.DAY if self.window in (Window.DAY, Window.MONTH_TO_DATE) else Step.HOUR

    def windows(self, now: datetime) -> list[Span]:
        """Return the windows that are looked at, the newest first."""
        match self.window:
            case Window.HOURS:
                return windows.hours(now, timedelta(hours=self.window_h))
            case Window.SHIFT:
                return windows.shifts(now, {each.valid_from: each.starts_h for each in self.shifts})
            case Window.DAY:
                return windows.days(now)
            case Window.MONTH_TO_DATE:
                return windows.months_to_date(now)

    @property
    def stride(self) -> timedelta:
        """How much later the next window ends: for shifts as long as the longest of them is."""
        if self.window is not Window.SHIFT:
            return super().stride
        lengths = [
            end - start
            for each in self.shifts
            for start, end in pairwise([*each.starts_h, each.starts_h[0] + 24])
        ]
        return timedelta(hours=max(lengths))

    @property
    def hold(self) -> timedelta:
        return timedelta(hours=self.for_h)

    def contradictions(self) -> Iterator[Fault]:
        fields = type(self).model_fields
        if self.early_notice and self.warn_ratio is None:
            yield Fault("early_notice", "is of what is near a threshold: say how near (warn_ratio)")
        if self.window is not Window.HOURS and self.window_h != fields["window_h"].default:
            yield Fault("window_h", f"is for windows of hours; {self.window} has its own length")
        if self.window is not Window.SHIFT and self.shifts != fields["shifts"].default:
            yield Fault("shifts", f"are for the window shift, not {self.window}")

    @property
    def warn_at(self) -> float | None:
        return self.warn_ratio

    @property
    def tells_early(self) -> bool:
        return self.early_notice

    @property
    def clear_at(self) -> float:
        return self.clear_ratio

    def look_back(self, newest: Span) -> list[Span]:
        """Return the hours, shifts or days before the newest one, oldest first."""
        if self.window is Window.HOURS:
            return super().look_back(newest)
        found = [newest]
        for _ in range(SHOWN[self.window] - 1):
            found += self.windows(found[-1].ends_at)[1:2]
        return found[:0:-1]
