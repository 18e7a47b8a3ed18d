"""Trees of arrays: tuples, lists, dicts (keys in sorted order), named tuples, dataclasses, and nests of these.

A dataclass instance is a node: its fields are its children, except those marked `metadata={"static": True}`, which
belong to the structure and are compared by `==`. Classes are registered when the first instance is met; nothing has
to be declared. `None` is a tree without leaves.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeAlias, TypeVar, cast

import optree

from rosin.frontend.errors import ArgumentError, TransformError
from rosin.frontend.trace import located

NAMESPACE = "rosin"

Tree: TypeAlias = Any
Structure: TypeAlias = optree.PyTreeSpec
IsLeaf: TypeAlias = "Callable[[Any], bool] | None"
Path: TypeAlias = tuple[Any, ...]
T = TypeVar("T")

_registered: set[type] = set()
_settled: set[type] = set()
"""Classes of leaves that were looked at and are no dataclasses."""
_MISSING = object()


def flatten(tree: Tree, is_leaf: IsLeaf = None) -> tuple[list[Any], Structure]:
    """The leaves of a tree, in order, and its structure."""
    leaves, structure = optree.tree_flatten(tree, is_leaf, namespace=NAMESPACE)
    while _register_dataclasses(leaves, is_leaf):
        leaves, structure = optree.tree_flatten(tree, is_leaf, namespace=NAMESPACE)
    return leaves, structure


def unflatten(structure: Structure, leaves: Iterable[Any]) -> Tree:
    """The tree of a structure with these leaves.

    Raises:
        ValueError: there are more or fewer leaves than the structure has places.
    """
    return optree.tree_unflatten(structure, leaves)


def leaves(tree: Tree, is_leaf: IsLeaf = None) -> list[Any]:
    """The leaves of a tree, in order."""
    return flatten(tree, is_leaf)[0]


def structure(tree: Tree, is_leaf: IsLeaf = None) -> Structure:
    """A tree without its leaves; equal for trees of one shape."""
    return flatten(tree, is_leaf)[1]


def map(function: Callable[..., Any], tree: Tree, *rest: Tree, is_leaf: IsLeaf = None) -> Tree:
    """The tree of `function` of each leaf, and of the parts of the `rest` at its place.

    Raises:
        ValueError: a tree of the `rest` does not go as deep as `tree` does.
    """
    first, shape = flatten(tree, is_leaf)
    others = [_up_to(shape, other) for other in rest]
    return unflatten(shape, [function(*parts) for parts in zip(first, *others, strict=True)])


def _up_to(shape: Structure, tree: Tree) -> list[Any]:
    """The parts of a tree that are at the places of the leaves of a structure.

    Raises:
        ValueError: it does not go as deep.
    """
    try:
        return shape.flatten_up_to(tree)
    except ValueError:
        # It may hold dataclasses that nobody has met.
        flatten(tree)
        return shape.flatten_up_to(tree)


def flatten_with_path(tree: Tree, is_leaf: IsLeaf = None) -> tuple[list[tuple[Path, Any]], Structure]:
    """Each leaf with the keys, positions and field names that lead to it, and the structure."""
    found, shape = flatten(tree, is_leaf)
    return list(zip(shape.paths(), found, strict=True)), shape


def map_with_path(function: Callable[..., Any], tree: Tree, *rest: Tree, is_leaf: IsLeaf = None) -> Tree:
    """As `map`, with the path of each leaf as first argument."""
    first, shape = flatten(tree, is_leaf)
    others = [_up_to(shape, other) for other in rest]
    return unflatten(shape, [function(*parts) for parts in zip(shape.paths(), first, *others, strict=True)])


def reduce(function: Callable[[Any, Any], Any], tree: Tree, initial: Any = _MISSING, is_leaf: IsLeaf = None) -> Any:
    """The leaves combined from left to right, beginning with `initial` if it is given.

    Raises:
        TypeError: there is neither a leaf nor `initial`.
    """
    found = iter(leaves(tree, is_leaf))
    total = next(found, _MISSING) if initial is _MISSING else initial
    if total is _MISSING:
        raise TypeError("a tree without leaves is reduced only from an initial value")
    for leaf in found:
        total = function(total, leaf)
    return total


def all(tree: Tree, is_leaf: IsLeaf = None) -> bool:
    """Whether every leaf is true."""
    return False not in (bool(leaf) for leaf in leaves(tree, is_leaf))


def transpose(outer: Structure, inner: Structure, tree: Tree) -> Tree:
    """A tree of structure `outer` whose leaves are trees of structure `inner`, turned inside out.

    Raises:
        TransformError: the tree is not such a tree.
    """
    parts = outer.flatten_up_to(tree)
    rows: list[list[Any]] = []
    for part in parts:
        row, shape = flatten(part)
        if shape != inner:
            raise TransformError(f"tree.transpose: a part has structure {shape}, and the inner structure is {inner}")
        rows.append(row)
    columns = [unflatten(outer, [row[i] for row in rows]) for i in range(inner.num_leaves)]
    return unflatten(inner, columns)


def broadcast_prefix(prefix: Tree, tree: Tree, is_leaf: IsLeaf = None) -> list[Any]:
    """For each leaf of `tree`, the leaf of `prefix` at or above its place; None is a leaf of the prefix.

    Raises:
        ValueError: the prefix branches where the tree does not.
    """
    flatten(tree)
    result: list[Any] = []

    def spread(value: Any, part: Tree) -> None:
        result.extend([value] * flatten(part)[1].num_leaves)

    optree.tree_map_(spread, prefix, tree, is_leaf=is_leaf, none_is_leaf=True, namespace=NAMESPACE)
    return result


def path_texts(name: str, shape: Structure) -> list[str]:
    """Where each leaf is, as the user would write it: `params['w'][0].bias`."""
    return [accessor.codify(name) for accessor in shape.accessors()]


# -- dataclasses -------------------------------------------------------------------------------------------------


def _register_dataclasses(found: Sequence[Any], is_leaf: IsLeaf) -> bool:
    """Register the classes of dataclass instances among what was taken for leaves; gives whether there were any."""
    kinds: list[type[Any]] = [type(leaf) for leaf in found]
    if _settled.issuperset(kinds):
        return False
    more = False
    for cls, leaf in zip(kinds, found, strict=True):
        if cls in _settled or (is_leaf is not None and is_leaf(leaf)):
            continue
        # The element types and expressions of the IR are dataclasses too, and no trees of arrays.
        if dataclasses.is_dataclass(cls) and not cls.__module__.startswith("rosin.ir"):
            register_dataclass(cls)
            more = True
        else:
            _settled.add(cls)
    return more


def register_dataclass(cls: type[T]) -> type[T]:
    """Make instances of a dataclass nodes of trees. The first instance that is met does it too.

    Raises:
        TypeError: the class is no dataclass.
    """
    if cls in _registered:
        return cls
    fields = dataclasses.fields(cast("Any", cls))
    dynamic = tuple(f.name for f in fields if not f.metadata.get("static", False))
    static = settings_of(cls)

    children_of, values_of = _reader(dynamic), _reader(static)

    def take(node: Any) -> tuple[tuple[Any, ...], Hashable, tuple[str, ...]]:
        values = values_of(node)
        if static:
            _check_static(cls, static, values)
        return children_of(node), values, dynamic

    # Neither __init__ nor __post_init__ runs: leaves may be anything while a tree is worked on.
    names = (*dynamic, *static)
    in_dict = cls.__dictoffset__ != 0 and not any(hasattr(getattr(cls, name, None), "__set__") for name in names)

    def make_in_dict(values: Any, children: Any) -> Any:
        node = object.__new__(cls)
        node.__dict__.update(zip(names, (*children, *values), strict=True))
        return node

    def make(values: Any, children: Any) -> Any:
        node = object.__new__(cls)
        for name, child in zip(dynamic, children, strict=True):
            object.__setattr__(node, name, child)
        for name, value in zip(static, values, strict=True):
            object.__setattr__(node, name, value)
        return node

    library: Any = optree
    library.register_pytree_node(
        cls, take, make_in_dict if in_dict else make, path_entry_type=optree.GetAttrEntry, namespace=NAMESPACE
    )
    _registered.add(cls)
    return cls


def _reader(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    """What gives the attributes of an object, as a tuple."""
    if len(names) > 1:
        return operator.attrgetter(*names)
    return lambda node: tuple([getattr(node, name) for name in names])


def is_registered(cls: type[Any]) -> bool:
    """Whether it is a dataclass that was registered here."""
    return cls in _registered


def settings_of(cls: type[Any]) -> tuple[str, ...]:
    """The fields of a dataclass that belong to the structure of a tree."""
    return tuple(f.name for f in dataclasses.fields(cast("Any", cls)) if f.metadata.get("static", False))


def _check_static(cls: type[Any], names: Sequence[str], values: tuple[Any, ...]) -> None:
    """Refuse values that could change while a structure holds them."""
    try:
        hash(values)
    except TypeError:
        for name, value in zip(names, values, strict=True):
            if type(value).__hash__ is None:
                kind = type(value).__name__
                message = f"the static field {cls.__name__}.{name} holds a {kind}, which has no hash; a tuple has one"
                raise located(ArgumentError(message)) from None
        raise
