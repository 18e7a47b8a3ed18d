"""`explain` on functions of the user's, and how well the arena of whole models is packed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.cli import main
from rosin.passes.explain import explain

Array = np.ndarray[Any, Any]


def draw(*shape: int) -> Array:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(np.float32)


def perceptron(weights: Any, x: Any, y: Any) -> Any:
    for w, bias in weights[:-1]:
        x = rosin.nn.gelu(x @ w + bias)
    w, bias = weights[-1]
    return -rnp.mean(rnp.sum(rosin.nn.log_softmax(x @ w + bias) * y, axis=-1))


def adam(weights: Any, first: Any, second: Any, x: Any, y: Any) -> Any:
    value, slopes = rosin.value_and_grad(perceptron)(weights, x, y)
    leaves = [rosin.tree.leaves(t) for t in (weights, slopes, first, second)]
    moved = []
    for p, g, m, v in zip(*leaves, strict=True):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        moved.append((p - 1e-3 * m / (rnp.sqrt(v) + 1e-8), m, v))
    return value, moved


def convolutions(kernels: Any, x: Any) -> Any:
    def loss(kernels: Any) -> Any:
        y = x
        for kernel in kernels:
            z = rosin.nn.conv(y, kernel, padding="SAME")
            mean, variance = rnp.mean(z, axis=(0, 2, 3), keepdims=True), rnp.var(z, axis=(0, 2, 3), keepdims=True)
            z = rnp.maximum((z - mean) / rnp.sqrt(variance + 1e-5), 0)
            y = z + y if z.shape == y.shape else z
        return rnp.mean(y**2)

    return rosin.value_and_grad(loss)(kernels)


def blocks(weights: Any, x: Any) -> Any:
    def loss(weights: Any) -> Any:
        y = x
        for q, k, v, up, down in weights:
            scores = rosin.nn.softmax((y @ q) @ (y @ k).mT / 8)
            y = y + scores @ (y @ v)
            y = y + rosin.nn.gelu(rosin.nn.layer_norm(y, 64) @ up) @ down
        return rnp.sum(y**2)

    return rosin.value_and_grad(loss)(weights)


def recurrent(w: Any, u: Any, xs: Any) -> Any:
    def loss(w: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            h = rnp.tanh(h @ w + x @ u)
            return h, h

        return rnp.sum(rosin.scan(step, rnp.zeros((16, 48), dtype=np.float32), xs)[1])

    return rosin.value_and_grad(loss)(w)


LAYERS = [(draw(64, 96), draw(96)), *[(draw(96, 96), draw(96))] * 6, (draw(96, 10), draw(10))]
MODELS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "perceptron": (rosin.value_and_grad(perceptron), (LAYERS, draw(32, 64), draw(32, 10))),
    "adam": (adam, (LAYERS, LAYERS, LAYERS, draw(32, 64), draw(32, 10))),
    "convolutions": (convolutions, ([draw(8, 3, 3, 3), *[draw(8, 8, 3, 3)] * 6], draw(4, 3, 16, 16))),
    "blocks": (
        blocks,
        ([(draw(64, 64), draw(64, 64), draw(64, 64), draw(64, 128), draw(128, 64))] * 4, draw(4, 20, 64)),
    ),
    "recurrent": (recurrent, (draw(48, 48), draw(24, 48), draw(30, 16, 24))),
}


@pytest.mark.parametrize("name", MODELS)
def test_arenas_of_models_are_within_five_percent_of_what_is_live(name: str) -> None:
    f, arguments = MODELS[name]
    found = explain(rosin.compile(f).ir(*arguments, stage="remat"))
    assert 0 < found.least_bytes <= found.arena_bytes <= 1.05 * found.least_bytes


@rosin.compile
def normed(x: Any) -> Any:
    return x / rnp.sum(rnp.abs(x), axis=-1, keepdims=True)


def test_a_function_is_explained() -> None:
    text = normed.explain(draw(40, 30))
    assert text.startswith("normed: 1 groups, 1 kernels\n")
    assert "over 40, folded over 30\n" in text
    assert "reads x 4.688 KiB; writes div 4.688 KiB" in text


def test_symbolic_sizes_are_explained() -> None:
    f = rosin.compile(normed.__wrapped__, dynamic=True)
    text = f.explain(draw(40, 30))
    assert "over x_0, folded over x_1\n" in text
    assert "folded over" in text


def test_other_targets_are_not_explained() -> None:
    with pytest.raises(rosin.RosinError, match="only programs for the target llvm can be explained"):
        rosin.compile(normed.__wrapped__, target="interpreter").explain(draw(4, 3))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "model.py"
    file.write_text("import rosin.numpy as rnp\n\n\ndef f(x, w):\n    return rnp.tanh(x @ w)\n")
    assert main(["explain", f"{file}:f", "--arg", "f32[8, 16]", "--arg", "f32[16, n]"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("f: 1 groups, ")
    assert "0 k0_dot_general_tanh: dot_general, tanh\n    over 8 x n, folded over 16\n" in text
    assert main(["explain", f"{file}:g"]) == 1
    assert "has no g" in capsys.readouterr().err


def test_a_step_of_training_keeps_activations_and_little_more() -> None:
    layers, rows, width = 8, 512, 128

    def loss(weights: list[rosin.Array], x: rosin.Array) -> rosin.Array:
        for w in weights:
            x = rnp.tanh(x @ w)
        return rnp.mean(x * x)

    def step(weights: list[rosin.Array], speeds: list[rosin.Array], x: rosin.Array) -> object:
        slopes = rosin.grad(loss)(weights, x)
        speeds = [0.9 * v + g for v, g in zip(speeds, slopes, strict=True)]
        return [w - 0.1 * v for w, v in zip(weights, speeds, strict=True)], speeds

    square = [draw(width, width) for _ in range(layers)]
    found = explain(rosin.compile(step).ir(square, square, draw(rows, width), stage="remat"))
    # One of each layer, two on the way back, and what is packed for products; no gradient waits for the update.
    assert found.arena_bytes <= (layers + 3) * rows * width * 4


def test_nothing_follows_a_product_that_is_computed_in_pieces() -> None:
    def slope(x: rosin.Array, w: rosin.Array, cotangent: rosin.Array) -> rosin.Array:
        _, pull = rosin.vjp(lambda x: rosin.nn.conv(x, w, strides=2, padding=[(1, 1), (1, 1)]), x)
        return rnp.tanh(pull(cotangent)[0])

    found = explain(rosin.compile(slope).ir(draw(2, 8, 16, 16), draw(8, 8, 3, 3), draw(2, 8, 8, 8), stage="remat"))
    # Each piece has gaps between its results, where what follows would read and write one number at a time.
    assert [group.ops for group in found.groups] == [("convolution",), ("tanh",)]
