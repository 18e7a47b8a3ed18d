"""Programs whose text is several modules compute what they compute as one."""

import ctypes
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.backends.llvm import modules, program
from rosin.backends.llvm.modules import Text, split
from rosin.backends.llvm.routines import routine_texts
from rosin.runtime import host, jit, lapack, loading, threads

RNG = np.random.default_rng(0)
X = RNG.standard_normal((24, 32), np.float32)
TABLE = np.array([3, 1, 2, 0], np.int32)


class Modules:
    """Of how many modules each program was, and how many of them were given away ahead."""

    counts: list[int]
    ahead: list[int]


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> Iterator[Modules]:
    """Have each program compiled as four modules if it has so many kernels."""
    found = Modules()
    found.counts, found.ahead = [], []
    objects = jit.Compiling.objects

    def noted(compiling: jit.Compiling, texts: Sequence[str] = (), **others: Any) -> list[bytes]:
        if texts and "@program" in texts[0]:
            found.counts.append(len(compiling.texts) + len(texts))
            found.ahead.append(len(compiling.texts))
        return objects(compiling, texts, **others)

    monkeypatch.setattr(modules, "MODULE_CHARACTERS", 1)
    monkeypatch.setattr(jit.Compiling, "objects", noted)
    before = threads.num_threads()
    threads.set_num_threads(4)
    yield found
    threads.set_num_threads(before)


def layers(x: Any) -> Any:
    """Equal layers, whose kernels come again, and what is computed by helpers."""
    for scale in (1.0, 2.0, 3.0):
        x = rnp.tanh(x @ x.T @ x * scale)
    return rnp.sort(rnp.sin(x * 1e6), axis=-1).sum(axis=0), rosin.scipy.special.j0(x)


def loop(x: Any) -> Any:
    """Steps with kernels of their own, and a constant that one reads."""

    def step(carry: Any, row: Any) -> Any:
        carry = rnp.cumsum(carry * 0.5 + row)[rnp.asarray(TABLE)[rnp.arange(32) % 4]]
        return carry, carry.max()

    return rosin.scan(step, x[0], x)


def asked(x: Any) -> Any:
    """Python computes something in between."""
    like = rosin.ShapeDtypeStruct((24, 32), np.float32)
    doubled = rosin.pure_callback(lambda a: np.asarray(a) * 2, like, x @ x.T @ x)
    return rnp.cumsum(doubled, axis=0).sum(axis=1) + rnp.log(rnp.abs(x)).sum(axis=1)


def another(function: Any, number: int) -> Any:
    """A function that comes to the same, and that the disk does not have."""

    def called(x: Any) -> Any:
        for _ in range(number):
            x = x * 1.0
        return function(x)

    return called


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("function", [layers, loop, asked])
def test_the_results_are_those_of_one_module(
    function: Any, ahead: bool, many: Modules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ahead` has each function given away as soon as it is there."""
    monkeypatch.setattr(program, "AHEAD_CHARACTERS", 1 if ahead else sys.maxsize)
    turn = sys.getswitchinterval()
    found = rosin.compile(another(function, 2 if ahead else 1))(X)
    assert many.counts[-1] > 1
    assert (many.ahead[-1] > 0) == ahead
    assert sys.getswitchinterval() == turn
    threads.set_num_threads(1)
    again = rosin.compile(another(function, 4 if ahead else 3))(X)
    assert many.counts[-1] == 1
    for a, b in zip(rosin.tree.leaves(found), rosin.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_several_modules_come_from_the_disk(many: Modules) -> None:
    def scaled(x: Any) -> Any:
        return layers(x * 1.25)

    first = rosin.compile(scaled)(X)
    compiled = len(many.counts)
    again = rosin.compile(scaled)
    for a, b in zip(first, again(X), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    assert len(many.counts) == compiled


def constant(name: str) -> str:
    return f"@constant.{name} = private constant [4 x i8] zeroinitializer"


def function(title: str, name: str, line: str) -> str:
    return f"; {title}\ndefine internal void @{name}(ptr %context, i64 %begin, i64 %end) {{\n  {line}\n}}"


def test_each_module_has_what_it_mentions() -> None:
    text = Text(
        "; title",
        [constant("a"), constant("b")],
        ["declare float @out(float)", "define internal float @help(float %x) {\n  %y = call float @out(float %x)\n}"],
        [
            function("first", "k0", "@constant.b"),
            function("second", "k1", "call float @help(float 0.0)"),
            function("team", "team2", "call void @k0()"),
        ],
        "define i32 @program(ptr %buffers, ptr %arena) {\n  @k0 @k1 @team2 @constant.a\n}",
    )
    assert text.modules(4) == [text.module()], "there is too little for several"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(modules, "MODULE_CHARACTERS", 1)
        first, second, third = sorted(text.modules(3), key=lambda module: ("@program" not in module, "@k1" in module))
    assert "define internal void @team2" in first
    assert "declare void @k0(ptr, i64, i64)" in first
    assert "declare void @k1(ptr, i64, i64)" in first
    assert second == f"; title\n{constant('b')}\n\n{text.functions[0].replace('internal ', '')}\n"
    assert "define void @k1" in third
    found = [name for name in ("constant.a =", "constant.b =", "float @out(", "define float @help") if name in third]
    assert found == ["float @out(", "define float @help"]


def test_modules_are_as_long_with_what_functions_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "MODULE_CHARACTERS", 100)
    helper = "define internal float @help(float %x) {\n" + "  ; long\n" * 50 + "  ret float %x\n}"
    functions = [function("first", "k0", "call float @help(float 0.0)"), function("second", "k1", "; as long\n" * 5)]
    text = Text("; title", [], [helper], functions, "define i32 @program() {\n  @k0 @k1\n}")
    first, second = text.modules(2)
    assert "define internal void @k1" in first
    assert "define float @help" in second
    assert replace(text, functions=functions[:1]).modules(2) == [replace(text, functions=functions[:1]).module()]


def test_functions_are_given_away_but_those_that_mention_what_is_not_there_yet() -> None:
    helper = "define internal float @help(float %x) {\n  ret float %x\n}"
    functions = [
        function("first", "k0", "call float @help(float 0.0)"),
        function("second", "k1", "@receiver"),
        function("third", "k2", "@constant.a"),
    ]
    text = Text("; title", [constant("a")], [helper], functions, "")
    given, rest = text.ahead()
    assert ["define void @k0" in given, "define void @k2" in given, "@k1" in given] == [True, True, False]
    assert "define float @help" in given
    assert rest.functions == functions[1:2]
    another = function("fourth", "k3", "call float @help(float 0.0)")
    (last,) = replace(rest, functions=[*rest.functions, another], body="define i32 @program() {\n  @k0\n}").modules(1)
    found = ("declare void @k0(", "declare void @k2(", "declare float @help", "define internal void @k1", "void @k3")
    assert all(text in last for text in found)


def test_what_calls_functions_that_have_been_given_away_is_where_these_are_declared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As what a team of threads runs does, which may be longer than all that is left."""
    monkeypatch.setattr(modules, "MODULE_CHARACTERS", 1)
    _, rest = Text("; title", [], [], [function("first", "k0", "ret void")], "").ahead()
    team = function("team", "team1", "call void @k0(ptr %context, i64 0, i64 1)")
    others = [function(f"alone {n}", f"k{n}", "ret void") for n in range(2, 5)]
    body = "define i32 @program() {\n  @team1\n}"
    for module in replace(rest, functions=[team, *others], body=body).modules(4):
        assert ("define" in module and "@team1(" in module) == ("declare void @k0(" in module)


def test_what_is_not_done_when_a_text_cannot_be_made_is_no_matter() -> None:
    turn = sys.getswitchinterval()
    with pytest.raises(ValueError, match="no text"), jit.Compiling(3) as compiling:
        compiling.add("define i64 @f() {\n  ret i64 1\n}")
        assert sys.getswitchinterval() <= jit.TURN_SECONDS + 1e-6
        raise ValueError("no text")
    assert sys.getswitchinterval() == turn


def test_a_helper_is_in_one_module_but_where_it_is_inlined() -> None:
    calls = "%y = call float @called(float %x)"
    helpers = [
        "define internal float @called(float %x) noinline {\n  ret float %x\n}",
        f"define internal float @inlined(float %x) alwaysinline {{\n  {calls}\n  ret float %y\n}}",
    ]
    lines = ("call float @inlined(float 1.0)", "call float @called(float 1.0)", "call float @inlined(float 2.0)")
    kernels = [function("some", f"k{number}", f"%x = {line}\n  ret void") for number, line in enumerate(lines)]
    text = Text("; title", [], helpers, kernels, "define i32 @program() {\n  ret i32 0\n}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(modules, "MODULE_CHARACTERS", 1)
        texts = text.modules(3)
    assert [
        sum(t.count(f"{what} float @called(float %x) noinline") for t in texts) for what in ("define", "declare")
    ] == [
        1,
        2,
    ]
    assert all(("@inlined(float %x)" in t) == ("call float @inlined" in t) for t in texts)
    assert loading.load_object(*jit.compile_objects(texts, optimize=0)).address("program")


def test_what_llvm_refuses_is_told_from_any_thread() -> None:
    good = "define i64 @f() {\n  ret i64 1\n}"
    with pytest.raises(jit.CompileError, match="nothing"):
        jit.compile_objects([good, "define i64 @g() {\n  ret i64 %nothing\n}"])
    linked = jit.compile_objects([good, "declare i64 @f()\ndefine i64 @g() {\n  %x = call i64 @f()\n  ret i64 %x\n}"])
    assert loading.load_object(*linked).address("g")
    with pytest.raises(loading.LinkError, match="undefined: f"):
        loading.load_object(linked[1]).address("g")


TWO = """\
@count = internal global i64 zeroinitializer
@most = private constant i64 7

declare i64 @llvm.smin.i64(i64, i64)

define internal i64 @next(i64 %by) nounwind {
  %old = load i64, ptr @count
  %sum = add i64 %old, %by
  %most = load i64, ptr @most
  %new = call i64 @llvm.smin.i64(i64 %sum, i64 %most)
  store i64 %new, ptr @count
  ret i64 %new
}

define i64 @twice(i64 %by) nounwind {
  %once = call i64 @next(i64 %by)
  %again = call i64 @next(i64 %by)
  %most = load i64, ptr @most
  %now = load i64, ptr @count
  %sum = add i64 %most, %now
  ret i64 %sum
}
"""


def test_text_of_functions_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that another module calls, a variable that both change, and a constant that both read."""
    assert split(TWO, 2) == [TWO]
    monkeypatch.setattr(modules, "MODULE_CHARACTERS", 1)
    texts = split(TWO, 2)
    assert [text.count("define") for text in texts] == [1, 1]
    library = loading.load_object(*jit.compile_objects(texts))
    twice = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(library.address("twice"))
    assert [twice(2), twice(1), twice(1)] == [7 + 4, 7 + 6, 7 + 7]


@pytest.mark.parametrize("name", ["sort_f32", "argsort_f64", "dft_f64", "lu_f32", "eigh_f32"])
def test_routines_in_pieces_have_all_that_they_call(name: str) -> None:
    threads.install()
    host.install()
    (text,) = routine_texts(name, name, 32, lapack.word)
    lapack.install(text)
    texts = split(text, 4)
    warm = [each for each in texts if not modules.is_cold(each)]
    assert 1 < len(texts)
    assert 1 <= len(warm) <= 4
    assert len(texts) - len(warm) <= 4
    assert sum(each.count("\ndefine ") for each in texts) == text.count("\ndefine ")
    library = loading.load_object(*jit.compile_objects(texts, optimize=0))
    assert library.address(name)


def test_functions_that_llvm_is_not_to_improve_are_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    text = TWO.replace("nounwind {", "nounwind noinline optnone {", 1)
    assert split(text, 1) == [text]
    monkeypatch.setattr(modules, "COLD_CHARACTERS", 1)
    texts = split(text, 1)
    assert sorted(map(modules.is_cold, texts)) == [False, True]
    library = loading.load_object(*jit.compile_objects(texts))
    twice = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(library.address("twice"))
    assert [twice(2), twice(1), twice(1)] == [7 + 4, 7 + 6, 7 + 7]


@pytest.mark.parametrize(
    ("head", "line", "has"),
    [
        ("define void @f()", "%x = alloca i64", True),
        ("define void @f()", "%x = alloca [24 x <16 x float>], align 64", True),
        ("define void @f()", "%x = alloca [4096 x float], align 64", False),
        ("define void @f()", "%x = add i64 1, 1", False),
        ("define void @f() noinline optnone", "%x = alloca i64", False),
        ("define void @f() alwaysinline", "%x = add i64 1, 1", True),
    ],
)
def test_passes_run_where_functions_have_slots(head: str, line: str, has: bool) -> None:
    cold = "define void @g() noinline optnone {\n  %y = alloca i64\n  ret void\n}\n"
    text = f"{cold}{head} {{\n  {line}\n  ret void\n}}\n{cold}"
    assert modules.has_slots(text) is has
