"""Greys of more than eight bits: known values in, known greys out, and a note wherever their range was scaled."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from sculptor_app.core.errors import PictureError
from sculptor_app.core.pictures.file import OpenedPicture, open_picture
from tests.core.pictures.samples import encoded, fits

NOTE = "its greys are scaled to their own range: {0} is black, {1} is white"


def opened(folder: Path, content: bytes) -> OpenedPicture:
    (folder / "x.tif").write_bytes(content)
    return open_picture(folder / "x.tif")


def row(*values: float, kind: type = np.uint16) -> np.ndarray:
    """Two rows of the same values."""
    return np.array([values, values], kind)


def tiff(values: np.ndarray) -> bytes:
    return encoded(Image.fromarray(values), "TIFF")


def big_endian_tiff(values: np.ndarray) -> bytes:
    """The same by hand, in the other order of bytes."""
    picture = Image.frombytes("I;16B", values.shape[::-1], values.astype(">u2").tobytes())
    return encoded(picture, "TIFF")


@pytest.mark.parametrize("made", [tiff, big_endian_tiff, lambda values: encoded(Image.fromarray(values), "PNG")])
@pytest.mark.parametrize(
    ("values", "wanted", "white"),
    [
        ((0, 2048, 4095), (0, 127.5, 255), 4095),  # 12 bits
        ((0, 512, 1023), (0, 127.6, 255), 1023),  # 10 bits
        ((0, 100, 3000), (0, 6.2, 186.8), 4095),  # 12 bits, of which the highest is not used
        ((0, 4, 7000), (0, 0.1, 217.9), 8191),  # 13 bits
        ((0, 8192, 16383), (0, 127.5, 255), 16383),  # 14 bits, just narrow
        ((0, 8192, 16384), (0, 31.9, 63.8), None),
        ((0, 30000, 65535), (0, 116.7, 255), None),
        ((0, 100, 200), (0, 100, 200), 255),  # 8 bits in 16
        ((0, 0, 1), (0, 0, 255), 1),  # a mask
        ((0, 0, 0), (0, 0, 0), None),
    ],
)
def test_sixteen_bits(tmp_path: Path, made, values: tuple[int, ...], wanted: tuple[float, ...], white: int | None):
    picture = opened(tmp_path, made(row(*values)))
    np.testing.assert_allclose((picture.frame[0, 0] + 1) * 127.5, wanted, atol=0.1)
    assert picture.notes == ((NOTE.format(0, white),) if white else ())


def deep_colors(*values: int) -> bytes:
    """A PNG of two rows of grey pixels, each value in all channels of sixteen bits."""
    rows = b"".join(b"\0" + np.repeat(np.array(values, ">u2"), 3).tobytes() for _ in range(2))
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", len(values), 2, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in parts
    )


@pytest.mark.parametrize(
    ("values", "wanted", "note"),
    [
        (
            (0, 2048, 4095),
            (0, 136, 255),
            ("its colours are scaled to their own range, of 16 steps: 0 is black, 4095 is white",),
        ),
        (
            (0, 8192, 16383),
            (0, 130, 255),
            ("its colours are scaled to their own range, of 64 steps: 0 is black, 16383 is white",),
        ),
        ((0, 8192, 16640), (0, 32, 65), ("of the 16 bits of its colours the upper 8 are used",)),
        ((0, 30000, 65535), (0, 117, 255), ("of the 16 bits of its colours the upper 8 are used",)),
        ((0, 0, 0), (0, 0, 0), ("of the 16 bits of its colours the upper 8 are used",)),
    ],
)
def test_colours_of_sixteen_bits(
    tmp_path: Path, values: tuple[int, ...], wanted: tuple[int, ...], note: tuple[str, ...]
):
    picture = opened(tmp_path, deep_colors(*values))
    np.testing.assert_allclose((picture.frame[1, 0] + 1) * 127.5, wanted, atol=0.1)
    assert picture.notes == note


@pytest.mark.parametrize(
    ("values", "wanted", "ends"),
    [
        (row(0, 0.5, 1, kind=np.float32), (0, 127.5, 255), None),
        (row(0.2, 0.3, 0.4, kind=np.float32), (51, 76.5, 102), None),
        (row(0, 0.01, 0.02, kind=np.float32), (0, 127.5, 255), (0, 0.02)),
        (row(0, 1, 2, kind=np.float32), (0, 127.5, 255), (0, 2)),
        (row(-3, 0, 3, kind=np.float32), (0, 127.5, 255), (-3, 3)),
        (row(100, 150, 200, kind=np.float32), (0, 127.5, 255), (100, 200)),
        (row(0, 5e5, 1e6, kind=np.int32), (0, 127.5, 255), (0, "1,000,000")),
        (row(-100, 0, 100, kind=np.int32), (0, 127.5, 255), (-100, 100)),
        (row(0, 2048, 4095, kind=np.int32), (0, 127.5, 255), (0, 4095)),
        (row(0, 30000, 65535, kind=np.int32), (0, 116.7, 255), None),
        (row(0, 100, 200, kind=np.int32), (0, 100, 200), None),
    ],
)
def test_thirty_two_bits(tmp_path: Path, values: np.ndarray, wanted: tuple[float, ...], ends: tuple | None):
    picture = opened(tmp_path, tiff(values))
    np.testing.assert_allclose((picture.frame[0, 0] + 1) * 127.5, wanted, atol=0.1)
    assert picture.notes == ((NOTE.format(*ends),) if ends else ())


def test_unsigned_numbers_of_thirty_two_bits(tmp_path: Path):
    """Pillow reads them as signed: what is above two milliards became black."""
    picture = Image.frombytes("I", (3, 1), np.array([0, 2**31, 2**32 - 2], np.uint32).tobytes())
    signed, unsigned = (struct.pack("<HHIHH", 339, 3, 1, kind, 0) for kind in (2, 1))
    content = encoded(picture.resize((3, 2)), "TIFF")
    assert signed in content
    found = opened(tmp_path, content.replace(signed, unsigned))
    np.testing.assert_allclose((found.frame[0, 0] + 1) * 127.5, (0, 127.5, 255), atol=0.2)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.float32, np.float64])
@pytest.mark.parametrize("values", [(0, 100, 200), (10, 110, 210)])
def test_fits_of_every_depth_has_its_own_range(tmp_path: Path, kind: type, values: tuple[int, ...]):
    picture = opened(tmp_path, fits(row(*values, kind=kind)))
    wanted = values if kind is np.uint8 else (0, 127.5, 255)
    np.testing.assert_allclose((picture.frame[0, 0] + 1) * 127.5, wanted, atol=0.1)
    assert picture.notes == (() if kind is np.uint8 else (NOTE.format(values[0], values[2]),))


def test_fits_of_sixteen_bits_is_signed(tmp_path: Path):
    """As cameras at telescopes write unsigned numbers: 32,768 lower. Pillow takes the lower half for the upper one."""
    picture = opened(tmp_path, fits(row(-1000, 0, 1000, kind=np.int16)))
    np.testing.assert_allclose((picture.frame[0, 0] + 1) * 127.5, (0, 127.5, 255), atol=0.1)


@pytest.mark.parametrize(
    ("numbers", "cards", "ends"),
    [
        ((-32768, 0, 32767), {"BZERO": "32768 / data are unsigned"}, (0, 65535)),
        ((-32768, -31768, -30768), {"BSCALE": "1.0", "BZERO": "3.2768D4"}, (0, 2000)),
        ((0, 100, 200), {"BSCALE": "0.5", "BZERO": "-7"}, (-7, 93)),
        ((0, 100, 200), {"BSCALE": "0", "BZERO": "none"}, (0, 200)),
    ],
)
def test_fits_numbers_are_scaled_and_shifted_as_its_header_says(
    tmp_path: Path, numbers: tuple[int, ...], cards: dict[str, str], ends: tuple[int, int]
):
    picture = opened(tmp_path, fits(row(*numbers, kind=np.int16), **cards))
    np.testing.assert_allclose((picture.frame[0, 0] + 1) * 127.5, (0, 127.5, 255), atol=0.1)
    assert picture.notes == (NOTE.format(*ends),)


def test_fits_numbers_that_grow_as_the_light_fades_are_turned_round(tmp_path: Path):
    picture = opened(tmp_path, fits(row(0, 100, 200, kind=np.int16), BSCALE="-1"))
    np.testing.assert_allclose((picture.frame[0, 0] + 1) * 127.5, (255, 127.5, 0), atol=0.1)


def test_a_profile_beside_deep_greys_is_said_to_be_unused(tmp_path: Path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = opened(tmp_path, encoded(Image.fromarray(row(0, 30000, 65535)), "PNG", icc_profile=profile))
    assert picture.notes == ("its colour profile is not used for greys of more than 8 bits",)


@pytest.mark.parametrize("stars", [310, 700, 60_000])
def test_a_few_stars_do_not_leave_the_rest_black(tmp_path: Path, stars: float):
    sky = np.tile(np.linspace(100, 200, 100, dtype=np.float32), (100, 1))
    sky[50, 50] = stars
    found = opened(tmp_path, fits(sky))
    assert abs(found.frame.mean()) < 0.05
    assert found.frame[0, 50, 50] == 1
    assert found.notes == (NOTE.format(101, 200),)  # ends of the middle 98 %


def test_what_is_no_number_is_black_and_said(tmp_path: Path):
    found = opened(tmp_path, tiff(row(np.nan, 0.5, np.inf, -np.inf, 1, kind=np.float32)))
    np.testing.assert_allclose((found.frame[0, 0] + 1) * 127.5, (0, 127.5, 255, 0, 255), atol=0.1)
    assert found.notes == ("its greys are scaled: 0 and what is no number is black, 1 is white",)
    with pytest.raises(PictureError, match="nothing but NaN or infinity"):
        opened(tmp_path, tiff(row(np.nan, np.inf, kind=np.float32)))
