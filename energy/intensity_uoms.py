"""Owns the units of measure of intensities: which energy, per unit of which output.

A closed set: what is not known is refused with the list of what is.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from energy import carriers

KGCE_PER_TCE = 1000.0
CNY_PER_UNIT = 10_000.0
"""Intensities of output value are per 10,000 yuan (万元)."""

OUTPUT_VALUE = "1e4CNY output value"
VALUE_ADDED = "1e4CNY value added"
MONEY = (OUTPUT_VALUE, VALUE_ADDED)
ENERGY_FACTOR_TON = "t·EF"
PUE = "PUE"

_AREA_M2 = {"m2": 1.0, "1e4m2": 10_000.0}
_GLASS_CASES = {"weight_case": 1.0, "1e4weight_case": 10_000.0}
_PIECES = {"piece": 1.0, "1e4piece": 10_000.0}
_MASS_T = {"t": 1.0, "1e4t": 10_000.0}
_OUTPUTS = (_AREA_M2, _GLASS_CASES, _PIECES, _MASS_T, {ENERGY_FACTOR_TON: 1.0})

_SYNONYMS = {
    "平方米": "m2",
    "1e4平方米": "1e4m2",
    "重量箱": "weight_case",
    "1e4重量箱": "1e4weight_case",
    "件": "piece",
    "1e4件": "1e4piece",
    "吨": "t",
    "1e4吨": "1e4t",
    "t·ef": ENERGY_FACTOR_TON,
    "t*ef": ENERGY_FACTOR_TON,
    "t·energyfactor": ENERGY_FACTOR_TON,
    "t·能量因数": ENERGY_FACTOR_TON,
    "吨·能量因数": ENERGY_FACTOR_TON,
    "1e4cnyoutputvalue": OUTPUT_VALUE,
    "1e4元产值": OUTPUT_VALUE,
    "1e4元总产值": OUTPUT_VALUE,
    "1e4cnyvalueadded": VALUE_ADDED,
    "1e4元增加值": VALUE_ADDED,
}


class Energy(StrEnum):
    """The energy that an intensity counts."""

    KGCE = "kgce"
    TCE = "tce"
    KGOE = "kgoe"
    KWH = "kWh"


_ENERGIES = {
    **{energy.lower(): energy for energy in Energy},
    "千克标准煤": Energy.KGCE,
    "吨标准煤": Energy.TCE,
    "千克标准油": Energy.KGOE,
    "kw·h": Energy.KWH,
    "千瓦时": Energy.KWH,
}


class IntensityUomError(ValueError):
    """The text is no unit of measure of an intensity."""


@dataclass(frozen=True, slots=True)
class IntensityUom:
    """Units of `energy` per one `per` of output, as in kgce/t; PUE is kWh per kWh."""

    energy: Energy
    per: str

    def __str__(self) -> str:
        is_pue = (self.energy, self.per) == (Energy.KWH, "kWh")
        return PUE if is_pue else f"{self.energy}/{self.per}"


def parse(text: str) -> IntensityUom:
    """Return the unit of measure of an intensity in `text`. Raises IntensityUomError.

    >>> str(parse("kgce/m²")), str(parse("KWH/吨")), str(parse("pue"))
    ('kgce/m2', 'kWh/t', 'PUE')
    >>> str(parse("kgoe/(t·能量因数)")), str(parse("tce/万元增加值"))
    ('kgoe/t·EF', 'tce/1e4CNY value added')
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if plain.upper() == PUE:
        return IntensityUom(Energy.KWH, "kWh")
    numerator, slash, denominator = plain.partition("/")
    energy = _ENERGIES.get(numerator.strip().lower())
    if energy is None or not slash:
        raise IntensityUomError(_refusal())
    return IntensityUom(energy, parse_output(denominator))


def parse_output(text: str) -> str:
    """Return the unit of measure of an output in `text`. Raises IntensityUomError.

    >>> parse_output("万重量箱"), parse_output("T"), parse_output("(t*EF)")
    ('1e4weight_case', 't', 't·EF')
    """
    plain = unicodedata.normalize("NFKC", text).replace(" ", "").strip("()").lower()
    plain = plain.replace("万", "1e4")
    named = _SYNONYMS.get(plain, plain)
    if named in MONEY or any(named in sizes for sizes in _OUTPUTS):
        return named
    try:
        uom = carriers.parse_uom(named)
    except carriers.UomError:
        raise IntensityUomError(_refusal()) from None
    if carriers.is_rate(uom):
        raise IntensityUomError(_refusal())
    return uom


def output_conversion(uom: str, other: str) -> float | None:
    """Return how many `other` one `uom` of output is; None: they do not convert.

    >>> output_conversion("1e4m2", "m2"), output_conversion("kt", "t"), output_conversion("m2", "t")
    (10000.0, 1000.0, None)
    """
    if uom == other:
        return 1.0
    for sizes in _OUTPUTS:
        if uom in sizes and other in sizes:
            return sizes[uom] / sizes[other]
    try:
        return carriers.conversion(uom, other)
    except carriers.UomError:
        return None


def counted(
    energy: Energy,
    *,
    energy_tce: float | None,
    electricity_kwh: float | None,
    kgce_per_kgoe: float | None,
) -> float | None:
    """Return the energy used, in units of `energy`; None where it is not known.

    GB/T 2589-2020, 3 for standard coal. Electricity is the physical quantity, not its coal.

    >>> counted(Energy.KGCE, energy_tce=1.5, electricity_kwh=None, kgce_per_kgoe=None)
    1500.0
    >>> counted(Energy.KGOE, energy_tce=1.5, electricity_kwh=9.0, kgce_per_kgoe=None) is None
    True
    """
    if energy is Energy.KWH:
        return electricity_kwh
    if energy_tce is None:
        return None
    if energy is Energy.TCE:
        return energy_tce
    kgce = energy_tce * KGCE_PER_TCE
    if energy is Energy.KGCE:
        return kgce
    return None if kgce_per_kgoe is None else kgce / kgce_per_kgoe


def _refusal() -> str:
    outputs = [*carriers.known_quantities(), *(uom for sizes in _OUTPUTS for uom in sizes), *MONEY]
    return (
        f"is not a known unit of intensity; known are {PUE} and {', '.join(Energy)} "
        f"per {', '.join(outputs)}, as in kgce/t"
    )
