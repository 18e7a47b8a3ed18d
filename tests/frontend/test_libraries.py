"""Libraries that take arrays of any kind take ours: array-api-compat, SciPy, scikit-learn and einops."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import array_api_compat
import einops
import numpy as np
import pytest

import rosin
from rosin import numpy as rnp

ROOT = Path(__file__).parents[2]
RANDOM = np.random.default_rng(0)


def agree(function: Any, *arrays: np.ndarray[Any, Any], rtol: float = 1e-5) -> None:
    """A library's function gives arrays of ours for ours, and the numbers that it gives for NumPy's."""
    found, expected = function(*map(rnp.asarray, arrays)), function(*arrays)
    assert isinstance(found, rosin.Array), f"the result is of type {type(found).__name__}"
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=rtol, atol=rtol)


# -- array-api-compat --------------------------------------------------------------------------------------------------


def test_array_api_compat() -> None:
    x = rnp.ones((2, 3))
    assert array_api_compat.is_array_api_obj(x)
    assert array_api_compat.array_namespace(x) is rnp
    assert array_api_compat.array_namespace(x, 2.0, api_version="2024.12") is rnp
    assert array_api_compat.device(x) == "cpu"
    assert array_api_compat.size(x) == 6
    assert array_api_compat.to_device(x, "cpu") is x
    assert not array_api_compat.is_lazy_array(x)
    with pytest.raises(TypeError, match="Multiple namespaces"):
        array_api_compat.array_namespace(x, np.ones(2))
    assert rosin.compile(lambda x: array_api_compat.array_namespace(x).sum(x))(x).item() == 6


# -- SciPy -------------------------------------------------------------------------------------------------------------

SPECIAL = {
    "erf": 1, "erfc": 1, "expit": 1, "gammaln": 1, "digamma": 1, "i0": 1, "i1": 1, "log_ndtr": 1, "ndtr": 1,
    "gammainc": 2, "gammaincc": 2, "rel_entr": 2, "xlogy": 2, "zeta": 2, "logsumexp": 1, "softmax": 1,
}  # fmt: skip


@pytest.mark.parametrize("name", SPECIAL)
def test_scipy_special(name: str) -> None:
    import scipy.special

    x = RANDOM.uniform(1.1, 3, (2, 4))
    agree(getattr(scipy.special, name), *[x] * SPECIAL[name])


SUMMARIES = [
    "circmean", "circstd", "gmean", "hmean", "iqr", "kurtosis", "median_abs_deviation", "moment", "rankdata", "sem",
    "skew", "tmean", "tvar", "variation", "zscore",
]  # fmt: skip


@pytest.mark.parametrize("name", SUMMARIES)
def test_scipy_stats(name: str) -> None:
    import scipy.stats

    agree(getattr(scipy.stats, name), RANDOM.gamma(2.0, size=30))


def test_scipy_stats_several() -> None:
    import scipy.stats

    x = RANDOM.gamma(2.0, size=30)
    agree(lambda x: scipy.stats.pearsonr(x, x**2).statistic, x)
    agree(lambda x: scipy.stats.ttest_1samp(x, 0.5).pvalue, x)
    agree(lambda x: scipy.stats.describe(x).variance, x)


# -- scikit-learn ------------------------------------------------------------------------------------------------------

X = RANDOM.normal(size=(60, 5))
LABELS = (X[:, 0] + 0.3 * RANDOM.normal(size=60) > 0).astype(np.int32)
TARGETS = X @ np.arange(5.0) + 1


def fitted(estimator: Any, method: str, *arrays: np.ndarray[Any, Any], rtol: float = 1e-4) -> None:
    from sklearn import base, config_context

    def fit_and_use(*given: Any) -> Any:
        return getattr(base.clone(estimator).fit(*given), method)(given[0])

    with config_context(array_api_dispatch=True):
        agree(fit_and_use, *arrays, rtol=rtol)


def test_sklearn_estimators() -> None:
    from sklearn import decomposition, discriminant_analysis, linear_model, naive_bayes, preprocessing

    # Scaled axes, so that no two components are alike; a component has either sign.
    scaled = X * np.arange(1.0, 6.0)
    for solver in ("full", "covariance_eigh"):
        fitted(decomposition.PCA(2, svd_solver=solver), "score_samples", scaled)
    fitted(linear_model.Ridge(solver="svd"), "predict", X, TARGETS)
    fitted(linear_model.RidgeCV(), "predict", X, TARGETS)
    fitted(discriminant_analysis.LinearDiscriminantAnalysis(), "predict", X, LABELS)
    fitted(linear_model.LogisticRegression(), "predict_proba", X, LABELS, rtol=1e-3)
    fitted(naive_bayes.GaussianNB(), "predict_proba", X, LABELS)
    fitted(preprocessing.StandardScaler(), "transform", X)
    fitted(preprocessing.PolynomialFeatures(), "transform", X)
    fitted(preprocessing.Normalizer(), "transform", X)


def test_sklearn_metrics() -> None:
    from sklearn import config_context, metrics

    with config_context(array_api_dispatch=True):
        agree(metrics.pairwise.euclidean_distances, X, X[:7])
        agree(metrics.pairwise.rbf_kernel, X, X[:7])
        agree(metrics.confusion_matrix, LABELS, np.roll(LABELS, 1))
        probabilities = np.clip(np.abs(X[:, 0]) / 3, 0.01, 0.99)
        for score in (metrics.accuracy_score, metrics.f1_score):
            expected = score(LABELS, np.roll(LABELS, 1))
            assert score(rnp.asarray(LABELS), rnp.asarray(np.roll(LABELS, 1))) == pytest.approx(expected)
        for score in (metrics.r2_score, metrics.mean_squared_error):
            expected = score(TARGETS, X[:, 0])
            assert score(rnp.asarray(TARGETS), rnp.asarray(X[:, 0])) == pytest.approx(expected)
        for score in (metrics.log_loss, metrics.roc_auc_score):
            expected = score(LABELS, probabilities)
            assert score(rnp.asarray(LABELS), rnp.asarray(probabilities)) == pytest.approx(expected)


# -- einops ------------------------------------------------------------------------------------------------------------

CUBE = np.arange(24.0).reshape(2, 3, 4)
OPERATIONS: list[Any] = [
    lambda x: einops.rearrange(x, "a b c -> c (a b)"),
    lambda x: einops.rearrange(x, "a b (c1 c2) -> c2 a (b c1)", c1=2),
    lambda x: einops.rearrange([x, x], "k a b c -> a (k b) c"),
    lambda x: einops.repeat(x, "a b c -> a (2 b) d c", d=3),
    lambda x: einops.einsum(x, x, "a b c, d b c -> a d"),
    lambda x: einops.pack([x, x[:, :, 0]], "a *")[0],
    lambda x: einops.unpack(x, [(1,), (3,)], "a b *")[1],
    *[lambda x, name=name: einops.reduce(x, "a b c -> b", name) for name in ("sum", "mean", "max", "min", "prod")],
]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_einops(operation: Any) -> None:
    agree(operation, CUBE)
    found = rosin.compile(operation)(CUBE)
    np.testing.assert_allclose(found, operation(CUBE))


def test_einops_under_transforms() -> None:
    x = rnp.asarray(CUBE)
    gradient = rosin.grad(lambda x: einops.reduce(x, "a b c -> ", "mean"))(x)
    np.testing.assert_allclose(gradient, np.full_like(CUBE, 1 / 24))
    turned = rosin.vmap(lambda x: einops.rearrange(x, "b c -> c b"))(x)
    np.testing.assert_array_equal(turned, CUBE.transpose(0, 2, 1))
    assert einops.parse_shape(x, "a b c") == {"a": 2, "b": 3, "c": 4}
    np.testing.assert_array_equal(einops.asnumpy(x), CUBE)
    joined = rosin.compile(lambda x: einops.rearrange(x, "a b c -> (a b) c"), dynamic=True)
    assert [joined(rnp.ones((n, 3, 4))).shape for n in (2, 5, 7)] == [(6, 4), (15, 4), (21, 4)]


@pytest.mark.parametrize("order", ["import rosin, einops", "import einops, rosin"])
def test_einops_knows_our_arrays_whoever_is_imported_first(order: str) -> None:
    program = f"{order}\nassert einops.rearrange(rosin.numpy.ones((2, 3)), 'a b -> b a').shape == (3, 2)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
