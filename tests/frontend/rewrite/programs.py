"""Random functions in plain Python: nested branches and loops over small integers, as source text."""

from __future__ import annotations

import itertools
import linecache
import re
from typing import Any

from hypothesis import strategies as st

VARIABLES = ["a", "b", "c", "d"]
_numbers = itertools.count()


def function_of(source: str) -> Any:
    """The function `f` of a source text that tracebacks and `inspect` find."""
    file = f"<program {next(_numbers)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    names: dict[str, Any] = {"__name__": "programs"}
    exec(compile(source, file, "exec"), names)
    return names["f"]


@st.composite
def _expression(draw: st.DrawFn, names: tuple[str, ...], depth: int = 2) -> str:
    kind = draw(st.sampled_from(["name", "name", "constant", "binary", "choice"])) if depth else "name"
    if kind == "name":
        return draw(st.sampled_from(names))
    if kind == "constant":
        return str(draw(st.integers(-5, 9)))
    left, right = draw(_expression(names, depth - 1)), draw(_expression(names, depth - 1))
    if kind == "choice":
        return f"({left} if {draw(_test(names, depth - 1))} else {right})"
    return f"({left} {draw(st.sampled_from(['+', '-', '*']))} {right})"


@st.composite
def _test(draw: st.DrawFn, names: tuple[str, ...], depth: int = 1) -> str:
    kind = draw(st.sampled_from(["compare", "compare", "chain", "and", "or", "not", "number", "in"]))
    if kind in ("and", "or") and depth:
        return f"({draw(_test(names, depth - 1))} {kind} {draw(_test(names, depth - 1))})"
    if kind == "not" and depth:
        return f"(not {draw(_test(names, depth - 1))})"
    a, b, c = (draw(_expression(names, 1)) for _ in range(3))
    op = draw(st.sampled_from(["<", "<=", ">", ">=", "==", "!="]))
    if kind == "chain":
        return f"{a} < {b} {op} {c}"
    if kind == "number":
        return f"{a} % 3"
    if kind == "in":
        return f"{a} in (1, {b}, 4)"
    return f"{a} {op} {b}"


@st.composite
def _block(draw: st.DrawFn, names: tuple[str, ...], depth: int, loop: bool, indent: str) -> list[str]:
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        kinds = ["assign", "assign", "augmented", "swap"]
        if depth:
            kinds += ["if", "if", "while", "for", "range", "array", "try", "append"]
        if loop:
            kinds += ["break", "continue"]
        kinds += ["return"]
        kind = draw(st.sampled_from(kinds))
        deeper = indent + "    "
        target = draw(st.sampled_from(VARIABLES))
        if kind == "assign":
            lines.append(f"{indent}{target} = {draw(_expression(names))} % 97")
        elif kind == "augmented":
            lines.append(f"{indent}{target} += {draw(st.integers(1, 3))}")
        elif kind == "swap":
            other = draw(st.sampled_from(VARIABLES))
            lines.append(f"{indent}{target}, {other} = {other}, {target}")
        elif kind in ("break", "continue", "return"):
            what = f"return {draw(_expression(names))}" if kind == "return" else kind
            lines.append(f"{indent}if {draw(_test(names))}:")
            lines.append(f"{deeper}{target} = {draw(_expression(names))} % 97")
            lines.append(f"{deeper}{what}")
        elif kind == "if":
            lines.append(f"{indent}if {draw(_test(names))}:")
            lines += draw(_block(names, depth - 1, loop, deeper))
            if draw(st.booleans()):
                lines.append(f"{indent}elif {draw(_test(names))}:")
                lines += draw(_block(names, depth - 1, loop, deeper))
            if draw(st.booleans()):
                lines.append(f"{indent}else:")
                lines += draw(_block(names, depth - 1, loop, deeper))
        elif kind == "try":
            lines.append(f"{indent}try:")
            lines += draw(_block(names, depth - 1, loop, deeper))
            lines.append(f"{indent}finally:")
            lines.append(f"{deeper}{target} += 1")
        elif kind == "append":
            lines.append(f"{indent}{target} = (total([v * 2 + {target} for v in xs]) + {target}) % 97")
        else:
            lines += draw(_loop(kind, names, depth, indent))
    return lines


@st.composite
def _loop(draw: st.DrawFn, kind: str, names: tuple[str, ...], depth: int, indent: str) -> list[str]:
    deeper = indent + "    "
    inner = f"i{depth}"
    if kind == "while":
        head = [f"{indent}{inner} = 0", f"{indent}while {inner} < 4 and {draw(_test(names))}:", f"{deeper}{inner} += 1"]
    elif kind == "for":
        head = [f"{indent}for {inner} in range({draw(st.integers(0, 3))}):"]
    elif kind == "range":
        bounds = draw(st.sampled_from(["n", "a % 4", "1, n", "n, 0, -1"]))
        head = [f"{indent}for {inner} in range({bounds}):"]
    else:
        source = draw(st.sampled_from(["xs", "reversed(xs)"]))
        head = [f"{indent}for {inner} in {source}:"]
    lines = [*head, *draw(_block((*names, inner), depth - 1, True, deeper))]
    if draw(st.integers(0, 3)) == 0:
        lines += [f"{indent}else:", f"{deeper}{draw(st.sampled_from(VARIABLES))} += 5"]
    return lines


@st.composite
def programs(draw: st.DrawFn) -> str:
    """The source of `f(a, b, n, xs)`, which gives a few numbers."""
    body = draw(_block((*VARIABLES, "n"), 3, False, "    "))
    head = ["def total(xs):", "    return sum(xs)", "", "def f(a, b, n, xs):", "    c, d = 1, a - b"]
    return "\n".join([*head, *body, "    return a + 100 * b + 10000 * c + d", ""])


def smooth(source: str) -> str:
    """The program with one more argument `x`, a float that its steps multiply and that its results hold; the integers
    alone decide which way it goes."""
    body = re.sub(
        r"^( +)([abcd]) = (.*) % 97$", r"\g<0>\n\1x = 0.7 * x + 0.003 * \2 * x + 0.1 * \2", source, flags=re.MULTILINE
    )
    body = re.sub(r"^( +)return (?!sum)(.*)$", r"\1return x + 0.001 * (\2)", body, flags=re.MULTILINE)
    return body.replace("def f(a, b, n, xs):", "def f(a, b, n, xs, x):")
