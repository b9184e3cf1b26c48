"""Owns what GET /v1/quality answers: scores, filings, repairs, suspicions, each explained."""

from __future__ import annotations

from datetime import date

from pydantic import Field

from app.api.answers import Answer, ListOf, LocalTime, Reckoned
from app.quality import QualityGroup
from energy.agreement import Agreement, NotComparable
from energy.quality import Index, Unscored
from energy.repairs import Fault, State
from energy.suspicion import Sureness, Suspicion
from energy.verification import Irregularity, Verification
from energy.workdays import NoDeadline


class IndexScore(Answer):
    """A share of two counts."""

    value: float | None = Field(description="0 to 1; null: see reason", examples=[0.9375])
    numerator: int = Field(examples=[90])
    denominator: int = Field(examples=[96])
    reason: Unscored | None = Field(description="why there is no value", examples=["nothing_due"])


class Indices(Answer):
    """The six indices of DB53/T 1116-2022, each over the meters and days that were counted."""

    completeness: IndexScore = Field(description="完整性: readings present ÷ due")
    accuracy: IndexScore = Field(description="准确性: meter-days inside a verification ÷ all")
    timeliness: IndexScore = Field(description="及时性: in time ÷ arrived")
    verifiability: IndexScore = Field(
        description="可核性: from the meter itself and uncontested ÷ arrived"
    )
    validity: IndexScore = Field(description="有效性: within limits, not bad, not held ÷ arrived")
    normativity: IndexScore = Field(description="规范性: meter-days registered by the rules ÷ all")


class Filing(Answer):
    """A monthly figure as filed, against the sum of its days."""

    energy: str = Field(examples=["electricity"])
    month: str = Field(examples=["2026-10"])
    filed: float = Field(description="in uom", examples=[98605000.0])
    summed: Reckoned | None = Field(description="of the days, in uom", examples=[98011000.0])
    uom: str = Field(examples=["kWh"])
    difference: Reckoned | None = Field(description="(summed − filed) ÷ filed", examples=[-0.006])
    agreement: Agreement = Field(description="within agreement_max of the scheme")
    reason: NotComparable | None = Field(examples=["days_missing"])
    days: int = Field(description="of the filed period", examples=[31])
    days_known: int = Field(examples=[31])
    begins_in_time: bool = Field(description="on the 1st ± 1 day", examples=[True])
    ends_in_time: bool = Field(description="on the next 1st ± 1 day", examples=[True])


class MeterState(Answer):
    """How a meter is verified and registered."""

    verification: Verification | None = Field(description="on the newest day that was counted")
    valid_until: date | None = Field(
        description="last day of its last verification; readings after it lower accuracy",
        examples=["2026-05-31"],
    )
    irregularities: list[Irregularity] = Field(examples=[["data_code_missing"]])


class QualityRow(Answer):
    """The data quality of a unit, a meter or a region."""

    rank: int | None = Field(
        description="in the league of this answer; null: no composite", examples=[1]
    )
    region: str | None = Field(description="null: the whole scope", examples=["450202"])
    unit: str | None = Field(examples=["91450200MA5KF5XJ00"])
    unit_name: str | None = Field(examples=["柳州某钢铁厂"])
    meter: str | None = Field(examples=["E01"])
    units: int = Field(description="counted in this row", examples=[1])
    composite: Reckoned | None = Field(
        description="综合指数: weighted by the scheme; null: see composite_reason", examples=[0.97]
    )
    composite_reason: Unscored | None = Field(examples=["index_missing"])
    composite_missing: list[Index] = Field(
        description="indices with a weight that are not known", examples=[["accuracy"]]
    )
    completeness_passes: bool | None = Field(
        description="at least completeness_pass of the scheme", examples=[True]
    )
    indices: Indices
    day_begins: IndexScore = Field(
        description="days with a reading within 1 min of 00:00 ÷ days with one about 00:00"
    )
    coverage: Reckoned | None = Field(
        description="meter-days counted ÷ meter-days so far; null: there was none", examples=[1.0]
    )
    measured_at: LocalTime | None = Field(
        description="when the oldest of these counts was made",
        examples=["2026-11-23T03:00:00+08:00"],
    )
    meter_state: MeterState | None = Field(description="of a meter's row")
    filings: list[Filing] = Field(description="of a unit's row: monthly figures of the period")


class Repair(Answer):
    """A fault and its clock of 3 working days."""

    id: int = Field(examples=[17])
    unit: str = Field(examples=["91450200MA5KF5XJ00"])
    subject: str = Field(description="code of the meter or gateway", examples=["E01"])
    fault: Fault
    state: State
    opened_at: LocalTime = Field(examples=["2026-02-13T08:15:00+08:00"])
    due_at: LocalTime | None = Field(
        description="from then on it is overdue; null: see due_reason",
        examples=["2026-02-26T00:00:00+08:00"],
    )
    due_reason: NoDeadline | None = Field(examples=["calendar_unknown"])
    filed_at: LocalTime | None = Field(examples=["2026-02-25T10:00:00+08:00"])
    repaired_at: LocalTime | None = Field(examples=["2026-02-24T16:30:00+08:00"])


class SuspicionItem(Answer):
    """What calls for a look. It is no verdict."""

    id: int = Field(examples=[4])
    kind: Suspicion
    unit: str = Field(examples=["91450200MA5KF5XJ00"])
    subject: str = Field(description="meter, gateway, carrier or fact", examples=["E01"])
    starts_at: LocalTime = Field(examples=["2026-11-22T00:00:00+08:00"])
    ends_at: LocalTime = Field(examples=["2026-11-23T00:00:00+08:00"])
    sureness: Sureness
    evidence: dict[str, bool | int | float | str | None] = Field(
        description="the numbers that show it", examples=[{"points": 96, "distinct": 71}]
    )
    concerns_other: bool = Field(description="a second unit is concerned", examples=[False])
    other_unit: str | None = Field(
        description="which, if this key may see it", examples=["91450300MA5KF5XJ05"]
    )
    found_at: LocalTime = Field(examples=["2026-11-23T02:10:00+08:00"])


class Scoring(Answer):
    """How quality is scored."""

    weights: dict[Index, float] = Field(
        description="relative to their sum", examples=[{"completeness": 1.0}]
    )
    completeness_pass: float = Field(examples=[0.9])
    agreement_max: float = Field(examples=[0.05])
    official: bool = Field(description="the weights are those of an authority", examples=[False])
    source: str = Field(examples=["equal weights"])


class QualityAnswer(ListOf[QualityRow]):
    """A page of the league, the best first, and what the whole of it comes to."""

    period: str = Field(examples=["2026-11"])
    starts_at: LocalTime = Field(examples=["2026-11-01T00:00:00+08:00"])
    ends_at: LocalTime = Field(examples=["2026-12-01T00:00:00+08:00"])
    group_by: QualityGroup
    total: QualityRow | None = Field(description="sums of counts; null: no unit is visible")
    scheme: Scoring
    repairs: list[Repair] = Field(description="faults that stood in the period, soonest due first")
    repairs_more: bool = Field(examples=[False])
    suspicions: list[SuspicionItem] = Field(description="of the period, the newest first")
    suspicions_more: bool = Field(examples=[False])
