"""Debian's exim in a private root: a mail server that greylists, and knows who is whose.

It takes messages into its queue and delivers none; its log says what it took, under which
Message-ID.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from deploy import mirror, processes

PACKAGE = "exim4-daemon-light"
FOLDER = Path("tmp/bars")
BUILD_S_MAX = 900

CONFIG = """
primary_hostname = mta.example
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
queue_only
rfc1413_query_timeout = 0s
spool_directory = /{folder}/spool
log_file_path = /{folder}/%slog
acl_smtp_mail = acl_mail
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
smtp_accept_max_per_connection = {per_connection}
begin acl
acl_mail:
  accept
acl_rcpt:
  deny    local_parts = nobody
          message = 550 5.1.1 no such user
  defer   local_parts = full
          message = 452 4.2.2 mailbox full
  defer   condition = ${{if <{{${{randint:100}}}}{{{put_off}}}}}
          message = 451 4.7.1 greylisted, come again
  accept
acl_data:
  accept
begin routers
begin transports
begin retry
"""


@dataclass
class Mta:
    """Exim on a port of its own, in its root, in the foreground."""

    root: Path
    port: int
    put_off: int = 5
    per_connection: int = 60
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> str:
        home = self.root / FOLDER
        subprocess.run(["rm", "-rf", str(home)], check=True)
        (home / "spool").mkdir(parents=True)
        text = CONFIG.format(
            port=self.port,
            folder=FOLDER,
            put_off=self.put_off,
            per_connection=self.per_connection,
        )
        (home / "exim.conf").write_text(text)
        inside = ["chroot", str(self.root)]
        subprocess.run([*inside, "chown", "-R", "Debian-exim", f"/{FOLDER}/spool"], check=True)
        subprocess.run([*inside, "chown", "Debian-exim", f"/{FOLDER}"], check=True)
        command = [*inside, "/usr/sbin/exim4", "-C", f"/{FOLDER}/exim.conf", "-bdf"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        assert processes.wait_until(lambda: processes.accepts(self.port), timeout_s=20)
        return f"smtp://127.0.0.1:{self.port}"

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=20)

    def taken(self) -> list[tuple[str, str]]:
        """Return (Message-ID, queue id) of what was taken, in order."""
        log = (self.root / FOLDER / "mainlog").read_text()
        return [
            (f"<{found[2]}>", found[1])
            for line in log.splitlines()
            if (found := re.search(r"^\S+ \S+ (\S+) <= .* id=(\S+)", line))
        ]

    def body(self, queue_id: str) -> bytes:
        """Return the body of what was taken, as it stands in the queue."""
        (path,) = (self.root / FOLDER / "spool" / "input").rglob(f"{queue_id}-D")
        return path.read_bytes().partition(b"\n")[2]


def ensure(root: Path) -> None:
    """Make the root, as the local services make theirs; it takes two minutes and the network."""
    if not root.exists():
        partial = root.with_name(root.name + ".partial")
        line = mirror.find().line("trixie")
        command = ["mmdebstrap", "--mode=root", "--variant=apt", f"--include={PACKAGE}", "trixie"]
        subprocess.run([*command, str(partial), line], check=True, timeout=BUILD_S_MAX)
        partial.rename(root)
