"""[42] No account can change data and erase the trace: every grant is in a file, and no other."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner

import db.admin
import db.logins
import db.pool
from app import auth, cli, withdrawing
from app.main import create_app
from app.resolve import Refusal
from db.pool import Connection
from deploy.services import Services
from settings import Settings
from tests.app.conftest import NOW
from tests.app.test_withdrawals import AUTHOR, LATER, stated
from tests.conftest import STATE_DIR

FILE = Path(__file__).parents[2] / "deploy" / "grants.txt"
FOUND = STATE_DIR / "grants.txt"
OWNER = "nenghao"

HELD = """
SELECT line
  FROM (SELECT format('%s: login%s%s', rolname,
                      CASE WHEN rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication
                                OR rolbypassrls THEN ', and powers over the server' ELSE '' END,
                      (SELECT coalesce(string_agg(', member of ' || roleid::regrole, ''), '')
                         FROM pg_auth_members
                        WHERE member = pg_roles.oid)) AS line
          FROM pg_roles
         WHERE rolname IN ('nenghao_service', 'nenghao_view')
         UNION ALL
        SELECT format('%s: %s.%s %s', grantee::regrole, nspname, relname,
                      string_agg(privilege_type, ', ' ORDER BY privilege_type))
          FROM pg_class
          JOIN pg_namespace AS space ON space.oid = relnamespace
         CROSS JOIN LATERAL aclexplode(relacl) AS held
         WHERE nspname IN ('public', 'api')
           AND grantee <> relowner
           AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
         GROUP BY grantee, nspname, relname
         UNION ALL
        SELECT format('%s: %s(%s) EXECUTE', grantee::regrole, proname,
                      pg_get_function_identity_arguments(pg_proc.oid))
          FROM pg_proc
         CROSS JOIN LATERAL aclexplode(proacl) AS held
         WHERE pronamespace = 'public'::regnamespace
           AND prosecdef
           AND grantee <> proowner
           AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
       ) AS told
 ORDER BY line
"""


@pytest.fixture
async def owner(possessed_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(possessed_url)
    yield connection
    await connection.close()


@pytest.fixture
async def service(possessed_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(db.logins.derived(possessed_url, db.logins.SERVICE))
    yield connection
    await connection.close()


async def test_the_grants_are_those_of_the_file(owner: Connection) -> None:
    held = [row["line"] for row in await owner.fetch(HELD)]
    kept = FILE.read_text(encoding="utf-8").splitlines()
    gone, more = sorted({*kept} - {*held}), sorted({*held} - {*kept})
    if gone or more:
        FOUND.write_text("\n".join(held) + "\n", encoding="utf-8")
    assert (gone, more) == ([], []), f"if that is what is meant: cp {FOUND} {FILE}"


def test_who_changes_facts_changes_no_trace_and_the_reverse() -> None:
    grants = re.findall(r"^(\w+): public\.(\w+) (.+)$", FILE.read_text(encoding="utf-8"), re.M)
    traces = {name: rights for login, name, rights in grants if name in db.logins.TRACES}
    assert traces.keys() == {*db.logins.TRACES}
    assert {*traces.values()} == {"INSERT, SELECT"}
    assert {login for login, _, _ in grants} == {db.logins.SERVICE}, "the other looks at views"


WAYS = (
    "UPDATE {} SET {}",
    "DELETE FROM {}",
    "TRUNCATE {}",
    "ALTER TABLE {} DISABLE TRIGGER ALL",
    "DROP TABLE {}",
    "CREATE TRIGGER t BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION refuse_change()",
)


@pytest.mark.parametrize("trace", db.logins.TRACES)
async def test_a_program_removes_no_row_of_a_trace(service: Connection, trace: str) -> None:
    for way in WAYS:
        statement = way.format(trace, await _same(service, trace))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute(statement)


async def _same(connection: Connection, table: str) -> str:
    column = await connection.fetchval(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum = 2", table
    )
    return f"{column} = {column}"


async def test_a_program_changes_no_reading_by_the_name_of_its_chunk(
    service: Connection,
) -> None:
    chunks = await service.fetch("SELECT show_chunks('readings')::text AS name")
    assert chunks
    for chunk in chunks:
        for way in ("UPDATE {} SET raw_value = 0", "DELETE FROM {}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await service.execute(way.format(chunk["name"]))


@pytest.mark.parametrize(
    "statement",
    [
        f"SET ROLE {OWNER}",
        "SET session_replication_role = replica",
        "CREATE TABLE public.t ()",
        "ALTER ROLE nenghao_service SUPERUSER",
        "COPY changes TO PROGRAM 'true'",
        "SELECT drop_chunks('readings', 'infinity'::timestamptz)",
        "UPDATE alembic_version SET version_num = '0001'",
    ],
)
async def test_a_program_cannot_become_more(service: Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await service.execute(statement)


def test_a_login_that_could_erase_a_trace_is_told_by_name(possessed_url: str) -> None:
    derived = db.logins.derived(possessed_url, db.logins.SERVICE)
    assert db.logins.list_service_excesses(derived) == []
    found = db.logins.list_service_excesses(possessed_url)
    assert {"it is a superuser", "it may change or remove rows of changes"} <= {*found}


@pytest.mark.parametrize("command", [["keys", "list"], ["settle"], ["serve"]])
def test_no_program_and_no_command_runs_as_one_who_could(
    possessed_url: str, command: list[str]
) -> None:
    environment = {
        "NENGHAO_DATABASE_URL": possessed_url,
        "NENGHAO_SERVICE_DATABASE_URL": possessed_url,
    }
    refused = CliRunner().invoke(cli.app, command, env=environment)
    assert isinstance(refused.exception, Refusal)
    assert "it is a superuser" in str(refused.exception)


async def test_the_login_of_the_programs_may_do_all_that_they_do_to_facts(
    services: Services, template_url: str
) -> None:
    """Every kind is stated and withdrawn; the programs themselves run so in tests/end_to_end."""
    template = template_url.rsplit("/", 1)[-1]
    url = db.admin.recreate(services.database_url, "nenghao_by_service", template=template)
    login = db.logins.derived(url, db.logins.SERVICE)
    async with await db.pool.create_pool(login) as pool, pool.acquire() as connection:
        trial = connection.transaction()
        await trial.start()
        for kind, subject in await stated(connection):
            found = await withdrawing.find(connection, kind, subject)
            await withdrawing.withdraw(connection, found, AUTHOR, LATER)
        await trial.rollback()
    db.admin.drop(services.database_url, "nenghao_by_service")


async def test_the_interface_states_and_answers_as_known_on_that_login(
    possessed_url: str,
) -> None:
    app = create_app(Settings(), possessed_url, clock=lambda: NOW)
    async with app.router.lifespan_context(app) as state:
        assert state is not None
        own = state["pool"]
        assert await own.fetchval("SELECT current_user") == db.logins.SERVICE
        async with own.acquire() as connection, connection.transaction():
            key = await auth.create_key(
                connection, label="desk", region="450200", unit=None,
                expires_at=NOW + timedelta(days=1),
            )  # fmt: skip
            holder = await auth.fetch_holder(connection, key, NOW, lambda _: None)
            assert holder.scope.region_prefix == "4502"
