"""One frame of a GIF before the GIF is made."""

from sculptor_app.diffusion.any_trajectory import AnyTrajectory
from sculptor_app.exports.gif_container import TRAILER, file_header
from sculptor_app.exports.gif_encoder import SceneEncoder
from sculptor_app.exports.gif_options import GifOptions
from sculptor_app.exports.gif_plan import shown_states
from sculptor_app.exports.gif_scenes import SceneMaker
from sculptor_app.measures.recording import RunMeasures


def preview_gif(trajectory: AnyTrajectory, measures: RunMeasures | None, options: GifOptions, k: int) -> bytes:
    """A GIF of one frame, made by the same means as the whole: what is seen here is what will be written.

    Args:
        trajectory: the run so far.
        measures: as for `write_gif`.
        options: what is wanted.
        k: the state to show, or else the nearest that the GIF will show.

    Raises:
        ExportError: the run holds nothing to show.
    """
    states = shown_states(trajectory, options)
    nearest = min(states, key=lambda state: abs(state - k))
    maker = SceneMaker(trajectory, measures, options, states)
    frame = SceneEncoder(maker.colours, maker.scale).encode(maker.scene(nearest), options.delay_ms)
    return file_header(maker.width, maker.height, False, b"preview") + frame + TRAILER
