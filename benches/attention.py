"""Attention, forward and with gradients, causal and not.

python benches/attention.py [NAME ...]     (see _rivals.py for more)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from _libraries import Library
from _rivals import Work, drawn, main


def forward(causal: bool) -> Callable[[Library], Callable[..., Any]]:
    return lambda n: lambda q, k, v: n.attention(q, k, v, causal)


def backward(causal: bool) -> Callable[[Library], Callable[..., Any]]:
    def make(n: Library) -> Callable[..., Any]:
        def total(q: Any, k: Any, v: Any, weights: Any) -> Any:
            return n.xp.sum(n.attention(q, k, v, causal) * weights)

        return n.grad(total, (0, 1, 2))

    return make


def works() -> Iterator[Work]:
    for shape in ((1, 8, 128, 64), (2, 12, 512, 64), (1, 4, 2048, 64)):
        batch, heads, steps, size = shape
        for causal in (False, True):
            text = f"{batch}x{heads}x{steps}x{size}" + (" causal" if causal else "")
            operations = 4.0 * batch * heads * steps * steps * size * (0.5 if causal else 1.0)
            yield Work(f"attention {text}", drawn(*[shape] * 3), forward(causal), {"numpy": None}, operations)
            back = backward(causal)
            yield Work(f"attention gradient {text}", drawn(*[shape] * 4), back, {"numpy": None}, 3.5 * operations)


if __name__ == "__main__":
    main(list(works()), __doc__)
