"""Owns what a two-high project (两高项目, high energy use and high emission) is, and its states."""

from __future__ import annotations

from enum import StrEnum

GUIDED_FROM_TCE = 50_000.0
"""New projects of so much a year get window guidance of the NDRC (发改环资〔2021〕1310号). [tce]"""


class ProjectState(StrEnum):
    """How far a project is (存量, 在建, 拟建 waiting for its energy review)."""

    EXISTING = "existing"
    UNDER_CONSTRUCTION = "under_construction"
    UNDER_REVIEW = "under_review"


def is_suspended(
    state: ProjectState,
    annual_tce: float,
    *,
    is_national: bool,
    from_tce: float = GUIDED_FROM_TCE,
) -> bool:
    """Return whether the energy review of a project is suspended where energy intensity rose.

    发改办环资〔2021〕629号: of two-high projects under review; not of those planned nationally.

    >>> is_suspended(ProjectState.UNDER_REVIEW, 50_000.0, is_national=False)
    True
    >>> is_suspended(ProjectState.UNDER_REVIEW, 90_000.0, is_national=True)
    False
    """
    return state is ProjectState.UNDER_REVIEW and not is_national and annual_tce >= from_tce
