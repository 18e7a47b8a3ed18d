"""What is known of symbolic sizes, what follows from it, and what has to be asked of them when a program is called.

    known    n >= 3, n <= 4096, n % 8 == 0, m == 2*n: by the user, or by what the ops of a program need
    proofs   `same`, `at_least`, `positive`, `divide`: True only if it holds for all sizes that fit what is known
    checks   what ops need and nobody proved; a program checks it when it is called

Type rules ask `same` and `at_least`. While facts are *gathered* (a function is traced, a graph is compiled), what can
neither be proved nor refuted there is taken to hold, if it does for the call at hand, and becomes a check. Otherwise it
is taken to hold only if it is an inequality: a graph whose sizes become numbers later has its rules asked once more.

A proof writes each symbol as its least value plus something that is not negative, or as its greatest one less such a
thing, quotients by what bounds them, and looks whether a sum without negative terms comes out. It may fail to find
what is true; it never finds what is not.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from typing import ParamSpec, TypeVar

from rosin.ir import dims
from rosin.ir.dataclass import dataclass
from rosin.ir.dims import Atom, Dim, Floor, Sym, Symbol

P = ParamSpec("P")
R = TypeVar("R")

TYPICAL = 256
"""What a size counts as in estimates of cost when nothing better is known."""


@dataclass(frozen=True, slots=True)
class Check:
    """`left == right`, `left >= right` or `left != right`."""

    left: Dim
    kind: str
    right: Dim

    def holds(self, sizes: Mapping[str, int]) -> bool:
        left, right = dims.evaluate(self.left, sizes), dims.evaluate(self.right, sizes)
        return left == right if self.kind == "==" else left >= right if self.kind == ">=" else left != right

    def opposite(self) -> Check:
        """What holds where this does not."""
        if self.kind == ">=":
            return Check(self.right, ">=", self.left + 1)
        return Check(self.left, "!=" if self.kind == "==" else "==", self.right)

    def substitute(self, values: Mapping[str, Dim]) -> Check:
        return Check(dims.substitute(self.left, values), self.kind, dims.substitute(self.right, values))

    def __str__(self) -> str:
        """The condition as a user would write it: small numbers on the right, the larger side on the left."""
        left, kind, right = self.left, self.kind, self.right
        if isinstance(left, int) and isinstance(right, Sym):
            left, kind, right = right, "<=" if kind == ">=" else kind, left
        if isinstance(left, Sym) and isinstance(right, int) and left.constant:
            left, right = left - left.constant, right - left.constant
        if kind in (">=", "<=") and isinstance(left, Sym) and all(c < 0 for m, c in left.terms if m):
            left, kind, right = -left, "<=" if kind == ">=" else ">=", -right
        return f"{left} {kind} {right}"


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least and the greatest value of a symbol, and what it is a multiple of."""

    low: int = 0
    high: int | None = None
    multiple: int = 1


NOTHING = Bounds()


@dataclass(eq=False)
class Facts:
    """What is known of the symbols of a program."""

    bounds: dict[str, Bounds] = field(default_factory=dict[str, Bounds])
    equal: dict[str, Dim] = field(default_factory=dict[str, Dim])
    """Symbols that are found to be another size; whoever uses the facts puts that in their place."""
    checks: list[Check] = field(default_factory=list[Check])
    """What is asked of the sizes beside bounds and equalities; it is known to hold, too."""
    typical: dict[str, int] = field(default_factory=dict[str, int])
    """What symbols count as in estimates of cost."""
    reasons: dict[str, str] = field(default_factory=dict[str, str])
    """For whose sake a condition, given as text, is there."""
    fresh: list[str] = field(default_factory=list[str])
    """The conditions that were learnt and have no reason yet."""
    gathers: bool = False
    guards: list[Check] = field(default_factory=list[Check])
    """What a program was specialised to, by a decision that Python took: another program serves other sizes."""
    actual: dict[str, int] = field(default_factory=dict[str, int])
    """The sizes of the call that a function is traced for, by which such decisions are taken."""
    pins: bool = False
    """Whether an op that needs a certain number may make a symbol that number: where nobody named the symbol."""
    measured: dict[str, Dim] = field(default_factory=dict[str, Dim])
    """The symbols that a program counts while it runs, each with the most that it can be."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1), repr=False)
    _proved: dict[Dim, bool] = field(default_factory=dict[Dim, bool], repr=False)

    def of(self, name: str) -> Bounds:
        return self.bounds.get(name, NOTHING)

    def copy(self) -> Facts:
        """The same facts, to be gathered to apart."""
        parts = dict(self.bounds), dict(self.equal), list(self.checks), dict(self.typical), dict(self.reasons)
        guards, measured = list(self.guards), dict(self.measured)
        return Facts(*parts, guards=guards, actual=self.actual, pins=self.pins, measured=measured)

    # -- measured sizes ------------------------------------------------------------------------------------

    def measure(self, name: str, most: Dim) -> None:
        """Note that a symbol is a size that a program measures while it runs."""
        if self.gathers and name not in self.measured:
            self.measured[name] = most
            self.typical[name] = max(self.estimate(most) // 2, 1)
            self.learn(Check(most, ">=", dims.symbol(name)))
            self.fresh.clear()

    def new_name(self, taken: Collection[str] = ()) -> str:
        """A name for a measured size that no symbol has."""
        for number in self._numbers:
            name = f"k{number}" if number > 1 else "k"
            if not any(name in names for names in (taken, self.measured, self.actual, self.bounds, self.equal)):
                return name
        raise AssertionError("there is no last number")

    def greatest(self, dim: Dim) -> Dim:
        """A size without measured symbols that is at least `dim`, whose greatest values these symbols take."""
        while not isinstance(dim, int):
            inside = [name for name in dims.names(dim) if name in self.measured]
            if not inside:
                break
            dim = _greatest(dim, inside[-1], self.measured[inside[-1]])
        return dim

    def is_measured(self, dim: Dim) -> bool:
        """Whether a size depends on one that a program measures."""
        return not isinstance(dim, int) and not self.measured.keys().isdisjoint(dims.names(dim))

    # -- learning ------------------------------------------------------------------------------------------

    def learn(self, check: Check) -> None:
        """Take a condition to hold; it is checked at calls."""
        self._proved.clear()
        left, right = self.settled(check.left), self.settled(check.right)
        check = Check(left, check.kind, right)
        self.fresh.append(str(check))
        measured = self.is_measured(left) or self.is_measured(right)
        if check.kind == "==" and not measured and self._unify(left, right):
            return
        if not self._bound(check) and check not in self.checks:
            self.checks.append(check)

    def _unify(self, left: Dim, right: Dim) -> bool:
        """Put one symbol of an equality for good, where it is a multiple or stands alone with a factor of 1."""
        difference = left - right
        if isinstance(difference, int):
            return difference == 0
        found = _multiple_of(difference)
        if found is not None:
            name, divisor = found
            old = self.of(name)
            self.bounds[name] = Bounds(old.low, old.high, old.multiple * divisor // _gcd(old.multiple, divisor))
            return True
        inside = [a.name for m, _ in difference.terms for a in m if isinstance(a, Symbol)]
        inside += [name for m, _ in difference.terms for a in m if isinstance(a, Floor) for name in _names_of(a)]
        for monomial, coefficient in reversed(difference.terms):
            if len(monomial) == 1 and abs(coefficient) == 1 and isinstance(monomial[0], Symbol):
                name = monomial[0].name
                if inside.count(name) == 1:
                    value = dims.symbol(name) - difference * coefficient
                    self._replace(name, value)
                    return True
        return False

    def _replace(self, name: str, value: Dim) -> None:
        own = self.bounds.pop(name, NOTHING)
        put: dict[str, Dim] = {name: value}
        self.equal = {n: dims.substitute(v, put) for n, v in self.equal.items()} | put
        old, self.checks = self.checks, []
        wanted = [Check(value, ">=", own.low)]
        wanted += [Check(own.high, ">=", value)] if own.high is not None else []
        wanted += [Check(value % own.multiple, "==", 0)] if own.multiple > 1 else []
        for check in [*(c.substitute(put) for c in old), *wanted]:
            if not (check.kind == ">=" and self.not_negative(check.left - check.right)):
                self.learn(check)

    def _bound(self, check: Check) -> bool:
        """Whether the condition became a bound of one symbol, at which nothing else has to be checked."""
        difference = check.left - check.right
        if check.kind != ">=" or not isinstance(difference, Sym):
            return check.kind == ">=" and isinstance(difference, int) and difference >= 0
        monomial, coefficient = difference.terms[0]
        if len(difference.terms) > 2 or len(monomial) != 1 or not isinstance(monomial[0], Symbol):
            return False
        if len(difference.terms) == 2 and difference.terms[1][0]:
            return False
        name, constant = monomial[0].name, difference.constant
        old = self.of(name)
        if coefficient > 0:
            self.bounds[name] = Bounds(max(old.low, -(constant // coefficient)), old.high, old.multiple)
        else:
            most = constant // -coefficient
            self.bounds[name] = Bounds(old.low, most if old.high is None else min(old.high, most), old.multiple)
        return True

    def explain(self, reason: str) -> None:
        """Say for whose sake the conditions were gathered that have no reason yet."""
        for text in self.fresh:
            self.reasons.setdefault(text, reason)
        self.fresh.clear()

    def decide(self, check: Check) -> bool | None:
        """Whether a condition holds: by proof, else as for the call at hand, which becomes a guard; else None."""
        check = Check(self.settled(check.left), check.kind, self.settled(check.right))
        proved = self._proved_check(check)
        if proved is not None:
            return proved
        if self.here(check.left) is None or self.here(check.right) is None:
            return None
        holds = check.holds(self.actual)
        guard = check if holds else check.opposite()
        self.guards.append(guard)
        if guard.kind != "!=":
            self.learn(guard)
            self.explain("a decision in Python")
        return holds

    def here(self, dim: Dim) -> int | None:
        """What the size is for the call at hand; None where there is none."""
        known = self.actual.keys() >= dims.names(dim).keys()
        return dims.evaluate(dim, self.actual) if known else None

    def _proved_check(self, check: Check) -> bool | None:
        difference = self.divided(check.left - check.right)[0]
        if check.kind == ">=":
            if self.not_negative(difference):
                return True
            return False if self.not_negative(-difference - 1) else None
        equal = None
        if difference == 0:
            equal = True
        elif (
            self.not_negative(difference - 1)
            or self.not_negative(-difference - 1)
            or any(g.kind == "!=" and g.left - g.right in (difference, -difference) for g in self.guards)
        ):
            equal = False
        return equal if equal is None or check.kind == "==" else not equal

    # -- proving -------------------------------------------------------------------------------------------

    def settled(self, dim: Dim) -> Dim:
        """The size with symbols that are equal to other sizes replaced by these."""
        return dims.substitute(dim, self.equal) if self.equal and isinstance(dim, Sym) else dim

    def divided(self, dim: Dim) -> tuple[Dim, dict[str, Dim]]:
        """The size with each multiple `n` of 8 written as `8*n'`, and what puts the new symbols back."""
        names = [name for name in dims.names(dim) if self.of(name).multiple > 1]
        if not names:
            return dim, {}
        # Nobody else has a symbol with such a name.
        parts: dict[str, Dim] = {n: dims.of_atom(Symbol(n + "'")) * self.of(n).multiple for n in names}
        back: dict[str, Dim] = {n + "'": dims.symbol(n) // self.of(n).multiple for n in names}
        return dims.substitute(dim, parts), back

    def of_part(self, name: str) -> Bounds:
        """The bounds of a symbol, or of one that `divided` made."""
        if not name.endswith("'"):
            return self.of(name)
        whole = self.of(name[:-1])
        high = None if whole.high is None else whole.high // whole.multiple
        return Bounds(-(-whole.low // whole.multiple), high)

    def not_negative(self, dim: Dim) -> bool:
        """Whether it is proved that the size is not negative."""
        if isinstance(dim, int):
            return dim >= 0
        found = self._proved.get(dim)
        if found is None:
            found = self._proved[dim] = self._prove(dim)
        return found

    def _prove(self, dim: Dim) -> bool:
        dim, _ = self.divided(self.settled(dim))
        if self._without_negatives(dim, 3):
            return True
        for check in self.checks:
            if check.kind == "!=":
                continue
            fact, _ = self.divided(check.left - check.right)
            signs = (1, -1) if check.kind == "==" else (1,)
            if any(self._without_negatives(dim - fact * sign, 2) for sign in signs):
                return True
        return False

    def _without_negatives(self, dim: Dim, depth: int) -> bool:
        if isinstance(dim, int):
            return dim >= 0
        quotient = next((a for m, _ in dim.terms for a in m if isinstance(a, Floor)), None)
        if quotient is not None:
            return depth > 0 and any(self._without_negatives(d, depth - 1) for d in self._bounded(dim, quotient))
        shifted: dict[str, Dim] = {}
        for name in dims.names(dim):
            bounds = self.of_part(name)
            signs = {c > 0 for m, c in dim.terms if any(isinstance(a, Symbol) and a.name == name for a in m)}
            if signs == {False} and bounds.high is not None:
                shifted[name] = bounds.high - dims.of_atom(Symbol(name))
            elif bounds.low:
                shifted[name] = dims.of_atom(Symbol(name)) + bounds.low
        least = dims.substitute(dim, shifted)
        return least >= 0 if isinstance(least, int) else all(c >= 0 for _, c in least.terms)

    def _bounded(self, dim: Sym, quotient: Floor) -> list[Dim]:
        """Sizes that are not above a positive multiple of `dim` and lack the quotient."""
        with_it = {m: c for m, c in dim.terms if quotient in m}
        if any(m.count(quotient) > 1 for m in with_it) or len({c > 0 for c in with_it.values()}) > 1:
            return []
        others = {a for m in with_it for a in m if isinstance(a, Floor) and a != quotient}
        if not all(self.not_negative(a.dividend) and self.not_negative(a.divisor - 1) for a in others):
            return []
        dividend, divisor = quotient.dividend, quotient.divisor
        found: list[Dim] = []
        positive = next(iter(with_it.values())) > 0
        if positive and self.not_negative(dividend) and self.not_negative(divisor - 1):
            found.append(_with_quotient(dim, quotient, 0))
        if self.not_negative(divisor - 1):
            nearest = dividend - (divisor - 1) if positive else dividend
            scaled = _without_quotient(dim, quotient) * divisor
            found.append(scaled + _cofactor(dim, quotient) * nearest)
        return found

    # -- estimates -----------------------------------------------------------------------------------------

    def estimate(self, dim: Dim) -> int:
        """What the size counts as in an estimate of cost."""
        if isinstance(dim, int):
            return dim
        dim = self.settled(dim)
        return max(dims.evaluate(dim, {name: self._typical(name) for name in dims.names(dim)}), 0)

    def _typical(self, name: str) -> int:
        bounds = self.of(name)
        value = max(self.typical.get(name, TYPICAL), bounds.low, 1)
        value = value if bounds.high is None else min(value, bounds.high)
        return max(value // bounds.multiple, 1) * bounds.multiple

    # -- text ----------------------------------------------------------------------------------------------

    def lines(self) -> list[str]:
        """The facts as conditions that a reader understands, and the parts of a cache key."""
        found: list[str] = []
        for name, b in sorted(self.bounds.items()):
            found += [f"{name} >= {b.low}"] if b.low else []
            found += [f"{name} <= {b.high}"] if b.high is not None else []
            found += [f"{name} % {b.multiple} == 0"] if b.multiple > 1 else []
        found += [f"{name} == {value}" for name, value in sorted(self.equal.items())]
        return found + [str(check) for check in self.checks]

    def all_checks(self) -> list[Check]:
        """Everything that sizes have to fit, bounds too, but for equalities of symbols."""
        found: list[Check] = []
        for name, b in self.bounds.items():
            size = dims.symbol(name)
            found += [Check(size, ">=", b.low)] if b.low > 0 else []
            found += [Check(b.high, ">=", size)] if b.high is not None else []
            found += [Check(size % b.multiple, "==", 0)] if b.multiple > 1 else []
        return found + self.checks


def _greatest(dim: Dim, name: str, most: Dim) -> Dim:
    """A size that is at least `dim` for every value of a symbol from 0 to `most`, and lacks the symbol."""
    if isinstance(dim, int):
        return dim
    result: Dim = 0
    for monomial, coefficient in dim.terms:
        part: Dim = coefficient
        for atom in monomial:
            if name not in _names_of(atom):
                value: Dim = dims.of_atom(atom)
            elif isinstance(atom, Symbol):
                value = most if coefficient > 0 else 0
            else:
                # Where the quotient is taken away, or is over the symbol, its bound is a plain one.
                value = _greatest(atom.dividend, name, most) if coefficient > 0 else 0
                value = value // atom.divisor if name not in dims.names(atom.divisor) else value
            part = part * value
        result = result + part
    return result


def _multiple_of(difference: Sym) -> tuple[str, int] | None:
    """The symbol and the number of `n % number`, if that is what is zero."""
    for sign in (1, -1):
        signed = difference * sign
        for monomial, coefficient in signed.terms if isinstance(signed, Sym) else ():
            atom = monomial[0] if len(monomial) == 1 else None
            if not isinstance(atom, Floor) or not isinstance(atom.divisor, int) or coefficient != -atom.divisor:
                continue
            rest = _without_quotient(signed, atom) if isinstance(signed, Sym) else signed
            if rest == atom.dividend and rest in [dims.symbol(name) for name in dims.names(rest)]:
                return str(rest), atom.divisor
    return None


def _gcd(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a


def _names_of(atom: Atom) -> list[str]:
    return [atom.name] if isinstance(atom, Symbol) else [*dims.names(atom.dividend), *dims.names(atom.divisor)]


def _with_quotient(dim: Sym, quotient: Floor, value: Dim) -> Dim:
    return _without_quotient(dim, quotient) + _cofactor(dim, quotient) * value


def _without_quotient(dim: Sym, quotient: Floor) -> Dim:
    return dims.total(Sym(((m, c),)) if m else c for m, c in dim.terms if quotient not in m)


def _cofactor(dim: Sym, quotient: Floor) -> Dim:
    """What the quotient is multiplied by."""
    parts: list[Dim] = []
    for monomial, coefficient in dim.terms:
        if quotient in monomial:
            rest = list(monomial)
            rest.remove(quotient)
            parts.append(Sym(((tuple(rest), coefficient),)) if rest else coefficient)
    return dims.total(parts)


# -- the facts that hold here ----------------------------------------------------------------------------------------


class _State(threading.local):
    def __init__(self) -> None:
        self.facts = Facts()


_state = _State()


def current() -> Facts:
    """The facts that hold here."""
    return _state.facts


@contextmanager
def assuming(facts: Facts, gather: bool = False) -> Generator[Facts]:
    """Prove by these facts inside; with `gather`, what ops need and nobody proves is added to them."""
    outer, gathered = _state.facts, facts.gathers
    _state.facts, facts.gathers = facts, gather
    try:
        yield facts
    finally:
        _state.facts, facts.gathers = outer, gathered


@contextmanager
def gathering() -> Generator[None]:
    """Let there be facts to which what ops need is added: those that hold here if they are, else new ones.

    A function is traced and transformed in such a place, as it may measure sizes.
    """
    if _state.facts.gathers:
        yield
    else:
        with assuming(Facts(), gather=True):
            yield


def gathers(function: Callable[P, R]) -> Callable[P, R]:
    """The function, whose work is done where facts are gathered."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with gathering():
            return function(*args, **kwargs)

    return call


def same(a: Dim, b: Dim) -> bool:
    """Whether two sizes are equal; while facts are gathered, two symbolic ones are made so if they may be."""
    if a == b:
        return True
    if isinstance(a, int) and isinstance(b, int):
        return False
    facts = _state.facts
    apart = facts.settled(a) - facts.settled(b)
    difference = facts.divided(apart)[0]
    if isinstance(difference, int):
        return difference == 0
    if any(c.kind == "==" and c.left - c.right in (apart, -apart) for c in facts.checks):
        return True
    if not facts.gathers or _apart(facts, difference) or facts.here(difference) not in (None, 0):
        return False
    if (isinstance(a, int) or isinstance(b, int)) and not facts.is_measured(apart):
        if not facts.pins:
            return False
        facts.guards.append(Check(facts.settled(a), "==", facts.settled(b)))
    facts.learn(Check(a, "==", b))
    return True


def same_shape(a: Sequence[Dim], b: Sequence[Dim]) -> bool:
    """Whether two shapes are the same."""
    return a == b or (len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True)))


def _apart(facts: Facts, difference: Dim) -> bool:
    """Whether a difference is proved not to be zero."""
    return facts.not_negative(difference - 1) or facts.not_negative(-difference - 1)


def at_least(a: Dim, b: Dim) -> bool:
    """False if it is proved that `a < b`; else `a >= b` is proved, or is checked when sizes are known."""
    if isinstance(a, int) and isinstance(b, int):
        return a >= b
    facts = _state.facts
    difference = facts.settled(a - b)
    if facts.not_negative(difference):
        return True
    if facts.not_negative(-difference - 1):
        return False
    if facts.gathers:
        if (facts.here(difference) or 0) < 0:
            return False
        facts.learn(Check(a, ">=", b))
    return True


def known_at_least(a: Dim, b: Dim) -> bool:
    """Whether it is proved that `a >= b`."""
    if isinstance(a, int) and isinstance(b, int):
        return a >= b
    return _state.facts.not_negative(a - b)


def positive(a: Dim) -> bool:
    """Whether it is proved that the size is above 0."""
    return known_at_least(a, 1)


def divide(a: Dim, b: Dim) -> Dim | None:
    """`a / b` when `b` is known to divide `a`, else None."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b if b and a % b == 0 else None
    found = dims.divide(a, b)
    if found is not None:
        return found
    facts = _state.facts
    (x, back), (y, more) = facts.divided(facts.settled(a)), facts.divided(facts.settled(b))
    found = dims.divide(x, y) if back or facts.equal else None
    return None if found is None else dims.substitute(found, back | more)


def estimate(dim: Dim) -> int:
    """What the size counts as in an estimate of cost."""
    return dim if isinstance(dim, int) else _state.facts.estimate(dim)
