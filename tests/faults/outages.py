"""Database and broker stopped, killed and started again."""

from __future__ import annotations

import os
import signal

from tests.faults.conftest import Works, until


def stop_database(works: Works) -> int:
    running = works.pair.postgres.running()
    assert running is not None
    works.pair.postgres.stop(print)
    return running.port


def start_database(works: Works, port: int) -> None:
    password = works.services.database_url.split(":")[2].split("@")[0]
    works.pair.postgres.start(port, password, print)


def restart_broker(works: Works, *, with_its_sessions: bool) -> None:
    """Kill the broker and start it again, with or without what it had written down."""
    running = works.pair.broker.running()
    assert running is not None
    os.kill(running.pid, signal.SIGKILL)
    until(lambda: works.pair.broker.running() is None)
    if not with_its_sessions:
        broker = works.pair.broker
        broker.installation.run("root", ["rm", "-f", f"{broker.folder}/mosquitto.db"])
    works.pair.broker.start(running.port, {}, print)
