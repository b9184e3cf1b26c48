"""Our own broker with a queue that is far too short: every publisher sees success."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from deploy import broker
from deploy.broker import Broker
from deploy.processes import ADDRESS
from deploy.services import Services
from ingest.broker_health import PLANNED, Queue
from tests.deploy.certificates import pair_of

QUEUE = 5
SHORT = replace(PLANNED, messages=QUEUE)


@dataclass(frozen=True, slots=True)
class Leaky(Broker):
    queue: Queue
    sys_interval_s: int

    def _start_on(self, port: int) -> None:
        text = broker.settings(
            port=port,
            address=ADDRESS,
            plugin=self.installation.plugin,
            folder=self.folder,
            log=f"file {self.log}",
        )
        for setting, before, after in (
            ("max_queued_messages", PLANNED.messages, self.queue.messages),
            ("max_queued_bytes", PLANNED.size_bytes, self.queue.size_bytes),
            ("max_inflight_messages", 500, 20),
            ("sys_interval", 10, self.sys_interval_s),
        ):
            assert f"\n{setting} {before}\n" in text
            text = text.replace(f"{setting} {before}\n", f"{setting} {after}\n")
        inside = self.installation
        inside.write("mosquitto", self.configuration, text)
        inside.run("mosquitto", [inside.mosquitto, "-d", "-c", self.configuration])


@contextmanager
def running(
    machine: Services, instance: str, queue: Queue = SHORT, sys_interval_s: int = 1
) -> Iterator[tuple[str, str]]:
    """Yield the URLs of the collector and of the administrator."""
    plain = pair_of(machine, instance).broker
    made = Leaky(plain.installation, f"{plain.folder}-leaky", queue, sys_interval_s)
    passwords = {
        name: urlsplit(url).password or ""
        for name, url in (("collector", machine.mqtt_url), ("admin", machine.mqtt_admin_url))
    }
    port = made.start(None, passwords, print)
    try:
        collector, admin = (
            f"mqtt://{name}:{password}@{ADDRESS}:{port}" for name, password in passwords.items()
        )
        yield collector, admin
    finally:
        made.stop(print)
        made.installation.remove_folder(made.folder)
