"""Owns entity tags: whoever has an answer already is told so (304) instead of getting it again.

The tag is of the answer itself, so it is right whatever the answer was made of. It is weak: the
same answer may be compressed or not. Answers that are streamed have none.
"""

from __future__ import annotations

import hashlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MEDIA_TYPE = "application/json"
TAG_BYTES = 16
REVALIDATE = "private, no-cache"
"""Keep it, and ask whether it still holds. Not for others: they may see something else."""


class EntityTags:
    """ASGI middleware that tags answers to GET and compares the tags with If-None-Match."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        known = Headers(scope=scope).get("if-none-match", "")
        start: Message | None = None

        async def tagged(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_answer(message):
                start = message
                return
            if start is None:
                await send(message)
                return
            if not message.get("more_body"):
                start, message = tag(start, message, known)
            await send(start)
            await send(message)
            start = None

        await self._app(scope, receive, tagged)


def tag(start: Message, body: Message, known: str) -> tuple[Message, Message]:
    """Return an answer with its tag, or 304 without a body if the tag is among the `known`."""
    digest = hashlib.blake2b(body.get("body", b""), digest_size=TAG_BYTES).hexdigest()
    etag = f'W/"{digest}"'
    headers = MutableHeaders(raw=list(start["headers"]))
    headers["ETag"] = etag
    headers["Cache-Control"] = REVALIDATE
    if not is_among(etag, known):
        return {**start, "headers": headers.raw}, body
    del headers["Content-Length"]
    del headers["Content-Type"]
    return {**start, "status": 304, "headers": headers.raw}, {**body, "body": b""}


def is_among(etag: str, known: str) -> bool:
    """Return whether `etag` is in an If-None-Match header; strong and weak are alike (RFC 9110).

    >>> is_among('W/"a"', '"b", "a"'), is_among('W/"a"', "*"), is_among('W/"a"', "")
    (True, True, False)
    """
    opaque = etag.removeprefix("W/")
    tags = [each.strip().removeprefix("W/") for each in known.split(",")]
    return opaque in tags or tags == ["*"]


def _is_answer(start: Message) -> bool:
    media = Headers(raw=start["headers"]).get("content-type", "")
    return start["status"] == 200 and media.split(";")[0] == MEDIA_TYPE
