"""Owns the columns of intensity as a file: a row of the answer made flat."""

from __future__ import annotations

from collections.abc import Mapping

from app.api.intensity_answers import IntensityAnswer, IntensityRow, PerValue
from app.cells import Columns, Kind, by_days
from energy.periods import Step

COLUMNS: Columns = {
    "unit": Kind.TEXT,
    "product": Kind.TEXT,
    "product_name": Kind.TEXT,
    "starts_at": Kind.INSTANT,
    "ends_at": Kind.INSTANT,
    "intensity": Kind.FIGURE,
    "intensity_uom": Kind.TEXT,
    "reason": Kind.TEXT,
    "intensity_low": Kind.FIGURE,
    "intensity_high": Kind.FIGURE,
    "state": Kind.TEXT,
    "waits_for": Kind.TEXT,
    "restated_by": Kind.TEXT,
    "grade": Kind.TEXT,
    "graded_by": Kind.TEXT,
    "ungraded": Kind.TEXT,
    "limits_met": Kind.TEXT,
    "limits_exceeded": Kind.TEXT,
    "limits_not_judged": Kind.TEXT,
    "energy_tce": Kind.FIGURE,
    "electricity_kwh": Kind.FIGURE,
    "output_quantity": Kind.FIGURE,
    "output_uom": Kind.TEXT,
    "output_source": Kind.TEXT,
    "output_metered": Kind.FIGURE,
    "output_difference": Kind.FIGURE,
    "coverage": Kind.FIGURE,
    "output_coverage": Kind.FIGURE,
    "estimated_share": Kind.FIGURE,
    "held": Kind.FLAG,
    "left_out": Kind.TEXT,
    "left_out_reasons": Kind.TEXT,
    "output_value_cny": Kind.NUMBER,
    "tce_per_output_value": Kind.FIGURE,
    "output_value_reason": Kind.TEXT,
    "output_value_state": Kind.TEXT,
    "output_value_restated_by": Kind.TEXT,
    "value_added_cny": Kind.NUMBER,
    "tce_per_value_added": Kind.FIGURE,
    "value_added_reason": Kind.TEXT,
    "value_added_state": Kind.TEXT,
    "value_added_restated_by": Kind.TEXT,
}

COMPARED: Columns = {
    "compared_rule": Kind.TEXT,
    "compared_starts_at": Kind.INSTANT,
    "compared_ends_at": Kind.INSTANT,
    "compared_intensity": Kind.FIGURE,
    "compared_intensity_reason": Kind.TEXT,
    "compared_state": Kind.TEXT,
    "compared_coverage": Kind.FIGURE,
    "compared_output_coverage": Kind.FIGURE,
    "compared_change": Kind.FIGURE,
    "compared_change_percent": Kind.FIGURE,
    "compared_reason": Kind.TEXT,
}
"""Where a comparison was asked for."""


def columns(step: Step, *, is_compared: bool) -> Columns:
    """Return the columns of a file of buckets so long."""
    found = COLUMNS | (COMPARED if is_compared else {})
    return found if step is Step.HOUR else by_days(found)


def cells(answer: IntensityAnswer, item: IntensityRow) -> Mapping[str, object]:
    """Return the fields of a row; of its limits the editions, by how they are met."""
    limits: dict[bool | None, list[str]] = {True: [], False: [], None: []}
    for limit in item.limits:
        limits[limit.is_within_limit].append(limit.edition)
    return {
        **dict(item),
        "unit": answer.unit,
        "product": answer.product,
        "product_name": answer.product_name,
        "limits_met": limits[True],
        "limits_exceeded": limits[False],
        "limits_not_judged": limits[None],
        **_of_value("output_value", item.per_output_value),
        **_of_value("value_added", item.per_value_added),
        **{f"compared_{name}": said for name, said in dict(item.compared or {}).items()},
    }


def _of_value(name: str, per: PerValue) -> dict[str, object]:
    return {
        f"{name}_cny": per.value_cny,
        f"tce_per_{name}": per.intensity,
        f"{name}_reason": per.reason,
        f"{name}_state": per.state,
        f"{name}_restated_by": per.restated_by,
    }
