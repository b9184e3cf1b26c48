"""Owns Node-RED as a user would set it up: mqtt in, a function, an INSERT for each reading.

QoS 1, MQTT 5, a persistent session; its PostgreSQL node has a pool of ten connections.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bench.stage import LOGS, STATE_DIR, Stage
from deploy import processes

SOURCE = Path(__file__).parent / "nodered"
INSTALLED = STATE_DIR / "peers" / "nodered"
COMMAND = INSTALLED / "node_modules" / ".bin" / "node-red"

INSERT = """
INSERT INTO readings (meter_id, read_at, raw_value, quality, received_at)
SELECT meter_id, $3::timestamptz, $4::float8, 'good', now()
  FROM meters JOIN units USING (unit_id) WHERE unit = $1 AND meter = $2
    ON CONFLICT DO NOTHING
"""

FUNCTION = """
const unit = msg.topic.split('/')[3];
return [msg.payload.readings.map(r => ({params: [unit, r.meter, r.time, r.value]}))];
"""


def install() -> None:
    """Install the locked packages; npm and its registry are the machine's own."""
    INSTALLED.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "settings.js"):
        shutil.copy(SOURCE / name, INSTALLED / name)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=INSTALLED, check=True, timeout=600)


def is_installed() -> bool:
    return COMMAND.exists()


def start(stage: Stage, url: str, client_id: str) -> subprocess.Popen[bytes]:
    """Start Node-RED with the flow that stores what waits in the session `client_id`."""
    folder = LOGS / client_id
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "flows.json").write_text(json.dumps(_flow(stage, url, client_id), indent=1))
    broker = {"user": stage.broker.username, "password": stage.broker.password}
    (folder / "flows_cred.json").write_text(json.dumps({"broker": broker}))
    shutil.copy(INSTALLED / "settings.js", folder / "settings.js")
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to((INSTALLED / "node_modules").resolve())
    shutil.copy(INSTALLED / "package.json", folder / "package.json")
    argv = [str(COMMAND.resolve()), "--userDir", str(folder.resolve())]
    port = str(processes.free_port(None))
    return stage.run(argv, url, client_id, NODERED_PORT=port, HOME=os.environ.get("HOME", "/"))


def _flow(stage: Stage, url: str, client_id: str) -> list[dict[str, object]]:
    database = urlsplit(url)
    return [
        {"id": "tab", "type": "tab", "label": "readings"},
        {
            "id": "broker", "type": "mqtt-broker", "broker": stage.broker.host,
            "port": str(stage.broker.port), "clientid": client_id, "autoConnect": True,
            "usetls": False, "protocolVersion": "5", "keepalive": "60", "cleansession": False,
            "autoUnsubscribe": False, "sessionExpiry": "86400",
        },
        {
            "id": "database", "type": "postgresDB", "host": database.hostname,
            "hostFieldType": "str", "port": str(database.port), "portFieldType": "num",
            "database": database.path.lstrip("/"), "databaseFieldType": "str", "ssl": "false",
            "sslFieldType": "bool", "max": "10", "maxFieldType": "num", "min": "1",
            "minFieldType": "num", "idle": "1000", "idleFieldType": "num",
            "connectionTimeout": "10000", "connectionTimeoutFieldType": "num",
            "user": database.username, "userFieldType": "str",
            "password": unquote(database.password or ""), "passwordFieldType": "str",
        },
        {
            "id": "in", "type": "mqtt in", "z": "tab", "topic": "nenghao/v1/+/+/+/readings",
            "qos": "1", "datatype": "json", "broker": "broker", "nl": False, "rap": True,
            "rh": 0, "inputs": 0, "wires": [["split"]],
        },
        {
            "id": "split", "type": "function", "z": "tab", "func": FUNCTION, "outputs": 1,
            "wires": [["store"]],
        },
        {
            "id": "store", "type": "postgrestor", "z": "tab", "query": INSERT,
            "postgresDB": "database", "output": False, "outputs": 1, "throwErrors": True,
            "wires": [[]],
        },
    ]  # fmt: skip


if __name__ == "__main__":
    install()
    print(f"Node-RED is installed in {INSTALLED}", file=sys.stderr)
