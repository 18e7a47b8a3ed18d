"""Tracing: while a function is traced, every op is recorded in a graph instead of being computed.

Each thread has a stack of traces, one for each function being traced. All ops go to the innermost. A value of an outer
trace that is used in an inner one, and an array that is used in any, becomes an input of the inner graph: it is
*captured*, by reference, and whoever applies the graph passes it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias, TypeGuard, cast

import numpy as np

from rosin.frontend import source
from rosin.frontend.errors import ImmutableError
from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.dataclass import dataclass
from rosin.ir.dtypes import DType
from rosin.ir.errors import RosinError, ShapeError, TraceError
from rosin.ir.graph import Graph
from rosin.ir.literal import from_array
from rosin.ir.location import Location
from rosin.ir.op import NumpyArray, Op, Value
from rosin.ir.ops.movement import Constant
from rosin.ir.transform.split import needed
from rosin.ir.types import TensorType
from rosin.passes.checks import add_checks

if TYPE_CHECKING:
    from rosin.frontend.array import Array, Tracer

ADDRESS_BYTES = 1 << 47
"""No process has more memory than this to address."""

Captured: TypeAlias = "Array | NumpyArray"
"""A traced value of an outer trace, an array, or a NumPy array; of the latter two, whatever they hold at each call."""

Building: TypeAlias = Callable[[Builder, Sequence[Value]], Sequence[Value]]
"""A function that appends nodes over values to a builder."""

_array_type: type[Array]
_tracer_type: type[Tracer]


def register_array(array: type[Array], tracer: type[Tracer]) -> None:
    """Say which classes arrays and traced arrays are: `array.py` does once. It imports us, so we cannot import it."""
    global _array_type, _tracer_type
    _array_type, _tracer_type = array, tracer


def array_type() -> type[Array]:
    """The class of arrays whose value is known."""
    return _array_type


def is_array(x: object) -> TypeGuard[Array]:
    """Whether it is an `Array`, traced or not."""
    return isinstance(x, _array_type)


def is_tracer(x: object) -> TypeGuard[Tracer]:
    """Whether it stands for a value that is not known yet."""
    return type(x) is _tracer_type


def wrap(value: NumpyArray) -> Array:
    """The `Array` over a NumPy array, which is copied only if its elements are not in order."""
    array = object.__new__(_array_type)
    # ascontiguousarray would make a scalar one-dimensional.
    array._value = value if value.flags.c_contiguous else np.array(value, order="C")  # pyright: ignore[reportPrivateUsage]
    return array


class _State(threading.local):
    def __init__(self) -> None:
        self.stack: list[Trace] = []
        self.checks: tuple[str, ...] = ()
        """The kinds of checks that are added to what is recorded (see rosin.passes.checks)."""


state = _State()


@contextmanager
def checking(kinds: tuple[str, ...]) -> Generator[None]:
    """Have checks of these kinds, too, added to what is recorded inside."""
    before = state.checks
    state.checks = tuple(dict.fromkeys((*before, *kinds)))
    try:
        yield
    finally:
        state.checks = before


# Whoever must act otherwise while any thread traces is told when the first trace starts and when the last one ends.
_lock = threading.Lock()
_running = 0
_listeners: list[Callable[[bool], None]] = []


def on_tracing(listener: Callable[[bool], None]) -> None:
    """Have `listener` called with whether some thread is tracing, each time that this changes."""
    _listeners.append(listener)


def is_anywhere() -> bool:
    """Whether some thread is tracing."""
    return _running > 0


def _count(change: int) -> None:
    global _running
    with _lock:
        before, _running = _running, _running + change
        if (before > 0) != (_running > 0):
            for listener in _listeners:
                listener(_running > 0)


def told() -> tuple[Tracing, ...]:
    """What the traces of this thread are, the outermost first."""
    return tuple(trace.told for trace in state.stack)


def current() -> Trace | None:
    """The innermost trace of this thread."""
    stack = state.stack
    return stack[-1] if stack else None


class Change(NamedTuple):
    """A traced value that a region gave another value, and what it stood for before."""

    array: Tracer
    trace: Trace
    value: Value
    weak: bool

    def undo(self) -> None:
        """Let it stand for that again."""
        self.array._trace, self.array._ir, self.array._weak = self[1:]  # pyright: ignore[reportPrivateUsage]


@dataclass(frozen=True, eq=False)
class Tracing:
    """What a trace is, for those who look on: an object of its own for each trace."""

    transform: str
    """What traces, as users call it: "vmap", "scan", "for"."""
    function: str


class Trace:
    """The recording of one call of one function."""

    __slots__ = (
        "_known", "_last", "builder", "captures", "changes", "counted", "deferred", "ended", "held", "name", "told",
    )  # fmt: skip

    def __init__(self, name: str, deferred: bool = False, transform: str = "") -> None:
        self.told = Tracing(transform, name)
        self.deferred = deferred
        """Whether it happens later than the call it belongs to, so that nobody is left to pass new captures."""
        self.name = name
        self.builder = Builder()
        self.captures: list[Captured] = []
        self.held: list[Array | NumpyArray] = []
        self.ended = False
        self.changes: list[Change] | None = None
        """For a region that control flow runs: values of outer traces that are changed in it, as they were before."""
        self.counted: dict[Any, Any] = {}
        """The sizes and places that are counted in the trace, by the values that they are of."""
        self._known: dict[Any, Value] = {}
        # Frame, instruction and result of the node that was named last: a later node of the same expression is what
        # the user's variable will hold, so it takes the name over.
        self._last: tuple[FrameType, int, Tracer] | None = None

    def __enter__(self) -> Trace:
        _count(1)
        self.ended = False
        state.stack.append(self)
        return self

    def __exit__(self, *error: object) -> None:
        popped = state.stack.pop()
        assert popped is self, "traces end in the opposite order of their start"
        self.ended = True
        self._last = None
        _count(-1)

    # -- values ----------------------------------------------------------------------------------------------

    def input(self, type: TensorType, name: str, weak: bool = False) -> Tracer:
        check_size(type, f"argument {name} of {self.name}")
        return self._tracer(self.builder.input(type, name), weak)

    def constant(self, value: complex | int | bool, dtype: DType, weak: bool) -> Tracer:
        """A scalar that is part of the graph."""
        self.builder.location = source.user_location()
        return self._tracer(self.builder.full(value, TensorType(dtype)), weak)

    def value_of(self, x: Array) -> Value:
        """The value that stands for an array in this graph, captured if it comes from elsewhere."""
        if isinstance(x, _tracer_type):
            if x._trace is self:  # pyright: ignore[reportPrivateUsage]
                return x._ir  # pyright: ignore[reportPrivateUsage]
            return self._capture_tracer(x)
        return self.capture(x)

    def capture(self, array: Array | NumpyArray) -> Value:
        """The input that stands for an array: whatever it holds when the graph is applied."""
        key = id(array)
        value = self._known.get(key)
        if value is None and self.deferred:
            self.held.append(array)
            value = self._known[key] = self.builder.node(Constant(from_array(numpy_of(array))))[0]
        elif value is None:
            frame = source.user_frame()
            name = source.name_of(frame, array) if frame is not None else ""
            value = self._known[key] = self.builder.input(captured_type(array), name or "captured")
            self.captures.append(array)
        return value

    def strong(self, x: Tracer) -> Tracer:
        """The same value with a dtype that does not give way."""
        return self._tracer(self.value_of(x), False)

    def weak(self, x: Array) -> Tracer:
        """The same value with a dtype that gives way to that of what it meets."""
        return self._tracer(self.value_of(x), True)

    def captured(self, array: Array | NumpyArray) -> Tracer:
        """A captured array as a traced value."""
        return self._tracer(self.capture(array), False)

    def _capture_tracer(self, x: Tracer) -> Value:
        value = self._known.get(x._ir)  # pyright: ignore[reportPrivateUsage]
        if value is None:
            if not any(trace.knows(x) for trace in state.stack):
                x.check_alive()
            value = self._known[x._ir] = self.builder.input(x._ir.type, x._ir.name)  # pyright: ignore[reportPrivateUsage]
            self.captures.append(x)
        return value

    def adopt(self, captured: Captured) -> None:
        """Capture a value though its trace may have ended: whoever applies the graph has it as an operand."""
        self._known[identity(captured)] = self.builder.input(captured_type(captured), "captured")
        self.captures.append(captured)

    def knows(self, x: Tracer) -> bool:
        """Whether a value of another trace is captured here already."""
        return x._ir in self._known  # pyright: ignore[reportPrivateUsage]

    def assign(self, x: Tracer, new: Array) -> None:
        """Let the object `x` stand for another value from now on, for all who hold it.

        Raises:
            ImmutableError: it belongs to an outer trace, and this one is no branch or step of that one's.
        """
        value = self.value_of(new)
        if x._trace is not self:  # pyright: ignore[reportPrivateUsage]
            x.check_alive()
            if self.changes is None:
                name = f"`{x._ir.name}`" if x._ir.name else "the array"  # pyright: ignore[reportPrivateUsage]
                message = f"{name} comes from outside {self.name}, which is traced on its own and cannot change it"
                raise located(ImmutableError(f"{message}\n  return the new value", [x._ir.type]))  # pyright: ignore[reportPrivateUsage]
            self.changes.append(Change(x, x._trace, x._ir, x._weak))  # pyright: ignore[reportPrivateUsage]
        x._trace, x._ir, x._row = self, value, None  # pyright: ignore[reportPrivateUsage]

    def row(self, stacked: Tracer, position: int) -> Tracer:
        """An element along axis 0, of which there is a node only once it is used."""
        tracer = object.__new__(_tracer_type)
        tracer._trace, tracer._weak, tracer._row = self, False, (stacked, position)  # pyright: ignore[reportPrivateUsage]
        return tracer

    def taken_row(self, x: Tracer) -> Value:
        """The value of a row, which it has from now on."""
        assert x._row is not None, "what has no value is a row"  # pyright: ignore[reportPrivateUsage]
        stacked, position = x._row  # pyright: ignore[reportPrivateUsage]
        whole, b = stacked._ir, self.builder  # pyright: ignore[reportPrivateUsage]
        shape = whole.type.shape
        b.location = source.user_location()
        part = b.slice_axis(whole, 0, position, position + 1)
        x._ir = b.reshape(part, shape[1:])  # pyright: ignore[reportPrivateUsage]
        return x._ir  # pyright: ignore[reportPrivateUsage]

    def _tracer(self, value: Value, weak: bool) -> Tracer:
        tracer = object.__new__(_tracer_type)
        tracer._trace, tracer._ir, tracer._weak = self, value, weak  # pyright: ignore[reportPrivateUsage]
        return tracer

    # -- nodes -----------------------------------------------------------------------------------------------

    def record(self, op: Op, operands: Sequence[Array], weak: Sequence[bool] | None = None) -> tuple[Tracer, ...]:
        """Append a node. `weak` says which results are; without it they are when all operands are."""
        kind = _tracer_type
        values = [
            x._ir if type(x) is kind and x._trace is self else self.value_of(x)  # pyright: ignore[reportPrivateUsage]
            for x in operands
        ]
        frame, b = source.user_frame(), self.builder
        place = None if frame is None else source.place(frame)
        b.location = None if place is None else place.location
        results = b.node(op, *values)
        first = values[0].type if values else None
        for result in results:
            if result.type is not first:
                check_size(result.type, op.name, b.location)
        if state.checks:
            add_checks(b, b.nodes[-1], state.checks)
        if weak is None:
            firm = [x for x in operands if not (type(x) is kind and x._weak)]  # pyright: ignore[reportPrivateUsage]
            weak = (bool(operands) and not firm,) * len(results)
        tracers = tuple([self._tracer(v, w) for v, w in zip(results, weak, strict=True)])
        if place is not None and place.names:
            self._name(tracers, frame)
        return tracers

    def inline(self, graph: Graph, operands: Sequence[Array]) -> tuple[Tracer, ...]:
        """Append the nodes of a graph; gives its outputs."""
        return self.build(lambda b, values: b.inline(graph, values), operands)

    def build(self, append: Building, operands: Sequence[Array]) -> tuple[Tracer, ...]:
        """Have a function append nodes; gives what it gives."""
        values = [self.value_of(x) for x in operands]
        start, here = len(self.builder.nodes), source.user_location()
        try:
            outputs = append(self.builder, values)
        except BaseException:
            del self.builder.nodes[start:]
            raise
        tracers = tuple([self._tracer(v, False) for v in outputs])
        for node in self.builder.nodes[start:]:
            node.location = node.location or here
        inputs = set(values)
        self._name(tuple(t for t in tracers if t._ir not in inputs), source.user_frame())  # pyright: ignore[reportPrivateUsage]
        return tracers

    def _name(self, tracers: tuple[Tracer, ...], frame: FrameType | None) -> None:
        """Call the results what the user's program calls them."""
        if frame is None:
            return
        frame, names = source.assignment(frame)
        if not names or len(names) != len(tracers):
            return
        if self._last is not None:
            last_frame, last_at, last = self._last
            # In a loop the variable holds the value of the last round by now, and then that keeps the name.
            same = last_frame is frame and last_at == frame.f_lasti
            if same and frame.f_locals.get(names[0]) is not last:
                last._ir.name = ""  # pyright: ignore[reportPrivateUsage]
        for tracer, name in zip(tracers, names, strict=True):
            tracer._ir.name = name  # pyright: ignore[reportPrivateUsage]
        self._last = (frame, frame.f_lasti, tracers[0])

    def finish(self, outputs: Sequence[Array]) -> Graph:
        """The graph: the arguments and then the captures as inputs, the nodes that outputs or effects need."""
        values = tuple(self.value_of(x) for x in outputs)
        nodes = tuple(needed(self.builder.nodes, values))
        return Graph(tuple(self.builder.inputs), nodes, values, self.name)

    def place_of(self, value: Value) -> Location | None:
        """The user's line that made a value."""
        return next((node.location for node in self.builder.nodes if value in node.results), None)


def numpy_type(array: NumpyArray) -> TensorType:
    return TensorType(dtypes.from_numpy(array.dtype), array.shape)


def identity(x: Captured) -> object:
    """What tells captured values apart."""
    return x._ir if isinstance(x, _tracer_type) else id(x)  # pyright: ignore[reportPrivateUsage]


def numpy_of(x: Array | NumpyArray) -> NumpyArray:
    """The numbers of what is captured and not traced."""
    return x if isinstance(x, np.ndarray) else x._value  # pyright: ignore[reportPrivateUsage]


def captured_type(x: Captured) -> TensorType:
    """The type of what is captured."""
    return x._ir.type if isinstance(x, _tracer_type) else numpy_type(numpy_of(x))  # pyright: ignore[reportPrivateUsage]


def copied(x: Tracer) -> Tracer:
    """Another object that stands for the same value."""
    return x._trace._tracer(x._ir, x._weak)  # pyright: ignore[reportPrivateUsage]


def whole_of_rows(arrays: Any) -> Tracer | None:
    """The traced array of which a sequence has the rows, all of them and in order."""
    rows: list[Any] = (
        [getattr(x, "_row", None) for x in cast("Any", arrays)] if isinstance(arrays, list | tuple) else []
    )
    if not rows or None in rows:
        return None
    whole = rows[0][0]
    alike = all(stacked is whole and position == i for i, (stacked, position) in enumerate(rows))
    return copied(whole) if alike and len(rows) == whole.shape[0] else None


def name_value(x: Array, name: str) -> None:
    """Call a traced value that has no name what the user's program calls it."""
    if isinstance(x, _tracer_type) and not x._ir.name and name.isidentifier():  # pyright: ignore[reportPrivateUsage]
        x._ir.name = name  # pyright: ignore[reportPrivateUsage]


def same_value(a: Tracer, b: Tracer) -> bool:
    """Whether two traced arrays stand for one value."""
    return a is b or a._ir is b._ir  # pyright: ignore[reportPrivateUsage]


# -- errors ------------------------------------------------------------------------------------------------------


def check_size(type: TensorType, what: str, location: Location | None = None) -> None:
    """Refuse a value whose bytes cannot be counted or addressed.

    Raises:
        ShapeError: it takes more than 2**47 bytes.
    """
    if type.bytes > ADDRESS_BYTES:
        message = f"{what}: {type} takes {type.bytes} bytes, and no process can address more than {ADDRESS_BYTES}"
        raise ShapeError(message, (), location or source.user_location())


def leaked(value: Value, trace: Trace) -> NoReturn:
    """Say that a traced value is used after its function was traced, or by another thread meanwhile.

    Raises:
        TraceError: always.
    """
    name = f"`{value.name}`" if value.name else "a value"
    if not trace.ended:
        message = f"{name} of type {value.type} is being traced in {trace.name} by another thread; use it there"
        raise TraceError(message, (), source.user_location())
    made = trace.place_of(value)
    lines = [f"leaked: {name} of type {value.type} was traced in {trace.name}, and that trace has ended"]
    if made is not None:
        lines.append("  it was made here:")
        lines.append(made.describe())
    lines.append(f"  return it from {trace.name}, and use what the call gives; here it is used:")
    raise TraceError("\n".join(lines), (), source.user_location())


def no_value(x: Tracer, use: str, instead: str) -> NoReturn:
    """Say that Python needs the number of a traced value here, and which tool does not.

    Raises:
        TraceError: always.
    """
    x.check_alive()
    value, trace = x._ir, x._trace  # pyright: ignore[reportPrivateUsage]
    name = f"`{value.name}`" if value.name else "this value"
    message = f"{name} of type {value.type} is traced in {trace.name} and has no value yet: {use}\n  {instead}"
    raise TraceError(message, (), source.user_location())


def located(error: RosinError) -> RosinError:
    """The error, with the user's line if it has none."""
    error.location = error.location or source.user_location()
    return error


__all__ = [
    "Captured",
    "Trace",
    "Tracing",
    "array_type",
    "check_size",
    "checking",
    "current",
    "identity",
    "is_array",
    "is_tracer",
    "leaked",
    "located",
    "no_value",
    "register_array",
    "state",
    "told",
    "wrap",
]
