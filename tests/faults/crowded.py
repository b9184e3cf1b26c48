"""Our own broker with certificates and few places for gateways, and sockets that say nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from deploy import certified, processes
from deploy.certified import CertifiedBroker
from deploy.installation import MOSQUITTO
from deploy.processes import ADDRESS

PLACES = 60
SHUT_S_MAX = 0.5


class CrowdedBroker(CertifiedBroker):
    def _start_on(self, port: int) -> None:
        text = certified.settings(
            port=port,
            address=ADDRESS,
            inner_port=processes.free_port(self.inner_port),
            inner_address=ADDRESS,
            certificates=self.folder,
            folder=self.folder,
            log=f"file {self.log}",
        )
        assert "max_connections 10000" in text
        text = text.replace("max_connections 10000", f"max_connections {PLACES}")
        inside = self.installation
        inside.write(MOSQUITTO, self.configuration, text)
        inside.run(MOSQUITTO, [inside.mosquitto, "-d", "-c", self.configuration])


@contextmanager
def silence(port: int) -> Iterator[None]:
    """Hold so many sockets that no place is left."""
    with ExitStack() as sockets:
        for _ in range(PLACES):
            sockets.enter_context(socket.create_connection((ADDRESS, port)))
        yield


def has_place(port: int) -> bool:
    """Return whether the listener keeps a new connection; one too many it closes at once."""
    with socket.create_connection((ADDRESS, port), SHUT_S_MAX) as tried:
        try:
            return tried.recv(1) != b""
        except TimeoutError:
            return True
        except ConnectionError:
            return False
