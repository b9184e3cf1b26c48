"""Owns the words of a letter about two-high projects, in Chinese and English. Pure."""

from __future__ import annotations

from alerts.kinds.region_level.verdict import finding
from alerts.kinds.two_high.facts import TwoHighFacts
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
from db.two_high import TwoHighRow
from energy.levels import Band

NAMED_MAX = 20
"""Projects that a letter names; more are counted."""

ASKS_ZH = [
    CONFIRM_ZH,
    "核查：核对增速数据和两高项目清单；有误的，更正后重新导入。",
    "暂停：属实的，除国家规划布局的重大项目外，本年度内暂停上述项目的节能审查。",
    "报送：20 个工作日内报送能耗强度不降反升的地区名单，并把措施写进预警记录。",
]
ASKS_EN = [
    CONFIRM_EN,
    "Check: the figures of growth and the list of projects; import anew what is wrong.",
    "Suspend: if it is so, the energy review of these projects for the rest of the year, but for "
    "major projects that are planned nationally.",
    "Report: the list of regions whose energy intensity rose within 20 working days; write in "
    "its record what is done.",
]


def write(occasion: Occasion, language: Language) -> Words:
    """Return what a letter says of projects under review in a region at the worst level."""
    facts = occasion.facts
    assert isinstance(facts, TwoHighFacts)
    found = finding(facts.region)
    assert found.band is not None
    words = _zh if language is Language.ZH else _en
    return words(occasion, facts, found.measured, found.band)


def _zh(occasion: Occasion, facts: TwoHighFacts, rate: float | None, band: Band) -> Words:
    region, of, count = collapse(occasion.region_name), facts.region, len(facts.projects)
    months = f"{of.year}年1{'' if of.through_month == 1 else f'—{of.through_month}'}月"
    says = (
        f"能耗强度不降反升，{count} 个两高项目正在节能审查"
        if occasion.is_over
        else "已无须暂停节能审查的两高项目"
    )
    return Words(
        subject=f"{region}{months}{says}",
        opening=f"{region}（{of.region}）{months}{says}。",
        figures=[
            ("在审两高项目", f"{count} 个，合计 {number(_total(facts))} tce/年"),
            ("能耗强度变化", percent(rate)),
            ("能耗强度预警等级", collapse(band.name_zh)),
            ("统计时段", f"{months}累计，同比"),
            *(
                (f"项目 {place}", _project(row, "{0}（{1}，{2}）：{3} tce/年"))
                for place, row in enumerate(facts.projects[:NAMED_MAX], 1)
            ),
            *([("其余项目", f"{count - NAMED_MAX} 个")] if count > NAMED_MAX else []),
            *(
                [("国家规划布局重大项目", f"{facts.excepted} 个，不在暂停之列")]
                if facts.excepted
                else []
            ),
        ],
        method="能耗强度不降反升的地区，本年度内暂停两高项目节能审查，国家规划布局的重大项目除外"
        "（发改办环资〔2021〕629号）；所列为本地区清单中处于节能审查、年综合能耗达到规则所定数量的"
        "项目。",
        asks=ASKS_ZH,
        explain=_explain(facts),
    )


def _en(occasion: Occasion, facts: TwoHighFacts, rate: float | None, band: Band) -> Words:
    region, of, count = collapse(occasion.region_name), facts.region, len(facts.projects)
    months = months_en((of.year, 1), (of.year, of.through_month))
    says = (
        f"energy intensity rose, and {count} two-high project{'s are' if count > 1 else ' is'} "
        "under review"
        if occasion.is_over
        else "there is no two-high project any more whose review is suspended"
    )
    return Words(
        subject=f"{region}, {months}: {says}",
        opening=f"{region} ({of.region}), {months}: {says}.",
        figures=[
            (
                "Two-high projects under review",
                f"{count}, in all {number(_total(facts))} tce a year",
            ),
            ("Change of energy per GDP", percent(rate)),
            ("Level of energy intensity", collapse(band.name_en)),
            ("Period", f"{months}, cumulative, against the same months a year before"),
            *(
                (f"Project {place}", _project(row, "{0} ({1}, {2}): {3} tce a year"))
                for place, row in enumerate(facts.projects[:NAMED_MAX], 1)
            ),
            *([("Further projects", str(count - NAMED_MAX))] if count > NAMED_MAX else []),
            *([("Planned nationally, excepted", str(facts.excepted))] if facts.excepted else []),
        ],
        method="where energy intensity rose, the energy review of two-high projects is suspended "
        "for the rest of the year, but for major projects planned nationally (NDRC "
        "发改办环资〔2021〕629号); those of the region's list that are under review and use as "
        "much a year as the rule says.",
        asks=ASKS_EN,
        explain=_explain(facts),
    )


def _project(row: TwoHighRow, told: str) -> str:
    names = (collapse(each) for each in (row.name, row.project, row.owner_name))
    return told.format(*names, number(row.annual_tce))


def _total(facts: TwoHighFacts) -> float:
    return sum(row.annual_tce for row in facts.projects)


def _explain(facts: TwoHighFacts) -> dict[str, str]:
    of = facts.region
    return {
        "figure": "level",
        "region": of.region,
        "period": f"{of.year}-{of.through_month:02}",
    }
