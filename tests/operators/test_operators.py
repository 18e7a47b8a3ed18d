"""PyTorch's operators on PyTorch's own samples, against the functions of Rosin that do the same.

`make test-all` runs this, or `python -m pytest tests/operators -m peers`; the end of the run counts what agreed.
docs/operators.md says what is compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from tests.operators import harness
from tests.operators.absent import ABSENT, page
from tests.operators.mapped import Mapped
from tests.operators.tables import SECOND, TABLE

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

MOST, MOST_COMPILED, MOST_SLOPES = 40, 2, 12
"""How many samples of an operator and element type are compared, at once, compiled, and with derivatives."""


@pytest.fixture(scope="session")
def operators() -> dict[str, Any]:
    return harness.operators()


Counted = Callable[[str, str, int], None]


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Counted:
    """Tells the end of the run how many samples agreed, by what was compared and by element type."""
    return lambda kind, dtype, count: record_property("agreed", f"{kind} {dtype} {count}")


def report(op: Any, failures: list[str]) -> None:
    """Fail with what was wrong, the first few times."""
    kinds = Counter(line.partition(":")[0] for line in failures)
    assert not failures, f"{op.full_name}: {len(failures)} differ {dict(kinds)}\n  " + "\n  ".join(failures[:6])


@pytest.mark.parametrize("name", TABLE)
def test_values(name: str, operators: dict[str, Any], counted: Counted) -> None:
    """Values at once, for every element type."""
    op, entry = operators[name], TABLE[name]
    failures: list[str] = []
    total = 0
    for dtype in harness.dtypes_of(op, harness.FORWARD):
        if dtype in entry.lacks:
            continue
        agreed = 0
        for sample in harness.usable(op, entry, dtype, MOST):
            try:
                found = harness.call(entry, sample, harness.arrays(sample))
                wanted = harness.expected(entry, op, sample)
                wrong = harness.differences(found, wanted, entry.tolerance.get(dtype))
            except Exception as error:
                wrong = f"{type(error).__name__} {error}"
            if wrong:
                failures.append(f"{dtype}: {sample!r}: {wrong}")
            else:
                agreed += 1
        counted("values", dtype, agreed)
        total += agreed
    report(op, failures)
    assert total, f"{name}: no sample is compared"


@pytest.mark.parametrize("name", TABLE)
def test_lacks_are_errors(name: str, operators: dict[str, Any]) -> None:
    """What is said to be refused is refused, with an error of Rosin's."""
    op, entry = operators[name], TABLE[name]
    for dtype in entry.lacks:
        assert dtype in harness.dtypes_of(op, harness.FORWARD), f"{name} has no samples of {dtype}"
        for sample in harness.samples(op, dtype, most=3):
            assert harness.raises(entry, sample), f"{name} takes {sample!r}"


@pytest.mark.parametrize("name", [name for name, entry in TABLE.items() if entry.apart or entry.slopes])
def test_reasons_are_needed(name: str, operators: dict[str, Any]) -> None:
    """Each reason for which samples are not compared is about some of them."""
    op, entry = operators[name], TABLE[name]
    for reasons, dtypes, slopes in ((entry.apart, harness.FORWARD, False), (entry.slopes, harness.SMOOTH, True)):
        idle = dict(reasons)
        for dtype in harness.dtypes_of(op, dtypes):
            samples = harness.samples(op, dtype, slopes) if idle else []
            idle = {r: where for r, where in idle.items() if not any(where(*s.args, **s.kwargs) for s in samples)}
        assert not idle, f"{name}: nothing needs {list(idle)}"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, entry in TABLE.items() if not entry.eager])
def test_compiled(name: str, operators: dict[str, Any], counted: Counted) -> None:
    """The same values from machine code."""
    op, entry = operators[name], TABLE[name]
    failures: list[str] = []
    for dtype in harness.dtypes_of(op, ("float32", "complex64", "int32")):
        if dtype in entry.lacks:
            continue
        usable = harness.usable(op, entry, dtype)
        agreed = 0
        for sample in usable[:: max(1, len(usable) // MOST_COMPILED)][:MOST_COMPILED]:
            arrays = harness.arrays(sample)
            if entry.known and not all(x.dtype.differentiable for x in arrays):
                continue
            compiled = rosin.compile(lambda *xs, sample=sample: harness.call(entry, sample, xs))
            wanted = harness.expected(entry, op, sample)
            wrong = harness.differences(compiled(*arrays), wanted, entry.tolerance.get(dtype))
            if wrong:
                failures.append(f"{dtype}: {sample!r}: {wrong}")
            else:
                agreed += 1
        counted("compiled", dtype, agreed)
    report(op, failures)


def problems(op: Any, entry: Mapped, most: int) -> list[tuple[str, harness.Problem]]:
    """The differentiable samples of an operator, with their element types."""
    found: list[tuple[str, harness.Problem]] = []
    for dtype in harness.dtypes_of(op, harness.SMOOTH):
        if dtype in entry.lacks or entry.flat:
            continue
        for sample in harness.usable(op, entry, dtype, most, slopes=True):
            one = harness.problem(op, entry, sample)
            if one is not None:
                found.append((dtype, one))
    return found


@pytest.mark.parametrize("name", TABLE)
def test_derivatives(name: str, operators: dict[str, Any], counted: Counted) -> None:
    """Forward and reverse mode. Where PyTorch has no forward mode, both of Rosin's modes agree."""
    op, entry = operators[name], TABLE[name]
    if not op.supports_autograd:
        return
    failures: list[str] = []
    agreed: Counter[tuple[str, str]] = Counter()
    for dtype, one in problems(op, entry, MOST_SLOPES):
        primals = one.primals
        try:
            wrong = reverse(one, primals)
            agreed["vjp", dtype] += not wrong
            if wrong:
                failures.append(f"vjp {dtype}: {one.sample!r}: {wrong}")
            wrong = forward(one, primals)
            agreed["jvp", dtype] += not wrong
            if wrong:
                failures.append(f"jvp {dtype}: {one.sample!r}: {wrong}")
        except Exception as error:
            failures.append(f"{dtype}: {one.sample!r}: {type(error).__name__} {error}")
    for (kind, dtype), count in agreed.items():
        counted(kind, dtype, count)
    report(op, failures)


def reverse(one: harness.Problem, primals: list[Any]) -> str:
    """What is wrong with the pullback."""
    values, pull = rosin.vjp(one.rosin, *primals)
    cotangents = harness.directions(values, 2)
    wanted = harness.torch_vjp(one.torch, one.torch_primals, cotangents)
    return compared(pull(list(map(rnp.asarray, cotangents))), wanted)


def forward(one: harness.Problem, primals: list[Any]) -> str:
    """What is wrong with the tangents."""
    tangents = harness.directions(primals, 3)
    values, found = rosin.jvp(one.rosin, tuple(primals), tuple(map(rnp.asarray, tangents)))
    if one.op.supports_forward_ad and not one.entry.backward:
        return compared(found, harness.torch_jvp(one.torch, one.torch_primals, tangents))
    cotangents = harness.directions(values, 2)
    back = rosin.vjp(one.rosin, *primals)[1](list(map(rnp.asarray, cotangents)))
    there, here = harness.inner(back, tangents), harness.inner(cotangents, found)
    return "" if np.isclose(there, here, rtol=1e-7, atol=1e-7, equal_nan=True) else f"{here} forward, {there} back"


def compared(found: Any, wanted: list[np.ndarray]) -> str:
    """What is wrong with derivatives."""
    pairs = zip(harness.flat(list(found)), wanted, strict=True)
    parts = [harness.difference(a, as_tensor(b), harness.SLOPE_TOLERANCE) for a, b in pairs]
    return "; ".join(f"{i}: {part}" for i, part in enumerate(parts) if part)


def as_tensor(x: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(np.asarray(x))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, entry in TABLE.items() if not (entry.eager or entry.flat)])
def test_compiled_derivatives(name: str, operators: dict[str, Any], counted: Counted) -> None:
    """The pullback from machine code."""
    op, entry = operators[name], TABLE[name]
    if not op.supports_autograd:
        return
    failures: list[str] = []
    found = problems(op, entry, MOST_SLOPES)
    for dtype in dict.fromkeys(dtype for dtype, _ in found):
        one = next(one for d, one in found if d == dtype)
        cotangents = harness.directions(one.rosin(*one.primals), 2)

        def back(*primals: Any, one: harness.Problem = one, cotangents: Any = cotangents) -> Any:
            return rosin.vjp(one.rosin, *primals)[1](list(map(rnp.asarray, cotangents)))

        wanted = harness.torch_vjp(one.torch, one.torch_primals, cotangents)
        wrong = compared(rosin.compile(back)(*one.primals), wanted)
        if wrong:
            failures.append(f"{dtype}: {one.sample!r}: {wrong}")
        else:
            counted("compiled vjp", dtype, 1)
    report(op, failures)


@pytest.mark.parametrize("name", [name for name, entry in TABLE.items() if not (entry.alone or entry.known)])
def test_batched(name: str, operators: dict[str, Any], counted: Counted) -> None:
    """`vmap` over two examples, the sample and the sample with its elements in opposite order, against each alone."""
    op, entry = operators[name], TABLE[name]
    failures: list[str] = []
    dtypes = [d for d in harness.dtypes_of(op, ("float64", "complex128", "int64", "bool")) if d not in entry.lacks]
    for dtype in dtypes[:2]:
        usable = [s for s in harness.usable(op, entry, dtype) if harness.leaves(s)]
        for sample in usable[:: max(1, len(usable) // 3)][:3]:
            values = [harness.numbers(t) for t in harness.leaves(sample)]
            pairs = [rnp.asarray(np.stack([v, np.flip(v)])) for v in values]
            try:
                found = rosin.vmap(lambda *xs, sample=sample: harness.call(entry, sample, xs))(*pairs)
                wanted = [harness.call(entry, sample, [p[i] for p in pairs]) for i in range(2)]
                together = [np.stack([np.asarray(a), np.asarray(b)]) for a, b in zip(*wanted, strict=True)]
                wrong = harness.differences(found, list(map(as_tensor, together)), 1e-9)
            except Exception as error:
                wrong = f"{type(error).__name__} {error}"
            if wrong:
                failures.append(f"{dtype}: {sample!r}: {wrong}")
            else:
                counted("vmap", dtype, 1)
    report(op, failures)


@pytest.mark.slow
@pytest.mark.parametrize("name", SECOND)
def test_second_derivatives(name: str, operators: dict[str, Any], counted: Counted) -> None:
    """The pullback of the pullback, and the tangents of the pullback."""
    import torch

    op, entry = operators[name], TABLE[name]
    failures: list[str] = []
    for dtype, one in problems(op, entry, 4):
        primals = one.primals
        values = one.rosin(*primals)
        cotangents, second = harness.directions(values, 2), harness.directions(primals, 4)

        def slope(*xs: Any, one: harness.Problem = one, cotangents: Any = cotangents) -> Any:
            return rosin.vjp(one.rosin, *xs)[1](list(map(rnp.asarray, cotangents)))

        def torch_slope(*xs: Any, one: harness.Problem = one, cotangents: Any = cotangents) -> Any:
            results = one.torch(*xs)
            given = [
                torch.from_numpy(np.array(np.conj(c))).to(r.dtype) for c, r in zip(cotangents, results, strict=True)
            ]
            found = torch.autograd.grad(results, xs, given, create_graph=True, allow_unused=True)
            return tuple(
                torch.zeros_like(x, requires_grad=True) if g is None else g.conj()
                for g, x in zip(found, xs, strict=True)
            )

        wanted = harness.torch_vjp(torch_slope, one.torch_primals, second)
        found = rosin.vjp(slope, *primals)[1](tuple(map(rnp.asarray, second)))
        wrong = compared(found, wanted)
        if wrong:
            failures.append(f"{dtype}: {one.sample!r}: {wrong}")
        tangents = rosin.jvp(slope, tuple(primals), tuple(map(rnp.asarray, harness.directions(primals, 3))))[1]
        there, here = harness.inner(found, harness.directions(primals, 3)), harness.inner(second, tangents)
        if not np.isclose(there, here, rtol=1e-6, atol=1e-8, equal_nan=True):
            failures.append(f"jvp {dtype}: {one.sample!r}: {here} forward, {there} back")
        elif not wrong:
            counted("second", dtype, 1)
    assert failures or problems(op, entry, 4), f"{name} has no sample to differentiate"
    report(op, failures)


@pytest.mark.parametrize("name", TABLE)
def test_errors(name: str, operators: dict[str, Any], counted: Counted) -> None:
    """What PyTorch refuses is refused, with an error of Rosin's, but for what the table excuses."""
    op, entry = operators[name], TABLE[name]
    if op.error_inputs_func is None:
        assert not entry.errors, f"{name} has no errors to excuse"
        return
    failures: list[str] = []
    used: set[str] = set()
    for sample, message in harness.error_samples(op):
        if "out" in sample.kwargs or repr(sample) in harness.NUMBERS or harness.AXES in message:
            continue  # Functions of Rosin have results and write into nothing.
        text = f"{sample!r} | {message}"
        excuse = next((part for part in entry.errors if part in text), None)
        if excuse is not None:
            used.add(excuse)
            continue
        try:
            said = harness.raises(entry, sample)
        except Exception as error:
            failures.append(f"{type(error).__name__} {error}: {text}")
            continue
        if said:
            counted("errors", "", 1)
        else:
            failures.append(f"no error: {text}")
    assert used == set(entry.errors), f"{name}: excuses that nothing needs: {set(entry.errors) - used}"
    report(op, failures)


def test_the_table_is_of_operators(operators: dict[str, Any]) -> None:
    """Every name is one of PyTorch's, and there are no fewer than there were."""
    assert sorted(set(TABLE) - set(operators)) == []
    absent = [name for names in ABSENT.values() for name in names]
    assert sorted(absent) == sorted(set(operators) - set(TABLE)), "every other operator has one reason in absent.py"
    assert len(TABLE) >= 600
    assert len(set(SECOND)) >= 90
    assert set(SECOND) <= set(TABLE)


def test_the_page_says_why_others_are_absent() -> None:
    text = (Path(__file__).parents[2] / "docs" / "operators.md").read_text(encoding="utf-8")
    assert page() in text
    assert f"{len(TABLE)} are mapped" in text
