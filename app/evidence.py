"""Owns the evidence file: one ZIP with an explanation, its rows, a page to read, a manifest.

The same figure makes the same bytes, apart from the time and whom it was made for.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app import evidence_page
from app.evidence_tables import Sheet
from app.lineage import Lineage
from energy.ledger import Head
from energy.periods import LOCAL

EXPLANATION, PAGE, MANIFEST = "explanation.json", "evidence.html", "manifest.json"
FORMAT = "nenghao-evidence/1"
PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Making:
    """When and for whom a file is made, by what, and where the chains stood then."""

    made_at: datetime
    made_for: str
    platform: str
    question: str
    heads: Sequence[tuple[str, Head]]

    def manifest(self, files: Mapping[str, tuple[str, int]]) -> dict[str, object]:
        return {
            "format": FORMAT,
            "made_at": self.made_at.astimezone(LOCAL).isoformat(),
            "made_for": self.made_for,
            "platform": self.platform,
            "question": self.question,
            "heads": [
                {"chain": chain, "links": head.number, "sha256": head.digest.hex()}
                for chain, head in self.heads
            ],
            "files": {
                name: {"sha256": digest, "bytes": length}
                for name, (digest, length) in sorted(files.items())
            },
        }


class _Sink(io.RawIOBase):
    """What a ZIP archive is written to piece by piece; it cannot go back."""

    def __init__(self) -> None:
        self.held = 0
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        content = bytes(piece)  # type: ignore[call-overload]  # zipfile writes bytes
        if content:  # the compressor swallows most rows at first
            self._pieces.append(content)
            self.held += len(content)
        return len(content)

    def taken(self) -> bytes:
        content = b"".join(self._pieces)
        self._pieces.clear()
        self.held = 0
        return content


def stream(
    explanation: Mapping[str, object], sheets: Sequence[Sheet], making: Making, language: str
) -> Iterator[bytes]:
    """Yield the ZIP; no more than a piece of it is held at a time."""
    page = evidence_page.rendered(explanation, making.manifest({}), language)
    contents: list[tuple[str, Iterable[str]]] = [
        (EXPLANATION, [written(explanation)]),
        *((sheet.name, sheet.lines()) for sheet in sheets),
        (PAGE, [page]),
    ]
    sink, files = _Sink(), dict[str, tuple[str, int]]()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, texts in contents:
            digest, length = hashlib.sha256(), 0
            with archive.open(_member(name), "w") as member:
                for text in texts:
                    piece = text.encode()
                    digest.update(piece)
                    length += len(piece)
                    member.write(piece)
                    if sink.held > PIECE_BYTES:
                        yield sink.taken()
            files[name] = digest.hexdigest(), length
        archive.writestr(_member(MANIFEST), written(making.manifest(files)))
    yield sink.taken()


def written(content: Mapping[str, object]) -> str:
    """Return JSON as it stands in an evidence file: for people, too."""
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _member(name: str) -> zipfile.ZipInfo:
    """Return the entry of a file, without a time: that is in the manifest."""
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def together(one: Lineage, other: Lineage | None) -> Lineage:
    """Return the rows of both, to be written into the same tables."""
    if other is None:
        return one
    return Lineage(
        one.question,
        [*one.meters, *other.meters],
        one.factors,
        one.ranges,
        {**other.unit_codes, **one.unit_codes},
        {**other.links, **one.links},
        [*one.meter_sums, *other.meter_sums],
        one.unit_sums,
        one.waiting + other.waiting,
    )
