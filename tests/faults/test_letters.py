"""Whatever dies: every letter arrives, and a second one is the same one. [RELIABILITY 53]"""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import pytest

from tests.faults.conftest import Works, kill, until
from tests.faults.postbox import Postbox

SENDERS = 2
PUT_OFF = 0.05

FILL = """
WITH made AS (
    INSERT INTO alerts (rule_id, region, subject, level, state, period_starts_at, period_ends_at,
                        measured, threshold, uom, coverage, estimated_share, reason, pending_at,
                        fired_at, updated_at)
    SELECT 1, '450200', 'u/' || n, 1, 'resolved', %(at)s, %(at)s, 2, 1, 'kgce/t', 1, 0, 'r',
           %(at)s, %(at)s, %(at)s
      FROM generate_series(1, %(letters)s) AS n
    RETURNING alert_id
)
INSERT INTO outbox (alert_id, message_id, thread_id, recipient_name, recipient_email, subject,
                    body, due_at, created_at, city)
SELECT alert_id, format('<%%s@nenghao.example>', alert_id),
       format('<thread-%%s@nenghao.example>', alert_id), '柳州市节能监察', 'desk@liuzhou.example',
       format('【预警】%%s 号厂', alert_id), repeat('正文。', 200), %(at)s, %(at)s, '450200'
  FROM made
"""

LEASES_END = """
UPDATE outbox SET leased_until = now() WHERE state = 'waiting' AND leased_until IS NOT NULL
"""
"""As if LEASE had passed: it takes two minutes, and all who hold one are dead."""

COME_AGAIN = "UPDATE outbox SET due_at = now() WHERE state = 'waiting' AND leased_until IS NULL"
"""As if the pause of those that were put off had passed."""


@pytest.mark.parametrize(
    ("letters", "rounds"), [(40, 1), pytest.param(600, 10, marks=pytest.mark.soak)]
)
def test_killing_the_senders_loses_no_letter_and_doubles_only_the_same(
    works: Works, letters: int, rounds: int
) -> None:
    """[53] Two senders, both killed in each round while the server takes a letter; 5 % put off."""
    with psycopg.connect(works.database_url) as connection:
        connection.execute(FILL, {"letters": letters, "at": datetime.now(UTC)})
    box = Postbox(works.folder / "mail", works.random, PUT_OFF)
    url = box.start()
    moments = sorted(works.random.sample(range(letters // 10, letters), rounds))
    kills = 0
    for moment in moments:
        senders = [run_sender(works, url) for _ in range(SENDERS)]
        box.on_taken = _killer(senders, moment)
        for each in senders:
            each.wait(timeout=120)
        kills += len(senders)
        run_statement(works, LEASES_END)
    box.on_taken = lambda taken: None
    senders = [run_sender(works, url) for _ in range(SENDERS)]
    until(lambda: count(works, "sent", come_again=True) == letters, within_s=120)
    for each in senders:
        each.terminate()
        each.wait(timeout=20)
    box.stop()
    found = box.by_message_id()
    doubles = sum(len(each) - 1 for each in found.values())
    print(f"{letters} letters, {kills} kills, {doubles} doubles, {box.connections} connections")
    assert set(found) == {f"<{number}@nenghao.example>" for number in range(1, letters + 1)}
    assert doubles <= kills
    assert all(len({content for _, content in each}) == 1 for each in found.values())


def run_sender(works: Works, url: str) -> subprocess.Popen[bytes]:
    return works.run(
        "app.cli", "alert", log="alert", NENGHAO_SMTP_URL=url, NENGHAO_ALERT_PAUSE_S="0.05"
    )


def _killer(senders: list[subprocess.Popen[bytes]], moment: int) -> Callable[[int], None]:
    def on_taken(taken: int) -> None:
        if taken >= moment:
            for each in senders:
                kill(each)

    return on_taken


def run_statement(works: Works, statement: str) -> None:
    with psycopg.connect(works.database_url) as connection:
        connection.execute(statement.encode())


def count(works: Works, state: str, *, come_again: bool = False) -> int:
    if come_again:
        run_statement(works, COME_AGAIN)
    time.sleep(0.1)
    with psycopg.connect(works.database_url) as connection:
        rows = connection.execute("SELECT state FROM outbox").fetchall()
    return Counter(row[0] for row in rows)[state]
