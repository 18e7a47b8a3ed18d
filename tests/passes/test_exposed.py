"""What kernels read of what was there before them: never less than a run of their statements reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given, note
from hypothesis import strategies as st

from rosin.ir import dims, dtypes, loop_printer
from rosin.ir import index as indices
from rosin.ir.index import Dynamic, Index, LoopVar
from rosin.ir.loops import (
    Buffer,
    Carry,
    Choose,
    Const,
    Kind,
    Load,
    Local,
    Loop,
    Scope,
    Statement,
    Store,
    When,
    While,
    Within,
)
from rosin.ir.statements import rebuilt
from rosin.ir.steps import Inner, Kernel, Nest
from rosin.passes.exposed import exposed
from tests.thinning import examples

N = dims.symbol("n")
A, B, OTHER = (Buffer(name, dtypes.f32, 1 << 20, Scope.ARENA) for name in "abc")
ONE = Const(1.0, dtypes.f32)


def kernel(*body: Statement) -> Kernel:
    return Kernel("k", body)


def loop(var: LoopVar, *body: Statement, stop: Load | None = None) -> Loop:
    return Loop(var, Kind.SERIAL, body, stop=stop)


def put(place: Index | int, buffer: Buffer = A) -> Store:
    return Store(buffer, place if isinstance(place, Index) else Index(place), ONE)


def get(place: Index | int, buffer: Buffer = A) -> Store:
    """A statement that reads the element of a buffer."""
    index = place if isinstance(place, Index) else Index(place)
    return Store(OTHER, Index(0), Load(buffer, index))


R, J, K, X = (LoopVar(name, extent) for name, extent in (("r", 8), ("j", 32), ("k", 32), ("x", 256)))
M, Q = LoopVar("m", N), LoopVar("q", N)
r, j, k, x, m, q = map(indices.of, (R, J, K, X, M, Q))
FLAG = Load(Buffer("flag", dtypes.i32, 1, Scope.ARGUMENT), Index(0))

COVERED: dict[str, list[Statement]] = {
    "the same place": [put(3), get(3)],
    "in one iteration": [loop(R, put(r * 2), get(r * 2))],
    "of a row, by another variable": [loop(R, loop(J, put(r * 32 + j)), loop(K, get(r * 32 + k)))],
    "of a row, by the same variable": [loop(R, loop(J, put(r * 32 + j)), loop(J, get(r * 32 + j)))],
    "of all rows": [loop(R, loop(J, put(r * 32 + j))), loop(J, loop(R, get(j + r * 32)))],
    "of all rows as one": [loop(R, loop(J, put(r * 32 + j))), loop(X, get(x))],
    "one of a row": [loop(J, put(j)), get(31)],
    "a part of a row": [loop(J, put(j)), loop(R, get(r * 4 + 3))],
    "of a row of unknown length": [loop(M, put(m)), loop(Q, get(q))],
    "of rows of unknown length": [loop(R, loop(M, put(m + r * N)), loop(Q, get(r * N + q)))],
    "behind a test": [loop(R, put(r), When((Within(r, 2, 4),), (get(r),)))],
    "in each branch": [put(0), Choose(FLAG, ((get(0),), (get(0), put(1), get(1))))],
    "in a while": [While((put(0),), FLAG, (get(0), put(1), get(1)))],
    "at a quotient": [loop(J, put(j // 4 + j % 4 * 8), get(j // 4 + j % 4 * 8))],
    "at a place that is read": [loop(J, put(j)), get(indices.of(Dynamic(FLAG, 0, 31)))],
}

EXPOSED: dict[str, list[Statement]] = {
    "before": [get(3), put(3)],
    "within one statement": [Store(A, Index(0), Load(A, Index(0)))],
    "another place": [put(3), get(4)],
    "of the iteration before": [loop(J, put(j + 1), get(j))],
    "behind the row": [loop(J, put(j)), loop(K, get(k + 1))],
    "before the row": [loop(J, put(j + 1)), loop(K, get(k))],
    "between places": [loop(J, put(j * 2)), loop(K, get(k))],
    "of a longer row": [loop(R, put(r)), loop(J, get(j))],
    "of another length": [loop(M, put(m)), loop(J, get(j))],
    "once, if the loop runs at all": [loop(M, put(0)), get(0)],
    "of a row that ends early": [loop(J, put(j), stop=FLAG), loop(K, get(k))],
    "written behind a test": [loop(J, When((Within(j, 0, 16),), (put(j),))), loop(K, get(k))],
    "written in one branch": [Choose(FLAG, ((put(0),), (put(1),))), get(0)],
    "written in a while that may not run": [While((put(1),), FLAG, (put(0),)), get(0)],
    "in the test of a while": [While((get(0),), FLAG, (put(0),))],
    "of a row at a quotient": [loop(J, put(j // 4)), loop(R, get(r))],
    "written at a place that is read": [put(indices.of(Dynamic(FLAG, 0, 31))), get(indices.of(Dynamic(FLAG, 0, 31)))],
    "to find a place": [put(indices.of(Dynamic(Load(A, Index(5)), 0, 31))), put(5)],
    "to decide": [While((put(1),), Load(A, Index(0)), ())],
}


@pytest.mark.parametrize("name", COVERED)
def test_reads_of_what_the_kernel_wrote_do_not_count(name: str) -> None:
    assert A not in exposed(kernel(*COVERED[name]))


@pytest.mark.parametrize("name", EXPOSED)
def test_reads_of_what_may_not_be_written_by_then_count(name: str) -> None:
    assert A in exposed(kernel(*EXPOSED[name]))


def test_what_a_sum_begins_with_is_read_before_the_loop() -> None:
    total = Local("total", dtypes.f32)
    carry = Carry((total,), (Load(A, Index(0)),), (), (), ())
    assert A in exposed(kernel(Loop(R, Kind.SERIAL, (put(0),), (carry,)), get(0)))
    assert A not in exposed(kernel(put(0), Loop(R, Kind.SERIAL, (put(0),), (carry,)), get(0)))


def test_passes_of_nests_are_loops() -> None:
    body = (Inner((put(r * 32 + j),)), get(r * 32 + 31), Inner((get(r * 32 + j),)))
    assert exposed(Nest("nest", (R,), (J,), body)) == set()
    assert A in exposed(Nest("nest", (R,), (J,), body[::-1]))


# -- random kernels ----------------------------------------------------------------------------------------------------


@st.composite
def places(draw: st.DrawFn, around: tuple[LoopVar, ...]) -> Index:
    index = Index(draw(st.integers(0, 4)))
    for var in around:
        term = indices.of(var)
        kind = draw(st.sampled_from(("plain", "plain", "none", "quotient", "remainder")))
        term = {"plain": term, "none": term * 0, "quotient": term // 2, "remainder": term % 2}[kind]
        index = index + term * draw(st.integers(1, 4))
    return index


@st.composite
def blocks_of(draw: st.DrawFn, around: tuple[LoopVar, ...] = (), depth: int = 3) -> tuple[Statement, ...]:
    found: list[Statement] = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(("put", "get", "loop", "loop", "again", "when") if depth else ("put", "get")))
        if kind == "loop":
            var = LoopVar("v", draw(st.integers(0, 4)))
            found.append(loop(var, *draw(blocks_of((*around, var), depth - 1))))
        elif kind == "again" and isinstance(found[-1] if found else None, Loop):
            # What a loop over the same variable does where it writes is read.
            found.append(loop(found[-1].var, *map(turned, found[-1].body)))  # type: ignore[union-attr]
        elif kind == "when":
            test = Within(draw(places(around)), draw(st.integers(0, 3)), draw(st.integers(1, 6)))
            found.append(When((test,), draw(blocks_of(around, depth - 1))))
        elif kind == "put":
            found.append(put(draw(places(around))))
        else:
            found.append(get(draw(places(around))))
    return tuple(found)


def turned(statement: Statement) -> Statement:
    """The statement, reading where it writes."""
    if isinstance(statement, Store) and statement.buffer is A:
        return get(statement.offset)
    return rebuilt(statement, turned)


@st.composite
def rows_twice(draw: st.DrawFn) -> tuple[Statement, ...]:
    """Rows that are written and rows that are read, as often as not the same ones, in one loop or in two."""
    steps = draw(st.permutations((1, draw(st.integers(1, 4)), draw(st.integers(1, 12)))))

    def rows(to_do: Callable[[Index], Statement], around: Index, count: int) -> Statement:
        place, variables = around, list[LoopVar]()
        for step in steps[:count]:
            variables.append(LoopVar("v", draw(st.integers(2, 4))))
            place += indices.of(variables[-1]) * step
        inside = to_do(place + draw(st.sampled_from((0, 0, 0, 1))))
        for var in draw(st.permutations(variables)):
            inside = loop(var, inside)
        return inside

    if draw(st.booleans()):
        return rows(put, Index(0), 3), rows(get, Index(0), 3)
    var = LoopVar("r", 3)
    around = indices.of(var) * draw(st.integers(1, 12))
    return (loop(var, rows(put, around, 2), rows(get, around, 2)),)


def number(index: Index, at: Mapping[LoopVar, int]) -> int:
    return index.substitute({var: Index(value) for var, value in at.items()}).constant  # type: ignore[return-value]


def reads_of_nothing(body: Sequence[Statement], at: dict[LoopVar, int], written: set[int]) -> bool:
    """Whether a run of the statements reads an element that none of them has written by then."""
    for statement in body:
        match statement:
            case Loop(var):
                if any(reads_of_nothing(statement.body, {**at, var: v}, written) for v in range(var.extent)):  # type: ignore[arg-type]
                    return True
            case When(tests):
                inside = all(t.low <= number(t.index, at) < t.high for t in tests)
                if inside and reads_of_nothing(statement.body, at, written):
                    return True
            case Store(_, offset, Load(_, source)):
                if number(source, at) not in written:
                    return True
            case Store(_, offset):
                written.add(number(offset, at))
            case _:
                raise AssertionError(statement)
    return False


@examples(400)
@given(st.one_of(blocks_of(), rows_twice()))
def test_what_a_run_reads_from_before_is_found(body: tuple[Statement, ...]) -> None:
    note("\n".join(loop_printer.kernel_lines(kernel(*body))))
    if reads_of_nothing(body, {}, set()):
        assert A in exposed(kernel(*body))
