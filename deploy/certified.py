"""Owns a Mosquitto broker whose gateways log in with certificates.

What `nenghao services` starts is the simpler broker with passwords; this one is for production, and
for trying it out before.
"""

from __future__ import annotations

import os
import re
import signal
import string
from dataclasses import dataclass
from importlib import resources

from deploy import processes
from deploy.broker import COLLECTOR, Broker
from deploy.installation import MOSQUITTO
from deploy.processes import ADDRESS


@dataclass(frozen=True, slots=True)
class CertifiedBroker(Broker):
    """Its gateways' port is that of `start`; collectors log in on the inner one."""

    def install(self, files: dict[str, str], collector_password: str) -> None:
        """Put `files` (ca.pem, crl.pem, server.pem, server.key) and the collector's login there."""
        inside = self.installation
        inside.make_folder(MOSQUITTO, self.folder)
        for name, text in files.items():
            inside.write(MOSQUITTO, f"{self.folder}/{name}", text)
        inside.write(MOSQUITTO, f"{self.folder}/acl", _text("acl"))
        passwords = f"{self.folder}/passwords"
        command = ["mosquitto_passwd", "-b", "-c", passwords, COLLECTOR, collector_password]
        inside.run(MOSQUITTO, command)

    def revoke(self, crl_pem: str) -> None:
        """Take a new list of revoked certificates; those connected now stay until they are cut."""
        self.installation.write(MOSQUITTO, f"{self.folder}/crl.pem", crl_pem)
        running = self.running()
        if running is not None:
            os.kill(running.pid, signal.SIGHUP)

    @property
    def inner_port(self) -> int | None:
        text = self.installation.read(MOSQUITTO, self.configuration) or ""
        ports = re.findall(r"^listener (\d+)", text, re.MULTILINE)
        return int(ports[1]) if ports else None

    def _create(self, passwords: dict[str, str]) -> None:
        """Everything is there already: see `install`."""

    def _start_on(self, port: int) -> None:
        text = settings(
            port=port,
            address=ADDRESS,
            inner_port=processes.free_port(self.inner_port),
            inner_address=ADDRESS,
            certificates=self.folder,
            folder=self.folder,
            log=f"file {self.log}",
        )
        inside = self.installation
        inside.write(MOSQUITTO, self.configuration, text)
        inside.run(MOSQUITTO, [inside.mosquitto, "-d", "-c", self.configuration])


def settings(
    *,
    port: int,
    address: str,
    inner_port: int,
    inner_address: str,
    certificates: str,
    folder: str,
    log: str,
) -> str:
    """Return the text of mosquitto.conf for gateways with certificates."""
    return string.Template(_text("certificates.conf")).substitute(
        port=port,
        address=address,
        inner_port=inner_port,
        inner_address=inner_address,
        certificates=certificates,
        folder=folder,
        log=log,
    )


def access_rules() -> str:
    """Return what each login may do, before gateways that speak Sparkplug."""
    return _text("acl")


def _text(name: str) -> str:
    return (resources.files("deploy") / "mosquitto" / name).read_text(encoding="utf-8")
