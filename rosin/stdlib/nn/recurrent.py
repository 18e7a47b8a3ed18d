"""Recurrent cells and the layers that run them over time, as scans.

Sequences are `[batch, time, features]`. The weights of the gates lie one below the other, in PyTorch's order and with
its two biases, so that what was trained there can be loaded.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import rosin
from rosin import Array
from rosin import numpy as rnp
from rosin.stdlib.nn import initializers
from rosin.stdlib.nn.dropout import Dropout
from rosin.stdlib.nn.keys import KeyLike, keys_of
from rosin.stdlib.nn.module import Module, ModuleError, param, static
from rosin.stdlib.nn.run import EVAL, Run
from rosin.stdlib.nn.shapes import expect
from rosin.stdlib.nn.texts import text


class Cell(Module):
    """A step of a recurrent net: features `[batch, in]` and a state to a new state, whose output is `[batch, hidden]`.

    The part of a step that does not depend on the state, `project`, is done for all times at once.
    """

    weight_ih: Array = param("gates in")
    weight_hh: Array = param("gates hidden")
    bias_ih: Array | None = param("gates")
    bias_hh: Array | None = param("gates")

    def __init__(self, gates: int, features: int, hidden: int, key: KeyLike, use_bias: bool, dtype: Any) -> None:
        keys, draw = keys_of(key), initializers.uniform(hidden**-0.5)
        self.weight_ih = draw(keys(), (gates * hidden, features), dtype)
        self.weight_hh = draw(keys(), (gates * hidden, hidden), dtype)
        self.bias_ih = draw(keys(), (gates * hidden,), dtype) if use_bias else None
        self.bias_hh = draw(keys(), (gates * hidden,), dtype) if use_bias else None

    @property
    def hidden(self) -> int:
        """How many numbers the output of a step has."""
        return self.weight_hh.shape[1]

    def initial(self, batch: int) -> Any:
        """The state before the first step: zeros."""
        return rnp.zeros((batch, self.hidden), dtype=self.weight_hh.dtype)

    def project(self, x: Array) -> Array:
        """What the features `[..., in]` add to the gates, `[..., gates]`."""
        return rosin.nn.linear(x, self.weight_ih, self.bias_ih)

    @abstractmethod
    def advance(self, projected: Array, state: Any) -> Any:
        """The state after a step."""

    def output(self, state: Any) -> Array:
        """The part of a state that the layer gives."""
        return state

    def __call__(self, x: Array, state: Any | None = None) -> Any:
        """The state after a step with features `[batch, in]`; without a state it begins at zeros."""
        return self.advance(self.project(x), self.initial(x.shape[0]) if state is None else state)


class RNNCell(Cell):
    """`tanh(W x + U h + b)` (Elman 1990), or another activation."""

    activation: Callable[[Array], Array] = static()

    def __init__(
        self,
        features: int,
        hidden: int,
        *,
        key: KeyLike,
        activation: Callable[[Array], Array] = rnp.tanh,
        use_bias: bool = True,
        dtype: Any = rosin.float32,
    ) -> None:
        super().__init__(1, features, hidden, key, use_bias, dtype)
        self.activation = activation

    def advance(self, projected: Array, state: Array) -> Array:
        return self.activation(projected + rosin.nn.linear(state, self.weight_hh, self.bias_hh))


class LSTMCell(Cell):
    """Long short-term memory (Hochreiter and Schmidhuber 1997); the state is the output and the memory.

    The gates are input, forget, candidate and output.
    """

    def __init__(
        self, features: int, hidden: int, *, key: KeyLike, use_bias: bool = True, dtype: Any = rosin.float32
    ) -> None:
        super().__init__(4, features, hidden, key, use_bias, dtype)

    def initial(self, batch: int) -> tuple[Array, Array]:
        zeros = rnp.zeros((batch, self.hidden), dtype=self.weight_hh.dtype)
        return zeros, zeros

    def advance(self, projected: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        output, memory = state
        gates = projected + rosin.nn.linear(output, self.weight_hh, self.bias_hh)
        enter, keep, candidate, leave = rnp.split(gates, 4, axis=-1)
        memory = rosin.nn.sigmoid(keep) * memory + rosin.nn.sigmoid(enter) * rnp.tanh(candidate)
        return rosin.nn.sigmoid(leave) * rnp.tanh(memory), memory

    def output(self, state: tuple[Array, Array]) -> Array:
        return state[0]


class GRUCell(Cell):
    """Gated recurrent unit (Cho et al. 2014), the gates being reset, update and candidate; as in cuDNN, the reset
    multiplies after the product with the state."""

    def __init__(
        self, features: int, hidden: int, *, key: KeyLike, use_bias: bool = True, dtype: Any = rosin.float32
    ) -> None:
        super().__init__(3, features, hidden, key, use_bias, dtype)

    def advance(self, projected: Array, state: Array) -> Array:
        reset, update, candidate = rnp.split(projected, 3, axis=-1)
        own = rosin.nn.linear(state, self.weight_hh, self.bias_hh)
        own_reset, own_update, own_candidate = rnp.split(own, 3, axis=-1)
        update = rosin.nn.sigmoid(update + own_update)
        fresh = rnp.tanh(candidate + rosin.nn.sigmoid(reset + own_reset) * own_candidate)
        return (1 - update) * fresh + update * state


class Recurrent(Module):
    """Cells over time: layers one above the other, in one or both directions.

    `layers[i]` holds the cells of layer i: one, or one forward and one backward, whose outputs stand side by side.
    """

    layers: tuple[tuple[Cell, ...], ...]
    dropout: Dropout

    def __init__(self, layers: Any, *, dropout: float = 0.0) -> None:
        """`dropout` is between the layers."""
        self.layers = tuple(tuple(cells) for cells in layers)
        self.dropout = Dropout(dropout)
        if not self.layers or any(len(cells) not in (1, 2) for cells in self.layers):
            raise ModuleError("Recurrent: there is at least one layer, and each has one cell or two")

    def __call__(
        self, x: Array, state: Any | None = None, *, lengths: Array | None = None, run: Run = EVAL
    ) -> tuple[Array, Any]:
        """The outputs `[batch, time, hidden * directions]` and the last states, a tuple of those of each layer's cells.

        Of sequences with `lengths` [batch], what lies behind the end is not read: the outputs there are 0, the last
        state is the one at the end, and the backward direction begins there.
        """
        expect(self, x, "batch time features", features=self.layers[0][0].weight_ih.shape[1])
        self._check_beside(x, state, lengths)
        states: list[tuple[Any, ...]] = []
        for number, cells in enumerate(self.layers):
            if number:
                x = self.dropout(x, run)
            begin = (None,) * len(cells) if state is None else state[number]
            found = [
                _over_time(cell, x, first, lengths, bool(direction))
                for direction, (cell, first) in enumerate(zip(cells, begin, strict=True))
            ]
            x = found[0][0] if len(found) == 1 else rnp.concat([y for y, _ in found], axis=-1)
            states.append(tuple(last for _, last in found))
        return x, tuple(states)

    def _check_beside(self, x: Array, state: Any, lengths: Array | None) -> None:
        """Raise unless a state and lengths are of as many examples as x, and the state is one of these layers."""
        if lengths is not None and lengths.shape != (x.shape[0],):
            shapes = f"{text(lengths)} for {text(x)}"
            raise ModuleError(f"{type(self).__name__}: there is one length for each example, not {shapes}")
        if state is None:
            return
        wanted = rosin.eval_shape(lambda: tuple(tuple(c.initial(x.shape[0]) for c in cells) for cells in self.layers))
        own, given = rosin.tree.leaves(wanted), rosin.tree.leaves(state)
        alike = rosin.tree.structure(wanted) == rosin.tree.structure(state)
        if not alike or any(a.shape != b.shape for a, b in zip(own, given, strict=True)):
            raise ModuleError(f"{type(self).__name__}: the state is {text(state)}, and one of {text(wanted)} is needed")


def _over_time(cell: Cell, x: Array, state: Any, lengths: Array | None, backward: bool) -> tuple[Array, Any]:
    """Outputs `[batch, time, hidden]` and the last state of one cell."""
    projected = rnp.moveaxis(cell.project(x), 1, 0)
    first = cell.initial(x.shape[0]) if state is None else state
    # Features of a wider type make the state one, from the first step on.
    first = rosin.tree.map(lambda s: rnp.astype(s, rnp.result_type(s, projected)), first)

    def step(state: Any, given: tuple[Array, Array]) -> tuple[Any, Array]:
        features, time = given
        new = cell.advance(features, state)
        if lengths is None:
            return new, cell.output(new)
        inside = (time < lengths)[:, None]
        kept = rosin.tree.map(lambda a, b: rnp.where(inside, a, b), new, state)
        return kept, rnp.where(inside, cell.output(new), rnp.zeros_like(cell.output(new)))

    last, outputs = rosin.scan(step, first, (projected, rnp.arange(x.shape[1])), reverse=backward)
    return rnp.moveaxis(outputs, 0, 1), last


class _Uniform(Recurrent):
    """Layers of one kind of cell and of one size."""

    cell: ClassVar[Callable[..., Cell]]

    def __init__(
        self,
        features: int,
        hidden: int,
        *,
        key: KeyLike,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        **options: Any,
    ) -> None:
        """Further options are those of the cell; `dropout` is between the layers."""
        keys, directions = keys_of(key), 2 if bidirectional else 1
        sizes = [features, *[hidden * directions] * (layers - 1)]
        made = [[self.cell(size, hidden, key=keys, **options) for _ in range(directions)] for size in sizes]
        super().__init__(made, dropout=dropout)


class RNN(_Uniform, init=False):
    """Layers of `RNNCell`."""

    cell = RNNCell


class LSTM(_Uniform, init=False):
    """Layers of `LSTMCell`."""

    cell = LSTMCell


class GRU(_Uniform, init=False):
    """Layers of `GRUCell`."""

    cell = GRUCell
