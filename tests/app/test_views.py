"""What the interface's login may look at, tried by hand: its own scope's rows and nothing else."""

from __future__ import annotations

import ast
import asyncio
import random
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psycopg
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
    "carbon_factors", "carriers", "chain_heads", "equivalents", "factor_ranges", "grid_choices",
    "grids", "industries", "level_bands", "limits", "links", "products", "quality_schemes",
    "region_aliases", "regions", "registry_stamp", "rule_sets", "scheme_choices",
}  # fmt: skip
"""Shown alike to whoever has a scope."""

CUT = {
    "accepted_batches",
    "accountable_readings", "alert_cases", "alert_events", "alerts", "area_consumption",
    "budget_units", "calorific_values",
    "capacities", "certificates", "changes", "conflicts", "contacts", "corrections",
    "course_readings",
    "dated_factors", "dated_meters", "doubts", "energy_budgets", "factors", "gateways",
    "meter_consumption", "meter_epochs", "meters", "monthly_filings", "non_fossil", "park_units",
    "parks", "production", "projects", "proposals", "quality_days", "quality_unit_days",
    "quarantine", "quarantine_messages", "readings", "region_figures", "region_targets", "repairs",
    "rule_versions", "rules", "silence_events", "silences",
    "stale_ranges", "stocks", "suspicions", "tasks", "trades", "unit_consumption", "units",
    "value_limits", "verifications",
}  # fmt: skip
"""Cut to the scope."""

FOR_AUDITORS = {"audit"}
"""Cut to the scope, and shown where a transaction says that who asks may see it."""

HIDDEN = {
    "alembic_version", "api_keys", "arrivals", "audit_links", "audit_removals", "audit_waiting",
    "births", "downtimes",
    "gateway_certificates", "gateway_keys", "heads", "heartbeats", "ingest_totals",
    "meters_in_scope", "nightly_checks", "outbox", "quality_checks", "quarantine_size",
    "reconciliation_nights", "reconciliations", "regions_in_scope", "requests", "sequence_requests",
    "sequences", "stale_areas", "units_in_scope", "whole_regions_in_scope",
}  # fmt: skip
"""Not shown over HTTP at all."""

JOINED = {
    "accountable_readings", "conflicts", "corrections", "course_readings", "dated_meters",
    "meter_consumption", "meters", "quality_days", "quality_unit_days", "readings", "stale_ranges",
    "unit_consumption", "units",
}  # fmt: skip
"""Without a barrier, or no index serves a join: docs/decisions/0021-views-for-looking.md."""

OF_REGIONS = {"area_consumption", "contacts"}
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


@pytest.fixture(scope="session")
async def views(possessed_url: str) -> AsyncIterator[Pool]:
    url = db.logins.derived(possessed_url)
    async with await db.pool.create_view_pool(url, timeout_s=10, application="test") as pool:
        yield pool


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


REFUSED = (
    "SET ROLE nenghao",
    "SET SESSION AUTHORIZATION nenghao",
    "CREATE TABLE public.t ()",
    "CREATE TABLE api.t ()",
    "CREATE VIEW api.all_units AS SELECT 1",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "SELECT pg_read_file('PG_VERSION')",
    "ALTER ROLE nenghao_view SUPERUSER",
    "ALTER VIEW api.units RESET (security_barrier)",
    "SELECT drop_chunks('readings', 'infinity'::timestamptz)",
    "SELECT sha256 FROM public.api_keys",
)


@pytest.mark.parametrize("statement", REFUSED)
async def test_the_login_cannot_become_more(possessed_url: str, statement: str) -> None:
    async with connected(db.logins.derived(possessed_url)) as login:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await login.execute(statement)


NOT_WRITTEN = (asyncpg.InsufficientPrivilegeError, asyncpg.ObjectNotInPrerequisiteStateError)
"""By grant, or because the view cannot be written to at all."""


async def test_the_login_writes_nothing_even_where_it_lifts_its_own_setting(
    possessed_url: str,
) -> None:
    async with connected(db.logins.derived(possessed_url)) as login:
        await login.execute(
            "SET default_transaction_read_only = off; SET search_path = api, public"
        )
        await login.execute("SELECT set_config('nenghao.scope', '45', false)")
        await login.execute("SELECT set_config('nenghao.audits', 'yes', false)")
        for name in sorted(EVERYONES | CUT | FOR_AUDITORS):
            for statement in (f"DELETE FROM {name}", f"INSERT INTO {name} DEFAULT VALUES"):
                with pytest.raises(NOT_WRITTEN):
                    await login.execute(statement)


async def test_a_temporary_table_takes_the_place_of_no_view(views: Pool) -> None:
    async with views.acquire() as login, login.transaction():
        await login.execute("SET TRANSACTION READ WRITE")
        await login.execute("CREATE TEMP TABLE units ON COMMIT DROP AS SELECT 1 AS mine")
        assert await login.fetchval("SELECT count(*) FROM units") == 0


SEEN: dict[Scope | None, int] = {Scope("4502"): 2, Scope("4503"): 1, Scope("46"): 0, None: 0}
"""How many units each scope has."""

TASKS, AT_ONCE, EACH = 250, 25, 64


async def test_a_scope_ends_with_its_transaction_whatever_ends_it(views: Pool) -> None:
    """[35] 10,000 transactions of random scopes on one pool, 30 % of the tasks cancelled amid."""
    begun = 0

    async def some(chance: random.Random) -> None:
        nonlocal begun
        async with views.acquire() as connection:
            for _ in range(EACH):
                begun += 1
                scope = chance.choice(list(SEEN))
                async with connection.transaction(readonly=True):
                    if scope is not None:
                        await db.scope.enter(connection, scope)
                    seen = await connection.fetchval("SELECT count(*) FROM units")
                    assert seen == SEEN[scope], scope
                    if chance.random() < 0.002:
                        await connection.execute("SELECT 1 / 0")

    chance = random.Random(36)
    outcomes: list[BaseException | None] = []
    for _ in range(TASKS // AT_ONCE):
        tasks = [asyncio.create_task(some(random.Random(chance.random()))) for _ in range(AT_ONCE)]
        cancelled = chance.sample(tasks, round(AT_ONCE * 0.3))
        for task in cancelled:
            asyncio.get_running_loop().call_later(chance.random() / 4, task.cancel)
        outcomes += await asyncio.gather(*tasks, return_exceptions=True)
    for each in outcomes:
        expected = asyncio.CancelledError | asyncpg.DivisionByZeroError
        assert each is None or isinstance(each, expected), each
    stopped = sum(isinstance(each, asyncio.CancelledError) for each in outcomes)
    assert (begun >= 10_000, stopped > TASKS / 10) == (True, True), (begun, stopped)


async def test_a_scope_is_gone_with_its_transaction_on_the_same_connection(views: Pool) -> None:
    async with views.acquire() as connection:
        async with connection.transaction(readonly=True):
            await db.scope.enter(connection, Scope("45"))
            assert await connection.fetchval("SELECT count(*) FROM units") == 3
        assert await connection.fetchval("SELECT count(*) FROM units") == 0


PACKAGES = ("energy", "db", "ingest", "alerts", "app", "deploy")


def sources() -> Iterator[tuple[Path, str]]:
    root = Path(__file__).parents[2]
    for package in PACKAGES:
        for path in (root / package).rglob("*.py"):
            yield path, path.read_text(encoding="utf-8")


def test_no_pool_changes_how_connections_are_reset() -> None:
    """[36] Pools are made in one place, and nothing there takes the place of asyncpg's reset."""
    for path, text in sources():
        if "create_pool(" in text.replace("db.pool.create_pool(", ""):
            assert path.name == "pool.py", path
            assert not re.search(r"\b(reset|setup|init|connection_class)=", text), path


def test_no_statement_sets_anything_for_longer_than_its_transaction() -> None:
    """[36] A setting of a session would be the next borrower's, where a pooler resets nothing."""
    for path, text in sources():
        calls = re.findall(r"set_config\([^;]*?\)", text)
        assert not [each for each in calls if not each.endswith("true)")], path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                begins = node.value.split()[:2]
                assert begins[:1] != ["SET"] or begins[1:] in (["LOCAL"], ["TRANSACTION"]), path


async def test_what_a_borrower_sets_for_its_session_is_gone_for_the_next(views: Pool) -> None:
    """[36] At run time: were the reset weakened, the next one would see the province."""
    async with views.acquire() as connection:
        pid = await connection.fetchval("SELECT pg_backend_pid()")
        await connection.execute("SELECT set_config('nenghao.scope', '45', false)")
        assert await connection.fetchval("SELECT count(*) FROM units") == 3
    async with views.acquire() as connection:
        assert await connection.fetchval("SELECT pg_backend_pid()") == pid
        assert await connection.fetchval("SELECT count(*) FROM units") == 0


def test_a_login_that_has_more_is_told_by_name(possessed_url: str) -> None:
    assert db.logins.list_excesses(db.logins.derived(possessed_url)) == []
    excesses = db.logins.list_excesses(possessed_url)
    assert {"it is a superuser", "it may use readings"} <= set(excesses)


def test_migrating_again_lets_the_login_in_under_a_changed_password(possessed_url: str) -> None:
    url = db.logins.derived(possessed_url)
    with psycopg.connect(possessed_url, autocommit=True) as connection:
        connection.execute("ALTER ROLE nenghao_view PASSWORD 'lost'")
    try:
        assert not db.logins.lets_in(url)
    finally:
        db.logins.open_all(possessed_url)
    assert db.logins.lets_in(url)


def test_the_password_of_the_login_is_not_that_of_the_platform(possessed_url: str) -> None:
    own, platform = urlsplit(db.logins.derived(possessed_url)), urlsplit(possessed_url)
    assert own.password not in (None, platform.password)
