"""A broker with certificates, and clients that log in with theirs."""

from __future__ import annotations

import queue
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from deploy import local, services
from deploy.broker import COLLECTOR
from deploy.certified import CertifiedBroker
from deploy.local import Pair
from deploy.services import Services
from ingest import authority
from ingest.authority import Authority, Issued
from tests.conftest import STATE_DIR

PASSWORD = "collectors-own"


@dataclass
class Certified:
    """A running broker with certificates and its authority."""

    broker: CertifiedBroker
    authority: Authority
    folder: Path
    port: int

    @property
    def collector_url(self) -> str:
        return f"mqtt://{COLLECTOR}:{PASSWORD}@127.0.0.1:{self.broker.inner_port}"

    def issue(self, gateway: str, unit: str = "91450200MA0000001K") -> Issued:
        return self.authority.issue_gateway("450200", unit, gateway, datetime.now(UTC))

    def reload_command(self) -> str:
        """Return the command that hands the broker what the authority wrote: crl.pem, acl."""
        inside = self.broker.installation
        target = inside.outside(f"{self.broker.folder}/crl.pem")
        acl, rules = inside.outside(f"{self.broker.folder}/acl"), self.authority.folder / "acl"
        running = self.broker.running()
        assert running is not None
        crl = self.authority.folder / "crl.pem"
        also = f"(test ! -e {rules} || cat {rules} > {acl})"
        return f"sh -c 'cat {crl} > {target} && {also} && kill -HUP {running.pid}'"

    def restart(self) -> None:
        self.broker.stop(print)
        self.port = self.broker.start(self.port, {}, print)


def pair_of(machine: Services, instance: str) -> Pair:
    """Return the programs of an instance of the local services."""
    home = (STATE_DIR / "services" / instance).resolve()
    is_private = machine.via == services.Via.PRIVATE_ROOT
    return local.private(home, print) if is_private else local.native(home)


@contextmanager
def running(
    machine: Services,
    folder: Path,
    instance: str,
    kind: type[CertifiedBroker] = CertifiedBroker,
) -> Iterator[Certified]:
    plain = pair_of(machine, instance).broker
    broker = kind(plain.installation, f"{plain.folder}-certified")
    now = datetime.now(UTC)
    made = authority.ensure(folder / "authority", now)
    server = made.issue_server(["127.0.0.1", "localhost"], now)
    files = {
        "ca.pem": made.ca_pem.decode(),
        "crl.pem": (made.folder / "crl.pem").read_text(),
        "server.pem": server.certificate.decode(),
        "server.key": server.key.decode(),
    }
    broker.install(files, PASSWORD)
    port = broker.start(None, {}, print)
    try:
        yield Certified(broker, made, folder, port)
    finally:
        broker.stop(print)
        broker.installation.remove_folder(broker.folder)


class CertifiedPeer:
    """A client with a certificate. `reason` is what the broker said to its CONNECT."""

    def __init__(
        self,
        certified: Certified,
        issued: Issued,
        *,
        client_id: str = "anything",
        is_v5: bool = True,
        clean: bool = True,
    ) -> None:
        self.answers: queue.Queue[str] = queue.Queue()
        self.gone: queue.Queue[str] = queue.Queue()
        self.messages: queue.Queue[tuple[str, bytes]] = queue.Queue()
        folder = certified.folder / issued.serial
        folder.mkdir(exist_ok=True)
        (folder / "key.pem").write_bytes(issued.key)
        (folder / "cert.pem").write_bytes(issued.certificate)
        (folder / "ca.pem").write_bytes(certified.authority.ca_pem)
        version = MQTTProtocolVersion.MQTTv5 if is_v5 else MQTTProtocolVersion.MQTTv311
        self.client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=version,
            clean_session=None if is_v5 else clean,
            reconnect_on_failure=False,
        )
        self.client.tls_set(
            ca_certs=str(folder / "ca.pem"),
            certfile=str(folder / "cert.pem"),
            keyfile=str(folder / "key.pem"),
            tls_version=ssl.PROTOCOL_TLS_CLIENT,
        )
        self.client.on_connect = lambda _c, _u, _f, reason, _p: self.answers.put(str(reason))
        self.client.on_publish = lambda _c, _u, _i, reason, _p: self.answers.put(str(reason))
        self.client.on_subscribe = lambda _c, _u, _i, given, _p: self.answers.put(str(given[0]))
        self.client.on_disconnect = lambda _c, _u, _f, reason, _p: self.gone.put(str(reason))
        self.client.on_message = lambda _c, _u, m: self.messages.put((m.topic, bytes(m.payload)))
        self._port = certified.port
        self._clean = clean
        self._is_v5 = is_v5

    def connect(self) -> str:
        """Return what the broker said: "Success", or why not."""
        try:
            if self._is_v5:
                self.client.connect("127.0.0.1", self._port, clean_start=self._clean)
            else:
                self.client.connect("127.0.0.1", self._port)
        except OSError as error:
            return f"refused: {error}"
        self.client.loop_start()
        try:
            return self.answers.get(timeout=3)
        except queue.Empty:
            return "refused: no answer"

    def publish(self, topic: str, payload: bytes = b"{}", qos: int = 1) -> str:
        self.client.publish(topic, payload, qos=qos)
        return self.answers.get(timeout=10) if qos else ""

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
