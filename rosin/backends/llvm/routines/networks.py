"""Sorting networks: short arrays of records sorted in vector registers, without a branch, and sorted ones merged.

Batcher's bitonic sort ("Sorting networks and their applications", 1968): stage by stage, record i is compared with
record i ^ mask. Where in the registers a record is, follows from the bits of i by exclusive ors alone. So it need not
go back where it came from when it has been compared: two registers that hold each other's partners give a register of
all the lesser ones and one of all the greater ones, and only the bits are noted. In the end registers are put in order.
Networks of the widest registers of x86 are text of the assembler (straight.py), others text of LLVM.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.modules import COLD
from rosin.backends.llvm.routines.records import Records, greater, lesser, texts
from rosin.backends.llvm.routines.straight import Straight, is_straight

Row = tuple[Val, ...]
"""One register of records for each part."""

T = TypeVar("T")
"""A register of one part."""


WHOLE = 4
"""A network of more registers is compiled in two parts, which threads compile at the same time, where LLVM chooses its
instructions."""


class _Vectors(Protocol[T]):
    """What writes down what is done with registers."""

    @property
    def lanes(self) -> int: ...
    def shuffle(self, left: T, right: T, order: Sequence[int]) -> T: ...
    def opaque_bits(self, x: T) -> T: ...
    def compared(self, x: tuple[T, ...], y: tuple[T, ...]) -> tuple[tuple[T, ...], tuple[T, ...]]: ...
    def stage(self, row: tuple[T, ...], lanes: int) -> tuple[T, ...]: ...


class _Emitted:
    """Writes it as text of LLVM."""

    def __init__(self, e: Emitter, lanes: int) -> None:
        self.e, self.lanes = e, lanes
        self.shuffle, self.opaque_bits = e.shuffle, e.opaque_bits

    def compared(self, x: Row, y: Row) -> tuple[Row, Row]:
        return compared(self.e, x, y)

    def stage(self, row: Row, lanes: int) -> Row:
        return _stage(self.e, row, lanes)


def network_texts(records: Records, registers: int, name: str, declarations: set[str]) -> list[str]:
    """The function `void name(ptr parts…)`, which sorts `lanes * registers` records in place, and one that it needs."""
    if is_straight(records.parts, records.lanes):
        return [_straight(records, registers, name, declarations, _sorted)]
    e = Emitter(declarations)
    network = _network(e, records, registers)
    blocks = network.blocks()
    parts: list[str] = []
    if registers > WHOLE:
        first, blocks = blocks[: -(len(blocks) // 2)], blocks[-(len(blocks) // 2) :]
        network.sort(first)
        parts.append(_function(e, records, f"{name}_first", network.rows))
        e = Emitter(declarations)
        (array,) = records.pointers("a")
        e.line(f"call void @{name}_first({texts(*array)})")
        network = _network(e, records, registers, network.bits)
    network.sort(blocks)
    return [*parts, _function(e, records, name, network.in_order())]


def blocks_network_text(records: Records, registers: int, name: str, declarations: set[str]) -> str:
    """The function `void name(ptr keys, i64 blocks)`, which sorts so many blocks of `lanes * registers` keys in place,
    each on its own."""
    return _straight(records, registers, name, declarations, _sorted, blocks="i64 %blocks")


def cleaned_text(records: Records, registers: int, name: str, declarations: set[str]) -> str:
    """The function `void name(ptr keys, i64 blocks)`, which sorts so many blocks of `lanes * registers` keys in place
    that rise up to one of them and fall from there on, or the other way round, or are such ones turned by any number of
    places."""
    count = registers * records.lanes
    bits = [1 << bit for bit in range(count.bit_length() - 1)]
    return _straight(records, registers, name, declarations, lambda network: network.clean(count), bits, "i64 %blocks")


def _sorted(network: _Network[int]) -> None:
    network.sort(network.blocks())


def _straight(
    records: Records,
    registers: int,
    name: str,
    declarations: set[str],
    change: Callable[[_Network[int]], None],
    bits: Sequence[int] = (),
    blocks: str = "",
) -> str:
    """The function that changes records in place, or so many blocks of them, as straight code."""
    e, s, (array,) = Emitter(declarations), Straight(records.parts[0], records.lanes), records.pointers("a")
    network = _Network(s, [(s.load(row),) for row in range(registers)], bits)
    change(network)
    for number, (row,) in enumerate(network.in_order()):
        s.store(row, number)
    s.emit(e, name, array[0], Val("%blocks", "i64") if blocks else None)
    signature = f"internal void @{name}({records.parameters('a')}{f', {blocks}' if blocks else ''})"
    # There is nothing in it for LLVM to improve.
    return "\n".join([f"define {signature} nounwind{COLD} {{", *e.lines, "  ret void", "}", ""])


def _network(e: Emitter, records: Records, registers: int, bits: Sequence[int] = ()) -> _Network[Val]:
    return _Network(_Emitted(e, records.lanes), _loaded(e, records, registers), bits)


def _loaded(e: Emitter, records: Records, registers: int) -> list[Row]:
    (array,) = records.pointers("a")
    return [records.load(e, array, e.const(row * records.lanes, "i64"), records.lanes) for row in range(registers)]


def _function(e: Emitter, records: Records, name: str, rows: Sequence[Row]) -> str:
    """What an emitter has, and then the rows in place, as a function."""
    (array,) = records.pointers("a")
    for number, row in enumerate(rows):
        records.store(e, row, array, e.const(number * records.lanes, "i64"))
    body = "\n".join(e.lines)
    return f"define internal void @{name}({records.parameters('a')}) nounwind {{\n{body}\n  ret void\n}}\n"


class _Network(Generic[T]):
    """Registers on their way through a network.

    A place is a lane, and above its bits the number of a register. `bits` has for each bit of a place what it adds to
    the number of the record there, by exclusive or. Records that are in no order have their numbers as we like: with
    the lowest bits in the registers' numbers the early stages compare whole registers.
    """

    def __init__(self, e: _Vectors[T], rows: Sequence[tuple[T, ...]], bits: Sequence[int] = ()) -> None:
        self.e, self.rows = e, list(rows)
        self.width = e.lanes
        self.lane_bits, self.row_bits = self.width.bit_length() - 1, len(rows).bit_length() - 1
        lowest = [1 << self.row_bits + b for b in range(self.lane_bits)] + [1 << b for b in range(self.row_bits)]
        self.bits = list(bits) or lowest

    def blocks(self) -> list[int]:
        """How many records are in order together, one time after another: first those of the same lanes."""
        least = self.row_bits or 1
        return [1 << bits for bits in range(least, self.lane_bits + self.row_bits + 1)]

    def sort(self, blocks: Sequence[int]) -> None:
        """Sort blocks of these sizes, each after the one of half the size."""
        for block in blocks:
            if block == len(self.rows):
                self._sort_lanes()
            else:
                self._compare(block - 1)
                self.clean(block // 2)

    def clean(self, block: int) -> None:
        """Sort blocks that rise and then fall."""
        apart = block // 2
        while apart:
            self._compare(apart)
            apart //= 2

    def _sort_lanes(self) -> None:
        """Sort the records of each lane, whose numbers are in the order of the registers, by Batcher's other network,
        which has fewer comparisons: of the odd and the even ones of sorted halves, which are sorted again."""
        count, block = len(self.rows), 1
        while block < count:
            apart = block
            while apart:
                for low in range(apart % block, count - apart, 2 * apart):
                    for row in range(low, min(low + apart, count - apart)):
                        if row // (2 * block) == (row + apart) // (2 * block):
                            pair = self.e.compared(self.rows[row], self.rows[row + apart])
                            self.rows[row], self.rows[row + apart] = pair
                apart //= 2
            block *= 2

    def number(self, place: int) -> int:
        """The record at a place."""
        return _combined(self.bits, place)

    def _numbers(self) -> list[int]:
        """The records at all places."""
        found = [0]
        for bit in self.bits:
            found += [number ^ bit for number in found]
        return found

    def _compare(self, mask: int) -> None:
        """Compare each record i with record i ^ mask; the lesser one gets the lower number."""
        if not self.row_bits:
            self.rows = [self.e.stage(row, mask) for row in self.rows]
            return
        apart = self._numbers().index(mask)
        top = 1 << mask.bit_length() - 1
        across, lanes = apart // self.width, apart % self.width
        bit = (across or 1).bit_length() - 1
        before = list(self.bits)
        if across:
            self._across(across, lanes, 1 << bit)
        else:
            own = lanes.bit_length() - 1
            self._within(lanes, 1 << own, 1 << bit)
            before[own] ^= before[self.lane_bits + bit]
        # The lesser ones of all pairs are in the registers without the bit, the others in those with it.
        at = self.lane_bits + bit
        self.bits = [x ^ mask if x & top else x for x in before]
        others = across ^ 1 << bit if across else 0
        self.bits[at] = mask ^ _combined(self.bits[self.lane_bits :], others)

    def _across(self, across: int, lanes: int, bit: int) -> None:
        order = [lane ^ lanes for lane in range(self.width)]
        for low in range(len(self.rows)):
            if not low & bit:
                other = self.rows[low ^ across]
                if lanes:
                    other = tuple(self.e.shuffle(part, part, order) for part in other)
                self.rows[low], self.rows[low ^ across] = self.e.compared(self.rows[low], other)

    def _within(self, lanes: int, own: int, bit: int) -> None:
        """Partners are in lanes of one register: of two registers, one register is made of each half of the pairs."""
        width = self.width
        self.rows = [tuple(map(self.e.opaque_bits, row)) for row in self.rows]
        kept = [lane + width if lane & own else lane for lane in range(width)]
        left = [lane if lane & own else lane + width for lane in range(width)]
        order = [lane ^ lanes for lane in range(width)]
        for low in range(len(self.rows)):
            if not low & bit:
                pairs = list(zip(self.rows[low], self.rows[low ^ bit], strict=True))
                rest = tuple(self.e.shuffle(*pair, left) for pair in pairs)
                turned = tuple(self.e.shuffle(part, part, order) for part in rest)
                first = tuple(self.e.shuffle(*pair, kept) for pair in pairs)
                self.rows[low], self.rows[low ^ bit] = self.e.compared(first, turned)

    def in_order(self) -> list[tuple[T, ...]]:
        """The registers in the order of their numbers, with lanes in theirs.

        A round exchanges a bit of the lanes for one that tells registers apart.
        """
        while True:
            numbers = self._numbers()
            goals = [numbers.index(1 << bit) for bit in range(self.lane_bits)]
            inside, outside = self._split(goals)
            if not outside:
                break
            place = self._renumber(outside[0])
            row = place >> self.lane_bits
            # What is wanted in the lanes and is there stays; one bit of the others goes, and `place` comes.
            test = next(t for t in range(1, self.width) if not any(_odd(t & lanes) for lanes in inside))
            gone = test & -test
            sources = [1 << b ^ (place ^ gone if test >> b & 1 else 0) for b in range(self.lane_bits)]
            if len(outside) == 1:
                # These are all wanted ones by now, so that they can come in order, with all else in order beside them.
                numbers = self._numbers()
                sources = [numbers.index(1 << bit) for bit in range(self.lane_bits)]
                gone ^= numbers.index(numbers[gone] & self.width - 1)
            self._exchange([*sources, gone], row)
        return self._lanes_in_order(goals)

    def _split(self, places: Sequence[int]) -> tuple[list[int], list[int]]:
        """A basis of the places: those of one register, and others."""
        inside: list[int] = []
        outside: list[int] = []
        for place in places:
            for other in outside:
                if place >> self.lane_bits & 1 << (other >> self.lane_bits).bit_length() - 1:
                    place ^= other
            (outside if place >> self.lane_bits else inside).append(place)
        return inside, outside

    def _renumber(self, place: int) -> int:
        """Give registers other numbers, such that the one of a place has one bit; gives the place."""
        row = place >> self.lane_bits
        top = 1 << row.bit_length() - 1
        rest = row ^ top
        self.bits[self.lane_bits + row.bit_length() - 1] = _combined(self.bits[self.lane_bits :], row)
        self.rows = [self.rows[number ^ rest if number & top else number] for number in range(len(self.rows))]
        return place ^ rest << self.lane_bits

    def _exchange(self, sources: Sequence[int], row: int) -> None:
        """Fill pairs of registers, whose numbers differ in the bit `row`, from one another.

        `sources` are the places that the bits of lanes come from, and last the bit that tells the two apart.
        """
        width = self.width
        orders = [
            [place % width + (width if place >= width else 0) for place in (_combined(sources, p) for p in lanes)]
            for lanes in (range(width), range(width, 2 * width))
        ]
        for low in range(len(self.rows)):
            if not low & row:
                pairs = list(zip(self.rows[low], self.rows[low ^ row], strict=True))
                for number, order in zip((low, low ^ row), orders, strict=True):
                    self.rows[number] = tuple(self.e.shuffle(*pair, order) for pair in pairs)
        at = [*range(self.lane_bits), self.lane_bits + row.bit_length() - 1]
        for bit, number in zip(at, [self.number(place) for place in sources], strict=True):
            self.bits[bit] = number

    def _lanes_in_order(self, goals: Sequence[int]) -> list[tuple[T, ...]]:
        found: dict[int, tuple[T, ...]] = {}
        for number, row in enumerate(self.rows):
            first = self.number(number * self.width)
            order = [_combined(goals, lane ^ first % self.width) for lane in range(self.width)]
            turned = order != list(range(self.width))
            parts = tuple(self.e.shuffle(part, part, order) for part in row) if turned else row
            found[first // self.width] = parts
        return [found[number] for number in range(len(self.rows))]


def _combined(columns: Sequence[int], bits: int) -> int:
    """The exclusive or of those columns whose bit is set."""
    found = 0
    for position, column in enumerate(columns):
        if bits >> position & 1:
            found ^= column
    return found


def _odd(bits: int) -> bool:
    return bits.bit_count() % 2 == 1


def compared(e: Emitter, x: Row, y: Row) -> tuple[Row, Row]:
    """The lesser and the greater of two registers, lane by lane."""
    if len(x) == 1:
        a, b = x[0], y[0]
        if a.elem == "i64":
            # Processors take longer for the lesser and the greater of such integers than to select them.
            before = e.icmp("slt", a, b)
            a = e.opaque_bits(a)
            return (e.select(before, a, b),), (e.select(before, b, a),)
        return (lesser(e, a, b),), (greater(e, a, b),)
    tied = e.bit_and(e.icmp("eq", x[0], y[0]), e.icmp("slt", x[1], y[1]))
    before = e.bit_or(e.icmp("slt", x[0], y[0]), tied)
    less = tuple(e.select(before, a, b) for a, b in zip(x, y, strict=True))
    return less, tuple(e.select(before, b, a) for a, b in zip(x, y, strict=True))


def _stage(e: Emitter, row: Row, lanes: int) -> Row:
    """Compare the record in each lane with the one in lane ^ lanes; the lesser one goes to the lower lane."""
    width, top = row[0].lanes, 1 << lanes.bit_length() - 1
    row = tuple(map(e.opaque_bits, row))
    bits = ", ".join(f"i1 {'false' if lane & top else 'true'}" for lane in range(width))
    lower = Val(f"<{bits}>", "i1", width)
    order = [lane ^ lanes for lane in range(width)]
    turned = tuple(e.shuffle(part, part, order) for part in row)
    if len(row) == 1:
        # Of floats that tie both lanes take the other's, so that none is lost.
        less, more = (lesser(e, row[0], turned[0]),), (greater(e, turned[0], row[0]),)
    else:
        less, more = compared(e, row, turned)
    return tuple(e.select(lower, a, b) for a, b in zip(less, more, strict=True))


def merged(e: Emitter, x: Row, y: Row) -> tuple[Row, Row]:
    """The lesser half and the greater half, each in order, of two registers that are in order."""
    width = x[0].lanes
    back = list(range(width))[::-1]
    less, more = compared(e, x, tuple(e.shuffle(part, part, back) for part in y))
    apart = width // 2
    while apart:
        less, more = _stage(e, less, apart), _stage(e, more, apart)
        apart //= 2
    return less, more
