"""What a key may follows from its role, and a key is made only where its role has a place."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from typer.testing import CliRunner

import db.admin
import db.keys
import db.migrate
from app import auth, cli, roles
from app.resolve import Refusal
from app.roles import Act, Role
from db.pool import Connection
from deploy.services import Services
from tests import cast
from tests.app.conftest import NOW, Stage


def test_nobody_changes_what_is_accounted_and_sees_to_its_trace() -> None:
    for role in Role:
        may = roles.MAY[role]
        apart = {Act.STATE, Act.AUDIT, Act.ADMINISTER}
        assert len(may & apart) == 1, role


@pytest.mark.parametrize("role", Role)
def test_a_key_that_only_looks_changes_nothing_whatever_its_role(role: Role) -> None:
    assert roles.acts(role, may_state=False) <= {Act.READ, Act.AUDIT}
    assert roles.acts(role, may_state=True) == roles.MAY[role]


@pytest.mark.parametrize(
    ("role", "region", "unit"),
    [
        (Role.PROVINCE, "450200", None),
        (Role.CITY, "450000", None),
        (Role.CITY, "450202", None),
        (Role.COUNTY, "450200", None),
        (Role.ENTERPRISE, "450200", None),
        (Role.CITY, "450200", cast.QIANS_UNIT),
        (Role.AUDITOR, "450200", cast.QIANS_UNIT),
        (Role.ADMINISTRATOR, "450200", cast.QIANS_UNIT),
    ],
)
async def test_a_role_without_a_place_gets_no_key(
    connection: Connection, role: Role, region: str, unit: str | None
) -> None:
    await cast.enter(connection)
    with pytest.raises(Refusal, match=f"the role {role}"):
        await auth.create_key(
            connection, label="a", region=region, unit=unit, expires_at=None, role=role
        )


async def test_without_a_role_a_key_has_that_of_its_region_or_unit(connection: Connection) -> None:
    await cast.enter(connection)
    made = {key.label: key.role for key in await db.keys.list_keys(connection)}
    assert made == {"zhao": "province", "qian": "city", "sun": "city", "li": "enterprise"}


async def test_the_use_of_a_key_is_noted_once_in_ten_minutes(stage: Stage) -> None:
    async def used_at(label: str) -> datetime | None:
        at: datetime | None = await stage.pool.fetchval(
            "SELECT last_used_at FROM api_keys WHERE label = $1", label
        )
        return at

    assert await used_at("qian") is None
    assert (await stage.get("qian", "/v1/units")).status_code == 200
    assert (await used_at("qian"), await used_at("sun")) == (NOW, None)
    for before, noted in ((timedelta(minutes=9), False), (timedelta(minutes=10), True)):
        await stage.pool.execute("UPDATE api_keys SET last_used_at = $1", NOW - before)
        await stage.get("qian", "/v1/units")
        assert await used_at("qian") == (NOW if noted else NOW - before)


async def test_a_database_that_takes_no_writes_refuses_no_key(stage: Stage) -> None:
    database = await stage.pool.fetchval("SELECT current_database()")
    await stage.pool.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    await stage.pool.expire_connections()
    assert (await stage.get("qian", "/v1/units")).status_code == 200
    async with stage.pool.acquire() as connection:
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only")


async def test_keys_that_were_made_before_roles_keep_what_they_may(services: Services) -> None:
    url = db.admin.recreate(services.database_url, "nenghao_before_roles")
    db.migrate.upgrade(url, "0020")
    connection = await asyncpg.connect(url)
    await cast.enter_units(connection)
    await connection.execute(
        """
        INSERT INTO api_keys (sha256, label, region, unit, may_state)
        VALUES ('a', 'province', '450000', NULL, false), ('b', 'city', '450200', NULL, true),
               ('c', 'county', '450202', NULL, false), ('d', 'enterprise', '450200', $1, true)
        """,
        cast.QIANS_UNIT,
    )
    db.migrate.upgrade(url)
    for key in await db.keys.list_keys(connection):
        assert key.role == key.label
        may = roles.acts(Role(key.role), may_state=key.may_state)
        assert (Act.STATE in may) == (key.label in ("city", "enterprise"))
    await connection.close()
    db.admin.drop(services.database_url, "nenghao_before_roles")


def test_a_key_is_shown_once_and_expires_after_a_year(database_url: str) -> None:
    environment = {"NENGHAO_DATABASE_URL": database_url}
    run = CliRunner()
    create = ["keys", "create", "--label", "office", "--region", "450200", "--role", "auditor"]
    made = run.invoke(cli.app, create, env=environment)
    assert re.fullmatch(r"nh_[\w-]{43}\n", made.stdout), made.output
    listed = run.invoke(cli.app, ["keys", "list"], env={**environment, "COLUMNS": "250"})
    assert f"{datetime.now(UTC) + timedelta(days=365):%Y-%m-%d}" in listed.output
    assert "auditor" in listed.output
    assert made.stdout.strip() not in listed.output
    refused = run.invoke(cli.app, [*create[:-1], "king"], env=environment)
    assert refused.exit_code == 2
