"""[58] The dead-man switch, nightly: real programs and services are killed, one after the other."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.alerts.conftest import Post
from tests.alerts.conftest import post as post
from tests.faults.conftest import Works, kill, until
from tests.faults.outages import start_database, stop_database

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

WITHIN_S = 300


def test_each_death_is_told_within_five_minutes_past_what_is_dead(works: Works, post: Post) -> None:
    """[58] Evaluator with sender, settlement, collector, broker, database."""

    def told(what: str) -> bool:
        return any(what in str(each["Subject"]) for each in post.received())

    def until_told(*whats: str) -> None:
        begun = time.monotonic()
        until(lambda: all(map(told, whats)), within_s=WITHIN_S)
        print(f"{', '.join(whats)}: {time.monotonic() - begun:.0f} s")

    def start(program: str, **settings: str) -> None:
        running[program] = works.run("app.cli", program, log=program, **settings)

    running = {"collect": works.collect()}
    start("settle")
    start("alert", NENGHAO_SMTP_URL=post.url)
    works.run(
        "app.cli", "watchdog", "--every-s", "10", "--state", str(works.folder / "w.json"),
        log="watchdog", NENGHAO_WATCHDOG_SMTP_URL=post.url,
        NENGHAO_WATCHDOG_MAIL_TO="duty@desk.example",
    )  # fmt: skip
    until(lambda: works.connected() == 1, within_s=60)
    time.sleep(60)
    assert not told("失效")
    for program in ("settle", "alert", "collect"):
        kill(running[program])
    until_told("结算程序", "预警判定", "预警发送", "采集程序")
    for each in post.folder.glob("*.eml"):
        each.unlink()
    running["collect"] = works.collect()
    start("settle")
    start("alert", NENGHAO_SMTP_URL=post.url)
    until_told("恢复", "结算程序", "预警判定", "预警发送", "采集程序")
    broker = works.pair.broker.running()
    assert broker is not None
    os.kill(broker.pid, signal.SIGKILL)
    until_told("消息服务器")
    port = stop_database(works)
    until_told("数据库")
    start_database(works, port)
