"""Where the elements are that a kernel reads and writes: scopes, indices, and the tests that indices take.

In a vector loop an index is a scalar, a step from lane to lane, and what else differs between lanes; most are the first
two, so that lanes are neighbours in memory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from rosin.backends.llvm.around import Surroundings
from rosin.backends.llvm.contents import KernelContents
from rosin.backends.llvm.emit import BODY, Emitter, Mark, Val, first_of, mask_of
from rosin.backends.llvm.ops.cast import convert
from rosin.backends.llvm.past_caches import past_caches
from rosin.backends.llvm.sizes import SizeEmitter
from rosin.backends.llvm.squares import read_squares, written_squares
from rosin.backends.llvm.types import memory_type
from rosin.backends.llvm.variables import Variable
from rosin.ir import facts
from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.dtypes import i64
from rosin.ir.index import Atom, Dynamic, Index, Least, LoopVar, Quotient, Remainder, inner
from rosin.ir.loops import Buffer, Carry, Expr, Local, Scope, Within
from rosin.ir.statements import PRIVATE

OF_LANES = (Scope.LANES, Scope.STATE)
"""Scratch arrays whose elements are vectors, one number for each lane."""

LEAST_LONG = 1 << 31
"""The first number that does not fit an i32."""

Running: TypeAlias = "dict[Local, Variable]"
"""What holds running values."""


@dataclass(frozen=True)
class Entrance:
    """The place before a loop, where what the loop does not change may still be computed."""

    mark: Mark
    frames: int
    """How many frames are around it."""
    is_innermost: bool
    """Whether there is no loop in the loop."""


class Places(ABC):
    """The state of a kernel that is being emitted, and its indices."""

    def __init__(
        self,
        inside: KernelContents,
        name: str,
        around: Surroundings,
        declarations: set[str],
    ) -> None:
        self.around = around
        self.inside, self.kernel = inside, inside.kernel
        self.name = name
        self.e = Emitter(declarations, doubles=max(inside.vector_bytes // 8, 4), first=BODY, avx512=around.assembles)
        self.head = Emitter(declarations, prefix="h", head=True)
        self.sizes = SizeEmitter(self.head, lambda symbol: around.size(self.head, symbol))
        self.width = inside.lanes
        self.frames: list[dict[Any, Any]] = [{}]
        self.variables: dict[LoopVar, Val] = {}
        self.entrances: list[Entrance] = []
        """Those of the loops around, the outermost first."""
        self.depths: dict[LoopVar, int] = {}
        """For the variables of loops, how many entrances are around what knows them."""
        self.running: Running = {}
        self.before: dict[Carry, list[Variable]] = {}
        """What holds the running values that stand before a vector whose lanes go on from them."""
        self.counts_down = False
        """Whether the vector loop around counts down: of its lanes the last one comes first."""
        self.bases: dict[Buffer, Val] = {}
        self.lane: LoopVar | None = None
        self.lanes = 1
        self.mask: Val | None = None
        self.rest: tuple[Val, int] | None = None
        """In the rest of a loop that its lanes do not divide, the mask of that, and how many lanes take part."""
        self.zeros_beyond: dict[str, Val] = {}
        """For what was read under the mask of a rest, this mask: the other lanes have zeros."""
        self.began: dict[Carry, Val | None] = {}
        """The mask under which the loop of a carry began."""
        self.guard: Val | None = None
        self.needs: dict[int, frozenset[Any]] = {}
        self.dummy: Val | None = None
        self.written = set(inside.written)
        self.parts: dict[tuple[Buffer, Index], dict[int, Val]] = {}
        """Values that wait for the other parts of their block, to be written together."""
        self.read_squares = read_squares(inside.contents, self.width)
        self.written_squares = written_squares(inside.contents, self.width)
        self.past_caches, self.in_lines = past_caches(inside, around)

    @abstractmethod
    def expr(self, expr: Expr) -> Val:
        """The value of an expression."""

    # -- scopes ----------------------------------------------------------------------------------------------

    @contextmanager
    def frame(self) -> Generator[None]:
        """What is emitted inside is known inside only."""
        self.frames.append({})
        yield
        self.frames.pop()

    def known(self, key: Any) -> Any:
        for frame in reversed(self.frames):
            found = frame.get(key)
            if found is not None:
                return found
        return None

    @contextmanager
    def ahead_of(self, depth: int) -> Generator[None]:
        """What is emitted inside stands before the loop that has so many loops around it, if there is one."""
        if depth >= len(self.entrances):
            yield
            return
        frames, entrance = self.frames, self.entrances[depth]
        self.frames = frames[: entrance.frames]
        with self.e.at(entrance.mark):
            yield
        self.frames = frames

    def depth(self, atom: Atom) -> int:
        """How many loops there are around the first place where an atom is known; it is not where it is computed if
        that has as many as this place."""
        if isinstance(atom, LoopVar):
            return self.depths.get(atom, len(self.entrances))
        if isinstance(atom, Dynamic):
            return len(self.entrances)
        return max((self.depth(a) for a, _ in inner(atom).terms), default=0)

    # -- buffers and sizes -------------------------------------------------------------------------------------

    def _base(self, buffer: Buffer) -> Val:
        if buffer.scope in PRIVATE:
            assert isinstance(buffer.size, int), "scratch arrays have a size that is a number"
            lanes = self.width if buffer.scope in OF_LANES else 1
            elem = Val("", memory_type(buffer.dtype), lanes).type
            return self.head.define(f"alloca [{buffer.size} x {elem}], align 64", "ptr", hint=buffer.name)
        return self.around.pointer(self.head, buffer)

    def base(self, buffer: Buffer) -> Val:
        """The address of a buffer. A tape that grows in this kernel moves, so its address is read again."""
        if buffer in self.bases:
            return self.bases[buffer]
        found = self.known(buffer)
        if found is None:
            found = self.frames[-1][buffer] = self.around.pointer(self.e, buffer)
        return found

    def address(self, buffer: Buffer, index: Index) -> Val:
        """The address of an element, that of the first lane. Addresses that differ by a number have one start."""
        elem = memory_type(buffer.dtype)
        if not index.terms or buffer not in self.bases:
            return self.e.offset(self.base(buffer), self.place(index)[0], elem)
        start = self._start(buffer, index.terms)
        # The number comes last: instructions have room for it, and what is symbolic may be the same elsewhere.
        constant = index.constant
        number = constant if isinstance(constant, int) else constant.constant
        for part in (constant - number, number):
            start = start if part == 0 else self.e.near(start, self.dim(part), elem)
        return start

    def _start(self, buffer: Buffer, terms: Sequence[tuple[Atom, Dim]]) -> Val:
        """The address that an element would have whose index is these terms. Each is added before the loops that leave
        it be. What stands before a loop, or in one with loops inside, LLVM need not look through: it would weigh ways
        to count up each of hundreds of addresses in all loops around."""
        found = self.known(("start", buffer, terms))
        if found is not None:
            return found
        here = len(self.entrances)
        depths = [min(self.depth(atom), here) for atom, _ in terms]
        deepest = max(depths)
        outer = tuple(term for term, depth in zip(terms, depths, strict=True) if depth < deepest)
        own = tuple(term for term, depth in zip(terms, depths, strict=True) if depth == deepest)
        counted = tuple(term for term in own if not isinstance(term[0], Dynamic))
        if counted and len(counted) < len(own):
            # What is read is often the same all along the loop, and the code generator sees that of a whole address.
            outer, own = tuple(term for term in terms if term not in counted), counted
        with self.ahead_of(deepest):
            base = self._start(buffer, outer) if outer else self.bases[buffer]
            place = self.place(Index(0, own))[0]
            start = base
            if place.ref != "0":
                start = self.e.near(base, place, memory_type(buffer.dtype))
                is_outside = deepest < here or (self.entrances and not self.entrances[-1].is_innermost)
                if is_outside and buffer.scope not in PRIVATE:
                    start = self.e.sealed(start)
            self.frames[-1]["start", buffer, terms] = start
        return start

    def dim(self, dim: Dim) -> Val:
        """A size, computed at the head of the function."""
        return self.sizes.value(dim)

    def _pointers(self, base: Val, step: Dim, spread: Val | None, elem: str) -> Val:
        """The address of each lane's element."""
        offsets = self.ramp(step)
        if spread is not None:
            offsets = self.e.add(offsets, spread) if step != 0 else spread
        text = f"getelementptr {elem}, ptr {base.ref}, {offsets.typed}"
        return self.e.define(text, "ptr", self.lanes)

    def ramp(self, step: Dim, elem: str = "i64") -> Val:
        """`step` times the number of each lane."""
        if not isinstance(step, int):
            return self.e.mul(self.ramp(1), self.e.splat(self.dim(step), self.lanes))
        return self.e.ramp(self.lanes, elem, step)

    # -- indices -----------------------------------------------------------------------------------------------

    def place(self, index: Index) -> tuple[Val, Dim, Val | None]:
        """An index as a scalar part, the step from lane to lane, and what else differs between lanes (or None)."""
        found = self.known(index)
        if found is None:
            found = self.frames[-1][index] = self._place(index)
        return found

    def between_lanes(self, index: Index) -> tuple[Dim, Val | None]:
        """The step of an index from lane to lane, and what else differs between lanes (or None)."""
        step: Dim = 0
        for atom, coefficient in index.terms:
            if atom is self.lane and self._is_scalar(atom):
                step = step + coefficient
            elif atom is self.lane or not self._is_same(atom):
                _, step, spread = self.place(Index(0, index.terms))
                return step, spread
        return step, None

    def _is_scalar(self, atom: Atom) -> bool:
        return isinstance(atom, LoopVar) and self.variables[atom].lanes == 1

    def _is_same(self, atom: Atom) -> bool:
        """Whether an atom is known to be the same for all lanes without a look at what computes it."""
        if isinstance(atom, LoopVar):
            return atom is not self.lane and self._is_scalar(atom)
        return not isinstance(atom, Dynamic) and all(self._is_same(a) for a, _ in inner(atom).terms)

    def _place(self, index: Index) -> tuple[Val, Dim, Val | None]:
        e = self.e
        if index.constant != 0 and index.terms:
            total, step, spread = self.place(Index(0, index.terms))
            constant = self.dim(index.constant)
            if total.ref == "0":
                return constant, step, spread
            return e.define(f"add nsw i64 {total.ref}, {constant.ref}", "i64"), step, spread
        total: Val | None = None
        step: Dim = 0
        spread: Val | None = None
        for atom, coefficient in index.terms:
            value = self._atom(atom)
            if atom is self.lane:
                step = step + coefficient
            if value.lanes > 1:
                scaled = value if coefficient == 1 else e.mul(value, e.splat(self.dim(coefficient), value.lanes))
                spread = scaled if spread is None else e.add(spread, scaled)
                continue
            if value.ref == "0":
                continue
            scaled = (
                value if coefficient == 1 else e.define(f"mul nsw i64 {value.ref}, {self.dim(coefficient).ref}", "i64")
            )
            total = scaled if total is None else e.define(f"add nsw i64 {total.ref}, {scaled.ref}", "i64")
        return total or self.dim(index.constant), step, spread

    def _atom(self, atom: Any) -> Val:
        if isinstance(atom, LoopVar):
            return self.variables[atom]
        found = self.known(atom)
        if found is None:
            with self.ahead_of(self.depth(atom)):
                if isinstance(atom, Dynamic):
                    found = convert(self.e, self.expr(atom.value), atom.value.dtype, i64)
                elif isinstance(atom, Least):
                    index = self.lane_index(atom.index)
                    found = self.e.intrinsic("llvm.smin", index, self.e.splat(self.dim(atom.most), index.lanes))
                else:
                    found = self._divided(atom)
                self.frames[-1][atom] = found
        return found

    def _divided(self, atom: Quotient | Remainder) -> Val:
        """A quotient rounded down or its remainder."""
        e = self.e
        dividend = self.lane_index(atom.dividend)
        divisor = e.splat(self._not_zero(atom.divisor), dividend.lanes)
        low, _ = atom.dividend.bounds()
        if low is not None and facts.known_at_least(low, 0):
            return e.binary("udiv" if isinstance(atom, Quotient) else "urem", dividend, divisor)
        number = atom.divisor
        if isinstance(number, int) and number & (number - 1) == 0:
            # Rounded down as it is; of what it knows to be odd, LLVM 22 makes wrong vectors of `sdiv` and `srem`.
            if isinstance(atom, Remainder):
                return e.bit_and(dividend, e.like(number - 1, dividend))
            return e.ashr(dividend, e.like(number.bit_length() - 1, dividend))
        rest = e.binary("srem", dividend, divisor)
        negative = e.icmp("slt", rest, e.like(0, rest))
        if isinstance(atom, Remainder):
            return e.select(negative, e.add(rest, divisor), rest)
        quotient = e.binary("sdiv", dividend, divisor)
        return e.select(negative, e.sub(quotient, e.like(1, quotient)), quotient)

    def _not_zero(self, divisor: Dim) -> Val:
        """The divisor; 1 in place of a 0, by which nothing is divided that anybody looks at."""
        value = self.dim(divisor)
        if facts.positive(divisor):
            return value
        head = self.head
        return head.select(head.icmp("eq", value, head.const(0, "i64")), head.const(1, "i64"), value)

    def lane_index(self, index: Index) -> Val:
        """An index as one i64, or as one for each lane when it differs between them."""
        base, step, spread = self.place(index)
        if step == 0 and spread is None:
            return base
        wide = self.e.splat(base, self.lanes)
        if step != 0:
            wide = self.e.add(wide, self.ramp(step))
        return wide if spread is None else self.e.add(wide, spread)

    def short_index(self, index: Index) -> Val | None:
        """An index that differs between lanes as one i32 for each, of which registers hold twice as many; None where it
        may have more bits."""
        step = self._short_step(index)
        return None if step is None else self._short_lanes(index, step)

    def _short_step(self, index: Index) -> int | None:
        """The step from lane to lane of an index that an i32 holds; None of any other."""
        low, high = index.bounds()
        if self.lane is None or not (isinstance(low, int) and isinstance(high, int)):
            return None
        step, spread = self.between_lanes(index)
        if not isinstance(step, int) or step == 0 or spread is not None:
            return None
        # Lanes of the last vector go beyond the loop.
        beyond = abs(step) * self.lanes
        return step if low - beyond >= -LEAST_LONG and high + beyond < LEAST_LONG else None

    def _short_lanes(self, index: Index, step: int) -> Val:
        """An index, or the first lane's, and so much more in each lane after it."""
        first = self.e.define(f"trunc {self.place(index)[0].typed} to i32", "i32")
        return self.e.add(self.e.splat(first, self.lanes), self.ramp(step, "i32"))

    def first_lanes(self, count: Dim) -> Val:
        """The mask of the first lanes."""
        if isinstance(count, int):
            return first_of(count, self.width)
        return self.compared_lanes("slt", self.dim(count))

    def compared_lanes(self, test: str, count: Val) -> Val:
        """The mask of the lanes whose numbers are less than the count, say."""
        few = self.e.define(f"trunc {count.typed} to i32", "i32")
        return self.e.icmp(test, self.ramp(1, "i32"), self.e.splat(few, self.lanes))

    def tests(self, tests: Sequence[Within]) -> tuple[Val | None, Val | None]:
        """The tests that are the same for all lanes, as one truth value, and those that differ, as one vector."""
        scalar: Val | None = None
        vector: Val | None = None
        for test in tests:
            value = self._test(test)
            if value.lanes == 1:
                scalar = value if scalar is None else self.e.bit_and(scalar, value)
            else:
                vector = value if vector is None else self.e.bit_and(vector, value)
        return scalar, vector

    def _test(self, test: Within) -> Val:
        """low <= index < high, as one unsigned comparison of index - low."""
        index, count = test.index - test.low, test.high - test.low
        step = self._short_step(index) if isinstance(count, int) and 0 <= count < LEAST_LONG else None
        if step is not None and isinstance(count, int):
            return self._short_test(index, step, count)
        value, room = self.lane_index(index), self.dim(count)
        if not facts.known_at_least(test.high, test.low):
            room = self.head.intrinsic("llvm.smax", room, self.head.const(0, "i64"))
        return self.e.icmp("ult", value, self.e.splat(room, value.lanes))

    def _short_test(self, index: Index, step: int, count: int) -> Val:
        """0 <= index < count, where the index has that step from lane to lane: where it is known which numbers lanes
        have, as a mask, or before the loops that do not change it."""
        assert self.lane is not None
        position = self.variables[self.lane].ref
        if not position.isdigit():
            value = self._short_lanes(index, step)
            return self.e.icmp("ult", value, self.e.like(count, value))
        first = index - indices.of(self.lane) * step + int(position) * step
        if not first.terms and isinstance(first.constant, int):
            start = first.constant
            return mask_of([0 <= start + lane * step < count for lane in range(self.lanes)])
        key = ("within", first, step, count)
        found = self.known(key)
        if found is None:
            with self.ahead_of(max(self.depth(atom) for atom, _ in first.terms)):
                value = self._short_lanes(first, step)
                found = self.frames[-1][key] = self.e.icmp("ult", value, self.e.like(count, value))
        return found


def is_zero(dim: Dim) -> bool:
    """Whether the size is known to be 0; it is not negative."""
    return facts.known_at_least(0, dim)
