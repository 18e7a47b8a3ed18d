"""Facts about sizes: what follows, what is gathered, and what is asked of a call."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rosin.ir import dims, facts
from rosin.ir.dims import Dim, symbol
from rosin.ir.errors import ConstraintError, GuardError, RosinError, ShapeError
from rosin.ir.facts import Check, Facts
from rosin.ir.interpret import at_sizes
from rosin.ir.parser import parse
from rosin.ir.sizes import bound_sizes
from rosin.ir.verify import verify
from tests.ir.test_dims import polynomials

n, m, k = symbol("n"), symbol("m"), symbol("k")


def known(*checks: Check) -> Facts:
    found = Facts()
    for check in checks:
        found.learn(check)
    return found


def test_proofs() -> None:
    with facts.assuming(known(Check(n, ">=", 3), Check(4096, ">=", n), Check(m % 8, "==", 0), Check(m, ">=", 1))):
        assert facts.known_at_least(n * m, 3 * m)
        assert facts.known_at_least(4100, n)
        assert not facts.known_at_least(4095, n)
        assert facts.known_at_least(m, 8)
        assert facts.known_at_least(7, n % 8)
        assert facts.known_at_least(n, 8 * (n // 8))
        assert facts.divide(m, 8) == m // 8
        assert facts.divide(m * n, 4) is not None
        assert facts.divide(n, 8) is None
        assert facts.same(8 * (m // 8), m)
        assert not facts.same(n, m), "nothing is gathered here"


def test_what_is_gathered() -> None:
    found = Facts()
    with facts.assuming(found, gather=True):
        assert facts.same(n, m)
        assert facts.at_least(n, 3)
        assert facts.at_least(n * k, m + 5)
        assert not facts.at_least(2, n), "it is at least 3"
        assert not facts.same(n, n + 1)
        assert not facts.same(n, 4), "nobody said that a symbol may become a number"
    assert found.equal == {"n": m}
    assert found.lines() == ["m >= 3", "n == m", "k*m >= m + 5"]


def test_a_symbol_that_is_put_for_another_keeps_what_was_known_of_it() -> None:
    found = known(Check(n, ">=", 5), Check(n % 2, "==", 0), Check(n, "==", 2 * m + 2))
    assert found.equal == {"n": 2 * m + 2}
    with facts.assuming(found):
        assert facts.known_at_least(m, 2)
        assert facts.same(n, 2 * m + 2)


def test_the_call_at_hand_decides_and_leaves_a_guard() -> None:
    found = known(Check(n, ">=", 2))
    found.actual = {"n": 7}
    assert found.decide(Check(n, ">=", 2)) is True
    assert found.guards == []
    assert found.decide(Check(n, ">=", 10)) is False
    assert [str(g) for g in found.guards] == ["n <= 9"]
    assert found.decide(Check(12, ">=", n)) is True
    assert len(found.guards) == 1, "it follows from the first"
    assert found.decide(Check(n, "==", m)) is None, "nobody knows m"


@given(polynomials(), st.integers(0, 5), st.integers(0, 9), st.integers(1, 4), st.integers(0, 3), st.integers(0, 3))
def test_what_is_proved_is_true(dim: Dim, low: int, more: int, multiple: int, x: int, y: int) -> None:
    facts_of_n = known(Check(n, ">=", low), Check(low + more, ">=", n), Check(m % multiple, "==", 0), Check(m, ">=", n))
    sizes = {"n": low + min(x, more), "m": (low + more + y * multiple + multiple - 1) // multiple * multiple}
    assert all(check.holds(sizes) for check in facts_of_n.all_checks())
    if facts_of_n.not_negative(dim):
        assert dims.evaluate(dim, sizes) >= 0
    with facts.assuming(facts_of_n):
        quotient = facts.divide(dim, 4)
        if quotient is not None:
            assert dims.evaluate(quotient, sizes) * 4 == dims.evaluate(dim, sizes)


def test_sizes_are_read_where_they_stand_and_checked_elsewhere() -> None:
    shapes = ((2 * n + 1, 3), (n, m), (m,))
    sizes = bound_sizes(("x", "y", "z"), shapes, (), [Check(n, ">=", 2)])
    assert sizes.bind([(9, 3), (4, 5), (5,)]) == {"n": 4, "m": 5}
    message = r"axis 0 of argument `z` has size 6, and it has to be m = 5; m = 5 is axis 1 of `y`"
    with pytest.raises(ConstraintError, match=message):
        sizes.bind([(9, 3), (4, 5), (6,)])
    with pytest.raises(ConstraintError, match=r"axis 0 of argument `x` has size 10, and it has to be 2\*n \+ 1 = 9"):
        sizes.bind([(10, 3), (4, 5), (5,)])
    with pytest.raises(ConstraintError, match=r"the sizes do not fit `n >= 2`; n = 1 is axis 0 of `y`"):
        sizes.bind([(3, 3), (1, 5), (5,)])


def test_a_size_read_from_an_odd_one() -> None:
    sizes = bound_sizes(("x",), ((2 * n + 3,),), (), [])
    assert sizes.bind([(7,)]) == {"n": 2}
    for size in (6, 1):
        with pytest.raises(ConstraintError):
            sizes.bind([(size,)])


def test_guards_come_before_conditions() -> None:
    sizes = bound_sizes(("x",), ((n,),), (), [Check(n, ">=", 5)], guards=[Check(9, ">=", n)])
    with pytest.raises(GuardError):
        sizes.bind([(10,)])


def test_what_no_process_can_address() -> None:
    sizes = bound_sizes(("x", "y"), ((n,), (m,)), (), [], limits=[4 * m * n])
    with pytest.raises(ShapeError, match=r"4\*m\*n = 4000000000000000000 bytes, and no process can address so many"):
        sizes.bind([(10**9,), (10**9,)])


def test_a_graph_at_sizes() -> None:
    text = """graph main(x: f32[n, 4], z: f32[]) {
  y: f32[2*n, 2] = reshape(x) shape=([2*n], 2)
  t: f32[n, 2] = slice(y) starts=([n], 0) limits=([2*n], 2) steps=(1, 1)
  p: f32[n + 1, 2] = pad(t, z) low=(1, 0) high=(0, 0) interior=(0, 0)
  return p
}
"""
    graph = parse(text)
    assert graph.symbols() == ("n",)
    at = at_sizes(graph, [(3, 4), ()])
    assert [str(v.type) for v in at.values()] == ["f32[3, 4]", "f32[]", "f32[6, 2]", "f32[3, 2]", "f32[4, 2]"]
    verify(at)


def test_a_size_that_no_argument_has() -> None:
    graph = parse("graph main(x: f32[n*m]) {\n  y: f32[n*m] = exp(x)\n  return y\n}\n")
    with pytest.raises(RosinError, match="cannot be read from an argument"):
        at_sizes(graph, [(6,)])
