"""The functions that control flow is given, as regions: traced over shared captures, with types that fit each other.

A carried value keeps its type from step to step, and branches give the same types. Python numbers give way: a carry
that starts as one takes the dtype that the body gives it, and one that a body or a branch gives back takes the dtype of
what stands beside it.

A value may be one tree under one name (`state`, `state['x'][0]`), or a tuple of trees, each with a name of its own:
messages name the leaves as the user would write them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from rosin.frontend import core, staging, tree
from rosin.frontend import trace as tr
from rosin.frontend.errors import ControlFlowError
from rosin.frontend.numpy.promote import promote_types, promote_weak
from rosin.frontend.staging import Input, Staged
from rosin.frontend.tree import Structure, Tree
from rosin.ir.builder import Builder
from rosin.ir.dataclass import dataclass
from rosin.ir.graph import Graph
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Names: TypeAlias = "str | Sequence[str]"
"""What messages call a tree, or each of a tuple of trees."""

CHANGES = 8
"""A carried Python number changes its dtype at most so often: the dtypes that it can pass through are fewer."""
_SHOWN = 8
"""How many leaves that differ a message lists."""
_WIDTH = 400
"""How many characters of a tree a message shows."""


@dataclass(frozen=True)
class Argument:
    """A tree of arrays that regions take."""

    structure: Structure
    names: Names
    arrays: tuple[Array, ...]
    inputs: tuple[Input, ...]

    @property
    def paths(self) -> list[str]:
        """Each leaf as the user would write it."""
        return paths(self.names, self.structure)

    @property
    def types(self) -> tuple[TensorType, ...]:
        """The type of each leaf."""
        return tuple([i.type for i in self.inputs])

    def tree(self, leaves: Sequence[Any]) -> Tree:
        """The tree with other leaves."""
        return tree.unflatten(self.structure, leaves)

    def cast(self, inputs: Sequence[Input]) -> Argument:
        """The same with leaves of other dtypes."""
        pairs = zip(self.arrays, inputs, strict=True)
        return replace(self, arrays=tuple([core.cast(x, i.type.dtype) for x, i in pairs]), inputs=tuple(inputs))


def argument(value: Tree, names: Names, what: str) -> Argument:
    """A tree on its way into a region of `what`.

    Raises:
        ArgumentError: a leaf is no array.
    """
    leaves, structure = tree.flatten(value)
    texts = paths(names, structure)
    instead = "control flow takes trees of arrays; what is no array a function can read from outside"
    arrays = [staging.as_argument(leaf, path, what, instead) for leaf, path in zip(leaves, texts, strict=True)]
    inputs = [
        Input(core.type_of(x), staging.identifier(path), core.is_weak(leaf))
        for x, leaf, path in zip(arrays, leaves, texts, strict=True)
    ]
    return Argument(structure, names, tuple(arrays), tuple(inputs))


def paths(names: Names, structure: Structure) -> list[str]:
    """The leaves of a structure as the user would write them."""
    return [path for name, part in _parts(names, structure) for path in tree.path_texts(name, part)]


def _parts(names: Names, structure: Structure) -> list[tuple[str, Structure]]:
    """Each name with the structure it stands for."""
    if isinstance(names, str):
        return [(names, structure)]
    return list(zip(names, structure.children(), strict=True))


# -- captures ----------------------------------------------------------------------------------------------------


def shared_captures(regions: Sequence[Staged]) -> tuple[list[tr.Captured], list[Graph]]:
    """What any of the regions captures, and the regions over all of it."""
    captures = list({tr.identity(c): c for region in regions for c in region.captures}.values())
    for region in regions:
        _refuse_measured(region.graph)
    return captures, [region.over(captures) for region in regions]


def _refuse_measured(graph: Graph) -> None:
    """Refuse results whose size the region measures: whoever takes them does not know how large they are.

    Raises:
        ControlFlowError: there is one.
    """
    inside = graph.known_inside()
    if inside is not None:
        message = f"{graph.name} gives {inside[0]}, and counts in each step or branch what {inside[1]} is"
        instead = "give size=, so that it is the same in all of them, or use what it has here and give a number"
        raise tr.located(ControlFlowError(f"{message}\n  {instead}"))


def with_dtypes(graph: Graph, types: Sequence[TensorType]) -> Graph:
    """The graph whose first outputs are cast to the dtypes of `types`."""
    b = Builder()
    b.inputs, b.nodes = list(graph.inputs), list(graph.nodes)
    outputs = [b.cast(v, t.dtype) for v, t in zip(graph.outputs, types, strict=False)]
    return b.graph([*outputs, *graph.outputs[len(types) :]], graph.name)


# -- carried values ----------------------------------------------------------------------------------------------


def settled(
    carry: Argument, trace: Callable[[Sequence[Input]], Staged], part: Callable[[Structure], Structure], role: str
) -> tuple[Argument, Staged, tuple[bool, ...]]:
    """The carry and the body that gives it back with the same types, traced; and which carries are Python numbers.

    `trace` traces the body for a carry like the given inputs, `part` picks the carry out of what it returns, whose
    first leaves these are. The `role` says in messages whose carry it is.

    Raises:
        ControlFlowError: the body gives back another tree, or other types.
    """
    changes = 0
    while True:
        staged = trace(carry.inputs)
        given = part(staged.structure)
        types = [v.type for v in staged.graph.outputs[: given.num_leaves]]
        if given != carry.structure:
            _refuse_carry(carry, given, types, role)
        weak = staged.weak[: len(types)]
        wanted = [promoted(*each) for each in zip(carry.inputs, types, weak, strict=True)]
        if changes == CHANGES or all(new.type == old.type for new, old in zip(wanted, carry.inputs, strict=True)):
            break
        carry, changes = carry.cast(wanted), changes + 1
    found = [given_way(*each) for each in zip(types, weak, carry.types, strict=True)]
    if found != list(carry.types):
        _refuse_carry(carry, given, found, role)
    still_weak = tuple([i.weak and w for i, w in zip(carry.inputs, weak, strict=True)])
    return carry, replace(staged, graph=with_dtypes(staged.graph, carry.types)), still_weak


def promoted(carry: Input, given: TensorType, is_weak: bool) -> Input:
    """What a carry has to be so that the body can give it back."""
    if not carry.weak or carry.type.dtype == given.dtype:
        return carry
    combine = promote_types if is_weak else promote_weak
    return Input(carry.type.with_dtype(combine(given.dtype, carry.type.dtype)), carry.name, is_weak)


def given_way(type: TensorType, is_weak: bool, other: TensorType) -> TensorType:
    """The type, with the dtype of the other if it is that of a Python number which can take it."""
    if is_weak and promote_weak(other.dtype, type.dtype) == other.dtype:
        return type.with_dtype(other.dtype)
    return type


def _refuse_carry(carry: Argument, structure: Structure, types: Sequence[TensorType], role: str) -> NoReturn:
    differ = "another tree" if carry.structure != structure else "other types"
    message = f"{role} comes back as {differ}; a carried value keeps its type from step to step"
    refuse(message, carry.names, (carry.structure, carry.types, "taken"), (structure, types, "given back"))


# -- branches ----------------------------------------------------------------------------------------------------


def agreed(
    branches: Sequence[Staged], labels: Sequence[str], names: Names, what: str
) -> tuple[list[Staged], tuple[bool, ...]]:
    """Branches that give the same types, and which results are Python numbers in all of them.

    Raises:
        ControlFlowError: the branches give different trees, or types that no promotion of Python numbers makes equal.
    """
    first = branches[0]
    for label, branch in zip(labels, branches, strict=True):
        if branch.structure != first.structure:
            _refuse_branches(first, branch, (labels[0], label), names, what)
    columns = zip(*[zip(_types(b), b.weak, strict=True) for b in branches], strict=True)
    wanted = [_common(column) for column in columns]
    for label, branch in zip(labels, branches, strict=True):
        found = [given_way(t, w, c) for t, w, c in zip(_types(branch), branch.weak, wanted, strict=True)]
        if found != wanted:
            # Of the others, one that is like what is wanted stands in for all.
            other = next(i for i, b in enumerate(branches) if _conflict(b, branch))
            _refuse_branches(branches[other], branch, (labels[other], label), names, what)
    weak = tuple(all(flags) for flags in zip(*[b.weak for b in branches], strict=True))
    return [replace(b, graph=with_dtypes(b.graph, wanted)) for b in branches], weak


def _types(branch: Staged) -> list[TensorType]:
    return [v.type for v in branch.graph.outputs]


def _common(column: Sequence[tuple[TensorType, bool]]) -> TensorType:
    """The type that a result has in the first branch where it is no Python number, else what the numbers promote to."""
    for type, is_weak in column:
        if not is_weak:
            return type
    type = column[0][0]
    for other, _ in column[1:]:
        type = type.with_dtype(promote_types(type.dtype, other.dtype))
    return type


def _conflict(branch: Staged, other: Staged) -> bool:
    """Whether two branches alone disagree."""
    for position in range(len(branch.weak)):
        column = [(_types(b)[position], b.weak[position]) for b in (branch, other)]
        wanted = _common(column)
        if any(given_way(type, is_weak, wanted) != wanted for type, is_weak in column):
            return True
    return False


def _refuse_branches(a: Staged, b: Staged, labels: tuple[str, str], names: Names, what: str) -> NoReturn:
    differ = "different trees" if a.structure != b.structure else "different types"
    sides = [(branch.structure, _types(branch), label) for branch, label in zip((a, b), labels, strict=True)]
    refuse(f"{what}: the branches give {differ}", names, *sides)


# -- messages ----------------------------------------------------------------------------------------------------


class _Shown:
    """A type in place of a leaf, where a tree is shown."""

    def __init__(self, text: object) -> None:
        self.text = str(text)

    def __repr__(self) -> str:
        return self.text


Side: TypeAlias = "tuple[Structure, Sequence[TensorType], str]"
"""A tree with types at its leaves, and what messages say of it: "taken", "given back"."""


def refuse(message: str, names: Names, a: Side, b: Side) -> NoReturn:
    """Raise an error that shows two trees side by side, and the leaves that differ with what differs in them.

    Raises:
        ControlFlowError: always.
    """
    lines = [message]
    if not isinstance(names, str) and b[0].num_children != len(names):
        names = f"({', '.join(names)})"
    for (name, text_a), (_, text_b) in zip(_texts(names, *a[:2]), _texts(names, *b[:2]), strict=True):
        if text_a != text_b:
            titles = [f"{name} {a[2]}:", f"{name} {b[2]}:"]
            width = max(map(len, titles))
            lines += [f"    {title:{width}} {text}" for title, text in zip(titles, (text_a, text_b), strict=True)]
    if a[0] == b[0]:
        differing = [(p, x, y) for p, x, y in zip(paths(names, a[0]), a[1], b[1], strict=True) if x != y]
        lines += [_difference(path, x, y, a[2], b[2]) for path, x, y in differing[:_SHOWN]]
        if len(differing) > _SHOWN:
            lines.append(f"  and so do {len(differing) - _SHOWN} more")
    raise tr.located(ControlFlowError("\n".join(lines)))


def _difference(path: str, x: TensorType, y: TensorType, a: str, b: str) -> str:
    kinds = [kind for kind, same in (("dtypes", x.dtype == y.dtype), ("shapes", x.shape == y.shape)) if not same]
    return f"  the {' and '.join(kinds)} of {path} differ: {x} {a}, {y} {b}"


def _texts(names: Names, structure: Structure, types: Sequence[TensorType]) -> list[tuple[str, str]]:
    """Each name with the text of its tree."""
    rest = list(types)
    found: list[tuple[str, str]] = []
    for name, part in _parts(names, structure):
        leaves, rest = rest[: part.num_leaves], rest[part.num_leaves :]
        text = repr(tree.unflatten(part, [_Shown(t) for t in leaves]))
        found.append((name, text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"))
    return found
