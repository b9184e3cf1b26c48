"""The people every test of access knows, after the first surnames of the Hundred Families.

Zhao oversees the province, Qian the city of Liuzhou, Sun the city of Guilin, Li has the key of one
enterprise in Liuzhou, Zhou has nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from app import auth
from db.pool import Connection
from tests import factories

QIANS_UNIT = factories.unit_code(1)
"""Li's enterprise, in Liuzhou."""

QIANS_OTHER_UNIT = factories.unit_code(2)
SUNS_UNIT = factories.unit_code(3)


@dataclass(frozen=True, slots=True)
class Cast:
    """The keys of the people who have one."""

    zhao: str
    qian: str
    sun: str
    li: str

    def key(self, name: str) -> str | None:
        return None if name == "zhou" else str(getattr(self, name))


async def enter_units(connection: Connection) -> None:
    """Register two units in Liuzhou and one in Guilin, each with meter E01."""
    units = ((QIANS_UNIT, "450202"), (QIANS_OTHER_UNIT, "450203"), (SUNS_UNIT, "450302"))
    for code, region in units:
        unit_id = await factories.unit(connection, code, region=region, name=f"{region} 测试厂")
        await factories.meter(connection, unit_id)


async def enter(connection: Connection) -> Cast:
    """Register the units and hand out the keys."""
    await enter_units(connection)

    async def key(name: str, region: str, unit: str | None = None) -> str:
        return await auth.create_key(
            connection, label=name, region=region, unit=unit, expires_at=None
        )

    return Cast(
        zhao=await key("zhao", "450000"),
        qian=await key("qian", "450200"),
        sun=await key("sun", "450300"),
        li=await key("li", "450200", QIANS_UNIT),
    )
