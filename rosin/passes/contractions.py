"""The kernels of a contraction: those of all its pieces, with the copies of operands that these share.

Of symbolic sizes there are several for the same tiles, for operands that are read as they lie and for copies, and the
program decides.
"""

from __future__ import annotations

import itertools
from collections.abc import Generator, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from rosin.ir import dims, facts
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.index import LoopVar
from rosin.ir.loops import Buffer
from rosin.ir.op import Fold
from rosin.ir.ops.contract import DotGeneral
from rosin.ir.steps import Either, Kernel, Step
from rosin.passes.contract import Contraction
from rosin.passes.groups import Group
from rosin.passes.joined_axes import with_joined_axes
from rosin.passes.lanes import FEW_ROWS, WHOLE_BYTES
from rosin.passes.on_threads import AHEAD
from rosin.passes.packing import joint, packing_kernels, padding_kernel
from rosin.passes.panels import InPanels
from rosin.passes.pieces import Piece, pieces
from rosin.passes.reads import Means
from rosin.passes.tiles import Tile
from rosin.passes.where import Memory

SMALL, LARGE, UNEVEN = 48, 1024, 1000
"""What symbolic sizes count as for the kernels of small operands, for those of large ones, and for those of what whole
panels leave."""

TURNED_WORK = 1 << 20
"""A product of sizes that are numbers has at least so many terms for kernels that turn rows of one operand or of the
other, whichever is better."""

READ_OFTEN, READ_ACROSS, ONCE_MORE = 32, 8, 1 << 16
"""Of symbolic size, a large operand that is read for so many elements of the result is copied. One that lies across
what is side by side in the copy is copied, large or not, if it is read for so many, and once more for each of so many
bytes."""


WAYS = ("copied", True), ("blocks", False)
"""Panels are copied as a whole, or block by block; where both can be, the first one that pays is taken."""


@dataclass(frozen=True)
class Panels:
    """Kernels for whole panels, and what is positive where sizes are large enough for them."""

    pays: Dim
    tile: tuple[LoopVar | None, Tile | None]
    """What runs as vectors, and in which panels."""
    steps: tuple[Step, ...]


def contraction_kernels(group: Group, memory: Memory, name: str, means: Means) -> list[Step]:
    """The kernels of a contraction.

    The size of a tile changes no bits: each sum runs over the same terms in the same order. Where sizes are symbolic,
    it is decided when the program runs whether copies of operands pay.
    """
    parts = _parts(group, memory, name, means)
    symbols = {name: None for v in (*parts[0].result, *parts[0].folded) for name in dims.names(v.extent)}
    plain = isinstance(group.nodes[0].op, DotGeneral) and parts[0].kind is None and means.size is None
    if not plain or memory.in_loop:
        return _kernels(parts)
    if not symbols:
        turned = _turned(parts, name, symbols) if _has_few_rows(parts) else None
        return _kernels(parts) if turned is None else turned
    copies = any(part.packed for part in parts)
    with _sizes_of(symbols, SMALL):
        small = _parts(group, memory, f"{name}_small", replace(means, copies=False)) if copies else parts
    if small[0].along in small[0].folded:
        turned = _turned(small, name, symbols)
        if turned is not None:
            return turned
    found = _ways(small[0], name, symbols) if len(small) == 1 else []
    panels = [each for each in found if each.tile == (small[0].along, small[0].first)]
    if panels:
        return _by_panels(small[0], panels)
    with _sizes_of(symbols, LARGE):
        large = parts if copies else _parts(group, memory, f"{name}_large", means)
    pays = _pays(large)
    if facts.known_at_least(0, pays):
        return _kernels(small)
    return [Either(pays, 0, tuple(_kernels(small)), tuple(_kernels(large)))]


def _has_few_rows(parts: Sequence[Contraction]) -> bool:
    """Whether few rows of sizes that are numbers pass by a copy of a large operand, or run as vectors in a copy whose
    results lie apart: other ways than `_kernels` has may be better."""
    part, *others = parts
    lanes = part.along
    if others or lanes is None or lanes in part.folded or part.form is not None or part.overlap is not None:
        return False
    if facts.estimate(part.work) < TURNED_WORK or not part.packed:
        return False
    if part.place.coefficient(lanes) != 1:
        return facts.estimate(lanes.extent) >= part.width
    rows = part.partners(lanes)[:1]
    copied = sum(facts.estimate(buffer.bytes) for _, buffer in part.packed.values())
    return all(facts.estimate(row.extent) < FEW_ROWS for row in rows) and copied > WHOLE_BYTES


def _panels(part: Contraction, name: str, symbols: Iterable[str], whole: bool) -> Panels | None:
    """Kernels for panels of sizes that are large enough; None where operands do not lie for that."""
    with _sizes_of(symbols, LARGE):
        large = _again(part, name)
        if large.choose_panels(whole):
            return Panels(large.pays, (large.along, large.first), tuple(_kernels([large])))
    return None


def _again(part: Contraction, name: str) -> InPanels:
    """The same contraction, of which nothing is chosen yet."""
    return InPanels(part.group, part.memory, name, part.piece, replace(part.means, copies=False))


def _by_panels(part: Contraction, panels: Sequence[Panels]) -> list[Step]:
    """The kernels of a contraction, of which those for whole panels are chosen when sizes are known."""
    along, first, kernels = part.along, part.first, part.kernels()
    assert along is not None, "panels consist of vectors"
    assert first is not None, "panels consist of vectors"
    of_panels = [tiles[along] == first for tiles in part.choices]
    steps: tuple[Step, ...] = tuple(itertools.compress(kernels, of_panels))
    for each in reversed(panels):
        steps = _either(each.pays, steps, each.steps)
    left = [k for k, is_one in zip(kernels, of_panels, strict=True) if not is_one]
    return [*_either(first.count, (), steps), *left]


def _turned(parts: Sequence[Contraction], name: str, symbols: Iterable[str]) -> list[Step] | None:
    """The kernels of a contraction of rows by rows, for few ones those of its `parts`: where there are enough, rows of
    one operand or of the other are turned. None where operands are no such."""
    part, *others = parts
    if others:
        return None
    with _sizes_of(symbols, UNEVEN):
        ends = _again(part, f"{name}_ends")
        if not ends.choose_ends():
            return None
        left = _kernels([ends]) if ends.choices else []
    with _sizes_of(symbols, LARGE):
        few = _again(part, f"{name}_few")
        turned = tuple(_kernels([few])) if few.choose_turned() else ()
    steps: tuple[Step, ...] = ()
    if not turned or not facts.positive(few.pays):
        for each in reversed(_ways(part, name, symbols)):
            steps = _either(each.pays, steps, each.steps)
        steps = (*steps, *left)
    if turned:
        steps = _either(few.pays, steps, turned)
    return list(steps) if facts.positive(ends.pays) else [Either(ends.pays, 0, tuple(_kernels(parts)), steps)]


def _ways(part: Contraction, name: str, symbols: Iterable[str]) -> list[Panels]:
    """The ways in which panels may be copied, of which the first one that pays is taken."""
    found: list[Panels] = []
    for how, whole in WAYS:
        each = _panels(part, f"{name}_{how}", symbols, whole)
        found += [] if each is None else [each]
        if found and facts.positive(found[-1].pays):
            break
    return found


def _either(pays: Dim, small: tuple[Step, ...], large: tuple[Step, ...]) -> tuple[Step, ...]:
    """The `large` steps where it is positive what tells whether these pay, and otherwise the `small` ones."""
    return large if facts.positive(pays) else (Either(pays, 0, small, large),)


@contextmanager
def _sizes_of(symbols: Iterable[str], typical: int) -> Generator[None]:
    """Let symbolic sizes count as so much, and learn of them apart."""
    known = facts.current().copy()
    known.typical |= dict.fromkeys(symbols, typical)
    with facts.assuming(known):
        yield


def _pays(parts: Sequence[Contraction]) -> Dim:
    """Positive where the copies of operands pay."""
    found: Dim = 1
    bytes: Dim = 0
    for part in parts:
        for position in part.packed:
            operand = part.operands[position]
            assert operand is not None, "what is packed is read at one place"
            own = operand.value.type.size * operand.value.type.dtype.bytes
            lies_across = part.along is not None and operand.step(part.along) not in (0, 1)
            often = READ_ACROSS + own // ONCE_MORE if lies_across else READ_OFTEN
            times = dims.product(v.extent for v in part.result if operand.step(v) == 0)
            found = found * dims.floor_divide(times, often)
            bytes = bytes + (WHOLE_BYTES + 1 if lies_across else own)
    return found * dims.floor_divide(bytes, WHOLE_BYTES + 1)


def _pieces(group: Group, memory: Memory) -> list[Piece]:
    node = group.nodes[0]
    op, uses = node.op, memory.fusion.uses_of[node]
    assert isinstance(op, Fold)
    return pieces(op, uses.variables, uses.result_rank, tuple(v.type for v in node.operands))


def _parts(group: Group, memory: Memory, name: str, means: Means) -> list[Contraction]:
    """The pieces of a contraction, with their tiles and copies chosen."""
    found = _pieces(group, memory)
    names = [name] if len(found) == 1 else [f"{name}_piece{i}" for i in range(len(found))]
    parts = [_chosen(group, memory, each, piece, means) for each, piece in zip(names, found, strict=True)]
    for position in range(len(group.nodes[0].operands)):
        _share_copies(parts, position)
    return parts


def _chosen(group: Group, memory: Memory, name: str, piece: Piece, means: Means) -> Contraction:
    """A piece with its tiles and copies chosen: with joined axes, if these run as vectors."""
    joined = with_joined_axes(piece, group, memory)
    if joined is not piece:
        part = Contraction(group, memory, name, joined, means)
        part.choose()
        if part.along in joined.result and part.along not in piece.result:
            return part
    part = Contraction(group, memory, name, piece, means)
    part.choose()
    return part


def _kernels(parts: Sequence[Contraction]) -> list[Step]:
    tiles = [part.kernels() for part in parts]
    made: set[Buffer] = set()
    kernels: list[Step] = []
    for part, own in zip(parts, tiles, strict=True):
        kernels += [*_copies(part, parts, made), *part.excess_kernels(), *own]
    return kernels


def _share_copies(parts: Sequence[Contraction], position: int) -> None:
    """Let pieces read one copy of an operand, where those of their own are alike but for their ends and steps."""
    alike: dict[Hashable, list[Contraction]] = {}
    for part in parts:
        if position in part.packed and part.kind is None:
            packing, _ = part.packed[position]
            alike.setdefault(tuple((a.axis, a.block) for a in packing.axes), []).append(part)
    for sharing in alike.values():
        packing = joint([part.packed[position][0] for part in sharing]) if len(sharing) > 1 else None
        if packing is not None:
            _, own = sharing[0].packed[position]
            buffer = Buffer(own.name, own.dtype, packing.size, own.scope)
            for part in sharing:
                part.read_copy(position, packing, buffer)


def _copies(part: Contraction, parts: Sequence[Contraction], made: set[Buffer]) -> Iterator[Kernel]:
    """The kernels that make the copies that a piece reads, but those that are `made` already; all parts are known."""
    for position, (packing, buffer) in part.packed.items():
        if buffer in made or (part.slice is not None and part.slice.position == position):
            continue
        made.add(buffer)
        readers = [p for p in parts if position in p.packed and p.packed[position][1] is buffer]
        operands = [o for p in readers if (o := p.operands[position]) is not None]
        operand = next((o for o in operands if o.border is not None), operands[0])
        beyond = any(p.reach_beyond for p in readers)
        copy = f"{part.name}_pack{position}"
        counts = AHEAD if any(p.on_threads[0] for p in readers) else 1
        yield from packing_kernels(copy, operand, packing, buffer, part.memory, beyond, counts)
        if part.pads:
            yield padding_kernel(f"{copy}_end", packing, buffer, part.width)
