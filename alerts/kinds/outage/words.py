"""Owns the words of a letter about an outage, in Chinese and English. Pure."""

from __future__ import annotations

from datetime import timedelta

from alerts.kinds.outage.facts import OutageFacts, Scale, silent_meters
from alerts.kinds.words import (
    CONFIRM_EN,
    CONFIRM_ZH,
    Language,
    Occasion,
    Words,
    collapse,
    level_zh,
    moment,
)
from db.outages import Site

ASKS_ZH = [
    CONFIRM_ZH,
    "核查：网络、供电、端设备和消息代理是否正常；端设备会保留未回执的数据，恢复后自动补传。",
    "反馈：把原因和恢复时间写进预警记录。",
]
ASKS_EN = [
    CONFIRM_EN,
    "Check: network, power, gateways and broker. Gateways keep what has no receipt, and send it "
    "when they are back.",
    "Reply: write in its record what it was and when it was over.",
]
COUNTED_ZH = {
    Scale.BROKER: ("台", "端设备"),
    Scale.CITY: ("台", ""),  # whose gateways they are says the place
    Scale.UNIT: ("块", "计量表"),
}
ASKS_PART_ZH = [
    ASKS_ZH[1],
    "反馈：把原因和恢复时间告知{region}节能主管部门，由其登记确认和反馈，贵单位无需确认。",
]
ASKS_PART_EN = [
    ASKS_EN[1],
    "Reply: tell the authority of {region} what it was and when it was over; it confirms the alert "
    "and writes that down, nothing is to be confirmed by you.",
]


def write(occasion: Occasion, language: Language) -> Words:
    """Return what a letter says of an incident, or of its end."""
    facts = occasion.facts
    assert isinstance(facts, OutageFacts)
    return _zh(occasion, facts) if language is Language.ZH else _en(occasion, facts)


def _zh(occasion: Occasion, facts: OutageFacts) -> Words:
    place, (counter, noun) = _place_zh(occasion, facts), COUNTED_ZH[facts.scale]
    part = "" if occasion.part_name is None else collapse(occasion.part_name)
    told = f"{part}{noun} {facts.total} {counter}中 {facts.measured} {counter}中断".strip()
    only = f"本通知只列{part}的情况。" if part else ""
    return Words(
        subject=f"{place}：{told if occasion.is_over else part + _over_zh(facts)}",
        opening=_opening_zh(occasion, facts, place, part) + only,
        figures=[
            ("中断数量", f"{facts.measured} {counter}（共 {facts.total} {counter}）"),
            *([] if part else [("预警起点", f"{facts.threshold} {counter}")]),
            *([("预警等级", level_zh(occasion.verdict))] if occasion.is_over else []),
            ("受影响表计", f"{facts.meters} 块"),
            ("受影响单位", f"{len(facts.sites)} 家"),
            *_since("起始时间", "（北京时间）", facts),
            *[(f"单位 {number}", _site_zh(site)) for number, site in enumerate(facts.shown, 1)],
            *([("其余单位", f"{facts.left_out} 家，见平台")] if facts.left_out else []),
        ],
        method=f"端设备超过 {_minutes(facts)} 分钟未收到数据即计为中断；"
        "同一单位、同一地市或全部端设备中断的数量与占比达到规则阈值时合并为一起事件，成员告警不再单独发函，事件结束后仍未恢复的另行发函。",
        asks=_asks(occasion, ASKS_ZH, ASKS_PART_ZH),
    )


def _opening_zh(occasion: Occasion, facts: OutageFacts, place: str, part: str) -> str:
    if not occasion.is_over:
        return f"{place}{part and f'：{part}'}{_over_zh(facts)}。"
    counter, noun = COUNTED_ZH[facts.scale]
    silent = f"{facts.measured} {counter}{noun}同时失去通信"
    return f"{place}{part and f'（{part}）'}有 {silent}，作为一起事件通报，不再逐表发函。"


def _en(occasion: Occasion, facts: OutageFacts) -> Words:
    place, uom = _place_en(occasion, facts), "meters" if facts.scale is Scale.UNIT else "gateways"
    count = f"{facts.measured} of {facts.total} {uom}"
    name = None if occasion.part_name is None else collapse(occasion.part_name)
    part = "" if name is None else f" in {name}"
    only = "" if name is None else f" This tells only what lies in {name}."
    return Words(
        subject=f"{place}: {count}{part} silent"
        if occasion.is_over
        else f"{place}: {_over_en(facts)}{part}",
        opening=f"{place}: "
        + (
            f"{count}{part} are silent at once. This is one letter about all of it, instead of one "
            "about each meter."
            if occasion.is_over
            else f"{_over_en(facts)}{part}."
        )
        + only,
        figures=[
            ("Silent", count),
            *([] if part else [("An alert from", f"{facts.threshold} {uom}")]),
            *([("Warning level", str(occasion.verdict.level))] if occasion.is_over else []),
            ("Meters behind", f"{facts.meters}"),
            ("Units", f"{len(facts.sites)}"),
            *_since("Since", " (Asia/Shanghai)", facts),
            *[(f"Unit {number}", _site_en(site)) for number, site in enumerate(facts.shown, 1)],
            *([("More units", f"{facts.left_out}, see the platform")] if facts.left_out else []),
        ],
        method=f"A gateway that was not heard for {_minutes(facts)} minutes is silent. Where "
        "number and share of what is silent reach its thresholds, in a unit, a city or altogether, "
        "that is one incident; what is still silent when it ends is written about then.",
        asks=_asks(occasion, ASKS_EN, ASKS_PART_EN),
    )


def _asks(occasion: Occasion, whole: list[str], part: list[str]) -> list[str]:
    """Return what is asked: of who is told a part only, nothing that is for who sees it all."""
    if occasion.part_name is None:
        return whole
    return [each.format(region=collapse(occasion.region_name)) for each in part]


def _over_zh(facts: OutageFacts) -> str:
    return f"已基本恢复通信，仍有 {facts.measured} 处中断" if facts.measured else "已恢复通信"


def _over_en(facts: OutageFacts) -> str:
    return f"mostly heard again, {facts.measured} still silent" if facts.measured else "heard again"


def _place_zh(occasion: Occasion, facts: OutageFacts) -> str:
    match facts.scale:
        case Scale.BROKER:
            ours = "（平台自身未连接消息代理）" if facts.is_our_own else ""
            return f"{collapse(occasion.region_name)}消息代理{ours}"
        case Scale.CITY:
            return f"{collapse(occasion.region_name)}端设备"
        case Scale.UNIT:
            return _name(facts)


def _place_en(occasion: Occasion, facts: OutageFacts) -> str:
    match facts.scale:
        case Scale.BROKER:
            ours = " (we ourselves do not reach it)" if facts.is_our_own else ""
            return f"Broker of {collapse(occasion.region_name)}{ours}"
        case Scale.CITY:
            return f"Gateways of {collapse(occasion.region_name)}"
        case Scale.UNIT:
            return _name(facts)


def _name(facts: OutageFacts) -> str:
    unit = facts.about_unit
    assert unit is not None
    return f"{collapse(unit.name)}（{unit.unit}）"


def _site_zh(site: Site) -> str:
    gateways = "、".join(map(collapse, site.silent_gateways)) or "端设备在线"
    return f"{collapse(site.unit_name)}（{gateways}；{silent_meters(site)}/{site.meters} 块表）"


def _site_en(site: Site) -> str:
    gateways = ", ".join(map(collapse, site.silent_gateways)) or "gateways are heard"
    return f"{collapse(site.unit_name)} ({gateways}; {silent_meters(site)} of {site.meters} meters)"


def _minutes(facts: OutageFacts) -> str:
    return f"{facts.silence // timedelta(minutes=1)}"


def _since(label: str, zone: str, facts: OutageFacts) -> list[tuple[str, str]]:
    """Return since when it is so; nothing of what is over altogether."""
    return [(label, moment(facts.period.starts_at) + zone)] if facts.sites else []
