"""Random functions with nested control flow do the same traced as in plain Python."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import rosin
from tests.frontend.rewrite.programs import function_of, programs, smooth
from tests.thinning import examples

XS = [3, 1, 4]
ARGUMENTS = [(2, 7, 3), (-4, 0, 0), (5, 5, 1)]


def plain(source: str, arguments: tuple[int, int, int]) -> Any:
    return function_of(source)(*arguments, XS)


@examples(40)
@given(programs())
def test_a_traced_program_does_what_plain_python_does(source: str) -> None:
    traced = rosin.compile(function_of(source), target="interpreter")
    for arguments in ARGUMENTS:
        assert int(traced(*arguments, np.asarray(XS, np.int32))) == plain(source, arguments), source


@examples(15)
@given(programs())
def test_and_so_does_compiled_code(source: str) -> None:
    compiled = rosin.compile(function_of(source))
    for arguments in ARGUMENTS:
        assert int(compiled(*arguments, np.asarray(XS, np.int32))) == plain(source, arguments), source


@examples(15)
@given(programs())
def test_and_so_do_examples_of_a_batch(source: str) -> None:
    function = function_of(source)
    batched = rosin.compile(
        rosin.vmap(lambda a, b, n: function(a, b, n, np.asarray(XS, np.int32))), target="interpreter"
    )
    columns = [np.asarray(column, np.int32) for column in zip(*ARGUMENTS, strict=True)]
    expected = [plain(source, arguments) for arguments in ARGUMENTS]
    np.testing.assert_array_equal(np.asarray(batched(*columns)), expected, err_msg=source)


@examples(40)
@given(programs(), st.sampled_from(ARGUMENTS))
def test_with_known_values_it_is_python_all_along(source: str, arguments: tuple[int, int, int]) -> None:
    function = function_of(source)
    found: list[Any] = []
    rosin.vmap(lambda x: (found.append(function(*arguments, XS)), x)[1])(np.ones(2, np.float32))
    assert found == [plain(source, arguments)], source


@examples(20)
@given(programs().map(smooth), st.sampled_from(ARGUMENTS))
def test_gradients_agree_with_finite_differences(source: str, arguments: tuple[int, int, int]) -> None:
    function = function_of(source)

    def traced(x: Any, a: Any, b: Any, n: Any) -> Any:
        return function(a, b, n, np.asarray(XS, np.int32), x)

    def known(x: float) -> float:
        return function(*arguments, XS, x)

    x, h = 1.25, 1e-5
    expected = (known(x + h) - known(x - h)) / (2 * h)
    options: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-6, "err_msg": source}
    gradient = rosin.compile(rosin.grad(traced), target="interpreter")
    np.testing.assert_allclose(float(gradient(np.float64(x), *arguments)), expected, **options)
    forward = rosin.compile(
        lambda x, *rest: rosin.jvp(lambda y: traced(y, *rest), (x,), (np.float64(1.0),))[1], target="interpreter"
    )
    np.testing.assert_allclose(float(forward(np.float64(x), *arguments)), expected, **options)
