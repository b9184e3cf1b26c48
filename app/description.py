"""Owns the OpenAPI document beyond what FastAPI reads from the calls: what all of them share.

Each call names the problems that are its own; those that every call of its kind can answer with
are added here, so that a new call cannot forget one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from app import errors
from app.api.answers import problems

Described = dict[str, Any]  # a part of the document, as FastAPI makes it

ABOUT: Described = {
    "contact": {"name": "The operator of this platform"},
    "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
}
SERVERS = [{"url": "/", "description": "The server that this document came from"}]

KEYED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE)
"""Whoever asks may be unknown or not allowed, and the database away."""

LATER: Described = {
    "Retry-After": {
        "description": "seconds to wait before the same request may succeed",
        "schema": {"type": "string", "pattern": "^[0-9]+$", "examples": ["5"]},
    }
}
HEADERS: dict[str, Described] = {
    "401": {
        "WWW-Authenticate": {
            "description": "how to authenticate",
            "schema": {"type": "string", "examples": ['Bearer realm="nenghao"']},
        }
    },
    "429": LATER,
    "503": LATER,
}
TAGGED = {
    "ETag": {
        "description": "of this answer: sent back in If-None-Match, the same answer is 304",
        "schema": {"type": "string", "examples": ['W/"d41d8cd98f00b204e9800998ecf8427e"']},
    }
}
NULL = {"type": "null"}
OF_FASTAPI = ("HTTPValidationError", "ValidationError")
"""Models of errors that are not ours: every error is a problem."""


class Interface(FastAPI):
    """Describes its calls and errors as what they are."""

    def openapi(self) -> Described:
        if self.openapi_schema is None:
            described = super().openapi()
            described["info"] |= ABOUT
            described["servers"] = SERVERS
            for path, method, call in _calls(described):
                _complete(path, method, call)
            for name in OF_FASTAPI:
                described["components"]["schemas"].pop(name, None)
            self.openapi_schema = _renamed(described)
        return self.openapi_schema


def _renamed(described: Described) -> Described:
    """Call models of one name by their module and name, as ProductionStatement, without its path.

    They are classes in clients.
    """
    text = json.dumps(described, ensure_ascii=False)
    for name in described["components"]["schemas"]:
        readable = _readable(name)
        text = text.replace(f'"{name}"', f'"{readable}"').replace(f'/{name}"', f'/{readable}"')
    renamed: Described = json.loads(text)
    former, present = described["components"]["schemas"], renamed["components"]["schemas"]
    assert len(present) == len(former), "two models would be called alike: rename one of them"
    for name, schema in present.items():
        schema["title"] = name
    return renamed


def _readable(name: str) -> str:
    """Return what a model is called.

    >>> [_readable(name) for name in ("Unit", "Fault-Output", "app__api__production__Statement")]
    ['Unit', 'Fault', 'ProductionStatement']
    """
    *path, model = name.removesuffix("-Output").replace("-", "").split("__")
    return "".join(path[-1:]).title().replace("_", "") + model


def _calls(described: Described) -> Iterator[tuple[str, str, Described]]:
    for path, calls in described["paths"].items():
        for method, call in calls.items():
            yield path, method, call


def _complete(path: str, method: str, call: Described) -> None:
    """Add what every call of its kind answers with, and say that problems are problems."""
    responses: Described = call["responses"]
    shared = [HTTPStatus.UNPROCESSABLE_ENTITY]
    if call.get("security"):
        shared += KEYED
    if "{" in path:
        shared.append(HTTPStatus.NOT_FOUND)
    for status in shared:
        if "Problem" not in str(responses.get(str(int(status)), "")):
            responses[str(int(status))] = _problem(status)
    for name, response in responses.items():
        if name >= "400" and response.get("content"):
            *_, problem = response["content"].values()  # under the media type of the call
            response["content"] = {errors.MEDIA_TYPE: problem}
        if name in HEADERS:
            response["headers"] = HEADERS[name]
    # 304 is left out: who sends If-None-Match knows it, and clients would get answers of no type.
    if method == "get" and "application/json" in responses.get("200", {}).get("content", {}):
        responses["200"]["headers"] = TAGGED
    call["responses"] = dict(sorted(responses.items()))
    for parameter in call.get("parameters", ()):
        parameter["schema"] = _without_null(parameter["schema"])


def _problem(status: HTTPStatus) -> Described:
    (described,) = problems(status).values()
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": described["description"],
        "content": {"application/json": {"schema": schema}},
    }


def _without_null(schema: Described) -> Described:
    """Return the schema of a parameter that may be left out: there is no null in an address."""
    choices: list[Described] = [each for each in schema.get("anyOf", ()) if each != NULL]
    if len(choices) != 1:
        return schema
    return {name: value for name, value in schema.items() if name != "anyOf"} | choices[0]
