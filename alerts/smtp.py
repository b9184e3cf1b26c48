"""Owns how a letter leaves by mail: the server's address, the message, what a refusal means.

A message is the same at every try: Message-ID and Date are those of the letter. Letters follow one
another on one connection, each when the one before was taken or refused.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import ssl
from contextlib import suppress
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

LETTERS_PER_CONNECTION_MAX = 100
"""Then a new one: servers with several addresses are to get their share, and some count."""

ASK_TIMEOUT_S = 10.0
"""Longest wait for whether a kept connection still holds, and for a goodbye."""

LOGIN_CODES = frozenset({530, 534, 535, 538})
"""The server wants a login, or another one (RFC 4954 §6): no letter is to blame."""

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


class Stage(StrEnum):
    """What the server refused."""

    SENDER = "sender"
    RECIPIENT = "recipient"
    CONTENT = "content"


class Meaning(StrEnum):
    """What a refusal asks for."""

    LATER = "later"
    """This letter is to be tried again: greylisting, a full mailbox, too many at once."""

    NEVER = "never"
    """This letter will not be taken: nobody of that name, a content that is not wanted."""

    SERVER = "server"
    """No letter will be taken at present: it is about us, not about the letter."""


TEMPORARY_FROM, PERMANENT_FROM = 400, 500
CLOSING, TOO_LARGE = 421, 552


class MailError(Exception):
    """A letter was not taken. `permanent`: it will not be, however often it is tried."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class RecipientAwayError(MailError):
    """Nothing can be handed to this recipient at present; whoever else is written to may be there.

    Each attempt takes long, so whatever waits for them waits.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=False)


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


class Link:
    """A way to the mail server: a connection is kept for the letters that follow one another."""

    channels = ("email",)

    def __init__(self, server: Server, mail_from: str) -> None:
        self._server = server
        self._mail_from = mail_from
        self._client: aiosmtplib.SMTP | None = None
        self._letters = 0

    async def send(self, claimed: ClaimedLetter) -> None:
        """Hand a letter to the mail server; returns when it has taken it. Raises MailError."""
        made = message(claimed, self._mail_from)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                client = await self._connected()
                self._letters += 1
                await client.send_message(
                    made, sender=self._mail_from, recipients=[claimed.letter.recipient_email]
                )
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise self._refused(Stage.RECIPIENT, error.recipients[0]) from error
        except aiosmtplib.SMTPRecipientRefused as error:
            raise self._refused(Stage.RECIPIENT, error) from error
        except aiosmtplib.SMTPSenderRefused as error:
            raise self._refused(Stage.SENDER, error) from error
        except aiosmtplib.SMTPDataError as error:
            raise self._refused(Stage.CONTENT, error) from error
        except (aiosmtplib.SMTPException, ssl.SSLError, OSError) as error:
            self._drop()
            raise MailServerError(f"{type(error).__name__}: {error}") from error
        except BaseException:
            self._drop()
            raise

    async def rest(self) -> None:
        """Say goodbye to the server: nothing is to be sent at present."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=ASK_TIMEOUT_S)
            client.close()

    async def _connected(self) -> aiosmtplib.SMTP:
        """Return a connection that holds: the kept one, if the server still answers on it."""
        if self._letters >= LETTERS_PER_CONNECTION_MAX:
            await self.rest()
        if self._client is not None:
            try:
                await self._client.rset(timeout=ASK_TIMEOUT_S)
            except (aiosmtplib.SMTPException, OSError):
                self._drop()
            else:
                return self._client
        server = self._server
        self._letters = 0
        self._client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.security is Security.TLS,
            start_tls=server.security is Security.STARTTLS,
            timeout=TIMEOUT_S,
        )
        await self._client.connect()
        return self._client

    def _refused(self, stage: Stage, error: aiosmtplib.SMTPResponseException) -> MailError:
        said = collapse(f"{error.code} {error.message}")
        match meaning(stage, error.code, error.message):
            case Meaning.SERVER:
                self._drop()
                return MailServerError(said)
            case found:
                return MailError(said, permanent=found is Meaning.NEVER)

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()


def meaning(stage: Stage, code: int, said: str) -> Meaning:
    """Return what a refusal with an SMTP reply code means (RFC 5321 §4.2.1, RFC 3463 §3).

    >>> meaning(Stage.RECIPIENT, 450, "4.2.0 Greylisted, come again")
    <Meaning.LATER: 'later'>
    >>> meaning(Stage.RECIPIENT, 550, "5.1.1 no such user")
    <Meaning.NEVER: 'never'>
    >>> meaning(Stage.RECIPIENT, 552, "5.2.2 mailbox full")
    <Meaning.LATER: 'later'>
    >>> meaning(Stage.SENDER, 553, "5.7.1 not your address")
    <Meaning.SERVER: 'server'>
    """
    if code == CLOSING or code in LOGIN_CODES:
        return Meaning.SERVER
    if stage is Stage.SENDER:
        return Meaning.NEVER if code == TOO_LARGE and not _is_full(said) else Meaning.SERVER
    if TEMPORARY_FROM <= code < PERMANENT_FROM or _is_full(said):
        return Meaning.LATER
    if code == TOO_LARGE and stage is Stage.RECIPIENT:
        return Meaning.LATER
    return Meaning.NEVER if code >= PERMANENT_FROM else Meaning.SERVER


def _is_full(said: str) -> bool:
    """Return whether a mailbox is full: somebody will empty it, whatever the server calls it."""
    return re.match(r"[45]\.2\.2\b", said) is not None


def _address(name: str, address: str) -> Address:
    """Return one address. "a@x, evil@y" would be two, so it is none."""
    if len(address) > ADDRESS_LENGTH_MAX or not _ADDRESS.fullmatch(address):
        raise MailError("not one plain e-mail address", permanent=True)
    try:
        return Address(collapse(name), addr_spec=address)
    except (ValueError, HeaderParseError) as error:
        raise MailError(f"not an e-mail address: {error}", permanent=True) from error
