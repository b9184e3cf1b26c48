"""Whatever a kind of rule finds, its subject says what it is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from alerts.kinds import subjects
from alerts.kinds.data_quality.facts import QualityFacts
from alerts.kinds.data_quality.parameters import Check
from alerts.kinds.kind import Kind
from alerts.kinds.outage.facts import BROKER
from alerts.kinds.subjects import About
from energy.budgets import OwnerKind
from energy.periods import HOUR, Span
from tests.alerts import occasions

UNIT = occasions.DEAR.unit
DAY = Span(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC) + 24 * HOUR)
INDEX = QualityFacts(Check.INDEX, "450200", None, "", DAY, 0.5)
OFFLINE = QualityFacts(Check.OFFLINE, "450202", UNIT, "E01", DAY, 5.0)
ROW = occasions.BUDGET.row

SUBJECTS: dict[Kind, dict[str, About]] = {
    Kind.PRODUCT_INTENSITY: {occasions.OVER.subject.name: About(occasions.OVER.subject.unit)},
    Kind.VALUE_INTENSITY: {occasions.DEAR.subject: About(UNIT.unit)},
    Kind.REGION_LEVEL: {occasions.ROSE.subject: About(region="450200")},
    Kind.TWO_HIGH: {occasions.SUSPENDED.region.subject: About(region="450200")},
    Kind.DATA_QUALITY: {INDEX.key: About(region="450200"), OFFLINE.key: About(UNIT.unit)},
    Kind.NOT_CONNECTED: {UNIT.unit: About(UNIT.unit)},
    Kind.EXPRESSION: {
        UNIT.unit: About(UNIT.unit),
        occasions.OVER.subject.name: About(occasions.OVER.subject.unit),
        occasions.ROSE.subject: About(region="450200"),
    },
    Kind.OUTAGE: {
        BROKER: About(),
        "450200/gateways": About(region="450200"),
        f"{UNIT.unit}/gateways": About(UNIT.unit),
    },
    Kind.BUDGET_PACE: {
        replace(occasions.BUDGET, row=replace(ROW, owner_kind=kind, owner=owner)).subject: about
        for kind, owner, about in (
            (OwnerKind.UNIT, UNIT.unit, About(UNIT.unit)),
            (OwnerKind.CITY, "450200", About(region="450200")),
            (OwnerKind.PARK, "a/b", About(park="a/b")),
        )
    },
}


@pytest.mark.parametrize("kind", Kind)
def test_the_subject_of_every_kind_says_what_it_is_about(kind: Kind) -> None:
    assert {subject: subjects.about(subject) for subject in SUBJECTS[kind]} == SUBJECTS[kind]


@pytest.mark.parametrize(
    "text",
    ["", "x", "x/91450200MA0000001X", "unit/450200/2026-01-01", "city/91450200MA0000001X/d",
     "unit/91450200MA0000001X", "park/", "broker/450200", "４５０２００/2026"],
)  # fmt: skip
def test_what_no_kind_writes_is_about_nothing_that_is_known(text: str) -> None:
    assert subjects.about(text) is None
