"""Owns how a warning letter is put together, in Simplified Chinese or English.

Pure. What a letter says of its matter is for the words of its kind (`alerts/kinds/`); here is what
all letters have: reason, salutation, order, what is asked, links and end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from alerts import answering, captions, frame, notes, witness
from alerts.answering import ALERTS, Deed
from alerts.kinds.words import (
    CONFIRM_EN,
    CONFIRM_ZH,
    SHARE,
    Amended,
    Language,
    Occasion,
    Words,
    collapse,
    moment,
    paired,
    window,
)
from alerts.lifecycle import Reason
from alerts.page import Fact, Letter, Link, Page, Section, Tone
from alerts.verdicts import State, Verdict

SUBJECT_LENGTH_MAX = frame.SUBJECT_LENGTH_MAX


@dataclass(frozen=True, slots=True)
class Phrases:
    """What all letters of a language say. Fields in braces are filled in."""

    reasons: Mapping[str, str]
    levels: Mapping[int, str]
    subject: str
    badge: str
    greeting: str
    amended: str
    before: str
    now: str
    newest: str
    over: str
    not_over: str
    place: str
    unknown: str
    due: str
    remedy: str
    due_note: str
    contest: str
    contested: str
    asked: str
    asked_until: str
    asked_if_over: Sequence[str]
    asked_if_fine: Sequence[str]
    asked_if_withdrawn: Sequence[str]
    computed: str
    unverified: str
    factor: str
    between: str
    details: str
    explained: str
    rule: str
    told: str
    comma: str
    pause: str
    end: str


ZH = Phrases(
    reasons={
        Reason.FIRST: "预警",
        Reason.ESCALATED: "预警升级",
        Reason.REMINDER: "预警提醒",
        Reason.RESOLVED: "预警解除",
        Reason.UNWATCHED: "预警终止",
        Reason.AMENDED: "预警更正",
        Reason.LATE: "补发预警",
        Reason.RETRACTED: "预警撤回",
        Reason.EARLY: "提前提示",
        Reason.UNKNOWN: "数据不足提示",
        Reason.RELEASED: "预警",
        Reason.WIDENED: "预警扩大",
    },
    levels={1: "一级", 2: "二级", 3: "三级"},
    subject="【{reason}】{subject}",
    badge="{reason} · {level}",
    greeting="{region}节能主管部门：",
    amended="更正通知：此前的通知以本次为准。{opening}",
    before="更正前（{at} 通知）",
    now="更正后",
    newest="最新时段（{window}，北京时间）",
    over="超过阈值 {threshold}",
    not_over="未超过阈值 {threshold}",
    place="所在地区",
    unknown="数据不足，无法判定",
    due="反馈期限",
    remedy="整改期限",
    due_note="按工作日计算",
    contest="申辩",
    contested="用能单位已提出申辩，尚未裁定；请予以采纳或驳回。",
    asked="请您",
    asked_until="请您（{due} 前）",
    asked_if_over=[
        CONFIRM_ZH,
        "核查：核对表计读数、产量记录和当时的生产工况；数据有误的，由用能单位更正并附证据。",
        "整改：属实的，督促用能单位查明原因、采取措施，使数值回到阈值以内。",
        "反馈：把核查结果和措施写进预警记录。",
    ],
    asked_if_fine=["无需处理；请把原因和措施写进预警记录，以备查考。"],
    asked_if_withdrawn=["此前要求的核查和整改可以停止；已采取的措施请写进预警记录。"],
    computed="如何算出",
    unverified="所用系数未经核实：{factors}。",
    factor="{name} {value:g} kgce/{uom}（{edition}）",
    between="；",
    details="预警详情（须密钥）",
    explained="数值来源（须密钥）",
    rule="依据规则：{name}（第 {version} 版）。",
    told="本通知发送至：{regions}。",
    comma="、",
    pause="，",
    end="本邮件由能耗在线监测平台自动发送，请勿直接回复。",
)

EN = Phrases(
    reasons={
        Reason.FIRST: "Warning",
        Reason.ESCALATED: "Warning raised",
        Reason.REMINDER: "Reminder",
        Reason.RESOLVED: "Warning over",
        Reason.UNWATCHED: "Warning ended",
        Reason.AMENDED: "Amended",
        Reason.LATE: "Late warning",
        Reason.RETRACTED: "Retracted",
        Reason.EARLY: "Early notice",
        Reason.UNKNOWN: "Notice: unknown",
        Reason.RELEASED: "Warning",
        Reason.WIDENED: "Warning widened",
    },
    levels={1: "level 1", 2: "level 2", 3: "level 3"},
    subject="[{reason}] {subject}",
    badge="{reason} · {level}",
    greeting="To the energy conservation authority, {region}",
    amended="This notice takes the place of the one before. {opening}",
    before="Before (notice of {at})",
    now="Now",
    newest="Newest period ({window}, Asia/Shanghai)",
    over="over the threshold of {threshold}",
    not_over="not over the threshold of {threshold}",
    place="Region",
    unknown="the data do not suffice to say",
    due="Answer by",
    remedy="Remedy by",
    due_note="counted in working days",
    contest="Contest",
    contested="The unit contests it, and nobody has decided: uphold or reject it.",
    asked="What is asked of you",
    asked_until="What is asked of you, by {due}",
    asked_if_over=[
        CONFIRM_EN,
        "Check: the readings, the records of output and what the plant was doing; where data are "
        "wrong, the unit corrects them with evidence.",
        "Remedy: if it is so, have the unit find the cause and bring it back within the threshold.",
        "Reply: write in its record what was found and what is done.",
    ],
    asked_if_fine=["Nothing; write the cause and what was done in its record."],
    asked_if_withdrawn=[
        "What was asked before may stop; write in its record what has been done already."
    ],
    computed="How it is computed",
    unverified="Factors used that nobody verified: {factors}.",
    factor="{name} {value:g} kgce/{uom} ({edition})",
    between="; ",
    details="The alert (asks for a key)",
    explained="Where the figure comes from (asks for a key)",
    rule="By the rule {name} (version {version}).",
    told="Sent to the contacts of {regions}.",
    comma=", ",
    pause=", ",
    end="Sent automatically by the monitoring platform; please do not reply to this message.",
)
PHRASES = {Language.ZH: ZH, Language.EN: EN}
TONES = {1: Tone.WORST, 2: Tone.BAD}
BY_NAME = frozenset({Reason.UNKNOWN, Reason.UNWATCHED})
"""Reasons of letters that tell what they are about by its name alone."""


def compose(occasion: Occasion, language: Language, desk: str | None = None) -> Letter:
    """Return the letter for `occasion` to the desk of a region; None: of the one it is about."""
    own = occasion.part_name or occasion.region_name
    return compose_each(occasion, language, {"": desk or own})[""]


def compose_each(
    occasion: Occasion, language: Language, desks: Mapping[str, str]
) -> dict[str, Letter]:
    """Return the letter for `occasion` to each of some desks, which are regions by name.

    They differ in whom they greet: what takes time is done once.
    """
    words = notes.write(occasion, language)
    made = page(occasion, words, language)
    greeting = PHRASES[language].greeting
    return {
        key: frame.write(replace(made, greeting=greeting.format(region=collapse(name))))
        for key, name in desks.items()
    }


def subject(occasion: Occasion, language: Language) -> str:
    """Return what the letter for `occasion` is called, without writing all of it."""
    words = notes.write(occasion, language)
    return collapse(_subject(occasion, words, PHRASES[language]), SUBJECT_LENGTH_MAX)


def page(occasion: Occasion, words: Words, language: Language) -> Page:
    """Return the parts of the letter for `occasion`, whoever it greets."""
    says = PHRASES[language]
    reason = says.reasons[occasion.reason]
    amended, level = occasion.amended, occasion.verdict.level
    measure = words.figures[0][0]
    series = occasion.series
    return Page(
        language=language,
        subject=_subject(occasion, words, says),
        tone=_tone(occasion),
        badge=says.badge.format(reason=reason, level=says.levels.get(level, level))
        if occasion.is_over and level is not None
        else reason,
        title=words.subject,
        lead=words.opening if amended is None else says.amended.format(opening=words.opening),
        changed=[] if amended is None else _changed(amended, occasion, words, says),
        facts=[*_figures(words), *_place(occasion, says), *_due(occasion, says)],
        picture=None if series is None else captions.picture(series, measure, language),
        sections=[
            _asked(occasion, words, says),
            *answering.sections(occasion.link, language, _deeds(occasion)),
            _computed(occasion, words, says),
            *witness.sections(occasion.heads, language),
        ],
        links=_links(occasion, words, says),
        foot=_foot(occasion, says),
    )


def _tone(occasion: Occasion) -> Tone:
    """Return how a letter looks: one that nobody watches any more looks like no good news."""
    is_bad = occasion.is_over or occasion.fires
    is_fine = not is_bad and occasion.reason is not Reason.UNWATCHED
    return Tone.FINE if is_fine else TONES.get(occasion.verdict.level or 0, Tone.MILD)


def _subject(occasion: Occasion, words: Words, says: Phrases) -> str:
    return says.subject.format(reason=says.reasons[occasion.reason], subject=words.subject)


def _changed(amended: Amended, occasion: Occasion, words: Words, says: Phrases) -> list[Fact]:
    """Return what was told before, and what it is now; and of the newest period, if it fires on."""
    at = "" if amended.told_at is None else moment(amended.told_at)
    was_over, uom = amended.was_over, occasion.verdict.uom
    newest = None if occasion.note is None else occasion.note.newest
    return [
        Fact(
            says.before.format(at=at),
            _standing(says, amended.measured, amended.threshold, uom, is_over=was_over),
        ),
        Fact(says.now, _found(says, occasion.verdict), stands_out=True),
        *([] if newest is None else [
            Fact(says.newest.format(window=window(newest.period)), _found(says, newest))
        ]),
    ]  # fmt: skip


def _found(says: Phrases, verdict: Verdict) -> str:
    if verdict.state is State.UNKNOWN:
        return says.unknown
    is_over = verdict.state is State.FIRING
    return _standing(says, verdict.measured, verdict.threshold, verdict.uom, is_over=is_over)


def _standing(
    says: Phrases, measured: float | None, threshold: float | None, uom: str, *, is_over: bool
) -> str:
    value, limit = paired(measured, threshold, uom)
    if uom != SHARE:
        value = f"{value} {collapse(uom)}"
    side = says.over if is_over else says.not_over
    return value + says.pause + side.format(threshold=limit)


def _figures(words: Words) -> list[Fact]:
    return [
        Fact(label, value, stands_out=index == 0)
        for index, (label, value) in enumerate(words.figures)
    ]


def _place(occasion: Occasion, says: Phrases) -> list[Fact]:
    """Return where a unit lies; the words about a region name it themselves."""
    is_named = occasion.facts.about_unit is None and occasion.reason not in BY_NAME
    return [] if is_named else [Fact(says.place, collapse(occasion.region_name))]


def _due(occasion: Occasion, says: Phrases) -> list[Fact]:
    if not occasion.is_over:
        return []
    dates = ((says.due, occasion.due_on), (says.remedy, occasion.remedy_on))
    return [
        *(
            Fact(label, f"{on:%Y-%m-%d}", says.due_note, stands_out=True)
            for label, on in dates
            if on is not None
        ),
        *([Fact(says.contest, says.contested)] if occasion.is_contested else []),
    ]


def _asked(occasion: Occasion, words: Words, says: Phrases) -> Section:
    if occasion.reason is Reason.UNWATCHED:
        return Section(says.asked, words.asks, is_numbered=True)
    if not occasion.fires:
        is_withdrawn = occasion.reason is Reason.RETRACTED
        lines = says.asked_if_withdrawn if is_withdrawn else says.asked_if_fine
        return Section(says.asked, lines)
    heading = says.asked
    if occasion.due_on is not None:
        heading = says.asked_until.format(due=f"{occasion.due_on:%Y-%m-%d}")
    asks = words.asks or says.asked_if_over
    if _is_closed(occasion):
        asks = [each for each in asks if each not in (CONFIRM_ZH, CONFIRM_EN)]
    return Section(heading, asks, is_numbered=True)


def _is_closed(occasion: Occasion) -> bool:
    """Return whether there is nothing to take care of any more, as in what came late."""
    return not occasion.fires or (occasion.note is not None and occasion.note.is_past)


def _deeds(occasion: Occasion) -> list[Deed]:
    """Return how a letter can be answered: who is told a part answers to who is told all."""
    if occasion.part_name is not None:
        return []
    if _is_closed(occasion):
        return [Deed.REPLY]
    deeds = [Deed.CONFIRM, Deed.REPLY]
    is_notice = occasion.reason in (Reason.EARLY, Reason.UNKNOWN)
    if occasion.facts.about_unit is not None and not is_notice:
        deeds.append(Deed.CONTEST)
    return deeds


def _computed(occasion: Occasion, words: Words, says: Phrases) -> Section:
    """Return the formula with the real figures, in words, and what in it nobody verified."""
    is_zh = says is ZH
    told = says.between.join(
        says.factor.format(
            name=collapse(each.name_zh if is_zh else each.name_en),
            value=each.kgce_per_uom,
            uom=each.uom,
            edition=collapse(each.edition),
        )
        for each in occasion.unverified
    )
    unverified = [says.unverified.format(factors=told)] if told else []
    formula = [words.formula] if words.formula else []
    return Section(
        says.computed, [*formula, words.method[:1].upper() + words.method[1:], *unverified]
    )


def _links(occasion: Occasion, words: Words, says: Phrases) -> list[Link]:
    """Return where more is told; none where the letter leads nowhere, as in a backtest."""
    site, found, _ = occasion.link.rpartition(ALERTS)
    if not found:
        return []
    links = [Link(says.details, occasion.link)]
    if words.explain:
        asked = urlencode(words.explain, errors="replace")
        links.append(Link(says.explained, f"{site}/v1/explain?{asked}"))
    return links


def _foot(occasion: Occasion, says: Phrases) -> list[str]:
    rule, told = occasion.rule_name, [collapse(name) for name in occasion.told]
    return [
        *([says.rule.format(name=collapse(rule), version=occasion.rule_version)] if rule else []),
        *([says.told.format(regions=says.comma.join(told))] if told else []),
        says.end,
    ]
