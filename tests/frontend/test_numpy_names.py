"""Every function of rosin.numpy against NumPy: at once, compiled, batched and differentiated. See numpy_cases.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from tests.frontend.numpy_cases import CASES, CONSTANTS, ELSEWHERE, KINDS, MODULES, TYPES, Case

FLOATS = {"f32": (np.float32, np.complex64), "f64": (np.float64, np.complex128)}


def _name(case: Case) -> str:
    return f"{CASES.index(case)}-{case.name}"


def flat(x: Any) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """NumPy's arrays in a nest of lists, tuples and dicts, and how others in their places make the nest again."""
    if isinstance(x, np.ndarray):
        return [x], lambda parts: parts[0]
    if isinstance(x, dict):
        leaves, build = flat(list(x.values()))
        return leaves, lambda parts: dict(zip(x, build(parts), strict=True))
    if not isinstance(x, list | tuple):
        return [], lambda parts: x
    several = [flat(part) for part in x]

    def built(parts: list[Any]) -> Any:
        result: list[Any] = []
        for leaves, build in several:
            result.append(build(parts[: len(leaves)]))
            parts = parts[len(leaves) :]
        return type(x)(result)

    return [leaf for leaves, _ in several for leaf in leaves], built


def as_width(x: Any, width: str) -> Any:
    """An array with floats of a width."""
    real, complex = FLOATS[width]
    return x.astype(real if x.dtype.kind == "f" else complex) if x.dtype.kind in "fc" else x


def parts_of(case: Case, width: str) -> tuple[list[Any], Callable[..., list[Any]]]:
    """The arrays among the arguments of a case, and the function of them that gives its results as a list."""
    leaves, build = flat([list(case.args), case.options])

    def function(*arrays: Any) -> list[Any]:
        args, options = build(list(arrays))
        return rosin.tree.leaves(getattr(rnp, case.name)(*args, **options))

    return [as_width(leaf, width) for leaf in leaves], function


def expected(case: Case, width: str) -> list[Any]:
    """What NumPy says, in f64."""
    leaves, build = flat([list(case.args), case.options])
    wide = [as_width(as_width(leaf, width), width if case.narrow else "f64") for leaf in leaves]
    args, options = build(wide)
    with np.errstate(all="ignore"):
        found = (case.reference or getattr(np, case.name))(*args, **options)
    return [np.asarray(leaf) for leaf in rosin.tree.leaves(found)]


def agree(found: Any, wanted: Any, case: Case, width: str) -> None:
    """Same shape and kind of numbers, and numbers that are near; NaN equals NaN."""
    array = np.asarray(found)
    assert array.shape == wanted.shape, f"shape {array.shape}, not {wanted.shape}"
    if wanted.dtype.kind in "fc" or array.dtype.kind in "fc":
        assert array.dtype.kind in "fc"
        unit = case.tolerance * np.finfo(array.dtype).eps
        size = np.nanmax(np.abs(wanted), initial=0, where=np.isfinite(wanted))
        np.testing.assert_allclose(array, wanted, rtol=unit, atol=unit * float(size))
        return
    assert array.dtype.kind == wanted.dtype.kind or {array.dtype.kind, wanted.dtype.kind} <= set("iu")
    np.testing.assert_array_equal(array, wanted)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES, ids=_name)
def test_numbers(case: Case) -> None:
    for width in FLOATS:
        leaves, function = parts_of(case, width)
        arrays = [rnp.asarray(leaf) for leaf in leaves]
        wanted = expected(case, width)
        found = function(*arrays)
        assert len(found) == len(wanted), f"{len(found)} results, not {len(wanted)}"
        for a, b in zip(found, wanted, strict=True):
            agree(a, b, case, width)
        for leaf, array in zip(leaves, arrays, strict=True):
            np.testing.assert_array_equal(np.asarray(array), leaf, err_msg="an argument changed")


@pytest.mark.thinned(4)
@pytest.mark.parametrize("case", [case for case in CASES if case.traced], ids=_name)
def test_compiled(case: Case) -> None:
    leaves, function = parts_of(case, "f32")
    arrays = [rnp.asarray(leaf) for leaf in leaves]
    for a, b in zip(rosin.compile(function)(*arrays), function(*arrays), strict=True):
        assert a.dtype == b.dtype
        agree(a, np.asarray(b), case, "f32")


@pytest.mark.thinned(2)
@pytest.mark.parametrize("case", [case for case in CASES if case.traced and case.batched], ids=_name)
def test_batched(case: Case) -> None:
    leaves, function = parts_of(case, "f64")
    if not leaves:
        return
    both = [np.stack([leaf, _other(leaf)]) for leaf in leaves]
    found = rosin.vmap(function)(*map(rnp.asarray, both))
    each = [function(*(rnp.asarray(pair[i]) for pair in both)) for i in range(2)]
    for batch, *examples in zip(found, *each, strict=True):
        agree(batch, np.stack([np.asarray(x) for x in examples]), case, "f64")


def _other(x: Any) -> Any:
    """Other numbers in the same order along every axis, so that what is sorted stays sorted."""
    return x * 1.25 if x.dtype.kind in "fc" else x


@pytest.mark.thinned(2)
@pytest.mark.parametrize("case", [case for case in CASES if case.traced and case.smooth], ids=_name)
def test_differentiated(case: Case) -> None:
    leaves, function = parts_of(case, "f64")
    rng = np.random.default_rng(1)
    moving = [i for i, leaf in enumerate(leaves) if leaf.dtype.kind in "fc"]
    if not moving:
        return
    directions = [rng.normal(size=leaves[i].shape) * (1 if leaves[i].dtype.kind == "f" else 1 + 0.5j) for i in moving]
    results = function(*map(rnp.asarray, leaves))
    weights = [rng.normal(size=np.shape(result)) for result in results]

    def loss(*moved: Any) -> Any:
        full = [rnp.asarray(leaf) for leaf in leaves]
        for i, value in zip(moving, moved, strict=True):
            full[i] = value
        total = rnp.asarray(0.0, dtype="float64")
        for result, weight in zip(function(*full), weights, strict=True):
            if np.dtype(result.dtype.numpy).kind in "fc":
                total = total + rnp.sum((rnp.real(result) + rnp.imag(result) * 0.5) * rnp.asarray(weight))
        return total

    primals = [rnp.asarray(leaves[i]) for i in moving]
    tangents = [rnp.asarray(np.nan_to_num(d).astype(leaves[i].dtype)) for i, d in zip(moving, directions, strict=True)]
    step = 1e-4

    def at(t: float) -> float:
        return float(loss(*(x + t * d for x, d in zip(primals, tangents, strict=True))))

    wanted = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)
    _, forward = rosin.jvp(loss, tuple(primals), tuple(tangents))
    np.testing.assert_allclose(float(forward), wanted, rtol=1e-6, atol=1e-7)
    gradients = rosin.grad(loss, argnums=tuple(range(len(primals))))(*primals)
    # The gradient by a complex number pairs with its move as the real part of their product.
    paired = sum(
        float(np.sum(np.real(np.asarray(g) * np.asarray(d)))) for g, d in zip(gradients, tangents, strict=True)
    )
    np.testing.assert_allclose(paired, float(forward), rtol=1e-9, atol=1e-11)


def test_every_name_is_called() -> None:
    called = {case.name for case in CASES}
    assert not called - set(rnp.__all__)
    rest = set(rnp.__all__) - called - CONSTANTS - KINDS - TYPES - MODULES
    assert rest == set(ELSEWHERE), sorted(rest ^ set(ELSEWHERE))


def test_names_are_all_there() -> None:
    assert len(set(rnp.__all__)) == len(rnp.__all__)
    assert set(rnp.__all__) <= set(dir(rnp))
    for name in rnp.__all__:
        assert getattr(rnp, name) is not None or name == "newaxis"
    with pytest.raises(AttributeError, match="has no attribute 'no_such_name'"):
        _ = rnp.no_such_name  # pyright: ignore[reportAttributeAccessIssue]
