"""Sizes in LLVM: polynomials as instructions, and the function that a program's sizes come from.

A program with symbolic sizes has a function `i64 sizes(ptr dims, ptr block)`. `dims` holds the sizes of all axes of all
arguments, one after the other. It writes to `block`

    the symbols | the bytes of the arena | the offset of each slot | the sizes of all axes of all results

and gives the bytes of arguments, results and arena together, or -1 where the arguments do not fit or a number does not
fit 63 bits; what is wrong is found again in Python then. The block is passed on to the program, as the last of its
buffers.

Sizes that the program measures come last among the symbols. What depends on them stands in the block with the most that
it can be; the program puts the symbols there as it finds them, and at its end the sizes of results.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.names import SIZES
from rosin.ir import dims, facts
from rosin.ir.dims import Dim, Floor, Symbol
from rosin.ir.facts import Check
from rosin.ir.sizes import ADDRESS_BYTES, Sizes
from rosin.ir.steps import Program

ALIGNMENT = 64


class SizeEmitter:
    """Emits sizes as i64 values, each once; `symbol` gives the value of a symbol."""

    accepted: ClassVar[bool] = True
    """Whether what is known of sizes holds for these: they have been checked."""

    def __init__(self, e: Emitter, symbol: Callable[[str], Val]) -> None:
        self.e = e
        self.symbol = symbol
        self.known: dict[Dim, Val] = {}

    def value(self, dim: Dim) -> Val:
        if isinstance(dim, int):
            return self.e.const(dim, "i64")
        found = self.known.get(dim)
        if found is None:
            found = self.known[dim] = self._polynomial(dim)
        return found

    def _polynomial(self, dim: dims.Sym) -> Val:
        total: Val | None = None
        for monomial, coefficient in dim.terms:
            part: Val | None = None
            for atom in monomial:
                value = self._atom(atom)
                part = value if part is None else self.multiply(part, value)
            constant = self.e.const(coefficient, "i64")
            if part is None:
                part = constant
            elif coefficient != 1:
                part = self.multiply(part, constant)
            total = part if total is None else self.add(total, part)
        assert total is not None, "a symbolic size has a term"
        return total

    def _atom(self, atom: dims.Atom) -> Val:
        found = self.known.get(dims.of_atom(atom))
        if found is not None:
            return found
        value = self.symbol(atom.name) if isinstance(atom, Symbol) else self._quotient(atom)
        self.known[dims.of_atom(atom)] = value
        return value

    def _quotient(self, atom: Floor) -> Val:
        """Rounded down; a divisor that is not a number may be 0, and counts as 1 then."""
        e = self.e
        dividend, divisor = self.value(atom.dividend), self.value(atom.divisor)
        if self.accepted and facts.known_at_least(atom.dividend, 0) and facts.positive(atom.divisor):
            return e.binary("udiv", dividend, divisor)
        if not isinstance(atom.divisor, int):
            divisor = e.select(e.icmp("eq", divisor, e.const(0, "i64")), e.const(1, "i64"), divisor)
        quotient, rest = e.binary("sdiv", dividend, divisor), e.binary("srem", dividend, divisor)
        zero = e.const(0, "i64")
        apart = e.icmp("slt", e.bit_xor(rest, divisor), zero)
        lower = e.bit_and(apart, e.icmp("ne", rest, zero))
        return e.select(lower, e.sub(quotient, e.const(1, "i64")), quotient)

    def add(self, a: Val, b: Val) -> Val:
        return self.e.add(a, b)

    def multiply(self, a: Val, b: Val) -> Val:
        return self.e.mul(a, b)


class _Checked(SizeEmitter):
    """Emits sizes and notes where a number does not fit."""

    accepted = False

    def __init__(self, e: Emitter, symbol: Callable[[str], Val]) -> None:
        super().__init__(e, symbol)
        self.bad: Val = e.const(False, "i1")

    def add(self, a: Val, b: Val) -> Val:
        return self._noted("sadd", a, b)

    def multiply(self, a: Val, b: Val) -> Val:
        return self._noted("smul", a, b)

    def _noted(self, operation: str, a: Val, b: Val) -> Val:
        name = f"llvm.{operation}.with.overflow.i64"
        self.e.declarations.add(f"declare {{i64, i1}} @{name}(i64, i64)")
        pair = self.e.define(f"call {{i64, i1}} @{name}({a.typed}, {b.typed})", "{i64, i1}")
        self.refuse(self.e.define(f"extractvalue {pair.typed}, 1", "i1"))
        return self.e.define(f"extractvalue {pair.typed}, 0", "i64")

    def refuse(self, condition: Val) -> None:
        self.bad = self.e.bit_or(self.bad, condition)


def result_words(sizes: Sizes) -> dict[int, Dim]:
    """The words of the block that a program fills at its end, numbered from the first size of a result on."""
    every = [dim for shape in sizes.results for dim in shape]
    return {number: dim for number, dim in enumerate(every) if not dims.names(dim).keys().isdisjoint(sizes.measured)}


def sizes_text(program: Program, declarations: set[str]) -> str:
    """The function `sizes` of a program that has symbolic sizes."""
    sizes = program.sizes
    assert sizes is not None
    e = Emitter(declarations)
    given = _given(e, sizes)
    symbols: dict[str, Val] = {}
    emitter = _Checked(e, symbols.__getitem__)
    for source in sizes.sources:
        value = given[source.argument, source.axis]
        if source.offset:
            value = emitter.add(value, e.const(-source.offset, "i64"))
        if source.factor > 1:
            value = e.binary("sdiv", value, e.const(source.factor, "i64"))
        symbols[source.name] = value
    for argument, axis in sizes.checked:
        emitter.refuse(e.icmp("ne", given[argument, axis], emitter.value(sizes.arguments[argument][axis])))
    for check in (*sizes.guards, *sizes.checks):
        emitter.refuse(fails(emitter, check))
    for limit in sizes.limits:
        emitter.refuse(e.icmp("ugt", emitter.value(limit), e.const(ADDRESS_BYTES, "i64")))
    arena = _arena(emitter, program)
    words = [*symbols.values(), *[e.const(0, "i64")] * len(sizes.measured), *arena]
    words += [emitter.value(sizes.greatest(dim)) for shape in sizes.results for dim in shape]
    for number, word in enumerate(words):
        e.store(word, e.define(f"getelementptr i64, ptr %block, i64 {number}", "ptr"))
    # No array that there is takes more than can be addressed, and nothing else either: it has been refused by now.
    plain = SizeEmitter(e, symbols.__getitem__)
    work = arena[0]
    for buffer in program.arguments:
        work = e.add(work, plain.value(buffer.bytes))
    for buffer in program.results:
        work = e.add(work, emitter.value(sizes.greatest(buffer.bytes)))
    e.line(f"ret i64 {e.select(emitter.bad, e.const(-1, 'i64'), work).ref}")
    return "\n".join([f"define i64 @{SIZES}(ptr %dims, ptr %block) {{", *e.lines, "}"])


def _given(e: Emitter, sizes: Sizes) -> dict[tuple[int, int], Val]:
    """The sizes of the axes of the arguments that are asked for."""
    places = [(i, axis) for i, shape in enumerate(sizes.arguments) for axis in range(len(shape))]
    wanted = {(s.argument, s.axis) for s in sizes.sources} | set(sizes.checked)
    found: dict[tuple[int, int], Val] = {}
    for number, place in enumerate(places):
        if place in wanted:
            found[place] = e.load(e.define(f"getelementptr i64, ptr %dims, i64 {number}", "ptr"), "i64")
    return found


def fails(emitter: SizeEmitter, check: Check) -> Val:
    """Whether a condition does not hold."""
    predicate = {"==": "ne", ">=": "slt", "!=": "eq"}[check.kind]
    return emitter.e.icmp(predicate, emitter.value(check.left), emitter.value(check.right))


def _arena(emitter: _Checked, program: Program) -> list[Val]:
    """The bytes of the arena, then the offset of each slot. A negative size is refused by then, as a result's is."""
    e, sizes = emitter.e, program.sizes
    assert sizes is not None
    end = e.const(-(-program.arena_bytes // ALIGNMENT) * ALIGNMENT, "i64")
    offsets: list[Val] = []
    for size in program.slots:
        offsets.append(end)
        value = e.intrinsic("llvm.smax", emitter.value(sizes.greatest(size)), e.const(0, "i64"))
        emitter.refuse(e.icmp("ugt", value, e.const(ADDRESS_BYTES, "i64")))
        aligned = e.bit_and(e.add(value, e.const(2 * ALIGNMENT - 1, "i64")), e.const(-ALIGNMENT, "i64"))
        end = emitter.add(end, aligned)
    return [end, *offsets]
