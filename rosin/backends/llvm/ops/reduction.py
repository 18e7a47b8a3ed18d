"""Reduction of angles modulo pi and pi / 2, exact for every float.

Up to `LARGE_ANGLE` a multiple of pi is subtracted in three parts, without branches. Beyond, the bits of 1 / (2 pi)
that matter depend on the exponent (Payne and Hanek 1983). That way costs ten times as much and is hardly ever needed,
so it stands in functions of its own, which are added to the module. The code that calls them stays straight-line.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.ops.approximation import (
    Pair,
    absolute,
    format_of,
    integer_like,
    multiply_pairs,
    nearest_integer,
)

# pi (for tan pi / 2) in three parts (Cody and Waite 1980). An fma subtracts n times the first part exactly; the second
# part is short, so that its product with n is exact; the parts together have 139 bits for double and 58 for float.
PI = {
    "float": (3.141592502593994, 1.5087425708770752e-07, 1.215420125655342e-10),
    "double": (3.141592653589793, 1.224646799335416e-16, -1.8806274411915714e-26),
}
# Up to here n has at most 20 bits (float: 14), and three parts are enough. Larger angles take the slow exact way.
LARGE_ANGLE = {"float": 2.0**15, "double": 2.0**21}

# The bits of 1 / (2 pi), after one word of zeros.
RECIPROCAL_TWO_PI = (
    0x0000000000000000,
    0x28BE60DB9391054A,
    0x7F09D5F47D4D3770,
    0x36D8A5664F10E410,
    0x7F9458EAF7AEF158,
    0x6DC91B8E909374B8,
    0x01924BBA82746487,
    0x3F877AC72C4A69CF,
    0xBA208D7D4BAED121,
    0x3A671C09AD17DF90,
    0x4E64758E60D4CE7D,
    0x272117E2EF7E4A0E,
    0xC7FE25FFF7816603,
    0xFBCBC462D6829B47,
    0xDB4D9FB3C9F2C26D,
    0xD3D18FD9A797FA8B,
    0x5D49EEB1FAF97C5E,
    0xCF41CE7DE294A4BA,
    0x9AFED7EC47E35742,
    0x1580CC11BF1EDAEA,
    0xFC33EF0826BD0D87,
)


class Angle(NamedTuple):
    """How a function reduces its angle: modulo pi / 2**`halvings`, after adding `turn` / 4 of a full turn."""

    name: str
    halvings: int
    turn: int


SIN_ANGLE = Angle("sin", 0, 0)
COS_ANGLE = Angle("cos", 0, 1)
TAN_ANGLE = Angle("tan", 1, 0)


def subtract_multiple(e: Emitter, x: Val, n: Val, halvings: int) -> tuple[Val, Val]:
    """`near - correction = x - n pi / 2**halvings` with a relative error far below one rounding; -0 for x = -0."""
    first, second, third = (part / 2**halvings for part in PI[x.elem])
    first_rest = e.fma(n, e.like(-first, x), x)
    near = e.fma(n, e.like(-second, x), first_rest)
    error = e.fma(n, e.like(second, x), e.fsub(near, first_rest))
    return near, e.fma(n, e.like(third, x), error)


def with_parity(e: Emitter, rest: Val, bits: Val) -> Val:
    """`rest`, negated where the lowest bit of `bits` is set."""
    layout = format_of(rest)
    sign = e.shl(bits, integer_like(e, layout.sign, rest))
    return e.bitcast(e.bit_xor(e.bitcast(rest, layout.integer), sign), rest.elem)


def reduce_for_sin(e: Emitter, x: Val) -> Val:
    """r with sin(x) = sin(r) and |r| <= pi/2 and a little."""
    n, bits = nearest_integer(e, x, 1 / math.pi, 0)
    rest = with_parity(e, e.fsub(*subtract_multiple(e, x, n, 0)), bits)
    return reduce_large(e, x, (rest,), SIN_ANGLE)[0]


def reduce_for_cos(e: Emitter, x: Val) -> Val:
    """r with cos(x) = sin(r) and |r| <= pi/2 and a little."""
    magic, half = e.like(format_of(x).magic, x), e.like(0.5, x)
    shifted = e.fadd(e.fma(x, e.like(1 / math.pi, x), half), magic)
    n = e.fsub(e.fsub(shifted, magic), half)
    rest = with_parity(e, e.fsub(*subtract_multiple(e, x, n, 0)), e.bitcast(shifted, format_of(x).integer))
    return reduce_large(e, x, (rest,), COS_ANGLE)[0]


def reduce_for_tan(e: Emitter, x: Val) -> tuple[Pair, Val]:
    """(r, odd) with x = n pi/2 + r, |r| <= pi/4 and a little: tan(x) is tan(r), or -1 / tan(r) where n is odd."""
    n, bits = nearest_integer(e, x, 2 / math.pi, 0)
    near, correction = subtract_multiple(e, x, n, 1)
    high = e.fsub(near, correction)
    low = e.fsub(e.fsub(near, high), correction)
    odd = e.icmp("ne", e.bit_and(bits, integer_like(e, 1, x)), integer_like(e, 0, x))
    parity = e.select(odd, e.like(1.0, x), e.like(0.0, x))
    high, low, parity = reduce_large(e, x, (high, low, parity), TAN_ANGLE)
    return Pair(high, low), e.fcmp("one", parity, e.like(0.0, x))


def reduce_large(e: Emitter, x: Val, parts: tuple[Val, ...], angle: Angle) -> list[Val]:
    """`parts`, replaced by those of the exactly reduced angle in the lanes where |x| is large.

    `parts` are the first of: the rest, its rounding error, the parity of the multiple. The caller's code stays
    straight-line: the test for large lanes is in a function of the module, to be inlined, and the exact reduction in
    one that is called when a lane needs it.
    """
    name = f"@rosin.reduce.{angle.name}.{x.elem}.{x.lanes}"
    e.declarations.add(_exact_reduction(e, angle, len(parts)))
    e.declarations.add(_exact_reduction_of_lanes(e, name + ".exact", x, angle, len(parts)))
    e.declarations.add(_reduction_of_large(e, name, x, len(parts)))
    struct = _struct(x, len(parts))
    result = e.name("reduced")
    e.line(f"{result} = call {struct} {name}({', '.join(v.typed for v in (x, *parts))})")
    return [e.define(f"extractvalue {struct} {result}, {i}", x.elem, x.lanes) for i in range(len(parts))]


def _struct(x: Val, count: int) -> str:
    return "{" + ", ".join([x.type] * count) + "}"


def _return(e: Emitter, parts: Sequence[Val]) -> None:
    struct = _struct(parts[0], len(parts))
    whole = "poison"
    for i, part in enumerate(parts):
        name = e.name("whole")
        e.line(f"{name} = insertvalue {struct} {whole}, {part.typed}, {i}")
        whole = name
    e.line(f"ret {struct} {whole}")


def _reduction_of_large(outer: Emitter, name: str, x: Val, count: int) -> str:
    """The function that returns its parts, those of large lanes replaced."""
    e = Emitter(outer.declarations)
    x = Val("%x", x.elem, x.lanes)
    parts = [Val(f"%part{i}", x.elem, x.lanes) for i in range(count)]
    large = e.fcmp("ogt", absolute(e, x), e.like(LARGE_ANGLE[x.elem], x))
    some = large
    if x.lanes > 1:
        e.declarations.add(f"declare i1 @llvm.vector.reduce.or.v{x.lanes}i1(<{x.lanes} x i1>)")
        some = e.define(f"call i1 @llvm.vector.reduce.or.v{x.lanes}i1({large.typed})", "i1")
    e.branch_if(some, "exact", "done")
    e.block("exact")
    struct = _struct(x, count)
    e.line(f"%all = call {struct} {name}.exact({x.typed}) cold")
    exact = [e.define(f"extractvalue {struct} %all, {i}", x.elem, x.lanes) for i in range(count)]
    chosen = [e.select(large, a, b) for a, b in zip(exact, parts, strict=True)]
    e.branch("done")
    e.block("done")
    results = [
        e.define(f"phi {x.type} [{a.ref}, %entry], [{b.ref}, %exact]", x.elem, x.lanes)
        for a, b in zip(parts, chosen, strict=True)
    ]
    _return(e, results)
    parameters = ", ".join(v.typed for v in (x, *parts))
    return "\n".join([f"define internal {struct} {name}({parameters}) alwaysinline {{", "entry:", *e.lines, "}"])


def _exact_reduction_of_lanes(outer: Emitter, name: str, x: Val, angle: Angle, count: int) -> str:
    """The function that reduces lane after lane, in a loop to keep it short."""
    e = Emitter(outer.declarations)
    x = Val("%x", x.elem, x.lanes)
    struct = _struct(Val("", "double"), count)
    lane, following = Val("%lane", "i64"), Val("%following", "i64")
    before = [Val(f"%before{i}", x.elem, x.lanes) for i in range(count)]
    argument = x if x.lanes == 1 else e.define(f"extractelement {x.typed}, {lane.typed}", x.elem)
    argument = e.convert("fpext", argument, "double")
    e.line(f"%reduced = call {struct} @rosin.reduce.{angle.name}({argument.typed})")
    after: list[Val] = []
    for i in range(count):
        part = e.convert("fptrunc", e.define(f"extractvalue {struct} %reduced, {i}", "double"), x.elem)
        if x.lanes > 1:
            part = e.define(f"insertelement {before[i].typed}, {part.typed}, {lane.typed}", x.elem, x.lanes)
        after.append(part)
    phis = [f"  {a.ref} = phi {x.type} [poison, %entry], [{b.ref}, %loop]" for a, b in zip(before, after, strict=True)]
    e.line(f"{following.ref} = add i64 {lane.ref}, 1")
    more = e.icmp("ult", following, Val(str(x.lanes), "i64"))
    e.branch_if(more, "loop", "done")
    e.block("done")
    _return(e, after)
    return "\n".join(
        [
            f"define internal {_struct(x, count)} {name}({x.typed}) noinline cold {{",
            "entry:",
            "  br label %loop",
            "loop:",
            f"  {lane.ref} = phi i64 [0, %entry], [{following.ref}, %loop]",
            *phis,
            *e.lines,
            "}",
        ]
    )


def _exact_reduction(outer: Emitter, angle: Angle, count: int) -> str:
    """The function that reduces one large double exactly (Payne and Hanek 1983), in fixed-point arithmetic.

    x = m 2**k, and x / (2 pi) modulo 1 is m times the bits of 1 / (2 pi) from bit k on; 192 bits of them leave more
    than 60 good bits of the fraction next to any multiple of pi/2.
    """
    words = ", ".join(f"i64 u0x{word:016X}" for word in RECIPROCAL_TWO_PI)
    array = f"[{len(RECIPROCAL_TWO_PI)} x i64] [{words}]"
    outer.declarations.add(f"@rosin.reciprocal_two_pi = private unnamed_addr constant {array}")
    e = Emitter(outer.declarations)
    x = Val("%x", "double")

    def i64(value: int) -> Val:
        return Val(str(value), "i64")

    def i128(value: int) -> Val:
        return Val(str(value), "i128")

    def wide(value: Val) -> Val:
        return e.convert("zext", value, "i128")

    bits = e.bitcast(x, "i64")
    biased = e.bit_and(e.lshr(bits, i64(52)), i64(0x7FF))
    m = e.bit_or(e.bit_and(bits, i64((1 << 52) - 1)), i64(1 << 52))
    # The table is good for exponents from 2**-11 up to the largest; infinity and NaN are put right at the end.
    position = e.sub(e.intrinsic("llvm.umax", biased, i64(1075 - 64)), i64(1075 - 64))
    position = e.intrinsic("llvm.umin", position, i64(2046 - 1075 + 64))
    word, shift = e.lshr(position, i64(6)), e.bit_and(position, i64(63))
    table = Val("@rosin.reciprocal_two_pi", "ptr")
    loaded = [e.load(e.offset(table, e.add(word, i64(i)), "i64"), "i64", align=8) for i in range(4)]
    first, second, third = (e.intrinsic("llvm.fshl", a, b, shift) for a, b in pairwise(loaded))
    turns = e.add(e.shl(wide(e.mul(m, first)), i128(64)), e.mul(wide(m), wide(second)))
    turns = e.add(turns, e.lshr(e.mul(wide(m), wide(third)), i128(64)))
    turns = e.add(turns, i128(angle.turn << 126))
    # Fraction of pi (or pi / 2), the nearest multiple taken off: a signed number of 128 bits.
    fraction = e.shl(turns, i128(1 + angle.halvings))
    sign = e.ashr(fraction, i128(127))
    size = e.sub(e.bit_xor(fraction, sign), sign)
    zeros = e.define(f"call i128 @llvm.ctlz.i128({size.typed}, i1 false)", "i128")
    e.declarations.add("declare i128 @llvm.ctlz.i128(i128, i1)")
    zeros = e.intrinsic("llvm.umin", zeros, i128(127))
    normal = e.shl(size, zeros)
    mask = (1 << 53) - 1
    leading = e.convert("trunc", e.lshr(normal, i128(75)), "i64")
    trailing = e.bit_and(e.convert("trunc", e.lshr(normal, i128(22)), "i64"), i64(mask))
    scale = e.bitcast(e.shl(e.sub(i64(1023 - 53), e.convert("trunc", zeros, "i64")), i64(52)), "double")
    a, b = e.convert("uitofp", leading, "double"), e.convert("uitofp", trailing, "double")
    pi = Pair(e.like(math.pi / 2**angle.halvings, x), e.like(1.2246467991473532e-16 / 2**angle.halvings, x))
    product = multiply_pairs(e, Pair(a, e.fmul(b, e.like(2.0**-53, x))), pi)
    high = e.fadd(product.high, product.low)
    low = e.fadd(e.fsub(product.high, high), product.low)
    # The bits above the fraction, and a rounding up, tell whether the multiple is odd.
    rounded_up = e.convert("trunc", sign, "i64")
    floor = e.convert("trunc", e.lshr(turns, i128(127 - angle.halvings)), "i64")
    odd = e.bit_and(e.sub(floor, rounded_up), i64(1))
    negative = e.bit_and(rounded_up, i64(1))
    if count == 1:
        negative = e.bit_xor(negative, odd)
    if angle.turn == 0:  # cos is even
        negative = e.bit_xor(negative, e.lshr(bits, i64(63)))
    scale = e.bitcast(e.bit_or(e.bitcast(scale, "i64"), e.shl(negative, i64(63))), "double")
    scale = e.select(e.fcmp("olt", absolute(e, x), e.like(math.inf, x)), scale, e.like(math.nan, x))
    _return(e, [e.fmul(high, scale), e.fmul(low, scale), e.convert("uitofp", odd, "double")][:count])
    struct = _struct(x, count)
    return "\n".join(
        [f"define internal {struct} @rosin.reduce.{angle.name}(double %x) noinline cold {{", *e.lines, "}"]
    )
