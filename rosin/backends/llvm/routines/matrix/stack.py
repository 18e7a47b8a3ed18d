"""What the routines of matrices have in common: a loop over the matrices of a stack, and tools for one of them.

    void rosin_cholesky_f64(ptr words, i64 begin, i64 end)

does pieces begin … end - 1 of a stack. The words are the addresses of operands and results, the number of matrices in
the stack, the pieces they are cut into, the bytes of room of a piece, what else the op tells, and the address of the
room. Matrices lie row by row.

Matrices of at most `SMALL` rows and columns are worked on side by side, each in a lane of vectors (lanes.py), where a
routine can do so. Others go to LAPACK one by one (lapack.py), which threads of the pool may do for different matrices.
Where it is known which of the two it will be, the routine has the code of that way alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.matrix.lapack import Lapack
from rosin.backends.llvm.squares import transposed
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType

ELEMENTS = {"f32": ("i32", 1), "f64": ("i64", 1), "c64": ("i64", 1), "c128": ("i64", 2)}
"""How an element is moved, whatever it holds."""

LARGE = 400
"""Matrices of so many rows are large enough for LAPACK's own threads."""


EITHER, IN_LANES, IN_SHORT_LANES, IN_TINY_LANES = "", "lanes", "short", "tiny"
BY_LAPACK, IN_STRIPS, IN_HALVES = "lapack", "strips", "halves"
"""The ways that a routine may have code for."""

SIDE_BY_SIDE = (IN_LANES, IN_SHORT_LANES, IN_TINY_LANES)
"""Those of matrices in lanes: of all, of such that have few numbers, or fewer numbers than there are lanes."""

ONE_BY_ONE = (BY_LAPACK, IN_STRIPS, IN_HALVES)
"""Those of others."""

NUMBERS = ("stack", "pieces", "room_bytes")
"""The words between operands and results and what the op tells."""


class Stack(ABC):
    """The text of one routine. Subclasses say what is done with one matrix."""

    operands: ClassVar[int]
    results: ClassVar[int]
    told: ClassVar[tuple[str, ...]]
    """Names for what the op tells."""
    plain: ClassVar[bool] = False
    """Whether the addresses in loops are as they are written. Those of substitutions and reflections gain from LLVM's
    ways to count them up."""

    def __init__(self, dtype: DType, symbol: str, vector_bytes: int, lapack_word: str, way: str = EITHER) -> None:
        self.dtype, self.symbol, self.lapack_word, self.way = dtype, symbol, lapack_word, way
        self.vector_bytes = vector_bytes
        self.elem = "float" if dtype.part.bytes == 4 else "double"
        self.parts = 2 if dtype.is_complex else 1
        self.vector = max(vector_bytes // dtype.part.bytes, 2)
        self.declarations: set[str] = set()
        self._turns = False
        """Whether a function transposes."""
        words = [*range(self.operands + self.results), *NUMBERS, *self.told, "room"]
        self.places = {name: place for place, name in enumerate(words)}

    @property
    def by_lapack(self) -> bool:
        """Whether LAPACK does the work on one matrix, and not functions of the routine, which it is but to call."""
        return self.way != IN_STRIPS

    # -- the module ----------------------------------------------------------------------------------------

    def way_of(self, numbers: Sequence[Dim]) -> str:
        """The one way that matrices of a call go for which the routine is told these numbers, if that is known."""
        return EITHER

    def text(self) -> str:
        functions = [self._pieces(), *self.helpers()]
        if self.way not in SIDE_BY_SIDE:
            functions.append(self._one())
        if self._turns:
            functions.append(self._turn())
        return "\n".join([*sorted(self.declarations), "", *functions])

    def helpers(self) -> list[str]:
        """Functions that the routine calls."""
        return []

    def word(self, f: Function, name: str | int) -> Val:
        """A word: an address for an operand or a result, counted together, or for the room; else a number."""
        elem = "ptr" if name == "room" or isinstance(name, int) else "i64"
        return f.e.load(f.e.offset(Val("%words", "ptr"), f.word(self.places[name]), "i64"), elem)

    def _pieces(self) -> str:
        """The routine itself."""
        f = self.function()
        e = f.e
        stack, pieces = self.word(f, "stack"), self.word(f, "pieces")
        first, last = (e.binary("sdiv", e.mul(Val(name, "i64"), stack), pieces) for name in ("%begin", "%end"))
        taken = e.mul(Val("%begin", "i64"), self.word(f, "room_bytes"))
        room = e.offset(self.word(f, "room"), taken, "i8")
        self.work(f, first, last, room)
        e.line("ret void")
        return f.text(f"void @{self.symbol}(ptr %words, i64 %begin, i64 %end)", cold=self.way != EITHER)

    def work(self, f: Function, first: Val, last: Val, room: Val) -> None:
        """What is done with the matrices first … last - 1, in which LAPACK has one thread but `with_its_threads`."""
        if self.by_lapack:
            self.lapack(f).alone(True)
        f.loop(first, last, 1, lambda number: f.e.line(f"call void @one(ptr %words, {number.typed}, {room.typed})"))
        if self.by_lapack:
            self.lapack(f).alone(False)

    def with_its_threads(self, f: Function, size: Val, body: Callable[[], None]) -> None:
        """The body, in which LAPACK may use threads of its own if a size is large.

        Where there are several pieces, the threads are ours: LAPACK's own would only wait for each other.
        """
        e = f.e
        pays = e.bit_and(e.icmp("sge", size, f.word(LARGE)), e.icmp("eq", self.word(f, "pieces"), f.word(1)))
        f.when(pays, lambda: self.lapack(f).alone(False))
        body()
        f.when(pays, lambda: self.lapack(f).alone(True))

    def _one(self) -> str:
        """`void one(ptr words, i64 number, ptr room)`: one matrix, by LAPACK."""
        f = self.function()
        self.one(f, Val("%number", "i64"), Room(f, Val("%room", "ptr")))
        f.e.line("ret void")
        return f.text("internal void @one(ptr %words, i64 %number, ptr %room)", cold=not self.by_lapack)

    @abstractmethod
    def one(self, f: Function, number: Val, room: Room) -> None:
        """The work on the matrix of that number."""

    def function(self) -> Function:
        return Function(self.declarations, self.plain)

    def plain_function(self) -> Function:
        """One whose loops gain nothing from other addresses."""
        return Function(self.declarations, True)

    def lapack(self, f: Function) -> Lapack:
        return Lapack(f, self.dtype, self.lapack_word)

    # -- one matrix ----------------------------------------------------------------------------------------

    def part(self, f: Function, name: int, number: Val, count: Val, bytes: int | None = None) -> Val:
        """The address of the matrix of a number in an operand or a result, each being so many elements."""
        distance = f.e.mul(f.e.mul(number, count), f.word(self.dtype.bytes if bytes is None else bytes))
        return f.e.offset(self.word(f, name), distance, "i8")

    def place(self, e: Emitter, matrix: Val, index: Val) -> Val:
        """The address of an element, by its number in memory."""
        return e.offset(matrix, index, f"[{self.parts} x {self.elem}]")

    def move(self, e: Emitter, source: Val, target: Val) -> None:
        """Copy one element."""
        elem, lanes = ELEMENTS[self.dtype.name]
        e.store(e.load(source, elem, lanes, align=self.dtype.part.bytes), target, align=self.dtype.part.bytes)

    def copy(self, f: Function, source: Val, target: Val, count: Val) -> None:
        """Copy elements."""
        bytes = f.e.mul(count, f.word(self.dtype.bytes))
        self.declarations.add("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        f.e.line(f"call void @llvm.memcpy.p0.p0.i64({target.typed}, {source.typed}, {bytes.typed}, i1 false)")

    def zero(self, e: Emitter, target: Val) -> None:
        """Make one element zero."""
        elem, lanes = ELEMENTS[self.dtype.name]
        e.store(e.const(0, elem, lanes), target, align=self.dtype.part.bytes)

    def fill(self, f: Function, target: Val, count: Val, value: float) -> None:
        """Make real numbers, as many as are told, one number."""
        e = f.e

        def put(place: Val, lanes: int) -> None:
            e.store(e.const(value, self.elem, lanes), e.offset(target, place, self.elem), align=self.dtype.part.bytes)

        f.each(count, self.vector, put)

    def set_bytes(self, f: Function, target: Val, count: Val, byte: int) -> None:
        """Make all bytes of elements one."""
        e = f.e
        self.declarations.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        bytes = e.mul(count, f.word(self.dtype.bytes))
        e.line(f"call void @llvm.memset.p0.i64({passed(target, e.const(byte, 'i8'), bytes)}, i1 false)")

    def nans(self, f: Function, target: Val, count: Val) -> None:
        """Make elements NaN; of complex ones both parts."""
        self.fill(f, target, f.e.mul(count, f.word(self.parts)), float("nan"))

    def identity(self, f: Function, target: Val, size: Val) -> None:
        """A unit matrix."""
        e = f.e
        self.fill(f, target, e.mul(e.mul(size, size), f.word(self.parts)), 0.0)

        def one(i: Val) -> None:
            place = self.place(e, target, e.mul(i, e.add(size, f.word(1))))
            e.store(e.const(1.0, self.elem), place)

        f.loop(f.word(0), size, 1, one)

    def finite(self, f: Function, matrix: Val, count: Val) -> Val:
        """Whether so many elements are all finite."""
        e = f.e
        sums = [f.variable(e.const(0.0, self.elem, lanes)) for lanes in (self.vector, 1)]

        def look(place: Val, lanes: int) -> None:
            x = e.load(e.offset(matrix, place, self.elem), self.elem, lanes, align=self.dtype.part.bytes)
            slot = sums[lanes == 1]
            # A product with zero is zero, or NaN.
            e.store(e.fadd(e.load(slot, self.elem, lanes), e.fmul(x, e.like(0.0, x))), slot)

        f.each(e.mul(count, f.word(self.parts)), self.vector, look)
        vector = e.load(sums[0], self.elem, self.vector)
        total = e.load(sums[1], self.elem)
        good = e.fcmp("oeq", vector, e.like(0.0, vector))
        return e.bit_and(e.intrinsic_across("llvm.vector.reduce.and", good), e.fcmp("oeq", total, e.like(0.0, total)))

    def turn(
        self, f: Function, source: Val, source_row: Val, target: Val, target_row: Val, rows: Val, columns: Val
    ) -> None:
        """Transpose: element (r, c) of the source becomes (c, r) of the target; rows are so many elements apart."""
        self._turns = True
        f.e.line(f"call void @turn({passed(source, source_row, target, target_row, rows, columns)})")

    def _turn(self) -> str:
        """`void turn(…)`: what `turn` calls."""
        f = self.plain_function()
        e, bytes = f.e, self.dtype.bytes
        source, target = Val("%source", "ptr"), Val("%target", "ptr")
        source_row, target_row, rows, columns = (Val(f"%{x}", "i64") for x in ("from", "to", "rows", "columns"))
        elem, lanes = {4: "float", 8: "double", 16: "i64"}[bytes], self.vector_bytes // bytes if bytes <= 8 else 1

        def single(r: Val, c: Val) -> None:
            from_ = self.place(e, source, e.add(e.mul(r, source_row), c))
            self.move(e, from_, self.place(e, target, e.add(e.mul(c, target_row), r)))

        def square(r: Val, c: Val) -> None:
            read, write = (
                self._lines(f, source, source_row, r, c, lanes),
                self._lines(f, target, target_row, c, r, lanes),
            )
            vectors = transposed(e, [e.load(at, elem, lanes, align=self.dtype.part.bytes) for at in read])
            for vector, at in zip(vectors, write, strict=True):
                e.store(vector, at, align=self.dtype.part.bytes)

        self.squares(f, rows, columns, lanes, square, single)
        e.line("ret void")
        given = "ptr %source, i64 %from, ptr %target, i64 %to, i64 %rows, i64 %columns"
        return f.text(f"internal void @turn({given})")

    def _lines(self, f: Function, matrix: Val, row: Val, r: Val, c: Val, count: int) -> list[Val]:
        """Where so many rows from element (r, c) on begin; they are `row` elements apart."""
        e = f.e
        return [self.place(e, matrix, e.add(e.mul(e.add(r, f.word(k)), row), c)) for k in range(count)]

    def squares(
        self,
        f: Function,
        rows: Val,
        columns: Val | None,
        size: int,
        square: Callable[[Val, Val], None],
        single: Callable[[Val, Val], None],
    ) -> None:
        """All places of a matrix, square by square, and those beyond whole squares one by one; without columns, those
        on the diagonal and below, where no square is above it."""
        e, one = f.e, f.word(1)
        whole = e.bit_and(rows, f.word(-size))

        def beyond(r: Val, begin: Val) -> None:
            f.loop(begin, e.add(r, one) if columns is None else columns, 1, lambda c: single(r, c))

        def band(r: Val) -> None:
            end = r if columns is None else e.bit_and(columns, f.word(-size))
            f.loop(f.word(0), end, size, lambda c: square(r, c))
            f.loop(r, e.add(r, f.word(size)), 1, lambda i: beyond(i, end))

        if size > 1:
            f.loop(f.word(0), whole, size, band)
        f.loop(whole if size > 1 else f.word(0), rows, 1, lambda r: beyond(r, f.word(0)))

    def hermitian(self, f: Function, source: Val, target: Val, n: Val, turned: bool) -> None:
        """The lower triangle of the Hermitian part of a square matrix, (a + aᴴ) / 2; `turned` column by column."""
        e = f.e
        lanes, align = self.vector if self.parts == 1 else 1, self.dtype.part.bytes

        def single(i: Val, j: Val) -> None:
            here, there = e.add(e.mul(i, n), j), e.add(e.mul(j, n), i)
            goal = self.place(e, target, there if turned else here)
            for part in range(self.parts):
                a, b = (
                    e.load(e.offset(self.place(e, source, at), f.word(part), self.elem), self.elem)
                    for at in (here, there)
                )
                mean = e.fmul(e.fsub(a, b) if part else e.fadd(a, b), e.const(0.5, self.elem))
                e.store(mean, e.offset(goal, f.word(part), self.elem))

        def square(i: Val, j: Val) -> None:
            below, above = self._lines(f, source, n, i, j, lanes), self._lines(f, source, n, j, i, lanes)
            here, there = ([e.load(at, self.elem, lanes, align=align) for at in side] for side in (below, above))
            here, there = (transposed(e, here), there) if turned else (here, transposed(e, there))
            goals = self._lines(f, target, n, j, i, lanes) if turned else self._lines(f, target, n, i, j, lanes)
            for x, y, at in zip(here, there, goals, strict=True):
                e.store(e.fmul(e.fadd(x, y), e.const(0.5, self.elem, lanes)), at, align=align)

        self.squares(f, n, None, lanes, square, single)

    def triangle(self, f: Function, rows: Val, columns: Val, upper: bool, body: Callable[[Val, Val], None]) -> None:
        """The body for every place above the diagonal, or else for every place on it or below: row and column."""
        e = f.e

        def row(i: Val) -> None:
            after = e.intrinsic("llvm.smin", e.add(i, f.word(1)), columns)
            begin, end = (after, columns) if upper else (f.word(0), after)
            f.loop(begin, end, 1, lambda j: body(i, j))

        f.loop(f.word(0), rows, 1, row)


class Room:
    """The room of one piece, given away part by part."""

    def __init__(self, f: Function, start: Val) -> None:
        self.f, self.next = f, start

    def take(self, count: Val, bytes: int) -> Val:
        """So many numbers of so many bytes, aligned."""
        e = self.f.e
        address = e.convert("ptrtoint", self.next, "i64")
        aligned = e.bit_and(e.add(address, self.f.word(15)), self.f.word(-16))
        taken = e.convert("inttoptr", aligned, "ptr")
        self.next = e.offset(taken, e.mul(count, self.f.word(bytes)), "i8")
        return taken


def passed(*values: Val) -> str:
    """Arguments of a call."""
    return ", ".join(v.typed for v in values)


def parameters(*names: tuple[str, str]) -> str:
    return ", ".join(f"{elem} %{name}" for name, elem in names)
