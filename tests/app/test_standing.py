"""What was changed past the platform is found: the ledger and the release know how it was."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from app import importing, reference, standing, withdrawing
from app.imports.kinds import Kind
from db import changes
from db.changes import Author, Fact
from db.pool import Connection
from tests import factories
from tests.app.test_importing import EXAMPLES, NOW, UNIT, Desk

ZHAO = Author("zhao", "test")
MOVED = "meter_id IN (SELECT meter_id FROM meter_epochs WHERE reason <> 'installed')"
"""Meters that have a later epoch."""

FIRST = f"reason = 'installed' AND {MOVED}"


@pytest.fixture
async def stated(connection: Connection) -> Connection:
    """All example files are imported, each twice: nothing is new the second time."""
    for kind in Kind:
        if kind in standing.ELSEWHERE:
            continue
        path = Path(EXAMPLES) / f"{kind}.csv"
        for _ in range(2):
            plan = await importing.plan(connection, kind, path, lambda done, total: None)
            await importing.apply(connection, plan, ZHAO, NOW)
    return connection


async def found(connection: Connection) -> list[tuple[str, str]]:
    kinds = await standing.of_all(connection)
    return [(each.kind, each.fault) for one in kinds for each in one.findings]


async def test_all_that_was_imported_holds_as_it_was_stated(stated: Connection) -> None:
    assert await found(stated) == []


async def test_a_new_database_holds_what_the_release_ships(connection: Connection) -> None:
    assert await found(connection) == []
    tables = {table.name for table in reference.TABLES}
    assert {table for table, rows in reference.shipped().items() if rows} == tables


@pytest.mark.tampers("facts")
@pytest.mark.parametrize(
    ("tampering", "kind"),
    [
        ("UPDATE factors SET kgce_per_uom = kgce_per_uom / 2 WHERE unit_id IS NOT NULL", "factors"),
        ("UPDATE units SET region = '450302'", "units"),
        ("UPDATE meters SET role = 'sub' WHERE role = 'boundary'", "meters"),
        ("UPDATE meter_epochs SET multiplier = 100 WHERE reason = 'installed'", "meters"),
        (f"UPDATE meter_epochs SET multiplier = 9 WHERE {FIRST}", "meters"),
        (f"UPDATE meter_epochs SET rollover = 9e9 WHERE {FIRST}", "meters"),
        (f"UPDATE meter_epochs SET side = 'primary' WHERE {FIRST}", "meters"),
        (f"UPDATE meter_epochs SET rate_max = 7 WHERE {FIRST}", "meters"),
        (f"DELETE FROM meter_epochs WHERE {FIRST}", "meters"),
        (
            f"UPDATE meter_epochs SET starts_at = starts_at + interval '9 day' WHERE {FIRST}",
            "epochs",
        ),
        (
            "INSERT INTO meter_epochs (meter_id, starts_at, reason, multiplier) "
            f"SELECT meter_id, '2026-09-01Z', 'installed', 1 FROM meters WHERE {MOVED}",
            "epochs",
        ),
        (f"UPDATE meters SET interval_s = 60 WHERE {MOVED}", "meters"),
        (f"UPDATE meters SET installed_at = '2020-02-01Z' WHERE {MOVED}", "meters"),
        ("UPDATE meter_epochs SET first_value = 1 WHERE reason = 'replaced'", "epochs"),
        ("DELETE FROM meter_epochs WHERE reason = 'multiplier'", "epochs"),
        ("UPDATE region_figures SET energy_growth = -0.5", "figures"),
        ("UPDATE production SET quantity = quantity * 2", "production"),
    ],
)
async def test_what_was_changed_past_the_platform_is_found(
    stated: Connection, tampering: str, kind: str
) -> None:
    await stated.execute(tampering)
    assert kind in {each for each, _ in await found(stated)}


@pytest.mark.parametrize(
    ("tampering", "kind", "fault"),
    [
        (
            "UPDATE factors SET kgce_per_uom = 0.12 "
            "WHERE carrier = 'electricity' AND basis = 'calorific' AND valid_to IS NULL",
            "factors",
            "kgce_per_uom is 0.12, factors.csv says 0.1229",
        ),
        (
            "UPDATE factors SET valid_to = '2024-01-01' "
            "WHERE carrier = 'coke' AND valid_to IS NULL",
            "factors",
            "valid_to is '2024-01-01', factors.csv says None",
        ),
        (
            "UPDATE limits SET baseline = 118 WHERE product = 'cement_clinker'",
            "limits",
            "baseline is 118, limits.csv says 117",
        ),
        (
            "DELETE FROM level_bands WHERE scheme = 'national' AND level = '2'",
            "level_bands",
            "is in level_bands.csv of this release, and is gone",
        ),
        (
            "UPDATE carriers SET nature = 'fuel' WHERE carrier = 'electricity'",
            "carriers",
            "nature is 'fuel', carriers.csv says 'power'",
        ),
        (
            "UPDATE quality_schemes SET completeness_pass = 0.5",
            "quality_schemes",
            "completeness_pass is 0.5, quality_schemes.csv says 0.9",
        ),
    ],
)
async def test_a_reference_row_that_is_not_as_shipped_is_named_with_its_column(
    connection: Connection, tampering: str, kind: str, fault: str
) -> None:
    await connection.execute(tampering)
    assert (kind, fault) in await found(connection)


@pytest.mark.parametrize("table", [table.name for table in reference.TABLES])
async def test_no_reference_table_can_lose_a_row_unseen(connection: Connection, table: str) -> None:
    await connection.execute("SET session_replication_role = replica")  # past foreign keys
    await connection.execute(f"DELETE FROM {table}")
    faults = [fault for kind, fault in await found(connection) if kind == table]
    assert len(faults) == len(reference.shipped()[table])


@pytest.mark.tampers("facts")
async def test_an_import_that_restates_a_reference_row_holds_in_its_place(
    connection: Connection, tmp_path: Path
) -> None:
    path = tmp_path / "limits.csv"
    path.write_text(
        "product,uom,edition,baseline,benchmark,valid_from,source\n"
        "cement_clinker,kgce/t,标杆水平和基准水平（2023年版）,110,100,2023-01-01,checked\n",
        encoding="utf-8",
    )
    plan = await importing.plan(connection, Kind.LIMITS, path, lambda done, total: None)
    await importing.apply(connection, plan, ZHAO, NOW)
    assert await found(connection) == []
    await connection.execute("UPDATE limits SET baseline = 117 WHERE product = 'cement_clinker'")
    assert ("limits", "baseline is 117.0, stated was 110.0") in await found(connection)


@pytest.mark.parametrize(
    ("insert", "kind"),
    [
        (
            "INSERT INTO meter_epochs (meter_id, starts_at, reason, multiplier) "
            "SELECT meter_id, '2026-10-01Z', 'multiplier', 9 FROM meters WHERE meter = 'E02'",
            "epochs",
        ),
        (
            "INSERT INTO units (unit, name, region, industry) "
            "SELECT '91450200MA00000993', name, region, industry FROM units LIMIT 1",
            "units",
        ),
        (
            "INSERT INTO capacities SELECT unit_id, 'lime', 5, 't', '2026-01-01', 'none' "
            "FROM units ORDER BY unit LIMIT 1",
            "capacities",
        ),
        (
            "INSERT INTO factors (carrier, basis, kgce_per_uom, valid_from, edition, source, "
            "verified) VALUES ('natural_gas', 'calorific', 1, '2026-01-01', 'x', 'none', true)",
            "factors",
        ),
        ("INSERT INTO industries VALUES ('T99', '无', 'none')", "industries"),
    ],
)
async def test_a_row_that_nobody_stated_is_a_finding_until_it_is_sealed(
    stated: Connection, insert: str, kind: str
) -> None:
    await stated.execute(insert)
    ((found_kind, fault),) = await found(stated)
    assert (found_kind, "nobody stated it" in fault) == (kind, True)
    await changes.record(stated, ZHAO, await standing.list_seals(stated), NOW)
    assert await found(stated) == []


@pytest.mark.tampers("facts")
async def test_what_was_sealed_is_held_as_it_was(connection: Connection) -> None:
    await factories.unit(connection)
    await changes.record(connection, ZHAO, await standing.list_seals(connection), NOW)
    await connection.execute("UPDATE units SET region = '450203'")
    assert await found(connection) == [("units", "region is '450203', stated was '450202'")]
    await connection.execute("DELETE FROM units")
    assert await found(connection) == [("units", "was stated and is gone")]


@pytest.mark.tampers("the ledger: it is emptied")
async def test_every_kind_of_row_is_found_where_nobody_stated_it(stated: Connection) -> None:
    """No kind of import is forgotten: all examples are there, and the ledger knows nothing."""
    await stated.execute("ALTER TABLE changes DISABLE TRIGGER changes_append_only")
    await stated.execute("DELETE FROM changes")
    unstated = {one.kind for one in await standing.of_all(stated) if one.unstated}
    shipped = {Kind.LIMITS, Kind.SCHEMES, Kind.QUALITY_SCHEMES}  # their examples are in the release
    assert unstated >= {*Kind} - standing.ELSEWHERE - shipped


OLD_FACTOR = (
    "UPDATE factors SET source = 'huatuo6.cn; public repositories', verified = true, note = NULL "
    "WHERE carrier = 'raw_coal' AND basis = 'calorific' AND note IS NOT NULL"
)
OLD_LIMIT = "UPDATE limits SET verified = true WHERE product = 'cement_clinker'"


@pytest.mark.parametrize(
    ("turn_back", "kind", "file"),
    [
        (OLD_FACTOR, Kind.FACTORS, "factors_by_standard.csv"),
        (OLD_LIMIT, Kind.LIMITS, "limits.csv"),
        (
            "UPDATE carbon_factors SET verified = true WHERE grid = 'southern'",
            Kind.CARBON_FACTORS,
            "carbon_factors.csv",
        ),
        (
            "UPDATE level_bands SET verified = true WHERE scheme = 'municipal_shares'",
            Kind.LEVELS,
            "level_bands.csv",
        ),
    ],
)
async def test_what_an_earlier_release_said_is_named_with_the_import_that_says_it_anew(
    connection: Connection, turn_back: str, kind: Kind, file: str
) -> None:
    await connection.execute(turn_back)
    faults = [fault for _, fault in await found(connection)]
    told = f"`nenghao import {kind} migrations/reference/{file} --apply`"
    assert faults
    assert [fault for fault in faults if told not in fault] == []
    path = Path("migrations/reference") / file
    plan = await importing.plan(connection, kind, path, lambda done, total: None)
    await importing.apply(connection, plan, ZHAO, NOW)
    assert await found(connection) == []
    known = await changes.list_known(connection, kind, NOW - timedelta(days=900))
    assert {content["verified"] for content in known.values()} == {True}  # it stood before


async def test_what_somebody_slipped_in_was_known_on_no_day_once_it_is_withdrawn(
    connection: Connection,
) -> None:
    insert = "INSERT INTO contacts VALUES (DEFAULT, '450200', 'Sun', 's@lz.example', 'zh', 1)"
    await connection.execute(insert)
    fact = await withdrawing.find(connection, Kind.CONTACTS, "450200/s@lz.example")
    await withdrawing.withdraw(connection, fact, ZHAO, NOW)
    assert await changes.list_known(connection, "contacts", NOW - timedelta(days=1)) == {}
    told = await changes.list_history(connection, "contacts", "450200/s@lz.example")
    assert [(each.author.actor, each.fact.content is None) for each in told] == [
        ("zhao", False),
        ("zhao", True),
    ]


async def test_what_somebody_altered_is_not_vouched_for_as_what_was_shipped(
    connection: Connection,
) -> None:
    key = "diesel/calorific/everyone/2021-04-01"
    await connection.execute(
        "UPDATE factors SET kgce_per_uom = 9 "
        "WHERE carrier = 'diesel' AND basis = 'calorific' AND valid_from = '2021-04-01'"
    )
    await withdrawing.withdraw(
        connection, await withdrawing.find(connection, Kind.FACTORS, key), ZHAO, NOW
    )
    known = await changes.list_known(connection, "factors", NOW - timedelta(days=1))
    assert key not in known


async def test_what_was_sealed_was_known_before_an_import_changed_it(
    connection: Connection, tmp_path: Path
) -> None:
    await factories.unit(connection)
    await changes.record(connection, ZHAO, await standing.list_seals(connection), NOW)
    await Desk(connection, tmp_path).take(Kind.UNITS, UNIT)
    known = await changes.list_known(connection, "units", NOW - timedelta(days=900))
    assert known[UNIT["unit"]]["name"] == "测试厂"


async def test_what_was_sealed_may_be_withdrawn_and_sealed_again(connection: Connection) -> None:
    insert = "INSERT INTO contacts VALUES (DEFAULT, '450200', 'Qian', 'q@lz.example', 'zh', 1)"
    await connection.execute(insert)
    await changes.record(connection, ZHAO, await standing.list_seals(connection), NOW)
    fact = await withdrawing.find(connection, Kind.CONTACTS, "450200/q@lz.example")
    await withdrawing.withdraw(connection, fact, ZHAO, NOW)
    assert await found(connection) == []
    await connection.execute(insert)
    ((kind, fault),) = await found(connection)
    assert (kind, "nobody stated it" in fault) == ("contacts", True)
    await changes.record(connection, ZHAO, await standing.list_seals(connection), NOW)
    assert await found(connection) == []


def test_one_person_does_not_vouch_for_what_calls_for_two() -> None:
    """[RELIABILITY 42] What figures rest on is not sealed past a second approver."""
    seals = [
        Fact("seals", subject, {})
        for subject in ("factors/a", "meters/b", "contacts/c", "2026-W01")
    ]
    assert standing.called_for(seals) == seals[:2]
