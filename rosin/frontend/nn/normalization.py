"""Normalisations: elements less their mean, divided by their spread, over groups of them that go together.

Means and spreads are taken in f32 for narrow floats. Then each channel, or each place, has its own weight and bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rosin.frontend import core
from rosin.frontend.nn.pooling import avg_pool
from rosin.frontend.numpy import datatypes, elementwise, manipulation, promote, reductions, transcendental
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import dims, facts
from rosin.ir.dims import Dim

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def _standard(x: Array, axes: tuple[int, ...], eps: float) -> Array:
    """x with mean 0 and variance 1 over axes."""
    dtype = core.dtype_of(x)
    wide = promote.cast(x, dtype.accumulator)
    shape = core.shape_of(x)
    rest = tuple(axis for axis in range(len(shape)) if axis not in axes)
    centred = wide - promote.spread_along(reductions.mean(wide, axis=axes), shape, rest)
    variance = reductions.mean(elementwise.square(centred), axis=axes)
    scale = promote.spread_along(transcendental.rsqrt(variance + eps), shape, rest)
    return promote.cast(centred * scale, dtype)


def _affine(name: str, x: Array, weight: ArrayLike | None, bias: ArrayLike | None, shape: promote.Shape) -> Array:
    """x times a weight plus a bias, which have one number for each element of `shape`, spread to x from the right."""
    for given, what in ((weight, "weight"), (bias, "bias")):
        if given is None:
            continue
        own = promote.array(name, given)
        if not facts.same(dims.product(core.shape_of(own)), dims.product(shape)):
            promote.bad_shape(f"{name}: the {what} has one number for each of {dims.product(shape)}", x, own)
        full = core.shape_of(x)
        kept = [axis for axis, size in enumerate(shape) if size != 1]
        firm = promote.cast(own, promote.common_dtype([x, own]))
        line = promote.spread_along(
            manipulation.reshape(firm, tuple(shape[axis] for axis in kept)),
            full,
            tuple(len(full) - len(shape) + axis for axis in kept),
        )
        x = x * line if what == "weight" else x + line
    return x


def _channels(x: Array) -> promote.Shape:
    """The shape that numbers for each channel have, to broadcast against `x[N, C, …]`."""
    shape = core.shape_of(x)
    return (shape[1], *(1,) * (len(shape) - 2))


def _with_channels(name: str, x: ArrayLike, rank: int) -> Array:
    operand = promote.floating(name, x)
    if len(core.shape_of(operand)) < rank:
        promote.bad_shape(f"{name}: the input is [batch, channels, …], with at least {rank} axes", operand)
    return operand


def _last(name: str, x: Array, normalized_shape: int | Sequence[int], given: Sequence[Any]) -> promote.Shape:
    """The sizes of the last axes, which are normalised over and which the weight and the bias have."""
    sizes = promote.as_shape(name, normalized_shape)
    own = core.shape_of(x)
    if not sizes or len(sizes) > len(own) or not facts.same_shape(own[len(own) - len(sizes) :], sizes):
        promote.bad_shape(f"{name}: normalized_shape {sizes} is that of the last axes", x)
    for part in given:
        if part is not None and not facts.same_shape(core.shape_of(promote.array(name, part)), sizes):
            promote.bad_shape(
                f"{name}: weight and bias have the normalized_shape {sizes}", x, promote.array(name, part)
            )
    return sizes


def layer_norm(
    x: ArrayLike,
    normalized_shape: int | Sequence[int],
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    /,
    *,
    eps: float = 1e-5,
) -> Array:
    """x with mean 0 and variance 1 over its last axes, times `weight` plus `bias`. Ba et al., 2016.

    `normalized_shape` is the sizes of these axes, and the shape of weight and bias; `eps` is added to the variance.

    Raises:
        ShapeError: the last axes, the weight or the bias have other sizes.
    """
    operand = promote.floating("layer_norm", x)
    sizes = _last("layer_norm", operand, normalized_shape, (weight, bias))
    rank = len(core.shape_of(operand))
    normal = _standard(operand, tuple(range(rank - len(sizes), rank)), eps)
    return _affine("layer_norm", normal, weight, bias, sizes)


def rms_norm(
    x: ArrayLike,
    normalized_shape: int | Sequence[int],
    weight: ArrayLike | None = None,
    /,
    *,
    eps: float | None = None,
) -> Array:
    """x divided by the root of its mean square over its last axes, times `weight`. Zhang and Sennrich, 2019.

    `normalized_shape` is the sizes of these axes, and the shape of the weight; `eps`, by default that of the element
    type, is added to the mean square.

    Raises:
        ShapeError: the last axes or the weight have other sizes.
        DTypeError: x is complex.
    """
    operand = promote.floating("rms_norm", x)
    dtype = core.dtype_of(operand)
    if dtype.is_complex:
        promote.bad_dtype("rms_norm: takes real numbers", operand)
    sizes = _last("rms_norm", operand, normalized_shape, (weight,))
    rank = len(core.shape_of(operand))
    wide = promote.cast(operand, dtype.accumulator)
    square = reductions.mean(elementwise.square(wide), axis=tuple(range(rank - len(sizes), rank)), keepdims=True)
    small = datatypes.finfo(dtype).eps if eps is None else eps
    normal = promote.cast(wide * transcendental.rsqrt(square + small), dtype)
    return _affine("rms_norm", normal, weight, None, sizes)


def group_norm(
    x: ArrayLike,
    num_groups: int,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    /,
    *,
    eps: float = 1e-5,
) -> Array:
    """`x[N, C, …]` with mean 0 and variance 1 over each example's groups of channels. Wu and He, 2018.

    weight, bias: one number for each channel.

    Raises:
        ShapeError: there are no channels, the groups do not divide them, or the weight or the bias do not fit.
    """
    operand = _with_channels("group_norm", x, 2)
    shape = core.shape_of(operand)
    part = facts.divide(shape[1], num_groups) if num_groups > 0 else None
    if part is None:
        promote.bad_shape(f"group_norm: {num_groups} groups do not divide {shape[1]} channels", operand)
    grouped = manipulation.reshape(operand, (shape[0], num_groups, part, *shape[2:]))
    normal = _standard(grouped, tuple(range(2, len(shape) + 1)), eps)
    return _affine("group_norm", manipulation.reshape(normal, shape), weight, bias, _channels(operand))


def instance_norm(
    x: ArrayLike, weight: ArrayLike | None = None, bias: ArrayLike | None = None, /, *, eps: float = 1e-5
) -> Array:
    """`x[N, C, …]` with mean 0 and variance 1 over each example's every channel. Ulyanov et al., 2016.

    weight, bias: one number for each channel.

    Raises:
        ShapeError: there is no axis after the channels, or the weight or the bias do not fit.
    """
    operand = _with_channels("instance_norm", x, 3)
    normal = _standard(operand, tuple(range(2, len(core.shape_of(operand)))), eps)
    return _affine("instance_norm", normal, weight, bias, _channels(operand))


def batch_norm(
    x: ArrayLike,
    mean: ArrayLike | None = None,
    variance: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    /,
    *,
    eps: float = 1e-5,
) -> Array:
    """Each channel of `x[N, C, …]` less its mean, divided by the root of its variance. Ioffe and Szegedy, 2015.

    mean, variance: one number for each channel, such as running ones; without them they are those of x itself.
    weight, bias: one number for each channel.

    Raises:
        ShapeError: there are no channels, or what is for channels does not fit.
        AttributeValueError: one of mean and variance is given and the other is not.
    """
    operand = _with_channels("batch_norm", x, 2)
    shape = _channels(operand)
    if mean is None or variance is None:
        if mean is not variance:
            promote.bad_value("batch_norm: mean and variance are given together", operand)
        axes = tuple(i for i in range(len(core.shape_of(operand))) if i != 1)
        return _affine("batch_norm", _standard(operand, axes, eps), weight, bias, shape)
    centred = _affine("batch_norm", operand, None, elementwise.negative(mean), shape)
    scale = transcendental.rsqrt(promote.floating("batch_norm", variance) + eps)
    return _affine("batch_norm", _affine("batch_norm", centred, scale, None, shape), weight, bias, shape)


def local_response_norm(
    x: ArrayLike, size: int, /, *, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Array:
    """`x[N, C, …]` / (k + alpha s)^beta, s being the mean square over `size` neighbouring channels.

    Krizhevsky et al., 2012. Channels that are not there count as 0.

    Raises:
        ShapeError: there is no axis after the channels.
        AttributeValueError: the size is not positive.
    """
    operand = _with_channels("local_response_norm", x, 3)
    shape = core.shape_of(operand)
    if size < 1:
        promote.bad_value(f"local_response_norm: size is {size}; it must be positive", operand)
    flat: tuple[Dim, ...] = (shape[0], 1, shape[1], dims.product(shape[2:]))
    squares = manipulation.reshape(elementwise.square(operand), flat)
    ends = ((size // 2, (size - 1) // 2), 0)
    near = avg_pool(squares, (size, 1), strides=1, padding=ends, count_padding=True)
    return operand / elementwise.pow(manipulation.reshape(near, shape) * alpha + k, float(beta))
