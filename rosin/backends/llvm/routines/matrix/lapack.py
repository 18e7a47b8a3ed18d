"""Calls of LAPACK and BLAS, which take the address of everything, and matrices column by column.

Integers are of the width that the library has, in memory of 64 bits: it finds them at the same address either way.
"""

from __future__ import annotations

from rosin.backends.llvm.emit import Val
from rosin.backends.llvm.routines.function import Function
from rosin.ir.dtypes import DType

PREFIX = "lapack_"
"""What the names of these functions begin with in the text of routines; who loads it gives them addresses."""

ALONE = ("together", "alone")
"""Functions that are none of the library's: they let it use threads of its own again, or no longer. Calls nest."""

LETTERS = {"f32": "s", "f64": "d", "c64": "c", "c128": "z"}


class Lapack:
    """The calls of one function under construction."""

    def __init__(self, f: Function, dtype: DType, word: str) -> None:
        self.f, self.dtype, self.word_type = f, dtype, word

    def call(self, name: str, *arguments: str | Val) -> None:
        """Call a function of the element type: a letter goes before its name.

        Arguments are letters, as text or as i8; integers, as i64; and addresses.
        """
        given: list[str] = []
        letters = 0
        for argument in arguments:
            if isinstance(argument, str):
                argument = Val(str(ord(argument)), "i8")
            letters += argument.elem == "i8"
            given.append(argument.typed if argument.elem == "ptr" else self.f.variable(argument).typed)
        # Fortran's compilers pass the lengths of texts behind all else.
        given += ["i64 1"] * letters
        symbol = f"@{PREFIX}{LETTERS[self.dtype.name]}{name}"
        types = ", ".join(text.split()[0] for text in given)
        self.f.e.declarations.add(f"declare void {symbol}({types})")
        self.f.e.line(f"call void {symbol}({', '.join(given)})")

    def alone(self, begins: bool) -> None:
        """From here on, or from here on no longer, the library's functions use no threads of their own."""
        name = f"@{PREFIX}{ALONE[begins]}"
        self.f.e.declarations.add(f"declare void {name}()")
        self.f.e.line(f"call void {name}()")

    def info(self) -> Val:
        """Room for what a function says of its success."""
        return self.f.variable(self.f.word(0))

    def failed(self, info: Val) -> Val:
        """Whether it says that it failed."""
        e = self.f.e
        return e.icmp("ne", e.load(info, "i32"), e.const(0, "i32"))

    def number(self, real: float) -> Val:
        """The address of a real number."""
        e = self.f.e
        elem = "float" if self.dtype.part.bytes == 4 else "double"
        place = self.f.room(elem, 2)
        for index, value in enumerate((real, 0.0)):
            e.store(e.const(value, elem), e.offset(place, self.f.word(index), elem))
        return place

    def least_one(self, size: Val) -> Val:
        """A distance between columns, which is 1 at least."""
        return self.f.e.intrinsic("llvm.smax", size, self.f.word(1))

    def integer(self, array: Val, index: Val) -> Val:
        """An element of an array of its integers, as i64."""
        e = self.f.e
        return e.convert("sext", e.load(e.offset(array, index, self.word_type), self.word_type), "i64")

    def to_integer(self, value: Val) -> Val:
        """An i64 as one of its integers."""
        return self.f.e.convert("trunc", value, self.word_type)

    def solve(
        self, lower: Val | bool, transpose: Val | bool, unit: Val | bool, a: Val, n: Val, x: Val, count: Val, row: Val
    ) -> None:
        """Put in the place of x the solutions for a triangular matrix, both row by row: n rows, `count` columns of x,
        whose rows are `row` numbers apart.

        What lies row by row is, column by column, the transpose: xᵀ aᵀ = bᵀ, and the other triangle.
        """
        uplo, trans, diag = (
            self._letter(*choice) for choice in ((lower, "U", "L"), (transpose, "T", "N"), (unit, "U", "N"))
        )
        one, far = self.number(1), self.least_one(row)
        self.call("trsm", "R", uplo, trans, diag, count, n, one, a, self.least_one(n), x, far)

    def _letter(self, choice: Val | bool, then: str, otherwise: str) -> Val:
        letters = [Val(str(ord(letter)), "i8") for letter in (then, otherwise)]
        if isinstance(choice, bool):
            return letters[not choice]
        return self.f.e.select(choice, *letters)
