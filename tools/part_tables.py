"""Computes the tables of rosin/backends/llvm/ops/parts.py and says how good they are: python tools/part_tables.py

Each part is expanded about a point near its middle where the function is next to a float, so that the constant term has
hardly an error. The other coefficients are minimax, by linear programs, and rounded one after the other: of the floats
next to each the ones that leave the least error, while what is still free makes up for what is already rounded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import mpmath as mp
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

mp.mp.dps = 40
Points = NDArray[np.float64]
Coefficients = tuple[float, ...]
PARTS, WIDTH = 16, 4
"""How many parts there are, and how many to an exponent."""
KEPT = 2
"""So many of the best roundings are tried on."""


def points(low: float, high: float, count: int = 160) -> Points:
    return (low + high) / 2 - (high - low) / 2 * np.cos(np.pi * np.arange(count) / (count - 1))


def neighbours(value: float, reach: int) -> list[float]:
    middle = np.float32(value)
    return [float(middle + np.float32(k) * np.spacing(middle)) for k in range(-reach, reach + 1)]


def fitted(t: Points, goal: Points, known: Coefficients, degree: int) -> tuple[Points, float]:
    """The coefficients after those that are known, and the greatest relative error, of a polynomial in t."""
    rest = (goal - sum(c * t**k for k, c in enumerate(known))) / goal
    free = range(len(known), degree + 1)
    if not free:
        return np.zeros(0), float(np.abs(rest).max())
    basis, change = np.linalg.qr(np.stack([t**k / goal for k in free], 1))
    start = basis.T @ rest
    left = rest - basis @ start
    scale = np.abs(left).max()
    ones = np.ones((len(t), 1))
    rows = np.block([[-basis, -ones], [basis, -ones]])
    bounds = [(None, None)] * len(free) + [(0, None)]
    cost = np.eye(len(free) + 1)[-1]
    found = linprog(cost, A_ub=rows, b_ub=np.concatenate([-left, left]) / scale, bounds=bounds).x[:-1] * scale
    return np.linalg.solve(change, start + found), float(np.abs(left - basis @ found).max())


def rounded(t: Points, goal: Points, constant: float, degree: int) -> tuple[float, Coefficients]:
    """The greatest error, and the coefficients as floats."""
    best: list[tuple[float, Coefficients]] = [(0.0, (constant,))]
    for _ in range(degree):
        tried = [
            (fitted(t, goal, (*known, near), degree)[1], (*known, near))
            for _, known in best
            for near in neighbours(fitted(t, goal, known, degree)[0][0], 1)
        ]
        best = sorted(tried)[:KEPT]
    return best[0]


@dataclass(frozen=True)
class Table:
    """A function of x in [0, top], by parts of scale * x + start, with 1 in the first of them where start is 1."""

    about: str
    function: Callable[[float], object]
    scale: float
    start: float
    top: float
    degree: int
    at_zero: float | None = None
    """What the polynomial must give at 0 to the bit."""

    def parts(self) -> list[tuple[float, float]]:
        """Where each begins and ends."""
        exponent = int(np.floor(np.log2(self.start)))
        ends = [2.0 ** (exponent + k // WIDTH) * (1 + k % WIDTH / WIDTH) for k in range(6 * WIDTH)]
        ends = [(end - self.start) / self.scale for end in ends]
        inside = [(max(a, 0.0), min(b, self.top)) for a, b in pairwise(ends) if b > 0 and a < self.top]
        assert len(inside) <= PARTS
        return inside

    def place(self, low: float, high: float) -> int:
        middle = np.array([self.scale * (low + high) / 2 + self.start], np.float32)
        return int(middle.view(np.int32)[0] >> 21) % PARTS

    def values(self, x: Points) -> Points:
        return np.array([float(self.function(float(v))) for v in x])

    def gives(self, centre: float, coefficients: Coefficients) -> bool:
        if self.at_zero is None:
            return True
        result = np.float32(coefficients[-1])
        for c in coefficients[-2::-1]:
            result = np.float32(np.longdouble(result) * -np.longdouble(centre) + np.longdouble(c))
        return float(result) == self.at_zero

    def part(self, low: float, high: float) -> tuple[float, float, Coefficients]:
        """The greatest error, the point about which it is expanded, and the coefficients."""
        x = points(low, high)
        goal, middle = self.values(x), (low + high) / 2
        near = neighbours(middle, 600)
        off = [
            (abs(float(np.float32(v)) / v - 1), c, float(np.float32(v)))
            for c, v in zip(near, self.values(near), strict=True)
        ]
        found = [(*rounded(x - c, goal, constant, self.degree), c) for _, c, constant in sorted(off)[:6]]
        kept = [(error, c, these) for error, these, c in found if low > 0 or self.gives(c, these)]
        return min(kept)

    def text(self, name: str) -> str:
        rows = [[0.0] * PARTS for _ in range(self.degree + 2)]
        worst = 0.0
        for low, high in self.parts():
            error, centre, coefficients = self.part(low, high)
            worst = max(worst, error)
            for row, value in zip(rows, (centre, *coefficients), strict=True):
                row[self.place(low, high)] = value
        lines = [f"# {self.about}: 2^{np.log2(worst):.1f}.", f"{name} = ("]
        for row in rows:
            lines.append("    (")
            lines += ["        " + " ".join(f"{v!r}," for v in row[k : k + 4]) for k in range(0, PARTS, 4)]
            lines.append("    ),")
        return "\n".join([*lines, ")"])


class LogTable(Table):
    """log(m), 3/4 <= m < 3/2, by four bits of the mantissa; next to 1 what is more than m - 1, about 1."""

    def parts(self) -> list[tuple[float, float]]:
        ends = [(1 + k / PARTS, 1 + (k + 1) / PARTS) for k in range(PARTS)]
        return [(a, b) if b <= 1.5 else (a / 2, b / 2) for a, b in ends]

    def place(self, low: float, high: float) -> int:
        return int(np.array([(low + high) / 2], np.float32).view(np.int32)[0] >> 19) % PARTS

    def part(self, low: float, high: float) -> tuple[float, float, Coefficients]:
        if 1.0 not in (low, high):
            return super().part(low, high)
        x = points(low, high)
        x = x[x != 1]
        error, coefficients = rounded(x - 1, self.values(x) / (x - 1), 1.0, self.degree - 1)
        return error, 1.0, (0.0, coefficients[0] - 1, *coefficients[1:])


def scaled_erfc(x: float) -> object:
    return mp.exp(mp.mpf(x) ** 2) * mp.erfc(x)


def inverse_erf(w: float) -> object:
    """erfinv(x) / x by Newton's steps."""
    if w < 1e-12:
        return mp.sqrt(mp.pi) / 2
    x = mp.sqrt(-mp.expm1(-mp.mpf(w)))
    y = mp.sqrt(w) * mp.sqrt(mp.pi) / 2 if w < 1 else mp.sqrt(w - mp.log(mp.sqrt(mp.pi) * mp.sqrt(w)))
    for _ in range(8):
        y -= (mp.erf(y) - x) * mp.sqrt(mp.pi) / 2 * mp.exp(y * y)
    return y / x


def mean_slope_of_tanh(x: float) -> object:
    return mp.tanh(x) / x if x else mp.mpf(1)


def mean_slope_of_erf(x: float) -> object:
    return mp.erf(x) / x if x else 2 / mp.sqrt(mp.pi)


TABLES = {
    "LOG_PARTS": LogTable("log(m), 3/4 <= m < 3/2, by four bits of its mantissa", mp.log, 1.0, 1.0, 1.5, 5),
    "ERF_PARTS": Table("erf(x) / x, 0 <= x <= 4, by parts of 1.87 x + 0.5", mean_slope_of_erf, 1.87, 0.5, 4.0, 6),
    "ERFC_PARTS": Table(
        "exp(x**2) erfc(x), 0 <= x <= 10.5, by parts of x + 0.75", scaled_erfc, 1.0, 0.75, 10.5, 6, 1.0
    ),
    "TANH_PARTS": Table(
        "tanh(x) / x, 0 <= x <= 9.02, by parts of 0.83 x + 0.5", mean_slope_of_tanh, 0.83, 0.5, 9.02, 6, 1.0
    ),
    "ERFINV_PARTS": Table(
        "erfinv(x) / x in w = -log(1 - x**2), 0 <= w <= 16.6, by parts of 0.9 w + 1", inverse_erf, 0.9, 1.0, 16.6, 4
    ),
}

if __name__ == "__main__":
    for name in sys.argv[1:] or TABLES:
        print(TABLES[name].text(name), flush=True)
