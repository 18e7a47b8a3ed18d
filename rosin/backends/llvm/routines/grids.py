"""Long lines as grids of rows and columns (Gentleman and Sande, Fast Fourier transforms for fun and profit, 1966).

    void grid(ptr plan, ptr source, ptr target, ptr room, real sign, real scale)

A line that is written as `rows` lines of `columns` numbers is transformed along its columns, each number is turned by
an angle that its row and column say, and what comes is transformed along its rows. Blocks of neighbouring columns, and
of rows, go through their passes in a near cache, so that a line is read and written twice however long it is. Blocks
share the threads, and results do not depend on who does which.

The turn of row k and column i is a product of two factors: number i of line k of one table, which is
of the columns of a chunk, and one of each chunk of line k of the other. The last chunk may begin in the one before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.names import PARALLEL
from rosin.backends.llvm.routines.butterflies import transposed
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.records import texts
from rosin.backends.llvm.routines.spectra import block_extent
from rosin.backends.llvm.routines.turns import Turns, alternating, directed, read, shuffled, write
from rosin.ir.ops.fourier import GRID_BLOCK, GRID_PIECES

NEAR = 32
"""Columns of a chunk."""
ROWS, COLUMNS, ALONG_COLUMNS, ALONG_ROWS, NEAR_TABLE, FAR_TABLE, GRID_WORDS = range(7)
"""The words of a grid: its sides, the plans along its columns and its rows, and the tables."""
GRID, SOURCE, BETWEEN, TARGET, TILES, SIGN, SCALE, CONTEXT_WORDS = range(8)
"""The words that blocks are told: the grid, where numbers come from, lie between, and go to, and the room of blocks."""
Block = Callable[[Function, dict[str, Val], Val, Val, list[Val]], None]
"""Emits what a block does, given the context, its first column or row, how many it has, and its tiles."""


def grid_makers(elem: str, width: int, declarations: set[str]) -> dict[str, Callable[[], str]]:
    """What writes the functions, by their names, for vectors of `width` complex numbers. They call `chain`."""
    grids = _Grids(elem, width, declarations)
    return {"spread": grids.spread, "columns": grids.columns, "rows": grids.rows, "grid": grids.grid}


class _Grids:
    def __init__(self, elem: str, width: int, declarations: set[str]) -> None:
        self.elem, self.width, self.declarations = elem, width, declarations
        self.complex = f"[2 x {elem}]"
        declarations.add(f"declare void @{PARALLEL}(ptr, ptr, i64)")

    def _word(self, f: Function, array: Val, number: int, elem: str = "i64") -> Val:
        return f.e.load(f.e.offset(array, f.word(number), "i64"), elem)

    def _stride(self, f: Function, columns: Val) -> Val:
        """How far rows lie apart between the transforms: not at a power of two, of which a cache holds but few."""
        return f.e.add(columns, f.word(GRID_BLOCK))

    def spread(self) -> str:
        """`void spread(source, target, near, far, first, count, columns, sign)`: so many rows turned and side by side.

        Number i of row q of the source, which is row `first + q` of the grid, goes to place q of line i.
        """
        f = Function(self.declarations, plain=True)
        e = f.e
        source, target = Val("%source", "ptr"), Val("%target", "ptr")
        first, count, columns = (Val(f"%{name}", "i64") for name in ("first", "count", "columns"))
        near, far = Val("%near", "ptr"), Val("%far", "ptr")
        chunks = e.lshr(e.add(columns, f.word(NEAR - 1)), f.word(NEAR.bit_length() - 1))
        stride = self._stride(f, columns)
        turns = Turns(e, directed(e, Val("%sign", self.elem), self.width))

        def chunk_of_rows(q: Val, chunk: Val) -> None:
            numbers = [e.add(e.add(first, q), f.word(j)) for j in range(self.width)]
            # The last chunk may have some columns of the one before.
            start = e.intrinsic("llvm.smin", e.mul(chunk, f.word(NEAR)), e.sub(columns, f.word(NEAR)))
            steps = [read(e, far, e.add(e.mul(k, chunks), chunk), self.elem, 1) for k in numbers]
            begins = [e.add(e.mul(e.add(q, f.word(j)), stride), start) for j in range(self.width)]
            sources = [e.offset(source, begin, self.complex) for begin in begins]
            factors = [e.offset(near, e.mul(k, f.word(NEAR)), self.complex) for k in numbers]
            lines = e.offset(target, e.add(e.mul(start, count), q), self.complex)
            arrays = list(zip(sources, factors, steps, strict=True))
            f.loop(f.word(0), f.word(NEAR), self.width, lambda i: self._square(f, turns, arrays, lines, count, i))

        f.covering(count, self.width, lambda q: f.loop(f.word(0), chunks, 1, lambda chunk: chunk_of_rows(q, chunk)))
        e.line("ret void")
        parameters = texts(source, target, near, far, first, count, columns, Val("%sign", self.elem))
        return f.text(f"internal void @spread({parameters})")

    def _square(
        self, f: Function, turns: Turns, rows: Sequence[tuple[Val, Val, Val]], lines: Val, count: Val, i: Val
    ) -> None:
        """As many columns as rows, of each of which there are its numbers and both its factors."""
        e, width = f.e, self.width
        made = [
            self._product(f, turns, read(e, x, i, self.elem, width), read(e, near, i, self.elem, width), far)
            for x, near, far in rows
        ]
        line = e.offset(lines, e.mul(i, count), self.complex)
        for y in transposed(e, made):
            write(e, y, line, e.const(0, "i64"))
            line = e.offset(line, count, self.complex)

    def _product(self, f: Function, turns: Turns, x: Val, near: Val, far: Val) -> Val:
        """x times both factors, which are turned in the direction."""
        e, lanes = f.e, range(2 * turns.width)
        # The product of both is to be turned in the direction, so it is made as if there was none.
        cosine = shuffled(e, far, None, [0] * len(lanes))
        sine = e.fmul(shuffled(e, far, None, [1] * len(lanes)), alternating(-1, 1, self.elem, self.width))
        return turns.times(x, *turns.factors(turns.times(near, cosine, sine)))

    # -- blocks ------------------------------------------------------------------------------------------------

    def _blocks(self, name: str, across: int, along: int, body: Block) -> str:
        """`void name(ptr words, i64 begin, i64 end)`: some pieces of the blocks of columns, or of rows."""
        f = Function(self.declarations, plain=True)
        e, words = f.e, Val("%words", "ptr")
        pointers = {"grid": GRID, "source": SOURCE, "between": BETWEEN, "target": TARGET}
        given = {name: self._word(f, words, number, "ptr") for name, number in pointers.items()}
        given |= {name: self._word(f, words, number, self.elem) for name, number in (("sign", SIGN), ("scale", SCALE))}
        total, length = (self._word(f, given["grid"], number) for number in (across, along))
        tiles, one, block = self._word(f, words, TILES, "ptr"), f.word(1), f.word(GRID_BLOCK)
        longest = e.intrinsic("llvm.smax", total, length)
        count = e.binary("udiv", e.add(total, f.word(GRID_BLOCK - 1)), block)

        def piece(number: Val) -> None:
            begin, end = (e.binary("udiv", e.mul(x, count), f.word(GRID_PIECES)) for x in (number, e.add(number, one)))
            tile = e.mul(longest, block)
            starts = [e.mul(tile, e.add(e.mul(number, f.word(3)), f.word(i))) for i in range(3)]
            own = [e.offset(tiles, start, self.complex) for start in starts]

            def one_block(number: Val) -> None:
                body(f, given, *block_extent(f, number, block, total), own)

            f.loop(begin, end, 1, one_block)

        f.loop(Val("%begin", "i64"), Val("%end", "i64"), 1, piece)
        e.line("ret void")
        return f.text(f"internal void @{name}(ptr %words, i64 %begin, i64 %end)", cold=True)

    def columns(self) -> str:
        def block(f: Function, given: dict[str, Val], first: Val, count: Val, tiles: list[Val]) -> None:
            e = f.e
            plan, columns = self._word(f, given["grid"], ALONG_COLUMNS, "ptr"), self._word(f, given["grid"], COLUMNS)
            ends = [e.offset(given[name], first, self.complex) for name in ("source", "between")]
            steps = (count, columns, self._stride(f, columns))
            e.line(f"call void @chain({texts(plan, *ends, *tiles[:2], *steps, given['sign'], e.const(1, self.elem))})")

        return self._blocks("columns", COLUMNS, ROWS, block)

    def rows(self) -> str:
        def block(f: Function, given: dict[str, Val], first: Val, count: Val, tiles: list[Val]) -> None:
            e, grid, sign = f.e, given["grid"], given["sign"]
            rows, columns = self._word(f, grid, ROWS), self._word(f, grid, COLUMNS)
            tables = [self._word(f, grid, number, "ptr") for number in (NEAR_TABLE, FAR_TABLE)]
            source = e.offset(given["between"], e.mul(first, self._stride(f, columns)), self.complex)
            e.line(f"call void @spread({texts(source, tiles[0], *tables, first, count, columns, sign)})")
            ends = (tiles[0], e.offset(given["target"], first, self.complex), *tiles[1:])
            steps = (count, count, rows)
            plan = self._word(f, grid, ALONG_ROWS, "ptr")
            e.line(f"call void @chain({texts(plan, *ends, *steps, sign, given['scale'])})")

        return self._blocks("rows", ROWS, COLUMNS, block)

    def grid(self) -> str:
        f = Function(self.declarations, plain=True)
        e = f.e
        grid, source, target, room = (Val(f"%{name}", "ptr") for name in ("grid", "source", "target", "room"))
        sign, scale = Val("%sign", self.elem), Val("%scale", self.elem)
        words = f.room("i64", CONTEXT_WORDS)
        size = e.mul(self._word(f, grid, ROWS), self._stride(f, self._word(f, grid, COLUMNS)))
        told = (grid, source, room, target, e.offset(room, size, self.complex), sign, scale)
        for number, value in enumerate(told):
            e.store(value, e.offset(words, f.word(number), "i64"))
        for name in ("columns", "rows"):
            e.line(f"call void @{PARALLEL}(ptr @{name}, {texts(words, f.word(GRID_PIECES))})")
        e.line("ret void")
        return f.text(f"internal void @grid({texts(grid, source, target, room, sign, scale)})", cold=True)
