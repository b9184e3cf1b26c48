"""Owns what GET /v1/consumption can be asked, and which parameters do not go together."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

import app.consumption_export
from app import cells
from app.api.comparing import Comparing, Ranking
from app.api.parameters import AsKnown, Selecting, Valued
from app.cells import Columns
from app.errors import InvalidParameter
from app.exports import Format
from db.consumption import Group
from energy.comparison import Calendar
from energy.periods import Step


def parse_groups(text: str) -> str:
    for name in text.split(","):
        if name not in [*Group]:
            raise ValueError(f"{name!r} is none of {', '.join(Group)} (a comma list)")
    return text


class Bucket(StrEnum):
    """Length of a row: what is stored, and quarters of hours, which are reckoned when asked for."""

    QUARTER = "15m"
    HOUR = Step.HOUR.value
    DAY = Step.DAY.value
    MONTH = Step.MONTH.value
    YEAR = Step.YEAR.value

    @property
    def step(self) -> Step:
        """The step of what the bucket is made of."""
        return Step.HOUR if self is Bucket.QUARTER else Step(self)


class ConsumptionQuery(Selecting, Valued, AsKnown, Comparing, Ranking):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    bucket: Bucket = Field(
        description="length of a row; days, months and years are those of Asia/Shanghai; 15m for "
        "one unit and 31 days at most",
        examples=["day"],
    )
    group_by: Annotated[str, AfterValidator(parse_groups)] | None = Field(
        default=None,
        max_length=100,
        description="comma list of region, industry, unit, energy, meter; without: one total",
        examples=["region,energy"],
    )
    format: Format = Field(
        default=Format.JSON,
        description="csv, xlsx, parquet: the rows as a file, without notes",
        examples=["json"],
    )

    def groups(self) -> frozenset[Group]:
        groups = {Group(name) for name in self.group_by.split(",")} if self.group_by else set()
        if Group.METER in groups:
            groups.add(Group.UNIT)  # a meter's code is its unit's own
        return frozenset(groups)

    def columns(self) -> Columns:
        """Return the columns of a file of the answer."""
        more = []
        if self.ordered() is not None:
            more.append(app.consumption_export.RANKED)
        if self.compare is not None:
            more.append(app.consumption_export.COMPARED)
        if self.calendar is Calendar.ADJUSTED:
            more.append(app.consumption_export.ADJUSTED)
        columns = app.consumption_export.columns(self.groups(), *more)
        is_within_days = self.bucket in (Bucket.QUARTER, Bucket.HOUR)
        return columns if is_within_days else cells.by_days(columns)

    def refuse_unfitting(self) -> None:
        """Raise InvalidParameter where parameters do not go together."""
        if self.ordered() is not None and Group.METER in self.groups():
            raise InvalidParameter(
                "order" if self.order else "top",
                "is not for group_by=meter: some meters count what others count, so that they are "
                "no parts of a whole. Group by unit, region or industry",
            )
        if self.bucket is Bucket.QUARTER:
            for name in ("compare", "as_known_on"):
                if getattr(self, name) is not None:
                    raise InvalidParameter(
                        name, "is not for bucket=15m, of which nothing is stored; use bucket=hour"
                    )
