"""Why fusion computes a node apart from a value that it reads."""

from __future__ import annotations

from enum import Enum


class Cut(Enum):
    """A reason; its value says it in words."""

    ALONE = "loops, calls, updates, lists and running sums are computed by themselves"
    FULL = "the group has as many nodes as a group may have"
    ELSEWHERE = "it reads other places than the one that is computed"
    AXES = "it has an axis that the group lacks, along which the value would be computed again"
    PART = "it has only some of the group's axes"
    SUMS = "it folds over other axes than the group does"
    ACROSS = "one folds along lines of memory, the other across them"
    PRODUCT = "a product is followed by elementwise work on the whole of its result, and by nothing else"
    SUMMED = "it is summed, and what it reads of the product is stored anyway"
    PIECES = "a product that is computed in pieces leaves gaps between the results of each"
    AFTER = "the value is known only when all rows of its group are done"
    STRANGER = "it goes through other arrays than those that are summed up, and waits for the sums alone"
    FAR = "the rows are too long to be in a cache when their fold is done"
    ORDER = "something in between needs the one and is needed by the other"
    WAITS = "a barrier, an effect or a measured size stands in between"
