"""From nests to kernels: a loop whose steps are small becomes one kernel, with its state in registers.

A loop of a program runs, in each of its steps, kernels over arrays in memory. When these arrays are small, calling the
kernels and passing the state through memory takes longer than the arithmetic. Such a loop becomes one kernel:

    alone   the loop is the kernel's outermost one, and what it writes lies in scratch arrays
    lanes   all that is written has an axis of many lanes, and no lane looks at another: the loop over lanes stands
            outside, as vectors and on threads, and a vector of lanes runs all of its steps before the next one does

Small nests are unrolled, so that scratch arrays are read and written at known places and LLVM makes registers of them.
What is used outside of the loop is copied in before it and out after it. Nests outside of such loops become kernels of
their own.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from dataclasses import replace as replace_fields

from rosin.ir import facts
from rosin.ir import index as indices
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim, is_static, product, static
from rosin.ir.facts import Check, divide, estimate, known_at_least
from rosin.ir.index import Index, LoopVar
from rosin.ir.loops import Buffer, Choose, Expr, Kind, Let, Load, Loop, Products, Room, Scope, Statement, Store, While
from rosin.ir.statements import (
    PRIVATE,
    Contents,
    nested,
    relocated,
    renewed_statement,
    replace,
    serial_loops,
    stores,
)
from rosin.ir.steps import (
    Again,
    Branch,
    Either,
    HostCall,
    Inner,
    Kernel,
    Measured,
    Nest,
    Repeat,
    RepeatWhile,
    RoutineCall,
    Step,
    innermost,
    leaves,
    parts,
    step_decides,
)
from rosin.passes.arena import read_first
from rosin.passes.arena import uses as uses_of
from rosin.passes.nest import arranged, collapsed, plain
from rosin.passes.on_threads import threads

MIN_LANES = 4
"""So many lanes make it worth to run them as vectors."""

UNROLLED = 32
"""A nest over at most so many points is unrolled; a scratch array of at most so many elements may be registers."""

UNROLLED_FLOPS = 6000
"""A loop of more operations a step, all nests unrolled, stays as it is: the text would be long and registers few."""

NEIGHBOURS = 8
"""Lanes whose elements are at most so many places apart are read and written together."""

FAR = 48
"""A lane that has more elements of an array has them in memory, as far from those of the next lane, so that vectors of
lanes are put together from as many places."""

FAR_POINTS = 256
"""So many points that are written there take about as long as it does to call a kernel."""

SMALL = 4096
"""A nest over more points takes so long that calling a kernel costs nothing beside it."""

UNKNOWN_STEPS = 64
"""How many steps a loop is taken to have that a predicate or a number that is read ends."""


def arrange(steps: Sequence[Step], known: Mapping[Step, Lanes]) -> tuple[Step, ...]:
    """The steps with all nests arranged as kernels, and loops of small steps each as one kernel.

    Of some loops it is `known` how they run for each lane by itself.
    """
    uses = Counter(uses_of(steps))
    return tuple(s for step in steps for s in _arranged(step, uses, known))


def _arranged(step: Step, uses: Counter[Buffer], known: Mapping[Step, Lanes]) -> list[Step]:
    def all_of(steps: Sequence[Step]) -> tuple[Step, ...]:
        return tuple(s for inner in steps for s in _arranged(inner, uses, known))

    match step:
        case Nest():
            return [arranged(step)]
        case Kernel() | Again() | Room() | HostCall() | Measured() | RoutineCall():
            return [step]
        case Branch():
            return [Branch(step.index, tuple(map(all_of, step.branches)))]
        case Either():
            small = all_of(step.small)
            with facts.assuming(facts.current().copy()) as known_here:
                known_here.learn(Check(step.size, ">=", step.most + 1))
                return [Either(step.size, step.most, small, all_of(step.large))]
        case Repeat():
            return _loop_kernel(step, uses, known) or [replace_fields(step, body=all_of(step.body))]
        case RepeatWhile():
            found = _loop_kernel(step, uses, known)
            assert found or not step.lanes, "a loop of lanes that end by themselves is one kernel"
            return found or [replace_fields(step, test=all_of(step.test), body=all_of(step.body))]


def _loop_kernel(step: Repeat | RepeatWhile, uses: Counter[Buffer], known: Mapping[Step, Lanes]) -> list[Step] | None:
    """The loop as one kernel, with what must follow it, where that pays and can be."""
    if _calls(step):
        return None
    lanes = known.get(step) or lanes_of(step)
    found = None if lanes is None else _Making(step, uses, lanes).steps()
    if found is None and not any(isinstance(s, RepeatWhile) and s.lanes for s in _loops((step,))):
        found = _Making(step, uses, None).steps()
    return found


def _calls(step: Step) -> bool:
    """Whether something in the step is computed elsewhere than in kernels."""
    return any(isinstance(inner, HostCall | RoutineCall) for inner in innermost((step,)))


def _work(nest: Nest) -> Dim:
    return product(v.extent for v in (*nest.rows, *nest.columns))


def _at_most(size: Dim, most: int) -> bool:
    """Whether a size is a number, and at most that one."""
    return isinstance(size, int) and size <= most


# -- lanes -------------------------------------------------------------------------------------------------------


@dataclass
class Lanes:
    """A way to run a loop for each lane by itself, as one kernel."""

    count: Dim
    var: LoopVar
    bodies: dict[Nest, list[Statement]] = field(default_factory=dict["Nest", "list[Statement]"])
    """What each nest does in a lane. Nests without a body here compute what is the same for all."""
    sizes: dict[Buffer, int] = field(default_factory=dict["Buffer", "int"])
    """For what is written with lanes, how many elements a lane has, in one step."""

    def points(self, nest: Nest) -> Dim:
        """How many points of a nest a lane goes over."""
        points = divide(_work(nest), self.count) if nest in self.bodies else _work(nest)
        assert points is not None, "lanes are a row of the nest"
        return points

    def flops(self, nests: Sequence[Nest]) -> int:
        """The operations of a lane in one step, as the text has them."""
        return sum(nest.flops * min(estimate(self.points(nest)), UNROLLED) for nest in nests)


def lanes_of(step: Step) -> Lanes | None:
    """The lanes of a loop, if it has any."""
    inside = list(leaves((step,)))
    nests = [leaf for leaf in inside if isinstance(leaf, Nest)]
    loops = list(_loops((step,)))
    alone = any(isinstance(s, Either) for s in loops) or _calls(step)
    if alone or len(nests) != len(inside) or any(b.scope is Scope.TAPE for b in uses_of((step,))):
        return None
    bounds = {load.buffer for inner in loops if isinstance(inner, Repeat | Branch) for load in step_decides(inner)}
    guarded = {leaf for inner in loops if isinstance(inner, RepeatWhile) for leaf in leaves((inner,))}
    forms = {nest: (collapsed(nest), nest) for nest in nests}
    rows = (v for nest in nests for form in forms[nest] for v in form.rows)
    counts = dict.fromkeys(v.extent for v in rows if estimate(v.extent) >= MIN_LANES)
    own: dict[Dim, None] = dict.fromkeys(s.lanes for s in loops if isinstance(s, RepeatWhile) and s.lanes)
    for count in sorted(own or counts, key=estimate, reverse=True):
        lanes = Lanes(count, LoopVar("lane", count))
        if all(_find_lane(nest, forms[nest], lanes) for nest in nests) and _keep_apart(nests, lanes):
            same = [nest for nest in nests if nest not in lanes.bodies]
            if not own and _are_far(nests, lanes):
                continue
            if guarded.isdisjoint(same) and bounds.isdisjoint(lanes.sizes) and _pays(nests, lanes):
                return lanes if lanes.flops(nests) <= UNROLLED_FLOPS else None
    return None


def _pays(nests: Sequence[Nest], lanes: Lanes) -> bool:
    """Whether what lanes do is more than what is computed again for each vector of them."""
    each = sum(estimate(_work(nest)) * nest.flops for nest in nests if nest in lanes.bodies)
    again = sum(estimate(_work(nest)) * nest.flops for nest in nests if nest not in lanes.bodies)
    return each > 2 * again * max(estimate(lanes.count) // MIN_LANES, 1)


def _are_far(nests: Sequence[Nest], lanes: Lanes) -> bool:
    """Whether lanes have so much that is far apart that kernels for each nest are faster."""
    far = {buffer for buffer, size in lanes.sizes.items() if size > FAR}
    points = (estimate(_work(n)) for n, body in lanes.bodies.items() if any(s.buffer in far for s in stores(body)))
    return sum(points) > FAR_POINTS * len(nests)


def _find_lane(nest: Nest, forms: Sequence[Nest], lanes: Lanes) -> bool:
    """Note what the nest, in one of these forms, does in a lane, and what is written along lanes; False where that
    cannot be."""
    for form, var in dict.fromkeys((f, v) for f in forms for v in f.rows):
        others = product(v.extent for v in (*form.rows, *form.columns) if v is not var)
        if var.extent != lanes.count or not _at_most(others, SMALL):
            continue
        body = _opened(form, {var: lanes.var})
        written = list(stores(body))
        strides = {s.buffer: s.offset.coefficient(lanes.var) for s in written}
        sizes = {buffer: n for buffer, n in strides.items() if isinstance(n, int)}
        fits = all(_apart(s.offset, lanes, sizes.get(s.buffer, 0), body) for s in written)
        if fits and all(lanes.sizes.get(b, n) == n for b, n in sizes.items()):
            lanes.bodies[nest] = body
            lanes.sizes.update(sizes)
            return True
    # What is the same for all lanes is computed again for each vector of them.
    return _at_most(_work(nest), UNROLLED)


def _apart(offset: Index, lanes: Lanes, size: int, body: Sequence[Statement]) -> bool:
    """Whether places of lanes are apart: lane k of a step has the elements `k * size … (k + 1) * size - 1` of it."""
    if size < 1 or offset.coefficient(lanes.var) != size:
        return False
    rest = offset - indices.of(lanes.var) * size
    own = set(Contents(body).variables())
    step = lanes.count * size
    inside = Index(_remainder(rest.constant, step))
    for atom, coefficient in rest.terms:
        if isinstance(atom, LoopVar) and atom not in own:
            if divide(coefficient, step) is None:
                return False
        else:
            inside = inside + Index(0, ((atom, coefficient),))
    low, high = inside.bounds()
    return low is not None and high is not None and known_at_least(low, 0) and known_at_least(size - 1, high)


def _remainder(size: Dim, divisor: Dim) -> Dim:
    """The remainder; the size itself where it is not known better."""
    if isinstance(size, int) and isinstance(divisor, int):
        return size % divisor
    return size if divide(size, divisor) is None else 0


def _keep_apart(nests: Sequence[Nest], lanes: Lanes) -> bool:
    """Whether no lane reads what another has written, and what is the same for all depends on none of them."""
    same = {s.buffer for nest in nests if nest not in lanes.bodies for s in nest.contents.stores}
    if not same.isdisjoint(lanes.sizes):
        return False
    for nest in nests:
        body = lanes.bodies.get(nest)
        for load in nest.contents.loads if body is None else Contents(body).loads:
            size = lanes.sizes.get(load.buffer)
            if size is not None and (body is None or not _apart(load.offset, lanes, size, body)):
                return False
            if load.buffer in same and lanes.var in load.offset.variables():
                return False
    return True


# -- the statements of a nest --------------------------------------------------------------------------------------


def _opened(nest: Nest, names: Mapping[LoopVar, LoopVar]) -> list[Statement]:
    """The statements of a nest, some of its rows being other variables: unrolled where it is small, else in loops."""
    rows = [v for v in nest.rows if v not in names]
    start = {v: indices.of(other) for v, other in names.items()}
    extents = [v.extent for v in (*rows, *nest.columns)]
    if is_static(extents) and _at_most(product(extents), UNROLLED):
        return [s for at in _points_of(rows) for s in _row(nest, {**start, **at}, len(rows) > 0)]
    memo: dict[int, Expr] = {}
    body: list[Statement] = [replace(s, start, memo) for part in nest.body for s in _looped(part, nest.columns)]
    return serial_loops(rows, body)


def _row(nest: Nest, at: Mapping[LoopVar, Index], apart: bool) -> list[Statement]:
    """The statements of one row of a nest, each pass over the columns unrolled."""
    memo: dict[int, Expr] = {}
    found: list[Statement] = []
    for part in nest.body:
        if isinstance(part, Inner) and nest.columns:
            once = [replace(s, at, memo) for s in part.body]
            points = [(c, dict[int, Expr]()) for c in _points_of(nest.columns)]
            every = [replace(s, c, shared) for c, shared in points for s in once]
            found += plain(Inner(tuple(every), part.carries))
        else:
            found += [replace(s, at, memo) for s in plain(part)]
    # Rows share the names of their locals, and with them what is computed from these: each has a scope of its own.
    apart = apart and any(isinstance(s, Let) or (isinstance(s, Loop) and s.carries) for s in found)
    return [Loop(LoopVar("once", 1), Kind.SERIAL, tuple(found))] if apart else found


def _looped(part: Statement | Inner, columns: Sequence[LoopVar]) -> list[Statement]:
    """A part of a nest in serial loops over the columns."""
    if not isinstance(part, Inner) or not columns:
        return plain(part)
    body: list[Statement] = list(part.body)
    for var in reversed(columns):
        body = [Loop(var, Kind.SERIAL, tuple(body), part.carries if var is columns[0] else ())]
    return body


def _points_of(variables: Sequence[LoopVar]) -> Iterator[dict[LoopVar, Index]]:
    """All points of a domain, in row-major order."""
    extents = static((v.extent for v in variables), "an unrolled nest")
    for point in itertools.product(*map(range, extents)):
        yield {v: Index(i) for v, i in zip(variables, point, strict=True)}


# -- making the kernel -------------------------------------------------------------------------------------------


class _Making:
    """One loop on its way to a kernel."""

    def __init__(self, step: Repeat | RepeatWhile, uses: Counter[Buffer], lanes: Lanes | None) -> None:
        self.step = step
        self.lanes = lanes
        self.lane_count = 1 if lanes is None else lanes.count
        self.sizes: Mapping[Buffer, int] = {} if lanes is None else lanes.sizes
        inside = Counter(uses_of((step,)))
        self.outside = {b for b, n in inside.items() if uses[b] > n or b.scope is not Scope.ARENA}
        self.scratch: list[Buffer] = []
        self.flops = 0
        self.registers = 1
        self.refused = False
        """Whether something has turned up that needs a kernel of its own."""
        self.after: list[Step] = []

    def steps(self) -> list[Step] | None:
        """The kernel and what follows it; None where it would not pay."""
        inside = list(leaves((self.step,)))
        if not all(map(self._small, inside)):
            return None
        body = self._statements(self.step)
        if self.flops > UNROLLED_FLOPS or self.refused:
            return None
        body = self._in_registers(body)
        if self.lanes is not None:
            # The latency of short steps is hidden by running several vectors of lanes together.
            self.registers = 4 if self.flops <= 48 else 2 if self.flops <= 400 else 1
            on_threads, work = threads(self.lane_count * (self.flops * _steps_of(self.step)))
            refill = 0
            if isinstance(self.step, RepeatWhile) and self.step.lanes and self.step.var is None:
                body, refill = self._refilled(body, self.lanes.var)
            body = [Loop(self.lanes.var, Kind.VECTOR, tuple(body), parallel=on_threads, refill=refill)]
        else:
            work = None
        name = "loop_" + "_".join(dict.fromkeys(leaf.name.partition("_")[2] for leaf in inside))
        scratch = tuple(self.scratch)
        return [Kernel(name[:60], tuple(body), scratch, self.registers, work), *self.after]

    def _small(self, leaf: Kernel | Nest) -> bool:
        return self.lanes is not None or isinstance(leaf, Kernel) or _at_most(_work(leaf), SMALL)

    # -- statements ----------------------------------------------------------------------------------------

    def _statements(self, step: Step) -> list[Statement]:
        inner = [tuple(s for part in steps for s in self._statements(part)) for steps in parts(step)]
        match step:
            case Nest():
                return self._of_nest(step)
            case Kernel():
                return self._whole(step)
            case Repeat(var, _, start, stop, backward):
                return [Loop(var, Kind.SERIAL, inner[0], start=start, stop=stop, backward=backward)]
            case RepeatWhile(_, predicate, _, var):
                # A loop in this one may have the same test, and must not take what this one has found for its own.
                memo: dict[int, Expr] = {}
                test = tuple(renewed_statement(s, memo) for s in inner[0])
                own = indices.of(self.lanes.var) if self.lanes is not None and step.lanes else indices.ZERO
                return [While(test, Load(predicate.buffer, predicate.offset + own), inner[1], var)]
            case Room():
                return [step]
            case Again():
                raise AssertionError("kernels come again outside of loops alone")
            case HostCall() | Measured() | RoutineCall():
                raise AssertionError("a loop with calls is no kernel")
            case Branch():
                return [Choose(step.index, tuple(inner))]
            case Either():
                self.refused = True
                return []

    def _whole(self, kernel: Kernel) -> list[Statement]:
        """The statements of a kernel as they are."""
        self.refused = self.refused or any(isinstance(s, Loop) and s.parallel for s in kernel.body)
        self.refused = self.refused or any(isinstance(s, Products) for s in nested(kernel.body))
        self.scratch += kernel.scratch
        self.registers = max(self.registers, kernel.registers)
        return list(kernel.body)

    def _of_nest(self, nest: Nest) -> list[Statement]:
        points = _work(nest) if self.lanes is None else self.lanes.points(nest)
        if self.lanes is None and not _at_most(points, UNROLLED):
            return self._whole(arranged(nest))
        found = None if self.lanes is None else self.lanes.bodies.get(nest)
        body = _opened(nest, {}) if found is None else found
        self.flops += nest.flops * min(estimate(points), UNROLLED)
        scope = Scope.LANES if self.lanes is not None and nest in self.lanes.bodies else Scope.LOCAL
        own = {b: Buffer(b.name, b.dtype, b.size, scope) for b in nest.scratch}
        self.scratch += own.values()
        memo: dict[int, Expr] = {}
        return [relocated(s, lambda b, offset: (own.get(b, b), offset), memo) for s in body] if own else body

    # -- registers -----------------------------------------------------------------------------------------

    def _in_registers(self, body: list[Statement]) -> list[Statement]:
        """The statements on scratch arrays in place of what they write, but for what lies apart in every step."""
        times = {s.var for s in _loops((self.step,)) if isinstance(s, Repeat | RepeatWhile) and s.var is not None}
        offsets: dict[Buffer, set[Index]] = {}
        for buffer, offset in _places(body):
            offsets.setdefault(buffer, set()).add(offset)
        kept = _kept_by_whiles(self.step, self.outside)
        moves: dict[Buffer, _Move] = {}
        for buffer in dict.fromkeys(s.buffer for s in stores(body) if s.buffer.scope not in PRIVATE):
            if any(not times.isdisjoint(offset.variables()) for offset in offsets[buffer]):
                continue
            scope = Scope.LOCAL
            if buffer in self.sizes:
                scope = Scope.STATE if buffer in kept else Scope.LANES
            move = self._move(buffer, offsets[buffer], scope)
            if move is not None:
                moves[buffer] = move
                self.scratch.append(move.scratch)

        def place(buffer: Buffer, offset: Index) -> tuple[Buffer, Index]:
            return moves[buffer].place(offset) if buffer in moves else (buffer, offset)

        memo: dict[int, Expr] = {}
        moved = [relocated(s, place, memo) for s in body]
        first = read_first((self.step,))
        load = [s for b, move in moves.items() if b in first or b in self.outside for s in move.load()]
        store = [s for b, move in moves.items() if b in self.outside for s in move.store(self._target(b))]
        return [*load, *moved, *store]

    def _move(self, buffer: Buffer, offsets: set[Index], scope: Scope) -> _Move | None:
        """The move of a buffer to a scratch array, where that is small and what lanes have is known."""
        if self.lanes is None or buffer not in self.sizes:
            if not isinstance(buffer.size, int):
                return None
            rows, start = range(buffer.size), indices.ZERO
        else:
            size = self.sizes[buffer]
            start = indices.of(self.lanes.var) * size
            rests = [offset - start for offset in offsets]
            if all(not rest.terms for rest in rests):
                rows = sorted(static((rest.constant for rest in rests), "a scratch array"))
            elif self.lane_count * size == buffer.size:
                rows = range(size)
            else:
                return None
        if len(rows) > UNROLLED:
            return None
        return _Move(buffer, Buffer(f"{buffer.name}_in", buffer.dtype, len(rows), scope), start, tuple(rows))

    def _refilled(self, body: list[Statement], lane: LoopVar) -> tuple[list[Statement], int]:
        """A loop of lanes that end by themselves, and what a step of it takes if lanes may change places, else 0.

        What a step reads at the place of its lane is read before the first one. Lanes stay where they are when a step
        reads or writes more memory in which they are neighbours, since they would no longer be.
        """
        (one,) = (s for s in body if isinstance(s, While))
        written = {s.buffer for s in stores(body)}
        own: dict[tuple[Buffer, Index], Buffer] = {}
        for load in Contents([one]).loads:
            key = load.buffer, load.offset
            if load.buffer in written or load.buffer.scope in PRIVATE or key in own:
                continue
            if [atom for atom, _ in load.offset.terms] == [lane] and _is_inside(load):
                own[key] = Buffer(f"{load.buffer.name}_in", load.buffer.dtype, 1, Scope.STATE)
        if len(own) > UNROLLED:
            return body, 0
        memo: dict[int, Expr] = {}

        def place(buffer: Buffer, offset: Index) -> tuple[Buffer, Index]:
            found = own.get((buffer, offset))
            return (buffer, offset) if found is None else (found, indices.ZERO)

        moved = relocated(one, place, memo)
        for buffer, offset in _places([moved]):
            step = offset.coefficient(lane) if not offset.dynamics() else 0
            if buffer.scope not in PRIVATE and isinstance(step, int) and 0 < abs(step) <= NEIGHBOURS:
                return body, 0
        self.scratch += own.values()
        first = [Store(scratch, indices.ZERO, Load(*key)) for key, scratch in own.items()]
        return [*first, *(moved if s is one else s for s in body)], max(self.flops, 1)

    def _target(self, buffer: Buffer) -> Buffer:
        """Where the contents of a scratch array go in the end.

        What is the same for all lanes every vector of them computes, from what the first one found: it is put aside.
        """
        if self.lanes is None or buffer in self.sizes:
            return buffer
        target = Buffer(f"{buffer.name}_end", buffer.dtype, buffer.size, Scope.ARENA)
        var = LoopVar("i0", buffer.size)
        place = indices.of(var) if buffer.size != 1 else indices.ZERO
        copy = Store(buffer, place, Load(target, place))
        self.after.append(arranged(Nest(f"copy_{buffer.name}", (var,) if buffer.size != 1 else (), (), (copy,))))
        return target


@dataclass(frozen=True)
class _Move:
    """A buffer whose elements `start + row` are in a scratch array instead, in the order of the rows."""

    buffer: Buffer
    scratch: Buffer
    start: Index
    rows: tuple[int, ...]

    def place(self, offset: Index) -> tuple[Buffer, Index]:
        rest = offset - self.start
        return self.scratch, rest if rest.terms else Index(self.rows.index(static((rest.constant,), "a row")[0]))

    def load(self) -> list[Statement]:
        return [Store(self.scratch, Index(k), Load(self.buffer, self.start + row)) for k, row in enumerate(self.rows)]

    def store(self, target: Buffer) -> list[Statement]:
        return [Store(target, self.start + row, Load(self.scratch, Index(k))) for k, row in enumerate(self.rows)]


def _is_inside(load: Load) -> bool:
    """Whether what is read lies in its array whatever tests stand around it."""
    low, high = load.offset.bounds()
    if low is None or high is None:
        return False
    return known_at_least(low, 0) and known_at_least(load.buffer.size - 1, high)


def _places(statements: Sequence[Statement]) -> Iterator[tuple[Buffer, Index]]:
    yield from ((s.buffer, s.offset) for s in stores(statements))
    yield from ((e.buffer, e.offset) for e in Contents(statements).loads)


def _loops(steps: Sequence[Step]) -> Iterator[Step]:
    """Every step that holds others."""
    for step in steps:
        if parts(step):
            yield step
        for block in parts(step):
            yield from _loops(block)


def _kept_by_whiles(step: Step, outside: set[Buffer]) -> set[Buffer]:
    """The buffers whose contents a lane that is done with some `while` in the step must keep."""
    found: set[Buffer] = set()
    everywhere = Counter(uses_of((step,)))
    for inner in _loops((step,)):
        if isinstance(inner, RepeatWhile):
            here = Counter(uses_of((inner,)))
            found.update(read_first((inner,)), (b for b, n in here.items() if everywhere[b] > n or b in outside))
    return found


def _steps_of(step: Step) -> int:
    """About how many steps the loops in a step take, nested ones multiplied."""
    inner = max((_steps_of(s) for block in parts(step) for s in block), default=1)
    if isinstance(step, Repeat):
        extent = estimate(step.var.extent)
        return inner * (min(extent, UNKNOWN_STEPS) if step.stop else extent)
    return inner * (UNKNOWN_STEPS if isinstance(step, RepeatWhile) else 1)
