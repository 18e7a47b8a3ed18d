"""Operators that work element by element."""

from __future__ import annotations

from typing import Any

from rosin import numpy as rnp
from tests.operators.mapped import LIKE_NUMPY, NO_SUM, Mapped, Table, holds, named

TRUTH = {"bool": NO_SUM}
UNFIT = {
    "a Python number has to fit the element type": lambda x, y, alpha=1, **_: (
        holds("uint8")(x) and isinstance(alpha, int) and alpha < 0
    )
}


def _add(x: Any, y: Any, *, alpha: Any = 1) -> Any:
    return x + y if alpha == 1 else x + alpha * y


def _sub(x: Any, y: Any, *, alpha: Any = 1) -> Any:
    return x - y if alpha == 1 else x - alpha * y


def _wide(x: Any) -> Any:
    return rnp.astype(x, "complex128" if rnp.isdtype(x.dtype, "complex floating") else "float64")


def _div(x: Any, y: Any, *, rounding_mode: str | None = None) -> Any:
    if rounding_mode == "floor":
        return rnp.floor_divide(x, y)
    return rnp.divide(x, y) if rounding_mode is None else rnp.astype(rnp.trunc(rnp.divide(x, y)), x.dtype)


UNARY: Table = named(
    {
        "abs": rnp.abs,
        "acos": rnp.acos,
        "acosh": rnp.acosh,
        "angle": rnp.angle,
        "asin": rnp.asin,
        "asinh": rnp.asinh,
        "atan": rnp.atan,
        "atanh": rnp.atanh,
        "bitwise_not": rnp.bitwise_not,
        "ceil": rnp.ceil,
        "conj": Mapped(rnp.conj, lacks=TRUTH),
        "conj_physical": Mapped(rnp.conj, lacks=TRUTH),
        "cos": rnp.cos,
        "cosh": rnp.cosh,
        "deg2rad": rnp.deg2rad,
        "digamma": rnp.digamma,
        "erf": rnp.erf,
        "erfc": rnp.erfc,
        "erfinv": rnp.erfinv,
        "exp": rnp.exp,
        "exp2": rnp.exp2,
        "expm1": rnp.expm1,
        "floor": rnp.floor,
        "frac": lambda x: rnp.modf(x)[0],
        "frexp": rnp.frexp,
        "imag": rnp.imag,
        "isfinite": rnp.isfinite,
        "isinf": rnp.isinf,
        "isnan": rnp.isnan,
        "isneginf": rnp.isneginf,
        "isposinf": rnp.isposinf,
        "isreal": rnp.isreal,
        "lgamma": rnp.lgamma,
        "log": rnp.log,
        "log10": rnp.log10,
        "log1p": rnp.log1p,
        "log2": rnp.log2,
        "logical_not": rnp.logical_not,
        "nan_to_num": Mapped(rnp.nan_to_num, lacks=TRUTH),
        "neg": rnp.negative,
        "positive": rnp.positive,
        "rad2deg": rnp.rad2deg,
        "real": Mapped(rnp.real, lacks=TRUTH),
        "reciprocal": rnp.reciprocal,
        "resolve_conj": lambda x: x,
        "resolve_neg": lambda x: x,
        "round": rnp.round,
        "round.decimals_0": rnp.round,
        "round.decimals_3": rnp.round,
        "round.decimals_neg_3": rnp.round,
        "rsqrt": rnp.rsqrt,
        "sgn": Mapped(rnp.sign, lacks=TRUTH),
        "sigmoid": rnp.sigmoid,
        "sign": Mapped(rnp.sign, lacks=TRUTH),
        "signbit": Mapped(rnp.signbit, lacks=TRUTH),
        "sin": rnp.sin,
        "sinc": rnp.sinc,
        "sinh": rnp.sinh,
        "sqrt": rnp.sqrt,
        "square": Mapped(rnp.square, lacks=TRUTH),
        "tan": rnp.tan,
        "tanh": rnp.tanh,
        "trunc": rnp.trunc,
    }
)

BINARY: Table = named(
    {
        "__radd__": lambda x, y: y + x,
        "__rand__": lambda x, y: y & x,
        "__rdiv__": lambda x, y: y / x,
        "__rmatmul__": lambda x, y: y @ x,
        "__rmod__": lambda x, y: y % x,
        "__rmul__": lambda x, y: y * x,
        "__ror__": lambda x, y: y | x,
        "__rpow__": lambda x, y: y**x,
        "__rsub__": lambda x, y: y - x,
        "__rxor__": lambda x, y: y ^ x,
        "add": Mapped(_add, apart=UNFIT),
        "atan2": rnp.atan2,
        "bitwise_and": rnp.bitwise_and,
        "bitwise_left_shift": rnp.bitwise_left_shift,
        "bitwise_or": rnp.bitwise_or,
        "bitwise_right_shift": rnp.bitwise_right_shift,
        "bitwise_xor": rnp.bitwise_xor,
        "clamp_max": rnp.minimum,
        "clamp_min": rnp.maximum,
        "complex": Mapped(
            lambda x, y: x + 1j * y,
            errors={"int32[10, 5]": "parts are promoted", "float64[10, 5])": "parts are promoted"},
        ),
        "copysign": rnp.copysign,
        "div.floor_rounding": _div,
        "div.no_rounding_mode": _div,
        "div.trunc_rounding": _div,
        "eq": rnp.equal,
        "equal": rnp.array_equal,
        "float_power": lambda x, y: rnp.pow(_wide(x), y),
        "fmax": rnp.fmax,
        "fmin": rnp.fmin,
        "fmod": rnp.fmod,
        "gcd": rnp.gcd,
        "heaviside": Mapped(rnp.heaviside, apart={"integers become floats": holds("int32", "int64", "uint8", "bool")}),
        "lcm": rnp.lcm,
        "ldexp": lambda x, y: x * rnp.exp2(y),
        "logaddexp2": rnp.logaddexp2,
        "floor_divide": rnp.floor_divide,
        "ge": rnp.greater_equal,
        "gt": rnp.greater,
        "hypot": rnp.hypot,
        "isclose": Mapped(rnp.isclose, errors={"must be greater than or equal to zero": LIKE_NUMPY}),
        "le": rnp.less_equal,
        "logaddexp": rnp.logaddexp,
        "logical_and": rnp.logical_and,
        "logical_or": rnp.logical_or,
        "logical_xor": rnp.logical_xor,
        "lt": rnp.less,
        "max.binary": rnp.maximum,
        "maximum": rnp.maximum,
        "min.binary": rnp.minimum,
        "minimum": rnp.minimum,
        "mul": rnp.multiply,
        "ne": rnp.not_equal,
        "nextafter": Mapped(rnp.nextafter, flat="PyTorch takes it as its first operand, Rosin as steps"),
        "pow": rnp.pow,
        "remainder": rnp.remainder,
        "rsub": Mapped(lambda x, y, alpha=1: _sub(y, x, alpha=alpha), apart=UNFIT),
        "sub": Mapped(_sub, apart=UNFIT),
        "true_divide": rnp.divide,
    }
)

SEVERAL: Table = named(
    {
        "addcdiv": lambda x, a, b, value=1: x + value * (a / b),
        "addcmul": lambda x, a, b, value=1: x + value * (a * b),
        "allclose": rnp.allclose,
        "clamp": rnp.clip,
        "lerp": lambda x, y, weight: x + weight * (y - x),
        "masked_fill": Mapped(
            lambda x, mask, value: rnp.where(mask, rnp.asarray(value, dtype=x.dtype), x),
            errors={"only supports a 0-dimensional value": "values broadcast"},
        ),
        "polar": lambda size, turn: size * rnp.exp(1j * turn),
        "where": lambda x, condition, y: rnp.where(condition, x, y),
    }
)

TABLE: Table = {**UNARY, **BINARY, **SEVERAL}
