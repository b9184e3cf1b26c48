"""A fact that was changed past the platform is found: the ledger knows how it was stated."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import importing, standing
from app.imports.kinds import Kind
from db.changes import Author
from db.pool import Connection
from tests.app.test_importing import EXAMPLES, NOW

ZHAO = Author("zhao", "test")


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
    return [(each.kind, each.fault) for one in kinds for each in one.unlike]


async def test_all_that_was_imported_holds_as_it_was_stated(stated: Connection) -> None:
    assert await found(stated) == []
    kinds = {one.kind for one in await standing.of_all(stated)}
    assert kinds >= {Kind.UNITS, Kind.METERS, Kind.EPOCHS, Kind.FACTORS, Kind.TARGETS}


@pytest.mark.parametrize(
    ("tampering", "kind"),
    [
        ("UPDATE factors SET kgce_per_uom = kgce_per_uom / 2 WHERE unit_id IS NOT NULL", "factors"),
        ("UPDATE units SET region = '450302'", "units"),
        ("UPDATE meters SET role = 'sub' WHERE role = 'boundary'", "meters"),
        ("UPDATE meter_epochs SET multiplier = 100 WHERE reason = 'installed'", "meters"),
        ("UPDATE meter_epochs SET first_value = 1 WHERE reason = 'replaced'", "epochs"),
        ("DELETE FROM meter_epochs WHERE reason = 'multiplier'", "epochs"),
        ("UPDATE region_figures SET energy_growth = -0.5", "figures"),
    ],
)
async def test_what_was_changed_past_the_platform_is_found(
    stated: Connection, tampering: str, kind: str
) -> None:
    await stated.execute(tampering)
    assert kind in {each for each, _ in await found(stated)}


async def test_what_nobody_stated_is_named(stated: Connection) -> None:
    await stated.execute(
        "INSERT INTO meter_epochs (meter_id, starts_at, reason, multiplier) "
        "SELECT meter_id, '2026-10-01Z', 'multiplier', 9 FROM meters WHERE meter = 'E02'"
    )
    (epochs,) = [one for one in await standing.of_all(stated) if one.kind is Kind.EPOCHS]
    assert len(epochs.unstated) == 1
