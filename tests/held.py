"""What must hold of a database at the end of every test that wrote through the platform.

`nenghao verify` finds nothing: chains, readings against links, sums against readings, facts against
the ledger, reference rows against the release. Sums are looked at where some were settled from
readings. What tests put in by SQL is no finding, if they say so: units and meters
(tests/factories.py) and, where no collector ran, readings, always; other rows by
`@pytest.mark.puts_in("limits", …)`. Who leaves behind what does not hold, on purpose, says with
what: `@pytest.mark.tampers("a stored sum")`.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import asyncpg
import psycopg
import pytest

import db.reconciliation
from app import standing, verification
from db.pool import Connection
from db.reconciliation import Difference
from ingest import reconcile

PUT_IN_ALWAYS = {"units", "meters"}

WRITTEN = """
SELECT EXISTS (SELECT FROM changes), EXISTS (SELECT FROM links),
       EXISTS (SELECT FROM meter_consumption) AND EXISTS (SELECT FROM readings)
"""


@dataclass(frozen=True, slots=True)
class Held:
    """What is to be held at the end of a test, as its markers say."""

    tampers: bool
    puts_in: frozenset[str]

    @classmethod
    def of(cls, request: pytest.FixtureRequest) -> Held:
        tampers = request.node.get_closest_marker("tampers")
        assert tampers is None or tampers.args, "say what the test tampers with"
        puts_in = request.node.iter_markers("puts_in")
        return cls(tampers is not None, frozenset(each for mark in puts_in for each in mark.args))

    def check_database(self, url: str) -> None:
        """Fail the test if something in a database of its own does not hold."""
        if self.tampers:
            return
        with psycopg.connect(url) as connection:
            row = connection.execute(WRITTEN).fetchone()
        if row is not None and any(row):
            with ThreadPoolExecutor(1) as aside:  # a loop of its own: the test may have run in one
                _told(aside.submit(asyncio.run, self._connected(url)).result())

    async def check_connection(self, connection: Connection) -> None:
        """Fail the test if something in the transaction that is rolled back does not hold."""
        if not self.tampers:
            with suppress(
                asyncpg.InFailedSQLTransactionError
            ):  # the database refused, as it should
                _told(await self._findings(connection))

    async def _connected(self, url: str) -> list[str]:
        connection = await asyncpg.connect(url, server_settings={"timezone": "UTC"})
        try:
            return await self._findings(connection)
        finally:
            await connection.close()

    async def _findings(self, connection: Connection) -> list[str]:
        row = await connection.fetchrow(WRITTEN)
        assert row is not None
        changed, collected, settled = row
        found: list[str] = []
        if changed or collected:
            report = await verification.verify(connection, [], lambda check, done, total: None)
            found += [
                f"{each.chain}: {each.fault}"
                for each in report.findings
                if (collected or each.chain != "readings") and each.chain not in self.puts_in
            ]
        if changed:  # who only collects states nothing
            for one in await standing.of_all(connection):
                is_put_in = one.kind in PUT_IN_ALWAYS | self.puts_in
                some = one.unlike if is_put_in else one.findings
                found += [f"{each.kind} {each.subject}: {each.fault}" for each in some]
        if settled:
            found += [f"sums: {each}" for each in await _differences(connection)]
        return found


async def _differences(connection: Connection) -> list[Difference]:
    found: list[Difference] = []
    for unit_id in await db.reconciliation.list_unit_ids(connection):
        found += await reconcile.of_unit(connection, unit_id, reconcile.ALL_TIME, repair=False)
    return found + await reconcile.of_areas(connection, reconcile.ALL_TIME, repair=False)


def _told(found: list[str]) -> None:
    if found:
        some = "\n".join(found[:5])
        pytest.fail(f"`nenghao verify` would find {len(found)}, such as\n{some}", pytrace=False)
