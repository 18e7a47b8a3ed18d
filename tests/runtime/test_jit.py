"""Text to object code to addresses: errors that say where, levels that agree, memory that goes."""

import ctypes
import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rosin.runtime import jit, loading

DOUBLE = """
define i64 @double(i64 %x) {
  %memory = alloca i64
  store i64 %x, ptr %memory
  %again = load i64, ptr %memory
  %y = add i64 %x, %again
  ret i64 %y
}
"""
WIDE = """
define void @wide(ptr %p) {
  %x = load <16 x float>, ptr %p, align 4
  %y = fadd <16 x float> %x, %x
  store <16 x float> %y, ptr %p, align 4
  ret void
}
"""


def call(address: int, *args: int) -> int:
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * len(args))(address)(*args)


def run(code: str, **environment: str) -> str:
    env = {**os.environ, **environment}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("optimize", [0, 1, 2, 3])
def test_compile_load_call(optimize: int) -> None:
    library = loading.load_object(jit.compile_object(DOUBLE, optimize=optimize))
    assert call(library.address("double"), 21) == 42


def test_levels_run_their_passes() -> None:
    assert "alloca" in jit.optimized(DOUBLE, optimize=0)
    assert "alloca" not in jit.optimized(DOUBLE, optimize=1)
    helper = "define internal i64 @h(i64 %x) alwaysinline {\n  ret i64 %x\n}\n"
    text = helper + "define i64 @f(i64 %x) {\n  %y = call i64 @h(i64 %x)\n  ret i64 %y\n}"
    for optimize in range(4):
        assert "call" not in jit.optimized(text, optimize=optimize)
    with pytest.raises(ValueError, match="optimize must be one of"):
        jit.compile_object(DOUBLE, optimize=4)


def test_compiled_bytes_are_deterministic() -> None:
    assert jit.compile_object(DOUBLE) == jit.compile_object(DOUBLE)


def test_code_is_as_wide_as_the_target_says() -> None:
    host = jit.host()
    code = jit.assembly(WIDE)
    assert host.vector_bytes in (16, 32, 64)
    assert ("%zmm" in code) == (host.vector_bytes == 64)
    assert ("%ymm" in code) == (host.vector_bytes == 32)
    assert host.l1d_bytes <= host.l2_bytes
    assert host.l1d_bytes >= 4096
    assert host.l3_bytes >= 4096


def test_environment_overrides_the_host() -> None:
    if not jit.host().triple.startswith("x86_64"):
        pytest.skip("names of x86 processors")
    code = "from rosin.runtime import jit; t = jit.host(); print(t.cpu, t.vector_bytes, t.key)"
    haswell = run(code, ROSIN_CPU="haswell").split()
    assert haswell[:2] == ["haswell", "32"]
    nehalem = run(code, ROSIN_CPU="nehalem").split()
    assert nehalem[:2] == ["nehalem", "16"]
    narrow = run(code, ROSIN_FEATURES="-avx512f").split()
    assert int(narrow[1]) <= 32
    assert len({haswell[2], nehalem[2], narrow[2], run(code).split()[2]}) >= 3


def test_key_is_the_same_in_another_process() -> None:
    assert run("from rosin.runtime import jit; print(jit.host().key)").strip() == jit.host().key


def test_import_does_not_import_llvmlite() -> None:
    assert run("import sys, rosin.runtime.jit; print('llvmlite' in sys.modules)").strip() == "False"


def test_parse_error_shows_the_line() -> None:
    with pytest.raises(jit.CompileError) as error:
        jit.compile_object("define i32 @f() {\n  %x = add i32 1, 2\n  ret i32 %nothing\n}")
    assert "%nothing" in str(error.value)
    assert "->     3 |   ret i32 %nothing" in str(error.value)
    assert "       2 |   %x = add i32 1, 2" in str(error.value)


def test_verifier_error_shows_the_line() -> None:
    head = "define i32 @f(i1 %c) {\n  br i1 %c, label %a, label %b\n"
    text = head + "a:\n  %x = add i32 1, 2\n  br label %b\nb:\n  ret i32 %x\n}"
    with pytest.raises(jit.CompileError) as error:
        jit.compile_object(text)
    assert "does not dominate" in str(error.value)
    assert "->     4 |   %x = add i32 1, 2" in str(error.value)
    assert "->     7 |   ret i32 %x" in str(error.value)


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
