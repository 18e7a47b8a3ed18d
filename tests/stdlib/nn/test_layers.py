"""What layers do that PyTorch is not asked about: noise, positions, caches, starting values, what is refused."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.stdlib import nn
from rosin.stdlib.nn import initializers


def normal(*shape: int, seed: int = 0) -> rosin.Array:
    return rosin.random.normal(rosin.random.key(seed), shape)


# -- starting values -----------------------------------------------------------------------------------------------

SCALED = {
    "glorot_uniform": 2 / (300 + 500),
    "glorot_normal": 2 / (300 + 500),
    "lecun_uniform": 1 / 500,
    "lecun_normal": 1 / 500,
    "he_uniform": 2 / 500,
    "he_normal": 2 / 500,
}


@pytest.mark.parametrize("name", SCALED)
def test_initializers_have_their_variance(name: str) -> None:
    drawn = getattr(initializers, name)()(rosin.random.key(0), (300, 500), rosin.float32)
    np.testing.assert_allclose(np.var(drawn), SCALED[name], rtol=0.02)
    assert abs(float(rnp.mean(drawn))) < 4 * (SCALED[name] / 150_000) ** 0.5
    window = getattr(initializers, name)()(rosin.random.key(0), (12, 20, 5, 5), rosin.float32)
    np.testing.assert_allclose(np.var(window), SCALED[name], rtol=0.06)


def test_other_initializers() -> None:
    key = rosin.random.key(0)
    for shape in ((6, 4), (4, 6), (4, 2, 3)):
        matrix = np.asarray(initializers.orthogonal(2.0)(key, shape)).reshape(4 if shape[0] == 4 else 6, -1)
        small = matrix @ matrix.T if shape[0] == 4 else matrix.T @ matrix
        np.testing.assert_allclose(small, 4 * np.eye(4), atol=1e-5)
    assert float(rnp.max(rnp.abs(initializers.truncated_normal(0.1)(key, (1000,))))) <= 0.2
    assert float(rnp.max(initializers.uniform(0.3)(key, (1000,)))) <= 0.3
    np.testing.assert_array_equal(initializers.constant(3.0)(key, (2,)), [3, 3])
    assert initializers.normal(1.0)(key, (2,), rosin.float64).dtype == rosin.float64
    with pytest.raises(ValueError, match="an axis of outputs and one of inputs"):
        initializers.he_normal()(key, (3,))
    with pytest.raises(ValueError, match="fan_in"):
        initializers.variance_scaling(1.0, "fan_all", "normal")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="cauchy"):
        initializers.variance_scaling(1.0, "fan_in", "cauchy")  # pyright: ignore[reportArgumentType]


def test_layers_of_one_key_differ_and_repeat() -> None:
    keys = nn.Keys(0)
    one, two = nn.Dense(3, 3, key=keys), nn.Dense(3, 3, key=keys)
    assert nn.difference(one, two)
    assert nn.difference(one, nn.Dense(3, 3, key=nn.Keys(0))) == ""


# -- noise -----------------------------------------------------------------------------------------------------------


def test_dropout() -> None:
    x, layer = rnp.ones((200, 300)), nn.Dropout(0.25)
    assert layer(x) is x
    run = nn.Run(rosin.random.key(0))
    y = np.asarray(layer(x, run))
    assert set(np.unique(y)) == {np.float32(0), np.float32(4 / 3)}
    np.testing.assert_allclose(np.mean(y == 0), 0.25, atol=0.01)
    assert np.any(y != np.asarray(layer(x, run)))
    np.testing.assert_array_equal(y, rosin.compile(lambda key: layer(x, nn.Run(key)))(rosin.random.key(0)))
    whole = np.asarray(nn.Dropout(0.5, broadcast=(-1,))(x, nn.Run(rosin.random.key(1))))
    assert set(np.mean(whole, axis=1)) == {0.0, 2.0}
    np.testing.assert_array_equal(nn.Dropout(1.0)(x, run), np.zeros((200, 300)))
    np.testing.assert_array_equal(rosin.grad(lambda x: rnp.sum(layer(x, nn.Run(rosin.random.key(0)))))(x), y)
    with pytest.raises(nn.ModuleError, match=r"a probability, not 1\.5"):
        nn.Dropout(1.5)
    with pytest.raises(nn.ModuleError, match=r"no key.*\n.*Chain\.layers\[0\], a Dropout"):
        nn.Chain(layer)(x, nn.Run())


def test_drop_path_drops_examples() -> None:
    y = np.asarray(nn.DropPath(0.5)(rnp.ones((100, 3, 4)), nn.Run(rosin.random.key(0))))
    assert set(np.mean(y, axis=(1, 2))) == {0.0, 2.0}


# -- chains ----------------------------------------------------------------------------------------------------------


def test_chains() -> None:
    chain = nn.Chain(nn.Dense(3, 4, key=0), rnp.tanh, nn.Chain(nn.Dense(4, 4, key=1)), nn.Dropout(0.5))
    x = normal(2, 3)
    first, _, inner, _ = cast("list[Any]", list(chain))
    np.testing.assert_array_equal(chain(x), inner[0](rnp.tanh(first(x))))
    assert len(chain) == 4
    assert [type(layer).__name__ for layer in chain[1:]] == ["Function", "Chain", "Dropout"]
    y = chain(x, nn.Run(rosin.random.key(0)))
    assert bool(rnp.any(y == 0))


def test_layers_beside_each_other() -> None:
    a, b, x = nn.Dense(3, 4, key=0), nn.Dense(3, 4, key=1), normal(2, 3)
    both = nn.Parallel(a, b)(x)
    np.testing.assert_array_equal(both[1], b(x))
    np.testing.assert_array_equal(nn.Parallel(a, b, join=rnp.add)(x), a(x) + b(x))
    square = nn.Dense(3, 3, key=2)
    np.testing.assert_array_equal(nn.Residual(square)(x), x + square(x))
    np.testing.assert_array_equal(nn.Residual(a, b)(x), b(x) + a(x))


# -- norms -----------------------------------------------------------------------------------------------------------


def test_batch_norm_over_the_examples_of_a_vmap() -> None:
    x = normal(4, 6, 3) * 3 + 1
    model, parts = nn.BatchNorm(3), nn.BatchNorm(3, axis_name="shards")

    def run(model: nn.BatchNorm, x: Any) -> Any:
        run = nn.Run()
        return model(x, run), run.updated(model)

    wanted, whole = run(model, rnp.reshape(x, (24, 3)))
    found, new = rosin.vmap(lambda x: run(parts, x), axis_name="shards")(x)
    np.testing.assert_allclose(found.reshape(24, 3), wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(new.running_var[0], whole.running_var, rtol=1e-5)
    np.testing.assert_allclose(new.running_mean[3], whole.running_mean, rtol=1e-5)


def test_batch_norm_needs_more_than_one_number() -> None:
    with pytest.raises(nn.ModuleError, match="statistics of one number"):
        nn.BatchNorm(3)(normal(1, 3), nn.Run())


def test_spectral_norm_finds_the_largest_singular_value() -> None:
    layer = nn.Conv((3, 3), 4, 6, key=0)
    model, x = nn.SpectralNorm(layer, key=1, iterations=40), normal(2, 4, 5, 5)
    run = nn.Run()
    y = model(x, run)
    largest = np.linalg.svd(np.asarray(layer.weight).reshape(6, -1))[1][0]
    np.testing.assert_allclose(y, layer.replace(weight=layer.weight / largest)(x), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(run.updated(model)(x), y, rtol=1e-4, atol=1e-5)


def test_weight_norm_changes_nothing_at_first() -> None:
    layer, x = nn.Dense(4, 3, key=0), normal(2, 4)
    np.testing.assert_allclose(nn.WeightNorm(layer)(x), layer(x), rtol=1e-6)
    with pytest.raises(nn.ModuleError, match="Dropout has no weight 'weight'"):
        nn.WeightNorm(nn.Dropout(0.5))


# -- recurrent layers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_a_sequence_in_pieces(kind: str) -> None:
    model, x = getattr(nn, kind)(3, 4, key=0, layers=2), normal(2, 7, 3)
    whole, last = model(x)
    first, state = model(x[:, :4])
    second, end = model(x[:, 4:], state)
    np.testing.assert_allclose(rnp.concat([first, second], axis=1), whole, rtol=1e-5, atol=1e-6)
    for a, b in zip(rosin.tree.leaves(end), rosin.tree.leaves(last), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    cell, step = model.layers[0][0], None
    for time in range(7):
        step = cell(x[:, time], step)
    np.testing.assert_allclose(cell.output(step), cell.output(last[0][0]), rtol=1e-5, atol=1e-6)


def test_what_lies_behind_the_end_of_a_sequence_is_not_read() -> None:
    model, x = nn.LSTM(3, 4, key=0, layers=2, bidirectional=True), normal(2, 6, 3)
    lengths = rnp.asarray([4, 6])
    found = model(x, lengths=lengths)
    other = model(x.at[0, 4:].set(rnp.nan), lengths=lengths)
    for a, b in zip(rosin.tree.leaves(found), rosin.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(found[0][0, 4:], np.zeros((2, 8)))
    np.testing.assert_allclose(found[0][0, :4], model(x[:1, :4])[0][0], rtol=1e-5, atol=1e-6)


# -- attention and positions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interleaved", [False, True])
def test_rotations_depend_on_distances(interleaved: bool) -> None:
    rotary = nn.Rotary(8, interleaved=interleaved)
    q, k = normal(1, 2, 1, 8), normal(1, 2, 1, 8, seed=1)

    def score(a: int, b: int) -> Any:
        return rnp.sum(rotary.rotate(q, rnp.asarray([a])) * rotary.rotate(k, rnp.asarray([b])), axis=-1)

    np.testing.assert_allclose(score(3, 1), score(12, 10), rtol=1e-4, atol=1e-5)
    assert float(rnp.max(rnp.abs(score(3, 1) - score(3, 2)))) > 1e-3
    np.testing.assert_allclose(rotary.rotate(q, rnp.asarray([0])), q)
    half = nn.Rotary(4).rotate(q, rnp.asarray([5]))
    np.testing.assert_array_equal(half[..., 4:], q[..., 4:])
    with pytest.raises(nn.ModuleError, match="3 is odd"):
        nn.Rotary(3)


def test_alibi() -> None:
    bias = nn.ALiBi(8).bias(rnp.arange(4), rnp.arange(4))
    np.testing.assert_allclose(bias[:, 3, 0], [-3 * 2.0**-i for i in range(1, 9)], rtol=1e-6)
    # As the paper has it for 12 heads: those of 8, and every other one of 16.
    found = -np.asarray(nn.ALiBi(12).bias(rnp.asarray([1]), rnp.asarray([0])))[:, 0, 0]
    np.testing.assert_allclose(found, [2.0**-i for i in range(1, 9)] + [2.0 ** -(i + 0.5) for i in range(4)], rtol=1e-6)


def test_relative_buckets() -> None:
    bias = nn.RelativeBias(2, key=0)
    near = bias.bucket(rnp.arange(-7, 8))
    np.testing.assert_array_equal(near, [7, 6, 5, 4, 3, 2, 1, 0, 17, 18, 19, 20, 21, 22, 23])
    far = bias.bucket(rnp.asarray([-8, -11, -12, -127, -1000, 8, 128, 500]))
    np.testing.assert_array_equal(far, [8, 8, 9, 15, 15, 24, 31, 31])
    one_way = nn.RelativeBias(2, key=0, both=False).bucket(rnp.asarray([3, 0, -1, -15, -16, -200]))
    np.testing.assert_array_equal(one_way, [0, 0, 1, 15, 16, 31])
    assert bias.bias(rnp.arange(3), rnp.arange(5)).shape == (2, 3, 5)


def test_sinusoids() -> None:
    table = nn.sinusoidal(50, 7)
    assert table.shape == (50, 7)
    np.testing.assert_allclose(table[:, 2], np.sin(np.arange(50) * 10000 ** (-2 / 7)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(table[:, 3], np.cos(np.arange(50) * 10000 ** (-2 / 7)), rtol=1e-5, atol=1e-6)


POSITIONS: dict[str, Any] = {
    "none": lambda: None,
    "rotary": lambda: nn.Rotary(4),
    "alibi": lambda: nn.ALiBi(4),
    "relative": lambda: nn.RelativeBias(4, key=3, both=False),
}


@pytest.mark.thinned(3)
@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("key_heads", [4, 2, 1])
def test_steps_with_a_cache_are_the_whole(positions: str, key_heads: int) -> None:
    model = nn.Transformer(
        2, 16, 4, key=0, causal=True, key_heads=key_heads, positions=POSITIONS[positions](), gated=True
    )
    x = normal(2, 6, 16)
    whole = model(x)

    @rosin.compile
    def step(x: Any, cache: Any) -> Any:
        return model(x, cache=cache)

    pieces, cache = [], model.cache(2, 8)
    for start, stop in ((0, 3), (3, 4), (4, 5), (5, 6)):
        y, cache = step(x[:, start:stop], cache)
        pieces.append(y)
    np.testing.assert_allclose(rnp.concat(pieces, axis=1), whole, rtol=1e-4, atol=1e-5)
    assert int(cache[0].length) == 6
    # What comes later changes nothing before.
    np.testing.assert_allclose(model(x.at[:, 4:].set(0.0))[:, :4], whole[:, :4], rtol=1e-4, atol=1e-5)


def test_dropout_in_attention_keeps_the_mean() -> None:
    model = nn.MultiHeadAttention(8, 2, key=0, dropout=0.5, key_heads=1)
    x = normal(1, 5, 8)
    draw = rosin.vmap(lambda key: model(x, run=nn.Run(key)))
    drawn = draw(rosin.random.split(rosin.random.key(0), 4000))
    error = rnp.std(drawn, axis=0) / 4000**0.5
    assert float(rnp.max(rnp.abs(rnp.mean(drawn, axis=0) - model(x)) / error)) < 5
    assert float(rnp.min(error)) > 1e-3


def test_attention_refuses() -> None:
    with pytest.raises(nn.ModuleError, match="3 heads do not divide 8 features"):
        nn.MultiHeadAttention(8, 3, key=0)
    with pytest.raises(nn.ModuleError, match="3 heads of keys do not divide 4 heads"):
        nn.MultiHeadAttention(8, 4, key=0, key_heads=3)


def test_convolutions_refuse() -> None:
    with pytest.raises(nn.ModuleError, match="2 groups do not divide 3 channels in"):
        nn.Conv((3, 3), 3, 4, key=0, groups=2)
    with pytest.raises(nn.ModuleError, match="strides has 3 numbers, and the window has 2 axes"):
        nn.Conv((3, 3), 3, 4, key=0, strides=(1, 1, 1))
    with pytest.raises(nn.ModuleError, match="2 groups do not divide 4 channels in and 3 out"):
        nn.ConvTranspose((3, 3), 4, 3, key=0, groups=2)
    with pytest.raises(nn.ModuleError, match="GroupNorm: 3 groups do not divide 4"):
        nn.GroupNorm(3, 4)
    with pytest.raises(rosin.RosinError, match=r"in the module Conv, a Conv"):
        nn.Conv((3, 3), 3, 4, key=0)(normal(1, 2, 8, 8))


def test_depthwise_and_embedding() -> None:
    conv, x = nn.depthwise((3,), 4, key=0, multiplier=2, padding="SAME"), normal(2, 4, 9)
    alone = nn.Conv((3,), 1, 2, key=0, padding="SAME").replace(weight=conv.weight[2:4], bias=None)
    np.testing.assert_allclose(conv(x)[:, 2:4], alone(x[:, 1:2]), rtol=1e-5, atol=1e-6)
    table = nn.Embedding(7, 3, key=0)
    np.testing.assert_array_equal(table(rnp.asarray([[2, 5]])), table.weight[np.asarray([[2, 5]])])
    np.testing.assert_allclose(table.attend(table.weight[2:3])[0], table.weight @ table.weight[2], rtol=1e-5)
