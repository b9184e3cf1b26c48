"""Owns one Mosquitto broker of the local services: its settings, first logins, start and stop."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import signal
import string
from dataclasses import dataclass
from importlib import resources

from deploy import processes
from deploy.installation import MOSQUITTO, Installation
from deploy.processes import ADDRESS, Report, Running, ServicesError

ADMIN = "admin"
COLLECTOR = "collector"
START_S_MAX = 120  # a queue of millions is read at start and written at stop
STOP_S_MAX = 120
_TRIES = 3
_ITERATIONS = 101  # the plugin's own figure; the passwords are random and long

_GATEWAY = "nenghao/v1/+/+/+"
_HEARD = (
    f"{_GATEWAY}/readings",
    f"{_GATEWAY}/status",
    *(f"spBv1.0/+/{kind}/+" for kind in ("NBIRTH", "NDEATH", "NDATA")),
    *(f"spBv1.0/+/{kind}/+/+" for kind in ("DBIRTH", "DDEATH", "DDATA")),
    "$SYS/broker/publish/messages/dropped",
    "$SYS/broker/store/messages/count",
    "$SYS/broker/store/messages/bytes",
)
_ROLES = {
    ADMIN: (
        ("publishClientSend", "$CONTROL/dynamic-security/#"),
        ("publishClientReceive", "$CONTROL/dynamic-security/#"),
        ("subscribePattern", "$CONTROL/dynamic-security/#"),
        ("publishClientReceive", "$SYS/#"),
        ("subscribePattern", "$SYS/#"),
        ("unsubscribePattern", "#"),
    ),
    COLLECTOR: (
        *(("subscribePattern", topic) for topic in _HEARD),
        *(("publishClientReceive", topic) for topic in _HEARD),
        ("publishClientSend", "spBv1.0/+/NCMD/+"),
        ("publishClientSend", f"{_GATEWAY}/receipts"),
        ("publishClientSend", f"{_GATEWAY}/requests"),
        ("unsubscribePattern", "#"),
    ),
}


@dataclass(frozen=True, slots=True)
class Broker:
    installation: Installation
    folder: str  # as seen inside the installation's root

    @property
    def configuration(self) -> str:
        return f"{self.folder}/mosquitto.conf"

    @property
    def log(self) -> str:
        return f"{self.folder}/mosquitto.log"

    def start(self, port: int | None, passwords: dict[str, str], report: Report) -> int:
        """Make sure the broker runs, on `port` if that is free, and return its port."""
        running = self.running()
        if running is not None:
            return running.port
        self._create(passwords)
        for tries_left in reversed(range(_TRIES)):
            port = processes.free_port(port)
            self._start_on(port)
            if self._is_up(port):
                break
            if not tries_left:
                raise ServicesError(f"Mosquitto did not start: {self._last_words()}")
        assert port is not None
        report(f"Mosquitto runs on {ADDRESS}:{port}")
        return port

    def stop(self, report: Report) -> None:
        """Stop with SIGTERM: the broker writes its queues and sessions to disk before it ends."""
        running = self.running()
        if running is None:
            return
        if processes.stop(running.pid, signal.SIGTERM, signal.SIGKILL, timeout_s=STOP_S_MAX):
            report("Mosquitto stopped")
        else:
            report(f"Mosquitto did not stop within {STOP_S_MAX} s and was ended")

    def running(self) -> Running | None:
        """Return the broker's process and port, or None when it does not run."""
        pid = (self.installation.read(MOSQUITTO, f"{self.folder}/mosquitto.pid") or "").strip()
        if not pid.isdigit() or not self.installation.is_running(int(pid), self.configuration):
            return None
        text = self.installation.read(MOSQUITTO, self.configuration) or ""
        listener = re.search(r"^listener (\d+)", text, re.MULTILINE)
        return Running(int(pid), int(listener[1])) if listener else None

    def _create(self, passwords: dict[str, str]) -> None:
        logins = f"{self.folder}/dynamic-security.json"
        if not self.installation.succeeds(MOSQUITTO, ["test", "-e", logins]):
            self.installation.make_folder(MOSQUITTO, self.folder)
            self.installation.write(MOSQUITTO, logins, first_logins(passwords))

    def _start_on(self, port: int) -> None:
        text = settings(
            port=port,
            address=ADDRESS,
            plugin=self.installation.plugin,
            folder=self.folder,
            log=f"file {self.log}",
        )
        inside = self.installation
        inside.write(MOSQUITTO, self.configuration, text)
        inside.run(MOSQUITTO, [inside.mosquitto, "-d", "-c", self.configuration])

    def _is_up(self, port: int) -> bool:
        """Return whether the broker came up; it is given up at once when its process ends."""
        processes.wait_until(lambda: self.running() is not None, timeout_s=5)
        processes.wait_until(
            lambda: processes.accepts(port) or self.running() is None, timeout_s=START_S_MAX
        )
        return self.running() is not None and processes.accepts(port)

    def _last_words(self) -> str:
        return processes.last_lines(self.installation.read(MOSQUITTO, self.log) or "")


def settings(*, port: int, address: str, plugin: str, folder: str, log: str) -> str:
    """Return the text of mosquitto.conf."""
    template = (resources.files("deploy") / "mosquitto" / "passwords.conf").read_text(
        encoding="utf-8"
    )
    return string.Template(template).substitute(
        port=port, address=address, plugin=plugin, folder=folder, log=log
    )


def first_logins(passwords: dict[str, str]) -> str:
    """Return the first state of the dynamic-security plugin: two logins, and nothing by default.

    What `mosquitto_ctrl dynsec init` would write, but without publishClientReceive for everybody.
    """
    state = {
        "defaultACLAccess": dict.fromkeys(
            ("publishClientSend", "publishClientReceive", "subscribe", "unsubscribe"), False
        ),
        "clients": [_login(name, passwords[name]) for name in _ROLES],
        "roles": [
            {
                "rolename": name,
                "acls": [
                    {"acltype": kind, "topic": topic, "priority": 0, "allow": True}
                    for kind, topic in access
                ],
            }
            for name, access in _ROLES.items()
        ],
    }
    return json.dumps(state, indent=1)


def _login(name: str, password: str) -> dict[str, object]:
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS, 64)
    return {
        "username": name,
        "password": base64.b64encode(digest).decode(),
        "salt": base64.b64encode(salt).decode(),
        "iterations": _ITERATIONS,
        "roles": [{"rolename": name}],
    }
