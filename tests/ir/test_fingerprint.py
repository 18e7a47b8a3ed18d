"""Graphs have one fingerprint exactly when they compute the same in the same way, whatever things are called."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from rosin.ir import literal
from rosin.ir.builder import Builder
from rosin.ir.dims import symbol
from rosin.ir.dtypes import bf16, f32, f64, i32
from rosin.ir.fingerprint import fingerprint
from rosin.ir.graph import Graph
from rosin.ir.location import Location
from rosin.ir.ops import arithmetic as ar
from rosin.ir.ops.call import Checkpoint
from rosin.ir.ops.movement import Constant, Transpose
from rosin.ir.types import TensorType

SQUARE = TensorType(f32, (3, 3))


def made(*, type=SQUARE, number=2.0, turned=(1, 0), swapped=False, output=0, name="", op=ar.Add):
    b = Builder()
    b.location = Location("somewhere.py", 7) if name else None
    x, y = b.input(type, name or "x"), b.input(type)
    if swapped:
        x, y = y, x
    values = b.node(op(), x, b.mul(b.node(Transpose(turned), y, names=[name or "t"])[0], number))
    return b.graph((*values, x)[output : output + 1], name or "main")


def of_constant(array):
    b = Builder()
    return b.graph(b.node(Constant(literal.from_array(np.asarray(array)))))


def around(inner):
    b = Builder()
    return b.graph(b.node(Checkpoint(inner), *[b.input(v.type) for v in inner.inputs]))


DIFFERENT = {
    "as it is": made(),
    "f64": made(type=TensorType(f64, (3, 3))),
    "bf16": made(type=TensorType(bf16, (3, 3))),
    "i32": made(type=TensorType(i32, (3, 3)), number=2),
    "larger": made(type=TensorType(f32, (4, 4))),
    "symbolic": made(type=TensorType(f32, (symbol("n"), symbol("n")))),
    "of another name": made(type=TensorType(f32, (symbol("m"), symbol("m")))),
    "another number": made(number=3.0),
    "zero": made(number=0.0),
    "minus zero": made(number=-0.0),
    "no number": made(number=float("nan")),
    "not turned": made(turned=(0, 1)),
    "swapped": made(swapped=True),
    "another output": made(output=1),
    "another op": made(op=ar.Sub),
    "an array": of_constant(np.arange(40.0)),
    "another array": of_constant(np.arange(40.0) + (np.arange(40) == 33)),
    "of another shape": of_constant(np.arange(40.0).reshape(8, 5)),
    "called": around(made()),
    "another called": around(made(number=3.0)),
}


def test_graphs_that_differ_have_different_fingerprints():
    prints = {name: fingerprint(graph) for name, graph in DIFFERENT.items()}
    for (one, a), (other, b) in itertools.combinations(prints.items(), 2):
        assert a != b, f"{one} and {other}"


@pytest.mark.parametrize("name", ["y", "add", "7 days"])
def test_names_and_locations_are_no_part_of_it(name):
    assert fingerprint(made(name=name)) == fingerprint(made())
    assert fingerprint(around(made(name=name))) == fingerprint(around(made()))


def test_types_that_are_one_object_or_two_make_no_difference():
    """Values share their types or not, as it happens."""
    shared = made()
    apart = made()
    for node in apart.nodes:
        for value in node.results:
            value.type = TensorType(value.type.dtype, tuple(value.type.shape))
    graph = Graph(apart.inputs, apart.nodes, apart.outputs)
    assert fingerprint(graph) == fingerprint(shared)


def test_another_process_finds_the_same():
    program = "import sys; sys.path.insert(0, sys.argv[1]); import test_fingerprint as t; t.show()"
    command = [sys.executable, "-c", program, str(__file__).rsplit("/", 1)[0]]
    shown = subprocess.run(command, capture_output=True, check=True).stdout
    assert shown == b"".join(map(fingerprint, DIFFERENT.values()))


def show():
    sys.stdout.buffer.write(b"".join(map(fingerprint, DIFFERENT.values())))
