"""Pictures of files by what is in them: JPEG beside Pillow, which reads it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rosin.stdlib import data
from rosin.stdlib.data import images, readers

ROWS, COLUMNS = np.mgrid[:40, :56]
PICTURE = np.stack([ROWS * 6, COLUMNS * 4, 255 - ROWS * 2 - COLUMNS * 2]).astype(np.uint8)


def _save(path: Path, pixels: np.ndarray[Any, Any], **options: Any) -> Path:
    from PIL import Image

    Image.fromarray(np.moveaxis(pixels, 0, -1) if len(pixels) == 3 else pixels[0]).save(path, "JPEG", **options)
    return path


def test_what_is_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images.save_png(tmp_path / "a.jpg", PICTURE)
    np.testing.assert_array_equal(images.load(tmp_path / "a.jpg"), PICTURE)
    with pytest.raises(data.DataError, match="picture: is neither a PNG nor a JPEG file; it begins with b'GIF89a'"):
        images.decode(b"GIF89a")
    (tmp_path / "b.jpg").write_bytes(b"\xff\xd8\xff\xe0 and so on")
    monkeypatch.setitem(sys.modules, "PIL", None)
    message = r'b\.jpg: JPEG files are read by Pillow, which is not installed; pip install "rosin\[images\]"'
    with pytest.raises(data.DataError, match=message):
        images.load(tmp_path / "b.jpg")


@pytest.mark.peers
@pytest.mark.parametrize("progressive", [False, True])
def test_pictures_of_cameras(progressive: bool, tmp_path: Path) -> None:
    from PIL import Image

    file = _save(tmp_path / "a.jpg", PICTURE, quality=95, progressive=progressive)
    found = images.load(file)
    assert (found.dtype, found.shape, found.flags.c_contiguous) == (np.uint8, (3, 40, 56), True)
    np.testing.assert_array_equal(np.moveaxis(found, 0, -1), np.asarray(Image.open(file)))
    assert np.abs(found.astype(int) - PICTURE).mean() < 2
    grey = images.load(_save(tmp_path / "b.jpg", PICTURE[:1], quality=95, progressive=progressive))
    assert grey.shape == (1, 40, 56)
    assert np.abs(grey.astype(int) - PICTURE[:1]).mean() < 2


@pytest.mark.peers
def test_a_camera_that_was_held_upright(tmp_path: Path) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # The first row is what was on the right.
    found = images.load(_save(tmp_path / "a.jpg", PICTURE, quality=95, exif=exif))
    assert np.abs(found.astype(int) - np.rot90(PICTURE, -1, (1, 2))).mean() < 2


@pytest.mark.peers
def test_damaged_pictures(tmp_path: Path) -> None:
    content = _save(tmp_path / "a.jpg", PICTURE).read_bytes()
    for length in (3, 20, len(content) // 2, len(content) - 40):
        with pytest.raises(data.DataError, match=r"picture: the JPEG file cannot be read \(.+\)"):
            images.decode(content[:length])


@pytest.mark.peers
def test_folders_of_pictures(tmp_path: Path) -> None:
    for name in ("plums", "apples"):
        (tmp_path / name).mkdir()
        images.save_png(tmp_path / name / "a.png", PICTURE)
        _save(tmp_path / name / "b.JPG", PICTURE)
    found = readers.read_folder(tmp_path)
    assert [item["x"].shape for item in map(found.__getitem__, range(4))] == [(3, 40, 56)] * 4
    assert found.classes == ("apples", "plums")
