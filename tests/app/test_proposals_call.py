"""[42] Two people decide at the command line and over HTTP, on what is theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from app import auth, cli
from app.resolve import Refusal
from app.roles import MAY, Act
from settings import Settings
from tests import cast
from tests.app import test_access
from tests.app.conftest import Stage, staged
from tests.app.test_importing import TARGET
from tests.app.test_proposals import TARGET_KEY, file

# -- the command line ------------------------------------------------------------------------------


def test_two_people_at_the_command_line(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "targets.csv"
    path.write_bytes(file(TARGET))
    environment = {
        "NENGHAO_DATABASE_URL": database_url,
        "NENGHAO_SECOND_APPROVER": "required",
        "COLUMNS": "250",
    }

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(cli.app, list(arguments), env=environment)
        if isinstance(done.exception, Refusal):
            return str(done.exception)
        assert done.exit_code == 0, done.output
        return done.output

    stating = ("import", "targets", str(path), "--apply", "--actor", "zhao")
    assert "proposed as 1, nothing holds yet" in run(*stating)
    assert "targets.csv" in run("proposals", "list")
    assert "-0.02747" in run("proposals", "show", "1")
    assert "by the same person" in run("proposals", "approve", "1", "--as", "zhao")
    assert "proposed as 1, nothing holds yet" in run(*stating[:-1], "qian")
    assert "add --apply to propose this" in run(*stating[:3])
    assert "approved" in run("proposals", "approve", "1", "--as", "qian")
    assert "all of it holds already" in run(*stating)
    assert "to propose this" in run("withdraw", "targets", TARGET_KEY, "--reason", "r")
    assert "proposed as 2" in run("withdraw", "targets", TARGET_KEY, "--reason", "r", "--apply",
                                  "--actor", "qian")  # fmt: skip
    assert "approved by qian" in run("withdraw", "targets", TARGET_KEY, "--reason", "r")
    assert "rejected" in run("proposals", "reject", "2", "--as", "zhao", "--reason", "it holds")
    assert "rejected" not in run("proposals", "list")
    assert "rejected" in run("proposals", "list", "--all")


# -- over HTTP -------------------------------------------------------------------------------------


@pytest.fixture
async def strict(database_url: str) -> Any:
    """A stage where a second person is asked for; each unit has a reading."""
    async with staged(database_url, settings=Settings(second_approver="required")) as made:
        await made.pool.execute(
            """
            INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at)
            SELECT meter_id, '2026-11-01Z', 1, 'good', now() FROM meters
            """
        )
        yield made


async def decide(
    stage: Stage, key: str | None, number: int, decision: str = "approve", **body: str
) -> httpx.Response:
    path = f"/v1/proposals/{number}/{decision}"
    return await stage.ask(key, path, method="POST", body=body)


async def corrected(stage: Stage, key: str) -> httpx.Response:
    return await test_access.state(stage, key, "POST", "/v1/corrections")


async def test_a_correction_over_http_waits_for_the_desk_above(strict: Stage) -> None:
    keys = await test_access.hand_out(strict)
    asked = await corrected(strict, keys["the enterprise"])
    assert asked.status_code == 202, asked.text
    proposal = asked.json()["proposal"]
    assert (proposal["state"], proposal["unit"]) == ("open", cast.QIANS_UNIT)
    assert await strict.pool.fetchval("SELECT count(*) FROM corrections") == 0
    seen = await strict.ask(keys["the city"], f"/v1/proposals/{proposal['proposal_id']}")
    (change,) = seen.json()["changes"]
    assert change["differences"] == [{"column": "value", "before": "1.0", "after": "2.0"}]
    done = await decide(strict, keys["the city"], proposal["proposal_id"])
    assert (done.status_code, done.json()["state"]) == (200, "approved")
    assert await strict.pool.fetchval("SELECT value FROM corrections") == 2
    query = {"unit": cast.QIANS_UNIT, "meter": "E01", "from": "2026-11-01T00:00:00Z",
             "to": "2026-11-02T00:00:00Z"}  # fmt: skip
    (item,) = (await strict.ask(keys["the city"], "/v1/readings", query=query)).json()["items"]
    correction = item["correction"]
    assert (correction["actor"], correction["approver"]) == ("the enterprise", "the city")


async def test_a_statement_of_output_is_taken_back_by_two(strict: Stage) -> None:
    keys = await test_access.hand_out(strict)
    await test_access.state(strict, keys["the city"], "POST", "/v1/production")
    path = "/v1/production/{unit}/{product}/{from}"
    asked = await test_access.state(strict, keys["the enterprise"], "DELETE", path)
    assert asked.status_code == 202, asked.text
    assert await strict.pool.fetchval("SELECT count(*) FROM production") == 1
    await decide(strict, keys["the county"], asked.json()["proposal"]["proposal_id"])
    assert await strict.pool.fetchval("SELECT count(*) FROM production") == 0


async def test_a_rule_is_changed_and_ended_by_two(strict: Stage) -> None:
    """A silence of it waits for a second person, and so does all else that lets it fall silent."""
    keys = await test_access.hand_out(strict)
    rule = {"kind": "region_level", "region": "450200", "name": "n", "reason": "r"}
    wider = rule | {"parameters": {"letters_from_level": 3}}
    assert (await regulate(strict, keys, "POST", "/v1/rules", wider)).status_code == 200
    fewer = {name: said for name, said in rule.items() if name != "region"}
    changed, again, ended = [
        await regulate(strict, keys, method, "/v1/rules/3", body)
        for method, body in (("PUT", fewer), ("PUT", fewer), ("DELETE", None))
    ]
    numbers = [each.json()["proposal"]["proposal_id"] for each in (changed, again, ended)]
    assert ({changed.status_code, ended.status_code}, numbers) == ({202}, [1, 1, 2])
    own = await decide(strict, keys["the city"], 1)
    assert (own.status_code, own.json()["code"]) == (409, "own_proposal")
    assert await versions(strict) == [(1, 3)]
    seen = (await strict.ask(keys["the province"], "/v1/proposals/1")).json()
    told = {each["column"] for each in seen["changes"][0]["differences"]}
    assert (seen["region"], seen["deed"], told) == (
        "450200", "change", {"version", "parameters", "holds_from"}
    )  # fmt: skip
    assert (await decide(strict, keys["the province"], 1)).status_code == 200
    assert await versions(strict) == [(1, 3), (2, 1)]
    late = await decide(strict, keys["the province"], 2)
    assert (late.status_code, late.json()["code"]) == (409, "proposal_outdated")
    await regulate(strict, keys, "DELETE", "/v1/rules/3", None, seen=2)
    assert (await decide(strict, keys["the province"], 3)).status_code == 200
    assert await versions(strict) == [(1, 3), (2, 1), (3, None)]
    rows = await strict.pool.fetch(
        "SELECT actor, approver FROM changes WHERE noun = 'rules' ORDER BY change_id"
    )
    assert [tuple(row) for row in rows] == [
        ("the city", None), *[("the city", "the province")] * 2
    ]  # fmt: skip


async def regulate(
    stage: Stage, keys: dict[str, str], method: str, path: str, body: Any, seen: int = 1
) -> httpx.Response:
    """Return the answer to the city's desk."""
    query = {"reason": "r"} if method == "DELETE" else None
    headers = {} if method == "POST" else {"If-Match": f'"{seen}"'}
    return await stage.ask(
        keys["the city"], path, method=method, query=query, body=body, headers=headers
    )


async def versions(stage: Stage) -> list[tuple[int, int | None]]:
    """Return what the versions of the city's rule say, each with the level that it writes from."""
    rows = await stage.pool.fetch(
        """
        SELECT version, (parameters->>'letters_from_level')::integer
          FROM rule_versions
         WHERE rule_id = 3
         ORDER BY version
        """
    )
    return [(row[0], row[1]) for row in rows]


async def test_everybody_decides_on_what_is_theirs_and_of_others_alone(strict: Stage) -> None:
    keys = await test_access.hand_out(strict)
    places = test_access.HOLDERS | test_access.FOREIGNERS
    asked = await corrected(strict, keys["the enterprise"])
    number = asked.json()["proposal"]["proposal_id"]
    for name, key in keys.items():
        answer = await decide(strict, key, number, "reject")
        missing = await decide(strict, key, number + 8, "reject", reason="r")
        if Act.APPROVE not in MAY[places[name].role]:
            assert (answer.status_code, missing.status_code) in [(403, 403), (422, 403)], name
        elif name in test_access.HOLDERS:
            assert (answer.status_code, missing.status_code) == (422, 404), name
        else:
            foreign = await decide(strict, key, number, "reject", reason="r")
            assert test_access.told(foreign) == test_access.told(missing), name
            assert foreign.status_code == 404


async def test_the_errors_of_a_decision_have_names(strict: Stage) -> None:
    async with strict.pool.acquire() as connection:
        second = await auth.create_key(
            connection, label="qian", region="450200", unit=None, expires_at=None, may_state=True
        )
    keys = await test_access.hand_out(strict)
    number = (await corrected(strict, keys["the city"])).json()["proposal"]["proposal_id"]
    own = await decide(strict, keys["the city"], number)
    assert (own.status_code, own.json()["code"]) == (409, "own_proposal")
    looks = await decide(strict, strict.cast.qian, number)
    assert (looks.status_code, looks.json()["code"]) == (403, "may_not_approve")
    assert (await decide(strict, second, number)).status_code == 200
    again = await decide(strict, second, number)
    assert (again.status_code, again.json()["code"]) == (409, "proposal_decided")
    waiting = await strict.ask(second, "/v1/proposals", query={"waiting": "true"})
    assert waiting.json() == {"items": [], "next": None}
