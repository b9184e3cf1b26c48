"""Owns what was made: statements of output and its value, and which of two sources counts.

A statement and the output meters speak of the same tons: they are held against each other, never
added. The rule is docs/decisions/0018: metered while provisional, stated when final.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise

from energy import periods
from energy.periods import Span, Step

WHOLE_UNIT = "all"
"""Stands in the place of a product where a statement is about the unit as a whole."""

AGREEMENT_SHARE = 0.05
"""Metered and stated output agree within this share, as daily sums must with the monthly value
(national upload rules of 2019: within 5 %)."""

SPAN_MAX = timedelta(days=366)

PRODUCT_REMEMBERED = timedelta(days=366)
"""So long after its last statement a product counts as made: a unit that stopped states 0."""


class Source(StrEnum):
    """Where an output comes from."""

    METERED = "metered"
    STATED = "stated"


@dataclass(frozen=True, slots=True)
class Statement:
    """What was made in `span`, as people state it. None: not stated, which is not zero.

    `quantity` in the unit of measure that the reader asked for.
    """

    span: Span
    quantity: float | None = None
    output_value_cny: float | None = None
    value_added_cny: float | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """The output that counts, its source, and the two that were compared.

    `difference` is stated less metered; None where one of them is missing.
    """

    quantity: float | None
    source: Source | None
    metered: float | None
    stated: float | None

    @property
    def difference(self) -> float | None:
        if self.metered is None or self.stated is None:
            return None
        return self.stated - self.metered

    @property
    def differs(self) -> bool:
        """Whether the two are further apart than they may be, as a share of the stated one."""
        difference = self.difference
        if difference is None or self.stated is None:
            return False
        return abs(difference) > AGREEMENT_SHARE * abs(self.stated)


def output(metered: float | None, stated: float | None) -> Output:
    """Return the output that counts: the stated one once it is there, until then the metered one.

    >>> output(98.0, 100.0).quantity, output(98.0, 100.0).differs
    (100.0, False)
    >>> output(98.0, None).source
    <Source.METERED: 'metered'>
    """
    if stated is not None:
        return Output(stated, Source.STATED, metered, stated)
    source = None if metered is None else Source.METERED
    return Output(metered, source, metered, None)


def whole_sum(parts: Iterable[tuple[Span, float | None]], bucket: Span) -> float | None:
    """Return the sum of `parts` if they fill `bucket` without a gap, else None.

    A part that crosses the border of the bucket belongs to no bucket of that length: a month's
    output does not say what was made on a day. A part that is unknown makes the sum unknown.
    """
    inside = sorted(
        (
            (span, figure)
            for span, figure in parts
            if bucket.starts_at <= span.starts_at and span.ends_at <= bucket.ends_at
        ),
        key=lambda part: part[0].starts_at,
    )
    ends = [bucket.starts_at, *(span.ends_at for span, _ in inside)]
    starts = [*(span.starts_at for span, _ in inside), bucket.ends_at]
    if ends != starts:
        return None
    figures = [figure for _, figure in inside if figure is not None]
    return sum(figures) if len(figures) == len(inside) else None


def unit_sum(by_product: Mapping[str, float | None], products: Set[str]) -> float | None:
    """Return a figure of the unit: the one stated for all of it, else the sum of its products.

    Unknown as soon as one of `products` is: energy of all is never divided by the value of some.

    >>> unit_sum({"steel": 5.0, "coke": 2.0}, {"steel", "coke"})
    7.0
    >>> unit_sum({"steel": 5.0}, {"steel", "coke"}) is None
    True
    >>> unit_sum({"all": 9.0, "steel": 5.0}, {"steel", "coke"})
    9.0
    """
    whole = by_product.get(WHOLE_UNIT)
    if whole is not None:
        return whole
    made = products - {WHOLE_UNIT}
    figures = [figure for each in made if (figure := by_product.get(each)) is not None]
    return sum(figures) if figures and len(figures) == len(made) else None


def unit_value(
    parts: Mapping[str, Iterable[tuple[Span, float | None]]], bucket: Span
) -> float | None:
    """Return a figure of the unit in `bucket`, from what was stated of each product it makes.

    None as soon as one product lacks it for a part of the bucket: missing is not zero. [as stated]
    """
    sums = {product: whole_sum(own, bucket) for product, own in parts.items()}
    return unit_sum(sums, parts.keys())


def reaches(stated: Span, bucket: Span) -> bool:
    """Return whether a statement says anything of `bucket`, if only which products are made."""
    return (
        stated.starts_at < bucket.ends_at and stated.ends_at > bucket.starts_at - PRODUCT_REMEMBERED
    )


def fault(span: Span) -> str | None:
    """Return why nothing can be stated for `span`, or None: whole days of Asia/Shanghai."""
    for name, instant in (("from", span.starts_at), ("to", span.ends_at)):
        if periods.floor(instant, Step.DAY) != instant:
            return f"{name} must be 00:00 in Asia/Shanghai: output is stated for whole days"
    if span.ends_at - span.starts_at > SPAN_MAX:
        return "a statement covers a year at most"
    return None


def overlap(spans: Sequence[Span]) -> tuple[Span, Span] | None:
    """Return the first two of `spans` that share time, or None: then nothing counts twice."""
    ordered = sorted(spans, key=lambda span: (span.starts_at, span.ends_at))
    for earlier, later in pairwise(ordered):
        if later.starts_at < earlier.ends_at:
            return earlier, later
    return None
