"""Expressions in which control flow hides: `and`, `or`, `not`, chained comparisons, conditional expressions,
comprehensions and calls become calls of the layer (rosin.frontend.rewrite.layer), which look at the values.

Operands that Python may leave out become lambdas. One with a walrus in it stays as it is, since the variable would be
the lambda's own.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rosin.frontend.rewrite.blocks import LAYER

ITEMS = ".items"

_STATIC_CALLS = {"isinstance", "issubclass", "hasattr", "callable"}
N = TypeVar("N", bound=ast.AST)


def at(place: ast.AST, node: N) -> N:
    """A new node with all below it, at the place of an old one."""
    ast.copy_location(node, place)
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr | ast.stmt) and not hasattr(child, "lineno"):
            at(place, child)
        elif not isinstance(child, ast.expr | ast.stmt):
            _arguments_at(place, child)
    return node


def _arguments_at(place: ast.AST, node: ast.AST) -> None:
    """The same for what has no place itself, but parts that do."""
    if "lineno" in node._attributes and not hasattr(node, "lineno"):
        ast.copy_location(node, place)
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr | ast.stmt) and not hasattr(child, "lineno"):
            at(place, child)
        elif not isinstance(child, ast.expr | ast.stmt):
            _arguments_at(place, child)


def name(identifier: str) -> ast.Name:
    """A variable that is read."""
    return ast.Name(identifier, ast.Load())


def layer(method: str, *args: ast.expr) -> ast.Call:
    """A call of the layer."""
    return ast.Call(ast.Attribute(name(LAYER), method, ast.Load()), list(args), [])


def parameters(*names: str) -> ast.arguments:
    """Positional parameters."""
    return ast.arguments([], [ast.arg(n) for n in names], None, [], [], None, [])


def thunk(body: ast.expr, *names: str) -> ast.Lambda:
    """A lambda."""
    return ast.Lambda(parameters(*names), body)


def message_parts(message: ast.expr) -> ast.expr:
    """A message, as a list of texts and of values with how to write them if it is an f-string."""
    if not isinstance(message, ast.JoinedStr):
        return message
    parts: list[ast.expr] = []
    for part in message.values:
        if isinstance(part, ast.FormattedValue):
            spec = part.format_spec if part.format_spec is not None else ast.Constant("")
            parts.append(ast.Tuple([part.value, spec], ast.Load()))
        else:
            parts.append(part)
    return ast.List(parts, ast.Load())


def is_static(test: ast.expr) -> bool:
    """Whether one sees that a test asks about Python objects, never about numbers in an array."""
    match test:
        case ast.Constant():
            return True
        case ast.Compare(ops=ops):
            return all(isinstance(op, ast.Is | ast.IsNot) for op in ops)
        case ast.Call(func=ast.Name(id=called)):
            return called in _STATIC_CALLS
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return is_static(operand)
        case ast.BoolOp(values=values):
            return all(map(is_static, values))
        case ast.Name(id="TYPE_CHECKING" | "__debug__"):
            return True
        case _:
            return False


def binds(node: ast.AST) -> bool:
    """Whether a walrus is in an expression."""
    return any(isinstance(part, ast.NamedExpr) for part in ast.walk(node))


class Expressions(ast.NodeTransformer):
    """Rewrites expressions; statements are left to whoever calls it.

    `is_fixed` says of what is called whether it is known to need no rewriting.
    """

    def __init__(self, is_fixed: Callable[[ast.expr], bool], first_argument: str | None) -> None:
        self.is_fixed = is_fixed
        self.first_argument = first_argument
        self.changed = False

    def rewrite(self, node: N) -> N:
        """The expression, rewritten."""
        return self.visit(node)

    def _new(self, place: ast.AST, node: N) -> N:
        self.changed = True
        return at(place, node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        if is_static(node) or any(map(binds, node.values[1:])):
            return self._parts(node)
        method = "and_" if isinstance(node.op, ast.And) else "or_"
        first, *rest = [self.visit(v) for v in node.values]
        return self._new(node, layer(method, first, *map(thunk, rest)))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        if not isinstance(node.op, ast.Not) or is_static(node.operand):
            return self._parts(node)
        return self._new(node, layer("not_", self.visit(node.operand)))

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        if is_static(node.test) or binds(node.body) or binds(node.orelse):
            return self._parts(node)
        body, orelse = self.visit(node.body), self.visit(node.orelse)
        return self._new(node, layer("choose", self.visit(node.test), thunk(body), thunk(orelse)))

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        inside = any(isinstance(op, ast.In | ast.NotIn) for op in node.ops)
        if (len(node.ops) == 1 and not inside) or is_static(node) or any(map(binds, node.comparators[1:])):
            return self._parts(node)
        left, first, *rest = [self.visit(v) for v in (node.left, *node.comparators)]
        ops = [ast.Constant(type(op).__name__) for op in node.ops]
        pairs = [ast.Tuple([op, thunk(v)], ast.Load()) for op, v in zip(ops[1:], rest, strict=True)]
        return self._new(node, layer("compare", left, ops[0], first, *pairs))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        called, plain = node.func, not node.args and not node.keywords
        if isinstance(called, ast.Name) and called.id == "super":
            # It looks for the method's first argument in the frame, and that may be an outer one now.
            if plain and self.first_argument is not None:
                args: list[ast.expr] = [name("__class__"), name(self.first_argument)]
                return self._new(node, ast.Call(name("super"), args, []))
            return self._parts(node)
        fixed = self.is_fixed(called)
        node.args = [self.visit(a) for a in node.args]
        node.keywords = [self.visit(k) for k in node.keywords]
        node.func = self.visit(called)
        if not fixed:
            node.func = self._new(called, layer("function", node.func))
        return node

    def visit_ListComp(self, node: ast.ListComp) -> ast.expr:
        return self._comprehension(node, "comprehension")

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.expr:
        return self._comprehension(node, "generator")

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp, method: str) -> ast.expr:
        if binds(node):
            return self._parts(node)
        whole = self._parts(node)
        first = node.generators[0]
        source = first.iter
        for generator in node.generators:
            generator.ifs = [self._new(test, layer("kept", test)) for test in generator.ifs]
        first.iter = at(source, name(ITEMS))
        return self._new(node, layer(method, source, thunk(whole, ITEMS)))

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        own, self.first_argument = self.first_argument, first_argument(node.args)
        node.body = self.visit(node.body)
        self.first_argument = own
        visit_defaults(self, node.args)
        return node

    def _parts(self, node: Any) -> Any:
        """The same node, its parts rewritten."""
        return self.generic_visit(node)


def first_argument(args: ast.arguments) -> str | None:
    """The name of the first positional argument."""
    positional: Sequence[ast.arg] = (*args.posonlyargs, *args.args)
    return positional[0].arg if positional else None


def visit_defaults(expressions: Expressions, args: ast.arguments) -> None:
    """Rewrite the defaults of a nested function, which the outer one evaluates."""
    args.defaults = [expressions.visit(d) for d in args.defaults]
    args.kw_defaults = [None if d is None else expressions.visit(d) for d in args.kw_defaults]
