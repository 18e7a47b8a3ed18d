"""Lines of the assembler in the text of LLVM, written as they are to run.

LLVM takes some fifty times as long to choose instructions and registers for vectors as it takes to read instructions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rosin.backends.llvm.emit import Emitter, Val

_REGISTER = re.compile(r"%(\w+)")


def assembled(
    e: Emitter,
    lines: Sequence[str],
    changed: Mapping[str, Val],
    given: Mapping[str, Val],
) -> list[Val]:
    """Lines of the assembler in which names in angles are registers, with what is changed and what is given; gives what
    is in the former in the end. All other registers that the lines mention are theirs, and so is memory.
    """
    kinds = ["v" if value.lanes > 1 else "r" for value in given.values()]
    code = "\\0A".join(lines)
    clobbers = [*sorted(set(_REGISTER.findall(code))), "memory", "flags"]
    constraints = [*("=&r" for _ in changed), *map(str, range(len(changed))), *kinds, *(f"~{{{c}}}" for c in clobbers)]
    # What is changed has a number as a result, and another one as what is given to begin with.
    numbers = {**{name: i for i, name in enumerate(changed)}, **{n: 2 * len(changed) + i for i, n in enumerate(given)}}
    for name, number in numbers.items():
        code = code.replace(f"<{name}>", f"${number}")
    taken = ", ".join(value.typed for value in (*changed.values(), *given.values()))
    results = ", ".join(value.type for value in changed.values())
    whole = results if len(changed) == 1 else f"{{{results}}}" if changed else "void"
    call = f'call {whole} asm sideeffect "{code}", "{",".join(constraints)}"({taken})'
    if not changed:
        e.line(call)
        return []
    made = e.define(call, whole)
    if len(changed) == 1:
        return [made]
    return [e.define(f"extractvalue {made.typed}, {i}", value.elem) for i, value in enumerate(changed.values())]
