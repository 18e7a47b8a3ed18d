"""Objects linked without LLVM do what they do when LLVM links them; what cannot be linked is an error."""

import ctypes
import sys
from collections.abc import Callable

import pytest

from rosin.runtime import elf, jit, loading

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not jit.host().triple.startswith("x86_64"), reason="objects of x86-64 under Linux"
)

EVERYTHING = """
@counter = global i64 40
@zeros = global [64 x i64] zeroinitializer, align 64
@table = internal constant [2 x ptr] [ptr @one, ptr @two]
@weak = weak global i64 1

declare i64 @labs(i64)
declare double @fmod(double, double)
declare i64 @other(i64)

define internal i64 @one(i64 %x) noinline {
  %y = call i64 @labs(i64 %x)
  ret i64 %y
}
define internal i64 @two(i64 %x) noinline {
  %y = call i64 @other(i64 %x)
  ret i64 %y
}
define i64 @everything(i64 %which, i64 %x) {
  %count = load i64, ptr @counter
  %more = add i64 %count, 1
  store i64 %more, ptr @counter
  %zero.at = getelementptr i64, ptr @zeros, i64 %which
  %zero = load i64, ptr %zero.at
  %f.at = getelementptr ptr, ptr @table, i64 %which
  %f = load ptr, ptr %f.at
  %y = call i64 %f(i64 %x)
  %float = sitofp i64 %y to double
  %rest = call double @fmod(double %float, double 7.5)
  %scaled = fmul double %rest, 2.0
  %whole = fptosi double %scaled to i64
  %w = load i64, ptr @weak
  %a = add i64 %whole, %more
  %b = add i64 %a, %zero
  %c = add i64 %b, %w
  ret i64 %c
}
"""
OTHER = """
@weak = global i64 1000
define i64 @other(i64 %x) {
  %y = mul i64 %x, 3
  ret i64 %y
}
"""


def library(find: Callable[[str], int]) -> Callable[[int, int], int]:
    address = loading.Library(find).address("everything")
    function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)(address)
    function.keep = find  # type: ignore[attr-defined]
    return function


@pytest.mark.parametrize("optimize", [0, 1, 3])
def test_as_llvm_links(optimize: int) -> None:
    objects = jit.compile_objects([EVERYTHING, OTHER], optimize=optimize)
    assert all(map(elf.is_x86, objects))
    calls = [(0, -5), (1, -5), (1, 9), (0, 100)]
    ours, theirs = library(loading._linked(objects)), library(loading._linked_by_llvm(objects))
    assert [ours(*call) for call in calls] == [theirs(*call) for call in calls]
    assert ours(0, -5) == 10 + 45 + 1000  # the state of a library is its own


def test_order_does_not_matter() -> None:
    objects = jit.compile_objects([OTHER, EVERYTHING])
    assert library(loading._linked(objects))(1, 2) == 12 + 41 + 1000


def test_addresses_are_aligned() -> None:
    image = elf.link(jit.compile_objects([EVERYTHING, OTHER]), lambda name: loading._in_process(name))
    assert image.addresses["zeros"] % 64 == 0
    assert image.addresses["counter"] % 8 == 0


def test_what_cannot_be_linked() -> None:
    data = jit.compile_object(EVERYTHING)
    assert set(elf.undefined(data)) == {"labs", "fmod", "other"}
    with pytest.raises(loading.LinkError, match="undefined: other"):
        loading.load_object(data)
    twice = jit.compile_object(OTHER)
    with pytest.raises(loading.LinkError, match="other is defined twice"):
        loading.load_object(data, twice, twice.replace(b"weak", b"keaw"))
    with pytest.raises(loading.LinkError, match="there is no 'missing'"):
        loading.load_object(data, twice).address("missing")
    thread_local = "@x = thread_local global i64 1\ndefine i64 @f() {\n  %x = load i64, ptr @x\n  ret i64 %x\n}"
    with pytest.raises(loading.LinkError, match="a relocation of kind"):
        loading.load_object(jit.compile_object(thread_local))
    far = "declare void @far()\n@near = external dso_local global i64\ndefine ptr @f() {\n  ret ptr @near\n}"
    with pytest.raises(elf.ImageError, match="too far away"):
        elf.link([jit.compile_object(far)], lambda name: 1 << 46)
