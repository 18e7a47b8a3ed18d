"""`compile`: the function is traced once for each signature, and from then on calls go into native code.

A signature is the tree of the arguments, the dtype and shape of each leaf, and the values of the static arguments. What
a call does, cheapest first:

1. all arguments are arrays, as in the last call: `__call__` → the native entry, which checks them and runs;
2. a tree, keywords, or static arguments: flatten, look the tree up, the native entry over the leaves, unflatten;
3. the entry does not fit (a miss): look the signature up; trace and compile if it is new.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import threading
import warnings
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from types import MethodType
from typing import TYPE_CHECKING, Any, overload
from weakref import WeakSet

from rosin.frontend import core, rewrite, source, staging, tree
from rosin.frontend import trace as tr
from rosin.frontend.closure import Closure
from rosin.frontend.dynamic import Axes, Dynamic, Pattern, Where
from rosin.frontend.errors import ArgumentError, ClosureError, RecompileWarning, RecursiveCompileError
from rosin.frontend.kept import Kept, is_fixed
from rosin.frontend.programs import MISSED, Family, Program, entry_of, miss
from rosin.frontend.repacking import Repacker, repacker
from rosin.frontend.signature import MAKE_STATIC, Call, Names, Numbers, Selected, Types, take_apart
from rosin.frontend.signatures import Signature, culprit, signature_of
from rosin.frontend.staging import Function, Staged
from rosin.frontend.unpacking import UNLIKE, Unpacker, unpacker
from rosin.ir import facts
from rosin.ir.dims import Dim
from rosin.ir.facts import Facts
from rosin.ir.graph import Graph
from rosin.ir.printer import text
from rosin.passes.checks import KINDS as CHECK_KINDS
from rosin.passes.inline import Inline

if TYPE_CHECKING:
    from rosin.frontend.array import Array
    from rosin.runtime.executable import Executable

CACHE_SIZE = 1024
"""How many programs of one function are kept."""

ALIKE = 8
"""After so many calls of one program, code is made that takes the arguments of such calls apart."""

MANY_PROGRAMS = 8
"""How often a function may compile before it is warned of."""

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
    dynamic: Dynamic = None,
    where: Where = (),
    cache_size: int = CACHE_SIZE,
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
    dynamic: Dynamic = None,
    where: Where = (),
    cache_size: int = CACHE_SIZE,
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

    `dynamic` says which sizes of arguments are symbolic, so that one program serves all of them (rosin.frontend.dynamic
    and docs/shapes.md): None makes a size symbolic when it is met the second time, False none, True all; a mapping
    names arguments, with axes or a `spec` for each. `where` are conditions that these sizes fit: a call that breaks one
    is an error. Of the programs that were compiled the `cache_size` used last are kept.

    Raises:
        ArgumentError: a static or donated argument is not one of the function's, no check has that name, or a condition
            is none.
    """
    if f is None:
        options: dict[str, Any] = {
            "target": target,
            "static_argnames": static_argnames,
            "static_argnums": static_argnums,
            "donate_argnames": donate_argnames,
            "donate_argnums": donate_argnums,
            "checks": checks,
            "dynamic": dynamic,
            "where": where,
            "cache_size": cache_size,
        }
        return functools.partial(compile, **options)
    static = Selected(f, "static", static_argnames, static_argnums)
    donated = Selected(f, "donate", donate_argnames, donate_argnums)
    axes = Axes(dynamic, where, staging.name_of(f))
    return Compiled(f, target, static, donated, axes, cache_size, _check_kinds(checks))


def _check_kinds(checks: Names) -> tuple[str, ...]:
    names = checks.split(",") if isinstance(checks, str) else checks
    kinds = tuple([name.strip() for name in names if name.strip()])
    for kind in kinds:
        if kind not in CHECK_KINDS:
            message = f"checks: there is no check {kind!r}; there are {', '.join(CHECK_KINDS)}"
            raise tr.located(ArgumentError(message))
    return kinds


def _take(leaves: Sequence[Any], donated: Sequence[int]) -> None:
    """Take the memory of donated arrays away."""
    for position in donated:
        leaf = leaves[position]
        if core.is_array(leaf):
            leaf.donate()


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
        self,
        f: Function,
        target: str,
        static: Selected,
        donated: Selected,
        axes: Axes,
        cache_size: int = CACHE_SIZE,
        checks: tuple[str, ...] = (),
    ) -> None:
        functools.update_wrapper(self, f)
        self.__wrapped__ = f
        self.target = target
        self._static = static
        self._donated = donated
        self._axes = axes
        self._cache_size = max(cache_size, 1)
        self._checks = checks
        self._name = staging.name_of(f)
        self._lock = threading.RLock()
        self._families: dict[Any, Family] = {}
        self._recent: dict[Program, Family] = {}
        """The programs, those used last at the end."""
        self._first = self._slow
        self._forget()

    def clear(self) -> None:
        """Forget what was compiled; the next call traces anew, with the Python values of that time."""
        had = bool(self._recent)
        self._drop()
        self._forget()
        if had:
            core.compile_path().release_memory()

    def _drop(self) -> None:
        """Part programs and their families, which hold each other: they would wait for the garbage collector."""
        for program, family in self._recent.items():
            family.drop(program)

    def _forget(self) -> None:
        # Nothing new that lasts is made: it would lie among what is forgotten, and keep its memory from the system.
        self._families.clear()
        self._recent.clear()
        self._compiled = 0
        self._warned = False
        self._closure: Closure | None = None
        self._like: tuple[Unpacker, Program, Repacker, tuple[int, ...]] | None = None
        """What takes calls apart that are like the last ones, the program for them, what makes its results, and which
        leaves are donated."""
        self._alike = 0
        self._set_fast(self._first)

    def _set_fast(self, entry: Callable[..., Any]) -> None:
        """Take `entry` for calls outside of traces."""
        with _every_lock:
            _every.add(self)
            self._fast = entry
            self._entry = self._dispatch if tr.is_anywhere() else entry

    def _prefer(self, program: Program) -> None:
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
        if self._like is not None:
            unpack, program, repack, donated = self._like
            try:
                leaves = unpack(args, kwargs)
            except UNLIKE:
                leaves = None
            if leaves is not None:
                try:
                    result = program.native(*leaves, *program.captures)
                except BaseException:
                    _take(leaves, donated)
                    raise
                if result is not MISSED:
                    _take(leaves, donated)
                    return repack(result)
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
        if result is MISSED:
            return self._find(call, family)
        self._prefer(last)
        self._alike += 1
        types = call.values()[1] if self._alike == ALIKE else ()
        self._take_donated(call)
        if self._alike == ALIKE:
            self._note_like(take_apart(self._static, args, kwargs), types, last)
        return tree.unflatten(last.staged.structure, result)

    def _note_like(self, call: Call, types: Types, program: Program) -> None:
        """Make code that takes calls like this one apart, if it can be made."""
        unpack = unpacker(call, types)
        if unpack is not None:
            self._like = unpack, program, repacker(program.staged.structure), self._donated_of(call)

    def _donated_of(self, call: Call) -> tuple[int, ...]:
        """The positions of the leaves that are donated."""
        return call.leaves_of(self._donated) if self._donated else ()

    def _family(self, call: Call) -> Family:
        key = call.key(self.__wrapped__)
        family = self._families.get(key)
        if family is None:
            family = self._families[key] = Family()
        return family

    def _find(self, call: Call, family: Family) -> Any:
        """The result by the program of the call's signature, compiled if there is none."""
        values, types = call.values()
        program = self._program(call, family, types)
        self._use(program, family)
        self._prefer(program)
        try:
            # The native entry works in the memory of donated arrays, but in none that others may know: that of NumPy
            # arrays, and of what shares memory with them, which is read-only.
            leaves = list(call.leaves)
            for position in self._donated_of(call):
                if not (core.is_array(leaves[position]) and values[position].flags.writeable):
                    leaves[position] = tr.wrap(values[position].copy())
            result = program.native(*leaves, *program.captures)
            return program.run(values) if result is MISSED else tree.unflatten(program.staged.structure, result)
        finally:
            self._take_donated(call)

    def _program(self, call: Call, family: Family, types: Types) -> Program:
        program = family.find(types)
        if program is None:
            with self._lock:
                program = family.find(types)
                if program is None:
                    with _without_collecting():
                        program = self._new_program(call, family, types)
        return program

    def _new_program(self, call: Call, family: Family, types: Types) -> Program:
        paths = call.paths(self.__wrapped__)
        pattern = self._axes.stated(types, paths)
        if pattern is None and self._axes.automatic:
            pattern = family.automatic(types, paths)
        family.note(types)
        program = None if pattern is None else self._symbolic_program(call, family, types, pattern)
        if program is None:
            program = family.programs[types] = self._compile(
                call, types, self._traced(call, types, [shape for _, shape in types])
            )
            if family.refused and len(family.met) > 1:
                why = f"{program.signature.why}; its sizes are not symbolic: {family.refused}"
                program.signature = replace(program.signature, why=why)
        self._compiled += 1
        if self._compiled >= MANY_PROGRAMS and not self._warned:
            self._warned = True
            self._warn(family, paths)
        return program

    def _symbolic_program(self, call: Call, family: Family, types: Types, pattern: Pattern) -> Program | None:
        """The program for a pattern; None where sizes became symbolic by themselves and that does not work."""
        known = pattern.facts(types)
        try:
            with facts.assuming(known, gather=True):
                staged = self._traced(call, types, pattern.shapes)
        except Exception as error:  # Traced again with numbers, a mistake of the user's own shows as what it is.
            if pattern.stated:
                raise
            if not family.symbolic:
                family.refused = f"{type(error).__name__}: {str(error).splitlines()[0]}"
            return None
        program = self._compile(call, types, staged, pattern, known)
        family.add(program)
        return program

    def _use(self, program: Program, family: Family) -> None:
        """Note that a program is used; forget the one that was not for longest when there are too many."""
        with self._lock:
            self._like, self._alike = None, 0
            family.last = program
            self._recent.pop(program, None)
            self._recent[program] = family
            while len(self._recent) > self._cache_size:
                oldest = next(iter(self._recent))
                self._recent.pop(oldest).drop(oldest)

    def _warn(self, family: Family, paths: Sequence[str]) -> None:
        """Tell which argument keeps the function compiling."""
        reason = culprit(family.met, paths) if len(family.met) > 1 else ""
        if not reason:
            reason = "static arguments, or the tree of the arguments, differ from call to call"
        refused = f"; sizes did not become symbolic: {family.refused}" if family.refused else ""
        message = f"{self._name} was compiled {self._compiled} times: {reason}{refused}; see {self._name}.signatures()"
        warnings.warn(message, RecompileWarning, stacklevel=source.user_depth())

    def signatures(self) -> list[Signature]:
        """What was compiled, and why: the types of the arguments, guards and conditions on sizes, oldest use first."""
        return [program.signature for program in self._recent]

    def _take_donated(self, call: Call) -> None:
        """Make sure that nobody reads a donated array: results may be in its memory, also when the program failed."""
        _take(call.leaves, self._donated_of(call))

    def _check_closure(self) -> None:
        assert self._closure is not None
        variable = self._closure.changed()
        if variable is not None:
            self._closure.refuse(variable, self._name)

    # -- compiling -------------------------------------------------------------------------------------------

    def _traced(self, call: Call, types: Types, shapes: Sequence[Sequence[Dim]]) -> Staged:
        # What is read outside counts from the first trace that comes through.
        closure = self._closure if self._closure is not None else Closure(self.__wrapped__)
        staged = self._stage(call, types, shapes, closure)
        self._closure = closure
        return staged

    def _compile(
        self, call: Call, types: Types, staged: Staged, pattern: Pattern | None = None, known: Facts | None = None
    ) -> Program:
        """The program of a traced call; with symbolic sizes of a pattern, of which so much is known."""
        captures = staged.captures
        assert not any(map(core.is_tracer, captures)), "no trace is around this one, so there are no tracers to capture"
        donated = self._donated_of(call)
        first = len(staged.graph.inputs) - len(captures)
        fixed = [first + i for i, captured in enumerate(captures) if is_fixed(captured)]
        executable = core.compile_path().compile_graph(staged.graph, self.target, donated, known, fixed)
        kept = Kept(executable, captures) if executable.kept else None
        native = entry_of(executable, kept, miss, False)
        direct = self._direct(call, staged, executable, kept, captures)
        sizes = None if pattern is None or known is None else pattern.sizes(known.guards)
        signature = signature_of(call, self.__wrapped__, types, pattern, executable.sizes, sizes)
        return Program(staged, executable, captures, native, direct, signature, pattern, kept, sizes)

    def _stage(self, call: Call, types: Types, shapes: Sequence[Sequence[Dim]], closure: Closure) -> Staged:
        inputs = call.inputs(self.__wrapped__, types, shapes)

        def run(tracers: list[Any]) -> Any:
            positional, keywords = call.arguments(tracers)
            return rewrite.call(self.__wrapped__, *positional, **keywords)

        guard = _Guard(self._name, (id(self), call.key(self.__wrapped__), tuple(i.type for i in inputs)))
        with guard, tr.checking(self._checks):
            staged = staging.stage(run, inputs, self._name, by="compile")
        try:
            closure.check_after_trace(self._name)
        except ClosureError:
            self.clear()
            raise
        # No derivative is taken any more, so what is there for derivatives can go.
        return replace(staged, graph=Inline(few_steps=None).rewrite(staged.graph))

    def _direct(
        self,
        call: Call,
        staged: Staged,
        executable: Executable,
        kept: Kept | None,
        captures: tuple[tr.Captured, ...],
    ) -> Callable[..., Any] | None:
        """What takes the arguments of calls like this one as they are, if these need no Python: the native entry."""
        structure = staged.structure
        flat = call.structure == _positional(len(call.leaves))
        single = structure.is_leaf()
        several = structure.type is tuple and structure == _tuple(structure.num_leaves)
        if call.static or call.weak or self._donated or not flat or not (single or several):
            return None
        if captures:
            native = self._with_captures(executable, kept, captures, single)
        else:
            native = entry_of(executable, None, self._slow, single)
        return self._closure.watched(native, self._check_closure) if self._closure else native

    def _with_captures(
        self, executable: Executable, kept: Kept | None, captures: tuple[tr.Captured, ...], single: bool
    ) -> Callable[..., Any]:
        def miss(*given: Any, **kwargs: Any) -> Any:
            return self._slow(*given[: len(given) - len(captures)], **kwargs)

        inner = entry_of(executable, kept, miss, single)

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
        """The program for these arguments as text, at any stage down to the assembly; "stablehlo" on every target.

        Raises:
            ArgumentError: there is no such stage.
        """
        program = self._shown(args, kwargs)
        if stage == "traced":
            return text(program.staged.graph)
        if stage == "stablehlo":
            return core.compile_path().stablehlo_text(program.staged.graph, program.executable.donated)
        _check_stage(stage, program.executable.stages)
        return program.executable.stage_text(stage)

    def explain(self, *args: Any, **kwargs: Any) -> str:
        """A report on the program for these arguments: which nodes are computed together and why others are not, what
        each group costs at least on this machine, the loops of its kernels, and where values lie (docs/explain.md).

        Raises:
            UnsupportedError: the target is not "llvm".
        """
        return self._shown(args, kwargs).executable.explain()

    def stages(self, *args: Any, **kwargs: Any) -> tuple[str, ...]:
        """The names of the stages that `text` shows, in order."""
        return ("traced", *(s for s in self._shown(args, kwargs).executable.stages if s != "traced"))

    def _shown(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Program:
        """The program that a call with these arguments runs."""
        if self._closure:
            self._check_closure()
        call = take_apart(self._static, args, kwargs)
        call.make_arrays(self.__wrapped__)
        family = self._family(call)
        program = self._program(call, family, call.values()[1])
        self._use(program, family)
        return program


def _switch(tracing: bool) -> None:
    with _every_lock:
        for compiled in _every:
            compiled.switch(tracing)


setattr(Compiled, "__call__", Compiled.__dict__["_entry"])  # noqa: B010  # CPython calls what the slot holds
tr.on_tracing(_switch)


@contextlib.contextmanager
def _without_collecting() -> Generator[None]:
    """No search for garbage in cycles: compiling leaves little of it, and makes much that a search looks through."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            if gc.get_count()[0] > gc.get_threshold()[0] > 0:
                # Else Python would search now, and perhaps all that the process has.
                gc.collect(0)
            gc.enable()


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


@functools.cache
def _tuple(leaves: int) -> Any:
    """The structure of a tuple of that many leaves."""
    return tree.structure((0,) * leaves)


@functools.cache
def _positional(leaves: int) -> Any:
    """The structure of the arguments of a call with that many arrays, none of them by name."""
    return tree.structure(((0,) * leaves, {}))
