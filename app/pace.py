"""Owns how often somebody may ask: a token bucket for each of them. Pure: the time is an argument.

Of one process: two that serve allow twice as much.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

REMEMBERED_MAX = 20_000
"""Who asked last is remembered; whoever is forgotten begins with a full bucket."""

MINUTE_S = 60.0


@dataclass(slots=True)
class _Bucket:
    tokens: float
    seen_s: float


class Pace:
    """So many a minute for each name, all of a minute's at once if they were saved up."""

    def __init__(self, name: str, per_minute: int) -> None:
        self.name = name
        self.per_minute = per_minute
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_s(self, who: str, now_s: float) -> float:
        """Return how long `who` has to wait until they may ask; 0: they may now. [s]

        >>> pace = Pace("calls", 2)
        >>> pace.take("li", 0), pace.take("li", 0), pace.take("li", 0), pace.take("li", 31)
        (0.0, 0.0, 30.0, 0.0)
        """
        bucket = self._buckets.get(who)
        missing = 0.0 if bucket is None else 1 - self._tokens(bucket, now_s)
        return max(0.0, missing * MINUTE_S / self.per_minute)

    def take(self, who: str, now_s: float) -> float:
        """Take a token of `who`; return 0, or how long they wait: then none is taken. [s]"""
        wait_s = self.wait_s(who, now_s)
        if wait_s == 0:
            bucket = self._buckets.pop(who, None) or _Bucket(self.per_minute, now_s)
            self._buckets[who] = _Bucket(self._tokens(bucket, now_s) - 1, now_s)
            if len(self._buckets) > REMEMBERED_MAX:
                self._buckets.popitem(last=False)
        return wait_s

    def _tokens(self, bucket: _Bucket, now_s: float) -> float:
        refilled = (now_s - bucket.seen_s) * self.per_minute / MINUTE_S
        return min(self.per_minute, bucket.tokens + refilled)
