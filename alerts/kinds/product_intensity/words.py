"""Owns the words of a letter about a product, in Chinese and English. Pure."""

from __future__ import annotations

from alerts.kinds.product_intensity.facts import ProductFacts, Yardstick
from alerts.kinds.product_intensity.parameters import Against
from alerts.kinds.words import (
    BASIS_EN,
    BASIS_ZH,
    Language,
    Occasion,
    Words,
    beside,
    collapse,
    level_zh,
    number,
    rfc3339,
    window,
)
from energy import intensity, periods
from energy.factors import KGCE_PER_TCE
from energy.intensity import Grade, Levels
from energy.periods import Step

AGAINST_ZH = {
    Against.LIMIT: "限额值",
    Against.BASELINE: "基准水平",
}
GRADE_ZH = {
    Grade.BENCHMARK: "达到标杆水平",
    Grade.BETWEEN: "基准水平与标杆水平之间",
    Grade.BELOW_BASELINE: "基准水平以下",
}
AGAINST_EN = {
    Against.LIMIT: "limit",
    Against.BASELINE: "baseline",
}
GRADE_EN = {
    Grade.BENCHMARK: "at the benchmark or better",
    Grade.BETWEEN: "between baseline and benchmark",
    Grade.BELOW_BASELINE: "worse than the baseline",
}


def write(occasion: Occasion, language: Language) -> Words:
    """Return what a letter says of a product that is over its threshold, or no longer."""
    facts = occasion.facts
    assert isinstance(facts, ProductFacts)
    assert facts.yardstick is not None
    words = _zh if language is Language.ZH else _en
    return words(occasion, facts, facts.yardstick)


def _zh(occasion: Occasion, facts: ProductFacts, yardstick: Yardstick) -> Words:
    unit, product = collapse(facts.subject.unit_name), collapse(facts.subject.product)
    uom, edition = collapse(yardstick.limit.uom), collapse(yardstick.limit.edition)
    value, threshold = beside(occasion.verdict.measured, yardstick.value)
    against, is_over = AGAINST_ZH[yardstick.against], occasion.is_over
    relation = f"超过{against} {threshold}" if is_over else f"已回落至{against} {threshold} 以内"
    return Words(
        subject=f"{unit}：{product} 单耗 {value} {uom}，{relation}",
        opening=f"{unit}（{collapse(facts.subject.unit)}）的产品 {product}，单位产品综合能耗"
        f"{'超过' if is_over else '已不再超过'}{against}。",
        figures=[
            ("单位产品综合能耗", f"{value} {uom}"),
            (against, f"{threshold} {uom}（{edition}）"),
            (f"{against}来源", collapse(yardstick.limit.source)),
            *_benchmark("标杆水平", yardstick),
            *_grade("能效水平", GRADE_ZH, yardstick, occasion.verdict.measured),
            *([("预警等级", level_zh(occasion.verdict))] if is_over else []),
            ("统计时段", f"{window(facts.window)}（北京时间）"),
            ("综合能耗", f"{number(_tce(facts))} tce（{BASIS_ZH[facts.basis]}）"),
            ("产量", f"{number(facts.output)} {collapse(yardstick.output_uom)}"),
            ("数据完整率", f"{facts.coverage:.1%}"),
            ("估算占比", f"{facts.estimated_share:.1%}"),
        ],
        method="时段内全厂边界表计的综合能耗减去外供能源，除以产量表计的产量；各能源品种按"
        "折标准煤系数折算（GB/T 2589）。",
        formula=_formula(facts, yardstick, value, threshold),
        explain=_explain(facts),
    )


def _en(occasion: Occasion, facts: ProductFacts, yardstick: Yardstick) -> Words:
    unit, product = collapse(facts.subject.unit_name), collapse(facts.subject.product)
    uom, edition = collapse(yardstick.limit.uom), collapse(yardstick.limit.edition)
    value, threshold = beside(occasion.verdict.measured, yardstick.value)
    against, is_over = AGAINST_EN[yardstick.against], occasion.is_over
    relation = "over" if is_over else "within"
    return Words(
        subject=f"{unit}: {product} {value} {uom}, {relation} the {against} of {threshold}",
        opening=f"{unit} ({collapse(facts.subject.unit)}) makes {product}. Its energy per unit of "
        f"product is {'over' if is_over else 'no longer over'} the {against}.",
        figures=[
            ("Energy per unit of product", f"{value} {uom}"),
            (against.capitalize(), f"{threshold} {uom} ({edition})"),
            (f"Source of the {against}", collapse(yardstick.limit.source)),
            *_benchmark("Benchmark", yardstick),
            *_grade("Grade", GRADE_EN, yardstick, occasion.verdict.measured),
            *([("Warning level", str(occasion.verdict.level))] if is_over else []),
            ("Window", f"{window(facts.window)} (Asia/Shanghai)"),
            ("Energy", f"{number(_tce(facts))} tce ({BASIS_EN[facts.basis]})"),
            ("Output", f"{number(facts.output)} {collapse(yardstick.output_uom)}"),
            ("Coverage", f"{facts.coverage:.1%}"),
            ("Estimated share", f"{facts.estimated_share:.1%}"),
        ],
        method="the energy through the unit's boundary meters in the window, less the energy it "
        "exports, divided by what its output meters counted; each carrier by its coal equivalent "
        "factor (GB/T 2589).",
        formula=_formula(facts, yardstick, value, threshold),
        explain=_explain(facts),
    )


def _formula(facts: ProductFacts, yardstick: Yardstick, value: str, threshold: str) -> str:
    uom, output_uom = collapse(yardstick.limit.uom), collapse(yardstick.output_uom)
    energy, output = number(facts.energy_kgce), number(facts.output)
    measured = intensity.intensity(facts.energy_kgce, facts.output).value
    sign = ">" if measured is not None and measured > yardstick.value else "≤"
    return f"{energy} kgce ÷ {output} {output_uom} = {value} {uom} {sign} {threshold} {uom}"


def _explain(facts: ProductFacts) -> dict[str, str]:
    """Return what asks for the intensity where the window is a row of it, else for its energy."""
    window = facts.window
    asked = {
        "unit": facts.subject.unit,
        "from": rfc3339(window.starts_at),
        "to": rfc3339(window.ends_at),
    }
    for step in Step:
        if periods.floor(window.starts_at, step) == window.starts_at and (
            periods.following(window.starts_at, step) == window.ends_at
        ):
            return {"figure": "intensity", "product": facts.subject.product, **asked}
    return {"figure": "consumption", "basis": facts.basis, **asked}


def _benchmark(label: str, yardstick: Yardstick) -> list[tuple[str, str]]:
    limit = yardstick.limit
    if limit.benchmark is None:
        return []
    return [(label, f"{number(limit.benchmark)} {collapse(limit.uom)}")]


def _grade(
    label: str, words: dict[Grade, str], yardstick: Yardstick, measured: float | None
) -> list[tuple[str, str]]:
    if measured is None:
        return []
    limit = yardstick.limit
    grade = intensity.grade(measured, Levels(baseline=limit.baseline, benchmark=limit.benchmark))
    return [] if grade is None else [(label, words[grade])]


def _tce(facts: ProductFacts) -> float | None:
    return None if facts.energy_kgce is None else facts.energy_kgce / KGCE_PER_TCE
