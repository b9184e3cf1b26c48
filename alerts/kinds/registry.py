"""Owns the list of the kinds of rules: what judges each, and what its letters say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from alerts.kinds.asking import Judge, JudgeClosed, JudgeOf, LookBack, Ticks, WhyGone
from alerts.kinds.budget_pace import watch as budgets
from alerts.kinds.budget_pace import words as budgets_words
from alerts.kinds.budget_pace.parameters import BudgetPace
from alerts.kinds.data_quality import watch as quality
from alerts.kinds.data_quality import words as quality_words
from alerts.kinds.data_quality.parameters import DataQuality
from alerts.kinds.expression import watch as expressions
from alerts.kinds.expression import words as expression_words
from alerts.kinds.expression.parameters import ExpressionRule
from alerts.kinds.kind import Kind, Parameters
from alerts.kinds.not_connected import watch as connections
from alerts.kinds.not_connected import words as connection_words
from alerts.kinds.not_connected.parameters import NotConnected
from alerts.kinds.outage import watch as outages
from alerts.kinds.outage import words as outage_words
from alerts.kinds.outage.parameters import Outage
from alerts.kinds.product_intensity import watch as products
from alerts.kinds.product_intensity import words as product_words
from alerts.kinds.product_intensity.parameters import ProductIntensity
from alerts.kinds.region_level import watch as regions
from alerts.kinds.region_level import words as region_words
from alerts.kinds.region_level.parameters import RegionLevel
from alerts.kinds.two_high import watch as two_high
from alerts.kinds.two_high import words as two_high_words
from alerts.kinds.two_high.parameters import TwoHigh
from alerts.kinds.value_intensity import watch as values
from alerts.kinds.value_intensity import words as values_words
from alerts.kinds.value_intensity.parameters import ValueIntensity
from alerts.kinds.words import Language, Occasion, Words


@dataclass(frozen=True, slots=True)
class Definition:
    """What makes a kind: its parameters, how it looks now and back, and the words of a letter.

    `look_back`: the windows before the one that was judged, for the chart of a letter; None: those
    that its parameters name, as `ticks` finds them. `judge_of`: what it finds now of units of which
    something is new that it reads; None: as `ticks` finds it. `why_gone`: why a subject is not
    found any more; None: nothing of it is left. `judge_closed`: what it finds of periods before,
    where people may state anew what they rest on.
    """

    parameters: type[Parameters]
    judge: Judge
    ticks: Ticks
    write: Callable[[Occasion, Language], Words]
    look_back: LookBack | None = None
    judge_of: JudgeOf | None = None
    why_gone: WhyGone | None = None
    judge_closed: JudgeClosed | None = None


KINDS = {
    Kind.PRODUCT_INTENSITY: Definition(
        ProductIntensity,
        products.judge,
        products.ticks,
        product_words.write,
        why_gone=products.why_gone,
    ),
    Kind.REGION_LEVEL: Definition(
        RegionLevel,
        regions.judge,
        regions.ticks,
        region_words.write,
        regions.look_back,
        why_gone=regions.why_gone,
        judge_closed=regions.judge_closed,
    ),
    Kind.DATA_QUALITY: Definition(
        DataQuality,
        quality.judge,
        quality.ticks,
        quality_words.write,
        judge_of=quality.judge_of,
    ),
    Kind.NOT_CONNECTED: Definition(
        NotConnected,
        connections.judge,
        connections.ticks,
        connection_words.write,
        judge_of=connections.judge_of,
    ),
    Kind.EXPRESSION: Definition(
        ExpressionRule,
        expressions.judge,
        expressions.ticks,
        expression_words.write,
        judge_of=expressions.judge_of,
        why_gone=expressions.why_gone,
        judge_closed=expressions.judge_closed,
    ),
    Kind.VALUE_INTENSITY: Definition(
        ValueIntensity, values.judge, values.ticks, values_words.write
    ),
    Kind.BUDGET_PACE: Definition(
        BudgetPace,
        budgets.judge,
        budgets.ticks,
        budgets_words.write,
        judge_of=budgets.judge_of,
        why_gone=budgets.why_gone,
    ),
    Kind.TWO_HIGH: Definition(
        TwoHigh,
        two_high.judge,
        two_high.ticks,
        two_high_words.write,
        why_gone=regions.why_gone,
    ),
    Kind.OUTAGE: Definition(Outage, outages.judge, outages.ticks, outage_words.write),
}
