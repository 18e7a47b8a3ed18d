"""Lines of the assembler in the text of LLVM, written as they are to run.

LLVM takes some fifty times as long to choose instructions and registers for vectors as it takes to read instructions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from rosin.backends.llvm.emit import Emitter, Val

_REGISTER, _NAME = re.compile(r"%(\w+)"), re.compile(r"<(\w+)>")
_ONE_MORE_VECTOR = re.compile(r"~\{(?:[xyz]mm[1-9]\d*|k\d)\},")


def assembled(
    e: Emitter,
    lines: Sequence[str],
    changed: Mapping[str, Val],
    given: Mapping[str, Val],
    lost: Mapping[str, Val] = MappingProxyType({}),
) -> list[Val]:
    """Lines of the assembler in which names in angles are registers, with what is changed, what is given and what is
    lost; gives what is in the first in the end. All other registers that the lines mention are theirs, so is memory.
    """
    code = "\\0A".join(lines)
    clobbers = [*sorted(set(_REGISTER.findall(code))), "memory", "flags"]
    out = {**changed, **lost}
    kinds = [f"=&{_kind(value)}" for value in out.values()], map(_kind, given.values())
    constraints = [*kinds[0], *map(str, range(len(out))), *kinds[1], *(f"~{{{c}}}" for c in clobbers)]
    # What is changed has a number as a result, and another one as what is given to begin with.
    numbers = {**{name: i for i, name in enumerate(out)}, **{n: 2 * len(out) + i for i, n in enumerate(given)}}
    code = _NAME.sub(lambda found: f"${numbers[found[1]]}", code)
    taken = ", ".join(value.typed for value in (*out.values(), *given.values()))
    results = ", ".join(value.type for value in out.values())
    whole = results if len(out) == 1 else f"{{{results}}}" if out else "void"
    call = f'call {whole} asm sideeffect "{code}", "{",".join(constraints)}"({taken})'
    if not changed:
        e.line(call)
        return []
    made = e.define(call, whole)
    if len(out) == 1:
        return [made]
    return [e.define(f"extractvalue {made.typed}, {i}", value.elem) for i, value in enumerate(changed.values())]


def alone_with_vectors(function: str) -> str:
    """The text of a function that has vectors in lines of the assembler alone: LLVM takes as long to find out which
    registers those are as it does to read the lines. No caller expects any of them to be kept; the first one says that
    there are vectors."""
    return _ONE_MORE_VECTOR.sub("", function)


def _kind(value: Val) -> str:
    """The registers that hold such a value."""
    return "v" if value.lanes > 1 else "r"
