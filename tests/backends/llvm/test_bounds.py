"""Programs read nothing outside of their arguments: those lie between pages that cannot be read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
import ctypes, mmap
import numpy as np
import rosin
from rosin import numpy as rnp

PAGE = mmap.PAGESIZE
kept = []

def guarded(x, first):
    # The first byte is the first of a page, or the last byte the last of one, with no memory on that side.
    pages = -(-x.nbytes // PAGE)
    memory = mmap.mmap(-1, (pages + 2) * PAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for page in (0, pages + 1):
        assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(address + page * PAGE), PAGE, 0) == 0
    start = PAGE if first else (pages + 1) * PAGE - x.nbytes
    made = np.frombuffer(memory, np.uint8, x.nbytes, start).view(x.dtype).reshape(x.shape)
    made[...] = x
    kept.append(memory)
    return made

x = np.random.default_rng(0).standard_normal((5, 512))
arrays = {"x": x, "z": x[:, :255] + 1j * x[:, 257:]}
for case, (name, function) in CASES.items():
    expected = eval(function)
    for first in (False, True):
        print(case, flush=True)
        given = guarded(arrays[name], first)
        found = rosin.compile(lambda x: expected(rnp, x))(rnp.asarray(given))
        np.testing.assert_allclose(np.asarray(found), expected(np, given), atol=1e-12)
"""
CASES = {
    "concatenated halves": ("x", "lambda xp, x: xp.concat([x[..., ::2], xp.flip(x[..., 1::2], axis=-1)], axis=-1)"),
    "concatenated with constants": ("x", "lambda xp, x: xp.concat([xp.ones((9, 512)), x, xp.ones((2, 512))])"),
    "concatenated after others": ("x", "lambda xp, x: xp.concat([xp.ones((400, 512)), x])"),
    "strided": ("x", "lambda xp, x: x[::2, 1:511:3] + x[::-2, 511:1:-3]"),
    "padded": ("x", "lambda xp, x: xp.pad(x, [(2, 3), (1, 0)])"),
    "transformed": ("z", "lambda xp, z: xp.fft.fft(z)"),
    "transformed across": ("z", "lambda xp, z: xp.fft.ifft(z, axis=0)"),
    "transformed real": ("x", "lambda xp, x: xp.fft.rfft(x)"),
    "transformed odd": ("x", "lambda xp, x: xp.fft.rfft(x[:, :509])"),
    "transformed back": ("z", "lambda xp, z: xp.fft.irfft(z, 508)"),
    "transformed back odd": ("z", "lambda xp, z: xp.fft.irfft(z, 509)"),
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pages are protected by the C library of Linux")
def test_nothing_is_read_outside_of_arguments() -> None:
    program = PROGRAM.replace("CASES", repr(CASES))
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    begun = done.stdout.splitlines()
    assert done.returncode == 0, f"at {begun[-1:]}: {done.stderr}"
    assert begun == [case for case in CASES for _ in range(2)]
