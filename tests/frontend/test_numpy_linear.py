"""Products of vectors, matrices and arrays, and einsum, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import rosin
from rosin import numpy as rnp
from rosin.ir import dtypes
from rosin.ir.errors import AttributeValueError, DTypeError, ShapeError
from tests.frontend.agree import check, near

RANDOM = np.random.default_rng(1)


def _array(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape)


@given(shapes=mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=3, max_side=4))
def test_matmul_of_every_rank(shapes: Any) -> None:
    a, b = (_array(*s) for s in shapes.input_shapes)
    near(rnp.matmul(a, b), np.matmul(a, b), 1e-12)


@pytest.mark.parametrize(
    "shapes",
    [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((4, 2, 3), (3, 5)), ((2, 3), (4, 3, 5)), ((3,), (4, 3, 5)),
     ((4, 2, 3), (3,)), ((4, 1, 2, 3), (5, 3, 2)), ((2, 0), (0, 3)), ((1, 2, 3), (4, 3, 1))],
)  # fmt: skip
def test_matmul(shapes: Any) -> None:
    a, b = (_array(*s) for s in shapes)
    check(lambda a, b: a @ b, a, b, expected=a @ b, tolerance=1e-12)
    whole = [(x * 10).astype(np.int8) for x in (a, b)]
    check(rnp.matmul, *whole, expected=whole[0] @ whole[1])


def test_a_matmul_is_one_product() -> None:
    text = rosin.compile(lambda a, b: a @ b).text(_array(4, 2, 3), _array(3, 5))
    assert text.count("dot_general(") == 1
    assert "transpose" not in text
    assert "broadcast" not in text


def test_matmul_refuses() -> None:
    with pytest.raises(ShapeError, match=r"matmul: the inner sizes differ: 3 \(the last axis of the left\) and 4"):
        rnp.ones((2, 3)) @ rnp.ones((4, 5))
    with pytest.raises(ShapeError, match="takes vectors and matrices, not a number"):
        rnp.ones((2, 3)) @ 2.0
    with pytest.raises(ShapeError, match=r"matmul: shapes \[2\] and \[3\] do not broadcast"):
        rnp.ones((2, 1, 1)) @ rnp.ones((3, 1, 1))
    with pytest.raises(DTypeError, match="matmul takes numbers, not bool"):
        rnp.matmul(np.ones((1, 1), bool), np.ones((1, 1), bool))


@pytest.mark.parametrize("shapes", [((), (3,)), ((3,), (3,)), ((2, 3), (3, 4)), ((2, 3), (3,)), ((2, 3), (4, 3, 5))])
def test_dot_and_inner(shapes: Any) -> None:
    a, b = (_array(*s) for s in shapes)
    check(rnp.dot, a, b, expected=np.asarray(np.dot(a, b)), tolerance=1e-12)
    b = np.moveaxis(b, -2, -1) if b.ndim > 1 else b
    check(rnp.inner, a, b, expected=np.asarray(np.inner(a, b)), tolerance=1e-12)


@pytest.mark.parametrize(
    ("shapes", "axes"),
    [(((2, 3, 4), (3, 4, 5)), 2), (((2, 3), (4, 5)), 0), (((2, 3, 4), (4, 2)), ((0, 2), (1, 0))), (((3,), (3,)), 1),
     (((2, 3, 4), (5, 3)), ((-2,), (-1,))), (((), (2,)), 0)],
)  # fmt: skip
def test_tensordot(shapes: Any, axes: Any) -> None:
    a, b = (_array(*s) for s in shapes)
    check(lambda a, b: rnp.tensordot(a, b, axes=axes), a, b, expected=np.tensordot(a, b, axes), tolerance=1e-12)


def test_tensordot_refuses() -> None:
    with pytest.raises(ShapeError, match="axis 1 of the left has size 3 and axis 0 of the right 4"):
        rnp.tensordot(np.ones((2, 3)), np.ones((4, 2)), axes=1)
    with pytest.raises(ShapeError, match="3 axes are to be summed over"):
        rnp.tensordot(np.ones((2, 3)), np.ones((4, 2)), axes=3)
    with pytest.raises(ShapeError, match="1 axes of the left and 2 of the right are paired"):
        rnp.tensordot(np.ones((2, 3)), np.ones((2, 3)), axes=((0,), (0, 1)))


@pytest.mark.parametrize(
    ("shapes", "axis"), [(((2, 3), (2, 3)), -1), (((2, 3), (3,)), -1), (((4, 3, 2), (1, 3, 2)), -2)]
)
def test_vecdot(shapes: Any, axis: int) -> None:
    a, b = (_array(*s) for s in shapes)
    check(lambda a, b: rnp.vecdot(a, b, axis=axis), a, b, expected=np.vecdot(a, b, axis=axis), tolerance=1e-12)
    with pytest.raises(ShapeError, match="vecdot: axis -1 has sizes 3 and 4"):
        rnp.vecdot(np.ones(3), np.ones(4))


def test_outer_and_trace() -> None:
    a, b, x = _array(2, 3), _array(4), _array(2, 3, 4)
    check(rnp.outer, a, b, expected=np.outer(a, b))
    for offset in (-1, 0, 2):
        expected = np.trace(x, offset)
        check(lambda x, k=offset: rnp.trace(x, offset=k), x, expected=expected, tolerance=1e-12)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("ord", [2, 1, 0, 3, 0.5, np.inf, -np.inf, -1])
@pytest.mark.parametrize("axis", [None, 0, (0, 2)])
def test_vector_norm(ord: float, axis: Any) -> None:
    x = _array(2, 3, 4)
    for keepdims in (False, True):
        expected = np.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)
        check(
            lambda x, k=keepdims: rnp.vector_norm(x, axis=axis, keepdims=k, ord=ord), x,
            expected=np.asarray(expected, np.float64), tolerance=1e-12,
        )  # fmt: skip


# -- einsum ----------------------------------------------------------------------------------------------------------

SIZES = dict(zip("abcdeijklmn", (2, 3, 4, 2, 3, 2, 3, 4, 5, 2, 3), strict=True))


@pytest.mark.parametrize(
    "equation",
    ["i,i->", "i,j->ij", "ij->ji", "ij->", "ij->j", "ii->i", "ii->", "iij->j", "iji->ji", "ij,jk->ik", "ij,jk", "ba,b",
     "bij,bjk->bik", "bij,bkj->bik", "ij,ij->ij", "ij,ij->i", "ij,kj,lk->il", "ij,jk,kl,lm->im", "ab,bc,cd,de->ae",
     "a,ab,abc->c", "abc,cd->abd", "ij,j,i->", "abcd,abcd->dcba", "i,->i", ",->", "ii,jj->ij", "ab,cd->", "iij,jkk->ik",
     " i j , j k -> i k ", "aij,bjk,aik->b"],
)  # fmt: skip
def test_einsum(equation: str) -> None:
    left = equation.replace(" ", "").split("->")[0]
    arrays = [_array(*(SIZES[letter] for letter in part)) for part in left.split(",")]
    expected = np.asarray(np.einsum(equation, *arrays))
    check(lambda *xs: rnp.einsum(equation, *xs), *arrays, expected=expected, tolerance=1e-11)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [("...ij,...jk->...ik", ((5, 2, 3), (3, 4))), ("...ij,...jk->...ik", ((5, 1, 2, 3), (1, 6, 3, 4))),
     ("...i->...", ((2, 3),)), ("i...->...i", ((2, 3, 4),)), ("...,...", ((2, 1), (3,))), ("...i,i", ((2, 3), (3,))),
     ("i...j->j...i", ((2, 3, 4),)),
     ("b...,b...->...", ((2, 1), (2, 5)))],
)  # fmt: skip
def test_einsum_with_dots(equation: str, shapes: Any) -> None:
    arrays = [_array(*s) for s in shapes]
    expected = np.asarray(np.einsum(equation, *arrays))
    check(lambda *xs: rnp.einsum(equation, *xs), *arrays, expected=expected, tolerance=1e-12)


def test_einsum_sums_over_dots() -> None:
    a, b = _array(2, 1, 3), _array(2, 4, 3)
    expected = np.einsum("abi,abi->i", np.broadcast_to(a, b.shape), b)
    check(lambda a, b: rnp.einsum("...i,...i->i", a, b), a, b, expected=expected, tolerance=1e-12)
    check(lambda b: rnp.einsum("...->", b), b, expected=np.asarray(b.sum()), tolerance=1e-12)


@given(data=st.data())
def test_random_equations(data: st.DataObject) -> None:
    letters = st.lists(st.sampled_from("abcde"), min_size=0, max_size=3)
    parts = data.draw(st.lists(letters, min_size=1, max_size=4))
    used = sorted({letter for part in parts for letter in part})
    output = data.draw(st.permutations(used))[: data.draw(st.integers(0, len(used)))] if used else []
    equation = ",".join("".join(p) for p in parts) + "->" + "".join(output)
    arrays = [_array(*(SIZES[letter] for letter in part)) for part in parts]
    near(rnp.einsum(equation, *arrays), np.asarray(np.einsum(equation, *arrays)), 1e-10)


def test_einsum_contracts_pair_by_pair() -> None:
    text = rosin.compile(lambda a, b, c: rnp.einsum("ij,jk,k->i", a, b, c)).text(_array(6, 7), _array(7, 8), _array(8))
    # The vector goes first: two matrix-vector products, no matrix product.
    assert text.count("dot_general(") == 2
    assert "[6, 8]" not in text


def test_einsum_refuses() -> None:
    a, b = np.ones((2, 3)), np.ones((4, 5))
    with pytest.raises(ShapeError, match="einsum: 'j' in 'ij,jk->ik' has sizes 3 and 4"):
        rnp.einsum("ij,jk->ik", a, b)
    with pytest.raises(AttributeValueError, match="is for 1 operands, and there are 2"):
        rnp.einsum("ij->ji", a, b)
    with pytest.raises(ShapeError, match="'ijk' in 'ijk->i' names 3 axes of an array of rank 2"):
        rnp.einsum("ijk->i", a)
    with pytest.raises(AttributeValueError, match="'k' of the result of 'ij->k' is in no operand"):
        rnp.einsum("ij->k", a)
    with pytest.raises(AttributeValueError, match="'i' is twice in the result"):
        rnp.einsum("ij->ii", a)
    with pytest.raises(AttributeValueError, match="'1' in 'i1->i' is neither a letter"):
        rnp.einsum("i1->i", a)


def test_derivatives_of_products() -> None:
    a, b = _array(2, 3), _array(4, 3, 5)

    def f(a: Any, b: Any) -> Any:
        y = rnp.einsum("ij,bjk,bjk->bi", a, b, b)
        return rnp.sum(y * y) + rnp.sum(rnp.matmul(a, b) ** 2) + rnp.vector_norm(a)

    for which, x in enumerate((a, b)):
        gradient = np.asarray(rosin.grad(f, argnums=which)(a, b))
        direction = _array(*x.shape)
        args = [
            [rnp.asarray(v + s * 1e-6 * direction if i == which else v) for i, v in enumerate((a, b))] for s in (1, -1)
        ]
        assert np.sum(gradient * direction) == pytest.approx((float(f(*args[0])) - float(f(*args[1]))) / 2e-6, rel=1e-6)


# -- preferred element types -----------------------------------------------------------------------------------------

PREFERRED = [
    ("i8", "i32"),
    ("u8", "i32"),
    ("u8", "u16"),
    ("bf16", "f32"),
    ("f32", "f64"),
    ("i8", "f32"),
    ("c64", "c128"),
]
PRODUCTS: dict[str, tuple[Any, tuple[int, ...], tuple[int, ...]]] = {
    "matmul": (rnp.matmul, (3, 40), (40, 5)),
    "matmul of stacks": (rnp.matmul, (2, 1, 3, 40), (4, 40, 5)),
    "matmul of a vector": (rnp.matmul, (40,), (2, 40, 3)),
    "dot": (rnp.dot, (3, 40), (2, 40, 5)),
    "dot of a number": (rnp.dot, (), (40,)),
    "inner": (rnp.inner, (3, 40), (5, 40)),
    "vdot": (lambda a, b, **k: rnp.vdot(rnp.real(a), b, **k), (4, 10), (40,)),
    "vecdot": (lambda a, b, **k: rnp.vecdot(rnp.real(a), b, **k), (3, 40), (40,)),
    "tensordot": (rnp.tensordot, (3, 4, 10), (4, 10, 5)),
    "tensordot of nothing": (lambda a, b, **k: rnp.tensordot(a, b, axes=0, **k), (3,), (4,)),
    "einsum": (lambda a, b, **k: rnp.einsum("ij,jk,j->ik", a, b, b[:, 0], **k), (3, 40), (40, 5)),
    "einsum of one": (lambda a, b, **k: rnp.einsum("ij->j", a, **k), (40, 5), ()),
    "einsum of no sum": (lambda a, b, **k: rnp.einsum("i,j->ij", a, b, **k), (3,), (4,)),
}


@pytest.mark.thinned(2)
@pytest.mark.parametrize(("own", "wanted"), PREFERRED)
@pytest.mark.parametrize("name", PRODUCTS)
def test_preferred_element_types(name: str, own: str, wanted: str) -> None:
    """Numbers of which the wide type holds all sums, and the narrow one does not."""
    function, *shapes = PRODUCTS[name]
    numbers = [RANDOM.integers(0 if own[0] == "u" else -11, 12, shape) for shape in shapes]
    narrow = [n.astype(dtypes.BY_NAME[own].numpy) for n in numbers]
    expected = np.asarray(function(*(rnp.asarray(n.astype(np.int64)) for n in numbers)))
    expected = expected.astype(dtypes.BY_NAME[wanted].numpy)
    check(lambda a, b: function(a, b, preferred_element_type=wanted), *narrow, expected=expected)


@pytest.mark.parametrize("function", [rnp.matmul, lambda a, b, **k: rnp.einsum("ij,jk->ik", a, b, **k)])
def test_derivatives_with_preferred_element_types(function: Any) -> None:
    a, b = (_array(*shape).astype(dtypes.bf16.numpy) for shape in ((3, 40), (40, 5)))
    weights = _array(3, 5).astype(np.float32)
    wide = [x.astype(np.float32) for x in (a, b)]

    def loss(a: Any, b: Any) -> Any:
        return rnp.sum(function(a, b, preferred_element_type="f32") * weights)

    found = rosin.compile(rosin.grad(loss, argnums=(0, 1)))(a, b)
    for gradient, expected in zip(found, (weights @ wide[1].T, wide[0].T @ weights), strict=True):
        # It is computed in f32, and rounded once.
        near(gradient, expected.astype(dtypes.bf16.numpy), 8e-3)
    moved = rosin.jvp(lambda a: function(a, b, preferred_element_type="f32"), (a,), (a,))[1]
    near(moved, wide[0] @ wide[1], 1e-5)
    stacked = rosin.vmap(lambda a: function(a, b, preferred_element_type="f32"))(np.stack([a, -a]))
    near(stacked, np.stack([wide[0] @ wide[1], -wide[0] @ wide[1]]), 1e-5)


def test_preferred_element_types_that_hold_no_product() -> None:
    for own, wanted in (("f32", "bf16"), ("f32", "i32"), ("i32", "i8"), ("i8", "u32"), ("f32", "c64"), ("f16", "bf16")):
        x = rnp.ones((2, 2), own)
        with pytest.raises(
            DTypeError, match=rf"matmul: preferred_element_type {wanted} does not hold products of {own}"
        ):
            rnp.matmul(x, x, preferred_element_type=wanted)
    with pytest.raises(DTypeError, match="einsum takes numbers, not bool"):
        rnp.einsum("i,i->", np.ones(2, bool), np.ones(2, bool), preferred_element_type="i32")


@pytest.mark.peers
@pytest.mark.parametrize(("own", "wanted"), PREFERRED)
def test_preferred_element_types_as_in_jax(own: str, wanted: str) -> None:
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    a, b = (RANDOM.integers(0, 100, s).astype(dtypes.BY_NAME[own].numpy) for s in ((3, 4), (4, 5)))
    numpy_type = dtypes.BY_NAME[wanted].numpy
    for name, equation in (("matmul", ()), ("dot", ()), ("einsum", ("ij,jk->ik",))):
        ours = getattr(rnp, name)(*equation, a, b, preferred_element_type=wanted)
        near(ours, np.asarray(getattr(jax.numpy, name)(*equation, a, b, preferred_element_type=numpy_type)))
