"""The local services keep what they hold, wherever they run on this machine.

An instance of its own, beside that of the test run: starting one takes about a second.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from deploy import local, processes, services
from deploy.installation import POSTGRES
from deploy.local import Pair
from deploy.services import Services, ServicesError, Via
from ingest import credentials
from tests.conftest import STATE_DIR
from tests.peers import Peer

INSTANCE = f"t-{os.getpid()}"
HOME = STATE_DIR.resolve() / "services" / INSTANCE
GATEWAY = ("450200", "91450200MA5K000001", "gw1")
STATUS = "nenghao/v1/450200/91450200MA5K000001/gw1/status"


def up() -> Services:
    return services.up(STATE_DIR, report=print, instance=INSTANCE)


def down() -> None:
    services.down(STATE_DIR, report=print, instance=INSTANCE)


def port(url: str) -> int:
    found = urlsplit(url).port
    assert found is not None
    return found


@pytest.fixture(scope="module")
def _instance() -> Iterator[None]:
    yield
    services.discard(STATE_DIR, report=print, instance=INSTANCE)


@pytest.fixture
def running(_instance: None) -> Services:
    return up()


@pytest.fixture
def pair(running: Services) -> Pair:
    """The two programs, where they are processes of this machine."""
    if running.via == Via.COMPOSE:
        pytest.skip("the services run in containers here")
    return local.native(HOME) if running.via == Via.NATIVE else local.private(HOME, print)


def test_a_second_start_finds_what_runs(running: Services) -> None:
    assert up() == running
    assert services.status(STATE_DIR, instance=INSTANCE) == running


def test_a_relative_folder_is_the_same_folder(running: Services) -> None:
    with contextlib.chdir(STATE_DIR.parent):
        assert services.status(Path(STATE_DIR.name), instance=INSTANCE) == running


def test_two_starts_at_once_take_turns(running: Services) -> None:
    down()
    with ThreadPoolExecutor() as threads:
        found = [future.result() for future in [threads.submit(up) for _ in range(3)]]
    assert found[0] == found[1] == found[2] == running


def test_what_was_committed_and_retained_outlives_a_stop(running: Services) -> None:
    with psycopg.connect(running.database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (id int)")
        connection.execute("TRUNCATE kept")
        connection.execute("INSERT INTO kept VALUES (7)")
    login = credentials.grant(running.mqtt_admin_url, [GATEWAY])[0]
    with Peer(running.mqtt_url, login.username, login.password) as gateway:
        gateway.publish(STATUS, b"online", retain=True)
    down()
    assert services.status(STATE_DIR, instance=INSTANCE) is None
    again = up()
    assert again == running
    with psycopg.connect(again.database_url) as connection:
        assert connection.execute("SELECT id FROM kept").fetchall() == [(7,)]
    with Peer(again.mqtt_url) as collector:
        collector.subscribe(STATUS)
        assert collector.next_message() == (STATUS, b"online")


def test_killed_servers_come_back_with_their_data(running: Services, pair: Pair) -> None:
    with psycopg.connect(running.database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS survived (id int)")
    for program in (pair.postgres, pair.broker):
        found = program.running()
        assert found is not None
        os.kill(found.pid, signal.SIGKILL)
    assert processes.wait_until(lambda: not pair.is_running(), timeout_s=10)
    assert up() == running
    with psycopg.connect(running.database_url) as connection:
        assert connection.execute("SELECT count(*) FROM survived").fetchone() == (0,)


def test_a_port_somebody_took_meanwhile_is_left_to_him(running: Services) -> None:
    down()
    with socket.create_server(("127.0.0.1", port(running.database_url))):
        again = up()
    assert port(again.database_url) != port(running.database_url)
    assert again.mqtt_url == running.mqtt_url
    psycopg.connect(again.database_url).close()


def test_a_process_that_got_an_old_number_is_not_stopped(running: Services, pair: Pair) -> None:
    down()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        pid_file = f"{pair.postgres.data}/postmaster.pid"
        lines = f"{stranger.pid}\n{pair.postgres.data}\n1\n{port(running.database_url)}\n"
        pair.postgres.installation.write(POSTGRES, pid_file, lines)
        down()
        up()
        assert stranger.poll() is None
        stranger.kill()


def test_nothing_runs_after_a_stop(running: Services, pair: Pair) -> None:
    found = [program.running() for program in (pair.postgres, pair.broker)]
    down()
    assert services.status(STATE_DIR, instance=INSTANCE) is None
    assert services.were(STATE_DIR, instance=INSTANCE) == running
    assert [each for each in found if each is None or processes.is_alive(each.pid)] == []
    assert not processes.works_in(pair.postgres.installation.outside(pair.postgres.data))


def test_the_database_promises_what_a_receipt_promises(running: Services) -> None:
    expected = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "listen_addresses": "127.0.0.1" if running.via != Via.COMPOSE else "*",
        "shared_preload_libraries": "timescaledb",
        "TimeZone": "UTC",
    }
    with psycopg.connect(running.database_url) as connection:
        rows = connection.execute(
            "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(expected)]
        )
        assert dict(rows.fetchall()) == expected
        offered = connection.execute(
            "SELECT count(*) FROM pg_available_extensions WHERE name = 'timescaledb'"
        )
        assert offered.fetchone() == (1,)


def test_a_wrong_database_password_is_refused(running: Services) -> None:
    address = f"postgresql://nenghao:wrong@127.0.0.1:{port(running.database_url)}/nenghao"
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(address)


def test_passwords_are_shown_to_nobody_else(running: Services) -> None:
    assert (HOME / "state.json").stat().st_mode & 0o777 == 0o600
    assert "password" not in repr(running)
    assert str(urlsplit(running.database_url).password) not in repr(running)


def test_an_instance_cannot_be_named_out_of_its_folder() -> None:
    for name in ("../main", "", "root", "A"):
        with pytest.raises(ServicesError, match="an instance is named with"):
            services.status(STATE_DIR, instance=name)
