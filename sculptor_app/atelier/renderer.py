"""From (seed, form, material) to pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sculptor_app.atelier import pedestal
from sculptor_app.atelier.batch import Job, pack
from sculptor_app.atelier.labels import FORMS, MATERIALS
from sculptor_app.atelier.scene import HALF_VIEW
from sculptor_app.atelier.sdf import Points
from sculptor_app.atelier.shading import Camera, expose, light_surfaces
from sculptor_app.atelier.trace import march, slab

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
) -> torch.Tensor:
    """Render sculptures.

    A picture depends on its own seed, form and material alone, not on what else is in the batch.

    Args:
        seeds: 0 to 2^63 - 1 each.
        forms: Labels, in the order of FORMS.
        materials: Labels, in the order of MATERIALS.
        size: Edge in pixels.
        device: Where to render.

    Returns:
        (B, 3, size, size) float32 in [-1, 1], sRGB-encoded, on the device.

    Raises:
        ValueError: Lists of different lengths, an unknown label, or a size below 8.
    """
    _check(seeds, forms, materials, size)
    device = torch.device(device)
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


def _rays(job: Job, size: int) -> Camera:
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


def _render_job(job: Job, size: int) -> torch.Tensor:
    camera = _rays(job, size)
    near, far = slab(camera.eye, camera.ray, job.scene["low"], job.scene["high"])
    hidden, _, _ = pedestal.meet(job.scene, camera.eye, camera.ray)
    far = torch.minimum(far, hidden)
    met = march(job.solids, camera.eye, camera.ray, near.clamp(min=0.0), far)
    return expose(light_surfaces(job, camera, met, hidden), size, SAMPLES)
