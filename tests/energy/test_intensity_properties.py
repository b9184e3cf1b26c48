"""What holds of every intensity: order, partition, and that the unknown never becomes a figure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import finality, intensity, production
from energy.finality import Cause, State
from energy.intensity import Grade, Levels
from energy.periods import Span
from energy.production import Source

ORDER = [Grade.BENCHMARK, Grade.BETWEEN, Grade.BELOW_BASELINE]
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
POSITIVE = st.floats(1e-3, 1e6)
START = datetime(2026, 9, 30, 16, tzinfo=UTC)
DAY = timedelta(days=1)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.booleans())
def test_a_higher_value_is_never_graded_better(
    one: float, two: float, level: float, other: float, is_exclusive: bool
) -> None:
    levels = Levels(
        benchmark=min(level, other), baseline=max(level, other), is_exclusive=is_exclusive
    )
    better, worse = (intensity.grade(value, levels) for value in sorted((one, two)))
    assert better is not None
    assert worse is not None
    assert ORDER.index(better) <= ORDER.index(worse)


@given(NUMBERS, st.none() | NUMBERS, st.none() | NUMBERS)
def test_a_grade_says_no_more_than_its_levels(
    value: float, benchmark: float | None, baseline: float | None
) -> None:
    found = intensity.judgement(value, Levels(benchmark=benchmark, baseline=baseline))
    assert (found.grade is None) == (found.ungraded is not None)
    if found.grade is Grade.BETWEEN:
        assert benchmark is not None
        assert baseline is not None


@given(st.lists(st.tuples(NUMBERS, POSITIVE), min_size=1, max_size=12))
def test_the_parts_weighed_by_their_output_are_the_whole(parts: list[tuple[float, float]]) -> None:
    figures = [intensity.intensity(energy, made).value for energy, made in parts]
    output = sum(made for _, made in parts)
    whole = intensity.intensity(sum(energy for energy, _ in parts), output).value
    weighed = sum(
        figure * made
        for figure, (_, made) in zip(figures, parts, strict=True)
        if figure is not None
    )
    assert whole is not None
    assert whole * output == pytest.approx(weighed, rel=1e-9, abs=1e-3)


FIGURES = st.lists(
    st.tuples(st.integers(1, 9), st.none() | st.floats(0, 1e9)), min_size=1, max_size=10
)


def tiled(parts: list[tuple[int, float | None]]) -> tuple[list[tuple[Span, float | None]], Span]:
    """Return spans of so many days, one after the other, and the bucket that they fill."""
    spans, at = [], START
    for days, figure in parts:
        spans.append((Span(at, at + days * DAY), figure))
        at += days * DAY
    return spans, Span(START, at)


@given(FIGURES, st.data())
def test_a_sum_is_there_when_all_parts_are_and_not_before(
    parts: list[tuple[int, float | None]], data: st.DataObject
) -> None:
    spans, bucket = tiled(parts)
    known = [figure for _, figure in spans if figure is not None]
    expected = pytest.approx(sum(known)) if len(known) == len(spans) else None
    shuffled = data.draw(st.permutations(spans))
    assert production.whole_sum(shuffled, bucket) == expected
    assert production.whole_sum(shuffled[1:], bucket) is None
    assert production.whole_sum(shuffled, Span(bucket.starts_at, bucket.ends_at + DAY)) is None


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.none() | st.floats(0, 1e9)),
    st.sets(st.sampled_from("abcdef")),
    st.sampled_from("abcdef"),
)
def test_an_unknown_product_never_yields_a_figure_of_the_unit(
    by_product: dict[str, float | None], products: set[str], unknown: str
) -> None:
    known = {product: figure for product, figure in by_product.items() if product != unknown}
    assert production.unit_sum(known, products | {unknown}) is None


@given(st.none() | st.floats(0, 1e9), st.none() | st.floats(0, 1e9))
def test_metered_and_stated_output_are_never_added(
    metered: float | None, stated: float | None
) -> None:
    found = production.output(metered, stated)
    assert found.quantity == (metered if stated is None else stated)
    assert (found.quantity is None) == (found.source is None)
    assert (found.source is Source.STATED) == (stated is not None)


@given(
    st.booleans(), st.booleans(), st.none() | st.floats(0, 1), st.booleans(), st.booleans(),
    st.booleans(), st.integers(0, 3), st.booleans(),
)  # fmt: skip
def test_what_waits_for_something_is_provisional(
    is_open: bool, known: bool, coverage: float | None, held: bool, stated: bool, differs: bool,
    versions: int, changed: bool,
) -> None:  # fmt: skip
    waits_for = finality.causes(
        is_open=is_open, is_energy_known=known, coverage=coverage, is_held=held, is_stated=stated,
        differs=differs,
    )  # fmt: skip
    is_sound = known and stated and coverage is not None and coverage >= 0.9
    is_firm = is_sound and not (is_open or held or differs)
    restated_by = finality.restated_by(waits_for, versions=versions, energy_changed=changed)
    state = finality.state(waits_for, restated_by)
    assert (state is not State.PROVISIONAL) == is_firm
    assert (state is State.RESTATED) == (is_firm and (versions > 1 or changed))
    assert (Cause.COVERAGE_LOW in waits_for) == (coverage is None or coverage < 0.9)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 20)), min_size=2, max_size=8))
def test_an_overlap_is_found_exactly_where_a_day_counts_twice(parts: list[tuple[int, int]]) -> None:
    spans = [Span(START + first * DAY, START + (first + days) * DAY) for first, days in parts]
    days = [day for first, length in parts for day in range(first, first + length)]
    assert (production.overlap(spans) is not None) == (len(days) != len({*days}))
