"""Owns whether what a rule names is there, when it is stated: schemes, carriers, industries, rules.

A scheme that is not there leaves every region UNKNOWN, and nobody would hear of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import db.factors
import db.levels
import db.registry
import db.rules
from alerts.kinds import stated
from alerts.kinds.expression.parameters import ExpressionRule
from alerts.kinds.kind import Fault, Parameters
from alerts.kinds.region_level.parameters import RegionLevel
from alerts.kinds.value_intensity.parameters import ValueIntensity
from db.pool import Connection
from db.scope import Scope
from energy.indicators import DESCRIPTIONS
from energy.levels import Measure, Scheme


async def faults(connection: Connection, scope: Scope, parameters: Parameters) -> list[Fault]:
    """Return what a rule must not say, also by what is in the tables; nothing: it may be stated."""
    found = list(stated.faults(parameters))
    for keeps in parameters.keeps_back:
        if keeps.rule_id is not None:
            seen = await db.rules.fetch_entry(connection, scope, keeps.rule_id)
            if seen is None or seen.parameters is None:
                detail = f"there is no rule {keeps.rule_id} that holds; see GET /v1/rules"
                found.append(Fault("keeps_back", detail))
    match parameters:
        case RegionLevel(scheme=str()):
            schemes = db.levels.schemes(await db.levels.list_bands(connection))
            found += _of_scheme(parameters, schemes)
        case ExpressionRule(carrier=str() as carrier):
            carriers = [each.carrier for each in await db.factors.list_carriers(connection)]
            found += stated.unless_known("carrier", carrier, carriers, "carrier")
        case ValueIntensity(industry=industry) if len(industry) > 1:
            divisions = await db.registry.list_divisions(connection)
            found += _of_industry(industry, divisions)
    return found


def _of_scheme(rule: RegionLevel, schemes: Mapping[str, Scheme]) -> Iterator[Fault]:
    """Yield what is wrong with a scheme: a rate has bounds of its reduction, a total of its cap."""
    is_total = DESCRIPTIONS[rule.indicator].denominator is None
    wanted = Measure.CAP_SHARE if is_total else Measure.REDUCTION_SHARE
    fitting = [code for code, scheme in schemes.items() if scheme.measure is wanted]
    assert rule.scheme is not None
    yield from stated.unless_known("scheme", rule.scheme, fitting, f"scheme for {rule.indicator}")


def _of_industry(industry: str, divisions: list[str]) -> Iterator[Fault]:
    """Yield that a division is not known: of what is within one only the form is known."""
    if len(industry) > 2 and industry[:3] in divisions:
        return
    within = [each for each in divisions if each.startswith(industry[:1])]
    yield from stated.unless_known("industry", industry[:3], within, "division of GB/T 4754")
