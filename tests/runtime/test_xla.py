"""XLA's client: what is said where it is missing, and what it refuses."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import rosin
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
    with pytest.raises(UnsupportedError, match=r'needs libtpu, which is not installed; pip install "rosin\[tpu\]"'):
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
