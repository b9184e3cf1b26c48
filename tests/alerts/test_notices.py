"""Letters about what nobody did in time, as a regulator reads them: golden copies."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from alerts import notices
from alerts.dues import Turn
from alerts.kinds.words import Language
from alerts.notices import HANDED_OVER, LEFT, Notice
from alerts.tasks import TaskTurn
from db.alert_events import CONTESTED
from db.matters import Matter
from energy.periods import HOUR, Span
from tests.alerts.occasions import OVER

GOLDEN = Path(__file__).parent.parent / "golden" / "letters"
LINK = "https://nenghao.example/v1/alerts/9"
FIRED_AT = datetime(2026, 11, 19, 7, 5, tzinfo=UTC)
NEWEST = datetime(2026, 12, 21, 15, tzinfo=UTC)
YEAR = datetime(2025, 12, 31, 16, tzinfo=UTC)
WORKS = Matter(
    9, "产品单耗超限", "450202", "柳州市城中区", "91450200MA0000001X", "柳州某水泥有限公司",
    "91450200MA0000001X/cement_clinker", 1, 140.1644, 117.0, "kgce/t",
    Span(NEWEST, NEWEST + HOUR), FIRED_AT, FIRED_AT,
)  # fmt: skip
REGION = Matter(
    9, "地区能耗强度预警等级", "450000", "广西壮族自治区", None, None, "450000/2026", 1, 0.00943,
    0.0, "share", Span(YEAR, datetime(2026, 10, 31, 16, tzinfo=UTC)), FIRED_AT, FIRED_AT,
)  # fmt: skip
CITIES = ("柳州市", "百色市")
UNTOLD = ("河池市",)
NOTICES = {
    "raised_to": Notice(Turn.RAISED_TO, WORKS, "柳州市", date(2026, 11, 23), LINK),
    "task_reminder": Notice(
        TaskTurn.TASK_REMINDER,
        REGION,
        "广西壮族自治区",
        date(2026, 12, 17),
        LINK,
        CITIES,
        UNTOLD,
        task_id=3,
    ),
    "task_overdue": Notice(
        TaskTurn.TASK_OVERDUE, REGION, "广西壮族自治区", date(2026, 12, 17), LINK, CITIES, task_id=4
    ),
    "remedy_overdue": Notice(Turn.REMEDY_OVERDUE, WORKS, "柳州市", date(2026, 12, 21), LINK),
    "contested": Notice(
        CONTESTED, WORKS, "柳州市", date(2026, 12, 4), LINK, said="窑系统当时检修，产量按班次补报。"
    ),
    "handed_over": Notice(HANDED_OVER, WORKS, "柳州市城中区", None, "", to_name="桂林市秀峰区"),
    "left": Notice(LEFT, WORKS, "柳州市城中区", None, "", to_name="桂林市秀峰区"),
}


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("name", NOTICES)
def test_a_notice_reads_like_its_golden_copy(name: str, language: Language) -> None:
    notice = NOTICES[name]
    product = OVER.named if notice.matter is WORKS else None
    written = notices.compose(replace(notice, product=product), language)
    for kind, text in (("txt", f"{written.subject}\n\n{written.body}"), ("html", written.html)):
        path = GOLDEN / f"{name}.{language}.{kind}"
        if os.environ.get("UPDATE_LETTERS"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")
