"""Contact sheets: many pictures on one PNG."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from sculptor_app.atelier.labels import FORMS, MATERIALS
from sculptor_app.atelier.renderer import render


def to_bytes(pictures: torch.Tensor) -> np.ndarray:
    """(B, H, W, 3) uint8 of (B, 3, H, W) in [-1, 1]."""
    array: np.ndarray = ((pictures.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return array


def lay_out(pictures: np.ndarray, columns: int, zoom: int = 1) -> Image.Image:
    """One picture of many, row by row.

    Args:
        pictures: (B, H, W, 3) uint8.
        columns: Pictures in a row.
        zoom: Every pixel becomes zoom x zoom.
    """
    count, height, width, _ = pictures.shape
    rows = -(-count // columns)
    sheet = np.zeros((rows * height, columns * width, 3), np.uint8)
    for i, picture in enumerate(pictures):
        y, x = i // columns * height, i % columns * width
        sheet[y : y + height, x : x + width] = picture
    return Image.fromarray(sheet.repeat(zoom, axis=0).repeat(zoom, axis=1))


def write_contact_sheet(
    path: str | Path, size: int = 64, columns: int = 12, rows: int = 8, seed: int = 0, zoom: int = 1,
    device: str = "cpu",
) -> float:  # fmt: skip
    """Render a sheet on which every row is a form and materials take turns, and write it as a PNG.

    Args:
        path: File to write.
        size: Edge of each picture in pixels.
        columns: Pictures in a row.
        rows: Rows; the forms take turns.
        seed: Seed of the first picture; the following ones count up.
        zoom: Every pixel becomes zoom x zoom.
        device: Where to render.

    Returns:
        Milliseconds per picture.
    """
    count = rows * columns
    forms = [i // columns % len(FORMS) for i in range(count)]
    materials = [(i % columns + i // columns) % len(MATERIALS) for i in range(count)]
    render([seed], forms[:1], materials[:1], size, device)  # torch's first use of an operation is slow
    start = time.perf_counter()
    pictures = to_bytes(render(range(seed, seed + count), forms, materials, size, device))
    taken_ms = (time.perf_counter() - start) * 1000 / count
    lay_out(pictures, columns, zoom).save(path)
    return taken_ms
