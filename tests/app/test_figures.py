"""Reckoned figures leave without the noise of adding up; what arrived or proves leaves exactly."""

from __future__ import annotations

import json
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import consumption_export, exports, intensity_export
from app.api import comparing, consumption, explain_answers, intensity_answers, production, readings
from app.api.answers import Answer, rounded
from app.cells import Columns, Kind
from db.consumption import Group

NOISE = 0.1 + 0.2


def told(model: type[Answer]) -> dict[str, float]:
    """Return what a model says of numbers with noise in all its fields of numbers."""
    floats = {
        name: NOISE
        for name, field in model.model_fields.items()
        if field.annotation in (float, float | None) or "float" in str(field.annotation)
    }
    text = model.model_construct(None, **floats).model_dump_json(
        include=set(floats), warnings=False
    )
    said: dict[str, float] = json.loads(text)
    assert said
    return said


@pytest.mark.parametrize(
    "model", [consumption.ConsumptionRow, comparing.Compared, intensity_answers.IntensityRow]
)
def test_a_reckoned_figure_leaves_without_noise(model: type[Answer]) -> None:
    assert set(told(model).values()) == {0.3}


@pytest.mark.parametrize(
    "model",
    [
        readings.Reading, readings.Conflict, readings.Correction, production.ProductionItem,
        explain_answers.ReadingUsed, explain_answers.EpochInForce, explain_answers.FactorSpan,
        explain_answers.PartOfFigure,
    ],
)  # fmt: skip
def test_what_arrived_was_stated_or_proves_leaves_exactly(model: type[Answer]) -> None:
    assert set(told(model).values()) == {NOISE}


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        (
            consumption_export.columns(list(Group), consumption_export.COMPARED),
            consumption.ConsumptionRow,
        ),
        (intensity_export.COLUMNS, intensity_answers.IntensityRow),
    ],
)
def test_files_round_the_figures_that_json_rounds(columns: Columns, row: type[Answer]) -> None:
    rounds = {name for name, kind in columns.items() if kind is Kind.FIGURE}
    assert rounds & set(row.model_fields) == told(row).keys() & columns.keys()
    assert [exports.cell(NOISE, kind) for kind in (Kind.FIGURE, Kind.NUMBER)] == [0.3, NOISE]


@given(st.integers(0, 10**12 - 1), st.integers(0, 6))
def test_what_a_register_can_count_is_never_rounded(digits: int, decimals: int) -> None:
    assert rounded(digits / 10**decimals) == digits / 10**decimals


@given(st.floats(-1e300, 1e300))
def test_rounding_takes_no_more_than_it_says(figure: float) -> None:
    assert isclose(rounded(figure), figure, rel_tol=1e-12, abs_tol=5e-7 * (abs(figure) >= 1))
    assert rounded(rounded(figure)) == rounded(figure)
