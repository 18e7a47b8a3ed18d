"""From a rewritten syntax tree to a function: the same name, the same lines, the same variables of outer functions."""

from __future__ import annotations
import __future__

import ast
import builtins
import copy
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CellType, CodeType, FunctionType
from typing import Any

from rosin.frontend.rewrite import find
from rosin.frontend.rewrite.expressions import LAYER, Expressions, first_argument
from rosin.frontend.rewrite.find import NoSource
from rosin.frontend.rewrite.transform import Block, Rewriter

_FACTORY, _FUNCTION = ".factory", ".function"
_FLAGS = __future__.annotations.compiler_flag


@dataclass(frozen=True)
class Rewritten:
    """The code of a function after rewriting, and what the layer knows of its blocks."""

    code: CodeType
    layer: CellType
    """The cell of the variable LAYER."""

    def over(self, function: FunctionType) -> FunctionType:
        """A function like the given one, with its variables, defaults and attributes, that runs this code."""
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        cells[LAYER] = self.layer
        closure = tuple([cells[name] for name in self.code.co_freevars])
        made = FunctionType(self.code, function.__globals__, function.__name__, function.__defaults__, closure)
        made.__kwdefaults__ = function.__kwdefaults__
        made.__qualname__, made.__module__ = function.__qualname__, function.__module__
        made.__doc__, made.__annotations__ = function.__doc__, function.__annotations__
        made.__dict__.update(function.__dict__)
        return made


def rewrite(
    function: FunctionType, make_layer: Callable[[list[Block]], Any], is_library: Callable[[Any], bool]
) -> Rewritten | None:
    """The function's code, rewritten; None when there is nothing to rewrite.

    `is_library` says of a global or built-in object whether calls of it can stay as they are.

    Raises:
        NoSource: it cannot be rewritten.
    """
    code = function.__code__
    found = find.find(function)
    rewriter = Rewriter(_Fixed(found.node, function, is_library))
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
    return Rewritten(_renamed(made, code), CellType(make_layer(rewriter.blocks)))


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

    def __init__(self, node: find.Node, function: FunctionType, is_library: Callable[[Any], bool]) -> None:
        self.outside, self.is_library = function.__globals__, is_library
        parts = list(ast.walk(node))
        self.local = {p.id for p in parts if isinstance(p, ast.Name) and not isinstance(p.ctx, ast.Load)}
        self.local |= set(function.__code__.co_freevars)
        self.local |= {p.arg for p in parts if isinstance(p, ast.arg)}
        self.local |= {p.name for p in parts if isinstance(p, ast.FunctionDef | ast.ClassDef)}
        self.local |= {a.asname or a.name for p in parts if isinstance(p, ast.Import | ast.ImportFrom) for a in p.names}

    def __call__(self, called: ast.expr) -> bool:
        found = self._value(called)
        return found is not None and self.is_library(found)

    def _value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            if node.id in self.local:
                return None
            return self.outside.get(node.id, getattr(builtins, node.id, None))
        if isinstance(node, ast.Attribute):
            module = self._value(node.value)
            return getattr(module, node.attr, None) if inspect.ismodule(module) else None
        return None


__all__ = ["NoSource", "Rewritten", "rewrite"]
