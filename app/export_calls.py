"""Owns the commands of `nenghao export`: one for each call that answers with files, its parameters
are options.

An answer is whole before its first byte is written, and its file has its name when it is whole.
"""

from __future__ import annotations

import inspect
import os
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO, get_args

import typer
from pydantic.fields import FieldInfo
from rich.console import Console

from app import exporting, session
from app.exporting import Call
from app.exports import Format
from app.resolve import Refusal
from db.pool import Pool

OURS = {"format", "limit", "cursor"}
"""Parameters of calls that are no options: of the form of an answer, not of what is asked."""

KEYWORD = inspect.Parameter.KEYWORD_ONLY

console = Console(stderr=True)
calls_app = typer.Typer()

OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", dir_okay=False, help="the file; or standard output")
]
FormatOption = Annotated[
    Format | None, typer.Option("--format", help="that of the file's name, else csv")
]


def _command(call: Call[Any]) -> Callable[..., None]:
    """Return the command for a call, with an option for each of its parameters."""

    def command(
        context: typer.Context, output: Path | None, form: Format | None, **given: str | None
    ) -> None:
        form = form or _form(output)
        _refuse_unfit(output, form)
        said = {_option(call, name): text for name, text in given.items() if text is not None}
        query = exporting.asked(call, said, form)
        unverified = session.addresses(context).unverified

        async def work(pool: Pool) -> BinaryIO:
            return await exporting.answered(pool, call, query, unverified, datetime.now(UTC))

        with console.status("asking"):
            file = session.with_pool(context, work)
        with file:
            _write(file, output)

    options = [
        ("context", typer.Context, inspect.Parameter.empty),
        ("output", OutputOption, None),
        ("form", FormatOption, None),
        *(
            (name, _annotation(call, name, each), inspect.Parameter.empty)
            if each.is_required()
            else (name, _annotation(call, name, each), None)
            for name, each in call.query.model_fields.items()
            if name not in OURS
        ),
    ]
    command.__doc__ = call.about
    command.__annotations__ = {name: annotation for name, annotation, _ in options}
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # what typer reads
        [
            inspect.Parameter(name, KEYWORD, default=default, annotation=annotation)
            for name, annotation, default in options
        ]
    )
    return command


def _option(call: Call[Any], name: str) -> str:
    """Return what a field of a question is called: `from`, which is no name in Python."""
    alias: str | None = call.query.model_fields[name].alias
    return alias or name


def _annotation(call: Call[Any], name: str, each: FieldInfo) -> Any:
    option = typer.Option(
        f"--{_option(call, name).replace('_', '-')}",
        help=each.description,
        metavar="|".join(_words(each.annotation)) or None,
    )
    return Annotated[str if each.is_required() else str | None, option]


def _words(annotation: Any) -> list[str]:
    """Return what a parameter may say, where those are words of ours."""
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return [*annotation]
    return [word for each in get_args(annotation) for word in _words(each)]


def _form(output: Path | None) -> Format:
    suffix = "" if output is None else output.suffix.lower().removeprefix(".")
    return Format(suffix) if suffix in [*Format] else Format.CSV


def _refuse_unfit(output: Path | None, form: Format) -> None:
    """Refuse to write where it makes no sense, before anything is asked."""
    if output is None:
        if form in (Format.XLSX, Format.PARQUET) and sys.stdout.isatty():
            raise Refusal(f"{form} is nothing for a terminal: name a file, -o answer.{form}")
        return
    file = output.resolve()
    if not file.parent.is_dir():
        raise Refusal(f"there is no folder {file.parent}")
    if file.exists() and not file.is_file():
        raise Refusal(f"{output} is no file; leave out -o to write to standard output")


def _write(file: BinaryIO, output: Path | None) -> None:
    file.seek(0)
    if output is None:
        try:
            shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        except BrokenPipeError as error:
            raise Refusal("nobody reads the answer any more") from error
        return
    target = output.resolve()
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with partial.open("xb") as written:
            shutil.copyfileobj(file, written)
            written.flush()
            os.fsync(written.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    console.print(f"{output}: {target.stat().st_size:,} bytes", markup=False, soft_wrap=True)


for noun, call in exporting.CALLS.items():
    calls_app.command(noun)(_command(call))
