"""Layers of neural networks: modules, which are immutable trees of arrays and can be called.

A model is built from keys, called like a function, and handed to `rosin.grad`, `rosin.compile` and `rosin.vmap` like
any tree of arrays. `Run` tells layers that they are trained. Functions without parameters are in `rosin.nn`.
"""

from __future__ import annotations

from rosin.stdlib.nn import initializers, paths
from rosin.stdlib.nn.applying import Checkpointed, Stacked, apply
from rosin.stdlib.nn.attention import Cache, MultiHeadAttention
from rosin.stdlib.nn.calls import hooked
from rosin.stdlib.nn.chain import Chain, Function, Parallel, Residual, call
from rosin.stdlib.nn.conv import Conv, ConvTranspose, depthwise
from rosin.stdlib.nn.dense import Bilinear, Dense, PReLU
from rosin.stdlib.nn.dropout import Dropout, DropPath
from rosin.stdlib.nn.embedding import Embedding
from rosin.stdlib.nn.inspection import count, difference, summary
from rosin.stdlib.nn.keys import Keys
from rosin.stdlib.nn.module import Module, ModuleError, buffer, param, static
from rosin.stdlib.nn.normalization import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from rosin.stdlib.nn.paths import named_arrays, with_arrays
from rosin.stdlib.nn.pooling import AdaptiveAvgPool, AdaptiveMaxPool, AvgPool, Flatten, GlobalAvgPool, MaxPool
from rosin.stdlib.nn.positions import ALiBi, Positions, RelativeBias, Rotary, sinusoidal
from rosin.stdlib.nn.recurrent import GRU, LSTM, RNN, Cell, GRUCell, LSTMCell, Recurrent, RNNCell
from rosin.stdlib.nn.reparametrization import SpectralNorm, WeightNorm
from rosin.stdlib.nn.run import EVAL, Run
from rosin.stdlib.nn.splitting import Where, grad, is_trained, merge, split, value_and_grad
from rosin.stdlib.nn.transformer import FeedForward, Transformer, TransformerLayer

__all__ = [
    "EVAL",
    "GRU",
    "LSTM",
    "RNN",
    "ALiBi",
    "AdaptiveAvgPool",
    "AdaptiveMaxPool",
    "AvgPool",
    "BatchNorm",
    "Bilinear",
    "Cache",
    "Cell",
    "Chain",
    "Checkpointed",
    "Conv",
    "ConvTranspose",
    "Dense",
    "DropPath",
    "Dropout",
    "Embedding",
    "FeedForward",
    "Flatten",
    "Function",
    "GRUCell",
    "GlobalAvgPool",
    "GroupNorm",
    "InstanceNorm",
    "Keys",
    "LSTMCell",
    "LayerNorm",
    "MaxPool",
    "Module",
    "ModuleError",
    "MultiHeadAttention",
    "PReLU",
    "Parallel",
    "Positions",
    "RMSNorm",
    "RNNCell",
    "Recurrent",
    "RelativeBias",
    "Residual",
    "Rotary",
    "Run",
    "SpectralNorm",
    "Stacked",
    "Transformer",
    "TransformerLayer",
    "WeightNorm",
    "Where",
    "apply",
    "buffer",
    "call",
    "count",
    "depthwise",
    "difference",
    "grad",
    "hooked",
    "initializers",
    "is_trained",
    "merge",
    "named_arrays",
    "param",
    "paths",
    "sinusoidal",
    "split",
    "static",
    "summary",
    "value_and_grad",
    "with_arrays",
]
