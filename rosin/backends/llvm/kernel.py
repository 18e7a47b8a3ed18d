"""One kernel of the loop IR as one LLVM function.

Expressions are emitted where they are first needed and kept for the scope they stand in; what an inner loop needs and
does not change is emitted before the loop. In a vector loop one variable stands for as many values as there are
lanes: what depends on it becomes a vector, everything else stays a scalar. The rest of a loop that its lanes do not
divide runs once more under a mask. Running values are variables of the function.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import partial

from rosin.backends.llvm.around import (
    MOST_RECORDS,
    POLLED_STEPS,
    Surroundings,
    is_long,
)
from rosin.backends.llvm.assembler import alone_with_vectors, assembled
from rosin.backends.llvm.contents import KernelContents
from rosin.backends.llvm.emit import LINE_BYTES, Val, with_head
from rosin.backends.llvm.expressions import is_zero_const
from rosin.backends.llvm.modules import COLD
from rosin.backends.llvm.ops.cast import convert
from rosin.backends.llvm.places import Entrance, Running
from rosin.backends.llvm.streams import ROWS_AHEAD, gathered, next_rows, streams
from rosin.backends.llvm.types import memory_type, register_type
from rosin.backends.llvm.variables import Variable
from rosin.backends.llvm.vector_loops import VectorLoops, factors
from rosin.backends.llvm.whole_loops import whole_loop
from rosin.ir import facts
from rosin.ir.dtypes import i64
from rosin.ir.index import Index, Quotient, Remainder
from rosin.ir.loops import (
    Accumulate,
    Buffer,
    Carry,
    Choose,
    Dot,
    Expr,
    InTurn,
    Kind,
    Let,
    Load,
    Loop,
    Products,
    Room,
    Scope,
    Statement,
    Store,
    When,
    While,
    blocks,
    decides,
)
from rosin.ir.ops.arithmetic import Add
from rosin.ir.statements import stores

FEWEST_STEPS = 200
"""Where lines of the assembler take less, in the mean over steps of the innermost loops and tests around them, they are
not all that these take."""


def kernel_text(inside: KernelContents, name: str, around: Surroundings, declarations: set[str]) -> str:
    """The function `void name(ptr context, i64 begin, i64 end)`; a parallel kernel runs blocks `begin … end - 1`."""
    return KernelEmitter(inside, name, around, declarations).text()


class KernelEmitter(VectorLoops):
    """The statements of a kernel."""

    has_own = False
    """Whether anything but loops and tests is in the function, rather than in lines of the assembler."""
    times = 1
    """How often what is emitted runs, about, as far as loops decide that."""
    steps_around = steps_in_lines = 0
    """About how many steps the innermost loops around lines of the assembler take, with tests in these, and how many of
    the lines run."""
    loops = 0
    """How many loops there have been."""

    def text(self) -> str:
        for buffer in (*self.kernel.buffers, *self.kernel.scratch):
            if buffer.scope is not Scope.TAPE or not self.inside.grows:
                self.bases[buffer] = self._base(buffer)
        for local in self.kernel.numbers:
            self.frames[0][local] = self.loaded(self.head, self.around.number(self.head, local), local.dtype)
        for var in self.inside.free_variables():
            self.variables[var], self.depths[var] = self.around.variable(self.head, var), 0
        self.next_rows = next_rows(self.inside, self.around.far_bytes)
        self.begin_tiles()
        self.statements(self.kernel.body)
        self.end_tiles()
        if self.past_caches:
            self.e.fence()
        self.e.line("ret void")
        signature = f"define internal void @{self.name}(ptr %context, i64 %begin, i64 %end)"
        body = with_head(self.head.lines, self.e.text())
        if self.has_own or self.steps_in_lines < FEWEST_STEPS * self.steps_around:
            return f"{signature} {{\n{body}\n}}\n"
        return f"{signature}{COLD} {{\n{alone_with_vectors(body)}\n}}\n"

    @property
    def shared(self) -> bool:
        """Whether several threads may run the kernel at once."""
        return any(isinstance(s, Loop) and s.parallel for s in self.kernel.body)

    def statements(self, body: Sequence[Statement]) -> None:
        done = 0
        for at, statement in enumerate(body):
            if at < done:
                continue
            if moved := self.move_square(body, at):
                done = at + moved
                continue
            if blocks(statement) and not _is_scope(statement):
                self._write_parts()
            self._write_parts_before(statement)
            if not isinstance(statement, Loop | When):
                self.has_own = True
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
                    if not self.whole_loop(statement):
                        self.loop(statement)
                case InTurn():
                    self.in_turn(statement)
                case While():
                    self.while_(statement)
                case Choose():
                    self.choose(statement)
                case Room():
                    self.room_for(statement)
                case Products():
                    self.products(statement)

    def scope(self, body: Sequence[Statement]) -> None:
        """Statements whose names are their own."""
        with self.frame():
            self.statements(body)
            self._write_parts()

    def accumulate(self, statement: Accumulate) -> None:
        carry = statement.carry
        if carry in self.before:
            self.advance(statement)
            return
        values = self._combined(carry, statement.values)
        for local, value in zip(carry.locals, values, strict=True):
            variable = self.running[local]
            value = self.e.splat(value, variable.lanes)
            # Nobody asks for the sums of lanes that took no part from the beginning.
            unmasked = self.mask is None or self.mask is self.began.get(carry) or self._adds_zeros(statement)
            if self.mask is not None and variable.lanes > 1 and not unmasked:
                value = self.e.select(self.mask, value, self.e.read(variable))
            self.e.write(value, variable)

    def _adds_zeros(self, statement: Accumulate) -> bool:
        """Whether what is added to a sum is 0 in the lanes that take no part. What stands in these stays the same: it
        began with 0, so that it is not -0.0."""
        carry = statement.carry
        if self.rest is None or self.mask is not self.rest[0] or len(statement.values) > 1 or carry.fold is not Add:
            return False
        read = [self.expr(v).ref for v in factors(carry, statement.values) or statement.values]
        return is_zero_const(carry.initial[0]) and all(self.zeros_beyond.get(ref) is self.mask for ref in read)

    def _combined(self, carry: Carry, values: tuple[Expr, ...]) -> list[Val]:
        """The running values combined with new ones. A sum of products is a chain of fused multiply-adds."""
        running = [self.e.read(self.running[local]) for local in carry.locals]
        if both := factors(carry, values):
            x, y = (self.wide(self.expr(a), running[0].lanes) for a in both)
            return [self.e.fma(x, y, running[0])]
        product = values[0]
        if len(values) == 1 and isinstance(product, Dot) and carry.fold is Add:
            return [self.dot(product, running[0])]
        news = [self.wide(self.expr(v), r.lanes) for v, r in zip(values, running, strict=True)]
        return self.combine(carry, running, news, carry.take or carry.combine)

    def when(self, statement: When) -> None:
        scalar, vector = self.tests(statement.tests)
        saved = self.mask
        if vector is not None:
            self.mask = vector if self.mask is None else self.e.bit_and(self.mask, vector)
        if scalar is None:
            self.block(statement.body)
        else:
            lines = self.steps_in_lines
            self.e.either(scalar, lambda: self.block(statement.body))
            if self.entrances and self.steps_in_lines > lines:
                self.steps_around += self.times
                # A division takes long unless LLVM knows better.
                atoms = (atom for test in statement.tests for atom, _ in test.index.terms)
                self.has_own |= any(isinstance(atom, Quotient | Remainder) for atom in atoms)
        self.mask = saved

    def in_turn(self, statement: InTurn) -> None:
        """Wait until the iteration before has had its turn. A thread that waits offers its processor to others, since
        the one that it waits for may stand still."""
        e, turn = self.e, self.around.turns(self.e)[1]
        (loop,) = self.kernel.body
        assert isinstance(loop, Loop)
        number = self.variables[loop.var]
        look, wait, take = e.label("look"), e.label("wait"), e.label("take")
        e.branch(look)
        e.block(look, is_loop=True)
        now = e.define(f"load atomic i64, {turn.typed} acquire, align 8", "i64")
        e.branch_if(e.icmp("eq", now, number), take, wait)
        e.block(wait)
        e.declarations.add("declare i32 @sched_yield()")
        e.define("call i32 @sched_yield()", "i32")
        e.branch(look)
        e.close(look)
        e.block(take)
        self.block(statement.body)
        e.line(f"store atomic {e.add(number, e.const(1, 'i64')).typed}, {turn.typed} release, align 8")

    def while_(self, statement: While) -> None:
        """Test, step, test, step…; lanes that are done take no part any more."""
        e, saved = self.e, self.mask
        head, inside, after = e.label("while"), e.label("step"), e.label("done")
        going: Variable | None = None
        count = None if statement.var is None else e.variable("i64", hint="count")
        if count is not None:
            e.write(e.const(0, "i64"), count)
        if self.lane is not None:
            going = e.variable("i1", self.lanes, hint="going")
            e.write(self.mask or e.const(True, "i1", self.lanes), going)
        with self.frame():
            self.hoist((*statement.test, *statement.body), self.lanes)
            e.branch(head)
            e.block(head, is_loop=True)
            with self.frame():
                if going is not None:
                    self.mask = e.read(going)
                self.statements(statement.test)
                self._write_parts()
                again = self.expr(statement.predicate)
                if again.lanes > 1:
                    assert going is not None, "only lanes differ in what a predicate says"
                    self.mask = e.bit_and(e.read(going), again)
                    e.write(self.mask, going)
                    again = e.intrinsic_across("llvm.vector.reduce.or", self.mask)
                if statement.var is not None and count is not None:
                    now = self.variables[statement.var] = e.read(count)
                    again = e.bit_and(again, e.icmp("slt", now, self.dim(statement.var.extent)))
                e.branch_if(again, inside, after)
                e.block(inside)
                self.poll()
                self.block(statement.body)
                if statement.var is not None and count is not None:
                    e.write(e.add(self.variables.pop(statement.var), e.const(1, "i64")), count)
            e.branch(head)
            e.close(head)
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
        status = self.around.asked(e, team=self.shared)
        e.branch_if(e.icmp("eq", status, e.const(0, "i32")), on, stop)
        e.block(stop)
        if not self.shared:
            e.store(status, self.around.status(e))
        e.line("ret void")
        e.block(on)

    def _bound(self, load: Load, most: Val) -> Val:
        """A number that is read, moved into 0 … most."""
        e, wide = self.e, convert(self.e, self.expr(load), load.dtype, i64)
        return e.intrinsic("llvm.smin", e.intrinsic("llvm.smax", wide, e.const(0, "i64")), most)

    def choose(self, statement: Choose) -> None:
        self.e.choice(self.expr(statement.index), [partial(self.block, branch) for branch in statement.branches])

    def whole_loop(self, loop: Loop) -> bool:
        """Emit a loop as lines of the assembler, if it is of the kind that is."""
        if not self.around.assembles or self.lane is not None or self.mask is not None:
            return False
        if self.past_caches and not self.past_caches.isdisjoint(stores([loop])):
            return False
        found = whole_loop(loop, self.width, self.next_rows)
        if found is None:
            return False
        e = self.e
        given: dict[str, Val] = {}
        changed = {f"c{number}": e.const(count, "i64") for number, count in enumerate(found.counts)}
        for number, pointer in enumerate(found.pointers):
            address = self.address(pointer.buffer, Index(0, pointer.terms))
            (given if pointer.var is None else changed)[f"p{number}"] = address
        for number, tests in enumerate(found.tests):
            scalar, vector = self.tests(tests)
            assert vector is None, "lanes have no part in the tests"
            given[f"t{number}"] = e.convert("zext", scalar or e.const(True, "i1"), "i64")
        assembled(e, found.lines, changed, given)
        self.steps_in_lines += self.times * found.steps
        return True

    def loop(self, loop: Loop) -> None:
        inner = _has_vector(loop)
        lanes = self.width if inner else self.lanes
        copies = loop.unroll if loop.kind is Kind.VECTOR and loop.carries else 1
        if isinstance(loop.var.extent, int):
            copies = min(copies, max(loop.var.extent // self.width, 1))
        running = [self._open(loop.carries, lanes) for _ in range(copies)]
        self.began.update(dict.fromkeys(loop.carries, self.mask))
        self._use(running[0])
        if loop.kind is Kind.VECTOR and self.width > 1:
            self._open_running(loop.carries)
        if loop.var.extent != 0:
            with self.frame():
                if loop.var.extent != 1 or loop.kind is Kind.VECTOR:
                    self.hoist(loop.body, self.width if loop.kind is Kind.VECTOR else self.lanes)
                with self.entrance(loop):
                    if loop.kind is Kind.VECTOR:
                        self.vector_loop(loop, running)
                    else:
                        self.serial_loop(loop, running)
        for carry in loop.carries:
            parts = self._joined(carry, [[self.e.read(copy[local]) for local in carry.locals] for copy in running])
            if carry in self.before:
                parts = [self.e.take(self.e.read(variable), [0]) for variable in self.before.pop(carry)]
            elif inner and self.lanes == 1:
                parts = list(self.e.all_across(parts, partial(self.combine, carry)))
            for local, part in zip(carry.locals, parts, strict=True):
                self.running.pop(local, None)
                self.frames[-1][local] = part
        if loop.carries and loop.var.extent != 1:
            self.frames[-1]["sums"] = True

    def _open(self, carries: Sequence[Carry], lanes: int) -> Running:
        """Variables for running values, set to their start."""
        running: Running = {}
        for carry in carries:
            for local, initial in zip(carry.locals, carry.initial, strict=True):
                running[local] = self.e.variable(register_type(local.dtype), lanes, hint="sum")
                self.e.write(self.e.splat(self.expr(initial), lanes), running[local])
        return running

    def _open_running(self, carries: Sequence[Carry]) -> None:
        """Variables for what is before a vector, in every lane of it, for running values that iterations read."""
        for carry in carries:
            if carry.neutral:
                self.before[carry] = list(self._open([carry], self.width).values())

    def _joined(self, carry: Carry, copies: list[list[Val]]) -> list[Val]:
        """Several sets of partial values combined, neighbours first: that waits less than one after the other."""
        while len(copies) > 1:
            pairs = [self.combine(carry, a, b) for a, b in zip(copies[::2], copies[1::2], strict=False)]
            copies = pairs + copies[2 * len(pairs) :]
        return copies[0]

    def serial_loop(self, loop: Loop, running: list[Running]) -> None:
        if loop.parallel:
            self._parallel_loops(self.inside.parallel_loops)
        elif _is_scope(loop):
            self.body(loop, self.e.const(0, "i64"))
        else:
            e, extent = self.e, self.dim(loop.var.extent)
            begin = self._bound(loop.start, extent) if loop.start else e.const(0, "i64")
            end = self._bound(loop.stop, extent) if loop.stop else extent
            last = e.sub(e.add(begin, end), e.const(1, "i64")) if loop.backward else None

            def body(i: Val) -> None:
                self.body(loop, i if last is None else e.sub(last, i))

            self.summed(loop, running, begin, end, 1, loop.var.extent if loop.most is None else loop.most, body)

    def _parallel_loops(self, loops: Sequence[Loop]) -> None:
        """The blocks from `%begin` to `%end` of loops that threads share."""
        e, begin, end = self.e, Val("%begin", "i64"), Val("%end", "i64")
        last, outer = loops[-1], loops[:-1]
        if not outer:
            e.counted(begin, end, 1, lambda i: self.body(last, self._claimed() if self.inside.has_turns else i))
            return
        first, *others = (e.variable("i64", hint="at") for _ in loops)
        inner = list(zip(reversed(others), (self.dim(loop.var.extent) for loop in reversed(loops[1:])), strict=True))
        for variable in (first, *others):
            e.write(e.const(0, "i64"), variable)
        # To divide takes longer than a small kernel, and where it begins is 0 unless threads share it.
        within, start = e.label("within"), e.label("start")
        e.branch_if(e.icmp("eq", begin, e.const(0, "i64")), start, within)
        e.block(within)
        rest = begin
        for variable, extent in inner:
            e.write(e.binary("urem", rest, extent), variable)
            rest = e.binary("udiv", rest, extent)
        e.write(rest, first)
        e.branch(start)
        e.block(start)

        def body(_: Val) -> None:
            for loop, variable in zip(outer, (first, *others), strict=False):
                self.variables[loop.var], self.depths[loop.var] = e.read(variable), len(self.entrances)
            self.body(last, e.read(others[-1]))
            step = e.const(1, "i64")
            for variable, extent in inner:
                after = e.add(e.read(variable), step)
                over = e.icmp("eq", after, extent)
                e.write(e.select(over, e.const(0, "i64"), after), variable)
                step = e.define(f"zext {over.typed} to i64", "i64")
            e.write(e.add(e.read(first), step), first)

        e.counted(begin, end, 1, body)
        for loop in outer:
            del self.variables[loop.var], self.depths[loop.var]

    def _claimed(self) -> Val:
        """The number of the first iteration that no thread has begun. So the thread that has the first one that is not
        done waits for nobody."""
        return self.e.define(f"atomicrmw add {self.around.turns(self.e)[0].typed}, i64 1 monotonic", "i64")

    @contextmanager
    def entrance(self, loop: Loop) -> Generator[None]:
        """What is emitted inside is the loop."""
        if _is_scope(loop):
            yield
            return
        self.entrances.append(Entrance(self.e.mark(), len(self.frames), not any(map(_has_loop, loop.body))))
        times, self.times = self.times, self.times * facts.estimate(loop.var.extent)
        self.loops += 1
        loops, lines = self.loops, self.steps_in_lines
        yield
        if self.loops == loops and self.steps_in_lines > lines:
            self.steps_around += self.times
        self.times = times
        self.entrances.pop()

    def body(self, loop: Loop, value: Val) -> None:
        self.variables[loop.var] = value
        self.depths[loop.var] = len(self.entrances)
        if is_long(loop):
            self.poll()
        with self.frame():
            for load, further in streams(loop, self._reads_a_line):
                at = self.address(load.buffer, load.offset)
                self.e.prefetch(self.e.near(at, self.e.const(further, "i64"), memory_type(load.dtype)))
            self._ask_for_rows(loop, value)
            if self.mask is None:
                for load, further in self.next_rows.get(loop, ()):
                    self._ask_for_lines(load, further)
            if _is_scope(loop):
                self.statements(loop.body)
            else:
                self.block(loop.body)
        del self.variables[loop.var], self.depths[loop.var]

    def _ask_for_rows(self, loop: Loop, value: Val) -> None:
        """Have rows come that later steps of a loop read, which memory tells."""
        e, loads = self.e, gathered(loop) if self.lane is not None else []
        if not loads:
            return
        last = e.sub(self.dim(loop.var.extent), e.const(1, "i64"))
        with self.frame():
            later = e.add(value, e.const(ROWS_AHEAD, "i64"))
            self.variables[loop.var] = e.intrinsic("llvm.smin", later, last)
            for load in loads:
                if self.between_lanes(load.offset) != (1, None):
                    continue
                self._ask_for_lines(load, 0, cache=1)
        self.variables[loop.var] = value

    def _ask_for_lines(self, load: Load, further: int, cache: int = 2) -> None:
        """Have lines come in which lanes lie that are neighbours, so many elements further than a load reads."""
        e, bytes = self.e, load.dtype.bytes
        start = self.address(load.buffer, load.offset)
        for at in range(further * bytes, (further + self.lanes) * bytes, LINE_BYTES):
            e.prefetch(e.near(start, e.const(at, "i64"), "i8"), cache)

    def _reads_a_line(self, load: Load) -> bool:
        """Whether all lanes read one element, or each the next one."""
        step, spread = self.between_lanes(load.offset)
        return spread is None and step in (0, 1)


def _is_scope(statement: Statement) -> bool:
    """Whether it is a loop of one iteration: names in it are its own, and it is no loop in the code."""
    if not isinstance(statement, Loop) or statement.kind is not Kind.SERIAL or statement.var.extent != 1:
        return False
    return not statement.parallel and not decides(statement)


def _has_loop(statement: Statement) -> bool:
    """Whether there is a loop in the code of a statement."""
    if isinstance(statement, Loop | While) and not _is_scope(statement):
        return True
    return any(_has_loop(inner) for block in blocks(statement) for inner in block)


def _has_vector(part: Loop | When) -> bool:
    return (isinstance(part, Loop) and part.kind is Kind.VECTOR) or any(
        _has_vector(s) for s in part.body if isinstance(s, Loop | When)
    )
