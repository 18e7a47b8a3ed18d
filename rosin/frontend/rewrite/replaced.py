"""Built-in functions that ask Python for numbers or truth, and what is called in their place while a function is
traced: the same, unless an argument is traced."""

from __future__ import annotations

import builtins
import functools
import math
from collections.abc import Callable
from typing import Any

from rosin.frontend import core
from rosin.frontend import numpy as rnp
from rosin.frontend.rewrite.layer import Layer, decides
from rosin.frontend.rewrite.loop import truth
from rosin.frontend.rewrite.steps import (
    Elements,
    Enumerated,
    Range,
    Zipped,
    as_steps,
    reversed_steps,
    traced_range,
)
from rosin.frontend.sizes import Size
from rosin.ir import dtypes

_MATH = {
    "acos": rnp.acos, "acosh": rnp.acosh, "asin": rnp.asin, "asinh": rnp.asinh, "atan": rnp.atan, "atan2": rnp.atan2,
    "atanh": rnp.atanh, "ceil": rnp.ceil, "copysign": rnp.copysign, "cos": rnp.cos, "cosh": rnp.cosh, "exp": rnp.exp,
    "expm1": rnp.expm1, "fabs": rnp.abs, "floor": rnp.floor, "hypot": rnp.hypot, "isfinite": rnp.isfinite,
    "isinf": rnp.isinf, "isnan": rnp.isnan, "log": rnp.log, "log10": rnp.log10, "log1p": rnp.log1p, "log2": rnp.log2,
    "pow": rnp.pow, "sin": rnp.sin, "sinh": rnp.sinh, "sqrt": rnp.sqrt, "tan": rnp.tan, "tanh": rnp.tanh,
    "trunc": rnp.trunc,
}  # fmt: skip
_WHOLE = {"ceil", "floor", "trunc"}
"""Functions of `math` that give integers."""


def _any_traced(args: tuple[Any, ...]) -> bool:
    return any(decides(x) for x in args)


def _range(*args: Any) -> Any:
    symbolic = any(isinstance(x, Size) for x in args)
    return traced_range(*args) if symbolic or _any_traced(args) else range(*args)


def _enumerate(iterable: Any, start: Any = 0) -> Any:
    steps = as_steps(iterable)
    return enumerate(iterable, start) if steps is None else Enumerated(steps, start)


def _zip(*iterables: Any, strict: bool = False) -> Any:
    """All parts need to be such that a traced loop can run over them; else Python goes through them."""
    parts = [Range(x.start, x.stop, x.step) if isinstance(x, range) else as_steps(x) for x in iterables]
    whole = [part for part in parts if part is not None]
    if len(whole) < len(parts) or not any(as_steps(x) for x in iterables) or strict:
        return zip(*iterables, strict=strict)
    return Zipped(whole)


def _reversed(sequence: Any) -> Any:
    if isinstance(sequence, Range) or isinstance(as_steps(sequence), Elements):
        return reversed_steps(sequence)
    return reversed(sequence)


def _extreme(python: Any, pair: Callable[[Any, Any], Any], whole: Callable[[Any], Any]) -> Callable[..., Any]:
    def extreme(*args: Any, **options: Any) -> Any:
        only: Any = args[0] if len(args) == 1 else None
        if options or not (_any_traced(args) or _holds_traced(only)):
            return python(*args, **options)
        if len(args) > 1:
            return functools.reduce(pair, args)
        return whole(only) if core.is_array(only) else functools.reduce(pair, only)

    return extreme


def _holds_traced(x: Any) -> bool:
    items: Any = x
    return isinstance(x, list | tuple) and any(map(decides, items))


def _min_of_two(a: Any, b: Any) -> Any:
    """As Python has it: the first, unless the second is less."""
    return rnp.where(core.asarray(b) < a, b, a) if _any_traced((a, b)) else min(a, b)


def _max_of_two(a: Any, b: Any) -> Any:
    return rnp.where(core.asarray(b) > a, b, a) if _any_traced((a, b)) else max(a, b)


def _sum(iterable: Any, start: Any = 0) -> Any:
    if not decides(iterable):
        return sum(iterable, start)
    total = rnp.sum(iterable, axis=0)
    return total if isinstance(start, int) and start == 0 else start + total


def _some(python: Any, whole: Callable[[Any], Any], joined: str) -> Callable[[Any], Any]:
    def some(iterable: Any) -> Any:
        if decides(iterable):
            return whole(iterable)
        items: list[Any] = list(iterable)
        if not _holds_traced(items):
            return python(items)
        first, *rest = [truth(x) if decides(x) else bool(x) for x in items]
        return getattr(_LAYER, joined)(first, *map(_thunk, rest))

    return some


def _thunk(x: Any) -> Callable[[], Any]:
    return lambda: x


def _reduce(rewritten: Callable[[Any], Any]) -> Callable[..., Any]:
    def reduce(function: Any, *rest: Any) -> Any:
        return functools.reduce(rewritten(function), *rest)

    return reduce


def _number(python: Any, convert: Callable[[Any], Any]) -> Callable[..., Any]:
    def number(*args: Any, **options: Any) -> Any:
        return convert(args[0]) if len(args) == 1 and not options and decides(args[0]) else python(*args, **options)

    return number


def _as_int(x: Any) -> Any:
    scalar = rnp.reshape(x, ())
    return scalar if core.dtype_of(scalar).is_integer else rnp.astype(rnp.trunc(_floating(scalar)), dtypes.i32)


def _floating(x: Any) -> Any:
    return x if core.dtype_of(x).is_float else rnp.astype(x, core.DEFAULT_FLOAT)


def _as_float(x: Any) -> Any:
    return _floating(rnp.reshape(x, ()))


def _math(name: str) -> Callable[..., Any]:
    python, ours = getattr(math, name), _MATH[name]

    def function(*args: Any) -> Any:
        if not _any_traced(args):
            return python(*args)
        if name == "log" and len(args) == 2:
            return rnp.log(args[0]) / rnp.log(args[1])
        result = ours(*args)
        return rnp.astype(result, dtypes.i32) if name in _WHOLE else result

    return function


def _map(rewritten: Callable[[Any], Any]) -> Callable[..., Any]:
    def mapped(function: Any, *iterables: Any) -> Any:
        return map(rewritten(function), *iterables)

    return mapped


_LAYER = Layer([], lambda function: function)


def replacements(rewritten: Callable[[Any], Any]) -> dict[Any, Callable[..., Any]]:
    """What is called in place of each built-in function; `rewritten` gives a user's function rewritten."""
    found: dict[Any, Callable[..., Any]] = {
        builtins.range: _range,
        builtins.enumerate: _enumerate,
        builtins.zip: _zip,
        builtins.reversed: _reversed,
        builtins.min: _extreme(min, _min_of_two, rnp.min),
        builtins.max: _extreme(max, _max_of_two, rnp.max),
        builtins.sum: _sum,
        builtins.any: _some(any, rnp.any, "or_"),
        builtins.all: _some(all, rnp.all, "and_"),
        builtins.int: _number(int, _as_int),
        builtins.float: _number(float, _as_float),
        builtins.bool: _number(bool, truth),
        builtins.map: _map(rewritten),
        functools.reduce: _reduce(rewritten),
    }
    found.update({getattr(math, name): _math(name) for name in _MATH})
    return found
