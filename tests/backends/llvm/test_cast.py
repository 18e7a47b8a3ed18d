"""Floats become integers: the nearest ones that there are, rounded toward zero, by vectors."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp

INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


def around(bits: int) -> list[float]:
    """Numbers about a power of two, of both signs."""
    end = 2.0**bits
    near = [end - 1.5, end - 1, end - 0.5, end, end + 0.5, end + 1, np.nextafter(end, 0), np.nextafter(end, math.inf)]
    return [sign * float(x) for x in near for sign in (1, -1)]


NUMBERS = [0.0, -0.0, 0.9, -0.9, 1.5, -1.5, 3e38, 1e10, -1e10, math.inf, -math.inf, math.nan]
NUMBERS += [x for bits in (7, 8, 15, 16, 24, 31, 32, 53, 63, 64) for x in around(bits)]


@pytest.mark.parametrize("goal", INTEGERS)
@pytest.mark.parametrize("source", ["float16", "bfloat16", "float32", "float64"])
def test_floats_become_the_nearest_integers(source: str, goal: str) -> None:
    with np.errstate(over="ignore"):
        x = rosin.compile(lambda x: rnp.astype(x, getattr(rnp, source)))(np.array(NUMBERS))
    exact, ends = np.asarray(x).astype(np.float64), np.iinfo(goal)
    expected = [
        0 if math.isnan(v) else ends.min if v <= ends.min else ends.max if v >= ends.max else int(v)
        for v in exact.tolist()
    ]
    cast = rosin.compile(lambda x: rnp.astype(x, getattr(rnp, goal)))
    assert np.asarray(cast(x)).tolist() == expected
    found = re.findall(r" = fpto[su]i (<\d+ x )?", cast.text(x, stage="llvm"))
    assert found
    assert all(found), "no number is converted by itself"
