"""What compiled programs ask of Python while they run: to compute something, and whether to stop.

Functions in native code, which programs and callers of programs know by name or address:

    i32 rosin_host(receiver, i64 number, ptr pointers)   calls `receiver(number, pointers)`, with the GIL
    i32 rosin_poll(ptr state)                            whether a signal wants the program to stop
    i32 rosin_poll_team(ptr state)                       the same, where several threads run the program
    i32 rosin_run(program, ptr buffers, ptr arena)       runs a program without the GIL

A status other than 0 means that a Python exception is set: it comes out of the call of the program unchanged.

A loop that may run long calls `rosin_poll` every so many steps. Its state is four words, at first zeros: the steps to
go until the next call, which the loop counts down, the steps from one call to the next, when the last call was, and
when signals were last looked for. The steps between two calls follow the time that steps take, up to `MOST_STEPS`, and
signals are looked for about every `POLL_NANOSECONDS`. Python runs signal handlers on its main thread alone: elsewhere
nothing stops a loop. Threads of a team share two more words: the status, and who called the program. That one alone
looks for signals; a status that it finds stays there for the others to see.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rosin.ir.interpret import check
from rosin.ir.op import NumpyArray, Op
from rosin.ir.specialize import op_at, type_at
from rosin.ir.types import TensorType
from rosin.runtime import loading

if TYPE_CHECKING:
    from rosin.ir.steps import HostCall

__all__ = ["POLL_SYMBOL", "SYMBOL", "TEAM_SYMBOL", "Receiver", "install", "run"]

SYMBOL = "rosin_host"
POLL_SYMBOL = "rosin_poll"
TEAM_SYMBOL = "rosin_poll_team"
POLL_NANOSECONDS = 20_000_000
MOST_STEPS = 128


class Receiver:
    """What calls of one program come to: the ops that it has Python compute, by number.

    A program with symbolic sizes passes one more pointer, to the values of these `symbols`.
    """

    def __init__(
        self,
        calls: Sequence[tuple[Op, tuple[TensorType, ...], tuple[TensorType, ...]]],
        symbols: Sequence[str] = (),
    ) -> None:
        self.calls = list(calls)
        self.symbols = symbols

    @staticmethod
    def of(steps: Sequence[HostCall], symbols: Sequence[str] = ()) -> Receiver:
        return Receiver([(step.op, step.operands, step.results) for step in steps], symbols)

    def __call__(self, number: int, address: int) -> None:
        op, operands, results = self.calls[number]
        count = len(operands) + len(results)
        pointers = (ctypes.c_void_p * (count + 1 if self.symbols else count)).from_address(address)
        if self.symbols:
            block = (ctypes.c_int64 * len(self.symbols)).from_address(pointers[count] or 0)
            op, operands, results = at_sizes(op, operands, results, dict(zip(self.symbols, block, strict=True)))
        found = op.eval(*(_copied(p, t) for p, t in zip(pointers, operands, strict=False)))
        for pointer, type, array in zip(pointers[len(operands) : count], results, found, strict=True):
            check(array, type, f"{op.name}'s NumPy meaning")
            dense = np.ascontiguousarray(array)
            if dense.nbytes:
                ctypes.memmove(pointer, dense.ctypes.data, dense.nbytes)


def at_sizes(
    op: Op, operands: tuple[TensorType, ...], results: tuple[TensorType, ...], sizes: Mapping[str, int]
) -> tuple[Op, tuple[TensorType, ...], tuple[TensorType, ...]]:
    """The call with numbers in place of symbols."""
    of = [tuple(type_at(t, sizes) for t in types) for types in (operands, results)]
    return op_at(op, sizes), of[0], of[1]


def _copied(pointer: Any, type: TensorType) -> NumpyArray:
    """The array of a type that lies at an address."""
    array = np.empty(type.sizes, type.dtype.numpy)
    if array.nbytes:
        ctypes.memmove(array.ctypes.data, pointer, array.nbytes)
    return array


@functools.cache
def text() -> str:
    """The native code of them."""
    return _text(sys.platform)


def install() -> None:
    """Make the functions known to `loading.load_object`."""
    _library()


def run(program: int, buffers: Any, arena: int) -> int:
    """Run the program at an address; gives its status.

    Raises whatever exception Python raised while it ran.
    """
    return _runner()(program, buffers, arena)


@functools.cache
def _library() -> loading.Library:
    library = loading.load_text(text(), optimize=2)
    library.keep_forever()
    for symbol in (SYMBOL, POLL_SYMBOL, TEAM_SYMBOL):
        loading.add_symbol(symbol, library.address(symbol))
    return library


@functools.cache
def _runner() -> Any:
    # PYFUNCTYPE calls with the GIL held, and looks for an exception afterwards.
    prototype = ctypes.PYFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
    return prototype(_library().address("rosin_run"))


def _text(platform: str) -> str:
    values = {
        # The clocks that are read fastest; they tick every few milliseconds.
        "CLOCK": 5 if platform == "darwin" else 6,
        "POLL": POLL_NANOSECONDS,
        "MOST": MOST_STEPS,
    }
    text = _TEXT
    for word, value in values.items():
        text = text.replace(f"${word}", str(value))
    return text


_TEXT = """\
declare i32 @PyGILState_Ensure()
declare void @PyGILState_Release(i32)
declare i32 @PyErr_CheckSignals()
declare ptr @PyLong_FromLongLong(i64)
declare ptr @PyLong_FromVoidPtr(ptr)
declare ptr @PyObject_Vectorcall(ptr, ptr, i64, ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare void @Py_DecRef(ptr)
declare i32 @clock_gettime(i32, ptr)
declare i64 @pthread_self()

define i32 @rosin_run(ptr %program, ptr %buffers, ptr %arena) nounwind noinline optnone {
  %thread = call ptr @PyEval_SaveThread()
  %status = call i32 %program(ptr %buffers, ptr %arena)
  call void @PyEval_RestoreThread(ptr %thread)
  ret i32 %status
}

define i32 @rosin_host(ptr %receiver, i64 %number, ptr %pointers) nounwind noinline optnone {
entry:
  %args = alloca [2 x ptr]
  %second.at = getelementptr ptr, ptr %args, i64 1
  %gil = call i32 @PyGILState_Ensure()
  %first = call ptr @PyLong_FromLongLong(i64 %number)
  %no.first = icmp eq ptr %first, null
  br i1 %no.first, label %done, label %have.first

have.first:
  store ptr %first, ptr %args
  %second = call ptr @PyLong_FromVoidPtr(ptr %pointers)
  %no.second = icmp eq ptr %second, null
  br i1 %no.second, label %drop.first, label %have.both

have.both:
  store ptr %second, ptr %second.at
  %found = call ptr @PyObject_Vectorcall(ptr %receiver, ptr %args, i64 2, ptr null)
  call void @Py_DecRef(ptr %second)
  %raised = icmp eq ptr %found, null
  br i1 %raised, label %drop.first, label %drop.found

drop.found:
  call void @Py_DecRef(ptr %found)
  br label %drop.first

drop.first:
  %bad = phi i32 [ 1, %have.first ], [ 1, %have.both ], [ 0, %drop.found ]
  call void @Py_DecRef(ptr %first)
  br label %done

done:
  %status = phi i32 [ 1, %entry ], [ %bad, %drop.first ]
  call void @PyGILState_Release(i32 %gil)
  ret i32 %status
}

define i32 @rosin_poll(ptr %state) nounwind noinline optnone {
entry:
  %clock = alloca [2 x i64]
  %stride.at = getelementptr i64, ptr %state, i64 1
  %last.at = getelementptr i64, ptr %state, i64 2
  %looked.at = getelementptr i64, ptr %state, i64 3
  %got = call i32 @clock_gettime(i32 $CLOCK, ptr %clock)
  %seconds = load i64, ptr %clock
  %part.at = getelementptr i64, ptr %clock, i64 1
  %part = load i64, ptr %part.at
  %whole = mul i64 %seconds, 1000000000
  %now = add i64 %whole, %part
  %last = load i64, ptr %last.at
  store i64 %now, ptr %last.at
  %first = icmp eq i64 %last, 0
  br i1 %first, label %begin, label %later

begin:                                      ; the first call only notes the time
  store i64 %now, ptr %looked.at
  store i64 1, ptr %stride.at
  store i64 1, ptr %state
  ret i32 0

later:                                      ; as many steps as take the time, but at most twice as many as the last time
  %passed = sub i64 %now, %last
  %some = call i64 @llvm.umax.i64(i64 %passed, i64 1)
  %stride = load i64, ptr %stride.at
  %scaled = mul i64 %stride, $POLL
  %fitting = udiv i64 %scaled, %some
  %twice = shl i64 %stride, 1
  %grown = call i64 @llvm.umin.i64(i64 %fitting, i64 %twice)
  %capped = call i64 @llvm.umin.i64(i64 %grown, i64 $MOST)
  %next = call i64 @llvm.umax.i64(i64 %capped, i64 1)
  store i64 %next, ptr %stride.at
  store i64 %next, ptr %state
  %looked = load i64, ptr %looked.at
  %since = sub i64 %now, %looked
  %due = icmp sge i64 %since, $POLL
  br i1 %due, label %look, label %go.on

go.on:
  ret i32 0

look:
  store i64 %now, ptr %looked.at
  %gil = call i32 @PyGILState_Ensure()
  %signals = call i32 @PyErr_CheckSignals()
  call void @PyGILState_Release(i32 %gil)
  %stop = icmp ne i32 %signals, 0
  %status = zext i1 %stop to i32
  ret i32 %status
}

define i32 @rosin_poll_team(ptr %state) nounwind noinline optnone {
entry:
  %status.at = getelementptr i64, ptr %state, i64 4
  %caller.at = getelementptr i64, ptr %state, i64 5
  %status = load atomic i32, ptr %status.at monotonic, align 4
  %over = icmp ne i32 %status, 0
  br i1 %over, label %stop, label %ask
stop:
  ret i32 %status
ask:
  %caller = load i64, ptr %caller.at
  %self = call i64 @pthread_self()
  %mine = icmp eq i64 %caller, %self
  br i1 %mine, label %look, label %go.on
go.on:
  ret i32 0
look:
  %found = call i32 @rosin_poll(ptr %state)
  store atomic i32 %found, ptr %status.at monotonic, align 4
  ret i32 %found
}

declare i64 @llvm.umin.i64(i64, i64)
declare i64 @llvm.umax.i64(i64, i64)
"""
