"""Routines on the disk, and the plans that are begun with them."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rosin.backends.llvm.routines import butterflies, plan_for, routine_for
from rosin.backends.llvm.routines.butterflies import FIRST, PLAIN, TURNED
from rosin.ir import dims
from rosin.runtime import jit, routines

ROOT = Path(__file__).parents[2]


def test_what_the_disk_has_is_not_written_again(monkeypatch: pytest.MonkeyPatch) -> None:
    name = routine_for("sort_i16", (3, 0), jit.host().vector_bytes)
    routines.install([name])

    def fail(*_: Any) -> str:
        raise AssertionError("written again")

    monkeypatch.setattr(routines, "_known", set())
    monkeypatch.setattr(routines, "routine_texts", fail)
    routines.install([name])
    assert name in routines._known


PLANS = """
import numpy as np
import rosin
from rosin import numpy as rnp
from rosin.backends.llvm.routines import plan_for
from rosin.ir import dtypes
from rosin.runtime import jit, plans, routines

routines.begin = lambda *_: None  # what a call does not ask for is not made
made = plans.planner(dtypes.f32).plans
for kind, shape, axis in (
    ("dft", (36,), 0),
    ("dft", (200, 6), 1),
    ("dft", (22, 5), 0),
    ("realdft", (44,), 0),
    ("realdft", (200, 10), 1),
    ("realdft", (3, 45), 1),
    ("halfdft", (46,), 0),
    ("halfdft", (200, 14), 1),
):
    inner, outer = (int(np.prod(sizes)) for sizes in (shape[axis + 1 :], shape[:axis]))
    number = plan_for(f"{kind}_f32", (shape[axis], inner, outer, 1, 0, 0), jit.host().vector_bytes)
    before = number in made
    x = np.ones(shape, np.float32)
    if kind == "dft":
        rosin.compile(lambda x: rnp.fft.fft(x, axis=axis))(x + 0j)
    elif kind == "realdft":
        rosin.compile(lambda x: rnp.fft.rfft(x, axis=axis))(x)
    else:
        half = (*shape[:-1], shape[-1] // 2 + 1)
        rosin.compile(lambda x: rnp.fft.irfft(x, shape[-1]))(np.ones(half, np.complex64))
    print(before, number in made)
"""


def test_plans_that_are_begun_are_those_that_calls_ask_for() -> None:
    """In a process of its own: plans last as long as one, and code remembers where they are."""
    done = subprocess.run([sys.executable, "-c", PLANS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["False True"] * 8, done.stderr


@pytest.mark.parametrize(
    ("kind", "radix", "count", "expected"),
    [
        (FIRST, 8, 16, ((8, True),)),
        (FIRST, 8, 13, ((8, False),)),
        (FIRST, 8, 3, ((2, False),)),
        (FIRST, 5, 16, ((4, True),)),
        (FIRST, 4, 6, ((4, False),)),
        (PLAIN, 5, 12, ((8, False),)),
        (PLAIN, 5, None, ((8, False), (4, False), (1, True))),
        (TURNED, 16, None, ((8, False), (1, True))),
    ],
)
def test_passes_have_code_for_the_vectors_that_they_take(
    kind: str, radix: int, count: int | None, expected: tuple[tuple[int, bool], ...]
) -> None:
    found = butterflies.steps(kind, radix, "float", 64, count)
    assert tuple((step.width, step.whole) for step in found) == expected


def test_plans_of_lines_that_are_not_known_wait_for_a_call() -> None:
    assert plan_for("dft_f32", (dims.parse("n"), 1, 1, 1, 0, 0), 64) is None
    assert plan_for("sort_f32", (7, 0), 64) is None
