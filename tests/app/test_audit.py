"""Whoever asks or changes something stands in the audit log, or is refused [59]."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import astuple, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from starlette.types import Message, Receive, Scope, Send

import db.audit
import db.keys
import db.logins
import db.pool
from app import auth
from app.audit_gate import STRANGERS_PER_MINUTE, AuditGate
from app.audit_log import AuditLog
from app.errors import NotNoted
from app.metrics import Metrics
from app.roles import Role
from db.pool import Connection
from energy.periods import Span
from ingest import audit_chain
from ingest.validate import signatures
from tests import cast
from tests.app import audits
from tests.app.conftest import NOW, Stage

DAY = {"from": "2026-11-01T00:00:00+08:00", "to": "2026-11-02T00:00:00+08:00"}
REASON = "what a body says is not for the log"
PRODUCTION = {
    "reason": REASON,
    "items": [{"unit": cast.QIANS_UNIT, "product": "steel", "quantity": 1, "uom": "t", **DAY}],
}
MADE_UP = "nh_" + "x" * 43
PASSWORD = "hunter2"
UPLOAD = f"/v1/readings/450200/{cast.QIANS_UNIT}/gw1"
SIGNING_KEY = b"k" * 32
BATCH = b'{"batch": "b1", "readings": []}'


async def log_of(connection: Connection) -> list[dict[str, Any]]:
    rows = await connection.fetch("SELECT * FROM audit ORDER BY entry_id")
    return [dict(row) for row in rows]


async def keys_of(stage: Stage) -> dict[str, str]:
    """Return keys by who holds them: the cast, and those of this page."""
    made = {name: str(getattr(stage.cast, name)) for name in ("zhao", "qian", "sun", "li")}
    async with stage.pool.acquire() as connection:
        for name, role, region in (
            ("desk", Role.CITY, "450200"),
            ("auditor", Role.AUDITOR, "450000"),
            ("old", Role.CITY, "450200"),
            ("gone", Role.CITY, "450200"),
        ):
            made[name] = await auth.create_key(
                connection, label=name, region=region, unit=None, role=role, may_state=True,
                expires_at=NOW - timedelta(1) if name == "old" else None,
            )  # fmt: skip
        (gone,) = [key for key in await db.keys.list_keys(connection) if key.label == "gone"]
        await db.keys.revoke(connection, gone.key_id)
    return made | {"a stranger": MADE_UP}


async def enrolled(stage: Stage) -> None:
    async with stage.pool.acquire() as connection:
        await connection.execute(
            """
            WITH made AS (
                INSERT INTO gateways (unit_id, gateway)
                SELECT unit_id, 'gw1' FROM units WHERE unit = $1
                RETURNING gateway_id
            )
            INSERT INTO gateway_keys (gateway_id, signing_key) SELECT gateway_id, $2 FROM made
            """,
            cast.QIANS_UNIT,
            SIGNING_KEY,
        )


async def upload(stage: Stage, *, is_signed: bool = True) -> int:
    topic = f"nenghao{UPLOAD.removeprefix('/v1').replace('/readings', '/v1', 1)}/readings"
    signature = signatures(topic, BATCH, [SIGNING_KEY])[0] if is_signed else "00" * 32
    headers = {"Nenghao-Signature": signature}
    return (await stage.client.post(UPLOAD, content=BATCH, headers=headers)).status_code


OWN, FOREIGN = f"/v1/units/{cast.QIANS_UNIT}", f"/v1/units/{cast.SUNS_UNIT}"
STATED = "/v1/production/{unit}/{product}/{from}"
UNIT = "/v1/units/{unit}"
ACTS: Sequence[tuple[str | None, str, str, Any, tuple[Any, ...]]] = [
    ("qian", "GET", "/v1/units", {"limit": 1}, ("city", "4502", "/v1/units", "done", 200, None, 1)),
    ("li", "GET", OWN, {},
     ("enterprise", f"4502/{cast.QIANS_UNIT}", UNIT, "done", 200, None, None)),
    ("qian", "GET", FOREIGN, {}, ("city", "4502", UNIT, "refused", 404, "not_found", None)),
    (None, "GET", OWN, {}, (None, None, UNIT, "refused", 401, "unauthenticated", None)),
    ("a stranger", "GET", OWN, {}, (None, None, UNIT, "refused", 401, "invalid_key", None)),
    ("old", "GET", OWN, {}, ("city", "4502", UNIT, "refused", 401, "expired_key", None)),
    ("gone", "GET", OWN, {}, ("city", "4502", UNIT, "refused", 401, "revoked_key", None)),
    ("qian", "GET", "/v1/units", {"q": MADE_UP, "password": PASSWORD},
     ("city", "4502", "/v1/units", "refused", 422, "unknown_parameter", None)),
    ("qian", "GET", "/v1/nothing", {},
     (None, None, "unknown", "refused", 404, "unknown_path", None)),
    ("qian", "POST", "/v1/units", {},
     (None, None, "/v1/units", "refused", 405, "method_not_allowed", None)),
    ("li", "POST", "/v1/production", PRODUCTION,
     ("enterprise", f"4502/{cast.QIANS_UNIT}", "/v1/production", "refused", 403, "may_not_state",
      None)),
    ("desk", "POST", "/v1/production", PRODUCTION,
     ("city", "4502", "/v1/production", "done", 200, None, None)),
    ("desk", "DELETE", f"/v1/production/{cast.QIANS_UNIT}/steel/{DAY['from']}", {"reason": "r"},
     ("city", "4502", STATED, "done", 200, None, None)),
    ("sun", "GET", "/v1/consumption", {**DAY, "bucket": "day", "format": "csv"},
     ("city", "4503", "/v1/consumption", "done", 200, None, None)),
    ("qian", "POST", "/v1/rules/1/backtest", DAY | {"region": "450200"},
     ("city", "4502", "/v1/rules/{rule_id}/backtest", "done", 200, None, None)),
    ("desk", "GET", "/v1/audit", DAY,
     ("city", "4502", "/v1/audit", "refused", 403, "may_not_audit", None)),
    ("auditor", "GET", "/v1/audit", DAY, ("auditor", "45", "/v1/audit", "done", 200, None, 0)),
]  # fmt: skip
"""Who does what, and what must stand in the log: role, scope, route, result, status, code, rows."""


async def test_all_of_a_list_of_acts_is_in_the_log(stage: Stage) -> None:
    keys = await keys_of(stage)
    ids = []
    for who, method, path, sent, expected in ACTS:
        query, body = (None, sent) if method == "POST" else (sent, None)
        key = None if who is None else keys[who]
        answer = await stage.ask(key, path, method=method, query=query, body=body)
        assert answer.status_code == expected[4], answer.text
        ids.append(answer.headers["x-request-id"])
    async with stage.pool.acquire() as connection:
        log = await log_of(connection)
        label = {key.key_id: key.label for key in await db.keys.list_keys(connection)}
    told = ("role", "scope", "route", "result", "status", "code", "row_count")
    assert [tuple(each[name] for name in told) for each in log] == [each[4] for each in ACTS]
    assert [each["request_id"] for each in log] == ids
    for each, (who, method, *_) in zip(log, ACTS, strict=True):
        is_known = each["role"] is not None
        assert each["label"] == (who if is_known else "")
        assert not is_known or label[int(each["identity"].removeprefix("key "))] == who
        assert (each["method"], each["source"]) == (method, "127.0.0.1")
        assert abs(each["noted_at"] - datetime.now(UTC)) < timedelta(minutes=5)
    (backtest,) = [json.loads(each["parameters"]) for each in log if "back" in each["route"]]
    assert backtest == {"rule_id": "1", "region": "450200", **DAY}
    named = {cast.QIANS_UNIT: 6, cast.SUNS_UNIT: 1}
    assert {unit: sum(each["unit"] == unit for each in log) for unit in named} == named


async def test_the_log_tells_no_secret_and_nothing_of_a_body(stage: Stage) -> None:
    keys = await keys_of(stage)
    for who, method, path, sent, _ in ACTS:
        query, body = (None, sent) if method == "POST" else (sent, None)
        await stage.ask(
            keys.get(who or ""),
            path,
            method=method,
            query=query,
            body=body,
        )
    async with stage.pool.acquire() as connection:
        text = str(await log_of(connection))
    assert not [each for each in (*keys.values(), PASSWORD, REASON) if each[3:] in text]
    assert '"password":"…"' in text


async def test_an_upload_is_noted_before_it_is_taken_and_with_its_result(stage: Stage) -> None:
    await enrolled(stage)
    assert await upload(stage) == 200
    assert await upload(stage, is_signed=False) == 401
    async with stage.pool.acquire() as connection:
        log = await log_of(connection)
    gateway = f"gateway {cast.QIANS_UNIT}/gw1"
    assert [(each["identity"], each["result"], each["status"], each["code"]) for each in log] == [
        (gateway, "begun", None, None),
        (gateway, "done", 200, None),
        ("", "refused", 401, "bad_signature"),
    ]
    assert {each["unit"] for each in log} == {cast.QIANS_UNIT}


@pytest.fixture
async def mute(stage: Stage) -> Stage:
    """A stage whose audit log takes nothing."""
    await stage.pool.execute("ALTER FUNCTION note_entries(jsonb) RENAME TO no_entries")
    return stage


async def test_what_cannot_be_noted_is_not_answered(mute: Stage) -> None:
    for name, path in (("qian", "/v1/units"), ("qian", FOREIGN), ("zhou", OWN)):
        answer = await mute.get(name, path)
        assert (answer.status_code, answer.json()["code"]) == (503, "audit_unavailable"), path
        assert answer.headers["content-type"] == "application/problem+json"
        assert cast.QIANS_UNIT not in answer.text
    assert (await mute.get("zhou", "/healthz")).status_code == 200


async def test_what_cannot_be_noted_is_not_changed(mute: Stage) -> None:
    await enrolled(mute)
    keys = await keys_of(mute)
    answer = await mute.ask(keys["desk"], "/v1/production", method="POST", body=PRODUCTION)
    assert (answer.status_code, answer.json()["code"]) == (503, "audit_unavailable")
    assert await upload(mute) == 503
    for table in ("production", "changes", "arrivals", "ingest_totals"):
        assert await mute.pool.fetchval(f"SELECT count(*) FROM {table}") == 0, table


async def test_a_change_that_fails_is_noted_as_failed_and_not_as_done(stage: Stage) -> None:
    keys = await keys_of(stage)
    await stage.pool.execute("ALTER TABLE changes RENAME TO no_changes")
    answer = await stage.ask(keys["desk"], "/v1/production", method="POST", body=PRODUCTION)
    await stage.pool.execute("ALTER TABLE no_changes RENAME TO changes")
    assert answer.status_code == 500
    async with stage.pool.acquire() as connection:
        (only,) = await log_of(connection)
    assert (only["result"], only["status"], only["label"]) == ("failed", 500, "desk")


async def breaking(log: AuditLog) -> None:
    """Ask what breaks beyond all that errors are made into answers of."""

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError

    async def unused() -> Message:
        raise AssertionError

    async def unsent(message: Message) -> None:
        raise AssertionError

    scope = {"type": "http", "method": "GET", "path": "/v1/units", "query_string": b""}
    await AuditGate(broken, Metrics())({**scope, "state": {"audit": log}}, unused, unsent)


async def test_who_asks_at_once_shares_commits_and_a_bad_entry_stops_no_other(
    database_url: str,
) -> None:
    url = db.logins.derived(database_url)
    async with await db.pool.create_audit_pool(url, timeout_s=5, application="test") as pool:
        log = AuditLog(pool)
        writing = asyncio.create_task(log.run())
        await asyncio.gather(*(log.note(audits.entry(number)) for number in range(40)))
        bad = replace(audits.entry(40), status=2**40)
        entries = [bad, *(audits.entry(number) for number in range(41, 50))]
        outcomes = await asyncio.gather(*map(log.note, entries), return_exceptions=True)
        with pytest.raises(ZeroDivisionError):
            await breaking(log)
        writing.cancel()
    assert [type(each) for each in outcomes] == [NotNoted, *[type(None)] * 9]
    with psycopg.connect(database_url) as connection:
        query = (
            "SELECT count(*), count(DISTINCT xmin::text) FILTER (WHERE row_count < 40) FROM audit"
        )
        entries_stored, commits = connection.execute(query).fetchone() or (0, 0)
        last = connection.execute("SELECT result, status FROM audit ORDER BY entry_id DESC LIMIT 1")
        assert last.fetchone() == ("failed", 500)
    assert entries_stored == 50
    assert commits <= 3


async def test_pages_of_the_log_follow_each_other_and_go_by_what_is_wanted(stage: Stage) -> None:
    key = (await keys_of(stage))["auditor"]
    for _ in range(5):
        await stage.get("qian", "/v1/units")
        await stage.get("sun", OWN)
    now = datetime.now(UTC)
    span = {"from": (now - timedelta(hours=1)).isoformat(), "to": (now + timedelta(1)).isoformat()}
    pages: list[list[int]] = []
    cursor: dict[str, str] = {}
    while not pages or cursor:
        query = {**span, "unit": cast.QIANS_UNIT, "result": "refused", "limit": "2", **cursor}
        answer = (await stage.ask(key, "/v1/audit", query=query)).json()
        pages.append([item["entry_id"] for item in answer["items"]])
        cursor = {"cursor": answer["next"]} if answer["next"] else {}
    assert pages == [[10, 8], [6, 4], [2]]
    (first, *_) = (await stage.ask(key, "/v1/audit", query={**span, "identity": "key 2"})).json()[
        "items"
    ]
    assert (first["label"], first["row_count"], first["unit"]) == ("qian", 2, None)
    year = {**span, "to": (now + timedelta(days=92)).isoformat()}
    answer = await stage.ask(key, "/v1/audit", query=year)
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "to")


async def test_an_auditor_sees_what_those_within_did_and_a_province_all(stage: Stage) -> None:
    now = datetime.now(UTC)
    span = {"from": (now - timedelta(hours=1)).isoformat(), "to": (now + timedelta(1)).isoformat()}
    for name in ("zhao", "qian", "sun", "li", "zhou"):
        await stage.get(name, "/v1/units")
    seen = {}
    async with stage.pool.acquire() as connection:
        await db.audit.note(connection, [audits.entry(1, label="root", scope=None, role=None)])
        for region in ("450000", "450200", "450202"):
            key = await auth.create_key(
                connection, label="a", region=region, unit=None, expires_at=None, role=Role.AUDITOR
            )
            items = (await stage.ask(key, "/v1/audit", query=span)).json()["items"]
            seen[region] = {item["label"] for item in items} - {"a"}
    assert seen == {
        "450000": {"zhao", "qian", "sun", "li", "", "root"},
        "450200": {"qian", "li"},
        "450202": set(),
    }


async def test_what_was_noted_is_linked_and_holds(stage: Stage) -> None:
    await stage.get("qian", "/v1/units")
    await stage.client.get("/v1/units?q=%ED%A0%80%00%1B[2J")
    async with stage.pool.acquire() as connection:
        assert await audit_chain.link_some(connection) == 2
        links = await db.audit.list_links(connection, after=0, limit=10)
        told = [json.loads(link.content) for link in links]
        stored = [astuple(each.entry) for each in await _all(connection)]
    assert [each[3:] for each in told] == [[*each] for each in reversed(stored)]
    assert "\x1b" not in str(stored)


async def _all(connection: Connection) -> list[db.audit.Noted]:
    now = datetime.now(UTC)
    wanted = db.audit.Wanted(Span(now - timedelta(1), now + timedelta(1)))
    return await db.audit.list_all(connection, wanted, 10)


async def test_whom_nobody_knows_fills_no_log(stage: Stage) -> None:
    """[RELIABILITY 59] Their refusals are noted, up to so many a minute; the others are counted."""
    for number in range(STRANGERS_PER_MINUTE + 10):
        await stage.client.get(f"/v1/nothing/{number}")
    noted = await stage.pool.fetchval("SELECT count(*) FROM audit WHERE identity = ''")
    metrics = (await stage.client.get("/metrics")).text
    assert STRANGERS_PER_MINUTE <= noted < STRANGERS_PER_MINUTE + 10
    assert f"nenghao_audit_unnoted_total {STRANGERS_PER_MINUTE + 10 - noted:.1f}" in metrics
