"""Text emission of StableHLO: values, operations with their regions, and constants.

Names of values are those of the graph. What a lowering makes on the way gets a number. Since names of an inner region
may not repeat one around it, each is given once in the whole program.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from rosin.backends.stablehlo.types import constant_text, signature_text, type_text
from rosin.ir.builder import Builder
from rosin.ir.dataclass import dataclass
from rosin.ir.dtypes import DType, bool_, f32, i32
from rosin.ir.errors import located
from rosin.ir.graph import Graph, Node
from rosin.ir.location import Location
from rosin.ir.loops import Apply, Const, Expr, Local, walk
from rosin.ir.op import NumpyArray, Op, Types, Value
from rosin.ir.printer import value_names
from rosin.ir.types import TensorType


@dataclass(frozen=True, slots=True)
class Ref:
    """A value of the program: its name, with the %, and its type."""

    name: str
    type: TensorType

    @property
    def shape(self) -> tuple[int, ...]:
        return self.type.sizes

    @property
    def dtype(self) -> DType:
        return self.type.dtype


SAME_TYPE = frozenset(
    f"stablehlo.{name}"
    for name in [
        "abs",
        "add",
        "and",
        "atan2",
        "cbrt",
        "ceil",
        "cosine",
        "divide",
        "exponential",
        "exponential_minus_one",
        "floor",
        "log",
        "log_plus_one",
        "logistic",
        "maximum",
        "minimum",
        "multiply",
        "negate",
        "not",
        "or",
        "power",
        "remainder",
        "round_nearest_even",
        "rsqrt",
        "shift_left",
        "shift_right_arithmetic",
        "shift_right_logical",
        "sign",
        "sine",
        "sqrt",
        "subtract",
        "tan",
        "tanh",
        "xor",
    ]
)
"""Operations whose text has one type, where that is the type of all operands and of the result."""

Refs: TypeAlias = tuple[Ref, ...]
Lower: TypeAlias = Callable[["Emitter", Op, Refs, Types], Refs]
"""Writes an op: `(emitter, op, operands, types of the results)` to the results."""


class Emitter:
    """Collects the lines of a function; `located` ones say which place of the user's they come from."""

    def __init__(
        self,
        lower: Lower,
        located: bool = True,
        mesh: Mapping[str, int] | None = None,
        spread: Mapping[str, int] | None = None,
        hosted: list[Op] | None = None,
    ) -> None:
        self.mesh = dict(mesh or {})
        """The axes of the devices that run the program together, each on its own arrays, with their sizes."""
        self.spread = dict(spread or {})
        """The axes of the devices that the arrays of the program are spread over, with their sizes."""
        self.hosted = hosted
        """The ops that Python computes while the program runs, by number; None where there is no Python."""
        self.token: Ref | None = None
        """What the next op with an effect waits for."""
        self._lower = lower
        self._located = located
        self.lines: list[str] = []
        self.location: Location | None = None
        self.locations: dict[Location, str] = {}
        self._indent = 2
        self._count = 0
        self._taken: set[str] = set()

    # -- names and lines -------------------------------------------------------------------------------------

    def fresh(self, base: str = "") -> str:
        """A name that nothing else has: `base`, if that is free, or a number."""
        if not base:
            self._count += 1
            return f"%{self._count}"
        name, count = base, 0
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return f"%{name}"

    def line(self, text: str) -> None:
        self.lines.append("  " * self._indent + text)

    def _mark(self) -> str:
        """What a line ends with that comes from a place of the user's."""
        if self.location is None or not self._located:
            return ""
        alias = self.locations.setdefault(self.location, f"#loc{len(self.locations)}")
        return f" loc({alias})"

    # -- operations --------------------------------------------------------------------------------------------

    def op(self, name: str, operands: Sequence[Ref], *results: TensorType, attributes: str = "") -> Refs:
        """An operation in the short form of its text; `attributes` stands between operands and types."""
        given = tuple(x.type for x in operands)
        brief = not given or (name in SAME_TYPE and len({*given, *results}) == 1)
        types = type_text(results[0]) if brief else signature_text(given, results)
        if name.startswith("chlo."):
            types = f"{', '.join(map(type_text, given))} -> {type_text(results[0])}"
        return self.statement(f"{name} {_names(operands)}{attributes} : {types}", results)

    def call(
        self,
        name: str,
        operands: Sequence[Ref],
        *results: TensorType,
        attributes: str = "",
        regions: Sequence[str] = (),
    ) -> Refs:
        """An operation in the general form, which those have that hold attributes of many parts, or regions."""
        inside = f" ({', '.join(regions)})" if regions else ""
        written = f" <{{{attributes}}}>" if attributes else ""
        types = signature_text(tuple(x.type for x in operands), results)
        return self.statement(f'"{name}"({_names(operands)}){written}{inside} : {types}', results)

    def written(self, text: str, operands: Sequence[Ref], *results: TensorType) -> Refs:
        """An operation whose text names its operands in a form of its own."""
        return self.statement(f"{text} : {signature_text(tuple(x.type for x in operands), results)}", results)

    def statement(self, text: str, results: Types) -> Refs:
        """A line that gives results of these types, under new names."""
        base = self.fresh()
        head = f"{base} = " if len(results) == 1 else f"{base}:{len(results)} = " if results else ""
        self.line(f"{head}{text}{self._mark()}")
        if len(results) == 1:
            return (Ref(base, results[0]),)
        return tuple(Ref(f"{base}#{i}", t) for i, t in enumerate(results))

    def one(self, name: str, *operands: Ref, result: TensorType | None = None, attributes: str = "") -> Ref:
        """An operation of one result, which has the type of the first operand where nothing else is said."""
        return self.op(name, operands, result or operands[0].type, attributes=attributes)[0]

    def region(self, inputs: Sequence[Ref], body: Callable[[], Sequence[Ref]]) -> str:
        """A region as text, for `call`."""
        outer, self.lines = self.lines, []
        self._indent += 1
        outputs = body()
        types = ", ".join(type_text(x.type) for x in outputs)
        self.line(f"stablehlo.return {_names(outputs)} : {types}" if outputs else "stablehlo.return")
        self._indent -= 1
        arguments = ", ".join(f"{x.name}: {type_text(x.type)}" for x in inputs)
        head = ["  " * self._indent + f"^bb0({arguments}):"] if inputs else []
        inner, self.lines = [*head, *self.lines], outer
        return "{\n" + "\n".join(inner) + "\n" + "  " * self._indent + "}"

    def first_token(self, op: Op) -> Ref | None:
        """What effects in the regions of an op wait for; None where there are none, or no Python that has them."""
        if self.hosted is None or not op.effect:
            return None
        return self.token or self.constant(0, TensorType(i32))

    def ordered(
        self, inputs: Sequence[Ref], token: Ref | None, body: Callable[[], Sequence[Ref]], hands_on: bool = True
    ) -> str:
        """A region whose effects come after `token`; with `hands_on` the last one's token is one more result."""
        outer, self.token = self.token, token

        def run() -> Sequence[Ref]:
            outputs = body()
            return outputs if self.token is None or not hands_on else [*outputs, self.token]

        text = self.region(inputs, run)
        self.token = outer
        return text

    def inputs(self, types: Sequence[TensorType], names: Sequence[str]) -> Refs:
        """The arguments of a region."""
        return tuple(Ref(self.fresh(name), t) for t, name in zip(types, names, strict=True))

    # -- constants ---------------------------------------------------------------------------------------------

    def constant(self, value: complex | NumpyArray, type: TensorType) -> Ref:
        """Data, or a number in every element."""
        array = np.asarray(value).astype(type.dtype.numpy)
        return self.op("stablehlo.constant", (), type, attributes=constant_text(array, type.dtype))[0]

    def like(self, value: complex, x: Ref) -> Ref:
        return self.constant(value, x.type)

    # -- graphs and expressions ----------------------------------------------------------------------------------

    def node(self, node: Node, operands: Refs, name: str = "") -> Refs:
        """The results of a node of a graph; the line that makes them bears the name."""
        outer, start = self.location, len(self.lines)
        self.location = node.location or outer
        with located(node.location):
            results = self._lower(self, node.op, operands, tuple(v.type for v in node.results))
        self.location = outer
        return self._rename(results, start, name) if name else results

    def _rename(self, results: Refs, start: int, name: str) -> Refs:
        """The results under a name, where a number of the lines from `start` on stands for them."""
        if not results:
            return results
        old = results[0].name.partition("#")[0]
        if not old[1:].isdigit() or not any(
            line.lstrip().startswith((f"{old} ", f"{old}:")) for line in self.lines[start:]
        ):
            return results
        new = self.fresh(name)
        pattern = re.compile(rf"{old}\b")
        self.lines[start:] = [pattern.sub(new, line) for line in self.lines[start:]]
        if self.token is not None:
            # It may be one more result of the same line.
            self.token = Ref(pattern.sub(new, self.token.name), self.token.type)
        return tuple(Ref(pattern.sub(new, x.name), x.type) for x in results)

    def inline(self, graph: Graph, operands: Sequence[Ref], named: bool = True) -> Refs:
        """The outputs of a graph; with `named`, its values are called as they are there."""
        names = value_names(graph) if named else {}
        env: dict[Value, Ref] = dict(zip(graph.inputs, operands, strict=True))
        for node in graph.nodes:
            name = names.get(node.results[0], "") if node.results else ""
            results = self.node(node, tuple(env[v] for v in node.operands), name)
            env.update(zip(node.results, results, strict=True))
        return tuple(env[v] for v in graph.outputs)

    def compose(self, make: Callable[..., Value | Sequence[Value]], *operands: Ref) -> Refs:
        """What `make(builder, *values)` puts together of other ops."""
        b = Builder()
        found = make(b, *(b.input(x.type) for x in operands))
        return self.inline(b.graph((found,) if isinstance(found, Value) else tuple(found)), operands, named=False)

    def expression(self, expr: Expr, values: Mapping[Local, Ref], shape: tuple[int, ...]) -> Ref:
        """A scalar expression of constants and elementwise ops, at every element of arrays of one shape."""
        return self.expressions((expr,), values, shape)[0]

    def expressions(
        self,
        exprs: Sequence[Expr],
        values: Mapping[Local, Ref],
        shape: tuple[int, ...],
        marked: Collection[int] = (),
        hold: Callable[[Emitter, Ref], Ref] | None = None,
    ) -> Refs:
        """Several expressions; what they have in common is computed once. `hold` is done to `marked` parts, by id."""
        known: dict[int, Ref] = {}
        constants: dict[tuple[str, bytes], Ref] = {}
        for part in (part for expr in exprs for part in walk(expr)):
            if id(part) in known:
                continue
            if isinstance(part, Local):
                known[id(part)] = values[part]
            elif isinstance(part, Const):
                data = np.asarray(part.value).astype(part.dtype.numpy)
                key = part.dtype.name, data.tobytes()
                if key not in constants:
                    constants[key] = self.constant(data, TensorType(part.dtype, shape))
                known[id(part)] = constants[key]
            else:
                assert isinstance(part, Apply), f"{part} is no elementwise op"
                operands = tuple(known[id(arg)] for arg in part.args)
                (found,) = self._lower(self, part.op, operands, (TensorType(part.dtype, shape),))
                known[id(part)] = hold(self, found) if hold is not None and id(part) in marked else found
        return tuple(known[id(expr)] for expr in exprs)

    # -- what many lowerings are made of ---------------------------------------------------------------------------

    def add(self, x: Ref, y: Ref) -> Ref:
        return self.one("stablehlo.add", x, y)

    def sub(self, x: Ref, y: Ref) -> Ref:
        return self.one("stablehlo.subtract", x, y)

    def mul(self, x: Ref, y: Ref) -> Ref:
        return self.one("stablehlo.multiply", x, y)

    def div(self, x: Ref, y: Ref) -> Ref:
        return self.one("stablehlo.divide", x, y)

    def compare(self, direction: str, x: Ref, y: Ref) -> Ref:
        """A comparison: EQ, NE, LT, LE, GT or GE."""
        truth = x.type.with_dtype(bool_)
        return self.written(f"stablehlo.compare {direction}, {x.name}, {y.name}", (x, y), truth)[0]

    def both(self, x: Ref, y: Ref) -> Ref:
        return self.one("stablehlo.and", x, y)

    def either(self, x: Ref, y: Ref) -> Ref:
        return self.one("stablehlo.or", x, y)

    def select(self, condition: Ref, x: Ref, y: Ref) -> Ref:
        return self.one("stablehlo.select", condition, x, y, result=x.type)

    def convert(self, x: Ref, dtype: DType) -> Ref:
        return x if x.dtype == dtype else self.one("stablehlo.convert", x, result=x.type.with_dtype(dtype))

    def reshape(self, x: Ref, shape: tuple[int, ...]) -> Ref:
        return x if x.shape == shape else self.one("stablehlo.reshape", x, result=x.type.with_shape(shape))

    def broadcast(self, x: Ref, shape: tuple[int, ...], axes: Sequence[int]) -> Ref:
        if x.shape == shape:
            return x
        result = x.type.with_shape(shape)
        return self.one("stablehlo.broadcast_in_dim", x, result=result, attributes=f", dims = {list(axes)}")

    def transpose(self, x: Ref, permutation: Sequence[int]) -> Ref:
        if list(permutation) == list(range(len(permutation))):
            return x
        result = x.type.with_shape(tuple(x.shape[i] for i in permutation))
        return self.one("stablehlo.transpose", x, result=result, attributes=f", dims = {list(permutation)}")


def _names(values: Sequence[Ref]) -> str:
    return ", ".join(x.name for x in values)


def integers(values: Sequence[object]) -> str:
    """An attribute of integers: `array<i64: 1, 2>`."""
    return f"array<i64: {', '.join(map(str, values))}>" if values else "array<i64>"


def rows(values: Sequence[Sequence[object]]) -> str:
    """An attribute of rows of integers, all of one length."""
    columns = len(values[0]) if values else 2
    inside = f"[{', '.join(str(list(row)) for row in values)}]" if values else ""
    return f"dense<{inside}> : tensor<{len(values)}x{columns}xi64>"


def widened(lower: Lower) -> Lower:
    """A lowering for which narrow floats are widened to f32 before and rounded after."""

    def wide(e: Emitter, op: Op, operands: Refs, results: Types) -> Refs:
        def is_narrow(dtype: DType) -> bool:
            return dtype.accumulator != dtype

        if not any(is_narrow(x.dtype) for x in operands):
            return lower(e, op, operands, results)
        given = tuple(e.convert(x, f32) if is_narrow(x.dtype) else x for x in operands)
        found = lower(e, op, given, tuple(t.with_dtype(f32) if is_narrow(t.dtype) else t for t in results))
        return tuple(e.convert(x, t.dtype) for x, t in zip(found, results, strict=True))

    return wide
