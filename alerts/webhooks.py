"""Owns how a letter leaves by webhook: which hosts may be reached, and one POST for each letter.

Nobody is reached who is not listed; no redirect is followed; a name that leads to a private address
is refused unless that network is listed too. The address of a webhook is a secret: it appears in
no log, no error and no row.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit, urlunsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from alerts import webhook_messages
from alerts.kinds.words import collapse
from alerts.smtp import MailError, Meaning, RecipientAwayError
from alerts.webhook_messages import Channel, Request, Webhook
from db.outbox import ClaimedLetter

TIMEOUT_S = 15.0
"""Longest time one letter may take, its name included; shorter than its lease."""

ANSWER_BYTES_MAX = 65_536
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
PORTS = {"http": 80, "https": 443}

Address = IPv4Address | IPv6Address

TRANSLATED = IPv6Network("64:ff9b::/96")
"""IPv4 through a translator (RFC 6052)."""

COMPATIBLE = IPv6Network("::/96")
"""IPv4 in the last 32 bits (RFC 4291, deprecated)."""


class WebhookError(MailError):
    """A webhook did not take a letter."""


class WebhookAwayError(WebhookError, RecipientAwayError):
    """A webhook does not answer."""

    def __init__(self, message: str) -> None:
        RecipientAwayError.__init__(self, message)


class _Told(BaseModel):
    """A webhook as the setting tells it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    channel: Channel
    url: str = Field(pattern=r"^https?://[^\s@#]+$", max_length=2000)
    secret: str = Field(default="", max_length=200)


@dataclass(frozen=True, slots=True)
class Allowed:
    """Hosts that may be reached, and the networks that are not public but may be."""

    hosts: frozenset[str]
    networks: tuple[IPv4Network | IPv6Network, ...]

    def reaches(self, host: str, address: Address) -> bool:
        """Return whether `host` may be reached at `address`, to which its name leads now."""
        is_public = all(
            each.is_global and not each.is_multicast for each in (address, _carried(address))
        )
        return (host in self.hosts or host == str(address)) and (
            self.is_inside(address) or (host in self.hosts and is_public)
        )

    def is_inside(self, address: Address) -> bool:
        """Return whether an address, or the one it stands for, is of a network that is listed."""
        return any(
            each in network for network in self.networks for each in (address, _carried(address))
        )


def parse(text: str | None) -> dict[str, Webhook]:
    """Return the webhooks by name. Raises ValueError, whose words hold no secret."""
    if text is None:
        return {}
    try:
        told = TypeAdapter(dict[str, _Told]).validate_json(text)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, each['loc'])) or 'it'}: {each['msg']}"
            for each in error.errors(include_input=False, include_url=False)
        )
        raise ValueError(
            f"the webhooks are no JSON of names with channel and url: {faults}"
        ) from None
    needing = {Channel.WEBHOOK, Channel.DINGTALK, Channel.FEISHU}
    for name, each in told.items():
        parse_name(name)
        if not _is_reachable(each.url):
            raise ValueError(f"the webhook {name} has a url whose host or port is none")
        if each.channel in needing and not each.secret:
            raise ValueError(f"the webhook {name} has no secret: {each.channel} signs with one")
    return {name: Webhook(name, each.channel, each.url, each.secret) for name, each in told.items()}


def parse_name(text: str) -> str:
    """Return the name of a webhook.

    >>> parse_name("liuzhou-desk")
    'liuzhou-desk'
    """
    if not _NAME.fullmatch(text):
        raise ValueError("is not the name of a webhook: a-z, 0-9, - and _, as in NENGHAO_WEBHOOKS")
    return text


def parse_allowed(text: str) -> Allowed:
    """Return what a list with commas allows.

    >>> parse_allowed("oapi.dingtalk.com, 10.2.0.0/16").hosts
    frozenset({'oapi.dingtalk.com'})
    """
    hosts, networks = set(), []
    for each in filter(None, (part.strip().lower() for part in text.split(","))):
        try:
            networks.append(ipaddress.ip_network(each))
        except ValueError:
            if "/" in each or ":" in each:
                raise ValueError(f"{each} is neither a host nor a network") from None
            hosts.add(each)
    return Allowed(frozenset(hosts), tuple(networks))


class Hooks:
    """A way to all webhooks. `trusted`: whose certificates are; by default those of public CAs."""

    channels = tuple(Channel)

    def __init__(
        self,
        hooks: Mapping[str, Webhook],
        allowed: Allowed,
        clock: Callable[[], datetime],
        *,
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        for noisy in ("httpx", "httpcore"):  # they would tell addresses
            logging.getLogger(noisy).setLevel(logging.WARNING)
        self._hooks = hooks
        self._allowed = allowed
        self._clock = clock
        self._trusted = trusted or httpx.create_ssl_context(trust_env=False)

    async def send(self, claimed: ClaimedLetter) -> None:
        """Hand a letter to its webhook; returns when it has taken it. Raises MailError."""
        name = claimed.letter.recipient_email
        hook = self._hooks.get(name)
        if hook is None or hook.channel != claimed.letter.channel:
            channel = claimed.letter.channel
            raise WebhookError(f"NENGHAO_WEBHOOKS has no {channel} {name}", permanent=False)
        try:
            request = webhook_messages.request(hook, claimed, self._clock())
            async with asyncio.timeout(TIMEOUT_S):
                status, body = await self._post(request)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            # The words of the error may hold the address.
            raise WebhookAwayError(f"{name}: {type(error).__name__}") from None
        found, said = webhook_messages.meaning(hook.channel, status, body)
        if found is not None:
            is_final = found is Meaning.NEVER
            raise WebhookError(collapse(f"{name}: {said}"), permanent=is_final)

    async def rest(self) -> None:
        """Nothing is kept from letter to letter."""

    async def _post(self, request: Request) -> tuple[int, bytes]:
        """Return status and body of the answer from the address that was looked at, no other."""
        parts = urlsplit(request.url)
        host, port = (parts.hostname or "").lower(), parts.port or PORTS[parts.scheme]
        address = await self._address(host, port, parts.scheme)
        literal = f"[{address}]" if address.version == 6 else str(address)
        url = urlunsplit(parts._replace(netloc=f"{literal}:{port}"))
        headers = {**request.headers, "Host": parts.netloc, "Content-Type": "application/json"}
        async with (
            httpx.AsyncClient(
                follow_redirects=False, trust_env=False, timeout=TIMEOUT_S, verify=self._trusted
            ) as client,
            client.stream(
                "POST",
                url,
                content=request.body,
                headers=headers,
                extensions={"sni_hostname": host},
            ) as answer,
        ):
            body = b""
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > ANSWER_BYTES_MAX:
                    break
            return answer.status_code, body[:ANSWER_BYTES_MAX]

    async def _address(self, host: str, port: int, scheme: str) -> Address:
        """Return an address of `host` that may be reached. Raises WebhookError."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [_unmapped(str(each[4][0])) for each in found]
        for address in addresses:
            if not self._allowed.reaches(host, address):
                continue
            if scheme == "https" or self._allowed.is_inside(address):
                return address
        raise WebhookError(
            f"{host} may not be reached: NENGHAO_WEBHOOK_HOSTS lists hosts, and the networks of "
            "those that are not public; outside of these networks only https is used",
            permanent=False,
        )


def _unmapped(text: str) -> Address:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _carried(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one leads to by a translator or a relay; or itself.

    >>> _carried(ipaddress.ip_address("64:ff9b::a00:1"))
    IPv4Address('10.0.0.1')
    """
    if isinstance(address, IPv4Address):
        return address
    if address.sixtofour is not None:  # RFC 3056
        return address.sixtofour
    is_compatible = address in COMPATIBLE and not (address.is_loopback or address.is_unspecified)
    if is_compatible or address in TRANSLATED:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def _is_reachable(url: str) -> bool:
    """Return whether a URL has a host of ASCII labels, and a port that is one."""
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("ascii").decode().encode("idna")  # as getaddrinfo does
        httpx.URL(url)
        return bool(parts.hostname) and parts.port != 0
    except (ValueError, httpx.InvalidURL):
        return False
