"""Threefry against known answers, and keys."""

from __future__ import annotations

import numpy as np
import pytest

from rosin.ir import dtypes
from rosin.ir.builder import Builder
from rosin.ir.interpret import evaluate
from rosin.ir.ops.random import RandomBits, RandomFoldIn, threefry
from rosin.ir.transform.batch import batch_graph
from rosin.ir.types import TensorType
from tests.samples import applied
from tests.samples.random import KEYS
from tests.samples.random import threefry as reference

# Counter, key and result of threefry2x32 with 20 rounds, from the kat_vectors of Random123 (D. E. Shaw Research).
KNOWN = [
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]
KEY = TensorType(dtypes.u32, (2,))


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_known_answers(counter: tuple[int, int], key: tuple[int, int], result: tuple[int, int]) -> None:
    def words(pair: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        return np.array([pair[0]], np.uint32), np.array([pair[1]], np.uint32)

    assert tuple(int(word[0]) for word in threefry(words(key), words(counter))) == result
    assert reference(key, counter) == result


def test_bits_are_words_of_the_first_block() -> None:
    key = np.zeros(2, np.uint32)
    assert RandomBits((1,), dtypes.u64).eval(key)[0].tolist() == [0x6B20015999BA4EFE]
    assert RandomBits((1,), dtypes.u32).eval(key)[0].tolist() == [0x6B200159 ^ 0x99BA4EFE]
    assert RandomFoldIn().eval(key, np.uint32(0))[0].tolist() == [0x6B200159, 0x99BA4EFE]


def test_split_folds_in_its_place() -> None:
    b = Builder()
    key = b.input(KEY)
    graph = b.graph([b.random_split(key, 4)])
    found = evaluate(graph, [KEYS[0, 1]])[0]
    assert found.tolist() == [RandomFoldIn().eval(KEYS[0, 1], np.uint32(i))[0].tolist() for i in range(4)]
    assert len({tuple(row) for row in found.tolist()}) == 4
    keys = KEYS.reshape(-1, 2)
    many = evaluate(batch_graph(graph, [True], len(keys)), [keys])[0]
    assert many.tolist() == [evaluate(graph, [one])[0].tolist() for one in keys]


def test_a_batch_of_keys_gives_each_the_bits_it_gives_alone() -> None:
    for dtype in (dtypes.u8, dtypes.u64):
        op = RandomBits((3, 2), dtype)
        keys = KEYS.reshape(-1, 2)
        (many,) = evaluate(batch_graph(applied(op, [KEY]), [True], len(keys)), [keys])
        assert many.tolist() == [op.eval(one)[0].tolist() for one in keys]


def test_bits_look_uniform() -> None:
    bits = RandomBits((1 << 16,), dtypes.u32).eval(np.array([0, 42], np.uint32))[0]
    share = np.unpackbits(bits.view(np.uint8)).mean()
    assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(bits.size * 32)
    counts = np.bincount(bits >> np.uint32(24), minlength=256)
    assert np.sum((counts - 256) ** 2 / 256) < 255 + 5 * np.sqrt(2 * 255)


@pytest.mark.peers
def test_bits_are_those_of_jax() -> None:
    import jax

    jax.config.update("jax_threefry_partitionable", True)
    jax.config.update("jax_enable_x64", True)
    key = jax.random.wrap_key_data(np.array([3, 1234567], np.uint32), impl="threefry2x32")
    raw = np.asarray(jax.random.key_data(key))
    for dtype in (dtypes.u8, dtypes.u16, dtypes.u32, dtypes.u64):
        expected = np.asarray(jax.random.bits(key, (5, 3), dtype.numpy))
        np.testing.assert_array_equal(RandomBits((5, 3), dtype).eval(raw)[0], expected)
    b = Builder()
    split = b.graph([b.random_split(b.input(KEY), 3)])
    np.testing.assert_array_equal(evaluate(split, [raw])[0], jax.random.key_data(jax.random.split(key, 3)))
    folded = jax.random.key_data(jax.random.fold_in(key, 77))
    np.testing.assert_array_equal(RandomFoldIn().eval(raw, np.uint32(77))[0], folded)
