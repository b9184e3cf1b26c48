"""Owns major projects whose energy is counted apart (能耗单列)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from db.pool import Connection
from db.scope import Scope

LIST_SEPARATOR = ";"


@dataclass(frozen=True, slots=True)
class ProjectRow:
    """A project counted apart since a day, and until before another if that is known.

    Its energy is a `share` of its unit's, or what `meters` of the unit count (codes, separated by
    semicolons).
    """

    project: str
    unit: str
    name: str
    region: str
    approval: str
    counted_apart_from: date
    counted_apart_to: date | None
    share: float | None
    meters: str | None

    @property
    def meter_codes(self) -> tuple[str, ...]:
        return tuple(code for code in (self.meters or "").split(LIST_SEPARATOR) if code)


async def list_all(connection: Connection) -> list[ProjectRow]:
    """Return every project; for imports, which check one against the others."""
    rows = await connection.fetch(
        """
        SELECT project, unit, projects.name, projects.region, approval, counted_apart_from,
               counted_apart_to, share, array_to_string(meters, ';') AS meters
          FROM projects
          JOIN units USING (unit_id)
         ORDER BY project
        """
    )
    return [ProjectRow(**row) for row in rows]


async def list_visible(
    connection: Connection, scope: Scope, *, region_prefix: str
) -> list[ProjectRow]:
    """Return the projects of the units within."""
    rows = await connection.fetch(
        """
        SELECT project, unit, projects.name, projects.region, approval, counted_apart_from,
               counted_apart_to, share, array_to_string(meters, ';') AS meters
          FROM projects
          JOIN visible_units($1, $2) AS seen USING (unit_id)
         WHERE seen.region LIKE $3 || '%'
         ORDER BY project
        """,
        scope.region_prefix,
        scope.unit,
        region_prefix,
    )
    return [ProjectRow(**row) for row in rows]


async def upsert_projects(connection: Connection, projects: Sequence[ProjectRow]) -> None:
    await connection.execute(
        """
        INSERT INTO projects (project, unit_id, name, region, approval, counted_apart_from,
                              counted_apart_to, share, meters)
        SELECT stated.project, unit_id, stated.name, stated.region, stated.approval,
               stated.counted_apart_from, stated.counted_apart_to, stated.share,
               string_to_array(stated.meters, ';')
          FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::date[],
                      $7::date[], $8::double precision[], $9::text[])
               AS stated (project, unit, name, region, approval, counted_apart_from,
                          counted_apart_to, share, meters)
          JOIN units USING (unit)
            ON CONFLICT (project)
            DO UPDATE SET unit_id = excluded.unit_id,
                          name = excluded.name,
                          region = excluded.region,
                          approval = excluded.approval,
                          counted_apart_from = excluded.counted_apart_from,
                          counted_apart_to = excluded.counted_apart_to,
                          share = excluded.share,
                          meters = excluded.meters
        """,
        [row.project for row in projects],
        [row.unit for row in projects],
        [row.name for row in projects],
        [row.region for row in projects],
        [row.approval for row in projects],
        [row.counted_apart_from for row in projects],
        [row.counted_apart_to for row in projects],
        [row.share for row in projects],
        [row.meters for row in projects],
    )
