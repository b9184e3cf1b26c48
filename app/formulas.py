"""Owns how a part of a figure is told: the formula in words, and with the numbers put in."""

from __future__ import annotations

from collections.abc import Mapping

from app.parts import Formula, MeterDetail, Tally
from energy.registers import Kind

WORDS: Mapping[Kind, tuple[str, str]] = {
    Kind.REGISTER: (
        "表底数之差乘以倍率，逐时计入；跨越时段边界和缺数的一段按时间比例分摊；再乘以当日折标系数",
        "differences of the register times its multiplier, hour by hour; what crosses a border of "
        "the span or a gap is divided in proportion to time; times the factor of the day",
    ),
    Kind.INTERVAL: (
        "各采集周期时段量之和乘以倍率，逐时计入；跨越整点或时段边界的一个周期按时间比例分摊，"
        "缺数的周期不计；再乘以当日折标系数",
        "sum of the quantities of the intervals times the multiplier, hour by hour; an interval "
        "that crosses an hour or a border of the span is divided in proportion to time, one that "
        "is missing counts nothing; times the factor of the day",
    ),
    Kind.GAUGE: (
        "瞬时量乘以倍率对时间求积，每个读数持续到下一读数、至多一个采集周期，此外的缺数不计；"
        "再乘以当日折标系数",
        "rate times the multiplier, integrated over time: a reading holds until the next, one "
        "interval at most, and what is missing beyond counts nothing; times the factor of the day",
    ),
}
"""How a meter is reckoned, by what its values mean."""

STORED_WORDS = (
    "本表已结算的分项之和（读数过多，未逐条重算；可单独解释本表）",
    "the settled sum of this meter (too many readings to follow here; explain it by itself)",
)


def plain(figure: float) -> str:
    """Return a figure as it is written into a formula.

    >>> plain(1234.5), plain(0.1 + 0.2)
    ('1234.5', '0.3')
    """
    return f"{figure:.10g}"


def of_readings(kind: Kind, detail: MeterDetail, tally: Tally) -> Formula:
    inside = detail.course_quantity - detail.outside_quantity
    uom = detail.uom
    terms = [f"{plain(each.quantity / each.scale)} × {plain(each.scale)}" for each in detail.epochs]
    counted = f"{' + '.join(terms) or '0'} = {plain(detail.course_quantity)} {uom}"
    numbers = [f"{counted}; − {plain(detail.outside_quantity)} = {plain(inside)} {uom}"]
    for span in detail.spans:
        days = f"{span.first_day}–{span.last_day}"
        if span.factor is None:
            numbers.append(f"{days}: {plain(span.quantity)} {tally.uom} × ? ({span.missing})")
        else:
            numbers.append(
                f"{days}: {plain(span.quantity)} {tally.uom} × {plain(span.factor.kgce_per_uom)} "
                f"kgce/{span.factor.uom} ÷ 1000 = {plain(span.energy_tce or 0.0)} tce"
            )
    return Formula(*WORDS[kind], "; ".join(numbers))


def of_stored(tally: Tally) -> Formula:
    told = "?" if tally.figure is None else f"{plain(tally.figure)} {tally.figure_uom}"
    return Formula(*STORED_WORDS, told)
