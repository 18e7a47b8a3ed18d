"""`compile`: the function is traced once for each signature, and from then on calls go into native code.

A signature is the tree of the arguments, the dtype and shape of each leaf, and the values of the static arguments. What
a call does, cheapest first:

1. all arguments are arrays, as in the last call: `__call__` → the native entry, which checks them and runs;
2. a tree, keywords, or static arguments: flatten, look the tree up, the native entry over the leaves, unflatten;
3. the entry does not fit (a miss): look the signature up; trace and compile if it is new.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import MethodType
from typing import TYPE_CHECKING, Any, overload
from weakref import WeakSet

import numpy as np

from rosin.frontend import core, rewrite, staging, tree
from rosin.frontend import trace as tr
from rosin.frontend.closure import Closure
from rosin.frontend.errors import ArgumentError, ClosureError, RecursiveCompileError
from rosin.frontend.signature import MAKE_STATIC, Call, Names, Numbers, Selected, Types, take_apart
from rosin.frontend.staging import Function, Staged
from rosin.ir.graph import Graph
from rosin.ir.op import NumpyArray
from rosin.ir.printer import text
from rosin.passes.checks import KINDS as CHECK_KINDS
from rosin.passes.inline import Inline

if TYPE_CHECKING:
    from rosin.frontend.array import Array
    from rosin.runtime.executable import Executable

RECURSION_LIMIT = 100
"""How many compiled calls may be inlined inside one another with ever new signatures."""


@overload
def compile(f: Function, /) -> Compiled: ...
@overload
def compile(
    f: Function | None = None,
    /,
    *,
    target: str = "llvm",
    static_argnames: Names = (),
    static_argnums: Numbers = (),
    donate_argnames: Names = (),
    donate_argnums: Numbers = (),
    checks: Names = (),
) -> Any: ...
def compile(
    f: Function | None = None,
    /,
    *,
    target: str = "llvm",
    static_argnames: Names = (),
    static_argnums: Numbers = (),
    donate_argnames: Names = (),
    donate_argnums: Numbers = (),
    checks: Names = (),
) -> Any:
    """Compile a function of trees of arrays; a decorator with or without arguments.

    What the function reads from outside its arguments is part of what is compiled: arrays by reference, other values as
    they are now, and rebinding one makes the next call an error. What happens inside an object is not seen.

    Static arguments are Python values that decide what is computed: they need a hash, and each new value compiles
    anew. The memory of donated arguments may be taken over by results; such arrays cannot be used afterwards.

    With `checks`, names in one string or several ("index,nan"), a call raises an error with the user's line where

    - "index": an index lies outside of its array (an OutOfRangeError, which is an IndexError);
    - "nan": an op gives a NaN where its operands have none (a NanError, which is a FloatingPointError);
    - "shape": sizes disagree, which is an error in any case.

    Raises:
        ArgumentError: a static or donated argument is not one of the function's, or no check has that name.
    """
    if f is None:
        options: dict[str, Any] = {
            "target": target,
            "static_argnames": static_argnames,
            "static_argnums": static_argnums,
            "donate_argnames": donate_argnames,
            "donate_argnums": donate_argnums,
            "checks": checks,
        }
        return functools.partial(compile, **options)
    static = Selected(f, "static", static_argnames, static_argnums)
    donated = Selected(f, "donate", donate_argnames, donate_argnums)
    return Compiled(f, target, static, donated, _check_kinds(checks))


def _check_kinds(checks: Names) -> tuple[str, ...]:
    names = checks.split(",") if isinstance(checks, str) else checks
    kinds = tuple([name.strip() for name in names if name.strip()])
    for kind in kinds:
        if kind not in CHECK_KINDS:
            message = f"checks: there is no check {kind!r}; there are {', '.join(CHECK_KINDS)}"
            raise tr.located(ArgumentError(message))
    return kinds


@dataclass(slots=True)
class _Program:
    """What one signature was compiled to."""

    staged: Staged
    executable: Executable
    captures: tuple[tr.Captured, ...]
    native: Callable[..., Any]
    """Takes the leaves and captures; gives the outputs as a tuple, or `_MISSED`."""
    direct: Callable[..., Any] | None
    """Takes the arguments and gives the result, where these are arrays and this is one or several."""

    def run(self, values: Sequence[NumpyArray]) -> Any:
        """The result for NumPy arrays of this signature."""
        captured = [_ordered(c) for c in self.captures]
        outputs = self.executable(*values, *captured)
        return tree.unflatten(self.staged.structure, [tr.wrap(o) for o in outputs])


_MISSED: Any = object()
"""In place of outputs: the leaves are not what the native entry takes."""


def _miss(*given: Any) -> Any:
    return _MISSED


class _Family:
    """The programs for one tree of arguments and one set of static values."""

    __slots__ = ("last", "programs")

    def __init__(self) -> None:
        self.programs: dict[Types, _Program] = {}
        self.last: _Program | None = None


class _Tracing(threading.local):
    def __init__(self) -> None:
        self.signatures: list[Any] = []


_tracing = _Tracing()


_every: WeakSet[Compiled] = WeakSet()
_every_lock = threading.Lock()


class Compiled:
    """A compiled function. Call it as the function; `ir` and `text` show what it was compiled to.

    Inside another traced function its ops are recorded there, so that transforms see them.
    """

    # A call takes no Python of ours: `__call__` is the slot `_entry` itself, whose content CPython calls. It holds the
    # native entry for the arguments of the last call, or `_dispatch` while some thread is tracing.
    __slots__ = ("__dict__", "__weakref__", "_entry")
    _entry: Callable[..., Any]

    if TYPE_CHECKING:

        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

    def __init__(
        self, f: Function, target: str, static: Selected, donated: Selected, checks: tuple[str, ...] = ()
    ) -> None:
        functools.update_wrapper(self, f)
        self.__wrapped__ = f
        self.target = target
        self._static = static
        self._donated = donated
        self._checks = checks
        self._name = staging.name_of(f)
        self._lock = threading.RLock()
        self.clear()

    def clear(self) -> None:
        """Forget what was compiled; the next call traces anew, with the Python values of that time."""
        self._families: dict[Any, _Family] = {}
        self._closure: Closure | None = None
        self._set_fast(self._slow)

    def _set_fast(self, entry: Callable[..., Any]) -> None:
        """Take `entry` for calls outside of traces."""
        with _every_lock:
            _every.add(self)
            self._fast = entry
            self._entry = self._dispatch if tr.is_anywhere() else entry

    def _prefer(self, program: _Program) -> None:
        """Have the next call try this program first, if it needs no Python."""
        if program.direct is not None and program.direct is not self._fast:
            self._set_fast(program.direct)

    def switch(self, tracing: bool) -> None:
        """Look at each call whether a trace is active, or not, when no thread has one."""
        self._entry = self._dispatch if tracing else self._fast

    def _dispatch(self, *args: Any, **kwargs: Any) -> Any:
        if tr.state.stack:
            return self._inline(args, kwargs)
        return self._fast(*args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<compiled {self._name} for {self.target}>"

    def __reduce__(self) -> str:
        # By reference, as functions are pickled.
        return getattr(self.__wrapped__, "__qualname__", self._name)

    # -- calls -----------------------------------------------------------------------------------------------

    def _slow(self, *args: Any, **kwargs: Any) -> Any:
        """A call whose arguments are not what the native entry takes as they are."""
        if self._closure:
            self._check_closure()
        call = take_apart(self._static, args, kwargs)
        call.make_arrays(self.__wrapped__)
        family = self._family(call)
        last = family.last
        if last is None:
            return self._find(call, family)
        try:
            result = last.native(*call.leaves, *last.captures)
        except BaseException:
            self._take_donated(call)
            raise
        if result is _MISSED:
            return self._find(call, family)
        self._prefer(last)
        self._take_donated(call)
        return tree.unflatten(last.staged.structure, result)

    def _family(self, call: Call) -> _Family:
        key = call.key(self.__wrapped__)
        family = self._families.get(key)
        if family is None:
            family = self._families[key] = _Family()
        return family

    def _find(self, call: Call, family: _Family) -> Any:
        """The result by the program of the call's signature, compiled if there is none."""
        values, types = call.values()
        program = self._program(call, family, types)
        family.last = program
        self._prefer(program)
        try:
            return program.run(values)
        finally:
            self._take_donated(call)

    def _program(self, call: Call, family: _Family, types: Types) -> _Program:
        program = family.programs.get(types)
        if program is None:
            with self._lock:
                program = family.programs.get(types)
                if program is None:
                    program = family.programs[types] = self._compile(call, types)
        return program

    def _take_donated(self, call: Call) -> None:
        """Make sure that nobody reads a donated array: results may be in its memory, also when the program failed."""
        if not self._donated:
            return
        leaves = [call.leaves[position] for position in call.leaves_of(self._donated)]
        for leaf in {id(leaf): leaf for leaf in leaves if core.is_array(leaf)}.values():
            leaf.donate()

    def _check_closure(self) -> None:
        assert self._closure is not None
        variable = self._closure.changed()
        if variable is not None:
            self._closure.refuse(variable, self._name)

    # -- compiling -------------------------------------------------------------------------------------------

    def _compile(self, call: Call, types: Types) -> _Program:
        # What is read outside counts from the first trace that comes through.
        closure = self._closure if self._closure is not None else Closure(self.__wrapped__)
        staged = self._stage(call, types, closure)
        self._closure = closure
        captures = staged.captures
        assert not any(map(core.is_tracer, captures)), "no trace is around this one, so there are no tracers to capture"
        donated = call.leaves_of(self._donated) if self._donated else ()
        executable = core.compile_path().compile_graph(staged.graph, self.target, donated)
        native = executable.entry(tr.array_type(), _value_offset(), _miss, False)
        return _Program(staged, executable, captures, native, self._direct(call, staged, executable, captures))

    def _stage(self, call: Call, types: Types, closure: Closure) -> Staged:
        inputs = call.inputs(self.__wrapped__, types)

        def run(tracers: list[Any]) -> Any:
            positional, keywords = call.arguments(tracers)
            return rewrite.call(self.__wrapped__, *positional, **keywords)

        guard = _Guard(self._name, (id(self), call.key(self.__wrapped__), tuple(i.type for i in inputs)))
        with guard, tr.checking(self._checks):
            staged = staging.stage(run, inputs, self._name)
        try:
            closure.check_after_trace(self._name)
        except ClosureError:
            self.clear()
            raise
        # No derivative is taken any more, so what is there for derivatives can go.
        return replace(staged, graph=Inline().rewrite(staged.graph))

    def _direct(
        self, call: Call, staged: Staged, executable: Executable, captures: tuple[tr.Captured, ...]
    ) -> Callable[..., Any] | None:
        """What takes the arguments of calls like this one as they are, if these need no Python: the native entry."""
        structure = staged.structure
        flat = call.structure == tree.structure(((0,) * len(call.leaves), {}))
        single = structure.is_leaf()
        several = structure.type is tuple and structure == tree.structure((0,) * structure.num_leaves)
        if call.static or call.weak or self._donated or not flat or not (single or several):
            return None
        if captures:
            native = self._with_captures(executable, captures, single)
        else:
            native = executable.entry(tr.array_type(), _value_offset(), self._slow, single)
        closure = self._closure
        if not closure:
            return native

        def entry(*args: Any, **kwargs: Any) -> Any:
            if closure.changed() is not None:
                self._check_closure()
            return native(*args, **kwargs)

        return entry

    def _with_captures(
        self, executable: Executable, captures: tuple[tr.Captured, ...], single: bool
    ) -> Callable[..., Any]:
        def miss(*given: Any, **kwargs: Any) -> Any:
            return self._slow(*given[: len(given) - len(captures)], **kwargs)

        inner = executable.entry(tr.array_type(), _value_offset(), miss, single)

        def entry(*args: Any, **kwargs: Any) -> Any:
            return inner(*args, *captures, **kwargs)

        return entry

    # -- inside another trace ----------------------------------------------------------------------------------

    def _inline(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Record the function's ops in the trace that is active."""
        call = take_apart(self._static, args, kwargs)
        arrays: list[Array] = []
        for position, leaf in enumerate(call.leaves):
            if not staging.is_array_like(leaf):
                staging.as_argument(leaf, call.paths(self.__wrapped__)[position], self._name, MAKE_STATIC)
            arrays.append(core.asarray(leaf))
        types = tuple((core.type_of(x), core.is_weak(x)) for x in arrays)
        guard = _Guard(self._name, (id(self), call.key(self.__wrapped__), types))
        with guard, tr.checking(self._checks):
            positional, keywords = call.arguments(arrays)
            result = rewrite.rewritten(self.__wrapped__)(*positional, **keywords)
        leaves, structure = tree.flatten(result)
        return tree.unflatten(
            structure, [staging.as_output(leaf, self._name, structure, i) for i, leaf in enumerate(leaves)]
        )

    # -- inspection ------------------------------------------------------------------------------------------

    def ir(self, *args: Any, stage: str = "traced", **kwargs: Any) -> ShownGraph:
        """The graph for these arguments: as traced, or after the pass called `stage`. Its `str` is its text,
        and `.text(locations=True)` the same with the user's file and line after each node.

        Raises:
            ArgumentError: no pass has that name.
        """
        program = self._shown(args, kwargs)
        from rosin.passes import pipeline

        _check_stage(stage, ("traced", *pipeline.stage_names(pipeline.GRAPH_PASSES)))
        return ShownGraph.of(pipeline.stage(program.staged.graph, stage))

    def text(self, *args: Any, stage: str = "traced", **kwargs: Any) -> str:
        """The program for these arguments as text, at any stage down to the assembly.

        Raises:
            ArgumentError: there is no such stage.
        """
        program = self._shown(args, kwargs)
        if stage == "traced":
            return text(program.staged.graph)
        _check_stage(stage, program.executable.stages)
        return program.executable.stage_text(stage)

    def stages(self, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        """The names of the stages that `text` shows, in order."""
        return ("traced", *(s for s in self._shown(args, kwargs).executable.stages if s != "traced"))

    def _shown(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Program:
        """The program that a call with these arguments runs."""
        if self._closure:
            self._check_closure()
        call = take_apart(self._static, args, kwargs)
        call.make_arrays(self.__wrapped__)
        return self._program(call, self._family(call), call.values()[1])


def _switch(tracing: bool) -> None:
    with _every_lock:
        for compiled in _every:
            compiled.switch(tracing)


setattr(Compiled, "__call__", Compiled.__dict__["_entry"])  # noqa: B010  # CPython calls what the slot holds
tr.on_tracing(_switch)


class _Guard:
    """Refuses a compiled function that calls itself forever."""

    __slots__ = ("name", "signature")

    def __init__(self, name: str, signature: Any) -> None:
        self.name, self.signature = name, signature

    def __enter__(self) -> None:
        active = _tracing.signatures
        if self.signature in active or len(active) >= RECURSION_LIMIT:
            how = "with arguments of the same types" if self.signature in active else f"{len(active)} times over"
            message = (
                f"{self.name} is compiled and calls itself {how}; its trace would never end\n"
                f"  use a loop over arrays, or compile only the function that calls {self.name}, whose recursion then "
                f"ends by a static argument"
            )
            raise tr.located(RecursiveCompileError(message))
        active.append(self.signature)

    def __exit__(self, *error: object) -> None:
        _tracing.signatures.pop()


class ShownGraph(Graph):
    """A graph whose `str` is its text."""

    __slots__ = ()

    @staticmethod
    def of(graph: Graph) -> ShownGraph:
        return ShownGraph(graph.inputs, graph.nodes, graph.outputs, graph.name)

    def text(self, locations: bool = False) -> str:
        """The text; with `locations`, each node is followed by the user's file and line."""
        return text(self, locations)

    def __str__(self) -> str:
        return text(self)

    __repr__ = __str__


def _check_stage(stage: str, stages: Sequence[str]) -> None:
    if stage not in stages:
        raise tr.located(ArgumentError(f"there is no stage {stage!r}; the stages are {', '.join(stages)}"))


def _ordered(captured: tr.Captured) -> NumpyArray:
    array = tr.numpy_of(captured)
    return array if array.flags.c_contiguous else np.array(array, order="C")


@functools.cache
def _value_offset() -> int:
    from rosin.runtime.entry import slot_offset

    return slot_offset(tr.array_type(), "_value")
