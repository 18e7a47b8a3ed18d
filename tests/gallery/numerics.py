"""Numbers: roots, sums, series, divisibility."""

from __future__ import annotations

from typing import Any

import numpy as np

from rosin import numpy as rnp
from tests.gallery.table import program


@program(2.0, others=(10.0,), by=(0,), reverse="while")
def newton_square_root(a: Any) -> Any:
    x = a
    while abs(x * x - a) > 1e-10:
        x = 0.5 * (x + a / x)
    return x


@program(0.0, 2.0, others=(0.5, 3.0))
def bisection(low: Any, high: Any) -> Any:
    """The root of cos x = x."""
    while high - low > 1e-9:
        middle = 0.5 * (low + high)
        if rnp.cos(middle) > middle:
            low = middle
        else:
            high = middle
    return low


@program(0.0, 1.0, 3.0, others=(0.5, 1.5, 5.0), by=(2,), reverse="while")
def secant(x0: Any, x1: Any, c: Any) -> Any:
    """The root of x^3 + x = c."""
    f0, f1 = x0**3 + x0 - c, x1**3 + x1 - c
    for _ in range(50):
        if abs(f1) < 1e-12:
            break
        x0, x1 = x1, x1 - f1 * (x1 - x0) / (f1 - f0)
        f0, f1 = f1, x1**3 + x1 - c
    return x1


@program([1.0, -6.0, 11.0, -6.0], 3.7, others=([1.0, 0.0, -2.0, -5.0], 2.0), by=(0,), reverse="while")
def root_of_polynomial(coefficients: Any, x: Any) -> Any:
    """Newton's method with Horner's scheme for value and slope."""
    for _ in range(100):
        value, slope = 0.0, 0.0
        for c in coefficients:
            slope = slope * x + value
            value = value * x + c
        step = value / slope
        x = x - step
        if abs(step) < 1e-12:
            break
    return x


@program([1.0, 2.0, 3.0, 4.0], 0.5, others=([2.0, 0.0, 1.0, 5.0], -1.5), by=(0, 1))
def horner(coefficients: Any, x: Any) -> Any:
    result = 0.0
    for c in coefficients:
        result = result * x + c
    return result


@program(27, others=(6,))
def collatz(n: Any) -> Any:
    steps = 0
    while n != 1:
        n = n // 2 if n % 2 == 0 else 3 * n + 1
        steps += 1
    return steps


@program(84, 36, others=(17, 5))
def greatest_common_divisor(a: Any, b: Any) -> Any:
    while b:
        a, b = b, a % b
    return a


@program(97, others=(91,))
def is_prime(n: Any) -> Any:
    if n < 2:
        return False
    divisor = 2
    while divisor * divisor <= n:
        if n % divisor == 0:
            return False
        divisor += 1
    return True


@program(30, others=(12,))
def count_primes(limit: Any) -> Any:
    """The sieve of Eratosthenes."""
    prime = rnp.ones(40, dtype=bool)
    count = 0
    for n in range(2, limit):
        if not prime[n]:
            continue
        count += 1
        for multiple in range(n * n, limit, n):
            prime[multiple] = False
    return count


@program(28, others=(12,))
def is_perfect(n: Any) -> Any:
    total = 0
    for divisor in range(1, n):
        if n % divisor == 0:
            total += divisor
        if total > n:
            return False
    return total == n


@program(90125, others=(1234567,))
def sum_of_digits(n: Any) -> Any:
    total = 0
    while n > 0:
        n, digit = divmod(n, 10)
        total += digit
    return total


@program(-0.5, 0.4, others=(1.0, 1.0))
def mandelbrot(cx: Any, cy: Any) -> Any:
    x = y = 0.0
    for step in range(60):
        if x * x + y * y > 4:
            return step
        x, y = x * x - y * y + cx, 2 * x * y + cy
    return 60


@program(0.3, 3.2, 20, others=(0.6, 2.5, 33), by=(0, 1), reverse="while")
def logistic_map(x: Any, r: Any, n: Any) -> Any:
    for _ in range(n):
        x = r * x * (1 - x)
    return x


@program([[2.0, 1.0], [1.0, 3.0]], others=([[4.0, 1.0], [1.0, 2.0]],), by=(0,), reverse="while")
def power_iteration(a: Any) -> Any:
    v = rnp.ones(2, dtype=a.dtype)
    value, before = 0.0, -1.0
    while abs(value - before) > 1e-12:
        w = a @ v
        before, value = value, rnp.sqrt(w @ w)
        v = w / value
    return value


@program(1.0, 2.0, others=(24.0, 6.0), by=(0, 1), reverse="while")
def arithmetic_geometric_mean(a: Any, b: Any) -> Any:
    while abs(a - b) > 1e-13 * a:
        a, b = (a + b) / 2, rnp.sqrt(a * b)
    return a


@program(0.7, others=(0.2,), by=(0,), reverse="while")
def continued_fraction(x: Any) -> Any:
    """tan x as x / (1 - x² / (3 - x² / (5 - …))), from the inside; more terms until nothing changes."""
    before, result, terms = x, x + 1, 1
    while abs(result - before) > 1e-12:
        terms += 1
        before, result = result, 2.0 * terms - 1
        for n in reversed(range(1, terms)):
            result = 2 * n - 1 - x * x / result
        result = x / result
    return result


@program([[1.1, 0.2], [0.1, 0.9]], 13, others=([[0.5, 0.3], [0.2, 0.8]], 6), by=(0,), reverse="while")
def matrix_power(a: Any, n: Any) -> Any:
    """Exponentiation by squaring."""
    result = rnp.eye(2, dtype=a.dtype)
    while n > 0:
        if n % 2 == 1:
            result = result @ a
        a = a @ a
        n = n // 2
    return result


@program(0.0, 2.0, others=(0.5, 1.5), by=(0, 1), reverse="while")
def adaptive_trapezoid(a: Any, b: Any) -> Any:
    """The integral of exp(-x²), with twice the points until two sums agree."""
    n, before, result = 1, 1e9, (b - a) * (rnp.exp(-a * a) + rnp.exp(-b * b)) / 2
    while abs(result - before) > 1e-5:
        n *= 2
        h = (b - a) / n
        total = 0.0
        for i in range(1, n, 2):
            x = a + i * h
            total += rnp.exp(-x * x)
        before, result = result, result / 2 + h * total
    return result


@program([1.0, 2.0, 3.0, 4.0, 5.0], [0.5, 0.25, -1.0], others=([0.0, 1.0, 0.0, 2.0, 1.0], [1.0, 2.0, 3.0]), by=(0, 1))
def convolution(signal: Any, kernel: Any) -> Any:
    out = []
    for start in range(len(signal) - len(kernel) + 1):
        total = 0.0
        for k, weight in enumerate(kernel):
            total += signal[start + k] * weight
        out.append(total)
    return rnp.stack(out)


@program(np.arange(6.0), others=(np.ones(6),), by=(0,))
def running_mean(xs: Any) -> Any:
    """The means of all beginnings, collected in a list."""
    means = []
    total = 0.0
    for i, x in enumerate(xs):
        total += x
        means.append(total / (i + 1))
    return rnp.stack(means)
