"""Functions that may be differentiated by parameters, any number of times, without a formula for that."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from rosin.ir.formula import Algebra, Formula, Real
from rosin.ir.op import Partial, Types, Value, Values, with_attributes
from rosin.ir.ops.formulas.dual import derivative
from rosin.ir.ops.formulas.gamma import node
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder


class Derived(Formula):
    """A function whose attributes say how often it is differentiated, by the algorithm in dual numbers."""

    flops = 1000

    @property
    def times(self) -> tuple[int, ...]:
        """How often, for each attribute or operand."""
        return tuple(self.attributes().values())

    def type(self, *operands: TensorType) -> Types:
        if any(order < 0 for order in self.times):
            self.bad_attribute(operands, f"a function is differentiated 0 times or more, not {min(self.times)}")
        return Formula.type(self, *operands)


@with_attributes
class DerivedByAll(Derived):
    """A function that is differentiated by each operand so many times; no orders stand for none."""

    orders: tuple[int, ...] = ()

    @property
    def times(self) -> tuple[int, ...]:
        return self.orders

    def type(self, *operands: TensorType) -> Types:
        if len(self.orders) not in (0, self.arity):
            self.bad_attribute(operands, f"orders {self.orders} are for {len(self.orders)} operands, not {self.arity}")
        return Derived.type(self, *operands)

    @abstractmethod
    def value(self, m: Algebra, *x: Real) -> Real:
        """The function itself."""

    def formula(self, m: Algebra, *operands: Real) -> Real:
        def by(position: int) -> Callable[..., Real]:
            """`value`, differentiated by the operands from `position` on."""
            if position == self.arity:
                return self.value
            order, inner = self.orders[position] if self.orders else 0, by(position + 1)

            def differentiated(m: Algebra, *x: Real) -> Real:
                return derivative(inner, m, x, position, order)

            return differentiated

        return by(0)(m, *operands)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        orders = self.orders or (0,) * self.arity
        return tuple(
            node(b, replace(self, orders=tuple(k + (i == at) for i, k in enumerate(orders))), *operands)
            for at in range(self.arity)
        )
