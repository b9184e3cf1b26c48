"""Our own broker with a queue that is far too short: every publisher sees success."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from deploy import broker
from deploy.broker import Broker
from deploy.processes import ADDRESS
from deploy.services import Services
from tests.deploy.certificates import pair_of

QUEUE = 5


class Leaky(Broker):
    def _start_on(self, port: int) -> None:
        text = broker.settings(
            port=port,
            address=ADDRESS,
            plugin=self.installation.plugin,
            folder=self.folder,
            log=f"file {self.log}",
        )
        assert "max_queued_messages 2000000" in text
        text = text.replace("max_queued_messages 2000000", f"max_queued_messages {QUEUE}")
        text = text.replace("max_inflight_messages 500", "max_inflight_messages 20")
        text = text.replace("sys_interval 10", "sys_interval 1")
        inside = self.installation
        inside.write("mosquitto", self.configuration, text)
        inside.run("mosquitto", [inside.mosquitto, "-d", "-c", self.configuration])


@contextmanager
def running(machine: Services, instance: str) -> Iterator[tuple[str, str]]:
    """Yield the URLs of the collector and of the administrator."""
    plain = pair_of(machine, instance).broker
    made = Leaky(plain.installation, f"{plain.folder}-leaky")
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
