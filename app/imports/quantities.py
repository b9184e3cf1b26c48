"""Owns the unit of measure of a quantity or rate: one that its carrier can be accounted in."""

from __future__ import annotations

from collections.abc import Mapping

from app.imports.sheet import Findings
from app.tables import Row
from energy import carriers


def uom(
    carrier: str,
    told: str,
    reference_uoms: Mapping[str, str],
    row: Row,
    findings: Findings,
    *,
    is_rate: bool = False,
    otherwise: str,
) -> str:
    """Return `told` as `energy.carriers` writes it; `otherwise` is said of what is (no) rate."""
    reference_uom = reference_uoms.get(carrier)
    if reference_uom is None:
        findings.problem(row, "carrier", "is not a known energy carrier")
        return told
    try:
        parsed = carriers.parse_uom(told)
        carriers.conversion(parsed, reference_uom)
    except carriers.UomError as error:
        findings.problem(row, "uom", str(error))
        return told
    if carriers.is_rate(parsed) != is_rate:
        findings.problem(row, "uom", otherwise)
    return parsed
