"""Energy restates what was final, not what still waited for readings, a review or a factor."""

from __future__ import annotations

import pytest

from db.restatements import Energy
from ingest import restating


@pytest.mark.parametrize(
    ("used", "final"),
    [
        (Energy(5.0, 9, held=False), True),
        (Energy(5.0, 8, held=False), False),
        (Energy(5.0, 10, held=True), False),
        (Energy(None, 10, held=False), False),
    ],
)
def test_energy_is_final_where_a_stated_figure_waits_for_nothing(used: Energy, final: bool) -> None:
    assert restating.is_final(used, due=10) is final


@pytest.mark.parametrize(
    ("amount", "other"), [(0.1 + 0.2, False), (0.3001, True), (-0.3, True), (None, True)]
)
def test_the_order_of_a_sum_is_no_difference(amount: float | None, other: bool) -> None:
    assert restating.differs(Energy(0.3, 9, held=False), Energy(amount, 9, held=False)) is other
    assert restating.differs(Energy(0.3, 9, held=False), None)
