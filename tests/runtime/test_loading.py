"""Object code to addresses: errors of what is missing, names apart, memory that goes."""

import ctypes
import gc
from pathlib import Path

import pytest

from rosin.runtime import jit, loading

DOUBLE = """
define i64 @double(i64 %x) {
  %y = add i64 %x, %x
  ret i64 %y
}
"""


def call(address: int, *args: int) -> int:
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * len(args))(address)(*args)


def test_missing_names_are_errors_not_aborts() -> None:
    library = loading.load_object(jit.compile_object(DOUBLE))
    with pytest.raises(loading.LinkError, match="triple"):
        library.address("triple")
    text = """
declare i64 @rosin_no_such(i64)
define i64 @f(i64 %x) {
  %y = call i64 @rosin_no_such(i64 %x)
  ret i64 %y
}
"""
    with pytest.raises(loading.LinkError, match="undefined: rosin_no_such"):
        loading.load_object(jit.compile_object(text)).address("f")
    with pytest.raises(loading.LinkError, match="not object code"):
        loading.load_object(b"nonsense")


def test_symbols_of_the_process_and_added_ones() -> None:
    text = """
declare i64 @rosin_test_extern(i64)
declare i64 @labs(i64)
define i64 @f(i64 %x) {
  %y = call i64 @rosin_test_extern(i64 %x)
  %z = call i64 @labs(i64 %y)
  ret i64 %z
}
"""
    base = loading.load_object(jit.compile_object(DOUBLE))
    loading.add_symbol("rosin_test_extern", base.address("double"))
    assert call(loading.load_object(jit.compile_object(text)).address("f"), -4) == 8


def test_same_names_in_many_libraries() -> None:
    texts = [f"define i64 @f() {{\n  ret i64 {value}\n}}" for value in range(5)]
    libraries = [loading.load_object(jit.compile_object(text, optimize=0)) for text in texts]
    assert [call(library.address("f")) for library in libraries] == list(range(5))


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the memory of the process from /proc")
def test_dead_libraries_give_their_memory_back() -> None:
    data = jit.compile_object(DOUBLE)

    def pages(count: int) -> int:
        for _ in range(count):
            loading.load_object(data).address("double")
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1])

    before = pages(200)
    assert pages(600) - before < 600  # less than a page a library


def test_library_outlives_its_session() -> None:
    first = loading.load_object(jit.compile_object(DOUBLE))
    address = first.address("double")
    data = jit.compile_object("define i64 @g() {\n  ret i64 1\n}", optimize=0)
    for _ in range(130):
        loading.load_object(data).address("g")
    assert call(address, 4) == 8
    assert first.address("double") == address
