"""The source of a function: the node of the syntax tree that its code was compiled from."""

from __future__ import annotations

import ast
import inspect
import linecache
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import TypeAlias

Node: TypeAlias = ast.FunctionDef | ast.Lambda

_FRAME_READERS = {"locals", "eval", "exec", "vars", "dir"}
"""Built-in functions that look at the variables of the frame they are called from."""


class NoSource(Exception):  # noqa: N818  # it is caught and kept as a reason
    """Why a function cannot be rewritten."""


@dataclass(frozen=True)
class Found:
    """A function's node, and the class around it, whose name private names carry."""

    node: Node
    owner: str | None


_trees: dict[str, tuple[list[str], ast.Module]] = {}
_TREES_LIMIT = 64


def find(function: FunctionType) -> Found:
    """The node of a function.

    Raises:
        NoSource: it has none, or one whose control flow cannot be rewritten; the message says why.
    """
    code = function.__code__
    if code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        raise NoSource("generators and coroutines are not rewritten")
    module = _tree(code)
    found = [f for f in _functions(module, None) if _is_of(f, code)]
    if len(found) > 1:
        raise NoSource(f"several functions called {code.co_name} begin on line {code.co_firstlineno}")
    if not found:
        raise NoSource("its source is not what was compiled")
    _check(found[0].node, code)
    return found[0]


def _tree(code: CodeType) -> ast.Module:
    """The syntax tree of the file that the code is from."""
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename)
    if not lines:
        raise NoSource(f"there is no source of {code.co_filename}")
    known = _trees.get(code.co_filename)
    if known is not None and known[0] is lines:
        return known[1]
    try:
        module = ast.parse("".join(lines))
    except SyntaxError:
        raise NoSource("its source is not what was compiled") from None
    if len(_trees) >= _TREES_LIMIT:
        _trees.clear()
    _trees[code.co_filename] = (lines, module)
    return module


def _functions(node: ast.AST, owner: str | None) -> list[Found]:
    """Every function and lambda below a node."""
    found: list[Found] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.Lambda):
            found.append(Found(child, owner))
        found += _functions(child, child.name if isinstance(child, ast.ClassDef) else owner)
    return found


def _is_of(found: Found, code: CodeType) -> bool:
    """Whether a node begins where the code does, is called so, and takes the same arguments."""
    node = found.node
    first = node.lineno
    if isinstance(node, ast.FunctionDef):
        first = min([first, *(d.lineno for d in node.decorator_list)])
    name = node.name if isinstance(node, ast.FunctionDef) else "<lambda>"
    if first != code.co_firstlineno or name != code.co_name:
        return False
    own = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
    if list(code.co_varnames[: len(own)]) != [mangled(name, found.owner) for name in own]:
        return False
    return not isinstance(node, ast.Lambda) or _spans(node.body, code)


def _spans(body: ast.expr, code: CodeType) -> bool:
    """Whether the instructions of a lambda lie within its body, and reach both ends of it."""
    places = [
        ((line, column), (end_line, end_column))
        for line, end_line, column, end_column in code.co_positions()
        if line is not None and column is not None and (column, end_column) != (0, 0)
    ]
    if not places:
        return False
    start, end = min(first for first, _ in places), max(last for _, last in places)
    return start == (body.lineno, body.col_offset) and end == (body.end_lineno, body.end_col_offset)


def mangled(name: str, owner: str | None) -> str:
    """A name as the compiler has it inside a class."""
    if owner is None or not name.startswith("__") or name.endswith("__"):
        return name
    return f"_{owner.lstrip('_')}{name}"


def _check(node: Node, code: CodeType) -> None:
    """Refuse a function whose variables are read by name, and one whose source has changed."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Name) and inner.func.id in _FRAME_READERS:
            raise NoSource(f"it calls {inner.func.id}(), which reads variables by name")
    mentioned = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    mentioned |= {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
    mentioned |= {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
    bare = {name.rpartition("__")[2] for name in mentioned if name.startswith("__")}
    for name in (*code.co_names, *code.co_freevars):
        known = name in mentioned or name.startswith(("@", "__")) or name.rpartition("__")[2] in bare
        if not known and not _is_bound_otherwise(node, name):
            raise NoSource("its source is not what was compiled")


def _is_bound_otherwise(node: Node, name: str) -> bool:
    """Whether a name stands in an import, a keyword, a nested definition or a pattern."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.alias) and (name in inner.name.split(".") or name == inner.asname):
            return True
        if isinstance(inner, ast.ImportFrom) and (inner.module or "") == name:
            return True
        if isinstance(inner, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef) and inner.name == name:
            return True
        if isinstance(inner, ast.Global | ast.Nonlocal) and name in inner.names:
            return True
        if name in (getattr(inner, "name", None), getattr(inner, "rest", None), getattr(inner, "arg", None)):
            return True
    return name in ("AssertionError", "super")
