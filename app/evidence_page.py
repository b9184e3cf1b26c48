"""Owns the page of an evidence file that people read, in Simplified Chinese or English.

It is made of the explanation alone, so that it says nothing that is not in there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

from app.evidence_words import WORDS

DETAILS_MAX = 50
"""Meters that are shown one by one; the tables have all of them."""

ROWS_MAX = 200
"""Rows of a table on the page."""

PARTS_MAX = 500


def _load(name: str) -> str:
    return (resources.files("app") / "templates" / name).read_text(encoding="utf-8")


def rendered(
    explanation: Mapping[str, object], manifest: Mapping[str, object], language: str
) -> str:
    """Return the page. `language` is zh or en."""
    pages = Environment(
        autoescape=True,
        loader=FunctionLoader(_load),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {"figure": figure, "percent": percent, "at": at}
    trees = [explanation[name] for name in ("tree", "energy") if name in explanation]
    outputs: Any = explanation.get("output")
    if outputs:
        trees += outputs["meters"]
    parts = [row for tree in trees for row in _walk(tree, 0)]
    meters = [part for _, part in parts if part["detail"] is not None]
    return pages.get_template("evidence.html").render(
        found=explanation,
        manifest=manifest,
        language=language,
        words=WORDS[language],
        parts=parts[:PARTS_MAX],
        parts_left=max(0, len(parts) - PARTS_MAX),
        meters=meters[:DETAILS_MAX],
        meters_left=max(0, len(meters) - DETAILS_MAX),
        rows_max=ROWS_MAX,
    )


def _walk(part: Any, depth: int) -> Iterator[tuple[int, Any]]:
    yield depth, part
    for each in part["parts"]:
        yield from _walk(each, depth + 1)


def figure(value: float | None) -> str:
    """Return a figure for people; unknown is a dash, never 0.

    >>> figure(1234567.891), figure(None), figure(0.0)
    ('1,234,567.891', '—', '0')
    """
    if value is None:
        return "—"
    text = f"{value:,.6f}" if abs(value) >= 1e-4 or value == 0 else f"{value:.6g}"
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def percent(value: float | None) -> str:
    """Return a share in percent, to the third decimal: a yearly requirement has three.

    >>> percent(-0.02747), percent(0.5), percent(None)
    ('-2.747 %', '50 %', '—')
    """
    if value is None:
        return "—"
    return f"{value * 100:.3f}".rstrip("0").rstrip(".") + " %"


def at(text: str | None) -> str:
    """Return an instant of Asia/Shanghai to the second.

    >>> at("2026-11-03T06:00:00+08:00"), at(None)
    ('2026-11-03 06:00:00', '—')
    """
    return "—" if text is None else f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}"
