"""One LLVM function of a routine under construction: loops and variables over an emitter."""

from __future__ import annotations

from collections.abc import Callable

from rosin.backends.llvm.emit import Emitter, Val


class Function:
    """The body of a function. Variables are stack slots, which LLVM turns into registers."""

    def __init__(self, declarations: set[str]) -> None:
        self.e = Emitter(declarations)
        self._head = Emitter(declarations, prefix="h")

    def text(self, signature: str) -> str:
        """The function `signature`; its last block ends with what the body has written last."""
        lines = "\n".join(["entry:", *self._head.lines, "  br label %body", "body:", *self.e.lines])
        return f"define {signature} nounwind {{\n{lines}\n}}\n"

    def room(self, elem: str, count: int) -> Val:
        """A local array, aligned for vectors."""
        return self._head.define(f"alloca [{count} x {elem}], align 64", "ptr")

    def variable(self, initial: Val) -> Val:
        """A variable; it is loaded and stored by its address."""
        slot = self._head.define(f"alloca {initial.type}", "ptr")
        self.e.store(initial, slot)
        return slot

    def word(self, value: int) -> Val:
        return self.e.const(value, "i64")

    def loop(self, begin: Val, end: Val, step: int | Val, body: Callable[[Val], None]) -> None:
        """The body for begin, begin + step … below end."""
        e, slot = self.e, self.variable(begin)
        by = self.word(step) if isinstance(step, int) else step

        def advance() -> None:
            count = e.load(slot, "i64")
            body(count)
            e.store(e.define(f"add nsw i64 {count.ref}, {by.ref}", "i64"), slot)

        self.repeat(lambda: e.icmp("slt", e.load(slot, "i64"), end), advance)

    def repeat(self, test: Callable[[], Val], body: Callable[[], None]) -> None:
        """The body as long as a test holds."""
        e = self.e
        head, inside, after = e.label("head"), e.label("loop"), e.label("done")
        e.branch(head)
        e.block(head)
        e.branch_if(test(), inside, after)
        e.block(inside)
        body()
        e.branch(head)
        e.block(after)

    def each(self, count: Val, lanes: int, body: Callable[[Val, int], None]) -> None:
        """The body for every place below `count`: for vectors of so many lanes, then for single ones."""
        whole = self.e.bit_and(count, self.word(-lanes))
        self.loop(self.word(0), whole, lanes, lambda place: body(place, lanes))
        self.loop(whole, count, 1, lambda place: body(place, 1))

    def when(self, condition: Val, then: Callable[[], None], otherwise: Callable[[], None] | None = None) -> None:
        e = self.e
        inside, other, after = e.label("when"), e.label("else"), e.label("after")
        e.branch_if(condition, inside, other if otherwise else after)
        e.block(inside)
        then()
        e.branch(after)
        if otherwise:
            e.block(other)
            otherwise()
            e.branch(after)
        e.block(after)

    def add_to(self, slot: Val, value: Val) -> Val:
        """Add to a variable; gives what it was."""
        old = self.e.load(slot, value.elem)
        self.e.store(self.e.add(old, value), slot)
        return old
