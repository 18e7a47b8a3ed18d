"""Ops given by a formula: its steps, in f64 at every element, and one rounding at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rosin.backends.stablehlo.emit import Emitter, Ref, Refs
from rosin.ir.builder import Builder
from rosin.ir.dtypes import f64, i32
from rosin.ir.formula import Algebra, Formula, Real, Step, Test
from rosin.ir.op import Elementwise, Types, Value
from rosin.ir.types import TensorType

SPLITTER = 134217729.0
"""2^27 + 1, which cuts a double in halves (Dekker 1971)."""


class Number:
    """An array of the program as formulas write numbers."""

    __slots__ = ("e", "ref")

    def __init__(self, e: Emitter, ref: Ref) -> None:
        self.e, self.ref = e, ref

    def _binary(self, name: str, other: Any, swapped: bool = False) -> Any:
        pair = self._pair(other)
        return NotImplemented if pair is None else Number(self.e, self.e.one(name, *(pair[::-1] if swapped else pair)))

    def _compare(self, direction: str, other: Any) -> Any:
        pair = self._pair(other)
        return NotImplemented if pair is None else Number(self.e, self.e.compare(direction, *pair))

    def _pair(self, other: Any) -> tuple[Ref, Ref] | None:
        if isinstance(other, Number):
            return self.ref, other.ref
        return (self.ref, self.e.like(other, self.ref)) if isinstance(other, int | float) else None

    def __add__(self, other: Any, /) -> Real:
        return self._binary("stablehlo.add", other)

    def __radd__(self, other: Any, /) -> Real:
        return self._binary("stablehlo.add", other, swapped=True)

    def __sub__(self, other: Any, /) -> Real:
        return self._binary("stablehlo.subtract", other)

    def __rsub__(self, other: Any, /) -> Real:
        return self._binary("stablehlo.subtract", other, swapped=True)

    def __mul__(self, other: Any, /) -> Real:
        return self._binary("stablehlo.multiply", other)

    def __rmul__(self, other: Any, /) -> Real:
        return self._binary("stablehlo.multiply", other, swapped=True)

    def __truediv__(self, other: Any, /) -> Real:
        return self._binary("stablehlo.divide", other)

    def __rtruediv__(self, other: Any, /) -> Real:
        return self._binary("stablehlo.divide", other, swapped=True)

    def __neg__(self) -> Real:
        return Number(self.e, self.e.one("stablehlo.negate", self.ref))

    def __lt__(self, other: Any, /) -> Real:
        return self._compare("LT", other)

    def __le__(self, other: Any, /) -> Real:
        return self._compare("LE", other)

    def __gt__(self, other: Any, /) -> Real:
        return self._compare("GT", other)

    def __ge__(self, other: Any, /) -> Real:
        return self._compare("GE", other)

    def __and__(self, other: Any, /) -> Real:
        return self._binary("stablehlo.and", other)

    def __or__(self, other: Any, /) -> Real:
        return self._binary("stablehlo.or", other)

    def __invert__(self) -> Real:
        return Number(self.e, self.e.one("stablehlo.not", self.ref))


def _any(b: Builder, x: Value) -> Value:
    return b.any(x, tuple(range(x.type.rank)))


def _ref(x: Real) -> Ref:
    assert isinstance(x, Number)
    return x.ref


class Numbers(Algebra):
    """Formulas as StableHLO on arrays of doubles of one shape."""

    def __init__(self, e: Emitter, apply: Callable[..., Refs], shape: tuple[int, ...]) -> None:
        self.e, self._apply, self.type = e, apply, TensorType(f64, shape)

    def _known(self, x: Real | float) -> Ref:
        return self.e.constant(x, self.type) if isinstance(x, int | float) else _ref(x)

    def number(self, value: float, like: Real) -> Real:
        return Number(self.e, self.e.constant(value, self.type))

    def where(self, condition: Real, x: Real | float, y: Real | float) -> Real:
        return Number(self.e, self.e.select(_ref(condition), self._known(x), self._known(y)))

    def equal(self, x: Real, y: Real | float) -> Real:
        return Number(self.e, self.e.compare("EQ", _ref(x), self._known(y)))

    def apply(self, op: Elementwise, *operands: Real) -> Real:
        return Number(self.e, self._apply(self.e, op, tuple(map(_ref, operands)), (self.type,))[0])

    def product(self, x: Real, y: Real) -> tuple[Real, Real]:
        product = x * y
        (x_high, x_low), (y_high, y_low) = self._halves(x), self._halves(y)
        error = ((x_high * y_high - product) + x_high * y_low + x_low * y_high) + x_low * y_low
        finite = self.e.one("stablehlo.is_finite", _ref(error), result=_ref(error < 0.0).type)
        return product, self.where(Number(self.e, finite), error, 0.0)

    def _halves(self, x: Real) -> tuple[Real, Real]:
        scaled = x * SPLITTER
        high = scaled - (scaled - x)
        return high, x - high

    def polynomial(self, x: Real, coefficients: Sequence[float]) -> Real:
        result = self.number(coefficients[-1], x)
        for coefficient in coefficients[-2::-1]:
            result = result * x + coefficient
        return result

    def loop(self, going: Test, step: Step, state: Sequence[Real], most: int) -> Sequence[Real]:
        e, count = self.e, TensorType(i32)
        types = (count, *(_ref(x).type for x in state))

        def test() -> list[Ref]:
            number, *held = tested
            (some,) = e.compose(_any, _ref(going(*self._numbers(held))))
            return [e.both(some, e.compare("LT", number, e.constant(most, count)))]

        def body() -> list[Ref]:
            number, *held = stepped
            goes = _ref(going(*self._numbers(held)))
            new = map(_ref, step(*self._numbers(held)))
            chosen = [e.select(goes, after, before) for after, before in zip(new, held, strict=True)]
            return [e.add(number, e.constant(1, count)), *chosen]

        tested, stepped = (e.inputs(types, [""] * len(types)) for _ in range(2))
        regions = (e.region(tested, test), e.region(stepped, body))
        start = (e.constant(0, count), *map(_ref, state))
        return self._numbers(e.call("stablehlo.while", start, *types, regions=regions)[1:])

    def _numbers(self, refs: Sequence[Ref]) -> list[Real]:
        return [Number(self.e, x) for x in refs]


def lower_formula(e: Emitter, op: Formula, operands: Refs, results: Types, apply: Callable[..., Refs]) -> Refs:
    """The op on arrays; `apply` writes other elementwise ops."""
    wide = [Number(e, e.convert(x, f64)) for x in operands]
    found = op.formula(Numbers(e, apply, operands[0].shape), *wide)
    return (e.convert(_ref(found), results[0].dtype),)
