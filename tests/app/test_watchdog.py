"""[58] The dead-man switch: each death is told once, within five minutes, past what is dead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
import structlog
from pydantic import SecretStr
from typer.testing import CliRunner

import db.evaluators
import db.heartbeats
import db.outbox
import db.watch
from alerts.webhook_messages import Channel, Webhook
from app import cli
from app.resolve import Refusal
from app.watchdog import command, parts, probes, rounds
from app.watchdog.parts import Look, Memory, Part
from app.watchdog.probes import Ways
from app.watchdog.rounds import Code
from app.watchdog.telling import Routes
from app.watchdog.watch import Watch
from db.outbox import NewLetter
from db.pool import Connection, Pool
from deploy import services as local_services
from deploy.services import Services
from ingest.readiness import Readiness
from settings import Settings
from tests.alerts.conftest import Post, plain
from tests.alerts.conftest import post as post
from tests.alerts.test_webhooks import SECRET, Receiver
from tests.alerts.test_webhooks import receiver as receiver

NOW = datetime(2026, 11, 23, 8, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NOWHERE = "127.0.0.1:9"
DEAD_DATABASE = f"postgresql://u:p@{NOWHERE}/a"


@pytest.fixture(autouse=True)
def logs_as_they_were() -> Iterator[None]:
    """The command configures logs to the stream of its test, which is closed afterwards."""
    yield
    structlog.reset_defaults()


def test_that_nobody_collects_is_not_told_as_that_nobody_was_heard() -> None:
    """A collector that was told to stop was heard a minute ago, and is not to collect."""
    signs = db.watch.Signs(NOW, NOW, NOW, NOW, None, None)
    told = {
        state: parts.of_signs(signs, unready)[-1].trouble or ""
        for state, unready in {"none": None, "all": [], "one": [("a", "silent")]}.items()
    }
    assert "told to stop, was silent for over a day" in told["none"]
    assert (told["all"], told["one"]) == ("", "not collecting: a (silent)")


@pytest.fixture
def routes(post: Post) -> Routes:
    return Routes(post.url, "dog@nenghao.example", ["duty@desk.example"], None, "广西")


async def live(pool: Pool, at: datetime, *, without: str = "") -> None:
    """Let each program give its sign of life, one excepted."""
    async with pool.acquire() as connection:
        beats = {"send": "sending", "settle": "settling", "collect": Readiness.READY}
        for program, detail in beats.items():
            if program != without:
                await db.heartbeats.beat(connection, program, "one", at, detail)
        if without != "evaluate":
            epoch = await db.evaluators.begin_term(connection)
            await db.evaluators.end_term(connection, epoch)
            await connection.execute("UPDATE evaluators SET ended_at = $1", at)


def subjects(post: Post) -> list[str]:
    return [str(each["Subject"]) for each in post.received()]


@pytest.mark.parametrize(
    ("program", "part", "name"),
    [
        ("evaluate", Part.EVALUATOR, "预警判定"),
        ("send", Part.SENDER, "预警发送"),
        ("settle", Part.SETTLEMENT, "结算程序"),
        ("collect", Part.COLLECTOR, "采集程序"),
    ],
)
async def test_a_program_that_dies_is_told_once_within_five_minutes_and_once_when_it_is_back(
    pool: Pool, database_url: str, routes: Routes, post: Post, tmp_path: Path,
    program: str, part: Part, name: str,
) -> None:  # fmt: skip
    """[58] By the signs of life in the database, a round a minute."""
    ways, file = Ways(database_url), tmp_path / "watchdog.json"
    codes, told_after = [], 0
    for minute in range(12):
        at = NOW + minute * MINUTE
        await live(pool, at, without="" if minute == 0 or minute >= 8 else program)
        done = await rounds.once(ways, routes, file, at, database_at=at)
        codes.append(done.code)
        told_after = told_after or (minute if post.count() else 0)
    assert 1 <= told_after <= 5
    assert subjects(post) == [
        f"【能耗平台看门狗】广西 平台部件失效 / DEAD：{name}",
        f"【能耗平台看门狗】广西 平台部件恢复 / BACK：{name}",
    ]
    assert (codes[0], codes[7], codes[11]) == (Code.ALIVE, Code.DEAD, Code.ALIVE)
    assert part not in rounds.recall(file).deaths


async def test_database_broker_and_mail_server_are_knocked_at_themselves(
    services: Services, database_url: str, post: Post
) -> None:
    """[58] Each by its own way: what lives answers, what is dead does not, and no look raises."""
    alive = Ways(database_url, services.mqtt_url, post.url, None)
    trouble = {each.part: each.trouble for each in await probes.look(alive, NOW)}
    assert [trouble[part] for part in (Part.DATABASE, Part.BROKER, Part.MAIL)] == [None] * 3
    dead = Ways(
        f"postgresql://u:secret@{NOWHERE}/a",
        f"mqtt://u:secret@{NOWHERE}",
        f"smtp://u:secret@{NOWHERE}",
        f"http://{NOWHERE}",
    )
    looks = await probes.look(dead, NOW)
    assert {each.part for each in looks if each.trouble} == {
        Part.DATABASE, Part.BROKER, Part.MAIL, Part.WEB,
    }  # fmt: skip
    assert "secret" not in str(looks)


async def test_what_is_told_is_told_by_the_next_round_when_nobody_could_be_told(
    routes: Routes, post: Post, tmp_path: Path
) -> None:
    ways, file = Ways(f"postgresql://{NOWHERE}/a"), tmp_path / "watchdog.json"
    mute = Routes(f"smtp://{NOWHERE}", routes.mail_from, routes.recipients, None, "广西")
    codes = [(await rounds.once(ways, mute, file, NOW + n * MINUTE)).code for n in range(3)]
    assert codes == [Code.DEAD, Code.NOT_TOLD, Code.NOT_TOLD]
    assert (await rounds.once(ways, routes, file, NOW + 3 * MINUTE)).code is Code.DEAD
    assert (await rounds.once(ways, routes, file, NOW + 4 * MINUTE)).code is Code.DEAD
    assert [subject.split("：")[-1] for subject in subjects(post)] == ["数据库"]


@pytest.mark.tampers("a head that no chain has")
async def test_a_letter_a_day_says_that_the_watchdog_lives_and_keeps_the_heads(
    pool: Pool, database_url: str, routes: Routes, post: Post, tmp_path: Path
) -> None:
    ways, file = Ways(database_url), tmp_path / "watchdog.json"
    await pool.execute(
        "INSERT INTO heads (day, chain, links, sha256, noted_at) VALUES ($1, 'changes', 7, $2, $3)",
        NOW.date() - timedelta(days=1),
        bytes(32),
        NOW,
    )
    for hours in (0, 1, 23, 24, 25):
        at = NOW + timedelta(hours=hours)
        await live(pool, at)
        await rounds.once(ways, routes, file, at, daily=True, database_at=at)
    assert subjects(post) == ["【能耗平台看门狗】广西 每日平安信 / DAILY，全部正常 / all live"] * 2
    assert '"chain": "changes", "links": 7' in plain(post.received()[0])


async def test_a_letter_that_waits_for_another_is_not_stuck(connection: Connection) -> None:
    """Nor is one that was tried: somebody takes them up."""
    first = NewLetter(None, "<1@n>", "<1@n>", "q", "q@desk.example", "s", "b")
    await connection.execute(
        """
        INSERT INTO alerts (rule_id, region, subject, level, state, period_starts_at,
                            period_ends_at, measured, threshold, uom, coverage, estimated_share,
                            reason, pending_at, fired_at, updated_at)
        SELECT 1, '450200', 'u/x', 1, 'resolved', $1, $2, 2, 1, 'kgce/t', 1, 0, 'r', $2, $2, $2
        """,
        NOW - MINUTE,
        NOW,
    )
    alert_id = await connection.fetchval("SELECT alert_id FROM alerts")
    letters = [replace(first, alert_id=alert_id, message_id=f"<{n}@n>") for n in (1, 2)]
    await db.outbox.insert_letters(connection, [(each, None) for each in letters], NOW)
    assert (await db.watch.fetch_signs(connection, NOW)).letter_due_at == NOW
    claimed = await db.outbox.claim(connection, NOW, NOW + MINUTE, ["email"])
    assert claimed is not None
    await db.outbox.mark_due(connection, claimed, NOW + 5 * MINUTE, "451 not now")
    for minutes in (4, 6):
        signs = await db.watch.fetch_signs(connection, NOW + minutes * MINUTE)
        assert signs.letter_due_at is None


def test_what_cannot_be_looked_at_is_neither_dead_nor_back() -> None:
    """The database is away: what it knew of the sender is what was known."""
    death = parts.Death(since=NOW, trouble="silent", rounds=2, told=True)
    before = Memory(deaths={Part.SENDER: death})
    news = parts.news([Look(Part.DATABASE, "away")], before, NOW, daily=False)
    assert news.memory.deaths[Part.SENDER] == death
    assert not news.is_any
    again = parts.news([Look(Part.DATABASE, "away")], news.memory, NOW, daily=False)
    assert list(again.begun) == [Part.DATABASE]


def test_one_answer_that_is_lost_is_no_death() -> None:
    lost = parts.news([Look(Part.BROKER, "no answer")], Memory(), NOW, daily=False)
    back = parts.news([Look(Part.BROKER)], lost.memory, NOW, daily=False)
    assert not lost.is_any
    assert not back.is_any
    assert back.memory == Memory()


def test_a_memory_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "watchdog.json"
    file.write_text("{")
    assert rounds.recall(file) == Memory()


def test_a_watchdog_that_could_tell_nobody_refuses() -> None:
    done = CliRunner().invoke(cli.app, ["watchdog"], env={"NENGHAO_DATABASE_URL": DEAD_DATABASE})
    assert "could tell nobody" in str(done.exception)


def test_the_command_ends_with_a_code_for_cron(tmp_path: Path, post: Post) -> None:
    settings = {
        "NENGHAO_DATABASE_URL": DEAD_DATABASE,
        "NENGHAO_STATE_DIR": str(tmp_path),
        "NENGHAO_WATCHDOG_SMTP_URL": post.url,
        "NENGHAO_WATCHDOG_MAIL_TO": "duty@desk.example, other@desk.example",
    }
    arguments = ["watchdog", "--state", str(tmp_path / "w.json")]
    first, second = (CliRunner().invoke(cli.app, arguments, env=settings) for _ in range(2))
    assert (first.exit_code, second.exit_code) == (1, 1)
    assert "database" in second.output
    assert re.findall(r"(\w+) +. not watched: (\w+)", second.output) == [
        ("broker", "NENGHAO_MQTT_URL"),
        ("mail", "NENGHAO_SMTP_URL"),
        ("web", "NENGHAO_WATCHDOG_WEB_URL"),
    ]
    assert post.envelopes == [
        ("nenghao-watchdog@localhost", ["duty@desk.example", "other@desk.example"])
    ]


def test_local_services_are_watched_also_when_they_are_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not running is what a watchdog is for: it refused, and never knew of the broker."""
    monkeypatch.chdir(tmp_path)
    ours = cli._addresses(Settings(state_dir=Path("here")))
    assert ours.unasked_broker() is None
    with pytest.raises(Refusal, match=f"run under {tmp_path}/here:"):
        ours.unasked()
    home = tmp_path / "here" / "services" / "main"
    home.mkdir(parents=True)
    passwords = dict.fromkeys(("nenghao", "collector", "admin"), "p")
    local_services._write(home, local_services.State(local_services.Via.NATIVE, 9, 9, passwords))
    assert ours.unasked_broker() == f"mqtt://collector:p@{NOWHERE}"
    assert ours.unasked().endswith(f"@{NOWHERE}/nenghao")
    given = cli._addresses(Settings(state_dir=Path("here"), mqtt_url=SecretStr("mqtt://b")))
    assert given.unasked_broker() == "mqtt://b"


async def test_a_robot_tells_when_it_took_it_and_a_refusal_is_told_by_the_next_round(
    receiver: Receiver, tmp_path: Path
) -> None:
    """[58] A wrong key: robots answer 200 and a code. What is right is signed."""
    ways, file = Ways(f"postgresql://{NOWHERE}/a"), tmp_path / "watchdog.json"
    robot = Webhook("watchdog", receiver.channel, receiver.url, SECRET)
    refusing = receiver.url.replace("K3Y", "0THER")
    if receiver.channel is Channel.WEBHOOK:  # ours says it by its status, or by none
        refusing = f"http://{NOWHERE}"
    right = Routes(None, "", [], robot, "广西")
    wrong = replace(right, webhook=replace(robot, url=refusing))
    codes = [
        (await rounds.once(ways, each, file, NOW)).code
        for each in (wrong, wrong, wrong, right, right)
    ]
    assert codes == [Code.DEAD, Code.NOT_TOLD, Code.NOT_TOLD, Code.DEAD, Code.DEAD]
    assert len(receiver.taken) == 1


def test_the_settings_name_every_channel() -> None:
    field = Settings.model_fields["watchdog_webhook_channel"]
    assert set(get_args(field.annotation)) == set(Channel)
    routes = command._routes(Watch(webhook=SecretStr("https://r.example/?key=k"), channel="feishu"))
    assert routes.webhook == Webhook("watchdog", Channel.FEISHU, "https://r.example/?key=k")
