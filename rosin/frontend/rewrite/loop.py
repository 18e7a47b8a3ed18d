"""Traced loops: `while`, and `for` over a traced range or array.

The body is traced for one step. What it changes is carried: variables, contents of containers, arrays. Numbers and
arrays become values of the loop; other Python values stay what they are, and a body that changes one is refused.
Which these are, and of what types, is found by tracing the body again until nothing is added.

A `for` over an array that is never left early is a scan. Elements that it appends to a list, if it does nothing else
with the list, are stacked, and the list gets the rows. Every other loop is a `while`, in which how the body ended is
carried too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, NoReturn

from rosin.frontend import core, staging, tree
from rosin.frontend import numpy as rnp
from rosin.frontend import trace as tr
from rosin.frontend.errors import ControlFlowError
from rosin.frontend.regions import CHANGES, given_way, promoted, shared_captures, with_dtypes
from rosin.frontend.rewrite import memory as mem
from rosin.frontend.rewrite import unbound
from rosin.frontend.rewrite.blocks import RETURN, VALUE, Block
from rosin.frontend.rewrite.branch import changed_arrays, current_name, region, zeros
from rosin.frontend.rewrite.memory import UNBOUND, Memory
from rosin.frontend.rewrite.signals import Signal, as_signal, code_of, is_code, kinds_of, next_step
from rosin.frontend.rewrite.steps import Steps, counter_dtype, is_size
from rosin.frontend.sizes import as_dim
from rosin.frontend.staging import Input, Staged
from rosin.ir import dtypes, facts
from rosin.ir.dataclass import dataclass
from rosin.ir.graph import Graph
from rosin.ir.op import Value as Operand
from rosin.ir.ops.loop import While
from rosin.ir.ops.scan import Scan
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array, Tracer

_ROUNDS = 64
"""The body is traced at most so often."""
_SCALAR = TensorType(dtypes.i32)


class UnstableError(ControlFlowError):
    """What a loop carries does not keep its type."""


@dataclass
class _Leaf:
    """A number or array that is carried: what it is before the loop, and in it."""

    start: Array
    input: Input


@dataclass
class _Slot:
    """A variable, a container or an array, with what it holds before the loop."""

    path: str
    write: Callable[[Any], None]
    read: Callable[[], Any]
    """Its value, UNBOUND if it has none."""
    held: Any
    structure: tree.Structure | None = None
    """Of what is carried; None when the object stays the same."""
    leaves: list[Any] = field(default_factory=list[Any])
    """`_Leaf`s, and what is known."""
    late: bool = False
    """Whether it gets its value in the loop, and nobody reads what it held before."""

    @property
    def carried(self) -> list[_Leaf]:
        return [leaf for leaf in self.leaves if isinstance(leaf, _Leaf)]

    def take_apart(self) -> None:
        """Carry the numbers in it."""
        found, self.structure = tree.flatten(self.held)
        self.leaves = [_Leaf(core.asarray(x), _input(x)) if mem.is_number(x) else x for x in found]

    def fill(self, arrays: Sequence[Array]) -> Any:
        """The value with other numbers."""
        assert self.structure is not None
        rest = iter(arrays)
        return tree.unflatten(self.structure, [next(rest) if isinstance(x, _Leaf) else x for x in self.leaves])


def _input(x: Any) -> Input:
    return Input(core.type_of(core.asarray(x)), "", core.is_weak(x))


@dataclass
class _Traced:
    """The body, traced for one step."""

    trace: tr.Trace
    signal: Signal
    counter: Tracer | None
    elements: list[Tracer]
    inputs: list[list[Tracer]]
    """Of each slot."""
    values: list[mem.Value | None]
    outputs: list[list[Array]]
    rows: dict[int, list[mem.Value]]
    """What is appended to the lists, by their position among the containers."""


class Loop:
    """One loop that is being traced.

    Its blocks: `test` before each step, for a `while`; `body`, which takes an item if there are `steps`. `entry` is the
    signal that Python's own steps ended with.
    """

    def __init__(
        self,
        block: Block,
        body: Callable[..., Signal],
        test: Callable[[], Any] | None = None,
        steps: Steps | None = None,
        entry: Signal = None,
        lists: Sequence[list[Any]] = (),
    ) -> None:
        self.block, self.body, self.test, self.steps = block, body, test, steps
        self.entry = next_step(entry)
        self.memory = Memory([body, test], block.names)
        self.appendable = {id(x) for x in lists}
        self.appendable |= {id(self.memory.known[n]) for n in block.appended if n in self.memory.known}
        self.memory.containers += [x for x in lists if not any(x is c for c in self.memory.containers)]
        self.name = current_name(block.kind)
        self.scan = steps is not None and is_size(steps.length) and entry is None
        self.certain = self.scan and steps is not None and facts.positive(as_dim(steps.length))
        """Whether there is a step for sure."""
        self.slots: list[_Slot] = []
        self._arrays: set[int] = set()
        self._begun: set[int] = set()
        """The positions of the containers that are carried."""
        self._changed: list[int] = []
        self._mutated: list[Tracer] = []
        """Containers and arrays that the body changed when it was traced last, and that are not carried yet."""
        self._known_test: bool | None = None
        """What the test is, where Python knows it."""
        for name in self.memory.cells:
            self._add_variable(name)

    # -- what is carried -----------------------------------------------------------------------------------------

    def _add_variable(self, name: str) -> None:
        live = self.block.live
        again = name in self.block.head
        after = any(name in names for names in (live.end, *live.after.values())) or name == VALUE
        if not again and not after:
            return
        held = self.memory.read(name)
        memory = self.memory
        slot = _Slot(name, lambda x: memory.write(name, x), lambda: memory.read(name), held)
        # What a step of Python's returned stands, if the loop then runs no step.
        slot.late = held is UNBOUND or (name == VALUE and RETURN not in kinds_of(self.entry))
        self.slots.append(slot)
        known = type(held) in (list, dict) or any(held is c for c in memory.containers)
        if not slot.late and again and not known and any(map(mem.is_number, tree.leaves(held))):
            slot.take_apart()

    def _add_container(self, position: int) -> None:
        container = self.memory.containers[position]
        held = mem.contents(container)
        path = self.memory.name_of(container) or f"a {type(container).__name__}"
        slot = _Slot(path, lambda x: mem.fill(container, x), lambda: mem.contents(container), held)
        slot.take_apart()
        self._begun.add(position)
        self.slots.append(slot)

    def _add_array(self, array: Tracer) -> None:
        def write(new: Any) -> None:
            trace = tr.current()
            assert trace is not None
            trace.assign(array, new)

        slot = _Slot("the array", write, lambda: tr.copied(array), tr.copied(array))
        slot.take_apart()
        self._arrays.add(id(array))
        self.slots.append(slot)

    # -- tracing the body ----------------------------------------------------------------------------------------

    def settle(self) -> _Traced:
        """Trace the body until what it gives back is what it takes."""
        changes = 0
        for _ in range(_ROUNDS):
            traced = self._trace_body()
            if self.scan and kinds_of(traced.signal) != frozenset([0]):
                self.scan = False
                continue
            verdicts = [self._compare(slot, traced, i, changes < CHANGES) for i, slot in enumerate(self.slots)]
            changes += "cast" in verdicts
            if not self._grown(traced) and not any(verdicts):
                return traced
        raise self._unstable("what it carries never settles")

    def _trace_body(self) -> _Traced:
        before = [mem.contents(c) for c in self.memory.containers]
        with region(self.memory, self.name, self.block.kind) as trace:
            counter = trace.input(TensorType(self._counter()), "step", True) if self.steps is not None else None
            inputs = [self._enter(slot, trace) for slot in self.slots]
            elements: list[Tracer] = []
            if self.steps is None:
                signal = self.body()
            elif self.scan:
                types = [core.type_of(x) for x in self.steps.stacked()]
                elements = [trace.input(t.with_shape(t.shape[1:]), "item") for t in types]
                signal = self.body(self.steps.item(elements, counter))
            else:
                signal = self.body(self.steps.at(counter))
            values = [None if slot.read() is UNBOUND else mem.value_of(slot.read()) for slot in self.slots]
            rows: dict[int, list[mem.Value]] = {}
            self._changed = []
            for i, container in enumerate(self.memory.containers):
                now = mem.contents(container)
                if i in self._begun or mem.unchanged(before[i], now):
                    continue
                if (
                    self._appends
                    and id(container) in self.appendable
                    and mem.unchanged(before[i], now[: len(before[i])])
                ):
                    rows[i] = [mem.value_of(x) for x in now[len(before[i]) :]]
                else:
                    self._changed.append(i)
            self._mutated = [array for key, (array, _) in changed_arrays(trace).items() if key not in self._arrays]
            signal = next_step(signal)
            return _Traced(trace, signal, counter, elements, inputs, values, [[] for _ in self.slots], rows)

    @property
    def _appends(self) -> bool:
        """Whether what steps append to lists can be: their number is known."""
        return self.scan and self.steps is not None and isinstance(self.steps.length, int)

    def _counter(self) -> Any:
        assert self.steps is not None
        return counter_dtype(self.steps.length)

    def _enter(self, slot: _Slot, trace: tr.Trace) -> list[Tracer]:
        """Give what a slot carries its value in the body."""
        names = _names(slot)
        found = [trace.input(x.input.type, n, x.input.weak) for x, n in zip(slot.carried, names, strict=True)]
        if slot.late:
            slot.write(UNBOUND)
        elif slot.structure is not None:
            slot.write(slot.fill(found))
        return found

    def _grown(self, traced: _Traced) -> bool:
        """Add what the body changed and what is not carried yet."""
        for position in self._changed:
            self._add_container(position)
        for array in self._mutated:
            self._add_array(array)
        return bool(self._changed or self._mutated)

    def _compare(self, slot: _Slot, traced: _Traced, position: int, may_cast: bool) -> str:
        """Whether the slot has to be carried otherwise; says how it was changed."""
        value = traced.values[position]
        if slot.late:
            return self._compare_late(slot, value, traced, position)
        if value is None:
            raise self._unstable(f"`{slot.path}` has no value after a step")
        if slot.structure is None:
            if value.object is slot.held or mem.same(value.object, slot.held):
                return ""
            if self._may_be_late(slot):
                slot.late = True
                return "late"
            slot.take_apart()
            return "apart"
        if value.structure != slot.structure:
            if self._may_be_late(slot):
                slot.late, slot.structure, slot.leaves = True, None, []
                return "late"
            self._refuse(slot, value)
        return self._compare_leaves(slot, value, traced, position, may_cast)

    def _may_be_late(self, slot: _Slot) -> bool:
        """Whether nobody reads what the slot holds before the loop."""
        return self.certain and slot.path not in self.block.head

    def _compare_leaves(self, slot: _Slot, value: mem.Value, traced: _Traced, position: int, may_cast: bool) -> str:
        verdict = ""
        outputs: list[Array] = []
        paths = _paths(slot)
        for i, (leaf, known, array) in enumerate(zip(slot.leaves, value.leaves, value.arrays, strict=True)):
            if not isinstance(leaf, _Leaf):
                if not mem.same(leaf, known):
                    self._refuse_known(paths[i], leaf, known)
                continue
            if array is None:
                self._refuse_known(paths[i], leaf.input.type, known)
            given, weak = core.type_of(array), core.is_weak(array)
            wanted = promoted(leaf.input, given, weak)
            if may_cast and wanted.type != leaf.input.type:
                leaf.input, leaf.start = wanted, core.cast(leaf.start, wanted.type.dtype)
                verdict = "cast"
            elif given_way(given, weak, leaf.input.type) != leaf.input.type:
                self._refuse_type(paths[i], leaf.input.type, given)
            outputs.append(array)
        traced.outputs[position] = outputs
        return verdict

    def _compare_late(self, slot: _Slot, value: mem.Value | None, traced: _Traced, position: int) -> str:
        """A slot without a value before: it is carried as it is after a step."""
        if value is None:
            return ""
        arrays = [x for x in value.arrays if x is not None]
        inputs = [Input(core.type_of(x), "", core.is_weak(x)) for x in arrays]
        traced.outputs[position] = arrays
        if slot.structure == value.structure and [x.input for x in slot.carried] == inputs:
            return ""
        rest = iter(inputs)
        slot.structure = value.structure
        slot.leaves = []
        for known, array in zip(value.leaves, value.arrays, strict=True):
            if array is None:
                slot.leaves.append(known)
            else:
                own = next(rest)
                slot.leaves.append(_Leaf(zeros(own.type), own))
        return "late"

    # -- the op --------------------------------------------------------------------------------------------------

    def run(self) -> Signal:
        """Record the loop, give everything that it changed its new value, and say how it ended."""
        traced = self.settle()
        kinds = (kinds_of(self.entry) | kinds_of(traced.signal)) | {0}
        coded = kinds != frozenset([0])
        starts = [leaf.start for slot in self.slots for leaf in slot.carried]
        types = [leaf.input.type for slot in self.slots for leaf in slot.carried]
        weak = [leaf.input.weak and w for leaf, w in zip(self._leaves(), self._weak(traced), strict=True)]
        if self.steps is not None:
            starts.insert(0, core.asarray(0, self._counter()))
            types.insert(0, TensorType(self._counter()))
            weak.insert(0, True)
        if coded:
            starts.insert(0, code_of(self.entry))
            types.insert(0, _SCALAR)
            weak.insert(0, False)
        body = self._body(traced, coded, types)
        found = self._scan(body, traced, starts, weak) if self.scan else self._while(body, starts, weak, coded)
        code = found.pop(0) if coded else None
        if self.steps is not None:
            found.pop(0)
        if self._is_endless():
            kinds -= {0}
        self._finish(found, traced, kinds)
        return None if code is None else as_signal(code, kinds)

    def _leaves(self) -> list[_Leaf]:
        return [leaf for slot in self.slots for leaf in slot.carried]

    def _weak(self, traced: _Traced) -> list[bool]:
        return [core.is_weak(x) for outputs in traced.outputs for x in outputs]

    def _is_endless(self) -> bool:
        """Whether the loop ends by a signal only."""
        return self.steps is None and self._known_test is True

    def _body(self, traced: _Traced, coded: bool, types: Sequence[TensorType]) -> Staged:
        trace = traced.trace
        with trace:
            outputs = [x for part in traced.outputs for x in part]
            if traced.counter is not None:
                outputs.insert(0, traced.counter + 1)
            if coded:
                outputs.insert(0, code_of(traced.signal))
            stacked = [x for values in traced.rows.values() for v in values for x in v.arrays if x is not None]
            graph = trace.finish([*outputs, *stacked])
        if coded:
            graph = Graph((Operand(_SCALAR, "signal"), *graph.inputs), graph.nodes, graph.outputs, graph.name)
        graph = with_dtypes(graph, types)
        return Staged(graph, tuple(trace.captures), tree.structure((0,) * len(graph.outputs)))

    def _while(self, body: Staged, starts: list[Array], weak: list[bool], coded: bool) -> list[Array]:
        test = self._test(coded, starts)
        captures, (test_graph, body_graph) = shared_captures([test, body])
        op = While(test_graph, body_graph, len(starts))
        return list(core.bind(op, *starts, *staging.captured_arrays(captures), weak=weak))

    def _test(self, coded: bool, starts: list[Array]) -> Staged:
        """Whether there is another step: there was no signal, and the predicate holds or the count is not reached."""
        before = [mem.contents(c) for c in self.memory.containers]
        with region(self.memory, f"{self.name}_test", self.block.kind) as trace:
            code = trace.input(_SCALAR, "signal") if coded else None
            count = trace.input(TensorType(self._counter()), "step", True) if self.steps is not None else None
            for slot in self.slots:
                self._enter(slot, trace)
            holds: Any = True
            if self.steps is not None:
                assert count is not None
                holds = count < self.steps.length
            elif self.test is not None:
                holds = self.test()
            changed = [
                mem.unchanged(old, mem.contents(c)) for old, c in zip(before, self.memory.containers, strict=True)
            ]
            fresh = [i for i, same in enumerate(changed) if not same and i not in self._begun]
            if fresh or [k for k in changed_arrays(trace) if k not in self._arrays]:
                raise self._unstable("its test changes what the loop carries")
            self._known_test = None if core.is_array(holds) else bool(holds)
            goes = truth(holds) if core.is_array(holds) else core.asarray(bool(holds), dtypes.bool_)
            if code is not None:
                silent = is_code(code, 0)
                goes = silent if self._known_test is True else rnp.logical_and(silent, goes)
            graph = trace.finish([goes])
        return Staged(graph, tuple(trace.captures), tree.structure((0,)))

    def _scan(self, body: Staged, traced: _Traced, starts: list[Array], weak: list[bool]) -> list[Array]:
        assert self.steps is not None
        captures, (graph,) = shared_captures([body])
        stacked = self.steps.stacked()
        carried, count = len(starts), len(stacked)
        inputs = graph.inputs
        order = (*inputs[:carried], *inputs[carried + count :], *inputs[carried : carried + count])
        graph = Graph(order, graph.nodes, graph.outputs, graph.name)
        more = len(graph.outputs) - carried
        op = Scan(graph, carried, count, as_dim(self.steps.length), False)
        flags = (*weak, *[False] * more)
        found = list(core.bind(op, *starts, *staging.captured_arrays(captures), *stacked, weak=flags))
        self._append(traced, found[carried:])
        return found[:carried]

    def _append(self, traced: _Traced, stacked: list[Array]) -> None:
        """Append the rows of what was stacked to the lists."""
        trace = tr.current()
        assert trace is not None
        assert self.steps is not None
        for position, values in traced.rows.items():
            columns: list[Callable[[int], Any]] = []
            for value in values:
                arrays = [stacked.pop(0) for x in value.arrays if x is not None]
                columns.append(_row_maker(trace, value, arrays))
            container = self.memory.containers[position]
            container += [make(step) for step in range(self.steps.length) for make in columns]

    def _finish(self, found: list[Array], traced: _Traced, kinds: frozenset[int]) -> None:
        """Give variables, containers and arrays what they hold after the loop."""
        used: set[str] = set()
        for position, slot in enumerate(self.slots):
            arrays = [found.pop(0) for _ in slot.carried]
            used.add(slot.path)
            for name, x in zip(_names(slot), arrays, strict=True):
                tr.name_value(x, name)
            if slot.late and slot.structure is None and traced.values[position] is None:
                slot.write(slot.held)
            elif slot.late and self._is_uncertain(slot.path, kinds):
                slot.write(UNBOUND)
                unbound.note(slot.path, f"the loop of line {self.block.line}, which gives it one, may run no step")
            elif slot.structure is not None:
                slot.write(slot.fill(arrays))
        for name in self.memory.cells:
            if name not in used:
                self.memory.write(name, UNBOUND)

    def _is_uncertain(self, name: str, kinds: frozenset[int]) -> bool:
        """Whether a variable may be read after a loop in which it got no value."""
        return not self.certain and 0 in kinds and name in self.block.live.end

    # -- errors --------------------------------------------------------------------------------------------------

    def _unstable(self, what: str) -> UnstableError:
        error = tr.located(UnstableError(f"the `{self.block.kind}` loop of line {self.block.line}: {what}"))
        assert isinstance(error, UnstableError)
        return error

    def _refuse(self, slot: _Slot, value: mem.Value) -> NoReturn:
        self._refuse_known(slot.path, slot.held, value.object)

    def _refuse_known(self, path: str, before: Any, after: Any) -> NoReturn:
        texts = (_described(before), _described(after))
        what = f"`{path}` is {texts[0]} before a step and {texts[1]} after it"
        raise self._unstable(f"{what}; what a traced loop changes are numbers and arrays that keep their type")

    def _refuse_type(self, path: str, before: TensorType, after: TensorType) -> NoReturn:
        raise self._unstable(f"`{path}` changes its type: {before} before a step, {after} after it")


def truth(x: Array) -> Array:
    """The truth of a traced number.

    Raises:
        ShapeError: it has more than one element.
    """
    type = core.type_of(x)
    if type.rank and any(size != 1 for size in type.shape):
        from_all = "the truth of an array of several elements is not defined: use .all() or .any()"
        raise tr.located(ControlFlowError(f"{from_all}, of {type}", [type]))
    if type.dtype.kind != "bool":
        x = rnp.not_equal(x, 0)
    return rnp.reshape(x, ())


def _row_maker(trace: tr.Trace, value: mem.Value, arrays: list[Array]) -> Callable[[int], Any]:
    def make(step: int) -> Any:
        rest: Any = iter(arrays)
        pairs = zip(value.leaves, value.arrays, strict=True)
        leaves = [known if x is None else trace.row(next(rest), step) for known, x in pairs]
        return tree.unflatten(value.structure, leaves)

    return make


def _paths(slot: _Slot) -> list[str]:
    assert slot.structure is not None
    return tree.path_texts("the value returned" if slot.path == VALUE else slot.path, slot.structure)


def _names(slot: _Slot) -> list[str]:
    """What the carried leaves are called in the graph."""
    if slot.structure is None:
        return []
    pairs = zip(_paths(slot), slot.leaves, strict=True)
    return [staging.identifier(path) for path, leaf in pairs if isinstance(leaf, _Leaf)]


def _described(x: Any) -> str:
    if isinstance(x, TensorType):
        return f"an array {x}"
    if core.is_array(x):
        return f"an array {core.type_of(x)}"
    text = repr(x)
    return text if len(text) <= 60 else f"a {type(x).__name__}"
