"""A mail server that notes every message it takes, puts some off, and says so to who watches."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.mailbox import Mailbox

Taken = tuple[list[str], bytes]
"""recipients, the message as it came"""


def _text(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


class Postbox(Mailbox):
    """`folder` stays empty. `put_off` is the share of recipients that get a 451."""

    def __init__(self, folder: Path, chance: random.Random, put_off: float = 0.0) -> None:
        super().__init__(folder)
        self.taken: list[Taken] = []
        self.connections = 0
        self.on_taken: Callable[[int], None] = lambda count: None
        self._chance, self._put_off = chance, put_off

    async def handle_EHLO(
        self,
        _server: SMTP,
        session: Session,
        _envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        self.connections += 1
        return responses

    async def handle_RCPT(
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        if self._chance.random() < self._put_off:
            return "451 4.7.1 greylisted, come again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Take the message; whoever watches may kill its sender before the answer."""
        self.taken.append((list(envelope.rcpt_tos), envelope.original_content or b""))
        self.on_taken(len(self.taken))
        return "250 OK"

    def by_message_id(self) -> dict[str, list[Taken]]:
        found = defaultdict(list)
        for each in list(self.taken):
            found[str(message_from_bytes(each[1], policy=default)["Message-ID"])].append(each)
        return dict(found)

    def told(self) -> list[tuple[str, str, str]]:
        """Return (recipient, subject, text) of each message."""
        return [
            (recipients[0], str(message["Subject"]), _text(message))
            for recipients, content in list(self.taken)
            if (message := message_from_bytes(content, policy=default))
        ]
