"""What statements and expressions mean on traced values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.frontend.errors import ClosureError, ControlFlowError, RecursiveCompileError
from rosin.ir.errors import TraceError


def check(f: Any, *cases: tuple[Any, ...]) -> None:
    """The function does the same traced as in Python."""
    compiled = rosin.compile(f, target="interpreter")
    for arguments in cases:
        for ours, theirs in zip(_flat(compiled(*arguments)), _flat(f(*arguments)), strict=True):
            np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-6)


def _flat(x: Any) -> list[Any]:
    return rosin.tree.leaves(x)


XS = np.asarray([1.0, -2.0, 3.0], np.float32)


def test_operands_are_computed_only_if_they_are_needed() -> None:
    def halvings(x: Any) -> Any:
        while x > 1:
            x = x / 2
        return x

    def f(x: Any) -> Any:
        return x > 0 and halvings(x) > 0.7

    check(f, (3.0,), (-3.0,), (4.0,))
    assert "switch" in rosin.compile(f).text(3.0)


def test_values_of_and_and_or() -> None:
    check(lambda x, y: x and y, (0.0, 2.0), (1.0, 2.0))
    check(lambda x, y: x or y, (0.0, 2.0), (1.0, 2.0))
    check(lambda x, y: (x > 1) or y, (0.0, 2.0), (3.0, 2.0))
    check(lambda x: not x, (0.0,), (1.0,))


def test_chains_of_comparisons_and_membership() -> None:
    check(lambda x, y: 0 < x <= y < 10, (1, 5), (5, 1), (1, 11), (0, 2))
    check(lambda x: x in (1, 2, 5), (2,), (3,))
    check(lambda x: x not in range(0, 10, 3), (3,), (4,), (12,))
    check(lambda x, xs: x in xs, (np.float32(3.0), XS), (np.float32(4.0), XS))


def test_trees_are_merged_leaf_by_leaf() -> None:
    @dataclass
    class State:
        place: Any
        counts: list[Any]

    def f(x: Any) -> Any:
        state = State(x, [0, 1])
        if x > 0:
            state = State(x * 2, [1, 1])
        named = {"a": (x, None), "b": "text"} if x > 1 else {"a": (-x, None), "b": "text"}
        assert named["b"] == "text"
        return state.place, state.counts, named["a"][0]

    check(f, (2.0,), (-2.0,))


def test_objects_and_containers_are_changed_in_place() -> None:
    class Counter:
        def __init__(self) -> None:
            self.count = 0
            self.seen: dict[str, Any] = {"last": 0.0}

        def add(self, x: Any) -> None:
            if x > 0:
                self.count += 1
                self.seen["last"] = x

    def f(xs: Any) -> Any:
        counter, table = Counter(), [0.0, 0.0]
        for x in xs:
            counter.add(x)
            table[0] = table[0] + x
            table[1], table[0] = table[0], table[1]
        return counter.count, counter.seen["last"], table

    check(f, (XS,), (-XS,))


def test_lists_are_appended_to() -> None:
    def f(xs: Any) -> Any:
        out, pairs = [], []
        for i, x in enumerate(xs):
            out.append(x * 2)
            pairs.append((i, x))
            pairs.append((i, -x))
        return rnp.stack(out), out[0] + out[-1], len(out), pairs

    found = rosin.compile(f, target="interpreter")(XS)
    stacked, ends, count, pairs = found
    np.testing.assert_array_equal(stacked, XS * 2)
    assert (float(ends), int(count), len(pairs)) == (8.0, 3, 6)
    np.testing.assert_array_equal([float(x) for _, x in pairs], [1, -1, -2, 2, 3, -3])
    assert "scan" in rosin.compile(f).text(XS)
    assert len(rosin.compile(lambda xs: f(xs)[0]).ir(np.ones(1000, np.float32)).nodes) < 10


def test_a_list_that_is_read_as_it_grows_is_built_step_by_step() -> None:
    def f(xs: Any) -> Any:
        out = [0.0]
        for x in xs:
            out.append(out[-1] + x)
        return rnp.stack(out)

    check_array = rosin.compile(f, target="interpreter")(XS)
    np.testing.assert_allclose(check_array, [0, 1, -1, 2])


def test_comprehensions() -> None:
    check(lambda xs: [x * 2 for x in xs], (rnp.asarray(XS),))
    check(lambda xs: rnp.stack([x + i for i, x in enumerate(xs)]), (rnp.asarray(XS),))
    check(lambda xs: [x * y for x, y in zip(xs, xs[::-1], strict=False)], (rnp.asarray(XS),))
    check(lambda xs: sum(x * x for x in xs), (rnp.asarray(XS),))
    check(lambda xs: any(x > 2 for x in xs) and not all(x > 2 for x in xs), (rnp.asarray(XS),))
    with pytest.raises(TraceError, match="how many elements a comprehension keeps"):
        rosin.compile(lambda xs: [x for x in xs if x > 0])(XS)


def test_a_loop_whose_first_step_is_different() -> None:
    def largest(xs: Any) -> Any:
        best = None
        for x in xs:
            if best is None or x > best:
                best = x
        return best

    check(largest, (rnp.asarray(XS),), (rnp.asarray(-XS),))

    def rows(xs: Any) -> Any:
        total = 0
        for row in xs:
            total = total + row
            last = row
        return total, last

    check(rows, (rnp.asarray(np.arange(6.0).reshape(3, 2)),))


def test_a_loop_whose_types_change_runs_in_python() -> None:
    def f(xs: Any) -> Any:
        whole = xs[:0]
        for x in xs:
            whole = rnp.concat([whole, x[None]])
            if x < 0:
                break
        return xs.sum() if whole.shape[0] > 2 else whole.sum()

    check(lambda xs: f(xs) if False else xs.sum(), (rnp.asarray(XS),))

    def joined(xs: Any) -> Any:
        whole = xs[:0]
        for x in xs:
            whole = rnp.concat([whole, x[None], x[None]])
        return whole

    check(joined, (rnp.asarray(XS),))


def test_a_break_after_steps_of_python() -> None:
    def f(x: Any) -> Any:
        for i in range(100):
            x = x * 2
            if i > 2 and x > 50:
                break
        else:
            x = -x
        return x, i

    check(f, (1.0,), (30.0,), (0.0,))
    assert len(str(rosin.compile(f).ir(1.0))) < 8000


def test_items_of_python_after_a_traced_break() -> None:
    def f(x: Any) -> Any:
        for name, step in [("a", 1.0), ("b", 2.0), ("c", 3.0)]:
            x = x + step
            if x > 3:
                break
            x = x * len(name)
        return x

    check(f, (0.0,), (2.5,), (10.0,))


def test_return_out_of_nested_loops() -> None:
    def f(xs: Any, wanted: Any) -> Any:
        for i in range(len(xs)):
            for j in range(3):
                if xs[i] * j == wanted:
                    return 10 * i + j
            if xs[i] < -5:
                return -2
        return -1

    xs = rnp.asarray([1.0, 4.0, -6.0, 7.0])
    check(f, (xs, 8.0), (xs, 14.0), (xs, 0.0), (xs, 100.0))


def test_a_break_of_an_outer_loop_in_an_else() -> None:
    def f(n: Any, m: Any) -> Any:
        count = 0
        for i in range(n):
            for j in range(i):
                count += 1
                if j == m:
                    break
            else:
                count += 100
                if i > 2:
                    break
                continue
            count += 1000
        return count

    check(f, (6, 2), (6, 0), (2, 1), (0, 0), (5, 9))


def test_while_with_else_and_continue() -> None:
    def f(n: Any) -> Any:
        total = 0
        while n > 0:
            n -= 1
            if n % 3 == 0:
                continue
            if n == 7:
                break
            total += n
        else:
            total = -total
        return total

    check(f, (5,), (12,), (0,))


def test_derivatives_and_batches_of_rewritten_functions() -> None:
    def f(x: Any, n: Any) -> Any:
        y = x
        for _ in range(n):
            if y > 2:
                y = y / 2
            else:
                y = y * x
        return y

    x, n = np.asarray([1.5, 3.0]), np.asarray([3, 4], np.int32)
    np.testing.assert_allclose(rosin.vmap(f)(x, n), [f(a, b) for a, b in zip(x, n, strict=True)], rtol=1e-12)
    slopes = [(f(a + 1e-6, b) - f(a - 1e-6, b)) / 2e-6 for a, b in zip(x, n, strict=True)]
    np.testing.assert_allclose([rosin.grad(f)(a, b) for a, b in zip(x, n, strict=True)], slopes, rtol=1e-6)
    np.testing.assert_allclose(rosin.vmap(rosin.grad(f))(x, n), slopes, rtol=1e-6)


def test_asserts_become_checks() -> None:
    @rosin.compile
    def root(x: Any, unit: str = "m") -> Any:
        assert x.ndim == 0, "a scalar"
        for i in range(3):
            assert x + i > 0, f"step {i}: {x:.2f} {unit} {{is}} too low"
        return rnp.sqrt(x)

    assert float(root(4.0)) == 2.0
    with pytest.raises(AssertionError, match=r"step 0: -1\.50 m \{is\} too low") as caught:
        root(-1.5)
    assert "assert x + i > 0" in str(caught.value)
    with pytest.raises(AssertionError, match="a scalar"):
        root(np.ones(2))

    @rosin.compile
    def plain(x: Any) -> Any:
        assert x < 3
        return x

    with pytest.raises(rosin.CheckError, match="x < 3"):
        plain(5.0)


def test_eager_arrays_are_never_traced() -> None:
    def f(x: Any) -> Any:
        return "positive" if x > 0 else "negative"

    assert f(rnp.asarray(1.0)) == "positive"


def test_a_known_array_from_outside_decides_when_the_program_runs() -> None:
    flag = rnp.asarray(True)
    f = rosin.compile(lambda x: x if flag else -x)
    assert float(f(1.0)) == 1.0
    flag[...] = False
    assert float(f(1.0)) == -1.0


# -- errors --------------------------------------------------------------------------------------------------------


def refused(f: Any, *args: Any) -> str:
    with pytest.raises(ControlFlowError) as caught:
        rosin.compile(f)(*args)
    assert caught.value.location is not None
    return str(caught.value)


def test_a_variable_without_a_value_on_one_way() -> None:
    def f(x: Any) -> Any:
        if x > 0:
            y = x
        return y  # pyright: ignore[reportPossiblyUnbound]

    message = refused(f, 1.0)
    assert "`y` may have no value here" in message
    assert "not assigned if not in the `if` of line" in message
    assert "return y" in message

    def loop(n: Any) -> Any:
        for i in range(n):
            last = i
        return last  # pyright: ignore[reportPossiblyUnbound]

    assert "may run no step" in refused(loop, 3)


def test_a_variable_without_a_value_that_nobody_reads() -> None:
    def f(x: Any) -> Any:
        if x > 0:
            y = x * 2
            x = y
        for i in range(3):
            z = x + i
            if z > 100:
                return z
        return x

    check(f, (1.0,), (-1.0,), (200.0,))


def test_branches_that_give_different_things() -> None:
    def texts(x: Any) -> Any:
        kind = "big" if x > 1 else "small"
        return x if kind == "big" else -x

    assert "'big'" in refused(texts, 1.0)

    def shapes(x: Any) -> Any:
        if x.sum() > 0:
            y = x
        else:
            y = x[:2]
        return y.sum()

    message = refused(shapes, XS)
    assert "f32[3]" in message
    assert "f32[2]" in message

    def missing(x: Any) -> Any:
        if x > 0:
            return x
        return None

    assert "what is returned is" in refused(missing, 1.0)


def test_carried_values_that_change_their_type() -> None:
    def grows(x: Any) -> Any:
        while x.sum() < 10:
            x = rnp.concat([x, x])
        return x

    message = refused(grows, XS)
    assert "`x` changes its type: f32[3] before a step, f32[6] after it" in message

    def forgets(x: Any) -> Any:
        best = None
        while x < 10:
            best = x
            x = x * 2
        return best

    assert "`best` is None before a step" in refused(forgets, 1.0)


def test_appending_in_a_loop_of_unknown_length() -> None:
    def f(x: Any) -> Any:
        out = []
        while x < 10:
            x = x * 2
            out.append(x)
        return rnp.stack(out)

    assert "out" in refused(f, 1.0)


def test_recursion_that_values_end() -> None:
    def factorial(n: Any) -> Any:
        return 1 if n <= 1 else n * factorial(n - 1)

    with pytest.raises(RecursiveCompileError, match=r"(?s)factorial calls itself.*use a loop"):
        rosin.compile(factorial)(5)


def test_an_object_outside_that_is_changed() -> None:
    class Model:
        def __init__(self) -> None:
            self.last = 0.0

    model = Model()

    def f(x: Any) -> Any:
        if x > 0:
            model.last = x
        return x

    with pytest.raises(ClosureError, match="changes what is in `model`"):
        rosin.compile(f)(1.0)


def test_raising_where_values_decide() -> None:
    def f(x: Any) -> Any:
        if x < 0:
            raise ValueError("negative")
        return x

    message = refused(f, 1.0)
    assert "`raise ValueError('negative')` stands where a traced test decides" in message


def test_the_truth_of_several_elements() -> None:
    assert "use .all() or .any()" in refused(lambda x: x if x > 0 else -x, XS)
