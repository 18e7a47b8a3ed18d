"""The front end's commands:

rosin tpu-check file.py:f --topology v5e:2x2     compile for a TPU, and report
rosin explain file.py:f --arg "f32[64, 256]"     why the program for this processor is as it is
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rosin.frontend import core
from rosin.frontend.errors import ArgumentError
from rosin.frontend.exporting import Exported, export, load
from rosin.frontend.sizes import facts_of, spec
from rosin.frontend.tpu_report import report
from rosin.ir.graph import Graph
from rosin.passes import pipeline


def tpu_check_arguments(parser: argparse.ArgumentParser) -> None:
    """Tell a parser what `rosin tpu-check` takes, and what to do with it."""
    parser.add_argument("--topology", default="v5e:2x2", help="which TPUs, such as v5e:2x2 (the default) or v4:2x2x1")
    parser.add_argument(
        "--size", action="append", default=[], metavar="NAME=NUMBER", help="the number for a symbolic size"
    )
    _program(parser)

    def run(given: argparse.Namespace) -> str:
        return tpu_check(given.program, given.topology, given.arg, given.size)

    parser.set_defaults(run=run)


def explain_arguments(parser: argparse.ArgumentParser) -> None:
    """Tell a parser what `rosin explain` takes, and what to do with it."""
    _program(parser)

    def run(given: argparse.Namespace) -> str:
        return explain(given.program, given.arg).removesuffix("\n")

    parser.set_defaults(run=run)


def _program(parser: argparse.ArgumentParser) -> None:
    what = "file.py:name, a function or an exported program, or a file that export saved"
    parser.add_argument("program", help=what)
    typed = 'the type of an argument, such as "f32[64, 256]"'
    parser.add_argument("--arg", action="append", default=[], metavar="TYPE", help=typed)


def tpu_check(program: str, topology: str, types: Sequence[str] = (), sizes: Sequence[str] = ()) -> str:
    """The report on a program for a topology.

    Raises:
        ArgumentError: there is no such program, no types are given for a function, or no number for a symbolic size.
        AttributeValueError: the topology is not known.
        UnsupportedError: libtpu is not installed, or the program does not compile for it.
    """
    from rosin.runtime import tpu

    tpu.chip_of(topology)
    found = find(program, types).at(**dict(map(_size, sizes)))
    graph = optimized(found)
    count, spread = math.prod(size for _, size in found.mesh), found.shardings is not None
    return report(found.graph.name, graph, tpu.compile_for(found.stablehlo(), topology, count, spread))


def explain(program: str, types: Sequence[str] = ()) -> str:
    """Why a program runs as it does on this processor.

    Raises:
        ArgumentError: there is no such program, or no types are given for a function.
    """
    found = find(program, types)
    return core.compile_path().explain_graph(found.graph, facts_of(found.checks))


def optimized(program: Exported) -> Graph:
    """The graph that the StableHLO text is made of."""
    return pipeline.run(program.graph, pipeline.STABLEHLO_PASSES)


def find(program: str, types: Sequence[str]) -> Exported:
    """The exported program that is named: in a file, or a function of a file with the types of its arguments."""
    path, _, name = program.rpartition(":")
    if not path.endswith(".py"):
        return load(program)
    found: Any = _module(path)
    for part in name.split("."):
        if not hasattr(found, part):
            raise ArgumentError(f"{path} has no {name}")
        found = getattr(found, part)
    if isinstance(found, Exported):
        return found
    if not callable(found):
        raise ArgumentError(f"{program} is a {type(found).__name__}, and no function or exported program")
    if not types:
        message = f'{name} is a function: tell the types of its arguments, as in --arg "f32[64, 256]"'
        raise ArgumentError(f"{message}, or name what rosin.export made of it")
    return export(found, *map(_spec, types))


def _spec(text: str) -> Any:
    try:
        return spec(text)
    except ValueError as error:
        raise ArgumentError(f"--arg: {error}") from None


def _size(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not number.strip().isdecimal():
        raise ArgumentError(f"--size: {text!r} is no size, as n=64 is one")
    return name.strip(), int(number)


def _module(path: str) -> Any:
    """The module in a file."""
    name = Path(path).stem
    found = importlib.util.spec_from_file_location(name, path)
    if found is None or found.loader is None or not Path(path).exists():
        raise ArgumentError(f"there is no file {path}")
    module = sys.modules[name] = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module
