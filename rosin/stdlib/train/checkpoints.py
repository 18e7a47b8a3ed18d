"""Checkpoints: folders of a safetensors file and a JSON file, which are there whole or not at all.

    step-0000001200/
        arrays.safetensors    every array of the state, under its path
        checkpoint.json       format, step, what else was to be kept, the checksum of the arrays, and that of all this

A checkpoint is written beside its place and moved there; when it is read, the checksums are compared, and a damaged one
is passed over, with a warning that says why, for the one before it.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import rosin
from rosin.stdlib import weights
from rosin.stdlib.train.errors import CheckpointError, CheckpointWarning

FORMAT, VERSION = "rosin checkpoint", 2
T = TypeVar("T")
_NAME = re.compile(r"step-(\d{10})")


@dataclass(frozen=True)
class Restored:
    """What a checkpoint held."""

    state: Any
    step: int
    extra: dict[str, Any]


class Checkpoints:
    """The checkpoints of one training in a folder, of which the newest `keep` stay."""

    def __init__(self, folder: str | PathLike[str], *, keep: int = 3) -> None:
        self.folder = Path(folder)
        self.keep = keep

    def steps(self) -> list[int]:
        """The steps for which there are checkpoints, in order."""
        if not self.folder.is_dir():
            return []
        found = [_NAME.fullmatch(path.name) for path in self.folder.iterdir()]
        return sorted(int(match[1]) for match in found if match)

    def save(self, step: int, state: Any, extra: dict[str, Any] | None = None) -> Path:
        """Write a checkpoint: a tree of arrays, and what JSON holds. One of the same step is replaced.

        Raises:
            OSError: it cannot be written; what was there before stays.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._clear()
        place = self.folder / f"step-{step:010d}"
        temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=self.folder))
        try:
            arrays = temporary / "arrays.safetensors"
            weights.save(arrays, named(state))
            told = {
                "format": FORMAT,
                "version": VERSION,
                "step": step,
                "sha256": _checksum(arrays),
                "extra": extra or {},
            }
            _write(temporary / "checkpoint.json", json.dumps({**told, "seal": _seal(told)}, indent=1))
            if place.exists():
                shutil.rmtree(place)
            os.rename(temporary, place)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        for old in self.steps()[: -self.keep]:
            shutil.rmtree(self.folder / f"step-{old:010d}")
        return place

    def restore(self, like: Any, step: int | None = None) -> Restored | None:
        """The newest checkpoint that can be used, or that of a step, as a tree like `like`; None if there is none.

        One that is damaged, of another program or of a newer format is passed over, with a warning, for the one before.

        Raises:
            CheckpointError: none of them, or not the one that was asked for, can be used; the message has the reasons.
        """
        steps = self.steps() if step is None else [step]
        faults: list[str] = []
        for number in reversed(steps):
            place = self.folder / f"step-{number:010d}"
            try:
                extra = _read(place)
                state = _filled(like, _arrays(place))
            except _Unfit as fault:
                faults.append(f"{place.name} {fault}")
                continue
            for fault in faults:
                warnings.warn(f"{self.folder}: {fault}; {place.name} is used", CheckpointWarning, stacklevel=2)
            return Restored(state, number, extra)
        if faults:
            raise CheckpointError(f"{self.folder} has no checkpoint that can be used\n  " + "\n  ".join(faults))
        return None

    def _clear(self) -> None:
        """Remove what a writer that was stopped has left."""
        for path in self.folder.glob(".writing-*"):
            shutil.rmtree(path, ignore_errors=True)


class _Unfit(Exception):
    """Why a checkpoint cannot be used: what follows its name."""


def named(tree: Any) -> dict[str, Any]:
    """The arrays of a tree under the paths that Python has for them: `.model.layers[0].weight`."""
    leaves, structure = rosin.tree.flatten(tree)
    return dict(zip(_paths(structure), leaves, strict=True))


def _paths(structure: Any) -> list[str]:
    return [accessor.codify("") for accessor in structure.accessors()]


def _read(place: Path) -> dict[str, Any]:
    """What a checkpoint has beside its arrays, whose checksum is compared."""
    if not place.is_dir():
        raise _Unfit("is not there")
    try:
        told: Any = json.loads((place / "checkpoint.json").read_text())
    except (OSError, ValueError) as error:
        raise _Unfit(f"is damaged: checkpoint.json cannot be read ({error})") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise _Unfit(f"is damaged: checkpoint.json is no {FORMAT!r}")
    version, extra, seal = told.get("version"), told.get("extra"), told.pop("seal", None)
    if not isinstance(version, int) or not isinstance(extra, dict):
        raise _Unfit("is damaged: checkpoint.json lacks its version, or what was to be kept")
    if version > VERSION:
        raise _Unfit(f"is of version {version} of the format, by a newer Rosin: this one reads {VERSION}")
    # Version 1 had none.
    if seal != _seal(told) and not (version == 1 and seal is None):
        raise _Unfit("is damaged: checkpoint.json is not what its own checksum says")
    try:
        found = _checksum(place / "arrays.safetensors")
    except OSError as error:
        raise _Unfit(f"is damaged: arrays.safetensors cannot be read ({error})") from None
    if found != told.get("sha256"):
        raise _Unfit("is damaged: the checksum of arrays.safetensors is not the one in checkpoint.json")
    return extra


def _arrays(place: Path) -> dict[str, Any]:
    try:
        return weights.load(place / "arrays.safetensors")
    except weights.WeightsError as error:
        raise _Unfit(f"is damaged: {error}") from None


def _filled(like: T, arrays: dict[str, Any]) -> T:
    """A tree like `like` with these arrays."""
    leaves, structure = rosin.tree.flatten(like)
    paths = _paths(structure)
    faults = [f"{path} is missing" for path in paths if path not in arrays]
    faults += [f"{path} is too much" for path in arrays if path not in set(paths)]
    for path, leaf in zip(paths, leaves, strict=True):
        found = arrays.get(path)
        if found is not None and (tuple(found.shape), found.dtype) != (tuple(np.shape(leaf)), leaf.dtype):
            faults.append(f"{path} is {found.dtype}{list(found.shape)}, not {leaf.dtype}{list(leaf.shape)}")
    if faults:
        more = f", and {len(faults) - 10} more" if len(faults) > 10 else ""
        raise _Unfit(f"is of another program: {'; '.join(faults[:10])}{more}")
    # Copies, since the file is mapped and may be removed, and since a step may reuse the memory of its state.
    return rosin.tree.unflatten(structure, [rosin.numpy.array(arrays[path], copy=True) for path in paths])


def _seal(told: dict[str, Any]) -> str:
    """The checksum of what JSON holds, however it is laid out."""
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
