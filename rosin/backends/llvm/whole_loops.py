"""Loops that fill registers from memory, add up products there and write them back, as lines of the assembler of x86.

So are tiles of sums, the panels that are copied for them, and other plain copies. LLVM takes a hundred times as long to
give the many values of a tile their registers, one by one, as it takes to read instructions that name them.

Addresses are pointers and numbers. An index without its constant, without lanes, and without the loop that is one in
the lines, is computed by whoever has the lines, once for all places that differ in these alone. Pointers to places that
differ from step to step are counted up.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from rosin.backends.llvm.around import is_long
from rosin.backends.llvm.streams import NextRows, streams
from rosin.backends.llvm.vector_loops import factors, long_sums
from rosin.backends.llvm.whole_values import INSTRUCTIONS, Place, UnlikeError, Values, demand
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.index import Atom, Index, LoopVar
from rosin.ir.loops import (
    Accumulate,
    Apply,
    Buffer,
    Carry,
    Const,
    Expr,
    Kind,
    Let,
    Load,
    Local,
    Loop,
    Scope,
    Statement,
    Store,
    When,
    Within,
    decides,
)
from rosin.ir.ops.arithmetic import Add, Maximum, Minimum
from rosin.ir.statements import Terms, nested

MOST_TOLD = 10
"""Registers for addresses, counts and tests: so many any function has."""
MOST_VECTORS = 8
"""A longer row is a loop in the lines."""
AT_ONCE = 4
"""So many vectors of a longer row are one step of it."""
MOST_SIDE_BY_SIDE = 4
"""So many are written side by side, where a vector is several registers."""

_FOLDS = (Add, Maximum, Minimum)
_ELSEWHERE = (Scope.LANES, Scope.STATE, Scope.TAPE)


@dataclass(frozen=True, slots=True)
class Pointer:
    """The address of the element of a buffer whose index are these terms."""

    buffer: Buffer
    terms: tuple[tuple[Atom, Dim], ...]
    var: LoopVar | None
    """The variable of the loop in the lines with which it is counted up."""
    step: int
    """By how many elements, for each more of that."""


@dataclass(frozen=True)
class WholeLoop:
    """The lines of a loop, in which what they are told has names in angles."""

    lines: Sequence[str]
    pointers: Sequence[Pointer]
    """What `p0`, `p1`… are to begin with."""
    counts: Sequence[int]
    """And `c0`, `c1`…, which count down to 0."""
    tests: Sequence[Sequence[Within]]
    """Of these `t0`, `t1`… say whether they all hold: if not, they are 0."""
    steps: int
    """How many of the lines run, those of loops each time."""


def whole_loop(loop: Loop, lanes: int, next_rows: NextRows = MappingProxyType({})) -> WholeLoop | None:
    """The lines of a loop that would run so many lanes at a time; None for one that is not of the kind."""
    rows = [s for s in loop.body if isinstance(s, Loop)] if loop.kind is Kind.SERIAL else [loop]
    if loop.parallel or loop.carries or (loop.kind is Kind.SERIAL and len(rows) < len(loop.body)):
        return None
    constants: dict[Const, bool] = {}
    if not all(_is_plain(row, constants) for row in rows):
        return None
    try:
        written = _Lines(loop, rows, lanes, constants, next_rows)
    except UnlikeError:
        return None
    told = len(written.pointers) + len(written.counts) + len(written.tests)
    if told > MOST_TOLD:
        return None
    steps = len(written.lines) + written.repeated
    return WholeLoop(written.lines, list(written.pointers), written.counts, written.tests, steps)


def _is_plain(row: Loop, constants: dict[Const, bool]) -> bool:
    """Whether at a glance there may be lines for a row: for most of those that have none, none are begun. Finds the
    constants in it, and whether anything takes them but running values to begin with."""
    if row.kind is not Kind.VECTOR or row.carries or row.refill or not isinstance(row.var.extent, int):
        return False
    seen: set[int] = set()
    for statement in nested(row.body):
        match statement:
            case Let() | Accumulate() | When():
                pass
            case Store() if _apart(statement.offset.terms, row.var) == 1:
                pass
            case Loop(body=body) if all(isinstance(s, Accumulate) for s in body):
                pass
            case _:
                return False
        stack = list(_used(statement))
        while stack:
            expr = stack.pop()
            if id(expr) in seen:
                continue
            if isinstance(expr, Const):
                constants[expr] = constants.get(expr, False) or not isinstance(statement, Loop)
                continue
            seen.add(id(expr))
            match expr:
                case Apply() if expr.op.__class__ in INSTRUCTIONS and expr.dtype.is_float:
                    stack += expr.args
                case Load() if _apart(expr.offset.terms, row.var) in (0, 1):
                    pass
                case Local():
                    pass
                case _:
                    return False
    return True


def _apart(terms: Sequence[tuple[Atom, Dim]], lane: LoopVar | None) -> Dim:
    """How far apart lanes are, as far as they are terms themselves."""
    for atom, coefficient in terms:
        if atom is lane:
            return coefficient
    return 0


class _Lines(Values):
    """The lines of a loop as they are written."""

    def __init__(
        self, loop: Loop, rows: Sequence[Loop], lanes: int, constants: Mapping[Const, bool], next_rows: NextRows
    ) -> None:
        """Of a row, or of a loop of nothing but short `rows`; `constants` says of each whether it has a register even
        where it is 0."""
        super().__init__(max((s.buffer.dtype.bytes for s in nested([loop]) if isinstance(s, Store)), default=0), lanes)
        self.are_several = lanes > self.lanes
        """Whether several registers are to be filled side by side."""
        self.repeated = 0
        """How many lines run again, each time."""
        self.pointers: dict[Pointer, str] = {}
        self.counts: list[int] = []
        self.tests: list[Sequence[Within]] = []
        self.labels = 1
        self.rest = 0
        """How many lanes take part in the vectors that are not whole."""
        self.lane: LoopVar | None = None
        self.further = 0
        """How many lanes come before those of the vector that is written."""
        self.next_rows = next_rows
        self.is_last = True
        """Whether no other vectors of its row come after."""
        self.var: LoopVar | None = None
        """The variable of the loop around that is one in the lines."""
        self.once: list[LoopVar] = []
        """Those of loops of one step, which are none."""
        self.known: dict[tuple[Buffer, Terms], tuple[str, bool]] = {}
        """For terms seen before the name of their pointer, and whether lanes are neighbours."""
        for constant, taken in constants.items():
            if taken or not self.is_zero(constant):
                self.constant(constant)
        if loop.kind is Kind.VECTOR:
            self._vectors(loop)
        else:
            demand(all(_trips(row) <= MOST_VECTORS * self.lanes for row in rows))
            begin = self._open(loop, _trips(loop))
            for row in rows:
                self._vectors(row)
            self._close(begin, 1)

    # -- loops -------------------------------------------------------------------------------------------------

    def _vectors(self, loop: Loop) -> None:
        """A row of vectors."""
        count, rest = divmod(_trips(loop), self.lanes)
        if rest:
            self._mask(rest)
        self.lane, self.known = loop.var, {}
        first = 0
        if count > MOST_VECTORS:
            first = count - count % AT_ONCE
            begin = self._open(loop, first // AT_ONCE)
            self._some(loop, [(number, "") for number in range(AT_ONCE)])
            self._close(begin, AT_ONCE * self.lanes)
            # Pointers are where the loop has left them.
            self.var = loop.var
        others = [(number, "") for number in range(count - first)]
        self._some(loop, [*others, (count - first, "{%k1}")] if rest else others)
        if first:
            self.var = None
        self.lane, self.known = None, {}

    def _some(self, loop: Loop, vectors: Sequence[tuple[int, str]]) -> None:
        """Vectors with these numbers and masks, some side by side: what these read lies together."""
        uses = _uses(loop.body)
        side_by_side = MOST_SIDE_BY_SIDE if self.are_several and not any(isinstance(s, When) for s in loop.body) else 1
        for first in range(0, len(vectors), side_by_side):
            some = vectors[first : first + side_by_side]
            lines, free, written = self.lines, self.free, list[list[str]]()
            self.is_last = first + len(some) == len(vectors)
            for at, (number, mask) in enumerate(some):
                self.lines, self.free = [], free[at :: len(some)]
                self.further, self.masked, self.compared = number * self.lanes, mask, f"%k{2 + at}"
                self.wanted = Counter(uses)
                for load, further in () if mask else self.next_rows.get(loop, ()):
                    self.lines.append(f"prefetcht1 {self.place(load.buffer, load.offset + further).text}")
                self._statements(loop.body)
                self.forget()
                written.append(self.lines)
            self.lines, self.free, self.masked = lines, free, ""
            for together in itertools.zip_longest(*written):
                self.lines += [line for line in together if line is not None]

    def _mask(self, count: int) -> None:
        """The mask of the first so many lanes, before all other lines."""
        demand(self.rest in (0, count))
        if not self.rest:
            self.lines[:0] = [f"movl $${(1 << count) - 1}, %eax", "kmovw %eax, %k1"]
        self.rest = count

    def _open(self, loop: Loop, trips: int) -> tuple[int, int]:
        """A loop begins in the lines; gives its label, and how many lines there are before."""
        demand(self.var is None)
        self.var, self.known = loop.var, {}
        self.counts.append(trips)
        self.labels += 1
        self.lines.append(f"{self.labels}:")
        return self.labels, len(self.lines)

    def _close(self, begin: tuple[int, int], steps: int, trips: int = 0) -> None:
        """It ends, in whose every step its variable goes on by so many. Other vectors go through one of so many `trips`
        again, and from the beginning."""
        label, first = begin
        moved = {p: p.step * self.bytes for p in self.pointers if p.step and p.var is self.var}
        self.lines += [f"addq $${_fits(by * steps)}, <{self.pointers[p]}>" for p, by in moved.items()]
        self.lines += [f"decq <c{len(self.counts) - 1}>", f"jne {label}b"]
        self.repeated += (self.counts[-1] - 1) * (len(self.lines) - first)
        if trips and not self.is_last:
            self.lines += [f"subq $${_fits(by * trips)}, <{self.pointers[p]}>" for p, by in moved.items()]
        self.var, self.known = None, {}

    # -- statements --------------------------------------------------------------------------------------------

    def _statements(self, body: Sequence[Statement]) -> None:
        for statement in body:
            match statement:
                case Let():
                    register = self.value(statement.value)
                    self.keep(statement.local, register)
                    self.release(register)
                case Store():
                    self._store(statement)
                case When():
                    self._when(statement)
                case Loop():
                    self._sums(statement)
                case _:
                    raise UnlikeError

    def _store(self, statement: Store) -> None:
        place = self.place(statement.buffer, statement.offset)
        register = self.value(statement.value)
        self.lines.append(f"vmovup{self.suffix} {register}, {place.text}{self.masked}")
        self.release(register)

    def _when(self, statement: When) -> None:
        for test in statement.tests:
            demand(not test.index.dynamics() and self._is_outside(test.index))
        name = f"t{len(self.tests)}"
        self.tests.append(statement.tests)
        self.labels += 1
        after = self.labels
        self.lines += [f"testq <{name}>, <{name}>", f"je {after}f"]
        with self.inside():
            self._statements(statement.body)
        self.lines.append(f"{after}:")

    def _sums(self, loop: Loop) -> None:
        """Running values, which stay in registers."""
        trips = _trips(loop)
        demand(loop.kind is Kind.SERIAL and not long_sums(loop, trips))
        demand(trips == 1 or not self.are_several)
        totals = {carry: self._begun(carry) for carry in loop.carries}
        terms = [s for s in loop.body if isinstance(s, Accumulate) and s.carry in totals]
        demand(len(terms) == len(loop.body))
        begin = None
        if trips > 1:
            begin = self._open(loop, trips)
        else:
            self.once.append(loop.var)
        with self.inside():
            for load, ahead in streams(loop, lambda _: True):
                self.lines.append(f"prefetcht0 {self.place(load.buffer, load.offset + ahead).text}")
            if all(map(_is_plain_product, terms)):
                both = [factors(statement.carry, statement.values) for statement in terms]
                self._add_up([(totals[s.carry], list(map(self._factor, f))) for s, f in zip(terms, both, strict=True)])
            else:
                for statement in terms:
                    self._combine(statement, totals[statement.carry])
        if begin is not None:
            self._close(begin, 1, trips)
        for carry, register in totals.items():
            self.keep(carry.locals[0], register)
            self.release(register)

    def _begun(self, carry: Carry) -> str:
        """A register of its own for a sum, in which there is what it begins with."""
        demand(carry.fold in _FOLDS and carry.locals[0].dtype.is_float and not carry.take and not carry.neutral)
        initial = carry.initial[0]
        if isinstance(initial, Const) and self.is_zero(initial):
            return self.cleared()
        register = self.value(initial)
        if self.holders[register] == 1:
            return register
        copy = self.new()
        self.lines.append(f"vmovap{self.suffix} {register}, {copy}")
        self.release(register)
        return copy

    def _combine(self, statement: Accumulate, total: str) -> None:
        """One more value for a running one."""
        kind, both = f"p{self.suffix}", factors(statement.carry, statement.values)
        if both:
            near = self.value(both[0])
            far = self.folded(both[1])
            self.lines.append(f"vfmadd231{kind} {far}, {near}, {total}")
            self.release(near)
        else:
            far = self.folded(statement.values[0])
            fold = statement.carry.fold
            assert fold is not None, "running values are sums or extremes"
            name = INSTRUCTIONS[fold]
            if name == "add":
                self.lines.append(f"vadd{kind} {far}, {total}, {total}")
            else:
                self.take_extreme(name, total, far)
        if far.startswith("%"):
            self.release(far)

    def _factor(self, value: Expr) -> Place:
        if isinstance(value, Load):
            return self.place(value.buffer, value.offset)
        # What was there before the loop stays in its register.
        demand(value in self.registers)
        register = self.value(value)
        self.release(register)
        return Place(register)

    def _add_up(self, products: Sequence[tuple[str, Sequence[Place]]]) -> None:
        """The products of one step. What several have in common is loaded once."""
        left = Counter(factor for _, pair in products for factor in pair)
        near: dict[Place, str] = {}

        def is_near(place: Place) -> bool:
            return place.is_register or place in near

        for total, (a, b) in products:
            # One factor may come from memory right here.
            first, second = (b, a) if is_near(b) or (left[a] == 1 and not is_near(a)) else (a, b)
            for place, needs in ((first, True), (second, left[second] > 1 or self.masked)):
                if needs and not is_near(place):
                    near[place] = self.loaded(place)
            x, y = (each.text if each.is_register else near.get(each) for each in (first, second))
            self.lines.append(f"vfmadd231p{self.suffix} {y or self.operand(second)}, {x}, {total}")
            for place in (a, b):
                left[place] -= 1
                if not left[place] and place in near:
                    self.release(near.pop(place))

    # -- memory ------------------------------------------------------------------------------------------------

    def place(self, buffer: Buffer, offset: Index) -> Place:
        constant = offset.constant
        demand(isinstance(constant, int) and buffer.dtype.bytes == self.bytes and buffer.scope not in _ELSEWHERE)
        assert isinstance(constant, int)
        # Most indices of a tile differ in a number alone.
        key = buffer, offset.terms
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = self._pointer(buffer, offset.terms)
        name, of_lanes = found
        if of_lanes:
            constant += self.further
        return Place(f"{_fits(constant * self.bytes)}(<{name}>)", of_lanes)

    def _pointer(self, buffer: Buffer, terms: Sequence[tuple[Atom, Dim]]) -> tuple[str, bool]:
        """The name of the pointer to what has these terms, and whether lanes are neighbours."""
        step: Dim = 0
        rest: list[tuple[Atom, Dim]] = []
        for atom, coefficient in terms:
            if atom is self.var:
                step = coefficient
            elif atom is not self.lane and atom not in self.once:
                rest.append((atom, coefficient))
        index = Index(0, tuple(rest))
        demand(isinstance(step, int) and not index.dynamics() and self._is_outside(index))
        assert isinstance(step, int)
        pointer = Pointer(buffer, index.terms, self.var if step else None, step)
        return self.pointers.setdefault(pointer, f"p{len(self.pointers)}"), _apart(terms, self.lane) == 1

    def _is_outside(self, index: Index) -> bool:
        """Whether an index is the same throughout the lines."""
        return index.variables().isdisjoint((self.lane, self.var, *self.once))


def _is_plain_product(statement: Accumulate) -> bool:
    """Whether a product is added up whose factors are in memory, or have been computed before."""
    both = factors(statement.carry, statement.values)
    return bool(both) and all(isinstance(each, Load | Local) for each in both)


def _used(statement: Statement) -> Sequence[Expr]:
    """The values that a statement takes."""
    match statement:
        case Let() | Store():
            return (statement.value,)
        case Accumulate():
            return factors(statement.carry, statement.values) or statement.values
        case Loop():
            return [initial for carry in statement.carries for initial in carry.initial]
        case _:
            return ()


def _uses(body: Sequence[Statement]) -> Counter[Expr]:
    """How often each value in statements is used: by these, and in other values."""
    found = Counter[Expr]()
    stack = [value for statement in nested(body) for value in _used(statement)]
    while stack:
        value = stack.pop()
        found[value] += 1
        if found[value] == 1:
            stack += value.children()
    return found


def _trips(loop: Loop) -> int:
    """How often a plain loop runs, at least once."""
    extent = loop.var.extent
    if not isinstance(extent, int) or extent < 1 or loop.parallel or loop.backward or decides(loop) or is_long(loop):
        raise UnlikeError
    return extent


def _fits(number: int) -> int:
    """A number for which an instruction has room."""
    demand(abs(number) < 1 << 31)
    return number
