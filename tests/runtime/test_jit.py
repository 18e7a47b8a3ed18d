"""Text to object code: errors that say where, levels that agree."""

import ctypes
import os
import subprocess
import sys

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


@pytest.mark.skipif(jit.host().vector_bytes < 32, reason="the processor has no AVX2")
def test_bfloat16_without_instructions_for_it() -> None:
    """Numbers that LLVM carries from block to block as floats come back as they were."""
    code = """
import numpy as np, rosin
from rosin import numpy as rnp
x, w, b = (rnp.asarray(np.arange(n).reshape(shape) % 5 - 2, dtype="bfloat16") for n, shape in
           ((350, (50, 7)), (14, (7, 2)), (2, (2,))))
found = rosin.compile(lambda x, w, b: x @ w + b)(x, w, b)
x, w, b = (np.asarray(a, np.float32) for a in (x, w, b))
assert (np.asarray(found, np.float32) == x @ w + b).all()
print("right")
"""
    assert run(code, ROSIN_CPU="haswell").strip() == "right"


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
