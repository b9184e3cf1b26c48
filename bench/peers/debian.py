"""Owns unpacking the machine's own packages into a private folder: the host stays as it is."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from deploy import processes

APT_S_MAX = 300


def unpack(packages: Sequence[str], into: Path) -> None:
    """Download `packages` and what they need that is not installed; unpack all of it `into`."""
    if os.geteuid() == 0:
        _run("apt-get", "update", "-q")
    planned = _run("apt-get", "install", "-s", "--no-install-recommends", *packages)
    missing = re.findall(r"^Inst (\S+) \(", planned, re.MULTILINE)
    partial = into.with_name(f"{into.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _run("env", "-C", str(partial), "apt-get", "download", *sorted({*packages, *missing}))
    for package in partial.glob("*.deb"):
        _run("dpkg", "-x", str(package), str(partial))
        package.unlink()
    shutil.rmtree(into, ignore_errors=True)
    partial.rename(into)


def libraries(folder: Path) -> str:
    """Return LD_LIBRARY_PATH for a program unpacked into `folder`."""
    return ":".join(map(str, folder.resolve().glob("**/lib/*-linux-gnu*")))


def _run(*argv: str) -> str:
    return processes.run(argv, timeout_s=APT_S_MAX, environment=dict(os.environ))
