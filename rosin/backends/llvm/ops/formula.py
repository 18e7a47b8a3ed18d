"""Ops given by a formula. Each is a function of the module: it is compiled once, however often kernels call it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeAlias

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.ops import approximation as ap
from rosin.ir.dtypes import DType, f64
from rosin.ir.formula import Algebra, Formula, Real, Step, Test
from rosin.ir.op import Elementwise

Lower: TypeAlias = Callable[[Emitter, Elementwise, tuple[DType, ...], tuple[Val, ...]], Val]


class Register:
    """A value of LLVM as formulas write numbers."""

    __slots__ = ("e", "value")

    def __init__(self, e: Emitter, value: Val) -> None:
        self.e, self.value = e, value

    def _operands(self, other: Any) -> tuple[Val, Val] | None:
        if isinstance(other, Register):
            return self.value, other.value
        return (self.value, self.e.like(other, self.value)) if isinstance(other, int | float) else None

    def _binary(self, opcode: str, other: Any, swapped: bool = False) -> Any:
        pair = self._operands(other)
        if pair is None:
            return NotImplemented
        return Register(self.e, self.e.binary(opcode, *(pair[::-1] if swapped else pair)))

    def _compare(self, predicate: str, other: Any) -> Any:
        pair = self._operands(other)
        return NotImplemented if pair is None else Register(self.e, self.e.fcmp(predicate, *pair))

    def __add__(self, other: Any, /) -> Real:
        return self._binary("fadd", other)

    def __radd__(self, other: Any, /) -> Real:
        return self._binary("fadd", other, swapped=True)

    def __sub__(self, other: Any, /) -> Real:
        return self._binary("fsub", other)

    def __rsub__(self, other: Any, /) -> Real:
        return self._binary("fsub", other, swapped=True)

    def __mul__(self, other: Any, /) -> Real:
        return self._binary("fmul", other)

    def __rmul__(self, other: Any, /) -> Real:
        return self._binary("fmul", other, swapped=True)

    def __truediv__(self, other: Any, /) -> Real:
        return self._binary("fdiv", other)

    def __rtruediv__(self, other: Any, /) -> Real:
        return self._binary("fdiv", other, swapped=True)

    def __neg__(self) -> Real:
        return Register(self.e, self.e.fneg(self.value))

    def __lt__(self, other: Any, /) -> Real:
        return self._compare("olt", other)

    def __le__(self, other: Any, /) -> Real:
        return self._compare("ole", other)

    def __gt__(self, other: Any, /) -> Real:
        return self._compare("ogt", other)

    def __ge__(self, other: Any, /) -> Real:
        return self._compare("oge", other)

    def __and__(self, other: Any, /) -> Real:
        return self._binary("and", other)

    def __or__(self, other: Any, /) -> Real:
        return self._binary("or", other)

    def __invert__(self) -> Real:
        return Register(self.e, self.e.bit_xor(self.value, self.e.like(True, self.value)))


class Registers(Algebra):
    """Formulas as LLVM code on vectors of doubles."""

    def __init__(self, e: Emitter, lower: Lower) -> None:
        self.e, self.lower = e, lower

    def value(self, x: Real) -> Val:
        assert isinstance(x, Register)
        return x.value

    def number(self, value: float, like: Real) -> Real:
        return Register(self.e, self.e.like(value, self.value(like)))

    def where(self, condition: Real, x: Real | float, y: Real | float) -> Real:
        chosen = self.value(condition)
        lanes = chosen.lanes
        a, b = (self.e.const(v, "double", lanes) if isinstance(v, int | float) else self.value(v) for v in (x, y))
        return Register(self.e, self.e.select(chosen, a, b))

    def equal(self, x: Real, y: Real | float) -> Real:
        a = self.value(x)
        b = self.e.like(y, a) if isinstance(y, int | float) else self.value(y)
        return Register(self.e, self.e.fcmp("oeq", a, b))

    def apply(self, op: Elementwise, *operands: Real) -> Real:
        values = tuple(self.value(x) for x in operands)
        return Register(self.e, self.lower(self.e, op, (f64,) * len(values), values))

    def product(self, x: Real, y: Real) -> tuple[Real, Real]:
        high, low = ap.two_product(self.e, self.value(x), self.value(y))
        return Register(self.e, high), Register(self.e, low)

    def log_pair(self, x: Real) -> tuple[Real, Real]:
        high, low = ap.log_pair(self.e, self.value(x))
        return Register(self.e, high), Register(self.e, low)

    def polynomial(self, x: Real, coefficients: Sequence[float]) -> Real:
        return Register(self.e, ap.horner(self.e, self.value(x), coefficients))

    def loop(self, going: Test, step: Step, state: Sequence[Real], most: int) -> Sequence[Real]:
        e = self.e
        before, head, body, after, done = (e.label(part) for part in ("before", "head", "body", "after", "done"))
        start = [self.value(x) for x in state]
        e.branch(before)
        e.block(before)
        e.branch(head)
        e.block(head)
        place = len(e.lines)
        count, following = Val(e.name("count"), "i32"), Val(e.name("following"), "i32")
        held = [Val(e.name("held"), x.elem, x.lanes) for x in start]
        registers = [Register(e, x) for x in held]
        goes = self.value(going(*registers))
        some = e.intrinsic_across("llvm.vector.reduce.or", goes)
        within = e.icmp("ult", count, e.const(most, "i32"))
        e.branch_if(e.bit_and(some, within), body, done)
        e.block(body)
        new = [self.value(x) for x in step(*registers)]
        e.branch(after)
        e.block(after)
        chosen = [e.select(goes, a, b) for a, b in zip(new, held, strict=True)]
        e.line(f"{following.ref} = add i32 {count.ref}, 1")
        e.branch(head)
        e.block(done)
        e.lines[place:place] = [
            f"  {x.ref} = phi {x.type} [{a.ref}, %{before}], [{b.ref}, %{after}]"
            for x, a, b in zip((count, *held), (e.const(0, "i32"), *start), (following, *chosen), strict=True)
        ]
        return registers


def emit_formula(e: Emitter, op: Formula, lower: Lower, args: tuple[Val, ...]) -> Val:
    """Calls of the op's function, in double, whose results are rounded to the type of the arguments.

    It has the width of the target's vectors. Wider ones call it for a part at a time, and narrower ones repeat lanes.
    """
    width = e.doubles
    name, texts = _function(op, len(args), width, e.avx512, lower)
    e.declarations |= texts
    wide = [e.convert("fpext", x, "double") for x in args]
    lanes = args[0].lanes
    parts: list[Val] = []
    for start in range(0, lanes, width):
        part = [e.take(x, [min(start + i, lanes - 1) for i in range(width)]) for x in wide]
        parts.append(e.define(f"call {part[0].type} {name}({', '.join(x.typed for x in part)})", "double", width))
    return e.convert("fptrunc", _joined(e, parts, lanes), args[0].elem)


def _joined(e: Emitter, parts: list[Val], lanes: int) -> Val:
    """The first `lanes` lanes of vectors of one width, whose number is a power of two."""
    while len(parts) > 1:
        places = range(2 * parts[0].lanes)
        parts = [e.shuffle(parts[k], parts[k + 1], places) for k in range(0, len(parts), 2)]
    return e.take(parts[0], range(lanes))


@cache
def _function(op: Formula, arity: int, width: int, avx512: bool, lower: Lower) -> tuple[str, frozenset[str]]:
    """The name of the op's function of vectors of this width, and its text among those that it calls."""
    e = Emitter(doubles=width, avx512=avx512)
    parameters = [Val(f"%x{i}", "double", width) for i in range(arity)]
    m = Registers(e, lower)
    result = m.value(op.formula(m, *(Register(e, x) for x in parameters)))
    name = f'@"{".".join(map(str, ("rosin", op.name, *op.attributes().values())))}"'
    head = f"define internal {result.type} {name}({', '.join(x.typed for x in parameters)}) noinline {{"
    text = "\n".join([head, "entry:", *e.lines, f"  ret {result.typed}", "}"])
    return name, frozenset({*e.declarations, text})
