"""Whatever becomes known later, a call answers as known on a day what it answered on that day."""

from __future__ import annotations

import asyncio
import itertools
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import db.corrections
import db.known_tables
from app import correcting, depends
from app.imports.kinds import Kind
from db.corrections import CorrectionRow
from db.pool import Connection, Pool
from tests import cast, factories
from tests.app import november
from tests.app.conftest import NOW, Stage

UNIT = cast.QIANS_UNIT
THEN = NOW.isoformat()
LATER = NOW + timedelta(hours=3)
ALL = (NOW + timedelta(hours=4)).isoformat()
STATED = NOW - timedelta(days=2)
MONTH = {"from_": "2026-11-01T00:00:00+08:00", "to": "2026-12-01T00:00:00+08:00"}
SPAN = november.SPAN
CITY = {"region": "450200"}

CALLS: dict[str, tuple[str, str, dict[str, str]]] = {
    "hours of meters": ("li", "/v1/consumption", {**SPAN, "bucket": "hour", "group_by": "meter"}),
    "days of a city": (
        "qian",
        "/v1/consumption",
        {**SPAN, **CITY, "bucket": "day", "group_by": "unit,energy"},
    ),
    "a month of counties": (
        "zhao",
        "/v1/consumption",
        {**MONTH, "bucket": "month", "group_by": "region", "region_level": "county"},
    ),
    "a year": (
        "zhao",
        "/v1/consumption",
        {**MONTH, "bucket": "year", "group_by": "industry", "basis": "equivalent"},
    ),
    "intensity": (
        "qian",
        "/v1/intensity",
        {**MONTH, "unit": UNIT, "product": "steel", "bucket": "day"},
    ),
    "value intensity": (
        "zhao",
        "/v1/value_intensity",
        {**MONTH, "bucket": "day", "group_by": "unit"},
    ),
    "benchmark shares": ("qian", "/v1/benchmark_shares", {**CITY, "year": "2026"}),
    "balance": ("li", "/v1/balance", {**SPAN, "unit": UNIT}),
    "accounts": (
        "zhao",
        "/v1/accounts",
        {
            "region": "450000",
            "year": "2026",
            "base_year": "2025",
            "through_month": "11",
            "rule_set": "2024",
        },
    ),
    "budgets": ("qian", "/v1/budgets", {}),
    "warnings": ("qian", "/v1/warnings", {**CITY}),
    "carbon": ("zhao", "/v1/carbon", {**MONTH, "bucket": "month", "group_by": "unit"}),
    "production": ("li", "/v1/production", {**MONTH, "unit": UNIT}),
    "factors": ("li", "/v1/factors", {"unit": UNIT, "carrier": "raw_coal"}),
}

EARLIER: dict[Kind, list[dict[str, str]]] = {
    Kind.PRODUCTION: [
        {
            "unit": UNIT, "product": "steel", "from": since, "to": until, "quantity": "100",
            "uom": "t", "output_value_cny": "90000", "value_added_cny": "20000",
        }
        for since, until in itertools.pairwise(
            f"2026-11-{day:02}T00:00:00+08:00" for day in range(2, 7)
        )
    ],
    Kind.CAPACITIES: [
        {
            "unit": UNIT, "product": "cement_clinker", "capacity": "9000", "uom": "t",
            "valid_from": "2026-01-01", "source": "s",
        }
    ],
    Kind.LIMITS: [
        {
            "product": "steel", "uom": "kgce/t", "edition": "GB X", "limit": "9",
            "benchmark": "5", "valid_from": "2026-01-01", "source": "GB X",
        }
    ],
    Kind.BUDGETS: [
        {
            "owner_kind": "city", "owner": "450200", "from": "2026-11-01", "to": "2026-12-01",
            "amount_tce": "100", "basis": "calorific", "source": "s",
        }
    ],
    Kind.FIGURES: [
        {
            "region": "450200", "year": "2026", "through_month": "9", "energy_growth": "0.01",
            "gdp_growth": "0.05", "source": "s",
        }
    ],
    Kind.TARGETS: [
        {"region": "450200", "year": "2026", "required_rate": "-0.03", "source": "s"}
    ],
    Kind.STOCKS: [
        {
            "unit": UNIT, "carrier": "raw_coal", "counted_on": on, "quantity": quantity,
            "uom": "t", "evidence": "e",
        }
        for on, quantity in (("2026-11-02", "50"), ("2026-11-06", "45"))
    ],
    Kind.TRADES: [
        {
            "unit": UNIT, "carrier": "raw_coal", "from": "2026-11-02", "to": "2026-11-06",
            "purchased": "7", "uom": "t", "evidence": "e",
        }
    ],
    Kind.PROJECTS: [
        {
            "project": "P1", "unit": UNIT, "name": "n", "region": "450202", "approval": "a",
            "counted_apart_from": "2026-11-03", "share": "0.5",
        }
    ],
    Kind.CERTIFICATES: [
        {
            "certificate": "G1", "energy_type": "wind", "mwh": "1", "generated_in": "2026-10",
            "province": "450000", "unit": UNIT, "acquired_on": "2026-11-01",
            "retired_for_year": "2026", "retired_for_region": "450000", "source": "s",
        }
    ],
    Kind.CARBON_FACTORS: [
        {
            "carrier": "raw_coal", "kgco2_per_uom": "2", "valid_from": "2026-01-01",
            "edition": "e", "source": "s", "verified": "true",
        }
    ],
}  # fmt: skip


def changed(kind: Kind, **said: str) -> list[dict[str, str]]:
    return [{**EARLIER[kind][0], **said}]


AFTERWARDS: dict[Kind, list[dict[str, str]]] = {
    Kind.PRODUCTION: changed(Kind.PRODUCTION, quantity="50", output_value_cny="80000"),
    Kind.CAPACITIES: changed(Kind.CAPACITIES, capacity="8000"),
    Kind.LIMITS: [
        *changed(Kind.LIMITS, benchmark="3"),
        *changed(Kind.LIMITS, edition="GB Y", valid_from="2026-02-01"),
    ],
    Kind.BUDGETS: [
        *changed(Kind.BUDGETS, amount_tce="50"),
        *changed(Kind.BUDGETS, owner_kind="unit", owner=UNIT),
    ],
    Kind.FIGURES: changed(Kind.FIGURES, energy_growth="0.06"),
    Kind.TARGETS: changed(Kind.TARGETS, required_rate="-0.04"),
    Kind.STOCKS: changed(Kind.STOCKS, quantity="51"),
    Kind.TRADES: changed(Kind.TRADES, purchased="9"),
    Kind.PROJECTS: changed(Kind.PROJECTS, share="0.25"),
    Kind.CERTIFICATES: changed(Kind.CERTIFICATES, certificate="G2"),
    Kind.CARBON_FACTORS: changed(Kind.CARBON_FACTORS, kgco2_per_uom="3"),
    Kind.FACTORS: [
        {**november.FACTORS[1], "kgce_per_uom": "0.6"},
        {
            **november.FACTORS[1], "kgce_per_uom": "0.61", "basis": "equivalent",
        },
    ],
    Kind.CALORIFIC_VALUES: [
        {
            "unit": UNIT, "carrier": "raw_coal", "batch": "B1", "valid_from": "2026-11-02",
            "valid_to": "2026-11-03", "net_calorific_value": "25", "uom": "MJ/kg", "source": "s",
        }
    ],
    Kind.EPOCHS: [{**november.EPOCHS[0], "multiplier": "30"}],
}  # fmt: skip


@pytest.fixture
async def works(stage: Stage, tmp_path: Path) -> Stage:
    await november.play(stage, tmp_path)
    for kind, rows in EARLIER.items():
        await november.take(stage, tmp_path, kind, rows, STATED)
    return stage


async def answers(stage: Stage, *names: str, **as_known: str) -> dict[str, Any]:
    found = {}
    for name in names or CALLS:
        who, path, query = CALLS[name]
        answer = await stage.get(who, path, **query, **as_known)
        assert answer.status_code == 200, (name, answer.text)
        found[name] = answer.json()
    return found


async def correct(stage: Stage, hour: int, value: float | None, at: datetime) -> None:
    row = CorrectionRow(UNIT, "E01", november.START + november.HOUR * hour, value)
    async with stage.pool.acquire() as connection, connection.transaction():
        target = (await db.corrections.list_targets(connection, [row]))[row.subject]
        if value is None:
            assert await correcting.withdraw(connection, november.ZHAO, row, target, at)
        else:
            await correcting.state(connection, november.ZHAO, [(row, target)], at)


async def everything_changes(stage: Stage, folder: Path) -> None:
    """Let facts of every kind become known LATER, readings too, and settle them."""
    for kind, rows in AFTERWARDS.items():
        await november.take(stage, folder, kind, rows, LATER)
    await correct(stage, 20, 4.0, LATER)
    await correct(stage, november.MISREAD, None, LATER)
    late = [("E01", hour, 50.0 + 5 * (hour - 30)) for hour in november.SILENT]
    await november.send(stage, late, LATER, "late")
    await new_meter(stage, folder)
    await november.settle_all(stage)


async def new_meter(stage: Stage, folder: Path) -> None:
    meter = {
        "unit": UNIT, "meter": "G01", "name": "n", "carrier": "diesel", "kind": "interval",
        "uom": "kg", "interval_s": "3600", "role": "boundary",
        "installed_at": "2026-11-02T00:00:00+08:00",
    }  # fmt: skip
    await november.take(stage, folder, Kind.METERS, [meter], LATER)
    await november.send(stage, [("G01", hour, 9.0) for hour in range(96)], LATER, "new")


def alike(one: Any, other: Any) -> bool:
    """Return whether two answers are the same to twelve digits: sums have no order."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == pytest.approx(other, rel=1e-12, abs=1e-12)
    return bool(one == other)


async def test_a_call_answers_what_it_answered_on_that_day(works: Stage, tmp_path: Path) -> None:
    before = await answers(works)
    await everything_changes(works, tmp_path)
    known, today = await answers(works, as_known_on=THEN), await answers(works)
    assert [name for name in CALLS if not alike(known[name], before[name])] == []
    assert [name for name in CALLS if alike(today[name], before[name])] == []


async def test_days_can_be_asked_for_in_any_order(works: Stage, tmp_path: Path) -> None:
    """A connection that has answered a statement from some tables answers it from others next."""
    names = ("days of a city", "budgets", "factors")
    asked: list[dict[str, str]] = [{}, {"as_known_on": THEN}, {"as_known_on": ALL}, {}]
    before = await answers(works, *names)
    await everything_changes(works, tmp_path)
    today, known, now, again = [await answers(works, *names, **each) for each in asked]
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


async def test_an_explanation_of_that_day_comes_to_the_same(works: Stage, tmp_path: Path) -> None:
    await everything_changes(works, tmp_path)
    for at in INSTANTS:
        asked = {"unit": UNIT, "as_known_on": at.isoformat()}
        rows = await works.items("li", "/v1/consumption", **SPAN, **asked, bucket="day")
        for row in rows:
            span = {"from_": row["starts_at"], "to": row["ends_at"]}
            answer = await works.get("li", "/v1/explain", figure="consumption", **span, **asked)
            found = answer.json()["value"]
            assert alike(found["value"], row["energy_tce"]), (at, row["starts_at"])
            assert alike(found["coverage"], row["coverage"]), (at, row["starts_at"])
        assert len(rows) == 4 - (at <= november.START + timedelta(days=3))


OF_THE_REST: dict[Kind, list[dict[str, str]]] = {
    Kind.UNITS: [{"unit": UNIT, "name": "n", "region": "450202", "industry": "C3120"}],
    Kind.METERS: [
        {
            "unit": UNIT, "meter": meter, "name": "n", "carrier": "electricity",
            "kind": "register", "uom": "kWh", "multiplier": "3", "rate_max": "7",
            "role": "boundary", "installed_at": "2026-11-02T00:00:00+08:00",
        }
        for meter in ("N01", "N02", "N04")
    ],
    Kind.EPOCHS: [
        {
            "unit": UNIT, "meter": meter, "starts_at": "2026-11-09T00:00:00+08:00",
            "reason": "replaced", "multiplier": "2", "first_value": "0",
        }
        for meter in ("N01", "N04")
    ],
    Kind.LEVELS: [
        {
            "scheme": "own", "level": level, "severity": severity, "bound": bound,
            "name_zh": "级", "name_en": "n", "measure": "reduction_share", "scheme_zh": "案",
            "scheme_en": "n", "source": "s",
        }
        for level, severity, bound in (("red", "1", ""), ("green", "2", "0.9"))
    ],
    Kind.SCHEMES: [
        {"region": "450200", "indicator": "energy_per_gdp", "scheme": "own", "source": "s"}
    ],
    Kind.PARKS: [{"park": "P", "name": "n", "units": f"{UNIT} {cast.QIANS_OTHER_UNIT}"}],
    Kind.GRIDS: [
        {"region": "450200", "valid_from": "2026-01-01", "grid": "southern", "source": "s"}
    ],
    Kind.NON_FOSSIL: [
        {"region": "450200", "year": "2024", "energy_type": "wind", "mwh": "5", "source": "s"}
    ],
    Kind.FACTORS: november.FACTORS,
    Kind.CALORIFIC_VALUES: AFTERWARDS[Kind.CALORIFIC_VALUES],
}  # fmt: skip

LATER_OF_THE_REST: dict[Kind, list[dict[str, str]]] = {
    Kind.UNITS: [
        {**OF_THE_REST[Kind.UNITS][0], "region": "450302", "industry": "C2511"},
        {**OF_THE_REST[Kind.UNITS][0], "unit": factories.unit_code(9)},
    ],
    Kind.METERS: [
        {**OF_THE_REST[Kind.METERS][1], "multiplier": "4", "rate_max": "8", "name": "m"},
        {**OF_THE_REST[Kind.METERS][2], "rate_max": "8", "multiplier": "2"},
        {**OF_THE_REST[Kind.METERS][1], "meter": "N03"},
    ],
    Kind.EPOCHS: [{**OF_THE_REST[Kind.EPOCHS][0], "multiplier": "9"}],
    Kind.LEVELS: [{**OF_THE_REST[Kind.LEVELS][1], "bound": "0.8"}],
    Kind.SCHEMES: [{**OF_THE_REST[Kind.SCHEMES][0], "scheme": "national"}],
    Kind.PARKS: [
        {**OF_THE_REST[Kind.PARKS][0], "units": UNIT},
        {**OF_THE_REST[Kind.PARKS][0], "park": "Q"},
    ],
    Kind.GRIDS: [{**OF_THE_REST[Kind.GRIDS][0], "grid": "national"}],
    Kind.NON_FOSSIL: [{**OF_THE_REST[Kind.NON_FOSSIL][0], "mwh": "6"}],
    Kind.FACTORS: AFTERWARDS[Kind.FACTORS],
    Kind.CALORIFIC_VALUES: [
        {**AFTERWARDS[Kind.CALORIFIC_VALUES][0], "net_calorific_value": "26"}
    ],
}  # fmt: skip

TABLES = sorted({each.table for each in db.known_tables.STATED} | {"park_units"})
OF_TODAY_ALONE = {
    Kind.CONTACTS,
    Kind.VERIFICATIONS,
    Kind.VALUE_LIMITS,
    Kind.MONTHLY_FILINGS,
    Kind.QUALITY_SCHEMES,
}
"""What no call reads that answers as known on a day."""


def test_every_kind_of_fact_is_taken_back_or_named() -> None:
    assert {each.noun for each in db.known_tables.STATED} == {*Kind} - OF_TODAY_ALONE


@pytest.mark.tampers("a meter's file gives its newest epoch another limit than was stated of it")
async def test_tables_hold_what_they_held(works: Stage, tmp_path: Path) -> None:
    for kind, rows in OF_THE_REST.items():
        await november.take(works, tmp_path, kind, rows, STATED)
    async with works.pool.acquire() as connection:
        held = await contents(connection)
    for kind, rows in (*AFTERWARDS.items(), *LATER_OF_THE_REST.items()):
        await november.take(works, tmp_path, kind, rows, LATER)
    await correct(works, 20, 4.0, LATER)
    await correct(works, november.MISREAD, None, LATER)
    async with depends.rolled_back(works.pool) as connection:
        today = await contents(connection)
        await db.known_tables.remember(connection, NOW)
        await db.known_tables.make_facts(connection)
        known = await contents(connection)
    assert [name for name in TABLES if today[name] == held[name]] == []
    assert [name for name in TABLES if known[name] != held[name]] == []


async def contents(connection: Connection) -> dict[str, list[str]]:
    """Return the rows of every table of stated facts, without the numbers that nobody states."""
    return {
        name: [
            row["told"]
            for row in await connection.fetch(
                f"SELECT (to_jsonb({name}) - '{{factor_id,limit_id,budget_id}}'::text[])::text "
                f"AS told FROM {name} ORDER BY told"
            )
        ]
        for name in TABLES
    }


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


async def test_too_much_is_refused_with_how_to_narrow_it(works: Stage) -> None:
    await works.pool.execute("UPDATE meters SET interval_s = 1")
    span = {"from_": "2025-01-01T00:00:00+08:00", "to": "2026-01-01T00:00:00+08:00"}
    answer = await works.get(
        "zhao", "/v1/consumption", **span, bucket="month", as_known_on="2025-06-01T00:00:00+08:00"
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "too_many_rows")
    assert "a smaller region, or for a shorter span" in answer.json()["detail"]


async def test_a_copy_of_the_database_says_that_it_is_one(works: Stage) -> None:
    name = await works.pool.fetchval("SELECT current_database()")
    await works.pool.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await works.pool.expire_connections()
    refused = await works.code("li", "/v1/factors", as_known_on=THEN)
    assert refused == (503, "earlier_days_unavailable")
    assert (await works.get("li", "/v1/factors")).status_code == 200
    async with works.pool.acquire() as connection:
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")


async def test_more_at_once_than_the_platform_bears_is_refused(works: Stage) -> None:
    calls = [works.get("li", "/v1/factors", as_known_on=THEN) for _ in range(4)]
    statuses = sorted([answer.status_code for answer in await asyncio.gather(*calls)])
    assert statuses == [200, 200, 503, 503]


async def test_a_call_that_knows_only_today_names_those_that_know_more(works: Stage) -> None:
    answer = await works.get("qian", "/v1/quality", period="2026-11", as_known_on=THEN)
    assert (answer.status_code, answer.json()["code"]) == (422, "unknown_parameter")
    named = answer.json()["detail"]
    assert all(path in named for _, path, _ in CALLS.values())
    assert "/v1/quality," not in named
