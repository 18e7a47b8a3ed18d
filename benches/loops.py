"""Loops beside the peers: trajectories, their gradients, many at once, and loops that end when they are done.

    python benches/loops.py [NAME ...]

Contestants are JAX and Numba where they are installed, on the same arrays, with two threads. Rounds are interleaved and
the median is shown, with the time of a first call. The last column is the best peer's time divided by ours: above 1, we
are ahead. Numba has no gradients; JAX has none through a `while`.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

THREADS = 2
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["NUMBA_NUM_THREADS"] = os.environ["ROSIN_NUM_THREADS"] = str(THREADS)

import numpy as np  # noqa: E402  # the number of threads comes first

import rosin  # noqa: E402

ROUNDS = 11
STEPS = 10_000
LANES = 4096
Run = Callable[[], object]


@dataclass(frozen=True)
class Bench:
    """The same work for each contestant: a function of no arguments that runs it and waits."""

    name: str
    makers: dict[str, Callable[[], Run]]
    steps: int
    """How many steps of a loop the work has, all examples together."""


# -- the work, written once over a namespace of array functions ------------------------------------------------------


def field(xp: Any, y: Any) -> Any:
    """Lotka-Volterra."""
    a, b = y[..., 0], y[..., 1]
    return xp.stack([1.5 * a - a * b, a * b - 3.0 * b], axis=-1)


def field_of(rates: Any) -> Callable[[Any, Any], Any]:
    """The same with rates that are to be found."""
    return lambda xp, y: xp.stack(
        [rates[0] * y[0] - rates[1] * y[0] * y[1], rates[2] * y[0] * y[1] - rates[3] * y[1]], axis=-1
    )


def rk4(xp: Any, y: Any, h: float = 0.001, field: Callable[[Any, Any], Any] = field) -> Any:
    k1 = field(xp, y)
    k2 = field(xp, y + h / 2 * k1)
    k3 = field(xp, y + h / 2 * k2)
    k4 = field(xp, y + h * k3)
    return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


TABLEAU = (
    (0.161,),
    (-0.008480655492356989, 0.335480655492357),
    (2.8971530571054935, -6.359448489975075, 4.3622954328695815),
    (5.325864828439257, -11.748883564062828, 7.4955393428898365, -0.09249506636175525),
    (5.86145544294642, -12.92096931784711, 8.159367898576159, -0.071584973281401, -0.028269050394068383),
    (0.09646076681806523, 0.01, 0.4798896504144996, 1.379008574103742, -3.290069515436081, 2.324710524099774),
)


def tsit5(xp: Any, y: Any, h: float = 0.01) -> Any:
    """A step of fixed size of the method of Tsitouras, 2011."""
    stages = [field(xp, y)]
    for row in TABLEAU:
        y_next = y
        for a, k in zip(row, stages, strict=True):
            y_next = y_next + h * a * k
        if len(stages) < len(TABLEAU):
            stages.append(field(xp, y_next))
    return y_next


# -- contestants ---------------------------------------------------------------------------------------------------


def _rosin(function: Callable[..., Any], *arguments: Any) -> Callable[[], Run]:
    def make() -> Run:
        compiled, given = rosin.compile(function), [rosin.numpy.asarray(a) for a in arguments]
        compiled(*given)
        return lambda: compiled(*given)

    return make


def _jax(function: Callable[[Any], Callable[..., Any]], *arguments: Any) -> dict[str, Callable[[], Run]]:
    if not importlib.util.find_spec("jax"):
        return {}

    def make() -> Run:
        import jax

        jax.config.update("jax_enable_x64", True)
        compiled, given = jax.jit(function(jax)), [jax.numpy.asarray(a) for a in arguments]
        jax.block_until_ready(compiled(*given))
        return lambda: jax.block_until_ready(compiled(*given))

    return {"jax": make}


def _numba(source: str, *arguments: Any) -> dict[str, Callable[[], Run]]:
    """A function `run` in Numba's own style, as text, so that nothing is imported where Numba is not."""
    if not importlib.util.find_spec("numba"):
        return {}

    def make() -> Run:
        space: dict[str, Any] = {"np": np}
        exec(f"from numba import njit, prange\n{source}", space)
        space["run"](*arguments)
        return lambda: space["run"](*arguments)

    return {"numba": make}


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


def trajectory(lax: Any, xp: Any) -> Callable[[Any], Any]:
    def step(y: Any, _: Any) -> Any:
        after = rk4(xp, y)
        return after, after

    return lambda y: lax.scan(step, y, None, length=STEPS)[1]


def final(lax: Any, xp: Any) -> Callable[[Any], Any]:
    return lambda y: lax.scan(lambda y, _: (rk4(xp, y), None), y, None, length=STEPS)[0].sum()


def misfit(lax: Any, xp: Any) -> Callable[[Any, Any, Any], Any]:
    """How far the trajectory by these rates is from data: what parameters are estimated by."""

    def total(rates: Any, y: Any, data: Any) -> Any:
        def step(y: Any, _: Any) -> Any:
            after = rk4(xp, y, 0.001, field_of(rates))
            return after, after

        return xp.sum((lax.scan(step, y, None, length=STEPS)[1] - data) ** 2)

    return total


def many(lax: Any, xp: Any, steps: int) -> Callable[[Any], Any]:
    return lambda y: lax.scan(lambda y, _: (tsit5(xp, y), None), y, None, length=steps)[0]


def escape(lax: Any, xp: Any, most: int) -> Callable[[Any], Any]:
    def inside(c: Any) -> Any:
        def goes_on(state: Any) -> Any:
            x, y, k = state
            return (x * x + y * y <= 4.0) & (k < most)

        def step(state: Any) -> Any:
            x, y, k = state
            return x * x - y * y + c[0], 2 * x * y + c[1], k + 1

        zero = xp.zeros((), dtype="float32")
        return lax.while_loop(goes_on, step, (zero, zero, 0))[2]

    return inside


def collatz(lax: Any, xp: Any) -> Callable[[Any], Any]:
    def step(state: Any) -> Any:
        n, k = state
        return xp.where(n % 2 == 0, n // 2, 3 * n + 1), k + 1

    return lambda n: lax.while_loop(lambda state: state[0] != 1, step, (n, n * 0))[1]


def walks(lax: Any, xp: Any) -> Callable[[Any], Any]:
    """As many short steps as each example says."""

    def run(count: Any) -> Any:
        one = xp.ones((), dtype="float32")
        return lax.while_loop(lambda s: s[1] < count, lambda s: (s[0] * 0.999 + 0.5, s[1] + 1), (one, count * 0))[0]

    return run


def settle(lax: Any, xp: Any) -> Callable[[Any, Any], Any]:
    """As many steps as the second argument says, known only when it runs."""
    return lambda y, n: lax.while_loop(lambda s: s[0] < n, lambda s: (s[0] + 1, rk4(xp, s[1])), (0, y))[1].sum()


def environments(lax: Any, xp: Any, steps: int) -> Callable[[Any, Any], Any]:
    """Cart-poles under a linear policy (Barto, Sutton and Anderson, 1983); those that fall start anew."""

    def step(state: Any, _: Any) -> Any:
        x, v, angle, spin, start = state
        force = xp.where(x + v + 4.0 * angle + spin > 0, 10.0, -10.0)
        sin, cos = xp.sin(angle), xp.cos(angle)
        push = (force + 0.05 * spin * spin * sin) / 1.1
        turn = (9.8 * sin - cos * push) / (0.5 * (4.0 / 3.0 - 0.1 * cos * cos / 1.1))
        move = push - 0.05 * turn * cos / 1.1
        x, v, angle, spin = x + 0.02 * v, v + 0.02 * move, angle + 0.02 * spin, spin + 0.02 * turn
        fallen = (xp.abs(x) > 2.4) | (xp.abs(angle) > 0.2095)
        x, v, angle, spin = (xp.where(fallen, start, value) for value in (x, v, angle, spin))
        return (x, v, angle, spin, start), None

    def run(start: Any) -> Any:
        return lax.scan(step, (start, start, start, start, start), None, length=steps)[0][:4]

    return run


def benches() -> list[Bench]:
    rng = np.random.default_rng(0)
    one, starts = np.array([1.0, 1.0]), rng.uniform(0.5, 2.0, (LANES, 2))
    grid = np.stack(np.meshgrid(np.linspace(-2, 1, 300), np.linspace(-1.5, 1.5, 300)), -1).reshape(-1, 2)
    grid = grid.astype(np.float32)
    rates, data = np.array([1.5, 1.0, 1.0, 3.0]), rng.uniform(0.5, 2.0, (STEPS, 2))
    carts = rng.uniform(-0.05, 0.05, LANES).astype(np.float32)
    numbers = np.arange(1, 100_001, dtype=np.int32)
    lengths = np.minimum(10 * rng.pareto(1.2, 20_000) + 1, 20_000).astype(np.int32)
    xp = rosin.numpy
    return [
        Bench(
            "RK4 trajectory, 10,000 steps",
            {
                "rosin": _rosin(trajectory(rosin, xp), one),
                **_jax(lambda jax: trajectory(jax.lax, jax.numpy), one),
                **_numba(NUMBA_RK4, one, STEPS),
            },
            STEPS,
        ),
        Bench(
            "its final state",
            {"rosin": _rosin(final(rosin, xp), one), **_jax(lambda jax: final(jax.lax, jax.numpy), one)},
            STEPS,
        ),
        Bench(
            "gradient of that",
            {
                "rosin": _rosin(rosin.grad(final(rosin, xp)), one),
                **_jax(lambda jax: jax.grad(final(jax.lax, jax.numpy)), one),
            },
            STEPS,
        ),
        Bench(
            "gradient of a misfit by four rates",
            {
                "rosin": _rosin(rosin.grad(misfit(rosin, xp)), rates, one, data),
                **_jax(lambda jax: jax.grad(misfit(jax.lax, jax.numpy)), rates, one, data),
            },
            STEPS,
        ),
        Bench(
            "gradient through a while",
            {"rosin": _rosin(rosin.grad(settle(rosin, xp)), one, np.int64(STEPS))},
            STEPS,
        ),
        Bench(
            "4096 x Tsit5, 500 steps",
            {
                "rosin": _rosin(rosin.vmap(many(rosin, xp, 500)), starts),
                **_jax(lambda jax: jax.vmap(many(jax.lax, jax.numpy, 500)), starts),
                **_numba(NUMBA_TSIT5, starts, 500),
            },
            500 * LANES,
        ),
        Bench(
            "Mandelbrot, 90,000 points",
            {
                "rosin": _rosin(rosin.vmap(escape(rosin, xp, 100)), grid),
                **_jax(lambda jax: jax.vmap(escape(jax.lax, jax.numpy, 100)), grid),
                **_numba(NUMBA_MANDELBROT, grid, 100),
            },
            len(grid),
        ),
        Bench(
            "Collatz from 1 ... 100,000",
            {
                "rosin": _rosin(rosin.vmap(collatz(rosin, xp)), numbers),
                **_jax(lambda jax: jax.vmap(collatz(jax.lax, jax.numpy)), numbers),
                **_numba(NUMBA_COLLATZ, numbers),
            },
            10_753_840,
        ),
        Bench(
            "20,000 walks of Pareto lengths",
            {
                "rosin": _rosin(rosin.vmap(walks(rosin, xp)), lengths),
                **_jax(lambda jax: jax.vmap(walks(jax.lax, jax.numpy)), lengths),
                **_numba(NUMBA_WALKS, lengths),
            },
            int(lengths.sum()),
        ),
        Bench(
            "4096 cart-poles, 300 steps",
            {
                "rosin": _rosin(rosin.vmap(environments(rosin, xp, 300)), carts),
                **_jax(lambda jax: jax.vmap(environments(jax.lax, jax.numpy, 300)), carts),
            },
            300 * LANES,
        ),
    ]


def measure(bench: Bench) -> None:
    runs: dict[str, Run] = {}
    first: dict[str, float] = {}
    for name, make in bench.makers.items():
        start = time.perf_counter()
        runs[name] = make()
        first[name] = time.perf_counter() - start
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    middle = {name: statistics.median(found) for name, found in times.items()}
    peers = [seconds for name, seconds in middle.items() if name != "rosin"]
    ratio = f"{min(peers) / middle['rosin']:7.2f}" if peers else "      -"
    cells: list[str] = []
    for name, seconds in middle.items():
        each = f"{seconds * 1e9 / bench.steps:7.2f} ns a step"
        cells.append(f"{name} {seconds * 1e3:9.3f} ms, {each}, first {first[name]:5.2f} s")
    print(f"{bench.name:30s} {ratio}   {'   '.join(cells)}")


def main() -> None:
    wanted = sys.argv[1:]
    print(f"{'':30s} ahead   load {os.getloadavg()[0]:.1f}")
    for bench in benches():
        if not wanted or any(word in bench.name for word in wanted):
            measure(bench)


if __name__ == "__main__":
    main()
