"""Owns what no request may hold: NUL characters, which upset the database, and repeats."""

from __future__ import annotations

import json

from fastapi import Request

from app.errors import InvalidParameter


async def body_of(request: Request) -> None:
    """Refuse texts with a NUL character in a body of JSON: the database takes none."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        return
    body = await request.body()
    if b"\\u0000" not in body:
        return
    said = json.loads(body)
    if _has_nul(said):
        fields = said.items() if isinstance(said, dict) else ()
        named = (name for name, each in fields if _has_nul(each))
        raise InvalidParameter(next(named, "body"), "has a NUL character in it")


def _has_nul(said: object) -> bool:
    match said:
        case str():
            return "\0" in said
        case list():
            return any(map(_has_nul, said))
        case dict():
            return any(_has_nul(each) for pair in said.items() for each in pair)
        case _:
            return False


def query_of(request: Request) -> None:
    """Refuse what would otherwise be ignored or upset the database: repeats and NUL characters."""
    seen: set[str] = set()
    for name, value in request.query_params.multi_items():
        if name in seen:
            raise InvalidParameter(name, "is given twice", code="repeated_parameter")
        if "\0" in name or "\0" in value:
            raise InvalidParameter(name.replace("\0", ""), "has a NUL character in it")
        seen.add(name)
    if "\0" in request.url.path or "%00" in request.url.path:
        raise InvalidParameter("path", "has a NUL character in it")
