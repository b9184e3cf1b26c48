"""Letters of data quality, connection and expressions as a regulator reads them: golden copies."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alerts import letter
from alerts.kinds.data_quality import verdict as quality_verdict
from alerts.kinds.data_quality.facts import QualityFacts
from alerts.kinds.data_quality.parameters import Check, DataQuality, Of, Scored
from alerts.kinds.expression import verdict as expression_verdict
from alerts.kinds.expression.facts import ExpressionFacts
from alerts.kinds.expression.parameters import ExpressionRule, Whose
from alerts.kinds.kind import Kind, UnitName
from alerts.kinds.not_connected import verdict as connection_verdict
from alerts.kinds.not_connected.facts import ConnectionFacts
from alerts.kinds.not_connected.parameters import NotConnected, Until
from alerts.kinds.words import Language, Occasion
from alerts.lifecycle import Reason
from energy.factors import Basis
from energy.periods import Span
from energy.repairs import Fault

GOLDEN = Path(__file__).parent.parent / "golden" / "letters"
LINK = "https://nenghao.example/v1/alerts/9"
UNIT = UnitName(1, "91450200MA0000001X", "柳州某水泥有限公司")
NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)
DAY = Span(NOW - timedelta(hours=47), NOW - timedelta(hours=23))
HOUR, DAYS = timedelta(hours=1), timedelta(days=1)
SINCE = NOW - timedelta(hours=3)
MONDAY = datetime(2026, 11, 22, 16, tzinfo=UTC)
DUE_AT = datetime(2026, 11, 26, 16, tzinfo=UTC)
"""The end of the third working day after today."""

TOLD = ("柳州市", "广西壮族自治区")


def quality(
    rule: DataQuality, facts: QualityFacts, reason: Reason = Reason.FIRST, region: str = "柳州市"
) -> Occasion:
    found = quality_verdict.judge(facts, rule, 0.75)
    return Occasion(
        Kind.DATA_QUALITY, reason, found, facts, region, LINK, rule_name="数据质量", told=TOLD
    )


def of_meter(check: Check, measured: float, **more: Any) -> QualityFacts:
    facts = QualityFacts(check, "450202", UNIT, "E01", Span(SINCE, NOW), measured)
    return replace(facts, **more)


def connection(reason: Reason, **more: Any) -> Occasion:
    facts = ConnectionFacts(
        UNIT,
        "450202",
        date(2026, 9, 1),
        Span(datetime(2026, 8, 31, 16, tzinfo=UTC), NOW),
        boundary=3,
        heard=2,
        silent=["G01 (natural_gas)"],
        unmetered=["raw_coal"],
        is_fresh=True,
        carriers={"natural_gas": ("天然气", "natural gas"), "raw_coal": ("原煤", "raw coal")},
    )
    facts = replace(facts, **more)
    found = connection_verdict.judge(facts, NotConnected(until=Until.FILED))
    return Occasion(
        Kind.NOT_CONNECTED, reason, found, facts, "柳州市", LINK, rule_name="同步投产", told=TOLD
    )


def expression(reason: Reason, intensity: float) -> Occasion:
    text = "intensity > 1.1 * limit and coverage >= 0.9"
    known = {"intensity": intensity, "limit": 100.0, "coverage": 0.96}
    facts = ExpressionFacts(
        Whose.PRODUCT, "91450200MA0000001X/水泥熟料", "450202", UNIT, text, DAY, known,
        coverage=0.96, basis=Basis.CALORIFIC, units={"intensity": "kgce/t", "limit": "kgce/t"},
    )  # fmt: skip
    rule = ExpressionRule(of=Whose.PRODUCT, expression=text, level=2)
    found = expression_verdict.judge(facts, rule, 0.75)
    return Occasion(
        Kind.EXPRESSION, reason, found, facts, "柳州市", LINK, rule_name="单耗超限额一成", told=TOLD
    )


OFFLINE = of_meter(Check.OFFLINE, 12, since=SINCE, until=DUE_AT, fault=Fault.SILENCE)
INDEX = replace(
    of_meter(Check.INDEX, 0.8213, coverage=0.99, index=Scored.COMPOSITE),
    unit=None,
    region="450200",
    subject="composite",
    period=Span(MONDAY - timedelta(days=30), MONDAY),
)
OCCASIONS = {
    "offline_first": quality(DataQuality(check=Check.OFFLINE), OFFLINE),
    "offline_resolved": quality(
        DataQuality(check=Check.OFFLINE), replace(OFFLINE, measured=0.0), Reason.RESOLVED
    ),
    "gap_first": quality(
        DataQuality(check=Check.GAP), of_meter(Check.GAP, 0.25, period=DAY, coverage=0.75)
    ),
    "flat_first": quality(
        DataQuality(check=Check.FLAT),
        of_meter(Check.FLAT, 12, period=DAY, since=DAY.starts_at, until=DAY.starts_at + 3 * HOUR),
    ),
    "clock_first": quality(
        DataQuality(check=Check.CLOCK),
        of_meter(Check.CLOCK, 90, subject="gw1", since=SINCE, until=DUE_AT),
    ),
    "index_first": quality(DataQuality(check=Check.INDEX, of=Of.CITY), INDEX),
    "repair_first": quality(
        DataQuality(check=Check.REPAIR),
        of_meter(Check.REPAIR, 1, since=DUE_AT - 8 * DAYS, until=MONDAY, fault=Fault.GAP),
    ),
    "verification_first": quality(
        DataQuality(check=Check.VERIFICATION),
        of_meter(Check.VERIFICATION, 14, until=MONDAY + 15 * DAYS),
    ),
    "verification_escalated": quality(
        DataQuality(check=Check.VERIFICATION, level=2),
        of_meter(Check.VERIFICATION, -1, until=MONDAY),
        Reason.ESCALATED,
    ),
    "not_connected_first": connection(Reason.FIRST),
    "not_connected_resolved": connection(Reason.RESOLVED, heard=3, silent=[], unmetered=[]),
    "expression_first": expression(Reason.FIRST, 120.5),
    "expression_resolved": expression(Reason.RESOLVED, 100.0),
}


@pytest.mark.parametrize("language", list(Language))
@pytest.mark.parametrize("name", OCCASIONS)
def test_a_letter_reads_like_its_golden_copy(name: str, language: Language) -> None:
    written = letter.compose(OCCASIONS[name], language)
    for kind, text in (("txt", f"{written.subject}\n\n{written.body}"), ("html", written.html)):
        path = GOLDEN / f"{name}.{language}.{kind}"
        if os.environ.get("UPDATE_LETTERS"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8")


def test_a_name_begins_no_new_line_and_no_header() -> None:
    evil = UnitName(1, "91450200MA0000001X", "works\r\nBcc: evil@example.cn")
    for name, occasion in OCCASIONS.items():
        assert isinstance(occasion.facts, QualityFacts | ConnectionFacts | ExpressionFacts)
        facts = replace(occasion.facts, unit=evil)
        for language in Language:
            written = letter.compose(replace(occasion, facts=facts), language)
            assert "\n" not in written.subject, name
            assert "\nBcc" not in written.body, name


@pytest.mark.parametrize(
    ("rule", "facts", "said"),
    [
        (
            DataQuality(check=Check.INDEX, of=Of.CITY, bound=0.8),
            replace(INDEX, measured=0.79996),
            "79.996%",
        ),
        (
            DataQuality(check=Check.GAP, bound=0.1),
            of_meter(Check.GAP, 0.1003, period=DAY, coverage=0.8997),
            "10.03%",
        ),
    ],
)
def test_a_share_that_is_not_its_bound_does_not_read_like_it(
    rule: DataQuality, facts: QualityFacts, said: str
) -> None:
    occasion = quality(rule, facts)
    made = letter.compose(occasion, Language.ZH)
    assert said in made.subject
    assert said in occasion.verdict.reason
