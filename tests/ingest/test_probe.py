"""A broker is tried out: it keeps what it acknowledged, or it is found out."""

from __future__ import annotations

from urllib.parse import urlsplit

from deploy import broker
from deploy.broker import Broker
from deploy.services import Services
from ingest import probe
from tests.deploy.certificates import pair_of


def test_our_broker_keeps_what_it_acknowledged(services: Services) -> None:
    assert probe.probe(services.mqtt_url, services.mqtt_admin_url) == probe.MESSAGES


def test_a_broker_that_drops_is_found_out(services: Services) -> None:
    """max_queued_messages 5: every publisher sees success, half of it is gone."""
    plain = pair_of(services, "test").broker
    leaky = Leaky(plain.installation, f"{plain.folder}-leaky")
    passwords = {
        name: urlsplit(url).password or ""
        for name, url in (("collector", services.mqtt_url), ("admin", services.mqtt_admin_url))
    }
    port = leaky.start(None, passwords, print)
    try:
        urls = [
            f"mqtt://{name}:{password}@127.0.0.1:{port}" for name, password in passwords.items()
        ]
        assert probe.probe(*urls) == 5
    finally:
        leaky.stop(print)
        leaky.installation.remove_folder(leaky.folder)


class Leaky(Broker):
    """Our own broker with one line changed."""

    def _start_on(self, port: int) -> None:
        text = broker_settings(self, port)
        inside = self.installation
        inside.write("mosquitto", self.configuration, text)
        inside.run("mosquitto", [inside.mosquitto, "-d", "-c", self.configuration])


def broker_settings(leaky: Broker, port: int) -> str:
    text = broker.settings(
        port=port,
        address="127.0.0.1",
        plugin=leaky.installation.plugin,
        folder=leaky.folder,
        log=f"file {leaky.log}",
    )
    assert "max_queued_messages 2000000" in text
    return text.replace("max_queued_messages 2000000", "max_queued_messages 5").replace(
        "max_inflight_messages 500", "max_inflight_messages 20"
    )
