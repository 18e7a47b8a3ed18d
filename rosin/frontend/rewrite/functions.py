"""The functions that take the place of the user's while something is traced."""

from __future__ import annotations

import builtins
import functools
import inspect
import opcode
from collections.abc import Callable, Mapping
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType
from typing import Any, TypeVar, cast

from rosin.frontend import staging
from rosin.frontend import trace as tr
from rosin.frontend.closure import is_library
from rosin.frontend.errors import RecursiveCompileError
from rosin.frontend.rewrite import reasons, unbound
from rosin.frontend.rewrite.blocks import Rewritten
from rosin.ir.errors import RosinError

F = TypeVar("F", bound=Callable[..., Any])


def no_rewrite(f: F) -> F:
    """Leave a function as it is, a decorator: its `if` and `while` ask Python for the truth of what they test."""
    f.__dict__["__rosin_no_rewrite__"] = True
    return f


def call(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a user's function that is being traced, rewritten.

    Raises:
        ControlFlowError: it reads a variable that got no value on some way there.
        RecursiveCompileError: it calls itself, and a traced value decides when that ends.
    """
    if len(tr.state.stack) == 1:
        unbound.forget()
    try:
        return rewritten(f)(*args, **kwargs)
    except NameError as error:
        explained = unbound.explained(error)
        if explained is None:
            raise
        raise explained from None
    except RecursionError as error:
        if isinstance(error, RosinError):
            raise
        message = (
            f"{staging.name_of(f)} calls itself, or another function does, until Python gives up: where values decide "
            f"when to stop, both ways are traced\n  use a loop"
        )
        raise tr.located(RecursiveCompileError(message)) from None


def rewritten(f: Any) -> Any:
    """What to call instead of `f` inside a trace: `f` itself unless it is, or wraps, a function of the user's.

    Calls in the user's own functions come here by themselves. A library that is handed a function calls it through
    this, so that `if` and `while` on traced values work inside.
    """
    if not tr.state.stack:
        return f
    kind = cast("Any", type(f))
    if kind is FunctionType:
        return _function(f)
    if kind is MethodType:
        inner = rewritten(f.__func__)
        return f if inner is f.__func__ else MethodType(inner, f.__self__)
    if kind is BuiltinFunctionType or kind is type:
        return _replaced().get(f, f) if f.__hash__ is not None and _is_free(f) else f
    if kind is functools.partial:
        inner = rewritten(f.func)
        return f if inner is f.func else functools.partial(inner, *f.args, **f.keywords)
    called: Any = getattr(kind, "__call__", None)  # noqa: B004  # what a call would run, not whether there is one
    if type(called) is FunctionType:
        inner = _function(called)
        return f if inner is called else MethodType(inner, f)
    return f


def _is_free(f: Any) -> bool:
    """Whether a built-in is no method of a value, whose hash might not exist."""
    return isinstance(f, type) or inspect.ismodule(f.__self__)


_codes: dict[int, tuple[CodeType, Rewritten | None]] = {}
"""The rewritten form of each code object, None where there is nothing to rewrite; the code is kept alive by it."""
_LIMIT = 8192


def _function(f: FunctionType) -> FunctionType:
    code = f.__code__
    found = _codes.get(id(code))
    if found is None:
        if len(_codes) >= _LIMIT:
            _codes.clear()
        found = _codes[id(code)] = (code, _rewritten_code(f))
        if found[1] is not None:
            _settle(found[1].code)
    return f if found[1] is None else found[1].over(f)


def _settle(code: CodeType) -> None:
    """Note that what is made of this code, and of the code inside it, is rewritten already."""
    _codes[id(code)] = (code, None)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _settle(constant)


_PLAIN = frozenset(
    opcode.opmap[name]
    for name in (
        "BINARY_OP", "BINARY_SLICE", "BINARY_SUBSCR", "BUILD_SLICE", "BUILD_TUPLE", "CACHE", "COMPARE_OP", "COPY",
        "COPY_FREE_VARS", "LOAD_ATTR", "LOAD_CONST", "LOAD_DEREF", "LOAD_FAST", "LOAD_FAST_LOAD_FAST", "LOAD_GLOBAL",
        "NOP", "POP_TOP", "RESUME", "RETURN_CONST", "RETURN_VALUE", "STORE_FAST", "STORE_FAST_LOAD_FAST",
        "STORE_FAST_STORE_FAST", "SWAP", "UNARY_INVERT", "UNARY_NEGATIVE",
    )
    if name in opcode.opmap
)  # fmt: skip
"""Instructions of functions that only compute: no way to rewrite has to do with them."""


def _rewritten_code(f: FunctionType) -> Rewritten | None:
    if is_library(f.__code__) or _PLAIN.issuperset(f.__code__.co_code[::2]):
        return None
    if f.__dict__.get("__rosin_no_rewrite__"):
        reasons.note(f.__code__, "it is marked by rosin.no_rewrite")
        return None
    # What is found on the disk loads when something is traced, and what it calls when there is any.
    from rosin.frontend.rewrite import stored

    made = stored.rewrite(f, lambda names: _is_fixed(_value_of(names, f.__globals__)))
    if made.reason:
        reasons.note(f.__code__, made.reason)
    if made.code is None:
        return None
    from rosin.frontend.rewrite.layer import Layer

    return Rewritten(made.code, CellType(Layer(made.blocks, rewritten)))


def _value_of(names: tuple[str, ...], outside: Mapping[str, Any]) -> Any:
    """What a global or built-in name stands for, or names in modules that follow it; None for nothing."""
    first, *rest = names
    found = outside.get(first, getattr(builtins, first, None))
    for name in rest:
        found = getattr(found, name, None) if inspect.ismodule(found) else None
    return found


def _is_fixed(x: Any) -> bool:
    """Whether calls of a global stay as they are: what comes with a library, and does not ask for numbers."""
    if isinstance(x, FunctionType):
        return is_library(x.__code__)
    if isinstance(x, BuiltinFunctionType | type):
        return x not in _replaced() and getattr(x, "__module__", None) in _PLAIN_MODULES
    return False


_PLAIN_MODULES = ("builtins", "numpy", "math", "functools", "itertools", "operator")


@functools.cache
def _replaced() -> dict[Any, Any]:
    from rosin.frontend.rewrite.replaced import replacements

    return replacements(rewritten)
