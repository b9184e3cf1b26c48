"""Owns cutting a revoked gateway's live connection: its session is taken over once, and ended.

The broker refuses a revoked certificate at the next connection only; who is connected stays. The
platform issues itself a certificate of the same name for minutes, and takes the place.
"""

from __future__ import annotations

import tempfile
import time
from datetime import datetime
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from ingest import authority
from ingest.authority import KICK_VALID, Authority

WITHIN_S = 20.0


class KickError(Exception):
    """The connection of a revoked gateway could not be cut."""


def kick(
    ours: Authority, host: str, port: int, gateway: tuple[str, str, str], now: datetime
) -> None:
    """Take over and end the session of `gateway` (city, unit, gateway) on the broker."""
    issued = ours.issue_gateway(*gateway, now, KICK_VALID)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority.write_private(folder / "key.pem", issued.key)
        (folder / "cert.pem").write_bytes(issued.certificate)
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id="/".join(gateway),
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        client.tls_set(
            ca_certs=str(ours.folder / "ca.pem"),
            certfile=str(folder / "cert.pem"),
            keyfile=str(folder / "key.pem"),
        )
        _connect_once(client, host, port)


def _connect_once(client: Client, host: str, port: int) -> None:
    reasons: list[ReasonCode] = []
    client.on_connect = lambda _c, _u, _f, reason, _p: reasons.append(reason)
    try:
        client.connect(host, port, clean_start=True)
        until = time.monotonic() + WITHIN_S
        while not reasons and time.monotonic() < until:
            client.loop(0.1)
    except OSError as error:
        raise KickError(f"the broker at {host}:{port} does not answer: {error}") from None
    if not reasons or reasons[0].is_failure:
        said = reasons[0] if reasons else "nothing"
        raise KickError(f"the broker at {host}:{port} said {said}")
    client.disconnect()
    client.loop(0.1)
