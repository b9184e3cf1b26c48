"""Owns GET /v1/regions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field

import db.catalogue
from app import cursor
from app.api import parameters
from app.api.answers import Answer, ListOf, problems
from app.api.parameters import Where
from app.depends import AuthenticatedCaller

router = APIRouter(tags=["registry"])


class Region(Answer):
    """An administrative division (行政区)."""

    region: str = Field(description="GB/T 2260 code", examples=["450200"])
    name: str = Field(examples=["柳州市"])
    tier: str = Field(description="province, city or county", examples=["city"])
    parent: str | None = Field(description="the region it belongs to", examples=["450000"])
    unit_count: int = Field(
        description="units within that this key may see and that pass the filters", examples=[28]
    )


class Regions(ListOf[Region]):
    """A page of regions, by code."""


@router.get(
    "/v1/regions",
    operation_id="list_regions",
    summary="Regions within the scope of the key",
    responses=problems(401, 422, 503),
)
async def list_regions(where: Annotated[Where, Query()], caller: AuthenticatedCaller) -> Regions:
    """Return regions. Filtered by industry or energy: only those with such a unit."""
    (after,) = cursor.decode(where.cursor, 1)
    entries = await db.catalogue.list_regions(
        caller.connection,
        caller.scope,
        filters=await parameters.filters(caller, where),
        after=after,
        limit=where.limit + 1,
    )
    page = entries[: where.limit]
    return Regions(
        items=[Region.model_validate(entry) for entry in page],
        next=cursor.encode(page[-1].region) if len(entries) > len(page) else None,
    )
