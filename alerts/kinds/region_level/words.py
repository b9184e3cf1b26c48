"""Owns the words of a letter about the warning level of a region, in Chinese and English. Pure."""

from __future__ import annotations

from alerts.kinds.region_level.facts import RegionFacts
from alerts.kinds.words import Language, Occasion, Words, collapse, level_zh, percent
from alerts.verdicts import Verdict
from energy import levels
from energy.targets import Path

PATH_ZH = {
    Path.FILED: "",
    Path.GEOMETRIC_DEFAULT: "（由规划期目标按几何路径推算的默认值，非备案值）",
}
PATH_EN = {
    Path.FILED: "",
    Path.GEOMETRIC_DEFAULT: " (default: the geometric path of the plan, not as filed)",
}
STATE_ZH = {
    levels.ROSE: "不降反升",
    levels.FELL_SHORT: "下降但未达到进度要求",
    levels.ON_TRACK: "达到进度要求",
}
STATE_EN = {
    levels.ROSE: "it rose instead of falling",
    levels.FELL_SHORT: "it fell short of what the year requires",
    levels.ON_TRACK: "it is on track",
}


ASKS_ZH = [
    "确认：在预警页面确认由谁负责，确认后不再提醒。",
    "核查：与统计部门核对能源消费总量和地区生产总值的增速；数据有误的，更正后重新导入。",
    "调控：属实的，启动预警调控方案，分解到重点用能单位和两高项目。",
    "反馈：把原因和调控措施写在预警页面。",
]
ASKS_EN = [
    "Confirm: say at the alert who takes care of it; nobody is reminded then.",
    "Check: the growth of energy and of GDP with the statistics office; import it anew where it is "
    "wrong.",
    "Act: if it is so, start the response plan and break it down to key units and two-high "
    "projects.",
    "Reply: write at the alert why it is so and what is done.",
]


def write(occasion: Occasion, language: Language) -> Words:
    """Return what a letter says of a region at a high level, or no longer."""
    facts = occasion.facts
    assert isinstance(facts, RegionFacts)
    words = _zh if language is Language.ZH else _en
    return words(occasion, facts)


def _zh(occasion: Occasion, facts: RegionFacts) -> Words:
    region, verdict = collapse(occasion.region_name), occasion.verdict
    months = f"{facts.year}年1{'' if facts.through_month == 1 else f'—{facts.through_month}'}月"
    level = level_zh(verdict)
    return Words(
        subject=f"{region}{months}能耗强度预警等级：{level}",
        opening=f"{region}（{facts.region}）{months}单位地区生产总值能耗"
        f"{_state(STATE_ZH, verdict)}，"
        + (f"预警等级为{level}。" if occasion.is_over else "高等级预警解除。"),
        figures=[
            ("能耗强度变化", percent(verdict.measured)),
            ("年度要求", f"{percent(facts.required_rate)}{PATH_ZH[facts.path]}"),
            ("预警等级", f"{level}（一级最严峻）"),
            ("统计时段", f"{months}累计，同比"),
            ("能源消费总量增速", percent(facts.energy_growth)),
            ("地区生产总值增速（不变价）", percent(facts.gdp_growth)),
        ],
        method="能耗强度变化 =（1 + 能源消费总量增速）÷（1 + 地区生产总值增速）− 1；上升为一级，"
        "下降但未达到年度要求为二级，其余为三级（发改办环资〔2021〕629号）。",
        formula=_formula(facts, verdict, "年度要求"),
        asks=ASKS_ZH,
        explain=_explain(facts),
    )


def _en(occasion: Occasion, facts: RegionFacts) -> Words:
    region, verdict = collapse(occasion.region_name), occasion.verdict
    months = f"January to month {facts.through_month} of {facts.year}"
    return Words(
        subject=f"{region}, {months}: energy intensity at level {verdict.level}",
        opening=f"Energy per GDP of {region} ({facts.region}), {months}: "
        f"{_state(STATE_EN, verdict)}. "
        + (
            f"The level is {verdict.level}."
            if occasion.is_over
            else "The high warning level is over."
        ),
        figures=[
            ("Change of energy per GDP", percent(verdict.measured)),
            ("Required in the year", f"{percent(facts.required_rate)}{PATH_EN[facts.path]}"),
            ("Warning level", f"{verdict.level} (1 is the worst)"),
            ("Period", f"{months}, cumulative, against the same months a year before"),
            ("Growth of energy consumption", percent(facts.energy_growth)),
            ("Growth of GDP (constant prices)", percent(facts.gdp_growth)),
        ],
        method="(1 + growth of energy) / (1 + growth of GDP) - 1; level 1 where it rose, 2 where "
        "it fell by less than the year requires, 3 otherwise (NDRC 发改办环资〔2021〕629号).",
        formula=_formula(facts, verdict, "required"),
        asks=ASKS_EN,
        explain=_explain(facts),
    )


def _state(words: dict[int, str], verdict: Verdict) -> str:
    assert verdict.level is not None
    return words[verdict.level]


def _formula(facts: RegionFacts, verdict: Verdict, required: str) -> str:
    energy, gdp = percent(facts.energy_growth), percent(facts.gdp_growth)
    return (
        f"(1 {_signed(energy)}) ÷ (1 {_signed(gdp)}) − 1 = {percent(verdict.measured)}; "
        f"{required} {percent(facts.required_rate)}"
    )


def _signed(text: str) -> str:
    """Return a percentage as a term of a sum.

    >>> _signed("+7.000 %"), _signed("-1.500 %")
    ('+ 7.000 %', '- 1.500 %')
    """
    return f"{text[:1]} {text[1:]}"


def _explain(facts: RegionFacts) -> dict[str, str]:
    return {
        "figure": "level",
        "region": facts.region,
        "period": f"{facts.year}-{facts.through_month:02}",
    }
