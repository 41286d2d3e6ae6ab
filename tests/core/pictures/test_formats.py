"""All formats: each opens whatever was opened before, or is called what it is; damage, bombs and mountains of text end
in a picture or in one sentence.
"""

import contextlib
import json
import random
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from sculptor_app.core.errors import PictureError
from sculptor_app.core.pictures import formats
from sculptor_app.core.pictures.file import OpenedPicture, open_picture
from sculptor_app.core.pictures.formats import NOT_READ, READERS, READERS_WITHOUT_SIGNATURE
from tests.core.pictures.samples import (
    BUILT,
    GREY,
    ORANGE,
    SIDE,
    WRITTEN,
    chunk,
    encoded,
    every_sample,
    orange,
    png,
    swapped_profile,
)

GREYS = {"CUR": False, "PCD": None, "XVTHUMB": None, "FITS": True, "GBR": True, "IMT": True, "MCIDAS": True}
"""Which of the built samples are grey; None where the format itself changes the colour."""


@pytest.fixture(scope="module")
def samples() -> dict[str, bytes]:
    return every_sample()


def opened(folder: Path, content: bytes, name: str = "x.png", **options: int) -> OpenedPicture:
    (folder / name).write_bytes(content)
    return open_picture(folder / name, **options)


def refused(folder: Path, content: bytes) -> PictureError:
    with pytest.raises(PictureError) as caught:
        opened(folder, content)
    return caught.value


def bytes_of(picture: OpenedPicture) -> np.ndarray:
    return (picture.frame + 1) * 127.5


def test_every_reader_of_pillow_is_one_that_is_asked_or_one_that_is_not() -> None:
    formats._load_readers()
    known = [*READERS, *READERS_WITHOUT_SIGNATURE, *NOT_READ]
    assert len(known) == len(set(known))
    assert set(Image.OPEN) <= set(known)
    assert {*READERS, *READERS_WITHOUT_SIGNATURE} <= set(Image.OPEN)
    assert {*READERS, *READERS_WITHOUT_SIGNATURE} == {*WRITTEN, *BUILT} - {"MPO"}  # MPO is read as a JPEG


@pytest.mark.parametrize("kind", WRITTEN)
def test_each_written_format_opens_in_all_its_modes(tmp_path: Path, kind: str) -> None:
    for mode in WRITTEN[kind].split():
        picture = opened(tmp_path, encoded(orange(mode), kind), "x.picture", longest_px=SIDE)
        grey = 255 if mode == "1" else GREY
        wanted = ORANGE if mode in ("RGB", "RGBA", "CMYK", "YCbCr", "P") else (grey, grey, grey)
        assert picture.frame.shape == (3, SIDE, SIDE), mode
        assert np.abs(bytes_of(picture) - np.array(wanted)[:, None, None]).max() < 6, mode
        assert all("shrunk" in note for note in picture.notes), (mode, picture.notes)  # nothing of it is transparent


@pytest.mark.parametrize("kind", BUILT)
def test_each_format_that_pillow_only_reads_opens(tmp_path: Path, kind: str, samples: dict[str, bytes]) -> None:
    values = bytes_of(opened(tmp_path, samples[kind], "x.picture"))
    assert np.ptp(values.reshape(3, -1), axis=1).max() == 0
    wanted = {True: (GREY,) * 3, False: ORANGE, None: tuple(values[:, 0, 0])}[GREYS.get(kind, False)]
    np.testing.assert_allclose(values[:, 0, 0], wanted, atol=0.5)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_transparent_parts_and_animations_open_in_any_format(tmp_path: Path, kind: str) -> None:
    clear = Image.new("RGBA", (SIDE, SIDE), (*ORANGE, 255))
    clear.paste((0, 0, 0, 0), (0, 0, SIDE, SIDE // 2))
    options = {"save_all": True, "append_images": [orange("RGBA")]}  # libwebp forgets that such a file is transparent
    found = opened(tmp_path, encoded(clear, kind, **({"lossless": True} if kind == "WEBP" else options)))
    np.testing.assert_allclose(bytes_of(found)[:, 4, 4], 128, atol=0.5)
    assert np.abs(bytes_of(found)[:, -4, 4] - ORANGE).max() < 6
    first = () if kind == "WEBP" else ("only the first of its pictures is used",)
    assert found.notes == (*first, "transparent parts lie on mid grey")


def test_a_reader_that_is_not_in_the_list_is_never_asked(tmp_path: Path, samples: dict[str, bytes]) -> None:
    """As another package may register one, or a later Pillow have one."""
    asked: list[bytes] = []
    formats._load_readers()
    before = Image.ID.copy()
    Image.register_open("OTHER", lambda *_: pytest.fail("asked"), lambda prefix: asked.append(prefix) or True)
    Image.ID.insert(0, Image.ID.pop())
    try:
        for content in samples.values():
            opened(tmp_path, content, "x.eps")
        refused(tmp_path, b"\1\2\3 of no kind")
    finally:
        Image.ID[:] = before
        del Image.OPEN["OTHER"]
    assert asked == []


# What is not read -----------------------------------------------------------------------------------------------------

BOX = b"\0\0\0\x20ftyp%s\0\0\0\0%s"
RAW_TIFF = b"II*\0\x08\0\0\0\x02\0" + struct.pack("<HHI4s", 254, 4, 1, b"\1\0\0\0") + (
    struct.pack("<HHI4s", 330, 4, 1, b"\x80\0\0\0"))  # fmt: skip
DNG = b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHI4s", 50706, 1, 4, b"\1\4\0\0")


@pytest.mark.parametrize(
    ("content", "name", "advice"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n{} loop", "PostScript", "PNG or JPEG"),
        (b"\xc5\xd0\xd3\xc6" + b"\0" * 30, "PostScript", "PNG or JPEG"),
        (b"%PDF-1.7\n", "a PDF document", "PNG"),
        (BOX % (b"heic", b"mif1heic"), "a HEIC picture", "iPhone"),
        (BOX % (b"mif1", b"heicmiaf"), "a HEIC picture", "JPEG"),
        (BOX % (b"qt  ", b"qt  "), "a film", "frames"),
        (BOX % (b"isom", b"avc1"), "a film", "frames"),
        (BOX % (b"crx ", b"isom"), "a camera's raw picture", "camera's program"),
        (RAW_TIFF, "a camera's raw picture", "JPEG or TIFF"),
        (DNG, "a camera's raw picture", "JPEG or TIFF"),
        (b"II*\0\x10\0\0\0CR\x02\0", "a camera's raw picture", "JPEG or TIFF"),
        (b"FUJIFILMCCD-RAW 0201", "a camera's raw picture", "JPEG or TIFF"),
        (b"\xff\x0a\xfa\x0c", "JPEG XL", "PNG"),
        (b"8BPS\0\x02", "Photoshop document (PSB)", "PNG"),
        (b'<?xml version="1.0"?>\n<!-- x -->\n<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing", "PNG"),
        (b"\n<!DOCTYPE html><html><body>404</body></html>", "a web page", "browser"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer", "git lfs pull"),
        (b"RIFF\0\0\0\0AVI LIST", "a film", "frames"),
        (b"\x1aE\xdf\xa3", "a film", "frames"),
        (b"\0\0\1\xba", "a film", "frames"),
        (b"RIFF\0\0\0\0WAVEfmt ", "a sound", "JPEG"),
        (b"PK\3\4" + b"\0" * 30, "a zip archive", "Unpack"),
        (b"\x1f\x8b\x08\0", "an archive", "Unpack"),
        (b"\x89HDF\r\n\x1a\n", "scientific data (HDF5)", "JPEG"),
        (b"GRIB\0\0\0\1", "weather data", "JPEG"), (b"BUFR\0\0\0\1", "weather data", "JPEG"),
        (b"\xd7\xcd\xc6\x9a" + b"\0" * 40, "a Windows metafile", "PNG"),
        (b"\x1c\x02\x00\x00\x02\x00\x01" + b"\0" * 30, "news agency (IPTC)", "PNG"),
        (b'{"prompt": "a bust"}', "no picture but a text", "JPEG"),
        ("Grüße aus Bahía\n".encode(), "no picture but a text", "JPEG"),
        (b"\x7fELF\2\1\1", "a program", "JPEG"),
    ],
)  # fmt: skip
def test_what_is_known_and_not_read_is_called_what_it_is(
    tmp_path: Path, content: bytes, name: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)  # whoever starts a program fails
    error = refused(tmp_path, content)
    assert f"it is {name}" in error.message or name in error.message
    assert "broken" not in error.message
    assert advice in error.advice


def test_a_pyramid_of_a_microscope_is_no_raw_picture(tmp_path: Path) -> None:
    """Its first picture is the whole one, and smaller ones are inside; in a raw picture it is the other way round."""
    content = encoded(orange(), "TIFF", tiffinfo={330: 8, 254: 0})
    assert np.abs(bytes_of(opened(tmp_path, content))[:, 0, 0] - ORANGE).max() < 1


# What was opened before -----------------------------------------------------------------------------------------------

IN_ONE_PROCESS = """
import json, random, sys
from pathlib import Path
from PIL import Image
from sculptor_app.core.errors import PictureError
from sculptor_app.core.pictures.file import open_picture
first, *paths = sorted(Path(sys.argv[1]).iterdir(), key=lambda path: path.suffix != ".tga")
found = []
random.Random(int(sys.argv[2])).shuffle(paths)
for path in [first, *paths]:
    try:
        picture = open_picture(path, longest_px=16)
        found.append([path.name, str(picture.frame.tobytes().__hash__()), picture.notes])
    except PictureError as error:
        found.append([path.name, str(error), []])
print(json.dumps(sorted(found)))
"""


def test_what_opens_does_not_depend_on_what_was_opened_before(tmp_path: Path, samples: dict[str, bytes]) -> None:
    """A TGA comes first: Pillow then knows TGA before ICO, and takes the icon for one."""
    for kind, content in samples.items():
        (tmp_path / f"{kind}.{kind.lower()}").write_bytes(content)
    (tmp_path / "not.png").write_bytes(b"%!PS")
    samples_tag = struct.pack("<HHIHH", 277, 3, 1, 3, 0)
    (tmp_path / "odd.tif").write_bytes(
        encoded(orange(), "TIFF").replace(samples_tag, samples_tag[:8] + b"\xff\xff\0\0")
    )
    (tmp_path / "ICO.ico").write_bytes(encoded(orange(), "ICO", bitmap_format="bmp", sizes=[(SIDE, SIDE)]))
    answers = [
        subprocess.run([sys.executable, "-c", IN_ONE_PROCESS, str(tmp_path), str(seed)], capture_output=True, text=True,
                       env={"PYTHONHASHSEED": "0", "PYTHONPATH": "."}, check=False)
        for seed in (1, 2)
    ]  # fmt: skip
    assert [answer.stderr for answer in answers] == ["", ""]
    assert answers[0].stdout == answers[1].stdout
    endings = {name: notes for name, _, notes in json.loads(answers[0].stdout)}
    assert {name for name, notes in endings.items() if not notes} == {"not.png", "odd.tif"}  # others were shrunk


# Damage ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*WRITTEN, *BUILT])
def test_damage_ends_in_a_picture_or_a_sentence_soon(
    tmp_path: Path, kind: str, samples: dict[str, bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    draw, whole, begun = random.Random(kind), samples[kind], time.monotonic()
    damaged = [whole[: len(whole) * part // 8] for part in (1, 3, 7)]
    for _ in range(9):
        content = bytearray(whole)
        for _ in range(draw.choice((1, 3, 30))):
            content[draw.randrange(min(len(content), draw.choice((64, 10**6))))] ^= 1 << draw.randrange(8)
        damaged.append(bytes(content))
    for content in damaged:
        with contextlib.suppress(PictureError):
            found = opened(tmp_path, content, "x.picture", longest_px=16)
            assert np.isfinite(found.frame).all()
            assert np.abs(found.frame).max() <= 1
    assert time.monotonic() - begun < 20
    assert capfd.readouterr().err == ""


def test_libtiff_does_not_write_to_the_terminal_and_nobody_else_is_silenced(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(encoded(orange(), "TIFF", compression="tiff_adobe_deflate"))
    at = content.index(b"\x78", 8)
    content[at : at + 20] = b"\xff" * 20
    assert "broken or truncated" in refused(tmp_path, bytes(content)).message
    assert capfd.readouterr().err == ""
    sys.stderr.write("ours\n")
    assert capfd.readouterr().err == "ours\n"


# Text and profiles beside the pixels ----------------------------------------------------------------------------------


def with_chunks(*chunks: bytes, after: bytes = b"") -> bytes:
    """A PNG of one colour with more parts in front of its pixels, and behind them."""
    whole = encoded(orange(), "PNG")
    return whole[:33] + b"".join(chunks) + whole[33:-12] + after + whole[-12:]


TEXT = chunk(b"tEXt", b"workflow\0" + b"{}" * 1_500_000)
PACKED = chunk(b"zTXt", b"prompt\0\0" + zlib.compress(b" " * 3_000_000))
BOMB = chunk(b"iTXt", b"prompt\0\1\0\0\0" + zlib.compress(b" " * 200_000_000, 1))
DAMAGED_TEXT = chunk(b"zTXt", b"prompt\0\7")


@pytest.mark.parametrize(
    "content",
    [with_chunks(TEXT), with_chunks(PACKED), with_chunks(*[TEXT] * 30), with_chunks(after=TEXT), with_chunks(BOMB),
     with_chunks(DAMAGED_TEXT), with_chunks(chunk(b"prVt", b"x" * 5_000_000))],
)  # fmt: skip
def test_text_in_a_png_does_no_harm_however_much_there_is(tmp_path: Path, content: bytes) -> None:
    found = opened(tmp_path, content)
    assert np.abs(bytes_of(found)[:, 0, 0] - ORANGE).max() < 1
    assert found.notes == ()


@pytest.mark.parametrize(("size", "is_used"), [(0, True), (1_300_000, True), (5_000_000, True), (17_000_000, False)])
def test_a_large_profile_in_a_png_is_used_up_to_a_bound(tmp_path: Path, size: int, is_used: bool) -> None:
    found = opened(tmp_path, with_chunks(chunk(b"iCCP", b"odd\0\0" + zlib.compress(swapped_profile(size), 1))))
    assert np.abs(bytes_of(found)[:, 0, 0] - ((120, 200, 40) if is_used else ORANGE)).max() < 5
    used, left_out = "colours converted from the profile odd!", "its colour profile cannot be used and was left out"
    assert len(found.notes) == 1
    assert found.notes[0].startswith(used if is_used else left_out)


def test_a_profile_that_is_cut_off_at_the_bound_is_left_out_with_a_note(tmp_path: Path) -> None:
    """Of noise, which cannot be packed: what is read of it ends in mid-profile, and would pass for a whole one."""
    size = 17_000_000
    content = swapped_profile(0) + np.random.default_rng(0).bytes(size)
    profile = struct.pack(">I", len(content)) + content[4:]
    found = opened(tmp_path, with_chunks(chunk(b"iCCP", b"odd\0\0" + zlib.compress(profile, 0))))
    assert found.notes == ("its colour profile cannot be used and was left out",)
    assert np.abs(bytes_of(found)[:, 0, 0] - ORANGE).max() < 1


def test_a_profile_of_a_jpeg_of_which_a_part_lacks_is_left_out_with_a_note(tmp_path: Path) -> None:
    whole = encoded(Image.new("RGB", (4, 4), ORANGE), "JPEG", icc_profile=swapped_profile(100_000))
    second = whole.index(b"ICC_PROFILE\0\2") - 4
    length = struct.unpack_from(">H", whole, second + 2)[0]
    found = opened(tmp_path, whole[:second] + whole[second + 2 + length :])
    assert found.notes == ("its colour profile cannot be used and was left out",)


def linear_grey_profile() -> bytes:
    """The least profile of greys: a white point and a straight line."""
    tags = [(b"wtpt", b"XYZ \0\0\0\0" + struct.pack(">iii", 63190, 65536, 54061)),
            (b"kTRC", b"curv\0\0\0\0" + struct.pack(">IHH", 1, 256, 0))]  # fmt: skip
    table, data = struct.pack(">I", len(tags)), b""
    for name, content in tags:
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(data), len(content))
        data += content
    head = bytearray(128)
    head[:4] = struct.pack(">I", 128 + len(table) + len(data))
    head[8:12], head[12:24], head[36:40] = b"\2\x10\0\0", b"mntrGRAYXYZ ", b"acsp"
    head[68:80] = struct.pack(">iii", 63190, 65536, 54061)
    return bytes(head) + table + data


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_grey_profile_is_used_beside_transparent_parts_too(tmp_path: Path, mode: str) -> None:
    grey = orange(mode)
    if mode == "LA":
        grey.putpixel((0, 0), (GREY, 0))
    found = opened(tmp_path, encoded(grey, "PNG", icc_profile=linear_grey_profile()))
    linear = GREY / 255
    np.testing.assert_allclose(bytes_of(found)[:, 5, 5], 255 * (1.055 * linear ** (1 / 2.4) - 0.055), atol=1.5)
    assert found.notes[0].startswith("colours converted from the profile")


@pytest.mark.parametrize("where", ["exif", "text", "xmp", "packed"])
def test_the_orientation_is_found_beside_much_text(tmp_path: Path, where: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = exif.tobytes()
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    raw = f"\nexif\n{len(content)}\n{content.hex()}\n".encode()
    note = {
        "exif": chunk(b"eXIf", content.removeprefix(b"Exif\0\0")),
        "text": chunk(b"tEXt", b"Raw profile type exif\0" + raw),
        "xmp": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp),
        "packed": chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)),
    }[where]
    assert opened(tmp_path, with_chunks(TEXT, note)).notes == ("turned upright as the camera was held",)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "TIFF"])
def test_large_notes_in_other_formats_do_no_harm(tmp_path: Path, kind: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "x" * 60_000
    options = {"exif": exif.tobytes(), "icc_profile": swapped_profile(3_000_000)}
    options |= {} if kind in ("JPEG", "TIFF") else {"xmp": b" " * 3_000_000}
    content = encoded(orange(), kind, **options)
    if kind == "JPEG":  # as cameras write long XMP: in many segments
        content = content[:2] + (b"\xff\xe1" + struct.pack(">H", 65_000) + b"x" * 64_998) * 60 + content[2:]
    found = opened(tmp_path, content)
    assert np.abs(bytes_of(found)[:, 0, 0] - (120, 200, 40)).max() < 8
    assert len(found.notes) == 1


def test_a_text_limit_of_pillow_is_left_as_it_is() -> None:
    assert PngImagePlugin.MAX_TEXT_CHUNK == 2**20


# Memory ---------------------------------------------------------------------------------------------------------------

PEAK = """
import sys
from pathlib import Path
from sculptor_app.core.errors import PictureError
from sculptor_app.core.pictures import file, formats
formats._load_readers()
def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
for path in sys.argv[1:]:
    before = peak()
    try:
        file.open_picture(Path(path), longest_px=64)
    except PictureError as error:
        sys.stderr.write(error.message)
    print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux alone tells")
def test_a_picture_takes_no_more_memory_than_its_pixels_and_a_bound(tmp_path: Path) -> None:
    """40 million pixels with a palette were three copies of 160 MB; a bomb of 390 million took 4.8 GB."""
    palette = Image.new("P", (8000, 5000))
    palette.save(tmp_path / "a.png", transparency=0, compress_level=1)
    rows = zlib.compress(bytes(1_000_000), 1)
    (tmp_path / "b.png").write_bytes(png(19_500, 20_000, rows))
    paths = [str(tmp_path / "b.png"), str(tmp_path / "a.png")]
    done = subprocess.run([sys.executable, "-c", PEAK, *paths], capture_output=True, text=True, check=True)
    bomb, large = map(int, done.stdout.split())
    assert "it has 390,000,000 pixels, and 187,500,000 are the most of its kind that are opened" in done.stderr
    assert bomb < 20e6
    assert large < 40e6 + 110e6


def test_an_icon_may_not_hold_more_than_it_says(tmp_path: Path) -> None:
    inner = png(10_000, 10_000, zlib.compress(bytes(1000)))
    head = struct.pack("<HHH", 0, 1, 1) + struct.pack("<BBBBHHII", 32, 32, 0, 0, 1, 32, len(inner), 22)
    assert "there is more in it than its header says" in refused(tmp_path, head + inner).message


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "CMYK", "I;16", "F"])
@pytest.mark.parametrize("options", [{"longest_px": 40}, {"square_px": 30}])
def test_a_huge_picture_is_reduced_in_bands_to_the_same(
    tmp_path: Path, mode: str, options: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    across, down = np.meshgrid(np.linspace(0, 1, 241), np.linspace(0, 1, 163))
    colours = np.stack([across, down, across * down], -1)
    picture = Image.fromarray((colours * 255).astype(np.uint8))
    if mode in ("I;16", "F"):
        picture = Image.fromarray(
            (across * down).astype(np.float32) if mode == "F" else (across * 65535).astype(np.uint16)
        )
    elif mode == "RGBA":
        picture.putalpha(Image.fromarray((down * 255).astype(np.uint8)))
    picture = picture.convert(mode) if mode in ("L", "CMYK", "P") else picture
    content = encoded(picture, "TIFF")
    whole = opened(tmp_path, content, **options)
    monkeypatch.setattr("sculptor_app.core.pictures.file.MOST_KEPT_PIXELS", 8_000)
    monkeypatch.setattr("sculptor_app.core.pictures.greys._BAND_PIXELS", 2_000)
    banded = opened(tmp_path, content, **options)
    assert banded.notes == whole.notes
    assert np.abs(banded.frame - whole.frame).max() < (0.2 if mode == "P" else 0.06)  # a palette is dithered


def test_a_large_jpeg_2000_is_decoded_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    across, down = np.meshgrid(np.arange(256), np.arange(256))
    content = encoded(Image.fromarray(np.stack([across, down, 255 - across], -1).astype(np.uint8)), "JPEG2000")
    whole = opened(tmp_path, content, longest_px=32)
    monkeypatch.setattr("sculptor_app.core.pictures.file.MOST_KEPT_PIXELS", 100)
    monkeypatch.setattr(formats, "MOST_DECODED_BYTES", 25 * 64 * 64)
    assert np.abs(opened(tmp_path, content, longest_px=32).frame - whole.frame).mean() < 0.05
    with pytest.raises(PictureError, match="it has 65,536 pixels, and 4,096 are the most"):
        opened(tmp_path, content)


def test_a_jpeg_of_endless_scans_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each scan goes over the whole picture: a file of 1 MB could take an hour."""
    content = encoded(orange(), "JPEG", progressive=True)
    last = content[content.rindex(b"\xff\xda") : -2]
    assert bytes_of(opened(tmp_path, content[:-2] + 20 * last + content[-2:])).shape == (3, SIDE, SIDE)
    monkeypatch.setattr("sculptor_app.core.pictures.file.MOST_SCANNED_PIXELS", 29 * SIDE**2)
    assert "a JPEG in 30 scans" in refused(tmp_path, content[:-2] + 20 * last + content[-2:]).message
