"""Owns being a child that ends with its supervisor, whatever ended that: `kill -9`, no memory.

`python -m app.leash PID WORDS…` runs `nenghao WORDS…` on the leash of the supervisor PID.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from app import cli

PR_SET_PDEATHSIG = 1
"""Of prctl(2). The signal comes when the thread ends that started us: the supervisor's only one
that starts anything, its event loop."""


def put_on(supervisor: int) -> None:
    """Be sent SIGTERM when the process `supervisor`, our parent, is gone; at once if it is."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != supervisor:  # it died before the kernel knew whom to tell
        signal.raise_signal(signal.SIGTERM)


if __name__ == "__main__":
    put_on(int(sys.argv.pop(1)))
    cli.main()
