"""The GIF file format's blocks, as bytes.

Pillow's own writer decides for itself about palettes, transparency and merging of frames, which costs size, quality and
the number of frames; here each frame keeps its palette, its delay and its place. The LZW data is Pillow's.

Source: CompuServe, "Graphics Interchange Format, version 89a", 1990.
"""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Bytes = NDArray[np.uint8]

TRANSPARENT = 255
"""Index of the pixels that stay as they are; palettes use 0 to 254."""

TRAILER = b";"
_GLOBAL_HEADER = 13
_LOCAL_TABLE = 0x80
_KEEP_AND_TRANSPARENT = 0b00000101  # disposal 1: the frame stays; a transparent index follows


def file_header(width: int, height: int, loop: bool, comment: bytes) -> bytes:
    """Everything before the first frame.

    Args:
        width: of the whole picture, 1..65535 pixels.
        height: of the whole picture, 1..65535 pixels.
        loop: play for ever; otherwise once.
        comment: any length.
    """
    screen = b"GIF89a" + _short(width) + _short(height) + b"\x00\x00\x00"
    repeat = b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00" if loop else b""
    return screen + repeat + b"!\xfe" + _sub_blocks(comment)


def frame_block(indices: Bytes, palette: Bytes, left: int, top: int, delay_ms: int) -> bytes:
    """One frame that is laid over what is there.

    Args:
        indices: (H, W) uint8; TRANSPARENT leaves a pixel as it is.
        palette: (P, 3) uint8, P <= 255.
        left: column of the first index.
        top: row of the first index.
        delay_ms: time on screen; whole 10 ms.
    """
    height, width = indices.shape
    transparent = len(palette)  # the first index after the colours, so that few colours need a small table
    bits = max(1, transparent.bit_length())
    table = np.zeros((1 << bits, 3), np.uint8)
    table[: len(palette)] = palette
    control = b"!\xf9\x04" + bytes([_KEEP_AND_TRANSPARENT]) + _short(delay_ms // 10) + bytes([transparent, 0])
    place = b"," + _short(left) + _short(top) + _short(width) + _short(height) + bytes([_LOCAL_TABLE | (bits - 1)])
    return control + place + table.tobytes() + _lzw(np.where(indices == TRANSPARENT, np.uint8(transparent), indices))


def _lzw(indices: Bytes) -> bytes:
    """The code size and the LZW sub-blocks of a frame, taken out of a one-frame GIF that Pillow writes.

    An "L" picture's values go into the file unchanged, whatever its palette means.
    """
    stream = BytesIO()
    Image.fromarray(indices).save(stream, "GIF", optimize=False, interlace=0)
    content = stream.getvalue()
    at = _GLOBAL_HEADER + _table_bytes(content[10])
    while content[at] != ord(","):
        at = _after_sub_blocks(content, at + 2)
    return content[at + 10 + _table_bytes(content[at + 9]) : -1]


def _table_bytes(flags: int) -> int:
    """Size of the colour table that a descriptor's flags announce."""
    return 3 * (2 << (flags & 7)) if flags & 0x80 else 0


def _after_sub_blocks(content: bytes, at: int) -> int:
    while content[at]:
        at += content[at] + 1
    return at + 1


def _sub_blocks(content: bytes) -> bytes:
    pieces = [content[start : start + 255] for start in range(0, len(content), 255)]
    return b"".join(bytes([len(piece)]) + piece for piece in pieces) + b"\x00"


def _short(value: int) -> bytes:
    return value.to_bytes(2, "little")
