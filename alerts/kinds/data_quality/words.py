"""Owns the words of a letter about data quality, in Chinese and English. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from alerts.kinds.data_quality.facts import QualityFacts
from alerts.kinds.data_quality.parameters import MEASURES, Check, Scored
from alerts.kinds.words import (
    CONFIRM_EN,
    CONFIRM_ZH,
    Language,
    Occasion,
    Words,
    collapse,
    level_zh,
    moment,
    number,
    share,
    window,
)
from energy import workdays
from energy.repairs import Fault


@dataclass(frozen=True, slots=True)
class Wording:
    """What a check is called, how it reads while it holds and when it is over, and by what it is
    found. `over`, `fine` take what was measured; `until` labels when something ends or ended.
    """

    label: str
    bound: str
    over: str
    fine: str
    method: str
    until: str = ""


ZH: Mapping[Check, Wording] = {
    Check.OFFLINE: Wording(
        "缺报周期数", "预警起点", "已离线，缺报 {0}", "已恢复上报",
        "自首个应报而未收到读数的时刻起，每过一个采集周期计 1 个缺报周期。", "整改期限",
    ),
    Check.GAP: Wording(
        "缺数率", "预警上限", "缺数率 {0}", "缺数率已回落至 {0}",
        "缺数率 = 1 − 实到读数 ÷ 应到读数，按已结束的整日统计。",
    ),
    Check.FLAT: Wording(
        "数据不变周期数", "预警起点", "数据不变 {0}，期间单位仍在生产", "未再发现数据不变",
        "读数连续多个采集周期完全不变，而单位仍在生产、按平时速率末位本应变化的，计为数据不变；"
        "取统计时段内最近一次。", "截至",
    ),
    Check.CLOCK: Wording(
        "时钟偏差", "预警上限", "时钟偏差 {0}", "时钟偏差已消除",
        "以端设备时钟所记读数时刻与平台收到时刻之差计，取最近数条报文中最小者。", "整改期限",
    ),
    Check.INDEX: Wording(
        "指数", "预警下限", "{0}，低于预警下限", "{0}，已回到下限以上",
        "各项指数 = 计数之比（DB53/T 1116—2022 第3章），区域为所辖单位计数之和之比；综合指数为各项"
        "按评分方案权重的加权平均。",
    ),
    Check.REPAIR: Wording(
        "逾期天数", "预警上限", "，逾期 {0}未修复", "，已修复或已报备",
        "故障发生次日起 3 个工作日内应修复，期满未修复且未报备（人工填报）的为逾期。", "整改期限",
    ),
    Check.VERIFICATION: Wording(
        "检定有效期", "预警起点", "检定 {0}", "检定已续期",
        "以登记的检定/校准证书中最晚的有效期末日计，末日当天为 0 天。", "有效期至",
    ),
}  # fmt: skip
EN: Mapping[Check, Wording] = {
    Check.OFFLINE: Wording(
        "Intervals owed", "An alert from", "offline, {0} owed", "delivers again",
        "from the first reading that was due and did not come, one for each interval of the meter.",
        "To be repaired by",
    ),
    Check.GAP: Wording(
        "Readings missing", "An alert above", "lacks {0} of its readings",
        "lacks no more than {0} of its readings",
        "readings missing = 1 − readings present ÷ readings due, over whole days that have ended.",
    ),
    Check.FLAT: Wording(
        "Intervals it stood still", "An alert from",
        "stood still for {0} while its unit produced", "does not stand still any more",
        "readings that do not change for several intervals though the unit produced and the last "
        "digit should have moved at the usual rate; the newest of the period.", "Until",
    ),
    Check.CLOCK: Wording(
        "Clock off by", "An alert above", "clock off by {0}", "clock in order again",
        "the difference between when readings were complete by the gateway's clock and when they "
        "came: the smallest of the last messages.", "To be repaired by",
    ),
    Check.INDEX: Wording(
        "Index", "An alert below", "at {0}, below the bound", "at {0}, back above the bound",
        "each index is a share of two counts (DB53/T 1116-2022, chapter 3), that of a region the "
        "share of the sums over its units; the composite is their mean by the weights of the "
        "scheme.",
    ),
    Check.REPAIR: Wording(
        "Overdue", "An alert above", "overdue by {0}", "repaired or reported",
        "a fault is to be repaired within 3 working days after the day on which it began; it is "
        "overdue unless it was reported and its data keyed by hand.", "Was due by",
    ),
    Check.VERIFICATION: Wording(
        "Verification", "An alert from", "verification {0}",
        "verification renewed",
        "the last day of the longest of the certificates on record; that day itself counts as 0.",
        "Valid until",
    ),
}  # fmt: skip
INDEX_ZH = {
    Scored.COMPOSITE: "综合指数",
    Scored.COMPLETENESS: "完整性",
    Scored.ACCURACY: "准确性",
    Scored.TIMELINESS: "及时性",
    Scored.VERIFIABILITY: "可核性",
    Scored.VALIDITY: "有效性",
    Scored.NORMATIVITY: "规范性",
}
INDEX_EN = {each: f"{each.value}{' index' if each is Scored.COMPOSITE else ''}" for each in Scored}
THING_ZH = ("表计", "端设备")
THING_EN = ("meter", "gateway")
FAULT_ZH = {
    Fault.SILENCE: "停传",
    Fault.GAP: "缺数",
    Fault.VERIFICATION_EXPIRED: "检定过期",
    Fault.CLOCK_OFFSET: "时钟偏差",
}
FAULT_EN = {
    Fault.SILENCE: "silence",
    Fault.GAP: "gap",
    Fault.VERIFICATION_EXPIRED: "verification expired",
    Fault.CLOCK_OFFSET: "clock offset",
}


ASKS_ZH = [
    CONFIRM_ZH,
    "核查：请用能单位检查表计、端设备、网络和时钟，核对登记信息。",
    "整改：故障发生次日起 3 个工作日内修复；期满未修复的，报备并人工填报数据。",
    "反馈：把原因和处理结果写进预警记录。",
]
ASKS_EN = [
    CONFIRM_EN,
    "Check: have the unit look at meter, gateway, network and clock, and at what is registered.",
    "Repair: within 3 working days after the day it began; after that, report the fault and have "
    "the data keyed by hand.",
    "Reply: write in its record what it was and what was done.",
]
CARE_ZH: Mapping[Check, Sequence[str]] = {
    Check.FLAT: (
        "核查：请用能单位把平台读数与表计现场示数核对，检查表计、接线和采集程序。",
        "整改：属实的，修复或更换表计；期间的数据按程序更正并附证据。",
    ),
    Check.CLOCK: (
        "核查：请用能单位检查端设备的时钟、时区和对时设置。",
        "整改：在整改期限内校准时钟；期满未修复的，报备并人工填报数据。",
    ),
    Check.INDEX: (
        "核查：在平台“数据质量”中查看拉低指数的单位和分项指数。",
        "整改：督促相关单位补传缺数、修复表计、按期检定，使指数回到下限以上。",
    ),
    Check.VERIFICATION: (
        "核查：核对检定/校准证书与登记的有效期；登记有误的，更正后重新导入。",
        "整改：督促用能单位在有效期满前完成检定或校准，并登记新证书；已过期的立即送检。",
    ),
}
"""What is to be looked at and done where it is not what most checks ask for."""

CARE_EN: Mapping[Check, Sequence[str]] = {
    Check.FLAT: (
        "Check: have the unit hold the readings against the meter itself; meter, wiring, program.",
        "Repair: if it is so, mend or replace the meter; correct the data with evidence.",
    ),
    Check.CLOCK: (
        "Check: have the unit look at the clock of the gateway, its time zone, how it is set.",
        "Repair: set the clock by the deadline; after that, report the fault and have the data "
        "keyed by hand.",
    ),
    Check.INDEX: (
        "Check: which units and which indices pull it down: see data quality on the platform.",
        "Act: have these units send what is missing, mend meters, have them verified in time.",
    ),
    Check.VERIFICATION: (
        "Check: the certificates against what is registered; import anew what is wrong.",
        "Act: have the unit verify or calibrate the meter before it ends and register the new "
        "certificate; at once where it has expired.",
    ),
}


def write(occasion: Occasion, language: Language) -> Words:
    """Return what a letter says of data that are not as they should be, or are again."""
    facts = occasion.facts
    assert isinstance(facts, QualityFacts)
    words = _zh if language is Language.ZH else _en
    return words(occasion, facts)


def _zh(occasion: Occasion, facts: QualityFacts) -> Words:
    wording, verdict = ZH[facts.check], occasion.verdict
    assert verdict.threshold is not None
    amount = VALUE_ZH[facts.check]
    measured = _measured(facts, verdict.threshold, amount)
    whose = collapse(occasion.region_name) if facts.unit is None else collapse(facts.unit.name)
    what = _subject(facts, INDEX_ZH, FAULT_ZH, THING_ZH)
    told = (wording.over if occasion.is_over else wording.fine).format(measured)
    code = facts.region if facts.unit is None else collapse(facts.unit.unit)
    return Words(
        subject=f"{whose}：{_joined(what, told)}",
        opening=f"{whose}（{code}）的{_joined(what, told)}。",
        figures=[
            (wording.label, measured),
            (wording.bound, _bound(facts, verdict.threshold, amount, "到期前 {0} 天")),
            *([("预警等级", level_zh(verdict))] if occasion.is_over else []),
            *_when(occasion, facts, ("统计时段", "起始", wording.until), "（北京时间）"),
        ],
        method=wording.method,
        asks=[ASKS_ZH[0], *CARE_ZH.get(facts.check, ASKS_ZH[1:3]), ASKS_ZH[3]],
    )


def _en(occasion: Occasion, facts: QualityFacts) -> Words:
    wording, verdict = EN[facts.check], occasion.verdict
    assert verdict.threshold is not None
    amount = VALUE_EN[facts.check]
    measured = _measured(facts, verdict.threshold, amount)
    whose = collapse(occasion.region_name) if facts.unit is None else collapse(facts.unit.name)
    what = _subject(facts, INDEX_EN, FAULT_EN, THING_EN)
    told = (wording.over if occasion.is_over else wording.fine).format(measured)
    code = facts.region if facts.unit is None else collapse(facts.unit.unit)
    return Words(
        subject=f"{whose}: {what} {told}",
        opening=f"{whose} ({code}), {what}: {told}.",
        figures=[
            (wording.label, measured),
            (wording.bound, _bound(facts, verdict.threshold, amount, "{0} days before it ends")),
            *([("Warning level", str(verdict.level))] if occasion.is_over else []),
            *_when(occasion, facts, ("Period", "Since", wording.until), " (Asia/Shanghai)"),
        ],
        method=wording.method,
        asks=[ASKS_EN[0], *CARE_EN.get(facts.check, ASKS_EN[1:3]), ASKS_EN[3]],
    )


def _subject(
    facts: QualityFacts,
    indices: Mapping[Scored, str],
    faults: Mapping[Fault, str],
    things: tuple[str, str],
) -> str:
    """Return what of a unit or a region it is about: an index, a meter, a gateway, with a fault."""
    if facts.index is not None:
        return indices[facts.index]
    is_gateway = facts.check is Check.CLOCK or facts.fault is Fault.CLOCK_OFFSET
    name = f"{things[is_gateway]} {collapse(facts.subject)}"
    if facts.check is Check.REPAIR and facts.fault is not None:
        return f"{name} {faults[facts.fault]}"
    return name


def _joined(what: str, told: str) -> str:
    return what + ("" if told.startswith("，") else " ") + told


def _measured(facts: QualityFacts, threshold: float, amount: Callable[[float | None], str]) -> str:
    return share(facts.measured, threshold) if amount is share else amount(facts.measured)


def _bound(
    facts: QualityFacts, threshold: float, amount: Callable[[float | None], str], before: str
) -> str:
    """Return from what on it is an alert; `before`: so many days before something ends."""
    is_ahead = facts.check is Check.VERIFICATION
    return before.format(number(threshold)) if is_ahead else amount(threshold)


def _when(
    occasion: Occasion, facts: QualityFacts, labels: tuple[str, str, str], zone: str
) -> list[tuple[str, str]]:
    """Return the window that was counted, or since when it is so; and until when something is, or
    was to be repaired.
    """
    lines = []
    if MEASURES[facts.check].days is not None:
        lines.append((labels[0], window(facts.period) + zone))
    if facts.since is not None:
        lines.append((labels[1], moment(facts.since) + zone))
    if facts.until is not None and labels[2]:
        if facts.check is Check.FLAT:
            lines.append((labels[2], moment(facts.until) + zone))
        elif occasion.is_over or facts.check is Check.VERIFICATION:
            lines.append((labels[2], f"{workdays.last_day(facts.until)}"))
    return lines


def _left_zh(days: float | None) -> str:
    if days is None:
        return "—"
    if days == 0:
        return "今日到期"
    return f"{number(days)} 天后到期" if days > 0 else f"已过期 {number(-days)} 天"


def _left_en(days: float | None) -> str:
    if days is None:
        return "—"
    if days == 0:
        return "ends today"
    length = f"{number(abs(days))} day{'' if abs(days) == 1 else 's'}"
    return f"ends in {length}" if days > 0 else f"expired {length} ago"


def _with(unit: str, one: str = "") -> Callable[[float | None], str]:
    """Return what tells a number of a unit; `one` is how a single one is called."""

    def told(value: float | None) -> str:
        return number(value) if value is None else f"{number(value)} {one if value == 1 else unit}"

    one = one or unit
    return told


VALUE_ZH: Mapping[Check, Callable[[float | None], str]] = {
    Check.OFFLINE: _with("个周期"),
    Check.GAP: share,
    Check.FLAT: _with("个周期"),
    Check.CLOCK: _with("秒"),
    Check.INDEX: share,
    Check.REPAIR: _with("天"),
    Check.VERIFICATION: _left_zh,
}
VALUE_EN: Mapping[Check, Callable[[float | None], str]] = {
    Check.OFFLINE: _with("intervals", "interval"),
    Check.GAP: share,
    Check.FLAT: _with("intervals", "interval"),
    Check.CLOCK: _with("s"),
    Check.INDEX: share,
    Check.REPAIR: _with("days", "day"),
    Check.VERIFICATION: _left_en,
}
