"""Owns the keys of the OpenID provider: found by discovery, kept, and fetched anew in good time.

A provider that is away is no reason to refuse who holds a good token: its keys hold for a day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

import httpx
import structlog
from joserfc import errors
from joserfc.jwk import Key, import_key

from app.errors import Unauthorized, Unavailable

FRESH_FOR = timedelta(minutes=10)
"""A key that the provider withdraws is refused after so long at most."""

TRIED_EVERY = timedelta(seconds=30)
"""Unknown keys and a provider that is away cost it one question in so long."""

KEPT_FOR = timedelta(hours=24)
"""Without an answer of the provider its keys are believed for so long."""

ANSWER_WITHIN_S = 5
ANSWER_BYTES_MAX = 256 * 1024
KEYS_MAX = 64

log = structlog.get_logger("serve")


class Provider:
    """The keys of one issuer."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._keys: Mapping[str, Key] = {}
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._is_away = False
        self._turn = asyncio.Lock()

    async def key(self, key_id: str, now: datetime) -> Key:
        """Return a key of the provider. Raises Unauthorized: it has none of that name."""
        if self._wants(key_id, now):
            async with self._turn:
                if self._wants(key_id, now):  # nobody else has asked meanwhile
                    await self._refresh(now)
        if self._fetched_at is None or now - self._fetched_at > KEPT_FOR:
            raise Unavailable(
                "provider_unavailable",
                "The OpenID provider does not answer, so access tokens cannot be checked. Try "
                "again later, or with an API key.",
            )
        if key_id not in self._keys:
            raise Unauthorized(
                "unknown_token_key",
                "This access token is signed with a key that its provider does not publish. Get a "
                "new token.",
            )
        return self._keys[key_id]

    def _wants(self, key_id: str, now: datetime) -> bool:
        if self._tried_at is not None and now - self._tried_at < TRIED_EVERY:
            return False
        return (
            key_id not in self._keys
            or self._fetched_at is None
            or now - self._fetched_at >= FRESH_FOR
        )

    async def _refresh(self, now: datetime) -> None:
        self._tried_at = now
        try:
            async with httpx.AsyncClient(timeout=ANSWER_WITHIN_S, trust_env=False) as client:
                self._keys = await _fetch_keys(client, self._issuer)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, errors.JoseError) as error:
            if not self._is_away:
                log.warning("provider_away", issuer=self._issuer, error=repr(error))
            self._is_away = True
            return
        if self._is_away:
            log.info("provider_back", issuer=self._issuer)
        self._is_away = False
        self._fetched_at = now


async def _fetch_keys(client: httpx.AsyncClient, issuer: str) -> dict[str, Key]:
    """Return the public signing keys of a provider by name. Raises ValueError where it is odd."""
    described = await _fetch(client, f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    if described.get("issuer") != issuer:
        raise ValueError(f"the provider calls itself {described.get('issuer')!r}, not {issuer!r}")
    address = described.get("jwks_uri")
    if not isinstance(address, str) or not address.startswith(issuer.partition("//")[0]):
        raise ValueError("the provider names no jwks_uri, or one that is less safe than itself")
    listed = (await _fetch(client, address)).get("keys")
    if not isinstance(listed, list) or len(listed) > KEYS_MAX:
        raise ValueError("the provider publishes no list of keys, or too long a one")
    return {name: key for each in listed for name, key in _usable(each)}


def _usable(listed: object) -> Iterator[tuple[str, Key]]:
    """Return a public signing key under its name, or nothing."""
    if not isinstance(listed, dict) or listed.get("kty") not in ("RSA", "EC", "OKP"):
        return
    name = listed.get("kid")
    if isinstance(name, str) and listed.get("use", "sig") == "sig":
        with suppress(errors.JoseError, ValueError):  # of a kind that this library does not know
            yield name, import_key(listed)


async def _fetch(client: httpx.AsyncClient, address: str) -> dict[str, object]:
    """Return a JSON object; no more of it is read than is taken."""
    body = bytearray()
    async with client.stream("GET", address) as answer:
        answer.raise_for_status()
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > ANSWER_BYTES_MAX:
                raise ValueError(f"{address} answers with more than {ANSWER_BYTES_MAX} bytes")
    found = httpx.Response(200, content=bytes(body)).json()
    if not isinstance(found, dict):
        raise ValueError(f"{address} does not answer with a JSON object")
    return found
