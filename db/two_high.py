"""Owns the list of two-high projects (两高), as a region states it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db.pool import Connection
from energy.two_high import ProjectState


@dataclass(frozen=True, slots=True)
class TwoHighRow:
    """A project; `annual_tce` a year as stated for its review. `national`: planned nationally."""

    project: str
    name: str
    owner_name: str
    region: str
    state: ProjectState
    annual_tce: float
    national: bool
    source: str


async def list_all(connection: Connection) -> list[TwoHighRow]:
    rows = await connection.fetch(
        """
        SELECT project, name, owner_name, region, state, annual_tce, national, source
          FROM two_high_projects
         ORDER BY project
        """
    )
    return [TwoHighRow(**{**row, "state": ProjectState(row["state"])}) for row in rows]


async def upsert(connection: Connection, stated: Sequence[TwoHighRow]) -> None:
    await connection.execute(
        """
        INSERT INTO two_high_projects (project, name, owner_name, region, state, annual_tce,
                                       national, source)
        SELECT *
          FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[],
                      $6::double precision[], $7::boolean[], $8::text[])
            ON CONFLICT (project)
            DO UPDATE SET name = excluded.name,
                          owner_name = excluded.owner_name,
                          region = excluded.region,
                          state = excluded.state,
                          annual_tce = excluded.annual_tce,
                          national = excluded.national,
                          source = excluded.source
        """,
        [row.project for row in stated],
        [row.name for row in stated],
        [row.owner_name for row in stated],
        [row.region for row in stated],
        [row.state for row in stated],
        [row.annual_tce for row in stated],
        [row.national for row in stated],
        [row.source for row in stated],
    )
