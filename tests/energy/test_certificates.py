"""A certificate counts once, whatever is done with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy import certificates
from energy.certificates import Certificate, EnergyType, Source

REGIONS = ["450000", "450200", "450202", "450300"]
BOUGHT = Certificate("GEC-1", EnergyType.WIND, 1.0, date(2024, 5, 1), "530000", date(2024, 7, 1))
RETIRED = replace(BOUGHT, retired_for_year=2024, retired_for_region="450200")

statements = st.builds(
    Certificate,
    number=st.sampled_from([f"GEC-{number}" for number in range(6)]),
    energy_type=st.sampled_from([*EnergyType]),
    mwh=st.sampled_from([1.0, 0.5, 2.0]),
    generated_in=st.sampled_from([date(2023, 12, 1), date(2024, 5, 1), date(2025, 1, 1)]),
    province=st.sampled_from(["450000", "530000"]),
    acquired_on=st.sampled_from([date(2023, 12, 20), date(2024, 7, 1), date(2025, 3, 1)]),
    retired_for_year=st.none() | st.integers(2023, 2025),
    retired_for_region=st.none() | st.sampled_from(REGIONS),
)


def told(history: list[Certificate]) -> dict[str, Certificate]:
    """Return the ledger after `history`: what is refused changes nothing."""
    ledger: dict[str, Certificate] = {}
    for stated in history:
        if certificates.refusal(ledger.get(stated.number), stated) is None:
            ledger[stated.number] = stated
    return ledger


@given(st.lists(statements, max_size=16))
def test_no_certificate_counts_twice_whatever_the_history(history: list[Certificate]) -> None:
    ever_counted: dict[str, set[tuple[int | None, str | None]]] = {}
    for length in range(1, len(history) + 1):
        for each in told(history[:length]).values():
            if each.is_retired:
                use = (each.retired_for_year, each.retired_for_region)
                ever_counted.setdefault(each.number, set()).add(use)
    assert all(len(uses) == 1 for uses in ever_counted.values())


@given(st.lists(statements, max_size=40))
def test_the_years_of_a_province_count_no_more_than_there_is(history: list[Certificate]) -> None:
    ledger = told(history)
    counted = fsum(
        mwh
        for year in range(2022, 2027)
        for mwh in certificates.sums(
            certificates.counted(ledger.values(), "45", year), "450000"
        ).values()
    )
    assert counted == fsum(each.mwh for each in ledger.values() if each.is_retired)


def test_a_number_that_is_told_twice_counts_once() -> None:
    assert certificates.counted([RETIRED, RETIRED], "45", 2024) == [RETIRED]


def test_a_certificate_of_another_province_is_across() -> None:
    own = replace(RETIRED, number="GEC-2", province="450000")
    assert certificates.sums([RETIRED, own], "450200") == {
        Source(EnergyType.WIND, is_across=True): 1.0,
        Source(EnergyType.WIND, is_across=False): 1.0,
    }


def test_a_certificate_is_counted_where_it_is_retired_and_above() -> None:
    found = {
        prefix: len(certificates.counted([RETIRED], prefix, 2024))
        for prefix in ("45", "4502", "450202", "4503")
    }
    assert found == {"45": 1, "4502": 1, "450202": 0, "4503": 0}


@pytest.mark.parametrize(
    ("stored", "stated", "sentence"),
    [
        (
            RETIRED,
            replace(RETIRED, retired_for_year=2025),
            "is retired for 450200 in 2024 already: a certificate counts once",
        ),
        (RETIRED, BOUGHT, "is retired for 450200 in 2024 already"),
        (RETIRED, replace(RETIRED, mwh=2.0), "a certificate counts once"),
        (None, replace(BOUGHT, acquired_on=date(2024, 4, 30)), "before its electricity was"),
        (None, replace(BOUGHT, retired_for_year=2024), "give both or neither"),
        (
            None,
            replace(RETIRED, retired_for_year=2023),
            "was generated in 2024-05: it proves no consumption of 2023",
        ),
    ],
)
def test_what_would_count_wrongly_is_refused_with_a_sentence(
    stored: Certificate | None, stated: Certificate, sentence: str
) -> None:
    assert sentence in str(certificates.refusal(stored, stated))


def test_what_is_retired_may_be_told_again() -> None:
    assert certificates.refusal(RETIRED, RETIRED) is None
    assert certificates.refusal(BOUGHT, RETIRED) is None
