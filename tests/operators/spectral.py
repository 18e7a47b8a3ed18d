"""Fourier transforms and windows."""

from __future__ import annotations

from typing import Any

from rosin.numpy import fft
from rosin.scipy import fft as more
from rosin.scipy.signal import windows
from tests.operators.mapped import Mapped, Table, named


def _line(function: Any) -> Any:
    return lambda x, n=None, dim=-1, norm=None: function(x, n=n, axis=dim, norm=norm)


def _axes(dim: Any) -> Any:
    return (dim,) if isinstance(dim, int) else dim


def _plane(function: Any) -> Any:
    return lambda x, s=None, dim=(-2, -1), norm=None: function(x, s=s, axes=_axes(dim), norm=norm)


def _space(function: Any) -> Any:
    return lambda x, s=None, dim=None, norm=None: function(x, s=s, axes=_axes(dim), norm=norm)


def _shift(function: Any) -> Any:
    return lambda x, dim=None: function(x, axes=dim)


def _window(function: Any) -> Any:
    """PyTorch gives some of the numbers by name."""
    return lambda M, *, sym=True, dtype=None, device=None, requires_grad=False, **named: function(
        M, sym=sym, dtype=dtype, **named
    )


LAYOUTS = {
    "sparse_coo": "there is one layout",
    "dtypes, got: torch.bfloat16": "windows may be of narrow floats",
    "dtypes, got: torch.float16": "windows may be of narrow floats",
}
ANY = "as in SciPy, any number is taken"

TABLE: Table = named(
    {
        **{f"fft.{name}": _line(getattr(fft, name)) for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")},
        **{f"fft.{name}": _plane(getattr(fft, name)) for name in ("fft2", "ifft2", "rfft2", "irfft2")},
        **{f"fft.{name}": _space(getattr(fft, name)) for name in ("fftn", "ifftn", "rfftn", "irfftn")},
        **{f"fft.{name}": _plane(getattr(more, name)) for name in ("hfft2", "ihfft2")},
        **{f"fft.{name}": _space(getattr(more, name)) for name in ("hfftn", "ihfftn")},
        "fft.fftshift": _shift(fft.fftshift),
        "fft.ifftshift": _shift(fft.ifftshift),
        **{
            f"signal.windows.{name}": Mapped(_window(getattr(windows, name)), errors=LAYOUTS)
            for name in ("bartlett", "blackman", "cosine", "hamming", "hann", "nuttall")
        },
        "signal.windows.exponential": Mapped(
            _window(lambda M, center=None, tau=1.0, **named: windows.exponential(M, center, tau, **named)),
            errors={**LAYOUTS, "Tau must be positive": ANY},
        ),
        "signal.windows.gaussian": Mapped(
            _window(lambda M, std=1.0, **named: windows.gaussian(M, std, **named)),
            errors={**LAYOUTS, "Standard deviation must be positive": ANY},
        ),
        "signal.windows.kaiser": Mapped(
            _window(lambda M, beta=12.0, **named: windows.kaiser(M, beta, **named)),
            errors={**LAYOUTS, "beta must be non-negative": ANY},
        ),
        "signal.windows.general_cosine": Mapped(
            _window(lambda M, a, **named: windows.general_cosine(M, a, **named)), errors=LAYOUTS
        ),
        "signal.windows.general_hamming": Mapped(
            _window(lambda M, alpha=0.54, **named: windows.general_hamming(M, alpha, **named)), errors=LAYOUTS
        ),
    }
)
