"""The loop-level IR: what a kernel does, element by element, the same for every target that has loops.

    program    ::= steps
    step       ::= kernel | nest | Again(name, kernel, places, numbers)
                 | Repeat(var, steps, start, stop) | RepeatWhile(steps, load, steps, var)
                 | Branch(load, steps, …) | Room(tape, number) | HostCall(op, loads, loads, load)
                 | RoutineCall(name, loads, loads, numbers, count) | Measured(symbol, load, conditions, host call)
                 | Either(size, most, steps, steps)
    kernel     ::= name, buffers, statements, numbers
    nest       ::= name, rows, columns, statements and Inner(statements, carries), to become a kernel
    statement  ::= Loop(var, kind, statements, carries) | Let(local, expr) | Accumulate(carry, exprs)
                 | Store(buffer, offset, expr) | When(tests, statements)
                 | While(statements, load, statements, var) | Choose(load, statements, …) | Room(tape, number)
    expr       ::= Const | Load(buffer, offset) | Apply(op, exprs) | FromIndex(index) | Guard(tests, expr, expr)
                 | Local
    index      ::= affine in loop variables, quotients, remainders and numbers read (rosin.ir.index)

An expression is a scalar. Inside a loop of kind `vector` each lane evaluates it for its own value of the loop
variable; what does not depend on that variable stays one scalar. `Apply` takes elementwise ops of the graph IR, so
there is no second list of scalar operations.

Extents, coefficients of indices, bounds of tests and numbers of elements are sizes: ints, or polynomials over the
symbols of the program, whose values it reads from its arguments when it is called.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from rosin.ir import facts
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.facts import Check
from rosin.ir.index import Dynamic, Index, LoopVar
from rosin.ir.literal import Literal
from rosin.ir.sizes import Sizes
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.op import Op

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


def guard(tests: tuple[Within, ...], then: Expr, otherwise: Expr) -> Expr:
    """A guard without the tests that always hold; one of its sides when that decides it."""
    if any(test.never for test in tests):
        return otherwise
    open_tests = tuple(test for test in tests if not test.always)
    return Guard(open_tests, then, otherwise) if open_tests else then


def walk(expr: Expr) -> Iterator[Expr]:
    """Every expression below `expr` and itself, each once, operands first; expressions in indices too."""
    seen: set[int] = set()
    stack: list[tuple[Expr, bool]] = [(expr, False)]
    while stack:
        current, ready = stack.pop()
        if ready:
            yield current
        elif id(current) not in seen:
            seen.add(id(current))
            stack.append((current, True))
            stack.extend((child, False) for child in current.children())
            for index in current.indices():
                stack.extend((a.value, False) for a, _ in index.terms if isinstance(a, Dynamic))


def substitute(expr: Expr, values: Mapping[LoopVar, Index], memo: dict[int, Expr]) -> Expr:
    """`expr` with loop variables replaced; `memo` keeps what is shared between calls shared."""
    found = memo.get(id(expr))
    if found is None:
        children = tuple(substitute(child, values, memo) for child in expr.children())
        indices = tuple(index.substitute(values) for index in expr.indices())
        unchanged = children == expr.children() and indices == expr.indices()
        found = memo[id(expr)] = expr if unchanged else expr.rebuild(children, indices)
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
    if not any(isinstance(atom, Dynamic) for atom, _ in index.terms):
        return index
    total = Index(index.constant)
    for atom, coefficient in index.terms:
        if isinstance(atom, Dynamic):
            value = relocate(atom.value, place, memo)
            atom = atom if value is atom.value else Dynamic(value, atom.low, atom.high)
        total = total + Index(0, ((atom, coefficient),))
    return total


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
    associative, which is what lets a vector loop keep one partial value a lane. `locals` name the running values.
    """

    locals: tuple[Local, ...]
    initial: tuple[Expr, ...]
    left: tuple[Local, ...]
    right: tuple[Local, ...]
    combine: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    var: LoopVar
    kind: Kind
    body: tuple[Statement, ...]
    carries: tuple[Carry, ...] = ()
    parallel: bool = False
    """Whether iterations may run on any thread; only the outermost loop of a kernel is parallel."""
    unroll: int = 1
    """How many iterations (of vectors, in a vector loop) run at once, each with carries of its own."""
    start: Load | None = None
    stop: Load | None = None
    """Of a serial loop, the iteration that it starts from and the one that it stops before, where they are read."""
    backward: bool = False
    """Whether a serial loop counts down."""
    refill: int = 0
    """Of a vector loop around one `While`, with stores before and after it: the operations of a step, if lanes that are
    done had better give their places in vectors to the next ones. What lanes compute is the same either way."""


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


Statement: TypeAlias = "Loop | Let | Accumulate | Store | When | While | Choose | Room"


def blocks(statement: Statement) -> tuple[tuple[Statement, ...], ...]:
    """The lists of statements in a statement."""
    match statement:
        case Loop() | When():
            return (statement.body,)
        case While():
            return (statement.test, statement.body)
        case Choose():
            return statement.branches
        case _:
            return ()


def values(statement: Statement) -> tuple[Expr, ...]:
    """The expressions of a statement, without those of statements in it."""
    match statement:
        case Let() | Store():
            return (statement.value,)
        case Accumulate():
            return statement.values
        case _:
            return ()


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """One fused piece of a program: loops over the buffers that they read and write."""

    name: str
    buffers: tuple[Buffer, ...]
    """What it reads or writes."""
    body: tuple[Statement, ...]
    scratch: tuple[Buffer, ...] = ()
    registers: int = 1
    """How many registers the lanes of a vector loop fill, where its target has registers for lanes."""
    work: Dim | None = None
    """The scalar operations of a parallel kernel, where their number decides at run time whether threads run it."""
    numbers: Mapping[Local, Literal] = field(default_factory=dict["Local", "Literal"])
    """Numbers that it is given, other ones when it comes again."""


@dataclass(frozen=True, slots=True, eq=False)
class Again:
    """What a kernel that stands before does, with other buffers in the places of its own."""

    name: str
    kernel: Kernel
    places: Mapping[Buffer, Buffer]
    """For each buffer of the kernel the one in its place; no two have the same."""
    numbers: Mapping[Local, Literal]
    """What the numbers are here that the kernel is given."""

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """What it reads or writes."""
        return tuple(self.places[b] for b in self.kernel.buffers)


@dataclass(frozen=True, slots=True, eq=False)
class Inner:
    """Statements of the inner loops of a nest, one pass over its columns, with what the pass carries."""

    body: tuple[Statement, ...]
    carries: tuple[Carry, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Nest:
    """A kernel to be: loops over `rows`, and in them, one after the other, statements and passes over `columns`.

    The rows are independent of each other. Which loop stands outside, runs as vectors or on threads is open.
    """

    name: str
    rows: tuple[LoopVar, ...]
    columns: tuple[LoopVar, ...]
    body: tuple[Statement | Inner, ...]
    scratch: tuple[Buffer, ...] = ()
    """Arrays that are private to one iteration of all rows."""
    flops: int = 1
    """Machine operations of one element of the whole domain."""


@dataclass(frozen=True, slots=True, eq=False)
class Repeat:
    """Steps that run once for each value of the variable, in order; kernels in them may use it in indices.

    It counts from `start`, 0 if there is none, to before `stop`, its extent if there is none; what they hold is moved
    into that range. With `backward` it counts down.
    """

    var: LoopVar
    body: tuple[Step, ...]
    start: Load | None = None
    stop: Load | None = None
    backward: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class RepeatWhile:
    """`test`, then, as long as `predicate` is true, `body` and `test` again."""

    test: tuple[Step, ...]
    predicate: Load
    body: tuple[Step, ...]
    var: LoopVar | None = None
    """What counts the steps; there are no more than its extent."""
    lanes: Dim = 0
    """How many elements the predicate has, when each decides for a lane of its own; such a loop is made one kernel."""


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """The steps of one branch: of number `index`, or of the first or the last when that is beyond them."""

    index: Load
    branches: tuple[tuple[Step, ...], ...]


@dataclass(frozen=True, slots=True, eq=False)
class HostCall:
    """Python computes the NumPy meaning of an op, which reads its operands and writes its results where they lie."""

    op: Op
    operands: tuple[TensorType, ...]
    results: tuple[TensorType, ...]
    reads: tuple[Load, ...]
    """The first element of each operand."""
    writes: tuple[Load, ...]
    """Where the first element of each result goes."""
    when: Load | None
    """The truth value that says whether Python is called at all; None when it always is."""


@dataclass(frozen=True, slots=True, eq=False)
class RoutineCall:
    """A routine of the target does pieces `0 … count - 1` of its task, given addresses and numbers."""

    name: str
    reads: tuple[Load, ...]
    """The first element of each operand."""
    writes: tuple[Load, ...]
    """Where the result goes, and the room that the routine needs, if it needs any."""
    numbers: tuple[Dim, ...]
    count: Dim
    work: Dim | None
    """The scalar operations, where their number decides at run time whether threads run it; None where none may."""


@dataclass(frozen=True, slots=True, eq=False)
class Either:
    """`small` where `size <= most`, else `large`; both compute the same."""

    size: Dim
    most: int
    small: tuple[Step, ...]
    large: tuple[Step, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """From here on, the symbol is the number that is read. Where a condition on sizes fails then, `misfit` says so."""

    symbol: str
    number: Load
    asked: tuple[Check, ...]
    misfit: HostCall


Step: TypeAlias = (
    "Kernel | Nest | Again | Repeat | RepeatWhile | Branch | Room | HostCall | RoutineCall | Either | Measured"
)


def parts(step: Step) -> tuple[tuple[Step, ...], ...]:
    """The lists of steps in a step."""
    match step:
        case Repeat():
            return (step.body,)
        case RepeatWhile():
            return (step.test, step.body)
        case Branch():
            return step.branches
        case Either():
            return (step.small, step.large)
        case Measured():
            return ((step.misfit,),)
        case _:
            return ()


def decides(part: Step | Statement) -> tuple[Load, ...]:
    """What a step or a statement reads to know how it goes on."""
    match part:
        case Repeat() | Loop():
            return tuple(bound for bound in (part.start, part.stop) if bound)
        case RepeatWhile() | While():
            return (part.predicate,)
        case Branch() | Choose():
            return (part.index,)
        case Room():
            return (part.number,) if isinstance(part.number, Load) else ()
        case HostCall():
            return (part.when,) if part.when is not None else ()
        case Measured():
            return (part.number,)
        case _:
            return ()


def innermost(steps: Sequence[Step]) -> Iterator[Kernel | Nest | Again | HostCall | RoutineCall]:
    """Every step that computes, in the order of the text."""
    for step in steps:
        if isinstance(step, Kernel | Nest | Again | HostCall | RoutineCall):
            yield step
        for inner in parts(step):
            yield from innermost(inner)


def leaves(steps: Sequence[Step]) -> Iterator[Kernel | Nest]:
    """Every kernel of the steps, or nest that is to become one, in the order of the text."""
    return (step for step in innermost(steps) if isinstance(step, Kernel | Nest))


def kernels(steps: Sequence[Step]) -> Iterator[Kernel | Again]:
    """Every kernel of the steps, those that come again too, in the order of the text."""
    return (step for step in innermost(steps) if isinstance(step, Kernel | Again))


def host_calls(steps: Sequence[Step]) -> Iterator[HostCall]:
    """Every call of Python in the steps, in the order of the text."""
    return (step for step in innermost(steps) if isinstance(step, HostCall))


def routine_calls(steps: Sequence[Step]) -> Iterator[RoutineCall]:
    """Every call of a routine in the steps, in the order of the text."""
    return (step for step in innermost(steps) if isinstance(step, RoutineCall))


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Steps in the order they run, over arguments, constants, results and one arena."""

    name: str
    steps: tuple[Step, ...]
    arguments: tuple[Buffer, ...]
    constants: tuple[Buffer, ...]
    results: tuple[Buffer, ...]
    arena: Mapping[Buffer, int]
    """The byte offset of every arena buffer whose size is a number."""
    arena_bytes: int
    """What these buffers take; slots follow them."""
    data: Mapping[Buffer, Literal]
    """The contents of every constant buffer."""
    aliases: Mapping[Buffer, Buffer] = field(default_factory=dict["Buffer", "Buffer"])
    """The donated argument whose memory a result takes, for the results that take one."""
    tapes: Mapping[Buffer, tuple[Tape, Dim]] = field(default_factory=dict["Buffer", "tuple[Tape, Dim]"])
    """For each buffer on a tape, the tape, and at which byte of each record it is."""
    slot_of: Mapping[Buffer, int] = field(default_factory=dict["Buffer", int])
    """The slot of every arena buffer whose size is symbolic."""
    slots: tuple[Dim, ...] = ()
    """The bytes of each slot. They lie one after the other, each aligned."""
    sizes: Sizes | None = None
    """Where symbolic sizes come from, for a program that has some."""
