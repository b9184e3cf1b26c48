"""Owns what a rule must not say when it is stated, beyond what its fields allow by themselves.

Pure. What was stated before is read as ever: who stops watching over a slip of then warns nobody.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator

from alerts.kinds.data_quality.parameters import Check
from alerts.kinds.kind import Fault, Keeps, Kind, Parameters

NAMED_MAX = 20


def faults(parameters: Parameters) -> Iterator[Fault]:
    """Yield what contradicts itself, or names what there is not."""
    yield from parameters.contradictions()
    for keeps in parameters.keeps_back:
        yield from _of_keeps(keeps)


def unless_known(parameter: str, word: str, known: Collection[str], what: str) -> Iterator[Fault]:
    """Yield a fault if a word is none of those that are known, with the nearest of them.

    >>> next(unless_known("scheme", "natonal", ["national", "total"], "scheme")).detail
    'natonal is no scheme: is it national? There are national, total'
    """
    if word in known:
        return
    nearest = difflib.get_close_matches(word, known, 1)
    hint = f": is it {nearest[0]}? There are " if nearest else "; there are "
    named = ", ".join(sorted(known)[:NAMED_MAX])
    more = f" and {len(known) - NAMED_MAX} more" if len(known) > NAMED_MAX else ""
    yield Fault(parameter, f"{word} is no {what}{hint}{named}{more}")


def _of_keeps(keeps: Keeps) -> Iterator[Fault]:
    if keeps.kind is not None:
        yield from unless_known("keeps_back", keeps.kind, list(Kind), "kind of rule")
    if keeps.check is not None:
        yield from unless_known("keeps_back", keeps.check, list(Check), "check")
        if keeps.kind in set(Kind) - {Kind.DATA_QUALITY}:
            yield Fault("keeps_back", f"check goes with data_quality: {keeps.kind} has none")
