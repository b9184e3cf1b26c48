"""Owns what a subject of an alert is about, read off its text: a unit, a region or a park. Pure.

The kinds write subjects, each in a form of its own; this is the one place that reads them all.
Whoever adds a kind adds its form here, and to the test: a form that is not known is refused, or
somebody would see what is about a foreign unit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from alerts.kinds.outage.facts import BROKER, PLACE
from alerts.kinds.value_intensity.parameters import Per
from alerts.kinds.words import Language
from db.products import Product
from energy import codes
from energy.budgets import OwnerKind

REGION_LENGTH = 6
YEAR = re.compile(r"\d{6}/(\d{4})")

BUDGET = {Language.ZH: "{} 起的用能预算", Language.EN: "budget from {}"}
SAID = {
    Language.ZH: {
        BROKER: "全部端设备",
        PLACE: "端设备",
        Per.OUTPUT_VALUE: "万元产值能耗",
        Per.VALUE_ADDED: "万元增加值能耗",
    },
    Language.EN: {
        BROKER: "all gateways",
        PLACE: "gateways",
        Per.OUTPUT_VALUE: "energy per output value",
        Per.VALUE_ADDED: "energy per value added",
    },
}


@dataclass(frozen=True, slots=True)
class About:
    """What a subject is about: one of the three, or none: whatever is connected to the broker."""

    unit: str | None = None
    region: str | None = None
    park: str | None = None


def about(subject: str) -> About | None:
    """Return what a subject is about; None: no kind has subjects of that form.

    >>> about("91450200MA5KF5XJ00/clinker"), about("unit/91450200MA5KF5XJ00/2026-01-01")
    (About(unit='91450200MA5KF5XJ00', region=None, park=None), \
About(unit='91450200MA5KF5XJ00', region=None, park=None))
    >>> about("450200/2026"), about("park/k/2026-01-01")
    (About(unit=None, region='450200', park=None), About(unit=None, region=None, park='k'))
    >>> about("broker"), about("factory 7")
    (About(unit=None, region=None, park=None), None)
    """
    if subject == BROKER:
        return About()
    head, _, rest = subject.partition("/")
    if head in [*OwnerKind]:  # budget_pace: kind of owner, owner, first day
        return _of_owner(OwnerKind(head), rest.rpartition("/")[0])
    return _of_code(head)


def tail(subject: str) -> str:
    """Return what a subject names beside a unit or region: of many it is the code of a product.

    >>> tail("91450200MA5KF5XJ00/clinker"), tail("91450200MA5KF5XJ00")
    ('clinker', '')
    """
    return subject.partition("/")[2]


def said(subject: str, language: Language, product: Product | None = None) -> str:
    """Return what a subject is about beside its unit or region, as letters say it; "": nothing.

    `product` is what its `tail` is the code of; None: of no product that has a name.

    >>> said("450200/2026", Language.ZH), said("unit/91450200MA5KF5XJ00/2026-01-01", Language.EN)
    ('2026年', 'budget from 2026-01-01')
    >>> said("91450200MA5KF5XJ00/E01", Language.ZH), said("450200/gateways", Language.ZH)
    ('E01', '端设备')
    """
    if product is not None:
        return product.name_zh if language is Language.ZH else product.name_en
    if found := YEAR.fullmatch(subject):
        return f"{found[1]}年" if language is Language.ZH else found[1]
    if subject.partition("/")[0] in [*OwnerKind]:
        return BUDGET[language].format(subject.rpartition("/")[2])
    named = BROKER if subject == BROKER else tail(subject)
    return SAID[language].get(named, named)


def _of_owner(kind: OwnerKind, owner: str) -> About | None:
    if kind is OwnerKind.PARK:
        return About(park=owner) if owner else None
    found = _of_code(owner)
    is_of_kind = found is not None and (found.unit is not None) == (kind is OwnerKind.UNIT)
    return found if is_of_kind else None


def _of_code(code: str) -> About | None:
    if len(code) == codes.CREDIT_CODE_LENGTH and code.isalnum() and code.isascii():
        return About(unit=code)
    if len(code) == REGION_LENGTH and code.isdigit() and code.isascii():
        return About(region=code)
    return None
