"""One kernel of the loop IR as one LLVM function.

Expressions are emitted where they are first needed and kept for the scope they stand in; what an inner loop needs and
does not change is emitted before the loop. In a vector loop one variable stands for as many values as there are
lanes: what depends on it becomes a vector, everything else stays a scalar. The rest of a loop that its lanes do not
divide runs once more under a mask. Running values live in stack slots, which LLVM turns into registers.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.interleave import MOST_PARTS, unzipped, zipped
from rosin.backends.llvm.lowering import lower
from rosin.backends.llvm.ops.cast import convert
from rosin.backends.llvm.sizes import SizeEmitter
from rosin.backends.llvm.types import memory_type, register_type
from rosin.ir import facts
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType, i64
from rosin.ir.index import Dynamic, Index, Least, LoopVar, Quotient, Remainder, inner
from rosin.ir.loops import (
    Accumulate,
    Apply,
    Buffer,
    Carry,
    Choose,
    Const,
    Expr,
    FromIndex,
    Guard,
    Kernel,
    Kind,
    Let,
    Load,
    Local,
    Loop,
    Room,
    Scope,
    Statement,
    Store,
    Tape,
    When,
    While,
    Within,
    blocks,
    decides,
    values,
    walk,
)
from rosin.ir.ops.arithmetic import Add, Mul
from rosin.ir.statements import PRIVATE, all_indices, expressions, loaded_buffers, loop_variables, nested, stores

OF_LANES = (Scope.LANES, Scope.STATE)
"""Scratch arrays whose elements are vectors, one number for each lane."""


class Surroundings(Protocol):
    """What a kernel has of the program around it."""

    def pointer(self, e: Emitter, buffer: Buffer) -> Val:
        """The address of a buffer."""
        ...

    def variable(self, e: Emitter, var: LoopVar) -> Val:
        """The value of a variable of a loop around the kernel."""
        ...

    def size(self, e: Emitter, symbol: str) -> Val:
        """The value of a symbol."""
        ...

    def grow(self, e: Emitter, tape: Tape, wanted: Val, enough: str) -> str:
        """Room for so many records on a tape, then on to `enough`; gives the label where it goes when there is none."""
        ...

    def asked(self, e: Emitter) -> Val:
        """Whether a signal wants the program to stop: a status, 0 when none does."""
        ...

    def status(self, e: Emitter) -> Val:
        """Where a kernel leaves the status with which the program ends."""
        ...


POLLED_STEPS = 1024
"""A loop in a kernel, whose steps are small, asks after so many steps whether to stop."""

MOST_RECORDS = (1 << 63) - 1


def kernel_text(kernel: Kernel, name: str, around: Surroundings, vector_bytes: int, declarations: set[str]) -> str:
    """The function `void name(ptr context, i64 begin, i64 end)`; a parallel kernel runs blocks `begin … end - 1`."""
    return KernelEmitter(kernel, name, around, vector_bytes, declarations).text()


def may_stop(kernel: Kernel) -> bool:
    """Whether the kernel may end before its time and leave a status."""
    return any(isinstance(s, Room) or _is_long(s) for s in nested(kernel.body))


def _is_long(statement: Statement) -> bool:
    """Whether it is a loop that may take so long that somebody wants to stop it."""
    if isinstance(statement, Loop):
        serial = statement.kind is Kind.SERIAL and not statement.parallel
        return serial and facts.estimate(statement.var.extent) > POLLED_STEPS * POLLED_STEPS
    return isinstance(statement, While)


def lanes_of(kernel: Kernel, vector_bytes: int) -> int:
    """How many lanes a vector loop of the kernel runs: as many as fit its registers, of its widest numbers."""
    widest = 1
    for expr in (e for top in expressions(kernel.body) for e in walk(top)):
        if expr.dtype.kind != "bool" and not isinstance(expr, FromIndex | Const):
            widest = max(widest, expr.dtype.accumulator.bytes)
    lanes = max(vector_bytes // max(widest, 4), 1)
    extent = max((facts.estimate(loop.var.extent) for loop in _vector_loops(kernel.body)), default=1)
    return lanes * max(
        r for r in range(1, kernel.registers + 1) if r == 1 or (r & (r - 1) == 0 and r * lanes <= extent)
    )


def blocks_of(kernel: Kernel, vector_bytes: int) -> Dim:
    """How many blocks the outermost loop is cut into when it is parallel; 0 when it is not."""
    if len(kernel.body) != 1 or not isinstance(kernel.body[0], Loop) or not kernel.body[0].parallel:
        return 0
    loop = kernel.body[0]
    lanes = lanes_of(kernel, vector_bytes) if loop.kind is Kind.VECTOR else 1
    return (loop.var.extent + (lanes - 1)) // lanes


class KernelEmitter:
    def __init__(
        self,
        kernel: Kernel,
        name: str,
        around: Surroundings,
        vector_bytes: int,
        declarations: set[str],
    ) -> None:
        self.around = around
        self.kernel = kernel
        self.name = name
        self.e = Emitter(declarations)
        self.head = Emitter(declarations, prefix="h")
        self.sizes = SizeEmitter(self.head, lambda symbol: around.size(self.head, symbol))
        self.width = lanes_of(kernel, vector_bytes)
        self.frames: list[dict[Any, Any]] = [{}]
        self.variables: dict[LoopVar, Val] = {}
        self.slots: dict[Local, tuple[Val, DType, int]] = {}
        self.bases: dict[Buffer, Val] = {}
        self.lane: LoopVar | None = None
        self.lanes = 1
        self.mask: Val | None = None
        self.guard: Val | None = None
        self.needs: dict[int, frozenset[Any]] = {}
        self.dummy: Val | None = None
        self.written = {s.buffer for s in stores(kernel.body)}
        self.read = loaded_buffers(kernel.body)
        self.parts: dict[tuple[Buffer, Index], dict[int, Val]] = {}
        """Values that wait for the other parts of their block, to be written together."""
        self.growing = any(isinstance(s, Room) for s in nested(kernel.body))

    def text(self) -> str:
        for buffer in (*self.kernel.buffers, *self.kernel.scratch):
            if buffer.scope is not Scope.TAPE or not self.growing:
                self.bases[buffer] = self._base(buffer)
        for var in free_variables(self.kernel):
            self.variables[var] = self.around.variable(self.head, var)
        self.statements(self.kernel.body)
        self.e.line("ret void")
        head = "\n".join(self.head.lines)
        body = "\n".join(self.e.lines)
        signature = f"define internal void @{self.name}(ptr %context, i64 %begin, i64 %end)"
        return f"{signature} {{\nentry:\n{head}\n  br label %body\nbody:\n{body}\n}}\n"

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

    def dim(self, dim: Dim) -> Val:
        """A size, computed at the head of the function."""
        return self.sizes.value(dim)

    # -- scopes --------------------------------------------------------------------------------------------

    @contextmanager
    def frame(self) -> Generator[None]:
        """What is emitted inside is known inside only."""
        self.frames.append({})
        yield
        self.frames.pop()

    def known(self, key: Any) -> Any:
        for frame in reversed(self.frames):
            if key in frame:
                return frame[key]
        return None

    # -- statements ----------------------------------------------------------------------------------------

    def statements(self, body: Sequence[Statement]) -> None:
        for statement in body:
            if blocks(statement) and not _is_scope(statement):
                self._write_parts()
            match statement:
                case Let():
                    self.frames[-1][statement.local] = self.expr(statement.value)
                case Store():
                    self.store(statement)
                case Accumulate():
                    self.accumulate(statement)
                case When():
                    self.when(statement)
                case Loop():
                    self.loop(statement)
                case While():
                    self.while_(statement)
                case Choose():
                    self.choose(statement)
                case Room():
                    self.room_for(statement)

    def block(self, body: Sequence[Statement]) -> None:
        """Statements that stand in a block of their own."""
        with self.frame():
            self.statements(body)
            self._write_parts()

    def store(self, statement: Store) -> None:
        value = self.expr(statement.value)
        dtype = statement.buffer.dtype
        if dtype.kind == "bool":
            value = self.e.convert("zext", value, "i8")
        elif value.elem == "bfloat":
            value = self.e.bitcast(value, memory_type(dtype))
        base, step, spread = self.place(statement.offset)
        if statement.buffer.scope in OF_LANES:
            self._store_lanes(statement, value, base, step, spread)
            return
        pointer = self.e.offset(self.base(statement.buffer), base, memory_type(dtype))
        if step == 0 and spread is None:
            # A fold that is the same for all lanes ran as vectors all the same.
            self.e.store(self._take(value, [0]) if value.lanes > 1 else value, pointer, dtype.bytes)
            return
        value = self.e.splat(value, self.lanes)
        if step == 1 and spread is None:
            if self.mask is None:
                self.e.store(value, pointer, dtype.bytes)
            else:
                self._masked_store(value, pointer, dtype.bytes)
            return
        block = self._block_of(statement.buffer, statement.offset, step, spread)
        if block is not None and self.mask is None and statement.buffer not in self.read:
            start, part, count = block
            parts = self.parts.setdefault((statement.buffer, start), {})
            parts[part] = value
            if len(parts) == count:
                self._write_block(statement.buffer, start, [parts[k] for k in range(count)])
                del self.parts[statement.buffer, start]
            return
        self._scatter(value, self._pointers(pointer, step, spread, memory_type(dtype)), dtype.bytes)

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
        base, _, _ = self.place(start)
        pointer = self.e.offset(self.base(buffer), base, memory_type(buffer.dtype))
        self.e.store(zipped(self.e, values), pointer, buffer.dtype.bytes)

    def _write_parts(self) -> None:
        """Write what waits for the other parts of its block and need not wait any longer."""
        for (buffer, start), parts in self.parts.items():
            for part, value in parts.items():
                base, step, _ = self.place(start + part)
                pointer = self.e.offset(self.base(buffer), base, memory_type(buffer.dtype))
                pointers = self._pointers(pointer, step, None, memory_type(buffer.dtype))
                self._scatter(value, pointers, buffer.dtype.bytes)
        self.parts.clear()

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

    def _scatter(self, value: Val, pointers: Val, align: int) -> None:
        mask = self.mask or self.e.const(True, "i1", self.lanes)
        suffix = f"{_mangled(value)}.v{self.lanes}p0"
        self.e.declarations.add(
            f"declare void @llvm.masked.scatter.{suffix}({value.type}, <{self.lanes} x ptr>, i32, {mask.type})"
        )
        self.e.line(
            f"call void @llvm.masked.scatter.{suffix}({value.typed}, {pointers.typed}, i32 {align}, {mask.typed})"
        )

    def _masked_store(self, value: Val, pointer: Val, align: int) -> None:
        assert self.mask is not None
        name = f"llvm.masked.store.{_mangled(value)}.p0"
        self.e.declarations.add(f"declare void @{name}({value.type}, ptr, i32, {self.mask.type})")
        self.e.line(f"call void @{name}({value.typed}, {pointer.typed}, i32 {align}, {self.mask.typed})")

    def accumulate(self, statement: Accumulate) -> None:
        carry = statement.carry
        values = self._combined(carry, statement.values)
        for local, value in zip(carry.locals, values, strict=True):
            slot, _, lanes = self.slots[local]
            value = self.e.splat(value, lanes)
            if self.mask is not None and lanes > 1:
                old = self._slot_value(local)
                value = self.e.select(self.mask, value, old)
            self.e.store(value, slot)

    def _combined(self, carry: Carry, values: tuple[Expr, ...]) -> list[Val]:
        """The running values combined with new ones. A sum of products is a chain of fused multiply-adds."""
        running = [self._slot_value(local) for local in carry.locals]
        product = values[0]
        if len(values) == 1 and product.dtype.is_float and _is_sum(carry) and isinstance(product, Apply):
            if isinstance(product.op, Mul) and product.dtype.bits >= 32:
                lanes = running[0].lanes
                x, y = (self.e.splat(self.expr(a), lanes) for a in product.args)
                return [self.e.fma(x, y, running[0])]
        news = [self.e.splat(self.expr(v), r.lanes) for v, r in zip(values, running, strict=True)]
        return self.combine(carry, running, news)

    def combine(self, carry: Carry, left: Sequence[Val], right: Sequence[Val]) -> list[Val]:
        """Two sets of partial values of a carry, combined."""
        with self.frame():
            for locals_, values in ((carry.left, left), (carry.right, right)):
                self.frames[-1].update(zip(locals_, values, strict=True))
            lanes, self.lanes = self.lanes, left[0].lanes
            result = [self.expr(c) for c in carry.combine]
            self.lanes = lanes
        return [self.e.splat(r, left[0].lanes) for r in result]

    def when(self, statement: When) -> None:
        scalar, vector = self.tests(statement.tests)
        saved = self.mask
        if vector is not None:
            self.mask = vector if self.mask is None else self.e.bit_and(self.mask, vector)
        if scalar is None:
            self.block(statement.body)
        else:
            inside, after = self.e.label("when"), self.e.label("after")
            self.e.branch_if(scalar, inside, after)
            self.e.block(inside)
            self.block(statement.body)
            self.e.branch(after)
            self.e.block(after)
        self.mask = saved

    # -- loops that a predicate ends, and branches -----------------------------------------------------------

    def while_(self, statement: While) -> None:
        """Test, step, test, step…; lanes that are done take no part any more."""
        e, saved = self.e, self.mask
        head, inside, after = e.label("while"), e.label("step"), e.label("done")
        going: Val | None = None
        count = None if statement.var is None else self.head.define("alloca i64", "ptr", hint="count")
        if count is not None:
            e.store(e.const(0, "i64"), count)
        if self.lane is not None:
            going = self.head.define(f"alloca {Val('', 'i1', self.lanes).type}", "ptr", hint="going")
            e.store(self.mask or e.const(True, "i1", self.lanes), going)
        with self.frame():
            self._hoist_all((*statement.test, *statement.body))
            e.branch(head)
            e.block(head)
            with self.frame():
                if going is not None:
                    self.mask = e.load(going, "i1", self.lanes)
                self.statements(statement.test)
                self._write_parts()
                again = self.expr(statement.predicate)
                if again.lanes > 1:
                    assert going is not None, "only lanes differ in what a predicate says"
                    self.mask = e.bit_and(e.load(going, "i1", self.lanes), again)
                    e.store(self.mask, going)
                    again = e.intrinsic_across("llvm.vector.reduce.or", self.mask)
                if statement.var is not None and count is not None:
                    now = self.variables[statement.var] = e.load(count, "i64")
                    again = e.bit_and(again, e.icmp("slt", now, self.dim(statement.var.extent)))
                e.branch_if(again, inside, after)
                e.block(inside)
                self.poll()
                self.block(statement.body)
                if statement.var is not None and count is not None:
                    e.store(e.add(self.variables.pop(statement.var), e.const(1, "i64")), count)
            e.branch(head)
            e.block(after)
        self.mask = saved

    def room_for(self, statement: Room) -> None:
        """Room on a tape; without memory for it the kernel ends at once."""
        number = statement.number
        if isinstance(number, Index):
            wanted = self.place(number)[0]
        else:
            wanted = self._bound(number, self.e.const(MOST_RECORDS, "i64"))
        enough = self.e.label("enough")
        failed = self.around.grow(self.e, statement.tape, wanted, enough)
        self.e.block(failed)
        self.e.line("ret void")
        self.e.block(enough)
        for frame in self.frames:
            for buffer in [b for b in frame if isinstance(b, Buffer)]:
                del frame[buffer]

    def poll(self) -> None:
        """Ask now and then whether to stop, in a loop that may be long."""
        e, count = self.e, self.head.define("alloca i64", "ptr", hint="polled")
        self.head.store(self.head.const(0, "i64"), count)
        ask, stop, on = e.label("poll"), e.label("stop"), e.label("on")
        steps = e.add(e.load(count, "i64"), e.const(1, "i64"))
        e.store(steps, count)
        rest = e.binary("and", steps, e.const(POLLED_STEPS - 1, "i64"))
        e.branch_if(e.icmp("eq", rest, e.const(0, "i64")), ask, on)
        e.block(ask)
        status = self.around.asked(e)
        e.branch_if(e.icmp("eq", status, e.const(0, "i32")), on, stop)
        e.block(stop)
        e.store(status, self.around.status(e))
        e.line("ret void")
        e.block(on)

    def _bound(self, load: Load, most: Val) -> Val:
        """A number that is read, moved into 0 … most."""
        e, wide = self.e, convert(self.e, self.expr(load), load.dtype, i64)
        return e.intrinsic("llvm.smin", e.intrinsic("llvm.smax", wide, e.const(0, "i64")), most)

    def choose(self, statement: Choose) -> None:
        e, last = self.e, len(statement.branches) - 1
        index = e.intrinsic("llvm.smax", self.expr(statement.index), e.const(0, "i32"))
        labels = [e.label(f"branch{number}") for number in range(last + 1)]
        after = e.label("done")
        cases = " ".join(f"i32 {number}, label %{label}" for number, label in enumerate(labels[:-1]))
        e.line(f"switch i32 {index.ref}, label %{labels[-1]} [ {cases} ]")
        for label, branch in zip(labels, statement.branches, strict=True):
            e.block(label)
            self.block(branch)
            e.branch(after)
        e.block(after)

    # -- loops ---------------------------------------------------------------------------------------------

    def loop(self, loop: Loop) -> None:
        inner = _has_vector(loop)
        lanes = self.width if inner else self.lanes
        copies = loop.unroll if loop.kind is Kind.VECTOR and loop.carries else 1
        slots = [self._open(loop.carries, lanes) for _ in range(copies)]
        self._use(slots[0])
        if loop.var.extent != 0:
            with self.frame():
                if loop.var.extent != 1 or loop.kind is Kind.VECTOR:
                    self.hoist(loop)
                if loop.kind is Kind.VECTOR:
                    self.vector_loop(loop, slots)
                else:
                    self.serial_loop(loop)
        for carry in loop.carries:
            values = [slots[0][local] for local in carry.locals]
            parts = [self._load_slot(*v) for v in values]
            for copy in slots[1:]:
                parts = self.combine(carry, parts, [self._load_slot(*copy[local]) for local in carry.locals])
            if inner and self.lanes == 1:
                parts = self._across(carry, parts)
            for local, part in zip(carry.locals, parts, strict=True):
                self.slots.pop(local, None)
                self.frames[-1][local] = part

    def _open(self, carries: Sequence[Carry], lanes: int) -> dict[Local, tuple[Val, DType, int]]:
        """Stack slots for running values, set to their start."""
        slots: dict[Local, tuple[Val, DType, int]] = {}
        for carry in carries:
            for local, initial in zip(carry.locals, carry.initial, strict=True):
                elem = register_type(local.dtype)
                slot = self.head.define(f"alloca {Val('', elem, lanes).type}, align 64", "ptr", hint="slot")
                self.e.store(self.e.splat(self.expr(initial), lanes), slot)
                slots[local] = (slot, local.dtype, lanes)
        return slots

    def _use(self, slots: dict[Local, tuple[Val, DType, int]]) -> None:
        self.slots.update(slots)

    def _load_slot(self, slot: Val, dtype: DType, lanes: int) -> Val:
        return self.e.load(slot, register_type(dtype), lanes)

    def _slot_value(self, local: Local) -> Val:
        return self._load_slot(*self.slots[local])

    def _across(self, carry: Carry, parts: list[Val]) -> list[Val]:
        """The lanes of partial values combined, halves with halves."""
        while parts[0].lanes > 1:
            half = parts[0].lanes // 2
            low = [self._take(p, range(half)) for p in parts]
            high = [self._take(p, range(half, 2 * half)) for p in parts]
            parts = self.combine(carry, low, high)
        return parts

    def _take(self, x: Val, which: Sequence[int]) -> Val:
        if len(which) == 1:
            return self.e.define(f"extractelement {x.typed}, i64 {which[0]}", x.elem)
        mask = ", ".join(f"i32 {i}" for i in which)
        return self.e.define(
            f"shufflevector {x.typed}, {x.type} poison, <{len(which)} x i32> <{mask}>", x.elem, len(which)
        )

    def serial_loop(self, loop: Loop) -> None:
        if loop.parallel:
            begin, end = Val("%begin", "i64"), Val("%end", "i64")
            self.counted(begin, end, 1, lambda i: self.body(loop, i))
        elif _is_scope(loop):
            self.body(loop, self.e.const(0, "i64"))
        else:
            e, extent = self.e, self.dim(loop.var.extent)
            begin = self._bound(loop.start, extent) if loop.start else e.const(0, "i64")
            end = self._bound(loop.stop, extent) if loop.stop else extent
            last = e.sub(e.add(begin, end), e.const(1, "i64")) if loop.backward else None
            self.counted(begin, end, 1, lambda i: self.body(loop, i if last is None else e.sub(last, i)))

    def body(self, loop: Loop, value: Val) -> None:
        self.variables[loop.var] = value
        if _is_long(loop):
            self.poll()
        if _is_scope(loop):
            with self.frame():
                self.statements(loop.body)
        else:
            self.block(loop.body)
        del self.variables[loop.var]

    def counted(self, begin: Val, end: Val, step: int, body: Callable[[Val], None]) -> None:
        """A loop from `begin` below `end`; it may run no time at all."""
        e = self.e
        head, inside, after = e.label("head"), e.label("loop"), e.label("done")
        slot = self.head.define("alloca i64", "ptr", hint="count")
        e.store(begin, slot)
        e.branch(head)
        e.block(head)
        count = e.load(slot, "i64")
        e.branch_if(e.icmp("slt", count, end), inside, after)
        e.block(inside)
        body(count)
        e.store(e.define(f"add nsw i64 {count.ref}, {step}", "i64"), slot)
        e.branch(head)
        e.block(after)

    def vector_loop(self, loop: Loop, slots: list[dict[Local, tuple[Val, DType, int]]]) -> None:
        assert self.lane is None, "a vector loop stands in another"
        width, extent = self.width, loop.var.extent
        if width == 1:
            self.serial_loop(loop)
            return
        full, rest = extent // width, extent % width
        self.lane, self.lanes = loop.var, width

        def block(position: Val) -> None:
            self.body(loop, self.e.define(f"mul nsw i64 {position.ref}, {width}", "i64"))

        def unrolled(position: Val) -> None:
            for at, copy in enumerate(slots):
                self._use(copy)
                first = position if at == 0 else self.e.define(f"add nsw i64 {position.ref}, {at}", "i64")
                block(first)
            self._use(slots[0])

        def tail() -> None:
            saved = self.mask
            self.mask = self._first_lanes(rest)
            self.body(loop, self.dim(full * width))
            self.mask = saved

        if loop.parallel:
            self._parallel_vectors(block, tail, full, rest)
        else:
            zero, many = self.e.const(0, "i64"), full - full % len(slots)
            if many == len(slots):
                unrolled(zero)
            elif not _is_zero(many):
                self.counted(zero, self.dim(many), len(slots), unrolled)
            if isinstance(many, int) and isinstance(full, int):
                for position in range(many, full):
                    block(self.e.const(position, "i64"))
            elif len(slots) > 1:
                self.counted(self.dim(many), self.dim(full), 1, block)
            if isinstance(rest, int):
                if rest:
                    tail()
            else:
                self._where(self.e.icmp("ne", self.dim(rest), zero), "tail", tail)
        self.lane, self.lanes = None, 1

    def _parallel_vectors(self, block: Callable[[Val], None], tail: Callable[[], None], full: Dim, rest: Dim) -> None:
        end = Val("%end", "i64")
        whole = self.e.intrinsic("llvm.smin", end, self.dim(full))
        self.counted(Val("%begin", "i64"), whole, 1, block)
        if rest != 0:
            self._where(self.e.icmp("sgt", end, self.dim(full)), "tail", tail)

    def _where(self, condition: Val, name: str, body: Callable[[], None]) -> None:
        """Run a body if a condition holds."""
        inside, after = self.e.label(name), self.e.label("after")
        self.e.branch_if(condition, inside, after)
        self.e.block(inside)
        body()
        self.e.branch(after)
        self.e.block(after)

    def _first_lanes(self, count: Dim) -> Val:
        """The mask of the first lanes."""
        if isinstance(count, int):
            lanes = ", ".join(f"i1 {'true' if i < count else 'false'}" for i in range(self.width))
            return Val(f"<{lanes}>", "i1", self.width)
        numbers = Val("<" + ", ".join(f"i64 {i}" for i in range(self.width)) + ">", "i64", self.width)
        return self.e.icmp("slt", numbers, self.e.splat(self.dim(count), self.width))

    # -- what a loop does not change is computed before it ------------------------------------------------------

    def hoist(self, loop: Loop) -> None:
        self._hoist_all(loop.body)

    def _hoist_all(self, statements: Sequence[Statement]) -> None:
        seen: set[int] = set()
        for top in _tops(statements):
            self._hoist(top, seen)

    def _hoist(self, expr: Expr, seen: set[int]) -> None:
        if id(expr) in seen or isinstance(expr, Const | Local):
            return
        seen.add(id(expr))
        if self._ready(expr):
            self.expr(expr)
            return
        # What stands under a guard may not be read outside of it.
        children = (expr.otherwise,) if isinstance(expr, Guard) else expr.children()
        for child in children:
            self._hoist(child, seen)
        for index in () if isinstance(expr, Guard) else expr.indices():
            for atom, _ in index.terms:
                if isinstance(atom, Dynamic):
                    self._hoist(atom.value, seen)

    def _ready(self, expr: Expr) -> bool:
        """Whether the value is the same in every iteration from here on."""
        return all(
            need in self.variables
            or (isinstance(need, Local) and need not in self.slots and self.known(need) is not None)
            for need in self._needs(expr)
        )

    def _needs(self, expr: Expr) -> frozenset[Any]:
        """The variables, locals and written buffers that an expression depends on."""
        found = self.needs.get(id(expr))
        if found is None:
            needs: set[Any] = set()
            if isinstance(expr, Local):
                needs.add(expr)
            if isinstance(expr, Load) and expr.buffer in self.written:
                needs.add(expr.buffer)
            for child in expr.children():
                needs |= self._needs(child)
            for index in expr.indices():
                needs |= self._index_needs(index)
            found = self.needs[id(expr)] = frozenset(needs)
        return found

    def _index_needs(self, index: Index) -> set[Any]:
        needs: set[Any] = set()
        for atom, _ in index.terms:
            if isinstance(atom, LoopVar):
                needs.add(atom)
            elif isinstance(atom, Dynamic):
                needs |= self._needs(atom.value)
            else:
                needs |= self._index_needs(inner(atom))
        return needs

    # -- expressions ---------------------------------------------------------------------------------------

    def expr(self, expr: Expr) -> Val:
        match expr:
            case Const():
                return self.e.const(expr.value, register_type(expr.dtype))
            case Local():
                return self._slot_value(expr) if expr in self.slots else self.known(expr)
            case _:
                found = self.known(id(expr))
                if found is None:
                    found = self._emit(expr)
                    self.frames[-1][id(expr)] = found
                return found

    def _emit(self, expr: Expr) -> Val:
        match expr:
            case Load():
                return self.load(expr)
            case Apply():
                args = [self.expr(a) for a in expr.args]
                lanes = max(a.lanes for a in args)
                wide = tuple(self.e.splat(a, lanes) for a in args)
                return lower(self.e, expr.op, tuple(a.dtype for a in expr.args), wide)
            case FromIndex():
                return convert(self.e, self.lane_index(expr.index), i64, expr.dtype)
            case Guard():
                return self.guarded(expr)
            case _:
                raise AssertionError(f"no such expression: {type(expr).__name__}")

    def guarded(self, expr: Guard) -> Val:
        scalar, vector = self.tests(expr.tests)
        otherwise = self.expr(expr.otherwise)
        saved = self.guard, self.mask
        if scalar is not None:
            self.guard = scalar if self.guard is None else self.e.bit_and(self.guard, scalar)
        if vector is not None:
            self.mask = vector if self.mask is None else self.e.bit_and(self.mask, vector)
        with self.frame():
            then = self.expr(expr.then)
        self.guard, self.mask = saved
        lanes = max(then.lanes, otherwise.lanes, 1 if vector is None else vector.lanes)
        then, otherwise = self.e.splat(then, lanes), self.e.splat(otherwise, lanes)
        if vector is not None:
            condition = vector if scalar is None else self.e.bit_and(vector, self.e.splat(scalar, lanes))
        else:
            assert scalar is not None
            condition = scalar
        return self.e.select(condition, then, otherwise)

    def load(self, expr: Load) -> Val:
        key = ("load", expr.buffer, expr.offset) if expr.buffer not in self.written else id(expr)
        found = self.known(key)
        if found is None:
            found = self.frames[-1][key] = self._load(expr)
        return found

    def _load(self, expr: Load) -> Val:
        dtype = expr.dtype
        elem = memory_type(dtype)
        base, step, spread = self.place(expr.offset)
        mask = self.mask
        if self.guard is not None:
            if step == 0 and spread is None:
                # The first element may always be read; where the guard fails nobody looks at it.
                base = self.e.select(self.guard, base, self.e.const(0, "i64"))
            else:
                wide = self.e.splat(self.guard, self.lanes)
                mask = wide if mask is None else self.e.bit_and(mask, wide)
        if expr.buffer.scope in OF_LANES:
            if step != 0 or spread is not None:
                pointers = self._pointers_of_lanes(expr.buffer, base, step, spread)
                value = self._gather(pointers, elem, mask, dtype.bytes)
            else:
                pointer = self.e.offset(self.base(expr.buffer), base, Val("", elem, self.lanes).type)
                value = self.e.load(pointer, elem, self.lanes)
            return self._loaded(value, dtype)
        pointer = self.e.offset(self.base(expr.buffer), base, elem)
        if step == 0 and spread is None:
            if self.guard is not None and not facts.positive(expr.buffer.size):
                # A buffer that may be empty has no first element.
                pointer = self.e.select(self.guard, pointer, self._anything())
            value = self.e.load(pointer, elem, align=dtype.bytes)
        elif step == 1 and spread is None:
            value = self._contiguous(pointer, elem, mask, dtype.bytes)
        elif mask is None and (block := self._block_of(expr.buffer, expr.offset, step, spread)) is not None:
            start, part, count = block
            value = unzipped(self.e, self._read_block(expr.buffer, start, count), count, part)
        else:
            value = self._gather(self._pointers(pointer, step, spread, elem), elem, mask, dtype.bytes)
        return self._loaded(value, dtype)

    def _anything(self) -> Val:
        """The address of some number that may be read."""
        if self.dummy is None:
            self.dummy = self.head.define("alloca i64", "ptr", hint="anything")
            self.head.store(self.head.const(0, "i64"), self.dummy)
        return self.dummy

    def _read_block(self, buffer: Buffer, start: Index, parts: int) -> Val:
        """All parts that the lanes have of a block."""
        key = ("block", buffer, start)
        found = None if buffer in self.written else self.known(key)
        if found is None:
            base, _, _ = self.place(start)
            elem = memory_type(buffer.dtype)
            pointer = self.e.offset(self.base(buffer), base, elem)
            found = self.frames[-1][key] = self.e.load(pointer, elem, parts * self.lanes, buffer.dtype.bytes)
        return found

    def _loaded(self, value: Val, dtype: DType) -> Val:
        """What was read from memory as it lies in registers."""
        if dtype.kind == "bool":
            return self.e.icmp("ne", value, self.e.like(0, value))
        return self.e.bitcast(value, register_type(dtype)) if value.elem != register_type(dtype) else value

    def _contiguous(self, pointer: Val, elem: str, mask: Val | None, align: int) -> Val:
        if mask is None:
            return self.e.load(pointer, elem, self.lanes, align)
        like = Val("zeroinitializer", elem, self.lanes)
        name = f"llvm.masked.load.{_mangled(like)}.p0"
        self.e.declarations.add(f"declare {like.type} @{name}(ptr, i32, {mask.type}, {like.type})")
        text = f"call {like.type} @{name}({pointer.typed}, i32 {align}, {mask.typed}, {like.typed})"
        return self.e.define(text, elem, self.lanes)

    def _gather(self, pointers: Val, elem: str, mask: Val | None, align: int) -> Val:
        mask = mask or self.e.const(True, "i1", self.lanes)
        like = Val("zeroinitializer", elem, self.lanes)
        name = f"llvm.masked.gather.{_mangled(like)}.v{self.lanes}p0"
        self.e.declarations.add(f"declare {like.type} @{name}({pointers.type}, i32, {mask.type}, {like.type})")
        text = f"call {like.type} @{name}({pointers.typed}, i32 {align}, {mask.typed}, {like.typed})"
        return self.e.define(text, elem, self.lanes)

    def _pointers(self, base: Val, step: Dim, spread: Val | None, elem: str) -> Val:
        """The address of each lane's element."""
        offsets = self._ramp(step)
        if spread is not None:
            offsets = self.e.add(offsets, spread) if step != 0 else spread
        text = f"getelementptr {elem}, ptr {base.ref}, {offsets.typed}"
        return self.e.define(text, "ptr", self.lanes)

    def _ramp(self, step: Dim) -> Val:
        """`step` times the number of each lane."""
        if not isinstance(step, int):
            return self.e.mul(self._ramp(1), self.e.splat(self.dim(step), self.lanes))
        return Val("<" + ", ".join(f"i64 {i * step}" for i in range(self.lanes)) + ">", "i64", self.lanes)

    # -- indices -------------------------------------------------------------------------------------------

    def place(self, index: Index) -> tuple[Val, Dim, Val | None]:
        """An index as a scalar part, the step from lane to lane, and what else differs between lanes (or None)."""
        found = self.known(index)
        if found is None:
            found = self.frames[-1][index] = self._place(index)
        return found

    def _place(self, index: Index) -> tuple[Val, Dim, Val | None]:
        e = self.e
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
        if total is None:
            total = self.dim(index.constant)
        elif index.constant != 0:
            total = e.define(f"add nsw i64 {total.ref}, {self.dim(index.constant).ref}", "i64")
        return total, step, spread

    def _atom(self, atom: Any) -> Val:
        if isinstance(atom, LoopVar):
            return self.variables[atom]
        found = self.known(atom)
        if found is None:
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
            wide = self.e.add(wide, self._ramp(step))
        return wide if spread is None else self.e.add(wide, spread)

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
        value = self.lane_index(test.index - test.low)
        room = self.dim(test.high - test.low)
        if not facts.known_at_least(test.high, test.low):
            room = self.head.intrinsic("llvm.smax", room, self.head.const(0, "i64"))
        return self.e.icmp("ult", value, self.e.splat(room, value.lanes))


def _is_zero(dim: Dim) -> bool:
    """Whether the size is known to be 0; it is not negative."""
    return facts.known_at_least(0, dim)


def _is_scope(statement: Statement) -> bool:
    """Whether it is a loop of one iteration: names in it are its own, and it is no loop in the code."""
    if not isinstance(statement, Loop) or statement.kind is not Kind.SERIAL or statement.var.extent != 1:
        return False
    return not statement.parallel and not decides(statement)


def _is_sum(carry: Carry) -> bool:
    (combined,) = carry.combine if len(carry.combine) == 1 else (None,)
    return isinstance(combined, Apply) and isinstance(combined.op, Add) and combined.args == (*carry.left, *carry.right)


def _mangled(x: Val) -> str:
    base = {"half": "f16", "bfloat": "bf16", "float": "f32", "double": "f64"}.get(x.elem, x.elem)
    return f"v{x.lanes}{base}"


def free_variables(kernel: Kernel) -> list[LoopVar]:
    """The variables of loops around the kernel that its indices use."""
    own = set(loop_variables(kernel.body))
    found: dict[LoopVar, None] = {}
    for index in all_indices(kernel.body):
        found.update((var, None) for var in index.variables() if var not in own)
    return list(found)


def _vector_loops(statements: Sequence[Statement]) -> Iterator[Loop]:
    return (s for s in nested(statements) if isinstance(s, Loop) and s.kind is Kind.VECTOR)


def _has_vector(loop: Loop) -> bool:
    return loop.kind is Kind.VECTOR or any(_has_vector(s) for s in loop.body if isinstance(s, Loop))


def _tops(statements: Sequence[Statement]) -> Iterator[Expr]:
    """The expressions of statements that run in every iteration; what stands under a `when`, say, may not."""
    for statement in statements:
        yield from values(statement)
        if isinstance(statement, Loop) and statement.var.extent != 0 and not decides(statement):
            yield from _tops(statement.body)
        elif isinstance(statement, While):
            yield from _tops(statement.test)
