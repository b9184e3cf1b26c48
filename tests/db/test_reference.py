"""A migrated database knows Guangxi, the industries, and the energy carriers with their factors."""

from __future__ import annotations

from datetime import date

import pytest

import db.regions
import db.registry
import db.settlement
from db.pool import Connection
from energy import carriers, codes
from energy.factors import Basis, FactorTable

UNIT = 0
"""Of nobody: the factors here are those for everyone."""

TODAY = date(2026, 11, 23)

FACTORS = {
    "electricity": 0.1229,
    "heat": 0.03412,
    "raw_coal": 0.7143,
    "cleaned_coal": 0.9,
    "middlings": 0.2857,
    "coke": 0.9714,
    "crude_oil": 1.4286,
    "fuel_oil": 1.4286,
    "petrol": 1.4714,
    "kerosene": 1.4714,
    "diesel": 1.4571,
    "coal_tar": 1.1429,
    "lpg": 1.7143,
    "refinery_dry_gas": 1.5714,
    "calcium_carbide": 2.0786,
    "blast_furnace_gas": 0.1286,
    "producer_gas": 0.1786,
    "catalytic_cracking_gas": 0.6571,
    "thermal_cracking_gas": 1.2143,
    "coke_made_gas": 0.5571,
    "pressure_gasified_gas": 0.5143,
    "water_gas": 0.3571,
    "acetylene": 8.3143,
    "soft_water": 0.4857,
    "deoxygenated_water": 0.9714,
    "new_water": 0.2571,
    "oxygen": 0.4,
    "compressed_air": 0.04,
}
"""GB/T 2589-2020, kgce per reference unit; all of them verified."""

RANGES = ["natural_gas", "coke_oven_gas", "coal_slime", "biogas"]


async def factor_table(connection: Connection) -> FactorTable:
    return FactorTable(await db.settlement.list_factors(connection, UNIT))


async def test_guangxi_has_14_cities_and_111_counties(connection: Connection) -> None:
    regions = await db.regions.list_regions(connection)
    tiers = [region.tier for region in regions]
    assert (tiers.count("province"), tiers.count("city"), tiers.count("county")) == (1, 14, 111)
    assert all(codes.parse_region(region.region) for region in regions)


async def test_every_region_lies_in_the_one_its_code_says(connection: Connection) -> None:
    parents = {"province": None, "city": "450000"}
    for region in await db.regions.list_regions(connection):
        assert region.parent == parents.get(region.tier, region.region[:4] + "00")


async def test_a_retired_code_leads_to_a_region_that_exists(connection: Connection) -> None:
    regions = {region.region for region in await db.regions.list_regions(connection)}
    aliases = {alias.alias: alias for alias in await db.regions.list_aliases(connection)}
    assert aliases["450127"].region == "450181"
    assert {alias.region for alias in aliases.values()} <= regions
    assert not aliases.keys() & regions


async def test_every_division_of_every_section_is_there(connection: Connection) -> None:
    divisions = await db.registry.list_divisions(connection)
    assert divisions == [
        f"{section}{division:02}"
        for section, range_of_section in codes.SECTIONS.items()
        for division in range_of_section
    ]


async def test_every_carrier_is_accounted_in_a_known_quantity(connection: Connection) -> None:
    for uom in (await db.registry.list_reference_uoms(connection)).values():
        assert carriers.conversion(uom, uom) == 1.0


@pytest.mark.parametrize(("carrier", "kgce"), FACTORS.items())
async def test_a_published_factor_is_loaded_as_published(
    connection: Connection, carrier: str, kgce: float
) -> None:
    factor = (await factor_table(connection)).find(carrier, Basis.CALORIFIC, UNIT, TODAY)
    assert factor is not None
    assert (factor.kgce_per_uom, factor.verified) == (kgce, True)


@pytest.mark.parametrize("carrier", RANGES)
async def test_a_range_is_not_a_factor(connection: Connection, carrier: str) -> None:
    table = await factor_table(connection)
    assert carrier in await db.registry.list_reference_uoms(connection)
    assert not [basis for basis in Basis if table.find(carrier, basis, UNIT, TODAY)]


async def test_new_water_is_valued_by_the_edition_of_the_day(connection: Connection) -> None:
    table = await factor_table(connection)
    last_day = table.find("new_water", Basis.CALORIFIC, UNIT, date(2021, 3, 31))
    first_day = table.find("new_water", Basis.CALORIFIC, UNIT, date(2021, 4, 1))
    assert last_day is not None
    assert first_day is not None
    assert (last_day.kgce_per_uom, first_day.kgce_per_uom) == (0.0857, 0.2571)


async def test_the_equivalent_value_of_electricity_is_not_called_verified(
    connection: Connection,
) -> None:
    table = await factor_table(connection)
    factor = table.find("electricity", Basis.EQUIVALENT, UNIT, TODAY)
    assert factor is not None
    assert (factor.kgce_per_uom, factor.verified) == (0.302, False)
    assert table.find("electricity", Basis.EQUIVALENT, UNIT, date(2020, 12, 31)) is None
