"""A person's own pictures as a training set."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sculptor_app.training.folder import FolderSet, TooFewPictures, read_square


def fill(folder: Path, count: int = 16) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        Image.new("RGB", (20 + i, 30), (i * 10, 0, 0)).save(folder / f"{i:02d}.png")


def test_any_size_and_aspect_become_squares_in_order(tmp_path: Path):
    fill(tmp_path / "inside")
    pictures = FolderSet(tmp_path, 8)
    assert len(pictures) == 16
    array, forms, materials = pictures.take(np.array([3, 0]))
    assert array.shape == (2, 8, 8, 3)
    assert (array[0] == (30, 0, 0)).all()
    assert forms.tolist() == materials.tolist() == [0, 0]


def test_what_cannot_be_read_is_named_and_skipped(tmp_path: Path):
    fill(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no picture")
    said: list[str] = []
    assert len(FolderSet(tmp_path, 8, said.append)) == 16
    assert [any(name in line for line in said) for name in ("broken.png", "empty.jpg", "notes.txt")] == [
        True,
        True,
        False,
    ]


def test_a_cut_off_picture_is_skipped(tmp_path: Path):
    fill(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "cut.png")
    whole = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    said: list[str] = []
    assert len(FolderSet(tmp_path, 8, said.append)) == 16
    assert len(said) == 1


def test_fewer_than_sixteen_are_refused(tmp_path: Path):
    fill(tmp_path, 15)
    with pytest.raises(TooFewPictures, match=r"15 pictures.*16 or more"):
        FolderSet(tmp_path, 8)


def test_no_folder_is_refused(tmp_path: Path):
    with pytest.raises(NotADirectoryError, match="no folder"):
        FolderSet(tmp_path / "nowhere", 8)


def test_the_middle_of_a_wide_picture_is_kept(tmp_path: Path):
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 200
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert (read_square(tmp_path / "wide.png", 10) == 200).mean() > 0.75


def test_transparent_parts_become_white(tmp_path: Path):
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (read_square(tmp_path / "clear.png", 4) == 255).all()


def test_a_picture_that_lies_on_its_side_is_turned_upright(tmp_path: Path):
    picture = Image.new("RGB", (8, 8), "black")
    picture.paste("white", (0, 0, 4, 8))  # white on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the left becomes the top
    picture.save(tmp_path / "side.png", exif=exif)
    square = read_square(tmp_path / "side.png", 8)
    assert square[:3].mean() > 250
    assert square[5:].mean() < 5


def test_a_resumed_run_notices_other_pictures(tmp_path: Path):
    fill(tmp_path)
    before = FolderSet(tmp_path, 8).shard_names
    FolderSet(tmp_path, 8).refresh(only=before)
    fill(tmp_path, 17)
    with pytest.raises(ValueError, match="changed"):
        FolderSet(tmp_path, 8).refresh(only=before)
