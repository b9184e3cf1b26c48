"""Access tokens of a real OpenID provider: who has one sees what its claims say, and no more."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt

from app import providers
from app.resolve import Refusal
from settings import Settings
from tests import cast
from tests.app.conftest import Stage, staged
from tests.app.provider import Provider, fresh

AUDIENCE = "nenghao"
QIAN = {"nenghao_role": "city", "nenghao_region": "450200"}
LI = {"nenghao_role": "enterprise", "nenghao_region": "450200", "nenghao_unit": cast.QIANS_UNIT}


class Clock:
    """Real time, which a test may move on."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def trusting(
    possessed_stage: Stage, possessed_url: str, provider: Provider, clock: Clock
) -> AsyncIterator[Stage]:
    """An interface of the test's own, that has met no provider, for tests that only read."""
    settings = Settings(oidc_issuer=provider.issuer, oidc_audience=AUDIENCE)
    async with staged(
        possessed_url, settings=settings, clock=clock, people=possessed_stage.cast
    ) as made:
        yield made


def encoded(told: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode().rstrip("=")


async def outcome(stage: Stage, token: str) -> tuple[int, str]:
    answer = await stage.ask(token, "/v1/units")
    return answer.status_code, answer.json().get("code", "")


async def seen(stage: Stage, token: str) -> set[str]:
    answer = await stage.ask(token, "/v1/units")
    assert answer.status_code == 200, answer.text
    return {item["unit"] for item in answer.json()["items"]}


async def test_who_has_a_token_sees_what_its_claims_say(
    trusting: Stage, provider: Provider
) -> None:
    assert await seen(trusting, provider.token(AUDIENCE, **QIAN)) == {
        cast.QIANS_UNIT,
        cast.QIANS_OTHER_UNIT,
    }
    assert await seen(trusting, provider.token(AUDIENCE, **LI)) == {cast.QIANS_UNIT}
    elsewhere = {**LI, "nenghao_region": "450300"}
    assert await seen(trusting, provider.token(AUDIENCE, **elsewhere)) == set()
    assert await seen(trusting, trusting.cast.sun) == {cast.SUNS_UNIT}


async def test_what_is_stated_with_a_token_is_under_its_subject(
    database_url: str, provider: Provider
) -> None:
    settings = Settings(oidc_issuer=provider.issuer, oidc_audience=AUDIENCE)
    async with staged(database_url, settings=settings, clock=Clock()) as stage:
        await state(stage, provider)


async def state(stage: Stage, provider: Provider) -> None:
    token = provider.token(AUDIENCE, **LI)
    body = {
        "items": [
            {"unit": cast.QIANS_UNIT, "product": "steel", "from": "2026-11-01T00:00:00+08:00",
             "to": "2026-11-02T00:00:00+08:00", "quantity": 1, "uom": "t"}
        ]
    }  # fmt: skip
    answer = await stage.ask(token, "/v1/production", method="POST", body=body)
    assert answer.status_code == 200, answer.text
    actor = await stage.pool.fetchval("SELECT actor FROM changes WHERE noun = 'production'")
    assert actor == f"client-0 @ {provider.issuer}"
    auditor = provider.token(AUDIENCE, nenghao_role="auditor", nenghao_region="450200")
    refused = await stage.ask(auditor, "/v1/production", method="POST", body=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "may_not_state")


NOWHERE: list[dict[str, object]] = [
    {},
    {"nenghao_role": "king", "nenghao_region": "450200"},
    {"nenghao_role": ["city", "auditor"], "nenghao_region": "450200"},
    {"nenghao_role": "city"},
    {"nenghao_role": "city", "nenghao_region": 450200.5},
    {"nenghao_role": "city", "nenghao_region": "45"},
    {"nenghao_role": "city", "nenghao_region": "%"},
    {"nenghao_role": "city", "nenghao_region": "450000"},
    {"nenghao_role": "province", "nenghao_region": "450200"},
    {"nenghao_role": "enterprise", "nenghao_region": "450200"},
    {"nenghao_role": "enterprise", "nenghao_region": "450200", "nenghao_unit": "%"},
    {"nenghao_role": "enterprise", "nenghao_region": "450200", "nenghao_unit": ""},
    {"nenghao_role": "auditor", "nenghao_region": "450200", "nenghao_unit": cast.QIANS_UNIT},
]
"""Claims that give nobody a place."""


async def test_a_token_without_a_place_here_has_none(trusting: Stage, provider: Provider) -> None:
    for claims in NOWHERE:
        token = provider.token(AUDIENCE, **claims)
        assert await outcome(trusting, token) == (403, "no_role"), claims


async def test_a_token_that_nobody_made_for_us_is_refused(
    trusting: Stage, provider: Provider
) -> None:
    key = provider.signing[0]
    now = int(datetime.now(UTC).timestamp())
    good: dict[str, object] = {
        "iss": provider.issuer, "aud": AUDIENCE, "sub": "qian", "iat": now, "exp": now + 600,
        **QIAN,
    }  # fmt: skip
    header: dict[str, object] = {"alg": "RS256", "kid": "first", "typ": "at+jwt"}

    def signed(**changed: object) -> str:
        claims = {name: told for name, told in {**good, **changed}.items() if told is not None}
        return jwt.encode(header, claims, key)

    def headed(**changed: object) -> str:
        told = {name: each for name, each in {**header, **changed}.items() if each is not None}
        return jwt.encode(told, good, key, algorithms=[str(told["alg"])])

    body, _, signature = signed().rpartition(".")
    said = body.partition(".")[2]
    none = f"{encoded({**header, 'alg': 'none'})}.{said}."
    shared = f"{encoded({**header, 'alg': 'HS256'})}.{said}"
    public = hmac.new(key.as_pem(private=False), shared.encode(), hashlib.sha256).digest()
    forged = f"{shared}.{base64.urlsafe_b64encode(public).decode().rstrip('=')}"
    cases = {
        forged: "invalid_token",
        none: "invalid_token",
        none + signature: "invalid_token",
        f"{body}.": "invalid_token",
        f"{body}.{signature[:-8]}AAAAAAAA": "invalid_token",
        jwt.encode(header, good, fresh("first")): "invalid_token",
        headed(kid="second"): "unknown_token_key",
        headed(kid=None): "invalid_token",
        headed(typ="JWT"): "invalid_token",
        headed(typ=None): "invalid_token",
        signed(iss="http://127.0.0.1:1"): "invalid_token",
        signed(iss=None): "invalid_token",
        signed(aud="another"): "invalid_token",
        signed(aud=["another", "third"]): "invalid_token",
        signed(aud=None): "invalid_token",
        signed(exp=now - 60): "expired_token",
        signed(exp=None): "invalid_token",
        signed(exp="tomorrow"): "invalid_token",
        signed(nbf=now + 60): "token_not_yet_valid",
        signed(iat=now + 60): "token_not_yet_valid",
        signed(sub=None): "invalid_token",
        signed(nonce="of an ID token"): "invalid_token",
        "nh_" + signed(): "invalid_key",
        "a.b.c": "invalid_token",
        "e30.e30.": "invalid_token",
        "a" * 9_000: "invalid_token",
    }
    assert await outcome(trusting, signed()) == (200, "")
    assert await outcome(trusting, signed(aud=["another", AUDIENCE])) == (200, "")
    found = {token: await outcome(trusting, token) for token in cases}
    assert found == {token: (401, code) for token, code in cases.items()}


async def test_a_token_that_has_expired_is_refused(
    trusting: Stage, provider: Provider, clock: Clock
) -> None:
    token = provider.token(AUDIENCE, **QIAN)
    assert await outcome(trusting, token) == (200, "")
    clock.ahead = timedelta(seconds=provider.lasts_s + 31)
    assert await outcome(trusting, token) == (401, "expired_token")


async def test_a_rotated_key_is_found_and_the_old_one_forgotten(
    trusting: Stage, provider: Provider, clock: Clock
) -> None:
    old = provider.token(AUDIENCE, **QIAN)
    assert await outcome(trusting, old) == (200, "")
    provider.rotate(fresh("second"))
    new = provider.token(AUDIENCE, **QIAN)
    assert await outcome(trusting, new) == (401, "unknown_token_key")
    clock.ahead = providers.TRIED_EVERY
    assert await outcome(trusting, new) == (200, "")
    assert await outcome(trusting, old) == (401, "unknown_token_key")


async def test_a_withdrawn_key_is_believed_for_ten_minutes_at_most(
    trusting: Stage, provider: Provider, clock: Clock
) -> None:
    token = provider.token(AUDIENCE, **QIAN)
    assert await outcome(trusting, token) == (200, "")
    provider.rotate(fresh("second"))
    clock.ahead = providers.FRESH_FOR
    assert await outcome(trusting, token) == (401, "unknown_token_key")


async def test_unknown_keys_cost_the_provider_one_question_in_thirty_seconds(
    trusting: Stage, provider: Provider
) -> None:
    await outcome(trusting, provider.token(AUDIENCE, **QIAN))
    for number in range(20):
        await outcome(trusting, jwt.encode(
            {"alg": "RS256", "kid": f"k{number}", "typ": "at+jwt"}, {}, provider.signing[0]
        ))  # fmt: skip
    assert provider.questions == 1


async def test_a_provider_that_is_away_locks_nobody_out_for_a_day(
    trusting: Stage, provider: Provider, clock: Clock
) -> None:
    provider.lasts_s = 48 * 3_600
    token = provider.token(AUDIENCE, **QIAN)
    assert await outcome(trusting, token) == (200, "")
    with provider.away():
        clock.ahead = providers.KEPT_FOR - timedelta(minutes=1)
        assert await outcome(trusting, token) == (200, "")
        clock.ahead = providers.KEPT_FOR + timedelta(minutes=1)
        assert await outcome(trusting, token) == (503, "provider_unavailable")
        assert await outcome(trusting, trusting.cast.qian) == (200, "")
    clock.ahead += providers.TRIED_EVERY
    assert await outcome(trusting, token) == (200, "")


async def test_a_provider_that_calls_itself_otherwise_is_not_believed(
    possessed_stage: Stage, possessed_url: str, provider: Provider
) -> None:
    settings = Settings(
        oidc_issuer=provider.issuer.replace("127.0.0.1", "localhost"), oidc_audience=AUDIENCE
    )
    async with staged(
        possessed_url, settings=settings, clock=Clock(), people=possessed_stage.cast
    ) as stage:
        token = provider.token(AUDIENCE, **QIAN)
        assert await outcome(stage, token) == (503, "provider_unavailable")


async def test_a_provider_before_the_standard_is_taken_where_the_operator_says_so(
    possessed_stage: Stage, possessed_url: str, provider: Provider
) -> None:
    settings = Settings(
        oidc_issuer=provider.issuer,
        oidc_audience=AUDIENCE,
        oidc_plain_tokens=True,
        oidc_role_claim="realm_access.roles",
    )
    now = int(datetime.now(UTC).timestamp())
    claims: dict[str, object] = {
        "iss": provider.issuer, "aud": AUDIENCE, "sub": "qian", "exp": now + 600, "typ": "Bearer",
        "realm_access": {"roles": ["offline_access", "city"]}, "nenghao_region": "450200",
    }  # fmt: skip
    header = {"alg": "RS256", "kid": "first", "typ": "JWT"}
    async with staged(
        possessed_url, settings=settings, clock=Clock(), people=possessed_stage.cast
    ) as stage:
        token = jwt.encode(header, claims, provider.signing[0])
        assert await outcome(stage, token) == (200, "")
        of_id = jwt.encode(header, {**claims, "typ": "ID"}, provider.signing[0])
        assert await outcome(stage, of_id) == (401, "invalid_token")


async def test_a_provider_without_an_audience_is_refused_at_the_start(database_url: str) -> None:
    settings = Settings(oidc_issuer="https://id.example")
    with pytest.raises(Refusal, match="NENGHAO_OIDC_AUDIENCE"):
        async with staged(database_url, settings=settings):
            pass


@pytest.mark.parametrize("issuer", ["http://id.example", "ftp://127.0.0.1/", "id.example"])
def test_a_provider_off_this_machine_must_be_reached_safely(issuer: str) -> None:
    with pytest.raises(ValueError, match="oidc_issuer"):
        Settings(oidc_issuer=issuer)
