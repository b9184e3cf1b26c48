"""Owns what the local services need of the system: commands, processes, ports, taking turns."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

Report = Callable[[str], None]

ADDRESS = "127.0.0.1"
PORTS = range(15_000, 32_000)  # below the range the kernel lends to outgoing connections
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "HOME": "/",
}
TURN_S_MAX = 1200.0
PORT_S_MAX = 2.0
"""How long a port may take to become free: a process that was killed closes it a moment later."""


@dataclass(frozen=True, slots=True)
class Running:
    pid: int
    port: int


class ServicesError(Exception):
    """One sentence: what was looked for, where, and what to do."""


def run(
    argv: Sequence[str],
    *,
    text: str = "",
    timeout_s: float = 120,
    environment: dict[str, str] | None = None,
) -> str:
    """Run `argv` to its end and return its output; a failure raises with its last words."""
    try:
        done = subprocess.run(
            argv,
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            env=ENVIRONMENT | (environment or {}),
            cwd="/",
            check=False,
        )
    except FileNotFoundError:
        raise ServicesError(f"the program {argv[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise ServicesError(f"{shown(argv)} did not end within {timeout_s:g} s") from None
    if done.returncode != 0:
        words = last_lines(done.stderr or done.stdout)
        raise ServicesError(f"{shown(argv)} failed ({done.returncode}): {words}")
    return done.stdout


def succeeds(argv: Sequence[str], *, timeout_s: float = 120) -> bool:
    with suppress(ServicesError):
        run(argv, timeout_s=timeout_s)
        return True
    return False


def shown(argv: Sequence[str]) -> str:
    text = " ".join(argv)
    return text if len(text) <= 200 else text[:200] + " …"


def last_lines(text: str, count: int = 6) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-count:]) or "it said nothing"


def wait_until(condition: Callable[[], bool], *, timeout_s: float) -> bool:
    """Return whether `condition` came true within `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True


def is_alive(pid: int) -> bool:
    """Return whether `pid` runs. A zombie, dead but not yet collected, does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")


def is_running(pid: int, *, root: Path, argument: str) -> bool:
    """Return whether `pid` is the program that was started inside `root` with `argument`.

    A pid file outlives its program and the number is given to another one: look before you kill.
    """
    if not is_alive(pid):
        return False
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        seen_root = Path(f"/proc/{pid}/root").readlink()
    except OSError:
        return False
    return argument.encode() in arguments and seen_root == root


def works_in(folder: Path) -> bool:
    """Return whether any process has `folder` as its working directory."""
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if entry.readlink() == folder:
                return True
    return False


def stop(pid: int, first: signal.Signals, last: signal.Signals, *, timeout_s: float) -> bool:
    """Send `first`, wait, send `last` if that was not enough. Return whether `first` was enough."""
    for number, wait_s in ((first, timeout_s), (last, 15.0)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return True
        if wait_until(lambda: not is_alive(pid), timeout_s=wait_s):
            return number == first
    raise ServicesError(f"process {pid} did not end, not even on {last.name}")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
            probe.listen()
        except OSError:
            return False
    return True


def accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection((ADDRESS, port), timeout=2):
        return True
    return False


def free_port(preferred: int | None) -> int:
    """Return `preferred` unless somebody keeps it, else any free port."""
    if preferred is not None and wait_until(lambda: is_free(preferred), timeout_s=PORT_S_MAX):
        return preferred
    candidates = random.SystemRandom().sample(PORTS, 100)
    port = next(filter(is_free, candidates), None)
    if port is None:
        raise ServicesError(f"no free port on {ADDRESS} from {PORTS[0]} to {PORTS[-1]}")
    return port


@contextmanager
def turn(lock: Path, report: Report) -> Iterator[None]:
    """Hold the file lock: two programs that start or stop services at once take turns."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        if not _try_lock(file.fileno()):
            report("another start or stop of the services is under way; waiting for it")
            if not wait_until(lambda: _try_lock(file.fileno()), timeout_s=TURN_S_MAX):
                raise ServicesError(f"another program has held {lock} for {TURN_S_MAX:g} s")
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
