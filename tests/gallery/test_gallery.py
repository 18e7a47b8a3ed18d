"""The gallery: small programs as a newcomer would write them, each run in every way there is.

`tests/gallery/table.py` says what stands in the table; the programs are in the other files. A program is one function.
Pure Python runs it on NumPy's arrays; the same function, traced, runs in the interpreter and as machine code.
"""

from __future__ import annotations

import functools
from types import FunctionType
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir.errors import NotDifferentiableError
from tests.gallery import dynamics, learning, numerics, search
from tests.gallery.table import PROGRAMS, Program

assert all(module.__doc__ for module in (dynamics, learning, numerics, search)), "they fill the table"

EVERY = [pytest.param(p, id=p.name, marks=[pytest.mark.slow] if p.slow else []) for p in PROGRAMS]
SMOOTH = [pytest.param(p, id=p.name, marks=[pytest.mark.slow] if p.slow else []) for p in PROGRAMS if p.by]


class _NumPy:
    """NumPy, under the names that the programs use."""

    int32 = np.int32

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


def plain(program: Program) -> Any:
    """The program on NumPy, run by Python alone."""
    f = program.function
    assert isinstance(f, FunctionType)
    return FunctionType(f.__code__, {**f.__globals__, "rnp": _NumPy()}, f.__name__)


def copied(arguments: tuple[Any, ...]) -> list[Any]:
    return [np.array(x) if isinstance(x, np.ndarray) else x for x in arguments]


def outputs(result: Any) -> list[Any]:
    return [np.asarray(x) for x in (result if isinstance(result, tuple) else (result,))]


def check(found: Any, expected: Any, tolerance: float = 1e-9) -> None:
    for ours, theirs in zip(outputs(found), outputs(expected), strict=True):
        np.testing.assert_allclose(np.asarray(ours, np.float64), theirs, rtol=tolerance, atol=tolerance)


def test_there_are_enough_of_them() -> None:
    assert len(PROGRAMS) >= 40
    assert len({p.name for p in PROGRAMS}) == len(PROGRAMS)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("program", EVERY)
@pytest.mark.parametrize("target", ["interpreter", "llvm"])
def test_traced_it_does_what_it_does_in_python(program: Program, target: str) -> None:
    traced = rosin.compile(program.function, target=target)
    for arguments in (program.arguments, program.others):
        check(traced(*copied(arguments)), plain(program)(*copied(arguments)))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("program", EVERY)
def test_a_batch_does_what_a_loop_does(program: Program) -> None:
    columns = [np.stack([np.asarray(a), np.asarray(b)]) for a, b in zip(program.arguments, program.others, strict=True)]
    columns = [c.astype(np.int32) if c.dtype == np.int64 else c for c in columns]
    found = outputs(rosin.compile(rosin.vmap(program.function))(*columns))
    each = [outputs(plain(program)(*copied(arguments))) for arguments in (program.arguments, program.others)]
    check(tuple(found), tuple(np.stack(pair) for pair in zip(*each, strict=True)))


def weighted(program: Program, function: Any, arguments: tuple[Any, ...]) -> Any:
    """The outputs added up with weights, as a function of the arguments it is differentiated by."""

    def total(*moving: Any) -> Any:
        whole = list(arguments)
        for place, x in zip(program.by, moving, strict=True):
            whole[place] = x
        result = function(*whole)
        return sum(
            (x * rnp.cos(1.0 + rnp.arange(x.size, dtype=x.dtype)).reshape(x.shape)).sum() for x in _parts(result)
        )

    return total


def _parts(result: Any) -> list[Any]:
    return [rnp.asarray(x) for x in (result if isinstance(result, tuple) else (result,))]


def slope(program: Program, directions: list[Any]) -> float:
    """The derivative by finite differences of the program in pure Python."""
    h = 1e-6

    def at(step: float) -> float:
        moved = copied(program.arguments)
        for place, direction in zip(program.by, directions, strict=True):
            moved[place] = moved[place] + step * direction
        weights = [np.cos(1.0 + np.arange(x.size)).reshape(x.shape) for x in outputs(plain(program)(*moved))]
        moved = copied(program.arguments)
        for place, direction in zip(program.by, directions, strict=True):
            moved[place] = moved[place] + step * direction
        return float(sum((x * w).sum() for x, w in zip(outputs(plain(program)(*moved)), weights, strict=True)))

    return (at(h) - at(-h)) / (2 * h)


def directions_of(program: Program) -> list[Any]:
    rng = np.random.default_rng(0)
    return [np.asarray(rng.standard_normal(np.shape(program.arguments[place]))) for place in program.by]


@pytest.mark.thinned(2)
@pytest.mark.parametrize("program", SMOOTH)
def test_forward_mode_agrees_with_finite_differences(program: Program) -> None:
    directions = directions_of(program)
    moving = [np.asarray(program.arguments[place]) for place in program.by]
    total = weighted(program, program.function, program.arguments)
    found = rosin.compile(lambda xs, dxs: rosin.jvp(total, xs, dxs)[1])(tuple(moving), tuple(directions))
    np.testing.assert_allclose(float(found), slope(program, directions), rtol=2e-4, atol=1e-6)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("program", SMOOTH)
def test_reverse_mode_agrees_with_finite_differences(program: Program) -> None:
    directions = directions_of(program)
    moving = [np.asarray(program.arguments[place]) for place in program.by]
    total = weighted(program, program.function, program.arguments)
    gradient = rosin.compile(rosin.grad(total, argnums=tuple(range(len(moving)))))
    if program.reverse == "while" and not while_has_reverse_mode():
        with pytest.raises(NotDifferentiableError):
            gradient(*moving)
        return
    found = sum(float((np.asarray(g) * d).sum()) for g, d in zip(gradient(*moving), directions, strict=True))
    np.testing.assert_allclose(found, slope(program, directions), rtol=2e-4, atol=1e-6)


@functools.cache
def while_has_reverse_mode() -> bool:
    """Whether loops of unknown length can be walked back yet; from then on the programs that need it are tested."""

    def halved(x: Any) -> Any:
        while x > 1:
            x = x / 2
        return x

    try:
        rosin.grad(halved)(3.0)
    except NotDifferentiableError:
        return False
    return True
