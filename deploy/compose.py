"""Owns running the local services with Docker Compose, where an engine answers."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from deploy import broker, processes
from deploy.processes import Report

ANSWER_S_MAX = 15
START_S_MAX = 900  # images are fetched the first time
STOP_S_MAX = 180
_SERVICES = {"postgres", "mosquitto"}
_BROKER_PORT = 1883


def composition(folder: Path) -> Composition:
    """Return the project of `folder`, or raise with why Docker Compose will not do here."""
    _docker(["info", "--format", "{{.ServerVersion}}"], timeout_s=ANSWER_S_MAX)
    _docker(["compose", "version"], timeout_s=ANSWER_S_MAX)
    return Composition(folder)


@dataclass(frozen=True, slots=True)
class Composition:
    """One project of Docker Compose; `folder` holds what its containers are given."""

    folder: Path

    @property
    def project(self) -> str:
        """Two checkouts on one machine must not share containers."""
        return "nenghao-" + hashlib.sha256(str(self.folder).encode()).hexdigest()[:12]

    def start(
        self,
        postgres_port: int | None,
        broker_port: int | None,
        passwords: dict[str, str],
        report: Report,
    ) -> tuple[int, int]:
        """Make sure both containers run; return the ports of PostgreSQL and Mosquitto."""
        if postgres_port is None or broker_port is None or not self.is_running():
            postgres_port = processes.free_port(postgres_port)
            broker_port = processes.free_port(broker_port)
        self._write(postgres_port, broker_port, passwords)
        report("starting PostgreSQL + TimescaleDB and Mosquitto with Docker Compose")
        up = ["up", "--detach", "--wait", "--wait-timeout", str(START_S_MAX - 60)]
        try:
            self._compose(up, timeout_s=START_S_MAX)
        except BaseException:
            self.stop(report)
            raise
        return postgres_port, broker_port

    def stop(self, report: Report) -> None:
        """Stop both containers and keep their volumes."""
        if self.is_running(any_of_them=True):
            self._compose(["stop", "--timeout", str(STOP_S_MAX - 30)], timeout_s=STOP_S_MAX)
            report("the containers stopped")

    def discard(self) -> None:
        self._compose(["down", "--volumes", "--timeout", "30"], timeout_s=STOP_S_MAX)

    def has_data(self) -> bool:
        named = ["volume", "ls", "--quiet", "--filter", f"name={self.project}_"]
        return bool(_docker(named, timeout_s=60).strip())

    def is_running(self, *, any_of_them: bool = False) -> bool:
        if not (self.folder / "env").exists():
            return False
        listed = self._compose(["ps", "--services", "--status", "running"], timeout_s=60)
        running = _SERVICES.intersection(listed.split())
        return bool(running) if any_of_them else running == _SERVICES

    def _write(self, postgres_port: int, broker_port: int, passwords: dict[str, str]) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        settings = broker.settings(
            port=_BROKER_PORT,
            address="0.0.0.0",
            plugin="/usr/lib/mosquitto_dynamic_security.so",
            folder="/mosquitto/data",
            log="stdout",
        )
        _write_private(self.folder / "mosquitto.conf", settings)
        logins = self.folder / "dynamic-security.json"
        if not logins.exists():
            _write_private(logins, broker.first_logins(passwords))
        _write_private(
            self.folder / "env",
            f"POSTGRES_PORT={postgres_port}\nMQTT_PORT={broker_port}\n"
            f"POSTGRES_PASSWORD={passwords['nenghao']}\nBROKER_FOLDER='{self.folder}'\n",
        )

    def _compose(self, command: list[str], *, timeout_s: float) -> str:
        file = resources.files("deploy") / "compose.yaml"
        project = ["--project-name", self.project, "--env-file", str(self.folder / "env")]
        return _docker(["compose", "-f", str(file), *project, *command], timeout_s=timeout_s)


def _docker(command: list[str], *, timeout_s: float) -> str:
    # the user's own variables say where the engine is and how to log in
    chosen = {name: text for name, text in os.environ.items() if name.startswith("DOCKER_")}
    chosen |= {
        name: os.environ[name] for name in ("PATH", "HOME", "XDG_RUNTIME_DIR") if name in os.environ
    }
    return processes.run(["docker", *command], timeout_s=timeout_s, environment=chosen)


def _write_private(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".new")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)
