"""Owns how programs write what happens: one JSON object a line, or plain text on a terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, date, datetime
from typing import Any

import structlog


def configure() -> None:
    """Write to standard error, times in UTC."""
    plain = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            told_instants,
            structlog.dev.ConsoleRenderer()
            if plain
            else structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def told_instants(_logger: object, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Return what is logged with its instants in ISO 8601, in UTC as the `timestamp` of the line.

    >>> told_instants(None, "info", {"due_at": datetime(2026, 11, 26, 8, tzinfo=UTC)})
    {'due_at': '2026-11-26T08:00:00Z'}
    """
    return {name: _told(value) for name, value in event.items()}


def _told(value: object) -> object:
    match value:
        case datetime() if value.tzinfo is not None:
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Mapping():
            return {key: _told(each) for key, each in value.items()}
        case list() | tuple():
            return [_told(each) for each in value]
        case _:
            return value
