"""Owns the picture in a letter: a value against its threshold over the last windows, as PNG.

Pure. There are numbers in it and no words: those stand beside it, in the letter's language and its
font. The same series gives the same bytes, so that a letter that is sent again is the same message.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from io import BytesIO
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from alerts.series import Point, Series
from energy.periods import LOCAL, Span

if TYPE_CHECKING:  # a program that draws nothing loads no library for it
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

BYTES_MAX = 30 * 1024
POINTS_MAX = 62

WIDTH, HEIGHT = 1120, 420
"""Twice the pixels it is shown with, for fine screens. [px]"""

LEFT, RIGHT, TOP, BOTTOM = 144, 44, 24, 62
FONT_PX = 32
TICKS_ACROSS = 6
DASH, GAP = 14, 9

WHITE, GRID, TEXT, MISSING = "#ffffff", "#dde3ea", "#4a5562", "#eceff3"
VALUE, WORSE, THRESHOLD = "#24527a", "#b3261e", "#8a5a00"
SHADES = 6


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a figure stands in the picture."""

    count: int
    low: float
    high: float

    def x(self, index: float) -> float:
        step = (WIDTH - LEFT - RIGHT) / self.count
        return LEFT + step * (index + 0.5)

    def y(self, figure: float) -> float:
        share = (figure - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def draw(series: Series) -> bytes | None:
    """Return the picture, at most BYTES_MAX; None: there are not two figures to compare."""
    return _draw(replace(series, points=series.points[-POINTS_MAX:], uom=""))


@lru_cache(maxsize=4)
def _draw(series: Series) -> bytes | None:
    """Draw it once for the letters of all languages; nothing in it depends on the uom."""
    from PIL import Image, ImageDraw

    points = series.points
    known = [point.measured for point in points if point.measured is not None]
    if len(known) < 2:
        return None
    scale = 100.0 if series.is_share else 1.0
    figures = known + [point.threshold for point in points if point.threshold is not None]
    if not all(map(math.isfinite, [*figures, (max(figures) - min(figures)) * scale])):
        return None
    ticks = nice_ticks(min(figures) * scale, max(figures) * scale)
    frame = _Frame(len(points), ticks[0] / scale, ticks[-1] / scale)
    image = Image.new("RGB", (WIDTH, HEIGHT), WHITE)
    canvas = ImageDraw.Draw(image)
    _gaps(canvas, frame, points)
    _axes(canvas, frame, points, ticks, scale)
    _thresholds(canvas, frame, points)
    _values(canvas, frame, series)
    made = BytesIO()
    drawn = image.quantize(palette=_palette(), dither=Image.Dither.NONE)
    drawn.save(made, "PNG", compress_level=6)  # 9 takes five times as long for a tenth
    png = made.getvalue()
    return png if len(png) <= BYTES_MAX else None  # a letter is worth more than its picture


def content_id(png: bytes) -> str:
    """Return by what name a letter refers to its picture: the same picture, the same name."""
    return f"chart-{hashlib.sha256(png).hexdigest()[:24]}@nenghao"


def nice_ticks(low: float, high: float) -> list[float]:
    """Return three to seven round figures that enclose `low` and `high`.

    >>> nice_ticks(98.2, 140.2), nice_ticks(-2.8, 0.9), nice_ticks(5, 5)
    ([80.0, 100.0, 120.0, 140.0, 160.0], [-4.0, -2.0, 0.0, 2.0], [4.0, 5.0, 6.0])
    """
    if high - low < 1e-9 * max(1.0, abs(low)):
        low, high = low - max(1.0, abs(low) / 10), high + max(1.0, abs(low) / 10)
    rough = (high - low) / 3
    magnitude: float = 10.0 ** math.floor(math.log10(rough))
    step = next(
        factor * magnitude for factor in (1.0, 2.0, 5.0, 10.0) if factor * magnitude >= rough * 0.99
    )
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def _axes(
    canvas: ImageDraw,
    frame: _Frame,
    points: Sequence[Point],
    ticks: Sequence[float],
    scale: float,
) -> None:
    step = ticks[1] - ticks[0]
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    for tick in ticks:
        y = frame.y(tick / scale)
        canvas.line([(LEFT, y), (WIDTH - RIGHT, y)], GRID, 2)
        text = f"{tick:,.{min(digits, 6)}f}" + (" %" if scale != 1 else "")
        canvas.text((LEFT - 14, y), text, TEXT, _font(), anchor="rm")
    every = math.ceil(len(points) / TICKS_ACROSS)
    for index in range((len(points) - 1) % every, len(points), every):
        canvas.text(
            (frame.x(index), HEIGHT - BOTTOM + 14),
            label(points, index),
            TEXT,
            _font(),
            anchor="mt",
        )


def label(points: Sequence[Point], index: int) -> str:
    """Return how the window of a point is called under the picture, as short as it can be."""
    starts_at = points[index].window.starts_at.astimezone(LOCAL)
    apart = min(
        (later.window.ends_at - sooner.window.ends_at for sooner, later in pairwise(points)),
        default=timedelta(0),
    )
    last = (points[index].window.ends_at - timedelta(minutes=1)).astimezone(LOCAL)
    if apart >= timedelta(days=28):
        return f"{last:%Y-%m}"
    if apart >= timedelta(days=1):
        return f"{last:%m-%d}"
    ends_at = points[index].window.ends_at.astimezone(LOCAL)
    return f"{starts_at:%H:%M}" if _is_short(points[index].window) else f"{ends_at:%H:%M}"


def _is_short(window: Span) -> bool:
    return window.ends_at - window.starts_at <= timedelta(hours=1)


def _gaps(canvas: ImageDraw, frame: _Frame, points: Sequence[Point]) -> None:
    """Shade the windows that cannot be told, so that nobody takes them for zero or for good."""
    half = (WIDTH - LEFT - RIGHT) / frame.count / 2
    for index, point in enumerate(points):
        if point.measured is None:
            left, right = frame.x(index) - half, frame.x(index) + half
            canvas.rectangle([(left, TOP), (right, HEIGHT - BOTTOM)], MISSING)
            canvas.text((frame.x(index), HEIGHT - BOTTOM - 12), "?", TEXT, _font(), anchor="ms")


def _thresholds(canvas: ImageDraw, frame: _Frame, points: Sequence[Point]) -> None:
    """Draw the threshold dashed; it may be another one in other windows."""
    half = (WIDTH - LEFT - RIGHT) / frame.count / 2
    for threshold, same in groupby(enumerate(points), key=lambda each: each[1].threshold):
        indices = [index for index, _ in same]
        if threshold is None:
            continue
        x, end = frame.x(indices[0]) - half, frame.x(indices[-1]) + half
        while x < end:
            y = frame.y(threshold)
            canvas.line([(x, y), (min(x + DASH, end), y)], THRESHOLD, 4)
            x += DASH + GAP


def _values(canvas: ImageDraw, frame: _Frame, series: Series) -> None:
    points = series.points
    for run in _runs(points):
        canvas.line(
            [(frame.x(index), frame.y(figure)) for index, figure in run],
            VALUE,
            5,
            joint="curve",
        )
    last = len(points) - 1
    for index, point in enumerate(points):
        if point.measured is not None:
            radius = 11 if index == last else 7
            centre = (frame.x(index), frame.y(point.measured))
            canvas.circle(centre, radius, WORSE if series.is_worse(point) else VALUE, WHITE, 2)


def _runs(points: Sequence[Point]) -> Iterator[list[tuple[int, float]]]:
    """Yield the figures between gaps, two or more."""
    run: list[tuple[int, float]] = []
    for index, point in enumerate(points):
        if point.measured is not None:
            run.append((index, point.measured))
            continue
        if len(run) > 1:
            yield run
        run = []
    if len(run) > 1:
        yield run


@lru_cache(maxsize=1)
def _palette() -> Image:
    """Return the colours, and their shades towards white for the edges of lines and digits."""
    from PIL import Image, ImageColor

    made: list[tuple[int, ...]] = [ImageColor.getrgb(name) for name in (WHITE, GRID, MISSING)]
    for name in (TEXT, VALUE, WORSE, THRESHOLD):
        colour = ImageColor.getrgb(name)[:3]
        for shade in range(SHADES):
            share = shade / SHADES
            made.append(tuple(round(255 * share + part * (1 - share)) for part in colour))
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for colour in made for part in colour])
    return palette


@lru_cache(maxsize=1)
def _font() -> FreeTypeFont:
    """Return the font that Pillow brings along: digits look alike on every machine."""
    from PIL import ImageFont
    from PIL.ImageFont import FreeTypeFont

    font = ImageFont.load_default(FONT_PX)
    assert isinstance(font, FreeTypeFont)
    return font
