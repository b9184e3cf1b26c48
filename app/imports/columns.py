"""Owns what is said of the columns of a file: what each takes, what holds without it, its meaning.

What a column takes is read off its type; only the meanings are words of this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import AfterValidator, BeforeValidator
from pydantic.fields import FieldInfo

from app.imports import fields
from app.imports.fields import Line
from app.imports.kinds import Kind
from energy import codes

BY_PARSER: Mapping[object, str] = {
    codes.parse_credit_code: "credit code, 18 characters",
    codes.parse_region: "region code, 6 digits",
    codes.parse_industry: "industry code, as in C3120",
    codes.parse_data_code: "16 digits",
    fields.parse_email: "e-mail address",
    fields.parse_day: "day, as in 2026-01-31",
    fields.parse_month: "month, as in 2026-01",
    fields.parse_instant: "day, or time with an offset, as in 2026-01-31T08:00:00+08:00",
    fields.parse_flag: "yes, no",
}
"""What a column takes whose cells go through one of these."""

MEANINGS: Mapping[str, str] = {
    "acquired_on": "when it was acquired",
    "advanced": "advanced value 先进值",
    "agreement_max": "largest difference of a filing from the days that still agrees",
    "amount_tce": "what may be used, in tce",
    "annual_tce": "energy of a year, in tce",
    "approval": "document of the approval",
    "baseline": "baseline 基准水平",
    "basis": "calorific 当量值 or equivalent 等价值",
    "batch": "batch of the fuel, as the laboratory calls it",
    "benchmark": "benchmark 标杆水平",
    "body": "who verified it",
    "bound": "where the level begins, in shares of the measure; empty for the most severe level",
    "capacity": "what can be made in a year; 0: shut down",
    "carbon_growth": "cumulative growth of CO₂ since January",
    "carrier": "code of the energy carrier 能源品种",
    "certificate": "number of the certificate",
    "channel": "how letters go out; wecom, dingtalk and feishu are robots",
    "colour": "colour on the dashboard",
    "commissioned_on": "when the unit was commissioned 投产",
    "completeness": "weight of completeness",
    "completeness_pass": "share of readings from which a day is complete",
    "accuracy": "weight of accuracy",
    "timeliness": "weight of timeliness",
    "verifiability": "weight of verifiability",
    "validity": "weight of validity",
    "normativity": "weight of normativity",
    "contact_email": "where the unit itself is reached",
    "counted_apart_from": "first day on which it is counted apart",
    "counted_apart_to": "first day on which it is not any more; empty: no end",
    "counted_on": "day at whose beginning the stock was counted",
    "data_code": "data code of the national platform 采集数据编码",
    "edition": "edition of the standard, or the year",
    "email": "address; of another channel the name that its webhook has in NENGHAO_WEBHOOKS",
    "ends_on": "first day that it is not of any more; empty: that after the month",
    "energy_growth": "cumulative growth of energy use since January; 0.06 for 6 %",
    "energy_tce": "energy of the region since January, in tce",
    "energy_type": "wind, solar, hydro, biomass, geothermal or nuclear",
    "evidence": "what proves it: a document",
    "exclusive": "whether a value that only equals a level does not meet it 不含本数",
    "feedstock": "used as raw material 原料用能; empty: not stated, 0: none",
    "first_value": "what the new register showed then; unknown: the step is held",
    "from": "first day",
    "gdp_growth": "cumulative growth of GDP since January; 0.06 for 6 %",
    "generated_in": "month of generation",
    "grid": "code of the grid",
    "holds_at_bound": "whether what lies exactly on the bound has this level",
    "indicator": "what is assessed",
    "industrial_energy_growth": "cumulative growth of industrial energy since January",
    "industry": "industry, GB/T 4754-2017",
    "installed_at": "since when it is read; older readings are refused",
    "interval_s": "how often it is to be read, in seconds",
    "kgce_per_uom": "kgce per reference unit of the carrier; one value, never a range",
    "kgco2_per_uom": "kg CO₂ per reference unit of the carrier",
    "kind": "register 表底数, interval 时段量 or gauge 瞬时量",
    "language": "language of letters",
    "lateness_allowance_s": "how late a reading may be and is on time, in seconds",
    "level": "code of the level",
    "limit": "mandatory limit 限额",
    "measure": "what bounds are shares of",
    "meter": "code of the meter, the unit's own",
    "meters": "codes of its meters, semicolons between; either these or share",
    "minimum_level": "mildest warning level that is written about: 1 the worst alone, 3 all",
    "month": "month, as in 2026-01",
    "monthly_deadline_day": "day of the next month by which a month is to be filed",
    "multiplier": "CT × PT: what differences are multiplied by, unless side is primary",
    "mwh": "non-fossil electricity, in MWh",
    "name": "name 名称",
    "name_en": "name of the level in English",
    "name_zh": "name of the level in Chinese",
    "national": "whether it is on the national list",
    "net_calorific_value": "net calorific value 低位发热量 of the batch",
    "note": "what else is to be known of it",
    "official": "whether the weights are official",
    "output_value_cny": "output value 产值, in yuan",
    "owner": "whose budget: region, park or credit code",
    "owner_kind": "what the owner is",
    "owner_name": "whose project it is",
    "park": "code of the park",
    "previous_last_value": "what the old register showed last; unknown: the step is held",
    "produced": "made by the unit itself 自产; empty: not stated, 0: none",
    "product": "code of the product",
    "project": "code of the project",
    "province": "province of generation",
    "purchased": "bought 购入; empty: not stated, 0: none",
    "quantity": "how much, in uom",
    "rate_max": "most it can count in an hour: rated power, in uom per hour, multiplier in it; "
    "without it a wrong high value may count",
    "region": "region, GB/T 2260",
    "retired_for_region": "region for which it was retired 核销",
    "retired_for_year": "year for which it was retired 核销",
    "role": "boundary 边界, sub 分项, output 产量, feedstock 原料, renewable 可再生, export 外供",
    "rollover": "value at which the register wraps 翻转值, 1000000 of six digits; empty: never",
    "rule_set": "rule set by which it is assessed; empty: that of the year",
    "scheme": "code of the scheme",
    "scheme_en": "name of the scheme in English",
    "scheme_zh": "name of the scheme in Chinese",
    "severity": "1 is the most severe, then 2, 3 …",
    "share": "share of the unit's energy; either this or meters",
    "side": "whether values have the multiplier in them (primary 一次侧) or not (secondary 二次侧)",
    "signature_required": "whether batches must be signed; never said: no",
    "sold": "sold 外供; empty: not stated, 0: none",
    "source": "where it stands: standard with clause, document, page",
    "starts_at": "since when",
    "starts_on": "first day that it is of; empty: that of the month",
    "state": "existing 存量, under_construction 在建 or under_review 拟建",
    "through_month": "last month of the figures, which begin in January",
    "through_year": "last year of the period; empty: the year alone",
    "time": "time of the reading, which must be stored",
    "to": "first day after it",
    "unit": "credit code of the unit 统一社会信用代码",
    "units": "credit codes of its units, blanks between",
    "uom": "unit of measure 计量单位",
    "valid_from": "first day on which it holds",
    "valid_to": "first day on which it does not any more; empty: no end",
    "valid_until": "last day on which it is valid",
    "value": "what holds instead, in the meter's own unit; aside: the reading does not count",
    "value_added_cny": "value added 增加值, in yuan",
    "value_added_growth": "cumulative growth of industrial value added since January",
    "value_max": "most that a value may be, as it is sent",
    "value_min": "least that a value may be, as it is sent",
    "verified": "whether somebody compared it with its source; what nobody did warns of nothing",
    "verified_on": "day of the verification",
    "year": "year",
}

OF_KIND: Mapping[tuple[Kind, str], str] = {
    (Kind.CARBON_FACTORS, "grid"): "code of the grid, of electricity alone",
    (Kind.CARBON_FACTORS, "year"): "year of the data",
    (Kind.CERTIFICATES, "mwh"): "what it stands for, in MWh",
    (Kind.CERTIFICATES, "project"): "project counted apart whose consumption it proves",
    (Kind.CERTIFICATES, "region"): "region that acquired it, where no unit did",
    (Kind.CERTIFICATES, "unit"): "unit that acquired it",
    (Kind.EPOCHS, "interval_s"): "for the reason interval: how often it is read from then on, in s",
    (Kind.EPOCHS, "multiplier"): "as in meters; required but for the reason interval",
    (Kind.EPOCHS, "reason"): "what happened; installed stands in meters",
    (Kind.FACTORS, "unit"): "unit that it is of; empty: everyone",
    (Kind.LIMITS, "uom"): "energy per product, as in kgce/t",
    (Kind.METERS, "carrier"): "code of the energy carrier 能源品种; required but of output meters",
    (Kind.METERS, "product"): "code of what an output meter counts; of output meters alone",
    (Kind.METERS, "uom"): "unit of measure of its values, as in kWh, t, m3; of a gauge kW, t/h",
    (Kind.TARGETS, "amount_tce"): "cap on the total, in tce; for the indicator total_energy alone",
    (Kind.TARGETS, "kind"): "base 基本目标 or incentive 激励目标",
    (Kind.TARGETS, "year"): "year, the first one of a period",
    (Kind.TARGETS, "required_rate"): "required change, -0.02747 for 2.747 % less; not of a total",
    (Kind.UNITS, "annual_tce"): "energy of a usual year, in tce",
}
"""Where a column means something of its own in one kind of file."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column: what its cells take, and what holds where they are empty (None: it is required)."""

    name: str
    takes: str
    default: str | None
    meaning: str

    @property
    def if_empty(self) -> str:
        return "refused" if self.default is None else self.default


def list_columns(kind: Kind, line: type[Line]) -> list[Column]:
    """Return the columns of files of a kind, as its lines have them."""
    return [_column(kind, each.alias or name, each) for name, each in line.model_fields.items()]


def _column(kind: Kind, name: str, each: FieldInfo) -> Column:
    default = None if each.is_required() else _word(each.default)
    meaning = OF_KIND.get((kind, name)) or MEANINGS[name]
    return Column(name, _takes(list(_parts(each.annotation, each.metadata))), default, meaning)


def _parts(annotation: Any, metadata: list[Any]) -> Iterator[Any]:
    """Yield the type of a column, and what else is asked of it, from within `X | None` too."""
    yield from metadata
    if get_origin(annotation) is Annotated:
        inner, *asked = get_args(annotation)
        for each in asked:
            yield from each.metadata if isinstance(each, FieldInfo) else [each]
        yield from _parts(inner, [])
    elif get_origin(annotation) in (Union, UnionType):
        for each in get_args(annotation):
            yield from _parts(each, [])
    else:
        yield annotation


def _takes(parts: list[Any]) -> str:
    for part in parts:
        match part:
            case BeforeValidator(func) | AfterValidator(func) if func in BY_PARSER:
                return BY_PARSER[func]
            case type() if issubclass(part, Enum):
                return ", ".join(str(member.value) for member in part)
            case _ if get_origin(part) is Literal:
                return ", ".join(get_args(part))
    if bool in parts:
        return "yes, no"
    if str in parts:
        longest = [part.max_length for part in parts if isinstance(part, annotated_types.MaxLen)]
        return f"text, at most {longest[0]} characters" if longest else "text"
    return " ".join(filter(None, ["whole number" if int in parts else "number", _range(parts)]))


def _range(parts: list[Any]) -> str:
    words = [
        *(f"> {part.gt:g}" for part in parts if isinstance(part, annotated_types.Gt)),
        *(f"≥ {part.ge:g}" for part in parts if isinstance(part, annotated_types.Ge)),
        *(f"≤ {part.le:g}" for part in parts if isinstance(part, annotated_types.Le)),
    ]
    return ", ".join(words)


def _word(default: object) -> str:
    match default:
        case None:
            return "nothing"
        case bool():
            return "yes" if default else "no"
        case float():
            return f"{default:g}"
        case date():
            return default.isoformat()
        case _:
            return str(default)


OF_READINGS = (
    Column("unit", BY_PARSER[codes.parse_credit_code], None, MEANINGS["unit"]),
    Column("meter", "text, at most 32 characters", None, MEANINGS["meter"]),
    Column("time", "time, as in 2026-01-31T08:00:00+08:00; without an offset see --offset", None,
           "time of the reading; of an interval meter the beginning of its interval"),
    Column("value", "number", None, "what the meter showed, before its multiplier"),
    Column("quality", "good, uncertain, bad, substituted", "good", "what its sender says of it"),
)  # fmt: skip
"""The columns of a file of readings; what an export says beside is passed over."""
