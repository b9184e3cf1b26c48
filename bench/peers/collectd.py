"""Owns collectd as a user would set it up: its mqtt plugin hears, its postgresql plugin stores.

Its mqtt plugin reads no JSON: the topic says host, plugin and type, the payload is `epoch:value`.
So the fleet says the same readings in its words, one a message, through a login for its topics.
QoS 1, MQTT 3.1.1 (the plugin knows no other), a persistent session.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import unquote, urlsplit

import psycopg

from bench import load
from bench.load import Load, Message
from bench.peers import debian
from bench.stage import LOGS, STATE_DIR, Stage, new_name
from deploy.processes import ServicesError
from ingest import broker_url, credentials
from ingest.credentials import Login

INSTALLED = STATE_DIR / "peers" / "collectd"
COMMAND = INSTALLED / "usr" / "sbin" / "collectd"
PACKAGES = ["collectd-core", "libmosquitto1", "libpq5"]
TOPICS = "collectd/#"
LOGIN = "collectd"
LOGIN_S_MAX = 10

FUNCTION = """
CREATE OR REPLACE FUNCTION collectd_insert(
    at timestamptz, host text, plugin text, plugin_instance text, type text, type_instance text,
    value_names text[], type_names text[], said float8[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at)
    SELECT meter_id, at, said[1], 'good', now()
      FROM meters JOIN units USING (unit_id) WHERE unit = host AND meter = type_instance
        ON CONFLICT DO NOTHING;
END $$
"""
"""Its manual advises a function of one's own; the plan of an INSERT in one is kept."""

SETTINGS = """
Hostname "bench"
FQDNLookup false
Interval 1
BaseDir "{folder}"
PIDFile "{folder}/collectd.pid"
PluginDir "{installed}/usr/lib/collectd"
TypesDB "{installed}/usr/share/collectd/types.db"
LoadPlugin logfile
<Plugin logfile>
  LogLevel warning
  File stdout
</Plugin>
LoadPlugin uptime
LoadPlugin mqtt
<Plugin mqtt>
  <Subscribe "readings">
    Host "{broker.host}"
    Port "{broker.port}"
    User "{broker.username}"
    Password "{broker.password}"
    ClientId "{client_id}"
    QoS 1
    CleanSession false
    Topic "{topics}"
  </Subscribe>
</Plugin>
LoadPlugin postgresql
<Plugin postgresql>
  <Writer readings>
    Statement "SELECT collectd_insert($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    StoreRates false
  </Writer>
  <Database "{name}">
    Host "{database.hostname}"
    Port "{database.port}"
    User "{database.username}"
    Password "{password}"
    Writer readings
    CommitInterval 1
  </Database>
</Plugin>
"""
"""A transaction is committed by the first value after its second: the uptime, if no reading comes.

Not by FlushInterval: its thread uses the writers' connection beside them, and hung.
"""


@dataclass(frozen=True)
class Values(Load):
    """The same readings, each in collectd's words."""

    def batches(self, unit: int) -> Iterator[Message]:
        for _, payload in super().batches(unit):
            for reading in json.loads(payload)["readings"]:
                read_at = datetime.fromisoformat(reading["time"])
                topic = f"collectd/{load.unit_code(unit)}/gw1/gauge-{reading['meter']}"
                yield topic, f"{read_at.timestamp():.0f}:{reading['value']}".encode()


def is_installed() -> bool:
    return COMMAND.exists()


def on(stage: Stage) -> Stage:
    """Return the stage with a login for collectd's topics, which the fleet and the peer share."""
    password = secrets.token_urlsafe(24)
    access = ("publishClientSend", "publishClientReceive", "subscribePattern")
    acls = [{"acltype": each, "topic": TOPICS, "allow": True} for each in access]
    roles = [{"rolename": LOGIN}]
    commands = [
        {"command": "deleteClient", "username": LOGIN},
        {"command": "deleteRole", "rolename": LOGIN},
        {"command": "createRole", "rolename": LOGIN, "acls": acls},
        {"command": "createClient", "username": LOGIN, "password": password, "roles": roles},
    ]
    admin = broker_url.parse(stage.services.mqtt_admin_url)
    client = replace(stage, broker=admin).client(new_name("admin"))
    client.connect(admin.host, admin.port)
    client.loop_start()
    said = client.publish(credentials.CONTROL, json.dumps({"commands": commands}), qos=1)
    said.wait_for_publish(LOGIN_S_MAX)
    client.disconnect()
    client.loop_stop()
    broker = replace(stage.broker, username=LOGIN, password=password)
    logins = [Login("", "", "", LOGIN, password)] * load.UNITS
    return replace(stage, broker=broker, logins=logins)


def start(stage: Stage, url: str, client_id: str) -> subprocess.Popen[bytes]:
    """Start collectd, which stores what waits in the session `client_id`."""
    folder = LOGS / client_id
    folder.mkdir(parents=True, exist_ok=True)
    with psycopg.connect(url) as connection:
        connection.execute(FUNCTION)
    database = urlsplit(url)
    text = SETTINGS.format(
        folder=folder.resolve(),
        installed=INSTALLED.resolve(),
        broker=stage.broker,
        client_id=client_id,
        topics=TOPICS,
        database=database,
        name=database.path.lstrip("/"),
        password=unquote(database.password or ""),
    )
    (folder / "collectd.conf").write_text(text)
    argv = [str(COMMAND.resolve()), "-f", "-C", str((folder / "collectd.conf").resolve())]
    return stage.run(argv, url, client_id, LD_LIBRARY_PATH=debian.libraries(INSTALLED))


if __name__ == "__main__":
    try:
        debian.unpack(PACKAGES, INSTALLED)
        print(f"collectd is installed in {INSTALLED}", file=sys.stderr)
    except ServicesError as error:
        print(f"collectd is left out, it comes from Debian's packages: {error}", file=sys.stderr)
