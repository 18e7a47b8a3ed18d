"""Products of words by registers for tiles (AMX of x86): up to sixteen rows of sixteen words each.

Of the eight registers four hold sums, two by two, and two each what is multiplied. How many rows they have is set once
for a kernel.
"""

from __future__ import annotations

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.refill import Refilling
from rosin.ir import index as indices
from rosin.ir.dims import static
from rosin.ir.index import LoopVar
from rosin.ir.loops import Expr, Load, Products

_ROWS, _WORD_BYTES = 16, 4
_LEFT, _RIGHT = 4, 6
"""The first registers for rows and for columns; those before them hold sums."""
_PRODUCTS = {("i8", "i8"): "tdpbssd", ("bf16", "bf16"): "tdpbf16ps"}


class TileRegisters(Refilling):
    """The registers for tiles, if a kernel has products for them."""

    def begin_tiles(self) -> None:
        """Set how many rows the registers have."""
        rows = {products.shape[0] for products in self.inside.products}
        if not rows:
            return
        (count,) = rows
        parts = [min(count, _ROWS), max(count - _ROWS, 0)]
        lengths = [parts[0], parts[0], parts[1], parts[1], *parts, _ROWS, _ROWS]
        # A palette, fourteen bytes that are zero, the bytes of a row of each register in two, and the numbers of rows.
        width = _ROWS * _WORD_BYTES
        bytes = [1, *[0] * 15, *[b for length in lengths for b in (width if length else 0, 0)], *[0] * 16, *lengths]
        bytes += [0] * (64 - len(bytes))
        place = self.head.define("alloca [64 x i8], align 64", "ptr", hint="tiles")
        self.head.line(f"store <64 x i8> <{', '.join(f'i8 {b}' for b in bytes)}>, ptr {place.ref}, align 64")
        _call(self.head, "ldtilecfg", place.typed)

    def end_tiles(self) -> None:
        """Give the registers back, so that the system need not keep what they hold."""
        if self.inside.products:
            _call(self.e, "tilerelease")

    def products(self, statement: Products) -> None:
        """The sums of a square of tiles, into the array for them."""
        rows, columns, words = statement.shape
        e, term, size = self.e, statement.term, _ROWS * _WORD_BYTES
        down, across = range(-(-rows // _ROWS)), range(columns // _ROWS)
        for i in down:
            for j in across:
                _call(e, "tilezero", f"i8 {2 * i + j}")
        left, row_step, left_step = self._side_of(statement, term.left, statement.row)
        right, column_step, right_step = self._side_of(statement, term.right, statement.lane)
        assert column_step == left_step == _WORD_BYTES, "columns are neighbours, and so are the words of a row"
        name = _PRODUCTS[term.of_left.name, term.of_right.name]

        def step(number: Val) -> None:
            at = [
                e.offset(side, e.mul(number, e.const(_ROWS * length, "i64")), "i8")
                for side, length in ((left, left_step), (right, right_step))
            ]
            for i in down:
                for j in across:
                    if j == 0:
                        self._load_tile(_LEFT + i, at[0], i * _ROWS * row_step, row_step)
                    if i == 0:
                        self._load_tile(_RIGHT + j, at[1], j * size, right_step)
                    _call(e, name, f"i8 {2 * i + j}", f"i8 {_LEFT + i}", f"i8 {_RIGHT + j}")

        e.counted(e.const(0, "i64"), e.const(words // _ROWS, "i64"), 1, step)
        for i in down:
            for j in across:
                place = e.const((i * _ROWS * columns + j * _ROWS) * _WORD_BYTES, "i64")
                pointer = e.offset(self.base(statement.sums), place, "i8")
                _call(e, "tilestored64", f"i8 {2 * i + j}", pointer.typed, f"i64 {columns * _WORD_BYTES}")

    def _side_of(self, statement: Products, load: Expr, along: LoopVar) -> tuple[Val, int, int]:
        """Where one side of the products begins, and how many bytes further on it goes along an axis of the result and
        with each word."""
        assert isinstance(load, Load), "tiles are read from memory"
        bytes = load.buffer.dtype.bytes
        steps = [load.offset.coefficient(v) for v in (along, statement.word)]
        first = load.offset.substitute(dict.fromkeys((statement.row, statement.lane, statement.word), indices.ZERO))
        along_step, word_step = (step * bytes for step in static(steps, "tiles"))
        return self.address(load.buffer, first), along_step, word_step

    def _load_tile(self, register: int, start: Val, further: int, step: int) -> None:
        pointer = self.e.offset(start, self.e.const(further, "i64"), "i8") if further else start
        _call(self.e, "tileloadd64", f"i8 {register}", pointer.typed, f"i64 {step}")


def _call(e: Emitter, name: str, *arguments: str) -> None:
    types = ", ".join(f"{kind} immarg" if kind == "i8" else kind for kind in (a.split()[0] for a in arguments))
    e.declarations.add(f"declare void @llvm.x86.{name}({types})")
    e.line(f"call void @llvm.x86.{name}({', '.join(arguments)})")
