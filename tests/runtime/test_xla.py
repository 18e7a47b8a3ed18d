"""XLA's client: what is said where it is missing, and what it refuses."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import rosin
import rosin.numpy as rnp
from rosin.ir import dtypes
from rosin.ir.errors import AttributeValueError, UnsupportedError
from rosin.runtime import tpu, xla

NEGATION = """module @m {
  func.func public @main(%x: tensor<2xf32> {tf.aliasing_output = 0 : i32}) -> (tensor<2xf32>) {
    %y = stablehlo.negate %x : tensor<2xf32>
    return %y : tensor<2xf32>
  }
}
"""


def test_a_missing_library_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jaxlib", None)
    monkeypatch.setitem(sys.modules, "libtpu", None)
    with pytest.raises(UnsupportedError, match=r'needs jaxlib, which is not installed; pip install "rosin\[xla\]"'):
        rosin.compile(lambda x: x + 1, target="xla")(np.ones(2))
    with pytest.raises(UnsupportedError, match=r'TPUs need libtpu, which is not installed; pip install "rosin\[tpu\]"'):
        tpu.compile_for(NEGATION, "v5e:8x8")


def test_topologies() -> None:
    assert tpu.chip_of("v4:2x2x1").memory == 32 << 30
    with pytest.raises(AttributeValueError, match="'v5e:two' is no topology of TPUs; one reads like v5e:2x2"):
        tpu.chip_of("v5e:two")


@pytest.mark.peers
def test_a_donated_argument_is_copied_before_it_is_overwritten() -> None:
    x = np.ones(2, np.float32)
    (y,) = xla.Loaded(NEGATION, donated=(0,))([x])
    np.testing.assert_array_equal(x, 1)
    np.testing.assert_array_equal(y, -1)


@pytest.mark.peers
def test_arrays_in_any_layout_go_in() -> None:
    (y,) = xla.Loaded(NEGATION)([np.arange(4, dtype=np.float32)[::2]])
    np.testing.assert_array_equal(y, [0, -2])


@pytest.mark.peers
def test_ill_typed_text_is_refused() -> None:
    wrong = NEGATION.replace("%y : tensor<2xf32>", "%y : tensor<3xf32>")
    with pytest.raises(Exception, match="expects different type"):
        xla.verify(wrong)
    with pytest.raises(UnsupportedError, match=r"XLA refuses the program: .*expects different type"):
        xla.Loaded(wrong)


@pytest.mark.peers
def test_too_few_devices() -> None:
    with pytest.raises(UnsupportedError, match=r"has \d+ devices, and 512 are asked for; set XLA_FLAGS=--xla_force"):
        xla.Loaded(NEGATION, (), 512)


@pytest.mark.peers
def test_the_reference_interpreter_agrees() -> None:
    """StableHLO's own interpreter, which jaxlib brings, on a program with a loop, a reduction and a product."""
    from jaxlib.mlir import ir

    def f(x: object) -> object:
        return rosin.fori_loop(0, 3, lambda i, h: rosin.numpy.sin(h @ h) / rosin.numpy.sum(h), x)

    x = np.linspace(0.1, 1, 4).reshape(2, 2)
    module, stablehlo = xla.parsed(rosin.compile(f).text(x, stage="stablehlo"))
    with module.context as context:
        stablehlo.register_interpreter_dialect(context)
        (found,) = stablehlo.eval_module(module, [ir.DenseElementsAttr.get(x)])
        np.testing.assert_allclose(np.array(found), f(rosin.numpy.asarray(x)), rtol=1e-12)


# -- a device that is not the host: another client of XLA's for the CPU takes its part -----------------------------


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Programs run on another client; gives what was read from there."""
    other = xla.jaxlib_client().make_cpu_client()
    fetched: list[Any] = []
    fetch = xla.Resident.fetch

    def counted(self: Any) -> Any:
        fetched.append(self.shape)
        return fetch(self)

    monkeypatch.setattr(xla, "_client", lambda: other)
    monkeypatch.setattr(xla.Resident, "fetch", counted)
    return fetched


def _step(w: Any, x: Any) -> Any:
    return w - 0.5 * rosin.grad(lambda w: rnp.sum(rnp.tanh(x @ w)))(w)


@pytest.mark.peers
def test_results_stay_on_the_device_until_they_are_read(device: list[Any]) -> None:
    step = rosin.compile(_step, target="xla")
    x, w = rnp.asarray(np.ones((4, 3), np.float32)), rnp.asarray(np.ones((3, 2), np.float32))
    w = step(w, x)  # The first call finds out what is to be compiled.
    device.clear()
    for _ in range(3):
        w = step(w, x)
    assert not device
    expected = np.ones((3, 2), np.float32)
    for _ in range(4):
        expected = np.asarray(_step(rnp.asarray(expected), x))
    np.testing.assert_allclose(w, expected, rtol=1e-6)
    np.testing.assert_allclose(w + 1, expected + 1, rtol=1e-6)
    assert device == [(3, 2)]
    w = step(w, x)
    assert device == [(3, 2)]


@pytest.mark.peers
@pytest.mark.parametrize("dtype", ["bool", "i32", "i64", "u8", "f16", "bf16", "f32", "f64", "c64", "c128"])
def test_every_type_goes_there_and_back(device: list[Any], dtype: str) -> None:
    kind = dtypes.BY_NAME[dtype]
    x = rnp.asarray(np.array([[0, 1], [1, 0], [1, 1]]).astype(kind.numpy))
    f = rosin.compile(lambda x: x.T, target="xla")
    for _ in range(2):
        np.testing.assert_array_equal(f(x), x.T)
    assert f(f(x)).dtype == kind


@pytest.mark.peers
def test_arrays_on_the_device_are_donated(device: list[Any]) -> None:
    step = rosin.compile(_step, target="xla", donate_argnums=0)
    plain = rosin.compile(_step)
    x, w = rnp.asarray(np.ones((4, 3), np.float32)), rnp.asarray(np.ones((3, 2), np.float32))
    expected = w
    w = w + 0
    for _ in range(4):
        expected = plain(expected, x)
        old, w = w, step(w, x)
        with pytest.raises(rosin.RosinError, match="donated"):
            np.asarray(old)
    np.testing.assert_allclose(w, expected, rtol=1e-6)


@pytest.mark.peers
def test_arrays_on_the_device_can_be_written_to(device: list[Any]) -> None:
    double = rosin.compile(lambda x: x * 2, target="xla")
    double(rnp.ones(3))
    x = double(rnp.ones(3))
    x[0] = 7
    np.testing.assert_array_equal(x, [7, 2, 2])
    np.testing.assert_array_equal(double(x), [14, 4, 4])


@pytest.mark.peers
def test_an_argument_may_be_written_to_after_the_call() -> None:
    f = rosin.compile(lambda x: rnp.sum(rnp.sin(x @ x)), target="xla")
    x = np.ones((300, 300), np.float32)
    f(x)
    for _ in range(5):
        found, expected = f(rnp.asarray(x)), float(f(x.copy()))
        x[...] = x + 1
        assert float(found) == expected


@pytest.mark.peers
def test_arguments_of_other_types_compile_anew(device: list[Any]) -> None:
    double = rosin.compile(lambda x: x * 2, target="xla")
    for _ in range(2):
        np.testing.assert_array_equal(double(double(rnp.ones(3))), [4, 4, 4])
        np.testing.assert_array_equal(double(double(rnp.arange(4))), [0, 4, 8, 12])
    assert len(double.signatures()) == 2


@pytest.mark.peers
def test_which_platform_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(xla.PLATFORM, "gpu")
    with pytest.raises(UnsupportedError, match="ROSIN_XLA_PLATFORM is 'gpu'; the xla target runs on 'cpu' and 'tpu'"):
        xla._client.__wrapped__()
    monkeypatch.setenv(xla.PLATFORM, "cpu")
    assert xla._client.__wrapped__() is xla._host()
    monkeypatch.setenv(xla.PLATFORM, "tpu")
    monkeypatch.setitem(sys.modules, "libtpu", None)
    with pytest.raises(UnsupportedError, match=r'TPUs need libtpu, which is not installed; pip install "rosin\[tpu\]"'):
        xla._client.__wrapped__()
