"""What the statements of a function do to its variables: which are assigned, which are read later on.

`annotate` walks a function backwards and writes on each statement that control flow decides (`if`, `while`, `for`)
which variables are live, that is, may be read, at each place where the run can go on from it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from rosin.frontend.rewrite.blocks import BREAK, CONTINUE, RETURN, VALUE, Live, Names

_NONE: Names = frozenset()

SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def inner(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes and all below that belong to the same scope; comprehensions count as the same."""
    for node in nodes:
        yield node
        if not isinstance(node, SCOPES):
            yield from inner(ast.iter_child_nodes(node))


def assigned(nodes: Iterable[ast.AST]) -> Names:
    """The variables of the function's that these nodes bind or delete."""
    return frozenset(_bound(nodes, False))


def _bound(nodes: Iterable[ast.AST], hidden: bool) -> Iterator[str]:
    """The names that are bound; those that a comprehension binds for itself are `hidden`."""
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                if not hidden:
                    yield name
            case ast.NamedExpr(target=ast.Name(id=name), value=value):
                # A walrus in a comprehension binds a variable of the function.
                yield name
                yield from _bound([value], hidden)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
                yield from _bound(node.decorator_list, hidden)
            case ast.Lambda():
                pass
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                for alias in names:
                    yield alias.asname or alias.name.split(".")[0]
            case ast.ExceptHandler() | ast.MatchAs() | ast.MatchStar() | ast.MatchMapping():
                name = node.rest if isinstance(node, ast.MatchMapping) else node.name
                if name is not None:
                    yield name
                yield from _bound(ast.iter_child_nodes(node), hidden)
            case _:
                below = ast.iter_child_nodes(node)
                yield from _bound(below, hidden or isinstance(node, COMPREHENSIONS))


def read(nodes: Iterable[ast.AST]) -> Names:
    """The names that nodes read, in nested functions too."""
    found: set[str] = set()
    for node in nodes:
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Store):
                found.add(part.id)
    return frozenset(found)


def escaping(function: ast.FunctionDef) -> Names:
    """The variables that functions inside this one read or bind: they may be read whenever one is called."""
    found: set[str] = set()
    for node in inner(function.body):
        if isinstance(node, (*SCOPES, ast.GeneratorExp)):
            found |= read([node])
            for part in ast.walk(node):
                if isinstance(part, ast.Nonlocal):
                    found |= set(part.names)
    return frozenset(found)


def rebound_inside(function: ast.FunctionDef) -> Names:
    """The variables that functions inside this one bind, by `nonlocal`."""
    nested = [node for node in inner(function.body) if isinstance(node, SCOPES)]
    parts = [part for node in nested for part in ast.walk(node)]
    return frozenset(name for part in parts if isinstance(part, ast.Nonlocal) for name in part.names)


def declared(function: ast.FunctionDef, kind: type[ast.Global | ast.Nonlocal]) -> Names:
    """The names that the function declares `global`, or `nonlocal`."""
    return frozenset(name for node in inner(function.body) if isinstance(node, kind) for name in node.names)


def annotate(function: ast.FunctionDef) -> None:
    """Write on every `if`, `while` and `for` of the function which variables are live around it."""
    outside = escaping(function) | declared(function, ast.Nonlocal) | declared(function, ast.Global)
    always = Live(outside, {RETURN: outside | {VALUE}}, frozenset())
    _block(function.body, always, outside)


_LIVE, _HEAD, _OUTER = "rosin_live", "rosin_head", "rosin_outer"


def live_of(node: ast.AST) -> Live:
    """What was written on a statement: for a loop the end is where its predicate fails."""
    return getattr(node, _LIVE)


def head_of(node: ast.AST) -> Names:
    """The variables that are live where a loop begins a step."""
    return getattr(node, _HEAD)


def outer_of(node: ast.AST) -> Live:
    """For a loop: what is live around it as a whole."""
    return getattr(node, _OUTER)


def _write(node: Any, live: Live, head: Names = frozenset(), outer: Live | None = None) -> None:
    for key, value in ((_LIVE, live), (_HEAD, head), (_OUTER, outer)):
        setattr(node, key, value)


def _block(statements: list[ast.stmt], live: Live, always: Names) -> Names:
    """The variables that are live before a block."""
    current = live.end
    for statement in reversed(statements):
        current = _statement(statement, replace(live, end=current, last=live.end), always) | live.raised | always
    return current


def _statement(node: ast.stmt, live: Live, always: Names) -> Names:
    """The variables that are live before a statement."""
    match node:
        case ast.If(test=test, body=body, orelse=orelse):
            _write(node, live)
            return read([test]) | _block(body, live, always) | _block(orelse, live, always)
        case ast.While() | ast.For():
            return _loop(node, live, always)
        case ast.Try():
            _write(node, live)
            return _try(node, live, always)
        case ast.With(items=items, body=body):
            _write(node, live)
            return read(items) | _block(body, live, always)
        case ast.Match(subject=subject, cases=cases):
            _write(node, live)
            found = read([subject]) | live.end
            for case in cases:
                found |= read([case.pattern]) | (read([case.guard]) if case.guard else _NONE)
                found |= _block(case.body, live, always)
            return found
        case ast.Return(value=value):
            return (read([value]) if value else _NONE) | live.at(RETURN) - {VALUE}
        case ast.Break():
            return live.at(BREAK)
        case ast.Continue():
            return live.at(CONTINUE)
        case ast.Raise():
            return read([node]) | live.raised
        case ast.AugAssign(target=ast.Name(id=name), value=value):
            return live.end | read([value]) | {name}
        case ast.Assign() | ast.AnnAssign() | ast.Import() | ast.ImportFrom():
            return (live.end - assigned([node])) | read([node])
        case ast.Delete():
            return live.end | read([node])
        case _:
            # What a nested function reads counts as read where it is made.
            return live.end | read([node])


def _loop(node: ast.While | ast.For, live: Live, always: Names) -> Names:
    """The same for a loop, going round until nothing is added."""
    end = _block(node.orelse, live, always)
    head: Names = frozenset()
    while True:
        tested = read([node.test]) if isinstance(node, ast.While) else _NONE
        start = head | tested | end
        inside = Live(start, {**live.after, BREAK: live.end, CONTINUE: start}, live.raised)
        before = _block(node.body, inside, always)
        if isinstance(node, ast.For):
            before = before - assigned([node.target]) | read([node.target])
        if before <= head:
            break
        head |= before
    _write(node, Live(end, {**live.after, BREAK: live.end}, live.raised, live.last), head | tested, live)
    return start | (read([node.iter]) if isinstance(node, ast.For) else _NONE)


def _try(node: ast.Try, live: Live, always: Names) -> Names:
    """The same for `try`: what handlers and `finally` read is live wherever the body may stop."""
    final = _block(node.finalbody, live, always)
    after = {signal: names | final for signal, names in live.after.items()} if node.finalbody else live.after
    inside = Live(final if node.finalbody else live.end, after, live.raised | (final if node.finalbody else _NONE))
    caught: Names = frozenset()
    for handler in node.handlers:
        caught |= _block(handler.body, inside, always) | (read([handler.type]) if handler.type else _NONE)
    rest = _block(node.orelse, inside, always)
    return _block(node.body, Live(rest, inside.after, inside.raised | caught), always)
