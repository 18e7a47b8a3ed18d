"""Why a program runs as it does: what is computed together and what is not, what that costs, and where values lie.

Everything here is read off what the passes have decided, and from the facts they decide by: the groups and cuts of
fusion.py, the costs that ops state, the tiles of contract.py, the lifetimes of arena.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from rosin.ir import steps
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.facts import estimate
from rosin.ir.graph import Graph, Node
from rosin.ir.loops import Accumulate, Kind, Loop, Scope, Statement, blocks
from rosin.ir.op import Value
from rosin.ir.ops.movement import Constant
from rosin.ir.sizes import Sizes
from rosin.ir.steps import Again, Kernel
from rosin.passes.cuts import Cut
from rosin.passes.groups import Group
from rosin.passes.tiles import TileSize
from rosin.passes.to_loops import Making, Placed, lowered

SHOWN = 8
"""How many ops or arrays of a group are named."""


@dataclass(frozen=True)
class Limits:
    """Operations (a multiply-add counts as two) and bytes a second, of so many threads together."""

    threads: int
    f32: float
    f64: float
    memory: float
    cache: float
    """Bytes a second from arrays that fit the second-level cache of each core."""
    cache_bytes: int = 0
    """What the second-level cache of a core holds."""

    def seconds(self, operations: float, moved: float, dtype: str = "float32", resident: bool = False) -> float:
        """The least time that work of so many operations and bytes takes."""
        rate = self.f64 if dtype == "float64" else self.f32
        return max(operations / rate, moved / (self.cache if resident else self.memory))


@dataclass(frozen=True)
class Apart:
    """A value of another group that a group reads from memory, since the two are not one."""

    value: str
    group: int
    """The number of the group that computes it."""
    reader: str
    """The op that reads it."""
    why: Cut
    bytes: int
    """What would not be moved if the two were one: the value, written once and read once."""
    again: int
    """How often each element would be computed then."""
    flops: int
    """What that would cost beyond computing it once."""

    def __str__(self) -> str:
        cost = f", for {number_text(self.flops)} flops more" if self.flops else ""
        return (
            f"{self.value} of {self.group} is read by {self.reader}: {self.why.value} ({size_text(self.bytes)}{cost})"
        )


@dataclass(frozen=True)
class Fused:
    """A group: nodes that are computed in one loop nest, or one node that is a loop, a branch or a call."""

    number: int
    name: str
    ops: tuple[str, ...]
    rows: tuple[Dim, ...]
    summed: tuple[Dim, ...]
    """The sizes of the axes that it folds over."""
    flops: int
    reads: dict[str, int]
    """The bytes of each array that it reads, and of each that it writes."""
    writes: dict[str, int]
    is_double: bool
    kernels: tuple[str, ...]
    """A line for each kernel: its loops, and the tile of a product."""
    cuts: tuple[Apart, ...]
    is_inner: bool
    """Whether it stands in a loop or a branch, whose group has its cost too."""

    @property
    def bytes(self) -> int:
        return sum(self.reads.values()) + sum(self.writes.values())

    def seconds(self, limits: Limits) -> float:
        """The least time that it takes."""
        dtype = "float64" if self.is_double else "float32"
        return limits.seconds(self.flops, self.bytes, dtype, self.bytes <= limits.cache_bytes)

    def lines(self, limits: Limits) -> Iterator[str]:
        inside = " (in a loop or a branch)" if self.is_inner else ""
        yield f"{self.number} {self.name or self.ops[0]}: {_some(self.ops)}{inside}"
        summed = f", folded over {_shape(self.summed)}" if self.summed else ""
        if self.name:
            yield f"    over {_shape(self.rows)}{summed}"
        yield f"    reads {_arrays(self.reads)}; writes {_arrays(self.writes)}"
        ratio = self.flops / self.bytes if self.bytes else 0.0
        figures = f"{number_text(self.flops)} flops, {size_text(self.bytes)}, {ratio:.3g} flops a byte"
        yield f"    {figures}: {time_text(self.seconds(limits))} at least, by {self._bound(limits)}"
        yield from (f"    {line}" for line in self.kernels)
        yield from (f"    apart: {cut}" for cut in self.cuts)

    def _bound(self, limits: Limits) -> str:
        """What limits it: arithmetic, or the place its arrays come from."""
        resident = self.bytes <= limits.cache_bytes
        rate, moved = (limits.f64 if self.is_double else limits.f32), (limits.cache if resident else limits.memory)
        if self.flops / rate > self.bytes / moved:
            return "arithmetic"
        return "what the cache gives" if resident else "what memory gives"


@dataclass(frozen=True)
class Explanation:
    """What fusion and memory planning made of a program."""

    name: str
    groups: tuple[Fused, ...]
    kernels: int
    """How many kernels there are, those that come again included."""
    joint: tuple[str, ...]
    """A line for each kernel that has become of several groups, as of a loop whose steps are small."""
    arena_bytes: int
    least_bytes: int
    """What is live at once at most: no plan of the arena takes less."""
    places: tuple[tuple[str, int, int], ...]
    """Each buffer of the arena with its first byte and its bytes."""
    once: tuple[str, ...] = ()
    """The kernels that run once for many calls."""
    kept_bytes: int = 0
    """What these make."""

    def text(self, limits: Limits) -> str:
        """The report, with the times that a machine of such limits needs at least."""
        outer = [g for g in self.groups if not g.is_inner]
        total = sum(g.seconds(limits) for g in outer)
        flops, moved = sum(g.flops for g in outer), sum(g.bytes for g in outer)
        rates = f"{limits.f32 / 1e9:.0f} f32 and {limits.f64 / 1e9:.0f} f64 GFLOP/s, {limits.memory / 1e9:.0f} GB/s"
        lines = [
            f"{self.name}: {len(self.groups)} groups, {self.kernels} kernels",
            f"{number_text(flops)} flops, {size_text(moved)} moved: {time_text(total)} at least",
            f"on {limits.threads} threads with {rates}, {limits.cache / 1e9:.0f} from the cache",
            "",
        ]
        for group in self.groups:
            lines += group.lines(limits)
        if self.joint:
            lines += ["", "kernels of several groups", *(f"    {line}" for line in self.joint)]
        lines += ["", f"arena {size_text(self.arena_bytes)}; live at once are {size_text(self.least_bytes)} at most"]
        lines += [f"    {name} at {start}, {size_text(size)}" for name, start, size in self.places]
        if self.once:
            lines += ["", f"kept from call to call {size_text(self.kept_bytes)}, by {', '.join(self.once)}"]
        return "\n".join(lines) + "\n"


def explain(
    graph: Graph,
    vector_bytes: int = 32,
    donated: Sequence[int] = (),
    sizes: Sizes | None = None,
    tiles: Mapping[str, TileSize] | None = None,
    kept: Sequence[int] = (),
    words: Collection[str] = (),
) -> Explanation:
    """What `to_loops` makes of a graph, and why.

    Raises:
        UnsupportedError: an op has no meaning in loops.
    """
    making = Making(vector_bytes, sizes, tiles or {}, kept, words)
    program = lowered(graph, making, donated)
    assert making.arena is not None, "a program that is lowered has an arena"
    numbers = {placed.group: number for number, placed in enumerate(making.groups)}
    once = list(steps.kernels(program.setup))
    kernels = [*once, *steps.kernels(program.steps)]
    found = tuple(_fused(placed, numbers, kernels, placed.region.fusion.graph is not graph) for placed in making.groups)
    names = [placed.name for placed in making.groups if placed.name]
    joint = [k for k in kernels if not any(_belongs(k.name, name) for name in names)]
    places = sorted((at, b.name, estimate(b.bytes)) for b, at in program.arena.items())
    return Explanation(
        program.name,
        found,
        len(kernels),
        tuple(map(_kernel_line, joint)),
        making.arena.total_bytes,
        making.arena.least_bytes,
        tuple((name, at, size) for at, name, size in places),
        tuple(kernel.name for kernel in once),
        0 if program.block is None else estimate(program.block.bytes),
    )


def _fused(placed: Placed, numbers: dict[Group, int], kernels: Sequence[Kernel | Again], is_inner: bool) -> Fused:
    region, group, fusion = placed.region, placed.group, placed.region.fusion
    size = 1
    for extent in group.domain:
        size *= estimate(extent)
    reads: dict[str, int] = {}
    cuts: dict[tuple[str, Cut], Apart] = {}
    for node in group.nodes:
        for read in fusion.uses_of[node].reads:
            value = read.value
            maker = fusion.group_of.get(value)
            if maker is group:
                continue
            name = region.names[value]
            reads[name] = (
                min(value.type.bytes, max(size, 1) * value.type.dtype.bytes) if group.domain else value.type.bytes
            )
            if maker is not None:
                why = fusion.why_cut(node, value)
                cuts.setdefault((name, why), _apart(placed, node, value, maker, numbers[maker], why))
    results = [v for node in group.nodes for v in node.results]
    return Fused(
        numbers[group],
        placed.name,
        tuple(node.op.name for node in group.nodes),
        tuple(group.domain[i] for i in sorted(group.rows)),
        tuple(group.domain[i] for i in sorted(group.reduced)),
        sum(_flops(node) for node in group.nodes),
        reads,
        {region.names[v]: v.type.bytes for v in results if v in region.places},
        any(v.type.dtype.bits >= 64 and v.type.dtype.is_float for v in results),
        tuple(_kernel_line(k) for k in kernels if placed.name and _belongs(k.name, placed.name)),
        tuple(cuts.values()),
        is_inner,
    )


def _apart(placed: Placed, node: Node, value: Value, maker: Group, number: int, why: Cut) -> Apart:
    fusion = placed.region.fusion
    again = 1
    if why is Cut.AXES:
        points = 1
        for variable in fusion.uses_of[node].variables:
            points *= estimate(variable.extent)
        again = max(points // max(estimate(value.type.size), 1), 1)
    flops = sum(_flops(n) for n in maker.nodes) * (again - 1)
    return Apart(placed.region.names[value], number, node.op.name, why, 2 * value.type.bytes, again, flops)


def _flops(node: Node) -> int:
    if isinstance(node.op, Constant):
        return 0
    return node.op.cost(tuple(v.type for v in node.operands), tuple(v.type for v in node.results)).flops


def _belongs(kernel: str, name: str) -> bool:
    return kernel == name or kernel.startswith(f"{name}_")


# -- kernels -----------------------------------------------------------------------------------------------------------


def _kernel_line(step: Kernel | Again) -> str:
    """Which loops a kernel has, outermost first: those side by side with `;` between, what is in one in brackets."""
    if isinstance(step, Again):
        return f"{step.name}: {step.kernel.name} again, on other arrays"
    scratch = [f"{b.name} {size_text(estimate(b.bytes))}" for b in step.scratch if b.scope is not Scope.ARENA]
    tile = f", in tiles of {step.tile}" if step.tile else ""
    kept = f", keeping {', '.join(scratch)}" if scratch else ""
    return f"{step.name}: {_loops(step.body) or 'no loop'}{tile}{kept}"


def _loops(body: Sequence[Statement]) -> str:
    sums = sum(isinstance(s, Accumulate) for s in body)
    parts = [f"{sums} sums"] if sums > 1 else []
    for statement in body:
        inner = "; ".join(filter(None, (_loops(block) for block in blocks(statement))))
        if isinstance(statement, Loop):
            how = ("parallel " if statement.parallel else "") + ("vector " if statement.kind is Kind.VECTOR else "")
            parts.append(f"{how}{statement.var.name} {statement.var.extent}" + (f" ({inner})" if inner else ""))
        elif inner:
            parts.append(inner)
    return "; ".join(parts)


# -- words -------------------------------------------------------------------------------------------------------------


def size_text(count: float) -> str:
    """A number of bytes: `1.5 KiB`."""
    return _scaled(count, 1024, ("B", "KiB", "MiB", "GiB"))


def number_text(count: float) -> str:
    """A large number: `1.5 M`."""
    return _scaled(count, 1000, ("", "k", "M", "G", "T")).rstrip()


def time_text(seconds: float) -> str:
    """A time: `1.5 µs`."""
    return _scaled(seconds * 1e9, 1000, ("ns", "µs", "ms", "s"))


def _scaled(amount: float, step: int, units: Sequence[str]) -> str:
    for unit in units[:-1]:
        if amount < step:
            return f"{amount:.4g} {unit}"
        amount /= step
    return f"{amount:.4g} {units[-1]}"


def _shape(sizes: Sequence[Dim]) -> str:
    return " x ".join(map(str, sizes)) or "one element"


def _some(names: Sequence[str]) -> str:
    counts = {name: names.count(name) for name in dict.fromkeys(names)}
    told = [name if n == 1 else f"{n} {name}" for name, n in counts.items()]
    return ", ".join(told[:SHOWN]) + (f" and {len(told) - SHOWN} more" if len(told) > SHOWN else "")


def _arrays(sizes: dict[str, int]) -> str:
    told = [f"{name} {size_text(size)}" for name, size in sizes.items()]
    if len(told) > SHOWN:
        rest = sum(list(sizes.values())[SHOWN:])
        told[SHOWN:] = [f"{len(sizes) - SHOWN} more {size_text(rest)}"]
    return ", ".join(told) or "nothing"
