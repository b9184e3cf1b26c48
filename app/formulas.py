"""Owns how a part of a figure is told: the formula in words, and with the numbers put in."""

from __future__ import annotations

from app.parts import Formula, MeterDetail, Tally

WORDS = (
    "表底数之差乘以倍率，逐时计入；跨越时段边界和缺数的一段按时间比例分摊；再乘以当日折标系数",
    "differences of the register times its multiplier, hour by hour; what crosses a border of the "
    "span or a gap is divided in proportion to time; times the factor of the day",
)
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


def of_readings(detail: MeterDetail, tally: Tally) -> Formula:
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
    return Formula(*WORDS, "; ".join(numbers))


def of_stored(tally: Tally) -> Formula:
    told = "?" if tally.figure is None else f"{plain(tally.figure)} {tally.figure_uom}"
    return Formula(*STORED_WORDS, told)
