"""Owns the address of a broker: mqtt://user:password@host:port, or mqtts:// for TLS."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

PORT = 1883
PORT_TLS = 8883


@dataclass(frozen=True, slots=True)
class BrokerUrl:
    host: str
    port: int
    username: str | None
    password: str | None = field(repr=False)
    tls: bool


def parse(url: str) -> BrokerUrl:
    """Return the parts of `url`. The ValueError says what is wrong and never shows the password.

    >>> parse("mqtt://collector:p%40ss@127.0.0.1:1884")
    BrokerUrl(host='127.0.0.1', port=1884, username='collector', tls=False)
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname
    except ValueError as error:
        raise ValueError(f"the broker's address is not a URL: {_reason(error)}") from None
    if parts.scheme not in ("mqtt", "mqtts"):
        raise ValueError(
            f"the broker's address must begin with mqtt:// or mqtts://, not {parts.scheme!r}"
        )
    if not host:
        raise ValueError("the broker's address names no host: mqtt://user:password@host:port")
    if port == 0:
        raise ValueError("the broker's port must be a number from 1 to 65535")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(
            "the broker's address ends after host and port; "
            "write / ? # inside a password as %2F %3F %23"
        )
    tls = parts.scheme == "mqtts"
    return BrokerUrl(
        host=host,
        port=port or (PORT_TLS if tls else PORT),
        username=_decoded(parts.username),
        password=_decoded(parts.password),
        tls=tls,
    )


def _decoded(text: str | None) -> str | None:
    return None if text is None else unquote(text)


def _reason(error: ValueError) -> str:
    """A port that is no number is quoted by urllib and may be half of a password: leave it out."""
    if "Port" in str(error):
        return "the port must be a number from 1 to 65535 (write / ? # : in a password as %2F …)"
    return "the host is not well formed"
