"""Owns `nenghao verify evidence FILE`: reading an evidence file and telling what was found.

It needs nothing but the file: no database, no network.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app.evidence_rows import EvidenceError
from app.resolve import Refusal

FILE_BYTES_MAX = 256 * 2**20
UNPACKED_BYTES_MAX = 1024 * 2**20
"""A ZIP archive may unpack to much more than it is."""

NOT_SHOWN = (
    "That it is the platform's is NOT shown by the file alone: whoever changes readings, sums and "
    "hashes alike makes such a file, too. Ask the platform for the same figure again, and verify "
    "the platform against heads that a witness kept (nenghao verify --heads)."
)
"""What a file that agrees with itself leaves open."""

console = Console()


def read(path: Path) -> dict[str, bytes]:
    """Return the files in a ZIP by name. Raises Refusal if it is none, or too large."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise Refusal(f"{path.name} is larger than {FILE_BYTES_MAX // 2**20} MiB")
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > UNPACKED_BYTES_MAX:
                raise Refusal(f"{path.name} unpacks to more than {UNPACKED_BYTES_MAX // 2**20} MiB")
            names = [member.filename for member in members]
            if len(set(names)) < len(names):
                raise Refusal(f"{path.name} holds a file twice")
            return {name: archive.read(name) for name in names}
    except (OSError, zipfile.BadZipFile) as error:
        raise Refusal(f"cannot read {path}: {error}") from error


def evidence_command(
    file: Annotated[Path, typer.Argument(help="an evidence file of GET /v1/explain, format=zip")],
) -> None:
    """Check that an evidence file agrees with itself: every hash, and its figure computed anew.

    It does not show that the file is the platform's.
    """
    from app.evidence_check import checked  # here: it needs what makes the pages

    try:
        verdict = checked(read(file))
    except EvidenceError as error:
        raise Refusal(f"{file.name}: {error}") from error
    manifest = verdict.manifest
    console.print(
        f"made {manifest['made_at']} for {manifest['made_for']} by {manifest['platform']}",
        highlight=False,
    )
    console.print(f"told {_figure(verdict.told, verdict.uom)}", highlight=False)
    console.print(f"from the tables {_figure(verdict.recomputed, verdict.uom)}", highlight=False)
    for fault in verdict.faults:
        console.print(f"[red]{fault}[/red]", highlight=False)
    if verdict.faults:
        raise typer.Exit(1)
    console.print(
        f"{len(manifest['files'])} files agree with each other: the figure follows from the tables"
    )
    console.print(NOT_SHOWN, soft_wrap=True)


def _figure(value: object, uom: str) -> str:
    """Return a figure with its unit.

    >>> _figure(12.5, "kWh"), _figure(0.0, "kWh"), _figure(None, "kWh")
    ('12.5 kWh', '0.0 kWh', 'not known')
    """
    return "not known" if value is None else f"{value} {uom}"
