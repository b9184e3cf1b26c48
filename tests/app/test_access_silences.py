"""Everybody tries what is done to silences on those of others: what is foreign does not exist."""

from __future__ import annotations

import json

import httpx
import pytest

from app.roles import MAY, Act
from tests import cast
from tests.app.conftest import NOW, Stage
from tests.app.test_access import FOREIGNERS, HOLDERS, SILENCING, hand_out, told, without


async def silence(
    stage: Stage,
    key: str,
    method: str,
    path: str,
    silence_id: int = 1,
    *,
    of_nobody: bool = False,
) -> httpx.Response:
    """Return the answer to whoever does something to a silence of Qian's."""
    body = SILENCING[method, path]
    if of_nobody and body is not None:
        body = json.loads(without(json.dumps(body)))
    return await stage.ask(
        key,
        path.format(silence_id=999 if of_nobody else silence_id),
        method=method,
        query={"reason": "r"} if method == "DELETE" else None,
        body=body,
    )


@pytest.mark.puts_in("rules", "silences", "silence_events")
@pytest.mark.parametrize(("method", "path"), sorted(SILENCING))
async def test_silences_are_for_who_answers_for_all_they_act_on(
    stage: Stage, method: str, path: str
) -> None:
    act = Act.APPROVE if path.endswith("approve") else Act.REGULATE
    for name, key in (await hand_out(stage)).items():
        place = (HOLDERS | FOREIGNERS)[name]
        silence_id = await stage.pool.fetchval(
            """
            INSERT INTO silences (region, unit_id, starts_at, ends_at, is_grave, waits, stated_at,
                                  actor, reason)
            SELECT '450202', unit_id, $2, $2::timestamptz + interval '1 day', true, true, $2, 'a',
                   'r'
              FROM units
             WHERE unit = $1
            RETURNING silence_id
            """,
            cast.QIANS_UNIT,
            NOW,
        )
        answer = await silence(stage, key, method, path, silence_id)
        theirs = 200 if name in HOLDERS else 404
        expected = theirs if act in MAY[place.role] else 403
        assert answer.status_code == expected, (name, answer.text)
        if name in FOREIGNERS:
            missing = await silence(stage, key, method, path, of_nobody=True)
            assert told(answer) == told(missing), name


@pytest.mark.parametrize(("method", "path"), sorted(SILENCING))
async def test_a_key_that_only_looks_keeps_no_letters_back(
    possessed_stage: Stage, method: str, path: str
) -> None:
    act = Act.APPROVE if path.endswith("approve") else Act.REGULATE
    for key in (possessed_stage.cast.zhao, possessed_stage.cast.li):
        answer = await silence(possessed_stage, key, method, path)
        assert (answer.status_code, answer.json()["code"]) == (403, f"may_not_{act}")
