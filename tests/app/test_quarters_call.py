"""The quarters of an hour are reckoned from readings, and come to what is settled for the hour."""

from __future__ import annotations

from math import fsum
from pathlib import Path
from typing import Any

from energy.explanation import agrees
from tests import cast
from tests.app import november
from tests.app.conftest import Stage

ASKED = {**november.SPAN, "unit": cast.QIANS_UNIT}


async def ask(stage: Stage, bucket: str, groups: str, basis: str) -> list[dict[str, Any]]:
    query = {"group_by": groups} if groups else {}
    return await stage.items(
        "qian", "/v1/consumption", **ASKED, bucket=bucket, basis=basis, **query
    )


def total(rows: list[dict[str, Any]], name: str) -> float | None:
    known = [row[name] for row in rows if row[name] is not None]
    return fsum(known) if known else None


async def test_four_quarters_are_the_settled_hour(stage: Stage, tmp_path: Path) -> None:
    """With a wrap, silence, a replacement, a correction, a dip, export, and a factor that ends."""
    await november.play(stage, tmp_path)
    for groups, basis in (("", "calorific"), ("energy", "equivalent"), ("meter", "calorific")):
        hours = await ask(stage, "hour", groups, basis)
        quarters = await ask(stage, "15m", groups, basis)
        names = [name for name in ("energy", "meter") if name in hours[0]]
        assert len(quarters) == 4 * len(hours)
        by_hour: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for row in quarters:
            key = (row["starts_at"][:13], *(row[name] for name in names))
            by_hour.setdefault(key, []).append(row)
        for hour in hours:
            own = by_hour[hour["starts_at"][:13], *(hour[name] for name in names)]
            for figure in ("energy_tce", "quantity"):
                assert agrees(total(own, figure), hour[figure]), hour
            assert any(row["held"] for row in own) == hour["held"]
            assert {*hour["left_out"]} == {each for row in own for each in row["left_out"]}


async def test_quarters_of_others_are_missing(shown_stage: Stage) -> None:
    asked = {**ASKED, "bucket": "15m"}
    assert await shown_stage.code("sun", "/v1/consumption", **asked) == (404, "not_found")


async def test_a_unit_without_readings_has_quarters_of_which_nothing_is_known(
    shown_stage: Stage,
) -> None:
    span = {"from_": "2026-11-23T15:20:00+08:00", "to": "2026-11-24T00:00:00+08:00"}
    rows = await shown_stage.items(
        "li", "/v1/consumption", **span, unit=cast.QIANS_UNIT, bucket="15m"
    )
    shown = [(row["starts_at"][11:16], row["energy_tce"], row["coverage"]) for row in rows]
    assert shown == [("15:15", None, 0), ("15:30", None, 0), ("15:45", None, 0)]
