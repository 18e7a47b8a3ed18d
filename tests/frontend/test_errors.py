"""Each kind of bad input gives one clear error; the whole messages are in tests/golden/errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir.errors import RosinError

CASES: dict[str, Callable[[], Any]] = {}


def case(function: Callable[[], Any]) -> Callable[[], Any]:
    CASES[function.__name__] = function
    return function


@case
def shape_mismatch() -> Any:
    x, y = rnp.ones((2, 3)), rnp.ones((4,))
    return x + y


@case
def matrix_is_not_square() -> Any:
    a = rnp.ones((2, 3, 4))
    return rnp.linalg.inv(a)


@case
def matrix_is_singular() -> Any:
    a = rnp.asarray([[1.0, 2.0], [2.0, 4.0]])
    return rnp.linalg.solve(a, rnp.ones(2))


@case
def right_hand_side_does_not_fit() -> Any:
    @rosin.compile
    def fit(a: Any, b: Any) -> Any:
        return rnp.linalg.solve(a, b).sum()

    return fit(rnp.ones((3, 3)), rnp.ones((4, 2)))


@case
def shape_mismatch_in_compiled() -> Any:
    @rosin.compile
    def layer(x: Any, w: Any) -> Any:
        hidden = rnp.tanh(x @ w)
        return hidden.sum()

    return layer(rnp.ones((2, 3)), rnp.ones((4, 5)))


@case
def size_breaks_a_condition() -> Any:
    n = rosin.dim("n", max=4096)
    double = rosin.compile(lambda x: x * 2, dynamic={"x": rosin.spec(rosin.float32, (n, 3))}, where=[n % 8 == 0])
    double(rnp.ones((16, 3)))
    return double(rnp.ones((12, 3)))


@case
def first_size_breaks_a_condition() -> Any:
    return rosin.compile(lambda x: x * 2, dynamic={"x": {0: "n"}}, where=["n <= 4"])(rnp.ones(5))


@case
def sizes_that_have_to_be_equal() -> Any:
    product = rosin.compile(lambda x, y: x @ y, dynamic={"x": {0: "n", 1: "k"}, "y": {0: "k", 1: "m"}})
    product(rnp.ones((2, 3)), rnp.ones((3, 4)))
    return product(rnp.ones((2, 3)), rnp.ones((5, 4)))


@case
def size_that_an_op_refuses() -> Any:
    cut = rosin.compile(lambda x: x[2:-1], dynamic={"x": {0: "n"}})
    cut(rnp.ones(7))
    return cut(rnp.ones(2))


@case
def size_that_is_specified_otherwise() -> Any:
    double = rosin.compile(lambda x: x * 2, dynamic={"x": rosin.spec("f32[n, 3]")})
    return double(rnp.ones((2, 4)))


@case
def symbolic_size_made_a_number() -> Any:
    def total(x: Any, w: Any) -> Any:
        return x + w

    return rosin.compile(total, dynamic={"x": 0})(rnp.ones(3), rnp.ones(4))


@case
def sizes_that_no_process_can_address() -> Any:
    outer = rosin.compile(lambda x, y: x[:, None] * y[None, :], dynamic={"x": {0: "n"}, "y": {0: "m"}})
    outer(rnp.ones(3), rnp.ones(2))
    return outer(rnp.ones(1 << 23), rnp.ones(1 << 23))


@case
def dynamic_names_no_argument() -> Any:
    return rosin.compile(lambda x: x * 2, dynamic={"y": 0})(rnp.ones(3))


@case
def op_that_stablehlo_declines() -> Any:
    @rosin.compile
    def spectrum(x: Any) -> Any:
        return rnp.linalg.eigvals(x)

    return spectrum.text(rnp.ones((2, 2)), stage="stablehlo")


@case
def dtype_mismatch() -> Any:
    x = rnp.ones(3)
    return x & True


@case
def dtype_unknown() -> Any:
    return rnp.asarray(np.asarray(["a", "b"]))


@case
def complex_has_no_floor() -> Any:
    return rosin.compile(lambda z: rnp.floor(z * 1j))(rnp.ones(3))


@case
def complex_to_real() -> Any:
    return (rnp.ones(3) + 1j).astype(rosin.float32)


@case
def gradient_of_complex_output() -> Any:
    return rosin.grad(lambda z: z * z)(rnp.asarray(1 + 2j))


@case
def holomorphic_in_real_numbers() -> Any:
    return rosin.grad(lambda x: x * x, holomorphic=True)(1.0)


@case
def wrong_axis() -> Any:
    return rosin.compile(lambda x: rnp.sum(x, axis=2))(rnp.ones((2, 3)))


@case
def index_out_of_range() -> Any:
    @rosin.compile
    def pick(x: Any) -> Any:
        return x[5]

    return pick(rnp.ones(3))


@case
def too_many_indices() -> Any:
    x = rnp.ones(3)
    return x[0, 1]


@case
def leaf_is_no_array() -> Any:
    f = rosin.compile(lambda params, x: x)
    return f({"layers": [{"w": rnp.ones(2), "activation": "relu"}]}, rnp.ones(2))


@case
def leaf_of_grad_is_no_array() -> Any:
    return rosin.grad(lambda params: rnp.sum(params["w"]))({"w": rnp.ones(2), "name": "layer"})


@case
def returns_no_array() -> Any:
    return rosin.compile(lambda x: {"out": x, "kind": "sum"})(rnp.ones(2))


@case
def static_without_hash() -> Any:
    @rosin.compile(static_argnames="sizes")
    def f(x: Any, sizes: Any) -> Any:
        return rnp.reshape(x, sizes)

    return f(rnp.ones(4), [2, 2])


@case
def grad_of_vector() -> Any:
    def doubled(x: Any) -> Any:
        return x * 2

    return rosin.grad(doubled)(rnp.ones(3))


@case
def grad_of_integer_output() -> Any:
    def count(x: Any) -> Any:
        return rnp.sum(x > 0)

    return rosin.grad(count)(rnp.ones(3))


@case
def grad_by_integer() -> Any:
    def total(x: Any, n: Any) -> Any:
        return rnp.sum(x * n)

    return rosin.grad(total, argnums=1)(rnp.ones(3), 2)


@case
def grad_argnums() -> Any:
    def total(x: Any) -> Any:
        return rnp.sum(x)

    return rosin.grad(total, argnums=1)(rnp.ones(3))


@case
def leaked_tracer() -> Any:
    kept: dict[str, Any] = {}

    def f(x: Any) -> Any:
        hidden = rnp.sin(x)
        kept["hidden"] = hidden
        return hidden * 2

    rosin.vmap(f)(rnp.ones(3))
    return kept["hidden"] + 1


@case
def closure_assigned() -> Any:
    steps = 0

    @rosin.compile
    def step(x: Any) -> Any:
        nonlocal steps
        steps += 1
        return x * 2

    return step(rnp.ones(3))


@case
def closure_changed() -> Any:
    rate = 0.1

    @rosin.compile
    def update(x: Any) -> Any:
        return x * rate

    update(rnp.ones(3))
    rate = 0.01
    return update(rnp.ones(3))


@case
def closure_contents_changed() -> Any:
    settings = {"rate": 0.1, "decay": {"steps": [10, 20]}}

    @rosin.compile
    def update(x: Any) -> Any:
        return x * settings["rate"]

    update(rnp.ones(3))
    settings["rate"] = 0.01
    return update(rnp.ones(3))


@case
def closure_attribute_changed() -> Any:
    class Model:
        rate = 1.0
        calls = 0

    model = Model()
    model.rate = 0.1

    @rosin.compile
    def update(x: Any) -> Any:
        return x * model.rate

    update(rnp.ones(3))
    model.calls = 1  # nothing that the function reads
    update(rnp.ones(3))
    model.rate = 0.01
    return update(rnp.ones(3))


@case
def closure_contents_assigned() -> Any:
    calls: list[int] = []

    @rosin.compile
    def step(x: Any) -> Any:
        calls.append(1)
        return x

    return step(rnp.ones(3))


@case
def closure_holds_tracer() -> Any:
    history: list[Any] = []

    @rosin.compile
    def step(x: Any) -> Any:
        history.append(x * 2)
        return x

    return step(rnp.ones(3))


@case
def recursive_compile() -> Any:
    @rosin.compile
    def factorial(n: Any) -> Any:
        return n * factorial(n - 1)

    return factorial(5)


@case
def branch_on_traced() -> Any:
    @rosin.compile
    @rosin.no_rewrite
    def relu(x: Any) -> Any:
        if x > 0:
            return x
        return x * 0

    return relu(1.0)


@case
def loop_over_traced() -> Any:
    @rosin.compile
    @rosin.no_rewrite
    def power(x: Any, n: Any) -> Any:
        for _ in range(n):
            x = x * x
        return x

    return power(rnp.ones(2), 3)


@case
def item_of_traced() -> Any:
    @rosin.compile
    def f(x: Any) -> Any:
        largest = x.max()
        return x * largest.item()

    return f(rnp.ones(2))


@case
def numpy_of_traced() -> Any:
    @rosin.compile
    def f(x: Any) -> Any:
        return np.sort(x)

    return f(rnp.ones(2))


@case
def shape_from_traced() -> Any:
    @rosin.compile
    def f(n: Any) -> Any:
        return rnp.zeros(n)

    return f(3)


@case
def assignment_outside() -> Any:
    weights = rnp.ones(2)

    @rosin.compile
    def f(x: Any) -> Any:
        weights[0] = x
        return weights

    return f(1.0)


@case
def assignment_in_transform() -> Any:
    @rosin.compile
    def f(x: Any) -> Any:
        def inner(y: Any) -> Any:
            x[0] = y
            return y

        return rosin.grad(inner)(x[0])

    return f(rnp.ones(2))


@case
def assignment_eager() -> Any:
    counts = rnp.arange(2)
    counts[0] = 1.5
    return counts


@case
def vmap_sizes() -> Any:
    def f(params: Any, x: Any) -> Any:
        return params["w"] * x

    return rosin.vmap(f)({"w": rnp.ones((3, 2))}, rnp.ones((4, 2)))


@case
def unknown_axis_name() -> Any:
    return rosin.vmap(lambda x: x / rosin.psum(x, "batch"), axis_name="rows")(rnp.ones(3))


@case
def undifferentiable() -> Any:
    return rosin.jvp(_scaled, (rnp.ones(2),), (rnp.ones(2),))


_scaled = rosin.custom_vjp(lambda x: x * 2)
_scaled.defvjp(lambda x: (x * 2, None), lambda kept, bar: (bar * 2,))


@case
def bytes_overflow() -> Any:
    return rosin.compile(lambda x: rnp.broadcast_to(x, (1 << 31, 1 << 31, 2)))(rnp.ones(1))


@case
def number_does_not_fit() -> Any:
    return rnp.ones(2, dtype=rnp.int8) + 300


@case
def donated() -> Any:
    update = rosin.compile(lambda x: x + 1, donate_argnames="x")
    state = rnp.ones(2)
    update(state)
    return state * 2


@case
def carry_changes_dtype() -> Any:
    def step(state: Any, x: Any) -> Any:
        return {"pos": state["pos"] + x, "count": state["count"] + 1}, None

    return rosin.scan(step, {"pos": rnp.zeros(3), "count": rnp.asarray(0)}, np.ones((5, 3)))


@case
def carry_changes_shape() -> Any:
    @rosin.compile
    def grow(x: Any) -> Any:
        return rosin.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, rnp.concatenate([s[1], x])), (0, x))

    return grow(rnp.ones(2))


@case
def carry_changes_tree() -> Any:
    return rosin.fori_loop(0, 3, lambda i, state: (state[0], {"w": state[1]["w"]}), (1.0, {"w": 2.0, "b": 0.0}))


@case
def branches_disagree() -> Any:
    @rosin.compile
    def f(x: Any) -> Any:
        return rosin.cond(x.sum() > 0, lambda: {"y": x, "n": 0}, lambda: {"y": x.astype("float64"), "n": 1})

    return f(rnp.ones(2))


@case
def branches_disagree_in_tree() -> Any:
    return rosin.switch(1, [lambda x: (x, x), lambda x: (x, x), lambda x: x], rnp.ones(2))


@case
def predicate_is_no_boolean() -> Any:
    return rosin.cond(rnp.asarray(1), lambda: 1, lambda: 2)


@case
def predicate_is_no_scalar() -> Any:
    x = rnp.ones(3)
    return rosin.while_loop(lambda y: y < 3, lambda y: y + 1, x)


@case
def index_is_no_integer() -> Any:
    return rosin.switch(1.0, [lambda: 1, lambda: 2])


@case
def scan_without_length() -> Any:
    return rosin.scan(lambda c, _: (c, None), 0.0)


@case
def scan_lengths_disagree() -> Any:
    return rosin.scan(lambda c, x: (c, x["a"]), 0.0, {"a": rnp.ones((3, 2)), "b": rnp.ones(4)}, length=3)


@case
def scan_over_a_scalar() -> Any:
    return rosin.map(lambda x: x, [1.0, 2.0])


@case
def scan_returns_no_pair() -> Any:
    return rosin.scan(lambda total, x: total + x, 0.0, rnp.ones(3))


@case
def bound_is_no_integer() -> Any:
    return rosin.fori_loop(0, 2.5, lambda i, x: x, 1.0)


@case
def carry_is_no_array() -> Any:
    return rosin.while_loop(lambda s: s["n"] < 3, lambda s: s, {"n": 0, "mode": "fast"})


@case
def associative_scan_changes_type() -> Any:
    return rosin.associative_scan(lambda a, b: (a[0] + b[0], a[1] > b[1]), (rnp.ones(3), rnp.ones(3)))


@case
def check_fails() -> Any:
    @rosin.compile
    def half(n: Any) -> Any:
        rosin.check(n % 2 == 0, "{} is odd", n)
        return n // 2

    return half(3)


@case
def check_fails_in_a_batch() -> Any:
    def half(n: Any) -> Any:
        rosin.check(n % 2 == 0, "{} is odd", n)
        return n // 2

    return rosin.vmap(half)(np.asarray([2, 4, 5, 7]))


@case
def checked_is_no_boolean() -> Any:
    x = rnp.ones(2)
    rosin.check(x, "x is zero")


@case
def format_does_not_fit() -> Any:
    x = rnp.ones(2)
    rosin.debug.print("x is {} of {}", x)


@case
def index_check_fails() -> Any:
    @rosin.compile(checks="index")
    def pick(x: Any, i: Any) -> Any:
        return rosin.map(lambda k: x[k], i)

    return pick(rnp.ones(3), np.asarray([0, 3]))


@case
def nan_check_fails() -> Any:
    @rosin.compile(checks="nan")
    def f(x: Any) -> Any:
        scaled = x / rnp.sum(x)
        return rnp.sum(scaled)

    return f(rnp.zeros(3))


@case
def callback_gives_another_type() -> Any:
    @rosin.compile
    def f(x: Any) -> Any:
        return rosin.pure_callback(np.cumsum, rosin.ShapeDtypeStruct((), x.dtype), x)

    return f(rnp.ones(3))


@case
def callback_gives_another_tree() -> Any:
    return rosin.pure_callback(lambda x: (x, x), rnp.ones(3), rnp.ones(3))


@case
def callback_has_no_derivative() -> Any:
    return rosin.grad(lambda x: rosin.pure_callback(np.square, x, x))(2.0)


@case
def callback_types_are_none() -> Any:
    return rosin.pure_callback(np.sort, {"sorted": float}, rnp.ones(3))


@case
def unknown_check() -> Any:
    return rosin.compile(lambda x: x, checks="index, bounds")


@case
def too_few_to_choose() -> Any:
    return rosin.compile(lambda scores: rnp.top_k(scores, 5))(rnp.ones((2, 3)))


@case
def side_is_neither() -> Any:
    return rnp.searchsorted(rnp.arange(3), 1, side="middle")


def normal(text: str) -> str:
    """The message without what differs from checkout to checkout and from edit to edit."""
    text = re.sub(r'File "[^"]*[/\\]([^"/\\]+)", line \d+', r'File "\1", line N', text)
    return re.sub(r"0x[0-9a-f]+", "0x…", text)


@pytest.mark.parametrize("name", CASES)
def test_message(name: str, golden: Callable[[str, str], None]) -> None:
    with pytest.raises(RosinError) as caught:
        CASES[name]()
    assert not rosin.frontend.core.tracing()
    error = caught.value
    assert error.location is not None, "the user's line is missing"
    assert error.location.file == __file__
    golden(f"errors/{name}.txt", f"{type(error).__name__}: {normal(str(error))}")
