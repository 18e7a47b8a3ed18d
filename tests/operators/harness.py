"""Operators of PyTorch and functions of Rosin on the same samples: what they take, give, and how that is compared."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir.errors import RosinError
from tests.operators.mapped import Mapped

FORWARD = ("float32", "float64", "complex64", "complex128", "int32", "int64", "uint8", "bool")
SMOOTH = ("float64", "complex128")

TOLERANCE = {"float16": 1e-3, "float32": 5e-6, "float64": 1e-10, "complex64": 1e-5, "complex128": 2e-10}
"""How far results may be off, relative to themselves and to the greatest of them, whichever is more."""
SLOPE_TOLERANCE = 1e-7


RANK_0 = "out of range for rank 0"
"""PyTorch takes a number as a vector of one element; Rosin's error says that it has no axes."""
NUMBERS = ("(2, 3)", "(2, int64[3])", "(int64[3], 2)")
"""Samples of errors: PyTorch's functions of two tensors refuse Python numbers, which Rosin's take."""
AXES = "only tensors with up to 64 dims"
"""NumPy has no arrays of more axes either, so that there is nothing to give to Rosin."""


# -- PyTorch's side ----------------------------------------------------------------------------------------------------


def operators() -> dict[str, Any]:
    """PyTorch's operators with their samples, by full name; those that come twice are the same."""
    pytest.importorskip("torch")
    pytest.importorskip("expecttest")
    from torch.testing._internal.common_methods_invocations import op_db

    return {op.full_name: op for op in op_db}


@dataclass(frozen=True)
class Sample:
    """The arguments of an operator."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __repr__(self) -> str:
        named = [f"{name}={_show(value)}" for name, value in self.kwargs.items()]
        return f"({', '.join([*map(_show, self.args), *named])})"


def _show(x: Any) -> str:
    import torch

    if isinstance(x, torch.Tensor):
        return f"{str(x.dtype).removeprefix('torch.')}{list(x.shape)}"
    if isinstance(x, list | tuple) and any(isinstance(part, torch.Tensor) for part in x):
        return f"[{', '.join(map(_show, x))}]"
    return repr(x)


def samples(op: Any, dtype: str, requires_grad: bool = False, most: int | None = None) -> list[Sample]:
    """The samples of an operator, the same at each call; `most` of them, spread over all, if there are more."""
    import torch

    random.seed(1)
    np.random.seed(1)  # noqa: NPY002  # PyTorch's samples use it
    torch.manual_seed(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [
            Sample((s.input, *s.args), dict(s.kwargs))
            for s in op.sample_inputs("cpu", getattr(torch, dtype), requires_grad=requires_grad)
        ]
    if most is None or len(found) <= most:
        return found
    return [found[i * len(found) // most] for i in range(most)]


def error_samples(op: Any) -> list[tuple[Sample, str]]:
    """Arguments that PyTorch refuses, with what it says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [
            (Sample((e.sample_input.input, *e.sample_input.args), dict(e.sample_input.kwargs)), e.error_regex)
            for e in op.error_inputs("cpu")
        ]
    # Of tensors on another device there are no numbers.
    return [(s, message) for s, message in found if all(t.device.type == "cpu" for t in leaves(s))]


def dtypes_of(op: Any, wanted: Sequence[str]) -> list[str]:
    """Those of the element types that the operator takes."""
    import torch

    return [dtype for dtype in wanted if getattr(torch, dtype) in op.dtypes]


# -- the same arguments for Rosin --------------------------------------------------------------------------------------


def numbers(tensor: Any) -> np.ndarray:
    """A tensor as a NumPy array of its own."""
    return np.array(tensor.detach().resolve_conj().resolve_neg().numpy(force=True))


def leaves(sample: Sample) -> list[Any]:
    """The tensors of a sample, in order."""
    return list(_tensors((sample.args, sample.kwargs)))


def _tensors(x: Any) -> Iterator[Any]:
    import torch

    if isinstance(x, torch.Tensor):
        yield x
    elif isinstance(x, dict):
        for part in x.values():
            yield from _tensors(part)
    elif isinstance(x, list | tuple):
        for part in x:
            yield from _tensors(part)
    elif isinstance(x, slice):
        yield from _tensors((x.start, x.stop, x.step))


def filled(sample: Sample, arrays: Iterable[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with arrays in place of the tensors, and Rosin's own names for what else is PyTorch's."""
    given = iter(arrays)
    return _filled(sample.args, given), _filled(sample.kwargs, given)


def _filled(x: Any, given: Iterator[Any]) -> Any:
    import torch

    if isinstance(x, torch.Tensor):
        return next(given)
    if isinstance(x, torch.dtype):
        return str(x).removeprefix("torch.")
    if isinstance(x, torch.device):
        return str(x)
    if isinstance(x, dict):
        return {name: _filled(part, given) for name, part in x.items()}
    if isinstance(x, list | tuple):
        parts = [_filled(part, given) for part in x]
        return parts if isinstance(x, list) else tuple(parts)
    if isinstance(x, slice):
        return slice(*_filled((x.start, x.stop, x.step), given))
    return x


def arrays(sample: Sample) -> list[rosin.Array]:
    """The tensors of a sample as arrays."""
    return [rnp.asarray(numbers(t)) for t in leaves(sample)]


def call(entry: Mapped, sample: Sample, arrays: Sequence[Any]) -> list[Any]:
    """Rosin's results, flat."""
    args, kwargs = filled(sample, arrays)
    if entry.prepared is not None:
        args = entry.prepared(*args, **kwargs)
    result = entry.function(*args, **kwargs)
    return flat(result if entry.common is None else entry.common(result))


def expected(entry: Mapped, op: Any, sample: Sample) -> list[Any]:
    """PyTorch's results, those parts that are compared."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Some of them change arguments, which are shared by samples.
        own = (t if t.requires_grad or t.is_conj() or t.is_neg() else t.clone() for t in leaves(sample))
        args, kwargs = replaced((sample.args, sample.kwargs), own)
        if entry.prepared is not None:
            args = entry.prepared(*args, **kwargs)
        result = op.op(*args, **kwargs)
        return flat(result if entry.common is None else entry.common(result))


def flat(x: Any) -> list[Any]:
    """The arrays or numbers in nested sequences; None is nothing."""
    if x is None:
        return []
    if isinstance(x, list | tuple):
        return [leaf for part in x for leaf in flat(part)]
    return [x]


# -- comparing ---------------------------------------------------------------------------------------------------------


def difference(found: Any, wanted: Any, tolerance: float | None = None) -> str:
    """What is wrong with a result; nothing if it agrees: shape, kind of numbers and, but of integers, their width."""
    import torch

    is_number = not isinstance(wanted, torch.Tensor)
    b = np.asarray(wanted) if is_number else numbers(wanted)
    a = np.asarray(found)
    if a.shape != b.shape:
        return f"shape {a.shape}, not {b.shape}"
    if a.dtype.kind.replace("u", "i") != b.dtype.kind.replace("u", "i"):
        return f"dtype {a.dtype}, not {b.dtype}"
    if a.dtype.kind in "fc" and a.dtype != b.dtype and not is_number:
        return f"dtype {a.dtype}, not {b.dtype}"
    if a.dtype.kind in "bui":
        return "" if np.array_equal(a, b) else f"{_some(a, a != b)}, not {_some(b, a != b)}"
    allowed = TOLERANCE[min(a.dtype, b.dtype, key=lambda d: d.itemsize / (1 + (d.kind == "c"))).name]
    return _apart(a, b, allowed if tolerance is None else tolerance)


def _apart(a: np.ndarray, b: np.ndarray, tolerance: float) -> str:
    if a.size == 0:
        return ""
    finite = np.abs(b)[np.isfinite(b)]
    top = float(finite.max()) if finite.size else 0.0
    with np.errstate(all="ignore"):
        close = np.isclose(a, b, rtol=tolerance, atol=tolerance * max(top, 1e-2), equal_nan=True)
        off = np.abs(np.where(close, 0, a - b)).max()
    return "" if close.all() else f"{_some(a, ~close)}, not {_some(b, ~close)}: off by {off:.3g} of {top:.3g}"


def _some(x: np.ndarray, where: np.ndarray) -> str:
    return "[" + ", ".join(str(v) for v in x[where].ravel()[:3]) + "]"


def differences(found: Sequence[Any], wanted: Sequence[Any], tolerance: float | None) -> str:
    """What is wrong with several results."""
    if len(found) != len(wanted):
        return f"{len(found)} results, not {len(wanted)}"
    parts = [difference(a, b, tolerance) for a, b in zip(found, wanted, strict=True)]
    return "; ".join(f"result {i}: {part}" for i, part in enumerate(parts) if part)


# -- derivatives -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """A sample as a function of those of its tensors that are differentiated, on both sides."""

    op: Any
    entry: Mapped
    sample: Sample
    tensors: list[Any]
    arrays: list[Any]
    moving: list[int]
    """The positions of the tensors that are differentiated."""
    smooth: list[int]
    """The positions of the results that PyTorch differentiates."""

    @property
    def primals(self) -> list[Any]:
        return [self.arrays[i] for i in self.moving]

    def rosin(self, *moving: Any) -> list[Any]:
        """Rosin's differentiable results."""
        given = list(self.arrays)
        for place, x in zip(self.moving, moving, strict=True):
            given[place] = x
        found = call(self.entry, self.sample, given)
        return [found[i] for i in self.smooth]

    def torch(self, *moving: Any) -> tuple[Any, ...]:
        """PyTorch's differentiable results."""
        tensors = list(self.tensors)
        for place, x in zip(self.moving, moving, strict=True):
            tensors[place] = x
        given = iter(tensors)
        sample = Sample(*replaced((self.sample.args, self.sample.kwargs), given))
        found = expected(self.entry, self.op, sample)
        return tuple(found[i] for i in self.smooth)

    @property
    def torch_primals(self) -> tuple[Any, ...]:
        return tuple(self.tensors[i].detach().clone().requires_grad_() for i in self.moving)


def replaced(x: Any, given: Iterator[Any]) -> Any:
    import torch

    if isinstance(x, torch.Tensor):
        return next(given)
    if isinstance(x, dict):
        return {name: replaced(part, given) for name, part in x.items()}
    if isinstance(x, torch.Size):
        return x
    if isinstance(x, list | tuple):
        parts = [replaced(part, given) for part in x]
        return parts if isinstance(x, list) else tuple(parts)
    if isinstance(x, slice):
        return slice(*replaced((x.start, x.stop, x.step), given))
    return x


def problem(op: Any, entry: Mapped, sample: Sample) -> Problem | None:
    """The sample as a function to differentiate; None where nothing moves."""
    import torch

    tensors = leaves(sample)
    moving = [i for i, t in enumerate(tensors) if t.requires_grad]
    found = expected(entry, op, sample)
    smooth = [i for i, t in enumerate(found) if isinstance(t, torch.Tensor) and t.requires_grad]
    if not moving or not smooth:
        return None
    return Problem(op, entry, sample, tensors, arrays(sample), moving, smooth)


def directions(like: Sequence[Any], seed: int) -> list[np.ndarray]:
    """An array of random numbers for each of some arrays or tensors, of its shape and kind."""
    generator = np.random.default_rng(seed)
    found: list[np.ndarray] = []
    for x in like:
        dtype = np.dtype(str(x.dtype).removeprefix("torch.")) if not isinstance(x, rosin.Array) else x.dtype.numpy
        values = generator.normal(size=tuple(x.shape))
        if dtype.kind == "c":
            values = values + 1j * generator.normal(size=tuple(x.shape))
        found.append(np.asarray(values, dtype))
    return found


def torch_vjp(f: Callable[..., Any], primals: Sequence[Any], cotangents: Sequence[np.ndarray]) -> list[np.ndarray]:
    """PyTorch's pullback in Rosin's convention, in which nothing is conjugated."""
    import torch

    results = f(*primals)
    pairs = [
        (r, torch.from_numpy(np.array(np.conj(c)))) for r, c in zip(results, cotangents, strict=True) if r.requires_grad
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = torch.autograd.grad(
            [r for r, _ in pairs], list(primals), [c.to(r.dtype) for r, c in pairs], allow_unused=True
        )
    return [
        np.zeros(tuple(p.shape), numbers(p).dtype) if g is None else np.conj(numbers(g))
        for g, p in zip(found, primals, strict=True)
    ]


def torch_jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[np.ndarray]) -> list[np.ndarray]:
    """PyTorch's forward mode."""
    import torch
    from torch.autograd import forward_ad

    with warnings.catch_warnings(), forward_ad.dual_level():
        warnings.simplefilter("ignore")
        duals = [
            forward_ad.make_dual(p.detach(), torch.from_numpy(np.array(t)))
            for p, t in zip(primals, tangents, strict=True)
        ]
        found: list[np.ndarray] = []
        for result in f(*duals):
            primal, tangent = forward_ad.unpack_dual(result)
            value = numbers(primal)
            found.append(np.zeros(value.shape, value.dtype) if tangent is None else numbers(tangent))
        return found


def inner(cotangents: Sequence[Any], tangents: Sequence[Any]) -> float:
    """The sum of the real parts of the products."""
    return sum(float(np.sum(np.real(np.asarray(c) * np.asarray(t)))) for c, t in zip(cotangents, tangents, strict=True))


def usable(op: Any, entry: Mapped, dtype: str, most: int | None = None, slopes: bool = False) -> list[Sample]:
    """The samples that are compared, with `slopes` those whose derivatives are."""
    reasons = [*entry.apart.values(), *(entry.slopes.values() if slopes else ())]
    found = [s for s in samples(op, dtype, slopes, most) if not any(where(*s.args, **s.kwargs) for where in reasons)]
    return [s for s in found if all(t.ndim for t in leaves(s)) or RANK_0 not in raises(entry, s)]


def raises(entry: Mapped, sample: Sample) -> str:
    """What Rosin's error says; nothing if there is none."""
    try:
        call(entry, sample, arrays(sample))
    except RosinError as error:
        return str(error)
    return ""
