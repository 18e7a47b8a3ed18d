"""`compile`: when it traces, what it caches, what it refuses, and what it shows."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.frontend import compile as compile_module
from rosin.frontend.errors import ArgumentError, ClosureError, ImmutableError, RecursiveCompileError
from rosin.ir.errors import RosinError, ShapeError, TraceError
from rosin.ir.parser import parse

Arrays = Any


def ones(*shape: int) -> Any:
    return rnp.ones(shape)


class Traces:
    """Counts traces. A list would not do: a function that changes one outside itself is refused."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def note(self, value: int) -> None:
        self.seen.append(value)


def counted(**options: Any) -> tuple[Any, Traces]:
    """A compiled `a * 2 + b`, and what counts how often it is traced."""
    traces = Traces()

    @rosin.compile(**options)
    def f(a: Any, b: Any = 1.0) -> Any:
        traces.note(1)
        return a * 2 + b

    return f, traces


def test_traces_once_for_each_signature() -> None:
    f, traces = counted()
    x = ones(3)
    for _ in range(3):
        np.testing.assert_array_equal(f(x, x), [3, 3, 3])
    assert len(traces.seen) == 1
    f(x.astype(rnp.float64), x.astype(rnp.float64))
    f(ones(4), ones(4))
    assert len(traces.seen) == 3
    np.testing.assert_array_equal(f(x, x), [3, 3, 3])
    np.testing.assert_array_equal(f(x, b=x), [3, 3, 3])
    np.testing.assert_array_equal(f(x, b=x), [3, 3, 3])
    assert len(traces.seen) == 4


def test_numpy_arrays_and_python_numbers() -> None:
    f, traces = counted()
    x = np.ones(3, np.float32)
    assert isinstance(f(x, x), rosin.Array)
    np.testing.assert_array_equal(f(x, 2.0), [4, 4, 4])
    np.testing.assert_array_equal(f(x, 5.0), [7, 7, 7])
    assert len(traces.seen) == 2
    # A Python number is weak: it takes the dtype of what it meets.
    assert f(ones(3).astype(rnp.float16), 2.0).dtype == rnp.float16
    assert f(ones(3).astype(rnp.float16), np.float32(2)).dtype == rnp.float32
    assert f(ones(3).astype(rnp.bfloat16), 2).dtype == rnp.bfloat16
    assert f(2, 3).dtype == rnp.int32
    # An array of the same type is not weak, though a program for a weak one has been compiled.
    assert f(ones(3).astype(rnp.float16), 2.0).dtype == rnp.float16
    assert f(ones(3).astype(rnp.float16), np.asarray(2, np.float32)).dtype == rnp.float32


def test_arrays_whose_elements_are_out_of_order() -> None:
    f, traces = counted()
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for _ in range(2):
        np.testing.assert_array_equal(f(x.T, x.T), x.T * 3)
    np.testing.assert_array_equal(f(x[:, ::2], 1.0), x[:, ::2] * 2 + 1)
    np.testing.assert_array_equal(f(x.T.copy(), x.T), x.T * 3)
    assert len(traces.seen) == 2


@dataclass
class Model:
    w: Any
    b: Any
    name: str = field(default="m", metadata={"static": True})


def test_trees_in_and_out() -> None:
    traces = Traces()

    @rosin.compile
    def f(model: Model, batch: dict[str, Any]) -> Any:
        traces.note(1)
        out = batch["x"] @ model.w + model.b
        return {"out": out, "model": Model(model.w * 2, model.b, model.name), "none": None, "list": [out, (out,)]}

    for scale in (1.0, 2.0):
        result = f(Model(ones(2, 2) * scale, ones(2)), {"x": ones(3, 2)})
        assert set(result) == {"out", "model", "none", "list"}
        assert result["none"] is None
        assert isinstance(result["list"][1], tuple)
        np.testing.assert_array_equal(result["out"], np.full((3, 2), 2 * scale + 1))
        assert result["model"].name == "m"
        np.testing.assert_array_equal(result["model"].w, np.full((2, 2), 2 * scale))
    assert len(traces.seen) == 1
    f(Model(ones(2, 2), ones(2), "other"), {"x": ones(3, 2)})
    f(Model(ones(2, 2), ones(2)), {"x": ones(3, 2), "y": ones(1)})
    assert len(traces.seen) == 3


def test_several_results() -> None:
    @rosin.compile
    def f(a: Any, b: Any) -> Any:
        return a + b, a - b

    for _ in range(3):
        total, difference = f(ones(2), ones(2))
        np.testing.assert_array_equal(total, [2, 2])
        np.testing.assert_array_equal(difference, [0, 0])
    assert rosin.compile(lambda a: ())(ones(2)) == ()
    assert rosin.compile(lambda a: None)(ones(2)) is None
    assert rosin.compile(lambda a: [a])(ones(2))[0].shape == (2,)


def test_results_that_are_arguments_or_constants() -> None:
    x = ones(2)
    same, constant = rosin.compile(lambda a: (a, 3.0))(x)
    np.testing.assert_array_equal(same, x)
    assert float(constant) == 3.0


def test_static_arguments() -> None:
    traces = Traces()

    @rosin.compile(static_argnames=("power", "mode"))
    def f(x: Any, power: int, mode: str = "plain") -> Any:
        traces.note(power)
        for _ in range(power - 1):
            x = x * x
        return x if mode == "plain" else -x

    x = ones(2) * 2
    np.testing.assert_array_equal(f(x, 2), [4, 4])
    np.testing.assert_array_equal(f(x, 3), [16, 16])
    np.testing.assert_array_equal(f(x, power=2, mode="negative"), [-4, -4])
    np.testing.assert_array_equal(f(x, 2), [4, 4])
    assert traces.seen == [2, 3, 2]
    g = rosin.compile(lambda n, x, flag: x * n if flag else x, static_argnums=(0, -1))
    np.testing.assert_array_equal(g(3, x, True), [6, 6])
    np.testing.assert_array_equal(g(3, x, False), [2, 2])


def test_equal_static_values_of_other_types_are_told_apart() -> None:
    f = rosin.compile(lambda x, n: x * n, static_argnums=1)
    x = rnp.asarray([2])
    assert f(x, 2).dtype == rnp.int32
    assert f(x, 2.0).dtype == rnp.float32
    assert f(x, 2).dtype == rnp.int32


def test_a_static_field_without_hash() -> None:
    f = rosin.compile(lambda model: model.w)
    with pytest.raises(ArgumentError, match="static field"):
        f(Model(ones(1), ones(1), name=[1]))


def test_unknown_static_arguments() -> None:
    with pytest.raises(ArgumentError, match="no argument 'size'; it has x"):
        rosin.compile(lambda x: x, static_argnames="size")
    with pytest.raises(ArgumentError, match="none has number 3"):
        rosin.compile(lambda x: x, static_argnums=3)


def test_decorator_keeps_what_the_function_is() -> None:
    @rosin.compile
    def documented(x: Any) -> Any:
        """What it does."""
        return x

    assert documented.__name__ == "documented"
    assert documented.__doc__ == "What it does."
    assert documented.__wrapped__(3) == 3
    assert "documented" in repr(documented)


class Layer:
    def __init__(self, scale: float) -> None:
        self.scale = scale

    @rosin.compile(static_argnames="self")
    def __call__(self, x: Any) -> Any:
        return x * self.scale

    @staticmethod
    @rosin.compile
    def twice(x: Any) -> Any:
        return x * 2


def test_methods() -> None:
    np.testing.assert_array_equal(Layer(3.0)(ones(2)), [3, 3])
    np.testing.assert_array_equal(Layer(4.0)(ones(2)), [4, 4])
    np.testing.assert_array_equal(Layer.twice(ones(2)), [2, 2])


@rosin.compile
def at_module_level(x: Any) -> Any:
    return x + 1


def test_pickles_by_reference() -> None:
    assert pickle.loads(pickle.dumps(at_module_level)) is at_module_level
    assert copy.deepcopy(at_module_level) is at_module_level


def test_compiled_functions_call_each_other() -> None:
    @rosin.compile
    def inner(x: Any, n: float) -> Any:
        return rnp.sin(x) * n

    @rosin.compile
    def outer(x: Any) -> Any:
        return rosin.grad(lambda x: rnp.sum(inner(x, 2.0)))(x)

    x = ones(3)
    np.testing.assert_allclose(outer(x), 2 * np.cos(np.ones(3)), rtol=1e-6)
    assert "sin" not in [node.op.name for node in inner.ir(x, 2.0).nodes if node.op.name == "call"]
    np.testing.assert_allclose(rosin.vmap(inner, (0, None))(ones(2, 3), 2.0), 2 * np.sin(np.ones((2, 3))), rtol=1e-6)


def test_calls_with_known_arrays_inside_a_trace_are_recorded() -> None:
    inner = rosin.compile(lambda a: a * 2)
    table = np.ones(3, np.float32)
    inner(table)
    outer = rosin.compile(lambda x: x + inner(table))
    np.testing.assert_array_equal(outer(ones(3)), [3, 3, 3])
    table[:] = 5
    np.testing.assert_array_equal(outer(ones(3)), [11, 11, 11])


def test_captured_arrays_are_read_at_each_call() -> None:
    table = np.arange(3, dtype=np.float32)
    turned = np.arange(6, dtype=np.float32).reshape(2, 3).T
    f = rosin.compile(lambda x: x + table)
    g = rosin.compile(lambda x: x @ turned)
    h = rosin.compile(lambda x: {"out": x + table})
    x = ones(3)
    for _ in range(2):
        np.testing.assert_array_equal(f(x), table + 1)
        np.testing.assert_array_equal(g(x), np.ones(3) @ turned)
        np.testing.assert_array_equal(h(x)["out"], table + 1)
        table += 10
        turned *= 2
    assert "table" in str(f.ir(x))
    large = np.zeros(1 << 16, np.float32)
    assert len(rosin.compile(lambda x: x + large).text(np.zeros(1 << 16, np.float32))) < 500


def test_lists_of_numbers_become_constants() -> None:
    f = rosin.compile(lambda x: x * rnp.asarray([1.0, 2.0]))
    assert len(f.ir(ones(2)).inputs) == 1
    np.testing.assert_array_equal(f(ones(2)), [1, 2])


# -- closures ----------------------------------------------------------------------------------------------------

LIMIT = 2.0
TABLE = [1.0, 2.0]


def helper(x: Any) -> Any:
    return x * LIMIT


def test_a_changed_closure_cell_is_refused() -> None:
    scale = 2.0
    f = rosin.compile(lambda x: x * scale)
    x = ones(2)
    np.testing.assert_array_equal(f(x), [2, 2])
    scale = float("2")
    np.testing.assert_array_equal(f(x), [2, 2])
    scale = 3.0
    with pytest.raises(ClosureError, match=r"`scale`, which was 2.0 .* and is 3.0 now"):
        f(x)
    with pytest.raises(ClosureError, match="scale"):
        f(np.ones(5, np.float32))
    with pytest.raises(ClosureError, match="scale"):
        f.ir(x)
    f.clear()
    np.testing.assert_array_equal(f(x), [3, 3])


def test_a_closure_cell_that_is_empty_now_is_refused() -> None:
    scale = 2.0
    function = lambda x: x * scale
    f = rosin.compile(function)
    x = ones(2)
    np.testing.assert_array_equal(f(x), [2, 2])
    del (function.__closure__ or ())[0].cell_contents
    with pytest.raises(ClosureError, match=r"`scale`, which was 2.0 .* and is unset now"):
        f(x)


class Settings:
    rate = 2.0

    def __init__(self) -> None:
        self.names = ["a", "b"]
        self.table: dict[str, Any] = {"x": 1.0, "y": {"z": [3.0]}}


def _shadow(held: Settings) -> None:
    held.rate = 5.0


def _put(held: Settings) -> None:
    held.table["y"]["z"][0] = 4.0


def _reorder(held: Settings) -> None:
    held.table["x"] = held.table.pop("x")


def _replace_all(held: Settings) -> None:
    held.__dict__ = {**held.__dict__, "names": ["a", "c"]}


def _grow(held: Settings) -> None:
    held.names.append("c")


def _exchange(held: Settings) -> None:
    held.names[0] = "c"


@pytest.mark.parametrize("change", [_shadow, _put, _reorder, _replace_all, _grow, _exchange])
def test_what_is_inside_of_what_is_outside_is_watched(change: Callable[[Settings], None]) -> None:
    held = Settings()
    f = rosin.compile(lambda x: x * held.rate * len(held.names) + sum(held.table["y"]["z"]))
    x = ones(2)
    np.testing.assert_array_equal(f(x), [7, 7])
    # What is equal is the same, and what was put in place of it is watched from then on.
    held.names[1] = "".join(["b"])
    held.table["y"]["z"][0] = float("3")
    held.other = 1  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_array_equal(f(x), [7, 7])
    change(held)
    with pytest.raises(ClosureError, match="what is in `held`, which has changed"):
        f(x)


@pytest.mark.parametrize("count", [1, 3, 20])
def test_every_attribute_that_is_read_is_watched(count: int) -> None:
    names = [f"a{i}" for i in range(count)]
    for name in names:
        held = Settings()
        held.__dict__ = dict.fromkeys(names, 2.0)
        f = rosin.compile(eval(f"lambda x: x + {' + '.join(f'held.{n}' for n in names)}", {"held": held}))
        x = ones(2)
        np.testing.assert_array_equal(f(x), [1 + 2 * count] * 2)
        held.unread = 1  # pyright: ignore[reportAttributeAccessIssue]
        np.testing.assert_array_equal(f(x), [1 + 2 * count] * 2)
        setattr(held, name, 3.0)
        with pytest.raises(ClosureError, match="what is in `held`, which has changed"):
            f(x)


def test_a_changed_global_is_refused_through_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    f = rosin.compile(lambda x: {"out": helper(x)})
    f(ones(2))
    f(ones(2))
    monkeypatch.setitem(globals(), "LIMIT", 5.0)
    with pytest.raises(ClosureError, match=r"helper reads `LIMIT`, which was 2.0"):
        f(ones(2))


def test_a_rebound_container_or_array_is_refused() -> None:
    options = {"scale": 2.0}
    table = ones(2)
    f = rosin.compile(lambda x: x * options["scale"] + table)
    np.testing.assert_array_equal(f(ones(2)), [3, 3])
    options = {"scale": 3.0}
    with pytest.raises(ClosureError, match="options"):
        f(ones(2))
    f.clear()
    f(ones(2))
    table = ones(2) * 5
    with pytest.raises(ClosureError, match=r"`table`, which was an array f32\[2\]"):
        f(ones(2))


def test_a_function_that_assigns_outside_itself_is_refused() -> None:
    count = 0

    @rosin.compile
    def f(x: Any) -> Any:
        nonlocal count
        count += 1
        return x

    with pytest.raises(ClosureError, match="f assigns to `count`"):
        f(ones(2))


def test_a_traced_value_put_into_a_list_is_refused() -> None:
    history: list[Any] = []

    @rosin.compile
    def f(x: Any) -> Any:
        y = x * 2
        history.append(y)
        return y

    with pytest.raises(ClosureError, match="puts a traced value into `history`"):
        f(ones(2))


def test_functions_modules_and_unused_variables_may_change() -> None:
    def inner(x: Any) -> Any:
        return x

    unused = 1
    f = rosin.compile(lambda x: inner(rnp.sin(x)))
    f(ones(2))
    unused = 2
    f(ones(2))
    assert unused == 2


# -- refusals ----------------------------------------------------------------------------------------------------


def test_recursion_is_refused() -> None:
    @rosin.compile
    def f(x: Any) -> Any:
        return x * f(x - 1)

    with pytest.raises(RecursiveCompileError, match="f is compiled and calls itself"):
        f(ones(2))

    @rosin.compile
    def shrinking(x: Any) -> Any:
        return x if x.shape[0] == 1 else shrinking(x[::2]) + 1

    assert float(shrinking(ones(8))[0]) == 4.0

    @rosin.compile
    def growing(x: Any) -> Any:
        return growing(rnp.concat([x, x[:1]]))

    with pytest.raises(RecursiveCompileError, match="100 times over"):
        growing(ones(2))


def test_a_trace_that_fails_leaves_nothing_behind() -> None:
    fail = [True]

    @rosin.compile
    def f(x: Any) -> Any:
        if fail[0]:
            raise KeyError("mine")
        return x

    with pytest.raises(KeyError, match="mine"):
        f(ones(2))
    assert not rosin.frontend.core.tracing()
    fail[0] = False
    np.testing.assert_array_equal(f(ones(2)), [1, 1])


def test_sizes_that_overflow_are_refused() -> None:
    with pytest.raises(ShapeError, match="bytes"):
        rosin.compile(lambda x: rnp.broadcast_to(x, (1 << 40, 1 << 40)))(ones(1))
    with pytest.raises(ShapeError, match="bytes"):
        rnp.zeros((1 << 40, 1 << 20))
    with pytest.raises((MemoryError, ShapeError)):
        rnp.zeros((1 << 43,))


def test_a_donated_argument_of_another_shape_gives_no_memory() -> None:
    f = rosin.compile(lambda w: rnp.full((3, 2), rnp.sum(w)), donate_argnums=0)
    assert np.array_equal(f(rnp.ones((2, 3), dtype=rnp.float32)), np.full((3, 2), 6.0))


def test_donation() -> None:
    f = rosin.compile(lambda x, y: x + y, donate_argnames="x")
    x, y = ones(3), ones(3)
    np.testing.assert_array_equal(f(x, y), [2, 2, 2])
    with pytest.raises(ImmutableError, match="donated"):
        x + 1
    np.testing.assert_array_equal(y, [1, 1, 1])
    state = {"a": ones(2), "b": ones(2)}
    step = rosin.compile(lambda s, d: rosin.tree.map(lambda v: v * d, s), donate_argnums=0)
    for _ in range(3):
        state = step(state, 2.0)
    np.testing.assert_array_equal(state["b"], [8, 8])


@pytest.mark.parametrize(("m", "k", "n"), [(13, 7, 50), (255, 64, 77), (130, 300, 1030), (1030, 300, 130)])
def test_products_are_added_to_a_donated_argument(m: int, k: int, n: int) -> None:
    """Tiles that lie over others add to what is under them once only."""
    f = rosin.compile(lambda x, w, r: rnp.maximum(x @ w + r, 0.0) + r, donate_argnums=2)
    rng = np.random.default_rng(0)
    x, w, r = (rng.standard_normal(shape).astype(np.float32) for shape in ((m, k), (k, n), (m, n)))
    found = np.asarray(f(rnp.asarray(x), rnp.asarray(w), rnp.array(r)))
    np.testing.assert_allclose(found, np.maximum(x @ w + r, 0) + r, rtol=1e-4, atol=1e-4)


# -- inspection --------------------------------------------------------------------------------------------------


def test_ir_shows_names_types_and_parses() -> None:
    @rosin.compile
    def f(params: Any, x: Any) -> Any:
        hidden = rnp.tanh(x @ params["w"])
        low = hidden.min()
        total = hidden.sum() + low * hidden.max()
        return {"total": total}

    args = ({"w": ones(3, 2)}, ones(4, 3))
    graph = f.ir(*args)
    text = str(graph)
    assert text.startswith("graph f(params_w: f32[3, 2], x: f32[4, 3])")
    for name in ("hidden: f32[4, 2] = tanh", "low: f32[] = min", "total: f32[] = add"):
        assert name in text
    assert parse(text) == graph
    assert f.text(*args) == text
    assert graph.nodes[0].location is not None
    assert graph.nodes[0].location.file == __file__


def test_names_in_loops() -> None:
    @rosin.compile
    def f(x: Any) -> Any:
        for _ in range(3):
            x = rnp.sin(x)
        return x

    names = [node.results[0].name for node in f.ir(ones(2)).nodes]
    assert names == ["x", "x", "x"]


def test_stages() -> None:
    f = rosin.compile(lambda x: (x * 1.0) + (x * 1.0))
    x = ones(2)
    assert len(f.ir(x, stage="dce").nodes) == len(f.ir(x).nodes)
    assert len(f.ir(x, stage="cse").nodes) < len(f.ir(x).nodes)
    with pytest.raises(ArgumentError, match="no stage 'csee'; the stages are traced, inline"):
        f.ir(x, stage="csee")
    for stage in f.stages(x):
        assert f.text(x, stage=stage)
    with pytest.raises(ArgumentError, match="no stage 'nothing'"):
        f.text(x, stage="nothing")


# -- threads and speed -------------------------------------------------------------------------------------------


def test_threads_share_a_compiled_function() -> None:
    f, traces = counted()
    failures: list[BaseException] = []

    def work(size: int) -> None:
        try:
            for _ in range(20):
                np.testing.assert_array_equal(f(ones(size), ones(size)), np.full(size, 3))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(1 + i % 3,)) for i in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(traces.seen) == 3


def test_a_value_of_another_thread_is_refused() -> None:
    seen: list[Any] = []
    done, go = threading.Event(), threading.Event()

    def work() -> None:
        def f(x: Any) -> Any:
            seen.append(x)
            go.set()
            done.wait(10)
            return x

        rosin.vmap(f)(ones(2))

    thread = threading.Thread(target=work)
    thread.start()
    go.wait(10)
    try:
        with pytest.raises(TraceError, match="another thread"):
            rosin.compile(lambda y: y + seen[0])(ones(1))
        with pytest.raises(TraceError, match="another thread"):
            rnp.sin(seen[0])
    finally:
        done.set()
        thread.join()


def test_errors_of_the_function_come_with_its_line() -> None:
    with pytest.raises(RosinError) as caught:
        rosin.compile(lambda x: x @ x)(ones(2, 3))
    assert caught.value.location is not None
    assert caught.value.location.file == __file__


def test_running_out_of_memory_is_an_error() -> None:
    f = rosin.compile(lambda x: rnp.broadcast_to(x, (1 << 42,)) + 1)
    x = ones(1)
    for _ in range(3):
        with pytest.raises(MemoryError):
            f(x)
    with pytest.raises(MemoryError):
        rnp.broadcast_to(x, (1 << 42,)) + 1
    np.testing.assert_array_equal(rosin.compile(lambda x: x + 1)(x), [2])


def test_the_text_gives_the_users_lines_on_request() -> None:
    @rosin.compile
    def f(x: rosin.Array) -> rosin.Array:
        y = rnp.exp(x)
        return y + 1

    graph = f.ir(ones(2))
    first = f.__wrapped__.__code__.co_firstlineno
    assert f"exp(x)  # {__file__}:{first + 2}" in graph.text(locations=True)
    assert "#" not in graph.text()


@pytest.mark.filterwarnings("ignore::rosin.RecompileWarning")
def test_clear_leaves_nothing_of_the_programs() -> None:
    """Not even of the numbers in them: what lasts among them would keep their memory from the system."""

    def step(x: Any, w: Any) -> Any:
        return x - 0.1 * rosin.grad(lambda x: rnp.mean((rnp.tanh(x * w) - rnp.sum(w)) ** 2))(x)

    f = rosin.compile(step, dynamic=False, cache_size=100)

    def blocks_after(sizes: Iterable[int]) -> int:
        for size in sizes:
            f(np.ones((4, size), np.float32), np.ones(size, np.float32))
        f.clear()
        return sys.getallocatedblocks()

    blocks = [blocks_after(range(start, start + 30)) for start in range(2, 122, 30)]
    # what other tests left behind comes and goes, too: what programs leave comes each time
    assert min(after - before for before, after in pairwise(blocks)) < 30, "less than one a program"


def test_what_was_made_without_collecting_does_not_have_all_of_the_process_searched() -> None:
    """Once garbage is searched for again, by itself."""
    before, seen = gc.get_threshold(), list[int]()

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            seen.append(info["generation"])

    gc.collect()
    gc.collect(0)  # So that one of the young comes before the next, which goes on to what is older.
    gc.set_threshold(700, 0, 0)
    gc.callbacks.append(note)
    try:
        with compile_module._without_collecting():
            kept = [[number] for number in range(5000)]
        kept += [[number] for number in range(100)]
    finally:
        gc.callbacks.remove(note)
        gc.set_threshold(*before)
    assert seen == [0]
