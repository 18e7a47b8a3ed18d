"""What is in a model: its arrays by name, a table of its layers, and what differs between two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import rosin
from rosin import Array
from rosin.stdlib.nn import calls
from rosin.stdlib.nn.module import Module, fields_of
from rosin.stdlib.nn.paths import named_arrays
from rosin.stdlib.nn.run import Run
from rosin.stdlib.nn.texts import array_text, text


def count(module: Module) -> int:
    """How many parameters a module has."""
    return sum(int(array.size) for _, array in named_arrays(module, buffers=False))


# -- the table -----------------------------------------------------------------------------------------------------


def summary(module: Module, *args: Any, **kwargs: Any) -> str:
    """A table of the modules that are called with these arguments, the inner ones first: what each gives, its
    parameters, and its floating point operations; below it the sums, and how many multiplications with an addition,
    which some count as one operation, products of matrices and convolutions have.

    Arrays may be described by `rosin.ShapeDtypeStruct`; nothing is computed. Modules that `vmap`, `scan` and their like
    call are in it once, with the operations of one example or step.
    """
    rows: list[tuple[str, ...]] = []

    def note(path: str, part: Module, call: calls.Call) -> None:
        arrays = [x for x in rosin.tree.leaves(call.result) if isinstance(x, Array)]
        types = ", ".join(map(array_text, arrays))
        rows.append((path, type(part).__name__, types, f"{count(part):,}", f"{_operations(part, call):,}"))

    arrays, again = _taken_apart(args, kwargs)
    with calls.hooked(note):
        rosin.eval_shape(again, module, arrays)
    heads = ("module", "kind", "output", "parameters", "operations")
    widths = [max(len(line[i]) for line in (heads, *rows)) for i in range(len(heads))]
    lines = [_line(line, widths) for line in (heads, *rows)]
    rule = "-" * max(map(len, lines))
    size = sum(int(array.size) * array.dtype.bytes for _, array in named_arrays(module))
    with calls.unhooked():
        cost = rosin.cost(again, module, arrays)
    sums = f"{count(module):,} parameters, {_bytes(size)}; {cost.flops:,} operations"
    return "\n".join([lines[0], rule, *lines[1:], rule, f"{sums}, {cost.multiply_adds:,} multiply-adds among them"])


def _operations(module: Module, call: calls.Call) -> int:
    """The floating point operations of a call that was made, from another one."""
    arrays, again = _taken_apart(call.args, call.kwargs)
    with calls.unhooked():
        return rosin.cost(again, module, arrays).flops


def _taken_apart(args: Any, kwargs: Any) -> tuple[list[Any], Callable[[Module, list[Any]], Any]]:
    """The arrays among the arguments of a call, and what calls a module with others in their places.

    A `Run` belongs to the trace in which it is made, so each call has one of its own.
    """
    leaves, structure = rosin.tree.flatten((args, kwargs))
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, _ARRAYS)]

    def again(module: Module, arrays: list[Any]) -> Any:
        given = [Run(rosin.random.key(0), training=x.training) if isinstance(x, Run) else x for x in leaves]
        for place, array in zip(places, arrays, strict=True):
            given[place] = array
        args, kwargs = rosin.tree.unflatten(structure, given)
        return module(*args, **kwargs)

    return [leaves[i] for i in places], again


_ARRAYS = (Array, rosin.ShapeDtypeStruct, np.ndarray)


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    texts = [cell.ljust(width) for cell, width in zip(cells[:3], widths, strict=False)]
    return "  ".join([*texts, *(cell.rjust(width) for cell, width in zip(cells[3:], widths[3:], strict=True))])


def _bytes(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


# -- the difference ------------------------------------------------------------------------------------------------


def difference(a: Any, b: Any, *, rtol: float = 0.0, atol: float = 0.0) -> str:
    """What differs between two models, a line each: missing parts, settings, shapes, and how far numbers are apart.

    Numbers within the tolerances are equal; an empty text says that nothing differs.
    """
    return "\n".join(_differences(a, b, type(a).__name__, rtol, atol))


def _differences(a: Any, b: Any, path: str, rtol: float, atol: float) -> Iterator[str]:
    if isinstance(a, Array) and isinstance(b, Array):
        yield from _array_difference(a, b, path, rtol, atol)
    elif type(a) is not type(b):
        yield f"{path}: {type(a).__name__} here, {type(b).__name__} there"
    elif isinstance(a, Module):
        for field, part in fields_of(a):
            yield from _differences(part, b.__dict__[field.name], f"{path}.{field.name}", rtol, atol)
    elif isinstance(a, tuple | list):
        if len(a) != len(b):
            yield f"{path}: {len(a)} parts here, {len(b)} there"
        for number, parts in enumerate(zip(a, b, strict=False)):
            yield from _differences(*parts, f"{path}[{number}]", rtol, atol)
    elif isinstance(a, dict):
        for key in sorted({*a, *b}):
            if key in a and key in b:
                yield from _differences(a[key], b[key], f"{path}[{key!r}]", rtol, atol)
            else:
                yield f"{path}[{key!r}]: only {'here' if key in a else 'there'}"
    elif a != b:
        yield f"{path}: {text(a)} here, {text(b)} there"


def _array_difference(a: Array, b: Array, path: str, rtol: float, atol: float) -> Iterator[str]:
    if (a.shape, a.dtype) != (b.shape, b.dtype):
        yield f"{path}: {array_text(a)} here, {array_text(b)} there"
        return
    if not a.size or bool(rosin.numpy.allclose(a, b, rtol=rtol, atol=atol, equal_nan=True)):
        return
    apart = rosin.numpy.abs(a - b) if a.dtype != rosin.bool_ else a != b
    count = int(rosin.numpy.sum(a != b))
    yield f"{path}: {array_text(a)}, {count} of {a.size} numbers differ, at most by {float(rosin.numpy.max(apart)):.3g}"
