"""Reading and writing memory: one element, neighbours, parts of blocks, and elements that are anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rosin.backends.llvm.emit import LINE_BYTES, Emitter, Val
from rosin.backends.llvm.interleave import MOST_PARTS, unzipped, zipped
from rosin.backends.llvm.places import OF_LANES
from rosin.backends.llvm.turning import Turning
from rosin.backends.llvm.types import memory_type, register_type
from rosin.ir import facts
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Buffer, Const, Load, Local, Scope, Statement, Store

PAGE = 1 << 12
"""What lies so many bytes beyond an array is as good as sure to be there."""


class Memory(Turning):
    """Loads and stores of a kernel."""

    # -- stores ------------------------------------------------------------------------------------------------

    def store(self, statement: Store) -> None:
        value = self.expr(statement.value)
        dtype = statement.buffer.dtype
        if dtype.kind == "bool":
            value = self.e.convert("zext", value, "i8")
        elif value.elem == "bfloat":
            value = self.e.bitcast(value, memory_type(dtype))
        if statement.buffer.scope in OF_LANES:
            self._store_lanes(statement, value, *self.place(statement.offset))
            return
        step, spread = self.between_lanes(statement.offset)
        if step == 0 and spread is None:
            # A fold that is the same for all lanes ran as vectors all the same.
            pointer = self.address(statement.buffer, statement.offset)
            self.e.store(self.e.take(value, [0]) if value.lanes > 1 else value, pointer, dtype.bytes)
            return
        value = self.e.splat(value, self.lanes)
        if step == 1 and spread is None:
            pointer = self.address(statement.buffer, statement.offset)
            if statement in self.past_caches and self.mask is None:
                self.e.store_past_caches(value, pointer, min(self.lanes * dtype.bytes, LINE_BYTES))
            else:
                self.e.masked_store(value, pointer, self.mask, dtype.bytes)
            return
        if step == -1 and spread is None:
            pointer = self._last_lane(statement.buffer, statement.offset)
            self.e.masked_store(self._turned(value), pointer, self._turned_mask(self.mask), dtype.bytes)
            return
        block = self._block_of(statement.buffer, statement.offset, step, spread)
        if block is not None:
            start, part, count = block
            parts = self.parts.setdefault((statement.buffer, start), {})
            parts[part] = value
            if len(parts) == count:
                self._write_block(statement.buffer, start, [parts[k] for k in range(count)])
                del self.parts[statement.buffer, start]
            return
        column, rows = self.written_squares.get((statement.buffer, statement.offset)), self.rows()
        if spread is None and column is not None and rows is not None:
            parts = self.parts.setdefault((statement.buffer, column.start), {})
            parts[column.number] = value
            if len(parts) == column.count:
                self.write_square(statement.buffer, column.start, [parts[k] for k in range(column.count)], rows)
                del self.parts[statement.buffer, column.start]
            return
        pointer = self.address(statement.buffer, statement.offset)
        self._scatter(value, self._pointers(pointer, step, spread, memory_type(dtype)), dtype.bytes)

    def _scatter(self, value: Val, pointers: Val, align: int) -> None:
        mask = self.mask or self.e.const(True, "i1", self.lanes)
        suffix = f"{value.mangled}.v{self.lanes}p0"
        self.e.declarations.add(
            f"declare void @llvm.masked.scatter.{suffix}({value.type}, <{self.lanes} x ptr>, i32, {mask.type})"
        )
        self.e.line(
            f"call void @llvm.masked.scatter.{suffix}({value.typed}, {pointers.typed}, i32 {align}, {mask.typed})"
        )

    def _store_lanes(self, statement: Store, value: Val, base: Val, step: Dim, spread: Val | None) -> None:
        """Each lane's number into its scratch array. A lane that does not take part keeps its `STATE`."""
        buffer, elem = statement.buffer, memory_type(statement.buffer.dtype)
        value = self.e.splat(value, self.lanes)
        if step != 0 or spread is not None:
            pointers = self._pointers_of_lanes(buffer, base, step, spread)
            self._scatter(value, pointers, buffer.dtype.bytes)
            return
        pointer = self.e.offset(self.base(buffer), base, Val("", elem, self.lanes).type)
        if self.mask is not None and buffer.scope is Scope.STATE:
            value = self.e.select(self.mask, value, self.e.load(pointer, elem, self.lanes))
        self.e.store(value, pointer)

    def _pointers_of_lanes(self, buffer: Buffer, base: Val, step: Dim, spread: Val | None) -> Val:
        """The address of each lane's element, where lanes are at different places of their scratch arrays."""
        elem = memory_type(buffer.dtype)
        first = self.e.offset(self.base(buffer), base, Val("", elem, self.lanes).type)
        apart = None if spread is None else self.e.mul(spread, self.e.like(self.lanes, spread))
        return self._pointers(first, step * self.lanes + 1, apart, elem)

    # -- blocks ------------------------------------------------------------------------------------------------

    def _block_of(self, buffer: Buffer, offset: Index, step: Dim, spread: Val | None) -> tuple[Index, int, int] | None:
        """Where the block starts of which the lanes have a part each, which part, of how many; None for no block."""
        if not isinstance(step, int) or not 1 < step <= MOST_PARTS or spread is not None:
            return None
        part = offset.constant % step
        if not isinstance(part, int):
            return None
        start = offset - part
        low, high = start.bounds()
        if low is None or high is None or not facts.known_at_least(low, 0):
            return None
        return (start, part, step) if facts.known_at_least(buffer.size, high + step) else None

    def _write_block(self, buffer: Buffer, start: Index, values: Sequence[Val]) -> None:
        pointer = self.address(buffer, start)
        mask = None if self.mask is None else self._mask_of(len(values))
        self.e.masked_store(zipped(self.e, values), pointer, mask, buffer.dtype.bytes)

    def _mask_of(self, parts: int, mask: Val | None = None) -> Val:
        """The mask of a block, whose parts are those of lanes."""
        mask = mask or self.mask
        assert mask is not None
        return zipped(self.e, [mask] * parts)

    def _write_parts_before(self, statement: Statement) -> None:
        """Before a statement that may read them, write the parts that wait of buffers that are read."""
        if isinstance(statement, Store) and isinstance(statement.value, Local | Const):
            if all(isinstance(atom, LoopVar) for atom, _ in statement.offset.terms):
                return
        for key in [key for key in self.parts if key[0] in self.inside.contents.loaded]:
            self._write_apart(*key, self.parts.pop(key))

    def _write_parts(self) -> None:
        """Write what waits for the other parts of its block and need not wait any longer."""
        for (buffer, start), parts in self.parts.items():
            self._write_apart(buffer, start, parts)
        self.parts.clear()

    def _write_apart(self, buffer: Buffer, start: Index, parts: Mapping[int, Val]) -> None:
        """Write some parts of a block, each element by itself."""
        elem = memory_type(buffer.dtype)
        for part, value in parts.items():
            base, step, _ = self.place(start + part)
            pointer = self.e.offset(self.base(buffer), base, elem)
            self._scatter(value, self._pointers(pointer, step, None, elem), buffer.dtype.bytes)

    def _read_block(self, buffer: Buffer, start: Index, parts: int, mask: Val | None) -> Val:
        """All parts that the lanes have of a block, of those lanes that the mask is for."""
        key = ("block", buffer, start, None if mask is None else mask.ref)
        found = None if buffer in self.written else self.known(key)
        if found is None:
            elem = memory_type(buffer.dtype)
            pointer = self.address(buffer, start)
            wide = None if mask is None else self._mask_of(parts, mask)
            found = self.e.masked_load(pointer, elem, parts * self.lanes, wide, buffer.dtype.bytes)
            self.frames[-1][key] = found
        return found

    # -- loads -------------------------------------------------------------------------------------------------

    def load(self, expr: Load) -> Val:
        key = ("load", expr.buffer, expr.offset) if expr.buffer not in self.written else id(expr)
        found = self.known(key)
        if found is None:
            found = self.frames[-1][key] = self._load(expr)
        return found

    def _load(self, expr: Load) -> Val:
        dtype = expr.dtype
        elem = memory_type(dtype)
        step, spread = self.between_lanes(expr.offset)
        mask = self.mask
        if self.guard is not None and (step != 0 or spread is not None):
            wide = self.e.splat(self.guard, self.lanes)
            mask = wide if mask is None else self.e.bit_and(mask, wide)
        if expr.buffer.scope in OF_LANES:
            base = self._allowed(expr.offset) if step == 0 and spread is None else self.place(expr.offset)[0]
            if step != 0 or spread is not None:
                pointers = self._pointers_of_lanes(expr.buffer, base, step, spread)
                value = self._gather(pointers, elem, mask, dtype.bytes)
            else:
                pointer = self.e.offset(self.base(expr.buffer), base, Val("", elem, self.lanes).type)
                value = self.e.load(pointer, elem, self.lanes)
            return self.loaded(self.e, value, dtype)
        if step == 0 and spread is None:
            value = self.e.load(self._allowed_address(expr), elem, align=dtype.bytes)
        elif step == 1 and spread is None:
            pointer = self._wanted(self.address(expr.buffer, expr.offset), mask, expr)
            value = self.e.masked_load(pointer, elem, self.lanes, mask, dtype.bytes)
            value = self.loaded(self.e, value, dtype)
            if self.rest is not None:
                self.zeros_beyond[value.ref] = self.rest[0]
            return value
        elif step == -1 and spread is None:
            pointer = self._wanted(self._last_lane(expr.buffer, expr.offset), mask, expr)
            value = self._turned(self.e.masked_load(pointer, elem, self.lanes, self._turned_mask(mask), dtype.bytes))
        elif (block := self._block_of(expr.buffer, expr.offset, step, spread)) is not None:
            start, part, count = block
            value = unzipped(self.e, self._read_block(expr.buffer, start, count, mask), count, part)
        elif isinstance(step, int) and 1 < step <= MOST_PARTS and spread is None:
            pointer = self._wanted(self.address(expr.buffer, expr.offset), mask, expr)
            value = self._every(pointer, elem, step, mask, dtype.bytes)
        elif spread is None and (columns := self.columns(expr, mask)) is not None:
            value = columns[self.read_squares[expr.buffer, expr.offset].number]
        else:
            pointer = self.address(expr.buffer, expr.offset)
            value = self._gather(self._pointers(pointer, step, spread, elem), elem, mask, dtype.bytes)
        return self.loaded(self.e, value, dtype)

    def read_masked(self, load: Load) -> Val | None:
        """Neighbours in memory where the mask and the guard let them be read, and zeros in the other lanes; None of
        what is read in another way."""
        if load.buffer.scope in OF_LANES or self.between_lanes(load.offset) != (1, None):
            return None
        return self._load(load)

    def _last_lane(self, buffer: Buffer, offset: Index) -> Val:
        """The address of the last lane's element, the lowest where lanes run backward. Lanes that take no part may lie
        before the buffer."""
        first, elem = self.address(buffer, offset), memory_type(buffer.dtype)
        return self.e.define(f"getelementptr {elem}, ptr {first.ref}, i64 {1 - self.lanes}", "ptr")

    def _turned(self, x: Val) -> Val:
        """The last lane first."""
        return self.e.shuffle(x, x, range(self.lanes)[::-1])

    def _turned_mask(self, mask: Val | None) -> Val | None:
        return None if mask is None else self._turned(mask)

    def _allowed(self, index: Index) -> Val:
        """A place that all lanes read, under the guard. The first may always be read; nobody looks at it."""
        base, _, _ = self.place(index)
        return base if self.guard is None else self.e.select(self.guard, base, self.e.const(0, "i64"))

    def _allowed_address(self, expr: Load) -> Val:
        """The address of an element that all lanes read, or under the guard of one that may be read."""
        if self.guard is None:
            return self.address(expr.buffer, expr.offset)
        pointer = self.e.offset(self.base(expr.buffer), self._allowed(expr.offset), memory_type(expr.dtype))
        if facts.positive(expr.buffer.size):
            return pointer
        # A buffer that may be empty has no first element.
        return self.e.select(self.guard, pointer, self._anything())

    def _every(self, pointer: Val, elem: str, step: int, mask: Val | None, align: int) -> Val:
        """Every second element, say, of memory of which no more than these may be read."""
        each = mask or self.e.const(True, "i1", self.lanes)
        none = Val("zeroinitializer", "i1", self.lanes)
        wide = zipped(self.e, [each, *[none] * (step - 1)])
        block = self.e.masked_load(pointer, elem, step * self.lanes, wide, align)
        return unzipped(self.e, block, step, 0)

    def _wanted(self, pointer: Val, mask: Val | None, expr: Load) -> Val:
        """The address of a vector, or of something else where no lane is read, if it may be far from the array: that a
        page is not there costs the processor a thousand cycles, though nothing is wanted of it."""
        low, high = expr.offset.bounds()
        near = PAGE // expr.dtype.bytes
        is_near = low is not None and facts.known_at_least(low, -near)
        if mask is None or (is_near and high is not None and facts.known_at_least(expr.buffer.size + near, high)):
            return pointer
        some = self.known(("some", mask.ref))
        if some is None:
            some = self.frames[-1]["some", mask.ref] = self.e.intrinsic_across("llvm.vector.reduce.or", mask)
        return self.e.select(some, pointer, self._anything())

    def _anything(self) -> Val:
        """The address of some number that may be read."""
        if self.dummy is None:
            self.dummy = self.head.define("alloca i64", "ptr", hint="anything")
            self.head.store(self.head.const(0, "i64"), self.dummy)
        return self.dummy

    def loaded(self, e: Emitter, value: Val, dtype: DType) -> Val:
        """What was read from memory as it lies in registers."""
        if dtype.kind == "bool":
            return e.icmp("ne", value, e.like(0, value))
        return e.bitcast(value, register_type(dtype)) if value.elem != register_type(dtype) else value

    def _gather(self, pointers: Val, elem: str, mask: Val | None, align: int) -> Val:
        mask = mask or self.e.const(True, "i1", self.lanes)
        like = Val("zeroinitializer", elem, self.lanes)
        name = f"llvm.masked.gather.{like.mangled}.v{self.lanes}p0"
        self.e.declarations.add(f"declare {like.type} @{name}({pointers.type}, i32, {mask.type}, {like.type})")
        text = f"call {like.type} @{name}({pointers.typed}, i32 {align}, {mask.typed}, {like.typed})"
        return self.e.define(text, elem, self.lanes)
