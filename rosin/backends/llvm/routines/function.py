"""One LLVM function of a routine under construction: loops and variables over an emitter."""

from __future__ import annotations

import re
from collections.abc import Callable

from rosin.backends.llvm.emit import BODY, Emitter, Val, with_head
from rosin.backends.llvm.modules import COLD
from rosin.backends.llvm.variables import Variable

_NAME = re.compile(r"%[\w.]+")
_DEFINED = re.compile(r"^  (%[\w.]+) = ", re.MULTILINE)
_LABEL = re.compile(r"label (%[\w.]+)")


class _Noting(Emitter):
    """Notes the type of each value."""

    def __init__(self, declarations: set[str], prefix: str) -> None:
        super().__init__(declarations, prefix, first=BODY)
        self.types: dict[str, str] = {}

    def define(self, text: str, elem: str, lanes: int = 1, hint: str = "") -> Val:
        value = super().define(text, elem, lanes, hint)
        self.types[value.ref] = value.type
        return value

    def read(self, variable: Variable) -> Val:
        value = super().read(variable)
        self.types[value.ref] = value.type
        return value


class Function:
    """The body of a function. Variables are stack slots, which LLVM turns into registers.

    Where it is `plain`, the addresses in its loops are as they are written: LLVM looks for no way to count them up,
    which takes it half of the time for machine code and more.
    """

    def __init__(self, declarations: set[str], plain: bool = False) -> None:
        self.plain = plain
        self.e = _Noting(declarations, "v")
        self._head = _Noting(declarations, "h")
        self.parts: list[str] = []
        """The functions that parts of this one are."""

    def text(self, signature: str, cold: bool = False) -> str:
        """The function `signature`; its last block ends with what the body has written last.

        A `cold` one takes little of the time that a call does, so that LLVM does not improve it, which takes longest.
        """
        lines = with_head(self._head.lines, self.e.text())
        return f"define {signature} nounwind{COLD if cold else ''} {{\n{lines}\n}}\n"

    def apart(self, name: str, body: Callable[[], None]) -> None:
        """What a body appends, as a function of its own that is called here: several threads compile long code in
        parts, and its loops are fewer at a time.

        The function is given what is mentioned of this one's values; of its parameters that may be `ptr %words` alone.
        """
        e, head = self.e, self._head
        self.e, self._head = (_Noting(e.declarations, f"p{len(self.parts)}{kind}") for kind in "vh")
        body()
        self.e.line("ret void")
        text = "\n".join([*self._head.lines, *self.e.lines])
        types = {"%words": "ptr", **head.types, **e.types}
        own = {*_DEFINED.findall(text), *_LABEL.findall(text), f"%{BODY}"}
        given = ", ".join(f"{types[ref]} {ref}" for ref in dict.fromkeys(_NAME.findall(text)) if ref not in own)
        self.parts.append(self.text(f"internal void @{name}({given})"))
        self.e, self._head = e, head
        e.line(f"call void @{name}({given})")

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
        self.e.counted(begin, end, step, body, sealed=self.plain)

    def repeat(self, test: Callable[[], Val], body: Callable[[], None]) -> None:
        """The body as long as a test holds."""
        e = self.e
        head, inside, after = e.label("head"), e.label("loop"), e.label("done")
        e.branch(head)
        e.block(head, is_loop=True)
        e.branch_if(test(), inside, after)
        e.block(inside)
        body()
        e.branch(head)
        e.close(head)
        e.block(after)

    def each(self, count: Val, lanes: int, body: Callable[[Val, int], None]) -> None:
        """The body for every place below `count`: for vectors of so many lanes, then for single ones."""
        whole = self.e.bit_and(count, self.word(-lanes))
        self.loop(self.word(0), whole, lanes, lambda place: body(place, lanes))
        self.loop(whole, count, 1, lambda place: body(place, 1))

    def covering(self, count: Val, lanes: int, body: Callable[[Val], None]) -> None:
        """The body for vectors of so many lanes, which `count` is at least; the last one may overlap another."""
        e, last = self.e, self.e.sub(count, self.word(lanes))
        self.loop(self.word(0), count, lanes, lambda place: body(e.intrinsic("llvm.smin", place, last)))

    def when(self, condition: Val, then: Callable[[], None], otherwise: Callable[[], None] | None = None) -> None:
        self.e.either(condition, then, otherwise)

    def add_to(self, slot: Val, value: Val) -> Val:
        """Add to a variable; gives what it was."""
        old = self.e.load(slot, value.elem)
        self.e.store(self.e.add(old, value), slot)
        return old
