"""A unit with limits, meters and settled hours, and a mail server that does as it is told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

import db.fresh
from alerts import cycle, smtp
from alerts.episodes import Episodes
from alerts.judging import Progress
from db.pool import Pool
from deploy.mailbox import Mailbox
from energy.periods import Span
from tests import factories

NOW = datetime(2026, 11, 23, 8, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
LAST_HOUR = NOW.replace(minute=0) - HOUR
"""Start of the newest full hour."""

PUBLIC_URL = "https://nenghao.example"
MAIL_FROM = "desk@nenghao.example"
FLOOR = 0.75
BASELINE = 117.0


@dataclass
class Works:
    """A cement works: electricity E01, clinker P01, judged against 117 kgce/t."""

    pool: Pool
    unit_id: int
    energy_id: int
    output_id: int

    async def made(
        self,
        intensity: float | None,
        *,
        starts_at: datetime = LAST_HOUR,
        tons: float = 100.0,
        present: int = 4,
        output_present: int = 4,
    ) -> None:
        """Settle an hour of `tons` at `intensity` kgce/t; None: the energy has no figure."""
        tce = None if intensity is None else intensity * tons / 1000
        await self.settled(self.energy_id, starts_at, present, tce=tce)
        await self.settled(self.output_id, starts_at, output_present, quantity=tons)

    async def settled(
        self,
        meter_id: int,
        starts_at: datetime,
        present: int,
        *,
        quantity: float = 1000.0,
        tce: float | None = None,
        held: bool = False,
        step: str = "hour",
    ) -> None:
        await self.pool.execute(
            """
            INSERT INTO meter_consumption (meter_id, step, starts_at, quantity, held,
                                           estimated_quantity, readings_present, calorific_tce,
                                           equivalent_tce)
            VALUES ($1, $7, $2, $3, $4, 0, $5, $6, 2 * $6::double precision)
                ON CONFLICT (meter_id, step, starts_at)
                DO UPDATE SET quantity = excluded.quantity, held = excluded.held,
                              readings_present = excluded.readings_present,
                              calorific_tce = excluded.calorific_tce,
                              equivalent_tce = excluded.equivalent_tce
            """,
            meter_id,
            starts_at,
            quantity,
            held,
            present,
            tce,
            step,
        )

    async def came_late(
        self, intensity: float | None, *, starts_at: datetime, present: int = 4
    ) -> None:
        """Settle an hour anew as `made` does, with the mark that settlement leaves."""
        await self.made(intensity, starts_at=starts_at, present=present)
        async with self.pool.acquire() as connection:
            await db.fresh.mark(connection, self.unit_id, [Span(starts_at, starts_at + HOUR)])

    async def evaluate(self, *, now: datetime = NOW, progress: Progress | None = None) -> int:
        return await cycle.evaluate_once(
            self.pool, now=now, coverage_floor=FLOOR, public_url=PUBLIC_URL, progress=progress
        )

    async def events(self) -> list[str]:
        rows = await self.pool.fetch("SELECT kind FROM alert_events ORDER BY event_id")
        return [row["kind"] for row in rows]

    async def states(self) -> list[str]:
        rows = await self.pool.fetch("SELECT state FROM alerts ORDER BY alert_id")
        return [row["state"] for row in rows]

    async def letters(self) -> list[tuple[str, str]]:
        """Return (address, subject) of all letters in the outbox."""
        rows = await self.pool.fetch(
            "SELECT recipient_email, subject FROM outbox ORDER BY letter_id"
        )
        return [(row["recipient_email"], row["subject"]) for row in rows]

    async def send(self, url: str, *, now: datetime = NOW) -> bool:
        """Try one letter on a connection of its own."""
        link = smtp.Link(smtp.parse(url), MAIL_FROM)
        try:
            return await cycle.send_once(
                self.pool, link, now=now, instance="test", episodes=Episodes()
            )
        finally:
            await link.rest()

    async def send_all(self, url: str, *, now: datetime = NOW) -> None:
        while await self.send(url, now=now):
            pass


async def limit(
    pool: Pool,
    product: str,
    *,
    uom: str = "kgce/t",
    baseline: float | None,
    value: float | None = None,
) -> None:
    await pool.execute(
        """
        INSERT INTO limits (product, uom, edition, limit_value, baseline, benchmark, valid_from,
                            source)
        VALUES ($1, $2, '2023年版', $3, $4, NULL, '2024-01-01', 'test')
        """,
        product,
        uom,
        value,
        baseline,
    )


async def contact(
    pool: Pool, region: str, email: str, *, level: int = 1, language: str = "zh"
) -> None:
    await pool.execute(
        """
        INSERT INTO contacts (region, name, email, language, minimum_level)
        VALUES ($1, '节能监察', $2, $3, $4)
        """,
        region,
        email,
        language,
        level,
    )


@pytest.fixture
async def works(pool: Pool) -> Works:
    async with pool.acquire() as connection:
        unit_id = await factories.unit(connection, name="水泥厂", industry="C3011")
        energy_id = await factories.meter(connection, unit_id, kind="interval")
        output_id = await factories.meter(
            connection, unit_id, "P01", kind="interval", uom="t", role="output", product="clinker"
        )
    await limit(pool, "clinker", baseline=BASELINE)
    await contact(pool, "450200", "liuzhou@desk.example")
    return Works(pool, unit_id, energy_id, output_id)


@dataclass
class Post(Mailbox):
    """A mailbox that refuses as told and remembers the envelopes of what it took."""

    folder: Path
    replies: list[str] = field(default_factory=list)
    """Said to the next recipients, first come first served; afterwards all are welcome."""

    envelopes: list[tuple[str | None, list[str]]] = field(default_factory=list)
    peers: list[object] = field(default_factory=list)
    """Whoever connected, as often as they did."""

    _server: SMTP | None = None

    def __post_init__(self) -> None:
        super().__init__(self.folder)

    async def handle_EHLO(
        self,
        server: SMTP,
        session: Session,
        _envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        self.peers.append(session.peer)
        self._server = server
        return responses

    async def handle_RCPT(
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        reply = self.replies.pop(0) if self.replies else "250 OK"
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    def hang_up(self) -> None:
        """End the newest connection, as a server does that waited too long."""
        assert self._server is not None
        assert self._server.transport is not None
        self._server.loop.call_soon_threadsafe(self._server.transport.close)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
        return await super().handle_DATA(server, session, envelope)

    def received(self) -> list[EmailMessage]:
        return [
            message_from_bytes(path.read_bytes(), policy=default)
            for path in sorted(self.folder.glob("*.eml"))
        ]


def plain(message: EmailMessage) -> str:
    """Return the plain text of a message."""
    part = message.get_body(("plain",))
    assert part is not None
    text: str = part.get_content()
    return text


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    made = Post(tmp_path / "mail")
    made.start()
    yield made
    made.stop()
