"""What a gateway's login opens, and that it opens nothing else."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from deploy.services import Services
from ingest import credentials
from ingest.credentials import CredentialsError, Login
from tests.peers import Peer, RefusedError

CITY, UNIT, OTHER_UNIT = "450200", "91450200MA5K00CR01", "91450200MA5K00CR02"
ALLOWED = {"Success", "No matching subscribers"}
DENIED = "Not authorized"


def topic(leaf: str, *, city: str = CITY, unit: str = UNIT, gateway: str = "gw1") -> str:
    return f"nenghao/v1/{city}/{unit}/{gateway}/{leaf}"


def connect(services: Services, login: Login, client_id: str | None = None) -> Peer:
    return Peer(services.mqtt_url, login.username, login.password, client_id)


@pytest.fixture
def login(services: Services) -> Iterator[Login]:
    granted = credentials.grant(services.mqtt_admin_url, [(CITY, UNIT, "gw1")])[0]
    yield granted
    credentials.withdraw(services.mqtt_admin_url, UNIT, "gw1")


def test_a_gateway_sends_its_own_readings_and_nobody_elses(
    services: Services, login: Login
) -> None:
    others = (
        topic("readings", gateway="gw2"),
        topic("readings", unit=OTHER_UNIT),
        topic("readings", city="450100"),
        topic("receipts"),
        "$CONTROL/dynamic-security/v1",
    )
    with Peer(services.mqtt_url, client_id="credentials") as collector:
        collector.subscribe(topic("readings"))
        with connect(services, login) as gateway:
            assert gateway.publish(topic("status")) in ALLOWED
            assert {gateway.publish(each) for each in others} == {DENIED}
            assert gateway.publish(topic("readings"), b"mine") in ALLOWED
        assert collector.next_message() == (topic("readings"), b"mine")


def test_a_gateway_receives_its_own_receipts_and_nobody_elses(
    services: Services, login: Login
) -> None:
    with connect(services, login) as gateway, Peer(services.mqtt_url) as collector:
        assert gateway.subscribe(topic("receipts")) == "Granted QoS 1"
        assert gateway.subscribe(topic("requests")) == "Granted QoS 1"
        for foreign in ("#", topic("+"), topic("receipts", gateway="+"), topic("readings")):
            assert gateway.subscribe(foreign) == DENIED
        collector.publish(topic("receipts", gateway="gw2"), b"foreign")
        collector.publish(topic("receipts"), b"mine")
        assert gateway.next_message() == (topic("receipts"), b"mine")


def test_a_gateway_cannot_take_over_the_collectors_session(
    services: Services, login: Login
) -> None:
    with pytest.raises(RefusedError, match=DENIED):
        connect(services, login, client_id="collector")


def test_the_collector_cannot_invent_readings(services: Services) -> None:
    with Peer(services.mqtt_url, client_id="credentials") as collector:
        assert collector.publish(topic("readings")) == DENIED


def test_enrolling_again_replaces_the_password(services: Services, login: Login) -> None:
    again = credentials.grant(services.mqtt_admin_url, [(CITY, UNIT, "gw1")])[0]
    with pytest.raises(RefusedError, match=DENIED):
        connect(services, login)
    with connect(services, again) as gateway:
        assert gateway.publish(topic("readings")) in ALLOWED


def test_withdrawing_a_login_cuts_its_live_connection(services: Services, login: Login) -> None:
    with connect(services, login) as gateway:
        assert credentials.withdraw(services.mqtt_admin_url, UNIT, "gw1")
        assert gateway.wait_until_cut() == "Administrative action"
    with pytest.raises(RefusedError, match=DENIED):
        connect(services, login)
    assert not credentials.withdraw(services.mqtt_admin_url, UNIT, "gw1")


def test_many_gateways_are_enrolled_in_one_go(services: Services) -> None:
    many = [(CITY, OTHER_UNIT, f"gw{number}") for number in range(60)]
    logins = credentials.grant(services.mqtt_admin_url, many)
    assert [(each.city, each.unit, each.gateway) for each in logins] == many
    assert len({each.password for each in logins}) == 60
    with connect(services, logins[-1]) as gateway:
        assert gateway.publish(topic("readings", unit=OTHER_UNIT, gateway="gw59")) in ALLOWED


@pytest.mark.parametrize(
    "gateway",
    [("+", UNIT, "gw1"), (CITY, "#", "gw1"), (CITY, UNIT, "+"), (CITY, UNIT, "a/b"), ("", "", "")],
)
def test_a_name_that_is_a_topic_filter_is_refused(gateway: tuple[str, str, str]) -> None:
    with pytest.raises(CredentialsError):
        credentials.grant("mqtt://admin:x@127.0.0.1:1", [gateway])


def test_the_collectors_login_may_not_enrol(services: Services) -> None:
    with pytest.raises(CredentialsError, match="collector may not administer"):
        credentials.grant(services.mqtt_url, [(CITY, UNIT, "gw1")])


def test_a_wrong_password_is_named_as_the_reason(services: Services) -> None:
    port = urlsplit(services.mqtt_url).port
    with pytest.raises(CredentialsError, match="refused admin: Not authorized"):
        credentials.grant(f"mqtt://admin:wrong@127.0.0.1:{port}", [(CITY, UNIT, "gw1")])


def test_a_broker_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        address = f"mqtt://admin:x@127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(CredentialsError, match="did not answer within"):
            credentials.grant(address, [(CITY, UNIT, "gw1")], timeout_s=0.5)
        assert time.monotonic() - began < 5
