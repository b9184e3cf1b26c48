"""Owns GET /v1/explain."""

from __future__ import annotations

from importlib import metadata
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

import db.heads
from app import evidence
from app.api import explain_cases
from app.api.answers import problems
from app.api.explain_cases import Case, Explanation
from app.api.explain_query import ExplainQuery, Format
from app.depends import AuthenticatedCaller, Caller
from app.evidence import Making

ZIP = {"schema": {"type": "string", "format": "binary"}}

router = APIRouter(tags=["consumption"])


@router.get(
    "/v1/explain",
    operation_id="explain_figure",
    summary="Where a figure comes from: readings, epochs, factors, corrections, gaps, targets",
    response_model=Explanation,
    responses={200: {"content": {"application/zip": ZIP}}, **problems(401, 404, 422, 503)},
)
async def explain_figure(
    query: Annotated[ExplainQuery, Query()], caller: AuthenticatedCaller, request: Request
) -> Explanation | StreamingResponse:
    """Return a figure as a tree that ends in what nobody computed.

    Everything is computed anew from the parts and compared with what is stored or answered. With
    `format=zip` it is one evidence file: this answer, its rows as CSV, a page to read, and a
    manifest with hashes; `nenghao verify evidence FILE.zip` checks it without the platform's data.
    """
    case = await explain_cases.explained(caller, query)
    if query.format is Format.JSON:
        return case.answer
    return await _zip(caller, query, case, request)


async def _zip(
    caller: Caller, query: ExplainQuery, case: Case, request: Request
) -> StreamingResponse:
    making = Making(
        made_at=caller.now,
        made_for=caller.actor,
        platform=f"nenghao {metadata.version('nenghao')}",
        question=f"{request.url.path}?{request.url.query}",
        heads=await db.heads.list_present(caller.connection),
    )
    name = f"evidence-{query.figure}-{caller.now:%Y%m%dT%H%M%SZ}.zip"
    return StreamingResponse(
        evidence.stream(case.answer.model_dump(mode="json"), case.sheets, making, query.lang),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
