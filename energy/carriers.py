"""Owns units of measure of energy carriers, and conversion to the one a carrier is accounted in.

Only within energy, mass or volume: litres never become kilograms without a density. A rate
(kW, t/h) converts like the quantity that an hour of it amounts to.
"""

from __future__ import annotations

from enum import StrEnum

ELECTRICITY = "electricity"
"""The carrier whose quantity is asked for beside its coal."""

_ENERGY_KJ = {
    "kJ": 1,
    "MJ": 1_000,
    "GJ": 1_000_000,
    "TJ": 1_000_000_000,
    "kWh": 3_600,
    "MWh": 3_600_000,
    "1e4kWh": 36_000_000,
    "GWh": 3_600_000_000,
}
_MASS_KG = {"kg": 1, "t": 1_000, "kt": 1_000_000}
_VOLUME_L = {"L": 1, "m3": 1_000, "1e4m3": 10_000_000}
_POWER_KJ_PER_HOUR = {"kW": 3_600, "MW": 3_600_000}
_PER_HOUR = {"/h": 1, "/min": 60, "/s": 3_600}

_DIMENSIONS = {"energy": _ENERGY_KJ, "mass": _MASS_KG, "volume": _VOLUME_L}
_QUANTITIES: dict[str, tuple[str, int]] = {
    uom: (dimension, size)
    for dimension, sizes in _DIMENSIONS.items()
    for uom, size in sizes.items()
}
_RATES: dict[str, tuple[str, int]] = {
    **{uom: ("energy", size) for uom, size in _POWER_KJ_PER_HOUR.items()},
    **{
        uom + per: (dimension, size * times)
        for uom, (dimension, size) in _QUANTITIES.items()
        for per, times in _PER_HOUR.items()
        if not uom.endswith("Wh")
    },
}
_KNOWN = _QUANTITIES | _RATES
_BY_LOWER_CASE = {uom.lower(): uom for uom in _KNOWN}


class Nature(StrEnum):
    """What kind of carrier it is, by which its bases are told apart (GB/T 2589-2020)."""

    FUEL = "fuel"
    """Burnt; has a net calorific value, and both bases are the same."""

    POWER = "power"
    """Electricity and heat: the equivalent value counts what was burnt to make it."""

    MEDIUM = "medium"
    """An energy-carrying medium (耗能工质), such as water or oxygen: the energy of making it."""


class UomError(ValueError):
    """A unit of measure is unknown, or does not lead to the one asked for."""


def parse_uom(text: str) -> str:
    """Return the unit of measure in `text` as it is written here. Raises UomError.

    >>> parse_uom("万KWH"), parse_uom("m³"), parse_uom("gj/h")
    ('1e4kWh', 'm3', 'GJ/h')
    """
    plain = text.strip().replace("³", "3").replace("万", "1e4").replace("10^4", "1e4")
    uom = _BY_LOWER_CASE.get(plain.replace(" ", "").lower())
    if uom is None:
        raise UomError(f"not a known unit of measure; known are {', '.join(known_uoms())}")
    return uom


def known_uoms() -> list[str]:
    """Return the quantities, and of the rates those per hour."""
    return [*_QUANTITIES, *(uom for uom in _RATES if not uom.endswith(("/min", "/s")))]


def known_quantities() -> list[str]:
    """Return the units of measure that are no rates."""
    return [*_QUANTITIES]


def is_rate(uom: str) -> bool:
    """Return whether `uom` is a quantity per time, as a gauge shows it.

    >>> is_rate("kW"), is_rate("kWh")
    (True, False)
    """
    return uom in _RATES


def conversion(uom: str, reference_uom: str) -> float:
    """Return how many `reference_uom` one `uom` is; of a rate, one hour of it. Raises UomError.

    >>> conversion("MWh", "kWh"), conversion("kW", "kWh"), conversion("GJ/h", "MJ")
    (1000.0, 1.0, 1000.0)
    """
    for each in (uom, reference_uom):
        if each not in _KNOWN:
            raise UomError(f"{each!r} is not a known unit of measure")
    dimension, size = _KNOWN[uom]
    reference_dimension, reference_size = _KNOWN[reference_uom]
    if is_rate(reference_uom):
        raise UomError(f"{reference_uom} is a rate; quantities are accounted in no rate")
    if dimension != reference_dimension:
        raise UomError(
            f"{uom} measures {dimension}, this carrier is accounted in {reference_uom} "
            f"({reference_dimension}): register the meter in {reference_uom} and let its "
            f"multiplier be the {reference_uom} in one {uom}"
        )
    return size / reference_size
