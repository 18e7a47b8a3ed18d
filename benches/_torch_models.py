"""ResNet-18 and a GPT as they are written in PyTorch, and their steps of training, for zoo_training.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from _rivals import Arrays, Run
from torch import nn
from torch.nn import functional as f


class Block(nn.Module):
    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        changes = stride != 1 or channels != out
        short = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
        self.downsample = short if changes else nn.Identity()

    def forward(self, x: Any) -> Any:
        y = self.bn2(self.conv2(f.relu(self.bn1(self.conv1(x)))))
        return f.relu(y + self.downsample(x))


def resnet18(stem: str, classes: int) -> nn.Module:
    large = stem == "large"
    first = nn.Conv2d(3, 64, 7 if large else 3, 2 if large else 1, 3 if large else 1, bias=False)
    layers: list[nn.Module] = [first, nn.BatchNorm2d(64), nn.ReLU()]
    layers += [nn.MaxPool2d(3, 2, 1)] if large else []
    before = 64
    for out, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [Block(before, out, stride), Block(out, out, 1)]
        before = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))


class Layer(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.joint, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Any) -> Any:
        parts = self.joint(self.norm1(x)).chunk(3, -1)
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        gathered = f.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.output(gathered.transpose(1, 2).flatten(2))
        return x + self.down(f.gelu(self.up(self.norm2(x)), approximate="tanh"))


class GPT(nn.Module):
    def __init__(self, layers: int, width: int, heads: int, vocabulary: int, context: int) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.layers = nn.Sequential(*[Layer(width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Any) -> Any:
        x = self.tokens(tokens) + self.places.weight[: tokens.shape[1]]
        return f.linear(self.norm(self.layers(x)), self.tokens.weight)


def step_of(make: Callable[[], nn.Module], optimizer: Callable[[Any], Any], compiled: bool) -> Callable[[Arrays], Run]:
    """A step of training: forward, backward and update; `compiled`, forward and backward by `torch.compile`."""

    def prepare(arrays: Arrays) -> Run:
        model = make().train()
        known = optimizer(model.parameters())
        called: Any = torch.compile(model) if compiled else model
        x, y = (torch.from_numpy(array) for array in arrays)

        def run() -> object:
            loss = f.cross_entropy(called(x).flatten(0, -2), y.flatten().long())
            known.zero_grad()
            loss.backward()
            known.step()
            return loss

        return run

    return prepare


def scores_of(make: Callable[[], nn.Module], compiled: bool) -> Callable[[Arrays], Run]:
    """The scores of a model that is not trained."""

    def prepare(arrays: Arrays) -> Run:
        model = make().eval()
        called: Any = torch.compile(model) if compiled else model
        x = torch.from_numpy(arrays[0])

        def run() -> object:
            with torch.inference_mode():
                return called(x)

        return run

    return prepare
