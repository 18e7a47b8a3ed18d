"""The persistent thread pool, in native code: `rosin_parallel`, which compiled programs call.

    void rosin_parallel(void (*fn)(void *context, int64 begin, int64 end), void *context, int64 count)
    void rosin_parallel_polling(fn, context, count, int32 (*poll)(void *state), void *state)

covers [0, count) with a few contiguous ranges a thread, where it can be ever shorter ones, and returns when all are
done. The caller publishes the job and then every thread, the caller too, claims ranges by tickets until none is left:
first those of its own part of the whole, then those of the parts after it. So a worker that is slow to wake (or that a
fork has taken away) costs little: others do its ranges. And what a thread has written in one job, it is the one to read
in the next: it is in the cache of its processor, from which others have to fetch it, in some machines slowly. With one
thread, one item, or the pool at work for another caller (or for this one: a nested call), the range is one call on the
spot, so nothing waits for anything.
The second function is for work that may have to be stopped: a caller that waits for workers calls `poll` now and then,
which has them end when it is time to; how they learn of it is not the pool's affair.

Workers and the waiting caller spin for a bounded time and then sleep on a futex (elsewhere than on Linux, a condition
variable). A scheduler likes to wake a worker on the caller's processor, where it waits for the caller to be done, so
before sleepers are woken that processor is closed to them (on Linux). Workers start with the first call that has work
for them, and last as long as the process.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys

from rosin.runtime import loading

__all__ = ["POLLING_SYMBOL", "SYMBOL", "install", "num_threads", "set_num_threads"]

SYMBOL = "rosin_parallel"
POLLING_SYMBOL = "rosin_parallel_polling"
SLICE_NANOSECONDS = 20_000_000
"""How long a caller that polls waits at a time."""
SPIN_NANOSECONDS = 50_000
RANGES = 4
"""How many ranges there are for each thread: a worker that is slow to wake leaves more of them to others."""
_MAX_THREADS, MOST_PARTS = 1024, 64


class _Pool(ctypes.Structure):
    """The state that `@rosin_pool` holds; what threads change often lies a cache line apart."""

    _fields_ = [
        # For each part a line: its ranges in the high half of a word, those that are claimed in the low half.
        ("tickets", ctypes.c_char * (MOST_PARTS * 64)),
        ("generation", ctypes.c_uint32),  # counts jobs; workers sleep on it
        ("_2", ctypes.c_char * 60),
        ("remaining", ctypes.c_uint32),  # ranges not done; the caller sleeps on it
        ("_3", ctypes.c_char * 60),
        ("sleepers", ctypes.c_uint32),  # workers asleep, or about to be
        ("caller_sleeps", ctypes.c_uint32),
        ("busy", ctypes.c_uint32),
        ("started", ctypes.c_uint32),  # workers there are
        ("threads", ctypes.c_uint32),  # threads wanted, the caller included
        ("_4", ctypes.c_char * 44),
        ("function", ctypes.c_void_p),
        ("context", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("parts", ctypes.c_uint64),
        ("_5", ctypes.c_char * 32),
        ("mutex", ctypes.c_char * 128),  # for the systems without a futex
        ("condition", ctypes.c_char * 128),
    ]


_wanted = 0  # 0: not yet read from the environment


def num_threads() -> int:
    """The number of threads that share parallel work, the caller included.

    `ROSIN_NUM_THREADS`, else the number of processors this process may use, until `set_num_threads` says otherwise.
    """
    global _wanted
    if not _wanted:
        given = os.environ.get("ROSIN_NUM_THREADS")
        _wanted = _checked(int(given)) if given else min(_processors(), _MAX_THREADS)
    return _wanted


def set_num_threads(count: int) -> None:
    """Share parallel work among `count` threads from the next call on. Threads beyond it sleep."""
    global _wanted
    _wanted = _checked(count)
    if _pool.cache_info().currsize:
        _pool()[0].threads = _wanted


@functools.cache
def text() -> str:
    """The native code of the pool."""
    return pool_text(sys.platform, platform.machine())


def install() -> int:
    """Make `rosin_parallel` known to `loading.load_object`, starting nothing yet; returns its address."""
    return _pool()[1]


def _checked(count: int) -> int:
    if not 1 <= count <= _MAX_THREADS:
        raise ValueError(f"the number of threads must be from 1 to {_MAX_THREADS}, not {count}")
    return count


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def _pool() -> tuple[_Pool, int]:
    """The pool's state and the address of `rosin_parallel`, loaded on first use and never unloaded."""
    library = loading.load_text(text(), optimize=2)
    pool = _Pool.from_address(library.address("rosin_pool"))
    pool.threads = num_threads()

    def start_over() -> None:
        # A fork copies the state but not the workers: the next job starts new ones.
        fresh = _Pool(threads=pool.threads)
        ctypes.memmove(ctypes.addressof(pool), ctypes.addressof(fresh), ctypes.sizeof(_Pool))

    os.register_at_fork(after_in_child=start_over)
    library.keep_forever()
    for symbol in (SYMBOL, POLLING_SYMBOL):
        loading.add_symbol(symbol, library.address(symbol))
    return pool, library.address(SYMBOL)


# -- the native code -------------------------------------------------------------------------------------------

_PAUSE = {"x86_64": ("llvm.x86.sse2.pause", "", ""), "aarch64": ("llvm.aarch64.hint", "i32", "i32 1")}
_FUTEX = {"x86_64": 202, "aarch64": 98}


def pool_text(system: str, machine: str) -> str:
    """The LLVM text of the pool for a `sys.platform` and a `platform.machine()`."""
    machine = {"AMD64": "x86_64", "arm64": "aarch64"}.get(machine, machine)
    futex = system == "linux" and machine in _FUTEX
    text = _TEXT + (_WAIT_FUTEX if futex else _WAIT_CONDITION)
    for name, *_ in _Pool._fields_:
        if not name.startswith("_"):
            at = getattr(_Pool, name).offset
            text = text.replace(f"@pool.{name}", f"getelementptr (i8, ptr @rosin_pool, i64 {at})")
    intrinsic, parameters, arguments = _PAUSE.get(machine, ("llvm.donothing", "", ""))
    words = {
        "POOL_BYTES": ctypes.sizeof(_Pool),
        "SPIN": SPIN_NANOSECONDS,
        "SLICE": SLICE_NANOSECONDS,
        "CLOCK": 6 if system == "darwin" else 1,
        "SET_MASK": 3 if system == "darwin" else 2,
        "FUTEX": _FUTEX.get(machine, 0),
        "MOST": _MAX_THREADS,
        "RANGES": RANGES,
        "PARTS": MOST_PARTS,
        "PAUSE_DECLARED": f"declare void @{intrinsic}({parameters})",
        "PAUSE": f"call void @{intrinsic}({arguments})",
    }
    for word, value in words.items():
        text = text.replace(f"${word}$", str(value))
    return text


_TEXT = """\
@rosin_pool = global [$POOL_BYTES$ x i8] zeroinitializer, align 64

declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_detach(ptr)
declare i32 @pthread_sigmask(i32, ptr, ptr)
declare i32 @sigfillset(ptr)
declare i32 @clock_gettime(i32, ptr)
declare i64 @llvm.umin.i64(i64, i64)
$PAUSE_DECLARED$

define void @rosin_parallel(ptr %fn, ptr %context, i64 %count) nounwind {
  call void @rosin_parallel_polling(ptr %fn, ptr %context, i64 %count, ptr null, ptr null)
  ret void
}

define void @rosin_parallel_polling(ptr %fn, ptr %context, i64 %count, ptr %poll, ptr %state) nounwind {
entry:
  %threads.narrow = load atomic i32, ptr @pool.threads monotonic, align 4
  %threads = zext i32 %threads.narrow to i64
  %some = icmp sgt i64 %count, 0
  br i1 %some, label %share, label %done
share:
  %team = call i64 @llvm.umin.i64(i64 %threads, i64 %count)
  %alone = icmp ule i64 %team, 1
  br i1 %alone, label %inline, label %take
take:
  %pair = cmpxchg ptr @pool.busy, i32 0, i32 1 acquire monotonic
  %mine = extractvalue { i32, i1 } %pair, 1
  br i1 %mine, label %staff, label %inline
inline:
  call void %fn(ptr %context, i64 0, i64 %count)
  br label %done
staff:
  %workers = sub i64 %team, 1
  %started.narrow = load i32, ptr @pool.started
  %started = zext i32 %started.narrow to i64
  %staffed = icmp uge i64 %started, %workers
  br i1 %staffed, label %publish, label %hire
hire:
  call void @start_workers(i64 %workers)
  br label %publish
publish:
  store ptr %fn, ptr @pool.function
  store ptr %context, ptr @pool.context
  store i64 %count, ptr @pool.count
  %parts = call i64 @llvm.umin.i64(i64 %team, i64 $PARTS$)
  store atomic i64 %parts, ptr @pool.parts monotonic, align 8
  %pieces = mul i64 %team, $RANGES$
  %above = add i64 %pieces, %parts
  %below = sub i64 %above, 1
  %most = udiv i64 %below, %parts
  %short = udiv i64 %count, %parts              ; the items of a part, or of all but the first few one more
  %longer = urem i64 %count, %parts
  %long = add i64 %short, 1
  %of.short = call i64 @llvm.umin.i64(i64 %most, i64 %short)
  %of.long = call i64 @llvm.umin.i64(i64 %most, i64 %long)
  %shorter = sub i64 %parts, %longer
  %in.short = mul i64 %of.short, %shorter
  %in.long = mul i64 %of.long, %longer
  %ranges = add i64 %in.short, %in.long
  %ranges.narrow = trunc i64 %ranges to i32
  store atomic i32 %ranges.narrow, ptr @pool.remaining monotonic, align 4
  br label %each
each:
  %part = phi i64 [ 0, %publish ], [ %following, %each ]
  %is.long = icmp ult i64 %part, %longer
  %of.part = select i1 %is.long, i64 %of.long, i64 %of.short
  %ticket = shl i64 %of.part, 32
  %ticket.at = getelementptr [64 x i8], ptr @pool.tickets, i64 %part
  store atomic i64 %ticket, ptr %ticket.at release, align 8
  %following = add i64 %part, 1
  %others = icmp ult i64 %following, %parts
  br i1 %others, label %each, label %call
call:
  %before = atomicrmw add ptr @pool.generation, i32 1 seq_cst
  %sleepers = load atomic i32, ptr @pool.sleepers seq_cst, align 4
  %all.awake = icmp eq i32 %sleepers, 0
  br i1 %all.awake, label %own, label %rouse
rouse:
  call void @make_way()
  call void @wake(ptr @pool.generation)
  br label %own
own:
  call void @work(i64 0)
  %left = load atomic i32, ptr @pool.remaining acquire, align 4
  %finished = icmp eq i32 %left, 0
  br i1 %finished, label %free, label %wait
wait:
  call void @await_workers(ptr %poll, ptr %state)
  br label %free
free:
  store atomic i32 0, ptr @pool.busy release, align 4
  br label %done
done:
  ret void
}

; Claim ranges of the job and run them until none is left, those of a thread's own part first. A late claim may find the
; next job: that is as good, and then there are other parts.
define internal void @work(i64 %thread) nounwind noinline {
entry:
  %parts = load atomic i64, ptr @pool.parts monotonic, align 8
  br label %part
part:
  %turn = phi i64 [ 0, %entry ], [ %turned, %next ]
  %from = add i64 %thread, %turn
  %here = urem i64 %from, %parts
  %ticket.at = getelementptr [64 x i8], ptr @pool.tickets, i64 %here
  br label %look
look:
  %seen = load atomic i64, ptr %ticket.at monotonic, align 8
  %open = call i1 @has_ranges(i64 %seen)
  br i1 %open, label %claim, label %next
claim:
  %ticket = atomicrmw add ptr %ticket.at, i64 1 acq_rel
  %valid = call i1 @has_ranges(i64 %ticket)
  br i1 %valid, label %run, label %next
run:
  %fn = load ptr, ptr @pool.function
  %context = load ptr, ptr @pool.context
  %count = load i64, ptr @pool.count
  %parts.now = load atomic i64, ptr @pool.parts monotonic, align 8
  %ranges = lshr i64 %ticket, 32
  %mine = and i64 %ticket, 4294967295
  %after = add i64 %mine, 1
  %start = call i64 @even(i64 %count, i64 %parts.now, i64 %here)
  %here.after = add i64 %here, 1
  %stop = call i64 @even(i64 %count, i64 %parts.now, i64 %here.after)
  %items = sub i64 %stop, %start
  %first = call i64 @boundary(i64 %items, i64 %ranges, i64 %mine)
  %last = call i64 @boundary(i64 %items, i64 %ranges, i64 %after)
  %begin = add i64 %start, %first
  %end = add i64 %start, %last
  call void %fn(ptr %context, i64 %begin, i64 %end)
  %left = atomicrmw sub ptr @pool.remaining, i32 1 seq_cst
  %over = icmp eq i32 %left, 1
  br i1 %over, label %report, label %look
report:
  %sleeps = load atomic i32, ptr @pool.caller_sleeps seq_cst, align 4
  %awake = icmp eq i32 %sleeps, 0
  br i1 %awake, label %none, label %rouse
rouse:
  call void @wake(ptr @pool.remaining)
  br label %none
next:
  %turned = add i64 %turn, 1
  %more = icmp ult i64 %turned, %parts
  br i1 %more, label %part, label %none
none:
  ret void
}

define internal i1 @has_ranges(i64 %ticket) nounwind alwaysinline {
  %ranges = lshr i64 %ticket, 32
  %claimed = and i64 %ticket, 4294967295
  %some = icmp ult i64 %claimed, %ranges
  ret i1 %some
}

; Where a part begins, of so many that are as long as one another.
define internal i64 @even(i64 %count, i64 %parts, i64 %number) nounwind alwaysinline {
  %share = udiv i64 %count, %parts
  %longer = urem i64 %count, %parts             ; so many parts have one item more
  %before = mul i64 %share, %number
  %extra = call i64 @llvm.umin.i64(i64 %number, i64 %longer)
  %at = add i64 %before, %extra
  ret i64 %at
}

; Where a range of a part begins. Where there are items enough, ranges become shorter, the last one in the square of
; their number, so that threads end together even if one of them was late or slow.
define internal i64 @boundary(i64 %count, i64 %ranges, i64 %number) nounwind {
entry:
  %square = mul i64 %ranges, %ranges
  %many = icmp uge i64 %count, %square
  br i1 %many, label %shorter, label %even
shorter:                                      ; n (2r - n) of r r parts
  %twice = shl i64 %ranges, 1
  %rest = sub i64 %twice, %number
  %parts = mul i64 %number, %rest
  %part = udiv i64 %count, %square
  %left = urem i64 %count, %square
  %whole = mul i64 %part, %parts
  %scaled = mul i64 %left, %parts
  %more = udiv i64 %scaled, %square
  %place = add i64 %whole, %more
  ret i64 %place
even:
  %at = call i64 @even(i64 %count, i64 %ranges, i64 %number)
  ret i64 %at
}

define internal void @await_workers(ptr %poll, ptr %state) nounwind noinline optnone {
entry:
  %deadline = call i64 @deadline()
  br label %spin
spin:
  $PAUSE$
  %left = load atomic i32, ptr @pool.remaining acquire, align 4
  %finished = icmp eq i32 %left, 0
  br i1 %finished, label %done, label %check
check:
  %now = call i64 @now()
  %early = icmp slt i64 %now, %deadline
  br i1 %early, label %spin, label %doze
doze:
  store atomic i32 1, ptr @pool.caller_sleeps seq_cst, align 4
  br label %look
look:
  %still = load atomic i32, ptr @pool.remaining seq_cst, align 4
  %over = icmp eq i32 %still, 0
  br i1 %over, label %woken, label %sleep
sleep:
  %silent = icmp eq ptr %poll, null
  br i1 %silent, label %rest, label %slice
rest:
  call void @wait(ptr @pool.remaining, i32 %still)
  br label %look
slice:
  call void @wait_slice(ptr @pool.remaining, i32 %still)
  %1 = call i32 %poll(ptr %state)
  br label %look
woken:
  store atomic i32 0, ptr @pool.caller_sleeps monotonic, align 4
  br label %done
done:
  ret void
}

; A worker: wait for the generation to change, work, again. `first` is the generation when it was started, and in the
; high half the number of its thread.
define internal ptr @worker(ptr %first) nounwind noinline optnone {
entry:
  %first.wide = ptrtoint ptr %first to i64
  %start = trunc i64 %first.wide to i32
  %thread = lshr i64 %first.wide, 32
  br label %idle
idle:
  %seen = phi i32 [ %start, %entry ], [ %current, %busy ]
  %deadline = call i64 @deadline()
  br label %spin
spin:
  %spun = load atomic i32, ptr @pool.generation acquire, align 4
  %called = icmp ne i32 %spun, %seen
  br i1 %called, label %busy, label %check
check:
  $PAUSE$
  %now = call i64 @now()
  %early = icmp slt i64 %now, %deadline
  br i1 %early, label %spin, label %doze
doze:
  %older = atomicrmw add ptr @pool.sleepers, i32 1 seq_cst
  br label %look
look:
  %looked = load atomic i32, ptr @pool.generation seq_cst, align 4
  %changed = icmp ne i32 %looked, %seen
  br i1 %changed, label %woken, label %sleep
sleep:
  call void @wait(ptr @pool.generation, i32 %seen)
  br label %look
woken:
  %newer = atomicrmw sub ptr @pool.sleepers, i32 1 monotonic
  br label %busy
busy:
  %current = phi i32 [ %spun, %spin ], [ %looked, %woken ]
  call void @work(i64 %thread)
  br label %idle
}

; Start workers until there are `wanted`. Where the system gives no more, the pool makes do with those it has.
define internal void @start_workers(i64 %wanted) nounwind noinline optnone {
entry:
  %thread = alloca ptr
  %full = alloca [256 x i8], align 16        ; a sigset_t: signals stay with Python's threads
  %old = alloca [256 x i8], align 16
  %1 = call i32 @sigfillset(ptr %full)
  %2 = call i32 @pthread_sigmask(i32 $SET_MASK$, ptr %full, ptr %old)
  call void @prepare_wait()
  %generation = load atomic i32, ptr @pool.generation monotonic, align 4
  %generation.wide = zext i32 %generation to i64
  %wanted.narrow = trunc i64 %wanted to i32
  br label %loop
loop:
  %started = load i32, ptr @pool.started
  %more = icmp ult i32 %started, %wanted.narrow
  br i1 %more, label %create, label %done
create:
  %number = add i32 %started, 1
  %number.wide = zext i32 %number to i64
  %number.high = shl i64 %number.wide, 32
  %both = or i64 %number.high, %generation.wide
  %argument = inttoptr i64 %both to ptr
  %error = call i32 @pthread_create(ptr %thread, ptr null, ptr @worker, ptr %argument)
  %ok = icmp eq i32 %error, 0
  br i1 %ok, label %created, label %refused
created:
  %handle = load ptr, ptr %thread
  %3 = call i32 @pthread_detach(ptr %handle)
  call void @remember(ptr %handle, i32 %started)
  %count = add i32 %started, 1
  store i32 %count, ptr @pool.started
  br label %loop
refused:
  %have = add i32 %started, 1
  store atomic i32 %have, ptr @pool.threads monotonic, align 4
  br label %done
done:
  %4 = call i32 @pthread_sigmask(i32 $SET_MASK$, ptr %old, ptr null)
  ret void
}

define internal i64 @now() nounwind noinline optnone {
  %time = alloca { i64, i64 }
  %1 = call i32 @clock_gettime(i32 $CLOCK$, ptr %time)
  %seconds = load i64, ptr %time
  %part.at = getelementptr { i64, i64 }, ptr %time, i64 0, i32 1
  %part = load i64, ptr %part.at
  %whole = mul i64 %seconds, 1000000000
  %sum = add i64 %whole, %part
  ret i64 %sum
}

define internal i64 @deadline() nounwind noinline optnone {
  %now = call i64 @now()
  %end = add i64 %now, $SPIN$
  ret i64 %end
}
"""

_WAIT_FUTEX = """
declare i64 @syscall(i64, ...)

@handles = internal global [$MOST$ x ptr] zeroinitializer
@allowed = internal global [16 x i64] zeroinitializer    ; a cpu_set_t: the processors that the pool may use
@closed = internal global i32 -1                         ; the one that is closed to workers

declare i32 @sched_getcpu()
declare i32 @sched_getaffinity(i32, i64, ptr)
declare i32 @pthread_setaffinity_np(ptr, i64, ptr)

define internal void @prepare_wait() nounwind noinline optnone {
  %1 = call i32 @sched_getaffinity(i32 0, i64 128, ptr @allowed)
  store i32 -1, ptr @closed
  ret void
}

define internal void @remember(ptr %handle, i32 %number) nounwind noinline optnone {
  %at = getelementptr ptr, ptr @handles, i32 %number
  store ptr %handle, ptr %at
  ret void
}

; Close the caller's processor to the workers, if that leaves them any.
define internal void @make_way() nounwind noinline optnone {
entry:
  %open = alloca [16 x i64], align 16
  %cpu = call i32 @sched_getcpu()
  %known = icmp ult i32 %cpu, 1024
  %closed = load i32, ptr @closed
  %same = icmp eq i32 %cpu, %closed
  %other = xor i1 %same, true
  %needed = and i1 %known, %other
  br i1 %needed, label %copy, label %done
copy:
  %mask = load <16 x i64>, ptr @allowed, align 8
  %word = lshr i32 %cpu, 6
  %place = and i32 %cpu, 63
  %place.wide = zext i32 %place to i64
  %bit = shl i64 1, %place.wide
  %old = extractelement <16 x i64> %mask, i32 %word
  %clear = xor i64 %bit, -1
  %new = and i64 %old, %clear
  %rest = insertelement <16 x i64> %mask, i64 %new, i32 %word
  store <16 x i64> %rest, ptr %open, align 8
  %any = call i64 @llvm.vector.reduce.or.v16i64(<16 x i64> %rest)
  %some = icmp ne i64 %any, 0
  br i1 %some, label %note, label %done
note:
  store i32 %cpu, ptr @closed
  %started = load i32, ptr @pool.started
  br label %each
each:
  %i = phi i32 [ 0, %note ], [ %next, %set ]
  %more = icmp ult i32 %i, %started
  br i1 %more, label %set, label %done
set:
  %at = getelementptr ptr, ptr @handles, i32 %i
  %handle = load ptr, ptr %at
  %1 = call i32 @pthread_setaffinity_np(ptr %handle, i64 128, ptr %open)
  %next = add i32 %i, 1
  br label %each
done:
  ret void
}

declare i64 @llvm.vector.reduce.or.v16i64(<16 x i64>)

; Sleep while the word is `seen`, or return early for no reason.
define internal void @wait(ptr %word, i32 %seen) nounwind noinline optnone {
  %1 = call i64 (i64, ...) @syscall(i64 $FUTEX$, ptr %word, i32 128, i32 %seen, ptr null)
  ret void
}

; The same, for so long at most.
define internal void @wait_slice(ptr %word, i32 %seen) nounwind noinline optnone {
  %time = alloca { i64, i64 }
  store { i64, i64 } { i64 0, i64 $SLICE$ }, ptr %time
  %1 = call i64 (i64, ...) @syscall(i64 $FUTEX$, ptr %word, i32 128, i32 %seen, ptr %time)
  ret void
}

define internal void @wake(ptr %word) nounwind noinline optnone {
  %1 = call i64 (i64, ...) @syscall(i64 $FUTEX$, ptr %word, i32 129, i32 2147483647)
  ret void
}
"""

_WAIT_CONDITION = """
declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_timedwait(ptr, ptr, ptr)
declare i32 @pthread_cond_broadcast(ptr)

define internal void @remember(ptr %handle, i32 %number) nounwind noinline optnone {
  ret void
}

define internal void @make_way() nounwind noinline optnone {
  ret void
}

define internal void @prepare_wait() nounwind noinline optnone {
  %started = load i32, ptr @pool.started
  %first = icmp eq i32 %started, 0
  br i1 %first, label %make, label %made
make:
  %1 = call i32 @pthread_mutex_init(ptr @pool.mutex, ptr null)
  %2 = call i32 @pthread_cond_init(ptr @pool.condition, ptr null)
  ret void
made:
  ret void
}

; Sleep while the word is `seen`, or return early for no reason.
define internal void @wait(ptr %word, i32 %seen) nounwind noinline optnone {
entry:
  %1 = call i32 @pthread_mutex_lock(ptr @pool.mutex)
  %current = load atomic i32, ptr %word seq_cst, align 4
  %same = icmp eq i32 %current, %seen
  br i1 %same, label %sleep, label %done
sleep:
  %2 = call i32 @pthread_cond_wait(ptr @pool.condition, ptr @pool.mutex)
  br label %done
done:
  %3 = call i32 @pthread_mutex_unlock(ptr @pool.mutex)
  ret void
}

; The same, for so long at most.
define internal void @wait_slice(ptr %word, i32 %seen) nounwind noinline optnone {
entry:
  %time = alloca { i64, i64 }
  %part.at = getelementptr { i64, i64 }, ptr %time, i64 0, i32 1
  %1 = call i32 @clock_gettime(i32 0, ptr %time)
  %seconds = load i64, ptr %time
  %part = load i64, ptr %part.at
  %later = add i64 %part, $SLICE$
  %over = udiv i64 %later, 1000000000
  %rest = urem i64 %later, 1000000000
  %sum = add i64 %seconds, %over
  store i64 %sum, ptr %time
  store i64 %rest, ptr %part.at
  %2 = call i32 @pthread_mutex_lock(ptr @pool.mutex)
  %current = load atomic i32, ptr %word seq_cst, align 4
  %same = icmp eq i32 %current, %seen
  br i1 %same, label %sleep, label %done
sleep:
  %3 = call i32 @pthread_cond_timedwait(ptr @pool.condition, ptr @pool.mutex, ptr %time)
  br label %done
done:
  %4 = call i32 @pthread_mutex_unlock(ptr @pool.mutex)
  ret void
}

define internal void @wake(ptr %word) nounwind noinline optnone {
  %1 = call i32 @pthread_mutex_lock(ptr @pool.mutex)
  %2 = call i32 @pthread_cond_broadcast(ptr @pool.condition)
  %3 = call i32 @pthread_mutex_unlock(ptr @pool.mutex)
  ret void
}
"""
