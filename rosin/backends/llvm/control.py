"""Steps that decide what runs: loops of a program, its branches, the steps that threads share, and room on tapes."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial

from rosin.backends.llvm.around import MOST_RECORDS
from rosin.backends.llvm.context import OWNERS, POLL_STATE, POLL_TEAM, ROOM, STATUS, Context
from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.names import GROW, OUT_OF_MEMORY
from rosin.backends.llvm.team import team_text
from rosin.backends.llvm.types import memory_type
from rosin.ir.dims import Dim
from rosin.ir.index import Index
from rosin.ir.loops import Load, Room, Tape
from rosin.ir.steps import Branch, Either, Repeat, RepeatWhile, Step, Team

LOOK_OUT_STEPS = 16
"""A thread of a team asks whether to stop once in so many steps of a loop in a step: a power of two."""


class ControlSteps(Context):
    """What is emitted for such steps."""

    function_count: int

    @abstractmethod
    def step(self, e: Emitter, step: Step, depth: int) -> None:
        """A step inside of so many loops."""

    @abstractmethod
    def add(self, function: str) -> None:
        """One more function of the module."""

    @abstractmethod
    def on_threads(
        self, e: Emitter, work: Dim | None, name: str, context: str, blocks: Val, stops: bool = False
    ) -> None:
        """Run the blocks of a function on threads."""

    def on_team(self, e: Emitter, step: Repeat, team: Team, depth: int) -> None:
        """A loop whose steps threads share, in a function of its own."""
        self.slots[step.var] = depth
        self.team = team
        inside = Emitter(self.declarations)
        arena = inside.load(self.word(inside, 1), "ptr")
        first = self.program.arena[team.room]
        own = inside.define(f"mul i64 %number, {team.bytes}", "i64")
        rooms = inside.define(f"getelementptr inbounds i8, ptr {arena.ref}, i64 {first}", "ptr")
        room = inside.define(f"getelementptr inbounds i8, ptr {rooms.ref}, {own.typed}", "ptr")
        inside.store(room, self.word(inside, ROOM))
        word = self.first_slot + depth
        inside.store(Val("%first", "i64"), self.word(inside, word))
        inside.branch("more")
        inside.block("more")
        count = self.variable(inside, step.var)
        inside.branch_if(inside.icmp("slt", count, Val("%stop", "i64")), "look_out", "end")
        inside.block("look_out")
        self.look_out(inside)
        for inner in step.body:
            self.step(inside, inner, depth + 1)
        following = inside.add(self.variable(inside, step.var), inside.const(1, "i64"))
        inside.store(following, self.word(inside, word))
        inside.branch("more")
        self.team = None
        name = f"team{self.function_count}"
        words = self.first_slot + self.deepest
        self.add(team_text(name, words, OWNERS, team.most, inside.lines, self.declarations))
        self.has_teams = True
        self.on_threads(e, None, name, "%context", self.dim(e, step.var.extent), stops=True)
        on = e.label("on")
        e.branch_if(e.icmp("eq", e.load(self.status(e), "i32"), e.const(0, "i32")), on, "end")
        e.block(on)

    def choose(self, e: Emitter, small: Val, step: Either, depth: int) -> None:
        """The steps for small sizes, or those for large ones."""

        def all_of(steps: tuple[Step, ...], is_large: bool) -> None:
            outer, self.is_large = self.is_large, self.is_large or is_large
            for inner in steps:
                self.step(e, inner, depth)
            self.is_large = outer

        e.either(small, partial(all_of, step.small, False), partial(all_of, step.large, True), names=("small", "large"))

    def look_out(self, e: Emitter) -> None:
        """Have a thread of a team end if the program is to stop."""
        state = e.define(f"getelementptr inbounds ptr, ptr %shared, i64 {POLL_STATE}", "ptr")
        self.declarations.add(f"declare i32 @{POLL_TEAM}(ptr)")
        status, on = e.define(f"call i32 @{POLL_TEAM}({state.typed})", "i32"), e.label("on")
        e.branch_if(e.icmp("eq", status, e.const(0, "i32")), on, "end")
        e.block(on)

    def look_out_at(self, e: Emitter, count: Val) -> None:
        """The same at some steps of a loop, of which this is number `count`."""
        number = e.define(f"and i64 {count.ref}, {LOOK_OUT_STEPS - 1}", "i64")
        e.either(e.icmp("eq", number, e.const(0, "i64")), lambda: self.look_out(e))

    def repeat(self, e: Emitter, step: Repeat, depth: int) -> None:
        self.slots[step.var] = depth
        head, inside, after = e.label("repeat"), e.label("step"), e.label("done")
        zero, one, extent = e.const(0, "i64"), e.const(1, "i64"), self.dim(e, step.var.extent)
        start = self.bound(e, step.start, extent) if step.start else zero
        stop = self.bound(e, step.stop, extent) if step.stop else extent
        e.store(e.sub(stop, one) if step.backward else start, self.word(e, self.first_slot + depth))
        e.branch(head)
        e.block(head)
        count = self.variable(e, step.var)
        more = e.icmp("sge", count, start) if step.backward else e.icmp("slt", count, stop)
        e.branch_if(more, inside, after)
        e.block(inside)
        if self.team:
            self.look_out_at(e, count)
        else:
            self.poll(e)
        for inner in step.body:
            self.step(e, inner, depth + 1)
        # The count is read again: what stands before may be another block by now.
        following = e.add(self.variable(e, step.var), e.const(-1 if step.backward else 1, "i64"))
        e.store(following, self.word(e, self.first_slot + depth))
        e.branch(head)
        e.block(after)

    def bound(self, e: Emitter, load: Load, extent: Val) -> Val:
        """A bound of a loop, within 0 … extent."""
        wide = e.convert("sext", self.scalar(e, load, memory_type(load.dtype)), "i64")
        return e.intrinsic("llvm.smin", e.intrinsic("llvm.smax", wide, e.const(0, "i64")), extent)

    def repeat_while(self, e: Emitter, step: RepeatWhile, depth: int) -> None:
        head, inside, after = e.label("while"), e.label("step"), e.label("done")
        if step.var is not None:
            self.slots[step.var] = depth
            e.store(e.const(0, "i64"), self.word(e, self.first_slot + depth))
            depth += 1
        e.branch(head)
        e.block(head)
        for inner in step.test:
            self.step(e, inner, depth)
        again = e.icmp("ne", self.scalar(e, step.predicate, "i8"), e.const(0, "i8"))
        if step.var is not None:
            again = e.bit_and(again, e.icmp("slt", self.variable(e, step.var), self.dim(e, step.var.extent)))
        e.branch_if(again, inside, after)
        e.block(inside)
        self.poll(e)
        for inner in step.body:
            self.step(e, inner, depth)
        if step.var is not None:
            following = e.add(self.variable(e, step.var), e.const(1, "i64"))
            e.store(following, self.word(e, self.first_slot + self.slots[step.var]))
        e.branch(head)
        e.block(after)

    def room(self, e: Emitter, step: Room) -> None:
        number, most = step.number, e.const(MOST_RECORDS, "i64")
        wanted = self.index(e, number) if isinstance(number, Index) else self.bound(e, number, most)
        enough = e.label("enough")
        e.block(self.grow(e, step.tape, wanted, enough))
        e.branch("end")
        e.block(enough)

    def grow(self, e: Emitter, tape: Tape, wanted: Val, enough: str) -> str:
        """Room for so many records on a tape, then on to `enough`; else the status says so, and it goes on at the label
        that this gives."""
        words = self.word(e, self.tapes[tape])
        room = self.word(e, self.tapes[tape] + 1)
        grow, failed, stop = e.label("grow"), e.label("failed"), e.label("stop")
        e.branch_if(e.icmp("sgt", wanted, e.load(room, "i64")), grow, enough)
        e.block(grow)
        self.declarations.add(f"declare i32 @{GROW}(ptr, i64, i64)")
        record = self.dim(e, tape.record)
        if not isinstance(tape.record, int):
            # Records that turn out to be empty take a byte, so that there is something to grow.
            record = e.intrinsic("llvm.smax", record, e.const(1, "i64"))
        code = e.define(f"call i32 @{GROW}({words.typed}, {wanted.typed}, {record.typed})", "i32")
        e.branch_if(e.icmp("eq", code, e.const(0, "i32")), enough, failed)
        e.block(failed)
        e.store(e.const(OUT_OF_MEMORY, "i32"), self.word(e, STATUS))
        e.branch(stop)
        return stop

    def poll(self, e: Emitter) -> None:
        """Ask whether to stop, if it is time to."""
        ask, on = e.label("poll"), e.label("on")
        state = self.word(e, POLL_STATE)
        left = e.sub(e.load(state, "i64"), e.const(1, "i64"))
        e.store(left, state)
        e.branch_if(e.icmp("sgt", left, e.const(0, "i64")), on, ask)
        e.block(ask)
        self.stop_unless_zero(e, self.asked(e), on)

    def branch(self, e: Emitter, step: Branch, depth: int) -> None:
        def all_of(steps: tuple[Step, ...]) -> None:
            for inner in steps:
                self.step(e, inner, depth)

        e.choice(self.scalar(e, step.index, "i32"), [partial(all_of, steps) for steps in step.branches])
