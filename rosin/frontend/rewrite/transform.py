"""Statements whose course values decide become calls of the layer, with their blocks as functions.

    if test: A          def then(): nonlocal …; A
    else: B       →     def orelse(): nonlocal …; B
    C                   layer.if_(test, then, orelse, number)
                        C

The blocks share the function's variables, which are cells for that, so the layer can look at them and set them. A block
that ends early returns a *signal*: continue, break, or return, in which case the value is in the variable VALUE. What
stands after a statement that may signal becomes a function too, to be run if there was no signal:

    signal = layer.while_(…)
    def rest(): C
    return layer.then(signal, rest, number)

Statements of other kinds stay what they are, as long as no signal has to pass through them.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from rosin.frontend.rewrite import scope
from rosin.frontend.rewrite.blocks import BREAK, CONTINUE, RETURN, VALUE, Block, Live, Names
from rosin.frontend.rewrite.expressions import (
    Expressions,
    at,
    binds,
    first_argument,
    is_static,
    layer,
    message_parts,
    name,
    parameters,
    visit_defaults,
)
from rosin.frontend.rewrite.find import NoSource

SIGNAL, ITEM = ".signal", ".item"


class Rewriter:
    """Rewrites one function and those inside it."""

    def __init__(self, is_fixed: Callable[[ast.expr], bool]) -> None:
        self.is_fixed = is_fixed
        self.blocks: list[Block] = []
        self.changed = False

    def rewrite(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """The function, rewritten in place."""
        _Function(self, node).rewrite()
        return node

    def add(self, block: Block) -> int:
        """The number by which the layer finds it."""
        self.blocks.append(block)
        return len(self.blocks) - 1


class _Function:
    def __init__(self, owner: Rewriter, node: ast.FunctionDef) -> None:
        self.owner, self.node = owner, node
        self.expressions = Expressions(owner.is_fixed, first_argument(node.args))
        self.globals = scope.declared(node, ast.Global)
        self.nonlocals = scope.declared(node, ast.Nonlocal)
        self.rebound = scope.rebound_inside(node)
        self.functions = 0
        self.signalling: set[ast.stmt] = set()

    def rewrite(self) -> None:
        self.node.body = normal(self.node.body)
        scope.annotate(self.node)
        # Found now, since statements change while they are rewritten.
        nodes = [n for n in scope.inner(self.node.body) if isinstance(n, ast.stmt)]
        self.signalling = {n for n in nodes if may_signal(n)}
        local = scope.assigned(self.node.body) - self.globals - self.nonlocals
        body = self.block(self.node.body, True)
        head = self._declarations(self.globals, self.nonlocals)
        if self.functions:
            # Never run: it makes the variables the function's own, though only functions inside it assign them.
            targets: list[ast.expr] = [ast.Name(n, ast.Store()) for n in sorted((*local, VALUE))]
            head.append(ast.If(ast.Constant(0), [ast.Assign(targets, ast.Constant(None))], []))
        if self.functions or self.expressions.changed:
            self.owner.changed = True
        self.node.body = [*(at(self.node, statement) for statement in head), *body]

    def _declarations(self, outer: Names, middle: Names) -> list[ast.stmt]:
        found: list[ast.stmt] = []
        if outer:
            found.append(ast.Global(sorted(outer)))
        if middle:
            found.append(ast.Nonlocal(sorted(middle)))
        return found

    # -- blocks --------------------------------------------------------------------------------------------------

    def block(self, statements: Sequence[ast.stmt], top: bool) -> list[ast.stmt]:
        """The statements of a block; `top` is whether they stay in the function itself, where `return` returns."""
        found: list[ast.stmt] = []
        for position, statement in enumerate(statements):
            found += self.statement(statement, top)
            if statement in self.signalling:
                return [*found, *self._after(statement, list(statements[position + 1 :]), top)]
        return found or [at(self.node, ast.Pass())]

    def _after(self, statement: ast.stmt, rest: list[ast.stmt], top: bool) -> list[ast.stmt]:
        """What comes after a statement that may signal."""
        if top and not exits([statement, *rest]):
            rest.append(ast.copy_location(ast.Return(None), rest[-1] if rest else statement))
        made: list[ast.stmt] = []
        if rest:
            made += self._unless_signalled(statement, rest)
        return [*made, at(statement, ast.Return(name(VALUE if top else SIGNAL)))]

    def _unless_signalled(self, statement: ast.stmt, rest: list[ast.stmt]) -> list[ast.stmt]:
        """A block that runs if the statement before it gave no signal."""
        live = scope.live_of(statement)
        number = self._block("then", rest[0], rest, replace(live, end=live.last))
        run = self.function(".rest", rest, rest[0])
        call = layer("then", name(SIGNAL), name(".rest"), ast.Constant(number))
        return [run, at(statement, ast.Assign([ast.Name(SIGNAL, ast.Store())], call))]

    def function(
        self,
        called: str,
        statements: Sequence[ast.stmt],
        place: ast.AST,
        *arguments: str,
        first: ast.stmt | None = None,
    ) -> ast.FunctionDef:
        """A block as a function over the variables of this one."""
        self.functions += 1
        names = scope.assigned(statements if first is None else (first, *statements))
        used = names & self.globals
        body: list[ast.stmt] = [at(place, s) for s in self._declarations(used, names - used | {VALUE})]
        if first is not None:
            body += [first]
        body += self.block(statements, False)
        return _definition(place, called, body, *arguments)

    def _block(self, kind: str, node: ast.stmt, parts: Sequence[ast.AST], live: Live, **more: Any) -> int:
        names = (scope.assigned(parts) | self.rebound) - self.globals
        if any(isinstance(part, ast.Return) for part in scope.inner(parts)):
            names |= {VALUE}
        return self.owner.add(Block(kind, node.lineno, tuple(sorted(names)), live, **more))

    # -- statements ----------------------------------------------------------------------------------------------

    def statement(self, node: ast.stmt, top: bool) -> list[ast.stmt]:
        """A statement, rewritten; if it may signal, the last of the new ones sets the variable SIGNAL."""
        match node:
            case ast.If() if not is_static(node.test):
                return self._if(node)
            case ast.While():
                return self._while(node)
            case ast.For():
                return self._for(node)
            case ast.If() | ast.With() | ast.Try() | ast.Match():
                return self._plain(node, top)
            case ast.Return() | ast.Break() | ast.Continue() if not top:
                return self._signal(node)
            case ast.FunctionDef():
                return [self._nested(node)]
            case ast.AsyncFunctionDef() | ast.ClassDef() | ast.AsyncFor() | ast.AsyncWith():
                return [node]
            case ast.Global() | ast.Nonlocal():
                return []  # They are declared at the head.
            case ast.Assert():
                return [self._assert(node)]
            case ast.Raise(exc=ast.expr()) if not top:
                node = self.expressions.rewrite(node)
                assert node.exc is not None
                node.exc = at(node.exc, layer("raised", node.exc))
                return [node]
            case ast.AnnAssign():
                return self._annotated(node)
            case _:
                return [self.expressions.rewrite(node)]

    def _if(self, node: ast.If) -> list[ast.stmt]:
        number = self._block("if", node, [*node.body, *node.orelse], scope.live_of(node))
        then = self.function(".then", node.body, node)
        orelse = self.function(".else", node.orelse, node)
        test = self.expressions.rewrite(node.test)
        call = layer("if_", test, name(".then"), name(".else"), ast.Constant(number))
        return [then, orelse, self._set(node, node.test, call)]

    def _set(self, node: ast.stmt, place: ast.expr, call: ast.expr) -> ast.stmt:
        """The call of the layer that decides a statement, at the place of its test."""
        at(place, call)
        if node in self.signalling:
            return at(place, ast.Assign([ast.Name(SIGNAL, ast.Store())], call))
        return at(place, ast.Expr(call))

    def _while(self, node: ast.While) -> list[ast.stmt]:
        number = self._loop("while", node, [*node.body, *node.orelse])
        body = self.function(".body", node.body, node)
        orelse = [self.function(".else", node.orelse, node)] if node.orelse else []
        after: ast.expr = name(".else") if orelse else ast.Constant(None)
        test = self.expressions.rewrite(node.test)
        check = _definition(node.test, ".test", [at(node.test, ast.Return(test))])
        call = layer("while_", name(".test"), name(".body"), after, ast.Constant(number))
        return [check, body, *orelse, self._set(node, node.test, call)]

    def _for(self, node: ast.For) -> list[ast.stmt]:
        item = at(node.target, ast.Assign([node.target], name(ITEM)))
        number = self._loop("for", node, [item, *node.body, *node.orelse])
        iterable = self.expressions.rewrite(node.iter)
        body = self.function(".body", node.body, node, ITEM, first=item)
        orelse = [self.function(".else", node.orelse, node)] if node.orelse else []
        after: ast.expr = name(".else") if orelse else ast.Constant(None)
        call = layer("for_", iterable, name(".body"), after, ast.Constant(number))
        return [body, *orelse, self._set(node, node.iter, call)]

    def _loop(self, kind: str, node: ast.While | ast.For, parts: Sequence[ast.AST]) -> int:
        head = scope.head_of(node)
        return self._block(
            kind, node, parts, scope.live_of(node), head=head, appended=_appended(node), outer=scope.outer_of(node)
        )

    def _plain(self, node: ast.If | ast.With | ast.Try | ast.Match, top: bool) -> list[ast.stmt]:
        """A statement that stays, with its blocks rewritten; as functions if a signal has to pass through it."""
        signals = node in self.signalling

        def part(statements: list[ast.stmt]) -> list[ast.stmt]:
            if not statements or not signals:
                return self.block(statements, top) if statements else []
            run = self.function(".part", statements, statements[0])
            call = at(statements[0], ast.Assign([ast.Name(SIGNAL, ast.Store())], ast.Call(name(".part"), [], [])))
            return [run, call]

        match node:
            case ast.If():
                node.test = self.expressions.rewrite(node.test)
                node.body, node.orelse = part(node.body), part(node.orelse)
            case ast.With():
                node.items = [self.expressions.rewrite(item) for item in node.items]
                node.body = part(node.body)
            case ast.Try():
                rest = self._unless_signalled(node, node.orelse) if signals and node.orelse else part(node.orelse)
                node.body, node.orelse = part(node.body), rest
                for handler in node.handlers:
                    handler.body = part(handler.body)
                node.finalbody = self.block(node.finalbody, top) if node.finalbody else []
            case ast.Match():
                node.subject = self.expressions.rewrite(node.subject)
                for case in node.cases:
                    case.guard = None if case.guard is None else self.expressions.rewrite(case.guard)
                    case.body = part(case.body)
        if not signals:
            return [node]
        return [at(node, ast.Assign([ast.Name(SIGNAL, ast.Store())], ast.Constant(None))), node]

    def _signal(self, node: ast.Return | ast.Break | ast.Continue) -> list[ast.stmt]:
        code = BREAK if isinstance(node, ast.Break) else CONTINUE if isinstance(node, ast.Continue) else RETURN
        made: list[ast.stmt] = [at(node, ast.Return(ast.Constant(code)))]
        if isinstance(node, ast.Return):
            value = ast.Constant(None) if node.value is None else self.expressions.rewrite(node.value)
            made.insert(0, at(node, ast.Assign([ast.Name(VALUE, ast.Store())], value)))
        return made

    def _nested(self, node: ast.FunctionDef) -> ast.FunctionDef:
        visit_defaults(self.expressions, node.args)
        if not any(isinstance(part, ast.Yield | ast.YieldFrom) for part in scope.inner(node.body)):
            self.owner.rewrite(node)
        return node

    def _assert(self, node: ast.Assert) -> ast.stmt:
        if is_static(node.test) or (node.msg is not None and binds(node.msg)):
            return self.expressions.rewrite(node)
        said = ast.Constant(ast.unparse(node.test)) if node.msg is None else self.expressions.rewrite(node.msg)
        lazy = at(node, ast.Lambda(parameters(), message_parts(said)))
        node.test = at(node.test, layer("asserted", self.expressions.rewrite(node.test), lazy))
        self.expressions.changed = True
        return node

    def _annotated(self, node: ast.AnnAssign) -> list[ast.stmt]:
        """A variable of an outer function cannot be annotated; what annotations say is not looked at anyway."""
        if node.value is None:
            return [at(node, ast.Pass())]
        made = ast.copy_location(ast.Assign([node.target], node.value), node)
        return [self.expressions.rewrite(made)]


def _definition(place: ast.AST, called: str, body: list[ast.stmt], *arguments: str) -> ast.FunctionDef:
    node: Any = ast.FunctionDef(called, parameters(*arguments), body, [], None)
    node.type_params = []
    return at(place, node)


# -- questions ---------------------------------------------------------------------------------------------------


def exits(statements: Sequence[ast.stmt]) -> bool:
    """Whether the end of a block is never reached, as far as one sees."""
    if not statements:
        return False
    match statements[-1]:
        case ast.Return() | ast.Break() | ast.Continue() | ast.Raise():
            return True
        case ast.If(body=body, orelse=orelse):
            return exits(body) and exits(orelse)
        case ast.With(body=body):
            return exits(body)
        case _:
            return False


def normal(statements: Sequence[ast.stmt]) -> list[ast.stmt]:
    """A block in which what follows an `if` stands in its one branch that gets there, if the other never does, and in
    which no test of a loop assigns variables: such a test becomes the first statement of its body.

    Raises:
        NoSource: there is a statement that cannot be rewritten.
    """
    found: list[ast.stmt] = []
    for position, node in enumerate(statements):
        found.append(node)
        rest = list(statements[position + 1 :])
        if isinstance(node, ast.While) and binds(node.test):
            if node.orelse:
                raise NoSource(f"the loop of line {node.lineno} has both := in its test and an else")
            check = at(node.test, ast.If(node.test, [ast.Pass()], [ast.Break()]))
            node.test, node.body = at(node.test, ast.Constant(True)), [check, *node.body]
        if isinstance(node, ast.Try) and leaves(node.finalbody, True):
            raise NoSource(f"`finally` in line {node.lineno} ends with return, break or continue")
        moved = isinstance(node, ast.If) and not is_static(node.test) and rest and _moved(node, rest)
        if isinstance(node, ast.While | ast.For):
            node.body, node.orelse = normal(node.body), normal(node.orelse)
        elif isinstance(node, ast.Match):
            for case in node.cases:
                case.body = normal(case.body)
        elif isinstance(node, ast.If | ast.With | ast.Try):
            node.body = normal(node.body)
            if not isinstance(node, ast.With):
                node.orelse = normal(node.orelse)
            if isinstance(node, ast.Try):
                node.finalbody = normal(node.finalbody)
                for handler in node.handlers:
                    handler.body = normal(handler.body)
        if moved:
            break
    return found


def _moved(node: ast.If, rest: list[ast.stmt]) -> bool:
    """Move what follows an `if` into its branch that gets there, if only one does."""
    if exits(node.body) and not exits(node.orelse):
        node.orelse = [*node.orelse, *rest]
        return True
    if exits(node.orelse) and not exits(node.body):
        node.body = [*node.body, *rest]
        return True
    return False


def may_signal(node: ast.stmt) -> bool:
    """Whether a statement, rewritten, gives a signal: `break`, `continue` or `return` in it leads out of it."""
    if isinstance(node, ast.While | ast.For):
        return leaves([*node.body, *node.orelse], False) or leaves(node.orelse, True)
    if isinstance(node, ast.If) and not is_static(node.test):
        return leaves([*node.body, *node.orelse], True)
    if isinstance(node, ast.If | ast.With | ast.Try | ast.Match):
        return any(may_signal(part) for block in _blocks(node) for part in block)
    return False


def _blocks(node: ast.stmt) -> list[list[ast.stmt]]:
    """The blocks of a statement that stays."""
    match node:
        case ast.If(body=body, orelse=orelse):
            return [body, orelse]
        case ast.With(body=body):
            return [body]
        case ast.Try(body=body, orelse=orelse, handlers=handlers, finalbody=final):
            return [body, orelse, final, *(h.body for h in handlers)]
        case ast.Match(cases=cases):
            return [case.body for case in cases]
        case _:
            return []


def leaves(statements: Sequence[ast.stmt], jumps: bool) -> bool:
    """Whether there is a `return` in a block, or, with `jumps`, a `break` or `continue` of a loop around it."""
    for node in statements:
        if isinstance(node, ast.Return) or (jumps and isinstance(node, ast.Break | ast.Continue)):
            return True
        if isinstance(node, ast.While | ast.For):
            if leaves(node.body, False) or leaves(node.orelse, jumps):
                return True
        elif any(leaves(block, jumps) for block in _blocks(node)):
            return True
    return False


def _appended(node: ast.While | ast.For) -> Names:
    """The variables of which the loop does nothing but call `.append`."""
    parts = list(scope.inner(node.body))
    receivers = [
        call.func.value
        for call in parts
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "append"
    ]
    names = {r.id for r in receivers if isinstance(r, ast.Name)}
    own = set(map(id, receivers))
    every = [p for n in node.body for p in ast.walk(n) if isinstance(p, ast.Name)]
    every += [p for p in ast.walk(node.test) if isinstance(p, ast.Name)] if isinstance(node, ast.While) else []
    return frozenset(names - {p.id for p in every if id(p) not in own})
