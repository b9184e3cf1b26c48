"""Ports and processes of the local services."""

from __future__ import annotations

import socket
import threading

from deploy import processes
from deploy.processes import ADDRESS


def test_a_port_that_is_let_go_a_moment_later_is_kept() -> None:
    """A killed broker is gone from the list of processes before its sockets are closed."""
    with socket.create_server((ADDRESS, processes.free_port(None))) as dying:
        port: int = dying.getsockname()[1]
        threading.Timer(0.3, dying.close).start()
        assert processes.free_port(port) == port


def test_a_port_that_somebody_keeps_is_left_to_them() -> None:
    with socket.create_server((ADDRESS, processes.free_port(None))) as kept:
        port: int = kept.getsockname()[1]
        assert processes.free_port(port) != port
