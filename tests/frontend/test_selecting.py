"""Results whose size depends on data, compiled, interpreted and eager, against NumPy; and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.frontend.errors import BoundsError, ControlFlowError
from rosin.ir.errors import AttributeValueError, ConstraintError, DTypeError, ShapeError, TraceError

RNG = np.random.default_rng(7)
LINE = RNG.standard_normal(37).astype(np.float32)
ROWS = RNG.standard_normal((6, 7)).astype(np.float32)
DEEP = RNG.standard_normal((6, 7, 3)).astype(np.float32)
ZERO = np.float32(0)
TARGETS = ("interpreter", "llvm")


def agree(f: Callable[..., Any], expected: Any, *arguments: Any) -> None:
    """What a function gives, in both targets, is what NumPy gave, in shape too."""
    for target in TARGETS:
        found = rosin.compile(f, target=target)(*map(rnp.asarray, arguments))
        wanted = expected if isinstance(expected, tuple) else (expected,)
        for x, y in zip(found if isinstance(found, tuple) else (found,), wanted, strict=True):
            assert np.shape(x) == np.shape(y), target
            np.testing.assert_allclose(np.asarray(x), y, rtol=2e-5, atol=1e-6)


MASKS: list[tuple[str, Callable[[Any], Any], np.ndarray[Any, Any]]] = [
    ("line", lambda x: x[x > 0], LINE),
    ("none", lambda x: x[x > 100], LINE),
    ("all", lambda x: x[x > -100], LINE),
    ("whole", lambda x: x[x > 0], DEEP),
    ("first two axes", lambda x: x[x[:, :, 0] > 0], DEEP),
    ("rows", lambda x: x[x[:, 0, 0] > 0], DEEP),
    ("second axis", lambda x: x[:, x[0, :, 0] > 0], DEEP),
    ("last axes", lambda x: x[:, x[0] > 0], DEEP),
    ("beside a number", lambda x: x[x[:, 0, 0] > 0, 2], DEEP),
    ("beside a slice", lambda x: x[x[:, 0, 0] > 0, 1:6:2], DEEP),
    ("of what was picked", lambda x: (lambda y: y[y < 0.5])(x[x > 0]), LINE),
    ("and a slice of it", lambda x: x[x > 0][2:], LINE),
]


@pytest.mark.parametrize(("f", "x"), [case[1:] for case in MASKS], ids=[case[0] for case in MASKS])
def test_masks(f: Callable[[Any], Any], x: np.ndarray[Any, Any]) -> None:
    agree(f, f(x), x)
    np.testing.assert_array_equal(f(rnp.asarray(x)), f(x))


def test_where_elements_are_not_zero() -> None:
    for x in (LINE, ROWS, DEEP):
        agree(lambda x: rnp.nonzero(x > 0.3), np.nonzero(x > 0.3), x)
        agree(lambda x: rnp.argwhere(x > 0.3), np.argwhere(x > 0.3), x)
        agree(lambda x: rnp.flatnonzero(x > 0.3), np.flatnonzero(x > 0.3), x)
        for found, expected in zip(rnp.nonzero(rnp.asarray(x) > 0.3), np.nonzero(x > 0.3), strict=True):
            np.testing.assert_array_equal(found, expected)
    numbers = np.array([0, 3, 0, -1])
    agree(rnp.nonzero, np.nonzero(numbers), numbers)


def test_extract_and_compress() -> None:
    agree(lambda x: rnp.extract(x > 0, x), np.extract(ROWS > 0, ROWS), ROWS)
    for axis in (0, 1, -1):
        keep = np.arange(ROWS.shape[axis]) % 3 != 1
        agree(lambda k, x, a=axis: rnp.compress(k, x, axis=a), np.compress(keep, ROWS, axis=axis), keep, ROWS)
        np.testing.assert_array_equal(rnp.compress(keep, ROWS, axis=axis), np.compress(keep, ROWS, axis=axis))
    with pytest.raises(ShapeError, match=r"a condition of shape \[2\] for axis 1 of size 7"):
        rnp.compress(np.array([True, False]), ROWS, axis=1)
    with pytest.raises(ShapeError, match="condition and x differ in shape"):
        rnp.extract(ROWS[0] > 0, ROWS)


def test_a_fixed_number_of_them() -> None:
    for size in (0, 3, 12, 40):
        where = np.concatenate([np.flatnonzero(LINE > 0), np.full(40, -1)])[:size]
        filled = np.concatenate([LINE[LINE > 0], np.full(40, 9.0)])[:size]
        agree(lambda x, n=size: rnp.nonzero(x > 0, size=n, fill_value=-1)[0], where, LINE)
        agree(lambda x, n=size: rnp.extract(x > 0, x, size=n, fill_value=9), filled, LINE)
        np.testing.assert_array_equal(rnp.nonzero(LINE > 0, size=size, fill_value=-1)[0], where)
        np.testing.assert_array_equal(rnp.extract(LINE > 0, LINE, size=size, fill_value=9), filled)
    found = rosin.vmap(lambda x: rnp.nonzero(x > 0, size=4, fill_value=(-1,))[0])(rnp.asarray(ROWS))
    expected = [np.concatenate([np.flatnonzero(row > 0), np.full(4, -1)])[:4] for row in ROWS]
    np.testing.assert_array_equal(found, expected)
    pairs = rosin.compile(lambda x: rnp.argwhere(x > 0, size=50, fill_value=-1))(ROWS)
    np.testing.assert_array_equal(pairs[: (ROWS > 0).sum()], np.argwhere(ROWS > 0))
    assert (np.asarray(pairs[(ROWS > 0).sum() :]) == -1).all()


WORK: list[tuple[str, Callable[[Any], Any], Callable[[Any], Any], np.ndarray[Any, Any]]] = [
    ("normalize", lambda x: x[x > 0] / rnp.sum(x[x > 0]), lambda x: x[x > 0] / x[x > 0].sum(), LINE),
    ("mean", lambda x: rnp.mean(x[x > 0]), lambda x: x[x > 0].mean(), LINE),
    ("max", lambda x: rnp.max(x[x > 0]), lambda x: x[x > 0].max(), LINE),
    ("cumsum", lambda x: rnp.cumsum(x[x > 0]), lambda x: np.cumsum(x[x > 0]), LINE),
    ("outer", lambda x: x[x > 0][:, None] * x[x < 0], lambda x: x[x > 0][:, None] * x[x < 0], LINE),
    ("matmul", lambda x: x[x[:, 0] > 0] @ x.T, lambda x: x[x[:, 0] > 0] @ x.T, ROWS),
    ("gram", lambda x: x[x[:, 0] > 0] @ x[x[:, 0] > 0].T, lambda x: x[x[:, 0] > 0] @ x[x[:, 0] > 0].T, ROWS),
    ("partition", lambda x: rnp.concat([x[x > 0], x[x <= 0]]), lambda x: np.concatenate([x[x > 0], x[x <= 0]]), LINE),
    ("arange", lambda x: rnp.arange(x[x > 0].shape[0]), lambda x: np.arange((x > 0).sum()), LINE),
    ("zeros", lambda x: rnp.zeros((x[x > 0].shape[0], 2)), lambda x: np.zeros(((x > 0).sum(), 2)), LINE),
    ("the size", lambda x: x[x > 0].shape[0], lambda x: (x > 0).sum(), LINE),
    ("same size", lambda x: x[x > 0] + (2 * x)[x > 0], lambda x: 3 * x[x > 0], LINE),
    ("whole", lambda x: x[x > -100] + x, lambda x: 2 * x, LINE),
    ("head", lambda x: x[: rosin.size(rnp.sum(x > 0), max=37)], lambda x: x[: (x > 0).sum()], LINE),
    ("set", lambda x: x.at[x > 0].set(x[x > 0] * 3), lambda x: np.where(x > 0, x * 3, x), LINE),
    ("put back", lambda x: x.at[x > 0].add(x[x > 0][::-1] * 0), lambda x: x, LINE),
    (
        "softmax",
        lambda x: rosin.nn.softmax(x[x > 0]),
        lambda x: np.exp(x[x > 0]) / np.exp(x[x > 0]).sum(),
        LINE,
    ),
    (
        "scan",
        lambda x: rosin.scan(lambda c, r: (c * 0.5 + r, c), rnp.zeros(()), x[x > 0])[1],
        lambda x: np.array(
            list(accumulate(x[x > 0], lambda c, r: c * np.float32(0.5) + r, initial=np.float32(0)))[:-1]
        ),
        LINE,
    ),
    (
        "checkpoint",
        lambda x: rosin.checkpoint(lambda x: rnp.sin(x[x > 0]))(x) * 2,
        lambda x: np.sin(x[x > 0]) * 2,
        LINE,
    ),
]


@pytest.mark.parametrize("case", WORK, ids=[case[0] for case in WORK])
def test_what_follows(case: Any) -> None:
    _, f, reference, x = case
    agree(f, reference(x), x)


def test_fused_with_what_follows() -> None:
    f = rosin.compile(lambda x: rnp.sum(rnp.sqrt(x[x > 0]) * 2 + 1))
    kernels = [line for line in f.text(rnp.asarray(LINE), stage="loops").splitlines() if line.startswith("kernel")]
    assert len(kernels) == 3, "the mask with its sum, the places, and all the rest"


def test_symbolic_sizes_below() -> None:
    f = rosin.compile(lambda x: x[x > 0] * 2, dynamic={"x": 0})
    by_itself = rosin.compile(lambda x: x[x > 0] * 2)
    for n in (5, 0, 1, 37, 1000, 20):
        x = RNG.standard_normal(n).astype(np.float32)
        np.testing.assert_array_equal(f(x), x[x > 0] * 2)
        np.testing.assert_array_equal(by_itself(x), x[x > 0] * 2)
    assert len(f.signatures()) == 1


def test_results_give_back_what_they_do_not_need() -> None:
    x = np.zeros(100_000, np.float32)
    x[:10] = 1
    found = np.asarray(rosin.compile(lambda x: (x[x > 0], x[x < 1].shape[0]))(x)[0])
    assert found.shape == (10,)
    assert found.nbytes == 40
    assert found.flags.owndata or found.base is not None


def test_repeat_by_counts() -> None:
    x, counts = ROWS, np.array([2, 0, 3, 1, 0, 1])
    expected = np.repeat(x, counts, axis=0)

    def ragged(x: Any, counts: Any) -> Any:
        return rnp.repeat(x, counts, axis=0, total_repeat_length=rosin.size(rnp.sum(counts), max=20))

    agree(ragged, expected, x, counts)
    agree(ragged, x[:0], x, counts * 0)
    agree(lambda x, c: rnp.repeat(x, c, axis=0, total_repeat_length=7), expected, x, counts)
    agree(lambda x, c: rnp.repeat(x, c, axis=0, total_repeat_length=5), expected[:5], x, counts)
    longer = np.concatenate([expected, x[-1:], x[-1:]])
    agree(lambda x, c: rnp.repeat(x, c, axis=0, total_repeat_length=9), longer, x, counts)
    agree(lambda x, c: rnp.repeat(x[0], c[0], total_repeat_length=14), np.repeat(x[0], 2), x, counts + 0 * counts)
    np.testing.assert_array_equal(rnp.repeat(x, counts, axis=0), expected)
    np.testing.assert_array_equal(rnp.repeat(x, counts, axis=0, total_repeat_length=7), expected)
    slope = rosin.grad(lambda x: rnp.sum(ragged(x, rnp.asarray(counts))))
    agree(slope, np.broadcast_to(counts[:, None], x.shape), x)
    with pytest.raises(TraceError, match="give total_repeat_length="):
        rosin.compile(lambda x, c: rnp.repeat(x, c, axis=0))(x, counts)
    with pytest.raises(ShapeError, match="2 counts for axis 0 of size 6"):
        rosin.compile(lambda x, c: rnp.repeat(x, c, axis=0, total_repeat_length=3))(x, counts[:2])


# -- derivatives -------------------------------------------------------------------------------------------------------


def test_gradients() -> None:
    for loss, expected in [
        (lambda x: rnp.sum(x[x > 0] ** 2), np.where(LINE > 0, 2 * LINE, 0)),
        (lambda x: rnp.mean(x[x > 0]), (LINE > 0) / (LINE > 0).sum()),
        (lambda x: rnp.sum(rosin.checkpoint(lambda x: x[x > 0] ** 3)(x)), np.where(LINE > 0, 3 * LINE**2, 0)),
    ]:
        np.testing.assert_allclose(rosin.grad(loss)(rnp.asarray(LINE)), expected, rtol=1e-5)
        agree(rosin.grad(loss), expected, LINE)
    agree(rosin.hessian(lambda x: rnp.sum(x[x > 0] ** 3)), np.diag(np.where(LINE > 0, 6 * LINE, 0)), LINE)
    tangent = rosin.jvp(lambda x: x[x > 0] ** 2, (rnp.asarray(LINE),), (rnp.ones(37),))[1]
    np.testing.assert_allclose(tangent, 2 * LINE[LINE > 0], rtol=1e-6)
    y, pull = rosin.vjp(lambda x: x[x > 0] ** 2, rnp.asarray(LINE))
    np.testing.assert_allclose(pull(rnp.ones(y.shape))[0], np.where(LINE > 0, 2 * LINE, 0), rtol=1e-6)


def test_through_loops_and_branches() -> None:
    """Against the same with `where` in place of masks."""

    def picked(c: Any, r: Any) -> Any:
        y = r[r > c]
        return c + rnp.sum(y * y) * 0.01, rnp.sum(y)

    def masked(c: Any, r: Any) -> Any:
        return c + rnp.sum(rnp.where(r > c, r * r, 0)) * 0.01, rnp.sum(rnp.where(r > c, r, 0))

    def loss(step: Any, checkpoint: Any = None) -> Callable[[Any], Any]:
        def run(m: Any) -> Any:
            c, sums = rosin.scan(step, rnp.zeros(()), m, checkpoint=checkpoint)
            return c + rnp.sum(sums**2)

        return run

    agree(loss(picked), np.asarray(loss(masked)(rnp.asarray(ROWS))), ROWS)
    expected = np.asarray(rosin.grad(loss(masked))(rnp.asarray(ROWS)))
    agree(rosin.grad(loss(picked)), expected, ROWS)
    agree(rosin.grad(loss(picked, "sqrt")), expected, ROWS)
    agree(lambda m: rosin.jvp(loss(picked), (m,), (rnp.ones_like(m),))[1], expected.sum(), ROWS)

    def branch(x: Any) -> Any:
        return rosin.cond(x[0] > 0, lambda: rnp.sum(x[x > 0] ** 2), lambda: -rnp.sum(x[x < 0]))

    for x in (LINE, -LINE):
        value = (x[x > 0] ** 2).sum() if x[0] > 0 else -x[x < 0].sum()
        agree(branch, value, x)
        agree(rosin.grad(branch), np.where(x > 0, 2 * x, 0) if x[0] > 0 else -(x < 0).astype(np.float32), x)

    def until(x: Any) -> Any:
        low = rnp.zeros(())
        while rnp.sum(x > low) > 3:
            low = rnp.mean(x[x > low])
        return low

    low = np.float32(0)
    while (LINE > low).sum() > 3:
        low = LINE[LINE > low].mean()
    agree(until, low, LINE)


def test_batches_over_something_else() -> None:
    agree(lambda x: rosin.vmap(lambda s: s * x[x > 0])(rnp.arange(3.0)), np.arange(3)[:, None] * LINE[LINE > 0], LINE)


def test_batches_of_which_each_example_has_its_own_size() -> None:
    """Against a loop in Python."""

    def until(x: Any) -> Any:
        low = rnp.zeros(())
        while rnp.sum(x > low) > 3:
            low = rnp.mean(x[x > low])
        return low

    def scanned(m: Any) -> Any:
        return rosin.scan(lambda c, r: (c + rnp.sum(r[r > c]) * 0.1, rnp.max(r[r > -9])), rnp.zeros(()), m)[1]

    cases: list[tuple[Callable[[Any], Any], Any]] = [
        (lambda r: rnp.sum(r[r > 0]), ROWS),
        (lambda r: r.at[r > 0].set(r[r > 0] * 2), ROWS),
        (lambda r: rosin.vmap(lambda low: rnp.sum(r[r > low]))(rnp.asarray([0.0, 0.5])), ROWS),
        (lambda r: rosin.cond(r[0] > 0, lambda: rnp.sum(r[r > 0]), lambda: rnp.sum(r[r < 0] ** 2)), ROWS),
        (rosin.grad(lambda r: rnp.mean(r[r > 0]) ** 2), ROWS),
        (until, ROWS),
        (scanned, DEEP),
        (rosin.grad(lambda m: rnp.sum(scanned(m) ** 2)), DEEP),
    ]
    for f, rows in cases:
        expected = np.stack([np.asarray(f(rnp.asarray(row))) for row in rows])
        agree(rosin.vmap(f), expected, rows)
    total = rosin.grad(lambda m: rnp.sum(rosin.vmap(lambda r: rnp.sum(r[r > 0] ** 2))(m)))
    agree(total, np.where(ROWS > 0, 2 * ROWS, 0), ROWS)


# -- sizes -------------------------------------------------------------------------------------------------------------


def test_a_number_as_a_size() -> None:
    assert rosin.size(3, max=5) == 3
    assert isinstance(rosin.size(rnp.asarray(2), max=5), int)
    f = rosin.compile(lambda n: rnp.arange(rosin.size(n, max=8)) * 2)
    for n in (0, 3, 8):
        np.testing.assert_array_equal(f(rnp.asarray(n)), np.arange(n) * 2)
    for bad in (-1, 9):
        with pytest.raises(ConstraintError, match=f"k = {bad}"):
            f(rnp.asarray(bad))
        with pytest.raises(AttributeValueError, match=f"{bad} is not from 0 to 8"):
            rosin.size(bad, max=8)
    with pytest.raises(DTypeError, match="made of one integer"):
        rosin.size(2.5, max=3)


def test_one_number_is_one_size() -> None:
    @rosin.compile
    def f(x: Any) -> Any:
        mask = x > 0
        assert str(x[mask].shape[0]) == str(rnp.nonzero(mask)[0].shape[0])
        return x[mask] + rnp.nonzero(mask)[0]

    np.testing.assert_allclose(f(LINE), LINE[LINE > 0] + np.flatnonzero(LINE > 0))


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_sizes_that_do_not_fit(target: str) -> None:
    def compiled(f: Callable[..., Any]) -> Callable[..., Any]:
        return rosin.compile(f, target=target)

    f = compiled(lambda x, y: x[x > 0] + y)
    fits = np.ones((LINE > 0).sum(), np.float32)
    np.testing.assert_allclose(f(LINE, fits), LINE[LINE > 0] + 1)
    with pytest.raises(ShapeError, match=r"test_selecting\.py"):
        f(LINE - 100, fits)
    with pytest.raises(ShapeError, match=r"test_selecting\.py"):
        compiled(lambda x: rnp.max(x[x > 100]))(LINE)
    g = compiled(lambda x: x[x > 0] + x[x < 0])
    with pytest.raises(ShapeError):
        g(LINE)
    np.testing.assert_allclose(g(np.array([1, -2, -3, 4], np.float32)), [-1, 1])


@pytest.mark.parametrize(
    ("f", "error", "message"),
    [
        (lambda x: rosin.vmap(lambda r: r[r > 0])(x), ShapeError, "each of the 6 examples .* size="),
        (lambda x: 1 if x[x > 0].shape[0] > 3 else 2, TraceError, "known only when the program runs"),
        (lambda x: list(range(x[x > 0].shape[0])), TraceError, "the program counts it when it runs"),
        (lambda x: x[x[0] > 0], BoundsError, r"a mask of shape \[7\] for axes of sizes \[6\]"),
        (lambda x: rosin.scan(lambda c, r: (c, r[r > 0]), 0.0, x), ControlFlowError, "counts in each step or branch"),
        (lambda x: rosin.cond(x[0, 0] > 0, lambda: x[x > 0], lambda: x[x < 0]), ControlFlowError, "different types"),
        (lambda x: rnp.nonzero(x[0, 0]), ShapeError, "a scalar has no axis"),
        (lambda x: rnp.nonzero(x, size=3, fill_value=(1,)), AttributeValueError, "1 fill values for 2 axes"),
    ],
)
def test_refused_while_tracing(f: Callable[[Any], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message.replace(" .* ", r"[\s\S]*")):
        rosin.compile(f)(ROWS)


def test_where_of_a_condition_alone() -> None:
    mask = np.array([[True, False], [True, True]])
    for found, expected in zip(rnp.where(rnp.asarray(mask)), np.where(mask), strict=True):
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(TypeError, match="not with one"):
        rnp.where(mask, 1.0, None)  # pyright: ignore[reportCallIssue, reportArgumentType]  # refused


def test_a_cotangent_of_a_known_size_for_a_value_whose_size_is_data() -> None:
    """The sizes are compared when the count is known, as for any two operands."""

    def slope(x: Any, cotangent: Any) -> Any:
        return rosin.vjp(lambda x: x[x > 0] ** 2, x)[1](cotangent)[0]

    x = np.asarray([3.0, -1.0, 2.0, -0.5], np.float32)
    agree(slope, np.asarray([6.0, 0.0, 8.0, 0.0]), x, np.asarray([1.0, 2.0], np.float32))
    for target in TARGETS:
        with pytest.raises((ConstraintError, ShapeError), match="3"):
            rosin.compile(slope, target=target)(rnp.asarray(x), rnp.ones(3))
