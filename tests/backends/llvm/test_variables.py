"""Variables as SSA values: programs drawn at random come to what Python finds, and phis stand where values meet."""

import ctypes
import random
from collections.abc import Sequence
from typing import Any

import pytest

from rosin.backends.llvm.emit import Emitter, Val
from rosin.backends.llvm.variables import Variable
from rosin.runtime import jit, loading

VARIABLES = 4
WORD = 1 << 64
SEEDS = range(60)

# A program is a list of statements: ("set", goal, left, right), ("if", test, then, otherwise), ("loop", count, body)
# and ("while", variable, body), which takes one off a variable as long as it is positive.
Program = list[tuple[Any, ...]]


def drawn(r: random.Random, depth: int) -> Program:
    found: Program = []
    for _ in range(r.randint(1, 4)):
        kind = r.choice(("set", "set", "if", "loop", "while")) if depth else "set"
        v, w, u = (r.randrange(VARIABLES) for _ in range(3))
        if kind == "set":
            found.append(("set", v, w, u))
        elif kind == "if":
            found.append(("if", v, drawn(r, depth - 1), drawn(r, depth - 1) if r.random() < 0.6 else []))
        elif kind == "loop":
            found.append(("loop", r.randint(0, 3), drawn(r, depth - 1)))
        else:
            found.append(("while", v, [s for s in drawn(r, depth - 1) if s[0] == "set" and s[1] != v]))
    return found


def run(program: Program, values: list[int]) -> None:
    for kind, *rest in program:
        if kind == "set":
            goal, left, right = rest
            values[goal] = (values[left] - 2 * values[right] + 1 + WORD // 2) % WORD - WORD // 2
        elif kind == "if":
            test, then, otherwise = rest
            run(then if values[test] > 0 else otherwise, values)
        elif kind == "loop":
            count, body = rest
            for i in range(count):
                values[0] = (values[0] + i + WORD // 2) % WORD - WORD // 2
                run(body, values)
        else:
            which, body = rest
            values[which] %= 4
            while values[which] > 0:
                values[which] -= 1
                run(body, values)


def emit(e: Emitter, program: Program, variables: Sequence[Variable]) -> None:
    one = e.const(1, "i64")

    def positive(v: Variable) -> Val:
        return e.icmp("sgt", e.read(v), e.const(0, "i64"))

    for kind, *rest in program:
        if kind == "set":
            goal, left, right = (variables[v] for v in rest)
            twice = e.mul(e.read(right), e.const(2, "i64"))
            e.write(e.add(e.sub(e.read(left), twice), one), goal)
        elif kind == "if":
            test, then, otherwise = rest
            other = (lambda p=otherwise: emit(e, p, variables)) if otherwise else None
            e.either(positive(variables[test]), lambda p=then: emit(e, p, variables), other)
        elif kind == "loop":
            count, body = rest

            def iteration(i: Val, body: Program = body) -> None:
                e.write(e.add(e.read(variables[0]), i), variables[0])
                emit(e, body, variables)

            e.counted(e.const(0, "i64"), e.const(count, "i64"), 1, iteration)
        else:
            which, body = variables[rest[0]], rest[1]
            e.write(e.bit_and(e.read(which), e.const(3, "i64")), which)
            head, inside, after = e.label("head"), e.label("inside"), e.label("after")
            e.branch(head)
            e.block(head, is_loop=True)
            e.branch_if(positive(which), inside, after)
            e.block(inside)
            e.write(e.sub(e.read(which), one), which)
            emit(e, body, variables)
            e.branch(head)
            e.close(head)
            e.block(after)


def function(program: Program) -> str:
    e = Emitter()
    variables = [e.variable("i64", hint="x") for _ in range(VARIABLES)]
    places = [e.offset(Val("%values", "ptr"), e.const(k, "i64"), "i64") for k in range(VARIABLES)]
    for variable, place in zip(variables, places, strict=True):
        e.write(e.load(place, "i64"), variable)
    emit(e, program, variables)
    for variable, place in zip(variables, places, strict=True):
        e.store(e.read(variable), place)
    e.line("ret void")
    return "\n".join([*sorted(e.declarations), "define void @f(ptr %values) {", "entry:", e.text(), "}"])


@pytest.mark.parametrize("seed", SEEDS)
def test_programs(seed: int) -> None:
    r = random.Random(seed)
    program, values = drawn(r, 3), [r.randint(-5, 5) for _ in range(VARIABLES)]
    library = loading.load_text(function(program))
    memory = (ctypes.c_int64 * VARIABLES)(*values)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(library.address("f"))(ctypes.addressof(memory))
    run(program, values)
    assert list(memory) == values


def test_what_stays_the_same_has_no_phi() -> None:
    """A loop has phis for its count and for what it changes, a test for what one of its sides changes."""
    loop = function([("loop", 3, [("set", 1, 0, 0)]), ("set", 2, 3, 1)])
    assert loop.count("phi") == 3
    test = function([("if", 0, [("set", 1, 0, 0)], [("set", 2, 0, 0)])])
    assert test.count("phi") == 2


def test_no_slots() -> None:
    assert "alloca" not in function([("loop", 3, [("if", 0, [("set", 1, 0, 0)], []), ("while", 2, [])])])


def test_a_variable_without_a_value_is_poison() -> None:
    e = Emitter()
    assert e.read(e.variable("float", 4)) == Val("poison", "float", 4)


def test_a_value_that_is_one_on_every_way_is_itself() -> None:
    e = Emitter()
    variable = e.variable("i64")
    e.write(Val("%x", "i64"), variable)
    e.either(Val("%test", "i1"), lambda: None, lambda: None)
    assert e.read(variable).ref == "%x"


def test_what_llvm_makes_of_it() -> None:
    """The verifier of LLVM finds that values are known wherever they are used."""
    for seed in SEEDS:
        jit.optimized(function(drawn(random.Random(1000 + seed), 4)))
