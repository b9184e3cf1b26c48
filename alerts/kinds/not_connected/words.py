"""Owns the words of a letter about a unit that should be connected, Chinese and English. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.kinds.not_connected.facts import ConnectionFacts
from alerts.kinds.words import (
    CONFIRM_EN,
    CONFIRM_ZH,
    Language,
    Occasion,
    Words,
    collapse,
    level_zh,
    number,
)

ASKS_ZH = [
    CONFIRM_ZH,
    "核查：核对投产日期、边界表计清单和接入情况；登记有误的，更正后重新导入。",
    "整改：属实的，书面限定接入日期，并督促用能单位按期接入。",
    "反馈：把原因和接入计划写进预警记录。",
]
ASKS_EN = [
    CONFIRM_EN,
    "Check: the day of commissioning, the list of boundary meters, what is connected; import it "
    "anew where it is wrong.",
    "Act: if it is so, set the unit a day in writing by which they are connected.",
    "Reply: write in its record why it is so and when it will be connected.",
]


def write(occasion: Occasion, language: Language) -> Words:
    """Return what a letter says of a unit that is not connected, or is now."""
    facts = occasion.facts
    assert isinstance(facts, ConnectionFacts)
    words = _zh if language is Language.ZH else _en
    return words(occasion, facts)


def _zh(occasion: Occasion, facts: ConnectionFacts) -> Words:
    name, threshold = collapse(facts.unit.name), occasion.verdict.threshold
    told = "投产后未按要求接入" if occasion.is_over else "已接入"
    return Words(
        subject=f"{name}：{told}",
        opening=f"{name}（{collapse(facts.unit.unit)}）{told}（能耗在线监测应与项目同步投产）。",
        figures=[
            ("投产后天数", f"{facts.days} 天（允许 {number(threshold)} 天）"),
            ("投产日期", facts.commissioned_on.isoformat()),
            *([("预警等级", level_zh(occasion.verdict))] if occasion.is_over else []),
            ("边界表计", f"{facts.boundary} 块，其中已上报 {facts.heard} 块"),
            *_listed("从未上报的表计", [_meter_zh(each, facts) for each in facts.silent], "、"),
            *_listed(
                "已填报但无边界表计的能源品种",
                [facts.carriers.get(each, (each, each))[0] for each in facts.unmetered],
                "、",
            ),
        ],
        method="以登记的投产日期、边界表计及其首次读数计；表计自安装之日起同样给予上述天数。",
        asks=ASKS_ZH,
    )


def _en(occasion: Occasion, facts: ConnectionFacts) -> Words:
    name, threshold = collapse(facts.unit.name), occasion.verdict.threshold
    told = "commissioned and not connected as required" if occasion.is_over else "connected now"
    return Words(
        subject=f"{name}: {told}",
        opening=f"{name} ({collapse(facts.unit.unit)}): {told} (metering is to begin with "
        "production).",
        figures=[
            ("Days since commissioning", f"{facts.days} ({number(threshold)} are allowed)"),
            ("Commissioned on", facts.commissioned_on.isoformat()),
            *([("Warning level", str(occasion.verdict.level))] if occasion.is_over else []),
            ("Boundary meters", f"{facts.boundary}, {facts.heard} of them heard"),
            *_listed("Meters never heard", [_meter_en(each, facts) for each in facts.silent], ", "),
            *_listed(
                "Carriers filed without a boundary meter",
                [facts.carriers.get(each, (each, each))[1] for each in facts.unmetered],
                ", ",
            ),
        ],
        method="the registered day of commissioning, the boundary meters and their first readings; "
        "a meter has as many days from its installation.",
        asks=ASKS_EN,
    )


def _meter_zh(told: str, facts: ConnectionFacts) -> str:
    """Return a meter with its carrier, "G01 (natural_gas)", as it is called in Chinese."""
    meter, _, carrier = told.removesuffix(")").partition(" (")
    return f"{meter}（{facts.carriers.get(carrier, (carrier, carrier))[0]}）" if carrier else told


def _meter_en(told: str, facts: ConnectionFacts) -> str:
    meter, _, carrier = told.removesuffix(")").partition(" (")
    return f"{meter} ({facts.carriers.get(carrier, (carrier, carrier))[1]})" if carrier else told


def _listed(label: str, names: Sequence[str], comma: str) -> list[tuple[str, str]]:
    return [(label, comma.join(collapse(each) for each in names))] if names else []
