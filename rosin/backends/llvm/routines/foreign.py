"""Routines that call a C function of whole arrays, once for each example of a batch."""

from __future__ import annotations

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.ir import host
from rosin.ir.host import NativeFunction


def foreign_text(counts: str, symbol: str) -> str:
    """The module of the routine for so many operands, results and numbers, and the function of a label: `1_1_1_f.0`.

    Its words are the pointers, the bytes from one example to the next for each of them, and the numbers.
    """
    operands, results, numbers, label = counts.split("_", 3)
    function = host.find(label)
    assert isinstance(function, NativeFunction)
    arrays = int(operands) + int(results)
    f = Function(set())
    e = f.e

    def word(number: int, elem: str) -> Val:
        return e.load(e.offset(Val("%words", "ptr"), f.word(number), "ptr"), elem)

    starts = [word(number, "ptr") for number in range(arrays)]
    strides = [word(arrays + number, "i64") for number in range(arrays)]
    given = [word(2 * arrays + number, "i64") for number in range(int(numbers))]

    def example(number: Val) -> None:
        places = [e.offset(p, e.mul(number, b), "i8") for p, b in zip(starts, strides, strict=True)]
        texts = ", ".join(x.typed for x in (*places, *given))
        e.line(f"call void inttoptr (i64 {function.address} to ptr)({texts})")

    f.loop(Val("%begin", "i64"), Val("%end", "i64"), 1, example)
    e.line("ret void")
    return f.text(f"void @{symbol}(ptr %words, i64 %begin, i64 %end)")
