"""Owns a seeded fleet of made-up units over the 14 cities, and what their meters show when.

The same seed gives the same units and, for the same instants, the same readings.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from energy import codes
from energy.registers import Kind
from ingest.simulator.gateway import SimulatedReading

INTERVAL_S = 900
"""What the national rules ask of a gateway; a demonstration may go faster."""

GATEWAY = "gw1"
OVERRUN = 1.35
"""Energy per product of the overrunning unit, as a multiple of what its trade needs."""

ELECTRICITY_MULTIPLIER = 100.0
REGISTER_ROLLOVER = 1_000_000.0
DAILY_SWING = 0.12
NOISE = 0.03


@dataclass(frozen=True, slots=True)
class MeterModel:
    """A meter of a trade. `per_product`: its quantity per unit of product, in `uom`."""

    meter: str
    name: str
    carrier: str | None
    kind: Kind
    uom: str
    role: str
    per_product: float
    multiplier: float = 1.0
    rollover: float | None = None


@dataclass(frozen=True, slots=True)
class Trade:
    """What a kind of plant makes and needs."""

    name: str
    industry: str
    product: str
    product_uom: str
    per_hour: float
    meters: tuple[MeterModel, ...]


def _electricity(kwh: float) -> MeterModel:
    return MeterModel(
        "E01",
        "总进线电能表",
        "electricity",
        Kind.REGISTER,
        "kWh",
        "boundary",
        kwh,
        ELECTRICITY_MULTIPLIER,
        REGISTER_ROLLOVER,
    )


def _weighed(meter: str, name: str, carrier: str, kg: float) -> MeterModel:
    return MeterModel(meter, name, carrier, Kind.INTERVAL, "kg", "boundary", kg)


TRADES = (
    Trade(
        "水泥",
        "C3011",
        "cement_clinker",
        "t",
        208.0,
        (_electricity(60.0), _weighed("C01", "入炉煤皮带秤", "raw_coal", 135.0)),
    ),
    Trade(
        "硅锰合金",
        "C3140",
        "silicomanganese",
        "t",
        8.0,
        (_electricity(4000.0), _weighed("C01", "焦炭皮带秤", "coke", 400.0)),
    ),
    Trade(
        "铜冶炼",
        "C3211",
        "copper_cathode",
        "t",
        25.0,
        (_electricity(900.0), _weighed("F01", "燃料油流量计", "fuel_oil", 100.0)),
    ),
    Trade(
        "制糖",
        "C1340",
        "sugar",
        "t",
        30.0,
        (
            _electricity(30.0),
            MeterModel("H01", "蒸汽热量表", "heat", Kind.GAUGE, "MJ/h", "boundary", 9000.0),
        ),
    ),
    Trade(
        "建筑陶瓷",
        "C3071",
        "ceramic_tile_low_absorption",
        "m2",
        1500.0,
        (
            _electricity(3.0),
            MeterModel("G01", "天然气流量计", "natural_gas", Kind.INTERVAL, "m3", "boundary", 2.2),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Plant:
    """A made-up unit."""

    unit: str
    name: str
    region: str
    trade: Trade
    scale: float
    overrun: float
    seed: str
    interval_s: int

    @property
    def city(self) -> str:
        return self.region[:4] + "00"

    @property
    def meters(self) -> tuple[MeterModel, ...]:
        output = MeterModel(
            "P01", "产量计数器", None, Kind.REGISTER, self.trade.product_uom, "output", 1.0
        )
        return (*self.trade.meters, output)

    def readings(self, since: datetime, until: datetime) -> Iterator[SimulatedReading]:
        """Yield what the meters show at each slot from `since` to before `until`.

        `since` must lie on a slot; registers start there at a value of their own.
        """
        counts = {
            model.meter: random.Random(f"{self.seed}/{model.meter}").uniform(0, 900_000)
            for model in self.meters
            if model.kind is Kind.REGISTER
        }
        at = since
        while at < until:
            output = self._output(at)
            for model in self.meters:
                per_product = model.per_product * (1 if model.role == "output" else self.overrun)
                quantity = output * per_product / model.multiplier
                if model.kind is Kind.REGISTER:
                    shown = counts[model.meter]
                    counts[model.meter] = _wrapped(shown + quantity, model.rollover)
                else:
                    hours = self.interval_s / 3600
                    shown = quantity if model.kind is Kind.INTERVAL else quantity / hours
                yield model.meter, at, round(shown, 2)
            at += timedelta(seconds=self.interval_s)

    def _output(self, at: datetime) -> float:
        """Return the output in the slot from `at`. [product unit]"""
        slot = int(at.timestamp()) // self.interval_s
        noise = random.Random(f"{self.seed}/{slot}").gauss(0, NOISE)
        hour = (at.astimezone(UTC).hour + 8) % 24
        swing = 1 + DAILY_SWING * math.sin((hour - 9) / 24 * 2 * math.pi)
        return self.trade.per_hour * self.scale * self.interval_s / 3600 * swing * (1 + noise)


def _wrapped(value: float, rollover: float | None) -> float:
    return value if rollover is None else value % rollover


def plants(
    seed: int, count: int, cities: Sequence[str], *, interval_s: int = INTERVAL_S
) -> list[Plant]:
    """Return `count` plants spread over `cities`; the first cement works overruns its limit."""
    chooser = random.Random(seed)
    made = []
    for number in range(count):
        trade = TRADES[number % len(TRADES)]
        city = cities[number % len(cities)]
        made.append(
            Plant(
                unit=unit_code(city, number),
                name=f"模拟{trade.name}{number + 1:03d}厂",
                region=city,
                trade=trade,
                scale=chooser.uniform(0.6, 1.6),
                overrun=1.0,
                seed=f"{seed}/{number}",
                interval_s=interval_s,
            )
        )
    if made:
        made[0] = replace(made[0], overrun=OVERRUN)
    return made


def unit_code(city: str, number: int) -> str:
    """Return a well-formed credit code for a made-up unit."""
    first17 = f"91{city}MA{number:07d}"
    return first17 + codes.check_character(first17)


def floor_slot(instant: datetime, interval_s: int = INTERVAL_S) -> datetime:
    """Return the start of the slot that contains `instant`."""
    return datetime.fromtimestamp(instant.timestamp() // interval_s * interval_s, UTC)
