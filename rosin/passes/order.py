"""The order in which groups run: near to the graph's, with few bytes kept from one group to the next.

To find the order that keeps the fewest bytes is NP-hard (Sethi, "Complete register allocation problems", 1975). Here
the order begins as the graph's, which for a program and its derivative is a good one: what a group needs comes right
before it, and what is needed later comes later, though it could be made. From this order groups are taken out that give
more bytes back than they take: they run as soon as they can. So the gradients of weights do not wait for the update of
all weights, which would hold what they are made of.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from rosin.ir.dataclass import dataclass
from rosin.ir.facts import estimate
from rosin.ir.op import Value


@dataclass(frozen=True, slots=True)
class Run:
    """One group, as the order sees it."""

    number: int
    place: int
    """Where it stands in the graph."""
    before: int
    """The numbers of all groups that it needs, directly or not, as bits."""
    makes: tuple[Value, ...]
    """What others read, or the graph gives."""
    reads: frozenset[Value]
    """Stored values of others, and inputs of the graph."""


def ordered(runs: Sequence[Run], inputs: frozenset[Value], outputs: frozenset[Value]) -> list[int]:
    """The numbers of the groups in an order in which each comes after what it needs."""
    return _Order(runs, inputs, outputs).result


class _Order:
    def __init__(self, runs: Sequence[Run], inputs: frozenset[Value], outputs: frozenset[Value]) -> None:
        self.runs = {run.number: run for run in runs}
        self.inputs, self.outputs = inputs, outputs
        self.done = 0
        self.result: list[int] = []
        self.readers: dict[Value, set[int]] = {}
        """The groups that have still to read a value."""
        self.behind: dict[int, list[int]] = {}
        """For a group's number, the groups that are looked at again when it is done."""
        for run in runs:
            for value in run.reads:
                self.readers.setdefault(value, set()).add(run.number)
        for run in runs:
            self._watch(run)
        for run in sorted(runs, key=lambda run: run.place):
            for needed in self._missing(run):
                self._do(needed)

    def _missing(self, run: Run) -> Iterator[Run]:
        """The group, after all that it needs and that is not done."""
        stack = [run]
        while stack:
            missing = stack[-1].before & ~self.done
            if missing:
                stack.append(self.runs[_lowest(missing)])
                assert len(stack) <= len(self.runs), "groups wait for each other"
                continue
            found = stack.pop()
            if not self.done >> found.number & 1:
                yield found

    def _do(self, run: Run) -> None:
        """Run the group, and then those that give back more than they take, in the graph's order."""
        ready = [(run.place, run.number)]
        while ready:
            _, number = heapq.heappop(ready)
            if self.done >> number & 1:
                continue
            self.done |= 1 << number
            self.result.append(number)
            changed = self.behind.pop(number, [])
            for value in self.runs[number].reads:
                left = self.readers[value]
                left.discard(number)
                if len(left) == 1:
                    changed += left
            for other in dict.fromkeys(changed):
                if self._watch(self.runs[other]) and self._frees(self.runs[other]):
                    heapq.heappush(ready, (self.runs[other].place, other))

    def _watch(self, run: Run) -> bool:
        """Whether all that the group needs is done; if not, it is looked at again when some more of it is."""
        missing = run.before & ~self.done
        if missing:
            self.behind.setdefault(missing.bit_length() - 1, []).append(run.number)
        return not missing

    def _frees(self, run: Run) -> bool:
        """Whether fewer bytes are kept after the group than before. An output may take the place of an input of its
        type, if nothing has to read that any more."""
        ends = [value for value in run.reads if self.readers[value] <= {run.number}]
        types = {value.type for value in run.makes if value in self.outputs}
        if any(v.type in types for v in run.reads if v in self.inputs and self.readers[v] > {run.number}):
            return False
        freed = sum(estimate(v.type.bytes) for v in ends if v not in self.inputs and v not in self.outputs)
        return freed > sum(estimate(v.type.bytes) for v in run.makes if v not in self.outputs)


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1
