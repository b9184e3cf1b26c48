"""Gateways are who their certificate says, on a real broker with the production profile."""

from __future__ import annotations

import contextlib
import shlex
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import deploy
from deploy.services import Services
from ingest import access, authority
from ingest.client import SESSION_NEVER_EXPIRES
from ingest.kick import kick
from ingest.names import NameFault
from tests.deploy.certificates import Certified, CertifiedPeer, running
from tests.deploy.sessions import come_back, make_session
from tests.peers import Peer

MINE = "nenghao/v1/450200/91450200MA0000001K/gw1"
OTHERS = "nenghao/v1/450200/91450200MA0000001K/gw2"


@pytest.fixture(scope="module")
def certified(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certified]:
    with running(services, tmp_path_factory.mktemp("certified"), "test") as made:
        yield made


def test_a_gateway_publishes_on_its_own_topics_and_no_others(certified: Certified) -> None:
    peer = CertifiedPeer(certified, certified.issue("gw1"))
    assert peer.connect() == "Success"
    for topic in (f"{MINE}/readings", f"{MINE}/status"):
        assert peer.publish(topic) in ("Success", "No matching subscribers")
    for topic in (f"{OTHERS}/readings", f"{MINE}/receipts", "$SYS/x", "nenghao/v1/x", "x"):
        assert peer.publish(topic) == "Not authorized", topic
    peer.close()


def test_lines_of_its_own_let_a_gateway_speak_sparkplug_as_soon_as_they_are_read(
    certified: Certified,
) -> None:
    unit = "91450200MA0000001K"
    peer = CertifiedPeer(certified, certified.issue("gw5"))
    other = CertifiedPeer(certified, certified.issue("gw6"))
    assert [peer.connect(), other.connect()] == ["Success"] * 2
    own = [f"spBv1.0/{unit}/{kind}/gw5" for kind in ("NBIRTH", "NDATA", "NDEATH")]
    own += [f"spBv1.0/{unit}/{kind}/gw5/E01" for kind in ("DBIRTH", "DDATA", "DDEATH")]
    assert {peer.publish(topic) for topic in own} == {"Not authorized"}

    standard = (Path(deploy.__file__).parent / "mosquitto" / "acl").read_text()
    certified.authority.write_access(standard, [("450200", unit, "gw5")])
    subprocess.run(shlex.split(certified.reload_command()), check=True)
    with Peer(certified.collector_url) as collector:
        time.sleep(1)  # the broker reads between two rounds of its loop
        assert collector.subscribe("spBv1.0/+/NBIRTH/+") == "Granted QoS 1"
        words = [peer.publish(topic) for topic in own]
        assert "Not authorized" not in words
        assert collector.next_message() == (own[0], b"{}")
        peer.client.subscribe(f"spBv1.0/{unit}/NCMD/gw5", qos=1)
        assert peer.answers.get(timeout=10) == "Granted QoS 1"
        collector.publish(f"spBv1.0/{unit}/NCMD/gw5", b"rebirth")
        assert peer.messages.get(timeout=10) == (f"spBv1.0/{unit}/NCMD/gw5", b"rebirth")
    foreign = [topic.replace("gw5", "gw6") for topic in own]
    assert {peer.publish(topic) for topic in foreign} == {"Not authorized"}
    assert {other.publish(topic) for topic in (*own, *foreign)} == {"Not authorized"}
    assert peer.publish(f"{MINE}/readings".replace("gw1", "gw5")) != "Not authorized"
    peer.close()
    other.close()


def test_a_name_that_would_be_a_rule_gets_no_lines() -> None:
    with pytest.raises(NameFault):
        access.rules("", [("450200", "91450200MA0000001K", "gw\ntopic write #")])


def test_its_readings_reach_the_collector_and_its_receipts_it(certified: Certified) -> None:
    peer = CertifiedPeer(certified, certified.issue("gw1"))
    peer.connect()
    peer.client.subscribe(f"{MINE}/receipts", qos=1)
    assert peer.answers.get(timeout=10) == "Granted QoS 1"
    with Peer(certified.collector_url) as collector:
        assert collector.subscribe("nenghao/v1/+/+/+/readings") == "Granted QoS 1"
        peer.publish(f"{MINE}/readings", b"1")
        assert collector.next_message() == (f"{MINE}/readings", b"1")
        collector.publish(f"{MINE}/receipts", b"2")
    assert peer.messages.get(timeout=10) == (f"{MINE}/receipts", b"2")
    peer.close()


def test_what_is_sent_while_the_collector_is_away_survives_a_clean_restart(
    certified: Certified,
) -> None:
    """[E18] 20 before and 20 after a restart, the collector offline all the while."""
    make_session(certified.collector_url, "collector", SESSION_NEVER_EXPIRES)
    sent = []
    for half in range(2):
        peer = CertifiedPeer(certified, certified.issue("gw1"))
        peer.connect()
        for number in range(20):
            sent.append(f"{half}-{number}".encode())
            assert peer.publish(f"{MINE}/readings", sent[-1]) == "Success"
        peer.close()
        certified.restart()
    assert come_back(certified.collector_url, "collector", len(sent)) == sent


@pytest.mark.parametrize("kind", ["expired", "early", "stranger", "server"])
def test_a_bad_certificate_is_refused(certified: Certified, tmp_path: Path, kind: str) -> None:
    now, unit = datetime.now(UTC), "91450200MA0000001K"
    ours = certified.authority
    stranger = authority.ensure(tmp_path / "other", now)
    then = now - timedelta(days=3)
    issued = {
        "expired": ours.issue_gateway("450200", unit, "gw1", then, timedelta(days=1)),
        "early": ours.issue_gateway("450200", unit, "gw1", now + timedelta(days=1)),
        "stranger": stranger.issue_gateway("450200", unit, "gw1", now),
        "server": ours.issue_server(["127.0.0.1"], now),
    }[kind]
    peer = CertifiedPeer(certified, issued)
    assert peer.connect() != "Success"
    peer.client.loop_stop()


def test_without_a_certificate_nobody_gets_in(certified: Certified) -> None:
    context = ssl.create_default_context(cadata=certified.authority.ca_pem.decode())
    with (
        socket.create_connection(("127.0.0.1", certified.port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        contextlib.suppress(ssl.SSLError, ConnectionError),
    ):
        secured.sendall(b"\x10\x0e\x00\x04MQTT\x04\x02\x00<\x00\x02me")
        assert secured.recv(4) == b""


def test_a_revoked_certificate_is_refused_and_its_live_connection_cut(
    certified: Certified,
) -> None:
    """Mosquitto keeps who is connected; the platform takes the session over and ends it."""
    issued = certified.issue("gw3")
    peer = CertifiedPeer(certified, issued)
    assert peer.connect() == "Success"
    now = datetime.now(UTC)
    certified.authority.write_revocations([(issued.serial, now)], now)
    certified.broker.revoke((certified.authority.folder / "crl.pem").read_text())
    gateway = ("450200", "91450200MA0000001K", "gw3")
    kick(certified.authority, "127.0.0.1", certified.port, gateway, now)
    assert peer.gone.get(timeout=60) == "Session taken over"
    assert CertifiedPeer(certified, issued).connect() != "Success"
    assert CertifiedPeer(certified, certified.issue("gw4")).connect() == "Success"


@pytest.mark.parametrize("is_v5", [True, False])
@pytest.mark.parametrize("clean", [True, False])
def test_a_client_id_is_what_the_certificate_says(
    certified: Certified, is_v5: bool, clean: bool
) -> None:
    """[38] Whatever id is asked for: the collector's session and other gateways' stay."""
    with Peer(certified.collector_url) as collector:
        other = CertifiedPeer(certified, certified.issue("gw2"))
        other.connect()
        for wanted in ("collector", "450200/91450200MA0000001K/gw2", ""):
            thief = CertifiedPeer(
                certified,
                certified.issue("gw1"),
                client_id=wanted,
                is_v5=is_v5,
                clean=clean or not wanted,
            )
            thief.connect()
            thief.close()
        assert other.gone.empty()
        assert collector.subscribe("nenghao/v1/+/+/+/readings") == "Granted QoS 1"
        other.close()


@pytest.mark.parametrize(
    ("city", "unit", "gateway"),
    [("+", "91450200MA0000001K", "gw1"), ("450200", "#", "gw1"),
     ("450200", "91450200MA0000001K", "+"), ("450200", "91450200MA0000001K", "gw1/readings"),
     ("450200/x", "91450200MA0000001K", "gw1"), ("450200", "91450200MA0000001K", "")],
)  # fmt: skip
def test_no_certificate_is_issued_for_a_name_that_is_a_filter(
    tmp_path: Path, city: str, unit: str, gateway: str
) -> None:
    made = authority.ensure(tmp_path, datetime.now(UTC))
    with pytest.raises(NameFault):
        made.issue_gateway(city, unit, gateway, datetime.now(UTC))
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600
