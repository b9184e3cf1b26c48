"""Owns the heads of the chains at the foot of a letter: whoever keeps it is a witness of the books.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

import db.heads
from alerts.kinds.words import Language, moment
from alerts.page import Section
from db.heads import KeptHead

HEADS_MAX = 50
HEADINGS = {Language.ZH: "存证", Language.EN: "Witness of the books"}


def sections(heads: Sequence[KeptHead], language: Language) -> list[Section]:
    """Return the heads in the form that `nenghao verify --heads` reads, a line each."""
    if not heads:
        return []
    lines = db.heads.written(heads[-HEADS_MAX:]).splitlines()
    # On its first day, or after an outage, an installation notes them hours after their day ended.
    noted = moment(max(each.noted_at for each in heads))
    if language is Language.ZH:
        what = f"请保留本邮件：下列链头是平台账簿截至 {noted}（北京时间）的指纹，"
        what += "日后若有人改动或截断账簿，以 nenghao verify --heads 核验即可发现。"
        return [Section(HEADINGS[language], [what, *lines], is_small=True)]
    what = "Keep this letter: these heads are the fingerprint of the books as they stood at "
    what += f"{noted} (Asia/Shanghai). Whoever changes the books or cuts them off is found by "
    what += "`nenghao verify --heads` with them."
    return [Section(HEADINGS[language], [what, *lines], is_small=True)]


def without(text: str) -> str:
    """Return the plain text of a letter without its heads."""
    headings = tuple(f"{each}\n" for each in HEADINGS.values())
    return "\n\n".join(each for each in text.split("\n\n") if not each.startswith(headings))
