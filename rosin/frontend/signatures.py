"""What a compiled function was compiled for, as users read it, and which argument makes it compile again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rosin.frontend import core
from rosin.frontend.dynamic import Pattern
from rosin.frontend.signature import Call, Types
from rosin.frontend.staging import Function
from rosin.ir.dataclass import dataclass
from rosin.ir.sizes import Sizes

FIRST = "the first call of these types"


@dataclass(frozen=True, repr=False)
class Signature:
    """One compiled program.

    arguments: each array argument with its type, as text; symbolic sizes by name.
    static: the static arguments, as text.
    why: what made it compile.
    guards: decisions that Python took while the function was traced; sizes for which one is otherwise get another
        program.
    conditions: what sizes have to fit; others are an error.
    """

    arguments: tuple[str, ...]
    static: tuple[str, ...]
    why: str
    guards: tuple[str, ...]
    conditions: tuple[str, ...]
    types: Types

    def __str__(self) -> str:
        text = f"({', '.join((*self.arguments, *self.static))}): {self.why}"
        text += f"\n  guards: {', '.join(self.guards)}" if self.guards else ""
        return text + (f"\n  conditions: {', '.join(self.conditions)}" if self.conditions else "")

    def __repr__(self) -> str:
        return f"<Signature {self}>"


def signature_of(
    call: Call, f: Function, types: Types, pattern: Pattern | None, asked: Sizes | None, decided: Sizes | None
) -> Signature:
    """The signature of a program: `asked` has its conditions, `decided` its guards."""
    paths = call.paths(f)
    shapes: Sequence[Any] = [shape for _, shape in types] if pattern is None else pattern.shapes
    triples = zip(paths, types, shapes, strict=True)
    arguments = tuple(f"{path}: {core.numpy_type(dtype, tuple(shape))}" for path, (dtype, _), shape in triples)
    static = tuple(f"{place}={value!r}" for place, value in call.static)
    guards = () if decided is None else tuple(map(str, decided.guards))
    conditions = () if asked is None else tuple(text for text in map(str, asked.checks) if text not in guards)
    return Signature(arguments, static, FIRST if pattern is None else pattern.why, guards, conditions, types)


def culprit(met: Sequence[Types], paths: Sequence[str]) -> str:
    """Which argument differs most between calls, and how; nothing where none does."""
    best, text = 1, ""
    for leaf, path in enumerate(paths):
        found = [types[leaf] for types in met if leaf < len(types)]
        dtypes = list(dict.fromkeys(dtype for dtype, _ in found))
        if len(dtypes) > best:
            best, text = len(dtypes), f"argument `{path}` had the dtypes {_listed(dtypes)}"
        ranks = list(dict.fromkeys(len(shape) for _, shape in found))
        if len(ranks) > best:
            best, text = len(ranks), f"argument `{path}` had the ranks {_listed(ranks)}"
        for axis in range(min(ranks)):
            sizes = list(dict.fromkeys(shape[axis] for _, shape in found))
            if len(sizes) > best:
                best, text = len(sizes), f"axis {axis} of argument `{path}` had the sizes {_listed(sizes)}"
    return text


def _listed(values: Sequence[object]) -> str:
    return ", ".join(map(str, values[:6])) + (", …" if len(values) > 6 else "")
