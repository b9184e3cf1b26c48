"""A broker is tried out: it keeps what it acknowledged, or it is found out."""

from __future__ import annotations

from deploy.services import Services
from ingest import probe
from tests.deploy import leaky


def test_our_broker_keeps_what_it_acknowledged(services: Services) -> None:
    assert probe.probe(services.mqtt_url, services.mqtt_admin_url) == probe.MESSAGES


def test_a_broker_that_drops_is_found_out(services: Services) -> None:
    """max_queued_messages 5: every publisher sees success, half of it is gone."""
    with leaky.running(services, "test") as (collector_url, admin_url):
        assert probe.probe(collector_url, admin_url) == leaky.QUEUE
