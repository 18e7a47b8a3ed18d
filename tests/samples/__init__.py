"""Good and bad inputs of every op: what the conformance tests of the IR and of each backend run over.

One file an op family, named as in rosin/ir/ops. Each file holds

    SAMPLES     list[Sample]: operands on which everything that is stated about an op is checked
    BAD         list[Bad]: operand types that the op's type rule refuses, and what it says
    SYMBOLIC    list[Symbolic]: the type rule over symbolic sizes (elementwise ops get theirs by themselves)
    REFERENCES  {op class: function}: the op's meaning written a second time, from NumPy, SciPy or math

An op that is registered and lacks a sample, a bad input or a reference fails tests/ir/test_conformance.py. An op
that has no second definition stands in `REFERENCES` with None, and a comment there says why.
"""

from __future__ import annotations

import importlib
import pkgutil
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.dtypes import DType
from rosin.ir.errors import DTypeError, RosinError, ShapeError
from rosin.ir.graph import Graph
from rosin.ir.op import Elementwise, Op
from rosin.ir.ops.collective import NamedAxis
from rosin.ir.transform.batch import batch_graph
from rosin.ir.types import TensorType, parse_type

Array: TypeAlias = NDArray[Any]
Reference: TypeAlias = "Callable[..., Any] | None"
"""`reference(op, *operands)` gives the result, or a tuple of results. Floats arrive as f64, other types as they are;
what it gives is rounded to the result's element type before it is compared (Python ints wrap around)."""


REAL = tuple(dtype for dtype in dtypes.ALL if not dtype.is_complex)
"""The element types that the samples of a family are over; those of complex numbers stand in complex.py."""


@dataclass(frozen=True, eq=False)
class Sample:
    """An op on operands.

    smooth: the operands are inside the domain and away from kinks and ties (by more than 0.01), so derivatives are
        compared with finite differences. Samples of extreme values, and of narrow types whose derivatives another
        sample covers, are not.
    differentiable: positions of the operands to differentiate by; None for all that are floats.
    forward: whether forward mode exists (it does not for an op with a reverse rule of its own alone).
    reverse: whether reverse mode exists (it does not for a loop of unknown length).
    rtol, atol: how near the NumPy meaning is to the reference; rtol defaults to 4 units in the last place of the type.
    derivative_rtol: how near derivatives are to finite differences in f64, `step` being the difference's step.
    adjoint_rtol: how near reverse mode is to the adjoint of forward mode.
    ulps: how far a backend may be from the NumPy meaning, in units in the last place of floats; `atol` is added.
    batches: whether there are batches of it.
    heavy: whether programs with its op take seconds to compile, for which the quick tests have no time.
    """

    op: Op
    operands: tuple[Array, ...]
    label: str = ""
    smooth: bool = True
    differentiable: tuple[int, ...] | None = None
    forward: bool = True
    reverse: bool = True
    rtol: float | None = None
    atol: float = 0.0
    derivative_rtol: float = 1e-6
    adjoint_rtol: float = 1e-10
    step: float = 1e-3
    ulps: int = 4
    batches: bool = True
    heavy: bool = False

    @property
    def types(self) -> tuple[TensorType, ...]:
        return tuple(type_of(x) for x in self.operands)

    def __str__(self) -> str:
        return f"{self.op.name}-{self.label or '-'.join(map(str, self.types))}".replace(" ", "")


@dataclass(frozen=True)
class Bad:
    """Operand types, written as in the text of the IR, that the op refuses with `error`; `message` is a regex."""

    op: Op
    operands: tuple[str, ...]
    error: type[RosinError]
    message: str

    @property
    def types(self) -> tuple[TensorType, ...]:
        return tuple(map(parse_type, self.operands))

    def __str__(self) -> str:
        return f"{self.op.name}-{'-'.join(self.operands)}".replace(" ", "")


@dataclass(frozen=True)
class Symbolic:
    """Operand types with symbolic sizes, and the result types that the rule gives; all as text."""

    op: Op
    operands: tuple[str, ...]
    results: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.op.name}-{'-'.join(self.operands)}".replace(" ", "")


@dataclass(frozen=True)
class Family:
    """What one file of samples holds."""

    name: str
    samples: Sequence[Sample]
    bad: Sequence[Bad]
    symbolic: Sequence[Symbolic]
    references: dict[type[Op], Reference]


@cache
def families() -> tuple[Family, ...]:
    """Every file of samples, in order of name."""
    found: list[Family] = []
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda m: m.name):
        file = importlib.import_module(f"{__name__}.{module.name}")
        found.append(Family(module.name, file.SAMPLES, file.BAD, file.SYMBOLIC, file.REFERENCES))
    return tuple(found)


def all_samples() -> list[Sample]:
    return [sample for family in families() for sample in family.samples]


QUICK = 8
"""Of the samples of an op, the quick tests take the first one and one in so many others."""


def spread(samples: Iterable[Sample], *more: Iterable[Any], quick: int = QUICK) -> list[Any]:
    """The samples as parameters of a test, with what goes along with each; all but one in `quick` are marked slow.

    For tests whose cost is the size of a program, and which samples of one op hardly tell apart.
    """
    counts: Counter[str] = Counter()
    found: list[Any] = []
    for sample, *others in zip(samples, *more, strict=True):
        marks = () if counts[sample.op.name] % quick == 0 and not sample.heavy else (pytest.mark.slow,)
        counts[sample.op.name] += 1
        found.append(pytest.param(sample, *others, id=str(sample), marks=marks))
    return found


def all_bad() -> list[Bad]:
    return [bad for family in families() for bad in family.bad]


def all_symbolic() -> list[Symbolic]:
    return [symbolic for family in families() for symbolic in family.symbolic]


def references() -> dict[type[Op], Reference]:
    return {op: reference for family in families() for op, reference in family.references.items()}


def applied(op: Op, types: Sequence[TensorType]) -> Graph:
    """The graph that applies an op to its inputs.

    An op over a named axis has no meaning by itself; it is batched over that axis, axis 0 of every input and output.
    """
    named = isinstance(op, NamedAxis)
    b = Builder()
    operands = [b.input(t.with_shape(t.shape[1:]) if named else t, f"x{i}") for i, t in enumerate(types)]
    graph = b.graph(b.node(op, *operands))
    return batch_graph(graph, [True] * len(types), op.size, op.axis) if isinstance(op, NamedAxis) else graph


def raw(reference: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a reference whose floats shall arrive in their own types, since it is about their bits."""
    reference.raw = True  # type: ignore[attr-defined]
    return reference


def in_python(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reference from a function of Python numbers, so that integers do not overflow in between."""

    def reference(op: Op, *operands: Array) -> Array:
        rows = zip(*(x.ravel().tolist() for x in operands), strict=True)
        return np.array([function(*row) for row in rows], object).reshape(operands[0].shape)

    return reference


def in_long_double(function: Callable[..., Any]) -> Callable[..., Any]:
    """A reference from a NumPy function, evaluated in the 80-bit floats of x86 or whatever is widest here."""

    def reference(op: Op, *operands: Array) -> Any:
        return function(*(x.astype(np.clongdouble if np.iscomplexobj(x) else np.longdouble) for x in operands))

    return reference


def wide(x: Array) -> Array:
    """Floats, real or complex, in f64, where they are compared."""
    with np.errstate(invalid="ignore"):  # A signalling NaN says so when it is converted.
        return x.astype(np.complex128 if np.iscomplexobj(x) else np.float64)


# -- operands --------------------------------------------------------------------------------------------------


def type_of(x: Array) -> TensorType:
    return TensorType(dtypes.from_numpy(x.dtype), x.shape)


def draw(dtype: DType, shape: Sequence[int] = (), low: float = -2.0, high: float = 2.0, *, seed: object = 0) -> Array:
    """Reproducible numbers of an element type, uniform in `low … high` (of which integers take the whole numbers).

    Floats are distinct and at least a fortieth of their mean distance apart, and so are never ties.
    """
    count = int(np.prod(shape, dtype=int))
    rng = np.random.default_rng(zlib.crc32(repr((seed, dtype.name, tuple(shape), low, high)).encode()))
    if dtype == dtypes.bool_:
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.is_integer:
        least, most = max(int(np.ceil(low)), int(dtype.lowest)), min(int(np.floor(high)), int(dtype.highest))
        return rng.integers(least, most + 1, shape).astype(dtype.numpy)
    if dtype.is_complex:
        parts = [draw(dtype.part, shape, low, high, seed=(seed, part)) for part in ("real", "imag")]
        return np.asarray(parts[0] + 1j * parts[1], dtype.numpy)
    cells = (np.arange(count) + rng.uniform(0.025, 0.975, count)) / max(count, 1)
    return rng.permutation(low + (high - low) * cells).reshape(shape).astype(dtype.numpy)


def special_values(dtype: DType) -> Array:
    """The values of an element type at which functions misbehave, as one array of rank 1."""
    if dtype == dtypes.bool_:
        return np.array([False, True])
    if dtype.is_integer:
        low, high = int(dtype.lowest), int(dtype.highest)
        values = [low, low + 1, 0, 1, 2, 3, high // 2, high - 1, high, *([-1, -2] if dtype.kind == "int" else [])]
        return np.array(values, dtype.numpy)
    if dtype.is_complex:
        values = special_values(dtype.part)[[0, 2, 7, 8, 9, 10, 12, 13, 14, 15, 17, 24, 28]]
        real, imag = (axis.ravel() for axis in np.meshgrid(values, values))
        return np.stack([real, imag], -1).view(dtype.numpy).ravel()
    info = finfo(dtype)
    tiny, least, most = float(info.tiny), float(info.smallest_subnormal), float(info.max)
    values = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 1e-3, 30.0, 100.0, tiny, least, most, np.inf, np.nan]
    return np.array([*values, *(-v for v in values)]).astype(dtype.numpy)


def finfo(dtype: DType) -> Any:
    """NumPy's facts of a float type, and ml_dtypes' of bf16."""
    import ml_dtypes

    return ml_dtypes.finfo(dtype.part.numpy)


def by_name(types: Iterable[DType]) -> list[DType]:
    """Element types in the order of `dtypes.ALL`."""
    wanted = set(types)
    return [dtype for dtype in dtypes.ALL if dtype in wanted]


# -- samples of elementwise ops --------------------------------------------------------------------------------

SHAPES: tuple[tuple[int, ...], ...] = ((), (5,), (2, 1, 3), (2, 0))


def elementwise_samples(
    op: Elementwise,
    *bounds: tuple[float, float],
    ulps: int = 4,
    smooth: bool = True,
    special: bool = True,
    integers: Sequence[tuple[int, int]] | None = None,
    rtol: dict[DType, float] | None = None,
    **options: Any,
) -> list[Sample]:
    """Samples of an elementwise op whose operands have one element type; `bounds` give each operand's interval.

    Every accepted type at rank 1 (`integers` give the intervals of those, -9 … 9 by default); f64, or the first
    accepted type, at each of `SHAPES`; and every pair, or single one, of special values. Derivatives are compared in
    f64 alone: narrower types share the rule.
    """
    assert len(bounds) == op.arity
    rtol = rtol or {}
    accepted = by_name(op.accepts & set(REAL))
    main = dtypes.f64 if dtypes.f64 in op.accepts else accepted[0]

    def make(dtype: DType, shape: tuple[int, ...]) -> tuple[Array, ...]:
        intervals = bounds if dtype.is_float else integers or [(-9, 9)] * len(bounds)
        return tuple(draw(dtype, shape, *b, seed=(op.name, i)) for i, b in enumerate(intervals))

    def sample(dtype: DType, operands: tuple[Array, ...], label: str = "") -> Sample:
        plain = smooth and dtype == main and not label
        return Sample(op, operands, label, smooth=plain, ulps=ulps, rtol=rtol.get(dtype), **options)

    samples = [sample(main, make(main, shape)) for shape in SHAPES]
    samples += [sample(dtype, make(dtype, (7,))) for dtype in accepted if dtype != main]
    for dtype in accepted if special else ():
        values = special_values(dtype)
        grid = tuple(axis.ravel() for axis in np.meshgrid(*[values] * min(op.arity, 2), indexing="ij"))
        if op.arity == 3:
            grid = (*grid, np.roll(grid[0], 7))
        samples.append(sample(dtype, grid, f"special-{dtype}"))
    return samples


def elementwise_bad(op: Elementwise) -> list[Bad]:
    """What every elementwise op of one element type refuses."""
    dtype = dtypes.f32 if dtypes.f32 in op.accepts else by_name(op.accepts)[0]
    other = next((d for d in by_name(op.accepts) if d != dtype), None)
    good = f"{dtype}[3]"
    bad = [Bad(op, (good,) * (op.arity + 1), ShapeError, rf"takes {op.arity} operands and was given {op.arity + 1}")]
    refused = next((d for d in dtypes.ALL if d not in op.accepts), None)
    if refused is not None:
        bad.append(Bad(op, (f"{refused}[3]",) * op.arity, DTypeError, rf"takes .*, not {refused}"))
    if op.arity > 1:
        rest = (good,) * (op.arity - 2)
        bad.append(Bad(op, (*rest, good, f"{dtype}[4]"), ShapeError, "axis 0 has sizes 3 and 4"))
        bad.append(Bad(op, (*rest, good, f"{dtype}[1, 3]"), ShapeError, "ranks 1 and 2"))
        if other is not None:
            bad.append(Bad(op, (*rest, good, f"{other}[3]"), DTypeError, f"dtypes {dtype} and {other}"))
    return bad
