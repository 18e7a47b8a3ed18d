"""One large matrix on several threads: pieces of a step that threads share, while LAPACK has but one thread in each.

LAPACK's own threads wake up and wait for one another in every step of a factorization, which takes longer than the
step where matrices have some hundred rows. Here a step is cut into a few pieces, whose sizes depend on those of the
matrix alone, so that results do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.names import PARALLEL
from rosin.backends.llvm.routines.function import Function

PIECES = 4
"""Most steps are cut into so many pieces at most: BLAS packs what all of them read once for each."""
WIDE = 256
"""A piece has at most so many columns, as long as there are no more than `MOST_PIECES`."""
MOST_PIECES = 16
ROUND = 8
"""A piece has a multiple of so many columns, but for the last one."""

Given = Mapping[str, Val]


def share(f: Function, name: str, pieces: Val, given: Given) -> None:
    """Have threads do all pieces of the function `name`, which `piece_text` makes, and wait for them."""
    share_in(f, name, pieces, context_of(f, given))


def context_of(f: Function, given: Given) -> Val:
    """What pieces are given, in memory."""
    context = f.room("i64", len(given))
    put_in(f, context, given, given)
    return context


def put_in(f: Function, context: Val, given: Given, order: Iterable[str]) -> None:
    """Change some of what pieces are given, whose names are in that order in memory."""
    places = {name: number for number, name in enumerate(order)}
    for name, value in given.items():
        f.e.store(value, f.e.offset(context, f.word(places[name]), "i64"))


def share_in(f: Function, name: str, pieces: Val, context: Val) -> None:
    """As `share`, of what is in memory."""
    f.e.declarations.add(f"declare void @{PARALLEL}(ptr, ptr, i64)")
    f.e.line(f"call void @{PARALLEL}(ptr @{name}, ptr {context.ref}, {pieces.typed})")


def piece_text(
    f: Function, name: str, given: Mapping[str, str], body: Callable[[Val, Given], None], cold: bool = False
) -> str:
    """`void name(ptr context, i64 begin, i64 end)`: the body for some pieces, by their numbers.

    `given` has the types of what `share` is given, in the same order. The body is written into f.
    """
    e = f.e
    places = {key: e.offset(Val("%context", "ptr"), f.word(number), "i64") for number, key in enumerate(given)}
    found = {key: e.load(place, given[key]) for key, place in places.items()}
    f.loop(Val("%begin", "i64"), Val("%end", "i64"), 1, lambda number: body(number, found))
    e.line("ret void")
    return f.text(f"internal void @{name}(ptr %context, i64 %begin, i64 %end)", cold)


def cut(f: Function, count: Val, least: int) -> tuple[Val, Val]:
    """How many pieces so many columns are cut into, each of `least` at least, and how many columns a piece has."""
    e, one = f.e, f.word(1)

    def quotient(x: Val, y: Val) -> Val:
        return e.binary("sdiv", e.sub(e.add(x, y), one), y)

    most = e.intrinsic("llvm.smax", quotient(count, f.word(WIDE)), f.word(PIECES))
    most = e.intrinsic("llvm.smin", most, f.word(MOST_PIECES))
    wanted = e.intrinsic("llvm.smin", quotient(count, f.word(least)), most)
    width = e.mul(quotient(quotient(count, e.intrinsic("llvm.smax", wanted, one)), f.word(ROUND)), f.word(ROUND))
    width = e.intrinsic("llvm.smax", width, f.word(ROUND))
    return quotient(count, width), width
