"""Owns the facts that an expression may name: those of products, units and regions, put together.

Pure. Where readings are missing there is more than one world: as measured, and as it would be if
what is missing were made up at the pace of what is there. An expression must say the same in all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from alerts.kinds.expression.parameters import Whose
from alerts.kinds.kind import Facts, UnitName
from alerts.kinds.product_intensity.facts import ProductFacts
from alerts.kinds.region_level.facts import RegionFacts
from db.scores import Counted
from db.unit_windows import UnitWindow
from energy import intensity, levels, quality
from energy.factors import KGCE_PER_TCE, Basis
from energy.intensity_uoms import Energy
from energy.periods import Span
from energy.quality import Scheme

TCE = {Energy.TCE: 1.0, Energy.KGCE: 1 / KGCE_PER_TCE}
"""Tons of coal equivalent in a unit of the energy that a limit counts."""

World = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class ExpressionFacts(Facts):
    """What is known of a subject: its facts by name, None where unknown, `why` by name.

    `worlds`: the same as they would be if what is missing were there. `is_metered`: its coverage
    is that of readings.
    """

    of: Whose
    key: str
    region: str
    unit: UnitName | None
    text: str
    period: Span
    known: World
    worlds: Sequence[World] = ()
    why: Mapping[str, str] = field(default_factory=dict)
    coverage: float = 1.0
    estimated_share: float = 0.0
    is_metered: bool = True
    basis: Basis | None = None
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def about_unit(self) -> UnitName | None:
        return self.unit

    @property
    def energy_basis(self) -> Basis | None:
        return self.basis


def of_product(found: ProductFacts, text: str) -> ExpressionFacts:
    """Return the facts of a product: energy in tce, intensity in the unit of its limit."""
    cause = _cause(found)
    yardstick = found.yardstick
    limit = None if yardstick is None else yardstick.limit
    known: dict[str, float | None] = {
        "limit": None if limit is None else limit.limit,
        "baseline": None if limit is None else limit.baseline,
        "benchmark": None if limit is None else limit.benchmark,
        "coverage": found.coverage,
        "estimated_share": found.estimated_share,
        "energy_tce": None, "output": None, "intensity": None,
    }  # fmt: skip
    worlds: list[World] = []
    why = dict.fromkeys(("energy_tce", "output", "intensity"), cause) if cause else {}
    if not cause and yardstick is not None:
        counted, energies, outputs = yardstick.energy, found.energy_bounds, found.output_bounds
        known |= _made(found.energy, found.output, counted)
        worlds = [
            known | _made(energies[0], outputs[1], counted),
            known | _made(energies[1], outputs[0], counted),
        ]
        if counted not in TCE:
            why = {"energy_tce": f"its limit counts {counted}"}
    uom = "" if limit is None else limit.uom
    return ExpressionFacts(
        Whose.PRODUCT,
        found.subject.name,
        found.subject.region,
        found.about_unit,
        text,
        found.window,
        known,
        worlds,
        why,
        found.coverage,
        found.estimated_share,
        basis=found.basis,
        units={"intensity": uom, "limit": uom, "baseline": uom, "benchmark": uom,
               "output": "" if yardstick is None else yardstick.output_uom},
    )  # fmt: skip


def of_units(
    rows: Iterable[UnitWindow],
    before: Mapping[int, UnitWindow],
    indices: Mapping[str, float | None],
    window: Span,
    text: str,
    basis: Basis,
) -> list[ExpressionFacts]:
    """Return the facts of units in a window; `before`: the same units a year before it."""
    return [_unit(row, before.get(row.unit_id), indices, window, text, basis) for row in rows]


def of_region(
    found: RegionFacts, indices: Mapping[str, float | None], text: str
) -> ExpressionFacts:
    """Return the facts of a region by its newest published figures, and its index."""
    rate = None
    if found.energy_growth is not None and found.gdp_growth is not None:
        rate = levels.intensity_rate(found.energy_growth, found.gdp_growth)
    known = {
        "energy_growth": found.energy_growth,
        "gdp_growth": found.gdp_growth,
        "rate": rate,
        "required_rate": found.required_rate,
        "index": indices.get(found.region),
    }
    return ExpressionFacts(
        Whose.REGION, found.subject, found.region, None, text, found.period, known, is_metered=False
    )


def composites(rows: Iterable[Counted], scheme: Scheme) -> dict[str, float | None]:
    """Return the composite index of units by credit code, and of regions by each of their codes."""
    groups: dict[str, list[Counted]] = {}
    for row in rows:
        codes = {row.region, f"{row.region[:4]}00", f"{row.region[:2]}0000"}
        for key in (row.unit, *codes):
            groups.setdefault(key, []).append(row)
    return {
        key: quality.composite(
            quality.scores(quality.pooled(one.tally for one in group)), scheme
        ).value
        for key, group in groups.items()
    }


def _cause(found: ProductFacts) -> str:
    """Return what stands against a figure of energy per output, whatever the coverage."""
    for names, said in (
        (found.unverified, "the limit is not verified: have it checked and imported, edition"),
        (found.foreign_uoms, "units of measure do not lead to kgce per output"),
        (found.other_products, "the unit also makes"),
        (found.without_factor, "no coal equivalent factor for"),
        (found.held, "a register step waits for review"),
        (found.silent, "no data from"),
    ):
        if names:
            return f"{said} {', '.join(names)}"
    return ""


def _made(energy: float | None, output: float | None, counted: Energy) -> dict[str, float | None]:
    is_known = energy is not None and counted in TCE
    return {
        "energy_tce": energy * TCE[counted] if is_known and energy is not None else None,
        "output": output,
        "intensity": intensity.intensity(energy, output).value,
    }


def _unit(
    row: UnitWindow,
    before: UnitWindow | None,
    indices: Mapping[str, float | None],
    window: Span,
    text: str,
    basis: Basis,
) -> ExpressionFacts:
    cause, coverage = _missing(row), _coverage(row)
    estimated = (
        row.estimated_tce / row.absolute_tce if row.estimated_tce and row.absolute_tce else 0
    )
    then = None if before is None or _missing(before) or _coverage(before) < 1 else before
    known: dict[str, float | None] = {
        "energy_tce": None if cause else row.energy_tce,
        "quantity": None if cause else row.quantity,
        "coverage": coverage,
        "estimated_share": min(1.0, estimated),
        "growth": None if cause else _growth(row.energy_tce, then),
        "index": indices.get(row.unit),
        "annual_tce": row.annual_tce,
    }
    worlds: list[World] = []
    if not cause and 0 < coverage < 1:
        whole = {
            name: None if value is None else value / coverage
            for name, value in (("energy_tce", row.energy_tce), ("quantity", row.quantity))
        }
        worlds = [known | whole | {"growth": _growth(whole["energy_tce"], then)}]
    why = dict.fromkeys(("energy_tce", "quantity", "growth"), cause) if cause else {}
    if not why and then is None:
        why = {"growth": "the same window a year before is not all there"}
    return ExpressionFacts(
        Whose.UNIT,
        row.unit,
        row.region,
        UnitName(row.unit_id, row.unit, row.unit_name),
        text,
        window,
        known,
        worlds,
        why,
        coverage,
        min(1.0, estimated),
        basis=basis,
    )


def _missing(row: UnitWindow) -> str:
    if row.left_out:
        return f"no coal equivalent factor for {', '.join(row.left_out)}"
    if row.held:
        return "a register step waits for review"
    if row.silent:
        return f"no data from {', '.join(row.silent)}"
    return ""


def _coverage(row: UnitWindow) -> float:
    return min(1.0, row.present / row.due) if row.due else 1.0


def _growth(energy_tce: float | None, before: UnitWindow | None) -> float | None:
    if energy_tce is None or before is None or not before.energy_tce or before.energy_tce < 0:
        return None
    return energy_tce / before.energy_tce - 1
