"""Owns where the programs of PostgreSQL and Mosquitto are, and how to run them as whom."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy import processes
from deploy.processes import ServicesError

POSTGRES = "postgres"
MOSQUITTO = "mosquitto"
MOSQUITTO_OLDEST = (2, 0, 21)  # older ones were not tried, and lose messages in more ways
HOST = Path("/")

_POSTGRES_BIN = "usr/lib/postgresql/17/bin"
_TIMESCALEDB = "usr/share/postgresql/17/extension/timescaledb.control"
_BROKER = "usr/sbin/mosquitto"
_PLUGIN = "usr/lib/*/mosquitto_dynamic_security.so"
_PASSWD = "etc/passwd"


@dataclass(frozen=True, slots=True)
class Installation:
    """PostgreSQL 17 + TimescaleDB and Mosquitto under `root`: the machine's own, or a private one.

    Paths are those seen inside `root`. Users are those of `root`; whoever is not root himself and
    has the programs natively runs them as himself.
    """

    root: Path
    plugin: str
    users: dict[str, tuple[int, int]]

    @property
    def is_private(self) -> bool:
        return self.root != HOST

    def argv(self, user: str, command: Sequence[str]) -> list[str]:
        """Return the command line that runs `command` inside `root` as `user`, or as "root"."""
        uid, gid = self.users[user]
        if self.is_private:
            enter = ["chroot", f"--userspec={uid}:{gid}", f"--groups={gid}", str(self.root)]
            return [*([] if os.geteuid() == 0 else _with_devices(self.root)), *enter, *command]
        if os.geteuid() != 0:
            return list(command)
        change = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
        return [*change, *command]

    def run(
        self, user: str, command: Sequence[str], *, text: str = "", timeout_s: float = 120
    ) -> str:
        return processes.run(self.argv(user, command), text=text, timeout_s=timeout_s)

    def succeeds(self, user: str, command: Sequence[str]) -> bool:
        return processes.succeeds(self.argv(user, command))

    def write(self, user: str, path: str, text: str) -> None:
        """Write a file only `user` can read, whole or not at all."""
        script = 'umask 077 && cat > "$1.new" && mv -f "$1.new" "$1"'
        self.run(user, ["sh", "-c", script, "sh", path], text=text)

    def read(self, user: str, path: str) -> str | None:
        """Return the text of a file, or None when it cannot be read."""
        try:
            return self.run(user, ["cat", path])
        except ServicesError:
            return None

    def make_folder(self, user: str, path: str) -> None:
        """Make a folder that belongs to `user` and that nobody else can enter."""
        if self.is_private or os.geteuid() == 0:
            uid, gid = self.users[user]
            self.run("root", ["mkdir", "-p", "-m", "755", str(Path(path).parent)])
            self.run("root", ["install", "-d", "-m", "700", f"-o{uid}", f"-g{gid}", path])
        else:
            self.run(user, ["mkdir", "-p", "-m", "700", path])

    def remove_folder(self, path: str) -> None:
        self.run("root", ["rm", "-rf", "--one-file-system", path])

    def outside(self, path: str) -> Path:
        """Return where a path inside `root` is on the machine."""
        return self.root / path.lstrip("/")

    def is_running(self, pid: int, argument: str) -> bool:
        return processes.is_running(pid, root=self.root, argument=argument)

    def postgres(self, program: str) -> str:
        return f"/{_POSTGRES_BIN}/{program}"

    @property
    def mosquitto(self) -> str:
        return f"/{_BROKER}"


# The caller becomes root of his own user namespace; the services' users are his subordinate ids.
NAMESPACE = ["unshare", "--user", "--map-root-user", "--map-auto"]


def _with_devices(root: Path) -> list[str]:
    """Return the command that shows `root` the machine's /dev, which it could not make itself."""
    script = 'mount --rbind /dev "$0/dev" && exec "$@"'
    return [*NAMESPACE, "--mount", "sh", "-c", script, str(root)]


def locate(root: Path) -> Installation:
    """Return the installation under `root`, or raise with what is missing there."""
    for wanted in (f"{_POSTGRES_BIN}/postgres", _TIMESCALEDB, _BROKER):
        if not (root / wanted).exists():
            raise ServicesError(f"{root / wanted} is not there")
    plugin = next(root.glob(_PLUGIN), None)
    if plugin is None:
        raise ServicesError(f"{root / _PLUGIN} is not there")
    users = _users((root / _PASSWD).read_text()) | {"root": (0, 0)}
    for name in (POSTGRES, MOSQUITTO):
        if name not in users:
            raise ServicesError(f"{root / _PASSWD} has no user {name}")
    return Installation(root, "/" + str(plugin.relative_to(root)), users)


def mosquitto_version(installation: Installation) -> tuple[int, ...]:
    """Return the broker's version. `mosquitto -h` prints it and ends with 3."""
    command = ["sh", "-c", f"{installation.mosquitto} -h || true"]
    found = re.search(r"version (\d+)\.(\d+)\.(\d+)", installation.run(MOSQUITTO, command))
    return tuple(int(part) for part in found.groups()) if found else (0, 0, 0)


def native() -> Installation:
    """Return the machine's own installation, or raise with why it will not do."""
    installation = locate(HOST)
    version = mosquitto_version(installation)
    if version < MOSQUITTO_OLDEST:
        shown = ".".join(map(str, version))
        raise ServicesError(f"Mosquitto {shown} is older than 2.0.21")
    return installation


def _users(passwd: str) -> dict[str, tuple[int, int]]:
    rows = (line.split(":") for line in passwd.splitlines())
    return {row[0]: (int(row[2]), int(row[3])) for row in rows if len(row) >= 4}
