"""LAPACK by address: NumPy's library is found, and what is said where there is none."""

from __future__ import annotations

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.ir.errors import UnsupportedError
from rosin.runtime import lapack


def test_the_library_is_found_and_its_integers_are_known() -> None:
    assert lapack.word() in ("i32", "i64")


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_of_the_library_are_as_many_afterwards(threads: int) -> None:
    """While threads of ours share a stack, the library uses none of its own."""
    library, *_ = lapack._library()
    found = [p for p in lapack.THREADS if hasattr(library, p.format("set"))]
    if not found:
        pytest.skip("the library does not tell how many threads it has")
    get, change = (getattr(library, found[0].format(verb)) for verb in ("get", "set"))
    before = get()
    change(threads)
    try:
        stack = np.random.default_rng(0).standard_normal((20, 40, 40))
        inverses = rosin.compile(rnp.linalg.inv)(rnp.asarray(stack))
        np.testing.assert_allclose(np.asarray(inverses), np.linalg.inv(stack), rtol=1e-8, atol=1e-8)
        assert get() == threads
    finally:
        change(before)


def test_a_library_without_known_names_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lapack, "NAMES", (("no_such_{}", "i64"),))
    lapack._library.cache_clear()
    try:
        with pytest.raises(UnsupportedError, match="linear algebra needs LAPACK"):
            lapack.word()
    finally:
        lapack._library.cache_clear()


def test_a_function_that_the_library_lacks_is_an_error() -> None:
    with pytest.raises(UnsupportedError, match="needs dnothing of LAPACK"):
        lapack.install("declare void @lapack_dnothing(ptr)")
