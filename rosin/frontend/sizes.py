"""Symbolic sizes as users meet them: `rosin.dim`, the sizes of traced arrays, conditions, and specifications.

    n = rosin.dim("n", max=4096)
    rosin.compile(f, dynamic={"x": rosin.spec("f32[n, 3]")}, where=[n % 8 == 0])

A size of a traced array that is not a number is a `Size`. One computes with it, gives it where a shape is asked for,
and compares it. A comparison is a `Condition`; Python decides it where it asks for its truth: by proof, or as it is for
the call that the function is traced for, and then the compiled program is for sizes like these (a guard).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from rosin.frontend import source
from rosin.ir import dims, facts
from rosin.ir.dims import Dim, Sym
from rosin.ir.errors import TraceError
from rosin.ir.facts import Check, Facts
from rosin.ir.types import TensorType, parse_type

if TYPE_CHECKING:
    from rosin.frontend.array import Array


Combine: TypeAlias = Callable[[Any, Any], Any]


class Condition:
    """`left == right` or the like, of symbolic sizes. `bool` decides it, or says why it cannot."""

    __slots__ = ("check",)

    def __init__(self, check: Check) -> None:
        self.check = check

    def __bool__(self) -> bool:
        found = facts.current().decide(self.check)
        if found is None:
            message = f"whether `{self.check}` holds is not known: it depends on sizes that are symbolic here"
            instead = "state it, with where= or with min=, max= and multiple_of= of rosin.dim"
            if facts.current().is_measured(self.check.left - self.check.right):
                message = f"whether `{self.check}` holds is known only when the program runs, which counts these sizes"
                instead = "compare an array, such as rosin.numpy.sum(mask), and choose with cond or where"
            raise TraceError(f"{message}\n  {instead}", (), source.user_location())
        return found

    def __repr__(self) -> str:
        return str(self.check)


class Size:
    """A symbolic size: a polynomial over the sizes that calls will give. Immutable."""

    __slots__ = ("dim",)

    def __init__(self, dim: Sym) -> None:
        self.dim = dim

    # -- arithmetic ----------------------------------------------------------------------------------------

    def __add__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: a + b)

    def __sub__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: b - a)

    def __mul__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: a * b)

    def __floordiv__(self, other: Any) -> Any:
        return self._with(other, _divided)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: _divided(b, a))

    def __mod__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: a - _divided(a, b) * b)

    def __neg__(self) -> Any:
        return sized(-self.dim)

    def __pos__(self) -> Size:
        return self

    def __pow__(self, power: Any) -> Any:
        if isinstance(power, int) and not isinstance(power, bool) and power >= 0:
            return sized(dims.product([self.dim] * power))
        return self._array() ** power

    def __truediv__(self, other: Any) -> Array:
        return self._array() / plain_array(other)

    def __rtruediv__(self, other: Any) -> Array:
        return other / self._array()

    __radd__ = __add__
    __rmul__ = __mul__

    def _with(self, other: Any, combine: Combine) -> Any:
        if isinstance(other, bool):
            return NotImplemented
        if isinstance(other, int | Size):
            return sized(combine(self.dim, as_dim(other)))
        if isinstance(other, float):
            return combine(self._array(), other)
        return NotImplemented

    def _array(self) -> Array:
        return _number(self)

    # -- comparisons ---------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> Any:
        return self._check(other, lambda a, b: Check(a, "==", b))

    def __ne__(self, other: object) -> Any:
        return self._check(other, lambda a, b: Check(a, "!=", b))

    def __ge__(self, other: object) -> Any:
        return self._check(other, lambda a, b: Check(a, ">=", b))

    def __gt__(self, other: object) -> Any:
        return self._check(other, lambda a, b: Check(a, ">=", b + 1))

    def __le__(self, other: object) -> Any:
        return self._check(other, lambda a, b: Check(b, ">=", a))

    def __lt__(self, other: object) -> Any:
        return self._check(other, lambda a, b: Check(b, ">=", a + 1))

    def _check(self, other: object, make: Callable[[Dim, Dim], Check]) -> Any:
        if isinstance(other, bool) or not isinstance(other, int | Size):
            return NotImplemented
        return Condition(make(self.dim, as_dim(other)))

    def __hash__(self) -> int:
        return hash(self.dim)

    def __bool__(self) -> bool:
        return bool(self != 0)

    # -- numbers -------------------------------------------------------------------------------------------

    def __index__(self) -> int:
        """The number, for the call that is traced for; the compiled program is for this number alone then."""
        known = facts.current()
        dim = known.settled(self.dim)
        if isinstance(dim, int):
            return dim
        if not known.actual.keys() >= dims.names(dim).keys():
            message = f"the number of the symbolic size {self} is needed here, and it is not known"
            if known.is_measured(dim):
                message += ": the program counts it when it runs\n  give size= where it comes from, for a number"
            raise TraceError(message, (), source.user_location())
        number = dims.evaluate(dim, known.actual)
        assert known.decide(Check(dim, "==", number))
        return number

    def __int__(self) -> int:
        return self.__index__()

    def __float__(self) -> float:
        return float(self.__index__())

    def __str__(self) -> str:
        return str(self.dim)

    __repr__ = __str__


def _divided(a: Dim, b: Dim) -> Dim:
    found = facts.divide(a, b)
    return dims.floor_divide(a, b) if found is None else found


def plain_array(x: Any) -> Any:
    """The number, an array if it is a symbolic size."""
    return _number(x) if isinstance(x, Size) else x


_as_array: Callable[[Dim], Array]


def register_number(as_array: Callable[[Dim], Array]) -> None:
    """Say how a size becomes an array: `core.py` does once. It imports us, so we cannot import it."""
    global _as_array
    _as_array = as_array


def _number(size: Size) -> Array:
    return _as_array(size.dim)


def sized(dim: Dim) -> int | Size:
    """A dimension as a user meets it."""
    return dim if isinstance(dim, int) else Size(dim)


def shape_of_dims(shape: Sequence[Dim]) -> tuple[Any, ...]:
    """A shape as a user meets it."""
    return tuple([sized(dim) for dim in shape])


def as_dim(x: Any) -> Dim:
    """The dimension of what a user gives as a size: a `Size`, or an int."""
    return x.dim if isinstance(x, Size) else x


# -- naming ------------------------------------------------------------------------------------------------------------


class Named(Size):
    """A size that a user names, with what is known of it."""

    __slots__ = ("checks",)

    def __init__(self, dim: Sym, checks: tuple[Check, ...]) -> None:
        super().__init__(dim)
        self.checks = checks


def dim(name: str, *, min: int | None = None, max: int | None = None, multiple_of: int = 1) -> Size:
    """The symbolic size called `name`, for specifications and conditions.

    min, max: the least and the greatest size, both allowed.
    multiple_of: a number that divides every size.

    Raises:
        ValueError: the name is no identifier, or the bounds leave nothing.
    """
    symbol = dims.symbol(name)
    if multiple_of < 1 or (min or 0) < 0 or (max is not None and max < (min or 0)):
        raise ValueError(f"dim {name!r}: min={min}, max={max}, multiple_of={multiple_of} leave no size")
    checks = [Check(symbol, ">=", min)] if min else []
    checks += [Check(max, ">=", symbol)] if max is not None else []
    checks += [Check(symbol % multiple_of, "==", 0)] if multiple_of > 1 else []
    return Named(symbol, tuple(checks))


class Spec:
    """What an argument is: `spec("f32[n, 3]")`, or `spec(rosin.float32, (n, 3))` with sizes made by `dim`."""

    __slots__ = ("checks", "type")

    def __init__(self, type: TensorType, checks: tuple[Check, ...] = ()) -> None:
        self.type = type
        self.checks = checks

    @property
    def shape(self) -> tuple[Any, ...]:
        return shape_of_dims(self.type.shape)

    def __repr__(self) -> str:
        return f"spec({str(self.type)!r})"


def spec(type: Any, shape: Sequence[Any] | None = None) -> Spec:
    """A specification of an array with symbolic sizes.

    type: the whole type as text, such as `"f32[batch, 2*n]"`, or an element type, and then the shape is given.

    Raises:
        ValueError: the text is no type.
    """
    if shape is None:
        return Spec(parse_type(type))
    checks = tuple(check for size in shape if isinstance(size, Named) for check in size.checks)
    return Spec(TensorType(type, tuple(as_dim(size) for size in shape)), checks)


def facts_of(checks: Sequence[Check]) -> Facts:
    """What a user states of sizes, as facts."""
    known = Facts()
    for check in checks:
        known.learn(check)
    known.explain("the specification")
    return known
