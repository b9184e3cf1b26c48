"""Owns reading consumption back: sums by bucket and group, and the meters that owe them.

Sums of a unit come from unit_consumption (boundary less export), those of single meters from
meter_consumption, those of whole areas from area_consumption. A year is the sum of its months.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import LiteralString, NamedTuple

from asyncpg import Record

from db.pool import Connection
from db.scope import Scope
from energy.factors import Basis
from energy.periods import Span, Step
from energy.registers import Kind


class Group(StrEnum):
    """What consumption can be grouped by."""

    REGION = "region"
    INDUSTRY = "industry"
    UNIT = "unit"
    ENERGY = "energy"
    METER = "meter"


class Tier(StrEnum):
    """The level of administrative divisions that regions are grouped to."""

    PROVINCE = "province"
    CITY = "city"
    COUNTY = "county"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which consumption is asked for. `span` is whole buckets."""

    span: Span
    bucket: Step
    basis: Basis
    groups: frozenset[Group] = frozenset()
    tier: Tier = Tier.CITY
    region_prefix: str = ""
    unit: str | None = None
    industry: str = ""
    energy: str | None = None

    @property
    def step(self) -> Step:
        """The step that is stored."""
        return Step.MONTH if self.bucket is Step.YEAR else self.bucket


class Key(NamedTuple):
    """What a row is about; None where it is not grouped by that."""

    region: str | None
    industry: str | None
    unit: str | None
    energy: str | None
    meter: str | None


@dataclass(frozen=True, slots=True)
class Sum:
    """What was used. Unknown is None, not zero.

    `estimated_tce` and `estimated_quantity` are the estimated parts, `absolute_…` what they are
    parts of: both without signs, so that export does not cancel them. `left_out` are the carriers
    of which (some of) the quantity is not in `energy_tce` for want of a factor; `unvalued` are the
    same with the id of each unit that has factors of its own, and None for all the others.
    """

    starts_at: datetime
    key: Key
    energy_tce: float | None
    quantity: float | None
    estimated_tce: float | None
    absolute_tce: float | None
    estimated_quantity: float
    absolute_quantity: float | None
    readings_present: int
    held: bool
    left_out: list[str]
    unvalued: Sequence[tuple[str, int | None]] = ()


@dataclass(frozen=True, slots=True)
class Meters:
    """Meters of a group that are alike: they owe a reading per interval from then until then.

    `uom` is that of the group's quantity; it means something where the group has one carrier.
    """

    key: Key
    region_name: str | None
    industry_name: str | None
    unit_name: str | None
    role: str
    uom: str
    kind: Kind
    interval_s: int
    due_from: datetime
    due_to: datetime | None
    meters: int


# $1, $2 the scope, $3 to $5 filters, $6 what is grouped by, $7 the tier of regions.
SEEN: LiteralString = """
        WITH seen AS MATERIALIZED (
            SELECT unit_id, unit AS own_unit, name AS own_name,
                   CASE WHEN 'region' = ANY ($6::text[])
                        THEN CASE $7::text WHEN 'province' THEN left(region, 2) || '0000'
                                           WHEN 'city' THEN city
                                           ELSE region
                             END
                   END AS region,
                   CASE WHEN 'industry' = ANY ($6::text[]) THEN division END AS industry,
                   CASE WHEN 'unit' = ANY ($6::text[]) THEN unit END AS unit
              FROM visible_units($1, $2)
             WHERE region LIKE $3 || '%'
               AND ($4::text IS NULL OR unit = $4)
               AND industry LIKE $5 || '%'
        )
"""

# $8 to $13 besides: step and span of what is stored, basis, bucket, carrier.
USED: LiteralString = """
        , used AS (
            SELECT raw.*,
                   CASE $11 WHEN 'calorific' THEN calorific_tce ELSE equivalent_tce END AS tce,
                   CASE $11
                   WHEN 'calorific' THEN is_left_out(quantity, calorific_tce, calorific_partial)
                   ELSE is_left_out(quantity, equivalent_tce, equivalent_partial)
                   END AS is_left_out
              FROM raw
        ), named AS (
            SELECT used.*,
                   CASE WHEN is_left_out
                             AND EXISTS (SELECT FROM dated_factors AS own
                                          WHERE own.unit_id = used.unit_id
                                            AND own.carrier = used.carrier
                                            AND own.basis = $11)
                        THEN unit_id
                   END AS own_unit_id
              FROM used
        )
"""

# By carrier first: the names that are left out are then a matter of few rows. Of those the units
# that have factors of their own are told apart: the others lack one for the same reason.
BY_CARRIER: LiteralString = """
        , by_carrier AS (
            SELECT starts_at, region, industry, unit, carrier, meter, own_unit_id,
                   sum(tce) AS energy_tce,
                   sum(quantity) AS quantity,
                   sum(abs(tce * estimated_quantity / nullif(quantity, 0))) AS estimated_tce,
                   sum(abs(tce)) AS absolute_tce,
                   sum(abs(estimated_quantity)) AS estimated_quantity,
                   sum(abs(quantity)) AS absolute_quantity,
                   sum(readings_present) AS readings_present,
                   bool_or(held) AS held,
                   bool_or(is_left_out) AS is_left_out
              FROM named
             GROUP BY starts_at, region, industry, unit, carrier, meter, own_unit_id
        )
"""

TOTALS: LiteralString = """
        SELECT CASE $12::text WHEN 'year' THEN date_trunc('year', starts_at, 'Asia/Shanghai')
                              ELSE starts_at
               END AS bucket_at,
               region, industry, unit,
               CASE WHEN 'energy' = ANY ($6::text[]) THEN carrier END AS energy,
               meter,
               sum(energy_tce) AS energy_tce,
               sum(quantity) AS quantity,
               sum(estimated_tce) AS estimated_tce,
               CASE WHEN bool_and(absolute_tce IS NOT NULL OR energy_tce IS NULL)
                    THEN sum(absolute_tce)
               END AS absolute_tce,
               sum(estimated_quantity) AS estimated_quantity,
               CASE WHEN bool_and(absolute_quantity IS NOT NULL OR quantity IS NULL)
                    THEN sum(absolute_quantity)
               END AS absolute_quantity,
               sum(readings_present)::bigint AS readings_present,
               bool_or(held) AS held,
               coalesce(array_agg(DISTINCT carrier || '/' || coalesce(own_unit_id::text, ''))
                        FILTER (WHERE carrier IS NOT NULL AND is_left_out), '{}') AS unvalued
          FROM by_carrier
         GROUP BY bucket_at, region, industry, unit, energy, meter
         ORDER BY bucket_at, region, industry, unit, energy, meter
"""

RAW_OF_UNITS: LiteralString = """
        , raw AS (
            SELECT seen.unit_id, region, industry, unit, NULL::text AS meter, carrier, starts_at,
                   quantity, estimated_quantity, readings_present, held, calorific_tce,
                   equivalent_tce, calorific_partial, equivalent_partial
              FROM unit_consumption
              JOIN seen USING (unit_id)
             WHERE step = $8
               AND starts_at >= $9
               AND starts_at < $10
               AND ($13::text IS NULL OR carrier = $13)
        )
"""

RAW_OF_METERS: LiteralString = """
        , raw AS (
            SELECT seen.unit_id, region, industry, seen.unit, meter, carrier, starts_at,
                   quantity, estimated_quantity, readings_present, held, calorific_tce,
                   equivalent_tce, calorific_partial, equivalent_partial
              FROM meter_consumption
              JOIN meters USING (meter_id)
              JOIN seen USING (unit_id)
             WHERE step = $8
               AND starts_at >= $9
               AND starts_at < $10
               AND ($13::text IS NULL OR carrier = $13)
        )
"""

# Counted before they are named: no planner knows how much a scope holds, and one that takes it for
# little joins each of 30,000 meters to its names one by one. Those of one unit are found by index.
ALIKE_METERS: LiteralString = """
        , grouped AS MATERIALIZED (
            SELECT seen.region, seen.industry, seen.unit, carrier,
                   CASE WHEN 'meter' = ANY ($6::text[]) THEN meter END AS meter,
                   min(own_name) AS own_name, min(role) AS role, min(uom) AS uom, kind, interval_s,
                   greatest(installed_at, interval_from) AS due_from,
                   nullif(interval_to, 'infinity') AS due_to, count(*) AS meters
              FROM dated_meters AS meters
              JOIN seen USING (unit_id)
             WHERE role = ANY ($8)
               AND greatest(installed_at, interval_from) < $9
               AND ($10::text IS NULL OR carrier = $10)
               AND (coalesce($2, $4) IS NULL OR unit_id = (SELECT unit_id FROM seen))
             GROUP BY 1, 2, 3, 4, 5, kind, interval_s, due_from, due_to
        )
        SELECT grouped.region, grouped.industry, unit,
               CASE WHEN 'energy' = ANY ($6::text[]) THEN carrier END AS energy, meter,
               min(regions.name) AS region_name,
               min(industries.name_zh) AS industry_name,
               CASE WHEN unit IS NOT NULL THEN min(own_name) END AS unit_name,
               min(role) AS role,
               min(coalesce(reference_uom, uom)) AS uom,
               kind, interval_s, due_from, due_to, sum(meters)::bigint AS meters
          FROM grouped
          LEFT JOIN carriers USING (carrier)
          LEFT JOIN regions ON regions.region = grouped.region
          LEFT JOIN industries ON industries.industry = grouped.industry
         GROUP BY 1, 2, 3, 4, 5, kind, interval_s, due_from, due_to
         ORDER BY 1, 2, 3, 4, 5, due_from, kind, interval_s, due_to
"""


async def list_sums(connection: Connection, scope: Scope, selection: Selection) -> list[Sum]:
    """Return what was used, by bucket and group; only what is stored, so not every bucket."""
    raw = RAW_OF_METERS if Group.METER in selection.groups else RAW_OF_UNITS
    rows = await connection.fetch(
        SEEN + raw + USED + BY_CARRIER + TOTALS,
        scope.region_prefix,
        scope.unit,
        *asked(selection),
    )
    return [as_sum(row) for row in rows]


def asked(selection: Selection) -> tuple[object, ...]:
    """Return the parameters of sums after those of the scope: $3 to $13."""
    return (
        selection.region_prefix,
        selection.unit,
        selection.industry,
        list(selection.groups),
        selection.tier,
        selection.step,
        selection.span.starts_at,
        selection.span.ends_at,
        selection.basis,
        selection.bucket,
        selection.energy,
    )


async def list_meters(
    connection: Connection, scope: Scope, selection: Selection, *, roles: Sequence[str]
) -> list[Meters]:
    """Return the meters of `roles` that owe readings before the end of the span, by group."""
    rows = await connection.fetch(
        SEEN + ALIKE_METERS,
        scope.region_prefix,
        scope.unit,
        *asked_of_meters(selection, roles),
    )
    return [
        Meters(
            _key(row),
            row["region_name"],
            row["industry_name"],
            row["unit_name"],
            row["role"],
            row["uom"],
            Kind(row["kind"]),
            row["interval_s"],
            row["due_from"],
            row["due_to"],
            row["meters"],
        )
        for row in rows
    ]


def asked_of_meters(selection: Selection, roles: Sequence[str]) -> tuple[Hashable, ...]:
    """Return all that `list_meters` depends on beside scope and registry: $3 to $10."""
    return (
        selection.region_prefix,
        selection.unit,
        selection.industry,
        tuple(sorted(selection.groups)),
        selection.tier,
        tuple(roles),
        selection.span.ends_at,
        selection.energy,
    )


def _key(row: Record) -> Key:
    return Key(row["region"], row["industry"], row["unit"], row["energy"], row["meter"])


def as_sum(row: Record) -> Sum:
    pairs = [text.rsplit("/", 1) for text in row["unvalued"]]
    unvalued = [(carrier, int(unit_id) if unit_id else None) for carrier, unit_id in pairs]
    return Sum(
        row["bucket_at"],
        _key(row),
        row["energy_tce"],
        row["quantity"],
        row["estimated_tce"],
        row["absolute_tce"],
        row["estimated_quantity"],
        row["absolute_quantity"],
        row["readings_present"],
        row["held"],
        sorted({carrier for carrier, _ in unvalued}),
        unvalued,
    )
