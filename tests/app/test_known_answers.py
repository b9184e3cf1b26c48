"""Whatever becomes known later, a call answers as known on a day what it answered on that day."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from app.api.answers import rounded
from app.imports.kinds import Kind
from db.pool import Pool
from tests.app import november
from tests.app.conftest import NOW, Stage
from tests.app.later import (
    ALL,
    CALLS,
    LATER,
    SPAN,
    STATED,
    THEN,
    UNIT,
    alike,
    answers,
    everything_changes,
)
from tests.app.later import later_works as later_works
from tests.app.later import works as works


async def test_a_call_answers_what_it_answered_on_that_day(works: Stage, tmp_path: Path) -> None:
    before = await answers(works)
    await everything_changes(works, tmp_path)
    known, today = await answers(works, as_known_on=THEN), await answers(works)
    assert [name for name in CALLS if not alike(known[name], before[name])] == []
    assert [name for name in CALLS if alike(today[name], before[name])] == []


async def test_days_can_be_asked_for_in_any_order(
    works: Stage, later_works: Stage, tmp_path: Path
) -> None:
    """A connection that has answered a statement from some tables answers it from others next."""
    names = ("days of a city", "budgets", "factors")
    asked: list[dict[str, str]] = [{}, {"as_known_on": THEN}, {"as_known_on": ALL}, {}]
    before = await answers(works, *names)
    await everything_changes(works, tmp_path)
    today, known, now, again = [await answers(later_works, *names, **each) for each in asked]
    assert alike(known, before)
    assert alike(now, today)
    assert alike(again, today)
    assert not any(alike(today[name], before[name]) for name in names)


async def test_what_is_asked_of_an_earlier_day_leaves_nothing_behind(
    works: Stage, tmp_path: Path
) -> None:
    await everything_changes(works, tmp_path)
    held = await counted(works.pool)
    await answers(works, "days of a city", "warnings", as_known_on=THEN)
    assert await counted(works.pool) == held


async def counted(pool: Pool) -> dict[str, int]:
    """Return how many rows there are, and temporary relations of anybody."""
    tables = ("meter_consumption", "unit_consumption", "area_consumption", "stale_ranges",
              "stale_areas", "doubts", "corrections", "factors", "units", "changes")  # fmt: skip
    found = {name: await pool.fetchval(f"SELECT count(*) FROM {name}") for name in tables}
    temporary = "SELECT count(*) FROM pg_class WHERE relpersistence = 't'"
    return found | {"temporary": await pool.fetchval(temporary)}


INSTANTS = (
    november.FIRST_KNOWN - timedelta(seconds=1),
    november.FIRST_KNOWN,
    november.START + timedelta(days=3),
    november.CORRECTED_AT - timedelta(seconds=1),
    november.CORRECTED_AT,
    NOW - timedelta(hours=48),
    NOW,
    LATER,
)


async def test_an_explanation_of_that_day_comes_to_the_same(
    works: Stage, later_works: Stage, tmp_path: Path
) -> None:
    await everything_changes(works, tmp_path)
    for at in INSTANTS:
        asked = {"unit": UNIT, "as_known_on": at.isoformat()}
        rows = await later_works.items("li", "/v1/consumption", **SPAN, **asked, bucket="day")
        for row in rows:
            span = {"from_": row["starts_at"], "to": row["ends_at"]}
            answer = await later_works.get(
                "li", "/v1/explain", figure="consumption", **span, **asked
            )
            found = answer.json()["value"]
            value = None if found["value"] is None else rounded(found["value"])
            assert alike(value, row["energy_tce"]), (at, row["starts_at"])
            assert alike(found["coverage"], row["coverage"]), (at, row["starts_at"])
        assert len(rows) == 4 - (at <= november.START + timedelta(days=3))


async def test_a_unit_is_shown_where_it_lay(works: Stage, tmp_path: Path) -> None:
    moved = {"unit": UNIT, "name": "n", "region": "450302", "industry": "C3120"}
    await november.take(works, tmp_path, Kind.UNITS, [{**moved, "region": "450202"}], STATED)
    await november.take(works, tmp_path, Kind.UNITS, [moved], LATER)
    await november.settle_all(works)
    asked = {**SPAN, "group_by": "unit", "bucket": "month"}
    for name, then, now in (("qian", True, False), ("sun", False, True)):
        for is_there, query in ((then, {"as_known_on": THEN}), (now, {})):
            rows = await works.items(name, "/v1/consumption", **asked, **query)
            assert (UNIT in [row["unit"] for row in rows]) is is_there


async def test_what_waits_to_be_settled_is_in_the_answer(works: Stage) -> None:
    late = [("E01", november.SILENT[0], 66.0)]
    await november.send(works, late, NOW, "b9")
    name = "hours of meters"
    who, path, query = CALLS[name]
    known = await works.items(who, path, **query, as_known_on=THEN)
    await november.settle_all(works)
    assert alike(known, await works.items(who, path, **query))
