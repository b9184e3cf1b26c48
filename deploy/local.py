"""Owns the pair PostgreSQL and Mosquitto run from an installation, native or in a private root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deploy import installation, root
from deploy.broker import Broker
from deploy.installation import POSTGRES, Installation
from deploy.postgres import OWNER, Postgres
from deploy.processes import Report, ServicesError

_FOLDER_IN_ROOT = "/var/lib/nenghao"


@dataclass(frozen=True, slots=True)
class Pair:
    postgres: Postgres
    broker: Broker

    def start(
        self,
        postgres_port: int | None,
        broker_port: int | None,
        passwords: dict[str, str],
        report: Report,
    ) -> tuple[int, int]:
        """Make sure both run; return the ports of PostgreSQL and Mosquitto.

        When that fails or is interrupted, what this call started is stopped again.
        """
        started = [each for each in (self.broker, self.postgres) if each.running() is None]
        try:
            return (
                self.postgres.start(postgres_port, passwords[OWNER], report),
                self.broker.start(broker_port, passwords, report),
            )
        except BaseException:
            for each in started:
                each.stop(report)
            raise

    def stop(self, report: Report) -> None:
        self.broker.stop(report)
        self.postgres.stop(report)

    def discard(self) -> None:
        """Remove the data of both."""
        self.postgres.installation.remove_folder(str(Path(self.postgres.folder).parent))

    def is_running(self) -> bool:
        return self.postgres.running() is not None and self.broker.running() is not None

    def has_data(self) -> bool:
        return self.postgres.has_data()


def native(home: Path) -> Pair:
    """Return the pair run from the machine's own packages, its data in `home`."""
    pair = _pair(installation.native(), f"{home}/data", home.name)
    pair.postgres.installation.make_folder(POSTGRES, pair.postgres.folder)
    if not pair.postgres.installation.succeeds(POSTGRES, ["test", "-w", pair.postgres.folder]):
        raise ServicesError(f"the user {POSTGRES} cannot enter {home}")
    return pair


def private(home: Path, report: Report) -> Pair:
    """Return the pair run from the private root that all instances beside `home` share."""
    return _pair(root.ensure(_root(home), report), f"{_FOLDER_IN_ROOT}/{home.name}", home.name)


def has_root(home: Path) -> bool:
    return _root(home).exists()


def _root(home: Path) -> Path:
    return (home.parent / "root").resolve()


def _pair(found: Installation, folder: str, name: str) -> Pair:
    return Pair(
        Postgres(found, f"{folder}/postgres", f"nenghao-{name}"),
        Broker(found, f"{folder}/mosquitto"),
    )
