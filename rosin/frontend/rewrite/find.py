"""The source of a function: the node of the syntax tree that its code was compiled from."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import TypeAlias

from rosin.ir.dataclass import dataclass

Node: TypeAlias = ast.FunctionDef | ast.Lambda

_FRAME_READERS = {"locals", "eval", "exec", "vars", "dir"}
"""Built-in functions that look at the variables of the frame they are called from."""


class NoSource(Exception):  # it is caught and kept as a reason
    """Why a function cannot be rewritten."""


@dataclass(frozen=True)
class Found:
    """A function's node, and the class around it, whose name private names carry."""

    node: Node
    owner: str | None


_files: dict[str, tuple[list[str], dict[tuple[int, int], ast.Module | None]]] = {}
"""The lines of each file, and the trees of some of its lines, None for those that are no module."""
_LIMIT = 256
_STATEMENT, _DEFINITION = re.compile(r"[^\W\d]|@"), re.compile(r"(async\s+)?(def|class)\b")
"""What a statement of a module may begin with, and the head of one that decorators come before."""


def find(function: FunctionType) -> Found:
    """The node of a function.

    Raises:
        NoSource: it has none, or one whose control flow cannot be rewritten; the message says why.
    """
    code = function.__code__
    if code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        raise NoSource("generators and coroutines are not rewritten")
    found = next(filter(None, (_found_in(tree, code) for tree in _trees_of(code))), ())
    if len(found) > 1:
        raise NoSource(f"several functions called {code.co_name} begin on line {code.co_firstlineno}")
    if not found:
        raise NoSource("its source is not what was compiled")
    _check(found[0].node, code)
    return found[0]


def _found_in(tree: ast.Module, code: CodeType) -> list[Found]:
    return [f for f in _begun_on(tree, code.co_firstlineno) if _is_of(f, code)]


def _trees_of(code: CodeType) -> Iterator[ast.Module]:
    """Trees that the code may be from: of the statement of the file that seems to have it, which takes less time to
    parse, and of all of the file, or of the part of it that has the code."""
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename)
    if not lines:
        raise NoSource(f"there is no source of {code.co_filename}")
    known = _files.get(code.co_filename)
    if known is None or known[0] is not lines:
        if len(_files) >= _LIMIT:
            _files.clear()
        known = _files[code.co_filename] = (lines, {})
    for first, end in (_statement(lines, code.co_firstlineno - 1), (0, len(lines))):
        if (first, end) not in known[1]:
            known[1][first, end] = _parsed(lines, first, end)
        tree = known[1][first, end]
        if tree is not None:
            yield tree
    if tree is None:
        yield _block(lines, code.co_firstlineno)


def _statement(lines: list[str], at: int) -> tuple[int, int]:
    """Where the statement of a module that has a line begins and ends, by what stands at the left."""
    first, head = -1, at
    for i in range(min(at, len(lines) - 1), -1, -1):
        if _STATEMENT.match(lines[i]):
            if first >= 0 and lines[i][0] != "@":
                break  # Decorators belong to what comes after them.
            first = i
    first = max(first, 0)
    if lines[first][0] == "@":
        head = next((i for i in range(first, len(lines)) if _DEFINITION.match(lines[i])), first)
    end = next((i for i in range(max(head, at) + 1, len(lines)) if _STATEMENT.match(lines[i])), len(lines))
    return first, end


def _parsed(lines: list[str], first: int, end: int) -> ast.Module | None:
    """The tree of some lines, if they are a module."""
    try:
        return ast.parse("\n" * first + "".join(lines[first:end]))
    except SyntaxError:
        return None


def _block(lines: list[str], first: int) -> ast.Module:
    """The tree of the one statement that begins on a line, where the file is no module: a page with code in it."""
    block = inspect.getblock(lines[first - 1 :])
    head = "\n" * (first - 1)
    if block and block[0][:1].isspace() and first > 1:
        head = "\n" * (first - 2) + "if 1:\n"  # So that columns stay what they are.
    try:
        return ast.parse(head + "".join(block))
    except SyntaxError:
        raise NoSource("its source is not what was compiled") from None


def _begun_on(module: ast.Module, line: int) -> list[Found]:
    """The functions and lambdas of a tree that begin on a line, decorators included."""
    found: list[Found] = []
    stack: list[tuple[ast.AST, str | None]] = [(module, None)]
    while stack:
        node, owner = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.Lambda) and _first_line(node) == line:
            found.append(Found(node, owner))
        inside = node.name if isinstance(node, ast.ClassDef) else owner
        stack += [(child, inside) for child in ast.iter_child_nodes(node) if _may_have(child, line)]
    return found


def _may_have(node: ast.AST, line: int) -> bool:
    """Whether what begins on a line may be in a node."""
    return not isinstance(node, ast.stmt) or _first_line(node) <= line <= (node.end_lineno or line)


def _first_line(node: ast.stmt | ast.expr) -> int:
    """The line that a node begins on, decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(d.lineno for d in decorators)])


def _is_of(found: Found, code: CodeType) -> bool:
    """Whether a node is called what the code is, and takes the same arguments."""
    node = found.node
    name = node.name if isinstance(node, ast.FunctionDef) else "<lambda>"
    if name != code.co_name:
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
    if "@pytest_ar" in code.co_names:
        return  # pytest has put other code in place of an assert.
    for name in (*code.co_names, *code.co_freevars):
        known = name in mentioned or name.startswith("__") or name.rpartition("__")[2] in bare
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
