"""Owns the known tables: what the tables of stated facts held at an instant, for one transaction.

They are temporary tables and views with the names of the permanent ones, which they hide: every
statement of the house then answers from them, unchanged. Whoever makes them rolls back.

What became known later is taken back. A fact of which the ledger never heard is from before it: it
stands as it is now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import LiteralString

from db.pool import Connection


@dataclass(frozen=True, slots=True)
class StatedTable:
    """A table that holds facts of a kind, and what tells them apart.

    `key` are columns of a row `r`. `more` makes columns that are named or written otherwise in the
    `fact`, which is JSON; `default` are those that facts stated long ago lack. `index`: columns by
    which rows are looked up one by one.
    """

    noun: LiteralString
    table: LiteralString
    key: LiteralString
    more: LiteralString = "'{}'::jsonb"
    default: LiteralString = "{}"
    index: LiteralString = ""


STATED: tuple[StatedTable, ...] = (
    StatedTable(
        "units",
        "units",
        "r.unit",
        more="jsonb_build_object('city', left(fact->>'region', 4) || '00', "
        "'division', left(fact->>'industry', 3))",
        index="unit_id",
    ),
    StatedTable("meters", "meters", "r.meter_id", index="unit_id"),
    StatedTable(
        "epochs",
        "meter_epochs",
        "r.meter_id, r.starts_at",
        default='{"side": "secondary"}',
        index="meter_id",
    ),
    StatedTable(
        "corrections",
        "corrections",
        "r.meter_id, r.read_at",
        more="jsonb_build_object('read_at', fact->'time')",
        index="meter_id, read_at",
    ),
    StatedTable("factors", "factors", "r.carrier, r.basis, r.unit_id, r.valid_from"),
    StatedTable("calorific_values", "calorific_values", "r.unit_id, r.carrier, r.batch"),
    StatedTable("production", "production", "r.unit_id, r.product, r.starts_at", index="unit_id"),
    StatedTable(
        "limits",
        "limits",
        "r.product, r.edition, r.valid_from",
        more="jsonb_build_object('limit_value', fact->'limit')",
        default='{"verified": true, "exclusive": false}',
    ),
    StatedTable("capacities", "capacities", "r.unit_id, r.product, r.valid_from"),
    StatedTable("figures", "region_figures", "r.region, r.year, r.through_month"),
    StatedTable(
        "targets",
        "region_targets",
        "r.region, r.year, r.years, r.indicator, r.kind",
        more="jsonb_build_object('years', 1 - (fact->>'year')::integer "
        "+ coalesce(fact->>'through_year', fact->>'year')::integer)",
        default='{"indicator": "energy_per_gdp", "kind": "base"}',
    ),
    StatedTable("levels", "level_bands", "r.scheme, r.level"),
    StatedTable("schemes", "scheme_choices", "r.region, r.indicator"),
    StatedTable("parks", "parks", "r.park"),
    StatedTable("budgets", "energy_budgets", "r.owner_kind, r.owner, r.starts_on, r.ends_on"),
    StatedTable("carbon_factors", "carbon_factors", "r.carrier, r.grid, r.valid_from"),
    StatedTable("grids", "grid_choices", "r.region, r.valid_from"),
    StatedTable("stocks", "stocks", "r.unit_id, r.carrier, r.counted_on"),
    StatedTable("trades", "trades", "r.unit_id, r.carrier, r.starts_on"),
    StatedTable(
        "projects",
        "projects",
        "r.project",
        more="jsonb_build_object('meters', string_to_array(fact->>'meters', ';'))",
    ),
    StatedTable("certificates", "certificates", "r.certificate"),
    StatedTable("non_fossil", "non_fossil", "r.region, r.year, r.energy_type"),
    StatedTable("two_high", "two_high_projects", "r.project"),
)
"""Units come first: the others find their ids among those of today, which never change."""

FIRST_EPOCHS_ARE_IN = "meter_epochs"
"""The table that is changed by facts of meters, too."""

KNOWN_AT: LiteralString = "(SELECT current_setting('nenghao.known_at')::timestamptz)"

# What stood before the ledger heard of it is recorded when something takes its place, by nobody.
KNOWN: LiteralString = "(changed_at <= {known_at} OR actor = '')"

# `since`: of what something became known later. `told`: all that was ever stated of it, as columns.
# Ids that nobody states are those of the row of today; where there is none, of the change.
TAKEN_BACK: LiteralString = """
        WITH since AS (
            SELECT DISTINCT subject
              FROM public.changes
             WHERE noun = '{noun}'
               AND changed_at > {known_at}
        ), told AS (
            SELECT subject, change_id, changed_at, actor, told, jsonb_build_array({key}) AS key
              FROM since
              JOIN public.changes USING (subject)
             CROSS JOIN LATERAL (SELECT content::jsonb AS fact) AS parsed
              LEFT JOIN public.units AS units ON units.unit = fact->>'unit'
              LEFT JOIN public.meters AS meters
                ON meters.unit_id = units.unit_id AND meters.meter = fact->>'meter'
             CROSS JOIN LATERAL (
                   SELECT '{default}'::jsonb || fact || {more}
                          || jsonb_build_object('unit_id', units.unit_id,
                                                'meter_id', meters.meter_id) AS told) AS whole
             CROSS JOIN LATERAL jsonb_populate_record(NULL::public.{table}, told) AS r
             WHERE noun = '{noun}'
        ), newest AS (
            SELECT DISTINCT ON (subject) change_id, told, key
              FROM told
             WHERE {known}
             ORDER BY subject, change_id DESC
        )
        SELECT r.*
          FROM public.{table} AS r
         WHERE jsonb_build_array({key}) NOT IN (SELECT key FROM told WHERE told IS NOT NULL)
        UNION ALL
        SELECT r.*
          FROM newest
          LEFT JOIN (SELECT jsonb_build_array({key}) AS key, to_jsonb(r) AS row
                       FROM public.{table} AS r) AS today USING (key)
         CROSS JOIN LATERAL jsonb_populate_record(
               NULL::public.{table},
               jsonb_build_object('factor_id', -change_id, 'limit_id', -change_id,
                                  'budget_id', -change_id)
               || coalesce(row, '{}') || told) AS r
         WHERE told IS NOT NULL
"""

# A meter's record tells the epoch that it began with.
FIRST_EPOCHS: LiteralString = """
        WITH newest AS (
            SELECT DISTINCT ON (subject) subject, content::jsonb AS fact
              FROM public.changes
             WHERE noun = 'meters'
               AND {known}
               AND subject IN (SELECT subject
                                 FROM public.changes
                                WHERE noun = 'meters'
                                  AND changed_at > {known_at})
             ORDER BY subject, change_id DESC
        )
        UPDATE pg_temp.meter_epochs AS first
           SET starts_at = (fact->>'installed_at')::timestamptz,
               multiplier = (fact->>'multiplier')::double precision,
               rollover = (fact->>'rollover')::double precision,
               side = coalesce(fact->>'side', 'secondary'),
               rate_max = (fact->>'rate_max')::double precision
          FROM newest
          JOIN public.units ON units.unit = fact->>'unit'
          JOIN public.meters ON meters.unit_id = units.unit_id AND meters.meter = fact->>'meter'
         WHERE first.meter_id = meters.meter_id
           AND first.reason = 'installed'
"""

# Epochs of meters that were not known yet.
NO_EPOCHS: LiteralString = """
        DELETE FROM pg_temp.meter_epochs
         WHERE meter_id NOT IN (SELECT meter_id FROM pg_temp.meters)
"""

PARK_UNITS: LiteralString = """
        CREATE TEMP TABLE park_units AS
        WITH newest AS (
            SELECT DISTINCT ON (subject) subject AS park, content::jsonb AS fact
              FROM public.changes
             WHERE noun = 'parks'
               AND {known}
               AND subject IN (SELECT subject
                                 FROM public.changes
                                WHERE noun = 'parks'
                                  AND changed_at > {known_at})
             ORDER BY subject, change_id DESC
        )
        SELECT park, unit_id
          FROM public.park_units
         WHERE park NOT IN (SELECT subject
                              FROM public.changes
                             WHERE noun = 'parks'
                               AND changed_at > {known_at})
        UNION ALL
        SELECT park, unit_id
          FROM newest
          JOIN public.units ON units.unit = ANY (string_to_array(fact->>'units', ' '))
"""

INDEX: LiteralString = """
        CREATE INDEX ON pg_temp.{table} ({index});
        ANALYZE pg_temp.{table}
"""

# Readings, links and changes only grow, so that views of them are enough. What was not known yet is
# not even looked at: no reading is accepted that is from a later day than it came on.
GROWN: LiteralString = """
        CREATE TEMP VIEW changes AS
        SELECT changes.*
          FROM public.changes
         WHERE {known};

        CREATE TEMP VIEW readings AS
        SELECT readings.*
          FROM public.readings
         WHERE read_at < {known_at} + INTERVAL '1 day'
           AND received_at <= {known_at}
           AND coalesce((SELECT stored_at <= {known_at}
                           FROM public.links
                          WHERE links.link_id = readings.link_id), true);
"""

# The views of the house in the order in which they were made, from their own definitions: those
# name tables, which are found anew.
VIEWS: LiteralString = """
        DO $$
        DECLARE
            view pg_class;
        BEGIN
            FOR view IN SELECT *
                          FROM pg_class
                         WHERE relnamespace = 'public'::regnamespace
                           AND relkind = 'v'
                         ORDER BY oid LOOP
                EXECUTE 'CREATE TEMP VIEW ' || view.relname || ' AS '
                        || replace(pg_get_viewdef(view.oid), 'public.', '');
            END LOOP;
        END
        $$
"""


async def remember(connection: Connection, at: datetime) -> None:
    """Let the known tables of this transaction be those of an instant, and hide what they name."""
    await connection.execute(
        """
        SELECT set_config('nenghao.known_at', $1, true),
               set_config('search_path', 'pg_temp, public', true)
        """,
        at.astimezone(UTC).isoformat(),
    )


async def make_facts(connection: Connection) -> None:
    """Make the known tables of facts of which anything became known later; the others are known."""
    nouns = await _list_changed(connection)
    for each in STATED:
        if each.noun in nouns or (each.table == FIRST_EPOCHS_ARE_IN and "meters" in nouns):
            await connection.execute("CREATE TEMP TABLE " + each.table + " AS" + _taken_back(each))
            if each.index:
                index = INDEX.replace("{table}", each.table)
                await connection.execute(index.replace("{index}", each.index))
    if "meters" in nouns:
        await connection.execute(_told(FIRST_EPOCHS))
        await connection.execute(NO_EPOCHS)
    if "parks" in nouns:
        await connection.execute(_told(PARK_UNITS))
    await connection.execute(_told(GROWN))


async def _list_changed(connection: Connection) -> set[str]:
    """Return the kinds of facts of which anything became known later."""
    changed = "SELECT DISTINCT noun FROM changes WHERE changed_at > {known_at} ORDER BY noun"
    rows = await connection.fetch(_told(changed))
    return {row["noun"] for row in rows}


async def make_views(connection: Connection) -> None:
    """Make all views anew, over the tables that are found now."""
    await connection.execute(VIEWS)


async def close(connection: Connection) -> None:
    """Let nothing be written from here on."""
    await connection.execute("SET TRANSACTION READ ONLY")


def _taken_back(each: StatedTable) -> LiteralString:
    statement = _told(TAKEN_BACK).replace("{noun}", each.noun).replace("{table}", each.table)
    statement = statement.replace("{key}", each.key).replace("{more}", each.more)
    return statement.replace("{default}", each.default)


def _told(statement: LiteralString) -> LiteralString:
    return statement.replace("{known}", KNOWN).replace("{known_at}", KNOWN_AT)
