"""Owns the words of a letter about data quality, in Chinese and English. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.kinds.data_quality.facts import QualityFacts
from alerts.kinds.data_quality.parameters import MEASURES, Check, Scored
from alerts.kinds.words import Language, Occasion, Words, collapse, level_zh, number, window
from energy.periods import LOCAL
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
        "缺报周期数", "预警起点", "已离线，缺报 {0} 个周期", "已恢复上报",
        "自首个应报未报时刻起，按表计采集周期计数；由整改时限（停传）认定。",
    ),
    Check.GAP: Wording(
        "缺数率", "预警上限", "缺数率 {0}", "缺数率已回落至 {0}",
        "缺数率 = 1 − 实到读数 ÷ 应到读数，按已结束的整日统计。",
    ),
    Check.FLAT: Wording(
        "数据不变周期数", "预警起点", "数据不变 {0} 个周期，期间单位仍在生产", "未再发现数据不变",
        "取最近一次数据不变疑点；仅当单位在生产、且按平时速率末位应有变化时认定。", "截至",
    ),
    Check.CLOCK: Wording(
        "时钟偏差", "预警上限", "时钟偏差 {0}", "时钟偏差已消除",
        "以最近数条报文中读数时刻与到达时刻之差的最小者计。",
    ),
    Check.INDEX: Wording(
        "指数", "预警下限", "{0}，低于预警下限", "{0}，已回到下限以上",
        "各项指数 = 计数之比（DB53/T 1116—2022 第3章），区域为所辖单位计数之和之比；综合指数为各项"
        "按评分方案权重的加权平均。",
    ),
    Check.REPAIR: Wording(
        "逾期天数", "预警起点", "逾期 {0} 未修复", "已修复或已报备",
        "故障发生次日起 3 个工作日内应修复，期满未修复且未报备（人工填报）的为逾期。", "整改期限",
    ),
    Check.VERIFICATION: Wording(
        "检定", "预警起点", "检定{0}", "检定已续期",
        "以登记的检定/校准证书中最晚的有效期末日计，末日当天为 0 天。", "有效期至",
    ),
}  # fmt: skip
EN: Mapping[Check, Wording] = {
    Check.OFFLINE: Wording(
        "Intervals owed", "An alert from", "offline, {0} intervals owed", "delivers again",
        "intervals of the meter since the first reading that was due and did not come; found by "
        "the repair clock (silence).",
    ),
    Check.GAP: Wording(
        "Readings missing", "An alert above", "lacks {0} of its readings",
        "lacks no more than {0} of its readings",
        "1 - readings present / readings due, over whole days that have ended.",
    ),
    Check.FLAT: Wording(
        "Intervals it stood still", "An alert from",
        "stood still for {0} intervals while its unit produced", "does not stand still any more",
        "the newest suspicion of a flat line: only where the unit produced and the last digit "
        "should have moved at the usual rate.", "Until",
    ),
    Check.CLOCK: Wording(
        "Clock off by", "An alert above", "clock off by {0}", "clock in order again",
        "the smallest difference between when readings of the last messages were complete by the "
        "gateway's clock and when they came.",
    ),
    Check.INDEX: Wording(
        "Index", "An alert below", "at {0}, below the bound", "at {0}, back above the bound",
        "each index is a share of two counts (DB53/T 1116-2022, chapter 3), that of a region the "
        "share of the sums over its units; the composite is their mean by the weights of the "
        "scheme.",
    ),
    Check.REPAIR: Wording(
        "Overdue", "An alert from", "overdue by {0}", "repaired or reported",
        "a fault is to be repaired within 3 working days after the day on which it began; it is "
        "overdue unless it was reported and its data keyed by hand.", "Due",
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
    "确认：在预警页面确认由谁负责，确认后不再提醒。",
    "核查：请用能单位检查表计、端设备、网络和时钟，核对登记信息。",
    "整改：在时限内修复；期满未修复的，报备并人工填报数据。",
    "反馈：把原因和处理结果写在预警页面。",
]
ASKS_EN = [
    "Confirm: say at the alert who takes care of it; nobody is reminded then.",
    "Check: have the unit look at meter, gateway, network and clock, and at what is registered.",
    "Repair: in time; after the deadline, report the fault and have the data keyed by hand.",
    "Reply: write at the alert what it was and what was done.",
]


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
    whose = collapse(occasion.region_name) if facts.unit is None else collapse(facts.unit.name)
    what = _subject(facts, INDEX_ZH, FAULT_ZH, THING_ZH)
    told = (wording.over if occasion.is_over else wording.fine).format(amount(facts.measured))
    code = facts.region if facts.unit is None else collapse(facts.unit.unit)
    return Words(
        subject=f"{whose}：{what} {told}",
        opening=f"{whose}（{code}）的{what} {told}。",
        figures=[
            (wording.label, amount(facts.measured)),
            (wording.bound, amount(verdict.threshold)),
            *([("预警等级", level_zh(verdict))] if occasion.is_over else []),
            *_when(facts, ("统计时段", "起始", wording.until)),
        ],
        method=wording.method,
        asks=ASKS_ZH,
    )


def _en(occasion: Occasion, facts: QualityFacts) -> Words:
    wording, verdict = EN[facts.check], occasion.verdict
    assert verdict.threshold is not None
    amount = VALUE_EN[facts.check]
    whose = collapse(occasion.region_name) if facts.unit is None else collapse(facts.unit.name)
    what = _subject(facts, INDEX_EN, FAULT_EN, THING_EN)
    told = (wording.over if occasion.is_over else wording.fine).format(amount(facts.measured))
    code = facts.region if facts.unit is None else collapse(facts.unit.unit)
    return Words(
        subject=f"{whose}: {what} {told}",
        opening=f"{whose} ({code}), {what}: {told}.",
        figures=[
            (wording.label, amount(facts.measured)),
            (wording.bound, amount(verdict.threshold)),
            *([("Warning level", str(verdict.level))] if occasion.is_over else []),
            *_when(facts, ("Period", "Since", wording.until)),
        ],
        method=wording.method,
        asks=ASKS_EN,
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


def _when(facts: QualityFacts, labels: tuple[str, str, str]) -> list[tuple[str, str]]:
    """Return the window that was counted, or since when it is so; and until when something is."""
    lines = []
    if MEASURES[facts.check].days is not None:
        lines.append((labels[0], window(facts.period)))
    if facts.since is not None:
        lines.append((labels[1], _minute(facts.since)))
    if facts.until is not None and labels[2]:
        is_day = facts.check is Check.VERIFICATION  # the day that ends then is the last one
        last = facts.until.astimezone(LOCAL) - timedelta(days=1)
        lines.append((labels[2], f"{last:%Y-%m-%d}" if is_day else _minute(facts.until)))
    return lines


def _minute(instant: datetime) -> str:
    return f"{instant.astimezone(LOCAL):%Y-%m-%d %H:%M}"


def _share(value: float | None) -> str:
    return "—" if value is None else f"{value:.1%}"


def _left_zh(days: float | None) -> str:
    if days is None:
        return "—"
    return f"还有 {number(days)} 天到期" if days >= 0 else f"已过期 {number(-days)} 天"


def _left_en(days: float | None) -> str:
    if days is None:
        return "—"
    return f"ends in {number(days)} days" if days >= 0 else f"expired {number(-days)} days ago"


def _with(unit: str) -> Callable[[float | None], str]:
    return lambda value: number(value) if value is None else f"{number(value)} {unit}"


VALUE_ZH: Mapping[Check, Callable[[float | None], str]] = {
    Check.OFFLINE: number,
    Check.GAP: _share,
    Check.FLAT: number,
    Check.CLOCK: _with("秒"),
    Check.INDEX: _share,
    Check.REPAIR: _with("天"),
    Check.VERIFICATION: _left_zh,
}
VALUE_EN: Mapping[Check, Callable[[float | None], str]] = {
    Check.OFFLINE: number,
    Check.GAP: _share,
    Check.FLAT: number,
    Check.CLOCK: _with("s"),
    Check.INDEX: _share,
    Check.REPAIR: _with("days"),
    Check.VERIFICATION: _left_en,
}
