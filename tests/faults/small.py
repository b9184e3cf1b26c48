"""Small disks: a tmpfs under a database or a broker of their own, and a ballast that fills it."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy import broker, processes
from deploy.broker import Broker
from deploy.installation import MOSQUITTO, POSTGRES, Installation
from deploy.postgres import DATABASE, OWNER, Postgres
from deploy.processes import ADDRESS, ServicesError
from deploy.services import Services

DATABASE_MB = 192
"""An empty cluster with the migrated schema takes 70 MB of it, the log (WAL) up to 32 MB."""

BROKER_MB = 4
CHUNK_BYTES = 65_536


class SmallPostgres(Postgres):
    """Our own server with a log (WAL) that suits a small disk."""

    def _initdb_options(self) -> list[str]:
        return [*super()._initdb_options(), "--wal-segsize=4"]

    def _create(self, password: str, report: processes.Report) -> None:
        super()._create(password, report)
        path = f"{self.data}/postgresql.conf"
        text = self.installation.read(POSTGRES, path) or ""
        for before, after in (
            ("max_wal_size = 4GB", "max_wal_size = 32MB\nmin_wal_size = 8MB"),
            ("shared_buffers = 512MB", "shared_buffers = 32MB"),
        ):
            assert before in text
            text = text.replace(before, after)
        self.installation.write(POSTGRES, path, text)


class SmallBroker(Broker):
    """Our own broker, which writes its queues down each second instead of each half minute."""

    def _start_on(self, port: int) -> None:
        text = broker.settings(
            port=port,
            address=ADDRESS,
            plugin=self.installation.plugin,
            folder=self.folder,
            log=f"file {self.log}",
        )
        assert "autosave_interval 30" in text
        text = text.replace("autosave_interval 30", "autosave_interval 1")
        inside = self.installation
        inside.write(MOSQUITTO, self.configuration, text)
        inside.run(MOSQUITTO, [inside.mosquitto, "-d", "-c", self.configuration])


@contextmanager
def mounted(inside: Installation, user: str, folder: str, size_mb: int) -> Iterator[Path]:
    """Yield where a tmpfs of `size_mb` lies that is `folder` to the installation's `user`."""
    uid, gid = inside.users[user]
    inside.make_folder(user, folder)
    target = inside.outside(folder)
    options = f"size={size_mb}m,mode=700,uid={uid},gid={gid}"
    if not processes.succeeds(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(target)]):
        inside.remove_folder(folder)
        pytest.skip("a small disk is a tmpfs, and this user may not mount one: run it as root")
    try:
        yield target
    finally:
        processes.run(["umount", str(target)])
        inside.remove_folder(folder)


@contextmanager
def database(
    plain: Postgres, password: str, size_mb: int = DATABASE_MB
) -> Iterator[tuple[Path, SmallPostgres, str]]:
    """Yield the small disk, the server on it, and the URL of its database."""
    folder = f"{plain.folder}-small"
    with mounted(plain.installation, POSTGRES, folder, size_mb) as disk:
        server = SmallPostgres(plain.installation, folder, f"{plain.name}-small")
        try:
            port = server.start(None, password, print)
            yield disk, server, f"postgresql://{OWNER}:{password}@{ADDRESS}:{port}/{DATABASE}"
        finally:
            server.stop(print)


@contextmanager
def broker_on(plain: Broker, machine: Services) -> Iterator[tuple[Path, SmallBroker, str, str]]:
    """Yield the small disk, the broker on it, the URLs of the collector and the administrator."""
    folder = f"{plain.folder}-small"
    passwords = {
        name: urlsplit(url).password or ""
        for name, url in (("collector", machine.mqtt_url), ("admin", machine.mqtt_admin_url))
    }
    with mounted(plain.installation, MOSQUITTO, folder, BROKER_MB) as disk:
        made = SmallBroker(plain.installation, folder)
        try:
            port = made.start(None, passwords, print)
            collector, admin = (
                f"mqtt://{name}:{password}@{ADDRESS}:{port}" for name, password in passwords.items()
            )
            yield disk, made, collector, admin
        finally:
            made.stop(print)


def fill(disk: Path, share: float = 1.0) -> None:
    """Lay ballast down until `share` of the disk is in use."""
    usage = shutil.disk_usage(disk)
    missing = int(usage.total * share) - usage.used
    with (disk / "ballast").open("ab", buffering=0) as file:
        try:
            while missing > 0:
                missing -= file.write(bytes(min(missing, CHUNK_BYTES)))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def relieve(disk: Path) -> None:
    (disk / "ballast").unlink()


def start_if_down(server: Postgres, port: int, password: str) -> bool:
    """Start the server as a supervisor would; return whether it runs."""
    if server.running() is None:
        try:
            server.start(port, password, print)
        except ServicesError as error:
            print(f"not yet: {error}")
    return server.running() is not None
