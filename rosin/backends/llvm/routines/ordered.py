"""What is around the sorting of a line: whether it is in order already, and what keys do not tell."""

from __future__ import annotations

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.backends.llvm.routines.keys import Keys
from rosin.backends.llvm.routines.records import BYTES, counted, inside, places_from

LOOKED_AT = 2
"""Registers of elements that are looked at together where a line may be in order."""


def in_order_text(keys: Keys, lanes: int, declarations: set[str]) -> str:
    """The function `i1 in_order(ptr firsts, ptr seconds, i64 count, i1 falls)`: whether no element of so many pairs
    comes after the other one, or, where it `falls`, whether each does."""
    f = Function(declarations, plain=True)
    e, lanes, pairs = f.e, LOOKED_AT * lanes, Val("%count", "i64")
    at, holds = f.variable(f.word(0)), f.variable(e.const(True, "i1"))
    last, falls = e.sub(pairs, f.word(lanes)), e.splat(Val("%falls", "i1"), lanes)

    def look() -> None:
        # The last ones are looked at with some of those before.
        place = e.intrinsic("llvm.smin", f.add_to(at, f.word(lanes)), last)
        starts = (e.offset(Val(name, "ptr"), place, keys.memory) for name in ("%firsts", "%seconds"))
        x, y = (e.load(start, keys.memory, lanes, align=keys.dtype.bytes) for start in starts)
        holding = e.bit_xor(keys.rises(e, x, y), falls)
        e.store(e.intrinsic_across("llvm.vector.reduce.and", holding), holds)

    f.repeat(lambda: e.bit_and(e.icmp("slt", e.load(at, "i64"), pairs), e.load(holds, "i1")), look)
    e.line(f"ret i1 {e.load(holds, 'i1').ref}")
    return f.text("internal i1 @in_order(ptr %firsts, ptr %seconds, i64 %count, i1 %falls)")


def take_text(elem: str, places: bool, lanes: int, declarations: set[str]) -> str:
    """The function `void take(ptr source, ptr target, i64 count, i1 back)`: a line of elements, or its places, as it is
    or back to front."""
    f = Function(declarations, plain=True)
    e, count, back = f.e, Val("%count", "i64"), Val("%back", "i1")
    source, target = Val("%source", "ptr"), Val("%target", "ptr")

    def place_of(place: Val) -> None:
        first = e.select(back, e.sub(e.sub(count, f.word(1)), place), place)
        steps = places_from(e, f.word(0), lanes)
        steps = e.select(e.splat(back, lanes), e.sub(e.like(0, steps), steps), steps)
        x = e.convert("trunc", e.add(e.splat(first, lanes), steps), "i32")
        e.store(x, e.offset(target, place, "i32"), align=4)

    def element(place: Val) -> None:
        first = e.sub(e.sub(count, f.word(lanes)), place)
        x = e.load(e.offset(source, first, elem), elem, lanes, align=BYTES[elem])
        e.store(e.shuffle(x, x, range(lanes - 1, -1, -1)), e.offset(target, place, elem), align=BYTES[elem])

    if places:
        f.covering(count, lanes, place_of)
    else:
        bytes = e.mul(count, f.word(BYTES[elem]))
        f.when(back, lambda: f.covering(count, lanes, element), lambda: e.copy_bytes(target, source, bytes))
    e.line("ret void")
    return f.text("internal void @take(ptr %source, ptr %target, i64 %count, i1 %back)")


def restore_text(keys: Keys, lanes: int, declarations: set[str]) -> str:
    """The function `void restore(ptr source, ptr target, i64 count, key mask)`: zeros and NaNs as they are in the
    operand."""
    f = Function(declarations)
    e, count, mask = f.e, Val("%count", "i64"), Val("%mask", keys.turn)
    starts = [f.variable(f.word(0)) for _ in range(2)]
    kinds = [(e.const(0, keys.memory), keys.is_zero), (e.const(keys.most, keys.memory), keys.is_nan)]

    def at(place: Val) -> Val:
        return e.offset(Val("%source", "ptr"), place, keys.memory)

    def from_place(place: Val) -> tuple[Val, Val]:
        """Elements, and which of them are in the line."""
        where = inside(e, place, count, lanes)
        return e.masked_load(at(place), keys.memory, lanes, where, keys.dtype.bytes), where

    def count_less(place: Val) -> None:
        x, where = from_place(place)
        for start, (example, _) in zip(starts, kinds, strict=True):
            before = e.splat(keys.key(e, example, mask), lanes)
            less = e.bit_and(e.icmp("slt", keys.key(e, x, mask), before), where)
            f.add_to(start, counted(e, less))

    def copy(place: Val) -> None:
        x = e.load(at(place), keys.memory)
        for start, (_, test) in zip(starts, kinds, strict=True):

            def put(start: Val = start) -> None:
                e.store(x, e.offset(Val("%target", "ptr"), f.add_to(start, f.word(1)), keys.memory))

            f.when(test(e, x), put)

    def copy_some(place: Val) -> None:
        x, where = from_place(place)
        found = e.bit_and(e.bit_or(*(test(e, x) for _, test in kinds)), where)
        end = e.intrinsic("llvm.smin", e.add(place, f.word(lanes)), count)
        f.when(e.intrinsic_across("llvm.vector.reduce.or", found), lambda: f.loop(place, end, 1, copy))

    for body in (count_less, copy_some):
        f.loop(f.word(0), count, lanes, body)
    e.line("ret void")
    given = f"ptr %source, ptr %target, i64 %count, {mask.typed}"
    return f.text(f"internal void @restore({given})", cold=True)
