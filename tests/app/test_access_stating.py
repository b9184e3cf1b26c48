"""Facts and rules are stated by who may, of what is theirs; nobody else is told what there is."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import pytest

from app.roles import MAY, Act
from tests import cast, factories
from tests.app.conftest import Stage
from tests.app.test_access import (
    ASKING,
    FOREIGNERS,
    HOLDERS,
    OTHER_ACTS,
    QIANS_ALONE,
    RULING,
    STATING,
    filled_in,
    hand_out,
    state,
    told,
)


@pytest.fixture(scope="session")
async def keys(possessed_stage: Stage) -> dict[str, str]:
    return await hand_out(possessed_stage)


BEFORE = {
    "/v1/alerts/{alert_id}/contest": "DELETE FROM alert_cases",
    "/v1/alerts/{alert_id}/contest/decide": """
        INSERT INTO alert_cases (alert_id, contest) VALUES (1, 'open')
            ON CONFLICT (alert_id) DO UPDATE SET contest = 'open'
        """,
    "/v1/alerts/{alert_id}/close": """
        INSERT INTO alert_cases (alert_id, contest) VALUES (1, 'upheld')
            ON CONFLICT (alert_id) DO UPDATE SET closed_at = NULL
        """,
    "/v1/tasks/{task_id}/done": """
        INSERT INTO tasks (alert_id, kind, opened_at, cities, untold, due_at)
        VALUES (1, 'level_1_cities', '2026-11-01Z', '{}', '{}', '2026-12-01Z')
            ON CONFLICT DO NOTHING
        """,
}
"""What must be there, so that it can be done of the alert."""


@pytest.mark.puts_in("alert_cases")
@pytest.mark.parametrize(("method", "path"), sorted(STATING))
async def test_facts_are_stated_by_who_may_of_what_is_theirs(
    stage: Stage, method: str, path: str
) -> None:
    await stage.pool.execute(
        """
        INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at)
        SELECT meter_id, '2026-11-01Z', 1, 'good', now() FROM meters
        """
    )
    await stage.pool.execute(
        """
        INSERT INTO alerts (rule_id, region, unit_id, subject, level, state, period_starts_at,
                            period_ends_at, measured, threshold, uom, coverage, estimated_share,
                            reason, pending_at, updated_at)
        SELECT 1, region, unit_id, 'x', 1, 'firing', '2026-11-01Z', '2026-11-02Z', 2, 1, 'kgce/t',
               1, 0, 'over', now(), now()
          FROM units
         WHERE unit = $1
        """,
        cast.QIANS_UNIT,
    )
    keys = await hand_out(stage)
    for name, key in keys.items():
        place = (HOLDERS | FOREIGNERS)[name]
        if method == "DELETE":
            await state(stage, keys["the city"], "POST", "/v1/production")
        await stage.pool.execute(BEFORE.get(path, "SELECT"))
        answer = await state(stage, key, method, path)
        missing = await state(stage, key, method, path, of_nobody=True)
        theirs = 200 if name in HOLDERS else 404
        act = OTHER_ACTS.get(path, Act.STATE)
        expected = theirs if act in MAY[place.role] else 403
        assert answer.status_code == expected, (name, answer.text)
        assert missing.status_code in (403, 404), name
        assert name in HOLDERS or told(answer) == told(missing), name


@pytest.mark.parametrize(("method", "path"), sorted(STATING))
async def test_a_key_that_only_looks_states_nothing(
    possessed_stage: Stage, method: str, path: str
) -> None:
    for key in (possessed_stage.cast.zhao, possessed_stage.cast.li):
        answer = await state(possessed_stage, key, method, path)
        code = f"may_not_{OTHER_ACTS.get(path, Act.STATE)}"
        assert (answer.status_code, answer.json()["code"]) == (403, code)


async def rule(
    stage: Stage, key: str, method: str, path: str, rule_id: int, version: int | None = 1
) -> httpx.Response:
    """Return the answer to whoever makes a rule of Qian's county, changes or ends one."""
    body = {"kind": "product_intensity", "name": key[:20], "reason": "r"}
    if method == "POST":
        body["region"] = "450202"
    return await stage.ask(
        key,
        path.format(rule_id=rule_id),
        method=method,
        query={"reason": "r"} if method == "DELETE" else None,
        body=None if method == "DELETE" else body,
        headers={} if version is None else {"If-Match": f'"{version}"'},
    )


@pytest.mark.puts_in("rules")
@pytest.mark.parametrize(("method", "path"), sorted(RULING))
async def test_rules_are_written_by_who_answers_for_all_they_act_on(
    stage: Stage, method: str, path: str
) -> None:
    for name, key in (await hand_out(stage)).items():
        place = (HOLDERS | FOREIGNERS)[name]
        async with stage.pool.acquire() as connection:
            rule_id = await factories.rule(connection, name=name, region="450202")
        answer = await rule(stage, key, method, path, rule_id)
        theirs = 200 if name in HOLDERS else 404
        expected = theirs if Act.REGULATE in MAY[place.role] else 403
        assert answer.status_code == expected, (name, answer.text)
        if name in FOREIGNERS and method != "POST":
            missing = await rule(stage, key, method, path, 999)
            assert told(answer) == told(missing), name


@pytest.mark.parametrize(("method", "path"), sorted(RULING))
async def test_a_key_that_only_looks_writes_no_rule(
    possessed_stage: Stage, method: str, path: str
) -> None:
    for key in (possessed_stage.cast.zhao, possessed_stage.cast.li):
        answer = await rule(possessed_stage, key, method, path, 3)
        assert (answer.status_code, answer.json()["code"]) == (403, "may_not_regulate")


@pytest.mark.parametrize(("method", "path"), sorted(ASKING))
async def test_what_is_asked_in_a_body_is_answered_as_far_as_one_sees(
    possessed_stage: Stage, keys: Mapping[str, str], method: str, path: str
) -> None:
    for name, key in keys.items():
        for of_nobody in {False, "{" in path}:
            answer = await possessed_stage.ask(
                key,
                filled_in(path, of_nobody=of_nobody),
                method=method,
                body=ASKING[method, path],
            )
            expected = {200} if name in HOLDERS and not of_nobody else {404}
            if "{" not in path:  # it names nobody: a foreigner is answered about what they see
                expected |= {200}
            assert answer.status_code in expected, (name, answer.text)
            assert name in HOLDERS or not {each for each in QIANS_ALONE if each in answer.text}
    nobody = await possessed_stage.ask(
        None, filled_in(path), method=method, body=ASKING[method, path]
    )
    assert nobody.status_code == 401
