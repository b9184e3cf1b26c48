"""Owns the words of letters that correct others, come late or give notice, for all kinds of rules.

Pure. A kind has the words for what is over; here are those for what is near, unknown, or told anew.
"""

from __future__ import annotations

from dataclasses import replace

from alerts.kinds import gone, reasons, subjects
from alerts.kinds.registry import KINDS
from alerts.kinds.words import Language, Note, Occasion, Words, beside, collapse, window
from alerts.lifecycle import Reason
from alerts.verdicts import State
from energy.periods import LOCAL

ZH = {
    Reason.RETRACTED: "撤回：数据更正或补齐后，预警所涉时段均未超过，此前的预警不成立，予以撤回。",
    Reason.LATE: "补发：该时段的数据迟到，当时无法预警，现予补发。",
}
EN = {
    Reason.RETRACTED: "Withdrawn: the data were corrected or completed, and no period that it was "
    "about was over; there was no reason for the warning.",
    Reason.LATE: "Late: the data of this period came when nobody could be warned in time.",
}
HOLDS = {Language.ZH: "；预警未解除", Language.EN: "; the warning holds on"}
"""What follows the subject where the alert fires on by a newer period."""

STATE_ZH = {
    State.OK: "正常",
    State.WARN: "接近阈值",
    State.FIRING: "超过",
    State.UNKNOWN: "无法判定",
}
STATE_EN = {
    State.OK: "in order",
    State.WARN: "near the threshold",
    State.FIRING: "over",
    State.UNKNOWN: "unknown",
}


def write(occasion: Occasion, language: Language) -> Words:
    """Return what a letter says of its matter: in the words of its kind where it has some."""
    note = occasion.note
    if note is None:
        return KINDS[occasion.kind].write(occasion, language)
    if occasion.reason is Reason.UNKNOWN:
        return (_unknown_zh if language is Language.ZH else _unknown_en)(occasion, note)
    if note.gone is not None:
        return (_gone_zh if language is Language.ZH else _gone_en)(occasion, note)
    plain = _plain_zh if language is Language.ZH else _plain_en
    if occasion.reason is Reason.EARLY:
        return plain(occasion, note)
    has_words = occasion.verdict.state in (State.OK, State.FIRING)
    words = KINDS[occasion.kind].write(occasion, language) if has_words else plain(occasion, note)
    told, stands = (_told_zh, _stands_zh) if language is Language.ZH else (_told_en, _stands_en)
    gap = "" if language is Language.ZH else " "
    said = [*told(occasion, note), words.opening, *stands(occasion, note)]
    words = replace(words, opening=gap.join(said))
    if note.newest is None:
        return words
    holds = HOLDS[language]
    is_alert = occasion.amended is not None and occasion.amended.was_over
    asks = [] if is_alert and not has_words else words.asks  # those for what is near do not do
    return replace(words, subject=words.subject + holds, asks=asks)


def _told_zh(occasion: Occasion, note: Note) -> list[str]:
    said = [ZH[occasion.reason]] if occasion.reason in ZH else []
    if note.periods > 1:
        said.append(f"共涉及 {note.periods} 个时段，以下为其中之一，其余见链接。")
    if note.is_past and occasion.reason is Reason.LATE:
        said.append("最新时段已不再超过。")
    return said


def _told_en(occasion: Occasion, note: Note) -> list[str]:
    said = [EN[occasion.reason]] if occasion.reason in EN else []
    if note.periods > 1:
        said.append(f"It is about {note.periods} periods; this is one, the link shows the others.")
    if note.is_past and occasion.reason is Reason.LATE:
        said.append("In the newest period it is not over any more.")
    return said


def _stands_zh(occasion: Occasion, note: Note) -> list[str]:
    """Return how the alert of an amended period stands, after what is said of the period."""
    if note.newest is not None:
        still = "但最新时段仍超过，" if note.newest.state is State.FIRING else "但"
        return [f"{still}预警未解除，此前的要求仍然有效。"]
    if note.is_past and occasion.reason is Reason.AMENDED:
        return ["预警此前已经结束，本次只更正当时的数值。"]
    return []


def _stands_en(occasion: Occasion, note: Note) -> list[str]:
    if note.newest is not None:
        is_over = note.newest.state is State.FIRING
        still = "But it is still over in the newest period: the" if is_over else "But the"
        return [f"{still} warning holds on, and so does what was asked."]
    if note.is_past and occasion.reason is Reason.AMENDED:
        return ["The warning had ended before; this corrects the figure of then."]
    return []


def _plain_zh(occasion: Occasion, note: Note) -> Words:
    verdict, name = occasion.verdict, _name(occasion, note, Language.ZH)
    value, threshold = beside(verdict.measured, verdict.threshold or 0.0)
    state = STATE_ZH[verdict.state]
    uom = collapse(verdict.uom)
    return Words(
        subject=f"{name}：{value} {uom}，{state}（阈值 {threshold}）",
        opening=f"{name}：{state}。",
        figures=[
            ("数值", f"{value} {uom}"),
            ("阈值", f"{threshold} {uom}"),
            ("统计时段", f"{window(verdict.period)}（北京时间）"),
            ("数据完整率", f"{verdict.coverage:.1%}"),
            ("估算占比", f"{verdict.estimated_share:.1%}"),
        ],
        method="同该规则的预警，见链接。",
        asks=["关注：数值接近阈值，尚未超过；请提前安排，避免超过。"],
    )


def _plain_en(occasion: Occasion, note: Note) -> Words:
    verdict, name = occasion.verdict, _name(occasion, note, Language.EN)
    value, threshold = beside(verdict.measured, verdict.threshold or 0.0)
    state = STATE_EN[verdict.state]
    uom = collapse(verdict.uom)
    return Words(
        subject=f"{name}: {value} {uom}, {state} (threshold {threshold})",
        opening=f"{name}: {state}.",
        figures=[
            ("Value", f"{value} {uom}"),
            ("Threshold", f"{threshold} {uom}"),
            ("Window", f"{window(verdict.period)} (Asia/Shanghai)"),
            ("Coverage", f"{verdict.coverage:.1%}"),
            ("Estimated share", f"{verdict.estimated_share:.1%}"),
        ],
        method="as for the warnings of this rule, see the link.",
        asks=["Mind: it is near the threshold and not over yet; see that it does not get there."],
    )


def _unknown_zh(occasion: Occasion, note: Note) -> Words:
    name, since = _name(occasion, note, Language.ZH), _since(note)
    return Words(
        subject=f"{name}：自 {since} 起数据不足，无法判定",
        opening=f"{name} 自 {since}（北京时间）起数据不足，无法判定是否超过；这不表示正常。",
        figures=[("原因", collapse(reasons.zh(occasion.verdict.reason), 400))],
        method="数据完整率低于规则要求或表计无数据时不作判定。",
        asks=["核查：检查表计、端设备和网络，恢复上传；缺失的数据恢复后补传。"],
    )


def _unknown_en(occasion: Occasion, note: Note) -> Words:
    name, since = _name(occasion, note, Language.EN), _since(note)
    return Words(
        subject=f"{name}: unknown since {since}",
        opening=f"Since {since} (Asia/Shanghai) the data of {name} do not suffice to say whether "
        "it is over. That is not to say that it is in order.",
        figures=[("Why", collapse(occasion.verdict.reason, 400))],
        method="nothing is said where coverage is below what the rule requires, or a meter silent.",
        asks=["Check: meter, gateway and network; what is missing is sent when they are back."],
    )


def _gone_zh(occasion: Occasion, note: Note) -> Words:
    assert note.gone is not None
    name, why = _name(occasion, note, Language.ZH), gone.ZH[note.gone]
    return Words(
        subject=f"{name}：{why}，不再监视",
        opening=f"{name} 的预警终止：{why}，不再判定是否超过；这不表示已恢复正常。",
        figures=[("原因", why), ("末次预警时段", f"{window(occasion.verdict.period)}（北京时间）")],
        method="规则对全部对象作了判定，其中不再有该对象。",
        asks=["核实：是否属实、是否应当终止；应继续监视的，请补报预算、限值或数据。",
              "归档：把处理结果写进预警记录，不再提醒。"],
    )  # fmt: skip


def _gone_en(occasion: Occasion, note: Note) -> Words:
    assert note.gone is not None
    name, why = _name(occasion, note, Language.EN), gone.EN[note.gone]
    return Words(
        subject=f"{name} is not watched any more: {why}",
        opening=f"The warning about {name} ends: {why}. Whether it is still over is not looked at "
        "any more; that is not to say that it is in order.",
        figures=[
            ("Why", why),
            ("Period told last", f"{window(occasion.verdict.period)} (Asia/Shanghai)"),
        ],
        method="the rule judged all that it watches, and this is not among it.",
        asks=[
            "Check: that this is right; what is to be watched on needs its budget, limit or "
            "figures stated again.",
            "File: write in its record what came of it; nobody is reminded any more.",
        ],
    )


def _name(occasion: Occasion, note: Note, language: Language) -> str:
    """Return whose matter it is, and what of it: by their names."""
    unit = occasion.facts.about_unit
    place = note.owner or (occasion.region_name if unit is None else unit.name)
    product = note.product or occasion.facts.about_product
    about = subjects.said(note.subject, language, product)
    return " ".join(collapse(each) for each in (place, about) if each)


def _since(note: Note) -> str:
    assert note.since_at is not None
    return f"{note.since_at.astimezone(LOCAL):%Y-%m-%d %H:%M}"
