"""What Qian's works state before NOW and after it, and what every call answers meanwhile."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import db.corrections
from app import correcting
from app.imports.kinds import Kind
from db.corrections import CorrectionRow
from tests import cast
from tests.app import november
from tests.app.conftest import NOW, Stage, staged

UNIT = cast.QIANS_UNIT
THEN = NOW.isoformat()
LATER = NOW + timedelta(hours=3)
LATEST = NOW + timedelta(hours=4)
ALL = LATEST.isoformat()
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


@pytest.fixture
async def later_works(works: Stage, database_url: str) -> AsyncIterator[Stage]:
    """The same works, once it is LATEST."""
    async with staged(database_url, clock=lambda: LATEST, people=works.cast) as made:
        yield made


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
