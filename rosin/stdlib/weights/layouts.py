"""How another library names and lays out the arrays of a model, in one table that is read both ways."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn
from rosin.stdlib.weights.errors import WeightsError


@dataclass(frozen=True)
class Layout:
    """A table from their names to our paths, in which `{}` stands for a number: `{"h.{}.bias": "layers.{}.bias"}`.

    One array of theirs may be several of ours, one below the other: `"attn.qkv": ("query", "key", "value")`.
    """

    names: Mapping[str, str | tuple[str, ...]]
    transposed: frozenset[str] = field(default_factory=frozenset[str])
    """Their names of matrices that they keep with the inputs first."""
    left_out: tuple[str, ...] = ()
    """Their names, `{}` in them too, of arrays that are no parameters, or are others' twins."""
    prefix: str = ""
    """What their names begin with, or not, in files; it is written."""

    def inward(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """Their arrays under our paths. A name that is not in the table stays, for `into` to report it.

        Raises:
            WeightsError: an array does not fall into as many parts as it is to be of ours.
        """
        rows = [(_pattern(theirs), theirs, _parts(ours)) for theirs, ours in self.names.items()]
        needless = [_pattern(theirs) for theirs in self.left_out]
        found: dict[str, Array] = {}
        for given, array in arrays.items():
            name = given.removeprefix(self.prefix)
            if any(pattern.fullmatch(name) for pattern in needless):
                continue
            matches = ((pattern.fullmatch(name), theirs, ours) for pattern, theirs, ours in rows)
            match, theirs, ours = next((row for row in matches if row[0]), (None, "", ()))
            if match is None:
                found[given] = array
                continue
            array = rnp.matrix_transpose(array) if theirs in self.transposed else array
            if array.shape[0] % len(ours):
                raise WeightsError(f"{given}, of shape {tuple(array.shape)}, does not fall into {', '.join(ours)}")
            pieces = rnp.split(array, len(ours)) if len(ours) > 1 else [array]
            found |= {_filled(path, match.groups()): piece for path, piece in zip(ours, pieces, strict=True)}
        return found

    def outward(self, model: nn.Module) -> dict[str, Array]:
        """Our arrays under their names, laid out as theirs.

        Raises:
            WeightsError: the table has no name for an array.
        """
        own = dict(nn.named_arrays(model))
        found: dict[str, Array] = {}
        used: set[str] = set()
        for theirs, given in self.names.items():
            ours = _parts(given)
            for match in filter(None, map(_pattern(ours[0]).fullmatch, own)):
                paths = [_filled(path, match.groups()) for path in ours]
                used.update(paths)
                array = rnp.concat([own[path] for path in paths]) if len(paths) > 1 else own[paths[0]]
                array = rnp.matrix_transpose(array) if theirs in self.transposed else array
                found[self.prefix + _filled(theirs, match.groups())] = array
        unnamed = [path for path in own if path not in used]
        if unnamed:
            raise WeightsError(f"they have no name for {', '.join(unnamed)} of {type(model).__name__}")
        return found


def _parts(ours: str | tuple[str, ...]) -> tuple[str, ...]:
    return (ours,) if isinstance(ours, str) else ours


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(r"(\d+)".join(map(re.escape, name.split("{}"))))


def _filled(name: str, numbers: tuple[str, ...]) -> str:
    return name.format(*numbers)
