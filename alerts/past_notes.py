"""Owns what a backtest cannot know of the past, in sentences. Pure.

Nothing is left out in silence: what is not kept, or lies beyond the question, is named.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from alerts.kinds.kind import Kind, Rule
from alerts.kinds.outage import past
from alerts.kinds.outage.facts import Scale
from alerts.kinds.outage.watch import known_scales
from alerts.past_keepers import PastKeepers
from db.scope import Scope

PROVINCE_DIGITS = 2


class Unknown(StrEnum):
    """What is not known of the past."""

    WHO_WAS_HEARD = "heard_by_stored_readings"
    WHO_WAS_NOT = "not_heard_before"
    OUR_OWN_ABSENCE = "own_absences_not_applied"
    WIDER_INCIDENTS = "wider_incidents_left_out"
    MEMBERS = "outage_members_computed_anew"
    WIDER_OUTAGES = "wider_outages_not_seen"


@dataclass(frozen=True, slots=True)
class PastNote:
    """What is not known, and what follows."""

    code: Unknown
    detail: str


HEARD = PastNote(
    Unknown.WHO_WAS_HEARD,
    "A gateway counts as heard when a message of it came of which readings were stored. What it "
    "sent again, and what it said of its connection, is not kept: it may be found silent though it "
    "was heard.",
)
NOT_BEFORE = PastNote(
    Unknown.WHO_WAS_NOT,
    f"A gateway that was not heard in the {past.LOOK_BACK.days} days before the period, and is "
    "heard since, is part of an incident only after it was heard again.",
)
OURS = PastNote(
    Unknown.OUR_OWN_ABSENCE,
    "That our own programs were away is not taken into account: nothing was heard then, "
    "which counts as silence here; the evaluator told nobody of it.",
)
ANEW = PastNote(
    Unknown.MEMBERS,
    "Outages of a city, or of the broker, kept letters back in the period. Which units they took "
    "in at which instant is not kept, and told anew by when gateways were heard.",
)
BEYOND = PastNote(
    Unknown.WIDER_OUTAGES,
    "An outage of a wider region than is asked about may have kept letters back; it is not seen.",
)


def notes(rule: Rule, scope: Scope, kept_back_by: PastKeepers) -> Iterator[PastNote]:
    """Yield what a backtest of a rule cannot know, for what lies in a scope."""
    if rule.kind is Kind.OUTAGE:
        yield from (HEARD, NOT_BEFORE)
        if left := [each for each in Scale if each not in known_scales(rule.region, scope)]:
            yield PastNote(
                Unknown.WIDER_INCIDENTS,
                f"Incidents of {' and '.join(f'the {each}' for each in left)} are not looked for: "
                "not all of the gateways are asked about.",
            )
    elif kept_back_by.wide:
        yield ANEW
    if rule.parameters.rests_on_silence:
        yield OURS
    is_kept_back = any((each, rule.rule_id) in kept_back_by.edges for each in kept_back_by.outages)
    is_part = scope.unit is not None or len(scope.region_prefix) > PROVINCE_DIGITS
    if is_kept_back and is_part:
        yield BEYOND
