"""The LLVM text of the native entry that `entry.make_entry` describes: one function, for every compiled program."""

from __future__ import annotations

from rosin.backends.llvm.names import LARGE_BYTES
from rosin.runtime import blocks

__all__ = ["HEADER", "NO_ROOM", "RELEASE_GIL_BYTES", "STACK_ARENA_BYTES", "WRITEABLE", "entry_text"]

STACK_ARENA_BYTES = 16 << 10  # an arena up to this size is on the stack
ARENA_HEAD = 2048  # a larger one begins so many bytes behind the beginning of a page: see blocks.HEAD
RELEASE_GIL_BYTES = 1 << 16  # programs over less, without loops, end before another Python thread could take over
NO_ROOM = -1  # the code of a call for which there is no memory: its results, or what lies between
WRITEABLE = 0x400  # NumPy's flag; an argument that must have it is a donated one

# The first words of the table.
HEADER = (
    "program",
    "nargs",
    "nconst",
    "nresults",
    "arena_bytes",
    "flags",
    "array_type",
    "value_offset",
    "ndarray_type",
    "new_from_descr",
    "set_handler",
    "handler",
    "miss",
    "fail",
    "sizes",
    "ndims",
    "block_words",
    "arena_word",
    "shapes_word",
    "finish",
)

POINTERS = ("program", "set_handler", "handler", "miss", "fail", "sizes", "finish")


def entry_text() -> str:
    """The LLVM text of `rosin_entry`, with the layouts of this CPython filled in."""
    head = object.__basicsize__
    layout = {
        "TYPE": head - 8,
        "TUPLE_ITEMS": tuple.__basicsize__,
        "BYTES_DATA": bytes.__basicsize__ - 1,
        "DESCR_ORDER": head + 10,
        "ARRAY_DATA": head,
        "ARRAY_NDIM": head + 8,
        "ARRAY_DIMS": head + 16,
        "ARRAY_DESCR": head + 40,
        "ARRAY_FLAGS": head + 48,
        "STACK_ARENA": STACK_ARENA_BYTES,
        "ARENA_HEAD": ARENA_HEAD,
        "WRITEABLE": WRITEABLE,
        "NO_ROOM": NO_ROOM,
        "RELEASE_GIL": RELEASE_GIL_BYTES,
        "HEADER": len(HEADER),
        "LARGE": LARGE_BYTES,
    }
    loads: list[str] = []
    for index, field in enumerate(HEADER):
        kind = "ptr" if field.endswith(("type", "descr")) or field in POINTERS else "i64"
        loads.append(f"  %{field}.at = getelementptr i64, ptr %table, i64 {index}")
        loads.append(f"  %{field} = load {kind}, ptr %{field}.at")
    text = _TEXT.replace("$LOADS", "\n".join(loads))
    for word, value in layout.items():
        text = text.replace(f"${word}", str(value))
    return text + blocks.TEXT


_TEXT = """\
; The entry of every compiled function. Refcounts are touched through CPython's functions: right on every version.

%Arena = type { ptr, i64, i32 }             ; the block, its bytes, 1 while a call has it
@rosin_arena = global %Arena zeroinitializer, align 64

declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare void @PyErr_Clear()
declare ptr @PyErr_Occurred()
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare ptr @PyLong_FromLong(i64)
declare ptr @PyLong_FromVoidPtr(ptr)
declare ptr @PyObject_CallOneArg(ptr, ptr)
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare ptr @PyTuple_New(i64)
declare ptr @PyType_GenericAlloc(ptr, i64)
declare ptr @aligned_alloc(i64, i64)
declare void @free(ptr)

define ptr @rosin_entry(ptr %self, ptr %args, i64 %given, ptr %keywords) nounwind {
entry:
  %box.at = getelementptr i8, ptr %self, i64 $TUPLE_ITEMS
  %box = load ptr, ptr %box.at
  %table = getelementptr i8, ptr %box, i64 $BYTES_DATA
$LOADS
  %specs = getelementptr i64, ptr %table, i64 $HEADER
  %count.ok = icmp eq i64 %given, %nargs
  %no.keywords = icmp eq ptr %keywords, null
  %call.ok = and i1 %count.ok, %no.keywords
  br i1 %call.ok, label %start, label %miss.call

miss.call:
  %missed = call ptr @PyObject_Vectorcall(ptr %miss, ptr %args, i64 %given, ptr %keywords)
  ret ptr %missed

start:
  %nin = add i64 %nargs, %nconst
  %nbuffers = add i64 %nin, %nresults
  %nheld = add i64 %nargs, %nresults
  %slots = add i64 %nbuffers, 1
  %buffers = alloca ptr, i64 %slots         ; the last one is the block of sizes
  %shapes = alloca i64, i64 %ndims          ; the sizes of all axes of all arguments
  %sizes.block = alloca i64, i64 %block_words
  %held = alloca ptr, i64 %nheld            ; the ndarrays of the arguments, then of the results
  br label %arg.loop

; -- arguments: check each against its record

arg.loop:
  %a = phi i64 [ 0, %start ], [ %a.next, %arg.match ]
  %record = phi ptr [ %specs, %start ], [ %record.next, %arg.match ]
  %shape = phi ptr [ %shapes, %start ], [ %shape.next, %arg.match ]
  %a.more = icmp ult i64 %a, %nargs
  br i1 %a.more, label %arg.body, label %const.loop

arg.body:
  %arg.at = getelementptr ptr, ptr %args, i64 %a
  %arg = load ptr, ptr %arg.at
  %arg.type.at = getelementptr i8, ptr %arg, i64 $TYPE
  %arg.type = load ptr, ptr %arg.type.at
  %is.array = icmp eq ptr %arg.type, %array_type
  br i1 %is.array, label %arg.unwrap, label %arg.plain

arg.unwrap:
  %slot = getelementptr i8, ptr %arg, i64 %value_offset
  %inner = load ptr, ptr %slot
  %unset = icmp eq ptr %inner, null
  br i1 %unset, label %miss.call, label %arg.inner

arg.inner:
  %inner.type.at = getelementptr i8, ptr %inner, i64 $TYPE
  %inner.type = load ptr, ptr %inner.type.at
  br label %arg.plain

arg.plain:
  %array = phi ptr [ %arg, %arg.body ], [ %inner, %arg.inner ]
  %type = phi ptr [ %arg.type, %arg.body ], [ %inner.type, %arg.inner ]
  %is.ndarray = icmp eq ptr %type, %ndarray_type
  br i1 %is.ndarray, label %arg.ndarray, label %miss.call

arg.ndarray:
  %descr.at = getelementptr i8, ptr %array, i64 $ARRAY_DESCR
  %descr = load ptr, ptr %descr.at
  %want.descr = load ptr, ptr %record
  %same.descr = icmp eq ptr %descr, %want.descr
  br i1 %same.descr, label %arg.flags, label %arg.descr

arg.descr:                                  ; another object (from a pickle): the same class and byte order will do
  %descr.type.at = getelementptr i8, ptr %descr, i64 $TYPE
  %descr.type = load ptr, ptr %descr.type.at
  %want.type.at = getelementptr i8, ptr %want.descr, i64 $TYPE
  %want.type = load ptr, ptr %want.type.at
  %order.at = getelementptr i8, ptr %descr, i64 $DESCR_ORDER
  %order = load i8, ptr %order.at
  %want.order.at = getelementptr i8, ptr %want.descr, i64 $DESCR_ORDER
  %want.order = load i8, ptr %want.order.at
  %same.type = icmp eq ptr %descr.type, %want.type
  %same.order = icmp eq i8 %order, %want.order
  %descr.ok = and i1 %same.type, %same.order
  br i1 %descr.ok, label %arg.flags, label %miss.call

arg.flags:
  %want.flags.at = getelementptr i64, ptr %record, i64 1
  %want.flags.wide = load i64, ptr %want.flags.at
  %want.flags = trunc i64 %want.flags.wide to i32
  %array.flags.at = getelementptr i8, ptr %array, i64 $ARRAY_FLAGS
  %array.flags = load i32, ptr %array.flags.at
  %masked = and i32 %array.flags, %want.flags
  %flags.fit = icmp eq i32 %masked, %want.flags
  %want.room = and i32 %want.flags, $WRITEABLE
  %reads.only = icmp eq i32 %want.room, 0
  %in.wrapper = icmp ne ptr %array, %arg          ; the memory of a NumPy array is not ours to give
  %may.give = or i1 %reads.only, %in.wrapper
  %flags.ok = and i1 %flags.fit, %may.give
  br i1 %flags.ok, label %arg.ndim, label %miss.call

arg.ndim:
  %want.ndim.at = getelementptr i64, ptr %record, i64 3
  %want.ndim = load i64, ptr %want.ndim.at
  %ndim.at = getelementptr i8, ptr %array, i64 $ARRAY_NDIM
  %ndim.narrow = load i32, ptr %ndim.at
  %ndim = sext i32 %ndim.narrow to i64
  %ndim.ok = icmp eq i64 %ndim, %want.ndim
  br i1 %ndim.ok, label %arg.dims, label %miss.call

arg.dims:
  %dims.at = getelementptr i8, ptr %array, i64 $ARRAY_DIMS
  %dims = load ptr, ptr %dims.at
  %want.dims = getelementptr i64, ptr %record, i64 4
  br label %dim.loop

dim.loop:
  %d = phi i64 [ 0, %arg.dims ], [ %d.next, %dim.body ]
  %d.more = icmp ult i64 %d, %ndim
  br i1 %d.more, label %dim.body, label %arg.match

dim.body:
  %dim.at = getelementptr i64, ptr %dims, i64 %d
  %dim = load i64, ptr %dim.at
  %want.dim.at = getelementptr i64, ptr %want.dims, i64 %d
  %want.dim = load i64, ptr %want.dim.at
  %d.next = add i64 %d, 1
  %shape.at = getelementptr i64, ptr %shape, i64 %d
  store i64 %dim, ptr %shape.at
  %dim.same = icmp eq i64 %dim, %want.dim
  %dim.any = icmp slt i64 %want.dim, 0      ; a symbolic size
  %dim.ok = or i1 %dim.same, %dim.any
  br i1 %dim.ok, label %dim.loop, label %miss.call

arg.match:
  %data.at = getelementptr i8, ptr %array, i64 $ARRAY_DATA
  %data = load ptr, ptr %data.at
  %buffer.at = getelementptr ptr, ptr %buffers, i64 %a
  store ptr %data, ptr %buffer.at
  %held.at = getelementptr ptr, ptr %held, i64 %a
  store ptr %array, ptr %held.at
  %record.next = getelementptr i64, ptr %want.dims, i64 %ndim
  %shape.next = getelementptr i64, ptr %shape, i64 %ndim
  %a.next = add i64 %a, 1
  br label %arg.loop

; -- constants

const.loop:
  %c = phi i64 [ 0, %arg.loop ], [ %c.next, %const.body ]
  %c.more = icmp ult i64 %c, %nconst
  br i1 %c.more, label %const.body, label %const.done

const.body:
  %c.word = shl i64 %c, 1
  %const.at = getelementptr i64, ptr %record, i64 %c.word
  %const = load ptr, ptr %const.at
  %c.buffer = add i64 %nargs, %c
  %const.to = getelementptr ptr, ptr %buffers, i64 %c.buffer
  store ptr %const, ptr %const.to
  %c.next = add i64 %c, 1
  br label %const.loop

const.done:
  %const.words = shl i64 %nconst, 1
  %result.records = getelementptr i64, ptr %record, i64 %const.words
  %block.slot = getelementptr ptr, ptr %buffers, i64 %nbuffers
  store ptr %sizes.block, ptr %block.slot
  %static = icmp eq ptr %sizes, null
  br i1 %static, label %sized, label %size

; -- symbolic sizes: the program's own function reads and checks them, and says how large the rest is

size:
  %work = call i64 %sizes(ptr %shapes, ptr %sizes.block)
  %arena.at = getelementptr i64, ptr %sizes.block, i64 %arena_word
  %arena.sized = load i64, ptr %arena.at
  %much = icmp sgt i64 %work, $RELEASE_GIL
  %fits = icmp sge i64 %work, 0
  br i1 %fits, label %sized, label %miss.call

sized:
  %arena.size = phi i64 [ %arena_bytes, %const.done ], [ %arena.sized, %size ]
  %large = phi i1 [ false, %const.done ], [ %much, %size ]
  %result.shapes = getelementptr i64, ptr %sizes.block, i64 %shapes_word
  %donates = and i64 %flags, 4
  %no.donation = icmp eq i64 %donates, 0
  br i1 %no.donation, label %hold.loop, label %donation

donation:
  %clash = call i1 @clash(ptr %specs, ptr %buffers, ptr %shapes, i64 %nargs, i64 %nconst)
  br i1 %clash, label %miss.call, label %hold.loop

; -- no miss from here on: hold the arguments' arrays, for Python may run (callbacks, other threads) and drop them

hold.loop:
  %h = phi i64 [ 0, %sized ], [ 0, %donation ], [ %h.next, %hold.body ]
  %h.more = icmp ult i64 %h, %nargs
  br i1 %h.more, label %hold.body, label %result.loop

hold.body:
  %hold.at = getelementptr ptr, ptr %held, i64 %h
  %hold = load ptr, ptr %hold.at
  call void @Py_IncRef(ptr %hold)
  %h.next = add i64 %h, 1
  br label %hold.loop

; -- results: allocate, or take a donated argument

result.loop:
  %r = phi i64 [ 0, %hold.loop ], [ %r.next, %result.made ]
  %result.record = phi ptr [ %result.records, %hold.loop ], [ %result.record.next, %result.made ]
  %result.shape = phi ptr [ %result.shapes, %hold.loop ], [ %result.shape.next, %result.made ]
  %r.held = add i64 %nargs, %r
  %r.more = icmp ult i64 %r, %nresults
  br i1 %r.more, label %result.body, label %arena.take

result.body:
  %result.descr = load ptr, ptr %result.record
  %takes.at = getelementptr i64, ptr %result.record, i64 1
  %takes = load i64, ptr %takes.at
  %result.itemsize.at = getelementptr i64, ptr %result.record, i64 2
  %result.itemsize = load i64, ptr %result.itemsize.at
  %result.ndim.at = getelementptr i64, ptr %result.record, i64 3
  %result.ndim = load i64, ptr %result.ndim.at
  %result.want = getelementptr i64, ptr %result.record, i64 4
  %result.dims = select i1 %static, ptr %result.want, ptr %result.shape
  %fresh = icmp slt i64 %takes, 0
  br i1 %fresh, label %result.new, label %result.taken

result.new:
  %bytes = call i64 @product(i64 %result.itemsize, ptr %result.dims, i64 %result.ndim)
  %in.block = icmp uge i64 %bytes, $LARGE
  br i1 %in.block, label %result.handler, label %result.allocate

result.handler:                             ; large ones are in blocks (rosin.runtime.blocks)
  %usual = call ptr %set_handler(ptr %handler)
  %no.usual = icmp eq ptr %usual, null
  br i1 %no.usual, label %unwind, label %result.allocate

result.allocate:
  %before = phi ptr [ null, %result.new ], [ %usual, %result.handler ]
  %result.ndim.narrow = trunc i64 %result.ndim to i32
  call void @Py_IncRef(ptr %result.descr)   ; the allocation steals one
  %new = call ptr %new_from_descr(ptr %ndarray_type, ptr %result.descr, i32 %result.ndim.narrow, ptr %result.dims,
                                  ptr null, ptr null, i32 0, ptr null)
  br i1 %in.block, label %result.restore, label %result.allocated

result.restore:
  call void @restore(ptr %set_handler, ptr %before)
  br label %result.allocated

result.allocated:
  %new.failed = icmp eq ptr %new, null
  br i1 %new.failed, label %unwind, label %result.made

result.taken:
  %taken.at = getelementptr ptr, ptr %held, i64 %takes
  %taken = load ptr, ptr %taken.at
  call void @Py_IncRef(ptr %taken)
  br label %result.made

result.made:
  %result = phi ptr [ %new, %result.allocated ], [ %taken, %result.taken ]
  %result.held.at = getelementptr ptr, ptr %held, i64 %r.held
  store ptr %result, ptr %result.held.at
  %result.data.at = getelementptr i8, ptr %result, i64 $ARRAY_DATA
  %result.data = load ptr, ptr %result.data.at
  %result.buffer = add i64 %nin, %r
  %result.buffer.at = getelementptr ptr, ptr %buffers, i64 %result.buffer
  store ptr %result.data, ptr %result.buffer.at
  %result.record.next = getelementptr i64, ptr %result.want, i64 %result.ndim
  %result.shape.next = getelementptr i64, ptr %result.shape, i64 %result.ndim
  %r.next = add i64 %r, 1
  br label %result.loop

; -- the arena, and the program

arena.take:
  %on.stack = icmp ule i64 %arena.size, $STACK_ARENA
  br i1 %on.stack, label %arena.stack, label %arena.heap

arena.stack:
  %local = alloca i8, i64 %arena.size, align 64
  br label %run

arena.heap:
  %arena.whole = add i64 %arena.size, $ARENA_HEAD
  %block = call ptr @arena_take(i64 %arena.whole)
  %heap = getelementptr i8, ptr %block, i64 $ARENA_HEAD
  %no.block = icmp eq ptr %block, null
  br i1 %no.block, label %arena.none, label %run

arena.none:
  br label %unwind

run:
  %arena = phi ptr [ %local, %arena.stack ], [ %heap, %arena.heap ]
  %release = and i64 %flags, 2
  %told = icmp ne i64 %release, 0
  %release.gil = or i1 %told, %large
  br i1 %release.gil, label %run.free, label %run.held

run.held:
  %code.held = call i32 %program(ptr %buffers, ptr %arena)
  br label %ran

run.free:
  %thread = call ptr @PyEval_SaveThread()
  %code.free = call i32 %program(ptr %buffers, ptr %arena)
  call void @PyEval_RestoreThread(ptr %thread)
  br label %ran

ran:
  %code = phi i32 [ %code.held, %run.held ], [ %code.free, %run.free ]
  br i1 %on.stack, label %drop.args, label %arena.give

arena.give:
  %arena.block = getelementptr i8, ptr %arena, i64 -$ARENA_HEAD
  call void @arena_give(ptr %arena.block)
  br label %drop.args

drop.args:
  call void @drop(ptr %held, i64 %nargs)
  %results = getelementptr ptr, ptr %held, i64 %nargs
  %ok = icmp eq i32 %code, 0
  br i1 %ok, label %finish.maybe, label %failed

; -- where the program measured sizes, results get the shapes that they turned out to have

finish.maybe:
  %final = icmp eq ptr %finish, null
  br i1 %final, label %wrap, label %finish.call

finish.call:
  %places = alloca [2 x ptr]
  %shapes.place = getelementptr ptr, ptr %places, i64 1
  store ptr %results, ptr %places
  store ptr %result.shapes, ptr %shapes.place
  %places.number = call ptr @PyLong_FromVoidPtr(ptr %places)
  %no.places = icmp eq ptr %places.number, null
  br i1 %no.places, label %finish.failed, label %finish.python

finish.python:
  %finished = call ptr @PyObject_CallOneArg(ptr %finish, ptr %places.number)
  call void @Py_DecRef(ptr %places.number)
  %not.finished = icmp eq ptr %finished, null
  br i1 %not.finished, label %finish.failed, label %finish.done

finish.done:
  call void @Py_DecRef(ptr %finished)
  br label %wrap

finish.failed:
  call void @drop(ptr %results, i64 %nresults)
  ret ptr null

; -- wrap the results

wrap:
  %single = and i64 %flags, 1
  %many = icmp eq i64 %single, 0
  br i1 %many, label %wrap.tuple, label %wrap.one

wrap.one:
  %only = load ptr, ptr %results
  %one = call ptr @wrap(ptr %array_type, i64 %value_offset, ptr %only)
  ret ptr %one

wrap.tuple:
  %tuple = call ptr @PyTuple_New(i64 %nresults)
  %no.tuple = icmp eq ptr %tuple, null
  br i1 %no.tuple, label %wrap.drop, label %wrap.loop

wrap.loop:
  %w = phi i64 [ 0, %wrap.tuple ], [ %w.next, %wrap.store ]
  %w.more = icmp ult i64 %w, %nresults
  br i1 %w.more, label %wrap.body, label %wrap.done

wrap.body:
  %w.at = getelementptr ptr, ptr %results, i64 %w
  %w.result = load ptr, ptr %w.at
  %w.next = add i64 %w, 1
  %wrapped = call ptr @wrap(ptr %array_type, i64 %value_offset, ptr %w.result)
  %not.wrapped = icmp eq ptr %wrapped, null
  br i1 %not.wrapped, label %wrap.failed, label %wrap.store

wrap.store:
  %items = getelementptr i8, ptr %tuple, i64 $TUPLE_ITEMS
  %item.at = getelementptr ptr, ptr %items, i64 %w
  store ptr %wrapped, ptr %item.at
  br label %wrap.loop

wrap.done:
  ret ptr %tuple

wrap.failed:                                ; the tuple drops those wrapped, `wrap` has dropped the one at hand
  call void @Py_DecRef(ptr %tuple)
  br label %wrap.drop

wrap.drop:
  %from = phi i64 [ 0, %wrap.tuple ], [ %w.next, %wrap.failed ]
  %rest = getelementptr ptr, ptr %results, i64 %from
  %nrest = sub i64 %nresults, %from
  call void @drop(ptr %rest, i64 %nrest)
  ret ptr null

; -- failures

unwind:                                     ; no memory; results made so far: r
  call void @drop(ptr %held, i64 %r.held)
  call void @PyErr_Clear()
  br label %fail.call

failed:
  call void @drop(ptr %results, i64 %nresults)
  %pending = call ptr @PyErr_Occurred()
  %unexplained = icmp eq ptr %pending, null
  br i1 %unexplained, label %fail.call, label %fail.null

fail.call:
  %code.given = phi i32 [ $NO_ROOM, %unwind ], [ %code, %failed ]
  %code.wide = sext i32 %code.given to i64
  %number = call ptr @PyLong_FromLong(i64 %code.wide)
  %no.number = icmp eq ptr %number, null
  br i1 %no.number, label %fail.null, label %fail.python

fail.python:
  %answer = call ptr @PyObject_CallOneArg(ptr %fail, ptr %number)
  call void @Py_DecRef(ptr %number)
  ret ptr %answer

fail.null:
  ret ptr null
}

define internal void @drop(ptr %objects, i64 %count) nounwind noinline optnone {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %body ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %body, label %done
body:
  %at = getelementptr ptr, ptr %objects, i64 %i
  %object = load ptr, ptr %at
  call void @Py_DecRef(ptr %object)
  %next = add i64 %i, 1
  br label %loop
done:
  ret void
}

; The bytes of an array.
define internal i64 @product(i64 %itemsize, ptr %dims, i64 %count) nounwind {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %body ]
  %bytes = phi i64 [ %itemsize, %entry ], [ %more.bytes, %body ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %body, label %done
body:
  %at = getelementptr i64, ptr %dims, i64 %i
  %size = load i64, ptr %at
  %more.bytes = mul i64 %bytes, %size
  %next = add i64 %i, 1
  br label %loop
done:
  ret i64 %bytes
}

; The allocator that NumPy had before; its reference is taken.
define internal void @restore(ptr %set_handler, ptr %before) nounwind noinline optnone {
  %ours = call ptr %set_handler(ptr %before)
  call void @Py_DecRef(ptr %before)
  call void @Py_DecRef(ptr %ours)
  ret void
}

; A new wrapper around `value`, whose reference is taken in either case.
define internal ptr @wrap(ptr %type, i64 %offset, ptr %value) nounwind noinline optnone {
entry:
  %object = call ptr @PyType_GenericAlloc(ptr %type, i64 0)
  %none = icmp eq ptr %object, null
  br i1 %none, label %failed, label %store
store:
  %slot = getelementptr i8, ptr %object, i64 %offset
  store ptr %value, ptr %slot
  ret ptr %object
failed:
  call void @Py_DecRef(ptr %value)
  ret ptr null
}

; Whether a donated argument shares memory with another argument or a constant. Empty arrays share with none.
define internal i1 @clash(ptr %specs, ptr %begins, ptr %shapes, i64 %nargs, i64 %nconst) nounwind noinline optnone {
entry:
  %nin = add i64 %nargs, %nconst
  %ends = alloca i64, i64 %nin
  br label %arg.loop
arg.loop:
  %a = phi i64 [ 0, %entry ], [ %a.next, %arg.body ]
  %record = phi ptr [ %specs, %entry ], [ %record.next, %arg.body ]
  %shape = phi ptr [ %shapes, %entry ], [ %shape.next, %arg.body ]
  %a.more = icmp ult i64 %a, %nargs
  br i1 %a.more, label %arg.sized, label %const.loop
arg.sized:                                  ; the bytes are those of an element times the sizes
  %item.at = getelementptr i64, ptr %record, i64 2
  %item = load i64, ptr %item.at
  %rank.at = getelementptr i64, ptr %record, i64 3
  %rank = load i64, ptr %rank.at
  br label %axis.loop
axis.loop:
  %x = phi i64 [ 0, %arg.sized ], [ %x.next, %axis.body ]
  %size = phi i64 [ %item, %arg.sized ], [ %size.next, %axis.body ]
  %x.more = icmp ult i64 %x, %rank
  br i1 %x.more, label %axis.body, label %arg.body
axis.body:
  %axis.at = getelementptr i64, ptr %shape, i64 %x
  %axis = load i64, ptr %axis.at
  %size.next = mul i64 %size, %axis
  %x.next = add i64 %x, 1
  br label %axis.loop
arg.body:
  %begin.at = getelementptr i64, ptr %begins, i64 %a
  %begin = load i64, ptr %begin.at
  %sum = add i64 %begin, %size
  %empty = icmp eq i64 %size, 0
  %end = select i1 %empty, i64 0, i64 %sum
  %end.at = getelementptr i64, ptr %ends, i64 %a
  store i64 %end, ptr %end.at
  %dims = getelementptr i64, ptr %record, i64 4
  %record.next = getelementptr i64, ptr %dims, i64 %rank
  %shape.next = getelementptr i64, ptr %shape, i64 %rank
  %a.next = add i64 %a, 1
  br label %arg.loop
const.loop:
  %c = phi i64 [ 0, %arg.loop ], [ %c.next, %const.body ]
  %c.more = icmp ult i64 %c, %nconst
  br i1 %c.more, label %const.body, label %each.loop
const.body:
  %c.word = shl i64 %c, 1
  %c.end.word = or i64 %c.word, 1
  %c.end.at = getelementptr i64, ptr %record, i64 %c.end.word
  %c.end = load i64, ptr %c.end.at
  %c.to = add i64 %nargs, %c
  %c.end.to = getelementptr i64, ptr %ends, i64 %c.to
  store i64 %c.end, ptr %c.end.to
  %c.next = add i64 %c, 1
  br label %const.loop

each.loop:                                  ; every donated argument, not empty, meets itself and should meet no other
  %e = phi i64 [ 0, %const.loop ], [ %e.next, %each.next ]
  %e.record = phi ptr [ %specs, %const.loop ], [ %e.record.next, %each.next ]
  %e.more = icmp ult i64 %e, %nargs
  br i1 %e.more, label %each.body, label %apart
each.body:
  %e.flags.at = getelementptr i64, ptr %e.record, i64 1
  %e.flags = load i64, ptr %e.flags.at
  %e.write = and i64 %e.flags, $WRITEABLE
  %e.donated = icmp ne i64 %e.write, 0
  %e.begin.at = getelementptr i64, ptr %begins, i64 %e
  %e.begin = load i64, ptr %e.begin.at
  %e.end.at = getelementptr i64, ptr %ends, i64 %e
  %e.end = load i64, ptr %e.end.at
  %e.full = icmp ne i64 %e.end, 0
  %e.check = and i1 %e.donated, %e.full
  br i1 %e.check, label %meet.loop, label %each.next
meet.loop:
  %m = phi i64 [ 0, %each.body ], [ %m.next, %meet.loop ]
  %meets = phi i64 [ 0, %each.body ], [ %meets.next, %meet.loop ]
  %m.begin.at = getelementptr i64, ptr %begins, i64 %m
  %m.begin = load i64, ptr %m.begin.at
  %m.end.at = getelementptr i64, ptr %ends, i64 %m
  %m.end = load i64, ptr %m.end.at
  %before = icmp ult i64 %m.begin, %e.end
  %after = icmp ult i64 %e.begin, %m.end
  %meet = and i1 %before, %after
  %meet.wide = zext i1 %meet to i64
  %meets.next = add i64 %meets, %meet.wide
  %m.next = add nuw i64 %m, 1
  %m.more = icmp ult i64 %m.next, %nin
  br i1 %m.more, label %meet.loop, label %meet.done
meet.done:
  %alone = icmp eq i64 %meets.next, 1
  br i1 %alone, label %each.next, label %shared
each.next:
  %e.ndim.at = getelementptr i64, ptr %e.record, i64 3
  %e.ndim = load i64, ptr %e.ndim.at
  %e.dims = getelementptr i64, ptr %e.record, i64 4
  %e.record.next = getelementptr i64, ptr %e.dims, i64 %e.ndim
  %e.next = add i64 %e, 1
  br label %each.loop
shared:
  ret i1 true
apart:
  ret i1 false
}

define internal ptr @arena_take(i64 %bytes) nounwind noinline {
entry:
  %busy.at = getelementptr %Arena, ptr @rosin_arena, i64 0, i32 2
  %pair = cmpxchg ptr %busy.at, i32 0, i32 1 acquire monotonic
  %mine = extractvalue { i32, i1 } %pair, 1
  br i1 %mine, label %shared, label %own
own:
  %block = call ptr @rosin_block_new(i64 %bytes)
  ret ptr %block
shared:
  %have.at = getelementptr %Arena, ptr @rosin_arena, i64 0, i32 1
  %have = load i64, ptr %have.at
  %old = load ptr, ptr @rosin_arena
  %enough = icmp uge i64 %have, %bytes
  br i1 %enough, label %use, label %grow
use:
  ret ptr %old
grow:
  call void @free(ptr %old)
  %new = call ptr @rosin_block_new(i64 %bytes)
  %failed = icmp eq ptr %new, null
  %size = select i1 %failed, i64 0, i64 %bytes
  store atomic ptr %new, ptr @rosin_arena monotonic, align 8
  store i64 %size, ptr %have.at
  br i1 %failed, label %none, label %grown
grown:
  ret ptr %new
none:
  store atomic i32 0, ptr %busy.at release, align 4
  ret ptr null
}

define internal void @arena_give(ptr %block) nounwind noinline {
entry:
  ; While this call has a block of its own another thread may change @rosin_arena, but never to that block.
  %shared = load atomic ptr, ptr @rosin_arena monotonic, align 8
  %is.shared = icmp eq ptr %block, %shared
  br i1 %is.shared, label %release, label %own
release:
  %busy.at = getelementptr %Arena, ptr @rosin_arena, i64 0, i32 2
  store atomic i32 0, ptr %busy.at release, align 4
  ret void
own:
  call void @free(ptr %block)
  ret void
}
"""
