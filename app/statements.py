"""Owns what may be stated of production, whichever way it comes in, and the sentence when not.

Pure. A statement covers whole days that are over; two of one product never share time.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from db.production import ProductionRow
from db.products import Product
from energy import intensity_uoms, production
from energy.intensity_uoms import IntensityUomError
from energy.periods import LOCAL, Span
from energy.production import WHOLE_UNIT

ALIKE = 0.9
"""From which share of letters in common, of 1, a product is taken for another one mistyped."""

VALUES = ("quantity", "output_value_cny", "value_added_cny")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a statement, and in which of its columns."""

    column: str
    reason: str


def faults(row: ProductionRow, products: Mapping[str, Product], now: datetime) -> Iterator[Fault]:
    """Yield what is wrong with a statement by itself; its `ends_at` is after its `starts_at`."""
    wrong = production.fault(row.span)
    if wrong is not None:
        yield Fault("from", wrong)
    if row.ends_at > now:
        yield Fault("to", "is in the future: what is not over cannot be stated")
    if all(getattr(row, name) is None for name in VALUES):
        yield Fault("quantity", f"give at least one of {', '.join(VALUES)}")
    near = mistyped(row.product, products)
    if near is not None:
        yield Fault("product", f"is no known product; is it {near!r}?")
    yield from _quantity_faults(row, products.get(row.product))


def mistyped(product: str, products: Mapping[str, Product]) -> str | None:
    """Return the named product that one without a name is nearly written like, if there is one.

    No limit, rule or budget would find what is stated of it. Other products need no name, and one
    may be a kind of a named one: crude_steel_2.
    """
    if product in products or product == WHOLE_UNIT:
        return None
    near = next(iter(difflib.get_close_matches(product, products, 1, ALIKE)), None)
    return None if near is None or product.startswith(f"{near}_") else near


def _quantity_faults(row: ProductionRow, product: Product | None) -> Iterator[Fault]:
    if row.product == WHOLE_UNIT and row.quantity is not None:
        reason = f"the product {WHOLE_UNIT} is the unit as a whole: only its values are stated"
        yield Fault("quantity", reason)
    elif row.quantity is not None and row.uom is None:
        yield Fault("uom", "is required beside a quantity")
    elif (
        row.uom is not None
        and product is not None
        and intensity_uoms.output_conversion(row.uom, product.output_uom) is None
    ):
        reason = f"does not lead to {product.output_uom}, in which {product.product} is counted"
        yield Fault("uom", reason)


def uom(text: str | None) -> str | None:
    """Return the unit of measure of an output as it is written here; unknown ones as they are."""
    if text is None:
        return None
    try:
        return intensity_uoms.parse_output(text)
    except IntensityUomError:
        return text


def overlaps(
    stored: Iterable[ProductionRow], stated: Iterable[ProductionRow]
) -> Iterator[tuple[ProductionRow, str]]:
    """Yield each of `stated` that would share time with another statement, and the sentence."""
    after = {row.key: row for row in stored} | {row.key: row for row in stated}
    by_product: dict[tuple[str, str], list[Span]] = {}
    for row in after.values():
        by_product.setdefault((row.unit, row.product), []).append(row.span)
    shared = {key: production.overlap(spans) for key, spans in by_product.items()}
    for row in stated:
        pair = shared[row.unit, row.product]
        if pair is not None and row.span in pair:
            other = pair[1] if row.span == pair[0] else pair[0]
            yield row, f"overlaps the statement {_text(other)}: it would count twice"


def _text(span: Span) -> str:
    starts_on, ends_on = (
        instant.astimezone(LOCAL).date() for instant in (span.starts_at, span.ends_at)
    )
    return f"from {starts_on} to {ends_on}"
