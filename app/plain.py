"""Owns what no request may hold: NUL characters, which upset the database, and repeats."""

from __future__ import annotations

import json
from email.message import Message

from fastapi import Request

from app.errors import InvalidParameter


async def body_of(request: Request) -> None:
    """Refuse texts with a NUL character in a body of JSON: the database takes none."""
    if not is_json(request.headers.get("content-type", "")):
        return
    body = await request.body()
    if b"\\u0000" not in body.replace(b"\0", b""):  # in UTF-16 it stands between NULs
        return
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):  # nobody takes it either
        return
    if _has_nul(said):
        fields = said.items() if isinstance(said, dict) else ()
        named = (name for name, each in fields if _has_nul(each))
        raise InvalidParameter(next(named, "body"), "has a NUL character in it")


def is_json(content_type: str) -> bool:
    """Return whether a body of that type is parsed, as FastAPI decides.

    >>> is_json("Application/JSON ; charset=utf-8"), is_json("application/merge-patch+json")
    (True, True)
    >>> is_json("text/json"), is_json("")
    (False, False)
    """
    told = Message()
    told["content-type"] = content_type
    subtype = told.get_content_subtype()
    is_application = told.get_content_maintype() == "application"
    return is_application and (subtype == "json" or subtype.endswith("+json"))


def _has_nul(said: object) -> bool:
    """Return whether a text within has one; without recursion, however deep it lies."""
    within = [said]
    while within:
        match within.pop():
            case str() as text if "\0" in text:
                return True
            case list() as parts:
                within += parts
            case dict() as parts:
                within += [*parts, *parts.values()]
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
