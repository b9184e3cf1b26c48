"""Owns how a letter leaves: the address of the mail server, the message, and what a refusal means.

A message is the same at every try: Message-ID and Date are those of the letter.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from enum import StrEnum
from urllib.parse import unquote, urlsplit

import aiosmtplib

from alerts import chart
from alerts.frame import SUBJECT_LENGTH_MAX
from alerts.kinds.words import collapse
from db.outbox import ClaimedLetter, NewLetter

TIMEOUT_S = 60.0
"""Longest time one letter may take; shorter than its lease."""

LIST = "alerts"
"""The list that all letters of a platform belong to, for filters of mail programs."""

PERMANENT_FROM = 500
ADDRESS_LENGTH_MAX = 254
_ADDRESS = re.compile(r"[!#-'*+./0-9=?A-Z^-~-]{1,64}@[A-Za-z0-9.-]{1,190}", re.ASCII)


class Security(StrEnum):
    """Scheme of the URL: how the connection is protected."""

    PLAIN = "smtp"
    TLS = "smtps"
    STARTTLS = "smtp+starttls"


PORTS = {Security.PLAIN: 25, Security.TLS: 465, Security.STARTTLS: 587}


@dataclass(frozen=True, slots=True)
class Server:
    """Where letters are handed over."""

    host: str
    port: int
    security: Security
    username: str | None = None
    password: str | None = field(default=None, repr=False)


class MailError(Exception):
    """A letter was not taken. `permanent`: it will not be, however often it is tried."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class MailServerError(MailError):
    """No letter can be handed over at present: the server is away, or refuses us as a sender.

    Not the letter's fault, so it waits, even where the server calls the refusal final.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=False)


def parse(url: str) -> Server:
    """Return the parts of a mail server's URL. The ValueError never shows the password.

    >>> parse("smtp+starttls://desk:p%40ss@mail.example.cn")
    Server(host='mail.example.cn', port=587, security=<Security.STARTTLS: 'smtp+starttls'>, \
username='desk')
    """
    forms = ", ".join(f"{security}://" for security in Security)
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
        security = Security(parts.scheme)
    except ValueError:
        raise ValueError(
            f"the mail server's address must be host and port after one of {forms}"
        ) from None
    if not host or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(
            "the mail server's address is smtp://user:password@host:port; "
            "write / ? # inside a password as %2F %3F %23"
        )
    return Server(
        host=host,
        port=port or PORTS[security],
        security=security,
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )


def message(claimed: ClaimedLetter, mail_from: str) -> EmailMessage:
    """Return the message that carries a letter. Raises MailError if its address is not one.

    Every text passes `collapse`, so that none can begin a header.
    """
    sent = claimed.letter
    made = EmailMessage(policy=SMTP)
    made["From"] = sender(mail_from)
    made["To"] = _address(sent.recipient_name, sent.recipient_email)
    made["Subject"] = collapse(sent.subject, SUBJECT_LENGTH_MAX)
    made["Date"] = claimed.created_at
    made["Message-ID"] = sent.message_id
    made["In-Reply-To"] = sent.thread_id
    made["References"] = sent.thread_id
    _say_what_it_is(made, sent)
    made.set_content(sent.body, charset="utf-8", cte="base64")
    if sent.html:
        _add_html(made, sent)
    return made


def _say_what_it_is(made: EmailMessage, sent: NewLetter) -> None:
    """Let nobody's absence note answer it (RFC 3834), and filters know its list (RFC 2919)."""
    made["Auto-Submitted"] = "auto-generated"
    made["Precedence"] = "list"
    made["X-Auto-Response-Suppress"] = "OOF, AutoReply"
    host = re.sub(r"[^A-Za-z0-9.-]", "", sent.message_id.rpartition("@")[2]) or "localhost"
    made["List-Id"] = f"<{LIST}.{host}>"


def _add_html(made: EmailMessage, sent: NewLetter) -> None:
    """Add the same in HTML with its picture. Boundaries are the letter's own at every try."""
    made.add_alternative(sent.html, subtype="html", charset="utf-8", cte="base64")
    key = hashlib.sha256(sent.message_id.encode()).hexdigest()[:24]
    made.set_boundary(f"=_alternative_{key}")
    if sent.chart is None:
        return
    _, page = made.iter_parts()
    assert isinstance(page, EmailMessage)
    page.add_related(
        sent.chart,
        maintype="image",
        subtype="png",
        cid=f"<{chart.content_id(sent.chart)}>",
        disposition="inline",
        filename="chart.png",
    )
    page.set_boundary(f"=_related_{key}")


def sender(mail_from: str) -> Address:
    """Return the sender's address. Raises MailServerError: no letter can go out under another."""
    try:
        return _address("", mail_from)
    except MailError as error:
        raise MailServerError(f"the sender of letters, {mail_from!r}, is {error}") from error


async def send(server: Server, claimed: ClaimedLetter, mail_from: str) -> None:
    """Hand a letter to the mail server; returns when it has taken it. Raises MailError."""
    made = message(claimed, mail_from)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await aiosmtplib.send(
                made,
                sender=mail_from,
                recipients=[claimed.letter.recipient_email],
                hostname=server.host,
                port=server.port,
                username=server.username,
                password=server.password,
                use_tls=server.security is Security.TLS,
                start_tls=server.security is Security.STARTTLS,
                timeout=TIMEOUT_S,
            )
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise _refused(error.recipients[0]) from error
    except (aiosmtplib.SMTPRecipientRefused, aiosmtplib.SMTPDataError) as error:
        raise _refused(error) from error
    except (aiosmtplib.SMTPException, ssl.SSLError, OSError) as error:
        raise MailServerError(f"{type(error).__name__}: {error}") from error


def _refused(error: aiosmtplib.SMTPResponseException) -> MailError:
    said = collapse(f"{error.code} {error.message}")
    return MailError(said, permanent=error.code >= PERMANENT_FROM)


def _address(name: str, address: str) -> Address:
    """Return one address. "a@x, evil@y" would be two, so it is none."""
    if len(address) > ADDRESS_LENGTH_MAX or not _ADDRESS.fullmatch(address):
        raise MailError("not one plain e-mail address", permanent=True)
    try:
        return Address(collapse(name), addr_spec=address)
    except (ValueError, HeaderParseError) as error:
        raise MailError(f"not an e-mail address: {error}", permanent=True) from error
