"""Values that derivatives take as constants."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.ir.builder import Builder
from rosin.ir.ops.call import CustomJvp
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def stop_gradient(x: Array) -> Array:
    """x itself, whose derivative is zero in every mode and order."""
    type = core.type_of(x)
    return core.bind1(_stop(type), x) if type.dtype.differentiable else x


@functools.lru_cache(maxsize=256)
def _stop(type: TensorType) -> CustomJvp:
    body, rule = Builder(), Builder()
    same = body.graph([body.input(type)], "stop_gradient")
    x, _ = rule.input(type), rule.input(type)
    return CustomJvp(same, rule.graph([x, rule.zeros(type)], "stop_gradient_jvp"))
