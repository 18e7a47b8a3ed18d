"""Batches: their order, where it goes on after a stop, workers that fail or die, images changed at random."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rosin
from rosin import numpy as rnp
from rosin.stdlib import data
from rosin.stdlib.data.workers import free

ITEMS = data.Arrays({"x": np.arange(20.0).reshape(10, 2), "y": np.arange(10)})


def labels(loader: data.Loader) -> list[list[int]]:
    return [batch.data["y"][batch.mask].tolist() for batch in loader]


# -- order -------------------------------------------------------------------------------------------------------------


def test_batches_in_order() -> None:
    loader = data.Loader(ITEMS, 4)
    assert labels(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    *_, last = data.Loader(ITEMS, 4)
    assert last.data["y"].tolist() == [8, 9, 9, 9]
    assert last.mask.tolist() == [True, True, False, False]
    assert last.indices.tolist() == [8, 9]
    assert labels(data.Loader(ITEMS, 4, drop_last=True)) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    *_, last = data.Loader(ITEMS, 4, fill_last=False)
    assert last.data["x"].shape == (2, 2)
    assert len(data.Loader(ITEMS, 4)) == 3
    assert len(data.Loader(ITEMS, 4, drop_last=True)) == 2


def test_shuffling_is_by_seed_and_epoch() -> None:
    first, again = (data.Loader(ITEMS, 3, shuffle=True, seed=5) for _ in range(2))
    epochs = [labels(first) for _ in range(3)]
    assert [labels(again) for _ in range(3)] == epochs
    assert len({str(epoch) for epoch in epochs}) == 3
    for epoch in epochs:
        assert sorted(i for batch in epoch for i in batch) == list(range(10))
    assert labels(data.Loader(ITEMS, 3, shuffle=True, seed=6)) != epochs[0]


@pytest.mark.parametrize("stop", [0, 1, 3, 4, 6])
def test_it_goes_on_where_it_was(stop: int) -> None:
    whole = data.Loader(ITEMS, 3, shuffle=True, seed=1)
    wanted = [*labels(whole), *labels(whole)]
    loader, seen = data.Loader(ITEMS, 3, shuffle=True, seed=1), []
    state = loader.state()
    while len(seen) < stop:
        for batch in loader:
            seen.append(batch.data["y"][batch.mask].tolist())
            state = loader.state()
            if len(seen) == stop:
                break
    later = data.Loader(ITEMS, 3, shuffle=True, seed=1)
    later.restore(state)
    rest = []
    while len(seen) + len(rest) < len(wanted):
        rest += labels(later)
    assert seen + rest == wanted
    with pytest.raises(data.DataError, match="seed 1, and this loader has seed 2"):
        data.Loader(ITEMS, 3, seed=2).restore(state)


def test_batches_by_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 500)
    found = data.order.by_length(lengths, 10, seed=0, epoch=0)
    assert sorted(np.concatenate(found).tolist()) == list(range(500))
    spread = np.mean([np.ptp(lengths[batch]) for batch in found])
    assert spread < 10
    again = data.order.by_length(lengths, 10, seed=0, epoch=0)
    assert all(np.array_equal(a, b) for a, b in zip(found, again, strict=True))
    assert not np.array_equal(found[0], data.order.by_length(lengths, 10, seed=0, epoch=1)[0])


# -- data sets -------------------------------------------------------------------------------------------------------


def test_data_sets() -> None:
    assert len(ITEMS) == 10
    assert ITEMS[3]["y"] == 3
    assert isinstance(ITEMS, data.Dataset)
    doubled = data.Mapped(ITEMS, lambda item: item["y"] * 2)
    assert [doubled[i] for i in range(3)] == [0, 2, 4]
    both = data.Concatenated((data.Subset(ITEMS, [7, 2]), ITEMS))
    assert [both[i]["y"] for i in (0, 1, 2)] == [7, 2, 0]
    assert len(both) == 12
    train, test = data.split(ITEMS, 0.7, 0.3, seed=3)
    assert (len(train), len(test)) == (7, 3)
    assert sorted(part[i]["y"] for part in (train, test) for i in range(len(part))) == list(range(10))
    with pytest.raises(data.DataError, match="sum to at most 1"):
        data.split(ITEMS, 0.7, 0.7)
    with pytest.raises(data.DataError, match=r"arrays\['a'\] \(3,\), arrays\['b'\] \(4, 2\)"):
        data.Arrays({"a": np.zeros(3), "b": np.zeros((4, 2))})
    with pytest.raises(data.DataError, match="batches of 0"):
        data.Loader(ITEMS, 0)


def test_padding_to_few_sizes() -> None:
    items = [{"ids": np.arange(n), "label": n} for n in (3, 5, 2)]
    batch, lengths = data.Padded((4, 8, 16), value=-1)(items)
    assert batch["ids"].shape == (3, 8)
    assert batch["ids"][2].tolist() == [0, 1, *[-1] * 6]
    assert batch["label"].tolist() == [3, 5, 2]
    assert lengths.tolist() == [3, 5, 2]
    assert data.Padded()(items)[0]["ids"].shape == (3, 5)
    with pytest.raises(data.DataError, match="length 5 is longer than the largest size, 4"):
        data.Padded((4,))(items)
    with pytest.raises(data.DataError, match=r"shapes \(2,\), \(3,\), \(5,\) do not stack"):
        data.stack([item["ids"] for item in items])
    with pytest.raises(data.DataError, match="different trees"):
        data.stack([{"a": 1}, {"b": 1}])


# -- workers ---------------------------------------------------------------------------------------------------------


def test_workers_give_the_same_batches() -> None:
    one, two = (data.Loader(ITEMS, 3, shuffle=True, seed=2, workers=n) for n in (0, 2))
    for _ in range(2):
        for a, b in zip(one, two, strict=True):
            assert a.indices.tolist() == b.indices.tolist()
            np.testing.assert_array_equal(a.data["x"], b.data["x"])
            assert a.data["x"].dtype == b.data["x"].dtype
    loader = data.Loader(ITEMS, 3, workers=2)
    for batch in loader:
        assert batch.data["y"].tolist() == [0, 1, 2]
        break
    assert [batch.data["y"][0] for batch in loader] == [3, 6, 9]
    if Path("/dev/shm").is_dir():
        assert not [name for name in os.listdir("/dev/shm") if name.startswith(f"rosin-{os.getpid()}-")]


def test_what_workers_cannot_be_sent() -> None:
    doubled = data.Mapped(ITEMS, lambda item: item["y"] * 2)
    with pytest.raises(data.DataError, match="can be pickled, or context='fork'"):
        list(data.Loader(doubled, 3, workers=1))


@dataclass(frozen=True)
class Faulty:
    """Fails, or kills its process, at one item."""

    at: int
    dies: bool = False

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> Any:
        if index == self.at:
            if self.dies:
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError("the disk is on fire")
        return np.asarray(index)


def test_a_worker_that_fails() -> None:
    seen: list[Any] = []
    with pytest.raises(data.WorkerError, match=r"(?s)loading batch 2 failed.*__getitem__.*on fire\nwhile item 7 of"):
        seen.extend(batch.data.tolist() for batch in data.Loader(Faulty(7), 3, workers=2))
    assert seen == [[0, 1, 2], [3, 4, 5]]


def test_a_worker_that_dies() -> None:
    message = r"rosin-data-\d, which loads data, ended by signal SIGKILL, .*; it was loading batch 2 with the items "
    with pytest.raises(data.WorkerError, match=message + r"\[6, 7, 8\]$"):
        list(data.Loader(Faulty(7, dies=True), 3, workers=2))


def test_which_items_could_not_be_loaded() -> None:
    with pytest.raises(OSError, match="on fire") as caught:
        list(data.Loader(Faulty(7), 3))
    assert caught.value.__notes__ == ["while item 7 of the data set was loaded"]
    uneven = data.Mapped(Faulty(12), lambda index: np.zeros(int(index) // 4))
    with pytest.raises(data.DataError, match="do not stack") as unstacked:
        list(data.Loader(uneven, 3))
    assert unstacked.value.__notes__ == ["while the items [3, 4, 5] were made a batch"]


# -- images ----------------------------------------------------------------------------------------------------------

KEY = rosin.random.key(0)
IMAGES = rnp.reshape(rnp.arange(40 * 2 * 6 * 5, dtype="f32"), (40, 2, 6, 5))


def test_flips_and_crops() -> None:
    flipped = rosin.compile(data.images.random_flip)(KEY, IMAGES)
    turned = [bool(rnp.all(a == b[..., ::-1])) for a, b in zip(flipped, IMAGES, strict=True)]
    same = [bool(rnp.all(a == b)) for a, b in zip(flipped, IMAGES, strict=True)]
    assert all(a != b for a, b in zip(turned, same, strict=True))
    assert 8 < sum(turned) < 32
    crops = np.asarray(rosin.compile(lambda key, x: data.images.random_crop(key, x, (4, 3)))(KEY, IMAGES))
    places = set()
    for crop, image in zip(crops, np.asarray(IMAGES), strict=True):
        fits = [(i, j) for i in range(3) for j in range(3) if np.array_equal(image[:, i : i + 4, j : j + 3], crop)]
        assert len(fits) == 1
        places.add(fits[0])
    assert len(places) == 9
    assert data.images.random_crop(KEY, IMAGES, (6, 5), padding=2).shape == IMAGES.shape
    with pytest.raises(data.DataError, match=r"images of \(6, 5\), padding included, have no part of \(7, 5\)"):
        data.images.random_crop(KEY, IMAGES, (7, 5))


def test_parts_erased_and_examples_mixed() -> None:
    erased = np.asarray(data.images.random_erase(KEY, IMAGES + 1, (3, 3)))
    counts = (erased == 0).sum(axis=(1, 2, 3))
    assert counts.max() == 18
    assert counts.min() >= 8
    mixed, targets = data.images.mixup(KEY, IMAGES, rosin.nn.one_hot(rnp.arange(40) % 4, 4))
    np.testing.assert_allclose(rnp.sum(targets, axis=1), np.ones(40), rtol=1e-5)
    assert mixed.shape == IMAGES.shape
    normal = data.images.normalize(IMAGES, [1.0, 2.0], [0.5, 2.0])
    np.testing.assert_allclose(normal[:, 1], (IMAGES[:, 1] - 2) / 2, rtol=1e-6)


def test_padded_batches_go_on_in_the_middle_of_an_epoch() -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 37)
    items = data.Mapped(data.Arrays(np.arange(37)), lambda i: {"x": np.full(lengths[i], i), "y": i})

    def made() -> data.Loader:
        collate = data.Padded((16, 32, 64))
        return data.Loader(
            items, 5, collate=collate, batches=lambda epoch: data.order.by_length(lengths, 5, seed=1, epoch=epoch)
        )

    whole = [batch.data for batch in made()]
    assert {batch["x"].shape for batch, _ in whole} == {(5, 16), (5, 32), (5, 64)}
    loader = made()
    for _ in loader:
        if loader.state()["done"] == 3:
            break
    later = made()
    later.restore(loader.state())
    for (batch, sizes), (wanted, told) in zip((b.data for b in later), whole[3:], strict=True):
        np.testing.assert_array_equal(batch["x"], wanted["x"])
        np.testing.assert_array_equal(sizes, told)


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="looks for shared memory among files")
def test_memory_that_never_got_a_size_is_freed() -> None:
    # As a worker leaves it that is stopped between the two calls that make it.
    name = f"rosin-{os.getpid()}-empty"
    Path("/dev/shm", name).touch()
    free(name)
    assert not Path("/dev/shm", name).exists()
    free(name)
