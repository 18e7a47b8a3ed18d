"""Ops of the user's own, and C functions by address: eager, compiled, differentiated, batched, in loops."""

from __future__ import annotations

import ctypes
import ctypes.util
import threading
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import extend
from rosin import numpy as rnp
from rosin.frontend.errors import ArgumentError
from rosin.ir import parser, printer
from rosin.ir.errors import DTypeError, NotDifferentiableError, ShapeError, UnsupportedError
from rosin.ir.host import NativeFunction
from rosin.ir.op import REGISTRY
from rosin.ir.ops.foreign import ForeignCall
from rosin.runtime.compile_path import compile_graph

X = np.linspace(0.25, 4.0, 16)
both_ways = pytest.mark.parametrize("way", [lambda f: f, rosin.compile], ids=["eager", "compiled"])


# -- ops ---------------------------------------------------------------------------------------------------------------


def scaled_op() -> Any:
    @extend.define("test_scaled_square")
    class ScaledSquare(extend.Elementwise):
        """scale x²"""

        scale: float

        def apply(self, *operands: Any) -> Any:
            return self.scale * operands[0] ** 2

        def partials(self, b: Any, operands: Any, result: Any) -> Any:
            return (b.mul(operands[0], 2 * self.scale),)

    @extend.lowering(ScaledSquare)
    def emit(e: extend.Emitter, op: Any, x: extend.Val) -> extend.Val:
        return e.fmul(e.fmul(x, x), e.like(op.scale, x))

    return ScaledSquare


@pytest.mark.usefixtures("own_ops")
def test_an_elementwise_op() -> None:
    op = scaled_op()(3.0)

    def square(x: Any) -> Any:
        return extend.apply(op, x)

    for way in (lambda f: f, rosin.compile):
        np.testing.assert_allclose(way(square)(X), 3 * X**2)
        np.testing.assert_allclose(way(lambda x: square(x + 1) - x)(X), 3 * (X + 1) ** 2 - X)
        np.testing.assert_allclose(way(rosin.grad(lambda x: square(x).sum()))(X), 6 * X)
        np.testing.assert_allclose(way(rosin.vmap(rosin.grad(rosin.grad(square))))(X), np.full(16, 6.0))
        assert way(square)(rnp.ones(3, dtype="bfloat16")).dtype == rnp.bfloat16
        assert way(square)(rnp.arange(3)).dtype == rnp.float32
    with pytest.raises(TypeError, match=r"takes .* not c64"):
        square(rnp.ones(2, dtype="complex64"))


@pytest.mark.usefixtures("own_ops")
def test_an_op_that_is_defined_again_is_another_one() -> None:
    first = scaled_op()
    np.testing.assert_allclose(rosin.compile(lambda x: extend.apply(first(1.0), x))(X), X**2)
    second = scaled_op()
    assert REGISTRY["test_scaled_square"] is second
    assert first(1.0) != second(1.0)
    np.testing.assert_allclose(rosin.compile(lambda x: extend.apply(second(2.0), x))(X), 2 * X**2)
    with pytest.raises(TypeError, match="two ops are called add"):

        @extend.define("add")
        class Other(extend.Flat):  # pyright: ignore[reportUnusedClass]  # refused
            def apply(self, *operands: Any) -> Any:
                return operands[0]


@pytest.mark.usefixtures("own_ops")
def test_programs_with_ops_of_the_users_are_not_kept_on_the_disk() -> None:
    op = scaled_op()(3.0)
    b = extend.Builder()
    x = b.input(extend.TensorType(rnp.float64, (3,)), "x")
    graph = b.graph(b.node(op, x), "own")
    assert not compile_graph(graph).from_cache  # type: ignore[attr-defined]
    assert not compile_graph(graph).from_cache  # type: ignore[attr-defined]


@pytest.mark.usefixtures("own_ops")
def test_what_is_left_out_is_named() -> None:
    with pytest.raises(TypeError, match="op test_empty leaves out: apply, partials"):

        @extend.define("test_empty")
        class Empty(extend.Elementwise):  # pyright: ignore[reportUnusedClass]  # refused
            pass

    @extend.define("test_unlowered")
    class Unlowered(extend.Flat):
        def apply(self, *operands: Any) -> Any:
            return np.floor(operands[0])

    assert extend.apply(Unlowered(), 1.5).item() == 1
    with pytest.raises(UnsupportedError, match="no rule for test_unlowered"):
        rosin.compile(lambda x: extend.apply(Unlowered(), x))(X)


def test_the_module_has_one_name() -> None:
    import rosin.extend as named

    assert named is extend is rosin.extend


# -- C functions of scalars --------------------------------------------------------------------------------------------

MATHS, C = ctypes.CDLL(ctypes.util.find_library("m")), ctypes.CDLL(None)
for _name in ("j0", "j1"):
    getattr(MATHS, _name).argtypes, getattr(MATHS, _name).restype = [ctypes.c_double], ctypes.c_double
MATHS.hypotf.argtypes, MATHS.hypotf.restype = [ctypes.c_float] * 2, ctypes.c_float

j1 = extend.foreign_elementwise(MATHS.j1)
j0 = extend.foreign_elementwise(MATHS.j0, jvp=lambda tangents, output, x: -tangents[0] * j1(x))
hypot = extend.foreign_elementwise(MATHS.hypotf, vjp=lambda c, output, x, y: (c * x / output, c * y / output))


@both_ways
def test_a_c_function_of_a_number(way: Any) -> None:
    from scipy import special

    np.testing.assert_allclose(way(j0)(X), special.j0(X), rtol=1e-14)
    np.testing.assert_allclose(way(lambda x: 2 * j0(x + 1) - x)(X), 2 * special.j0(X + 1) - X, rtol=1e-13)
    np.testing.assert_allclose(way(rosin.grad(lambda x: j0(x).sum()))(X), -special.j1(X), rtol=1e-14)
    np.testing.assert_allclose(way(rosin.vmap(rosin.grad(j0)))(X), -special.j1(X), rtol=1e-14)
    np.testing.assert_allclose(way(rosin.vmap(j0))(X.reshape(4, 4)), special.j0(X).reshape(4, 4), rtol=1e-14)
    looped = way(lambda x: rosin.fori_loop(0, 3, lambda i, x: j0(x), x))(X)
    np.testing.assert_allclose(looped, special.j0(special.j0(special.j0(X))), rtol=1e-13)


def test_large_arrays_go_to_native_code_on_several_threads() -> None:
    from scipy import special

    x = np.linspace(0, 9, 1 << 19)
    np.testing.assert_allclose(j0(x), special.j0(x), rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(rosin.compile(j0)(x), special.j0(x), rtol=1e-10, atol=1e-15)


def test_c_functions_that_are_pythons_run_on_threads() -> None:
    # They ask for the interpreter's lock, which the thread that waits for them must not hold.
    threads: set[int] = set()

    @ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_float)
    def doubled(x: float) -> float:
        threads.add(threading.get_ident())
        return 2 * x

    function = extend.foreign_elementwise(doubled)

    def chain(x: Any) -> Any:
        for _ in range(12):
            x = function(x)
        return x

    x = np.ones(8000, np.float32)
    compiled = rosin.compile(chain)
    for _ in range(2):
        np.testing.assert_array_equal(compiled(x), 4096 * x)
    assert threads


@both_ways
def test_two_operands_broadcast_and_take_the_type_of_c(way: Any) -> None:
    x, y = rnp.asarray([[3.0], [5.0]]), rnp.asarray([4, 12])
    found = way(hypot)(x, y)
    assert found.dtype == rnp.float32
    np.testing.assert_allclose(found, np.hypot([[3], [5]], [4, 12]), rtol=1e-6)
    assert way(lambda x: hypot(x, 4.0))(x).shape == (2, 1)
    by_x, by_y = way(rosin.grad(hypot, argnums=(0, 1)))(3.0, 4.0)
    assert (by_x.item(), by_y.item()) == pytest.approx((0.6, 0.8))
    with pytest.raises(DTypeError, match="C function of f32 does not hold numbers of f64"):
        way(lambda x: hypot(x, 1.0))(X)
    with pytest.raises(ShapeError, match="hypotf: shapes"):
        way(lambda x: hypot(x, rnp.ones(3)))(rnp.ones(2))


def test_c_functions_that_are_refused() -> None:
    with pytest.raises(ArgumentError, match="takes a function pointer of ctypes"):
        extend.foreign_elementwise(np.sin)
    with pytest.raises(ArgumentError, match="have to be one C number type"):
        extend.foreign_elementwise(C.getenv)
    with pytest.raises(NotDifferentiableError, match="C function is a black box"):
        rosin.grad(j1)(1.0)
    with pytest.raises(ArgumentError, match="a jvp or a vjp, not both"):
        extend.foreign_elementwise(MATHS.j0, jvp=lambda *a: a, vjp=lambda *a: a)


# -- C functions of arrays ---------------------------------------------------------------------------------------------

DOUBLES = ctypes.POINTER(ctypes.c_double)
CALLS = threading.local()


@ctypes.CFUNCTYPE(None, DOUBLES, DOUBLES, DOUBLES, DOUBLES, ctypes.c_int64)
def c_function(x: Any, y: Any, total: Any, most: Any, count: int) -> None:
    """x + 2 y, and the greatest of these."""
    CALLS.count = getattr(CALLS, "count", 0) + 1
    for i in range(count):
        total[i] = x[i] + 2 * y[i]
    most[0] = max(total[:count])


def shapes(x: Any, y: Any) -> Any:
    return x, rosin.ShapeDtypeStruct((), x.dtype)


def backward(cotangent: Any, output: Any, x: Any, y: Any) -> Any:
    total, most = cotangent
    by_sum = total + most * (output[0] == output[1])
    return by_sum, 2 * by_sum


weighted = extend.foreign_function(c_function, shapes, numbers=lambda x, y: (x.size,), vjp=backward)


@both_ways
def test_a_c_function_of_arrays(way: Any) -> None:
    y = X[::-1].copy()
    found = way(weighted)(X, y)
    np.testing.assert_allclose(found[0], X + 2 * y)
    np.testing.assert_allclose(found[1], max(X + 2 * y))
    found = way(lambda x: weighted(x * 2, x)[0] + 1)(X)
    np.testing.assert_allclose(found, 4 * X + 1)
    by_x, by_y = way(rosin.grad(lambda x, y: (weighted(x, y)[0] * X).sum(), argnums=(0, 1)))(X, y)
    np.testing.assert_allclose(by_x, X)
    np.testing.assert_allclose(by_y, 2 * X)
    looped = way(lambda x: rosin.fori_loop(0, 3, lambda i, x: weighted(x, x)[0], x))(X)
    np.testing.assert_allclose(looped, 27 * X)


@both_ways
def test_a_batch_is_a_call_for_each_example(way: Any) -> None:
    rows = X.reshape(4, 4)
    CALLS.count = 0
    found = way(rosin.vmap(weighted, in_axes=(0, None)))(rows, rows[0])
    assert CALLS.count == 4
    np.testing.assert_allclose(found[0], rows + 2 * rows[0])
    np.testing.assert_allclose(found[1], (rows + 2 * rows[0]).max(1))
    twice = way(rosin.vmap(rosin.vmap(weighted)))(X.reshape(2, 2, 4), X.reshape(2, 2, 4))
    np.testing.assert_allclose(twice[0], 3 * X.reshape(2, 2, 4))


def test_symbolic_sizes() -> None:
    several = rosin.compile(lambda x: weighted(x, x), dynamic={"x": {0: "n"}})
    batches = rosin.compile(rosin.vmap(lambda x: weighted(x, x)), dynamic={"x": {0: "n"}})
    for count in (2, 5, 7):
        x = np.arange(1.0, count + 1)
        np.testing.assert_allclose(several(x)[0], 3 * x)
        np.testing.assert_allclose(batches(np.outer(x, [1, 2]))[1], 6 * x)


@both_ways
def test_arrays_of_other_types(way: Any) -> None:
    C.bcopy.argtypes, C.bcopy.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64], None
    copied = extend.foreign_function(C.bcopy, lambda x: x, numbers=lambda x: (x.nbytes,))
    for dtype in ("bool", "int8", "uint16", "float16", "bfloat16", "float32", "complex64", "complex128"):
        x = rnp.asarray([[1, 0, 2], [3, 0, 5]]).astype(dtype)
        found = way(copied)(x)
        assert found.dtype == x.dtype
        np.testing.assert_array_equal(found, x)
        np.testing.assert_array_equal(way(rosin.vmap(copied))(x), x)


def test_what_c_would_crash_on_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"argument 1 is LP_c_double in C, and f32\[16\] is given"):
        weighted(X, X.astype(np.float32))
    with pytest.raises(ArgumentError, match="takes 5 arguments in C, and 3 arrays and 1 numbers are given"):
        extend.foreign_function(c_function, lambda x, y: x)(X, X)
    C.bcopy.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
    with pytest.raises(ArgumentError, match="argument 2 is c_int in C, and a number of 64 bits is given"):
        extend.foreign_function(C.bcopy, lambda x: x)(X)
    with pytest.raises(ArgumentError, match="has a shape and a dtype"):
        extend.foreign_function(c_function, 3)(X, X)
    with pytest.raises(ArgumentError, match="takes a function pointer of ctypes"):
        extend.foreign_function(len, lambda x: x)


def test_the_text_of_a_program_reads_back_here() -> None:
    b = extend.Builder()
    x = b.input(extend.TensorType(rnp.float64, (3,)), "x")
    C.bcopy.argtypes, C.bcopy.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64], None
    address = ctypes.cast(C.bcopy, ctypes.c_void_p).value
    assert address is not None
    function = NativeFunction(C.bcopy, "bcopy", address)
    graph = b.graph(b.node(ForeignCall(function, (x.type,), (x.type,), (24,)), x), "copy")
    text = printer.text(graph)
    assert "foreign_call" in text
    assert printer.text(parser.parse(text)) == text
