"""Layers with PyTorch's weights against PyTorch's layers: results, and gradients by every parameter and the input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import nn

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore:Using padding='same'")]

F64 = {"dtype": rosin.float64}


def loaded(model: Any, module: Any, rename: Callable[[str], str | None] = lambda name: name) -> Any:
    """The model with the numbers of PyTorch's module; `rename` gives the path for a name, None to leave it out."""
    arrays = {rename(name): rnp.asarray(tensor.detach().numpy().copy()) for name, tensor in module.state_dict().items()}
    return nn.with_arrays(model, {path: array for path, array in arrays.items() if path is not None})


def agree(
    model: Any,
    module: Any,
    *shapes: tuple[int, ...],
    rename: Callable[[str], str | None] = lambda name: name,
    pick: Callable[[Any], Any] = lambda out: out,
    training: bool = False,
) -> Any:
    """Compare results, and gradients of a weighted sum; gives the model after a run."""
    import torch

    module = module.double().train(training)
    module.zero_grad()
    model = loaded(model, module, rename)
    rng = np.random.default_rng(0)
    xs = [rng.standard_normal(shape) for shape in shapes]
    tensors = [torch.tensor(x, requires_grad=True) for x in xs]
    wanted = pick(module(*tensors))
    weights = rng.standard_normal(wanted.shape)
    (wanted * torch.tensor(weights)).sum().backward()

    def loss(model: Any, xs: list[Array]) -> Any:
        run = nn.Run(training=training)
        result = pick(nn.call(model, *xs, run=run))
        return rnp.sum(result * weights), (result, run.updated(model))

    @rosin.compile
    def both(model: Any, xs: list[Array]) -> Any:
        slopes, aux = nn.grad(loss, has_aux=True)(model, xs)
        return slopes, rosin.grad(lambda xs: loss(model, xs)[0])(xs), aux

    slopes, by_xs, (result, after) = both(model, [rnp.asarray(x) for x in xs])
    np.testing.assert_allclose(result, wanted.detach().numpy(), rtol=1e-9, atol=1e-10)
    for found, tensor in zip(by_xs, tensors, strict=True):
        np.testing.assert_allclose(found, tensor.grad.numpy(), rtol=1e-8, atol=1e-9)
    own = dict(nn.named_arrays(slopes))
    for name, parameter in module.named_parameters():
        path = rename(name)
        if path is not None and path in own:
            np.testing.assert_allclose(own[path], parameter.grad.numpy(), rtol=1e-8, atol=1e-9, err_msg=name)
    return after


def test_dense() -> None:
    import torch

    agree(nn.Dense(5, 3, key=0, **F64), torch.nn.Linear(5, 3), (2, 7, 5))
    agree(nn.Dense(5, 3, key=0, use_bias=False, **F64), torch.nn.Linear(5, 3, bias=False), (4, 5))
    agree(nn.Bilinear(5, 4, 3, key=0, **F64), torch.nn.Bilinear(5, 4, 3), (2, 5), (2, 4))


CONVS: list[tuple[int, dict[str, Any], dict[str, Any]]] = [
    (1, {"strides": 2, "padding": 1}, {"stride": 2, "padding": 1}),
    (2, {"strides": (2, 1), "dilation": (1, 2)}, {"stride": (2, 1), "dilation": (1, 2)}),
    (2, {"groups": 2, "padding": "SAME"}, {"groups": 2, "padding": "same"}),
    (2, {"groups": 4, "use_bias": False}, {"groups": 4, "bias": False}),
    (3, {"padding": ((1, 1), (0, 0), (2, 2))}, {"padding": (1, 0, 2)}),
]


@pytest.mark.parametrize("channels", [1, 3])
def test_prelu(channels: int) -> None:
    import torch

    agree(nn.PReLU(channels, dtype=rosin.float64), torch.nn.PReLU(channels), (4, 3, 5))
    assert nn.PReLU(3)(-rnp.ones((2, 3))).tolist() == [[-0.25] * 3] * 2


@pytest.mark.parametrize(("rank", "ours", "theirs"), CONVS, ids=str)
def test_convolutions(rank: int, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    import torch

    window, kind = (3, 2, 3)[:rank], getattr(torch.nn, f"Conv{rank}d")
    agree(nn.Conv(window, 4, 8, key=0, **ours, **F64), kind(4, 8, window, **theirs), (2, 4, *(9, 8, 7)[:rank]))


TRANSPOSED: list[tuple[int, dict[str, Any], dict[str, Any]]] = [
    (1, {"strides": 2}, {"stride": 2}),
    (2, {"strides": 2, "padding": 1, "output_padding": 1}, {"stride": 2, "padding": 1, "output_padding": 1}),
    (2, {"groups": 2, "dilation": 2}, {"groups": 2, "dilation": 2}),
    (3, {"strides": (1, 2, 1)}, {"stride": (1, 2, 1)}),
]


@pytest.mark.parametrize(("rank", "ours", "theirs"), TRANSPOSED, ids=str)
def test_transposed_convolutions(rank: int, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    import torch

    window, kind = (3, 2, 3)[:rank], getattr(torch.nn, f"ConvTranspose{rank}d")
    agree(nn.ConvTranspose(window, 4, 6, key=0, **ours, **F64), kind(4, 6, window, **theirs), (2, 4, *(5, 4, 3)[:rank]))


def test_pooling() -> None:
    import torch

    shape = (2, 3, 9, 8)
    agree(nn.MaxPool(3, 2, 1), torch.nn.MaxPool2d(3, 2, 1), shape)
    agree(nn.AvgPool((2, 3)), torch.nn.AvgPool2d((2, 3)), shape)
    agree(nn.AvgPool(3, 2, 1, count_padding=True), torch.nn.AvgPool2d(3, 2, 1), shape)
    agree(nn.AdaptiveAvgPool((4, 3)), torch.nn.AdaptiveAvgPool2d((4, 3)), shape)
    agree(nn.AdaptiveMaxPool((4, 3)), torch.nn.AdaptiveMaxPool2d((4, 3)), shape)
    agree(nn.Chain(nn.GlobalAvgPool()), torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()), shape)


def _no_count(name: str) -> str | None:
    return None if name == "num_batches_tracked" else name


@pytest.mark.parametrize("shape", [(6, 4), (3, 4, 5), (2, 4, 5, 6)], ids=str)
def test_batch_norm(shape: tuple[int, ...]) -> None:
    import torch

    kind = {2: torch.nn.BatchNorm1d, 3: torch.nn.BatchNorm1d, 4: torch.nn.BatchNorm2d}[len(shape)]
    module = kind(4, momentum=0.3)
    torch.nn.init.normal_(module.weight)
    torch.nn.init.normal_(module.bias)
    model = nn.BatchNorm(4, momentum=0.3, **F64)
    for training in (True, False, True):
        model = agree(model, module, shape, rename=_no_count, training=training)
        np.testing.assert_allclose(model.running_mean, module.running_mean.numpy(), rtol=1e-12)
        np.testing.assert_allclose(model.running_var, module.running_var.numpy(), rtol=1e-12)


def test_other_norms() -> None:
    import torch

    shape = (3, 6, 5, 4)
    agree(nn.LayerNorm((5, 4), **F64), torch.nn.LayerNorm((5, 4)), shape)
    agree(nn.LayerNorm(4, use_bias=False, **F64), torch.nn.LayerNorm(4, bias=False), shape)
    agree(nn.RMSNorm(4, **F64), torch.nn.RMSNorm(4, eps=1e-6), shape)
    agree(nn.GroupNorm(3, 6, **F64), torch.nn.GroupNorm(3, 6), shape)
    agree(nn.InstanceNorm(6, affine=True, **F64), torch.nn.InstanceNorm2d(6, affine=True), shape)


def test_weights_that_are_computed() -> None:
    import torch
    from torch.nn.utils import parametrizations

    module = parametrizations.weight_norm(torch.nn.Linear(5, 3))
    names = {
        "bias": "layer.bias",
        "parametrizations.weight.original0": "length",
        "parametrizations.weight.original1": "layer.weight",
    }
    module.parametrizations.weight.original0.data = module.parametrizations.weight.original0.data[:, 0]
    length = module.parametrizations.weight.original0
    model = loaded(nn.WeightNorm(nn.Dense(5, 3, key=0, **F64)), module.double(), names.get)
    length.data = length.data[:, None]
    x = np.random.default_rng(0).standard_normal((4, 5))
    np.testing.assert_allclose(model(rnp.asarray(x)), module(torch.tensor(x)).detach().numpy(), rtol=1e-12)

    spectral = parametrizations.spectral_norm(torch.nn.Linear(5, 3))
    names = {
        "bias": "layer.bias",
        "parametrizations.weight.original": "layer.weight",
        "parametrizations.weight.0._u": "left",
        "parametrizations.weight.0._v": "right",
    }
    after = agree(
        nn.SpectralNorm(nn.Dense(5, 3, key=0, **F64), key=1), spectral, (4, 5), rename=names.get, training=False
    )
    assert after.iterations == 1


def _cells(layers: int, directions: int, batch_first: bool = True) -> Callable[[str], str | None]:
    def rename(name: str) -> str:
        kind, _, rest = name.rpartition("_l")
        layer, _, reverse = rest.partition("_")
        return f"layers.{layer}.{int(reverse == 'reverse')}.{kind}"

    return rename


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize(("layers", "bidirectional"), [(1, False), (2, True)])
def test_recurrent_layers(kind: str, layers: int, bidirectional: bool) -> None:
    import torch

    model = getattr(nn, kind)(5, 4, key=0, layers=layers, bidirectional=bidirectional, **F64)
    module = getattr(torch.nn, kind)(5, 4, layers, batch_first=True, bidirectional=bidirectional)
    rename = _cells(layers, 2 if bidirectional else 1)
    agree(model, module, (3, 7, 5), rename=rename, pick=lambda out: out[0])

    model, lengths = loaded(model, module, rename), np.asarray([7, 2, 4])
    x = np.random.default_rng(1).standard_normal((3, 7, 5))
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        torch.tensor(x), torch.tensor(lengths), batch_first=True, enforce_sorted=False
    )
    wanted, last = module(packed)
    wanted, _ = torch.nn.utils.rnn.pad_packed_sequence(wanted, batch_first=True)
    found, states = model(rnp.asarray(x), lengths=rnp.asarray(lengths))
    np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=1e-10, atol=1e-12)
    ends = [state[0] if kind == "LSTM" else state for states in states for state in states]
    last = last[0] if kind == "LSTM" else last
    np.testing.assert_allclose(rnp.stack(ends), last.detach().numpy(), rtol=1e-10, atol=1e-12)


def _attention_arrays(state: dict[str, Any], prefix: str, path: str) -> dict[str, Any]:
    """PyTorch's three projections in one as three of ours."""
    arrays: dict[str, Any] = {}
    for part in ("weight", "bias"):
        whole = state[f"{prefix}in_proj_{part}"].numpy()
        for name, piece in zip(("query", "key", "value"), np.split(whole, 3), strict=True):
            arrays[f"{path}{name}.{part}"] = rnp.asarray(piece)
        arrays[f"{path}output.{part}"] = rnp.asarray(state[f"{prefix}out_proj.{part}"].numpy())
    return arrays


def test_attention() -> None:
    import torch

    module = torch.nn.MultiheadAttention(12, 3, batch_first=True).double()
    torch.nn.init.normal_(module.in_proj_bias)
    model = nn.with_arrays(nn.MultiHeadAttention(12, 3, key=0, **F64), _attention_arrays(module.state_dict(), "", ""))
    rng = np.random.default_rng(0)
    x, context = rng.standard_normal((2, 5, 12)), rng.standard_normal((2, 7, 12))
    given = torch.tensor(x), torch.tensor(context)
    wanted = module(given[0], given[1], given[1], need_weights=False)[0].detach().numpy()
    np.testing.assert_allclose(model(rnp.asarray(x), rnp.asarray(context)), wanted, rtol=1e-10, atol=1e-12)
    padding = np.asarray([[True] * 7, [True] * 3 + [False] * 4])
    wanted = module(given[0], given[1], given[1], key_padding_mask=torch.tensor(~padding), need_weights=False)[0]
    found = model(rnp.asarray(x), rnp.asarray(context), mask=rnp.asarray(padding)[:, None, None, :])
    np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=1e-10, atol=1e-12)
    hidden = torch.nn.Transformer.generate_square_subsequent_mask(5).double()
    wanted = module(given[0], given[0], given[0], attn_mask=hidden, need_weights=False)[0].detach().numpy()
    causal = nn.with_arrays(
        nn.MultiHeadAttention(12, 3, key=0, causal=True, **F64), _attention_arrays(module.state_dict(), "", "")
    )
    np.testing.assert_allclose(causal(rnp.asarray(x)), wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("cross", [False, True])
def test_transformer_layers(norm_first: bool, cross: bool) -> None:
    import torch

    kind = torch.nn.TransformerDecoderLayer if cross else torch.nn.TransformerEncoderLayer
    module = kind(12, 3, 20, dropout=0.0, activation="gelu", batch_first=True, norm_first=norm_first).double().eval()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    state = module.state_dict()
    model = nn.TransformerLayer(12, 3, hidden=20, key=0, norm_first=norm_first, cross=cross, **F64)
    arrays = _attention_arrays(state, "self_attn.", "attention.")
    names = {"linear1": "feed_forward.up", "linear2": "feed_forward.down", "norm1": "norm1", "norm2": "norm2"}
    if cross:
        arrays |= _attention_arrays(state, "multihead_attn.", "cross.")
        names |= {"norm2": "norm_cross", "norm3": "norm2"}
    for theirs, ours in names.items():
        arrays |= {f"{ours}.{part}": rnp.asarray(state[f"{theirs}.{part}"].numpy()) for part in ("weight", "bias")}
    model = nn.with_arrays(model, arrays)
    rng = np.random.default_rng(0)
    xs = [rng.standard_normal((2, 5, 12)), rng.standard_normal((2, 7, 12))][: 1 + cross]
    wanted = module(*map(torch.tensor, xs)).detach().numpy()
    np.testing.assert_allclose(model(*map(rnp.asarray, xs)), wanted, rtol=1e-9, atol=1e-11)
