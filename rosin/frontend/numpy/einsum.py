"""Sums of products written as an equation of axes: Einstein's convention."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rosin.frontend import core
from rosin.frontend.core import DTypeLike
from rosin.frontend.numpy import creation, elementwise, linear, manipulation, promote, reductions
from rosin.frontend.numpy.promote import ArrayLike
from rosin.ir import facts
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Dim
from rosin.ir.dtypes import DType

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Labels = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Term:
    """An array whose axes have labels, each once."""

    array: Array
    labels: Labels


def einsum(
    equation: str, /, *operands: ArrayLike, optimize: Any = True, preferred_element_type: DTypeLike | None = None
) -> Array:
    """The sum of products that the equation says, such as `"bij,bjk->bik"` for a batch of matrix products.

    Each operand has a letter for each axis. Axes of one letter run together; letters that the result lacks are summed
    over, `...` too, which stands for further axes, that broadcast. Without `->` the result has the axes of `...`, then
    the letters that occur once, in alphabetical order. A letter twice in an operand takes its diagonal.

    Products are formed pair by pair, next the pair whose product grows least over what it replaces. That is so whatever
    `optimize` is, by which NumPy chooses an order. All sums are taken in `preferred_element_type`, if it is given, of
    which the result is; see `matmul`.

    Raises:
        AttributeValueError: the equation cannot be read.
        ShapeError: letters and axes differ in number, or a letter has two sizes.
        DTypeError: the preferred type is narrower than the operands' or of another kind.
    """
    arrays = promote.alike("einsum", *operands) if operands else tuple["Array", ...]()
    inputs, output = _parse(equation, arrays)
    dtype = core.dtype_of(arrays[0])
    if preferred_element_type is not None:
        arrays, dtype = linear.numbers("einsum", preferred_element_type, *arrays)
    sizes = _sizes(equation, inputs, arrays)
    terms = [_Term(x, labels) for x, labels in zip(arrays, inputs, strict=True)]
    terms = [_diagonal(term) for term in _without_ones(terms, sizes)]
    while len(terms) > 1:
        terms = [_summed(term, _needed(output, [t for t in terms if t is not term]), dtype) for term in terms]
        i, j = _next_pair(terms, output, sizes)
        rest = [term for k, term in enumerate(terms) if k not in (i, j)]
        terms = [*rest, _product(terms[i], terms[j], _needed(output, rest), dtype)]
    last = _summed(terms[0], frozenset(output), dtype)
    result = manipulation.permute_dims(last.array, [last.labels.index(label) for label in output])
    return promote.cast(result, dtype)


# -- reading the equation ----------------------------------------------------------------------------------------------


def _parse(equation: str, arrays: Sequence[Array]) -> tuple[list[Labels], Labels]:
    """The labels of each operand and of the result; the axes of `...` are labelled by their place from its end."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    parts = left.split(",")
    if len(parts) != len(arrays) or not arrays:
        promote.bad_value(f"einsum: {equation!r} is for {len(parts)} operands, and there are {len(arrays)}", *arrays)
    inputs = [_labels(equation, part, len(core.shape_of(x)), arrays) for part, x in zip(parts, arrays, strict=True)]
    used = list(itertools.chain.from_iterable(inputs))
    dots = sorted({label for label in used if label.startswith(".")}, key=lambda label: -int(label[1:]))
    if not arrow:
        once = sorted(label for label in set(used) if not label.startswith(".") and used.count(label) == 1)
        return inputs, (*dots, *once)
    shown = len(dots) if "..." in right else 0
    output = _labels(equation, right, len(right.replace("...", "")) + shown, arrays)
    for label in output:
        if label not in used:
            promote.bad_value(f"einsum: {label!r} of the result of {equation!r} is in no operand", *arrays)
        if output.count(label) > 1:
            promote.bad_value(f"einsum: {label!r} is twice in the result of {equation!r}", *arrays)
    return inputs, output


def _labels(equation: str, part: str, rank: int, arrays: Sequence[Array]) -> Labels:
    before, dots, after = part.partition("...")
    letters = before + after
    if not all(letter.isalpha() for letter in letters):
        wrong = next(letter for letter in letters if not letter.isalpha())
        promote.bad_value(f"einsum: {wrong!r} in {equation!r} is neither a letter nor one of `,`, `->`, `...`", *arrays)
    extra = rank - len(letters)
    if extra < 0 or (extra and not dots):
        promote.bad_shape(
            f"einsum: {part!r} in {equation!r} names {len(letters)} axes of an array of rank {rank}", *arrays
        )
    return (*before, *(f".{place}" for place in range(extra, 0, -1)), *after)


def _sizes(equation: str, inputs: Sequence[Labels], arrays: Sequence[Array]) -> dict[str, Dim]:
    sizes: dict[str, Dim] = {}
    for labels, x in zip(inputs, arrays, strict=True):
        for label, size in zip(labels, core.shape_of(x), strict=True):
            known = sizes.setdefault(label, size)
            if known == size or (label.startswith(".") and size == 1):
                continue
            if label.startswith(".") and known == 1:
                sizes[label] = size
                continue
            if facts.same(known, size):
                continue
            name = f"axis {label[1:]} from the end of `...`" if label.startswith(".") else repr(label)
            promote.bad_shape(f"einsum: {name} in {equation!r} has sizes {known} and {size}", *arrays)
    return sizes


# -- one operand -------------------------------------------------------------------------------------------------------


def _without_ones(terms: Sequence[_Term], sizes: dict[str, Dim]) -> list[_Term]:
    """Axes of `...` that broadcast, of size 1 where others are larger, are dropped."""
    result: list[_Term] = []
    for term in terms:
        shape = core.shape_of(term.array)
        wide = [axis for axis, label in enumerate(term.labels) if shape[axis] == 1 and sizes[label] != 1]
        kept = tuple(label for axis, label in enumerate(term.labels) if axis not in wide)
        result.append(_Term(manipulation.squeeze(term.array, tuple(wide)), kept) if wide else term)
    return result


def _diagonal(term: _Term) -> _Term:
    """Each label once: of axes that share one, the diagonal."""
    array, labels = term.array, list(term.labels)
    for label in sorted(set(labels)):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            array = creation.diagonal(manipulation.moveaxis(array, (first, second), (-2, -1)))
            labels = [*(other for k, other in enumerate(labels) if k not in (first, second)), label]
    return _Term(array, tuple(labels))


def _summed(term: _Term, needed: frozenset[str], dtype: DType) -> _Term:
    """Labels that nothing else needs are summed over."""
    axes = tuple(axis for axis, label in enumerate(term.labels) if label not in needed)
    if not axes:
        return term
    total = reductions.sum(term.array, axis=axes, dtype=dtype)
    return _Term(total, tuple(label for label in term.labels if label in needed))


def _needed(output: Labels, others: Sequence[_Term]) -> frozenset[str]:
    return frozenset(output).union(*(term.labels for term in others))


# -- pairs -------------------------------------------------------------------------------------------------------------


def _next_pair(terms: Sequence[_Term], output: Labels, sizes: dict[str, Dim]) -> tuple[int, int]:
    """The pair whose product grows least over what it replaces."""

    def elements(labels: frozenset[str]) -> int:
        total = 1
        for label in labels:
            size = sizes[label]
            total *= facts.estimate(size)
        return total

    def growth(pair: tuple[int, int]) -> int:
        a, b = (frozenset(terms[k].labels) for k in pair)
        rest = _needed(output, [term for k, term in enumerate(terms) if k not in pair])
        return elements((a | b) & rest) - elements(a) - elements(b)

    return min(itertools.combinations(range(len(terms)), 2), key=growth)


def _product(a: _Term, b: _Term, needed: frozenset[str], dtype: DType) -> _Term:
    """The product of two terms, summed over the labels that they share and nothing else needs."""
    if core.dtype_of(a.array) != core.dtype_of(b.array):
        # One of them is a sum in the preferred type already.
        a, b = _cast(a, dtype), _cast(b, dtype)
    shared = [label for label in a.labels if label in b.labels]
    summed = [label for label in shared if label not in needed]
    if not summed:
        return _elementwise(_cast(a, dtype), _cast(b, dtype))
    batch = [label for label in shared if label in needed]

    def axes(term: _Term, labels: Sequence[str]) -> tuple[int, ...]:
        return tuple(term.labels.index(label) for label in labels)

    result = linear.contract(
        promote.numeric("einsum", a.array),
        b.array,
        (axes(a, summed), axes(b, summed)),
        (axes(a, batch), axes(b, batch)),
        dtype,
    )
    free = [label for term in (a, b) for label in term.labels if label not in shared]
    return _Term(result, (*batch, *free))


def _cast(term: _Term, dtype: DType) -> _Term:
    return _Term(promote.cast(term.array, dtype), term.labels)


def _elementwise(a: _Term, b: _Term) -> _Term:
    """A product that sums over nothing, by broadcasting."""
    labels = (*a.labels, *(label for label in b.labels if label not in a.labels))
    new = len(labels) - len(a.labels)
    left = manipulation.expand_dims(a.array, tuple(range(-new, 0))) if new else a.array
    order = [b.labels.index(label) for label in labels if label in b.labels]
    right = manipulation.permute_dims(b.array, order)
    missing = tuple(axis for axis, label in enumerate(labels) if label not in b.labels)
    right = manipulation.expand_dims(right, missing) if missing else right
    return _Term(elementwise.multiply(left, right), labels)
