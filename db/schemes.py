"""Owns the schemes by which data quality is scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from db.pool import Connection
from energy.quality import Index, Scheme


@dataclass(frozen=True, slots=True)
class SchemeRow:
    """Weights of the six indices from a day on, bars and limits; see `energy.quality.Scheme`."""

    valid_from: date
    completeness: float
    accuracy: float
    timeliness: float
    verifiability: float
    validity: float
    normativity: float
    completeness_pass: float
    agreement_max: float
    lateness_allowance_s: int
    monthly_deadline_day: int
    official: bool
    source: str

    def scheme(self) -> Scheme:
        return Scheme(
            weights={index: getattr(self, index.value) for index in Index},
            completeness_pass=self.completeness_pass,
            agreement_max=self.agreement_max,
            lateness_allowance_s=self.lateness_allowance_s,
            monthly_deadline_day=self.monthly_deadline_day,
            source=self.source,
            is_official=self.official,
        )


async def list_schemes(connection: Connection) -> list[SchemeRow]:
    rows = await connection.fetch(
        """
        SELECT valid_from, completeness, accuracy, timeliness, verifiability, validity,
               normativity, completeness_pass, agreement_max, lateness_allowance_s,
               monthly_deadline_day, official, source
          FROM quality_schemes
         ORDER BY valid_from
        """
    )
    return [SchemeRow(**row) for row in rows]


def in_force(schemes: Sequence[SchemeRow], day: date) -> SchemeRow:
    """Return the scheme of a day; the first one reaches back to any day before it."""
    begun = [one for one in schemes if one.valid_from <= day]
    return begun[-1] if begun else schemes[0]


async def upsert_schemes(connection: Connection, schemes: Sequence[SchemeRow]) -> None:
    await connection.executemany(
        """
        INSERT INTO quality_schemes (valid_from, completeness, accuracy, timeliness,
                                     verifiability, validity, normativity, completeness_pass,
                                     agreement_max, lateness_allowance_s, monthly_deadline_day,
                                     official, source)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            ON CONFLICT (valid_from)
            DO UPDATE SET completeness = excluded.completeness, accuracy = excluded.accuracy,
                          timeliness = excluded.timeliness,
                          verifiability = excluded.verifiability, validity = excluded.validity,
                          normativity = excluded.normativity,
                          completeness_pass = excluded.completeness_pass,
                          agreement_max = excluded.agreement_max,
                          lateness_allowance_s = excluded.lateness_allowance_s,
                          monthly_deadline_day = excluded.monthly_deadline_day,
                          official = excluded.official, source = excluded.source
        """,
        [
            (one.valid_from, one.completeness, one.accuracy, one.timeliness, one.verifiability,
             one.validity, one.normativity, one.completeness_pass, one.agreement_max,
             one.lateness_allowance_s, one.monthly_deadline_day, one.official, one.source)
            for one in schemes
        ],
    )  # fmt: skip
