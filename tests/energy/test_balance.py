"""A balance closes, whatever its terms; what nobody knows has a name and makes no figure."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from math import ulp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import balance
from energy.balance import SIGNS, Absence, Flow, Incomparable, Origin, Term

quantities = st.floats(0, 1e12, allow_subnormal=False)
absences = st.sampled_from([*Absence])


def stated(flow: Flow, quantity: float) -> Term:
    return Term(flow, quantity, Origin.STATED)


def absent(flow: Flow, absence: Absence = Absence.NONE_KNOWN) -> Term:
    return Term(flow, None, None, absence)


@st.composite
def any_terms(draw: st.DrawFn) -> list[Term]:
    """Terms of all flows, in any order, known or not."""
    terms = []
    for flow in draw(st.permutations([*Flow])):
        quantity = draw(st.none() | quantities)
        terms.append(absent(flow, draw(absences)) if quantity is None else stated(flow, quantity))
    return terms


@given(any_terms())
def test_a_balance_closes_exactly_or_names_what_is_missing(terms: list[Term]) -> None:
    found = balance.balance(terms)
    missing = {term.flow for term in terms if term.is_missing}
    known = {term.flow: term.quantity for term in terms if term.quantity is not None}
    assert set(found.missing) == missing
    if missing or not known:
        assert found.consumed is None
    else:
        exact = sum(SIGNS[flow] * Fraction(value) for flow, value in known.items())
        assert found.consumed is not None
        assert abs(exact - Fraction(found.consumed)) <= Fraction(ulp(found.consumed)) / 2


@given(any_terms(), st.data())
def test_the_order_of_terms_changes_nothing(terms: list[Term], data: st.DataObject) -> None:
    other = data.draw(st.permutations(terms))
    assert balance.balance(terms) == balance.balance(other)


@given(st.lists(quantities, min_size=6, max_size=6))
def test_feedstock_is_used_and_not_consumed(values: list[float]) -> None:
    terms = [stated(flow, value) for flow, value in zip(Flow, values, strict=True)]
    found = balance.balance(terms)
    assert found.used is not None
    assert found.consumed is not None
    assert found.used - found.consumed == pytest.approx(values[-1], rel=1e-9, abs=1e-3)


def test_what_is_sold_on_is_subtracted() -> None:
    known = [stated(Flow.PURCHASED, 100), stated(Flow.PRODUCED, 50), stated(Flow.SOLD, 30)]
    nothing = [absent(flow) for flow in (Flow.OPENING_STOCK, Flow.CLOSING_STOCK, Flow.FEEDSTOCK)]
    found = balance.balance([*known, *nothing])
    assert (found.used, found.consumed) == (120, 120)
    assert found.none_known == (Flow.OPENING_STOCK, Flow.CLOSING_STOCK, Flow.FEEDSTOCK)


def test_what_is_used_is_known_though_its_feedstock_is_not() -> None:
    terms = [stated(flow, 10) for flow in Flow if flow is not Flow.FEEDSTOCK]
    found = balance.balance([*terms, absent(Flow.FEEDSTOCK, Absence.NOT_STATED)])
    assert (found.used, found.consumed, found.missing) == (10, None, (Flow.FEEDSTOCK,))


def test_a_flow_that_is_left_out_is_missing_and_not_zero() -> None:
    found = balance.balance([stated(Flow.PURCHASED, 100)])
    assert found.consumed is None
    assert set(found.missing) == {*Flow} - {Flow.PURCHASED}


def test_a_balance_without_any_quantity_is_no_zero() -> None:
    assert balance.balance([absent(flow) for flow in Flow]).consumed is None


def test_a_flow_has_one_term() -> None:
    with pytest.raises(ValueError, match="two terms for sold"):
        balance.balance([stated(Flow.SOLD, 1), stated(Flow.SOLD, 2)])


@pytest.mark.parametrize(
    ("quantity", "origin", "absence"),
    [
        (None, None, None),
        (1.0, None, None),
        (1.0, Origin.STATED, Absence.HELD),
        (None, Origin.METERED, Absence.HELD),
    ],
)
def test_a_term_is_known_with_an_origin_or_unknown_with_a_reason(
    quantity: float | None, origin: Origin | None, absence: Absence | None
) -> None:
    with pytest.raises(ValueError, match="a quantity and an origin"):
        Term(Flow.SOLD, quantity, origin, absence)


def test_what_no_sub_meter_counts_is_unmetered() -> None:
    found = balance.against_sub_meters(1000.0, [600.0, 310.0])
    assert (found.part, found.difference, found.share) == (910, 90, 0.09)


def test_sub_meters_that_count_more_than_the_boundary_show_as_such() -> None:
    found = balance.against_sub_meters(1000.0, [600.0, 500.0])
    assert (found.difference, found.share) == (-100, -0.1)


@pytest.mark.parametrize(
    ("boundary", "subs", "reason"),
    [
        (None, [1.0], Incomparable.BOUNDARY_UNKNOWN),
        (1.0, [], Incomparable.NO_SUB_METERS),
        (1.0, [1.0, None], Incomparable.SUB_METER_UNKNOWN),
    ],
)
def test_what_is_unknown_is_not_compared(
    boundary: float | None, subs: list[float | None], reason: Incomparable
) -> None:
    found = balance.against_sub_meters(boundary, subs)
    assert (found.difference, found.share, found.reason) == (None, None, reason)


def test_a_share_of_nothing_is_unknown() -> None:
    assert balance.compared(0.0, 5.0).share is None


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.data())
def test_pieces_tile_a_span_only_without_gap_overlap_or_overhang(
    lengths: list[int], data: st.DataObject
) -> None:
    starts_on = date(2026, 1, 1)
    pieces, reached = [], starts_on
    for length in lengths:
        pieces.append((reached, reached + timedelta(days=length)))
        reached += timedelta(days=length)
    assert balance.are_tiling(data.draw(st.permutations(pieces)), starts_on, reached)
    assert not balance.are_tiling(pieces[:-1], starts_on, reached)
    assert not balance.are_tiling(pieces, starts_on, reached - timedelta(days=1))
    assert not balance.are_tiling([*pieces, pieces[-1]], starts_on, reached)
