"""Owns the words of a digest: what it holds, line by line, with the way to each alert. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts import letter
from alerts.letter import Language, Letter
from energy.periods import LOCAL


@dataclass(frozen=True, slots=True)
class Item:
    """A letter that is held: its subject, where its alert stands, and when it was written."""

    subject: str
    link: str
    at: datetime


def compose(region_name: str, items: Sequence[Item], language: Language) -> Letter:
    """Return the digest of `items` for one recipient, in the order in which they were written."""
    name = letter.collapse(region_name)
    first, last = (each.astimezone(LOCAL) for each in (items[0].at, items[-1].at))
    if language is Language.ZH:
        subject = f"【预警汇总】{name}：{len(items)} 条通知（截至 {last:%m月%d日 %H:%M}）"
        head = [
            f"{name}节能主管部门：",
            "",
            f"{first:%Y-%m-%d %H:%M} 至 {last:%Y-%m-%d %H:%M}（北京时间）又有 {len(items)} 条通知，"
            "按时间顺序列出，每条一行，无一遗漏：",
        ]
    else:
        subject = f"[Digest] {name}: {len(items)} notices (until {last:%Y-%m-%d %H:%M})"
        head = [
            f"To the energy conservation authority, {name}",
            "",
            f"{len(items)} more notices between {first:%Y-%m-%d %H:%M} and {last:%Y-%m-%d %H:%M} "
            "(Asia/Shanghai), in their order and without exception:",
        ]
    lines = [
        line
        for number, item in enumerate(items, 1)
        for line in (
            "",
            f"{number}. {letter.collapse(item.subject, letter.SUBJECT_LENGTH_MAX)}",
            f"   {item.link}",
        )
    ]
    return Letter(
        letter.collapse(subject, letter.SUBJECT_LENGTH_MAX), "\n".join([*head, *lines]) + "\n"
    )
