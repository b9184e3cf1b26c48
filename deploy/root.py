"""Owns the private Debian 13 root: a folder with PostgreSQL 17, TimescaleDB and Mosquitto.

Nothing on the host changes, except that root installs mmdebstrap if it is missing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from deploy import installation, mirror, processes
from deploy.installation import NAMESPACE, Installation
from deploy.processes import Report, ServicesError

SUITE = "trixie"
PACKAGES = "postgresql-17-timescaledb,mosquitto"
BUILD_S_MAX = 1200
APT_S_MAX = 600
PROGRESS_S = 20
# Never read by a server; leaving them out halves the time and the space.
LEFT_OUT = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*", "/usr/share/info/*")

_CARRIED = re.compile(r"Acquire::(https?::|Check-|ForceIPv|Allow)", re.IGNORECASE)


def ensure(folder: Path, report: Report) -> Installation:
    """Return the private root in `folder`, made first if it is not there yet.

    It is made under another name and then renamed: half a root is never taken for a whole one.
    """
    with processes.turn(folder.with_name(folder.name + ".lock"), report):
        if not folder.exists():
            _create(folder, report)
    return installation.locate(folder)


def _create(folder: Path, report: Report) -> None:
    _prepare(report)
    report(
        "installing PostgreSQL 17 + TimescaleDB and Mosquitto into a private Debian 13 root, "
        "about 30 s once"
    )
    partial = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    log = folder.with_name(folder.name + ".log")
    for left in folder.parent.glob(f"{folder.name}.partial*"):
        _remove(left)
    began = time.monotonic()
    settings = folder.with_name(folder.name + ".apt.conf")
    _write_apt_settings(settings)
    if os.geteuid() == 0:
        _build(_mmdebstrap("root", str(partial), PACKAGES, settings), log, report, None)
    else:
        command = _mmdebstrap("unshare", "-", PACKAGES, settings)
        _build_unprivileged(partial, command, log, report)
    installation.locate(partial)
    partial.rename(folder)
    settings.unlink()
    report(f"the private Debian 13 root is ready after {time.monotonic() - began:.0f} s")


def _prepare(report: Report) -> None:
    """Make sure mmdebstrap is there, or say in one sentence what to install."""
    is_root = os.geteuid() == 0
    if not _has("mmdebstrap"):
        if not _has("apt-get"):
            raise ServicesError("this machine has no apt-get, so no private Debian root either")
        if not is_root:
            raise ServicesError(
                "mmdebstrap is missing: apt-get install mmdebstrap uidmap (as root)"
            )
        report("installing mmdebstrap with apt-get")
        quiet = _network() | {"DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "mmdebstrap"]
        update = ["apt-get", "update", "-q"]
        processes.run(update, timeout_s=APT_S_MAX, environment=quiet)
        # the archive's keys must be newer than Debian 13, and are not on an old image
        processes.run([*install, "debian-archive-keyring"], timeout_s=APT_S_MAX, environment=quiet)
    if not is_root and not processes.succeeds([*NAMESPACE, "true"]):
        raise ServicesError(
            "this user may not make a user namespace with subordinate ids: install uidmap, "
            "give the user a range in /etc/subuid and /etc/subgid, or run it as root"
        )


def write_archive(path: Path, report: Report) -> None:
    """Write a bare Debian 13 from the machine's own mirror as a tar file: a base for the image."""
    _prepare(report)
    path.parent.mkdir(parents=True, exist_ok=True)
    settings, log = path.with_suffix(".apt.conf"), path.with_suffix(".log")
    _write_apt_settings(settings)
    mode = "root" if os.geteuid() == 0 else "unshare"
    _build(_mmdebstrap(mode, str(path), "passwd", settings), log, report, None)
    settings.unlink()


def _mmdebstrap(mode: str, target: str, packages: str, settings: Path) -> list[str]:
    return [
        "mmdebstrap",
        f"--mode={mode}",
        "--variant=apt",
        f"--include={packages}",
        f"--aptopt={settings}",
        *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
        SUITE,
        target,
        mirror.find().line(SUITE),
    ]


def _build_unprivileged(partial: Path, command: Sequence[str], log: Path, report: Report) -> None:
    """Build an archive and unpack it as the user whose home it is.

    mmdebstrap's own users could not enter a home that is closed to others; its archive can. Device
    files, which an ordinary user may not make, come from the host when the root is entered.
    """
    archive = partial.with_name(partial.name + ".tar")
    try:
        with archive.open("wb") as output:
            _build(command, log, report, output)
        partial.mkdir()
        unpack = ["tar", "-C", str(partial), "-xpf", str(archive), "--numeric-owner"]
        processes.run([*NAMESPACE, *unpack, "--exclude=./dev/*"], timeout_s=BUILD_S_MAX)
    finally:
        archive.unlink(missing_ok=True)


def _build(command: Sequence[str], log: Path, report: Report, output: IO[bytes] | None) -> None:
    """Run mmdebstrap, saying now and then that it still works, and never longer than the bound."""
    began = time.monotonic()
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [*_leash(), *command],
            stdin=subprocess.DEVNULL,
            stdout=output or errors,
            stderr=errors,
            env=processes.ENVIRONMENT | _network(),
        ) as builder,
    ):
        try:
            while (spent := time.monotonic() - began) < BUILD_S_MAX:
                with suppress(subprocess.TimeoutExpired):
                    builder.wait(timeout=PROGRESS_S)
                    break
                report(f"still installing, {spent + PROGRESS_S:.0f} s so far")
        finally:
            if builder.poll() is None:
                builder.terminate()
    if builder.returncode != 0:
        words = processes.last_lines(log.read_text(errors="replace"))
        raise ServicesError(
            f"mmdebstrap could not make the private Debian 13 root: {words} ({log})"
        )


def _network() -> dict[str, str]:
    """Return the proxies of the environment, and where temporary files go."""
    carried = ("http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "tmpdir")
    return {name: text for name, text in os.environ.items() if name.lower() in carried}


def _leash() -> list[str]:
    """Return what makes mmdebstrap end with us, however we end, and its mounts with it."""
    own = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() == 0 and processes.succeeds([*own, "true"]):
        return ["setpriv", "--pdeathsig", "KILL", *own]
    return ["setpriv", "--pdeathsig", "TERM"]


def _write_apt_settings(path: Path) -> None:
    """Give mmdebstrap the machine's own ways to the network: proxies, checks, retries."""
    dumped = processes.run(["apt-config", "dump", "--no-empty", "Acquire"])
    carried = [line for line in dumped.splitlines() if _CARRIED.match(line)]
    path.touch(mode=0o600)  # a proxy's address may hold a password
    path.write_text("\n".join([*carried, 'Acquire::Retries "3";', ""]))


def remove(folder: Path) -> None:
    """Delete the private root with everything in it."""
    with processes.turn(folder.with_name(folder.name + ".lock"), lambda _: None):
        for left in folder.parent.glob(f"{folder.name}*"):
            if left.is_dir():
                _remove(left)


def _remove(left: Path) -> None:
    """Remove what an interrupted installation left, but nothing that is still mounted in it.

    If its mmdebstrap is still at work, it works under a name of its own, and comes to nothing.
    """
    enter = [] if os.geteuid() == 0 else NAMESPACE
    processes.succeeds([*enter, "rm", "-rf", "--one-file-system", str(left)], timeout_s=APT_S_MAX)


def _has(program: str) -> bool:
    return shutil.which(program, path=processes.ENVIRONMENT["PATH"]) is not None


if __name__ == "__main__":
    write_archive(Path(sys.argv[1]).resolve(), print)
