"""Topics are those of the interface and nothing else."""

from __future__ import annotations

import pytest

from ingest import topics
from ingest.topics import Address, Leaf

HERE = Address("450200", "91450200MA0000001X", "gw1")


@pytest.mark.parametrize("leaf", list(Leaf))
def test_what_is_written_is_read_again(leaf: Leaf) -> None:
    assert topics.parse(HERE.topic(leaf)) == (HERE, leaf)


@pytest.mark.parametrize(
    "topic",
    ["", "nenghao/v1", "nenghao/v2/a/b/c/readings", "nenghao/v1/a/b/c/d/readings",
     "nenghao/v1/a/b/c/other"],
)  # fmt: skip
def test_other_topics_are_not_ours(topic: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        topics.parse(topic)
