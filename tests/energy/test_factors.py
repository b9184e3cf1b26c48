"""On any day one factor holds or none, measured before declared before reference; else a reason."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import factors
from energy.factors import (
    Basis,
    Factor,
    FactorRange,
    FactorTable,
    MissingFactor,
    Origin,
    Unverified,
)

FIRST = date(2026, 1, 1)
UNIT = 7
GAS = "natural_gas"
RANGE = FactorRange(GAS, 1.1, 1.33, "GB/T 2589-2020", "s", True)
DAYS = st.integers(0, 60).map(lambda days: FIRST + timedelta(days=days))
OWNERS = st.sampled_from([(None, None), (UNIT, None), (UNIT, "b1"), (UNIT, "b2"), (8, None)])


def row(
    kgce: float = 1.2,
    starts: date = FIRST,
    ends: date | None = None,
    *,
    unit_id: int | None = None,
    batch: str | None = None,
    verified: bool = True,
) -> Factor:
    return Factor(
        GAS, Basis.CALORIFIC, unit_id, kgce, starts, ends, verified, edition="e", batch=batch
    )


@st.composite
def rows(draw: st.DrawFn) -> list[Factor]:
    made = []
    for _ in range(draw(st.integers(0, 8))):
        starts, length = draw(DAYS), draw(st.none() | st.integers(1, 40))
        unit_id, batch = draw(OWNERS)
        made.append(
            row(
                draw(st.floats(0.1, 5.0)),
                starts,
                None if length is None else starts + timedelta(days=length),
                unit_id=unit_id,
                batch=batch,
                verified=draw(st.booleans()),
            )
        )
    return made


def look(
    table: FactorTable, on: date = FIRST, unit_id: int | None = UNIT
) -> Factor | MissingFactor:
    return table.look_up(GAS, Basis.CALORIFIC, unit_id, on)


@given(rows(), DAYS, st.sampled_from(Unverified))
def test_on_any_day_one_factor_holds_or_there_is_a_reason(
    made: list[Factor], on: date, unverified: Unverified
) -> None:
    table = FactorTable(made, [RANGE], unverified=unverified)
    found = look(table, on)
    usable = [
        each
        for each in made
        if each.unit_id in (UNIT, None)
        and each.holds_on(on)
        and (each.verified or unverified is Unverified.NOTE)
    ]
    assert isinstance(found, Factor) == bool(usable)
    assert not isinstance(found, Factor) or found in usable
    again = FactorTable(reversed(made), [RANGE], unverified=unverified)
    assert len({each.valid_from for each in usable}) < len(usable) or look(again, on) == found


@given(rows(), DAYS)
def test_measured_comes_before_declared_and_declared_before_reference(
    made: list[Factor], on: date
) -> None:
    found = look(FactorTable(made), on)
    origins = {each.origin for each in made if each.unit_id in (UNIT, None) and each.holds_on(on)}
    first = next((origin for origin in Origin if origin in origins), None)
    assert (found.origin if isinstance(found, Factor) else None) == first


@given(rows(), DAYS, st.integers(0, 30), st.sampled_from(Unverified))
def test_a_span_misses_what_each_day_of_it_misses(
    made: list[Factor], first: date, length: int, unverified: Unverified
) -> None:
    table = FactorTable(made, unverified=unverified)
    days = [first + timedelta(days=days) for days in range(length + 1)]
    by_day = {day: found for day in days if isinstance(found := look(table, day), MissingFactor)}
    missing = table.missing_between(GAS, Basis.CALORIFIC, UNIT, first, days[-1])
    told = [
        (day, reason)
        for reason, span in missing
        for day in days
        if span.valid_from <= day and (span.valid_to is None or day < span.valid_to)
    ]
    assert told == [*by_day.items()]
    assert all(
        one[0] is not other[0] or one[1].valid_to != other[1].valid_from
        for one, other in pairwise(missing)
    )


@given(st.floats(-1e9, 1e9), st.floats(-1e3, 1e3), st.floats(0.01, 10.0), st.floats(-1e9, 1e9))
def test_coal_equivalent_is_linear_in_quantity(
    quantity: float, times: float, kgce: float, other: float
) -> None:
    factor = row(kgce)
    one, two = (factors.coal_equivalent(each, factor) for each in (quantity, other))
    assert one is not None
    assert two is not None
    scaled = factors.coal_equivalent(quantity * times, factor)
    assert scaled == pytest.approx(one * times, rel=1e-12, abs=1e-9)
    total = factors.coal_equivalent(quantity + other, factor)
    assert total == pytest.approx(one + two, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize(
    ("made", "on", "reason"),
    [
        ([], FIRST, MissingFactor.RANGE_ONLY),
        ([row(starts=date(2026, 2, 1))], FIRST, MissingFactor.NOT_YET_VALID),
        ([row(ends=date(2026, 2, 1))], date(2026, 2, 1), MissingFactor.EXPIRED),
        ([row(ends=date(2026, 2, 1)), row(starts=date(2026, 3, 1))], date(2026, 2, 9),
         MissingFactor.EXPIRED),
        ([row(verified=False)], FIRST, MissingFactor.UNVERIFIED_REFUSED),
        ([row(unit_id=8)], FIRST, MissingFactor.RANGE_ONLY),
    ],
)  # fmt: skip
def test_a_missing_factor_has_a_reason(made: list[Factor], on: date, reason: MissingFactor) -> None:
    table = FactorTable(made, [RANGE], unverified=Unverified.REFUSE)
    assert look(table, on) is reason
    assert table.find(GAS, Basis.CALORIFIC, UNIT, on) is None
    assert factors.coal_equivalent(1000.0, None) is None


def test_a_carrier_of_which_nothing_is_known_has_no_factor() -> None:
    assert look(FactorTable([])) is MissingFactor.NO_FACTOR


def test_a_refused_value_of_the_unit_leaves_its_place_to_the_reference() -> None:
    own, everyones = row(1.3, unit_id=UNIT, verified=False), row(1.2)
    assert look(FactorTable([own, everyones])) is own
    assert look(FactorTable([own, everyones], unverified=Unverified.REFUSE)) is everyones


def test_a_factor_says_whose_it_is_and_where_it_comes_from() -> None:
    measured = row(1.3, unit_id=UNIT, batch="b1")
    found = look(FactorTable([row(), row(unit_id=UNIT), measured]))
    assert isinstance(found, Factor)
    assert (found.origin, found.batch, found.edition) == (Origin.MEASURED, "b1", "e")


@pytest.mark.parametrize(("kgce_per_kwh", "gwh"), [(0.1229, 81.4), (0.302, 33.1)])
def test_the_threshold_of_10_000_tce_depends_on_the_basis(kgce_per_kwh: float, gwh: float) -> None:
    factor = Factor("electricity", Basis.CALORIFIC, None, kgce_per_kwh, FIRST, None)
    tce = factors.coal_equivalent(gwh * 1e6, factor)
    assert tce == pytest.approx(10_000, rel=1e-3)
    assert round(10_000 * 1000 / kgce_per_kwh / 1e6, 1) == gwh


@pytest.mark.parametrize(
    ("carrier", "basis", "kgce", "word"),
    [
        ("electricity", Basis.CALORIFIC, 0.12284, "fixed at 0.1229"),
        ("electricity", Basis.EQUIVALENT, 0.1229, "当量值"),
        ("electricity", Basis.EQUIVALENT, 4.04, "slip for 0.404"),
    ],
)
def test_values_that_circulate_mistaken_are_objected_to(
    carrier: str, basis: Basis, kgce: float, word: str
) -> None:
    assert word in (factors.objection(carrier, basis, kgce) or "")


@pytest.mark.parametrize(
    ("carrier", "basis", "kgce"),
    [
        ("electricity", Basis.CALORIFIC, 0.1229),
        ("electricity", Basis.EQUIVALENT, 0.302),
        ("electricity", Basis.EQUIVALENT, 0.404),
        ("lpg", Basis.CALORIFIC, 1.7143),
    ],
)
def test_published_values_are_not_objected_to(carrier: str, basis: Basis, kgce: float) -> None:
    assert factors.objection(carrier, basis, kgce) is None
