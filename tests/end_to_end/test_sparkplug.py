"""A Sparkplug B edge node against the whole collector: QoS 0, births, aliases, a rebirth."""

from __future__ import annotations

import time

import psycopg

from deploy.services import Services
from ingest import credentials
from ingest.sparkplug.datatypes import Datatype
from ingest.sparkplug.sparkplug_b_pb2 import Metric, Payload
from tests import factories
from tests.end_to_end.conftest import Programs, eventually
from tests.peers import Peer

UNIT = factories.unit_code(61)
ROOT = f"spBv1.0/{UNIT}"


def message(seq: int, *metrics: Metric) -> bytes:
    sent_ms = int(time.time() * 1000)
    return Payload(timestamp=sent_ms, seq=seq, metrics=metrics).SerializeToString()


def stored(url: str) -> list[float]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT raw_value FROM readings ORDER BY read_at").fetchall()
    return [row[0] for row in rows]


def test_an_edge_node_is_heard_and_asked_to_be_born_again(
    services: Services, programs: Programs, database_url: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "WITH u AS (INSERT INTO units (unit, name, region, industry) "
            "VALUES (%s, 'x', '450202', 'C3120') RETURNING unit_id), "
            "g AS (INSERT INTO gateways (unit_id, gateway) SELECT unit_id, 'gw1' FROM u) "
            "INSERT INTO meters (unit_id, meter, name, carrier, kind, uom, interval_s, role, "
            "installed_at) SELECT unit_id, 'E01', 'x', 'electricity', 'register', 'kWh', 60, "
            "'boundary', '2026-01-01Z' FROM u",
            (UNIT,),
        )
    (login,) = credentials.grant(services.mqtt_admin_url, [("450200", UNIT, "gw1")])
    programs.start("collect")
    log = programs.folder / "collect.log"
    eventually(lambda: log.exists() and "connected" in log.read_text())
    time.sleep(0.5)  # its subscriptions
    value = Metric(alias=1, double_value=101.0, timestamp=int(time.time() * 1000))
    with Peer(services.mqtt_url, login.username, login.password) as node:
        assert node.subscribe(f"{ROOT}/NCMD/gw1") == "Granted QoS 1"
        node.send(f"{ROOT}/NDATA/gw1", message(5, value))
        topic, command = node.next_message()
        assert topic == f"{ROOT}/NCMD/gw1"
        assert Payload.FromString(command).metrics[0].name == "Node Control/Rebirth"

        session = Metric(name="bdSeq", datatype=Datatype.INT64, long_value=0)
        first = Metric(name="E01", alias=1, datatype=Datatype.DOUBLE, double_value=100.0)
        node.send(f"{ROOT}/NBIRTH/gw1", message(0, session, first))
        time.sleep(0.01)
        node.send(f"{ROOT}/NDATA/gw1", message(1, Metric(alias=1, double_value=102.5)))
        eventually(lambda: stored(database_url) == [100.0, 102.5])
