"""Made as known on a day, the tables of stated facts hold what they held on that day."""

from __future__ import annotations

from pathlib import Path

import db.known_tables
from app import lending
from app.imports.kinds import Kind
from db.pool import Connection
from tests import cast, factories
from tests.app import november
from tests.app.conftest import NOW, Stage
from tests.app.later import AFTERWARDS, LATER, STATED, UNIT, correct
from tests.app.later import works as works

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
    Kind.TWO_HIGH: [
        {
            "project": "LG", "name": "n", "owner_name": "o", "region": "450202",
            "state": "under_review", "annual_tce": "60000", "source": "s",
        }
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
        {**OF_THE_REST[Kind.METERS][2], "rate_max": "", "multiplier": "2", "name": "m"},
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
    Kind.TWO_HIGH: [{**OF_THE_REST[Kind.TWO_HIGH][0], "state": "under_construction"}],
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


async def test_tables_hold_what_they_held(works: Stage, tmp_path: Path) -> None:
    for kind, rows in OF_THE_REST.items():
        await november.take(works, tmp_path, kind, rows, STATED)
    async with works.pool.acquire() as connection:
        held = await contents(connection)
    for kind, rows in (*AFTERWARDS.items(), *LATER_OF_THE_REST.items()):
        await november.take(works, tmp_path, kind, rows, LATER)
    await correct(works, 20, 4.0, LATER)
    await correct(works, november.MISREAD, None, LATER)
    async with lending.rolled_back(works.pool) as connection:
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
