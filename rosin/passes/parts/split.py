"""A program of complex numbers becomes one of their real and imaginary parts.

A buffer of complex numbers is one of twice as many real numbers: element k has its parts at 2 k and 2 k + 1, as NumPy
lays them out. An expression of a complex number is a pair of expressions, a running value of a loop a pair of running
values. So nothing after this knows complex numbers: the kernels, their tiles and vectors are those of real numbers, and
a vector of complex numbers in memory is a block of two parts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TypeVar

from rosin.ir.dtypes import DType
from rosin.ir.errors import UnsupportedError
from rosin.ir.graph import Graph
from rosin.ir.index import Atom, Dynamic, Index, Least, LoopVar
from rosin.ir.literal import Literal
from rosin.ir.loops import (
    Accumulate,
    Apply,
    Buffer,
    Carry,
    Choose,
    Const,
    Expr,
    Guard,
    InTurn,
    Let,
    Load,
    Local,
    Loop,
    Products,
    Room,
    Statement,
    Store,
    When,
    While,
    Within,
    guard,
)
from rosin.ir.op import apply
from rosin.ir.ops.arithmetic import Add, Mul
from rosin.ir.scalar import Real
from rosin.ir.steps import (
    Again,
    Branch,
    Either,
    HostCall,
    Kernel,
    Measured,
    Nest,
    Program,
    Repeat,
    RepeatWhile,
    RoutineCall,
    Step,
)
from rosin.ir.types import TensorType
from rosin.passes.parts import arithmetic, exponential, trigonometric

FUNCTIONS = {**arithmetic.FUNCTIONS, **exponential.FUNCTIONS, **trigonometric.FUNCTIONS}
"""The parts of the result of every elementwise op that takes or gives complex numbers: (*operands), each a real number
or a pair, and the op first where it has attributes."""

T = TypeVar("T")


def has_complex(graph: Graph) -> bool:
    """Whether a value of the graph, or of a region in it, is of complex numbers."""
    if any(v.type.dtype.is_complex for v in graph.values()):
        return True
    return any(has_complex(region) for node in graph.nodes for region in node.regions)


def split(program: Program) -> Program:
    """The program over real and imaginary parts."""
    return _Split().program(program)


class _Split:
    """What the parts of one program share."""

    def __init__(self) -> None:
        self.buffers: dict[Buffer, Buffer] = {}
        self.kernels: dict[Kernel, Kernel] = {}
        self.locals: dict[Local, tuple[Local, Local]] = {}
        self.carries: dict[Carry, tuple[Carry, ...]] = {}
        self.found: dict[int, tuple[Expr, ...]] = {}
        self.atoms: dict[int, Atom] = {}

    # -- the program -----------------------------------------------------------------------------------------

    def program(self, program: Program) -> Program:
        def keys(given: Mapping[Buffer, T]) -> dict[Buffer, T]:
            return {self.buffer(b): x for b, x in given.items()}

        return dataclasses.replace(
            program,
            steps=self.steps(program.steps),
            arguments=tuple(map(self.buffer, program.arguments)),
            constants=tuple(map(self.buffer, program.constants)),
            results=tuple(map(self.buffer, program.results)),
            arena=keys(program.arena),
            data={self.buffer(b): _real_literal(x) for b, x in program.data.items()},
            aliases={self.buffer(a): self.buffer(b) for a, b in program.aliases.items()},
            tapes=keys(program.tapes),
            slot_of=keys(program.slot_of),
        )

    def buffer(self, buffer: Buffer) -> Buffer:
        if not buffer.dtype.is_complex:
            return buffer
        if buffer not in self.buffers:
            self.buffers[buffer] = Buffer(buffer.name, buffer.dtype.part, buffer.size * 2, buffer.scope)
        return self.buffers[buffer]

    def steps(self, steps: Sequence[Step]) -> tuple[Step, ...]:
        return tuple(map(self.step, steps))

    def step(self, step: Step) -> Step:
        match step:
            case Kernel():
                return self.kernel(step)
            case Again(name, kernel, places, numbers):
                there = {self.buffer(own): self.buffer(other) for own, other in places.items()}
                return Again(name, self.kernel(kernel), there, numbers)
            case Repeat():
                return dataclasses.replace(step, body=self.steps(step.body))
            case RepeatWhile():
                return dataclasses.replace(step, test=self.steps(step.test), body=self.steps(step.body))
            case Branch():
                return Branch(step.index, tuple(map(self.steps, step.branches)))
            case Either():
                return dataclasses.replace(step, small=self.steps(step.small), large=self.steps(step.large))
            case HostCall() | RoutineCall():
                reads, writes = tuple(map(self.first, step.reads)), tuple(map(self.first, step.writes))
                return dataclasses.replace(step, reads=reads, writes=writes)
            case Measured() | Room():
                # What is measured, and what is called when it does not fit, is of integers.
                return step
            case Nest():
                raise AssertionError("nests have become kernels before parts are taken")

    def kernel(self, kernel: Kernel) -> Kernel:
        """The kernel over parts, which those that do it again have in common. The numbers it is given are real ones."""
        if kernel not in self.kernels:
            self.found.clear()
            self.kernels[kernel] = dataclasses.replace(
                kernel,
                body=self.statements(kernel.body),
                scratch=tuple(map(self.buffer, kernel.scratch)),
            )
        return self.kernels[kernel]

    def first(self, load: Load) -> Load:
        """The first part of the first element of a whole operand or result."""
        return Load(self.buffer(load.buffer), load.offset * 2) if load.dtype.is_complex else load

    # -- statements ------------------------------------------------------------------------------------------

    def statements(self, statements: Sequence[Statement]) -> tuple[Statement, ...]:
        return tuple(part for statement in statements for part in self.statement(statement))

    def statement(self, statement: Statement) -> list[Statement]:
        match statement:
            case Let(local, value):
                return [Let(a, b) for a, b in zip(self.local(local), self.expr(value), strict=True)]
            case Store(buffer, offset, value):
                return self.store(self.buffer(buffer), self.index(offset), self.expr(value))
            case Accumulate():
                return self.accumulate(statement)
            case When():
                return [When(self.tests(statement.tests), self.statements(statement.body))]
            case InTurn():
                return [InTurn(self.statements(statement.body))]
            case Loop():
                carries = tuple(part for carry in statement.carries for part in self.carry(carry))
                return [dataclasses.replace(statement, body=self.statements(statement.body), carries=carries)]
            case While():
                test, body = self.statements(statement.test), self.statements(statement.body)
                return [dataclasses.replace(statement, test=test, body=body)]
            case Choose():
                return [Choose(statement.index, tuple(map(self.statements, statement.branches)))]
            case Room() | Products():
                return [statement]

    def store(self, buffer: Buffer, offset: Index, parts: Sequence[Expr]) -> list[Statement]:
        if len(parts) == 1:
            return [Store(buffer, offset, parts[0])]
        lets: list[Statement] = []
        named = list(parts)
        for k, part in enumerate(parts):
            # Both parts are known before one is written: the number may be computed from what is there.
            if not isinstance(part, Local | Const):
                named[k] = local = Local(("re", "im")[k], part.dtype)
                lets.append(Let(local, part))
        return [*lets, *(Store(buffer, offset * 2 + k, part) for k, part in enumerate(named))]

    def accumulate(self, statement: Accumulate) -> list[Statement]:
        carries = self.carry(statement.carry)
        if len(carries) == 1:
            return [Accumulate(carries[0], tuple(part for value in statement.values for part in self.expr(value)))]
        (value,) = statement.values
        if isinstance(value, Apply) and isinstance(value.op, Mul):
            # Each of the four products is added by itself, as a fused multiply-add.
            (a, b), (c, d) = (map(Real, self.expr(arg)) for arg in value.args)
            products = ((a * c, carries[0]), (a * d, carries[1]), (-b * d, carries[0]), (b * c, carries[1]))
            return [Accumulate(carry, (product.expr,)) for product, carry in products]
        return [Accumulate(carry, (part,)) for carry, part in zip(carries, self.expr(value), strict=True)]

    def carry(self, carry: Carry) -> tuple[Carry, ...]:
        """A carry over parts; of a sum, which takes each part by itself, one for each."""
        if carry not in self.carries:
            left, right = self.all_locals(carry.left), self.all_locals(carry.right)
            initial = tuple(part for value in carry.initial for part in self.expr(value))
            combine = tuple(part for value in carry.combine for part in self.expr(value))
            take = tuple(part for value in carry.take for part in self.expr(value))
            neutral = tuple(part for value in carry.neutral for part in self.expr(value))
            whole = Carry(self.all_locals(carry.locals), initial, left, right, combine, take, neutral)
            is_sum = carry.fold is Add and len(combine) == 2
            self.carries[carry] = _each(whole) if is_sum else (whole,)
        return self.carries[carry]

    # -- expressions -----------------------------------------------------------------------------------------

    def all_locals(self, locals_: Sequence[Local]) -> tuple[Local, ...]:
        return tuple(part for local in locals_ for part in self.local(local))

    def local(self, local: Local) -> tuple[Local, ...]:
        if not local.dtype.is_complex:
            return (local,)
        if local not in self.locals:
            part = local.dtype.part
            self.locals[local] = Local(f"{local.name}_re", part), Local(f"{local.name}_im", part)
        return self.locals[local]

    def expr(self, expr: Expr) -> tuple[Expr, ...]:
        """The parts of a complex expression; a real one alone. What is shared stays shared.

        Expressions are known by their identity: the program that is taken apart holds them all.
        """
        found = self.found.get(id(expr))
        if found is None:
            found = self.found[id(expr)] = self._expr(expr)
        return found

    def _expr(self, expr: Expr) -> tuple[Expr, ...]:
        if isinstance(expr, Local):
            return self.local(expr)
        if isinstance(expr, Const):
            return _constant(expr.value, expr.dtype) if expr.dtype.is_complex else (expr,)
        if isinstance(expr, Load) and expr.dtype.is_complex:
            buffer, offset = self.buffer(expr.buffer), self.index(expr.offset) * 2
            return Load(buffer, offset), Load(buffer, offset + 1)
        if isinstance(expr, Guard) and expr.dtype.is_complex:
            tests = self.tests(expr.tests)
            return tuple(guard(tests, *sides) for sides in zip(*map(self.expr, expr.children()), strict=True))
        if isinstance(expr, Apply) and any(e.dtype.is_complex for e in (expr, *expr.args)):
            return self.applied(expr)
        children = tuple(self.expr(child)[0] for child in expr.children())
        indices = tuple(map(self.index, expr.indices()))
        same = all(a is b for a, b in zip(children, expr.children(), strict=True)) and indices == expr.indices()
        return (expr,) if same else (expr.rebuild(children, indices),)

    def applied(self, expr: Apply) -> tuple[Expr, ...]:
        args = [tuple(map(Real, self.expr(arg))) for arg in expr.args]
        operands = [arg if len(arg) == 2 else arg[0] for arg in args]
        rule = FUNCTIONS.get(expr.op.__class__)
        if rule is None:
            raise UnsupportedError(f"{expr.op.name} of complex numbers is not known by its parts")
        result = rule(expr.op, *operands) if expr.op.attributes() else rule(*operands)
        return tuple(part.expr for part in (result if isinstance(result, tuple) else (result,)))

    # -- indices ---------------------------------------------------------------------------------------------

    def tests(self, tests: Sequence[Within]) -> tuple[Within, ...]:
        return tuple(Within(self.index(test.index), test.low, test.high) for test in tests)

    def index(self, index: Index) -> Index:
        """The index, of which the numbers that are read are computed from parts."""
        if all(isinstance(atom, LoopVar) for atom, _ in index.terms):
            return index
        total = Index(index.constant)
        for atom, coefficient in index.terms:
            total = total + Index(0, ((self.atom(atom), coefficient),))
        return total

    def atom(self, atom: Atom) -> Atom:
        match atom:
            case LoopVar():
                return atom
            case Dynamic():
                if id(atom) not in self.atoms:
                    (value,) = self.expr(atom.value)
                    self.atoms[id(atom)] = atom if value is atom.value else dataclasses.replace(atom, value=value)
                return self.atoms[id(atom)]
            case Least():
                return dataclasses.replace(atom, index=self.index(atom.index))
            case _:
                return dataclasses.replace(atom, dividend=self.index(atom.dividend))


def _each(carry: Carry) -> tuple[Carry, ...]:
    """A sum of pairs as two sums."""
    rows = zip(carry.locals, carry.initial, carry.left, carry.right, strict=True)
    return tuple(
        Carry((local,), (initial,), (left,), (right,), (apply(Add(), left, right),))
        for local, initial, left, right in rows
    )


def _constant(value: complex, dtype: DType) -> tuple[Expr, ...]:
    number = complex(value)
    return Const(number.real, dtype.part), Const(number.imag, dtype.part)


def _real_literal(literal: Literal) -> Literal:
    dtype = literal.type.dtype
    if not dtype.is_complex:
        return literal
    parts = literal.full().ravel().view(dtype.part.numpy)
    return Literal(TensorType(dtype.part, parts.shape), parts)
