"""Owns refusals: every error is an RFC 9457 problem with a stable code and what to do about it.

What a caller may not see is answered exactly like what does not exist: 404, never 403.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from app.faults import words

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
FAULTS_MAX = 100
"""What is wrong with a request is listed so far."""

AS_KNOWN_ON = "as_known_on"
"""The parameter that asks for what was known on a day."""

UNAVAILABLE_CLASSES = ("08", "53", "57", "58")
"""SQLSTATE classes: connection, resources, operator intervention, system."""

NO_TEMPORARY_TABLES = (asyncpg.ReadOnlySQLTransactionError, asyncpg.InsufficientPrivilegeError)

log = structlog.get_logger("serve")


class Fault(BaseModel):
    """What is wrong with one parameter."""

    model_config = ConfigDict(extra="forbid")

    parameter: str = Field(description="name of the parameter", examples=["from"])
    detail: str = Field(
        description="what is wrong with it and what is expected",
        examples=["needs an offset, as in 2026-11-01T00:00:00+08:00"],
    )


class Problem(BaseModel):
    """RFC 9457 problem details. Programs go by `code`, people by `detail`."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description="the code as a URI", examples=["urn:nenghao:problem:not_found"])
    title: str = Field(description="the kind of problem", examples=["Not found"])
    status: int = Field(description="the HTTP status", examples=[404])
    code: str = Field(description="stable name of the problem", examples=["not_found"])
    detail: str = Field(
        description="what happened and what to do",
        examples=["There is no such unit, or none that this key may see."],
    )
    errors: list[Fault] | None = Field(
        default=None, description="what is wrong, parameter by parameter; only with status 422"
    )


class ApiError(Exception):
    """A refusal, with what the caller can do about it."""

    status = 422
    title = "Invalid request"

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[Fault] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}

    def response(self) -> JSONResponse:
        problem = Problem(
            type=f"urn:nenghao:problem:{self.code}",
            title=self.title,
            status=self.status,
            code=self.code,
            detail=self.detail,
            errors=None if self.errors is None else list(self.errors),
        )
        return JSONResponse(
            problem.model_dump(exclude_none=True),
            status_code=self.status,
            headers=dict(self.headers),
            media_type=MEDIA_TYPE,
        )


class InvalidParameter(ApiError):
    """One parameter cannot be used."""

    def __init__(self, parameter: str, detail: str, *, code: str = "invalid_parameter") -> None:
        fault = Fault(parameter=parameter, detail=detail)
        super().__init__(code, f"{parameter}: {detail}", errors=[fault])


class NotFound(ApiError):
    """It does not exist, or the caller may not see it: the answer is the same."""

    status = 404
    title = "Not found"

    def __init__(self, noun: str) -> None:
        super().__init__("not_found", f"There is no such {noun}, or none that this key may see.")
        self.noun = noun


class Forbidden(ApiError):
    """What is asked for may be seen, and not done, with this key."""

    status = 403
    title = "Not allowed"


class Conflict(ApiError):
    """What is asked for does not go with how things stand; the sentence says what does."""

    status = 409
    title = "Conflict"


class PreconditionFailed(ApiError):
    """It is not any more what the caller saw."""

    status = 412
    title = "Changed meanwhile"

    def __init__(self, detail: str) -> None:
        super().__init__("changed_meanwhile", detail)


class PreconditionRequired(ApiError):
    """Who changes this says what they saw."""

    status = 428
    title = "Precondition required"

    def __init__(self, detail: str) -> None:
        super().__init__("version_required", detail)


class TooLarge(ApiError):
    """The body is larger than this call takes."""

    status = 413
    title = "Too large"

    def __init__(self, detail: str) -> None:
        super().__init__("too_large", detail)


class Unauthorized(ApiError):
    """Who is asking is not known."""

    status = 401
    title = "Not authenticated"

    def __init__(self, code: str, detail: str) -> None:
        reason = ', error="invalid_token"' if code != "unauthenticated" else ""
        super().__init__(
            code, detail, headers={"WWW-Authenticate": f'Bearer realm="nenghao"{reason}'}
        )


class Unavailable(ApiError):
    """The platform cannot answer now; the same request may succeed later."""

    status = 503
    title = "Unavailable"

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail, headers={"Retry-After": str(RETRY_AFTER_S)})


FEWER = {
    "requests": "Ask for more at once, and follow /v1/stream instead of asking again and again.",
    "uploads": "Put more readings into a batch.",
    "refusals": "Check the key or the signing key that is sent from this address.",
}


class TooMany(ApiError):
    """Who asks has used up what they may ask for in a minute."""

    status = 429
    title = "Too many requests"

    def __init__(self, what: str, per_minute: int, wait_s: int) -> None:
        super().__init__(
            f"too_many_{what}",
            f"More than {per_minute} {what} a minute. Wait {wait_s} s. {FEWER[what]}",
            headers={
                "Retry-After": str(wait_s),
                "RateLimit-Policy": f'"{what}";q={per_minute};w=60',
                "RateLimit": f'"{what}";r=0;t={wait_s}',
            },
        )


class TooManyOpen(ApiError):
    """Who asks has as much open at a time as one key may: streams, or files."""

    status = 429
    title = "Too many at a time"

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail, headers={"Retry-After": str(RETRY_AFTER_S)})


class NotNoted(Unavailable):
    """The audit log cannot be written: nothing is answered, and nothing changed, without it."""

    def __init__(self) -> None:
        super().__init__(
            "audit_unavailable",
            "The audit log cannot be written, and without it nothing is answered or changed. "
            "Try again later.",
        )


class OtherError(ApiError):
    """What the framework refuses: an unknown path, a method that is not offered."""

    def __init__(self, status: int, title: str, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.status = status
        self.title = title


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem."""
    app.add_exception_handler(ApiError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _framework)
    for outside in (
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        OSError,
    ):
        app.add_exception_handler(outside, _database)
    app.add_exception_handler(Exception, _bug)


def is_outage(error: BaseException) -> bool:
    """Return whether the database is away, rather than our statement wrong.

    An InterfaceError can also be our bug (a wrong argument): those are ValueErrors as well.
    """
    if isinstance(error, asyncpg.PostgresError):
        return (error.sqlstate or "")[:2] in UNAVAILABLE_CLASSES or isinstance(
            error, asyncpg.InvalidCatalogNameError
        )
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError)
    return isinstance(error, OSError | asyncpg.InternalClientError)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return error.response()


NAMED = {"extra_forbidden": "unknown_parameter", "json_invalid": "malformed_body"}
"""Codes of what is wrong in one way only."""


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    told = error.errors()[:FAULTS_MAX]
    faults = [_fault(each, request) for each in told]
    kinds = {each["type"] for each in told}
    code = NAMED.get(kinds.pop(), "invalid_parameter") if len(kinds) == 1 else "invalid_parameter"
    detail = "; ".join(f"{fault.parameter}: {fault.detail}" for fault in faults)
    return ApiError(code, detail, errors=faults).response()


def _fault(told: Mapping[str, Any], request: Request) -> Fault:
    location, context = told["loc"], told.get("ctx", {})
    parameter = str(location[-1])
    match told["type"]:
        case "extra_forbidden" if location[-1] == AS_KNOWN_ON:
            detail = "is not answered here: this call tells what is known now. These tell what "
            detail += f"was known on a day: {', '.join(_knowing(request.app))}"
        case "json_invalid":
            return Fault(parameter="body", detail=f"is no JSON: at byte {location[-1]}")
        case "union_tag_not_found":
            parameter = context["discriminator"].strip("'")
            detail = f"is required: one of {', '.join(_tags(request, location[1:]))}"
        case "union_tag_invalid":
            parameter = context["discriminator"].strip("'")
            detail = words(told["type"], told["msg"], context)
        case "missing" if location == ("body",):
            detail = "is required: a JSON object; see /docs for what goes into it"
        case _:
            detail = words(told["type"], told["msg"], context)
    return Fault(parameter=parameter, detail=detail)


def _tags(request: Request, field: Sequence[str | int]) -> list[str]:
    """Return which kinds a body, or a field of it, may be of, as the call is described."""
    described = request.app.openapi()
    call = described["paths"][request.scope["route"].path_format]
    schema = call[request.method.lower()]["requestBody"]["content"]["application/json"]["schema"]
    for name in field:
        model = str(schema["$ref"]).rpartition("/")[2]
        schema = described["components"]["schemas"][model]["properties"][name]
    kinds = next(each for each in (schema, *schema.get("anyOf", ())) if "discriminator" in each)
    return sorted(kinds["discriminator"]["mapping"])


def _knowing(app: FastAPI) -> list[str]:
    """Return the calls that answer as known on a day, as their own descriptions say."""
    return sorted(
        path
        for path, calls in app.openapi()["paths"].items()
        if any(each["name"] == AS_KNOWN_ON for each in calls.get("get", {}).get("parameters", ()))
    )


async def _framework(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    match error.status_code:
        case 404:
            detail = "There is nothing at this path; see /docs for what there is."
            return OtherError(404, "Not found", "unknown_path", detail).response()
        case 400:
            return ApiError(
                "malformed_body",
                "body: is no JSON that can be read: send UTF-8, not compressed, not deep",
            ).response()
        case 405:
            methods = ", ".join(sorted(_offered(request, error.headers or {})))
            detail = f"This path offers {methods}."
            refused = OtherError(405, "Method not allowed", "method_not_allowed", detail)
            refused.headers = {"Allow": methods}
            return refused.response()
        case 413:
            return TooLarge(
                "The body is larger than this call takes. Send less at once."
            ).response()
        case status:
            return OtherError(status, "Refused", "refused", str(error.detail)).response()


def _offered(request: Request, headers: Mapping[str, str]) -> set[str]:
    """Return the methods of a path: the framework names those of its first call alone."""
    described = {
        method.upper()
        for path, calls in request.app.openapi()["paths"].items()
        if compile_path(path)[0].fullmatch(request.url.path)
        for method in calls
    }
    return described or {each.strip() for each in headers.get("Allow", "").split(",")}


async def _database(request: Request, error: Exception) -> JSONResponse:
    """A time-out is an OSError too: asyncpg gives up on statements that take too long."""
    if isinstance(error, TimeoutError | asyncpg.QueryCanceledError):
        log.warning("too_slow", path=request.url.path, query=request.url.query)
        detail = "This took too long. Ask for a shorter span, a coarser bucket or fewer units."
        return Unavailable("too_slow", detail).response()
    if AS_KNOWN_ON in request.query_params and isinstance(error, NO_TEMPORARY_TABLES):
        log.error("no_temporary_tables", error=repr(error))
        detail = (
            "This platform's login at its database may make no temporary tables, which an answer "
            "as known on an earlier day needs: it reads a copy, or the right was taken from it. "
            "Its operator can mend it; /v1/explain answers."
        )
        return Unavailable("earlier_days_unavailable", detail).response()
    if is_outage(error):
        log.error("database_unavailable", error=repr(error))
        detail = "The database does not answer. Try again in a few seconds."
        return Unavailable("database_unavailable", detail).response()
    return await _bug(request, error)


async def _bug(request: Request, error: Exception) -> JSONResponse:
    log.error("internal_error", path=request.url.path, exc_info=error)
    detail = "This is a fault of the platform. It was logged; tell its operator the time."
    return OtherError(500, "Internal error", "internal_error", detail).response()
