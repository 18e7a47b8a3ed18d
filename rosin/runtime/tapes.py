"""The memory of tapes, in native code: `rosin_tape_grow` and `rosin_tapes_free`, which compiled programs call.

    int32 rosin_tape_grow(tape, int64 records, int64 record)    makes room for so many records of so many bytes
    void rosin_tapes_free(tapes, int64 count)                   gives back what the tapes have

A tape is three words: its address, for how many records it has room, and its bytes. Room at least doubles when it
grows, so a loop of n steps copies less than n records. All tapes of the process together take no more than a limit,
beyond which growing fails (answers 1): the system would rather end the process than refuse it memory.
"""

from __future__ import annotations

import ctypes
import functools
import os
from pathlib import Path

from rosin.backends.llvm.names import FREE, GROW
from rosin.runtime import loading

__all__ = ["bytes_in_use", "install", "limit", "memory", "set_limit"]

_CGROUP = Path("/sys/fs/cgroup/memory.max")


def text() -> str:
    """The native code of them."""
    return _TEXT


def install() -> None:
    """Make the functions known to `loading.load_object`."""
    _words()


def limit() -> int:
    """The bytes that all tapes together may take: nine tenths of the machine's, or the container's, memory at first."""
    return _words()[0].value


def set_limit(count: int) -> None:
    """Let all tapes together take so many bytes.

    Raises:
        ValueError: the number is negative.
    """
    if count < 0:
        raise ValueError(f"a limit of {count} bytes is negative")
    _words()[0].value = count


def bytes_in_use() -> int:
    """The bytes that tapes take now, those of programs that run on other threads."""
    return _words()[1].value


def memory() -> int:
    """The bytes of the machine's memory, or the container's."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    if _CGROUP.exists() and (text := _CGROUP.read_text().strip()).isdigit():
        sizes.append(int(text))
    return min(sizes)


@functools.cache
def _words() -> tuple[ctypes.c_int64, ctypes.c_int64]:
    """The limit and the bytes in use, in native memory."""
    library = loading.load_text(text(), optimize=2)
    for name in (GROW, FREE):
        loading.add_symbol(name, library.address(name))
    library.keep_forever()
    words = (ctypes.c_int64.from_address(library.address(name)) for name in ("rosin_tape_limit", "rosin_tape_bytes"))
    allowed, used = words
    allowed.value = memory() // 10 * 9
    return allowed, used


_TEXT = """\
@rosin_tape_limit = global i64 0
@rosin_tape_bytes = global i64 0

declare ptr @realloc(ptr, i64)
declare void @free(ptr)
declare {i64, i1} @llvm.umul.with.overflow.i64(i64, i64)
declare i64 @llvm.umax.i64(i64, i64)
declare i64 @llvm.umin.i64(i64, i64)

define i32 @rosin_tape_grow(ptr %tape, i64 %wanted, i64 %record) noinline optnone {
  %room.at = getelementptr i64, ptr %tape, i64 1
  %bytes.at = getelementptr i64, ptr %tape, i64 2
  %old = load ptr, ptr %tape
  %room = load i64, ptr %room.at
  %bytes = load i64, ptr %bytes.at
  %product = call {i64, i1} @llvm.umul.with.overflow.i64(i64 %wanted, i64 %record)
  %least = extractvalue {i64, i1} %product, 0
  %overflow = extractvalue {i64, i1} %product, 1
  %limit = load i64, ptr @rosin_tape_limit
  %used = load atomic i64, ptr @rosin_tape_bytes monotonic, align 8
  %others = sub i64 %used, %bytes
  %most = sub i64 %limit, %others
  %too.much = icmp sgt i64 %least, %most
  %negative = icmp slt i64 %least, 0
  %one = or i1 %overflow, %too.much
  %never = or i1 %one, %negative
  br i1 %never, label %fail, label %fits
fits:
  %twice = shl i64 %bytes, 1
  %some = call i64 @llvm.umax.i64(i64 %twice, i64 4096)
  %wish = call i64 @llvm.umax.i64(i64 %some, i64 %least)
  %allowed = call i64 @llvm.umin.i64(i64 %wish, i64 %most)
  %records = udiv i64 %allowed, %record
  %new.bytes = mul i64 %records, %record
  %new = call ptr @realloc(ptr %old, i64 %new.bytes)
  %none = icmp eq ptr %new, null
  br i1 %none, label %fail, label %made
made:
  store ptr %new, ptr %tape
  store i64 %records, ptr %room.at
  store i64 %new.bytes, ptr %bytes.at
  %more = sub i64 %new.bytes, %bytes
  %before = atomicrmw add ptr @rosin_tape_bytes, i64 %more monotonic
  ret i32 0
fail:
  ret i32 1
}

define void @rosin_tapes_free(ptr %tapes, i64 %count) noinline optnone {
  br label %head
head:
  %i = phi i64 [ 0, %0 ], [ %next, %body ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %body, label %done
body:
  %first = mul i64 %i, 3
  %tape = getelementptr i64, ptr %tapes, i64 %first
  %bytes.at = getelementptr i64, ptr %tape, i64 2
  %old = load ptr, ptr %tape
  %bytes = load i64, ptr %bytes.at
  call void @free(ptr %old)
  %before = atomicrmw sub ptr @rosin_tape_bytes, i64 %bytes monotonic
  %next = add i64 %i, 1
  br label %head
done:
  ret void
}
"""
