"""Sizes: their normal form, text, division, and values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosin.ir import dims
from rosin.ir.dims import Dim, symbol

n, m = symbol("n"), symbol("m")

TEXTS: list[tuple[Dim, str]] = [
    (n + n, "2*n"),
    (m * n + 3 * n - 1, "m*n + 3*n - 1"),
    (n - n, "0"),
    (4 - n, "-n + 4"),
    (n // 2, "n//2"),
    ((2 * n + 1) // 2, "n"),
    ((4 * n + 3) // 6, "(2*n + 1)//3"),
    (n // 2 // 3, "n//6"),
    (3 * ((n + 1) // 2), "3*((n + 1)//2)"),
    (m - n // 2, "m - (n//2)"),
    (n % 8, "n%8"),
    (8 * (n // 8) + n % 8, "n"),
    ((m * n) // n, "m"),
    ((m * n + m) // (n + 1), "m"),
    ((m * n) // (n + 1), "(m*n)//(n + 1)"),
    (dims.floor_divide(5, n), "5//n"),
    (-(-n // 4), "(n + 3)//4"),
    (63 * n // 64, "n - ((n + 63)//64)"),
    (((m + 7) // 8 + 1) // 2, "(m + 15)//16"),
]


@pytest.mark.parametrize(("dim", "text"), TEXTS, ids=[t for _, t in TEXTS])
def test_text_and_back(dim: Dim, text: str) -> None:
    assert dims.parse(str(dim)) == dim
    assert str(dim) == text


@pytest.mark.parametrize("text", ["n +", "f(n)", "1.5", "n / 2", "n if m else 2", "n ** m"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        dims.parse(text)


def test_a_name_is_an_identifier() -> None:
    with pytest.raises(ValueError, match="identifier"):
        symbol("2n")


def test_exact_division() -> None:
    assert dims.divide(3 * m * n, n) == 3 * m
    assert dims.divide(n * n - m * m, n - m) == n + m
    assert dims.divide(n, 2) is None
    assert dims.divide(n + 1, n) is None
    assert dims.divide(0, n) == 0
    assert dims.divide(6, 4) is None


def polynomials() -> st.SearchStrategy[Dim]:
    """Sums, products, quotients and remainders of symbols and small numbers."""
    leaf: st.SearchStrategy[Dim] = st.one_of(st.integers(-4, 4), st.sampled_from([n, m, n + 1]))

    def grown(inner: st.SearchStrategy[Dim]) -> st.SearchStrategy[Dim]:
        pair = st.tuples(inner, inner)
        return st.one_of(
            pair.map(lambda p: p[0] + p[1]),
            pair.map(lambda p: p[0] - p[1]),
            pair.map(lambda p: p[0] * p[1]),
            st.tuples(inner, st.integers(1, 5)).map(lambda p: p[0] // p[1]),
            st.tuples(inner, st.integers(1, 5)).map(lambda p: p[0] % p[1]),
        )

    return st.recursive(leaf, grown, max_leaves=6)


@given(polynomials(), polynomials(), st.integers(0, 9), st.integers(0, 9), st.integers(1, 6))
def test_arithmetic_is_that_of_the_numbers(a: Dim, b: Dim, x: int, y: int, k: int) -> None:
    sizes = {"n": x, "m": y}
    u, v = dims.evaluate(a, sizes), dims.evaluate(b, sizes)
    assert dims.evaluate(a + b, sizes) == u + v
    assert dims.evaluate(a - b, sizes) == u - v
    assert dims.evaluate(a * b, sizes) == u * v
    assert dims.evaluate(a // k, sizes) == u // k
    assert dims.evaluate(a % k, sizes) == u % k
    quotient = dims.divide(a, b)
    if quotient is not None:
        assert dims.evaluate(quotient * b, sizes) == u
    assert dims.parse(str(a)) == a
    assert dims.evaluate(dims.substitute(a, {"n": m + 2}), sizes) == dims.evaluate(a, {"n": y + 2, "m": y})
