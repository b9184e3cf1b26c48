"""Owns green certificates as they are stored, and non-fossil electricity stated without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from db.pool import Connection
from db.scope import Scope
from energy.certificates import Certificate, EnergyType


@dataclass(frozen=True, slots=True)
class CertificateRow:
    """A certificate, held by a `unit` or by a `region`; `project`: whose consumption it proves."""

    certificate: str
    energy_type: str
    mwh: float
    generated_in: date
    province: str
    unit: str | None
    region: str | None
    acquired_on: date
    retired_for_year: int | None
    retired_for_region: str | None
    project: str | None
    source: str

    @property
    def as_evidence(self) -> Certificate:
        return Certificate(
            self.certificate,
            EnergyType(self.energy_type),
            self.mwh,
            self.generated_in,
            self.province,
            self.acquired_on,
            self.retired_for_year,
            self.retired_for_region,
        )


@dataclass(frozen=True, slots=True)
class NonFossilRow:
    """Electricity of one kind that a region used in a year, as published. [MWh]"""

    region: str
    year: int
    energy_type: str
    mwh: float
    source: str


async def list_all(connection: Connection) -> list[CertificateRow]:
    rows = await connection.fetch(
        """
        SELECT certificate, energy_type, mwh, generated_in, province, unit, certificates.region,
               acquired_on, retired_for_year, retired_for_region, project, source
          FROM certificates
          LEFT JOIN units USING (unit_id)
         ORDER BY certificate
        """
    )
    return [CertificateRow(**row) for row in rows]


async def list_by_number(connection: Connection, numbers: Sequence[str]) -> list[CertificateRow]:
    rows = await connection.fetch(
        """
        SELECT certificate, energy_type, mwh, generated_in, province, unit, certificates.region,
               acquired_on, retired_for_year, retired_for_region, project, source
          FROM certificates
          LEFT JOIN units USING (unit_id)
         WHERE certificate = ANY ($1)
         ORDER BY certificate
        """,
        numbers,
    )
    return [CertificateRow(**row) for row in rows]


async def list_retired(
    connection: Connection, scope: Scope, *, region_prefix: str, years: Sequence[int], limit: int
) -> list[CertificateRow]:
    """Return what proves consumption of `years` within the region, by number, `limit` at most.

    A certificate is seen by who sees its holder, a unit or a region with all that is in it, and by
    the region it is retired for: the account of a region is the same whoever asks.
    """
    rows = await connection.fetch(
        """
        SELECT certificate, energy_type, mwh, generated_in, province, seen.unit,
               certificates.region, acquired_on, retired_for_year, retired_for_region, project,
               source
          FROM certificates
          LEFT JOIN visible_units($1, $2) AS seen USING (unit_id)
         WHERE retired_for_year = ANY ($4)
           AND retired_for_region LIKE $3 || '%'
           AND (seen.unit IS NOT NULL
                OR ($2::text IS NULL AND certificates.region LIKE $1 || '%')
                OR ($2::text IS NULL AND retired_for_region LIKE $1 || '%'))
         ORDER BY certificate
         LIMIT $5
        """,
        scope.region_prefix,
        scope.unit,
        region_prefix,
        years,
        limit,
    )
    return [CertificateRow(**row) for row in rows]


async def upsert_certificates(
    connection: Connection, certificates: Sequence[CertificateRow]
) -> None:
    """Write certificates; the database refuses to use one up twice."""
    await connection.execute(
        """
        INSERT INTO certificates (certificate, energy_type, mwh, generated_in, province, unit_id,
                                  region, acquired_on, retired_for_year, retired_for_region,
                                  project, source)
        SELECT stated.certificate, stated.energy_type, stated.mwh, stated.generated_in,
               stated.province, unit_id, stated.region, stated.acquired_on,
               stated.retired_for_year, stated.retired_for_region, stated.project, stated.source
          FROM unnest($1::text[], $2::text[], $3::double precision[], $4::date[], $5::text[],
                      $6::text[], $7::text[], $8::date[], $9::integer[], $10::text[], $11::text[],
                      $12::text[])
               AS stated (certificate, energy_type, mwh, generated_in, province, unit, region,
                          acquired_on, retired_for_year, retired_for_region, project, source)
          LEFT JOIN units ON units.unit = stated.unit
            ON CONFLICT (certificate)
            DO UPDATE SET energy_type = excluded.energy_type,
                          mwh = excluded.mwh,
                          generated_in = excluded.generated_in,
                          province = excluded.province,
                          unit_id = excluded.unit_id,
                          region = excluded.region,
                          acquired_on = excluded.acquired_on,
                          retired_for_year = excluded.retired_for_year,
                          retired_for_region = excluded.retired_for_region,
                          project = excluded.project,
                          source = excluded.source
        """,
        [row.certificate for row in certificates],
        [row.energy_type for row in certificates],
        [row.mwh for row in certificates],
        [row.generated_in for row in certificates],
        [row.province for row in certificates],
        [row.unit for row in certificates],
        [row.region for row in certificates],
        [row.acquired_on for row in certificates],
        [row.retired_for_year for row in certificates],
        [row.retired_for_region for row in certificates],
        [row.project for row in certificates],
        [row.source for row in certificates],
    )


async def list_non_fossil(connection: Connection) -> list[NonFossilRow]:
    rows = await connection.fetch(
        """
        SELECT region, year, energy_type, mwh, source
          FROM non_fossil
         ORDER BY region, year, energy_type
        """
    )
    return [NonFossilRow(**row) for row in rows]


async def upsert_non_fossil(connection: Connection, stated: Sequence[NonFossilRow]) -> None:
    await connection.execute(
        """
        INSERT INTO non_fossil (region, year, energy_type, mwh, source)
        SELECT *
          FROM unnest($1::text[], $2::integer[], $3::text[], $4::double precision[], $5::text[])
            ON CONFLICT (region, year, energy_type)
            DO UPDATE SET mwh = excluded.mwh, source = excluded.source
        """,
        [row.region for row in stated],
        [row.year for row in stated],
        [row.energy_type for row in stated],
        [row.mwh for row in stated],
        [row.source for row in stated],
    )
