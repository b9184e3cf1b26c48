"""Owns what calls share of what they are sent: parameters, what is wrong with one, bodies."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

import db.catalogue
from app.depends import Caller
from app.errors import InvalidParameter, NotFound
from db.catalogue import Filters, UnitEntry
from db.consumption import Tier
from db.scope import Scope
from energy import codes
from energy.factors import Basis
from energy.periods import Span

LIMIT_MAX = 1_000
LIMIT_DEFAULT = 100
CURSOR_LENGTH_MAX = 400
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
PLAIN = r"^[^\x00-\x1f\x7f]*$"
"""Of words on one line: no control characters."""

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_INDUSTRY = re.compile("[A-T]([0-9]{2,4})?")


def parse_instant(text: object) -> datetime:
    """Return the RFC 3339 instant in `text`. [UTC]

    An unescaped "+" reaches us as a space; before an offset nothing else can be meant.
    """
    if not isinstance(text, str):
        raise ValueError("is an RFC 3339 time, as in 2026-11-01T00:00:00+08:00")
    match = _INSTANT.fullmatch(re.sub(r" (?=[0-9]{2}:[0-9]{2}$)", "+", text))
    if match is None:
        raise ValueError("is not an RFC 3339 time, as in 2026-11-01T00:00:00+08:00")
    if match[2] is None:
        raise ValueError("has no offset from UTC; write it as in 2026-11-01T00:00:00+08:00")
    try:
        instant = datetime.fromisoformat(match[0].upper())
    except ValueError as error:
        raise ValueError(f"is not a time of the calendar: {error}") from error
    if not EARLIEST.year <= instant.year < LATEST.year:
        raise ValueError(f"must be in the years {EARLIEST.year} to {LATEST.year - 1}")
    return instant.astimezone(UTC)


def _region(text: str) -> str:
    return codes.parse_region(text)


def _industry(text: str) -> str:
    code = codes.normalised(text)
    if not _INDUSTRY.fullmatch(code):
        raise ValueError("is a letter A to T, or it and 2 to 4 digits, as in C or C31 or C3120")
    return code if len(code) == 1 else codes.parse_industry(code)


def _credit_code(text: str) -> str:
    code = codes.normalised(text)
    if not re.fullmatch("[0-9A-Z]{18}", code):
        raise ValueError("is an 18-character credit code, as in 91450200MA5KF5XJ00")
    return code


Instant = Annotated[datetime, BeforeValidator(parse_instant)]
RegionCode = Annotated[str, AfterValidator(_region)]
IndustryCode = Annotated[str, AfterValidator(_industry)]
CreditCode = Annotated[str, AfterValidator(_credit_code)]
WithinRegion = Annotated[
    RegionCode | None,
    Field(
        description="GB/T 2260 code of a province, city or county: what is within",
        examples=["450200"],
    ),
]
OfUnit = Annotated[
    CreditCode | None,
    Field(description="unified social credit code of a unit", examples=["91450200MA5KF5XJ00"]),
]


class Sent(BaseModel):
    """Base of bodies: no field that nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoParameters(BaseModel):
    """A call without query parameters refuses any."""

    model_config = ConfigDict(extra="forbid")


class Page(BaseModel):
    """Which part of a list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(
        default=LIMIT_DEFAULT, ge=1, le=LIMIT_MAX, description="items at most", examples=[100]
    )
    cursor: str | None = Field(
        default=None,
        max_length=CURSOR_LENGTH_MAX,
        description="`next` of the answer before, to go on after it",
        examples=["WyI0NTAyMDAiXQ"],
    )


class Where(Page):
    """Which part of the registry."""

    region: WithinRegion = None
    industry: IndustryCode | None = Field(
        default=None,
        description="GB/T 4754 code, or the beginning of one: `C`, `C31`, `C3120`",
        examples=["C31"],
    )
    energy: str | None = Field(
        default=None,
        pattern="^[a-z0-9_]{1,40}$",
        description="energy carrier",
        examples=["electricity"],
    )
    q: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="part of a name or a code",
        examples=["钢铁"],
    )


class Between(BaseModel):
    """Adds a half-open span of time."""

    from_: Instant = Field(
        alias="from",
        description="RFC 3339 with an offset; `+` in a URL is `%2B`",
        examples=["2026-11-01T00:00:00+08:00"],
    )
    to: Instant = Field(
        description="RFC 3339 with an offset; this instant is not included",
        examples=["2026-12-01T00:00:00+08:00"],
    )

    def span(self) -> Span:
        if self.to <= self.from_:
            raise InvalidParameter("to", "must be after from")
        return Span(self.from_, self.to)


class AsKnown(BaseModel):
    """Adds the instant whose knowledge answers."""

    as_known_on: Instant | None = Field(
        default=None,
        description="answer as it would have been answered at this instant, from what was stored "
        "and stated until then; RFC 3339 with an offset",
        examples=["2026-12-01T00:00:00+08:00"],
    )


class Selecting(Between):
    """Which units are asked for, and to what level regions are grouped."""

    region_level: Tier = Field(
        default=Tier.CITY,
        description="the level that group_by=region groups to",
        examples=["city"],
    )
    region: WithinRegion = None
    unit: OfUnit = None
    industry: IndustryCode | None = Field(
        default=None,
        description="GB/T 4754 code, or the beginning of one: `C`, `C31`, `C3120`",
        examples=["C31"],
    )


class Valued(BaseModel):
    """Adds the energy that is asked for, and what its coal equivalent is based on."""

    energy: str | None = Field(
        default=None,
        pattern="^[a-z0-9_]{1,40}$",
        description="energy carrier",
        examples=["electricity"],
    )
    basis: Basis = Field(
        default=Basis.CALORIFIC,
        description="of energy_tce: calorific value (当量值) or coal-equivalent value (等价值)",
        examples=["calorific"],
    )


async def known_region(caller: Caller, region: str | None) -> str | None:
    """Return the code of `region`; a retired code leads to the one in force."""
    if region is None:
        return None
    known = await caller.remembered.one(
        ("region", region), lambda: db.catalogue.fetch_region(caller.connection, region)
    )
    if known is None:
        raise InvalidParameter("region", f"{region} is not a region; see /v1/regions")
    return known


async def region_prefix(caller: Caller, region: str | None) -> str:
    """Return the prefix of the codes within `region`; "" is everywhere."""
    known = await known_region(caller, region)
    return "" if known is None else Scope.of_region(known).region_prefix


async def known_energy(caller: Caller, energy: str | None) -> str | None:
    if energy is None:
        return None
    is_known = await caller.remembered.one(
        ("carrier", energy), lambda: db.catalogue.has_carrier(caller.connection, energy)
    )
    if not is_known:
        raise InvalidParameter("energy", f"{energy} is not an energy carrier that is accounted")
    return energy


async def visible_unit(caller: Caller, unit: str) -> UnitEntry:
    """Return the unit, or answer 404: a code mistyped must not read as zero energy."""
    found = await caller.remembered.one(
        ("unit", caller.scope, unit),
        lambda: db.catalogue.fetch_unit(caller.connection, caller.scope, unit),
    )
    if found is None:
        raise NotFound("unit")
    return found


async def filters(caller: Caller, where: Where) -> Filters:
    return Filters(
        region_prefix=await region_prefix(caller, where.region),
        industry=where.industry or "",
        energy=await known_energy(caller, where.energy),
        q=where.q,
    )
