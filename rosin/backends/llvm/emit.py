"""Text emission of LLVM IR: values, instructions and the function they go into.

LLVM IR is written as text because it is what a reader wants to see and because building it costs little: one
f-string an instruction. Every method names its result, appends one line and returns a `Val`. A `Val` is a scalar
(`lanes == 1`) or a vector of `lanes` elements of one element type, so the same code emits both.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from rosin.backends.llvm.variables import Flow, Variable
from rosin.ir.dataclass import dataclass

MANGLED = {"half": "f16", "bfloat": "bf16", "float": "f32", "double": "f64"}
FLOAT_BITS = {"half": 16, "bfloat": 16, "float": 32, "double": 64}

_FLOAT = re.compile("0x([0-9A-F]{16})")

LINE_BYTES = 64
"""What of memory comes to a cache together."""


@dataclass(frozen=True, slots=True)
class Val:
    """An SSA value or a constant of LLVM: its text, its element type and its number of lanes."""

    ref: str
    elem: str
    lanes: int = 1

    @property
    def type(self) -> str:
        return self.elem if self.lanes == 1 else f"<{self.lanes} x {self.elem}>"

    @property
    def mangled(self) -> str:
        """The type in names of intrinsics."""
        base = MANGLED.get(self.elem, self.elem)
        return base if self.lanes == 1 else f"v{self.lanes}{base}"

    @property
    def typed(self) -> str:
        return f"{self.type} {self.ref}"

    @property
    def is_number(self) -> bool:
        """Whether it is a constant of a floating type that is finite."""
        found = None if self.ref.startswith("%") else _FLOAT.search(self.ref)
        return found is not None and math.isfinite(struct.unpack(">d", bytes.fromhex(found[1]))[0])


def float_text(value: float, elem: str) -> str:
    """The exact hexadecimal text that LLVM reads for a floating constant of type `elem`."""
    if elem == "half":
        return f"0xH{struct.unpack('<H', struct.pack('<e', value))[0]:04X}"
    if elem == "bfloat":
        bits = struct.unpack("<I", struct.pack("<f", value))[0]
        is_nan = value != value
        rounded = bits if is_nan else bits + 0x7FFF + ((bits >> 16) & 1)
        return f"0xR{rounded >> 16 & 0xFFFF:04X}"
    if elem == "float":
        value = struct.unpack("<f", struct.pack("<f", value))[0]
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


class Mark:
    """A place in a function to which lines may be added after what follows it."""

    def __init__(self, at: int) -> None:
        self.at = at
        """How many lines stand before it."""
        self.lines: list[str] = []


class Emitter:
    """The body of one LLVM function under construction.

    `declarations` is shared by all functions of a module: the intrinsics and externals that some line calls. `doubles`
    is how many doubles a function of its own computes at a time, if some line calls one. At the `head` of a function
    all lines run one after the other. The first line stands in the block `first`. `avx512` says whether the
    processor has these instructions, which multiply by powers of two, take numbers apart and look up in registers.
    """

    def __init__(
        self,
        declarations: set[str] | None = None,
        prefix: str = "v",
        doubles: int = 4,
        head: bool = False,
        first: str = "entry",
        avx512: bool = False,
    ) -> None:
        self.lines: list[str] = []
        self.declarations: set[str] = set() if declarations is None else declarations
        self.doubles = doubles
        self.avx512 = avx512
        self._prefix = prefix
        """What the names that this emitter makes start with; two emitters of one function differ in it."""
        self._count = 0
        self._once: dict[str, Val] | None = {} if head else None
        self._marks: list[Mark] = []
        self._flow = Flow(first, self.name)

    # -- names, lines, blocks ------------------------------------------------------------------------------

    def name(self, hint: str = "") -> str:
        self._count += 1
        return f"%{hint}.{self._prefix}{self._count}" if hint else f"%{self._prefix}{self._count}"

    def label(self, hint: str) -> str:
        self._count += 1
        return f"{hint}.{self._count}"

    def line(self, text: str) -> None:
        self.lines.append("  " + text)

    def block(self, label: str, is_loop: bool = False) -> None:
        """A block begins. One that later blocks branch to is that of a loop, to be closed by `close`."""
        self.lines.append(f"{label}:")
        self._flow.begin(label, self.lines, is_loop)

    def close(self, label: str) -> None:
        """No more blocks will branch to this one, that of a loop."""
        self._flow.close(label)

    def mark(self) -> Mark:
        """This place."""
        self._marks.append(Mark(len(self.lines)))
        return self._marks[-1]

    @contextmanager
    def at(self, mark: Mark) -> Generator[None]:
        """What is emitted inside stands at a mark."""
        lines, self.lines = self.lines, mark.lines
        yield
        self.lines = lines

    def text(self) -> str:
        """All lines, those at marks too."""
        parts: list[str] = []
        done = 0
        for mark in self._marks:
            parts += self.lines[done : mark.at]
            parts += mark.lines
            done = mark.at
        return "\n".join([*parts, *self.lines[done:]])

    def define(self, text: str, elem: str, lanes: int = 1, hint: str = "") -> Val:
        """Append `name = text` and return the new value."""
        result = Val(self.name(hint), elem, lanes)
        self.lines.append(f"  {result.ref} = {text}")
        return result

    def once(self, text: str, elem: str) -> Val:
        """As `define`, of what is the same wherever it stands in a function: at the head it is there once."""
        if self._once is None:
            return self.define(text, elem)
        if text not in self._once:
            self._once[text] = self.define(text, elem)
        return self._once[text]

    def branch(self, label: str) -> None:
        self._flow.goes(label)
        self.line(f"br label %{label}")

    def branch_if(self, condition: Val, then: str, otherwise: str) -> None:
        self._flow.goes(then)
        self._flow.goes(otherwise)
        self.line(f"br i1 {condition.ref}, label %{then}, label %{otherwise}")

    def choice(self, index: Val, branches: Sequence[Callable[[], None]]) -> None:
        """What branch `index` appends, or the first or the last when that is beyond them."""
        least = self.intrinsic("llvm.smax", index, self.const(0, index.elem))
        labels = [self.label(f"branch{number}") for number in range(len(branches))]
        after = self.label("done")
        cases = " ".join(f"{index.elem} {number}, label %{label}" for number, label in enumerate(labels[:-1]))
        for label in labels:
            self._flow.goes(label)
        self.line(f"switch {least.typed}, label %{labels[-1]} [ {cases} ]")
        for label, branch in zip(labels, branches, strict=True):
            self.block(label)
            branch()
            self.branch(after)
        self.block(after)

    def either(
        self,
        condition: Val,
        then: Callable[[], None],
        otherwise: Callable[[], None] | None = None,
        names: tuple[str, str] = ("when", "else"),
    ) -> None:
        """What `then` appends, for where a condition holds, and what `otherwise` does, if anything, for elsewhere."""
        branches = [(self.label(name), body) for name, body in zip(names, (then, otherwise), strict=True) if body]
        after = self.label("after")
        self.branch_if(condition, branches[0][0], branches[1][0] if otherwise else after)
        for label, body in branches:
            self.block(label)
            body()
            self.branch(after)
        self.block(after)

    def counted(self, begin: Val, end: Val, step: int | Val, body: Callable[[Val], None], sealed: bool = True) -> Val:
        """The body for begin, begin + step … below end; it may run no time at all. Gives where the count got to.

        Where the count is `sealed`, LLVM looks for no way to count up addresses instead, which takes it long.
        """
        by = self.const(step, "i64") if isinstance(step, int) else step
        head, inside, after = self.label("head"), self.label("loop"), self.label("done")
        counter = self.variable("i64", hint="count")
        self.write(begin, counter)
        self.branch(head)
        self.block(head, is_loop=True)
        reached = self.read(counter)
        self.branch_if(self.icmp("slt", reached, end), inside, after)
        self.block(inside)
        count = self.sealed_count(reached) if sealed else reached
        body(count)
        self.write(self.define(f"add nsw i64 {count.ref}, {by.ref}", "i64"), counter)
        self.branch(head)
        self.close(head)
        self.block(after)
        return reached

    # -- variables -----------------------------------------------------------------------------------------

    def variable(self, elem: str, lanes: int = 1, hint: str = "") -> Variable:
        """A variable of this function, unknown until it is written. It costs nothing where it stays the same."""
        return Variable(Val("", elem, lanes).type, elem, lanes, hint)

    def write(self, value: Val, variable: Variable) -> None:
        self._flow.write(variable, value.ref)

    def read(self, variable: Variable) -> Val:
        return Val(self._flow.read(variable), variable.elem, variable.lanes)

    # -- constants -----------------------------------------------------------------------------------------

    def const(self, value: float | int | bool, elem: str, lanes: int = 1) -> Val:
        """A constant, the same in every lane."""
        if elem in FLOAT_BITS:
            text = float_text(float(value), elem)
        elif elem == "i1":
            text = "true" if value else "false"
        else:
            text = str(int(value))
        return Val(text if lanes == 1 else f"splat ({elem} {text})", elem, lanes)

    def like(self, value: float | int | bool, x: Val) -> Val:
        """A constant of the type of `x`."""
        return self.const(value, x.elem, x.lanes)

    def bits_const(self, bits: int, x: Val) -> Val:
        """The floating constant of the type of `x` that has these bits."""
        width = FLOAT_BITS[x.elem]
        if width == 64:
            text = f"0x{bits:016X}"
        elif width == 32:
            text = float_text(struct.unpack("<f", struct.pack("<I", bits))[0], "float")
        else:
            text = f"0x{'H' if x.elem == 'half' else 'R'}{bits:04X}"
        return Val(text if x.lanes == 1 else f"splat ({x.elem} {text})", x.elem, x.lanes)

    def splat(self, x: Val, lanes: int) -> Val:
        """`x`, a scalar, in every lane."""
        if lanes == 1 or x.lanes == lanes:
            return x
        if not x.ref.startswith("%"):
            return Val(f"splat ({x.elem} {x.ref})", x.elem, lanes)
        vector = f"<{lanes} x {x.elem}>"
        one = self.define(f"insertelement {vector} poison, {x.typed}, i64 0", x.elem, lanes)
        return self.define(
            f"shufflevector {vector} {one.ref}, {vector} poison, <{lanes} x i32> zeroinitializer", x.elem, lanes
        )

    def ramp(self, lanes: int, elem: str = "i64", step: int = 1) -> Val:
        """`step` times the number of each lane."""
        return Val("<" + ", ".join(f"{elem} {lane * step}" for lane in range(lanes)) + ">", elem, lanes)

    # -- arithmetic ----------------------------------------------------------------------------------------

    def binary(self, opcode: str, a: Val, b: Val) -> Val:
        return self.define(f"{opcode} {a.type} {a.ref}, {b.ref}", a.elem, a.lanes)

    def fadd(self, a: Val, b: Val) -> Val:
        return self.binary("fadd", a, b)

    def fsub(self, a: Val, b: Val) -> Val:
        return self.binary("fsub", a, b)

    def fmul(self, a: Val, b: Val) -> Val:
        return self.binary("fmul", a, b)

    def fdiv(self, a: Val, b: Val) -> Val:
        return self.binary("fdiv", a, b)

    def fneg(self, a: Val) -> Val:
        return self.define(f"fneg {a.typed}", a.elem, a.lanes)

    def fma(self, a: Val, b: Val, c: Val) -> Val:
        """`a * b + c`, rounded once."""
        return self.intrinsic("llvm.fma", a, b, c)

    def add(self, a: Val, b: Val) -> Val:
        return self.binary("add", a, b)

    def sub(self, a: Val, b: Val) -> Val:
        return self.binary("sub", a, b)

    def mul(self, a: Val, b: Val) -> Val:
        return self.binary("mul", a, b)

    def bit_and(self, a: Val, b: Val) -> Val:
        return self.binary("and", a, b)

    def bit_or(self, a: Val, b: Val) -> Val:
        return self.binary("or", a, b)

    def bit_xor(self, a: Val, b: Val) -> Val:
        return self.binary("xor", a, b)

    def shl(self, a: Val, b: Val) -> Val:
        return self.binary("shl", a, b)

    def lshr(self, a: Val, b: Val) -> Val:
        return self.binary("lshr", a, b)

    def ashr(self, a: Val, b: Val) -> Val:
        return self.binary("ashr", a, b)

    def fcmp(self, predicate: str, a: Val, b: Val) -> Val:
        """Compare floats; the predicate is LLVM's (`oeq olt ole ogt oge une uno ord …`)."""
        return self.define(f"fcmp {predicate} {a.type} {a.ref}, {b.ref}", "i1", a.lanes)

    def icmp(self, predicate: str, a: Val, b: Val) -> Val:
        """Compare integers; the predicate is LLVM's (`eq ne slt sle sgt sge ult …`)."""
        return self.define(f"icmp {predicate} {a.type} {a.ref}, {b.ref}", "i1", a.lanes)

    def select(self, condition: Val, a: Val, b: Val) -> Val:
        """`a` where the condition holds, else `b`, lane by lane."""
        return self.define(f"select {condition.typed}, {a.typed}, {b.typed}", a.elem, a.lanes)

    def convert(self, opcode: str, a: Val, elem: str) -> Val:
        """One of LLVM's conversions (`fptosi sitofp fpext fptrunc zext sext trunc bitcast …`), lane by lane."""
        if a.elem == elem:
            return a
        target = Val("", elem, a.lanes)
        return self.define(f"{opcode} {a.typed} to {target.type}", elem, a.lanes)

    def bitcast(self, a: Val, elem: str) -> Val:
        return self.convert("bitcast", a, elem)

    def intrinsic(self, name: str, *args: Val, suffix: str | None = None, trailing: Sequence[str] = ()) -> Val:
        """Call an overloaded intrinsic whose operands and result all have the type of the first operand.

        `trailing` holds further typed arguments as text, such as `i1 false`.
        """
        a = args[0]
        kind, suffix = a.type, a.mangled if suffix is None else suffix
        types = ", ".join([kind] * len(args) + [t.split()[0] for t in trailing])
        self.declarations.add(f"declare {kind} @{name}.{suffix}({types})")
        texts = ", ".join([f"{kind} {x.ref}" for x in args] + list(trailing))
        return self.define(f"call {kind} @{name}.{suffix}({texts})", a.elem, a.lanes)

    def intrinsic_across(self, name: str, x: Val) -> Val:
        """Call an intrinsic that makes one number of the lanes of a vector, or gives the number that `x` is."""
        if x.lanes == 1:
            return x
        suffix = f"v{x.lanes}{x.elem}"
        self.declarations.add(f"declare {x.elem} @{name}.{suffix}({x.type})")
        return self.define(f"call {x.elem} @{name}.{suffix}({x.typed})", x.elem)

    def across(self, x: Val, combine: Callable[[Val, Val], Val]) -> Val:
        """The lanes of a vector combined, halves with halves."""
        (found,) = self.all_across([x], lambda low, high: [combine(low[0], high[0])])
        return found

    def all_across(
        self, parts: Sequence[Val], combine: Callable[[Sequence[Val], Sequence[Val]], Sequence[Val]]
    ) -> Sequence[Val]:
        """The same, of several vectors whose lanes are combined together."""
        while parts[0].lanes > 1:
            half = parts[0].lanes // 2
            low = [self.take(p, range(half)) for p in parts]
            high = [self.take(p, range(half, 2 * half)) for p in parts]
            parts = combine(low, high)
        return parts

    # -- memory --------------------------------------------------------------------------------------------

    def offset(self, pointer: Val, index: Val, elem: str) -> Val:
        """The address of element `index` of an array of `elem` at `pointer`."""
        return self.define(f"getelementptr inbounds {elem}, ptr {pointer.ref}, {index.typed}", "ptr")

    def near(self, pointer: Val, index: Val, elem: str) -> Val:
        """As `offset`, of a pointer that may lie outside of the array, as may the result."""
        return self.define(f"getelementptr {elem}, ptr {pointer.ref}, {index.typed}", "ptr")

    def prefetch(self, pointer: Val, cache: int = 1) -> None:
        """Ask for the line of memory at an address, which may be outside of all arrays, to come to the first cache or
        to the second one."""
        self.declarations.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        self.line(f"call void @llvm.prefetch.p0({pointer.typed}, i32 0, i32 {4 - cache}, i32 1)")

    def sealed(self, pointer: Val) -> Val:
        """A pointer of which LLVM does not ask how it was computed; code it costs none."""
        self.declarations.add("declare ptr @llvm.launder.invariant.group.p0(ptr)")
        return self.define(f"call ptr @llvm.launder.invariant.group.p0({pointer.typed})", "ptr")

    def sealed_count(self, count: Val) -> Val:
        """A number that a loop counts with, of which LLVM does not ask how it was counted; code it costs none."""
        return self.intrinsic("llvm.expect", count, self.const(0, count.elem))

    def shuffle(self, left: Val, right: Val, order: Sequence[int]) -> Val:
        """Lanes of two vectors of one type: these of the two laid end to end."""
        mask = ", ".join([f"i32 {i}" for i in order])
        text = f"shufflevector {left.typed}, {right.typed}, <{len(order)} x i32> <{mask}>"
        return self.define(text, left.elem, len(order))

    def take(self, x: Val, places: Sequence[int]) -> Val:
        """These lanes of a vector; of a scalar as many as there are places."""
        if x.lanes == 1:
            return self.splat(x, len(places))
        if len(places) == 1:
            return self.define(f"extractelement {x.typed}, i64 {places[0]}", x.elem)
        return x if list(places) == list(range(x.lanes)) else self.shuffle(x, x, places)

    def opaque(self, x: Val) -> Val:
        """`x`, into which LLVM does not look: it would try to combine each of many shuffles with all before it."""
        if x.elem not in ("float", "double"):
            return x
        return self.intrinsic("llvm.arithmetic.fence", x)

    def opaque_bits(self, x: Val) -> Val:
        """`x`, into which LLVM does not look, integers neither: as floats they pass."""
        like = {"i32": "float", "i64": "double"}.get(x.elem, x.elem)
        return self.bitcast(self.opaque(self.bitcast(x, like)), x.elem)

    def load(self, pointer: Val, elem: str, lanes: int = 1, align: int = 0) -> Val:
        target = Val("", elem, lanes)
        aligned = f", align {align}" if align else ""
        return self.define(f"load {target.type}, ptr {pointer.ref}{aligned}", elem, lanes)

    def copy_bytes(self, goal: Val, source: Val, count: Val) -> None:
        """Copy so many bytes between arrays that have none in common."""
        self.declarations.add("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        self.line(f"call void @llvm.memcpy.p0.p0.i64({goal.typed}, {source.typed}, {count.typed}, i1 false)")

    def masked_load(self, pointer: Val, elem: str, lanes: int, mask: Val | None, align: int) -> Val:
        """A vector of which only the lanes of the mask are read; the others are 0. Without a mask all are."""
        if mask is None:
            return self.load(pointer, elem, lanes, align)
        like = Val("zeroinitializer", elem, lanes)
        name = f"llvm.masked.load.{like.mangled}.p0"
        self.declarations.add(f"declare {like.type} @{name}(ptr, i32, {mask.type}, {like.type})")
        text = f"call {like.type} @{name}({pointer.typed}, i32 {align}, {mask.typed}, {like.typed})"
        return self.define(text, elem, lanes)

    def masked_store(self, value: Val, pointer: Val, mask: Val | None, align: int) -> None:
        """Write the lanes of the mask; without one, all."""
        if mask is None:
            self.store(value, pointer, align)
            return
        which = ["true" in each for each in mask.ref.split(",")]
        if sum(which) == 1:
            # Of narrowed numbers LLVM 22 would store a single lane as wide as it was before.
            lane = which.index(True)
            place = self.offset(pointer, self.const(lane, "i64"), value.elem) if lane else pointer
            self.store(self.define(f"extractelement {value.typed}, i64 {lane}", value.elem), place, align)
            return
        name = f"llvm.masked.store.{value.mangled}.p0"
        self.declarations.add(f"declare void @{name}({value.type}, ptr, i32, {mask.type})")
        self.line(f"call void @{name}({value.typed}, {pointer.typed}, i32 {align}, {mask.typed})")

    def store(self, value: Val, pointer: Val, align: int = 0) -> None:
        aligned = f", align {align}" if align else ""
        self.line(f"store {value.typed}, ptr {pointer.ref}{aligned}")

    def store_past_caches(self, value: Val, pointer: Val, align: int) -> None:
        """Write a whole vector to memory and to no cache. Other threads may read it after a `fence`."""
        self.line(f"store {value.typed}, ptr {pointer.ref}, align {align}, !nontemporal !{{i32 1}}")

    def fence(self) -> None:
        """What has been written, past caches too, is there for all threads before what is written from here on."""
        self.line("fence seq_cst")


BODY = "body"
"""The block behind what stands at the head of a function."""


def with_head(head: Sequence[str], body: str) -> str:
    """The lines of a function: those of an emitter for its head, then those of one whose `first` block is `BODY`."""
    return "\n".join(["entry:", *head, f"  br label %{BODY}", f"{BODY}:", body])


def first_of(count: int, lanes: int) -> Val:
    """The mask of the first of so many lanes."""
    return mask_of([i < count for i in range(lanes)])


def mask_of(which: Sequence[bool]) -> Val:
    """A mask that is known, as text."""
    return Val("<" + ", ".join(f"i1 {'true' if each else 'false'}" for each in which) + ">", "i1", len(which))
