"""The picture in a letter: equal series, equal bytes; what is missing is a gap and no zero."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from alerts import captions, chart
from alerts.kinds.words import Language
from alerts.series import Series
from tests.alerts.occasions import DAY, months, series
from tests.alerts.test_letter import UPDATE

GOLDEN = Path(__file__).parent.parent / "golden" / "letters"


def drawn(shown: Series) -> Image.Image:
    png = chart.draw(shown)
    assert png is not None
    return Image.open(BytesIO(png)).convert("RGB")


@pytest.mark.parametrize(("name", "shown"), [("hours", DAY), ("months", months())])
def test_a_chart_looks_like_its_golden_copy(name: str, shown: Series) -> None:
    path = GOLDEN / f"{name}.png"
    if UPDATE:
        path.write_bytes(chart.draw(shown) or b"")
    golden = Image.open(path).convert("RGB")
    assert (golden.size, golden.tobytes()) == (drawn(shown).size, drawn(shown).tobytes())


def test_equal_series_are_equal_bytes_under_the_same_name() -> None:
    first = chart.draw(DAY)
    chart._draw.cache_clear()
    second = chart.draw(replace(DAY, uom="tce/t"))
    assert first is not None
    assert first == second
    assert chart.content_id(first) == chart.content_id(second)


def test_the_longest_and_wildest_series_stays_within_its_bytes() -> None:
    wild = [(n * 7919 % 1_009) * (-1) ** n * 1e6 if n % 5 else None for n in range(200)]
    png = chart.draw(series(wild))
    assert png is not None
    assert len(png) <= chart.BYTES_MAX


@pytest.mark.parametrize(
    "values",
    [
        [],
        [140.0],
        [None, None, 140.0],
        [None] * 24,
        [1e308, -1e308],
        [1.0, float("nan")],
        [0.0, 5e-324],
    ],
)
def test_nothing_to_compare_is_no_chart_and_no_crash(values: list[float | None]) -> None:
    png = chart.draw(series(values)) if values else chart.draw(Series((), "kgce/t"))
    assert png is None or len(png) <= chart.BYTES_MAX


def test_a_window_that_cannot_be_told_is_shaded_and_no_line_runs_through_it() -> None:
    with_gap, whole = (
        drawn(series(values, threshold=100)) for values in ([114, None, 114, 114], [114] * 4)
    )
    assert "red" in colours(whole, 1, 4)
    assert "red" in colours(with_gap, 2, 4)
    assert colours(with_gap, 1, 4) == {"grey"}


def colours(picture: Image.Image, index: int, count: int) -> set[str]:
    """Return what is drawn above the middle of a window, besides the grid."""
    step = (chart.WIDTH - chart.LEFT - chart.RIGHT) / count
    x = int(chart.LEFT + step * (index + 0.5))
    found = set()
    for y in range(chart.TOP + 4, chart.HEIGHT - chart.BOTTOM - 44):
        pixel = picture.getpixel((x, y))
        assert isinstance(pixel, tuple)
        red, _, blue = pixel[:3]
        if min(pixel) > 200:
            found |= {"grey"} if red < 245 else set()
        else:
            found.add("blue" if blue > red + 40 else "red")
    return found


def test_the_words_beside_a_chart_count_what_is_over_and_what_is_missing() -> None:
    told = captions.told(DAY, Language.ZH)
    assert told == (
        "最近 24 个时段：最新 140.16，最低 99.5，最高 140.16 kgce/t；阈值 117 kgce/t；"
        "超过阈值 7 个，数据不足 3 个。"
    )


def test_what_is_worse_below_is_counted_below() -> None:
    low = replace(series([0.9, 0.4, None], "share", 0.5), is_worse_above=False, is_share=True)
    assert "1 under it, 1 that cannot be told" in captions.told(low, Language.EN)
