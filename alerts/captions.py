"""Owns what a letter says of its chart: a caption beside it, and in words what it shows. Pure."""

from __future__ import annotations

from alerts import chart
from alerts.kinds import words
from alerts.kinds.words import Language
from alerts.page import Picture
from alerts.series import Series
from energy.periods import Span


def picture(series: Series, measure: str, language: Language) -> Picture | None:
    """Return the chart of a figure that is called `measure`; None: there is nothing to compare."""
    png = chart.draw(series)
    if png is None:
        return None
    uom = "%" if series.is_share else words.collapse(series.uom)
    shown = series.points[-chart.POINTS_MAX :]
    whole = words.window(Span(shown[0].window.starts_at, shown[-1].window.ends_at))
    if language is Language.ZH:
        caption = f"{measure}（{uom}），{whole}（北京时间）；虚线为阈值，灰色“?”为数据不足的时段"
    else:
        caption = (
            f"{measure} ({uom}), {whole} (Asia/Shanghai); dashed: the threshold; grey “?”: windows "
            "that cannot be told"
        )
    return Picture(png, caption, told(series, language))


def told(series: Series, language: Language) -> str:
    """Return in words what the chart of a series shows."""
    points = series.points[-chart.POINTS_MAX :]
    known = [point for point in points if point.measured is not None]
    measured = [point.measured for point in known if point.measured is not None]
    show = words.percent if series.is_share else words.number
    uom = "" if series.is_share else f" {words.collapse(series.uom)}"
    thresholds = [point.threshold for point in points if point.threshold is not None]
    newest, low, high = show(known[-1].measured), show(min(measured)), show(max(measured))
    against = show(thresholds[-1]) if thresholds else "—"
    worse, missing = sum(map(series.is_worse, points)), len(points) - len(known)
    if language is Language.ZH:
        side = "超过" if series.is_worse_above else "低于"
        return (
            f"最近 {len(points)} 个时段：最新 {newest}，最低 {low}，最高 {high}{uom}；"
            f"阈值 {against}{uom}；{side}阈值 {worse} 个，数据不足 {missing} 个。"
        )
    side = "over" if series.is_worse_above else "under"
    return (
        f"the last {len(points)} windows: newest {newest}, lowest {low}, highest {high}{uom}; "
        f"threshold {against}{uom}; {worse} {side} it, {missing} that cannot be told."
    )
