"""Owns which errors of a command its user can mend, and in which sentence they are told."""

from __future__ import annotations

import asyncpg
import psycopg
from pydantic import ValidationError

from app.resolve import Refusal, plain
from deploy.services import ServicesError
from ingest.authority import AuthorityError
from ingest.client import ConnectionLostError
from ingest.credentials import CredentialsError
from ingest.kick import KickError
from ingest.names import NameFault
from ingest.probe import ProbeError
from ingest.writer import FencedError

SENTENCES = (
    Refusal,
    ServicesError,
    ConnectionLostError,
    FencedError,
    CredentialsError,
    AuthorityError,
    KickError,
    NameFault,
    ProbeError,
)
"""These say all there is to say."""


def sentence(error: Exception) -> str | None:
    """Return what the user reads; None: it is a bug of ours, and its traceback is to be seen."""
    if isinstance(error, SENTENCES):
        return str(error)
    match error:
        case ValidationError():
            return "; ".join(
                f"NENGHAO_{'_'.join(map(str, fault['loc'])).upper()}: {plain(fault['msg'])}"
                for fault in error.errors()
            )
        case asyncpg.UndefinedTableError() | asyncpg.UndefinedFunctionError():
            return f"{error}: bring the database to the newest schema with `nenghao migrate`"
        case asyncpg.PostgresError() | psycopg.Error() | OSError():
            return str(error) or type(error).__name__
    return None
