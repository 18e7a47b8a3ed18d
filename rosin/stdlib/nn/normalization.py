"""Layers that normalise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.nn.module import Module, ModuleError, buffer, param, static
from rosin.stdlib.nn.run import EVAL, Run
from rosin.stdlib.nn.shapes import expect


class BatchNorm(Module):
    """Each channel of `[batch, channels, *spatial]` normalised over the batch and space (Ioffe and Szegedy 2015).

    In training by the batch's own statistics, of which running means are kept: `new = (1 - momentum) old + momentum
    batch`, the variance corrected for its mean, as in PyTorch. Otherwise by the running ones. With `axis_name` the
    statistics are those of all batches along that axis of an enclosing `vmap`.
    """

    weight: Array | None = param("channels")
    bias: Array | None = param("channels")
    running_mean: Array = buffer("channels")
    running_var: Array = buffer("channels")
    eps: float = static()
    momentum: float = static()
    axis_name: str | None = static()

    def __init__(
        self,
        channels: int,
        *,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        axis_name: str | None = None,
        dtype: Any = rosin.float32,
    ) -> None:
        self.weight = rnp.ones(channels, dtype=dtype) if affine else None
        self.bias = rnp.zeros(channels, dtype=dtype) if affine else None
        self.running_mean = rnp.zeros(channels, dtype=dtype)
        self.running_var = rnp.ones(channels, dtype=dtype)
        self.eps = eps
        self.momentum = momentum
        self.axis_name = axis_name

    def __call__(self, x: Array, run: Run = EVAL) -> Array:
        expect(self, x, "batch channels ...", channels=self.running_mean.shape[0])
        if not run.training:
            now = run.latest(self)
            return rosin.nn.batch_norm(x, now.running_mean, now.running_var, self.weight, self.bias, eps=self.eps)
        axes = tuple(axis for axis in range(x.ndim) if axis != 1)
        mean, variance, count = rnp.mean(x, axis=axes), rnp.var(x, axis=axes), x.size // x.shape[1]
        if self.axis_name is not None:
            # The variance of the whole is the mean of the variances and the variance of the means.
            whole = rosin.pmean(mean, self.axis_name)
            variance = rosin.pmean(variance + (mean - whole) ** 2, self.axis_name)
            mean, count = whole, count * rosin.axis_size(self.axis_name)
        self._keep(mean, variance, count, run)
        return rosin.nn.batch_norm(x, mean, variance, self.weight, self.bias, eps=self.eps)

    def _keep(self, mean: Array, variance: Array, count: int, run: Run) -> None:
        if isinstance(count, int) and count < 2:
            raise ModuleError("BatchNorm: the statistics of one number say nothing: train it on larger batches")
        now, rate = run.latest(self), self.momentum
        mean, variance = rosin.stop_gradient(mean), rosin.stop_gradient(variance) * (count / (count - 1))
        run.update(
            self,
            running_mean=rnp.astype((1 - rate) * now.running_mean + rate * mean, self.running_mean.dtype),
            running_var=rnp.astype((1 - rate) * now.running_var + rate * variance, self.running_var.dtype),
        )


class LayerNorm(Module):
    """The last axes, of sizes `shape`, less their mean and divided by their deviation (Ba et al. 2016)."""

    weight: Array | None = param()
    bias: Array | None = param()
    shape: tuple[int, ...] = static()
    eps: float = static()

    def __init__(
        self,
        shape: int | Sequence[int],
        *,
        eps: float = 1e-5,
        affine: bool = True,
        use_bias: bool = True,
        dtype: Any = rosin.float32,
    ) -> None:
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.weight = rnp.ones(self.shape, dtype=dtype) if affine else None
        self.bias = rnp.zeros(self.shape, dtype=dtype) if affine and use_bias else None
        self.eps = eps

    def __call__(self, x: Array) -> Array:
        return rosin.nn.layer_norm(x, self.shape, self.weight, self.bias, eps=self.eps)


class RMSNorm(Module):
    """The last axes, of sizes `shape`, divided by the root of their mean square (Zhang and Sennrich 2019)."""

    weight: Array | None = param()
    shape: tuple[int, ...] = static()
    eps: float = static()

    def __init__(
        self, shape: int | Sequence[int], *, eps: float = 1e-6, affine: bool = True, dtype: Any = rosin.float32
    ) -> None:
        self.shape = (shape,) if isinstance(shape, int) else tuple(shape)
        self.weight = rnp.ones(self.shape, dtype=dtype) if affine else None
        self.eps = eps

    def __call__(self, x: Array) -> Array:
        return rosin.nn.rms_norm(x, self.shape, self.weight, eps=self.eps)


class GroupNorm(Module):
    """Groups of channels of `[batch, channels, *spatial]`, normalised for each example alone (Wu and He 2018)."""

    weight: Array | None = param("channels")
    bias: Array | None = param("channels")
    groups: int = static()
    eps: float = static()

    def __init__(
        self, groups: int, channels: int, *, eps: float = 1e-5, affine: bool = True, dtype: Any = rosin.float32
    ) -> None:
        """Raises ModuleError where the groups do not divide the channels."""
        if groups < 1 or channels % groups:
            raise ModuleError(f"GroupNorm: {groups} groups do not divide {channels} channels")
        self.weight = rnp.ones(channels, dtype=dtype) if affine else None
        self.bias = rnp.zeros(channels, dtype=dtype) if affine else None
        self.groups = groups
        self.eps = eps

    def __call__(self, x: Array) -> Array:
        if self.weight is not None:
            expect(self, x, "batch channels ...", channels=self.weight.shape[0])
        return rosin.nn.group_norm(x, self.groups, self.weight, self.bias, eps=self.eps)


class InstanceNorm(Module):
    """Each channel of each example of `[batch, channels, *spatial]`, normalised over space (Ulyanov et al. 2016)."""

    weight: Array | None = param("channels")
    bias: Array | None = param("channels")
    eps: float = static()

    def __init__(self, channels: int, *, eps: float = 1e-5, affine: bool = False, dtype: Any = rosin.float32) -> None:
        self.weight = rnp.ones(channels, dtype=dtype) if affine else None
        self.bias = rnp.zeros(channels, dtype=dtype) if affine else None
        self.eps = eps

    def __call__(self, x: Array) -> Array:
        return rosin.nn.instance_norm(x, self.weight, self.bias, eps=self.eps)
