"""Object code of x86-64 (ELF) linked into memory, without LLVM: what is found on the disk runs in a process that never
loads a compiler.

LLVM's objects are position independent code of the small model, which takes few kinds of relocations. An image is one
piece of memory: code and what it reads, jumps and addresses, then what it writes, on pages of its own. Functions of the
process may be further away than a call reaches, so calls of them go to a jump in the image.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from rosin.ir.dataclass import dataclass

__all__ = ["Image", "ImageError", "is_elf", "is_x86", "link", "undefined"]

_MAGIC = b"\x7fELF\x02\x01"
_X86_64 = 62
_SECTION, _SYMBOL, _RELOCATION = struct.Struct("<IIQQQQIIQQ"), struct.Struct("<IBBHQQ"), struct.Struct("<QQq")
_PROGBITS, _SYMTAB, _RELA, _NOBITS = 1, 2, 4, 8
_WRITE, _ALLOC = 1, 2
_WEAK, _COMMON, _ABSOLUTE = 2, 0xFFF2, 0xFFF1
_64, _PC32, _PLT32, _GOT = 1, 2, 4, (9, 41, 42)
"""Relocations: an address, a distance, a distance to call over, distances to where an address is."""
_JUMP = b"\xff\x25"
"""To the address at a distance."""


class ImageError(Exception):
    """Object code that cannot be linked."""


@dataclass(eq=False)
class Image:
    """Linked code. Its addresses hold until it dies."""

    memory: mmap.mmap
    base: ctypes.c_char
    """The first byte, which holds the memory."""
    addresses: dict[str, int]
    """Of the functions and variables that it defines."""


_Symbol: TypeAlias = tuple[str, int, int, bool]
"""Name, or "" when its object alone knows it, section, value, and whether it is weak."""


class _Object:
    """An object taken apart."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        (start,), (count,) = struct.unpack_from("<Q", data, 0x28), struct.unpack_from("<H", data, 0x3C)
        self.sections: list[tuple[int, ...]] = list(_SECTION.iter_unpack(data[start : start + count * _SECTION.size]))
        self.symbols = list(self._symbols())
        self.places: dict[int, int] = {}
        """Where in the image the sections are that are loaded."""

    def _symbols(self) -> Iterator[_Symbol]:
        for _, kind, _, _, offset, size, link, _, _, _ in self.sections:
            if kind == _SYMTAB:
                strings = self.sections[link][4]
                for at, info, _, section, value, _ in _SYMBOL.iter_unpack(self.data[offset : offset + size]):
                    start = strings + at
                    name = self.data[start : self.data.index(b"\0", start)].decode() if info >> 4 else ""
                    yield name, section, value, info >> 4 == _WEAK

    def loaded(self, written: bool) -> Iterator[tuple[int, tuple[int, ...]]]:
        """The sections of code and data, those that are written or the others. How to unwind the stack, which is a kind
        of its own, nobody asks of compiled code."""
        for number, section in enumerate(self.sections):
            _, kind, flags, *_ = section
            if flags & _ALLOC and kind in (_PROGBITS, _NOBITS) and bool(flags & _WRITE) == written:
                yield number, section

    def relocations(self) -> Iterator[tuple[int, int, int, int]]:
        """Place in the image, kind, symbol and addend of what is to be filled in."""
        for _, kind, _, _, offset, size, _, info, _, _ in self.sections:
            place = self.places.get(info) if kind == _RELA else None
            if place is not None:
                for at, what, addend in _RELOCATION.iter_unpack(self.data[offset : offset + size]):
                    yield place + at, what & 0xFFFFFFFF, what >> 32, addend


def is_elf(data: bytes) -> bool:
    """Whether these bytes are an object of a little-endian system of 64 bits."""
    return data[:6] == _MAGIC


def is_x86(data: bytes) -> bool:
    """Whether it is one of x86-64."""
    return is_elf(data) and data[18:20] == _X86_64.to_bytes(2, "little")


def undefined(data: bytes) -> list[str]:
    """The names that an object uses and does not define."""
    return [name for name, section, _, _ in _Object(data).symbols if name and section == 0]


def link(data: Sequence[bytes], known: Callable[[str], int | None]) -> Image:
    """Load objects that belong together; `known` gives the addresses of what none of them defines.

    Raises:
        ImageError: that is not known, something is defined twice, or there are relocations of another kind.
    """
    objects = list(map(_Object, data))
    defined = _definitions(objects)
    names = dict.fromkeys(name for o in objects for name, *_ in o.symbols if name)
    outside = _outside([name for name in names if name not in defined], known)
    # Jumps are for what is outside, and addresses for whatever has a name.
    jumps, end = _placed(objects, False, 0)
    slots = _up(jumps + 8 * len(outside), 8)
    written = _up(slots + 8 * len(names), mmap.PAGESIZE)
    _, end = _placed(objects, True, written)
    memory = mmap.mmap(-1, max(end, 1), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    base = ctypes.c_char.from_buffer(memory)
    start = ctypes.addressof(base)
    addresses = {name: start + o.places[section] + value for name, (o, section, value, _) in defined.items()}
    table = {name: slots + 8 * i for i, name in enumerate(names)}
    over = {name: jumps + 8 * i for i, name in enumerate(outside)}
    for name, slot in table.items():
        struct.pack_into("<Q", memory, slot, addresses.get(name) or outside[name])
    for name, jump in over.items():
        struct.pack_into("<2si", memory, jump, _JUMP, table[name] - jump - 6)
    for o in objects:
        _fill(memory, o)
        _relocate(memory, start, o, {**outside, **addresses}, table, over)
    if _protect()(start, written, mmap.PROT_READ | mmap.PROT_EXEC):
        raise ImageError("the system does not let memory become code")
    return Image(memory, base, addresses)


def _definitions(objects: Sequence[_Object]) -> dict[str, tuple[_Object, int, int, bool]]:
    """What has a name: its object, section and value, and whether it is weak."""
    found: dict[str, tuple[_Object, int, int, bool]] = {}
    for o in objects:
        for name, section, value, weak in o.symbols:
            if section in (_COMMON, _ABSOLUTE) and name:
                raise ImageError(f"{name} lies in no section")
            if not name or not section:
                continue
            known = found.get(name)
            if known is None or known[3]:
                found[name] = (o, section, value, weak)
            elif not weak:
                raise ImageError(f"{name} is defined twice")
    return found


def _outside(names: Sequence[str], known: Callable[[str], int | None]) -> dict[str, int]:
    found = {name: known(name) for name in names}
    missing = [name for name, address in found.items() if address is None]
    if missing:
        raise ImageError(f"undefined: {', '.join(missing)}")
    return {name: address for name, address in found.items() if address is not None}


def _placed(objects: Sequence[_Object], written: bool, at: int) -> tuple[int, int]:
    """Give the sections places from `at` on; gives where the next thing may be, at a multiple of 16, and the end."""
    for o in objects:
        for number, (*_, size, _, _, align, _) in o.loaded(written):
            o.places[number] = at = _up(at, max(align, 1))
            at += size
    return _up(at, 16), at


def _up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def _fill(memory: mmap.mmap, o: _Object) -> None:
    """Copy what the sections hold; those without are zero already."""
    for number, place in o.places.items():
        _, kind, _, _, offset, size, *_ = o.sections[number]
        if kind == _PROGBITS:
            memory[place : place + size] = o.data[offset : offset + size]


def _relocate(
    memory: mmap.mmap, start: int, o: _Object, addresses: dict[str, int], table: dict[str, int], over: dict[str, int]
) -> None:
    """Fill in addresses and distances; `table` says where the addresses of names are, and `over` the jumps to them."""
    symbols = o.symbols
    # Of what has no name there are as many symbols as constants, so each is looked at once.
    values = [addresses[n] if n else start + o.places.get(section, 0) + value for n, section, value, _ in symbols]
    try:
        for at, kind, number, addend in o.relocations():
            if kind == _64:
                struct.pack_into("<Q", memory, at, values[number] + addend)
                continue
            name = symbols[number][0]
            if kind == _PC32 or (kind == _PLT32 and name not in over):
                target = values[number]
            elif kind == _PLT32:
                target = start + over[name]
            elif kind in _GOT and name:
                target = start + table[name]
            else:
                raise ImageError(f"a relocation of kind {kind}, which nothing is known of")
            struct.pack_into("<i", memory, at, target + addend - start - at)
    except struct.error:
        raise ImageError("an address is too far away") from None


@functools.cache
def _protect() -> Callable[[int, int, int], int]:
    function = ctypes.CDLL(None).mprotect
    function.argtypes, function.restype = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int], ctypes.c_int
    return function
