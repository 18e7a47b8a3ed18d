"""The loop-level IR within a kernel: what it does, element by element, the same for every target that has loops.

    statement  ::= Loop(var, kind, statements, carries) | Let(local, expr) | Accumulate(carry, exprs)
                 | Store(buffer, offset, expr) | When(tests, statements)
                 | InTurn(statements) | While(statements, load, statements, var) | Choose(load, statements, …)
                 | Room(tape, number) | Products(array, var, var, var, dot)
    expr       ::= Const | Load(buffer, offset) | Apply(op, exprs) | FromIndex(index) | Guard(tests, expr, expr)
                 | Dot(word, word) | Local
    index      ::= affine in loop variables, quotients, remainders and numbers read (rosin.ir.index)

An expression is a scalar. Inside a loop of kind `vector` each lane evaluates it for its own value of the loop
variable; what does not depend on that variable stays one scalar. `Apply` takes elementwise ops of the graph IR, so
there is no second list of scalar operations.

Extents, coefficients of indices, bounds of tests and numbers of elements are sizes: ints, or polynomials over the
symbols of the program, whose values it reads from its arguments when it is called. What kernels are put together to
is in rosin.ir.steps.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from rosin.ir import facts
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim, static
from rosin.ir.dtypes import DType
from rosin.ir.index import Atom, Dynamic, Index, Least, LoopVar, Quotient, Remainder

if TYPE_CHECKING:
    pass

_serial = itertools.count()


class Scope(Enum):
    """Where a buffer lives."""

    ARGUMENT = "argument"
    CONSTANT = "constant"
    RESULT = "result"
    ARENA = "arena"
    TAPE = "tape"
    """One part of the records of a tape."""
    LOCAL = "local"
    """A small scratch array, private to one iteration of the parallel loop around it."""
    LANES = "lanes"
    """A small scratch array of each lane of the vector loop around it, in registers where it can be."""
    STATE = "state"
    """As `LANES`, but a lane that a `While` is done with keeps what it has there."""


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """A dense array in memory: an element type and a number of elements."""

    name: str
    dtype: DType
    size: Dim
    scope: Scope

    @property
    def bytes(self) -> Dim:
        return self.size * self.dtype.bytes

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """Memory that grows while the program runs: records of so many bytes, one for each step of a loop."""

    name: str
    record: Dim

    def __str__(self) -> str:
        return self.name


# -- expressions -----------------------------------------------------------------------------------------------


class Expr:
    """A scalar value. Compared by identity: a shared expression is computed once for each iteration."""

    __slots__ = ()
    dtype: DType

    def children(self) -> tuple[Expr, ...]:
        return ()

    def indices(self) -> tuple[Index, ...]:
        return ()

    def rebuild(self, children: tuple[Expr, ...], indices: tuple[Index, ...]) -> Expr:
        """This expression over other children and indices."""
        return self

    def variables(self) -> frozenset[LoopVar]:
        """Every loop variable that the value depends on (locals are not looked into)."""
        found: set[LoopVar] = set()
        for expr in walk(self):
            for index in expr.indices():
                # The walk has come through the numbers that are read for it, or will.
                fixed = tuple(term for term in index.terms if not isinstance(term[0], Dynamic))
                found |= Index(0, fixed).variables()
        return frozenset(found)

    def substitute(self, values: Mapping[LoopVar, Index]) -> Expr:
        """This expression with loop variables replaced; shared parts stay shared."""
        return substitute(self, values, {})


@dataclass(frozen=True, slots=True, eq=False)
class Const(Expr):
    value: Any
    dtype: DType

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True, slots=True, eq=False)
class Local(Expr):
    """A named scalar: bound by `Let`, carried by a loop, or given to the kernel."""

    name: str
    dtype: DType
    serial: int = field(default_factory=lambda: next(_serial))

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, eq=False)
class Load(Expr):
    buffer: Buffer
    offset: Index

    @property
    def dtype(self) -> DType:  # pyright: ignore[reportIncompatibleVariableOverride]  # read-only here, never assigned
        return self.buffer.dtype

    def indices(self) -> tuple[Index, ...]:
        return (self.offset,)

    def rebuild(self, children: tuple[Expr, ...], indices: tuple[Index, ...]) -> Expr:
        return Load(self.buffer, indices[0])

    def __str__(self) -> str:
        return f"{self.buffer}[{self.offset}]"


@dataclass(frozen=True, slots=True, eq=False)
class Apply(Expr):
    """An elementwise op of the graph IR on scalars."""

    op: Any
    args: tuple[Expr, ...]
    dtype: DType

    def children(self) -> tuple[Expr, ...]:
        return self.args

    def rebuild(self, children: tuple[Expr, ...], indices: tuple[Index, ...]) -> Expr:
        return Apply(self.op, children, self.dtype)

    def __str__(self) -> str:
        return f"{self.op.name}(…)"


@dataclass(frozen=True, slots=True, eq=False)
class FromIndex(Expr):
    """An index as a number of an integer type."""

    index: Index
    dtype: DType

    def indices(self) -> tuple[Index, ...]:
        return (self.index,)

    def rebuild(self, children: tuple[Expr, ...], indices: tuple[Index, ...]) -> Expr:
        return FromIndex(indices[0], self.dtype)

    def __str__(self) -> str:
        return f"{self.dtype}({self.index})"


@dataclass(frozen=True, slots=True)
class Within:
    """The test `low <= index < high`."""

    index: Index
    low: Dim
    high: Dim

    @property
    def always(self) -> bool:
        low, high = self.index.bounds()
        above = low is not None and facts.known_at_least(low, self.low)
        return above and high is not None and facts.known_at_least(self.high - 1, high)

    @property
    def never(self) -> bool:
        low, high = self.index.bounds()
        below = high is not None and facts.known_at_least(self.low - 1, high)
        return below or (low is not None and facts.known_at_least(low, self.high))

    def __str__(self) -> str:
        return f"{self.low} <= {self.index} < {self.high}"


@dataclass(frozen=True, slots=True, eq=False)
class Guard(Expr):
    """`then` where every test holds, else `otherwise`; `then` reads memory only where they hold."""

    tests: tuple[Within, ...]
    then: Expr
    otherwise: Expr

    @property
    def dtype(self) -> DType:  # pyright: ignore[reportIncompatibleVariableOverride]  # read-only here, never assigned
        return self.then.dtype

    def children(self) -> tuple[Expr, ...]:
        return (self.then, self.otherwise)

    def indices(self) -> tuple[Index, ...]:
        return tuple(test.index for test in self.tests)

    def rebuild(self, children: tuple[Expr, ...], indices: tuple[Index, ...]) -> Expr:
        tests = tuple(Within(i, t.low, t.high) for i, t in zip(indices, self.tests, strict=True))
        return guard(tests, *children)

    def __str__(self) -> str:
        return f"(… if {' and '.join(map(str, self.tests))} else …)"


@dataclass(frozen=True, slots=True, eq=False)
class Dot(Expr):
    """The sum of the products of the narrow numbers, of these element types, that two words of 32 bits hold."""

    left: Expr
    right: Expr
    of_left: DType
    of_right: DType
    dtype: DType

    def children(self) -> tuple[Expr, ...]:
        return (self.left, self.right)

    def rebuild(self, children: tuple[Expr, ...], indices: tuple[Index, ...]) -> Expr:
        return Dot(children[0], children[1], self.of_left, self.of_right, self.dtype)

    def __str__(self) -> str:
        return f"dot(… of {self.of_left}, … of {self.of_right})"


def guard(tests: tuple[Within, ...], then: Expr, otherwise: Expr) -> Expr:
    """A guard without the tests that always hold; one of its sides when that decides it."""
    if any(test.never for test in tests):
        return otherwise
    open_tests = tuple(test for test in tests if not test.always)
    return Guard(open_tests, then, otherwise) if open_tests else then


def walk(*tops: Expr) -> Iterator[Expr]:
    """Every expression below these and themselves, each once, operands first; expressions in indices too."""
    seen: set[int] = set()
    stack: list[Expr] = []
    waiting: list[Expr] = []
    """What comes as soon as the stack is as short as it was before its operands."""
    heights: list[int] = [-1]
    for top in tops:
        stack.append(top)
        while stack:
            current = stack.pop()
            if id(current) not in seen:
                seen.add(id(current))
                inside = current.children()
                for index in current.indices():
                    if dynamic := index.dynamics():
                        inside = (*inside, *[atom.value for atom in dynamic])
                if inside:
                    waiting.append(current)
                    heights.append(len(stack))
                    stack += inside
                    continue
                yield current
            while heights[-1] == len(stack):
                heights.pop()
                yield waiting.pop()


def substitute(expr: Expr, values: Mapping[LoopVar, Index], memo: dict[int, Expr]) -> Expr:
    """`expr` with loop variables replaced; `memo` keeps what is shared between calls shared."""
    found = memo.get(id(expr))
    if found is None:
        below, at = expr.children(), expr.indices()
        children = tuple([substitute(child, values, memo) for child in below])
        indices = tuple([index.substitute(values) for index in at])
        found = memo[id(expr)] = expr if children == below and indices == at else expr.rebuild(children, indices)
    return found


def renewed(expr: Expr, memo: dict[int, Expr]) -> Expr:
    """An expression like this one, computed apart from it; `memo` keeps what is shared shared."""
    found = memo.get(id(expr))
    if found is None:
        children = tuple(renewed(child, memo) for child in expr.children())
        found = memo[id(expr)] = expr.rebuild(children, expr.indices())
    return found


Placing: TypeAlias = Callable[[Buffer, Index], tuple[Buffer, Index]]
"""Where an element of a buffer is instead: in which buffer, and where in it."""


def relocate(expr: Expr, place: Placing, memo: dict[int, Expr]) -> Expr:
    """`expr` reading elsewhere, in its indices too; `memo` keeps what is shared shared."""
    found = memo.get(id(expr))
    if found is None:
        children = tuple(relocate(child, place, memo) for child in expr.children())
        indices = tuple(relocate_index(index, place, memo) for index in expr.indices())
        if isinstance(expr, Load):
            target = place(expr.buffer, indices[0])
            found = expr if target == (expr.buffer, expr.offset) else Load(*target)
        else:
            unchanged = children == expr.children() and indices == expr.indices()
            found = expr if unchanged else expr.rebuild(children, indices)
        memo[id(expr)] = found
    return found


def relocate_index(index: Index, place: Placing, memo: dict[int, Expr]) -> Index:
    """The index, of which the numbers that are read are read elsewhere."""
    if not index.dynamics():
        return index
    total = Index(index.constant)
    for atom, coefficient in index.terms:
        total = total + Index(0, ((_relocated_atom(atom, place, memo), coefficient),))
    return total


def _relocated_atom(atom: Atom, place: Placing, memo: dict[int, Expr]) -> Atom:
    match atom:
        case LoopVar():
            return atom
        case Dynamic():
            value = relocate(atom.value, place, memo)
            return atom if value is atom.value else Dynamic(value, atom.low, atom.high)
        case Least():
            return dataclasses.replace(atom, index=relocate_index(atom.index, place, memo))
        case Quotient() | Remainder():
            return dataclasses.replace(atom, dividend=relocate_index(atom.dividend, place, memo))


# -- statements ------------------------------------------------------------------------------------------------


class Kind(Enum):
    """How the iterations of a loop run."""

    SERIAL = "for"
    VECTOR = "vector"
    """Iterations are independent but for carries, and run as the lanes of vectors."""


@dataclass(frozen=True, slots=True, eq=False)
class Carry:
    """Values that a loop combines over its iterations, starting from `initial`.

    `combine` holds, over the placeholders `left` and `right`, what two sets of partial values come to; it is
    associative, which is what lets a vector loop keep one partial value a lane. `take`, where it is not empty, says the
    same of a term that comes after all terms so far: loops meet their terms in order. `locals` name the running values.
    Where each iteration reads what all up to it come to, `neutral` holds what changes nothing when it is combined: a
    vector loop then gives each lane the values of its own iteration.
    """

    locals: tuple[Local, ...]
    initial: tuple[Expr, ...]
    left: tuple[Local, ...]
    right: tuple[Local, ...]
    combine: tuple[Expr, ...]
    take: tuple[Expr, ...] = ()
    neutral: tuple[Expr, ...] = ()

    @property
    def fold(self) -> type[Any] | None:
        """The op that running values are combined by, where it is one op of both."""
        combined = self.combine[0] if len(self.combine) == 1 else None
        if not isinstance(combined, Apply) or combined.args != (*self.left, *self.right):
            return None
        return combined.op.__class__


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    var: LoopVar
    kind: Kind
    body: tuple[Statement, ...]
    carries: tuple[Carry, ...] = ()
    parallel: bool = False
    """Whether iterations may run on any thread. Only the outermost loop of a kernel is parallel, and serial ones that
    it has alone in it: threads share the iterations of all of them as those of one loop."""
    unroll: int = 1
    """How many iterations (of vectors, in a vector loop) run at once, each with carries of its own."""
    start: Load | None = None
    stop: Load | None = None
    """Of a serial loop, the iteration that it starts from and the one that it stops before, where they are read."""
    backward: bool = False
    """Whether a loop counts down: a serial one, or a vector loop whose iterations read their running values."""
    refill: int = 0
    """Of a vector loop around one `While`, with stores before and after it: the operations of a step, if lanes that are
    done had better give their places in vectors to the next ones. What lanes compute is the same either way."""
    most: int | None = None
    """It runs at most so many times, where more is known than the extent says."""


@dataclass(frozen=True, slots=True, eq=False)
class Let:
    local: Local
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class Accumulate:
    """Combine `values` into the running values of a carry of an enclosing loop."""

    carry: Carry
    values: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Store:
    buffer: Buffer
    offset: Index
    value: Expr


@dataclass(frozen=True, slots=True, eq=False)
class When:
    tests: tuple[Within, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True, eq=False)
class InTurn:
    """Statements of an iteration of a parallel loop that wait until the iteration before is through with its own: they
    may read what that one has written in its turn.

    The body of the loop has one of these, outside of other statements, and no loop in it is so long that it asks
    whether to stop: an iteration that ended early would leave others waiting.
    """

    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True, eq=False)
class While:
    """`test`, then, as long as `predicate` is true, `body` and `test` again.

    In a vector loop each lane goes on for itself: one that is done keeps what it has in memory and in `STATE`.
    """

    test: tuple[Statement, ...]
    predicate: Load
    body: tuple[Statement, ...]
    var: LoopVar | None = None
    """What counts the steps; there are no more than its extent."""


@dataclass(frozen=True, slots=True, eq=False)
class Choose:
    """The statements of branch `index`, or of the first or the last when that is beyond them.

    In a vector loop it is one branch for all lanes.
    """

    index: Load
    branches: tuple[tuple[Statement, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Room:
    """A step or a statement: a tape has room for so many records, or the program ends with an error."""

    tape: Tape
    number: Load | Index


@dataclass(frozen=True, slots=True, eq=False)
class Products:
    """A tile of sums of products of words, for targets with an instruction for that: for each row and lane the sum of
    `term` over all words, at place (row, lane) of a scratch array.

    The three variables are its own. Where `term` reads narrow numbers on the left, each is the first one of a word.
    """

    sums: Buffer
    row: LoopVar
    lane: LoopVar
    word: LoopVar
    term: Dot

    @property
    def shape(self) -> tuple[int, int, int]:
        """How many rows, lanes and words there are."""
        rows, lanes, words = static((v.extent for v in (self.row, self.lane, self.word)), "a tile")
        return rows, lanes, words


Statement: TypeAlias = "Loop | Let | Accumulate | Store | When | InTurn | While | Choose | Room | Products"


PLAIN = frozenset[type]({Let, Accumulate, Store, Products})
"""Statements that hold no others, and whose expressions are their values; to ask for their class is quick."""


def blocks(statement: Statement) -> tuple[tuple[Statement, ...], ...]:
    """The lists of statements in a statement."""
    if statement.__class__ in PLAIN:
        return ()
    match statement:
        case Loop() | When() | InTurn():
            return (statement.body,)
        case While():
            return (statement.test, statement.body)
        case Choose():
            return statement.branches
        case _:
            return ()


def decides(statement: Statement) -> tuple[Load, ...]:
    """What a statement reads to know how it goes on."""
    match statement:
        case Loop():
            return tuple([bound for bound in (statement.start, statement.stop) if bound])
        case While():
            return (statement.predicate,)
        case Choose():
            return (statement.index,)
        case Room():
            return (statement.number,) if isinstance(statement.number, Load) else ()
        case _:
            return ()


def values(statement: Statement) -> tuple[Expr, ...]:
    """The expressions of a statement, without those of statements in it."""
    match statement:
        case Let() | Store():
            return (statement.value,)
        case Accumulate():
            return statement.values
        case Products():
            return (statement.term,)
        case _:
            return ()
