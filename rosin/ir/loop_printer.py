"""Programs of the loop-level IR as text: indented, one statement a line."""

from __future__ import annotations

from collections.abc import Mapping

from rosin.ir.literal import Literal
from rosin.ir.loops import (
    Accumulate,
    Apply,
    Choose,
    Dot,
    Expr,
    Guard,
    InTurn,
    Let,
    Local,
    Loop,
    Products,
    Room,
    Statement,
    Store,
    When,
    While,
    blocks,
    values,
)
from rosin.ir.steps import (
    Again,
    Branch,
    Either,
    HostCall,
    Kernel,
    Measured,
    Nest,
    Program,
    Repeat,
    RepeatWhile,
    RoutineCall,
    Step,
    parts,
)


def text(program: Program) -> str:
    """The program as indented text, one statement a line."""
    lines = [f"program {program.name} (arena {program.arena_bytes} bytes)"]
    for title, buffers in (("in", program.arguments), ("const", program.constants), ("out", program.results)):
        lines += [f"  {title} {b.name}: {b.dtype}[{b.size}]" for b in buffers]
    lines += [f"  {result.name} takes the memory of {argument.name}" for result, argument in program.aliases.items()]
    lines += [f"  arena {b.name}: {b.dtype}[{b.size}] at {offset}" for b, offset in program.arena.items()]
    lines += [
        f"  tape {b.name}: {b.dtype}[{b.size}] at {at} of {t.record} of {t}" for b, (t, at) in program.tapes.items()
    ]
    lines += [f"  slot {number} of {bytes} bytes" for number, bytes in enumerate(program.slots)]
    lines += [f"  arena {b.name}: {b.dtype}[{b.size}] in slot {slot}" for b, slot in program.slot_of.items()]
    lines += [f"  kept {b.name}: {b.dtype}[{b.size}] at {offset}" for b, offset in program.kept.items()]
    for step in program.setup:
        lines += ["", *_step_lines(step, "setup ")]
    for step in program.steps:
        lines += ["", *_step_lines(step, "")]
    return "\n".join(lines) + "\n"


def _step_lines(step: Step, indent: str) -> list[str]:
    match step:
        case Kernel():
            return [indent + line for line in kernel_lines(step)]
        case Again(name, kernel):
            buffers = ", ".join(b.name for b in step.buffers)
            return [f"{indent}kernel {name}({buffers}) as {kernel.name}{_given(step.numbers)}"]
        case Nest():
            raise AssertionError("nests are kernels by the time that a program is whole")
        case Repeat():
            heads = [f"repeat {_range(step)}{' on threads' if step.team else ''}:"]
        case HostCall(op, _, _, reads, writes, when):
            called = f"host {op.name}({', '.join(map(str, reads))})"
            gives = f"{', '.join(map(str, writes))} = " if writes else ""
            return [f"{indent}{gives}{called}{f' when {when}' if when is not None else ''}"]
        case RoutineCall(name, reads, writes, numbers, count):
            given = ", ".join(map(str, (*reads, *numbers)))
            return [f"{indent}{', '.join(map(str, writes))} = routine {name}({given}) of {count}"]
        case RepeatWhile():
            heads = ["test:", f"while {_condition(step)}:"]
        case Branch(index, branches):
            heads = [f"branch {number} of {index}:" for number in range(len(branches))]
        case Either(size, most):
            heads = [f"where {size} <= {most}:", "otherwise:"]
        case Room():
            return [f"{indent}room on {step.tape} for {step.number}"]
        case Measured(symbol, number, asked):
            conditions = ", ".join(dict.fromkeys(map(str, asked)))
            return [f"{indent}size {symbol} = {number} where {conditions}"]
    lines: list[str] = []
    for head, steps in zip(heads, parts(step), strict=True):
        lines.append(indent + head)
        for inner in steps:
            lines += _step_lines(inner, indent + "  ")
    return lines


def _range(loop: Repeat | Loop) -> str:
    first = f"{loop.start} … " if loop.start else ""
    return f"{loop.var} in {first}{loop.stop or loop.var.extent}{', backward' * loop.backward}"


def _condition(loop: RepeatWhile | While) -> str:
    return f"{loop.predicate} and {loop.var} in {loop.var.extent}" if loop.var else f"{loop.predicate}"


def _given(numbers: Mapping[Local, Literal]) -> str:
    """The numbers that a kernel is given."""
    return f" with {', '.join(f'{local} = {literal.scalar}' for local, literal in numbers.items())}" if numbers else ""


def kernel_lines(kernel: Kernel) -> list[str]:
    lines = [f"kernel {kernel.name}({', '.join(b.name for b in kernel.buffers)}){_given(kernel.numbers)}"]
    lines += [f"  {b.scope.value} {b.name}: {b.dtype}[{b.size}]" for b in kernel.scratch]
    return lines + _Text(kernel).block(kernel.body, "  ", {})


class _Text:
    """Writes statements. What is used more than once, and is more than a load, stands on a line of its own."""

    def __init__(self, kernel: Kernel) -> None:
        self.uses: dict[int, int] = {}
        self.count = 0
        self._count_uses(kernel.body)

    def _count_uses(self, statements: tuple[Statement, ...]) -> None:
        for statement in statements:
            for inner in blocks(statement):
                self._count_uses(inner)
            if not blocks(statement):
                for top in values(statement):
                    first = self._seen(top)
                    stack = [top] if first else []
                    while stack:
                        stack += [child for child in stack.pop().children() if self._seen(child)]

    def _seen(self, expr: Expr) -> bool:
        """Count a use; whether it is the first."""
        self.uses[id(expr)] = self.uses.get(id(expr), 0) + 1
        return self.uses[id(expr)] == 1

    def block(self, statements: tuple[Statement, ...], indent: str, outer: dict[int, str]) -> list[str]:
        lines: list[str] = []
        named = dict(outer)
        for statement in statements:
            lines += self.statement(statement, indent, named)
        return lines

    def statement(self, statement: Statement, indent: str, named: dict[int, str]) -> list[str]:
        lines: list[str] = []
        texts = [self.expr(value, indent, named, lines) for value in values(statement)]
        heads: list[str] = []
        match statement:
            case Let():
                lines.append(f"{indent}{statement.local}: {statement.local.dtype} = {texts[0]}")
            case Accumulate():
                pairs = zip(statement.carry.locals, texts, strict=True)
                lines.append(indent + ", ".join(f"{local} <- {text}" for local, text in pairs))
            case Store():
                lines.append(f"{indent}{statement.buffer}[{statement.offset}] = {texts[0]}")
            case When(tests):
                heads = [f"when {' and '.join(map(str, tests))}:"]
            case InTurn():
                heads = ["in turn:"]
            case While():
                heads = ["test:", f"while {_condition(statement)}:"]
            case Room(tape, number):
                lines.append(f"{indent}room on {tape} for {number}")
            case Products(sums, row, lane, word):
                each = ", ".join(f"{var} in {var.extent}" for var in (row, lane, word))
                lines.append(f"{indent}{sums}[{row}, {lane}] = sum of {texts[0]} for {each}")
            case Choose(index, branches):
                heads = [f"branch {number} of {index}:" for number in range(len(branches))]
            case Loop(_, kind, _, carries, parallel, unroll):
                head = f"{'parallel ' if parallel else ''}{kind.value} {_range(statement)}"
                head += f" unroll {unroll}" if unroll > 1 else ""
                head += " refilled" if statement.refill else ""
                carried = [f"{n} = {i}" for c in carries for n, i in zip(c.locals, c.initial, strict=True)]
                heads = [head + (f" carrying {', '.join(carried)}:" if carried else ":")]
        for head, block in zip(heads, blocks(statement), strict=True):
            lines += [indent + head, *self.block(block, indent + "  ", named)]
        return lines

    def expr(self, expr: Expr, indent: str, named: dict[int, str], lines: list[str]) -> str:
        """The expression; lines that name its shared parts are added to `lines`."""
        if id(expr) in named:
            return named[id(expr)]
        parts = [self.expr(child, indent, named, lines) for child in expr.children()]
        match expr:
            case Apply():
                text = f"{expr.op.name}({', '.join(parts)})"
            case Dot():
                text = f"dot({parts[0]} of {expr.of_left}, {parts[1]} of {expr.of_right})"
            case Guard():
                text = f"({parts[0]} if {' and '.join(map(str, expr.tests))} else {parts[1]})"
            case _:
                return str(expr)
        if self.uses.get(id(expr), 0) > 1:
            self.count += 1
            named[id(expr)] = f"v{self.count}"
            lines.append(f"{indent}v{self.count}: {expr.dtype} = {text}")
            return named[id(expr)]
        return text
