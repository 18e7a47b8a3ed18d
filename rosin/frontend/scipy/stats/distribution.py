"""What distributions have in common: parameters by place or by name, location and scale, the ends of the support.

The methods that concrete ones state take what their own parameters are, by place.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from rosin.frontend import numpy as rnp
from rosin.frontend import trace as tr
from rosin.frontend.errors import ArgumentError
from rosin.frontend.numpy import promote
from rosin.frontend.numpy.promote import ArrayLike

if TYPE_CHECKING:
    from rosin.frontend.array import Array


class Distribution(ABC):
    """A family of distributions; `parameters` name those of its own, in SciPy's order."""

    parameters: ClassVar[tuple[str, ...]] = ()
    places: ClassVar[tuple[str, ...]] = ("loc",)
    """The names of what moves and stretches."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<rosin.scipy.stats.{self.name}>"

    def _given(
        self, method: str, x: ArrayLike, args: tuple[ArrayLike, ...], named: dict[str, ArrayLike]
    ) -> list[Array]:
        """The numbers and all parameters, promoted to floats of one type and broadcast."""
        names = (*self.parameters, *self.places)
        defaults: dict[str, ArrayLike] = {"loc": 0.0, "scale": 1.0}
        if len(args) > len(names):
            self._refuse(method, f"takes {', '.join(names)}, and was given {len(args)} parameters")
        values = dict(zip(names, args, strict=False))
        for name, value in named.items():
            if name not in names or name in values:
                self._refuse(
                    method, f"was given {name} {'twice' if name in values else 'and takes ' + ', '.join(names)}"
                )
            values[name] = value
        missing = [name for name in self.parameters if name not in values]
        if missing:
            self._refuse(method, f"takes {', '.join(missing)} too")
        wanted = [values[name] if name in values else defaults[name] for name in names]
        return list(promote.promoted(f"{self.name}.{method}", x, *wanted, floating=True))

    def _refuse(self, method: str, why: str) -> NoReturn:
        raise tr.located(ArgumentError(f"{self.name}.{method}: {why}"))

    @abstractmethod
    def valid(self, *parameters: Array) -> Array | bool:
        """Where the distribution's own parameters are in their domain."""


def log_of(chance: Array, rest: Array) -> Array:
    """log(chance), from the rest to 1 where that has more digits."""
    small = rest < 0.5
    return rnp.where(small, rnp.log1p(-rnp.where(small, rest, 0)), rnp.log(rnp.where(small, 1, chance)))


class Continuous(Distribution):
    """A distribution with a density. Concrete ones state it for location 0 and scale 1, within the support."""

    places = ("loc", "scale")
    support: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def valid(self, *parameters: Array) -> Array | bool:
        """Where all are positive."""
        found: Array | bool = True
        for parameter in parameters:
            found = (parameter > 0) & found
        return found

    @abstractmethod
    def log_density(self, *args: Any, **kwargs: Any) -> Array:
        """The logarithm of the density."""

    @abstractmethod
    def below(self, *args: Any, **kwargs: Any) -> Array:
        """The probability of what is at most y."""

    @abstractmethod
    def above(self, *args: Any, **kwargs: Any) -> Array:
        """The probability of what is above y."""

    def log_below(self, *args: Any, **kwargs: Any) -> Array:
        return log_of(self.below(*args), self.above(*args))

    def log_above(self, *args: Any, **kwargs: Any) -> Array:
        return log_of(self.above(*args), self.below(*args))

    @abstractmethod
    def quantile(self, *args: Any, **kwargs: Any) -> Array:
        """The number that the probability q is below."""

    @abstractmethod
    def upper_quantile(self, *args: Any, **kwargs: Any) -> Array:
        """The number that the probability q is above."""

    # -- SciPy's names -----------------------------------------------------------------------------------------

    def logpdf(self, x: ArrayLike, *args: ArrayLike, **named: ArrayLike) -> Array:
        """The logarithm of the density at x."""
        x_, *parameters, loc, scale = self._given("logpdf", x, args, named)
        y = (x_ - loc) / scale
        low, high = self.support
        inside = (y >= low) & (y <= high)
        found = self.log_density(rnp.where(inside, y, self._inner), *parameters) - rnp.log(scale)
        return self._checked(rnp.where(inside, found, -math.inf), y, parameters, scale)

    def pdf(self, x: ArrayLike, *args: ArrayLike, **named: ArrayLike) -> Array:
        """The density at x."""
        return rnp.exp(self.logpdf(x, *args, **named))

    def cdf(self, x: ArrayLike, *args: ArrayLike, **named: ArrayLike) -> Array:
        """The probability of numbers of at most x."""
        return self._probability("cdf", self.below, (0.0, 1.0), x, args, named)

    def sf(self, x: ArrayLike, *args: ArrayLike, **named: ArrayLike) -> Array:
        """The probability of numbers above x, which has digits where it is small."""
        return self._probability("sf", self.above, (1.0, 0.0), x, args, named)

    def logcdf(self, x: ArrayLike, *args: ArrayLike, **named: ArrayLike) -> Array:
        """The logarithm of the probability of numbers of at most x."""
        return self._probability("logcdf", self.log_below, (-math.inf, 0.0), x, args, named)

    def logsf(self, x: ArrayLike, *args: ArrayLike, **named: ArrayLike) -> Array:
        """The logarithm of the probability of numbers above x."""
        return self._probability("logsf", self.log_above, (0.0, -math.inf), x, args, named)

    def ppf(self, q: ArrayLike, *args: ArrayLike, **named: ArrayLike) -> Array:
        """The quantile: the number that cdf gives q of; NaN outside of 0 … 1."""
        return self._quantile("ppf", self.quantile, q, args, named)

    def isf(self, q: ArrayLike, *args: ArrayLike, **named: ArrayLike) -> Array:
        """The number that sf gives q of; NaN outside of 0 … 1."""
        return self._quantile("isf", self.upper_quantile, q, args, named)

    # -- what they share ---------------------------------------------------------------------------------------

    @property
    def _inner(self) -> float:
        """A number within the support, whose density is computed where it is not asked for."""
        low, high = self.support
        return 0.5 if high == 1 else low + 1 if low > -math.inf else 0.0

    def _probability(
        self,
        method: str,
        function: Callable[..., Array],
        ends: tuple[float, float],
        x: ArrayLike,
        args: tuple[ArrayLike, ...],
        named: dict[str, ArrayLike],
    ) -> Array:
        x_, *parameters, loc, scale = self._given(method, x, args, named)
        y = (x_ - loc) / scale
        low, high = self.support
        inside = (y > low) & (y < high)
        found = function(rnp.where(inside, y, self._inner), *parameters)
        found = rnp.where(y <= low, ends[0], rnp.where(y >= high, ends[1], found))
        return self._checked(found, y, parameters, scale)

    def _quantile(
        self,
        method: str,
        function: Callable[..., Array],
        q: ArrayLike,
        args: tuple[ArrayLike, ...],
        named: dict[str, ArrayLike],
    ) -> Array:
        q_, *parameters, loc, scale = self._given(method, q, args, named)
        low, high = self.support if method == "ppf" else self.support[::-1]
        inside = (q_ > 0) & (q_ < 1)
        found = function(rnp.where(inside, q_, 0.5), *parameters)
        found = rnp.where(q_ == 0, low, rnp.where(q_ == 1, high, rnp.where(inside, found, math.nan)))
        return self._checked(found * scale + loc, q_, parameters, scale)

    def _checked(self, found: Array, x: Array, parameters: list[Array], scale: Array) -> Array:
        """NaN where an operand is NaN or a parameter outside of its domain."""
        known = (scale > 0) & ~rnp.isnan(x) & self.valid(*parameters)
        return rnp.where(known, found, math.nan)


class Discrete(Distribution):
    """A distribution of whole numbers. Concrete ones state it for location 0, within the support."""

    @abstractmethod
    def log_probability(self, *args: Any, **kwargs: Any) -> Array:
        """The logarithm of the probability of k."""

    @abstractmethod
    def below(self, *args: Any, **kwargs: Any) -> Array:
        """The probability of numbers of at most k, a whole number in the support."""

    @abstractmethod
    def above(self, *args: Any, **kwargs: Any) -> Array:
        """The probability of numbers above k, a whole number in the support."""

    @abstractmethod
    def ends(self, *args: Any, **kwargs: Any) -> tuple[ArrayLike, ArrayLike]:
        """The least and the greatest number."""

    # -- SciPy's names -----------------------------------------------------------------------------------------

    def logpmf(self, k: ArrayLike, *args: ArrayLike, **named: ArrayLike) -> Array:
        """The logarithm of the probability of k, -inf between whole numbers."""
        given, *parameters, loc = self._given("logpmf", k, args, named)
        y = given - loc
        low, high = self.ends(*parameters)
        inside = (y >= low) & (y <= high) & (y == rnp.floor(y))
        found = self.log_probability(rnp.where(inside, y, low), *parameters)
        return self._checked(rnp.where(inside, found, -math.inf), y, parameters)

    def pmf(self, k: ArrayLike, *args: ArrayLike, **named: ArrayLike) -> Array:
        """The probability of k, 0 between whole numbers."""
        return rnp.exp(self.logpmf(k, *args, **named))

    def cdf(self, k: ArrayLike, *args: ArrayLike, **named: ArrayLike) -> Array:
        """The probability of numbers of at most k."""
        return self._probability("cdf", self.below, (0.0, 1.0), k, args, named)

    def sf(self, k: ArrayLike, *args: ArrayLike, **named: ArrayLike) -> Array:
        """The probability of numbers above k."""
        return self._probability("sf", self.above, (1.0, 0.0), k, args, named)

    def logcdf(self, k: ArrayLike, *args: ArrayLike, **named: ArrayLike) -> Array:
        """The logarithm of the probability of numbers of at most k."""
        return log_of(self.cdf(k, *args, **named), self.sf(k, *args, **named))

    def logsf(self, k: ArrayLike, *args: ArrayLike, **named: ArrayLike) -> Array:
        """The logarithm of the probability of numbers above k."""
        return log_of(self.sf(k, *args, **named), self.cdf(k, *args, **named))

    def _probability(
        self,
        method: str,
        function: Callable[..., Array],
        outside: tuple[float, float],
        k: ArrayLike,
        args: tuple[ArrayLike, ...],
        named: dict[str, ArrayLike],
    ) -> Array:
        given, *parameters, loc = self._given(method, k, args, named)
        y = rnp.floor(given - loc)
        low, high = self.ends(*parameters)
        found = function(rnp.clip(y, low, high), *parameters)
        found = rnp.where(y < low, outside[0], rnp.where(y >= high, outside[1], found))
        return self._checked(found, y, parameters)

    def _checked(self, found: Array, k: Array, parameters: list[Array]) -> Array:
        return rnp.where(~rnp.isnan(k) & self.valid(*parameters), found, math.nan)
