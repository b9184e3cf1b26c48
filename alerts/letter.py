"""Owns the words of warning letters: plain text, Simplified Chinese, English by the contact.

Pure. Names come from files and may hold anything: nothing in them can begin a new line or header.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from alerts.facts import ProductFacts, RegionFacts, Yardstick
from alerts.lifecycle import Reason
from alerts.rules import Against
from alerts.verdicts import Verdict
from energy import intensity, levels
from energy.factors import KGCE_PER_TCE, Basis
from energy.intensity import Grade, Levels
from energy.periods import LOCAL, Span
from energy.targets import Path

NAME_LENGTH_MAX = 120
SUBJECT_LENGTH_MAX = 200


class Language(StrEnum):
    ZH = "zh"
    EN = "en"


@dataclass(frozen=True, slots=True)
class UnverifiedFactor:
    """A factor behind the energy of a letter that nobody verified; `uom` is of the carrier."""

    name_zh: str
    name_en: str
    kgce_per_uom: float
    uom: str
    edition: str


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why a letter is written. `region_name` is that of the unit, or the region itself.

    `basis` is that of the energy of a product; `link` leads to the alert.
    """

    reason: Reason
    verdict: Verdict
    facts: ProductFacts | RegionFacts
    region_name: str
    link: str
    basis: Basis = Basis.CALORIFIC
    unverified: Sequence[UnverifiedFactor] = ()


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    body: str


ZH = {
    Reason.FIRST: "预警",
    Reason.ESCALATED: "预警升级",
    Reason.REMINDER: "预警提醒",
    Reason.RESOLVED: "预警解除",
    Against.LIMIT: "限额值",
    Against.BASELINE: "基准水平",
    Grade.BENCHMARK: "达到标杆水平",
    Grade.BETWEEN: "基准水平与标杆水平之间",
    Grade.BELOW_BASELINE: "基准水平以下",
    Basis.CALORIFIC: "当量值",
    Basis.EQUIVALENT: "等价值",
}
EN = {
    Reason.FIRST: "Warning",
    Reason.ESCALATED: "Warning raised",
    Reason.REMINDER: "Reminder",
    Reason.RESOLVED: "Warning over",
    Against.LIMIT: "limit",
    Against.BASELINE: "baseline",
    Grade.BENCHMARK: "at the benchmark or better",
    Grade.BETWEEN: "between baseline and benchmark",
    Grade.BELOW_BASELINE: "worse than the baseline",
    Basis.CALORIFIC: "calorific value",
    Basis.EQUIVALENT: "equivalent value",
}
PATH_ZH = {
    Path.FILED: "",
    Path.GEOMETRIC_DEFAULT: "（由规划期目标按几何路径推算的默认值，非备案值）",
}
PATH_EN = {
    Path.FILED: "",
    Path.GEOMETRIC_DEFAULT: " (default: the geometric path of the plan, not as filed)",
}
LEVEL_ZH = {levels.ROSE: "一级", levels.FELL_SHORT: "二级", levels.ON_TRACK: "三级"}
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


def compose(occasion: Occasion, language: Language) -> Letter:
    """Return the letter for `occasion`."""
    facts = occasion.facts
    if isinstance(facts, ProductFacts):
        assert facts.yardstick is not None
        write_product = _product_zh if language is Language.ZH else _product_en
        subject, lines = write_product(occasion, facts, facts.yardstick)
    else:
        write_region = _region_zh if language is Language.ZH else _region_en
        subject, lines = write_region(occasion, facts)
    return Letter(collapse(subject, SUBJECT_LENGTH_MAX), "\n".join(lines) + "\n")


def collapse(text: str, length_max: int = NAME_LENGTH_MAX) -> str:
    """Return `text` on one line, without control characters and without changes of direction.

    >>> collapse("Works\\r\\nBcc: evil@example.cn")
    'Works Bcc: evil@example.cn'
    """
    plain = "".join(
        " " if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") else character
        for character in text
    )
    line = " ".join(plain.split())
    line = line.replace("=?", "= ?")  # else the mail library would decode it, line breaks and all
    return line if len(line) <= length_max else line[: length_max - 1] + "…"


def _product_zh(
    occasion: Occasion, facts: ProductFacts, yardstick: Yardstick
) -> tuple[str, list[str]]:
    unit, product = collapse(facts.subject.unit_name), collapse(facts.subject.product)
    uom, edition = collapse(yardstick.limit.uom), collapse(yardstick.limit.edition)
    value, threshold = _beside(occasion.verdict.measured, yardstick.value)
    against = ZH[yardstick.against]
    is_over = occasion.reason is not Reason.RESOLVED
    relation = f"超过{against} {threshold}" if is_over else f"已回落至{against} {threshold} 以内"
    subject = f"【{ZH[occasion.reason]}】{unit}：{product} 单耗 {value} {uom}，{relation}"
    output_uom = collapse(yardstick.output_uom)
    return subject, [
        f"{collapse(occasion.region_name)}节能主管部门：",
        "",
        f"{unit}（{collapse(facts.subject.unit)}）的产品 {product}，单位产品综合能耗"
        f"{'超过' if is_over else '已不再超过'}{against}。",
        "",
        f"单位产品综合能耗：{value} {uom}",
        f"{against}：{threshold} {uom}（{edition}）",
        *_others_zh(yardstick, occasion.verdict.measured),
        *([f"预警等级：{_level_zh(occasion.verdict)}"] if is_over else []),
        f"统计时段：{_window(facts.window)}（北京时间）",
        f"综合能耗：{_number(_tce(facts))} tce（{ZH[occasion.basis]}）",
        f"产量：{_number(facts.output)} {output_uom}",
        f"数据完整率：{facts.coverage:.1%}",
        f"估算占比：{facts.estimated_share:.1%}",
        "",
        "计算方法：时段内全厂边界表计的综合能耗减去外供能源，除以产量表计的产量；各能源品种按"
        "折标准煤系数折算（GB/T 2589）。",
        *_unverified_zh(occasion),
        *_end_zh(occasion),
    ]


def _product_en(
    occasion: Occasion, facts: ProductFacts, yardstick: Yardstick
) -> tuple[str, list[str]]:
    unit, product = collapse(facts.subject.unit_name), collapse(facts.subject.product)
    uom, edition = collapse(yardstick.limit.uom), collapse(yardstick.limit.edition)
    value, threshold = _beside(occasion.verdict.measured, yardstick.value)
    against = EN[yardstick.against]
    is_over = occasion.reason is not Reason.RESOLVED
    relation = "over" if is_over else "within"
    subject = (
        f"[{EN[occasion.reason]}] {unit}: {product} {value} {uom}, {relation} the {against} of "
        f"{threshold}"
    )
    output_uom = collapse(yardstick.output_uom)
    return subject, [
        f"To the energy conservation authority, {collapse(occasion.region_name)}",
        "",
        f"{unit} ({collapse(facts.subject.unit)}) makes {product}. Its energy per unit of product "
        f"is {'over' if is_over else 'no longer over'} the {against}.",
        "",
        f"Energy per unit of product: {value} {uom}",
        f"{against.capitalize()}: {threshold} {uom} ({edition})",
        *_others_en(yardstick, occasion.verdict.measured),
        *([f"Warning level: {occasion.verdict.level}"] if is_over else []),
        f"Window: {_window(facts.window)} (Asia/Shanghai)",
        f"Energy: {_number(_tce(facts))} tce ({EN[occasion.basis]})",
        f"Output: {_number(facts.output)} {output_uom}",
        f"Coverage: {facts.coverage:.1%}",
        f"Estimated share: {facts.estimated_share:.1%}",
        "",
        "How it is computed: the energy through the unit's boundary meters in the window, less the "
        "energy it exports, divided by what its output meters counted; each carrier by its coal "
        "equivalent factor (GB/T 2589).",
        *_unverified_en(occasion),
        *_end_en(occasion),
    ]


def _region_zh(occasion: Occasion, facts: RegionFacts) -> tuple[str, list[str]]:
    region, verdict = collapse(occasion.region_name), occasion.verdict
    months = f"{facts.year}年1{'' if facts.through_month == 1 else f'—{facts.through_month}'}月"
    is_over = occasion.reason is not Reason.RESOLVED
    subject = f"【{ZH[occasion.reason]}】{region}{months}能耗强度预警等级：{_level_zh(verdict)}"
    return subject, [
        f"{region}节能主管部门：",
        "",
        f"{region}（{facts.region}）{months}单位地区生产总值能耗{_state(STATE_ZH, verdict)}，"
        + (f"预警等级为{_level_zh(verdict)}。" if is_over else "高等级预警解除。"),
        "",
        f"能耗强度变化：{_percent(verdict.measured)}",
        f"年度要求：{_percent(facts.required_rate)}{PATH_ZH[facts.path]}",
        f"预警等级：{_level_zh(verdict)}（一级最严峻）",
        f"统计时段：{months}累计，同比",
        f"能源消费总量增速：{_percent(facts.energy_growth)}",
        f"地区生产总值增速（不变价）：{_percent(facts.gdp_growth)}",
        "",
        "计算方法：能耗强度变化 =（1 + 能源消费总量增速）÷（1 + 地区生产总值增速）− 1；上升为一级，"
        "下降但未达到年度要求为二级，其余为三级（发改办环资〔2021〕629号）。",
        *_end_zh(occasion),
    ]


def _region_en(occasion: Occasion, facts: RegionFacts) -> tuple[str, list[str]]:
    region, verdict = collapse(occasion.region_name), occasion.verdict
    months = f"January to month {facts.through_month} of {facts.year}"
    is_over = occasion.reason is not Reason.RESOLVED
    subject = (
        f"[{EN[occasion.reason]}] {region}, {months}: energy intensity at level {verdict.level}"
    )
    return subject, [
        f"To the energy conservation authority, {region}",
        "",
        f"Energy per GDP of {region} ({facts.region}), {months}: {_state(STATE_EN, verdict)}. "
        + (f"The level is {verdict.level}." if is_over else "The high warning level is over."),
        "",
        f"Change of energy per GDP: {_percent(verdict.measured)}",
        f"Required in the year: {_percent(facts.required_rate)}{PATH_EN[facts.path]}",
        f"Warning level: {verdict.level} (1 is the worst)",
        f"Period: {months}, cumulative, against the same months a year before",
        f"Growth of energy consumption: {_percent(facts.energy_growth)}",
        f"Growth of GDP (constant prices): {_percent(facts.gdp_growth)}",
        "",
        "How it is computed: (1 + growth of energy) / (1 + growth of GDP) - 1; level 1 where it "
        "rose, 2 where it fell by less than the year requires, 3 otherwise "
        "(NDRC 发改办环资〔2021〕629号).",
        *_end_en(occasion),
    ]


def _others_zh(yardstick: Yardstick, measured: float | None) -> list[str]:
    limit = yardstick.limit
    lines = []
    if limit.benchmark is not None:
        lines.append(f"标杆水平：{_number(limit.benchmark)} {collapse(limit.uom)}")
    if grade := _grade(yardstick, measured):
        lines.append(f"能效水平：{ZH[grade]}")
    return lines


def _others_en(yardstick: Yardstick, measured: float | None) -> list[str]:
    limit = yardstick.limit
    lines = []
    if limit.benchmark is not None:
        lines.append(f"Benchmark: {_number(limit.benchmark)} {collapse(limit.uom)}")
    if grade := _grade(yardstick, measured):
        lines.append(f"Grade: {EN[grade]}")
    return lines


def _unverified_zh(occasion: Occasion) -> list[str]:
    told = [
        f"{collapse(each.name_zh)} {each.kgce_per_uom:g} kgce/{each.uom}"
        f"（{collapse(each.edition)}）"
        for each in occasion.unverified
    ]
    return [f"所用系数未经核实：{'；'.join(told)}。"] if told else []


def _unverified_en(occasion: Occasion) -> list[str]:
    told = [
        f"{collapse(each.name_en)} {each.kgce_per_uom:g} kgce/{each.uom} ({collapse(each.edition)})"
        for each in occasion.unverified
    ]
    return [f"Factors used that nobody verified: {'; '.join(told)}."] if told else []


def _end_zh(occasion: Occasion) -> list[str]:
    return ["", f"详情：{occasion.link}", "", "本邮件由能耗在线监测平台自动发送。"]


def _end_en(occasion: Occasion) -> list[str]:
    return ["", f"Details: {occasion.link}", "", "Sent automatically by the monitoring platform."]


def _grade(yardstick: Yardstick, measured: float | None) -> Grade | None:
    if measured is None:
        return None
    limit = yardstick.limit
    levels = Levels(baseline=limit.baseline, benchmark=limit.benchmark)
    return intensity.grade(measured, levels)


def _state(words: dict[int, str], verdict: Verdict) -> str:
    assert verdict.level is not None
    return words[verdict.level]


def _level_zh(verdict: Verdict) -> str:
    return _state(LEVEL_ZH, verdict)


def _tce(facts: ProductFacts) -> float | None:
    return None if facts.energy_kgce is None else facts.energy_kgce / KGCE_PER_TCE


def _number(value: float | None) -> str:
    """Return a number with as many digits as matter to a reader.

    >>> _number(117.0), _number(140.1234), _number(-10.25), _number(0.01234567), _number(12000.5)
    ('117', '140.12', '-10.25', '0.01235', '12,000.5')
    """
    if value is None:
        return "—"
    if value and abs(value) < 1:
        return f"{value:.4g}"
    text = f"{value:,.2f}"
    return text.rstrip("0").rstrip(".")


def _beside(value: float | None, threshold: float) -> tuple[str, str]:
    """Return both as text; a value that is not the threshold does not read like it.

    >>> _beside(140.1234, 117.0), _beside(117.0004, 117.0)
    (('140.12', '117'), ('117.0004', '117'))
    """
    shown = _number(value)
    if value is not None and value != threshold and shown == _number(threshold):
        shown = f"{value:.10g}"
    return shown, _number(threshold)


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{100 * value:+.3f} %"


def _window(window: Span) -> str:
    """Return a window in local time; the end of a day is its 24:00.

    >>> from datetime import UTC, datetime
    >>> start = datetime(2026, 11, 23, 15, tzinfo=UTC)
    >>> _window(Span(start, start + timedelta(hours=1)))
    '2026-11-23 23:00 — 24:00'
    """
    start = window.starts_at.astimezone(LOCAL)
    last = (window.ends_at - timedelta(minutes=1)).astimezone(LOCAL)
    end = window.ends_at.astimezone(LOCAL)
    clock = f"{end:%H:%M}" if end.date() == last.date() else "24:00"
    day = "" if last.date() == start.date() else f"{last:%Y-%m-%d} "
    return f"{start:%Y-%m-%d %H:%M} — {day}{clock}"
