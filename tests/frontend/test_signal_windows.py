"""Windows against SciPy's: every one, every small size, both kinds of symmetry, and by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.signal as wanted

import rosin
from rosin import numpy as rnp
from rosin.ir.errors import AttributeValueError, DTypeError
from tests.frontend.agree import near

found: Any = rosin.scipy.signal.windows
PARAMETERS: dict[str, tuple[Any, ...]] = {
    "exponential": (None, 2.0),
    "gaussian": (2.5,),
    "general_cosine": ((0.3, 0.4, 0.2, 0.1),),
    "general_gaussian": (1.5, 2.5),
    "general_hamming": (0.6,),
    "kaiser": (8.6,),
    "kaiser_bessel_derived": (4.0,),
    "tukey": (0.3,),
}
NAMES = [name for name in found.__all__ if name != "get_window"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sym", [True, False])
def test_every_window(name: str, sym: bool) -> None:
    own, other = getattr(found, name), getattr(wanted.windows, name)
    given = PARAMETERS.get(name, ())
    if name == "kaiser_bessel_derived" and not sym:
        with pytest.raises(AttributeValueError, match="the window is always symmetric"):
            own(4, *given, sym=sym)
        return
    for size in (0, 1, 2, 3, 4, 5, 7, 8, 20, 33, 64):
        if name == "kaiser_bessel_derived" and size % 2:
            with pytest.raises(AttributeValueError, match="even and not negative, not"):
                own(size, *given)
            continue
        near(own(size, *given, sym=sym, dtype=rnp.float64), other(size, *given, sym=sym), 1e-13)
    assert own(8, *given).dtype == rnp.float32


@pytest.mark.parametrize("name", ["bartlett", "blackman", "hamming", "hanning"])
def test_windows_of_numpy(name: str) -> None:
    for size in (0, 1, 2, 7, 64):
        near(getattr(rnp, name)(size, dtype=rnp.float64), getattr(np, name)(size), 1e-13)
    with pytest.raises(AttributeValueError, match=f"{name}: the size of a window is not -3"):
        getattr(rnp, name)(-3)


@pytest.mark.parametrize("name", NAMES)
def test_of_a_symbolic_size(name: str) -> None:
    given = PARAMETERS.get(name, ())
    window = rosin.compile(
        lambda x: getattr(found, name)(x.shape[0], *given, dtype=rnp.float64), dynamic={"x": {0: rosin.dim("n", min=2)}}
    )
    for size in (6, 8, 64):
        near(window(rnp.zeros(size)), getattr(wanted.windows, name)(size, *given), 1e-12)


def test_kaisers_window_of_numpy() -> None:
    for size in (0, 1, 2, 7, 64):
        for beta in (0.0, 3.5, -14.0, 600.0):
            near(rnp.kaiser(size, beta, dtype=rnp.float64), np.kaiser(size, beta), 1e-12)


def test_by_name() -> None:
    for name in (
        4.5,
        ("kaiser", 2.0),
        "hann",
        "tri",
        "flattop",
        ("gaussian", 3.0),
        ("tukey", 0.2),
        ("exponential", None, 3.0),
    ):
        for fftbins in (True, False):
            near(found.get_window(name, 17, fftbins, dtype=rnp.float64), wanted.get_window(name, 17, fftbins), 1e-13)


def test_derivative_by_a_parameter() -> None:
    def total(std: Any) -> Any:
        return rnp.sum(found.gaussian(21, std, dtype=rnp.float64) ** 3)

    ahead, behind = (float(total(rnp.asarray(4.0 + s, dtype=rnp.float64))) for s in (1e-5, -1e-5))
    gradient = rosin.grad(total)(rnp.asarray(4.0, dtype=rnp.float64))
    assert float(gradient) == pytest.approx((ahead - behind) / 2e-5, rel=1e-7)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: found.hann(-1), AttributeValueError, "general_cosine: the size of a window is not -1"),
        (lambda: found.hann(2.5), DTypeError, "the size of a window is an integer, not float"),
        (lambda: found.bohman(5, dtype=rnp.int32), DTypeError, "bohman makes floats, not i32"),
        (lambda: found.exponential(5, 2.0), AttributeValueError, "a symmetric window has its center in the middle"),
        (lambda: found.general_cosine(5, ()), AttributeValueError, "there are no coefficients"),
        (lambda: found.get_window("glass", 5), AttributeValueError, "no window 'glass'; there are barthann"),
        (lambda: found.get_window("gaussian", 5), AttributeValueError, "gaussian has other parameters than \\(\\)"),
    ],
)
def test_bad_input(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
