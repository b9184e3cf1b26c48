"""Readings come back as they arrived, contradictions beside them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests import cast
from tests.app.conftest import Stage

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
QUERY = {"unit": cast.QIANS_UNIT, "meter": "E01"}


@pytest.fixture
async def meter_id(stage: Stage) -> int:
    """The meter has five readings, one each quarter of an hour."""
    found: int = await stage.pool.fetchval(
        "SELECT meter_id FROM meters JOIN units USING (unit_id) WHERE unit = $1", cast.QIANS_UNIT
    )
    await stage.pool.executemany(
        "INSERT INTO readings VALUES ($1, $2, $3, 'good', $2)",
        [(found, FIRST + timedelta(minutes=15 * n), 100.0 + n) for n in range(5)],
    )
    return found


@pytest.mark.usefixtures("meter_id")
async def test_a_span_holds_its_start_and_not_its_end(stage: Stage) -> None:
    span = {"from_": "2026-11-01T08:15:00+08:00", "to": "2026-11-01T01:00:00Z"}
    items = await stage.items("li", "/v1/readings", **QUERY, **span)
    assert [item["value"] for item in items] == [101, 102, 103]
    assert items[0] == {
        "time": "2026-11-01T08:15:00+08:00",
        "value": 101.0,
        "quality": "good",
        "received_at": "2026-11-01T08:15:00+08:00",
        "conflicts": [],
        "correction": None,
    }


@pytest.mark.usefixtures("meter_id")
async def test_pages_of_readings_lose_and_repeat_nothing(stage: Stage) -> None:
    span = {"from_": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z", "limit": "2"}
    values, query = [], {**QUERY, **span}
    while True:
        page = (await stage.get("li", "/v1/readings", **query)).json()
        values += [item["value"] for item in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert values == [100, 101, 102, 103, 104]


async def test_a_conflicting_value_is_shown_beside_the_first(stage: Stage, meter_id: int) -> None:
    await stage.pool.execute(
        "INSERT INTO conflicts VALUES ($1, $2, 999, 'uncertain', $2, 'topic', 'b')", meter_id, FIRST
    )
    span = {"from_": "2026-11-01T00:00:00Z", "to": "2026-11-01T00:30:00Z"}
    first, second = await stage.items("li", "/v1/readings", **QUERY, **span)
    assert first["value"] == 100
    assert [(c["value"], c["quality"]) for c in first["conflicts"]] == [(999, "uncertain")]
    assert first["conflicts"][0]["first_message"] is None
    assert second["conflicts"] == []
