"""What the interface's login may look at, tried by hand: its own scope's rows and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

import db.admin
import db.audit
import db.logins
import db.pool
import db.scope
from db.pool import Connection, Pool
from db.scope import Scope
from tests import cast
from tests.app import possessions

EVERYONES = {
    "carbon_factors", "carriers", "chain_heads", "equivalents", "evaluators", "factor_ranges",
    "grid_choices", "grids", "industries", "level_bands", "limits", "links", "products",
    "quality_schemes", "region_aliases", "regions", "registry_stamp", "rule_sets", "scheme_choices",
}  # fmt: skip
"""Shown alike to whoever has a scope."""

CUT = {
    "accepted_batches",
    "accountable_readings", "alert_cases", "alert_events", "alerts", "area_consumption",
    "budget_units", "calorific_values",
    "capacities", "certificates", "changes", "conflicts", "contacts", "corrections",
    "course_readings",
    "dated_factors", "dated_meters", "doubts", "energy_budgets", "energy_restatements",
    "factors", "gateway_arrivals", "gateways",
    "judgements",
    "meter_consumption", "meter_epochs", "meters", "monthly_filings", "non_fossil", "park_units",
    "parks", "production", "projects", "proposals", "quality_checks", "quality_days",
    "quality_unit_days",
    "quarantine", "quarantine_messages", "readings", "region_figures", "region_targets", "repairs",
    "rule_versions", "rules", "silence_events", "silences",
    "stale_ranges", "standings", "stocks", "suspicions", "tasks", "told_parts", "trades",
    "two_high_projects",
    "unit_consumption", "units",
    "value_limits", "verifications",
}  # fmt: skip
"""Cut to the scope."""

FOR_AUDITORS = {"audit"}
"""Cut to the scope, and shown where a transaction says that who asks may see it."""

HIDDEN = {
    "alembic_version", "alert_parts", "api_keys", "arrivals", "audit_links", "audit_removals",
    "audit_waiting", "births", "downtimes", "fresh_hours",
    "gateway_certificates", "gateway_keys", "heads", "heartbeats", "ingest_totals",
    "meters_in_scope", "nightly_checks", "outbox", "quarantine_size",
    "reconciliation_nights", "reconciliations", "regions_in_scope", "requests", "sequence_requests",
    "sequences", "stale_areas", "unit_news", "units_in_scope", "whole_regions_in_scope",
}  # fmt: skip
"""Not shown over HTTP at all."""

JOINED = {
    "accountable_readings", "conflicts", "corrections", "course_readings", "dated_meters",
    "meter_consumption", "meters", "quality_days", "quality_unit_days", "readings", "stale_ranges",
    "unit_consumption", "units",
}  # fmt: skip
"""Without a barrier, or no index serves a join: docs/decisions/0023-views-for-looking.md."""

OF_REGIONS = {"area_consumption", "contacts", "told_parts", "two_high_projects"}
"""An enterprise sees none of them, though it is in one: others are in it too."""

OF_EVERYONE = {
    "changes": "noun IN ('limits', 'levels', 'schemes', 'carbon_factors', 'grids')",
    "dated_factors": "unit_id IS NULL",
    "factors": "unit_id IS NULL",
    "rule_versions": "rule_id <= 2",
    "rules": "rule_id <= 2",
}
OWN = {"units": 1, "meters": 1, "dated_meters": 1, "meter_epochs": 1}
"""What each of the others has of its own."""

HOLDERS = {
    "the province": Scope("45"),
    "the city": Scope("4502"),
    "the county": Scope("450202"),
    "the enterprise": Scope("45", cast.QIANS_UNIT),
}
FOREIGNERS = {
    "another province": (Scope("46"), {}),
    "another city": (Scope("4503"), OWN),
    "another county of the city": (Scope("450203"), OWN),
    "another enterprise of the city": (Scope("4502", cast.QIANS_OTHER_UNIT), OWN),
    "another enterprise": (Scope("4503", cast.SUNS_UNIT), OWN),
    "its code under another city": (Scope("4503", cast.QIANS_UNIT), {}),
}


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def looking(views: Pool, scope: Scope | None) -> AsyncIterator[Connection]:
    async with views.acquire() as connection, connection.transaction(readonly=True):
        if scope is not None:
            await db.scope.enter(connection, scope)
        yield connection


async def count(connection: Connection, name: str) -> int:
    """Return how many rows of a view are somebody's."""
    where = f"WHERE NOT ({OF_EVERYONE[name]})" if name in OF_EVERYONE else ""
    rows: int = await connection.fetchval(f"SELECT count(*) FROM {name} {where}")
    return rows


async def relations(url: str, schema: str) -> set[str]:
    async with connected(url) as connection:
        rows = await connection.fetch(
            """
            SELECT relname
              FROM pg_class
             WHERE relnamespace = $1::regnamespace
               AND relkind IN ('r', 'p', 'v', 'm', 'f')
               AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
            """,
            schema,
        )
    return {row["relname"] for row in rows}


async def test_every_relation_is_shown_cut_or_hidden_on_purpose(possessed_url: str) -> None:
    shown = EVERYONES | CUT | FOR_AUDITORS
    assert await relations(possessed_url, "public") == shown | HIDDEN
    assert await relations(possessed_url, "api") == shown


async def test_every_view_has_the_columns_of_what_it_shows(possessed_url: str) -> None:
    async with connected(possessed_url) as connection:
        rows = await connection.fetch(
            """
            SELECT table_schema, table_name,
                   array_agg(column_name::text || ' ' || data_type ORDER BY ordinal_position)
                   AS columns
              FROM information_schema.columns
             WHERE table_schema IN ('public', 'api')
             GROUP BY table_schema, table_name
            """
        )
    columns = {(row["table_schema"], row["table_name"]): row["columns"] for row in rows}
    shown = {name for schema, name in columns if schema == "api"}
    assert [n for n in shown if columns["api", n] != columns["public", n]] == []


async def test_views_keep_rows_back_before_functions_but_for_those_that_are_joined(
    possessed_url: str,
) -> None:
    async with connected(possessed_url) as connection:
        rows = await connection.fetch(
            """
            SELECT relname, relkind::text AS kind,
                   coalesce('security_barrier=true' = ANY (reloptions), false) AS barrier
              FROM pg_class
             WHERE relnamespace = 'api'::regnamespace
            """
        )
    assert {row["kind"] for row in rows} == {"v"}
    assert {row["relname"] for row in rows if not row["barrier"]} == JOINED


@pytest.mark.parametrize("name", sorted(EVERYONES | CUT))
async def test_without_a_scope_there_are_no_rows(views: Pool, name: str) -> None:
    async with looking(views, None) as connection:
        assert await connection.fetchval(f"SELECT count(*) FROM {name}") == 0


@pytest.mark.parametrize("name", sorted(CUT))
async def test_who_answers_for_it_sees_it(views: Pool, name: str) -> None:
    for who, scope in HOLDERS.items():
        async with looking(views, scope) as connection:
            is_shown = scope.unit is None or name not in OF_REGIONS
            assert (await count(connection, name) > 0) is is_shown, who


@pytest.mark.parametrize("name", sorted(CUT))
async def test_who_does_not_sees_their_own_alone(views: Pool, name: str) -> None:
    for who, (scope, own) in FOREIGNERS.items():
        async with looking(views, scope) as connection:
            assert await count(connection, name) == own.get(name, 0), who


async def test_the_audit_log_is_for_auditors_of_the_region(views: Pool) -> None:
    auditors = {name: 1 for name, scope in HOLDERS.items() if scope.unit is None}
    for who, scope in (HOLDERS | {name: own for name, (own, _) in FOREIGNERS.items()}).items():
        async with looking(views, scope) as connection:
            assert await connection.fetchval("SELECT count(*) FROM audit") == 0, who
            await db.audit.open_to(connection)
            qians = "SELECT count(*) FROM audit WHERE unit = $1 AND noted_at < '2026-11-02Z'"
            seen = await connection.fetchval(qians, cast.QIANS_UNIT)
            assert seen == auditors.get(who, 0), who
    async with looking(views, None) as connection:
        await db.audit.open_to(connection)
        assert await connection.fetchval("SELECT count(*) FROM audit") == 0


async def test_the_ledger_tells_of_what_is_in_scope(views: Pool) -> None:
    async with looking(views, HOLDERS["the city"]) as connection:
        rows = await connection.fetch("SELECT DISTINCT noun FROM changes")
    heard = {*possessions.HEARD_OF_UNITS, *possessions.HEARD_OF_REGIONS, "factors"}
    assert {row["noun"] for row in rows} == heard


async def test_no_relation_beside_the_views_can_be_named_nor_any_chunk(possessed_url: str) -> None:
    async with connected(possessed_url) as connection:
        rows = await connection.fetch(
            """
            SELECT format('%I.%I', nspname, relname) AS name
              FROM pg_class
              JOIN pg_namespace AS space ON space.oid = relnamespace
             WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
               AND nspname NOT IN ('api', 'pg_catalog', 'information_schema', 'pg_toast')
               AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
             ORDER BY name
            """
        )
    names = [row["name"] for row in rows]
    assert sum("_hyper_" in name for name in names) >= 3
    async with connected(db.logins.derived(possessed_url)) as login:
        for name in names:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await login.execute(f"SELECT FROM {name} LIMIT 1")
            if "SEQ" not in name.upper():
                with pytest.raises(
                    (asyncpg.InsufficientPrivilegeError, asyncpg.WrongObjectTypeError)
                ):
                    await login.execute(f"COPY {name} TO STDOUT")


async def test_what_the_extension_shows_everybody_names_no_unit(possessed_url: str) -> None:
    async with connected(db.logins.derived(possessed_url)) as login:
        rows = await login.fetch(
            """
            SELECT format('%I.%I', nspname, relname) AS name
              FROM pg_class
              JOIN pg_namespace AS space ON space.oid = relnamespace
             WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
               AND nspname NOT IN ('api', 'information_schema')
               AND has_schema_privilege(space.oid, 'USAGE')
               AND has_table_privilege(pg_class.oid, 'SELECT')
             ORDER BY name
            """
        )
        for row in rows:
            shown = await login.fetch(f"SELECT t::text AS line FROM {row['name']} AS t")
            assert cast.QIANS_UNIT not in "".join(str(each["line"]) for each in shown), row["name"]
