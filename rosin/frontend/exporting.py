"""`export` and `load`: a traced function as a file, which runs without the Python that it was traced from.

The file is a zip archive:

    signature.json     format, version, name, the trees of arguments and results, what is known of symbolic sizes
    program.rosin      the graph as text, from which every target compiles
    program.mlir       its StableHLO text, where all sizes are numbers
    program.bytecode   the same as StableHLO's portable bytecode, where jaxlib was there to write it

The bytecode is of the oldest version that can hold it, so that compilers of years ago and of years to come read it.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rosin.frontend import batching, core, source, staging, tree
from rosin.frontend import trace as tr
from rosin.frontend.errors import ArgumentError
from rosin.frontend.programs import MISSED, miss, value_offset
from rosin.frontend.sharding import PartitionSpec
from rosin.frontend.signature import Call
from rosin.frontend.sizes import Spec, facts_of
from rosin.frontend.staging import Function, Input
from rosin.frontend.tree import Structure, Tree
from rosin.ir import dims, facts, printer
from rosin.ir.builder import Builder
from rosin.ir.dataclass import dataclass
from rosin.ir.errors import ConstraintError, UnsupportedError, located
from rosin.ir.facts import Check, Facts
from rosin.ir.graph import Graph
from rosin.ir.host import HostFunction
from rosin.ir.parser import parse
from rosin.ir.sharding import Axes, Shardings, check_cuts
from rosin.ir.specialize import specialize
from rosin.ir.types import TensorType
from rosin.passes.inline import Inline

if TYPE_CHECKING:
    from rosin.frontend.array import Array

FORMAT, VERSION = "rosin program", 1


@dataclass(frozen=True, eq=False)
class Exported:
    """A program with its signature. Call it as the function that it was made of, with arrays of these types."""

    graph: Graph
    inputs: Structure
    """The tree of positional arguments and those by name."""
    outputs: Structure
    checks: tuple[Check, ...] = ()
    """What is known of symbolic sizes."""
    mesh: tuple[tuple[str, int], ...] = ()
    """The named axes of the devices that run it together, with their sizes; each has a shard of the arguments."""
    target: str = "llvm"
    shardings: Shardings | None = None
    """How whole arrays are spread over the devices of a mesh, instead of a shard for each."""
    _compiled: list[Any] = field(default_factory=list[Any], repr=False)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.mesh and self.shardings is None:
            return self.on_shards([(args, kwargs)])[0]
        arrays = self._arrays(args, kwargs)
        if not self._compiled:
            path, known = core.compile_path(), facts_of(self.checks)
            if self.shardings is None:
                executable = path.compile_graph(self.graph, self.target, (), known)
            else:
                executable = path.compile_spread(self.graph, self.target, self.shardings, known)
            self._compiled.extend([executable, executable.entry(tr.array_type(), value_offset(), miss, False)])
        executable, native = self._compiled
        found = native(*arrays)
        if found is MISSED:
            found = map(tr.wrap, executable(*map(tr.numpy_of, arrays)))
        return tree.unflatten(self.outputs, found)

    def on_shards(self, shards: Sequence[tuple[tuple[Any, ...], dict[str, Any]]]) -> list[Any]:
        """The result of each device, given its positional arguments and those by name; devices are numbered along the
        axes of the mesh, the last axis running fastest.

        Raises:
            ArgumentError: there are more or fewer shards than devices, or arguments of another tree.
            UnsupportedError: the xla target has too few devices.
        """
        if not self.mesh and len(shards) == 1:
            args, kwargs = shards[0]
            return [self(*args, **kwargs)]
        count = math.prod(size for _, size in self.mesh)
        if self.shardings is not None:
            message = f"{self.graph.name} takes whole arrays, which are spread over the devices; call it with these"
            raise tr.located(ArgumentError(message))
        if len(shards) != count:
            message = f"{self.graph.name} runs on {count} devices and was given {len(shards)} shards"
            raise tr.located(ArgumentError(f"{message}; on_shards takes a list of (args, kwargs)"))
        values = [list(map(tr.numpy_of, self._arrays(*shard))) for shard in shards]
        if not self._compiled:
            run = core.compile_path().compile_shards(self.graph, self.target, dict(self.mesh), facts_of(self.checks))
            self._compiled.append(run)
        return [tree.unflatten(self.outputs, map(tr.wrap, found)) for found in self._compiled[0](values)]

    def _arrays(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Array]:
        leaves, structure = tree.flatten((args, kwargs))
        if structure != self.inputs:
            raise tr.located(ArgumentError(f"{self.graph.name} takes {self.inputs} and was given {structure}"))
        pairs = zip(leaves, self.graph.inputs, strict=True)
        return [core.asarray(x, v.type.dtype if core.is_scalar(x) else None) for x, v in pairs]

    def __str__(self) -> str:
        given = ", ".join(f"{v.name}: {v.type}" for v in self.graph.inputs)
        return f"{self.graph.name}({given}) -> {', '.join(str(v.type) for v in self.graph.outputs)}"

    def at(self, **sizes: int) -> Exported:
        """The program with numbers in the place of its symbolic sizes.

        Raises:
            ArgumentError: a size is missing, or is none of the program.
            RosinError: these numbers do not fit what the program needs of its sizes.
        """
        symbols = list(dict.fromkeys(name for v in self.graph.inputs for name in v.type.symbols))
        if set(symbols) != set(sizes):
            has = f"has the symbolic sizes {', '.join(symbols)}" if symbols else "has no symbolic sizes"
            given = ", ".join(sizes) or "none"
            instead = f"; give a number for each, as in {', '.join(f'{s}=8' for s in symbols)}" if symbols else ""
            raise tr.located(ArgumentError(f"{self.graph.name} {has}, and was given {given}{instead}"))
        if not sizes:
            return self
        for check in self.checks:
            if not check.holds(sizes):
                numbers = ", ".join(f"{name}={number}" for name, number in sizes.items())
                raise tr.located(ConstraintError(f"{self.graph.name} needs {check}, which {numbers} do not fit"))
        with facts.assuming(Facts(), gather=True):
            graph = specialize(self.graph, sizes)
        return replace(self, graph=graph, checks=(), _compiled=[])

    def stablehlo(self, **sizes: int) -> str:
        """The StableHLO text, for these numbers in the place of symbolic sizes.

        Raises:
            ArgumentError: a size is missing, or is none of the program.
            UnsupportedError: StableHLO has no way to say an op.
        """
        graph = self.at(**sizes).graph
        return core.compile_path().stablehlo_text(graph, (), None, dict(self.mesh), self.shardings)

    def bytecode(self, **sizes: int) -> bytes:
        """The StableHLO program in its portable binary form; jaxlib writes it.

        Raises:
            UnsupportedError: jaxlib is not installed, or the program is spread over devices.
        """
        from rosin.runtime.xla import portable

        if self.shardings is not None:
            message = f"{self.graph.name} is spread over devices, which StableHLO's bytecode has no words for"
            raise UnsupportedError(f"{message}; its text has: stablehlo()")
        return portable(self.stablehlo(**sizes))

    def to_bytes(self) -> bytes:
        """The file."""
        signature = {
            "format": FORMAT,
            "version": VERSION,
            "name": self.graph.name,
            "inputs": _encoded(self.inputs),
            "outputs": _encoded(self.outputs),
            "mesh": dict(self.mesh),
            "shardings": None if self.shardings is None else [self.shardings.inputs, self.shardings.outputs],
            "checks": [[str(c.left), c.kind, str(c.right)] for c in self.checks],
        }
        parts: dict[str, str | bytes] = {
            "signature.json": json.dumps(signature, indent=1),
            "program.rosin": printer.text(self.graph),
        }
        if not self.graph.symbols():
            parts |= self._stablehlo_parts()
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in parts.items():
                # No time of writing: the same program gives the same bytes.
                archive.writestr(zipfile.ZipInfo(name), data)
        return file.getvalue()

    def _stablehlo_parts(self) -> dict[str, str | bytes]:
        from rosin.runtime import xla

        text = self.stablehlo()
        parts: dict[str, str | bytes] = {"program.mlir": text}
        if xla.is_installed() and self.shardings is None:
            parts["program.bytecode"] = xla.portable(text)
        return parts

    def save(self, path: str | PathLike[str]) -> None:
        """Write the file."""
        Path(path).write_bytes(self.to_bytes())


def export(
    f: Function,
    /,
    *specs: Any,
    mesh: Mapping[str, int] | None = None,
    in_shardings: Tree = None,
    out_shardings: Tree = None,
    **by_name: Any,
) -> Exported:
    """Trace a function for a file that `load` reads.

    specs: trees like the arguments, of `rosin.spec("f32[n, 3]")`, or of arrays and whatever else has a shape and a
        dtype. Arrays that the function reads from outside become part of the program.
    mesh: the named axes of devices with their sizes, for a program that many devices run, each on shards of its own,
        which are what the specs tell. Within it `psum` and its like go along these axes.
    in_shardings, out_shardings: for a program of whole arrays that are spread over the devices of the mesh, how
        arguments and results lie there: a `PartitionSpec` for all, or trees of them and of None (for whole arrays on
        every device) that begin as the tuple of arguments and the result do. Arguments by name are whole.

    Raises:
        ArgumentError: a leaf says no type, the trees have nodes that a file does not hold, or shardings come without a
            mesh or do not fit the trees.
        AttributeValueError: an array cannot be cut as its sharding says.
        UnsupportedError: the program calls Python.
        RosinError: a symbolic size cannot be read from the arguments.
    """
    name = staging.name_of(f)
    leaves, structure = tree.flatten((specs, by_name), _is_spec)
    paths = Call(leaves, structure, ()).paths(f)
    inputs = [
        Input(_type(leaf, path, name), staging.identifier(path)) for leaf, path in zip(leaves, paths, strict=True)
    ]
    checks = tuple(dict.fromkeys(check for leaf in leaves if isinstance(leaf, Spec) for check in leaf.checks))

    def run(tracers: list[Any]) -> Any:
        args, kwargs = tree.unflatten(structure, tracers)
        return f(*args, **kwargs)

    axes = tuple((mesh or {}).items())
    spread = in_shardings is not None or out_shardings is not None
    if spread and not axes:
        raise tr.located(ArgumentError(f"export: {name} has shardings, and no mesh of devices that they are about"))
    with facts.assuming(facts_of(checks), gather=True), batching.within([] if spread else list(axes)):
        staged = staging.stage(run, inputs, name, by="export")
        b = Builder()
        values = [b.input(i.type, i.name) for i in inputs]
        values += [b.constant(tr.numpy_of(c), tr.captured_type(c)) for c in staged.captures]
        graph = Inline(spread).run(b.graph(b.inline(staged.graph, values), staged.graph.name))
    _refuse_python(graph, graph.name)
    core.compile_path().size_graph(graph, facts_of(checks))
    for part in (structure, staged.structure):
        _encoded(part)
    shardings = None
    if spread:
        made = tree.unflatten(staged.structure, [0] * len(graph.outputs))
        given = [*_specified(in_shardings, specs, "in"), *[()] * len(tree.leaves(by_name, _is_spec))]
        shardings = Shardings(axes, tuple(given), tuple(_specified(out_shardings, made, "out")))
        _check_shardings(graph, shardings)
    return Exported(graph, structure, staged.structure, checks, axes, shardings=shardings)


def _is_spec(x: object) -> bool:
    return isinstance(x, Spec)


def _specified(prefix: Tree, full: Tree, side: str) -> list[Axes]:
    """How each leaf of a tree is cut."""
    try:
        found = tree.broadcast_prefix(prefix, full, _is_spec)
    except ValueError as error:
        message = f"export: {side}_shardings {prefix!r} does not fit the tree {tree.structure(full, _is_spec)}"
        raise tr.located(ArgumentError(message)) from error
    for spec in found:
        if spec is not None and not isinstance(spec, PartitionSpec):
            message = f"export: {side}_shardings holds PartitionSpec and None, not {spec!r}"
            raise tr.located(ArgumentError(message))
    return [() if spec is None else spec.axes for spec in found]


def _check_shardings(graph: Graph, shardings: Shardings) -> None:
    """Raise unless every argument and result can be cut as it shall be."""
    named = [(f"argument {v.name}", v, axes) for v, axes in zip(graph.inputs, shardings.inputs, strict=True)]
    named += [(f"result {i}", v, a) for i, (v, a) in enumerate(zip(graph.outputs, shardings.outputs, strict=True))]
    with located(source.user_location()):
        for what, value, axes in named:
            check_cuts(value.type, axes, dict(shardings.mesh), f"export: {what} of {graph.name}")


def load(file: str | PathLike[str] | bytes, target: str = "llvm") -> Exported:
    """The program in a file, or in its bytes, for a target.

    Raises:
        ArgumentError: it is no such file, or one of a newer version.
    """
    data = file if isinstance(file, bytes) else Path(file).read_bytes()
    what = "the bytes" if isinstance(file, bytes) else str(file)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            signature = json.loads(archive.read("signature.json"))
            text = archive.read("program.rosin").decode()
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise tr.located(ArgumentError(f"load: {what}: no exported program ({error})")) from error
    if signature.get("format") != FORMAT or signature.get("version") != VERSION:
        found = f"{signature.get('format')!r}, version {signature.get('version')}"
        raise tr.located(
            ArgumentError(f"load: {what} is a {found}, and this Rosin reads {FORMAT!r}, version {VERSION}")
        )
    checks = tuple(Check(dims.parse(left), kind, dims.parse(right)) for left, kind, right in signature["checks"])
    with facts.assuming(facts_of(checks), gather=True):
        graph = parse(text)
    inputs, outputs = (tree.structure(_decoded(signature[name])) for name in ("inputs", "outputs"))
    mesh = tuple(signature["mesh"].items())
    lie = signature.get("shardings")
    shardings = None if lie is None else Shardings(mesh, *(_axes(side) for side in lie))
    return Exported(graph, inputs, outputs, checks, mesh, target, shardings)


def _axes(side: Sequence[Sequence[Sequence[str]]]) -> tuple[Axes, ...]:
    """What JSON makes of how arrays are cut, as tuples again."""
    return tuple(tuple(map(tuple, axes)) for axes in side)


def _type(leaf: Any, path: str, name: str) -> TensorType:
    if isinstance(leaf, Spec):
        return leaf.type
    if hasattr(leaf, "shape") and hasattr(leaf, "dtype"):
        return TensorType(core.as_dtype(leaf.dtype), tuple(leaf.shape))
    if core.is_scalar(leaf):
        return core.type_of(core.asarray(leaf))
    message = f"export: {path} of {name} is {staging.kind_of(leaf)}, which says no type"
    raise tr.located(ArgumentError(f'{message}; give rosin.spec("f32[n, 3]") or an array'))


def _refuse_python(graph: Graph, name: str) -> None:
    for node in graph.nodes:
        if any(isinstance(value, HostFunction) for value in node.op.attributes().values()):
            what = f"export: {name} calls a function by {node.op.name}, which is known in this process alone"
            raise UnsupportedError(what, (), node.location)
        for region in node.regions:
            _refuse_python(region, name)


# -- trees in JSON ---------------------------------------------------------------------------------------------------


def _encoded(structure: Structure) -> Any:
    """A tree's structure as JSON: "*" is a leaf."""
    if structure.is_leaf():
        return "*"
    kind = structure.type
    children = [_encoded(child) for child in structure.children()]
    if kind is type(None):
        return None
    if kind in (tuple, list):
        return {cast("type", kind).__name__: children}
    if kind is dict and all(isinstance(key, str) for key in structure.entries()):
        return {"dict": dict(zip(structure.entries(), children, strict=True))}
    message = "a file holds trees of tuples, lists and dicts with string keys"
    raise tr.located(ArgumentError(f"export: {message}, and there is one of {getattr(kind, '__name__', kind)}"))


_MAKE: dict[str, Callable[[Sequence[Any]], Any]] = {"tuple": tuple, "list": list}


def _decoded(written: Any) -> Any:
    """A tree with that structure; its leaves are numbers."""
    if written == "*" or written is None:
        return None if written is None else 0
    ((kind, inside),) = written.items()
    if kind == "dict":
        return {key: _decoded(part) for key, part in inside.items()}
    return _MAKE[kind]([_decoded(part) for part in inside])
