"""Owns the words of a letter about an expression, in Chinese and English. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from alerts import expressions
from alerts.kinds.expression.facts import ExpressionFacts
from alerts.kinds.expression.parameters import NAMES
from alerts.kinds.words import (
    BASIS_EN,
    BASIS_ZH,
    Language,
    Occasion,
    Words,
    collapse,
    level_zh,
    number,
    percent,
    window,
)

LABEL_ZH = {
    "energy_tce": "综合能耗",
    "output": "产量",
    "intensity": "单位产品综合能耗",
    "limit": "限额值",
    "baseline": "基准水平",
    "benchmark": "标杆水平",
    "coverage": "数据完整率",
    "estimated_share": "估算占比",
    "quantity": "实物量",
    "growth": "同比增速",
    "index": "数据质量综合指数",
    "annual_tce": "登记年综合能耗",
    "energy_growth": "能源消费总量增速",
    "gdp_growth": "地区生产总值增速（不变价）",
    "rate": "能耗强度变化",
    "required_rate": "年度要求",
}
LABEL_EN = {
    "energy_tce": "energy",
    "output": "output",
    "intensity": "energy per unit of product",
    "limit": "limit",
    "baseline": "baseline",
    "benchmark": "benchmark",
    "coverage": "coverage",
    "estimated_share": "estimated share",
    "quantity": "quantity",
    "growth": "growth against the year before",
    "index": "composite index of data quality",
    "annual_tce": "annual energy as registered",
    "energy_growth": "growth of energy consumption",
    "gdp_growth": "growth of GDP (constant prices)",
    "rate": "change of energy per GDP",
    "required_rate": "required in the year",
}
CHANGES = frozenset({"growth", "energy_growth", "gdp_growth", "rate", "required_rate"})
SHARES = frozenset({"coverage", "estimated_share", "index"})
TCE = frozenset({"energy_tce", "annual_tce"})


def write(occasion: Occasion, language: Language) -> Words:
    """Return what a letter says of facts of which an expression holds, or no longer does."""
    facts = occasion.facts
    assert isinstance(facts, ExpressionFacts)
    words = _zh if language is Language.ZH else _en
    return words(occasion, facts)


def _zh(occasion: Occasion, facts: ExpressionFacts) -> Words:
    text, whose = collapse(facts.text), _whose(occasion, facts)
    told = "满足" if occasion.is_over else "不满足" if occasion.is_anew else "不再满足"
    name = f"“{collapse(occasion.rule_name)}”" if occasion.rule_name else f" {text}"
    basis = "" if facts.basis is None else f"（{BASIS_ZH[facts.basis]}）"
    return Words(
        subject=f"{whose}：{told}预警条件{name}",
        opening=f"{whose}（{collapse(facts.key)}）{told}预警条件 {text}。",
        figures=[
            ("预警条件", text),
            *(
                (f"{LABEL_ZH[name]}（{name}）", f"{shown}{basis if name in TCE else ''}")
                for name, shown in _figures(facts)
            ),
            *([("预警等级", level_zh(occasion.verdict))] if occasion.is_over else []),
            ("统计时段", f"{window(facts.period)}（北京时间）"),
        ],
        method="把上列各项数值代入预警条件（and 为“且”，or 为“或”，not 为“非”，* 为乘）；"
        "所用数值缺失或完整率不足时不作判断。",
    )


def _en(occasion: Occasion, facts: ExpressionFacts) -> Words:
    text, whose = collapse(facts.text), _whose(occasion, facts)
    no_more = "does not hold" if occasion.is_anew else "does not hold any more"
    told = "holds" if occasion.is_over else no_more
    name = f"“{collapse(occasion.rule_name)}”" if occasion.rule_name else text
    basis = "" if facts.basis is None else f" ({BASIS_EN[facts.basis]})"
    return Words(
        subject=f"{whose}: the condition {name} {told}",
        opening=f"{whose} ({collapse(facts.key)}): the condition {text} {told}.",
        figures=[
            ("Condition", text),
            *(
                (f"{LABEL_EN[name].capitalize()} ({name})",
                 f"{shown}{basis if name in TCE else ''}")
                for name, shown in _figures(facts)
            ),
            *([("Warning level", str(occasion.verdict.level))] if occasion.is_over else []),
            ("Period", f"{window(facts.period)} (Asia/Shanghai)"),
        ],
        method="the condition over the facts above; it is not judged while one of them is missing "
        "or too few readings are there.",
    )  # fmt: skip


def _whose(occasion: Occasion, facts: ExpressionFacts) -> str:
    return collapse(occasion.region_name if facts.unit is None else facts.unit.name)


def _figures(facts: ExpressionFacts) -> list[tuple[str, str]]:
    """Return the facts that the expression names, with their values."""
    names = expressions.parse(facts.text, NAMES[facts.of]).names
    return [(name, _shown(name, facts.known.get(name), facts.units)) for name in names]


def _shown(name: str, value: float | None, units: Mapping[str, str]) -> str:
    if name in CHANGES:
        return percent(value)
    if name in SHARES:
        return "—" if value is None else f"{value:.1%}"
    uom = "tce" if name in TCE else collapse(units.get(name, ""))
    return f"{number(value)} {uom}".strip()
