"""`compile`: the function is traced once for each signature, and from then on calls go into native code.

A signature is the tree of the arguments, the dtype and shape of each leaf, and the values of the static arguments. What
a call does, cheapest first:

1. all arguments are arrays, as in the last call: `__call__` → the native entry, which checks them and runs;
2. a tree, keywords, or static arguments: flatten, look the tree up, the native entry over the leaves, unflatten;
3. the entry does not fit (a miss): look the signature up; trace and compile if it is new.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from types import MethodType
from typing import TYPE_CHECKING, Any, TypeAlias, overload
from weakref import WeakSet

import numpy as np

from rosin.frontend import core, staging, tree
from rosin.frontend import trace as tr
from rosin.frontend.closure import Closure
from rosin.frontend.errors import ArgumentError, ClosureError, RecursiveCompileError
from rosin.frontend.staging import Function, Input, Staged
from rosin.frontend.tree import Structure
from rosin.ir.graph import Graph
from rosin.ir.op import NumpyArray
from rosin.ir.printer import text
from rosin.passes import pipeline
from rosin.passes.inline import Inline
from rosin.runtime.entry import slot_offset
from rosin.runtime.executable import Executable, compile_graph

if TYPE_CHECKING:
    from rosin.frontend.array import Array

RECURSION_LIMIT = 100
"""How many compiled calls may be inlined inside one another with ever new signatures."""

Names: TypeAlias = "str | Iterable[str]"
Numbers: TypeAlias = "int | Iterable[int]"
Leaf: TypeAlias = tuple[Any, tuple[int, ...], bool]
"""The dtype and shape of a leaf, and whether it is a Python number."""

_EMPTY: dict[str, Any] = {}


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
) -> Any:
    """Compile a function of trees of arrays; a decorator with or without arguments.

    Static arguments are Python values that decide what is computed: they need a hash, and each new value compiles
    anew. The memory of donated arguments may be taken over by results; such arrays cannot be used afterwards.

    Raises:
        ArgumentError: a static or donated argument is not one of the function's.
    """
    if f is None:
        options: dict[str, Any] = {
            "target": target,
            "static_argnames": static_argnames,
            "static_argnums": static_argnums,
            "donate_argnames": donate_argnames,
            "donate_argnums": donate_argnums,
        }
        return functools.partial(compile, **options)
    static = _Selected(f, "static", static_argnames, static_argnums)
    donated = _Selected(f, "donate", donate_argnames, donate_argnums)
    return Compiled(f, target, static, donated)


class _Selected:
    """Arguments that are chosen by name or by position: both are known for each, where the signature tells."""

    def __init__(self, f: Function, what: str, names: Names, numbers: Numbers) -> None:
        self.names = {names} if isinstance(names, str) else set(names)
        self.numbers = {numbers} if isinstance(numbers, int) else set(numbers)
        if not self:
            return
        parameters = list(inspect.signature(f).parameters.values())
        takes_keywords = any(p.kind is p.VAR_KEYWORD for p in parameters)
        takes_more = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        known = {p.name for p in parameters}
        for name in sorted(self.names):
            if name not in known and not takes_keywords:
                message = f"{what}_argnames: {staging.name_of(f)} has no argument {name!r}; it has"
                raise ArgumentError(f"{message} {', '.join(p.name for p in parameters) or 'none'}")
        for number in sorted(self.numbers):
            if not (-len(positional) <= number < len(positional) or (takes_more and number >= 0)):
                message = f"{what}_argnums: {staging.name_of(f)} has {len(positional)} positional arguments"
                raise ArgumentError(f"{message}, and none has number {number}")
        self.numbers = {n % len(positional) if n < 0 else n for n in self.numbers}
        self.numbers |= {i for i, name in enumerate(positional) if name in self.names}
        self.names |= {name for i, name in enumerate(positional) if i in self.numbers}

    def __bool__(self) -> bool:
        return bool(self.names or self.numbers)


@dataclass(slots=True)
class _Call:
    """A call taken apart: the tree of what is traced, and the static arguments with their places."""

    leaves: list[Any]
    structure: Structure
    static: tuple[tuple[int | str, Any], ...]

    def arguments(self, leaves: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments again, with other leaves."""
        positional, keywords = tree.unflatten(self.structure, leaves)
        positional, keywords = list(positional), dict(keywords)
        for place, value in self.static:
            if isinstance(place, int):
                positional.insert(place, value)
            else:
                keywords[place] = value
        return positional, keywords


@dataclass(slots=True)
class _Program:
    """What one signature was compiled to."""

    staged: Staged
    executable: Executable
    captures: tuple[NumpyArray, ...]
    native: Callable[..., Any]
    """Takes the leaves; gives the outputs as a tuple, or a `_Missed`."""

    def run(self, values: Sequence[NumpyArray]) -> Any:
        """The result for NumPy arrays of this signature."""
        captured = [_ordered(c) for c in self.captures]
        outputs = self.executable(*values, *captured)
        return tree.unflatten(self.staged.structure, [tr.wrap(o) for o in outputs])


class _Missed:
    """A result that came on the slow way: it is whole already."""

    __slots__ = ("result",)

    def __init__(self, result: Any) -> None:
        self.result = result


class _Family:
    """The programs for one tree of arguments and one set of static values."""

    __slots__ = ("last", "programs")

    def __init__(self) -> None:
        self.programs: dict[tuple[Leaf, ...], _Program] = {}
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

    def __init__(self, f: Function, target: str, static: _Selected, donated: _Selected) -> None:
        functools.update_wrapper(self, f)
        self.__wrapped__ = f
        self.target = target
        self._static = static
        self._donated = donated
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
        call = self._take_apart(args, kwargs)
        family = self._family(call)
        last = family.last
        if last is not None:
            result = last.native(*call.leaves, *last.captures)
            if type(result) is _Missed:
                return result.result
            if self._donated:
                self._take_donated(call)
            return tree.unflatten(last.staged.structure, result)
        return self._find(call, family)

    def _take_apart(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Call:
        static: list[tuple[int | str, Any]] = []
        if self._static:
            static += [(i, args[i]) for i in sorted(self._static.numbers) if i < len(args)]
            static += [(name, kwargs[name]) for name in sorted(self._static.names) if name in kwargs]
            args = tuple([a for i, a in enumerate(args) if i not in self._static.numbers])
            kwargs = {name: value for name, value in kwargs.items() if name not in self._static.names}
        leaves, structure = tree.flatten((args, kwargs))
        return _Call(leaves, structure, tuple(static))

    def _family(self, call: _Call) -> _Family:
        key: Any = (call.structure, _static_key(call.static)) if call.static else call.structure
        try:
            family = self._families.get(key)
        except TypeError as error:
            raise tr.located(self._unhashable(call, error)) from None
        if family is None:
            family = self._families[key] = _Family()
        return family

    def _unhashable(self, call: _Call, error: TypeError) -> ArgumentError:
        for place, value in call.static:
            try:
                hash(value)
            except TypeError:
                name = self._parameter(place)
                kind = type(value).__name__
                message = f"{self._name}: the static argument {name} is a {kind}, which has no hash; a tuple has one"
                return ArgumentError(message)
        return ArgumentError(f"{self._name}: a static field of a dataclass has no hash: {error}")

    def _parameter(self, place: int | str) -> str:
        if isinstance(place, str):
            return f"`{place}`"
        return f"`{staging.parameter_names(self.__wrapped__, place + 1)[place]}`"

    def _find(self, call: _Call, family: _Family) -> Any:
        """The result by the program of the call's signature, compiled if there is none."""
        values, leaves = self._values(call)
        program = family.programs.get(leaves)
        if program is None:
            with self._lock:
                program = family.programs.get(leaves)
                if program is None:
                    program = family.programs[leaves] = self._compile(call, family, leaves)
                    self._set_entry(call, program)
        family.last = program
        result = program.run(values)
        if self._donated:
            self._take_donated(call)
        return result

    def _values(self, call: _Call) -> tuple[list[NumpyArray], tuple[Leaf, ...]]:
        """The leaves as NumPy arrays, and what the signature says of each."""
        values: list[NumpyArray] = []
        leaves: list[Leaf] = []
        for position, leaf in enumerate(call.leaves):
            if not core.is_array(leaf) and not staging.is_array_like(leaf):
                path = self._paths(call)[position]
                instead = "if it decides what is computed, name its argument in static_argnames"
                staging.as_argument(leaf, path, self._name, instead)
            array = core.asarray(leaf)
            if core.is_tracer(array):
                array.check_alive()
                raise AssertionError("a live tracer is met only while tracing")
            value = array._value  # pyright: ignore[reportPrivateUsage]
            values.append(value)
            leaves.append((value.dtype, value.shape, core.is_scalar(leaf)))
        return values, tuple(leaves)

    def _paths(self, call: _Call) -> list[str]:
        """The leaves as the user would write them, by the names of the parameters."""
        positional, keywords = call.structure.children()
        static = {place for place, _ in call.static if isinstance(place, int)}
        names = staging.parameter_names(self.__wrapped__, positional.num_children + len(static))
        names = [name for i, name in enumerate(names) if i not in static]
        paths: list[str] = []
        for name, part in zip(names, positional.children(), strict=True):
            paths += tree.path_texts(name, part)
        for name, part in zip(keywords.entries(), keywords.children(), strict=True):
            paths += tree.path_texts(name, part)
        return paths

    # -- compiling -------------------------------------------------------------------------------------------

    def _compile(self, call: _Call, family: _Family, leaves: tuple[Leaf, ...]) -> _Program:
        if self._closure is None:
            self._closure = Closure(self.__wrapped__)
        staged = self._stage(call, leaves, self._closure)
        captures = tuple(c for c in staged.captures if isinstance(c, np.ndarray))
        assert len(captures) == len(staged.captures), "no trace is around this one, so there are no tracers to capture"
        executable = compile_graph(staged.graph, self.target, self._donated_leaves(call))
        count = len(leaves)

        def miss(*given: Any) -> _Missed:
            call_again = _Call(list(given[:count]), call.structure, call.static)
            return _Missed(self._find(call_again, family))

        native = executable.entry(tr.array_type(), _value_offset(), miss, False)
        return _Program(staged, executable, captures, native)

    def _stage(self, call: _Call, leaves: tuple[Leaf, ...], closure: Closure | None) -> Staged:
        paths = self._paths(call)
        inputs = [
            Input(core.numpy_type(dtype, shape), staging.identifier(path), weak)
            for (dtype, shape, weak), path in zip(leaves, paths, strict=True)
        ]

        def run(tracers: list[Any]) -> Any:
            positional, keywords = call.arguments(tracers)
            return self.__wrapped__(*positional, **keywords)

        with self._guarded((id(self), call.structure, _static_key(call.static), leaves)):
            staged = staging.stage(run, inputs, self._name)
        # No derivative is taken any more, so what is there for derivatives can go.
        staged = replace(staged, graph=Inline().rewrite(staged.graph))
        if closure is not None:
            try:
                closure.check_after_trace(self._name)
            except ClosureError:
                self.clear()
                raise
        return staged

    def _guarded(self, signature: Any) -> _Guard:
        return _Guard(self._name, signature)

    def _donated_leaves(self, call: _Call) -> tuple[int, ...]:
        """The positions of leaves of donated arguments."""
        if not self._donated:
            return ()
        positional, keywords = call.structure.children()
        static = sorted(place for place, _ in call.static if isinstance(place, int))
        marks: list[bool] = []
        number = 0
        for part in positional.children():
            while number in static:
                number += 1
            marks += [number in self._donated.numbers] * part.num_leaves
            number += 1
        for name, part in zip(keywords.entries(), keywords.children(), strict=True):
            marks += [name in self._donated.names] * part.num_leaves
        return tuple(i for i, mark in enumerate(marks) if mark)

    def _take_donated(self, call: _Call) -> None:
        """Make sure that nobody reads a donated array: results may be in its memory."""
        for position in self._donated_leaves(call):
            leaf = call.leaves[position]
            if core.is_array(leaf):
                leaf.donate()

    def _set_entry(self, call: _Call, program: _Program) -> None:
        """Send calls like this one straight to the native entry, if they need no Python."""
        structure = program.staged.structure
        flat = call.structure == tree.structure(((0,) * len(call.leaves), _EMPTY))
        single = structure.is_leaf()
        several = structure.type is tuple and structure == tree.structure((0,) * structure.num_leaves)
        if call.static or self._donated or not flat or not (single or several):
            self._set_fast(self._slow)
            return
        captures, count = program.captures, len(call.leaves)
        if not captures:
            native = program.executable.entry(tr.array_type(), _value_offset(), self._slow, single)
        else:
            native = self._with_captures(program, captures, count, single)
        closure = self._closure
        if not closure:
            self._set_fast(native)
            return

        def entry(*args: Any, **kwargs: Any) -> Any:
            if closure.changed() is not None:
                self._check_closure()
            return native(*args, **kwargs)

        self._set_fast(entry)

    def _with_captures(
        self, program: _Program, captures: tuple[NumpyArray, ...], count: int, single: bool
    ) -> Callable[..., Any]:
        def miss(*given: Any, **kwargs: Any) -> Any:
            return self._slow(*given[: len(given) - len(captures)], **kwargs)

        inner = program.executable.entry(tr.array_type(), _value_offset(), miss, single)

        def entry(*args: Any, **kwargs: Any) -> Any:
            return inner(*args, *captures, **kwargs)

        return entry

    def _check_closure(self) -> None:
        assert self._closure is not None
        variable = self._closure.changed()
        if variable is not None:
            self._closure.refuse(variable, self._name)

    # -- inside another trace ----------------------------------------------------------------------------------

    def _inline(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Record the function's ops in the trace that is active."""
        call = self._take_apart(args, kwargs)
        self._family(call)  # Refuses static arguments without a hash.
        instead = "if it decides what is computed, name its argument in static_argnames"
        paths: list[str] = []
        arrays: list[Array] = []
        for position, leaf in enumerate(call.leaves):
            paths = paths or (self._paths(call) if not staging.is_array_like(leaf) else [])
            arrays.append(staging.as_argument(leaf, paths[position] if paths else "", self._name, instead))
        types = tuple((core.type_of(x), core.is_weak(x)) for x in arrays)
        with self._guarded((id(self), call.structure, _static_key(call.static), types)):
            positional, keywords = call.arguments(arrays)
            result = self.__wrapped__(*positional, **keywords)
        leaves, structure = tree.flatten(result)
        return tree.unflatten(
            structure, [staging.as_output(leaf, self._name, structure, i) for i, leaf in enumerate(leaves)]
        )

    # -- inspection ------------------------------------------------------------------------------------------

    def ir(self, *args: Any, stage: str = "traced", **kwargs: Any) -> ShownGraph:
        """The graph for these arguments: as traced, or after the pass called `stage`. Its `str` is its text.

        Raises:
            ArgumentError: no pass has that name.
        """
        program = self._program(args, kwargs)
        _check_stage(stage, ("traced", *pipeline.stage_names(pipeline.GRAPH_PASSES)))
        return ShownGraph.of(pipeline.stage(program.staged.graph, stage))

    def text(self, *args: Any, stage: str = "traced", **kwargs: Any) -> str:
        """The program for these arguments as text, at any stage down to the assembly.

        Raises:
            ArgumentError: there is no such stage.
        """
        program = self._program(args, kwargs)
        if stage == "traced":
            return text(program.staged.graph)
        _check_stage(stage, program.executable.stages)
        return program.executable.stage_text(stage)

    def stages(self, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        """The names of the stages that `text` shows, in order."""
        return ("traced", *(s for s in self._program(args, kwargs).executable.stages if s != "traced"))

    def _program(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Program:
        if self._closure:
            self._check_closure()
        call = self._take_apart(args, kwargs)
        family = self._family(call)
        _, leaves = self._values(call)
        with self._lock:
            program = family.programs.get(leaves)
            if program is None:
                program = family.programs[leaves] = self._compile(call, family, leaves)
        return program


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

    def __str__(self) -> str:
        return text(self)

    __repr__ = __str__


def _check_stage(stage: str, stages: Sequence[str]) -> None:
    if stage not in stages:
        raise tr.located(ArgumentError(f"there is no stage {stage!r}; the stages are {', '.join(stages)}"))


def _static_key(static: tuple[tuple[int | str, Any], ...]) -> tuple[Any, ...]:
    """1, 1.0 and True are equal and decide differently, so their types count."""
    return tuple([(place, type(value), value) for place, value in static])


def _ordered(array: NumpyArray) -> NumpyArray:
    return array if array.flags.c_contiguous else np.array(array, order="C")


@functools.cache
def _value_offset() -> int:
    return slot_offset(tr.array_type(), "_value")
