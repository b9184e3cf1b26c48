"""Who asks must be known, and only the hash of a key is."""

from __future__ import annotations

from datetime import timedelta

import pytest

import db.keys
from app import auth
from app.resolve import Refusal
from db.pool import Connection
from tests import cast, factories
from tests.app.conftest import NOW, Stage


async def ask(stage: Stage, authorization: str) -> tuple[int, str, str]:
    answer = await stage.client.get(
        "/v1/regions", headers={b"Authorization": authorization.encode()}
    )
    return answer.status_code, answer.json()["code"], answer.headers["www-authenticate"]


async def test_without_a_key_the_answer_says_how_to_send_one(shown_stage: Stage) -> None:
    answer = await shown_stage.get("zhou", "/v1/regions")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="nenghao"'
    assert "Authorization: Bearer nh_" in answer.json()["detail"]


@pytest.mark.parametrize("key", ["nh_wrong", "", "ключ", "a b"])
async def test_an_unknown_key_is_refused(shown_stage: Stage, key: str) -> None:
    status, code, challenge = await ask(shown_stage, f"Bearer {key}")
    assert status == 401
    assert code in ("invalid_key", "unauthenticated")
    assert challenge.startswith("Bearer ")


async def test_a_revoked_key_is_refused(stage: Stage) -> None:
    async with stage.pool.acquire() as connection:
        (key,) = [row for row in await db.keys.list_keys(connection) if row.label == "qian"]
        assert await db.keys.revoke(connection, key.key_id)
    assert await stage.code("qian", "/v1/regions") == (401, "revoked_key")


async def test_a_key_ends_at_the_instant_it_expires(stage: Stage) -> None:
    async with stage.pool.acquire() as connection:
        for label, expires_at in (("over", NOW), ("valid", NOW + timedelta(seconds=1))):
            key = await auth.create_key(
                connection, label=label, region="450000", unit=None, expires_at=expires_at
            )
            answer = await stage.client.get(
                "/v1/regions", headers={"Authorization": f"Bearer {key}"}
            )
            assert answer.status_code == (401 if label == "over" else 200)


async def test_the_database_never_holds_a_key(connection: Connection) -> None:
    key = await auth.create_key(connection, label="a", region="450000", unit=None, expires_at=None)
    stored = await connection.fetchval("SELECT row_to_json(api_keys)::text FROM api_keys")
    assert key.startswith("nh_")
    assert len(key) == 46
    assert key not in stored
    assert key[3:] not in stored


@pytest.mark.parametrize(
    ("region", "unit"),
    [("999999", None), ("450300", cast.QIANS_UNIT), ("450200", factories.unit_code(9))],
)
async def test_a_key_that_would_see_nothing_is_not_made(
    connection: Connection, region: str, unit: str | None
) -> None:
    await cast.enter(connection)
    with pytest.raises(Refusal):
        await auth.create_key(connection, label="a", region=region, unit=unit, expires_at=None)


async def test_a_retired_region_code_leads_to_the_one_in_force(connection: Connection) -> None:
    await auth.create_key(connection, label="a", region="450221", unit=None, expires_at=None)
    (key,) = await db.keys.list_keys(connection)
    assert key.region == "450206"


async def test_revoking_a_key_that_is_not_there_says_so(connection: Connection) -> None:
    assert not await db.keys.revoke(connection, 12345)
