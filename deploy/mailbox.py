"""Owns a mailbox on this machine: an SMTP server whose letters become files, for demo and tests."""

from __future__ import annotations

import hashlib
import itertools
from asyncio import SelectorEventLoop, Server
from email import message_from_bytes
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"
NAME_DIGITS = 12


class Mailbox:
    """Writes each accepted message to `folder` as NNNN-<hash of its Message-ID>.eml.

    A file appears whole, under its name, or not at all.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self._controller: Controller | None = None
        self.url = ""
        """Address for NENGHAO_SMTP_URL, once started."""

    def start(self) -> str:
        """Listen on a free port of the loopback; return the URL."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._controller = _FreePortController(
            self, hostname=HOST, port=0, server_hostname=HOST, loop=SelectorEventLoop()
        )
        self._controller.start()
        self.url = f"smtp://{HOST}:{self._controller.port}"
        return self.url

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def count(self) -> int:
        """Return how many messages were accepted."""
        return sum(1 for _ in self._folder.glob("*.eml"))

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Called by aiosmtpd for a whole message; the reply is the mailbox's acceptance."""
        content = envelope.original_content or b""
        message_id = str(message_from_bytes(content)["Message-ID"]).strip()
        digest = hashlib.sha256(message_id.encode()).hexdigest()[:NAME_DIGITS]
        path = self._folder / f"{next(self._numbers):04}-{digest}.eml"
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(content)
        unfinished.rename(path)
        return "250 OK"


class _FreePortController(Controller):
    """A controller that lets the system choose the port."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # aiosmtpd has no stubs here
