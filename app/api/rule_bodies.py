"""Owns what a caller states of an alert rule: per kind a version, a new rule, and a proposal."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, Field, StringConstraints

from alerts.kinds.budget_pace.parameters import BudgetPace
from alerts.kinds.data_quality.parameters import DataQuality
from alerts.kinds.expression.parameters import ExpressionRule
from alerts.kinds.kind import Kind
from alerts.kinds.not_connected.parameters import NotConnected
from alerts.kinds.outage.parameters import Outage
from alerts.kinds.product_intensity.parameters import ProductIntensity
from alerts.kinds.region_level.parameters import RegionLevel
from alerts.kinds.two_high.parameters import TwoHigh
from alerts.kinds.value_intensity.parameters import ValueIntensity
from app.api.parameters import PLAIN, Instant, RegionCode, Sent
from app.rules import Statement

NAME_LENGTH_MAX = 120
REASON_LENGTH_MAX = 500

Reason = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=REASON_LENGTH_MAX, pattern=PLAIN
    ),
]
AnyParameters: TypeAlias = (
    ProductIntensity
    | RegionLevel
    | ValueIntensity
    | BudgetPace
    | DataQuality
    | NotConnected
    | ExpressionRule
    | TwoHigh
    | Outage
)


class _Version(Sent):
    """What a version says."""

    name: Annotated[
        str,
        StringConstraints(
            strip_whitespace=True, min_length=1, max_length=NAME_LENGTH_MAX, pattern=PLAIN
        ),
    ] = Field(description="as alerts show it; one rule of a region has it", examples=["水泥单耗"])
    holds_from: Instant | None = Field(
        default=None,
        description="from when on it holds, not in the past; null: from now on. It takes the "
        "place of all versions before it, also of those whose time has not come",
        examples=["2027-01-01T00:00:00+08:00"],
    )
    reason: Reason = Field(description="why", examples=["桂能审〔2026〕17号"])


class _Place(BaseModel):
    """Where a new rule acts."""

    region: RegionCode = Field(
        description="GB/T 2260 code of the region whose desk writes it: it acts there only, and "
        "its letters go to contacts there only",
        examples=["450200"],
    )


class ProposedProduct(Sent):
    """A version of a rule on the energy per unit of product that nobody stated yet."""

    kind: Literal["product_intensity"] = Field(examples=["product_intensity"])
    parameters: ProductIntensity = ProductIntensity()


class ProductVersion(_Version, ProposedProduct):
    """What a rule on the energy per unit of product says."""


class NewProductRule(_Place, ProductVersion):
    """A new rule on the energy per unit of product."""


class ProposedLevel(Sent):
    """A version of a rule on the level of regions that nobody stated yet."""

    kind: Literal["region_level"] = Field(examples=["region_level"])
    parameters: RegionLevel = RegionLevel()


class LevelVersion(_Version, ProposedLevel):
    """What a rule on the warning level of regions says."""


class NewLevelRule(_Place, LevelVersion):
    """A new rule on the warning level of regions."""


class ProposedValue(Sent):
    """A version of a rule on the energy per 10,000 yuan that nobody stated yet."""

    kind: Literal["value_intensity"] = Field(examples=["value_intensity"])
    parameters: ValueIntensity = ValueIntensity()


class ValueVersion(_Version, ProposedValue):
    """What a rule on the energy per 10,000 yuan says."""


class NewValueRule(_Place, ValueVersion):
    """A new rule on the energy per 10,000 yuan."""


class ProposedBudget(Sent):
    """A version of a rule on energy budgets that nobody stated yet."""

    kind: Literal["budget_pace"] = Field(examples=["budget_pace"])
    parameters: BudgetPace = BudgetPace()


class BudgetVersion(_Version, ProposedBudget):
    """What a rule on energy budgets says."""


class NewBudgetRule(_Place, BudgetVersion):
    """A new rule on energy budgets."""


class ProposedQuality(Sent):
    """A version of a rule on data quality that nobody stated yet."""

    kind: Literal["data_quality"] = Field(examples=["data_quality"])
    parameters: DataQuality


class QualityVersion(_Version, ProposedQuality):
    """What a rule on data quality says."""


class NewQualityRule(_Place, QualityVersion):
    """A new rule on data quality."""


class ProposedConnection(Sent):
    """A version of a rule on units that should be connected that nobody stated yet."""

    kind: Literal["not_connected"] = Field(examples=["not_connected"])
    parameters: NotConnected = NotConnected()


class ConnectionVersion(_Version, ProposedConnection):
    """What a rule on units that should be connected says."""


class NewConnectionRule(_Place, ConnectionVersion):
    """A new rule on units that should be connected."""


class ProposedExpression(Sent):
    """A version of an expression rule that nobody stated yet."""

    kind: Literal["expression"] = Field(examples=["expression"])
    parameters: ExpressionRule


class ExpressionVersion(_Version, ProposedExpression):
    """What an expression rule says."""


class NewExpressionRule(_Place, ExpressionVersion):
    """A new expression rule."""


class ProposedTwoHigh(Sent):
    """A version of a rule on two-high projects that nobody stated yet."""

    kind: Literal["two_high"] = Field(examples=["two_high"])
    parameters: TwoHigh = TwoHigh()


class TwoHighVersion(_Version, ProposedTwoHigh):
    """What a rule on two-high projects says."""


class NewTwoHighRule(_Place, TwoHighVersion):
    """A new rule on two-high projects."""


class ProposedOutage(Sent):
    """A version of a rule on outages that nobody stated yet."""

    kind: Literal["outage"] = Field(examples=["outage"])
    parameters: Outage = Outage()


class OutageVersion(_Version, ProposedOutage):
    """What a rule on outages says."""


class NewOutageRule(_Place, OutageVersion):
    """A new rule on outages."""


Proposed = Annotated[
    ProposedProduct
    | ProposedLevel
    | ProposedValue
    | ProposedBudget
    | ProposedQuality
    | ProposedConnection
    | ProposedExpression
    | ProposedTwoHigh
    | ProposedOutage,
    Field(discriminator="kind"),
]
Stated = Annotated[
    ProductVersion
    | LevelVersion
    | ValueVersion
    | BudgetVersion
    | QualityVersion
    | ConnectionVersion
    | ExpressionVersion
    | TwoHighVersion
    | OutageVersion,
    Field(discriminator="kind"),
]
New = Annotated[
    NewProductRule
    | NewLevelRule
    | NewValueRule
    | NewBudgetRule
    | NewQualityRule
    | NewConnectionRule
    | NewExpressionRule
    | NewTwoHighRule
    | NewOutageRule,
    Field(discriminator="kind"),
]


def statement(body: Stated) -> Statement:
    """Return what a body states; a new rule states its first version."""
    return Statement(Kind(body.kind), body.name, body.parameters, body.holds_from, body.reason)
