"""PNG pictures of one state of a run, or of many runs side by side."""

from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.exports.animation.grid import GridScenes
from sculptor_app.exports.animation.options import AnimationOptions, Disclosure
from sculptor_app.exports.animation.plan import (
    GAP_PX,
    DecodedFrames,
    RunGrid,
    RunOrGrid,
    geometry,
    kinds_of,
    shown_picture,
)
from sculptor_app.exports.files import ExportError, replacing
from sculptor_app.exports.settings import settings_text
from sculptor_app.measures.run_measures import RunMeasures

_PAPER = 252


def write_png(
    path: Path,
    source: RunOrGrid,
    k: int,
    options: AnimationOptions,
    decoded: DecodedFrames | None = None,
    measures: RunMeasures | None = None,
    disclosure: Disclosure = Disclosure.NAMES,
) -> None:
    """Write state k of a run, or the sheet of state k of many, with crisp pixels and the settings in the file.

    Args:
        k: which state; of many runs as for `grid_picture`.
        options: `frames`, `size_px` and `decode` count; of many runs as for `grid_picture`.
        decoded: what was decoded of a run in latents; the rest is seen through the latents' map.
        measures: a run's; the file then says where its bands settled.
        disclosure: what the settings in the file tell.

    Raises:
        ExportError: there is no such picture, or the file could not be written.
    """
    if isinstance(source, RunGrid):
        image = _grid_picture(source, k, options, decoded)
    else:
        image = _run_picture(source, k, options, decoded)
    settings = PngImagePlugin.PngInfo()
    settings.add_text("comment", settings_text(source, options.as_dict() | {"state": k}, measures, disclosure))
    with replacing(path) as file:
        image.save(file, "PNG", pnginfo=settings)


def grid_picture(grid: RunGrid, k: int, options: AnimationOptions) -> Image.Image:
    """The sheet of state k of many runs, in RGB with crisp pixels.

    Args:
        grid: the runs; one that has not come so far shows its newest state.
        k: which state; of pure noise, 0, the noise itself is shown.

    Raises:
        ExportError: there is no such picture, or it would be too large.
    """
    return _grid_picture(grid, k, options, None)


def _grid_picture(grid: RunGrid, k: int, options: AnimationOptions, decoded: DecodedFrames | None) -> Image.Image:
    return Image.fromarray(GridScenes(grid, options, (k,), decoded).scene(k).rgb())


def _run_picture(
    trajectory: AnyTrajectory, k: int, options: AnimationOptions, decoded: DecodedFrames | None
) -> Image.Image:
    size = geometry(trajectory, options)
    parts = []
    for kind in kinds_of(options):
        shown = shown_picture(trajectory, k, kind, options, decoded)
        rgb = shown.rgb
        if rgb is None:
            raise ExportError(shown.note, translate("errors", "Export the noisy state instead."))
        image = Image.fromarray(rgb)
        sized = image.resize((size.width, size.height), Image.Resampling.NEAREST if size.shrink == 1 else None)
        parts += [np.full((size.height, GAP_PX, 3), _PAPER, np.uint8), np.asarray(sized)]
    return Image.fromarray(np.concatenate(parts[1:], axis=1))
