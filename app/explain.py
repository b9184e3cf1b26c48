"""Owns putting the explanation of a consumption together: rows in, tree out.

Pure. Everything is computed anew from the rows and compared with what is stored; the figure is that
of `/v1/consumption`: of a unit its boundary meters less its export meters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from app import explain_meter, formulas
from app.lineage import Lineage, MeterLineage, Source
from app.parts import Formula, Part, Stored, Tally, Whole, added, netted
from db.stored_sums import StoredSum
from energy import explanation
from energy.factors import FactorTable

TERMS_MAX = 12
"""So many terms of a sum are written out."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A consumption taken apart. `agrees` None: nothing is stored that it can be compared with."""

    lineage: Lineage
    root: Part
    source: Source
    agrees: bool | None


def explained(lineage: Lineage, *, with_readings: bool = False) -> Explained:
    """Return the tree of a consumption; `with_readings` lists those of a single meter."""
    question = lineage.question
    of_units = _by_owner(lineage.unit_sums)
    meters = meter_parts(lineage, with_readings=with_readings)
    if question.meter is not None:
        root = replace(meters[0], sign=1)
    else:
        pairs = list(zip(lineage.meters, meters, strict=True))
        units = [
            _unit(lineage, list(of_unit), of_units)
            for _, of_unit in groupby(pairs, key=lambda pair: pair[0].meter.unit)
        ]
        root = units[0] if question.unit is not None else _total(lineage, units)
    root = _shared(root)
    return Explained(lineage, root, lineage.source, root.agrees)


def meter_parts(lineage: Lineage, *, with_readings: bool = False) -> list[Part]:
    """Return the part that each meter is, in their order."""
    table = FactorTable(
        (each.factor for each in lineage.factors),
        lineage.ranges,
        unverified=lineage.question.unverified,
    )
    sums = _by_owner(lineage.meter_sums)
    return [
        _compared(
            explain_meter.part(lineage, each, table, sums, listed=with_readings),
            sums.get((each.meter.meter_id, each.meter.carrier), []),
            lineage,
        )
        for each in lineage.meters
    ]


def _unit(
    lineage: Lineage,
    pairs: Sequence[tuple[MeterLineage, Part]],
    sums: Mapping[tuple[int, str | None], list[StoredSum]],
) -> Part:
    meter = pairs[0][0].meter
    carriers = []
    by_carrier = sorted(pairs, key=lambda pair: (pair[0].meter.carrier or "", pair[0].meter.meter))
    for carrier, of_carrier in groupby(by_carrier, key=lambda pair: pair[0].meter.carrier):
        own = list(of_carrier)
        first = own[0][0].meter
        part = summed(
            Whole.CARRIER, carrier or "", first.carrier_zh or "", first.carrier_en or "",
            [part for _, part in own], CARRIER_WORDS,
        )  # fmt: skip
        part = replace(part, tally=netted(part.tally))
        carriers.append(_compared(part, sums.get((meter.unit_id, carrier), []), lineage))
    named = {pair[0].meter.carrier for pair in pairs}
    for (unit_id, carrier), stored in sums.items():
        if unit_id == meter.unit_id and carrier is not None and carrier not in named:
            nothing = summed(Whole.CARRIER, carrier, "", "", [], NO_METER_WORDS)
            carriers.append(_compared(nothing, stored, lineage))
    part = summed(Whole.UNIT, meter.unit, meter.unit_name, meter.unit_name, carriers, UNIT_WORDS)
    return _together(part)


def _total(lineage: Lineage, units: Sequence[Part]) -> Part:
    code = lineage.question.region or ""
    return _together(summed(Whole.TOTAL, code, "合计", "total", units, TOTAL_WORDS))


CARRIER_WORDS = ("边界表之和减外供表之和", "boundary meters less export meters")
NO_METER_WORDS = ("没有计量器具", "there is no meter of it")
UNIT_WORDS = ("各能源品种之和", "sum of the energy carriers")
TOTAL_WORDS = ("各用能单位之和", "sum of the units")


def summed(
    whole: Whole,
    code: str,
    name_zh: str,
    name_en: str,
    parts: Sequence[Part],
    words: tuple[str, str],
) -> Part:
    """Return the part that `parts` are, each with its sign."""
    tally = added([(part.sign, part.tally) for part in parts])
    terms = [(part.sign, _figure(part.tally)) for part in parts]
    numbers = f"{_sum_text(terms)} = {_figure(tally)} {tally.figure_uom}"
    return Part(whole, code, name_zh, name_en, 1, tally, Formula(*words, numbers), tuple(parts))


def _sum_text(terms: Sequence[tuple[int, str]]) -> str:
    written = " ".join(
        f"{'−' if sign < 0 else '+'} {figure}" for sign, figure in terms[:TERMS_MAX]
    ).removeprefix("+ ")
    more = len(terms) - TERMS_MAX
    return f"{written} + … ({more})" if more > 0 else written


def _figure(tally: Tally) -> str:
    return "?" if tally.figure is None else formulas.plain(tally.figure)


def _by_owner(sums: Iterable[StoredSum]) -> dict[tuple[int, str | None], list[StoredSum]]:
    found: dict[tuple[int, str | None], list[StoredSum]] = {}
    for each in sums:
        found.setdefault((each.owner_id, each.carrier), []).append(each)
    return found


def _compared(part: Part, sums: Sequence[StoredSum], lineage: Lineage) -> Part:
    """Return the part with what is stored for it, step by step."""
    if lineage.question.as_known_on is not None:
        return part
    by_step = {each.step: each for each in sums}
    stored = []
    for step in lineage.question.steps():
        each = by_step.get(step)
        tce = None if each is None else each.energy_tce
        quantity = None if each is None else each.quantity
        stored.append(Stored(step, tce, quantity, _is_same(part.tally, tce, quantity)))
    agrees = all(each.agrees for each in stored) and all(each.agrees for each in part.parts)
    return replace(part, stored=tuple(stored), agrees=agrees)


def _is_same(tally: Tally, energy_tce: float | None, quantity: float | None) -> bool:
    same = explanation.agrees(tally.energy_tce, energy_tce)
    return same and (tally.uom is None or explanation.agrees(tally.quantity, quantity))


def _together(part: Part) -> Part:
    """Return the part with the sums of what is stored for its parts, step by step."""
    if any(each.agrees is None for each in part.parts):
        return part
    known = explanation.known_sum
    stored = []
    for across in zip(*(each.stored for each in part.parts), strict=True):
        tce = known(each.energy_tce for each in across)
        one_uom = part.tally.uom is not None
        quantity = known(each.quantity for each in across) if one_uom else None
        agrees = _is_same(part.tally, tce, quantity) and all(each.agrees for each in across)
        stored.append(Stored(across[0].step, tce, quantity, agrees))
    agrees = all(each.agrees for each in part.parts)
    return replace(part, stored=tuple(stored), agrees=agrees)


def _shared(part: Part) -> Part:
    """Return the part with the share of each part in the one above it."""
    measure = _measure(part)
    parts = []
    for each in part.parts:
        own = None if measure is None else measure(each.tally)
        whole = None if measure is None else measure(part.tally)
        share = each.sign * own / whole if own is not None and whole else None
        parts.append(replace(_shared(each), share=share))
    return replace(part, parts=tuple(parts))


def _measure(part: Part) -> Callable[[Tally], float | None] | None:
    if part.tally.energy_tce is not None:
        return lambda tally: tally.energy_tce
    return (lambda tally: tally.quantity) if part.tally.uom is not None else None
