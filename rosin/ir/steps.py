"""The loop-level IR around kernels: a program is steps, most of which are kernels, over buffers.

    program    ::= steps
    step       ::= kernel | nest | Again(name, kernel, places, numbers)
                 | Repeat(var, steps, start, stop, team) | RepeatWhile(steps, load, steps, var)
                 | Branch(load, steps, …) | Room(tape, number) | HostCall(op, loads, loads, load)
                 | RoutineCall(name, loads, loads, numbers, count) | Measured(symbol, load, conditions, host call)
                 | Either(size, most, steps, steps)
    kernel     ::= name, statements, numbers
    nest       ::= name, rows, columns, statements and Inner(statements, carries), to become a kernel

Statements are those of rosin.ir.loops.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.facts import Check
from rosin.ir.index import LoopVar
from rosin.ir.literal import Literal
from rosin.ir.loops import Buffer, Carry, Load, Local, Room, Statement, Tape, decides
from rosin.ir.sizes import Sizes
from rosin.ir.statements import Contents
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.op import Op


@dataclass(frozen=True, eq=False)
class Kernel:
    """One fused piece of a program: loops over the buffers that they read and write."""

    name: str
    body: tuple[Statement, ...]
    scratch: tuple[Buffer, ...] = ()
    registers: int = 1
    """How many registers the lanes of a vector loop fill, where its target has registers for lanes."""
    work: Dim | None = None
    """The scalar operations of a parallel kernel, where their number decides at run time whether threads run it."""
    numbers: Mapping[Local, Literal] = field(default_factory=dict["Local", "Literal"])
    """Numbers that it is given, other ones when it comes again."""
    tile: str = ""
    """What of a product's result is computed together, for those who look."""

    @cached_property
    def contents(self) -> Contents:
        """What stands in it."""
        return Contents(self.body)

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """What it reads or writes."""
        return self.contents.buffers


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


def statements_of(parts: Sequence[Statement | Inner]) -> list[Statement]:
    """The statements in the parts of a nest, those of passes over its columns too."""
    return [s for part in parts for s in (part.body if isinstance(part, Inner) else [part])]


@dataclass(frozen=True, eq=False)
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

    @cached_property
    def contents(self) -> Contents:
        """What stands in the loops."""
        return Contents(statements_of(self.body))

    @property
    def buffers(self) -> tuple[Buffer, ...]:
        """What it reads or writes."""
        return self.contents.buffers


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
    apart: bool = False
    """Whether no step reads what another one writes."""
    team: Team | None = None
    """What threads need that share the steps; None where one thread runs all of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Team:
    """Room for each of the threads that share a loop, for what is written and read within one step."""

    room: Buffer
    """Room for all of them."""
    bytes: int
    """What one takes."""
    most: int
    """How many there is room for."""
    offsets: Mapping[Buffer, int]
    """Where in the room of a thread its buffers are."""


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
    """Where the first element of each result goes, and the room that the routine needs, if it `has_room`."""
    numbers: tuple[Dim, ...]
    count: Dim
    work: Dim
    """The scalar operations of all pieces."""
    on_threads: bool
    """Whether threads may share the pieces, which their work decides at run time."""
    has_room: bool = False
    begins: bool = False
    """Whether the routine does something before its pieces, on the thread that runs the program."""


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


def step_decides(step: Step) -> tuple[Load, ...]:
    """What a step reads to know how it goes on."""
    match step:
        case Repeat():
            return tuple([bound for bound in (step.start, step.stop) if bound])
        case RepeatWhile():
            return (step.predicate,)
        case Branch():
            return (step.index,)
        case Room():
            return decides(step)
        case HostCall():
            return (step.when,) if step.when is not None else ()
        case Measured():
            return (step.number,)
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
    setup: tuple[Step, ...] = ()
    """Steps that read kept arguments alone, and run before the others, once for many runs of these."""
    block: Buffer | None = None
    """Memory for what the setup writes, if there is a setup."""
    kept: Mapping[Buffer, int] = field(default_factory=dict["Buffer", "int"])
    """The byte offset in the block of everything that the setup writes."""
