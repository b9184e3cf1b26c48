"""The bar of delivery against Debian's own mail server, instead of one written in Python."""

from __future__ import annotations

import os
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from deploy import processes
from tests.conftest import STATE_DIR
from tests.faults import mta
from tests.faults.conftest import Works, kill, until
from tests.faults.mta import Mta
from tests.faults.test_letters import FILL, LEASES_END, SENDERS, count, run_sender, run_statement

pytestmark = pytest.mark.soak

LETTERS, ROUNDS = 600, 10


@pytest.fixture
def exim() -> Iterator[Mta]:
    root = STATE_DIR / "services" / "mta"
    if os.geteuid() != 0 or not shutil.which("mmdebstrap"):
        pytest.skip("exim runs in a root of its own, which needs root and mmdebstrap")
    mta.ensure(root)
    made = Mta(root, processes.free_port(None))
    yield made
    made.stop()


def test_exim_gets_every_letter_and_doubles_only_the_same(works: Works, exim: Mta) -> None:
    """[53] 600 letters, 20 kills, exim puts off 5 % and ends connections after 60 letters."""
    with psycopg.connect(works.database_url) as connection:
        connection.execute(FILL, {"letters": LETTERS, "at": datetime.now(UTC)})
    url = exim.start()
    for number in range(ROUNDS):
        wanted = (number + 1) * LETTERS // (ROUNDS + 2)
        senders = [run_sender(works, url) for _ in range(SENDERS)]
        until(lambda wanted=wanted: len(exim.taken()) >= wanted, within_s=120)  # type: ignore[misc]
        time.sleep(works.random.uniform(0, 0.1))
        for each in senders:
            kill(each)
        run_statement(works, LEASES_END)
    senders = [run_sender(works, url) for _ in range(SENDERS)]
    until(lambda: count(works, "sent", come_again=True) == LETTERS, within_s=120)
    for each in senders:
        each.terminate()
        each.wait(timeout=20)
    bodies = defaultdict(list)
    for message_id, queue_id in exim.taken():
        bodies[message_id].append(exim.body(queue_id))
    doubles = sum(len(each) - 1 for each in bodies.values())
    print(f"exim: {LETTERS} letters, {ROUNDS * SENDERS} kills, {doubles} doubles")
    assert set(bodies) == {f"<{number}@nenghao.example>" for number in range(1, LETTERS + 1)}
    assert doubles <= ROUNDS * SENDERS
    assert all(len(set(each)) == 1 for each in bodies.values())


def test_exim_says_who_cannot_be_reached(works: Works, exim: Mta) -> None:
    """A name that is not there fails at once, a full mailbox is tried again."""
    with psycopg.connect(works.database_url) as connection:
        connection.execute(FILL, {"letters": 3, "at": datetime.now(UTC)})
        connection.execute(
            "UPDATE outbox SET recipient_email = "
            "(ARRAY['nobody@desk.example', 'full@desk.example', 'a@desk.example'])[letter_id]"
        )
    exim.put_off = 0
    url = exim.start()
    process = run_sender(works, url)
    until(lambda: count(works, "sent") == count(works, "failed") == 1)
    process.terminate()
    with psycopg.connect(works.database_url) as connection:
        rows = connection.execute(
            "SELECT state, last_error FROM outbox ORDER BY letter_id"
        ).fetchall()
    assert rows == [
        ("failed", "550 5.1.1 no such user"),
        ("waiting", "452 4.2.2 mailbox full"),
        ("sent", None),
    ]
