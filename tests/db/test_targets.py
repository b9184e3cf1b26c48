"""What was filed before targets had indicators and kinds stays what it was."""

from __future__ import annotations

import asyncpg

import db.admin
import db.figures
import db.levels
import db.migrate
from db.figures import TargetRow
from db.levels import schemes
from db.pool import Connection
from deploy.services import Services
from energy import levels


async def test_targets_and_figures_of_before_are_kept(services: Services) -> None:
    url = db.admin.recreate(services.database_url, "nenghao_before_targets")
    db.migrate.upgrade(url, "0008")
    connection = await asyncpg.connect(url)
    await connection.execute(
        """
        INSERT INTO region_targets (region, year, required_rate, source)
        VALUES ('450200', 2026, -0.02747, 'filed')
        """
    )
    await connection.execute(
        """
        INSERT INTO region_figures (region, year, through_month, energy_growth, gdp_growth, source)
        VALUES ('450200', 2026, 9, 0.07, 0.06, 'statistics')
        """
    )
    db.migrate.upgrade(url)
    assert await db.figures.list_targets(connection) == [
        TargetRow("450200", 2026, -0.02747, "filed", 2026)
    ]
    (figure,) = await db.figures.list_figures(connection)
    assert (figure.energy_growth, figure.carbon_growth) == (0.07, None)
    await connection.close()
    db.admin.drop(services.database_url, "nenghao_before_targets")


async def test_every_scheme_in_the_database_is_one(connection: Connection) -> None:
    known = schemes(await db.levels.list_bands(connection))
    assert known["national"].bands == levels.NATIONAL.bands
    chosen = {choice.scheme for choice in await db.levels.list_choices(connection)}
    assert chosen <= known.keys()
