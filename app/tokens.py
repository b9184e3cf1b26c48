"""Owns what an access token says: whether it is one for us, and who asks.

RFC 9068 for what it must hold; role and region are claims that the provider is told to give
(docs/operations.md).
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from joserfc import errors, jws, jwt
from joserfc.jwk import Key

from app import roles
from app.auth import Holder
from app.errors import Forbidden, Unauthorized
from app.roles import Role
from db.scope import Scope
from energy import codes

ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519",
)  # fmt: skip
"""Signatures of a private key only. With a shared secret, who can check a token can make one."""

TOKEN_LENGTH_MAX = 8_192
LEEWAY_S = 30
"""By so much the clocks of provider and platform may differ."""

ACCESS_TYPES = {"at+jwt", "application/at+jwt"}
PLAIN_TYPES = {"jwt", ""}
ONLY_IN_ID_TOKENS = {"nonce", "at_hash", "c_hash"}


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose tokens are taken, for whom they must be made, and what says who asks.

    A claim is named by its path, as in `realm_access.roles`. `plain`: tokens of type JWT are taken
    too, of providers older than RFC 9068.
    """

    issuer: str
    audience: str
    role_claim: str
    region_claim: str
    unit_claim: str
    plain: bool = False


class Keys(Protocol):
    """Where the keys of the provider come from."""

    async def key(self, key_id: str, now: datetime) -> Key: ...


@dataclass(frozen=True, slots=True)
class Tokens:
    """The access tokens that are taken."""

    trust: Trust
    keys: Keys

    async def fetch_holder(self, token: str, now: datetime) -> Holder:
        """Return who holds an access token. Raises Unauthorized or Forbidden with what to do."""
        key = await self.keys.key(_key_id(token, self.trust), now)
        try:
            claims = jwt.decode(token, key, algorithms=[*ALGORITHMS]).claims
        except (errors.JoseError, ValueError):
            raise _invalid("Its signature does not hold.") from None
        _check(claims, self.trust, now)
        return _holder(claims, self.trust)


def _key_id(token: str, trust: Trust) -> str:
    """Return which key must have signed; nothing is believed yet."""
    if len(token) > TOKEN_LENGTH_MAX:
        raise _invalid(f"It is longer than {TOKEN_LENGTH_MAX:,} characters.")
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (errors.JoseError, ValueError, binascii.Error):
        raise _invalid("It is neither an API key nor a signed token.") from None
    if header.get("alg") not in ALGORITHMS:
        raise _invalid(f"It must be signed with one of {', '.join(ALGORITHMS)}.")
    told = header.get("typ", "")
    kind = told.lower() if isinstance(told, str) else "?"
    if kind not in ACCESS_TYPES and not (trust.plain and kind in PLAIN_TYPES):
        raise _invalid("It is not an access token: its type must be at+jwt.")
    key_id = header.get("kid")
    if not isinstance(key_id, str):
        raise _invalid("It does not name the key that signed it.")
    return key_id


def _check(claims: Mapping[str, object], trust: Trust, now: datetime) -> None:
    """Raise Unauthorized unless a token that is signed is for us, and now."""
    registry = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=LEEWAY_S,
        iss={"essential": True, "value": trust.issuer},
        aud={"essential": True, "value": trust.audience},
        exp={"essential": True},
        sub={"essential": True},
    )
    try:
        registry.validate(dict(claims))
    except errors.ExpiredTokenError:
        raise Unauthorized(
            "expired_token", "This access token has expired. Get a new one from your provider."
        ) from None
    except errors.InvalidClaimError as error:
        if error.claim in ("nbf", "iat"):
            raise Unauthorized(
                "token_not_yet_valid", "This access token is not valid yet. Check the clocks."
            ) from None
        raise _invalid(f"Its claim {error.claim} is not what this platform takes.") from None
    except errors.JoseError as error:
        raise _invalid(f"A claim is missing or wrong: {error}.") from None
    if ONLY_IN_ID_TOKENS & claims.keys() or str(claims.get("typ", "")).lower() in ("id", "refresh"):
        raise _invalid("It is not an access token.")


def _holder(claims: Mapping[str, object], trust: Trust) -> Holder:
    told = _claim(claims, trust.role_claim)
    named = {*told} if isinstance(told, list) else {told}
    known = {Role(each) for each in named if isinstance(each, str) and each in {*Role}}
    if len(known) != 1:
        raise _no_role(f"its claim {trust.role_claim} must name one of {', '.join(Role)}")
    (role,) = known
    region, unit = _claim(claims, trust.region_claim), _claim(claims, trust.unit_claim)
    try:
        region = codes.parse_region(str(region))
        own = None if unit is None else codes.parse_credit_code(str(unit))
        roles.place(role, region, own)
    except ValueError as error:
        raise _no_role(f"{trust.region_claim} and {trust.unit_claim}: {error}") from None
    return Holder(
        label=f"{claims['sub']} @ {trust.issuer}",
        role=role,
        scope=Scope.of_region(region, own),
        acts=roles.MAY[role],
    )


def _claim(claims: Mapping[str, object], path: str) -> object:
    """Return what stands at a path such as `realm_access.roles`; a name may hold dots itself."""
    if path in claims:
        return claims[path]
    first, dot, rest = path.partition(".")
    inner = claims.get(first)
    return _claim(inner, rest) if dot and isinstance(inner, Mapping) else None


def _invalid(reason: str) -> Unauthorized:
    return Unauthorized("invalid_token", f"This access token is not taken. {reason}")


def _no_role(reason: str) -> Forbidden:
    return Forbidden(
        "no_role", f"This access token gives nobody a place here: {reason}. Ask your administrator."
    )
