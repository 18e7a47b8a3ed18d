"""LAPACK by address: NumPy's library is found, and what is said where there is none."""

from __future__ import annotations

import pytest

from rosin.ir.errors import UnsupportedError
from rosin.runtime import lapack


def test_the_library_is_found_and_its_integers_are_known() -> None:
    assert lapack.word() in ("i32", "i64")


def test_a_library_without_known_names_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lapack, "NAMES", (("no_such_{}", "i64"),))
    lapack._library.cache_clear()  # pyright: ignore[reportPrivateUsage]  # what was found before
    try:
        with pytest.raises(UnsupportedError, match="linear algebra needs LAPACK"):
            lapack.word()
    finally:
        lapack._library.cache_clear()  # pyright: ignore[reportPrivateUsage]


def test_a_function_that_the_library_lacks_is_an_error() -> None:
    with pytest.raises(UnsupportedError, match="needs dnothing of LAPACK"):
        lapack.install("declare void @lapack_dnothing(ptr)")
