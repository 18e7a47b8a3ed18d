"""What an op is: a frozen dataclass whose fields are its attributes and whose methods are its target-free facts.

A concrete op derives from one of the kinds below, which settle the facts that ops of a kind have in common:

    Elementwise   one scalar from the scalars at the same place; states its NumPy meaning and its partials
    Linear        linear in groups of its operands; states a transpose, which gives both jvp and vjp
    Op            anything else with a derivative states jvp and vjp itself
    Constantlike  no derivative flows through it (integers, comparisons, random bits…)

and from at most one way to compute it in loops:

    Elementwise   the scalar op itself, at every place
    Pull          each element of the result read from a place of the operands
    Fold          each element of the result combined from a domain of terms
    Running       partial combinations along one axis
    Push          updates combined into places of a copy of the first operand
    Routine       whole arrays by native code that the target brings along

Ops without one are expanded before loops are made (calls, barriers). `@define("name")` makes the class a frozen
dataclass, registers it for the parser and refuses a class that leaves a fact out.
"""

from __future__ import annotations

import dataclasses
import inspect
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, FrozenInstanceError, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeAlias, TypeVar, dataclass_transform

import numpy as np
from numpy.typing import NDArray

from rosin.ir import dims, dtypes, facts
from rosin.ir.dataclass import dataclass
from rosin.ir.dtypes import DType
from rosin.ir.errors import AttributeValueError, DTypeError, NotDifferentiableError, ShapeError
from rosin.ir.index import Index
from rosin.ir.loops import Apply, Carry, Const, Expr, Local, Within
from rosin.ir.types import TensorType

if TYPE_CHECKING:
    from rosin.ir.builder import Builder
    from rosin.ir.graph import Graph

Types: TypeAlias = tuple[TensorType, ...]
NumpyArray: TypeAlias = NDArray[Any]
Arrays: TypeAlias = tuple[NumpyArray, ...]
Reader: TypeAlias = Callable[[tuple[Index, ...]], Expr]
"""Gives the element of an operand at an index, as an expression."""


@dataclass(eq=False, slots=True)
class Value:
    """An SSA value: an input of a graph or a result of a node. Its identity is the object itself."""

    type: TensorType
    name: str = field(default="")

    def __str__(self) -> str:
        return f"{self.name or '?'}: {self.type}"


Values: TypeAlias = tuple[Value, ...]
Maybe: TypeAlias = "tuple[Value | None, ...]"
"""Tangents or cotangents, None where they are zero."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The work of one node: arithmetic operations, and bytes that are read and written when it runs alone."""

    flops: int
    bytes: int
    multiply_adds: int = 0
    """The pairs of a multiplication and an addition in products of matrices and convolutions, each two of the flops."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.flops + other.flops, self.bytes + other.bytes, self.multiply_adds + other.multiply_adds)

    def __mul__(self, count: int) -> Cost:
        return Cost(self.flops * count, self.bytes * count, self.multiply_adds * count)


@dataclass(frozen=True, slots=True)
class Narrowed:
    """An op with fewer operands and results, and the positions of those that are left."""

    op: Op
    operands: tuple[int, ...]
    results: tuple[int, ...]


REGISTRY: dict[str, type[Op]] = {}
O = TypeVar("O", bound="Op")  # noqa: E741


@dataclass_transform(frozen_default=True)
def with_attributes(cls: type[O]) -> type[O]:
    """The class, whose fields are attributes. What `dataclass` would write for each op is Op's own: it takes time
    when ops are imported."""
    made = dataclasses.dataclass(init=False, repr=False, eq=False)(cls)
    made._attributes = tuple((f.name, f.default) for f in fields(made))  # pyright: ignore[reportPrivateUsage]  # Op's own
    if made._attributes:  # pyright: ignore[reportPrivateUsage]
        made.__init__ = _fill  # pyright: ignore[reportAttributeAccessIssue]  # takes the attributes, whatever they are
    return made


def _fill(op: Op, *values: Any, **named: Any) -> None:
    """The `__init__` of ops that have attributes."""
    attributes = op._attributes  # pyright: ignore[reportPrivateUsage]  # Op's own
    own = vars(op)
    for (name, _), value in zip(attributes, values, strict=False):
        own[name] = value
    for name, default in attributes[len(values) :]:
        own[name] = value = named.pop(name, default)
        if value is MISSING:
            raise TypeError(f"{type(op).__qualname__} takes {name}, which is not given")
    if named or len(values) > len(attributes):
        unknown = ", ".join(named) or f"{len(values)} attributes"
        raise TypeError(f"{type(op).__qualname__} does not take {unknown}")


@dataclass_transform(frozen_default=True)
def define(name: str) -> Callable[[type[O]], type[O]]:
    """Make a class the op called `name`."""

    def decorate(cls: type[O]) -> type[O]:
        cls.name = name
        annotated = inspect.get_annotations(cls).values()
        has_attributes = any(not str(a).startswith("ClassVar") for a in annotated)
        made = with_attributes(cls) if has_attributes else cls
        if inspect.isabstract(made):
            missing = ", ".join(sorted(made.__abstractmethods__))
            raise TypeError(f"op {name} leaves out: {missing}")
        known = REGISTRY.get(name, made)
        # The same class may come again, where the code of a user's is run again.
        if (known.__module__, known.__qualname__) != (made.__module__, made.__qualname__):
            raise TypeError(f"two ops are called {name}: {known.__qualname__} and {made.__qualname__}")
        REGISTRY[name] = made
        return made

    return decorate


class Kind(ABCMeta):
    """The class of op classes: abstract facts have to be stated. Nothing is registered as a subclass of one, so that to
    ask for the kind of an op, which passes do all the time, need not look for that."""

    __instancecheck__ = type.__instancecheck__
    __subclasscheck__ = type.__subclasscheck__


class Op(metaclass=Kind):
    """An operation on typed values. Subclasses are like frozen dataclasses; fields are attributes."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    _attributes: ClassVar[tuple[tuple[str, Any], ...]]
    """The names of the attributes with their defaults, `MISSING` for those that have to be given."""

    name: ClassVar[str]
    commutative: ClassVar[bool] = False
    """Whether exchanging the two operands changes nothing."""
    effect: ClassVar[bool] = False
    """Whether it does something besides giving its results, so that it is kept, in order."""
    random: ClassVar[bool] = False
    """Whether it makes random bits. A graph that does is compiled for eager arrays too, so that they get the same."""
    chooses: ClassVar[bool] = False
    """Whether several results would do, of which a kernel may choose another one: eager arrays get the kernel's."""
    moves_elements: ClassVar[bool] = False
    """Whether its results are elements of those operands that have their element type, in other places."""
    slow_in_numpy: ClassVar[bool] = False
    """Whether the NumPy meaning takes far longer than a compiled kernel, so that large eager work compiles one."""

    # -- what a frozen dataclass has, once for all ops -------------------------------------------------------

    def __repr__(self) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={x!r}' for name, x in self.attributes().items())})"

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other):
            return NotImplemented
        mine, theirs = vars(self), vars(other)
        return all(mine[name] == theirs[name] for name, _ in self._attributes)

    def __hash__(self) -> int:
        attributes = self._attributes
        if not attributes:
            return hash(self.name)
        own = vars(self)
        return hash((self.name, *[own[name] for name, _ in attributes]))

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise FrozenInstanceError(f"{type(self).__qualname__}.{name} cannot be assigned to")

    # -- facts every op has ----------------------------------------------------------------------------------

    @abstractmethod
    def type(self, *operands: TensorType) -> Types:
        """The types of the results; raises a `RosinError` naming what disagrees."""

    @abstractmethod
    def eval(self, *operands: NumpyArray) -> Arrays:
        """The results in NumPy: the meaning of the op."""

    @abstractmethod
    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        """The tangents of the results, given those of the operands."""

    @abstractmethod
    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        """The cotangents of the operands, given those of the results."""

    @abstractmethod
    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: dims.Dim) -> Values:
        """The results for a whole batch. Batched operands and all results have the batch as axis 0.

        It is called only when some operand is batched.
        """

    def cost(self, operands: Types, results: Types) -> Cost:
        """The work of one node; an op that does more than move its operands overrides it."""
        return Cost(0, _bytes(operands) + _bytes(results))

    def moves(self, moving: tuple[bool, ...], results: Types) -> tuple[bool, ...]:
        """Which results may have a tangent when these operands have one. It is called only when some operand has."""
        return tuple(t.dtype.differentiable for t in results)

    def needs(self, used: tuple[bool, ...], count: int) -> tuple[bool, ...]:
        """Which of so many operands these results, or effects, are computed from. It is called only for some result."""
        return (True,) * count

    def is_slow_in_numpy(self, operands: Types) -> bool:
        """As `slow_in_numpy`, of operands of these types."""
        return self.slow_in_numpy

    def numpy_work(self, operands: Types, results: Types) -> int:
        """The operations that NumPy does in about the time that the NumPy meaning of a slow op takes."""
        return self.cost(operands, results).flops

    def indexed(self, b: Builder, operands: Values) -> Sequence[tuple[Value, int, dims.Dim]]:
        """The operands that are indices, or parts of them, each with the axis of operand 0 that it is for and the
        largest index that is in range."""
        return ()

    # -- facts that ops with regions state otherwise -----------------------------------------------------------

    def forward_jvp(self, b: Builder, operands: Values, tangents: Maybe) -> tuple[Values, Maybe]:
        """The results and their tangents. An op overrides it when it computes both together."""
        results = b.node(self, *operands)
        return results, self.jvp(b, operands, results, tangents)

    def forward_vjp(
        self, b: Builder, operands: Values, active: tuple[bool, ...]
    ) -> tuple[Values, Callable[[Maybe], Maybe]]:
        """The results and their pullback, which is asked for the cotangents of the active operands.

        An op overrides it when its pullback needs more than operands and results.
        """
        results = b.node(self, *operands)
        return results, lambda cotangents: self.vjp(b, operands, results, cotangents)

    def measured(self) -> Mapping[str, dims.Dim]:
        """The symbols that are known after the op, since they are measured in it, each with the most that it can be."""
        return {}

    def expansion(self) -> Graph | None:
        """A graph that computes the same, for ops that exist for the transforms alone."""
        return None

    def without_unused(self, used: tuple[bool, ...]) -> Narrowed | None:
        """The op that does only what these results, or effects, need; None where that is the op itself."""
        return None

    def only_where(self, b: Builder, taken: Value, operands: Values, guard: Callable[[Graph], Graph]) -> Values:
        """The results, what Python does for them being done only where the truth value `taken` holds.

        It is asked of ops that Python has a part in. `guard` makes a region one with `taken` as last input.
        """
        raise AssertionError(f"Python has no part in {self.name}")

    def silenced(self, silence: Callable[[Graph], Graph]) -> Op:
        """The op, for computing its results a second time: `silence` takes the effects out of a graph that it holds."""
        return self

    # -- helpers ---------------------------------------------------------------------------------------------

    def attributes(self) -> dict[str, Any]:
        """The attributes by name, in the order of their declaration."""
        own = vars(self)
        return {name: own[name] for name, _ in self._attributes}

    def expect(self, operands: Types, count: int) -> None:
        if len(operands) != count:
            raise ShapeError(f"{self.name} takes {count} operands and was given {len(operands)}", operands)

    def bad_shape(self, operands: Sequence[TensorType], message: str) -> NoReturn:
        raise ShapeError(f"{self.name}: {message}", operands)

    def bad_dtype(self, operands: Sequence[TensorType], message: str) -> NoReturn:
        raise DTypeError(f"{self.name}: {message}", operands)

    def bad_attribute(self, operands: Sequence[TensorType], message: str) -> NoReturn:
        raise AttributeValueError(f"{self.name}: {message}", operands)

    def same_dtype(self, operands: Types) -> DType:
        """The one element type of all operands."""
        for operand in operands[1:]:
            if operand.dtype is not operands[0].dtype and operand.dtype != operands[0].dtype:
                self.bad_dtype(operands, f"operands have dtypes {operands[0].dtype} and {operand.dtype}")
        return operands[0].dtype

    def check_axis(self, operands: Types, axis: int, rank: int) -> None:
        if not 0 <= axis < rank:
            self.bad_shape(operands, f"axis {axis} is out of range for rank {rank}")


# So that `fields` and `replace` know ops, also those without attributes.
with_attributes(Op)


def _bytes(types: Types) -> int:
    return sum(t.bytes for t in types)


def elements(t: TensorType) -> int:
    """The number of elements; a symbolic size counts as a typical one."""
    return t.bytes // t.dtype.bytes


# -- derivatives -----------------------------------------------------------------------------------------------


class Constantlike(Op):
    """No derivative flows through: results are integers, truth values, or flat almost everywhere."""

    def moves(self, moving: tuple[bool, ...], results: Types) -> tuple[bool, ...]:
        return (False,) * len(results)

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        return (None,) * len(results)

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        return (None,) * len(operands)


class Undifferentiable(Op):
    """A derivative of it is an error that gives `reason`."""

    reason: ClassVar[str]

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        raise NotDifferentiableError(f"{self.name} has no derivative: {self.reason}", [v.type for v in operands])

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        raise NotDifferentiableError(f"{self.name} has no derivative: {self.reason}", [v.type for v in operands])


class Linear(Op):
    """One result, linear in each group of operands taken together, the other operands held fixed.

    `groups()` lists the groups: `((0,),)` for a reshape, `((0,), (1,))` for a product, `((0, 1, 2),)` for a
    concatenation of three. Operands in no group carry no derivative.
    """

    def groups(self, count: int) -> tuple[tuple[int, ...], ...]:
        """The groups, given the number of operands."""
        return ((0,),)

    @abstractmethod
    def transpose(self, b: Builder, operands: Values, cotangent: Value) -> Maybe:
        """For each operand in a group, the transpose of the map from it to the result, applied to `cotangent`."""

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        total: Value | None = None
        for group in self.groups(len(operands)):
            if all(tangents[i] is None for i in group):
                continue
            inputs = list(operands)
            for i in group:
                inputs[i] = tangents[i] or b.zeros(operands[i].type)
            term = b.node(self, *inputs)[0]
            total = term if total is None else b.add(total, term)
        return (total,)

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        (cotangent,) = cotangents
        assert cotangent is not None
        return self.transpose(b, operands, cotangent)


# -- elementwise -----------------------------------------------------------------------------------------------

Partial: TypeAlias = "Value | float | None"


class Elementwise(Op):
    """One result; every operand has its shape, and each element depends on the elements at the same place."""

    accepts: ClassVar[frozenset[DType]] = dtypes.FLOATS
    arity: ClassVar[int] = 1
    flops: ClassVar[int] = 1
    """A rough count of machine operations for one element, for the cost model."""

    @abstractmethod
    def apply(self, *operands: NumpyArray) -> NumpyArray:
        """The result in NumPy. Narrow floats arrive widened to f32, and the result is rounded back."""

    @abstractmethod
    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        """The partial derivative by each operand: a value, a number, or None where it is zero."""

    def result_dtype(self, dtype: DType) -> DType:
        """The element type of the result, given that of the operands."""
        return dtype

    def type(self, *operands: TensorType) -> Types:
        self.expect(operands, self.arity)
        self.check_elementwise(operands)
        given = operands[0].dtype
        dtype = self.result_dtype(given)
        return (operands[0] if dtype is given else TensorType(dtype, operands[0].shape),)

    def check_elementwise(self, operands: Types) -> None:
        """All operands have one shape and one accepted element type."""
        dtype = self.same_dtype(operands)
        if dtype not in self.accepts:
            names = ", ".join(d.name for d in dtypes.ALL if d in self.accepts)
            self.bad_dtype(operands, f"takes {names}, not {dtype}")
        self.same_shape(operands)

    def same_shape(self, operands: Types) -> None:
        for operand in operands[1:]:
            if not facts.same_shape(operand.shape, operands[0].shape):
                first, other = operands[0], operand
                if first.rank != other.rank:
                    self.bad_shape(operands, f"operands have ranks {first.rank} and {other.rank}")
                axis = next(i for i in range(first.rank) if not facts.same(first.shape[i], other.shape[i]))
                self.bad_shape(operands, f"axis {axis} has sizes {first.shape[axis]} and {other.shape[axis]}")

    def eval(self, *operands: NumpyArray) -> Arrays:
        dtype = dtypes.from_numpy(operands[0].dtype)
        if dtype.accumulator == dtype:
            return (np.asarray(self.apply(*operands), self.result_dtype(dtype).numpy),)
        widened = [np.asarray(x, np.float32) if x.dtype == dtype.numpy else x for x in operands]
        return (np.asarray(self.apply(*widened)).astype(self.result_dtype(dtype).numpy),)

    def jvp(self, b: Builder, operands: Values, results: Values, tangents: Maybe) -> Maybe:
        total: Value | None = None
        for partial, tangent in zip(self.partials(b, operands, results[0]), tangents, strict=True):
            term = _scaled(b, tangent, partial)
            if term is not None:
                total = term if total is None else b.add(total, term)
        return (total,)

    def vjp(self, b: Builder, operands: Values, results: Values, cotangents: Maybe) -> Maybe:
        return tuple(_scaled(b, cotangents[0], partial) for partial in self.partials(b, operands, results[0]))

    def batch(self, b: Builder, operands: Values, batched: tuple[bool, ...], size: dims.Dim) -> Values:
        return b.node(
            self, *(b.batch_front(v, is_batched, size) for v, is_batched in zip(operands, batched, strict=True))
        )

    def is_slow_in_numpy(self, operands: Types) -> bool:
        """NumPy computes all but the plainest functions of complex numbers one number at a time."""
        return self.slow_in_numpy or (operands[0].dtype.is_complex and self.flops > 1)

    def cost(self, operands: Types, results: Types) -> Cost:
        return Cost(self.flops * elements(results[0]), _bytes(operands) + _bytes(results))


def _scaled(b: Builder, tangent: Value | None, partial: Partial) -> Value | None:
    if tangent is None or partial is None:
        return None
    if isinstance(partial, Value):
        return b.mul(tangent, partial)
    if partial == 1:
        return tangent
    return b.neg(tangent) if partial == -1 else b.mul(tangent, partial)


class Flat(Elementwise):
    """An elementwise op whose derivative is zero wherever it has one, or whose result is no float."""

    def moves(self, moving: tuple[bool, ...], results: Types) -> tuple[bool, ...]:
        return (False,) * len(results)

    def partials(self, b: Builder, operands: Values, result: Value) -> tuple[Partial, ...]:
        return (None,) * len(operands)


# -- ways to compute in loops ----------------------------------------------------------------------------------


class Pull(Op):
    """Each element of the one result is an expression over elements of the operands."""

    @abstractmethod
    def element(self, index: tuple[Index, ...], operands: tuple[Reader, ...], types: Types) -> Expr:
        """The result's element at `index`; `types` are the operands'."""


@dataclass(frozen=True)
class Monoid:
    """How partial results combine: `combine(left, right)` is associative and `identity` is neutral."""

    identity: tuple[Const, ...]
    combine: Callable[[tuple[Expr, ...], tuple[Expr, ...]], tuple[Expr, ...]]
    take: Callable[[tuple[Expr, ...], tuple[Expr, ...]], tuple[Expr, ...]] | None = None
    """As `combine`, where a single term comes to what stands before it: cheaper where the order of terms decides."""

    @cached_property
    def _combined(self) -> tuple[tuple[Local, ...], tuple[Local, ...], tuple[Expr, ...], tuple[Expr, ...]]:
        """Placeholders for values on the left and on the right, what they come to, and what they do where those on the
        right are a single term: the same in all carries."""
        left = tuple([Local(f"left{i}", c.dtype) for i, c in enumerate(self.identity)])
        right = tuple([Local(f"right{i}", c.dtype) for i, c in enumerate(self.identity)])
        return left, right, self.combine(left, right), () if self.take is None else self.take(left, right)

    def carry(self, name: str, initial: tuple[Expr, ...] = ()) -> Carry:
        """A carry for a loop that starts from these values, or else from the identity."""
        several = len(self.identity) > 1
        running = tuple([Local(f"{name}_{i}" if several else name, c.dtype) for i, c in enumerate(self.identity)])
        return Carry(running, initial or self.identity, *self._combined)


class Fold(Op):
    """Each element of the one result combines terms over a domain of its own, such as the axes that are summed."""

    @abstractmethod
    def domain(self, types: Types) -> tuple[dims.Dim, ...]:
        """The extents of the domain of the terms of one element."""

    @abstractmethod
    def monoid(self, types: Types) -> Monoid:
        """How terms combine; its element types are those of the running values."""

    @abstractmethod
    def terms(
        self, index: tuple[Index, ...], point: tuple[Index, ...], operands: tuple[Reader, ...], types: Types
    ) -> tuple[Expr, ...]:
        """The term that the point of the domain gives to the element at `index`."""

    @abstractmethod
    def finish(self, values: tuple[Expr, ...], types: Types) -> Expr:
        """The element, from the combined values."""


class Running(Op):
    """Partial combinations along one axis: result element k combines elements 0 … k of the operands' lines.

    Operands and the one result have the same shape.
    """

    divides: ClassVar[bool] = False
    """Whether parts of a line may be combined for themselves first, which gets no number out of range that stays within
    it otherwise."""

    @abstractmethod
    def line(self, types: Types) -> tuple[int, bool]:
        """The axis, and whether it runs from the end."""

    @abstractmethod
    def monoid(self, types: Types) -> Monoid:
        """How terms combine: `combine(left, right)` has the terms that come first on the left."""

    @abstractmethod
    def term(self, *elements: Expr) -> tuple[Expr, ...]:
        """What the operands' elements at one place contribute."""

    @abstractmethod
    def finish(self, values: tuple[Expr, ...], types: Types) -> Expr:
        """The result's element, from the running values."""


class Pack(Op):
    """Each line of the one result lists, in order, the places along the operand's last axis that are taken.

    The result is as long as its type says: places beyond that are left out, and where there are fewer, the rest is
    the length of that axis.
    """

    @abstractmethod
    def takes(self, index: tuple[Index, ...], operands: tuple[Reader, ...]) -> Expr:
        """The truth value that says whether the place at the end of `index` is taken."""


class Push(Op):
    """The result is a copy of operand 0 into which updates are combined one after the other, in row-major order."""

    @abstractmethod
    def domain(self, types: Types) -> tuple[dims.Dim, ...]:
        """The extents of the domain of updates."""

    @abstractmethod
    def disjoint(self, types: Types) -> tuple[bool, ...]:
        """For each axis of the domain, whether points that differ along it never update the same place.

        The iterations of such an axis may run at once and in any order, and its loop may stand outside of others.
        """

    @abstractmethod
    def place(
        self, point: tuple[Index, ...], operands: tuple[Reader, ...], types: Types
    ) -> tuple[tuple[Within, ...], tuple[Index, ...]]:
        """Tests, and where in the result the update at `point` goes.

        The update is made where every test holds; the place lies within the result there.
        """

    @abstractmethod
    def update(self, point: tuple[Index, ...], old: Expr, operands: tuple[Reader, ...], types: Types) -> Expr:
        """The new element, from the old one."""

    def monoid(self, types: Types) -> Monoid | None:
        """How an element and its updates combine, if their order changes no bit of the result; None if it may."""
        return None


@dataclass(frozen=True, slots=True)
class Task:
    """What a routine of the target is asked to do: `count` independent pieces, each by the same `numbers`."""

    name: str
    numbers: tuple[dims.Dim, ...]
    count: dims.Dim
    work: dims.Dim
    """Scalar operations of all pieces, which decide whether threads share them."""
    room: dims.Dim = 0
    """Bytes of memory that it needs besides operands and results."""
    begins: bool = False
    """Whether it does something first, on the thread that runs the program, which may fail."""


class Routine(Op):
    """Results are written as a whole, from whole operands, by native code that is the same for every program.

    Where operands or results are of complex numbers, the routine finds the two parts of each side by side in memory.
    """

    @abstractmethod
    def task(self, types: Types) -> Task:
        """Which routine, and what it is told; `types` are the operands'."""


def apply(op: Elementwise, *args: Expr) -> Expr:
    """An elementwise op on scalars."""
    return Apply(op, args, op.result_dtype(args[0].dtype))
