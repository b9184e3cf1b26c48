"""Whatever the rows, parts sum to the figure, and the tables of its evidence lead back to it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import evidence_rows, evidence_tables, explain, known_then
from app.evidence_tables import Sheet
from app.explain import Explained
from app.lineage import (
    Lineage,
    MeterLineage,
    Question,
    Recorded,
    RecordedCorrection,
    RecordedEpoch,
    RecordedFactor,
    Source,
)
from app.parts import MeterDetail, Part, Whole, added, leaves
from db.changes import Author, Change, Fact
from db.explanations import ArrivedReading, MeterRow
from db.stored_sums import StoredSum
from energy.explanation import Correction
from energy.factors import Basis, Factor
from energy.periods import Span, Step
from energy.registers import Epoch, EpochReason, Kind
from energy.roles import Role
from tests.app.test_exports import DANGEROUS, HARMLESS

START = datetime(2026, 11, 2, 16, tzinfo=UTC)
SPAN = Span(START, START + timedelta(days=1))
NOW = START + timedelta(days=9)
QUESTION = Question(SPAN, Basis.CALORIFIC, NOW)
CARRIERS = {"electricity": "kWh", "raw_coal": "kg", "water": "m3"}
FACTORS = [
    RecordedFactor(
        Factor("electricity", Basis.CALORIFIC, None, 0.1229, date(2021, 4, 1), None), None
    ),
    RecordedFactor(
        Factor(
            "raw_coal", Basis.CALORIFIC, 1, 0.7, date(2026, 1, 1), None, edition="=1", batch="b"
        ),
        Recorded("zhao", "-filed", "No. 17", NOW),
    ),
    RecordedFactor(Factor("raw_coal", Basis.CALORIFIC, None, 0.7143, date(2021, 4, 1), None), None),
]
"""Nobody says what water is worth."""


@st.composite
def readings(draw: st.DrawFn) -> list[ArrivedReading]:
    steps = draw(st.lists(st.tuples(st.integers(5, 400), st.floats(-50, 500)), max_size=8))
    at, shown = START - timedelta(hours=draw(st.integers(0, 3))), 400.0
    found: list[ArrivedReading] = []
    for minutes, rise in steps:
        at, shown = at + timedelta(minutes=minutes), (shown + rise) % 1000
        quality = draw(st.sampled_from(["good", "good", "bad"]))
        found.append(ArrivedReading(at, shown, quality, at, "main", len(found) + 1))
    return found


@st.composite
def meters(draw: st.DrawFn, unit_id: int, number: int) -> MeterLineage:
    carrier = draw(st.sampled_from(sorted(CARRIERS)))
    uom = CARRIERS[carrier]
    kind = draw(st.sampled_from([Kind.REGISTER, Kind.INTERVAL, Kind.GAUGE]))
    meter = MeterRow(
        unit_id * 10 + number, unit_id, f"unit{unit_id}", "厂", "450202", f"M{number}", "表",
        carrier, carrier, carrier, kind, uom, uom, 900,
        draw(st.sampled_from([Role.BOUNDARY, Role.BOUNDARY, Role.EXPORT])), None,
        START - timedelta(days=draw(st.sampled_from([0, 99]))),
    )  # fmt: skip
    arrived = draw(readings())
    corrections = {
        one.read_at: RecordedCorrection(
            Correction(draw(st.one_of(st.none(), st.floats(0, 999)))), None
        )
        for one in arrived[:: draw(st.integers(3, 9))]
    }
    epochs = [
        RecordedEpoch(Epoch(meter.installed_at, EpochReason.INSTALLED, 2.0, 1000.0), None),
        RecordedEpoch(
            Epoch(START + timedelta(hours=5), EpochReason.REPLACED, 3.0, 1000.0, 7.0, 800.0),
            Recorded("li", "broken", "", NOW),
        ),
    ]
    return MeterLineage(meter, epochs[: draw(st.integers(1, 2))], arrived, corrections)


@st.composite
def lineages(draw: st.DrawFn) -> Lineage:
    rows = [
        draw(meters(unit_id, number))
        for unit_id in range(1, draw(st.integers(2, 4)))
        for number in range(draw(st.integers(1, 2)))
    ]
    rows.sort(key=lambda each: (each.meter.unit, each.meter.carrier or "", each.meter.meter))
    return Lineage(QUESTION, rows, FACTORS, unit_codes={1: "unit1", 2: "unit2", 3: "unit3"})


def total(parts: Sequence[tuple[int, float | None]]) -> float | None:
    known = [sign * figure for sign, figure in parts if figure is not None]
    return fsum(known) if known else None


def same(one: float | None, other: float | None) -> bool:
    return one is other if one is None or other is None else one == pytest.approx(other, abs=1e-9)


@given(lineages())
def test_the_leaves_sum_to_the_root(lineage: Lineage) -> None:
    root = explain.explained(lineage).root
    below = list(leaves(root))
    assert same(root.tally.energy_tce, total([(s, part.tally.energy_tce) for s, part in below]))
    spans = [
        (sign, span.energy_tce)
        for sign, part in below
        if part.detail is not None
        for span in part.detail.spans
    ]
    assert same(root.tally.energy_tce, total(spans))
    for part in every(root):
        if part.parts:
            own = [(each.sign, each.tally.energy_tce) for each in part.parts]
            assert same(part.tally.energy_tce, total(own))


@given(lineages())
def test_a_meter_is_told_in_the_words_of_its_kind(lineage: Lineage) -> None:
    """Only a register has differences; an interval has quantities, a gauge a rate."""
    told = {
        (part.kind, ("表底数" in part.formula.zh, "时段量" in part.formula.zh))
        for _, part in leaves(explain.explained(lineage).root)
    }
    assert told <= {
        (Kind.REGISTER, (True, False)), (Kind.INTERVAL, (False, True)), (Kind.GAUGE, (False, False))
    }  # fmt: skip


def every(part: Part) -> list[Part]:
    return [part, *(deeper for each in part.parts for deeper in every(each))]


def tables(found: Explained) -> list[Sheet]:
    ids = {
        (each.meter.unit, each.meter.meter): each.meter.meter_id for each in found.lineage.meters
    }
    details: dict[int, MeterDetail] = {
        ids[part.unit or "", part.code]: part.detail
        for _, part in leaves(found.root)
        if part.detail is not None
    }
    return evidence_tables.sheets(found.lineage, details)


@given(lineages())
def test_the_tables_lead_back_to_the_same_tree(lineage: Lineage) -> None:
    found = explain.explained(lineage)
    first = {sheet.name: "".join(sheet.lines()).encode() for sheet in tables(found)}
    rows = {name: evidence_rows.rows(body, name) for name, body in first.items()}
    again = explain.explained(evidence_rows.lineage(rows, QUESTION))
    assert again.root.tally == found.root.tally
    second = {sheet.name: "".join(sheet.lines()).encode() for sheet in tables(again)}
    assert second == first


def test_what_a_person_typed_begins_no_formula_in_a_spreadsheet() -> None:
    """RELIABILITY 51: as in an export, and what is read back is what was there."""
    texts = [*DANGEROUS, *HARMLESS]
    sheet = Sheet("factors.csv", ("edition", "kgce"), [(text, -1.0) for text in texts])
    content = "".join(sheet.lines())
    _, *read = csv.reader(io.StringIO(content.removeprefix("\ufeff"), newline=""))
    assert read == [[text, "-1.0"] for text in [*(f"'{each}" for each in DANGEROUS), *HARMLESS]]
    assert [row["edition"] for row in evidence_rows.rows(content.encode(), "f")] == texts


# -- where there are too many readings -------------------------------------------------------------


def stored(owner_id: int, step: Step, tce: float | None, quantity: float = 10.0) -> StoredSum:
    return StoredSum(
        owner_id, "electricity", step, quantity, tce, 1.0, 90, held=False, left_out=False
    )


def shallow(unit_tce: float) -> Lineage:
    def meter(meter_id: int, code: str, role: Role) -> MeterLineage:
        return MeterLineage(
            MeterRow(
                meter_id, 1, "unit1", "厂", "450202", code, code, "electricity", "电力",
                "electricity", Kind.REGISTER, "kWh", "kWh", 900, role, None, START,
            )
        )  # fmt: skip

    return Lineage(
        QUESTION,
        [meter(1, "E01", Role.BOUNDARY), meter(2, "X01", Role.EXPORT)],
        FACTORS,
        unit_codes={1: "unit1"},
        meter_sums=[
            stored(meter_id, step, tce, tce * 2)
            for meter_id, tce in ((1, 5.0), (2, 1.0))
            for step in (Step.HOUR, Step.DAY)
        ],
        unit_sums=[stored(1, step, unit_tce, 8.0) for step in (Step.HOUR, Step.DAY)],
    )


def test_stored_sums_of_meters_are_held_against_that_of_their_unit() -> None:
    found = explain.explained(shallow(4.0))
    assert (found.source, found.root.tally.energy_tce, found.agrees) == (
        Source.METER_SUMS,
        4.0,
        True,
    )
    assert found.root.tally.estimated_share == pytest.approx(2 / 8)  # of what is left
    assert explain.explained(shallow(4.5)).agrees is False


def test_steps_are_those_whose_buckets_fill_the_span() -> None:
    assert QUESTION.steps() == [Step.DAY, Step.HOUR]
    month = Span(START.replace(month=10, day=31), START.replace(day=30))
    assert Question(month, Basis.CALORIFIC, NOW).steps() == [Step.MONTH, Step.DAY, Step.HOUR]


def test_nothing_added_up_is_unknown_not_zero() -> None:
    assert (added([]).energy_tce, added([]).quantity, added([]).coverage) == (None, None, None)
    root = explain.explained(Lineage(QUESTION, [shallow(4.0).meters[0]], [])).root
    assert (root.whole, root.tally.energy_tce, root.agrees) == (Whole.TOTAL, None, True)


# -- as known on a day -----------------------------------------------------------------------------


def change(number: int, subject: str, content: str | None) -> Change:
    fact = Fact("kind", subject, None if content is None else {"is": content})
    return Change(number, START + timedelta(days=number), Author("li", "why"), fact)


def test_a_fact_is_as_the_ledger_had_it_and_as_it_is_now_where_the_ledger_never_heard_of_it() -> (
    None
):
    current = {"old": "reference", "changed": "new", "later": "x"}
    stated = [
        change(1, "changed", "first"),
        change(2, "gone", "there"),
        change(3, "changed", "new"),
        change(4, "gone", None),
        change(5, "later", "x"),
    ]

    def held(at: datetime | None) -> set[str]:
        return {
            row for row, _ in known_then.known(current, stated, at, lambda told: str(told["is"]))
        }

    assert held(START) == {"reference"}
    assert held(START + timedelta(days=2)) == {"reference", "first", "there"}
    assert held(START + timedelta(days=4)) == {"reference", "new"}
    assert held(None) == {"reference", "new", "x"}
