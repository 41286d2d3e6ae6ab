"""Formats of picture files: which are read, what others are called, and the memory that one picture may take.

The readers are Pillow's, but which of them are asked, and in which order, is fixed here: Pillow alone loads most of
them only when a file has made it look for more, so that what opens would depend on what was opened before, and hands
PostScript to another program.
"""

from __future__ import annotations

import bisect
import contextlib
import ctypes
import functools
import io
import logging
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError, _imaging

from sculptor_app.core.texts import byte_text, translate

READERS = (
    "PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "DIB", "AVIF", "JPEG2000", "PSD", "ICO", "ICNS", "PPM",
    "XVTHUMB", "QOI", "DDS", "BLP", "FTEX", "SGI", "SUN", "PCX", "DCX", "FITS", "FLI", "PIXAR", "MCIDAS", "MSP", "GBR",
    "XPM", "XBM",
)  # fmt: skip
"""Pillow's readers whose files are known by their first bytes, in the order in which they are asked."""
READERS_WITHOUT_SIGNATURE = ("CUR", "PCD", "IM", "IMT", "SPIDER", "TGA")
"""Those that look at more; they are asked only for files that none of the others knows, the least choosy last.

A cursor's first bytes are also those of most TGA files.
"""
NOT_READ = {
    "EPS": "starts Ghostscript, which runs whatever program the file is",
    "WMF": "draws with the system's own metafile player, and only on Windows",
    "IPTC": "opens what is inside with any reader",
    "MPEG": "knows the size of a film, none of its frames",
    "BUFR": "a stub", "GRIB": "a stub", "HDF5": "a stub",
    "FPX": "needs another package", "MIC": "needs another package",
}  # fmt: skip
"""Pillow's other readers, and why they are never asked."""

MOST_DECODED_BYTES = 750_000_000
"""Memory that a picture takes at most while it is decoded; bringing it to size adds a quarter of a gigabyte.

One gigabyte in all is what a machine of 4 GB can spare beside a model. It is 187 million pixels in most formats; a JPEG
is decoded smaller, so that those of telephones with 200 million pixels open.
"""
PIXEL_BYTES = {"WEBP": 17, "AVIF": 14, "JPEG2000": 25, "TIFF": 8, "SGI": 8}
"""Bytes for each pixel while it is decoded, where that is more than the pixels themselves: their decoders keep copies.

Measured on 16 million pixels with Pillow 13: 16.1, 13.6, 24.6, 7.2 (one strip), 6.0.
"""
PROGRESSIVE_BYTES = 8
"""Bytes for each pixel of a progressive JPEG, however small it is decoded: the coefficients of up to four channels."""
MOST_SCANNED_PIXELS = 20_000_000_000
"""Pixels times scans of a progressive JPEG: 20 s at 1 ns each. Ten scans are usual; a file of 1 MB can have 40,000."""
PYTHON_BYTES = 75
"""Bytes for each pixel of what is decoded in Python: 39 were measured, but at 3 µs a pixel it would take minutes."""
OWN_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""Bytes for each decoded pixel, by mode; 4 in all others."""
MOST_WHOLE_BYTES = 250_000_000
"""A WebP, AVIF or JPEG 2000 in bytes: they are read into memory as a whole."""
MOST_PROFILE_BYTES = 16_000_000
"""A colour profile in a PNG, unpacked; the largest in use, of printing presses, have some 3 MB."""
MOST_NOTE_BYTES = 1_000_000
"""A text in a PNG that may hold the camera's orientation, unpacked. Other texts are skipped, however long they are."""
MOST_CHUNKS = 1_000_000
"""Parts of a PNG; one of 187 million pixels that was written in parts of 8 kB has some 90,000."""
MOST_INNER_PIXELS = 30_000_000
"""Pixels of a picture inside an icon, whatever the icon says of its size; Pillow refuses from twice as many on."""

_SAVE_AS = translate("errors", "Save it as a PNG or JPEG first, in a program that shows it.")
_CHOOSE = translate("errors", "Choose a JPEG, PNG, WebP, TIFF, GIF or BMP.")
_FRAME = translate("errors", "Save one of its frames as a picture first.")
_UNPACK = translate("errors", "Unpack it first, and choose a picture in it.")
_DEVELOP = translate("errors", "Develop it in the camera's program first, and save it as a JPEG or TIFF.")
_IPHONE = translate(
    "errors", "Save it as a JPEG first; an iPhone takes JPEGs with Settings, Camera, Formats, Most Compatible."
)
_RAW = translate("names", "a camera's raw picture")


class Unreadable(Exception):
    """A file cannot be used as a picture.

    Args:
        reason: why, to go after "… is skipped: ", without a full stop.
        advice: one sentence.
    """

    def __init__(self, reason: str, advice: str = translate("errors", "Choose another picture.")) -> None:
        super().__init__(reason)
        self.advice = advice


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of file that is not read."""

    name: str
    advice: str
    signatures: tuple[bytes, ...] = ()
    place: int = 0  # of the signature in the file


_HEIC = _Kind(translate("names", "a HEIC picture"), _IPHONE)
_AVIF = _Kind(translate("names", "an AVIF picture"), _SAVE_AS)
_RAW_PICTURE = _Kind(_RAW, _DEVELOP)
_FILM = _Kind(translate("names", "a film"), _FRAME)
_PAGE = _Kind(
    translate("names", "a web page"),
    translate("errors", "Open its address in a browser, and save the picture itself."),
)
_DRAWING = _Kind(translate("names", "an SVG drawing"), _SAVE_AS)
_TEXT = _Kind(translate("names", "a text"), _CHOOSE)
_KINDS = (
    _Kind(
        translate("names", "a PostScript program (EPS)"), _SAVE_AS,
        (b"%!", b"\x04%!", b"\xef\xbb\xbf%!", b"\xc5\xd0\xd3\xc6"),
    ),
    _Kind(translate("names", "a PDF document"), _SAVE_AS, (b"%PDF",)),
    _Kind(
        translate("names", "only a Git LFS pointer to a picture"),
        translate("errors", "Fetch the picture itself with git lfs pull."),
        (b"version https://git-lfs",),
    ),
    _Kind(translate("names", "a picture in JPEG XL"), _SAVE_AS, (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")),
    _Kind(translate("names", "a picture in JPEG XR"), _SAVE_AS, (b"II\xbc",)),
    _Kind(translate("names", "an OpenEXR picture"), _SAVE_AS, (b"v/1\x01",)),
    _Kind(translate("names", "a Radiance HDR picture"), _SAVE_AS, (b"#?RADIANCE", b"#?RGBE")),
    _Kind(translate("names", "a GIMP document"), _SAVE_AS, (b"gimp xcf",)),
    _Kind(translate("names", "a large Photoshop document (PSB)"), _SAVE_AS, (b"8BPS\0\x02",)),
    _Kind(translate("names", "a DjVu document"), _SAVE_AS, (b"AT&TFORM",)),
    _Kind(translate("names", "a DICOM picture"), _SAVE_AS, (b"DICM",), 128),
    _Kind(translate("names", "a Windows metafile"), _SAVE_AS, (b"\xd7\xcd\xc6\x9a", b"\x01\0\x09\0\0\x03")),
    _Kind(translate("names", "a Windows metafile"), _SAVE_AS, (b" EMF",), 40),
    _Kind(translate("names", "an old Office document or a FlashPix picture"), _SAVE_AS, (b"\xd0\xcf\x11\xe0",)),
    _Kind(_RAW, _DEVELOP, (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")),
    _Kind(_RAW, _DEVELOP, (b"CR\x02", b"HEAPCCDR"), 8),
    _Kind(_RAW, _DEVELOP, (b"HEAPCCDR",), 6),
    _Kind(translate("names", "a film"), _FRAME, (b"\x1aE\xdf\xa3", b"\0\0\x01\xba", b"\0\0\x01\xb3", b"FLV\x01")),
    _Kind(translate("names", "a film"), _FRAME, (b"AVI ",), 8),
    _Kind(translate("names", "a film"), _FRAME, (b"moov", b"mdat", b"wide"), 4),
    _Kind(translate("names", "a sound"), _CHOOSE, (b"ID3", b"fLaC", b"OggS")),
    _Kind(translate("names", "a sound"), _CHOOSE, (b"WAVE",), 8),
    _Kind(translate("names", "a zip archive or an Office document"), _UNPACK, (b"PK\x03\x04", b"PK\x05\x06")),
    _Kind(
        translate("names", "an archive"), _UNPACK,
        (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x28\xb5\x2f\xfd"),
    ),
    _Kind(translate("names", "an archive"), _UNPACK, (b"ustar",), 257),
    _Kind(translate("names", "scientific data (HDF5)"), _CHOOSE, (b"\x89HDF\r\n\x1a\n",)),
    _Kind(translate("names", "weather data"), _CHOOSE, (b"GRIB", b"BUFR", b"ZCZC")),
    _Kind(translate("names", "an array of NumPy"), _CHOOSE, (b"\x93NUMPY",)),
    _Kind(translate("names", "a picture of a news agency (IPTC)"), _SAVE_AS, (b"\x1c\x01", b"\x1c\x02", b"\x1c\x03")),
    _Kind(translate("names", "a program"), _CHOOSE, (b"\x7fELF", b"MZ\x90\0")),
)  # fmt: skip
"""What is known by its first bytes and not read, in the order in which it is looked for."""
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_MARKUP = ((b"<svg", _DRAWING), (b"<!doctype html", _PAGE), (b"<html", _PAGE), (b"<head", _PAGE), (b"<body", _PAGE))
_HEAD_BYTES = 4096


def unsupported(head: bytes, file: BinaryIO) -> _Kind | None:
    """What a file is that is known and not read; None if it may be a picture.

    Args:
        head: the file's first bytes, some thousand.
    """
    for kind in _KINDS:
        if any(head.startswith(signature, kind.place) for signature in kind.signatures):
            return kind
    if head[4:8] == b"ftyp":
        return _media(head)
    if head[:4] in (b"II*\0", b"MM\0*") and _is_raw(file):
        return _RAW_PICTURE
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return next((kind for mark, kind in _MARKUP if start.startswith(b"<") and mark in start), None)


def _media(head: bytes) -> _Kind | None:
    """What is in a file of ISO boxes, by the brands that it names."""
    length = min(max(16, int.from_bytes(head[:4])), 256)
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, length, 4))}
    if brands & {b"avif", b"avis"}:
        return None if _accepts("AVIF", head) else _AVIF
    if brands & _HEIC_BRANDS or head[8:12] in (b"mif1", b"msf1"):
        return _HEIC
    if head[8:12] in (b"crx ",):
        return _RAW_PICTURE
    return _FILM


def _is_raw(file: BinaryIO) -> bool:
    """Whether a TIFF is a camera's raw picture (DNG, NEF, ARW, PEF …), whose first picture is a preview at best."""
    tags = _first_tags(file)
    preview = tags.get(254, 0) & 1 and 330 in tags  # a smaller one, and others inside
    return bool(50706 in tags or tags.get(262) in (32803, 34892) or preview)


def _first_tags(file: BinaryIO) -> dict[int, int]:
    """Numbers in a TIFF's first directory by their tags; of tags with several numbers, and of texts, anything."""
    file.seek(0)
    order = "<" if file.read(4)[:2] == b"II" else ">"
    try:
        file.seek(*struct.unpack(f"{order}I", file.read(4)))
        (count,) = struct.unpack(f"{order}H", file.read(2))
        entries = [struct.unpack(f"{order}HHI4s", file.read(12)) for _ in range(count)]
    except struct.error:  # cut off: the reader will say so
        return {}
    return {tag: struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", value)[0] for tag, kind, _, value in entries}


# Opening --------------------------------------------------------------------------------------------------------------

one_at_a_time = threading.Lock()
"""Held while a picture is opened: the bound on memory then holds for the whole program."""


@functools.cache
def _load_readers() -> None:
    """Load all of Pillow's readers, and keep libtiff from writing to the terminal."""
    Image.init()
    logging.getLogger("PIL").addHandler(logging.NullHandler())  # else Python writes its errors to the terminal
    with contextlib.suppress(OSError, AttributeError):  # Pillow's wheels for Windows do not show libtiff
        library = ctypes.CDLL(_imaging.__file__)
        for handler in (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler):
            handler.argtypes, handler.restype = [ctypes.c_void_p], ctypes.c_void_p
            handler(None)


def _accepts(name: str, head: bytes) -> bool:
    """Whether a reader takes a file by its first bytes."""
    _load_readers()
    _, accept = Image.OPEN.get(name, (None, None))
    try:
        return accept is not None and accept(head[:16]) is True
    except (SyntaxError, IndexError, TypeError, struct.error):  # as Pillow has it: too few bytes
        return False


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """A picture's header, read whatever size it names; call it with `one_at_a_time` held.

    Raises:
        Unreadable: It is no picture, or of a kind that is not read.
        Exception: Whatever Pillow's readers raise; `why_unreadable` says it in words.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        readers = _readers_of(head, file)
        source = _PictureParts.of(file) if readers == ["PNG"] else None
        file.seek(0)
        inner = MOST_INNER_PIXELS if {"ICO", "ICNS", "CUR"} & {*readers} else None  # of others the header is checked
        with _pixel_limit(inner):
            try:
                picture = Image.open(source.stream if source else file, formats=readers)
            except UnidentifiedImageError as error:
                raise _unidentified(head, readers) from error
            if source is not None and source.profile is not None:
                picture.info["icc_profile"] = source.profile
            with picture:
                yield picture


def _readers_of(head: bytes, file: BinaryIO) -> list[str]:
    """The readers to ask for a file, by its first bytes."""
    if not head:
        raise Unreadable(translate("errors", "it is empty"), translate("errors", "Get a whole copy of it."))
    kind = unsupported(head, file)
    if kind is not None:
        raise Unreadable(translate("errors", "it is {0}, and that is not read here").format(kind.name), kind.advice)
    readers = [name for name in READERS if _accepts(name, head)]
    if {"WEBP", "AVIF", "JPEG2000"} & {*readers} and file.seek(0, io.SEEK_END) > MOST_WHOLE_BYTES:
        raise Unreadable(
            translate("errors", "it has more than {0}").format(byte_text(MOST_WHOLE_BYTES)),
            translate("errors", "Shrink it first, or choose another picture."),
        )
    return readers or list(READERS_WITHOUT_SIGNATURE)


@contextmanager
def _pixel_limit(limit: int | None) -> Iterator[None]:
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, limit
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _unidentified(head: bytes, readers: list[str]) -> Unreadable:
    """What to say of a file that none of the readers takes."""
    if readers != list(READERS_WITHOUT_SIGNATURE):
        return Unreadable(
            translate(
                "errors", "its first bytes are those of {0}, but it is damaged or of a kind not read here"
            ).format(readers[0]),
            translate("errors", "Get a whole copy of it, or save it as a PNG or JPEG in another program."),
        )
    if _is_text(head):
        return Unreadable(translate("errors", "it is no picture but {0}").format(_TEXT.name), _TEXT.advice)
    return Unreadable(translate("errors", "it is no picture of a known kind"), _CHOOSE)


def _is_text(head: bytes) -> bool:
    try:
        text = head[: _HEAD_BYTES - 4].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in "\t\r\n\f" for letter in text)


def check_memory(picture: Image.Image, full_size: tuple[int, int], size: tuple[int, int]) -> None:
    """Refuse a picture whose decoding takes more than `MOST_DECODED_BYTES` (`Unreadable`).

    Args:
        full_size: width and height in the file.
        size: those that are decoded.
    """
    own = OWN_BYTES.get(picture.mode, 4)
    each = max(own, PIXEL_BYTES.get(picture.format or "", own))
    if any(tile.codec_name in Image.DECODERS for tile in getattr(picture, "tile", ())):  # those are in Python
        each = PYTHON_BYTES
    shrink = full_size[0] * full_size[1] / max(1, size[0] * size[1])
    progressive = PROGRESSIVE_BYTES if picture.info.get("progressive") else 0
    most = int(MOST_DECODED_BYTES / (each / shrink + progressive))
    if full_size[0] * full_size[1] > most:
        raise Unreadable(
            translate("errors", "it has {0:,} pixels, and {1:,} are the most of its kind that are opened").format(
                full_size[0] * full_size[1], most
            ),
            translate("errors", "Shrink it first, or choose another picture."),
        )


class _PictureParts(io.RawIOBase):
    """A PNG without what is not needed for its pixels, so that no amount of text or data beside them does harm.

    Attributes:
        profile: colour profile, unpacked; one that cannot be used where it is damaged or too large; None without one.
    """

    _KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT"}
    _NOTES = {b"eXIf", b"tEXt", b"zTXt", b"iTXt"}
    _NOTE_NAMES = {b"exif", b"Raw profile type exif", b"XML:com.adobe.xmp"}

    def __init__(self, file: BinaryIO, size: int) -> None:
        super().__init__()
        self.profile: bytes | None = None
        self._file, self._at, self._size, self._length = file, 0, size, 0
        self._parts: list[tuple[int, int, int]] = []  # where it begins here, where in the file, its length
        self._names: set[bytes] = set()
        self._find()
        self.stream = io.BufferedReader(self, 1 << 16)  # type: ignore[type-var]  # it is one, whose argument has another name

    @classmethod
    def of(cls, file: BinaryIO) -> _PictureParts:
        """The parts of a file that is open."""
        return cls(file, file.seek(0, io.SEEK_END))

    def _find(self) -> None:
        self._keep(0, 8)
        at = 8
        for _ in range(MOST_CHUNKS):
            self._file.seek(at)
            length, kind = struct.unpack(">I4s", self._file.read(8).ljust(8, b"\0"))
            end = at + 12 + length
            if not kind.isalpha() or end > self._size:  # the reader will meet it and say so
                self._keep(at, self._size - at)
                return
            if kind == b"iCCP" and self.profile is None:
                self.profile = self._unpacked_profile(length)
            elif kind in self._KEPT or (kind in self._NOTES and self._is_needed(kind, length)):
                self._keep(at, end - at)
            if kind == b"IEND":
                return
            at = end

    def _keep(self, at: int, length: int) -> None:
        if self._parts and self._parts[-1][1] + self._parts[-1][2] == at:
            begin, place, before = self._parts.pop()
            self._parts.append((begin, place, before + length))
        else:
            self._parts.append((self._length, at, length))
        self._length += length

    def _is_needed(self, kind: bytes, length: int) -> bool:
        """Whether a note may hold the camera's orientation, the first of its name; `file` is at its content."""
        if length > MOST_NOTE_BYTES:
            return False
        content = self._file.read(length)
        name = content.partition(b"\0")[0] if kind != b"eXIf" else kind
        if name in self._names or (kind != b"eXIf" and name not in self._NOTE_NAMES):
            return False
        self._names.add(name)
        rest = content[len(name) + 1 :]
        packed = rest[1:] if kind == b"zTXt" else rest[2:].split(b"\0", 2)[-1] if rest[:1] == b"\x01" else None
        return kind in (b"eXIf", b"tEXt") or packed is None or _unpacked(packed, MOST_NOTE_BYTES) is not None

    def _unpacked_profile(self, length: int) -> bytes:
        _, _, content = self._file.read(min(length, MOST_PROFILE_BYTES)).partition(b"\0")
        return _unpacked(content[1:], MOST_PROFILE_BYTES) or b"unusable"

    # io's own names

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def seekable(self) -> bool:
        """Whether it can be sought in: always."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence])
        return self._at

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Read what lies together."""
        index = bisect.bisect_right(self._parts, self._at, key=lambda part: part[0]) - 1
        begin, place, length = self._parts[index]
        self._file.seek(place + self._at - begin)
        data = self._file.read(max(0, min(len(buffer), begin + length - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _unpacked(content: bytes, most: int) -> bytes | None:
    """What zlib packed; None if it is damaged, cut off, or has more bytes than `most`."""
    packed = zlib.decompressobj()
    try:
        plain = packed.decompress(content, most)
    except zlib.error:
        return None
    return plain if packed.eof else None
