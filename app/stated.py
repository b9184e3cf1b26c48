"""Owns what was stated, as queries read it: by bucket, and how it came to be what it is.

Pure. A figure of a bucket is there once statements fill the bucket; what changed it later is told
from the ledger of changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from db.changes import Change, Content
from db.production import ProductionRow
from db.restatements import Figure
from energy import intensity_uoms, production
from energy.periods import Span
from energy.production import WHOLE_UNIT


@dataclass(frozen=True, slots=True)
class Values:
    """What the output of a whole unit is worth in a bucket. [yuan]; None: not stated for all."""

    output_value_cny: float | None
    value_added_cny: float | None


@dataclass(frozen=True, slots=True)
class Version:
    """What was known of a bucket from `known_at` on, and who stated it."""

    known_at: datetime
    actor: str
    reason: str
    evidence: str
    quantity: float | None
    values: Values


NOTHING_KNOWN = (None, Values(None, None))


@dataclass(frozen=True, slots=True)
class Request:
    """Statements that were made together, by subject: nobody ever saw half of them.

    A row that is None was withdrawn. `spans` are theirs and those of what they replace; `whole`
    holds all of them.
    """

    change: Change
    rows: Mapping[str, ProductionRow | None]
    spans: Sequence[Span]
    whole: Span


def quantity(rows: Iterable[ProductionRow], product: str, uom: str, bucket: Span) -> float | None:
    """Return the stated output of `product` in `bucket`, in `uom`."""
    parts = [(row.span, _quantity(row, uom)) for row in rows if row.product == product]
    return production.whole_sum(parts, bucket)


def values(rows: Sequence[ProductionRow], metered: Iterable[str], bucket: Span) -> Values:
    """Return the values of a unit whose output meters count the products `metered`."""
    products = {*metered} | {row.product for row in rows if production.reaches(row.span, bucket)}
    by_product: dict[str, list[ProductionRow]] = {product: [] for product in products}
    for row in rows:
        if row.product in by_product:
            by_product[row.product].append(row)
    sums = [
        production.unit_value(
            {
                product: [(row.span, value_of(row)) for row in own]
                for product, own in by_product.items()
            },
            bucket,
        )
        for value_of in VALUES.values()
    ]
    return Values(sums[0], sums[1])


def requests(changes: Iterable[Change]) -> list[Request]:
    """Return what was stated in each request: it has one author and says a thing once."""
    groups: list[list[Change]] = []
    subjects: set[str] = set()
    for change in changes:
        last = groups[-1][0] if groups else None
        if (
            last is None
            or (last.changed_at, last.author) != (change.changed_at, change.author)
            or change.fact.subject in subjects
        ):
            groups.append([])
            subjects.clear()
        groups[-1].append(change)
        subjects.add(change.fact.subject)
    known: dict[str, ProductionRow] = {}
    found = (_request(group, known) for group in groups)
    return [request for request in found if request is not None]


def _request(group: Sequence[Change], known: dict[str, ProductionRow]) -> Request | None:
    """Return the request that `group` is, None if it says nothing; `known` is brought up to it."""
    rows = {
        change.fact.subject: None if change.fact.content is None else row_of(change.fact.content)
        for change in group
    }
    spans = [row.span for row in rows.values() if row is not None]
    spans += [known[subject].span for subject in rows if subject in known]
    _follow(known, rows)
    if not spans:
        return None
    whole = Span(min(span.starts_at for span in spans), max(span.ends_at for span in spans))
    return Request(group[-1], rows, spans, whole)


def _follow(known: dict[str, ProductionRow], rows: Mapping[str, ProductionRow | None]) -> None:
    """Bring what is `known` up to `rows`."""
    for subject, row in rows.items():
        if row is None:
            known.pop(subject, None)
        else:
            known[subject] = row


def versions(
    requests: Iterable[Request],
    product: str,
    uom: str,
    metered: Sequence[str],
    bucket: Span,
) -> list[Version]:
    """Return each state of knowledge of `bucket` that differs from the one before, in order.

    `requests` are those of one unit. The first version is the first of which anything is known.
    """
    known: dict[str, ProductionRow] = {}
    found: list[Version] = []
    remembered = bucket.starts_at - production.PRODUCT_REMEMBERED
    for request in requests:
        if request.whole.starts_at >= bucket.ends_at or request.whole.ends_at <= remembered:
            continue
        _follow(known, request.rows)
        if any(_holds(bucket, span) for span in request.spans):
            rows = [row for row in known.values() if production.reaches(row.span, bucket)]
            version = _version(request.change, rows, product, uom, metered, bucket)
            if _figures(version) != (_figures(found[-1]) if found else NOTHING_KNOWN):
                found.append(version)
    return found


def _version(
    change: Change,
    rows: Sequence[ProductionRow],
    product: str,
    uom: str,
    metered: Sequence[str],
    bucket: Span,
) -> Version:
    author = change.author
    return Version(
        change.changed_at,
        author.actor,
        author.reason,
        author.evidence,
        quantity(rows, product, uom, bucket),
        values(rows, metered, bucket),
    )


def _holds(bucket: Span, span: Span) -> bool:
    """Only what lies in a bucket is in a figure of it."""
    return bucket.starts_at <= span.starts_at and span.ends_at <= bucket.ends_at


def is_energy_restated(
    rows: Iterable[ProductionRow],
    restated: Set[tuple[str, Figure]],
    figure: Figure,
    bucket: Span,
) -> bool:
    """Return whether the energy in a figure of value changed after it was final.

    That it was once the unit as a whole, or each of its products, was stated: `restated` says of
    which of them the energy changed after that.
    """
    made = {
        row.product for row in rows if _holds(bucket, row.span) and VALUES[figure](row) is not None
    }
    if WHOLE_UNIT in made:
        made = {WHOLE_UNIT}
    return bool(made) and all((product, figure) in restated for product in made)


def touches(row: ProductionRow, bucket: Span) -> bool:
    return row.starts_at < bucket.ends_at and row.ends_at > bucket.starts_at


def count_different(figures: Iterable[float | None]) -> int:
    """Return how often a figure that is known differs from the one known before.

    >>> count_different([None, 5.0, 5.0, None, 6.0])
    2
    """
    last: float | None = None
    count = 0
    for figure in figures:
        if figure is not None and figure != last:
            last = figure
            count += 1
    return count


def row_of(content: Content) -> ProductionRow:
    """Return the statement that a fact of the ledger is."""
    return ProductionRow(
        unit=str(content["unit"]),
        product=str(content["product"]),
        starts_at=datetime.fromisoformat(str(content["starts_at"])),
        ends_at=datetime.fromisoformat(str(content["ends_at"])),
        quantity=_number(content, "quantity"),
        uom=None if content["uom"] is None else str(content["uom"]),
        output_value_cny=_number(content, "output_value_cny"),
        value_added_cny=_number(content, "value_added_cny"),
    )


def by_unit(rows: Iterable[ProductionRow]) -> Mapping[str, Sequence[ProductionRow]]:
    grouped: dict[str, list[ProductionRow]] = {}
    for row in rows:
        grouped.setdefault(row.unit, []).append(row)
    return grouped


def products(rows: Iterable[ProductionRow]) -> set[str]:
    """Return the products that were stated, not what was stated of the whole unit."""
    return {row.product for row in rows} - {WHOLE_UNIT}


def _number(content: Content, name: str) -> float | None:
    figure = content[name]
    return float(figure) if isinstance(figure, int | float) else None


def _quantity(row: ProductionRow, uom: str) -> float | None:
    factor = None if row.uom is None else intensity_uoms.output_conversion(row.uom, uom)
    return None if row.quantity is None or factor is None else row.quantity * factor


def _output_value(row: ProductionRow) -> float | None:
    return row.output_value_cny


def _value_added(row: ProductionRow) -> float | None:
    return row.value_added_cny


VALUES: Mapping[Figure, Callable[[ProductionRow], float | None]] = {
    Figure.OUTPUT_VALUE: _output_value,
    Figure.VALUE_ADDED: _value_added,
}


def _figures(version: Version) -> tuple[float | None, Values]:
    return version.quantity, version.values
