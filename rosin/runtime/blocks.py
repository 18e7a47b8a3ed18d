"""Memory of large results: blocks that begin at whole lines, lie in huge pages, and are kept when they are dropped.

The system clears every page that it gives, which takes longer than most programs take to fill it, and the C library
gives every freed block over 32 MiB back. So the entry makes large results with an allocator of ours, through NumPy's
interface for these, and what results leave behind serves the next ones of about their size:

    PyDataMem_Handler rosin_blocks_handler      the allocator, as NumPy wants it
    ptr rosin_block_new(int64 bytes)            memory from the system, at the beginning of a page, for `free`
    void rosin_blocks_trim()                    gives all kept blocks back
    void rosin_blocks_tidy()                    gives those back that nothing has used for a while

Kept blocks take at most a share of the machine's memory, and the oldest go first. What has been kept for `IDLE` seconds
goes when the next large result comes or is dropped, or the next program is loaded: its pages would then be had again in
a small part of the time that they were of no use. The system is told that it may take pages of kept blocks when it runs
short of memory, but not at every drop of a block that is used again and again: each time, threads would wait until no
processor knows where its pages are.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys

from rosin.runtime import loading
from rosin.runtime.tapes import memory

__all__ = ["IDLE", "TEXT", "bytes_kept", "handler", "install", "tidy", "trim"]

SHARE = 8
"""Kept blocks take at most one part in so many of the memory."""

IDLE = 5
"""Blocks that are kept so many seconds are given back."""

_library: loading.Library | None = None


def install(library: loading.Library) -> None:
    """Use the functions of the library that has `TEXT` in it, which stays loaded."""
    global _library
    _library = library
    _word("limit").value = memory() // SHARE
    _word("idle").value = IDLE * 10**9
    # A thread that held the lock when the process forked is not in the child.
    os.register_at_fork(after_in_child=functools.partial(setattr, _word("lock"), "value", 0))


@functools.cache
def handler() -> object:
    """The allocator as the object that NumPy takes."""
    assert _library is not None
    new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    return new(("PyCapsule_New", ctypes.pythonapi))(_library.address("rosin_blocks_handler"), b"mem_handler", None)


def bytes_kept() -> int:
    """The bytes of blocks that are kept for later results."""
    return 0 if _library is None else _word("kept").value


def trim() -> None:
    """Give kept blocks back to the system."""
    _do("trim")


def tidy() -> None:
    """Give those of them back that nothing has used for `IDLE` seconds."""
    _do("tidy")


def _do(name: str) -> None:
    if _library is not None:
        ctypes.PYFUNCTYPE(None)(_library.address(f"rosin_blocks_{name}"))()


def _word(name: str) -> ctypes.c_int64:
    assert _library is not None
    return ctypes.c_int64.from_address(_library.address(f"rosin_blocks_{name}"))


HEAD = 1024
"""So many bytes stand before the numbers of a block: how many it has, and when the system was told of it. The C library
has 16 bytes before a large array of NumPy's, at the beginning of a page: were ours as near to that (by some 400 bytes),
numbers would be read where, but for the page, others have just been written, and reading waits for that. Whatever else
programs work in lies as far from both (entry_code.py)."""

RESTED = 10
"""The system is told of a dropped block when it was not in so many milliseconds: that takes a hundredth of them."""

_SLOTS = 64
_HUGE, _HUGE_PAGE = 8 << 20, 2 << 20
_LINUX = {"MADV_FREE": 8, "MADV_HUGEPAGE": 14}
_MONOTONIC = 1 if sys.platform.startswith("linux") else 6

_CODE = """\
%Kept = type { ptr, i64, i64 }              ; the block or null, its bytes, when it was dropped
@rosin_blocks_table = internal global [$SLOTS x %Kept] zeroinitializer
@rosin_blocks_lock = global i64 0
@rosin_blocks_limit = global i64 0
@rosin_blocks_kept = global i64 0
@rosin_blocks_idle = global i64 0

@rosin_blocks_handler = global { [127 x i8], i8, ptr, ptr, ptr, ptr, ptr } {
  [127 x i8] c"rosin$NUL", i8 1, ptr null, ptr @block_malloc, ptr @block_calloc, ptr @block_realloc, ptr @block_free }

declare ptr @memset(ptr, i32, i64)
declare ptr @memcpy(ptr, ptr, i64)
declare i32 @clock_gettime(i32, ptr)
$DECLARED

define internal void @blocks_take_lock() nounwind noinline optnone {
entry:
  br label %try
try:
  %held = atomicrmw xchg ptr @rosin_blocks_lock, i64 1 acquire
  %free = icmp eq i64 %held, 0
  br i1 %free, label %mine, label %try
mine:
  ret void
}

; Nanoseconds that only grow.
define internal i64 @blocks_now() nounwind noinline optnone {
  %time = alloca { i64, i64 }
  %failed = call i32 @clock_gettime(i32 $MONOTONIC, ptr %time)
  %seconds = load i64, ptr %time
  %rest.at = getelementptr { i64, i64 }, ptr %time, i64 0, i32 1
  %rest = load i64, ptr %rest.at
  %whole = mul i64 %seconds, 1000000000
  %now = add i64 %whole, %rest
  ret i64 %now
}

define internal i64 @block_bytes(i64 %size) nounwind noinline optnone {
  %with.head = add i64 %size, $HEAD
  %huge = icmp uge i64 %with.head, $HUGE
  %page = select i1 %huge, i64 $PAGE, i64 4096
  %most = sub i64 %page, 1
  %over = add i64 %with.head, %most
  %mask = sub i64 0, %page
  %bytes = and i64 %over, %mask
  ret i64 %bytes
}

define ptr @rosin_block_new(i64 %bytes) nounwind noinline optnone {
entry:
  %huge = icmp uge i64 %bytes, $HUGE
  br i1 %huge, label %large, label %small
small:
  %plain = call ptr @aligned_alloc(i64 4096, i64 %bytes)
  ret ptr %plain
large:
  %over = add i64 %bytes, $LAST
  %whole = and i64 %over, -$PAGE
  %block = call ptr @aligned_alloc(i64 $PAGE, i64 %whole)
  %none = icmp eq ptr %block, null
  br i1 %none, label %out, label %advise
advise:
  $MADV_HUGEPAGE
  br label %out
out:
  ret ptr %block
}

; The kept block of the least size that will do, or else a slot that is null; under the lock.
define internal ptr @blocks_fitting(i64 %bytes) nounwind noinline optnone {
entry:
  %slack = lshr i64 %bytes, 2
  %most = add i64 %bytes, %slack
  %top = add i64 %most, 1
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %best = phi ptr [ null, %entry ], [ %better, %loop ]
  %least = phi i64 [ %top, %entry ], [ %less, %loop ]
  %slot = getelementptr %Kept, ptr @rosin_blocks_table, i64 %i
  %size.at = getelementptr %Kept, ptr %slot, i64 0, i32 1
  %size = load i64, ptr %size.at
  %enough = icmp uge i64 %size, %bytes
  %small = icmp ult i64 %size, %least
  %fits = and i1 %enough, %small
  %better = select i1 %fits, ptr %slot, ptr %best
  %less = select i1 %fits, i64 %size, i64 %least
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, $SLOTS
  br i1 %more, label %loop, label %done
done:
  ret ptr %better
}

; The slot with the least stamp, among those with a block or without; under the lock. Null if there is none.
define internal ptr @blocks_oldest(i1 %free) nounwind noinline optnone {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %best = phi ptr [ null, %entry ], [ %better, %loop ]
  %least = phi i64 [ -1, %entry ], [ %less, %loop ]
  %slot = getelementptr %Kept, ptr @rosin_blocks_table, i64 %i
  %block = load ptr, ptr %slot
  %stamp.at = getelementptr %Kept, ptr %slot, i64 0, i32 2
  %stamp = load i64, ptr %stamp.at
  %is.free = icmp eq ptr %block, null
  %wanted = icmp eq i1 %is.free, %free
  %older = icmp ult i64 %stamp, %least
  %take = and i1 %wanted, %older
  %better = select i1 %take, ptr %slot, ptr %best
  %less = select i1 %take, i64 %stamp, i64 %least
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, $SLOTS
  br i1 %more, label %loop, label %done
done:
  ret ptr %better
}

; Empty a slot; under the lock. Gives the block.
define internal ptr @blocks_empty(ptr %slot) nounwind noinline optnone {
  %block = load ptr, ptr %slot
  %size.at = getelementptr %Kept, ptr %slot, i64 0, i32 1
  %size = load i64, ptr %size.at
  %kept = load i64, ptr @rosin_blocks_kept
  %rest = sub i64 %kept, %size
  store i64 %rest, ptr @rosin_blocks_kept
  store ptr null, ptr %slot
  store i64 0, ptr %size.at
  ret ptr %block
}

; Give back what was dropped before a time, the oldest first; under the lock.
define internal void @blocks_drop(i64 %before) nounwind noinline optnone {
entry:
  br label %loop
loop:
  %slot = call ptr @blocks_oldest(i1 false)
  %none = icmp eq ptr %slot, null
  br i1 %none, label %done, label %look
look:
  %stamp.at = getelementptr %Kept, ptr %slot, i64 0, i32 2
  %stamp = load i64, ptr %stamp.at
  %old = icmp slt i64 %stamp, %before
  br i1 %old, label %drop, label %done
drop:
  %block = call ptr @blocks_empty(ptr %slot)
  call void @free(ptr %block)
  br label %loop
done:
  ret void
}

; Give back what nothing has used for a while; under the lock. Gives the time.
define internal i64 @blocks_drop_idle() nounwind noinline optnone {
  %now = call i64 @blocks_now()
  %idle = load i64, ptr @rosin_blocks_idle
  %before = sub i64 %now, %idle
  call void @blocks_drop(i64 %before)
  ret i64 %now
}

define void @rosin_blocks_trim() nounwind noinline optnone {
  call void @blocks_take_lock()
  call void @blocks_drop(i64 $FOREVER)
  store atomic i64 0, ptr @rosin_blocks_lock release, align 8
  ret void
}

define void @rosin_blocks_tidy() nounwind noinline optnone {
  call void @blocks_take_lock()
  %now = call i64 @blocks_drop_idle()
  store atomic i64 0, ptr @rosin_blocks_lock release, align 8
  ret void
}

define internal ptr @block_malloc(ptr %context, i64 %size) nounwind noinline optnone {
entry:
  %bytes = call i64 @block_bytes(i64 %size)
  call void @blocks_take_lock()
  %slot = call ptr @blocks_fitting(i64 %bytes)
  %none = icmp eq ptr %slot, null
  br i1 %none, label %fresh, label %again
again:
  %had.at = getelementptr %Kept, ptr %slot, i64 0, i32 1
  %had = load i64, ptr %had.at
  %old = call ptr @blocks_empty(ptr %slot)
  store atomic i64 0, ptr @rosin_blocks_lock release, align 8
  br label %made
fresh:
  %then = call i64 @blocks_drop_idle()
  store atomic i64 0, ptr @rosin_blocks_lock release, align 8
  %new = call ptr @rosin_block_new(i64 %bytes)
  %failed = icmp eq ptr %new, null
  br i1 %failed, label %trim, label %first
trim:
  call void @rosin_blocks_trim()
  %last = call ptr @rosin_block_new(i64 %bytes)
  %hopeless = icmp eq ptr %last, null
  br i1 %hopeless, label %no, label %first
no:
  ret ptr null
first:
  %got = phi ptr [ %new, %fresh ], [ %last, %trim ]
  %told.at = getelementptr i64, ptr %got, i64 1
  store i64 0, ptr %told.at
  br label %made
made:
  %block = phi ptr [ %old, %again ], [ %got, %first ]
  %has = phi i64 [ %had, %again ], [ %bytes, %first ]
  store i64 %has, ptr %block
  %numbers = getelementptr i8, ptr %block, i64 $HEAD
  ret ptr %numbers
}

define internal void @block_free(ptr %context, ptr %numbers, i64 %size) nounwind noinline optnone {
entry:
  %block = getelementptr i8, ptr %numbers, i64 -$HEAD
  %bytes = load i64, ptr %block
  %limit = load i64, ptr @rosin_blocks_limit
  %keep = icmp ule i64 %bytes, %limit
  br i1 %keep, label %offer, label %drop
drop:
  call void @free(ptr %block)
  ret void
offer:
  %huge = icmp uge i64 %bytes, $HUGE
  br i1 %huge, label %rested, label %room
rested:
  %told.at = getelementptr i64, ptr %block, i64 1
  %told = load i64, ptr %told.at
  %dropped = call i64 @blocks_now()
  %since = sub i64 %dropped, %told
  %long = icmp sge i64 %since, $RESTED
  br i1 %long, label %advise, label %room
advise:
  store i64 %dropped, ptr %told.at
  $MADV_FREE
  br label %room
room:
  call void @blocks_take_lock()
  %now = call i64 @blocks_drop_idle()
  br label %look
look:
  %kept = load i64, ptr @rosin_blocks_kept
  %then = add i64 %kept, %bytes
  %much = icmp ugt i64 %then, %limit
  %slot = call ptr @blocks_oldest(i1 true)
  %full = icmp eq ptr %slot, null
  %make.room = or i1 %much, %full
  br i1 %make.room, label %evict, label %put
evict:
  %oldest = call ptr @blocks_oldest(i1 false)
  %evicted = call ptr @blocks_empty(ptr %oldest)
  call void @free(ptr %evicted)
  br label %look
put:
  store ptr %block, ptr %slot
  %size.at = getelementptr %Kept, ptr %slot, i64 0, i32 1
  store i64 %bytes, ptr %size.at
  %stamp.at = getelementptr %Kept, ptr %slot, i64 0, i32 2
  store i64 %now, ptr %stamp.at
  store i64 %then, ptr @rosin_blocks_kept
  store atomic i64 0, ptr @rosin_blocks_lock release, align 8
  ret void
}

define internal ptr @block_calloc(ptr %context, i64 %count, i64 %size) nounwind noinline optnone {
entry:
  %pair = call { i64, i1 } @llvm.umul.with.overflow.i64(i64 %count, i64 %size)
  %bytes = extractvalue { i64, i1 } %pair, 0
  %over = extractvalue { i64, i1 } %pair, 1
  br i1 %over, label %no, label %make
make:
  %numbers = call ptr @block_malloc(ptr null, i64 %bytes)
  %none = icmp eq ptr %numbers, null
  br i1 %none, label %no, label %clear
clear:
  %cleared = call ptr @memset(ptr %numbers, i32 0, i64 %bytes)
  ret ptr %numbers
no:
  ret ptr null
}
declare { i64, i1 } @llvm.umul.with.overflow.i64(i64, i64)

; A block stays where it is when three quarters of it are used.
define internal ptr @block_realloc(ptr %context, ptr %numbers, i64 %size) nounwind noinline optnone {
entry:
  %block = getelementptr i8, ptr %numbers, i64 -$HEAD
  %has = load i64, ptr %block
  %bytes = call i64 @block_bytes(i64 %size)
  %quarter = lshr i64 %has, 2
  %least = sub i64 %has, %quarter
  %fits = icmp ule i64 %bytes, %has
  %fills = icmp uge i64 %bytes, %least
  %stays = and i1 %fits, %fills
  br i1 %stays, label %stay, label %move
stay:
  ret ptr %numbers
move:
  %new = call ptr @block_malloc(ptr null, i64 %size)
  %none = icmp eq ptr %new, null
  br i1 %none, label %no, label %copy
copy:
  %had = sub i64 %has, $HEAD
  %count = call i64 @llvm.umin.i64(i64 %had, i64 %size)
  %copied = call ptr @memcpy(ptr %new, ptr %numbers, i64 %count)
  call void @block_free(ptr null, ptr %numbers, i64 0)
  ret ptr %new
no:
  ret ptr null
}
declare i64 @llvm.umin.i64(i64, i64)
"""


def _text() -> str:
    """The functions, for a module that declares `aligned_alloc` and `free`."""
    linux = sys.platform.startswith("linux")
    words = {
        "NUL": "\\00" * 122,
        "SLOTS": str(_SLOTS),
        "HEAD": str(HEAD),
        "HUGE": str(_HUGE),
        "PAGE": str(_HUGE_PAGE),
        "LAST": str(_HUGE_PAGE - 1),
        "RESTED": str(RESTED * 10**6),
        "FOREVER": str((1 << 63) - 1),
        "MONOTONIC": str(_MONOTONIC),
        "DECLARED": "declare i32 @madvise(ptr, i64, i32)" if linux else "",
    }
    for name, number in _LINUX.items():
        bytes = "%whole" if name == "MADV_HUGEPAGE" else "%bytes"
        call = f"%advised = call i32 @madvise(ptr %block, i64 {bytes}, i32 {number})"
        words[name] = call if linux else ""
    text = _CODE
    for word, value in words.items():
        text = text.replace(f"${word}", value)
    return text


TEXT = _text()
