"""What loops.py has Numba do: functions `run` in its own style, as text, which is imported where Numba is."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from _rivals import Arrays, Run


def numba(source: str, *more: Any) -> dict[str, Callable[[Arrays], Run] | None]:
    """The contestant that compiles the source, and gives its `run` the arrays and these arguments."""
    if not importlib.util.find_spec("numba"):
        return {}

    def make(arrays: Arrays) -> Run:
        space: dict[str, Any] = {"np": np}
        exec(f"from math import *\nfrom numba import njit, prange\n{source}", space)
        return lambda: space["run"](*arrays, *more)

    return {"numba": make}


TABLEAU = (
    (0.161,),
    (-0.008480655492356989, 0.335480655492357),
    (2.8971530571054935, -6.359448489975075, 4.3622954328695815),
    (5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525),
    (5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383),
    (0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774),
)


NUMBA_RK4 = """
@njit
def step(a, b, h):
    ka, kb = 1.5 * a - a * b, a * b - 3.0 * b
    x, y = a + h / 2 * ka, b + h / 2 * kb
    la, lb = 1.5 * x - x * y, x * y - 3.0 * y
    x, y = a + h / 2 * la, b + h / 2 * lb
    ma, mb = 1.5 * x - x * y, x * y - 3.0 * y
    x, y = a + h * ma, b + h * mb
    na, nb = 1.5 * x - x * y, x * y - 3.0 * y
    return a + h / 6 * (ka + 2 * la + 2 * ma + na), b + h / 6 * (kb + 2 * lb + 2 * mb + nb)

@njit
def run(y0, steps):
    a, b = y0
    out = np.empty((steps, 2))
    for t in range(steps):
        a, b = step(a, b, 0.001)
        out[t, 0], out[t, 1] = a, b
    return out
"""


def _stage(number: int) -> str:
    terms = {v: " + ".join(f"{a!r} * k{v}{i}" for i, a in enumerate(TABLEAU[number])) for v in "ab"}
    return f"a + 0.01 * ({terms['a']}), b + 0.01 * ({terms['b']})"


NUMBA_TSIT5 = "\n".join(
    [
        "@njit(parallel=True)",
        "def run(y0, steps):",
        "    # Blocks of lanes by hand: the inner loop is over lanes, for the vector unit.",
        "    out, width = np.empty_like(y0), 64",
        "    for block in prange(y0.shape[0] // width):",
        "        start = block * width",
        "        A, B = y0[start:start + width, 0].copy(), y0[start:start + width, 1].copy()",
        "        for t in range(steps):",
        "            for lane in range(width):",
        "                a, b = A[lane], B[lane]",
        "                ka0, kb0 = 1.5 * a - a * b, a * b - 3.0 * b",
        *(
            f"                x, y = {_stage(i)}\n"
            f"                ka{i + 1}, kb{i + 1} = 1.5 * x - x * y, x * y - 3.0 * y"
            for i in range(5)
        ),
        f"                A[lane], B[lane] = {_stage(5)}",
        "        out[start:start + width, 0], out[start:start + width, 1] = A, B",
        "    return out",
    ]
)

NUMBA_MANDELBROT = """
@njit(parallel=True)
def run(c, most):
    out = np.empty(c.shape[0], np.int32)
    for i in prange(c.shape[0]):
        x = y = np.float32(0)
        k = 0
        while x * x + y * y <= np.float32(4) and k < most:
            x, y = x * x - y * y + c[i, 0], np.float32(2) * x * y + c[i, 1]
            k += 1
        out[i] = k
    return out
"""

NUMBA_COLLATZ = """
@njit(parallel=True)
def run(starts):
    out = np.empty(starts.size, np.int32)
    for i in prange(starts.size):
        n, k = starts[i], np.int32(0)
        while n != 1:
            n = n // np.int32(2) if n % np.int32(2) == 0 else np.int32(3) * n + np.int32(1)
            k += np.int32(1)
        out[i] = k
    return out
"""

NUMBA_WALKS = """
@njit(parallel=True)
def run(counts):
    out = np.empty(counts.size, np.float32)
    for i in prange(counts.size):
        x = np.float32(1)
        for k in range(counts[i]):
            x = x * np.float32(0.999) + np.float32(0.5)
        out[i] = x
    return out
"""

NUMBA_BODIES = """
@njit(parallel=True, fastmath=True)
def run(places, masses):
    n = places.shape[0]
    out = np.empty_like(places)
    for i in prange(n):
        x = y = z = np.float32(0)
        for j in range(n):
            dx, dy, dz = places[j, 0] - places[i, 0], places[j, 1] - places[i, 1], places[j, 2] - places[i, 2]
            near = np.float32(1) / sqrt(dx * dx + dy * dy + dz * dz + np.float32(1e-2))
            pull = masses[j] * near * near * near
            x, y, z = x + pull * dx, y + pull * dy, z + pull * dz
        out[i, 0], out[i, 1], out[i, 2] = x, y, z
    return out
"""

NUMBA_HEAT = """
@njit(parallel=True)
def run(u, steps):
    a, b = u.copy(), u.copy()
    rows, columns = u.shape
    for t in range(steps):
        for i in prange(1, rows - 1):
            for j in range(1, columns - 1):
                around = a[i - 1, j] + a[i + 1, j] + a[i, j - 1] + a[i, j + 1]
                b[i, j] = a[i, j] + np.float32(0.2) * (around - np.float32(4) * a[i, j])
        a, b = b, a
    return a
"""

NUMBA_CARTS = """
@njit(parallel=True)
def run(starts, steps):
    out = np.empty((4, starts.size), np.float32)
    f = np.float32
    for i in prange(starts.size):
        x = v = angle = spin = starts[i]
        for t in range(steps):
            force = f(10) if x + v + f(4) * angle + spin > f(0) else f(-10)
            s, c = sin(angle), cos(angle)
            push = (force + f(0.05) * spin * spin * s) / f(1.1)
            turn = (f(9.8) * s - c * push) / (f(0.5) * (f(4 / 3) - f(0.1) * c * c / f(1.1)))
            move = push - f(0.05) * turn * c / f(1.1)
            x, v, angle, spin = x + f(0.02) * v, v + f(0.02) * move, angle + f(0.02) * spin, spin + f(0.02) * turn
            if abs(x) > f(2.4) or abs(angle) > f(0.2095):
                x = v = angle = spin = starts[i]
        out[0, i], out[1, i], out[2, i], out[3, i] = x, v, angle, spin
    return out
"""
