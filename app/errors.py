"""Owns refusals: every error is an RFC 9457 problem with a stable code and what to do about it.

What a caller may not see is answered exactly like what does not exist: 404, never 403.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
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


class Forbidden(ApiError):
    """What is asked for may be seen, and not done, with this key."""

    status = 403
    title = "Not allowed"


class Conflict(ApiError):
    """What is asked for does not go with what has become of it by now."""

    status = 409
    title = "Conflict"


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


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [
        _fault(each["loc"], each["type"], each["msg"], request.app) for each in error.errors()
    ]
    unknown = [each["type"] == "extra_forbidden" for each in error.errors()]
    code = "unknown_parameter" if all(unknown) else "invalid_parameter"
    detail = "; ".join(f"{fault.parameter}: {fault.detail}" for fault in faults)
    return ApiError(code, detail, errors=faults).response()


def _fault(location: Sequence[object], kind: str, message: str, app: FastAPI) -> Fault:
    match kind:
        case "extra_forbidden" if location[-1] == AS_KNOWN_ON:
            detail = "is not answered here: this call tells what is known now. These tell what "
            detail += f"was known on a day: {', '.join(_knowing(app))}"
        case "missing":
            detail = "is required"
        case "extra_forbidden":
            detail = "is not a parameter of this call; see /docs"
        case _:
            detail = message.removeprefix("Value error, ")
    return Fault(parameter=str(location[-1]), detail=detail)


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
        case 405:
            refused = OtherError(
                405, "Method not allowed", "method_not_allowed", "This path does not offer that."
            )
            refused.headers = error.headers or {}
            return refused.response()
        case status:
            return OtherError(status, "Refused", "refused", str(error.detail)).response()


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
