"""Sun tries every route against Qian's data: what is foreign does not exist."""

from __future__ import annotations

from typing import Any

import pytest

from app.main import create_app
from settings import Settings
from tests import cast, factories
from tests.app.conftest import Stage

OPENAPI: dict[str, Any] = create_app(Settings(), "postgresql://nowhere").openapi()
PATHS = sorted(
    path for path, calls in OPENAPI["paths"].items() if path.startswith("/v1/") and "get" in calls
)
GUARDED = [(path, method) for path in PATHS for method in OPENAPI["paths"][path] if method == "get"]
QIANS = {
    "unit": cast.QIANS_UNIT,
    "meter": "E01",
    "product": "steel",
    "from": "2026-11-01T00:00:00+08:00",
    "to": "2026-11-02T00:00:00+08:00",
    "bucket": "day",
    "region": "450200",
    "year": "2024",
    "alert_id": "1",
    "figure": "consumption",
}
"""A value for each parameter that names something of Qian's."""

NOT_TOGETHER = {"/v1/explain": {"product"}}
"""Parameters of a call that do not go with those above."""


def request(path: str) -> tuple[str, dict[str, str]]:
    """Return the path and query that ask for Qian's data."""
    parameters = OPENAPI["paths"][path]["get"].get("parameters", [])
    named = {p["name"]: QIANS[p["name"]] for p in parameters if p["name"] in QIANS}
    missing = [p["name"] for p in parameters if p["required"] and p["name"] not in QIANS]
    assert not missing, f"give QIANS a value for {missing}"
    query = {p["name"] for p in parameters if p["in"] == "query"} - NOT_TOGETHER.get(path, set())
    return path.format(**named), {name: named[name] for name in query & named.keys()}


@pytest.fixture(scope="session")
async def qians_stage(shown_stage: Stage) -> Stage:
    """Qian's unit has output, readings, production, a capacity, an alert and a budget."""
    async with shown_stage.pool.acquire() as connection:
        unit_id: int = await connection.fetchval(
            "SELECT unit_id FROM units WHERE unit = $1", cast.QIANS_UNIT
        )
        await factories.meter(
            connection, unit_id, "P01", kind="interval", role="output", uom="t", product="steel"
        )
        await connection.execute(
            """
            INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at)
            SELECT meter_id, '2026-11-01 08:00+08', 1, 'good', now() FROM meters
            """
        )
        await connection.execute(
            """
            INSERT INTO production
            VALUES ($1, 'steel', '2026-11-01 00:00+08', '2026-11-02 00:00+08', 1, 't', 1, 1)
            """,
            unit_id,
        )
        await connection.execute(
            """
            INSERT INTO capacities
            VALUES ($1, 'cement_clinker', 1000, 't', '2020-01-01', 'test')
            """,
            unit_id,
        )
        await connection.execute(
            """
            INSERT INTO rules (kind, name, parameters) VALUES ('product_intensity', 'r', '{}')
            """
        )
        await connection.execute(
            """
            INSERT INTO energy_budgets (owner_kind, owner, starts_on, ends_on, amount_tce, basis,
                                        source)
            VALUES ('unit', $1, '2026-01-01', '2027-01-01', 2400, 'calorific', 'test')
            """,
            cast.QIANS_UNIT,
        )
        await connection.execute(
            """
            INSERT INTO alerts (rule_id, region, unit_id, subject, level, state, period_starts_at,
                                period_ends_at, measured, threshold, uom, coverage,
                                estimated_share, reason, pending_at, updated_at)
            SELECT rule_id, '450202', $1, 'x', 1, 'firing', '2026-11-01 00:00+08',
                   '2026-11-02 00:00+08', 2, 1, 'kgce/t', 1, 0, 'above', now(), now()
              FROM rules
             WHERE name = 'r'
            """,
            unit_id,
        )
    return shown_stage


async def answer(stage: Stage, name: str, path: str) -> tuple[int, Any]:
    filled, query = request(path)
    got = await stage.get(name, filled, **query)
    return got.status_code, got.json()


@pytest.mark.parametrize("path", PATHS)
async def test_what_is_qians_does_not_exist_for_sun(qians_stage: Stage, path: str) -> None:
    status, body = await answer(qians_stage, "sun", path)
    assert status == 404 or (status == 200 and body["items"] == []), body


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", ["zhao", "qian", "li"])
async def test_those_who_may_see_it_do(qians_stage: Stage, name: str, path: str) -> None:
    status, body = await answer(qians_stage, name, path)
    assert status == 200, body
    assert body.get("items") != []


@pytest.mark.parametrize("path", PATHS)
async def test_zhou_sees_nothing(qians_stage: Stage, path: str) -> None:
    status, body = await answer(qians_stage, "zhou", path)
    assert (status, body["code"]) == (401, "unauthenticated")


async def test_what_is_foreign_is_answered_like_what_is_missing(qians_stage: Stage) -> None:
    foreign = await qians_stage.get("sun", f"/v1/units/{cast.QIANS_UNIT}")
    missing = await qians_stage.get("sun", f"/v1/units/{factories.unit_code(99)}")
    assert (foreign.status_code, foreign.content) == (missing.status_code, missing.content)


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("zhao", {cast.QIANS_UNIT, cast.QIANS_OTHER_UNIT, cast.SUNS_UNIT}),
        ("qian", {cast.QIANS_UNIT, cast.QIANS_OTHER_UNIT}),
        ("sun", {cast.SUNS_UNIT}),
        ("li", {cast.QIANS_UNIT}),
    ],
)
@pytest.mark.parametrize("path", ["/v1/units", "/v1/meters"])
async def test_lists_hold_what_one_may_see_and_no_more(
    qians_stage: Stage, path: str, name: str, seen: set[str]
) -> None:
    assert {item["unit"] for item in await qians_stage.items(name, path)} == seen


async def test_sums_hold_what_one_may_see_and_no_more(stage: Stage) -> None:
    await stage.pool.execute(
        """
        INSERT INTO unit_consumption
        SELECT unit_id, 'electricity', 'day', '2026-11-01 00:00+08', 1000, 0, 96, false, 1, 2
          FROM units
        """
    )
    sums = {}
    for name in ("zhao", "qian", "sun", "li"):
        (row,) = await stage.items(
            name, "/v1/consumption", from_=QIANS["from"], to=QIANS["to"], bucket="day"
        )
        sums[name] = row["energy_tce"]
    assert sums == {"zhao": 3, "qian": 2, "sun": 1, "li": 1}
