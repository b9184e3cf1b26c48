"""Anybody with an MQTT client and a login can publish, see the receipt, and read the value back."""

from __future__ import annotations

import json
import socket
import threading
import time
from datetime import UTC, datetime, timedelta

import httpx
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from deploy.services import Services
from ingest import broker_url
from tests import factories
from tests.end_to_end.conftest import Programs, answers, eventually

UNIT = factories.unit_code(5)
UNITS_CSV = f"""unit,name,region,industry,annual_tce,commissioned_on,contact_email
{UNIT},手工厂,450202,C3120,12000,2020-01-01,
"""
METERS_CSV = f"""unit,meter,name,carrier,kind,uom,role,installed_at
{UNIT},E02,电表,electricity,interval,kWh,boundary,2020-01-01
"""


def free_port() -> int:
    with socket.socket() as candidate:
        candidate.bind(("127.0.0.1", 0))
        port: int = candidate.getsockname()[1]
        return port


def publish(
    services: Services, login: dict[str, str], batch: dict[str, object]
) -> dict[str, object]:
    """Publish as MQTT 3.1.1 would, with one connection; return the receipt."""
    receipts: list[dict[str, object]] = []
    arrived, subscribed = threading.Event(), threading.Event()

    def on_message(_client: Client, _userdata: object, message: MQTTMessage) -> None:
        receipts.append(json.loads(message.payload))
        arrived.set()

    broker = broker_url.parse(services.mqtt_url)
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=login["client id"],
        protocol=MQTTProtocolVersion.MQTTv311,
    )
    client.username_pw_set(login["username"], login["password"])
    client.on_message = on_message
    client.on_subscribe = lambda *_: subscribed.set()
    client.connect(broker.host, broker.port)
    client.loop_start()
    base = f"nenghao/v1/450200/{UNIT}/gw1"
    client.subscribe(f"{base}/receipts", qos=1)
    assert subscribed.wait(10)
    client.publish(f"{base}/readings", json.dumps(batch), qos=1)
    assert arrived.wait(10)
    client.disconnect()
    client.loop_stop()
    return receipts[0]


def test_a_batch_published_by_hand_can_be_read_back(programs: Programs, services: Services) -> None:
    port = free_port()
    programs.environment["NENGHAO_HTTP_PORT"] = str(port)
    for kind, text in (("units", UNITS_CSV), ("meters", METERS_CSV)):
        path = programs.folder / f"{kind}.csv"
        path.write_text(text, encoding="utf-8")
        programs.run("import", kind, str(path), "--apply")
    key = programs.run("keys", "create", "--label", "test", "--region", "450200").strip()
    out = programs.folder / "gw1"
    enrol = ("gateways", "enrol", "--unit", UNIT, "--gateway", "gw1", "--out", str(out))
    assert "450200, not of 450300" in programs.run(*enrol, "--city", "450300", code=2)
    assert "password" not in programs.run(*enrol, "--city", "450200")
    assert "login.txt and signing.key already" in programs.run(*enrol, code=2)
    shown = (out / "login.txt").read_text(encoding="utf-8")
    login = {k.strip(): v.strip() for k, v in (line.split(":", 1) for line in shown.splitlines())}
    programs.run("ready", code=1)
    assert "no collector nope was heard" in programs.run("ready", "--collector", "nope", code=1)
    for program in ("collect", "settle", "serve"):
        programs.start(program)
    url = f"http://127.0.0.1:{port}"
    eventually(lambda: answers(f"{url}/readyz"))

    at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    good = {"meter": "E02", "time": at.isoformat(), "value": 12.5}
    receipt = publish(
        services, login, {"batch": "by-hand-1", "readings": [good, {**good, "meter": "E99"}]}
    )
    published_at = time.monotonic()
    assert (receipt["received"], receipt["stored"], receipt["rejected_total"]) == (2, 1, 1)
    eventually(lambda: " ready " in programs.run("ready"))

    query = {"unit": UNIT, "from": at.isoformat(), "to": (at + timedelta(hours=1)).isoformat()}
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}) as client:
        (item,) = client.get("/v1/readings", params={**query, "meter": "E02"}).json()["items"]
        assert item["value"] == 12.5

        def consumed() -> bool:
            params = {**query, "bucket": "hour", "group_by": "energy"}
            rows = client.get("/v1/consumption", params=params).json()["items"]
            return [row["quantity"] for row in rows] == [12.5]

        eventually(consumed, within_s=5)
    assert time.monotonic() - published_at < 6
