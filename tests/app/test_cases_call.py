"""What people do about an alert over HTTP: whose it is, contests and their end, closing, tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from app import verification
from app.roles import MAY, Act, Role
from tests import cast, factories
from tests.app import test_access
from tests.app.conftest import Stage

pytestmark = pytest.mark.puts_in("rules", "contacts", "alert_cases")

ALERT = """
INSERT INTO alerts (rule_id, region, unit_id, subject, level, state, period_starts_at,
                    period_ends_at, measured, threshold, uom, coverage, estimated_share, reason,
                    pending_at, fired_at, updated_at)
VALUES ($1, '450202', (SELECT unit_id FROM units WHERE unit = $2), 'x', 1, $3,
        '2026-11-01 00:00+08', '2026-11-02 00:00+08', 655.2, 635, 'kgce/t', 0.99, 0,
        'over the limit', '2026-11-02 00:00+08', '2026-11-02 00:00+08', '2026-11-02 00:00+08')
RETURNING alert_id
"""
DUE = """
INSERT INTO alert_cases (alert_id, dated_level, dated_at, clock_from, acknowledge_workdays,
                         remedy_workdays, acknowledge_by, remedy_by)
VALUES ($1, 1, '2026-11-02 00:00+08', '2026-11-02 00:00+08', 2, 20, $2, $3)
"""
"""NOW is the afternoon of 23 November, a Monday."""


@dataclass(frozen=True, slots=True)
class Desk:
    """An alert of Qian's unit that fires, and the keys of all."""

    stage: Stage
    keys: dict[str, str]
    alert_id: int

    async def do(self, name: str, path: str, **body: str) -> httpx.Response:
        at = f"/v1/alerts/{self.alert_id}/{path}"
        return await self.stage.ask(self.keys[name], at, method="POST", body=body)

    async def done(self, name: str, path: str, **body: str) -> dict[str, Any]:
        answer = await self.do(name, path, **body)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def refused(self, name: str, path: str, **body: str) -> tuple[int, str]:
        answer = await self.do(name, path, **body)
        return answer.status_code, answer.json()["code"]

    async def seen(self, **query: str) -> list[int]:
        items = await self.stage.items("qian", "/v1/alerts", **query)
        return [item["alert_id"] for item in items]


@pytest.fixture
async def desk(stage: Stage) -> Desk:
    async with stage.pool.acquire() as connection:
        rule_id = await factories.rule(connection, name="r")
        alert_id = await connection.fetchval(ALERT, rule_id, cast.QIANS_UNIT, "firing")
        await connection.execute(
            "INSERT INTO contacts (region, name, email, language, minimum_level) "
            "VALUES ('450200', '节能监察', 'Liuzhou@desk.example', 'zh', 1)"
        )
    return Desk(stage, await test_access.hand_out(stage), alert_id)


async def due(desk: Desk, acknowledge_by: str, remedy_by: str) -> None:
    dates = [f"2026-{each} 00:00+08" for each in (acknowledge_by, remedy_by)]
    await desk.stage.pool.execute(
        DUE.replace("$2", f"'{dates[0]}'").replace("$3", f"'{dates[1]}'"), desk.alert_id
    )


CONTEST = {"text": "喂煤秤故障", "evidence": "检定证书 2026-118"}


async def test_an_alert_is_given_to_a_contact_and_on_to_who_has_a_key(desk: Desk) -> None:
    first = await desk.done("the city", "assign", to="liuzhou@desk.example", reason="r")
    assert first["assigned_to"] == "节能监察（柳州市）"
    again = await desk.done("the city", "assign", to="liuzhou@desk.example", reason="again")
    assert again == first
    assert await desk.seen(assigned_to="liuzhou@desk.example") == [desk.alert_id]
    on = await desk.done("the city", "assign", to="the county", reason="on the spot")
    assert [(each["kind"], each["actor"], each["assignee"]) for each in on["events"]] == [
        ("assigned", "the city", "节能监察（柳州市）"),
        ("assigned", "the city", "the county"),
    ]
    assert await desk.seen(assigned_to="the county") == [desk.alert_id]
    assert await desk.seen(assigned_to="nobody") == []


async def test_nobody_gets_an_alert_who_is_not_known_below_who_gives_it(desk: Desk) -> None:
    for name, to in (
        ("the city", "nobody@desk.example"),
        ("the city", "nobody"),
        ("the city", "another city"),
        ("the city", "the province"),
        ("the county", "liuzhou@desk.example"),
        ("the city", "another enterprise of the city"),
    ):
        answer = await desk.do(name, "assign", to=to, reason="r")
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "to"), to


async def test_a_contest_is_shown_and_changes_no_figure(desk: Desk) -> None:
    before = (await desk.stage.get("li", f"/v1/alerts/{desk.alert_id}")).json()
    told = await desk.done("the enterprise", "contest", **CONTEST)
    assert (told["state"], told["contest"]) == ("firing", "open")
    assert {name for name in before if before[name] != told[name]} == {"contest", "events"}
    (event,) = told["events"]
    assert (event["kind"], event["evidence"]) == ("contested", CONTEST["evidence"])
    assert await desk.seen(contested="true") == [desk.alert_id]
    assert await desk.refused("the enterprise", "contest", **CONTEST) == (409, "contested_already")
    assert await desk.refused("the city", "close", reason="r") == (409, "contest_open")
    ledger = await desk.stage.pool.fetchrow("SELECT actor, evidence FROM changes")
    assert ledger is not None
    assert tuple(ledger) == ("the enterprise", CONTEST["evidence"])


async def test_a_contest_needs_evidence_and_something_that_fires(desk: Desk) -> None:
    answer = await desk.do("the enterprise", "contest", text="t", evidence=" ")
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "evidence")
    await desk.stage.pool.execute("UPDATE alerts SET state = 'resolved'")
    assert await desk.refused("the enterprise", "contest", **CONTEST) == (409, "not_firing")


async def test_an_upheld_contest_settles_the_alert_and_it_can_be_closed(desk: Desk) -> None:
    await due(desk, "11-20", "12-01")
    await desk.stage.pool.execute(
        "INSERT INTO outbox (alert_id, message_id, thread_id, recipient_name, recipient_email, "
        "subject, body, due_at, created_at, reminds) "
        "VALUES ($1, 'm', 't', 'n', 'e', 's', 'b', now(), now(), true)",
        desk.alert_id,
    )
    assert await desk.refused("the city", "close", reason="r") == (409, "alert_open")
    await desk.done("the enterprise", "contest", **CONTEST)
    told = await desk.done("the city", "contest/decide", decision="upheld", reason="so it is")
    assert (told["state"], told["contest"], told["acknowledged_by"]) == (
        "firing", "upheld", "the city",
    )  # fmt: skip
    assert (told["due_on"], told["overdue"]) == (None, False)
    assert await desk.stage.pool.fetchval("SELECT state FROM outbox") == "dropped"
    again = await desk.done("the city", "contest/decide", decision="upheld", reason="again")
    assert again == told
    other = await desk.refused("the city", "contest/decide", decision="rejected", reason="r")
    assert other == (409, "no_contest")
    closed = await desk.done("the city", "close", reason="done")
    assert closed["closed_at"] == "2026-11-23T16:00:00+08:00"
    assert await desk.done("the county", "close", reason="again") == closed
    assert await desk.refused("the city", "assign", to="the county", reason="r") == (
        409, "file_closed",
    )  # fmt: skip


async def test_a_rejected_contest_lets_the_days_that_were_left_go_on(desk: Desk) -> None:
    await due(desk, "11-24", "12-01")
    await desk.done("the enterprise", "contest", **CONTEST)
    await desk.stage.pool.execute("UPDATE alert_cases SET stopped_at = '2026-11-19 09:00+08'")
    waiting = (await desk.stage.get("qian", f"/v1/alerts/{desk.alert_id}")).json()
    assert (waiting["due_on"], waiting["overdue"]) == ("2026-11-23", False)
    told = await desk.done("the city", "contest/decide", decision="rejected", reason="r")
    assert (told["contest"], told["due_on"]) == ("rejected", "2026-11-25")


async def test_an_alert_is_contested_three_times_and_no_more(desk: Desk) -> None:
    for _ in range(3):
        await desk.done("the enterprise", "contest", **CONTEST)
        await desk.done("the city", "contest/decide", decision="rejected", reason="r")
    assert await desk.refused("the enterprise", "contest", **CONTEST) == (409, "too_many_contests")


async def test_what_is_owed_and_overdue_is_shown_and_can_be_asked_for(desk: Desk) -> None:
    await due(desk, "11-23", "12-19")
    (late,) = await desk.stage.items("qian", "/v1/alerts", overdue="true")
    assert (late["due_on"], late["due_for"], late["overdue"]) == ("2026-11-22", "acknowledge", True)
    told = await desk.done("the city", "acknowledge", note="")
    assert (told["due_on"], told["due_for"], told["overdue"]) == ("2026-12-18", "remedy", False)
    assert await desk.seen(overdue="true") == []
    await desk.stage.pool.execute(
        "UPDATE alert_cases SET remedy_by = NULL, undated = 'calendar_unknown'"
    )
    (unknown,) = await desk.stage.items("qian", "/v1/alerts", overdue="false")
    assert (unknown["due_on"], unknown["due_reason"]) == (None, "calendar_unknown")
    await desk.stage.pool.execute("UPDATE alerts SET state = 'resolved'")
    (over,) = await desk.stage.items("qian", "/v1/alerts")
    assert (over["due_on"], over["due_reason"], over["overdue"]) == (None, None, False)


TASK = """
INSERT INTO tasks (alert_id, kind, opened_at, cities, untold, due_at)
VALUES ($1, 'level_1_cities', '2026-11-01Z', '{450200}', '{450300}', '2026-11-21 00:00+08')
"""


async def test_a_task_is_listed_until_it_is_done_and_its_alert_stays_open(desk: Desk) -> None:
    await desk.stage.pool.execute(TASK, desk.alert_id)
    await desk.stage.pool.execute("UPDATE alerts SET state = 'resolved'")
    assert await desk.refused("the city", "close", reason="r") == (409, "task_open")
    (task,) = await desk.stage.items("qian", "/v1/tasks", done="false", overdue="true")
    assert (task["due_on"], task["cities"], task["untold"]) == (
        "2026-11-20",
        [{"region": "450200", "region_name": "柳州市"}],
        [{"region": "450300", "region_name": "桂林市"}],
    )
    assert "2026年11月20日前（20个工作日内）" in task["text_zh"]
    path = f"/v1/tasks/{task['task_id']}/done"
    for text in ("已报送", "again"):
        answer = await desk.stage.ask(
            desk.keys["the city"], path, method="POST", body={"text": text, "evidence": "58号"}
        )
        assert (answer.status_code, answer.json()["done_text"]) == (200, "已报送")
    assert await desk.stage.items("qian", "/v1/tasks", done="false") == []
    closed = await desk.done("the city", "close", reason="r")
    assert [each["kind"] for each in closed["events"]] == ["task_done", "closed"]
    assert await desk.stage.items("qian", "/v1/tasks", region="450300") == []


async def test_a_task_that_is_withdrawn_is_shown_as_such_and_is_not_to_be_done(desk: Desk) -> None:
    await desk.stage.pool.execute(TASK, desk.alert_id)
    await desk.stage.pool.execute("UPDATE tasks SET withdrawn_at = '2026-11-22 00:00+08'")
    await desk.stage.pool.execute("UPDATE alerts SET state = 'resolved'")
    (task,) = await desk.stage.items("qian", "/v1/tasks")
    assert (task["withdrawn_at"], task["overdue"]) == ("2026-11-22T00:00:00+08:00", False)
    for query in ({"done": "false"}, {"done": "true"}, {"overdue": "true"}):
        assert await desk.stage.items("qian", "/v1/tasks", **query) == []
    answer = await desk.stage.ask(
        desk.keys["the city"], f"/v1/tasks/{task['task_id']}/done", method="POST",
        body={"text": "t", "evidence": "e"},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (409, "task_withdrawn")
    await desk.done("the city", "close", reason="r")


def test_only_an_enterprise_contests() -> None:
    contesting = {role for role in Role if Act.CONTEST in MAY[role]}
    assert contesting == {Role.ENTERPRISE}


@pytest.mark.tampers("what somebody said of an alert")
async def test_verify_finds_evidence_that_was_exchanged_and_a_task_nobody_said_is_done(
    desk: Desk,
) -> None:
    await desk.done("the enterprise", "contest", **CONTEST)
    await desk.stage.pool.execute("UPDATE alert_events SET evidence = 'other'")
    await desk.stage.pool.execute(TASK, desk.alert_id)
    await desk.stage.pool.execute(
        "UPDATE tasks SET done_at = now(), done_by = 'a', done_text = 't', evidence = 'e'"
    )
    async with desk.stage.pool.acquire() as connection:
        report = await verification.verify(connection, [], lambda check, done, total: None)
    assert [each.chain for each in report.findings] == ["alert_events", "tasks"]
