"""Owns the types of cells: from the text in a file to a checked value, or a sentence why not."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from energy import codes
from energy.periods import LOCAL

EMAIL_LENGTH_MAX = 254
LOCAL_PART_LENGTH_MAX = 64
NAME_LENGTH_MAX = 200
CODE_LENGTH_MAX = 64
METER_LENGTH_MAX = 32
UOM_LENGTH_MAX = 32
SOURCE_LENGTH_MAX = 500
YEARS = range(1900, 2101)
FLAGS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@((?:{_LABEL}\.)+{_LABEL})")
_DAY = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})", re.ASCII)
_MONTH = re.compile(r"(\d{4})[-/](\d{1,2})", re.ASCII)


class Line(BaseModel):
    """The cells of one row, by column; an empty cell is left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def parse_email(text: str) -> str:
    """Return the one e-mail address in `text`, its domain in lower case.

    >>> parse_email("warning@LZ.example.cn")
    'warning@lz.example.cn'
    """
    match = _EMAIL.fullmatch(text)
    if match is None or len(text) > EMAIL_LENGTH_MAX or len(match[1]) > LOCAL_PART_LENGTH_MAX:
        raise ValueError("is not one plain e-mail address, as in name@example.cn")
    return f"{match[1]}@{match[2].lower()}"


def parse_day(text: str) -> date:
    """Return the date in `text`.

    >>> parse_day("2020/1/31")
    datetime.date(2020, 1, 31)
    """
    match = _DAY.fullmatch(text)
    if match is None:
        raise ValueError("is not a date, as in 2020-01-31")
    if int(match[1]) not in YEARS:
        raise ValueError(f"is not between the years {YEARS[0]} and {YEARS[-1]}")
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError as error:
        raise ValueError("is not a day of the calendar") from error


def parse_month(text: str) -> date:
    """Return the first day of the month in `text`.

    >>> parse_month("2024-05"), parse_month("2024/5")
    (datetime.date(2024, 5, 1), datetime.date(2024, 5, 1))
    """
    match = _MONTH.fullmatch(text)
    if match is None:
        raise ValueError("is not a month, as in 2020-01")
    return parse_day(f"{match[1]}-{match[2]}-01")


def parse_instant(text: str) -> datetime:
    """Return the instant in `text`; of a plain date, its first instant in Asia/Shanghai. [UTC]

    >>> parse_instant("2020-01-01").isoformat()
    '2019-12-31T16:00:00+00:00'
    """
    if _DAY.fullmatch(text):
        day = parse_day(text)
        return datetime(day.year, day.month, day.day, tzinfo=LOCAL).astimezone(UTC)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError("is neither a date nor a time as in 2020-01-31T08:00:00+08:00") from error
    if instant.year not in YEARS:
        raise ValueError(f"is not between the years {YEARS[0]} and {YEARS[-1]}")
    if instant.tzinfo is None:
        raise ValueError("is a time without an offset such as +08:00")
    return instant.astimezone(UTC)


def parse_flag(text: object) -> bool:
    """Return the truth in `text`.

    >>> parse_flag("TRUE"), parse_flag("no")
    (True, False)
    """
    flag = FLAGS.get(str(text).lower())
    if flag is None:
        raise ValueError("is neither true nor false; write yes or no")
    return flag


def _share(text: object) -> object:
    if isinstance(text, str) and text.endswith(("%", "％")):
        raise ValueError("is a percentage; give a share, as in 0.06 for 6 %")
    return text


CreditCode = Annotated[str, AfterValidator(codes.parse_credit_code)]
RegionCode = Annotated[str, AfterValidator(codes.parse_region)]
IndustryCode = Annotated[str, AfterValidator(codes.parse_industry)]
DataCode = Annotated[str, AfterValidator(codes.parse_data_code)]
Email = Annotated[str, AfterValidator(parse_email)]
Name = Annotated[str, Field(max_length=NAME_LENGTH_MAX)]
Code = Annotated[str, Field(max_length=CODE_LENGTH_MAX)]
MeterCode = Annotated[str, Field(max_length=METER_LENGTH_MAX)]
Uom = Annotated[str, Field(max_length=UOM_LENGTH_MAX)]
Source = Annotated[str, Field(max_length=SOURCE_LENGTH_MAX)]
Day = Annotated[date, BeforeValidator(parse_day)]
Month = Annotated[date, BeforeValidator(parse_month)]
Instant = Annotated[datetime, BeforeValidator(parse_instant)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, BeforeValidator(_share), Field(gt=-1, le=1, allow_inf_nan=False)]
Flag = Annotated[bool, BeforeValidator(parse_flag)]
IntervalS = Annotated[int, Field(ge=1, le=86_400)]
Year = Annotated[int, Field(ge=2000, le=2100)]
