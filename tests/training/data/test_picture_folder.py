"""A person's own folder of pictures as a training set: what is taken, and what is named and skipped."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sculptor_app.training.data.picture_folder import SUFFIXES, FolderSet
from sculptor_app.training.errors import BadInput, SettingsChanged, TooFewPictures, TooManyPictures
from sculptor_app.training.machine import available_memory, refuse_too_many
from tests.training.tiny import fill


def read(folder: Path, size: int = 8) -> tuple[FolderSet, list[str]]:
    said: list[str] = []
    return FolderSet(folder, size, said.append), said


def test_any_size_and_aspect_become_squares_in_order(tmp_path: Path):
    fill(tmp_path / "inside")
    pictures, said = read(tmp_path)
    assert len(pictures) == 16
    assert said == []
    array, forms, materials = pictures.take(np.array([3, 0]))
    assert array.shape == (2, 8, 8, 3)
    assert (array[0] == (30, 0, 0)).all()
    assert forms.tolist() == materials.tolist() == [0, 0]
    assert pictures.provenance() == {"render_seeds": [], "pictures": 16}


def test_what_cannot_be_read_is_named_with_the_reason_and_counted(tmp_path: Path):
    fill(tmp_path)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "cut.png")
    whole = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "letter.JPG").write_text("Dear reader, this is no picture.")
    (tmp_path / "notes.txt").write_text("no picture, and not called one")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "round.png").symlink_to(tmp_path / "round.png")
    (tmp_path / "album.png").mkdir()
    pictures, said = read(tmp_path)
    assert len(pictures) == 16
    reasons = dict(sentence.split(" is skipped: ") for sentence in said[:-1])
    assert {Path(path).name: reason for path, reason in reasons.items()} == {
        "broken.png": "it is broken or truncated.",
        "cut.png": "it is broken or truncated.",
        "empty.jpg": "it is empty.",
        "letter.JPG": "it is no picture but a text.",
        "pipe.png": "it is no file.",
        "gone.png": "it is a link to nowhere.",
        "round.png": "Too many levels of symbolic links.",
    }
    assert said[-1] == f"7 skipped, 16 pictures of {tmp_path} are learned."


def test_links_are_followed_and_a_loop_of_them_is_walked_once(tmp_path: Path):
    fill(tmp_path / "album")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "link").symlink_to(tmp_path / "album")
    (mine / "again").symlink_to(tmp_path / "album")
    (tmp_path / "album" / "back").symlink_to(mine)
    pictures, said = read(mine)
    assert len(pictures) == 16
    assert said == []


@contextmanager
def as_nobody() -> Iterator[None]:
    """A while without an administrator's rights, for which every file is open; other people have none anyway."""
    if os.getuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may look into, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    (folder / "locked").chmod(0o700)
    shutil.rmtree(folder)


def test_what_may_not_be_read_is_named(open_folder: Path):
    fill(open_folder)
    fill(open_folder / "locked", 1).chmod(0)
    (open_folder / "00.png").rename(open_folder / "secret.png")
    (open_folder / "secret.png").chmod(0)
    fill(open_folder, 1)
    with as_nobody():
        pictures, said = read(open_folder)
    assert len(pictures) == 16
    assert said == [
        f"{open_folder / 'locked'} is skipped: the folder cannot be looked into (Permission denied).",
        f"{open_folder / 'secret.png'} is skipped: it may not be read.",
        f"2 skipped, 16 pictures of {open_folder} are learned.",
    ]


def test_a_name_that_is_no_text_is_named_all_the_same(tmp_path: Path):
    fill(tmp_path)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.png")).write_bytes(b"no")
    _, said = read(tmp_path)
    said[0].encode()
    assert said[0].startswith(f"{tmp_path}/\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}.png is skipped: ")


def test_pictures_of_phones_that_pillow_cannot_read_are_named(tmp_path: Path):
    fill(tmp_path)
    (tmp_path / "IMG_0001.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    _, said = read(tmp_path)
    assert "IMG_0001.HEIC is skipped: it is a HEIC picture, and that is not read here." in said[0]


def test_that_greys_were_scaled_is_said_once(tmp_path: Path):
    fill(tmp_path)
    for name in ("a.png", "b.png"):
        Image.fromarray(np.full((8, 8), 2048, np.uint16)).save(tmp_path / name)
    pictures, said = read(tmp_path)
    assert said == ["The greys of 2 pictures are scaled to their own range."]
    assert (pictures.take(np.array([16]))[0] == 128).all()


def test_every_suffix_is_written_as_it_is_looked_for():
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in SUFFIXES)


def test_fewer_than_sixteen_are_refused(tmp_path: Path):
    fill(tmp_path, 15)
    with pytest.raises(TooFewPictures, match=r"holds 15 pictures that can be read; learning takes 16 or more"):
        read(tmp_path)


def test_those_that_cannot_be_read_do_not_count(tmp_path: Path):
    fill(tmp_path, 15)
    (tmp_path / "x.png").write_bytes(b"no")
    with pytest.raises(TooFewPictures, match="holds 15 pictures"):
        read(tmp_path)


def test_no_folder_is_refused(tmp_path: Path):
    with pytest.raises(BadInput, match="no folder"):
        read(tmp_path / "nowhere")


def test_a_resumed_run_notices_other_pictures(tmp_path: Path):
    fill(tmp_path)
    before = read(tmp_path)[0].shard_names
    read(tmp_path)[0].refresh(only=before)
    fill(tmp_path, 17)
    with pytest.raises(SettingsChanged, match="changed since this run began"):
        read(tmp_path)[0].refresh(only=before)


def test_pictures_that_do_not_fit_into_memory_are_refused_before_they_are_read():
    refuse_too_many(50_000, 64, available=4 * 2**30)
    with pytest.raises(
        TooManyPictures, match=r"50,000 pictures of 512 pixels take 39.3 GB of memory, and 34.4 GB are free\."
    ):
        refuse_too_many(50_000, 512, available=32 * 2**30)


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="Linux alone tells")
def test_the_system_tells_how_much_memory_there_is():
    assert 2**20 < (available_memory() or 0) < 2**50


def test_reading_tells_how_far_it_is(tmp_path: Path):
    fill(tmp_path)
    seen: list[tuple[int, int]] = []
    FolderSet(tmp_path, 8, progress=lambda done, of: seen.append((done, of)))
    assert seen == [(done, 16) for done in range(1, 17)]
