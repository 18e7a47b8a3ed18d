"""What numpy_cases.py has no place for: brackets, functions of functions, assignment, symbolic sizes, and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.frontend.errors import BoundsError
from rosin.ir.errors import AttributeValueError, DTypeError, RosinError, ShapeError, TraceError
from tests.frontend.agree import both, check, near

RANDOM = np.random.default_rng(5)
M = RANDOM.normal(size=(4, 5))
V = RANDOM.normal(size=4)


def same(found: Any, wanted: Any) -> None:
    """Equal numbers, of whatever width."""
    ours, theirs = rosin.tree.leaves(found), rosin.tree.leaves(wanted)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert np.shape(a) == np.shape(b)
        np.testing.assert_allclose(np.asarray(a), b, rtol=1e-6)


# -- brackets ----------------------------------------------------------------------------------------------------------


def test_grids() -> None:
    for ours, theirs in ((rnp.mgrid, np.mgrid), (rnp.ogrid, np.ogrid)):
        same(ours[0:3, 2:7:2], theirs[0:3, 2:7:2])
        same(ours[0:1:5j, :2], theirs[0:1:5j, :2])
        same(ours[1:4], theirs[1:4])
        with pytest.raises(DTypeError, match="grid: takes slices, not int"):
            _ = ours[3, 1:2]
        with pytest.raises(AttributeValueError, match="a slice has an end"):
            _ = ours[1:]


def test_joined() -> None:
    x, m = rnp.asarray(V), rnp.asarray(M)
    same(rnp.r_[1:4, 0.1, x], np.r_[1:4, 0.1, V])
    same(rnp.r_["-1", m, m], np.r_["-1", M, M])
    same(rnp.r_["0,2", x, x], np.r_["0,2", V, V])
    same(rnp.r_["0,2,0", x, 1.5 * x], np.r_["0,2,0", V, 1.5 * V])
    same(rnp.r_["1,3,0", x, x], np.r_["1,3,0", V, V])
    same(rnp.c_[x, x, m], np.c_[V, V, M])
    same(rnp.r_[0.1, x], np.r_[0.1, V])
    assert rnp.s_[1:, ::2] == np.s_[1:, ::2]
    assert (rnp.s_[2], rnp.index_exp[2]) == (2, (2,))
    check(lambda x: rnp.c_[x, 2 * x], V, expected=np.c_[V, 2 * V])
    with pytest.raises(AttributeValueError, match="the directions are up to three integers"):
        _ = rnp.r_["x", x]


# -- functions of functions --------------------------------------------------------------------------------------------


def test_vectorize() -> None:
    def larger(a: Any, b: Any) -> Any:
        if a > b:
            return a - b
        return a + b

    ours, theirs = rnp.vectorize(larger), np.vectorize(larger)
    check(ours, M, M[:, :1], expected=theirs(M, M[:, :1]))
    check(ours, M, M[0], expected=theirs(M, M[0]))
    near(ours(rnp.asarray(M), 0.1), theirs(M, 0.1))
    product = rnp.vectorize(lambda a, v: a @ v, signature="(m,n),(n)->(m)")
    matrices = RANDOM.normal(size=(3, 1, 2, 4))
    vectors = RANDOM.normal(size=(5, 4))
    check(product, matrices, vectors, expected=np.matvec(matrices, vectors))
    check(product, matrices, V, expected=np.matvec(matrices, V))
    ends = rnp.vectorize(lambda v: (v[0], v[-1]), signature="(n)->(),()")
    check(ends, M, expected=[M[:, 0], M[:, -1]])
    power = rnp.vectorize(lambda n, x: x**n, excluded={0})
    same(power(3, rnp.asarray(V)), V**3)
    near(rosin.grad(lambda x: rnp.sum(power(3, x)))(rnp.asarray(V)), 3 * V**2, 1e-12)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: rnp.vectorize(abs, signature="m->n"), AttributeValueError, 'a signature is like "\\(m,n\\)'),
        (lambda: rnp.vectorize(lambda a: a, signature="(n)->(n)")(1.0), ShapeError, r"shape \[\] lacks axes of \(n\)"),
        (
            lambda: rnp.vectorize(lambda a, b: a, signature="(n),(n)->(n)")(rnp.ones(2), rnp.ones(3)),
            ShapeError,
            "axis n has sizes 2 and 3",
        ),
        (lambda: rnp.vectorize(lambda a: a, signature="(n)->()")(rnp.ones(2)), ShapeError, r"shape \[2\] where"),
        (lambda: rnp.vectorize(lambda a: a, signature="(),()->()")(1.0), ShapeError, "takes 2 arrays, not 1"),
    ],
)
def test_vectorize_errors(call: Callable[[], Any], error: type[RosinError], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_gcd_of_many_kinds() -> None:
    for dtype in (np.int8, np.uint8, np.int32, np.int64, np.uint64):
        low = 0 if np.dtype(dtype).kind == "u" else -100
        a, b = (RANDOM.integers(low, 100, 64).astype(dtype) for _ in range(2))
        (found,) = both(rnp.gcd, a, b)
        near(found, np.gcd(a, b))
    for dtype in (np.int8, np.int64):
        least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
        a, b = np.array([least, least, -2, most, 6], dtype), np.array([least, most, least + 1, most - 1, 0], dtype)
        for ours, theirs in ((rnp.gcd, np.gcd), (rnp.lcm, np.lcm)):
            (found,) = both(ours, a, b)
            near(found, theirs(a, b))
    near(rosin.vmap(rnp.gcd)(rnp.asarray([12, 8]), rnp.asarray([18, 12])), np.array([6, 4], np.int32))


# -- assignment --------------------------------------------------------------------------------------------------------


def test_assigning() -> None:
    for name, args in {
        "put": (np.array([1, 7]), np.array([5.5, 2.5])),
        "place": (M > 0, np.array([5.5, 2.5])),
        "putmask": (M > 0, np.array([5.5, 2.5, 1.5])),
        "put_along_axis": (np.array([[1], [0], [2], [4]]), 9.5, 1),
        "fill_diagonal": (7.5,),
    }.items():
        x, wanted = rnp.asarray(M, copy=True), M.copy()
        assert getattr(rnp, name)(x, *args) is None
        getattr(np, name)(wanted, *args)
        near(x, wanted)

        @rosin.compile
        def changed(x: Any, name: str = name, args: Any = args) -> Any:
            getattr(rnp, name)(x, *args)
            return x

        near(changed(rnp.asarray(M)), wanted)
    with pytest.raises(DTypeError, match="put: assigns to an array of Rosin's, not to ndarray; inplace=False does not"):
        rnp.put(M, np.array([1]), 2.0)
    with pytest.raises(DTypeError, match=r"put: an array of i32 does not hold 2\.5"):
        rnp.put(rnp.arange(3), np.array([1]), 2.5)


# -- sizes that depend on numbers, and symbolic ones -------------------------------------------------------------------


def test_sizes_found_by_the_program() -> None:
    trimmed = rosin.compile(rnp.trim_zeros)
    for numbers in ([0.0, 0, 3, 0, 4, 0], [0.0, 0, 0, 0, 0, 0], [1.0, 0, 0, 0, 0, 2]):
        same(trimmed(rnp.asarray(numbers)), np.trim_zeros(np.array(numbers)))
    with pytest.raises(TraceError, match="bincount: the greatest number settles the length"):
        rosin.compile(rnp.bincount)(rnp.arange(3))
    with pytest.raises(TraceError, match="the rule 'auto' chooses the number of bins"):
        rosin.compile(lambda x: rnp.histogram(x, "auto"))(rnp.ones(3))


def test_symbolic_sizes() -> None:
    functions: dict[str, Callable[[Any], Any]] = {
        "nanmean": rnp.nanmean,
        "average": lambda x: rnp.average(x, weights=x * x),
        "cov": rnp.cov,
        "histogram": lambda x: rnp.histogram(x, bins=3, range=(-1, 1))[0],
        "interp": lambda x: rnp.interp(x, rnp.sort(x), x),
        "trapezoid": rnp.trapezoid,
        "convolve": lambda x: rnp.convolve(x, rnp.ones(2, dtype="float64")),
        "unwrap": rnp.unwrap,
        "rot90": lambda x: rnp.rot90(rnp.reshape(x, (1, -1))),
    }
    for name, function in functions.items():
        compiled = rosin.compile(lambda x, f=function: f(x), dynamic={"x": (0,)})
        for size in (5, 9):
            x = rnp.asarray(RANDOM.normal(size=size))
            near(compiled(x), np.asarray(function(x)), 1e-10, what=name)


# -- text, and what differs from NumPy ---------------------------------------------------------------------------------


def test_text() -> None:
    x = rnp.asarray([1.0, 2.5])
    assert rnp.array_str(x) == "[1.  2.5]"
    assert rnp.array_repr(x) == repr(x)
    assert repr(rnp.mgrid) == "rosin.numpy.mgrid"
    assert rnp.ndarray is rosin.Array


def test_numbers_of_python_give_way() -> None:
    """At once and compiled alike: a number of Python's takes the element type of what it meets."""
    x = np.ones(3, np.float16)
    functions: list[Callable[[Any], Any]] = [
        lambda x: rnp.append(x, 1.5),
        lambda x: rnp.block([x, 1.5]),
        lambda x: rnp.r_[x, 1.5],
        lambda x: rnp.select([x > 0], [x], 1.5),
        lambda x: rnp.choose(np.array([0, 1, 0]), [x, 1.5]),
        lambda x: rnp.interp(x, x, x, left=1.5),
        lambda x: rnp.fmax(x, 1.5),
        lambda x: rnp.polyval([1.5, 2.0], x),
        lambda x: rnp.trapezoid(x, dx=1.5),
        lambda x: rnp.insert(x, 0, 1.5),
        lambda x: rnp.nan_to_num(x, nan=1.5),
    ]
    for function in functions:
        assert [found.dtype for found in both(function, x)] == [rnp.float16]


def test_kinds() -> None:
    kinds = (
        "generic",
        "number",
        "integer",
        "signedinteger",
        "unsignedinteger",
        "inexact",
        "floating",
        "complexfloating",
    )
    for dtype in (np.bool_, np.int8, np.uint64, np.float16, np.float64, np.complex64):
        ours = rnp.asarray(np.zeros(1, dtype)).dtype
        for kind in kinds:
            assert rnp.issubdtype(ours, getattr(rnp, kind)) == np.issubdtype(dtype, getattr(np, kind))
        assert rnp.issubdtype(ours, dtype)
        assert not rnp.issubdtype(ours, "bfloat16")
    assert rnp.issubdtype(rnp.bfloat16, rnp.floating)
    assert rnp.promote_types("int32", np.float16) == rnp.float16


def test_nothing_is_a_number() -> None:
    none = np.array([[np.nan, np.nan], [1.0, np.nan]])
    check(lambda x: rnp.nanargmax(x, 1), none, expected=np.array([-1, 0], np.int32))
    check(lambda x: rnp.nanvar(x, 1, ddof=1), none, expected=np.array([np.nan, np.nan]))


def test_derivatives_at_special_places() -> None:
    def of(function: Callable[[Any], Any], order: int) -> Callable[[Any], Any]:
        for _ in range(order):
            function = rosin.grad(function)
        return function

    zero = rnp.asarray(0.0, dtype="float64")
    slopes = [float(of(rnp.sinc, order)(zero)) for order in range(5)]
    np.testing.assert_allclose(slopes, [1, 0, -(np.pi**2) / 3, 0, np.pi**4 / 5], atol=1e-12)
    x = rnp.asarray(np.array([np.nan, 1.0, 3.0]))
    near(rosin.grad(lambda x: rnp.nanmax(x))(x), np.array([0.0, 0.0, 1.0]))
    near(rosin.grad(lambda x: rnp.nanmean(x))(x), np.array([0.0, 0.5, 0.5]))
    near(rosin.grad(lambda x: rnp.modf(x)[0])(rnp.asarray(2.0)), np.float32(1))
    near(rosin.grad(lambda x: rnp.frexp(x)[0])(rnp.asarray(6.0)), np.float32(1 / 8))


def test_scaling_by_powers_of_two_rounds_once() -> None:
    for dtype in (np.float32, np.float64, np.float16):
        info = np.finfo(dtype)
        x = (RANDOM.uniform(1, 2, 400) * 2.0 ** RANDOM.integers(info.minexp, info.maxexp - 1, 400)).astype(dtype)
        powers = RANDOM.integers(2 * info.minexp, 2 * info.maxexp, 400).astype(np.int32)
        with np.errstate(all="ignore"):
            wanted = np.ldexp(x, powers)
        found = rnp.ldexp(rnp.asarray(x), rnp.asarray(powers))
        np.testing.assert_array_equal(np.asarray(found), wanted)
        mantissa, exponent = rnp.frexp(rnp.asarray(wanted))
        np.testing.assert_array_equal(np.asarray(mantissa), np.frexp(wanted)[0])
        np.testing.assert_array_equal(np.asarray(exponent), np.frexp(wanted)[1])


def test_fits_and_roots() -> None:
    y = np.sin(V)
    found = rnp.polyfit(rnp.asarray(V), rnp.asarray(y), 1, full=True)
    for ours, theirs in zip(found, np.polyfit(V, y, 1, full=True), strict=True):
        np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-10)
    numbers = [1.0, -6.0, 11.0, -6.0]
    compiled = rosin.compile(lambda p: rnp.roots(p, strip_zeros=False))
    zeros = np.asarray(compiled(rnp.asarray(np.array(numbers))))
    np.testing.assert_allclose(np.sort(zeros.real), [1, 2, 3], rtol=1e-12)
    with pytest.raises(TraceError, match=r"give strip_zeros=False, if the first coefficient is not zero"):
        rosin.compile(rnp.roots)(rnp.asarray(numbers))
    with pytest.raises(AttributeValueError, match="the degree is -1"):
        rnp.polyfit(rnp.ones(3), rnp.ones(3), -1)
    with pytest.raises(ShapeError, match=r"as long, not \[3\] and \[2\]"):
        rnp.polyfit(rnp.ones(3), rnp.ones(2), 1)
    with pytest.raises(AttributeValueError, match="2 points tell no covariance of 2 coefficients"):
        rnp.polyfit(rnp.ones(2), rnp.ones(2), 1, cov=True)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint32, np.int64, np.uint64])
def test_powers_of_two_of_any_integers(dtype: Any) -> None:
    info = np.iinfo(dtype)
    powers = np.array([info.min, 0, 3, info.max], dtype)
    with np.errstate(over="ignore"):
        wanted = np.ldexp(1.5, np.clip(powers.astype(object), -5000, 5000).astype(np.int64))
    np.testing.assert_array_equal(np.asarray(rnp.ldexp(np.float64(1.5), rnp.asarray(powers))), wanted)


# -- errors ------------------------------------------------------------------------------------------------------------

ERRORS: list[tuple[Callable[[], Any], type[RosinError], str]] = [
    (lambda: rnp.histogram(rnp.ones(3), [0.0, 2.0, 1.0]), AttributeValueError, "edge 1 is 2.0 and edge 2 is 1.0"),
    (lambda: rnp.histogram(rnp.ones(3), 0), AttributeValueError, "there are 0 bins"),
    (lambda: rnp.histogram(rnp.ones(3), range=(1, 0)), AttributeValueError, "range ends at 0.0, before its start 1.0"),
    (lambda: rnp.histogram(rnp.ones(3), range=(0, np.inf)), AttributeValueError, "from 0.0 to inf is not finite"),
    (lambda: rnp.histogram(rnp.ones(3), "best"), AttributeValueError, "the rule is one of sqrt.*, not 'best'"),
    (lambda: rnp.histogram(rnp.ones(3), weights=rnp.ones(2)), ShapeError, r"weights have shape \[2\] and x has \[3\]"),
    (lambda: rnp.histogramdd(rnp.ones((5, 2)), [1, 2, 3]), ShapeError, "3 bins and 2 ranges for 2 coordinates"),
    (lambda: rnp.bincount(rnp.ones((2, 2))), ShapeError, "bincount: takes a vector, not an array of rank 2"),
    (lambda: rnp.bincount(rnp.ones(2)), DTypeError, "bincount: counts integers, not f32"),
    (lambda: rnp.bincount(rnp.arange(2), minlength=-1), AttributeValueError, "minlength is -1"),
    (lambda: rnp.interp(1.0, rnp.ones(2), rnp.ones(3)), ShapeError, r"have shapes \[2\] and \[3\]"),
    (lambda: rnp.interp(1.0, rnp.ones(0), rnp.ones(0)), ShapeError, "no points"),
    (lambda: rnp.interp(1.0, rnp.ones(2), rnp.ones(2), period=0), AttributeValueError, "the period is 0"),
    (lambda: rnp.gradient(rnp.ones(1)), ShapeError, "axis 0 has 1 samples, and at least 2"),
    (lambda: rnp.gradient(rnp.ones((3, 3)), 1.0, 2.0, 3.0), ShapeError, "3 spacings for 2 axes"),
    (lambda: rnp.gradient(rnp.ones(3), rnp.ones(2)), ShapeError, r"places of shape \[2\] for axis 0 of size 3"),
    (lambda: rnp.convolve(rnp.ones((2, 2)), rnp.ones(2)), ShapeError, "convolve: takes vectors"),
    (lambda: rnp.convolve(rnp.ones(2), rnp.ones(0)), ShapeError, "a vector has no elements"),
    (lambda: rnp.correlate(rnp.ones(2), rnp.ones(1), "half"), AttributeValueError, "not 'half'"),
    (lambda: rnp.pad(rnp.ones(2), 1, mode="mirror"), AttributeValueError, "not 'mirror'"),
    (lambda: rnp.pad(rnp.ones(2), 1, mode="mean", stat_length=0), AttributeValueError, "stat_length is 0"),
    (lambda: rnp.average(rnp.ones((2, 3)), weights=rnp.ones(4)), ShapeError, r"weights have shape \[4\], not \[2, 3\]"),
    (lambda: rnp.cov(rnp.ones((2, 3, 4))), ShapeError, "not an array of rank 3"),
    (lambda: rnp.cov(rnp.ones((2, 3)), aweights=rnp.ones(2)), ShapeError, r"shape \[2\], and there are 3 observations"),
    (lambda: rnp.array_split(rnp.ones(3), 0), AttributeValueError, "there are 0 parts"),
    (lambda: rnp.vsplit(rnp.ones(3), 1), ShapeError, "vsplit: takes arrays with at least 2 axes, not 1"),
    (lambda: rnp.fliplr(rnp.ones(3)), ShapeError, "fliplr: takes arrays with at least 2 axes, not 1"),
    (lambda: rnp.rot90(rnp.ones((2, 2)), axes=(0, 0)), ShapeError, "name an axis twice"),
    (lambda: rnp.rollaxis(rnp.ones((2, 2)), 0, 3), ShapeError, "start 3 is out of range for rank 2"),
    (lambda: rnp.block([rnp.ones(2), [rnp.ones(2)]]), ShapeError, "a list holds depths 0, 1"),
    (lambda: rnp.block([]), ShapeError, "a list holds nothing"),
    (lambda: rnp.delete(rnp.ones(3), 3), BoundsError, "position 3 is out of range for an axis of size 3"),
    (lambda: rnp.insert(rnp.ones(3), 4, 0.0), BoundsError, "position 4 is out of range for an axis of size 3"),
    (lambda: rnp.insert(rnp.ones((2, 3)), 0, rnp.ones(2), axis=0), ShapeError, "does not broadcast"),
    (lambda: rnp.trim_zeros(rnp.ones(3), "x"), AttributeValueError, "not 'x'"),
    (lambda: rnp.place(rnp.ones(3), rnp.ones(2), 1.0), ShapeError, r"the mask has shape \[2\] and x has \[3\]"),
    (lambda: rnp.select([], []), ShapeError, "0 conditions for 0 choices"),
    (lambda: rnp.select([rnp.ones(2)], [1.0]), DTypeError, "conditions are truth values, not f32"),
    (lambda: rnp.piecewise(rnp.ones(2), [rnp.ones(2) > 0], []), ShapeError, "0 functions for 1 conditions"),
    (lambda: rnp.choose(rnp.ones(2), [1.0]), DTypeError, "choices are counted by integers, not f32"),
    (lambda: rnp.polyint(rnp.ones(2), 2, [1.0, 2.0, 3.0]), ShapeError, "3 constants for 2 integrations"),
    (lambda: rnp.polyder(rnp.ones(2), -1), AttributeValueError, "m is -1"),
    (lambda: rnp.vander(rnp.ones((2, 2))), ShapeError, "takes a vector"),
    (lambda: rnp.geomspace(0.0, 1.0), AttributeValueError, "no multiple of 0"),
    (lambda: rnp.logspace(0.0, 1.0, -1), AttributeValueError, "num is -1"),
    (lambda: rnp.ix_(rnp.ones((2, 2))), ShapeError, "takes vectors"),
    (
        lambda: rnp.ravel_multi_index((np.array([3]),), (3,)),
        BoundsError,
        "position 3 is out of range for axis 0 of size 3",
    ),
    (
        lambda: rnp.unravel_index([4, 9], (3, 3)),
        BoundsError,
        "position 9 is out of range for an array of size 9",
    ),
    (lambda: rnp.put(rnp.ones(3), [0, 3], 2.0), BoundsError, "index 3 is out of range for axis 0 of size 3"),
    (lambda: rnp.choose([0, 2], [1.0, 2.0]), BoundsError, "2 is no number of one of 2 choices"),
    (lambda: rnp.unravel_index(rnp.ones(2), (3,)), DTypeError, "positions are integers, not f32"),
    (lambda: rnp.packbits(rnp.ones(8)), DTypeError, "takes integers and truth values, not f32"),
    (lambda: rnp.unpackbits(rnp.arange(3)), DTypeError, "takes u8, not i32"),
    (lambda: rnp.gcd(rnp.ones(2), 2), DTypeError, "gcd takes integers, not f32"),
    (lambda: rnp.ldexp(1.0, rnp.ones(2)), DTypeError, "powers are integers, not f32"),
    (lambda: rnp.frombuffer(b"abc", np.int16), AttributeValueError, "frombuffer: buffer size"),
    (lambda: rnp.fromiter([1], int, 2), AttributeValueError, "there are 1 numbers, not 2"),
    (lambda: rnp.matvec(rnp.ones(2), rnp.ones(2)), ShapeError, "matvec: takes matrices, not an array of rank 1"),
    (lambda: rnp.nanmax(rnp.ones((0,))), ShapeError, "axis 0 has no elements"),
    (lambda: rnp.nansum(rnp.ones(2), axis=1), ShapeError, "axis 1 is out of range for rank 1"),
]


@pytest.mark.parametrize(("call", "error", "message"), ERRORS, ids=[str(i) for i in range(len(ERRORS))])
def test_errors(call: Callable[[], Any], error: type[RosinError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        call()
    assert "test_numpy_rest.py" in str(caught.value)
