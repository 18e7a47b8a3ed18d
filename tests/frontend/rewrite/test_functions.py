"""Which functions are rewritten, and what stays as it was about them."""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import traceback
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.frontend.rewrite import rewritten
from rosin.ir.errors import TraceError


def traced(f: Callable[..., Any], *args: Any) -> Any:
    return rosin.compile(f, target="interpreter")(*args)


def inside(f: Any) -> Any:
    """What is called in place of `f` inside a trace."""
    found: list[Any] = []
    rosin.vmap(lambda x: (found.append(rewritten(f)), x)[1])(np.ones(1))
    return found[0]


def absolute(x: Any) -> Any:
    """Makes negative numbers positive."""
    if x < 0:
        return -x
    return x


def test_outside_of_traces_nothing_is_rewritten() -> None:
    assert rewritten(absolute) is absolute
    assert inside(absolute) is not absolute


def test_a_function_without_control_flow_is_left_as_it_is() -> None:
    def plain(x: Any) -> Any:
        y = rnp.sin(x) + len([1, 2])
        return y if y is not None else rnp.cos(x)

    assert inside(plain) is plain


def test_a_rewritten_function_looks_like_the_old_one() -> None:
    def outer(x: Any, *, scale: float = 2.0) -> Any:
        """Documented."""
        return absolute(x) * scale

    outer.colour = "red"  # type: ignore[attr-defined]
    made = inside(outer)
    assert made is not outer
    assert (made.__name__, made.__qualname__, made.__doc__) == (outer.__name__, outer.__qualname__, outer.__doc__)
    assert made.__kwdefaults__ == {"scale": 2.0}
    assert made.__annotations__ == outer.__annotations__
    assert made.colour == "red"
    assert inspect.signature(made) == inspect.signature(outer)
    assert inspect.getsource(made) == inspect.getsource(outer)
    assert made.__code__.co_filename == __file__


def test_functions_that_it_calls_are_rewritten_too() -> None:
    assert float(traced(lambda x: absolute(x) + absolute(-x), -3.0)) == 6.0


def test_cells_are_shared() -> None:
    def count_up(xs: Any) -> Any:
        total = 0.0

        def add(x: Any) -> None:
            nonlocal total
            if x > 1:
                total = total + x

        for x in xs:
            add(x)
        return total

    assert float(traced(count_up, np.asarray([1.0, 2.0, 3.0]))) == 5.0


def test_a_closure_over_a_value_that_changes_later() -> None:
    factor = 1.0

    def f(x: Any) -> Any:
        return factor * x if x > 0 else 0.0

    assert float(traced(f, 2.0)) == 2.0
    factor = 3.0
    assert float(traced(f, 2.0)) == 6.0


def test_methods_properties_and_callable_objects() -> None:
    class Model:
        def __init__(self, low: float) -> None:
            self.__low = low

        def clipped(self, x: Any) -> Any:
            if x < self.__low:
                return self.__low
            return x

        @staticmethod
        def sign(x: Any) -> Any:
            return 1.0 if x > 0 else -1.0

        @classmethod
        def made(cls, x: Any) -> Any:
            return cls(1.0).clipped(x)

        def __call__(self, x: Any) -> Any:
            return self.clipped(x) * self.sign(x)

    class Doubled(Model):
        def clipped(self, x: Any) -> Any:
            y = super().clipped(x)
            if y > 2:
                y = super().clipped(y) * 2
            return y

    for x in (-1.0, 1.5, 3.0):
        model, doubled = Model(1.0), Doubled(1.0)
        assert float(traced(model.clipped, x)) == model.clipped(x)
        assert float(traced(lambda y, m=model: m(y), x)) == model(x)
        assert float(traced(doubled.clipped, x)) == doubled.clipped(x)
        assert float(traced(Model.made, x)) == Model.made(x)


def test_partials_and_decorated_functions() -> None:
    def decorated(f: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(f)
        def wrapper(x: Any) -> Any:
            return f(x, 10.0) if x > 0 else f(x, 20.0)

        return wrapper

    @decorated
    def clipped(x: Any, high: Any) -> Any:
        return min(x, high)

    assert float(traced(clipped, 15.0)) == 10.0
    partial = functools.partial(clipped.__wrapped__, high=2.0)  # type: ignore[attr-defined]
    assert float(traced(lambda x: partial(x), 5.0)) == 2.0


def test_recursion_that_python_ends() -> None:
    def power(x: Any, n: int) -> Any:
        if n == 0:
            return 1.0
        half = power(x, n // 2)
        return half * half if n % 2 == 0 else half * half * x

    assert float(traced(lambda x: power(x, 5) if x > 0 else power(x, 2), -3.0)) == 9.0


def halved_until(x: Any, low: float, depth: int = 0) -> Any:
    if depth == 4:
        return x
    return halved_until(x / 2 if x > low else x, low, depth + 1)


class Scale:
    """A class whose methods name it."""

    factor = 2.0

    def of(self, x: Any) -> Any:
        __hidden = Scale.factor
        if x > 0 and isinstance(self, Scale):
            return __hidden * x
        return x


def test_globals_that_are_called_what_the_function_or_its_class_is() -> None:
    for x in (3.0, 100.0):
        assert float(traced(lambda y: halved_until(y, 2.0), x)) == halved_until(x, 2.0)
    assert float(traced(Scale().of, 3.0)) == 6.0


def test_several_lambdas_on_a_line() -> None:
    fs = [lambda x: x if x > 0 else -x, lambda x: 1.0 if x > 0 else 2.0, lambda x: x * 3 if not x > 0 else x]
    assert [float(traced(f, -2.0)) for f in fs] == [2.0, 2.0, -6.0]


def test_generators_are_left_alone() -> None:
    def numbers(x: Any) -> Generator[Any]:
        for i in range(3):
            yield x * i

    assert float(traced(lambda x: sum(numbers(x)), 2.0)) == 6.0

    def filtered(x: Any) -> Generator[Any]:
        if x > 0:
            yield x

    with pytest.raises(TraceError, match="generators and coroutines are not rewritten"):
        traced(lambda x: sum(filtered(x)), 2.0)


def test_what_has_no_source_says_so() -> None:
    names: dict[str, Any] = {}
    exec("def f(x):\n    if x > 0:\n        return x\n    return -x", names)
    with pytest.raises(TraceError, match=r"(?s)rosin\.cond.*there is no source of <string>"):
        traced(names["f"], 1.0)

    @rosin.no_rewrite
    def left(x: Any) -> Any:
        return x if x > 0 else -x

    with pytest.raises(TraceError, match=r"marked by rosin\.no_rewrite"):
        traced(left, 1.0)

    def looks(x: Any) -> Any:
        return locals()["x"] if x > 0 else x

    with pytest.raises(TraceError, match=r"it calls locals\(\)"):
        traced(looks, 1.0)


def test_tracebacks_show_the_users_lines() -> None:
    def inner(x: Any) -> Any:
        if x > 0:
            raise ValueError("on purpose")
        return x

    def outer(x: Any) -> Any:
        for _ in range(2):
            if x.ndim == 0:
                x = inner(3)
        return x

    with pytest.raises(ValueError, match="on purpose") as caught:
        traced(outer, 1.0)
    own = [(s.name, s.line) for s in traceback.extract_tb(caught.value.__traceback__) if s.filename == __file__]
    assert own[-1] == ("inner", 'raise ValueError("on purpose")')
    assert ("outer", "x = inner(3)") in own
    assert caught.value.__traceback__ is not None


def test_rosins_errors_show_the_users_line_and_function() -> None:
    def f(x: Any) -> Any:
        for _ in range(3):
            if x.sum() > 0:
                x = x + rnp.ones(4)
        return x

    with pytest.raises(rosin.RosinError) as caught:
        traced(f, np.ones(3))
    place = caught.value.location
    assert place is not None
    assert place.function.endswith("f")
    assert "x = x + rnp.ones(4)" in str(caught.value)


def test_graphs_have_the_users_names() -> None:
    def f(x: Any, n: Any) -> Any:
        total = 0.0
        for _ in range(n):
            half = x / 2
            total = total + half
        if total > 1:
            result = total
        else:
            result = half = -total
        return result

    text = rosin.compile(f).text(np.ones((), np.float32), 3)
    for name in ("half", "total", "result"):
        assert f"{name}: f32[]" in text


def test_context_managers_and_exceptions() -> None:
    seen: list[str] = []

    @contextlib.contextmanager
    def noted(name: str) -> Generator[None]:
        seen.append(f"enter {name}")
        yield
        seen.append(f"exit {name}")

    def f(x: Any) -> Any:
        with noted("a"):
            if x > 0:
                return x * 2
        try:
            y = {}["missing"]
        except KeyError:
            y = x * 3
        else:
            y = x * 4
        finally:
            y = y + 0  # pyright: ignore[reportPossiblyUnbound]
        return y

    assert float(rosin.vmap(f)(np.asarray([-2.0]))[0]) == -6.0
    assert float(rosin.vmap(f)(np.asarray([2.0]))[0]) == 4.0
    assert seen[:2] == ["enter a", "exit a"]


def test_other_statements() -> None:
    def f(x: Any, kind: str) -> Any:
        y: Any = x
        first, *rest = (x, x + 1, x + 2)
        match kind:
            case "double":
                if first > 0:
                    y = x * 2
                else:
                    y = x
            case str():
                y = rest[-1]
        while (z := y * 2) < 20:
            y = z
        del first
        return y + z

    def expected(x: float, kind: str) -> float:
        return float(f.__wrapped__(x, kind) if hasattr(f, "__wrapped__") else f(x, kind))

    for kind in ("double", "last"):
        compiled = rosin.compile(f, static_argnames="kind", target="interpreter")
        for x in (1.0, 3.0):
            assert float(compiled(x, kind)) == expected(x, kind)


def test_functions_of_math_and_conversions() -> None:
    def f(x: Any) -> Any:
        return math.sqrt(x) + int(x * 10) + float(x > 1) + bool(x) + math.floor(x) + max(x, 1, 2) + min([x, 1])

    for x in (0.25, 2.25):
        np.testing.assert_allclose(float(traced(f, np.float64(x))), f(x))


def test_rewriting_happens_once_for_a_code_object() -> None:
    def make(scale: float) -> Callable[..., Any]:
        return lambda x: x * scale if x > 0 else x

    first, second = inside(make(2.0)), inside(make(3.0))
    assert first.__code__ is second.__code__
    assert float(traced(make(2.0), 1.0)) == 2.0
    assert float(traced(make(3.0), 1.0)) == 3.0
