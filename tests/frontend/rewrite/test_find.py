"""The source of a function: by the statement of its file that seems to have it, or by all of the file."""

import ast
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np

import rosin
from rosin.frontend.rewrite import find

ROOT = Path(__file__).parents[3]


def test_statements_have_the_nodes_that_files_have() -> None:
    count = failed = 0
    for path in sorted((ROOT / "tests").rglob("test_*.py"))[::7]:
        lines = path.read_text().splitlines(keepends=True)
        whole = ast.parse("".join(lines))
        for line in sorted(
            {find._first_line(n) for n in ast.walk(whole) if isinstance(n, ast.FunctionDef | ast.Lambda)}
        ):
            tree = find._parsed(lines, *find._statement(lines, line - 1))
            found = [] if tree is None else dumped(tree, line)
            count += 1
            failed += not found
            assert not found or found == dumped(whole, line), (path, line)
    assert failed < count / 50


def dumped(tree: ast.Module, line: int) -> list[tuple[str, str | None]]:
    return [(ast.dump(f.node, include_attributes=True), f.owner) for f in find._begun_on(tree, line)]


ODD = '''
TEXT = """
def f(x):
    if
"""
def before(x): return x
if not TEXT:
    pass
else:
    def f(x):
        if x.sum() > 0:
            return x * 2
        return x
@str
@(lambda f:
f)
def decorated(x):
    return x
g = (
lambda x: x.sum() if x.sum() > 0 else x.sum() * 0,
)[0]
'''


def test_statements_that_do_not_begin_at_the_left_are_found(tmp_path: Path) -> None:
    """What stands at the left may be a part of another statement: then the whole file is parsed."""
    path = tmp_path / "odd.py"
    path.write_text(ODD)
    names: dict[str, Any] = {}
    code = compile(ODD, str(path), "exec")
    exec(code, names)
    for x in (np.ones(3, np.float32), -np.ones(3, np.float32)):
        assert np.array_equal(rosin.compile(names["f"])(x), names["f"](x))
        assert np.array_equal(rosin.compile(names["g"])(x), names["g"](x))
    inner = {c.co_name: c for c in codes(code)}
    assert {name: len(next(filter(None, found(inner[name])))) for name in ("f", "decorated", "before")} == {
        "f": 1, "decorated": 1, "before": 1,
    }  # fmt: skip


def found(code: CodeType) -> Iterator[list[find.Found]]:
    return (find._found_in(tree, code) for tree in find._trees_of(code))


def codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from codes(constant)
