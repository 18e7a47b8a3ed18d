"""Plans of Fourier transforms as code reads them, and the lines that a routine has code for.

A plan is for one length and one `Kind` of lines. Where the numbers of a call are known, its routine has a `Way`: code
for such lines alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum, auto

from rosin.backends.llvm.routines.short import MANY, together
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.ops.fourier import GRID as GRID_LENGTH
from rosin.ir.ops.fourier import GROUP, NUMBERS, goes_together, is_smooth

# -- plans -----------------------------------------------------------------------------------------------------

NUMBER, COUNT, CHIRP, TABLE, KERNEL, MORE, SEVERAL, GRID, SHORT, TOGETHER, APART, SCALES = range(12)
PASSES = SCALES + 3
"""The words of a plan: which it is, how many passes, the plan of the convolution or 0, the chirp or what takes real
transforms apart, the transformed chirp, the plan of half as many complex numbers or of an odd line, that of several odd
lines or 0, the grid or 0, the address of the function for short lines (short.py), how many of them it takes, the bits
of addresses in which arrays are to differ, from word `SCALES` on what each scaling multiplies by, and from word
`PASSES` on the passes."""
FUNCTION, SETS, DONE, RADIX, FACTORS = range(5)
"""The words of a pass: its address, how many sets it has in one line, the product of the radices before it, its radix,
and the address of its factors."""
PASS_WORDS = 5

PAGE_BITS = (1 << 12) - (1 << 6)
"""The bits of an address that say which line of the cache of a page it is in."""


class Kind(IntEnum):
    """What plans are for."""

    LINE = 0
    """Complex lines of neighbours, of which long ones are grids."""
    INNER = auto()
    """The same without grids."""
    BLOCKS = auto()
    """Complex lines across, a multiple of `GROUP` at a time."""
    ACROSS = auto()
    """The same, at least `GROUP` at a time."""
    FEW = auto()
    """The same, any number at a time."""
    REAL = auto()
    """Real lines, or halves of their transforms, one at a time."""
    SEVERAL = auto()
    """Those of odd length, at least `GROUP` at a time."""
    ANY_REAL = auto()
    """Either way, any number at a time."""
    LINES = auto()
    """Many complex lines of neighbours, which go side by side where they are short."""
    REALS = auto()
    HALVES = auto()
    """Real lines, and halves of their transforms, likewise."""
    SHORT_LINES = auto()
    SHORT_REALS = auto()
    SHORT_HALVES = auto()
    """The same where lines are known to be short."""


KINDS = 16
"""A plan is known by its length times this, and its kind."""

SIDE_BY_SIDE = {"dft": Kind.LINES, "realdft": Kind.REALS, "halfdft": Kind.HALVES}
SHORT_ALONE = {"dft": Kind.SHORT_LINES, "realdft": Kind.SHORT_REALS, "halfdft": Kind.SHORT_HALVES}


# -- ways ------------------------------------------------------------------------------------------------------

SINGLE, EACH, ASIDE, SHORTS = "single", "each", "across", "short"
"""One line of neighbours, several one by one, lines that go through passes across, and short ones side by side."""
EVEN, ODD = "even", "odd"
CHAIN, CHIRPS, GRIDS = "passes", "chirp", "grid"
"""How a complex line is transformed."""


@dataclass(frozen=True, slots=True)
class Way:
    """The lines that a routine has code for. What is not known is empty."""

    lie: str = ""
    parity: str = ""
    """Of the length of real lines."""
    by: str = ""

    @property
    def text(self) -> str:
        return "_".join(part for part in (self.lie, self.parity, self.by) if part)


ANY = Way()


def read_way(text: str) -> Way:
    """The way that has this text."""
    parts = set(text.split("_"))

    def one_of(*texts: str) -> str:
        return next((part for part in texts if part in parts), "")

    return Way(one_of(SINGLE, EACH, ASIDE, SHORTS), one_of(EVEN, ODD), one_of(CHAIN, CHIRPS, GRIDS))


def way_of(kind: str, elem: str, numbers: Sequence[Dim], vector_bytes: int) -> Way:
    """The way of a call with these numbers."""
    found = _known(numbers)
    if found is None:
        return ANY
    length, inner, outer = found
    if inner == 1 and outer >= MANY and together(kind, length, elem, vector_bytes) > 1:
        return Way(SHORTS)
    parity = "" if kind == "dft" else ODD if length % 2 else EVEN
    if inner != 1 or (parity and goes_together(length) and outer >= GROUP):
        return Way(ASIDE, "", CHAIN if is_smooth(length) else CHIRPS)
    points = length // 2 if parity == EVEN else length
    by = CHIRPS if not is_smooth(points) else GRIDS if points >= GRID_LENGTH else CHAIN
    return Way(SINGLE if outer == 1 else EACH, parity, by)


def plan_kind(kind: str, way: Way, inner: int) -> Kind:
    """The kind of the plan that a call asks for, whose way is known."""
    if way.lie == SHORTS:
        return SHORT_ALONE[kind]
    if kind != "dft":
        return Kind.SEVERAL if way.lie == ASIDE else Kind.REAL
    if way.lie != ASIDE:
        return Kind.LINE
    return Kind.BLOCKS if inner % GROUP == 0 else Kind.ACROSS if inner > GROUP else Kind.FEW


def plan_number(kind: str, elem: str, numbers: Sequence[Dim], vector_bytes: int) -> int | None:
    """The plan that a call with these numbers asks for, if that is known."""
    found = _known(numbers)
    if found is None:
        return None
    length, inner, _ = found
    return length * KINDS + plan_kind(kind, way_of(kind, elem, numbers, vector_bytes), inner)


def _known(numbers: Sequence[Dim]) -> tuple[int, int, int] | None:
    """The length of lines, and how many lie inside and outside of each other, if that is known and there are any."""
    length, inner, outer = (numbers[NUMBERS.index(name)] for name in ("length", "inner", "outer"))
    if not (isinstance(length, int) and isinstance(inner, int) and isinstance(outer, int)):
        return None
    return (length, inner, outer) if length * inner * outer else None
