"""One small file of every format that a picture may come in: written by Pillow, or byte by byte where it cannot."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageCms

SIDE = 32
ORANGE = (200, 120, 40)
GREY = 120


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # IM goes with Pillow 15
        picture.save(buffer, format=kind, **options)
    return buffer.getvalue()


def orange(mode: str = "RGB") -> Image.Image:
    """A square of one colour, in any mode: orange, or grey where there are only greys, white where there is no grey."""
    if mode == "1":
        return Image.new("1", (SIDE, SIDE), 1)
    if mode in ("L", "LA"):
        return Image.new("L", (SIDE, SIDE), GREY).convert(mode)
    if mode in ("I;16", "I", "F"):
        value = np.array(
            GREY * 257 if mode != "F" else GREY / 255, {"I;16": np.uint16, "I": np.int32}.get(mode, np.float32)
        )
        return Image.fromarray(np.full((SIDE, SIDE), value))
    picture = Image.new("RGB", (SIDE, SIDE), ORANGE)
    return picture.quantize(4) if mode == "P" else picture.convert(mode)


def chunk(kind: bytes, content: bytes) -> bytes:
    """A part of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, packed: bytes, colours: int = 6) -> bytes:
    """A PNG whose header tells a size, whatever its packed rows hold; `colours` is its colour type."""
    head = struct.pack(">IIBBBBB", width, height, 8, colours, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def swapped_profile(size: int = 0) -> bytes:
    """sRGB's profile with red and green exchanged, so that its use shows, made as large as is wanted."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for at in range(132, 132 + 12 * struct.unpack_from(">I", profile, 128)[0], 12):
        name = bytes(profile[at : at + 4])
        profile[at : at + 4] = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}.get(name, name)
    text = bytes(profile).replace("sRGB".encode("utf-16-be"), "odd!".encode("utf-16-be")).ljust(size, b"\0")
    return struct.pack(">I", len(text)) + text[4:]


def _card(key: str, value: str) -> bytes:
    return f"{key:8}= {value:>20}".ljust(80).encode()


def fits(values: np.ndarray, **more: str) -> bytes:
    """A FITS file of numbers (H, W), big-endian, its lowest row first, with more cards in its header."""
    bits = {"u1": 8, "i2": 16, "i4": 32, "f4": -32, "f8": -64}[values.dtype.str[1:]]
    height, width = values.shape
    facts = {"SIMPLE": "T", "BITPIX": bits, "NAXIS": 2, "NAXIS1": width, "NAXIS2": height, **more}
    cards = [*(_card(name, str(value)) for name, value in facts.items()), b"END".ljust(80)]
    data = values[::-1].astype(values.dtype.newbyteorder(">")).tobytes()
    return b"".join(cards).ljust(2880) + data.ljust(-(-len(data) // 2880) * 2880, b"\0")


def _cursor() -> bytes:
    """An icon is a cursor with another number in its head, and a bitmap inside."""
    icon = encoded(orange(), "ICO", bitmap_format="bmp", sizes=[(SIDE, SIDE)])
    return icon[:2] + b"\2" + icon[3:]


def _multipage_pcx() -> bytes:
    return struct.pack("<III", 987654321, 12, 0) + encoded(orange(), "PCX")


def _animation() -> bytes:
    """An FLI of one frame: a palette whose entry 0 is orange, and a picture of it."""
    palette = struct.pack("<HBB", 1, 0, 1) + bytes(ORANGE)
    chunks = struct.pack("<IH", 6 + len(palette), 4) + palette + struct.pack("<IH4x", 10, 13)
    frame = struct.pack("<IHH8x", 16 + len(chunks), 0xF1FA, 2) + chunks
    head = struct.pack("<IHHHHHHI", 128 + len(frame), 0xAF12, 1, SIDE, SIDE, 8, 3, 50)
    return head.ljust(128, b"\0") + frame


def _photo_cd() -> bytes:
    """A picture of 768 by 512, of which Pillow reads the middle size; grey is 120, colours are none."""
    rows = bytes([GREY]) * (2 * 768) + bytes([156]) * 384 + bytes([137]) * 384
    return (b"\0" * 2048 + b"PCD_").ljust(96 * 2048, b"\0") + rows * 256


def _photoshop() -> bytes:
    head = b"8BPS\0\1" + b"\0" * 6 + struct.pack(">HIIHH", 3, SIDE, SIDE, 8, 3) + struct.pack(">III", 0, 0, 0) + b"\0\0"
    return head + b"".join(bytes([value]) * SIDE**2 for value in ORANGE)


def _texture() -> bytes:
    """An FTEX of the uncompressed kind: RGB after a head that says where."""
    head = struct.pack("<IIIIIIII", 1, SIDE, SIDE, 1, 1, 1, 32, SIDE**2 * 3)
    return b"FTEX" + head + bytes(ORANGE) * SIDE**2


def _weather_picture() -> bytes:
    words = [0] * 64
    words[1], words[8], words[9], words[10], words[13], words[33] = 4, SIDE, SIDE, 1, 1, 256
    return struct.pack(">64i", *words) + bytes([GREY]) * SIDE**2


WRITTEN = {
    "AVIF": "RGB RGBA L", "BLP": "P", "BMP": "1 L P RGB RGBA", "DDS": "L RGB RGBA LA", "DIB": "1 L P RGB RGBA",
    "GIF": "1 L LA P RGB RGBA", "ICNS": "RGB RGBA P L LA", "ICO": "RGB RGBA P L 1 LA",
    "IM": "1 L P RGB RGBA CMYK YCbCr LA F I;16",
    "JPEG": "1 L RGB CMYK YCbCr", "JPEG2000": "L LA RGB RGBA YCbCr I;16", "MPO": "L RGB CMYK", "MSP": "1",
    "PCX": "1 L P RGB", "PNG": "1 L LA P RGB RGBA I;16", "PPM": "1 L RGB I I;16 F RGBA", "QOI": "RGB RGBA",
    "SGI": "L RGB RGBA", "SPIDER": "F", "TGA": "1 L LA P RGB RGBA", "TIFF": "1 L LA P RGB RGBA CMYK YCbCr I I;16 F",
    "WEBP": "RGB RGBA L P 1 LA", "XBM": "1",
}  # fmt: skip
"""What Pillow writes: format, and modes."""
BUILT: dict[str, Callable[[], bytes]] = {
    "CUR": _cursor,
    "DCX": _multipage_pcx,
    "FITS": lambda: fits(np.full((SIDE, SIDE), GREY, np.uint8)),
    "FLI": _animation,
    "FTEX": _texture,
    "GBR": lambda: struct.pack(">IIIII", 20, 1, SIDE, SIDE, 1) + bytes([GREY]) * SIDE**2,
    "IMT": lambda: f"width {SIDE}\nheight {SIDE}\npixel n8\n\x0c".encode() + bytes([GREY]) * SIDE**2,
    "MCIDAS": _weather_picture,
    "PCD": _photo_cd,
    "PIXAR": lambda: (b"\x80\xe8\0\0".ljust(416, b"\0") + struct.pack("<HH4xHH", SIDE, SIDE, 14, 2)).ljust(1024, b"\0")
    + bytes(ORANGE) * SIDE**2,
    "PSD": _photoshop,
    "SUN": lambda: struct.pack(">8I", 0x59A66A95, SIDE, SIDE, 24, SIDE**2 * 3, 1, 0, 0) + bytes(ORANGE[::-1]) * SIDE**2,
    "XPM": lambda: (f'/* XPM */\nstatic char *x[] = {{\n"{SIDE} {SIDE} 1 1",\n"a c #{bytes(ORANGE).hex()}",\n'
                    + ",\n".join(f'"{"a" * SIDE}"' for _ in range(SIDE)) + "\n};\n").encode(),
    "XVTHUMB": lambda: f"P7 332\n#END_OF_COMMENTS\n{SIDE} {SIDE} 255\n".encode() + bytes([0b110_011_00]) * SIDE**2,
}  # fmt: skip
"""What Pillow reads and does not write."""


def every_sample() -> dict[str, bytes]:
    """A file of each format that is read, by its name."""
    written = {kind: encoded(orange(modes.split()[0]), kind) for kind, modes in WRITTEN.items()}
    return written | {kind: build() for kind, build in BUILT.items()}
