"""Owns `nenghao export` as a group: its commands need the web framework, and load on demand."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import typer
from typer.core import TyperGroup


class Calls(TyperGroup):
    """The commands of `app/export_calls.py`."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # its own click
        return list(_calls())

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]  # the same
        return _calls().get(cmd_name)


@cache
def _calls() -> Mapping[str, Any]:
    from app import export_calls  # here: it takes a second

    group = typer.main.get_command(export_calls.calls_app)
    assert isinstance(group, TyperGroup)
    return group.commands


export_app = typer.Typer(cls=Calls, no_args_is_help=True)


@export_app.callback()
def export_command() -> None:
    """Answers of the HTTP interface as files; times are RFC 3339, spans [from, to)."""
