"""How many elements there are of each whole number, and in each of some bins.

Bins are given by their edges, in increasing order, or by their number, and are then of equal width between the least
and the greatest element, or between the two ends of `range`. A bin holds its left edge; the last one holds both. NaNs
and what is outside are in no bin. Counts have the default integer type, or with weights that of the weights.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from rosin.frontend import core
from rosin.frontend.core import DEFAULT_FLOAT, DEFAULT_INT
from rosin.frontend.numpy import creation, elementwise, indexing, logic, manipulation, promote, reductions
from rosin.frontend.numpy.promote import ArrayLike
from rosin.frontend.numpy.searching import searchsorted
from rosin.ir import dims, dtypes, facts
from rosin.ir.dims import Dim
from rosin.ir.op import NumpyArray
from rosin.ir.types import shape_text

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Range: TypeAlias = "tuple[ArrayLike, ArrayLike] | None"
Bins: TypeAlias = "int | str | Sequence[float] | ArrayLike"

_NUMBER = "give the length that the result is to have: length=…"


# -- whole numbers -----------------------------------------------------------------------------------------------------


def bincount(
    x: ArrayLike, /, weights: ArrayLike | None = None, minlength: int = 0, *, length: Dim | None = None
) -> Array:
    """How often each of the numbers 0, 1, 2, … is among the integers x, or the sum of its weights.

    The result goes up to the greatest number there is, and is at least `minlength` long; or it has `length` elements,
    and greater numbers are left out. In a traced function the length has to be given. Negative numbers are left out;
    NumPy raises.

    Raises:
        ShapeError: x is no vector, or the weights have another shape.
        DTypeError: x is not of integers.
        TraceError: x is traced and there is no length.
    """
    operand = promote.array("bincount", x)
    shape, dtype = core.shape_of(operand), core.dtype_of(operand)
    if len(shape) != 1:
        promote.bad_shape(f"bincount: takes a vector, not an array of rank {len(shape)}", operand)
    if not (dtype.is_integer or dtype.kind == "bool"):
        promote.bad_dtype(f"bincount: counts integers, not {dtype}", operand)
    least = promote.as_int("bincount", minlength, "minlength")
    if least < 0:
        promote.bad_value(f"bincount: minlength is {least}; it is not negative", operand)
    if length is None:
        known: NumpyArray = core.concrete(
            operand, "bincount: the greatest number settles the length of its result", _NUMBER
        )
        size: Dim = builtins.max(int(known.max()) + 1 if known.size else 0, least)
    else:
        size = promote.as_size("bincount", length, "length")
    return _counted(operand, size, _weights("bincount", operand, weights))


def _weights(name: str, x: Array, weights: ArrayLike | None) -> Array | None:
    """Weights as a line of numbers that sums are made of."""
    if weights is None:
        return None
    given = promote.array(name, weights)
    shape, own = core.shape_of(x), core.shape_of(given)
    if not facts.same_shape(own, shape):
        promote.bad_shape(f"{name}: the weights have shape {shape_text(own)} and x has {shape_text(shape)}", x, given)
    return promote.cast(manipulation.ravel(given), promote.accumulator_of(core.dtype_of(given)))


def _counted(places: Array, length: Dim, weights: Array | None) -> Array:
    """For each place the sum of weights that go there; what goes further, or is negative, is left out."""
    dtype = DEFAULT_INT if weights is None else core.dtype_of(weights)
    # Numbers without a sign do not count from the end: negative ones become such that are beyond every place.
    places = promote.cast(places, dtypes.u64 if core.dtype_of(places).bits > 32 else dtypes.u32)
    start = creation.zeros((length,), dtype=dtype)
    return start.at[places].add(1 if weights is None else weights)


# -- bins --------------------------------------------------------------------------------------------------------------


RULES = ("auto", "sqrt", "sturges", "rice", "scott", "fd", "doane", "stone")


def _widths(ends: tuple[float, float]) -> dict[str, Callable[[np.ndarray[Any, Any], float], float]]:
    """The rules that choose the number of bins: how wide one is, of some numbers with a range; NumPy has the same.

    ends: between which the bins are.
    """

    def sturges(x: np.ndarray[Any, Any], span: float) -> float:
        return span / (math.log2(x.size) + 1)

    def spread(x: np.ndarray[Any, Any], span: float) -> float:
        """Freedman and Diaconis, "On the histogram as a density estimator" (1981)."""
        high, low = np.percentile(x, [75, 25])
        return 2.0 * float(high - low) * x.size ** (-1 / 3)

    def skewed(x: np.ndarray[Any, Any], span: float) -> float:
        """Doane, "Aesthetic frequency classifications" (1976)."""
        size, sigma = x.size, float(np.std(x))
        if size < 3 or sigma == 0:
            return 0.0
        cubes = ((x - float(np.mean(x))) / sigma) ** 3
        skew = builtins.abs(float(cubes.mean()))
        unit = math.sqrt(6 * (size - 2) / ((size + 1) * (size + 3)))
        return span / (1 + math.log2(size) + math.log2(1 + skew / unit))

    def smaller(x: np.ndarray[Any, Any], span: float) -> float:
        return builtins.min(builtins.max(spread(x, span), span / math.sqrt(x.size) / 2), sturges(x, span))

    def cross_validated(x: np.ndarray[Any, Any], span: float) -> float:
        """Stone's rule: the number of bins of the least estimated squared error (Scott 1992, 3.3.2.4)."""
        most = builtins.max(100, math.isqrt(x.size))
        if x.size < 2 or not span:
            return 0.0

        def loss(count: int) -> float:
            shares = np.histogram(x, count, ends)[0] / x.size
            return count * (2.0 - (x.size + 1) * float(shares @ shares))

        return span / builtins.min(builtins.range(1, most + 1), key=loss)

    return {
        "sqrt": lambda x, span: span / math.sqrt(x.size),
        "sturges": sturges,
        "rice": lambda x, span: span / (2 * x.size ** (1 / 3)),
        "scott": lambda x, span: (24 * math.sqrt(math.pi) / x.size) ** (1 / 3) * float(np.std(x)),
        "fd": spread,
        "doane": skewed,
        "auto": smaller,
        "stone": cross_validated,
    }


def _number_of_bins(name: str, x: Array, rule: str, range: Range) -> int:
    """The number of bins that a rule chooses, which depends on the numbers themselves."""
    if rule not in RULES:
        promote.bad_value(f"{name}: the rule is one of {', '.join(RULES)}, not {rule!r}", x)
    known = core.concrete(x, f"{name}: the rule {rule!r} chooses the number of bins by them", "give a number of bins")
    numbers = known.astype(np.float64).ravel()
    if not numbers.size:
        return 1
    low, high = (float(numbers.min()), float(numbers.max())) if range is None else map(_end, range)
    if low == high:
        low, high = low - 0.5, high + 0.5
    inside = numbers[(numbers >= low) & (numbers <= high)]
    width = _widths((low, high))[rule](inside, float(np.ptp(inside))) if inside.size else 0.0
    if width and core.dtype_of(x).is_integer:
        width = builtins.max(width, 1.0)
    return builtins.max(math.ceil((high - low) / width), 1) if width else 1


def _end(value: ArrayLike) -> float:
    return float(np.asarray(value))


def histogram_bin_edges(
    x: ArrayLike, /, bins: Bins = 10, range: Range = None, weights: ArrayLike | None = None
) -> Array:
    """The edges of the bins that `histogram` has, which see. Weights change nothing."""
    operand = promote.array("histogram_bin_edges", x)
    return _shown(operand, _edges("histogram_bin_edges", operand, bins, range), bins)


def _shown(x: Array, edges: Array, bins: Bins) -> Array:
    """The edges as results have them. Those of equal bins of whole numbers are f64 until then."""
    is_float = core.dtype_of(x).is_float
    result = edges if is_float or not _is_number(bins) else promote.cast(edges, DEFAULT_FLOAT)
    return core.another(result, (bins,))


def _edges(name: str, x: Array, bins: Bins, range: Range) -> Array:
    own = core.dtype_of(x)
    if own.is_complex:
        promote.bad_dtype(f"{name}: complex numbers have no order", x)
    if isinstance(bins, str):
        bins = _number_of_bins(name, x, bins, range)
    if isinstance(bins, int | np.integer) or (promote.is_array(bins) and core.shape_of(bins) == ()):
        count = promote.as_int(name, bins, "the number of bins")
        if count < 1:
            promote.bad_value(f"{name}: there are {count} bins; there is at least 1", x)
        low, high = _ends(name, x, range)
        edges = creation.linspace(low, high, count + 1)
        return promote.cast(edges, own) if own.is_float else edges
    return _given_edges(name, x, bins)


def _given_edges(name: str, x: Array, bins: ArrayLike | Sequence[float]) -> Array:
    own = core.dtype_of(x)
    # Python's numbers lose no digit that the elements could tell.
    as_ours = own if isinstance(bins, Sequence) and own.is_float else None
    given = bins if promote.is_array(bins) else core.asarray(bins, as_ours)
    if len(core.shape_of(given)) != 1:
        promote.bad_shape(f"{name}: edges are a vector, not an array of rank {len(core.shape_of(given))}", x, given)
    if not core.is_tracer(bins):
        known = core.known(bins)
        falls = np.flatnonzero(known[1:] < known[:-1])
        if falls.size:
            i = int(falls[0])
            promote.bad_value(f"{name}: edges increase, but edge {i} is {known[i]} and edge {i + 1} is {known[i + 1]}")
    return given


def _ends(name: str, x: Array, range: Range) -> tuple[Array, Array]:
    """The ends of the bins: those given, or the extreme elements; a bin of width 1 where these are equal."""
    own = core.dtype_of(x)
    # Whole numbers beyond 2**24 are told apart in f64 alone.
    work = own.accumulator if own.is_float else dtypes.f64
    if range is not None:
        low, high = (core.asarray(end, work) for end in range)
        if not any(map(core.is_tracer, range)):
            first, last = map(_end, range)
            if first > last:
                promote.bad_value(f"{name}: the range ends at {last}, before its start {first}", x)
            if not (math.isfinite(first) and math.isfinite(last)):
                promote.bad_value(f"{name}: the range from {first} to {last} is not finite", x)
    elif 0 in core.shape_of(x):
        low, high = (core.asarray(end, work) for end in (0.0, 1.0))
    else:
        numbers = promote.cast(x, work)
        low, high = reductions.min(numbers), reductions.max(numbers)
    alone = logic.equal(low, high)
    half = logic.where(alone, 0.5, 0.0)
    return elementwise.subtract(low, half), elementwise.add(high, half)


def _bin_of(name: str, x: Array, edges: Array, uniform: bool) -> Array:
    """For each element the number of its bin; the number of bins where it is in none."""
    numbers, edges = promote.alike(name, x, edges)
    count = core.shape_of(edges)[0] - 1
    last = indexing.getitem(edges, -1)
    if uniform:
        place = _uniform_bin(numbers, edges)
    else:
        place = elementwise.subtract(searchsorted(edges, numbers, side="right"), 1)
    place = logic.where(logic.equal(numbers, last), _size(count) - 1, place)
    first = indexing.getitem(edges, 0)
    inside = logic.logical_and(logic.greater_equal(numbers, first), logic.less_equal(numbers, last))
    return logic.where(inside, place, _size(count))


def _size(count: Dim) -> Any:
    return count if isinstance(count, int) else core.size_array(count, DEFAULT_INT)


def _uniform_bin(x: Array, edges: Array) -> Array:
    """The bin among bins of equal width: found by a product, and put right where that rounds over an edge."""
    count = core.shape_of(edges)[0] - 1
    first, last = indexing.getitem(edges, 0), indexing.getitem(edges, -1)
    work = core.dtype_of(x).accumulator
    scale = elementwise.divide(_size(count), elementwise.subtract(promote.cast(last, work), promote.cast(first, work)))
    raw = elementwise.multiply(elementwise.subtract(promote.cast(x, work), promote.cast(first, work)), scale)
    place = promote.cast(elementwise.clip(raw, 0, _size(count - 1)), DEFAULT_INT)
    low = indexing.at_places(edges, place)
    high = indexing.at_places(edges, elementwise.add(place, 1))
    place = elementwise.subtract(place, promote.cast(logic.less(x, low), DEFAULT_INT))
    return elementwise.add(place, promote.cast(logic.greater_equal(x, high), DEFAULT_INT))


def _is_number(bins: Any) -> bool:
    return isinstance(bins, int | str | np.integer) or (promote.is_array(bins) and core.shape_of(bins) == ())


def histogram(
    x: ArrayLike, /, bins: Bins = 10, range: Range = None, density: bool = False, weights: ArrayLike | None = None
) -> tuple[Array, Array]:
    """How many elements are in each bin, and the edges of the bins, one more than there are bins.

    bins: their number, their edges, or one of the rules "auto", "sqrt", "sturges", "rice", "scott", "fd", "doane",
        "stone", which choose a number by the elements, and which traced arrays therefore do not have.
    density: counts are divided by the sum of all and the width of the bin.
    weights: how much each element counts.

    Raises:
        AttributeValueError: edges decrease, the range does, or there is no bin.
        ShapeError: weights have another shape than x, or edges are no vector.
    """
    operand = promote.array("histogram", x)
    if core.dtype_of(operand).kind == "bool":
        operand = promote.cast(operand, dtypes.u8)
    edges = _edges("histogram", operand, bins, range)
    place = _bin_of("histogram", manipulation.ravel(operand), edges, _is_number(bins))
    counts = _counted(place, core.shape_of(edges)[0] - 1, _weights("histogram", operand, weights))
    edges = _shown(operand, edges, bins)
    return (_density(counts, [edges]) if density else counts), edges


def _density(counts: Array, edges: Sequence[Array]) -> Array:
    """Counts divided by their sum and the volumes of their bins."""
    wide = promote.floating("histogram", counts)
    for line in edges:
        wide = promote.cast(wide, promote.promote_types(core.dtype_of(wide), core.dtype_of(line)))
    result = elementwise.divide(wide, reductions.sum(wide))
    for axis, line in enumerate(edges):
        width = promote.cast(reductions.diff(line), core.dtype_of(result))
        shape = [1] * len(edges)
        shape[axis] = -1
        result = elementwise.divide(result, manipulation.reshape(width, shape))
    return result


def histogramdd(
    sample: ArrayLike | Sequence[ArrayLike],
    /,
    bins: Any = 10,
    range: Sequence[Range] | None = None,
    density: bool = False,
    weights: ArrayLike | None = None,
) -> tuple[Array, list[Array]]:
    """How many points are in each cell of a grid, and the edges of the grid along each axis.

    sample: a row for each point, or a sequence of vectors, one for each coordinate.
    bins: the number of bins of all axes, or for each axis a number or edges.
    range: for each axis its two ends, or None.

    Raises:
        ShapeError: there are not bins and ranges for all axes, or weights for all points.
    """
    if isinstance(sample, Sequence):
        lines = [promote.array("histogramdd", line) for line in sample]
    else:
        points = promote.array("histogramdd", sample)
        if len(core.shape_of(points)) == 1:
            points = manipulation.expand_dims(points, 1)
        if len(core.shape_of(points)) != 2:
            rank = len(core.shape_of(points))
            promote.bad_shape(f"histogramdd: the sample has a row for each point, not rank {rank}", points)
        lines = list(manipulation.unstack(points, axis=1))
    rank = len(lines)
    each = [bins] * rank if _is_number(bins) else list(bins)
    ranges = [None] * rank if range is None else list(range)
    if len(each) != rank or len(ranges) != rank:
        promote.bad_shape(f"histogramdd: {len(each)} bins and {len(ranges)} ranges for {rank} coordinates", *lines)
    edges = [_edges("histogramdd", line, own, ends) for line, own, ends in zip(lines, each, ranges, strict=True)]
    counts = [core.shape_of(line)[0] - 1 for line in edges]
    total = dims.product(counts)
    place: Any = 0
    outside: Any = False
    for line, edge, own, count in zip(lines, edges, each, counts, strict=True):
        number = _bin_of("histogramdd", line, edge, _is_number(own))
        outside = logic.logical_or(outside, logic.equal(number, _size(count)))
        place = elementwise.add(elementwise.multiply(place, _size(count)), number)
    place = logic.where(outside, _size(total), place)
    result = manipulation.reshape(_counted(place, total, _weights("histogramdd", lines[0], weights)), tuple(counts))
    edges = [_shown(line, edge, own) for line, edge, own in zip(lines, edges, each, strict=True)]
    return (_density(result, edges) if density else result), edges


def histogram2d(
    x: ArrayLike,
    y: ArrayLike,
    /,
    bins: Any = 10,
    range: Sequence[Range] | None = None,
    density: bool = False,
    weights: ArrayLike | None = None,
) -> tuple[Array, Array, Array]:
    """How many points (x, y) are in each cell of a grid, and the edges along both axes; see `histogramdd`.

    bins: a number, edges for both axes, or a pair of these.
    """
    if not _is_number(bins) and len(bins) != 2:
        bins = [bins, bins]
    counts, edges = histogramdd([x, y], bins, range, density, weights)
    return counts, edges[0], edges[1]


__all__ = ["bincount", "histogram", "histogram2d", "histogram_bin_edges", "histogramdd"]
