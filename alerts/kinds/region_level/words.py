"""Owns the words of a letter about the warning level of a region, in Chinese and English. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from alerts import tasks
from alerts.kinds.region_level.facts import RegionFacts
from alerts.kinds.region_level.verdict import finding
from alerts.kinds.words import (
    CONFIRM_EN,
    CONFIRM_ZH,
    Language,
    Occasion,
    Words,
    collapse,
    months_en,
    number,
    percent,
)
from alerts.verdicts import Verdict
from energy import levels
from energy.indicators import DESCRIPTIONS, Growth, Indicator
from energy.levels import Band, Reason, Scheme
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
    Reason.ROSE: "不降反升",
    Reason.FELL_SHORT: "下降但未达到进度要求",
    Reason.ON_TRACK: "达到进度要求",
    Reason.OVER_CAP: "按目前增速将超过控制目标",
    Reason.WITHIN_CAP: "按目前增速在控制目标以内",
}
STATE_EN = {
    Reason.ROSE: "it rose instead of falling",
    Reason.FELL_SHORT: "it fell short of what the year requires",
    Reason.ON_TRACK: "it is on track",
    Reason.OVER_CAP: "it will be over its cap at the growth so far",
    Reason.WITHIN_CAP: "it will be within its cap at the growth so far",
}
SHORT_ZH = {
    Indicator.ENERGY_PER_GDP: "能耗强度",
    Indicator.ENERGY_PER_INDUSTRIAL_VALUE_ADDED: "单位工业增加值能耗",
    Indicator.TOTAL_ENERGY: "能源消费总量",
    Indicator.CARBON_PER_GDP: "碳排放强度",
}
SHORT_EN = {
    Indicator.ENERGY_PER_GDP: "energy intensity",
    Indicator.ENERGY_PER_INDUSTRIAL_VALUE_ADDED: "energy per industrial value added",
    Indicator.TOTAL_ENERGY: "total energy consumption",
    Indicator.CARBON_PER_GDP: "carbon intensity",
}
GROWTH_ZH = {
    Growth.ENERGY: "能源消费总量增速",
    Growth.GDP: "地区生产总值增速",
    Growth.INDUSTRIAL_ENERGY: "工业能源消费量增速",
    Growth.VALUE_ADDED: "工业增加值增速",
    Growth.CARBON: "二氧化碳排放量增速",
}
GROWTH_EN = {
    Growth.ENERGY: "growth of energy",
    Growth.GDP: "growth of GDP",
    Growth.INDUSTRIAL_ENERGY: "growth of industrial energy",
    Growth.VALUE_ADDED: "growth of industrial value added",
    Growth.CARBON: "growth of carbon dioxide",
}
LABELS_EN = GROWTH_EN | {Growth.ENERGY: "growth of energy consumption"}

ASKS_ZH = [
    CONFIRM_ZH,
    "核查：与统计部门核对能源消费总量和地区生产总值的增速；数据有误的，更正后重新导入。",
    "调控：属实的，启动预警调控方案，分解到重点用能单位和两高项目。",
    "反馈：把原因和调控措施写进预警记录。",
]
ASKS_EN = [
    CONFIRM_EN,
    "Check: the growth of energy and of GDP with the statistics office; import it anew where it is "
    "wrong.",
    "Act: if it is so, start the response plan and break it down to key units and two-high "
    "projects.",
    "Reply: write in its record why it is so and what is done.",
]


def write(occasion: Occasion, language: Language) -> Words:
    """Return what a letter says of a region at a high level, or no longer."""
    facts = occasion.facts
    assert isinstance(facts, RegionFacts)
    found = finding(facts)
    assert found.band is not None
    assert found.scheme is not None
    words = _zh if language is Language.ZH else _en
    return words(occasion, facts, found.scheme, found.band, found.reason)


def _zh(
    occasion: Occasion, facts: RegionFacts, scheme: Scheme, band: Band, reason: Reason
) -> Words:
    region, verdict, of = collapse(occasion.region_name), occasion.verdict, facts.indicator
    months = f"{facts.year}年1{'' if facts.through_month == 1 else f'—{facts.through_month}'}月"
    level, worst = _short(band.name_zh, "（"), _short(scheme.bands[0].name_zh, "（")
    has_eased = not occasion.is_over and not occasion.is_anew
    return Words(
        subject=f"{region}{months}{SHORT_ZH[of]}预警等级：{level}",
        opening=f"{region}（{facts.region}）{months}{DESCRIPTIONS[of].name_zh}{STATE_ZH[reason]}，"
        + ("高等级预警解除。" if has_eased else f"预警等级为{level}。"),
        figures=[
            *(_total_zh(facts, verdict) if _is_total(facts) else _rate_zh(facts, verdict)),
            ("预警等级", f"{level}（{worst}最严峻）"),
            ("统计时段", f"{months}累计，同比"),
            *_growths(facts, GROWTH_ZH, "（不变价）"),
        ],
        method=_method_zh(facts, scheme),
        formula=_formula(facts, verdict, "年度要求", "控制目标"),
        asks=_asks(occasion, ASKS_ZH, f"任务：{tasks.text_zh(occasion.task_due_on)}"),
        explain=_explain(facts),
    )


def _en(
    occasion: Occasion, facts: RegionFacts, scheme: Scheme, band: Band, reason: Reason
) -> Words:
    region, verdict, of = collapse(occasion.region_name), occasion.verdict, facts.indicator
    months = months_en((facts.year, 1), (facts.year, facts.through_month))
    name, has_eased = _capital(_name(of)), not occasion.is_over and not occasion.is_anew
    figures = _total_en(facts, verdict) if _is_total(facts) else _rate_en(facts, verdict)
    return Words(
        subject=f"{region}, {months}: {SHORT_EN[of]} at {_short(band.name_en, ' (')}",
        opening=f"{name} of {region} ({facts.region}), {months}: {STATE_EN[reason]}. "
        + ("The high warning level is over." if has_eased else f"The level is {band.level}."),
        figures=[
            *figures,
            ("Warning level", f"{band.level} ({scheme.bands[0].level} is the worst)"),
            ("Period", f"{months}, cumulative, against the same months a year before"),
            *((_capital(label), value) for label, value in _growths(
                facts, LABELS_EN, " (constant prices)")),
        ],
        method=_method_en(facts, scheme),
        formula=_formula(facts, verdict, "required", "cap"),
        asks=_asks(occasion, ASKS_EN, tasks.text_en(occasion.task_due_on)),
        explain=_explain(facts),
    )  # fmt: skip


def _asks(occasion: Occasion, usual: list[str], task: str) -> list[str]:
    """Return what is asked, with the task that the level opens before the reply to it."""
    return usual if occasion.task is None else [*usual[:-1], task, usual[-1]]


def _rate_zh(facts: RegionFacts, verdict: Verdict) -> list[tuple[str, str]]:
    return [
        (f"{SHORT_ZH[facts.indicator]}变化", percent(verdict.measured)),
        ("年度要求", f"{percent(facts.required_rate)}{PATH_ZH[facts.path]}"),
    ]


def _rate_en(facts: RegionFacts, verdict: Verdict) -> list[tuple[str, str]]:
    return [
        (f"Change of {_name(facts.indicator)}", percent(verdict.measured)),
        ("Required in the year", f"{percent(facts.required_rate)}{PATH_EN[facts.path]}"),
    ]


def _total_zh(facts: RegionFacts, verdict: Verdict) -> list[tuple[str, str]]:
    return [
        ("全年预计占控制目标", f"{number(verdict.measured)} %"),
        ("能源消费总量控制目标", f"{number(facts.cap_tce)} tce"),
        ("上年能源消费总量", f"{number(facts.base_year_tce)} tce"),
        *([("考核", "能耗强度达到激励目标，总量免予考核")] if facts.is_exempt else []),
    ]


def _total_en(facts: RegionFacts, verdict: Verdict) -> list[tuple[str, str]]:
    return [
        ("Expected share of the cap", f"{number(verdict.measured)} %"),
        ("Cap on total energy", f"{number(facts.cap_tce)} tce"),
        ("Total energy of the year before", f"{number(facts.base_year_tce)} tce"),
        *([("Assessment", "exempt: the incentive target is reached")] if facts.is_exempt else []),
    ]


def _growths(facts: RegionFacts, names: Mapping[Growth, str], prices: str) -> list[tuple[str, str]]:
    of = DESCRIPTIONS[facts.indicator]
    found = [(names[of.numerator], percent(facts.energy_growth))]
    if of.denominator is not None:
        found.append((f"{names[of.denominator]}{prices}", percent(facts.gdp_growth)))
    return found


def _method_zh(facts: RegionFacts, scheme: Scheme) -> str:
    of = DESCRIPTIONS[facts.indicator]
    if of.denominator is None:
        how = "全年预计 = 上年能源消费总量 ×（1 + 能源消费总量增速），除以控制目标"
    else:
        how = (
            f"{SHORT_ZH[facts.indicator]}变化 =（1 + {GROWTH_ZH[of.numerator]}）÷"
            f"（1 + {GROWTH_ZH[of.denominator]}）− 1"
        )
    if scheme.scheme == levels.NATIONAL.scheme:
        by = "上升为一级，下降但未达到年度要求为二级，其余为三级（发改办环资〔2021〕629号）"
    else:
        official = "" if scheme.verified else "，非官方规定"
        by = f"等级按“{collapse(scheme.name_zh)}”划分（{collapse(scheme.source)}{official}）"
    return f"{how}；{by}。"


def _method_en(facts: RegionFacts, scheme: Scheme) -> str:
    of = DESCRIPTIONS[facts.indicator]
    if of.denominator is None:
        how = "energy of the year before × (1 + growth of energy), divided by the cap"
    else:
        how = f"(1 + {GROWTH_EN[of.numerator]}) / (1 + {GROWTH_EN[of.denominator]}) - 1"
    if scheme.scheme == levels.NATIONAL.scheme:
        by = (
            "level 1 where it rose, 2 where it fell by less than the year requires, 3 otherwise "
            "(NDRC 发改办环资〔2021〕629号)"
        )
    else:
        official = "" if scheme.verified else "; no official rule"
        by = f"levels by {collapse(scheme.name_en)} ({collapse(scheme.source)}{official})"
    return f"{how}; {by}."


def _formula(facts: RegionFacts, verdict: Verdict, required: str, cap: str) -> str:
    growth = _signed(percent(facts.energy_growth))
    if _is_total(facts):
        return (
            f"{number(facts.base_year_tce)} tce × (1 {growth}) ÷ {number(facts.cap_tce)} tce = "
            f"{number(verdict.measured)} %; {cap} 100 %"
        )
    return (
        f"(1 {growth}) ÷ (1 {_signed(percent(facts.gdp_growth))}) − 1 = "
        f"{percent(verdict.measured)}; {required} {percent(facts.required_rate)}"
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
        **({} if facts.indicator is Indicator.ENERGY_PER_GDP else {"indicator": facts.indicator}),
    }


def _is_total(facts: RegionFacts) -> bool:
    return facts.indicator is Indicator.TOTAL_ENERGY


def _name(indicator: Indicator) -> str:
    return DESCRIPTIONS[indicator].name_en


def _short(name: str, bracket: str) -> str:
    """Return the name of a level without what it adds in brackets.

    >>> _short("一级（十分严峻）", "（"), _short("red light", " (")
    ('一级', 'red light')
    """
    return collapse(name.partition(bracket)[0])


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
