"""A choice between two blocks by a traced test: both are traced, and what they leave behind is merged.

A variable that the program may read afterwards needs a value on each way that leads there. Where a block ends by a
signal after which nobody reads the variable, any value does, and zeros are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from rosin.frontend import core, staging, tree
from rosin.frontend import numpy as rnp
from rosin.frontend import trace as tr
from rosin.frontend.errors import ControlFlowError
from rosin.frontend.regions import agreed, shared_captures
from rosin.frontend.rewrite import memory as mem
from rosin.frontend.rewrite import unbound
from rosin.frontend.rewrite.blocks import VALUE, Block
from rosin.frontend.rewrite.memory import UNBOUND, Memory, Value
from rosin.frontend.rewrite.signals import Signal, Traced, as_signal, code_of, is_code, kinds_of, needed
from rosin.frontend.staging import Staged
from rosin.ir import dtypes
from rosin.ir.dataclass import dataclass
from rosin.ir.ops.control import Switch
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from collections.abc import Generator

    from rosin.frontend.array import Array, Tracer

Part = Callable[[], Signal]


@dataclass
class Outcome:
    """What one block left behind."""

    label: str
    trace: tr.Trace
    signal: Signal
    variables: dict[str, Value | None]
    containers: dict[int, Value]
    """Those that it changed, by position."""
    arrays: dict[int, tuple[Tracer, Array]]
    """Arrays of outer traces that it changed, by identity, with what they stand for at its end."""


@contextmanager
def region(memory: Memory, name: str, kind: str) -> Generator[tr.Trace]:
    """A trace of a block, after which all that the block changed is as it was."""
    saved = memory.save()
    trace = tr.Trace(name, transform=kind)
    trace.changes = []
    try:
        with trace:
            yield trace
    finally:
        memory.restore(saved)
        for change in reversed(trace.changes):
            change.undo()


def current_name(kind: str) -> str:
    """A name for the region of a statement."""
    trace = tr.current()
    assert trace is not None, "regions are inside of traces"
    return f"{trace.name}_{kind}" if trace.name else kind


def changed_arrays(trace: tr.Trace) -> dict[int, tuple[Tracer, Array]]:
    """The arrays of outer traces that a region changed, each with an object of its own for the new value."""
    return {id(c.array): (c.array, tr.copied(c.array)) for c in trace.changes or ()}


def run(part: Part, memory: Memory, label: str, name: str, kind: str) -> Outcome:
    """Trace one block."""
    before = memory.save()[1]
    with region(memory, name, kind) as trace:
        signal = part()
        variables = {n: None if memory.read(n) is UNBOUND else mem.value_of(memory.read(n)) for n in memory.cells}
        now = [mem.contents(c) for c in memory.containers]
        changed = [i for i, old in enumerate(before) if not mem.unchanged(old, now[i])]
        containers = {i: mem.value_of(now[i]) for i in changed}
        return Outcome(label, trace, signal, variables, containers, changed_arrays(trace))


def choose(test: Array, then: Part, orelse: Part, block: Block, extra: Sequence[Any] = ()) -> Signal:
    """Run one of two blocks as a traced truth value decides; gives the signal by which it ended."""
    memory = Memory((then, orelse, *extra), block.names)
    kind = "if" if block.kind in ("if", "choose") else block.kind
    outcomes = [
        run(then, memory, "if it holds", current_name(f"{kind}_true"), kind),
        run(orelse, memory, "if not", current_name(f"{kind}_false"), kind),
    ]
    return _Merge(test, outcomes, memory, block).result()


class _Result(int):
    """A position in the list of results."""


class _Merge:
    """The two outcomes made one."""

    def __init__(self, test: Array, outcomes: list[Outcome], memory: Memory, block: Block) -> None:
        self.test, self.outcomes, self.memory, self.block = test, outcomes, memory, block
        self.needed = [needed(block.live, kinds_of(o.signal)) for o in outcomes]
        self.pairs: list[list[Array | None]] = []
        self.paths: list[str] = []
        self.writes: list[Callable[[list[Array]], None]] = []

    def result(self) -> Signal:
        for name in self.memory.cells:
            self._variable(name)
        for position in sorted({p for o in self.outcomes for p in o.containers}):
            self._container(position)
        for key in {k: None for o in self.outcomes for k in o.arrays}:
            self._array(key)
        signals = [o.signal for o in self.outcomes]
        kinds = kinds_of(signals[0]) | kinds_of(signals[1])
        place = -1
        if any(isinstance(s, Traced) for s in signals) and len(kinds) > 1:
            codes: list[Array | None] = []
            for outcome in self.outcomes:
                with outcome.trace:
                    codes.append(code_of(outcome.signal))
            place = self._result("signal", codes)
        found = self._apply()
        for write in self.writes:
            write(found)
        if len(kinds) == 1:
            return as_signal(self.test, kinds)
        if place >= 0:
            return Traced(found[place], kinds)
        return Traced(rnp.where(self.test, code_of(signals[0]), code_of(signals[1])), kinds)

    # -- variables, containers, arrays ---------------------------------------------------------------------------

    def _variable(self, name: str) -> None:
        values = [o.variables[name] for o in self.outcomes]
        wanted = [name in names for names in self.needed]
        if not any(wanted) or not any(values):
            self.memory.write(name, UNBOUND)
            return
        for value, want, outcome in zip(values, wanted, self.outcomes, strict=True):
            if value is None and want:
                what = "it is not returned" if name == VALUE else "it is not assigned"
                lines = f"{what} {outcome.label} in the `{self.block.kind}` of line {self.block.line}"
                self.memory.write(name, UNBOUND)
                unbound.note(name, lines)
                return
        merged = self._merged(name, values, wanted)
        self.writes.append(lambda found: self.memory.write(name, merged(found)))

    def _container(self, position: int) -> None:
        container = self.memory.containers[position]
        path = self.memory.name_of(container) or f"a {type(container).__name__}"
        before = mem.contents(container)
        values: list[Value | None] = []
        for outcome in self.outcomes:
            with outcome.trace:
                values.append(outcome.containers.get(position) or mem.value_of(before))
        merged = self._merged(path, values, [True, True])
        self.writes.append(lambda found: mem.fill(container, merged(found)))

    def _array(self, key: int) -> None:
        array = next(o.arrays[key][0] for o in self.outcomes if key in o.arrays)
        pair = [o.arrays[key][1] if key in o.arrays else array for o in self.outcomes]
        place = self._result("array", pair)

        def write(found: list[Array]) -> None:
            trace = tr.current()
            assert trace is not None
            trace.assign(array, found[place])

        self.writes.append(write)

    def _merged(
        self, path: str, values: Sequence[Value | None], wanted: Sequence[bool]
    ) -> Callable[[list[Array]], Any]:
        """What gives the merged value once the results are there."""
        a, b = values
        if a is not None and b is not None and a.object is b.object:
            same = a.object
            return lambda found: same
        if a is not None and b is not None and a.structure != b.structure:
            if all(wanted):
                self._refuse(path, a, b)
            a, b = (a, None) if wanted[0] else (None, b)
        model = a or b
        assert model is not None
        count = len(model.leaves)
        paths = tree.path_texts("the value returned" if path == VALUE else path, model.structure)
        leaves = [
            self._leaf(paths[i], [None if v is None else (v.leaves[i], v.arrays[i]) for v in (a, b)], wanted)
            for i in range(count)
        ]

        def build(found: list[Array]) -> Any:
            return tree.unflatten(model.structure, [found[x] if isinstance(x, _Result) else x for x in leaves])

        return build

    def _leaf(self, path: str, pair: list[tuple[Any, Any] | None], wanted: Sequence[bool]) -> Any:
        present = [p for p in pair if p is not None]
        if len(present) == 2 and mem.same(present[0][0], present[1][0]):
            return present[0][0]
        numbers = [p is None or p[1] is not None for p in pair]
        if all(numbers):
            return self._result(path, self._fitting([p and p[1] for p in pair], wanted))
        if len(present) == 1 or not all(wanted):
            chosen = pair[0] if pair[0] is not None and (wanted[0] or pair[1] is None) else pair[1]
            assert chosen is not None
            return (
                chosen[0]
                if chosen[1] is None
                else self._result(path, [chosen[1] if p is chosen else None for p in pair])
            )
        return self._refuse_texts(path, *(_described(p[0]) for p in present))

    def _fitting(self, pair: list[Any], wanted: Sequence[bool]) -> list[Any]:
        """The two arrays; one that nobody reads and that has another type is left out."""
        if None in pair or all(wanted):
            return pair
        types = [core.type_of(x) for x in pair]
        if types[0] == types[1]:
            return pair
        return [x if want else None for x, want in zip(pair, wanted, strict=True)]

    def _result(self, path: str, pair: Sequence[Array | None]) -> _Result:
        self.pairs.append(list(pair))
        self.paths.append(path)
        return _Result(len(self.pairs) - 1)

    def _refuse(self, path: str, a: Value, b: Value) -> NoReturn:
        self._refuse_texts(path, _described(a.object), _described(b.object))

    def _refuse_texts(self, path: str, a: str, b: str) -> NoReturn:
        name = "what is returned" if path.startswith((VALUE, "the value returned")) else f"`{path}`"
        where = f"the `{self.block.kind}` of line {self.block.line}"
        message = (
            f"{name} is {a} if the test of {where} holds, and {b} if not; both need one type\n"
            f"  the test is traced, so both ways are compiled, and what comes after has to fit both"
        )
        raise tr.located(ControlFlowError(message))

    # -- the op --------------------------------------------------------------------------------------------------

    def _apply(self) -> list[Array]:
        """The results of the branch that is taken."""
        staged: list[Staged] = []
        for side, outcome in enumerate(self.outcomes):
            with outcome.trace:
                outputs = [self._output(pair, side) for pair in self.pairs]
                graph = outcome.trace.finish(outputs)
                weak = tuple([core.is_weak(x) for x in outputs])
            structure = tree.structure((0,) * len(outputs))
            staged.append(Staged(graph, tuple(outcome.trace.captures), structure, weak=weak))
        if not self.pairs and not any(s.graph.nodes for s in staged):
            return []
        labels = [o.label for o in self.outcomes]
        what = f"the `{self.block.kind}` of line {self.block.line}"
        fitted, weak = agreed(staged, labels, self.paths, what) if self.pairs else (staged, ())
        captures, (true, false) = shared_captures(fitted)
        index = core.cast(self.test, dtypes.i32)
        found = core.bind(Switch((false, true)), index, *staging.captured_arrays(captures), weak=weak)
        for path, x in zip(self.paths, found, strict=True):
            tr.name_value(x, path)
        return list(found)

    def _output(self, pair: list[Array | None], side: int) -> Array:
        own, other = pair[side], pair[1 - side]
        if own is not None:
            return own
        assert other is not None
        return zeros(core.type_of(other))


def zeros(type: TensorType) -> Array:
    """What stands for a value that nobody reads."""
    return rnp.zeros(type.shape, dtype=type.dtype)


def _described(x: Any) -> str:
    if core.is_array(x):
        return f"an array {core.type_of(x)}"
    text = repr(x)
    return text if len(text) <= 60 else f"a {type(x).__name__}"


def goes_on(signal: Traced) -> Array:
    """Whether there was no signal."""
    return is_code(signal.code, 0)
