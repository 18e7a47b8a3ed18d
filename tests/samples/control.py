"""Samples of control flow. The references are told by the name of a branch or body: each is written again in NumPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from rosin.ir.graph import Graph
from rosin.ir.op import Op, Value
from rosin.ir.ops.control import Switch
from rosin.ir.ops.loop import While
from rosin.ir.ops.scan import Scan
from rosin.ir.ops.sweeps import Sweeps
from rosin.ir.types import TensorType, parse_type
from tests.samples import Array, Bad, Reference, Sample, Symbolic, draw

F64, I32 = dtypes.f64, dtypes.i32
Make = Callable[..., Sequence[Value]]


def region(name: str, types: str, make: Make) -> Graph:
    """The graph that `make(builder, *inputs)` gives on inputs such as `"x: f32[2, 3]; i: i32[]"`."""
    b = Builder()
    inputs: list[Value] = []
    for part in filter(None, map(str.strip, types.split(";"))):
        label, _, type = part.partition(":")
        inputs.append(b.input(parse_type(type), label.strip()))
    return b.graph(make(b, *inputs), name)


# -- switch --------------------------------------------------------------------------------------------------------


def _choices(shape: str, dtype: str = "f64") -> Switch:
    """Of x and a scalar factor: a scaled sine and the sum of x; a product of both and a scalar; x, and the factor."""
    types = f"x: {dtype}{shape}; factor: {dtype}[]"

    def every(x: Value) -> tuple[int, ...]:
        return tuple(range(x.type.rank))

    def scaled(b: Builder, x: Value, factor: Value) -> list[Value]:
        return [b.mul(b.sin(x), b.broadcast(factor, x.type.shape, ())), b.sum(x, every(x))]

    def product(b: Builder, x: Value, factor: Value) -> list[Value]:
        return [b.mul(x, x), b.mul(b.exp(factor), factor)]

    def same(b: Builder, x: Value, factor: Value) -> list[Value]:
        return [x, factor]

    makes = {"scaled": scaled, "product": product, "same": same}
    return Switch(tuple(region(name, types, make) for name, make in makes.items()))


def _switch_meaning(op: Switch, index: Array, *operands: Array) -> object:
    names: dict[str, Callable[..., object]] = {
        "scaled": lambda x, factor: (np.sin(x) * factor, x.sum()),
        "product": lambda x, factor: (x * x, np.exp(factor) * factor),
        "same": lambda x, factor: (x, factor),
        "halve": lambda n: n // 2,
        "triple": lambda n: 3 * n + 1,
        "only": lambda: np.float64(2.5),
    }
    return names[op.branches[int(np.clip(index, 0, len(op.branches) - 1))].name](*operands)


PARITY = Switch(
    (
        region("halve", "n: i64[]", lambda b, n: [b.floor_divide(n, 2)]),
        region("triple", "n: i64[]", lambda b, n: [b.add(b.mul(n, 3), 1)]),
    )
)
ONLY = Switch((region("only", "", lambda b: [b.full(2.5, parse_type("f64[]"))]),))


def _index(number: int) -> Array:
    return np.array(number, np.int32)


# -- while ---------------------------------------------------------------------------------------------------------

COLLATZ = While(
    region("above_one", "n: i64[]; steps: i32[]", lambda b, n, steps: [b.greater(n, 1)]),
    region(
        "collatz",
        "n: i64[]; steps: i32[]",
        lambda b, n, steps: [
            b.node(PARITY, b.cast(b.remainder(n, 2), dtypes.i32), n)[0],
            b.add(steps, 1),
        ],
    ),
    2,
)
"""Steps until a number is 1."""


def _newton(dtype: str = "f64") -> While:
    """x with x³ + x = target: one carry, one constant."""
    types = f"x: {dtype}[]; target: {dtype}[]"

    def error(b: Builder, x: Value, target: Value) -> Value:
        return b.sub(b.add(b.mul(b.mul(x, x), x), x), target)

    def slope(b: Builder, x: Value) -> Value:
        return b.add(b.mul(b.mul(x, x), 3.0), 1.0)

    tolerance = 1e-10 if dtype == "f64" else 1e-2
    return While(
        region("far", types, lambda b, x, t: [b.greater(b.abs(error(b, x, t)), tolerance)]),
        region("newton", types, lambda b, x, t: [b.sub(x, b.div(error(b, x, t), slope(b, x)))]),
        1,
    )


COUNTED = While(
    region("below", "i: i32[]; x: f64[3]; n: i32[]; rate: f64[3]", lambda b, i, x, n, rate: [b.less(i, n)]),
    region(
        "grow",
        "i: i32[]; x: f64[3]; n: i32[]; rate: f64[3]",
        lambda b, i, x, n, rate: [b.add(i, 1), b.add(x, b.mul(rate, b.sin(x)))],
    ),
    2,
)
"""n steps of x ← x + rate sin(x)."""

NESTED = While(
    region("small", "x: f64[]; y: f64[]", lambda b, x, y: [b.less(x, 20.0)]),
    region(
        "outer",
        "x: f64[]; y: f64[]",
        lambda b, x, y: [b.add(b.mul(x, 1.5), 1.0), b.node(_newton(), y, b.add(x, y))[0]],
    ),
    2,
)
"""A while in a while."""


def _lanes(shape: tuple[int, ...]) -> While:
    """Each lane halves its row and counts, as long as the row's sum is above a limit that is the same for all."""
    axes = tuple(range(len(shape), len(shape) + 1))
    lanes = str(list(shape))
    types = f"x: f64{[*shape, 2]}; count: i32{lanes}; limit: f64[]"

    def far(b: Builder, x: Value, count: Value, limit: Value) -> list[Value]:
        return [b.greater(b.sum(x, axes), b.broadcast(limit, shape, ()))]

    def halve(b: Builder, x: Value, count: Value, limit: Value) -> list[Value]:
        return [b.mul(b.sin(x), 0.5), b.add(count, 1)]

    return While(region("far", types, far), region("lanes", types, halve), 2)


def _lanes_sample(shape: tuple[int, ...], limit: float) -> Sample:
    operands = (draw(F64, (*shape, 2), 0.1, 1.5), np.zeros(shape, np.int32), np.array(limit))
    return Sample(_lanes(shape), operands, f"lanes{list(shape)}-{limit}".replace(" ", ""), differentiable=(0,))


def _lanes_meaning(x: Array, count: Array, limit: Array) -> object:
    x, count = x.copy(), count.copy()
    for place in np.ndindex(count.shape):
        while x[place].sum() > limit:
            x[place] = np.sin(x[place]) * 0.5
            count[place] += 1
    return x, count


def _while_meaning(op: While, *operands: Array) -> object:
    match op.body.name:
        case "lanes":
            return _lanes_meaning(*operands)
        case "collatz":
            n, steps = (int(x) for x in operands)
            while n > 1:
                n, steps = (3 * n + 1 if n % 2 else n // 2), steps + 1
            return np.int64(n), np.int32(steps)
        case "newton":
            return _root(*operands, tolerance=1e-10 if op == _newton() else 1e-2)
        case "grow":
            i, x, n, rate = operands
            for _ in range(int(i), int(n)):
                x = x + rate * np.sin(x)
            return max(i, n), x
        case _:
            x, y = operands
            while x < 20:
                x, y = x * 1.5 + 1, _root(y, x + y)
            return x, y


def _root(x: Array, target: Array, tolerance: float = 1e-10) -> Array:
    while abs(x * x * x + x - target) > tolerance:
        x = x - (x * x * x + x - target) / (3 * x * x + 1)
    return x


# -- sweeps --------------------------------------------------------------------------------------------------------


def _there_and_back(shape: str, legs: int) -> Sweeps:
    """Forth, x ← sin(x) + rate, which keeps the old x and its square; back, y ← rate y + the square; forth again, with
    the sum of y that the second leg kept added to z; back again, z ← z x."""
    x, rate = f"x: f64{shape}", "rate: f64[]"

    def forth(b: Builder, x: Value, rate: Value) -> list[Value]:
        return [b.add(b.sin(x), b.broadcast(rate, x.type.shape, ())), x, b.mul(x, x)]

    def back(b: Builder, y: Value, rate: Value, old: Value, square: Value) -> list[Value]:
        new = b.add(b.mul(y, b.broadcast(rate, y.type.shape, ())), square)
        return [new, *([b.sum(y, tuple(range(y.type.rank)))] if legs > 2 else [])]

    def again(b: Builder, z: Value, rate: Value, old: Value, square: Value, total: Value) -> list[Value]:
        return [b.add(b.mul(z, 0.5), b.sin(total))]

    def home(b: Builder, z: Value, rate: Value, old: Value, square: Value, total: Value) -> list[Value]:
        return [b.mul(z, old)]

    kept = f"old: f64{shape}; square: f64{shape}"
    regions = (
        region("forth", f"{x}; {rate}", forth),
        region("back", f"y: f64{shape}; {rate}; {kept}", back),
        region("again", f"z: f64[]; {rate}; {kept}; total: f64[]", again),
        region("home", f"z: f64{shape}; {rate}; {kept}; total: f64[]", home),
    )
    return Sweeps(regions[:legs], (1,) * legs)


def _sweeps_meaning(op: Sweeps, count: Array, *operands: Array) -> object:
    *carries, rate = operands
    steps = max(int(count), 0)
    olds: list[Array] = []
    totals: dict[int, Array] = {}
    x = carries[0]
    for _ in range(steps):
        olds.append(x)
        x = np.sin(x) + rate
    results = [x]
    for leg, z in list(enumerate(carries))[1:]:
        for step in range(steps)[:: -1 if leg % 2 else 1]:
            if leg == 1:
                totals[step] = z.sum()
                z = z * rate + olds[step] ** 2
            else:
                z = z * 0.5 + np.sin(totals[step]) if leg == 2 else z * olds[step]
        results.append(z)
    return tuple(results)


def _sweeps_sample(shape: tuple[int, ...], count: int, legs: int, narrow: bool = False) -> Sample:
    given = np.array(count, np.int32 if narrow else np.int64)
    starts = [draw(F64, () if leg == 2 else shape, seed=leg) for leg in range(legs)]
    op = _there_and_back(str(list(shape)), legs)
    return Sample(op, (given, *starts, np.array(0.7)), f"{legs}-legs-{count}-{list(shape)}", rtol=1e-13, ulps=64)


# -- scan ----------------------------------------------------------------------------------------------------------


def _running(shape: str, length: int, reverse: bool = False, dtype: str = "f64") -> Scan:
    """carry ← tanh(carry + factor element), which is stacked next to the sine of the old carry."""
    types = f"carry: {dtype}{shape}; factor: {dtype}[]; element: {dtype}{shape}"

    def make(b: Builder, carry: Value, factor: Value, element: Value) -> list[Value]:
        new = b.add(carry, b.mul(b.broadcast(factor, element.type.shape, ()), element))
        new = b.div(new, b.add(b.abs(new), 1.0))
        return [new, new, b.sin(carry)]

    return Scan(region("running", types, make), 1, 1, length, reverse)


def _spring(steps: int, dtype: str = "f64") -> Scan:
    """Position and velocity of a pendulum; a count goes along, and the element type of time is another."""

    def make(b: Builder, p: Value, v: Value, count: Value, dt: Value) -> list[Value]:
        force = b.neg(b.sin(p))
        new = b.add(v, b.mul(force, dt))
        return [b.add(p, b.mul(new, dt)), new, b.add(count, 1), b.mul(b.cast(count, p.type.dtype), p)]

    types = f"position: {dtype}[]; velocity: {dtype}[]; count: i32[]; dt: {dtype}[]"
    return Scan(region("spring", types, make), 3, 0, steps, False)


def _each(length: int) -> Scan:
    """No carry: the product of a constant matrix with each row, and each row's whole number doubled."""

    def make(b: Builder, matrix: Value, row: Value, number: Value) -> list[Value]:
        return [b.sin(b.dot_general(matrix, row, ((1,), (0,)))), b.add(number, number)]

    return Scan(region("each", "matrix: f64[2, 3]; row: f64[3]; number: i32[]", make), 0, 2, length, False)


def _powers(outer: int, inner: int) -> Scan:
    """A scan in a scan: the carry runs through `inner` steps with each element, all of them stacked."""
    step = _running("[2]", inner)

    def make(b: Builder, carry: Value, factor: Value, elements: Value) -> list[Value]:
        last, stacked, _ = b.node(step, carry, b.mul(factor, factor), elements)
        return [b.mul(last, b.broadcast(factor, (2,), ())), b.sum(stacked, (0,))]

    types = f"carry: f64[2]; factor: f64[]; elements: f64[{inner}, 2]"
    return Scan(region("powers", types, make), 1, 1, outer, False)


def _choosing(length: int) -> Scan:
    """A switch in a scan, on an index that is stacked."""
    choices = _choices("[2]")

    def make(b: Builder, carry: Value, factor: Value, index: Value) -> list[Value]:
        x, number = b.node(choices, index, carry, factor)
        return [b.add(x, b.broadcast(number, (2,), ())), number]

    return Scan(region("choosing", "carry: f64[2]; factor: f64[]; index: i32[]", make), 1, 1, length, False)


def _exchange(length: int) -> Scan:
    """Two carries that change places, one of which moves only because the other one does."""

    def make(b: Builder, x: Value, y: Value) -> list[Value]:
        return [y, b.mul(x, 2.0), x]

    return Scan(region("exchange", "x: f64[]; y: f64[]", make), 2, 0, length, False)


def _scan_meaning(op: Scan, *operands: Array) -> object:
    length = int(op.length)  # type: ignore[arg-type]
    first, stacked = operands[: op.carried], operands[len(operands) - op.stacked :]
    constants = operands[op.carried : len(operands) - op.stacked]
    if op.counted:
        count = int(np.clip(constants[0], 0, length))
        found = _scan_meaning(
            replace(op, length=count, counted=False), *first, *constants[1:], *(x[:count] for x in stacked)
        )
        rest = [np.concatenate([x, np.zeros((length - count, *x.shape[1:]), x.dtype)]) for x in found[op.carried :]]  # type: ignore[index]
        return (*found[: op.carried], *rest)  # type: ignore[index]
    order = range(length)[:: -1 if op.reverse else 1]
    rows: dict[int, Sequence[object]] = {}
    carries: Sequence[Array] = first
    for i in order:
        carries, rows[i] = STEPS[op.body.name](carries, constants, [x[i] for x in stacked])
    given = op.body.outputs[op.carried :]
    columns = [
        np.array([rows[i][k] for i in sorted(rows)]).reshape((int(op.length), *v.type.sizes))  # type: ignore[arg-type]
        for k, v in enumerate(given)
    ]
    return (*carries, *columns)


def _running_step(carries: Sequence[Array], constants: Sequence[Array], elements: Sequence[Array]) -> tuple:
    new = carries[0] + constants[0] * elements[0]
    new = new / (abs(new) + 1)
    return [new], [new, np.sin(carries[0])]


def _spring_step(carries: Sequence[Array], constants: Sequence[Array], elements: Sequence[Array]) -> tuple:
    p, v, count = carries
    new = v - np.sin(p) * constants[0]
    return [p + new * constants[0], new, count + 1], [count * p]


def _powers_step(carries: Sequence[Array], constants: Sequence[Array], elements: Sequence[Array]) -> tuple:
    (carry,), (factor,) = carries, constants
    total = np.zeros(2)
    for element in elements[0]:
        ((carry,), _) = _running_step([carry], [factor * factor], [element])
        total = total + carry
    return [carry * factor], [total]


def _choosing_step(carries: Sequence[Array], constants: Sequence[Array], elements: Sequence[Array]) -> tuple:
    x, number = _switch_meaning(_choices("[2]"), elements[0], carries[0], constants[0])  # type: ignore[misc]
    return [x + number], [number]


STEPS: dict[str, Callable[..., tuple]] = {
    "running": _running_step,
    "spring": _spring_step,
    "each": lambda carries, constants, elements: ([], [np.sin(constants[0] @ elements[0]), 2 * elements[1]]),
    "powers": _powers_step,
    "choosing": _choosing_step,
    "exchange": lambda carries, constants, elements: ([carries[1], 2 * carries[0]], [carries[0]]),
}


def _running_sample(shape: tuple[int, ...], length: int, reverse: bool, dtype: dtypes.DType = F64) -> Sample:
    operands = (draw(dtype, shape), draw(dtype), draw(dtype, (length, *shape), seed=1))
    text = str(list(shape))
    label = f"running-{dtype}{text}-{length}{'-reverse' * reverse}"
    # A narrow float rounds in every step.
    rtol = None if dtype in (F64, dtypes.f32) else 0.05
    op = _running(text, length, reverse, dtype.name)
    return Sample(op, operands, label, smooth=dtype == F64, rtol=rtol, ulps=16, atol=0.0)


def _counted_sample(length: int, count: int, reverse: bool, narrow: bool) -> Sample:
    """The running scan, of which `count` steps happen."""
    op, dtype = _running("[3]", length, reverse), I32 if narrow else dtypes.i64
    inputs = list(op.body.inputs)
    inputs.insert(1, Value(TensorType(dtype), "count"))
    op = replace(op, body=Graph(tuple(inputs), op.body.nodes, op.body.outputs, op.body.name), counted=True)
    operands = (draw(F64, (3,)), np.array(count, dtype.numpy), draw(F64), draw(F64, (length, 3), seed=1))
    return Sample(op, operands, f"counted-{count}-of-{length}{'-reverse' * reverse}", ulps=16)


SAMPLES: list[Sample] = [
    *(
        Sample(_choices(str(list(shape))), (_index(n), draw(F64, shape), draw(F64)), f"choices{list(shape)}-{n}")
        for n, shape in ((-1, ()), (0, (3,)), (1, (2, 3)), (2, (0,)), (7, (3,)))
    ),
    Sample(_choices("[5]", "f32"), (_index(1), draw(dtypes.f32, (5,)), draw(dtypes.f32)), "f32", smooth=False),
    Sample(PARITY, (_index(1), np.array(27)), "parity"),
    Sample(ONLY, (_index(0),), "only"),
    *(Sample(COLLATZ, (np.array(n), np.array(0, np.int32)), f"collatz-{n}") for n in (1, 6, 27)),
    *(
        Sample(_newton(), (np.array(x), np.array(t)), f"newton{t}", rtol=1e-9, derivative_rtol=1e-5)
        for x, t in ((1.0, 3.0), (0.5, -4.0))
    ),
    Sample(_newton("f32"), (np.array(1, np.float32), np.array(3, np.float32)), "f32", False, rtol=1e-2),
    *(
        Sample(
            COUNTED,
            (_index(0), draw(F64, (3,)), _index(n), draw(F64, (3,), seed=1)),
            f"counted-{n}",
        )
        for n in (0, 1, 5)
    ),
    Sample(NESTED, (np.array(0.5), np.array(1.0)), "nested", rtol=1e-8, derivative_rtol=1e-4),
    *(
        _lanes_sample(shape, limit)
        for shape, limit in (((5,), 0.4), ((2, 3), 0.3), ((3,), 9.0), ((1,), 0.2), ((0,), 0.2))
    ),
    *(_sweeps_sample((3,), count, legs) for count, legs in ((3, 1), (3, 2), (0, 2), (-1, 3), (1, 4), (4, 4))),
    _sweeps_sample((), 2, 3, narrow=True),
    *(
        _running_sample(shape, length, reverse)
        for shape, length in (((), 4), ((3,), 1), ((2, 1, 3), 3), ((3,), 0), ((0,), 3))
        for reverse in (False, True)
    ),
    *(_running_sample((3,), 4, True, dtype) for dtype in (dtypes.f32, dtypes.f16, dtypes.bf16)),
    *(
        Sample(_spring(n), (draw(F64, seed=1), draw(F64, seed=2), _index(3), np.array(0.1)), f"spring-{n}")
        for n in (0, 1, 6)
    ),
    *(
        _counted_sample(length, count, reverse, narrow=not reverse)
        for length, count in ((5, 3), (4, 0), (3, 9), (3, -2), (0, 1), (1, 1), (1, 0))
        for reverse in (False, True)
    ),
    Sample(_each(4), (draw(F64, (2, 3)), draw(F64, (4, 3)), draw(I32, (4,), 0, 9)), "each"),
    Sample(_powers(3, 2), (draw(F64, (2,)), np.array(0.8), draw(F64, (3, 2, 2), seed=1)), "nested"),
    Sample(_choosing(4), (draw(F64, (2,)), np.array(0.8), np.array([2, 0, 1, 5], np.int32)), "choosing"),
    *(Sample(_exchange(n), (np.array(0.5), np.array(-1.0)), f"exchange-{n}") for n in (1, 2, 5)),
]

_X = region("same", "x: f32[3]", lambda b, x: [x])
_Y = region("wide", "x: f32[3]", lambda b, x: [b.cast(x, F64)])
_Z = region("long", "x: f32[3]", lambda b, x: [b.concatenate([x, x], 0)])
_NONE = region("none", "x: f32[3]", lambda b, x: [])
_YES = region("yes", "x: f32[3]", lambda b, x: [b.full(True, parse_type("bool[]"))])
_MANY = region("many", "x: f32[3]", lambda b, x: [b.greater(x, 0.0)])

BAD: list[Bad] = [
    Bad(Switch(()), ("i32[]",), AttributeValueError, "needs at least one branch"),
    Bad(Switch((_X,)), ("i64[]", "f32[3]"), DTypeError, r"the index is an i32 scalar, not i64\[\]"),
    Bad(Switch((_X,)), ("i32[2]", "f32[3]"), DTypeError, r"the index is an i32 scalar, not i32\[2\]"),
    Bad(Switch((_X,)), ("i32[]",), ShapeError, "branch 0 takes 1 values and is given 0"),
    Bad(
        Switch((_X,)),
        ("i32[]", "f32[4]"),
        ShapeError,
        r"operand 1 \(x\) has type f32\[4\] and branch 0 takes f32\[3\]",
    ),
    Bad(
        Switch((_X,)), ("i32[]", "f64[3]"), DTypeError, r"operand 1 \(x\) has type f64\[3\] and branch 0 takes f32\[3\]"
    ),
    Bad(Switch((_X, _NONE)), ("i32[]", "f32[3]"), ShapeError, "branch 0 gives 1 results and branch 1 0"),
    Bad(
        Switch((_X, _X, _Y)),
        ("i32[]", "f32[3]"),
        DTypeError,
        r"result 0 has type f32\[3\] in branch 0 and f64\[3\] in branch 2",
    ),
    Bad(
        Switch((_X, _Z)), ("i32[]", "f32[3]"), ShapeError, r"result 0 has type f32\[3\] in branch 0 and f32\[6\] in br"
    ),
    Bad(While(_YES, _X, 2), ("f32[3]",), AttributeValueError, "carries 2 of 1 operands"),
    Bad(While(_YES, _X, 1), ("f32[3]", "f32[3]"), ShapeError, "the body takes 1 values and is given 2"),
    Bad(While(_YES, _X, 0), ("f32[3]",), ShapeError, "carries 0 values, and its body gives 1"),
    Bad(While(_YES, _NONE, 1), ("f32[3]",), ShapeError, "carries 1 values, and its body gives 0"),
    Bad(
        While(_YES, _Y, 1),
        ("f32[3]",),
        DTypeError,
        r"carry 0 \(x\) has type f32\[3\] and the body gives f64\[3\]; a carried value keeps its type",
    ),
    Bad(While(_YES, _Z, 1), ("f32[3]",), ShapeError, r"carry 0 \(x\) has type f32\[3\] and the body gives f32\[6\]; a"),
    Bad(While(_X, _X, 1), ("f32[3]",), DTypeError, r"one truth value, bool\[\], or one a lane, not f32\[3\]"),
    Bad(
        While(
            region("far", "x: f32[3]; y: f32[2, 3]", lambda b, x, y: [b.greater(x, 0.0)]),
            region("same", "x: f32[3]; y: f32[2, 3]", lambda b, x, y: [x, y]),
            2,
        ),
        ("f32[3]", "f32[2, 3]"),
        ShapeError,
        r"carry 1 \(y\) is f32\[2, 3\]; the axes of the predicate, bool\[3\], do not lead in it",
    ),
    Bad(While(_NONE, _X, 1), ("f32[3]",), DTypeError, r"one truth value, bool\[\], or one a lane, not nothing"),
    Bad(
        While(region("none", "", lambda b: [b.full(True, parse_type("bool[]"))]), _X, 1),
        ("f32[3]",),
        ShapeError,
        "the predicate takes 0 values and is given 1",
    ),
    Bad(Sweeps((), ()), ("i32[]",), AttributeValueError, "has 0 legs and 0 numbers of carried values"),
    Bad(Sweeps((_X,), (1, 1)), ("i32[]", "f32[3]"), AttributeValueError, "has 1 legs and 2 numbers"),
    Bad(Sweeps((_X,), (1,)), ("f32[]", "f32[3]"), DTypeError, r"an i32 or i64 scalar, not f32\[\]"),
    Bad(Sweeps((_X,), (1,)), (), DTypeError, "an i32 or i64 scalar, not missing"),
    Bad(Sweeps((_X,), (2,)), ("i32[]", "f32[3]"), AttributeValueError, "carries 2 of 1 operands"),
    Bad(Sweeps((_X,), (1,)), ("i32[]", "f32[3]", "f32[3]"), ShapeError, "leg 0 takes 1 values and is given 2"),
    Bad(Sweeps((_NONE,), (1,)), ("i32[]", "f32[3]"), ShapeError, "leg 0 carries 1 values and gives 0"),
    Bad(
        Sweeps((_Y,), (1,)),
        ("i32[]", "f32[3]"),
        DTypeError,
        r"carry 0 \(x\) of leg 0 has type f32\[3\] and it gives f64\[3\]",
    ),
    Bad(Scan(_X, 1, 1, 3, False), ("f32[3]",), AttributeValueError, "1 carried and 1 stacked operands and was given 1"),
    Bad(Scan(_X, 1, 0, -3, False), ("f32[3]",), AttributeValueError, "the length is -3"),
    Bad(Scan(_X, 0, 1, 4, False), ("f32[5, 3]",), ShapeError, "axis 0 of operand 0 has size 5; the loop has 4 steps"),
    Bad(Scan(_X, 0, 1, 4, False), ("f32[]",), ShapeError, "axis 0 of operand 0 is missing; the loop has 4 steps"),
    Bad(
        Scan(_X, 0, 1, 4, False),
        ("f32[4, 2]",),
        ShapeError,
        r"operand 0 \(x\) has type f32\[2\] and the body takes f32\[3\]",
    ),
    Bad(
        Scan(_X, 0, 1, 4, False, True),
        ("f32[4, 3]",),
        DTypeError,
        "number of steps is an i32 or i64 scalar, not missing",
    ),
    Bad(
        Scan(_X, 0, 0, 4, False, True),
        ("f32[3]",),
        DTypeError,
        r"number of steps is an i32 or i64 scalar, not f32\[3\]",
    ),
    Bad(Scan(_Y, 1, 0, 4, True), ("f32[3]",), DTypeError, r"carry 0 \(x\) has type f32\[3\] and the body gives f64"),
]

SYMBOLIC: list[Symbolic] = [
    Symbolic(
        Scan(region("body", "x: f64[m]; y: f64[m]", lambda b, x, y: [b.add(x, y), b.sin(x)]), 1, 1, n, False),
        ("f64[m]", "f64[n, m]"),
        ("f64[m]", "f64[n, m]"),
    )
    for n in (parse_type("f64[n]").shape[0],)
]

REFERENCES: dict[type[Op], Reference] = {
    Switch: _switch_meaning,
    While: _while_meaning,
    Scan: _scan_meaning,
    Sweeps: _sweeps_meaning,
}
