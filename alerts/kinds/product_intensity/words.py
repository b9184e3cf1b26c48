"""Owns the words of a letter about a product, in Chinese and English. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from alerts.kinds.product_intensity.facts import ProductFacts, Yardstick
from alerts.kinds.product_intensity.parameters import Against, Window
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
from energy.intensity import Grade
from energy.intensity_uoms import PUE, Energy
from energy.periods import Step

AGAINST_ZH = {
    Against.LIMIT: "限额值",
    Against.BASELINE: "基准水平",
    Against.BENCHMARK: "标杆水平",
    Against.ADVANCED: "先进值",
}
GRADE_ZH = {
    Grade.BENCHMARK: "达到标杆水平",
    Grade.BETWEEN: "基准水平与标杆水平之间",
    Grade.BELOW_BASELINE: "基准水平以下",
}
PERIOD_ZH = {
    Window.HOURS: "",
    Window.SHIFT: "，班次",
    Window.DAY: "，日",
    Window.MONTH_TO_DATE: "，月初至今",
}
AGAINST_EN = {
    Against.LIMIT: "limit",
    Against.BASELINE: "baseline",
    Against.BENCHMARK: "benchmark",
    Against.ADVANCED: "advanced value",
}
GRADE_EN = {
    Grade.BENCHMARK: "at the benchmark or better",
    Grade.BETWEEN: "between baseline and benchmark",
    Grade.BELOW_BASELINE: "worse than the baseline",
}
PERIOD_EN = {
    Window.HOURS: "",
    Window.SHIFT: ", a shift",
    Window.DAY: ", a day",
    Window.MONTH_TO_DATE: ", month to date",
}


@dataclass(frozen=True, slots=True)
class _Names:
    """What the figure is called, where it counts coal, electricity, or is a PUE."""

    figure: str
    short: str
    energy: str
    method: str


COAL_ZH = _Names(
    "单位产品综合能耗",
    "单耗",
    "综合能耗",
    "时段内全厂边界表计的综合能耗减去外供能源，除以产量表计的产量；各能源品种按"
    "折标准煤系数折算（GB/T 2589）。",
)
ELECTRICITY_ZH = _Names(
    "单位产品电耗",
    "电耗",
    "用电量",
    "时段内全厂边界电能表的电量减去外供电量，除以产量表计的产量；电量为实物量，不折标准煤。",
)
PUE_ZH = _Names(
    "电能利用效率（PUE）",
    "电能利用效率",
    "总耗电量",
    "时段内数据中心总耗电量除以信息设备耗电量。",
)
COAL_EN = _Names(
    "energy per unit of product",
    "",
    "Energy",
    "the energy through the unit's boundary meters in the window, less the energy it exports, "
    "divided by what its output meters counted; each carrier by its coal equivalent factor "
    "(GB/T 2589).",
)
ELECTRICITY_EN = _Names(
    "electricity per unit of product",
    "",
    "Electricity",
    "the electricity through the unit's boundary meters in the window, less what it exports, "
    "divided by what its output meters counted; as a physical quantity, not as coal.",
)
PUE_EN = _Names(
    "power usage effectiveness (PUE)",
    "PUE ",
    "Electricity",
    "all electricity of the data centre in the window, divided by that of its IT equipment.",
)


def write(occasion: Occasion, language: Language) -> Words:
    """Return what a letter says of a product that is over its threshold, or no longer."""
    facts = occasion.facts
    assert isinstance(facts, ProductFacts)
    assert facts.yardstick is not None
    words = _zh if language is Language.ZH else _en
    return words(occasion, facts, facts.yardstick)


def _zh(occasion: Occasion, facts: ProductFacts, yardstick: Yardstick) -> Words:
    unit, product = collapse(facts.subject.unit_name), _product(facts, Language.ZH)
    uom, edition = _uom(yardstick), collapse(yardstick.limit.edition)
    value, threshold = beside(occasion.verdict.measured, yardstick.value)
    against, is_over = AGAINST_ZH[yardstick.against], occasion.is_over
    names, made = _named(yardstick, COAL_ZH, ELECTRICITY_ZH, PUE_ZH), _made(facts, yardstick)
    over = "未低于" if yardstick.limit.exclusive else "超过"
    fine = "未超过" if occasion.is_anew else "已不再超过"
    relation = f"已回落至{against} {threshold} 以内"
    if is_over or occasion.is_anew:
        relation = f"{over if is_over else fine}{against} {threshold}"
    return Words(
        subject=f"{unit}：{product} {names.short} {value}{uom}，{relation}",
        opening=f"{unit}（{collapse(facts.subject.unit)}）的产品 {product}，{names.figure}"
        f"{over if is_over else fine}{against}。",
        figures=[
            (names.figure, f"{value}{uom}"),
            (against, f"{threshold}{uom}（{edition}）"),
            (f"{against}来源", collapse(yardstick.limit.source)),
            *_benchmark("标杆水平", yardstick),
            *_grade("能效水平", GRADE_ZH, yardstick, occasion.verdict.measured),
            *([("预警等级", level_zh(occasion.verdict))] if is_over else []),
            ("统计时段", f"{window(facts.window)}（北京时间{PERIOD_ZH[facts.period]}）"),
            (names.energy, _energy(facts, yardstick, f"（{BASIS_ZH[facts.basis]}）")),
            *_oil("标准油折算", "，系数未经核实", facts),
            ("信息设备耗电量" if names is PUE_ZH else "产量", made),
            ("数据完整率", f"{facts.coverage:.1%}"),
            ("估算占比", f"{facts.estimated_share:.1%}"),
        ],
        method=names.method,
        formula=_formula(facts, yardstick, value, threshold),
        explain=_explain(facts),
    )


def _en(occasion: Occasion, facts: ProductFacts, yardstick: Yardstick) -> Words:
    unit, product = collapse(facts.subject.unit_name), _product(facts, Language.EN)
    uom, edition = _uom(yardstick), collapse(yardstick.limit.edition)
    value, threshold = beside(occasion.verdict.measured, yardstick.value)
    against, is_over = AGAINST_EN[yardstick.against], occasion.is_over
    names, made = _named(yardstick, COAL_EN, ELECTRICITY_EN, PUE_EN), _made(facts, yardstick)
    over = "not below" if yardstick.limit.exclusive else "over"
    relation = over if is_over else "within"
    fine = "not over" if occasion.is_anew else "no longer over"
    return Words(
        subject=f"{unit}: {product} {names.short}{value}{uom}, {relation} the {against} of "
        f"{threshold}",
        opening=f"{unit} ({collapse(facts.subject.unit)}) makes {product}. Its {names.figure} is "
        f"{over if is_over else fine} the {against}.",
        figures=[
            (_capital(names.figure), f"{value}{uom}"),
            (_capital(against), f"{threshold}{uom} ({edition})"),
            (f"Source of the {against}", collapse(yardstick.limit.source)),
            *_benchmark("Benchmark", yardstick),
            *_grade("Grade", GRADE_EN, yardstick, occasion.verdict.measured),
            *([("Warning level", str(occasion.verdict.level))] if is_over else []),
            ("Window", f"{window(facts.window)} (Asia/Shanghai{PERIOD_EN[facts.period]})"),
            (names.energy, _energy(facts, yardstick, f" ({BASIS_EN[facts.basis]})")),
            *_oil("Standard oil", ", which nobody verified", facts),
            ("IT electricity" if names is PUE_EN else "Output", made),
            ("Coverage", f"{facts.coverage:.1%}"),
            ("Estimated share", f"{facts.estimated_share:.1%}"),
        ],
        method=names.method,
        formula=_formula(facts, yardstick, value, threshold),
        explain=_explain(facts),
    )


def _product(facts: ProductFacts, language: Language) -> str:
    """Return what the product is called: its code where nobody gave it a name."""
    named = facts.named
    if named is None:
        return collapse(facts.subject.product)
    return collapse(named.name_zh if language is Language.ZH else named.name_en)


def _formula(facts: ProductFacts, yardstick: Yardstick, value: str, threshold: str) -> str:
    uom, meets = _uom(yardstick), None
    measured = intensity.intensity(facts.energy, facts.output).value
    if measured is not None:
        meets = yardstick.levels.meets(measured, yardstick.value)
    signs = ("<", "≥") if yardstick.limit.exclusive else ("≤", ">")
    return (
        f"{number(facts.energy)} {yardstick.energy} ÷ {_made(facts, yardstick)} = {value}{uom} "
        f"{signs[0] if meets else signs[1]} {threshold}{uom}"
    )


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


def _named(yardstick: Yardstick, coal: _Names, electricity: _Names, pue: _Names) -> _Names:
    if yardstick.limit.uom == PUE:
        return pue
    return electricity if yardstick.energy is Energy.KWH else coal


def _uom(yardstick: Yardstick) -> str:
    """Return the unit of measure as it follows a figure; a PUE has none."""
    return "" if yardstick.limit.uom == PUE else f" {collapse(yardstick.limit.uom)}"


def _energy(facts: ProductFacts, yardstick: Yardstick, basis: str) -> str:
    match yardstick.energy:
        case Energy.KWH:
            return f"{number(facts.energy)} kWh"
        case Energy.KGCE:
            tce = None if facts.energy is None else facts.energy / KGCE_PER_TCE
            return f"{number(tce)} tce{basis}"
        case Energy.TCE | Energy.KGOE as uom:
            return f"{number(facts.energy)} {uom}{basis}"


def _oil(label: str, unverified: str, facts: ProductFacts) -> list[tuple[str, str]]:
    oil = facts.oil
    if oil is None:
        return []
    return [(label, f"1 kgoe = {oil.kgce_per_uom:g} kgce{'' if oil.verified else unverified}")]


def _made(facts: ProductFacts, yardstick: Yardstick) -> str:
    return f"{number(facts.output)} {collapse(yardstick.output_uom)}"


def _benchmark(label: str, yardstick: Yardstick) -> list[tuple[str, str]]:
    limit = yardstick.limit
    if limit.benchmark is None or yardstick.against is Against.BENCHMARK:
        return []
    return [(label, f"{number(limit.benchmark)}{_uom(yardstick)}")]


def _grade(
    label: str, words: dict[Grade, str], yardstick: Yardstick, measured: float | None
) -> list[tuple[str, str]]:
    grade = None if measured is None else intensity.grade(measured, yardstick.levels)
    return [] if grade is None else [(label, words[grade])]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
