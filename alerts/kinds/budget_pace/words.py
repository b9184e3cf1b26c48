"""Owns the words of a letter about an energy budget, in Chinese and English. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import date, timedelta

from alerts.kinds.budget_pace.facts import BudgetFacts
from alerts.kinds.words import (
    BASIS_EN,
    BASIS_ZH,
    CONFIRM_EN,
    CONFIRM_ZH,
    Language,
    Occasion,
    Words,
    collapse,
    level_zh,
    number,
    rfc3339,
    share,
)
from energy.forecast import Projection

ASKS_ZH = [
    CONFIRM_ZH,
    "核查：核对用能数据和预算；数据有误的，由用能单位更正并附证据。",
    "调控：属实的，压减后续用能，或按程序申请调整预算。",
    "反馈：把原因和措施写进预警记录。",
]
ASKS_EN = [
    CONFIRM_EN,
    "Check: the data and the budget; where data are wrong, the unit corrects them with evidence.",
    "Act: if it is so, use less from now on, or apply for another budget.",
    "Reply: write in its record why it is so and what is done.",
]
EDGE_ZH = {"low": "（按区间下限）", "high": "（按区间上限）"}
EDGE_EN = {"low": ", at least", "high": ", at most"}


def write(occasion: Occasion, language: Language) -> Words:
    """Return what a letter says of a budget that runs out early, or no longer."""
    facts = occasion.facts
    assert isinstance(facts, BudgetFacts)
    return _zh(occasion, facts) if language is Language.ZH else _en(occasion, facts)


def _zh(occasion: Occasion, facts: BudgetFacts) -> Words:
    owner, row, found = collapse(facts.owner_name), facts.row, facts.standing.projection
    amount, says = f"{number(row.amount_tce)} tce 用能预算", _says_zh(occasion, facts)
    whole = f"{number(row.amount_tce)} tce（{BASIS_ZH[row.basis]}，{collapse(row.source)}）"
    return Words(
        subject=f"{owner}：{amount}{says}",
        opening=f"{owner}（{collapse(row.owner)}）{row.starts_on} 至 {_last(facts)} 的 {amount}"
        f"{says}。",
        figures=[
            _judged(
                "已用占预算", _expected("预计期末用量占预算", EDGE_ZH, occasion), occasion, facts
            ),
            ("时间进度", _elapsed(facts)),
            *([("允许进度", _allowed(occasion))] if facts.is_pace else []),
            ("预算", whole),
            ("预算期", f"{row.starts_on} — {_last(facts)}"),
            ("已用", f"{number(facts.standing.used_tce)} tce（截至 {facts.standing.through_on}）"),
            ("近七日平均", f"{number(facts.standing.pace_tce)} tce/日"),
            *_projected("预计期末用量", "预计用完", _day_zh, found, "（{0} — {1}）"),
            *([("预警等级", level_zh(occasion.verdict))] if occasion.is_over else []),
            ("计入单位", f"{facts.unit_count} 家"),
            ("数据完整率", f"{occasion.verdict.coverage:.1%}"),
            ("估算占比", f"{occasion.verdict.estimated_share:.1%}"),
        ],
        method="预计值由最近八周同类日（星期几、节假日、调休上班日）的平均用能外推，括号内为模型在"
        "最近八周中最大偏差给出的区间；不考虑趋势和天气。",
        formula=_comes_to(occasion, facts, "；") + _formula(facts, "时间进度", "天", "；"),
        asks=ASKS_ZH,
        explain=_explain(facts),
    )


def _en(occasion: Occasion, facts: BudgetFacts) -> Words:
    owner, row, found = collapse(facts.owner_name), facts.row, facts.standing.projection
    amount, says = f"energy budget of {number(row.amount_tce)} tce", _says_en(occasion, facts)
    standing = facts.standing
    whole = f"{number(row.amount_tce)} tce ({BASIS_EN[row.basis]}, {collapse(row.source)})"
    return Words(
        subject=f"{owner}: the {amount} {says}",
        opening=f"The {amount} of {owner} ({collapse(row.owner)}), {row.starts_on} to "
        f"{_last(facts)}, {says}.",
        figures=[
            _judged(
                "Used of the budget",
                _expected("Expected share of the budget", EDGE_EN, occasion),
                occasion,
                facts,
            ),
            ("Share of the period that is over", _elapsed(facts)),
            *([("Allowed share", _allowed(occasion))] if facts.is_pace else []),
            ("Budget", whole),
            ("Period", f"{row.starts_on} — {_last(facts)}"),
            ("Used", f"{number(standing.used_tce)} tce (through {standing.through_on})"),
            ("Mean of the last seven days", f"{number(standing.pace_tce)} tce a day"),
            *_projected("Expected at the end", "Runs out", _day_en, found, " ({0} — {1})"),
            *([("Warning level", str(occasion.verdict.level))] if occasion.is_over else []),
            ("Units charged to it", str(facts.unit_count)),
            ("Coverage", f"{occasion.verdict.coverage:.1%}"),
            ("Estimated share", f"{occasion.verdict.estimated_share:.1%}"),
        ],
        method="a coming day uses the mean of days of its kind (weekday, holiday, worked weekend) "
        "in the last eight weeks; in brackets what that has missed by at most in them. No trend, "
        "no weather.",
        formula=_comes_to(occasion, facts, "; ") + _formula(facts, "time", "days", "; "),
        asks=ASKS_EN,
        explain=_explain(facts),
    )


def _says_zh(occasion: Occasion, facts: BudgetFacts) -> str:
    found, is_pace = facts.standing.projection, facts.is_pace
    if not occasion.is_over and is_pace:
        return f"已用 {_share(facts)}，在允许进度 {_allowed(occasion)} 以内"
    if not occasion.is_over:
        return "按目前用能水平可用至期末"
    if is_pace:
        return f"已用 {_share(facts)}，快于时间进度 {_elapsed(facts)}"
    if _is_exhausted(facts) or found is None:
        return "已用完"
    if found.runs_out_on is None:
        return f"预计最早{_day_zh(found.earliest_on)}用完，早于期末"
    return f"预计{_day_zh(found.runs_out_on)}用完，早于期末"


def _says_en(occasion: Occasion, facts: BudgetFacts) -> str:
    found, is_pace = facts.standing.projection, facts.is_pace
    if not occasion.is_over and is_pace:
        return f"is {_share(facts)} used, within the {_allowed(occasion)} that are allowed"
    if not occasion.is_over:
        return "lasts at today's rate"
    if is_pace:
        return f"is {_share(facts)} used, while {_elapsed(facts)} of its period is over"
    if _is_exhausted(facts) or found is None:
        return "is used up"
    if found.runs_out_on is None:
        return f"may run out on {_day_en(found.earliest_on)}, before its end"
    return f"is expected to run out on {_day_en(found.runs_out_on)}, before its end"


def _judged(used: str, expected: str, occasion: Occasion, facts: BudgetFacts) -> tuple[str, str]:
    """Return what is judged: the share that is used, or what it comes to."""
    is_used = facts.is_pace or facts.standing.projection is None
    return (used if is_used else expected), _found(occasion)


def _projected(
    total: str,
    day: str,
    show: Callable[[date | None], str],
    found: Projection | None,
    band: str,
) -> list[tuple[str, str]]:
    if found is None:
        return []
    ends = {found.earliest_on, found.runs_out_on, found.latest_on}
    days = "" if len(ends) == 1 else band.format(show(found.earliest_on), show(found.latest_on))
    around = band.format(number(found.low_tce), number(found.high_tce))
    return [
        (total, f"{number(found.expected_tce)} tce{around}"),
        (day, show(found.runs_out_on) + days),
    ]


def _expected(label: str, edges: Mapping[str, str], occasion: Occasion) -> str:
    """Return what the expected share is called, which may be that of an end of the band."""
    facts = occasion.facts
    assert isinstance(facts, BudgetFacts)
    found, measured = facts.standing.projection, occasion.verdict.measured
    if found is None or measured is None:
        return label
    for edge, total in (("low", found.low_tce), ("high", found.high_tce)):
        is_edge = math.isclose(measured, 100 * total / facts.row.amount_tce)
        if is_edge and total != found.expected_tce:
            return label + edges[edge]
    return label


def _comes_to(occasion: Occasion, facts: BudgetFacts, then: str) -> str:
    """Return how the share that is judged comes about, where it is of what is expected."""
    measured, amount = occasion.verdict.measured, facts.row.amount_tce
    if facts.is_pace or facts.standing.projection is None or measured is None:
        return ""
    total = number(measured * amount / 100)
    return f"{total} tce ÷ {number(amount)} tce = {_found(occasion)}{then}"


def _formula(facts: BudgetFacts, time: str, days: str, then: str) -> str:
    row, used = facts.row, number(facts.standing.used_tce)
    length = (row.ends_on - row.starts_on).days
    over = round(facts.elapsed_share * length)
    return (
        f"{used} tce ÷ {number(row.amount_tce)} tce = {_share(facts)}{then}"
        f"{time} {over} ÷ {length} {days} = {_elapsed(facts)}"
    )


def _explain(facts: BudgetFacts) -> dict[str, str]:
    """Return what asks where the energy of a unit comes from; of several, nothing does."""
    if facts.unit is None or facts.through is None:
        return {}
    return {
        "figure": "consumption",
        "basis": facts.row.basis,
        "unit": facts.unit.unit,
        "from": rfc3339(facts.through.starts_at),
        "to": rfc3339(facts.through.ends_at),
    }


def _is_exhausted(facts: BudgetFacts) -> bool:
    used = facts.standing.used_share
    return used is not None and used >= 1


def _share(facts: BudgetFacts) -> str:
    return share(facts.standing.used_share, facts.elapsed_share)


def _elapsed(facts: BudgetFacts) -> str:
    return share(facts.elapsed_share)


def _found(occasion: Occasion) -> str:
    """Return what is judged, beside what it is held against."""
    measured, threshold = occasion.verdict.measured, occasion.verdict.threshold
    if measured is None or threshold is None:
        return "—"
    return share(measured / 100, threshold / 100)


def _allowed(occasion: Occasion) -> str:
    """Return what may be used by now: a pace may be ahead of time by its tolerance."""
    assert occasion.verdict.threshold is not None
    return share(occasion.verdict.threshold / 100)


def _last(facts: BudgetFacts) -> date:
    return facts.row.ends_on - timedelta(days=1)


def _day_zh(on: date | None) -> str:
    return "期末以后" if on is None else f"{on.year}年{on.month}月{on.day}日"


def _day_en(on: date | None) -> str:
    return "after its period" if on is None else f"{on.day} {on:%b %Y}"
