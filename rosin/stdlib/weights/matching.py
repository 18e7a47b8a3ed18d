"""Somebody's weights for a model of ours: names mapped, shapes compared, and a report of what did not match."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn
from rosin.stdlib.weights.errors import WeightsError

M = TypeVar("M")

Rename = Callable[[str], str | None]
"""Takes a name in the file to a path in the model, or to None for what the model has no use for."""


@dataclass(frozen=True)
class Report:
    """What came of loading weights."""

    loaded: tuple[tuple[str, str], ...]
    """Names in the file, and the paths where their arrays are now."""
    missing: tuple[str, ...]
    """Paths in the model for which there was nothing."""
    unused: tuple[str, ...]
    """Names in the file that lead to no path of the model."""
    unfit: tuple[str, ...]
    """Arrays of another shape: what and why."""
    left_out: tuple[str, ...]
    """Names in the file that the mapping leaves out."""

    @property
    def complete(self) -> bool:
        """Whether the model has all of its arrays from the file, and nothing in the file was left over."""
        return not (self.missing or self.unused or self.unfit)

    def __str__(self) -> str:
        lines = [f"{len(self.loaded)} arrays loaded"]
        kinds = (
            ("missing in the file", self.missing),
            ("of no use for the model", self.unused),
            ("of another shape", self.unfit),
            ("left out", self.left_out),
        )
        for what, names in kinds:
            if names:
                lines.append(f"{len(names)} {what}:")
                lines += [f"  {name}" for name in names[:20]]
                lines += [f"  … and {len(names) - 20} more"] if len(names) > 20 else []
        return "\n".join(lines)


def into(
    model: M,
    arrays: Mapping[str, Array],
    rename: Rename | Iterable[tuple[str, str | None]] = (),
    *,
    convert: Mapping[str, Callable[[Array], Array]] | None = None,
    strict: bool = True,
) -> tuple[M, Report]:
    """The model with these arrays in it, in the model's element types, and a report.

    `rename` takes names to paths: a function, or pairs of a regular expression and a replacement, the first of which
    that fits the whole name counts; a replacement of None leaves the name out, and a name that none fits stays as it
    is. `convert` has functions for arrays that lie otherwise in the file, by regular expressions for whole paths.

    Raises:
        WeightsError: two names lead to one path; or, if `strict`, something is missing, left over or of another shape.
    """
    mapped = rename if callable(rename) else by_patterns(rename)
    own = {path: array for path, array, _ in nn.paths.walk(model)}
    chosen: dict[str, Array] = {}
    loaded: dict[str, str] = {}
    unused: list[str] = []
    unfit: list[str] = []
    left_out: list[str] = []
    for name, given in arrays.items():
        path = mapped(name)
        if path is None:
            left_out.append(name)
        elif path not in own:
            unused.append(name if name == path else f"{name} → {path}")
        elif path in loaded:
            raise WeightsError(f"both {loaded[path]!r} and {name!r} lead to {path!r}")
        else:
            loaded[path] = name
            array = _converted(path, given, convert or {})
            if tuple(array.shape) == tuple(own[path].shape):
                chosen[path] = rnp.astype(array, own[path].dtype)
            else:
                unfit.append(
                    f"{name} → {path}: {tuple(array.shape)} in the file, {tuple(own[path].shape)} in the model"
                )
    report = Report(
        tuple((name, path) for path, name in loaded.items() if path in chosen),
        tuple(path for path in own if path not in loaded),
        tuple(unused),
        tuple(unfit),
        tuple(left_out),
    )
    if strict and not report.complete:
        raise WeightsError(f"the weights do not fit {type(model).__name__}: {report}")
    return nn.with_arrays(model, chosen), report


def by_patterns(pairs: Iterable[tuple[str, str | None]]) -> Rename:
    """The mapping of names by regular expressions that `into` describes."""
    compiled = [(re.compile(pattern), path) for pattern, path in pairs]

    def rename(name: str) -> str | None:
        for pattern, path in compiled:
            found = pattern.fullmatch(name)
            if found:
                return None if path is None else found.expand(path)
        return name

    return rename


def _converted(path: str, array: Any, convert: Mapping[str, Callable[[Array], Array]]) -> Array:
    for pattern, function in convert.items():
        if re.fullmatch(pattern, path):
            return function(array)
    return array
