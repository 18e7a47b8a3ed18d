"""What the array functions stand on: making arrays, running ops, and reading types and values.

No function module imports the class `Array` when it runs. They take anything array-like, turn it into an array with
`asarray`, run ops with `bind` or `bind1`, and get arrays back; whether an op is computed now or recorded in a graph is
settled here.

    is_array(x)                an `Array`, traced or not
    is_tracer(x)               an `Array` whose value is not known yet
    is_scalar(x)               a Python bool, int, float or complex: weakly typed, it takes the dtype of what it meets
    is_weak(x)                 a Python scalar, or a traced value that stands for one
    tracing()                  whether ops are being recorded
    asarray(x, dtype=None)     the `Array` of an array-like object
    as_dtype(x)                the element type that a user names in any way
    type_of(x), shape_of(x), dtype_of(x)
    bind(op, *arrays)          the results of an op
    bind1(op, *arrays)         the one result of an op
    apply(graph, arrays)       the outputs of a graph
    concrete(x, use, instead)  the NumPy array in an array; a TraceError when it is traced
    DEFAULT_INT, DEFAULT_FLOAT, DEFAULT_COMPLEX the dtypes of Python numbers on their own
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeGuard, TypeVar
from typing import cast as typing_cast

import numpy as np

from rosin.frontend import trace as tr
from rosin.frontend.sizes import Size, register_number
from rosin.frontend.trace import is_array, is_tracer, register_array
from rosin.ir import dtypes, facts
from rosin.ir.builder import Builder
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.errors import DTypeError, OutOfMemoryError, RosinError, TraceError
from rosin.ir.graph import Graph, regions
from rosin.ir.interpret import at_sizes, evaluate_op, measuring
from rosin.ir.literal import from_array
from rosin.ir.op import NumpyArray, Op, Types
from rosin.ir.ops.cast import Cast
from rosin.ir.ops.loop import Loop
from rosin.ir.ops.movement import Constant, Dimension
from rosin.ir.ops.region import Control
from rosin.ir.types import TensorType
from rosin.passes.inline import Inline
from rosin.runtime import dlpack

if TYPE_CHECKING:
    from rosin.frontend.array import Array
    from rosin.runtime.executable import Executable

P = ParamSpec("P")
R = TypeVar("R")
Scalar: TypeAlias = "bool | int | float | complex"
ArrayLike: TypeAlias = Any
"""An `Array`, a NumPy array or scalar, a Python number, nested sequences of these, or anything with `__dlpack__`."""
DTypeLike: TypeAlias = Any
"""An element type, a NumPy dtype or its name, or Python's bool, int, float or complex."""

DEFAULT_INT: DType = dtypes.i32
DEFAULT_UINT: DType = dtypes.u32
DEFAULT_FLOAT: DType = dtypes.f32
DEFAULT_COMPLEX: DType = dtypes.c64

CONSTANT_ELEMENTS = 256
"""An array that a traced function makes of a list is part of its graph up to this size, and captured above."""
EAGER_FLOPS = 1 << 20
"""The work of an op that is slow in NumPy from which eager arrays compile a kernel for it."""
EAGER_GRAPH_FLOPS = 1 << 25
"""The work of a graph from which applying it to eager arrays compiles it."""
_PLANS_LIMIT = 4096
_KERNELS_LIMIT = 512
"""Kernels for eager work take some 60 KiB each; the oldest go first."""


# -- reading -----------------------------------------------------------------------------------------------------


_SCALARS = (bool, int, float, complex)


def is_scalar(x: object) -> TypeGuard[Scalar]:
    """Whether it is a Python bool, int, float or complex. NumPy's scalars are not: they have a dtype."""
    return isinstance(x, _SCALARS) and not isinstance(x, np.generic)


def is_weak(x: object) -> bool:
    """Whether its dtype gives way to that of an array it meets."""
    return x._weak if is_tracer(x) else is_scalar(x)  # pyright: ignore[reportPrivateUsage]


def tracing() -> bool:
    """Whether ops are recorded rather than computed."""
    return tr.current() is not None


def type_of(x: Array) -> TensorType:
    """The dtype and shape of an array."""
    if is_tracer(x):
        return x._ir.type  # pyright: ignore[reportPrivateUsage]
    value = x._value  # pyright: ignore[reportPrivateUsage]
    return TensorType(dtypes.from_numpy(value.dtype), value.shape)


def numpy_type(dtype: np.dtype[Any], shape: tuple[Dim, ...]) -> TensorType:
    """The type of a NumPy array of that dtype and shape."""
    return TensorType(dtypes.from_numpy(dtype), shape)


def shape_of(x: Array) -> tuple[Dim, ...]:
    return x._ir.type.shape if is_tracer(x) else x._value.shape  # pyright: ignore[reportPrivateUsage]


def dtype_of(x: Array) -> DType:
    return type_of(x).dtype


def as_dtype(dtype: DTypeLike) -> DType:
    """The element type that a user means by a Rosin dtype, a NumPy dtype or name, or a type of Python's numbers.

    Raises:
        DTypeError: Rosin has no such element type.
    """
    if isinstance(dtype, DType):
        return dtype
    if dtype is float:
        return DEFAULT_FLOAT
    if dtype is int:
        return DEFAULT_INT
    if dtype is complex:
        return DEFAULT_COMPLEX
    if isinstance(dtype, str) and dtype in dtypes.BY_NAME:
        return dtypes.BY_NAME[dtype]
    try:
        return dtypes.from_numpy(dtype)
    except TypeError as error:
        raise tr.located(DTypeError(str(error))) from None


def concrete(x: Array, use: str, instead: str) -> NumpyArray:
    """The NumPy array in `x`; `use` says what Python needs it for, `instead` what does without.

    Raises:
        TraceError: `x` is traced.
    """
    if is_tracer(x):
        tr.no_value(x, use, instead)
    return x._value  # pyright: ignore[reportPrivateUsage]


# -- making ------------------------------------------------------------------------------------------------------


def asarray(x: ArrayLike, dtype: DTypeLike = None) -> Array:
    """The array of anything array-like; an `Array` or a NumPy array of that dtype is taken as it is, not copied.

    Python numbers without a dtype become the default dtype, weakly typed while tracing.

    Raises:
        DTypeError: the elements have a dtype that Rosin lacks.
        ShapeError: nested sequences are ragged.
    """
    want = None if dtype is None else as_dtype(dtype)
    if is_array(x):
        return x if want is None else cast(x, want)
    if is_scalar(x):
        return _scalar(x, want)
    if isinstance(x, Size):
        return size_array(x.dim, want)
    array = _numpy(x, want)
    trace = tr.current()
    if trace is None:
        return tr.wrap(array) if isinstance(x, list | tuple) else _shared(x, array)
    if array is not x:
        # Made of a list or a scalar just now: nobody else can change it.
        if array.size <= CONSTANT_ELEMENTS:
            return bind1(Constant(from_array(array)))
    return trace.captured(array)


def _shared(x: Any, array: NumpyArray) -> Array:
    """The array over memory that others may know: nothing is written there, also where the array is donated."""
    if not (isinstance(x, np.ndarray) and array.flags.owndata and array is not x):
        array = array.view()
        array.flags.writeable = False
    return tr.wrap(array)


def owned(array: NumpyArray) -> Array:
    """The array over memory that nobody else knows."""
    return tr.wrap(array)


def _scalar(x: Scalar, want: DType | None) -> Array:
    if want is None:
        want, weak = default_of(x), True
    else:
        weak = False
    if isinstance(x, complex):
        refuse_parts(dtypes.c128, want)
    if want.is_integer and isinstance(x, int) and not want.lowest <= x <= want.highest:
        raise tr.located(DTypeError(f"{x} does not fit in {want}, whose range is {want.lowest} … {want.highest}"))
    trace = tr.current()
    if trace is not None:
        return trace.constant(x, want, weak)
    return tr.wrap(np.asarray(x, want.numpy) if want.kind != "bool" else np.asarray(bool(x)))


def default_of(x: Scalar) -> DType:
    """The element type of a Python number on its own."""
    if isinstance(x, bool):
        return dtypes.bool_
    if isinstance(x, int):
        return DEFAULT_INT
    return DEFAULT_COMPLEX if isinstance(x, complex) else DEFAULT_FLOAT


def refuse_parts(own: DType, want: DType) -> None:
    """Refuse to make real numbers of complex ones, which would drop a part."""
    if own.is_complex and not (want.is_complex or want == dtypes.bool_):
        raise tr.located(DTypeError(f"complex numbers do not become {want}: take their real or imaginary part, or abs"))


def size_array(dim: Dim, want: DType | None = None) -> Array:
    """A symbolic size as a number of an element type; weakly typed without one."""
    trace = tr.current()
    if trace is None:
        raise tr.located(TraceError(f"the number of the symbolic size {dim} is known only where a function is traced"))
    number = bind1(Dimension(facts.current().settled(dim), dtypes.i64))
    return trace.weak(number) if want is None else cast(number, want)


register_number(size_array)


def fresh(function: Callable[P, R]) -> Callable[P, R]:
    """A function whose results are never its arguments: arrays can be assigned to, and only one object then changes."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        result: Any = function(*args, **kwargs)
        if not isinstance(result, list | tuple):
            return another(result, args)
        several = typing_cast("Any", result)
        return several.__class__([another(x, args) for x in several])

    return call


def another(x: Any, args: Sequence[Any]) -> Any:
    """The array, as an object of its own if it is among the arguments, or in a list among them."""
    for arg in args:
        if x is arg or (isinstance(arg, list | tuple) and any(x is part for part in arg)):  # pyright: ignore[reportUnknownVariableType]
            if is_tracer(x):
                return tr.copied(x)
            trace = tr.current()
            if is_array(x):
                return tr.wrap(x._value) if trace is None else trace.captured(x)  # pyright: ignore[reportPrivateUsage]
    return x


def known(x: ArrayLike, dtype: DTypeLike = None) -> NumpyArray:
    """The numbers of anything array-like that is not traced."""
    return _numpy(x._value if is_array(x) else x, None if dtype is None else as_dtype(dtype))  # pyright: ignore[reportPrivateUsage]


def _numpy(x: ArrayLike, want: DType | None) -> NumpyArray:
    """An array-like object as a NumPy array of an element type that Rosin has."""
    array: NumpyArray = x if isinstance(x, np.ndarray) else _from_foreign(x, want)  # pyright: ignore[reportUnknownVariableType]  # of any dtype
    if want is None:
        as_dtype(array.dtype)
        return array
    if array.dtype == want.numpy:
        return array
    refuse_parts(dtypes.from_numpy(array.dtype), want)
    return evaluate_op(Cast(want), array)[0]


def _from_foreign(x: ArrayLike, want: DType | None) -> NumpyArray:
    if isinstance(x, list | tuple):
        return _from_sequence(x, want)  # pyright: ignore[reportUnknownArgumentType]  # of anything
    if hasattr(x, "__dlpack__"):
        return from_dlpack(x, None, to_cpu=False)
    if hasattr(x, "__array__"):
        return np.asarray(x)
    if isinstance(x, memoryview | bytearray):
        return np.asarray(x)
    kind = type(x).__name__
    raise tr.located(DTypeError(f"{x!r} of type {kind} is not an array, a number, or a nested sequence of numbers"))


def from_dlpack(x: Any, copy: bool | None, to_cpu: bool) -> NumpyArray:
    """The numbers of an object that has DLPack; see rosin.runtime.dlpack, whose errors get the user's line."""
    try:
        value = dlpack.read(x, copy, to_cpu)
        if copy is False and not value.flags.c_contiguous:
            message = f"from_dlpack: elements of an array of shape {value.shape} lie apart, and copy=False"
            raise dlpack.InterchangeError(message)
    except RosinError as error:
        raise tr.located(error) from None
    return value


def _from_sequence(x: Sequence[Any], want: DType | None) -> NumpyArray:
    leaves = list(_leaves(x))
    for leaf in leaves:
        if is_tracer(leaf):
            instead = "use rosin.numpy.stack or rosin.numpy.concatenate, which join traced arrays"
            tr.no_value(leaf, "a list that holds it cannot become an array here", instead)
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise tr.located(DTypeError(f"a nested sequence is not an array: {error}")) from None
    if all(is_scalar(leaf) for leaf in leaves):
        if array.dtype.kind == "c":
            return array if want else evaluate_op(Cast(DEFAULT_COMPLEX), array)[0]
        if array.dtype.kind == "f" or not leaves:
            # What is cast to integers or truth values is cast from the numbers as they are.
            return array if want and not want.is_float else evaluate_op(Cast(want or DEFAULT_FLOAT), array)[0]
        if array.dtype.kind in "iu":
            return _fitting_integers(array, want or DEFAULT_INT)
    return array


def _fitting_integers(array: NumpyArray, want: DType) -> NumpyArray:
    """Python's integers in an element type, which has to hold them if it is one of integers."""
    low, high = int(array.min()), int(array.max())
    if want.is_integer and not want.lowest <= low <= high <= want.highest:
        value = low if low < want.lowest else high
        raise tr.located(DTypeError(f"{value} does not fit in {want}; name a dtype that holds it"))
    return evaluate_op(Cast(want), array)[0]


def _leaves(x: Any) -> Any:
    if isinstance(x, list | tuple):
        for part in x:  # pyright: ignore[reportUnknownVariableType]  # a nest of anything
            yield from _leaves(part)
    else:
        yield x


def cast(x: Array, dtype: DType) -> Array:
    """The array as another element type; strongly typed from then on."""
    if dtype_of(x) != dtype:
        return bind1(Cast(dtype), x)
    if is_weak(x):
        return x.strong()  # type: ignore[attr-defined]
    return x


# -- running -----------------------------------------------------------------------------------------------------


def bind1(op: Op, *operands: Array) -> Array:
    """The one result of an op."""
    return bind(op, *operands)[0]


def bind(op: Op, *operands: Array, weak: Sequence[bool] | None = None) -> tuple[Array, ...]:
    """The results of an op: recorded while a function is traced, computed at once otherwise.

    `weak` says which results stand for Python numbers; without it they do when all operands do.

    Raises:
        RosinError: the op's type rule refuses the operands; the error shows the user's line.
    """
    trace = tr.current()
    if trace is not None:
        return trace.record(op, operands, weak)
    values = [x._value if type(x) is tr.array_type() else _dead(x) for x in operands]  # pyright: ignore[reportPrivateUsage]
    try:
        return tuple([tr.wrap(r) for r in _execute(op, values)])
    except MemoryError as error:
        types = [type_of(x) for x in operands]
        raise tr.located(_no_memory(op.name, op.type(*types), types)) from error


def _no_memory(name: str, results: Sequence[TensorType], operands: Sequence[TensorType]) -> OutOfMemoryError:
    size = sum(r.bytes for r in results)
    return OutOfMemoryError(f"{name}: there is no memory for {', '.join(map(str, results))}, {size} bytes", operands)


def build(name: str, append: tr.Building, operands: Sequence[Array]) -> tuple[Array, ...]:
    """What a function appends to a builder over arrays: it is recorded while a function is traced, computed at once
    otherwise, as a graph of that name."""
    trace = tr.current()
    if trace is not None:
        return trace.build(append, operands)
    b = Builder()
    outputs = append(b, [b.input(type_of(x)) for x in operands])
    return apply(b.graph(outputs, name), operands)


def apply(graph: Graph, operands: Sequence[Array]) -> tuple[Array, ...]:
    """The outputs of a graph: its nodes are recorded while a function is traced, computed at once otherwise."""
    trace = tr.current()
    if trace is not None:
        return trace.inline(graph, operands)
    values = [x._value if type(x) is tr.array_type() else _dead(x) for x in operands]  # pyright: ignore[reportPrivateUsage]
    # No derivative is taken any more, so what is there for derivatives can go.
    graph = Inline().rewrite(graph)
    kernel = _kernel(graph) if _is_heavy(graph) or _draws(graph) else None
    try:
        return tuple([tr.wrap(r) for r in (_evaluate(graph, values) if kernel is None else kernel(*values))])
    except MemoryError as error:
        results = [v.type for v in graph.outputs]
        raise tr.located(_no_memory(graph.name, results, [type_of(x) for x in operands])) from error


def _dead(x: Array) -> NumpyArray:
    """No trace is active here, so a traced operand outlived its own."""
    assert is_tracer(x)
    tr.leaked(x._ir, x._trace)  # pyright: ignore[reportPrivateUsage]


# -- what is made of array functions, for array functions --------------------------------------------------------------

_transforms: dict[str, Callable[..., Any]] = {}


def register_transform(function: Callable[..., Any]) -> None:
    """Make a transform or a loop known to array functions, which it is itself made of."""
    _transforms[function.__name__] = function


def call(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function of the user's, whose plain control flow may depend on traced values."""
    return _transforms["call"](function, *args, **kwargs)


def vmap(function: Callable[..., Any], in_axes: Any = 0) -> Callable[..., Any]:
    """`rosin.vmap`."""
    return _transforms["vmap"](function, in_axes)


def while_loop(goes_on: Callable[[Any], Any], step: Callable[[Any], Any], start: Any) -> Any:
    """`rosin.while_loop`."""
    return _transforms["while_loop"](goes_on, step, start)


def fori_loop(lower: int, upper: int, step: Callable[[Any, Any], Any], start: Any) -> Any:
    """`rosin.fori_loop`."""
    return _transforms["fori_loop"](lower, upper, step, start)


# -- eager execution ---------------------------------------------------------------------------------------------

_UNPLANNED: Any = object()
_plans: dict[Any, Executable | None] = {}
_planned: deque[Any] = deque()
"""The keys of plans that are kernels, oldest first."""
_executables: dict[Graph, Executable] = {}
_met: set[int] = set()
"""Hashes of graphs that were heavy once."""


def _execute(op: Op, values: list[NumpyArray]) -> Sequence[NumpyArray]:
    """Small work by the op's NumPy meaning, heavy work by a kernel that is compiled once."""
    key = (op, tuple([(v.dtype, v.shape) for v in values]))
    kernel = _plans.get(key, _UNPLANNED)
    if kernel is _UNPLANNED:
        kernel = _plan(op, values)
        if len(_plans) >= _PLANS_LIMIT:
            _plans.clear()
            _planned.clear()
        _plans[key] = kernel
        if kernel is not None:
            _planned.append(key)
            if len(_planned) > _KERNELS_LIMIT:
                _plans.pop(_planned.popleft(), None)
    return evaluate_op(op, *values) if kernel is None else kernel(*values)


def _plan(op: Op, values: list[NumpyArray]) -> Executable | None:
    """Check the operands; give the kernel for heavy work, None for small."""
    operands = tuple(TensorType(dtypes.from_numpy(v.dtype), v.shape) for v in values)
    try:
        results = op.type(*operands)
    except RosinError as error:
        raise tr.located(error) from None
    for result in results:
        tr.check_size(result, op.name)
    if not _is_slow(op, operands, results):
        return None
    trace = tr.Trace(op.name)
    inputs = [trace.builder.input(t, f"x{i}") for i, t in enumerate(operands)]
    return compile_path().compile_graph(trace.builder.graph(trace.builder.node(op, *inputs), op.name))


def compile_path() -> ModuleType:
    """rosin.runtime.compile_path. It brings all passes and a backend: what compiles nothing never loads them."""
    from rosin.runtime import compile_path

    return compile_path


def _is_slow(op: Op, operands: Types, results: Types) -> bool:
    """Whether a kernel pays for being compiled. A loop always does: how often Python would go round is not known."""
    if isinstance(op, Control):
        return isinstance(op, Loop) or any(map(_has_slow_nodes, regions(op)))
    if op.chooses:
        return True
    return op.is_slow_in_numpy(operands) and op.numpy_work(operands, results) >= EAGER_FLOPS


def _has_slow_nodes(graph: Graph) -> bool:
    pairs = ((tuple(v.type for v in node.operands), tuple(v.type for v in node.results)) for node in graph.nodes)
    return any(_is_slow(node.op, *types) for node, types in zip(graph.nodes, pairs, strict=True))


def _is_heavy(graph: Graph) -> bool:
    return _has_slow_nodes(graph) or graph.cost().flops >= EAGER_GRAPH_FLOPS


def _draws(graph: Graph) -> bool:
    """Whether it draws random numbers."""
    return any(node.op.random or any(map(_draws, node.regions)) for node in graph.nodes)


def _kernel(graph: Graph) -> Executable | None:
    """The compiled graph, from the second time that it is met: many hold a number of their own and never come back.

    Random numbers have the bits that they have in compiled functions from the first time on."""
    found = _executables.get(graph)
    if found is not None:
        return found
    if hash(graph) not in _met and not _draws(graph):
        _met.add(hash(graph))
        return None
    if len(_executables) >= _KERNELS_LIMIT:
        _executables.pop(next(iter(_executables)))
    found = _executables[graph] = compile_path().compile_graph(graph)
    return found


def _evaluate(graph: Graph, values: Sequence[NumpyArray]) -> list[NumpyArray]:
    """The outputs of a graph, op by op as arrays outside of any graph compute them."""
    if graph.symbols():
        graph = at_sizes(graph, [x.shape for x in values])
    env = dict(zip(graph.inputs, values, strict=True))
    sizes: dict[str, Dim] | None = {} if graph.measured() else None
    for node in graph.nodes:
        operands = [env[v] for v in node.operands]
        found = _execute(node.op, operands) if sizes is None else measuring(node, operands, sizes, _execute)
        env.update(zip(node.results, found, strict=True))
    return [env[v] for v in graph.outputs]


__all__ = [
    "DEFAULT_COMPLEX",
    "DEFAULT_FLOAT",
    "DEFAULT_INT",
    "DEFAULT_UINT",
    "ArrayLike",
    "DTypeLike",
    "Scalar",
    "apply",
    "as_dtype",
    "asarray",
    "bind",
    "bind1",
    "call",
    "cast",
    "compile_path",
    "concrete",
    "default_of",
    "dtype_of",
    "fori_loop",
    "from_dlpack",
    "is_array",
    "is_scalar",
    "is_tracer",
    "is_weak",
    "numpy_type",
    "refuse_parts",
    "register_array",
    "register_transform",
    "shape_of",
    "tracing",
    "type_of",
    "vmap",
    "while_loop",
]
