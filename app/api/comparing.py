"""Owns what calls that compare and rank have in common: parameters, models, sentences."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

import app.comparison
import app.consumption
import app.ranking
from app.api.answers import Answer, LocalTime, Reckoned
from app.comparison import Asked
from app.consumption import Line
from app.errors import InvalidParameter
from app.ranking import Order
from energy.comparison import Calendar, Compare, NoChange, Rule

TOP_MAX = 10_000


class ComparingByDate(BaseModel):
    """Adds the period that each row is compared with."""

    compare: Compare | None = Field(
        default=None,
        description="yoy (同比): the same period a year before; mom (环比): the period before",
        examples=["yoy"],
    )


class Comparing(ComparingByDate):
    """Adds the period that each row is compared with, and whether festivals are heeded."""

    calendar: Calendar | None = Field(
        default=None,
        description="of the comparison: plain, or adjusted: days and months by the Spring Festival "
        "and the day of the week, and per working day",
        examples=["adjusted"],
    )

    def asked(self) -> Asked | None:
        """Return what is compared with what; None: nothing is. Raises InvalidParameter."""
        if self.compare is not None:
            return Asked(self.compare, self.calendar or Calendar.PLAIN)
        if self.calendar is not None:
            raise InvalidParameter("calendar", "says how to compare: give compare=yoy or mom, too")
        return None


class Ranking(BaseModel):
    """Adds the order of the rows of a bucket."""

    order: Order | None = Field(
        default=None,
        description="of the rows of each bucket: the largest energy_tce first, or the smallest",
        examples=["-energy_tce"],
    )
    top: int | None = Field(
        default=None,
        ge=1,
        le=TOP_MAX,
        description="rows of each bucket up to this rank, and all who share it; the largest first "
        "unless order says otherwise",
        examples=[10],
    )

    def ordered(self) -> Order | None:
        """Return the order that is asked for; None: rows are in the order of their names."""
        return self.order or (None if self.top is None else Order.LARGEST)


class Compared(Answer):
    """The same figures of the other period, and what changed since."""

    rule: Rule = Field(
        description="by which the other period was found", examples=["spring_festival"]
    )
    starts_at: LocalTime | None = Field(
        description="of the other period; null: there is none",
        examples=["2025-11-01T00:00:00+08:00"],
    )
    ends_at: LocalTime | None = Field(examples=["2025-12-01T00:00:00+08:00"])
    energy_tce: Reckoned | None = Field(
        description="then [tce]; null: nothing is known, which is not 0", examples=[11.9]
    )
    quantity: Reckoned | None = Field(description="then, in uom", examples=[96830.0])
    coverage: Reckoned | None = Field(
        description="then: share of the readings due that are there", examples=[0.98]
    )
    estimated_share: Reckoned | None = Field(
        description="then: share that was spread over gaps", examples=[0.0]
    )
    change_tce: Reckoned | None = Field(description="energy_tce now less then", examples=[0.39])
    change_percent: Reckoned | None = Field(
        description="of energy_tce, in percent of then", examples=[3.277]
    )
    reason: NoChange | None = Field(
        description="why a figure of the change is null", examples=[None]
    )
    workdays: int | None = Field(
        default=None,
        description="working days of the row; with calendar=adjusted",
        examples=[21],
    )
    workdays_then: int | None = Field(
        default=None, description="of the other period", examples=[20]
    )
    change_percent_per_workday: Reckoned | None = Field(
        default=None,
        description="of energy_tce per working day, in percent of then",
        examples=[-1.645],
    )
    reason_per_workday: NoChange | None = Field(
        default=None, description="why that is null", examples=[None]
    )


SENTENCES = {
    (Compare.YOY, Calendar.PLAIN): "Compared with the same hour, day, month or year by date, a "
    "year before (同比).",
    (Compare.MOM, Calendar.PLAIN): "Compared with the period before (环比).",
    (Compare.YOY, Calendar.ADJUSTED): "Compared with a year before (同比): in the 40 days of the "
    "Spring Festival's season (15 before it to 24 after it, either year) with the day, or for a "
    "month the days, as far from the festival; other days with those of the same weekday, 52 weeks "
    "before; other months with those of the same name. Changes per working day divide either side "
    "by its working days.",
    (Compare.MOM, Calendar.ADJUSTED): "Compared with the period before (环比); a working day with "
    "the working day before, a day off with the day off before. Changes per working day divide "
    "either side by its working days.",
}


def sentences(asked: Asked | None) -> dict[str, str]:
    """Return the rule that an answer is compared by, under its code."""
    if asked is None:
        return {}
    return {f"compared_{asked.compare}_{asked.calendar}": SENTENCES[asked.compare, asked.calendar]}


def sentences_of_shares(order: Order | None, lines: Sequence[Line]) -> dict[str, str]:
    """Return what is to be said of shares where a part of the whole is not known."""
    unknown = 0 if order is None else app.ranking.unknown(lines)
    if not unknown:
        return {}
    return {
        "unknown_parts": f"Of {unknown:,} of {len(lines):,} rows nothing is known: they have no "
        "rank, and shares are of what is known of the others."
    }


def answered(found: app.comparison.Compared, *, is_one_carrier: bool) -> Compared:
    used = None if found.then is None else found.then.used
    span = found.other.span
    answer = {
        "rule": found.other.rule,
        "starts_at": None if span is None else span.starts_at,
        "ends_at": None if span is None else span.ends_at,
        "energy_tce": None if used is None else used.energy_tce,
        "quantity": used.quantity if used is not None and is_one_carrier else None,
        "coverage": None if found.then is None else found.then.coverage,
        "estimated_share": app.consumption.estimated_share(used),
        "change_tce": found.change.amount,
        "change_percent": found.change.percent,
        "reason": found.change.reason,
    }
    if found.per_workday is not None and found.workdays is not None:
        answer |= {
            "workdays": found.workdays[0],
            "workdays_then": found.workdays[1],
            "change_percent_per_workday": found.per_workday.percent,
            "reason_per_workday": found.per_workday.reason,
        }
    return Compared.model_validate(answer)
