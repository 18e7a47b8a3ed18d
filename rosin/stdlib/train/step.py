"""One step of training as one program: forward, backward, update, metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib import losses, nn, optim
from rosin.stdlib.nn import texts

Loss: TypeAlias = Callable[[Any, Any, nn.Run], Any]
"""Takes the model, the batch and the run to a number, or to a number and something for the metrics."""
Observe: TypeAlias = Callable[[dict[str, Any], Any, Any], dict[str, Any]]
"""Takes metrics, the batch and what the loss gave beside its number to the metrics after the batch."""


@dataclass
class TrainState:
    """All that training changes, as one tree of arrays."""

    model: Any
    optimizer: Any
    step: Array
    key: Array
    metrics: dict[str, Any]

    @classmethod
    def start(
        cls, model: Any, optimizer: optim.Transform, key: Array | int = 0, metrics: dict[str, Any] | None = None
    ) -> TrainState:
        """The state before the first step. The key is what all random numbers of the training come from.

        It has copies of the model's arrays, since steps reuse the memory of the state.
        """
        key = rosin.random.key(key) if isinstance(key, int) else rnp.array(key, copy=True)
        model = rosin.tree.map(lambda x: rnp.array(x, copy=True), model)
        return cls(model, optimizer.init(model), rnp.zeros((), dtype=rosin.int32), key, dict(metrics or {}))


@dataclass
class Outcome:
    """What a step tells: the loss before it, the norm of the gradient, and whether both were finite.

    A step is `skipped` whose scaled gradient was not finite, though the loss was, if the scale could be lowered: that
    is no fault of the training, and counts as finite.
    """

    loss: Array
    gradient_norm: Array
    finite: Array
    skipped: Array = field(default_factory=lambda: rnp.asarray(False))


@dataclass(frozen=True)
class Step:
    """`step(state, batch)` gives the state after a step and its outcome; made by `make_step`."""

    loss: Loss
    compiled: Any
    """The program, as `rosin.compile` gives it."""

    def __call__(self, state: TrainState, batch: Any) -> tuple[TrainState, Outcome]:
        return self.compiled(state, batch)

    def signatures(self) -> Any:
        """The programs that there are by now: one for each type of batch."""
        return self.compiled.signatures()


def make_step(
    loss: Loss,
    optimizer: optim.Transform,
    observe: Observe | None = None,
    *,
    where: nn.Where = nn.is_trained,
    precision: rosin.Policy | str | None = None,
) -> Step:
    """The compiled `step(state, batch)`, which reuses the memory of the state that it is given.

    Step n draws its random numbers from the state's key and n, so that a training that goes on somewhere is the one
    that never stopped. A step whose loss or gradient is no finite number changes nothing but its own number.

    With `precision`, as "compute=bfloat16", the loss is one of `rosin.mixed_precision`; the state keeps its own types.
    If the optimizer is made by `optim.scaled`, the loss is multiplied by its scale before the gradient is taken.

    The first call with batches of one type raises LossError if the loss is not one number, and OptimizerError if the
    state was started with another optimizer.
    """
    policy = None if precision is None else rosin.mixed_precision(precision)

    def step(state: TrainState, batch: Any) -> tuple[TrainState, Outcome]:
        key = rosin.random.fold_in(state.key, state.step)
        _check_state(state, optimizer)
        scale = _scale_of(state.optimizer)

        def forward(model: Any) -> Any:
            run = nn.Run(key)
            found = rosin.rewritten(loss)(model, batch, run)
            value, aux = found if isinstance(found, tuple) else (found, None)
            if rnp.ndim(value):
                shown = texts.array_text(value)
                raise losses.LossError(f"make_step: the loss is {shown}, and a training needs one number, as a mean is")
            return value, run.updated(model), aux

        def objective(model: Any) -> Any:
            value, after, aux = forward(model) if policy is None else policy(forward)(model)
            after = rosin.tree.map(lambda a, b: rnp.astype(a, b.dtype), after, model)
            # A narrow type has no room for the product with the scale.
            wide = rnp.astype(value, rnp.result_type(value, rosin.float32))
            return (wide if scale is None else scale.scale(wide)), (wide, after, aux)

        derived = nn.value_and_grad(objective, has_aux=True, where=where)
        (_, (value, model, aux)), gradient = derived(state.model)
        norm = optim.global_norm(gradient if scale is None else scale.unscale(gradient))
        # What is to be kept of the update is known with the norm: until then a gradient waits, not all that it changes.
        gradient = rosin.tree.map(lambda g: rosin.optimization_barrier((g, norm))[0], gradient)
        updates, own = optimizer.update(gradient, state.optimizer, model, value=value)
        metrics = state.metrics if observe is None else rosin.rewritten(observe)(state.metrics, batch, aux)
        sound = rnp.isfinite(value) & rnp.isfinite(norm)
        old = state.model, state.optimizer, state.metrics
        new = optim.apply_updates(model, updates), own, metrics
        kept = rosin.precision.select_tree(sound, new, old)
        skipped = rnp.asarray(False)
        if scale is not None:
            # What a step without effect is to change is the scale.
            kept[1].scale = own.scale
            skipped = ~sound & rnp.isfinite(value) & (own.scale.loss_scale < scale.loss_scale)
        outcome = Outcome(value, norm, sound | skipped, skipped)
        return TrainState(kept[0], kept[1], state.step + 1, state.key, kept[2]), outcome

    return Step(loss, rosin.compile(step, donate_argnames=("state",)))


def _check_state(state: TrainState, optimizer: optim.Transform) -> None:
    """Raise unless the optimizer's part of a state is one of this optimizer.

    Raises:
        OptimizerError: it is that of another one.
    """
    wanted = rosin.eval_shape(optimizer.init, state.model)
    if rosin.tree.structure(wanted) != rosin.tree.structure(state.optimizer):
        message = f"the optimizer's part of the state is {_kinds(state.optimizer)}, and this one has {_kinds(wanted)}"
        raise optim.OptimizerError(f"{message} for this model: begin with TrainState.start(model, optimizer)")


def _kinds(state: Any) -> str:
    """What a state of transforms is, without its arrays."""
    return f"({', '.join(map(_kinds, state))})" if isinstance(state, tuple) else type(state).__name__


def _scale_of(state: Any) -> rosin.precision.StaticLossScale | None:
    """What the loss is to be multiplied by, None for an optimizer that takes it as it is.

    Raises:
        OptimizerError: the transform that knows is inside of another one, which would see scaled gradients.
    """
    if isinstance(state, optim.ScaledState):
        return state.scale
    parts = rosin.tree.leaves(state, is_leaf=lambda x: isinstance(x, optim.ScaledState))
    if any(isinstance(part, optim.ScaledState) for part in parts):
        raise optim.OptimizerError("optim.scaled is inside of another transform, which would see scaled gradients")
    return None
