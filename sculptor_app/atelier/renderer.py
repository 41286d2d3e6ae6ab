"""The renderer: pictures of (seed, form, material), and contact sheets of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from sculptor_app.atelier import compiled, pedestal
from sculptor_app.atelier.scene import HALF_VIEW, RenderBatch, pack
from sculptor_app.atelier.sdf import Points
from sculptor_app.atelier.shading import Camera, expose, light_surfaces
from sculptor_app.atelier.trace import march, slab
from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import FORMS, MATERIALS

PIXELS_AT_ONCE, PIXELS_AT_ONCE_CPU = 256 * 64 * 64, 4 * 64 * 64
"""Pixels rendered together: enough to fill a GPU, but few enough for a CPU's cache, which halves the time there."""
SAMPLES = 2
"""Samples along each edge of a pixel; 2 means four a pixel."""


def render(
    seeds: Sequence[int],
    forms: Sequence[int],
    materials: Sequence[int],
    size: int = 64,
    device: str | torch.device = "cpu",
    may_compile: bool = True,
) -> torch.Tensor:
    """Render sculptures, on a CPU by the compiled kernels where there are such, in as many threads as torch has.

    A picture depends on its own seed, form and material alone, not on what else is in the batch. The kernels' differs
    from torch's by one level of 255 in some pixels, and by more in one of some hundred thousand, on an edge.

    Args:
        seeds: 0 to 2^63 - 1 each.
        forms: Labels, in the order of FORMS.
        materials: Labels, in the order of MATERIALS.
        size: Edge in pixels, 8 or more.
        may_compile: False leaves it to torch where the kernels would have to be compiled first, which takes seconds.

    Returns:
        (B, 3, size, size) float32 in [-1, 1], sRGB-encoded, on the device.

    Raises:
        ValueError: Lists of different lengths, an unknown label, or a size below 8.
    """
    _check(seeds, forms, materials, size)
    device = torch.device(device)
    rows = compiled.kernel(may_compile) if device.type == "cpu" else None
    if rows is None:
        return render_by_torch(seeds, forms, materials, size, device)
    return torch.from_numpy(compiled.draw(rows, seeds, forms, materials, size, torch.get_num_threads()))


def render_by_torch(
    seeds: Sequence[int], forms: Sequence[int], materials: Sequence[int], size: int, device: torch.device
) -> torch.Tensor:
    """What `render` does on a GPU and without numba; the reference for the kernels."""
    pictures = torch.empty((len(seeds), 3, size, size), device=device, dtype=torch.float32)
    at_once = PIXELS_AT_ONCE_CPU if device.type == "cpu" else PIXELS_AT_ONCE
    batch = max(1, at_once // (size * size))
    for form in sorted(set(forms)):
        places = [i for i, f in enumerate(forms) if f == form]
        for start in range(0, len(places), batch):
            part = places[start : start + batch]
            job = pack([seeds[i] for i in part], form, [materials[i] for i in part], device)
            pictures[part] = _render_job(job, size)
    return pictures


def _check(seeds: Sequence[int], forms: Sequence[int], materials: Sequence[int], size: int) -> None:
    if not len(seeds) == len(forms) == len(materials):
        raise ValueError(f"{len(seeds)} seeds, {len(forms)} forms and {len(materials)} materials; give one of each")
    if any(not 0 <= form < len(FORMS) for form in forms):
        raise ValueError(f"forms are {sorted(set(forms))}; allowed is 0 to {len(FORMS) - 1}")
    if any(not 0 <= material < len(MATERIALS) for material in materials):
        raise ValueError(f"materials are {sorted(set(materials))}; allowed is 0 to {len(MATERIALS) - 1}")
    if size < 8:
        raise ValueError(f"size is {size}; allowed is 8 and more")


def _rays(job: RenderBatch, size: int) -> Camera:
    """A ray for every sample; the samples of a pixel lie on a turned grid."""
    edge = size * SAMPLES
    device = job.scene["eye"].device
    steps = (torch.arange(edge, device=device, dtype=torch.float32) + 0.5) / edge * 2 - 1
    v, u = torch.meshgrid(-steps, steps, indexing="ij")
    odd = (torch.arange(edge, device=device) % SAMPLES) - (SAMPLES - 1) / 2
    u = u + odd[:, None] * (0.5 / edge)  # rows lean against each other: edges show more than two levels
    v = v - odd[None, :] * (0.5 / edge)
    u, v = u.reshape(1, -1), v.reshape(1, -1)
    f, r, up = job.scene["forward"], job.scene["right"], job.scene["up"]
    d = [f[:, i : i + 1] + HALF_VIEW * (u * r[:, i : i + 1] + v * up[:, i : i + 1]) for i in range(3)]
    norm = torch.rsqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2])
    eye: Points = tuple(job.scene["eye"][:, i : i + 1] for i in range(3))  # type: ignore[assignment]
    return Camera(eye, (d[0] * norm, d[1] * norm, d[2] * norm), u.expand(len(f), -1), v.expand(len(f), -1))


def _render_job(job: RenderBatch, size: int) -> torch.Tensor:
    camera = _rays(job, size)
    near, far = slab(camera.eye, camera.ray, job.scene["low"], job.scene["high"])
    hidden, _, _ = pedestal.meet(job.scene, camera.eye, camera.ray)
    far = torch.minimum(far, hidden)
    met = march(job.solids, camera.eye, camera.ray, near.clamp(min=0.0), far)
    return expose(light_surfaces(job, camera, met, hidden), size, SAMPLES)


def to_bytes(pictures: torch.Tensor) -> np.ndarray:
    """(B, H, W, 3) uint8 of (B, 3, H, W) in [-1, 1]."""
    array: np.ndarray = ((pictures.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return array


def lay_out(pictures: np.ndarray, columns: int, zoom: int = 1) -> Image.Image:
    """One picture of many, row by row.

    Args:
        pictures: (B, H, W, 3) uint8.
        zoom: Every pixel becomes zoom x zoom.
    """
    count, height, width, _ = pictures.shape
    rows = -(-count // columns)
    sheet = np.zeros((rows * height, columns * width, 3), np.uint8)
    for i, picture in enumerate(pictures):
        y, x = i // columns * height, i % columns * width
        sheet[y : y + height, x : x + width] = picture
    return Image.fromarray(sheet.repeat(zoom, axis=0).repeat(zoom, axis=1))


def contact_sheet(
    size: int = 64, columns: int = 12, rows: int = 8, seed: int = 0, zoom: int = 1, device: str = "cpu",
    stop: threading.Event | None = None,
) -> tuple[Image.Image, float]:  # fmt: skip
    """A sheet on which every row is a form and materials take turns, and the milliseconds that a picture took.

    Args:
        seed: Seed of the first picture; the following ones count up.
        zoom: Every pixel becomes zoom x zoom.
        stop: Ends it between two rows.

    Raises:
        Cancelled: It was stopped.
    """
    render([seed], [0], [0], size, device)  # torch's first use of an operation is slow
    start, made = time.perf_counter(), []
    for row in range(rows):
        if stop is not None and stop.is_set():
            raise Cancelled
        seeds = range(seed + row * columns, seed + (row + 1) * columns)
        materials = [(column + row) % len(MATERIALS) for column in range(columns)]
        made.append(to_bytes(render(seeds, [row % len(FORMS)] * columns, materials, size, device)))
    taken_ms = (time.perf_counter() - start) * 1000 / (rows * columns)
    return lay_out(np.concatenate(made), columns, zoom), taken_ms
