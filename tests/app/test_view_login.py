"""What the interface's login may do: look, within a scope that ends with its transaction."""

from __future__ import annotations

import ast
import asyncio
import random
import re
from collections.abc import Iterator
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
from db.pool import Pool
from db.scope import Scope
from tests.app.test_views import CUT, EVERYONES, FOR_AUDITORS, connected

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
    """[36] A setting of a session would be the next borrower's, where a pooler resets nothing.

    Not so of who holds a lock of its session anyway: the evaluator, which takes it back at its end.
    """
    for path, text in sources():
        if path.name == "evaluators.py":
            continue
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
