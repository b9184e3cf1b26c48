"""Owns how a warning letter is put together: plain text, Simplified Chinese or English.

Pure. What a letter says of its matter is for the words of its kind (`alerts/kinds/`); here is what
all letters have: reason, salutation, order, link and end.
"""

from __future__ import annotations

from dataclasses import dataclass

from alerts.kinds.registry import KINDS
from alerts.kinds.words import Language, Occasion, UnverifiedFactor, Words, collapse
from alerts.lifecycle import Reason

SUBJECT_LENGTH_MAX = 200


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    body: str


REASON_ZH = {
    Reason.FIRST: "预警",
    Reason.ESCALATED: "预警升级",
    Reason.REMINDER: "预警提醒",
    Reason.RESOLVED: "预警解除",
    Reason.RELEASED: "预警",
    Reason.WIDENED: "预警扩大",
}
REASON_EN = {
    Reason.FIRST: "Warning",
    Reason.ESCALATED: "Warning raised",
    Reason.REMINDER: "Reminder",
    Reason.RESOLVED: "Warning over",
    Reason.RELEASED: "Warning",
    Reason.WIDENED: "Warning widened",
}


def compose(occasion: Occasion, language: Language) -> Letter:
    """Return the letter for `occasion`."""
    words = KINDS[occasion.kind].write(occasion, language)
    put = _zh if language is Language.ZH else _en
    subject, lines = put(occasion, words)
    return Letter(collapse(subject, SUBJECT_LENGTH_MAX), "\n".join(lines) + "\n")


def _zh(occasion: Occasion, words: Words) -> tuple[str, list[str]]:
    told = "；".join(_factor_zh(each) for each in occasion.unverified)
    return f"【{REASON_ZH[occasion.reason]}】{words.subject}", [
        f"{collapse(occasion.region_name)}节能主管部门：",
        "",
        words.opening,
        "",
        *(f"{label}：{value}" for label, value in words.figures),
        "",
        f"计算方法：{words.method}",
        *([f"所用系数未经核实：{told}。"] if told else []),
        "",
        f"详情：{occasion.link}",
        "",
        "本邮件由能耗在线监测平台自动发送。",
    ]


def _en(occasion: Occasion, words: Words) -> tuple[str, list[str]]:
    told = "; ".join(_factor_en(each) for each in occasion.unverified)
    return f"[{REASON_EN[occasion.reason]}] {words.subject}", [
        f"To the energy conservation authority, {collapse(occasion.region_name)}",
        "",
        words.opening,
        "",
        *(f"{label}: {value}" for label, value in words.figures),
        "",
        f"How it is computed: {words.method}",
        *([f"Factors used that nobody verified: {told}."] if told else []),
        "",
        f"Details: {occasion.link}",
        "",
        "Sent automatically by the monitoring platform.",
    ]


def _factor_zh(factor: UnverifiedFactor) -> str:
    return (
        f"{collapse(factor.name_zh)} {factor.kgce_per_uom:g} kgce/{factor.uom}"
        f"（{collapse(factor.edition)}）"
    )


def _factor_en(factor: UnverifiedFactor) -> str:
    return (
        f"{collapse(factor.name_en)} {factor.kgce_per_uom:g} kgce/{factor.uom} "
        f"({collapse(factor.edition)})"
    )
