"""The native entry: what matches and what does not, every reference, every way out."""

import contextlib
import gc
import math
import os
import pickle
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from rosin.runtime import jit, loading
from rosin.runtime.entry import ArgumentSpec, ResultSpec, make_entry, slot_offset
from rosin.runtime.entry_code import NO_ROOM, STACK_ARENA_BYTES

F32 = np.dtype(np.float32)


class Array:
    __slots__ = ("__weakref__", "_value")
    _value: Any


class SubArray(Array):
    __slots__ = ()


class SubNdarray(np.ndarray):
    pass


def wrap(value: Any) -> Array:
    array = Array()
    array._value = value
    return array


def arr(*shape: int, dtype: Any = F32) -> Array:
    return wrap(np.arange(math.prod(shape), dtype=dtype).reshape(shape))


class Missed(Exception):
    pass


class Failed(Exception):
    pass


def miss(*args: object, **keywords: object) -> object:
    raise Missed(len(args), keywords)


def fail(code: int) -> object:
    raise MemoryError if code == NO_ROOM else Failed(code)


def program(body: str, *declarations: str) -> loading.Library:
    """A library with one `program` whose body is given; `%p0`, `%p1`… are the first six buffers."""
    loads = "".join(
        f"  %b{i} = getelementptr ptr, ptr %buffers, i64 {i}\n  %p{i} = load ptr, ptr %b{i}\n"
        for i in range(6)
        if f"%p{i}" in body
    )
    head = "define i32 @program(ptr %buffers, ptr %arena) nounwind {\n"
    return loading.load_object(
        jit.compile_object("\n".join(declarations) + "\n" + head + loads + body + "\n}", optimize=0)
    )


def adding(count: int) -> loading.Library:
    """out[0] = the sum of the first elements of `count` buffers; `out` is the buffer after them."""
    lines = []
    total = "0.0"
    for i in range(count):
        lines.append(f"  %a{i} = getelementptr ptr, ptr %buffers, i64 {i}\n  %q{i} = load ptr, ptr %a{i}")
        lines.append(f"  %x{i} = load float, ptr %q{i}\n  %s{i} = fadd float {total}, %x{i}")
        total = f"%s{i}"
    lines.append(f"  %o = getelementptr ptr, ptr %buffers, i64 {count}\n  %q = load ptr, ptr %o")
    lines.append(f"  store float {total}, ptr %q\n  ret i32 0")
    return program("\n".join(lines))


NOTHING = "  ret i32 0"
# A pattern through a whole arena of 1 MiB, checked after; code 1 when the arena is not aligned, 2 when it changed.
FILL = """
  %address = ptrtoint ptr %arena to i64
  %low = and i64 %address, 63
  %aligned = icmp eq i64 %low, 0
  br i1 %aligned, label %start, label %crooked
crooked:
  ret i32 1
start:
  %mine = load i32, ptr %p0
  br label %write
write:
  %i = phi i64 [ 0, %start ], [ %i.next, %write ]
  %to = getelementptr i32, ptr %arena, i64 %i
  store volatile i32 %mine, ptr %to
  %i.next = add i64 %i, 1
  %more = icmp ult i64 %i.next, WORDS
  br i1 %more, label %write, label %read
read:
  %j = phi i64 [ 0, %write ], [ %j.next, %same ]
  %from = getelementptr i32, ptr %arena, i64 %j
  %found = load volatile i32, ptr %from
  %j.next = add i64 %j, 1
  %equal = icmp eq i32 %found, %mine
  br i1 %equal, label %same, label %changed
same:
  %again = icmp ult i64 %j.next, WORDS
  br i1 %again, label %read, label %done
changed:
  ret i32 2
done:
  ret i32 0
"""


def make(
    library: loading.Library,
    arguments: Sequence[ArgumentSpec | tuple[int, ...]] = (),
    results: Sequence[ResultSpec | tuple[int, ...]] = (),
    constants: Sequence[np.ndarray] = (),
    arena: int = 0,
    miss: Callable[..., object] = miss,
    single: bool | None = None,
    release_gil: bool = False,
) -> Callable[..., Any]:
    return make_entry(
        "f",
        library.address("program"),
        [a if isinstance(a, ArgumentSpec) else ArgumentSpec(F32, a) for a in arguments],
        [r if isinstance(r, ResultSpec) else ResultSpec(F32, r) for r in results],
        constants,
        arena,
        Array,
        slot_offset(Array, "_value"),
        miss,
        fail,
        single=len(results) == 1 if single is None else single,
        release_gil=release_gil,
        keep=library,
    )


def references(objects: Sequence[object]) -> list[int]:
    gc.collect()
    return [sys.getrefcount(x) for x in objects]


# -- what comes out --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("release_gil", [False, True])
def test_add_of_arrays_and_ndarrays(release_gil: bool) -> None:
    f = make(adding(2), [(3,), (3,)], [(1,)], release_gil=release_gil)
    x, y = np.array([1, 2, 3], F32), np.array([10, 20, 30], F32)
    for a, b in ((x, y), (wrap(x), y), (x, wrap(y)), (wrap(x), wrap(y))):
        out = f(a, b)
        assert type(out) is Array
        assert type(out._value) is np.ndarray
        assert out._value.tolist() == [11.0]
        assert out._value.dtype is F32
        assert out._value.flags.owndata
    assert f(x, x)._value.tolist() == [2.0]  # the same array twice
    assert f.__name__ == "f"


def test_results_single_tuple_none() -> None:
    library = program(NOTHING)
    assert make(library)() == ()
    assert type(make(library, results=[(2,)])()) is Array
    (one,) = make(library, results=[(2,)], single=False)()
    assert one._value.shape == (2,)
    three = make(library, results=[(2, 3), (), (0, 4)])()
    assert [x._value.shape for x in three] == [(2, 3), (), (0, 4)]
    assert all(x._value.flags.c_contiguous for x in three)


def test_scalars_and_empty_arrays() -> None:
    f = make(adding(1), [()], [()])
    assert f(np.array(2.5, F32))._value == np.float32(2.5)
    with pytest.raises(Missed):
        f(np.zeros(1, F32))
    g = make(program(NOTHING), [(0, 3), ()], [(3, 0)])
    assert g(arr(0, 3), arr())._value.shape == (3, 0)
    with pytest.raises(Missed):
        g(arr(0, 2), arr())


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint64, np.float16, np.complex128, ml_dtypes.bfloat16])
def test_dtypes(dtype: Any) -> None:
    dtype = np.dtype(dtype)
    f = make(program(NOTHING), [ArgumentSpec(dtype, (2,))], [ResultSpec(dtype, (2,))])
    assert f(np.zeros(2, dtype))._value.dtype is dtype
    with pytest.raises(Missed):
        f(np.zeros(2, np.int16))


def test_many_arguments() -> None:
    f = make(adding(200), [(1,)] * 200, [(1,)])
    arguments = [wrap(np.array([i], F32)) for i in range(200)]
    assert f(*arguments)._value[0] == sum(range(200))
    arguments[150] = wrap(np.zeros(2, F32))
    with pytest.raises(Missed):
        f(*arguments)


def test_constants_come_after_arguments() -> None:
    constants = [np.array([10], F32), np.array([100], F32)]
    f = make(adding(3), [(1,)], [(1,)], constants)
    del constants
    gc.collect()
    assert f(np.array([1], F32))._value.tolist() == [111.0]


# -- what does not match ---------------------------------------------------------------------------------------


def mismatches() -> dict[str, Any]:
    good = np.zeros((2, 3), F32)
    readonly = good.copy()
    readonly.flags.writeable = False
    unaligned = np.zeros(25, np.uint8)[1:].view(F32).reshape(2, 3)
    return {
        "shape": np.zeros((3, 2), F32),
        "ndim": np.zeros((2, 3, 1), F32),
        "dtype": np.zeros((2, 3), np.int32),
        "byte order": good.astype(">f4"),
        "strides": np.zeros((3, 2), F32).T,
        "alignment": unaligned,
        "read-only": readonly,
        "subclass of ndarray": good.view(SubNdarray),
        "subclass of Array": SubArray(),
        "unset slot": Array(),
        "slot of another type": wrap(1.0),
        "slot of a subclass": wrap(good.view(SubNdarray)),
        "number": 1.0,
        "None": None,
        "list": [[0.0] * 3] * 2,
    }


@pytest.mark.parametrize("kind", list(mismatches()))
def test_mismatch_calls_miss(kind: str) -> None:
    seen: list[tuple[object, ...]] = []

    def record(*args: object) -> object:
        seen.append(args)
        return "missed"

    f = make(program(NOTHING), [(1,), ArgumentSpec(F32, (2, 3), donated=True)], [(1,)], miss=record)
    first, bad = arr(1), mismatches()[kind]
    before = references([first, bad])
    assert f(first, bad) == "missed"
    assert [id(x) for x in seen.pop()] == [id(first), id(bad)]
    if bad is not None:  # all the world refers to None
        assert references([first, bad]) == before
    assert type(f(first, arr(2, 3))) is Array


def test_count_and_keywords_call_miss() -> None:
    f = make(program(NOTHING), [(1,)], [(1,)], miss=lambda *args, **keywords: (len(args), keywords))
    assert f() == (0, {})
    assert f(1, 2) == (2, {})
    assert f(arr(1), key=3) == (1, {"key": 3})
    assert type(f(arr(1))) is Array


def test_read_only_is_fine_unless_donated() -> None:
    x = np.zeros(1, F32)
    x.flags.writeable = False
    assert make(adding(1), [(1,)], [(1,)])(x)._value[0] == 0


def test_dtype_from_a_pickle_matches() -> None:
    x = pickle.loads(pickle.dumps(np.ones(1, F32)))
    assert make(adding(1), [(1,)], [(1,)])(x)._value[0] == 1
    assert x.dtype is not F32


def test_errors_of_miss_propagate_and_miss_may_recurse() -> None:
    def again(*args: object) -> object:
        if isinstance(args[0], int):
            return f(args[0] - 1) if args[0] else f(np.ones(1, F32))
        raise Missed

    f = make(adding(1), [(1,)], [(1,)], miss=again)
    assert f(20)._value[0] == 1
    with pytest.raises(Missed):
        f("x")
    g = make(adding(1), [(1,)], [(1,)], miss=lambda *args: g(*args))
    with pytest.raises(RecursionError):
        g(0)


# -- donation --------------------------------------------------------------------------------------------------


INCREMENT = "  %x = load float, ptr %p0\n  %y = fadd float %x, 1.0\n  store float %y, ptr %p0\n  ret i32 0"


def test_result_takes_donated_memory() -> None:
    f = make(program(INCREMENT), [ArgumentSpec(F32, (1,), donated=True)], [ResultSpec(F32, (1,), aliases=0)])
    x = np.zeros(1, F32)
    before = references([x])
    array = wrap(x)
    for step in range(1, 5):
        array = f(array)
        assert array._value is x
        assert x[0] == step
    del array
    assert references([x]) == before


def test_donated_memory_must_be_apart() -> None:
    donated, read = ArgumentSpec(F32, (4,), donated=True), ArgumentSpec(F32, (4,))
    base = np.zeros(16, F32)
    low, middle, high = wrap(base[:4]), wrap(base[2:6]), wrap(base[4:8])
    f = make(program(NOTHING), [donated, read], [])
    assert f(low, high) == ()
    assert f(high, low) == ()
    for a, b in ((low, low), (low, middle), (middle, low), (high, middle), (low, low._value)):
        with pytest.raises(Missed):
            f(a, b)
    both = make(program(NOTHING), [donated, donated], [])
    assert both(low, high) == ()
    with pytest.raises(Missed):
        both(low, low)
    with pytest.raises(Missed):
        make(program(NOTHING), [donated], [], [base])(middle)
    assert make(program(NOTHING), [donated], [], [np.zeros(4, F32)])(middle) == ()


def test_the_memory_of_a_numpy_array_is_not_given_away() -> None:
    f = make(program(INCREMENT), [ArgumentSpec(F32, (1,), donated=True)], [ResultSpec(F32, (1,), aliases=0)])
    with pytest.raises(Missed):
        f(np.zeros(1, F32))
    assert f(wrap(np.zeros(1, F32)))._value == 1


def test_empty_arrays_share_nothing() -> None:
    empty, full = ArgumentSpec(F32, (0,), donated=True), ArgumentSpec(F32, (4,), donated=True)
    base = np.zeros(4, F32)
    assert make(program(NOTHING), [empty, empty], [])(wrap(base[:0]), wrap(base[:0])) == ()
    assert make(program(NOTHING), [empty, full, empty], [])(wrap(base[2:2]), wrap(base), wrap(base[4:])) == ()


def test_many_donated() -> None:
    specs = [ArgumentSpec(F32, (3,), donated=True)] * 200
    results = [ResultSpec(F32, (3,), aliases=199 - i) for i in range(200)]
    f = make(program(NOTHING), specs, results)
    arguments = [wrap(np.full(3, i, F32)) for i in range(200)]
    out = f(*arguments)
    assert all(x._value is y._value for x, y in zip(out, reversed(arguments), strict=True))
    with pytest.raises(Missed):
        f(*arguments[:-1], arguments[7])


def test_specs_that_contradict() -> None:
    library = program(NOTHING)
    donated = ArgumentSpec(F32, (2,), donated=True)
    alias = ResultSpec(F32, (2,), aliases=0)
    with pytest.raises(ValueError, match="there are 2 results"):
        make(library, results=[(1,), (1,)], single=True)
    with pytest.raises(ValueError, match="cannot take the memory"):
        make(library, [(2,)], [alias])
    with pytest.raises(ValueError, match="cannot take the memory"):
        make(library, [donated], [ResultSpec(F32, (3,), aliases=0)])
    with pytest.raises(ValueError, match="absent or taken twice"):
        make(library, [donated], [alias, alias])
    with pytest.raises(ValueError, match="absent or taken twice"):
        make(library, [donated], [ResultSpec(F32, (2,), aliases=1)])
    with pytest.raises(ValueError, match="not a native number"):
        make(library, [ArgumentSpec(np.dtype(object), (2,))])
    with pytest.raises(ValueError, match="not a native number"):
        make(library, [ArgumentSpec(np.dtype(">f4"), (2,))])
    with pytest.raises(ValueError, match="negative size"):
        make(library, [(-1,)])
    with pytest.raises(ValueError, match="constant 0"):
        make(library, constants=[np.zeros((2, 3), F32).T])
    with pytest.raises(TypeError, match="not a slot"):
        slot_offset(type("C", (), {"x": 1}), "x")


# -- failures --------------------------------------------------------------------------------------------------


def test_failing_program_calls_fail() -> None:
    f = make(program("  ret i32 -7"), [ArgumentSpec(F32, (1,), donated=True), (1,)], [(1,), (2,)])
    a, b = wrap(np.zeros(1, F32)), arr(1)
    before = references([a, a._value, b, F32, Array])
    for _ in range(100):
        with pytest.raises(Failed, match="-7"):
            f(a, b)
    assert references([a, a._value, b, F32, Array]) == before


def test_program_that_raised_by_itself() -> None:
    body = "  %type = load ptr, ptr @PyExc_KeyError\n  call void @PyErr_SetString(ptr %type, ptr @text)\n  ret i32 1"
    library = program(
        body,
        "@PyExc_KeyError = external global ptr",
        '@text = private constant [3 x i8] c"me\\00"',
        "declare void @PyErr_SetString(ptr, ptr)",
    )
    with pytest.raises(KeyError, match="me"):
        make(library, results=[(1,)])()


def test_result_too_large_to_allocate() -> None:
    f = make(program(NOTHING), [(1,)], [(1,), (1 << 30, 1 << 20), (1,)])
    x = arr(1)
    before = references([x, x._value, F32, Array])
    for _ in range(100):
        with pytest.raises(MemoryError):
            f(x)
    assert references([x, x._value, F32, Array]) == before


def test_arena_too_large_to_allocate() -> None:
    huge = make(program(NOTHING), [(1,)], [(1,)], arena=1 << 60)
    f = make(program(NOTHING), [(1,)], [(1,)], arena=1 << 20)
    x = arr(1)
    before = references([x, x._value, F32, Array])
    for _ in range(10):
        with pytest.raises(MemoryError):
            huge(x)
        f(x)
    assert references([x, x._value, F32, Array]) == before


# -- the arena, threads ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [4, 64, 1000, STACK_ARENA_BYTES, STACK_ARENA_BYTES + 4, 1 << 20, 100_000])
def test_arena_is_aligned_and_whole(size: int) -> None:
    library = program(FILL.replace("WORDS", str(size // 4)))
    f = make(library, [ArgumentSpec(np.dtype(np.int32), ())], [()], arena=size)
    for value in range(3):
        f(np.array(value, np.int32))


@pytest.mark.parametrize("size", [1000, 1 << 20])
def test_python_threads_have_arenas_apart(size: int) -> None:
    library = program(FILL.replace("WORDS", str(size // 4)))
    f = make(library, [ArgumentSpec(np.dtype(np.int32), ())], [()], arena=size, release_gil=True)
    problems: list[BaseException] = []

    def work(value: int) -> None:
        try:
            for _ in range(30):
                f(np.array(value, np.int32))
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(value,)) for value in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    f(np.array(0, np.int32))


def test_arguments_are_held_while_the_gil_is_free() -> None:
    sleep = "  %1 = call i32 @usleep(i32 50000)\n  %x = load float, ptr %p0\n  store float %x, ptr %p1\n  ret i32 0"
    f = make(program(sleep, "declare i32 @usleep(i32)"), [(1 << 22,)], [(1,)], release_gil=True)
    x = wrap(np.full(1 << 22, 3, F32))
    gone = weakref.ref(x._value)
    threading.Timer(0.01, lambda: setattr(x, "_value", None)).start()
    assert f(x)._value[0] == 3
    assert gone() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*os.fork")  # what JAX says of any fork, once another test has imported it
def test_arena_in_a_forked_child() -> None:
    sleep = program("  %1 = call i32 @usleep(i32 200000)\n  ret i32 0", "declare i32 @usleep(i32)")
    slow = make(sleep, results=[()], arena=1 << 20, release_gil=True)
    fill = make(program(FILL.replace("WORDS", "500000")), [ArgumentSpec(np.dtype(np.int32), ())], [()], arena=2_000_000)
    thread = threading.Thread(target=slow)
    thread.start()  # has the shared arena during the fork
    child = os.fork()
    if child == 0:
        fill(np.array(1, np.int32))
        fill(np.array(2, np.int32))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    thread.join()


# -- references ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("release_gil", [False, True])
def test_calls_leave_no_references(release_gil: bool) -> None:
    specs = [(16,), ArgumentSpec(F32, (16,), donated=True)]
    results = [(16,), ResultSpec(F32, (16,), aliases=1), ()]
    f = make(adding(2), specs, results, [np.ones(3, F32)], arena=1 << 20, release_gil=release_gil)
    a, b = arr(16), wrap(np.zeros(16, F32))
    watched = [a, a._value, b, b._value, F32, Array, np.ndarray, miss, fail, f, f.__self__]
    before = references(watched)
    for _ in range(1000):
        f(a, b)
    assert references(watched) == before
    alone = sys.getrefcount(b._value)
    out = f(a, b)
    assert [sys.getrefcount(x._value) for x in out] == [2, alone + 1, 2]
    assert all(gc.is_tracked(x) for x in out)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the memory of the process from /proc")
def test_calls_leave_no_memory() -> None:
    f = make(program(NOTHING), [(256,)], [(256,), (2, 2)], arena=1 << 16)
    failing = make(program("  ret i32 1"), [(256,)], [(256,), (2, 2)])
    x = arr(256)

    def pages(count: int) -> int:
        for _ in range(count):
            f(x)
            with contextlib.suppress(Failed):
                failing(x)
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1])

    before = pages(1000)
    assert pages(20_000) - before < 500  # 20,000 lost results would be 20 MB, 5,000 pages


def test_entry_owns_its_parts_and_a_cycle_through_miss_is_collected() -> None:
    class Owner:
        def miss(self, *args: object) -> object:
            return args

    owner = Owner()
    library = program(NOTHING)
    owner.f = make(library, [(1,)], [(1,)], miss=owner.miss)  # pyright: ignore[reportAttributeAccessIssue]
    gone, code = weakref.ref(owner), weakref.ref(library)
    f = owner.f  # pyright: ignore[reportAttributeAccessIssue]
    del owner, library
    gc.collect()
    assert gone() is not None
    assert f(1, 2) == (1, 2)
    assert type(f(arr(1))) is Array
    del f
    gc.collect()
    assert gone() is None
    assert code() is None


def test_results_are_collected_in_cycles() -> None:
    class Node:
        pass

    f = make(program(NOTHING), results=[ResultSpec(F32, (1,))])
    out = f()
    gone = weakref.ref(out)
    node = Node()
    node.out = out  # pyright: ignore[reportAttributeAccessIssue]
    out._value = node
    del out, node
    gc.collect()
    assert gone() is None
