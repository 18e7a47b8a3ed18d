"""Which sizes of the arguments of a compiled function are symbolic.

    dynamic=None      the second size that an axis is met with makes it symbolic by itself; 0 and 1 never do
    dynamic=False     every new size compiles anew
    dynamic=True      every axis of every argument, but for those of size 0 or 1
    dynamic={...}     argument → an axis, axes, {axis: name}, or a specification (`rosin.spec`)

What is stated for an argument that is a tree holds for each of its arrays; one array of it is named as it is written:
`{"params['w']": 0}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from rosin.frontend import staging
from rosin.frontend import trace as tr
from rosin.frontend.errors import ArgumentError
from rosin.frontend.signature import Types
from rosin.frontend.sizes import Condition, Named, Size, Spec, as_dim
from rosin.ir import dims, dtypes
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.errors import ConstraintError, GuardError
from rosin.ir.facts import Check, Facts
from rosin.ir.sizes import Sizes, bound_sizes

Entry: TypeAlias = "int | bool | Sequence[int] | Mapping[int, Any] | Spec"
Dynamic: TypeAlias = "bool | Mapping[str, Entry] | None"
Where: TypeAlias = "Sequence[Condition | str]"

LEAST = 2
"""The least value of a size that became symbolic by itself: programs for 0 and 1 are their own."""


@dataclass(frozen=True)
class Pattern:
    """The shapes of the leaves of a call, some sizes symbolic, with what is known of these."""

    shapes: tuple[tuple[Dim, ...], ...]
    checks: tuple[Check, ...]
    paths: tuple[str, ...]
    why: str
    stated: bool
    """Whether the user asked for it, so that what does not fit is an error and no reason to compile anew."""

    def facts(self, types: Types) -> Facts:
        """What is known when the function is traced for a call of these types.

        Raises:
            ConstraintError: the call breaks a condition.
        """
        known = Facts()
        for check in self.checks:
            known.learn(check)
        known.explain("the specification")
        try:
            known.actual = self.sizes(()).bind([shape for _, shape in types])
        except ConstraintError as error:
            raise tr.located(error) from None
        known.typical = {name: max(size, 1) for name, size in known.actual.items()}
        known.pins = not self.stated
        return known

    def sizes(self, guards: Sequence[Check]) -> Sizes:
        """Where the symbols are read, and what is asked of a call."""
        return bound_sizes(self.paths, self.shapes, (), self.checks, guards=guards)

    def alike(self, types: Types) -> bool:
        """Whether the sizes that are numbers are those of a call."""
        return all(
            len(shape) == len(actual)
            and all(not isinstance(n, int) or n == m for n, m in zip(shape, actual, strict=True))
            for shape, (_, actual) in zip(self.shapes, types, strict=True)
        )


class Axes:
    """The option `dynamic` of a compiled function, with its conditions."""

    def __init__(self, dynamic: Dynamic, where: Where, name: str) -> None:
        self.option = dynamic
        self.name = name
        self.checks = tuple(_check_of(condition) for condition in where)

    @property
    def automatic(self) -> bool:
        """Whether axes become symbolic by themselves."""
        return self.option is None

    def stated(self, types: Types, paths: Sequence[str]) -> Pattern | None:
        """The pattern that the user asked for; None where nothing is symbolic.

        Raises:
            ArgumentError: an entry names no argument, or does not fit one.
        """
        if self.option is True:
            return opened(types, paths, _every_axis(types), "dynamic=True", self.checks)
        if not isinstance(self.option, Mapping):
            return None
        entries = self.option
        for key in entries:
            if not any(_names(key, path) for path in paths):
                self._refuse(f"dynamic: {self.name} has no array argument {key!r}; it has {', '.join(paths) or 'none'}")
        shapes: list[tuple[Dim, ...]] = []
        checks = list(self.checks)
        for path, (dtype, shape) in zip(paths, types, strict=True):
            entry = next((e for key, e in entries.items() if _names(key, path)), False)
            shapes.append(self._shape(path, entry, dtype, shape, checks))
        if all(dims.is_static(shape) for shape in shapes):
            return None
        return Pattern(tuple(shapes), tuple(checks), tuple(paths), "dynamic=", True)

    def _shape(
        self, path: str, entry: Entry, dtype: Any, shape: tuple[int, ...], checks: list[Check]
    ) -> tuple[Dim, ...]:
        if isinstance(entry, Spec):
            self._check_spec(path, entry, dtype, shape)
            checks += entry.checks
            return entry.type.shape
        if entry is False:
            return shape
        if entry is True:
            names: dict[int, Any] = dict.fromkeys(range(len(shape)))
        elif isinstance(entry, int):
            names = {entry: None}
        elif isinstance(entry, Mapping):
            names = dict(entry)
        else:
            names = dict.fromkeys(entry)
        result: list[Dim] = list(shape)
        for axis, name in names.items():
            if not -len(shape) <= axis < len(shape):
                self._refuse(f"dynamic: `{path}` of {self.name} has rank {len(shape)}, and no axis {axis}")
            place = axis % len(shape)
            if isinstance(name, Named):
                checks += name.checks
            result[place] = as_dim(name) if isinstance(name, Size) else dims.symbol(name or _name(path, place))
        return tuple(result)

    def _check_spec(self, path: str, spec: Spec, dtype: Any, shape: tuple[int, ...]) -> None:
        found = dtypes.from_numpy(dtype)
        fits = len(shape) == spec.type.rank and all(
            not isinstance(n, int) or n == m for n, m in zip(spec.type.shape, shape, strict=False)
        )
        if found != spec.type.dtype or not fits:
            given = f"{found.name}[{', '.join(map(str, shape))}]"
            self._refuse(f"{self.name}: argument `{path}` is {given}, and it is specified as {spec.type}")

    def _refuse(self, message: str) -> None:
        raise tr.located(ArgumentError(message))


def _check_of(condition: Condition | str) -> Check:
    if isinstance(condition, Condition):
        return condition.check
    for text, make in _COMPARISONS.items():
        left, found, right = condition.partition(text)
        if found:
            return make(dims.parse(left), dims.parse(right))
    raise tr.located(ArgumentError(f"where: {condition!r} is no condition; one reads like 'n % 8 == 0' or 'n <= 4096'"))


_COMPARISONS: dict[str, Callable[[Dim, Dim], Check]] = {
    "==": lambda a, b: Check(a, "==", b),
    "!=": lambda a, b: Check(a, "!=", b),
    ">=": lambda a, b: Check(a, ">=", b),
    "<=": lambda a, b: Check(b, ">=", a),
    ">": lambda a, b: Check(a, ">=", b + 1),
    "<": lambda a, b: Check(b, ">=", a + 1),
}


def _names(key: str, path: str) -> bool:
    """Whether the key names the leaf, or the argument that it is in."""
    return path == key or (path.startswith(key) and path[len(key) :][:1] in ("[", "."))


def _name(path: str, axis: int) -> str:
    name = f"{staging.identifier(path)}_{axis}"
    return f"_{name}" if name[:1].isdigit() else name


def _every_axis(types: Types) -> set[tuple[int, int]]:
    return {(i, axis) for i, (_, shape) in enumerate(types) for axis in range(len(shape))}


def opened(
    types: Types, paths: Sequence[str], axes: set[tuple[int, int]], why: str, checks: Sequence[Check] = ()
) -> Pattern | None:
    """The pattern in which these axes, as pairs of leaf and axis, are symbolic where their size is above 1."""
    shapes: list[tuple[Dim, ...]] = []
    known = list(checks)
    for leaf, (path, (_, shape)) in enumerate(zip(paths, types, strict=True)):
        sizes: list[Dim] = []
        for axis, size in enumerate(shape):
            if (leaf, axis) in axes and size >= LEAST:
                sizes.append(dims.symbol(_name(path, axis)))
                known.append(Check(sizes[-1], ">=", LEAST))
            else:
                sizes.append(size)
        shapes.append(tuple(sizes))
    if all(dims.is_static(shape) for shape in shapes):
        return None
    return Pattern(tuple(shapes), tuple(known), tuple(paths), why, False)


def differing(types: Types, others: Sequence[Types]) -> set[tuple[int, int]]:
    """The axes whose size another call had otherwise, of calls that are alike but for sizes; the least such set."""
    found: list[set[tuple[int, int]]] = []
    for other in others:
        same = len(other) == len(types) and all(
            a == b and len(x) == len(y) for (a, x), (b, y) in zip(types, other, strict=True)
        )
        if same:
            pairs = enumerate(zip(types, other, strict=True))
            axes = {(i, k) for i, ((_, x), (_, y)) in pairs for k in range(len(x)) if x[k] != y[k] and y[k] >= LEAST}
            # A call that differs by a size of 0 or 1 alone says nothing.
            found += [axes] if axes else []
    return min(found, key=len) if found else set()


def fits(pattern: Pattern, sizes: Sizes, more: Sizes | None, types: Types) -> bool:
    """Whether a program for the pattern serves a call.

    Raises:
        ConstraintError: it is the program for the call, which breaks a condition that the user stated or an op needs.
    """
    if not pattern.alike(types):
        return False
    shapes = [shape for _, shape in types]
    try:
        sizes.bind(shapes)
        if more is not None:
            more.bind(shapes)
    except ConstraintError as error:
        if pattern.stated and not isinstance(error, GuardError):
            raise tr.located(error) from None
        return False
    return True
