"""What the quick tests take of random examples and of grids of cases: a share that is the same in every run."""

from __future__ import annotations

from hypothesis import settings

QUICK = 0.25
"""Of a test's random examples, the share that the quick tests draw."""


def examples(count: int) -> settings:
    """So many random examples, of which the quick tests draw the first quarter."""
    quick = settings.get_current_profile_name() == "quick"
    return settings(max_examples=max(round(count * QUICK), 5) if quick else count)
