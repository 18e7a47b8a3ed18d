"""Models that make pictures: bounds, densities, steps and penalties are what their papers say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.stdlib import data, losses, nn, optim, zoo
from rosin.stdlib.zoo.generative import diffusion, pictures, realnvp, wgan_gp
from rosin.stdlib.zoo.generative.gan import GAN
from rosin.stdlib.zoo.generative.vae import VAE

RNG = np.random.default_rng(0)


def drawn(model: Any, scale: float = 0.3) -> Any:
    """The model in f64, with parameters that are drawn, so that nothing in it is zero."""
    rng = np.random.default_rng(0)
    arrays = dict(nn.named_arrays(model))
    return nn.with_arrays(
        model, {path: rnp.asarray(scale * rng.standard_normal(x.shape)) for path, x in arrays.items()}
    )


# -- likelihoods of levels ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_the_probabilities_of_all_levels_sum_to_one(levels: int) -> None:
    center, log_scale = RNG.uniform(-0.2, 1.2, 40), RNG.uniform(-5, 1, 40)
    targets = np.arange(levels)[:, None] / (levels - 1)
    center, log_scale, targets = map(rnp.asarray, np.broadcast_arrays(center, log_scale, targets))
    nats = losses.discretized_logistic_nll(center, log_scale, targets, levels, reduction="none")
    assert np.allclose(np.exp(-np.asarray(nats)).sum(axis=0), 1, rtol=1e-12)


def test_the_probability_of_a_level_is_a_difference_of_logistic_functions() -> None:
    scale, center, target = np.exp(-2.0), 0.4, 5 / 16
    ends = [1 / (1 + np.exp(-(target + side - center) / scale)) for side in (-1 / 32, 1 / 32)]
    found = losses.discretized_logistic_nll(
        rnp.asarray([center]), rnp.asarray([-2.0]), rnp.asarray([target], dtype="f64"), 17
    )
    assert float(found) == pytest.approx(-np.log(ends[1] - ends[0]), rel=1e-6)
    # Far from its centre, and far narrower than a level, the logarithm is still finite, and has a slope.
    far = rosin.value_and_grad(lambda c: losses.discretized_logistic_nll(c, rnp.asarray(-6.0), rnp.asarray(1.0), 256))
    value, slope = far(rnp.asarray(0.0))
    assert float(value) == pytest.approx(np.exp(6.0) * (1 - 0.5 / 255), rel=1e-3)
    assert float(slope) == pytest.approx(-np.exp(6.0), rel=1e-3)
    with pytest.raises(losses.LossError, match="two levels or more, not 1"):
        losses.discretized_logistic_nll(rnp.ones(1), rnp.ones(1), rnp.ones(1), 1)


def test_averaged_parameters() -> None:
    optimizer = optim.averaged(optim.sgd(1.0), decay=0.5)
    x = rnp.asarray([0.0, 4.0])
    state = optimizer.init(x)
    seen: list[Any] = []
    for _ in range(3):
        updates, state = optimizer.update(rnp.asarray([1.0, -2.0]), state, x)
        x = optim.apply_updates(x, updates)
        seen.append(np.asarray(x))
    expected = (0.25 * seen[0] + 0.5 * seen[1] + seen[2]) / 1.75
    assert np.allclose(np.asarray(state.average.of(x)), expected)
    assert np.allclose(np.asarray(x), [-3, 10])


# -- models ------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_more_draws_make_a_tighter_bound() -> None:
    model = drawn(VAE(key=0, size=8, levels=17, latent=3, channels=2, hidden=8))
    x = rnp.asarray(RNG.integers(0, 17, (4, 1, 8, 8)) / 16)
    bound = rosin.compile(lambda model, key, draws: model.importance_bound(x, key, draws), static_argnames=("draws",))
    elbo = rosin.compile(lambda model, keys: rosin.vmap(lambda key: model.elbo(x, key))(keys))
    keys = rosin.random.split(rosin.random.key(0), 300)
    plain = np.asarray(elbo(model, keys)).mean(axis=0)
    # With one draw it is the ELBO on average, though not with the divergence exact.
    one = np.mean([np.asarray(bound(model, key, draws=1)) for key in keys], axis=0)
    many = np.asarray(bound(model, keys[0], draws=400))
    assert np.allclose(one, plain, rtol=0.02)
    assert (many > plain).all()


@pytest.mark.slow
def test_the_density_of_realnvp_is_that_of_its_jacobian() -> None:
    model = drawn(realnvp.RealNVP(key=0, size=8, levels=17, hidden=2))
    y = rnp.asarray(RNG.standard_normal((1, 1, 8, 8)))
    z, log_det = rosin.compile(lambda model, y: model.forward(y))(model, y)
    flat = rosin.compile(rosin.jacfwd(lambda y: model.forward(rnp.reshape(y, (1, 1, 8, 8)))[0][0]))
    sign, expected = np.linalg.slogdet(np.asarray(flat(rnp.reshape(y, (64,)))))
    assert sign != 0
    assert float(log_det[0]) == pytest.approx(expected, rel=1e-9)
    assert abs(expected) > 0.1
    density = -0.5 * float(rnp.sum(z * z)) - 32 * np.log(2 * np.pi) + expected
    assert float(model(y)[0]) == pytest.approx(density, rel=1e-9)


def test_realnvp_goes_back_where_it_came_from() -> None:
    model = realnvp.RealNVP(key=0, size=12, levels=17, hidden=4)
    narrow = rosin.tree.map(lambda x: rnp.astype(x, rosin.float32), drawn(model, 0.1))
    y = rnp.asarray(2 * RNG.standard_normal((3, 1, 12, 12)), dtype="f32")
    back = rosin.compile(lambda model, y: model.inverse(model.forward(y)[0]))(narrow, y)
    assert float(rnp.max(rnp.abs(back - y))) < 1e-4
    assert float(rnp.max(rnp.abs(narrow.forward(y)[0] - rnp.reshape(y, (3, -1))))) > 0.1


def test_logits_and_their_stretch() -> None:
    x = rnp.asarray(RNG.random((2, 1, 3, 3)))
    y, stretch = realnvp.logit(x)
    assert np.allclose(np.asarray(realnvp.unlogit(y)), np.asarray(x), atol=1e-12)
    slopes = rosin.grad(lambda x: rnp.sum(realnvp.logit(x)[0]))(x)
    assert np.allclose(np.asarray(stretch), np.log(np.asarray(slopes)).sum(axis=(1, 2, 3)))


class Knows(nn.Module):
    """The network of a diffusion model for which there is one picture only: what it has to predict is known."""

    first: nn.Dense
    picture: Any = nn.param()
    like: diffusion.Diffusion

    def __call__(self, x: Any, times: Any) -> Any:
        steps = self.like.steps
        t = rnp.astype(rnp.round(times * steps), rosin.int32)
        parts = diffusion.schedule_of(self.like.schedule, steps)
        signal, spread = (rnp.asarray(part)[t][:, None, None, None] for part in parts)
        noise = (x - signal * self.picture) / spread
        return noise if self.like.prediction == "epsilon" else signal * noise - spread * self.picture


@pytest.mark.parametrize(("schedule", "prediction"), [("cosine", "v"), ("linear", "epsilon")])
@pytest.mark.parametrize(("steps", "noise"), [pytest.param(20, 1.0, marks=pytest.mark.slow), (5, 0.0)])
def test_samples_of_a_network_that_knows_are_the_picture(
    schedule: Any, prediction: Any, steps: int, noise: float
) -> None:
    like = diffusion.Diffusion(
        key=0, size=4, channels=8, patch=1, steps=20, schedule=schedule, prediction=prediction, dtype=rosin.float64
    )
    picture = rnp.asarray(RNG.uniform(-1, 1, (1, 4, 4)))
    model = like.replace(net=Knows(nn.Dense(1, 1, key=0, dtype=rosin.float64), picture, like))
    found = rosin.compile(lambda key: model.sample(key, 3, steps, noise))(rosin.random.key(0))
    assert np.allclose(np.asarray(found), np.asarray((picture + 1) / 2)[None], atol=1e-9)
    assert float(rnp.max(model.loss(rnp.broadcast_to(picture, (3, 1, 4, 4)), nn.Run(rosin.random.key(1))))) < 1e-18


def test_a_step_with_noise_is_that_of_ho_et_al() -> None:
    """The mean of an earlier picture given a later one and the clean one, and its deviation."""
    like = diffusion.Diffusion(key=0, size=4, channels=8, patch=1, steps=20, schedule="linear", dtype=rosin.float64)
    picture, x = rnp.asarray(RNG.uniform(-1, 1, (1, 4, 4))), rnp.asarray(RNG.standard_normal((2, 1, 4, 4)))
    model = like.replace(net=Knows(nn.Dense(1, 1, key=0, dtype=rosin.float64), picture, like))
    t, key = 7, rosin.random.key(2)
    found = np.asarray(model._step(x, rnp.asarray(t), rnp.asarray(t - 1), key, 1.0))
    left = diffusion.schedule_of("linear", 20)[0] ** 2
    rate = 1 - left[t] / left[t - 1]
    mean = np.sqrt(left[t - 1]) * rate / (1 - left[t]) * np.asarray(picture) + np.sqrt(1 - rate) * (1 - left[t - 1]) / (
        1 - left[t]
    ) * np.asarray(x)
    deviation = np.sqrt(rate * (1 - left[t - 1]) / (1 - left[t]))
    noise = np.asarray(rosin.random.normal(key, (2, 1, 4, 4), rosin.float64))
    assert np.allclose(found, mean + deviation * noise, rtol=1e-9)


def test_schedules_end_in_noise() -> None:
    for kind in ("cosine", "linear"):
        for steps in (10, 1000):
            signal, spread = diffusion.schedule_of(kind, steps)
            assert np.allclose(signal**2 + spread**2, 1)
            assert (np.diff(signal) < 0).all()
            assert signal[0] == 1
            assert 0 < signal[-1] < 0.03


def test_the_penalty_is_about_slopes_of_one() -> None:
    real, made = (rnp.asarray(RNG.standard_normal((5, 1, 4, 4))) for _ in range(2))
    weight = RNG.standard_normal((1, 4, 4))
    weight /= np.linalg.norm(weight)
    for slope in (1.0, 3.0):
        found = wgan_gp.gradient_penalty(
            lambda x, slope=slope: rnp.sum(slope * weight * x, axis=(1, 2, 3)), real, made, rosin.random.key(0)
        )
        assert float(found) == pytest.approx((slope - 1) ** 2, abs=1e-9)


@pytest.mark.slow
def test_the_gradient_of_the_penalty_is_the_slope_of_differences() -> None:
    model = drawn(wgan_gp.make(key=0, size=4, latent=2, channels=2))
    real, made = (rnp.asarray(RNG.uniform(-1, 1, (3, 1, 4, 4))) for _ in range(2))

    def loss(model: GAN) -> Any:
        return wgan_gp.gradient_penalty(model.judge, real, made, rosin.random.key(0))

    critic = {path for path, _ in nn.named_arrays(model) if path.startswith("critic")}
    gradient = dict(nn.named_arrays(rosin.compile(nn.grad(loss))(model)))
    direction = {path: RNG.standard_normal(gradient[path].shape) for path in critic}
    compiled, arrays = rosin.compile(loss), dict(nn.named_arrays(model))

    def moved(by: float) -> float:
        return float(compiled(nn.with_arrays(model, {p: arrays[p] + by * direction[p] for p in critic})))

    difference = (moved(1e-6) - moved(-1e-6)) / 2e-6
    expected = sum(float(np.sum(np.asarray(gradient[p]) * direction[p])) for p in critic)
    assert difference == pytest.approx(expected, rel=1e-5)
    assert abs(expected) > 1e-3


# -- what the numbers are held against ---------------------------------------------------------------------------------


def few(levels: int = 5) -> pictures.Pictures:
    training, held_out = (RNG.integers(0, levels, (n, 1, 2, 2)).astype(np.float32) / (levels - 1) for n in (500, 300))
    return pictures.Pictures(training, np.zeros(500, np.int32), held_out, levels)


def test_simple_models_of_noise_have_its_entropy() -> None:
    found = pictures.simple_bits_per_dim(few())
    assert found["histogram_bits_per_dim"] == pytest.approx(np.log2(5), rel=0.02)
    # Even numbers from 0 to 1 by a normal distribution of their variance: log2(sqrt(2 pi e / 12)) bits more.
    assert found["gaussian_bits_per_dim"] == pytest.approx(np.log2(5 * np.sqrt(2 * np.pi * np.e / 12)), rel=0.02)
    samples = pictures.Gaussian(few()).sample(1000)
    assert samples.shape == (1000, 1, 2, 2)
    assert samples.mean() == pytest.approx(0.5, abs=0.03)


# -- trainings ---------------------------------------------------------------------------------------------------------

PARTS: dict[str, dict[str, Any]] = {
    "vae": {"channels": 4, "hidden": 32, "latent": 4},
    "dcgan": {"channels": 4, "latent": 4},
    "wgan-gp": {"channels": 4, "latent": 4},
    "diffusion": {"channels": 8, "steps": 20},
    "realnvp": {"hidden": 4},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PARTS)
def test_a_quick_training_leaves_pictures_and_numbers(name: str, tmp_path: Path) -> None:
    options = PARTS[name] | ({"sampling_steps": 10} if name == "diffusion" else {})
    found = zoo.train(name, tmp_path, quick=True, quiet=True, options=options)
    assert all(np.isfinite(value) for value in found.values.values())
    assert "gaussian" in found.text
    grid = data.images.load_png(tmp_path / "samples.png")
    assert grid.shape[-2:] == (98, 98)
    again = zoo.evaluate(name, tmp_path, quiet=True)
    assert again.values == found.values
    with pytest.raises(zoo.ZooError, match="is trained on digits and mnist5000, and not on 'cats'"):
        zoo.evaluate(name, tmp_path, data="cats", quiet=True)
