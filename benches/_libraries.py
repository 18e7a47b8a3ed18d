"""The libraries that works are written over: one set of names, each in the library's own best way."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Fn = Callable[..., Any]


class Lacks(AttributeError):
    """A library does not have what a piece of work needs."""


class Library:
    """NumPy's names for arrays in `xp`, and what the libraries call differently."""

    name: str
    xp: Any

    def compile(self, f: Fn) -> Fn:
        return f

    def array(self, value: Any) -> Any:
        """A NumPy array, or a tree of lists and tuples of them, as the library's own."""
        if isinstance(value, (list, tuple)):
            return type(value)(map(self.array, value))
        return value

    def wait(self, result: Any) -> Any:
        return result

    def transpose(self, x: Any, axes: Sequence[int]) -> Any:
        return self.xp.transpose(x, axes)

    def repeat(self, x: Any, count: int, axis: int) -> Any:
        return self.xp.repeat(x, count, axis=axis)

    def to_bytes(self, x: Any) -> Any:
        """As integers of eight bits without a sign."""
        return x.astype(self.xp.uint8)

    def __getattr__(self, name: str) -> Any:
        raise Lacks(f"{self.name} has no {name}")


class NumPy(Library):
    name = "numpy"
    xp = np

    def take(self, x: Any, places: Any) -> Any:
        return x[places]


class Rosin(Library):
    name = "rosin"

    def __init__(self) -> None:
        import rosin

        self.xp = rosin.numpy
        self.grad, self.value_and_grad = rosin.grad, rosin.value_and_grad
        self.vmap, self.scan, self.fori_loop = rosin.vmap, rosin.scan, rosin.fori_loop
        self.while_loop, self.associative_scan = rosin.while_loop, rosin.associative_scan
        self.softmax, self.log_softmax = rosin.nn.softmax, rosin.nn.log_softmax
        self.sigmoid, self.relu, self.silu = rosin.nn.sigmoid, rosin.nn.relu, rosin.nn.silu
        self.gelu = rosin.nn.gelu
        self._rosin = rosin

    def compile(self, f: Fn) -> Fn:
        return self._rosin.compile(f)

    def array(self, value: Any) -> Any:
        return self._rosin.numpy.asarray(value) if isinstance(value, np.ndarray) else super().array(value)

    def conv(self, x: Any, kernel: Any, stride: int = 1, groups: int = 1) -> Any:
        """Padded by half of the kernel, as in all libraries here."""
        return self._rosin.nn.conv(x, kernel, strides=stride, padding=(kernel.shape[-1] - 1) // 2, groups=groups)

    def conv_transpose(self, x: Any, kernel: Any, stride: int) -> Any:
        """With a kernel `[inputs, outputs, window…]`; cut so that the stride alone makes it larger."""
        return self._rosin.nn.conv_transpose(x, kernel, strides=stride, padding=(kernel.shape[-1] - stride) // 2)

    def batch_norm(self, x: Any, weight: Any, bias: Any) -> Any:
        """With the moments of the batch."""
        return self._rosin.nn.batch_norm(x, None, None, weight, bias)

    def max_pool(self, x: Any, size: int, stride: int) -> Any:
        return self._rosin.nn.max_pool(x, size, strides=stride, padding=size // 2)

    def take(self, x: Any, places: Any) -> Any:
        return x[places]

    def attention(self, q: Any, k: Any, v: Any, causal: bool) -> Any:
        """[batch, heads, time, size]."""
        return self._rosin.nn.scaled_dot_product_attention(q, k, v, is_causal=causal)


class Jax(Library):
    name = "jax"

    def __init__(self) -> None:
        import jax

        self._jax = jax
        self.xp = jax.numpy
        self.grad, self.value_and_grad = jax.grad, jax.value_and_grad
        self.vmap, self.scan, self.fori_loop = jax.vmap, jax.lax.scan, jax.lax.fori_loop
        self.while_loop, self.associative_scan = jax.lax.while_loop, jax.lax.associative_scan
        self.softmax, self.log_softmax = jax.nn.softmax, jax.nn.log_softmax
        self.sigmoid, self.relu, self.silu = jax.nn.sigmoid, jax.nn.relu, jax.nn.silu
        self.gelu = functools.partial(jax.nn.gelu, approximate=False)

    def compile(self, f: Fn) -> Fn:
        return self._jax.jit(f)

    def array(self, value: Any) -> Any:
        return self._jax.numpy.asarray(value) if isinstance(value, np.ndarray) else super().array(value)

    def wait(self, result: Any) -> Any:
        return self._jax.block_until_ready(result)

    def conv(self, x: Any, kernel: Any, stride: int = 1, groups: int = 1) -> Any:
        axes = x.ndim - 2
        ends = [((kernel.shape[-1] - 1) // 2,) * 2] * axes
        return self._jax.lax.conv_general_dilated(x, kernel, (stride,) * axes, ends, feature_group_count=groups)

    def conv_transpose(self, x: Any, kernel: Any, stride: int) -> Any:
        axes, size = x.ndim - 2, kernel.shape[-1]
        ends = [(size - 1 - (size - stride) // 2,) * 2] * axes
        turned = self.xp.flip(kernel.swapaxes(0, 1), tuple(range(2, x.ndim)))
        return self._jax.lax.conv_general_dilated(x, turned, (1,) * axes, ends, lhs_dilation=(stride,) * axes)

    def batch_norm(self, x: Any, weight: Any, bias: Any) -> Any:
        mean, variance = self.xp.mean(x, (0, 2, 3)), self.xp.var(x, (0, 2, 3))
        scale = weight * self._jax.lax.rsqrt(variance + 1e-5)
        return x * scale[:, None, None] + (bias - mean * scale)[:, None, None]

    def max_pool(self, x: Any, size: int, stride: int) -> Any:
        lax, ends = self._jax.lax, (size // 2, size // 2)
        window, strides, padding = (1, 1, size, size), (1, 1, stride, stride), ((0, 0), (0, 0), ends, ends)
        return lax.reduce_window(x, -self.xp.inf, lax.max, window, strides, padding)

    def take(self, x: Any, places: Any) -> Any:
        return x[places]

    def attention(self, q: Any, k: Any, v: Any, causal: bool) -> Any:
        swap = lambda a: a.swapaxes(1, 2)  # noqa: E731
        return swap(self._jax.nn.dot_product_attention(swap(q), swap(k), swap(v), is_causal=causal))


class Torch(Library):
    """Eager, with PyTorch's fused functions; derivatives by `torch.autograd`."""

    name = "torch"

    def __init__(self) -> None:
        import torch
        from torch.nn import functional

        self._torch, self._functional = torch, functional
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
        self.xp = _TorchNames(torch)
        self.softmax = lambda x, axis=-1: functional.softmax(x, axis)
        self.log_softmax = lambda x, axis=-1: functional.log_softmax(x, axis)
        self.sigmoid, self.relu, self.silu, self.gelu = torch.sigmoid, torch.relu, functional.silu, functional.gelu
        self.vmap = torch.vmap

    def array(self, value: Any) -> Any:
        return self._torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else super().array(value)

    def conv(self, x: Any, kernel: Any, stride: int = 1, groups: int = 1) -> Any:
        size, function = kernel.shape[-1], getattr(self._functional, f"conv{x.ndim - 2}d")
        return function(x, kernel, stride=stride, padding=(size - 1) // 2, groups=groups)

    def conv_transpose(self, x: Any, kernel: Any, stride: int) -> Any:
        size, function = kernel.shape[-1], getattr(self._functional, f"conv_transpose{x.ndim - 2}d")
        return function(x, kernel, stride=stride, padding=(size - stride) // 2)

    def transpose(self, x: Any, axes: Sequence[int]) -> Any:
        """In the order of the axes in memory as well, as those of the others are."""
        return x.permute(*axes).contiguous()

    def repeat(self, x: Any, count: int, axis: int) -> Any:
        return self._torch.repeat_interleave(x, count, dim=axis)

    def to_bytes(self, x: Any) -> Any:
        return x.to(self._torch.uint8)

    def batch_norm(self, x: Any, weight: Any, bias: Any) -> Any:
        return self._functional.batch_norm(x, None, None, weight, bias, training=True)

    def max_pool(self, x: Any, size: int, stride: int) -> Any:
        return self._functional.max_pool2d(x, size, stride, size // 2)

    def take(self, x: Any, places: Any) -> Any:
        return self._functional.embedding(places, x)

    def attention(self, q: Any, k: Any, v: Any, causal: bool) -> Any:
        return self._functional.scaled_dot_product_attention(q, k, v, is_causal=causal)

    def value_and_grad(self, f: Fn, argnums: int | tuple[int, ...] = 0) -> Fn:
        from torch.utils import _pytree as tree

        wanted = (argnums,) if isinstance(argnums, int) else argnums

        def run(*arguments: Any) -> Any:
            given = list(arguments)
            for i in wanted:
                given[i] = tree.tree_map(lambda a: a.detach().requires_grad_(), given[i])
            value = f(*given)
            leaves, structure = tree.tree_flatten([given[i] for i in wanted])
            slopes = tree.tree_unflatten(list(self._torch.autograd.grad(value, leaves)), structure)
            return value.detach(), slopes[0] if isinstance(argnums, int) else tuple(slopes)

        return run

    def grad(self, f: Fn, argnums: int | tuple[int, ...] = 0) -> Fn:
        both = self.value_and_grad(f, argnums)
        return lambda *arguments: both(*arguments)[1]


class TorchCompiled(Torch):
    name = "torch.compile"

    def compile(self, f: Fn) -> Fn:
        return self._torch.compile(f)

    def value_and_grad(self, f: Fn, argnums: int | tuple[int, ...] = 0) -> Fn:
        """By `torch.func`, which its compiler takes whole."""
        both = self._torch.func.grad_and_value(f, argnums=argnums)

        def run(*arguments: Any) -> Any:
            slopes, value = both(*arguments)
            return value, slopes

        return run


class _TorchNames:
    """NumPy's names for PyTorch's functions."""

    inf, pi, float32, float64, int32, int64 = np.inf, np.pi, *("float32", "float64", "int32", "int64")

    def __init__(self, torch: Any) -> None:
        self._torch = torch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._torch, name)

    def _reduced(self, name: str, x: Any, axis: Any, keepdims: bool) -> Any:
        function = getattr(self._torch, name)
        return function(x) if axis is None else function(x, dim=axis, keepdim=keepdims)

    def sum(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return self._reduced("sum", x, axis, keepdims)

    def mean(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return self._reduced("mean", x, axis, keepdims)

    def max(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return self._reduced("amax", x, axis, keepdims)

    def var(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return self._torch.var(x, dim=axis, keepdim=keepdims, correction=0)

    def argmax(self, x: Any, axis: Any = None) -> Any:
        return self._torch.argmax(x, dim=axis)

    def maximum(self, x: Any, y: Any) -> Any:
        return self._torch.clamp_min(x, y) if isinstance(y, (int, float)) else self._torch.maximum(x, y)

    def cumulative_sum(self, x: Any, axis: int) -> Any:
        return self._torch.cumsum(x, dim=axis)

    def stack(self, arrays: Sequence[Any], axis: int = 0) -> Any:
        return self._torch.stack(list(arrays), dim=axis)

    def concat(self, arrays: Sequence[Any], axis: int = 0) -> Any:
        return self._torch.cat(list(arrays), dim=axis)


MAKERS: dict[str, Callable[[], Library]] = {
    library.name: functools.cache(library) for library in (Rosin, NumPy, Jax, Torch, TorchCompiled)
}
"""The libraries by the contestants' names; each is made once."""
