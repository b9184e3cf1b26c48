"""A chain that was touched anywhere is broken there."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from energy import ledger
from energy.ledger import GENESIS, Break, Link

CONTENTS = st.lists(st.text(max_size=20), min_size=2, max_size=20)


def chain(contents: list[str]) -> list[Link]:
    links, previous = [], GENESIS
    for number, content in enumerate(contents, start=1):
        previous = ledger.digest(previous, content)
        links.append(Link(number, content, previous))
    return links


@given(CONTENTS)
def test_an_untouched_chain_holds(contents: list[str]) -> None:
    assert ledger.first_break(chain(contents)) is None


@given(CONTENTS, st.data())
def test_a_changed_link_is_named(contents: list[str], data: st.DataObject) -> None:
    links = chain(contents)
    at = data.draw(st.integers(0, len(links) - 1))
    links[at] = replace(links[at], content=links[at].content + "!")
    found = ledger.first_break(links)
    assert found is not None
    assert found.number == at + 1


@given(CONTENTS, st.data())
def test_a_link_taken_out_is_named(contents: list[str], data: st.DataObject) -> None:
    links = chain(contents)
    at = data.draw(st.integers(0, len(links) - 2))
    del links[at]
    assert ledger.first_break(links) == Break(
        at + 1, f"link {at + 1} is missing, {at + 2} comes instead"
    )


def test_a_part_of_a_chain_can_be_followed_from_where_it_begins() -> None:
    links = chain(["a", "b", "c"])
    assert ledger.first_break(links[1:], links[0].digest, 1) is None
