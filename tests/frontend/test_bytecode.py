"""Reading code as `dis` reads it."""

import argparse
import dis
import inspect
import itertools
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

import pytest

from rosin.frontend import bytecode, core

MODULES = (textwrap, core, argparse)


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_names_are_those_of_dis(module: object) -> None:
    file = inspect.getsourcefile(module)  # type: ignore[arg-type]
    assert file is not None
    whole = compile(Path(file).read_text(), file, "exec")
    found = {"LOAD_GLOBAL": 0, "STORE_FAST": 0, "UNPACK_SEQUENCE": 0, "RETURN_VALUE": 0}
    globals_, attributes = list[str](), list[str]()
    for code in codes(whole):
        steps = [i for i in dis.get_instructions(code) if i.opname not in ("CACHE", "NOP", "EXTENDED_ARG")]
        globals_ += [i.argval for i in steps if i.opname in ("LOAD_GLOBAL", "STORE_GLOBAL", "LOAD_NAME")]
        attributes += [i.argval for i in steps if i.opname in ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR")]
        for step, after in itertools.pairwise(steps):
            stored = bytecode.stored(code, step.offset + 2)
            if after.opname in ("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF"):
                assert stored == ((after.argval,) if after.argval.isidentifier() else ())
            elif after.opname == "RETURN_VALUE":
                assert stored is None
            if after.opname in found:
                found[after.opname] += 1
    assert sorted(bytecode.global_names(whole)) == sorted(globals_)
    assert sorted(bytecode.attribute_names(whole)) == sorted(attributes)
    assert min(found.values()) > 0


def test_several_variables_at_once() -> None:
    code = compile("a, (b, c) = f()\nx, y = g()\nz[0] = h()\nreturn_ = 1", "<text>", "exec")
    calls = [i.offset for i in dis.get_instructions(code) if i.opname == "CALL"]
    assert [bytecode.stored(code, at + 2) for at in calls] == [("a", "b", "c"), ("x", "y"), ()]
