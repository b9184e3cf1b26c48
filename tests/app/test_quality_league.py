"""The league: the best first, equals share a rank, the unknown come last and have none."""

from __future__ import annotations

from app import quality
from app.quality import Row
from energy.quality import Composite, Tally


def row(key: str, value: float | None) -> Row:
    return Row(key, "450202", None, 1, 1, Tally(), None, {}, Composite(value))


def test_a_zero_is_known_and_stands_before_the_unknown() -> None:
    ranked = quality.league([row("a", None), row("b", 0.0), row("c", 0.5)])
    assert [(one.key, one.rank) for one in ranked] == [("c", 1), ("b", 2), ("a", None)]


def test_equals_share_a_rank_and_the_next_is_not_moved_up() -> None:
    ranked = quality.league([row("a", 0.5), row("b", 0.9), row("c", 0.9), row("d", 0.1)])
    assert [(one.key, one.rank) for one in ranked] == [("b", 1), ("c", 1), ("a", 3), ("d", 4)]
