"""What Python does while a program runs: checks, and functions on NumPy arrays. Printing is in rosin.frontend.debug.

All of it happens in the order of the program, in loops and branches too, and once for each example of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from string import Formatter
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

from rosin.frontend import core, source, staging, tree
from rosin.frontend import numpy as rnp
from rosin.frontend import trace as tr
from rosin.frontend.core import DTypeLike
from rosin.frontend.errors import ArgumentError
from rosin.frontend.regions import argument
from rosin.frontend.sizes import as_dim
from rosin.frontend.staging import Function
from rosin.frontend.tree import Structure, Tree
from rosin.ir import dims
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType
from rosin.ir.errors import DTypeError, RosinError
from rosin.ir.host import HostFunction
from rosin.ir.ops.effect import Check, IoCallback, PureCallback, where_of
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def check(pred: Any, message: str, *args: Any, **kwargs: Any) -> None:
    """Raise a CheckError when the program comes by and `pred`, or an element of it, does not hold.

    The error has the user's line, and the message `message.format(*args, **kwargs)`, as `debug.print` fills it in.
    Derivatives pass a check by, and under `vmap` it is made for each example.

    Raises:
        CheckError: (when it runs) `pred` does not hold; it is an AssertionError too.
        DTypeError: `pred` is no boolean.
        ArgumentError: `message` does not fit the arguments.
    """
    holds = core.asarray(pred)
    type = core.type_of(holds)
    if type.dtype.kind != "bool":
        raise tr.located(DTypeError(f"check: what is checked is a boolean, not {type}", [type]))
    if type.rank:
        holds = rnp.all(holds)
    format, arrays = line(message, args, kwargs, "check")
    op = Check(format, "check", where_of(source.user_location()))
    core.bind(op, rnp.logical_not(holds), *arrays)


# -- functions ---------------------------------------------------------------------------------------------------


class ShapeDtypeStruct:
    """A shape and a dtype: what is to be known of an array that is not there yet."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: Sequence[Dim], dtype: DTypeLike) -> None:
        self.shape: tuple[Dim, ...] = tuple(shape)
        self.dtype: DType = core.as_dtype(dtype)

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return len(self.shape)

    @property
    def size(self) -> Dim:
        """How many elements there are."""
        return dims.product(self.shape)

    def __repr__(self) -> str:
        return f"ShapeDtypeStruct(shape={self.shape}, dtype={self.dtype})"


def pure_callback(callback: Function, result_shape_dtypes: Tree, *args: Any, **kwargs: Any) -> Tree:
    """`callback(*args, **kwargs)` on NumPy arrays, called when the program comes by; inside of compiled code too.

    The function is pure: its results depend on its arguments alone, and it does nothing else. So a program may call it
    less often, or more often, than it says. Under `vmap` it is called for one example after the other. It has no
    derivative; a `custom_jvp` around it can give it one. Its exceptions come out of the program as they are.

    Args:
        result_shape_dtypes: a tree like the result, of whatever has a shape and a dtype: `ShapeDtypeStruct`s, arrays.

    Raises:
        ArgumentError: a leaf of the arguments is no array, or one of `result_shape_dtypes` has no shape or dtype.
        RosinError: (when it runs) the function gives another tree, other shapes or other dtypes.
    """
    return called(PureCallback, callback, result_shape_dtypes, args, kwargs)


def io_callback(callback: Function, result_shape_dtypes: Tree, *args: Any, **kwargs: Any) -> Tree:
    """As `pure_callback`, for a function that may do anything: it is called once each time the program comes by.

    Such calls keep their order among themselves, and with prints and checks.

    Raises:
        ArgumentError: a leaf of the arguments is no array, or one of `result_shape_dtypes` has no shape or dtype.
        RosinError: (when it runs) the function gives another tree, other shapes or other dtypes.
    """
    return called(IoCallback, callback, result_shape_dtypes, args, kwargs)


def called(
    kind: type[PureCallback | IoCallback],
    callback: Function,
    given: Tree,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    **attributes: bool,
) -> Tree:
    """Record a call of Python of this kind, with further attributes of its op; gives the tree of its results."""
    function, arrays, types, structure = _function(kind.name, callback, given, args, kwargs)
    op = kind(function, types, where_of(source.user_location()), **attributes)
    return tree.unflatten(structure, core.bind(op, core.asarray(True), *arrays))


_functions: WeakValueDictionary[tuple[int, Structure, Structure], HostFunction] = WeakValueDictionary()
"""By the identity of the user's function, which a host function keeps alive, and the trees it takes and gives."""


def _function(
    what: str, callback: Function, given: Tree, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[HostFunction, tuple[Array, ...], tuple[TensorType, ...], Structure]:
    """The function over flat arrays, what it is called with, the types of its results and their tree."""
    types, results = types_like(what, "result_shape_dtypes", given)
    taken = argument((args, kwargs), ("args", "kwargs"), what)
    key = (id(callback), taken.structure, results)
    found = _functions.get(key)
    if found is None:
        found = _functions[key] = HostFunction(_flat(callback, taken.structure, results), staging.name_of(callback))
    return found, taken.arrays, types, results


def _flat(callback: Function, taken: Structure, results: Structure) -> Function:
    def call(*arrays: Any) -> list[Any]:
        args, kwargs = tree.unflatten(taken, arrays)
        leaves, structure = tree.flatten(callback(*args, **kwargs))
        if structure != results:
            name = staging.name_of(callback)
            raise RosinError(f"the callback {name} gives the tree {structure}, and result_shape_dtypes is {results}")
        return leaves

    return call


def types_like(what: str, name: str, given: Tree) -> tuple[tuple[TensorType, ...], Structure]:
    """The types of the leaves of a tree of whatever has a shape and a dtype, which users call `name`, and the tree.

    Raises:
        ArgumentError: a leaf has no shape or dtype.
    """
    leaves, structure = tree.flatten(given)
    paths = tree.path_texts(name, structure)
    return tuple([_type_like(leaf, path, what) for leaf, path in zip(leaves, paths, strict=True)]), structure


def _type_like(x: Any, path: str, what: str) -> TensorType:
    if not hasattr(x, "shape") or not hasattr(x, "dtype"):
        message = f"{what}: {path} is {staging.kind_of(x)}; a ShapeDtypeStruct or an array has a shape and a dtype"
        raise tr.located(ArgumentError(message))
    return TensorType(core.as_dtype(x.dtype), tuple(map(as_dim, x.shape)))


# -- lines of text -----------------------------------------------------------------------------------------------


def line(format: str, args: tuple[Any, ...], kwargs: dict[str, Any], what: str) -> tuple[str, list[Array]]:
    """A format whose fields are arrays alone, one each, and the arrays.

    What is known now is written into the format: Python values, shapes, and how trees of arrays look.

    Raises:
        ArgumentError: the format does not fit the arguments.
    """
    text, arrays, used = "", list[Any](), set[Any]()
    count = 0
    try:
        for literal, name, spec, conversion in Formatter().parse(format):
            text += _escaped(literal)
            if name is None:
                continue
            if not name or name[0] in ".[":
                name, count = f"{count}{name}", count + 1
            value, first = Formatter().get_field(name, args, kwargs)
            used.add(first)
            filled = Formatter().vformat(spec or "", args, kwargs)
            text += _field(value, filled, conversion, arrays)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, RosinError):
            raise
        message = f"{what}: the format {format!r} does not fit its arguments: {type(error).__name__}: {error}"
        raise tr.located(ArgumentError(message)) from error
    unused = [repr(key) for key in (*range(len(args)), *kwargs) if key not in used]
    if unused:
        raise tr.located(ArgumentError(f"{what}: the format {format!r} has no field for argument {', '.join(unused)}"))
    return text, arrays


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _field(value: Any, spec: str, conversion: str | None, arrays: list[Array]) -> str:
    """A field for each array in a value, in the text of what holds them."""
    leaves, structure = tree.flatten(value)
    if not any(map(_is_array, leaves)):
        return _escaped(Formatter().format_field(Formatter().convert_field(value, conversion), spec))
    field = "{" + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "") + "}"
    if structure.is_leaf():
        arrays.append(core.asarray(value))
        return field
    shown = _escaped(repr(tree.unflatten(structure, [_Mark() if _is_array(leaf) else leaf for leaf in leaves])))
    arrays += [core.asarray(leaf) for leaf in leaves if _is_array(leaf)]
    return shown.replace(_Mark.text, field)


def _is_array(x: object) -> bool:
    return core.is_array(x) or isinstance(x, np.ndarray | np.generic)


class _Mark:
    """Stands for an array in the text of a tree."""

    text = "\0"

    def __repr__(self) -> str:
        return self.text
