"""A final figure whose energy was settled otherwise says so, and that it was the energy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.imports.kinds import Kind
from tests.app import november
from tests.app.conftest import Stage
from tests.app.later import CALLS, EARLIER, LATER, THEN, UNIT, changed, correct
from tests.app.later import works as works

FINAL: tuple[str, list[str]] = ("final", [])
RESTATED = ("restated", ["energy"])


async def days(stage: Stage, name: str, **as_known: str) -> list[dict[str, Any]]:
    who, path, query = CALLS[name]
    rows = await stage.items(who, path, **query, **as_known)
    stated = {row["from"] for row in EARLIER[Kind.PRODUCTION]}
    return [row for row in rows if row["starts_at"] in stated and row.get("unit", UNIT) == UNIT]


async def states(stage: Stage, **as_known: str) -> list[tuple[str, list[str]]]:
    """Return how firm the days of November are, which are so in all figures alike."""
    by_product = await days(stage, "intensity", **as_known)
    by_value = await days(stage, "value intensity", **as_known)
    found = [
        [(each["state"], each["restated_by"]) for each in figures]
        for figures in (
            by_product,
            *([row[name] for row in rows]
              for rows in (by_product, by_value)
              for name in ("per_output_value", "per_value_added")),
        )
    ]  # fmt: skip
    assert found == [found[0]] * 5
    return found[0]


async def test_energy_that_changed_restates_a_final_figure_and_what_stayed_does_not(
    works: Stage, tmp_path: Path
) -> None:
    assert await states(works) == [FINAL] * 4
    late = [("E01", hour, 50.0 + 5 * (hour - 30)) for hour in november.SILENT]
    await november.send(works, late, LATER, "late")
    await november.settle_all(works)
    assert await states(works) == [FINAL] * 4  # within the day the register says the same
    await correct(works, 24, 32.0, LATER)
    await november.settle_all(works)
    assert await states(works) == [RESTATED, RESTATED, FINAL, FINAL]
    assert await states(works, as_known_on=THEN) == [FINAL] * 4


async def test_both_causes_of_a_restated_figure_are_told(works: Stage, tmp_path: Path) -> None:
    await correct(works, 24, 32.0, LATER)
    await november.settle_all(works)
    stated_anew = changed(Kind.PRODUCTION, quantity="50", output_value_cny="80000")
    await november.take(works, tmp_path, Kind.PRODUCTION, stated_anew, LATER)
    (row,) = (await days(works, "intensity"))[:1]
    assert row["restated_by"] == row["per_output_value"]["restated_by"] == ["output", "energy"]
    assert row["per_value_added"]["restated_by"] == ["energy"]
    coke = {"product": "coke", "output_value_cny": "", "value_added_cny": ""}
    await november.take(works, tmp_path, Kind.PRODUCTION, changed(Kind.PRODUCTION, **coke), LATER)
    who, path, query = CALLS["intensity"]
    rows = await works.items(who, path, **(query | {"product": "coke"}))
    (first,) = [row for row in rows if row["output_quantity"] is not None]
    assert (first["state"], first["restated_by"]) == FINAL  # the energy changed before
