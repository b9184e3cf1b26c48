"""Owns the words of a letter about energy per 10,000 yuan, in Chinese and English. Pure."""

from __future__ import annotations

from datetime import timedelta

from alerts.kinds.value_intensity.facts import ValueFacts
from alerts.kinds.value_intensity.parameters import Per
from alerts.kinds.value_intensity.verdict import figure
from alerts.kinds.words import (
    BASIS_EN,
    BASIS_ZH,
    Language,
    Occasion,
    Words,
    beside,
    collapse,
    level_zh,
    months_en,
    number,
    rfc3339,
)
from energy.intensity_uoms import CNY_PER_UNIT
from energy.periods import LOCAL, Span

FIGURE_ZH = {Per.OUTPUT_VALUE: "万元产值能耗", Per.VALUE_ADDED: "万元增加值能耗"}
VALUE_ZH = {Per.OUTPUT_VALUE: "产值", Per.VALUE_ADDED: "增加值"}
FIGURE_EN = {
    Per.OUTPUT_VALUE: "energy per 10,000 yuan of output value",
    Per.VALUE_ADDED: "energy per 10,000 yuan of value added",
}
VALUE_EN = {Per.OUTPUT_VALUE: "Output value", Per.VALUE_ADDED: "Value added"}


def write(occasion: Occasion, language: Language) -> Words:
    """Return what a letter says of a unit that uses too much per 10,000 yuan, or no longer."""
    facts = occasion.facts
    assert isinstance(facts, ValueFacts)
    return _zh(occasion, facts) if language is Language.ZH else _en(occasion, facts)


def _zh(occasion: Occasion, facts: ValueFacts) -> Words:
    used, is_over = facts.used, occasion.is_over
    unit, what, months = collapse(facts.unit.name), FIGURE_ZH[facts.per], _months_zh(used.span)
    value, threshold = _values(occasion)
    against = "限值" if facts.before is None else "同比要求值"
    relation = "超过" if is_over else "未超过" if occasion.is_anew else "已不再超过"
    return Words(
        subject=f"{unit}：{months}{what} {value} tce，{relation}{against} {threshold} tce",
        opening=f"{unit}（{collapse(facts.unit.unit)}）{months}{what}{relation}{against}。",
        figures=[
            (what, f"{value} tce/万元"),
            (against, f"{threshold} tce/万元"),
            *_before("上年同期", " tce/万元", facts),
            *([("预警等级", level_zh(occasion.verdict))] if is_over else []),
            ("统计时段", months),
            ("综合能耗", f"{number(used.energy_tce)} tce（{BASIS_ZH[facts.basis]}）"),
            (VALUE_ZH[facts.per], f"{number(_ten_thousands(used.value_cny))} 万元"),
            ("数据完整率", f"{used.coverage:.1%}"),
            ("估算占比", f"{used.estimated_share:.1%}"),
        ],
        method=f"时段内全厂边界表计的综合能耗减去外供能源，除以本单位填报的{VALUE_ZH[facts.per]}；"
        "各能源品种按折标准煤系数折算（GB/T 2589）。"
        + ("" if facts.before is None else "同比要求值由上年同期的数值按规则要求的变化率算出。"),
        formula=_formula(occasion, facts, "万元"),
        explain=_explain(facts),
    )


def _en(occasion: Occasion, facts: ValueFacts) -> Words:
    used, is_over = facts.used, occasion.is_over
    unit, what, months = collapse(facts.unit.name), FIGURE_EN[facts.per], _months_en(used.span)
    value, threshold = _values(occasion)
    against = "the limit" if facts.before is None else "what is required against the year before"
    relation = "over" if is_over else "not over" if occasion.is_anew else "no longer over"
    return Words(
        subject=f"{unit}, {months}: {what} {value} tce, {relation} {against}, {threshold} tce",
        opening=f"The {what} of {unit} ({collapse(facts.unit.unit)}), {months}, is {relation} "
        f"{against}.",
        figures=[
            (what[:1].upper() + what[1:], f"{value} tce"),
            ("Limit" if facts.before is None else "Required", f"{threshold} tce"),
            *_before("The year before", " tce", facts),
            *([("Warning level", str(occasion.verdict.level))] if is_over else []),
            ("Period", months),
            ("Energy", f"{number(used.energy_tce)} tce ({BASIS_EN[facts.basis]})"),
            (VALUE_EN[facts.per], f"{number(_ten_thousands(used.value_cny))} units of 10,000 yuan"),
            ("Coverage", f"{used.coverage:.1%}"),
            ("Estimated share", f"{used.estimated_share:.1%}"),
        ],
        method="the energy through the unit's boundary meters in the period, less the energy it "
        f"exports, divided by the {VALUE_EN[facts.per].lower()} it stated; each carrier by its "
        "coal equivalent factor (GB/T 2589)."
        + (
            ""
            if facts.before is None
            else " Required is the figure of the year before, changed as the rule requires."
        ),
        formula=_formula(occasion, facts, "units of 10,000 yuan"),
        explain=_explain(facts),
    )


def _formula(occasion: Occasion, facts: ValueFacts, uom: str) -> str:
    value, threshold = _values(occasion)
    sign = ">" if occasion.is_over else "≤"
    energy, worth = number(facts.used.energy_tce), number(_ten_thousands(facts.used.value_cny))
    return f"{energy} tce ÷ {worth} {uom} = {value} tce {sign} {threshold} tce"


def _explain(facts: ValueFacts) -> dict[str, str]:
    """Return what asks where the energy comes from."""
    return {
        "figure": "consumption",
        "basis": facts.basis,
        "unit": facts.unit.unit,
        "from": rfc3339(facts.used.span.starts_at),
        "to": rfc3339(facts.used.span.ends_at),
    }


def _values(occasion: Occasion) -> tuple[str, str]:
    assert occasion.verdict.threshold is not None
    return beside(occasion.verdict.measured, occasion.verdict.threshold)


def _before(label: str, uom: str, facts: ValueFacts) -> list[tuple[str, str]]:
    return [] if facts.before is None else [(label, f"{number(figure(facts.before))}{uom}")]


def _ten_thousands(value_cny: float | None) -> float | None:
    return None if value_cny is None else value_cny / CNY_PER_UNIT


def _months_zh(span: Span) -> str:
    first, last = _ends(span)
    through = "" if first == last else f"—{last[1]}"
    return f"{first[0]}年{first[1]}{through}月"


def _months_en(span: Span) -> str:
    first, last = _ends(span)
    return months_en(first, last)


def _ends(span: Span) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return (year, month) of the first and of the last day of a period."""
    first = span.starts_at.astimezone(LOCAL)
    last = (span.ends_at - timedelta(hours=1)).astimezone(LOCAL)
    return (first.year, first.month), (last.year, last.month)
