"""Functions of arrays whose sizes are symbolic: the shapes of their results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rosin import numpy as rnp
from rosin.frontend import core, nn, trace
from rosin.ir import dims
from rosin.ir.errors import ShapeError
from rosin.ir.types import TensorType

# Of x: f32[n, 3], p: i32[n] and i: i32[].
CASES: list[tuple[Callable[..., Any], str]] = [
    (lambda x, p, i: x[i], "f32[3]"),
    (lambda x, p, i: x[p], "f32[n, 3]"),
    (lambda x, p, i: x[-1], "f32[3]"),
    (lambda x, p, i: x[2:-1], "f32[n - 3, 3]"),
    (lambda x, p, i: x[::-1], "f32[n, 3]"),
    (lambda x, p, i: x.at[-1].add(1.0), "f32[n, 3]"),
    (lambda x, p, i: x.at[1:].set(0.0), "f32[n, 3]"),
    (lambda x, p, i: x.at[p, 1:].add(1.0), "f32[n, 3]"),
    (lambda x, p, i: x.at[i].set(p[0]), "f32[n, 3]"),
    (lambda x, p, i: rnp.take_along_axis(x, p[:, None], axis=1), "f32[n, 1]"),
    (lambda x, p, i: rnp.mean(x), "f32[]"),
    (lambda x, p, i: rnp.var(x, axis=0, correction=1), "f32[3]"),
    (lambda x, p, i: rnp.logsumexp(x, axis=0, keepdims=True), "f32[1, 3]"),
    (lambda x, p, i: rnp.argmax(x, axis=0), "i32[3]"),
    (lambda x, p, i: rnp.cumsum(x), "f32[3*n]"),
    (lambda x, p, i: rnp.diff(x, axis=0), "f32[n - 1, 3]"),
    (lambda x, p, i: rnp.where(x > 0, x, 0), "f32[n, 3]"),
    (lambda x, p, i: rnp.stack([x, x]), "f32[2, n, 3]"),
    (lambda x, p, i: rnp.split(rnp.concat([x, x]), 2)[1], "f32[n, 3]"),
    (lambda x, p, i: rnp.roll(x, -1, axis=0), "f32[n, 3]"),
    (lambda x, p, i: rnp.repeat(x, 2, axis=0), "f32[2*n, 3]"),
    (lambda x, p, i: rnp.pad(x, ((1, 2), (0, 0))), "f32[n + 3, 3]"),
    (lambda x, p, i: x.T @ x, "f32[3, 3]"),
    (lambda x, p, i: rnp.tril(x @ x.T), "f32[n, n]"),
    (lambda x, p, i: rnp.outer(p, p), "i32[n, n]"),
    (lambda x, p, i: nn.log_softmax(x), "f32[n, 3]"),
    (lambda x, p, i: nn.one_hot(p, 10), "f32[n, 10]"),
    (lambda x, p, i: nn.conv(rnp.expand_dims(x, 1), rnp.ones((2, 1, 2)), padding="SAME"), "f32[n, 2, 3]"),
    (lambda x, p, i: nn.max_pool(rnp.expand_dims(x, 1), 2), "f32[n, 1, 1]"),
]


@pytest.mark.parametrize(("function", "expected"), CASES, ids=[str(k) for k in range(len(CASES))])
def test_shapes(function: Callable[..., Any], expected: str) -> None:
    n = dims.symbol("n")
    with trace.Trace("f") as t:
        x = t.input(TensorType(rnp.float32, (n, 3)), "x")
        p = t.input(TensorType(rnp.int32, (n,)), "p")
        i = t.input(TensorType(rnp.int32), "i")
        assert str(core.type_of(function(x, p, i))) == expected


def test_a_symbolic_size_where_a_number_is_needed() -> None:
    with trace.Trace("f") as t:
        x = t.input(TensorType(rnp.float32, (dims.symbol("n"),)), "x")
        for function in (rnp.unstack, rnp.diag, lambda x: rnp.pad(x, 1, "edge")):
            with pytest.raises(ShapeError, match="the symbolic size n where a number is needed"):
                function(x)
