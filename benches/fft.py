"""Fourier transforms beside the peers: SciPy and NumPy (pocketfft), PyTorch (MKL) and JAX.

    ROSIN_NUM_THREADS=1 python benches/fft.py [NAME ...]     (see _rivals.py for more)

In a first call of ours passes come from the disk when they have been there before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from _libraries import Library
from _rivals import THREADS, Arrays, Run, Work, draw, main

TRANSFORMS: list[tuple[str, tuple[int, ...]]] = [
    *(("fft", (n,)) for n in (16, 64, 100, 256, 1000, 1024, 1155, 4096, 10007, 1 << 16, 1 << 18, 1 << 20)),
    *(("rfft", (n,)) for n in (16, 256, 1000, 1024, 1155, 1 << 16, 1 << 20)),
    *(("irfft", (n,)) for n in (256, 1000, 1 << 16)),
    *((name, shape) for name in ("fft", "rfft") for shape in ((1000, 8), (1000, 15), (1000, 256), (100, 1000))),
    *((name, shape) for name in ("fft2", "rfft2") for shape in ((512, 512), (360, 500))),
]


def signal(name: str, shape: tuple[int, ...], dtype: str) -> Arrays:
    x: Any = draw(*shape, dtype=dtype)
    if not name.startswith("rfft"):
        x = x + 1j * x[..., ::-1]
    if name == "irfft":
        x = x[..., : shape[-1] // 2 + 1]
    return [np.ascontiguousarray(x)]


def named(name: str) -> Callable[[Library], Callable[..., Any]]:
    return lambda n: getattr(n.xp.fft, name)


def of_scipy(name: str) -> Callable[[Arrays], Run]:
    def make(arrays: Arrays) -> Run:
        import scipy.fft

        return lambda: getattr(scipy.fft, name)(*arrays, workers=THREADS)

    return make


def works() -> Iterator[Work]:
    for name, shape in TRANSFORMS:
        for dtype in ("float32", "float64"):
            text = f"{name} {dtype} {' x '.join(map(str, shape))}"
            yield Work(text, partial(signal, name, shape, dtype), named(name), {"scipy": of_scipy(name)})


if __name__ == "__main__":
    main(list(works()), __doc__)
