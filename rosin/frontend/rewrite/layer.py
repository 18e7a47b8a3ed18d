"""What rewritten functions call where control flow may depend on values.

Each method first looks whether the value that decides is an array while a function is traced. If not, it does exactly
what Python does. If so, the blocks become regions of a `switch`, a `while` or a `scan`.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard, cast

from rosin.frontend import core
from rosin.frontend import numpy as rnp
from rosin.frontend import trace as tr
from rosin.frontend.effects import check
from rosin.frontend.errors import ControlFlowError
from rosin.frontend.rewrite.blocks import BREAK, CONTINUE, RETURN, Block, Live
from rosin.frontend.rewrite.branch import choose, goes_on
from rosin.frontend.rewrite.loop import Loop, UnstableError, truth
from rosin.frontend.rewrite.memory import Memory, is_number
from rosin.frontend.rewrite.signals import Signal, Traced, kinds_of, mapped, next_step
from rosin.frontend.rewrite.steps import Range, Steps, as_steps, is_size
from rosin.frontend.sizes import as_dim
from rosin.ir import facts

if TYPE_CHECKING:
    from rosin.frontend.array import Array

Part = Callable[[], Signal]

_GUARDED = 10_000
"""How many items Python hands out after a loop may have ended by a traced signal."""

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "Eq": operator.eq,
    "NotEq": operator.ne,
    "Lt": operator.lt,
    "LtE": operator.le,
    "Gt": operator.gt,
    "GtE": operator.ge,
    "Is": operator.is_,
    "IsNot": operator.is_not,
}


def decides(x: object) -> TypeGuard[Array]:
    """Whether a value is known only when the program runs."""
    return core.is_array(x) and core.tracing()


class Layer:
    """The layer as one function sees it."""

    def __init__(self, blocks: Sequence[Block], function: Callable[[Any], Any]) -> None:
        self.blocks = blocks
        self.function = function
        """What is called instead of a function: the same with its control flow rewritten."""

    # -- statements ----------------------------------------------------------------------------------------------

    def if_(self, test: Any, then: Part, orelse: Part, number: int) -> Signal:
        if decides(test):
            return choose(truth(test), then, orelse, self.blocks[number])
        return then() if test else orelse()

    def then(self, signal: Signal, rest: Part, number: int) -> Signal:
        """What stands after a statement that may have given a signal."""
        if signal is None:
            return rest()
        if isinstance(signal, Traced):
            return self._unless(signal, rest, self.blocks[number])
        return signal

    def _unless(self, signal: Traced, rest: Part, block: Block, *extra: Any) -> Signal:
        """Run a block if there was no signal."""
        if 0 not in signal.kinds:
            return signal
        left = signal.kinds - {0}
        kept: Signal = next(iter(left)) if len(left) == 1 else Traced(signal.code, left)
        return choose(goes_on(signal), rest, lambda: kept, block, extra)

    def while_(self, test: Callable[[], Any], body: Part, orelse: Part | None, number: int) -> Signal:
        block = self.blocks[number]
        signal: Signal = None
        while not isinstance(signal, Traced):
            holds = test()
            if decides(holds):
                break
            if not holds:
                return None if orelse is None else orelse()
            signal = body()
            if signal in (BREAK, RETURN):
                return None if signal == BREAK else RETURN
            signal = next_step(signal)
        return self._ended(Loop(block, body, test, None, signal).run(), orelse, block)

    def for_(self, iterable: Any, body: Callable[[Any], Signal], orelse: Part | None, number: int) -> Signal:
        block = self.blocks[number]
        steps = as_steps(iterable)
        if steps is None:
            return self._ended(self._python_for(iterable, body, block), orelse, block)
        return self._ended(self._traced_for(steps, body, block), orelse, block)

    def _python_for(self, iterable: Any, body: Callable[[Any], Signal], block: Block) -> Signal:
        """A loop over known items, which goes on as a traced one when a step may have ended it."""
        guarded = 0
        signal: Signal = None
        for position, item in enumerate(iterable):
            if not isinstance(signal, Traced):
                signal = body(item)
                if isinstance(signal, Traced) and isinstance(iterable, range):
                    left = iterable[position + 1 :]
                    return Loop(block, body, None, Range(left.start, left.stop, left.step), signal).run()
            else:
                guarded += 1
                if guarded > _GUARDED:
                    message = f"the loop of line {block.line} may have ended, and Python still has items for it"
                    raise tr.located(ControlFlowError(f"{message}\n  use a `while` loop, or range()"))
                signal = self._unless(signal, functools.partial(body, item), _in_step(block), body)
            if signal in (BREAK, RETURN):
                return signal
            signal = next_step(signal)
        return signal

    def _traced_for(self, steps: Steps, body: Callable[[Any], Signal], block: Block) -> Signal:
        """A loop over a traced range or array. If what it carries does not keep its type, the first step runs before
        the loop; if that does not help and the number of steps is known, every step does."""
        if isinstance(steps.length, int) and steps.length == 0:
            return None
        try:
            return Loop(block, body, None, steps).run()
        except UnstableError:
            if not is_size(steps.length) or facts.current().is_measured(as_dim(steps.length)):
                raise
        if steps.length == 0:
            return None
        signal = next_step(body(steps.at(0)))
        if signal is None and steps.length > 1:
            try:
                return Loop(block, body, None, steps.after(1)).run()
            except UnstableError:
                pass
        if signal in (BREAK, RETURN):
            return signal
        return self._python_rest(signal, steps.after(1), body, block)

    def _python_rest(self, signal: Signal, steps: Steps, body: Callable[[Any], Signal], block: Block) -> Signal:
        for item in steps:
            if isinstance(signal, Traced):
                signal = self._unless(signal, functools.partial(body, item), _in_step(block), body)
            else:
                signal = body(item)
            if signal in (BREAK, RETURN):
                return signal
            signal = next_step(signal)
        return signal

    def _ended(self, signal: Signal, orelse: Part | None, block: Block) -> Signal:
        """After a loop: its `else` if nothing ended it; `break` has done its work then."""
        if orelse is None or 0 not in kinds_of(signal):
            return mapped(signal, BREAK)
        if not isinstance(signal, Traced):
            return orelse()
        kept = mapped(Traced(signal.code, signal.kinds - {0}), BREAK)
        assert block.outer is not None
        after = Block("else", block.line, block.names, block.outer)
        return choose(goes_on(signal), orelse, lambda: kept, after)

    # -- expressions ---------------------------------------------------------------------------------------------

    def and_(self, first: Any, *rest: Callable[[], Any]) -> Any:
        for position, thunk in enumerate(rest):
            if decides(first):
                return self._joined(first, rest[position:], True)
            if not first:
                return first
            first = thunk()
        return first

    def or_(self, first: Any, *rest: Callable[[], Any]) -> Any:
        for position, thunk in enumerate(rest):
            if decides(first):
                return self._joined(first, rest[position:], False)
            if first:
                return first
            first = thunk()
        return first

    def _joined(self, first: Array, rest: tuple[Callable[[], Any], ...], both: bool) -> Any:
        """`and`, if `both`, or `or` of a traced value with others, which are computed only if they are needed."""
        whole = self.and_ if both else self.or_
        kept = truth(first)
        last = kept if core.dtype_of(first).kind == "bool" else first
        dtype = core.dtype_of(last)

        def others() -> Any:
            nonlocal dtype
            value = whole(rest[0](), *rest[1:])
            if not is_number(value):
                return value
            # A truth value and a number make a number: false is 0.
            dtype = rnp.result_type(value, last)
            return value if core.is_weak(value) else core.cast(core.asarray(value), dtype)

        def this() -> Any:
            return last if core.is_weak(last) else core.cast(last, dtype)

        return self._select(kept if both else rnp.logical_not(kept), others, this)

    def not_(self, x: Any) -> Any:
        return rnp.logical_not(truth(x)) if decides(x) else not x

    def choose(self, test: Any, then: Callable[[], Any], orelse: Callable[[], Any]) -> Any:
        """`then() if test else orelse()`."""
        if decides(test):
            return self._select(truth(test), then, orelse)
        return then() if test else orelse()

    def _select(self, test: Array, then: Callable[[], Any], orelse: Callable[[], Any]) -> Any:
        """The value of one of two expressions."""
        result: Any = None

        def first() -> Signal:
            nonlocal result
            result = then()
            return None

        def second() -> Signal:
            nonlocal result
            result = orelse()
            return None

        block = Block("conditional expression", _line(), ("result",), Live(frozenset(["result"])))
        choose(test, first, second, block, (then, orelse))
        return result

    def compare(self, left: Any, op: str, right: Any, *rest: tuple[str, Callable[[], Any]]) -> Any:
        """A chain of comparisons, each of which is made only if those before it hold."""
        first = self._compared(op, left, right)
        if not rest:
            return first
        (next_op, thunk), *others = rest
        return self.and_(first, lambda: self.compare(right, next_op, thunk(), *others))

    def _compared(self, op: str, left: Any, right: Any) -> Any:
        if op not in ("In", "NotIn"):
            return _COMPARISONS[op](left, right)
        inside = self._contains(right, left)
        if op == "In":
            return inside
        return rnp.logical_not(inside) if decides(inside) else not inside

    def _contains(self, items: Any, x: Any) -> Any:
        if decides(items):
            return rnp.any(rnp.equal(items, x))
        if decides(x) and isinstance(items, range):
            start, step = items.start, items.step
            low, high = (start, items[-1]) if step > 0 and len(items) else (items[-1] if items else 1, start)
            within = rnp.logical_and(x >= low, x <= high) if len(items) else rnp.zeros((), dtype=bool)
            return rnp.logical_and(within, (x - start) % step == 0)
        if isinstance(items, tuple | list):
            listed = list(cast("Any", items))
            if decides(x) or any(map(decides, listed)):
                return functools.reduce(self._or_is(x), listed, False)
        return x in items

    def _or_is(self, x: Any) -> Callable[[Any, Any], Any]:
        return lambda found, item: self.or_(found, lambda: item is x or item == x)

    def comprehension(self, source: Any, make: Callable[[Any], list[Any]]) -> list[Any]:
        """A list whose first `for` runs over `source`."""
        steps = as_steps(source)
        if steps is None or not isinstance(steps.length, int) or steps.length == 0:
            return make(source if steps is None else iter(steps))
        made: list[Any] = []

        def body(item: Any) -> Signal:
            made.extend(make([item]))
            return None

        memory = Memory([make], ())
        saved = memory.save()
        try:
            Loop(Block("comprehension", _line(), (), Live(frozenset())), body, None, steps, None, [made]).run()
        except UnstableError:
            memory.restore(saved)
            made.clear()
            return make(iter(steps))
        return made

    def generator(self, source: Any, make: Callable[[Any], Iterator[Any]]) -> Iterable[Any]:
        """A generator expression: over a traced array all of its items are made at once."""
        if as_steps(source) is None:
            return make(source)
        return iter(self.comprehension(source, lambda items: list(make(items))))

    def kept(self, test: Any) -> Any:
        """A condition of a comprehension."""
        if core.is_tracer(test):
            use = "how many elements a comprehension keeps depends on values"
            tr.no_value(test, use, "use rosin.numpy.where to choose values, or a `for` loop that adds up")
        return test

    def asserted(self, test: Any, message: Callable[[], Any]) -> Any:
        """The test of an `assert`, which becomes a check."""
        if not decides(test):
            return test
        text, values = _template(message())
        check(truth(test), text, *values)
        return True

    def raised(self, error: Any) -> Any:
        """What is raised; in a branch that a traced test decides, an error that says so."""
        trace = tr.current()
        if trace is None or trace.changes is None or not trace.name.endswith(("_true", "_false")):
            return error
        text = f"{error!r}" if isinstance(error, BaseException) else getattr(error, "__name__", repr(error))
        message = (
            f"`raise {text}` stands where a traced test decides, and whether it is reached is not known yet\n"
            f"  use an assert, which is checked when the program runs, or give back a value that tells"
        )
        return tr.located(ControlFlowError(message))


def _template(message: Any) -> tuple[str, list[Any]]:
    """The text of a message with places for its numbers, and these."""
    texts: list[str] = []
    values: list[Any] = []
    for part in cast("list[Any]", message if isinstance(message, list) else [message]):
        value, spec = cast("tuple[Any, str]", part if isinstance(part, tuple) else (part, ""))
        if is_number(value):
            values.append(value)
            texts.append(f"{{:{spec}}}")
        else:
            texts.append(format(value, spec).replace("{", "{{").replace("}", "}}"))
    return "".join(texts), values


def _in_step(block: Block) -> Block:
    """A step of a loop as a block of its own: its end is where the next step begins, or the loop's end."""
    end = block.head | block.live.end
    return Block("for", block.line, block.names, Live(end, {**block.live.after, CONTINUE: end}))


def _line() -> int:
    place = tr.source.user_location()
    return 0 if place is None else place.line
