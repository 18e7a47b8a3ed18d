"""From a rewritten syntax tree to a function: the same name, the same lines, the same variables of outer functions."""

from __future__ import annotations
import __future__

import ast
import copy
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

from rosin.frontend.rewrite import find
from rosin.frontend.rewrite.blocks import LAYER, Outcome
from rosin.frontend.rewrite.expressions import Expressions, first_argument
from rosin.frontend.rewrite.find import NoSource
from rosin.frontend.rewrite.transform import Rewriter

_FACTORY, _FUNCTION = ".factory", ".function"
_FLAGS = __future__.annotations.compiler_flag


def rewrite(function: FunctionType, is_fixed: Callable[[tuple[str, ...]], bool]) -> Outcome:
    """The function's code, rewritten. `is_fixed` says whether calls of a global or built-in name, or of names in
    modules that follow it, can stay as they are."""
    try:
        found = find.find(function)
    except NoSource as reason:
        return Outcome(reason=str(reason))
    fixed = _Fixed(found.node, function.__code__, is_fixed)
    rewriter = Rewriter(fixed)
    try:
        made = _code(found, function.__code__, rewriter)
    except NoSource as reason:
        return Outcome(fixed=fixed.asked, reason=str(reason))
    return Outcome(made, tuple(rewriter.blocks), fixed.asked)


def _code(found: find.Found, code: CodeType, rewriter: Rewriter) -> CodeType | None:
    """The code of the rewritten tree; None when there is nothing to rewrite.

    Raises:
        NoSource: it cannot be rewritten.
    """
    node = copy.deepcopy(found.node)
    _bare(node)
    if isinstance(node, ast.FunctionDef):
        node = rewriter.rewrite(node)
        # Under its own name it would be a variable of the factory, and hide what the function calls by that name.
        node.name = _FUNCTION
        statement: ast.stmt = node
    else:
        expressions = Expressions(rewriter.is_fixed, first_argument(node.args))
        node.body = expressions.rewrite(node.body)
        rewriter.changed = expressions.changed
        statement = ast.copy_location(ast.Expr(node), node)
    if not rewriter.changed:
        return None
    module = _factory(statement, code.co_freevars, found.owner)
    flags = code.co_flags & _FLAGS
    outer = compile(module, code.co_filename, "exec", flags=flags, dont_inherit=True)
    name = _FUNCTION if isinstance(node, ast.FunctionDef) else code.co_name
    made = next(c for c in _codes(outer) if c.co_name == name and c.co_firstlineno == node.lineno)
    return _renamed(made, code)


def _bare(node: find.Node) -> None:
    """Leave out what a definition evaluates when it runs: it has run already."""
    args = node.args
    args.defaults = []
    args.kw_defaults = [None] * len(args.kwonlyargs)
    if isinstance(node, ast.FunctionDef):
        node.decorator_list, node.returns = [], None
        for arg in ast.walk(args):
            if isinstance(arg, ast.arg):
                arg.annotation = None


def _factory(statement: ast.stmt, free: tuple[str, ...], owner: str | None) -> ast.Module:
    """The function inside one whose parameters are its free variables, and in the class whose private names it uses."""
    body: list[ast.stmt] = [statement]
    if owner is not None:
        kind: Any = ast.ClassDef(owner, [], [], body, [])
        kind.type_params = []
        # The same for the class, unless it is a variable of an outer function.
        body = [kind] if owner in free else [ast.Global([owner]), kind]
    parameters = ast.arguments([], [ast.arg(n) for n in (*free, LAYER)], None, [], [], None, [])
    factory: Any = ast.FunctionDef(_FACTORY, parameters, body, [], None)
    factory.type_params = []
    return ast.fix_missing_locations(ast.Module([factory], []))


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _renamed(code: CodeType, like: CodeType) -> CodeType:
    """The code with the names that the function's had, blocks having that of the function they are in."""
    return _with_names(code, like.co_name, like.co_qualname)


def _with_names(code: CodeType, name: str, qualname: str) -> CodeType:
    constants: list[Any] = []
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            own = constant.co_name
            if own.startswith("."):
                constant = _with_names(constant, name, qualname)
            else:
                constant = _with_names(constant, own, f"{qualname}.<locals>.{own}")
        constants.append(constant)
    return code.replace(co_name=name, co_qualname=qualname, co_consts=tuple(constants))


class _Fixed:
    """Whether what is called is known before it runs, and needs no rewriting: a function of a library, mostly."""

    def __init__(self, node: find.Node, code: CodeType, is_fixed: Callable[[tuple[str, ...]], bool]) -> None:
        self.is_fixed = is_fixed
        self.asked: dict[tuple[str, ...], bool] = {}
        parts = list(ast.walk(node))
        self.local = {p.id for p in parts if isinstance(p, ast.Name) and not isinstance(p.ctx, ast.Load)}
        self.local |= set(code.co_freevars)
        self.local |= {p.arg for p in parts if isinstance(p, ast.arg)}
        self.local |= {p.name for p in parts if isinstance(p, ast.FunctionDef | ast.ClassDef)}
        self.local |= {a.asname or a.name for p in parts if isinstance(p, ast.Import | ast.ImportFrom) for a in p.names}

    def __call__(self, called: ast.expr) -> bool:
        names = self._names(called)
        if names is None:
            return False
        answer = self.asked[names] = self.is_fixed(names)
        return answer

    def _names(self, node: ast.expr) -> tuple[str, ...] | None:
        """A global or built-in name, or names of modules that follow it."""
        if isinstance(node, ast.Name):
            return None if node.id in self.local else (node.id,)
        if isinstance(node, ast.Attribute):
            before = self._names(node.value)
            return None if before is None else (*before, node.attr)
        return None


__all__ = ["rewrite"]
