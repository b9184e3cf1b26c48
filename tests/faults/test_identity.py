"""Nobody writes as another, listens to another, or takes another's place. [RELIABILITY 21, 38, 39]

The same for certificates is in tests/deploy/test_certificates.py.
"""

from __future__ import annotations

import json
import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from deploy.installation import MOSQUITTO
from deploy.services import Services
from ingest import broker_url, credentials
from ingest.credentials import Login
from tests.faults.conftest import Works, until
from tests.peers import Peer, RefusedError

UNITS = ["91450200MA5K00ID01", "91450200MA5K00ID02", "91450200MA5K00ID03"]
HEARD = "nenghao/v1/450200/{unit}/gw1"
VERSIONS = [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5]


@dataclass
class Scene:
    """Three gateways, and a peer with the collector's rights that hears all they get through."""

    services: Services
    logins: list[Login]
    collector: Peer

    def heard(self, count: int) -> list[tuple[str, bytes]]:
        """Return what arrived once `count` more own messages did: then all else had its time."""
        found: list[tuple[str, bytes]] = []
        while sum(b"own" in payload for _, payload in found) < count:
            found.append(self.collector.next_message())
        return found


@pytest.fixture(scope="module")
def scene(services: Services) -> Iterator[Scene]:
    logins = credentials.grant(services.mqtt_admin_url, [("450200", unit, "gw1") for unit in UNITS])
    with Peer(services.mqtt_url, client_id="listener") as collector:
        for unit in UNITS:  # and no others: the broker is shared with other tests
            for leaf in ("readings", "status"):
                topic = f"nenghao/v1/450200/{unit}/+/{leaf}"
                assert collector.subscribe(topic) == "Granted QoS 1"
        yield Scene(services, logins, collector)
    for unit in UNITS:
        credentials.withdraw(services.mqtt_admin_url, unit, "gw1")


def client(scene: Scene, login: Login, version: MQTTProtocolVersion, will: str = "") -> Client:
    broker = broker_url.parse(scene.services.mqtt_url)
    made = Client(CallbackAPIVersion.VERSION2, client_id=login.username, protocol=version)
    made.username_pw_set(login.username, login.password)
    if will:
        made.will_set(will, b"will of another", qos=1)
    made.connect(broker.host, broker.port)
    made.loop_start()
    until = time.monotonic() + 10
    while not made.is_connected() and time.monotonic() < until:
        time.sleep(0.01)
    return made


@pytest.mark.parametrize("version", VERSIONS, ids=["3.1.1", "5"])
@pytest.mark.parametrize("number", range(3))
def test_no_foreign_message_reaches_the_collector(
    scene: Scene, version: MQTTProtocolVersion, number: int
) -> None:
    """[21] Own topic, others', $SYS, $CONTROL, $share, retained, with QoS 0, 1 and 2."""
    login = scene.logins[number]
    mine = HEARD.format(unit=login.unit)
    others = [HEARD.format(unit=unit) for unit in UNITS if unit != login.unit]
    sender = client(scene, login, version)
    for qos in (0, 1, 2):
        for other in others:
            for leaf in ("readings", "status", "receipts", "requests"):
                sender.publish(f"{other}/{leaf}", b"foreign", qos=qos)
                sender.publish(f"{other}/{leaf}", b"foreign", qos=qos, retain=True)
        wild = ("$SYS/broker/x", "$CONTROL/dynamic-security/v1", f"{mine}/receipts", "x")
        for topic in (*wild, f"$share/g/{others[0]}/readings"):
            sender.publish(topic, b'{"commands":[{"command":"listClients"}]}', qos=qos)
        sender.publish(f"{mine}/readings", b"own", qos=qos)
    found = scene.heard(3)
    sender.disconnect()
    sender.loop_stop()
    sender._reset_sockets()  # what paho leaves to the collector of garbage
    assert {topic for topic, _ in found} == {f"{mine}/readings"}
    assert {payload for _, payload in found} == {b"own"}


@pytest.mark.parametrize("version", VERSIONS, ids=["3.1.1", "5"])
def test_a_will_on_anothers_topic_is_not_delivered(
    scene: Scene, version: MQTTProtocolVersion
) -> None:
    mine, other = scene.logins[0], scene.logins[1]
    dying = client(scene, mine, version, will=f"{HEARD.format(unit=other.unit)}/status")
    dying.loop_stop()
    dying._reset_sockets()  # without a goodbye: the broker sends the will
    with Peer(scene.services.mqtt_url, other.username, other.password) as gateway:
        gateway.publish(f"{HEARD.format(unit=other.unit)}/readings", b"own")
    assert [payload for _, payload in scene.heard(1)] == [b"own"]


def test_an_alias_is_no_way_to_anothers_topic(scene: Scene) -> None:
    """[21] Whether it is new or was one's own before: what counts is the topic it stands for."""
    mine = scene.logins[0]
    own, other = (f"{HEARD.format(unit=unit)}/readings" for unit in UNITS[:2])
    with Peer(scene.services.mqtt_url, mine.username, mine.password) as gateway:
        assert gateway.publish_as(1, other, b"foreign") == "Not authorized"
        assert gateway.publish_as(1, payload=b"foreign") == "Not authorized"
        assert gateway.publish_as(2, own, b"own") == "Success"
        assert gateway.publish_as(2, other, b"foreign") == "Not authorized"
        assert gateway.publish_as(2, payload=b"foreign") == "Not authorized"
        assert gateway.publish_as(3, own, b"own") == "Success"
        assert gateway.publish_as(3, payload=b"own") == "Success"
    assert set(scene.heard(3)) == {(own, b"own")}


@pytest.mark.parametrize("version", VERSIONS, ids=["3.1.1", "5"])
@pytest.mark.parametrize(
    "topic",
    ["#", "nenghao/#", "nenghao/v1/+/+/+/readings", "$SYS/#", "$CONTROL/#", "spBv1.0/#",
     "$share/g/nenghao/v1/+/+/+/readings", "$share/g/#", "$share/g/$SYS/#",
     "$share/{other}/nenghao/v1/450200/{other}/gw1/receipts",
     "nenghao/v1/450200/{other}/gw1/receipts"],
)  # fmt: skip
def test_a_gateway_hears_nobody_else(
    scene: Scene, topic: str, version: MQTTProtocolVersion
) -> None:
    """[21] Nor by a subscription that it shares with others."""
    mine, other = scene.logins[0], scene.logins[1]
    refused = "Not authorized" if version is MQTTProtocolVersion.MQTTv5 else "Unspecified error"
    with Peer(scene.services.mqtt_url, mine.username, mine.password, version=version) as gateway:
        assert gateway.subscribe(topic.format(other=other.unit)) == refused


@pytest.mark.parametrize("version", VERSIONS, ids=["3.1.1", "5"])
@pytest.mark.parametrize("clean", [True, False], ids=["clean", "kept"])
@pytest.mark.parametrize("client_id", ["listener", "collector", "admin", "", "other"])
def test_no_login_takes_the_place_of_another_client(
    scene: Scene, client_id: str, clean: bool, version: MQTTProtocolVersion
) -> None:
    """[38] Refused, whatever id is asked for; the collector's connection stays."""
    mine, other = scene.logins[0], scene.logins[1]
    wanted = other.username if client_id == "other" else client_id
    url, clean = scene.services.mqtt_url, clean or not wanted  # 3.1.1 knows no kept one without id
    with pytest.raises(RefusedError):
        Peer(url, mine.username, mine.password, client_id=wanted, clean=clean, version=version)
    with Peer(scene.services.mqtt_url, mine.username, mine.password) as gateway:
        gateway.publish(f"{HEARD.format(unit=mine.unit)}/readings", b"own")
    assert len(scene.heard(1)) == 1


def test_the_brokers_log_names_whom_it_refused(works: Works) -> None:
    """[21] Within 5 s, with the id that was asked for. Of a topic denied it says nothing."""
    (login, other, *_) = works.logins
    broker, url = works.pair.broker, works.services.mqtt_url

    def log() -> str:
        return broker.installation.read(MOSQUITTO, broker.log) or ""

    for username, password, client_id in [
        (login.username, login.password, other.username),
        (login.username, "wrong", login.username),
        ("nobody", "wrong", "nobody"),
    ]:
        line = f"Client {client_id} disconnected, not authorised"
        before = log().count(line)
        with pytest.raises(RefusedError):
            Peer(url, username, password, client_id=client_id)
        until(lambda line=line, before=before: log().count(line) > before, within_s=5)  # type: ignore[misc]
    topic = f"nenghao/v1/{other.city}/{other.unit}/{other.gateway}/readings"
    with Peer(url, login.username, login.password) as gateway:
        assert gateway.publish(topic) == "Not authorized"
    assert topic not in log()


def test_a_login_without_a_role_may_do_nothing(scene: Scene) -> None:
    """[39] The four defaults are all no."""
    admin_url = scene.services.mqtt_admin_url
    with Peer(admin_url) as admin:
        admin.subscribe("$CONTROL/dynamic-security/v1/response")
        asked = {
            "commands": [
                {"command": "getDefaultACLAccess"},
                {"command": "deleteClient", "username": "nobody"},
                {"command": "createClient", "username": "nobody", "password": "x" * 24},
            ]
        }
        admin.publish("$CONTROL/dynamic-security/v1", json.dumps(asked).encode())
        _, answer = admin.next_message()
    (defaults, *_) = json.loads(answer)["responses"]
    assert [each["allow"] for each in defaults["data"]["acls"]] == [False] * 4
    with Peer(scene.services.mqtt_url, "nobody", "x" * 24, client_id="nobody") as nobody:
        assert nobody.publish("nenghao/v1/450200/x/y/readings") == "Not authorized"
        assert nobody.subscribe("#") == "Not authorized"
        with pytest.raises(queue.Empty):
            nobody._messages.get_nowait()
