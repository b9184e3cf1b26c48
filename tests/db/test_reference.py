"""A migrated database knows Guangxi, the industries, and the energy carriers with their factors."""

from __future__ import annotations

import db.limits
import db.products
import db.regions
import db.registry
from db.pool import Connection
from energy import carriers, codes


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


async def test_benchmarks_are_loaded_and_what_nobody_checked_is_not_called_verified(
    connection: Connection,
) -> None:
    limits = {(row.product, row.valid_from.year): row for row in
              await db.limits.list_limits(connection)}  # fmt: skip
    converter, clinker = limits["converter_steel", 2023], limits["cement_clinker", 2023]
    assert (converter.benchmark, converter.baseline, converter.verified) == (-30, -10, False)
    assert (clinker.benchmark, clinker.baseline, clinker.verified) == (100, 117, False)
    assert limits["ferrosilicon", 2021].baseline == 1_900
    assert limits["data_centre_large", 2021].exclusive


async def test_every_benchmark_is_of_a_product_with_a_name_in_both_languages(
    connection: Connection,
) -> None:
    products = await db.products.list_products(connection)
    limits = await db.limits.list_limits(connection)
    assert {row.product for row in limits} <= products.keys()
    assert all(product.name_zh and product.name_en for product in products.values())


async def test_standard_oil_is_not_called_verified(connection: Connection) -> None:
    (oil,) = await db.products.list_equivalents(connection)
    assert (oil.energy_uom, oil.kgce_per_uom, oil.verified) == ("kgoe", 1.4286, False)
