"""Watching the passes at work: dumps, times, verification, and a check of every pass by value.

All of it is switched on by one environment variable, `ROSIN_DEBUG`, a list with commas of

    dump=FOLDER   a numbered text file in FOLDER for the graph after each pass, and for loops, LLVM and assembly
    time          a table of the passes on standard error, one for each pipeline that runs, and the stages after them
    verify        the rules of the IR are checked after each pass
    check         each pass, and the compiled program, has to keep what the interpreter computes
"""

from __future__ import annotations

import itertools
import os
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import field
from pathlib import Path

import numpy as np

from rosin.ir import dims, dtypes
from rosin.ir.dataclass import dataclass
from rosin.ir.dtypes import DType
from rosin.ir.errors import RosinError
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.ir.op import NumpyArray
from rosin.ir.ops.region import may_not_end
from rosin.ir.printer import text
from rosin.ir.transform.effects import calls_host
from rosin.ir.types import TensorType
from rosin.ir.verify import verify
from rosin.passes.base import Pass

VARIABLE = "ROSIN_DEBUG"
CHECK_DRAWS = 4


class PassError(RosinError, AssertionError):
    """A pass gave a graph that breaks the rules of the IR, or one that computes something else."""


@dataclass(frozen=True, slots=True)
class Record:
    """What one pass did: the name of its stage, its time and the number of nodes before and after."""

    stage: str
    seconds: float
    before: int
    after: int
    note: str = ""


@dataclass
class Instrument:
    """Runs passes and watches them as its fields say; `records` grows by one entry a pass.

    `arguments` are what `check` evaluates graphs on, in place of random ones.
    """

    dump: Path | None = None
    time: bool = False
    verify: bool = False
    check: bool = False
    arguments: Sequence[NumpyArray] | None = None
    records: list[Record] = field(default_factory=list[Record])
    later_stages: int = 0

    def begin(self, graph: Graph) -> None:
        """Start on a graph: its own text is the first one dumped."""
        self.records.clear()
        self.later_stages = 0
        self._expected: list[list[NumpyArray]] = []
        if self.verify:
            verify(graph)
        if self.dump is not None:
            self._folder = _fresh_folder(self.dump, graph.name)
            self._write(0, "traced", graph, f"{len(graph.nodes)} nodes")

    def apply(self, pass_: Pass, stage: str, graph: Graph) -> Graph:
        """The graph after the pass.

        Raises:
            PassError: `verify` or `check` is on and the pass is at fault; the message names it.
        """
        start = time.perf_counter()
        after = pass_.run(graph)
        seconds = time.perf_counter() - start
        if self.verify:
            _verify(stage, after)
        note = self._check(pass_, stage, graph, after) if self.check and after is not graph else ""
        record = Record(stage, seconds, len(graph.nodes), len(after.nodes), note)
        self.records.append(record)
        if self.dump is not None:
            self._write(len(self.records), stage, after, _describe(record))
        return after

    def end(self) -> None:
        """The pipeline is through."""
        if self.time:
            sys.stderr.write(self.table())

    def later(self, stage: str, seconds: float, make: Callable[[], str], about: str) -> None:
        """Note a stage after the passes (loops, LLVM, object code); `make` gives its text when it is dumped."""
        line = f"{seconds * 1e3:.2f} ms, {about}"
        self.later_stages += 1
        if self.time:
            sys.stderr.write(f"{stage}  {line}\n")
        if self.dump is not None:
            number = len(self.records) + self.later_stages
            (self._folder / f"{number:02}-{stage}.txt").write_text(f"; {stage}: {line}\n{make()}", encoding="utf-8")

    def check_program(self, graph: Graph, run: Callable[..., Sequence[NumpyArray]]) -> None:
        """With `check`, run the compiled program on the arguments and compare with the interpreter.

        Kernels add in another order than NumPy and fuse multiplications with additions, so floats may differ by a few
        hundred units in the last place of the greatest number of their array.

        Raises:
            PassError: an output is farther off than that.
        """
        if not self.check or self._unchecked(graph):
            return
        pairs = [
            (i, x, y)
            for given in self._argument_sets(graph)
            for i, (x, y) in enumerate(zip(evaluate(graph, given), run(*given), strict=True))
        ]
        for i, x, y in pairs:
            kind = np.complex128 if np.iscomplexobj(x) else np.float64
            with np.errstate(all="ignore"):
                wide = x.astype(kind), y.astype(kind)
            finite = np.isfinite(wide[0])
            scale = float(np.max(np.abs(wide[0]), where=finite, initial=0.0))
            unit = graph.outputs[i].type.dtype.epsilon
            near = np.abs(wide[0] - wide[1]) <= 512 * unit * scale
            same = (wide[0] == wide[1]) | (np.isnan(wide[0]) & np.isnan(wide[1]))
            if not np.all(np.where(finite, near, same) | same):
                at = np.unravel_index(int(np.argmin(np.where(finite, near, same) | same)), x.shape)
                message = f"{graph.name}: the compiled program gives {y[at]!r} and the interpreter {x[at]!r}"
                raise PassError(f"{message} at {tuple(map(int, at))} of output {i}", [graph.outputs[i].type])

    def table(self) -> str:
        """The records as text, one line a pass and one for all."""
        width = max((len(r.stage) for r in self.records), default=5)
        lines = [f"{r.stage:<{width}}  {_describe(r)}" for r in self.records]
        return "\n".join([*lines, f"{'all':<{width}}  {sum(r.seconds for r in self.records) * 1e3:.2f} ms"]) + "\n"

    def _write(self, number: int, stage: str, graph: Graph, about: str) -> None:
        header = f"# {graph.name} after {stage}: {about}\n"
        (self._folder / f"{number:02}-{stage}.txt").write_text(header + text(graph, locations=True), encoding="utf-8")

    def _check(self, pass_: Pass, stage: str, before: Graph, after: Graph) -> str:
        reason = self._unchecked(before) or self._unchecked(after)
        if reason:
            return f"not checked: {reason}"
        sets = self._argument_sets(before)
        expected = self._expected or [evaluate(before, given) for given in sets]
        self._expected = [evaluate(after, given) for given in sets]
        for xs, ys in zip(expected, self._expected, strict=True):
            for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
                fault = difference(x, y, pass_.ulps)
                if fault is not None:
                    output = before.outputs[i]
                    where = f"output {i}" + (f" ({output.name})" if output.name else "")
                    raise PassError(f"{before.name}: the pass {stage} changes {where}: {fault}", [output.type])
        return ""

    def _unchecked(self, graph: Graph) -> str:
        """Why the graph cannot be run to see what it computes; nothing when it can."""
        if not all(dims.is_static(v.type.shape) for v in graph.values()):
            return "sizes are symbolic"
        if calls_host(graph):
            return "Python has a part in it, which would be done for nothing"
        if may_not_end(graph) and self.arguments is None:
            return "a loop in it may not end on random numbers"
        return ""

    def _argument_sets(self, graph: Graph) -> list[Sequence[NumpyArray]]:
        """What values are checked on: the arguments given, or several draws, as one may miss what a bug changes."""
        if self.arguments is not None:
            return [self.arguments]
        return [sample_arguments(graph, seed) for seed in range(CHECK_DRAWS)]


def from_environment() -> Instrument | None:
    """The instrument that `ROSIN_DEBUG` asks for; None when it is unset or empty.

    Raises:
        ValueError: the variable names something else.
    """
    value = os.environ.get(VARIABLE)
    return parse(value) if value else None


def parse(value: str) -> Instrument:
    """The instrument for a list such as `dump=out,time,check`.

    Raises:
        ValueError: a part of the list is unknown, or `dump` has no folder.
    """
    made = Instrument()
    for part in filter(None, (p.strip() for p in value.split(","))):
        name, _, argument = part.partition("=")
        if name == "dump" and argument:
            made.dump = Path(argument)
        elif part in ("time", "verify", "check"):
            setattr(made, part, True)
        else:
            raise ValueError(f"{VARIABLE} is a list of dump=FOLDER, time, verify, check; it has {part!r}")
    return made


def _describe(record: Record) -> str:
    nodes = f"{record.before} nodes" + (f" → {record.after}" if record.after != record.before else "")
    return f"{record.seconds * 1e3:.2f} ms, {nodes}" + (f", {record.note}" if record.note else "")


def _fresh_folder(parent: Path, name: str) -> Path:
    """A new folder for a graph of this name; the second one of a name is numbered."""
    name = re.sub(r"\W", "_", name)
    for number in itertools.count(1):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise AssertionError("counting has no end")


def _verify(stage: str, graph: Graph) -> None:
    try:
        verify(graph)
    except RosinError as error:
        raise PassError(f"after the pass {stage}: {error.message}", error.operands, error.location) from error


# -- values ----------------------------------------------------------------------------------------------------


def sample_arguments(graph: Graph, seed: int = 0) -> list[NumpyArray]:
    """Random arguments for a graph: floats around 0, small integers, truth values."""
    rng = np.random.default_rng(seed)
    return [_sample(v.type, rng) for v in graph.inputs]


def _sample(type: TensorType, rng: np.random.Generator) -> NumpyArray:
    if type.dtype == dtypes.bool_:
        return rng.integers(0, 2, type.sizes).astype(np.bool_)
    if type.dtype.is_integer:
        return rng.integers(0, 8, type.sizes).astype(type.dtype.numpy)
    return np.asarray(rng.standard_normal(type.sizes)).astype(type.dtype.numpy)


def difference(x: NumpyArray, y: NumpyArray, ulps: int) -> str | None:
    """Where and how two arrays differ by more than so many units in the last place; NaN equals NaN."""
    if x.dtype != y.dtype or x.shape != y.shape:
        return f"its type was {x.dtype}{list(x.shape)} and is {y.dtype}{list(y.shape)}"
    bad = ~_close(x, y, ulps)
    if not bad.any():
        return None
    at = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"element {list(at)} was {x[at]} and is {y[at]}; {int(bad.sum())} of {bad.size} elements differ"


def _close(x: NumpyArray, y: NumpyArray, ulps: int) -> NumpyArray:
    dtype = dtypes.from_numpy(x.dtype)
    if dtype.is_complex:
        return _close(np.real(x), np.real(y), ulps) & _close(np.imag(x), np.imag(y), ulps)
    if not dtype.is_float:
        return np.asarray(x == y)
    both_nan = (x != x) & (y != y)
    return np.asarray(both_nan | (np.abs(_ordered(x, dtype) - _ordered(y, dtype)) <= ulps))


def _ordered(x: NumpyArray, dtype: DType) -> NumpyArray:
    """Each float's place in the order of all floats of its type, -0.0 right before +0.0."""
    bits = np.ascontiguousarray(x).view(f"i{dtype.bytes}").reshape(x.shape).astype(np.int64)
    return np.where(bits < 0, -1 - (bits & ((1 << (dtype.bits - 1)) - 1)), bits)
