"""Owns how the HTTP interface is put on a port: the server process and its options."""

from __future__ import annotations

import uvicorn
from fastapi import FastAPI


def run(application: FastAPI, host: str, port: int) -> None:
    """Answer until SIGINT or SIGTERM."""
    uvicorn.run(
        application,
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        server_header=False,
    )
