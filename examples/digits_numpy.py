"""The training step of digits.py in plain NumPy, derived by hand: what one writes without a compiler."""

from __future__ import annotations

import numpy as np

Arrays = dict[str, np.ndarray]


def patches(x: np.ndarray) -> np.ndarray:
    """The 3 x 3 neighbourhoods of every pixel of `x[N, C, H, W]`, zeros beyond the border: `[N, H, W, C * 9]`."""
    n, c, h, w = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(n, h, w, c * 9)


def conv(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The convolution with zero padding, and the patches that its gradient needs."""
    columns = patches(x)
    out = columns @ kernel.reshape(len(kernel), -1).T + bias
    return out.transpose(0, 3, 1, 2), columns


def conv_gradient(
    out: np.ndarray, columns: np.ndarray, kernel: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradients by input, kernel and bias, given that by the result."""
    o, c = kernel.shape[:2]
    flat = out.transpose(0, 2, 3, 1).reshape(-1, o)
    by_kernel = (flat.T @ columns.reshape(-1, c * 9)).reshape(kernel.shape)
    flipped = np.ascontiguousarray(kernel[:, :, ::-1, ::-1].transpose(1, 0, 2, 3))
    by_input, _ = conv(out, flipped, np.zeros(c, np.float32))
    return by_input, by_kernel, flat.sum(0)


def pool(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The greatest of each 2 x 2 block, and which of the four it was."""
    n, c, h, w = x.shape
    blocks = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
    which = blocks.argmax(-1)
    return np.take_along_axis(blocks, which[..., None], -1)[..., 0], which


def pool_gradient(out: np.ndarray, which: np.ndarray) -> np.ndarray:
    n, c, h, w = out.shape
    blocks = np.zeros((n, c, h, w, 4), np.float32)
    np.put_along_axis(blocks, which[..., None], out[..., None], -1)
    return blocks.reshape(n, c, h, w, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, 2 * h, 2 * w)


def numpy_step(
    params: Arrays,
    moments: dict[str, tuple[np.ndarray, np.ndarray]],
    step: int,
    images: np.ndarray,
    labels: np.ndarray,
    mask: np.ndarray,
    rates: tuple[float, float, float, float],
) -> float:
    """One step of Adam on the cross-entropy; updates `params` and `moments` in place and gives the loss before it."""
    z1, columns1 = conv(images, params["conv1"], params["bias1"])
    h1, which1 = pool(np.maximum(z1, 0))
    z2, columns2 = conv(h1, params["conv2"], params["bias2"])
    h2, which2 = pool(np.maximum(z2, 0))
    features = h2.reshape(len(images), 128) * mask
    scores = features @ params["dense"] + params["bias3"]
    scores -= scores.max(1, keepdims=True)
    exps = np.exp(scores)
    sums = exps.sum(1, keepdims=True)
    rows = np.arange(len(labels))
    loss = float(np.mean(np.log(sums[:, 0]) - scores[rows, labels]))

    by_scores = exps / sums
    by_scores[rows, labels] -= 1
    by_scores /= len(labels)
    gradient = {"dense": features.T @ by_scores, "bias3": by_scores.sum(0)}
    by_h2 = ((by_scores @ params["dense"].T) * mask).reshape(h2.shape)
    by_z2 = pool_gradient(by_h2, which2) * (z2 > 0)
    by_h1, gradient["conv2"], gradient["bias2"] = conv_gradient(by_z2, columns2, params["conv2"])
    by_z1 = pool_gradient(by_h1, which1) * (z1 > 0)
    flat = by_z1.transpose(0, 2, 3, 1).reshape(-1, len(params["conv1"]))
    gradient["conv1"] = (flat.T @ columns1.reshape(-1, 9)).reshape(params["conv1"].shape)
    gradient["bias1"] = flat.sum(0)

    rate, beta1, beta2, epsilon = rates
    for name, g in gradient.items():
        mean, square = moments[name]
        mean += (1 - beta1) * (g - mean)
        square += (1 - beta2) * (g * g - square)
        params[name] -= rate * (mean / (1 - beta1**step)) / (np.sqrt(square / (1 - beta2**step)) + epsilon)
    return loss
