"""Running combinations: the loop and the tree compute the same, with all derivatives and batches of both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.frontend import core, staging, tree
from rosin.frontend import trace as tr
from rosin.frontend.staging import Input
from rosin.ir.builder import Builder
from rosin.ir.graph import Graph
from rosin.ir.interpret import evaluate
from rosin.passes.inline import Inline
from rosin.passes.pipeline import STABLEHLO_PASSES

Fn = Callable[..., Any]
SIZE = 11


def compose(a: Any, b: Any) -> Any:
    return a[0] * b[0], b[0] * a[1] + b[1]


PROGRAMS: dict[str, Fn] = {
    "recurrence": lambda a, x, w: rosin.associative_scan(compose, (a, x))[1] * w,
    "both results": lambda a, x, w: sum(rosin.associative_scan(compose, (a, x * w))),
    "the first result alone": lambda a, x, w: rosin.associative_scan(compose, (a * w, x))[0] + x,
    "from the last": lambda a, x, w: rosin.associative_scan(compose, (a, x), reverse=True)[1] * w,
    # (1 + wa) (1 + wb) = 1 + w (a + b + wab)
    "an array from outside": lambda a, x, w: rosin.associative_scan(lambda p, q: p + q + w * p * q, a) * x,
    "matrices": lambda a, x, w: rosin.associative_scan(
        rnp.matmul, a[:, None, None] * x[None, :3, None] + w * rnp.eye(3)
    ),
    "another axis": lambda a, x, w: rosin.associative_scan(
        lambda p, q: p * q, a[None, :] + rnp.stack([x, x * w]), axis=-1, reverse=True
    ),
    "integers beside floats": lambda a, x, w: rosin.associative_scan(
        lambda p, q: (p[0] + q[0], p[1] * q[1]), (rnp.arange(SIZE), a)
    )[1] * x * w,
}  # fmt: skip


def total(f: Fn) -> Fn:
    return lambda *given: rnp.sum(rnp.sin(f(*given)))


def close(found: Any, expected: Any) -> None:
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(x), y, rtol=1e-10, atol=1e-10)


def in_batches(f: Fn) -> Fn:
    return rosin.vmap(f, in_axes=(None, 0, None))


TRANSFORMS: dict[str, Fn] = {
    "none": lambda f: f,
    "gradient": lambda f: rosin.grad(total(f), (0, 1, 2)),
    "tangent": lambda f: lambda a, x, w: rosin.jvp(total(f), (a, x, w), (x, a, w))[1],
    "tangent of one": lambda f: lambda a, x, w: rosin.jvp(lambda x: f(a, x, w), (x,), (a,))[1],
    "second derivative": lambda f: rosin.hessian(total(f), 0),
    "forward over forward": lambda f: rosin.jacfwd(rosin.jacfwd(total(f), 1), 1),
    "batch": lambda f: lambda a, x, w: in_batches(f)(a, rnp.stack([x, a * x]), w),
    "gradient of a batch": lambda f: rosin.grad(
        lambda a, x, w: rnp.sum(in_batches(total(f))(a, rnp.stack([x, a * x]), w)), (0, 1, 2)
    ),
    "batch of gradients": lambda f: (
        lambda a, x, w: in_batches(rosin.grad(total(f), (0, 1, 2)))(a, rnp.stack([x, a * x]), w)
    ),
}


def drawn() -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    return rng.uniform(0.2, 1.2, SIZE), rng.standard_normal(SIZE), np.asarray(0.7)


def traced(f: Fn) -> Graph:
    """The graph of the drawn arguments alone, with what is captured in it."""
    arrays = [rnp.asarray(x) for x in drawn()]
    inputs = [Input(core.type_of(x), "given") for x in arrays]
    staged, b = staging.stage(lambda given: f(*given), inputs, "f"), Builder()
    values = [b.input(i.type) for i in inputs]
    values += [b.constant(tr.numpy_of(c), tr.captured_type(c)) for c in staged.captures]
    return b.graph(b.inline(staged.graph, values))


def by_hand(f: Fn) -> Fn:
    """The same with elements combined one by one."""

    def scan(fn: Fn, elems: Any, *, reverse: bool = False, axis: int = 0) -> Any:
        leaves = elems if isinstance(elems, tuple) else (elems,)
        rows = [tuple(rnp.take(x, rnp.asarray([i]), axis=axis) for x in leaves) for i in range(leaves[0].shape[axis])]
        found = [rows.pop() if reverse else rows.pop(0)]
        for row in reversed(rows) if reverse else rows:
            given = (found[-1], row) if isinstance(elems, tuple) else (found[-1][0], row[0])
            after = fn(*given)
            found.append(after if isinstance(after, tuple) else (after,))
        columns = [rnp.concatenate(c, axis=axis) for c in zip(*(found[::-1] if reverse else found), strict=True)]
        return tuple(columns) if isinstance(elems, tuple) else columns[0]

    def run(*given: Any) -> Any:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(rosin, "associative_scan", scan)
            return f(*given)

    return run


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_loop_and_tree(program: str, transform: str) -> None:
    f, given = TRANSFORMS[transform](PROGRAMS[program]), drawn()
    graph = traced(f)
    expected = evaluate(Inline().run(traced(TRANSFORMS[transform](by_hand(PROGRAMS[program])))), list(given))
    loop, steps = Inline().run(graph), STABLEHLO_PASSES[0].run(graph)
    assert "scan" in {node.op.name for node in loop.nodes}
    assert "scan" not in {node.op.name for node in steps.nodes}
    for after in (loop, steps):
        close(evaluate(after, list(given)), expected)
    close(tree.flatten(rosin.compile(f)(*given))[0], expected)


def test_a_gradient_goes_over_the_elements_twice() -> None:
    graph: Graph = rosin.compile(TRANSFORMS["gradient"](PROGRAMS["recurrence"])).ir(*drawn(), stage="inline")
    assert [node.op.name for node in graph.nodes].count("scan") == 2


def test_programs_are_found_again() -> None:
    """What is made later does not tell programs apart."""
    f = TRANSFORMS["gradient"](PROGRAMS["recurrence"])
    first, second = (rosin.compile(f).text(*drawn(), stage="traced") for _ in range(2))
    assert first == second
