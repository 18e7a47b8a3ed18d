"""Window functions under SciPy's names: weights that fade a stretch of a signal out towards its ends.

A window has `M` elements. With `sym` it is symmetric, as filters want it; without, it is what a symmetric window of one
more element is without its last, as spectra want it, which are of lines that go on for ever. It is computed in f64 and
has the default float as element type, or `dtype`. Parameters of a window may be arrays of rank 0, by which it is
differentiated. M may be a symbolic size. All functions raise

    DTypeError: M is no integer, or the dtype no float
    AttributeValueError: M is negative, or a parameter is out of its range
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rosin.frontend import core
from rosin.frontend import numpy as rnp
from rosin.frontend.core import DTypeLike
from rosin.frontend.numpy import promote
from rosin.frontend.numpy.windows import kaiser_shape, windowed
from rosin.frontend.sizes import as_dim, sized
from rosin.ir.dims import Dim

if TYPE_CHECKING:
    from rosin.frontend.array import Array

__all__ = [
    "barthann",
    "bartlett",
    "blackman",
    "blackmanharris",
    "bohman",
    "boxcar",
    "cosine",
    "exponential",
    "flattop",
    "gaussian",
    "general_cosine",
    "general_gaussian",
    "general_hamming",
    "get_window",
    "hamming",
    "hann",
    "kaiser",
    "kaiser_bessel_derived",
    "lanczos",
    "nuttall",
    "parzen",
    "taylor",
    "triang",
    "tukey",
]


def _around(n: Array, M: Any) -> Array:
    """Places counted from the middle of the window."""
    return n - (M - 1) / 2


def general_cosine(M: Dim, a: Sequence[float | Array], sym: bool = True, *, dtype: DTypeLike | None = None) -> Array:
    """A sum of cosines of 0, 1, 2 … periods with the coefficients `a`, whose signs alternate."""

    def shape(n: Array, M: Any) -> Array:
        angle = 2 * math.pi * n / (M - 1)
        terms = (rnp.cos(angle * k) * (a[k] if k % 2 == 0 else -a[k]) for k in range(1, len(a)))
        return sum(terms, n * 0 + a[0])

    if not a:
        promote.bad_value("general_cosine: there are no coefficients")
    return windowed("general_cosine", M, sym, dtype, shape)


def general_hamming(M: Dim, alpha: float | Array, sym: bool = True, *, dtype: DTypeLike | None = None) -> Array:
    """`alpha` less (1 - alpha) times a cosine of one period."""
    return general_cosine(M, (alpha, 1 - alpha), sym, dtype=dtype)


def boxcar(M: Dim, sym: bool = True, *, dtype: DTypeLike | None = None) -> Array:
    """Ones."""
    return windowed("boxcar", M, sym, dtype, lambda n, M: rnp.ones_like(n))


def triang(M: Dim, sym: bool = True, *, dtype: DTypeLike | None = None) -> Array:
    """A triangle whose ends are not zero."""

    def shape(n: Array, M: Any) -> Array:
        # The base of an even window is as wide as the window, that of an odd one is by one wider.
        base = M + M % 2
        return 1 - rnp.abs(2 * _around(n, M)) / base

    return windowed("triang", M, sym, dtype, shape)


def bartlett(M: Dim, sym: bool = True, *, dtype: DTypeLike | None = None) -> Array:
    """A triangle whose ends are zero."""
    return windowed("bartlett", M, sym, dtype, lambda n, M: 1 - rnp.abs(2 * _around(n, M)) / (M - 1))


def hann(M: Dim, sym: bool = True, *, dtype: DTypeLike | None = None) -> Array:
    """A raised cosine whose ends are zero."""
    return general_hamming(M, 0.5, sym, dtype=dtype)


def hamming(M: Dim, sym: bool = True, *, dtype: DTypeLike | None = None) -> Array:
    """A raised cosine that keeps the first side lobe small."""
    return general_hamming(M, 0.54, sym, dtype=dtype)


def blackman(M: Dim, sym: bool = True, *, dtype: DTypeLike | None = None) -> Array:
    """Blackman's sum of three cosines."""
    return general_cosine(M, (0.42, 0.5, 0.08), sym, dtype=dtype)


def nuttall(M: Dim, sym: bool = True, *, dtype: DTypeLike | None = None) -> Array:
    """Nuttall's sum of four cosines, the one with the smallest side lobes."""
    return general_cosine(M, (0.3635819, 0.4891775, 0.1365995, 0.0106411), sym, dtype=dtype)


def blackmanharris(M: Dim, sym: bool = True, *, dtype: DTypeLike | None = None) -> Array:
    """The sum of four cosines of Blackman and Harris."""
    return general_cosine(M, (0.35875, 0.48829, 0.14128, 0.01168), sym, dtype=dtype)


def flattop(M: Dim, sym: bool = True, *, dtype: DTypeLike | None = None) -> Array:
    """A sum of five cosines that keeps the heights of peaks. It is negative near its ends."""
    return general_cosine(M, (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368), sym, dtype=dtype)


def cosine(M: Dim, sym: bool = True, *, dtype: DTypeLike | None = None) -> Array:
    """Half a period of a sine."""
    return windowed("cosine", M, sym, dtype, lambda n, M: rnp.sin(math.pi * (n + 0.5) / M))


def bohman(M: Dim, sym: bool = True, *, dtype: DTypeLike | None = None) -> Array:
    """The convolution of two half periods of a sine."""

    def shape(n: Array, M: Any) -> Array:
        x = rnp.abs(2 * _around(n, M)) / (M - 1)
        inside = (1 - x) * rnp.cos(math.pi * x) + rnp.sin(math.pi * x) / math.pi
        return rnp.where(x >= 1, 0.0, inside)

    return windowed("bohman", M, sym, dtype, shape)


def parzen(M: Dim, sym: bool = True, *, dtype: DTypeLike | None = None) -> Array:
    """The convolution of four boxes, in cubic pieces."""

    def shape(n: Array, M: Any) -> Array:
        x = rnp.abs(2 * _around(n, M)) / M
        return rnp.where(x <= 0.5 - 0.5 / M, 1 - 6 * x**2 * (1 - x), 2 * (1 - x) ** 3)

    return windowed("parzen", M, sym, dtype, shape)


def barthann(M: Dim, sym: bool = True, *, dtype: DTypeLike | None = None) -> Array:
    """A mixture of Bartlett's and Hann's windows."""

    def shape(n: Array, M: Any) -> Array:
        x = rnp.abs(n / (M - 1) - 0.5)
        return 0.62 - 0.48 * x + 0.38 * rnp.cos(2 * math.pi * x)

    return windowed("barthann", M, sym, dtype, shape)


def gaussian(M: Dim, std: float | Array, sym: bool = True, *, dtype: DTypeLike | None = None) -> Array:
    """A normal distribution's bell, 1 at its top, of standard deviation `std` in elements."""
    return windowed("gaussian", M, sym, dtype, lambda n, M: rnp.exp(-((_around(n, M) / std) ** 2) / 2))


def kaiser(M: Dim, beta: float | Array, sym: bool = True, *, dtype: DTypeLike | None = None) -> Array:
    """Kaiser's window, near to the one with the most of its power in the main lobe, which `beta` makes wider."""
    return windowed("kaiser", M, sym, dtype, lambda n, M: kaiser_shape(n, M, beta))


def kaiser_bessel_derived(M: Dim, beta: float | Array, *, sym: bool = True, dtype: DTypeLike | None = None) -> Array:
    """A window of even size whose squares add up to 1 with those of a neighbour that has half of it in common.

    Raises:
        AttributeValueError: the window is not symmetric, or its size is odd.
    """
    if not sym:
        promote.bad_value("kaiser_bessel_derived: the window is always symmetric")
    size: Any = sized(promote.as_size("kaiser_bessel_derived", M, "the size of a window"))
    if size < 0 or size % 2:
        promote.bad_value(f"kaiser_bessel_derived: the size of a window is even and not negative, not {size}")
    found = core.DEFAULT_FLOAT if dtype is None else dtype
    sums = rnp.cumulative_sum(kaiser(as_dim(size // 2 + 1), beta, dtype=rnp.float64))
    half = rnp.sqrt(sums[:-1] / sums[-1])
    return rnp.astype(rnp.concat([half, rnp.flip(half)]), found)


def general_gaussian(
    M: Dim, p: float | Array, sig: float | Array, sym: bool = True, *, dtype: DTypeLike | None = None
) -> Array:
    """The same with the power 2 p in place of 2."""
    return windowed(
        "general_gaussian", M, sym, dtype, lambda n, M: rnp.exp(-0.5 * rnp.abs(_around(n, M) / sig) ** (2 * p))
    )


def exponential(
    M: Dim, center: float | None = None, tau: float | Array = 1.0, sym: bool = True, *, dtype: DTypeLike | None = None
) -> Array:
    """Exponential decay over `tau` elements to both sides of `center`, the middle by default.

    Raises:
        AttributeValueError: a symmetric window is given a center.
    """
    if sym and center is not None:
        promote.bad_value("exponential: a symmetric window has its center in the middle")

    def shape(n: Array, M: Any) -> Array:
        return rnp.exp(-rnp.abs(n - ((M - 1) / 2 if center is None else center)) / tau)

    return windowed("exponential", M, sym, dtype, shape)


def tukey(M: Dim, alpha: float = 0.5, sym: bool = True, *, dtype: DTypeLike | None = None) -> Array:
    """Ones between two halves of a Hann window, which together take the part `alpha` of it: a box at 0, Hann's at 1."""
    if alpha <= 0:
        return boxcar(M, sym, dtype=dtype)
    if alpha >= 1:
        return hann(M, sym, dtype=dtype)

    def shape(n: Array, M: Any) -> Array:
        wide = rnp.floor(rnp.asarray(alpha * (M - 1) / 2, dtype=rnp.float64))
        from_end = rnp.minimum(n, M - 1 - n)
        faded = 0.5 * (1 + rnp.cos(math.pi * (2 * from_end / alpha / (M - 1) - 1)))
        return rnp.where(from_end <= wide, faded, 1.0)

    return windowed("tukey", M, sym, dtype, shape)


def lanczos(M: Dim, *, sym: bool = True, dtype: DTypeLike | None = None) -> Array:
    """The main lobe of sin(x) / x."""

    def shape(n: Array, M: Any) -> Array:
        x = math.pi * (2 * n / (M - 1) - 1)
        return rnp.where(x == 0, 1.0, rnp.sin(x) / rnp.where(x == 0, 1.0, x))

    return windowed("lanczos", M, sym, dtype, shape)


def taylor(
    M: Dim, nbar: int = 4, sll: float = 30, norm: bool = True, sym: bool = True, *, dtype: DTypeLike | None = None
) -> Array:
    """Taylor's window, whose `nbar` side lobes next to the main one are `sll` decibels below it."""
    order = promote.as_int("taylor", nbar, "nbar")
    weights = _taylor_weights(order, sll)

    def at(x: Any, M: Any) -> Any:
        terms = (weight * rnp.cos(2 * math.pi * k * x / M) for k, weight in enumerate(weights, 1))
        return 1 + 2 * sum(terms)

    def shape(n: Array, M: Any) -> Array:
        window = at(n - M / 2 + 0.5, M) + n * 0
        return window / at(rnp.zeros((), dtype=rnp.float64), M) if norm else window

    return windowed("taylor", M, sym, dtype, shape)


def _taylor_weights(nbar: int, sll: float) -> list[float]:
    """The coefficients of Taylor's cosines (Carrara and Goodman, Spotlight synthetic aperture radar, 1995)."""
    a = math.acosh(10 ** (sll / 20)) / math.pi
    spread = nbar**2 / (a**2 + (nbar - 0.5) ** 2)
    orders = range(1, nbar)
    found: list[float] = []
    for k in orders:
        above = math.prod(1 - k**2 / spread / (a**2 + (j - 0.5) ** 2) for j in orders)
        below = 2 * math.prod(1 - k**2 / j**2 for j in orders if j != k)
        found.append((1 if k % 2 else -1) * above / below)
    return found


# -- by name -----------------------------------------------------------------------------------------------------------

_NAMES: dict[Callable[..., Array], tuple[str, ...]] = {
    barthann: ("barthann", "brthan", "bth"),
    bartlett: ("bartlett", "bart", "brt"),
    blackman: ("blackman", "black", "blk"),
    blackmanharris: ("blackmanharris", "blackharr", "bkh"),
    bohman: ("bohman", "bman", "bmn"),
    boxcar: ("boxcar", "box", "ones", "rect", "rectangular"),
    cosine: ("cosine", "halfcosine"),
    exponential: ("exponential", "poisson"),
    flattop: ("flattop", "flat", "flt"),
    gaussian: ("gaussian", "gauss", "gss"),
    general_cosine: ("general_cosine", "general cosine"),
    general_gaussian: ("general_gaussian", "general gaussian", "general gauss", "general_gauss", "ggs"),
    general_hamming: ("general_hamming", "general hamming"),
    hamming: ("hamming", "hamm", "ham"),
    hann: ("hann", "han"),
    kaiser: ("kaiser", "ksr"),
    kaiser_bessel_derived: ("kaiser bessel derived", "kbd"),
    lanczos: ("lanczos", "sinc"),
    nuttall: ("nuttall", "nutl", "nut"),
    parzen: ("parzen", "parz", "par"),
    taylor: ("taylor", "taylorwin"),
    triang: ("triang", "triangle", "tri"),
    tukey: ("tukey", "tuk"),
}
_BY_NAME = {name: function for function, names in _NAMES.items() for name in names}


def get_window(
    window: str | float | tuple[Any, ...], Nx: Dim, fftbins: bool = True, *, dtype: DTypeLike | None = None
) -> Array:
    """The window of a name, or of a tuple of a name and parameters; of a number, Kaiser's with that parameter.

    With `fftbins` it is what `sym=False` makes.

    Raises:
        AttributeValueError: there is no window of this name, or it lacks a parameter.
    """
    if isinstance(window, int | float):
        return kaiser(Nx, window, not fftbins, dtype=dtype)
    name, *parameters = window if isinstance(window, tuple) else (window,)
    function = _BY_NAME.get(name)
    if function is None:
        names = ", ".join(aliases[0] for aliases in _NAMES.values())
        promote.bad_value(f"get_window: there is no window {name!r}; there are {names}")
    try:
        inspect.signature(function).bind(Nx, *parameters)
    except TypeError as error:
        promote.bad_value(f"get_window: {name} has other parameters than {tuple(parameters)}: {error}")
    return function(Nx, *parameters, sym=not fftbins, dtype=dtype)
