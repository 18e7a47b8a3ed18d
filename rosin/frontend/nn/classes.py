"""Losses of scores for classes, one class of several or many of them being right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rosin.frontend import core
from rosin.frontend.nn.activations import relu
from rosin.frontend.nn.losses import reduced
from rosin.frontend.nn.softmax import log_softmax, one_hot
from rosin.frontend.numpy import elementwise, indexing, logic, manipulation, promote, reductions
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import facts

if TYPE_CHECKING:
    from rosin.frontend.array import Array


def cross_entropy(
    x: ArrayLike,
    target: ArrayLike,
    /,
    *,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Array:
    """The cross entropy of the softmax of scores `x[N, C, …]` (or `x[C]`) with classes `target[N, …]`.

    Targets that are floats of the shape of x are probabilities of the classes. weight: one number for each class.
    Elements whose class is `ignore_index` count 0 and are left out of the mean, which is weighted. `label_smoothing` is
    the share of the target that goes to all classes alike. Szegedy et al., 2016.

    Raises:
        ShapeError: the shapes do not go together.
        DTypeError: targets are neither integers nor floats.
        AttributeValueError: there is no such reduction.
    """
    scores = log_softmax(promote.floating("cross_entropy", x), _class_axis("cross_entropy", x))
    goal = promote.array("cross_entropy", target)
    if core.dtype_of(goal).is_float:
        return _with_probabilities(scores, goal, weight, label_smoothing, reduction)
    return _with_classes("cross_entropy", scores, goal, weight, ignore_index, label_smoothing, reduction)


def nll_loss(
    x: ArrayLike,
    target: ArrayLike,
    /,
    *,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    """-x at the classes `target[N, …]` of log-probabilities `x[N, C, …]` (or `x[C]`).

    weight: one number for each class. Elements whose class is `ignore_index` count 0 and are left out of the mean,
    which is weighted.

    Raises:
        ShapeError: the shapes do not go together.
        DTypeError: targets are no integers.
        AttributeValueError: there is no such reduction.
    """
    _class_axis("nll_loss", x)
    scores, goal = promote.floating("nll_loss", x), promote.array("nll_loss", target)
    return _with_classes("nll_loss", scores, goal, weight, ignore_index, 0.0, reduction)


def _class_axis(name: str, x: ArrayLike) -> int:
    operand = promote.array(name, x)
    if not core.shape_of(operand):
        promote.bad_shape(f"{name}: scores are [N, C, …] or [C], not one number", operand)
    return min(len(core.shape_of(operand)) - 1, 1)


def _of_classes(name: str, scores: Array, weight: ArrayLike | None) -> Array | None:
    """The weights of classes, to broadcast against the scores."""
    if weight is None:
        return None
    axis, shape = _class_axis(name, scores), core.shape_of(scores)
    own = promote.array(name, weight)
    if not facts.same_shape(core.shape_of(own), (shape[axis],)):
        promote.bad_shape(f"{name}: the weight has one number for each of {shape[axis]} classes", scores, own)
    return manipulation.reshape(own, (shape[axis], *(1,) * (len(shape) - axis - 1)))


def _with_classes(
    name: str,
    scores: Array,
    target: Array,
    weight: ArrayLike | None,
    ignore_index: int,
    smoothing: float,
    reduction: str,
) -> Array:
    axis, shape = _class_axis(name, scores), core.shape_of(scores)
    if not core.dtype_of(target).is_integer:
        promote.bad_dtype(f"{name}: classes are integers", scores, target)
    if not facts.same_shape(core.shape_of(target), (*shape[:axis], *shape[axis + 1 :])):
        promote.bad_shape(f"{name}: there is one class for each place but for the axis of classes", scores, target)
    counts = logic.not_equal(target, ignore_index)
    place = manipulation.expand_dims(logic.where(counts, target, 0), axis)
    shares = _of_classes(name, scores, weight)
    spread = scores if shares is None else scores * shares
    losses = -manipulation.squeeze(indexing.take_along_axis(spread, place, axis=axis), axis)
    if smoothing:
        even = -reductions.mean(spread, axis=axis)
        losses = losses * (1 - smoothing) + even * smoothing
    losses = logic.where(counts, losses, 0)
    if reduction != "mean":
        return reduced(name, losses, reduction)
    dtype = core.dtype_of(losses)
    if shares is None:
        total = promote.cast(counts, dtype)
    else:
        own = indexing.take_along_axis(promote.spread(shares, shape), place, axis=axis)
        total = logic.where(counts, manipulation.squeeze(own, axis), 0)
    return reductions.sum(losses) / reductions.sum(total)


def _with_probabilities(
    scores: Array, target: Array, weight: ArrayLike | None, smoothing: float, reduction: str
) -> Array:
    axis, shape = _class_axis("cross_entropy", scores), core.shape_of(scores)
    if not facts.same_shape(core.shape_of(target), shape):
        promote.bad_shape("cross_entropy: there is one probability for each score", scores, target)
    if smoothing:
        target = target * (1 - smoothing) + smoothing / reductions.count_of(shape[axis], core.dtype_of(target))
    shares = _of_classes("cross_entropy", scores, weight)
    spread = scores if shares is None else scores * shares
    return reduced("cross_entropy", -reductions.sum(spread * target, axis=axis), reduction)


def multi_margin_loss(
    x: ArrayLike,
    target: ArrayLike,
    /,
    *,
    p: int = 1,
    margin: float = 1.0,
    weight: ArrayLike | None = None,
    reduction: str = "mean",
) -> Array:
    """The mean over classes j of max(0, margin - x[n, y] + x[n, j])^p, but for j = y: `x[N, C]`, `target[N]`.

    weight: one number for each class, that of the right one scales. One example may lack the first axis.

    Raises:
        ShapeError: the shapes do not go together.
        DTypeError: targets are no integers.
        AttributeValueError: p is neither 1 nor 2, or there is no such reduction.
    """
    if p not in (1, 2):
        promote.bad_value(f"multi_margin_loss: p is 1 or 2, not {p}")
    scores, goal, one = _rows("multi_margin_loss", x, target, 1)
    shape = core.shape_of(scores)
    place = manipulation.expand_dims(goal, 1)
    gap = relu(scores - indexing.take_along_axis(scores, place, axis=1) + margin)
    gap = gap if p == 1 else elementwise.square(gap)
    shares = _of_classes("multi_margin_loss", scores, weight)
    if shares is not None:
        gap = gap * indexing.take_along_axis(promote.spread(shares, shape), place, axis=1)
    count = promote.static_size("multi_margin_loss", scores, 1)
    losses = reductions.sum(logic.where(one_hot(goal, count, dtype=bool), 0, gap), axis=1) / count
    return reduced("multi_margin_loss", manipulation.squeeze(losses, 0) if one else losses, reduction)


def multilabel_margin_loss(x: ArrayLike, target: ArrayLike, /, *, reduction: str = "mean") -> Array:
    """The sum over right classes y and others j of max(0, 1 - x[n, y] + x[n, j]), divided by the number of classes.

    `x[N, C]` and `target[N, C]`, in which a row lists the right classes up to the first negative number. One example
    may lack the first axis.

    Raises:
        ShapeError: the shapes do not go together.
        DTypeError: targets are no integers.
        AttributeValueError: there is no such reduction.
    """
    scores, goal, one = _rows("multilabel_margin_loss", x, target, 2)
    count = promote.static_size("multilabel_margin_loss", scores, 1)
    listed = reductions.cumulative_prod(promote.cast(logic.greater_equal(goal, 0), core.DEFAULT_INT), axis=1)
    listed = logic.greater(listed, 0)
    safe = logic.where(listed, goal, 0)
    right = reductions.any(
        logic.logical_and(manipulation.expand_dims(listed, 2), one_hot(safe, count, dtype=bool)), axis=1
    )
    own = indexing.take_along_axis(scores, safe, axis=1)
    gap = relu(1 - manipulation.expand_dims(own, 2) + manipulation.expand_dims(scores, 1))
    counts = logic.logical_and(
        manipulation.expand_dims(listed, 2), manipulation.expand_dims(logic.logical_not(right), 1)
    )
    losses = reductions.sum(logic.where(counts, gap, 0), axis=(1, 2)) / count
    return reduced("multilabel_margin_loss", manipulation.squeeze(losses, 0) if one else losses, reduction)


def _rows(name: str, x: ArrayLike, target: ArrayLike, rank: int) -> tuple[Array, Array, bool]:
    """Scores `[N, C]` and integers of `rank` axes that go with them; and whether they were of one example."""
    scores, goal = promote.floating(name, x), promote.array(name, target)
    one = len(core.shape_of(scores)) < 2
    if one:
        scores = manipulation.reshape(scores, (1, *(core.shape_of(scores) or (1,))))
        own = core.shape_of(goal)
        goal = manipulation.reshape(goal, (1, *(own or (1,)))) if rank == 2 else manipulation.reshape(goal, (-1,))
    shape = core.shape_of(scores)
    if not facts.same_shape(core.shape_of(goal), shape[:rank]) or len(shape) > 2 or 0 in shape[1:]:
        promote.bad_shape(
            f"{name}: takes scores [N, C] of at least one class and targets that go with them", scores, goal
        )
    if not core.dtype_of(goal).is_integer:
        promote.bad_dtype(f"{name}: classes are integers", scores, goal)
    return scores, goal, one
