"""From a Python function over trees of arrays to a graph over flat arrays; what every transform begins with."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, cast

from rosin.frontend import core, tree
from rosin.frontend import trace as tr
from rosin.frontend.errors import ArgumentError
from rosin.frontend.sizes import Size
from rosin.frontend.tree import Structure, Tree
from rosin.ir import facts
from rosin.ir.dataclass import dataclass
from rosin.ir.graph import Graph
from rosin.ir.op import Value
from rosin.ir.types import TensorType
from rosin.passes.checks import CheckNans

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Function: TypeAlias = Callable[..., Any]


@dataclass(frozen=True)
class Input:
    """What a traced argument is: its type, its name in the graph, and whether it stands for a Python number."""

    type: TensorType
    name: str = ""
    weak: bool = False


@dataclass(frozen=True)
class Staged:
    """A traced call: the graph's inputs are the arguments and then what was captured, in order."""

    graph: Graph
    captures: tuple[tr.Captured, ...]
    structure: Structure
    """Of what the function returned."""
    aux: Tree = None
    aux_count: int = 0
    """The last outputs of the graph are leaves of `aux`."""
    weak: tuple[bool, ...] = ()
    """Which outputs stand for Python numbers, whose dtype gives way."""

    def operands(self, arguments: Sequence[Array]) -> list[Array]:
        """What the graph is applied to."""
        return [*arguments, *captured_arrays(self.captures)]

    def over(self, captures: Sequence[tr.Captured]) -> Graph:
        """The graph over the arguments and all of these captures, of which it has some."""
        count = len(self.graph.inputs) - len(self.captures)
        own = {tr.identity(c): v for c, v in zip(self.captures, self.graph.inputs[count:], strict=True)}
        inputs = list(self.graph.inputs[:count])
        for captured in captures:
            type = tr.captured_type(captured)
            inputs.append(own.get(tr.identity(captured)) or Value(type, "captured"))
        return Graph(tuple(inputs), self.graph.nodes, self.graph.outputs, self.graph.name)


def captured_arrays(captures: Sequence[tr.Captured]) -> list[Array]:
    return [core.asarray(c) for c in captures]


def stage(
    function: Callable[[list[Any]], Tree],
    inputs: Sequence[Input],
    name: str,
    has_aux: bool = False,
    adopted: Sequence[tr.Captured] | None = None,
    by: str = "",
) -> Staged:
    """Trace `function`, which gets one traced array for each input; with `has_aux` it returns a pair.

    What the pair holds second may have leaves that are no arrays; these are kept as they are. With `adopted` the trace
    happens later than the call it belongs to, and these are its captures; other arrays become constants. `by` is what
    traces, as users call it.

    Raises:
        ArgumentError: the function returns something that is no tree of arrays, or no pair.
    """
    trace = tr.Trace(identifier(name), adopted is not None, by)
    with trace, facts.gathering():
        arguments = [trace.input(i.type, i.name, i.weak) for i in inputs]
        for captured in adopted or ():
            trace.adopt(captured)
        result = function(arguments)
        aux_outputs: list[Array] = []
        aux_tree: Tree = None
        if has_aux:
            if not is_pair(result):
                message = f"{name} returns {kind_of(result)}; with has_aux it returns a pair (output, aux)"
                raise tr.located(ArgumentError(message))
            result, aux = result
            aux_leaves, aux_structure = tree.flatten(aux)
            aux_outputs = [leaf for leaf in aux_leaves if core.is_array(leaf)]
            places = [_Place() if core.is_array(leaf) else leaf for leaf in aux_leaves]
            aux_tree = tree.unflatten(aux_structure, places)
        leaves, structure = tree.flatten(result)
        outputs = [as_output(leaf, name, structure, i) for i, leaf in enumerate(leaves)]
        graph = trace.finish([*outputs, *aux_outputs])
        if "nan" in tr.state.checks:
            graph = CheckNans().run(graph)
    weak = tuple(core.is_weak(x) for x in (*outputs, *aux_outputs))
    return Staged(graph, tuple(trace.captures), structure, aux_tree, len(aux_outputs), weak)


class _Place:
    """Where an array stands in `aux`."""


def fill_aux(staged: Staged, arrays: Sequence[Array]) -> Tree:
    """The second part of the pair, with its arrays."""
    leaves, structure = tree.flatten(staged.aux)
    rest = iter(arrays)
    return tree.unflatten(structure, [next(rest) if isinstance(leaf, _Place) else leaf for leaf in leaves])


def is_array_like(x: object) -> bool:
    """Whether a leaf can be traced: an array, ours or another library's, or a Python number."""
    return core.is_array(x) or core.is_scalar(x) or hasattr(x, "__array__") or hasattr(x, "__dlpack__")


def as_output(leaf: Any, name: str, structure: Structure, position: int) -> Array:
    """A leaf of what a traced function returned; a symbolic size becomes its number."""
    if isinstance(leaf, Size):
        return core.size_array(leaf.dim)
    if is_array_like(leaf):
        return core.asarray(leaf)
    path = tree.path_texts("result", structure)[position]
    message = f"{name} returns {kind_of(leaf)} at {path}; a traced function returns arrays and trees of them"
    raise tr.located(ArgumentError(message))


def as_argument(leaf: Any, path: str, name: str, instead: str) -> Array:
    """A leaf of an argument.

    Raises:
        ArgumentError: it is no array; the message gives its path.
    """
    if is_array_like(leaf):
        return core.asarray(leaf)
    raise tr.located(ArgumentError(f"{name}: {path} is {kind_of(leaf)}, which is no array; {instead}"))


def is_pair(x: object) -> TypeGuard[tuple[Any, Any]]:
    return isinstance(x, tuple) and len(cast("tuple[Any, ...]", x)) == 2


def kind_of(x: object) -> str:
    text = str(x) if core.is_tracer(x) else repr(x)
    return f"{text if len(text) <= 40 else text[:37] + '...'} of type {type(x).__name__}"


def input_of(x: Array, path: str) -> Input:
    return Input(core.type_of(x), identifier(path), core.is_weak(x))


def identifier(path: str) -> str:
    """A path as one word: `params['w'][0]` as `params_w_0`."""
    return re.sub(r"\W+", "_", path).strip("_")


def name_of(function: Function) -> str:
    """What a function is called in messages and graphs."""
    return getattr(function, "__name__", None) or type(function).__name__


def signature_of(function: Function) -> inspect.Signature:
    return inspect.signature(function)


def parameter_names(function: Function, count: int) -> list[str]:
    """The names of the first `count` positional arguments."""
    names: list[str] = []
    try:
        parameters = signature_of(function).parameters.values()
    except (TypeError, ValueError):
        # Some functions written in C do not tell.
        return [f"arg{i}" for i in range(count)]
    for parameter in parameters:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names.append(parameter.name)
        elif parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{parameter.name}[{i}]" for i in range(count - len(names))]
    return (names + [f"arg{i}" for i in range(len(names), count)])[:count]
