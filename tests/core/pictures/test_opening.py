"""A person's own picture: known colours in, known numbers out, and one clear sentence for every file that is none."""

import os
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from sculptor_app.core.errors import PictureError, SculptorError
from sculptor_app.core.pictures import formats
from sculptor_app.core.pictures.file import OpenedPicture, open_picture
from sculptor_app.core.pictures.start import fit_square
from tests.core.pictures.samples import ORANGE, png, swapped_profile


def saved(folder: Path, picture: Image.Image, name: str = "x.png", **options: object) -> Path:
    picture.save(folder / name, **options)
    return folder / name


def scaled(*values: float) -> np.ndarray:
    """What 0..255 become in a frame, for each channel."""
    return np.float32(values)[:, None, None] / np.float32(127.5) - 1


def test_bytes_are_kept_as_they_are(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    opened = open_picture(saved(tmp_path, Image.fromarray(array)))
    assert (opened.frame.shape, opened.frame.dtype, opened.frame.flags.c_contiguous) == ((3, 5, 7), np.float32, True)
    np.testing.assert_array_equal(np.rint((opened.frame + 1) * 127.5), array.transpose(2, 0, 1))
    assert (opened.name, opened.original_size, opened.notes) == ("x.png", (7, 5), ())


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [(mode, suffix) for mode, suffixes in {
        "RGB": "png jpg tif gif webp bmp avif", "RGBA": "png tif webp", "CMYK": "jpg tif", "P": "png gif tif bmp",
        "YCbCr": "jpg tif",
    }.items() for suffix in suffixes.split()],
)  # fmt: skip
def test_the_colour_is_the_same_in_every_kind_of_file(tmp_path: Path, mode: str, suffix: str) -> None:
    picture = Image.new("RGB", (32, 32), ORANGE)
    picture = picture.quantize(4) if mode == "P" else picture.convert(mode)
    frame = open_picture(saved(tmp_path, picture, f"x.{suffix}"), longest_px=16).frame
    assert frame.shape == (3, 16, 16)
    assert np.abs(frame - scaled(*ORANGE)).max() < 8 / 127.5


@pytest.mark.parametrize(
    ("picture", "grey"),
    [
        (Image.new("1", (4, 4), 1), 255), (Image.new("1", (4, 4), 0), 0), (Image.new("L", (4, 4), 77), 77),
        (Image.fromarray(np.full((4, 4), 30000, np.uint16)), 30000 / 257),
        (Image.fromarray(np.full((4, 4), 30000, np.int32)), 30000 / 257),
        (Image.fromarray(np.full((4, 4), 0.3, np.float32)), 0.3 * 255),
    ],
)  # fmt: skip
def test_greys_of_every_depth(tmp_path: Path, picture: Image.Image, grey: float) -> None:
    """Sixteen bits keep their finer steps: 30000 of 65535 is no whole number of 255."""
    frame = open_picture(saved(tmp_path, picture, "x.tif")).frame
    np.testing.assert_allclose(frame, np.broadcast_to(scaled(grey), (3, 4, 4)), atol=1e-6)


def test_sixteen_bits_in_a_png(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 65535, 9).astype(np.uint16), (4, 1))
    frame = open_picture(saved(tmp_path, Image.fromarray(ramp))).frame
    np.testing.assert_allclose(frame[1], ramp / 32767.5 - 1, atol=1e-5)


def test_transparent_parts_lie_on_mid_grey(tmp_path: Path) -> None:
    opened = open_picture(saved(tmp_path, Image.new("RGBA", (4, 4), (255, 0, 0, 0))))
    np.testing.assert_allclose(opened.frame, 1 / 255, atol=1e-6)
    assert opened.notes == ("transparent parts lie on mid grey",)
    half = open_picture(saved(tmp_path, Image.new("LA", (4, 4), (0, 128))))
    np.testing.assert_allclose(half.frame, -0.5, atol=0.01)
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.save(tmp_path / "p.png", transparency=1)
    np.testing.assert_allclose(open_picture(tmp_path / "p.png").frame, 1 / 255, atol=1e-6)


def test_an_animation_gives_its_first_frame_and_says_so(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
    for suffix in ("gif", "webp", "png", "tif"):
        options = {"lossless": True} if suffix == "webp" else {}
        opened = open_picture(saved(tmp_path, frames[0], f"x.{suffix}", save_all=True, append_images=frames[1:],
                                    **options))  # fmt: skip
        np.testing.assert_array_equal(opened.frame[:, 3, 3], [1, -1, -1])
        assert opened.notes == ("only the first of its pictures is used",)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_lies_on_its_side_is_turned_upright(tmp_path: Path, orientation: int) -> None:
    from PIL import ImageOps

    array = np.random.default_rng(0).integers(0, 256, (6, 10, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, Image.fromarray(array), exif=exif)
    with Image.open(path) as picture:
        upright = np.asarray(ImageOps.exif_transpose(picture)).transpose(2, 0, 1)
    opened = open_picture(path)
    np.testing.assert_array_equal(np.rint((opened.frame + 1) * 127.5), upright)
    assert opened.original_size == upright.shape[:0:-1]
    assert any("upright" in note for note in opened.notes) == (orientation > 1)


def test_colours_of_a_profile_are_converted(tmp_path: Path) -> None:
    odd = swapped_profile()
    opened = open_picture(saved(tmp_path, Image.new("RGB", (4, 4), (200, 40, 90)), icc_profile=odd))
    assert np.abs(opened.frame - scaled(40, 200, 90)).max() < 4 / 127.5
    assert opened.notes == ("colours converted from the profile odd! built-in",)
    clear = Image.new("RGBA", (4, 4), (200, 40, 90, 0))
    clear.paste((200, 40, 90, 255), (0, 0, 2, 4))
    found = open_picture(saved(tmp_path, clear, icc_profile=odd)).frame
    assert np.abs(found[:, :, :2] - scaled(40, 200, 90)).max() < 4 / 127.5
    np.testing.assert_allclose(found[:, :, 2:], 1 / 255, atol=1e-6)


@pytest.mark.parametrize("profile", [b"no profile", b"\0" * 128, "grey"])
def test_a_profile_that_cannot_be_used_is_left_out(tmp_path: Path, profile: bytes | str) -> None:
    if profile == "grey":
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    opened = open_picture(saved(tmp_path, Image.new("RGB", (4, 4), ORANGE), icc_profile=profile))
    np.testing.assert_array_equal(np.rint((opened.frame[:, 0, 0] + 1) * 127.5), ORANGE)
    assert opened.notes == ("its colour profile cannot be used and was left out",)


def test_srgb_and_grey_pictures_with_a_profile_stay_exact(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    opened = open_picture(saved(tmp_path, Image.new("RGB", (4, 4), ORANGE), icc_profile=srgb))
    np.testing.assert_array_equal(np.rint((opened.frame[:, 0, 0] + 1) * 127.5), ORANGE)
    assert opened.notes == ()


# Sizes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "longest", "wanted", "note"),
    [((100, 50), 20, (20, 10), "shrunk from 100 × 50 pixels"), ((50, 100), 20, (10, 20), "shrunk from 50 × 100 pixels"),
     ((20, 10), 20, (20, 10), ""), ((8, 6), 20, (8, 6), ""), ((2, 2), 20, (2, 2), "")],
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_the_longest_side_is_shrunk_and_never_enlarged(
    tmp_path: Path, size: tuple[int, int], longest: int, wanted: tuple[int, int], note: str, suffix: str
) -> None:
    opened = open_picture(saved(tmp_path, Image.new("RGB", size, ORANGE), f"x.{suffix}"), longest_px=longest)
    assert opened.frame.shape == (3, *wanted[::-1])
    assert opened.original_size == size
    assert opened.notes == ((note,) if note else ())
    assert np.abs(opened.frame - scaled(*ORANGE)).max() < 3 / 127.5


def test_shrinking_averages(tmp_path: Path) -> None:
    """Rows of black and white one pixel high become grey: no rows are merely left out."""
    stripes = np.zeros((600, 400), np.uint8)
    stripes[::2] = 255
    frame = open_picture(saved(tmp_path, Image.fromarray(stripes)), longest_px=60).frame
    assert frame.shape == (3, 60, 40)
    assert np.abs(frame[:, 5:-5]).max() < 0.03


@pytest.mark.parametrize("size", [(30, 10), (10, 30), (10, 10), (3000, 1000)])
def test_a_square_is_the_middle(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    side = min(size)
    array = np.zeros((height, width, 3), np.uint8)
    left, top = (width - side) // 2, (height - side) // 2
    array[top : top + side, left : left + side] = ORANGE
    opened = open_picture(saved(tmp_path, Image.fromarray(array)), square_px=20)
    assert opened.frame.shape == (3, 20, 20)
    inside = opened.frame[:, 6:-6, 6:-6]  # at its border the filter sees what lies beyond
    assert np.abs(inside - scaled(*ORANGE)).max() < 1e-6
    assert ("cropped to its middle square" in opened.notes) == (width != height)
    assert any(note.startswith("shrunk" if side > 20 else "enlarged") for note in opened.notes)


def test_a_large_jpeg_is_decoded_small(tmp_path: Path) -> None:
    fields = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8).repeat(20, 0).repeat(20, 1)
    jpeg = saved(tmp_path, Image.fromarray(fields), "x.jpg", quality=95)
    found = open_picture(jpeg, longest_px=80).frame
    np.testing.assert_allclose(found, open_picture(saved(tmp_path, Image.fromarray(fields)), longest_px=80).frame,
                               atol=0.35)  # fmt: skip
    assert open_picture(jpeg).frame.shape == (3, 1200, 1600)


@pytest.mark.parametrize(("options", "words"), [({"longest_px": 1}, "longest_px is 1"), ({"square_px": 0}, "2 up"),
                                                ({"longest_px": 9, "square_px": 9}, "one of them")])  # fmt: skip
def test_sizes_that_make_no_sense_are_refused(tmp_path: Path, options: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        open_picture(tmp_path / "x.png", **options)


# What is no picture ------------------------------------------------------------------------------------------------


def refused(path: Path, **options: int) -> PictureError:
    with pytest.raises(PictureError) as caught:
        open_picture(path, **options)
    error = caught.value
    assert isinstance(error, SculptorError)
    assert error.message.startswith(f"{path.name} cannot be opened: ")
    assert error.message.endswith(".")
    assert error.advice.endswith(".")
    assert "\n" not in str(error)
    return error


def test_what_is_no_picture_is_said_in_one_sentence(tmp_path: Path) -> None:
    assert "there is no such file" in refused(tmp_path / "gone.png").message
    assert "it is a folder" in refused(tmp_path).message
    for name, content, reason in (
        ("empty.jpg", b"", "it is empty"), ("letter.png", b"Dear Sir or Madam", "it is no picture but a text"),
        ("odd.png", b"\xff\xfe\xfd", "it is no picture of a known kind"),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(content)
        assert reason in refused(tmp_path / name).message
    whole = saved(tmp_path, Image.fromarray(np.random.default_rng(0).integers(0, 256, (99, 99, 3), dtype=np.uint8)))
    for suffix in ("png", "jpg", "webp", "tif", "gif", "bmp"):
        with Image.open(whole) as picture:
            path = saved(tmp_path, picture, f"cut.{suffix}")
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        assert "broken or truncated" in refused(path).message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert "it is no file" in refused(tmp_path / "pipe.png").message


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("RGB", (4, 4)))
    path.chmod(0)
    assert "it may not be read" in refused(path).message


def test_a_file_that_may_not_be_read_as_the_system_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    path = saved(tmp_path, Image.new("RGB", (4, 4)))
    monkeypatch.setattr(Image, "open", deny)
    error = refused(path)
    assert "it may not be read" in error.message
    assert "permissions" in error.advice


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1)])
@pytest.mark.parametrize("options", [{}, {"longest_px": 16}, {"square_px": 16}])
def test_a_picture_of_one_pixel_is_refused(tmp_path: Path, size: tuple[int, int], options: dict[str, int]) -> None:
    error = refused(saved(tmp_path, Image.new("RGB", size)), **options)
    assert f"it has {size[0]} × {size[1]} pixels" in error.message
    assert "at least 2" in error.advice


def test_a_strip_of_which_nothing_would_be_left_is_refused(tmp_path: Path) -> None:
    error = refused(saved(tmp_path, Image.new("RGB", (4000, 9))), longest_px=100)
    assert "shrunk to 100 nothing of it is left" in error.message
    assert open_picture(tmp_path / "x.png", longest_px=1000).frame.shape == (3, 2, 1000)


@pytest.mark.parametrize("size", [(20_001, 10_000), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "bomb.png").write_bytes(png(*size, zlib.compress(b"\0" * 999), colours=2))
    assert "and 187,500,000 are the most of its kind" in refused(tmp_path / "bomb.png", longest_px=256).message


def test_what_pillow_alone_would_refuse_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert open_picture(saved(tmp_path, Image.new("RGB", (40, 40))), longest_px=20).frame.shape == (3, 20, 20)
    assert Image.MAX_IMAGE_PIXELS == 100
    monkeypatch.setattr(formats, "MOST_DECODED_BYTES", 4 * 1599)
    assert "it has 1,600 pixels, and 1,599 are the most" in refused(tmp_path / "x.png").message


@given(st.integers(0, 3000), st.binary(min_size=1, max_size=8), st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "TIFF"]))
def test_no_damage_ends_in_anything_but_a_frame_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, place: int, damage: bytes, kind: str
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "x.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(path, format=kind)
    whole = path.read_bytes()
    place %= len(whole)
    path.write_bytes(whole[:place] + damage + whole[place + len(damage) :])
    try:
        opened = open_picture(path, longest_px=12)
    except PictureError:
        return
    assert isinstance(opened, OpenedPicture)
    assert max(opened.frame.shape[1:]) <= 12
    assert np.isfinite(opened.frame).all()
    assert np.abs(opened.frame).max() <= 1


def ramp(height: int, width: int) -> np.ndarray:
    """Red grows from left to right, green from top to bottom, blue is flat."""
    across, down = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    return np.stack([across, down, np.full_like(across, 0.25)]).astype(np.float32)


def test_a_picture_of_the_size_is_left_as_it_is():
    picture = ramp(16, 16)
    assert fit_square(picture, 16) is picture


@pytest.mark.parametrize(("height", "width"), [(64, 64), (48, 96), (96, 48), (8, 8), (2, 300)])
def test_the_middle_is_kept_and_the_colours_with_it(height: int, width: int):
    fitted = fit_square(ramp(height, width), 16)
    assert fitted.shape == (3, 16, 16)
    assert fitted.dtype == np.float32
    assert abs(fitted).max() <= 1
    np.testing.assert_allclose(fitted[2], 0.25, atol=1e-5)
    np.testing.assert_allclose(fitted[:2].mean(axis=(1, 2)), 0, atol=0.02)  # as much on either side is cut off
    side = min(height, width)
    assert fitted[0, 0, -1] == pytest.approx(side / width, abs=0.12)  # how far from the middle the square's edge is


def test_nothing_leaves_the_scale_where_a_sharp_edge_overshoots():
    checks = np.where(np.indices((40, 40)).sum(axis=0) // 5 % 2, 1.0, -1.0).astype(np.float32)
    assert abs(fit_square(np.stack([checks] * 3), 33)).max() <= 1
