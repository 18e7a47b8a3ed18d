"""Functions of numbers and vectors applied to whole arrays, through `vmap`."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, cast

from rosin.frontend import core
from rosin.frontend.numpy import manipulation, promote
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.numpy.reductions import Axis
from rosin.ir.dims import Dim
from rosin.ir.types import shape_text

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Names = tuple[str, ...]


def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: ArrayLike, *args: Any, **kwargs: Any) -> Array:
    """What a function gives for each line along an axis: the axes of its result stand in place of that axis.

    The function is traced once, on one line, and batched over the others.
    """
    operand = promote.array("apply_along_axis", arr)
    rank = len(core.shape_of(operand))
    along = promote.as_axis("apply_along_axis", axis, rank, operand)

    def function(line: Array) -> Any:
        return core.asarray(core.call(func1d, line, *args, **kwargs))

    lines = manipulation.moveaxis(operand, along, -1)
    for _ in range(rank - 1):
        function = core.vmap(function)
    result = function(lines)
    places = range(rank - 1, len(core.shape_of(result)))
    return manipulation.moveaxis(result, tuple(places), tuple(along + i for i in range(len(places))))


def apply_over_axes(func: Callable[..., Any], a: ArrayLike, axes: Axis) -> Array:
    """`func(a, axis)` for one axis after the other; where the result lacks the axis, it is put back with size 1.

    Raises:
        ShapeError: a result has another rank.
    """
    result = promote.array("apply_over_axes", a)
    rank = len(core.shape_of(result))
    for axis in promote.as_axes("apply_over_axes", axes, result):
        found = promote.array("apply_over_axes", core.call(func, result, axis=axis))
        if len(core.shape_of(found)) == rank - 1:
            found = manipulation.expand_dims(found, axis)
        if len(core.shape_of(found)) != rank:
            own = len(core.shape_of(found))
            promote.bad_shape(f"apply_over_axes: the function makes rank {own} of rank {rank}", found)
        result = found
    return result


# -- vectorize ---------------------------------------------------------------------------------------------------------

_AXES = r"\(\s*(?:\w+\s*(?:,\s*\w+\s*)*)?\)"
_SIGNATURE = re.compile(rf"\s*(?:{_AXES}\s*(?:,\s*{_AXES}\s*)*)?->\s*{_AXES}\s*(?:,\s*{_AXES}\s*)*")


def _parsed(signature: str) -> tuple[list[Names], list[Names]]:
    """The names of the axes of the arguments and of the results of `(m,n),(n)->(m)`."""
    if not _SIGNATURE.fullmatch(signature):
        promote.bad_value(f'vectorize: a signature is like "(m,n),(n)->(m)", not {signature!r}')
    sides = ([tuple(re.findall(r"\w+", axes)) for axes in re.findall(_AXES, side)] for side in signature.split("->"))
    first, second = sides
    return first, second


def vectorize(
    pyfunc: Callable[..., Any], *, excluded: Collection[int | str] = frozenset(), signature: str | None = None
) -> Callable[..., Any]:
    """A function of numbers, or of arrays with the axes that a signature names, made one of arrays that broadcast.

    The function is traced once, and batched by `vmap`; arguments by keyword, and those whose places are in `excluded`,
    it gets as they are.

    signature: such as "(m,n),(n)->(m)": the last axes of each argument and result; all before them broadcast. Axes of
        one name have one size.

    Raises:
        AttributeValueError: the signature is none.
        ShapeError: an argument lacks axes, sizes of one name differ, or shapes do not broadcast.
    """
    cores = None if signature is None else _parsed(signature)
    skipped = {place for place in excluded if isinstance(place, int)}
    name = getattr(pyfunc, "__name__", "the function")

    @functools.wraps(pyfunc)
    def called(*args: Any, **kwargs: Any) -> Any:
        places = [i for i in range(len(args)) if i not in skipped]
        wanted: Sequence[Names] = [()] * len(places) if cores is None else cores[0]
        if len(wanted) != len(places):
            promote.bad_shape(f"vectorize: {name} takes {len(wanted)} arrays, not {len(places)}")
        # Python's numbers stay what they are, and give way to the arrays that they meet.
        pairs = [(i, own) for i, own in zip(places, wanted, strict=True) if own or not core.is_scalar(args[i])]
        places, wanted = [i for i, _ in pairs], [own for _, own in pairs]
        arrays = [core.asarray(args[i]) for i in places]
        _check_cores(arrays, wanted)
        batches = [core.shape_of(x)[: len(core.shape_of(x)) - len(own)] for x, own in zip(arrays, wanted, strict=True)]
        batch = promote.broadcast_batch("vectorize", *zip(arrays, batches, strict=True))

        def on_one(*inner: Any) -> Any:
            full = list(args)
            for place, value in zip(places, inner, strict=True):
                full[place] = value
            result = core.call(pyfunc, *full, **kwargs)
            _check_results(name, result, cores)
            return result

        on_one.__name__ = name
        return _mapped(on_one, arrays, batches, batch)

    return called


def _mapped(
    function: Callable[..., Any], arrays: Sequence[Array], batches: Sequence[Sequence[Dim]], batch: Sequence[Dim]
) -> Any:
    """The function over all axes of a batch, from the last to the first; an argument that lacks an axis is shared."""
    rank = len(batch)
    given = [
        manipulation.squeeze(x, tuple(i for i, size in enumerate(own) if size == 1 and batch[rank - len(own) + i] != 1))
        for x, own in zip(arrays, batches, strict=True)
    ]
    for axis in reversed(range(rank)):
        places = [axis - (rank - len(own)) for own in batches]
        has = [i >= 0 and not (own[i] == 1 and batch[axis] != 1) for i, own in zip(places, batches, strict=True)]
        function = core.vmap(function, in_axes=tuple(0 if own else None for own in has))
    return function(*given)


def _check_cores(arrays: Sequence[Array], wanted: Sequence[Names]) -> None:
    """Every argument has the axes that the signature names, and those of one name have one size."""
    known: dict[str, Dim] = {}
    for position, (x, own) in enumerate(zip(arrays, wanted, strict=True)):
        shape = core.shape_of(x)
        if len(shape) < len(own):
            text = f"argument {position} of shape {shape_text(shape)} lacks axes of ({', '.join(own)})"
            promote.bad_shape(f"vectorize: {text}", *arrays)
        for axis, size in zip(own, shape[len(shape) - len(own) :], strict=True):
            if known.setdefault(axis, size) != size:
                promote.bad_shape(f"vectorize: axis {axis} has sizes {known[axis]} and {size}", *arrays)


def _check_results(name: str, result: Any, cores: tuple[list[Names], list[Names]] | None) -> None:
    """The results have as many axes as the signature says."""
    if cores is None:
        return
    several = list(cast("Sequence[Any]", result)) if isinstance(result, tuple | list) else [result]
    if len(several) != len(cores[1]):
        promote.bad_shape(f"vectorize: {name} gives {len(several)} results, and the signature {len(cores[1])}")
    for x, own in zip(several, cores[1], strict=True):
        shape = core.shape_of(core.asarray(x))
        if len(shape) != len(own):
            text = f"a result of shape {shape_text(shape)} where the signature has ({', '.join(own)})"
            promote.bad_shape(f"vectorize: {name} gives {text}")


__all__ = ["apply_along_axis", "apply_over_axes", "vectorize"]
