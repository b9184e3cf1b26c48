"""Owns the words of a digest: many alerts of one region and period in one letter, the worst first.

Pure. At its foot stand the heads of the chains, so that whoever keeps the letter is a witness of
what the books held. What is grouped, and when, is for whoever sends it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from alerts import answering, frame, tasks, witness
from alerts.answering import Deed
from alerts.kinds import words
from alerts.kinds.words import Language
from alerts.lifecycle import Reason
from alerts.page import Item, Letter, Link, Page, Section, Tone
from db.heads import KeptHead
from energy.periods import Span

ITEMS_MAX = 100
"""Alerts that are told at length; more have a line each, as letters of over 100 KB are cut off."""

SHORTEST = timedelta(minutes=1)

ALL_REGIONS = {Language.ZH: "多地", Language.EN: "several regions"}

TONES = {1: Tone.WORST, 2: Tone.BAD}


@dataclass(frozen=True, slots=True)
class DigestItem:
    """An alert, and what happened to it last in the period.

    `region_name` is that of the unit, or the region itself, which has no `unit_name`. `about` is
    what is watched of it, in words: a product, a year; "": nothing beside it. `measured` and
    `threshold` in `uom`; None: it cannot be told. `threshold` and `level` are those of the verdict,
    `level` of what is over the one it had. `is_open`: it fires still, whatever happened to it last.
    `link` leads to the alert; `due_on`: when an answer is due; `remedy_on`: when its figures are to
    be in order; `has_task`: one is to be done, until `task_due_on`.
    """

    alert_id: int
    reason: str
    level: int
    rule_name: str
    region_name: str
    unit_name: str | None
    about: str
    measured: float | None
    threshold: float | None
    uom: str
    window: Span
    link: str
    is_open: bool
    due_on: date | None = None
    remedy_on: date | None = None
    has_task: bool = False
    task_due_on: date | None = None


BADGES: dict[Language, Mapping[str, str]] = {
    Language.ZH: {
        Reason.FIRST: "新增",
        Reason.ESCALATED: "升级",
        Reason.EASED: "减轻",
        Reason.REMINDER: "提醒",
        Reason.RESOLVED: "解除",
        Reason.UNWATCHED: "终止",
        Reason.RULE_ENDED: "终止",
        Reason.AMENDED: "更正",
        Reason.RETRACTED: "撤回",
        Reason.LATE: "补发",
        Reason.EARLY: "提前关注",
        Reason.UNKNOWN: "无法判断",
        Reason.PASSED: "提示已过",
        Reason.RELEASED: "恢复通知",
        Reason.WIDENED: "扩大",
        "raised_to": "逾期上报",
        "task_reminder": "任务提醒",
        "task_overdue": "任务逾期",
        "handed_over": "移交",
        "remedy_overdue": "整改逾期",
        "contested": "申辩",
    },
    Language.EN: {
        Reason.FIRST: "new",
        Reason.ESCALATED: "raised",
        Reason.EASED: "milder",
        Reason.REMINDER: "reminded",
        Reason.RESOLVED: "over",
        Reason.UNWATCHED: "not watched any more",
        Reason.RULE_ENDED: "ended",
        Reason.AMENDED: "amended",
        Reason.RETRACTED: "withdrawn",
        Reason.LATE: "told late",
        Reason.EARLY: "early notice",
        Reason.UNKNOWN: "unknown for long",
        Reason.PASSED: "notice over",
        Reason.RELEASED: "let go out",
        Reason.WIDENED: "wider",
        "raised_to": "raised to the next region up",
        "task_reminder": "task due soon",
        "task_overdue": "task overdue",
        "handed_over": "handed over",
        "remedy_overdue": "not remedied in time",
        "contested": "contested",
    },
}
SAYS_OVER = frozenset(
    {
        Reason.RESOLVED,
        Reason.UNWATCHED,
        Reason.RULE_ENDED,
        Reason.RETRACTED,
        Reason.PASSED,
        "handed_over",
    }
)
"""Whoever reads these knows that the alert is not open any more."""

IS_OVER = {Language.ZH: "{}（已解除）", Language.EN: "{} (over)"}
LEVELS = {
    Language.ZH: {1: "一级", 2: "二级", 3: "三级"},
    Language.EN: {1: "Level 1", 2: "Level 2", 3: "Level 3"},
}
COMMA = {Language.ZH: "、", Language.EN: ", "}
COLON = {Language.ZH: "：", Language.EN: ": "}
DUE = {Language.ZH: "请于 {} 前反馈", Language.EN: "Answer by {}"}
REMEDY = {Language.ZH: "请于 {} 前整改到位", Language.EN: "Remedy by {}"}
TASK = {Language.ZH: "任务", Language.EN: "Task"}
THRESHOLD = {Language.ZH: "阈值", Language.EN: "threshold"}
GREETING = {
    Language.ZH: "{}节能主管部门：",
    Language.EN: "To the energy conservation authority, {}",
}


def place(city: str | None, names: Mapping[str, str], language: Language) -> str:
    """Return what a digest is about, by name; `city` None: several regions."""
    return ALL_REGIONS[language] if city is None else names.get(city, city)


def window(since: datetime, until: datetime) -> Span:
    """Return the period of a digest, which is never empty."""
    return Span(since, max(until, since + SHORTEST))


def compose_digest(
    region_name: str,
    period: Span,
    items: Sequence[DigestItem],
    language: Language,
    *,
    desk: str = "",
    heads: Sequence[KeptHead] = (),
    link: str = "",
) -> Letter:
    """Return the digest of alerts that changed in a period, one or more.

    `desk` is the region whose desk reads it; "": not known, and greeted by none. `heads` are those
    that were kept of the newest day; `link` leads to all alerts of the region.
    """
    write = _zh if language is Language.ZH else _en
    page = write(words.collapse(region_name), period, sorted(items, key=_rank), link)
    deeds = [Deed.CONFIRM, Deed.REPLY] if any(item.is_open for item in items) else [Deed.REPLY]
    how = answering.sections(link, language, deeds)
    sections = [*page.sections, *how, *witness.sections(heads, language)]
    greeting = GREETING[language].format(words.collapse(desk)) if desk else ""
    return frame.write(replace(page, sections=sections, greeting=greeting))


def _zh(name: str, period: Span, ranked: Sequence[DigestItem], link: str) -> Page:
    window, more = words.window(period), [_short(each, Language.ZH) for each in ranked[ITEMS_MAX:]]
    by_reason, by_level = _by_reason(ranked, Language.ZH), _by_level(ranked, Language.ZH)
    asked = [
        "逐条登记由谁负责（登记后不再提醒）；已解除的无需处理。",
        "核查表计读数、产量与工况；属实的督促用能单位查明原因并采取措施。",
        "把核查结果写进预警记录；有办理期限的请在期限前反馈。",
    ]
    return Page(
        language=Language.ZH,
        subject=f"【预警汇总】{name} {window}：{by_reason}（{by_level or '均已解除'}）",
        tone=_tone(ranked),
        badge=f"预警汇总 · {window}（北京时间）",
        title=f"{name}：{len(ranked):,} 条预警有变化",
        lead=f"本期变化：{by_reason}。"
        + (f"仍在预警的按等级：{by_level}。" if by_level else "没有仍在预警的。")
        + "以下按严重程度排列，一级最严峻。",
        items=[_item(each, Language.ZH) for each in ranked[:ITEMS_MAX]],
        sections=[
            *([Section(f"其余 {len(more):,} 条", more, is_small=True)] if more else []),
            *([Section("请您", asked, is_numbered=True)] if by_level else []),
        ],
        links=[Link("全部预警（须密钥）", link)] if link else [],
        foot=["本邮件由能耗在线监测平台自动发送；同一时段的多条预警合并为一封。"],
    )


def _en(name: str, period: Span, ranked: Sequence[DigestItem], link: str) -> Page:
    window, more = words.window(period), [_short(each, Language.EN) for each in ranked[ITEMS_MAX:]]
    by_reason, by_level = _by_reason(ranked, Language.EN), _by_level(ranked, Language.EN)
    asked = [
        "Have noted for each alert who takes care of it (nobody is reminded then); what is over "
        "needs nothing.",
        "Check the readings, the output and what the plant was doing; if it is so, have the unit "
        "find the cause and mend it.",
        "Write in its record what was found; answer by the date where there is one.",
    ]
    return Page(
        language=Language.EN,
        subject=f"[Digest] {name} {window}: {by_reason} ({by_level or 'all over'})",
        tone=_tone(ranked),
        badge=f"Digest · {window} (Asia/Shanghai)",
        title=f"{name}: {_counted(len(ranked), 'alert')} changed",
        lead=f"What changed: {by_reason}. "
        + (f"Still open, by level: {by_level}. " if by_level else "Nothing is still open. ")
        + "The worst come first; level 1 is the worst.",
        items=[_item(each, Language.EN) for each in ranked[:ITEMS_MAX]],
        sections=[
            *([Section(f"{len(more):,} more", more, is_small=True)] if more else []),
            *([Section("What is asked of you", asked, is_numbered=True)] if by_level else []),
        ],
        links=[Link("All alerts (asks for a key)", link)] if link else [],
        foot=["Sent automatically by the monitoring platform: one letter for many alerts."],
    )


def _item(item: DigestItem, language: Language) -> Item:
    who = words.collapse(item.region_name if item.unit_name is None else item.unit_name)
    where = "" if item.unit_name is None else words.collapse(item.region_name)
    figure, beside = _figure(item, language)
    number = f"#{item.alert_id}"
    about = [where, words.collapse(item.rule_name), words.window(item.window), number]
    what = BADGES[language].get(item.reason, item.reason)
    if not item.is_open and item.reason not in SAYS_OVER:
        what = IS_OVER[language].format(what)
    return Item(
        badge=_level(item.level, language) if item.is_open else what,
        what=what if item.is_open else "",
        tone=TONES.get(item.level, Tone.MILD) if item.is_open else Tone.FINE,
        title=COLON[language].join(each for each in (who, words.collapse(item.about)) if each),
        figure=figure,
        beside=beside,
        lines=[COMMA[language].join(text for text in about if text), *_asks(item, language)],
        url=item.link,
    )


def _asks(item: DigestItem, language: Language) -> list[str]:
    """Return by when an answer and a remedy are due, and the task that is to be done."""
    dates = ((DUE, item.due_on), (REMEDY, item.remedy_on))
    lines = [says[language].format(on) for says, on in dates if item.is_open and on is not None]
    if item.has_task:
        text = tasks.text_zh if language is Language.ZH else tasks.text_en
        lines.append(f"{TASK[language]}{COLON[language]}{text(item.task_due_on)}")
    return lines


def _short(item: DigestItem, language: Language) -> str:
    told = _item(item, language)
    badge = f"{told.badge} {told.what}".strip()
    return f"[{badge}] {told.title}{COLON[language]}{told.figure} #{item.alert_id}"


def _figure(item: DigestItem, language: Language) -> tuple[str, str]:
    """Return the value, and the threshold it is held against; shares in percent."""
    value, threshold = words.paired(item.measured, item.threshold, item.uom)
    uom = "" if item.uom == words.SHARE else f" {words.collapse(item.uom)}"
    if item.threshold is None:
        return f"{value}{uom}", ""
    return f"{value}{uom}", f"{THRESHOLD[language]} {threshold}"


def _rank(item: DigestItem) -> tuple[bool, int, float, int]:
    """Return what comes first: open ones, the worst level, the farthest over, the oldest."""
    over = 0.0
    if item.measured is not None and item.threshold:
        over = abs(item.measured - item.threshold) / abs(item.threshold)
    return (not item.is_open, item.level, -over, item.alert_id)


def _by_reason(items: Sequence[DigestItem], language: Language) -> str:
    """Return how many of what, as in "新增 12、解除 3"."""
    badges = BADGES[language]
    counts = Counter(item.reason for item in items)
    known = [*(each for each in Reason if each in counts), *sorted(counts.keys() - set(Reason))]
    if language is Language.ZH:
        return "、".join(f"{badges.get(each, each)} {counts[each]:,}" for each in known)
    return ", ".join(f"{counts[each]:,} {badges.get(each, each)}" for each in known)


def _by_level(items: Sequence[DigestItem], language: Language) -> str:
    counts = Counter(item.level for item in items if item.is_open)
    if language is Language.ZH:
        return "、".join(f"{_level(each, language)} {counts[each]:,}" for each in sorted(counts))
    return ", ".join(f"{counts[each]:,} at level {each}" for each in sorted(counts))


def _level(level: int, language: Language) -> str:
    return LEVELS[language].get(
        level, f"{level} 级" if language is Language.ZH else f"Level {level}"
    )


def _tone(items: Sequence[DigestItem]) -> Tone:
    levels = [item.level for item in items if item.is_open]
    return TONES.get(min(levels), Tone.MILD) if levels else Tone.FINE


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
