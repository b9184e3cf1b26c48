"""Owns one PostgreSQL server of the local services: its data folder, start and stop."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from importlib import resources

from deploy import processes
from deploy.installation import POSTGRES, Installation
from deploy.processes import ADDRESS, Report, Running, ServicesError

OWNER = "nenghao"
DATABASE = "nenghao"
START_S_MAX = 300
STOP_S_MAX = 60
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Postgres:
    installation: Installation
    folder: str  # as seen inside the installation's root
    name: str  # shown by ps

    @property
    def data(self) -> str:
        return f"{self.folder}/data"

    @property
    def log(self) -> str:
        return f"{self.folder}/postgresql.log"

    def start(self, port: int | None, password: str, report: Report) -> int:
        """Make sure the server runs, on `port` if that is free, and return its port."""
        running = self.running()
        if running is not None:
            self._create_database(running.port, password)
            return running.port
        self._create(password, report)
        self._clear_stale_lock()
        port = self._start_near(port)
        report(f"PostgreSQL 17 + TimescaleDB runs on {ADDRESS}:{port}")
        self._create_database(port, password)
        return port

    def stop(self, report: Report) -> None:
        """Stop with SIGINT: clients are sent away, the data is flushed, the next start is quick.

        SIGTERM would wait for pooled clients for ever.
        """
        running = self.running()
        if running is None:
            return
        if processes.stop(running.pid, signal.SIGINT, signal.SIGQUIT, timeout_s=STOP_S_MAX):
            report("PostgreSQL stopped")
        else:
            report(f"PostgreSQL did not stop within {STOP_S_MAX} s and was ended; it will recover")

    def running(self) -> Running | None:
        """Return the server's process and port, or None when it does not run."""
        text = self.installation.read(POSTGRES, f"{self.data}/postmaster.pid")
        lines = (text or "").splitlines()  # pid, data folder, start, port, …
        if len(lines) < 4 or not (lines[0].strip().isdigit() and lines[3].strip().isdigit()):
            return None
        pid, port = int(lines[0]), int(lines[3])
        return Running(pid, port) if self.installation.is_running(pid, self.data) else None

    def has_data(self) -> bool:
        return self.installation.succeeds(POSTGRES, ["test", "-e", f"{self.data}/PG_VERSION"])

    def _create(self, password: str, report: Report) -> None:
        """Make the data folder, under another name until it is whole."""
        inside = self.installation
        if not self.has_data():
            report("creating the database cluster")
            inside.make_folder(POSTGRES, self.folder)
            partial = f"{self.folder}/data.partial"
            inside.run(POSTGRES, ["rm", "-rf", partial])
            inside.write(POSTGRES, f"{self.folder}/password", password + "\n")
            inside.run(
                POSTGRES, [inside.postgres("initdb"), "-D", partial, *self._initdb_options()]
            )
            inside.run(POSTGRES, ["rm", "-f", f"{self.folder}/password"])
            inside.run(POSTGRES, ["mv", partial, self.data])
        text = (resources.files("deploy") / "postgresql.conf").read_text(encoding="utf-8")
        inside.write(POSTGRES, f"{self.data}/postgresql.conf", text)

    def _initdb_options(self) -> list[str]:
        return [
            f"--username={OWNER}",
            f"--pwfile={self.folder}/password",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--data-checksums",
        ]

    def _start_near(self, port: int | None) -> int:
        """Start on `port` or, when somebody has it or was faster, on another one."""
        for tries_left in reversed(range(_TRIES)):
            port = processes.free_port(port)
            try:
                self._start_on(port)
                return port
            except ServicesError as error:
                if not tries_left:
                    words = self._last_words()
                    raise ServicesError(f"PostgreSQL did not start: {words}") from error
                time.sleep(1)
        raise AssertionError("unreachable")

    def _start_on(self, port: int) -> None:
        # a private root has no /dev/shm its users may write to
        memory = " -c dynamic_shared_memory_type=mmap" if self.installation.is_private else ""
        control = [self.installation.postgres("pg_ctl"), "start", "--silent", "--wait"]
        options = f"-p {port} -c cluster_name={self.name}{memory}"
        self.installation.run(
            POSTGRES,
            [*control, f"-t{START_S_MAX}", "-D", self.data, "-l", self.log, "-o", options],
            timeout_s=START_S_MAX + 30,
        )

    def _clear_stale_lock(self) -> None:
        """Remove the pid file of a server that was killed, once its children are gone as well.

        PostgreSQL itself is misled by a zombie, which stays where nobody collects it (some
        containers), and by another process that was given the same number.
        """
        path = f"{self.data}/postmaster.pid"
        if self.installation.read(POSTGRES, path) is None:
            return
        data = self.installation.outside(self.data)
        if not processes.wait_until(lambda: not processes.works_in(data), timeout_s=15):
            raise ServicesError(f"another server works in {data}")
        self.installation.run(POSTGRES, ["rm", "-f", path])

    def _create_database(self, port: int, password: str) -> None:
        created = f"{self.folder}/database-created"
        if self.installation.succeeds(POSTGRES, ["test", "-e", created]):
            return
        login = [f"--host={ADDRESS}", f"--port={port}", f"--username={OWNER}"]
        command = [self.installation.postgres("createdb"), *login, DATABASE]
        try:
            processes.run(
                self.installation.argv(POSTGRES, command), environment={"PGPASSWORD": password}
            )
        except ServicesError as error:
            if "already exists" not in str(error):
                raise
        self.installation.write(POSTGRES, created, "")

    def _last_words(self) -> str:
        return processes.last_lines(self.installation.read(POSTGRES, self.log) or "")
