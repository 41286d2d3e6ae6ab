"""Any picture file as a small square: known colours in, known colours out, whatever the file is like inside."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sculptor_app.core.pictures import formats
from sculptor_app.training.data.picture_folder import Unreadable, read_square

ORANGE = (200, 120, 40)


@pytest.mark.parametrize(
    ("mode", "suffix", "close"),
    [("RGB", "png", 0), ("RGB", "jpg", 3), ("RGB", "webp", 6), ("RGB", "bmp", 0), ("RGB", "tif", 0), ("RGBA", "png", 0),
     ("CMYK", "jpg", 4), ("CMYK", "tif", 1), ("P", "png", 1), ("P", "gif", 1), ("YCbCr", "jpg", 3), ("LAB", "tif", 4),
     ("RGB", "ppm", 0), ("RGB", "tga", 0), ("RGB", "avif", 8), ("RGB", "ico", 0)],
)  # fmt: skip
def test_the_colour_is_the_same_in_every_kind_of_file(tmp_path: Path, mode: str, suffix: str, close: int):
    picture = Image.new("RGB", (48, 48), ORANGE)
    if mode == "LAB":
        from PIL import ImageCms

        rgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB", 6500)
        picture = ImageCms.applyTransform(picture, ImageCms.buildTransform(rgb, lab, "RGB", "LAB"))
    elif mode == "P":
        picture = picture.quantize(4)
    else:
        picture = picture.convert(mode)
    path = tmp_path / f"x.{suffix}"
    picture.save(path)
    assert np.abs(read_square(path, 8).astype(int) - ORANGE).max() <= close


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_keep_their_greys(tmp_path: Path, suffix: str):
    """Pillow alone clips everything above 255 of 65535 to white."""
    ramp = np.tile(np.linspace(0, 65535, 8).astype(np.uint16), (8, 1))
    Image.fromarray(ramp).save(tmp_path / f"x.{suffix}")
    found = read_square(tmp_path / f"x.{suffix}", 8)
    assert np.abs(found[..., 0].astype(int) - np.linspace(0, 255, 8).round()).max() <= 1
    assert (found[..., 0] == found[..., 2]).all()


@pytest.mark.parametrize(
    ("values", "wanted"),
    [(np.float32([0, 0.5, 1]), [0, 128, 255]), (np.float32([0, 128, 255]), [0, 128, 255]),
     (np.int32([0, 32768, 65535]), [0, 128, 255]), (np.int32([0, 1, 255]), [0, 1, 255]),
     (np.int32([0, 500_000, 1_000_000]), [0, 128, 255])],
)  # fmt: skip
def test_deeper_greys_are_scaled_as_their_values_suggest(tmp_path: Path, values: np.ndarray, wanted: list[int]):
    Image.fromarray(np.tile(values.repeat(3), (9, 1))).save(tmp_path / "x.tif")
    assert np.abs(read_square(tmp_path / "x.tif", 9)[4, 1::3, 0].astype(int) - wanted).max() <= 1


def test_values_that_are_no_numbers_are_refused(tmp_path: Path):
    Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(Unreadable, match="NaN or infinity"):
        read_square(tmp_path / "x.tif", 4)


def test_the_middle_of_a_wide_picture_is_kept(tmp_path: Path):
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 200
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert (read_square(tmp_path / "wide.png", 10) == 200).all()
    Image.fromarray(wide.transpose(1, 0, 2)).save(tmp_path / "tall.png")
    assert (read_square(tmp_path / "tall.png", 10) == 200).all()


def test_transparent_parts_become_white(tmp_path: Path):
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (read_square(tmp_path / "clear.png", 4) == 255).all()
    Image.new("LA", (8, 8), (0, 128)).save(tmp_path / "half.png")
    assert np.abs(read_square(tmp_path / "half.png", 4).astype(int) - 127).max() <= 1
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.save(tmp_path / "palette.png", transparency=1)
    assert (read_square(tmp_path / "palette.png", 4) == 255).all()


def test_an_animation_gives_its_first_frame(tmp_path: Path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    for suffix in ("gif", "webp", "png"):
        options = {"lossless": True} if suffix == "webp" else {}
        frames[0].save(tmp_path / f"x.{suffix}", save_all=True, append_images=frames[1:], **options)
        assert (read_square(tmp_path / f"x.{suffix}", 4) == (255, 0, 0)).all(), suffix


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("shape", [(8, 8), (8, 14), (15, 8)])
def test_a_picture_that_lies_on_its_side_is_turned_upright(tmp_path: Path, orientation: int, shape: tuple[int, int]):
    """As Pillow's own turning of the whole picture does it."""
    from PIL import ImageOps

    array = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(array).save(tmp_path / "side.png", exif=exif)
    with Image.open(tmp_path / "side.png") as picture:
        ImageOps.exif_transpose(picture).save(tmp_path / "upright.png")
    turned, upright = (read_square(tmp_path / name, 8).astype(int) for name in ("side.png", "upright.png"))
    assert np.abs(turned - upright).max() <= 2


NO_TIFF = b"Exif\0\0XX*\0\0\0\0\0"
CUT_OFF = b"Exif\0\0II*\0\x08\0\0\0\xff\xff"
A_WORD = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x04\0\0\0abc\0\0\0\0\0"  # where a number should be


@pytest.mark.parametrize("notes", [NO_TIFF, CUT_OFF, A_WORD])
def test_damaged_notes_beside_a_whole_picture_do_no_harm(tmp_path: Path, notes: bytes):
    Image.new("RGB", (8, 8), ORANGE).save(tmp_path / "x.jpg", exif=notes)
    assert np.abs(read_square(tmp_path / "x.jpg", 4).astype(int) - ORANGE).max() <= 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (2, 3)])
def test_pictures_of_hardly_any_pixels_become_squares(tmp_path: Path, shape: tuple[int, int]):
    Image.new("RGB", shape, ORANGE).save(tmp_path / "x.png")
    assert (read_square(tmp_path / "x.png", 16) == ORANGE).all()


def test_a_large_photograph_is_decoded_small_and_looks_the_same(tmp_path: Path):
    """Fields of six pixels, of which four become one: decoded half as large they still differ by little."""
    fields = np.random.default_rng(0).integers(0, 256, (100, 150, 3), dtype=np.uint8)
    photograph = Image.fromarray(fields.repeat(6, axis=0).repeat(6, axis=1))
    photograph.save(tmp_path / "x.jpg", quality=95)
    photograph.save(tmp_path / "x.png")
    found, wanted = (read_square(tmp_path / name, 64).astype(int) for name in ("x.jpg", "x.png"))
    assert np.abs(found - wanted).mean() < 4  # 2.2; decoded an eighth as large 13.7


def test_a_picture_too_large_to_unpack_is_refused_by_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    Image.new("RGB", (60, 50)).save(tmp_path / "x.png")
    monkeypatch.setattr(formats, "MOST_DECODED_BYTES", 4 * 2999)
    with pytest.raises(Unreadable, match="it has 3,000 pixels, and 2,999 are the most of its kind that are opened"):
        read_square(tmp_path / "x.png", 8)
    monkeypatch.setattr(formats, "MOST_DECODED_BYTES", 4 * 3000)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # Pillow would refuse this one
    assert read_square(tmp_path / "x.png", 8).shape == (8, 8, 3)


@given(st.binary(max_size=200), st.sampled_from(["png", "jpg", "gif", "webp", "tif", "bmp", "tga", "psd"]))
def test_no_file_ends_the_run(tmp_path_factory: pytest.TempPathFactory, content: bytes, suffix: str):
    path = tmp_path_factory.mktemp("any") / f"x.{suffix}"
    path.write_bytes(content)
    with contextlib.suppress(Unreadable):
        assert read_square(path, 4).shape == (4, 4, 3)


@given(st.integers(0, 3000), st.binary(min_size=1, max_size=8), st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "TIFF"]))
def test_no_damage_to_a_picture_ends_the_run(
    tmp_path_factory: pytest.TempPathFactory, place: int, damage: bytes, kind: str
):
    path = tmp_path_factory.mktemp("damaged") / "x.png"
    array = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(array).save(path, format=kind)
    whole = path.read_bytes()
    place %= len(whole)
    path.write_bytes(whole[:place] + damage + whole[place + len(damage) :])
    with contextlib.suppress(Unreadable):
        assert read_square(path, 4).shape == (4, 4, 3)
